"""My membership: the card with its code, points and what waits, and joining by oneself."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from careloop.audit import services as audit
from careloop.kernel.errors import DomainError
from careloop.loyalty.earn import sentences
from careloop.loyalty.figures import in_groups
from careloop.loyalty.join import members, membership
from careloop.loyalty.points import statements
from careloop.portal.entering import for_patients, show
from careloop.portal.forms import MemberForm
from careloop.portal.recognizing import Visitor
from careloop.waitingroom import qr

SHOWN = 6
# pages that the other parts of membership may have here
MORE = (
    ("portal:points", gettext_lazy("All my points"), "list-check"), ("portal:my_tier", gettext_lazy("My tier and its benefits"), "trophy"),
    ("portal:rewards", gettext_lazy("Rewards and coupons"), "gift"), ("portal:my_referral", gettext_lazy("Bring a friend"), "affiliate"),
    ("portal:draws", gettext_lazy("Draws"), "ticket"),
)  # fmt: skip


@for_patients
@require_GET
def card(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """The card: number and code, tier, points, what waits and why, what ends when; who has none can join."""
    mine = [row for row in members.of_patient(visitor.patient_id) if row["state"] == "ACTIVE"]
    context: dict[str, Any]
    if not mine:
        context = {"programme": membership.may_join(visitor.patient_id), "form": MemberForm()}
        return show(request, visitor, "portal/member_join.html", context, tab="me")
    one = mine[0]
    audit.record("portal.viewed", patients=[visitor.patient_id], details={"page": "member"}, now=visitor.now)
    context = {
        "one": one, "code": qr.svg(membership.card_code(one["member_number"]), title=_("Code of the membership card")),
        "number": in_groups(one["member_number"]),
        "waiting": [
            {**row, "why": sentences.why(row)} for row in members.earnings_of(one["id"], limit=SHOWN, pending_only=True)
        ],
        "entries": statements.entries_of(one["id"], limit=SHOWN), "expiring": statements.expiring(one["id"], visitor.now)[:3],
        "links": list(_links(visitor)),
    }  # fmt: skip
    return show(request, visitor, "portal/member.html", context, tab="me")


def _links(visitor: Visitor) -> Any:
    for name, label, icon in MORE:
        try:
            yield {"url": reverse(name, args=[visitor.clinic.slug]), "label": label, "icon": icon}
        except NoReverseMatch:
            continue


@for_patients
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """Read the terms and agree; then the card is there."""
    programme = membership.may_join(visitor.patient_id)
    if programme is None and membership.account_of(visitor.patient_id):
        return HttpResponseRedirect(reverse("portal:member", args=[visitor.clinic.slug]))
    form = MemberForm(request.POST if request.method == "POST" else None)
    if programme is not None and form.is_valid():
        try:
            membership.join(
                patient_id=visitor.patient_id, programme_id=programme.pk, how="PORTAL", now=visitor.now, by=None
            )
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            return HttpResponseRedirect(reverse("portal:member", args=[visitor.clinic.slug]))
    context = {"programme": programme, "form": form}
    return show(request, visitor, "portal/member_join.html", context, tab="me", status=422 if form.errors else 200)
