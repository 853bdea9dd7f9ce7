"""The port to a payment provider: how a payer is sent there, what the provider says, and how money goes back.

Pure Python, no Django, no database: an adapter (`careloop.integrations.payments.<kind>`) fulfils `Provider`; payments knows
adapters only through this file. A new provider is one folder and one `register(...)` line in `integrations/payments/slots.py`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from careloop.messaging.ports import Check, SettingField

__all__ = [
    "Asked", "Check", "GivenBack", "Handover", "Notice", "NoticeRefused", "Provider", "ProviderError", "ProviderKind", "Result",
    "SettingField", "Trade", "kind_of", "kinds", "register",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """What the payer is asked for. `title` and `line` go to the provider and never say what was treated."""

    trade_no: str  # ours: 20 letters and digits, used once
    amount: int  # minor units
    currency: str
    title: str
    line: str
    language: str
    notify_url: str  # where the provider's server tells us
    back_url: str  # where the payer's browser returns to
    at: datetime


@dataclass(frozen=True, slots=True)
class Handover:
    """A form the payer's own browser sends to the provider. `origin` is the only address that page may send a form to."""

    url: str
    fields: Mapping[str, str]
    origin: str = "'self'"


class Result(StrEnum):
    """What became of a trade, as the provider says."""

    PAID = "PAID"
    FAILED = "FAILED"
    WAITING = "WAITING"  # not paid yet: a transfer code was given out, or the payer is still there
    SIMULATED = "SIMULATED"  # a test notice of a real account: no money moved


@dataclass(frozen=True, slots=True)
class Notice:
    """One statement of the provider about one trade, proved to be theirs. `kept` is what is stored: no secrets, no card numbers."""

    trade_no: str
    provider_trade_no: str
    amount: int
    currency: str
    result: Result
    said: str = ""  # the provider's words about a failure
    method: str = ""
    occurred_at: datetime | None = None
    kept: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)  # what a refund needs later


class NoticeRefused(Exception):
    """A body that is not the provider's, or was altered on its way. `why` is a code for the audit log."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class ProviderError(Exception):
    """The provider was asked and did not do it. The text is for staff and never names a person.

    `unclear`: it may have been done all the same, and must not be asked again before somebody looked.
    """

    def __init__(self, message: str, *, unclear: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.unclear = unclear


@dataclass(frozen=True, slots=True)
class Trade:
    """A trade as the provider knows it. `given_back` is what was refunded before."""

    trade_no: str
    provider_trade_no: str
    amount: int
    currency: str
    details: Mapping[str, Any] = field(default_factory=dict)
    given_back: int = 0


@dataclass(frozen=True, slots=True)
class GivenBack:
    """The provider took the refund on."""

    reference: str = ""
    said: str = ""


class Provider(Protocol):
    """One account with a provider, opened with its settings."""

    accepted: str  # what a notice is answered with once it is stored

    def start(self, asked: Asked) -> Handover: ...

    def read_notice(self, body: bytes) -> Notice:
        """Prove and read what the provider's server sent.

        Raises:
            NoticeRefused: it is not theirs, or altered. Compared in constant time.
        """
        ...

    def query(self, trade: Trade) -> Notice:
        """Ask what became of a trade.

        Raises:
            ProviderError: no answer, or one that is not theirs.
        """
        ...

    def refund(self, trade: Trade, amount: int, *, now: datetime) -> GivenBack:
        """Give back `amount` of what was paid.

        Raises:
            ProviderError: not done; or `unclear`.
        """
        ...

    def check(self, *, now: datetime) -> Check:
        """Ask whether the provider knows us. Nothing is charged."""
        ...


@dataclass(frozen=True, slots=True)
class ProviderKind:
    """A kind of provider this installation can open. `open` takes the stored settings plus `account_id`."""

    kind: str
    label: Any
    open: Callable[[Mapping[str, Any]], Provider]
    fields: tuple[SettingField, ...] = ()
    currencies: frozenset[str] = frozenset()  # empty: all
    # whether money of this account is play money: shown everywhere
    is_test: Callable[[Mapping[str, Any]], bool] = lambda settings: False


_kinds: dict[str, ProviderKind] = {}


def register(kind: ProviderKind) -> None:
    """Make a kind of provider known."""
    _kinds[kind.kind] = kind


def kind_of(name: str) -> ProviderKind:
    """Return the kind called `name`.

    Raises:
        ValueError: no adapter registered it.
    """
    try:
        return _kinds[name]
    except KeyError:
        raise ValueError(f"No adapter is registered for payment provider {name!r}.") from None


def kinds() -> tuple[ProviderKind, ...]:
    """All registered kinds, in the order of registration."""
    return tuple(_kinds.values())
