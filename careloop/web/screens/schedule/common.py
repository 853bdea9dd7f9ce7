"""What the schedule's screens share: whose sessions a member sees, times in words, states in colours."""

from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from django.http import Http404, HttpRequest
from django.urls import reverse
from django.utils.dates import WEEKDAYS, WEEKDAYS_ABBR
from django.utils.translation import gettext as _

from careloop.accounts.scope import at_home, current_location_ids
from careloop.kernel import sql
from careloop.kernel.masking import mask_name
from careloop.scheduling.availability import Free
from careloop.scheduling.models import Absence, Appointment, PartOfDay, Pool, Session

STATES = dict(Appointment.State.choices)
SOURCES = dict(Appointment.Source.choices)
REASONS = dict(Appointment.Cancelled.choices)
SESSION_STATES = dict(Session.State.choices)
POOLS = dict(Pool.choices)
PARTS = dict(PartOfDay.choices)
ABSENCES = dict(Absence.Kind.choices)

TONES = {
    "proposed": "neutral", "pending": "neutral", "booked": "accent", "arrived": "info", "checked-in": "info", "fulfilled": "success",
    "noshow": "danger", "cancelled": "neutral", "waitlist": "neutral", "entered-in-error": "neutral",
}  # fmt: skip
ICONS = {
    "proposed": "hourglass", "pending": "hourglass", "booked": "calendar", "arrived": "door-enter", "checked-in": "user-check",
    "fulfilled": "circle-check", "noshow": "user-x", "cancelled": "calendar-off", "waitlist": "list-check", "entered-in-error": "eraser",
}  # fmt: skip


def locations_of(request: HttpRequest) -> list[UUID] | None:
    """The branches the member is limited to; None: all."""
    return current_location_ids()


def uuid_of(text: str | None) -> UUID | None:
    """An id from an address; anything else is none."""
    try:
        return UUID(text or "")
    except ValueError:
        return None


def day_of(text: str | None, otherwise: date) -> date:
    """A day from an address, within reason."""
    try:
        found = date.fromisoformat(text or "")
    except ValueError:
        return otherwise
    return found if 2000 <= found.year <= 2100 else otherwise


def moment_of(text: str | None) -> datetime | None:
    """A moment from an address, with its zone."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo is not None and 2000 <= found.year <= 2100 else None


def bounds(first: date, days: int, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The clinic's midnight before the first day and the one after the last."""
    return datetime.combine(first, time.min, zone), datetime.combine(first + timedelta(days=days), time.min, zone)


def weekday(day: date) -> str:
    return str(WEEKDAYS[day.weekday()])


def weekday_short(day: date) -> str:
    return str(WEEKDAYS_ABBR[day.weekday()])


def day_words(day: date) -> str:
    """A day as lists say it: 2026-03-17 (Tue)."""
    return _("%(day)s (%(weekday)s)") % {"day": f"{day:%Y-%m-%d}", "weekday": weekday_short(day)}


def clock(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%H:%M}"


def span(starts_at: datetime, ends_at: datetime, zone: ZoneInfo) -> str:
    return f"{clock(starts_at, zone)}–{clock(ends_at, zone)}"


def when_words(row: Any, zone: ZoneInfo) -> str:
    """When an appointment is: day, time, and its number if it has one."""
    local = row["starts_at"].astimezone(zone)
    if row.get("number"):
        return _("%(day)s, number %(number)d (about %(time)s)") % {
            "day": day_words(local.date()), "number": row["number"], "time": f"{local:%H:%M}",
        }  # fmt: skip
    return f"{day_words(local.date())} {local:%H:%M}"


def place_words(place: Free, zone: ZoneInfo) -> str:
    """A free place, as its button says it."""
    local = place.starts_at.astimezone(zone)
    if place.number is not None:
        return _("%(day)s %(part)s, number %(number)d, %(who)s") % {
            "day": day_words(local.date()), "part": PARTS[place.part], "number": place.number, "who": place.practitioner,
        }  # fmt: skip
    return _("%(day)s %(time)s, %(who)s") % {
        "day": day_words(local.date()), "time": f"{local:%H:%M}", "who": place.practitioner,
    }  # fmt: skip


def place_key(place: Free) -> str:
    """A free place as the value of a button."""
    return f"{place.session_id}|{place.starts_at.isoformat() if place.number is None else ''}"


def read_place(text: str) -> tuple[UUID | None, datetime | None]:
    """What `place_key` wrote."""
    session, _bar, at = text.partition("|")
    return uuid_of(session), moment_of(at)


def shown_name(row: Any) -> str:
    """A patient's name, masked for a member of another branch; whoever is just booking online has none yet."""
    if row["patient_id"] is None:
        return _("being booked online")
    return str(row["name"]) if row["is_visible"] else mask_name(str(row["name"]))


def seen_patients(rows: list[Any]) -> list[UUID]:
    """Whose data a page shows, for its note in the audit log."""
    return sorted({row["patient_id"] for row in rows if row["patient_id"]})


def patient_or_404(patient_id: UUID) -> dict[str, Any]:
    """The patient somebody books for, if the member may see them."""
    home, limited = at_home("home_location_id")
    found = sql.row(
        f"""select id, name, sex, birth_date, birth_precision, chart_number, deceased, active from patients_patient
             where id = %(id)s and merged_into_id is null{home}""",
        {"id": patient_id, **limited},
    )
    if found is None:
        raise Http404
    return found


def address(name: str, *ids: Any, **query: Any) -> str:
    """An address with what is known of the query."""
    kept = {key: str(value) for key, value in query.items() if value not in (None, "")}
    return reverse(f"schedule:{name}", args=ids) + (f"?{urlencode(kept)}" if kept else "")


def calendar_url(day: date, **query: Any) -> str:
    return address("home", date=day.isoformat(), **query)


def tabs(member: Any, current: str) -> list[dict[str, Any]]:
    """The parts of the schedule, each for those who may see it."""
    parts = [
        ("home", _("Calendar"), "schedule.view"), ("find", _("Find a place"), "schedule.book"), ("waitlist", _("Waitlist"), "schedule.view"),
        ("missed", _("Did not come"), "schedule.view"),
        ("advice", _("Demand"), "schedule.view"), ("setup", _("Set-up"), "schedule.manage"),
    ]  # fmt: skip
    return [
        {"label": label, "url": reverse(f"schedule:{name}"), "is_current": name == current}
        for name, label, permission in parts
        if member.can(permission)
    ]


def offer_choices(fields: dict[str, Any], known: dict[str, Any]) -> None:
    """Give the fields of a form that asks for a place what there is to choose: services, practitioners, branches, days of the week.

    With one branch there is nothing to ask.
    """
    pairs = {
        name: [(one["id"], one["name"]) for one in known[name]] for name in ("services", "practitioners", "locations")
    }
    fields["service"].choices = pairs["services"]
    fields["practitioner"].choices = [("", _("Anybody")), *pairs["practitioners"]]
    fields["location"].choices = [("", _("Any")), *pairs["locations"]]
    fields["weekdays"].choices = [(day, WEEKDAYS_ABBR[day - 1]) for day in range(1, 8)]
    if len(pairs["locations"]) < 2:
        del fields["location"]
