"""Pages: how fast the patients list and the patient page answer, beside a bare page and a bare query in the same run."""

import argparse
import asyncio
import http.client
import os
import random
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

from yarl import URL

from careloop.bench.server import serving

NAME = "pages"
SLUG = "bench-pages"
GOAL_P50, GOAL_P95 = 12.0, 30.0
GOAL_P50_AT_8, GOAL_P95_AT_8 = 50.0, 100.0
GOAL_RATE_AT_8 = 200
GOAL_MEMORY = 300
CLIENTS = 8

Say = Callable[[str], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--patients", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=400, help="requests of each kind")
    parser.add_argument("--remake", action="store_true", help="make the clinic anew even if it is there")


def run(options: argparse.Namespace, say: Say) -> dict[str, Any]:
    """Measure over HTTP, on a clinic of its own that is kept for the next run."""
    organization = _clinic(options, say)
    cookie = _sign_in(organization)
    pages = _addresses(organization, options.requests)
    bare = _bare_query(organization)
    figures: dict[str, Any] = {}
    with serving() as server:
        limits = {
            "one bare query of 50 rows, ms p50": bare,
            "bare page /healthz, ms p50": _one_by_one(server.port, "", ["/healthz"] * 200)[0],
        }
        for name, paths in pages.items():
            _one_by_one(server.port, cookie, paths[:20])
            p50, p95, size = _one_by_one(server.port, cookie, paths)
            figures |= {f"{name}, ms p50": p50, f"{name}, ms p95": p95, f"{name}, KiB": size}
            p50, p95, rate = _at_once(server.port, cookie, paths)
            figures |= {
                f"{name}, {CLIENTS} clients, ms p50": p50,
                f"{name}, {CLIENTS} clients, ms p95": p95,
                f"{name}, {CLIENTS} clients, pages/s": rate,
            }
            say(f"{name}: measured")
        figures["memory of 2 web workers and a worker, MiB"] = server.memory()
    return {
        "bench": NAME,
        "size": {"patients": options.patients, "requests": options.requests},
        "figures": figures,
        "limits": limits | {
            "goal p50, ms": GOAL_P50, "goal p95, ms": GOAL_P95, "goal p50 at 8, ms": GOAL_P50_AT_8, "goal p95 at 8, ms": GOAL_P95_AT_8,
            "goal pages/s at 8 (patient page)": GOAL_RATE_AT_8, "goal memory, MiB": GOAL_MEMORY,
        },
        "ratios": {f"{name} over a bare page": round(figures[f"{name}, ms p50"] / max(limits["bare page /healthz, ms p50"], 0.01), 1) for name in pages},
    }  # fmt: skip


# -- the clinic ------------------------------------------------------------------------------------------------


def _clinic(options: argparse.Namespace, say: Say) -> UUID:
    """A clinic of the demo's people, brought in by the import, with its roll-ups kept by the readers."""
    from django.conf import settings
    from django.utils import timezone

    from careloop.audit.services import Actor, acting_as
    from careloop.demo import source
    from careloop.events.readers import run_all
    from careloop.integrations.imports import pipeline, services
    from careloop.kernel import sql
    from careloop.tenancy.context import in_organization
    from careloop.tenancy.services import create_organization, organization_ids

    slug = f"{SLUG}-{options.patients}"
    known = {name: identifier for identifier, name in organization_ids()}
    if slug in known and not options.remake:
        with in_organization(known[slug]):
            if sql.value("select count(*) from facts_patient") >= options.patients:
                say(f"using the clinic {slug} of an earlier run")
                return known[slug]
    now = timezone.now()
    if slug in known:
        slug += f"-{os.getpid()}"
    organization = create_organization(slug=slug, name="頁面測量診所", now=now).id
    path = Path(settings.CARELOOP_FILES) / f"{slug}.ndjson"
    path.parent.mkdir(parents=True, exist_ok=True)
    say(f"making up {options.patients} patients")
    source.write_export(path, count=options.patients, seed=1, today=timezone.localdate(now))
    try:
        with acting_as(Actor("command", name="careloop bench pages", via="command")):
            with in_organization(organization):
                batch = services.create_batch(
                    kind="csv",
                    path=path,
                    name=path.name,
                    source="bench",
                    document=None,
                    dry_run=False,
                    by=None,
                    now=now,
                )
                services.start(batch, now=now)
            started = time.perf_counter()
            pipeline.run(batch, source.read_export(path), organization_id=organization, now=timezone.now)
            with in_organization(organization):
                services._finish(batch, "DONE", "", now=timezone.now())
            say(f"imported in {time.perf_counter() - started:.0f} s; the readers follow")
            run_all(organization, now=timezone.now())
    finally:
        path.unlink(missing_ok=True)
    return organization


def _sign_in(organization: UUID) -> str:
    """Return the session cookie of an owner."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.utils import timezone

    from careloop.accounts.models import Membership, User
    from careloop.accounts.recognizing import SessionStore
    from careloop.tenancy.context import in_organization

    email = f"{organization}@bench.careloop.test"
    with in_organization(organization):
        user = User.objects.filter(email=email).first() or User.objects.create_user(email, None, name="測量")
        Membership.objects.get_or_create(user=user, defaults={"role": "owner"})
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session["started_at"] = session["seen_at"] = timezone.now().timestamp()
    session.set_expiry(timedelta(hours=2))
    session.save()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}; {settings.LANGUAGE_COOKIE_NAME}=zh-hant"


def _addresses(organization: UUID, count: int) -> dict[str, list[str]]:
    from careloop.kernel import sql
    from careloop.tenancy.context import in_organization

    with in_organization(organization):
        ids = [row["id"] for row in sql.rows("select id from patients_patient order by id limit 20000")]
    dice = random.Random(7)
    chosen = dice.choices(ids, k=count)
    words = ["林", "陳志", "美玲", "怡君", "0001", "79/3/5", "678", "王小美"]
    return {
        "patients list": ["/patients/"] * count,
        "patient page": [f"/patients/{one}/" for one in chosen],
        "search": [f"/search/?q={quote(dice.choice(words))}" for _ in range(count)],
    }


def _bare_query(organization: UUID) -> float:
    """Fifty rows joined with their roll-ups, as the application, without a page around them."""
    from careloop.kernel import sql
    from careloop.tenancy.context import in_organization

    times = []
    with in_organization(organization):
        for _ in range(50):
            started = time.perf_counter()
            sql.rows(
                """select p.id, p.name, p.chart_number, p.sex, p.birth_date, f.last_visit_on, f.visits, f.self_pay_12m
                     from patients_patient p join facts_patient f on f.patient_id = p.id
                    order by p.updated_at desc, p.id desc limit 50"""
            )
            times.append((time.perf_counter() - started) * 1000)
    return round(statistics.median(times), 2)


# -- asking ----------------------------------------------------------------------------------------------------


def _get(connection: http.client.HTTPConnection, path: str, cookie: str) -> tuple[float, int]:
    started = time.perf_counter()
    connection.request("GET", path, headers={"Cookie": cookie} if cookie else {})
    answer = connection.getresponse()
    body = answer.read()
    took = (time.perf_counter() - started) * 1000
    if answer.status != 200:
        raise RuntimeError(f"{path.split('?')[0]} answered {answer.status}")
    return took, len(body)


def _one_by_one(port: int, cookie: str, paths: Sequence[str]) -> tuple[float, float, float]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    found = [_get(connection, path, cookie) for path in paths]
    connection.close()
    times = sorted(took for took, _size in found)
    return _quantile(times, 0.5), _quantile(times, 0.95), round(found[-1][1] / 1024, 1)


def _at_once(port: int, cookie: str, paths: Sequence[str]) -> tuple[float, float, float]:
    """Ask with several clients that take little of the machine they measure: one thread, answers parsed in C."""
    import aiohttp

    left = iter(paths)
    times: list[float] = []

    async def client(session: aiohttp.ClientSession) -> None:
        for path in left:
            started = time.perf_counter()
            async with session.get(URL(f"http://127.0.0.1:{port}{path}", encoded=True)) as answer:
                await answer.read()
            times.append((time.perf_counter() - started) * 1000)
            if answer.status != 200:
                raise RuntimeError(f"{path.split('?')[0]} answered {answer.status}")

    async def ask() -> float:
        connector = aiohttp.TCPConnector(limit=CLIENTS)
        async with aiohttp.ClientSession(
            connector=connector, headers={"Cookie": cookie}, skip_auto_headers=["Accept-Encoding"], cookie_jar=aiohttp.DummyCookieJar()
        ) as session:  # fmt: skip
            started = time.perf_counter()
            await asyncio.gather(*(client(session) for _ in range(CLIENTS)))
            return time.perf_counter() - started

    took = asyncio.run(ask())
    times.sort()
    return _quantile(times, 0.5), _quantile(times, 0.95), round(len(times) / took, 1)


def _quantile(times: Sequence[float], share: float) -> float:
    return round(times[min(len(times) - 1, int(len(times) * share))], 2)
