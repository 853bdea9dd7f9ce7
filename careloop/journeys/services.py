"""Designing, starting, pausing and ending journeys, and taking one patient out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from careloop.audit import services as audit
from careloop.journeys import enrolling, leaving, versions
from careloop.journeys.definition import Definition, Known, problems_of, read
from careloop.journeys.enrolling import Candidates, Outlook
from careloop.journeys.errors import (
    ChangedMeanwhile,
    NameMissing,
    NothingChanged,
    NotInDemo,
    NotInThatState,
    Problem,
    UnknownJourney,
)
from careloop.journeys.handlers import dated_on, enroll_by_date
from careloop.journeys.models import Enrollment, Journey, JourneyVersion
from careloop.journeys.versions import Version
from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.kernel.text import clean
from careloop.messaging import services as messaging

State = Journey.State
BATCH_OF_LEAVERS = 5000


def known_here() -> Known:
    """Return what a definition may name in this organization: segments, tags and published templates."""
    return Known(
        segments=frozenset(
            str(row["id"]) for row in sql.rows("select id from segments_segment where archived_at is null")
        ),
        tags=frozenset(str(row["id"]) for row in sql.rows("select id from patients_tag where not is_archived")),
        templates=frozenset(
            row["key"]
            for row in sql.rows(
                """select t.key from messaging_template t where not t.is_archived
                    and exists (select 1 from messaging_template_version v where v.template_id = t.id and v.published_at is not null)"""
            )
        ),
    )


# -- designing --------------------------------------------------------------------------------------------------


@transaction.atomic
def create_journey(
    *, name: str, definition: Mapping[str, Any], now: datetime, by: UUID | None, description: str = "", library_key: str = "",
    journey_id: UUID | None = None,
) -> Journey:  # fmt: skip
    """Make a draft; it may be incomplete.

    Args:
        journey_id: comes with the form, so that a double click makes one draft.

    Raises:
        NameMissing: a journey needs a name.
    """
    name = clean(name)[:80]
    if not name:
        raise NameMissing
    if journey_id is not None and (earlier := Journey.objects.filter(pk=journey_id).first()):
        return earlier
    more = {"id": journey_id} if journey_id else {}
    journey = Journey.objects.create(
        name=name, description=clean(description)[:400], definition=dict(definition), library_key=library_key, created_at=now,
        created_by_id=by, updated_at=now, **more,
    )  # fmt: skip
    audit.record("journey.created", target=("journey", journey.pk), now=now)
    return journey


@transaction.atomic
def change_journey(
    *, journey_id: UUID, version: int, now: datetime, by: UUID | None, definition: Mapping[str, Any] | None = None,
    name: str | None = None, description: str | None = None,
) -> Journey:  # fmt: skip
    """Save the working copy. What runs is untouched until `start` or `use_changes`.

    Raises:
        ChangedMeanwhile: somebody saved since `version` was looked at. NameMissing. NotInThatState: the journey has ended.
    """
    journey = _locked(journey_id, State.DRAFT, State.ACTIVE, State.PAUSED)
    if journey.version != version:
        raise ChangedMeanwhile
    if name is not None:
        if not clean(name):
            raise NameMissing
        journey.name = clean(name)[:80]
    if description is not None:
        journey.description = clean(description)[:400]
    if definition is not None:
        journey.definition = dict(definition)
        if journey.current_id:
            journey.has_changes = journey.current.definition != journey.definition  # type: ignore[union-attr]
    journey.version += 1
    journey.updated_at = now
    journey.save()
    audit.record("journey.changed", target=("journey", journey.pk), details={"version": journey.version}, now=now)
    return journey


# -- what would happen ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Preview:
    """What starting (or going on) would do now: counts, never names.

    `first_message` says how many of the treated would get the first message of the path and why the others would not; it is
    missing when the path sends none. `waits_for`: nobody enters at once, the trigger is an event or a date.
    """

    problems: list[Problem] = field(default_factory=list)
    outlook: Outlook | None = None
    first_message: messaging.Planned | None = None
    first_template: str = ""
    waits_for: bool = False

    @property
    def can_start(self) -> bool:
        return not self.problems


def preview(*, journey_id: UUID, now: datetime) -> Preview:
    """Say what starting would do: who enters, who is left out and why, who is held out, which first messages go."""
    journey = _found(journey_id)
    problems = problems_of(journey.definition, known=known_here())
    if problems:
        return Preview(problems=problems)
    definition = read(journey.definition)
    version = Version(journey.pk, journey.pk, journey.name, definition, versions.reads_health(definition))
    candidates = starters(version, now=now)
    if candidates is None:
        return Preview(waits_for=True)
    first = definition.templates[0] if definition.templates else ""
    planned = None
    if first:
        try:
            planned = messaging.forecast(
                template_key=first, patients=enrolling.treated_audience(version, candidates, now=now), due_at=now, now=now,
                uses_health_data=version.reads_health,
            )  # fmt: skip
        except DomainError as refusal:
            return Preview(problems=[Problem("/steps", str(refusal))])
    return Preview(
        outlook=enrolling.outlook(version, candidates, now=now),
        first_message=planned,
        first_template=first,
        waits_for=definition.trigger["kind"] == "date",
    )


def starters(version: Version, *, now: datetime) -> Candidates | None:
    """Return who enters at once when the journey starts: the segment's members, or those whose day is today. None: nobody."""
    trigger = version.definition.trigger
    if trigger["kind"] == "segment" and trigger.get("existing", True):
        return Candidates(
            "select m.patient_id from segments_member m where m.segment_id = %(trigger_segment)s",
            {"trigger_segment": UUID(trigger["segment"])},
        )
    if trigger["kind"] == "date":
        from careloop.facts.services import clinic_day

        return dated_on(version, clinic_day(now))
    return None


# -- starting, pausing, ending ----------------------------------------------------------------------------------


@transaction.atomic
def start(*, journey_id: UUID, version: int, now: datetime, by: UUID | None) -> int:
    """Start a draft: keep its definition as a version and enroll who is to enter at once; return how many.

    Starting what runs already changes nothing.

    Raises:
        DefinitionRefused: with every place that is wrong. ChangedMeanwhile. NotInThatState.
    """
    journey = _locked(journey_id, State.DRAFT, State.ACTIVE)
    if journey.state == State.ACTIVE:
        return 0
    if journey.version != version:
        raise ChangedMeanwhile
    journey.current = _keep_version(journey, now=now, by=by)
    journey.state, journey.started_at, journey.has_changes = State.ACTIVE, now, False
    journey.version += 1
    journey.updated_at = now
    journey.save()
    enrolled = _enroll_starters(journey, now=now)
    audit.record("journey.started", target=("journey", journey.pk), details={"enrolled": enrolled}, now=now)
    return enrolled


@transaction.atomic
def use_changes(*, journey_id: UUID, version: int, now: datetime, by: UUID | None) -> JourneyVersion:
    """Put the working copy into use for patients who enter from now on; who is on the way finishes the version they are on.

    Raises:
        DefinitionRefused, ChangedMeanwhile, NotInThatState. NothingChanged: it is already in use.
    """
    journey = _locked(journey_id, State.ACTIVE, State.PAUSED)
    if journey.version != version:
        raise ChangedMeanwhile
    if journey.current is not None and journey.current.definition == journey.definition:
        raise NothingChanged
    journey.current = _keep_version(journey, now=now, by=by)
    journey.has_changes = False
    journey.version += 1
    journey.updated_at = now
    journey.save()
    audit.record(
        "journey.version_started",
        target=("journey", journey.pk),
        details={"number": journey.current.number},
        now=now,
    )
    return journey.current


@transaction.atomic
def pause(*, journey_id: UUID, now: datetime, by: UUID | None) -> None:
    """Stop taking patients and carrying out steps; who is on the way stays where they are. Messages planned still go."""
    journey = _locked(journey_id, State.ACTIVE, State.PAUSED)
    if journey.state == State.PAUSED:
        return
    journey.state, journey.paused_at, journey.updated_at = State.PAUSED, now, now
    journey.save(update_fields=["state", "paused_at", "updated_at"])
    audit.record("journey.paused", target=("journey", journey.pk), now=now)


@transaction.atomic
def resume(*, journey_id: UUID, now: datetime, by: UUID | None) -> int:
    """Go on: due steps are carried out, and who entered the segment meanwhile enters now; return how many."""
    journey = _locked(journey_id, State.PAUSED, State.ACTIVE)
    if journey.state == State.ACTIVE:
        return 0
    since, journey.state, journey.paused_at, journey.updated_at = journey.paused_at, State.ACTIVE, None, now
    journey.save(update_fields=["state", "paused_at", "updated_at"])
    version = versions.load_version(journey.current_id)  # type: ignore[arg-type]
    enrolled = 0
    trigger = version.definition.trigger
    if trigger["kind"] == "segment":
        meanwhile = Candidates(
            "select m.patient_id from segments_member m where m.segment_id = %(trigger_segment)s and m.entered_at >= %(since)s",
            {"trigger_segment": UUID(trigger["segment"]), "since": since},
        )
        enrolled = enrolling.enroll(version, meanwhile, because="segment", now=now)
    elif trigger["kind"] == "date":
        enrolled = enroll_by_date(now=now)
    audit.record("journey.resumed", target=("journey", journey.pk), details={"enrolled": enrolled}, now=now)
    return enrolled


@transaction.atomic
def end(*, journey_id: UUID, now: datetime, by: UUID | None) -> int:
    """End a journey for good: everybody leaves it and planned messages are cancelled; return how many left.

    Open follow-ups stay, because somebody may be in the middle of one.
    """
    journey = _locked(journey_id, *State)
    if journey.state == State.ENDED:
        return 0
    journey.state, journey.ended_at, journey.updated_at = State.ENDED, now, now
    journey.save(update_fields=["state", "ended_at", "updated_at"])
    left = 0
    while True:
        ids = [
            row["id"]
            for row in sql.rows(
                "select id from journeys_enrollment where journey_id = %s and state = 'ACTIVE' limit %s",
                [journey.pk, BATCH_OF_LEAVERS],
            )
        ]
        if not ids:
            break
        left += leaving.leave(ids, reason="journey_ended", now=now, by=by)
    audit.record("journey.ended", target=("journey", journey.pk), details={"left": left}, now=now)
    return left


@transaction.atomic
def remove_patient(*, enrollment_id: UUID, now: datetime, by: UUID | None, reason: str = "") -> bool:
    """Take one patient out of a journey; doing it again changes nothing.

    Raises:
        UnknownJourney: no such enrollment.
    """
    enrollment = Enrollment.objects.filter(pk=enrollment_id).first()
    if enrollment is None:
        raise UnknownJourney
    done = leaving.leave([enrollment.pk], reason="staff", now=now, by=by) == 1
    if done:
        audit.record(
            "journey.patient_removed", patients=[enrollment.patient_id], target=("enrollment", enrollment.pk),
            reason=clean(reason)[:200], now=now,
        )  # fmt: skip
    return done


@transaction.atomic
def skip_ahead(
    *, now: datetime, by: UUID | None, journey_id: UUID | None = None, enrollment_id: UUID | None = None
) -> int:
    """Let time pass at once, in a demo clinic only, so that weeks can be tried in minutes; return for how many.

    A message that waits for the morning goes now, and the wait for its answer begins; where no message waits, the wait is over.

    Raises:
        NotInDemo: this is a real clinic.
    """
    if not sql.value("select is_demo from tenancy_organization"):
        raise NotInDemo
    waiting = sql.rows(
        """select id, patient_id from journeys_enrollment
            where state = 'ACTIVE' and not held_out
              and (%(journey)s::uuid is null or journey_id = %(journey)s) and (%(one)s::uuid is null or id = %(one)s)""",
        {"journey": journey_id, "one": enrollment_id},
    )
    sent = messaging.hurry(origin="journey", origin_ids=[str(row["id"]) for row in waiting], now=now)
    over = [row["id"] for row in waiting if str(row["id"]) not in sent]
    sql.execute("update journeys_enrollment set due_at = %s where id = any(%s) and due_at > %s", [now, over, now])
    skipped = waiting
    audit.record(
        "journey.time_skipped", patients=[row["patient_id"] for row in skipped[:1000]],
        target=("journey", journey_id or enrollment_id or ""), details={"count": len(skipped)}, now=now,
    )  # fmt: skip
    return len(skipped)


# -- inside -----------------------------------------------------------------------------------------------------


def _found(journey_id: UUID) -> Journey:
    journey = Journey.objects.select_related("current").filter(pk=journey_id).first()
    if journey is None:
        raise UnknownJourney
    return journey


def _locked(journey_id: UUID, *states: str) -> Journey:
    journey = Journey.objects.select_for_update().filter(pk=journey_id).first()
    if journey is None:
        raise UnknownJourney
    if journey.state not in states:
        raise NotInThatState
    return journey


def _keep_version(journey: Journey, *, now: datetime, by: UUID | None) -> JourneyVersion:
    definition: Definition = read(journey.definition, known=known_here())
    last = journey.versions.aggregate(last=Max("number"))["last"] or 0
    return JourneyVersion.objects.create(
        journey=journey, number=last + 1, definition=journey.definition, hold_out_percent=definition.hold_out_percent,
        started_at=now, started_by_id=by,
    )  # fmt: skip


def _enroll_starters(journey: Journey, *, now: datetime) -> int:
    version = versions.load_version(journey.current_id)  # type: ignore[arg-type]
    if version.definition.trigger["kind"] == "date":
        return enroll_by_date(now=now)
    candidates = starters(version, now=now)
    return enrolling.enroll(version, candidates, because="start", now=now) if candidates else 0
