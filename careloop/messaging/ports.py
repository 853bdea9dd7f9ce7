"""The port to the outside: what a channel is asked, what it answers, and what comes back in.

Pure Python, no Django, no database: an adapter (`careloop.integrations.channels.<kind>`) fulfils
`Channel` (and `Webhook`, when the channel can hear); messaging knows adapters only through this file.

A new channel is one folder in `integrations/channels/`, one `register(...)` line in `wiring.py`,
and it passes `tests/contracts/test_channels.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable
from uuid import UUID

__all__ = [
    "Ambiguous",
    "Button",
    "Capabilities",
    "Channel",
    "ChannelError",
    "ChannelKind",
    "Check",
    "Cost",
    "Door",
    "FindDoor",
    "Inbound",
    "InboundKind",
    "Link",
    "MalformedWebhook",
    "Outgoing",
    "QuickReply",
    "Reason",
    "Receive",
    "Result",
    "Sent",
    "SettingField",
    "Unit",
    "Webhook",
    "kind_of",
    "kinds",
    "refusal",
    "register",
]


# --- Out ---


@dataclass(frozen=True, slots=True)
class QuickReply:
    """One tap to answer. `data` comes back in the webhook where the channel can carry it (LINE postback);
    `url` is the signed answer page for channels that cannot be answered in place (e-mail)."""

    label: str
    text: str = ""  # what the patient is seen to say; the label when empty
    data: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Button:
    """An action that stays on the message (confirm, please call me): either `data` or `url`, not both."""

    label: str
    data: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """A page to open."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a message, where the channel carries files. `content_type` with its parameters, ASCII."""

    name: str
    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to one address, rendered, ready to leave.

    `key` stays the same through every retry of this message; channels that can deduplicate are given it.
    """

    id: int | UUID
    key: UUID
    to: str
    text: str
    subject: str = ""
    html: str = ""
    quick_replies: tuple[QuickReply, ...] = ()
    buttons: tuple[Button, ...] = ()
    links: tuple[Link, ...] = ()
    language: str = "zh-Hant"
    message_class: str = "OPERATIONAL"
    unsubscribe_url: str = ""  # https; e-mail: one-click by POST (RFC 8058)
    patient_id: UUID | None = None
    attachments: tuple[Attachment, ...] = ()


class Unit(StrEnum):
    """What a channel counts when it limits the length of a text."""

    CHARS = "chars"  # Unicode code points
    UTF16 = "utf16"  # UTF-16 code units: an emoji is two
    BYTES = "bytes"  # UTF-8 bytes


class Cost(StrEnum):
    """What one message costs the clinic, in kind; the price itself is configuration."""

    FREE = "FREE"
    QUOTA = "QUOTA"  # counted against a monthly plan (LINE)
    PER_PART = "PER_PART"  # paid per part (SMS)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a channel can carry, as data, so that planning can check it before anything is sent."""

    text_limit: int
    text_unit: Unit
    quick_replies_max: int = 0
    buttons_max: int = 0
    two_way: bool = False
    receipts: bool = False
    deduplicates: bool = False  # the same key sent twice reaches the patient once …
    deduplicates_for_hours: int = 0  # … within this time of the first try; after it, `unknown`
    pictures: bool = False
    html: bool = False
    subject: bool = False
    one_click_unsubscribe: bool = False
    attachments: bool = False
    cost: Cost = Cost.FREE
    batch: int = 500  # how many messages one `send_many` is best given

    def length(self, text: str) -> int:
        """Return the length of `text` in this channel's own unit.

        >>> Capabilities(5000, Unit.UTF16).length("牙😀")
        3
        >>> Capabilities(5000, Unit.BYTES).length("牙")
        3
        """
        if self.text_unit is Unit.CHARS or text.isascii():
            return len(text)
        if self.text_unit is Unit.UTF16:
            # Lone surrogates cannot be sent; they are counted here and refused by `refusal`.
            return len(text.encode("utf-16-le", "surrogatepass")) // 2
        return len(text.encode("utf-8", "surrogatepass"))


class Reason(StrEnum):
    """Why a message did not go, in words that mean the same on every channel."""

    BLOCKED = "blocked"  # the patient blocked us, or the mailbox refuses us
    BAD_ADDRESS = "bad_address"  # nobody there
    QUOTA = "quota"  # the plan for the month is used up
    RATE = "rate"  # too fast; wait `retry_after`
    AUTH = "auth"  # our own credentials are wrong: pause the channel, every message would fail
    TOO_LONG = "too_long"  # over the channel's limit (text, quick replies, buttons)
    REFUSED = "refused"  # the content or form was refused
    UNAVAILABLE = "unavailable"  # not reached, nothing was accepted
    AMBIGUOUS = "ambiguous"  # may have been accepted; the answer was lost
    UNKNOWN = "unknown"


class ChannelError(Exception):
    """A message was not accepted. `retry` tells the worker whether trying again can help.

    The text is for staff and logs: it never holds an address or the message's words.
    `retry_after` is in seconds.
    """

    def __init__(
        self,
        message: str,
        *,
        retry: bool,
        reason: Reason = Reason.UNKNOWN,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.retry = retry
        self.reason = reason
        self.retry_after = retry_after

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.message!r}, retry={self.retry}, reason={self.reason.value!r})"


class Ambiguous(ChannelError):
    """The channel may have accepted the message, and cannot be asked again without risking a second copy.

    The message goes to the state `unknown`: shown, resolved by a rule per message class, never silently
    resent.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, retry=False, reason=Reason.AMBIGUOUS)


@dataclass(frozen=True, slots=True)
class Sent:
    """The channel accepted the message. Accepted is not delivered."""

    provider_id: str
    accepted_at: datetime
    detail: str = ""
    repeated: bool = False  # the channel had accepted this key before


Result = Sent | ChannelError


@dataclass(frozen=True, slots=True)
class Check:
    """What `check()` found: one line for the settings page and `careloop doctor`."""

    ok: bool
    message: Any  # translatable text, in the language active when shown
    details: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class Channel(Protocol):
    """An open way out. It keeps its connections; belongs to one event loop; `close()` ends it.

    `send_many` returns one result per message, in order, and does not raise for a single message.
    A failure that concerns all (wrong password) is returned for each of them.
    """

    kind: str
    capabilities: Capabilities

    async def send_many(self, messages: Sequence[Outgoing]) -> list[Result]: ...

    async def check(self) -> Check: ...

    async def close(self) -> None: ...


def refusal(capabilities: Capabilities, message: Outgoing) -> ChannelError | None:
    """Return why this channel can never carry this message, or None.

    Used at planning and again by every adapter.
    """
    # no character counts for more than four (UTF-8 bytes), so most texts need no counting
    if (
        len(message.text) * 4 > capabilities.text_limit
        and (length := capabilities.length(message.text)) > capabilities.text_limit
    ):
        return ChannelError(
            f"The text is {length} {capabilities.text_unit} long; the limit is {capabilities.text_limit}.",
            retry=False,
            reason=Reason.TOO_LONG,
        )
    # Where a channel has no taps at all, answers and links are written under the text instead.
    for name, given, allowed in (
        ("quick replies", len(message.quick_replies), capabilities.quick_replies_max),
        ("buttons", len(message.buttons), capabilities.buttons_max),
    ):
        if allowed and given > allowed:
            return ChannelError(
                f"There are {given} {name}; the limit is {allowed}.", retry=False, reason=Reason.TOO_LONG
            )
    if not message.text.strip():
        return ChannelError("The text is empty.", retry=False, reason=Reason.REFUSED)
    try:
        message.text.encode("utf-8")
    except UnicodeEncodeError:  # half of a character, cut by somebody counting wrongly
        return ChannelError("The text is not valid Unicode.", retry=False, reason=Reason.REFUSED)
    return None


# --- In ---


class InboundKind(StrEnum):
    """What happened on the patient's side."""

    TEXT = "TEXT"
    QUICK_REPLY = "QUICK_REPLY"  # a tap whose words are shown; `data` when the tap carried some
    POSTBACK = "POSTBACK"  # a button with `data`
    MEDIA = "MEDIA"  # picture, sticker, file: `data` says which; the content is not fetched
    FOLLOW = "FOLLOW"
    UNFOLLOW = "UNFOLLOW"
    UNSEND = "UNSEND"  # taken back: `data` is the provider's id of the message; delete its content
    DELIVERY = "DELIVERY"
    BOUNCE = "BOUNCE"
    ACCOUNT_LINK = "ACCOUNT_LINK"  # `data` is the nonce, `text` is "ok" or "failed"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Inbound:
    """One thing that happened outside. `event_id` is unique per channel: a repeat is the same event."""

    event_id: str
    kind: InboundKind
    occurred_at: datetime
    address: str = ""  # who, as the channel knows them (LINE user id, e-mail address)
    patient_id: UUID | None = None  # who, where it is known without an address (sandbox phone, signed link)
    text: str = ""
    data: str = ""
    provider_message_id: str = ""
    reply_token: str = ""
    redelivery: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict)  # only what later work needs, never the whole event


class MalformedWebhook(Exception):
    """The body was signed but cannot be used (not JSON, for another destination). Answered with 400."""


class Webhook(Protocol):
    """The way in of one channel, opened with that channel's settings."""

    def verify(self, body: bytes, headers: Mapping[str, str]) -> bool:
        """Is this raw body really from the provider? Constant time; called before anything is parsed."""
        ...

    def parse(self, body: bytes) -> list[Inbound]:
        """Return the events meant for us. Unknown event types become UNKNOWN; nothing unknown raises.

        Raises:
            MalformedWebhook: the body is not what this provider sends, or is for another destination.
        """
        ...


@dataclass(frozen=True, slots=True)
class Door:
    """A channel of one organization, as found by the id in a webhook's address."""

    channel_id: UUID
    organization_id: UUID
    kind: str
    settings: Mapping[str, Any]


class FindDoor(Protocol):
    """`messaging.services.find_door`: works with no organization set.

    A SECURITY DEFINER look-up finds the organization by the channel's id; the settings are read and opened
    inside that organization. None: no such channel, or switched off.
    """

    def __call__(self, channel_id: UUID) -> Door | None: ...


class Receive(Protocol):
    """`messaging.services.receive`: store events once and enqueue the work; return how many were new.

    Unique per channel and event id. Runs inside the organization; must be fast: the door answers within
    200 ms.
    """

    def __call__(self, *, channel_id: UUID, events: Sequence[Inbound], now: datetime) -> int: ...


# --- Kinds ---


@dataclass(frozen=True, slots=True)
class SettingField:
    """One setting of a channel, for the settings form. Secrets are stored sealed and never shown again."""

    name: str
    label: Any  # translatable
    secret: bool = False
    required: bool = True
    default: Any = ""
    help: Any = ""
    type: str = "text"  # text | number | choice | email
    choices: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class ChannelKind:
    """A kind of channel this installation can open.

    `open` takes the stored settings (plus `organization_id` and `channel_id`, which messaging always adds).
    """

    kind: str  # "email", "line", "sandbox"
    label: Any
    capabilities: Capabilities
    open: Callable[[Mapping[str, Any]], Channel]
    fields: tuple[SettingField, ...] = ()
    webhook: Callable[[Mapping[str, Any]], Webhook] | None = None
    # A kind whose abilities depend on its settings (the sandbox plays line, sms or email).
    capabilities_for: Callable[[Mapping[str, Any]], Capabilities] | None = None


_kinds: dict[str, ChannelKind] = {}


def register(kind: ChannelKind) -> None:
    """Make a kind of channel known. Called once per adapter from `careloop/config/wiring.py`."""
    _kinds[kind.kind] = kind


def kind_of(name: str) -> ChannelKind:
    """Return the kind called `name`.

    Raises:
        ValueError: no adapter registered it.
    """
    try:
        return _kinds[name]
    except KeyError:
        raise ValueError(f"No adapter is registered for channel kind {name!r}.") from None


def kinds() -> tuple[ChannelKind, ...]:
    """All registered kinds, in the order of registration."""
    return tuple(_kinds.values())
