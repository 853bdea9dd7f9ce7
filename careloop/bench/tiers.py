"""Tiers of a million members: worked out the first time, again, from the records, and tried, beside bare updates of the same rows."""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

NAME = "tiers"
GOAL_S, GOAL_ONE_MS = 60, 20
SHORT_WINDOW_MONTHS = 6
Say = Callable[[str], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--members", type=int, default=1_000_000)
    parser.add_argument(
        "--visits",
        type=int,
        default=2_000_000,
        help="visits in the records, for windows that the wide rows do not hold",
    )
    parser.add_argument("--explain", action="store_true", help="print the plan of the first step on stderr")


def run(options: argparse.Namespace, say: Say) -> dict[str, Any]:
    """Measure in an organization of its own, made in sets and removed at the end."""
    from careloop.bench import clinic
    from careloop.tenancy.services import create_organization

    now = datetime.now(UTC).replace(microsecond=0)
    organization = create_organization(slug=f"bench-tiers-{os.getpid()}", name="安心診所", now=now).id
    try:
        return _measure(organization, _make_data(organization, options, now, say), options, now, say)
    finally:
        say("removing the data")
        _empty(organization)
        clinic.remove(organization)


def _measure(
    organization: UUID, programme: UUID, options: argparse.Namespace, now: datetime, say: Say
) -> dict[str, Any]:
    from careloop.kernel import sql
    from careloop.loyalty.tier import setup as tier_setup
    from careloop.loyalty.tier import standing
    from careloop.loyalty.tier.setup import Definition
    from careloop.tenancy.context import in_organization

    if options.explain:
        _explain(organization, programme, now, say)
    say("working out everybody's tier for the first time")
    first, risen = _timed(lambda: standing.recompute(programme, organization_id=organization, now=now))
    say(f"{risen:,} rose in {first:.1f} s; again")
    again, moved = _timed(lambda: standing.recompute(programme, organization_id=organization, now=now))
    assert moved == 0, moved
    with in_organization(organization):
        tried, run_ = _timed(
            lambda: standing.dry_run(programme, tier_setup.proposed(programme, _stricter(programme)), now=now)
        )
        people = [
            row["id"]
            for row in sql.rows(
                "select patient_id as id from loyalty_account where kind = 'PATIENT' order by md5(id::text) limit 100"
            )
        ]
    one_ms = []
    for person in people:
        with in_organization(organization):
            took, _moved = _timed(lambda who=person: standing.evaluate(programme, patient_ids=[who], now=now))  # type: ignore[misc]
        one_ms.append(took * 1000)
    say("with a window that only the records hold")
    with in_organization(organization):
        rules = standing.rules_of(programme)
        for one in rules:
            wanted = Definition(
                one.name, one.rule.rank, one.rule.join, {"VISITS": one.rule.rank}, months=SHORT_WINDOW_MONTHS
            )
            tier_setup.write(programme, wanted, tier_id=one.id, now=now)
    from_records, moved = _timed(lambda: standing.recompute(programme, organization_id=organization, now=now))
    say("the same rows in bare updates")
    bare, _rows = _timed(lambda: _bare(organization))
    return {
        "bench": NAME, "size": {"members": options.members, "visits": options.visits, "rose": risen, "moved_by_records": moved},
        "figures": {
            "first_s": round(first, 1), "again_s": round(again, 1), "from_records_s": round(from_records, 1), "dry_run_s": round(tried, 1),
            "dry_run_rises": run_.rises, "dry_run_falls": run_.falls, "one_patient_ms": round(statistics.median(one_ms), 1),
            "goal_s": GOAL_S, "goal_one_patient_ms": GOAL_ONE_MS,
        },
        "limits": {"bare_update_of_every_account_s": round(bare, 1)},
        "ratios": {"first_to_bare_update": round(first / bare, 2), "again_to_bare_update": round(again / bare, 2)},
    }  # fmt: skip


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    found = work()
    return time.perf_counter() - started, found


def _stricter(programme: UUID) -> Any:
    from careloop.loyalty.tier.setup import Definition

    return Definition("試試看", 9, "ANY", {"VISITS": 12, "SELF_PAY": 60_000})


def _bare(organization: UUID) -> int:
    from careloop.kernel import sql
    from careloop.tenancy.context import in_organization

    with in_organization(organization):
        return sql.execute("update loyalty_account set version = version + 1 where kind = 'PATIENT'")


def _explain(organization: UUID, programme: UUID, now: datetime, say: Say) -> None:
    from careloop.kernel import sql
    from careloop.loyalty.tier import standing
    from careloop.tenancy.context import in_organization

    with in_organization(organization):
        rules = standing.rules_of(programme)
        params = {**standing.parameters(programme, rules, now=now)}
        for row in sql.rows(
            f"explain (analyze, buffers) {standing.statement(rules, standing.EVERYBODY, writes=False, reviews=params['reviews'])}",
            params,
        ):
            say(row["QUERY PLAN"])


def _make_data(organization: UUID, options: argparse.Namespace, now: datetime, say: Say) -> UUID:
    """Make members, their wide rows and visits in sets; a few come often, most rarely."""
    from careloop.bench import clinic
    from careloop.kernel import sql
    from careloop.loyalty.models import Programme
    from careloop.loyalty.tier import setup as tier_setup
    from careloop.loyalty.tier.setup import Definition
    from careloop.tenancy.context import in_organization

    began = time.perf_counter()
    with in_organization(organization):
        programme: UUID = Programme.objects.create(
            name="會員計畫", state="OPEN", created_at=now, changed_at=now, opened_at=now
        ).pk
        for statement in (PATIENTS, FACTS, ACCOUNTS, VISITS):
            sql.execute(
                statement, {"members": options.members, "visits": options.visits, "programme": programme, "now": now}
            )
        for rank, (name, visits, spend) in enumerate(
            (("銀卡", 4, 10_000), ("金卡", 8, 30_000), ("白金", 15, 80_000)), 1
        ):
            wanted = Definition(name, rank, "ANY", {"VISITS": visits, "SELF_PAY": spend})
            tier_setup.write(programme, wanted, tier_id=None, now=now)
    clinic.analyze("loyalty_account", "facts_patient", "records_encounter", "patients_patient")
    say(f"{options.members:,} members and {options.visits:,} visits made in {time.perf_counter() - began:.0f} s")
    return programme


PATIENTS = """insert into patients_patient (id, name, name_grams, sex, created_at, updated_at)
    select md5(%(programme)s::text || n)::uuid, '會員' || n, '{}', 'female', %(now)s, %(now)s
      from generate_series(1, %(members)s) as n"""
FACTS = """insert into facts_patient (patient_id, visits, visits_12m, self_pay_total, self_pay_12m, first_visit_on, last_visit_on)
    select id, v, v, m, m, current_date - 600, current_date - (random() * 300)::int
      from (select id, (-ln(greatest(random(), 1e-9)) * 3)::int as v, (-ln(greatest(random(), 1e-9)) * 9000)::int as m from patients_patient) as p"""
ACCOUNTS = """insert into loyalty_account (id, programme_id, kind, patient_id, joined_at)
    select careloop_new_id(), %(programme)s, 'PATIENT', id, %(now)s from patients_patient"""
VISITS = """insert into records_encounter (id, patient_id, status, started_at, recorded_at)
    select careloop_new_id(), md5(%(programme)s::text || (1 + (random() * random() * (%(members)s - 1))::int))::uuid,
           'finished', %(now)s - random() * interval '400 days', %(now)s
      from generate_series(1, %(visits)s)"""


def _empty(organization: UUID) -> None:
    """Empty the large tables first: for each patient taken away the database looks who refers to them, through dead rows too."""
    from django.db import connections

    with connections["owner"].cursor() as cursor:
        cursor.execute("select set_config('careloop.organization', %s, false)", [str(organization)])
        for table in ("loyalty_tier_change", "loyalty_account", "events_event", "records_encounter", "facts_patient"):
            cursor.execute(f'delete from "{table}" where organization_id = %s', [organization])
            cursor.execute(f'vacuum "{table}"')
    connections["owner"].close()
