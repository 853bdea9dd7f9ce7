"""The members' newsletter: issues, and what each patient is interested in."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.kernel.ids import uuid7
from careloop.patients.models import Patient
from careloop.tenancy.models import NewId, TenantModel


class Interest(TenantModel):
    """A topic that a patient chose. Chosen by the patient, or told at the desk; never worked out from health records."""

    id = models.BigAutoField(primary_key=True)
    patient = models.ForeignKey(Patient, models.CASCADE, related_name="+", db_index=False)
    topic = models.CharField(max_length=20, db_collation="C")
    chosen_at = models.DateTimeField()

    class Meta:
        db_table = "loyalty_interest"
        constraints = [
            models.UniqueConstraint(fields=["organization", "patient", "topic"], name="loyalty_interest_once"),
        ]
        indexes = [models.Index(fields=["organization", "topic", "patient"], name="loyalty_interest_by_topic")]


class NewsletterIssue(TenantModel):
    """One issue. Its class is not chosen but judged: education where the words teach, marketing where they offer.

    DRAFT: words may change. CHECKED: judged, frozen as a published text, and counted; changing them makes it a draft again.
    SENT: planned for everybody who gets it.
    """

    class State(models.TextChoices):
        DRAFT = "DRAFT", pgettext_lazy("newsletter", "being written")
        CHECKED = "CHECKED", pgettext_lazy("newsletter", "ready to send")
        SENT = "SENT", pgettext_lazy("newsletter", "sent")

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    title = models.CharField(max_length=80)
    texts = models.JSONField(default=dict)
    topics = ArrayField(
        models.CharField(max_length=20), default=list, db_default=models.Value("{}"), blank=True,
        help_text=_("Members interested in one of these get it; none chosen: all members."),
    )  # fmt: skip
    state = models.CharField(max_length=7, choices=State, default=State.DRAFT, db_default="DRAFT")
    message_class = models.CharField(max_length=12, blank=True, default="", db_default="")
    template_key = models.CharField(max_length=60, blank=True, default="", db_default="", db_collation="C")
    verdict = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()))
    send_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True)
    sent_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    counted = models.JSONField(
        default=dict,
        db_default=models.Value({}, models.JSONField()),
        help_text="members, not interested, planned, left out and why",
    )
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    changed_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=1, db_default=1)

    class Meta:
        db_table = "loyalty_newsletter_issue"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state="DRAFT") | (~models.Q(message_class="") & ~models.Q(template_key="")),
                name="loyalty_newsletter_judged",
            ),
            models.CheckConstraint(
                condition=models.Q(state="SENT", sent_at__isnull=False) | (~models.Q(state="SENT") & models.Q(sent_at__isnull=True)),
                name="loyalty_newsletter_sent",
            ),
        ]  # fmt: skip
        indexes = [models.Index(fields=["organization", "-created_at", "-id"], name="loyalty_newsletter_by_time")]
