"""What may be asked for, what may follow what, and what may be given back: pure, no clock, no database."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from careloop.payments import errors

# What may become of a payment. Money that arrives counts, also after everybody gave it up.
MAY_BECOME: dict[str, frozenset[str]] = {
    "REQUESTED": frozenset({"STARTED", "EXPIRED", "CANCELLED"}),
    "STARTED": frozenset({"STARTED", "PAID", "FAILED", "EXPIRED", "CANCELLED"}),
    "FAILED": frozenset({"STARTED", "PAID", "EXPIRED", "CANCELLED"}),
    "EXPIRED": frozenset({"PAID"}),
    "CANCELLED": frozenset({"PAID"}),
    "PAID": frozenset(),
}
PAYABLE = ("REQUESTED", "STARTED", "FAILED")
# Only where the charge itself was wrong does the co-pay go back too (醫療辦法 4: a card shown later gives back all but it).
GIVES_COPAY_BACK = frozenset({"NOT_GIVEN", "WRONG"})
MOST_TRIES = 20
MOST_ITEMS = 20
# What a fee for the booking itself is called, whatever line it hides in.
DEPOSIT_WORDS = (
    "訂金", "定金", "押金", "保證金", "預約費", "預約金", "保留費", "爽約", "未到費", "违约金", "保证金", "预约费", "爽约", "deposit", "booking fee",
    "no-show", "no show", "reservation fee",
)  # fmt: skip
COPAY_WORDS = ("部分負擔", "部份負擔", "部分负担", "部份负担", "co-pay", "copay")


@dataclass(frozen=True, slots=True)
class NewItem:
    """One line as it was asked for. `full_amount` is before any reduction; None means that there is none.

    `payer` and `listed` are the service's, where the line is about one: who pays for it, and its price or deposit.
    """

    kind: str
    name: str
    amount: int
    full_amount: int | None = None
    service_id: UUID | None = None
    payer: str = ""

    @property
    def full(self) -> int:
        return self.amount if self.full_amount is None else self.full_amount


def check_items(items: Sequence[NewItem], *, is_nhi_visit: bool) -> None:
    """Refuse lines that may not be asked for.

    Args:
        is_nhi_visit: the payment belongs to an appointment whose service the NHI pays.

    Raises:
        NothingToPay: no lines, too many, one without a name, or nothing in sum.
        BadItem: an amount below zero or above its full price.
        CopayReduced: NHI co-pay below its full amount, or hidden in another kind of line and reduced.
        NhiServiceCharged: a price for a service that the NHI pays.
        DepositOnNhi: a deposit for such a service or visit, also under another name.

    Source: law S6 and S8 (National Health Insurance Act articles 43, 48, 68, 82).

    >>> check_items([NewItem("COPAY", "部分負擔", 50)], is_nhi_visit=True)
    """
    if not items or len(items) > MOST_ITEMS or any(not one.name for one in items):
        raise errors.NothingToPay
    for one in items:
        is_copay = one.kind == "COPAY" or _says(one.name, COPAY_WORDS)
        if is_copay and (one.amount != one.full or one.amount <= 0):
            raise errors.CopayReduced
        if one.amount < 0 or one.amount > one.full:
            raise errors.BadItem
        if one.kind == "DEPOSIT" and (is_nhi_visit or one.payer != "SELF"):
            raise errors.DepositOnNhi
        if one.kind == "SERVICE" and one.payer != "SELF":
            raise errors.NhiServiceCharged
        if is_nhi_visit and _says(one.name, DEPOSIT_WORDS):
            raise errors.DepositOnNhi
    if sum(one.amount for one in items) <= 0:
        raise errors.NothingToPay


def copay_of(items: Sequence[NewItem]) -> int:
    """Return how much of the lines is NHI co-pay.

    >>> copay_of([NewItem("COPAY", "部分負擔", 50), NewItem("OTHER", "診斷書", 100)])
    50
    """
    return sum(one.amount for one in items if one.kind == "COPAY")


def left_to_refund(*, amount: int, copay: int, refunded: int, refunded_at_will: int, reason: str) -> int:
    """Return how much can still be given back for this reason.

    >>> left_to_refund(amount=550, copay=50, refunded=0, refunded_at_will=0, reason="OTHER")
    500
    >>> left_to_refund(amount=550, copay=50, refunded=500, refunded_at_will=500, reason="WRONG")
    50
    """
    left = amount - refunded
    if reason not in GIVES_COPAY_BACK:
        left = min(left, amount - copay - refunded_at_will)
    return max(0, left)


def self_pay_in_refund(*, amount: int, copay: int, refunded_before: int, now_refunded: int) -> int:
    """Return how much of a refund is not co-pay: the self-pay part goes back first.

    >>> self_pay_in_refund(amount=550, copay=50, refunded_before=400, now_refunded=150)
    100
    """
    return max(0, min(now_refunded, amount - copay - refunded_before))


def _says(name: str, words: Sequence[str]) -> bool:
    folded = name.casefold()
    return any(word in folded for word in words)
