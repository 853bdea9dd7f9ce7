"""The desk: what was scanned or typed, and what can be done with it. Also for a desk that had no network and sends its codes in later."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from careloop.accounts.scope import at_home, current_location_ids
from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.loyalty.join import membership
from careloop.loyalty.models import CouponCode, Redemption
from careloop.loyalty.reward import codes, coupons, redemptions
from careloop.loyalty.reward import errors as errors
from careloop.loyalty.reward.coupons import Where
from careloop.loyalty.reward.redemptions import local_day
from careloop.loyalty.reward.taking import GRACE
from careloop.tenancy.context import current_organization_id
from careloop.tenancy.models import Organization

Row = dict[str, Any]
MOST_NOTED = 200


@dataclass(frozen=True)
class Found:
    """What a code belongs to: a redemption or a coupon's code."""

    kind: codes.Kind
    id: UUID


def find_code(text: str) -> Found:
    """Return what a code belongs to, if its patient is one the member of staff sees.

    Raises:
        CodeMistyped, CodeNotOurs: the code itself says so; the database is not asked. UnknownCode.
    """
    read = codes.read(current_organization_id(), text)
    here, params = at_home("p.home_location_id")
    table = "loyalty_redemption" if read.kind == "REWARD" else "loyalty_coupon_code"
    found = sql.value(
        f"""select c.id from {table} c left join loyalty_account a on a.id = c.account_id
              left join patients_patient p on p.id = a.patient_id
             where c.serial = %(serial)s and c.good_until = %(until)s and (a.id is null or (true{here}))""",
        {"serial": read.serial, "until": read.good_until, **params},
    )
    if found is None:
        raise errors.UnknownCode
    return Found(read.kind, found)


def use_code(
    text: str, *, key: str, now: datetime, by: UUID, location_id: UUID | None, noted_at: datetime | None = None
) -> Redemption | CouponCode:
    """Use what a code belongs to: hand the reward over, or take the coupon.

    Raises:
        As `find_code`, `redemptions.confirm` and `coupons.use`.
    """
    found = find_code(text)
    if found.kind == "REWARD":
        return redemptions.confirm(
            redemption_id=found.id, key=key, now=now, by=by, location_id=location_id, noted_at=noted_at
        )
    return coupons.use(
        code_id=found.id, key=key, where=Where(location_id=location_id), now=now, by=by, noted_at=noted_at
    )


@dataclass(frozen=True)
class Answer:
    """What became of one noted code: `done`, or the sentence of the refusal."""

    text: str
    done: bool
    sentence: str
    name: str = ""


def send_in(
    lines: list[str], *, key: str, noted_at: datetime, now: datetime, by: UUID, location_id: UUID | None
) -> list[Answer]:
    """Use codes that a desk noted while it had no network. Each stands alone; sending the same list again changes nothing.

    Args:
        noted_at: when they were taken; each code must have been good then.

    Raises:
        NotedTooLongAgo: before yesterday; points have gone back by then. ValueError: more than 200 at once.
    """
    organization = Organization.objects.get()
    if local_day(organization, noted_at) < local_day(organization, now - GRACE):
        raise errors.NotedTooLongAgo
    if len(lines) > MOST_NOTED:
        raise ValueError("200 codes at once")
    answers = []
    for text in dict.fromkeys(line.strip() for line in lines if line.strip()):
        try:
            with transaction.atomic():
                used = use_code(
                    text, key=f"{key}:{text}"[:80], now=now, by=by, location_id=location_id, noted_at=noted_at
                )
        except DomainError as refused:
            answers.append(Answer(text, False, str(refused)))
        else:
            offered = used.reward if isinstance(used, Redemption) else used.coupon
            answers.append(Answer(text, True, "", offered.name))
    return answers


def find_member(text: str) -> Row | None:
    """Return the member with this card or number, if they are one the member of staff sees."""
    found = membership.account_by_code(text)
    if found is None or found["state"] != "ACTIVE":
        return None
    here = current_location_ids()
    return found if here is None or found["home_location_id"] in here else None
