"""What moves journeys: the event log, the clock, and the calendar."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from careloop.events.registry import Published, reader, reading_now
from careloop.facts.services import NO_VISIT, clinic_day
from careloop.journeys import enrolling, leaving, moving, versions
from careloop.journeys.definition import GOAL_EVENTS, NOT_SENT, OTHER_ANSWER, TRIGGER_EVENTS
from careloop.journeys.enrolling import Candidates
from careloop.journeys.rules import birthdays_on
from careloop.journeys.versions import Version
from careloop.kernel import sql
from careloop.messaging.selectors import birthday_messages_sql
from careloop.tenancy.loops import daily, loop

FRESH = timedelta(days=3)
"""An event that happened longer ago than this starts nothing: a reminder about last month helps nobody."""
BIRTHDAY_APART = timedelta(days=60)
CATCH_UP_DAYS = 3
"""After a standstill, this many days' dates are made up for."""

ENTERED, LEFT, SENT, RECEIVED, WITHDRAWN = (
    "segment.entered", "segment.left", "message.sent", "message.received", "consent.withdrawn",
)  # fmt: skip
NOT_GONE = ("message.blocked", "message.failed")
VISIT, UPDATED = "encounter.recorded", "record.updated"
KINDS = (ENTERED, LEFT, SENT, RECEIVED, WITHDRAWN, UPDATED, *NOT_GONE, *TRIGGER_EVENTS, *GOAL_EVENTS)


@reader("journeys", kinds=tuple(dict.fromkeys(KINDS)), batch_size=5000)
def follow_events(batch: list[Published]) -> None:
    """Let events start journeys, answer waits, reach goals and end paths; set-wise."""
    take(batch, now=reading_now())


@loop("journeys")
def tick(organization_id: UUID, *, now: datetime) -> int:
    """Carry out what is due."""
    return moving.move_due(organization_id, now=now)


@daily("journeys-dates", hour=8)
def look_at_dates(*, now: datetime) -> None:
    """Let birthdays, supplies and last visits start their journeys."""
    enroll_by_date(now=now)


# -- events -----------------------------------------------------------------------------------------------------


def take(batch: list[Published], *, now: datetime) -> None:
    """Work on a batch of events, in the running transaction."""
    by_kind: dict[str, list[Published]] = defaultdict(list)
    for event in batch:
        if event.patient_id is not None:
            by_kind[event.kind].append(event)
    _start(by_kind, now=now)
    if sent := by_kind.get(SENT):
        _note_sent(sent)
    if missed := [event for kind in NOT_GONE for event in by_kind.get(kind, ())]:
        _note_not_sent(missed, now=now)
    if answers := by_kind.get(RECEIVED):
        _note_answers(answers, now=now)
    if visits := by_kind.get(VISIT):
        by_kind[VISIT] = _that_took_place(visits)
    if updated := by_kind.get(UPDATED):
        by_kind[VISIT] += _that_took_place_after_all(updated)
    if visits := by_kind.get(VISIT):
        _note_first(visits, "visited_at")
    for kind in GOAL_EVENTS:
        if events := by_kind.get(kind):
            _reach_goals(kind, events, now=now)
    if events := by_kind.get(LEFT):
        _left_segment(events, now=now)
    if events := by_kind.get(WITHDRAWN):
        _opted_out(events, now=now)


def active_versions() -> list[Version]:
    """Return the versions that take new patients."""
    return [
        versions.load_version(row["current_id"])
        for row in sql.rows("select current_id from journeys_journey where state = 'ACTIVE' order by id")
    ]


def _start(by_kind: Mapping[str, list[Published]], *, now: datetime) -> None:
    fresh = {
        kind: [event for event in events if not event.historical and event.occurred_at > now - FRESH]
        for kind, events in by_kind.items() if kind == ENTERED or kind in TRIGGER_EVENTS
    }  # fmt: skip
    if not any(fresh.values()):
        return
    for version in active_versions():
        trigger = version.definition.trigger
        if trigger["kind"] == "segment":
            found = [event for event in fresh.get(ENTERED, ()) if event.payload.get("segment_id") == trigger["segment"]]
            because = "segment"
        elif trigger["kind"] == "event":
            found = [
                event for event in fresh.get(trigger["event"], ()) if fits(event.payload, trigger.get("where") or {})
            ]
            because = trigger["event"]
        else:
            continue
        if found:
            enrolling.enroll(version, candidates_of(found), because=because, now=now)


def fits(payload: Mapping[str, Any], where: Mapping[str, list[str]]) -> bool:
    """Whether an event's payload passes a filter: each named field has one of the values; `92*` means begins with 92.

    >>> fits({"code": "92014C", "department": "牙科"}, {"code": ["92*"], "department": ["牙科", "家醫科"]})
    True
    >>> fits({"code": "92014C"}, {"code": ["A1"]}), fits({}, {"code": ["*"]}), fits({"refillable": True}, {"refillable": ["true"]})
    (False, False, True)
    """
    for name, wanted in where.items():
        value = payload.get(name)
        text = str(value).lower() if isinstance(value, bool) else str(value or "")
        if not text or not any(text.startswith(one[:-1]) if one.endswith("*") else text == one for one in wanted):
            return False
    return True


def candidates_of(events: Iterable[Published]) -> Candidates:
    """Return the patients of these events, each with what the journey's texts may need to know about it."""
    rows = list(events)
    return Candidates(
        """select w.patient_id, jsonb_build_object('on', (w.occurred_at at time zone o.time_zone)::date, 'event', w.event) as context
             from unnest(%(patients)s::uuid[], %(times)s::timestamptz[], %(events)s::bigint[]) as w(patient_id, occurred_at, event)
             cross join tenancy_organization o""",
        {
            "patients": [event.patient_id for event in rows], "times": [event.occurred_at for event in rows],
            "events": [event.id for event in rows],
        },
        has_context=True,
    )  # fmt: skip


def _of_journeys(events: Iterable[Published]) -> list[tuple[UUID, Published]]:
    """Return the events about messages of journeys, each with its enrollment."""
    found = []
    for event in events:
        if event.payload.get("origin") == "journey" and event.payload.get("origin_id"):
            try:
                found.append((UUID(str(event.payload["origin_id"])), event))
            except ValueError:
                continue
    return found


def _note_sent(events: list[Published]) -> None:
    """Note when the first message arrived; who listens for an answer gets the full time from then on."""
    pairs = _of_journeys(events)
    if pairs:
        sql.execute(
            """update journeys_enrollment e
                  set messaged_at = coalesce(e.messaged_at, g.at),
                      due_at = case when e.state = 'ACTIVE' and e.step_kind = 'wait_reply' and e.new_answer = ''
                                    then greatest(e.due_at, g.at + make_interval(mins => coalesce(e.reply_wait_minutes, 0)))
                                    else e.due_at end
                 from (select id, min(at) as at from unnest(%s::uuid[], %s::timestamptz[]) as one(id, at) group by id) as g
                where e.id = g.id""",
            [[one for one, _event in pairs], [event.occurred_at for _one, event in pairs]],
        )


def _note_not_sent(events: list[Published], *, now: datetime) -> None:
    """A message was stopped when it was due: nobody can answer it, so the wait for its answer is over."""
    pairs = _of_journeys(events)
    if pairs:
        sql.execute(
            """update journeys_enrollment e
                  set new_answer = %s, due_at = case when e.step_kind = 'wait_reply' then least(e.due_at, %s) else e.due_at end
                 from unnest(%s::uuid[], %s::uuid[]) as g(id, message_id)
                where e.id = g.id and e.state = 'ACTIVE' and e.new_answer = ''
                  and g.message_id = (select s.message_id from journeys_enrollment_step s
                                       where s.enrollment_id = e.id and s.message_id is not null order by s.number desc limit 1)""",
            [
                NOT_SENT,
                now,
                [one for one, _event in pairs],
                [UUID(str(event.payload["message_id"])) for _one, event in pairs],
            ],
        )


def _note_answers(events: list[Published], *, now: datetime) -> None:
    """Keep what was answered last; who waits for it is due now. STOP ends the path, if the journey says so.

    An answer that comes before its wait, during a pause after the message, is kept until the wait begins. Free words after
    an answer that is understood (BOOK, and then "thank you") do not take it back.
    """
    pairs = _of_journeys(events)
    if not pairs:
        return
    pairs.sort(key=lambda pair: pair[1].occurred_at)
    first = {one: event.occurred_at for one, event in reversed(pairs)}
    codes: dict[UUID, str] = {}
    for one, event in pairs:
        codes[one] = str(event.payload.get("answer") or "") or codes.get(one, OTHER_ANSWER)
    asked = {one: event.payload.get("in_reply_to") for one, event in pairs}
    sql.execute(
        """update journeys_enrollment e
              set answer = case when g.code = %(other)s and m.answer <> '' then m.answer else g.code end,
                  answered_at = coalesce(e.answered_at, g.first),
                  new_answer = case when e.state <> 'ACTIVE' or g.code = %(other)s and e.new_answer not in ('', %(not_sent)s)
                                    then e.new_answer else g.code end,
                  due_at = case when e.state = 'ACTIVE' and e.step_kind = 'wait_reply' then least(e.due_at, %(now)s) else e.due_at end
             from unnest(%(ids)s::uuid[], %(codes)s::text[], %(firsts)s::timestamptz[], %(asked)s::uuid[]) as g(id, code, first, asked)
             left join messaging_message m on m.id = g.asked
            where e.id = g.id""",
        {
            "other": OTHER_ANSWER, "not_sent": NOT_SENT, "now": now, "ids": list(codes), "codes": list(codes.values()),
            "firsts": [first[one] for one in codes], "asked": [asked[one] for one in codes],
        },
    )  # fmt: skip
    stopped = list(dict.fromkeys(one for one, event in pairs if event.payload.get("answer") == "STOP"))
    if stopped:
        leaving.leave(_that_exit_on(stopped, "opt_out"), reason="opt_out", now=now)


TOOK_PLACE = "not r.entered_in_error and r.status <> all(%(no_visit)s)"


def _that_took_place(visits: list[Published]) -> list[Published]:
    """Return the visits that are visits: an import also brings those that are booked, were cancelled, or nobody came to."""
    rows = sql.rows(
        f"select r.id, {TOOK_PLACE} as took_place from records_encounter r where r.id = any(%(ids)s::uuid[])",
        {
            "no_visit": list(NO_VISIT),
            "ids": [event.payload["record_id"] for event in visits if event.payload.get("record_id")],
        },
    )
    known = {str(row["id"]): row["took_place"] for row in rows}
    return [event for event in visits if known.get(str(event.payload.get("record_id")), True)]


def _that_took_place_after_all(updated: list[Published]) -> list[Published]:
    """Return the visits, during journeys, of patients of whom an import brought visits up to date: booked then, seen now."""
    found = sql.rows(
        f"""select distinct r.patient_id, r.started_at from records_encounter r
              join journeys_enrollment e on e.patient_id = r.patient_id and r.started_at > e.entered_at and r.started_at <= e.measured_until
             where r.patient_id = any(%(patients)s::uuid[]) and {TOOK_PLACE}""",
        {
            "no_visit": list(NO_VISIT),
            "patients": [event.patient_id for event in updated if event.payload.get("record") == "encounter"],
        },
    )
    return [
        Published(0, VISIT, row["patient_id"], row["started_at"], row["started_at"], "import", None, True, {})
        for row in found
    ]


def _note_first(events: list[Published], column: str) -> None:
    """Note the first event after entering, for everybody who is still measured."""
    sql.execute(
        f"""update journeys_enrollment e set {column} = g.at
              from (select e.id, min(one.at) as at
                      from unnest(%s::uuid[], %s::timestamptz[]) as one(patient_id, at)
                      join journeys_enrollment e on e.patient_id = one.patient_id
                     where e.{column} is null and one.at > e.entered_at and one.at <= e.measured_until
                     group by e.id) as g
             where e.id = g.id and e.{column} is null""",
        [[event.patient_id for event in events], [event.occurred_at for event in events]],
    )


def _reach_goals(kind: str, events: list[Published], *, now: datetime) -> None:
    """Note goals, also of the comparison group and after the path ended; end the paths that end with their goal.

    An answer counts as the goal only when it answers the journey itself.
    """
    own = {one for one, _event in _of_journeys(events)} if kind == RECEIVED else None
    reached = sql.rows(
        """update journeys_enrollment e set goal_at = g.at
              from (select e.id, min(one.at) as at
                      from unnest(%(patients)s::uuid[], %(times)s::timestamptz[]) as one(patient_id, at)
                      join journeys_enrollment e on e.patient_id = one.patient_id
                      join journeys_version v on v.id = e.journey_version_id
                     where e.goal_at is null and one.at > e.entered_at and one.at <= e.measured_until
                       and coalesce(v.definition -> 'goal' ->> 'event', 'encounter.recorded') = %(kind)s
                       and (%(own)s::uuid[] is null or e.id = any(%(own)s::uuid[]))
                     group by e.id) as g
             where e.id = g.id and e.goal_at is null
            returning e.id, e.journey_id, e.patient_id, e.goal_at, e.state""",
        {
            "patients": [event.patient_id for event in events], "times": [event.occurred_at for event in events],
            "kind": kind, "own": sorted(own) if own is not None else None,
        },
    )  # fmt: skip
    if not reached:
        return
    sql.execute(
        """insert into events_event (kind, patient_id, occurred_at, recorded_at, actor_kind, source, payload)
           select 'journey.goal_reached', e.patient_id, e.goal_at, %s, 'reader', 'journey',
                  jsonb_build_object('enrollment_id', e.id, 'journey_id', e.journey_id, 'journey', j.name)
             from journeys_enrollment e join journeys_journey j on j.id = e.journey_id where e.id = any(%s)""",
        [now, [row["id"] for row in reached]],
    )
    ids = [row["id"] for row in reached]
    ending = _that_exit_on(ids, "goal")
    leaving.leave(ending, reason="goal", now=now)
    leaving.withdraw_tasks(ending, reason="goal", now=now)  # also of paths that had ended with a task


def _left_segment(events: list[Published], *, now: datetime) -> None:
    pairs = [
        (event.patient_id, UUID(str(event.payload["segment_id"])))
        for event in events
        if event.payload.get("segment_id")
    ]
    those = sql.rows(
        """select e.id from unnest(%s::uuid[], %s::uuid[]) as one(patient_id, segment_id)
             join journeys_enrollment e on e.patient_id = one.patient_id and e.state = 'ACTIVE'
             join journeys_version v on v.id = e.journey_version_id
            where v.definition -> 'trigger' ->> 'segment' = one.segment_id::text
              and coalesce((v.definition -> 'exits' ->> 'left_segment')::boolean, false)
              and not exists (select 1 from segments_member m
                               where m.segment_id = one.segment_id and m.patient_id = e.patient_id)""",
        [[patient for patient, _segment in pairs], [segment for _patient, segment in pairs]],
    )
    leaving.leave([row["id"] for row in those], reason="left_segment", now=now)


def _opted_out(events: list[Published], *, now: datetime) -> None:
    """Care refused altogether ends every journey that says so; marketing refused ends those that send marketing."""
    refused = [
        (event.patient_id, str(event.payload.get("purpose")))
        for event in events
        if event.payload.get("channel") == "any"
    ]
    those = sql.rows(
        """select distinct e.id from unnest(%s::uuid[], %s::text[]) as one(patient_id, purpose)
             join journeys_enrollment e on e.patient_id = one.patient_id and e.state = 'ACTIVE'
             join journeys_version v on v.id = e.journey_version_id
            where coalesce((v.definition -> 'exits' ->> 'opt_out')::boolean, true)
              and (one.purpose = 'CARE' or one.purpose = 'MARKETING' and exists (
                   select 1 from jsonb_array_elements(v.definition -> 'steps') as s
                     join messaging_template t on t.key = s ->> 'template' where t.message_class = 'MARKETING'))""",
        [[patient for patient, _purpose in refused], [purpose for _patient, purpose in refused]],
    )
    leaving.leave([row["id"] for row in those], reason="opt_out", now=now)


def _that_exit_on(ids: list[UUID], rule: str) -> list[UUID]:
    """Return those of these enrollments whose version ends with `rule` (the rules are on unless switched off)."""
    found = sql.rows(
        """select e.id from journeys_enrollment e join journeys_version v on v.id = e.journey_version_id
            where e.id = any(%s) and coalesce((v.definition -> 'exits' ->> %s)::boolean, true)""",
        [ids, rule],
    )
    return [row["id"] for row in found]


# -- dates ------------------------------------------------------------------------------------------------------

DATE_OF = {
    "supply_end": "f.supply_ends_on",
    "last_visit": "f.last_visit_on",
    "registered": "f.registered_on",
}


def enroll_by_date(*, now: datetime) -> int:
    """Enroll those whose day it is, for every journey that begins with a date; days missed are made up for.

    The journey's row is locked and remembers the last day, so a day is looked at once.
    """
    today = clinic_day(now)
    enrolled = 0
    waiting = sql.rows(
        """select j.current_id, j.id, j.dated_until from journeys_journey j join journeys_version v on v.id = j.current_id
            where j.state = 'ACTIVE' and v.definition -> 'trigger' ->> 'kind' = 'date'
              and (j.dated_until is null or j.dated_until < %s) order by j.id for update of j skip locked""",
        [today],
    )
    for row in waiting:
        version = versions.load_version(row["current_id"])
        # "today is your birthday" is wrong tomorrow: birthdays are not made up for
        back = 0 if version.definition.trigger["date"] == "birthday" else CATCH_UP_DAYS
        day = max(
            (row["dated_until"] or today - timedelta(days=1)) + timedelta(days=1),
            today - timedelta(days=back),
        )
        while day <= today:
            enrolled += enrolling.enroll(version, dated_on(version, day), because="date", now=now)
            day += timedelta(days=1)
        sql.execute("update journeys_journey set dated_until = %s where id = %s", [today, row["id"]])
    return enrolled


def dated_on(version: Version, day: date) -> Candidates:
    """Return those whose date, moved by the trigger's days, is `day`."""
    trigger = version.definition.trigger
    anchor = day - timedelta(days=trigger.get("days", 0))
    context = "jsonb_build_object('on', %(anchor)s::date) as context"
    if trigger["date"] == "birthday":
        return Candidates(
            # whoever the membership's greetings congratulated already is not congratulated again
            f"""select f.patient_id, {context} from facts_patient f where f.birth_mmdd = any(%(mmdd)s::smallint[])
                   and not exists ({birthday_messages_sql(patient="f.patient_id", besides="journey")})""",
            {"mmdd": birthdays_on(anchor), "anchor": anchor, "birthday_since": anchor - BIRTHDAY_APART}, has_context=True,
        )  # fmt: skip
    return Candidates(
        f"select f.patient_id, {context} from facts_patient f where {DATE_OF[trigger['date']]} = %(anchor)s",
        {"anchor": anchor}, has_context=True,
    )  # fmt: skip
