"""The rules of the queues, and the screens in the waiting room."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from careloop.accounts.access import requires
from careloop.accounts.scope import location_ids
from careloop.kernel.errors import DomainError
from careloop.records.models import Practitioner
from careloop.tenancy.models import Location
from careloop.waitingroom import displays, qr, services
from careloop.waitingroom.models import Display, QueueRules
from careloop.web.http import redirect_to, respond
from careloop.web.screens.queue.forms import RulesForm, ScreenForm
from careloop.web.screens.queue.views import session_or_404


@requires("schedule.manage", "queue.run")
@require_http_methods(["GET", "POST"])
def rules(request: HttpRequest) -> HttpResponse:
    """The clinic's rules, and those of practitioners who do it their way."""
    people = list(Practitioner.objects.filter(is_active=True).order_by("name"))
    whose = _whose(request.POST.get("whose") or request.GET.get("whose", ""), people)
    own = {one.practitioner_id for one in QueueRules.objects.filter(session=None, practitioner__isnull=False)}
    mine = QueueRules.objects.filter(session=None, practitioner=whose).first()
    clinics = QueueRules.objects.filter(session=None, practitioner=None).first()
    page = reverse("queue:rules") + (f"?whose={whose.pk}" if whose else "")
    if request.method == "POST" and request.POST.get("what") == "as_clinic" and whose:
        services.set_rules(practitioner_id=whose.pk, session_id=None, values=None, now=timezone.now())
        return redirect_to(request, page, message=_("The clinic’s rules count for this practitioner again."))
    if request.method == "POST":
        form = RulesForm(request.POST)
        if form.is_valid():
            services.set_rules(
                practitioner_id=whose.pk if whose else None,
                session_id=None,
                values=form.cleaned_data,
                now=timezone.now(),
            )
            return redirect_to(request, page, message=_("The rules are saved. They count from now on."))
    else:
        form = RulesForm(instance=mine or clinics or QueueRules())
    context = {
        "form": form, "whose": whose, "is_own": mine is not None and whose is not None,
        "people": [{"id": one.pk, "name": one.name, "has_own": one.pk in own} for one in people],
    }  # fmt: skip
    return respond(request, "queue/rules.html", context, status=422 if form.errors else 200)


@requires("schedule.manage", "queue.run")
@require_http_methods(["GET", "POST"])
def session_rules(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """Rules for one session only: a vaccination afternoon, a day when the lift is broken."""
    one = session_or_404(request, session_id)
    mine = QueueRules.objects.filter(session=session_id).first()
    practitioners = QueueRules.objects.filter(session=None, practitioner=one["practitioner_id"]).first()
    clinics = QueueRules.objects.filter(session=None, practitioner=None).first()
    page = reverse("queue:session_rules", args=[session_id])
    if request.method == "POST" and request.POST.get("what") == "as_others":
        services.set_rules(practitioner_id=None, session_id=session_id, values=None, now=timezone.now())
        return redirect_to(request, page, message=_("This session has no rules of its own any more."))
    form = RulesForm(
        request.POST if request.method == "POST" else None, instance=mine or practitioners or clinics or QueueRules()
    )
    if request.method == "POST" and form.is_valid():
        services.set_rules(practitioner_id=None, session_id=session_id, values=form.cleaned_data, now=timezone.now())
        return redirect_to(
            request,
            reverse("queue:session", args=[session_id]),
            message=_("The rules are saved. They count from now on."),
        )
    context = {"form": form, "one": one, "is_own": mine is not None, "of_practitioner": practitioners is not None}
    return respond(request, "queue/session_rules.html", context, status=422 if form.errors else 200)


def _whose(text: str, people: list[Practitioner]) -> Practitioner | None:
    if not text:
        return None
    found = next((one for one in people if str(one.pk) == text), None)
    if found is None:
        raise Http404
    return found


@requires("schedule.manage", "queue.run")
@require_http_methods(["GET", "POST"])
def screens(request: HttpRequest) -> HttpResponse:
    """Screens with working links, and a new one: its address is shown this once."""
    limit = location_ids(request.member)  # type: ignore[attr-defined]
    form = ScreenForm(request.POST if request.method == "POST" else None, initial={"language": request.LANGUAGE_CODE})  # type: ignore[attr-defined]
    form.fields["location"].empty_label = None  # type: ignore[attr-defined]
    places = Location.objects.filter(is_active=True).order_by("name")
    form.fields["location"].queryset = places if limit is None else places.filter(pk__in=limit)  # type: ignore[attr-defined]
    context: dict[str, Any] = {"form": form}
    if request.method == "POST" and form.is_valid():
        made, url = displays.make(values=form.cleaned_data, now=timezone.now(), by=request.member.user_id)  # type: ignore[attr-defined]
        context |= {"made": made, "url": url, "code": qr.svg(url, title=_("Address of the screen"))}
        return respond(request, "queue/screen_made.html", context)
    context["rows"] = _with_words(displays.listed(locations=None if limit is None else sorted(limit)))
    return respond(request, "queue/screens.html", context, status=422 if form.errors else 200)


def _with_words(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kinds, themes = dict(Display.Kind.choices), dict(Display.Theme.choices)
    return [{**row, "kind_label": kinds[row["kind"]], "theme_label": themes[row["theme"]]} for row in rows]


@requires("schedule.manage", "queue.run")
@require_POST
def end_screen(request: HttpRequest, display_id: UUID) -> HttpResponse:
    """End a screen's link."""
    limit = location_ids(request.member)  # type: ignore[attr-defined]
    found = Display.objects.filter(pk=display_id).first()
    if found is None or (limit is not None and found.location_id not in limit):
        raise Http404
    try:
        displays.revoke(display_id=display_id, now=timezone.now(), by=request.member.user_id)  # type: ignore[attr-defined]
    except DomainError as refusal:
        raise Http404 from refusal
    return redirect_to(
        request, reverse("queue:screens"), message=_("The link is ended. The screen shows nothing any more.")
    )
