"""What the records slice refuses, and why."""

from django.utils.translation import gettext_lazy as _

from careloop.kernel.errors import DomainError


class UnknownPatient(DomainError):
    code = "records.unknown_patient"
    message = _("There is no such patient here.")
    status = 404


class UnknownRecord(DomainError):
    code = "records.unknown"
    message = _("There is no such record here.")
    status = 404


class InFuture(DomainError):
    code = "records.in_future"
    message = _("A record of something that has not happened yet cannot be made.")
    status = 422


class WrongAmounts(DomainError):
    code = "records.wrong_amounts"
    message = _("Self-pay (%(self_pay)s) and copayment (%(copay)s) together are more than the total (%(total)s).")
    status = 422


class ValueMissing(DomainError):
    code = "records.value_missing"
    message = _("Write the value that was measured.")
    status = 422


class ReasonMissing(DomainError):
    code = "records.reason_missing"
    message = _("Say why this record is wrong; the reason is kept in the audit log.")
    status = 422
