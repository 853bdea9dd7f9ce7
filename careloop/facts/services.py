"""Keeping the wide rows: some patients again, those whose day has come, or all of them anew."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from careloop.consent.models import Purpose
from careloop.consent.selectors import WRITTEN_SOURCES
from careloop.facts import rules
from careloop.facts.models import Stage
from careloop.kernel import sql
from careloop.tenancy.context import current_organization_id, in_organization

# Several statements of this size are as fast as one large one, and memory stays flat.
CHUNK = 5_000
REBUILD_CHUNK = 20_000

# An encounter that was only planned or did not take place is no visit (FHIR EncounterStatus).
NO_VISIT = ("planned", "cancelled", "entered-in-error", "noshow")
NO_INVOICE = ("draft", "cancelled", "entered-in-error")
# Appointments that stand, those somebody came to, and those that are none (yet): holds, offers, wishes, mistakes.
STANDS = ("booked", "arrived", "checked-in")
KEPT = ("arrived", "checked-in", "fulfilled")
NO_APPOINTMENT = ("proposed", "pending", "waitlist", "entered-in-error")

COLUMNS = (
    "first_visit_on", "last_visit_on", "visits", "visits_12m", "visit_interval_days", "self_pay_total", "self_pay_12m",
    "nhi_visits", "last_invoice_on", "supply_ends_on", "refills_left", "open_follow_ups", "tags", "consent_given",
    "consent_refused", "reach", "birth_date", "birth_mmdd", "sex", "home_location_id", "registered_on", "stage",
    "next_appointment_on", "last_no_show_on", "last_kept_on", "last_booked_on", "no_shows_12m", "kept_appointments",
    "next_change_on",
)  # fmt: skip


def refresh(patient_ids: Iterable[UUID], *, now: datetime) -> list[UUID]:
    """Work out the rows of these patients again; return those whose row really changed, appeared or went.

    Rows that come out the same are not written. Two processes that refresh at once take turns, because the one that
    read first must not write last.
    """
    wanted = sorted(set(patient_ids))
    if not wanted:
        return []
    _take_turn()
    parameters = _parameters(now)
    changed: list[UUID] = []
    for start in range(0, len(wanted), CHUNK):
        chunk = {**parameters, "ids": wanted[start : start + CHUNK]}
        changed += [found["patient_id"] for found in sql.rows(REFRESH, chunk)]
    return changed


def note_messages(sent: dict[UUID, datetime], answered: dict[UUID, datetime]) -> None:
    """Move the times of the last message sent and answered forward; an older one changes nothing."""
    ids = sorted({*sent, *answered})
    if ids:
        _take_turn()
        sql.execute(
            """update facts_patient as f
                  set last_sent_at = greatest(f.last_sent_at, g.sent),
                      last_answered_at = greatest(f.last_answered_at, g.answered)
                 from unnest(%s::uuid[], %s::timestamptz[], %s::timestamptz[]) as g(patient_id, sent, answered)
                where f.patient_id = g.patient_id
                  and (g.sent > coalesce(f.last_sent_at, '-infinity')
                       or g.answered > coalesce(f.last_answered_at, '-infinity'))""",
            [ids, [sent.get(patient) for patient in ids], [answered.get(patient) for patient in ids]],
        )


def recount_messages(patient_ids: Sequence[UUID]) -> None:
    """Read the times of the last messages from the event log again, for these patients."""
    for start in range(0, len(patient_ids), CHUNK):
        sql.execute(RECOUNT_MESSAGES, {"ids": list(patient_ids[start : start + CHUNK])})


def advance(*, now: datetime) -> list[UUID]:
    """Bring the rows to today whose facts change by the calendar alone; return the patients whose row changed.

    A visit leaves the last twelve months, a patient becomes overdue, a supply has run out: each row knows the first such
    day, so only those rows are touched. Running it again on the same day changes nothing.
    """
    due = sql.rows("select patient_id from facts_patient where next_change_on <= %s", [clinic_day(now)])
    return refresh([row["patient_id"] for row in due], now=now)


def rebuild(organization_id: UUID | None = None, *, now: datetime) -> int:
    """Make every row anew from the records; return how many patients there are.

    Called outside an organization it works in steps of its own transactions, and the clinic works on: readers only wait
    for the step at hand. Called inside one it is part of that transaction.
    """
    organization_id = organization_id or current_organization_id()
    last = UUID(int=0)
    while True:
        with in_organization(organization_id):
            # all patients, and rows that have none any more
            ids = [
                row["id"]
                for row in sql.rows(
                    "select id from (select id from patients_patient where id > %(last)s "
                    "union select patient_id from facts_patient where patient_id > %(last)s) as anyone "
                    "order by id limit %(limit)s",
                    {"last": last, "limit": REBUILD_CHUNK},
                )
            ]
            refresh(ids, now=now)
            recount_messages(ids)
        if not ids:
            break
        last = ids[-1]
    with in_organization(organization_id):
        return int(sql.value("select count(*) from facts_patient"))


def clinic_day(now: datetime) -> date:
    """Return the day it is in the organization's zone."""
    zone = sql.value("select time_zone from tenancy_organization")
    return now.astimezone(ZoneInfo(zone)).date()


def _take_turn() -> None:
    sql.value("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"facts {current_organization_id()}"])


def _parameters(now: datetime) -> dict[str, object]:
    organization = sql.row("select time_zone, currency from tenancy_organization")
    assert organization is not None
    today = now.astimezone(ZoneInfo(organization["time_zone"])).date()
    return {
        "zone": organization["time_zone"], "currency": organization["currency"], "today": today,
        "year_ago": rules.a_year_before(today), "no_visit": list(NO_VISIT), "no_invoice": list(NO_INVOICE),
        "stands": list(STANDS), "kept": list(KEPT), "no_appointment": list(NO_APPOINTMENT),
    }  # fmt: skip


def _consent_bits(decision: str) -> str:
    """SQL: the bits of the decisions in force, one `case` branch a purpose and channel (`rules.effective_consent`)."""
    branches = []
    for purpose in rules.PURPOSES:
        bits = {channel: rules.consent_bit(purpose, channel) for channel in rules.CHANNELS}
        bits["any"] = rules.consent_mask(purpose)
        for channel, bit in bits.items():
            if decision == "deny" and purpose == "MARKETING":
                bit |= bit << len(rules.CHANNELS)
            written = ""
            if decision == "permit" and purpose == Purpose.HEALTH_MARKETING:
                written = f" and source in {WRITTEN_SOURCES!r}"
            branches.append(f"when purpose = '{purpose}' and channel = '{channel}'{written} then {bit}")
    return f"coalesce(bit_or(case {' '.join(branches)} else 0 end) filter (where decision = '{decision}'), 0)"


def _reach_bits() -> str:
    """SQL: what contact points there are and which arrive (`rules.Reach`)."""
    kinds = {
        "LINE": "system = 'line'", "SMS": "system = 'phone' and is_mobile", "EMAIL": "system = 'email'",
        "WECHAT": "system = 'wechat'", "PHONE": "system = 'phone'",
    }  # fmt: skip
    arrives = "reach not in ('blocked', 'bounced')"
    parts = []
    for name, condition in kinds.items():
        parts.append(f"case when bool_or({condition}) then {int(rules.Reach[name])} else 0 end")
        parts.append(
            f"case when bool_or({condition} and {arrives}) then {int(rules.Reach[name + '_ARRIVES'])} else 0 end"
        )
    return " + ".join(parts)


# The same arithmetic as `rules`, over sets; tests compare the two on random histories.
NEW_ROWS = f"""
visit_days as (
    select patient_id, (started_at at time zone %(zone)s)::date as day, count(*) as visits
      from records_encounter
     where patient_id = any(%(ids)s::uuid[]) and not entered_in_error and status <> all(%(no_visit)s::text[])
     group by 1, 2
), gaps as (
    select patient_id, day, visits,
           day - lag(day) over (partition by patient_id order by day) as gap
      from visit_days where day <= %(today)s
), visits as (
    select patient_id, min(day) as first_visit_on, max(day) as last_visit_on, sum(visits)::int as visits,
           count(*) as days, coalesce(sum(visits) filter (where day > %(year_ago)s), 0)::int as visits_12m,
           case when count(gap) >= 2 then percentile_disc(0.5) within group (order by gap) end as rhythm,
           (min(day) filter (where day > %(year_ago)s) + interval '1 year')::date as leaves_on
      from gaps group by patient_id
), visits_to_come as (
    select patient_id, min(day) as day from visit_days where day > %(today)s group by 1
), money as (
    select patient_id, sum(amount) filter (where day <= %(today)s)::bigint as total,
           sum(amount) filter (where day > %(year_ago)s and day <= %(today)s)::bigint as in_12m,
           (count(*) filter (where day <= %(today)s and payer_kind in ('nhi', 'mixed')))::int as nhi_visits,
           max(day) filter (where day <= %(today)s) as last_invoice_on,
           (min(day) filter (where day > %(year_ago)s and day <= %(today)s) + interval '1 year')::date as leaves_on,
           min(day) filter (where day > %(today)s) as to_come
      from (select patient_id, (issued_at at time zone %(zone)s)::date as day, payer_kind,
                   case when currency = %(currency)s then self_pay_amount else 0 end as amount
              from records_invoice
             where patient_id = any(%(ids)s::uuid[]) and not entered_in_error
               and status <> all(%(no_invoice)s::text[])) as invoice
     group by patient_id
), appointments as (
    select patient_id, min(day) filter (where state = any(%(stands)s::text[]) and day >= %(today)s) as next_appointment_on,
           max(day) filter (where state = 'noshow' and day <= %(today)s) as last_no_show_on,
           (count(*) filter (where state = 'noshow' and day > %(year_ago)s and day <= %(today)s))::smallint as no_shows_12m,
           max(day) filter (where state = any(%(kept)s::text[]) and day <= %(today)s) as last_kept_on,
           (count(*) filter (where state = any(%(kept)s::text[]) and day <= %(today)s))::smallint as kept_appointments,
           max(made_on) as last_booked_on,
           (min(day) filter (where state = 'noshow' and day > %(year_ago)s and day <= %(today)s) + interval '1 year')::date as leaves_on,
           min(day) filter (where state in ('noshow', 'arrived', 'checked-in', 'fulfilled') and day > %(today)s) as to_come
      from (select patient_id, state, (starts_at at time zone %(zone)s)::date as day, (created_at at time zone %(zone)s)::date as made_on
              from scheduling_appointment
             where patient_id = any(%(ids)s::uuid[]) and state <> all(%(no_appointment)s::text[])
               and cancel_reason not in ('hold-expired', 'declined')) as appointment
     group by patient_id
), supply as (
    select distinct on (patient_id) patient_id, supply_ends_on,
           (fills_allowed - coalesce(fills_taken, 0))::smallint as refills_left
      from records_medication
     where patient_id = any(%(ids)s::uuid[]) and is_refillable and status = 'active' and not entered_in_error
       and supply_ends_on is not null
     order by patient_id, supply_ends_on < %(today)s, abs(supply_ends_on - %(today)s), refills_left desc nulls last
), follow_ups as (
    select patient_id, count(*)::smallint as open
      from followups_follow_up where patient_id = any(%(ids)s::uuid[]) and state = 'OPEN' group by 1
), tags as (
    select link.patient_id, array_agg(tag.number::int order by tag.number) as tags
      from patients_patient_tag as link join patients_tag as tag on tag.id = link.tag_id
     where link.patient_id = any(%(ids)s::uuid[]) group by 1
), consents as (
    select patient_id, {_consent_bits("permit")} as permitted, {_consent_bits("deny")} as denied
      from consent_consent where patient_id = any(%(ids)s::uuid[]) and ended_at is null group by 1
), contacts as (
    select patient_id, ({_reach_bits()})::smallint as reach
      from patients_contact_point where patient_id = any(%(ids)s::uuid[]) group by 1
), people as (
    select p.id as patient_id, p.birth_date, p.sex, p.home_location_id, p.registered_on, p.active, p.deceased,
           case when p.birth_precision = 'day' then
               (extract(month from p.birth_date) * 100 + extract(day from p.birth_date))::smallint end as birth_mmdd,
           v.first_visit_on, v.last_visit_on, coalesce(v.visits, 0) as visits, coalesce(v.visits_12m, 0) as visits_12m,
           v.rhythm as visit_interval_days, v.days, v.leaves_on as visit_leaves_on, next_visit.day as next_visit_on,
           coalesce(m.total, 0) as self_pay_total, coalesce(m.in_12m, 0) as self_pay_12m,
           coalesce(m.nhi_visits, 0) as nhi_visits, m.last_invoice_on, m.leaves_on as money_leaves_on, m.to_come,
           s.supply_ends_on, s.refills_left, coalesce(f.open, 0) as open_follow_ups,
           a.next_appointment_on, a.last_no_show_on, a.last_kept_on, a.last_booked_on, coalesce(a.no_shows_12m, 0) as no_shows_12m,
           coalesce(a.kept_appointments, 0) as kept_appointments, a.leaves_on as no_show_leaves_on, a.to_come as appointment_to_come,
           coalesce(t.tags, '{{}}') as tags,
           coalesce(c.permitted & ~c.denied, 0) as consent_given, coalesce(c.denied, 0) as consent_refused,
           coalesce(r.reach, 0) as reach,
           case when v.days = 1 then {rules.NEW_FOR_DAYS} else greatest(rhythm.days * 3 / 2, 60) end as at_risk_after,
           case when v.days = 1 then {rules.ONE_VISIT_LAPSED_AFTER_DAYS} else greatest(rhythm.days * 3, 180) end
               as lapsed_after
      from patients_patient as p
      left join visits as v on v.patient_id = p.id
      left join visits_to_come as next_visit on next_visit.patient_id = p.id
      left join money as m on m.patient_id = p.id
      left join appointments as a on a.patient_id = p.id
      left join supply as s on s.patient_id = p.id
      left join follow_ups as f on f.patient_id = p.id
      left join tags as t on t.patient_id = p.id
      left join consents as c on c.patient_id = p.id
      left join contacts as r on r.patient_id = p.id
     cross join lateral (
           select least(greatest(coalesce(v.rhythm, {rules.USUAL_INTERVAL_DAYS}), {rules.SHORTEST_RHYTHM_DAYS}),
                        {rules.LONGEST_RHYTHM_DAYS}) as days) as rhythm
     where p.id = any(%(ids)s::uuid[]) and p.merged_into_id is null
), staged as (
    select *,
           case when deceased then {Stage.DECEASED} when not active then {Stage.CLOSED}
                when last_visit_on is null then {Stage.PROSPECT}
                when %(today)s - last_visit_on <= at_risk_after
                     then case when days = 1 then {Stage.NEW} else {Stage.ACTIVE} end
                when %(today)s - last_visit_on <= lapsed_after then {Stage.AT_RISK}
                else {Stage.LAPSED} end as stage
      from people
), fresh as (
    select *, least(visit_leaves_on, next_visit_on, money_leaves_on, to_come, next_appointment_on + 1, no_show_leaves_on, appointment_to_come,
                    case when supply_ends_on >= %(today)s then supply_ends_on + 1 end,
                    case when stage in ({Stage.NEW}, {Stage.ACTIVE}) then last_visit_on + at_risk_after + 1
                         when stage = {Stage.AT_RISK} then last_visit_on + lapsed_after + 1 end) as next_change_on
      from staged
)"""

REFRESH = f"""
with {NEW_ROWS.strip()}
, changed as (
    update facts_patient as f set {", ".join(f"{column} = fresh.{column}" for column in COLUMNS)}
      from fresh
     where f.patient_id = fresh.patient_id
       and ({", ".join(f"f.{column}" for column in COLUMNS)})
           is distinct from ({", ".join(f"fresh.{column}" for column in COLUMNS)})
    returning f.patient_id
), added as (
    insert into facts_patient (patient_id, {", ".join(COLUMNS)})
    select patient_id, {", ".join(COLUMNS)} from fresh
     where not exists (select 1 from facts_patient as f where f.patient_id = fresh.patient_id)
    returning patient_id
), gone as (
    delete from facts_patient as f
     where f.patient_id = any(%(ids)s::uuid[]) and f.patient_id not in (select patient_id from fresh)
    returning f.patient_id
)
select patient_id from changed union all select patient_id from added union all select patient_id from gone
"""

RECOUNT_MESSAGES = """
update facts_patient as f
   set last_sent_at = log.sent, last_answered_at = log.answered
  from (select f.patient_id, max(e.occurred_at) filter (where e.kind = 'message.sent') as sent,
               max(e.occurred_at) filter (where e.kind = 'message.received') as answered
          from facts_patient as f
          left join events_event as e
            on e.patient_id = f.patient_id and e.kind in ('message.sent', 'message.received')
           and (e.batch_id is null or e.batch_id not in (select batch_id from events_retraction))
         where f.patient_id = any(%(ids)s::uuid[])
         group by f.patient_id) as log
 where f.patient_id = log.patient_id
   and (f.last_sent_at, f.last_answered_at) is distinct from (log.sent, log.answered)
"""
