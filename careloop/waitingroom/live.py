"""The queues of an organization's day as one snapshot in memory, for phones and televisions that ask every few seconds.

A process reads at most once a second, one short statement for all queues of a clinic and one more for those that changed, however
many watch. Whoever asks while somebody
else reads gets the snapshot before: nobody waits for the database. What one phone or one screen is told is worked out from the
snapshot when it is asked for, and kept until the queue changes or a minute has passed, with its ETag.
"""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from careloop.kernel import sql
from careloop.kernel.masking import mask_name
from careloop.tenancy.context import in_organization
from careloop.waitingroom import rules, selectors
from careloop.waitingroom.models import IN_FRONT
from careloop.waitingroom.queues import RULE_COLUMNS, RULES_OF, rules_in, standing
from careloop.waitingroom.rules import Rules, Standing, Wait

FRESH = 1.0
# A snapshot this old is waited for: the database was away, or nobody asked for a while.
STALE = 5.0
TIMES_FRESH = 120.0
READ_AGAIN = timedelta(minutes=2)
LAST_CALLS, NEXT_SHOWN = 6, 4
# How often a phone asks: often when it is nearly time, seldom while there are many ahead.
ASK_SOON, ASK_LATER = 5, 15
KNOWN_TOKENS = 50_000
# So long (in seconds) an ended link goes on in a process that has just served it.
KNOWN_FOR = {"ticket": 300.0, "display": 10.0}
Words = Callable[["Board", dict[str, Any], dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Said:
    """An answer ready to be sent: its JSON, and the ETag by which an unchanged one is not sent again."""

    body: bytes
    etag: str
    value: dict[str, Any]


@dataclass
class Board:
    """One session's queue at one moment."""

    session: dict[str, Any]
    rules: Rules
    tickets: dict[UUID, dict[str, Any]]
    here: list[Standing]
    calls: list[dict[str, Any]]
    head: tuple[Any, ...]
    minutes: selectors.Minutes
    now: datetime
    zone: ZoneInfo
    said: dict[Any, Said] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.read_at = self.now
        self._work_out()

    def _work_out(self) -> None:
        """The order of this minute, and the sums of what is ahead of each place."""
        session = self.session
        self.order = rules.in_order(
            self.here, self.rules, turn=session["turn"], place_in_round=session["place_in_round"], now=self.now
        )
        self._places = {one.id: place for place, one in enumerate(self.order)}
        planned = selectors.planned_minutes(session)
        self._times = {
            is_first: selectors.times_for(self.minutes, session["practitioner_id"], is_first=is_first, planned=planned)
            for is_first in (False, True)
        }
        self._ahead = rules.sums_ahead([self._times[one.is_first_visit] for one in self.order])

    def is_older_than(self, head: tuple[Any, ...], now: datetime) -> bool:
        """Whether the database has something newer; a quiet board is read again after a while all the same."""
        return self.head != head or now - self.read_at > READ_AGAIN

    def at(self, now: datetime, minutes: selectors.Minutes) -> "Board":
        """Return the same queue in the present minute: times pass, and booked patients become due."""
        if (
            now.replace(second=0, microsecond=0) == self.now.replace(second=0, microsecond=0)
            and minutes is self.minutes
        ):
            return self
        found = replace(self, now=now, minutes=minutes, said={})
        found.read_at = self.read_at
        return found

    def place(self, ticket_id: UUID) -> int | None:
        """How many stand before this ticket; None when it is not in the order."""
        return self._places.get(ticket_id)

    def in_front(self) -> list[dict[str, Any]]:
        """The tickets called or in a room, the last called first."""
        found = [one for one in self.tickets.values() if one["state"] in IN_FRONT]
        return sorted(found, key=lambda one: one["called_at"], reverse=True)

    def wait(self, place: int) -> Wait:
        """How long somebody with so many ahead still waits."""
        front = self.in_front()
        current = [
            (self._times[one["is_first_visit"]], max(0.0, (self.now - one["called_at"]).total_seconds() / 60))
            for one in front
        ]
        # before anybody was called the queue begins with the session
        until_start = (
            0.0 if self.session["turn"] else max(0.0, (self.session["starts_at"] - self.now).total_seconds() / 60)
        )
        return rules.wait_after(self._ahead[place], until_start=until_start, current=current, rooms=max(1, len(front)))


@dataclass
class Snapshot:
    """All queues of an organization's day."""

    organization: dict[str, Any]
    boards: dict[UUID, Board]
    tickets: dict[UUID, UUID]
    read_at: float


# -- reading -----------------------------------------------------------------------------------------------------


class _Keeper:
    """Keeps one organization's snapshot."""

    def __init__(self, organization_id: UUID) -> None:
        self.organization_id = organization_id
        self.lock = threading.Lock()
        self.snapshot: Snapshot | None = None
        self.minutes: selectors.Minutes = {}
        self.minutes_at = -TIMES_FRESH
        self.known_practitioners: frozenset[UUID] = frozenset()

    def current(self, clock: Callable[[], float], now: Callable[[], datetime]) -> Snapshot:
        kept = self.snapshot
        age = clock() - kept.read_at if kept else STALE
        if kept is not None and age < FRESH:
            return kept
        if kept is not None and age < STALE and not self.lock.acquire(blocking=False):
            return kept  # somebody else reads already
        if kept is None or age >= STALE:
            self.lock.acquire()
        try:
            kept = self.snapshot
            if kept is None or clock() - kept.read_at >= FRESH:
                kept = self.snapshot = self._read(kept, clock, now())
            return kept
        finally:
            self.lock.release()

    def _read(self, before: Snapshot | None, clock: Callable[[], float], now: datetime) -> Snapshot:
        """Read the heads of today's queues, and in full only those that changed: mostly none or one."""
        began = clock()
        kept = before.boards if before else {}
        with in_organization(self.organization_id):
            heads = {
                row["id"]: (row["version"], row["session_version"], row["state"])
                for row in sql.rows(_HEADS, {"now": now})
            }
            changed = [one for one, head in heads.items() if one not in kept or kept[one].is_older_than(head, now)]
            rows = sql.rows(_SNAPSHOT, {"sessions": changed, "calls": LAST_CALLS}) if changed else []
            organization = before.organization if before and not changed else _organization()
            practitioners = {row["practitioner_id"] for row in rows} | {
                one.session["practitioner_id"] for one in kept.values()
            }
            if began - self.minutes_at >= TIMES_FRESH or practitioners - self.known_practitioners:
                self.minutes, self.minutes_at = selectors.times_of(practitioners), began
                self.known_practitioners = frozenset(practitioners)
        zone = ZoneInfo(organization["time_zone"])
        boards = {one: kept[one] for one in heads if one in kept}
        for row in rows:
            board = boards[row["id"]] = _board(row, heads[row["id"]], self.minutes, now, zone)
            # a phone that comes back over another connection may meet a process that has not seen it yet
            for ticket in board.tickets.values():
                _remember("ticket", bytes.fromhex(ticket.pop("token")), self.organization_id, ticket["id"], began)
        for one, board in boards.items():
            boards[one] = board.at(now, self.minutes)
        tickets = {ticket: session for session, board in boards.items() for ticket in board.tickets}
        return Snapshot(organization, boards, tickets, began)


def _organization() -> dict[str, Any]:
    found = sql.row("select id, name, phone, accent_color, language, time_zone from tenancy_organization")
    assert found is not None
    return found


_HEADS = """
    select s.id, s.state, s.version as session_version, coalesce(q.version, 0) as version
      from scheduling_session s join tenancy_organization o on o.id = s.organization_id
      left join waitingroom_queue q on q.session_id = s.id
     where s.starts_at between %(now)s - interval '20 hours' and %(now)s + interval '20 hours'
       and s.on_date = (%(now)s::timestamptz at time zone o.time_zone)::date"""
_SNAPSHOT = f"""
    select s.id, s.practitioner_id, s.location_id, s.mode, s.state, s.part, s.starts_at, s.ends_at, s.slot_minutes, p.name as practitioner,
           r.name as room, coalesce(q.turn, 0) as turn, coalesce(q.place_in_round, 0) as place_in_round, coalesce(q.version, 0) as version,
           {RULE_COLUMNS},
           (select json_agg(json_build_array(t.id, t.state, t.number, t.label, t.is_walk_in, t.planned_at, t.checked_in_at, t.priority, t.due_turn,
                                             t.rejoined_at, t.missed_count, t.is_transferred, t.is_first_visit, t.called_at, t.finished_at,
                                             x.name, n.name, x.language, encode(t.token_hash, 'hex')))
              from waitingroom_ticket t join patients_patient x on x.id = t.patient_id left join scheduling_resource n on n.id = t.room_id
             where t.session_id = s.id) as tickets,
           (select json_agg(json_build_array(c.id, c.label, c.called_at, c.room, c.name) order by c.id desc)
              from (select k.id, k.label, k.called_at, n.name as room, x.name
                      from waitingroom_call k join waitingroom_ticket t on t.id = k.ticket_id join patients_patient x on x.id = t.patient_id
                      left join scheduling_resource n on n.id = k.room_id
                     where k.session_id = s.id order by k.id desc limit %(calls)s) c) as calls
      from scheduling_session s join records_practitioner p on p.id = s.practitioner_id
      join tenancy_organization o on o.id = s.organization_id
      left join scheduling_resource r on r.id = s.room_id
      left join waitingroom_queue q on q.session_id = s.id {RULES_OF}
     where s.id = any(%(sessions)s)"""
_TICKET = (
    "id", "state", "number", "label", "is_walk_in", "planned_at", "checked_in_at", "priority", "due_turn", "rejoined_at", "missed_count",
    "is_transferred", "is_first_visit", "called_at", "finished_at", "name", "room", "language", "token",
)  # fmt: skip
_TIMES = ("planned_at", "checked_in_at", "rejoined_at", "called_at", "finished_at")


def _board(
    row: dict[str, Any], head: tuple[Any, ...], minutes: selectors.Minutes, now: datetime, zone: ZoneInfo
) -> Board:
    rule, tickets = rules_in(row), {}
    for values in row.pop("tickets") or ():
        one = dict(zip(_TICKET, values, strict=True))
        one["id"] = UUID(one["id"])
        for name in _TIMES:
            one[name] = datetime.fromisoformat(one[name]) if one[name] else None
        one["name"] = mask_name(one["name"])
        tickets[one["id"]] = one
    calls = [
        {"id": call[0], "label": call[1], "at": datetime.fromisoformat(call[2]), "room": call[3] or row["room"] or "", "name": mask_name(call[4])}
        for call in row.pop("calls") or ()
    ]  # fmt: skip
    here = [standing(one) for one in tickets.values() if one["checked_in_at"] is not None]
    return Board(row, rule, tickets, here, calls, head, minutes, now, zone)


_keepers: "dict[UUID, _Keeper]" = {}
_keepers_lock = threading.Lock()


def snapshot(
    organization_id: UUID, *, clock: Callable[[], float] = time.monotonic, now: Callable[[], datetime] | None = None
) -> Snapshot:
    """Return an organization's queues as they were at most a second or two ago."""
    from django.utils import timezone

    keeper = _keepers.get(organization_id)
    if keeper is None:
        with _keepers_lock:
            keeper = _keepers.setdefault(organization_id, _Keeper(organization_id))
    return keeper.current(clock, now or timezone.now)


def refresh(organization_id: UUID) -> None:
    """Let the next one who asks in this process read anew: for the page after a change that its reader has just made."""
    keeper = _keepers.get(organization_id)
    if keeper is not None and keeper.snapshot is not None:
        keeper.snapshot.read_at -= STALE


def forget() -> None:
    """Forget every snapshot and every token: for tests, whose days are rolled back."""
    _keepers.clear()
    _tokens.clear()


# -- tokens ------------------------------------------------------------------------------------------------------

# what a link opens, by the hash of its token; asked again after a while, because links are ended
_tokens: "OrderedDict[tuple[str, bytes], tuple[float, UUID, Any]]" = OrderedDict()


def opened(
    kind: str,
    wanted: bytes,
    find: Callable[[], tuple[UUID, Any] | None],
    *,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[UUID, Any] | None:
    """Return the organization and the thing a token opens, from memory where `find` was asked a short while ago."""
    kept = _tokens.get((kind, wanted))
    if kept is not None and clock() - kept[0] < KNOWN_FOR[kind]:
        return kept[1], kept[2]
    found = find()
    if found is None:
        _tokens.pop((kind, wanted), None)
        return None
    _remember(kind, wanted, *found, clock())
    return found


def _remember(kind: str, wanted: bytes, organization_id: UUID, thing: Any, at: float) -> None:
    _tokens[kind, wanted] = (at, organization_id, thing)
    while len(_tokens) > KNOWN_TOKENS:
        try:
            _tokens.popitem(last=False)
        except KeyError:  # another thread took the last one
            return


def glance(
    wanted: bytes, words: Callable[[str], Words], *, clock: Callable[[], float] = time.monotonic
) -> "Said | None":
    """Return what a phone is told if that needs nothing but this process's memory; None: ask the ordinary way."""
    kept = _tokens.get(("ticket", wanted))
    now = clock()
    if kept is None or now - kept[0] >= KNOWN_FOR["ticket"]:
        return None
    keeper = _keepers.get(kept[1])
    snap = keeper.snapshot if keeper else None
    if keeper is None or snap is None:
        return None
    age = now - snap.read_at
    if age >= STALE or (age >= FRESH and not keeper.lock.locked()):
        return None  # somebody has to read, and that is the one who asks now
    return said_to(snap, kept[2], words(snap.organization["language"]))


# -- what is told ------------------------------------------------------------------------------------------------


def said_to(snap: Snapshot, ticket_id: UUID, words: Words = lambda _board, _ticket, _value: {}) -> Said | None:
    """Return what one phone is told of its number; None when the ticket is not in today's queues.

    Args:
        words: the same in sentences, from board, ticket and numbers; added to what is told.
    """
    session_id = snap.tickets.get(ticket_id)
    if session_id is None:
        return None
    board = snap.boards[session_id]
    found = board.said.get(ticket_id)
    if found is None:
        ticket = board.tickets[ticket_id]
        value = _for_phone(board, ticket)
        found = board.said[ticket_id] = _said({**value, **words(board, ticket, value)})
    return found


def _said(value: dict[str, Any]) -> Said:
    body = orjson.dumps(value)
    return Said(body, f'"{hashlib.blake2b(body, digest_size=9).hexdigest()}"', value)


def _for_phone(board: Board, ticket: dict[str, Any]) -> dict[str, Any]:
    front = board.in_front()
    place = board.place(ticket["id"])
    value: dict[str, Any] = {
        "state": ticket["state"], "number": ticket["label"], "now": [one["label"] for one in front], "ahead": place,
        "room": ticket["room"] or board.session["room"] or "" if ticket["state"] in IN_FRONT else "",
        "session": board.session["state"], "low": None, "high": None, "from": "", "to": "", "back_by": "", "learned": False,
        "ask": ASK_LATER,
    }  # fmt: skip
    if ticket["state"] == "MISSED":
        value["must_check_in"] = rules.must_check_in(ticket["missed_count"], board.rules)
    if place is not None:
        wait = board.wait(place)
        local = board.now.astimezone(board.zone)
        value |= {
            "low": wait.low, "high": wait.high, "from": _clock(local, wait.low), "to": _clock(local, wait.high), "learned": wait.is_learned,
            "back_by": _clock(local, board.wait(max(0, place - board.rules.near)).low) if place > board.rules.near else "",
        }  # fmt: skip
    if ticket["state"] in IN_FRONT or (place is not None and place <= board.rules.near + 2):
        value["ask"] = ASK_SOON
    return value


def _clock(local: datetime, minutes: int) -> str:
    """The time on the clock after so many minutes, in steps of five so that it does not jump about.

    >>> _clock(datetime(2026, 3, 17, 9, 58), 5)
    '10:00'
    """
    at = local + timedelta(minutes=minutes)
    return f"{at - timedelta(minutes=at.minute % rules.STEP):%H:%M}"


def for_screen(snap: Snapshot, location_id: UUID, *, shows_names: bool) -> dict[str, Any]:
    """Return what a television shows: every running session of one place, number now, masked name, room, next numbers, last calls."""
    boards = [
        board
        for board in snap.boards.values()
        if board.session["location_id"] == location_id and board.session["state"] != "CLOSED" and _is_on(board)
    ]
    boards.sort(key=lambda board: (board.session["room"] or "", board.session["starts_at"]))
    calls = sorted((call for board in boards for call in board.calls), key=lambda call: -call["id"])[:LAST_CALLS]
    return {
        "rooms": [_for_room(board, shows_names=shows_names) for board in boards],
        "calls": [
            {
                "id": call["id"], "number": call["label"], "room": call["room"], "name": call["name"] if shows_names else "",
                "at": f"{call['at'].astimezone(boards[0].zone):%H:%M}",
            }
            for call in calls
        ],
    }  # fmt: skip


def _is_on(board: Board) -> bool:
    """Whether a session is shown: from an hour before its beginning until an hour after its end, and while anybody waits."""
    hour = timedelta(hours=1)
    return board.session["starts_at"] - hour <= board.now <= board.session["ends_at"] + hour or bool(
        board.order or board.in_front()
    )


def _for_room(board: Board, *, shows_names: bool) -> dict[str, Any]:
    front = board.in_front()
    return {
        "practitioner": board.session["practitioner"],
        "room": board.session["room"] or "",
        "now": [
            {
                "number": one["label"], "name": one["name"] if shows_names else "", "room": one["room"] or board.session["room"] or "",
                "is_called": one["state"] == "CALLED",
            }
            for one in front
        ],
        "next": [board.tickets[one.id]["label"] for one in board.order[:NEXT_SHOWN]],
        "waiting": len(board.order),
        "starts": f"{board.session['starts_at'].astimezone(board.zone):%H:%M}" if board.now < board.session["starts_at"] else "",
    }  # fmt: skip
