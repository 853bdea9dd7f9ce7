"""A patient's visits as the patient sees them: what is coming, what was, and what can still be changed."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.utils import translation
from django.utils.translation import gettext as _

from careloop.kernel import sql
from careloop.portal.errors import NotYours
from careloop.scheduling.models import Appointment

SHOWN_PAST = 50
_COLUMNS = """
select a.id, a.state, a.starts_at, a.ends_at, a.number, a.confirmed_at, a.version, a.sequence, a.cancel_reason, a.service_id,
       v.name, v.names, v.change_minutes, v.is_active and v.is_online as can_book, p.name as practitioner, l.name as location,
       l.address, l.phone, s.starts_at as session_starts_at, s.mode, (s.regular_id is not null and s.regular_id <> s.practitioner_id) as has_substitute
  from scheduling_appointment a
  join scheduling_service v on v.id = a.service_id
  join records_practitioner p on p.id = a.practitioner_id
  join tenancy_location l on l.id = a.location_id
  join scheduling_session s on s.id = a.session_id
"""


def upcoming(patient_id: UUID, *, now: datetime, zone: ZoneInfo, limit: int = 20) -> list[dict[str, Any]]:
    """Return the visits before this patient, the next one first; one in the middle of its session is still before them."""
    found = sql.rows(
        f"""{_COLUMNS} where a.patient_id = %(patient)s
               and (a.state in ('booked', 'arrived', 'checked-in') and s.ends_at > %(now)s)
             order by a.starts_at limit %(limit)s""",
        {"patient": patient_id, "now": now, "limit": limit},
    )
    return [_shown(row, now=now, zone=zone) for row in found]


def past(patient_id: UUID, *, now: datetime, zone: ZoneInfo) -> list[dict[str, Any]]:
    """Return what was, the latest first. A hold nobody was told of is no visit."""
    found = sql.rows(
        f"""{_COLUMNS} where a.patient_id = %(patient)s
               and (a.state in ('fulfilled', 'noshow')
                    or (a.state = 'cancelled' and a.cancel_reason not in ('hold-expired', 'declined'))
                    or (a.state in ('booked', 'arrived', 'checked-in') and s.ends_at <= %(now)s))
             order by a.starts_at desc limit %(limit)s""",
        {"patient": patient_id, "now": now, "limit": SHOWN_PAST},
    )
    return [_shown(row, now=now, zone=zone) for row in found]


def one(patient_id: UUID, appointment_id: UUID, *, now: datetime, zone: ZoneInfo) -> dict[str, Any]:
    """Return one visit of this patient.

    Raises:
        NotYours: there is none, or it is somebody else's: the answer is the same.
    """
    found = sql.row(
        f"""{_COLUMNS} where a.id = %(id)s and a.patient_id = %(patient)s
               and a.state not in ('pending', 'proposed', 'waitlist', 'entered-in-error')""",
        {"id": appointment_id, "patient": patient_id},
    )
    if found is None:
        raise NotYours
    return _shown(found, now=now, zone=zone)


def _shown(row: dict[str, Any], *, now: datetime, zone: ZoneInfo) -> dict[str, Any]:
    is_booked = row["state"] == Appointment.State.BOOKED
    language = translation.get_language() or ""
    return {
        **row,
        "service": row["names"].get(language) or row["name"],
        "at": row["starts_at"].astimezone(zone),
        "session_at": row["session_starts_at"].astimezone(zone),
        "label": _label(row["state"]),
        "tone": {"fulfilled": "success", "cancelled": "neutral", "noshow": "warning"}.get(row["state"], "info"),
        "may_confirm": is_booked and row["confirmed_at"] is None and row["starts_at"] > now,
        # the rule is asked again when it is done
        "may_change": is_booked and row["starts_at"] >= now + timedelta(minutes=row["change_minutes"]),
        "in_calendar": row["starts_at"] > now and row["state"] in ("booked", "cancelled"),
        "has_number": row["state"] in ("booked", "arrived", "checked-in")
        and row["starts_at"].astimezone(zone).date() == now.astimezone(zone).date(),
        "too_late": is_booked and now < row["starts_at"] < now + timedelta(minutes=row["change_minutes"]),
    }


def _label(state: str) -> str:
    return {
        "booked": _("Booked"), "arrived": _("You are here"), "checked-in": _("You are here"), "fulfilled": _("Seen"),
        "cancelled": _("Cancelled"), "noshow": _("Missed"),
    }.get(state, str(Appointment.State(state).label))  # fmt: skip


def can_book_online() -> bool:
    """Whether there is anything that patients can book by themselves."""
    return bool(sql.value("select 1 from scheduling_service where is_active and is_online limit 1"))
