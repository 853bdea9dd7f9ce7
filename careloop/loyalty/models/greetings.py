"""Greetings at birthdays and festivals: what the clinic plans, who was greeted, and what each patient wishes."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.kernel.ids import uuid7
from careloop.loyalty.thanks.lunar import Occasion
from careloop.patients.models import Patient
from careloop.policy.offers import Offer
from careloop.tenancy.models import NewId, TenantModel


class GreetingPlan(TenantModel):
    """Whom the clinic greets on which occasion, with which words, and whether something comes with it.

    A birthday may be greeted as a surprise: on a day within `window_days` before or after it, another one for each patient and
    year. A benefit makes it marketing, so its text must be of that class, and the legal rules judge it anew each day.
    """

    class Gives(models.TextChoices):
        NOTHING = "", pgettext_lazy("with a greeting", "nothing but the greeting")
        POINTS = "POINTS", pgettext_lazy("with a greeting", "points")
        COUPON = "COUPON", pgettext_lazy("with a greeting", "a coupon")

    class Who(models.TextChoices):
        MEMBERS = "MEMBERS", pgettext_lazy("greeted", "members")
        PATIENTS = "PATIENTS", pgettext_lazy("greeted", "all patients")

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    name = models.CharField(max_length=60)
    occasion = models.CharField(max_length=20, choices=Occasion.choices, db_collation="C")
    template_key = models.CharField(max_length=60, db_collation="C")
    who = models.CharField(max_length=8, choices=Who, default=Who.MEMBERS, db_default="MEMBERS")
    seen_within_months = models.PositiveSmallIntegerField(
        default=36, db_default=36, help_text=_("Only who was here in so many months; 0: everybody.")
    )
    days_before = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text=_("Days before the occasion on which the greeting goes.")
    )
    window_days = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text=_("Surprise: up to so many days before or after the birthday.")
    )
    hour = models.PositiveSmallIntegerField(default=9, db_default=9)
    gives = models.CharField(max_length=6, choices=Gives, blank=True, default=Gives.NOTHING, db_default="")
    points = models.PositiveIntegerField(default=0, db_default=0)
    coupon_id = models.UUIDField(null=True, blank=True)
    is_on = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    version = models.PositiveIntegerField(default=1, db_default=1)

    class Meta:
        db_table = "loyalty_greeting_plan"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "occasion"], name="loyalty_one_plan_an_occasion", condition=models.Q(is_on=True)
            ),
            models.CheckConstraint(condition=models.Q(hour__lte=23), name="loyalty_greeting_hour"),
            models.CheckConstraint(
                condition=models.Q(window_days__lte=30, days_before__lte=30), name="loyalty_greeting_window"
            ),
            models.CheckConstraint(
                condition=(models.Q(gives="POINTS", points__gt=0) | (~models.Q(gives="POINTS") & models.Q(points=0)))
                & (models.Q(gives="COUPON", coupon_id__isnull=False) | ~models.Q(gives="COUPON")),
                name="loyalty_greeting_gives_something",
            ),
        ]  # fmt: skip

    @property
    def is_birthday(self) -> bool:
        return self.occasion == Occasion.BIRTHDAY

    def offer(self) -> Offer:
        """Return what this is for the legal rules. A greeting alone gives nothing; a coupon is judged as a thing of value."""
        gives = {"": "", "POINTS": "POINTS", "COUPON": "GOODS"}[self.gives]
        return Offer(kind="GREETING", earns_by="BIRTHDAY" if self.is_birthday else "FESTIVAL", gives=gives)


class Greeting(TenantModel):
    """One patient greeted on one occasion of one year: there is never a second.

    `year` is the occasion's: a birthday on 2 January greeted in December belongs to the new year.
    """

    id = models.BigAutoField(primary_key=True)
    plan = models.ForeignKey(GreetingPlan, models.PROTECT, related_name="greetings", db_index=False)
    patient = models.ForeignKey(Patient, models.CASCADE, related_name="+", db_index=False)
    occasion = models.CharField(max_length=20, db_collation="C")
    year = models.PositiveSmallIntegerField()
    on_date = models.DateField(help_text="the day the greeting goes")
    planned_at = models.DateTimeField()
    given = models.CharField(max_length=8, blank=True, default="", db_default="", help_text="POINTS, COUPON or nothing")

    class Meta:
        db_table = "loyalty_greeting"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "patient", "occasion", "year"], name="loyalty_greeted_once_a_year"
            ),
        ]
        indexes = [models.Index(fields=["organization", "plan", "-on_date"], name="loyalty_greeting_by_plan")]


class ThanksWish(TenantModel):
    """What a patient wishes of greetings; no row: greeted by the solar calendar, like everybody.

    `lunar_month` and `lunar_day` are the birth date in the lunar calendar, kept while LUNAR is chosen, and worked out anew when
    the birth date (`lunar_of`) is corrected.
    """

    class Calendar(models.TextChoices):
        SOLAR = "SOLAR", pgettext_lazy("birthday by", "solar calendar")
        LUNAR = "LUNAR", pgettext_lazy("birthday by", "lunar calendar")

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    patient = models.ForeignKey(Patient, models.CASCADE, related_name="+", db_index=False)
    wants_greetings = models.BooleanField(default=True, db_default=True)
    calendar = models.CharField(max_length=5, choices=Calendar, default=Calendar.SOLAR, db_default="SOLAR")
    lunar_of = models.DateField(null=True)
    lunar_month = models.PositiveSmallIntegerField(null=True)
    lunar_day = models.PositiveSmallIntegerField(null=True)
    changed_at = models.DateTimeField()

    class Meta:
        db_table = "loyalty_thanks_wish"
        constraints = [
            models.UniqueConstraint(fields=["organization", "patient"], name="loyalty_one_thanks_wish"),
            models.CheckConstraint(
                condition=models.Q(lunar_month__isnull=True, lunar_day__isnull=True)
                | models.Q(lunar_month__range=(1, 12), lunar_day__range=(1, 30)),
                name="loyalty_lunar_birthday",
            ),
        ]  # fmt: skip
        indexes = [
            models.Index(
                fields=["organization", "lunar_month", "lunar_day"], name="loyalty_lunar_birthdays",
                condition=models.Q(calendar="LUNAR"),
            )
        ]  # fmt: skip
