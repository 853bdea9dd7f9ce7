"""A lucky draw that anyone can check: prepared, opened, closed, drawn. Each step is one transaction and cannot be taken back.

Opening makes the seed and publishes its hash; closing fixes the tickets and publishes the hash of their list; drawing publishes the
seed and writes the winners that `draw_rules` computes from it. A step asked for twice is done once. The guard is asked at every
step: what a rule stops today is neither opened nor closed nor drawn.
"""

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from careloop.audit import services as audit
from careloop.events import services as events
from careloop.kernel.text import clean
from careloop.loyalty import guard
from careloop.loyalty.draw import errors
from careloop.loyalty.draw import rules as draw_rules
from careloop.loyalty.draw.entries import give_tickets
from careloop.loyalty.events import DrawWon
from careloop.loyalty.models import Draw, DrawPrize, DrawTicket, DrawWinner
from careloop.loyalty.points import ledger
from careloop.loyalty.reward.coupons import grant_coupon
from careloop.messaging.sealing import open_for_organization, seal_for_organization
from careloop.policy.answers import Audience, Verdict
from careloop.policy.selectors import local_date
from careloop.tenancy.models import Organization

State = Draw.State
Chance = Callable[[int], bytes]
ORDER = [State.DRAFT, State.OPEN, State.CLOSED, State.DRAWN]
FIELDS = ("name", "description", "entry", "tier_id", "least_points", "from_on", "to_on", "outside_source")


@transaction.atomic
def prepare(
    *, programme_id: UUID, values: dict[str, Any], prizes: Sequence[dict[str, Any]], now: datetime,
    draw_id: UUID | None = None,
) -> Draw:  # fmt: skip
    """Write down a draw, or change one that is not open yet.

    Args:
        values: some of FIELDS. prizes: in their order; name, count, gives, value, points, coupon_id.

    Raises:
        UnknownDraw. DrawMovedOn: it is open already.
    """
    unknown = set(values) - set(FIELDS)
    if unknown:
        raise ValueError(f"not part of a draw: {sorted(unknown)}")
    if draw_id is None:
        draw = Draw(programme_id=programme_id, created_at=now)
    else:
        draw = _locked(draw_id)
        if draw.state != State.DRAFT:
            raise errors.DrawMovedOn(state=draw.get_state_display())
        draw.version += 1
    for name, value in values.items():
        setattr(draw, name, clean(value) if isinstance(value, str) else value)
    draw.save()
    DrawPrize.objects.filter(draw=draw).delete()
    DrawPrize.objects.bulk_create(DrawPrize(draw=draw, place=place, **prize) for place, prize in enumerate(prizes))
    audit.record("draw.prepared", target=("draw", draw.pk), details={"prizes": len(prizes)}, now=now)
    return draw


@transaction.atomic
def open_draw(*, draw_id: UUID, now: datetime, by: UUID | None, chance: Chance = secrets.token_bytes) -> Draw:
    """Publish the draw and the hash of its seed. From here on nothing about it changes.

    Args:
        chance: where the seed comes from; only a demo clinic's is the same every time.

    Raises:
        UnknownDraw, DrawHasNoPrize. OfferStopped: a rule stops it, and nobody has signed it off.
    """
    draw = _locked(draw_id)
    if _is_at_least(draw, State.OPEN):
        return draw
    if not draw.prizes.all():
        raise errors.DrawHasNoPrize
    _check_chance(_ask_guard(draw, now), chance)
    seed = chance(32).hex()
    draw.seed_hash = draw_rules.hash_of(seed)
    draw.seed_sealed = seal_for_organization(_place(draw.pk), {"seed": seed})
    draw.opened_at, draw.opened_by_id = now, by
    return _go(draw, State.OPEN, "draw.opened", now, {"seed_hash": draw.seed_hash})


@transaction.atomic
def close_draw(*, draw_id: UUID, now: datetime, by: UUID | None, chance: Chance = secrets.token_bytes) -> Draw:
    """Fix the tickets of everybody who takes part by the rule, and publish the hash of their list.

    Args:
        chance: as in `open_draw`, for the codes of the tickets.

    Raises:
        UnknownDraw, DrawMovedOn (not open yet), OfferStopped, NobodyTakesPart. DrawPeriodNotOver: tickets can still be earned.
    """
    draw = _locked(draw_id)
    if _is_at_least(draw, State.CLOSED):
        return draw
    _needs(draw, State.OPEN)
    organization = _ask_guard(draw, now)
    if draw.to_on is not None and local_date(organization, now) <= draw.to_on:
        raise errors.DrawPeriodNotOver(day=draw.to_on.isoformat())
    _check_chance(organization, chance)
    give_tickets(draw, zone=organization.time_zone, salt=chance(32))
    tickets = tickets_of(draw.pk)
    if not tickets:
        raise errors.NobodyTakesPart
    draw.list_hash = draw_rules.hash_of(draw_rules.list_text(tickets))
    draw.tickets_count, draw.closed_at, draw.closed_by_id = len(tickets), now, by
    return _go(draw, State.CLOSED, "draw.closed", now, {"list_hash": draw.list_hash, "tickets": len(tickets)})


@transaction.atomic
def draw_winners(*, draw_id: UUID, outside_value: str = "", now: datetime, by: UUID | None) -> Draw:
    """Publish the seed, write the winners it gives, tell them, and give them points and coupons.

    Raises:
        UnknownDraw, DrawMovedOn (not closed yet), OfferStopped. OutsideValueNeeded: an outside number was announced.
    """
    draw = _locked(draw_id)
    if _is_at_least(draw, State.DRAWN):
        return draw
    _needs(draw, State.CLOSED)
    _ask_guard(draw, now)
    outside_value = clean(outside_value)[:120]
    if draw.outside_source and not outside_value:
        raise errors.OutsideValueNeeded(source=draw.outside_source)
    draw.outside_value = outside_value if draw.outside_source else ""
    draw.seed = open_for_organization(_place(draw.pk), draw.seed_sealed)["seed"]
    _write_winners(draw, now)
    draw.drawn_at, draw.drawn_by_id = now, by
    return _go(draw, State.DRAWN, "draw.drawn", now, {"seed": draw.seed, "outside_value": draw.outside_value})


@transaction.atomic
def hand_over(*, draw_id: UUID, place: int, now: datetime, by: UUID | None) -> DrawWinner:
    """Note that the winner at this place was given the prize. Twice is once.

    Raises:
        UnknownDraw: there is no such winner.
    """
    rows = DrawWinner.objects.select_for_update(of=("self",)).select_related("ticket__account")
    winner = rows.filter(draw_id=draw_id, place=place).first()
    if winner is None:
        raise errors.UnknownDraw
    if winner.given_at is None:
        winner.given_at, winner.given_by_id = now, by
        winner.save(update_fields=["given_at", "given_by"])
        patient = winner.ticket.account.patient_id if winner.ticket.account else None
        audit.record(
            "draw.prize_given", patients=[patient] if patient else [], target=("draw", winner.draw_id), now=now
        )
    return winner


def tickets_of(draw_id: UUID) -> list[str]:
    """Return the numbers of all tickets, sorted as they are published."""
    return list(DrawTicket.objects.filter(draw_id=draw_id).order_by("number").values_list("number", flat=True))


def _write_winners(draw: Draw, now: datetime) -> None:
    prizes = list(draw.prizes.all())
    found = draw_rules.winners(
        tickets_of(draw.pk), prizes=[prize.count for prize in prizes], seed=draw.seed, outside=draw.outside_value
    )
    tickets = {
        ticket.number: ticket
        for ticket in DrawTicket.objects.select_related("account").filter(
            draw=draw, number__in=[ticket for _place, ticket in found]
        )
    }
    rows = [
        DrawWinner(draw=draw, place=place, prize=prizes[prize], ticket=tickets[number])
        for place, (prize, number) in enumerate(found, start=1)
    ]
    DrawWinner.objects.bulk_create(rows)
    # whoever was erased since the list was fixed wins nothing, and nobody else wins it: the list and the seed decide
    known = [(row, row.ticket.account) for row in rows if row.ticket.account is not None]
    for row, account in known:
        _give(row, account.pk, now)
    events.publish_many(
        [
            (
                DrawWon(account.pk, draw.pk, row.prize_id, row.ticket.number), account.patient_id, now,
                f"draw:{draw.pk}:{row.place}",
            )
            for row, account in known
        ],
        now=now,
    )  # fmt: skip


def _give(winner: DrawWinner, account_id: UUID, now: datetime) -> None:
    """Give what the program itself can give; goods and services wait for the desk."""
    prize, because = winner.prize, ledger.Because("DRAW", ref=str(winner.draw_id), note=winner.draw.name)
    key = f"draw:{winner.draw_id}:{winner.place}"
    if prize.points:
        ledger.earn(account_id=account_id, points=prize.points, key=key, because=because, now=now)
    elif prize.coupon_id:
        grant_coupon(account_id=account_id, coupon_id=prize.coupon_id, key=key, because=because, now=now, by=None)
    else:
        return
    DrawWinner.objects.filter(pk=winner.pk).update(given_at=now)


# -- steps -------------------------------------------------------------------------------------------------------


def _locked(draw_id: UUID) -> Draw:
    draw = Draw.objects.select_for_update(no_key=True).filter(pk=draw_id).first()
    if draw is None:
        raise errors.UnknownDraw
    return draw


def _is_at_least(draw: Draw, state: State) -> bool:
    return ORDER.index(State(draw.state)) >= ORDER.index(state)


def _needs(draw: Draw, state: State) -> None:
    if draw.state != state:
        raise errors.DrawMovedOn(state=draw.get_state_display())


def _ask_guard(draw: Draw, now: datetime) -> Organization:
    organization = Organization.objects.get()
    guard.refuse_stopped(draw, organization=organization, now=now)
    return organization


def _check_chance(organization: Organization, chance: Chance) -> None:
    if chance is not secrets.token_bytes and not organization.is_demo:
        raise ValueError("only a demo clinic's draws may be the same every time")


def verdict_of(draw: Draw, *, now: datetime, audience: Audience = "one") -> Verdict:
    """Return what the rules say about a draw today."""
    return guard.verdicts([draw], audience=audience, organization=Organization.objects.get(), now=now)[draw.pk]


def is_shown(draw: Draw, *, audience: Audience, organization: Organization, now: datetime) -> bool:
    """Whether the rules let a draw be shown to these readers today."""
    return guard.verdicts([draw], audience=audience, organization=organization, now=now)[draw.pk].may_be_sent


def open_for_members(programme_id: UUID, *, organization: Organization, now: datetime) -> list[Draw]:
    """Return the open draws of a programme that no rule stops today."""
    found = Draw.objects.prefetch_related("prizes").filter(programme_id=programme_id, state=State.OPEN)
    return guard.in_force(found.order_by("-opened_at"), organization=organization, now=now)


def _go(draw: Draw, state: State, action: str, now: datetime, details: dict[str, Any]) -> Draw:
    draw.state, draw.version = state, draw.version + 1
    draw.save()
    audit.record(action, target=("draw", draw.pk), details=details, now=now)
    return draw


def _place(draw_id: UUID) -> str:
    return f"loyalty_draw.seed_sealed.{draw_id}"


guard.register(
    guard.Guarded(
        Draw, _("Lucky draws"), items=lambda: Draw.objects.prefetch_related("prizes").order_by("-created_at"),
        is_on=lambda draw: draw.state in (State.OPEN, State.CLOSED), screen="draws:draw", title=lambda draw: draw.name,
    )
)  # fmt: skip
