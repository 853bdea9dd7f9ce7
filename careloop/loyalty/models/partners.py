"""Shops and services that give members something, and what was settled with them."""

from django.conf import settings
from django.db import models

from careloop.kernel.ids import uuid7
from careloop.tenancy.models import NewId, TenantModel


class Partner(TenantModel):
    """Somebody outside who gives members something on showing a code.

    They open one page by a secret link and a PIN, without an account here. The link's token is made from the id and `link_number`
    and kept only as a hash: a new number ends the old link.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    name = models.CharField(max_length=60)
    contact = models.CharField(max_length=120, blank=True, default="", db_default="")
    is_active = models.BooleanField(default=True, db_default=True)
    link_number = models.PositiveIntegerField(default=1, db_default=1)
    token_hash = models.BinaryField(max_length=32)
    pin_hash = models.CharField(max_length=200, default="", db_default="")
    created_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=1, db_default=1)

    class Meta:
        db_table = "loyalty_partner"
        constraints = [
            models.UniqueConstraint(fields=["organization", "name"], name="loyalty_partner_name_once"),
            models.UniqueConstraint(fields=["token_hash", "organization"], name="loyalty_partner_link_once"),
        ]


class Settlement(TenantModel):
    """What one partner's codes came to in a period that is over. Its uses are locked: none of them can be taken back any more.

    `amount` is in minor units: the number of uses times what each offer pays for one (`lines`).
    """

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    partner = models.ForeignKey(Partner, models.PROTECT, related_name="settlements", db_index=False)
    first_day = models.DateField()
    last_day = models.DateField()
    uses = models.PositiveIntegerField()
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    lines = models.JSONField()
    note = models.CharField(max_length=200, default="", db_default="")
    settled_at = models.DateTimeField()
    settled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", db_index=False
    )

    append_only = True

    class Meta:
        db_table = "loyalty_settlement"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(last_day__gte=models.F("first_day")), name="loyalty_settlement_days"
            )
        ]
        indexes = [models.Index(fields=["organization", "partner", "-settled_at"], name="loyalty_settlements_of")]
