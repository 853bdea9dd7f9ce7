"""A hundred want the last one at once, from several processes: one gets it, and nobody else loses a point."""

import json
import os
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

from django.db import connections

from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.kernel.ids import uuid7
from careloop.loyalty.models import Redemption, Reward
from careloop.loyalty.reward import redemptions
from careloop.loyalty.tests.reward_support import NOW, anything_goes, reward, rich, somebody
from careloop.tenancy.context import in_organization
from tests.crash.killing import close_connections, start

PROCESSES, CLIENTS, THREADS = 4, 100, 8


def rush(organization_id, tries) -> Counter:
    """Let each process do its tries, some at a time as a web server does; return what came of them."""

    def attempt(call) -> str:
        try:
            with in_organization(organization_id):
                try:
                    return str(call())
                except DomainError as refused:
                    return refused.code
        finally:
            connections["default"].close()

    def work(mine, file: Path) -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            file.write_text(json.dumps(list(pool.map(attempt, mine))))
        connections.close_all()

    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / str(number) for number in range(PROCESSES)]
        pids = [
            start(lambda mine=tries[turn::PROCESSES], file=file: work(mine, file)) for turn, file in enumerate(files)
        ]
        for pid in pids:
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        found = Counter(one for file in files for one in json.loads(file.read_text()))
    close_connections()
    return found


def many_members(count: int) -> list[UUID]:
    """Copy one member's account, lots and all, would take long: each of the others is given points in one statement."""
    first = rich(0)
    columns = [
        row["column_name"] for row in sql.rows(
            "select column_name from information_schema.columns where table_name = 'patients_patient' and column_name not in ('id', 'chart_number')"
        )
    ]  # fmt: skip
    names = ", ".join(columns)
    people = sql.rows(
        f"insert into patients_patient (id, {names}) select careloop_new_id(), {names} from patients_patient, generate_series(1, %s) where id = %s returning id",
        [count, first.patient_id],
    )
    from careloop.loyalty.models import Account
    from careloop.loyalty.points import ledger

    made = Account.objects.bulk_create(
        Account(programme_id=first.programme_id, kind="PATIENT", patient_id=row["id"], joined_at=NOW) for row in people
    )
    because = ledger.Because("MANUAL")
    ledger.earn_many([ledger.Earning(one.pk, 100, f"gift:{one.pk}", because) for one in made], now=NOW)
    return [one.pk for one in made]


def test_one_of_a_hundred_gets_the_last_one(committed_organization):
    with in_organization(committed_organization.id):
        anything_goes(committed_organization)
        one, people = reward(points=60, stock=1), many_members(CLIENTS)

    def want(who: UUID):
        return lambda: redemptions.redeem(account_id=who, reward_id=one.pk, key=uuid7().hex, now=NOW, by=None).state

    found = rush(committed_organization.id, [want(who) for who in people])

    assert found == Counter({"RESERVED": 1, "loyalty.sold_out": CLIENTS - 1})
    with in_organization(committed_organization.id):
        assert Reward.objects.get(pk=one.pk).stock == 0
        assert Counter(sql.value("select array_agg(balance) from loyalty_account where kind = 'PATIENT' and id = any(%s)", [people])) == {
            100: CLIENTS - 1, 40: 1,
        }  # fmt: skip


def test_a_code_shown_at_forty_desks_at_once_is_taken_at_one(committed_organization):
    with in_organization(committed_organization.id):
        anything_goes(committed_organization)
        made = redemptions.redeem(account_id=rich().pk, reward_id=reward(per_member=1).pk, key="form", now=NOW, by=None)
        by = somebody().pk

    def show(desk: int):
        return lambda: redemptions.confirm(redemption_id=made.pk, key=f"desk {desk}", now=NOW, by=by).state

    found = rush(committed_organization.id, [show(desk) for desk in range(40)])

    assert found == Counter({"CONFIRMED": 1, "loyalty.code_used": 39})
    with in_organization(committed_organization.id):
        assert Redemption.objects.get().state == "CONFIRMED"
