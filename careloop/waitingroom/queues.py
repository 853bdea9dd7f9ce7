"""One session's queue inside a transaction: its head locked, its tickets read, its order worked out."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from careloop.audit import services as audit
from careloop.events import services as events
from careloop.kernel import sql
from careloop.waitingroom import errors, rules, selectors
from careloop.waitingroom import events as facts
from careloop.waitingroom.models import HERE
from careloop.waitingroom.rules import Rules, Standing

COLUMNS = """id, session_id, appointment_id, patient_id, practitioner_id, number, label, state, is_walk_in, is_first_visit,
    is_transferred, planned_at, priority, due_turn, rejoined_at, how, checked_in_at, room_id, called_at, missed_count, held_for, near_at,
    started_at, finished_at, opened_at, version"""
RULES_OF = f"""left join lateral (
    select {", ".join(f'x."{field.name}"' for field in fields(Rules))} from waitingroom_rules x
     where x.session_id = s.id or x.practitioner_id = s.practitioner_id or (x.session_id is null and x.practitioner_id is null)
     order by x.session_id is null, x.practitioner_id is null limit 1) u on true"""
RULE_COLUMNS = ", ".join(f'u."{field.name}" as rule_{field.name}' for field in fields(Rules))


def rules_in(row: dict[str, Any]) -> Rules:
    """Return the rules in a row read with RULE_COLUMNS; the default ones where the clinic made none."""
    if row["rule_order"] is None:
        return Rules()
    return Rules(**{field.name: row[f"rule_{field.name}"] for field in fields(Rules)})


@dataclass
class Head:
    """A session's queue, locked: nobody else changes it until this transaction ends."""

    session: dict[str, Any]
    rules: Rules
    turn: int
    place_in_round: int

    @property
    def id(self) -> UUID:
        found: UUID = self.session["id"]
        return found

    @property
    def is_by_time(self) -> bool:
        return bool(self.session["mode"] == "SLOTS")


def lock(session_id: UUID, *, now: datetime) -> Head:
    """Wait until nobody else changes this queue, and read its head.

    Raises:
        UnknownSession.
    """
    sql.execute(
        """insert into waitingroom_queue (session_id, changed_at) select id, %s from scheduling_session where id = %s
           on conflict do nothing""",
        [now, session_id],
    )
    return _head("for update of q", session_id)


def look(session_id: UUID) -> Head:
    """Read a queue's head without stopping anybody: for pages.

    Raises:
        UnknownSession.
    """
    return _head("", session_id)


def _head(locking: str, session_id: UUID) -> Head:
    # who locks has just made the row; who looks may find a session without a queue
    join = "join" if locking else "left join"
    found = sql.row(
        f"""select s.id, s.practitioner_id, s.location_id, s.room_id, s.mode, s.state, s.starts_at, s.ends_at, s.on_date, s.slot_minutes,
                   s.numbers, p.name as practitioner, coalesce(q.turn, 0) as turn, coalesce(q.place_in_round, 0) as place_in_round,
                   {RULE_COLUMNS}
              from scheduling_session s {join} waitingroom_queue q on q.session_id = s.id
              join records_practitioner p on p.id = s.practitioner_id {RULES_OF}
             where s.id = %s {locking}""",
        [session_id],
    )
    if found is None:
        raise errors.UnknownSession
    return Head(found, rules_in(found), found["turn"], found["place_in_round"])


def lock_ticket(
    ticket_id: UUID, *, now: datetime, also: UUID | None = None
) -> tuple[Head, dict[str, Any], Head | None]:
    """Lock the queue a ticket stands in (and another one, `also`, in the same order for everybody), then the ticket.

    Raises:
        UnknownTicket, UnknownSession.
    """
    for _attempt in range(5):
        session_id = sql.value("select session_id from waitingroom_ticket where id = %s", [ticket_id])
        if session_id is None:
            raise errors.UnknownTicket
        heads = {one: lock(one, now=now) for one in sorted({session_id, *([also] if also else [])})}
        found = sql.row(f"select {COLUMNS} from waitingroom_ticket where id = %s for update", [ticket_id])
        assert found is not None
        if found["session_id"] == session_id:  # else it was transferred while we waited
            return heads[session_id], found, heads[also] if also else None
    raise errors.UnknownTicket


def standings(session_id: UUID) -> list[Standing]:
    """Return everybody who is here for this session and not done."""
    return [
        standing(row)
        for row in sql.rows(
            f"select {COLUMNS} from waitingroom_ticket where session_id = %s and state = any(%s)",
            [session_id, list(HERE)],
        )
    ]


def standing(row: dict[str, Any]) -> Standing:
    """Return a ticket's row as the order sees it."""
    return Standing(
        id=row["id"], state=row["state"], number=row["number"], is_walk_in=row["is_walk_in"], planned_at=row["planned_at"],
        since=row["checked_in_at"], priority=row["priority"], due_turn=row["due_turn"], rejoined_at=row["rejoined_at"],
        missed_count=row["missed_count"], is_transferred=row["is_transferred"], is_first_visit=row["is_first_visit"],
    )  # fmt: skip


def order_of(head: Head, *, now: datetime) -> list[Standing]:
    """Return who is called when, first to last."""
    return order_for(head, standings(head.id), now=now)


def order_for(head: Head, tickets: Iterable[Standing], *, now: datetime) -> list[Standing]:
    """Return these tickets in the order in which they are called."""
    return rules.in_order(tickets, head.rules, turn=head.turn, place_in_round=head.place_in_round, now=now)


def change(ticket: dict[str, Any], **columns: Any) -> dict[str, Any]:
    """Change the locked ticket."""
    given = ", ".join(f"{name} = %({name})s" for name in columns)
    changed = sql.row(
        f"update waitingroom_ticket set {given}, version = version + 1 where id = %(id)s returning {COLUMNS}",
        {**columns, "id": ticket["id"]},
    )
    assert changed is not None
    return changed


def announce(
    kind: Any, ticket: dict[str, Any], head: Head, *, now: datetime, dedupe_key: str | None = None, **more: Any
) -> None:
    """Publish what happened to a ticket."""
    events.publish(
        kind(ticket["id"], ticket["appointment_id"], head.id, ticket["label"], head.session["practitioner"], **more),
        patient_id=ticket["patient_id"], now=now, source="queue", dedupe_key=dedupe_key,
    )  # fmt: skip


def note(action: str, ticket: dict[str, Any], *, now: datetime, **details: Any) -> None:
    """Record in the audit chain what was done with a ticket."""
    audit.record(action, patients=[ticket["patient_id"]], target=("ticket", ticket["id"]), details=details, now=now)


def settle(head: Head, *, now: datetime, arrived: UUID | None = None) -> None:
    """End a change: keep the head, and tell those who are soon due, once each.

    Nobody is told before the first call, when a queue does not move yet; and not the one who checks in at this moment
    (`arrived`) and sees it on the spot.
    """
    sql.execute(
        """update waitingroom_queue set turn = %s, place_in_round = %s, version = version + 1, changed_at = %s
            where session_id = %s""",
        [head.turn, head.place_in_round, now, head.id],
    )
    if head.turn == 0:
        return
    near = order_of(head, now=now)[: head.rules.near + 1]
    fresh = sql.rows(
        f"""update waitingroom_ticket set near_at = %(now)s
             where id = any(%(ids)s) and near_at is null and state = 'WAITING' returning {COLUMNS}""",
        {"now": now, "ids": [one.id for one in near]},
    )
    ahead = {one.id: place for place, one in enumerate(near)}
    told = [one for one in fresh if one["id"] != arrived]
    if not told:
        return
    planned, times = selectors.planned_minutes(head.session), selectors.times_of([head.session["practitioner_id"]])
    for one in sorted(told, key=lambda one: ahead[one["id"]]):
        before = [
            selectors.times_for(times, head.session["practitioner_id"], is_first=other.is_first_visit, planned=planned)
            for other in near[: ahead[one["id"]]]
        ]
        wait = rules.estimated_wait(before)
        announce(
            facts.TurnNear, one, head, now=now, dedupe_key=f"queue.turn_near:{one['id']}:{one['checked_in_at'].isoformat()}",
            ahead=ahead[one["id"]], minutes_low=wait.low, minutes_high=wait.high,
        )  # fmt: skip
