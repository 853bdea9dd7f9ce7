"""The demo clinic's points: old paper cards brought over, some of it used and some ended, a mistake put right, and a family that shares."""

from datetime import date, datetime, timedelta
from uuid import UUID

from careloop.accounts.models import Membership
from careloop.demo import cast
from careloop.kernel import sql
from careloop.kernel.ids import uuid7
from careloop.loyalty.join import membership
from careloop.loyalty.models import Account, Programme
from careloop.loyalty.points import ledger, pools
from careloop.loyalty.points.ledger import Because, Earning
from careloop.loyalty.points.pools import Consent
from careloop.loyalty.points.rules import last_valid_day
from careloop.patients import services as patients
from careloop.patients.models import RelatedPerson

OLD_CARD = Because("MANUAL", note="舊集點卡點數轉入")
TAKEN = Because("REWARD", note="口腔清潔組")
MISTAKE = Because("CANCELLED", note="櫃檯誤按")
COUNTED = Because("MANUAL", note="講座簽到漏登，補給點數")
WRONG_CARD = Because("MANUAL", note="舊卡是別人的")
BROUGHT_DAYS_AGO, ENDED_DAYS_AGO = 20, 6


def play(*, now: datetime, seed: int) -> None:
    """Bring the old cards' points over. Running it again changes nothing."""
    programme = Programme.objects.filter(state=Programme.State.OPEN).order_by("opened_at").first()
    if programme is None:
        return
    brought_at = now - timedelta(days=BROUGHT_DAYS_AGO)
    accounts: list[UUID] = [
        row["id"] for row in sql.rows(
            """select a.id from loyalty_account a join patients_patient p on p.id = a.patient_id
                where a.kind = 'PATIENT' and a.state = 'ACTIVE' and a.programme_id = %s order by p.chart_number, a.id""",
            [programme.pk],
        )
    ]  # fmt: skip
    ended = (now - timedelta(days=ENDED_DAYS_AGO)).date()
    rows = [
        Earning(one, 20 + 7 * ((number + seed) % 9), f"demo-old:{one}", OLD_CARD, expires_on=ended)
        for number, one in enumerate(accounts)
    ] + [
        Earning(one, 30 + 10 * ((number + seed) % 5), f"demo-card:{one}", OLD_CARD, expires_on=_months_on(brought_at.date(), 4 + number % 14))
        for number, one in enumerate(accounts)
    ]  # fmt: skip
    ledger.earn_many(rows, now=brought_at)
    for number, one in enumerate(accounts):
        if number % 5 not in (0, 3):
            ledger.spend(account_id=one, points=20, key=f"demo-used:{one}", because=TAKEN, now=now - timedelta(days=12))
    while ledger.expire(now=now - timedelta(days=ENDED_DAYS_AGO - 1)):
        pass
    _put_right(accounts, now=now)
    _family(programme, now=now)


def _put_right(accounts: list[UUID], *, now: datetime) -> None:
    """What the desk did by hand: a redemption undone, points given and taken, and a card that was somebody else's."""
    desk = _desk()
    day = now - timedelta(days=2)
    ledger.reverse(of_key=f"demo-used:{accounts[1]}", key="demo-undone", because=MISTAKE, now=day, by=desk)
    ledger.adjust(account_id=accounts[2], points=15, key="demo-given", because=COUNTED, now=day, by=desk)
    last = accounts[4]
    left = Account.objects.get(pk=last).balance
    if left > 0:
        ledger.spend(account_id=last, points=left, key="demo-all", because=TAKEN, now=day)
    ledger.reverse(of_key=f"demo-card:{last}", key="demo-wrong-card", because=WRONG_CARD, now=day, by=desk)


def _family(programme: Programme, *, now: datetime) -> None:
    """The teacher of the cast shares points with her daughter, with a paper signed at the desk."""
    mother, child = (_patient(key) for key in ("wu", "huang"))
    if mother is None or child is None or not programme.allows_pools:
        return
    desk, day = _desk(), now - timedelta(days=1)
    known = RelatedPerson.objects.filter(patient_id=child, is_guardian=True).order_by("name").first()
    patients.save_related_person(
        patient_id=child, related_person_id=known.pk if known else uuid7(), name="", relationship="MTH", relative_id=mother, is_guardian=True,
        now=day, by=desk,
    )  # fmt: skip
    hers, childs = (
        membership.join(patient_id=one, programme_id=programme.pk, how="DESK", now=day, by=desk)
        for one in (mother, child)
    )
    ledger.earn(account_id=childs.pk, points=25, key=f"demo-card:{childs.pk}", because=OLD_CARD, now=day)
    pool = pools.found(account_id=hers.pk, consent=Consent(mother, "PAPER"), now=day, by=desk)
    pools.invite(pool_id=pool, account_id=childs.pk, asked_by=mother, now=day, by=desk)


def _patient(key: str) -> UUID | None:
    name = next(one.name for one in cast.CAST if one.key == key)
    found: UUID | None = sql.value("select id from patients_patient where name = %s and active limit 1", [name])
    return found


def _desk() -> UUID | None:
    member = Membership.objects.filter(role="front_desk").order_by("created_at").first()
    return member.user_id if member else None


def _months_on(day: date, months: int) -> date:
    """The last day of the month that lies so many months later."""
    return last_valid_day(day, valid_months=months) or day
