"""The event log, and how far each reader has come in it."""

from django.db import models
from django.db.models.functions import Now

from careloop.tenancy.models import TenantModel


class Event(TenantModel):
    """One thing that happened. Added, never changed; partitioned by month of `recorded_at`.

    `occurred_at` is when it happened, `recorded_at` when we learnt of it. `xid` is the transaction that wrote it: readers
    go by (xid, id), because ids are given out before commits.
    """

    append_only = True

    id = models.BigAutoField(primary_key=True)
    patient_id = models.UUIDField(null=True)
    kind = models.CharField(max_length=60)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())
    actor_kind = models.CharField(max_length=20, db_default="system")
    actor_id = models.UUIDField(null=True)
    source = models.CharField(max_length=60, db_default="")
    batch_id = models.UUIDField(null=True)
    historical = models.BooleanField(db_default=False)
    payload = models.JSONField(default=dict)
    xid = models.BigIntegerField()

    class Meta:
        db_table = "events_event"
        managed = False  # the migration makes the partitioned table


class EventKey(TenantModel):
    """A key under which an event was published once: publishing it again changes nothing."""

    append_only = True

    id = models.BigAutoField(primary_key=True)
    key = models.CharField(max_length=160)

    class Meta:
        db_table = "events_key"
        constraints = [models.UniqueConstraint(fields=["organization", "key"], name="event_key_once")]


class EventRetraction(TenantModel):
    """An import batch that was undone: its events stay in the log and are shown nowhere."""

    append_only = True

    id = models.BigAutoField(primary_key=True)
    batch_id = models.UUIDField()
    retracted_at = models.DateTimeField()

    class Meta:
        db_table = "events_retraction"
        constraints = [models.UniqueConstraint(fields=["organization", "batch_id"], name="event_batch_retracted_once")]


class ReaderPosition(TenantModel):
    """How far a reader has come in one organization's events, and why it stands still if it does."""

    id = models.BigAutoField(primary_key=True)
    reader = models.CharField(max_length=60)
    xid = models.BigIntegerField(default=0)
    event_id = models.BigIntegerField(default=0)
    moved_at = models.DateTimeField(null=True)
    failures = models.IntegerField(default=0)
    error = models.TextField(blank=True, help_text="type and place of the last failure; never patient data")
    retry_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "events_position"
        constraints = [models.UniqueConstraint(fields=["organization", "reader"], name="reader_position_once")]
