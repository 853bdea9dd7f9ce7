"""Claiming: the database's half of sending before anything leaves, each step one statement over a batch.

`claim` locks and judges what is due and turns the good ones into messages ready to leave, under a lease; `recording` writes down what
the channel said, and decides what may be sent again when the process that held the lease died.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from careloop.audit.services import current_actor
from careloop.consent.selectors import NEEDS_PERMIT, PURPOSE_OF
from careloop.kernel import sql
from careloop.kernel.ids import uuid7
from careloop.messaging import attachments, planning, rendering
from careloop.messaging.ready import Account, Ready, by_index, ids_of
from careloop.messaging.rules import MARKETING_CAP_DAYS
from careloop.messaging.workshop import Workshop

LEASE = timedelta(minutes=5)
BATCH = 500
OTHER_WAY_HELPS = {"unreachable", "no_contact", "consent_refused", "consent_missing"}

_PURPOSES = " ".join(f"when '{name}' then '{purpose.value}'" for name, purpose in PURPOSE_OF.items())

_DUE = f"""
with first as materialized (
    select m.* from messaging_message m
     where m.account_id = %(account)s and m.state = 'planned' and m.due_at <= %(now)s
       and (m.together = '' or not exists (
            select from messaging_message e
             where e.together = m.together and e.state = 'planned' and e.account_id = m.account_id and e.due_at <= %(now)s
               and (e.due_at, e.id) < (m.due_at, m.id)))
     order by m.due_at, m.id limit %(limit)s for update skip locked
),
family as materialized (
    select m.* from first k
      join messaging_message m on m.together = k.together and m.state = 'planned' and m.account_id = k.account_id
       and m.due_at <= %(now)s and m.id <> k.id
     where k.together <> '' for update of m skip locked
),
picked as materialized (select * from first union all select * from family),
used as (
    select count(*) as n from messaging_message m, tenancy_organization o
     where m.account_id = %(account)s and o.id = m.organization_id and %(budget)s::int is not null
       and (m.accepted_at >= date_trunc('month', %(now)s at time zone o.time_zone) at time zone o.time_zone
            or m.state in ('claimed', 'unknown'))
)
select k.id, k.patient_id, k.related_person_id, k.contact_point_id, k.template_version_id, k.message_class, k.language,
       k.params::text as params, k.content_sealed, k.at_once, k.fixed_channel, k.origin, k.origin_id, k.attempts,
       k.appointment_id, k.together,
       p.name, p.sex, p.birth_date, key.wrapped,
       c.value_sealed, c.patient_id as contact_patient_id, case when c.patient_id = k.patient_id then null else ck.wrapped end as contact_wrapped,
       case when %(channel)s = 'email' then r.email_sealed else r.phone_sealed end as related_sealed,
       case when p.merged_into_id is not null then 'merged' when p.deceased then 'deceased' when not p.active then 'inactive'
            when k.appointment_id is not null and {planning.STALE.format(message="k")} then 'version'
            when /*otherwise*/ then 'version'
            when k.expires_at < %(now)s then 'too_late'
            when c.id is null and (case when %(channel)s = 'email' then r.email_sealed else r.phone_sealed end) is null then 'no_contact'
            when c.reach in ('blocked', 'bounced') then 'unreachable'
            when k.origin = 'code' then ''
            when %(channel)s = any(d.denied) or 'any' = any(d.denied) then 'consent_refused'
            when u.purpose = any(%(needing_permit)s)
                 and not (%(channel)s = any(d.permitted) or 'any' = any(d.permitted))
            then 'consent_missing'
            when k.message_class = 'MARKETING' and k.attempts = 0 and coalesce(n.had, 0)
                 + row_number() over (partition by k.patient_id, k.message_class order by k.due_at, k.id) > o.marketing_cap then 'cap'
            when %(budget)s::int is not null
                 and row_number() over (order by k.due_at, k.id) > greatest(0, %(budget)s::int - used.n) then 'budget'
            else '' end as reason
  from picked k
  join patients_patient p on p.id = k.patient_id
  join tenancy_organization o on o.id = k.organization_id
  cross join used
  cross join lateral (select case k.message_class {_PURPOSES} end as purpose) as u
  left join patients_key key on key.patient_id = k.patient_id
  left join patients_contact_point c on c.id = k.contact_point_id
  left join patients_key ck on ck.patient_id = c.patient_id
  left join patients_related_person r on r.id = k.related_person_id
  left join scheduling_appointment v on v.id = k.appointment_id
  cross join lateral (
    select coalesce(array_agg(c.channel) filter (where c.decision = 'deny'), '{{}}') as denied,
           coalesce(array_agg(c.channel) filter (where c.decision = 'permit'), '{{}}') as permitted
      from consent_consent c where c.patient_id = k.patient_id and c.ended_at is null and c.purpose = u.purpose
  ) as d
  left join lateral (
    select count(*) as had from messaging_message m
     where m.patient_id = k.patient_id and m.message_class = 'MARKETING' and m.due_at > %(cap_from)s
       and m.state in ('accepted', 'unknown', 'claimed')
  ) as n on k.message_class = 'MARKETING'
 order by k.due_at, k.id
"""

_TAKE = """
update messaging_message m
   set state = 'claimed', carried_by = case when g.in_group then g.carrier end, reason = '', details = '{}', lease_id = %(lease)s, lease_until = %(until)s, handed_at = null,
       attempts = attempts + 1, first_tried_at = coalesce(first_tried_at, %(now)s), closed_at = null
  from unnest(%(ids)s::uuid[], %(carriers)s::uuid[], %(in_groups)s::boolean[]) as g(id, carrier, in_group) where m.id = g.id
"""

_CHANGED = f"""
with stale as (
    select m.id from messaging_message m left join scheduling_appointment v on v.id = m.appointment_id
     where m.id = any(%(ids)s::uuid[]) and m.lease_id = %(lease)s and m.state = 'claimed'
       and ((m.appointment_id is not null and {planning.STALE.format(message="m")}) or /*otherwise*/)
)
update messaging_message m
   set state = 'cancelled', reason = 'version', closed_at = %(now)s, lease_id = null, lease_until = null, carried_by = null
  from stale s where m.id = s.id returning m.id
"""


def _with_bounds(statement: str, message: str) -> str:
    """Return a statement that also asks what slices above have bound their messages to."""
    return statement.replace("/*otherwise*/", planning.stale_otherwise(message))


_LEAVE = """
with given as (
    select * from unnest(%(ids)s::uuid[], %(states)s::text[], %(reasons)s::text[], %(dues)s::timestamptz[], %(details)s::jsonb[])
           as g(id, state, reason, due_at, details)
),
moved as (
    update messaging_message m
       set state = g.state, reason = g.reason, due_at = coalesce(g.due_at, m.due_at),
           details = case when g.due_at is null then g.details else g.details || jsonb_build_object('asked_for', m.due_at) end,
           lease_id = null, lease_until = null, handed_at = null,
           closed_at = case when g.state in ('blocked', 'cancelled') then %(now)s::timestamptz end
      from given g where m.id = g.id
    returning m.id, m.patient_id, m.state, m.reason, m.channel, m.message_class, m.origin, m.origin_id, m.template_version_id
),
told as (
    insert into events_event (kind, patient_id, occurred_at, recorded_at, actor_kind, actor_id, source, payload)
    select 'message.blocked', m.patient_id, %(now)s, %(now)s, %(actor_kind)s, %(actor_id)s, m.origin,
           jsonb_build_object('message_id', m.id, 'channel', m.channel, 'message_class', m.message_class,
                              'template', coalesce(t.key, ''), 'origin', m.origin, 'origin_id', m.origin_id, 'reason', m.reason)
      from moved m left join messaging_template_version v on v.id = m.template_version_id
      left join messaging_template t on t.id = v.template_id
     where m.state = 'blocked'
),
noted as (
    insert into messaging_note (message_id, at, what, reason)
    select m.id, %(now)s, 'delayed', 'quiet_hours' from moved m join given g on g.id = m.id
     where m.state = 'planned' and jsonb_exists(g.details, 'delay')
)
select count(*) from moved
"""


def claim(account: Account, *, lease: UUID, now: datetime, limit: int = BATCH) -> list[Ready]:
    """Claim what is due on this account: every rule is asked again, what may not go says why, the rest is rendered.

    One transaction; nothing has left when it commits. A message whose way is closed meanwhile takes another one.
    """
    by_index()
    rows = sql.batch(
        _with_bounds(_DUE, "k"),
        {
            "account": account.id, "channel": account.channel, "now": now, "limit": limit, "budget": account.monthly_budget,
            "cap_from": now - timedelta(days=MARKETING_CAP_DAYS), "needing_permit": [str(one) for one in NEEDS_PERMIT],
        },
    )  # fmt: skip
    if not rows:
        return []
    rerouted = _reroute(rows, now=now)
    workshop = Workshop(account, now=now)
    ready: list[Ready] = []
    families: dict[str, list[tuple[Mapping[str, Any], Ready]]] = {}
    staying: list[tuple[UUID, str, str, datetime | None, Mapping[str, Any]]] = []
    for row in rows:
        if row["id"] in rerouted:
            continue
        if row["reason"]:
            state = "cancelled" if row["reason"] in ("too_late", "version") else "blocked"
            staying.append((row["id"], state, row["reason"], None, {}))
        elif (later := workshop.not_before(row)) > now:
            staying.append((row["id"], "planned", "", later, {"delay": "quiet_hours"}))
        else:
            try:
                made = workshop.make(row)
            except rendering.RenderProblem as problem:
                staying.append((row["id"], "blocked", problem.reason, None, problem.details))
            else:
                ready.append(made)
                if row["together"]:
                    families.setdefault(row["together"], []).append((row, made))
    for family in families.values():
        if len(family) > 1 and workshop.join(family):
            joined = {member.outgoing.key for _row, member in family[1:]}
            ready = [one for one in ready if one.outgoing.key not in joined]
    attachments.attach(ready, account.capabilities)
    if ready:
        carriers = [one for one in ready for _id in one.ids]
        sql.batch(
            _TAKE,
            {
                "ids": sql.uuid_array(ids_of(ready)), "carriers": sql.uuid_array(one.outgoing.key for one in carriers),
                "in_groups": [bool(one.members) for one in carriers], "lease": lease, "until": now + LEASE, "now": now,
            },
        )  # fmt: skip
    if staying:
        actor = current_actor()
        sql.execute(
            _LEAVE,
            {
                "ids": [one[0] for one in staying], "states": [one[1] for one in staying], "reasons": [one[2] for one in staying],
                "dues": [one[3] for one in staying], "details": [orjson.dumps(one[4]).decode() for one in staying],
                "now": now, "actor_kind": actor.kind, "actor_id": actor.id,
            },
        )  # fmt: skip
    workshop.keep_links()
    return ready


def without_changed(ready: Sequence[Ready], *, lease: UUID, now: datetime) -> list[Ready]:
    """Return what may still leave, asked at the last moment: a visit may have been changed since its message was claimed.

    What speaks of an old time is cancelled. Where one message speaks for a family and one of their visits changed, the others
    are given back, to be said again without it.
    """
    bound = [one for one in ready if one.is_bound]
    if not bound:
        return list(ready)
    by_index()
    stale = {
        row["id"]
        for row in sql.batch(
            _with_bounds(_CHANGED, "m"), {"ids": sql.uuid_array(ids_of(bound)), "lease": lease, "now": now}
        )
    }
    if not stale:
        return list(ready)
    hit = [one for one in bound if not stale.isdisjoint(one.ids)]
    release([found for found in ids_of(hit) if found not in stale], lease=lease)
    gone = {one.outgoing.key for one in hit}
    return [one for one in ready if one.outgoing.key not in gone]


def _reroute(rows: Sequence[Mapping[str, Any]], *, now: datetime) -> set[UUID]:
    """Give messages whose way has closed another one; they are due on that account at once."""
    stuck = [row["id"] for row in rows if row["reason"] in OTHER_WAY_HELPS and not row["fixed_channel"]]
    if not stuck:
        return set()
    found = planning.choose_ways(stuck, now=now)
    if found:
        sql.execute(
            "insert into messaging_note (message_id, at, what, reason) select unnest(%s::uuid[]), %s, 'rerouted', 'rerouted'",
            [list(found), now],
        )
    return found


def hand_over(ids: Sequence[UUID], *, lease: UUID, now: datetime) -> None:
    """Note that these are about to leave on a channel that cannot tell copies apart: from now on they are not resent."""
    by_index()
    sql.batch(
        "update messaging_message set handed_at = %(now)s, lease_until = %(until)s "
        "where id = any(%(ids)s::uuid[]) and lease_id = %(lease)s and state = 'claimed'",
        {"now": now, "until": now + LEASE, "ids": sql.uuid_array(ids), "lease": lease},
    )


def release(ids: Sequence[UUID], *, lease: UUID) -> None:
    """Put claimed messages back that were not handed over: the process is stopping."""
    sql.execute(
        """update messaging_message set state = 'planned', lease_id = null, lease_until = null, attempts = greatest(0, attempts - 1)
            where id = any(%s) and lease_id = %s and state = 'claimed' and handed_at is null""",
        [list(ids), lease],
    )


def new_lease() -> UUID:
    return uuid7()
