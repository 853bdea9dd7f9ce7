"""Leaving a journey: what it still had planned for the patient is cancelled."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from careloop.audit.services import current_actor
from careloop.followups import services as followups
from careloop.kernel import sql
from careloop.messaging import services as messaging

GOALS_END_TASKS = ("goal", "deceased", "merged", "inactive")
"""Reasons of leaving after which an open follow-up of the journey has lost its point."""

LEAVE = """
with gone as (
    update journeys_enrollment e
       set state = case when %(reason)s in ('goal', 'measured') then 'DONE' else 'LEFT' end, exited_at = %(now)s,
           exit_reason = %(reason)s, moves = e.moves + (not e.held_out)::int, new_answer = '', reply_wait_minutes = null
     where e.id = any(%(ids)s::uuid[]) and e.state = 'ACTIVE'
    returning e.id, e.patient_id, e.journey_id, e.step, e.held_out, e.moves
),
kept as (
    insert into journeys_enrollment_step (enrollment_id, number, step, what, reason, next_step, at)
    select id, greatest(moves, 1), step, 'left', %(reason)s, '', %(now)s from gone
),
told as (
    insert into events_event (kind, patient_id, occurred_at, recorded_at, actor_kind, actor_id, source, payload)
    select 'journey.exited', g.patient_id, %(now)s, %(now)s, %(actor_kind)s, %(actor)s, 'journey',
           jsonb_build_object('enrollment_id', g.id, 'journey_id', g.journey_id, 'journey', j.name, 'reason', %(reason)s::text)
      from gone g join journeys_journey j on j.id = g.journey_id
)
select id from gone
"""


def leave(enrollment_ids: Sequence[UUID], *, reason: str, now: datetime, by: UUID | None = None) -> int:
    """End these enrollments where they stand: planned messages are cancelled, and tasks that have lost their point too.

    Those that have ended already stay as they are. Return how many left.
    """
    if not enrollment_ids:
        return 0
    actor = current_actor()
    gone = [
        row["id"]
        for row in sql.rows(
            LEAVE,
            {
                "ids": list(enrollment_ids),
                "reason": reason,
                "now": now,
                "actor_kind": actor.kind,
                "actor": actor.id,
            },
        )
    ]
    if not gone:
        return 0
    messaging.cancel(now=now, reason="journey_left", origin="journey", origin_ids=[str(one) for one in gone], by=by)
    if reason in GOALS_END_TASKS:
        withdraw_tasks(gone, reason=reason, now=now)
    return len(gone)


def withdraw_tasks(enrollment_ids: Iterable[UUID], *, reason: str, now: datetime) -> int:
    """Cancel the open follow-ups that these enrollments asked for."""
    tasks = sql.rows(
        """select s.follow_up_id as id from journeys_enrollment_step s
             join followups_follow_up f on f.id = s.follow_up_id and f.state = 'OPEN'
            where s.enrollment_id = any(%s)""",
        [list(enrollment_ids)],
    )
    return followups.cancel(follow_up_ids=[row["id"] for row in tasks], reason=reason, now=now, by=None) if tasks else 0
