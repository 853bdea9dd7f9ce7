import django.contrib.postgres.fields
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
        ("tenancy", "0006_embed_origins"),
    ]

    operations = [
        migrations.CreateModel(
            name="Programme",
            fields=[
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
                ("point_name", models.CharField(db_default="點", default="點", max_length=12)),
                (
                    "location",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenancy.location",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("DRAFT", "being prepared"), ("OPEN", "open"), ("CLOSED", "closed")],
                        db_default="DRAFT",
                        default="DRAFT",
                        max_length=6,
                    ),
                ),
                (
                    "valid_months",
                    models.PositiveSmallIntegerField(
                        db_default=24,
                        default=24,
                        help_text="Points end with the month that lies so many months later; 0: never.",
                    ),
                ),
                (
                    "when_spent",
                    models.CharField(
                        choices=[
                            ("NEGATIVE", "the balance goes below zero"),
                            ("BLOCK", "only what is still there is taken back"),
                        ],
                        db_default="NEGATIVE",
                        default="NEGATIVE",
                        max_length=8,
                    ),
                ),
                (
                    "allows_pools",
                    models.BooleanField(db_default=False, default=False, help_text="Families may share points."),
                ),
                ("allows_transfers", models.BooleanField(db_default=False, default=False)),
                ("point_value", models.PositiveIntegerField(db_default=100, default=100)),
                (
                    "cap_day",
                    models.PositiveIntegerField(blank=True, help_text="Points an account earns at most.", null=True),
                ),
                ("cap_month", models.PositiveIntegerField(blank=True, null=True)),
                ("cap_year", models.PositiveIntegerField(blank=True, null=True)),
                ("terms", models.TextField(blank=True, db_default="", default="")),
                ("opened_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField()),
                ("changed_at", models.DateTimeField()),
                ("version", models.PositiveIntegerField(db_default=1, default=1)),
            ],
            options={
                "db_table": "loyalty_programme",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "OPEN")),
                        fields=("organization", "location"),
                        name="loyalty_one_open_programme",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(condition=models.Q(("valid_months__lte", 120)), name="loyalty_valid_months"),
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="Partner",
            fields=[
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
                ("contact", models.CharField(blank=True, db_default="", default="", max_length=120)),
                ("is_active", models.BooleanField(db_default=True, default=True)),
                ("link_number", models.PositiveIntegerField(db_default=1, default=1)),
                ("token_hash", models.BinaryField(max_length=32)),
                ("pin_hash", models.CharField(db_default="", default="", max_length=200)),
                ("created_at", models.DateTimeField()),
                ("version", models.PositiveIntegerField(db_default=1, default=1)),
            ],
            options={
                "db_table": "loyalty_partner",
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "name"), name="loyalty_partner_name_once"),
                    models.UniqueConstraint(fields=("token_hash", "organization"), name="loyalty_partner_link_once"),
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="GreetingPlan",
            fields=[
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
                    "occasion",
                    models.CharField(
                        choices=[
                            ("BIRTHDAY", "Birthday"),
                            ("NEW_YEAR", "New Year"),
                            ("SPRING_FESTIVAL", "Lunar New Year"),
                            ("LANTERN", "Lantern Festival"),
                            ("MOTHERS_DAY", "Mother’s Day"),
                            ("DRAGON_BOAT", "Dragon Boat Festival"),
                            ("FATHERS_DAY", "Father’s Day (8 August)"),
                            ("QIXI", "Qixi Festival"),
                            ("MID_AUTUMN", "Mid-Autumn Festival"),
                            ("DOUBLE_NINTH", "Double Ninth Festival"),
                            ("WINTER_SOLSTICE", "Winter Solstice"),
                        ],
                        db_collation="C",
                        max_length=20,
                    ),
                ),
                ("template_key", models.CharField(db_collation="C", max_length=60)),
                (
                    "who",
                    models.CharField(
                        choices=[("MEMBERS", "members"), ("PATIENTS", "all patients")],
                        db_default="MEMBERS",
                        default="MEMBERS",
                        max_length=8,
                    ),
                ),
                (
                    "seen_within_months",
                    models.PositiveSmallIntegerField(
                        db_default=36, default=36, help_text="Only who was here in so many months; 0: everybody."
                    ),
                ),
                (
                    "days_before",
                    models.PositiveSmallIntegerField(
                        db_default=0, default=0, help_text="Days before the occasion on which the greeting goes."
                    ),
                ),
                (
                    "window_days",
                    models.PositiveSmallIntegerField(
                        db_default=0, default=0, help_text="Surprise: up to so many days before or after the birthday."
                    ),
                ),
                ("hour", models.PositiveSmallIntegerField(db_default=9, default=9)),
                (
                    "gives",
                    models.CharField(
                        blank=True,
                        choices=[("", "nothing but the greeting"), ("POINTS", "points"), ("COUPON", "a coupon")],
                        db_default="",
                        default="",
                        max_length=6,
                    ),
                ),
                ("points", models.PositiveIntegerField(db_default=0, default=0)),
                ("coupon_id", models.UUIDField(blank=True, null=True)),
                ("is_on", models.BooleanField(db_default=False, default=False)),
                ("created_at", models.DateTimeField()),
                ("changed_at", models.DateTimeField()),
                (
                    "changed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("version", models.PositiveIntegerField(db_default=1, default=1)),
            ],
            options={
                "db_table": "loyalty_greeting_plan",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("is_on", True)),
                        fields=("organization", "occasion"),
                        name="loyalty_one_plan_an_occasion",
                    ),
                    models.CheckConstraint(condition=models.Q(("hour__lte", 23)), name="loyalty_greeting_hour"),
                    models.CheckConstraint(
                        condition=models.Q(("days_before__lte", 30), ("window_days__lte", 30)),
                        name="loyalty_greeting_window",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                models.Q(("gives", "POINTS"), ("points__gt", 0)),
                                models.Q(models.Q(("gives", "POINTS"), _negated=True), ("points", 0)),
                                _connector="OR",
                            ),
                            models.Q(
                                models.Q(("coupon_id__isnull", False), ("gives", "COUPON")),
                                models.Q(("gives", "COUPON"), _negated=True),
                                _connector="OR",
                            ),
                        ),
                        name="loyalty_greeting_gives_something",
                    ),
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="ThanksWish",
            fields=[
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
                    "patient",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="patients.patient",
                    ),
                ),
                ("wants_greetings", models.BooleanField(db_default=True, default=True)),
                (
                    "calendar",
                    models.CharField(
                        choices=[("SOLAR", "solar calendar"), ("LUNAR", "lunar calendar")],
                        db_default="SOLAR",
                        default="SOLAR",
                        max_length=5,
                    ),
                ),
                ("lunar_of", models.DateField(null=True)),
                ("lunar_month", models.PositiveSmallIntegerField(null=True)),
                ("lunar_day", models.PositiveSmallIntegerField(null=True)),
                ("changed_at", models.DateTimeField()),
            ],
            options={
                "db_table": "loyalty_thanks_wish",
                "indexes": [
                    models.Index(
                        condition=models.Q(("calendar", "LUNAR")),
                        fields=["organization", "lunar_month", "lunar_day"],
                        name="loyalty_lunar_birthdays",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "patient"), name="loyalty_one_thanks_wish"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("lunar_day__isnull", True), ("lunar_month__isnull", True)),
                            models.Q(("lunar_day__range", (1, 30)), ("lunar_month__range", (1, 12))),
                            _connector="OR",
                        ),
                        name="loyalty_lunar_birthday",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Interest",
            fields=[
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
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "patient",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="patients.patient",
                    ),
                ),
                ("topic", models.CharField(db_collation="C", max_length=20)),
                ("chosen_at", models.DateTimeField()),
            ],
            options={
                "db_table": "loyalty_interest",
                "indexes": [
                    models.Index(fields=["organization", "topic", "patient"], name="loyalty_interest_by_topic")
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "patient", "topic"), name="loyalty_interest_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="NewsletterIssue",
            fields=[
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
                    "id",
                    models.UUIDField(
                        db_default=careloop.tenancy.models.NewId(),
                        default=careloop.kernel.ids.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("title", models.CharField(max_length=80)),
                ("texts", models.JSONField(default=dict)),
                (
                    "topics",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=20),
                        blank=True,
                        db_default=models.Value("{}"),
                        default=list,
                        help_text="Members interested in one of these get it; none chosen: all members.",
                        size=None,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("DRAFT", "being written"), ("CHECKED", "ready to send"), ("SENT", "sent")],
                        db_default="DRAFT",
                        default="DRAFT",
                        max_length=7,
                    ),
                ),
                ("message_class", models.CharField(blank=True, db_default="", default="", max_length=12)),
                (
                    "template_key",
                    models.CharField(blank=True, db_collation="C", db_default="", default="", max_length=60),
                ),
                ("verdict", models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict)),
                ("send_at", models.DateTimeField(blank=True, null=True)),
                ("sent_at", models.DateTimeField(null=True)),
                (
                    "sent_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "counted",
                    models.JSONField(
                        db_default=models.Value({}, models.JSONField()),
                        default=dict,
                        help_text="members, not interested, planned, left out and why",
                    ),
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
                ("changed_at", models.DateTimeField()),
                ("version", models.PositiveIntegerField(db_default=1, default=1)),
            ],
            options={
                "db_table": "loyalty_newsletter_issue",
                "indexes": [
                    models.Index(fields=["organization", "-created_at", "-id"], name="loyalty_newsletter_by_time")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state", "DRAFT"),
                            models.Q(
                                models.Q(("message_class", ""), _negated=True),
                                models.Q(("template_key", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="loyalty_newsletter_judged",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("sent_at__isnull", False), ("state", "SENT")),
                            models.Q(models.Q(("state", "SENT"), _negated=True), ("sent_at__isnull", True)),
                            _connector="OR",
                        ),
                        name="loyalty_newsletter_sent",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ReferralProgramme",
            fields=[
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
                    "id",
                    models.UUIDField(
                        db_default=careloop.tenancy.models.NewId(),
                        default=careloop.kernel.ids.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("is_on", models.BooleanField(db_default=False, default=False)),
                (
                    "gives",
                    models.CharField(
                        choices=[("THANKS", "words of thanks"), ("POINTS", "points"), ("COUPON", "a coupon")],
                        db_default="THANKS",
                        default="THANKS",
                        max_length=6,
                    ),
                ),
                ("points", models.PositiveIntegerField(db_default=0, default=0)),
                ("coupon_id", models.UUIDField(blank=True, null=True)),
                (
                    "thanks_key",
                    models.CharField(
                        db_collation="C",
                        db_default="referral-thanks",
                        default="referral-thanks",
                        help_text="The text that thanks the member; it names nobody.",
                        max_length=60,
                    ),
                ),
                (
                    "monthly_limit",
                    models.PositiveSmallIntegerField(
                        db_default=5,
                        default=5,
                        help_text="More friends of one member in 30 days are looked at by staff.",
                    ),
                ),
                (
                    "claim_days",
                    models.PositiveSmallIntegerField(
                        db_default=30,
                        default=30,
                        help_text="So long after registering a friend can still say who sent them.",
                    ),
                ),
                (
                    "visit_days",
                    models.PositiveSmallIntegerField(
                        db_default=365,
                        default=365,
                        help_text="The first visit counts when it comes within so many days.",
                    ),
                ),
                ("changed_at", models.DateTimeField()),
                (
                    "changed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("version", models.PositiveIntegerField(db_default=1, default=1)),
            ],
            options={
                "db_table": "loyalty_referral_programme",
                "constraints": [
                    models.UniqueConstraint(fields=("organization",), name="loyalty_one_referral_programme"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                models.Q(("gives", "POINTS"), ("points__gt", 0)),
                                models.Q(models.Q(("gives", "POINTS"), _negated=True), ("points", 0)),
                                _connector="OR",
                            ),
                            models.Q(
                                models.Q(("coupon_id__isnull", False), ("gives", "COUPON")),
                                models.Q(("gives", "COUPON"), _negated=True),
                                _connector="OR",
                            ),
                        ),
                        name="loyalty_referral_gives_something",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("claim_days__gte", 1), ("monthly_limit__gte", 1), ("visit_days__gte", 1)),
                        name="loyalty_referral_limits",
                    ),
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="ReferralCode",
            fields=[
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
                    "patient",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="patients.patient",
                    ),
                ),
                ("code", models.CharField(db_collation="C", max_length=7)),
                ("made_at", models.DateTimeField()),
            ],
            options={
                "db_table": "loyalty_referral_code",
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "code"), name="loyalty_referral_code_once"),
                    models.UniqueConstraint(fields=("organization", "patient"), name="loyalty_one_referral_code"),
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="Referral",
            fields=[
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
                    "referrer",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="patients.patient",
                    ),
                ),
                (
                    "friend",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="patients.patient",
                    ),
                ),
                (
                    "how",
                    models.CharField(
                        choices=[("LINK", "link or QR code"), ("TYPED", "code typed in"), ("DESK", "told at the desk")],
                        max_length=5,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("WAITING", "first visit to come"),
                            ("HELD", "to be decided"),
                            ("COMPLETED", "came"),
                            ("REFUSED", "not counted"),
                            ("EXPIRED", "did not come"),
                        ],
                        db_default="WAITING",
                        default="WAITING",
                        max_length=9,
                    ),
                ),
                (
                    "reasons",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=20),
                        db_default=models.Value("{}"),
                        default=list,
                        size=None,
                    ),
                ),
                (
                    "shows_name",
                    models.BooleanField(
                        db_default=False, default=False, help_text="The friend lets the member see their name."
                    ),
                ),
                ("made_at", models.DateTimeField()),
                (
                    "made_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("visited_at", models.DateTimeField(null=True)),
                ("completed_at", models.DateTimeField(null=True)),
                ("decided_at", models.DateTimeField(null=True)),
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("decision_note", models.CharField(blank=True, db_default="", default="", max_length=300)),
                (
                    "given",
                    models.CharField(
                        blank=True,
                        db_default="",
                        default="",
                        help_text="THANKS, POINTS, COUPON; empty while nothing was",
                        max_length=8,
                    ),
                ),
                (
                    "withheld",
                    models.CharField(
                        blank=True, db_default="", default="", help_text="why less was given than set", max_length=20
                    ),
                ),
                ("version", models.PositiveIntegerField(db_default=1, default=1)),
            ],
            options={
                "db_table": "loyalty_referral",
                "indexes": [
                    models.Index(fields=["organization", "referrer", "-made_at"], name="loyalty_referral_by_referrer"),
                    models.Index(fields=["organization", "-made_at", "-id"], name="loyalty_referral_by_time"),
                    models.Index(
                        condition=models.Q(("state", "WAITING")),
                        fields=["organization", "made_at"],
                        name="loyalty_referral_waiting",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "friend"), name="loyalty_one_referral_of_a_friend"),
                    models.CheckConstraint(
                        condition=models.Q(("referrer", models.F("friend")), _negated=True),
                        name="loyalty_nobody_refers_themself",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("completed_at__isnull", False), ("state", "COMPLETED"), ("visited_at__isnull", False)
                            ),
                            models.Q(models.Q(("state", "COMPLETED"), _negated=True), ("completed_at__isnull", True)),
                            _connector="OR",
                        ),
                        name="loyalty_referral_completed_by_a_visit",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "REFUSED"), _negated=True),
                            ("decided_at__isnull", False),
                            _connector="OR",
                        ),
                        name="loyalty_referral_refused_by_somebody",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Terms",
            fields=[
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
                    "programme",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.programme",
                    ),
                ),
                ("text", models.TextField()),
                ("text_hash", models.BinaryField()),
                ("written_at", models.DateTimeField()),
                (
                    "written_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "loyalty_terms",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "programme", "text_hash"), name="loyalty_terms_once"
                    )
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="Settlement",
            fields=[
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
                    "partner",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="settlements",
                        to="loyalty.partner",
                    ),
                ),
                ("first_day", models.DateField()),
                ("last_day", models.DateField()),
                ("uses", models.PositiveIntegerField()),
                ("amount", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("lines", models.JSONField()),
                ("note", models.CharField(db_default="", default="", max_length=200)),
                ("settled_at", models.DateTimeField()),
                (
                    "settled_by",
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
                "db_table": "loyalty_settlement",
                "indexes": [
                    models.Index(fields=["organization", "partner", "-settled_at"], name="loyalty_settlements_of")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("last_day__gte", models.F("first_day"))), name="loyalty_settlement_days"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Coupon",
            fields=[
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
                    "programme",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.programme",
                    ),
                ),
                ("name", models.CharField(max_length=60)),
                ("names", models.JSONField(blank=True, db_default=models.Value({}, models.JSONField()), default=dict)),
                ("text", models.CharField(blank=True, db_default="", default="", max_length=500)),
                ("texts", models.JSONField(blank=True, db_default=models.Value({}, models.JSONField()), default=dict)),
                (
                    "gives",
                    models.CharField(
                        choices=[
                            ("SERVICE", "a small service that is not medical"),
                            ("GOODS", "goods"),
                            ("CONTENT", "a lecture or reading matter"),
                            ("PRIORITY", "earlier booking"),
                            ("TICKET", "a ticket of a draw"),
                            ("CARE", "care, a test or a treatment"),
                            ("CARE_DISCOUNT", "a lower price of care"),
                            ("COPAY", "a waived NHI co-pay"),
                        ],
                        max_length=13,
                    ),
                ),
                ("value", models.PositiveIntegerField(db_default=0, default=0)),
                (
                    "state",
                    models.CharField(
                        choices=[("DRAFT", "being prepared"), ("ON", "switched on"), ("OFF", "ended")],
                        db_default="DRAFT",
                        default="DRAFT",
                        max_length=5,
                    ),
                ),
                ("valid_from", models.DateField(blank=True, null=True)),
                ("valid_until", models.DateField(blank=True, help_text="The last day, included.", null=True)),
                ("created_at", models.DateTimeField()),
                ("changed_at", models.DateTimeField()),
                ("version", models.PositiveIntegerField(db_default=1, default=1)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("SINGLE", "one code for one patient"),
                            ("SERIES", "a series of codes"),
                            ("PERSONAL", "given for a reason"),
                            ("PARTNER", "a partner’s offer"),
                        ],
                        max_length=8,
                    ),
                ),
                (
                    "given_for",
                    models.CharField(
                        choices=[
                            ("MANUAL", "by hand"),
                            ("BIRTHDAY", "a birthday"),
                            ("FESTIVAL", "a festival"),
                            ("REFERRAL", "a referral"),
                            ("DRAW", "a draw"),
                            ("TIER", "a tier"),
                            ("QUESTIONNAIRE", "a questionnaire"),
                            ("LECTURE", "a lecture"),
                            ("EDUCATION", "education read"),
                            ("VISIT", "a visit"),
                            ("SELF_PAY", "a self-pay purchase"),
                            ("REVIEW", "a review"),
                        ],
                        db_default="MANUAL",
                        default="MANUAL",
                        max_length=13,
                    ),
                ),
                (
                    "partner",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="offers",
                        to="loyalty.partner",
                    ),
                ),
                ("pays", models.PositiveIntegerField(db_default=0, default=0)),
                ("at_most", models.PositiveIntegerField(blank=True, null=True)),
                ("per_member", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("good_days", models.PositiveSmallIntegerField(db_default=30, default=30)),
                ("undo_hours", models.PositiveSmallIntegerField(db_default=24, default=24)),
            ],
            options={
                "db_table": "loyalty_coupon",
                "indexes": [models.Index(fields=["organization", "programme", "state"], name="loyalty_coupons_of")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["DRAFT", "ON", "OFF"])), name="loyalty_coupon_state_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "gives__in",
                                ["SERVICE", "GOODS", "CONTENT", "PRIORITY", "TICKET", "CARE", "CARE_DISCOUNT", "COPAY"],
                            )
                        ),
                        name="loyalty_coupon_gives_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_from__isnull", True),
                            ("valid_until__isnull", True),
                            ("valid_until__gte", models.F("valid_from")),
                            _connector="OR",
                        ),
                        name="loyalty_coupon_dates_in_order",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["SINGLE", "SERIES", "PERSONAL", "PARTNER"])),
                        name="loyalty_coupon_kind",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "PARTNER"), ("partner__isnull", False)),
                            models.Q(
                                models.Q(("kind", "PARTNER"), _negated=True), ("partner__isnull", True), ("pays", 0)
                            ),
                            _connector="OR",
                        ),
                        name="loyalty_partners_have_offers",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("good_days__range", (1, 730))), name="loyalty_coupon_days"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Tier",
            fields=[
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
                    "programme",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="tiers",
                        to="loyalty.programme",
                    ),
                ),
                ("rank", models.PositiveSmallIntegerField()),
                ("name", models.CharField(max_length=30)),
                (
                    "colour",
                    models.CharField(
                        choices=[
                            ("grey", "grey"),
                            ("bronze", "bronze"),
                            ("silver", "silver"),
                            ("gold", "gold"),
                            ("platinum", "platinum"),
                        ],
                        db_default="grey",
                        default="grey",
                        max_length=8,
                    ),
                ),
                (
                    "join",
                    models.CharField(
                        choices=[("ALL", "all of them"), ("ANY", "any of them"), ("HAND", "given by hand only")],
                        db_default="ALL",
                        default="ALL",
                        max_length=4,
                    ),
                ),
                (
                    "window",
                    models.CharField(
                        choices=[("MONTHS", "the last months"), ("YEAR", "the calendar year")],
                        db_default="MONTHS",
                        default="MONTHS",
                        max_length=6,
                    ),
                ),
                ("months", models.PositiveSmallIntegerField(db_default=12, default=12)),
                ("grace_days", models.PositiveSmallIntegerField(db_default=30, default=30)),
                ("is_active", models.BooleanField(db_default=True, default=True)),
                ("created_at", models.DateTimeField()),
                ("changed_at", models.DateTimeField()),
                ("version", models.PositiveIntegerField(db_default=1, default=1)),
            ],
            options={
                "db_table": "loyalty_tier",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("is_active", True)),
                        fields=("organization", "programme", "rank"),
                        name="loyalty_tier_rank_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("grace_days__lte", 366),
                            ("months__gte", 1),
                            ("months__lte", 60),
                            ("rank__gte", 1),
                            ("rank__lte", 99),
                        ),
                        name="loyalty_tier_numbers",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("join__in", ["ALL", "ANY", "HAND"]), ("window__in", ["MONTHS", "YEAR"])),
                        name="loyalty_tier_words",
                    ),
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="EarnRule",
            fields=[
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
                    "programme",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="earn_rules",
                        to="loyalty.programme",
                    ),
                ),
                ("name", models.CharField(max_length=60)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("VISIT", "visit"),
                            ("KEPT_APPOINTMENT", "kept appointment"),
                            ("SELF_PAY", "self-pay amount"),
                            ("QUESTIONNAIRE", "questionnaire answered"),
                            ("LECTURE", "lecture attended"),
                            ("EDUCATION", "education read"),
                            ("REFERRAL", "referral’s first completed visit"),
                            ("SIGN_UP", "joining"),
                            ("MANUAL", "by hand"),
                        ],
                        max_length=16,
                    ),
                ),
                ("points", models.PositiveIntegerField()),
                ("per_amount", models.PositiveBigIntegerField(db_default=0, default=0)),
                (
                    "rounding",
                    models.CharField(
                        choices=[
                            ("DOWN", "only whole ones count"),
                            ("NEAREST", "to the nearest whole one"),
                            ("UP", "begun ones count"),
                        ],
                        db_default="DOWN",
                        default="DOWN",
                        max_length=7,
                    ),
                ),
                ("settle_days", models.PositiveSmallIntegerField(db_default=0, default=0)),
                ("cap_day", models.PositiveIntegerField(blank=True, null=True)),
                ("cap_month", models.PositiveIntegerField(blank=True, null=True)),
                ("cap_year", models.PositiveIntegerField(blank=True, null=True)),
                (
                    "multipliers",
                    models.JSONField(blank=True, db_default=models.Value([], models.JSONField()), default=list),
                ),
                ("priority", models.PositiveSmallIntegerField(db_default=100, default=100)),
                ("stops_others", models.BooleanField(db_default=False, default=False)),
                ("valid_from", models.DateField(blank=True, null=True)),
                ("valid_to", models.DateField(blank=True, null=True)),
                ("is_on", models.BooleanField(db_default=False, default=False)),
                ("created_at", models.DateTimeField()),
                ("changed_at", models.DateTimeField()),
                ("version", models.PositiveIntegerField(db_default=1, default=1)),
            ],
            options={
                "db_table": "loyalty_earn_rule",
                "indexes": [models.Index(fields=["organization", "programme", "priority"], name="loyalty_rules_of")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("points__gt", 0), ("points__lte", 100000)), name="loyalty_rule_points"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "SELF_PAY"), ("per_amount__gt", 0)),
                            models.Q(models.Q(("kind", "SELF_PAY"), _negated=True), ("per_amount", 0)),
                            _connector="OR",
                        ),
                        name="loyalty_rule_per_amount",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("settle_days__lte", 365)), name="loyalty_rule_settle_days"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_from__isnull", True),
                            ("valid_to__isnull", True),
                            ("valid_from__lte", models.F("valid_to")),
                            _connector="OR",
                        ),
                        name="loyalty_rule_period",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Greeting",
            fields=[
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
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "plan",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="greetings",
                        to="loyalty.greetingplan",
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
                ("occasion", models.CharField(db_collation="C", max_length=20)),
                ("year", models.PositiveSmallIntegerField()),
                ("on_date", models.DateField(help_text="the day the greeting goes")),
                ("planned_at", models.DateTimeField()),
                (
                    "given",
                    models.CharField(
                        blank=True, db_default="", default="", help_text="POINTS, COUPON or nothing", max_length=8
                    ),
                ),
            ],
            options={
                "db_table": "loyalty_greeting",
                "indexes": [models.Index(fields=["organization", "plan", "-on_date"], name="loyalty_greeting_by_plan")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "patient", "occasion", "year"), name="loyalty_greeted_once_a_year"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Reward",
            fields=[
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
                    "programme",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.programme",
                    ),
                ),
                ("name", models.CharField(max_length=60)),
                ("names", models.JSONField(blank=True, db_default=models.Value({}, models.JSONField()), default=dict)),
                ("text", models.CharField(blank=True, db_default="", default="", max_length=500)),
                ("texts", models.JSONField(blank=True, db_default=models.Value({}, models.JSONField()), default=dict)),
                (
                    "gives",
                    models.CharField(
                        choices=[
                            ("SERVICE", "a small service that is not medical"),
                            ("GOODS", "goods"),
                            ("CONTENT", "a lecture or reading matter"),
                            ("PRIORITY", "earlier booking"),
                            ("TICKET", "a ticket of a draw"),
                            ("CARE", "care, a test or a treatment"),
                            ("CARE_DISCOUNT", "a lower price of care"),
                            ("COPAY", "a waived NHI co-pay"),
                        ],
                        max_length=13,
                    ),
                ),
                ("value", models.PositiveIntegerField(db_default=0, default=0)),
                (
                    "state",
                    models.CharField(
                        choices=[("DRAFT", "being prepared"), ("ON", "switched on"), ("OFF", "ended")],
                        db_default="DRAFT",
                        default="DRAFT",
                        max_length=5,
                    ),
                ),
                ("valid_from", models.DateField(blank=True, null=True)),
                ("valid_until", models.DateField(blank=True, help_text="The last day, included.", null=True)),
                ("created_at", models.DateTimeField()),
                ("changed_at", models.DateTimeField()),
                ("version", models.PositiveIntegerField(db_default=1, default=1)),
                ("points", models.PositiveIntegerField()),
                ("stock", models.IntegerField(blank=True, null=True)),
                (
                    "locations",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.UUIDField(),
                        blank=True,
                        db_default=models.Value(
                            [], django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), size=None)
                        ),
                        default=list,
                        size=None,
                    ),
                ),
                (
                    "tiers",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.UUIDField(),
                        blank=True,
                        db_default=models.Value(
                            [], django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), size=None)
                        ),
                        default=list,
                        size=None,
                    ),
                ),
                ("per_member", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("per_days", models.PositiveSmallIntegerField(db_default=0, default=0)),
                (
                    "hold_days",
                    models.PositiveSmallIntegerField(
                        db_default=14,
                        default=14,
                        help_text="For so many days the code can be used; the day it is made counts.",
                    ),
                ),
                (
                    "returns_points",
                    models.BooleanField(
                        db_default=True,
                        default=True,
                        help_text="The points come back when the code is not used in time.",
                    ),
                ),
                (
                    "undo_hours",
                    models.PositiveSmallIntegerField(
                        db_default=24,
                        default=24,
                        help_text="For so many hours the desk can take back that it was handed over.",
                    ),
                ),
            ],
            options={
                "db_table": "loyalty_reward",
                "indexes": [models.Index(fields=["organization", "programme", "state"], name="loyalty_rewards_of")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["DRAFT", "ON", "OFF"])), name="loyalty_reward_state_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "gives__in",
                                ["SERVICE", "GOODS", "CONTENT", "PRIORITY", "TICKET", "CARE", "CARE_DISCOUNT", "COPAY"],
                            )
                        ),
                        name="loyalty_reward_gives_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_from__isnull", True),
                            ("valid_until__isnull", True),
                            ("valid_until__gte", models.F("valid_from")),
                            _connector="OR",
                        ),
                        name="loyalty_reward_dates_in_order",
                    ),
                    models.CheckConstraint(condition=models.Q(("points__gt", 0)), name="loyalty_reward_costs_points"),
                    models.CheckConstraint(
                        condition=models.Q(("stock__isnull", True), ("stock__gte", 0), _connector="OR"),
                        name="loyalty_stock_not_below_zero",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("hold_days__range", (1, 365))), name="loyalty_hold_days"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("per_member__isnull", True), ("per_member__gt", 0), _connector="OR"),
                        name="loyalty_reward_limit",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Account",
            fields=[
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
                    "programme",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="accounts",
                        to="loyalty.programme",
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("PATIENT", "patient"),
                            ("POOL", "family"),
                            ("ISSUED", "issued"),
                            ("REDEEMED", "redeemed"),
                            ("EXPIRED", "expired"),
                            ("ADJUSTED", "adjusted"),
                        ],
                        max_length=8,
                    ),
                ),
                (
                    "patient",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="patients.patient",
                    ),
                ),
                (
                    "pool",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="members",
                        to="loyalty.account",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("ACTIVE", "active"), ("LEFT", "left")],
                        db_default="ACTIVE",
                        default="ACTIVE",
                        max_length=6,
                    ),
                ),
                ("member_number", models.CharField(db_collation="C", db_default="", default="", max_length=12)),
                ("balance", models.BigIntegerField(db_default=0, default=0)),
                ("joined_at", models.DateTimeField()),
                (
                    "joined_how",
                    models.CharField(db_default="", default="", help_text="a code of membership.HOW", max_length=10),
                ),
                (
                    "terms",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.terms",
                    ),
                ),
                (
                    "joined_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("left_at", models.DateTimeField(null=True)),
                ("version", models.PositiveIntegerField(db_default=1, default=1)),
                (
                    "tier",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.tier",
                    ),
                ),
                ("tier_since", models.DateField(null=True)),
                (
                    "earned_tier",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.tier",
                    ),
                ),
                ("review_on", models.DateField(null=True)),
                ("grace_until", models.DateField(null=True)),
                (
                    "hand_tier",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.tier",
                    ),
                ),
                ("hand_until", models.DateField(null=True)),
            ],
            options={
                "db_table": "loyalty_account",
                "indexes": [
                    models.Index(
                        condition=models.Q(("kind", "PATIENT")),
                        fields=["organization", "-joined_at", "-id"],
                        name="loyalty_members_by_join",
                    ),
                    models.Index(
                        condition=models.Q(("pool__isnull", False)),
                        fields=["organization", "pool"],
                        name="loyalty_account_pool",
                    ),
                    models.Index(
                        condition=models.Q(("review_on__isnull", False)),
                        fields=["organization", "review_on"],
                        name="loyalty_account_review",
                    ),
                    models.Index(
                        condition=models.Q(("hand_until__isnull", False)),
                        fields=["organization", "hand_until"],
                        name="loyalty_account_hand",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("kind", "PATIENT")),
                        fields=("organization", "patient", "programme"),
                        name="loyalty_one_account_of_a_patient",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("kind__in", ["PATIENT", "POOL"]), _negated=True),
                        fields=("organization", "programme", "kind"),
                        name="loyalty_one_account_of_a_kind",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("member_number", ""), _negated=True),
                        fields=("organization", "member_number"),
                        name="loyalty_member_number_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "PATIENT"), ("patient__isnull", False)),
                            models.Q(models.Q(("kind", "PATIENT"), _negated=True), ("patient__isnull", True)),
                            _connector="OR",
                        ),
                        name="loyalty_patient_has_a_patient_account",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["PATIENT", "POOL"]), ("balance", 0), _connector="OR"),
                        name="loyalty_own_accounts_keep_no_balance",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="TierCriterion",
            fields=[
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
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "tier",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="criteria",
                        to="loyalty.tier",
                    ),
                ),
                (
                    "metric",
                    models.CharField(
                        choices=[
                            ("VISITS", "visits"),
                            ("SELF_PAY", "self-pay amount on bills"),
                            ("PAID", "self-pay amount paid here"),
                            ("POINTS", "points earned"),
                            ("REFERRALS", "friends who came"),
                            ("KEPT", "kept appointments"),
                            ("ANSWERS", "days with an answer to us"),
                        ],
                        max_length=10,
                    ),
                ),
                ("at_least", models.PositiveBigIntegerField()),
            ],
            options={
                "db_table": "loyalty_tier_criterion",
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "tier", "metric"), name="loyalty_criterion_once"),
                    models.CheckConstraint(
                        condition=models.Q(("at_least__gte", 1), ("at_least__lte", 1000000000)),
                        name="loyalty_criterion_at_least",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("metric__in", ["VISITS", "SELF_PAY", "PAID", "POINTS", "REFERRALS", "KEPT", "ANSWERS"])
                        ),
                        name="loyalty_criterion_metric",
                    ),
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="Benefit",
            fields=[
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
                    "tier",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="benefits",
                        to="loyalty.tier",
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("BOOKING_WINDOW", "booking opens earlier"),
                            ("DEDICATED_LINE", "a line of its own"),
                            ("HEALTH_ADVISER", "a health adviser"),
                            ("CONTENT", "something to read"),
                            ("SERVICE_ITEM", "a small service"),
                            ("PRICE", "a lower price"),
                        ],
                        max_length=14,
                    ),
                ),
                ("name", models.CharField(max_length=60)),
                ("text", models.CharField(blank=True, db_default="", default="", max_length=300)),
                ("and_above", models.BooleanField(db_default=True, default=True)),
                ("days", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("count", models.PositiveSmallIntegerField(blank=True, null=True)),
                (
                    "period",
                    models.CharField(
                        blank=True,
                        choices=[("MONTH", "a month"), ("QUARTER", "a quarter"), ("YEAR", "a year")],
                        db_default="",
                        default="",
                        max_length=7,
                    ),
                ),
                ("percent", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("amount", models.PositiveBigIntegerField(blank=True, null=True)),
                ("contact", models.CharField(blank=True, db_default="", default="", max_length=80)),
                ("url", models.CharField(blank=True, db_default="", default="", max_length=300)),
                (
                    "practitioner",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="records.practitioner",
                    ),
                ),
                (
                    "is_care",
                    models.BooleanField(
                        db_default=False, default=False, help_text="It is care, a test or a treatment."
                    ),
                ),
                ("is_on", models.BooleanField(db_default=False, default=False)),
                ("created_at", models.DateTimeField()),
                ("changed_at", models.DateTimeField()),
                ("version", models.PositiveIntegerField(db_default=1, default=1)),
            ],
            options={
                "db_table": "loyalty_benefit",
                "indexes": [models.Index(fields=["organization", "tier"], name="loyalty_benefits_of")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("days__gte", 1), ("days__lte", 60), ("kind", "BOOKING_WINDOW")),
                            models.Q(models.Q(("kind", "BOOKING_WINDOW"), _negated=True), ("days__isnull", True)),
                            _connector="OR",
                        ),
                        name="loyalty_benefit_days",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("count__gte", 1),
                                ("count__lte", 99),
                                ("kind", "SERVICE_ITEM"),
                                models.Q(("period", ""), _negated=True),
                            ),
                            models.Q(
                                models.Q(("kind", "SERVICE_ITEM"), _negated=True),
                                ("count__isnull", True),
                                ("period", ""),
                            ),
                            _connector="OR",
                        ),
                        name="loyalty_benefit_count",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("amount__isnull", True), ("kind", "PRICE"), ("percent__gte", 1), ("percent__lte", 100)
                            ),
                            models.Q(("amount__gte", 1), ("kind", "PRICE"), ("percent__isnull", True)),
                            models.Q(
                                models.Q(("kind", "PRICE"), _negated=True),
                                ("amount__isnull", True),
                                ("percent__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="loyalty_benefit_price",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "kind__in",
                                [
                                    "BOOKING_WINDOW",
                                    "DEDICATED_LINE",
                                    "HEALTH_ADVISER",
                                    "CONTENT",
                                    "SERVICE_ITEM",
                                    "PRICE",
                                ],
                            )
                        ),
                        name="loyalty_benefit_kind_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Draw",
            fields=[
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
                    "programme",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="draws",
                        to="loyalty.programme",
                    ),
                ),
                ("name", models.CharField(max_length=60)),
                ("description", models.TextField(blank=True, db_default="", default="")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("DRAFT", "being prepared"),
                            ("OPEN", "open"),
                            ("CLOSED", "closed, tickets fixed"),
                            ("DRAWN", "drawn"),
                        ],
                        db_default="DRAFT",
                        default="DRAFT",
                        max_length=6,
                    ),
                ),
                (
                    "entry",
                    models.CharField(
                        choices=[
                            ("MEMBERS", "every member, one ticket"),
                            ("TIER", "every member of a tier or a higher one, one ticket"),
                            ("POINTS", "every member who earned so many points in the period, one ticket"),
                            ("KEPT", "every kept appointment in the period, one ticket each"),
                        ],
                        db_default="MEMBERS",
                        default="MEMBERS",
                        max_length=8,
                    ),
                ),
                (
                    "tier",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.tier",
                    ),
                ),
                ("least_points", models.PositiveIntegerField(db_default=0, default=0)),
                ("from_on", models.DateField(blank=True, null=True)),
                ("to_on", models.DateField(blank=True, null=True)),
                ("outside_source", models.CharField(blank=True, db_default="", default="", max_length=120)),
                ("outside_value", models.CharField(blank=True, db_default="", default="", max_length=120)),
                ("seed_hash", models.CharField(db_collation="C", db_default="", default="", max_length=64)),
                ("list_hash", models.CharField(db_collation="C", db_default="", default="", max_length=64)),
                ("seed", models.CharField(db_collation="C", db_default="", default="", max_length=64)),
                ("seed_sealed", models.BinaryField(null=True)),
                ("tickets_count", models.PositiveIntegerField(db_default=0, default=0)),
                ("opened_at", models.DateTimeField(null=True)),
                (
                    "opened_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("closed_at", models.DateTimeField(null=True)),
                (
                    "closed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("drawn_at", models.DateTimeField(null=True)),
                (
                    "drawn_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("created_at", models.DateTimeField()),
                ("version", models.PositiveIntegerField(db_default=1, default=1)),
            ],
            options={
                "db_table": "loyalty_draw",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["DRAFT", "OPEN", "CLOSED", "DRAWN"])),
                        name="loyalty_draw_state",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("seed_hash", ""), ("state", "DRAFT")),
                            models.Q(
                                models.Q(("state", "DRAFT"), _negated=True), models.Q(("seed_hash", ""), _negated=True)
                            ),
                            _connector="OR",
                        ),
                        name="loyalty_draw_promises_its_seed",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("list_hash", ""), ("state__in", ["DRAFT", "OPEN"])),
                            models.Q(("state__in", ["CLOSED", "DRAWN"]), models.Q(("list_hash", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="loyalty_draw_promises_its_list",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "DRAWN"), models.Q(("seed", ""), _negated=True)),
                            models.Q(models.Q(("state", "DRAWN"), _negated=True), ("seed", "")),
                            _connector="OR",
                        ),
                        name="loyalty_draw_shows_its_seed_last",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("entry__in", ["POINTS", "KEPT"]), _negated=True),
                            models.Q(("from_on__isnull", False), ("to_on__gte", models.F("from_on"))),
                            _connector="OR",
                        ),
                        name="loyalty_draw_has_a_period",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("entry", "TIER"), _negated=True), ("tier__isnull", False), _connector="OR"
                        ),
                        name="loyalty_draw_names_its_tier",
                    ),
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="CouponCode",
            fields=[
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
                    "coupon",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="codes",
                        to="loyalty.coupon",
                    ),
                ),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="coupons",
                        to="loyalty.account",
                    ),
                ),
                ("serial", models.BigIntegerField()),
                ("number", models.PositiveIntegerField(db_default=0, default=0, help_text="place in its series")),
                ("key", models.CharField(db_collation="C", max_length=80)),
                ("because", models.CharField(db_default="", default="", max_length=20)),
                ("because_ref", models.CharField(db_default="", default="", max_length=60)),
                ("note", models.CharField(db_default="", default="", max_length=120)),
                (
                    "state",
                    models.CharField(
                        choices=[("OPEN", "can be used"), ("USED", "used"), ("WITHDRAWN", "withdrawn")],
                        db_default="OPEN",
                        default="OPEN",
                        max_length=9,
                    ),
                ),
                ("good_until", models.DateField()),
                ("granted_at", models.DateTimeField()),
                (
                    "granted_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("used_at", models.DateTimeField(null=True)),
                (
                    "used_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "used_by_account",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.account",
                    ),
                ),
                (
                    "location",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenancy.location",
                    ),
                ),
                (
                    "at_partner",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.partner",
                    ),
                ),
                ("noted_at", models.DateTimeField(help_text="when a desk without network took the code", null=True)),
                ("used_key", models.CharField(db_collation="C", db_default="", default="", max_length=80)),
                (
                    "ended_at",
                    models.DateTimeField(help_text="when it was withdrawn, or its use last taken back", null=True),
                ),
                ("reason", models.CharField(db_default="", default="", max_length=200)),
                (
                    "settlement",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="codes",
                        to="loyalty.settlement",
                    ),
                ),
            ],
            options={
                "db_table": "loyalty_coupon_code",
                "indexes": [
                    models.Index(
                        condition=models.Q(("account__isnull", False)),
                        fields=["organization", "account", "-granted_at"],
                        name="loyalty_coupons_of_member",
                    ),
                    models.Index(
                        fields=["organization", "coupon", "-granted_at", "-id"], name="loyalty_codes_of_coupon"
                    ),
                    models.Index(
                        condition=models.Q(("at_partner__isnull", False)),
                        fields=["organization", "at_partner", "used_at"],
                        name="loyalty_uses_at_partner",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "serial"), name="loyalty_code_serial_once"),
                    models.UniqueConstraint(fields=("organization", "key"), name="loyalty_coupon_once_per_key"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "USED"), ("used_at__isnull", False)),
                            models.Q(("state__in", ["OPEN", "WITHDRAWN"]), ("used_at__isnull", True)),
                            _connector="OR",
                        ),
                        name="loyalty_code_says_when_used",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("settlement__isnull", True), ("state", "USED"), _connector="OR"),
                        name="loyalty_settled_codes_are_used",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="TierChange",
            fields=[
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
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "account",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="tier_changes",
                        to="loyalty.account",
                    ),
                ),
                (
                    "from_tier",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.tier",
                    ),
                ),
                (
                    "to_tier",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.tier",
                    ),
                ),
                (
                    "why",
                    models.CharField(
                        choices=[
                            ("QUALIFIED", "met what the tier asks for"),
                            ("KEPT", "kept at the review"),
                            ("GRACE", "not met at the review, more time given"),
                            ("LOWERED", "not met at the review"),
                            ("RULES", "the tiers changed"),
                            ("HAND", "given by hand"),
                            ("HAND_ENDED", "what was given by hand ended"),
                        ],
                        max_length=10,
                    ),
                ),
                ("figures", models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict)),
                ("since", models.DateField(null=True)),
                ("review_on", models.DateField(null=True)),
                ("until", models.DateField(help_text="end of the grace, or of what was given by hand", null=True)),
                ("note", models.CharField(blank=True, db_default="", default="", max_length=200)),
                ("at", models.DateTimeField()),
                (
                    "by",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "loyalty_tier_change",
                "indexes": [
                    models.Index(fields=["organization", "account", "-at", "-id"], name="loyalty_tier_changes_of"),
                    models.Index(fields=["organization", "at"], name="loyalty_tier_changes_by_time"),
                ],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="BenefitUse",
            fields=[
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
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "benefit",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="uses",
                        to="loyalty.benefit",
                    ),
                ),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="benefit_uses",
                        to="loyalty.account",
                    ),
                ),
                ("what", models.CharField(choices=[("OFFERED", "offered"), ("USED", "used")], max_length=7)),
                ("key", models.CharField(db_collation="C", max_length=120)),
                ("ref", models.CharField(blank=True, db_default="", default="", max_length=60)),
                ("on_date", models.DateField()),
                ("at", models.DateTimeField()),
                (
                    "by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("undone_at", models.DateTimeField(null=True)),
                (
                    "undone_by",
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
                "db_table": "loyalty_benefit_use",
                "indexes": [
                    models.Index(fields=["organization", "account", "-at"], name="loyalty_uses_of_account"),
                    models.Index(fields=["organization", "benefit", "on_date"], name="loyalty_uses_of_benefit"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "key"), name="loyalty_benefit_use_once"),
                    models.CheckConstraint(
                        condition=models.Q(("what__in", ["OFFERED", "USED"])), name="loyalty_benefit_use_what"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="DrawPrize",
            fields=[
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
                    "draw",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="prizes",
                        to="loyalty.draw",
                    ),
                ),
                ("place", models.PositiveSmallIntegerField()),
                ("name", models.CharField(max_length=60)),
                ("count", models.PositiveSmallIntegerField()),
                (
                    "gives",
                    models.CharField(
                        choices=[
                            ("COPAY", "the co-payment"),
                            ("CARE", "free care"),
                            ("CARE_DISCOUNT", "a lower price of care"),
                            ("MONEY", "money"),
                            ("GOODS", "goods"),
                            ("POINTS", "points"),
                            ("SERVICE", "a small service"),
                            ("PRIORITY", "earlier appointments or a line of one's own"),
                            ("CONTENT", "something to read"),
                            ("THANKS", "thanks"),
                        ],
                        max_length=13,
                    ),
                ),
                ("value", models.PositiveIntegerField(db_default=0, default=0)),
                ("points", models.PositiveIntegerField(db_default=0, default=0)),
                (
                    "coupon",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.coupon",
                    ),
                ),
            ],
            options={
                "db_table": "loyalty_draw_prize",
                "ordering": ["place"],
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "draw", "place"), name="loyalty_draw_prize_place"),
                    models.CheckConstraint(
                        condition=models.Q(("count__range", (1, 1000))), name="loyalty_draw_prize_count"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("gives", "POINTS"), ("points__gt", 0)),
                            models.Q(models.Q(("gives", "POINTS"), _negated=True), ("points", 0)),
                            _connector="OR",
                        ),
                        name="loyalty_draw_prize_points",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "gives__in",
                                [
                                    "COPAY",
                                    "CARE",
                                    "CARE_DISCOUNT",
                                    "MONEY",
                                    "GOODS",
                                    "POINTS",
                                    "SERVICE",
                                    "PRIORITY",
                                    "CONTENT",
                                    "THANKS",
                                ],
                            )
                        ),
                        name="loyalty_draw_prize_gives",
                    ),
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="DrawTicket",
            fields=[
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
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "draw",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="tickets",
                        to="loyalty.draw",
                    ),
                ),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.account",
                    ),
                ),
                ("number", models.CharField(db_collation="C", max_length=24)),
            ],
            options={
                "db_table": "loyalty_draw_ticket",
                "indexes": [models.Index(fields=["organization", "account", "draw"], name="loyalty_draw_tickets_of")],
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "draw", "number"), name="loyalty_draw_ticket_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Earning",
            fields=[
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
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="earnings",
                        to="loyalty.account",
                    ),
                ),
                (
                    "rule",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="earnings",
                        to="loyalty.earnrule",
                    ),
                ),
                ("key", models.CharField(db_collation="C", max_length=120)),
                ("source", models.CharField(db_collation="C", max_length=16)),
                ("source_ref", models.CharField(db_collation="C", db_default="", default="", max_length=60)),
                ("event_id", models.BigIntegerField(null=True)),
                ("occurred_at", models.DateTimeField()),
                ("occurred_on", models.DateField()),
                (
                    "location",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="tenancy.location",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("PENDING", "waiting"), ("FINAL", "credited"), ("VOID", "not given")],
                        db_default="PENDING",
                        default="PENDING",
                        max_length=7,
                    ),
                ),
                (
                    "because",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("CAPPED", "the limit was reached"),
                            ("TOO_LITTLE", "the amount is too small for a point"),
                            ("COUNTED", "the same bill has counted already"),
                            ("NHI", "the NHI shared this visit"),
                            ("PAYER_UNKNOWN", "nothing says that the patient paid for this visit alone"),
                            ("REFUNDED", "the money went back"),
                            ("ERROR", "it was entered in error"),
                            ("NOT_CLOSED", "the visit was never closed"),
                            ("LEFT", "the membership ended before"),
                        ],
                        db_default="",
                        default="",
                        max_length=14,
                    ),
                ),
                ("due_at", models.DateTimeField()),
                ("seen_amount", models.BigIntegerField(db_default=0, default=0)),
                ("amount", models.BigIntegerField(db_default=0, default=0)),
                ("refunded", models.BigIntegerField(db_default=0, default=0)),
                ("currency", models.CharField(db_default="", default="", max_length=3)),
                ("base_points", models.IntegerField(db_default=0, default=0)),
                ("percent", models.PositiveIntegerField(db_default=100, default=100)),
                ("points", models.IntegerField(db_default=0, default=0)),
                ("taken_back", models.IntegerField(db_default=0, default=0)),
                ("capped_by", models.CharField(db_default="", default="", max_length=16)),
                ("note", models.CharField(db_default="", default="", max_length=120)),
                ("recorded_at", models.DateTimeField()),
                (
                    "recorded_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("settled_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "loyalty_earning",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "PENDING")),
                        fields=["organization", "due_at"],
                        name="loyalty_earnings_due",
                    ),
                    models.Index(fields=["organization", "account", "-occurred_on"], name="loyalty_earnings_of"),
                    models.Index(fields=["organization", "source", "source_ref"], name="loyalty_earnings_by_source"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "key"), name="loyalty_earning_once"),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["PENDING", "FINAL", "VOID"])),
                        name="loyalty_earning_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("points__gte", 0), ("taken_back__gte", 0), ("taken_back__lte", models.F("points"))
                        ),
                        name="loyalty_earning_points",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("points__gt", 0), ("state", "VOID"), _connector="OR"),
                        name="loyalty_earning_gives_something",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "VOID"), _negated=True),
                            models.Q(("because", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="loyalty_earning_void_says_why",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Entry",
            fields=[
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
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("EARN", "earned"),
                            ("SPEND", "spent"),
                            ("ADJUST", "changed by hand"),
                            ("EXPIRE", "expired"),
                            ("TRANSFER", "handed over"),
                            ("REVERSE", "reversed"),
                        ],
                        max_length=8,
                    ),
                ),
                (
                    "from_account",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.account",
                    ),
                ),
                (
                    "to_account",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.account",
                    ),
                ),
                (
                    "from_member",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.account",
                    ),
                ),
                (
                    "to_member",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.account",
                    ),
                ),
                ("points", models.PositiveIntegerField()),
                ("waived", models.PositiveIntegerField(db_default=0, default=0)),
                ("from_balance", models.BigIntegerField(null=True)),
                ("to_balance", models.BigIntegerField(null=True)),
                ("key", models.CharField(db_collation="C", max_length=120)),
                ("because", models.CharField(help_text="a code: EARN_RULE, REWARD, REFUND, MANUAL …", max_length=20)),
                (
                    "because_ref",
                    models.CharField(db_default="", default="", help_text="the id of what it was for", max_length=80),
                ),
                ("occurred_at", models.DateTimeField()),
                ("recorded_at", models.DateTimeField()),
                (
                    "recorded_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "reverses",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reversals",
                        to="loyalty.entry",
                    ),
                ),
            ],
            options={
                "db_table": "loyalty_entry",
                "indexes": [
                    models.Index(
                        condition=models.Q(("from_member__isnull", False)),
                        fields=["organization", "from_member", "-id"],
                        name="loyalty_entry_gave",
                    ),
                    models.Index(
                        condition=models.Q(("to_member__isnull", False)),
                        fields=["organization", "to_member", "-id"],
                        name="loyalty_entry_got",
                    ),
                    models.Index(
                        condition=models.Q(("reverses__isnull", False)),
                        fields=["organization", "reverses"],
                        name="loyalty_entry_reversals",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "key"), name="loyalty_entry_once_per_key"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("points__gt", 0), models.Q(("kind", "REVERSE"), ("waived__gt", 0)), _connector="OR"
                        ),
                        name="loyalty_entry_moves_points",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("from_account", models.F("to_account")), _negated=True),
                        name="loyalty_entry_two_accounts",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("from_member__isnull", False), ("to_member__isnull", False), _connector="OR"
                        ),
                        name="loyalty_entry_of_a_member",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "REVERSE"), ("reverses__isnull", False)),
                            models.Q(
                                models.Q(("kind", "REVERSE"), _negated=True), ("reverses__isnull", True), ("waived", 0)
                            ),
                            _connector="OR",
                        ),
                        name="loyalty_entry_reverses_another",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["EARN", "SPEND", "ADJUST", "EXPIRE", "TRANSFER", "REVERSE"])),
                        name="loyalty_entry_kind_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PoolMember",
            fields=[
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
                    "pool",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="pool_members",
                        to="loyalty.account",
                    ),
                ),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="pool_memberships",
                        to="loyalty.account",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("INVITED", "asked"), ("IN", "shares"), ("REFUSED", "said no"), ("LEFT", "left")],
                        max_length=8,
                    ),
                ),
                ("is_founder", models.BooleanField(default=False)),
                ("invited_at", models.DateTimeField()),
                ("answered_at", models.DateTimeField(null=True)),
                ("left_at", models.DateTimeField(null=True)),
                (
                    "consent_patient",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="patients.patient",
                    ),
                ),
                (
                    "consent_how",
                    models.CharField(
                        choices=[("PORTAL", "on the patient pages"), ("PAPER", "on paper at the desk")],
                        db_default="",
                        default="",
                        max_length=6,
                    ),
                ),
                (
                    "recorded_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "loyalty_pool_member",
                "indexes": [models.Index(fields=["organization", "account"], name="loyalty_pools_of_account")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "IN")),
                        fields=("organization", "account"),
                        name="loyalty_in_one_family",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ["INVITED", "IN"])),
                        fields=("organization", "pool", "account"),
                        name="loyalty_once_in_a_family",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "IN"), _negated=True),
                            models.Q(("answered_at__isnull", False), ("consent_patient__isnull", False)),
                            _connector="OR",
                        ),
                        name="loyalty_shares_by_consent",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["INVITED", "IN", "REFUSED", "LEFT"])),
                        name="loyalty_pool_member_state_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Redemption",
            fields=[
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
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="redemptions",
                        to="loyalty.account",
                    ),
                ),
                (
                    "reward",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="redemptions",
                        to="loyalty.reward",
                    ),
                ),
                ("key", models.CharField(db_collation="C", max_length=80)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("RESERVED", "waits to be handed over"),
                            ("CONFIRMED", "handed over"),
                            ("CANCELLED", "taken back"),
                            ("EXPIRED", "run out"),
                        ],
                        db_default="RESERVED",
                        default="RESERVED",
                        max_length=9,
                    ),
                ),
                (
                    "source",
                    models.CharField(
                        choices=[("DESK", "at the desk"), ("PORTAL", "on the phone")], default="DESK", max_length=6
                    ),
                ),
                ("points", models.PositiveIntegerField()),
                ("takes_stock", models.BooleanField()),
                ("serial", models.BigIntegerField()),
                ("good_until", models.DateField(help_text="The last day of the code, included.")),
                (
                    "location",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenancy.location",
                    ),
                ),
                ("reserved_at", models.DateTimeField()),
                (
                    "reserved_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("confirmed_at", models.DateTimeField(null=True)),
                (
                    "confirmed_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("noted_at", models.DateTimeField(help_text="when a desk without network took the code", null=True)),
                ("used_key", models.CharField(db_collation="C", db_default="", default="", max_length=80)),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "ended_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("reason", models.CharField(db_default="", default="", max_length=200)),
            ],
            options={
                "db_table": "loyalty_redemption",
                "indexes": [
                    models.Index(fields=["organization", "account", "-reserved_at"], name="loyalty_redemptions_of"),
                    models.Index(fields=["organization", "-reserved_at", "-id"], name="loyalty_redemptions_latest"),
                    models.Index(
                        condition=models.Q(("state", "RESERVED")),
                        fields=["organization", "good_until"],
                        name="loyalty_redemptions_open",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "key"), name="loyalty_redeemed_once_per_key"),
                    models.UniqueConstraint(fields=("organization", "serial"), name="loyalty_redemption_serial_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("confirmed_at__isnull", True), ("ended_at__isnull", True), ("state", "RESERVED")),
                            models.Q(
                                ("confirmed_at__isnull", False), ("ended_at__isnull", True), ("state", "CONFIRMED")
                            ),
                            models.Q(("ended_at__isnull", False), ("state", "CANCELLED")),
                            models.Q(("confirmed_at__isnull", True), ("ended_at__isnull", False), ("state", "EXPIRED")),
                            _connector="OR",
                        ),
                        name="loyalty_redemption_says_when",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("points__gt", 0)), name="loyalty_redemption_costs_points"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="DrawWinner",
            fields=[
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
                    "draw",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="winners",
                        to="loyalty.draw",
                    ),
                ),
                ("place", models.PositiveIntegerField()),
                (
                    "prize",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.drawprize",
                    ),
                ),
                (
                    "ticket",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.drawticket",
                    ),
                ),
                ("given_at", models.DateTimeField(null=True)),
                (
                    "given_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "loyalty_draw_winner",
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "draw", "place"), name="loyalty_draw_winner_place"),
                    models.UniqueConstraint(fields=("organization", "draw", "ticket"), name="loyalty_draw_winner_once"),
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="EntryNote",
            fields=[
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
                    "entry",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="note",
                        serialize=False,
                        to="loyalty.entry",
                    ),
                ),
                ("words", models.CharField(max_length=300)),
            ],
            options={
                "db_table": "loyalty_entry_note",
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="Lot",
            fields=[
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
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "account",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lots",
                        to="loyalty.account",
                    ),
                ),
                (
                    "brought_by",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.account",
                    ),
                ),
                (
                    "entry",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.entry",
                    ),
                ),
                (
                    "earning",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.entry",
                    ),
                ),
                ("earned_at", models.DateTimeField()),
                ("expires_on", models.DateField(null=True)),
                ("points", models.PositiveIntegerField()),
                ("left", models.PositiveIntegerField()),
                ("is_open", models.BooleanField()),
            ],
            options={
                "db_table": "loyalty_lot",
                "indexes": [
                    models.Index(
                        condition=models.Q(("is_open", True)),
                        fields=["organization", "account", "expires_on", "earned_at", "id"],
                        name="loyalty_lot_to_spend",
                    ),
                    models.Index(
                        condition=models.Q(("expires_on__isnull", False), ("is_open", True)),
                        fields=["organization", "expires_on"],
                        name="loyalty_lot_to_expire",
                    ),
                    models.Index(fields=["organization", "earning"], name="loyalty_lot_of_earning"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("left__lte", models.F("points")), ("points__gt", 0)),
                        name="loyalty_lot_not_overspent",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("is_open", True), ("left__gt", 0)),
                            models.Q(("is_open", False), ("left", 0)),
                            _connector="OR",
                        ),
                        name="loyalty_lot_open_while_left",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="LotUse",
            fields=[
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
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "entry",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="uses",
                        to="loyalty.entry",
                    ),
                ),
                (
                    "lot",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="uses",
                        to="loyalty.lot",
                    ),
                ),
                ("points", models.IntegerField()),
            ],
            options={
                "db_table": "loyalty_lot_use",
                "indexes": [
                    models.Index(fields=["organization", "entry"], name="loyalty_uses_of_entry"),
                    models.Index(fields=["organization", "lot"], name="loyalty_uses_of_lot"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("points", 0), _negated=True), name="loyalty_lot_use_not_zero"
                    )
                ],
            },
        ),
    ]
