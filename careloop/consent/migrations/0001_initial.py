import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import careloop.kernel.ids
import careloop.tenancy.models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "__first__"),
        ("patients", "0001_initial"),
        ("tenancy", "0002_list"),
    ]

    operations = [
        migrations.CreateModel(
            name="Notice",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=careloop.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("purpose", models.CharField(blank=True, help_text="empty: the privacy notice itself", max_length=20)),
                ("version", models.PositiveIntegerField()),
                ("texts", models.JSONField(help_text="language → {title, body}")),
                ("text_hash", models.CharField(max_length=64)),
                ("published_at", models.DateTimeField(null=True)),
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
                    "published_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "consent_notice",
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "purpose", "version"), name="notice_version_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Consent",
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
                    "purpose",
                    models.CharField(
                        choices=[
                            ("CARE", "care and recall"),
                            ("SURVEY", "satisfaction surveys"),
                            ("MARKETING", "news and offers"),
                            ("HEALTH_MARKETING", "offers chosen by health data (written consent)"),
                        ],
                        max_length=20,
                    ),
                ),
                (
                    "channel",
                    models.CharField(
                        choices=[
                            ("any", "every channel"),
                            ("line", "LINE"),
                            ("sms", "SMS"),
                            ("email", "e-mail"),
                            ("wechat", "WeChat"),
                            ("phone", "phone call"),
                        ],
                        default="any",
                        max_length=10,
                    ),
                ),
                ("decision", models.CharField(choices=[("permit", "agreed"), ("deny", "refused")], max_length=10)),
                (
                    "source",
                    models.CharField(
                        choices=[
                            ("paper", "signed form"),
                            ("desk", "told the front desk"),
                            ("phone", "on the phone"),
                            ("line", "LINE"),
                            ("link", "link in a message"),
                            ("portal", "patient pages"),
                            ("import", "import"),
                            ("keyword", "opt-out word"),
                        ],
                        max_length=10,
                    ),
                ),
                ("evidence", models.CharField(blank=True, db_default="", max_length=300)),
                ("decided_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
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
                        on_delete=django.db.models.deletion.CASCADE, related_name="consents", to="patients.patient"
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
                    "notice",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="consent.notice",
                    ),
                ),
            ],
            options={
                "db_table": "consent_consent",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=("organization", "patient", "purpose", "channel"),
                        name="consent_one_in_force",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="NoticeShown",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("shown_at", models.DateTimeField()),
                ("how", models.CharField(max_length=20)),
                (
                    "notice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="consent.notice"
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
                        on_delete=django.db.models.deletion.CASCADE, related_name="notices_shown", to="patients.patient"
                    ),
                ),
                (
                    "shown_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "consent_notice_shown",
                "indexes": [models.Index(fields=["organization", "patient"], name="notice_shown_by_patient")],
            },
        ),
    ]
