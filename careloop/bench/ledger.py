"""Points: postings over 100,000 accounts and on one hot account beside PostgreSQL's own single-row commits; in batches too."""

import argparse
import multiprocessing
import os
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

NAME = "ledger"
GOAL_RATIO, GOAL_HOT = 0.45, 600
CLIENTS, BATCH = 8, 1_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--accounts", type=int, default=100_000, help="how many members there are")
    parser.add_argument("--postings", type=int, default=16_000, help="how many are posted, one commit each")


def run(options: argparse.Namespace, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure in an organization of its own, which is removed at the end."""
    from careloop.bench import clinic
    from careloop.tenancy.services import create_organization

    now = datetime.now(UTC)
    organization = create_organization(slug=f"bench-ledger-{os.getpid()}", name="安心診所", now=now)
    try:
        return _measure(options, organization.id, now, say)
    finally:
        _drop_bare(organization.id)
        clinic.remove(organization.id)


def _measure(
    options: argparse.Namespace, organization: UUID, now: datetime, say: Callable[[str], None]
) -> dict[str, Any]:
    from careloop.bench import clinic
    from careloop.loyalty.points import verify
    from careloop.tenancy.context import in_organization

    with in_organization(organization):
        accounts = _prepare(options.accounts, now)
    _make_bare(organization, options.accounts)
    clinic.analyze("loyalty_account", "patients_patient")
    each = options.postings // CLIENTS
    whole = {}
    with in_organization(organization):
        whole["batch"] = _in_batches(accounts, now)
        whole["hot_batch"] = _in_batches([accounts[0]] * 20_000, now)
    say(
        f"in batches of {BATCH}: {whole['batch']:.0f} entries/s over all accounts, {whole['hot_batch']:.0f} on one account"
    )
    clinic.analyze("loyalty_account", "loyalty_entry", "loyalty_lot", "loyalty_lot_use")
    rates = {}
    for name, spread, client in (
        ("bare", options.accounts, bare_client), ("posted", options.accounts, posting_client),
        ("bare_hot", 1, bare_client), ("posted_hot", 1, posting_client),
    ):  # fmt: skip
        rates[name] = _together(client, (organization, accounts[-spread:] if spread == 1 else accounts, each))
        say(f"{name.replace('_', ', ')}: {rates[name]:.0f} commits/s, {CLIENTS} clients, {spread} accounts")
    with in_organization(organization):
        began = time.perf_counter()
        books = verify.check_books()
        took = time.perf_counter() - began
    say(f"{books.entries} entries looked through in {took:.1f} s: {len(books.differences)} differences")
    expected = len(accounts) + 20_000 + 2 * each * CLIENTS
    if not books.add_up or books.entries != expected:
        raise RuntimeError(f"{books.entries} entries instead of {expected}, differences: {books.differences[:5]}")
    return {
        "bench": NAME,
        "size": {"accounts": len(accounts), "postings": each * CLIENTS, "clients": CLIENTS, "batch": BATCH},
        "figures": {
            "postings_per_second": round(rates["posted"]), "hot_postings_per_second": round(rates["posted_hot"]), "goal_hot": GOAL_HOT,
            "batched_entries_per_second": round(whole["batch"]), "hot_batched_entries_per_second": round(whole["hot_batch"]),
            "check_of_books_seconds": round(took, 1), "differences": len(books.differences),
        },
        "limits": {
            "single_row_commits_per_second": round(rates["bare"]), "hot_single_row_commits_per_second": round(rates["bare_hot"]),
        },
        "ratios": {
            "postings_to_commits": round(rates["posted"] / rates["bare"], 2), "goal_postings_to_commits": GOAL_RATIO,
            "hot_to_hot_commits": round(rates["posted_hot"] / rates["bare_hot"], 2),
        },
    }  # fmt: skip


def _prepare(count: int, now: datetime) -> list[UUID]:
    """Make a programme with so many members."""
    from careloop.kernel import sql

    sql.execute(
        """insert into patients_patient (name, name_grams, sex, created_at, updated_at)
           select '病友' || n, '{}', 'unknown', %(now)s, %(now)s from generate_series(1, %(count)s) as n""",
        {"now": now, "count": count},
    )
    programme = sql.value(
        """insert into loyalty_programme (name, state, opened_at, created_at, changed_at)
           values ('安心會員', 'OPEN', %(now)s, %(now)s, %(now)s) returning id""",
        {"now": now},
    )
    return [
        row["id"] for row in sql.rows(
            """insert into loyalty_account (programme_id, kind, patient_id, joined_at)
               select %s, 'PATIENT', p.id, %s from patients_patient p returning id""",
            [programme, now],
        )
    ]  # fmt: skip


def _in_batches(accounts: list[UUID], now: datetime) -> float:
    """Give every account points once, a thousand at a time; return entries/s."""
    from careloop.kernel.ids import uuid7
    from careloop.loyalty.points import ledger

    because, name = ledger.Because("EARN_RULE"), uuid7().hex
    began = time.perf_counter()
    for start in range(0, len(accounts), BATCH):
        rows = [
            ledger.Earning(one, 100, f"{name}:{start + n}", because)
            for n, one in enumerate(accounts[start : start + BATCH])
        ]
        ledger.earn_many(rows, now=now)
    return len(accounts) / (time.perf_counter() - began)


def _together(client: Callable[..., None], given: tuple[UUID, list[UUID], int]) -> float:
    """Let all clients work at once; return what they commit in a second."""
    from django.db import connections

    for alias in ("default", "owner"):
        connections[alias].close()
        connections[alias].close_pool()  # type: ignore[attr-defined]
    context = multiprocessing.get_context("fork")
    ready = context.Barrier(CLIENTS + 1)
    workers = [context.Process(target=client, args=given, kwargs={"number": n, "ready": ready}) for n in range(CLIENTS)]
    for worker in workers:
        worker.start()
    ready.wait()
    began = time.perf_counter()
    for worker in workers:
        worker.join()
    took = time.perf_counter() - began
    if any(worker.exitcode for worker in workers):
        raise RuntimeError("a client failed")
    return given[2] * CLIENTS / took


def bare_client(organization: UUID, accounts: list[UUID], count: int, *, number: int, ready: Any) -> None:
    """Change one row of a bare table with each commit."""
    import psycopg

    chance = random.Random(number)
    with psycopg.connect(**_parameters(), autocommit=True) as made:
        ready.wait()
        for _turn in range(count):
            made.execute(
                f"update {_bare_table(organization)} set balance = balance + 1 where id = %s", [chance.choice(accounts)]
            )


def posting_client(organization: UUID, accounts: list[UUID], count: int, *, number: int, ready: Any) -> None:
    """Earn three times and spend once, again and again, each through the service in a transaction of its own."""
    from django.db import connections

    from careloop.loyalty.points import ledger
    from careloop.tenancy.context import in_organization

    chance, now = random.Random(number), datetime.now(UTC)
    earned, bought = ledger.Because("EARN_RULE", "bench"), ledger.Because("REWARD", "bench")
    name = f"{len(accounts)}:{number}"
    ready.wait()
    for turn in range(count):
        account, key = chance.choice(accounts), f"{name}:{turn}"
        with in_organization(organization):
            if turn % 4 == 3:
                ledger.spend(account_id=account, points=30, key=key, because=bought, now=now)
            else:
                ledger.earn(account_id=account, points=20, key=key, because=earned, now=now)
    connections["default"].close()
    connections["default"].close_pool()  # type: ignore[attr-defined]


def _bare_table(organization: UUID) -> str:
    return f"bench_points_{organization.hex[-12:]}"


def _make_bare(organization: UUID, count: int) -> None:
    import psycopg

    with psycopg.connect(**_parameters(), autocommit=True) as made:
        made.execute(
            f"create table {_bare_table(organization)} (id uuid primary key, balance bigint not null) with (fillfactor = 70)"
        )
        made.execute("select set_config('careloop.organization', %s, false)", [str(organization)])
        made.execute(
            f"insert into {_bare_table(organization)} select id, 0 from loyalty_account where kind = 'PATIENT'"
        )
        made.execute(f"vacuum analyze {_bare_table(organization)}")


def _drop_bare(organization: UUID) -> None:
    import psycopg

    with psycopg.connect(**_parameters(), autocommit=True) as made:
        made.execute(f"drop table if exists {_bare_table(organization)}")


def _parameters() -> dict[str, Any]:
    """Where the database is, for a connection of one's own as the owner."""
    from django.db import connections

    given = connections["owner"].get_connection_params()
    return {name: value for name, value in given.items() if name in ("dbname", "user", "password", "host", "port")}
