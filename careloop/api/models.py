"""Who may use the programming interface, and which keys of theirs made a record."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from careloop.kernel.ids import uuid7
from careloop.tenancy.models import TenantModel


class ApiToken(TenantModel):
    """A key for one program of the clinic: what it may do, and who made it. Only a hash of it is kept."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=80)
    token_hash = models.BinaryField()
    scopes = ArrayField(models.CharField(max_length=20))
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_on = models.DateField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "api_token"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "name"], name="api_token_name_once", condition=models.Q(revoked_at__isnull=True)
            ),
            models.UniqueConstraint(fields=["organization", "token_hash"], name="api_token_once"),
        ]
        indexes = [models.Index(fields=["token_hash"], name="api_token_by_hash")]


class UsedKey(TenantModel):
    """An `Idempotency-Key` that made a patient, who has the key as id, with a fingerprint of what was sent.

    The fingerprint is keyed with the patient's data key: once that is destroyed, it says nothing about anybody.
    """

    append_only = True

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    key = models.UUIDField()
    fingerprint = models.BinaryField()
    used_at = models.DateTimeField()

    class Meta:
        db_table = "api_used_key"
        constraints = [models.UniqueConstraint(fields=["organization", "key"], name="api_key_used_once")]
