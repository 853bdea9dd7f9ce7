"""Coupons: what a code gives, and every code with what became of it."""

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.utils.translation import pgettext_lazy

from careloop.kernel.ids import uuid7
from careloop.loyalty.models.offered import Offered, rules_of
from careloop.loyalty.models.partners import Partner, Settlement
from careloop.loyalty.models.programme import Account
from careloop.tenancy.models import Location, NewId, TenantModel

if TYPE_CHECKING:
    from careloop.policy.answers import Audience
    from careloop.policy.offers import Offer


class Coupon(Offered):
    """What one code gives its bearer, once.

    SINGLE: one code for one patient. SERIES: a number of codes on paper, for whoever brings one; the guard judges it as public.
    PERSONAL: granted to patients for a reason. PARTNER: a partner's offer, taken by members themselves.
    `pays` is what the clinic pays the partner for each use, in minor units. `at_most` limits all codes, `per_member` one member's.
    """

    class Kind(models.TextChoices):
        SINGLE = "SINGLE", pgettext_lazy("coupon", "one code for one patient")
        SERIES = "SERIES", pgettext_lazy("coupon", "a series of codes")
        PERSONAL = "PERSONAL", pgettext_lazy("coupon", "given for a reason")
        PARTNER = "PARTNER", pgettext_lazy("coupon", "a partner’s offer")

    class For(models.TextChoices):
        """Why it is given: what the guard calls the way it is earned."""

        MANUAL = "MANUAL", pgettext_lazy("coupon", "by hand")
        BIRTHDAY = "BIRTHDAY", pgettext_lazy("coupon", "a birthday")
        FESTIVAL = "FESTIVAL", pgettext_lazy("coupon", "a festival")
        REFERRAL = "REFERRAL", pgettext_lazy("coupon", "a referral")
        DRAW = "DRAW", pgettext_lazy("coupon", "a draw")
        TIER = "TIER", pgettext_lazy("coupon", "a tier")
        QUESTIONNAIRE = "QUESTIONNAIRE", pgettext_lazy("coupon", "a questionnaire")
        LECTURE = "LECTURE", pgettext_lazy("coupon", "a lecture")
        EDUCATION = "EDUCATION", pgettext_lazy("coupon", "education read")
        VISIT = "VISIT", pgettext_lazy("coupon", "a visit")
        SELF_PAY = "SELF_PAY", pgettext_lazy("coupon", "a self-pay purchase")
        REVIEW = "REVIEW", pgettext_lazy("coupon", "a review")

    kind = models.CharField(max_length=8, choices=Kind)
    given_for = models.CharField(max_length=13, choices=For, default=For.MANUAL, db_default="MANUAL")
    partner = models.ForeignKey(Partner, models.PROTECT, null=True, blank=True, related_name="offers", db_index=False)
    pays = models.PositiveIntegerField(default=0, db_default=0)
    at_most = models.PositiveIntegerField(null=True, blank=True)
    per_member = models.PositiveSmallIntegerField(null=True, blank=True)
    good_days = models.PositiveSmallIntegerField(default=30, db_default=30)
    undo_hours = models.PositiveSmallIntegerField(default=24, db_default=24)

    class Meta:
        db_table = "loyalty_coupon"
        constraints = [
            *rules_of("loyalty_coupon"),
            models.CheckConstraint(condition=models.Q(kind__in=["SINGLE", "SERIES", "PERSONAL", "PARTNER"]), name="loyalty_coupon_kind"),
            models.CheckConstraint(
                condition=models.Q(kind="PARTNER", partner__isnull=False) | (~models.Q(kind="PARTNER") & models.Q(partner__isnull=True, pays=0)),
                name="loyalty_partners_have_offers",
            ),
            models.CheckConstraint(condition=models.Q(good_days__range=(1, 730)), name="loyalty_coupon_days"),
        ]  # fmt: skip
        indexes = [models.Index(fields=["organization", "programme", "state"], name="loyalty_coupons_of")]

    @property
    def audience(self) -> "Audience":
        """Whom the guard judges it for: paper codes can be passed on, so everybody may read them."""
        return "public" if self.kind == self.Kind.SERIES else "one"

    def offer(self) -> "Offer":
        """Return what the guard judges."""
        from careloop.policy.offers import Offer

        kind = "PARTNER_OFFER" if self.kind == self.Kind.PARTNER else "COUPON"
        return Offer(
            kind=kind, earns_by=self.given_for, gives=self.gives, text=self.all_words(), value_minor=self.value
        )


class CouponCode(TenantModel):
    """One code: whose it is (nobody's on paper), until when it is good, and where it was used.

    USED can be taken back for a while (it is OPEN again), but not once it stands in a settlement: the database refuses that.
    """

    class State(models.TextChoices):
        OPEN = "OPEN", pgettext_lazy("coupon code", "can be used")
        USED = "USED", pgettext_lazy("coupon code", "used")
        WITHDRAWN = "WITHDRAWN", pgettext_lazy("coupon code", "withdrawn")

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    coupon = models.ForeignKey(Coupon, models.PROTECT, related_name="codes", db_index=False)
    account = models.ForeignKey(Account, models.PROTECT, null=True, related_name="coupons", db_index=False)
    serial = models.BigIntegerField()
    number = models.PositiveIntegerField(default=0, db_default=0, help_text="place in its series")
    key = models.CharField(max_length=80, db_collation="C")
    because = models.CharField(max_length=20, default="", db_default="")
    because_ref = models.CharField(max_length=60, default="", db_default="")
    note = models.CharField(max_length=120, default="", db_default="")
    state = models.CharField(max_length=9, choices=State, default=State.OPEN, db_default="OPEN")
    good_until = models.DateField()
    granted_at = models.DateTimeField()
    granted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", db_index=False
    )
    used_at = models.DateTimeField(null=True)
    used_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", db_index=False)
    used_by_account = models.ForeignKey(Account, models.PROTECT, null=True, related_name="+", db_index=False)
    location = models.ForeignKey(Location, models.PROTECT, null=True, related_name="+", db_index=False)
    at_partner = models.ForeignKey(Partner, models.PROTECT, null=True, related_name="+", db_index=False)
    noted_at = models.DateTimeField(null=True, help_text="when a desk without network took the code")
    used_key = models.CharField(max_length=80, default="", db_default="", db_collation="C")
    ended_at = models.DateTimeField(null=True, help_text="when it was withdrawn, or its use last taken back")
    reason = models.CharField(max_length=200, default="", db_default="")
    settlement = models.ForeignKey(Settlement, models.PROTECT, null=True, related_name="codes", db_index=False)

    class Meta:
        db_table = "loyalty_coupon_code"
        constraints = [
            models.UniqueConstraint(fields=["organization", "serial"], name="loyalty_code_serial_once"),
            models.UniqueConstraint(fields=["organization", "key"], name="loyalty_coupon_once_per_key"),
            models.CheckConstraint(
                condition=models.Q(state="USED", used_at__isnull=False) | models.Q(state__in=["OPEN", "WITHDRAWN"], used_at__isnull=True),
                name="loyalty_code_says_when_used",
            ),
            models.CheckConstraint(condition=models.Q(settlement__isnull=True) | models.Q(state="USED"), name="loyalty_settled_codes_are_used"),
        ]  # fmt: skip
        indexes = [
            models.Index(fields=["organization", "account", "-granted_at"], name="loyalty_coupons_of_member", condition=models.Q(account__isnull=False)),
            models.Index(fields=["organization", "coupon", "-granted_at", "-id"], name="loyalty_codes_of_coupon"),
            models.Index(fields=["organization", "at_partner", "used_at"], name="loyalty_uses_at_partner", condition=models.Q(at_partner__isnull=False)),
        ]  # fmt: skip
