"""One session: made by hand, closed (停診), given to a substitute (代診), ended; and the practitioner's leave."""

from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
from django.db import IntegrityError, transaction

from careloop.audit import services as audit
from careloop.events import services as events
from careloop.kernel import sql
from careloop.kernel.text import clean
from careloop.scheduling import errors, rules
from careloop.scheduling import events as facts
from careloop.scheduling.models import HOLDS, Absence, Session
from careloop.scheduling.turns import in_turn


@in_turn
def open_session(*, values: dict[str, Any], now: datetime, by: UUID | None) -> Session:
    """Add one session by hand, on a day that the week does not have it.

    Raises:
        BadTemplate, OverlappingTemplate: nothing is changed.
    """
    zone = ZoneInfo(sql.value("select time_zone from tenancy_organization"))
    made = Session(**values)
    made.on_date, made.part = (
        made.starts_at.astimezone(zone).date(),
        rules.part_of_day(made.starts_at.astimezone(zone).time()),
    )
    try:
        with transaction.atomic():
            made.save(force_insert=True)
    except IntegrityError as error:
        if isinstance(error.__cause__, psycopg.errors.ExclusionViolation):
            raise errors.OverlappingTemplate from None
        raise
    events.publish(facts.SessionOpened(made.pk), patient_id=None, now=now, source="clinic")
    audit.record("schedule.changed", target=("session", made.pk), now=now)
    return made


@in_turn
def close_session(*, session_id: UUID, reason: str, now: datetime, by: UUID | None) -> int:
    """Close a session: nobody new gets in, everybody booked is called off and can be told; return how many.

    The row's lock waits for bookings that are under way, so that nobody slips in unseen. Repeating it changes nothing.
    """
    session = sql.row("select id, state from scheduling_session where id = %s for update", [session_id])
    if session is None:
        raise errors.UnknownSession
    if session["state"] == "CLOSED":
        return 0
    sql.execute(
        "update scheduling_session set state = 'CLOSED', closed_reason = %s, version = version + 1 where id = %s",
        [clean(reason)[:200], session_id],
    )
    gone = sql.rows(
        f"""update scheduling_appointment a
               set state = 'cancelled', cancel_reason = 'session-closed', held_until = null, version = version + 1,
                   sequence = sequence + 1, changed_at = %(now)s
             where a.session_id = %(session)s and a.state in ('proposed', 'pending', 'booked')
         returning a.id, a.patient_id, a.sequence, a.starts_at, {_NAMES}""",
        {"session": session_id, "now": now},
    )
    gone = [one for one in gone if one["patient_id"]]  # a visitor without a name is told by the page
    events.publish_many(
        [
            (
                facts.AppointmentCancelled(
                    one["id"], one["sequence"], one["starts_at"].isoformat(), one["when_local"], one["service"],
                    one["practitioner"], "session-closed",
                ),
                one["patient_id"], now, None,
            )
            for one in gone
        ],
        now=now, source="clinic",
    )  # fmt: skip
    events.publish(facts.SessionClosed(session_id, len(gone)), patient_id=None, now=now, source="clinic")
    audit.record("session.closed", patients=[one["patient_id"] for one in gone], target=("session", session_id),
                 reason=clean(reason)[:200], now=now)  # fmt: skip
    return len(gone)


@in_turn
def reopen_session(*, session_id: UUID, now: datetime, by: UUID | None) -> None:
    """Open a closed session again; whoever was called off has to be booked anew.

    Raises:
        OverlappingTemplate: the practitioner or the room is taken by another session now.
    """
    try:
        with transaction.atomic():
            sql.execute(
                "update scheduling_session set state = 'OPEN', closed_reason = '', version = version + 1 where id = %s and state = 'CLOSED'",
                [session_id],
            )
    except IntegrityError as error:
        if isinstance(error.__cause__, psycopg.errors.ExclusionViolation):
            raise errors.OverlappingTemplate from None
        raise
    events.publish(facts.SessionOpened(session_id), patient_id=None, now=now, source="clinic")
    audit.record("session.reopened", target=("session", session_id), now=now)


@in_turn
def substitute(*, session_id: UUID, practitioner_id: UUID, now: datetime, by: UUID | None) -> int:
    """Let another practitioner see the patients of a session (代診); return how many are to be told.

    Raises:
        OverlappingTemplate: the substitute is elsewhere at this time. Nothing is changed.
    """
    session = sql.row(
        "select id, practitioner_id, regular_id, state from scheduling_session where id = %s for update", [session_id]
    )
    if session is None:
        raise errors.UnknownSession
    if session["state"] != "OPEN":
        raise errors.AlreadyClosed
    if session["practitioner_id"] == practitioner_id:
        return 0
    regular = session["regular_id"] or session["practitioner_id"]
    try:
        with transaction.atomic():
            sql.execute(
                """update scheduling_session set practitioner_id = %(new)s, version = version + 1,
                          regular_id = nullif(%(regular)s::uuid, %(new)s::uuid) where id = %(id)s""",
                {"new": practitioner_id, "regular": regular, "id": session_id},
            )
            changed = sql.rows(
                f"""update scheduling_appointment a
                       set practitioner_id = %(new)s, version = version + 1, sequence = sequence + 1, confirmed_at = null,
                           changed_at = %(now)s
                     where a.session_id = %(session)s and a.state in ('proposed', 'pending', 'booked')
                 returning a.id, a.patient_id, a.sequence, a.starts_at, a.number, a.state, {_NAMES}""",
                {"session": session_id, "new": practitioner_id, "now": now},
            )
    except IntegrityError as error:
        if isinstance(error.__cause__, psycopg.errors.ExclusionViolation):
            raise errors.OverlappingTemplate from None
        raise
    told = [one for one in changed if one["state"] == "booked"]
    events.publish_many(
        [
            (
                facts.AppointmentMoved(
                    one["id"], one["sequence"], one["starts_at"].isoformat(), one["when_local"], one["when_local"],
                    one["service"], one["practitioner"], one["number"], "practitioner",
                ),
                one["patient_id"], now, None,
            )
            for one in told
        ],
        now=now, source="clinic",
    )  # fmt: skip
    audit.record(
        "session.substituted",
        patients=[one["patient_id"] for one in changed if one["patient_id"]],
        target=("session", session_id),
        now=now,
    )
    return len(told)


@in_turn
def finish(*, session_id: UUID, now: datetime, by: UUID | None) -> int:
    """End a session: who was booked and did not come is noted as such; return how many."""
    session = sql.row("select id, state from scheduling_session where id = %s for update", [session_id])
    if session is None:
        raise errors.UnknownSession
    if session["state"] == "CLOSED":
        raise errors.AlreadyClosed
    sql.execute(
        "update scheduling_session set state = 'FINISHED', version = version + 1 where id = %s and state = 'OPEN'",
        [session_id],
    )
    return note_missed(now=now, session_id=session_id)


def note_missed(*, now: datetime, session_id: UUID | None = None) -> int:
    """Note who was booked in an ended session and neither came nor called; return how many. Set-wise, safe to repeat."""
    missed = sql.rows(
        f"""update scheduling_appointment a
               set state = 'noshow', version = a.version + 1, changed_at = %(now)s
              from scheduling_session s
             where s.id = a.session_id and a.state = 'booked'
               and case when %(session)s::uuid is null then s.state <> 'CLOSED' and s.ends_at <= %(now)s - interval '2 hours'
                        else s.id = %(session)s end
               and a.starts_at > %(now)s - interval '14 days'
         returning a.id, a.patient_id, a.starts_at, {_NAMES}""",
        {"session": session_id, "now": now},
    )
    events.publish_many(
        [
            (facts.AppointmentMissed(one["id"], one["when_local"], one["service"], one["practitioner"]), one["patient_id"], now, None)
            for one in missed
        ],
        now=now, source="clinic",
    )  # fmt: skip
    if missed:
        audit.record("appointment.noshow", patients=[one["patient_id"] for one in missed], now=now)
    return len(missed)


@in_turn
def add_absence(
    *, practitioner_id: UUID, starts_at: datetime, ends_at: datetime, kind: str, now: datetime, by: UUID | None, note: str = "",
    source: str = "staff", external_id: str = "",
) -> Absence:  # fmt: skip
    """Note that a practitioner sees nobody for a time. Nobody new is booked then.

    Patients who are booked already stay booked until their session is closed, moved or given to a substitute: `affected` lists
    them, so that a person decides.
    """
    # waits for bookings that are under way in these sessions; those that come later see the absence
    sql.rows(
        "select id from scheduling_session where practitioner_id = %s and starts_at < %s and ends_at > %s order by id for update",
        [practitioner_id, ends_at, starts_at],
    )
    made, _is_new = Absence.objects.update_or_create(
        practitioner_id=practitioner_id, source=source, external_id=external_id or f"staff:{now.isoformat()}",
        defaults={"kind": kind, "starts_at": starts_at, "ends_at": ends_at, "note": clean(note)[:200]},
        create_defaults={"kind": kind, "starts_at": starts_at, "ends_at": ends_at, "note": clean(note)[:200],
                         "created_at": now, "created_by_id": by},
    )  # fmt: skip
    audit.record("schedule.changed", target=("absence", made.pk), now=now)
    return made


def affected(absence_id: UUID) -> list[dict[str, Any]]:
    """Return the sessions an absence touches, each with how many patients are booked in that time."""
    return sql.rows(
        """select s.id, s.starts_at, s.ends_at, s.on_date, s.part, s.state, count(a.id)::int as booked
             from scheduling_absence b
             join scheduling_session s on s.practitioner_id = b.practitioner_id and s.starts_at < b.ends_at and s.ends_at > b.starts_at
             left join scheduling_appointment a on a.session_id = s.id and a.state = any(%(holds)s)
                   and a.starts_at < b.ends_at and a.ends_at > b.starts_at
            where b.id = %(absence)s and s.state <> 'CLOSED' group by s.id order by s.starts_at""",
        {"absence": absence_id, "holds": list(HOLDS)},
    )


_NAMES = """
    (select to_char(a.starts_at at time zone o.time_zone, 'YYYY-MM-DD HH24:MI') from tenancy_organization o) as when_local,
    (select v.name from scheduling_service v where v.id = a.service_id) as service,
    (select p.name from records_practitioner p where p.id = a.practitioner_id) as practitioner"""
