"""Links that calendar programs follow: made, shown once, revoked, by the practitioner or by who plans the schedule."""

from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from careloop.accounts.access import requires_any
from careloop.accounts.scope import location_ids
from careloop.integrations.icalendar import links
from careloop.integrations.icalendar.models import CalendarLink
from careloop.kernel.errors import DomainError
from careloop.records.models import Practitioner
from careloop.web.http import redirect_to, respond
from careloop.web.screens.calendars.forms import LinkForm

ENDED_SHOWN = 20
Shown = dict[str, Any]


def manages(request: HttpRequest) -> bool:
    """Whether the member plans the schedule of everybody; a practitioner without that minds their own calendar."""
    return bool(request.member.can("schedule.manage"))  # type: ignore[attr-defined]


def practitioners(request: HttpRequest) -> QuerySet[Practitioner]:
    """Whose calendars the member may hand out."""
    here = Practitioner.objects.filter(is_active=True).order_by("name", "id")
    return here if manages(request) else here.filter(user_id=request.user.pk)


def visible(request: HttpRequest) -> QuerySet[CalendarLink]:
    """The links the member may see and revoke."""
    every = CalendarLink.objects.select_related("practitioner", "created_by")
    return every if manages(request) else every.filter(practitioner__user_id=request.user.pk)


@requires_any("schedule.manage", "schedule.view")
@require_GET
def listing(request: HttpRequest) -> HttpResponse:
    """Links that are open, and the last ones that are not."""
    zone = ZoneInfo(request.member.organization.time_zone)  # type: ignore[attr-defined]
    found = [
        _shown(one, zone)
        for one in visible(request).order_by(F("revoked_at").desc(nulls_first=True), "practitioner__name", "created_at")
    ]
    context = {
        "links": [one for one in found if not one["revoked"]],
        "ended": [one for one in found if one["revoked"]][:ENDED_SHOWN],
        "manages": manages(request), "may_make": practitioners(request).exists(),
    }  # fmt: skip
    return respond(request, "calendars/list.html", context)


@requires_any("schedule.manage", "schedule.view")
def new(request: HttpRequest) -> HttpResponse:
    """Make a link. The answer to the POST is the only page that ever shows it."""
    form = LinkForm(request.POST or None, practitioners=practitioners(request))
    if request.method == "POST" and form.is_valid():
        try:
            made, token = links.create_link(
                practitioner_id=UUID(form.cleaned_data["practitioner"]), with_names=form.cleaned_data["with_names"],
                locations=location_ids(request.member), by=request.user, now=timezone.now(),  # type: ignore[attr-defined]
            )  # fmt: skip
        except DomainError as error:
            form.add_error("practitioner", str(error))
        else:
            address = links.address_of(token)
            response = respond(
                request, "calendars/made.html",
                {"practitioner": made.practitioner.name, "address": address, "subscribe": "webcal:" + address.partition(":")[2]},
            )  # fmt: skip
            response["Cache-Control"] = "no-store, private"
            return response
    context = {"form": form, "may_make": practitioners(request).exists()}
    return respond(request, "calendars/new.html", context, status=422 if request.method == "POST" else 200)


@requires_any("schedule.manage", "schedule.view")
def revoke(request: HttpRequest, link_id: UUID) -> HttpResponse:
    """Say what ends, then end it."""
    link = get_object_or_404(visible(request), pk=link_id)
    if request.method == "POST":
        links.revoke_link(link_id=link.pk, by=request.user, now=timezone.now())
        done = _("The link to the calendar of %(name)s is revoked. Programs that use it get nothing from now on.")
        return redirect_to(request, reverse("calendars:list"), message=done % {"name": link.practitioner.name})
    zone = ZoneInfo(request.member.organization.time_zone)  # type: ignore[attr-defined]
    return respond(request, "calendars/revoke.html", {"link": _shown(link, zone)}, fragment="calendars/_revoke.html")


def _shown(link: CalendarLink, zone: ZoneInfo) -> Shown:
    def day(at: Any) -> str:
        return f"{at.astimezone(zone):%Y-%m-%d}" if at else ""

    return {
        "id": link.pk, "practitioner": link.practitioner.name, "with_names": link.with_names, "made": day(link.created_at),
        "by": (link.created_by.name or link.created_by.email) if link.created_by else "",
        "fetched": f"{link.fetched_at.astimezone(zone):%Y-%m-%d %H:%M}" if link.fetched_at else "", "revoked": day(link.revoked_at),
    }  # fmt: skip
