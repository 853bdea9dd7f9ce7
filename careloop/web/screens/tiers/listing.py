"""The tiers of each programme, and setting one up: tried first, then made."""

from collections import defaultdict
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods

from careloop.accounts.access import requires
from careloop.accounts.scope import at_home
from careloop.audit import services as audit
from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.loyalty import guard
from careloop.loyalty.models import Benefit, Programme, Tier
from careloop.loyalty.tier import benefits as benefit_services
from careloop.loyalty.tier import setup as tier_setup
from careloop.loyalty.tier import standing, words
from careloop.policy.answers import Verdict
from careloop.web.addresses import address
from careloop.web.http import redirect_to, respond
from careloop.web.screens.tiers.common import address_or_none, currency_of, programme_or_404, tabs
from careloop.web.screens.tiers.forms import TierForm


@requires("loyalty.view")
@require_GET
def tiers(request: HttpRequest) -> HttpResponse:
    """Each programme's tiers, the highest first: what each asks for, who stands in it, what it gives."""
    member: Any = request.member  # type: ignore[attr-defined]
    currency = currency_of(request)
    programmes = list(
        Programme.objects.exclude(state=Programme.State.CLOSED)
        .select_related("location")
        .order_by("location__name", "name")
    )
    given = _benefits_by_tier(request)
    shown = []
    for one in programmes:
        rows = tier_setup.tiers_of(one.pk)
        shown.append({
            "programme": one, "new_url": address("tiers:new", one.pk),
            "rows": [
                {
                    **row, "asks": words.asks_for(row, currency), "review": words.review(row), "url": address("tiers:edit", row["id"]),
                    "benefits": given.get(row["id"], []),
                    "kinds": [{"label": label, "url": reverse("tiers:benefit_new", args=[row["id"], kind])} for kind, label in Benefit.Kind.choices],
                }
                for row in sorted(rows, key=lambda row: (not row["is_active"], -row["rank"]))
            ],
        })  # fmt: skip
    context = {
        "programmes": shown, "may_manage": member.can("loyalty.manage"), "tabs": tabs("list"),
        "set_up_url": address_or_none("membership:programmes"),
    }  # fmt: skip
    return respond(request, "tiers/list.html", context)


def _benefits_by_tier(request: HttpRequest) -> dict[UUID, list[dict[str, Any]]]:
    currency = currency_of(request)
    every = list(Benefit.objects.select_related("tier", "practitioner").order_by("kind", "name"))
    organization = request.member.organization  # type: ignore[attr-defined]
    verdicts = guard.verdicts(every, audience="one", organization=organization, now=timezone.now())
    found: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for one in every:
        found[one.tier_id].append(shown_benefit(one, verdicts[one.pk], currency))
    return found


def shown_benefit(one: Benefit, verdict: Verdict, currency: str) -> dict[str, Any]:
    """Return a benefit in words, with whether it is in force today and why not."""
    row = benefit_services.shown(one)
    is_stopped = not verdict.may_be_sent
    state, tone = (_("off"), "neutral") if not one.is_on else (_("in force"), "success")
    if is_stopped:
        state, tone = _("stopped by a legal rule"), "danger" if one.is_on else "warning"
    return {
        **row, "gives": words.gives(row, currency), "url": address("tiers:benefit", one.pk), "is_on": one.is_on, "state": state, "tone": tone,
        "is_stopped": is_stopped,
    }  # fmt: skip


@requires("loyalty.manage")
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest, programme_id: UUID) -> HttpResponse:
    """A new tier, above those there are."""
    programme = programme_or_404(programme_id)
    highest = max((one.rule.rank for one in standing.rules_of(programme_id) if one.is_active), default=0)
    initial = {
        "rank": highest + 1,
        "join": "ALL",
        "window": "MONTHS",
        "months": 12,
        "grace_days": 30,
        "is_active": True,
        "colour": "grey",
    }
    return _form_page(request, programme, None, initial)


@requires("loyalty.manage")
@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, tier_id: UUID) -> HttpResponse:
    """Change a tier."""
    tier = Tier.objects.select_related("programme").filter(pk=tier_id).first()
    if tier is None:
        raise Http404
    names = ("name", "rank", "colour", "join", "window", "months", "grace_days", "is_active", "version")
    initial = {name: getattr(tier, name) for name in names}
    initial |= dict(tier.criteria.values_list("metric", "at_least"))
    return _form_page(request, tier.programme, tier, initial)


def _form_page(request: HttpRequest, programme: Programme, tier: Tier | None, initial: dict[str, Any]) -> HttpResponse:
    """The form; tried, it shows who would move; saved, everybody's tier is worked out again by a background job."""
    now, currency = timezone.now(), currency_of(request)
    posted = request.POST if request.method == "POST" else None
    form = TierForm(posted, initial=initial, currency=currency)
    tried = None
    if posted is not None and form.is_valid():
        definition = form.definition()
        if posted.get("what") == "save":
            try:
                tier_setup.define(
                    programme_id=programme.pk, definition=definition, tier_id=tier.pk if tier else None, at_once=False,
                    version=form.cleaned_data["version"], announce=form.cleaned_data["announce"], now=now,
                    by=request.member.user_id,  # type: ignore[attr-defined]
                )  # fmt: skip
            except DomainError as refusal:
                form.add_error(None, str(refusal))
            else:
                said = _("The tier is saved. Everybody’s tier is being worked out again.")
                return redirect_to(request, address("tiers:list"), message=said)
        else:
            rules = tier_setup.proposed(programme.pk, definition, tier_id=tier.pk if tier else None)
            tried = _shown_run(standing.dry_run(programme.pk, rules, now=now), rules, request)
    context = {"form": form, "programme": programme, "tier": tier, "tried": tried, "back_url": address("tiers:list")}
    return respond(request, "tiers/form.html", context, status=422 if form.errors else 200)


def _shown_run(run: standing.DryRun, rules: list[standing.TierRule], request: HttpRequest) -> dict[str, Any]:
    """The dry run in words; members of other branches than one's own are counted and not named."""
    names = {one.rule.rank: one.name for one in rules if one.is_active}
    currency = currency_of(request)
    seen = _seen({UUID(row["patient_id"]) for row in run.rows})
    rows = [
        {
            "name": row["name"], "url": address("tiers:member", row["account_id"]), "before": names.get(row["old_rank"], "–"),
            "after": names.get(row["new_rank"], "–"), "figures": words.figures(row["figures"], currency),
            "when": _("at once") if not row["falls_later"] else _("at the review on %(day)s") % {"day": row["review_on"]},
            "rises": row["rises"],
        }
        for row in run.rows if UUID(row["patient_id"]) in seen
    ]  # fmt: skip
    if rows:
        audit.record("loyalty.tiers_tried", patients=list(seen))
    by_tier = [
        {"name": names.get(row["rank"], _("no tier")), "now": row["now"], "then": row["then"], "not_kept": row["not_kept"]}
        for row in run.by_tier
    ]  # fmt: skip
    said = ngettext("%(n)d of them would not be kept by the present rules either.",
                    "%(n)d of them would not be kept by the present rules either.", run.falls_already) % {"n": run.falls_already}  # fmt: skip
    return {
        "run": run,
        "rows": rows,
        "by_tier": by_tier,
        "already": said if run.falls_already else "",
        "more": run.rises + run.falls - len(rows),
    }


def _seen(patient_ids: set[UUID]) -> set[UUID]:
    home, limited = at_home("home_location_id")
    found = sql.rows(
        f"select id from patients_patient where id = any(%(ids)s){home}", {"ids": list(patient_ids), **limited}
    )
    return {row["id"] for row in found}
