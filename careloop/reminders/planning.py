"""What is said about visits, planned for all of them at once: reminders by the clock, notices when something happened.

Keys are `appointment:<id>:<sequence>:<which>`: whatever is asked again, by whoever, changes nothing. Every message is bound to
the sequence it speaks of, and is asked again when it is claimed and when it leaves (`messaging.outgoing`).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from careloop.messaging import services as messaging
from careloop.messaging import texts
from careloop.messaging.errors import UnknownTemplate
from careloop.messaging.services import Audience, Planned
from careloop.reminders import rules
from careloop.reminders.models import ReminderSettings

ORIGIN = "appointment"
AHEAD = timedelta(hours=20)
"""Reminders are planned this long before they leave: staff see what will go, and it is the wording of the day."""
SETTLED = timedelta(hours=1)
"""A move whose notice was never planned (the event was too old) is taken as known after this time."""

COLUMNS = frozenset(
    {
        "key", "due_at", "params", "origin_id", "expires_at", "at_once", "appointment_id", "appointment_sequence",
        "appointment_state", "together",
    }
)  # fmt: skip

PARAMS = """jsonb_build_object(
    'visit_date', a.starts_at, 'visit_time', a.starts_at, 'visit_number', coalesce(a.number::text, ''),
    'practitioner', p.name, 'place', concat_ws(' ', place.name, r.name))"""
"""What the words may name: never the service, whose name can be a health detail (P17)."""
NAMES = """
    join records_practitioner p on p.id = a.practitioner_id
    join tenancy_location place on place.id = a.location_id
    left join scheduling_resource r on r.id = a.room_id"""


def of(which: str, template_key: str, query: str, params: dict[str, Any], *, now: datetime) -> Planned:
    """Plan one kind of message for the rows of `query`; give the clinic the library's texts if it lacks them."""
    audience = Audience(query, params, COLUMNS)
    given: dict[str, Any] = {
        "template_key": template_key, "patients": audience, "key_prefix": ORIGIN, "due_at": now, "now": now, "origin": ORIGIN,
    }  # fmt: skip
    try:
        return messaging.plan_many(**given)
    except UnknownTemplate:
        texts.install_library(now=now)
        return messaging.plan_many(**given)


# -- by the clock ------------------------------------------------------------------------------------------------

TEMPLATES = {"early": "visit-reminder-early", "day": "visit-reminder-day", "today": "visit-reminder-today"}

_TOLD = """
    select coalesce(
        (select max(m.planned_at) from messaging_message m
          where m.key = any(array[
                'appointment:' || a.id || ':' || a.sequence || ':booked', 'appointment:' || a.id || ':' || a.sequence || ':moved',
                'appointment:' || a.id || ':' || a.sequence || ':substitute'])),
        case when a.sequence = 0 or a.changed_at < %(settled)s then a.created_at end) as at"""

_MOMENT = "(((l.day - {days}) + make_interval(hours => {hour})) at time zone o.time_zone)"
_DUE = {
    "early": f"""
        select {_MOMENT.format(days="n", hour="%(hour)s")} as at, {_MOMENT.format(days="1", hour="%(hour)s")} as until
          from generate_series(%(early_from)s::int, %(early_to)s::int, -1) as n
         where a.confirmed_at is null and {_MOMENT.format(days="n", hour="%(hour)s")} >= told.at + %(early_after)s::interval
         order by n desc limit 1""",
    "day": f"""
        select d.at, {_MOMENT.format(days="0", hour="0")} as until
          from (select {_MOMENT.format(days="1", hour="%(hour)s")} as at) as d where d.at >= told.at + %(day_after)s::interval""",
    "today": f"""
        select d.at, a.starts_at - %(today_until)s::interval as until
          from (select {_MOMENT.format(days="0", hour="%(same_day_hour)s")} as at) as d
         where (told.at at time zone o.time_zone)::date < l.day and d.at <= a.starts_at - %(today_until)s::interval""",
}

_REMINDERS = f"""
select a.patient_id, w.key, greatest(due.at, %(now)s) as due_at, due.until as expires_at, false as at_once, {PARAMS} as params,
       a.id::text as origin_id, a.id as appointment_id, a.sequence as appointment_sequence, 'booked' as appointment_state,
       %(which)s || ':' || l.day as together
  from scheduling_appointment a
  join tenancy_organization o on o.id = a.organization_id {NAMES}
  cross join lateral (select (a.starts_at at time zone o.time_zone)::date as day) as l
  cross join lateral (select 'appointment:' || a.id || ':' || a.sequence || ':' || %(which)s as key) as w
  cross join lateral ({_TOLD}) as told
  cross join lateral ({{due}}) as due
 where a.state = 'booked' and a.starts_at > %(now)s and a.starts_at < %(horizon)s
   and due.at <= %(ahead)s and due.until > %(now)s
   and not exists (select from messaging_message m where m.key = w.key)
"""


def plan_reminders(*, wanted: ReminderSettings, now: datetime) -> int:
    """Plan the reminders that leave soon; return how many. Set-wise, safe to repeat at any moment."""
    planned = 0
    kinds = (("early", wanted.early), ("day", wanted.day_before), ("today", wanted.same_day))
    for which, is_on in kinds:
        if not is_on:
            continue
        days = {"early": wanted.early_from_days + 2, "day": 3, "today": 2}[which]
        query = _REMINDERS.format(due=_DUE[which])
        params = {
            "which": which, "ahead": now + AHEAD, "horizon": now + timedelta(days=days), "settled": now - SETTLED,
            "hour": wanted.hour, "same_day_hour": wanted.same_day_hour, "early_from": wanted.early_from_days,
            "early_to": wanted.early_to_days, "early_after": rules.EARLY_AFTER, "day_after": rules.DAY_BEFORE_AFTER,
            "today_until": rules.SAME_DAY_UNTIL,
        }  # fmt: skip
        done = of(which, TEMPLATES[which], query, params, now=now)
        planned += done.planned + done.blocked_total
    return planned


# -- when something happened -------------------------------------------------------------------------------------

_NOTICES = f"""
select a.patient_id, 'appointment:' || a.id || ':' || w.sequence || ':' || said.which as key, %(now)s::timestamptz as due_at,
       a.starts_at as expires_at, (w.by_patient or e.actor_kind = 'patient') as at_once,
       {PARAMS} || jsonb_build_object('before_date', said.before, 'before_time', said.before) as params,
       a.id::text as origin_id, a.id as appointment_id, w.sequence as appointment_sequence,
       case when said.which in ('cancelled', 'closed') then 'cancelled' else 'booked' end as appointment_state, '' as together
  from unnest(%(ids)s::uuid[], %(sequences)s::int[], %(whats)s::text[], %(befores)s::text[], %(by_patient)s::boolean[],
              %(events)s::bigint[], %(times)s::timestamptz[])
       as w(id, sequence, what, before, by_patient, event_id, recorded_at)
  join scheduling_appointment a on a.id = w.id
  join tenancy_organization o on o.id = a.organization_id {NAMES}
  left join events_event e on e.id = w.event_id and e.recorded_at = w.recorded_at
  left join lateral (
    select (m.params ->> 'visit_date')::timestamptz as at, m.params ->> 'practitioner' as practitioner
      from messaging_message m
     where m.origin = 'appointment' and m.origin_id = w.id::text and m.origin_id <> '' and m.appointment_state = 'booked'
       and m.state in ('accepted', 'unknown', 'claimed') order by m.planned_at desc limit 1) as told on true
  left join lateral (
    select (m.params ->> 'before_date')::timestamptz as at from messaging_message m
     where m.key = any(array['appointment:' || w.id || ':' || (w.sequence - 1) || ':moved',
                             'appointment:' || w.id || ':' || (w.sequence - 1) || ':substitute'])
       and m.state not in ('accepted', 'unknown', 'claimed') limit 1) as unsaid on told.at is null
  cross join lateral (
    select coalesce(told.at, unsaid.at, case when w.before <> '' then w.before::timestamp at time zone o.time_zone end,
                    a.starts_at) as before
  ) as b
  cross join lateral (
    select b.before, case when w.what not in ('moved', 'substitute') then w.what
                          when b.before <> a.starts_at then 'moved'
                          when w.what = 'substitute' then 'substitute' else 'moved' end as which
  ) as said
 where %(template)s = case
       when w.what = 'booked' then 'visit-booked'
       when said.which = 'moved' and b.before = a.starts_at then 'visit-booked'
       when said.which = 'moved' then 'visit-moved'
       when said.which = 'substitute' then 'visit-substitute'
       when w.what = 'closed' then 'visit-closed'
       when w.what = 'cancelled' and a.cancel_reason in ('patient', 'replaced') then 'visit-cancelled-patient'
       else 'visit-cancelled-clinic' end
   and (w.what not in ('cancelled', 'closed') or a.source in ('import', 'api') or exists (
        select from events_event b2 where b2.patient_id = a.patient_id and b2.kind = 'appointment.booked'
           and b2.payload ->> 'appointment_id' = a.id::text))
"""


class Notice:
    """One thing that happened to one visit and that its patient is told.

    `what`: booked, moved, substitute, cancelled, closed. `before`: the clinic's local time before, as events say it.
    """

    __slots__ = ("appointment_id", "before", "by_patient", "event_id", "recorded_at", "sequence", "what")

    def __init__(
        self, appointment_id: UUID, sequence: int, what: str, *, event_id: int, recorded_at: datetime, before: str = "",
        by_patient: bool = False,
    ) -> None:  # fmt: skip
        self.appointment_id = appointment_id
        self.sequence = sequence
        self.what = what
        self.before = before
        self.by_patient = by_patient
        self.event_id = event_id
        self.recorded_at = recorded_at


TOLD_OF = {
    "booked": ("visit-booked",),
    "moved": ("visit-moved", "visit-booked"),
    "substitute": ("visit-substitute", "visit-moved"),
    "cancelled": ("visit-cancelled-patient", "visit-cancelled-clinic"),
    "closed": ("visit-closed",),
}
"""The texts that may tell of a thing; which of them does depends on what the patient was last told."""


def plan_notices(notices: Sequence[Notice], *, now: datetime) -> int:
    """Tell patients of what happened to their visits; return how many messages. Set-wise, safe to repeat."""
    planned = 0
    templates = dict.fromkeys(
        template for what in dict.fromkeys(one.what for one in notices) for template in TOLD_OF[what]
    )
    params = {
        "ids": [one.appointment_id for one in notices], "sequences": [one.sequence for one in notices],
        "whats": [one.what for one in notices], "befores": [one.before for one in notices],
        "by_patient": [one.by_patient for one in notices], "events": [one.event_id for one in notices],
        "times": [one.recorded_at for one in notices],
    }  # fmt: skip
    for template in templates:
        planned += of("notice", template, _NOTICES, {**params, "template": template}, now=now).planned
    return planned


def tell_one(
    which: str, template_key: str, *, appointment_id: UUID, state: str, now: datetime, suffix: str = ""
) -> None:
    """Tell one patient how things stand with a visit, in answer to something they just did: no quiet hours."""
    query = f"""
        select a.patient_id, 'appointment:' || a.id || ':' || a.sequence || ':' || %(which)s as key, %(now)s::timestamptz as due_at,
               a.starts_at as expires_at, true as at_once, {PARAMS} as params, a.id::text as origin_id, a.id as appointment_id,
               a.sequence as appointment_sequence, %(state)s as appointment_state, '' as together
          from scheduling_appointment a {NAMES} where a.id = %(appointment)s and a.state = %(state)s"""
    params = {"which": f"{which}{suffix}", "appointment": appointment_id, "state": state}
    of(which, template_key, query, params, now=now)


def forget_stale(appointment_ids: Sequence[UUID], *, now: datetime) -> int:
    """Cancel planned messages about these visits that are no longer right; the claim would do so later."""
    return messaging.drop_stale(appointment_ids=list(appointment_ids), now=now) if appointment_ids else 0
