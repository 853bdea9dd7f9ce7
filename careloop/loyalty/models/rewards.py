"""What points can be spent on, and what became of each spending."""

from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.kernel.ids import uuid7
from careloop.loyalty.models.offered import Offered, rules_of
from careloop.loyalty.models.programme import Account
from careloop.tenancy.models import Location, NewId, TenantModel

if TYPE_CHECKING:
    from careloop.policy.offers import Offer


class Reward(Offered):
    """Something members get for points.

    `stock` is how many are left (empty: without end) and can never go below zero. `locations` and `tiers` name where and
    for whom it is; empty means everywhere and for everybody. A member gets it `per_member` times in `per_days` days (0 days: ever).
    """

    points = models.PositiveIntegerField()
    stock = models.IntegerField(null=True, blank=True)
    locations = ArrayField(
        models.UUIDField(), default=list, blank=True, db_default=models.Value([], ArrayField(models.UUIDField()))
    )
    tiers = ArrayField(
        models.UUIDField(), default=list, blank=True, db_default=models.Value([], ArrayField(models.UUIDField()))
    )
    per_member = models.PositiveSmallIntegerField(null=True, blank=True)
    per_days = models.PositiveSmallIntegerField(default=0, db_default=0)
    hold_days = models.PositiveSmallIntegerField(
        default=14, db_default=14, help_text=_("For so many days the code can be used; the day it is made counts.")
    )
    returns_points = models.BooleanField(
        default=True, db_default=True, help_text=_("The points come back when the code is not used in time.")
    )
    undo_hours = models.PositiveSmallIntegerField(
        default=24, db_default=24, help_text=_("For so many hours the desk can take back that it was handed over.")
    )

    class Meta:
        db_table = "loyalty_reward"
        constraints = [
            *rules_of("loyalty_reward"),
            models.CheckConstraint(condition=models.Q(points__gt=0), name="loyalty_reward_costs_points"),
            models.CheckConstraint(condition=models.Q(stock__isnull=True) | models.Q(stock__gte=0), name="loyalty_stock_not_below_zero"),
            models.CheckConstraint(condition=models.Q(hold_days__range=(1, 365)), name="loyalty_hold_days"),
            models.CheckConstraint(condition=models.Q(per_member__isnull=True) | models.Q(per_member__gt=0), name="loyalty_reward_limit"),
        ]  # fmt: skip
        indexes = [models.Index(fields=["organization", "programme", "state"], name="loyalty_rewards_of")]

    def offer(self) -> "Offer":
        """Return what the guard judges."""
        from careloop.policy.offers import Offer

        return Offer(kind="REWARD", earns_by="POINTS", gives=self.gives, text=self.all_words(), value_minor=self.value)


class Redemption(TenantModel):
    """One reward taken for points: reserved with a one-time code, then handed over, taken back, or run out.

    Points and stock go when it is reserved and come back when it is cancelled, and (as the reward says) when it runs out.
    `points` is what was spent. `serial` is the number inside the code. The database holds the way from state to state.
    """

    class State(models.TextChoices):
        RESERVED = "RESERVED", pgettext_lazy("redemption", "waits to be handed over")
        CONFIRMED = "CONFIRMED", pgettext_lazy("redemption", "handed over")
        CANCELLED = "CANCELLED", pgettext_lazy("redemption", "taken back")
        EXPIRED = "EXPIRED", pgettext_lazy("redemption", "run out")

    class Source(models.TextChoices):
        DESK = "DESK", pgettext_lazy("redemption", "at the desk")
        PORTAL = "PORTAL", pgettext_lazy("redemption", "on the phone")

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    account = models.ForeignKey(Account, models.PROTECT, related_name="redemptions", db_index=False)
    reward = models.ForeignKey(Reward, models.PROTECT, related_name="redemptions", db_index=False)
    key = models.CharField(max_length=80, db_collation="C")
    state = models.CharField(max_length=9, choices=State, default=State.RESERVED, db_default="RESERVED")
    source = models.CharField(max_length=6, choices=Source, default=Source.DESK)
    points = models.PositiveIntegerField()
    takes_stock = models.BooleanField()
    serial = models.BigIntegerField()
    good_until = models.DateField(help_text=_("The last day of the code, included."))
    location = models.ForeignKey(Location, models.PROTECT, null=True, related_name="+", db_index=False)
    reserved_at = models.DateTimeField()
    reserved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", db_index=False
    )
    confirmed_at = models.DateTimeField(null=True)
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", db_index=False
    )
    noted_at = models.DateTimeField(null=True, help_text="when a desk without network took the code")
    used_key = models.CharField(max_length=80, default="", db_default="", db_collation="C")
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", db_index=False)
    reason = models.CharField(max_length=200, default="", db_default="")

    class Meta:
        db_table = "loyalty_redemption"
        constraints = [
            models.UniqueConstraint(fields=["organization", "key"], name="loyalty_redeemed_once_per_key"),
            models.UniqueConstraint(fields=["organization", "serial"], name="loyalty_redemption_serial_once"),
            models.CheckConstraint(
                condition=models.Q(state="RESERVED", confirmed_at__isnull=True, ended_at__isnull=True)
                | models.Q(state="CONFIRMED", confirmed_at__isnull=False, ended_at__isnull=True)
                | models.Q(state="CANCELLED", ended_at__isnull=False)
                | models.Q(state="EXPIRED", confirmed_at__isnull=True, ended_at__isnull=False),
                name="loyalty_redemption_says_when",
            ),
            models.CheckConstraint(condition=models.Q(points__gt=0), name="loyalty_redemption_costs_points"),
        ]  # fmt: skip
        indexes = [
            models.Index(fields=["organization", "account", "-reserved_at"], name="loyalty_redemptions_of"),
            models.Index(fields=["organization", "-reserved_at", "-id"], name="loyalty_redemptions_latest"),
            models.Index(fields=["organization", "good_until"], name="loyalty_redemptions_open", condition=models.Q(state="RESERVED")),
        ]  # fmt: skip
