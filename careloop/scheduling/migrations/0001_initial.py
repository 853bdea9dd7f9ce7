import django.contrib.postgres.constraints
import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import careloop.kernel.ids
import careloop.scheduling.models
import careloop.tenancy.models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "__first__"),
        ("patients", "0005_any_key"),
        ("records", "0003_belonging"),
        ("tenancy", "0005_jobdone"),
    ]

    operations = [
        migrations.CreateModel(
            name="Resource",
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
                ("kind", models.CharField(choices=[("ROOM", "room"), ("EQUIPMENT", "equipment")], max_length=10)),
                ("name", models.CharField(max_length=60)),
                ("is_active", models.BooleanField(db_default=True, default=True)),
                (
                    "location",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenancy.location"
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
                "db_table": "scheduling_resource",
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "location", "name"), name="resource_name_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Service",
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
                ("name", models.CharField(max_length=60)),
                (
                    "names",
                    models.JSONField(
                        blank=True, default=dict, help_text="the name in other languages: language → text"
                    ),
                ),
                ("description", models.CharField(blank=True, default="", max_length=300)),
                ("minutes", models.PositiveSmallIntegerField()),
                ("first_visit_minutes", models.PositiveSmallIntegerField(blank=True, null=True)),
                (
                    "payer",
                    models.CharField(
                        choices=[("NHI", "National Health Insurance"), ("SELF", "self-pay")],
                        default="NHI",
                        max_length=4,
                    ),
                ),
                ("price", models.PositiveIntegerField(default=0, help_text="In the currency's smallest unit.")),
                ("deposit", models.PositiveIntegerField(default=0, help_text="In the currency's smallest unit.")),
                ("colour", models.PositiveSmallIntegerField(default=0)),
                ("is_online", models.BooleanField(default=True)),
                (
                    "who",
                    models.CharField(
                        choices=[
                            ("ANY", "everybody"),
                            ("FIRST", "first visits only"),
                            ("RETURNING", "patients who were here before"),
                        ],
                        default="ANY",
                        max_length=10,
                    ),
                ),
                (
                    "notice_minutes",
                    models.PositiveIntegerField(
                        default=60, help_text="How long before its beginning a visit can still be booked."
                    ),
                ),
                (
                    "days_ahead",
                    models.PositiveSmallIntegerField(default=60, help_text="How many days ahead can be booked."),
                ),
                (
                    "change_minutes",
                    models.PositiveIntegerField(
                        default=120,
                        help_text="Until how long before its beginning a patient can move or cancel the visit.",
                    ),
                ),
                ("verify_phone", models.BooleanField(default=True)),
                (
                    "questions",
                    models.JSONField(
                        blank=True, default=list, help_text="asked before the visit: [{key, text, kind, required}]"
                    ),
                ),
                ("is_active", models.BooleanField(default=True)),
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
                "db_table": "scheduling_service",
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "name"), name="service_name_once"),
                    models.CheckConstraint(condition=models.Q(("minutes__range", (1, 720))), name="service_takes_time"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("first_visit_minutes__isnull", True),
                            ("first_visit_minutes__range", (1, 720)),
                            _connector="OR",
                        ),
                        name="service_first_visit_takes_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(models.Q(("payer", "NHI"), _negated=True), ("deposit", 0), _connector="OR"),
                        name="service_no_deposit_on_nhi",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ServiceEquipment",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
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
                    "resource",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="scheduling.resource"
                    ),
                ),
                (
                    "service",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="scheduling.service"
                    ),
                ),
            ],
            options={
                "db_table": "scheduling_service_equipment",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "service", "resource"), name="service_equipment_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ServicePractitioner",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
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
                    "practitioner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="records.practitioner"
                    ),
                ),
                (
                    "service",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="scheduling.service"
                    ),
                ),
            ],
            options={
                "db_table": "scheduling_service_practitioner",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "service", "practitioner"), name="service_practitioner_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Template",
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
                ("weekday", models.PositiveSmallIntegerField(help_text="ISO: 1 Monday … 7 Sunday")),
                (
                    "part",
                    models.CharField(
                        choices=[("MORNING", "morning"), ("AFTERNOON", "afternoon"), ("EVENING", "evening")],
                        max_length=10,
                    ),
                ),
                ("starts", models.TimeField()),
                ("ends", models.TimeField()),
                ("mode", models.CharField(choices=[("SLOTS", "by time"), ("NUMBERS", "by number")], max_length=8)),
                ("slot_minutes", models.PositiveSmallIntegerField(default=15)),
                ("numbers", models.PositiveSmallIntegerField(default=0)),
                ("pools", models.JSONField(blank=True, default=list)),
                (
                    "services",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.UUIDField(), blank=True, default=list, size=None
                    ),
                ),
                ("valid_from", models.DateField()),
                ("valid_to", models.DateField(blank=True, null=True)),
                ("on_holidays", models.BooleanField(default=False)),
                (
                    "location",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenancy.location"
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
                    "practitioner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="records.practitioner"
                    ),
                ),
                (
                    "room",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="scheduling.resource",
                    ),
                ),
            ],
            options={
                "db_table": "scheduling_template",
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("weekday__range", (1, 7))), name="template_weekday"),
                    models.CheckConstraint(
                        condition=models.Q(("ends__gt", models.F("starts"))), name="template_ends_after_start"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("slot_minutes__range", (1, 240))), name="template_slot_minutes"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("mode", "SLOTS"), ("numbers__range", (1, 999)), _connector="OR"),
                        name="template_has_numbers",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_to__isnull", True), ("valid_to__gte", models.F("valid_from")), _connector="OR"
                        ),
                        name="template_validity",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Session",
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
                ("on_date", models.DateField()),
                (
                    "part",
                    models.CharField(
                        choices=[("MORNING", "morning"), ("AFTERNOON", "afternoon"), ("EVENING", "evening")],
                        max_length=10,
                    ),
                ),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                ("mode", models.CharField(choices=[("SLOTS", "by time"), ("NUMBERS", "by number")], max_length=8)),
                ("slot_minutes", models.PositiveSmallIntegerField(db_default=15, default=15)),
                ("numbers", models.PositiveSmallIntegerField(db_default=0, default=0)),
                ("pools", models.JSONField(db_default=models.Value([], models.JSONField()), default=list)),
                (
                    "services",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.UUIDField(),
                        db_default=models.Value(
                            [], django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), size=None)
                        ),
                        default=list,
                        size=None,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("OPEN", "open"), ("CLOSED", "closed"), ("FINISHED", "finished")],
                        db_default="OPEN",
                        default="OPEN",
                        max_length=10,
                    ),
                ),
                ("closed_reason", models.CharField(blank=True, db_default="", default="", max_length=200)),
                ("version", models.PositiveIntegerField(db_default=1, default=1)),
                (
                    "location",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenancy.location",
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
                    "practitioner",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="records.practitioner",
                    ),
                ),
                (
                    "regular",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="records.practitioner",
                    ),
                ),
                (
                    "room",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="scheduling.resource",
                    ),
                ),
                (
                    "template",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="sessions",
                        to="scheduling.template",
                    ),
                ),
            ],
            options={
                "db_table": "scheduling_session",
                "indexes": [
                    models.Index(fields=["organization", "starts_at"], name="session_by_time"),
                    models.Index(fields=["organization", "practitioner", "starts_at"], name="session_by_practitioner"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "template", "on_date"), name="session_once_per_template_and_day"
                    ),
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        condition=models.Q(("state", "CLOSED"), _negated=True),
                        expressions=[
                            ("organization", "="),
                            ("practitioner", "="),
                            (careloop.scheduling.models.During(), "&&"),
                        ],
                        name="session_practitioner_in_one_place",
                    ),
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        condition=models.Q(models.Q(("state", "CLOSED"), _negated=True), ("room__isnull", False)),
                        expressions=[("organization", "="), ("room", "="), (careloop.scheduling.models.During(), "&&")],
                        name="session_room_free",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("ends_at__gt", models.F("starts_at"))), name="session_ends_after_start"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["OPEN", "CLOSED", "FINISHED"])), name="session_state_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("mode", "SLOTS"), ("numbers__range", (1, 999)), _connector="OR"),
                        name="session_has_numbers",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Appointment",
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
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                ("number", models.PositiveSmallIntegerField(null=True)),
                (
                    "pool",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("BOOKED", "booked ahead"),
                            ("WALK_IN", "walk-in"),
                            ("FIRST", "first visit"),
                            ("RESERVED", "kept back"),
                        ],
                        db_default="",
                        default="",
                        max_length=10,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("proposed", "offered"),
                            ("pending", "held"),
                            ("booked", "booked"),
                            ("arrived", "arrived"),
                            ("checked-in", "checked in"),
                            ("fulfilled", "seen"),
                            ("cancelled", "cancelled"),
                            ("noshow", "did not come"),
                            ("waitlist", "on the waitlist"),
                            ("entered-in-error", "entered in error"),
                        ],
                        max_length=16,
                    ),
                ),
                ("held_until", models.DateTimeField(null=True)),
                ("is_first_visit", models.BooleanField(db_default=False, default=False)),
                (
                    "source",
                    models.CharField(
                        choices=[
                            ("desk", "desk"),
                            ("phone", "telephone"),
                            ("walk-in", "walk-in"),
                            ("portal", "patient's page"),
                            ("line", "LINE"),
                            ("link", "link in a message"),
                            ("waitlist", "waitlist"),
                            ("api", "programming interface"),
                            ("import", "import"),
                        ],
                        max_length=10,
                    ),
                ),
                ("note", models.CharField(blank=True, db_default="", default="", max_length=300)),
                (
                    "answers_sealed",
                    models.BinaryField(help_text="answers given before the visit, under the patient's key", null=True),
                ),
                ("confirmed_at", models.DateTimeField(null=True)),
                ("arrived_at", models.DateTimeField(null=True)),
                (
                    "cancel_reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("patient", "the patient asked for it"),
                            ("clinic", "the clinic asked for it"),
                            ("session-closed", "the session is closed"),
                            ("hold-expired", "the place was held too long"),
                            ("declined", "the offer was declined"),
                        ],
                        db_default="",
                        default="",
                        max_length=20,
                    ),
                ),
                ("cancel_note", models.CharField(blank=True, db_default="", default="", max_length=200)),
                ("key", models.CharField(blank=True, db_collation="C", db_default="", default="", max_length=80)),
                ("version", models.PositiveIntegerField(db_default=1, default=1)),
                ("sequence", models.PositiveIntegerField(db_default=0, default=0)),
                ("created_at", models.DateTimeField()),
                ("changed_at", models.DateTimeField()),
                (
                    "location",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenancy.location",
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
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="appointments",
                        to="patients.patient",
                    ),
                ),
                (
                    "practitioner",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="records.practitioner",
                    ),
                ),
                (
                    "equipment",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="scheduling.resource",
                    ),
                ),
                (
                    "room",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="scheduling.resource",
                    ),
                ),
                (
                    "service",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="scheduling.service",
                    ),
                ),
                (
                    "session",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="appointments",
                        to="scheduling.session",
                    ),
                ),
            ],
            options={
                "db_table": "scheduling_appointment",
                "indexes": [
                    models.Index(fields=["organization", "session", "starts_at"], name="appointment_by_session"),
                    models.Index(fields=["organization", "patient", "-starts_at"], name="appointment_by_patient"),
                    models.Index(fields=["organization", "starts_at"], name="appointment_by_time"),
                    models.Index(
                        condition=models.Q(("state__in", ["proposed", "pending"])),
                        fields=["organization", "held_until"],
                        name="appointment_holds",
                    ),
                ],
                "constraints": [
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        condition=models.Q(
                            ("number__isnull", True),
                            ("state__in", ("proposed", "pending", "booked", "arrived", "checked-in", "fulfilled")),
                        ),
                        expressions=[
                            ("organization", "="),
                            ("practitioner", "="),
                            (careloop.scheduling.models.During(), "&&"),
                        ],
                        name="appointment_practitioner_free",
                    ),
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        condition=models.Q(
                            ("state__in", ("proposed", "pending", "booked", "arrived", "checked-in", "fulfilled"))
                        ),
                        expressions=[
                            ("organization", "="),
                            ("patient", "="),
                            (careloop.scheduling.models.During(), "&&"),
                        ],
                        name="appointment_patient_in_one_place",
                    ),
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        condition=models.Q(
                            ("number__isnull", True),
                            ("room__isnull", False),
                            ("state__in", ("proposed", "pending", "booked", "arrived", "checked-in", "fulfilled")),
                        ),
                        expressions=[("organization", "="), ("room", "="), (careloop.scheduling.models.During(), "&&")],
                        name="appointment_room_free",
                    ),
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        condition=models.Q(
                            ("equipment__isnull", False),
                            ("state__in", ("proposed", "pending", "booked", "arrived", "checked-in", "fulfilled")),
                        ),
                        expressions=[
                            ("organization", "="),
                            ("equipment", "="),
                            (careloop.scheduling.models.During(), "&&"),
                        ],
                        name="appointment_equipment_free",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(
                            ("number__isnull", False),
                            ("state__in", ("proposed", "pending", "booked", "arrived", "checked-in", "fulfilled")),
                        ),
                        fields=("organization", "session", "number"),
                        name="appointment_number_once",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(
                            ("number__isnull", False),
                            ("state__in", ("proposed", "pending", "booked", "arrived", "checked-in", "fulfilled")),
                        ),
                        fields=("organization", "session", "patient"),
                        name="appointment_patient_once_per_session",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("key", ""), _negated=True),
                        fields=("organization", "key"),
                        name="appointment_once_per_key",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("ends_at__gt", models.F("starts_at"))), name="appointment_ends_after_start"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "state__in",
                                [
                                    "proposed",
                                    "pending",
                                    "booked",
                                    "arrived",
                                    "checked-in",
                                    "fulfilled",
                                    "cancelled",
                                    "noshow",
                                    "waitlist",
                                    "entered-in-error",
                                ],
                            )
                        ),
                        name="appointment_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "cancelled"), _negated=True),
                            models.Q(("cancel_reason", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="appointment_says_why_cancelled",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state__in", ["proposed", "pending"]), _negated=True),
                            ("held_until__isnull", False),
                            _connector="OR",
                        ),
                        name="appointment_hold_ends",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Absence",
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
                        choices=[("LEAVE", "leave"), ("MEETING", "meeting"), ("OTHER", "other")],
                        default="LEAVE",
                        max_length=10,
                    ),
                ),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                ("note", models.CharField(blank=True, db_default="", default="", max_length=200)),
                ("source", models.CharField(db_default="staff", default="staff", max_length=20)),
                (
                    "external_id",
                    models.CharField(blank=True, db_collation="C", db_default="", default="", max_length=200),
                ),
                ("created_at", models.DateTimeField()),
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
                    "practitioner",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="records.practitioner",
                    ),
                ),
            ],
            options={
                "db_table": "scheduling_absence",
                "indexes": [
                    models.Index(fields=["organization", "practitioner", "starts_at"], name="absence_by_practitioner")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("ends_at__gt", models.F("starts_at"))), name="absence_ends_after_start"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("external_id", ""), _negated=True),
                        fields=("organization", "practitioner", "source", "external_id"),
                        name="absence_once_per_source",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="DayException",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("on_date", models.DateField()),
                ("is_open", models.BooleanField(default=False)),
                ("name", models.CharField(blank=True, default="", max_length=60)),
                (
                    "location",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenancy.location",
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
                "db_table": "scheduling_day_exception",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "on_date", "location"), name="day_exception_once", nulls_distinct=False
                    )
                ],
            },
        ),
        migrations.AddField(
            model_name="service",
            name="equipment",
            field=models.ManyToManyField(
                related_name="services", through="scheduling.ServiceEquipment", to="scheduling.resource"
            ),
        ),
        migrations.AddField(
            model_name="service",
            name="practitioners",
            field=models.ManyToManyField(
                related_name="services", through="scheduling.ServicePractitioner", to="records.practitioner"
            ),
        ),
    ]
