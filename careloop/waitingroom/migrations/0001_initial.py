import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import careloop.kernel.ids
import careloop.tenancy.models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "__first__"),
        ("patients", "0006_hashes_alone"),
        ("records", "0003_belonging"),
        ("scheduling", "0002_waitlist"),
        ("tenancy", "0005_jobdone"),
    ]

    operations = [
        migrations.CreateModel(
            name="Queue",
            fields=[
                (
                    "session",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="scheduling.session",
                    ),
                ),
                ("turn", models.PositiveIntegerField(db_default=0, default=0)),
                ("place_in_round", models.PositiveSmallIntegerField(db_default=0, default=0)),
                ("version", models.PositiveIntegerField(db_default=1, default=1)),
                ("changed_at", models.DateTimeField()),
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
                "db_table": "waitingroom_queue",
            },
        ),
        migrations.CreateModel(
            name="Ticket",
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
                ("number", models.PositiveIntegerField()),
                ("label", models.CharField(db_collation="C", max_length=8)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("EXPECTED", "not here yet"),
                            ("WAITING", "waiting"),
                            ("CALLED", "called"),
                            ("MISSED", "missed the call"),
                            ("HELD", "at tests"),
                            ("IN_ROOM", "in the room"),
                            ("DONE", "seen"),
                            ("LEFT", "left"),
                        ],
                        max_length=10,
                    ),
                ),
                ("is_walk_in", models.BooleanField(db_default=False, default=False)),
                ("is_first_visit", models.BooleanField(db_default=False, default=False)),
                ("is_transferred", models.BooleanField(db_default=False, default=False)),
                ("planned_at", models.DateTimeField(help_text="when the schedule expects the patient")),
                (
                    "priority",
                    models.PositiveSmallIntegerField(
                        choices=[(0, "in turn"), (1, "ahead of others"), (2, "urgent")], db_default=0, default=0
                    ),
                ),
                ("due_turn", models.PositiveIntegerField(null=True)),
                ("rejoined_at", models.DateTimeField(null=True)),
                (
                    "how",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("DESK", "at the desk"),
                            ("QR", "with a code"),
                            ("LINE", "in LINE"),
                            ("PHONE", "on the phone"),
                        ],
                        db_default="",
                        default="",
                        max_length=5,
                    ),
                ),
                ("checked_in_at", models.DateTimeField(null=True)),
                ("called_at", models.DateTimeField(null=True)),
                ("missed_count", models.PositiveSmallIntegerField(db_default=0, default=0)),
                ("held_for", models.CharField(blank=True, db_default="", default="", max_length=80)),
                (
                    "near_at",
                    models.DateTimeField(help_text="when we said that it will soon be this patient's turn", null=True),
                ),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("token_hash", models.BinaryField()),
                (
                    "opened_at",
                    models.DateTimeField(help_text="when the patient first looked at the number on a phone", null=True),
                ),
                ("created_at", models.DateTimeField()),
                ("version", models.PositiveIntegerField(db_default=1, default=1)),
                (
                    "appointment",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
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
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
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
                    "session",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="scheduling.session",
                    ),
                ),
            ],
            options={
                "db_table": "waitingroom_ticket",
                "indexes": [
                    models.Index(fields=["organization", "session", "state"], name="ticket_by_session"),
                    models.Index(
                        condition=models.Q(("state", "DONE")),
                        fields=["organization", "practitioner", "-finished_at"],
                        name="ticket_by_finished",
                    ),
                    models.Index(fields=["organization", "patient"], name="ticket_by_patient"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("appointment", "organization"), name="ticket_once_per_appointment"),
                    models.UniqueConstraint(fields=("token_hash", "organization"), name="ticket_token_once"),
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ("WAITING", "CALLED", "MISSED", "HELD", "IN_ROOM", "DONE"))),
                        fields=("organization", "session", "label"),
                        name="ticket_number_once",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("room__isnull", False), ("state__in", ("CALLED", "IN_ROOM"))),
                        fields=("organization", "room"),
                        name="ticket_one_in_room",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("room__isnull", True), ("state__in", ("CALLED", "IN_ROOM"))),
                        fields=("organization", "session"),
                        name="ticket_one_without_room",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "state__in",
                                ["EXPECTED", "WAITING", "CALLED", "MISSED", "HELD", "IN_ROOM", "DONE", "LEFT"],
                            )
                        ),
                        name="ticket_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("state__in", ("WAITING", "CALLED", "MISSED", "HELD", "IN_ROOM", "DONE")), _negated=True
                            ),
                            ("checked_in_at__isnull", False),
                            _connector="OR",
                        ),
                        name="ticket_when_here",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state__in", ("CALLED", "IN_ROOM")), _negated=True),
                            ("called_at__isnull", False),
                            _connector="OR",
                        ),
                        name="ticket_with_call",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Call",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("kind", models.CharField(choices=[("FIRST", "called"), ("AGAIN", "called again")], max_length=5)),
                ("label", models.CharField(max_length=8)),
                ("turn", models.PositiveIntegerField()),
                ("called_at", models.DateTimeField()),
                (
                    "called_by",
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
                (
                    "room",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="scheduling.resource",
                    ),
                ),
                (
                    "session",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="scheduling.session",
                    ),
                ),
                (
                    "ticket",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="calls",
                        to="waitingroom.ticket",
                    ),
                ),
            ],
            options={
                "db_table": "waitingroom_call",
                "indexes": [models.Index(fields=["organization", "session", "-called_at"], name="call_by_session")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("kind", "FIRST")),
                        fields=("organization", "session", "turn"),
                        name="call_one_a_turn",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Display",
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
                    "kind",
                    models.CharField(
                        choices=[("CALLS", "calls"), ("ENTRANCE", "check-in code")], default="CALLS", max_length=8
                    ),
                ),
                (
                    "language",
                    models.CharField(
                        choices=[
                            ("zh-hant", "Traditional Chinese"),
                            ("zh-hans", "Simplified Chinese"),
                            ("en", "English"),
                        ],
                        default="zh-hant",
                        max_length=10,
                    ),
                ),
                (
                    "theme",
                    models.CharField(
                        choices=[("auto", "as the device"), ("light", "light"), ("dark", "dark")],
                        default="dark",
                        max_length=5,
                    ),
                ),
                ("shows_names", models.BooleanField(db_default=True, default=True)),
                ("shows_code", models.BooleanField(db_default=True, default=True)),
                ("token_hash", models.BinaryField()),
                ("created_at", models.DateTimeField()),
                ("revoked_at", models.DateTimeField(null=True)),
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
                    "location",
                    models.ForeignKey(
                        db_index=False,
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
                "db_table": "waitingroom_display",
                "indexes": [models.Index(fields=["organization", "revoked_at"], name="display_by_revoked")],
                "constraints": [
                    models.UniqueConstraint(fields=("token_hash", "organization"), name="display_token_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="QueueRules",
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
                    "order",
                    models.CharField(
                        choices=[
                            ("BOOKED_FIRST", "booked patients at their time, walk-ins in between"),
                            ("RATIO", "so many booked, then so many walk-ins, in turn"),
                            ("NUMBER", "strictly by number"),
                        ],
                        db_default="BOOKED_FIRST",
                        default="BOOKED_FIRST",
                        max_length=12,
                    ),
                ),
                ("booked_in_turn", models.PositiveSmallIntegerField(db_default=2, default=2)),
                ("walk_ins_in_turn", models.PositiveSmallIntegerField(db_default=1, default=1)),
                (
                    "missed",
                    models.CharField(
                        choices=[
                            ("AFTER_N", "called again after some others"),
                            ("END_OF_LIST", "called again at the end of the list"),
                            ("RECHECKIN_REQUIRED", "must check in again"),
                        ],
                        db_default="AFTER_N",
                        default="AFTER_N",
                        max_length=20,
                    ),
                ),
                ("missed_after", models.PositiveSmallIntegerField(db_default=3, default=3)),
                ("missed_times", models.PositiveSmallIntegerField(db_default=2, default=2)),
                (
                    "self_check_in",
                    models.CharField(
                        choices=[
                            ("OFF", "only at the desk"),
                            ("CODE", "with the code shown at the clinic"),
                            ("OPEN", "from anywhere, once check-in is open"),
                        ],
                        db_default="CODE",
                        default="CODE",
                        max_length=4,
                    ),
                ),
                ("opens_minutes", models.PositiveSmallIntegerField(db_default=60, default=60)),
                ("closes_minutes", models.PositiveSmallIntegerField(db_default=10, default=10)),
                ("near", models.PositiveSmallIntegerField(db_default=3, default=3)),
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
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="records.practitioner",
                    ),
                ),
                (
                    "session",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="scheduling.session",
                    ),
                ),
            ],
            options={
                "db_table": "waitingroom_rules",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "practitioner", "session"),
                        name="queue_rules_once",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("practitioner__isnull", True), ("session__isnull", True), _connector="OR"),
                        name="queue_rules_of_one",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("booked_in_turn__range", (1, 20)), ("walk_ins_in_turn__range", (1, 20))),
                        name="queue_rules_ratio",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("missed_after__range", (1, 20)), ("missed_times__range", (1, 9)), ("near__range", (1, 20))
                        ),
                        name="queue_rules_missed",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("closes_minutes__lte", 720), ("opens_minutes__lte", 720)),
                        name="queue_rules_window",
                    ),
                ],
            },
        ),
    ]
