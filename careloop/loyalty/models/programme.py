"""A membership programme, and the accounts whose points it keeps."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.kernel.ids import uuid7
from careloop.patients.models import Patient
from careloop.tenancy.models import Location, NewId, TenantModel


class Programme(TenantModel):
    """A clinic's membership programme: of the whole organization, or of one branch. At most one of each is open.

    Points are whole numbers. `point_value` is what one point is worth in the report of liability, in hundredths of the currency's
    smallest unit (100 = one NT dollar a point); nobody can be paid it.
    """

    class State(models.TextChoices):
        DRAFT = "DRAFT", pgettext_lazy("programme", "being prepared")
        OPEN = "OPEN", pgettext_lazy("programme", "open")
        CLOSED = "CLOSED", pgettext_lazy("programme", "closed")

    class WhenSpent(models.TextChoices):
        """What happens when an earning is reversed whose points are spent already."""

        NEGATIVE = "NEGATIVE", _("the balance goes below zero")
        BLOCK = "BLOCK", _("only what is still there is taken back")

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    name = models.CharField(max_length=60)
    point_name = models.CharField(max_length=12, default="點", db_default="點")
    location = models.ForeignKey(Location, models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    state = models.CharField(max_length=6, choices=State, default=State.DRAFT, db_default="DRAFT")
    valid_months = models.PositiveSmallIntegerField(
        default=24, db_default=24, help_text=_("Points end with the month that lies so many months later; 0: never.")
    )
    when_spent = models.CharField(max_length=8, choices=WhenSpent, default=WhenSpent.NEGATIVE, db_default="NEGATIVE")
    allows_pools = models.BooleanField(default=False, db_default=False, help_text=_("Families may share points."))
    allows_transfers = models.BooleanField(default=False, db_default=False)
    point_value = models.PositiveIntegerField(default=100, db_default=100)
    cap_day = models.PositiveIntegerField(null=True, blank=True, help_text=_("Points an account earns at most."))
    cap_month = models.PositiveIntegerField(null=True, blank=True)
    cap_year = models.PositiveIntegerField(null=True, blank=True)
    terms = models.TextField(blank=True, default="", db_default="")
    opened_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=1, db_default=1)

    class Meta:
        db_table = "loyalty_programme"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "location"], name="loyalty_one_open_programme", nulls_distinct=False,
                condition=models.Q(state="OPEN"),
            ),
            models.CheckConstraint(condition=models.Q(valid_months__lte=120), name="loyalty_valid_months"),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.name


class Terms(TenantModel):
    """What members agreed to, word for word: a row for each wording a programme ever had."""

    append_only = True

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    programme = models.ForeignKey(Programme, models.PROTECT, related_name="+", db_index=False)
    text = models.TextField()
    text_hash = models.BinaryField()
    written_at = models.DateTimeField()
    written_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        db_table = "loyalty_terms"
        constraints = [
            models.UniqueConstraint(fields=["organization", "programme", "text_hash"], name="loyalty_terms_once")
        ]


class Account(TenantModel):
    """Points of somebody, or the other side of what somebody gets and gives.

    PATIENT: one patient's, one per programme. POOL: a family's, shared. The others are the programme's own, one of each:
    ISSUED (where earned points come from), REDEEMED, EXPIRED and ADJUSTED (where they go).

    `balance` is a cache of the entries of a PATIENT or POOL, written in the same statement as each entry; the programme's own
    accounts keep none (everybody would wait for their row): theirs is summed when it is asked for.

    `tier` is the one in force: the higher of what was earned (`earned_tier`, kept until `review_on`, or `grace_until` once the review
    has found too little) and what staff gave (`hand_tier`, through `hand_until`). Written by `careloop.loyalty.tier.standing` only.
    """

    class Kind(models.TextChoices):
        PATIENT = "PATIENT", pgettext_lazy("loyalty account", "patient")
        POOL = "POOL", pgettext_lazy("loyalty account", "family")
        ISSUED = "ISSUED", pgettext_lazy("loyalty account", "issued")
        REDEEMED = "REDEEMED", pgettext_lazy("loyalty account", "redeemed")
        EXPIRED = "EXPIRED", pgettext_lazy("loyalty account", "expired")
        ADJUSTED = "ADJUSTED", pgettext_lazy("loyalty account", "adjusted")

    class State(models.TextChoices):
        ACTIVE = "ACTIVE", pgettext_lazy("loyalty account", "active")
        LEFT = "LEFT", pgettext_lazy("loyalty account", "left")

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    programme = models.ForeignKey(Programme, models.PROTECT, related_name="accounts", db_index=False)
    kind = models.CharField(max_length=8, choices=Kind)
    patient = models.ForeignKey(Patient, models.PROTECT, null=True, related_name="+", db_index=False)
    pool = models.ForeignKey("self", models.PROTECT, null=True, related_name="members", db_index=False)
    state = models.CharField(max_length=6, choices=State, default=State.ACTIVE, db_default="ACTIVE")
    member_number = models.CharField(max_length=12, default="", db_default="", db_collation="C")
    balance = models.BigIntegerField(default=0, db_default=0)
    joined_at = models.DateTimeField()
    joined_how = models.CharField(max_length=10, default="", db_default="", help_text="a code of membership.HOW")
    terms = models.ForeignKey(Terms, models.PROTECT, null=True, related_name="+", db_index=False)
    joined_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    left_at = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=1, db_default=1)
    # no constraints to the tiers: a million are worked out in one statement, and a tier is never deleted
    tier = models.ForeignKey(
        "loyalty.Tier", models.PROTECT, null=True, related_name="+", db_index=False, db_constraint=False
    )
    tier_since = models.DateField(null=True)
    earned_tier = models.ForeignKey(
        "loyalty.Tier", models.PROTECT, null=True, related_name="+", db_index=False, db_constraint=False
    )
    review_on = models.DateField(null=True)
    grace_until = models.DateField(null=True)
    hand_tier = models.ForeignKey(
        "loyalty.Tier", models.PROTECT, null=True, related_name="+", db_index=False, db_constraint=False
    )
    hand_until = models.DateField(null=True)

    class Meta:
        db_table = "loyalty_account"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "patient", "programme"], name="loyalty_one_account_of_a_patient",
                condition=models.Q(kind="PATIENT"),
            ),
            models.UniqueConstraint(
                fields=["organization", "programme", "kind"], name="loyalty_one_account_of_a_kind",
                condition=~models.Q(kind__in=["PATIENT", "POOL"]),
            ),
            models.UniqueConstraint(
                fields=["organization", "member_number"], name="loyalty_member_number_once",
                condition=~models.Q(member_number=""),
            ),
            models.CheckConstraint(
                condition=models.Q(kind="PATIENT", patient__isnull=False) | (~models.Q(kind="PATIENT") & models.Q(patient__isnull=True)),
                name="loyalty_patient_has_a_patient_account",
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=["PATIENT", "POOL"]) | models.Q(balance=0), name="loyalty_own_accounts_keep_no_balance"
            ),
        ]  # fmt: skip
        indexes = [
            models.Index(fields=["organization", "-joined_at", "-id"], name="loyalty_members_by_join", condition=models.Q(kind="PATIENT")),
            models.Index(fields=["patient"], name="loyalty_account_by_patient", condition=models.Q(patient__isnull=False)),
            models.Index(fields=["organization", "pool"], name="loyalty_account_pool", condition=models.Q(pool__isnull=False)),
            models.Index(fields=["organization", "review_on"], name="loyalty_account_review", condition=models.Q(review_on__isnull=False)),
            models.Index(fields=["organization", "hand_until"], name="loyalty_account_hand", condition=models.Q(hand_until__isnull=False)),
        ]  # fmt: skip
