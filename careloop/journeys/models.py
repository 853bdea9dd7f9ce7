"""Care journeys: what is designed, what runs, and where each patient stands."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from careloop.kernel.ids import uuid7
from careloop.patients.models import Patient
from careloop.tenancy.models import NewId, TenantModel


class Journey(TenantModel):
    """A designed path of steps over days or weeks [FHIR PlanDefinition].

    `definition` is the working copy that is edited (see `definition.py`); what runs is a `JourneyVersion`, which never
    changes. `version` counts edits, so that two people cannot overwrite each other.
    """

    class State(models.TextChoices):
        DRAFT = "DRAFT", _("draft")
        ACTIVE = "ACTIVE", _("running")
        PAUSED = "PAUSED", _("paused")
        ENDED = "ENDED", _("ended")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=80)
    description = models.CharField(max_length=400, blank=True, db_default="")
    state = models.CharField(max_length=8, choices=State, default=State.DRAFT, db_default="DRAFT")
    definition = models.JSONField()
    library_key = models.CharField(max_length=40, blank=True, db_default="")
    current = models.ForeignKey("JourneyVersion", models.PROTECT, null=True, related_name="+", db_index=False)
    has_changes = models.BooleanField(default=False, help_text="the working copy differs from what runs")
    dated_until = models.DateField(null=True, help_text="the last day whose dates were looked at")
    version = models.PositiveIntegerField(default=1, db_default=1)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", db_index=False
    )
    started_at = models.DateTimeField(null=True)
    paused_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField()

    class Meta:
        db_table = "journeys_journey"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state="DRAFT") | models.Q(current__isnull=False) | models.Q(state="ENDED"),
                name="journey_runs_a_version",
            ),
        ]


class JourneyVersion(TenantModel):
    """What a journey does from some moment on. Added, never changed: those who are on it finish it as it was."""

    append_only = True

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    journey = models.ForeignKey(Journey, models.PROTECT, related_name="versions", db_index=False)
    number = models.PositiveIntegerField()
    definition = models.JSONField()
    hold_out_percent = models.PositiveSmallIntegerField()
    started_at = models.DateTimeField()
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", db_index=False
    )

    class Meta:
        db_table = "journeys_version"
        constraints = [
            models.UniqueConstraint(fields=["organization", "journey", "number"], name="journey_version_once"),
            models.CheckConstraint(condition=models.Q(hold_out_percent__lte=50), name="journey_hold_out_at_most_half"),
        ]


class Enrollment(TenantModel):
    """One patient on one version of a journey, with position and reason of leaving [FHIR CarePlan].

    `step` is the step it stands at and `due_at` when that step is carried out; a step that waits is due at the end of its
    wait, or as soon as an answer came. `moves` counts steps carried out and numbers the history, so no step is carried
    out twice. A held-out enrollment has no step: it gets nothing and is measured like the others. What is measured
    (`messaged_at` to `goal_at`) is noted until `measured_until`, also after the path has ended.
    """

    class State(models.TextChoices):
        ACTIVE = "ACTIVE", _("on the way")
        DONE = "DONE", _("finished")
        LEFT = "LEFT", _("left early")

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    journey = models.ForeignKey(Journey, models.PROTECT, related_name="enrollments", db_index=False)
    journey_version = models.ForeignKey(JourneyVersion, models.PROTECT, related_name="enrollments", db_index=False)
    patient = models.ForeignKey(Patient, models.CASCADE, related_name="enrollments", db_index=False)
    round = models.PositiveIntegerField(default=1, db_default=1, help_text="1 the first time, 2 the second …")
    state = models.CharField(max_length=8, choices=State, default=State.ACTIVE, db_default="ACTIVE")
    held_out = models.BooleanField(default=False, db_default=False)
    step = models.CharField(max_length=20, blank=True, db_default="", db_collation="C")
    step_kind = models.CharField(max_length=12, blank=True, db_default="", db_collation="C")
    due_at = models.DateTimeField(null=True)
    reply_wait_minutes = models.PositiveIntegerField(null=True, help_text="set while it waits for an answer")
    moves = models.PositiveIntegerField(default=0, db_default=0)
    answer = models.CharField(max_length=40, blank=True, db_default="", help_text="the last answer's code")
    new_answer = models.CharField(max_length=40, blank=True, db_default="", help_text="came and has not moved it yet")
    context = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()))
    entered_at = models.DateTimeField()
    entered_because = models.CharField(max_length=30, db_default="")
    exited_at = models.DateTimeField(null=True)
    exit_reason = models.CharField(max_length=30, blank=True, db_default="")
    measured_until = models.DateTimeField()
    messaged_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)
    visited_at = models.DateTimeField(null=True)
    goal_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "journeys_enrollment"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "journey", "patient", "round"], name="enrollment_once_per_round"
            ),
            models.UniqueConstraint(
                fields=["organization", "journey", "patient"],
                name="enrollment_one_active",
                condition=models.Q(state="ACTIVE"),
            ),
            models.CheckConstraint(
                condition=models.Q(state="ACTIVE", exited_at__isnull=True, due_at__isnull=False)
                | ~models.Q(state="ACTIVE") & models.Q(exited_at__isnull=False) & ~models.Q(exit_reason=""),
                name="enrollment_active_is_due_and_ended_says_why",
            ),
            models.CheckConstraint(
                condition=models.Q(held_out=False) | models.Q(step="", moves=0),
                name="enrollment_held_out_gets_nothing",
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "journey", "due_at", "id"], name="enrollment_due", condition=models.Q(state="ACTIVE")),
            models.Index(fields=["organization", "patient", "-entered_at"], name="enrollment_by_patient"),
            models.Index(fields=["organization", "journey", "-entered_at", "-id"], name="enrollment_by_journey"),
            models.Index(fields=["organization", "-answered_at"], name="enrollment_answered", condition=models.Q(answered_at__isnull=False)),
        ]  # fmt: skip


class EnrollmentStep(TenantModel):
    """One thing that happened to an enrollment: a step carried out, or its end. Added, never changed.

    `what`: sent, not_sent, waited, answered, silent, yes, no, tasked, tagged, untagged, left, skipped. `number` follows
    the enrollment's `moves`: the database refuses a second row for the same move.
    """

    append_only = True

    id = models.BigAutoField(primary_key=True)
    enrollment = models.ForeignKey(Enrollment, models.CASCADE, related_name="history", db_index=False)
    number = models.PositiveIntegerField()
    step = models.CharField(max_length=20, blank=True, db_default="", db_collation="C")
    what = models.CharField(max_length=12)
    reason = models.CharField(max_length=40, blank=True, db_default="")
    next_step = models.CharField(max_length=20, blank=True, db_default="", db_collation="C")
    at = models.DateTimeField()
    message_id = models.UUIDField(null=True)
    follow_up_id = models.UUIDField(null=True)

    class Meta:
        db_table = "journeys_enrollment_step"
        constraints = [
            models.UniqueConstraint(fields=["organization", "enrollment", "number"], name="enrollment_step_once"),
        ]
