"""Leave from a calendar: upload a file, look at what it would change, import it, see whose appointments it touches."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from careloop.accounts.access import requires
from careloop.integrations.icalendar import leave, wording
from careloop.integrations.icalendar.models import LeaveUpload
from careloop.integrations.icalendar.sizes import LARGEST
from careloop.kernel.errors import DomainError
from careloop.scheduling.models import Absence, PartOfDay
from careloop.web.http import redirect_to, refuse, respond
from careloop.web.screens.calendars.forms import LeaveForm

ROWS_SHOWN = 200
Row = dict[str, Any]


@requires("schedule.manage")
def upload(request: HttpRequest) -> HttpResponse:
    """Read a calendar; nothing is imported yet."""
    form = LeaveForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            made = leave.take_upload(
                data=values["file"].read(LARGEST + 1), file_name=values["file"].name or "",
                practitioner_id=UUID(values["practitioner"]), kind=values["kind"], all_day=values["all_day"], by=request.user,
                now=timezone.now(),
            )  # fmt: skip
        except DomainError as error:
            form.add_error("file", str(error))
        else:
            return redirect_to(request, reverse("calendars:preview", args=[made.pk]))
    return respond(request, "calendars/import.html", {"form": form}, status=422 if request.method == "POST" else 200)


@requires("schedule.manage")
def preview(request: HttpRequest, upload_id: UUID) -> HttpResponse:
    """Show what importing would do; a POST does it, and the page then shows what was done."""
    found = get_object_or_404(LeaveUpload.objects.select_related("practitioner"), pk=upload_id)
    if request.method == "POST":
        return _apply(request, found)
    if found.state == LeaveUpload.State.APPLIED:
        return respond(request, "calendars/imported.html", _done(found, _zone(request)))
    try:
        said = leave.content(found)
    except DomainError as error:
        return refuse(request, str(error), status=410)
    plan = leave.plan(said, practitioner_id=found.practitioner_id, kind=found.kind, remove=True, now=timezone.now())
    return respond(request, "calendars/preview.html", _page(found, plan, _zone(request)))


def _apply(request: HttpRequest, found: LeaveUpload) -> HttpResponse:
    here = reverse("calendars:preview", args=[found.pk])
    if found.state == LeaveUpload.State.APPLIED:  # a double click
        return redirect_to(request, here)
    try:
        leave.apply_upload(
            upload_id=found.pk, remove=request.POST.get("remove") == "on", by=request.user.pk, now=timezone.now()
        )
    except DomainError as error:
        return refuse(request, str(error), status=error.status)
    return redirect_to(request, here, message=_("The leave is imported."))


@requires("schedule.manage")
@require_POST
def discard(request: HttpRequest, upload_id: UUID) -> HttpResponse:
    """Throw a calendar away that was not imported."""
    found = get_object_or_404(LeaveUpload, pk=upload_id)
    leave.discard_upload(upload_id=found.pk, now=timezone.now())
    return redirect_to(request, reverse("calendars:list"), message=_("The uploaded calendar was thrown away."))


def _zone(request: HttpRequest) -> ZoneInfo:
    return ZoneInfo(request.member.organization.time_zone)  # type: ignore[attr-defined]


def _page(found: LeaveUpload, plan: leave.Plan, zone: ZoneInfo) -> dict[str, Any]:
    rows = [
        {"when": spoken(one.starts_at, one.ends_at, zone), "note": one.note, "line": one.line, "what": one.what}
        for one in plan.changes
    ]  # fmt: skip
    said = plan.found
    return {
        "upload": found, "practitioner": found.practitioner.name, "kind": found.get_kind_display(), "calendar": said["name"],
        "counts": {what: plan.count(what) for what in ("new", "changed", "same", "gone")},
        "rows": [one for one in rows if one["what"] != "gone"][:ROWS_SHOWN],
        "more": max(0, sum(one["what"] != "gone" for one in rows) - ROWS_SHOWN),
        "gone": [one for one in rows if one["what"] == "gone"][:ROWS_SHOWN],
        "skipped": [
            {
                "reason": wording.skipped(group["reason"]), "total": group["total"],
                "examples": [_entry(one) for one in group["entries"][:3]],
            }
            for group in leave.grouped(said["skipped"], "reason")
        ],
        "warned": [
            {
                "reason": wording.warned(group["reason"], group["what"]), "total": group["total"],
                "examples": [_entry(one) for one in group["entries"][:3]],
            }
            for group in leave.grouped(said["warned"], "reason", "what")
        ],
        "not_told": said["not_told"],
        **_sessions(plan.affected, zone),
    }  # fmt: skip


def _entry(one: Row) -> Row:
    return {"line": one["line"], "title": one["title"], "starts": one.get("starts", "").replace("T", " ")}


def _done(found: LeaveUpload, zone: ZoneInfo) -> dict[str, Any]:
    """What an import did, and the sessions it touches as they are now."""
    times = list(Absence.objects.filter(pk__in=found.absences).order_by("starts_at"))
    return {
        "practitioner": found.practitioner.name, "counts": {"new": 0, "changed": 0, "same": 0, "gone": 0} | found.counts,
        "rows": [{"when": spoken(one.starts_at, one.ends_at, zone), "note": one.note} for one in times[:ROWS_SHOWN]],
        **_sessions(leave.affected(found.practitioner_id, times), zone),
    }  # fmt: skip


def _sessions(touched: list[Row], zone: ZoneInfo) -> dict[str, Any]:
    return {
        "sessions": [
            {"when": spoken(one["starts_at"], one["ends_at"], zone), "part": PartOfDay(one["part"]).label, "booked": one["booked"]}
            for one in touched
        ],
        "booked": sum(one["booked"] for one in touched),
    }  # fmt: skip


def spoken(starts_at: datetime, ends_at: datetime, zone: ZoneInfo) -> str:
    """Return a stretch of time as short as can be: whole days without hours, one day once."""
    starts, ends = starts_at.astimezone(zone), ends_at.astimezone(zone)
    if starts.time() == ends.time() == datetime.min.time():
        last = ends - timedelta(days=1)
        return f"{starts:%Y-%m-%d}" if last.date() <= starts.date() else f"{starts:%Y-%m-%d} – {last:%Y-%m-%d}"
    if starts.date() == ends.date():
        return f"{starts:%Y-%m-%d %H:%M}–{ends:%H:%M}"
    return f"{starts:%Y-%m-%d %H:%M} – {ends:%Y-%m-%d %H:%M}"
