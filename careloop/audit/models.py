"""The audit chain. Rows are written by the database function `audit_append` only."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from careloop.tenancy.models import TenantModel


class AuditEvent(TenantModel):
    """One action: who, when, what, on which patients, why [FHIR AuditEvent].

    `number` counts up without gaps inside an organization. `hash` covers every column and the hash before it.
    """

    read_only = True

    id = models.BigAutoField(primary_key=True)
    number = models.BigIntegerField()
    recorded_at = models.DateTimeField()
    action = models.CharField(max_length=60)
    actor_kind = models.CharField(max_length=20)
    actor_id = models.UUIDField(null=True)
    actor_name = models.CharField(max_length=120, blank=True)
    via = models.CharField(max_length=20, blank=True)
    address = models.CharField(max_length=60, blank=True)
    patients = ArrayField(models.UUIDField(), default=list)
    target_kind = models.CharField(max_length=60, blank=True)
    target_id = models.CharField(max_length=64, blank=True)
    reason = models.TextField(blank=True)
    details = models.JSONField(default=dict)
    previous = models.BinaryField()
    hash = models.BinaryField()

    class Meta:
        db_table = "audit_event"
        constraints = [models.UniqueConstraint(fields=["organization", "number"], name="audit_number_once")]
        indexes = [
            models.Index(fields=["organization", "-recorded_at"], name="audit_by_time"),
            models.Index(fields=["organization", "actor_id", "-recorded_at"], name="audit_by_actor"),
        ]


class AuditPatient(TenantModel):
    """Which audit events name a patient: the look-up behind “who has seen this patient?”."""

    read_only = True

    # the one index, because an import notes a hundred thousand patients; an event names each once (`Note.row`)
    pk = models.CompositePrimaryKey("patient_id", "number", "organization_id")
    patient_id = models.UUIDField()
    number = models.BigIntegerField()

    class Meta:
        db_table = "audit_patient"


class AuditSpan(TenantModel):
    """The same for an event that names hundreds of patients whose ids were drawn as one set: from which to which, in one row.

    Such ids have their first ten bytes in common (`kernel.ids.rising_uuid7s`), so the spans that may hold a patient lie side by
    side. The event itself says whether it names the patient.
    """

    read_only = True

    pk = models.CompositePrimaryKey("first_patient", "number", "organization_id")
    first_patient = models.UUIDField()
    last_patient = models.UUIDField()
    number = models.BigIntegerField()

    class Meta:
        db_table = "audit_span"


class AuditHead(TenantModel):
    """The end of an organization's chain, and the end it had at the close of each day."""

    id = models.BigAutoField(primary_key=True)
    day = models.DateField(null=True, help_text="null: the running head")
    number = models.BigIntegerField()
    hash = models.BinaryField()
    recorded_at = models.DateTimeField()

    read_only = True

    class Meta:
        db_table = "audit_head"
        constraints = [
            models.UniqueConstraint(fields=["organization", "day"], name="audit_head_once_a_day", nulls_distinct=False),
        ]
