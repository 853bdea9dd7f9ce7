"""The search behind Ctrl K: each slice offers a provider; pages of the navigation are found too."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from careloop.web import navigation

MOST_PER_PROVIDER = 8


@dataclass(frozen=True)
class Found:
    """One answer: where it leads, what it is called, and a second line (masked where it must be)."""

    url: str
    label: str
    detail: str = ""
    icon: str = "arrow-right"


@dataclass(frozen=True)
class Provider:
    """A kind of thing that can be found. `find(request, text)` gives the best answers first."""

    label: str | Promise
    permission: str
    find: Callable[[HttpRequest, str], Iterable[Found]]


@dataclass(frozen=True)
class Answers:
    """What one provider found."""

    label: str | Promise
    found: list[Found]


_providers: list[Provider] = []


def register(provider: Provider) -> None:
    """Add a provider; config/wiring.py does this at start."""
    if provider not in _providers:
        _providers.append(provider)


def search(request: HttpRequest, text: str) -> list[Answers]:
    """Everything this member may find under `text`; without text, the places to go."""
    text = text.strip()
    member = getattr(request, "member", None)
    answers = []
    if text and member is not None:
        for provider in _providers:
            if member.can(provider.permission):
                found = [one for one, _n in zip(provider.find(request, text), range(MOST_PER_PROVIDER), strict=False)]
                answers.append(Answers(provider.label, found))
    answers.append(Answers(_("Go to"), list(_places(request, text))))
    return [one for one in answers if one.found]


def _places(request: HttpRequest, text: str) -> Iterable[Found]:
    entries = [entry for group in navigation.sections_for(request) for entry in group.entries]
    for entry in entries + navigation.foot_for(request):
        if text.casefold() in str(entry.label).casefold():
            yield Found(entry.url, str(entry.label), icon=entry.icon)
