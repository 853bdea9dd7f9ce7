"""Channels, texts, what is said to patients, and what they answer."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.kernel.ids import uuid7
from careloop.patients.models import ContactPoint, Patient, RelatedPerson
from careloop.tenancy.models import NewId, TenantModel


class MessageChannel(models.TextChoices):
    """A way of reaching a patient, as the patient knows it."""

    LINE = "line", "LINE"
    SMS = "sms", _("SMS")
    EMAIL = "email", _("e-mail")


class MessageClass(models.TextChoices):
    """What a message is, in law: it decides which consent is asked for (rule A5)."""

    OPERATIONAL = "OPERATIONAL", pgettext_lazy("message class", "operational")
    CARE = "CARE", pgettext_lazy("message class", "care")
    EDUCATION = "EDUCATION", pgettext_lazy("message class", "education")
    SURVEY = "SURVEY", pgettext_lazy("message class", "survey")
    MARKETING = "MARKETING", pgettext_lazy("message class", "marketing")


class OrganizationKey(TenantModel):
    """The organization's own data key, wrapped by a master key: seals channel secrets and raw intake."""

    id = models.BigAutoField(primary_key=True)
    wrapped = models.BinaryField()

    class Meta:
        db_table = "messaging_organization_key"
        constraints = [models.UniqueConstraint(fields=["organization"], name="messaging_one_key")]


class ChannelAccount(TenantModel):
    """One account with a provider: how the clinic sends on one channel.

    `channel` is what the patient sees (a sandbox plays one); `kind` is the adapter. `settings` holds what is no secret,
    `secrets_sealed` the rest as JSON, sealed under the organization's key. At most one enabled account per channel is the
    default: the one planning chooses. A paused account keeps its messages waiting.
    """

    class Kind(models.TextChoices):
        LINE = "line", _("LINE official account")
        EMAIL = "email", _("e-mail over SMTP")
        SANDBOX = "sandbox", _("sandbox phone")

    class Pause(models.TextChoices):
        NONE = "", pgettext_lazy("channel", "running")
        RATE = "rate", pgettext_lazy("channel", "the provider asked us to slow down")
        QUOTA = "quota", pgettext_lazy("channel", "the provider's monthly messages are used up")
        AUTH = "auth", pgettext_lazy("channel", "the provider refuses our credentials")
        STAFF = "staff", pgettext_lazy("channel", "paused by staff")

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    channel = models.CharField(max_length=10, choices=MessageChannel)
    kind = models.CharField(max_length=10, choices=Kind)
    name = models.CharField(max_length=80)
    settings = models.JSONField(default=dict, blank=True)
    secrets_sealed = models.BinaryField(null=True)
    enabled = models.BooleanField(default=True)
    is_default = models.BooleanField(default=False)
    monthly_budget = models.PositiveIntegerField(
        null=True, blank=True, help_text=_("Messages a month; empty: no limit.")
    )
    paused_until = models.DateTimeField(null=True, blank=True)
    pause_reason = models.CharField(max_length=10, choices=Pause, blank=True, default=Pause.NONE)
    checked_at = models.DateTimeField(null=True, blank=True)
    check_ok = models.BooleanField(null=True)
    check_message = models.CharField(max_length=300, blank=True, default="")
    changed_at = models.DateTimeField()
    created_at = models.DateTimeField()

    class Meta:
        db_table = "messaging_channel_account"
        constraints = [
            models.UniqueConstraint(fields=["organization", "name"], name="channel_account_name_once"),
            models.UniqueConstraint(
                fields=["organization", "channel"], name="channel_account_one_default",
                condition=models.Q(is_default=True, enabled=True),
            ),
        ]  # fmt: skip


class MessageTemplate(TenantModel):
    """Something the clinic says again and again; its words are in versions.

    `key` is how journeys name it. `message_class` is part of what it is: a template never changes class once published.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    key = models.CharField(max_length=60, db_collation="C")
    name = models.CharField(max_length=80)
    description = models.CharField(max_length=200, blank=True, default="")
    message_class = models.CharField(max_length=12, choices=MessageClass)
    is_library = models.BooleanField(default=False, help_text="came with the program")
    is_archived = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "messaging_template"
        constraints = [
            models.UniqueConstraint(fields=["organization", "key"], name="message_template_key_once"),
            models.CheckConstraint(
                condition=models.Q(message_class__in=MessageClass.values), name="message_template_has_class"
            ),
        ]


class TemplateVersion(TenantModel):
    """The words of a template at one time. A published version is never changed (a database trigger sees to it).

    `texts` is language → {"subject", "text", "sms", "email", "quick_replies": [{"label", "answer"}],
    "buttons": [{"label", "answer" | "url"}]}; `sms` and `email` are only there when they differ from `text`.
    `variables` are the names the texts use; `required` those a caller must give. `verdict` is what policy said.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    template = models.ForeignKey(MessageTemplate, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    texts = models.JSONField(default=dict)
    variables = models.JSONField(default=list)
    required = models.JSONField(default=list)
    verdict = models.JSONField(default=dict)
    note = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    published_at = models.DateTimeField(null=True, blank=True)
    published_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    class Meta:
        db_table = "messaging_template_version"
        constraints = [
            models.UniqueConstraint(fields=["organization", "template", "number"], name="template_version_once"),
            models.UniqueConstraint(
                fields=["organization", "template"], name="template_one_draft",
                condition=models.Q(published_at__isnull=True),
            ),
        ]  # fmt: skip


class Message(TenantModel):
    """One thing we want to say to one patient: a row in the outbox before it is a call.

    `key` says what it is for and is unique: planning it again changes nothing. `id` is the key given to channels that
    deduplicate. A planned message whose `due_at` has come is due. `handed_at` is set before the first byte leaves on a
    channel that cannot deduplicate: a claimed message without it was certainly not sent.

    A message about a visit is bound to it: `appointment_sequence` names the time it speaks of, `appointment_state` the state
    in which it is true. It dies with them. Messages with the same `together` go to one address about one day, as one;
    `carried_by` names, on each of them, the one whose words said it for all.
    """

    class State(models.TextChoices):
        PLANNED = "planned", pgettext_lazy("message state", "planned")
        CLAIMED = "claimed", pgettext_lazy("message state", "being sent")
        ACCEPTED = "accepted", pgettext_lazy("message state", "sent")
        FAILED = "failed", pgettext_lazy("message state", "failed")
        UNKNOWN = "unknown", pgettext_lazy("message state", "unknown")
        CANCELLED = "cancelled", pgettext_lazy("message state", "cancelled")
        BLOCKED = "blocked", pgettext_lazy("message state", "not sent")

    class Origin(models.TextChoices):
        JOURNEY = "journey", pgettext_lazy("message origin", "care journey")
        STAFF = "staff", pgettext_lazy("message origin", "staff")
        REPLY = "reply", pgettext_lazy("message origin", "automatic answer")
        CAMPAIGN = "campaign", pgettext_lazy("message origin", "campaign")
        API = "api", pgettext_lazy("message origin", "programming interface")
        APPOINTMENT = "appointment", pgettext_lazy("message origin", "appointment")
        CODE = "code", pgettext_lazy("message origin", "one-time code")
        QUEUE = "queue", pgettext_lazy("message origin", "waiting room")
        MEMBERSHIP = "membership", pgettext_lazy("message origin", "membership")
        GREETING = "greeting", pgettext_lazy("message origin", "greeting")
        NEWSLETTER = "newsletter", pgettext_lazy("message origin", "newsletter")

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    key = models.CharField(max_length=200, db_collation="C")
    patient = models.ForeignKey(Patient, models.CASCADE, related_name="messages", db_index=False)
    related_person = models.ForeignKey(RelatedPerson, models.SET_NULL, null=True, related_name="+", db_index=False)
    channel = models.CharField(max_length=10, choices=MessageChannel, blank=True, db_default="")
    account = models.ForeignKey(ChannelAccount, models.PROTECT, null=True, related_name="+", db_index=False)
    contact_point = models.ForeignKey(ContactPoint, models.SET_NULL, null=True, related_name="+", db_index=False)
    template_version = models.ForeignKey(TemplateVersion, models.PROTECT, null=True, related_name="+", db_index=False)
    message_class = models.CharField(max_length=12, choices=MessageClass)
    language = models.CharField(max_length=10, db_default="zh-hant")
    params = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()))
    content_sealed = models.BinaryField(null=True, help_text="what was said, sealed under the patient's key")
    state = models.CharField(max_length=10, choices=State, default=State.PLANNED, db_default="planned")
    reason = models.CharField(max_length=30, blank=True, db_default="")
    details = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()))
    due_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    at_once = models.BooleanField(default=False, db_default=False, help_text="answers the patient: no quiet hours")
    fixed_channel = models.BooleanField(default=False, db_default=False, help_text="staff chose the channel")
    lease_id = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    handed_at = models.DateTimeField(null=True)
    first_tried_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    provider_id = models.CharField(max_length=200, blank=True, db_default="", db_collation="C")
    origin = models.CharField(max_length=20, choices=Origin, default=Origin.STAFF, db_default="staff")
    origin_id = models.CharField(max_length=120, blank=True, db_default="", db_collation="C")
    planned_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", db_index=False
    )
    planned_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True, help_text="failed, unknown, cancelled or blocked since")
    answered_at = models.DateTimeField(null=True)
    answer = models.CharField(max_length=40, blank=True, db_default="")
    # no foreign key: appointments are never deleted, and a message about none is as stale as one about an old time
    appointment_id = models.UUIDField(null=True)
    appointment_sequence = models.PositiveIntegerField(null=True)
    appointment_state = models.CharField(max_length=10, blank=True, db_default="", db_collation="C")
    together = models.CharField(max_length=140, blank=True, db_default="", db_collation="C")
    carried_by = models.UUIDField(null=True)

    class Meta:
        db_table = "messaging_message"
        constraints = [
            models.UniqueConstraint(fields=["organization", "key"], name="message_once_per_key"),
            models.CheckConstraint(
                condition=models.Q(
                    state__in=["planned", "claimed", "accepted", "failed", "unknown", "cancelled", "blocked"]
                ),
                name="message_state_known",
            ),
            models.CheckConstraint(
                condition=~models.Q(state__in=["blocked", "failed", "unknown", "cancelled"]) | ~models.Q(reason=""),
                name="message_says_why_not",
            ),
            models.CheckConstraint(
                condition=models.Q(appointment_id__isnull=True, appointment_sequence__isnull=True, appointment_state="")
                | models.Q(
                    appointment_id__isnull=False,
                    appointment_sequence__isnull=False,
                    appointment_state__in=["booked", "cancelled", "proposed"],
                ),
                name="message_bound_to_visit",
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "account", "due_at", "id"], name="message_due", condition=models.Q(state="planned")),
            models.Index(fields=["organization", "lease_until"], name="message_leases", condition=models.Q(state="claimed")),
            models.Index(fields=["organization", "closed_at"], name="message_unknown", condition=models.Q(state="unknown")),
            models.Index(fields=["organization", "due_at"], name="message_failed", condition=models.Q(state="failed")),
            models.Index(fields=["organization", "patient", "-due_at"], name="message_by_patient"),
            models.Index(fields=["organization", "-due_at", "-id"], name="message_by_time"),
            models.Index(fields=["organization", "contact_point", "-accepted_at"], name="message_by_contact"),
            models.Index(fields=["related_person"], name="message_by_relative", condition=models.Q(related_person__isnull=False)),
            models.Index(fields=["organization", "origin", "origin_id"], name="message_by_origin", condition=~models.Q(origin_id="")),
            models.Index(fields=["organization", "account", "accepted_at"], name="message_by_account_sent",
                         condition=models.Q(accepted_at__isnull=False)),
            models.Index(fields=["organization", "together"], name="message_together",
                         condition=models.Q(state="planned") & ~models.Q(together="")),
            models.Index(fields=["organization", "carried_by"], name="message_carried",
                         condition=models.Q(carried_by__isnull=False)),
        ]  # fmt: skip


class MessageNote(TenantModel):
    """Something out of the ordinary that happened to a message: a retry, a delay, another channel, a staff decision.

    The ordinary course (planned, sent, answered) is on the message itself.
    """

    append_only = True

    id = models.BigAutoField(primary_key=True)
    message = models.ForeignKey(Message, models.CASCADE, related_name="notes")
    at = models.DateTimeField()
    what = models.CharField(max_length=30)
    reason = models.CharField(max_length=30, blank=True, db_default="")
    details = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()))
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    class Meta:
        db_table = "messaging_note"


class AnswerLink(TenantModel):
    """The door that a link in one message opens: answering, refusing, choosing. Only the token's hash is kept."""

    id = models.BigAutoField(primary_key=True)
    token_hash = models.BinaryField()
    message = models.ForeignKey(Message, models.CASCADE, related_name="links")
    expires_at = models.DateTimeField()
    first_opened_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "messaging_answer_link"
        constraints = [models.UniqueConstraint(fields=["token_hash", "organization"], name="answer_link_token_once")]


class Conversation(TenantModel):
    """The thread with one patient on one channel."""

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    patient = models.ForeignKey(Patient, models.CASCADE, related_name="conversations")
    channel = models.CharField(max_length=10, choices=MessageChannel)
    last_inbound_at = models.DateTimeField(null=True)
    unread = models.PositiveIntegerField(default=0, db_default=0)
    read_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "messaging_conversation"
        constraints = [
            models.UniqueConstraint(fields=["organization", "patient", "channel"], name="conversation_once"),
        ]
        indexes = [
            models.Index(fields=["organization", "-last_inbound_at"], name="conversation_by_time"),
            models.Index(
                fields=["organization", "-last_inbound_at"],
                name="conversation_unread",
                condition=models.Q(unread__gt=0),
            ),
        ]


class InboundEvent(TenantModel):
    """What came through a channel's door, as it came, sealed; emptied when it has been worked on."""

    class State(models.TextChoices):
        WAITING = "waiting", pgettext_lazy("incoming event", "waiting")
        DONE = "done", pgettext_lazy("incoming event", "done")
        STRANGER = "stranger", pgettext_lazy("incoming event", "from nobody we know")
        IGNORED = "ignored", pgettext_lazy("incoming event", "nothing to do")

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(ChannelAccount, models.CASCADE, related_name="+", db_index=False)
    event_id = models.CharField(max_length=120, db_collation="C")
    kind = models.CharField(max_length=20)
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField()
    address_index = models.BinaryField(null=True)
    body_sealed = models.BinaryField(null=True)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING, db_default="waiting")
    done_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "messaging_inbound_event"
        constraints = [
            models.UniqueConstraint(fields=["organization", "account", "event_id"], name="inbound_event_once"),
        ]
        indexes = [
            models.Index(
                fields=["organization", "id"], name="inbound_event_waiting", condition=models.Q(state="waiting")
            ),
        ]


class InboundMessage(TenantModel):
    """What a patient said: text sealed under the patient's key, or a tap with its answer code.

    `in_reply_to` is the message it answers, known from the token in the tap, or the last one sent to that contact.
    A message taken back by the patient keeps its row and loses its text.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="inbound", db_index=False)
    patient = models.ForeignKey(Patient, models.CASCADE, related_name="inbound_messages", db_index=False)
    account = models.ForeignKey(ChannelAccount, models.PROTECT, null=True, related_name="+", db_index=False)
    event_id = models.CharField(max_length=160, db_collation="C")
    kind = models.CharField(max_length=20)
    text_sealed = models.BinaryField(null=True)
    answer = models.CharField(max_length=40, blank=True, db_default="")
    in_reply_to = models.ForeignKey(Message, models.SET_NULL, null=True, related_name="replies")
    provider_message_id = models.CharField(max_length=200, blank=True, db_default="", db_collation="C")
    unsure = models.BooleanField(
        default=False, help_text="several patients share this address; the likeliest was taken"
    )
    occurred_at = models.DateTimeField()
    taken_back_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "messaging_inbound_message"
        constraints = [models.UniqueConstraint(fields=["organization", "event_id"], name="inbound_message_once")]
        indexes = [
            models.Index(fields=["organization", "conversation", "-occurred_at"], name="inbound_by_conversation"),
            models.Index(fields=["organization", "patient", "-occurred_at"], name="inbound_by_patient"),
            models.Index(fields=["organization", "provider_message_id"], name="inbound_by_provider",
                         condition=~models.Q(provider_message_id="")),
        ]  # fmt: skip
