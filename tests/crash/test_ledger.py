"""Eight processes post points at random and are killed in the midst of it: nothing lost, nothing twice, and it adds up.

The whole measure (8 × 10,000 operations, 400 kills): CARELOOP_TEST_POSTINGS=10000. An ordinary run does a small part of it.
"""

import json
import os
import random
import signal
import time
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.loyalty.models import Account
from careloop.loyalty.points import ledger, verify
from careloop.loyalty.tests.support import member, open_programme
from careloop.tenancy.context import in_organization
from tests.crash.killing import start

WORKERS, MEMBERS = 8, 12
EACH = int(os.environ.get("CARELOOP_TEST_POSTINGS", "60"))
KILLS = max(10, EACH // 25)
START = datetime(2026, 3, 16, 2, 0, tzinfo=UTC)
EARNED, BOUGHT, UNDONE = ledger.Because("EARN_RULE"), ledger.Because("REWARD"), ledger.Because("REFUND")
COUNTED = ledger.Because("MANUAL", note="counted again")


def operate(worker: int, turn: int, accounts: list[Any]) -> list[tuple[str, Any, int]]:
    """Do what this turn of this worker always does; return key, account and points of what was posted."""
    dice = random.Random(f"{worker}:{turn}")
    key, account, points = f"{worker}:{turn}", dice.choice(accounts), dice.randint(1, 50)
    now = START + timedelta(hours=turn)
    days = dice.choice([None, 0, 3, 20])
    ends = None if days is None else (now + timedelta(days=days)).date()
    kind = dice.choices(("earn", "many", "spend", "reverse", "adjust", "expire"), (30, 5, 30, 20, 10, 5))[0]
    if kind == "earn":
        posted = ledger.earn(account_id=account, points=points, key=key, because=EARNED, now=now, expires_on=ends)
    elif kind == "many":
        rows = [
            ledger.Earning(one, points, f"{key}:{n}", EARNED, expires_on=ends)
            for n, one in enumerate(dice.choices(accounts, k=9))
        ]
        return [
            (row.key, one.account_id, one.points)
            for row, one in zip(rows, ledger.earn_many(rows, now=now), strict=True)
        ]
    elif kind == "spend":
        posted = ledger.spend(account_id=account, points=points, key=key, because=BOUGHT, now=now)
    elif kind == "reverse":
        # somebody else's earlier turn, half the time; it may not be there, or be reversed already
        of = f"{dice.choice((worker, dice.randrange(WORKERS)))}:{max(0, turn - dice.randint(1, 8))}"
        posted = ledger.reverse(key=key, of_key=of, points=dice.choice((None, points)), because=UNDONE, now=now)
        account = posted.account_id
    elif kind == "adjust":
        posted = ledger.adjust(account_id=account, points=points - 25 or 1, key=key, because=COUNTED, now=now, by=None)
    else:
        ledger.expire(now=now)
        return []
    return [(key, posted.account_id, posted.points)]


def work(organization: Any, worker: int, accounts: list[Any], log: Path) -> None:
    """Go on where the log ends; a turn stands there once it is committed."""
    done = log.read_bytes().count(b"\n") if log.exists() else 0
    with open(log, "r+b" if log.exists() else "wb") as file:
        whole = file.read().rfind(b"\n") + 1 if done else 0
        file.truncate(whole)  # half a line is a turn that is not known to be done
        file.seek(whole)
        for turn in range(done, EACH):
            posted = []
            with suppress(DomainError), in_organization(organization):
                posted = operate(worker, turn, accounts)
            os.write(
                file.fileno(),
                json.dumps([[key, str(account), points] for key, account, points in posted]).encode() + b"\n",
            )


@pytest.mark.crash
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_killed_while_posting_the_points_add_up(
    own_database: None, committed_organization: Any, tmp_path: Path
) -> None:
    """What was acknowledged is there, once; what was not is tried again under its key, and is there once, too."""
    organization, dice = committed_organization.id, random.Random(7)
    with in_organization(organization):
        programme = open_programme(START)
        accounts = [member(programme, START, f"會員{n}") for n in range(MEMBERS)]
    logs = [tmp_path / str(worker) for worker in range(WORKERS)]

    def begin(worker: int) -> int:
        return start(lambda: work(organization, worker, accounts, logs[worker]))

    running = {begin(worker): worker for worker in range(WORKERS)}
    kills, failed = 0, []
    pause = min(0.5, EACH / KILLS / 60)
    while running:
        time.sleep(dice.uniform(0, pause))
        if kills < KILLS:
            victim = dice.choice(sorted(running))
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
            kills += 1
        for pid in list(running):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                worker = running.pop(pid)
                if os.WIFSIGNALED(status):
                    running[begin(worker)] = worker
                elif os.WEXITSTATUS(status):
                    failed.append(worker)
    assert failed == []

    told = [tuple(one) for log in logs for line in log.read_text().splitlines() for one in json.loads(line)]
    sums: Counter[str] = Counter()
    for _key, account, points in told:
        sums[account] += points
    with in_organization(organization):
        books = verify.check_books()
        kept = {
            row["key"]: row["points"]
            for row in sql.rows("select key, points from loyalty_entry where kind <> 'EXPIRE'")
        }
        gone = {
            row["from_member_id"]: row["sum"]
            for row in sql.rows(
                "select from_member_id::text, sum(points) from loyalty_entry where kind = 'EXPIRE' group by 1"
            )
        }
        balances = {str(one.pk): one.balance for one in Account.objects.filter(kind="PATIENT")}
        published = sql.value("select count(*) from events_event where kind like 'loyalty.points%%'", [])
    assert books.differences == []
    assert len(told) == len({key for key, *_ in told}) == len(kept)
    assert {key: abs(points) for key, _account, points in told} == kept
    assert {account: balances[account] + int(gone.get(account, 0)) for account in balances} == {
        account: sums[account] for account in balances
    }
    assert published == books.entries
    print(f"{kills} kills, {len(told)} postings of {WORKERS * EACH} operations, {books.entries} entries")
