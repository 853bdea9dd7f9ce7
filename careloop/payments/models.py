"""What patients are asked to pay, how they tried, what the provider said, and what was given back."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.kernel.ids import uuid7
from careloop.patients.models import Patient
from careloop.scheduling.models import Appointment, Service
from careloop.tenancy.models import NewId, TenantModel


class ProviderAccount(TenantModel):
    """The clinic's account with a payment provider. At most one that is switched on is the default: new payments go there.

    `settings` holds what is no secret, `secrets_sealed` the rest, under the organization's key.
    """

    class Kind(models.TextChoices):
        ECPAY = "ecpay", "ECPay 綠界"
        SANDBOX = "sandbox", _("sandbox provider")

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    kind = models.CharField(max_length=10, choices=Kind)
    name = models.CharField(max_length=80)
    settings = models.JSONField(default=dict, blank=True)
    secrets_sealed = models.BinaryField(null=True)
    enabled = models.BooleanField(default=True)
    is_default = models.BooleanField(default=False)
    checked_at = models.DateTimeField(null=True, blank=True)
    check_ok = models.BooleanField(null=True)
    check_message = models.CharField(max_length=300, blank=True, default="")
    changed_at = models.DateTimeField()
    created_at = models.DateTimeField()

    class Meta:
        db_table = "payments_account"
        constraints = [
            models.UniqueConstraint(fields=["organization", "name"], name="payments_account_name_once"),
            models.UniqueConstraint(
                fields=["organization"], name="payments_one_default_account",
                condition=models.Q(is_default=True, enabled=True),
            ),
        ]  # fmt: skip


class Payment(TenantModel):
    """One amount that one patient is asked to pay (自費 or 部分負擔), and where that stands.

    `amount` is the sum of its items and never changes; `copay` is the part of it that is NHI co-pay. `payer` is always the patient:
    what the NHI pays is no payment of ours. `refunded` counts refunds that were asked for and did not fail, `refunded_at_will`
    those of them that must leave the co-pay alone; a trigger keeps both, and the checks below bound them.

    requested → started → paid | failed | expired | cancelled. After a failure it can be tried again; money that arrives after all
    counts, whatever stood there before. Nothing leads away from paid: what is given back are refunds.
    """

    class State(models.TextChoices):
        REQUESTED = "REQUESTED", pgettext_lazy("payment", "asked for")
        STARTED = "STARTED", pgettext_lazy("payment", "begun")
        PAID = "PAID", pgettext_lazy("payment", "paid")
        FAILED = "FAILED", pgettext_lazy("payment", "failed")
        EXPIRED = "EXPIRED", pgettext_lazy("payment", "expired")
        CANCELLED = "CANCELLED", pgettext_lazy("payment", "withdrawn")

    class Payer(models.TextChoices):
        SELF = "SELF", pgettext_lazy("payer", "the patient")

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="+", db_index=False)
    appointment = models.ForeignKey(Appointment, models.PROTECT, related_name="+", db_index=False, null=True)
    title = models.CharField(max_length=80)
    payer = models.CharField(max_length=4, choices=Payer, default=Payer.SELF, db_default="SELF")
    amount = models.PositiveBigIntegerField(help_text=_("In the currency's smallest unit."))
    copay = models.PositiveBigIntegerField(default=0, db_default=0)
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=10, choices=State, default=State.REQUESTED, db_default="REQUESTED")
    reason = models.CharField(max_length=200, blank=True, default="", db_default="")
    method = models.CharField(max_length=40, blank=True, default="", db_default="")
    refunded = models.PositiveBigIntegerField(default=0, db_default=0)
    refunded_at_will = models.PositiveBigIntegerField(default=0, db_default=0)
    token_hash = models.BinaryField()
    key = models.CharField(max_length=80, blank=True, default="", db_default="", db_collation="C")
    requested_at = models.DateTimeField()
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    expires_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    paid_at = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=1, db_default=1)

    class Meta:
        db_table = "payments_payment"
        constraints = [
            models.UniqueConstraint(fields=["token_hash", "organization"], name="payments_token_once"),
            models.UniqueConstraint(
                fields=["organization", "key"], name="payments_once_per_key", condition=~models.Q(key="")
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["REQUESTED", "STARTED", "PAID", "FAILED", "EXPIRED", "CANCELLED"]),
                name="payments_state_known",
            ),
            models.CheckConstraint(condition=models.Q(payer="SELF"), name="payments_patient_pays"),
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="payments_amount_positive"),
            models.CheckConstraint(condition=models.Q(copay__lte=models.F("amount")), name="payments_copay_inside"),
            models.CheckConstraint(
                condition=models.Q(state="PAID", paid_at__isnull=False) | (~models.Q(state="PAID") & models.Q(paid_at__isnull=True)),
                name="payments_paid_has_time",
            ),
            models.CheckConstraint(
                condition=models.Q(refunded=0) | models.Q(state="PAID", refunded__lte=models.F("amount")),
                name="payments_refunds_within_paid",
            ),
            # 全民健康保險法 43, 48: what the patient owes the NHI is given back only where the charge itself was wrong
            models.CheckConstraint(
                condition=models.Q(refunded_at_will__lte=models.F("amount") - models.F("copay"))
                & models.Q(refunded_at_will__lte=models.F("refunded")),
                name="payments_copay_not_given_away",
            ),
        ]  # fmt: skip
        indexes = [
            models.Index(fields=["organization", "-requested_at", "-id"], name="payments_by_time"),
            models.Index(fields=["organization", "patient", "-requested_at"], name="payments_by_patient"),
            models.Index(
                fields=["organization", "appointment"], name="payments_by_appointment",
                condition=models.Q(appointment__isnull=False),
            ),
            models.Index(
                fields=["organization", "expires_at"], name="payments_open",
                condition=models.Q(state__in=["REQUESTED", "STARTED", "FAILED"]),
            ),
        ]  # fmt: skip


class Item(TenantModel):
    """One line of a payment. Its amounts never change (a database trigger sees to it); only its name can be erased.

    NHI co-pay (部分負擔) can stand here and is never reduced, and neither price nor deposit of a service that the NHI pays can.
    """

    class Kind(models.TextChoices):
        SERVICE = "SERVICE", pgettext_lazy("payment item", "self-pay service")
        DEPOSIT = "DEPOSIT", pgettext_lazy("payment item", "deposit")
        COPAY = "COPAY", pgettext_lazy("payment item", "NHI co-pay")
        OTHER = "OTHER", pgettext_lazy("payment item", "other")

    id = models.BigAutoField(primary_key=True)
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="items", db_index=False)
    position = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=8, choices=Kind)
    name = models.CharField(max_length=80)
    service = models.ForeignKey(Service, models.PROTECT, null=True, related_name="+", db_index=False)
    full_amount = models.PositiveBigIntegerField(help_text="before any reduction")
    amount = models.PositiveBigIntegerField()

    class Meta:
        db_table = "payments_item"
        constraints = [
            models.UniqueConstraint(fields=["payment", "position", "organization"], name="payments_item_place"),
            models.CheckConstraint(
                condition=models.Q(kind__in=["SERVICE", "DEPOSIT", "COPAY", "OTHER"]), name="payments_item_kind_known"
            ),
            models.CheckConstraint(
                condition=models.Q(amount__lte=models.F("full_amount")), name="payments_item_not_above_price"
            ),
            # 全民健康保險法 43, 48; 全民健康保險醫事服務機構合約: co-pay is neither waived nor discounted
            models.CheckConstraint(
                condition=~models.Q(kind="COPAY") | models.Q(amount=models.F("full_amount"), amount__gt=0),
                name="payments_copay_never_reduced",
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=["COPAY", "OTHER"]) | models.Q(service__isnull=False),
                name="payments_item_names_service",
            ),
        ]


class Attempt(TenantModel):
    """One trade with the provider: one way of the payer to the provider's page and back."""

    class State(models.TextChoices):
        OPEN = "OPEN", pgettext_lazy("payment attempt", "open")
        PAID = "PAID", pgettext_lazy("payment attempt", "paid")
        FAILED = "FAILED", pgettext_lazy("payment attempt", "failed")
        LAPSED = "LAPSED", pgettext_lazy("payment attempt", "given up")

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="attempts", db_index=False)
    account = models.ForeignKey(ProviderAccount, models.PROTECT, related_name="+", db_index=False)
    trade_no = models.CharField(max_length=20, db_collation="C")
    provider_trade_no = models.CharField(max_length=40, blank=True, default="", db_default="", db_collation="C")
    state = models.CharField(max_length=8, choices=State, default=State.OPEN, db_default="OPEN")
    is_extra = models.BooleanField(
        default=False, db_default=False, help_text="paid although the payment was paid already"
    )
    said = models.CharField(max_length=200, blank=True, default="", db_default="")
    details = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()))
    started_at = models.DateTimeField()
    ask_at = models.DateTimeField(help_text="when the provider is asked next, as long as it says nothing")
    settled_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "payments_attempt"
        constraints = [
            models.UniqueConstraint(fields=["account", "trade_no", "organization"], name="payments_trade_once"),
            models.UniqueConstraint(
                fields=["payment", "organization"], name="payments_paid_once",
                condition=models.Q(state="PAID", is_extra=False),
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["OPEN", "PAID", "FAILED", "LAPSED"]), name="payments_attempt_state_known"
            ),
        ]  # fmt: skip
        indexes = [
            models.Index(fields=["organization", "payment", "-started_at"], name="payments_attempts_of"),
            models.Index(fields=["organization", "ask_at"], name="payments_to_ask", condition=models.Q(state="OPEN")),
        ]


class ProviderNotice(TenantModel):
    """What the provider told us, once each, without its secrets and the payer's card. Never changed."""

    append_only = True

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(ProviderAccount, models.PROTECT, related_name="+", db_index=False)
    attempt = models.ForeignKey(Attempt, models.PROTECT, related_name="notices", db_index=False)
    provider_trade_no = models.CharField(max_length=40, blank=True, db_collation="C")
    result = models.CharField(max_length=10)
    source = models.CharField(max_length=10, help_text="notice: the provider came; query: we asked")
    content = models.JSONField(default=dict)
    received_at = models.DateTimeField()

    class Meta:
        db_table = "payments_notice"
        constraints = [
            models.UniqueConstraint(
                fields=["account", "attempt", "provider_trade_no", "result", "organization"],
                name="payments_notice_once",
            )
        ]


class Refund(TenantModel):
    """Money given back, wholly or in part. Never changed: what became of it are its steps."""

    append_only = True

    class Reason(models.TextChoices):
        NOT_GIVEN = "NOT_GIVEN", pgettext_lazy("refund", "the service was not given")
        WRONG = "WRONG", pgettext_lazy("refund", "charged by mistake or twice")
        CARD_SHOWN = "CARD_SHOWN", pgettext_lazy("refund", "the health card was shown later")
        OTHER = "OTHER", pgettext_lazy("refund", "another reason")

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="refunds", db_index=False)
    amount = models.PositiveBigIntegerField()
    reason = models.CharField(max_length=12, choices=Reason)
    note_sealed = models.BinaryField(null=True, help_text="why, in words, under the patient's key")
    by_hand = models.BooleanField(default=False, help_text="given back at the desk, not through the provider")
    key = models.CharField(max_length=80, db_collation="C")
    asked_at = models.DateTimeField()
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        db_table = "payments_refund"
        constraints = [
            models.UniqueConstraint(fields=["organization", "key"], name="payments_refund_once_per_key"),
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="payments_refund_positive"),
            models.CheckConstraint(
                condition=models.Q(reason__in=["NOT_GIVEN", "WRONG", "CARD_SHOWN", "OTHER"]),
                name="payments_refund_reason_known",
            ),
        ]
        indexes = [models.Index(fields=["organization", "payment"], name="payments_refunds_of")]


class RefundStep(TenantModel):
    """What became of a refund: handed to the provider, done, or failed. Handed over and nothing else: nobody knows yet."""

    append_only = True

    class Step(models.TextChoices):
        SENT = "SENT", pgettext_lazy("refund", "with the provider")
        DONE = "DONE", pgettext_lazy("refund", "given back")
        FAILED = "FAILED", pgettext_lazy("refund", "failed")

    id = models.BigAutoField(primary_key=True)
    refund = models.ForeignKey(Refund, models.PROTECT, related_name="steps", db_index=False)
    step = models.CharField(max_length=6, choices=Step)
    said = models.CharField(max_length=200, blank=True, default="", db_default="")
    reference = models.CharField(max_length=40, blank=True, default="", db_default="")
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        db_table = "payments_refund_step"
        constraints = [
            models.UniqueConstraint(fields=["refund", "step", "organization"], name="payments_refund_step_once"),
            models.UniqueConstraint(
                fields=["refund", "organization"], name="payments_refund_ends_once",
                condition=models.Q(step__in=["DONE", "FAILED"]),
            ),
            models.CheckConstraint(
                condition=models.Q(step__in=["SENT", "DONE", "FAILED"]), name="payments_refund_step_known"
            ),
        ]  # fmt: skip
