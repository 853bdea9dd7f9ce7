"""What payments refuse, in words. Legal refusals name their basis."""

from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from careloop.kernel.errors import DomainError


class UnknownPayment(DomainError):
    code: ClassVar[str] = "payments.unknown"
    status: ClassVar[int] = 404
    message = _("There is no such payment.")


class NothingToPay(DomainError):
    code: ClassVar[str] = "payments.nothing_to_pay"
    status: ClassVar[int] = 422
    message = _("Write at least one line with a name and an amount above zero.")


class BadItem(DomainError):
    code: ClassVar[str] = "payments.bad_item"
    status: ClassVar[int] = 422
    message = _("An amount is never negative and never above its full price.")


class CopayReduced(DomainError):
    """National Health Insurance Act articles 43 and 48: co-payment is statutory; exemptions are the law's alone (law S6)."""

    code: ClassVar[str] = "payments.copay_reduced"
    status: ClassVar[int] = 422
    message = _(
        "NHI co-pay is never waived, reduced or given back as a favour (National Health Insurance Act, articles 43 and 48). "
        "Leave it at its full amount."
    )


class NhiServiceCharged(DomainError):
    """National Health Insurance Act article 68: no self-invented charges for what the insurance covers."""

    code: ClassVar[str] = "payments.nhi_service"
    status: ClassVar[int] = 422
    message = _(
        "The NHI pays for this service, so it has no price of its own here (National Health Insurance Act, article 68). "
        "What the patient owes is the co-pay."
    )


class DepositOnNhi(DomainError):
    """National Health Insurance Act articles 68 and 82 (law S8)."""

    code: ClassVar[str] = "payments.deposit_on_nhi"
    status: ClassVar[int] = 422
    message = _(
        "No deposit, booking fee or no-show fee is asked for an NHI visit (National Health Insurance Act, articles 68 and 82)."
    )


class NotThisPatient(DomainError):
    code: ClassVar[str] = "payments.not_this_patient"
    status: ClassVar[int] = 422
    message = _("The appointment is another patient's.")


class NoProvider(DomainError):
    code: ClassVar[str] = "payments.no_provider"
    message = _(
        "The clinic cannot take payments here yet: no payment provider is connected. It can be done in the settings."
    )


class CurrencyNotTaken(DomainError):
    code: ClassVar[str] = "payments.currency_not_taken"
    message = _("The payment provider does not take %(currency)s. Please pay at the desk.")


class NotPayable(DomainError):
    code: ClassVar[str] = "payments.not_payable"
    message = _("This payment can no longer be paid here. Please ask the clinic.")


class TooManyTries(DomainError):
    code: ClassVar[str] = "payments.too_many_tries"
    message = _("This payment was begun too often. Please pay at the desk.")


class ChangedMeanwhile(DomainError):
    code: ClassVar[str] = "payments.changed_meanwhile"
    message = _("This payment changed in the meantime. Look at how it is now, then try again.")


class NotWithdrawable(DomainError):
    code: ClassVar[str] = "payments.not_withdrawable"
    message = _("Only a payment that is not paid can be withdrawn. What was paid is given back with a refund.")


class NotPaid(DomainError):
    code: ClassVar[str] = "payments.not_paid"
    message = _("Only what was paid can be given back.")


class RefundTooLarge(DomainError):
    code: ClassVar[str] = "payments.refund_too_large"
    status: ClassVar[int] = 422
    message = _("At most %(left)s can still be given back.")


class NoteMissing(DomainError):
    code: ClassVar[str] = "payments.note_missing"
    status: ClassVar[int] = 422
    message = _("Say why: the auditor asks.")


class NotUnclear(DomainError):
    code: ClassVar[str] = "payments.not_unclear"
    message = _("What became of this refund is known already.")


class BadAccount(DomainError):
    code: ClassVar[str] = "payments.bad_account"
    status: ClassVar[int] = 422
    message = _("This cannot be saved: %(why)s.")
