"""Tiers: what they ask for, what they give, who had which one when, and what of it was used."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.kernel.ids import uuid7
from careloop.loyalty.models.programme import Account, Programme
from careloop.policy.offers import Offer
from careloop.records.models import Practitioner
from careloop.tenancy.models import NewId, TenantModel


class Metric(models.TextChoices):
    """What can count for a tier; `tier_figures` says where each comes from."""

    VISITS = "VISITS", pgettext_lazy("tier", "visits")
    SELF_PAY = "SELF_PAY", pgettext_lazy("tier", "self-pay amount on bills")
    PAID = "PAID", pgettext_lazy("tier", "self-pay amount paid here")
    POINTS = "POINTS", pgettext_lazy("tier", "points earned")
    REFERRALS = "REFERRALS", pgettext_lazy("tier", "friends who came")
    KEPT = "KEPT", pgettext_lazy("tier", "kept appointments")
    ANSWERS = "ANSWERS", pgettext_lazy("tier", "days with an answer to us")


MONEY = (Metric.SELF_PAY, Metric.PAID)


class Tier(TenantModel):
    """A level of a programme. `rank` orders them, 1 is the lowest; the highest whose criteria are met counts.

    What happened counts within a window: the last `months`, or the calendar year. Whoever meets it has the tier at once and keeps it
    until the review: `months` later, or on the first of January; who does not meet it then has `grace_days` more.
    ALL without criteria: everybody has it. HAND: nobody qualifies, staff give it.
    """

    class Join(models.TextChoices):
        ALL = "ALL", pgettext_lazy("tier", "all of them")
        ANY = "ANY", pgettext_lazy("tier", "any of them")
        HAND = "HAND", pgettext_lazy("tier", "given by hand only")

    class Window(models.TextChoices):
        MONTHS = "MONTHS", pgettext_lazy("tier", "the last months")
        YEAR = "YEAR", pgettext_lazy("tier", "the calendar year")

    class Colour(models.TextChoices):
        GREY = "grey", pgettext_lazy("tier", "grey")
        BRONZE = "bronze", pgettext_lazy("tier", "bronze")
        SILVER = "silver", pgettext_lazy("tier", "silver")
        GOLD = "gold", pgettext_lazy("tier", "gold")
        PLATINUM = "platinum", pgettext_lazy("tier", "platinum")

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    programme = models.ForeignKey(Programme, models.PROTECT, related_name="tiers", db_index=False)
    rank = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=30)
    colour = models.CharField(max_length=8, choices=Colour, default=Colour.GREY, db_default="grey")
    join = models.CharField(max_length=4, choices=Join, default=Join.ALL, db_default="ALL")
    window = models.CharField(max_length=6, choices=Window, default=Window.MONTHS, db_default="MONTHS")
    months = models.PositiveSmallIntegerField(default=12, db_default=12)
    grace_days = models.PositiveSmallIntegerField(default=30, db_default=30)
    is_active = models.BooleanField(default=True, db_default=True)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=1, db_default=1)

    class Meta:
        db_table = "loyalty_tier"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "programme", "rank"], name="loyalty_tier_rank_once", condition=models.Q(is_active=True)
            ),
            models.CheckConstraint(
                condition=models.Q(rank__gte=1, rank__lte=99, months__gte=1, months__lte=60, grace_days__lte=366),
                name="loyalty_tier_numbers",
            ),
            models.CheckConstraint(
                condition=models.Q(join__in=["ALL", "ANY", "HAND"], window__in=["MONTHS", "YEAR"]), name="loyalty_tier_words"
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.name


class TierCriterion(TenantModel):
    """So much of one thing within the tier's window. Money is in minor units of the organization's currency."""

    id = models.BigAutoField(primary_key=True)
    tier = models.ForeignKey(Tier, models.CASCADE, related_name="criteria", db_index=False)
    metric = models.CharField(max_length=10, choices=Metric)
    at_least = models.PositiveBigIntegerField()

    class Meta:
        db_table = "loyalty_tier_criterion"
        constraints = [
            models.UniqueConstraint(fields=["organization", "tier", "metric"], name="loyalty_criterion_once"),
            models.CheckConstraint(
                condition=models.Q(at_least__gte=1, at_least__lte=1_000_000_000), name="loyalty_criterion_at_least"
            ),
            models.CheckConstraint(condition=models.Q(metric__in=Metric.values), name="loyalty_criterion_metric"),
        ]


class TierChange(TenantModel):
    """What became of a member's tier, and why. Never changed, but for `note`: its words are emptied when a patient is erased.

    `figures` are those that counted, by metric, since the day `since` (exclusive). KEPT and GRACE leave the tier as it was.
    """

    class Why(models.TextChoices):
        QUALIFIED = "QUALIFIED", pgettext_lazy("tier change", "met what the tier asks for")
        KEPT = "KEPT", pgettext_lazy("tier change", "kept at the review")
        GRACE = "GRACE", pgettext_lazy("tier change", "not met at the review, more time given")
        LOWERED = "LOWERED", pgettext_lazy("tier change", "not met at the review")
        RULES = "RULES", pgettext_lazy("tier change", "the tiers changed")
        HAND = "HAND", pgettext_lazy("tier change", "given by hand")
        HAND_ENDED = "HAND_ENDED", pgettext_lazy("tier change", "what was given by hand ended")

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(
        Account, models.PROTECT, related_name="tier_changes", db_index=False, db_constraint=False
    )
    from_tier = models.ForeignKey(
        Tier, models.PROTECT, null=True, related_name="+", db_index=False, db_constraint=False
    )
    to_tier = models.ForeignKey(Tier, models.PROTECT, null=True, related_name="+", db_index=False, db_constraint=False)
    why = models.CharField(max_length=10, choices=Why)
    figures = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()))
    since = models.DateField(null=True)
    review_on = models.DateField(null=True)
    until = models.DateField(null=True, help_text="end of the grace, or of what was given by hand")
    note = models.CharField(max_length=200, blank=True, default="", db_default="")
    at = models.DateTimeField()
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", db_index=False, db_constraint=False
    )

    class Meta:
        db_table = "loyalty_tier_change"
        indexes = [
            models.Index(fields=["organization", "account", "-at", "-id"], name="loyalty_tier_changes_of"),
            models.Index(fields=["organization", "at"], name="loyalty_tier_changes_by_time"),
        ]


class Benefit(TenantModel):
    """One thing that members of a tier (and, with `and_above`, of every higher one) have.

    BOOKING_WINDOW opens booking `days` earlier. DEDICATED_LINE: `contact`. HEALTH_ADVISER: `practitioner` or a name in `contact`.
    CONTENT: `url`. SERVICE_ITEM: `count` times a `period`, counted at the desk. PRICE: `percent` or `amount` (minor units) off what
    the patient pays; the guard decides where that may be. In force only while switched on and stopped by no rule today.
    """

    class Kind(models.TextChoices):
        BOOKING_WINDOW = "BOOKING_WINDOW", pgettext_lazy("benefit", "booking opens earlier")
        DEDICATED_LINE = "DEDICATED_LINE", pgettext_lazy("benefit", "a line of its own")
        HEALTH_ADVISER = "HEALTH_ADVISER", pgettext_lazy("benefit", "a health adviser")
        CONTENT = "CONTENT", pgettext_lazy("benefit", "something to read")
        SERVICE_ITEM = "SERVICE_ITEM", pgettext_lazy("benefit", "a small service")
        PRICE = "PRICE", pgettext_lazy("benefit", "a lower price")

    class Period(models.TextChoices):
        MONTH = "MONTH", pgettext_lazy("benefit", "a month")
        QUARTER = "QUARTER", pgettext_lazy("benefit", "a quarter")
        YEAR = "YEAR", pgettext_lazy("benefit", "a year")

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    tier = models.ForeignKey(Tier, models.PROTECT, related_name="benefits", db_index=False)
    kind = models.CharField(max_length=14, choices=Kind)
    name = models.CharField(max_length=60)
    text = models.CharField(max_length=300, blank=True, default="", db_default="")
    and_above = models.BooleanField(default=True, db_default=True)
    days = models.PositiveSmallIntegerField(null=True, blank=True)
    count = models.PositiveSmallIntegerField(null=True, blank=True)
    period = models.CharField(max_length=7, choices=Period, blank=True, default="", db_default="")
    percent = models.PositiveSmallIntegerField(null=True, blank=True)
    amount = models.PositiveBigIntegerField(null=True, blank=True)
    contact = models.CharField(max_length=80, blank=True, default="", db_default="")
    url = models.CharField(max_length=300, blank=True, default="", db_default="")
    practitioner = models.ForeignKey(
        Practitioner, models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    is_care = models.BooleanField(default=False, db_default=False, help_text=_("It is care, a test or a treatment."))
    is_on = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=1, db_default=1)

    class Meta:
        db_table = "loyalty_benefit"
        constraints = [
            models.CheckConstraint(
                condition=(models.Q(kind="BOOKING_WINDOW", days__gte=1, days__lte=60) | (~models.Q(kind="BOOKING_WINDOW") & models.Q(days__isnull=True))),
                name="loyalty_benefit_days",
            ),
            models.CheckConstraint(
                condition=(models.Q(kind="SERVICE_ITEM", count__gte=1, count__lte=99) & ~models.Q(period=""))
                | (~models.Q(kind="SERVICE_ITEM") & models.Q(count__isnull=True, period="")),
                name="loyalty_benefit_count",
            ),
            models.CheckConstraint(
                condition=models.Q(kind="PRICE", percent__gte=1, percent__lte=100, amount__isnull=True)
                | models.Q(kind="PRICE", amount__gte=1, percent__isnull=True)
                | (~models.Q(kind="PRICE") & models.Q(percent__isnull=True, amount__isnull=True)),
                name="loyalty_benefit_price",
            ),
            models.CheckConstraint(condition=models.Q(kind__in=[
                "BOOKING_WINDOW", "DEDICATED_LINE", "HEALTH_ADVISER", "CONTENT", "SERVICE_ITEM", "PRICE",
            ]), name="loyalty_benefit_kind_known"),
        ]  # fmt: skip
        indexes = [models.Index(fields=["organization", "tier"], name="loyalty_benefits_of")]

    def offer(self) -> Offer:
        """Return what the guard judges: what somebody gets for a tier, and the words members read."""
        gives = {
            "BOOKING_WINDOW": "PRIORITY", "DEDICATED_LINE": "PRIORITY", "HEALTH_ADVISER": "SERVICE", "CONTENT": "CONTENT",
            "SERVICE_ITEM": "CARE" if self.is_care else "SERVICE", "PRICE": "CARE_DISCOUNT",
        }[self.kind]  # fmt: skip
        words = "\n".join(one for one in (self.name, self.text) if one)
        return Offer(kind="TIER_BENEFIT", earns_by="TIER", gives=gives, text=words)


class BenefitUse(TenantModel):
    """A benefit was shown to a member (OFFERED, once a month at most), or a member used it (USED).

    `ref` says by what: the appointment that lay beyond everybody's booking window. What the desk counted by mistake is taken back
    (`undone_at`), never deleted.
    """

    class What(models.TextChoices):
        OFFERED = "OFFERED", pgettext_lazy("benefit", "offered")
        USED = "USED", pgettext_lazy("benefit", "used")

    id = models.BigAutoField(primary_key=True)
    benefit = models.ForeignKey(Benefit, models.PROTECT, related_name="uses", db_index=False)
    account = models.ForeignKey(Account, models.PROTECT, related_name="benefit_uses", db_index=False)
    what = models.CharField(max_length=7, choices=What)
    key = models.CharField(max_length=120, db_collation="C")
    ref = models.CharField(max_length=60, blank=True, default="", db_default="")
    on_date = models.DateField()
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", db_index=False)
    undone_at = models.DateTimeField(null=True)
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", db_index=False
    )

    class Meta:
        db_table = "loyalty_benefit_use"
        constraints = [
            models.UniqueConstraint(fields=["organization", "key"], name="loyalty_benefit_use_once"),
            models.CheckConstraint(condition=models.Q(what__in=["OFFERED", "USED"]), name="loyalty_benefit_use_what"),
        ]
        indexes = [
            models.Index(fields=["organization", "account", "-at"], name="loyalty_uses_of_account"),
            models.Index(fields=["organization", "benefit", "on_date"], name="loyalty_uses_of_benefit"),
        ]
