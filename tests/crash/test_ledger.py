"""Eight processes post, share and hand over points at random and are killed in the midst of it: nothing lost or twice, and it adds up.

The whole measure (8 × 10,000 operations, 400 kills): CARELOOP_TEST_POSTINGS=10000. An ordinary run does a small part of it.
"""

import itertools
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
from careloop.kernel.ids import uuid7
from careloop.loyalty.models import Account
from careloop.loyalty.points import ledger, pools, verify
from careloop.loyalty.points.pools import Consent
from careloop.loyalty.tests.support import member, open_programme
from careloop.patients import services as patients
from careloop.tenancy.context import in_organization
from tests.crash.killing import start

WORKERS, MEMBERS, FAMILY = 8, 12, 4
EACH = int(os.environ.get("CARELOOP_TEST_POSTINGS", "60"))
KILLS = max(10, EACH // 25)
START = datetime(2026, 3, 16, 2, 0, tzinfo=UTC)
EARNED, BOUGHT, UNDONE = ledger.Because("EARN_RULE"), ledger.Because("REWARD"), ledger.Because("REFUND")
COUNTED, HANDED = ledger.Because("MANUAL", note="counted again"), ledger.Because("TRANSFER")
KINDS = {
    "earn": 40,
    "many": 5,
    "spend": 30,
    "reverse": 20,
    "adjust": 10,
    "expire": 5,
    "hand": 15,
    "share": 15,
    "leave": 5,
}


def kind_of(worker: int, turn: int) -> str:
    return random.Random(f"kind {worker}:{turn}").choices(list(KINDS), list(KINDS.values()))[0]


def family_of(accounts: list[Any], account: Any) -> list[Any]:
    first = accounts.index(account) // FAMILY * FAMILY
    return accounts[first : first + FAMILY]


def patient_of(account: Any) -> Any:
    return Account.objects.get(pk=account).patient_id


def share(account: Any, family: list[Any], now: datetime) -> None:
    """Join the points that somebody of the family shares already, or begin to share."""
    sharing = Account.objects.filter(pk__in=family, pool_id__isnull=False).order_by("id").first()
    consent = Consent(patient_of(account))
    if sharing is None:
        pools.found(account_id=account, consent=consent, now=now, by=None)
    elif sharing.pool_id is not None:
        pools.invite(pool_id=sharing.pool_id, account_id=account, asked_by=sharing.patient_id, now=now, by=None)
        pools.answer(account_id=account, agrees=True, consent=consent, now=now, by=None)


def operate(worker: int, turn: int, accounts: list[Any]) -> list[tuple[str, Any, int]]:
    """Do what this turn of this worker always does; return key, account and points of what was posted."""
    dice = random.Random(f"{worker}:{turn}")
    key, account, points = f"{worker}:{turn}", dice.choice(accounts), dice.randint(1, 50)
    now = START + timedelta(hours=turn)
    days = dice.choice([None, 0, 3, 20])
    ends = None if days is None else (now + timedelta(days=days)).date()
    kind = kind_of(worker, turn)
    family = family_of(accounts, account)
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
    elif kind == "hand":
        other = dice.choice([one for one in family if one != account])
        posted = ledger.transfer(
            from_account_id=account, to_account_id=other, points=points, key=key, because=HANDED, now=now, by=None
        )
    else:
        if kind == "share":
            share(account, family, now)
        elif kind == "leave":
            pools.leave(account_id=account, consent=Consent(patient_of(account)), now=now, by=None)
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
        programme = open_programme(START, allows_pools=True, allows_transfers=True)
        accounts = [member(programme, START, f"會員{n}") for n in range(MEMBERS)]
        for one, other in itertools.combinations(accounts, 2):
            if other in family_of(accounts, one):
                patients.save_related_person(
                    patient_id=patient_of(one), related_person_id=uuid7(), name="", relative_id=patient_of(other), now=START, by=None
                )  # fmt: skip
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
    with in_organization(organization):
        books = verify.check_books()
        kept = sql.rows(
            """select key, kind, because, coalesce(from_member_id, to_member_id)::text as member,
                      case when from_member_id is null then points else -points end as points from loyalty_entry"""
        )
        held = sql.rows(
            """select balance, coalesce(a.patient_id, (select m.patient_id from loyalty_pool_member p join loyalty_account m on m.id = p.account_id
                                                        where p.pool_id = a.id limit 1)) as patient_id
                 from loyalty_account a where a.kind in ('PATIENT', 'POOL')"""
        )
        family = {patient_of(one): accounts.index(one) // FAMILY for one in accounts}
        published = sql.value("select count(*) from events_event where kind like 'loyalty.points%%'", [])
    posted = [one for one in kept if one["kind"] != "EXPIRE" and one["because"] != "POOL"]
    handed, moved = sum(one["kind"] == "TRANSFER" for one in posted), sum(one["because"] == "POOL" for one in kept)
    assert books.differences == []
    assert len(told) == len({key for key, *_ in told}) == len(posted)
    assert {key: (account, points) for key, account, points in told} == {one["key"]: (one["member"], one["points"]) for one in posted}  # fmt: skip
    # what a family has is what came and went by its members; what they share or hand over stays in it
    has: Counter[int] = Counter()
    for one in held:
        has[family[one["patient_id"]]] += one["balance"]
    came: Counter[int] = Counter()
    for one in kept:
        if one["kind"] != "TRANSFER":
            came[[str(account) for account in accounts].index(one["member"]) // FAMILY] += one["points"]
    assert has == came
    # giver and taker are both told; moving into a family's account and out of it is told as sharing
    assert published == books.entries + handed - moved
    assert EACH < 60 or (handed and moved)
    print(
        f"{kills} kills, {len(told)} postings of {WORKERS * EACH} operations, {books.entries} entries, {handed} handed over, {moved} shared"
    )
