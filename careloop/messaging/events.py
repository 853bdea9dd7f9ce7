"""What is said to patients and heard from them, as facts. Never the words themselves: those are sealed."""

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from careloop.events.registry import fact


@fact(
    "message.sent", label=_("Message sent"), group="messages", icon="send",
    sentence=_("A message was sent (%(template)s)."),
)  # fmt: skip
@dataclass(frozen=True)
class MessageSent:
    """A channel accepted a message."""

    message_id: UUID
    channel: str
    message_class: str
    template: str
    origin: str
    origin_id: str


@fact(
    "message.failed", label=_("Message failed"), group="messages", icon="message-circle-off",
    sentence=_("A message could not be sent (%(template)s)."),
)  # fmt: skip
@dataclass(frozen=True)
class MessageFailed:
    """A channel refused a message for good."""

    message_id: UUID
    channel: str
    message_class: str
    template: str
    origin: str
    origin_id: str
    reason: str


@fact(
    "message.blocked", label=_("Message not sent"), group="messages", icon="ban",
    sentence=_("A message was not sent (%(template)s)."),
)  # fmt: skip
@dataclass(frozen=True)
class MessageBlocked:
    """A rule stopped a message, when planned or when it was due."""

    message_id: UUID
    channel: str
    message_class: str
    template: str
    origin: str
    origin_id: str
    reason: str


@fact(
    "message.received", label=_("Patient wrote"), group="messages", icon="message-circle",
    sentence=_("The patient answered: %(label)s"),
)  # fmt: skip
@dataclass(frozen=True)
class MessageReceived:
    """The patient said something. `answer` is a code when it was a tap or known words; `label` what was shown on it.

    `in_reply_to`, `origin`, `origin_id` and `template` belong to the message it answers, where that is known.
    """

    message_id: UUID
    channel: str
    form: str
    answer: str
    label: str
    in_reply_to: UUID | None
    origin: str
    origin_id: str
    template: str


@fact(
    "message.link_clicked", label=_("Link opened"), group="messages", icon="link",
    sentence=_("The patient opened a link in a message (%(template)s)."),
)  # fmt: skip
@dataclass(frozen=True)
class MessageLinkClicked:
    """The patient opened a page from a message. Opening is no answer: link scanners open everything."""

    message_id: UUID
    channel: str
    template: str
    origin: str
    origin_id: str
