"""Rules that select patients, and who they select at the moment."""

from django.conf import settings
from django.db import models
from django.utils.translation import pgettext_lazy

from careloop.kernel.ids import uuid7
from careloop.patients.models import Patient
from careloop.tenancy.models import TenantModel


class Segment(TenantModel):
    """A rule that selects patients, evaluated at a moment [FHIR Group].

    `rule` is the tree of the current version (see `language`), `version` its number; earlier ones are `SegmentVersion`.
    Members are kept by the event readers. A marketing segment that reads clinical fields selects only those who
    agreed to that in writing (`needs_written_consent`).
    """

    class Purpose(models.TextChoices):
        CARE = "CARE", pgettext_lazy("purpose of a segment", "care")
        MARKETING = "MARKETING", pgettext_lazy("purpose of a segment", "marketing")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=80)
    description = models.CharField(max_length=400, blank=True, db_default="")
    purpose = models.CharField(max_length=10, choices=Purpose)
    rule = models.JSONField()
    version = models.PositiveIntegerField(default=1)
    needs_written_consent = models.BooleanField(default=False)
    reads_clinical = models.BooleanField(default=False)
    library_key = models.CharField(max_length=40, blank=True, db_default="")
    archived_at = models.DateTimeField(null=True, blank=True)
    size = models.PositiveIntegerField(null=True, help_text="members now; empty: never refreshed")
    refreshed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    updated_at = models.DateTimeField()

    class Meta:
        db_table = "segments_segment"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "name"], name="segment_name_once", condition=models.Q(archived_at__isnull=True)
            ),
        ]  # fmt: skip


class SegmentVersion(TenantModel):
    """What a segment's rule was from some moment on. Added, never changed."""

    append_only = True

    id = models.BigAutoField(primary_key=True)
    segment = models.ForeignKey(Segment, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    purpose = models.CharField(max_length=10)
    rule = models.JSONField()
    saved_at = models.DateTimeField()
    saved_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    class Meta:
        db_table = "segments_version"
        constraints = [
            models.UniqueConstraint(fields=["organization", "segment", "number"], name="segment_version_once")
        ]


class Member(TenantModel):
    """A patient who is in a segment now, and since when. Kept by the readers, never typed in."""

    pk = models.CompositePrimaryKey("segment_id", "patient_id")
    segment = models.ForeignKey(Segment, models.CASCADE, related_name="members", db_index=False, db_constraint=False)
    patient = models.ForeignKey(
        Patient, models.CASCADE, related_name="segment_memberships", db_index=False, db_constraint=False
    )
    entered_at = models.DateTimeField()

    class Meta:
        db_table = "segments_member"
        indexes = [
            models.Index(fields=["segment", "-entered_at", "patient"], name="member_by_entry"),
            models.Index(fields=["patient"], name="member_by_patient"),
        ]


class SegmentSize(TenantModel):
    """How many members a segment had at the end of a day's refresh."""

    id = models.BigAutoField(primary_key=True)
    segment = models.ForeignKey(Segment, models.CASCADE, related_name="sizes", db_index=False)
    day = models.DateField()
    size = models.PositiveIntegerField()

    class Meta:
        db_table = "segments_size"
        constraints = [models.UniqueConstraint(fields=["organization", "segment", "day"], name="segment_size_once")]
