"""Carrying out due steps, set-wise.

Effects and the new position are written in one transaction, so a killed worker leaves either both or neither. Message and
follow-up keys name enrollment and step, history rows are numbered by move, and both are unique: even a step carried out by
mistake a second time would have no second effect.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from careloop.audit.services import current_actor
from careloop.followups import services as followups
from careloop.journeys import rules
from careloop.journeys.definition import Step
from careloop.journeys.leaving import leave
from careloop.journeys.params import PARAMS_OF, text_params
from careloop.journeys.versions import Entry, Version, clinic_zone, entry_of, load_version
from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.messaging import services as messaging
from careloop.patients import services as patients
from careloop.segments import language
from careloop.segments.compile import ask_at, compile_rule
from careloop.tenancy.context import in_organization

BATCH = 5000


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


NEW_QUESTION = ("message", "wait_reply")
"""Steps after which an answer heard before is no answer any more: it belonged to an earlier message, or has been acted on."""

MOVE = """
with outcome as materialized ({outcome}),
target as materialized (
    select * from unnest(%(keys)s::text[], %(steps)s::text[], %(kinds)s::text[], %(dues)s::timestamptz[], %(waits)s::int[],
                         %(ends)s::text[]) as t(key, step, kind, due_at, wait, ends)
),
moved as (
    update journeys_enrollment e
       set state = case when t.step = '' then 'DONE' else 'ACTIVE' end, step = t.step, step_kind = t.kind,
           due_at = case when t.kind = 'wait_reply' and {heard} <> '' then %(now)s::timestamptz else t.due_at end,
           reply_wait_minutes = t.wait, moves = e.moves + 1, new_answer = case when t.step = '' then '' else {heard} end,
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
            MOVE.format(outcome=outcome, heard="''" if batch.step.kind in NEW_QUESTION else "e.new_answer"),
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
        {"j_step": batch.step.id, "j_ids": batch.ids, **text_params(batch.now)},
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
