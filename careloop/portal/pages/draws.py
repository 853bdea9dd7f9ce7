"""Lucky draws: the page on which anyone can compute one again, its file, and a member's own tickets."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from careloop.audit import services as audit
from careloop.loyalty.draw import draws
from careloop.loyalty.draw import pages as draw_pages
from careloop.loyalty.draw import rules as draw_rules
from careloop.loyalty.join import membership
from careloop.loyalty.models import Draw
from careloop.portal.entering import for_everybody, for_patients, show, to_sign_in
from careloop.portal.recognizing import Visitor

NAMELESS = "shows hashes and ticket codes, never who holds them; a stranger only where the law lets the draw be shown in public"
MOST_SHOWN = 500


@for_everybody(NAMELESS)
@require_GET
def draw(request: HttpRequest, visitor: Visitor, draw_id: UUID) -> HttpResponse:
    """What was promised, what came of it, and how to compute it again; with ?check=1 the server does."""
    found = _seen_by(visitor, draw_id)
    if found is None:
        return to_sign_in(request, visitor)
    told = draw_pages.published(found)
    mine = _own_tickets(visitor, found)
    if mine:
        audit.record("portal.viewed", patients=[visitor.patient_id], details={"page": "draw"}, now=visitor.now)
    is_drawn = found.state == Draw.State.DRAWN
    context: dict[str, Any] = {
        "draw": found, "told": told, "is_drawn": is_drawn, "script": draw_rules.script(), "mine": mine,
        "won": [prize for prize, ticket in told["winners"] if ticket in mine],
        "tickets": told["tickets"][:MOST_SHOWN], "more": max(0, len(told["tickets"]) - MOST_SHOWN),
        "again": draw_pages.computed_again(found) if is_drawn and request.GET.get("check") else None,
        "file_url": reverse("portal:draw_file", args=[visitor.clinic.slug, found.pk]),
    }  # fmt: skip
    return show(request, visitor, "portal/draw.html", context)


@for_everybody(NAMELESS)
@require_GET
def file(request: HttpRequest, visitor: Visitor, draw_id: UUID) -> HttpResponse:
    """Everything that is published, as the file the script reads."""
    found = _seen_by(visitor, draw_id)
    if found is None:
        return to_sign_in(request, visitor)
    response = JsonResponse(draw_pages.published(found), json_dumps_params={"ensure_ascii": False, "indent": 1})
    response.headers["Content-Disposition"] = 'attachment; filename="draw.json"'
    return response


@for_patients
@require_GET
def mine(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """The draws I take part in, with my tickets, and those that are open for members now."""
    account = membership.account_of(visitor.patient_id)
    audit.record("portal.viewed", patients=[visitor.patient_id], details={"page": "draws"}, now=visitor.now)
    context: dict[str, Any] = {"rows": [], "open": []}
    if account is not None:
        context = {
            "rows": draw_pages.of_account(account["id"]),
            "open": draws.open_for_members(account["programme_id"], organization=visitor.clinic, now=visitor.now),
        }
    return show(request, visitor, "portal/draws.html", context, tab="me")


def _seen_by(visitor: Visitor, draw_id: UUID) -> Draw | None:
    """Return the draw if this visitor may see it; None: only after signing in.

    Everybody, where the law lets it be shown in public; otherwise members of its programme, and whoever holds a ticket for good:
    a promise stays checkable also when a rule stops the draw later.
    """
    found = Draw.objects.prefetch_related("prizes").filter(pk=draw_id).exclude(state=Draw.State.DRAFT).first()
    if found is not None and draws.is_shown(found, audience="public", organization=visitor.clinic, now=visitor.now):
        return found
    if visitor.session is None:
        return None
    if found is None or not (
        _own_tickets(visitor, found)
        or (
            _is_member(visitor, found)
            and draws.is_shown(found, audience="one", organization=visitor.clinic, now=visitor.now)
        )
    ):
        raise Http404
    return found


def _is_member(visitor: Visitor, found: Draw) -> bool:
    account = membership.account_of(visitor.patient_id)
    return account is not None and account["programme_id"] == found.programme_id


def _own_tickets(visitor: Visitor, found: Draw) -> list[str]:
    return [] if visitor.session is None else draw_pages.tickets_of_patient(found.pk, visitor.patient_id)
