"""The minimum copy of clinical and billing records that a relationship needs. The EMR stays the system of record."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from careloop.kernel.ids import uuid7
from careloop.patients.models import Patient
from careloop.tenancy.models import Location, NewId, TenantModel


class Practitioner(TenantModel):
    """A professional who treats patients [FHIR Practitioner]; not a sign-in."""

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    name = models.CharField(max_length=160)
    sex = models.CharField(max_length=10, blank=True, db_default="")
    specialty = models.CharField(max_length=80, blank=True, db_default="")
    is_active = models.BooleanField(default=True, db_default=True)
    user_id = models.UUIDField(null=True, blank=True, help_text="the staff user who is this professional, if any")
    source = models.CharField(max_length=60, blank=True, db_default="")
    external_id = models.CharField(max_length=160, blank=True, db_default="", db_collation="C")
    batch_id = models.UUIDField(null=True, editable=False)

    class Meta:
        db_table = "records_practitioner"
        indexes = [models.Index(fields=["organization", "external_id"], name="practitioner_by_external_id")]

    def __str__(self) -> str:
        return self.name


class Record(TenantModel):
    """What all records share: whose, from where, under which name there.

    `source` and `external_id` name the record in the system it came from; `natural_key` is how the same record is
    recognised when another system names it differently. Records are never edited by staff or deleted: one that should
    never have been is `entered_in_error`.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    # checked as a set, see `patients.belonging`
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="%(class)ss", db_index=False, db_constraint=False)
    status = models.CharField(max_length=24, blank=True, db_default="")
    code_system = models.CharField(max_length=120, blank=True, db_default="")
    code = models.CharField(max_length=60, blank=True, db_default="", db_collation="C")
    display = models.CharField(max_length=300, blank=True, db_default="")
    note = models.TextField(blank=True, db_default="")
    source = models.CharField(max_length=60, blank=True, db_default="")
    external_id = models.CharField(max_length=200, blank=True, db_default="", db_collation="C")
    natural_key = models.CharField(max_length=200, blank=True, db_default="", db_collation="C")
    batch_id = models.UUIDField(null=True, editable=False)
    entered_in_error = models.BooleanField(default=False, db_default=False)
    recorded_at = models.DateTimeField()

    class Meta:
        abstract = True


class Encounter(Record):
    """A meeting that took place [FHIR Encounter]."""

    class_code = models.CharField(
        max_length=10, blank=True, db_default="", help_text="v3-ActCode: AMB, EMER, IMP, HH, VR"
    )
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    reason_code = models.CharField(max_length=60, blank=True, db_default="")
    reason_display = models.CharField(max_length=300, blank=True, db_default="")
    practitioner = models.ForeignKey(Practitioner, models.SET_NULL, null=True, related_name="+", db_index=False)
    practitioner_name = models.CharField(max_length=160, blank=True, db_default="")
    location = models.ForeignKey(Location, models.SET_NULL, null=True, related_name="+", db_index=False)
    location_name = models.CharField(max_length=160, blank=True, db_default="")
    department = models.CharField(max_length=60, blank=True, db_default="")

    class Meta:
        db_table = "records_encounter"
        indexes = [
            models.Index(fields=["organization", "patient", "-started_at"], name="encounter_by_patient"),
            models.Index(fields=["organization", "started_at"], name="encounter_by_time"),
            models.Index(fields=["organization", "source", "external_id"], name="encounter_by_external_id"),
        ]


class OfEncounter(Record):
    """A record that may belong to an encounter."""

    # No constraint in the database: it would look up every row of an import once more, and an undone import of visits would
    # search all records once a visit. The import sets it only to visits it has found; undo refuses while others refer to them.
    encounter = models.ForeignKey(
        Encounter, models.SET_NULL, null=True, related_name="+", db_index=False, db_constraint=False
    )

    class Meta:
        abstract = True


def _indexes(name: str, time: str) -> list[models.Index]:
    return [
        models.Index(fields=["organization", "patient", f"-{time}"], name=f"{name}_by_patient"),
        models.Index(fields=["organization", "source", "external_id"], name=f"{name}_by_external_id"),
    ]


class Condition(OfEncounter):
    """A diagnosis or problem [FHIR Condition]. `status` is the clinical status: active, resolved …"""

    verification_status = models.CharField(max_length=20, blank=True, db_default="")
    category = models.CharField(max_length=40, blank=True, db_default="")
    severity = models.CharField(max_length=40, blank=True, db_default="")
    onset_at = models.DateTimeField(null=True)
    abated_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "records_condition"
        indexes = _indexes("condition", "onset_at")


class Allergy(OfEncounter):
    """Something the patient must not meet [FHIR AllergyIntolerance]. `status` is the clinical status."""

    verification_status = models.CharField(max_length=20, blank=True, db_default="")
    type = models.CharField(max_length=12, blank=True, db_default="")
    category = models.CharField(max_length=60, blank=True, db_default="")
    criticality = models.CharField(max_length=20, blank=True, db_default="")
    noted_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    reactions = models.JSONField(default=list, db_default=models.Value([], models.JSONField()))

    class Meta:
        db_table = "records_allergy"
        indexes = _indexes("allergy", "noted_at")


class Medication(OfEncounter):
    """A prescription [FHIR MedicationRequest]. `is_refillable`: chronic prescription (慢性病連續處方箋)."""

    intent = models.CharField(max_length=20, blank=True, db_default="")
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    dosage = models.CharField(max_length=300, blank=True, db_default="")
    reason_code = models.CharField(max_length=60, blank=True, db_default="")
    reason_display = models.CharField(max_length=300, blank=True, db_default="")
    practitioner_name = models.CharField(max_length=160, blank=True, db_default="")
    is_refillable = models.BooleanField(default=False, db_default=False)
    fills_allowed = models.PositiveSmallIntegerField(null=True)
    fills_taken = models.PositiveSmallIntegerField(null=True)
    days_supply = models.PositiveSmallIntegerField(null=True, help_text=_("days that one fill lasts"))
    supply_ends_on = models.DateField(null=True, help_text=_("last day of the current fill"))
    quantity = models.FloatField(null=True)

    class Meta:
        db_table = "records_medication"
        indexes = [
            *_indexes("medication", "started_at"),
            models.Index(
                fields=["organization", "supply_ends_on"], name="medication_by_supply_end",
                condition=models.Q(is_refillable=True, status="active"),
            ),
        ]  # fmt: skip


class Observation(OfEncounter):
    """A measured or observed value [FHIR Observation]; `components` holds several under one heading (blood pressure)."""

    category = models.CharField(max_length=40, blank=True, db_default="")
    observed_at = models.DateTimeField(null=True)
    comparator = models.CharField(max_length=4, blank=True, db_default="")
    value_number = models.FloatField(null=True)
    value_text = models.TextField(blank=True, db_default="")
    value_code = models.CharField(max_length=60, blank=True, db_default="")
    unit = models.CharField(max_length=40, blank=True, db_default="")
    reference_low = models.FloatField(null=True)
    reference_high = models.FloatField(null=True)
    reference_text = models.CharField(max_length=120, blank=True, db_default="")
    interpretation = models.CharField(max_length=12, blank=True, db_default="")
    components = models.JSONField(null=True)

    class Meta:
        db_table = "records_observation"
        indexes = [
            *_indexes("observation", "observed_at"),
            models.Index(fields=["organization", "patient", "code", "-observed_at"], name="observation_by_code"),
        ]


class Procedure(OfEncounter):
    """Something that was done [FHIR Procedure]."""

    performed_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    body_site = models.CharField(max_length=120, blank=True, db_default="")
    reason_code = models.CharField(max_length=60, blank=True, db_default="")
    reason_display = models.CharField(max_length=300, blank=True, db_default="")
    practitioner_name = models.CharField(max_length=160, blank=True, db_default="")

    class Meta:
        db_table = "records_procedure"
        indexes = [
            *_indexes("procedure", "performed_at"),
            models.Index(fields=["organization", "code", "performed_at"], name="procedure_by_code"),
        ]


class Immunization(OfEncounter):
    """A vaccination [FHIR Immunization]."""

    given_at = models.DateTimeField(null=True)
    dose_number = models.PositiveSmallIntegerField(null=True)
    lot_number = models.CharField(max_length=60, blank=True, db_default="")
    site = models.CharField(max_length=80, blank=True, db_default="")
    practitioner_name = models.CharField(max_length=160, blank=True, db_default="")

    class Meta:
        db_table = "records_immunization"
        indexes = _indexes("immunization", "given_at")


class Report(OfEncounter):
    """A finding in words [FHIR DiagnosticReport]."""

    category = models.CharField(max_length=60, blank=True, db_default="")
    issued_at = models.DateTimeField(null=True)
    conclusion = models.TextField(blank=True, db_default="")
    text = models.TextField(blank=True, db_default="")
    results = models.JSONField(default=list, db_default=models.Value([], models.JSONField()))
    practitioner_name = models.CharField(max_length=160, blank=True, db_default="")

    class Meta:
        db_table = "records_report"
        indexes = _indexes("report", "issued_at")


class CarePlan(OfEncounter):
    """A plan of care made elsewhere [FHIR CarePlan]; our own plans are enrollments in care journeys."""

    intent = models.CharField(max_length=20, blank=True, db_default="")
    title = models.CharField(max_length=200, blank=True, db_default="")
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    reason_code = models.CharField(max_length=60, blank=True, db_default="")
    reason_display = models.CharField(max_length=300, blank=True, db_default="")
    activities = models.JSONField(default=list, db_default=models.Value([], models.JSONField()))

    class Meta:
        db_table = "records_care_plan"
        indexes = _indexes("care_plan", "started_at")


class Invoice(OfEncounter):
    """What a visit or purchase cost, and who paid [FHIR Invoice]. Amounts are whole minor units of `currency`.

    `total_amount` = `self_pay_amount` (what the patient paid out of pocket for self-pay items) + `copay_amount` (the
    statutory share) + what NHI or another insurer paid.
    """

    number = models.CharField(max_length=60, blank=True, db_default="")
    issued_at = models.DateTimeField()
    payer_kind = models.CharField(max_length=12, blank=True, db_default="", help_text="self_pay, nhi, insurance, mixed")
    currency = models.CharField(max_length=3, default="TWD", db_default="TWD")
    total_amount = models.BigIntegerField(default=0, db_default=0)
    self_pay_amount = models.BigIntegerField(default=0, db_default=0)
    copay_amount = models.BigIntegerField(default=0, db_default=0)
    lines = models.JSONField(default=list, db_default=models.Value([], models.JSONField()))

    class Meta:
        db_table = "records_invoice"
        indexes = [
            *_indexes("invoice", "issued_at"),
            models.Index(fields=["organization", "issued_at"], name="invoice_by_time"),
        ]


class OtherRecord(OfEncounter):
    """A resource kept as a line only: counted, on the timeline, exported (Goal, Device, DocumentReference …)."""

    resource_type = models.CharField(max_length=40)
    happened_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    category = models.CharField(max_length=120, blank=True, db_default="")
    value_number = models.FloatField(null=True)
    unit = models.CharField(max_length=40, blank=True, db_default="")
    text = models.TextField(blank=True, db_default="")

    class Meta:
        db_table = "records_other"
        indexes = [
            *_indexes("other", "happened_at"),
            models.Index(fields=["organization", "resource_type"], name="other_by_type"),
        ]
