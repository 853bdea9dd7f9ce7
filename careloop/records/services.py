"""Records made by hand: the front desk notes a visit, a value, a bill. Imports write their sets themselves.

The key a form carries becomes the record's id, so sending it twice makes one record.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from django.db import transaction

from careloop.audit import services as audit
from careloop.events import services as events
from careloop.kernel import sql
from careloop.kernel.money import format_money
from careloop.kernel.text import clean
from careloop.kernel.units import normalise_unit
from careloop.records import errors
from careloop.records.events import (
    EncounterRecorded,
    InvoiceRecorded,
    ObservationRecorded,
    ProcedureRecorded,
    RecordEnteredInError,
)
from careloop.records.models import (
    Allergy,
    CarePlan,
    Condition,
    Encounter,
    Immunization,
    Invoice,
    Medication,
    Observation,
    OtherRecord,
    Procedure,
    Record,
    Report,
)

R = TypeVar("R", bound=Record)

SOURCE = "desk"
# Somebody may write yesterday's visit today; what is older is history and starts no reminder.
NEWS_FOR = timedelta(days=3)
# Clocks differ a little between machines.
AHEAD = timedelta(minutes=15)

KINDS: dict[str, type[Record]] = {
    "encounter": Encounter, "condition": Condition, "allergy": Allergy, "medication": Medication, "observation": Observation,
    "procedure": Procedure, "immunization": Immunization, "report": Report, "care_plan": CarePlan, "invoice": Invoice,
    "other": OtherRecord,
}  # fmt: skip


@transaction.atomic
def record_encounter(
    *,
    patient_id: UUID,
    encounter_id: UUID,
    started_at: datetime,
    class_code: str = "AMB",
    display: str = "",
    department: str = "",
    reason: str = "",
    practitioner_name: str = "",
    location_id: UUID | None = None,
    location_name: str = "",
    note: str = "",
    now: datetime,
    by: UUID | None,
) -> Encounter:
    """Note a visit.

    Raises:
        UnknownPatient, InFuture.
    """
    made = Encounter(
        id=encounter_id, patient_id=patient_id, status="finished", class_code=class_code, started_at=started_at,
        display=clean(display)[:300], department=clean(department)[:60], reason_display=clean(reason)[:300],
        practitioner_name=clean(practitioner_name)[:160], location_id=location_id, location_name=clean(location_name)[:160],
        note=clean(note),
    )  # fmt: skip
    return _keep(
        made,
        started_at,
        now=now,
        fact=lambda: EncounterRecorded(made.id, "", made.display, class_code, made.department),
    )


@transaction.atomic
def record_observation(
    *,
    patient_id: UUID,
    observation_id: UUID,
    code: str,
    display: str,
    observed_at: datetime,
    value_number: float | None = None,
    value_text: str = "",
    unit: str = "",
    components: Sequence[dict[str, Any]] | None = None,
    encounter_id: UUID | None = None,
    note: str = "",
    now: datetime,
    by: UUID | None,
) -> Observation:
    """Note a measured value; `components` for several under one heading (blood pressure).

    Raises:
        UnknownPatient, InFuture. ValueMissing: neither number, text nor components.
    """
    if value_number is None and not clean(value_text) and not components:
        raise errors.ValueMissing
    made = Observation(
        id=observation_id, patient_id=patient_id, status="final", code=code[:60], display=clean(display)[:300],
        code_system="http://loinc.org" if code else "", observed_at=observed_at, value_number=value_number,
        value_text=clean(value_text), unit=normalise_unit(unit)[:40], components=list(components) if components else None,
        encounter_id=encounter_id, note=clean(note),
    )  # fmt: skip
    return _keep(made, observed_at, now=now, fact=lambda: ObservationRecorded(made.id, made.code, made.display))


@transaction.atomic
def record_procedure(
    *,
    patient_id: UUID,
    procedure_id: UUID,
    performed_at: datetime,
    code: str,
    display: str,
    code_system: str = "",
    practitioner_name: str = "",
    encounter_id: UUID | None = None,
    note: str = "",
    now: datetime,
    by: UUID | None,
) -> Procedure:
    """Note something that was done; what is done today starts the care that follows it.

    Raises:
        UnknownPatient, InFuture.
    """
    made = Procedure(
        id=procedure_id, patient_id=patient_id, status="completed", code=code[:60], code_system=code_system[:120],
        display=clean(display)[:300], performed_at=performed_at, practitioner_name=clean(practitioner_name)[:160],
        encounter_id=encounter_id, note=clean(note),
    )  # fmt: skip
    return _keep(made, performed_at, now=now, fact=lambda: ProcedureRecorded(made.id, made.code, made.display))


@transaction.atomic
def record_invoice(
    *,
    patient_id: UUID,
    invoice_id: UUID,
    issued_at: datetime,
    total_amount: int,
    self_pay_amount: int,
    copay_amount: int = 0,
    currency: str = "TWD",
    number: str = "",
    encounter_id: UUID | None = None,
    lines: Sequence[dict[str, Any]] = (),
    now: datetime,
    by: UUID | None,
) -> Invoice:
    """Note a bill. Amounts are whole minor units; what self-pay and copayment leave of the total is the insurer's.

    Raises:
        UnknownPatient, InFuture. WrongAmounts: the parts are more than the whole, or below zero.
    """
    if min(total_amount, self_pay_amount, copay_amount) < 0 or self_pay_amount + copay_amount > total_amount:
        raise errors.WrongAmounts(
            self_pay=format_money(self_pay_amount, currency), copay=format_money(copay_amount, currency),
            total=format_money(total_amount, currency),
        )  # fmt: skip
    if self_pay_amount == total_amount:
        payer = "self_pay"
    else:
        payer = "mixed" if self_pay_amount else "nhi"
    made = Invoice(
        id=invoice_id, patient_id=patient_id, status="issued", issued_at=issued_at, currency=currency, total_amount=total_amount,
        self_pay_amount=self_pay_amount, copay_amount=copay_amount, number=clean(number)[:60], payer_kind=payer,
        encounter_id=encounter_id, lines=list(lines),
    )  # fmt: skip
    return _keep(
        made, issued_at, now=now,
        fact=lambda: InvoiceRecorded(made.id, "", made.number, self_pay_amount, total_amount, currency),
    )  # fmt: skip


def _keep(made: R, happened_at: datetime, *, now: datetime, fact: Callable[[], Any]) -> R:
    sql.one_at_a_time(made.id)
    found: Any = type(made)._default_manager.filter(id=made.id).first()
    if found is not None:
        return found
    if happened_at > now + AHEAD:
        raise errors.InFuture
    if not sql.value("select 1 from patients_patient where id = %s", [made.patient_id]):
        raise errors.UnknownPatient
    made.source, made.external_id, made.recorded_at = SOURCE, str(made.id), now
    made.save(force_insert=True)
    kind = made._meta.model_name or ""
    events.publish(
        fact(), patient_id=made.patient_id, occurred_at=happened_at, now=now, historical=now - happened_at > NEWS_FOR,
        source="staff",
    )  # fmt: skip
    audit.record(f"{kind}.recorded", patients=[made.patient_id], target=(kind, made.id), now=now)
    return made


@transaction.atomic
def mark_entered_in_error(*, kind: str, record_id: UUID, reason: str, now: datetime, by: UUID | None) -> None:
    """Hide a record that should never have been; it is kept. Marking it again changes nothing.

    Raises:
        UnknownRecord, ReasonMissing.
    """
    model = KINDS.get(kind)
    if model is None:
        raise errors.UnknownRecord
    if not clean(reason):
        raise errors.ReasonMissing
    record: Any = model._default_manager.select_for_update().filter(id=record_id).first()
    if record is None:
        raise errors.UnknownRecord
    if record.entered_in_error:
        return
    record.entered_in_error = True
    record.save(update_fields=["entered_in_error"])
    events.publish(
        RecordEnteredInError(record.id, kind, record.display), patient_id=record.patient_id, now=now, source="staff"
    )
    audit.record(
        "record.entered_in_error", patients=[record.patient_id], target=(kind, record.id), reason=clean(reason), now=now
    )
