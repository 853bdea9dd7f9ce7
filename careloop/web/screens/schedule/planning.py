"""Who is there when: the weeks, absences, holidays and the clinic's own word on a day."""

import calendar as months
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone, translation
from django.utils.dates import MONTHS, WEEKDAYS_ABBR
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from careloop.accounts.access import requires
from careloop.kernel.errors import DomainError
from careloop.scheduling import catalogue, holidays, planning, selectors, sessions
from careloop.scheduling.models import Absence, Mode, Template
from careloop.web.http import clinic_zone, redirect_to, respond
from careloop.web.screens.schedule.board import set_up_choices
from careloop.web.screens.schedule.common import (
    ABSENCES,
    POOLS,
    WEEKDAYS,
    address,
    day_of,
    day_words,
    locations_of,
    span,
    uuid_of,
)
from careloop.web.screens.schedule.forms import AbsenceForm, DayForm, EndForm, Pools, TemplateForm, pools_of
from careloop.web.screens.schedule.setup import set_up_tabs


def _today(request: HttpRequest) -> date:
    return timezone.now().astimezone(clinic_zone(request)).date()


# -- weeks ----------------------------------------------------------------------------------------------------------


@requires("schedule.manage")
@require_GET
def week(request: HttpRequest) -> HttpResponse:
    """A practitioner's week; without one, everybody's below each other."""
    today, limit = _today(request), locations_of(request)
    who = uuid_of(request.GET.get("practitioner"))
    rows = [
        one
        for one in selectors.templates(on=today, practitioner_id=who)
        if limit is None or one["location_id"] in limit
    ]
    people = [one for one in selectors.practitioners() if one["is_active"]]
    shown = [one for one in people if who in (None, one["id"])]
    weeks = [
        {
            "id": one["id"], "name": one["name"], "specialty": one["specialty"],
            "days": [
                {"label": WEEKDAYS[day - 1], "ones": [_template(row) for row in rows if row["practitioner_id"] == one["id"] and row["weekday"] == day],
                 "new_url": address("template_new", practitioner=one["id"], weekday=day)}
                for day in range(1, 8)
            ],
            "has_any": any(row["practitioner_id"] == one["id"] for row in rows),
        }
        for one in shown
    ]  # fmt: skip
    # who has a week stands before who has none
    weeks.sort(key=lambda one: not one["has_any"])
    context = {"weeks": weeks, "people": people, "who": who, "parts": set_up_tabs("week")}
    return respond(request, "schedule/week.html", context)


def _template(row: dict[str, Any]) -> dict[str, Any]:
    by_number = row["mode"] == Mode.NUMBERS
    return {
        "url": address("template", row["id"]), "time": f"{row['starts']:%H:%M}–{row['ends']:%H:%M}", "location": row["location"], "room": row["room"] or "",
        "how": _("%(count)d numbers") % {"count": row["numbers"]} if by_number else _("every %(minutes)d min") % {"minutes": row["slot_minutes"]},
        "from": row["valid_from"], "to": row["valid_to"], "on_holidays": row["on_holidays"],
    }  # fmt: skip


@requires("schedule.manage")
def template(request: HttpRequest, template_id: UUID | None = None) -> HttpResponse:
    """Make or change one session of a week; dated sessions without patients follow at once."""
    limit = locations_of(request)
    found = Template.objects.filter(pk=template_id).first() if template_id else None
    if template_id and (found is None or (limit is not None and found.location_id not in limit)):
        raise Http404
    now = timezone.now()
    known: Any = set_up_choices(limit)
    known["services"] = [(str(one["id"]), one["name"]) for one in selectors.services() if one["is_active"]]
    posted = request.POST if request.method == "POST" else None
    form = TemplateForm(posted, initial=_template_values(found, request), **known)
    pools = Pools(posted, initial=found.pools if found else [], prefix="pool")
    if posted is not None and all([form.is_valid(), pools.is_valid()]):
        values = form.values()
        values["pools"] = pools_of(pools) if values["mode"] == Mode.NUMBERS else []
        try:
            made = planning.set_template(template_id=template_id, values=values, now=now, by=request.member.user_id)  # type: ignore[attr-defined]
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            left = len(selectors.different(made.pk, now=now))
            if left:
                said = ngettext(
                    "The week is saved. %(count)d session with patients stays as it was; look at it below.",
                    "The week is saved. %(count)d sessions with patients stay as they were; look at them below.", left,
                ) % {"count": left}  # fmt: skip
                return redirect_to(request, address("template", made.pk), message=said, tone="warning")
            return redirect_to(
                request, address("week", practitioner=made.practitioner_id), message=_("The week is saved.")
            )
    zone = clinic_zone(request)
    different = [
        {"day": day_words(one["on_date"]), "time": span(one["starts_at"], one["ends_at"], zone), "booked": one["booked"], "url": address("session", one["id"])}
        for one in (selectors.different(found.pk, now=now) if found else [])
    ]  # fmt: skip
    context = {
        "form": form, "pools": pools, "found": found, "different": different, "parts": set_up_tabs("week"),
        "title": _("A session of the week") if found else _("New session of a week"), "pool_names": POOLS,
        "back_url": address("week", practitioner=found.practitioner_id if found else request.GET.get("practitioner", "")),
    }  # fmt: skip
    return respond(request, "schedule/template.html", context, status=422 if posted is not None else 200)


def _template_values(found: Template | None, request: HttpRequest) -> dict[str, Any]:
    if found is None:
        asked = request.GET.get("weekday", "")
        return {
            "practitioner": request.GET.get("practitioner", ""),
            "weekday": int(asked) if asked in "1234567" and asked else 1,
            "valid_from": _today(request),
        }
    fields = ("weekday", "starts", "ends", "mode", "slot_minutes", "numbers", "valid_from", "valid_to", "on_holidays")
    return {
        **{name: getattr(found, name) for name in fields}, "practitioner": str(found.practitioner_id), "location": str(found.location_id),
        "room": str(found.room_id or ""), "services": [str(one) for one in found.services],
    }  # fmt: skip


@requires("schedule.manage")
def end(request: HttpRequest, template_id: UUID) -> HttpResponse:
    """Let a session of the week end; sessions with patients stay until somebody decides."""
    limit = locations_of(request)
    found = Template.objects.filter(pk=template_id).first()
    if found is None or (limit is not None and found.location_id not in limit):
        raise Http404
    form = EndForm(request.POST or None, initial={"last": _today(request)})
    week_url = address("week", practitioner=found.practitioner_id)
    if request.method == "POST" and form.is_valid():
        left = planning.end_template(
            template_id=template_id,
            last=form.cleaned_data["last"],
            now=timezone.now(),
            by=request.member.user_id,  # type: ignore[attr-defined]
        )  # type: ignore[attr-defined]
        if left:
            said = ngettext(
                "The session ends. %(count)d later one stays because patients are booked.", "The session ends. %(count)d later ones stay because patients are booked.", left,
            ) % {"count": left}  # fmt: skip
            return redirect_to(request, week_url, message=said, tone="warning")
        return redirect_to(request, week_url, message=_("The session of the week ends."))
    context = {
        "title": _("End this session of the week?"), "text": _("Later sessions without patients are removed at once; those with patients stay, and are shown."),
        "label": _("End it"), "tone": "danger", "form": form, "action": request.path, "hidden": [],
        "facts": [{"label": _("Weekday"), "value": WEEKDAYS[found.weekday - 1]}, {"label": _("Time"), "value": f"{found.starts:%H:%M}–{found.ends:%H:%M}"}],
        "cancel_url": address("template", template_id), "back_url": address("template", template_id), "back_label": _("A session of the week"),
    }  # fmt: skip
    return respond(
        request,
        "schedule/ask.html",
        context,
        fragment="schedule/_ask.html",
        status=422 if request.method == "POST" else 200,
    )


# -- absences -------------------------------------------------------------------------------------------------------


@requires("schedule.manage")
@require_GET
def absences(request: HttpRequest) -> HttpResponse:
    """Who is away from today on, and how many patients are still booked with them."""
    zone = clinic_zone(request)
    rows = [{**one, "kind_label": ABSENCES[one["kind"]], "time": _stretch(one, zone), "url": address("absence", one["id"])}
            for one in selectors.absences(since=timezone.now())]  # fmt: skip
    return respond(request, "schedule/absences.html", {"rows": rows, "parts": set_up_tabs("absences")})


def _stretch(one: Any, zone: Any) -> str:
    """A stretch of time, in days when it is whole days."""
    start, end = one["starts_at"].astimezone(zone), one["ends_at"].astimezone(zone)
    if (start.hour, start.minute, end.hour, end.minute) == (0, 0, 0, 0):
        last = end.date() - timedelta(days=1)
        return day_words(start.date()) if last == start.date() else f"{day_words(start.date())} – {day_words(last)}"
    if start.date() == end.date():
        return f"{day_words(start.date())} {start:%H:%M}–{end:%H:%M}"
    return f"{day_words(start.date())} {start:%H:%M} – {day_words(end.date())} {end:%H:%M}"


@requires("schedule.manage")
def absence_new(request: HttpRequest) -> HttpResponse:
    """Note an absence; then say what happens to its sessions."""
    people = [(str(one["id"]), one["name"]) for one in selectors.practitioners() if one["is_active"]]
    initial = {
        "first": day_of(request.GET.get("date"), _today(request)),
        "practitioner": request.GET.get("practitioner", ""),
    }
    form = AbsenceForm(request.POST or None, initial=initial, people=people)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        start, ends = form.bounds(clinic_zone(request))
        made = sessions.add_absence(
            practitioner_id=UUID(given["practitioner"]), starts_at=start, ends_at=ends, kind=given["kind"], note=given["note"],
            now=timezone.now(), by=request.member.user_id,  # type: ignore[attr-defined]
        )  # fmt: skip
        return redirect_to(
            request, address("absence", made.pk), message=_("The absence is noted; nobody new is booked in this time.")
        )
    context = {
        "form": form, "title": _("New absence"), "label": _("Note the absence"), "back_url": address("absences"), "back_label": _("Absences"),
        "lead": _("Patients who are booked already stay booked until you decide: the next page lists their sessions."),
    }  # fmt: skip
    return respond(request, "schedule/form.html", context, status=422 if request.method == "POST" else 200)


@requires("schedule.manage")
@require_GET
def absence(request: HttpRequest, absence_id: UUID) -> HttpResponse:
    """One absence with the sessions it touches, each with what can be done."""
    found = Absence.objects.filter(pk=absence_id).select_related("practitioner").first()
    if found is None:
        raise Http404
    zone = clinic_zone(request)
    rows = [
        {**one, "day": day_words(one["on_date"]), "time": span(one["starts_at"], one["ends_at"], zone), "url": address("session", one["id"])}
        for one in sessions.affected(absence_id)
    ]  # fmt: skip
    context = {
        "one": found, "name": found.practitioner.name, "kind": ABSENCES[found.kind], "rows": rows, "is_ours": found.source == "staff",
        "time": _stretch({"starts_at": found.starts_at, "ends_at": found.ends_at}, zone), "booked": sum(one["booked"] for one in rows),
    }  # fmt: skip
    return respond(request, "schedule/absence.html", context)


@requires("schedule.manage")
@require_POST
def absence_remove(request: HttpRequest, absence_id: UUID) -> HttpResponse:
    """Take an absence back."""
    if not Absence.objects.filter(pk=absence_id).exists():
        raise Http404
    catalogue.remove_absence(absence_id=absence_id, now=timezone.now(), by=request.member.user_id)  # type: ignore[attr-defined]
    return redirect_to(request, address("absences"), message=_("The absence is taken back; its times are free again."))


# -- holidays -------------------------------------------------------------------------------------------------------


@requires("schedule.manage")
@require_GET
def days(request: HttpRequest) -> HttpResponse:
    """The year: public holidays, and the clinic's own word on a day."""
    member: Any = request.member  # type: ignore[attr-defined]
    today = _today(request)
    asked = request.GET.get("year", "")
    year = int(asked) if asked.isdigit() and 2000 <= int(asked) <= 2100 else today.year
    public = holidays.public_holidays(member.organization.legal_profile, year, translation.get_language() or "zh-hant")
    own: dict[date, list[dict[str, Any]]] = {}
    for one in selectors.own_days(first=date(year, 1, 1), last=date(year, 12, 31)):
        own.setdefault(one["on_date"], []).append(one)
    listed = [
        {"day": day_words(day), "name": public.get(day, ""), "own": [_own(one) for one in own.get(day, [])], "url": address("day", date=day.isoformat())}
        for day in sorted({*public, *own})
    ]  # fmt: skip
    context = {
        "year": year, "months": [_month(year, month, public, own, today) for month in range(1, 13)], "listed": listed,
        "weekdays": [WEEKDAYS_ABBR[day] for day in range(7)], "parts": set_up_tabs("days"),
        "before_url": address("days", year=year - 1), "after_url": address("days", year=year + 1),
    }  # fmt: skip
    return respond(request, "schedule/days.html", context)


def _own(one: dict[str, Any]) -> str:
    word = _("open") if one["is_open"] else _("closed")
    parts = [one["location"] or "", word, one["name"]]
    return " · ".join(str(part) for part in parts if part)


def _month(year: int, month: int, public: Any, own: Any, today: date) -> dict[str, Any]:
    def cell(day: date) -> dict[str, Any] | None:
        if day.month != month:
            return None
        said = own.get(day, [])
        name = public.get(day, "")
        css = ["is-weekend"] if day.weekday() > 4 else []
        if said:
            css.append("is-open" if all(one["is_open"] for one in said) else "is-shut")
        elif name:
            css.append("is-holiday")
        if day == today:
            css.append("is-today")
        words = "; ".join([*([name] if name else []), *(_own(one) for one in said)])
        return {"day": day.day, "css": " ".join(css), "words": words, "url": address("day", date=day.isoformat())}

    weeks = [[cell(day) for day in line] for line in months.Calendar().monthdatescalendar(year, month)]
    return {"name": MONTHS[month], "weeks": weeks}


@requires("schedule.manage")
def day(request: HttpRequest) -> HttpResponse:
    """The clinic's own word on one day."""
    limit, today = locations_of(request), _today(request)
    given = request.POST if request.method == "POST" else request.GET
    on_date = day_of(given.get("date") or request.GET.get("date"), today)
    places = [(one["id"], one["name"]) for one in selectors.choices(limit=limit)["locations"]]
    said = selectors.own_days(first=on_date, last=on_date)
    current = next((one for one in said if one["location_id"] is None), said[0] if said else None)
    initial = {"word": "calendar" if current is None else "open" if current["is_open"] else "closed", "name": current["name"] if current else "",
               "location": str(current["location_id"] or "") if current else ""}  # fmt: skip
    form = DayForm(request.POST or None, initial=initial, locations=places, all_branches=limit is None)
    now, by = timezone.now(), request.member.user_id  # type: ignore[attr-defined]
    if request.method == "POST" and form.is_valid():
        word, location = form.cleaned_data["word"], uuid_of(form.cleaned_data["location"])
        back = address("days", year=on_date.year)
        if word == "calendar":
            catalogue.unset_day(on_date=on_date, location_id=location, now=now, by=by)
            return redirect_to(request, back, message=_("The calendar counts again on this day."))
        left = catalogue.set_day(
            on_date=on_date,
            location_id=location,
            is_open=word == "open",
            name=form.cleaned_data["name"],
            now=now,
            by=by,
        )
        if left:
            warned = ngettext(
                "Saved. %(count)d session of this day has patients: close it from the calendar, so that they are told.",
                "Saved. %(count)d sessions of this day have patients: close them from the calendar, so that they are told.", left,
            ) % {"count": left}  # fmt: skip
            return redirect_to(request, address("home", date=on_date.isoformat()), message=warned, tone="warning")
        return redirect_to(request, back, message=_("Saved."))
    member: Any = request.member  # type: ignore[attr-defined]
    public = holidays.public_holidays(
        member.organization.legal_profile, on_date.year, translation.get_language() or "zh-hant"
    ).get(on_date, "")
    context = {
        "form": form, "title": day_words(on_date), "label": _("Save"), "back_url": address("days", year=on_date.year), "back_label": _("Holidays"),
        "lead": _("The calendar says: %(name)s.") % {"name": public} if public else _("The calendar says: no public holiday."),
    }  # fmt: skip
    return respond(request, "schedule/form.html", context, status=422 if request.method == "POST" else 200)
