import django.db.models.deletion
from django.db import migrations, models

import careloop.kernel.ids
import careloop.tenancy.models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("patients", "0005_any_key"),
        ("scheduling", "0004_held_for_a_visitor"),
        ("tenancy", "0006_embed_origins"),
    ]

    operations = [
        migrations.CreateModel(
            name="Booking",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=careloop.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("browser_hash", models.BinaryField()),
                ("says_first", models.BooleanField(default=False)),
                ("is_new_patient", models.BooleanField(default=False)),
                ("is_proved", models.BooleanField(default=False)),
                ("attempt", models.PositiveSmallIntegerField(db_default=1, default=1)),
                ("created_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "appointment",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="scheduling.appointment",
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
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="patients.patient",
                    ),
                ),
                (
                    "service",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="scheduling.service",
                    ),
                ),
            ],
            options={
                "db_table": "portal_booking",
                "indexes": [
                    models.Index(
                        fields=["organization", "browser_hash", "-created_at"], name="portal_booking_by_browser"
                    ),
                    models.Index(fields=["organization", "created_at"], name="portal_booking_by_time"),
                ],
            },
        ),
        migrations.CreateModel(
            name="OneTimeCode",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=careloop.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "purpose",
                    models.CharField(
                        choices=[
                            ("SIGN_IN", "signing in"),
                            ("REGISTER", "first booking"),
                            ("CONTACT", "new number or address"),
                            ("LINE", "connecting LINE"),
                        ],
                        max_length=10,
                    ),
                ),
                ("browser_hash", models.BinaryField()),
                ("system", models.CharField(max_length=10)),
                ("address_sealed", models.BinaryField()),
                ("language", models.CharField(max_length=10)),
                ("is_new_patient", models.BooleanField(default=False)),
                ("line_sealed", models.BinaryField(null=True)),
                ("tries", models.PositiveSmallIntegerField(db_default=0, default=0)),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("proved_at", models.DateTimeField(null=True)),
                ("used_at", models.DateTimeField(null=True)),
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
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="patients.patient",
                    ),
                ),
            ],
            options={
                "db_table": "portal_one_time_code",
                "indexes": [
                    models.Index(
                        fields=["organization", "browser_hash", "-created_at"], name="one_time_code_by_browser"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="PatientSession",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=careloop.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("token_hash", models.BinaryField()),
                ("how", models.CharField(choices=[("code", "one-time code"), ("line", "LINE")], max_length=10)),
                ("device", models.CharField(blank=True, default="", max_length=80)),
                ("created_at", models.DateTimeField()),
                ("seen_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "acting_for",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
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
                (
                    "patient",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="patients.patient",
                    ),
                ),
            ],
            options={
                "db_table": "portal_session",
                "indexes": [
                    models.Index(fields=["organization", "patient", "-seen_at"], name="patient_session_by_patient")
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "token_hash"), name="patient_session_token_once")
                ],
            },
        ),
    ]
