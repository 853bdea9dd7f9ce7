"""The calendar: a day with a column for each practitioner or room, or one practitioner's week. One statement a page."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from careloop.accounts.access import requires
from careloop.audit import services as audit
from careloop.scheduling import holidays, selectors
from careloop.web.http import clinic_zone, respond
from careloop.web.screens.schedule import layout
from careloop.web.screens.schedule.common import (
    ABSENCES,
    ICONS,
    PARTS,
    POOLS,
    SESSION_STATES,
    STATES,
    TONES,
    address,
    bounds,
    calendar_url,
    clock,
    day_of,
    day_words,
    locations_of,
    seen_patients,
    shown_name,
    span,
    tabs,
    uuid_of,
    weekday,
    weekday_short,
)
from careloop.web.screens.schedule.layout import Column

DAYS_A_WEEK = 7


class FilterForm(forms.Form):
    """What the calendar shows; all of it stays in the address."""

    view = forms.CharField(required=False, widget=forms.HiddenInput)
    by = forms.CharField(required=False, widget=forms.HiddenInput)
    date = forms.CharField(required=False, label=gettext_lazy("Day"), widget=forms.DateInput(attrs={"type": "date"}))
    location = forms.ChoiceField(required=False, label=gettext_lazy("Clinic"))
    practitioner = forms.ChoiceField(required=False, label=gettext_lazy("Practitioner"))

    def __init__(self, *args: Any, locations: Any, practitioners: Any, one_must: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["location"].choices = [("", _("All")), *((one["id"], one["name"]) for one in locations)]  # type: ignore[attr-defined]
        everybody = [] if one_must else [("", _("Everybody"))]
        self.fields["practitioner"].choices = [*everybody, *((one["id"], one["name"]) for one in practitioners)]  # type: ignore[attr-defined]
        if len(locations) < 2:
            del self.fields["location"]


@requires("schedule.view")
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """A day or a week of the schedule."""
    member: Any = request.member  # type: ignore[attr-defined]
    now, zone = timezone.now(), clinic_zone(request)
    today = now.astimezone(zone).date()
    asked = {name: request.GET.get(name, "") for name in ("location", "practitioner")}
    is_week = request.GET.get("view") == "week"
    day = day_of(request.GET.get("date"), today)
    first = day - timedelta(days=day.weekday()) if is_week else day
    days = DAYS_A_WEEK if is_week else 1
    since, until = bounds(first, days, zone)
    limit = locations_of(request)
    found = selectors.calendar(
        since=since, until=until, now=now, limit=limit, location_id=uuid_of(asked["location"]),
        practitioner_id=None if is_week else uuid_of(asked["practitioner"]),
    )  # fmt: skip
    practitioner = _whose_week(found, asked["practitioner"], member) if is_week else asked["practitioner"]
    if is_week:
        _keep_one(found, practitioner)
    by = "room" if request.GET.get("by") == "room" and not is_week else "practitioner"
    kept = {"view": "week" if is_week else "", "by": "room" if by == "room" else "", "location": asked["location"],
            "practitioner": practitioner}  # fmt: skip
    closed = closed_days(member, first, days)
    frame = layout.frame(found["sessions"], zone)
    columns = (
        _days(found, first, today, closed, kept)
        if is_week
        else _people(found)
        if by == "practitioner"
        else _rooms(found)
    )
    here = request.get_full_path()
    for column in columns:
        _fill(column, found, frame, now=now, zone=zone, member=member, here=here)
    patients = [one for session in found["sessions"] for one in session["appointments"]]
    if patients:
        audit.record(
            "appointments.listed", patients=seen_patients(patients), details={"day": first.isoformat(), "days": days}
        )
    form = FilterForm(
        {**kept, "date": day.isoformat()},
        locations=found["locations"],
        practitioners=found["practitioners"],
        one_must=is_week,
    )
    context = {
        "columns": columns, "frame": frame, "hours": frame.hours(), "is_week": is_week, "by": by, "day": day, "form": form,
        "title": _week_words(first) if is_week else day_words(day), "weekday": weekday(day), "closed": closed.get(day, "") if not is_week else "",
        "previous_url": calendar_url(day - timedelta(days=days), **kept), "next_url": calendar_url(day + timedelta(days=days), **kept),
        "today_url": calendar_url(today, **kept), "is_today": first <= today < first + timedelta(days=days),
        "switches": _switches(day, kept, is_week, by), "tabs": tabs(member, "home"), "absences": _absences(found, zone),
        "is_empty": not found["sessions"], "has_any": bool(found["practitioners"]), "totals": _totals(found),
        "may_book": member.can("schedule.book"), "may_manage": member.can("schedule.manage"),
        "new_session_url": address("session_new", date=day.isoformat()),
    }  # fmt: skip
    return respond(request, "schedule/calendar.html", context)


def closed_days(member: Any, first: date, days: int) -> dict[date, str]:
    """Public holidays of these days, with their names; from the calendar alone, without asking the database."""
    profile = member.organization.legal_profile
    language = translation.get_language() or "zh-hant"
    every = [first + timedelta(days=offset) for offset in range(days)]
    return {day: name for day in every if (name := holidays.public_holidays(profile, day.year, language).get(day))}


def _whose_week(found: Any, asked: str, member: Any) -> str:
    """Whose week to show: who was asked for, or the first who has sessions in it."""
    known = {one["id"] for one in found["practitioners"]}
    if asked in known or uuid_of(asked):
        return asked
    busy = [str(one["practitioner_id"]) for one in found["sessions"]]
    return next((one for one in busy if one in known), found["practitioners"][0]["id"] if known else "")


def _keep_one(found: Any, practitioner: str) -> None:
    found["sessions"] = [
        one for one in found["sessions"] if practitioner in (str(one["practitioner_id"]), str(one["regular_id"]))
    ]
    found["absences"] = [one for one in found["absences"] if str(one["practitioner_id"]) == practitioner]


def _week_words(first: date) -> str:
    return _("%(first)s to %(last)s") % {"first": f"{first:%Y-%m-%d}", "last": f"{first + timedelta(days=6):%m-%d}"}


def _switches(day: date, kept: dict[str, Any], is_week: bool, by: str) -> list[dict[str, Any]]:
    rest = {**kept, "view": "", "by": ""}
    return [
        {"label": _("By practitioner"), "url": calendar_url(day, **rest), "is_current": not is_week and by == "practitioner"},
        {"label": _("By room"), "url": calendar_url(day, **{**rest, "by": "room"}), "is_current": by == "room"},
        {"label": _("Week"), "url": calendar_url(day, **{**rest, "view": "week"}), "is_current": is_week},
    ]  # fmt: skip


def _people(found: Any) -> list[Column]:
    columns: dict[Any, Column] = {}
    for one in found["sessions"]:
        column = columns.setdefault(one["practitioner_id"], Column(one["practitioner_id"], one["practitioner"]))
        column.sessions.append(one)
        if one["location"] not in column.sub:
            column.sub = f"{column.sub} · {one['location']}" if column.sub else one["location"]
    return sorted(columns.values(), key=lambda one: one.title)


def _rooms(found: Any) -> list[Column]:
    columns: dict[Any, Column] = {}
    for one in found["sessions"]:
        key = one["room_id"] or ("", one["practitioner_id"])
        title = one["room"] or _("No room: %(who)s") % {"who": one["practitioner"]}
        column = columns.setdefault(key, Column(key, title, sub=one["location"]))
        column.sessions.append(one)
    return sorted(columns.values(), key=lambda one: (one.sub, one.title))


def _days(found: Any, first: date, today: date, closed: dict[date, str], kept: dict[str, Any]) -> list[Column]:
    columns = []
    for offset in range(DAYS_A_WEEK):
        day = first + timedelta(days=offset)
        columns.append(
            Column(
                day, f"{day:%m-%d} {weekday_short(day)}", sub=closed.get(day, ""), is_today=day == today,
                sessions=[one for one in found["sessions"] if one["on_date"] == day],
                url=calendar_url(day, **{**kept, "view": ""}),
            )
        )  # fmt: skip
    return columns


def _fill(
    column: Column, found: Any, frame: layout.Frame, *, now: datetime, zone: ZoneInfo, member: Any, here: str
) -> None:
    """Put into a column what stands in it: absences, sessions, their appointments and free places, in the order of time."""
    may_book = member.can("schedule.book")
    items: list[dict[str, Any]] = []
    shown = []
    for session in column.sessions:
        head = session_head(session, zone, now=now)
        shown.append(head)
        items.append(
            {
                "kind": "band",
                "at": session["starts_at"],
                "order": 0,
                **head,
                **frame.place(session["starts_at"], session["ends_at"], zone),
            }
        )
        if session["state"] == "CLOSED":
            continue
        if session["mode"] == "NUMBERS":
            items.append({
                "kind": "numbers", "at": session["starts_at"], "order": 1, "numbers": numbers_shown(session, zone, now=now, may_book=may_book, here=here),
                "session": head, **frame.place(session["starts_at"], session["ends_at"], zone),
            })  # fmt: skip
            continue
        for one in layout.without_overlaps(session):
            items.append({"kind": "appointment", "at": one["starts_at"], "order": 1, **card(one, zone, here=here),
                          "may_move": may_book and one["state"] == "booked", **frame.place(one["starts_at"], one["ends_at"], zone)})  # fmt: skip
        if may_book:
            for start, end in layout.free_times(session, found["absences"], now=now):
                items.append({
                    "kind": "free", "at": start, "order": 2, "time": clock(start, zone), "session_id": session["id"], "moment": start.isoformat(),
                    "who": session["practitioner"], "url": address("book", session=session["id"], at=start.isoformat(), next=here),
                    **frame.place(start, end, zone),
                })  # fmt: skip
    items += _away(column, found, frame, zone)
    column.sessions = shown
    column.items = sorted(items, key=lambda one: (one["at"], one["order"]))


def _away(column: Column, found: Any, frame: layout.Frame, zone: ZoneInfo) -> list[dict[str, Any]]:
    """Absences inside the column's sessions: nobody is booked there."""
    items = []
    for session in column.sessions:
        for one in found["absences"]:
            start, end = max(one["starts_at"], session["starts_at"]), min(one["ends_at"], session["ends_at"])
            if one["practitioner_id"] == session["practitioner_id"] and start < end and session["state"] != "CLOSED":
                items.append({
                    "kind": "away", "at": start, "order": 1, "label": ABSENCES[one["kind"]], "note": one["note"], "time": span(start, end, zone),
                    **frame.place(start, end, zone),
                })  # fmt: skip
    return items


def session_head(session: dict[str, Any], zone: ZoneInfo, *, now: datetime) -> dict[str, Any]:
    """A session as headings say it."""
    taken = sum(layout.holds(one) for one in session["appointments"])
    return {
        "id": session["id"], "time": span(session["starts_at"], session["ends_at"], zone), "part": PARTS[session["part"]],
        "room": session["room"] or "", "location": session["location"], "practitioner": session["practitioner"],
        "regular": session["regular"] or "", "state": session["state"], "state_label": SESSION_STATES[session["state"]],
        "is_closed": session["state"] == "CLOSED", "is_finished": session["state"] == "FINISHED", "reason": session["closed_reason"],
        "taken": taken, "numbers": session["numbers"] if session["mode"] == "NUMBERS" else 0,
        "is_by_number": session["mode"] == "NUMBERS", "url": address("session", session["id"]),
        "pools": [{**one, "label": POOLS.get(one["pool"], "")} for one in layout.pools(session)] if session["mode"] == "NUMBERS" else [],
    }  # fmt: skip


def card(one: dict[str, Any], zone: ZoneInfo, *, here: str = "") -> dict[str, Any]:
    """An appointment as calendars and lists show it."""
    return {
        "id": one["id"], "name": shown_name(one), "time": clock(one["starts_at"], zone), "until": clock(one["ends_at"], zone),
        "service": one["service"], "state": one["state"], "state_label": STATES[one["state"]], "tone": TONES[one["state"]],
        "icon": ICONS[one["state"]], "is_confirmed": one["confirmed_at"] is not None, "is_first": one["is_first_visit"],
        "number": one["number"], "tint": one["colour"] % 5 + 1, "url": address("appointment", one["id"], next=here),
        "check_url": address("move_check", one["id"]), "move_url": address("move", one["id"], next=here),
        "long": one["ends_at"] - one["starts_at"] >= timedelta(minutes=30),
    }  # fmt: skip


def numbers_shown(
    session: dict[str, Any], zone: ZoneInfo, *, now: datetime, may_book: bool, here: str
) -> list[dict[str, Any]]:
    shown = []
    for one in layout.numbers(session, now=now):
        taken = card(one["appointment"], zone, here=here) if one["appointment"] else None
        book = ""
        if one["is_free"] and may_book:
            book = address("book", session=session["id"], number=one["number"], pool=one["pool"], next=here)
        shown.append({**one, "card": taken, "book_url": book, "pool_label": POOLS.get(one["pool"], "")})
    return shown


def _absences(found: Any, zone: ZoneInfo) -> list[dict[str, Any]]:
    """Who is away, above the calendar: also those who have no session to show it in."""
    return [
        {"who": one["practitioner"], "label": ABSENCES[one["kind"]], "note": one["note"],
         "time": f"{one['starts_at'].astimezone(zone):%m-%d %H:%M} – {one['ends_at'].astimezone(zone):%m-%d %H:%M}"}
        for one in found["absences"]
    ]  # fmt: skip


def _totals(found: Any) -> dict[str, int]:
    every = [one for session in found["sessions"] for one in session["appointments"]]
    return {
        "booked": sum(layout.holds(one) for one in every), "here": sum(one["state"] in ("arrived", "checked-in") for one in every),
        "seen": sum(one["state"] == "fulfilled" for one in every), "missed": sum(one["state"] == "noshow" for one in every),
    }  # fmt: skip
