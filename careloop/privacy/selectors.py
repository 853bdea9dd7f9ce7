"""What may be done with one person's data."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from careloop.kernel import sql
from careloop.privacy import retention
from careloop.records.selectors import last_record_on


@dataclass(frozen=True, slots=True)
class Standing:
    """How a patient's record stands: restricted or erased, and until when it must be kept (None: it may be erased)."""

    restriction: str
    last_record_on: date | None
    keep_until: date | None
    legal_base: str


def standing(patient_id: UUID, *, now: datetime) -> Standing | None:
    """Return how the record stands today in the clinic, or None for nobody's."""
    row = sql.row(
        """select p.restriction, p.birth_date, o.legal_profile, o.time_zone
             from patients_patient p cross join tenancy_organization o where p.id = %s""",
        [patient_id],
    )
    if row is None:
        return None
    period = retention.periods().get(row["legal_profile"])
    last = last_record_on(patient_id, zone=row["time_zone"])
    until = retention.keep_until(period, last_record_on=last, born=row["birth_date"])
    today = now.astimezone(ZoneInfo(row["time_zone"])).date()
    return Standing(
        restriction=row["restriction"],
        last_record_on=last,
        keep_until=until if until is not None and until >= today else None,
        legal_base=period.legal_base if period else "",
    )
