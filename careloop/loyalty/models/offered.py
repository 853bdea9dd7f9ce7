"""What every offer to members has: its words in three languages, what it gives, from when to when, and whether it is switched on."""

from datetime import date
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.kernel.ids import uuid7
from careloop.loyalty.models.programme import Programme
from careloop.tenancy.models import NewId, TenantModel


class Gives(models.TextChoices):
    """What somebody gets, as the legal guard knows it."""

    SERVICE = "SERVICE", pgettext_lazy("reward", "a small service that is not medical")
    GOODS = "GOODS", pgettext_lazy("reward", "goods")
    CONTENT = "CONTENT", pgettext_lazy("reward", "a lecture or reading matter")
    PRIORITY = "PRIORITY", pgettext_lazy("reward", "earlier booking")
    TICKET = "TICKET", pgettext_lazy("reward", "a ticket of a draw")
    CARE = "CARE", pgettext_lazy("reward", "care, a test or a treatment")
    CARE_DISCOUNT = "CARE_DISCOUNT", pgettext_lazy("reward", "a lower price of care")
    COPAY = "COPAY", pgettext_lazy("reward", "a waived NHI co-pay")


class OfferState(models.TextChoices):
    DRAFT = "DRAFT", pgettext_lazy("offer", "being prepared")
    ON = "ON", pgettext_lazy("offer", "switched on")
    OFF = "OFF", pgettext_lazy("offer", "ended")


class Offered(TenantModel):
    """An offer. It counts only while it is ON, within its dates, and stopped by no rule of the guard today.

    `name` and `text` are in the organization's language; `names` and `texts` hold the others (language → text).
    `value` is what it is worth in minor units of the organization's currency; the guard asks, nobody is paid it.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    programme = models.ForeignKey(Programme, models.PROTECT, related_name="+", db_index=False)
    name = models.CharField(max_length=60)
    names = models.JSONField(default=dict, blank=True, db_default=models.Value({}, models.JSONField()))
    text = models.CharField(max_length=500, blank=True, default="", db_default="")
    texts = models.JSONField(default=dict, blank=True, db_default=models.Value({}, models.JSONField()))
    gives = models.CharField(max_length=13, choices=Gives)
    value = models.PositiveIntegerField(default=0, db_default=0)
    state = models.CharField(max_length=5, choices=OfferState, default=OfferState.DRAFT, db_default="DRAFT")
    valid_from = models.DateField(null=True, blank=True)
    valid_until = models.DateField(null=True, blank=True, help_text=_("The last day, included."))
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=1, db_default=1)

    class Meta:
        abstract = True

    def name_in(self, language: str) -> str:
        """Return its name for a reader of this language."""
        return str(self.names.get(language) or self.name)

    def text_in(self, language: str) -> str:
        """Return what it says for a reader of this language."""
        return str(self.texts.get(language) or self.text)

    def all_words(self) -> str:
        """Return everything a reader of any language may be shown: what the guard reads."""
        found = [self.name, self.text, *self.names.values(), *self.texts.values()]
        return "\n".join(dict.fromkeys(str(one) for one in found if one))

    def is_on(self, day: date) -> bool:
        """Whether it is switched on and within its dates on this local day; the guard is asked apart from this."""
        begun = self.valid_from is None or self.valid_from <= day
        return self.state == OfferState.ON and begun and (self.valid_until is None or day <= self.valid_until)


def rules_of(prefix: str) -> list[Any]:
    """Return the constraints that every table of offers has."""
    return [
        models.CheckConstraint(condition=models.Q(state__in=OfferState.values), name=f"{prefix}_state_known"),
        models.CheckConstraint(condition=models.Q(gives__in=Gives.values), name=f"{prefix}_gives_known"),
        models.CheckConstraint(
            condition=models.Q(valid_from__isnull=True) | models.Q(valid_until__isnull=True)
            | models.Q(valid_until__gte=models.F("valid_from")),
            name=f"{prefix}_dates_in_order",
        ),
    ]  # fmt: skip
