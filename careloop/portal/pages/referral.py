"""Telling a friend: the link that a friend opens, a member's own code, and what one wishes of greetings and news."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from careloop.audit import services as audit
from careloop.kernel.errors import DomainError
from careloop.loyalty.join import membership
from careloop.loyalty.thanks import referrals, wishes
from careloop.portal import referring, visiting
from careloop.portal.entering import for_everybody, for_patients, show
from careloop.portal.recognizing import Visitor
from careloop.waitingroom import qr


@for_everybody("names nobody and notes nothing: the browser carries the code to where somebody registers")
@require_GET
def invited(request: HttpRequest, visitor: Visitor, code: str) -> HttpResponse:
    """The page behind a member's link or QR code: welcome, and the way in."""
    refusal = ""
    try:
        if not referrals.is_on():
            raise referring.UnknownReferralCode
        kept = referring.check(visitor, code)
    except DomainError as error:
        kept, refusal = "", str(error)
    context = {"known": bool(kept), "refusal": refusal, "can_book": visiting.can_book_online()}
    response = show(request, visitor, "portal/invited.html", context, tab="home", status=200 if kept else 404)
    # the first link counts: another one opened later does not take its place
    if kept and visitor.session is None and referring.carried(request, visitor) is None:
        referring.remember(response, visitor, referring.Carried(kept))
    return response


@for_patients
@require_GET
def referral(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """My code to give away, and how many came with it."""
    context: dict[str, Any] = {"own": None}
    if referrals.is_on() and membership.account_of(visitor.patient_id) is not None:
        own = referring.own(visitor.patient_id, visitor=visitor)
        context = {"own": {**own, "qr": qr.svg(own["link"], title=_("Your referral code"))}}
    audit.record("portal.viewed", patients=[visitor.patient_id], details={"page": "referral"}, now=visitor.now)
    return show(request, visitor, "portal/referral.html", context, tab="me")


@for_patients
@require_http_methods(["GET", "HEAD", "POST"])
def my_wishes(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """Whether and by which calendar I am greeted, and what I like to read about."""
    if request.method == "POST":
        wishes.keep_greetings(
            patient_id=visitor.patient_id, wants_greetings=request.POST.get("greetings") == "yes",
            is_lunar=request.POST.get("calendar") == "lunar", now=visitor.now,
        )  # fmt: skip
        wishes.keep_interests(patient_id=visitor.patient_id, chosen=request.POST.getlist("topic"), now=visitor.now)
        return HttpResponseRedirect(reverse("portal:my_wishes", args=[visitor.clinic.slug]) + "?saved=1")
    known = wishes.wishes_of(visitor.patient_id)
    topics = [{"key": key, "name": name, "on": key in known.interests} for key, name in wishes.topics().items()]
    context = {"known": known, "topics": topics, "saved": request.GET.get("saved") == "1"}
    audit.record("portal.viewed", patients=[visitor.patient_id], details={"page": "wishes"}, now=visitor.now)
    return show(request, visitor, "portal/wishes.html", context, tab="me")
