"""Things that happen to members, for the tests of what they earn."""

from uuid import uuid4

from careloop.kernel.ids import uuid7
from careloop.loyalty.earn.earning import Thing
from careloop.loyalty.models import Account, Earning
from careloop.loyalty.tests.make import NOW
from careloop.records import services as records


def visited(account, *, at=NOW):
    return records.record_encounter(
        patient_id=account.patient_id, encounter_id=uuid7(), started_at=at, class_code="AMB", now=max(at, NOW), by=None
    )


def billed(account, self_pay, *, copay=0, nhi=0, at=NOW):
    return records.record_invoice(
        patient_id=account.patient_id, invoice_id=uuid7(), issued_at=at, total_amount=self_pay + copay + nhi,
        self_pay_amount=self_pay, copay_amount=copay, now=max(at, NOW), by=None,
    )  # fmt: skip


def money(account, amount, *, source="payment", at=NOW):
    ref = str(uuid4())
    return Thing("SELF_PAY", account.patient_id, at, source, ref, f"{source}:{ref}", amount=amount, currency="TWD")


def points_of(account):
    return Account.objects.get(pk=account.pk).balance


def waiting(account):
    return sum(one.net for one in Earning.objects.filter(account=account, state="PENDING"))
