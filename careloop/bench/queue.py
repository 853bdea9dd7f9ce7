"""Waiting room: 2,000 phones that watch 20 queues over HTTP while patients are called, beside a bare page under the same load."""

import argparse
import asyncio
import os
import random
import select
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from careloop.bench.server import serving

NAME = "queue"
SLUG = "bench-queue"
GOAL_P95 = 200.0
WARM_SECONDS = 8

Say = Callable[[str], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--phones", type=int, default=2000)
    parser.add_argument("--queues", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=30, help="how long is measured")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two questions of one phone")


def run(options: argparse.Namespace, say: Say) -> dict[str, Any]:
    """Measure over HTTP, in a clinic of its own that is made anew."""
    say(f"making {options.queues} queues with {options.phones} patients")
    organization, sessions, tokens = _clinic(options)
    figures: dict[str, Any] = {}
    with serving() as server:
        paths = [f"/p/q/{token}/now/" for token in tokens]
        opened = asyncio.run(
            _watch(server.port, paths, seconds=WARM_SECONDS, every=WARM_SECONDS)
        )  # each phone opens its number once
        say(f"{options.phones} phones watch for {options.seconds} s")
        calls = _Caller(organization, sessions)
        try:
            watched = asyncio.run(
                _watch(server.port, paths, seconds=options.seconds, every=options.every, known=opened.known)
            )
        finally:
            called = calls.stop()
        bare = asyncio.run(
            _watch(server.port, ["/healthz"] * options.phones, seconds=min(options.seconds, 10), every=options.every)
        )
        full = _at_full_speed(server.port, paths)
        memory = server.memory()
    figures = {
        "phones": options.phones, "questions answered": len(watched.times), "questions/s": round(len(watched.times) / options.seconds, 1),
        "ms p50": watched.quantile(0.5), "ms p95": watched.quantile(0.95), "ms p99": watched.quantile(0.99), "ms most": watched.quantile(1.0),
        "answered with 304, %": round(100 * watched.unchanged / max(1, len(watched.times)), 1), "failed": watched.failed,
        "patients called meanwhile": called, "questions/s, 16 clients without a pause": full, "memory of 2 web workers and a worker, MiB": memory,
    }  # fmt: skip
    return {
        "bench": NAME,
        "size": {"phones": options.phones, "queues": options.queues, "seconds": options.seconds, "every": options.every},
        "figures": figures,
        "limits": {"bare page /healthz under the same load, ms p50": bare.quantile(0.5), "bare page, ms p95": bare.quantile(0.95), "goal p95, ms": GOAL_P95},
        "ratios": {"p95 over a bare page": round(figures["ms p95"] / max(bare.quantile(0.95), 0.01), 2)},
    }  # fmt: skip


# -- the clinic --------------------------------------------------------------------------------------------------


def _clinic(options: argparse.Namespace) -> tuple[UUID, list[UUID], list[str]]:
    """A day on which everybody has come: as many sessions as queues, every patient waiting in one of them."""
    from django.utils import timezone

    from careloop.audit.services import Actor, acting_as
    from careloop.kernel import sql
    from careloop.scheduling.models import Service
    from careloop.tenancy.context import in_organization
    from careloop.tenancy.models import Location
    from careloop.tenancy.services import create_organization

    now = timezone.now()
    organization = create_organization(slug=f"{SLUG}-{os.getpid()}", name="候診測量診所", now=now).id
    share = -(-options.phones // options.queues)
    with acting_as(Actor("command", name="careloop bench queue", via="command")), in_organization(organization):
        zone = sql.value("select time_zone from tenancy_organization")
        day = sql.value("select (%s::timestamptz at time zone %s)::date", [now, zone])
        service, location = Service.objects.create(name="一般門診", minutes=5), Location.objects.get()
        sessions = [
            _session(location.pk, service.pk, number=number, day=day, now=now, share=share)
            for number in range(options.queues)
        ]
        tokens = _tickets(organization, sessions, share=share, now=now)
    return organization, sessions, tokens[: options.phones]


def _session(location: UUID, service: UUID, *, number: int, day: Any, now: datetime, share: int) -> UUID:
    from careloop.records.models import Practitioner
    from careloop.scheduling.models import Resource, ServicePractitioner, Session

    who = Practitioner.objects.create(name=f"醫師 {number + 1}")
    ServicePractitioner.objects.create(service_id=service, practitioner=who)
    room = Resource.objects.create(kind="ROOM", name=f"{number + 1} 診", location_id=location)
    made = Session.objects.create(
        practitioner=who, location_id=location, room=room, on_date=day, part="MORNING", starts_at=now - timedelta(minutes=30),
        ends_at=now + timedelta(hours=10), mode="NUMBERS", slot_minutes=5, numbers=share,
    )  # fmt: skip
    return made.pk


def _tickets(organization: UUID, sessions: Sequence[UUID], *, share: int, now: datetime) -> list[str]:
    """Patients, appointments and tickets set-wise: the bench is about watching, not about checking in."""
    from careloop.kernel import sql
    from careloop.kernel.ids import token_hash
    from careloop.waitingroom import links

    rows = sql.rows(
        """with people as (
               insert into patients_patient (name, name_grams, sex, created_at, updated_at)
               select '測' || n || '量', '{}', 'unknown', %(now)s, %(now)s from generate_series(1, %(all)s) n returning id
           ), numbered as (select id, row_number() over (order by id) - 1 as n from people),
           places as (
               select p.id as patient_id, s.id as session_id, s.practitioner_id, s.location_id, s.starts_at, (p.n / %(queues)s + 1)::int as number
                 from numbered p join (select *, row_number() over (order by id) - 1 as k from scheduling_session where id = any(%(sessions)s)) s
                   on s.k = p.n %% %(queues)s
           ), booked as (
               insert into scheduling_appointment (patient_id, session_id, service_id, practitioner_id, location_id, starts_at, ends_at, number,
                                                   pool, state, source, arrived_at, created_at, changed_at)
               select patient_id, session_id, (select id from scheduling_service limit 1), practitioner_id, location_id,
                      starts_at + make_interval(mins => 5 * (number - 1)), starts_at + make_interval(mins => 5 * number), number, 'BOOKED', 'arrived',
                      'desk', %(now)s, %(now)s, %(now)s from places returning id, patient_id, session_id, practitioner_id, number, starts_at
           )
           select id, patient_id, session_id, practitioner_id, number, starts_at from booked order by number, session_id""",
        {"now": now, "all": share * len(sessions), "queues": len(sessions), "sessions": list(sessions)},
    )
    tokens = []
    for row in rows:
        row["ticket"] = uuid4()
        tokens.append(links.token_of(organization, row["ticket"]))
    sql.execute(
        """insert into waitingroom_ticket (id, session_id, appointment_id, patient_id, practitioner_id, number, label, state, planned_at,
                                           checked_in_at, token_hash, created_at, how)
           select t.id, t.session, t.appointment, t.patient, t.practitioner, t.number, t.number::text, 'WAITING', t.planned, %(now)s, decode(t.hash, 'hex'),
                  %(now)s, 'DESK'
             from unnest(%(ids)s::uuid[], %(sessions)s::uuid[], %(appointments)s::uuid[], %(patients)s::uuid[], %(practitioners)s::uuid[],
                         %(numbers)s::int[], %(planned)s::timestamptz[], %(hashes)s::text[])
                  as t(id, session, appointment, patient, practitioner, number, planned, hash)""",
        {
            "now": now, "ids": [row["ticket"] for row in rows], "sessions": [row["session_id"] for row in rows],
            "appointments": [row["id"] for row in rows], "patients": [row["patient_id"] for row in rows],
            "practitioners": [row["practitioner_id"] for row in rows], "numbers": [row["number"] for row in rows],
            "planned": [row["starts_at"] for row in rows], "hashes": [token_hash(token).hex() for token in tokens],
        },
    )  # fmt: skip
    return tokens


class _Caller:
    """Twenty practitioners who each call somebody about every ten seconds: faster than in life, so that answers change.

    A process of its own: in this one it would take the time of the phones that are measured.
    """

    def __init__(self, organization: UUID, sessions: Sequence[UUID]) -> None:
        work = "from careloop.bench.queue import call_in_turn; call_in_turn()"
        self.process = subprocess.Popen(
            [sys.executable, "-c", work, str(organization), *map(str, sessions)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        self.process.stdout.readline()  # it is ready

    def stop(self) -> int:
        """End it and return how many it called."""
        said, _errors = self.process.communicate(b"stop\n", timeout=60)
        return int(said or 0)


PAUSE = 0.5


def call_in_turn() -> None:
    """Call and finish patients of the sessions on the command line until something comes in; say how many were called."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "careloop.config.settings")
    django.setup()
    from django.utils import timezone

    from careloop.tenancy.context import in_organization
    from careloop.waitingroom import errors, services

    organization, *sessions = [UUID(one) for one in sys.argv[1:]]
    front: dict[UUID, UUID] = {}
    dice, called = random.Random(5), 0
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], PAUSE)[0]:
        session = dice.choice(sessions)
        with suppress(errors.NobodyWaits), in_organization(organization):
            if session in front:
                services.finish(ticket_id=front.pop(session), now=timezone.now(), by=None)
            ticket = services.call_next(session_id=session, room_id=None, now=timezone.now(), by=None)
            front[session] = ticket["id"]
            called += 1
    print(called, flush=True)


# -- the phones --------------------------------------------------------------------------------------------------


class _Watched:
    """What the phones saw."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.unchanged = self.failed = 0
        self.known: dict[str, str] = {}

    def quantile(self, share: float) -> float:
        ordered = sorted(self.times)
        return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 2) if ordered else 0.0


async def _watch(
    port: int, paths: Sequence[str], *, seconds: float, every: float, known: dict[str, str] | None = None
) -> _Watched:
    """Every phone keeps one connection and asks every few seconds, beginning at a moment of its own."""
    watched, dice = _Watched(), random.Random(3)
    watched.known = {} if known is None else known
    until = time.perf_counter() + seconds
    await asyncio.gather(*(_phone(port, path, watched, dice.random() * every, every, until) for path in paths))
    return watched


async def _phone(port: int, path: str, watched: _Watched, wait: float, every: float, until: float) -> None:
    etag = watched.known.get(path, "")
    await asyncio.sleep(wait)
    reader: asyncio.StreamReader | None = None
    writer: asyncio.StreamWriter | None = None
    while time.perf_counter() < until:
        began = time.perf_counter()
        try:
            if reader is None or writer is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            status, etag = await asyncio.wait_for(_ask(reader, writer, path, etag), timeout=30)
            if status not in (200, 304):
                raise ConnectionError(status)
            watched.times.append((time.perf_counter() - began) * 1000)
            watched.unchanged += status == 304
        except (OSError, EOFError, TimeoutError, asyncio.IncompleteReadError):
            watched.failed += 1
            if writer is not None:
                writer.close()
            reader = writer = None
        await asyncio.sleep(max(0.0, min(began + every, until) - time.perf_counter()))
    watched.known[path] = etag
    if writer is not None:
        writer.close()


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, etag: str) -> tuple[int, str]:
    """One question over a kept connection, read by hand: a library would cost more than the server."""
    known = f"If-None-Match: {etag}\r\n" if etag else ""
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{known}\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status = int(head[9:12])
    fields = {
        name.lower(): value.strip() for name, _colon, value in (line.partition(":") for line in head.split("\r\n")[1:])
    }
    if status != 304 and (length := int(fields.get("content-length", "0"))):
        await reader.readexactly(length)
    return status, fields.get("etag", etag)


def _at_full_speed(port: int, paths: Sequence[str], *, clients: int = 16, seconds: float = 5.0) -> float:
    """How many questions a second the server answers when clients do not pause."""

    async def measure() -> float:
        watched = _Watched()
        until = time.perf_counter() + seconds
        await asyncio.gather(*(_phone(port, path, watched, 0.0, 0.0, until) for path in paths[:clients]))
        return round(len(watched.times) / seconds, 1)

    return asyncio.run(measure())
