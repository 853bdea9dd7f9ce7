"""Where every member stands: the rules of the tiers over sets, for all members or for those touched, in one statement.

`tier_rules.judge` in SQL. A rule change that is only tried runs the same statement with other rules and writes nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from careloop.audit.services import current_actor
from careloop.kernel import sql
from careloop.loyalty.tier import figures as tier_figures
from careloop.loyalty.tier.figures import Figure, window_of
from careloop.loyalty.tier.rules import ALL, HAND, YEAR, Rule, window_start
from careloop.tenancy.context import current_organization_id, in_organization

CHUNK = 50_000
EVERYBODY = "true"
OF_PATIENTS = "a.patient_id = any(%(patients)s::uuid[])"
IN_RANGE = "a.patient_id > %(after)s and a.patient_id <= %(last)s"
# whose tier can change by the calendar alone
DUE = "(a.review_on <= %(today)s or a.hand_until < %(today)s)"


@dataclass(frozen=True)
class TierRule:
    """A tier with its rule: what `Tier` and `TierCriterion` hold, or what somebody thinks of making of them."""

    id: UUID
    name: str
    rule: Rule
    is_active: bool = True


def rules_of(programme_id: UUID) -> list[TierRule]:
    """Return the tiers of a programme, the lowest first; ended ones too, because members may still stand in them."""
    found = sql.rows(
        """select t.id, t.name, t.rank, t.join, t."window", t.months, t.grace_days, t.is_active,
                  coalesce((select json_agg(json_build_array(c.metric, c.at_least) order by c.metric)
                              from loyalty_tier_criterion c where c.tier_id = t.id), '[]') as criteria
             from loyalty_tier t where t.programme_id = %s order by t.is_active desc, t.rank""",
        [programme_id],
    )
    return [
        TierRule(
            row["id"], row["name"], is_active=row["is_active"],
            rule=Rule(row["rank"], row["join"], tuple((metric, least) for metric, least in row["criteria"]), row["window"],
                      row["months"], row["grace_days"]),
        ) for row in found
    ]  # fmt: skip


def evaluate(
    programme_id: UUID, *, now: datetime, patient_ids: Iterable[UUID] | None = None, due_only: bool = False, announce: bool = True
) -> int:  # fmt: skip
    """Work out the tiers of these patients' accounts (None: of all in the programme) again, in the running transaction.

    Returns how many members' tiers went up or down.

    Args:
        due_only: only those whose review is due or whose hand-given tier has ended.
        announce: whether journeys may act on it; otherwise it stands on the timeline only.
    """
    wanted = None if patient_ids is None else sorted(set(patient_ids))
    if wanted == []:
        return 0
    which = OF_PATIENTS if wanted is not None else DUE if due_only else EVERYBODY
    return _write(programme_id, which, {"patients": wanted}, now=now, announce=announce)


def evaluate_after_hand(
    programme_id: UUID, *, patient_id: UUID, given: bool, note: str, by: UUID | None, now: datetime
) -> int:  # fmt: skip
    """Work one member's tier out again after staff gave one or took it back, and note who and why."""
    extra = {"patients": [patient_id], "hand": "HAND" if given else "HAND_ENDED", "note": note, "by": by}
    return _write(programme_id, OF_PATIENTS, extra, now=now, announce=True)


def recompute(
    programme_id: UUID, *, organization_id: UUID | None = None, now: datetime, announce: bool = False, chunk: int = CHUNK
) -> int:  # fmt: skip
    """Work out everybody's tier again in steps of their own transactions, so that nobody waits; return how many moved.

    Called inside an organization it is part of that transaction.
    """
    if organization_id is None:
        # one transaction: the locks are taken in everybody's order before the patients' order is followed
        sql.execute(
            "select from loyalty_account where programme_id = %s and kind = 'PATIENT' order by id for no key update",
            [programme_id],
        )
        organization_id = current_organization_id()
    moved = 0
    after = UUID(int=0)
    while True:
        with in_organization(organization_id):
            last = sql.value(
                """select (array_agg(patient_id order by patient_id desc))[1] from (select patient_id from loyalty_account
                    where programme_id = %s and kind = 'PATIENT' and patient_id > %s order by patient_id limit %s) as next""",
                [programme_id, after, chunk],
            )
            if last is None:
                return moved
            moved += _write(programme_id, IN_RANGE, {"after": after, "last": last}, now=now, announce=announce)
        after = last


def _write(programme_id: UUID, which: str, extra: dict[str, Any], *, now: datetime, announce: bool) -> int:
    rules = rules_of(programme_id)
    if not rules:
        return 0
    actor = current_actor()
    params = {
        **parameters(programme_id, rules, now=now), "now": now, "note": "", "by": None, "historical": not announce,
        "actor_kind": actor.kind, "actor_id": actor.id, **extra,
    }  # fmt: skip
    return int(sql.value(statement(rules, which, writes=True, reviews=params["reviews"]), params))


def figures_of(programme_id: UUID, *, patient_id: UUID, now: datetime) -> dict[str, int]:
    """Return the figures that count for a member today, by column (`tier_figures.Figure`): what the next tier still lacks."""
    rules = rules_of(programme_id)
    if not rules:
        return {}
    params = {**parameters(programme_id, rules, now=now), "patients": [patient_id]}
    figures = tier_figures.needed(one.rule for one in _active(rules))
    judged = _judged(rules, OF_PATIENTS, figures=figures, reviews=params["reviews"])
    row = sql.row(f"{judged} select * from judged", params)
    return {one.column: row[one.column] for one in figures} if row is not None else {}


# -- what if -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DryRun:
    """Who would move if the rules were these: up at once; down only at the review, unless they meet it by then.

    `falls_already`: of those who would not be kept, how many the rules in force would not keep either.
    """

    members: int
    rises: int
    falls: int
    falls_now: int
    falls_already: int
    by_tier: list[dict[str, Any]]
    rows: list[dict[str, Any]]


def dry_run(programme_id: UUID, proposed: Sequence[TierRule], *, now: datetime, most: int = 50) -> DryRun:
    """Say who would rise and who would fall with other rules, before anything is saved.

    Counts come from the statement that does it; the list shows members with their figures, those who fall first.
    """
    params = {**parameters(programme_id, proposed, now=now), "most": most}
    row = sql.row(_would(rules_of(programme_id), proposed, reviews=params["reviews"]), params)
    assert row is not None
    return DryRun(**row)


def _would(present: Sequence[TierRule], proposed: Sequence[TierRule], *, reviews: bool) -> str:
    old = _met([one for one in present if one.is_active])
    figures = tier_figures.needed(one.rule for one in [*_active(present), *_active(proposed)])
    told = _figures_json(figures)
    return f"""{_judged(proposed, EVERYBODY, figures=figures, reviews=reviews, also=f", {old} as met_before")}
, moves as materialized (
    select j.*, {told} as told, j.new_rank > j.old_rank as rises, j.new_rank < j.old_rank as falls_now,
           j.new_rank >= j.old_rank and j.earned_rank > j.met and not j.reviewing as falls_later,
           j.earned_rank > j.met_before as falls_before
      from judged j
)
select count(*)::int as members, (count(*) filter (where rises))::int as rises,
       (count(*) filter (where falls_now or falls_later))::int as falls, (count(*) filter (where falls_now))::int as falls_now,
       (count(*) filter (where (falls_now or falls_later) and falls_before))::int as falls_already,
       coalesce((select json_agg(b) from (
           select c.tier_id, c.rank, (select count(*) from moves m where m.old_rank = c.rank) as now,
                  (select count(*) from moves m where m.new_rank = c.rank) as then,
                  (select count(*) from moves m where m.new_rank = c.rank and m.falls_later) as not_kept
             from (select null::uuid as tier_id, 0 as rank union all select id, rank from rules where is_active) as c
            order by c.rank) as b), '[]') as by_tier,
       coalesce((select json_agg(r) from (
           select m.account_id, m.patient_id, p.name, m.old_rank, case when m.falls_later then m.met else m.new_rank end as new_rank,
                  m.rises, m.falls_now, m.falls_later, m.review_on, m.told as figures
             from moves m join patients_patient p on p.id = m.patient_id
            where m.rises or m.falls_now or m.falls_later order by m.rises, m.falls_later, m.account_id limit %(most)s) as r), '[]') as rows
  from moves"""


# -- the statement ------------------------------------------------------------------------------------------------


def _active(rules: Sequence[TierRule]) -> Iterator[TierRule]:
    return (one for one in rules if one.is_active)


def statement(rules: Sequence[TierRule], which: str, *, writes: bool, reviews: bool = True) -> str:
    """SQL: judge the accounts that `which` names, write and announce what changed, and return how many tiers moved.

    Args:
        reviews: whether anybody's review can be due; `parameters` knows.
    """
    figures = tier_figures.needed(one.rule for one in _active(rules))
    judged = _judged(rules, which, figures=figures, reviews=reviews, locks=writes)
    if not writes:
        return f"{judged} select * from judged"
    return f"""{judged}
, news as materialized (
    select j.*, {_figures_json(figures)} as told from judged j
     where j.why <> '' or j.new_tier is distinct from j.tier_id or (j.hand_tier_id is not null and j.hand_rank = 0)
        or %(hand)s is not null
), changed as (
    update loyalty_account a set
           tier_id = n.new_tier, tier_since = case when n.new_tier is distinct from n.tier_id then %(today)s else a.tier_since end,
           earned_tier_id = n.new_earned_tier, review_on = n.new_review_on, grace_until = n.new_grace_until,
           hand_tier_id = case when n.hand_rank > 0 then n.hand_tier_id end, hand_until = case when n.hand_rank > 0 then n.hand_until end,
           version = a.version + 1
      from news n where a.id = n.account_id
), history as (
    insert into loyalty_tier_change (account_id, from_tier_id, to_tier_id, why, figures, since, review_on, until, note, at, by_id)
    select n.account_id, n.tier_id, n.new_tier, n.said, n.told, n.counted_from, n.new_review_on,
           case when n.said = 'HAND' then n.hand_until else n.new_grace_until end, %(note)s, %(now)s, %(by)s
      from news n
), announced as (
    insert into events_event (kind, patient_id, occurred_at, recorded_at, actor_kind, actor_id, source, historical, payload)
    select case when n.new_rank > n.old_rank then 'loyalty.tier_raised' else 'loyalty.tier_lowered' end, n.patient_id, %(now)s, %(now)s,
           %(actor_kind)s, %(actor_id)s, '', %(historical)s,
           jsonb_build_object('account_id', n.account_id, 'programme_id', %(programme)s::uuid, 'tier_id', n.new_tier,
               'from_tier_id', n.tier_id, 'tier', coalesce(r.name, ''), 'why', n.said)
      from news n left join rules r on r.id = n.new_tier where n.new_tier is distinct from n.tier_id order by n.account_id
)
select count(*) from news n where n.new_tier is distinct from n.tier_id"""


def _judged(
    rules: Sequence[TierRule], which: str, *, figures: Sequence[Figure], reviews: bool, locks: bool = False, also: str = ""
) -> str:  # fmt: skip
    windows = list(dict.fromkeys([window_of(one.rule) for one in _active(rules)] + [one.window for one in figures]))
    joined, columns = tier_figures.joins(figures, reviews=reviews, in_range=which == IN_RANGE)
    lock = " order by a.id for no key update of a" if locks else ""
    reads_facts = ""
    if "(f." in columns:
        reads_facts = "left join facts_patient f on f.patient_id = s.patient_id"
        if which == IN_RANGE:  # said once more, so that only this range is read
            reads_facts += " and f.patient_id > %(after)s and f.patient_id <= %(last)s"
    shown = "".join(f", s.{tier_figures.start_column(one)}" for one in windows)
    from_of = " ".join(
        f"when {one.rule.rank} then g.{tier_figures.start_column(window_of(one.rule))}" for one in _active(rules)
    )
    looked_at = "case when g.why in ('GRACE', 'LOWERED') then g.earned_rank else g.met end"
    counted = f"case {looked_at} {from_of} end" if from_of else "null::date"
    return f"""with rules as materialized (
    select * from json_to_recordset(%(rules)s::json)
        as r(id uuid, name text, rank int, is_active bool, grace_days int, months int, by_year bool, for_everybody bool)
), account as (
    select a.id as account_id, a.patient_id, a.tier_id, a.earned_tier_id, a.review_on, a.grace_until, a.hand_tier_id, a.hand_until
      from loyalty_account a
     where a.programme_id = %(programme)s and a.kind = 'PATIENT' and a.state = 'ACTIVE' and {which}{lock}
), subject as materialized (
    select a.*{tier_figures.starts(windows)} from (
        select a.*, coalesce(a.review_on <= %(today)s, false) as reviewing,
               case when a.review_on <= %(today)s then a.review_on - 1 else %(today)s end as eve from account a) as a
), figures as (
    select s.account_id, s.patient_id, s.tier_id, s.earned_tier_id, s.review_on, s.grace_until, s.hand_tier_id, s.hand_until,
           s.reviewing{shown}{columns}
      from subject s {reads_facts}
      {joined}
), met as materialized (
    select g.*, {_met(_active(rules))} as met{also},
           case when e.is_active then e.rank else 0 end as earned_rank, not coalesce(e.is_active, true) as is_ended,
           e.grace_days, coalesce(t.rank, 0) as old_rank,
           case when h.is_active and g.hand_until >= %(today)s then h.rank else 0 end as hand_rank
      from figures g
      left join rules e on e.id = g.earned_tier_id
      left join rules t on t.id = g.tier_id
      left join rules h on h.id = g.hand_tier_id
), verdict as materialized (
    select m.*, case when m.is_ended then 'RULES' when m.met > m.earned_rank then 'QUALIFIED' when not m.reviewing then ''
                     when m.met = m.earned_rank then 'KEPT'
                     when %(today)s < m.review_on + m.grace_days then case when m.grace_until is null then 'GRACE' else '' end
                     else 'LOWERED' end as why,
           m.reviewing and m.met < m.earned_rank and %(today)s < m.review_on + m.grace_days as in_grace
      from met m
), judged as (
    select g.*, case when g.moves then g.met else g.earned_rank end as new_earned_rank,
           case when g.moves then n.id else g.earned_tier_id end as new_earned_tier,
           case when not g.moves then g.review_on when n.id is null or n.for_everybody then null
                when n.by_year then (date_trunc('year', %(today)s::date) + interval '1 year')::date
                else (%(today)s::date + make_interval(months => n.months))::date end as new_review_on,
           case when g.in_grace then g.review_on + g.grace_days - 1 end as new_grace_until,
           greatest(case when g.moves then g.met else g.earned_rank end, g.hand_rank) as new_rank,
           case when g.hand_rank > case when g.moves then g.met else g.earned_rank end then g.hand_tier_id
                when g.moves then n.id else g.earned_tier_id end as new_tier,
           coalesce(%(hand)s, nullif(g.why, ''), 'HAND_ENDED') as said,
           {counted} as counted_from
      from (select v.*, v.why in ('QUALIFIED', 'KEPT', 'LOWERED', 'RULES') as moves from verdict v) as g
      left join rules n on n.is_active and n.rank = g.met
)"""


def _met(rules: Iterable[TierRule]) -> str:
    """SQL: the highest rank whose criteria are met; 0 when none is."""
    ranks = [f"case when {_condition(one.rule)} then {one.rule.rank:d} else 0 end" for one in rules]
    return f"greatest({', '.join(ranks)}, 0)" if ranks else "0"


def _condition(rule: Rule) -> str:
    if rule.join == HAND:
        return "false"
    each = [f"g.{Figure(metric, window_of(rule)).column} >= {least:d}" for metric, least in rule.criteria]
    if not each:
        return "true" if rule.join == ALL else "false"
    return (" and " if rule.join == ALL else " or ").join(each)


def _figures_json(figures: Sequence[Figure]) -> str:
    pairs = ", ".join(f"'{one.column}', j.{one.column}" for one in figures)
    return f"jsonb_build_object({pairs})"


def parameters(programme_id: UUID, rules: Sequence[TierRule], *, now: datetime) -> dict[str, Any]:
    """Return what `statement` asks for besides which accounts: the day, the zone, how far back to look, and the rules."""
    known = sql.row(
        """select o.time_zone, o.currency, (select min(a.review_on) from loyalty_account a where a.programme_id = %s and a.review_on is not null)
                  as first_review from tenancy_organization o""",
        [programme_id],
    )
    assert known is not None
    today: date = now.astimezone(ZoneInfo(known["time_zone"])).date()
    eve = min(today, (known["first_review"] or today) - timedelta(days=1))
    # rules in force may look farther back than those tried
    asked = [one.rule for one in [*rules, *rules_of(programme_id)]]
    earliest = min((window_start(rule, eve) for rule in asked), default=today)
    return {
        "programme": programme_id, "hand": None, "reviews": known["first_review"] is not None and known["first_review"] <= today, "zone": known["time_zone"], "currency": known["currency"], "today": today,
        # the day's own midnight lies in another day of UTC
        "earliest": earliest - timedelta(days=1),
        "rules": orjson.dumps([
            {
                "id": str(one.id), "name": one.name, "rank": one.rule.rank, "is_active": one.is_active, "grace_days": one.rule.grace_days,
                "months": one.rule.months, "by_year": one.rule.window == YEAR, "for_everybody": one.rule.is_for_everybody,
            } for one in rules
        ]).decode(),
    }  # fmt: skip
