"""Making and changing segments, and keeping who is in them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction

from careloop.audit.services import current_actor, record
from careloop.facts.services import clinic_day
from careloop.kernel import sql
from careloop.kernel.text import clean
from careloop.policy import services as policy
from careloop.segments import language
from careloop.segments.compile import Compiled, ask_at, compile_rule, kinds_of
from careloop.segments.errors import (
    ChangedMeanwhile,
    ClinicalMarketing,
    NameMissing,
    NameTaken,
    RuleRefused,
    SegmentArchived,
    SegmentInUse,
)
from careloop.segments.fields import Ask
from careloop.segments.models import Segment, SegmentVersion
from careloop.segments.usage import uses_of
from careloop.tenancy.context import current_organization_id
from careloop.tenancy.models import Organization

# For so many patients all segments are asked in one statement; for more, each segment set-wise.
ASKED_TOGETHER = 50


log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Change:
    """How many patients entered and left a segment, and how many are in it now."""

    entered: int
    left: int
    size: int


# -- making and changing --------------------------------------------------------------------------------------


@transaction.atomic
def create_segment(
    *,
    name: str,
    rule: Any,
    purpose: str,
    by: Any,
    now: datetime,
    description: str = "",
    needs_written_consent: bool = False,
    library_key: str = "",
    refresh: bool = True,
) -> Segment:
    """Make a segment and fill it. Who is in it from the start is no news: nobody “enters”.

    Raises:
        RuleRefused: with every place of the rule that is wrong. NameMissing, NameTaken.
        ClinicalMarketing: rule P1.
    """
    node = language.read(rule)
    clinical = check_purpose(node, purpose=purpose, needs_written_consent=needs_written_consent, now=now)
    segment = Segment.objects.create(
        name=_fresh_name(name), description=clean(description), purpose=Segment.Purpose(purpose), rule=rule,
        needs_written_consent=needs_written_consent and bool(clinical) and purpose == Segment.Purpose.MARKETING,
        reads_clinical=bool(clinical), library_key=library_key, created_at=now, created_by=by, updated_at=now,
    )  # fmt: skip
    _keep_version(segment, by=by, now=now)
    record("segment.created", target=("segment", segment.id), details={"purpose": purpose, "version": 1})
    if refresh:
        refresh_segment(segment.id, now=now, announce=False)
        segment.refresh_from_db()
    return segment


@transaction.atomic
def change_segment(
    *,
    segment_id: UUID,
    name: str,
    rule: Any,
    purpose: str,
    by: Any,
    now: datetime,
    version: int,
    description: str = "",
    needs_written_consent: bool = False,
) -> Segment:
    """Save a new rule, name or purpose; `version` is the one that was looked at.

    Who leaves because of a new rule has left; who enters because of it is marked as history, so that no journey starts
    for hundreds of people because somebody edited a rule.

    Raises:
        ChangedMeanwhile: another version was saved since. RuleRefused, NameMissing, NameTaken, ClinicalMarketing.
        SegmentArchived.
    """
    segment = Segment.objects.select_for_update().get(id=segment_id)
    if segment.archived_at:
        raise SegmentArchived
    if segment.version != version:
        raise ChangedMeanwhile
    node = language.read(rule)
    clinical = check_purpose(node, purpose=purpose, needs_written_consent=needs_written_consent, now=now)
    limited = needs_written_consent and bool(clinical) and purpose == Segment.Purpose.MARKETING
    same = (segment.rule, segment.purpose, segment.needs_written_consent) == (rule, purpose, limited)
    segment.name = _fresh_name(name, but=segment.id)
    segment.description = clean(description)
    segment.rule, segment.purpose = rule, purpose
    segment.needs_written_consent, segment.reads_clinical = limited, bool(clinical)
    segment.updated_at = now
    if not same:
        segment.version += 1
        _keep_version(segment, by=by, now=now)
    segment.save()
    record("segment.changed", target=("segment", segment.id), details={"version": segment.version})
    if not same:
        refresh_segment(segment.id, now=now, historical=True)
        segment.refresh_from_db()
    return segment


@transaction.atomic
def archive_segment(*, segment_id: UUID, by: Any, now: datetime) -> None:
    """Put a segment away: nobody is in it any more, its versions and history stay.

    Raises:
        SegmentInUse: a journey or another thing uses it.
    """
    segment = Segment.objects.select_for_update().get(id=segment_id)
    if segment.archived_at:
        return
    if uses := uses_of(segment_id):
        raise SegmentInUse(names=", ".join(use.label for use in uses))
    _take_turn()
    sql.execute("delete from segments_member where segment_id = %s", [segment.id])
    segment.archived_at, segment.size = now, 0
    segment.save(update_fields=["archived_at", "size"])
    record("segment.archived", target=("segment", segment.id))


@transaction.atomic
def restore_segment(*, segment_id: UUID, by: Any, now: datetime) -> None:
    """Take an archived segment out again and fill it.

    Raises:
        NameTaken: another one has its name meanwhile.
    """
    segment = Segment.objects.select_for_update().get(id=segment_id)
    if not segment.archived_at:
        return
    _fresh_name(segment.name, but=segment.id)
    segment.archived_at = None
    segment.save(update_fields=["archived_at"])
    refresh_segment(segment.id, now=now, announce=False)
    record("segment.restored", target=("segment", segment.id))


def check_purpose(node: language.Node, *, purpose: str, needs_written_consent: bool, now: datetime) -> list[str]:
    """Hold a rule against the law for its purpose; return the names of the clinical fields it reads.

    Raises:
        ClinicalMarketing: the organization's rules say no (P1).
    """
    clinical = language.clinical_fields(node)
    organization = Organization.objects.get(id=current_organization_id())
    verdict = policy.check_segment(
        purpose=purpose, clinical_fields=clinical, every_member_consented=needs_written_consent,
        organization=organization, on=clinic_day(now),
    )  # fmt: skip
    if not verdict.may_be_sent:
        labels = {leaf.field.name: str(leaf.field.label) for leaf in language.leaves(node)}
        raise ClinicalMarketing(
            rule=", ".join(verdict.reasons),
            fields=", ".join(labels[name] for name in clinical),
            legal_base=", ".join(dict.fromkeys(match.legal_base for match in verdict.matches)),
        )
    return clinical


def _fresh_name(name: str, *, but: UUID | None = None) -> str:
    name = clean(name)[:80]
    if not name:
        raise NameMissing
    others = Segment.objects.filter(name=name, archived_at=None)
    if (others.exclude(id=but) if but else others).exists():
        raise NameTaken
    return name


def _keep_version(segment: Segment, *, by: Any, now: datetime) -> None:
    SegmentVersion.objects.create(
        segment=segment, number=segment.version, purpose=segment.purpose, rule=segment.rule, saved_at=now, saved_by=by
    )


# -- membership -----------------------------------------------------------------------------------------------


def refresh_segment(segment_id: UUID, *, now: datetime, announce: bool = True, historical: bool = False) -> Change:
    """Work out a segment's members set-wise: who enters, who leaves, how many there are.

    Args:
        announce: publish `segment.entered` and `segment.left`.
        historical: entering is a consequence of an edit, not of something that happened to the patient.
    """
    _take_turn()
    segment = Segment.objects.get(id=segment_id)
    compiled = compiled_rule(segment, now=now)
    sql.execute("set local work_mem = '256MB'")
    change = _apply(segment, compiled, now=now, announce=announce, historical_patients=None, historical=historical)
    sql.execute("set local work_mem to default")
    size = int(sql.value("select count(*) from segments_member where segment_id = %s", [segment_id]))
    sql.execute("update segments_segment set size = %s, refreshed_at = %s where id = %s", [size, now, segment_id])
    sql.execute(
        "insert into segments_size (segment_id, day, size) values (%s, %s, %s) "
        "on conflict (organization_id, segment_id, day) do update set size = excluded.size",
        [segment_id, clinic_day(now), size],
    )
    return Change(change.entered, change.left, size)


def refresh_all(*, now: datetime) -> int:
    """Refresh every segment; the daily step, when windows and ages have moved. Return how many there are."""
    ids = list(Segment.objects.filter(archived_at=None).order_by("id").values_list("id", flat=True))
    for segment in Segment.objects.filter(id__in=ids).order_by("id"):
        try:
            language.read(segment.rule, saved=True)
        except RuleRefused:
            _note_broken(segment)
            continue
        refresh_segment(segment.id, now=now)
    return len(ids)


def _note_broken(segment: Segment) -> None:
    """A field the rule names is gone, with the slice that had it: its members stay as they are, and its page says why."""
    log.warning("segment.rule_not_understood", segment=str(segment.id), version=segment.version)


def reevaluate(
    patients: Iterable[UUID],
    *,
    now: datetime,
    kinds: Mapping[UUID, frozenset[str]] | None = None,
    historical: frozenset[UUID] = frozenset(),
) -> dict[UUID, Change]:
    """Work out again, for these patients only, in which segments they are; set-wise, one statement a segment.

    Args:
        kinds: what happened to each patient; a segment that none of it concerns is passed over.
        historical: patients to whom nothing new happened (an import of the past): entering starts nothing.
    """
    wanted = sorted(set(patients))
    if not wanted:
        return {}
    _take_turn()
    ask = ask_at(now, only=True)
    concerned: list[tuple[Segment, language.Node, list[UUID]]] = []
    for segment in Segment.objects.filter(archived_at=None, refreshed_at__isnull=False).order_by("id"):
        try:
            node = language.read(segment.rule, saved=True)
        except RuleRefused:
            _note_broken(segment)
            continue
        moved_by = kinds_of(node, segment.needs_written_consent)
        ids = wanted
        if kinds is not None and moved_by is not None:
            ids = [patient for patient in wanted if kinds.get(patient, frozenset()) & moved_by]
        if ids:
            concerned.append((segment, node, ids))
    if len(wanted) <= ASKED_TOGETHER:
        # most events move nobody: find out for all segments at once, and go on with those that change
        moved = _moved(concerned, wanted, ask)
        concerned = [one for one in concerned if one[0].id in moved]
    changes: dict[UUID, Change] = {}
    for segment, node, ids in concerned:
        compiled = compile_rule(node, ask=ask.again(), needs_written_consent=segment.needs_written_consent)
        compiled.parameters["ids"] = ids
        change = _apply(segment, compiled, now=now, announce=True, historical_patients=historical, historical=False)
        if change.entered or change.left:
            size = (segment.size or 0) + change.entered - change.left
            sql.execute("update segments_segment set size = greatest(%s, 0) where id = %s", [size, segment.id])
            changes[segment.id] = change
    return changes


def _moved(concerned: Sequence[tuple[Segment, language.Node, list[UUID]]], patients: list[UUID], ask: Ask) -> set[UUID]:
    """Return the segments whose membership is not right for one of these patients, in one statement."""
    if not concerned:
        return set()
    columns = []
    for number, (segment, node, _ids) in enumerate(concerned):
        compiled = compile_rule(node, ask=ask, needs_written_consent=segment.needs_written_consent)
        is_in = f"{ask.bind(segment.id)} = any(now_in.segments)"
        columns.append(f"bool_or((({compiled.where}) is true) <> ({is_in})) as moved_{number}")
    found = sql.row(
        f"""
        select {", ".join(columns)}
          from unnest(%(ids)s::uuid[]) as asked(patient_id)
          left join facts_patient as f on f.patient_id = asked.patient_id
         cross join lateral (
               select coalesce(array_agg(m.segment_id), '{{}}') as segments from segments_member as m
                where m.patient_id = asked.patient_id) as now_in
        """,
        {**ask.parameters, "ids": patients},
    )
    assert found is not None
    return {segment.id for number, (segment, _node, _ids) in enumerate(concerned) if found[f"moved_{number}"]}


def compiled_rule(segment: Segment, *, now: datetime, only: bool = False) -> Compiled:
    """Compile a saved segment's rule for today.

    Raises:
        RuleRefused: a field or choice it names is gone.
    """
    return compile_rule(
        language.read(segment.rule, saved=True),
        ask=ask_at(now, only=only),
        needs_written_consent=segment.needs_written_consent,
    )


def _apply(
    segment: Segment,
    compiled: Compiled,
    *,
    now: datetime,
    announce: bool,
    historical_patients: frozenset[UUID] | None,
    historical: bool,
) -> Change:
    """Bring the members in line with the rule, in one statement, and announce the difference in the same."""
    actor = current_actor()
    among = "and m.patient_id = any(%(ids)s::uuid[])" if "ids" in compiled.parameters else ""
    announced = ANNOUNCE if announce else ""
    found = sql.row(
        f"""
        with fits as ({compiled.members()}),
        gone as (
            delete from segments_member as m
             where m.segment_id = %(segment)s {among}
               and not exists (select 1 from fits where fits.patient_id = m.patient_id)
            returning m.patient_id
        ), fresh as (
            insert into segments_member (segment_id, patient_id, entered_at)
            select %(segment)s, fits.patient_id, %(now)s from fits
             where not exists (select 1 from segments_member as m
                                where m.segment_id = %(segment)s and m.patient_id = fits.patient_id {among})
            returning patient_id
        ){announced}
        select (select count(*) from fresh) as entered, (select count(*) from gone) as left
        """,
        {
            **compiled.parameters, "segment": segment.id, "now": now, "name": segment.name, "actor_kind": actor.kind,
            "actor_id": actor.id, "historical": historical,
            "past": sorted(historical_patients or ()),
        },
    )  # fmt: skip
    assert found is not None
    return Change(int(found["entered"]), int(found["left"]), segment.size or 0)


ANNOUNCE = """, announced as (
            insert into events_event (kind, patient_id, occurred_at, recorded_at, actor_kind, actor_id, source,
                                      historical, payload)
            select kind, patient_id, %(now)s, %(now)s, %(actor_kind)s, %(actor_id)s, 'segments',
                   (kind = 'segment.entered' and %(historical)s) or patient_id = any(%(past)s::uuid[]),
                   jsonb_build_object('segment_id', %(segment)s::text, 'segment', %(name)s::text)
              from (select 'segment.entered' as kind, patient_id from fresh
                    union all select 'segment.left', patient_id from gone) as both_ways
        )"""


def _take_turn() -> None:
    """Two processes that work out members at once take turns: the one that looked first must not write last."""
    sql.value("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"segments {current_organization_id()}"])
