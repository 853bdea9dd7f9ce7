"""Who enters a journey: judged and written in one statement, or only counted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from careloop.audit.services import current_actor
from careloop.journeys.params import PARAMS_OF, text_params
from careloop.journeys.versions import Version, clinic_zone, entry_of
from careloop.kernel import sql
from careloop.messaging import services as messaging


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
        {**_eligible_params(version, candidates, now=now), **text_params(now)},
        frozenset({"params"}),
    )
