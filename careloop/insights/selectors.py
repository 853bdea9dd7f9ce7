"""What the clinic sees of itself: the day's numbers, and what reaching out brought."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from careloop.followups import selectors as followups
from careloop.followups.selectors import Counts
from careloop.journeys.rules import birthdays_on
from careloop.kernel import sql
from careloop.segments.recall import refill_on

Row = dict[str, Any]
NEW_DAYS = 7
FAILED_DAYS = 7
REFILL_WINDOW_DAYS = 10  # before the supply ends, if no dated rule is in force [MOJ L0060009] art. 24


@dataclass(frozen=True)
class Today:
    """What must be looked at now: counts only, one statement besides the follow-ups'."""

    follow_ups: Counts
    urgent: int
    unanswered: int
    failed: int
    unknown: int
    birthdays: int
    refills: int
    new_patients: int
    entered_journeys: int
    answered_journeys: int


def today(
    *, now: datetime, tonight: datetime, day: date, me: UUID | None = None, locations: Iterable[UUID] | None = None
) -> Today:
    """Return the day's numbers.

    Args:
        tonight: the end of the clinic's day; day: which day that is.
        me: whose own follow-ups are counted apart.
        locations: only patients whose home is one of these (a member limited to them); None: all.
    """
    of_patients = _at_home(locations)
    row = sql.row(
        f"""select
              (select count(*) from followups_follow_up f where f.state = 'OPEN' and f.priority = 1
                  and {followups.COMES_UP} <= %(tonight)s and {of_patients("f")}) as urgent,
              (select count(*) from messaging_conversation c where c.unread > 0 and {of_patients("c")}) as unanswered,
              (select count(*) from messaging_message m where m.state = 'failed' and m.due_at > %(failed_since)s
                  and {of_patients("m")}) as failed,
              (select count(*) from messaging_message m where m.state = 'unknown' and {of_patients("m")}) as unknown,
              (select count(*) from facts_patient f where {LISTS["birthdays"]} and {PLACE}) as birthdays,
              (select count(*) from facts_patient f where {LISTS["refills"]} and {PLACE}) as refills,
              (select count(*) from facts_patient f where {LISTS["new"]} and {PLACE}) as new_patients,
              (select count(*) from journeys_enrollment e where e.entered_at >= %(midnight)s and not e.held_out
                  and {of_patients("e")}) as entered_journeys,
              (select count(*) from journeys_enrollment e where e.answered_at >= %(midnight)s and {of_patients("e")}) as answered_journeys""",
        {
            **_list_params(day, locations), "tonight": tonight, "midnight": tonight - timedelta(days=1),
            "failed_since": now - timedelta(days=FAILED_DAYS),
        },
    )  # fmt: skip
    assert row is not None
    limit = sorted(locations) if locations is not None else None
    return Today(follow_ups=followups.counts(now=now, tonight=tonight, me=me, locations=limit), **row)


LISTS = {
    "birthdays": "f.birth_mmdd = any(%(mmdd)s::smallint[]) and f.stage between 1 and 4",
    "refills": "f.supply_ends_on >= %(day)s and f.supply_ends_on <= %(refill_until)s and coalesce(f.refills_left, 1) > 0 and f.stage <= 4",
    "new": "f.registered_on > %(new_since)s and f.registered_on <= %(day)s and f.stage <= 4",
}
"""Conditions on `facts_patient f` behind the day's numbers: whose birthday it is, whose next fill is open, who is new."""
PLACE = "(%(locations)s::uuid[] is null or f.home_location_id = any(%(locations)s))"


def _at_home(locations: Iterable[UUID] | None) -> Callable[[str], str]:
    """Return what makes SQL out of an alias: rows about patients of the locations asked for.

    All are asked for in words of their own: behind an “or”, PostgreSQL gathers every patient of a branch before it looks at the rows.
    """
    if locations is None:
        return lambda alias: "true"
    return lambda alias: (
        f"exists (select from patients_patient h where h.id = {alias}.patient_id and h.home_location_id = any(%(locations)s))"
    )


def unread(*, locations: Iterable[UUID] | None = None, limit: int = 8) -> list[Row]:
    """Return the conversations with something unread, the newest first."""
    return sql.rows(
        f"""select c.channel, c.last_inbound_at, c.unread, p.id as patient_id, p.name as patient_name
              from messaging_conversation c join patients_patient p on p.id = c.patient_id
             where c.unread > 0 and {_at_home(locations)("c")} order by c.last_inbound_at desc limit %(limit)s""",
        {"locations": sorted(locations) if locations is not None else None, "limit": limit},
    )


def _list_params(day: date, locations: Iterable[UUID] | None) -> Row:
    try:
        days_before = refill_on(day).days_before
    except LookupError:
        days_before = REFILL_WINDOW_DAYS
    return {
        "day": day, "mmdd": birthdays_on(day), "refill_until": day + timedelta(days=days_before),
        "new_since": day - timedelta(days=NEW_DAYS), "locations": sorted(locations) if locations is not None else None,
    }  # fmt: skip


def patients_of(what: str, *, day: date, locations: Iterable[UUID] | None = None, limit: int = 200) -> list[Row]:
    """Return the patients behind one of the day's numbers (`LISTS`)."""
    return sql.rows(
        f"""select p.id, p.name, p.chart_number, f.birth_date, f.last_visit_on, f.supply_ends_on, f.registered_on, f.reach
              from facts_patient f join patients_patient p on p.id = f.patient_id
             where {LISTS[what]} and {PLACE} order by p.name, p.id limit %(limit)s""",
        {**_list_params(day, locations), "limit": limit},
    )


# -- reports ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reach:
    """What became of messages that were due in a period: planned, sent, answered, and the patients who then came.

    `visited` counts patients who got a message and visited within thirty days after the first one.
    """

    planned: int
    sent: int
    answered: int
    patients: int
    visited: int


VISIT_WITHIN_DAYS = 30
NO_VISIT = ("planned", "cancelled", "entered-in-error", "noshow")


def reach(*, since: datetime, until: datetime, message_class: str = "") -> Reach:
    """Count messages and what followed, for messages due in a period."""
    row = sql.row(
        """with m as materialized (
               select m.patient_id, m.state, m.accepted_at, m.answered_at from messaging_message m
                where m.due_at >= %(since)s and m.due_at < %(until)s and m.origin <> 'reply' and m.state <> 'cancelled'
                  and (%(class)s = '' or m.message_class = %(class)s)
           ), reached as (
               select patient_id, min(accepted_at) as first_at from m where accepted_at is not null group by patient_id
           )
           select count(*) as planned, count(*) filter (where accepted_at is not null) as sent,
                  count(*) filter (where answered_at is not null) as answered,
                  (select count(*) from reached) as patients,
                  (select count(*) from reached r where exists (
                      select 1 from records_encounter e where e.patient_id = r.patient_id and e.started_at >= date_trunc('minute', r.first_at)
                         -- the same for all of them: only the visits of that time are read
                         and e.started_at >= (select date_trunc('minute', min(first_at)) from reached)
                         and e.started_at <= r.first_at + make_interval(days => %(days)s) and not e.entered_in_error
                         and e.status <> all(%(no_visit)s))) as visited
             from m""",
        {"since": since, "until": until, "class": message_class, "days": VISIT_WITHIN_DAYS, "no_visit": list(NO_VISIT)},
    )
    assert row is not None
    return Reach(**row)


def by_week(*, since: datetime, until: datetime, zone: ZoneInfo, message_class: str = "") -> list[Row]:
    """Return messages sent and answered, week by week, Mondays first; weeks without any are there too."""
    return sql.rows(
        """with weeks as (
               select generate_series(date_trunc('week', %(since)s at time zone %(zone)s),
                                      date_trunc('week', (%(until)s - interval '1 second') at time zone %(zone)s), interval '7 days')::date as week
           ), counted as (
               select date_trunc('week', m.accepted_at at time zone %(zone)s)::date as week, count(*) as sent,
                      count(m.answered_at) as answered
                 from messaging_message m
                where m.accepted_at >= %(since)s and m.accepted_at < %(until)s and m.origin <> 'reply'
                  and (%(class)s = '' or m.message_class = %(class)s) group by 1
           )
           select w.week, coalesce(c.sent, 0) as sent, coalesce(c.answered, 0) as answered
             from weeks w left join counted c using (week) order by w.week""",
        {"since": since, "until": until, "zone": zone.key, "class": message_class},
    )


def by_template(*, since: datetime, until: datetime, message_class: str = "") -> list[Row]:
    """Return what became of each message template in a period, the most used first."""
    return sql.rows(
        """select coalesce(t.name, '') as name, m.message_class, count(*) as planned,
                  count(*) filter (where m.accepted_at is not null) as sent, count(m.answered_at) as answered,
                  count(*) filter (where m.state in ('blocked', 'failed')) as not_sent
             from messaging_message m
             left join messaging_template_version v on v.id = m.template_version_id
             left join messaging_template t on t.id = v.template_id
            where m.due_at >= %(since)s and m.due_at < %(until)s and m.origin <> 'reply' and m.state <> 'cancelled'
              and (%(class)s = '' or m.message_class = %(class)s)
            group by 1, 2 order by planned desc, name limit 50""",
        {"since": since, "until": until, "class": message_class},
    )


def not_sent_reasons(*, since: datetime, until: datetime, message_class: str = "") -> list[Row]:
    """Return why messages of a period were not sent, the most frequent first."""
    return sql.rows(
        """select reason, count(*) as n from messaging_message
            where due_at >= %(since)s and due_at < %(until)s and origin <> 'reply' and state in ('blocked', 'failed')
              and (%(class)s = '' or message_class = %(class)s)
            group by 1 order by 2 desc, 1""",
        {"since": since, "until": until, "class": message_class},
    )
