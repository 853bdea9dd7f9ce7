"""One appointment's life: booked, held, moved, confirmed, called off, come to, seen.

The database decides who gets a place (see the constraints of `Appointment`): a service tries, and who loses gets a refusal with
free places near the wanted one. Every change names the `version` it saw, so two people cannot undo each other.
"""

from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from careloop.audit import services as audit
from careloop.events import services as events
from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.kernel.text import clean
from careloop.patients import sealing
from careloop.scheduling import errors, rules
from careloop.scheduling import events as facts
from careloop.scheduling.models import HOLDS, Appointment
from careloop.scheduling.places import COLUMNS, Place, check, free_place, read_wish, rules_of, take
from careloop.scheduling.turns import in_turn

LONGEST_NOTE = 300
# A patient fills in forms this long while nobody else can take the place.
HOLD = timedelta(minutes=15)
TABLE, ANSWERS = "scheduling_appointment", "answers_sealed"


def book(
    *, patient_id: UUID | None, service_id: UUID, place: Place, source: str, key: str, now: datetime, by: UUID | None,
    state: str = "booked", held_until: datetime | None = None, note: str = "", online: bool = False, more_days: int = 0,
    says_first: bool = False,
) -> Appointment:  # fmt: skip
    """Give the patient a place; the same `key` gives the same appointment and changes nothing.

    Args:
        patient_id: None only for a place held (`pending`) for a visitor who says later who they are: see `holds.give_to`.
        state: `booked`; `pending` and `proposed` hold the place until `held_until`.
        online: the patient books, so the service's rules for that are asked.
        more_days: how many days earlier than others this patient may book.
        says_first: what a visitor without a name says about it being their first visit.

    Raises:
        PlaceTaken, SessionFull, SessionClosed, PractitionerAway: with free places near the wanted one.
        PatientBusy, NotOffered, OutsideSession, NumberOutsidePools, UnknownSession, UnknownService.
        NotOnline, OnlyFirstVisits, OnlyReturning, TooLate, TooFarAhead: only when `online`.
    """

    if earlier := _by_key(key):
        return earlier
    wish = read_wish(place, service_id=service_id, patient_id=patient_id, now=now, says_first=says_first)
    check(wish, place, now=now, online=online, more_days=more_days)
    values = {
        "patient": patient_id, "state": state, "held_until": held_until, "source": source, "key": key,
        "note": clean(note)[:LONGEST_NOTE], "now": now,
    }  # fmt: skip
    try:
        made = take(wish, place, now=now, values=values)
    except DomainError:
        if earlier := _by_key(key):  # the same click, a moment ago
            return earlier
        raise
    if state not in ("pending", "proposed"):
        _publish(facts.AppointmentBooked, made, wish.words(made), now=now)
    if made["arrived_at"]:
        _publish(facts.AppointmentArrived, made, wish.words(made), now=now)
    whose = [patient_id] if patient_id else []
    audit.record(f"appointment.{WORDS_OF[state]}", patients=whose, target=("appointment", made["id"]), now=now)
    return _model(made)


WORDS_OF = {"booked": "booked", "pending": "held", "proposed": "offered", "arrived": "booked", "checked-in": "booked"}


@in_turn
def keep(
    *, appointment_id: UUID, now: datetime, by: UUID | None, answers: str | None = None, note: str = ""
) -> Appointment:
    """Make a held or offered place the patient's own. Repeating it changes nothing.

    A hold that ran out is still good as long as nobody else has asked for the place.

    Args:
        answers: what the patient answered before the visit, as JSON; it is sealed under the patient's key.

    Raises:
        HoldExpired: somebody else has the place.
    """
    found = _locked(appointment_id)
    if found["state"] == "booked":
        return _model(found)
    if found["state"] not in ("pending", "proposed") or found["patient_id"] is None:
        raise errors.HoldExpired
    sealed = _sealed_answers(found, answers) if answers else None
    changed = sql.row(
        f"""update scheduling_appointment set state = 'booked', held_until = null, answers_sealed = coalesce(%(answers)s, answers_sealed),
                   note = case when %(note)s = '' then note else %(note)s end, version = version + 1, changed_at = %(now)s
             where id = %(id)s returning {COLUMNS}""",
        {"id": appointment_id, "answers": sealed, "note": clean(note)[:LONGEST_NOTE], "now": now},
    )
    assert changed is not None
    _publish(facts.AppointmentBooked, changed, _words(changed), now=now)
    if sealed is not None:
        _publish(facts.AppointmentAnswered, changed, _words(changed), now=now)
    audit.record("appointment.booked", patients=[found["patient_id"]], target=("appointment", appointment_id), now=now)
    return _model(changed)


@in_turn
def move(
    *, appointment_id: UUID, place: Place, version: int, now: datetime, by: UUID | None, online: bool = False, service_id: UUID | None = None,
    more_days: int = 0,
) -> Appointment:  # fmt: skip
    """Give an appointment another place, all or nothing: until the new one is certain the old one is kept.

    Args:
        more_days: how many days earlier than others this patient may book.

    Raises:
        As `book`; ChangedMeanwhile, NotInThisState, TooLate.
    """

    # the session before the appointment, as whoever closes a session does
    sql.value("select 1 from scheduling_session where id = %s for no key update", [place.session_id])
    found = _locked(appointment_id)
    _check_version(found, version)
    if found["state"] != "booked":
        raise errors.NotInThisState(state=Appointment.State(found["state"]).label)
    wish = read_wish(
        place,
        service_id=service_id or found["service_id"],
        patient_id=found["patient_id"],
        now=now,
        moving=appointment_id,
    )
    if online:
        rules.check_may_change(wish.rule, starts_at=found["starts_at"], now=now)
    check(wish, place, now=now, online=online, more_days=more_days)
    before = _words(found)["when"]
    left = found["session_id"]
    changed = take(wish, place, now=now, values={"id": appointment_id, "now": now})
    words = wish.words(changed)
    _publish(facts.AppointmentMoved, changed, {**words, "before": before, "what": "time"}, now=now)
    free_place(left, now=now)
    audit.record("appointment.moved", patients=[found["patient_id"]], target=("appointment", appointment_id), now=now)
    return _model(changed)


@in_turn
def cancel(
    *, appointment_id: UUID, reason: str, now: datetime, by: UUID | None, version: int | None = None, note: str = "",
    online: bool = False,
) -> Appointment:  # fmt: skip
    """Free the place for others. Repeating it changes nothing.

    Args:
        version: what the person saw; None when they tapped a button that can only mean this appointment.
        online: the patient does it, so the service's last moment for that is asked.

    Raises:
        ChangedMeanwhile, NotInThisState, TooLate.
    """
    found = _locked(appointment_id)
    if found["state"] == "cancelled":
        return _model(found)
    _check_version(found, version)
    _check_next(found, "cancelled")
    if online and found["state"] == "booked":
        rule = rules_of(found["service_id"])
        rules.check_may_change(rule, starts_at=found["starts_at"], now=now)
    changed = _set(
        found, now=now, state="cancelled", cancel_reason=reason, cancel_note=clean(note)[:200], significant=True
    )
    if found["state"] not in ("pending", "proposed"):  # of a hold or an offer nobody has an appointment in the book
        _publish(facts.AppointmentCancelled, changed, {**_words(changed), "reason": reason}, now=now)
    free_place(found["session_id"], now=now)
    whose = [found["patient_id"]] if found["patient_id"] else []
    audit.record("appointment.cancelled", patients=whose, target=("appointment", appointment_id),
                 details={"reason": reason}, now=now)  # fmt: skip
    return _model(changed)


@in_turn
def confirm(*, appointment_id: UUID, now: datetime, by: UUID | None, sequence: int | None = None) -> Appointment:
    """Note that the patient says: I am coming. Repeating it changes nothing.

    Args:
        sequence: which time the patient was asked about; an answer about an old time confirms nothing.

    Raises:
        ChangedMeanwhile: the appointment has another time now.
        NotInThisState: it is not booked.
    """
    found = _locked(appointment_id)
    if sequence is not None and found["sequence"] != sequence:
        raise errors.ChangedMeanwhile
    if found["confirmed_at"] and found["state"] in HOLDS:
        return _model(found)
    if found["state"] != "booked":
        raise errors.NotInThisState(state=Appointment.State(found["state"]).label)
    changed = _set(found, now=now, confirmed_at=now)
    _publish(facts.AppointmentConfirmed, changed, _words(changed), now=now)
    audit.record(
        "appointment.confirmed", patients=[found["patient_id"]], target=("appointment", appointment_id), now=now
    )
    return _model(changed)


@in_turn
def arrive(
    *, appointment_id: UUID, now: datetime, by: UUID | None, version: int | None = None, state: str = "arrived"
) -> Appointment:
    """Note that the patient is here (`arrived`), or has been checked in with the card (`checked-in`).

    Raises:
        ChangedMeanwhile, NotInThisState.
    """
    found = _locked(appointment_id)
    if found["state"] == state:
        return _model(found)
    _check_version(found, version)
    _check_next(found, state)
    changed = _set(found, now=now, state=state, arrived_at=found["arrived_at"] or now)
    if found["arrived_at"] is None:
        _publish(facts.AppointmentArrived, changed, _words(changed), now=now)
    audit.record("appointment.arrived", patients=[found["patient_id"]], target=("appointment", appointment_id), now=now)
    return _model(changed)


@in_turn
def fulfil(*, appointment_id: UUID, now: datetime, by: UUID | None, version: int | None = None) -> Appointment:
    """Note that the meeting took place. Repeating it changes nothing.

    Raises:
        ChangedMeanwhile, NotInThisState.
    """
    found = _locked(appointment_id)
    if found["state"] == "fulfilled":
        return _model(found)
    _check_version(found, version)
    _check_next(found, "fulfilled")
    changed = _set(found, now=now, state="fulfilled", arrived_at=found["arrived_at"] or now)
    _publish(facts.AppointmentFulfilled, changed, _words(changed), now=now)
    audit.record(
        "appointment.fulfilled", patients=[found["patient_id"]], target=("appointment", appointment_id), now=now
    )
    return _model(changed)


@in_turn
def miss(*, appointment_id: UUID, now: datetime, by: UUID | None, version: int | None = None) -> Appointment:
    """Note that the patient did not come; only once the session has ended, because until then they may.

    Raises:
        NoShowTooEarly, ChangedMeanwhile, NotInThisState.
    """
    found = _locked(appointment_id)
    if found["state"] == "noshow":
        return _model(found)
    _check_version(found, version)
    _check_next(found, "noshow")
    if not sql.value(
        "select state = 'FINISHED' or ends_at <= %s from scheduling_session where id = %s", [now, found["session_id"]]
    ):
        raise errors.NoShowTooEarly
    changed = _set(found, now=now, state="noshow")
    _publish(facts.AppointmentMissed, changed, _words(changed), now=now)
    audit.record("appointment.noshow", patients=[found["patient_id"]], target=("appointment", appointment_id), now=now)
    return _model(changed)


@in_turn
def mark_entered_in_error(
    *, appointment_id: UUID, version: int, now: datetime, by: UUID | None, note: str = ""
) -> Appointment:
    """Take out an appointment that should never have been; it is kept and hidden.

    Raises:
        ChangedMeanwhile, NotInThisState.
    """
    found = _locked(appointment_id)
    if found["state"] == "entered-in-error":
        return _model(found)
    _check_version(found, version)
    _check_next(found, "entered-in-error")
    changed = _set(found, now=now, state="entered-in-error", cancel_note=clean(note)[:200], significant=True)
    _publish(facts.AppointmentEnteredInError, changed, _words(changed), now=now)
    free_place(found["session_id"], now=now)
    audit.record(
        "appointment.entered_in_error", patients=[found["patient_id"]], target=("appointment", appointment_id), now=now
    )
    return _model(changed)


# -- inside ------------------------------------------------------------------------------------------------------


def _sealed_answers(appointment: dict[str, Any], answers: str) -> bytes:
    key = sealing.create_keys([appointment["patient_id"]])[appointment["patient_id"]]
    return sealing.seal(key, answers, table=TABLE, column=ANSWERS, row_id=appointment["id"])


def _by_key(key: str) -> Appointment | None:
    return Appointment.objects.filter(key=key).first() if key else None


def _model(row: dict[str, Any]) -> Appointment:
    """Return a row just read or written as the model; what it does not hold is read when asked for."""
    return cast(Appointment, Appointment.from_db("default", list(row), list(row.values())))


def _locked(appointment_id: UUID) -> dict[str, Any]:
    found = sql.row(f"select {COLUMNS} from scheduling_appointment where id = %s for update", [appointment_id])
    if found is None:
        raise errors.UnknownAppointment
    return found


def _check_version(found: dict[str, Any], version: int | None) -> None:
    if version is not None and found["version"] != version:
        raise errors.ChangedMeanwhile


def _check_next(found: dict[str, Any], wanted: str) -> None:
    if not rules.may_become(found["state"], wanted):
        raise errors.NotInThisState(state=Appointment.State(found["state"]).label)


def _set(found: dict[str, Any], *, now: datetime, significant: bool = False, **columns: Any) -> dict[str, Any]:
    """Change the locked row; `significant` makes every message about it old."""
    given = ", ".join(f"{name} = %({name})s" for name in columns)
    changed = sql.row(
        f"""update scheduling_appointment set {given}, version = version + 1, sequence = sequence + %(significant)s,
                   changed_at = %(now)s, held_until = null where id = %(id)s returning {COLUMNS}""",
        {**columns, "significant": int(significant), "now": now, "id": found["id"]},
    )
    assert changed is not None
    return changed


def _words(appointment: dict[str, Any]) -> dict[str, Any]:
    found = sql.row(
        """select v.name as service, p.name as practitioner, o.time_zone
             from scheduling_service v, records_practitioner p, tenancy_organization o where v.id = %s and p.id = %s""",
        [appointment["service_id"], appointment["practitioner_id"]],
    )
    assert found is not None
    when = f"{appointment['starts_at'].astimezone(ZoneInfo(found['time_zone'])):%Y-%m-%d %H:%M}"
    return {"when": when, "service": found["service"], "practitioner": found["practitioner"]}


def _publish(kind: Any, appointment: dict[str, Any], words: dict[str, Any], *, now: datetime) -> None:
    wanted = kind.__dataclass_fields__
    given = {
        "appointment_id": appointment["id"], "sequence": appointment["sequence"], "number": appointment["number"],
        "starts_at": appointment["starts_at"].isoformat(), **words,
    }  # fmt: skip
    events.publish(
        kind(**{name: given[name] for name in wanted if name in given}),
        patient_id=appointment["patient_id"], now=now, source=appointment["source"],
    )  # fmt: skip
