"""A friend's code on its way: from the link a friend opened to the record that is made, remembered in this browser only.

Opening a link notes nothing and names nobody. The code counts when whoever registers leaves it in the form: that is how they agree
that the member is thanked. The member learns that a friend came; a name only where the friend says so.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.loyalty.thanks import referrals
from careloop.loyalty.thanks.errors import UnknownReferralCode
from careloop.loyalty.thanks.referral_codes import read_code, spoken_code
from careloop.messaging.links import base_url
from careloop.portal import errors
from careloop.portal.limits import Limit, minutes, wait_for
from careloop.portal.recognizing import Visitor, cookie_name

COOKIE = "referral"
KEPT_FOR = 30 * 24 * 3600


@dataclass(frozen=True)
class Carried:
    """The code this browser carries. `agreed`: whoever registers left it in the form; `shows_name`: and gives their name."""

    code: str
    how: str = "LINK"
    agreed: bool = False
    shows_name: bool = False

    @property
    def spoken(self) -> str:
        return spoken_code(self.code)

    def written(self) -> str:
        return f"{self.code}.{self.how}.{int(self.agreed)}.{int(self.shows_name)}"


def carried(request: HttpRequest, visitor: Visitor) -> Carried | None:
    """Return the code this browser carries; whatever else stands in the cookie is none."""
    code, _dot, rest = request.COOKIES.get(cookie_name(COOKIE, visitor.clinic.slug), "").partition(".")
    code = read_code(code)
    if not code:
        return None
    how, *marks = rest.split(".")
    return Carried(code, "TYPED" if how == "TYPED" else "LINK", *(mark == "1" for mark in (*marks, "0", "0")[:2]))


def remember(response: HttpResponse, visitor: Visitor, found: Carried) -> None:
    """Let this browser carry the code, for a month."""
    response.set_cookie(
        cookie_name(COOKIE, visitor.clinic.slug), found.written(), max_age=KEPT_FOR, path="/", httponly=True, samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )  # fmt: skip


def forget(response: HttpResponse, visitor: Visitor) -> None:
    """Let this browser carry no code any more."""
    response.delete_cookie(cookie_name(COOKIE, visitor.clinic.slug), path="/", samesite="Lax")


def check(visitor: Visitor, text: str) -> str:
    """Return the code that somebody typed or opened, as it is kept.

    Raises:
        UnknownReferralCode: it is nobody's. TooOften: this network has tried many.
    """
    wait = wait_for((Limit("referral-code", f"{visitor.clinic.pk}|{visitor.address}", 60, 3600),))
    if wait:
        raise errors.TooOften(minutes=minutes(wait))
    if referrals.owner_of(text) is None:
        raise UnknownReferralCode
    return read_code(text)


def claim(request: HttpRequest, visitor: Visitor, patient_id: UUID) -> None:
    """Note who sent a patient who has just registered; a code that does not count is let go without a word."""
    found = carried(request, visitor)
    if found is None or not found.agreed:
        return
    try:
        referrals.claim(
            friend_id=patient_id, code=found.code, how=found.how, now=visitor.now, shows_name=found.shows_name
        )
    except DomainError:
        return


def was_claimed(patient_id: UUID) -> bool:
    """Whether somebody is noted as having sent this patient."""
    return bool(sql.value("select 1 from loyalty_referral where friend_id = %s", [patient_id]))


def own(patient_id: UUID, *, visitor: Visitor) -> dict[str, Any]:
    """Return a member's code and link, how many came with it, and the names of those who said they may be seen.

    No day and no reason of anybody's visit: that a friend came is all that is told.
    """
    code = referrals.code_of(patient_id, now=visitor.now)
    found = sql.row(
        """select count(*) filter (where r.state = 'COMPLETED') as came, count(*) filter (where r.state in ('WAITING', 'HELD')) as waiting,
                  coalesce(array_agg(p.name order by p.name) filter (where r.state = 'COMPLETED' and r.shows_name), '{}') as names
             from loyalty_referral r join patients_patient p on p.id = r.friend_id where r.referrer_id = %s""",
        [patient_id],
    )
    assert found is not None
    return {**found, "code": spoken_code(code), "link": f"{base_url()}/p/{visitor.clinic.slug}/r/{code}/"}
