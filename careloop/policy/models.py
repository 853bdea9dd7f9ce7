"""What an organization decided about the rules: changed answers, sign-offs, registered contacts."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.kernel.ids import uuid7
from careloop.policy.answers import Answer
from careloop.tenancy.models import TenantModel


class PolicyOverride(TenantModel):
    """The organization's own answer to a rule from a moment on. The newest row of a rule counts.

    Rows are added, never edited; an empty `answer` gives the rule its own answer back.
    """

    append_only = True

    class Own(models.TextChoices):
        ALLOW = Answer.ALLOW.value, Answer.ALLOW.label
        WARN = Answer.WARN.value, Answer.WARN.label
        REQUIRE = Answer.REQUIRE.value, Answer.REQUIRE.label
        SIGN_OFF = Answer.SIGN_OFF.value, Answer.SIGN_OFF.label
        BLOCK = Answer.BLOCK.value, Answer.BLOCK.label

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    rule_id = models.CharField(max_length=20)
    answer = models.CharField(max_length=10, choices=Own, blank=True)
    reason = models.TextField()
    set_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    set_at = models.DateTimeField()

    class Meta:
        db_table = "policy_override"
        constraints = [
            models.CheckConstraint(condition=~models.Q(reason=""), name="policy_override_has_reason"),
            models.CheckConstraint(
                condition=models.Q(answer__in=["", *(answer.value for answer in Answer)]),
                name="policy_override_answer_known",
            ),
        ]
        indexes = [models.Index(fields=["organization", "rule_id", "-set_at"], name="policy_override_newest")]


class PolicySignOff(TenantModel):
    """A named approver took responsibility for one exact text or offer under the rules that asked for it.

    Evidence: rows are added, never edited. For a text `text_hash` is SHA-256 of the cleaned text, for an offer its fingerprint
    (what it is, its words, and whether members or everybody sees it), so any change needs another sign-off; the text itself is
    kept so that an inspector can read what was approved. `document` names what it rests on: a reference, or the name of a file
    whose SHA-256 is `document_hash` (the file stays with the clinic). A withdrawal is a row of its own.
    """

    append_only = True

    class Subject(models.TextChoices):
        TEXT = "TEXT", _("Wording")
        OFFER = "OFFER", pgettext_lazy("sign-off", "Offer")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    rule_ids = ArrayField(models.CharField(max_length=20))
    text_hash = models.BinaryField(max_length=32)
    text = models.TextField()
    subject = models.CharField(max_length=5, choices=Subject, default=Subject.TEXT, db_default="TEXT")
    kind = models.CharField(max_length=20, default="", db_default="", blank=True)
    audience = models.CharField(max_length=6, default="", db_default="", blank=True)
    reason = models.TextField()
    document = models.CharField(max_length=200, default="", db_default="", blank=True)
    document_hash = models.BinaryField(max_length=32, default=b"", db_default=b"")
    approver = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    approved_at = models.DateTimeField()

    class Meta:
        db_table = "policy_sign_off"
        constraints = [
            models.CheckConstraint(condition=~models.Q(reason=""), name="policy_sign_off_has_reason"),
            models.CheckConstraint(condition=~models.Q(rule_ids=[]), name="policy_sign_off_has_rules"),
        ]
        indexes = [models.Index(fields=["organization", "text_hash"], name="policy_sign_off_text")]

    @property
    def document_sha256(self) -> str:
        """The hash of the document's file in hexadecimal; empty when no file was given."""
        return bytes(self.document_hash).hex()


class PolicyWithdrawal(TenantModel):
    """A sign-off that no longer counts from a moment on, and who says so, and why."""

    append_only = True

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    sign_off = models.ForeignKey(PolicySignOff, models.PROTECT, related_name="withdrawals", db_index=False)
    reason = models.TextField()
    withdrawn_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    withdrawn_at = models.DateTimeField()

    class Meta:
        db_table = "policy_withdrawal"
        constraints = [
            models.CheckConstraint(condition=~models.Q(reason=""), name="policy_withdrawal_has_reason"),
            models.UniqueConstraint(fields=["organization", "sign_off"], name="policy_withdrawal_once"),
        ]


class RegisteredContact(TenantModel):
    """A web address or telephone number that the organization registered for SMS.

    `value` is what was registered, `key` the form it is compared in. An address covers the pages below it.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    value = models.CharField(max_length=200)
    key = models.CharField(max_length=200)
    reference = models.CharField(max_length=80, blank=True)
    is_active = models.BooleanField(default=True)
    registered_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    registered_at = models.DateTimeField()

    class Meta:
        db_table = "policy_registered_contact"
        constraints = [
            models.UniqueConstraint(fields=["organization", "key"], name="policy_registered_contact_once"),
        ]
