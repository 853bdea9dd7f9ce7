"""What the rest of the program asks of messaging: plan, forecast, write, cancel, decide, preview, receive."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from careloop.audit import services as audit
from careloop.kernel import sql
from careloop.messaging import inbound, planning, sealing, texts
from careloop.messaging.channels import find_door
from careloop.messaging.errors import CannotReach, NotInThatState, StoppedByPolicy
from careloop.messaging.models import Message, TemplateVersion
from careloop.messaging.planning import Audience, Planned, What
from careloop.messaging.ports import Inbound
from careloop.messaging.preview import Preview, preview
from careloop.messaging.reasons import reason_label

__all__ = [
    "Audience", "Planned", "Preview", "can_send", "cancel", "drop_stale", "find_door", "forecast", "hurry", "plan_many", "plan_one", "preview",
    "receive", "resolve_unknown", "retry", "send_code", "write_to",
]  # fmt: skip


def plan_many(
    *,
    template_key: str,
    patients: Audience | Iterable[UUID],
    key_prefix: str,
    due_at: datetime,
    now: datetime,
    params: Mapping[str, Any] | None = None,
    origin: str = "journey",
    origin_id: str = "",
    expires_at: datetime | None = None,
    channel: str = "",
    at_once: bool = False,
    uses_health_data: bool = False,
    once_per_address: bool | None = None,
    planned_by: UUID | None = None,
    only_reachable: bool = False,
) -> Planned:
    """Plan one message per row of `patients`, all in one statement; say how many and why the others were left out.

    Each patient gets the channel they prefer, or LINE, SMS, e-mail in this order, as far as the clinic has it, the patient
    is reachable there and has not refused it; a child or a person in care is reached through their guardian. Who may not
    get it is recorded too, as a blocked message with its reason.

    Args:
        template_key: a template with a published version.
        patients: ids, or an `Audience` whose query may also give `key`, `due_at`, `params` and `origin_id` per row.
        key_prefix: what it is for (`journey:<id>:<step>`); with the patient's id it makes the unique key, unless the
            audience gives keys. Planning again under the same key changes nothing.
        due_at: not sent before; quiet hours and the patient's preferred hour may delay it.
        params: values for the template's variables; dates as ISO text.
        origin, origin_id: what asked for it (`journey` and the enrollment, say); they come back in events.
        expires_at: after this it is not sent any more (a birthday greeting).
        at_once: answers something the patient just did, so quiet hours do not count.
        uses_health_data: the audience was chosen by clinical data: marketing then needs written consent for that.
        once_per_address: one message per phone for a family; by default for marketing only.
        only_reachable: whoever has no address, or none the clinic can use, is left out without a word: a courtesy that
            nobody misses, which should not fill the list of what was not sent.

    Raises:
        UnknownTemplate: no such template, or nothing published.
    """
    what = _what(
        template_key, key_prefix=key_prefix, due_at=due_at, params=params or {}, origin=origin, origin_id=origin_id,
        expires_at=expires_at, channel=channel, at_once=at_once, uses_health_data=uses_health_data,
        once_per_address=once_per_address, planned_by=planned_by, only_reachable=only_reachable,
    )  # fmt: skip
    return planning.run(what, _audience(patients), now=now)


def forecast(
    *, template_key: str, patients: Audience | Iterable[UUID], due_at: datetime, now: datetime, key_prefix: str = "forecast",
    params: Mapping[str, Any] | None = None, channel: str = "", uses_health_data: bool = False,
    once_per_address: bool | None = None,
) -> Planned:  # fmt: skip
    """Say what `plan_many` would do, without writing anything."""
    what = _what(
        template_key,
        key_prefix=key_prefix,
        due_at=due_at,
        params=params or {},
        channel=channel,
        uses_health_data=uses_health_data,
        once_per_address=once_per_address,
    )
    return planning.run(what, _audience(patients), now=now, dry_run=True)


def plan_one(
    *, template_key: str, patient_id: UUID, key: str, due_at: datetime, now: datetime,
    params: Mapping[str, Any] | None = None, origin: str = "staff", origin_id: str = "", expires_at: datetime | None = None,
    channel: str = "", at_once: bool = False, planned_by: UUID | None = None,
) -> Message:  # fmt: skip
    """Plan one message and return its row: planned, or blocked with the reason. The same key returns the same row."""
    what = _what(
        template_key,
        key_prefix=key,
        due_at=due_at,
        params=params or {},
        origin=origin,
        origin_id=origin_id,
        expires_at=expires_at,
        channel=channel,
        at_once=at_once,
        planned_by=planned_by,
    )
    planning.run(what, _one(patient_id, key), now=now)
    return Message.objects.get(key=key)


@transaction.atomic
def write_to(
    *, patient_id: UUID, text: str, key: str, by: Any, now: datetime, subject: str = "", channel: str = "",
    message_class: str = "OPERATIONAL", at_once: bool = False,
) -> Message:  # fmt: skip
    """Send words that staff wrote to one patient, through the same rules as every other message.

    `key` comes with the form, so that a double click sends once. The words are sealed under the patient's key until
    and after they leave.

    Raises:
        StoppedByPolicy: the words may not be sent; the sentence says which and why.
        CannotReach: consent or reach stop it; nothing is kept.
        BadText: empty or too long.
    """
    if earlier := Message.objects.filter(key=key).first():
        return earlier
    version = texts.staff_note_version(message_class=message_class)
    verdict = texts.check_words(text, message_class=message_class, channel=channel or "line", now=now)
    if not verdict.may_be_sent:
        raise StoppedByPolicy(why=verdict.sentence)
    what = replace(
        _what_of(version, message_class=message_class), key_prefix=key, due_at=now, origin="staff",
        origin_id=str(by.pk), channel=channel, at_once=at_once, planned_by=by.pk, required=(),
    )  # fmt: skip
    outlook = planning.run(what, _one(patient_id, key), now=now, dry_run=True)
    if outlook.blocked:
        raise CannotReach(why=str(reason_label(next(iter(outlook.blocked)))))
    planning.run(what, _one(patient_id, key), now=now)
    message = Message.objects.get(key=key)
    message.content_sealed = sealing.seal_content(
        message.patient_id, message.pk, {"params": {"text": text}, "subject": subject}
    )
    message.save(update_fields=["content_sealed"])
    audit.record("message.written", patients=[patient_id], target=("message", message.pk))
    return message


def can_send(channel: str) -> bool:
    """Whether the clinic has an account of this channel (line, sms, email) that is switched on."""
    return bool(
        sql.value("select 1 from messaging_channel_account where enabled and is_default and channel = %s", [channel])
    )


@transaction.atomic
def send_code(
    *, patient_id: UUID, contact_point_id: UUID, channel: str, language: str, code: str, key: str, expires_at: datetime,
    now: datetime,
) -> Message | None:  # fmt: skip
    """Send a one-time code that somebody has just asked for, to one contact point and no other; None when nothing can carry it.

    It goes at once, and also to those who refused messages: they asked for it. The code is sealed under the patient's key until
    it leaves, and not kept afterwards. The same key sends once.
    """
    if earlier := Message.objects.filter(key=key).first():
        return earlier
    account_id = sql.value(
        "select id from messaging_channel_account where enabled and is_default and channel = %s", [channel]
    )
    if account_id is None:
        return None
    version = texts.library_version(texts.CODE)
    message = Message(
        key=key, patient_id=patient_id, channel=channel, account_id=account_id, contact_point_id=contact_point_id,
        template_version=version, message_class=version.template.message_class, language=language, due_at=now,
        expires_at=expires_at, at_once=True, fixed_channel=True, origin=Message.Origin.CODE, planned_at=now,
    )  # fmt: skip
    message.content_sealed = sealing.seal_content(patient_id, message.pk, {"params": {"code": code}})
    message.save(force_insert=True)
    return message


def cancel(
    *, now: datetime, reason: str = "withdrawn", message_ids: Sequence[UUID] | None = None, keys: Sequence[str] | None = None,
    origin: str = "", origin_ids: Sequence[str] | None = None, patient_id: UUID | None = None, by: UUID | None = None,
) -> int:  # fmt: skip
    """Cancel messages that have not left yet; return how many. What is being sent at this moment is not stopped.

    Choose by ids, by keys, or by origin with origin ids; `patient_id` narrows further.
    """
    if message_ids is None and keys is None and not (origin and origin_ids is not None):
        raise ValueError("say which messages: ids, keys, or origin with origin ids")
    return int(
        sql.value(
            """
            with gone as (
                update messaging_message set state = 'cancelled', reason = %(reason)s, closed_at = %(now)s
                 where state = 'planned'
                   and (%(ids)s::uuid[] is null or id = any(%(ids)s))
                   and (%(keys)s::text[] is null or key = any(%(keys)s))
                   and (%(origin)s = '' or origin = %(origin)s)
                   and (%(origin_ids)s::text[] is null or origin_id = any(%(origin_ids)s))
                   and (%(patient)s::uuid is null or patient_id = %(patient)s)
                returning id
            ), noted as (
                insert into messaging_note (message_id, at, what, reason, by_id)
                select id, %(now)s, 'cancelled', %(reason)s, %(by)s from gone
            )
            select count(*) from gone
            """,
            {
                "reason": reason, "now": now, "ids": list(message_ids) if message_ids is not None else None,
                "keys": list(keys) if keys is not None else None, "origin": origin,
                "origin_ids": list(origin_ids) if origin_ids is not None else None, "patient": patient_id, "by": by,
            },
        )
    )  # fmt: skip


def drop_stale(*, appointment_ids: Sequence[UUID], now: datetime) -> int:
    """Cancel planned messages that speak of an old time or state of these visits; return how many.

    Tidiness only: whatever is missed here is stopped when it is claimed.
    """
    return sql.execute(
        f"""update messaging_message m set state = 'cancelled', reason = 'version', closed_at = %(now)s
              from messaging_message k left join scheduling_appointment v on v.id = k.appointment_id
             where m.id = k.id and m.state = 'planned' and k.state = 'planned' and k.origin = 'appointment'
               and k.origin_id = any(%(visits)s) and k.origin_id <> '' and {planning.STALE.format(message="k")}""",
        {"now": now, "visits": [str(one) for one in appointment_ids]},
    )


def hurry(*, origin: str, origin_ids: Sequence[str], now: datetime) -> set[str]:
    """Let planned messages go now, quiet hours or not, and return the origin ids that had any.

    For trying things out in a demo clinic; the caller makes sure that it is one. All other checks run when they are claimed.
    """
    found = sql.rows(
        """update messaging_message set due_at = least(due_at, %s), at_once = true
            where state = 'planned' and origin = %s and origin_id = any(%s) returning origin_id""",
        [now, origin, list(origin_ids)],
    )
    return {row["origin_id"] for row in found}


@transaction.atomic
def retry(*, message_id: UUID, by: Any, now: datetime) -> Message:
    """Plan a failed or blocked message again, as it was; every check runs again when it is claimed.

    A message that may have arrived (`unknown`) is not retried here: see `resolve_unknown`.

    Raises:
        NotInThatState: it is neither failed nor blocked.
    """
    message = Message.objects.select_for_update().get(pk=message_id)
    if message.state not in (Message.State.FAILED, Message.State.BLOCKED):
        raise NotInThatState
    _plan_again(message, now=now)
    _note(message, "retried", by=by, now=now)
    return message


@transaction.atomic
def resolve_unknown(*, message_id: UUID, decision: str, by: Any, now: datetime) -> Message:
    """Settle a message of which nobody knows whether it arrived.

    Args:
        decision: `arrived` (it is taken as sent), `leave` (closed, not sent again) or `send_again` (a second copy is
            accepted knowingly).

    Raises:
        NotInThatState: somebody settled it already.
        ValueError: an unknown decision.
    """
    message = Message.objects.select_for_update().get(pk=message_id)
    if message.state != Message.State.UNKNOWN:
        raise NotInThatState
    if decision == "arrived":
        message.state, message.reason = Message.State.ACCEPTED, ""
        message.accepted_at = message.handed_at or message.first_tried_at or now
        message.closed_at = None
        message.save(update_fields=["state", "reason", "accepted_at", "closed_at"])
        inbound.tell_sent([message.pk], now=now)
    elif decision == "leave":
        message.state, message.reason, message.closed_at = Message.State.CANCELLED, "staff", now
        message.save(update_fields=["state", "reason", "closed_at"])
    elif decision == "send_again":
        _plan_again(message, now=now)
    else:
        raise ValueError("a decision is arrived, leave or send_again")
    _note(message, f"resolved_{decision}", by=by, now=now)
    audit.record(
        "message.resolved",
        patients=[message.patient_id],
        target=("message", message.pk),
        details={"decision": decision},
    )
    return message


def receive(*, channel_id: UUID, events: Sequence[Inbound], now: datetime) -> int:
    """Store what came through a channel's door, each event once, and queue the work; return how many are new."""
    return inbound.store(channel_id=channel_id, events=events, now=now)


# -- inside ----------------------------------------------------------------------------------------------------


def _what(
    template_key: str, *, key_prefix: str, due_at: datetime, once_per_address: bool | None = None, **more: Any
) -> What:
    version = texts.published_version(template_key)
    base = _what_of(version, message_class=version.template.message_class)
    once = base.message_class == "MARKETING" if once_per_address is None else once_per_address
    return replace(base, key_prefix=key_prefix, due_at=due_at, once_per_address=once, **more)


def _what_of(version: TemplateVersion, *, message_class: str) -> What:
    return What(
        message_class=message_class, key_prefix="", due_at=version.created_at, version_id=version.pk,
        languages=tuple(sorted(version.texts, key=texts.LANGUAGE_ORDER)), required=tuple(version.required),
        template_key=version.template.key,
    )  # fmt: skip


def _audience(patients: Audience | Iterable[UUID]) -> Audience:
    return patients if isinstance(patients, Audience) else Audience.of(patients)


def _one(patient_id: UUID, key: str) -> Audience:
    return Audience(
        "select %(one_patient)s::uuid as patient_id, %(one_key)s::text as key",
        {"one_patient": patient_id, "one_key": key}, frozenset({"key"}),
    )  # fmt: skip


def _plan_again(message: Message, *, now: datetime) -> None:
    message.state, message.reason, message.details = Message.State.PLANNED, "", {}
    message.due_at, message.attempts, message.closed_at = now, 0, None
    message.lease_id = message.lease_until = message.handed_at = message.first_tried_at = None
    message.save()
    if not planning.choose_ways([message.pk], now=now):
        raise CannotReach(why=str(reason_label("unreachable")))


def _note(message: Message, what: str, *, by: Any, now: datetime, reason: str = "") -> None:
    message.notes.create(at=now, what=what, reason=reason, by=by, details={})


def names_of(counts: Mapping[str, int]) -> dict[str, str]:
    """Return reason codes with their sentences, for API answers and screens."""
    return {code: str(reason_label(code)) for code in counts}
