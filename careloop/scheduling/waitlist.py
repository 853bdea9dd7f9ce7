"""The waitlist: wishes, ranked; a freed place offered to one at a time, with a deadline; every offer kept.

A place is held for whoever it is offered to (an appointment in state `proposed`), so only one can win it. Freed places are told by
`place.freed`; `handlers` listens and calls `offer_in`.
"""

from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from careloop.audit import services as audit
from careloop.events import services as events
from careloop.kernel import sql
from careloop.kernel.text import clean
from careloop.policy import timing
from careloop.policy.selectors import quiet_window
from careloop.scheduling import availability, errors, rules, services
from careloop.scheduling import events as facts
from careloop.scheduling.availability import Free
from careloop.scheduling.models import Appointment, WaitlistEntry, WaitlistOffer
from careloop.scheduling.places import Place, free_place
from careloop.scheduling.turns import in_turn
from careloop.tenancy.models import Organization

# How many wishes are tried for the places of one session; who waits further behind is tried when more places come free.
MOST_TRIED = 50


@in_turn
def join(
    *, patient_id: UUID, service_id: UUID, first_date: date, last_date: date, now: datetime, by: UUID | None, source: str = "desk",
    practitioner_id: UUID | None = None, location_id: UUID | None = None, weekdays: list[int] | None = None,
    parts: list[str] | None = None, priority: int = 2, instead_of_id: UUID | None = None, note: str = "", key: str = "",
) -> WaitlistEntry:  # fmt: skip
    """Put a patient's wish on the list, and offer a place at once if there is one. The same `key` joins once.

    Args:
        weekdays, parts: empty or None: any.
        instead_of_id: a later appointment that is given up for an earlier place.

    Raises:
        AlreadyWaiting: for this service.
        BadDates: the last day lies before the first one or before today.
        UnknownService: it is not offered any more.
    """
    if key and (earlier := WaitlistEntry.objects.filter(key=key).first()):
        return earlier
    if last_date < max(first_date, today(now)):
        raise errors.BadDates
    service = sql.row("select name from scheduling_service where id = %s and is_active", [service_id])
    if service is None:
        raise errors.UnknownService
    made = sql.row(
        """insert into scheduling_waitlist_entry (patient_id, service_id, practitioner_id, location_id, weekdays, parts, first_date,
                  last_date, priority, instead_of_id, state, source, note, key, created_at, version)
           values (%(patient)s, %(service)s, %(practitioner)s, %(location)s, %(weekdays)s, %(parts)s, %(first)s, %(last)s,
                   %(priority)s, %(instead_of)s, 'WAITING', %(source)s, %(note)s, %(key)s, %(now)s, 1)
           on conflict do nothing returning id""",
        {
            "patient": patient_id, "service": service_id, "practitioner": practitioner_id, "location": location_id,
            "weekdays": weekdays or [], "parts": parts or [], "first": first_date, "last": last_date, "priority": priority,
            "instead_of": instead_of_id, "source": source, "note": clean(note)[:200], "key": key, "now": now,
        },
    )  # fmt: skip
    if made is None:
        if key and (earlier := WaitlistEntry.objects.filter(key=key).first()):
            return earlier
        raise errors.AlreadyWaiting
    entry = WaitlistEntry.objects.get(pk=made["id"])
    events.publish(facts.WaitlistJoined(entry.pk, service["name"]), patient_id=patient_id, now=now, source=source)
    audit.record("waitlist.joined", patients=[patient_id], target=("waitlist_entry", entry.pk), now=now)
    offer_to(entry, now=now)
    entry.refresh_from_db()
    return entry


@in_turn
def leave(*, entry_id: UUID, reason: str, now: datetime, by: UUID | None) -> WaitlistEntry:
    """Take a wish off the list; a place that was offered goes to the next. Repeating it changes nothing."""
    entry = _locked_entry(entry_id)
    if entry.state in ("WAITING", "OFFERED"):
        for offer in entry.offers.filter(state="OPEN"):
            _end(offer, state="DECLINED", now=now)
        _set_state(entry, "LEFT", now=now)
        service = sql.value("select name from scheduling_service where id = %s", [entry.service_id])
        events.publish(
            facts.WaitlistLeft(entry.pk, service, reason), patient_id=entry.patient_id, now=now, source="waitlist"
        )
        audit.record("waitlist.left", patients=[entry.patient_id], target=("waitlist_entry", entry.pk), now=now)
    return entry


@in_turn
def accept(*, offer_id: UUID, now: datetime, by: UUID | None) -> WaitlistOffer:
    """Make the offered place the patient's. Repeating it changes nothing.

    Raises:
        OfferOver: the deadline has passed and the place went on, or the session was closed.
    """
    offer = _locked_offer(offer_id)
    if offer.state == "ACCEPTED":
        return offer
    if offer.state != "OPEN":
        raise errors.OfferOver
    try:
        services.keep(appointment_id=offer.appointment_id, now=now, by=by)
    except errors.HoldExpired:
        raise errors.OfferOver from None
    entry = offer.entry
    _set_state(entry, "BOOKED", now=now)
    _answered(offer, state="ACCEPTED", now=now)
    if entry.instead_of_id:
        later = entry.instead_of
        if later is not None and later.state == "booked":
            services.cancel(appointment_id=later.pk, reason="replaced", now=now, by=by)
    return offer


@in_turn
def decline(*, offer_id: UUID, now: datetime, by: UUID | None) -> WaitlistOffer:
    """Give the offered place back; the wish stays on the list. Repeating it changes nothing.

    Raises:
        OfferOver: it was accepted, or is over.
    """
    offer = _locked_offer(offer_id)
    if offer.state == "DECLINED":
        return offer
    if offer.state != "OPEN":
        raise errors.OfferOver
    _end(offer, state="DECLINED", now=now)
    _set_state(offer.entry, "WAITING", now=now)
    return offer


def offer_in(session_id: UUID, *, now: datetime) -> int:
    """Offer what is free in a session to those who wait for it, best ranked first; return how many offers were made.

    Wishes that another process is just offering something to are passed over; two processes never offer the same place, because
    it is held for whoever it is offered to.
    """
    waiting = sql.rows(
        """select w.id from scheduling_waitlist_entry w join scheduling_session s on s.id = %(session)s
             join patients_patient p on p.id = w.patient_id and p.active and not p.deceased
            where w.state = 'WAITING' and s.state = 'OPEN' and s.on_date between w.first_date and w.last_date
              and (w.practitioner_id is null or w.practitioner_id = s.practitioner_id)
              and (w.location_id is null or w.location_id = s.location_id)
              and (w.weekdays = '{}' or extract(isodow from s.on_date) = any(w.weekdays))
              and (w.parts = '{}' or s.part = any(w.parts))
            order by w.priority, w.created_at, w.id limit %(most)s for update of w skip locked""",
        {"session": session_id, "most": MOST_TRIED},
    )
    entries = WaitlistEntry.objects.in_bulk([row["id"] for row in waiting])
    return sum(offer_to(entries[row["id"]], session_id=session_id, now=now) for row in waiting)


@in_turn
def offer_by_hand(*, entry_id: UUID, place: Place, now: datetime, by: UUID | None) -> WaitlistOffer:
    """Offer a certain free place to somebody out of turn: they are on the telephone, or it suits nobody better.

    Whether the place fits the wish is the one's judgement who offers it; it may have been declined before.

    Raises:
        UnknownEntry; NotWaiting: there is an open offer, or the wish is over.
        OfferTooSoon: it begins too soon for the patient to answer and to come.
        PlaceTaken, SessionFull, SessionClosed, PractitionerAway, PatientBusy, NotOffered, OutsideSession.
    """
    entry = _locked_entry(entry_id)
    if entry.state != "WAITING":
        raise errors.NotWaiting
    organization = Organization.objects.get()
    zone = ZoneInfo(organization.time_zone)
    awake = timing.next_allowed_at(now, zone=zone, window=quiet_window(organization))
    starts_at = place.starts_at or sql.value(
        "select starts_at from scheduling_session where id = %s", [place.session_id]
    )
    if starts_at is None:
        raise errors.UnknownSession
    if starts_at < rules.first_offered(awake):
        raise errors.OfferTooSoon
    return _propose(entry, place, answer_by=rules.answer_by(awake, starts_at=starts_at), zone=zone, now=now, by=by)


@in_turn
def expire(*, now: datetime) -> int:
    """End the offers nobody answered in time or whose place is gone; return how many. The places are free for the next."""
    over = sql.rows(
        """select o.id, o.answer_by <= %(now)s as is_late from scheduling_waitlist_offer o
             join scheduling_appointment a on a.id = o.appointment_id join scheduling_waitlist_entry w on w.id = o.entry_id
            where o.state = 'OPEN' and (o.answer_by <= %(now)s or a.state <> 'proposed')
            order by o.answer_by limit 500 for update of w skip locked""",
        {"now": now},
    )
    for row in over:
        offer = _locked_offer(row["id"])
        if offer.state != "OPEN":
            continue  # answered while this was looked for
        _end(offer, state="EXPIRED" if row["is_late"] else "WITHDRAWN", now=now)
        _set_state(offer.entry, "WAITING", now=now)
    return len(over)


@in_turn
def close_old(*, now: datetime) -> int:
    """Close the wishes whose last day has passed; return how many."""
    gone = sql.rows(
        """update scheduling_waitlist_entry w set state = 'EXPIRED', closed_at = %(now)s, version = version + 1
            where w.state = 'WAITING' and w.last_date < %(today)s
        returning w.id, w.patient_id, (select v.name from scheduling_service v where v.id = w.service_id) as service""",
        {"now": now, "today": today(now)},
    )
    events.publish_many(
        [(facts.WaitlistLeft(one["id"], one["service"], "expired"), one["patient_id"], now, None) for one in gone],
        now=now, source="waitlist",
    )  # fmt: skip
    return len(gone)


def today(now: datetime) -> date:
    """Return the clinic's own calendar day."""
    return now.astimezone(_zone()).date()


def offer_to(entry: WaitlistEntry, *, now: datetime, session_id: UUID | None = None) -> bool:
    """Offer this wish the earliest place that fits; return whether there was one."""
    organization = Organization.objects.get()
    zone = ZoneInfo(organization.time_zone)
    awake = timing.next_allowed_at(now, zone=zone, window=quiet_window(organization))
    first = datetime.combine(entry.first_date, datetime.min.time(), zone)
    until = datetime.combine(entry.last_date + timedelta(days=1), datetime.min.time(), zone)
    if entry.instead_of is not None and entry.instead_of.state == "booked":
        until = min(until, entry.instead_of.starts_at)
    earliest = rules.first_offered(awake)
    found = availability.search(
        service_id=entry.service_id, now=now, since=max(first, earliest), until=until, practitioner_id=entry.practitioner_id,
        location_ids=[entry.location_id] if entry.location_id else None, weekdays=entry.weekdays, parts=entry.parts,
        patient_id=entry.patient_id, session_id=session_id, is_first_visit=_is_first(entry), sessions=5,
    )  # fmt: skip
    refused = {
        (one.session_id, one.starts_at if one.number is None else None)
        for one in (offer.appointment for offer in entry.offers.select_related("appointment"))
    }
    for place in found:
        at = place.starts_at if place.number is None else None
        if (place.session_id, at) in refused or place.starts_at < earliest:
            continue
        if _hold(entry, place, answer_by=rules.answer_by(awake, starts_at=place.starts_at), zone=zone, now=now):
            return True
    return False


# -- inside ------------------------------------------------------------------------------------------------------


def _is_first(entry: WaitlistEntry) -> bool:
    return not sql.value(
        """select 1 from records_encounter where patient_id = %(patient)s and not entered_in_error
           union all select 1 from scheduling_appointment where patient_id = %(patient)s and state = 'fulfilled' limit 1""",
        {"patient": entry.patient_id},
    )


def _hold(entry: WaitlistEntry, place: Free, *, answer_by: datetime, zone: ZoneInfo, now: datetime) -> bool:
    wanted = Place(place.session_id, starts_at=place.starts_at if place.number is None else None)
    try:
        _propose(entry, wanted, answer_by=answer_by, zone=zone, now=now, by=None)
    except (errors.NoPlace, errors.PatientBusy):
        return False  # somebody was faster
    return True


def _propose(
    entry: WaitlistEntry, place: Place, *, answer_by: datetime, zone: ZoneInfo, now: datetime, by: UUID | None
) -> WaitlistOffer:
    """Hold the place for this wish and ask; what `services.book` raises is raised."""
    appointment = services.book(
        patient_id=entry.patient_id, service_id=entry.service_id, source="waitlist", key="", now=now, by=by, state="proposed",
        held_until=answer_by, place=place,
    )  # fmt: skip
    offer = WaitlistOffer.objects.create(
        entry=entry, appointment=appointment, offered_at=now, answer_by=answer_by, state="OPEN"
    )
    _set_state(entry, "OFFERED", now=now)
    service, practitioner = _names(appointment)
    events.publish(
        facts.WaitlistOffered(
            offer.pk, entry.pk, appointment.pk, appointment.starts_at.isoformat(), _local(appointment.starts_at, zone), service,
            practitioner, answer_by.isoformat(), appointment.number,
        ),
        patient_id=entry.patient_id, now=now, source="waitlist",
    )  # fmt: skip
    return offer


def _names(appointment: Appointment) -> tuple[str, str]:
    found = sql.row(
        "select v.name as service, p.name as practitioner from scheduling_service v, records_practitioner p where v.id = %s and p.id = %s",
        [appointment.service_id, appointment.practitioner_id],
    )
    assert found is not None
    return found["service"], found["practitioner"]


def _end(offer: WaitlistOffer, *, state: str, now: datetime) -> None:
    """Close an offer that did not become an appointment, and free its place."""
    reason = "declined" if state == "DECLINED" else "hold-expired"
    changed = sql.execute(
        """update scheduling_appointment set state = 'cancelled', cancel_reason = %s, held_until = null, version = version + 1,
                  sequence = sequence + 1, changed_at = %s where id = %s and state = 'proposed'""",
        [reason, now, offer.appointment_id],
    )
    _answered(offer, state=state, now=now)
    if changed:
        free_place(offer.appointment.session_id, now=now)


def _answered(offer: WaitlistOffer, *, state: str, now: datetime) -> None:
    offer.state, offer.answered_at = state, now
    offer.save(update_fields=["state", "answered_at"])
    events.publish(
        facts.WaitlistAnswered(offer.pk, offer.entry_id, offer.appointment_id, state, _local(offer.appointment.starts_at, _zone())),
        patient_id=offer.entry.patient_id, now=now, source="waitlist",
    )  # fmt: skip
    audit.record(
        "waitlist.answered", patients=[offer.entry.patient_id], target=("waitlist_offer", offer.pk), details={"answer": state},
        now=now,
    )  # fmt: skip


def _set_state(entry: WaitlistEntry, state: str, *, now: datetime) -> None:
    entry.state = state
    entry.closed_at = None if state in ("WAITING", "OFFERED") else now
    entry.version += 1
    entry.save(update_fields=["state", "closed_at", "version"])


def _locked_entry(entry_id: UUID) -> WaitlistEntry:
    found = WaitlistEntry.objects.select_for_update().filter(pk=entry_id).first()
    if found is None:
        raise errors.UnknownEntry
    return found


def _locked_offer(offer_id: UUID) -> WaitlistOffer:
    """Return the offer with its wish, both locked: the wish first, as whoever leaves the list does."""
    entry_id = sql.value("select entry_id from scheduling_waitlist_offer where id = %s", [offer_id])
    if entry_id is None:
        raise errors.OfferOver
    entry = _locked_entry(entry_id)
    found = WaitlistOffer.objects.select_for_update(of=("self",)).select_related("appointment").get(pk=offer_id)
    found.entry = entry
    return found


def _zone() -> ZoneInfo:
    return ZoneInfo(sql.value("select time_zone from tenancy_organization"))


def _local(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}"
