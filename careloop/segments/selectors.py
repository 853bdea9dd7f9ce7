"""Reading segments: how many, who, why, and how a segment grew."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from careloop.accounts.scope import at_home
from careloop.facts.models import LAST_LIVING_STAGE, Stage
from careloop.facts.rules import Reach, consent_mask
from careloop.kernel import sql
from careloop.kernel.dates import age_in_years
from careloop.kernel.money import format_money
from careloop.segments import language
from careloop.segments.compile import LIVING, WRITTEN_CONSENT, ask_at, compile_rule, condition
from careloop.segments.fields import Ask
from careloop.segments.language import Group, Leaf, Node, Not
from careloop.segments.models import Segment

SAMPLE = 8


@dataclass(frozen=True)
class Count:
    """How many a rule selects, how many fit it and are left out, and how the selected can be reached."""

    size: int
    no_written_consent: int
    not_living: int
    by_line: int
    by_sms: int
    by_email: int
    by_nothing: int
    refused: int

    @property
    def left_out(self) -> int:
        return self.no_written_consent + self.not_living


@dataclass(frozen=True)
class Verdict:
    """One part of a rule for one patient: what it asks, what is so, and whether it holds."""

    holds: bool
    sentence: str
    value: str = ""
    shown: str = ""  # what kind of value: fields.Shown
    join: str = ""  # all, any, not; empty for a leaf
    parts: tuple["Verdict", ...] = field(default_factory=tuple)

    @property
    def said(self) -> str:
        """What is so, as a phrase."""
        if not self.value:
            return ""
        words = _("last time: %(value)s") if self.shown == "time" else _("now: %(value)s")
        return words % {"value": self.value}


@dataclass(frozen=True)
class Explanation:
    """Why a patient is in a segment or not."""

    inside: bool
    verdict: Verdict
    barriers: tuple[str, ...] = ()  # what keeps somebody out who fits the rule


def count(node: Node, *, now: datetime, needs_written_consent: bool = False) -> int:
    """Return how many patients a rule selects now."""
    compiled = compile_rule(node, ask=ask_at(now), needs_written_consent=needs_written_consent)
    return int(sql.value(compiled.members("count(*)"), compiled.parameters))


def preview(node: Node, *, now: datetime, purpose: str, needs_written_consent: bool = False) -> Count:
    """Return how many a rule selects, who is left out and why, and who can be reached, in one scan."""
    ask = ask_at(now)
    fits = condition(node, ask)
    written = WRITTEN_CONSENT if needs_written_consent else "true"
    mask = consent_mask(purpose)
    if purpose == Segment.Purpose.MARKETING:
        refused = f"f.consent_given & {mask} = 0"
    else:
        refused = f"f.consent_refused & {mask} = {mask}"
    arrives = {name: int(Reach[f"{name}_ARRIVES"]) for name in ("LINE", "SMS", "EMAIL")}
    found = sql.row(
        f"""
        with fit as (
            select {LIVING} as living, {written} as written, f.reach, {refused} as refused
              from facts_patient as f where {fits}
        )
        select count(*) filter (where living and written) as size,
               count(*) filter (where living and not written) as no_written_consent,
               count(*) filter (where not living) as not_living,
               count(*) filter (where living and written and reach & {arrives["LINE"]} <> 0) as by_line,
               count(*) filter (where living and written and reach & {arrives["SMS"]} <> 0) as by_sms,
               count(*) filter (where living and written and reach & {arrives["EMAIL"]} <> 0) as by_email,
               count(*) filter (where living and written
                                and reach & {sum(arrives.values())} = 0) as by_nothing,
               count(*) filter (where living and written and refused) as refused
          from fit
        """,
        ask.parameters,
    )
    assert found is not None
    return Count(**found)


def sample(
    node: Node, *, now: datetime, needs_written_consent: bool = False, size: int = SAMPLE
) -> list[dict[str, Any]]:
    """Return a few patients a rule selects, those seen last first."""
    compiled = compile_rule(node, ask=ask_at(now), needs_written_consent=needs_written_consent)
    here, limit = at_home("f.home_location_id")
    return sql.rows(
        f"""
        with few as (
            {compiled.members("f.patient_id, f.last_visit_on, f.stage, f.birth_date, f.sex")}{here}
             order by f.last_visit_on desc nulls last, f.patient_id limit {size:d}
        )
        select few.*, p.name, p.chart_number from few join patients_patient as p on p.id = few.patient_id
         order by few.last_visit_on desc nulls last, few.patient_id
        """,
        {**compiled.parameters, **limit},
    )


def explain(node: Node, patient_id: UUID, *, now: datetime, needs_written_consent: bool = False) -> Explanation | None:
    """Return, in words and in one statement, why this patient is in or not; None for nobody we know.

    Every leaf is asked by the same SQL that fills the segment, so the two cannot disagree.
    """
    ask = ask_at(now, only=True)
    found_leaves = list(language.leaves(node))
    columns = [f"{LIVING} as living", f"({WRITTEN_CONSENT}) as written", "f.stage"]
    for number, leaf in enumerate(found_leaves):
        columns.append(f"{condition(leaf, ask, exact=True)} as holds_{number}")
        if leaf.field.value is not None:
            columns.append(f"{leaf.field.value(ask, leaf.values)} as value_{number}")
    found = sql.row(
        f"select {', '.join(columns)} from facts_patient as f where f.patient_id = %(patient)s",
        {**ask.parameters, "ids": [patient_id], "patient": patient_id},
    )
    if found is None:
        return None
    verdict = _judge(node, found, iter(range(len(found_leaves))), ask)
    barriers = []
    if not found["living"]:
        barriers.append(_("Nobody is written to whose record is closed or who has died."))
    if needs_written_consent and not found["written"]:
        barriers.append(
            _("There is no written agreement to offers chosen by health data, which this marketing segment needs.")
        )
    return Explanation(verdict.holds and not barriers, verdict, tuple(barriers))


def _judge(node: Node, found: dict[str, Any], numbers: Any, ask: Ask) -> Verdict:
    if isinstance(node, Leaf):
        number = next(numbers)
        value = _shown(node, found.get(f"value_{number}"), ask)
        return Verdict(found[f"holds_{number}"], node.sentence, value, node.field.shown)
    if isinstance(node, Not):
        part = _judge(node.part, found, numbers, ask)
        return Verdict(not part.holds, _("None of this may be so"), join="not", parts=(part,))
    parts = tuple(_judge(part, found, numbers, ask) for part in node.parts)
    if node.join == "all":
        return Verdict(all(part.holds for part in parts), _("All of this must be so"), join="all", parts=parts)
    return Verdict(any(part.holds for part in parts), _("One of this must be so"), join="any", parts=parts)


def _shown(leaf: Leaf, value: Any, ask: Ask) -> str:
    """What is so for this patient, as people read it."""
    if leaf.field.value is None:
        return ""
    if value is None or value == "":
        return _("no record") if leaf.field.shown == "time" else _("not known")
    match leaf.field.shown:
        case "age":
            return _("%(age)d years") % {"age": age_in_years(value, on=ask.today)} if value <= ask.today else ""
        case "date":
            return date_format(value, "Y-m-d")
        case "time":
            return value.astimezone(ZoneInfo(ask.zone)).strftime("%Y-%m-%d")
        case "money":
            return format_money(value, ask.currency)
        case "stage":
            return str(Stage(value).label)
        case "number":
            return f"{value:,g}" if isinstance(value, float) else f"{value:,}"
    return str(value)


def in_words(node: Node) -> str:
    """Return a rule as one sentence, for lists and the audit."""
    if isinstance(node, Leaf):
        return node.sentence
    if isinstance(node, Not):
        return _("not (%(part)s)") % {"part": in_words(node.part)}
    if not node.parts:
        return _("every patient")
    return (_("; ") if node.join == "all" else _(" or ")).join(
        f"({in_words(part)})" if isinstance(part, Group) and len(part.parts) > 1 else in_words(part)
        for part in node.parts
    )


# -- saved segments -------------------------------------------------------------------------------------------


def segments(*, archived: bool = False) -> list[dict[str, Any]]:
    """All segments with their size now, how it changed in a week and month, and since when they are kept."""
    return sql.rows(
        f"""
        select s.id, s.name, s.description, s.purpose, s.size, s.refreshed_at, s.updated_at, s.needs_written_consent,
               s.reads_clinical, s.library_key, s.version, week.size as size_week_ago
          from segments_segment as s
          left join lateral (
               select z.size from segments_size as z
                where z.segment_id = s.id and z.day <= current_date - 7 order by z.day desc limit 1) as week on true
         where s.archived_at is {"not" if archived else ""} null
         order by s.purpose, s.name
        """
    )


def living_patients() -> int:
    """Return how many patients segments can be about."""
    return int(sql.value(f"select count(*) from facts_patient as f where f.stage <= {LAST_LIVING_STAGE.value}"))


def sizes(segment_id: UUID, *, days: int = 90) -> list[tuple[date, int]]:
    """Return a segment's size day by day, oldest first."""
    found = sql.rows(
        "select day, size from segments_size where segment_id = %s order by day desc limit %s", [segment_id, days]
    )
    return [(row["day"], row["size"]) for row in reversed(found)]


def member_ids(segment_id: UUID) -> str:
    """SQL for the members of a segment, to join in plans: `… where p.id in ({member_ids(id)})`."""
    return f"select m.patient_id from segments_member as m where m.segment_id = '{UUID(str(segment_id))}'::uuid"


def is_member(segment_id: UUID, patient_id: UUID) -> bool:
    return bool(
        sql.value(
            "select exists (select 1 from segments_member where segment_id = %s and patient_id = %s)",
            [segment_id, patient_id],
        )
    )


def segments_of(patient_id: UUID) -> list[dict[str, Any]]:
    """Return the segments a patient is in, with since when."""
    return sql.rows(
        """select s.id, s.name, s.purpose, m.entered_at from segments_member as m
             join segments_segment as s on s.id = m.segment_id
            where m.patient_id = %s and s.archived_at is null order by s.name""",
        [patient_id],
    )


def segments_of_many(patients: Sequence[UUID]) -> dict[UUID, list[UUID]]:
    """Return which segments each of these patients is in."""
    found: dict[UUID, list[UUID]] = {}
    for row in sql.rows(
        "select patient_id, segment_id from segments_member where patient_id = any(%s)", [list(patients)]
    ):
        found.setdefault(row["patient_id"], []).append(row["segment_id"])
    return found
