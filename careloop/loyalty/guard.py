"""The guard: what membership offers is judged by the rules when it is used, not only when it is switched on.

Each part of membership registers what it offers (`register`), so that one page and one report can show everything. A change of
the law, of the legal profile or of the clinic's own answers therefore stops an item at once, and nothing is switched silently:
the item stays switched on, the guard's page says what is stopped today, and why.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

from django.db import models
from django.utils.functional import Promise

from careloop.policy import selectors
from careloop.policy.answers import Audience, Verdict
from careloop.policy.errors import OfferStopped
from careloop.policy.offers import Offer
from careloop.policy.signing import check_offers
from careloop.tenancy.models import Organization


class Offered(Protocol):
    """Anything that can be offered to members: a rule, benefit, reward, coupon, draw …"""

    pk: Any

    def offer(self) -> Offer:
        """Return what it is in the words of the rules."""


Item = TypeVar("Item", bound=Offered)


@dataclass(frozen=True)
class Guarded:
    """One kind of thing that a part of membership offers.

    Args:
        model: its model; every instance has `offer()`.
        label: its plural, for headings.
        items: the rows that an inspector should see, newest or most important first.
        is_on: whether staff have switched one on.
        screen: name of the address of one item's page, taking its id; empty when it has none.
        title: what one is called.
    """

    model: type[models.Model]
    label: str | Promise
    items: Callable[[], models.QuerySet[Any]]
    is_on: Callable[[Any], bool]
    screen: str = ""
    title: Callable[[Any], str] = str


# In the order in which the parts are loaded; the report sorts by label.
GUARDED: list[Guarded] = []


def register(guarded: Guarded) -> None:
    """Let the guard watch what a part offers; once a model, from the bottom of the module that defines it."""
    if guarded.model not in [one.model for one in GUARDED]:
        GUARDED.append(guarded)


def everything() -> Iterator[tuple[Guarded, list[Any]]]:
    """Give each kind of guarded thing with its rows: one query a kind."""
    for guarded in GUARDED:
        yield guarded, list(guarded.items())


def verdicts(
    items: Iterable[Offered], *, audience: Audience, organization: Organization, now: datetime
) -> dict[UUID, Verdict]:
    """Return each item's verdict today, by its key: the rules are read once for all (three queries)."""
    listed = list(items)
    day = selectors.local_date(organization, now)
    found = check_offers([item.offer() for item in listed], audience=audience, organization=organization, on=day)
    return {item.pk: verdict for item, verdict in zip(listed, found, strict=True)}


def in_force(items: Iterable[Item], *, organization: Organization, now: datetime) -> list[Item]:
    """Return those of the (switched-on) items whose verdict for members stops nothing today, in their order."""
    return _allowed(list(items), "one", organization, now)


def shown_publicly(items: Iterable[Item], *, organization: Organization, now: datetime) -> list[Item]:
    """Return those of the items that may be shown to everybody today."""
    return _allowed(in_force(items, organization=organization, now=now), "public", organization, now)


def _allowed(items: Sequence[Item], audience: Audience, organization: Organization, now: datetime) -> list[Item]:
    found = verdicts(items, audience=audience, organization=organization, now=now)
    return [item for item in items if found[item.pk].may_be_sent]


def refuse_stopped(item: Offered, *, organization: Organization, now: datetime, audience: Audience = "one") -> Verdict:
    """Return the item's verdict when it lets it be used; for switching on and for using one.

    Raises:
        OfferStopped: a rule stops it; `verdict` on the error holds rules, sentences and matched words.
    """
    verdict = verdicts([item], audience=audience, organization=organization, now=now)[item.pk]
    if not verdict.may_be_sent:
        raise OfferStopped(verdict)
    return verdict
