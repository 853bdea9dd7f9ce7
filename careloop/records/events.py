"""What was recorded about a patient's care. Payloads carry the record's id, its code and a short display."""

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from careloop.events.registry import fact


@fact(
    "encounter.recorded",
    label=_("Visit"),
    group="visits",
    icon="stethoscope",
    sentence=_("Visit: %(display)s %(department)s"),
)
@dataclass(frozen=True)
class EncounterRecorded:
    """A meeting took place. `class_code` is v3-ActCode."""

    record_id: UUID
    code: str = ""
    display: str = ""
    class_code: str = ""
    department: str = ""


@fact(
    "condition.recorded",
    label=_("Diagnosis"),
    group="clinical",
    icon="report-medical",
    sentence=_("Diagnosis: %(display)s"),
)
@dataclass(frozen=True)
class ConditionRecorded:
    """A diagnosis or problem."""

    record_id: UUID
    code: str = ""
    display: str = ""


@fact(
    "allergy.recorded", label=_("Allergy"), group="clinical", icon="alert-triangle", sentence=_("Allergy: %(display)s")
)
@dataclass(frozen=True)
class AllergyRecorded:
    """Something the patient must not meet."""

    record_id: UUID
    code: str = ""
    display: str = ""


@fact(
    "medication.recorded",
    label=_("Prescription"),
    group="clinical",
    icon="pill",
    sentence=_("Prescription: %(display)s"),
)
@dataclass(frozen=True)
class MedicationRecorded:
    """A prescription; `refillable` is a chronic one (慢性病連續處方箋)."""

    record_id: UUID
    code: str = ""
    display: str = ""
    refillable: bool = False


@fact("observation.recorded", label=_("Result"), group="clinical", icon="chart-line", sentence=_("Result: %(display)s"))
@dataclass(frozen=True)
class ObservationRecorded:
    """A measured or observed value."""

    record_id: UUID
    code: str = ""
    display: str = ""


@fact("procedure.recorded", label=_("Treatment"), group="clinical", icon="dental", sentence=_("Treatment: %(display)s"))
@dataclass(frozen=True)
class ProcedureRecorded:
    """Something that was done."""

    record_id: UUID
    code: str = ""
    display: str = ""


@fact(
    "immunization.recorded",
    label=_("Vaccination"),
    group="clinical",
    icon="vaccine",
    sentence=_("Vaccination: %(display)s"),
)
@dataclass(frozen=True)
class ImmunizationRecorded:
    """A vaccination."""

    record_id: UUID
    code: str = ""
    display: str = ""


@fact("report.recorded", label=_("Report"), group="clinical", icon="file-text", sentence=_("Report: %(display)s"))
@dataclass(frozen=True)
class ReportRecorded:
    """A finding in words."""

    record_id: UUID
    code: str = ""
    display: str = ""


@fact(
    "care_plan.recorded",
    label=_("Care plan"),
    group="clinical",
    icon="clipboard-text",
    sentence=_("Care plan: %(display)s"),
)
@dataclass(frozen=True)
class CarePlanRecorded:
    """A plan of care made elsewhere."""

    record_id: UUID
    code: str = ""
    display: str = ""


@fact("invoice.recorded", label=_("Payment"), group="money", icon="receipt", sentence=_("Paid: %(total)s"))
@dataclass(frozen=True)
class InvoiceRecorded:
    """A bill; amounts are whole minor units of `currency`."""

    record_id: UUID
    code: str = ""
    display: str = ""
    self_pay: int = 0
    total: int = 0
    currency: str = "TWD"


@fact("other.recorded", label=_("Other record"), group="clinical", icon="file", sentence=_("%(display)s"))
@dataclass(frozen=True)
class OtherRecorded:
    """A record kept as a line only."""

    record_id: UUID
    code: str = ""
    display: str = ""


@fact(
    "record.entered_in_error", label=_("Entered in error"), group="clinical", icon="ban",
    sentence=_("Marked as entered in error: %(display)s"),
)  # fmt: skip
@dataclass(frozen=True)
class RecordEnteredInError:
    """A record that should never have been; it is kept and hidden. `record` is its kind (encounter, invoice, …)."""

    record_id: UUID
    record: str
    display: str = ""


@fact(
    "record.updated", label=_("Records brought up to date"), group="clinical", icon="refresh",
    sentence=_("An import brought records up to date"),
)  # fmt: skip
@dataclass(frozen=True)
class RecordUpdated:
    """An import changed records that were known already: a visit's status, an invoice's amount. `record` is their kind."""

    record: str
    count: int
