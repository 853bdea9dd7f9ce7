"""What the rewards' screens share: words for states, tabs, which branch's desk this is."""

from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from careloop.accounts import scope
from careloop.loyalty.models import Coupon, CouponCode, Programme, Redemption
from careloop.loyalty.models.offered import Gives, OfferState
from careloop.tenancy.models import Location
from careloop.web.addresses import address
from careloop.web.http import redirect_to

OFFER_STATES = dict(OfferState.choices)
OFFER_TONES = {"DRAFT": "neutral", "ON": "success", "OFF": "neutral"}
GIVES = dict(Gives.choices)
REDEMPTION_STATES = dict(Redemption.State.choices)
REDEMPTION_TONES = {"RESERVED": "info", "CONFIRMED": "success", "CANCELLED": "neutral", "EXPIRED": "warning"}
CODE_STATES = dict(CouponCode.State.choices)
CODE_TONES = {"OPEN": "info", "USED": "success", "WITHDRAWN": "neutral"}
COUPON_KINDS = dict(Coupon.Kind.choices)
DESK_COOKIE = "careloop_desk_branch"


def tabs(request: HttpRequest, here: str) -> dict[str, Any]:
    """Return the parts of this area for the tabs above each list."""
    member: Any = request.member  # type: ignore[attr-defined]
    parts = [
        ("rewards:home", pgettext("membership", "Rewards")), ("rewards:redemptions", pgettext("membership", "Redemptions")),
        ("rewards:coupons", pgettext("membership", "Coupons")), ("rewards:partners", pgettext("membership", "Partners")),
    ]  # fmt: skip
    return {
        "tabs": [{"label": label, "url": address(name), "is_current": name == here} for name, label in parts],
        "may_manage": member.can("loyalty.manage"), "may_desk": member.can("loyalty.desk"),
    }  # fmt: skip


def stamp(moment: Any, zone: ZoneInfo) -> str:
    """Return a moment as the clock on the wall shows it; nothing for none."""
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}" if moment else ""


def first_a_programme(request: HttpRequest) -> HttpResponse:
    """Go to where a programme is set up: there is none yet, and what is offered belongs to one."""
    text = _("Rewards belong to a programme. Set one up first: what it is called and how points are earned.")
    return redirect_to(request, address("membership:programmes"), message=text, tone="warning")


def open_programmes() -> list[Programme]:
    """Return the programmes something can be offered in."""
    return list(Programme.objects.exclude(state=Programme.State.CLOSED).order_by("location_id", "name"))


def branches() -> list[Location]:
    """Return the branches whose desk a member of staff may stand at."""
    limit = scope.current_location_ids()
    found = Location.objects.filter(is_active=True).order_by("name")
    return list(found if limit is None else found.filter(pk__in=limit))


def desk_branch(request: HttpRequest, all_of_them: list[Location]) -> Location | None:
    """Return the branch whose desk this is: the only one, or the one chosen in this browser."""
    if len(all_of_them) == 1:
        return all_of_them[0]
    chosen = request.COOKIES.get(DESK_COOKIE, "")
    return next((one for one in all_of_them if str(one.pk) == chosen), None)


def branch_id(request: HttpRequest) -> UUID | None:
    """Return the id of the branch whose desk this is, if it is known."""
    found = desk_branch(request, branches())
    return found.pk if found else None


def in_words(row: dict[str, Any], name: str, others: str = "names") -> str:
    """Return a row's name (or text) for the reader's language."""
    return str(row[others].get(translation.get_language() or "") or row[name])


def in_line(*parts: Any) -> str:
    """Return the parts that say something, a dot between them."""
    return " · ".join(str(part) for part in parts if part)


def pairs_shown(*pairs: tuple[Any, Any]) -> list[dict[str, Any]]:
    """Return (label, value) as facts are shown; what is empty is left out."""
    return [{"label": label, "value": value} for label, value in pairs if value]
