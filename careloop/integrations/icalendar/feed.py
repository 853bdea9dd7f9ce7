"""A practitioner's calendar: sessions and appointments of the past 30 and the next 120 days.

It leaves the clinic's walls for a telephone or a stranger's server, so an appointment says who comes (masked, only where the
link allows it) or what for, never both.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from careloop.integrations.icalendar import meetings, writing
from careloop.integrations.icalendar.links import Opened
from careloop.integrations.icalendar.models import CalendarLink
from careloop.kernel import sql
from careloop.kernel.masking import mask_name
from careloop.scheduling.models import PartOfDay

PAST, AHEAD = timedelta(days=30), timedelta(days=120)
# a called-off appointment is shown as such for so long, so that every program takes it away
SHOWN_CANCELLED = timedelta(days=30)
# told to calendar programs, which otherwise ask once a day or every minute
REFRESH = "PT15M"


@dataclass(frozen=True)
class Rows:
    """What a calendar holds now. `digest` changes when, and only when, the file does."""

    sessions: list[dict[str, Any]]
    appointments: list[dict[str, Any]]
    digest: bytes

    @property
    def patients(self) -> list[UUID]:
        """Patients whose names the file tells."""
        return sorted({one["patient_id"] for one in self.appointments if one["patient"]})


def rows(door: Opened, *, now: datetime) -> Rows:
    """Read what the link's calendar holds."""
    zone = ZoneInfo(door.organization.time_zone)
    # from midnight to midnight: what is shown changes once a day, not with every ask
    today = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    window = {
        "practitioner": door.practitioner.pk, "since": today - PAST, "until": today + AHEAD,
        "cancelled_since": today - SHOWN_CANCELLED, "with_names": door.link.with_names, "locations": door.link.locations or None,
    }  # fmt: skip
    sessions, appointments = sql.rows(_SESSIONS, window), sql.rows(_APPOINTMENTS, window)
    about = (
        door.practitioner.name, door.organization.name, door.organization.language, zone.key, door.link.with_names,
        today.date(), [tuple(one.values()) for one in (*sessions, *appointments)],
    )  # fmt: skip
    return Rows(sessions, appointments, hashlib.sha256(repr(about).encode()).digest())


_SESSIONS = """
    select s.id, s.starts_at, s.ends_at, s.part, s.mode, s.state, s.version, l.name as location, l.address,
           coalesce(r.name, '') as room
      from scheduling_session s join tenancy_location l on l.id = s.location_id
      left join scheduling_resource r on r.id = s.room_id
     where s.practitioner_id = %(practitioner)s and s.starts_at >= %(since)s and s.starts_at < %(until)s
     order by s.starts_at, s.id"""

# a hold or an offer that came to nothing never was an appointment of the practitioner's
_APPOINTMENTS = """
    select a.id, a.patient_id, a.starts_at, a.ends_at, a.number, a.state, a.sequence, a.created_at, a.changed_at,
           l.name as location, l.address, coalesce(r.name, '') as room, v.name as service, v.names as services,
           case when %(with_names)s and (%(locations)s::uuid[] is null or p.home_location_id = any(%(locations)s::uuid[]))
                then p.name else '' end as patient
      from scheduling_appointment a join scheduling_service v on v.id = a.service_id
      join tenancy_location l on l.id = a.location_id join patients_patient p on p.id = a.patient_id
      left join scheduling_resource r on r.id = a.room_id
     where a.practitioner_id = %(practitioner)s and a.starts_at >= %(since)s and a.starts_at < %(until)s
       and (a.state in ('proposed', 'pending', 'booked', 'arrived', 'checked-in', 'fulfilled', 'noshow')
            or (a.state = 'cancelled' and a.cancel_reason not in ('hold-expired', 'declined') or a.state = 'entered-in-error')
               and a.changed_at >= %(cancelled_since)s)
     order by a.starts_at, a.number, a.id"""


def noticed(link: CalendarLink, found: Rows, *, now: datetime) -> datetime:
    """Return since when the calendar is as it is, as far as anybody asked: sessions do not note when they changed."""
    if link.digest is None or bytes(link.digest) != found.digest or link.changed_at is None:
        link.digest, link.changed_at = found.digest, now.replace(microsecond=0)
        link.save(update_fields=["digest", "changed_at"])
    return link.changed_at


def write(door: Opened, found: Rows, *, now: datetime) -> bytes:
    """Return the calendar as a file, in the clinic's language."""
    zone = ZoneInfo(door.organization.time_zone)
    today = now.astimezone(zone).date()
    name = f"{door.practitioner.name} · {door.organization.name}"
    with translation.override(door.organization.language):
        lines = [
            writing.text("NAME", name), writing.text("X-WR-CALNAME", name), f"X-WR-TIMEZONE:{zone.key}",
            f"REFRESH-INTERVAL;VALUE=DURATION:{REFRESH}", f"X-PUBLISHED-TTL:{REFRESH}",
            *writing.time_zone(zone, today - PAST - timedelta(days=2), today + AHEAD + timedelta(days=2)),
        ]  # fmt: skip
        for one in found.sessions:
            lines.extend(_session(one, zone))
        for one in found.appointments:
            lines.extend(_appointment(one, zone, language=door.organization.language))
    return writing.calendar(lines)


def _session(row: dict[str, Any], zone: ZoneInfo) -> writing.Lines:
    part = PartOfDay(row["part"]).label
    summary = _("Session: %(part)s, %(place)s") % {"part": part, "place": row["room"] or row["location"]}
    return meetings.event(
        kind="session", key=row["id"], starts_at=row["starts_at"], ends_at=row["ends_at"], zone=zone, stamp=_made(row["id"]),
        sequence=row["version"] - 1, status="CANCELLED" if row["state"] == "CLOSED" else "CONFIRMED", summary=summary,
        place=place(row),
        # the session is what makes the practitioner busy; its appointments lie inside it
        lines=["TRANSP:TRANSPARENT" if row["state"] == "CLOSED" else "TRANSP:OPAQUE", "CLASS:PRIVATE"],
    )  # fmt: skip


def _appointment(row: dict[str, Any], zone: ZoneInfo, *, language: str) -> writing.Lines:
    return meetings.event(
        kind="appointment", key=row["id"], starts_at=row["starts_at"], ends_at=row["ends_at"], zone=zone,
        stamp=row["changed_at"], changed_at=row["changed_at"], sequence=row["sequence"], status=meetings.STATUS[row["state"]],
        summary=_summary(row, language), place=place(row),
        lines=[writing.instant("CREATED", row["created_at"]), "TRANSP:TRANSPARENT", "CLASS:PRIVATE"],
    )  # fmt: skip


def _summary(row: dict[str, Any], language: str) -> str:
    what = mask_name(row["patient"]) if row["patient"] else (row["services"] or {}).get(language) or row["service"]
    if row["number"]:
        what = _("No. %(number)d, %(what)s") % {"number": row["number"], "what": what}
    words = {
        "proposed": pgettext("appointment", "offered"), "pending": pgettext("appointment", "held"),
        "noshow": pgettext("appointment", "did not come"), "cancelled": pgettext("appointment", "cancelled"),
        "entered-in-error": pgettext("appointment", "cancelled"),
    }  # fmt: skip
    return f"{what} ({words[row['state']]})" if row["state"] in words else what


def place(row: dict[str, Any]) -> str:
    """Return where it is, in one line."""
    return ", ".join(filter(None, (row["room"], row["location"], row["address"])))


def _made(key: UUID) -> datetime:
    """When a row was made: its id begins with the milliseconds (UUIDv7)."""
    return datetime.fromtimestamp((key.int >> 80) / 1000, UTC)
