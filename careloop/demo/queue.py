"""The demo clinic's waiting room at this moment, whatever hour it is: some seen, one in the room, some waiting, some expected.

Everything happens through the real services, in the order of the clock. A small demo has nobody left to wait and stays without.
"""

from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import islice
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from careloop.demo import cast
from careloop.demo.schedule import DENTIST, PHYSICIAN, POOLS, TAKEN_FROM
from careloop.kernel import sql, vault
from careloop.kernel.errors import DomainError
from careloop.scheduling import availability, sessions
from careloop.scheduling import services as scheduling
from careloop.scheduling.places import Place
from careloop.tenancy.context import current_organization_id
from careloop.waitingroom import displays
from careloop.waitingroom import services as queue

ZONE = ZoneInfo("Asia/Taipei")
BEFORE, AFTER = timedelta(minutes=75), timedelta(minutes=105)
"""How long a session lasts around now where the week has none."""


@dataclass(frozen=True)
class Guest:
    """Somebody in the waiting room; each number is how many minutes ago it happened, 0 for not yet."""

    here: int = 0
    called: int = 0
    done: int = 0
    missed: int = 0
    tests: int = 0
    walked_in: bool = False
    how: str = "DESK"


SEEN_BY: dict[str, tuple[str, tuple[Guest, ...]]] = {
    PHYSICIAN: ("家醫科看診", (
        Guest(here=55, called=48, done=41), Guest(here=50, called=40, done=32, how="QR"), Guest(here=46, called=31, done=22, walked_in=True),
        Guest(here=40, called=21, done=12, how="LINE"), Guest(here=35, called=11, missed=9), Guest(here=33, called=8, how="QR"),
        Guest(here=30, tests=20), Guest(here=25, how="LINE"), Guest(here=18, walked_in=True), Guest(here=15, how="QR"), Guest(here=6), Guest(), Guest(),
    )),
    DENTIST: ("牙科檢查", (
        Guest(here=52, called=45, done=21), Guest(here=30, called=19, how="LINE"), Guest(here=14), Guest(here=5, how="QR"), Guest(), Guest(),
    )),
}  # fmt: skip
SCREENS = (("候診區電視", "CALLS"), ("門口報到", "ENTRANCE"))


def play(*, now: datetime) -> None:
    """Let today's queues run up to now. Running it again changes nothing."""
    people = iter([
        row["id"] for row in sql.rows(
            """select id from patients_patient where active and not deceased and name <> all(%s)
                order by chart_number nulls last, id offset %s limit 60""",
            [[one.name for one in cast.CAST], TAKEN_FROM],
        )
    ])  # fmt: skip
    branch = sql.value("select id from tenancy_location where name = %s", [cast.BRANCHES[0]])
    for practitioner, (service, guests) in SEEN_BY.items():
        who = list(islice(people, len(guests)))
        if len(who) < len(guests):
            return
        held = _session(practitioner, branch, now=now)
        if held is not None and not sql.value(
            "select 1 from waitingroom_ticket where session_id = %s limit 1", [held["id"]]
        ):
            _run(held, service, list(zip(guests, who, strict=True)), now=now)
    for name, kind in SCREENS:
        if not any(one["name"] == name for one in displays.listed(locations=None)):
            values = {"name": name, "kind": kind, "location_id": branch, "shows_code": kind == "ENTRANCE"}
            displays.make(values=values, now=now, by=None, token=_token(name))


def screens() -> dict[str, str]:
    """Return the addresses of the demo's screens. Their tokens can be made again, so that the command can say them again."""
    shown = {one["name"] for one in displays.listed(locations=None)}
    return {name: f"/p/tv/{_token(name)}/" for name, _kind in SCREENS if name in shown}


def _token(name: str) -> str:
    key = vault.keyring().index_key(current_organization_id(), "demo.display")
    return urlsafe_b64encode(vault.keyed_hash(key)(name.encode())).decode("ascii").rstrip("=")


def _session(practitioner: str, branch: UUID, *, now: datetime) -> dict[str, Any] | None:
    """Return the session in which this practitioner works now; one of their own day is made where the week has none."""
    mine = sql.rows(
        """select s.id, s.mode, s.starts_at, s.ends_at from scheduling_session s join records_practitioner p on p.id = s.practitioner_id
            where p.name = %s and s.state <> 'CLOSED' and s.ends_at > %s and s.starts_at < %s order by s.starts_at""",
        [practitioner, now - timedelta(hours=12), now + timedelta(hours=12)],
    )
    for one in mine:
        if one["starts_at"] - timedelta(minutes=10) <= now < one["ends_at"]:
            return one
    midnight = datetime.combine(now.astimezone(ZONE).date(), time(), ZONE)
    begins = max([midnight, _quarter(now - BEFORE), *(one["ends_at"] for one in mine if one["ends_at"] <= now)])
    ends = min(
        [
            midnight + timedelta(hours=23, minutes=59),
            _quarter(now + AFTER),
            *(one["starts_at"] for one in mine if one["starts_at"] > now),
        ]
    )
    found = sql.row(
        """select p.id as practitioner_id, r.id as room_id from records_practitioner p
             left join scheduling_session s on s.practitioner_id = p.id and s.location_id = %s
             left join scheduling_resource r on r.id = s.room_id where p.name = %s order by s.starts_at limit 1""",
        [branch, practitioner],
    )
    if found is None or begins >= now or ends - begins < timedelta(minutes=30):
        return None
    # near midnight the session is short, and all of its numbers have to fit
    each = max(2, int((ends - begins).total_seconds() // 60) // 30)
    numbered = {"numbers": 30, "pools": POOLS, "slot_minutes": each, "mode": "NUMBERS"}
    made = sessions.open_session(
        values={
            **found, "location_id": branch, "starts_at": begins, "ends_at": ends,
            **(numbered if practitioner == PHYSICIAN else {"mode": "SLOTS", "slot_minutes": 15}),
        },
        now=now - timedelta(days=2), by=None,
    )  # fmt: skip
    return {"id": made.pk, "mode": made.mode, "starts_at": made.starts_at, "ends_at": made.ends_at}


def _quarter(at: datetime) -> datetime:
    """The quarter of an hour that has begun."""
    return at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0)


def _run(held: dict[str, Any], service: str, guests: list[tuple[Guest, UUID]], *, now: datetime) -> None:
    service_id = sql.value("select id from scheduling_service where name = %s", [service])
    tickets: dict[int, UUID] = {}
    booked = {
        at: _book(held, service_id, who, key=f"demo:queue:{held['id']}:{at}", now=now)
        for at, (guest, who) in enumerate(guests) if not guest.walked_in
    }  # fmt: skip
    for minutes, what, at in sorted(_steps(guests), key=lambda step: (-step[0], step[2])):
        guest, who = guests[at]
        then = now - timedelta(minutes=minutes)
        try:
            if what == "here" and guest.walked_in:
                key = f"demo:queue:{held['id']}:{at}"
                tickets[at] = queue.check_in_walk_in(
                    session_id=held["id"], patient_id=who, service_id=service_id, key=key, now=then, by=None
                )["id"]
            elif what == "here" and (visit := booked[at]) is not None:
                came = queue.check_in(appointment_id=visit, how=guest.how, now=then, by=None, at_desk=True)
                tickets[at] = came["id"]
            elif at in tickets:
                _do(what, tickets[at], held["id"], now=then)
        except DomainError:
            tickets.pop(at, None)  # the session of this hour has no such place: one guest less


def _steps(guests: list[tuple[Guest, UUID]]) -> Iterator[tuple[int, str, int]]:
    """Everything that has happened, with how many minutes ago."""
    for at, (guest, _who) in enumerate(guests):
        for what in ("here", "called", "missed", "tests", "done"):
            if minutes := getattr(guest, what):
                yield minutes, what, at
        if guest.called and not guest.missed:
            yield guest.called - 1, "started", at


def _do(what: str, ticket_id: UUID, session_id: UUID, *, now: datetime) -> None:
    room = sql.value("select room_id from scheduling_session where id = %s", [session_id])
    if what == "called":
        queue.call(ticket_id=ticket_id, room_id=room, now=now, by=None)
    elif what == "started":
        queue.start(ticket_id=ticket_id, now=now, by=None)
    elif what == "missed":
        queue.skip(ticket_id=ticket_id, now=now, by=None)
    elif what == "tests":
        queue.hold(ticket_id=ticket_id, held_for="X 光", now=now, by=None)
    else:
        queue.finish(ticket_id=ticket_id, now=now, by=None)


def _book(held: dict[str, Any], service_id: UUID, who: UUID, *, key: str, now: datetime) -> UUID | None:
    made_at = held["starts_at"] - timedelta(days=1)
    at = None
    if held["mode"] == "SLOTS":
        free = availability.search(service_id=service_id, now=made_at, session_id=held["id"], sessions=1)
        if not free:
            return None
        at = free[0].starts_at
    try:
        made = scheduling.book(
            patient_id=who,
            service_id=service_id,
            place=Place(held["id"], starts_at=at),
            source="phone",
            key=key,
            now=made_at,
            by=None,
        )
    except DomainError:
        return None
    return UUID(str(made.pk))
