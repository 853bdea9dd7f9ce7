"""Reach and consent, messages and answers, and whatever else happened."""

from datetime import timedelta

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.consent.models import Purpose
from careloop.events.registry import KINDS
from careloop.facts import rules as facts
from careloop.segments.catalogue.common import (
    CHANNEL,
    CONSENT_KINDS,
    CONTACT_KINDS,
    DAYS,
    HAPPENED,
    MESSAGES,
    PURPOSE,
    REACH,
    TALK_KINDS,
    TIMES,
    column,
    simple,
    time_operators,
)
from careloop.segments.fields import Ask, Field, Operator, Parameter, Text, Values, register


def _reach_mask(channel: str, arrives: bool) -> int:
    names = [channel.upper()] if channel != "any" else [one.upper() for one in facts.CHANNELS]
    return sum(int(facts.Reach[f"{name}_ARRIVES" if arrives else name]) for name in names)


def _consent_bits(v: Values) -> int:
    if v["channel"] == "any":
        return facts.consent_mask(v["purpose"])
    return facts.consent_bit(v["purpose"], v["channel"])


def _may_be_contacted(ask: Ask, v: Values) -> str:
    """Marketing needs an agreement; care and surveys go on until refused. On any channel: on at least one."""
    bits = ask.bind(_consent_bits(v))
    if v["purpose"] in (Purpose.MARKETING, Purpose.HEALTH_MARKETING):
        return f"f.consent_given & {bits} <> 0"
    return f"f.consent_refused & {bits} <> {bits}"


NOT_RETRACTED = (
    "(e.batch_id is null or not exists (select 1 from events_retraction as r where r.batch_id = e.batch_id))"
)


def event_options() -> list[tuple[str, Text]]:
    return [(name, kind.label) for name, kind in KINDS.items() if not name.startswith("segment.")]


KIND = Parameter(
    "kind", "choice", pgettext_lazy("segment rule", "what"), options=event_options, default="encounter.recorded"
)


def _happened(ask: Ask, v: Values) -> str:
    since = ask.start_of(ask.today - timedelta(days=v["days"]))
    match = f"e.kind = {ask.bind(v['kind'])} and e.occurred_at >= {since} and {NOT_RETRACTED}"
    if v["count"] == 1:
        return f"exists (select 1 from events_event as e where e.patient_id = f.patient_id and {match})"
    if ask.few:
        return (
            f"(select count(*) from (select 1 from events_event as e where e.patient_id = f.patient_id and {match} "
            f"limit {v['count']:d}) as enough) = {v['count']:d}"
        )
    return (
        f"f.patient_id in (select e.patient_id from events_event as e where {match} and e.patient_id is not null "
        f"group by e.patient_id having count(*) >= {v['count']:d})"
    )


def _not_happened(ask: Ask, v: Values) -> str:
    return f"not {_happened(ask, {**v, 'count': 1})}"


def _event_value(ask: Ask, v: Values) -> str:
    return (
        f"(select max(e.occurred_at) from events_event as e where e.patient_id = f.patient_id "
        f"and e.kind = {ask.bind(v['kind'])} and {NOT_RETRACTED})"
    )


def _is_clinical_kind(v: Values) -> bool:
    kind = KINDS.get(v["kind"])
    return kind is None or kind.group in ("clinical", "visits")


def _answered(ask: Ask, v: Values) -> str:
    since = ask.start_of(ask.today - timedelta(days=v["days"]))
    return (
        f"exists (select 1 from events_event as e where e.patient_id = f.patient_id and e.kind = 'message.received' "
        f"and e.occurred_at >= {since} and e.payload ->> 'answer' = any({ask.bind(list(v['codes']))}))"
    )


def _unanswered(ask: Ask, v: Values) -> str:
    before = ask.start_of(ask.today - timedelta(days=v["days"]) + timedelta(days=1))
    return f"f.last_sent_at < {before} and coalesce(f.last_answered_at, '-infinity') < f.last_sent_at"


register(
    Field("reach", pgettext_lazy("segment rule", "Reach"), REACH, (
        Operator("arrives", _("can be reached by"),
                 lambda ask, v: f"f.reach & {_reach_mask(v['channel'], True)} <> 0",
                 _("can be reached by: %(channel)s"), (CHANNEL,)),
        Operator("arrives_not", _("cannot be reached by"),
                 lambda ask, v: f"f.reach & {_reach_mask(v['channel'], True)} = 0",
                 _("cannot be reached by: %(channel)s"), (CHANNEL,)),
        Operator("has_none", _("has no"), lambda ask, v: f"f.reach & {_reach_mask(v['channel'], False)} = 0",
                 _("has no contact for: %(channel)s"), (CHANNEL,)),
    ), kinds=CONTACT_KINDS),
    Field("consent", _("Consent"), REACH, (
        Operator("given", _("was given for"), lambda ask, v: f"f.consent_given & {ask.bind(_consent_bits(v))} <> 0",
                 _("agreed: %(purpose)s, %(channel)s"), (PURPOSE, CHANNEL)),
        Operator("refused", _("was refused for"),
                 lambda ask, v: f"f.consent_refused & {ask.bind(_consent_bits(v))} <> 0",
                 _("refused: %(purpose)s, %(channel)s"), (PURPOSE, CHANNEL)),
        Operator("unasked", _("was never asked for"),
                 lambda ask, v: f"(f.consent_given | f.consent_refused) & {ask.bind(_consent_bits(v))} = 0",
                 _("never asked: %(purpose)s, %(channel)s"), (PURPOSE, CHANNEL)),
        Operator("allows", _("allows contact for"), _may_be_contacted,
                 _("may be contacted: %(purpose)s, %(channel)s"), (PURPOSE, CHANNEL)),
    ), kinds=CONSENT_KINDS),
    simple("last_sent", _("Last message sent"), MESSAGES, time_operators("f.last_sent_at"),
            frozenset({"message.sent"}), "time", column="last_sent_at"),
    simple("last_answered", _("Last answer"), MESSAGES, time_operators("f.last_answered_at"),
            frozenset({"message.received"}), "time", column="last_answered_at"),
    Field("unanswered", _("Message without answer"), MESSAGES, (
        Operator("since_days", _("for at least"), _unanswered, _("last message unanswered for at least %(days)s days"),
                 (DAYS,)),
    ), kinds=TALK_KINDS, value=column("last_sent_at"), shown="time"),
    Field("answer", _("Answer to a message"), MESSAGES, (
        Operator("is_any", _("is one of, within the last"), _answered,
                 _("answered %(codes)s within the last %(days)s days"),
                 (Parameter("codes", "text", _("answers, separated by commas")), DAYS)),
    ), kinds=frozenset({"message.received"}), heavy=True),
    Field("event", pgettext_lazy("segment rule", "Event"), HAPPENED, (
        Operator("happened", pgettext_lazy("segment rule", "happened"), _happened, _("%(kind)s: at least %(count)s times within the last %(days)s days"),
                 (KIND, TIMES, DAYS)),
        Operator("not_happened", _("did not happen"), _not_happened,
                 _("%(kind)s: not within the last %(days)s days"), (KIND, DAYS)),
    ), clinical=_is_clinical_kind, value=_event_value, shown="time", heavy=True),
)  # fmt: skip
