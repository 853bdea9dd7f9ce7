"""What happened becomes points that wait: one query for the rules, one for the members, one for what they earned before, one insert.

Points are final only when the thing itself is: see `settling`.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from careloop.kernel import sql
from careloop.loyalty import guard
from careloop.loyalty.earn import bills
from careloop.loyalty.earn import rules as rules
from careloop.loyalty.earn.nhi import nhi_earns_nothing
from careloop.loyalty.earn.rules import Given, Happening, Limit
from careloop.loyalty.models import Earning, EarnRule
from careloop.tenancy.models import Organization

SPANS = {"DAY": 10, "MONTH": 7, "YEAR": 4}
"""How much of a date as text two days have in common that fall into the same day, month or year."""


@dataclass(frozen=True)
class Thing:
    """Something that happened to a patient and may earn points.

    Args:
        kind: a kind of rule.
        once: what may earn only once by a rule, as “payment:<id>”; for visits the day.
        amount: self-pay in minor units.
        settles_from: when the time begins after which it is final, if that is later than it happened: when it was paid.
        is_nhi: the NHI is known to have shared it.
        rule_id: this rule only; for awards by hand.
    """

    kind: str
    patient_id: UUID
    occurred_at: datetime
    source: str
    ref: str
    once: str
    amount: int = 0
    currency: str = ""
    location_id: UUID | None = None
    event_id: int | None = None
    settles_from: datetime | None = None
    is_nhi: bool = False
    note: str = ""
    rule_id: UUID | None = None


@dataclass
class _Member:
    """An account as the rules need it."""

    id: UUID
    programme_id: UUID
    location_id: UUID | None
    joined_on: date
    birth_month: int
    caps: dict[str, int | None]
    tier: str


@dataclass
class _Before:
    """What accounts earned by rules before, by day; and what of each day's bills was seen."""

    points: dict[UUID, dict[tuple[UUID, date], int]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(int))
    )
    bills: dict[tuple[UUID, UUID, date], dict[str, int]] = field(
        default_factory=lambda: defaultdict(lambda: {"invoice": 0, "payment": 0, "counted": 0})
    )


@transaction.atomic
def record(things: Sequence[Thing], *, now: datetime, by: UUID | None = None) -> list[Earning]:
    """Note what these things earn, each once by each rule, and return what is new.

    Things of patients who are no members, or that happened before they joined, earn nothing and leave no trace.
    """
    if not things:
        return []
    organization = Organization.objects.get()
    zone = ZoneInfo(organization.time_zone)
    members = _members({one.patient_id for one in things}, zone)
    if not members:
        return []
    known = _rules({one.programme_id for several in members.values() for one in several}, {one.kind for one in things},
                   organization, now=now)  # fmt: skip
    matched = bills.matched(
        things, {patient: [one.id for one in several] for patient, several in members.items()}, zone
    )
    wanted = [
        (thing, member, rule)
        for thing in matched
        if (member := _member_for(thing, members.get(thing.patient_id, ()), zone)) is not None
        for rule in known.get((member.programme_id, thing.kind), ())
        if thing.rule_id in (None, rule.pk) and rules.counts_on(rule, thing.occurred_at.astimezone(zone).date())
    ]
    if not wanted:
        return []
    accounts = {member.id for _thing, member, _rule in wanted}
    there = _keys_there([_key(rule, thing, member) for thing, member, rule in wanted])
    before = _before(accounts, min(thing.occurred_at for thing, _member, _rule in wanted).astimezone(zone).date())
    forbids_nhi = any(one.is_nhi for one in things) and nhi_earns_nothing(organization)
    made: list[Earning] = []
    stopped: set[tuple[str, str, UUID]] = set()
    for thing, member, rule in wanted:
        key = _key(rule, thing, member)
        if (key_of_thing := (thing.once, rule.kind, member.id)) in stopped:
            continue
        if key not in there:
            there.add(key)
            void = Earning.Because.NHI if forbids_nhi and thing.is_nhi and rule.kind in rules.PAID_BY else ""
            made.append(
                _earning(
                    thing, member, rule, key, before, void, zone=zone, currency=organization.currency, now=now, by=by
                )
            )
        if rule.stops_others:
            stopped.add(key_of_thing)
    return Earning.objects.bulk_create(made)


def _key(rule: EarnRule, thing: Thing, member: _Member) -> str:
    return f"earn:{rule.pk}:{thing.once}:{member.id}" if thing.source == "visit" else f"earn:{rule.pk}:{thing.once}"


def _members(patients: set[UUID], zone: ZoneInfo) -> dict[UUID, list[_Member]]:
    """The active accounts of these patients in open programmes, locked until the transaction ends: so no limit is passed twice."""
    rows = sql.rows(
        """select a.id, a.patient_id, a.programme_id, m.location_id, a.joined_at, coalesce(extract(month from p.birth_date), 0)::int as birth_month,
                  coalesce(a.tier_id::text, '') as tier, m.cap_day, m.cap_month, m.cap_year
             from loyalty_account a join loyalty_programme m on m.id = a.programme_id join patients_patient p on p.id = a.patient_id
            where a.patient_id = any(%s::uuid[]) and a.kind = 'PATIENT' and a.state = 'ACTIVE' and m.state = 'OPEN'
            order by a.id for no key update of a""",
        [list(patients)],
    )
    found: dict[UUID, list[_Member]] = defaultdict(list)
    for row in rows:
        caps = {"DAY": row["cap_day"], "MONTH": row["cap_month"], "YEAR": row["cap_year"]}
        joined_on = row["joined_at"].astimezone(zone).date()
        found[row["patient_id"]].append(
            _Member(
                row["id"], row["programme_id"], row["location_id"], joined_on, row["birth_month"], caps, row["tier"]
            )
        )
    return found


def _member_for(thing: Thing, members: Sequence[_Member], zone: ZoneInfo) -> _Member | None:
    """The account a thing counts for: the branch's own programme where it happened, else the organization's."""
    on = thing.occurred_at.astimezone(zone).date()
    fitting = [
        one for one in members
        if on >= one.joined_on and (one.location_id is None or thing.location_id in (None, one.location_id))
    ]  # fmt: skip
    fitting.sort(key=lambda one: (one.location_id is None, one.id))
    return fitting[0] if fitting else None


def _rules(
    programmes: set[UUID], kinds: set[str], organization: Organization, *, now: datetime
) -> dict[tuple[UUID, str], list[EarnRule]]:
    """The rules that are switched on and that the law lets through today, first things first."""
    found = EarnRule.objects.filter(programme_id__in=programmes, kind__in=kinds, is_on=True).order_by("priority", "id")
    by_kind: dict[tuple[UUID, str], list[EarnRule]] = defaultdict(list)
    for rule in guard.in_force(list(found), organization=organization, now=now):
        by_kind[rule.programme_id, rule.kind].append(rule)
    return by_kind


def _keys_there(keys: list[str]) -> set[str]:
    return set(Earning.objects.filter(key__in=keys).values_list("key", flat=True))


def _before(accounts: set[UUID], first: date) -> _Before:
    """What these accounts earned since the year of the earliest thing began; limits reach no further back."""
    before = _Before()
    for row in sql.rows(
        """select account_id, rule_id, occurred_on, sum(points - taken_back) filter (where state <> 'VOID') as points,
                  sum(seen_amount) filter (where source = 'invoice') as invoice, sum(seen_amount) filter (where source = 'payment') as payment,
                  sum(amount) as counted
             from loyalty_earning
            where account_id = any(%s::uuid[]) and occurred_on >= %s
            group by account_id, rule_id, occurred_on""",
        [list(accounts), date(first.year, 1, 1)],
    ):
        before.points[row["account_id"]][row["rule_id"], row["occurred_on"]] = int(row["points"] or 0)
        before.bills[row["account_id"], row["rule_id"], row["occurred_on"]] = {
            name: int(row[name] or 0) for name in ("invoice", "payment", "counted")
        }
    return before


def _earning(
    thing: Thing, member: _Member, rule: EarnRule, key: str, before: _Before, void: str, *, zone: ZoneInfo, currency: str, now: datetime, by: UUID | None
) -> Earning:  # fmt: skip
    on = thing.occurred_at.astimezone(zone).date()
    amount, given, is_counted = 0, Given(0, 100, 0), not void
    is_money = rule.kind == EarnRule.Kind.SELF_PAY
    if is_money and thing.currency != currency:
        void = void or Earning.Because.TOO_LITTLE
    elif is_money and not void:
        bill = before.bills[member.id, rule.pk, on]
        bill[thing.source] += thing.amount
        amount = rules.counts_of_bill(invoices=bill["invoice"], payments=bill["payment"], counted=bill["counted"])
        bill["counted"] += amount
        void = "" if amount else Earning.Because.COUNTED
    if not void:
        happening = Happening(on, amount, member.tier, member.birth_month)
        given = rules.gives(rule, happening, limits=_limits(rule, member, on, before))
        if not given.points:
            void = Earning.Because.CAPPED if given.capped_by else Earning.Because.TOO_LITTLE
        before.points[member.id][rule.pk, on] += given.points
    return Earning(
        account_id=member.id, rule=rule, key=key, source=thing.source, source_ref=thing.ref, event_id=thing.event_id, occurred_at=thing.occurred_at,
        occurred_on=on, location_id=thing.location_id, state=Earning.State.VOID if void else Earning.State.PENDING, because=void,
        due_at=max(now, rules.final_at(rule, max(thing.occurred_at, thing.settles_from or thing.occurred_at))),
        seen_amount=thing.amount if is_counted else 0, amount=amount,
        currency=thing.currency if is_money else "", base_points=given.base, percent=given.percent, points=0 if void else given.points,
        capped_by=given.capped_by, note=thing.note, recorded_at=now, recorded_by_id=by, settled_at=now if void else None,
    )  # fmt: skip


def _limits(rule: EarnRule, member: _Member, on: date, before: _Before) -> list[Limit]:
    """The limits that are set, with what was earned in the same day, month and year."""
    caps: list[tuple[str, Any, bool]] = [
        ("RULE_DAY", rule.cap_day, True), ("RULE_MONTH", rule.cap_month, True), ("RULE_YEAR", rule.cap_year, True),
        ("ACCOUNT_DAY", member.caps["DAY"], False), ("ACCOUNT_MONTH", member.caps["MONTH"], False),
        ("ACCOUNT_YEAR", member.caps["YEAR"], False),
    ]  # fmt: skip
    limits = []
    for name, most, is_own in caps:
        if most is None:
            continue
        alike = SPANS[name.partition("_")[2]]
        used = sum(
            points
            for (by_rule, day), points in before.points[member.id].items()
            if (not is_own or by_rule == rule.pk) and day.isoformat()[:alike] == on.isoformat()[:alike]
        )
        limits.append(Limit(name, int(most), used))
    return limits
