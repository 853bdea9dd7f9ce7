"""Looking back to plan ahead: who did not come, and demand by weekday and hour beside the places there were."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from careloop.accounts.access import requires
from careloop.audit import services as audit
from careloop.kernel import sql
from careloop.scheduling import selectors
from careloop.web.http import Keyset, clinic_zone, respond
from careloop.web.screens.schedule.common import (
    PARTS,
    SOURCES,
    WEEKDAYS_ABBR,
    address,
    bounds,
    locations_of,
    shown_name,
    tabs,
    uuid_of,
    when_words,
)

PERIODS = [
    (7, gettext_lazy("7 days")),
    (30, gettext_lazy("30 days")),
    (90, gettext_lazy("90 days")),
    (365, gettext_lazy("a year")),
]
FULL = (0.25, 0.5, 0.75, 0.95)  # how full a place of the picture is, by its shade
CELL, ROW, LEFT, TOP = 92, 30, 84, 28


class PeriodForm(forms.Form):
    """Over which stretch, and whose."""

    days = forms.TypedChoiceField(
        label=gettext_lazy("Period"), coerce=int, choices=PERIODS, required=False, empty_value=None
    )
    practitioner = forms.ChoiceField(label=gettext_lazy("Practitioner"), required=False)

    def __init__(self, *args: Any, people: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["practitioner"].choices = [("", _("Everybody")), *people]  # type: ignore[attr-defined]


def _asked(request: HttpRequest, days: int) -> tuple[PeriodForm, int, UUID | None]:
    people = [(str(one["id"]), one["name"]) for one in selectors.practitioners()]
    form = PeriodForm(
        {"days": request.GET.get("days") or days, "practitioner": request.GET.get("practitioner", "")}, people=people
    )
    form.is_valid()
    return form, form.cleaned_data.get("days") or days, uuid_of(form.cleaned_data.get("practitioner"))


def _today(request: HttpRequest) -> date:
    return timezone.now().astimezone(clinic_zone(request)).date()


@requires("schedule.view")
@require_GET
def missed(request: HttpRequest) -> HttpResponse:
    """Who did not come, newest first, each with the way to a follow-up."""
    member: Any = request.member  # type: ignore[attr-defined]
    zone, today = clinic_zone(request), _today(request)
    form, days, practitioner = _asked(request, 30)
    since, until = bounds(today - timedelta(days=days - 1), days, zone)
    source, params = selectors.missed(
        since=since, until=until, limit=locations_of(request), practitioner_id=practitioner
    )
    keyset = Keyset(request, order=("-starts_at", "-id"), size=50)
    beyond, values = keyset.where(starts_at="a.starts_at", id="a.id")
    for number, value in enumerate(values):
        params[f"after_{number}"] = value
        beyond = beyond.replace("%s", f"%(after_{number})s", 1)
    found = sql.rows(
        f"""select a.id, a.patient_id, q.name, {selectors.IS_VISIBLE} as is_visible, a.starts_at,
                   a.number, v.name as service, p.name as practitioner, l.name as location, a.source, a.confirmed_at is not null as was_confirmed,
                   (select count(*) from scheduling_appointment o where o.patient_id = a.patient_id and o.state = 'noshow'
                       and o.starts_at > a.starts_at - interval '1 year' and o.starts_at <= a.starts_at)::int as times,
                   exists (select from scheduling_appointment n where n.patient_id = a.patient_id and n.state in ('booked', 'arrived', 'checked-in')
                       and n.starts_at > a.starts_at) as is_booked_again
              from {source} and {beyond} order by {keyset.order_by(starts_at="a.starts_at", id="a.id")} limit %(most)s""",
        {**params, "most": keyset.limit},
    )
    page = keyset.cut(found)
    if page.rows:
        audit.record(
            "appointments.listed", patients=[one["patient_id"] for one in page.rows], details={"what": "missed"}
        )
    rows = [
        {**one, "shown": shown_name(one), "when": when_words(one, zone), "source_label": SOURCES.get(one["source"], ""),
         "url": address("appointment", one["id"], next=request.get_full_path()), "again_url": address("find", patient=one["patient_id"])}
        for one in page.rows
    ]  # fmt: skip
    context = {
        "rows": rows,
        "page": page,
        "form": form,
        "tabs": tabs(member, "missed"),
        "here": request.get_full_path(),
    }
    return respond(request, "schedule/missed.html", context)


@requires("schedule.view")
@require_GET
def demand(request: HttpRequest) -> HttpResponse:
    """Weekday by hour: appointments beside places, and wishes that found none. Counts only; nobody is named."""
    member: Any = request.member  # type: ignore[attr-defined]
    form, days, practitioner = _asked(request, 90)
    since, until = bounds(_today(request) - timedelta(days=days - 1), days, clinic_zone(request))
    found = selectors.advice(since=since, until=until, limit=locations_of(request), practitioner_id=practitioner)
    places = {(one["weekday"], one["hour"]): one["places"] for one in found["capacity"]}
    booked = {(one["weekday"], one["hour"]): one["booked"] for one in found["booked"]}
    wishes = {(one["weekday"], one["part"]): one["wishes"] for one in found["missed"]}
    hours = sorted({hour for _day, hour in (*places, *booked)})
    heat = heat_map(places, booked, wishes, hours)
    context = {
        "form": form, "tabs": tabs(member, "advice"), "heat": heat, "rows": _table(places, booked, hours), "wishes": _wishes(wishes),
        "by_service": found["by_service"], "wish_count": found["wishes"], "is_empty": not places and not booked and not found["wishes"],
        "booked_all": sum(booked.values()), "places_all": sum(places.values()), "weeks": selectors.weeks_between(since, until), "advice": _advice(places, booked, wishes),
    }  # fmt: skip
    return respond(request, "schedule/demand.html", context)


def heat_map(places: Any, booked: Any, wishes: Any, hours: list[int]) -> dict[str, Any]:
    """The picture's rectangles and texts: the policy allows no styles, so colours are classes and sizes attributes."""
    cells, labels = [], []
    for column in range(7):
        labels.append(
            {"x": LEFT + column * CELL + CELL // 2, "y": TOP - 10, "text": WEEKDAYS_ABBR[column], "end": False}
        )
    lines: list[tuple[str, Any]] = [(f"{hour:02}:00", hour) for hour in range(hours[0], hours[-1] + 1)] if hours else []
    y = TOP
    for label, hour in lines:
        labels.append({"x": LEFT - 8, "y": y + 20, "text": label, "end": True})
        for column in range(7):
            key = (column + 1, hour)
            cells.append(_cell(column, y, booked.get(key, 0), places.get(key, 0)))
        y += ROW
    if wishes:
        y += 10
        for part, name in PARTS.items():
            labels.append({"x": LEFT - 8, "y": y + 20, "text": name, "end": True})
            for column in range(7):
                count = wishes.get((column + 1, part), 0)
                cells.append({"x": LEFT + column * CELL, "y": y, "css": "is-wish" if count else "is-0", "text": str(count) if count else "",
                              "tx": LEFT + column * CELL + CELL // 2, "ty": y + 20})  # fmt: skip
            y += ROW
    return {
        "cells": cells,
        "labels": labels,
        "width": LEFT + 7 * CELL + 2,
        "height": y + 4,
        "w": CELL - 2,
        "h": ROW - 2,
    }


def _cell(column: int, y: int, booked: int, places: int) -> dict[str, Any]:
    x = LEFT + column * CELL
    share = booked / places if places else (2.0 if booked else -1.0)
    shade = 0 if share < 0 else 5 if share > 1 else 1 + sum(share > limit for limit in FULL[:3])
    text = "" if share < 0 else f"{booked}/{places}"
    return {"x": x, "y": y, "css": f"is-{shade}", "text": text, "tx": x + CELL // 2, "ty": y + 20}


def _table(places: Any, booked: Any, hours: list[int]) -> list[dict[str, Any]]:
    return [
        {"hour": f"{hour:02}:00", "days": [{"booked": booked.get((day, hour), 0), "places": places.get((day, hour), 0), "label": WEEKDAYS_ABBR[day - 1]} for day in range(1, 8)]}
        for hour in hours
    ]  # fmt: skip


def _wishes(wishes: Any) -> list[dict[str, Any]]:
    return [
        {"day": WEEKDAYS_ABBR[day - 1] if day else _("any weekday"), "part": PARTS.get(part) or _("any time"), "count": count}
        for (day, part), count in sorted(wishes.items(), key=lambda one: -one[1])
    ]  # fmt: skip


def _advice(places: Any, booked: Any, wishes: Any) -> list[str]:
    """What the numbers say, in sentences: the fullest and the emptiest hours, and the most wished for."""
    said = []
    full = [(booked.get(key, 0) / count, key) for key, count in places.items() if count >= 4]
    if full:
        top, (day, hour) = max(full)
        if top >= FULL[-1]:
            said.append(
                _("Fullest: %(day)s %(hour)02d:00, %(share)d%% of the places are taken. Add places here first.")
                % {"day": WEEKDAYS_ABBR[day - 1], "hour": hour, "share": round(100 * top)}
            )
        low, (day, hour) = min(full)
        if low < FULL[1]:
            said.append(
                _("Emptiest: %(day)s %(hour)02d:00, %(share)d%% of the places are taken.")
                % {"day": WEEKDAYS_ABBR[day - 1], "hour": hour, "share": round(100 * low)}
            )
    named = {key: count for key, count in wishes.items() if key[0] and key[1]}
    if named:
        (day, part), count = max(named.items(), key=lambda one: one[1])
        said.append(
            _("Most often in vain: %(day)s %(part)s, %(count)d times.")
            % {"day": WEEKDAYS_ABBR[day - 1], "part": PARTS[part], "count": count}
        )
    return said
