"""Handing points to somebody of the family: to whom and how many, then what will be, then yes. The rules are `families`'.

Whoever gets them need not agree: nothing of theirs goes, and they see it in their points.
"""

from typing import Any
from uuid import uuid4

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from careloop.audit import services as audit
from careloop.loyalty.points import families, ledger, pools
from careloop.loyalty.points.ledger import Because
from careloop.portal.entering import for_patients, show
from careloop.portal.pages.points import account_of, takers
from careloop.portal.recognizing import Visitor

Row = dict[str, Any]


@for_patients
@require_http_methods(["GET", "POST"])
def give(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """Ask to whom and how many; show what will be; hand over. The same button twice hands over once."""
    one = account_of(visitor)
    people = takers(visitor, one)
    if request.method == "POST" and request.POST.get("do") == "give" and one is not None:
        return _hand_over(request, visitor, one)
    if one is None or not people:
        # nobody to give to, or nothing to give: the points say how things stand
        return HttpResponseRedirect(reverse("portal:points", args=[visitor.clinic.slug]))
    audit.record("portal.viewed", patients=[visitor.patient_id], details={"page": "give-points"}, now=visitor.now)
    context: Row = {
        "one": one,
        "people": people,
        "key": uuid4().hex,
        "points": "",
        "who": "",
        "problem": "",
        "taker": None,
    }
    status = 200
    if request.method == "POST":
        taker = next((row for row in people if str(row["account_id"]) == request.POST.get("who")), None)
        points = _number(request.POST.get("points", ""))
        context |= {"who": request.POST.get("who", ""), "points": points or ""}
        if taker is None:
            context["problem"], status = _("Choose who gets the points."), 422
        elif not 0 < points <= one["balance"]:
            context["problem"], status = _("Write how many points, 1 to %(most)s.") % {"most": one["balance"]}, 422
        else:
            context |= {"taker": taker, "left": one["balance"] - points}
    return show(request, visitor, "portal/points_give.html", context, tab="me", status=status)


def _hand_over(request: HttpRequest, visitor: Visitor, one: Row) -> HttpResponse:
    """Hand over, whatever is left now: the second of two clicks finds less, and hands nothing over."""
    key, points = request.POST.get("key", ""), _number(request.POST.get("points", ""))
    family = pools.relatives_to_ask(one["patient_id"], one["programme_id"], both_ways=False)
    to = next((row["account_id"] for row in family if str(row["account_id"]) == request.POST.get("who")), None)
    if not key.isalnum() or len(key) != 32 or not points or to is None or one["pool_id"]:
        raise Http404
    done = ledger.transfer(
        from_account_id=one["id"], to_account_id=to, points=points, key=f"given:{one['id'].hex}:{key}",
        because=Because("TRANSFER"), agreed_by=visitor.own_id, now=visitor.now, by=None,
    )  # fmt: skip
    if done.is_new:
        audit.record(
            "loyalty.points_handed_over", patients=[one["patient_id"], families.person(to).patient_id],
            target=("loyalty_entry", done.entry_id), details={"points": points, "because": "TRANSFER"}, now=visitor.now,
        )  # fmt: skip
    return HttpResponseRedirect(reverse("portal:points", args=[visitor.clinic.slug]), status=303)


def _number(text: str) -> int:
    text = text.strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
