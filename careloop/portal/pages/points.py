"""My points: what came in and went out and why, what ends when, and whether the family shares them.

Whoever shares sees how many points each one brought and used, never the others' entries: why somebody earned points can say
where they were treated.
"""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from careloop.audit import services as audit
from careloop.loyalty.points import families, pools, statements
from careloop.loyalty.points.pools import Consent
from careloop.portal.entering import for_patients, show
from careloop.portal.pages.book import zone_of
from careloop.portal.recognizing import Visitor

PAGE = 30


@for_patients
@require_GET
def points(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """My points in plain words."""
    audit.record("portal.viewed", patients=[visitor.patient_id], details={"page": "points"}, now=visitor.now)
    one = account_of(visitor)
    if one is None:
        return show(request, visitor, "portal/points.html", {"one": None}, tab="me")
    zone = zone_of(visitor)
    before = request.GET.get("before", "")
    found = statements.entries_of(one["id"], PAGE + 1, int(before) if before.isdecimal() and len(before) < 19 else None)
    rows = [{**row, "at": row["occurred_at"].astimezone(zone)} for row in found[:PAGE]]
    is_active = one["state"] == "ACTIVE"
    context = {
        "one": one, "rows": rows, "more": rows[-1]["id"] if len(found) > PAGE else 0, "is_first": not before, "is_active": is_active,
        "expiring": statements.expiring(one["id"], visitor.now)[:12], "family": _family(visitor, one) if is_active else None,
        "may_give": bool(takers(visitor, one)),
    }  # fmt: skip
    return show(request, visitor, "portal/points.html", context, tab="me")


def _family(visitor: Visitor, one: dict[str, Any]) -> dict[str, Any] | None:
    """What there is to choose: begin, answer, ask others, leave. An adult's choice is the adult's alone, also for helpers."""
    person = families.person(one["id"])
    may_choose = person.is_child(families.today_of(visitor.now)) or visitor.own_id == visitor.patient_id
    question = pools.open_question(one["id"])
    if not (one["pool_id"] or question or one["allows_pools"]):
        return None
    others = (
        pools.relatives_to_ask(one["patient_id"], one["programme_id"], both_ways=False)
        if one["pool_id"] and may_choose
        else []
    )
    return {
        "may_choose": may_choose, "question": question, "people": pools.members_of(one["pool_id"]) if one["pool_id"] else [],
        "others": others, "may_begin": not one["pool_id"] and not question and not person.is_child(families.today_of(visitor.now)),
    }  # fmt: skip


@for_patients
@require_POST
def family(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """Begin to share, ask somebody, say yes or no, or leave; what is not mine to decide is refused with the reason."""
    one = account_of(visitor)
    if one is None:
        raise Http404
    consent, now = Consent(visitor.own_id), visitor.now
    match request.POST.get("do"):
        case "begin":
            pools.found(account_id=one["id"], consent=consent, now=now, by=None)
        case "ask" if one["pool_id"]:
            pools.invite(
                pool_id=one["pool_id"], account_id=_asked(request, one), asked_by=visitor.own_id, now=now, by=None
            )
        case "yes" | "no" as said:
            pools.answer(account_id=one["id"], agrees=said == "yes", consent=consent, now=now, by=None)
        case "leave":
            pools.leave(account_id=one["id"], consent=consent, now=now, by=None)
    return HttpResponseRedirect(reverse("portal:points", args=[visitor.clinic.slug]), status=303)


def account_of(visitor: Visitor) -> dict[str, Any] | None:
    """Return the account whose points the pages show: a running one before one that ended."""
    return next(iter(statements.accounts_of_patient(visitor.patient_id)), None)


def takers(visitor: Visitor, one: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Return to whom of the family points can be handed from this account, by whoever is signed in; empty where it cannot be.

    A family that shares its points need not hand them over. A child's go with the guardian's word only, an adult's with the
    adult's own, so a helper finds nobody here.
    """
    if one is None or one["state"] != "ACTIVE" or not one["allows_transfers"] or one["pool_id"] or one["balance"] <= 0:
        return []
    giver = families.person(one["id"])
    is_child = giver.is_child(families.today_of(visitor.now))
    if is_child and (visitor.own_id is None or not families.is_guardian(visitor.own_id, of=giver.patient_id)):
        return []
    if not is_child and visitor.own_id != giver.patient_id:
        return []
    return pools.relatives_to_ask(one["patient_id"], one["programme_id"], both_ways=False)


def _asked(request: HttpRequest, one: dict[str, Any]) -> UUID:
    """Return whom the form names, if it is one whom this page offers."""
    offered = {
        str(row["account_id"]): row["account_id"]
        for row in pools.relatives_to_ask(one["patient_id"], one["programme_id"], both_ways=False)
    }
    chosen = offered.get(request.POST.get("who", ""))
    if chosen is None:
        raise Http404
    return chosen
