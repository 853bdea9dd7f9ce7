"""Settings: the page that leads to all others, the organization, its locations, its tags."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from careloop.accounts import organization as organizations
from careloop.accounts.access import members_only, requires
from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.patients import services as patients
from careloop.tenancy.models import Location
from careloop.web.http import redirect_to, refuse, respond
from careloop.web.screens.settings import forms
from careloop.web.screens.settings.home import cards_for


@members_only
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """Only what this member's role may see."""
    return respond(request, "settings/home.html", {"groups": cards_for(request.member)})  # type: ignore[attr-defined]


@requires("settings.organization")
def organization(request: HttpRequest) -> HttpResponse:
    """The organization's own data."""
    # an instance of its own: a form writes into it, and the page's head must not show what was refused
    form = forms.OrganizationForm(request.POST or None, instance=organizations.current())
    if request.method == "POST" and form.is_valid():
        organizations.update(fields=form.cleaned_data, now=timezone.now())
        return redirect_to(request, reverse("settings:organization"), message=_("Saved."))
    return respond(request, "settings/organization.html", {"form": form}, status=_status(request))


@requires("settings.organization")
@require_GET
def locations(request: HttpRequest) -> HttpResponse:
    """All locations, those in use first."""
    found = sql.rows(
        """select l.id, l.name, l.phone, l.address, l.is_active,
                  (select count(*) from (select 1 from patients_patient p where p.home_location_id = l.id limit 10001) c) as patients,
                  (select count(*) from accounts_membership_location m where m.location_id = l.id) as limited
             from tenancy_location l order by l.is_active desc, l.name"""
    )
    return respond(request, "settings/locations.html", {"locations": found})


@requires("settings.organization")
def location(request: HttpRequest, location_id: UUID | None = None) -> HttpResponse:
    """A new location, or one to change."""
    here = get_object_or_404(Location, pk=location_id) if location_id else None
    initial = {"name": here.name, "phone": here.phone, "address": here.address} if here else None
    form = forms.LocationForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            organizations.save_location(location_id=location_id, now=timezone.now(), **form.cleaned_data)
        except DomainError as error:
            form.add_error("name", str(error))
        else:
            return redirect_to(request, reverse("settings:locations"), message=_("Saved."))
    return respond(request, "settings/location.html", {"form": form, "location": here}, status=_status(request))


@requires("settings.organization")
@require_POST
def close_location(request: HttpRequest, location_id: UUID) -> HttpResponse:
    """Take a location out of use."""
    return _switch(
        request, location_id, active=False, done=_("The location is no longer offered. What was recorded there stays.")
    )


@requires("settings.organization")
@require_POST
def open_location(request: HttpRequest, location_id: UUID) -> HttpResponse:
    """Use a location again."""
    return _switch(request, location_id, active=True, done=_("The location is in use again."))


def _switch(request: HttpRequest, location_id: UUID, *, active: bool, done: str) -> HttpResponse:
    try:
        organizations.switch_location(
            location=get_object_or_404(Location, pk=location_id), active=active, now=timezone.now()
        )
    except DomainError as error:
        return refuse(request, str(error))
    return redirect_to(request, reverse("settings:locations"), message=done)


@requires("patients.edit")
def tags(request: HttpRequest) -> HttpResponse:
    """The words staff put on patients, and how many have each."""
    form = forms.TagForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            patients.create_tag(name=form.cleaned_data["name"], now=timezone.now(), by=request.user.pk)
        except DomainError as error:
            form.add_error("name", str(error))
        else:
            return redirect_to(request, reverse("settings:tags"), message=_("Saved."))
    return respond(request, "settings/tags.html", {"form": form, "tags": _tags()}, status=_status(request))


def _tags() -> list[dict[str, Any]]:
    return sql.rows(
        """select t.id, t.name, t.color, (select count(*) from patients_patient_tag l where l.tag_id = t.id) as patients
             from patients_tag t where not t.is_archived order by t.name"""
    )


@requires("patients.edit")
@require_POST
def archive_tag(request: HttpRequest, tag_id: UUID) -> HttpResponse:
    """Stop offering a tag."""
    if sql.value("select 1 from patients_tag where id = %s", [tag_id]) is None:
        raise Http404
    patients.archive_tag(tag_id=tag_id, now=timezone.now())
    return redirect_to(
        request, reverse("settings:tags"), message=_("The tag is no longer offered. Patients who have it keep it.")
    )


def _status(request: HttpRequest) -> int:
    return 422 if request.method == "POST" else 200
