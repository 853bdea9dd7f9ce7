"""What rewards and coupons give out and erase for one patient."""

from typing import Any
from uuid import UUID

from careloop.kernel import sql
from careloop.loyalty.models import CouponCode, Redemption


def export(patient_id: UUID) -> dict[str, Any]:
    """Return what a patient took for points, and the coupons that were given."""
    taken = Redemption.objects.filter(account__patient_id=patient_id).select_related("reward").order_by("reserved_at")
    given = (
        CouponCode.objects.filter(account__patient_id=patient_id)
        .select_related("coupon", "at_partner")
        .order_by("granted_at")
    )
    return {
        "redemptions": [
            {
                "reward": one.reward.name, "points": one.points, "state": one.state, "reserved_at": one.reserved_at, "good_until": one.good_until,
                "confirmed_at": one.confirmed_at, "ended_at": one.ended_at, "reason": one.reason,
            }
            for one in taken
        ],
        "coupons": [
            {
                "coupon": one.coupon.name, "because": one.because, "note": one.note, "state": one.state, "granted_at": one.granted_at,
                "good_until": one.good_until, "used_at": one.used_at, "at_partner": one.at_partner.name if one.at_partner else "",
            }
            for one in given
        ],
    }  # fmt: skip


def erase(patient_id: UUID) -> None:
    """Empty the words and end the open codes; points, dates and what was settled with partners stay, as the books require."""
    sql.execute(
        """update loyalty_redemption set reason = ''
            where account_id in (select id from loyalty_account where patient_id = %s)""",
        [patient_id],
    )
    sql.execute(
        """update loyalty_coupon_code set note = '', reason = '', ended_at = case state when 'OPEN' then now() else ended_at end,
                  state = case state when 'OPEN' then 'WITHDRAWN' else state end
            where settlement_id is null and account_id in (select id from loyalty_account where patient_id = %s)""",
        [patient_id],
    )
