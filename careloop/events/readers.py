"""Running the readers: batch by batch, position and effects in one transaction."""

import time
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from careloop.audit.services import Actor, acting_as
from careloop.events.registry import READERS, Published, Reader, reading_at
from careloop.events.settled import SETTLED, SETTLED_HERE
from careloop.kernel import sql
from careloop.tenancy.context import in_organization

log = structlog.get_logger(__name__)

LONGEST_PAUSE = timedelta(minutes=5)
# with growing pauses that is half a minute; what passes by itself (a lock, a restart of the database) has passed by then
STUCK_AFTER_FAILURES = 5


def run_reader(reader: Reader, organization_id: UUID, *, now: datetime) -> int:
    """Let `reader` take one batch; return how many events it passed (0: nothing to do, or another process has it).

    A failure rolls the batch back, notes the error and pauses this reader with growing intervals; the events are
    not lost and no other reader waits.
    """
    try:
        with in_organization(organization_id), acting_as(Actor("reader", name=reader.name, via="worker")):
            return _take_batch(reader, now=now)
    except Exception as error:
        log.exception("reader.failed", reader=reader.name, organization=str(organization_id))
        with in_organization(organization_id):
            _note_failure(reader, error, now=now)
        return 0


def run_all(organization_id: UUID, *, now: datetime, each: timedelta = timedelta.max) -> int:
    """Let every reader catch up; return how many events were passed altogether.

    Args:
        each: how long a reader may keep the others, and other organizations, waiting. It takes one batch at least.
    """
    passed = 0
    for reader in READERS.values():
        begun = time.monotonic()
        while taken := run_reader(reader, organization_id, now=now):
            passed += taken
            if time.monotonic() - begun >= each.total_seconds():
                break
    return passed


def _take_batch(reader: Reader, *, now: datetime) -> int:
    position = sql.row(
        "select id, xid, event_id from events_position where reader = %s and (retry_at is null or retry_at <= %s) "
        "for update skip locked",
        [reader.name, now],
    )
    if position is None:
        sql.execute(
            "insert into events_position (reader, xid, event_id, failures, error) values (%s, 0, 0, 0, '') "
            "on conflict do nothing",
            [reader.name],
        )
        position = sql.row(
            "select id, xid, event_id from events_position where reader = %s and (retry_at is null or retry_at <= %s) "
            "for update skip locked",
            [reader.name, now],
        )
        if position is None:
            return 0
    end = _end_of_batch(reader, position)
    if end is None:
        return 0
    batch = _events_between(reader, position, end)
    if batch:
        with reading_at(now):
            reader.handle(batch)
    sql.execute(
        "update events_position set xid = %s, event_id = %s, moved_at = %s, failures = 0, error = '', retry_at = null "
        "where id = %s",
        [end["xid"], end["id"], now, position["id"]],
    )
    return int(end["passed"])


def _end_of_batch(reader: Reader, start: dict[str, int]) -> dict[str, int] | None:
    """Return how far the next batch goes, and how many events it has; None: nothing is settled yet."""
    for settled in (SETTLED, SETTLED_HERE):
        end = sql.row(
            f"""select count(*) as passed, (array_agg(xid order by xid desc, id desc))[1] as xid,
                       (array_agg(id order by xid desc, id desc))[1] as id,
                       exists (select from events_event where (xid, id) > (%(xid)s, %(event_id)s)) as is_held_up
                  from (select xid, id from events_event
                         where (xid, id) > (%(xid)s, %(event_id)s) and xid < {settled}
                         order by xid, id limit %(most)s) as next""",
            start | {"most": reader.batch_size},
        )
        if end is None or end["passed"]:
            return end
        if not end["is_held_up"]:
            return None
    return None


def _events_between(reader: Reader, start: dict[str, int], end: dict[str, int]) -> list[Published]:
    kinds = "and kind = any(%(kinds)s)" if reader.kinds else ""
    found = sql.rows(
        f"""select id, kind, patient_id, occurred_at, recorded_at, source, batch_id, historical, payload
              from events_event
             where (xid, id) > (%(from_xid)s, %(from_id)s) and (xid, id) <= (%(to_xid)s, %(to_id)s) {kinds}
             order by xid, id""",
        {
            "from_xid": start["xid"],
            "from_id": start["event_id"],
            "to_xid": end["xid"],
            "to_id": end["id"],
            "kinds": sorted(reader.kinds),
        },
    )
    return [Published(**row) for row in found]


def _note_failure(reader: Reader, error: Exception, *, now: datetime) -> None:
    failures = 1 + (sql.value("select failures from events_position where reader = %s", [reader.name]) or 0)
    pause = min(timedelta(seconds=2**failures), LONGEST_PAUSE)
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{place.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{place.tb_lineno}" if place else ""
    sql.execute(
        """insert into events_position (reader, xid, event_id, failures, error, retry_at)
           values (%(reader)s, 0, 0, 1, %(error)s, %(retry_at)s)
           on conflict (organization_id, reader)
           do update set failures = %(failures)s, error = %(error)s, retry_at = %(retry_at)s""",
        {
            "reader": reader.name,
            "failures": failures,
            "error": f"{type(error).__name__} at {where}",
            "retry_at": now + pause,
        },
    )
