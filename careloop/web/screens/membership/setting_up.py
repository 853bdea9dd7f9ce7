"""Setting up a programme: writing it, its rules with a preview in plain words, opening and closing it."""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET, require_http_methods

from careloop.accounts.access import requires
from careloop.kernel.errors import DomainError
from careloop.loyalty import guard
from careloop.loyalty.earn import preview
from careloop.loyalty.earn.nhi import nhi_earns_nothing
from careloop.loyalty.join import members
from careloop.loyalty.join import programme as services
from careloop.loyalty.models import Account, EarnRule, Programme
from careloop.web.addresses import address
from careloop.web.http import clinic_zone, redirect_to, respond
from careloop.web.screens.membership.common import (
    PROGRAMME_TONES,
    STATES,
    load_programme,
    shown_rule,
)
from careloop.web.screens.membership.forms import PreviewForm, ProgrammeForm

SAMPLE_AMOUNT = "1200"


@requires("loyalty.manage")
@require_GET
def programmes(request: HttpRequest) -> HttpResponse:
    """All programmes, those that are open first."""
    rows = [
        {"programme": one, "state_label": STATES[one.state], "tone": PROGRAMME_TONES[one.state], "url": address("membership:programme", one.pk)}
        for one in Programme.objects.select_related("location").order_by("-state", "name")
    ]  # fmt: skip
    return respond(request, "membership/programmes.html", {"rows": rows})


@requires("loyalty.manage")
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Write a programme; the rules come next."""
    member: Any = request.member  # type: ignore[attr-defined]
    form = ProgrammeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        where = form.cleaned_data.get("location")
        try:
            made = services.create(
                now=timezone.now(), by=member.user_id, location_id=where.pk if where else None, programme_id=form.cleaned_data["key"],
                **form.values(),
            )  # fmt: skip
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            said = _("Written. Now say what earns points; then open it.")
            return redirect_to(request, address("membership:programme", made.pk), message=said)
    context = {
        "form": form,
        "title": _("New programme"),
        "back_url": address("membership:programmes"),
        "back_label": _("Programmes"),
    }
    return respond(request, "membership/form.html", context, status=422 if form.errors else 200)


@requires("loyalty.manage")
@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, programme_id: UUID) -> HttpResponse:
    """Change a programme."""
    member: Any = request.member  # type: ignore[attr-defined]
    one = load_programme(programme_id)
    form = ProgrammeForm(request.POST or None, programme=one)
    if request.method == "POST" and form.is_valid():
        try:
            services.change(
                programme_id=one.pk, version=form.cleaned_data["version"] or 0, now=timezone.now(), by=member.user_id, **form.values()
            )  # fmt: skip
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect_to(request, address("membership:programme", one.pk), message=_("Saved."))
    context = {
        "form": form,
        "title": one.name,
        "back_url": address("membership:programme", one.pk),
        "back_label": one.name,
    }
    return respond(request, "membership/form.html", context, status=422 if form.errors else 200)


@requires("loyalty.manage")
@require_GET
def programme(request: HttpRequest, programme_id: UUID) -> HttpResponse:
    """One programme: its rules with the law's word about each, and what they give for a visit of one's choosing."""
    member: Any = request.member  # type: ignore[attr-defined]
    one, now, zone = load_programme(programme_id), timezone.now(), clinic_zone(request)
    organization = member.organization
    rules = list(EarnRule.objects.filter(programme=one).order_by("-is_on", "priority", "id"))
    verdicts = guard.verdicts(rules, audience="one", organization=organization, now=now)
    tiers = members.tiers()
    form = PreviewForm(request.GET or None, currency=organization.currency, tiers=tiers)
    sample = _sample(form, zone, now)
    given = preview.examples(
        one, [rule for rule in rules if rule.is_on], sample, zone=zone, currency=organization.currency,
        forbids_nhi=nhi_earns_nothing(organization), verdicts=verdicts,
    )  # fmt: skip
    of_visit = [example for example in given if example.rule.kind in ("VISIT", "KEPT_APPOINTMENT", "SELF_PAY")]
    if not form.is_bound:  # shown with what was worked out
        form = PreviewForm(initial={"on": sample.at.astimezone(zone).date(), "amount": SAMPLE_AMOUNT, "paid_by": "SELF"},
                           currency=organization.currency, tiers=tiers)  # fmt: skip
    context = {
        "one": one, "state_label": STATES[one.state], "tone": PROGRAMME_TONES[one.state], "pairs": _pairs(one),
        "rules": [shown_rule(rule, verdicts[rule.pk], currency=organization.currency) for rule in rules],
        "kinds": [{"kind": kind, "label": label} for kind, label in EarnRule.Kind.choices],
        "form": form, "of_visit": of_visit, "others": [example for example in given if example not in of_visit],
        "total": sum(example.points for example in of_visit),
    }  # fmt: skip
    return respond(request, "membership/programme.html", context)


def _sample(form: PreviewForm, zone: Any, now: datetime) -> preview.Sample:
    given: dict[str, Any] = form.cleaned_data if form.is_bound and form.is_valid() else {}
    on = given.get("on") or (now.astimezone(zone) + timedelta(days=1)).date()
    amount = given.get("amount")
    return preview.Sample(
        at=datetime.combine(on, time(10), zone), amount=_default_amount(form) if amount is None else amount, tier=given.get("tier", ""),
        birthday_month=bool(given.get("birthday")), paid_by=given.get("paid_by") or "SELF",
    )  # fmt: skip


def _default_amount(form: PreviewForm) -> int:
    field: Any = form.fields["amount"]
    return 0 if form.is_bound else int(field.clean(SAMPLE_AMOUNT))


def _pairs(one: Programme) -> list[dict[str, Any]]:
    members_of = Account.objects.filter(programme=one, kind=Account.Kind.PATIENT, state=Account.State.ACTIVE).count()
    months = _("%(months)s months, to the end of the month") % {"months": one.valid_months}
    caps = [
        sentence % {"points": most}
        for most, sentence in (
            (one.cap_day, _("At most %(points)s points a day.")), (one.cap_month, _("At most %(points)s points a month.")),
            (one.cap_year, _("At most %(points)s points a year.")),
        ) if most is not None
    ]  # fmt: skip
    families = [
        said for on, said in (
            (one.allows_pools, _("may share points")), (one.allows_transfers, _("may hand over points")),
        ) if on
    ]  # fmt: skip
    pairs = [
        (pgettext("programme", "For"), one.location.name if one.location else _("the whole organization")),
        (pgettext("members", "Members"), f"{members_of:,}"),
        (_("Points are valid for"), months if one.valid_months else _("ever")),
        (_("All rules together"), " ".join(caps)),
        (pgettext("programme", "Families"), pgettext("list of conditions", ", ").join(families)),
        (_("Spent points taken back"), str(dict(Programme.WhenSpent.choices)[one.when_spent])),
    ]  # fmt: skip
    return [{"label": label, "value": value, "href": ""} for label, value in pairs if value]


@requires("loyalty.manage")
@require_http_methods(["GET", "POST"])
def open_it(request: HttpRequest, programme_id: UUID) -> HttpResponse:
    """Ask, then let patients join."""
    one = load_programme(programme_id)
    on = EarnRule.objects.filter(programme=one, is_on=True).count()
    return _ask(
        request, one, services.open_programme, title=_("Open this programme?"), label=_("Open"), said=_("It is open. Patients can join."),
        text=_("Patients can join at the desk and on their own pages. What happens from now on earns points; what was before does not."),
        facts=[{"label": _("Rules switched on"), "value": str(on)}],
    )  # fmt: skip


@requires("loyalty.manage")
@require_http_methods(["GET", "POST"])
def close_it(request: HttpRequest, programme_id: UUID) -> HttpResponse:
    """Ask, then take no more members."""
    one = load_programme(programme_id)
    count = Account.objects.filter(programme=one, kind=Account.Kind.PATIENT, state=Account.State.ACTIVE).count()
    return _ask(
        request, one, services.close, title=_("Close this programme?"), label=pgettext("programme", "Close"), tone="danger",
        said=_("It is closed."),
        text=_("Nobody joins any more and nothing earns points. Members keep what they have, and what waits still becomes final."),
        facts=[{"label": pgettext("members", "Members"), "value": f"{count:,}"}],
    )  # fmt: skip


def _ask(
    request: HttpRequest, one: Programme, do: Callable[..., Any], *, title: str, text: str, label: str, said: str,
    facts: list[dict[str, str]], tone: str = "primary",
) -> HttpResponse:  # fmt: skip
    member: Any = request.member  # type: ignore[attr-defined]
    url, warning = address("membership:programme", one.pk), ""
    if request.method == "POST":
        try:
            do(programme_id=one.pk, now=timezone.now(), by=member.user_id)
        except DomainError as refusal:
            warning = str(refusal)
        else:
            return redirect_to(request, url, message=said)
    context = {
        "title": title, "text": text, "label": label, "tone": tone, "form": "", "action": request.path, "facts": facts, "warning": warning,
        "cancel_url": url, "back_url": url, "back_label": one.name, "hidden": [],
    }  # fmt: skip
    return respond(
        request,
        "membership/ask.html",
        context,
        fragment="membership/_ask.html",
        status=422 if warning else 200,
    )
