"""Secret links to practitioners' calendars, and calendars somebody is about to import leave from."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import pgettext_lazy

from careloop.kernel.ids import uuid7
from careloop.records.models import Practitioner
from careloop.scheduling.models import Absence
from careloop.tenancy.models import TenantModel


class CalendarLink(TenantModel):
    """A door to one practitioner's calendar, for a calendar program. Only the token's hash is kept; revoked means closed.

    `with_names` adds masked names of patients. `locations` are those the maker's work was limited to (empty: none): names of
    patients whose home is elsewhere do not go out through a link made by somebody who may not see them. `digest` and
    `changed_at` say what the calendar held when it was last asked for, and since when.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    practitioner = models.ForeignKey(Practitioner, models.CASCADE, related_name="+", db_index=False)
    token_hash = models.BinaryField()
    with_names = models.BooleanField(default=False)
    locations = ArrayField(models.UUIDField(), default=list, blank=True)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    revoked_at = models.DateTimeField(null=True)
    fetched_at = models.DateTimeField(null=True)
    digest = models.BinaryField(null=True)
    changed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "icalendar_link"
        constraints = [models.UniqueConstraint(fields=["organization", "token_hash"], name="calendar_link_token_once")]
        indexes = [
            models.Index(fields=["token_hash"], name="calendar_link_by_token"),
            models.Index(fields=["organization", "practitioner"], name="calendar_link_by_owner"),
        ]


class LeaveUpload(TenantModel):
    """What a calendar file said, between its upload and somebody's yes; emptied when applied or thrown away, or after a day.

    A private calendar may tell anything, so what was read is sealed under a key of its own (`key_wrapped`).
    """

    class State(models.TextChoices):
        READ = "READ", pgettext_lazy("leave import", "not imported yet")
        APPLIED = "APPLIED", pgettext_lazy("leave import", "imported")
        OLD = "OLD", pgettext_lazy("leave import", "thrown away")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    practitioner = models.ForeignKey(Practitioner, models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=10, choices=Absence.Kind, default=Absence.Kind.LEAVE)
    file_name = models.CharField(max_length=120, blank=True, default="")
    state = models.CharField(max_length=10, choices=State, default=State.READ)
    key_wrapped = models.BinaryField(null=True)
    content_sealed = models.BinaryField(null=True)
    counts = models.JSONField(default=dict)
    absences = ArrayField(models.UUIDField(), default=list, help_text="those the calendar told of")
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    class Meta:
        db_table = "icalendar_leave_upload"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=["READ", "APPLIED", "OLD"]), name="leave_upload_state_known"
            ),
        ]
        indexes = [models.Index(fields=["organization", "-created_at"], name="leave_upload_by_time")]
