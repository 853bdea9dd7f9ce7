import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import careloop.kernel.ids
import careloop.tenancy.models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "__first__"),
        ("tenancy", "0003_dailyrun"),
    ]

    operations = [
        migrations.CreateModel(
            name="ImportSource",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=careloop.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "code",
                    models.SlugField(
                        help_text="Short name: his-a, lab, synthea. The same system keeps the same name.", max_length=60
                    ),
                ),
                ("name", models.CharField(blank=True, max_length=120)),
                ("mappings", models.JSONField(default=dict)),
                ("created_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
                (
                    "organization",
                    models.ForeignKey(
                        db_default=careloop.tenancy.models.CurrentOrganization(),
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenancy.organization",
                    ),
                ),
            ],
            options={
                "db_table": "imports_source",
                "constraints": [models.UniqueConstraint(fields=("organization", "code"), name="import_source_once")],
            },
        ),
        migrations.CreateModel(
            name="ImportBatch",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=careloop.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("kind", models.CharField(choices=[("csv", "table (CSV, Excel)"), ("fhir", "FHIR R4")], max_length=8)),
                ("file_name", models.CharField(max_length=255)),
                ("file_size", models.BigIntegerField(default=0)),
                ("file_hash", models.CharField(blank=True, max_length=64)),
                (
                    "stored_as",
                    models.CharField(
                        blank=True, help_text="name in the upload folder, empty for a path on the server", max_length=80
                    ),
                ),
                ("mapping", models.JSONField(default=dict)),
                ("dry_run", models.BooleanField(default=False)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("UPLOADED", "uploaded, not started"),
                            ("QUEUED", "waiting"),
                            ("RUNNING", "running"),
                            ("DONE", "done"),
                            ("STOPPED", "stopped"),
                            ("FAILED", "failed"),
                            ("UNDONE", "undone"),
                        ],
                        default="UPLOADED",
                        max_length=10,
                    ),
                ),
                ("stop_requested", models.BooleanField(default=False)),
                ("chunks_done", models.PositiveIntegerField(default=0)),
                ("position", models.BigIntegerField(default=0)),
                ("rows_read", models.BigIntegerField(default=0)),
                ("counts", models.JSONField(default=dict)),
                ("refused", models.PositiveIntegerField(default=0)),
                ("warnings", models.PositiveIntegerField(default=0)),
                ("notices", models.JSONField(default=list)),
                ("error", models.TextField(blank=True)),
                ("key_wrapped", models.BinaryField(null=True)),
                ("created_at", models.DateTimeField()),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("undone_at", models.DateTimeField(null=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        db_default=careloop.tenancy.models.CurrentOrganization(),
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenancy.organization",
                    ),
                ),
                (
                    "undone_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="batches", to="imports.importsource"
                    ),
                ),
            ],
            options={
                "db_table": "imports_batch",
                "indexes": [
                    models.Index(fields=["organization", "-created_at"], name="import_batch_by_time"),
                    models.Index(fields=["organization", "file_hash"], name="import_batch_by_file"),
                ],
            },
        ),
        migrations.CreateModel(
            name="DirectoryEntry",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        db_default=careloop.tenancy.models.NewId(),
                        default=careloop.kernel.ids.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("resource_type", models.CharField(max_length=40)),
                ("name", models.CharField(blank=True, db_default="", max_length=300)),
                ("type_display", models.CharField(blank=True, db_default="", max_length=160)),
                ("code_system", models.CharField(blank=True, db_default="", max_length=120)),
                ("code", models.CharField(blank=True, db_default="", max_length=60)),
                ("status", models.CharField(blank=True, db_default="", max_length=24)),
                ("phone", models.CharField(blank=True, db_default="", max_length=60)),
                ("address", models.CharField(blank=True, db_default="", max_length=300)),
                ("city", models.CharField(blank=True, db_default="", max_length=60)),
                ("part_of", models.CharField(blank=True, db_default="", max_length=200)),
                ("text", models.TextField(blank=True, db_default="")),
                ("source", models.CharField(blank=True, db_default="", max_length=60)),
                ("external_id", models.CharField(blank=True, db_collation="C", db_default="", max_length=200)),
                ("batch_id", models.UUIDField(null=True)),
                ("recorded_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "organization",
                    models.ForeignKey(
                        db_default=careloop.tenancy.models.CurrentOrganization(),
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenancy.organization",
                    ),
                ),
            ],
            options={
                "db_table": "imports_directory",
                "indexes": [
                    models.Index(fields=["organization", "source", "external_id"], name="directory_by_external_id"),
                    models.Index(fields=["organization", "resource_type", "external_id"], name="directory_by_type"),
                ],
            },
        ),
        migrations.CreateModel(
            name="ImportChange",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("batch_id", models.UUIDField()),
                ("table", models.CharField(max_length=60)),
                ("record_id", models.UUIDField()),
                ("before", models.JSONField()),
                ("after", models.JSONField()),
                (
                    "organization",
                    models.ForeignKey(
                        db_default=careloop.tenancy.models.CurrentOrganization(),
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenancy.organization",
                    ),
                ),
            ],
            options={
                "db_table": "imports_change",
                "indexes": [
                    models.Index(fields=["organization", "batch_id", "id"], name="import_change_by_batch"),
                    models.Index(fields=["organization", "record_id"], name="import_change_by_record"),
                ],
            },
        ),
        migrations.CreateModel(
            name="ImportClaim",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("batch_id", models.UUIDField()),
                ("record_id", models.UUIDField()),
                (
                    "organization",
                    models.ForeignKey(
                        db_default=careloop.tenancy.models.CurrentOrganization(),
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenancy.organization",
                    ),
                ),
            ],
            options={
                "db_table": "imports_claim",
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "batch_id", "record_id"), name="import_claim_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="ImportFinding",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("kind", models.CharField(choices=[("REFUSED", "refused"), ("WARNED", "to look at")], max_length=8)),
                ("part", models.CharField(blank=True, max_length=255)),
                ("line", models.BigIntegerField()),
                ("field", models.CharField(blank=True, max_length=60)),
                ("code", models.CharField(max_length=60)),
                ("values", models.JSONField(default=dict)),
                ("raw_sealed", models.BinaryField(null=True)),
                (
                    "batch",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="findings",
                        to="imports.importbatch",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        db_default=careloop.tenancy.models.CurrentOrganization(),
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenancy.organization",
                    ),
                ),
            ],
            options={
                "db_table": "imports_finding",
                "indexes": [
                    models.Index(fields=["organization", "batch", "kind", "id"], name="import_finding_by_batch")
                ],
            },
        ),
        migrations.CreateModel(
            name="ImportName",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("kind", models.CharField(db_collation="C", max_length=20)),
                ("source", models.CharField(max_length=60)),
                ("external_id", models.CharField(db_collation="C", max_length=200)),
                ("record_id", models.UUIDField()),
                ("batch_id", models.UUIDField()),
                (
                    "organization",
                    models.ForeignKey(
                        db_default=careloop.tenancy.models.CurrentOrganization(),
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenancy.organization",
                    ),
                ),
            ],
            options={
                "db_table": "imports_name",
                "indexes": [
                    models.Index(fields=["organization", "record_id"], name="import_name_by_record"),
                    models.Index(fields=["organization", "batch_id"], name="import_name_by_batch"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "kind", "source", "external_id"), name="import_name_once"
                    )
                ],
            },
        ),
    ]
