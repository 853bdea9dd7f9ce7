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
        ("tenancy", "0003_dailyrun"),
    ]

    operations = [
        migrations.CreateModel(
            name="ChannelAccount",
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
                    "channel",
                    models.CharField(choices=[("line", "LINE"), ("sms", "SMS"), ("email", "e-mail")], max_length=10),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("line", "LINE official account"),
                            ("email", "e-mail over SMTP"),
                            ("sandbox", "sandbox phone"),
                        ],
                        max_length=10,
                    ),
                ),
                ("name", models.CharField(max_length=80)),
                ("settings", models.JSONField(blank=True, default=dict)),
                ("secrets_sealed", models.BinaryField(null=True)),
                ("enabled", models.BooleanField(default=True)),
                ("is_default", models.BooleanField(default=False)),
                (
                    "monthly_budget",
                    models.PositiveIntegerField(blank=True, help_text="Messages a month; empty: no limit.", null=True),
                ),
                ("paused_until", models.DateTimeField(blank=True, null=True)),
                (
                    "pause_reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "running"),
                            ("rate", "the provider asked us to slow down"),
                            ("quota", "the provider's monthly messages are used up"),
                            ("auth", "the provider refuses our credentials"),
                            ("staff", "paused by staff"),
                        ],
                        default="",
                        max_length=10,
                    ),
                ),
                ("checked_at", models.DateTimeField(blank=True, null=True)),
                ("check_ok", models.BooleanField(null=True)),
                ("check_message", models.CharField(blank=True, default="", max_length=300)),
                ("changed_at", models.DateTimeField()),
                ("created_at", models.DateTimeField()),
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
                "db_table": "messaging_channel_account",
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "name"), name="channel_account_name_once"),
                    models.UniqueConstraint(
                        condition=models.Q(("enabled", True), ("is_default", True)),
                        fields=("organization", "channel"),
                        name="channel_account_one_default",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Conversation",
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
                    "channel",
                    models.CharField(choices=[("line", "LINE"), ("sms", "SMS"), ("email", "e-mail")], max_length=10),
                ),
                ("last_inbound_at", models.DateTimeField(null=True)),
                ("unread", models.PositiveIntegerField(db_default=0, default=0)),
                ("read_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField()),
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
                        on_delete=django.db.models.deletion.CASCADE, related_name="conversations", to="patients.patient"
                    ),
                ),
            ],
            options={
                "db_table": "messaging_conversation",
                "indexes": [models.Index(fields=["organization", "-last_inbound_at"], name="conversation_by_time")],
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "patient", "channel"), name="conversation_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="InboundEvent",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("event_id", models.CharField(db_collation="C", max_length=120)),
                ("kind", models.CharField(max_length=20)),
                ("occurred_at", models.DateTimeField()),
                ("received_at", models.DateTimeField()),
                ("address_index", models.BinaryField(null=True)),
                ("body_sealed", models.BinaryField(null=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "waiting"),
                            ("done", "done"),
                            ("stranger", "from nobody we know"),
                            ("ignored", "nothing to do"),
                        ],
                        db_default="waiting",
                        default="waiting",
                        max_length=10,
                    ),
                ),
                ("done_at", models.DateTimeField(null=True)),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="messaging.channelaccount",
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
                "db_table": "messaging_inbound_event",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "waiting")),
                        fields=["organization", "id"],
                        name="inbound_event_waiting",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "account", "event_id"), name="inbound_event_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="MessageTemplate",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=careloop.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("key", models.CharField(db_collation="C", max_length=60)),
                ("name", models.CharField(max_length=80)),
                ("description", models.CharField(blank=True, default="", max_length=200)),
                (
                    "message_class",
                    models.CharField(
                        choices=[
                            ("OPERATIONAL", "operational"),
                            ("CARE", "care"),
                            ("EDUCATION", "education"),
                            ("SURVEY", "survey"),
                            ("MARKETING", "marketing"),
                        ],
                        max_length=12,
                    ),
                ),
                ("is_library", models.BooleanField(default=False, help_text="came with the program")),
                ("is_archived", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField()),
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
                "db_table": "messaging_template",
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "key"), name="message_template_key_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("message_class__in", ["OPERATIONAL", "CARE", "EDUCATION", "SURVEY", "MARKETING"])
                        ),
                        name="message_template_has_class",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="TemplateVersion",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=careloop.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("texts", models.JSONField(default=dict)),
                ("variables", models.JSONField(default=list)),
                ("required", models.JSONField(default=list)),
                ("verdict", models.JSONField(default=dict)),
                ("note", models.CharField(blank=True, default="", max_length=200)),
                ("created_at", models.DateTimeField()),
                ("published_at", models.DateTimeField(blank=True, null=True)),
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
                    "published_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "template",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="versions",
                        to="messaging.messagetemplate",
                    ),
                ),
            ],
            options={
                "db_table": "messaging_template_version",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "template", "number"), name="template_version_once"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("published_at__isnull", True)),
                        fields=("organization", "template"),
                        name="template_one_draft",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Message",
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
                ("key", models.CharField(db_collation="C", max_length=200)),
                (
                    "channel",
                    models.CharField(
                        blank=True,
                        choices=[("line", "LINE"), ("sms", "SMS"), ("email", "e-mail")],
                        db_default="",
                        max_length=10,
                    ),
                ),
                (
                    "message_class",
                    models.CharField(
                        choices=[
                            ("OPERATIONAL", "operational"),
                            ("CARE", "care"),
                            ("EDUCATION", "education"),
                            ("SURVEY", "survey"),
                            ("MARKETING", "marketing"),
                        ],
                        max_length=12,
                    ),
                ),
                ("language", models.CharField(db_default="zh-hant", max_length=10)),
                ("params", models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict)),
                (
                    "content_sealed",
                    models.BinaryField(help_text="what was said, sealed under the patient's key", null=True),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("planned", "planned"),
                            ("claimed", "being sent"),
                            ("accepted", "sent"),
                            ("failed", "failed"),
                            ("unknown", "unknown"),
                            ("cancelled", "cancelled"),
                            ("blocked", "not sent"),
                        ],
                        db_default="planned",
                        default="planned",
                        max_length=10,
                    ),
                ),
                ("reason", models.CharField(blank=True, db_default="", max_length=30)),
                ("details", models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict)),
                ("due_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField(null=True)),
                (
                    "at_once",
                    models.BooleanField(
                        db_default=False, default=False, help_text="answers the patient: no quiet hours"
                    ),
                ),
                (
                    "fixed_channel",
                    models.BooleanField(db_default=False, default=False, help_text="staff chose the channel"),
                ),
                ("lease_id", models.UUIDField(null=True)),
                ("lease_until", models.DateTimeField(null=True)),
                ("handed_at", models.DateTimeField(null=True)),
                ("first_tried_at", models.DateTimeField(null=True)),
                ("attempts", models.PositiveSmallIntegerField(db_default=0, default=0)),
                ("provider_id", models.CharField(blank=True, db_collation="C", db_default="", max_length=200)),
                (
                    "origin",
                    models.CharField(
                        choices=[
                            ("journey", "care journey"),
                            ("staff", "staff"),
                            ("reply", "automatic answer"),
                            ("campaign", "campaign"),
                            ("api", "programming interface"),
                        ],
                        db_default="staff",
                        default="staff",
                        max_length=10,
                    ),
                ),
                ("origin_id", models.CharField(blank=True, db_collation="C", db_default="", max_length=120)),
                ("planned_at", models.DateTimeField()),
                ("accepted_at", models.DateTimeField(null=True)),
                ("closed_at", models.DateTimeField(help_text="failed, unknown, cancelled or blocked since", null=True)),
                ("answered_at", models.DateTimeField(null=True)),
                ("answer", models.CharField(blank=True, db_default="", max_length=40)),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="messaging.channelaccount",
                    ),
                ),
                (
                    "contact_point",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="patients.contactpoint",
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
                        related_name="messages",
                        to="patients.patient",
                    ),
                ),
                (
                    "planned_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "related_person",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="patients.relatedperson",
                    ),
                ),
                (
                    "template_version",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="messaging.templateversion",
                    ),
                ),
            ],
            options={
                "db_table": "messaging_message",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "planned")),
                        fields=["organization", "account", "due_at", "id"],
                        name="message_due",
                    ),
                    models.Index(
                        condition=models.Q(("state", "claimed")),
                        fields=["organization", "lease_until"],
                        name="message_leases",
                    ),
                    models.Index(fields=["organization", "patient", "-due_at"], name="message_by_patient"),
                    models.Index(fields=["organization", "-due_at", "-id"], name="message_by_time"),
                    models.Index(fields=["organization", "contact_point", "-accepted_at"], name="message_by_contact"),
                    models.Index(
                        condition=models.Q(("origin_id", ""), _negated=True),
                        fields=["organization", "origin", "origin_id"],
                        name="message_by_origin",
                    ),
                    models.Index(fields=["organization", "account", "accepted_at"], name="message_by_account_sent"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "key"), name="message_once_per_key"),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "state__in",
                                ["planned", "claimed", "accepted", "failed", "unknown", "cancelled", "blocked"],
                            )
                        ),
                        name="message_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state__in", ["blocked", "failed", "unknown", "cancelled"]), _negated=True),
                            models.Q(("reason", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="message_says_why_not",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="InboundMessage",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=careloop.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("event_id", models.CharField(db_collation="C", max_length=160)),
                ("kind", models.CharField(max_length=20)),
                ("text_sealed", models.BinaryField(null=True)),
                ("answer", models.CharField(blank=True, db_default="", max_length=40)),
                ("provider_message_id", models.CharField(blank=True, db_collation="C", db_default="", max_length=200)),
                (
                    "unsure",
                    models.BooleanField(
                        default=False, help_text="several patients share this address; the likeliest was taken"
                    ),
                ),
                ("occurred_at", models.DateTimeField()),
                ("taken_back_at", models.DateTimeField(null=True)),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="messaging.channelaccount",
                    ),
                ),
                (
                    "conversation",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="inbound",
                        to="messaging.conversation",
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
                        related_name="inbound_messages",
                        to="patients.patient",
                    ),
                ),
                (
                    "in_reply_to",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="replies",
                        to="messaging.message",
                    ),
                ),
            ],
            options={
                "db_table": "messaging_inbound_message",
                "indexes": [
                    models.Index(
                        fields=["organization", "conversation", "-occurred_at"], name="inbound_by_conversation"
                    ),
                    models.Index(fields=["organization", "patient", "-occurred_at"], name="inbound_by_patient"),
                    models.Index(
                        condition=models.Q(("provider_message_id", ""), _negated=True),
                        fields=["organization", "provider_message_id"],
                        name="inbound_by_provider",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "event_id"), name="inbound_message_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="AnswerLink",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("token_hash", models.BinaryField()),
                ("expires_at", models.DateTimeField()),
                ("first_opened_at", models.DateTimeField(null=True)),
                ("revoked_at", models.DateTimeField(null=True)),
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
                    "message",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="links", to="messaging.message"
                    ),
                ),
            ],
            options={
                "db_table": "messaging_answer_link",
                "constraints": [
                    models.UniqueConstraint(fields=("token_hash", "organization"), name="answer_link_token_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="MessageNote",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("what", models.CharField(max_length=30)),
                ("reason", models.CharField(blank=True, db_default="", max_length=30)),
                ("details", models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict)),
                (
                    "by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "message",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="notes", to="messaging.message"
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
                "db_table": "messaging_note",
            },
        ),
        migrations.CreateModel(
            name="OrganizationKey",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
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
                "db_table": "messaging_organization_key",
                "constraints": [models.UniqueConstraint(fields=("organization",), name="messaging_one_key")],
            },
        ),
    ]
