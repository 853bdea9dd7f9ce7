import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import careloop.kernel.ids
import careloop.tenancy.models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "__first__"),
        ("patients", "0003_by_name"),
        ("tenancy", "0003_dailyrun"),
    ]

    operations = [
        migrations.CreateModel(
            name="Journey",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=careloop.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=80)),
                ("description", models.CharField(blank=True, db_default="", max_length=400)),
                (
                    "state",
                    models.CharField(
                        choices=[("DRAFT", "draft"), ("ACTIVE", "running"), ("PAUSED", "paused"), ("ENDED", "ended")],
                        db_default="DRAFT",
                        default="DRAFT",
                        max_length=8,
                    ),
                ),
                ("definition", models.JSONField()),
                ("library_key", models.CharField(blank=True, db_default="", max_length=40)),
                (
                    "has_changes",
                    models.BooleanField(default=False, help_text="the working copy differs from what runs"),
                ),
                ("dated_until", models.DateField(help_text="the last day whose dates were looked at", null=True)),
                ("version", models.PositiveIntegerField(db_default=1, default=1)),
                ("created_at", models.DateTimeField()),
                ("started_at", models.DateTimeField(null=True)),
                ("paused_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("updated_at", models.DateTimeField()),
                (
                    "created_by",
                    models.ForeignKey(
                        db_index=False,
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
            ],
            options={
                "db_table": "journeys_journey",
            },
        ),
        migrations.CreateModel(
            name="JourneyVersion",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=careloop.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("definition", models.JSONField()),
                ("hold_out_percent", models.PositiveSmallIntegerField()),
                ("started_at", models.DateTimeField()),
                (
                    "journey",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="versions",
                        to="journeys.journey",
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
                    "started_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "journeys_version",
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "journey", "number"), name="journey_version_once"),
                    models.CheckConstraint(
                        condition=models.Q(("hold_out_percent__lte", 50)), name="journey_hold_out_at_most_half"
                    ),
                ],
            },
        ),
        migrations.AddField(
            model_name="journey",
            name="current",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="journeys.journeyversion",
            ),
        ),
        migrations.CreateModel(
            name="Enrollment",
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
                    "round",
                    models.PositiveIntegerField(db_default=1, default=1, help_text="1 the first time, 2 the second …"),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("ACTIVE", "on the way"), ("DONE", "finished"), ("LEFT", "left early")],
                        db_default="ACTIVE",
                        default="ACTIVE",
                        max_length=8,
                    ),
                ),
                ("held_out", models.BooleanField(db_default=False, default=False)),
                ("step", models.CharField(blank=True, db_collation="C", db_default="", max_length=20)),
                ("step_kind", models.CharField(blank=True, db_collation="C", db_default="", max_length=12)),
                ("due_at", models.DateTimeField(null=True)),
                (
                    "reply_wait_minutes",
                    models.PositiveIntegerField(help_text="set while it waits for an answer", null=True),
                ),
                ("moves", models.PositiveIntegerField(db_default=0, default=0)),
                (
                    "answer",
                    models.CharField(blank=True, db_default="", help_text="the last answer's code", max_length=40),
                ),
                (
                    "new_answer",
                    models.CharField(
                        blank=True, db_default="", help_text="came and has not moved it yet", max_length=40
                    ),
                ),
                ("context", models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict)),
                ("entered_at", models.DateTimeField()),
                ("entered_because", models.CharField(db_default="", max_length=30)),
                ("exited_at", models.DateTimeField(null=True)),
                ("exit_reason", models.CharField(blank=True, db_default="", max_length=30)),
                ("measured_until", models.DateTimeField()),
                ("messaged_at", models.DateTimeField(null=True)),
                ("answered_at", models.DateTimeField(null=True)),
                ("visited_at", models.DateTimeField(null=True)),
                ("goal_at", models.DateTimeField(null=True)),
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
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="enrollments",
                        to="patients.patient",
                    ),
                ),
                (
                    "journey",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="enrollments",
                        to="journeys.journey",
                    ),
                ),
                (
                    "journey_version",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="enrollments",
                        to="journeys.journeyversion",
                    ),
                ),
            ],
            options={
                "db_table": "journeys_enrollment",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "ACTIVE")),
                        fields=["organization", "journey", "due_at", "id"],
                        name="enrollment_due",
                    ),
                    models.Index(fields=["organization", "patient", "-entered_at"], name="enrollment_by_patient"),
                    models.Index(
                        fields=["organization", "journey", "-entered_at", "-id"], name="enrollment_by_journey"
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "journey", "patient", "round"), name="enrollment_once_per_round"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "ACTIVE")),
                        fields=("organization", "journey", "patient"),
                        name="enrollment_one_active",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("due_at__isnull", False), ("exited_at__isnull", True), ("state", "ACTIVE")),
                            models.Q(
                                models.Q(("state", "ACTIVE"), _negated=True),
                                ("exited_at__isnull", False),
                                models.Q(("exit_reason", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="enrollment_active_is_due_and_ended_says_why",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("held_out", False), models.Q(("moves", 0), ("step", "")), _connector="OR"),
                        name="enrollment_held_out_gets_nothing",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="EnrollmentStep",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("number", models.PositiveIntegerField()),
                ("step", models.CharField(blank=True, db_collation="C", db_default="", max_length=20)),
                ("what", models.CharField(max_length=12)),
                ("reason", models.CharField(blank=True, db_default="", max_length=40)),
                ("next_step", models.CharField(blank=True, db_collation="C", db_default="", max_length=20)),
                ("at", models.DateTimeField()),
                ("message_id", models.UUIDField(null=True)),
                ("follow_up_id", models.UUIDField(null=True)),
                (
                    "enrollment",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="history",
                        to="journeys.enrollment",
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
                "db_table": "journeys_enrollment_step",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "enrollment", "number"), name="enrollment_step_once"
                    )
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="journey",
            constraint=models.CheckConstraint(
                condition=models.Q(("state", "DRAFT"), ("current__isnull", False), ("state", "ENDED"), _connector="OR"),
                name="journey_runs_a_version",
            ),
        ),
    ]
