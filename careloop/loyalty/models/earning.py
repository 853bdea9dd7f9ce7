"""What earns points, and what each patient earned by it."""

from django.conf import settings
from django.db import models
from django.utils.translation import pgettext_lazy

from careloop.kernel.ids import uuid7
from careloop.loyalty.models.programme import Account, Programme
from careloop.policy.offers import Offer
from careloop.tenancy.models import NewId, TenantModel


class EarnRule(TenantModel):
    """One way to earn points in a programme, as data; `careloop.loyalty.earn.rules` reads it.

    SELF_PAY gives `points` for every `per_amount` (minor units) of what the patient paid out of pocket, every other kind `points` each
    time. Caps are points of one account; empty: none. `multipliers` is a list of objects `{"percent": 150, …}` with any of
    `tier` (its id), `from`, `until` (dates), `weekdays` (0 Monday), `birthday_month`. Among rules of a kind and priority all give;
    a rule that `stops_others` keeps rules of the same kind that come after it from giving for the same thing.
    """

    class Kind(models.TextChoices):
        VISIT = "VISIT", pgettext_lazy("earn rule", "visit")
        KEPT_APPOINTMENT = "KEPT_APPOINTMENT", pgettext_lazy("earn rule", "kept appointment")
        SELF_PAY = "SELF_PAY", pgettext_lazy("earn rule", "self-pay amount")
        QUESTIONNAIRE = "QUESTIONNAIRE", pgettext_lazy("earn rule", "questionnaire answered")
        LECTURE = "LECTURE", pgettext_lazy("earn rule", "lecture attended")
        EDUCATION = "EDUCATION", pgettext_lazy("earn rule", "education read")
        REFERRAL = "REFERRAL", pgettext_lazy("earn rule", "referral’s first completed visit")
        SIGN_UP = "SIGN_UP", pgettext_lazy("earn rule", "joining")
        MANUAL = "MANUAL", pgettext_lazy("earn rule", "by hand")

    class Rounding(models.TextChoices):
        DOWN = "DOWN", pgettext_lazy("earn rule", "only whole ones count")
        NEAREST = "NEAREST", pgettext_lazy("earn rule", "to the nearest whole one")
        UP = "UP", pgettext_lazy("earn rule", "begun ones count")

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    programme = models.ForeignKey(Programme, models.PROTECT, related_name="earn_rules", db_index=False)
    name = models.CharField(max_length=60)
    kind = models.CharField(max_length=16, choices=Kind)
    points = models.PositiveIntegerField()
    per_amount = models.PositiveBigIntegerField(default=0, db_default=0)
    rounding = models.CharField(max_length=7, choices=Rounding, default=Rounding.DOWN, db_default="DOWN")
    settle_days = models.PositiveSmallIntegerField(default=0, db_default=0)
    cap_day = models.PositiveIntegerField(null=True, blank=True)
    cap_month = models.PositiveIntegerField(null=True, blank=True)
    cap_year = models.PositiveIntegerField(null=True, blank=True)
    multipliers = models.JSONField(default=list, blank=True, db_default=models.Value([], models.JSONField()))
    priority = models.PositiveSmallIntegerField(default=100, db_default=100)
    stops_others = models.BooleanField(default=False, db_default=False)
    valid_from = models.DateField(null=True, blank=True)
    valid_to = models.DateField(null=True, blank=True)
    is_on = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=1, db_default=1)

    class Meta:
        db_table = "loyalty_earn_rule"
        constraints = [
            models.CheckConstraint(condition=models.Q(points__gt=0, points__lte=100_000), name="loyalty_rule_points"),
            models.CheckConstraint(
                condition=models.Q(kind="SELF_PAY", per_amount__gt=0) | (~models.Q(kind="SELF_PAY") & models.Q(per_amount=0)),
                name="loyalty_rule_per_amount",
            ),
            models.CheckConstraint(condition=models.Q(settle_days__lte=365), name="loyalty_rule_settle_days"),
            models.CheckConstraint(
                condition=models.Q(valid_from__isnull=True) | models.Q(valid_to__isnull=True) | models.Q(valid_from__lte=models.F("valid_to")),
                name="loyalty_rule_period",
            ),
        ]  # fmt: skip
        indexes = [models.Index(fields=["organization", "programme", "priority"], name="loyalty_rules_of")]

    def offer(self) -> Offer:
        """Return what the guard judges: who earns by what, and the words members read."""
        return Offer(kind="EARN_RULE", earns_by=str(self.kind), gives="POINTS", text=self.name)

    def __str__(self) -> str:
        return self.name


class Earning(TenantModel):
    """What one rule gave one account for one thing that happened: waiting, final, or void; and why.

    `key` names rule and thing: the same thing never earns twice by a rule. `points` is after multiplier and caps; `taken_back` of them
    went again by a refund or a correction. Final ones are in the ledger under the same key; what is in the ledger is the truth.
    `seen_amount` is what the bill or payment said, `amount` what of it counts here (a bill seen twice counts once), in minor units.
    """

    class State(models.TextChoices):
        PENDING = "PENDING", pgettext_lazy("earning", "waiting")
        FINAL = "FINAL", pgettext_lazy("earning", "credited")
        VOID = "VOID", pgettext_lazy("earning", "not given")

    class Because(models.TextChoices):
        """Why it is void, or why less than everything counts."""

        CAPPED = "CAPPED", pgettext_lazy("earning", "the limit was reached")
        TOO_LITTLE = "TOO_LITTLE", pgettext_lazy("earning", "the amount is too small for a point")
        COUNTED = "COUNTED", pgettext_lazy("earning", "the same bill has counted already")
        NHI = "NHI", pgettext_lazy("earning", "the NHI shared this visit")
        PAYER_UNKNOWN = (
            "PAYER_UNKNOWN",
            pgettext_lazy("earning", "nothing says that the patient paid for this visit alone"),
        )
        REFUNDED = "REFUNDED", pgettext_lazy("earning", "the money went back")
        ERROR = "ERROR", pgettext_lazy("earning", "it was entered in error")
        CALLED_OFF = "CALLED_OFF", pgettext_lazy("earning", "the visit was called off")
        UNDONE = "UNDONE", pgettext_lazy("earning", "the friend was not here after all")
        NOT_CLOSED = "NOT_CLOSED", pgettext_lazy("earning", "the visit was never closed")
        LEFT = "LEFT", pgettext_lazy("earning", "the membership ended before")

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, models.PROTECT, related_name="earnings", db_index=False)
    rule = models.ForeignKey(EarnRule, models.PROTECT, related_name="earnings", db_index=False)
    key = models.CharField(max_length=120, db_collation="C")
    source = models.CharField(max_length=16, db_collation="C")
    source_ref = models.CharField(max_length=60, default="", db_default="", db_collation="C")
    event_id = models.BigIntegerField(null=True)
    occurred_at = models.DateTimeField()
    occurred_on = models.DateField()
    location = models.ForeignKey("tenancy.Location", models.SET_NULL, null=True, related_name="+", db_index=False)
    state = models.CharField(max_length=7, choices=State, default=State.PENDING, db_default="PENDING")
    because = models.CharField(max_length=14, choices=Because, default="", db_default="", blank=True)
    due_at = models.DateTimeField()
    seen_amount = models.BigIntegerField(default=0, db_default=0)
    amount = models.BigIntegerField(default=0, db_default=0)
    refunded = models.BigIntegerField(default=0, db_default=0)
    currency = models.CharField(max_length=3, default="", db_default="")
    base_points = models.IntegerField(default=0, db_default=0)
    percent = models.PositiveIntegerField(default=100, db_default=100)
    points = models.IntegerField(default=0, db_default=0)
    taken_back = models.IntegerField(default=0, db_default=0)
    capped_by = models.CharField(max_length=16, default="", db_default="")
    note = models.CharField(max_length=120, default="", db_default="")
    recorded_at = models.DateTimeField()
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    settled_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "loyalty_earning"
        constraints = [
            models.UniqueConstraint(fields=["organization", "key"], name="loyalty_earning_once"),
            models.CheckConstraint(
                condition=models.Q(state__in=["PENDING", "FINAL", "VOID"]), name="loyalty_earning_state_known"
            ),
            models.CheckConstraint(
                condition=models.Q(points__gte=0, taken_back__gte=0, taken_back__lte=models.F("points")),
                name="loyalty_earning_points",
            ),
            models.CheckConstraint(
                condition=models.Q(points__gt=0) | models.Q(state="VOID"), name="loyalty_earning_gives_something"
            ),
            models.CheckConstraint(
                condition=~models.Q(state="VOID") | ~models.Q(because=""), name="loyalty_earning_void_says_why"
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "due_at"], name="loyalty_earnings_due", condition=models.Q(state="PENDING")),
            models.Index(fields=["organization", "account", "-occurred_on"], name="loyalty_earnings_of"),
            models.Index(fields=["organization", "source", "source_ref"], name="loyalty_earnings_by_source"),
        ]  # fmt: skip

    @property
    def net(self) -> int:
        """Points that are left of it."""
        return self.points - self.taken_back
