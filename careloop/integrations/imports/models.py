"""Imports: where records came from, what each batch did, what it refused, and what it takes to undo it."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.kernel.ids import uuid7
from careloop.tenancy.models import NewId, TenantModel


class ImportSource(TenantModel):
    """A system records come from. Its `code` is the namespace of external ids; its mappings are kept per header line."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    code = models.SlugField(
        max_length=60, help_text=_("Short name: his-a, lab, synthea. The same system keeps the same name.")
    )
    name = models.CharField(max_length=120, blank=True)
    #: fingerprint of the headers → mapping document
    mappings = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        db_table = "imports_source"
        constraints = [models.UniqueConstraint(fields=["organization", "code"], name="import_source_once")]


class ImportBatch(TenantModel):
    """One file, folder or archive brought in, chunk by chunk; a crash resumes behind the last chunk that was committed.

    `key_wrapped` is the batch's own data key: refused rows are sealed with it, because they are patients' data as
    they stood in the file. Throwing the key away erases them.
    """

    class Kind(models.TextChoices):
        CSV = "csv", _("table (CSV, Excel)")
        FHIR = "fhir", "FHIR R4"

    class State(models.TextChoices):
        UPLOADED = "UPLOADED", _("uploaded, not started")
        QUEUED = "QUEUED", _("waiting")
        RUNNING = "RUNNING", _("running")
        DONE = "DONE", _("done")
        STOPPED = "STOPPED", _("stopped")
        FAILED = "FAILED", _("failed")
        UNDONE = "UNDONE", _("undone")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    source = models.ForeignKey(ImportSource, models.PROTECT, related_name="batches")
    kind = models.CharField(max_length=8, choices=Kind)
    file_name = models.CharField(max_length=255)
    file_size = models.BigIntegerField(default=0)
    file_hash = models.CharField(max_length=64, blank=True)
    stored_as = models.CharField(
        max_length=80, blank=True, help_text="name in the upload folder, empty for a path on the server"
    )
    mapping = models.JSONField(default=dict)
    dry_run = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=State, default=State.UPLOADED)
    stop_requested = models.BooleanField(default=False)
    chunks_done = models.PositiveIntegerField(default=0)
    position = models.BigIntegerField(default=0)
    rows_read = models.BigIntegerField(default=0)
    #: {"created": {"Patient": 3}, "updated": {…}, "unchanged": {…}}
    counts = models.JSONField(default=dict)
    refused = models.PositiveIntegerField(default=0)
    warnings = models.PositiveIntegerField(default=0)
    #: what inspection noticed about the files: [{"code": …, "values": …, "line": …}]
    notices = models.JSONField(default=list)
    error = models.TextField(blank=True)
    key_wrapped = models.BinaryField(null=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    #: when it was begun again from its first chunk: the source was cut otherwise than before the interruption
    begun_again_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    undone_at = models.DateTimeField(null=True)
    undone_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    class Meta:
        db_table = "imports_batch"
        indexes = [
            models.Index(fields=["organization", "-created_at"], name="import_batch_by_time"),
            models.Index(fields=["organization", "file_hash"], name="import_batch_by_file"),
        ]

    @property
    def running(self) -> bool:
        return self.state in (self.State.QUEUED, self.State.RUNNING)


class ImportFinding(TenantModel):
    """A row that was refused, or one to look at: where it stood, which field, why. `raw_sealed` is the row as it stood."""

    class Kind(models.TextChoices):
        REFUSED = "REFUSED", pgettext_lazy("row", "refused")
        WARNED = "WARNED", _("to look at")

    id = models.BigAutoField(primary_key=True)
    batch = models.ForeignKey(ImportBatch, models.CASCADE, related_name="findings", db_index=False)
    kind = models.CharField(max_length=8, choices=Kind)
    part = models.CharField(max_length=255, blank=True)
    line = models.BigIntegerField()
    field = models.CharField(max_length=60, blank=True)
    code = models.CharField(max_length=60)
    values = models.JSONField(default=dict)
    raw_sealed = models.BinaryField(null=True)

    class Meta:
        db_table = "imports_finding"
        indexes = [models.Index(fields=["organization", "batch", "kind", "id"], name="import_finding_by_batch")]


class ImportChange(TenantModel):
    """What an import changed in a row that was there before it: the changed columns before and after, for undo."""

    id = models.BigAutoField(primary_key=True)
    batch_id = models.UUIDField()
    table = models.CharField(max_length=60)
    record_id = models.UUIDField()
    before = models.JSONField()
    after = models.JSONField()

    class Meta:
        db_table = "imports_change"
        indexes = [
            models.Index(fields=["organization", "batch_id", "id"], name="import_change_by_batch"),
            models.Index(fields=["organization", "record_id"], name="import_change_by_record"),
        ]


class ImportName(TenantModel):
    """Another name of a record: the id it has in a source other than the one it was first imported from."""

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=20, db_collation="C")
    source = models.CharField(max_length=60)
    external_id = models.CharField(max_length=200, db_collation="C")
    record_id = models.UUIDField()
    batch_id = models.UUIDField()

    class Meta:
        db_table = "imports_name"
        constraints = [
            models.UniqueConstraint(fields=["organization", "kind", "source", "external_id"], name="import_name_once"),
        ]
        indexes = [
            models.Index(fields=["organization", "record_id"], name="import_name_by_record"),
            models.Index(fields=["organization", "batch_id"], name="import_name_by_batch"),
        ]


class ImportClaim(TenantModel):
    """A record that a row without an id of its own was matched to, in one batch: two such rows never meet in one record."""

    id = models.BigAutoField(primary_key=True)
    batch_id = models.UUIDField()
    record_id = models.UUIDField()

    class Meta:
        db_table = "imports_claim"
        constraints = [
            models.UniqueConstraint(fields=["organization", "batch_id", "record_id"], name="import_claim_once")
        ]


class DirectoryEntry(TenantModel):
    """A resource that is about no patient: the hospitals, places, devices and drugs other records refer to [FHIR Organization, …]."""

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    resource_type = models.CharField(max_length=40)
    name = models.CharField(max_length=300, blank=True, db_default="")
    type_display = models.CharField(max_length=160, blank=True, db_default="")
    code_system = models.CharField(max_length=120, blank=True, db_default="")
    code = models.CharField(max_length=60, blank=True, db_default="")
    status = models.CharField(max_length=24, blank=True, db_default="")
    phone = models.CharField(max_length=60, blank=True, db_default="")
    address = models.CharField(max_length=300, blank=True, db_default="")
    city = models.CharField(max_length=60, blank=True, db_default="")
    part_of = models.CharField(max_length=200, blank=True, db_default="")
    text = models.TextField(blank=True, db_default="")
    source = models.CharField(max_length=60, blank=True, db_default="")
    external_id = models.CharField(max_length=200, blank=True, db_default="", db_collation="C")
    batch_id = models.UUIDField(null=True)
    recorded_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "imports_directory"
        indexes = [
            models.Index(fields=["organization", "source", "external_id"], name="directory_by_external_id"),
            models.Index(fields=["organization", "resource_type", "external_id"], name="directory_by_type"),
        ]
