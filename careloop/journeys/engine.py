"""Moving patients along, set-wise: enrolling, carrying out due steps, leaving.

Effects and the new position are written in one transaction, so a killed worker leaves either both or neither. Message and
follow-up keys name enrollment and step, history rows are numbered by move, and both are unique: even a step carried out by
mistake a second time would have no second effect.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from careloop.audit.services import current_actor
from careloop.followups import services as followups
from careloop.journeys import rules
from careloop.journeys.definition import NOT_SENT, OTHER_ANSWER, Definition, Step, read
from careloop.journeys.models import JourneyVersion
from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.messaging import services as messaging
from careloop.patients import services as patients
from careloop.segments import language
from careloop.segments.compile import ask_at, compile_rule
from careloop.segments.recall import refill_on
from careloop.tenancy.context import in_organization

BATCH = 5000
GOALS_END_TASKS = ("goal", "deceased", "merged", "inactive")
"""Reasons of leaving after which an open follow-up of the journey has lost its point."""


@dataclass(frozen=True)
class Version:
    """A journey's version as the engine uses it."""

    id: UUID
    journey_id: UUID
    journey: str
    definition: Definition
    reads_health: bool


@lru_cache(maxsize=500)
def _definition(version_id: UUID, organization_id: UUID) -> Definition:
    """Versions never change, so a definition is read once a process."""
    return read(JourneyVersion.objects.values_list("definition", flat=True).get(pk=version_id))


def load_version(version_id: UUID) -> Version:
    """Return a version with its definition read."""
    row = sql.row(
        """select v.id, v.journey_id, v.organization_id, j.name from journeys_version v join journeys_journey j on j.id = v.journey_id
            where v.id = %s""",
        [version_id],
    )
    assert row is not None
    definition = _definition(row["id"], row["organization_id"])
    return Version(row["id"], row["journey_id"], row["name"], definition, reads_health(definition))


def reads_health(definition: Definition) -> bool:
    """Whether who is on the journey was chosen by clinical data: marketing then needs written consent (P1)."""
    from careloop.journeys.definition import TRIGGER_EVENTS

    trigger = definition.trigger
    if trigger["kind"] == "event" and TRIGGER_EVENTS[trigger["event"]].clinical:
        return True
    if trigger["kind"] == "date" and trigger["date"] == "supply_end":
        return True
    return bool(
        definition.segments
        and sql.value("select bool_or(reads_clinical) from segments_segment where id = any(%s)", [definition.segments])
    )


# -- entering a step --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """What is written when an enrollment comes to a step: which, when it is carried out, how long it listens."""

    step: str
    kind: str
    due_at: datetime
    reply_wait_minutes: int | None = None


def entry_of(step: Step | None, *, now: datetime, zone: ZoneInfo) -> Entry:
    """Return what coming to `step` at `now` means; None is the end."""
    if step is None:
        return Entry("", "", now)
    if step.kind == "wait":
        until = step.values.get("until")
        due = rules.wait_until(
            now, days=step.values.get("days", 0), hours=step.values.get("hours", 0),
            at=time.fromisoformat(until) if until else None, zone=zone,
        )  # fmt: skip
        return Entry(step.id, step.kind, due)
    if step.kind == "wait_reply":
        due = rules.wait_until(now, days=step.values.get("days", 0), hours=step.values.get("hours", 0), zone=zone)
        return Entry(step.id, step.kind, due, int((due - now) / timedelta(minutes=1)))
    return Entry(step.id, step.kind, now)


def clinic_zone() -> ZoneInfo:
    return ZoneInfo(sql.value("select time_zone from tenancy_organization"))


# -- enrolling --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Candidates:
    """Who may enter: a query with `patient_id uuid` and, if wanted, `context jsonb`; its parameters."""

    query: str
    params: Mapping[str, Any] = field(default_factory=dict)
    has_context: bool = False


ELIGIBLE = """
    candidate as materialized (
        select distinct on (c.patient_id) c.patient_id, {context} as context from ({query}) as c order by c.patient_id
    ),
    judged as materialized (
        select c.patient_id, c.context, coalesce(l.round, 0) + 1 as round,
               case when p.merged_into_id is not null then 'merged' when p.deceased then 'deceased'
                    when not p.active then 'inactive'
                    when %(only_in)s::uuid is not null and m.patient_id is null then 'not_in_segment'
                    when l.state = 'ACTIVE' then 'already'
                    when l.round is not null and (%(again)s::int is null
                         or l.entered_at > %(now)s::timestamptz - make_interval(days => coalesce(%(again)s, 0))) then 'again' end as reason,
               ('x' || substr(md5(%(journey)s::uuid::text || c.patient_id::text), 1, 8))::bit(32)::bigint %% 100
                 < %(percent)s as held_out
          from candidate c
          join patients_patient p on p.id = c.patient_id
          left join segments_member m on m.segment_id = %(only_in)s::uuid and m.patient_id = c.patient_id
          left join lateral (
               select e.round, e.state, e.entered_at from journeys_enrollment e
                where e.patient_id = c.patient_id and e.journey_id = %(journey)s order by e.round desc limit 1) as l on true
    )"""


def _eligible(version: Version, candidates: Candidates) -> str:
    context = "coalesce(c.context, '{}'::jsonb)" if candidates.has_context else "'{}'::jsonb"
    return ELIGIBLE.format(query=candidates.query, context=context)


def _eligible_params(version: Version, candidates: Candidates, *, now: datetime) -> dict[str, Any]:
    definition = version.definition
    return {
        **candidates.params, "journey": version.journey_id, "only_in": definition.only_in, "again": definition.again_after_days,
        "percent": definition.hold_out_percent, "now": now,
    }  # fmt: skip


def enroll(
    version: Version, candidates: Candidates, *, because: str, now: datetime, zone: ZoneInfo | None = None
) -> int:
    """Enroll those of `candidates` who may enter, in one statement; return how many. Repeating it changes nothing.

    Args:
        because: what started it (`segment`, `date`, `start`, or an event kind).
    """
    first = entry_of(version.definition.first, now=now, zone=zone or clinic_zone())
    actor = current_actor()
    return int(
        sql.value(
            f"""with {_eligible(version, candidates)},
            added as (
                insert into journeys_enrollment (journey_id, journey_version_id, patient_id, round, held_out, step, step_kind,
                    due_at, reply_wait_minutes, context, entered_at, entered_because, measured_until)
                select %(journey)s, %(version)s, patient_id, round, held_out,
                       case when held_out then '' else %(step)s end, case when held_out then '' else %(kind)s end,
                       case when held_out then %(measured_until)s::timestamptz else %(due_at)s end,
                       case when not held_out then %(wait)s::int end, context, %(now)s, %(because)s, %(measured_until)s
                  from judged where reason is null
                 -- all are judged before the first is added: judging looks into the table that adding makes grow
                 order by patient_id
                on conflict do nothing
                returning id, patient_id, held_out
            ), told as (
                insert into events_event (kind, patient_id, occurred_at, recorded_at, actor_kind, actor_id, source, payload)
                select 'journey.enrolled', patient_id, %(now)s, %(now)s, %(actor_kind)s, %(actor)s, 'journey',
                       jsonb_build_object('enrollment_id', id, 'journey_id', %(journey)s::text, 'journey', %(name)s::text,
                                          'held_out', held_out)
                  from added
            )
            select count(*) from added""",
            {
                **_eligible_params(version, candidates, now=now), "version": version.id, "step": first.step, "kind": first.kind,
                "due_at": first.due_at, "wait": first.reply_wait_minutes, "because": because, "name": version.journey,
                "measured_until": now + timedelta(days=version.definition.goal_days), "actor_kind": actor.kind, "actor": actor.id,
            },
        )
    )  # fmt: skip


@dataclass(frozen=True)
class Outlook:
    """Who would enter now: counts, never names. `left_out` by reason code (see `sentences.LEFT_OUT`)."""

    candidates: int
    entering: int
    held_out: int
    left_out: dict[str, int]

    @property
    def treated(self) -> int:
        return self.entering - self.held_out


def outlook(version: Version, candidates: Candidates, *, now: datetime) -> Outlook:
    """Say what `enroll` would do, without writing anything."""
    found = sql.rows(
        f"""with {_eligible(version, candidates)}
            select coalesce(reason, '') as reason, held_out, count(*) as n from judged group by 1, 2""",
        _eligible_params(version, candidates, now=now),
    )
    left_out: dict[str, int] = {}
    for row in found:
        if row["reason"]:
            left_out[row["reason"]] = left_out.get(row["reason"], 0) + row["n"]
    return Outlook(
        candidates=sum(row["n"] for row in found),
        entering=sum(row["n"] for row in found if not row["reason"]),
        held_out=sum(row["n"] for row in found if not row["reason"] and row["held_out"]),
        left_out=left_out,
    )  # fmt: skip


def treated_audience(version: Version, candidates: Candidates, *, now: datetime) -> messaging.Audience:
    """Return those who would enter and be treated, as an audience for a forecast of the first message."""
    return messaging.Audience(
        f"with {_eligible(version, candidates)} select patient_id, {PARAMS_OF.format(context='context', patient='judged.patient_id')} as params "
        "from judged where reason is null and not held_out",
        {**_eligible_params(version, candidates, now=now), **_text_params(now)},
        frozenset({"params"}),
    )


# -- carrying out due steps -------------------------------------------------------------------------------------


def move_due(organization_id: UUID, *, now: datetime, limit: int = BATCH) -> int:
    """Carry out what is due, one transaction a batch and journey; return how many enrollments moved.

    Several workers may do this at once: rows are claimed with SKIP LOCKED.
    """
    with in_organization(organization_id):
        waiting = sql.rows(
            """select j.id from journeys_journey j
                where j.state = 'ACTIVE' and exists (
                      select 1 from journeys_enrollment e
                       where e.journey_id = j.id and e.state = 'ACTIVE' and e.due_at <= %s)""",
            [now],
        )
    moved = 0
    for row in waiting:
        with in_organization(organization_id):
            moved += move_journey(row["id"], now=now, limit=limit)
    return moved


CLAIM = """
with due as materialized (
    select e.id, e.patient_id, e.journey_version_id, e.step, e.held_out
      from journeys_enrollment e
     where e.journey_id = %(journey)s and e.state = 'ACTIVE' and e.due_at <= %(now)s
     order by e.due_at, e.id limit %(limit)s
       for update of e skip locked
)
select d.journey_version_id as version_id, d.step, d.held_out,
       case when p.merged_into_id is not null then 'merged' when p.deceased then 'deceased'
            when not p.active then 'inactive' else '' end as leaving,
       array_agg(d.id) as ids
  from due d join patients_patient p on p.id = d.patient_id
 group by 1, 2, 3, 4
"""


def move_journey(journey_id: UUID, *, now: datetime, limit: int = BATCH) -> int:
    """Carry out the due steps of one journey: claim, then one pass per step, all in the running transaction."""
    # A pause or an end that runs at the same time waits for us, or we for it.
    state = sql.value("select state from journeys_journey where id = %s for share", [journey_id])
    if state != "ACTIVE":
        return 0
    zone = clinic_zone()
    moved = 0
    for group in sql.rows(CLAIM, {"journey": journey_id, "now": now, "limit": limit}):
        ids: list[UUID] = group["ids"]
        moved += len(ids)
        if group["leaving"]:
            leave(ids, reason=group["leaving"], now=now)
        elif group["held_out"]:
            leave(ids, reason="measured", now=now)
        else:
            version = load_version(group["version_id"])
            step = version.definition.step(group["step"])
            if step is None:  # cannot be: positions come from the same definition
                leave(ids, reason="broken", now=now)
                continue
            CARRY_OUT[step.kind](_Batch(version, step, ids, now, zone))
    return moved


@dataclass(frozen=True)
class _Batch:
    """Enrollments that stand at the same step of the same version."""

    version: Version
    step: Step
    ids: list[UUID]
    now: datetime
    zone: ZoneInfo

    def entry(self, target: str) -> Entry:
        return entry_of(self.version.definition.step(target), now=self.now, zone=self.zone)


MOVE = """
with outcome as materialized ({outcome}),
target as materialized (
    select * from unnest(%(keys)s::text[], %(steps)s::text[], %(kinds)s::text[], %(dues)s::timestamptz[], %(waits)s::int[],
                         %(ends)s::text[]) as t(key, step, kind, due_at, wait, ends)
),
moved as (
    update journeys_enrollment e
       set state = case when t.step = '' then 'DONE' else 'ACTIVE' end, step = t.step, step_kind = t.kind, due_at = t.due_at,
           reply_wait_minutes = t.wait, moves = e.moves + 1, new_answer = '',
           exited_at = case when t.step = '' then %(now)s::timestamptz end,
           exit_reason = case when t.step = '' then t.ends else '' end
      from outcome o join target t on t.key = o.target
     where e.id = o.id
    returning e.id, e.patient_id, e.state, e.moves, o.what, o.reason, t.step as next_step, t.ends, o.message_id, o.follow_up_id
),
kept as (
    insert into journeys_enrollment_step (enrollment_id, number, step, what, reason, next_step, at, message_id, follow_up_id)
    select id, moves, %(here)s, what, reason, next_step, %(now)s, message_id, follow_up_id from moved
),
told as (
    insert into events_event (kind, patient_id, occurred_at, recorded_at, actor_kind, actor_id, source, payload)
    select 'journey.exited', patient_id, %(now)s, %(now)s, %(actor_kind)s, %(actor)s, 'journey',
           jsonb_build_object('enrollment_id', id, 'journey_id', %(journey)s::text, 'journey', %(name)s::text, 'reason', ends)
      from moved where state = 'DONE'
)
select count(*) from moved
"""


def _move(
    batch: _Batch, outcome: str, targets: Mapping[str, str], *, params: Mapping[str, Any] | None = None,
    ends: str = "finished",
) -> int:  # fmt: skip
    """Write outcomes and positions: `outcome` gives id, what, reason, target, message_id, follow_up_id.

    Args:
        targets: name of a target → id of the step it leads to ("" ends the path).
    """
    actor = current_actor()
    entries = {name: batch.entry(target) for name, target in targets.items()}
    return int(
        sql.value(
            MOVE.format(outcome=outcome),
            {
                "ids": batch.ids, "keys": list(entries), "steps": [one.step for one in entries.values()],
                "kinds": [one.kind for one in entries.values()], "dues": [one.due_at for one in entries.values()],
                "waits": [one.reply_wait_minutes for one in entries.values()], "ends": [ends] * len(entries),
                "now": batch.now, "here": batch.step.id, "journey": batch.version.journey_id, "name": batch.version.journey,
                "actor_kind": actor.kind, "actor": actor.id, **(params or {}),
            },
        )
    )  # fmt: skip


SAME_FOR_ALL = """
    select id, %(what)s::text as what, %(reason)s::text as reason, 'next'::text as target, null::uuid as message_id,
           null::uuid as follow_up_id
      from unnest(%(ids)s::uuid[]) as one(id)
"""


def _all_go_on(
    batch: _Batch, what: str, *, reason: str = "", target: str | None = None, ends: str = "finished"
) -> None:
    targets = {"next": batch.step.below if target is None else target}
    _move(batch, SAME_FOR_ALL, targets, params={"what": what, "reason": reason}, ends=ends)


PARAMS_OF = """
    jsonb_strip_nulls(jsonb_build_object(
        'visit_date', {context} ->> 'on',
        'until_date', (select f.supply_ends_on from facts_patient f where f.patient_id = {patient}),
        'due_date', (select f.supply_ends_on - %(days_before)s::int from facts_patient f where f.patient_id = {patient})))"""
"""What a journey's texts may name besides what every message knows: when the visit was, when a supply may be fetched."""


def _text_params(now: datetime) -> dict[str, Any]:
    try:
        days_before = refill_on(now.date()).days_before
    except LookupError:
        days_before = 10
    return {"days_before": days_before}


def message_key(enrollment: str, step: str) -> str:
    """SQL for the unique key of a step's message."""
    return f"'journey:' || {enrollment}::text || ':' || {step}"


def _carry_out_message(batch: _Batch) -> None:
    """Plan the message for everybody in one statement; who cannot get it goes where the step says, with the reason."""
    values = batch.step.values
    if_not_sent = batch.step.target("if_not_sent")
    audience = messaging.Audience(
        f"""select e.patient_id, {message_key("e.id", "%(j_step)s")} as key, e.id::text as origin_id,
                   {PARAMS_OF.format(context="e.context", patient="e.patient_id")} as params
              from journeys_enrollment e where e.id = any(%(j_ids)s::uuid[])""",
        {"j_step": batch.step.id, "j_ids": batch.ids, **_text_params(batch.now)},
        frozenset({"key", "origin_id", "params"}),
    )
    try:
        messaging.plan_many(
            template_key=values["template"], patients=audience, key_prefix=f"journey:{batch.version.journey_id}",
            due_at=batch.now, now=batch.now, origin="journey", uses_health_data=batch.version.reads_health,
            expires_at=_expires(batch),
        )  # fmt: skip
    except DomainError as refusal:  # the template was archived: nobody gets it, and the page says why
        _all_go_on(batch, "not_sent", reason=refusal.code, target=if_not_sent)
        return
    _move(
        batch,
        f"""select e.id, case when m.state = 'blocked' then 'not_sent' else 'sent' end as what, m.reason,
                   case when m.state = 'blocked' then 'not_sent' else 'next' end as target, m.id as message_id,
                   null::uuid as follow_up_id
              from journeys_enrollment e join messaging_message m on m.key = {message_key("e.id", "%(here)s")}
             where e.id = any(%(ids)s::uuid[])""",
        {"next": batch.step.below, "not_sent": if_not_sent},
    )


def _expires(batch: _Batch) -> datetime | None:
    """A greeting for a day is worth nothing later; other messages of a journey may come a day late."""
    if batch.version.definition.trigger.get("date") == "birthday":
        return datetime.combine(batch.now.astimezone(batch.zone).date() + timedelta(days=1), time(0), batch.zone)
    return None


def _carry_out_wait(batch: _Batch) -> None:
    _all_go_on(batch, "waited")


def _carry_out_wait_reply(batch: _Batch) -> None:
    """Go where the answer leads, or, when there is none, where silence leads."""
    step = batch.step
    answers: Mapping[str, str] = step.values.get("answers") or {}
    ways = {code: step.resolve(wanted) for code, wanted in answers.items()}
    listens_to = batch.version.definition.listens_to(step)
    silence = step.target("silence")
    not_sent = silence
    if listens_to is not None and listens_to.values.get("if_not_sent", "next") != "next":
        not_sent = listens_to.target("if_not_sent")
    _move(
        batch,
        """select e.id, case when e.new_answer = '' then 'silent' when e.new_answer = 'NOT_SENT' then 'not_sent'
                             else 'answered' end as what,
                  case when e.new_answer = 'NOT_SENT' then '' else e.new_answer end as reason,
                  case when e.new_answer = '' then 'silence' when e.new_answer = 'NOT_SENT' then 'not_sent'
                       when e.new_answer = any(%(codes)s::text[]) then 'answer:' || e.new_answer else 'other' end as target,
                  null::uuid as message_id, null::uuid as follow_up_id
             from journeys_enrollment e where e.id = any(%(ids)s::uuid[])""",
        {
            "silence": silence, "not_sent": not_sent, "other": step.target("other"),
            **{f"answer:{code}": way for code, way in ways.items()},
        },
        params={"codes": list(ways)},
    )  # fmt: skip


def _carry_out_branch(batch: _Batch) -> None:
    """Decide for everybody at once by segment, answer, visit or rule."""
    condition = batch.step.values["if"]
    params: dict[str, Any] = {}
    if condition["kind"] == "segment":
        holds = (
            "exists (select 1 from segments_member m where m.segment_id = %(segment)s and m.patient_id = e.patient_id)"
        )
        params["segment"] = UUID(condition["segment"])
    elif condition["kind"] == "answer":
        holds = "e.answer = any(%(codes)s::text[])"
        params["codes"] = condition["answers"]
    elif condition["kind"] == "visited":
        holds = "e.visited_at is not null"
    else:
        ask = ask_at(batch.now, only=True)
        compiled = compile_rule(language.read(condition["rule"]), ask=ask)
        patient_ids = [row["patient_id"] for row in sql.rows(
            "select patient_id from journeys_enrollment where id = any(%s)", [batch.ids]
        )]  # fmt: skip
        fits = sql.rows(compiled.members(), {**compiled.parameters, "ids": patient_ids})
        holds = "e.patient_id = any(%(fits)s::uuid[])"
        params["fits"] = [row["patient_id"] for row in fits]
    _move(
        batch,
        f"""select e.id, case when {holds} then 'yes' else 'no' end as what, '' as reason,
                   case when {holds} then 'yes' else 'no' end as target, null::uuid as message_id, null::uuid as follow_up_id
              from journeys_enrollment e where e.id = any(%(ids)s::uuid[])""",
        {"yes": batch.step.target("yes"), "no": batch.step.target("no")},
        params=params,
    )


def _carry_out_follow_up(batch: _Batch) -> None:
    values = batch.step.values
    origin = "e.id::text || ':' || %(f_step)s"
    followups.create_many(
        wanted=followups.Wanted(
            f"select e.patient_id, {origin} as origin_id from journeys_enrollment e where e.id = any(%(f_ids)s::uuid[])",
            {"f_ids": batch.ids, "f_step": batch.step.id},
        ),
        title=values["title"], script=values.get("script", ""), kind=values.get("task", "CALL"), priority=values.get("priority", 2),
        due_at=rules.wait_until(batch.now, days=values.get("due_days", 0), zone=batch.zone), now=batch.now, by=None, origin="journey",
    )  # fmt: skip
    _move(
        batch,
        """select e.id, 'tasked' as what, '' as reason, 'next' as target, null::uuid as message_id, f.id as follow_up_id
             from journeys_enrollment e
             join followups_follow_up f on f.origin = 'journey' and f.origin_id = e.id::text || ':' || %(here)s
            where e.id = any(%(ids)s::uuid[])""",
        {"next": batch.step.below},
    )


def _carry_out_tag(batch: _Batch) -> None:
    wanted = sql.rows("select patient_id from journeys_enrollment where id = any(%s)", [batch.ids])
    change = patients.give_tag if batch.step.kind == "tag" else patients.remove_tag
    try:
        change(
            patient_ids=[row["patient_id"] for row in wanted], tag_id=UUID(batch.step.values["tag"]), now=batch.now, by=None,
            rule=f"journey:{batch.version.journey_id}", source="journey",
        )  # fmt: skip
    except DomainError as refusal:  # the tag was deleted meanwhile: go on without it
        _all_go_on(batch, "skipped", reason=refusal.code)
        return
    _all_go_on(batch, "tagged" if batch.step.kind == "tag" else "untagged")


def _carry_out_exit(batch: _Batch) -> None:
    _all_go_on(batch, "left", target="", reason=batch.step.values.get("reason") or "finished")


CARRY_OUT: dict[str, Callable[[_Batch], None]] = {
    "message": _carry_out_message,
    "wait": _carry_out_wait,
    "wait_reply": _carry_out_wait_reply,
    "branch": _carry_out_branch,
    "follow_up": _carry_out_follow_up,
    "tag": _carry_out_tag,
    "untag": _carry_out_tag,
    "exit": _carry_out_exit,
}


# -- leaving ----------------------------------------------------------------------------------------------------

LEAVE = """
with gone as (
    update journeys_enrollment e
       set state = case when %(reason)s in ('goal', 'measured') then 'DONE' else 'LEFT' end, exited_at = %(now)s,
           exit_reason = %(reason)s, moves = e.moves + (not e.held_out)::int, new_answer = '', reply_wait_minutes = null
     where e.id = any(%(ids)s::uuid[]) and e.state = 'ACTIVE'
    returning e.id, e.patient_id, e.journey_id, e.step, e.held_out, e.moves
),
kept as (
    insert into journeys_enrollment_step (enrollment_id, number, step, what, reason, next_step, at)
    select id, greatest(moves, 1), step, 'left', %(reason)s, '', %(now)s from gone
),
told as (
    insert into events_event (kind, patient_id, occurred_at, recorded_at, actor_kind, actor_id, source, payload)
    select 'journey.exited', g.patient_id, %(now)s, %(now)s, %(actor_kind)s, %(actor)s, 'journey',
           jsonb_build_object('enrollment_id', g.id, 'journey_id', g.journey_id, 'journey', j.name, 'reason', %(reason)s::text)
      from gone g join journeys_journey j on j.id = g.journey_id
)
select id from gone
"""


def leave(enrollment_ids: Sequence[UUID], *, reason: str, now: datetime, by: UUID | None = None) -> int:
    """End these enrollments where they stand: planned messages are cancelled, and tasks that have lost their point too.

    Those that have ended already stay as they are. Return how many left.
    """
    if not enrollment_ids:
        return 0
    actor = current_actor()
    gone = [
        row["id"]
        for row in sql.rows(
            LEAVE,
            {
                "ids": list(enrollment_ids),
                "reason": reason,
                "now": now,
                "actor_kind": actor.kind,
                "actor": actor.id,
            },
        )
    ]
    if not gone:
        return 0
    messaging.cancel(now=now, reason="journey_left", origin="journey", origin_ids=[str(one) for one in gone], by=by)
    if reason in GOALS_END_TASKS:
        withdraw_tasks(gone, reason=reason, now=now)
    return len(gone)


def withdraw_tasks(enrollment_ids: Iterable[UUID], *, reason: str, now: datetime) -> int:
    """Cancel the open follow-ups that these enrollments asked for."""
    tasks = sql.rows(
        """select s.follow_up_id as id from journeys_enrollment_step s
             join followups_follow_up f on f.id = s.follow_up_id and f.state = 'OPEN'
            where s.enrollment_id = any(%s)""",
        [list(enrollment_ids)],
    )
    return followups.cancel(follow_up_ids=[row["id"] for row in tasks], reason=reason, now=now, by=None) if tasks else 0


__all__ = [
    "BATCH",
    "NOT_SENT",
    "OTHER_ANSWER",
    "Candidates",
    "Entry",
    "Outlook",
    "Version",
    "clinic_zone",
    "enroll",
    "entry_of",
    "leave",
    "load_version",
    "move_due",
    "move_journey",
    "outlook",
    "reads_health",
    "treated_audience",
    "withdraw_tasks",
]  # fmt: skip
