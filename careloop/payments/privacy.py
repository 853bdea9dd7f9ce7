"""What payments give out and erase for one patient."""

from typing import Any
from uuid import UUID

from careloop.kernel import sql
from careloop.payments import refunds
from careloop.payments.models import Payment


def export(patient_id: UUID) -> dict[str, Any]:
    """Return what the patient was asked to pay, paid and was given back."""
    found = Payment.objects.filter(patient_id=patient_id).order_by("requested_at").prefetch_related("items", "refunds")
    notes = refunds.notes_of(patient_id)
    return {
        "payments": [
            {
                "for": one.title, "amount": one.amount, "currency": one.currency, "state": one.state, "method": one.method,
                "requested_at": one.requested_at, "paid_at": one.paid_at, "refunded": one.refunded,
                "items": [
                    {"name": item.name, "kind": item.kind, "amount": item.amount, "full_amount": item.full_amount}
                    for item in sorted(one.items.all(), key=lambda item: item.position)
                ],
                "refunds": [
                    {"amount": back.amount, "because": back.reason, "note": notes.get(back.pk, ""),
                     "asked_at": back.asked_at}
                    for back in sorted(one.refunds.all(), key=lambda back: back.asked_at)
                ],
            }
            for one in found
        ]
    }  # fmt: skip


def erase(patient_id: UUID) -> None:
    """Empty what payments were for and end their links; amounts and dates stay, as the books require.

    Why money was given back is sealed under the patient's key and cannot be read once that is destroyed.
    """
    sql.execute(
        """update payments_item set name = '—'
            where payment_id in (select id from payments_payment where patient_id = %s)""",
        [patient_id],
    )
    sql.execute(
        """update payments_payment set title = '—', reason = '', token_hash = sha256(gen_random_uuid()::text::bytea),
                  state = case when state in ('REQUESTED', 'STARTED', 'FAILED') then 'CANCELLED' else state end,
                  version = version + 1
            where patient_id = %s""",
        [patient_id],
    )
