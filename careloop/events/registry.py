"""What kinds of events there are, and who reads them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.functional import Promise


@dataclass(frozen=True)
class Kind:
    """A kind of fact: its name, its words, and how a timeline shows it.

    `group` is the timeline's filter: visits, clinical, messages, money, tasks, profile.
    `sentence` is a translated text with placeholders named after payload fields.
    """

    name: str
    label: str | Promise
    group: str
    icon: str
    sentence: str | Promise
    fact: type


@dataclass(frozen=True, slots=True)
class Published:
    """One event as a reader receives it."""

    id: int
    kind: str
    patient_id: UUID | None
    occurred_at: datetime
    recorded_at: datetime
    source: str
    batch_id: UUID | None
    historical: bool
    payload: dict[str, Any]


@dataclass(frozen=True)
class Reader:
    """A named consumer of the log; `kinds` empty means every kind."""

    name: str
    kinds: frozenset[str]
    batch_size: int
    handle: Callable[[list[Published]], None]


KINDS: dict[str, Kind] = {}
READERS: dict[str, Reader] = {}


def fact(
    name: str, *, label: str | Promise, group: str, icon: str = "circle-dot", sentence: str | Promise = ""
) -> Callable[[type], type]:
    """Declare a frozen dataclass as a kind of fact."""

    def declare(cls: type) -> type:
        if not is_dataclass(cls):
            raise TypeError(f"{cls.__name__} must be a dataclass")
        if any(field.name == "kind" for field in fields(cls)):
            raise TypeError(f"{cls.__name__} must not have a field named kind: it would hide the fact's own kind")
        if name in KINDS and KINDS[name].fact.__qualname__ != cls.__qualname__:
            raise ValueError(f"the kind {name} is declared twice")
        KINDS[name] = Kind(name, label, group, icon, sentence, cls)
        cls.kind = name  # type: ignore[attr-defined]
        return cls

    return declare


def reader(name: str, *, kinds: tuple[str, ...] = (), batch_size: int = 2000) -> Callable[[Any], Any]:
    """Declare a function that takes batches of events, in order, inside the transaction that moves its position."""

    def declare(handle: Callable[[list[Published]], None]) -> Callable[[list[Published]], None]:
        if name in READERS and READERS[name].handle.__module__ != handle.__module__:
            raise ValueError(f"the reader {name} is declared twice")
        READERS[name] = Reader(name, frozenset(kinds), batch_size, handle)
        return handle

    return declare


def payload_of(instance: Any) -> dict[str, Any]:
    """Return a fact's fields as JSON-ready values."""
    return {field.name: _plain(getattr(instance, field.name)) for field in fields(instance)}


def _plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value


_moment: ContextVar[datetime | None] = ContextVar("careloop_reading_moment", default=None)


def reading_now() -> datetime:
    """Return the moment at which the running reader reads; the clock's, unless whoever runs the readers gave another."""
    return _moment.get() or timezone.now()


@contextmanager
def reading_at(now: datetime) -> Iterator[None]:
    """Let readers inside the block take `now` for the present."""
    token = _moment.set(now)
    try:
        yield
    finally:
        _moment.reset(token)
