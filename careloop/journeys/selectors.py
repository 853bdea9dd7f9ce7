"""Reading journeys: the list with live numbers, results with their comparison, enrollments, one patient's journeys."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from careloop.journeys import rules
from careloop.kernel import sql

Row = dict[str, Any]
STANDS_STILL_AFTER = timedelta(minutes=15)

MEASURES = """
    count(*) filter (where not e.held_out) as entered,
    count(*) filter (where e.held_out) as held_out,
    count(*) filter (where not e.held_out and e.state = 'ACTIVE') as active,
    count(*) filter (where not e.held_out and e.messaged_at is not null) as messaged,
    count(*) filter (where not e.held_out and e.answered_at is not null) as answered,
    count(*) filter (where not e.held_out and e.visited_at is not null) as visited,
    count(*) filter (where not e.held_out and e.goal_at is not null) as goals,
    count(*) filter (where e.held_out and e.goal_at is not null) as held_out_goals,
    count(*) filter (where e.held_out and e.visited_at is not null) as held_out_visited,
    count(*) filter (where e.measured_until > %(now)s and e.goal_at is null) as being_measured
"""


def journeys(*, now: datetime) -> list[Row]:
    """Return all journeys with their numbers, running ones first: one statement."""
    return sql.rows(
        f"""select j.id, j.name, j.description, j.state, j.library_key, j.has_changes, j.started_at, j.updated_at, j.definition,
                   coalesce(n.entered, 0) as entered, coalesce(n.held_out, 0) as held_out, coalesce(n.active, 0) as active,
                   coalesce(n.messaged, 0) as messaged, coalesce(n.answered, 0) as answered, coalesce(n.visited, 0) as visited,
                   coalesce(n.goals, 0) as goals
              from journeys_journey j
              left join (select e.journey_id, {MEASURES} from journeys_enrollment e group by e.journey_id) n on n.journey_id = j.id
             order by array_position(array['ACTIVE', 'PAUSED', 'DRAFT', 'ENDED'], j.state::text), j.updated_at desc""",
        {"now": now},
    )


@dataclass(frozen=True)
class Results:
    """What came of a journey or of several: the funnel of the treated, and their comparison with the held-out."""

    entered: int
    messaged: int
    answered: int
    visited: int
    goals: int
    active: int
    held_out: int
    held_out_goals: int
    held_out_visited: int
    being_measured: int

    @property
    def effect(self) -> rules.Difference:
        """Goals with the journey against goals without it, all who entered (intention to treat)."""
        return rules.difference(rules.share(self.goals, self.entered), rules.share(self.held_out_goals, self.held_out))

    @property
    def visits(self) -> rules.Difference:
        """Visits with the journey against visits without it."""
        return rules.difference(
            rules.share(self.visited, self.entered), rules.share(self.held_out_visited, self.held_out)
        )


def results(*, now: datetime, journey_id: UUID | None = None, since: datetime | None = None, until: datetime | None = None,
            only_compared: bool = False) -> Results:  # fmt: skip
    """Count what came of one journey, or of all of them, for those who entered in a period.

    Args:
        only_compared: leave out journeys that hold nobody out, so that both groups come from the same journeys.
    """
    row = sql.row(
        f"""select {MEASURES} from journeys_enrollment e join journeys_version v on v.id = e.journey_version_id
             where (%(journey)s::uuid is null or e.journey_id = %(journey)s)
               and (%(since)s::timestamptz is null or e.entered_at >= %(since)s)
               and (%(until)s::timestamptz is null or e.entered_at < %(until)s)
               and (not %(compared)s or v.hold_out_percent > 0)""",
        {"now": now, "journey": journey_id, "since": since, "until": until, "compared": only_compared},
    )
    assert row is not None
    return Results(**row)


def by_journey(
    *, now: datetime, since: datetime | None = None, until: datetime | None = None
) -> list[tuple[Row, Results]]:
    """Return the results of every journey that somebody entered in a period, the largest first."""
    found = sql.rows(
        f"""select j.id, j.name, j.state, {MEASURES}
              from journeys_enrollment e join journeys_journey j on j.id = e.journey_id
             where (%(since)s::timestamptz is null or e.entered_at >= %(since)s)
               and (%(until)s::timestamptz is null or e.entered_at < %(until)s)
             group by j.id, j.name, j.state order by count(*) desc, j.name""",
        {"now": now, "since": since, "until": until},
    )
    return [({name: row.pop(name) for name in ("id", "name", "state")}, Results(**row)) for row in found]


def standing_by_step(journey_id: UUID) -> dict[str, int]:
    """Return how many stand at each step now."""
    found = sql.rows(
        """select step, count(*) as n from journeys_enrollment
            where journey_id = %s and state = 'ACTIVE' and not held_out group by step""",
        [journey_id],
    )
    return {row["step"]: row["n"] for row in found}


def stands_still(journey_id: UUID, *, now: datetime) -> int:
    """Return how many enrollments have been due for a while and were not moved: the worker is off, or a step fails."""
    return int(
        sql.value(
            """select count(*) from (select 1 from journeys_enrollment e join journeys_journey j on j.id = e.journey_id
                where e.journey_id = %s and j.state = 'ACTIVE' and e.state = 'ACTIVE' and e.due_at < %s limit 1000) as late""",
            [journey_id, now - STANDS_STILL_AFTER],
        )
    )


def exits(journey_id: UUID) -> list[Row]:
    """Return why the treated left, and how many each."""
    return sql.rows(
        """select exit_reason as reason, count(*) as n from journeys_enrollment
            where journey_id = %s and exit_reason <> '' and not held_out group by 1 order by 2 desc""",
        [journey_id],
    )


ENROLLMENT = """
    e.id, e.journey_id, e.patient_id, e.round, e.state, e.held_out, e.step, e.step_kind, e.due_at, e.answer, e.entered_at,
    e.entered_because, e.exited_at, e.exit_reason, e.measured_until, e.messaged_at, e.answered_at, e.visited_at, e.goal_at,
    p.name as patient_name, p.chart_number, j.name as journey_name, j.state as journey_state, v.number as version_number
"""
ENROLLMENT_FROM = """
    from journeys_enrollment e
    join patients_patient p on p.id = e.patient_id
    join journeys_journey j on j.id = e.journey_id
    join journeys_version v on v.id = e.journey_version_id
"""


def enrollment(enrollment_id: UUID) -> Row | None:
    """Return one enrollment with the definition it follows."""
    return sql.row(f"select {ENROLLMENT}, v.definition {ENROLLMENT_FROM} where e.id = %s", [enrollment_id])


def history(enrollment_id: UUID) -> list[Row]:
    """Return every step of an enrollment, oldest first, with what became of its message and follow-up."""
    return sql.rows(
        """select s.number, s.step, s.what, s.reason, s.next_step, s.at, s.message_id, s.follow_up_id,
                  m.state as message_state, m.reason as message_reason, m.channel as message_channel,
                  f.state as task_state, f.outcome as task_outcome
             from journeys_enrollment_step s
             left join messaging_message m on m.id = s.message_id
             left join followups_follow_up f on f.id = s.follow_up_id
            where s.enrollment_id = %s order by s.number""",
        [enrollment_id],
    )


def of_patient(patient_id: UUID, *, limit: int = 50) -> list[Row]:
    """Return a patient's journeys, the present ones first."""
    return sql.rows(
        f"select {ENROLLMENT} {ENROLLMENT_FROM} where e.patient_id = %s order by e.state <> 'ACTIVE', e.entered_at desc limit %s",
        [patient_id, limit],
        planned=True,
    )
