"""What segments announce."""

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from careloop.events.registry import fact


@fact(
    "segment.entered", label=_("Entered a segment"), group="profile", icon="filter",
    sentence=_("Entered the segment “%(segment)s”."),
)  # fmt: skip
@dataclass(frozen=True)
class SegmentEntered:
    """A patient fits a segment's rule now."""

    segment_id: UUID
    segment: str


@fact(
    "segment.left", label=_("Left a segment"), group="profile", icon="door-exit",
    sentence=_("Left the segment “%(segment)s”."),
)  # fmt: skip
@dataclass(frozen=True)
class SegmentLeft:
    """A patient does not fit a segment's rule any more."""

    segment_id: UUID
    segment: str
