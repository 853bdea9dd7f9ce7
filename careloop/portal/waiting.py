"""Patients on the waitlist by themselves: what they wait for, what is offered to them, and searches that found nothing."""

import hashlib
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.utils import translation

from careloop.portal.booking import Wanted, earlier, locations_of, practitioners_of
from careloop.portal.errors import NotYours, TooManyWishes
from careloop.portal.limits import Limit, wait_for
from careloop.portal.recognizing import Visitor
from careloop.scheduling import catalogue, rules, selectors, waiting, waitlist
from careloop.scheduling.models import PartOfDay, Service, WaitlistEntry, WaitlistOffer
from careloop.scheduling.places import rules_of

MOST_WISHES = 5
"""What one patient can wait for by themselves at one time; for more they call."""
USUALLY = timedelta(days=30)


@dataclass(frozen=True)
class Wish:
    """What the form says."""

    practitioner_id: UUID | None
    location_id: UUID | None
    weekdays: tuple[int, ...]
    parts: tuple[str, ...]
    first: date
    last: date


def last_day(visitor: Visitor, service: Service, today: date) -> date:
    """Return until when this patient can wait: as far ahead as they can book the service online."""
    more_days = earlier(visitor.patient_id if visitor.session else None, now=visitor.now)
    return today + timedelta(days=max(1, service.days_ahead + more_days))


def are_ours(service: Service, practitioner_id: UUID | None, location_id: UUID | None) -> bool:
    """Whether the service is offered by this practitioner and at this branch, as far as they are named."""
    return (practitioner_id is None or practitioner_id in {one["id"] for one in practitioners_of(service.pk)}) and (
        location_id is None or location_id in {one["id"] for one in locations_of(service.pk)}
    )


def join(visitor: Visitor, service: Service, wish: Wish, *, key: str) -> WaitlistEntry:
    """Put the patient on the list; the same key joins once. A place that is free now is offered at once.

    Raises:
        NotYours: practitioner or branch are not of this service. TooManyWishes; AlreadyWaiting, BadDates; OnlyFirstVisits, OnlyReturning: the service is not for them.
    """
    if not are_ours(service, wish.practitioner_id, wish.location_id):
        raise NotYours
    today = waitlist.today(visitor.now)
    open_ones = waiting.of_patient(visitor.patient_id)
    if len(open_ones) >= MOST_WISHES:
        raise TooManyWishes(most=MOST_WISHES)
    rules.check_may_book(
        rules_of(service.pk), starts_at=visitor.now + timedelta(minutes=service.notice_minutes), now=visitor.now,
        is_first_visit=selectors.is_first_visit(visitor.patient_id),
    )  # fmt: skip
    return waitlist.join(
        patient_id=visitor.patient_id, service_id=service.pk, practitioner_id=wish.practitioner_id, location_id=wish.location_id,
        weekdays=list(wish.weekdays), parts=list(wish.parts), first_date=max(wish.first, today),
        last_date=min(wish.last, last_day(visitor, service, today)), source="portal", key=f"portal:{key}", now=visitor.now, by=None,
    )  # fmt: skip


def leave(visitor: Visitor, entry_id: UUID) -> None:
    """Take the patient's own wish off the list.

    Raises:
        NotYours: there is none, or it is somebody else's: the answer is the same.
    """
    if not WaitlistEntry.objects.filter(pk=entry_id, patient_id=visitor.patient_id).exists():
        raise NotYours
    waitlist.leave(entry_id=entry_id, reason="patient", now=visitor.now, by=None)


def answer(visitor: Visitor, offer_id: UUID, *, takes: bool) -> UUID:
    """Take an offered place or leave it to the next; return the appointment it is, or was.

    Raises:
        NotYours; OfferOver: the place went on.
    """
    offer = WaitlistOffer.objects.filter(pk=offer_id, entry__patient_id=visitor.patient_id).first()
    if offer is None:
        raise NotYours
    done = waitlist.accept if takes else waitlist.decline
    done(offer_id=offer_id, now=visitor.now, by=None)
    appointment_id: UUID = offer.appointment_id
    return appointment_id


def shown(patient_id: UUID, *, zone: ZoneInfo) -> list[dict[str, Any]]:
    """Return what the patient waits for and what is offered to them, in their language; offers first."""
    language = translation.get_language() or ""
    return [
        {
            **row, "service": row["names"].get(language) or row["service"], "at": row["starts_at"].astimezone(zone) if row["starts_at"] else None,
            "until": row["answer_by"].astimezone(zone) if row["answer_by"] else None,
            "later": row["instead_of_at"].astimezone(zone) if row["instead_of_at"] else None,
            "parts_said": [PartOfDay(part).label for part in PartOfDay.values if part in row["parts"]],
        }
        for row in waiting.of_patient(patient_id)
    ]  # fmt: skip


def note_nothing_found(visitor: Visitor, service: Service, wanted: Wanted, *, now: datetime) -> None:
    """Note a search that found no place: once a day for one browser and one wish, however often the page is drawn.

    Nobody can tell from it who asked: the key is a hash of a random cookie. A network that asks very often is not counted.
    """
    said = (
        visitor.browser_hash.hex(),
        service.pk,
        wanted.practitioner_id,
        wanted.location_id,
        wanted.weekdays,
        wanted.parts,
        waitlist.today(now),
    )
    if not are_ours(service, wanted.practitioner_id, wanted.location_id):
        return  # an address somebody made up
    if wait_for([Limit("miss-network", f"{visitor.clinic.pk}|{visitor.address}", 60, 3600)]):
        return
    catalogue.note_miss(
        service_id=service.pk, source="portal", key="portal:" + hashlib.sha256(repr(said).encode()).hexdigest()[:40], now=now,
        practitioner_id=wanted.practitioner_id, location_id=wanted.location_id, weekdays=wanted.weekdays, parts=wanted.parts,
    )  # fmt: skip
