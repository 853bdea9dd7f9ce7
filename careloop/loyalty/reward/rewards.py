"""The catalogue: rewards and coupons as they are set up and switched on. Taking and giving are in `redemptions` and `coupons`."""

from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db import transaction

from careloop.audit import services as audit
from careloop.loyalty import guard
from careloop.loyalty.models import Coupon, Reward
from careloop.loyalty.models.offered import OfferState
from careloop.loyalty.reward import errors as errors
from careloop.loyalty.reward.coupons import grant_coupon as grant_coupon
from careloop.loyalty.reward.redemptions import redeem as redeem
from careloop.policy.answers import Audience, Verdict
from careloop.tenancy.models import Organization

One = TypeVar("One", Reward, Coupon)
KINDS: dict[type[Any], str] = {Reward: "reward", Coupon: "coupon"}


@transaction.atomic
def save(
    model: type[One],
    *,
    values: dict[str, Any],
    now: datetime,
    by: UUID,
    id: UUID | None = None,
    version: int | None = None,
) -> One:
    """Make an offer, or change one. A changed one that is switched on stays on only if the guard lets it.

    Args:
        values: its columns; `stock_seen` beside `stock` is how many were left when the form was opened.

    Raises:
        UnknownReward, OfferChanged; OfferStopped: it is on, and changed like this a rule stops it. Nothing is changed.
    """
    if id is None:
        offer = model(created_at=now, changed_at=now, **values)
    else:
        offer = _locked(model, id)
        if version is not None and offer.version != version:
            raise errors.OfferChanged
        for name, value in (_counted(offer, values) if isinstance(offer, Reward) else values).items():
            setattr(offer, name, value)
        offer.changed_at, offer.version = now, offer.version + 1
        if offer.state == OfferState.ON:
            check(offer, now=now)
    offer.save()
    audit.record(f"{KINDS[model]}.saved", target=(KINDS[model], offer.pk), now=now)
    return offer


@transaction.atomic
def switch_on(model: type[One], *, id: UUID, now: datetime, by: UUID) -> One:
    """Offer it from now on. Twice is once.

    Raises:
        UnknownReward; OfferStopped: a rule stops it, and nobody has signed it off.
    """
    offer = _locked(model, id)
    if offer.state == OfferState.ON:
        return offer
    check(offer, now=now)
    _set(offer, OfferState.ON, now=now)
    audit.record(f"{KINDS[model]}.switched_on", target=(KINDS[model], offer.pk), now=now)
    return offer


@transaction.atomic
def switch_off(model: type[One], *, id: UUID, now: datetime, by: UUID) -> One:
    """Offer it no longer; what was taken already stays good until its day."""
    offer = _locked(model, id)
    if offer.state == OfferState.ON:
        _set(offer, OfferState.OFF, now=now)
        audit.record(f"{KINDS[model]}.switched_off", target=(KINDS[model], offer.pk), now=now)
    return offer


def verdict_of(offer: Reward | Coupon, *, audience: Audience, now: datetime) -> Verdict:
    """Return what the guard says about this offer today, sign-offs included."""
    found: Verdict = guard.verdicts([offer], audience=audience, organization=Organization.objects.get(), now=now)[
        offer.pk
    ]
    return found


def check(offer: Reward | Coupon, *, now: datetime) -> None:
    """Refuse an offer that a rule stops for those who will read it: members, or everybody where codes are on paper.

    Raises:
        OfferStopped: with the verdict, which says why, the legal base and the matched words.
    """
    organization = Organization.objects.get()
    audiences: set[Audience] = {"one", offer.audience} if isinstance(offer, Coupon) else {"one"}
    for audience in sorted(audiences):
        guard.refuse_stopped(offer, organization=organization, now=now, audience=audience)


def _counted(reward: Reward, values: dict[str, Any]) -> dict[str, Any]:
    """Members take pieces while staff fill the form in: what staff add or take away is added or taken away, not written over it."""
    if "stock_seen" not in values:
        return values
    rest = dict(values)
    seen, wanted = rest.pop("stock_seen"), rest.pop("stock")
    if wanted == seen:
        return rest
    if wanted is None or seen is None or reward.stock is None:
        return {**rest, "stock": wanted}
    return {**rest, "stock": max(0, reward.stock + wanted - seen)}


def _locked(model: type[One], id: UUID) -> One:
    found: Any = model._default_manager.select_for_update().filter(pk=id).first()
    if found is None:
        raise errors.UnknownReward
    return found  # type: ignore[no-any-return]


def _set(offer: Any, state: str, *, now: datetime) -> None:
    offer.state, offer.changed_at, offer.version = state, now, offer.version + 1
    offer.save(update_fields=["state", "changed_at", "version"])
