"""Where the figures of tiers come from: for each metric the statement that gives patient, day and amount.

Figures are counted from the records and books themselves. The year's visits and bills are in everybody's wide row already
(`facts`), so a window of twelve months reads those.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from careloop.facts.services import KEPT, NO_INVOICE, NO_VISIT
from careloop.loyalty.models import Metric
from careloop.loyalty.tier.rules import MONTHS, YEAR, Rule

# metric → patient_id, day, amount
SOURCES: dict[str, str] = {
    Metric.VISITS: f"""select e.patient_id, (e.started_at at time zone %(zone)s)::date as day, 1::bigint as amount from records_encounter e
        where not e.entered_in_error and e.status <> all(array{list(NO_VISIT)!r}) and e.started_at >= %(earliest)s""",
    Metric.SELF_PAY: f"""select i.patient_id, (i.issued_at at time zone %(zone)s)::date as day, i.self_pay_amount as amount from records_invoice i
        where not i.entered_in_error and i.status <> all(array{list(NO_INVOICE)!r}) and i.currency = %(currency)s
          and i.issued_at >= %(earliest)s""",
    Metric.PAID: """select v.patient_id, (v.occurred_at at time zone %(zone)s)::date as day,
               case v.kind when 'payment.paid' then 1 else -1 end * (v.payload ->> 'self_pay')::bigint as amount from events_event v
        where v.kind in ('payment.paid', 'payment.refunded') and v.payload ->> 'currency' = %(currency)s and v.occurred_at >= %(earliest)s""",
    # what was taken back counts as never earned, on the day it was
    Metric.POINTS: """select a.patient_id, (n.occurred_at at time zone %(zone)s)::date as day, n.points::bigint as amount
          from loyalty_entry n join loyalty_account a on a.id = n.to_member_id and a.programme_id = %(programme)s
         where n.kind = 'EARN' and n.occurred_at >= %(earliest)s
        union all
        select a.patient_id, (o.occurred_at at time zone %(zone)s)::date, -(n.points + n.waived)::bigint
          from loyalty_entry n join loyalty_entry o on o.id = n.reverses_id and o.kind = 'EARN' and o.occurred_at >= %(earliest)s
          join loyalty_account a on a.id = o.to_member_id and a.programme_id = %(programme)s
         where n.kind = 'REVERSE'""",
    Metric.REFERRALS: """select v.patient_id, (v.occurred_at at time zone %(zone)s)::date as day, 1::bigint as amount from events_event v
        where v.kind = 'loyalty.referral_completed' and v.occurred_at >= %(earliest)s
        union all
        select v.patient_id, (v.occurred_at at time zone %(zone)s)::date, -1::bigint from events_event v
        where v.kind = 'loyalty.referral_undone' and v.occurred_at >= %(earliest)s""",
    Metric.KEPT: f"""select p.patient_id, (p.starts_at at time zone %(zone)s)::date as day, 1::bigint as amount from scheduling_appointment p
        where p.state = any(array{list(KEPT)!r}) and p.patient_id is not null and p.starts_at >= %(earliest)s""",
    Metric.ANSWERS: """select v.patient_id, (v.occurred_at at time zone %(zone)s)::date as day, 1::bigint as amount from events_event v
        where v.kind = 'message.received' and v.patient_id is not null and v.occurred_at >= %(earliest)s""",
}  # fmt: skip
# a day with ten messages is one day
ADDED: dict[str, str] = {Metric.ANSWERS: "count(distinct x.day)"}
IN_FACTS = {(Metric.VISITS.value, (MONTHS, 12)): "visits_12m", (Metric.SELF_PAY.value, (MONTHS, 12)): "self_pay_12m"}

Window = tuple[str, int]
"""MONTHS and how many, or YEAR and 0."""


@dataclass(frozen=True)
class Figure:
    """One number of each member: a metric within a window."""

    metric: str
    window: Window

    @property
    def column(self) -> str:
        """Its name in statements; made of our own words only."""
        return f"{self.metric.lower()}_{self.window[0].lower()}{self.window[1]}"


def window_of(rule: Rule) -> Window:
    return (YEAR, 0) if rule.window == YEAR else (MONTHS, rule.months)


def needed(rules: Iterable[Rule]) -> list[Figure]:
    """Return the figures that these rules read, each once."""
    return list(dict.fromkeys(Figure(metric, window_of(rule)) for rule in rules for metric, _least in rule.criteria))


def start_column(window: Window) -> str:
    return f"from_{window[0].lower()}{window[1]}"


def starts(windows: Iterable[Window]) -> str:
    """SQL: the day after which things count, for each window; `eve` is today, or the eve of a review that is due."""
    given = {
        window: "(date_trunc('year', a.eve)::date - 1)" if window[0] == YEAR else f"(a.eve - interval '{window[1]:d} months')::date"
        for window in windows
    }  # fmt: skip
    return "".join(f", {said} as {start_column(window)}" for window, said in given.items())


def joins(figures: Iterable[Figure], *, reviews: bool, in_range: bool) -> tuple[str, str]:
    """SQL: what to join to `subject s` for these figures, and the columns that come of it (each with a leading comma).

    Args:
        reviews: whether anybody's review can be due: only then the records are read for what stands in the wide rows.
        in_range: subjects are the patients after %(after)s through %(last)s; records of others are not read then.
    """
    only_range = " and x.patient_id > %(after)s and x.patient_id <= %(last)s" if in_range else ""
    by_metric: dict[str, list[Figure]] = {}
    for figure in figures:
        by_metric.setdefault(figure.metric, []).append(figure)
    joined, columns = [], []
    for metric, those in by_metric.items():
        name = f"of_{metric.lower()}"
        known = IN_FACTS.get((metric, those[0].window)) if len(those) == 1 else None
        if known and not reviews:
            columns.append(f", coalesce(f.{known}, 0)::bigint as {those[0].column}")
            continue
        added = ADDED.get(metric, "sum(x.amount)")
        sums = ", ".join(
            f"coalesce({added} filter (where x.day > s.{start_column(one.window)}), 0)::bigint as {one.column}" for one in those
        )  # fmt: skip
        only = " where s.reviewing" if known else ""
        joined.append(
            f"""left join (select s.account_id, {sums} from subject s
                  join ({SOURCES[metric]}) as x on x.patient_id = s.patient_id and x.day <= %(today)s{only_range}{only} group by 1) as {name}
               on {name}.account_id = s.account_id"""
        )
        for one in those:
            told = f"coalesce({name}.{one.column}, 0)"
            columns.append(
                f", case when s.reviewing then {told} else coalesce(f.{known}, 0)::bigint end as {one.column}"
                if known
                else f", {told} as {one.column}"
            )
    return "\n".join(joined), "".join(columns)
