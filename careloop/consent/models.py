"""What each person agreed to and refused, with the text they saw and the proof."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from careloop.kernel.ids import uuid7
from careloop.patients.models import Patient
from careloop.tenancy.models import NewId, TenantModel


class Purpose(models.TextChoices):
    """What contact and data are used for; each is agreed to separately (PDPA art. 7)."""

    CARE = "CARE", _("care and recall")
    SURVEY = "SURVEY", _("satisfaction surveys")
    MARKETING = "MARKETING", _("news and offers")
    HEALTH_MARKETING = "HEALTH_MARKETING", _("offers chosen by health data (written consent)")


class ConsentChannel(models.TextChoices):
    ANY = "any", _("every channel")
    LINE = "line", "LINE"
    SMS = "sms", _("SMS")
    EMAIL = "email", _("e-mail")
    WECHAT = "wechat", "WeChat"
    PHONE = "phone", _("phone call")


class Notice(TenantModel):
    """One version of the privacy notice or of a consent text, in all languages. Published texts are never edited."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    purpose = models.CharField(max_length=20, blank=True, help_text="empty: the privacy notice itself")
    version = models.PositiveIntegerField()
    texts = models.JSONField(help_text="language → {title, body}")
    text_hash = models.CharField(max_length=64)
    published_at = models.DateTimeField(null=True)
    published_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    class Meta:
        db_table = "consent_notice"
        constraints = [
            models.UniqueConstraint(fields=["organization", "purpose", "version"], name="notice_version_once")
        ]


class NoticeShown(TenantModel):
    """That a person was shown a version of the privacy notice (PDPA art. 8 and 9)."""

    append_only = True

    id = models.BigAutoField(primary_key=True)
    patient = models.ForeignKey(Patient, models.CASCADE, related_name="notices_shown")
    notice = models.ForeignKey(Notice, models.PROTECT, related_name="+")
    shown_at = models.DateTimeField()
    how = models.CharField(max_length=20)
    shown_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    class Meta:
        db_table = "consent_notice_shown"
        indexes = [models.Index(fields=["organization", "patient"], name="notice_shown_by_patient")]


class Consent(TenantModel):
    """One decision of one person on one purpose and channel [FHIR Consent].

    A decision is never changed: a new one ends the one before (`ended_at`). At most one is in force per person,
    purpose and channel. `deny` is an opt-out and always wins.
    """

    class Decision(models.TextChoices):
        PERMIT = "permit", _("agreed")
        DENY = "deny", _("refused")

    class Source(models.TextChoices):
        PAPER = "paper", _("signed form")
        DESK = "desk", _("told the front desk")
        PHONE = "phone", _("on the phone")
        LINE = "line", "LINE"
        LINK = "link", _("link in a message")
        PORTAL = "portal", _("patient pages")
        IMPORT = "import", _("import")
        KEYWORD = "keyword", _("opt-out word")

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    patient = models.ForeignKey(Patient, models.CASCADE, related_name="consents")
    purpose = models.CharField(max_length=20, choices=Purpose)
    channel = models.CharField(max_length=10, choices=ConsentChannel, default=ConsentChannel.ANY)
    decision = models.CharField(max_length=10, choices=Decision)
    notice = models.ForeignKey(Notice, models.PROTECT, null=True, blank=True, related_name="+")
    source = models.CharField(max_length=10, choices=Source)
    evidence = models.CharField(max_length=300, blank=True, db_default="")
    decided_at = models.DateTimeField()
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    ended_at = models.DateTimeField(null=True, blank=True)
    batch_id = models.UUIDField(null=True, editable=False)

    class Meta:
        db_table = "consent_consent"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "patient", "purpose", "channel"], name="consent_one_in_force",
                condition=models.Q(ended_at__isnull=True),
            ),
        ]  # fmt: skip
        indexes = [models.Index(fields=["organization", "patient", "-decided_at"], name="consent_by_patient")]
