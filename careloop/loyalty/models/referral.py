"""Who told whom about the clinic: codes that members give away, and friends who came with one."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.kernel.ids import uuid7
from careloop.patients.models import Patient
from careloop.policy.offers import Offer
from careloop.tenancy.models import NewId, TenantModel


class ReferralProgramme(TenantModel):
    """How the clinic thanks members whose friends come; one an organization.

    Words of thanks are always among it. Points or a coupon come on top, where the law lets them (rule S3): whether it does is
    asked again each time somebody is to be thanked.
    """

    class Gives(models.TextChoices):
        THANKS = "THANKS", pgettext_lazy("for a referral", "words of thanks")
        POINTS = "POINTS", pgettext_lazy("for a referral", "points")
        COUPON = "COUPON", pgettext_lazy("for a referral", "a coupon")

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    is_on = models.BooleanField(default=False, db_default=False)
    gives = models.CharField(max_length=6, choices=Gives, default=Gives.THANKS, db_default="THANKS")
    points = models.PositiveIntegerField(default=0, db_default=0)
    # no foreign key: the catalogue of coupons is another part's, and a coupon that is gone is simply not given
    coupon_id = models.UUIDField(null=True, blank=True)
    thanks_key = models.CharField(
        max_length=60, default="referral-thanks", db_default="referral-thanks", db_collation="C",
        help_text=_("The text that thanks the member; it names nobody."),
    )  # fmt: skip
    monthly_limit = models.PositiveSmallIntegerField(
        default=5, db_default=5, help_text=_("More friends of one member in 30 days are looked at by staff.")
    )
    claim_days = models.PositiveSmallIntegerField(
        default=30, db_default=30, help_text=_("So long after registering a friend can still say who sent them.")
    )
    visit_days = models.PositiveSmallIntegerField(
        default=365, db_default=365, help_text=_("The first visit counts when it comes within so many days.")
    )
    changed_at = models.DateTimeField()
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    version = models.PositiveIntegerField(default=1, db_default=1)

    class Meta:
        db_table = "loyalty_referral_programme"
        constraints = [
            models.UniqueConstraint(fields=["organization"], name="loyalty_one_referral_programme"),
            models.CheckConstraint(
                condition=(models.Q(gives="POINTS", points__gt=0) | (~models.Q(gives="POINTS") & models.Q(points=0)))
                & (models.Q(gives="COUPON", coupon_id__isnull=False) | ~models.Q(gives="COUPON")),
                name="loyalty_referral_gives_something",
            ),
            models.CheckConstraint(
                condition=models.Q(monthly_limit__gte=1, claim_days__gte=1, visit_days__gte=1),
                name="loyalty_referral_limits",
            ),
        ]  # fmt: skip

    def offer(self) -> Offer:
        """Return what this is for the legal rules; a coupon is judged as a thing of value, whatever it gives."""
        gives = {"THANKS": "THANKS", "POINTS": "POINTS", "COUPON": "GOODS"}[self.gives]
        return Offer(kind="REFERRAL", earns_by="REFERRAL", gives=gives)


class ReferralCode(TenantModel):
    """A member's own code: six letters and digits that cannot be mistaken for each other, and one that shows a slip."""

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="+", db_index=False)
    code = models.CharField(max_length=7, db_collation="C")
    made_at = models.DateTimeField()

    class Meta:
        db_table = "loyalty_referral_code"
        constraints = [
            models.UniqueConstraint(fields=["organization", "code"], name="loyalty_referral_code_once"),
            models.UniqueConstraint(fields=["organization", "patient"], name="loyalty_one_referral_code"),
        ]


class Referral(TenantModel):
    """A friend who came with a member's code. A friend has one, the first: the database sees to it.

    WAITING: registered, not here yet. HELD: something looks odd (`reasons`); a person decides, nothing is lost meanwhile:
    `visited_at` is kept. COMPLETED: was here, the member is thanked. REFUSED: a person said no. EXPIRED: never came.
    """

    class State(models.TextChoices):
        WAITING = "WAITING", pgettext_lazy("referral", "first visit to come")
        HELD = "HELD", pgettext_lazy("referral", "to be decided")
        COMPLETED = "COMPLETED", pgettext_lazy("referral", "came")
        REFUSED = "REFUSED", pgettext_lazy("referral", "not counted")
        EXPIRED = "EXPIRED", pgettext_lazy("referral", "did not come")

    class How(models.TextChoices):
        LINK = "LINK", pgettext_lazy("referral by", "link or QR code")
        TYPED = "TYPED", pgettext_lazy("referral by", "code typed in")
        DESK = "DESK", pgettext_lazy("referral by", "told at the desk")

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    referrer = models.ForeignKey(Patient, models.PROTECT, related_name="+", db_index=False)
    friend = models.ForeignKey(Patient, models.PROTECT, related_name="+", db_index=False)
    how = models.CharField(max_length=5, choices=How)
    state = models.CharField(max_length=9, choices=State, default=State.WAITING, db_default="WAITING")
    reasons = ArrayField(models.CharField(max_length=20), default=list, db_default=models.Value("{}"))
    shows_name = models.BooleanField(
        default=False, db_default=False, help_text=_("The friend lets the member see their name.")
    )
    made_at = models.DateTimeField()
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    visited_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    decision_note = models.CharField(max_length=300, blank=True, default="", db_default="")
    times_undone = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="how often a visit that completed it turned out never to have been"
    )
    given = models.CharField(
        max_length=8, blank=True, default="", db_default="",
        help_text="THANKS, POINTS, COUPON; empty while nothing was",
    )  # fmt: skip
    withheld = models.CharField(
        max_length=20, blank=True, default="", db_default="", help_text="why less was given than set"
    )
    version = models.PositiveIntegerField(default=1, db_default=1)

    class Meta:
        db_table = "loyalty_referral"
        constraints = [
            # the first code wins, and nobody is a friend twice
            models.UniqueConstraint(fields=["organization", "friend"], name="loyalty_one_referral_of_a_friend"),
            models.CheckConstraint(
                condition=~models.Q(referrer=models.F("friend")), name="loyalty_nobody_refers_themself"
            ),
            models.CheckConstraint(
                condition=models.Q(state="COMPLETED", completed_at__isnull=False, visited_at__isnull=False)
                | (~models.Q(state="COMPLETED") & models.Q(completed_at__isnull=True)),
                name="loyalty_referral_completed_by_a_visit",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="REFUSED") | models.Q(decided_at__isnull=False),
                name="loyalty_referral_refused_by_somebody",
            ),
        ]  # fmt: skip
        indexes = [
            models.Index(fields=["organization", "referrer", "-made_at"], name="loyalty_referral_by_referrer"),
            models.Index(fields=["organization", "-made_at", "-id"], name="loyalty_referral_by_time"),
            models.Index(fields=["organization", "made_at"], name="loyalty_referral_waiting", condition=models.Q(state="WAITING")),
        ]  # fmt: skip
