"""What can be booked, where, and with whom: services, rooms and equipment, practitioners."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from careloop.accounts.access import requires
from careloop.followups.selectors import staff as staff_of
from careloop.kernel.errors import DomainError
from careloop.kernel.money import decimals_of
from careloop.records.models import Practitioner
from careloop.scheduling import catalogue, selectors
from careloop.scheduling.models import Resource, Service
from careloop.web.http import redirect_to, respond
from careloop.web.screens.schedule.common import address, locations_of, tabs, uuid_of
from careloop.web.screens.schedule.forms import PractitionerForm, Questions, ResourceForm, ServiceForm, questions_of


def set_up_tabs(current: str) -> list[dict[str, Any]]:
    parts = [
        ("setup", _("Overview")), ("services", _("Services")), ("practitioners", _("Practitioners")), ("resources", _("Rooms and equipment")),
        ("week", _("Weeks")), ("absences", _("Absences")), ("days", _("Holidays")),
    ]  # fmt: skip
    return [{"label": label, "url": address(name), "is_current": name == current} for name, label in parts]


@requires("schedule.manage")
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """What is set up, in the order in which it is done."""
    member: Any = request.member  # type: ignore[attr-defined]
    people, offered, places = selectors.practitioners(), selectors.services(), selectors.resources()
    weeks = selectors.templates(on=timezone.localdate())
    away = selectors.absences(since=timezone.now())
    steps = [
        ("practitioners", "stethoscope", _("Practitioners"), _("Who treats patients."), sum(one["is_active"] for one in people)),
        ("services", "clipboard-text", _("Services"), _("What patients can come for, how long it takes, and the rules for booking it online."), sum(one["is_active"] for one in offered)),
        ("resources", "door", _("Rooms and equipment"), _("What only one patient at a time can use."), sum(one["is_active"] for one in places)),
        ("week", "calendar-week", _("Weeks"), _("Who is there when; dated sessions are made from it, 120 days ahead."), len(weeks)),
        ("absences", "user-off", _("Absences"), _("Leave, meetings, courses; and whom they touch."), len(away)),
        ("days", "calendar-off", _("Holidays"), _("Public holidays, and the clinic’s own word on a day."), None),
    ]  # fmt: skip
    context = {
        "steps": [{"url": address(name), "icon": icon, "title": title, "text": text, "count": count} for name, icon, title, text, count in steps],
        "tabs": tabs(member, "setup"), "parts": set_up_tabs("setup"),
    }  # fmt: skip
    return respond(request, "schedule/setup.html", context)


def _page(
    request: HttpRequest, template: str, current: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    return respond(request, template, {**context, "parts": set_up_tabs(current)}, status=status)


# -- services -------------------------------------------------------------------------------------------------------


@requires("schedule.manage")
@require_GET
def services(request: HttpRequest) -> HttpResponse:
    payers = dict(Service.Payer.choices)
    rows = [{**one, "payer_label": payers[one["payer"]], "tint": one["colour"] % 5 + 1} for one in selectors.services()]
    return _page(request, "schedule/services.html", "services", {"rows": rows})


@requires("schedule.manage")
def service(request: HttpRequest, service_id: UUID | None = None) -> HttpResponse:
    """Make or change one service with all its rules."""
    found = Service.objects.filter(pk=service_id).first() if service_id else None
    if service_id and found is None:
        raise Http404
    member: Any = request.member  # type: ignore[attr-defined]
    known = {
        "people": [(str(one["id"]), one["name"]) for one in selectors.practitioners() if one["is_active"]],
        "equipment": [(str(one["id"]), f"{one['location']} · {one['name']}") for one in selectors.resources() if one["kind"] == "EQUIPMENT" and one["is_active"]],
        "currency": member.organization.currency, "language": member.organization.language,
    }  # fmt: skip
    posted = request.POST if request.method == "POST" else None
    form = ServiceForm(posted, initial=_service_values(found, member), **known)
    asked = Questions(posted, initial=found.questions if found else [], prefix="question")
    if posted is not None and all([form.is_valid(), asked.is_valid()]):
        given = form.cleaned_data
        try:
            catalogue.save_service(
                service_id=service_id, values={**form.values(), "questions": questions_of(asked)},
                practitioner_ids=[UUID(one) for one in given["practitioners"]], equipment_ids=[UUID(one) for one in given.get("equipment") or []],
                now=timezone.now(), by=member.user_id,
            )  # fmt: skip
        except DomainError as refusal:
            form.add_error("name", str(refusal))
        else:
            return redirect_to(request, address("services"), message=_("The service is saved."))
    context = {
        "form": form,
        "questions": asked,
        "title": found.name if found else _("New service"),
        "languages": form.names(),
    }
    return _page(request, "schedule/service.html", "services", context, status=422 if posted is not None else 200)


def _service_values(found: Service | None, member: Any) -> dict[str, Any]:
    if found is None:
        return {}
    unit = Decimal(10) ** decimals_of(member.organization.currency)
    links = selectors.links_of(found.pk)
    fields = (
        "name", "description", "minutes", "first_visit_minutes", "colour", "payer", "is_online", "who", "days_ahead", "notice_minutes",
        "change_minutes", "verify_phone", "is_active",
    )  # fmt: skip
    return {
        **{name: getattr(found, name) for name in fields}, **{f"name_{code}": text for code, text in found.names.items()},
        "price": found.price / unit, "deposit": found.deposit / unit, "practitioners": [str(one) for one in links["practitioners"]],
        "equipment": [str(one) for one in links["equipment"]],
    }  # fmt: skip


# -- rooms and equipment --------------------------------------------------------------------------------------------


@requires("schedule.manage")
@require_GET
def resources(request: HttpRequest) -> HttpResponse:
    kinds, limit = dict(Resource.Kind.choices), locations_of(request)
    rows = [
        {**one, "kind_label": kinds[one["kind"]]}
        for one in selectors.resources()
        if limit is None or one["location_id"] in limit
    ]
    return _page(request, "schedule/resources.html", "resources", {"rows": rows})


@requires("schedule.manage")
def resource(request: HttpRequest, resource_id: UUID | None = None) -> HttpResponse:
    """Make or change one room or piece of equipment."""
    found = Resource.objects.filter(pk=resource_id).first() if resource_id else None
    limit = locations_of(request)
    if resource_id and (found is None or (limit is not None and found.location_id not in limit)):
        raise Http404
    initial = (
        {"kind": found.kind, "name": found.name, "location": str(found.location_id), "is_active": found.is_active}
        if found
        else {}
    )
    places = [(one["id"], one["name"]) for one in selectors.choices(limit=limit)["locations"]]
    form = ResourceForm(request.POST or None, initial=initial, locations=places)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        values = {
            "kind": given["kind"],
            "name": given["name"],
            "location_id": UUID(given["location"]),
            "is_active": given["is_active"],
        }
        try:
            catalogue.save_resource(
                resource_id=resource_id,
                values=values,
                now=timezone.now(),
                by=request.member.user_id,  # type: ignore[attr-defined]
            )  # type: ignore[attr-defined]
        except DomainError as refusal:
            form.add_error("name", str(refusal))
        else:
            return redirect_to(request, address("resources"), message=_("Saved."))
    context = {
        "form": form, "title": found.name if found else _("New room or equipment"), "label": _("Save"), "back_url": address("resources"),
        "back_label": _("Rooms and equipment"),
        "lead": _("A room or piece of equipment out of use stays where patients are booked, and is not given anew."),
    }  # fmt: skip
    return _page(request, "schedule/form.html", "resources", context, status=422 if request.method == "POST" else 200)


# -- practitioners --------------------------------------------------------------------------------------------------


@requires("schedule.manage")
@require_GET
def practitioners(request: HttpRequest) -> HttpResponse:
    return _page(request, "schedule/practitioners.html", "practitioners", {"rows": selectors.practitioners()})


@requires("schedule.manage")
def practitioner(request: HttpRequest, practitioner_id: UUID | None = None) -> HttpResponse:
    """Make or change somebody who treats patients."""
    found = Practitioner.objects.filter(pk=practitioner_id).first() if practitioner_id else None
    if practitioner_id and found is None:
        raise Http404
    initial = (
        {
            "name": found.name,
            "specialty": found.specialty,
            "user": str(found.user_id or ""),
            "is_active": found.is_active,
        }
        if found
        else {}
    )
    form = PractitionerForm(
        request.POST or None, initial=initial, staff=[(str(one["id"]), one["name"]) for one in staff_of()]
    )
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        values = {
            "name": given["name"],
            "specialty": given["specialty"],
            "user_id": uuid_of(given["user"]),
            "is_active": given["is_active"],
        }
        catalogue.save_practitioner(
            practitioner_id=practitioner_id,
            values=values,
            now=timezone.now(),
            by=request.member.user_id,  # type: ignore[attr-defined]
        )  # type: ignore[attr-defined]
        return redirect_to(request, address("practitioners"), message=_("Saved."))
    context = {
        "form": form, "title": found.name if found else _("New practitioner"), "label": _("Save"), "back_url": address("practitioners"),
        "back_label": _("Practitioners"), "lead": _("Who leaves is not removed: past visits keep their name."),
    }  # fmt: skip
    return _page(
        request, "schedule/form.html", "practitioners", context, status=422 if request.method == "POST" else 200
    )
