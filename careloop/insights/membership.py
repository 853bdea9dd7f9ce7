"""What the membership brought: members and points by month, how tiers flow, and who comes back, compared fairly."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import sqrt
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from careloop.facts.services import NO_VISIT
from careloop.journeys.rules import Share, share
from careloop.kernel import sql

Row = dict[str, Any]
ACTIVE_DAYS = 90
HORIZON_DAYS = 180
LEAST_IN_GROUP = 30
Z = 1.959964


def members(*, now: datetime, zone: ZoneInfo) -> Row:
    """Return how many members there are, how many were active in the last 90 days, joined and left in the last 30.

    Active: came, kept an appointment, answered, or moved points.
    """
    day = now.astimezone(zone).date()
    row = sql.row(
        """select count(*) filter (where a.state = 'ACTIVE')::int as members,
                  count(*) filter (where a.state = 'ACTIVE' and (f.last_visit_on > %(since)s or f.last_kept_on > %(since)s
                      or f.last_answered_at > %(at)s or exists (select 1 from loyalty_entry e where e.to_member_id = a.id and e.recorded_at > %(at)s)
                      or exists (select 1 from loyalty_entry e where e.from_member_id = a.id and e.recorded_at > %(at)s)))::int as active,
                  count(*) filter (where a.joined_at > %(month)s)::int as joined, count(*) filter (where a.left_at > %(month)s)::int as gone
             from loyalty_account a left join facts_patient f on f.patient_id = a.patient_id where a.kind = 'PATIENT'""",
        {"since": day - timedelta(days=ACTIVE_DAYS), "at": now - timedelta(days=ACTIVE_DAYS), "month": now - timedelta(days=30)},
    )  # fmt: skip
    assert row is not None
    return row


def by_month(*, first: date, last: date, zone: ZoneInfo) -> list[Row]:
    """Return for each month who joined and left, and points earned, spent, expired and given or taken by hand, from the entries.

    Earned is less what was taken back; both stand in the month in which they were booked.
    """
    return sql.rows(
        """with month as (
               select m::date as month, (m::timestamp at time zone %(zone)s) as since, ((m + interval '1 month')::timestamp at time zone %(zone)s) as until
                 from generate_series(date_trunc('month', %(first)s::timestamp), %(last)s::timestamp, interval '1 month') as m
           ), entry as (
               select date_trunc('month', e.recorded_at at time zone %(zone)s)::date as month,
                      sum(case when e.kind = 'EARN' then e.points when e.kind = 'REVERSE' and o.kind = 'EARN' then -e.points end) as earned,
                      sum(case when e.kind = 'SPEND' then e.points when e.kind = 'REVERSE' and o.kind = 'SPEND' then -e.points end) as spent,
                      sum(e.points) filter (where e.kind = 'EXPIRE') as expired,
                      sum(case when e.kind = 'ADJUST' then case when e.to_member_id is not null then e.points else -e.points end end) as by_hand
                 from loyalty_entry e left join loyalty_entry o on o.id = e.reverses_id
                where e.recorded_at >= (select min(since) from month) group by 1
           )
           select m.month, (select count(*) from loyalty_account a where a.kind = 'PATIENT' and a.joined_at >= m.since and a.joined_at < m.until)::int as joined,
                  (select count(*) from loyalty_account a where a.kind = 'PATIENT' and a.left_at >= m.since and a.left_at < m.until)::int as gone,
                  coalesce(e.earned, 0)::bigint as earned, coalesce(e.spent, 0)::bigint as spent, coalesce(e.expired, 0)::bigint as expired,
                  coalesce(e.by_hand, 0)::bigint as by_hand
             from month m left join entry e on e.month = m.month order by m.month""",
        {"first": first, "last": last, "zone": zone.key},
    )  # fmt: skip


NEW, LEFT = "NEW", "LEFT"


@dataclass(frozen=True)
class Flow:
    """Members who stood in one tier before and in another after; NEW: no members before, LEFT: none after; None: no tier."""

    before: UUID | str | None
    after: UUID | str | None
    members: int


def flow(programme_id: UUID, *, since: datetime, until: datetime) -> list[Flow]:
    """Return from which tier to which members went between two moments."""
    rows = sql.rows(
        """with changes as (
               select c.account_id, (array_agg(c.to_tier_id order by c.at desc, c.id desc) filter (where c.at < %(since)s))[1] as before,
                      (array_agg(c.to_tier_id order by c.at desc, c.id desc))[1] as after
                 from loyalty_tier_change c where c.at < %(until)s group by 1
           )
           select case when a.joined_at >= %(since)s then 'NEW' else coalesce(c.before::text, '') end as before,
                  case when a.left_at < %(until)s then 'LEFT' else coalesce(c.after::text, '') end as after, count(*)::int as members
             from loyalty_account a left join changes c on c.account_id = a.id
            where a.programme_id = %(programme)s and a.kind = 'PATIENT' and a.joined_at < %(until)s
              and (a.left_at is null or a.left_at >= %(since)s)
            group by 1, 2 order by 3 desc""",
        {"programme": programme_id, "since": since, "until": until},
    )
    return [Flow(_tier(row["before"]), _tier(row["after"]), row["members"]) for row in rows]


def _tier(text: str) -> UUID | str | None:
    return text if text in (NEW, LEFT) else UUID(text) if text else None


# -- who comes back ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Returned:
    """Members of one tier on the day, and patients with the same history who were no members then.

    `rate` is of all of the tier. `alike` of those for whom there are patients with the same history, `others` what these would give
    in the tier's own mix of histories; `difference` alike less others, with its 95 % interval.
    """

    tier: UUID | None
    members: int
    rate: Share
    matched: int
    comparable: int
    alike: float
    others: float
    difference: float
    low: float
    high: float

    @property
    def too_few(self) -> bool:
        return min(self.matched, self.comparable) < LEAST_IN_GROUP


@dataclass(frozen=True)
class Cell:
    """Patients of one group (a tier, members without one, or no members) with one history, and how many came back."""

    group: str
    history: str
    patients: int
    returned: int


def returns(programme_id: UUID, *, on: date, zone: ZoneInfo, horizon: int = HORIZON_DAYS) -> list[Cell]:
    """Return who came back within `horizon` days after a day, by tier on that day and by history before it.

    Looked at are patients who came in the two years before. History: visits in the year before (none, 1, 2-3, 4 and more), and
    whether one of them was within 90 days. Whoever joined later is no member here.
    """
    rows = sql.rows(
        """with visit as (
               select e.patient_id, count(*) filter (where e.started_at > %(year)s and e.started_at <= %(at)s) as in_year,
                      bool_or(e.started_at > %(recent)s and e.started_at <= %(at)s) as is_recent,
                      bool_or(e.started_at > %(at)s) as came_back, bool_or(e.started_at <= %(at)s) as was_here
                 from records_encounter e
                where e.started_at > %(years)s and e.started_at <= %(until)s and not e.entered_in_error and e.status <> all(%(no_visit)s)
                group by 1
           ), tier as (
               select a.patient_id, coalesce((select c.to_tier_id::text from loyalty_tier_change c where c.account_id = a.id and c.at <= %(at)s
                                               order by c.at desc, c.id desc limit 1), 'NONE') as tier
                 from loyalty_account a where a.programme_id = %(programme)s and a.kind = 'PATIENT' and a.joined_at <= %(at)s
                  and (a.left_at is null or a.left_at > %(at)s)
           )
           select coalesce(t.tier, 'OTHERS') as "group",
                  case when v.in_year = 0 then '0' when v.in_year = 1 then '1' when v.in_year < 4 then '2-3' else '4+' end
                      || case when v.is_recent then ' recent' else '' end as history,
                  count(*)::int as patients, count(*) filter (where v.came_back)::int as returned
             from visit v join patients_patient p on p.id = v.patient_id and p.merged_into_id is null and not p.deceased
             left join tier t on t.patient_id = v.patient_id
            where v.was_here group by 1, 2""",
        {
            "programme": programme_id, "no_visit": list(NO_VISIT), "at": _end(on, zone), "year": _end(on - timedelta(days=365), zone),
            "years": _end(on - timedelta(days=730), zone), "recent": _end(on - timedelta(days=ACTIVE_DAYS), zone),
            "until": _end(on + timedelta(days=horizon), zone),
        },
    )  # fmt: skip
    return [Cell(**row) for row in rows]


def _end(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(days=1)


def compare(cells: Iterable[Cell]) -> list[Returned]:
    """Compare each tier with patients who were no members and had the same history: the others' rates in the tier's own mix.

    A difference of directly standardized rates; its variance is the sum over histories, w² (p(1-p)/n of both). It shows an
    association: who joins differs from who does not in more than the visits that are looked at.

    Source: Fleiss, Levin, Paik 2003, Statistical Methods for Rates and Proportions, ch. 19 (direct standardization).

    >>> found = compare([Cell("a", "1", 100, 60), Cell("OTHERS", "1", 200, 100), Cell("a", "4+", 50, 45)])
    >>> found[0].members, found[0].matched, round(found[0].difference, 2), round(found[0].low, 3), round(found[0].high, 3)
    (150, 100, 0.1, -0.018, 0.218)
    """
    groups: dict[str, dict[str, Cell]] = defaultdict(dict)
    for cell in cells:
        groups[cell.group][cell.history] = cell
    others = groups.pop("OTHERS", {})
    return [_compared(name, list(mine.values()), others) for name, mine in groups.items()]


def _variance(cell: Cell) -> float:
    """The variance of a share; one success and one failure more, because nobody of two is not nobody for certain."""
    p = (cell.returned + 1) / (cell.patients + 2)
    return p * (1 - p) / cell.patients


def _compared(name: str, mine: Sequence[Cell], others: dict[str, Cell]) -> Returned:
    members, returned = sum(one.patients for one in mine), sum(one.returned for one in mine)
    pairs = [(one, others[one.history]) for one in mine if one.history in others]
    matched = sum(one.patients for one, _other in pairs)
    alike = expected = variance = 0.0
    for one, other in pairs:
        weight = one.patients / matched
        alike += weight * one.returned / one.patients
        expected += weight * other.returned / other.patients
        variance += weight**2 * (_variance(one) + _variance(other))
    reach = Z * sqrt(variance)
    return Returned(
        tier=None if name == "NONE" else UUID(name) if len(name) == 36 else None, members=members, rate=share(returned, members), matched=matched,
        comparable=sum(other.patients for _one, other in pairs), alike=alike, others=expected, difference=alike - expected,
        low=max(-1.0, alike - expected - reach), high=min(1.0, alike - expected + reach),
    )  # fmt: skip
