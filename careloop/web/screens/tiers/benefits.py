"""Benefits of a tier: what they give, what the legal rules say, and how much they are used."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from careloop.accounts.access import requires
from careloop.audit import services as audit
from careloop.kernel.errors import DomainError
from careloop.loyalty import guard
from careloop.loyalty.models import Benefit, Tier
from careloop.loyalty.tier import benefit_use, words
from careloop.loyalty.tier import benefits as services
from careloop.policy.errors import OfferStopped
from careloop.web.addresses import address
from careloop.web.http import csv_download, redirect_to, respond
from careloop.web.screens.tiers.common import address_or_none, currency_of, tabs
from careloop.web.screens.tiers.forms import FIELDS_OF, BenefitForm
from careloop.web.screens.tiers.listing import shown_benefit

PERIODS = (30, 90, 365)
KINDS = dict(Benefit.Kind.choices)
SHOWN = ("name", "text", "days", "contact", "practitioner", "url", "count", "period", "is_care", "percent", "amount", "and_above", "version")  # fmt: skip


@requires("loyalty.manage")
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest, tier_id: UUID, benefit_kind: str) -> HttpResponse:
    """A new benefit of one kind; it is switched off until somebody switches it on."""
    tier = Tier.objects.filter(pk=tier_id).first()
    if tier is None or benefit_kind not in FIELDS_OF:
        raise Http404
    posted = request.POST if request.method == "POST" else None
    form = BenefitForm(posted, kind=benefit_kind, currency=currency_of(request))
    if posted is not None and form.is_valid():
        made = services.save_benefit(
            tier_id=tier_id, values=form.values(), now=timezone.now(), by=request.member.user_id  # type: ignore[attr-defined]
        )  # fmt: skip
        said = _("The benefit is saved. It is switched off until you switch it on below.")
        return redirect_to(request, address("tiers:benefit", made.pk), message=said)
    context = {"form": form, "tier": tier, "kind_label": KINDS[benefit_kind], "back_url": address("tiers:list")}
    return respond(request, "tiers/benefit_new.html", context, status=422 if form.errors else 200)


def _form(request: HttpRequest, one: Benefit, posted: QueryDict | None = None) -> BenefitForm:
    initial = {name: getattr(one, name) for name in SHOWN}
    return BenefitForm(posted, kind=one.kind, currency=currency_of(request), initial=initial)


def _benefit_or_404(benefit_id: UUID) -> Benefit:
    found = Benefit.objects.select_related("tier", "practitioner").filter(pk=benefit_id).first()
    if found is None:
        raise Http404
    return found


@requires("loyalty.view")
@require_http_methods(["GET", "POST"])
def benefit(request: HttpRequest, benefit_id: UUID) -> HttpResponse:
    """One benefit: the form, the switch, and what the rules say to members and in public."""
    member: Any = request.member  # type: ignore[attr-defined]
    one = _benefit_or_404(benefit_id)
    may_manage = member.can("loyalty.manage")
    posted = request.POST if request.method == "POST" and may_manage else None
    form = _form(request, one, posted)
    if posted is not None and form.is_valid():
        try:
            services.save_benefit(
                tier_id=one.tier_id, benefit_id=one.pk, values=form.values(), version=form.cleaned_data["version"],
                now=timezone.now(), by=member.user_id,
            )  # fmt: skip
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect_to(request, address("tiers:benefit", one.pk), message=_("The benefit is saved."))
    return _page(request, one, form, may_manage=may_manage)


def _page(
    request: HttpRequest, one: Benefit, form: BenefitForm, *, may_manage: bool, sentence: str = ""
) -> HttpResponse:
    organization, now = request.member.organization, timezone.now()  # type: ignore[attr-defined]
    verdicts = {
        audience: guard.verdicts([one], audience=audience, organization=organization, now=now)[one.pk] for audience in ("one", "public")
    }  # fmt: skip
    context = {
        "one": one, "form": form, "may_manage": may_manage, "kind_label": KINDS[one.kind], "back_url": address("tiers:list"),
        "shown": shown_benefit(one, verdicts["one"], currency_of(request)), "private": verdicts["one"], "public": verdicts["public"],
        "guard_url": address_or_none("guard:home"), "sentence": sentence,
    }  # fmt: skip
    return respond(request, "tiers/benefit.html", context, status=422 if form.errors or sentence else 200)


@requires("loyalty.manage")
@require_POST
def switch(request: HttpRequest, benefit_id: UUID) -> HttpResponse:
    """Switch it on or off; a rule that stops it says so on its page."""
    one = _benefit_or_404(benefit_id)
    on = request.POST.get("on") == "1"
    try:
        services.switch(benefit_id=benefit_id, on=on, now=timezone.now(), by=request.member.user_id)  # type: ignore[attr-defined]
    except OfferStopped as refusal:
        form = _form(request, one)
        return _page(request, one, form, may_manage=True, sentence=str(refusal))
    said = _("The benefit is switched on.") if on else _("The benefit is switched off.")
    return redirect_to(request, address("tiers:benefit", benefit_id), message=said)


@requires("loyalty.view")
@require_GET
def use(request: HttpRequest) -> HttpResponseBase:
    """How many members have each benefit, how many it was shown to, and how many used it."""
    now = timezone.now()
    days = int(text) if (text := request.GET.get("days", "")).isdigit() and int(text) in PERIODS else 90
    currency = currency_of(request)
    rows = [
        {**row, "kind_label": KINDS[row["kind"]], "gives": words.gives({**row, "period_label": dict(Benefit.Period.choices).get(row["period"], "")}, currency),
         "url": address("tiers:benefit", row["id"])}
        for row in benefit_use.measured(since=now - timedelta(days=days), now=now)
    ]  # fmt: skip
    if request.GET.get("format") == "csv":
        audit.record("report.downloaded", target=("report", "benefits"))
        header = [
            _("Benefit"),
            _("Kind"),
            _("Tier"),
            _("Members who have it"),
            _("Shown to"),
            _("Used by"),
            _("Times used"),
        ]
        return csv_download(
            f"benefits-{days}.csv", header,
            [[row["name"], row["kind_label"], row["tier"], row["entitled"], row["offered"], row["users"], row["uses"]] for row in rows],
        )  # fmt: skip
    periods = [
        {"label": ngettext("last %(days)d day", "last %(days)d days", one) % {"days": one}, "url": f"?days={one}", "is_current": one == days}
        for one in PERIODS
    ]  # fmt: skip
    context = {"rows": rows, "periods": periods, "tabs": tabs("use"), "csv_url": f"?days={days}&format=csv"}
    return respond(request, "tiers/use.html", context)
