"""Coupons: the list, setting one up, giving it to a member, printing a series."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from careloop.accounts.access import requires
from careloop.audit import services as audit
from careloop.kernel.errors import DomainError
from careloop.loyalty import guard
from careloop.loyalty.models import Coupon
from careloop.loyalty.points.ledger import Because
from careloop.loyalty.reward import codes as one_time
from careloop.loyalty.reward import coupons as service
from careloop.loyalty.reward import desk, rewards
from careloop.loyalty.reward import lists as reward_lists
from careloop.web.addresses import address
from careloop.web.http import Keyset, clinic_zone, csv_download, redirect_to, respond
from careloop.web.screens.rewards.acting import saved
from careloop.web.screens.rewards.catalogue import ORDER, switched, verdicts_of
from careloop.web.screens.rewards.common import (
    CODE_STATES,
    CODE_TONES,
    COUPON_KINDS,
    GIVES,
    OFFER_STATES,
    OFFER_TONES,
    first_a_programme,
    open_programmes,
    tabs,
)
from careloop.web.screens.rewards.forms import CouponForm, GiveForm, SeriesForm
from careloop.web.screens.rewards.redemptions import named


@requires("loyalty.view")
@require_GET
def listed(request: HttpRequest) -> HttpResponse:
    """All coupons but the partners', with what became of their codes."""
    member: Any = request.member  # type: ignore[attr-defined]
    found = sorted(Coupon.objects.exclude(kind="PARTNER"), key=lambda one: (ORDER[one.state], one.name, one.pk))
    rows = shown_offers(found, organization=member.organization)
    context = {**tabs(request, "rewards:coupons"), "rows": rows, "has_programme": bool(open_programmes())}
    return respond(request, "rewards/coupons.html", context)


def shown_offers(found: list[Coupon], *, organization: Any) -> list[dict[str, Any]]:
    """Return coupons as lists show them: the guard is asked once for all."""
    now, language = timezone.now(), translation.get_language() or ""
    verdicts = guard.verdicts(found, audience="one", organization=organization, now=now) if found else {}
    figures = reward_lists.coupon_figures()
    none = {"codes": 0, "open": 0, "used": 0}
    return [
        {"url": address("rewards:coupon", one.pk), "name": one.name_in(language), "kind": COUPON_KINDS[one.kind], "gives": GIVES[one.gives],
         "state_label": OFFER_STATES[one.state], "tone": OFFER_TONES[one.state], "valid_until": one.valid_until,
         "is_stopped": one.state != "OFF" and not verdicts[one.pk].may_be_sent, "answer": verdicts[one.pk].answer.label, **figures.get(one.pk, none)}
        for one in found
    ]  # fmt: skip


@requires("loyalty.manage")
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Write down a new coupon."""
    member: Any = request.member  # type: ignore[attr-defined]
    if not open_programmes():
        return first_a_programme(request)
    partner = partner_of(request.GET.get("partner", ""))
    form = CouponForm(request.POST or None, organization=member.organization, partner=partner)
    if request.method == "POST" and form.is_valid():
        made = rewards.save(Coupon, values=form.values(), now=timezone.now(), by=member.user_id)
        return redirect_to(
            request, address("rewards:coupon", made.pk), message=_("Saved. Members see it once it is switched on.")
        )
    context = {"form": form, "one": None, "partner": partner}
    return respond(request, "rewards/coupon.html", context, status=422 if form.errors else 200)


def partner_of(text: str) -> Any:
    """The partner a new offer is for; None for the clinic's own coupon."""
    from careloop.loyalty.models import Partner

    try:
        found = Partner.objects.filter(pk=UUID(text)).first() if text else None
    except ValueError:
        raise Http404 from None
    if text and found is None:
        raise Http404
    return found


@requires("loyalty.view")
@require_http_methods(["GET", "POST"])
def coupon(request: HttpRequest, coupon_id: UUID) -> HttpResponse:
    """One coupon: its set-up, what the guard says, and what can be done with it."""
    member: Any = request.member  # type: ignore[attr-defined]
    one = load(coupon_id)
    may_manage, now = member.can("loyalty.manage"), timezone.now()
    form = CouponForm(request.POST or None, organization=member.organization, offer=one)
    if request.method == "POST" and not may_manage:
        return HttpResponse(status=403)
    if request.method == "POST" and saved(form, one, by=member.user_id):
        return redirect_to(request, address("rewards:coupon", one.pk), message=_("Saved."))
    figures = reward_lists.coupon_figures().get(one.pk, {"codes": 0, "open": 0, "used": 0})
    context = {
        "form": form, "one": one, "partner": one.partner, "may_manage": may_manage, "may_desk": member.can("loyalty.desk"),
        "name": one.name_in(translation.get_language() or ""), "kind": COUPON_KINDS[one.kind], "figures": figures,
        "state_label": OFFER_STATES[one.state], "tone": OFFER_TONES[one.state], **verdicts_of(one, now=now),
        "facts": [{"label": _("What it gives"), "value": GIVES[one.gives]}],
    }  # fmt: skip
    return respond(request, "rewards/coupon.html", context, status=422 if form.errors else 200)


@requires("loyalty.manage")
@require_POST
def switch(request: HttpRequest, coupon_id: UUID) -> HttpResponse:
    """Switch it on, if the guard lets it, or off."""
    return switched(request, Coupon, coupon_id, address("rewards:coupon", coupon_id))


@requires("loyalty.view")
@require_GET
def codes(request: HttpRequest, coupon_id: UUID) -> HttpResponse:
    """Who has a code of it, and what became of each."""
    one, zone = load(coupon_id), clinic_zone(request)
    keyset = Keyset(request, order=("-granted_at", "-id"), size=reward_lists.PAGE)
    columns = {"granted_at": "k.granted_at", "id": "k.id"}
    beyond, more = named(keyset, columns)
    page = keyset.cut(
        reward_lists.codes_listed(
            coupon_id=one.pk, beyond=beyond, order=keyset.order_by(**columns), limit=keyset.limit, more=more
        )
    )
    audit.record("coupon.codes_listed", patients=[row["patient_id"] for row in page.rows if row["patient_id"]])
    rows = [
        {**row, "url": address("rewards:code", row["id"]), "state_label": CODE_STATES[row["state"]], "tone": CODE_TONES[row["state"]],
         "patient_url": address("patients:page", row["patient_id"]) if row["patient_id"] else "",
         "at": row["granted_at"].astimezone(zone), "used": row["used_at"].astimezone(zone) if row["used_at"] else None}
        for row in page.rows
    ]  # fmt: skip
    context = {"one": one, "name": one.name_in(translation.get_language() or ""), "page": page, "rows": rows}
    return respond(request, "rewards/codes.html", context)


@requires("loyalty.manage")
@require_http_methods(["GET", "POST"])
def make(request: HttpRequest, coupon_id: UUID) -> HttpResponse:
    """Make codes for paper."""
    one = load(coupon_id)
    if one.kind != Coupon.Kind.SERIES:
        raise Http404
    member: Any = request.member  # type: ignore[attr-defined]
    form = SeriesForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = service.make_series(coupon_id=one.pk, now=timezone.now(), by=member.user_id, **form.cleaned_data)
        except DomainError as refused:
            form.add_error(None, str(refused))
        else:
            said = ngettext("%(n)d code was made.", "%(n)d codes were made.", made) % {"n": made}
            return redirect_to(request, address("rewards:coupon", one.pk), message=said)
    return _ask(
        request, form, one, title=_("Make codes for paper"), label=pgettext("coupon", "Make them"),
        text=_("Each code can be used once, by whoever brings it. You can download the list for the printer afterwards."),
    )  # fmt: skip


@requires("loyalty.manage")
@require_GET
def series_csv(request: HttpRequest, coupon_id: UUID) -> HttpResponseBase:
    """The codes of a series, for the printer."""
    one = load(coupon_id)
    if one.kind != Coupon.Kind.SERIES:
        raise Http404
    audit.record("coupon.series_downloaded", target=("coupon", one.pk))
    lines = (
        [row["number"], one_time.code_of(one.organization_id, "COUPON", serial=row["serial"], good_until=row["good_until"]),
         row["good_until"], CODE_STATES[row["state"]]]
        for row in reward_lists.series_rows(one.pk)
    )  # fmt: skip
    header = [pgettext("coupon", "No."), _("Code"), _("Good until"), _("State")]
    return csv_download("coupons.csv", header, lines)


@requires("loyalty.desk")
@require_http_methods(["GET", "POST"])
def give(request: HttpRequest, coupon_id: UUID) -> HttpResponse:
    """Give it to one member, with the reason."""
    one = load(coupon_id)
    if one.kind == Coupon.Kind.SERIES:
        raise Http404
    member: Any = request.member  # type: ignore[attr-defined]
    form = GiveForm(request.POST or None, initial={"member": request.GET.get("member", "")[:40]})
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        who = desk.find_member(given["member"])
        if who is None:
            form.add_error("member", _("No member here has this number."))
        else:
            try:
                made = service.grant_coupon(
                    account_id=who["id"], coupon_id=one.pk, key=f"staff:{given['key']}", because=Because("MANUAL", note=given["note"]),
                    now=timezone.now(), by=member.user_id,
                )  # fmt: skip
            except DomainError as refused:
                form.add_error(None, str(refused))
            else:
                return redirect_to(
                    request, address("rewards:code", made["id"]), message=_("Given. The member sees it on their pages.")
                )
    return _ask(
        request, form, one, title=_("Give this coupon to a member"), label=pgettext("coupon", "Give"),
        text=_("The member finds it on their own pages, with a code to show."),
    )  # fmt: skip


def _ask(request: HttpRequest, form: Any, one: Coupon, *, title: str, label: str, text: str) -> HttpResponse:
    context = {
        "title": title, "label": label, "text": text, "form": form, "action": request.path, "may_do": True,
        "cancel_url": address("rewards:coupon", one.pk),
        "facts": [{"label": _("Coupon"), "value": one.name_in(translation.get_language() or "")}],
    }  # fmt: skip
    return respond(
        request, "rewards/confirm.html", context, fragment="rewards/_ask.html", status=422 if form.errors else 200
    )


def load(coupon_id: UUID) -> Coupon:
    """The coupon."""
    found = Coupon.objects.select_related("partner").filter(pk=coupon_id).first()
    if found is None:
        raise Http404
    return found
