"""Writing down what the channel said, and what became of messages whose sender died."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from careloop.audit.services import current_actor
from careloop.kernel import sql
from careloop.messaging import planning, sealing
from careloop.messaging.ports import (
    Ambiguous,
    ChannelError,
    Reason,
    Result,
    Sent,
)  # fmt: skip
from careloop.messaging.ready import Account, Ready, by_index
from careloop.messaging.rules import UNKNOWN_IS_LEFT, UNKNOWN_SETTLED_AFTER, next_try
from careloop.patients import services as patients

CODE = re.compile(r"(?<!\d)\d{6}(?!\d)")


_ACCEPTED = """
with given as (
    select * from unnest(%(ids)s::uuid[], %(providers)s::text[], %(contents)s::bytea[], %(accepted)s::timestamptz[],
                         %(templates)s::text[])
           as g(id, provider_id, content, accepted_at, template)
),
changed as (
    update messaging_message m
       set state = 'accepted', reason = '', provider_id = g.provider_id, content_sealed = g.content, details = '{}',
           accepted_at = g.accepted_at, lease_until = null, closed_at = null
      from given g
     where m.id = g.id and m.lease_id = %(lease)s and m.state in ('claimed', 'unknown')
    returning m.id, m.patient_id, m.channel, m.message_class, m.origin, m.origin_id, g.template
)
insert into events_event (kind, patient_id, occurred_at, recorded_at, actor_kind, actor_id, source, payload)
select 'message.sent', patient_id, %(now)s, %(now)s, %(actor_kind)s, %(actor_id)s, channel,
       jsonb_build_object('message_id', id, 'channel', channel, 'message_class', message_class, 'template', template,
                          'origin', origin, 'origin_id', origin_id)
  from changed
"""

_NOT_ACCEPTED = """
with given as (
    select * from unnest(%(ids)s::uuid[], %(states)s::text[], %(reasons)s::text[], %(dues)s::timestamptz[], %(details)s::jsonb[],
                         %(templates)s::text[], %(uncounted)s::boolean[])
           as g(id, state, reason, due_at, details, template, uncounted)
),
changed as (
    update messaging_message m
       set state = g.state, reason = g.reason, due_at = coalesce(g.due_at, m.due_at), provider_id = '', details = g.details,
           accepted_at = null, lease_until = null, handed_at = case when g.state = 'planned' then null else m.handed_at end,
           attempts = m.attempts - case when g.uncounted then 1 else 0 end,
           closed_at = case when g.state in ('failed', 'unknown') then %(now)s::timestamptz end
      from given g
     where m.id = g.id and m.lease_id = %(lease)s and m.state in ('claimed', 'unknown')
    returning m.id, m.patient_id, m.state, m.reason, m.channel, m.message_class, m.origin, m.origin_id, g.template, g.details
),
told as (
    insert into events_event (kind, patient_id, occurred_at, recorded_at, actor_kind, actor_id, source, payload)
    select 'message.failed', patient_id, %(now)s, %(now)s, %(actor_kind)s, %(actor_id)s, channel,
           jsonb_build_object('message_id', id, 'channel', channel, 'message_class', message_class, 'template', template,
                              'origin', origin, 'origin_id', origin_id, 'reason', reason)
      from changed where state = 'failed'
)
insert into messaging_note (message_id, at, what, reason, details)
select id, %(now)s, case state when 'planned' then 'retry' else state end, reason, details from changed
"""


def record(ready: Sequence[Ready], results: Sequence[Result], *, lease: UUID, now: datetime) -> dict[str, int]:
    """Write down what the channel said, its events in the same transaction; return counts by outcome.

    A result that comes after the lease was taken away still counts when nobody sent the message since.
    """
    said = [(each, result) for one, result in zip(ready, results, strict=True) for each in (one, *one.members)]
    accepted = [(one, result) for one, result in said if isinstance(result, Sent)]
    refused = [(one, result) for one, result in said if isinstance(result, ChannelError)]
    by_index()
    if accepted:
        _record_accepted(accepted, lease=lease, now=now)
    counts = {"accepted": len(accepted)} if accepted else {}
    return counts | _record_refused(refused, lease=lease, now=now) if refused else counts


def _record_accepted(sent: Sequence[tuple[Ready, Sent]], *, lease: UUID, now: datetime) -> None:
    """Write down what was accepted and what it said, sealed."""
    actor = current_actor()
    sql.batch(
        _ACCEPTED,
        {
            "ids": sql.uuid_array(one.outgoing.key for one, _result in sent),
            "providers": sql.text_array([result.provider_id[:200] for _one, result in sent]),
            "contents": sql.bytes_array(_said(one) for one, _result in sent),
            "accepted": sql.time_array(min(result.accepted_at, now) for _one, result in sent),
            "templates": sql.text_array([one.template for one, _result in sent]),
            "lease": lease, "now": now, "actor_kind": actor.kind, "actor_id": actor.id,
        },
    )  # fmt: skip


def _said(one: Ready) -> bytes:
    """Return what the patient sees of a message, sealed under the patient's key."""
    said = {
        "text": _without_code(one, one.outgoing.text), "subject": _without_code(one, one.outgoing.subject),
        "quick_replies": [item.label for item in one.outgoing.quick_replies],
        "buttons": [item.label for item in one.outgoing.buttons],
    }  # fmt: skip
    return sealing.seal_under(one.key, f"{sealing.CONTENT_PLACE}.{one.outgoing.id}", said)


def _without_code(one: Ready, text: str) -> str:
    """Return what is kept of a text: a one-time code is the patient's alone, and no colleague can read it up here."""
    return CODE.sub("······", text) if one.origin == "code" else text


def _record_refused(refused: Sequence[tuple[Ready, ChannelError]], *, lease: UUID, now: datetime) -> dict[str, int]:
    """Write down what was not accepted: tried again later, by another way, unknown, or failed."""
    columns: dict[str, list[Any]] = {
        name: [] for name in ("ids", "states", "reasons", "dues", "details", "templates", "uncounted")
    }
    counts: dict[str, int] = {}
    dead: dict[str, list[UUID]] = {"blocked": [], "bounced": []}
    rerouting: list[UUID] = []
    for one, error in refused:
        state, reason, due_at, uncounted = _outcome(one, error, now=now)
        if error.reason in (Reason.BLOCKED, Reason.BAD_ADDRESS) and one.contact_point_id:
            dead["blocked" if error.reason is Reason.BLOCKED else "bounced"].append(one.contact_point_id)
            if not one.fixed_channel:
                rerouting.append(one.outgoing.key)
        counts[state] = counts.get(state, 0) + 1
        detail = orjson.dumps({"said": error.message[:200]}).decode()
        values = (one.outgoing.key, state, reason, due_at, detail, one.template, uncounted)
        for name, value in zip(columns, values, strict=True):
            columns[name].append(value)
    actor = current_actor()
    sql.execute(_NOT_ACCEPTED, {**columns, "lease": lease, "now": now, "actor_kind": actor.kind, "actor_id": actor.id})
    for reach, contacts in dead.items():
        if contacts:
            patients.set_reach(contact_point_ids=contacts, reach=reach, now=now)
    if rerouting:
        _try_another_way(rerouting, now=now)
    return counts


def _outcome(one: Ready, error: ChannelError, *, now: datetime) -> tuple[str, str, datetime | None, bool]:
    """Return state, reason, new due time, and whether the try does not count."""
    if isinstance(error, Ambiguous):
        return "unknown", "ambiguous", None, False
    if error.reason in (Reason.QUOTA, Reason.AUTH):
        return "planned", str(error.reason), now, True
    if error.retry:
        again = next_try(one.attempts, now=now, retry_after_seconds=error.retry_after)
        if again is not None:
            return "planned", str(error.reason), again, False
    return "failed", str(error.reason), None, False


def _try_another_way(message_ids: Sequence[UUID], *, now: datetime) -> None:
    """Send by another channel what an address refused for good: the patient should still get it."""
    found = planning.choose_ways(message_ids, now=now)
    if found:
        sql.execute(
            """with again as (
                   update messaging_message set state = 'planned', reason = '', due_at = %(now)s, closed_at = null, attempts = 0,
                          lease_id = null, first_tried_at = null, handed_at = null
                    where id = any(%(ids)s) and state = 'failed' returning id
               )
               insert into messaging_note (message_id, at, what, reason) select id, %(now)s, 'rerouted', 'rerouted' from again""",
            {"ids": list(found), "now": now},
        )


def recover(account: Account, *, now: datetime) -> dict[str, int]:
    """Decide about claimed messages whose process is gone: their lease has run out.

    Not handed over, or the channel knows copies by their key (for as long as it remembers): planned again. Otherwise it may
    have arrived: `unknown`, and never sent again by itself.
    """
    capabilities = account.capabilities
    remembered = now - timedelta(hours=capabilities.deduplicates_for_hours or 0)
    found = sql.rows(
        """
        with gone as (
            select id, (%(deduplicates)s and first_tried_at > %(remembered)s)
                       or (not %(deduplicates)s and handed_at is null) as again
              from messaging_message where account_id = %(account)s and state = 'claimed' and lease_until <= %(now)s
             order by id for update skip locked
        ), moved as (
            update messaging_message m
               set state = case when g.again then 'planned' else 'unknown' end,
                   reason = case when g.again then '' else 'crashed' end,
                   closed_at = case when g.again then null else %(now)s::timestamptz end,
                   lease_until = null, lease_id = case when g.again then null else m.lease_id end
              from gone g where m.id = g.id
            returning m.id, m.state
        ), noted as (
            insert into messaging_note (message_id, at, what, reason)
            select id, %(now)s, case state when 'planned' then 'retry' else state end, 'crashed' from moved
        )
        select state, count(*) as n from moved group by state
        """,
        {
            "account": account.id, "now": now, "deduplicates": capabilities.deduplicates, "remembered": remembered,
        },
    )  # fmt: skip
    return {row["state"]: int(row["n"]) for row in found}


def settle_unknown(*, now: datetime) -> int:
    """Close messages that stayed unknown for a day and whose class says that a second copy would do more harm."""
    left = [name for name, is_left in UNKNOWN_IS_LEFT.items() if is_left]
    return sql.execute(
        """with settled as (
               update messaging_message set state = 'cancelled', reason = 'left', closed_at = %(now)s
                where state = 'unknown' and closed_at <= %(before)s and message_class = any(%(left)s) returning id
           )
           insert into messaging_note (message_id, at, what, reason) select id, %(now)s, 'settled', 'left' from settled""",
        {"now": now, "before": now - UNKNOWN_SETTLED_AFTER, "left": left},
    )
