"""Who uses a segment: slices above (journeys, campaigns) say so, and a used segment cannot be put away."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class Use:
    """One thing that uses a segment, with its address."""

    label: str
    url: str
    icon: str = "route"


Finder = Callable[[UUID], list[Use]]
_FINDERS: dict[str, Finder] = {}


def register(name: str, find: Finder) -> None:
    """Let a slice say which of its things use a segment. Called once, from the slice's `slots.py`."""
    _FINDERS[name] = find


def uses_of(segment_id: UUID) -> list[Use]:
    """Return everything that uses this segment."""
    return [use for find in _FINDERS.values() for use in find(segment_id)]
