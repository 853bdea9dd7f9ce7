"""Organizations, their locations, and the base of every model that belongs to one."""

from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from careloop.kernel.ids import uuid7


class CurrentOrganization(models.Func):
    """The organization of the running transaction, as a column default."""

    template = "(nullif(current_setting('careloop.organization', true), '')::uuid)"
    output_field = models.UUIDField()
    arity = 0

    def __init__(self) -> None:
        super().__init__()


class NewId(models.Func):
    """A new UUIDv7, as a column default for rows made by INSERT … SELECT."""

    template = "careloop_new_id()"
    output_field = models.UUIDField()
    arity = 0

    def __init__(self) -> None:
        super().__init__()


class Organization(models.Model):
    """A clinic, hospital or group: the wall around its patients. Its own row is under row-level security too."""

    class LegalProfile(models.TextChoices):
        TW = "TW", _("Taiwan")
        CN = "CN", _("Mainland China")
        INTL = "INTL", _("International")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.CharField(max_length=40, unique=True, validators=[RegexValidator(r"^[a-z0-9][a-z0-9-]*$")])
    name = models.CharField(max_length=120)
    licence_number = models.CharField(max_length=20, blank=True)
    phone = models.CharField(max_length=30, blank=True)
    address = models.CharField(max_length=200, blank=True)
    website = models.URLField(blank=True)
    language = models.CharField(max_length=10, default="zh-hant")
    time_zone = models.CharField(max_length=50, default="Asia/Taipei")
    currency = models.CharField(max_length=3, default="TWD")
    legal_profile = models.CharField(max_length=4, choices=LegalProfile, default=LegalProfile.TW)
    accent_color = models.CharField(max_length=7, default="#0f766e", validators=[RegexValidator(r"^#[0-9a-fA-F]{6}$")])
    quiet_from_hour = models.PositiveSmallIntegerField(default=21)
    quiet_to_hour = models.PositiveSmallIntegerField(default=8)
    marketing_cap = models.PositiveSmallIntegerField(
        default=2, help_text=_("Marketing messages per patient in 30 days.")
    )
    data_in_taiwan = models.BooleanField(
        default=True, help_text=_("Whether the server and its backups stand in Taiwan.")
    )
    data_approval = models.CharField(
        max_length=60, blank=True, help_text=_("Number of the authority's approval, if the data are kept abroad.")
    )
    embed_origins = models.CharField(
        max_length=1000, blank=True, default="", help_text=_("Websites that may show the booking page in a frame.")
    )
    is_demo = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "tenancy_organization"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(quiet_from_hour__lte=23, quiet_to_hour__lte=23),
                name="organization_quiet_hours_valid",
            ),
        ]


class TenantModel(models.Model):
    """A row that belongs to one organization, filled in by the database from the running transaction.

    A subclass whose rows are never changed sets `append_only = True`: the application's role then gets no UPDATE
    and no DELETE on its table. One whose rows are written by a database function only sets `read_only = True`.
    """

    append_only = False
    read_only = False

    organization = models.ForeignKey(
        Organization, models.PROTECT, db_default=CurrentOrganization(), editable=False, related_name="+", db_index=False
    )

    class Meta:
        abstract = True


class Location(TenantModel):
    """A place where patients are seen: a branch, a department, a room [FHIR Location]."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=120)
    phone = models.CharField(max_length=30, blank=True)
    address = models.CharField(max_length=200, blank=True)
    source = models.CharField(max_length=60, blank=True)
    external_id = models.CharField(max_length=120, blank=True)
    is_active = models.BooleanField(default=True)

    class Meta:
        db_table = "tenancy_location"
        constraints = [
            models.UniqueConstraint(fields=["organization", "name"], name="location_name_once"),
            models.UniqueConstraint(
                fields=["organization", "source", "external_id"], name="location_once_per_source",
                condition=~models.Q(external_id=""),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.name


class DailyRun(TenantModel):
    """When a piece of daily work last ran here."""

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=60)
    ran_on = models.DateField(null=True)

    class Meta:
        db_table = "tenancy_daily_run"
        constraints = [models.UniqueConstraint(fields=["organization", "name"], name="daily_run_once")]


class JobDone(TenantModel):
    """A background job whose work is committed; written in the same transaction, so a crash cannot let it run twice."""

    id = models.BigAutoField(primary_key=True)
    job_id = models.BigIntegerField()
    done_at = models.DateTimeField()

    class Meta:
        db_table = "tenancy_job_done"
        constraints = [models.UniqueConstraint(fields=["organization", "job_id"], name="job_done_once")]
