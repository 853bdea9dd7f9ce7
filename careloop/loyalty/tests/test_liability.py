"""What is owed in points: by month, worth, and which share may never be asked for."""

from datetime import date, timedelta

from careloop.bench.send import make_patients
from careloop.kernel import sql
from careloop.loyalty.models import Account
from careloop.loyalty.points import ledger, liability, rules

from .support import earn, member, open_programme, reverse, spend


def test_points_outstanding_by_month_and_what_members_owe(organization, now):
    programme = open_programme(now, point_value=50)
    first, second = member(programme, now), member(programme, now, "陳大文")
    earn(first, 100, now, expires_on=date(2026, 4, 30))
    earn(first, 31, now, expires_on=None)
    earn(second, 40, now, key="visit")
    spend(second, 40, now)
    reverse("visit", now)

    (one,) = liability.report(now=now)

    assert [(month.first_day, month.points, month.value) for month in one.months] == [
        (date(2026, 4, 1), 100, 50), (None, 31, 15),
    ]  # fmt: skip
    assert (one.points, one.value, one.owed, one.ending) == (131, 65, 40, 100)
    assert one.breakage is None


def test_the_share_that_expired_is_told_with_its_range_once_enough_members_have_ended_points(organization, now):
    programme = open_programme(now)
    make_patients(40, now)
    accounts = [
        one.pk for one in Account.objects.bulk_create(
            Account(programme=programme, kind="PATIENT", patient_id=row["id"], joined_at=now)
            for row in sql.rows("select id from patients_patient order by id")
        )
    ]  # fmt: skip
    because, today = ledger.Because("EARN_RULE"), date(2026, 3, 16)
    ledger.earn_many([ledger.Earning(one, 10, f"k{one}", because, expires_on=today) for one in accounts], now=now)
    for one in accounts[:30]:
        spend(one, 8, now)
    later = now + timedelta(days=2)
    ledger.expire(now=later)

    (one,) = liability.report(now=later)

    assert one.breakage is not None
    assert (one.breakage.members, one.breakage.share) == (40, 0.4)
    assert 0.25 < one.breakage.low < 0.35 < 0.45 < one.breakage.high < 0.55


def test_the_range_is_wide_when_members_differ():
    # half of 100 members let all of their ten points expire, the others none
    found = rules.breakage(
        members=100, ended=1000, expired=500, ended_squared=10_000, expired_squared=5_000, products=5_000
    )

    assert found is not None
    assert (found.share, round(found.low, 2), round(found.high, 2)) == (0.5, 0.4, 0.6)
