"""Setting up a programme, joining at the desk, the list of members, points for several, and the patient's own card."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from careloop.loyalty.join import membership
from careloop.loyalty.models import Account, Earning, EarnRule, Programme
from careloop.loyalty.tests.make import BEFORE, member, open_one, rule
from careloop.patients.tests.make import patient

pytestmark = pytest.mark.usefixtures("organization")


@pytest.fixture(autouse=True)
def abroad(organization):
    organization.legal_profile = "INTL"
    organization.save()
    return organization


@pytest.fixture
def owner(client_for):
    return client_for("owner")


@pytest.fixture
def desk(client_for):
    return client_for("front_desk")


PROGRAMME = {
    "name": "安心會員",
    "point_name": "點",
    "valid_months": "24",
    "when_spent": "NEGATIVE",
    "point_value": "1",
    "terms": "點數不可兌換現金。",
}


def test_a_programme_is_written_given_a_rule_and_opened(owner):
    assert "There is no membership programme yet" in owner.get(reverse("membership:home")).content.decode()

    owner.post(reverse("membership:programme_new"), {**PROGRAMME, "key": "019f0000-0000-7000-8000-000000000001"})
    made = Programme.objects.get()
    url = reverse("membership:rule_new", args=[made.pk])
    values = {"name": "自費回饋", "points": "1", "per_amount": "100", "rounding": "DOWN", "settle_days": "7", "priority": "100",
              "factor_1": "2", "days_1": ["2"], "key": "019f0000-0000-7000-8000-000000000002"}  # fmt: skip
    owner.post(f"{url}?kind=SELF_PAY", values)
    written = EarnRule.objects.get()
    owner.post(reverse("membership:rule_switch", args=[written.pk]), {"on": "yes"})
    owner.post(reverse("membership:programme_open", args=[made.pk]))

    made.refresh_from_db()
    written.refresh_from_db()
    assert (made.state, written.is_on, written.multipliers) == ("OPEN", True, [{"percent": 200, "weekdays": [2]}])
    page = owner.get(
        reverse("membership:programme", args=[made.pk]), {"on": "2026-03-02", "amount": "1200"}
    ).content.decode()
    assert "A visit on 2026-03-02 with NT$1,200 self-pay earns 12 points, pending until 2026-03-09." in page
    page = owner.get(
        reverse("membership:programme", args=[made.pk]), {"on": "2026-03-04", "amount": "1200"}
    ).content.decode()
    assert "earns 24 points" in page


def test_the_preview_says_what_the_law_stops(owner, abroad):
    made = open_one()
    rule(made, kind="VISIT", name="看診集點")
    abroad.legal_profile = "TW"
    abroad.save()

    page = owner.get(reverse("membership:programme", args=[made.pk])).content.decode()

    assert "a legal rule stops it today" in page
    assert "nothing." in page


def test_in_taiwan_switching_on_says_why_not(owner, abroad):
    made = rule(kind="VISIT", on=False)
    abroad.legal_profile = "TW"
    abroad.save()

    page = owner.post(reverse("membership:rule_switch", args=[made.pk]), {"on": "yes"}, follow=True).content.decode()

    made.refresh_from_db()
    assert not made.is_on
    assert "醫療法" in page


def test_a_patient_joins_at_the_desk_with_one_tap(desk):
    open_one()
    who = patient(now=BEFORE)
    tab = f"{reverse('patients:page', args=[who])}membership/"
    url = reverse("membership:join", args=[who])
    assert url in desk.get(tab).content.decode()
    assert "點數不可兌換現金。" in desk.get(url).content.decode()

    assert desk.post(url, {}).status_code == 422
    assert not Account.objects.filter(kind="PATIENT").exists()
    desk.post(url, {"agrees": "on"})

    account = Account.objects.get(kind="PATIENT")
    page = desk.get(tab).content.decode()
    assert " ".join(account.member_number[at : at + 3] for at in (0, 3, 6)) in page
    desk.post(url, {"agrees": "on"})
    assert Account.objects.filter(kind="PATIENT").count() == 1


def test_the_tab_leads_to_the_desk_only_whom_may_work_there(desk, client_for):
    open_one()
    who = patient(now=BEFORE)
    desk.post(reverse("membership:join", args=[who]), {"agrees": "on"})
    account = Account.objects.get(kind="PATIENT")
    tab, url = f"{reverse('patients:page', args=[who])}membership/", reverse("rewards:desk_member", args=[account.pk])

    assert url in desk.get(tab).content.decode()
    assert url not in client_for("nurse").get(tab).content.decode()


def test_the_tab_says_why_these_points(desk):
    where = open_one()
    account = member(where)
    given = rule(where, kind="LECTURE", points=20, name="衛教講座")
    values = {
        "rule": given.pk,
        "note": "糖尿病飲食",
        "on": f"{timezone.now() - timedelta(days=1):%Y-%m-%d}",
        "people": account.member_number,
    }

    page = desk.post(reverse("membership:award"), values).content.decode()
    assert "Give points to 1 person" in page
    assert not Earning.objects.exists()
    desk.post(reverse("membership:award"), {**values, "sure": "1"})

    page = desk.get(f"{reverse('patients:page', args=[account.patient_id])}membership/").content.decode()
    assert "糖尿病飲食" in page
    assert "The rule gives 20 points for it." in page


def test_lines_that_name_nobody_are_said_and_nothing_is_given(desk):
    account = member()
    given = rule(kind="LECTURE")
    values = {
        "rule": given.pk,
        "note": "講座",
        "on": "2026-03-16",
        "people": f"{account.member_number}\n12345",
        "sure": "1",
    }

    page = desk.post(reverse("membership:award"), values)

    assert "12345" in page.content.decode()
    assert not Earning.objects.exists()


def test_the_list_finds_members_by_card_number_name_and_state(desk):
    first, second = member(name="王小明"), member(name="陳大文")
    home = reverse("membership:home")

    assert "陳大文" not in desk.get(home, {"q": membership.card_code(first.member_number)}).content.decode()
    assert "王小明" in desk.get(home, {"q": first.member_number}).content.decode()
    assert "王小明" not in desk.get(home, {"q": "陳大"}).content.decode()
    desk.post(reverse("membership:leave", args=[second.pk]), {"reason": "搬家"})
    assert "陳大文" not in desk.get(home).content.decode()
    assert "陳大文" in desk.get(home, {"state": "LEFT"}).content.decode()


def test_the_list_asks_the_same_few_questions_however_many_there_are(desk, django_assert_max_num_queries):
    for number in range(12):
        member(name=f"會員{number}")
    desk.get(reverse("membership:home"))

    with django_assert_max_num_queries(14):
        assert desk.get(reverse("membership:home")).content.decode().count("會員1") >= 3


def test_a_stranger_sees_nothing_of_membership(client_for):
    account = member()
    nobody = client_for("it")

    assert nobody.get(reverse("membership:home")).status_code == 403
    assert nobody.get(reverse("membership:leave", args=[account.pk])).status_code == 403
