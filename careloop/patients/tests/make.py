"""Patients for tests, made the way the front desk makes them."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from careloop.kernel.ids import uuid7
from careloop.patients import services
from careloop.patients.services import NewContact, NewIdentifier

NOW = datetime(2026, 3, 16, 2, 0, tzinfo=UTC)


def patient(
    name: str = "王小明", *, phone: str = "", email: str = "", line: str = "", national_id: str = "",
    birth_date: date | None = date(1990, 3, 5), now: datetime = NOW, **details: Any,
) -> UUID:  # fmt: skip
    """Register somebody and return the id."""
    contacts = [
        NewContact(system, text, "mobile" if system == "phone" else "")
        for system, text in (("phone", phone), ("email", email), ("line", line)) if text
    ]  # fmt: skip
    return services.register(
        details={"name": name, "birth_date": birth_date, **details}, contacts=contacts,
        identifiers=[NewIdentifier("national_id", national_id)] if national_id else [],
        idempotency_key=uuid7(), now=now, by=None, even_if_similar=True,
    ).patient_id  # fmt: skip
