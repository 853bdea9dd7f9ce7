"""Ready journeys: dated data with their sources, to be taken over as drafts and changed."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from typing import Any, ClassVar
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from careloop.accounts.models import User
from careloop.facts.services import clinic_day
from careloop.journeys import services
from careloop.journeys.models import Journey
from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.messaging import texts
from careloop.segments import library as segments
from careloop.segments.recall import in_language


class NotInLibrary(DomainError):
    code: ClassVar[str] = "journeys.not_in_library"
    status: ClassVar[int] = 404
    message = _("The library has no such care journey today.")


@dataclass(frozen=True)
class Ready:
    """One ready journey in one period of validity. `segment` is a key of the segments' library, if it begins with one."""

    key: str
    valid_from: date
    valid_to: date | None
    icon: str
    name: Mapping[str, str]
    description: Mapping[str, str]
    source: Mapping[str, str]
    segment: str
    definition: Mapping[str, Any]

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


ABOUT = ("key", "valid_from", "valid_to", "icon", "name", "description", "source", "segment")


@cache
def _all() -> tuple[Ready, ...]:
    text = (files("careloop.journeys") / "data" / "library.toml").read_text(encoding="utf-8")
    return tuple(
        Ready(
            **{"valid_to": None, "segment": "", **{name: one[name] for name in ABOUT if name in one}},
            definition={name: value for name, value in one.items() if name not in ABOUT},
        )
        for one in tomllib.loads(text)["journey"]
    )


def ready_on(day: date) -> dict[str, Ready]:
    """Return the ready journeys valid on a day, by key."""
    return {one.key: one for one in _all() if one.valid_from <= day and (one.valid_to is None or day <= one.valid_to)}


@transaction.atomic
def take_over(key: str, *, by: UUID | None, now: datetime, journey_id: UUID | None = None) -> Journey:
    """Make a draft from a ready journey, with its segment and its message templates, in the organization's language.

    Args:
        journey_id: comes with the form, so that a double click makes one draft.

    Raises:
        NotInLibrary: no ready journey of this key today.
    """
    ready = ready_on(clinic_day(now)).get(key)
    if ready is None:
        raise NotInLibrary
    texts.install_library(now=now)
    language = sql.value("select language from tenancy_organization")
    with override(language):
        definition = definition_of(ready)
        name, description = ready.title, ready.text
    if ready.segment:
        user = User.objects.filter(pk=by).first() if by else None
        segment = segments.take_over(ready.segment, by=user, now=now)
        definition["trigger"] = {"kind": "segment", "segment": str(segment.pk), "existing": True}
    return services.create_journey(
        name=name,
        description=description,
        definition=definition,
        library_key=key,
        now=now,
        by=by,
        journey_id=journey_id,
    )


def definition_of(ready: Ready) -> dict[str, Any]:
    """Return a ready journey's definition with its texts in the active language."""
    return {
        **ready.definition,
        "steps": [
            {name: in_language(value) if name in ("title", "script") else value for name, value in step.items()}
            for step in ready.definition["steps"]
        ],
    }
