import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import careloop.kernel.ids
import careloop.tenancy.models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "__first__"),
        ("tenancy", "0002_list"),
    ]

    operations = [
        migrations.CreateModel(
            name="Patient",
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
                ("chart_number", models.CharField(blank=True, db_collation="C", db_default="", max_length=60)),
                ("name", models.CharField(max_length=160)),
                ("family_name", models.CharField(blank=True, db_default="", max_length=80)),
                ("given_name", models.CharField(blank=True, db_default="", max_length=80)),
                (
                    "name_grams",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.TextField(), default=list, editable=False, size=None
                    ),
                ),
                (
                    "sex",
                    models.CharField(
                        choices=[("male", "male"), ("female", "female"), ("other", "other"), ("unknown", "unknown")],
                        default="unknown",
                        max_length=10,
                    ),
                ),
                ("birth_date", models.DateField(blank=True, null=True)),
                (
                    "birth_precision",
                    models.CharField(db_default="day", default="day", help_text="day, month or year", max_length=5),
                ),
                ("deceased", models.BooleanField(db_default=False, default=False)),
                ("deceased_at", models.DateTimeField(blank=True, null=True)),
                ("active", models.BooleanField(db_default=True, default=True)),
                (
                    "language",
                    models.CharField(blank=True, db_default="", help_text="empty: the organization's", max_length=10),
                ),
                ("preferred_channel", models.CharField(blank=True, db_default="", max_length=10)),
                ("preferred_hour", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("preferred_practitioner", models.CharField(blank=True, db_default="", max_length=80)),
                ("address_sealed", models.BinaryField(null=True)),
                ("postal_code", models.CharField(blank=True, db_default="", max_length=12)),
                ("city", models.CharField(blank=True, db_default="", max_length=60)),
                ("district", models.CharField(blank=True, db_default="", max_length=60)),
                ("country", models.CharField(blank=True, db_default="", max_length=3)),
                ("marital_status", models.CharField(blank=True, db_default="", max_length=10)),
                ("blood_group", models.CharField(blank=True, db_default="", max_length=6)),
                ("occupation", models.CharField(blank=True, db_default="", max_length=80)),
                ("referral_source", models.CharField(blank=True, db_default="", max_length=80)),
                ("note", models.TextField(blank=True, db_default="")),
                ("registered_on", models.DateField(blank=True, null=True)),
                ("source", models.CharField(blank=True, db_default="", max_length=60)),
                ("external_id", models.CharField(blank=True, db_collation="C", db_default="", max_length=160)),
                ("batch_id", models.UUIDField(editable=False, null=True)),
                (
                    "warnings",
                    models.JSONField(blank=True, db_default=models.Value([], models.JSONField()), default=list),
                ),
                ("version", models.PositiveIntegerField(db_default=1, default=1)),
                ("created_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
                (
                    "home_location",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="tenancy.location",
                    ),
                ),
                (
                    "merged_into",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="merged_from",
                        to="patients.patient",
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
                "db_table": "patients_patient",
                "indexes": [
                    django.contrib.postgres.indexes.GinIndex(fields=["name_grams"], name="patient_name_grams"),
                    models.Index(fields=["organization", "birth_date"], name="patient_by_birth_date"),
                    models.Index(fields=["organization", "-updated_at", "-id"], name="patient_by_change"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("chart_number", ""), _negated=True),
                        fields=("organization", "chart_number"),
                        name="patient_chart_number_once",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("external_id", ""), _negated=True),
                        fields=("organization", "source", "external_id"),
                        name="patient_once_per_source",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("sex__in", ["male", "female", "other", "unknown"])),
                        name="patient_sex_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Identifier",
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
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("national_id", "national ID"),
                            ("resident_certificate", "resident certificate no."),
                            ("passport", "passport"),
                            ("insurance_card", "NHI card"),
                            ("other", "other number"),
                        ],
                        max_length=24,
                    ),
                ),
                ("system", models.CharField(blank=True, db_default="", max_length=160)),
                ("value_sealed", models.BinaryField()),
                ("value_index", models.BinaryField()),
                ("warning", models.CharField(blank=True, db_default="", max_length=60)),
                ("batch_id", models.UUIDField(editable=False, null=True)),
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
                    "patient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="identifiers", to="patients.patient"
                    ),
                ),
            ],
            options={
                "db_table": "patients_identifier",
                "indexes": [models.Index(fields=["organization", "value_index"], name="identifier_by_value")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "patient", "kind", "system", "value_index"), name="identifier_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="HealthNote",
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
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("HABIT", "habit"),
                            ("FAMILY_HISTORY", "family history"),
                            ("HISTORY", "past history"),
                            ("INSURANCE", "insurance"),
                        ],
                        max_length=16,
                    ),
                ),
                ("code", models.CharField(blank=True, db_default="", max_length=40)),
                ("text", models.CharField(blank=True, db_default="", max_length=300)),
                ("since", models.DateField(blank=True, null=True)),
                ("ended_on", models.DateField(blank=True, null=True)),
                ("recorded_at", models.DateTimeField()),
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
                    "recorded_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "patient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="health_notes", to="patients.patient"
                    ),
                ),
            ],
            options={
                "db_table": "patients_health_note",
                "indexes": [models.Index(fields=["organization", "patient"], name="health_note_by_patient")],
            },
        ),
        migrations.CreateModel(
            name="ContactPoint",
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
                (
                    "system",
                    models.CharField(
                        choices=[("phone", "phone"), ("email", "e-mail"), ("line", "LINE"), ("wechat", "WeChat")],
                        max_length=10,
                    ),
                ),
                ("use", models.CharField(blank=True, db_default="", help_text="mobile, home, work", max_length=10)),
                ("value_sealed", models.BinaryField()),
                ("value_index", models.BinaryField()),
                ("last3_index", models.BinaryField(null=True)),
                ("is_mobile", models.BooleanField(db_default=False, default=False)),
                ("rank", models.PositiveSmallIntegerField(db_default=1, default=1, help_text="1 is tried first")),
                ("verified_at", models.DateTimeField(blank=True, null=True)),
                (
                    "reach",
                    models.CharField(
                        choices=[
                            ("unknown", "not tried yet"),
                            ("reached", "reaches the patient"),
                            ("blocked", "blocked by the patient"),
                            ("bounced", "does not arrive"),
                        ],
                        db_default="unknown",
                        default="unknown",
                        max_length=10,
                    ),
                ),
                ("reach_changed_at", models.DateTimeField(blank=True, null=True)),
                ("warning", models.CharField(blank=True, db_default="", max_length=60)),
                ("batch_id", models.UUIDField(editable=False, null=True)),
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
                    "patient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="contact_points",
                        to="patients.patient",
                    ),
                ),
            ],
            options={
                "db_table": "patients_contact_point",
                "indexes": [
                    models.Index(fields=["organization", "value_index"], name="contact_point_by_value"),
                    models.Index(fields=["organization", "last3_index"], name="contact_point_by_last3"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "patient", "system", "value_index"), name="contact_point_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="RelatedPerson",
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
                ("name", models.CharField(max_length=160)),
                (
                    "relationship",
                    models.CharField(
                        blank=True, db_default="", help_text="v3-RoleCode: MTH, FTH, SPS, CHILD, …", max_length=20
                    ),
                ),
                ("sex", models.CharField(blank=True, db_default="", max_length=10)),
                ("birth_date", models.DateField(blank=True, null=True)),
                ("is_guardian", models.BooleanField(db_default=False, default=False)),
                ("may_act", models.BooleanField(db_default=False, default=False)),
                ("phone_sealed", models.BinaryField(null=True)),
                ("email_sealed", models.BinaryField(null=True)),
                ("note", models.CharField(blank=True, db_default="", max_length=200)),
                ("source", models.CharField(blank=True, db_default="", max_length=60)),
                ("external_id", models.CharField(blank=True, db_collation="C", db_default="", max_length=160)),
                ("batch_id", models.UUIDField(editable=False, null=True)),
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
                    "patient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="related_persons",
                        to="patients.patient",
                    ),
                ),
                (
                    "relative",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="related_to",
                        to="patients.patient",
                    ),
                ),
            ],
            options={
                "db_table": "patients_related_person",
                "indexes": [
                    models.Index(fields=["organization", "patient"], name="related_person_by_patient"),
                    models.Index(fields=["organization", "relative"], name="related_person_by_relative"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Tag",
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
                ("name", models.CharField(max_length=40)),
                ("color", models.CharField(default="teal", max_length=12)),
                ("number", models.PositiveIntegerField(editable=False, help_text="small number, used in roll-ups")),
                ("is_archived", models.BooleanField(default=False)),
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
                "db_table": "patients_tag",
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "name"), name="tag_name_once"),
                    models.UniqueConstraint(fields=("organization", "number"), name="tag_number_once"),
                ],
            },
        ),
        migrations.CreateModel(
            name="PatientTag",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("given_at", models.DateTimeField()),
                ("given_by_rule", models.CharField(blank=True, db_default="", max_length=80)),
                ("batch_id", models.UUIDField(editable=False, null=True)),
                (
                    "given_by",
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
                    "patient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="tag_links", to="patients.patient"
                    ),
                ),
                (
                    "tag",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="patient_links", to="patients.tag"
                    ),
                ),
            ],
            options={
                "db_table": "patients_patient_tag",
                "indexes": [models.Index(fields=["organization", "tag", "patient"], name="patient_tag_by_tag")],
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "patient", "tag"), name="patient_tag_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="PatientKey",
            fields=[
                (
                    "patient",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="key",
                        serialize=False,
                        to="patients.patient",
                    ),
                ),
                ("wrapped", models.BinaryField()),
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
                "db_table": "patients_key",
            },
        ),
    ]
