"""What the queue does about appointments that change, and about sessions that ended long ago."""

from datetime import datetime, timedelta
from uuid import UUID

from careloop.events.registry import Published, reader, reading_now
from careloop.kernel import sql
from careloop.tenancy.context import in_organization
from careloop.tenancy.loops import loop
from careloop.waitingroom import services
from careloop.waitingroom.models import HERE, IN_FRONT

# So long after a session's end whoever still stands in its queue is gone.
CLEAR_AFTER = timedelta(hours=3)


@reader(
    "waitingroom", kinds=("appointment.cancelled", "appointment.entered_in_error", "appointment.noshow", "place.freed")
)
def follow_appointments(batch: list[Published]) -> None:
    """An appointment that is called off leaves the queue; a freed place says so of a session, whoever had it."""
    now = reading_now()
    news = [event.payload for event in batch if not event.historical]
    for row in sql.rows(
        """select t.id from waitingroom_ticket t join scheduling_appointment a on a.id = t.appointment_id
            where (t.appointment_id = any(%(appointments)s::uuid[]) or a.session_id = any(%(sessions)s::uuid[]))
              and t.state = any(%(standing)s) and a.state in ('cancelled', 'entered-in-error', 'noshow') order by t.id""",
        {
            "appointments": [one["appointment_id"] for one in news if "appointment_id" in one],
            "sessions": list({one["session_id"] for one in news if "appointment_id" not in one}),
            "standing": ["EXPECTED", *HERE],
        },
    ):
        services.leave(ticket_id=row["id"], now=now, by=None, reason="called-off")


@loop("waitingroom-clock", every=timedelta(minutes=5))
def clear_ended(organization_id: UUID, *, now: datetime) -> int:
    """Close what was left standing in sessions that ended hours ago: in the room means seen, waiting means gone."""
    with in_organization(organization_id):
        left = sql.rows(
            """select t.id, t.state from waitingroom_ticket t join scheduling_session s on s.id = t.session_id
                where t.state = any(%s) and s.ends_at < %s order by t.session_id, t.id limit 200""",
            [["EXPECTED", *HERE], now - CLEAR_AFTER],
        )
        for one in left:
            if one["state"] == IN_FRONT[1]:
                services.finish(ticket_id=one["id"], now=now, by=None)
            else:
                services.leave(ticket_id=one["id"], now=now, by=None, reason="closed")
        return len(left)
