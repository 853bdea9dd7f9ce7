"""What the payments' screens share: one payment as it is shown."""

from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from careloop.kernel.money import format_money
from careloop.payments.words import METHODS, STATES, TONES
from careloop.web.addresses import address


def shown(row: dict[str, Any], zone: ZoneInfo, *, now: datetime) -> dict[str, Any]:
    """Return a row of `selectors` with its words."""
    currency = row["currency"]
    at = row["paid_at"] or row["requested_at"]
    return {
        **row, "sum": format_money(row["amount"], currency), "back": format_money(row["refunded"], currency) if row["refunded"] else "",
        "state_label": STATES[row["state"]], "tone": TONES[row["state"]], "method_label": METHODS.get(row["method"], row["method"]),
        "at": at.astimezone(zone), "is_open": row["state"] in ("REQUESTED", "STARTED", "FAILED") and row["expires_at"] > now,
        "is_all_back": row["refunded"] == row["amount"], "url": address("payments:page", row["id"]),
        "patient_url": address("patients:page", row["patient_id"]),
    }  # fmt: skip


def new_url(*, patient_id: UUID, appointment_id: UUID | None = None) -> str:
    """Return where a new payment is asked for."""
    query = f"?patient={patient_id}" + (f"&appointment={appointment_id}" if appointment_id else "")
    return address("payments:new") + query
