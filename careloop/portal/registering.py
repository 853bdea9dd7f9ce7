"""A first booking by somebody who says they were never here.

Nobody learns from it whether a record exists. A verified phone and the birth date together link to the one record that has both;
everything else makes a new record, and staff look at those who may be the same person.
"""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID, uuid5

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import override

from careloop.consent import selectors as consent_selectors
from careloop.consent import services as consent
from careloop.followups import services as followups
from careloop.kernel import sql
from careloop.messaging import services as messaging
from careloop.patients import selectors, services
from careloop.patients.sealing import ContactValue, contact_values
from careloop.patients.services import NewContact
from careloop.portal import codes, errors
from careloop.portal.codes import Address
from careloop.portal.limits import Limit, minutes, wait_for
from careloop.portal.models import Booking, OneTimeCode

HOUR = 3600


@dataclass(frozen=True)
class Newcomer:
    """What a visitor says about themselves."""

    name: str
    birth_date: date
    phone: Address


def check_limits(*, organization_id: UUID, network: str) -> None:
    """Count one more registration.

    Raises:
        TooOften.
    """
    wait = wait_for((
        Limit("register-network", f"{organization_id}|{network}", 10, HOUR),
        Limit("register-clinic", str(organization_id), 200, HOUR),
    ))  # fmt: skip
    if wait:
        raise errors.TooOften(minutes=minutes(wait))


def can_verify() -> bool:
    """Whether the clinic can send a code by text message."""
    return messaging.can_send("sms")


@transaction.atomic
def register(booking: Booking, newcomer: Newcomer, *, language: str, now: datetime, verify: bool) -> OneTimeCode | None:
    """Note who the booking is for; with `verify` the phone must be proved by the code that is sent now.

    Without verification there is no link to any record that exists: a new one is made, and staff are told of those alike.
    """
    known = _same_phone_and_birth_date(newcomer) if verify else []
    if len(known) == 1:
        patient_id, is_new = known[0], False
    else:
        patient_id, is_new = _make(booking, newcomer, language=language, now=now, verify=verify), True
    if verify:
        return codes.ask(
            address=newcomer.phone, purpose=OneTimeCode.Purpose.REGISTER, browser_hash=bytes(booking.browser_hash),
            language=language, now=now, patient_id=patient_id, is_new_patient=is_new,
        )  # fmt: skip
    booking.patient_id, booking.is_new_patient = patient_id, True
    return None


def _same_phone_and_birth_date(newcomer: Newcomer) -> list[UUID]:
    return [one.patient_id for one in codes.holders_of(newcomer.phone) if one.birth_date == newcomer.birth_date]


def _make(booking: Booking, newcomer: Newcomer, *, language: str, now: datetime, verify: bool) -> UUID:
    # Sent again, the form makes one record. Where the phone will be proved the same person is one record in later bookings
    # too; where it will not, nobody gets at a record by knowing a name, a day and a number.
    within = booking.organization_id if verify else booking.pk
    made = services.register(
        details={"name": newcomer.name, "birth_date": newcomer.birth_date, "language": language},
        contacts=[NewContact("phone", newcomer.phone.value, "mobile")], now=now, by=None, even_if_similar=True, how="portal",
        idempotency_key=uuid5(within, f"{newcomer.name}|{newcomer.birth_date}|{newcomer.phone.indexed}"),
    )  # fmt: skip
    if made.is_new:
        for contact in _phones(made.patient_id):
            codes.mark_unproved(contact.id)
    return made.patient_id


def note_notice(patient_id: UUID, *, now: datetime) -> None:
    """Record that the privacy notice was shown (P2); a clinic that has published none has that to do still."""
    if consent_selectors.current_notice() is not None:
        consent.record_notice_shown(patient_id=patient_id, how="portal", now=now, by=None)


def tell_staff(patient_id: UUID, *, is_proved: bool, now: datetime) -> None:
    """Give staff a task when a new record may be of somebody who has one, or its phone was not proved."""
    found = sql.row("select p.name, p.birth_date, o.language from patients_patient p, tenancy_organization o where p.id = %s",
                    [patient_id])  # fmt: skip
    assert found is not None
    phones = [one.value for one in _phones(patient_id)]
    alike = [
        one for one in selectors.duplicate_hints(name=found["name"], birth_date=found["birth_date"], phones=phones)
        if one.patient_id != patient_id
    ]  # fmt: skip
    with override(found["language"]):
        if alike:
            followups.create(
                patient_id=patient_id, kind="OTHER", title=_("Booked online: is this somebody with a record here?"),
                script=_("Compare with the records that look alike, and ask for the NHI card at the visit."),
                due_at=now, now=now, by=None, origin="portal", origin_id=f"alike:{patient_id}",
            )  # fmt: skip
        if not is_proved:
            followups.create(
                patient_id=patient_id, kind="CALL", title=_("Booked online with a number that was not verified"),
                due_at=now, now=now, by=None, origin="portal", origin_id=f"unproved:{patient_id}",
            )  # fmt: skip


def _phones(patient_id: UUID) -> list[ContactValue]:
    return contact_values([patient_id], "phone").get(patient_id, [])
