"""What is done in the waiting room: checked in, called, skipped, held, transferred, seen.

Every service locks the head of its queue first (`queues.lock`), so whatever two rooms and two consoles do at once happens one after
the other; unique indexes hold the same promise in the database: one number a turn, one patient a room.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from django.db import IntegrityError, transaction

from careloop.audit import services as audit
from careloop.kernel import sql
from careloop.kernel.ids import token_hash, uuid7
from careloop.kernel.text import clean
from careloop.scheduling import services as scheduling
from careloop.scheduling.models import Appointment
from careloop.scheduling.places import Place
from careloop.tenancy.context import current_organization_id
from careloop.waitingroom import errors, links, rules
from careloop.waitingroom import events as facts
from careloop.waitingroom.models import HERE, IN_FRONT, Call, QueueRules, Ticket
from careloop.waitingroom.queues import COLUMNS, Head, announce, change, lock, lock_ticket, note, order_of, settle

Row = dict[str, Any]
HOW = {"DESK": "desk", "QR": "qr", "LINE": "line", "PHONE": "phone"}


# -- coming ------------------------------------------------------------------------------------------------------


@transaction.atomic
def pass_for(*, appointment_id: UUID, now: datetime) -> tuple[UUID, str]:
    """Return the ticket of an appointment and the address where its patient sees the number, made on first use.

    For a link in a message, a code on paper, the patient's own pages. Nothing is published: the patient is not here yet.

    Raises:
        NotBooked, UnknownTicket.
    """
    appointment = _appointment(appointment_id)
    found = sql.value("select id from waitingroom_ticket where appointment_id = %s", [appointment_id])
    if found is None:
        _check_booked(appointment)
        head = lock(appointment["session_id"], now=now)
        found = sql.value("select id from waitingroom_ticket where appointment_id = %s", [appointment_id])
        if found is None:
            found = _new_ticket(appointment, head, now=now)["id"]
            settle(head, now=now)
            audit.record("queue.link_made", patients=[appointment["patient_id"]], target=("ticket", found), now=now)
    return found, links.url_of(current_organization_id(), found)


@transaction.atomic
def check_in(
    *, appointment_id: UUID, how: str, now: datetime, by: UUID | None, has_code: bool = False, at_desk: bool = False
) -> Row:
    """Put a patient who is here into the queue, or back into it after a missed call. Repeating it changes nothing.

    Args:
        how: DESK, QR, LINE, PHONE. The patient's own check-in follows the queue's rules, the desk's does not.
        has_code: the patient has just scanned the code shown at the clinic.
        at_desk: the desk scanned the patient's code.

    Raises:
        NotBooked, AlreadySeen, SessionIsClosed.
        OnlyAtTheDesk, CodeNeeded, NotYetOpen, CheckInClosed: the patient's own check-in only.
    """
    appointment = _appointment(appointment_id)
    ticket_id = sql.value("select id from waitingroom_ticket where appointment_id = %s", [appointment_id])
    if ticket_id is None:
        head = lock(appointment["session_id"], now=now)
        ticket_id = sql.value("select id from waitingroom_ticket where appointment_id = %s", [appointment_id])
    if ticket_id is not None:
        head, ticket, planned = lock_ticket(ticket_id, now=now, also=appointment["session_id"])
        if ticket["state"] == "EXPECTED" and planned is not None:
            head = planned  # the appointment may have been moved since the link was made
    else:
        ticket = None
    if ticket is not None and ticket["state"] in ("WAITING", *IN_FRONT):
        return ticket
    if ticket is not None and ticket["state"] == "DONE":
        raise errors.AlreadySeen
    if head.session["state"] == "CLOSED":
        raise errors.SessionIsClosed
    if how != "DESK" and not at_desk:
        _check_self_check_in(head, now=now, has_code=has_code)
    appointment = _appointment(appointment_id)
    _check_booked(appointment)
    if appointment["state"] == "booked":
        scheduling.arrive(appointment_id=appointment_id, now=now, by=by)
    if ticket is None:
        ticket = _new_ticket(appointment, head, now=now)
    before = ticket["state"]
    values: Row = {
        "state": "WAITING",
        "how": how,
        "near_at": None,
        "rejoined_at": None,
        "due_turn": None,
        "room_id": None,
    }
    if before == "EXPECTED":
        values |= {"checked_in_at": now, **_numbering(appointment, head)}
    elif before == "MISSED":
        values |= {"missed_count": 0, **_back_from_missed(head, now=now)}
    elif before == "HELD":
        values |= {"due_turn": head.turn, "held_for": ""}
    else:  # had left, and is here again
        values |= {"checked_in_at": now, "rejoined_at": now, "called_at": None, "missed_count": 0}
    ticket = change(ticket, **values)
    announce(facts.CheckedIn, ticket, head, now=now, how=how, again=before != "EXPECTED")
    note("queue.checked_in", ticket, now=now, how=HOW[how])
    settle(head, now=now, arrived=ticket["id"])
    return ticket


@transaction.atomic
def check_in_walk_in(
    *,
    session_id: UUID,
    patient_id: UUID,
    service_id: UUID,
    key: str,
    now: datetime,
    by: UUID | None,
    extra: bool = False,
) -> Row:
    """Give somebody who walked in a number of this session and put them into the queue.

    Args:
        key: the same key gives the same number and changes nothing.
        extra: a number beyond the session's last, when all are given out.

    Raises:
        As `scheduling.services.book`.
    """
    booked = scheduling.book(
        patient_id=patient_id, service_id=service_id, place=Place(session_id, pool="WALK_IN", extra=extra), source="walk-in",
        key=key, now=now, by=by,
    )  # fmt: skip
    return check_in(appointment_id=booked.pk, how="DESK", now=now, by=by)


def _check_self_check_in(head: Head, *, now: datetime, has_code: bool) -> None:
    if head.rules.self_check_in == "OFF":
        raise errors.OnlyAtTheDesk
    opens, closes = rules.check_in_window(
        starts_at=head.session["starts_at"], ends_at=head.session["ends_at"], rules=head.rules
    )
    if now < opens:
        zone = sql.value("select time_zone from tenancy_organization")
        local = sql.value("select to_char(%s::timestamptz at time zone %s, 'HH24:MI')", [opens, zone])
        raise errors.NotYetOpen(opens=local)
    if now > closes:
        raise errors.CheckInClosed
    if head.rules.self_check_in == "CODE" and not has_code:
        raise errors.CodeNeeded


def _appointment(appointment_id: UUID) -> Row:
    found = sql.row(
        """select a.id, a.patient_id, a.session_id, a.practitioner_id, a.number, a.starts_at, a.pool, a.source, a.state, a.is_first_visit,
                  (a.starts_at at time zone o.time_zone) as local
             from scheduling_appointment a join tenancy_organization o on o.id = a.organization_id where a.id = %s""",
        [appointment_id],
    )
    if found is None:
        raise errors.UnknownTicket
    return found


def _check_booked(appointment: Row) -> None:
    if appointment["state"] not in ("booked", "arrived", "checked-in"):
        raise errors.NotBooked(state=Appointment.State(appointment["state"]).label)


def _numbering(appointment: Row, head: Head) -> Row:
    """The number an appointment has in its session, and where that stands."""
    local = appointment["local"]
    number = appointment["number"] if appointment["number"] is not None else local.hour * 100 + local.minute
    return {
        "session_id": head.id, "practitioner_id": head.session["practitioner_id"], "number": number,
        "label": rules.shown_number(number=number, by_time=appointment["number"] is None), "planned_at": appointment["starts_at"],
        "is_walk_in": appointment["pool"] == "WALK_IN" or appointment["source"] == "walk-in",
        "is_first_visit": appointment["is_first_visit"],
    }  # fmt: skip


def _new_ticket(appointment: Row, head: Head, *, now: datetime) -> Row:
    ticket_id = uuid7()
    values = {
        "id": ticket_id, "appointment_id": appointment["id"], "patient_id": appointment["patient_id"], "state": "EXPECTED",
        "token_hash": token_hash(links.token_of(current_organization_id(), ticket_id)), "created_at": now,
        **_numbering(appointment, head),
    }  # fmt: skip
    made = sql.row(
        f"""insert into waitingroom_ticket ({", ".join(values)}) values ({", ".join(f"%({name})s" for name in values)})
            returning {COLUMNS}""",
        values,
    )
    assert made is not None
    return made


def _back_from_missed(head: Head, *, now: datetime) -> Row:
    if head.rules.missed == "END_OF_LIST":
        return {"rejoined_at": now}
    return {"due_turn": head.turn + head.rules.missed_after}


# -- calling -----------------------------------------------------------------------------------------------------


@transaction.atomic
def call_next(*, session_id: UUID, room_id: UUID | None, now: datetime, by: UUID | None) -> Row:
    """Call whoever is next into a room. Two consoles at once never call the same number.

    Raises:
        NobodyWaits, RoomBusy, SessionIsClosed, UnknownRoom.
    """
    head = lock(session_id, now=now)
    _check_room(head, room_id)
    waiting = order_of(head, now=now)
    if not waiting:
        raise errors.NobodyWaits
    ticket = sql.row(f"select {COLUMNS} from waitingroom_ticket where id = %s for update", [waiting[0].id])
    assert ticket is not None
    return _call(head, ticket, room_id, now=now, by=by)


@transaction.atomic
def call(*, ticket_id: UUID, room_id: UUID | None, now: datetime, by: UUID | None) -> Row:
    """Call this number out of turn: somebody who comes back late, or whom the physician wants to see now.

    Raises:
        NotNow, RoomBusy, SessionIsClosed, UnknownRoom.
    """
    head, ticket, _other = lock_ticket(ticket_id, now=now)
    _must_be(ticket, "WAITING", "MISSED", "HELD")
    _check_room(head, room_id)
    return _call(head, ticket, room_id, now=now, by=by)


def _check_room(head: Head, room_id: UUID | None) -> None:
    if head.session["state"] == "CLOSED":
        raise errors.SessionIsClosed
    if room_id is not None and not sql.value(
        "select 1 from scheduling_resource where id = %s and kind = 'ROOM' and location_id = %s",
        [room_id, head.session["location_id"]],
    ):
        raise errors.UnknownRoom
    label = _in_room(head.id, room_id)
    if label is not None:
        raise errors.RoomBusy(label=label)


def _in_room(session_id: UUID, room_id: UUID | None) -> str | None:
    """The number in a room; without a room, in the session itself."""
    return sql.value(
        """select label from waitingroom_ticket where state = any(%(front)s)
              and case when %(room)s::uuid is null then room_id is null and session_id = %(session)s else room_id = %(room)s end""",
        {"front": list(IN_FRONT), "room": room_id, "session": session_id},
    )


def _call(head: Head, ticket: Row, room_id: UUID | None, *, now: datetime, by: UUID | None) -> Row:
    if (
        head.rules.order == "RATIO"
        and ticket["state"] == "WAITING"
        and not ticket["priority"]
        and ticket["due_turn"] is None
    ):
        head.place_in_round = rules.next_in_round(
            head.place_in_round, is_walk_in=ticket["is_walk_in"], rules=head.rules
        )
    head.turn += 1
    try:
        with transaction.atomic():
            ticket = change(
                ticket,
                state="CALLED",
                room_id=room_id,
                called_at=now,
                due_turn=None,
                rejoined_at=None,
                held_for="",
                started_at=None,
            )
    except IntegrityError as error:  # another session's console was faster with the same room
        if isinstance(error.__cause__, psycopg.errors.UniqueViolation):
            raise errors.RoomBusy(label=_in_room(head.id, room_id) or "–") from None
        raise
    _heard(head, ticket, Call.Kind.FIRST, now=now, by=by)
    note("queue.called", ticket, now=now)
    settle(head, now=now)
    return ticket


def _heard(head: Head, ticket: Row, kind: str, *, now: datetime, by: UUID | None) -> None:
    """Keep the call and publish it."""
    Call.objects.create(
        ticket_id=ticket["id"], session_id=head.id, room_id=ticket["room_id"], kind=kind, label=ticket["label"], turn=head.turn,
        called_at=now, called_by_id=by,
    )  # fmt: skip
    room = sql.value("select name from scheduling_resource where id = %s", [ticket["room_id"]]) or ""
    announce(facts.Called, ticket, head, now=now, room=room, again=kind == Call.Kind.AGAIN)


@transaction.atomic
def recall(*, ticket_id: UUID, now: datetime, by: UUID | None) -> Row:
    """Call a called number once more.

    Raises:
        NotNow: it is not called at the moment.
    """
    head, ticket, _other = lock_ticket(ticket_id, now=now)
    _must_be(ticket, "CALLED")
    ticket = change(ticket, called_at=now)
    _heard(head, ticket, Call.Kind.AGAIN, now=now, by=by)
    note("queue.recalled", ticket, now=now)
    settle(head, now=now)
    return ticket


@transaction.atomic
def skip(*, ticket_id: UUID, now: datetime, by: UUID | None) -> Row:
    """Note that nobody came to the call (過號); where the number comes back is the queue's rule. Repeating it changes nothing.

    Raises:
        NotNow.
    """
    head, ticket, _other = lock_ticket(ticket_id, now=now)
    if ticket["state"] == "MISSED":
        return ticket
    _must_be(ticket, "CALLED")
    times = ticket["missed_count"] + 1
    must_check_in = rules.must_check_in(times, head.rules)
    place: Row = {} if must_check_in else _back_from_missed(head, now=now)
    ticket = change(ticket, state="MISSED", missed_count=times, room_id=None, **place)
    announce(facts.CallMissed, ticket, head, now=now, times=times, must_check_in=must_check_in)
    note("queue.missed", ticket, now=now, times=times)
    settle(head, now=now)
    return ticket


@transaction.atomic
def start(*, ticket_id: UUID, now: datetime, by: UUID | None) -> Row:
    """Note that the called patient is in the room. Repeating it changes nothing.

    Raises:
        NotNow.
    """
    head, ticket, _other = lock_ticket(ticket_id, now=now)
    if ticket["state"] == "IN_ROOM":
        return ticket
    _must_be(ticket, "CALLED")
    ticket = change(ticket, state="IN_ROOM", started_at=now)
    waited = int((now - ticket["checked_in_at"]).total_seconds() // 60)
    announce(facts.Started, ticket, head, now=now, waited_minutes=waited)
    note("queue.started", ticket, now=now)
    settle(head, now=now)
    return ticket


@transaction.atomic
def finish(*, ticket_id: UUID, now: datetime, by: UUID | None) -> Row:
    """Note that the patient was seen; the appointment is fulfilled. Repeating it changes nothing.

    Raises:
        NotNow.
    """
    head, ticket, _other = lock_ticket(ticket_id, now=now)
    return ticket if ticket["state"] == "DONE" else _finish(head, ticket, now=now, by=by)


@transaction.atomic
def finish_and_call_next(*, ticket_id: UUID, now: datetime, by: UUID | None) -> Row | None:
    """Finish a visit and call the next patient into the same room; None when nobody waits or it was finished already.

    A second click finishes nothing more, so it calls nobody either.

    Raises:
        NotNow, RoomBusy, SessionIsClosed.
    """
    head, ticket, _other = lock_ticket(ticket_id, now=now)
    if ticket["state"] == "DONE":
        return None
    room_id = ticket["room_id"]
    _finish(head, ticket, now=now, by=by)
    try:
        return call_next(session_id=head.id, room_id=room_id, now=now, by=by)
    except errors.NobodyWaits:
        return None


def _finish(head: Head, ticket: Row, *, now: datetime, by: UUID | None) -> Row:
    _must_be(ticket, *IN_FRONT)
    ticket = change(ticket, state="DONE", started_at=ticket["started_at"] or ticket["called_at"], finished_at=now)
    scheduling.fulfil(appointment_id=ticket["appointment_id"], now=now, by=by)
    minutes = round((now - ticket["started_at"]).total_seconds() / 60)
    announce(facts.Finished, ticket, head, now=now, minutes=minutes)
    note("queue.finished", ticket, now=now)
    settle(head, now=now)
    return ticket


# -- places ------------------------------------------------------------------------------------------------------


@transaction.atomic
def hold(*, ticket_id: UUID, held_for: str, now: datetime, by: UUID | None) -> Row:
    """Set a patient aside for tests; nobody calls the number meanwhile, and the room is free for others.

    Raises:
        NotNow.
    """
    head, ticket, _other = lock_ticket(ticket_id, now=now)
    if ticket["state"] == "HELD":
        return ticket
    _must_be(ticket, "WAITING", "MISSED", *IN_FRONT)
    ticket = change(
        ticket,
        state="HELD",
        held_for=clean(held_for)[:80],
        room_id=None,
        started_at=None,
        due_turn=None,
        rejoined_at=None,
    )
    announce(facts.Held, ticket, head, now=now, held_for=ticket["held_for"])
    note("queue.held", ticket, now=now)
    settle(head, now=now)
    return ticket


@transaction.atomic
def resume(*, ticket_id: UUID, now: datetime, by: UUID | None) -> Row:
    """Take a patient back from tests: next in the queue, because they have waited already.

    Raises:
        NotNow.
    """
    head, ticket, _other = lock_ticket(ticket_id, now=now)
    _must_be(ticket, "HELD")
    ticket = change(ticket, state="WAITING", due_turn=head.turn, held_for="", near_at=None)
    announce(facts.Resumed, ticket, head, now=now)
    note("queue.resumed", ticket, now=now)
    settle(head, now=now)
    return ticket


@transaction.atomic
def prioritise(*, ticket_id: UUID, priority: int, now: datetime, by: UUID | None) -> Row:
    """Put a patient ahead of others (1), ahead of everybody (2), or in turn again (0).

    Raises:
        NotNow.
    """
    head, ticket, _other = lock_ticket(ticket_id, now=now)
    _must_be(ticket, "WAITING", "MISSED", "HELD")
    ticket = change(ticket, priority=Ticket.Priority(priority).value)
    announce(facts.Prioritised, ticket, head, now=now, priority=priority)
    note("queue.prioritised", ticket, now=now, priority=priority)
    settle(head, now=now)
    return ticket


@transaction.atomic
def transfer(*, ticket_id: UUID, session_id: UUID, now: datetime, by: UUID | None, place: str = "turn") -> Row:
    """Let another practitioner's session of the day see the patient, under a number of its own (T1, T2 …).

    The appointment stays what was planned; the ticket says who sees the patient.

    Args:
        place: `next`, in `turn` (by the time the patient was booked for), or at the `end`.

    Raises:
        NotNow, SameSession, OtherClinic, SessionIsClosed.
    """
    head, ticket, other = lock_ticket(ticket_id, now=now, also=session_id)
    assert other is not None
    if other.id == head.id:
        raise errors.SameSession
    _must_be(ticket, *HERE)
    if other.session["state"] == "CLOSED":
        raise errors.SessionIsClosed
    if (other.session["location_id"], other.session["on_date"]) != (
        head.session["location_id"],
        head.session["on_date"],
    ):
        raise errors.OtherClinic
    number = 1 + sql.value(
        "select coalesce(max(number), 0) from waitingroom_ticket where session_id = %s and is_transferred", [other.id]
    )
    before = ticket["label"]
    ticket = change(
        ticket, session_id=other.id, practitioner_id=other.session["practitioner_id"], state="WAITING", number=number,
        label=rules.shown_number(number=number, is_transferred=True), is_transferred=True, room_id=None, started_at=None,
        called_at=None, missed_count=0, held_for="", near_at=None, due_turn=other.turn if place == "next" else None,
        rejoined_at=now if place == "end" else None,
    )  # fmt: skip
    announce(facts.Transferred, ticket, other, now=now, from_session_id=head.id, before=before)
    note("queue.transferred", ticket, now=now)
    settle(head, now=now)
    settle(other, now=now, arrived=ticket["id"])
    return ticket


@transaction.atomic
def leave(*, ticket_id: UUID, now: datetime, by: UUID | None, reason: str = "patient") -> Row:
    """Note that a patient is gone without having been seen. Repeating it changes nothing.

    Raises:
        NotNow.
    """
    head, ticket, _other = lock_ticket(ticket_id, now=now)
    if ticket["state"] == "LEFT":
        return ticket
    _must_be(ticket, "EXPECTED", *HERE)
    was_here = ticket["state"] != "EXPECTED"
    ticket = change(ticket, state="LEFT", room_id=None, due_turn=None, rejoined_at=None, held_for="", priority=0)
    if was_here:
        announce(facts.LeftQueue, ticket, head, now=now, reason=reason)
        note("queue.left", ticket, now=now, reason=reason)
        settle(head, now=now)
    return ticket


def _must_be(ticket: Row, *states: str) -> None:
    if ticket["state"] not in states:
        raise errors.NotNow(label=ticket["label"], state=Ticket.State(ticket["state"]).label)


# -- rules -------------------------------------------------------------------------------------------------------


@transaction.atomic
def set_rules(*, practitioner_id: UUID | None, session_id: UUID | None, values: Row | None, now: datetime) -> None:
    """Set the rules of a session, a practitioner, or (both None) of all others; None takes them away again."""
    scope: dict[str, Any] = {"practitioner_id": practitioner_id, "session_id": session_id}
    mine = QueueRules.objects.filter(**scope)
    if values is None:
        mine.delete()
    elif not mine.update(**values):
        QueueRules.objects.create(**scope, **values)
    audit.record(
        "queue.rules_changed",
        target=("session" if session_id else "practitioner", session_id or practitioner_id or ""),
        now=now,
    )
    sql.execute("update waitingroom_queue set version = version + 1, changed_at = %s", [now])
