"""What a patient can pay, as their own pages show it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from careloop.kernel.money import format_money
from careloop.payments import links, selectors


def of(
    organization_id: UUID, patient_id: UUID, *, now: datetime, appointment_id: UUID | None = None
) -> list[dict[str, Any]]:
    """Return what can be paid, and (for one visit) what was paid lately, each with the page that opens it."""
    found = selectors.waiting_for(patient_id, now=now)
    if appointment_id is not None:
        found = [one for one in found if one["appointment_id"] == appointment_id]
    else:
        found = [one for one in found if one["state"] != "PAID"]
    return [
        {
            "title": one["title"], "amount": format_money(one["amount"], one["currency"]), "is_paid": one["state"] == "PAID",
            "url": links.path_of(organization_id, one["id"]),
        }
        for one in found
    ]  # fmt: skip
