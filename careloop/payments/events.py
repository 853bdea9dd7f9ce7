"""What happens to payments. Payloads hold ids, codes and amounts in minor units; what it was for is with the payment."""

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from careloop.events.registry import fact


@fact(
    "payment.requested", label=_("Payment asked for"), group="money", icon="receipt",
    sentence=_("The patient was asked to pay %(total)s."),
)  # fmt: skip
@dataclass(frozen=True)
class PaymentRequested:
    """`self_pay` is `total` without the NHI co-pay in it."""

    payment_id: UUID
    total: int
    self_pay: int
    currency: str
    appointment_id: UUID | None = None


@fact(
    "payment.paid", label=_("Payment received"), group="money", icon="credit-card",
    sentence=_("%(total)s were paid."),
)  # fmt: skip
@dataclass(frozen=True)
class PaymentPaid:
    """The money came, once per payment. `self_pay` is what loyalty may count: never the co-pay."""

    payment_id: UUID
    total: int
    self_pay: int
    currency: str
    method: str = ""
    appointment_id: UUID | None = None


@fact(
    "payment.failed", label=_("Payment failed"), group="money", icon="credit-card-off",
    sentence=_("A payment of %(total)s failed."),
)  # fmt: skip
@dataclass(frozen=True)
class PaymentFailed:
    """A try to pay did not succeed; the patient may try again."""

    payment_id: UUID
    total: int
    currency: str


@fact(
    "payment.refunded", label=_("Payment given back"), group="money", icon="receipt-refund",
    sentence=_("%(total)s were given back."),
)  # fmt: skip
@dataclass(frozen=True)
class PaymentRefunded:
    """Money went back. `self_pay` is how much of it loyalty must take back; `because` is a code of `Refund.Reason`."""

    payment_id: UUID
    refund_id: UUID
    total: int
    self_pay: int
    currency: str
    because: str
