"""Points that waited become final, or nothing comes of them; what was given is taken back when the reason for it goes.

Whoever changes an earning holds the lock of its account first, as recording does: so nothing is counted against an old state.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from careloop.kernel import sql
from careloop.loyalty.earn import rules as rules
from careloop.loyalty.earn.nhi import nhi_earns_nothing
from careloop.loyalty.earn.rules import PAID_BY, Payers
from careloop.loyalty.models import Earning
from careloop.loyalty.points import ledger
from careloop.loyalty.points.ledger import Because
from careloop.tenancy.models import Organization

BATCH = 500
ASK_AGAIN = timedelta(days=1)
NO_TIME = timedelta(0)

Because_ = Earning.Because
PATIENCE: dict[str, timedelta] = {Because_.NOT_CLOSED: timedelta(days=30), Because_.PAYER_UNKNOWN: timedelta(days=7)}
"""So long after a visit its points still wait: for it to be closed, for a bill that says who paid."""


@transaction.atomic
def settle_due(*, now: datetime, limit: int = BATCH) -> int:
    """Make final what is due, or void with the reason; return how many were looked at. Safe to run by several workers at once."""
    found = list(
        Earning.objects.filter(state=Earning.State.PENDING, due_at__lte=now)
        .order_by("due_at", "id")
        .values_list("id", flat=True)[:limit]
    )
    return settle(found, now=now)


@transaction.atomic
def settle(earning_ids: Sequence[int], *, now: datetime) -> int:
    """Make these earnings final, or void; those that are so already are left alone."""
    rows = _locked(earning_ids)
    if not rows:
        return 0
    organization = Organization.objects.get()
    forbids_nhi = nhi_earns_nothing(organization)
    payers = _payers([one for one in rows if one.rule.kind in PAID_BY]) if forbids_nhi else {}
    open_visits = _open_visits([one for one in rows if one.source == "visit"])
    final, changed = [], []
    for one in rows:
        patient = (one.account.patient_id or one.account_id, one.occurred_on)
        why_not = rules.why_not_for(payers.get(patient, Payers()), kind=one.rule.kind, forbids_nhi=forbids_nhi)
        if one.account.state != "ACTIVE":
            why_not = Because_.LEFT
        elif not why_not and one.source_ref in open_visits:
            why_not = Because_.NOT_CLOSED
        if now - one.occurred_at < PATIENCE.get(why_not, NO_TIME):
            one.due_at = now + ASK_AGAIN
            changed.append(one)
            continue
        if why_not:
            one.state, one.because = Earning.State.VOID, why_not
        else:
            one.state = Earning.State.FINAL
            final.append(one)
        one.settled_at = now
        changed.append(one)
    ledger.earn_many(
        [
            ledger.Earning(
                one.account_id, one.net, one.key, Because("EARN_RULE", str(one.rule_id), _words(one)),
                by=one.recorded_by_id, occurred_at=one.occurred_at,
            )
            for one in final
        ],
        now=now,
    )  # fmt: skip
    Earning.objects.bulk_update(changed, ["state", "because", "settled_at", "due_at"])
    return len(rows)


def _words(one: Earning) -> str:
    return f"{one.rule.name} · {one.note}" if one.note else one.rule.name


def _locked(earning_ids: Sequence[int]) -> list[Earning]:
    """Pending earnings of these, their accounts locked first, in the order in which everybody locks them."""
    ids = list(earning_ids)
    sql.rows(
        """select id from loyalty_account where id in (select account_id from loyalty_earning where id = any(%s))
            order by id for no key update""",
        [ids],
    )
    waiting = Earning.objects.filter(pk__in=ids, state=Earning.State.PENDING).select_for_update(of=("self",))
    return list(waiting.select_related("rule", "account").order_by("id"))


def _payers(rows: Sequence[Earning]) -> dict[tuple[UUID, date], Payers]:
    """Who paid for what these patients came for on these days: by the bills, and by the services of the appointments seen."""
    if not rows:
        return {}
    pairs = sorted({(one.account.patient_id, one.occurred_on) for one in rows if one.account.patient_id}, key=str)
    found = sql.rows(
        """with asked as (select * from unnest(%(patients)s::uuid[], %(days)s::date[]) as t (patient_id, day)),
                zone as (select time_zone as name from tenancy_organization)
           select asked.patient_id, asked.day, bool_or(nhi) as nhi, bool_or(patient) as patient from asked join lateral (
               select i.payer_kind in ('nhi', 'mixed') as nhi, i.payer_kind = 'self_pay' as patient from records_invoice i, zone
                where i.patient_id = asked.patient_id and not i.entered_in_error
                  and i.issued_at >= asked.day::timestamp at time zone zone.name
                  and i.issued_at < (asked.day + 1)::timestamp at time zone zone.name
               union all
               select s.payer = 'NHI', s.payer = 'SELF' from scheduling_appointment v join scheduling_service s on s.id = v.service_id, zone
                where v.patient_id = asked.patient_id and v.state = 'fulfilled'
                  and v.starts_at >= asked.day::timestamp at time zone zone.name
                  and v.starts_at < (asked.day + 1)::timestamp at time zone zone.name
             ) said on true group by asked.patient_id, asked.day""",
        {"patients": [patient for patient, _day in pairs], "days": [day for _patient, day in pairs]},
    )
    return {(row["patient_id"], row["day"]): Payers(bool(row["nhi"]), bool(row["patient"])) for row in found}


def _open_visits(rows: Sequence[Earning]) -> set[str]:
    """Those of the visits that the clinic's program has not closed yet."""
    if not rows:
        return set()
    refs = [one.source_ref for one in rows]
    return {
        str(row["id"])
        for row in sql.rows(
            """select id from records_encounter where id = any(%s::uuid[]) and ended_at is null
                  and status in ('planned', 'arrived', 'triaged', 'in-progress', 'onleave')""",
            [refs],
        )
    }


# -- taking back -----------------------------------------------------------------------------------------


@transaction.atomic
def take_back_money(*, payment_id: UUID, refund_id: UUID, self_pay: int, now: datetime) -> int:
    """Take back what a refund's part of a payment had earned, by every rule; return how many points.

    A payment whose bill had counted before as an invoice has earned nothing itself: then it goes off the invoice of that day.
    """
    own = list(Earning.objects.filter(source="payment", source_ref=str(payment_id)).select_related("rule", "account"))
    _lock({one.account_id for one in own})
    taken = 0
    for payment in own:
        left = self_pay
        same_day = Earning.objects.select_for_update(of=("self",)).select_related("rule").filter(
            account_id=payment.account_id, rule_id=payment.rule_id, occurred_on=payment.occurred_on, amount__gt=0
        )  # fmt: skip
        # the payment's own points first, then those of the bill it paid
        for one in sorted(same_day, key=lambda one: (one.pk != payment.pk, one.pk)):
            part = min(left, one.amount - one.refunded)
            if part > 0:
                taken += _less(one, part, f"earn:{one.pk}:refund:{refund_id}", now=now)
                left -= part
    return taken


@transaction.atomic
def take_back_record(*, source: str, refs: Sequence[str], now: datetime, why: str = Because_.ERROR) -> int:
    """Take back everything these things earned, which never were (entered in error), or are no more."""
    found = list(Earning.objects.filter(source=source, source_ref__in=list(refs)))
    _lock({one.account_id for one in found})
    taken = 0
    locked = Earning.objects.select_for_update(of=("self",)).select_related("rule", "account")
    for one in locked.filter(pk__in=[one.pk for one in found]).order_by("id"):
        if source == "visit" and (other := _other_visit(one)):
            one.source_ref = other
            one.save(update_fields=["source_ref"])
            continue
        one.refunded, one.seen_amount = one.amount, 0
        taken += _shrink(one, one.net, why, f"earn:{one.pk}:error", now=now)
    return taken


def _other_visit(one: Earning) -> str:
    """What else says that the patient was here on that day: then the visit stays one."""
    found = sql.value(
        """with day as (select %(day)s::date::timestamp at time zone o.time_zone as since,
                             (%(day)s::date + 1)::timestamp at time zone o.time_zone as until from tenancy_organization o)
           select e.id from records_encounter e, day
            where e.patient_id = %(patient)s and not e.entered_in_error and e.started_at >= day.since and e.started_at < day.until
           union all
           select v.id from scheduling_appointment v, day
            where v.patient_id = %(patient)s and v.state = 'fulfilled' and v.starts_at >= day.since and v.starts_at < day.until
           limit 1""",
        {"patient": one.account.patient_id, "day": one.occurred_on},
    )
    return str(found) if found and str(found) != one.source_ref else ""


def _lock(accounts: set[UUID]) -> None:
    sql.rows(
        "select id from loyalty_account where id = any(%s::uuid[]) order by id for no key update", [list(accounts)]
    )


def _less(one: Earning, part: int, key: str, *, now: datetime) -> int:
    """Take `part` of an earning's money away, and the points that the rest would not have earned."""
    one.refunded += part
    stays = rules.left_after(
        one.rule, base=one.base_points, percent=one.percent, points=one.points, amount=one.amount, refunded=one.refunded
    )
    return _shrink(one, one.net - stays, Because_.REFUNDED, key, now=now)


def _shrink(one: Earning, points: int, why: str, key: str, *, now: datetime) -> int:
    points = max(0, min(points, one.net)) if one.state != Earning.State.VOID else 0
    one.taken_back += points
    if points and one.state == Earning.State.FINAL:
        ledger.reverse(
            key=key, of_key=one.key, points=points, because=Because("REFUND", str(one.rule_id), _words(one)), now=now
        )
    if points:
        one.because = why
    if one.state == Earning.State.PENDING and not one.net:
        one.state, one.settled_at = Earning.State.VOID, now
    one.save(update_fields=["refunded", "seen_amount", "taken_back", "because", "state", "settled_at"])
    return points


def pending_of(account_id: UUID) -> list[dict[str, Any]]:
    """Return what waits for one member, the earliest due first."""
    return sql.rows(
        """select e.id, e.points - e.taken_back as points, e.due_at, e.occurred_on, e.amount, e.currency, e.percent, e.capped_by, e.note,
                  r.name as rule, r.kind
             from loyalty_earning e join loyalty_earn_rule r on r.id = e.rule_id
            where e.account_id = %s and e.state = 'PENDING' order by e.due_at, e.id limit 50""",
        [account_id],
    )
