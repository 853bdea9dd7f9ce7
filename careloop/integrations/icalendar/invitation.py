"""One appointment for the patient's own calendar (RFC 5546): put in, moved, taken out again.

It stands in a calendar that others may see, so it says that there is an appointment at the clinic, with whom and where, and
never what for.
"""

from collections.abc import Sequence
from datetime import timedelta
from email.utils import parseaddr
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from careloop.integrations.icalendar import meetings, writing
from careloop.messaging.models import ChannelAccount
from careloop.messaging.ports import Attachment
from careloop.messaging.ready import Ready
from careloop.scheduling.models import Appointment
from careloop.tenancy.models import Organization

IN_MAIL = frozenset({
    "visit-booked", "visit-moved", "visit-substitute", "visit-cancelled-patient", "visit-cancelled-clinic", "visit-closed",
})  # fmt: skip
"""Texts that put a visit into a calendar, move it there or take it out; a reminder tells nothing new."""


def for_mails(ready: Sequence[Ready]) -> dict[UUID, Attachment]:
    """Return the calendar file of each message that tells of a visit booked, moved or called off (RFC 6047)."""
    wanted = {one.outgoing.key: one for one in ready if one.template in IN_MAIL and one.appointment_id is not None}
    if not wanted:
        return {}
    visits = Appointment.objects.select_related("practitioner", "location").in_bulk(
        [one.appointment_id for one in wanted.values()]
    )
    return {
        key: Attachment(
            "appointment.ics", f'text/calendar; charset=utf-8; method={method(visit)}; name="appointment.ics"',
            invitation(visit, language=_language(one.outgoing.language), attendee=one.outgoing.to),
        )
        for key, one in wanted.items()
        if (visit := visits.get(one.appointment_id))
    }  # fmt: skip


def _language(tag: str) -> str:
    """Our code of a language from the tag on a message (`zh-Hant`)."""
    return tag.lower()


def method(appointment: Appointment) -> str:
    """Return what the file asks of a calendar: REQUEST puts in or moves, CANCEL takes out."""
    return "CANCEL" if meetings.STATUS.get(appointment.state) == "CANCELLED" else "REQUEST"


def invitation(appointment: Appointment, *, language: str = "", attendee: str = "") -> bytes:
    """Return the appointment as a calendar file. A later one has the same UID and, after a change, a higher SEQUENCE.

    Args:
        language: of the words; the clinic's when empty.
        attendee: the patient's e-mail address, where the file is sent to it: mail programs then offer to add it with a tap.
    """
    clinic = Organization.objects.get(pk=appointment.organization_id)
    zone = ZoneInfo(clinic.time_zone)
    day = appointment.starts_at.astimezone(zone).date()
    asked = method(appointment)
    with translation.override(language or clinic.language):
        lines = [
            *writing.time_zone(zone, day - timedelta(days=2), day + timedelta(days=2)),
            *meetings.event(
                kind="appointment", key=appointment.pk, starts_at=appointment.starts_at, ends_at=appointment.ends_at, zone=zone,
                stamp=appointment.changed_at, changed_at=appointment.changed_at, sequence=appointment.sequence,
                status=meetings.STATUS.get(appointment.state, "TENTATIVE"),
                summary=_("Appointment at %(clinic)s") % {"clinic": clinic.name}, place=_place(appointment),
                lines=[
                    writing.instant("CREATED", appointment.created_at),
                    f"ORGANIZER;CN={writing.parameter(clinic.name)}:mailto:{_organizer()}",
                    *([_attendee(attendee)] if attendee else []),
                    writing.text("DESCRIPTION", _description(appointment, clinic)),
                    "TRANSP:OPAQUE", "CLASS:PRIVATE",
                ],
            ),
        ]  # fmt: skip
    return writing.calendar(lines, method=asked)


def _description(appointment: Appointment, clinic: Organization) -> str:
    sentences = [_("With %(practitioner)s.") % {"practitioner": appointment.practitioner.name}]
    if appointment.number:
        sentences.append(_("Your number is %(number)d.") % {"number": appointment.number})
    if phone := appointment.location.phone or clinic.phone:
        sentences.append(_("To move or cancel it, call %(phone)s.") % {"phone": phone})
    return "\n".join(sentences)


def _place(appointment: Appointment) -> str:
    return ", ".join(filter(None, (appointment.location.name, appointment.location.address)))


def _attendee(address: str) -> str:
    return f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=FALSE:mailto:{writing.plain(address).strip()}"


def _organizer() -> str:
    """The address the clinic writes from: a calendar takes a change only from the organizer it knows."""
    settings_of_mail = (
        ChannelAccount.objects.filter(kind="email", channel="email")
        .order_by("-enabled", "created_at")
        .values_list("settings", flat=True)
        .first()
    )
    return parseaddr(str((settings_of_mail or {}).get("from_address") or settings.DEFAULT_FROM_EMAIL))[1]
