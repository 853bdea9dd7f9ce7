"""Facts about records: each says what was recorded about a patient and where to find it. `occurred_at` is when it happened.

The import writes these as sets (see `integrations.imports.writing`), with `historical` set: they make timelines and
roll-ups, and start nothing.
"""

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from careloop.events.registry import fact


@dataclass(frozen=True)
class Recorded:
    """What every record's fact says: which record, what it is called, and its code."""

    record_id: UUID
    code: str
    display: str


@fact("encounter.recorded", label=_("Visit"), group="visits", icon="stethoscope", sentence=_("Visit: %(display)s."))
@dataclass(frozen=True)
class EncounterRecorded(Recorded):
    """A meeting that took place."""


@fact("condition.recorded", label=_("Diagnosis"), group="clinical", icon="report-medical", sentence=_("Diagnosis: %(display)s."))
@dataclass(frozen=True)
class ConditionRecorded(Recorded):
    """A diagnosis or problem."""


@fact("allergy.recorded", label=_("Allergy"), group="clinical", icon="alert-triangle", sentence=_("Allergy: %(display)s."))
@dataclass(frozen=True)
class AllergyRecorded(Recorded):
    """Something the patient must not meet."""


@fact(
    "medication.recorded", label=_("Prescription"), group="clinical", icon="pill", sentence=_("Prescription: %(display)s.")
)
@dataclass(frozen=True)
class MedicationRecorded(Recorded):
    """A prescription."""


@fact("observation.recorded", label=_("Result"), group="clinical", icon="flask", sentence=_("Result: %(display)s."))
@dataclass(frozen=True)
class ObservationRecorded(Recorded):
    """A measured or observed value."""


@fact("procedure.recorded", label=_("Procedure"), group="clinical", icon="clipboard-check", sentence=_("Procedure: %(display)s."))
@dataclass(frozen=True)
class ProcedureRecorded(Recorded):
    """Something that was done."""


@fact(
    "immunization.recorded", label=_("Vaccination"), group="clinical", icon="vaccine", sentence=_("Vaccination: %(display)s.")
)
@dataclass(frozen=True)
class ImmunizationRecorded(Recorded):
    """A vaccination."""


@fact("report.recorded", label=_("Report"), group="clinical", icon="file-text", sentence=_("Report: %(display)s."))
@dataclass(frozen=True)
class ReportRecorded(Recorded):
    """A finding in words."""


@fact("care_plan.recorded", label=_("Care plan"), group="clinical", icon="list-check", sentence=_("Care plan: %(display)s."))
@dataclass(frozen=True)
class CarePlanRecorded(Recorded):
    """A plan of care made elsewhere."""


@fact("invoice.recorded", label=_("Invoice"), group="money", icon="receipt", sentence=_("Invoice recorded."))
@dataclass(frozen=True)
class InvoiceRecorded(Recorded):
    """What a visit or purchase cost."""


@fact("other.recorded", label=_("Other record"), group="clinical", icon="file", sentence=_("%(display)s"))
@dataclass(frozen=True)
class OtherRecorded(Recorded):
    """A record kept as a line only."""
