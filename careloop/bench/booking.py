"""Booking: places won under contention beside bare INSERT … ON CONFLICT DO NOTHING, and how fast free places are found."""

import argparse
import multiprocessing
import os
import random
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

NAME = "booking"
GOAL_RATIO, GOAL_P95_MS, GOAL_OVER_HTTP = 0.5, 100, 300
CLIENTS, PRACTITIONERS, PEOPLE = 8, 40, 50_000
SLOT = timedelta(minutes=15)
PER_SESSION = 14  # three and a half hours of quarters
SESSIONS_A_DAY = 3
SEARCHES = 300


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--past", type=int, default=1_000_000, help="how many appointments lie behind")
    parser.add_argument("--future", type=int, default=60_000, help="how many appointments lie ahead")
    parser.add_argument("--places", type=int, default=2_000, help="how many places everybody wants")


def run(options: argparse.Namespace, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure in an organization of its own, which is removed at the end."""
    from careloop.bench import clinic
    from careloop.tenancy.services import create_organization

    now = datetime.now(UTC).replace(microsecond=0, second=0, minute=0)
    organization = create_organization(slug=f"bench-booking-{os.getpid()}", name="安心診所", now=now)
    try:
        return _measure(options, organization.id, now, say)
    finally:
        clinic.remove(organization.id)


def _measure(
    options: argparse.Namespace, organization: UUID, now: datetime, say: Callable[[str], None]
) -> dict[str, Any]:
    from careloop.bench import clinic
    from careloop.tenancy.context import in_organization

    began = time.perf_counter()
    with in_organization(organization):
        service = _prepare(now)
    per_day = PRACTITIONERS * SESSIONS_A_DAY * PER_SESSION
    for first_day, count, fill in ((-(options.past // per_day + 1), options.past, 1.0), (1, options.future, 0.85)):
        with in_organization(organization):
            _fill(service, now=now, first_day=first_day, count=count, fill=fill, say=say)
    clinic.analyze("scheduling_session", "scheduling_appointment", "patients_patient", "records_practitioner")
    say(
        f"a schedule with {options.past} appointments behind and {options.future} ahead made in {time.perf_counter() - began:.0f} s"
    )
    searches = _searches(organization, service, now, say)
    wanted = _wanted(organization, options.places, now)
    bare = _contend(bare_client, (organization,), wanted)
    _drop_bare(organization)
    say(
        f"bare insert: {bare['wins_per_second']:.0f} wins/s of {bare['tries_per_second']:.0f} tries/s, {CLIENTS} connections"
    )
    ours = _contend(booking_client, (organization, service), wanted)
    say(f"booked: {ours['wins_per_second']:.0f} wins/s of {ours['tries_per_second']:.0f} tries/s, {CLIENTS} clients")
    over_http = _over_http(organization, service, options.places, now)
    say(f"over HTTP: {over_http:.0f} bookings/s, {CLIENTS} clients")
    with in_organization(organization):
        double = _double(wanted)
    if ours["wins"] != len(wanted) or double:
        raise RuntimeError(f"{ours['wins']} of {len(wanted)} places won, {double} of them twice")
    return {
        "bench": NAME,
        "size": {
            "past": options.past, "future": options.future, "practitioners": PRACTITIONERS, "places": len(wanted), "clients": CLIENTS,
        },
        "figures": {
            "wins_per_second": round(ours["wins_per_second"]), "tries_per_second": round(ours["tries_per_second"]),
            "bookings_per_second_over_http": round(over_http), "goal_over_http": GOAL_OVER_HTTP,
            "double_bookings": double, **searches, "goal_search_p95_ms": GOAL_P95_MS,
        },
        "limits": {
            "bare_wins_per_second": round(bare["wins_per_second"]), "bare_tries_per_second": round(bare["tries_per_second"]),
        },
        "ratios": {
            "wins_to_bare": round(ours["wins_per_second"] / bare["wins_per_second"], 2), "goal_wins_to_bare": GOAL_RATIO,
        },
    }  # fmt: skip


# -- a schedule ------------------------------------------------------------------------------------------------------


def _prepare(now: datetime) -> UUID:
    """Make four branches, practitioners, patients and one service that all of them offer."""
    from careloop.kernel import sql
    from careloop.kernel.ids import uuid7

    for number in range(4):
        sql.execute(
            "insert into tenancy_location (id, name, phone, address, source, external_id, is_active) values (%s, %s, '', '', '', '', true)",
            [uuid7(), f"分院 {number + 1}"],
        )
    sql.execute(
        "insert into records_practitioner (name) select '醫師' || n from generate_series(1, %s) as n", [PRACTITIONERS]
    )
    sql.execute(
        """insert into patients_patient (name, name_grams, sex, created_at, updated_at)
           select '病友' || n, '{}', 'unknown', %(now)s, %(now)s from generate_series(1, %(count)s) as n""",
        {"now": now, "count": PEOPLE},
    )
    service: UUID = sql.value(
        """insert into scheduling_service (id, name, names, description, minutes, payer, price, deposit, colour, is_online, who,
                  notice_minutes, days_ahead, change_minutes, verify_phone, questions, is_active)
           values (careloop_new_id(), '洗牙', '{}', '', 15, 'NHI', 0, 0, 0, true, 'ANY', 0, 120, 0, false, '[]', true) returning id"""
    )
    sql.execute(
        "insert into scheduling_service_practitioner (service_id, practitioner_id) select %s, id from records_practitioner",
        [service],
    )
    return service


def _fill(service: UUID, *, now: datetime, first_day: int, count: int, fill: float, say: Callable[[str], None]) -> None:
    """Make the sessions of as many days as it takes, and put patients into them: nobody in two places at once."""
    from careloop.kernel import sql

    days = int(count / (PRACTITIONERS * SESSIONS_A_DAY * PER_SESSION * fill)) + 1
    sql.execute(
        """insert into scheduling_session (practitioner_id, location_id, on_date, part, starts_at, ends_at, mode, slot_minutes)
           select p.id, l.id, d.day, x.part, (d.day + x.starts) at time zone 'Asia/Taipei',
                  (d.day + x.starts + %(long)s) at time zone 'Asia/Taipei', 'SLOTS', 15
             from (select id, row_number() over (order by id) as n from records_practitioner) as p
             join (select id, row_number() over (order by id) as n from tenancy_location) as l on l.n = 1 + p.n %% 4
             cross join (select %(today)s::date + n as day from generate_series(%(first)s, %(last)s) as n) as d
             cross join (values ('MORNING', time '08:30'), ('AFTERNOON', time '13:30'), ('EVENING', time '18:00')) as x(part, starts)""",
        {"long": SLOT * PER_SESSION, "today": now.date(), "first": first_day, "last": first_day + days - 1},
    )
    done = 0
    for day in range(days):
        done += sql.execute(
            """insert into scheduling_appointment (patient_id, session_id, service_id, practitioner_id, location_id, starts_at,
                      ends_at, state, source, created_at, changed_at)
               select q.id, s.id, %(service)s, s.practitioner_id, s.location_id, s.starts_at + k * %(slot)s,
                      s.starts_at + (k + 1) * %(slot)s, %(state)s, 'desk', %(now)s, %(now)s
                 from (select *, row_number() over (order by part, practitioner_id) as n from scheduling_session
                        where on_date = %(day)s) as s
                 cross join generate_series(0, %(per_session)s - 1) as k
                 join (select id, row_number() over (order by id) as n from patients_patient) as q
                   on q.n = 1 + (%(offset)s + s.n * %(per_session)s + k) %% %(people)s
                where (hashtext(s.id::text || k) & 1023) < %(share)s limit %(left)s""",
            {
                "service": service, "slot": SLOT, "per_session": PER_SESSION, "people": PEOPLE, "now": now,
                "day": now.date() + timedelta(days=first_day + day), "offset": day * 7919, "share": int(1024 * fill),
                "state": "fulfilled" if first_day < 0 else "booked", "left": count - done,
            },
        )  # fmt: skip
        if day % 200 == 199:
            say(f"{done} appointments")


# -- free places -----------------------------------------------------------------------------------------------------


def _searches(organization: UUID, service: UUID, now: datetime, say: Callable[[str], None]) -> dict[str, float]:
    """Ask as people ask: this physician on a weekday evening in any branch; anybody soon; one branch on Saturdays."""
    from careloop.kernel import sql
    from careloop.scheduling import availability
    from careloop.tenancy.context import in_organization

    chance = random.Random(7)
    with in_organization(organization):
        physicians = [row["id"] for row in sql.rows("select id from records_practitioner order by id")]
        places = [row["id"] for row in sql.rows("select distinct location_id as id from scheduling_session")]
    questions: dict[str, Callable[[], dict[str, Any]]] = {
        "physician_weekday_evening": lambda: {
            "practitioner_id": chance.choice(physicians), "weekdays": [1, 2, 3, 4, 5], "parts": ["EVENING"], "sessions": 5,
        },
        "anybody_soon": lambda: {"sessions": 10, "per_session": 8},
        "branch_on_saturday": lambda: {"location_ids": [chance.choice(places)], "weekdays": [6], "sessions": 10},
    }  # fmt: skip
    found: dict[str, float] = {}
    for name, question in questions.items():
        took = []
        for _turn in range(SEARCHES // len(questions)):
            began = time.perf_counter()
            with in_organization(organization):
                if not availability.search(service_id=service, now=now, **question()):
                    raise RuntimeError(f"{name}: no place found")
            took.append(1000 * (time.perf_counter() - began))
        found[f"{name}_p50_ms"] = round(statistics.median(took), 1)
        found[f"{name}_p95_ms"] = round(statistics.quantiles(took, n=20)[18], 1)
        say(f"{name}: p50 {found[f'{name}_p50_ms']} ms, p95 {found[f'{name}_p95_ms']} ms")
    return found


# -- contention ------------------------------------------------------------------------------------------------------


def _wanted(organization: UUID, count: int, now: datetime, *, in_days: int = 300) -> list[tuple[UUID, datetime]]:
    """Return free places behind all others, in sessions of their own."""
    from careloop.kernel import sql
    from careloop.tenancy.context import in_organization

    with in_organization(organization):
        sql.execute(
            """insert into scheduling_session (practitioner_id, location_id, on_date, part, starts_at, ends_at, mode, slot_minutes)
               select p.id, (select id from tenancy_location order by id limit 1), d::date, 'MORNING', d + interval '1 hour',
                      d + interval '1 hour' + %(long)s, 'SLOTS', 15
                 from records_practitioner p, generate_series(%(first)s::timestamptz, %(first)s + interval '30 days', interval '1 day') as d
                limit %(sessions)s""",
            {"long": SLOT * PER_SESSION, "first": now + timedelta(days=in_days), "sessions": count // PER_SESSION + 1},
        )
        return [
            (row["id"], row["at"])
            for row in sql.rows(
                """select s.id, g as at from scheduling_session s, generate_series(s.starts_at, s.ends_at - %(slot)s, %(slot)s) as g
                    where s.starts_at between %(first)s and %(last)s order by md5(s.id::text || g::text) limit %(count)s""",
                {
                    "slot": SLOT,
                    "first": now + timedelta(days=in_days - 1),
                    "last": now + timedelta(days=in_days + 90),
                    "count": count,
                },
            )
        ]


def _contend(
    client: Callable[..., tuple[int, int]], given: Sequence[Any], wanted: list[tuple[UUID, datetime]]
) -> dict[str, float]:
    """Let all clients want all places in the same order; return what they won and how fast."""
    from django.db import connections

    for alias in ("default", "owner"):
        connections[alias].close()
        connections[alias].close_pool()  # type: ignore[attr-defined]
    context = multiprocessing.get_context("fork")
    ready = context.Barrier(CLIENTS + 1)
    answers: Any = context.Queue()
    workers = [
        context.Process(target=_client, args=(client, given, wanted, number, ready, answers))
        for number in range(CLIENTS)
    ]
    for worker in workers:
        worker.start()
    ready.wait()
    began = time.perf_counter()
    results = [answers.get() for _worker in workers]
    took = time.perf_counter() - began
    for worker in workers:
        worker.join()
    wins, tries = sum(one[0] for one in results), sum(one[1] for one in results)
    return {"wins": wins, "wins_per_second": wins / took, "tries_per_second": tries / took}


def _client(
    client: Callable[..., tuple[int, int]], given: Sequence[Any], wanted: Any, number: int, ready: Any, answers: Any
) -> None:
    answers.put(client(*given, wanted=wanted, number=number, ready=ready))


def bare_client(organization: UUID, *, wanted: list[tuple[UUID, datetime]], number: int, ready: Any) -> tuple[int, int]:
    """Insert a bare row for each place, one commit each; the first of all clients wins."""
    import psycopg
    from django.db import connection

    table = _bare_table(organization)
    with psycopg.connect(**_parameters(), autocommit=True) as made:
        if number == 0:
            made.execute(
                f"create table if not exists {table} (session_id uuid, starts_at timestamptz, by_whom int, primary key (session_id, starts_at))"
            )
        ready.wait()
        wins = sum(
            made.execute(f"insert into {table} values (%s, %s, %s) on conflict do nothing", [*place, number]).rowcount
            for place in wanted
        )
    connection.close()
    return wins, len(wanted)


def _bare_table(organization: UUID) -> str:
    return f"bench_place_{organization.hex[-12:]}"


def _drop_bare(organization: UUID) -> None:
    from django.db import connections

    with connections["owner"].cursor() as cursor:
        cursor.execute(f"drop table if exists {_bare_table(organization)}")
    connections["owner"].close()


def _parameters() -> dict[str, Any]:
    """Where the database is, for a connection of one's own as the owner."""
    from django.db import connections

    given = connections["owner"].get_connection_params()
    return {name: value for name, value in given.items() if name in ("dbname", "user", "password", "host", "port")}


def booking_client(
    organization: UUID, service: UUID, *, wanted: list[tuple[UUID, datetime]], number: int, ready: Any
) -> tuple[int, int]:
    """Book each place for a patient of one's own through the service, one transaction each."""
    from django.db import connections

    from careloop.kernel import sql
    from careloop.scheduling import errors, services
    from careloop.scheduling.places import Place
    from careloop.tenancy.context import in_organization

    now = datetime.now(UTC)
    with in_organization(organization):
        people = [
            row["id"] for row in sql.rows(
                "select id from patients_patient order by id offset %s limit %s", [number * len(wanted), len(wanted)]
            )
        ]  # fmt: skip
    wins = 0
    ready.wait()
    for who, (session, at) in zip(people, wanted, strict=True):
        try:
            with in_organization(organization):
                services.book(
                    patient_id=who,
                    service_id=service,
                    place=Place(session, at),
                    source="portal",
                    key="",
                    now=now,
                    by=None,
                )
        except errors.NoPlace:
            continue
        wins += 1
    connections["default"].close()
    connections["default"].close_pool()  # type: ignore[attr-defined]
    return wins, len(wanted)


def _double(wanted: list[tuple[UUID, datetime]]) -> int:
    """Count places that somebody shares, trusting no constraint."""
    from careloop.kernel import sql

    return int(
        sql.value(
            """select count(*) from (select session_id, starts_at from scheduling_appointment
                where session_id = any(%s) and state = 'booked' group by 1, 2 having count(*) > 1) as twice""",
            [list({session for session, _at in wanted})],
        )
    )


# -- over HTTP -------------------------------------------------------------------------------------------------------


def _over_http(organization: UUID, service: UUID, count: int, now: datetime) -> float:
    """Book places of one's own through the API with clients at once; return bookings/s."""
    import http.client
    import json
    import threading

    from careloop.api import services as tokens
    from careloop.bench.server import serving
    from careloop.kernel import sql
    from careloop.tenancy.context import in_organization

    with in_organization(organization):
        _token, secret = tokens.create_token(name="bench", scopes=["appointments:write"], by=None, now=now)
        people = [row["id"] for row in sql.rows("select id from patients_patient order by id desc limit %s", [count])]
    wanted = _wanted(organization, count, now, in_days=500)
    asked = [
        json.dumps({"patient_id": str(who), "service_id": str(service), "session_id": str(session), "starts_at": at.isoformat()})
        for who, (session, at) in zip(people, wanted, strict=True)
    ]  # fmt: skip
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    failures: list[str] = []

    def client(port: int, mine: Sequence[str]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for body in mine:
            connection.request("POST", "/api/v1/appointments", body, headers)
            answer = connection.getresponse()
            said = answer.read()
            if answer.status != 201:
                failures.append(f"{answer.status}: {said[:300]!r}")
        connection.close()

    with serving() as server:
        client(server.port, asked[:50])
        rest = asked[50:]
        threads = [
            threading.Thread(target=client, args=(server.port, rest[number::CLIENTS])) for number in range(CLIENTS)
        ]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.perf_counter() - began
    if failures:
        raise RuntimeError(f"{len(failures)} bookings failed: {failures[0]}")
    return len(rest) / took
