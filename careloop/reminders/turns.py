"""What is said while a patient waits: the link to the live number, and “come back” some numbers before.

Keys are `queue:<ticket>:<second of the check-in>:<which>`: once per check-in. A message is right only while the number still waits;
that is asked when it is planned, claimed, and leaves (`messaging.planning.bind`), so nothing is said once somebody was called, seen,
sent to tests, transferred or has left.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from careloop.events.registry import Published
from careloop.messaging import services as messaging
from careloop.messaging import texts
from careloop.messaging.errors import UnknownTemplate
from careloop.messaging.services import Audience
from careloop.reminders.models import ReminderSettings

ORIGIN = "queue"
NEAR, NUMBER = "near", "number"
TURN_NEAR, CHECKED_IN = "queue.turn_near", "queue.checked_in"
TEMPLATES = {NEAR: "queue-near", NUMBER: "queue-number"}
FRESH = timedelta(minutes=15)
"""Older news from a queue is no news: the patient sees it on the screen, or was called."""

STALE = """not exists (
    select from waitingroom_ticket t
     where t.id = {message}.origin_id::uuid and t.state = 'WAITING'
       and case when split_part({message}.key, ':', 4) = 'near' then t.near_at else t.checked_in_at end <= {message}.planned_at)"""
"""Whether a message about a number is no longer right. `near_at` is emptied where the number got another place to wait at."""

COLUMNS = frozenset({"key", "due_at", "params", "origin_id", "expires_at", "at_once"})

_WAITING = """
select t.patient_id, 'queue:' || t.id || ':' || extract(epoch from t.checked_in_at)::bigint || ':' || %(which)s as key,
       %(now)s::timestamptz as due_at, w.at + %(fresh)s::interval as expires_at, true as at_once, t.id::text as origin_id,
       jsonb_build_object(
           'queue_number', t.label, 'queue_ahead', w.ahead::text, 'wait_from', w.at + make_interval(mins => w.low),
           'wait_to', w.at + make_interval(mins => w.high), 'practitioner', p.name, 'place', concat_ws(' ', l.name, r.name)) as params
  from unnest(%(tickets)s::uuid[], %(ats)s::timestamptz[], %(aheads)s::int[], %(lows)s::int[], %(highs)s::int[])
       as w(id, at, ahead, low, high)
  join waitingroom_ticket t on t.id = w.id and t.state = 'WAITING'
  join scheduling_session s on s.id = t.session_id
  join records_practitioner p on p.id = t.practitioner_id
  join tenancy_location l on l.id = s.location_id
  left join scheduling_resource r on r.id = s.room_id
 where %(which)s <> 'near' or t.near_at <= %(now)s
"""


def tell(batch: Sequence[Published], *, wanted: ReminderSettings, now: datetime) -> int:
    """Plan what patients are told of their place in the queue; return how many messages. Safe to repeat.

    Who checked in on the phone sees the number there already; only those whom the desk checked in get the link.
    """
    fresh = [one for one in batch if one.recorded_at > now - FRESH]
    planned = 0
    if wanted.number_link:
        at_desk = [
            one for one in fresh if one.kind == CHECKED_IN and one.payload["how"] == "DESK" and not one.payload["again"]
        ]
        planned += _plan(NUMBER, at_desk, now=now)
    if wanted.turn_near:
        planned += _plan(NEAR, [one for one in fresh if one.kind == TURN_NEAR], now=now)
    return planned


def _plan(which: str, batch: Sequence[Published], *, now: datetime) -> int:
    news = {str(one.payload["ticket_id"]): one for one in batch}
    if not news:
        return 0

    def said(name: str) -> list[int]:
        return [int(one.payload.get(name) or 0) for one in news.values()]

    params: dict[str, Any] = {
        "which": which, "now": now, "fresh": FRESH, "tickets": list(news), "ats": [one.occurred_at for one in news.values()],
        "aheads": said("ahead"), "lows": said("minutes_low"), "highs": said("minutes_high"),
    }  # fmt: skip
    given: dict[str, Any] = {
        "template_key": TEMPLATES[which], "patients": Audience(_WAITING, params, COLUMNS), "key_prefix": ORIGIN, "due_at": now,
        "now": now, "origin": ORIGIN, "only_reachable": True,
    }  # fmt: skip
    try:
        return messaging.plan_many(**given).planned
    except UnknownTemplate:
        texts.install_library(now=now)
        return messaging.plan_many(**given).planned
