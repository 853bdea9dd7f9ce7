import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

import careloop.kernel.ids
import careloop.tenancy.models


class Migration(migrations.Migration):
    dependencies = [
        ("patients", "0005_any_key"),
        ("records", "0003_belonging"),
        ("scheduling", "0001_initial"),
        ("tenancy", "0005_jobdone"),
    ]

    operations = [
        migrations.AlterField(
            model_name="appointment",
            name="cancel_reason",
            field=models.CharField(
                blank=True,
                choices=[
                    ("patient", "the patient asked for it"),
                    ("clinic", "the clinic asked for it"),
                    ("session-closed", "the session is closed"),
                    ("hold-expired", "the place was held too long"),
                    ("declined", "the offer was declined"),
                    ("replaced", "the patient took an earlier place"),
                ],
                db_default="",
                default="",
                max_length=20,
            ),
        ),
        migrations.CreateModel(
            name="WaitlistEntry",
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
                    "weekdays",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.PositiveSmallIntegerField(),
                        blank=True,
                        default=list,
                        help_text="ISO; empty: any",
                        size=None,
                    ),
                ),
                (
                    "parts",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=10),
                        blank=True,
                        default=list,
                        help_text="empty: any",
                        size=None,
                    ),
                ),
                ("first_date", models.DateField()),
                ("last_date", models.DateField()),
                ("priority", models.PositiveSmallIntegerField(default=2, help_text="1 urgent, 2 normal, 3 low")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("WAITING", "waiting"),
                            ("OFFERED", "has an offer"),
                            ("BOOKED", "got a place"),
                            ("LEFT", "left"),
                            ("EXPIRED", "waited in vain"),
                        ],
                        default="WAITING",
                        max_length=10,
                    ),
                ),
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
                        default="desk",
                        max_length=10,
                    ),
                ),
                ("note", models.CharField(blank=True, default="", max_length=200)),
                ("key", models.CharField(blank=True, db_collation="C", default="", max_length=80)),
                ("created_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                ("version", models.PositiveIntegerField(default=1)),
                (
                    "instead_of",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="scheduling.appointment",
                    ),
                ),
                (
                    "location",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
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
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="waitlist_entries",
                        to="patients.patient",
                    ),
                ),
                (
                    "practitioner",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="records.practitioner",
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
            ],
            options={
                "db_table": "scheduling_waitlist_entry",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "WAITING")),
                        fields=["organization", "priority", "created_at"],
                        name="waitlist_ranked",
                    ),
                    models.Index(fields=["organization", "patient"], name="waitlist_by_patient"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ["WAITING", "OFFERED"])),
                        fields=("organization", "patient", "service"),
                        name="waitlist_once_per_service",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("key", ""), _negated=True),
                        fields=("organization", "key"),
                        name="waitlist_once_per_key",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("last_date__gte", models.F("first_date"))), name="waitlist_dates"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["WAITING", "OFFERED", "BOOKED", "LEFT", "EXPIRED"])),
                        name="waitlist_state_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="WaitlistOffer",
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
                ("offered_at", models.DateTimeField()),
                ("answer_by", models.DateTimeField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("OPEN", "waiting for an answer"),
                            ("ACCEPTED", "accepted"),
                            ("DECLINED", "declined"),
                            ("EXPIRED", "no answer in time"),
                            ("WITHDRAWN", "withdrawn"),
                        ],
                        default="OPEN",
                        max_length=10,
                    ),
                ),
                ("answered_at", models.DateTimeField(null=True)),
                (
                    "appointment",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="offers",
                        to="scheduling.appointment",
                    ),
                ),
                (
                    "entry",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="offers",
                        to="scheduling.waitlistentry",
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
                "db_table": "scheduling_waitlist_offer",
                "indexes": [
                    models.Index(fields=["organization", "entry", "-offered_at"], name="waitlist_offers_of_entry"),
                    models.Index(
                        condition=models.Q(("state", "OPEN")),
                        fields=["organization", "answer_by"],
                        name="waitlist_open_offers",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "OPEN")),
                        fields=("organization", "entry"),
                        name="waitlist_one_open_offer",
                    ),
                    models.UniqueConstraint(
                        fields=("organization", "appointment"), name="waitlist_offer_once_per_place"
                    ),
                ],
            },
        ),
    ]
