"""The partner's page: whether a member's code is good, and marking it as used. A secret link and a PIN, no account.

It tells as little as will do: what the code gives, whether it can be used, and a masked name to compare with the person at the
counter. Both the PIN and the codes are counted before they are looked at.
"""

from typing import Any
from uuid import uuid4

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from careloop.accounts.access import public
from careloop.accounts.trail import address_of
from careloop.kernel.errors import DomainError
from careloop.loyalty.reward import partners
from careloop.loyalty.reward.partners import Opened
from careloop.portal.limits import Limit, minutes, wait_for

INSIDE_FOR = 12 * 3600
COOKIE = "careloop_partner"
SALT = "careloop.partner"


@public(
    "opened by a partner's 256-bit token and then a PIN, both counted; shows a masked name and nothing else of a patient"
)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def check(request: HttpRequest, token: str) -> HttpResponse:
    """Ask for the PIN, then for codes. Looking changes nothing; a POST that says so marks a code as used, once."""
    now = timezone.now()
    with partners.opened(token) as door:
        if door is None:
            return render(
                request, "portal/gone.html", {"clinic": None, "language": translation.get_language()}, status=404
            )
        do = request.POST.get("do", "")
        if do == "enter":
            return _enter(request, door)
        if not _is_inside(request, door):
            return _page(request, door, is_inside=False)
        if do in ("look", "use"):
            return _answer(request, door, do, now=now)
        return _page(request, door, is_inside=True)


def _enter(request: HttpRequest, door: Opened) -> HttpResponse:
    partner = str(door.partner.pk)
    wait = wait_for([Limit("partner-pin", partner, 8, 900), Limit("partner-pin-from", address_of(request), 20, 900)])
    if wait:
        problem = _("Too many tries. Try again in %(minutes)d minutes.") % {"minutes": minutes(wait)}
        return _page(request, door, is_inside=False, problem=problem, status=429)
    if not partners.pin_fits(door.partner, request.POST.get("pin", "").strip()[:12]):
        return _page(request, door, is_inside=False, problem=_("This PIN is not right."), status=422)
    response = HttpResponse(status=303, headers={"Location": request.path})
    response.set_signed_cookie(
        COOKIE,
        _stamp(door),
        salt=SALT,
        max_age=INSIDE_FOR,
        path=request.path,
        httponly=True,
        samesite="Lax",
        secure=request.is_secure(),
    )
    return response


def _answer(request: HttpRequest, door: Opened, do: str, *, now: Any) -> HttpResponse:
    text = request.POST.get("code", "").strip()[:80]
    if wait := wait_for([Limit("partner-codes", str(door.partner.pk), 120, 600)]):
        problem = _("Too many tries. Try again in %(minutes)d minutes.") % {"minutes": minutes(wait)}
        return _page(request, door, is_inside=True, problem=problem, status=429)
    try:
        if do == "use":
            partners.use(
                partner=door.partner,
                text=text,
                key=f"partner:{request.POST.get('key', '')[:40] or uuid4().hex}",
                now=now,
            )
        seen = partners.look(partner=door.partner, text=text, language=translation.get_language() or "", now=now)
    except DomainError as refused:
        status = 422 if refused.status == 404 else refused.status
        return _page(request, door, is_inside=True, problem=str(refused), text=text, status=status)
    return _page(request, door, is_inside=True, seen=seen, text=text, is_done=do == "use")


def _stamp(door: Opened) -> str:
    # another link or another PIN ends what was opened before
    return f"{door.partner.pk}:{door.partner.link_number}:{door.partner.pin_hash[-16:]}"


def _is_inside(request: HttpRequest, door: Opened) -> bool:
    return request.get_signed_cookie(COOKIE, default="", salt=SALT, max_age=INSIDE_FOR) == _stamp(door)


def _page(request: HttpRequest, door: Opened, *, is_inside: bool, status: int = 200, **context: Any) -> HttpResponse:
    clinic = door.organization
    shown = {
        "clinic": clinic, "language": translation.get_language(), "accent": clinic.accent_color[1:], "partner": door.partner,
        "is_inside": is_inside, "key": uuid4().hex, **context,
    }  # fmt: skip
    return render(request, "portal/partner.html", shown, status=status)
