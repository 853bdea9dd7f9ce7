"""What staff must do about a patient."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.kernel.ids import uuid7
from careloop.patients.models import Patient
from careloop.tenancy.models import Location, NewId, TenantModel


class FollowUp(TenantModel):
    """A to-do for staff about one patient [FHIR Task]: due, owner, script, outcome.

    `origin` says what asked for it (`journey`, `message`, `appointment`, `staff`), `origin_id` which one; a journey step asks once.
    """

    class Kind(models.TextChoices):
        CALL = "CALL", pgettext_lazy("follow-up", "call")
        REPLY = "REPLY", pgettext_lazy("follow-up", "answer a message")
        CHECK = "CHECK", pgettext_lazy("follow-up", "check")
        VISIT = "VISIT", pgettext_lazy("follow-up", "arrange a visit")
        OTHER = "OTHER", pgettext_lazy("follow-up", "other")

    class State(models.TextChoices):
        OPEN = "OPEN", pgettext_lazy("follow-up", "open")
        DONE = "DONE", pgettext_lazy("follow-up", "done")
        CANCELLED = "CANCELLED", pgettext_lazy("follow-up", "cancelled")

    class Outcome(models.TextChoices):
        REACHED = "REACHED", _("reached")
        BOOKED = "BOOKED", _("reached, visit arranged")
        CALL_BACK = "CALL_BACK", _("asks to be called later")
        NO_ANSWER = "NO_ANSWER", _("no answer")
        WRONG_NUMBER = "WRONG_NUMBER", _("wrong number")
        DECLINED = "DECLINED", _("declined")
        RESOLVED = "RESOLVED", _("settled")

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    patient = models.ForeignKey(Patient, models.CASCADE, related_name="follow_ups")
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.CALL)
    title = models.CharField(max_length=160)
    script = models.TextField(blank=True, db_default="")
    priority = models.PositiveSmallIntegerField(default=2, db_default=2, help_text=_("1 urgent, 2 normal, 3 low"))
    state = models.CharField(max_length=10, choices=State, default=State.OPEN, db_default="OPEN")
    due_at = models.DateTimeField()
    snoozed_until = models.DateTimeField(null=True, blank=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    location = models.ForeignKey(Location, models.SET_NULL, null=True, blank=True, related_name="+")
    outcome = models.CharField(max_length=16, choices=Outcome, blank=True, db_default="")
    outcome_note = models.TextField(blank=True, db_default="")
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    origin = models.CharField(max_length=20, default="staff", db_default="staff")
    origin_id = models.CharField(max_length=80, blank=True, db_default="")
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    version = models.PositiveIntegerField(default=1, db_default=1)

    class Meta:
        db_table = "followups_follow_up"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "origin", "origin_id"],
                name="follow_up_once_per_origin",
                condition=~models.Q(origin_id=""),
            ),
            models.CheckConstraint(
                condition=models.Q(state="OPEN", closed_at__isnull=True)
                | ~models.Q(state="OPEN") & models.Q(closed_at__isnull=False),
                name="follow_up_closed_has_time",
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "due_at", "id"], name="follow_up_open", condition=models.Q(state="OPEN")),
            models.Index(fields=["organization", "patient", "-due_at"], name="follow_up_by_patient"),
        ]  # fmt: skip
