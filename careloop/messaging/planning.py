"""Planning as one statement: from patients to outbox rows, each with its channel or with the reason why not.

The rules are those of `rules.py`, as joins. They run again when a message is claimed (`dispatch.py`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from careloop.audit.services import current_actor
from careloop.consent.selectors import NEEDS_PERMIT, PURPOSE_OF, WRITTEN_SOURCES
from careloop.kernel import sql
from careloop.messaging.rules import CHANNEL_ORDER, MARKETING_CAP_DAYS
from careloop.policy.answers import MessageClass
from careloop.policy.timing import waits_in_quiet_hours

MANY = 500
"""From how many new messages on the planner's statistics are looked after. A dispatcher without any knows no better than to
read an organization's whole outbox for each batch: half the speed at 10,000 messages, and worse with each more."""


@dataclass(frozen=True)
class Audience:
    """Whom to plan for: a query with the columns `patient_id uuid`, and if wanted `key text`, `due_at timestamptz`,
    `params jsonb`, `origin_id text`, `expires_at timestamptz`, `at_once boolean`.

    A message about a visit is bound to it by `appointment_id uuid` with `appointment_sequence int` and `appointment_state text`
    (`booked`, or `cancelled` for a notice that is right only for a visit called off). Rows with the same `together text` that go
    to one address leave as one message. Missing columns are taken from the call. The query runs inside the planning statement,
    under row-level security.
    """

    query: str
    params: Mapping[str, Any] = field(default_factory=dict)
    columns: frozenset[str] = frozenset()

    @classmethod
    def of(cls, patient_ids: Iterable[UUID]) -> "Audience":
        """Return the audience of these patients."""
        return cls("select unnest(%(audience_ids)s::uuid[]) as patient_id", {"audience_ids": list(patient_ids)})


@dataclass(frozen=True)
class What:
    """What is planned: the words (a published version), their class, and how they may travel."""

    message_class: str
    key_prefix: str
    due_at: datetime
    version_id: UUID | None = None
    languages: tuple[str, ...] = ("zh-hant",)
    required: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    origin: str = "staff"
    origin_id: str = ""
    channel: str = ""  # fixed by staff; empty: the patient's best
    expires_at: datetime | None = None
    at_once: bool = False
    uses_health_data: bool = False
    once_per_address: bool = False
    may_go_to_guardian: bool = True
    planned_by: UUID | None = None
    template_key: str = ""
    only_reachable: bool = False


@dataclass(frozen=True)
class Planned:
    """What planning did: counts, never names.

    `repeated` were planned before under the same key and are untouched. `delayed` wait for the end of the quiet hours.
    """

    planned: int = 0
    blocked: dict[str, int] = field(default_factory=dict)
    repeated: int = 0
    delayed: int = 0
    channels: dict[str, int] = field(default_factory=dict)

    @property
    def blocked_total(self) -> int:
        return sum(self.blocked.values())


STALE = """(v.id is null or v.sequence <> {message}.appointment_sequence or v.state <> {message}.appointment_state
    or v.starts_at <= %(now)s or coalesce(v.held_until <= %(now)s, false))"""
"""Whether a message about a visit is no longer right: another time, another state, too late, or the offered place is not held any
longer. `v` is the appointment."""

BOUND: dict[str, str] = {}
"""What else makes messages of an origin stale: SQL about `{message}`, registered by the slice that plans them."""


def bind(origin: str, *, stale: str) -> None:
    """Let messages of this origin be right only as long as `stale` is not true: asked when claimed and when they leave."""
    BOUND[origin] = stale


def stale_otherwise(message: str) -> str:
    """Return the condition for all origins that are bound to something else than a visit."""
    cases = "".join(f" when '{origin}' then {stale.format(message=message)}" for origin, stale in BOUND.items())
    return f"case {message}.origin{cases} else false end" if cases else "false"


_ACCOUNTS = """
    select a.channel, a.id as account_id, place.rank,
           case a.channel when 'line' then 'line' when 'sms' then 'phone' else 'email' end as system,
           case when a.monthly_budget is null then null
                else greatest(0, a.monthly_budget - (
                    select count(*) from messaging_message m
                     where m.account_id = a.id
                       and (m.accepted_at >= month.starts or m.state in ('claimed', 'unknown')
                            or (m.state = 'planned' and m.due_at < month.starts + interval '1 month')))) end as budget_left
      from messaging_channel_account a
      join tenancy_organization o on o.id = a.organization_id
      cross join lateral (select date_trunc('month', %(now)s at time zone o.time_zone) at time zone o.time_zone as starts) as month
      join unnest(%(channel_order)s::text[]) with ordinality as place(channel, rank) on place.channel = a.channel
     where a.enabled and a.is_default and (%(channel)s = '' or a.channel = %(channel)s)
"""

_DECISION = """
    select coalesce(array_agg(c.channel) filter (where c.decision = 'deny' and c.purpose = {purpose}), '{{}}') as denied,
           coalesce(array_agg(c.channel) filter (where c.decision = 'permit' and c.purpose = {purpose}), '{{}}') as permitted,
           coalesce(bool_or(c.decision = 'permit' and c.source = any(%(written)s)) filter (where c.purpose = 'HEALTH_MARKETING'), false)
             and not coalesce(bool_or(c.decision = 'deny') filter (where c.purpose = 'HEALTH_MARKETING'), false) as health
      from consent_consent c where c.patient_id = {patient} and c.ended_at is null
"""
"""One patient's decisions in force. Looked up per patient by index: joins between sets whose size the planner cannot know
went wrong by a factor of ten before the tables had statistics."""

_WAY = """
    select a.account_id, a.channel, a.budget_left, w.contact_id, w.related_id, w.value_index, w.dead,
           case when a.channel = any(d.denied) or 'any' = any(d.denied) then 'consent_refused'
                when {purpose} = any(%(needing_permit)s) and not (a.channel = any(d.permitted) or 'any' = any(d.permitted))
                then 'consent_missing' end as consent_reason
      from (
        select c.id as contact_id, null::uuid as related_id, c.system, c.is_mobile, c.rank as contact_rank, c.value_index,
               c.reach in ('blocked', 'bounced') as dead, c.warning <> '' as odd
          from patients_contact_point c where c.patient_id = {patient}
        union all
        select c.id, r.id, c.system, c.is_mobile, c.rank, c.value_index, c.reach in ('blocked', 'bounced'), c.warning <> ''
          from patients_related_person r join patients_contact_point c on c.patient_id = r.relative_id
         where r.patient_id = {patient} and (r.is_guardian or r.may_act) and %(guardians)s
        union all
        select null, r.id, s.system, true, 9, null, false, false
          from patients_related_person r
          join (values ('phone'), ('email')) as s(system)
               on (s.system = 'phone' and r.phone_sealed is not null) or (s.system = 'email' and r.email_sealed is not null)
         where r.patient_id = {patient} and (r.is_guardian or r.may_act) and r.relative_id is null and %(guardians)s
      ) as w
      join account a on a.system = w.system and (a.channel <> 'sms' or w.is_mobile) and {only_channel}
     order by (dead or {refused}), dead, (related_id is not null),
              (a.channel = {preferred}) desc, a.rank, odd, contact_rank, contact_id
     limit 1
"""
_REFUSED = (
    "a.channel = any(d.denied) or 'any' = any(d.denied) or ({purpose} = any(%(needing_permit)s) "
    "and not (a.channel = any(d.permitted) or 'any' = any(d.permitted)))"
)


def _way(*, purpose: str, patient: str, preferred: str, only_channel: str) -> str:
    """Return the query for the best way to one patient, given their decisions as `d`."""
    refused = _REFUSED.format(purpose=purpose)
    return _WAY.format(
        purpose=purpose, patient=patient, preferred=preferred, only_channel=only_channel, refused=refused
    )


_DECIDE = """
with account as materialized ({accounts}),
given as (
    select row_number() over () as n, a.patient_id, {key} as key, {due_at} as asked_at,
           %(params)s::jsonb || {params} as params, {origin_id} as origin_id, {expires_at} as expires_at, {at_once} as at_once,
           {appointment_id} as appointment_id, {appointment_sequence} as appointment_sequence,
           {appointment_state} as appointment_state, {together} as together
      from ({audience}) as a
),
person as materialized (
    select g.*, p.preferred_channel,
           case when lower(p.language) like 'en%%' then 'en'
                when replace(lower(p.language), '_', '-') ~ '^zh-(hans|cn|sg)' then 'zh-hans'
                when lower(p.language) like 'zh%%' then 'zh-hant'
                else o.language end as wanted_language,
           o.language as default_language, o.time_zone, o.quiet_from_hour, o.quiet_to_hour, o.marketing_cap,
           case when %(prefers_hour)s and p.preferred_hour > extract(hour from g.asked_at at time zone o.time_zone)
                     and (g.expires_at is null or w.at <= g.expires_at) then w.at
                else g.asked_at end as wished_at,
           case when p.merged_into_id is not null then 'merged' when p.deceased then 'deceased'
                when not p.active then 'inactive' end as person_reason
      from given g
      join patients_patient p on p.id = g.patient_id
      join tenancy_organization o on o.id = p.organization_id
      cross join lateral (
        select (date_trunc('day', g.asked_at at time zone o.time_zone) + make_interval(hours => p.preferred_hour))
               at time zone o.time_zone as at
      ) as w
),
first_look as (
    select p.*, c.account_id, c.channel, c.contact_id, c.related_id, c.value_index, c.budget_left,
           case when p.wanted_language = any(%(languages)s) then p.wanted_language
                when p.default_language = any(%(languages)s) then p.default_language
                else (%(languages)s::text[])[1] end as language,
           coalesce({stale}, p.person_reason,
                    case when not jsonb_exists_all(p.params, %(required)s::text[]) then 'missing_variable'
                         when not exists (select from account) then 'no_channel'
                         when c.account_id is null then 'no_contact'
                         when c.dead then 'unreachable'
                         when c.consent_reason is not null then c.consent_reason
                         when %(uses_health)s and not d.health then 'health_consent_missing'
                    end) as reason,
           coalesce(r.had, 0) as had
      from person p
      cross join lateral ({decision}) as d
      left join lateral ({way}) as c on true {visit}
      left join lateral (
        select count(*) as had from messaging_message m
         where m.patient_id = p.patient_id and m.message_class = 'MARKETING' and m.due_at > %(cap_from)s
           and m.state in ('planned', 'claimed', 'accepted', 'unknown')
      ) as r on %(capped)s
),
limited as (
    select f.*,
           case when f.reason is not null then f.reason
                when %(capped)s and f.had + row_number() over (partition by f.patient_id, f.reason order by f.n) > f.marketing_cap
                then 'cap'
                when %(once_per_address)s and f.value_index is not null
                     and row_number() over (partition by f.channel, f.value_index, f.reason order by f.n) > 1
                then 'same_address' end as reason_2,
           case when f.at_once or f.quiet_from_hour = f.quiet_to_hour then f.wished_at
                when f.quiet_from_hour > f.quiet_to_hour and extract(hour from l.at) >= f.quiet_from_hour
                then (date_trunc('day', l.at) + interval '1 day' + make_interval(hours => f.quiet_to_hour)) at time zone f.time_zone
                when (f.quiet_from_hour > f.quiet_to_hour and extract(hour from l.at) < f.quiet_to_hour)
                  or (f.quiet_from_hour < f.quiet_to_hour and extract(hour from l.at) >= f.quiet_from_hour
                      and extract(hour from l.at) < f.quiet_to_hour)
                then (date_trunc('day', l.at) + make_interval(hours => f.quiet_to_hour)) at time zone f.time_zone
                else f.wished_at end as due_at
      from first_look f
      cross join lateral (select f.wished_at at time zone f.time_zone as at) as l
),
decided as (
    select l.*,
           case when l.reason_2 is not null then l.reason_2
                when l.expires_at is not null and l.due_at > l.expires_at then 'too_late'
                when l.budget_left is not null
                     and row_number() over (partition by l.account_id, l.reason_2 order by l.due_at, l.n) > l.budget_left
                then 'budget' end as final_reason
      from limited l
     where not (%(only_reachable)s and coalesce(l.reason_2, '') in ('no_contact', 'no_channel'))
)
"""

_INSERT = """,
inserted as (
    insert into messaging_message (
        key, patient_id, related_person_id, channel, account_id, contact_point_id, template_version_id, message_class,
        language, params, state, reason, details, due_at, expires_at, at_once, fixed_channel, origin, origin_id,
        planned_by_id, planned_at, closed_at, appointment_id, appointment_sequence, appointment_state, together)
    select key, patient_id, case when final_reason is null then related_id end, coalesce(channel, ''),
           account_id, contact_id, %(version_id)s,
           %(message_class)s, language, params,
           case when final_reason is null then 'planned' when final_reason = 'version' then 'cancelled' else 'blocked' end,
           coalesce(final_reason, ''),
           case when final_reason = 'cap' then jsonb_build_object('had', had, 'cap', marketing_cap)
                when final_reason = 'missing_variable' then jsonb_build_object('missing', (
                    select jsonb_agg(name) from unnest(%(required)s::text[]) as name where not jsonb_exists(params, name)))
                when final_reason is null and due_at > wished_at then jsonb_build_object('asked_for', wished_at, 'delay', 'quiet_hours')
                else '{}'::jsonb end,
           due_at, expires_at, at_once, %(channel)s <> '', %(origin)s, origin_id, %(planned_by)s, %(now)s,
           case when final_reason is not null then %(now)s::timestamptz end, appointment_id, appointment_sequence,
           appointment_state,
           case when together <> '' and value_index is not null then together || ':' || encode(value_index, 'hex') else '' end
      from decided
     order by n
    on conflict (organization_id, key) do nothing
    returning id, patient_id, state, reason, channel, message_class, origin, origin_id,
              (state = 'planned' and jsonb_exists(details, 'delay')) as delayed
),
told as (
    insert into events_event (kind, patient_id, occurred_at, recorded_at, actor_kind, actor_id, source, payload)
    select 'message.blocked', patient_id, %(now)s, %(now)s, %(actor_kind)s, %(actor_id)s, origin,
           jsonb_build_object('message_id', id, 'channel', channel, 'message_class', message_class, 'template', %(template)s::text,
                              'origin', origin, 'origin_id', origin_id, 'reason', reason)
      from inserted where state = 'blocked'
)
select 'done' as what, state, reason, channel, count(*) as n, count(*) filter (where delayed) as delayed
  from inserted group by 2, 3, 4
union all
select 'asked', '', '', '', count(*), 0 from decided
"""

_FORECAST = """
select 'done' as what, case when known.id is not null then 'repeated' when final_reason is null then 'planned' else 'blocked' end as state,
       coalesce(final_reason, '') as reason, coalesce(decided.channel, '') as channel, count(*) as n,
       count(*) filter (where decided.due_at > wished_at) as delayed
  from decided left join messaging_message known on known.key = decided.key
 group by 2, 3, 4
"""


def run(what: What, audience: Audience, *, now: datetime, dry_run: bool = False) -> Planned:
    """Plan `what` for everyone in `audience`; with `dry_run` only say what would happen.

    Safe to repeat and to run twice at once: the unique key decides.
    """
    purpose = str(PURPOSE_OF[what.message_class])
    actor = current_actor()
    statement = _DECIDE.format(
        accounts=_ACCOUNTS,
        decision=_DECISION.format(purpose="%(purpose)s::text", patient="p.patient_id"),
        way=_way(
            purpose="%(purpose)s::text", patient="p.patient_id", preferred="p.preferred_channel", only_channel="true"
        ),
        audience=audience.query,
        key="a.key" if "key" in audience.columns else "%(key_prefix)s || ':' || a.patient_id::text",
        due_at="coalesce(a.due_at, %(due_at)s)" if "due_at" in audience.columns else "%(due_at)s::timestamptz",
        params="coalesce(a.params, '{}'::jsonb)" if "params" in audience.columns else "'{}'::jsonb",
        origin_id="coalesce(a.origin_id, %(origin_id)s)" if "origin_id" in audience.columns else "%(origin_id)s::text",
        expires_at="coalesce(a.expires_at, %(expires_at)s)"
        if "expires_at" in audience.columns
        else "%(expires_at)s::timestamptz",
        at_once="(%(may_hurry)s and a.at_once)" if "at_once" in audience.columns else "%(at_once)s",
        together="a.together" if "together" in audience.columns else "''",
        **_binding("appointment_id" in audience.columns),
    ) + (_FORECAST if dry_run else _INSERT)
    found = sql.rows(
        statement,
        {
            **audience.params,
            "key_prefix": what.key_prefix, "due_at": what.due_at, "params": orjson.dumps(dict(what.params)).decode(),
            "origin": what.origin, "origin_id": what.origin_id,
            "channel_order": list(CHANNEL_ORDER), "channel": what.channel, "purpose": purpose,
            "needing_permit": [str(one) for one in NEEDS_PERMIT], "written": list(WRITTEN_SOURCES),
            "prefers_hour": not what.at_once and what.message_class != "OPERATIONAL" and not what.channel,
            "guardians": what.may_go_to_guardian, "capped": what.message_class == "MARKETING",
            "cap_from": what.due_at - timedelta(days=MARKETING_CAP_DAYS), "languages": list(what.languages),
            "required": list(what.required), "uses_health": what.uses_health_data and what.message_class == "MARKETING",
            "once_per_address": what.once_per_address,
            "may_hurry": not waits_in_quiet_hours(MessageClass(what.message_class), urgent=True), "at_once": not waits_in_quiet_hours(MessageClass(what.message_class), urgent=what.at_once), "expires_at": what.expires_at,
            "version_id": what.version_id, "message_class": what.message_class, "planned_by": what.planned_by, "now": now,
            "only_reachable": what.only_reachable, "template": what.template_key, "actor_kind": actor.kind, "actor_id": actor.id,
        },
    )  # fmt: skip
    result = _counted(found, dry_run=dry_run)
    if not dry_run and (added := result.planned + sum(result.blocked.values())) >= MANY:
        sql.execute("select messaging_count_again(%s)", [added])
    return result


def _binding(is_bound: bool) -> dict[str, str]:
    """Return what ties the rows to visits, and asks whether these are still as the message says."""
    if not is_bound:
        return {
            "appointment_id": "null::uuid", "appointment_sequence": "null::int", "appointment_state": "''", "stale": "null",
            "visit": "",
        }  # fmt: skip
    return {
        "appointment_id": "a.appointment_id", "appointment_sequence": "a.appointment_sequence",
        "appointment_state": "a.appointment_state",
        "stale": f"case when p.appointment_id is not null and {STALE.format(message='p')} then 'version' end",
        "visit": "left join scheduling_appointment v on v.id = p.appointment_id",
    }  # fmt: skip


_PURPOSES = " ".join(f"when '{name}' then '{purpose.value}'" for name, purpose in PURPOSE_OF.items())

_CHOOSE_AGAIN = f"""
with account as materialized ({_ACCOUNTS}),
chosen as (
    select m.id, c.*
      from messaging_message m
      join patients_patient p on p.id = m.patient_id
      cross join lateral (
        select case when m.fixed_channel then m.channel else '' end as only_channel, case m.message_class {
    _PURPOSES
} end as purpose
      ) as u
      cross join lateral ({_DECISION.format(purpose="u.purpose", patient="m.patient_id")}) as d
      cross join lateral ({
    _way(
        purpose="u.purpose",
        patient="m.patient_id",
        preferred="p.preferred_channel",
        only_channel="u.only_channel in ('', a.channel)",
    )
}) as c
     where m.id = any(%(ids)s)
),
found as (
    update messaging_message m
       set channel = c.channel, account_id = c.account_id, contact_point_id = c.contact_id, related_person_id = c.related_id,
           together = ''
      from chosen c
     where m.id = c.id and not c.dead and c.consent_reason is null
    returning m.id
)
select id from found
"""


def choose_ways(message_ids: Iterable[UUID], *, now: datetime) -> set[UUID]:
    """Choose anew by which channel these messages go, as things are now; return those that have a way."""
    found = sql.rows(
        _CHOOSE_AGAIN,
        {
            "ids": list(message_ids), "now": now, "channel_order": list(CHANNEL_ORDER), "channel": "", "guardians": True,
            "needing_permit": [str(one) for one in NEEDS_PERMIT], "written": list(WRITTEN_SOURCES),
        },
    )  # fmt: skip
    return {row["id"] for row in found}


def _counted(found: list[dict[str, Any]], *, dry_run: bool) -> Planned:
    planned = delayed = done = repeated = asked = 0
    blocked: dict[str, int] = {}
    channels: dict[str, int] = {}
    for line in found:
        count = int(line["n"])
        if line["what"] == "asked":
            asked = count
            continue
        done += count
        if line["state"] == "planned":
            planned += count
            delayed += int(line["delayed"])
            channels[line["channel"]] = channels.get(line["channel"], 0) + count
        elif line["state"] == "repeated":
            repeated += count
        else:
            blocked[line["reason"]] = blocked.get(line["reason"], 0) + count
    if not dry_run:
        repeated = asked - done
    return Planned(planned=planned, blocked=blocked, repeated=repeated, delayed=delayed, channels=channels)
