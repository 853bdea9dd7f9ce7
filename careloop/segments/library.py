"""Ready segments: dated data with their sources, to be taken over and changed."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from careloop.facts.services import clinic_day
from careloop.kernel.errors import DomainError
from careloop.segments import services
from careloop.segments.models import Segment
from careloop.segments.recall import in_language
from careloop.tenancy.context import current_organization_id
from careloop.tenancy.models import Organization


class NotInLibrary(DomainError):
    code: ClassVar[str] = "segments.not_in_library"
    status: ClassVar[int] = 404
    message = _("The library has no such segment today.")


@dataclass(frozen=True)
class Ready:
    """One ready segment in one period of validity."""

    key: str
    valid_from: date
    valid_to: date | None
    purpose: str
    icon: str
    name: Mapping[str, str]
    description: Mapping[str, str]
    source: Mapping[str, str]
    rule: dict[str, Any]

    @property
    def title(self) -> str:
        return in_language(self.name)

    @property
    def text(self) -> str:
        return in_language(self.description)

    @property
    def origin(self) -> str:
        """Where the rule comes from, for the reader."""
        return in_language(self.source)


@cache
def _all() -> tuple[Ready, ...]:
    text = (files("careloop.segments") / "data" / "library.toml").read_text(encoding="utf-8")
    return tuple(Ready(**{"valid_to": None, **one}) for one in tomllib.loads(text)["segment"])


def ready_on(day: date) -> dict[str, Ready]:
    """The ready segments valid on a day, by key."""
    return {one.key: one for one in _all() if one.valid_from <= day and (one.valid_to is None or day <= one.valid_to)}


def take_over(key: str, *, by: Any, now: datetime, refresh: bool = True) -> Segment:
    """Make a segment of the organization's own from a ready one, named in its language; again gives the same one.

    Raises:
        NotInLibrary: no ready segment of this key today. NameTaken: another segment has its name.
    """
    ready = ready_on(clinic_day(now)).get(key)
    if ready is None:
        raise NotInLibrary
    if mine := Segment.objects.filter(library_key=key, archived_at=None).first():
        return mine
    organization = Organization.objects.get(id=current_organization_id())
    with override(organization.language):
        name, description = ready.title, ready.text
    return services.create_segment(
        name=name, description=description, rule=ready.rule, purpose=ready.purpose, by=by, now=now, library_key=key,
        refresh=refresh,
    )  # fmt: skip
