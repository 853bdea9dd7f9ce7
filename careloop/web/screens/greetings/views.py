"""Greetings: which are planned, whom they reach, and what patients wish."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from careloop.accounts.access import requires
from careloop.accounts.scope import current_location_ids
from careloop.audit import services as audit
from careloop.kernel.errors import DomainError
from careloop.loyalty import guard
from careloop.loyalty.models import GreetingPlan
from careloop.loyalty.thanks import greeting_lists, greetings, wishes
from careloop.loyalty.thanks.lunar import Occasion
from careloop.patients.models import Patient
from careloop.tenancy.models import Organization
from careloop.web.addresses import address
from careloop.web.http import clinic_zone, redirect_to, respond
from careloop.web.screens.greetings.forms import PlanForm, WishesForm

START = {
    "occasion": "BIRTHDAY", "who": "MEMBERS", "seen_within_months": 36, "days_before": 0, "window_days": 0, "hour": 9, "gives": "",
    "points": 0,
}  # fmt: skip


def _today(request: HttpRequest, now: datetime) -> date:
    return now.astimezone(clinic_zone(request)).date()


@requires("loyalty.view")
@require_GET
def plans(request: HttpRequest) -> HttpResponse:
    """All greetings, those switched on first, with what they did in a year and what stops them."""
    member: Any = request.member  # type: ignore[attr-defined]
    now = timezone.now()
    found = greeting_lists.plans(now=now)
    listed = [one["plan"] for one in found]
    verdicts = (
        guard.verdicts(listed, audience="one", organization=Organization.objects.get(), now=now) if listed else {}
    )
    rows = [
        {
            **one, "url": address("greetings:plan", one["plan"].pk), "occasion": Occasion(one["plan"].occasion).label,
            "next": greetings.next_festival(one["plan"], today=_today(request, now)),
            "gives": GreetingPlan.Gives(one["plan"].gives).label, "is_stopped": not verdicts[one["plan"].pk].may_be_sent,
        }
        for one in found
    ]  # fmt: skip
    context = {"rows": rows, "may_change": member.can("loyalty.manage"), "wishes": greeting_lists.wish_figures()}
    return respond(request, "greetings/list.html", context)


@requires("loyalty.manage")
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Plan a greeting; it is switched on afterwards."""
    form = PlanForm(request.POST or None, initial=START)
    if request.method == "POST" and form.is_valid():
        made = _save(request, form, None)
        if made is not None:
            return redirect_to(
                request, reverse("greetings:plan", args=[made.pk]), message=_("Saved. Now it can be switched on.")
            )
    return respond(
        request,
        "greetings/edit.html",
        {"form": form, "plan": None, "may_change": True},
        status=422 if form.errors else 200,
    )


@requires("loyalty.view")
@require_http_methods(["GET", "HEAD", "POST"])
def plan(request: HttpRequest, plan_id: UUID) -> HttpResponse:
    """One greeting: its rules, whether the law lets it go, whom it would reach today, and changing it."""
    member: Any = request.member  # type: ignore[attr-defined]
    now = timezone.now()
    found = get_object_or_404(GreetingPlan, pk=plan_id)
    may_change = member.can("loyalty.manage")
    form = PlanForm(
        request.POST if request.method == "POST" and may_change else None,
        initial={**{name: getattr(found, name) for name in greetings.FIELDS}, "version": found.version},
    )
    if request.method == "POST" and may_change and form.is_valid() and _save(request, form, plan_id) is not None:
        return redirect_to(request, reverse("greetings:plan", args=[plan_id]), message=_("Saved."))
    if not may_change:
        for field in form.fields.values():
            field.disabled = True
    return respond(
        request, "greetings/edit.html", _context(request, found, form, now=now), status=422 if form.errors else 200
    )


def _context(
    request: HttpRequest, found: GreetingPlan, form: PlanForm, *, now: datetime, verdict: Any = None
) -> dict[str, Any]:
    member: Any = request.member  # type: ignore[attr-defined]
    verdict = (
        verdict or guard.verdicts([found], audience="one", organization=Organization.objects.get(), now=now)[found.pk]
    )
    today = _today(request, now)
    day = greetings.next_festival(found, today=today) or today
    return {
        "form": form, "plan": found, "may_change": member.can("loyalty.manage"), "verdict": None if verdict.may_be_sent else verdict,
        "day": day, "is_today": day == today, "reaches": greeting_lists.reach(found, on=day, now=now), "done": greeting_lists.done(found.pk, now=now),
    }  # fmt: skip


def _save(request: HttpRequest, form: PlanForm, plan_id: UUID | None) -> GreetingPlan | None:
    member: Any = request.member  # type: ignore[attr-defined]
    given = dict(form.cleaned_data)
    version = given.pop("version", None)
    try:
        return greetings.save_plan(
            plan_id=plan_id, given=given, version=version if plan_id else None, now=timezone.now(), by=member.user_id
        )
    except DomainError as refusal:
        form.add_error(None, str(refusal))
        return None


@requires("loyalty.manage")
@require_POST
def switch(request: HttpRequest, plan_id: UUID) -> HttpResponse:
    """Switch a greeting on or off; what the law stops is refused with its reasons, and the way to a sign-off."""
    member: Any = request.member  # type: ignore[attr-defined]
    now = timezone.now()
    found = get_object_or_404(GreetingPlan, pk=plan_id)
    on = request.POST.get("on") == "yes"
    try:
        greetings.switch(plan_id=plan_id, on=on, now=now, by=member.user_id)
    except DomainError as refusal:
        form = PlanForm(initial={**{name: getattr(found, name) for name in greetings.FIELDS}, "version": found.version})
        context = _context(request, found, form, now=now, verdict=getattr(refusal, "verdict", None))
        return respond(request, "greetings/edit.html", {**context, "refusal": str(refusal)}, status=refusal.status)
    said = _("Switched on: it greets from the next morning on.") if on else _("Switched off.")
    return redirect_to(request, reverse("greetings:plan", args=[plan_id]), message=said)


@requires("loyalty.desk")
@require_http_methods(["GET", "HEAD", "POST"])
def wishes_of(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    """What a patient wishes of greetings and news, as told at the desk."""
    limit = current_location_ids()
    patient = Patient.objects.filter(pk=patient_id).first()
    if patient is None or (limit is not None and patient.home_location_id not in limit):
        raise Http404
    back, now = reverse("patients:page", args=[patient_id]), timezone.now()
    known = wishes.wishes_of(patient_id)
    form = WishesForm(
        request.POST or None,
        initial={
            "wants_greetings": known.wants_greetings,
            "is_lunar": known.is_lunar,
            "interests": list(known.interests),
        },
    )
    if request.method == "POST" and form.is_valid():
        wishes.keep_greetings(
            patient_id=patient_id,
            wants_greetings=form.cleaned_data["wants_greetings"],
            is_lunar=form.cleaned_data["is_lunar"],
            now=now,
        )
        wishes.keep_interests(patient_id=patient_id, chosen=form.cleaned_data["interests"], now=now)
        return redirect_to(request, back, message=_("Saved."))
    audit.record("thanks.wishes_viewed", patients=[patient_id])
    return respond(
        request,
        "greetings/wishes.html",
        {"form": form, "patient": patient, "back": back},
        status=422 if form.errors else 200,
    )
