"""The tiers' pages: set up after a try, benefits under the rules, a member's page at the desk, and the reports."""

from datetime import UTC, datetime, timedelta

import pytest

from careloop.loyalty.models import Benefit, BenefitUse, Tier
from careloop.loyalty.tests.tiers_support import TAIPEI, a_member, a_programme, a_tier, visit
from careloop.loyalty.tier import benefits, standing, tiers
from tests.support import close

DAY = timedelta(days=1)


def now():
    return datetime.now(UTC)


def today():
    return now().astimezone(TAIPEI).date()


@pytest.fixture
def abroad(organization):
    organization.legal_profile = "INTL"
    organization.save()
    return organization


@pytest.fixture
def owner(client_for):
    return client_for("owner")


def page(client, address, **given):
    answer = client.get(address, given)
    assert answer.status_code == 200, address
    return answer.content.decode()


FORM = {"name": "金卡", "rank": "2", "colour": "gold", "join": "ANY", "VISITS": "2", "SELF_PAY": "NT$3,000", "window": "MONTHS", "months": "12",
        "grace_days": "30", "is_active": "on"}  # fmt: skip


def some_members(programme):
    for name, visits in (("陳美玲", 3), ("林志明", 1)):
        member = a_member(programme, name, now=now() - 100 * DAY)
        for number in range(visits):
            visit(member, today() - number * DAY)
    from careloop.facts import services as facts

    facts.rebuild(now=now())
    standing.recompute(programme.pk, now=now())


# -- tiers --------------------------------------------------------------------------------------------------------


def test_without_a_programme_and_without_a_tier_the_page_offers_the_first_step(organization, owner):
    assert "no membership programme yet" in page(owner, "/membership/tiers/")
    programme = a_programme()

    assert f"/membership/tiers/new/{programme.pk}/" in page(owner, "/membership/tiers/")


def test_a_tier_is_tried_then_saved_and_the_list_says_it_in_words(organization, owner):
    programme = a_programme()
    a_tier(programme, "銀卡", 1)
    some_members(programme)
    address = f"/membership/tiers/new/{programme.pk}/"

    tried = owner.post(address, {**FORM, "what": "try"})
    assert tried.status_code == 200
    text = tried.content.decode()
    assert "陳美玲" in text
    assert "3 visits in the last 12 months" in text
    assert "林志明" not in text
    assert not Tier.objects.filter(name="金卡").exists()

    assert owner.post(address, {**FORM, "what": "save"}).status_code == 303
    saved = Tier.objects.get(name="金卡")
    assert dict(saved.criteria.values_list("metric", "at_least")) == {"VISITS": 2, "SELF_PAY": 3000}
    listed = page(owner, "/membership/tiers/")
    for words in (
        "any of:",
        "2 visits",
        "NT$3,000 self-pay on bills",
        "in the last 12 months",
        "Then 30 days of grace.",
    ):
        assert words in listed, words


def test_what_cannot_be_is_said_on_the_form_and_nothing_is_lost(organization, owner):
    programme = a_programme()
    tier = a_tier(programme, "銀卡", 1, criteria={"VISITS": 2})
    taken = owner.post(f"/membership/tiers/new/{programme.pk}/", {**FORM, "rank": "1", "what": "save"})
    stale = owner.post(f"/membership/tiers/{tier.pk}/", {**FORM, "version": "9", "what": "save"})

    assert (taken.status_code, stale.status_code) == (422, 422)
    assert "Another tier has this place" in taken.content.decode()
    assert "NT$3,000" in taken.content.decode()
    assert "Somebody changed this meanwhile" in stale.content.decode()


def test_the_list_costs_the_same_with_many_tiers_and_benefits(abroad, owner, django_assert_max_num_queries):
    programme = a_programme()
    for rank in range(1, 9):
        tier = a_tier(programme, f"第{rank}級", rank, criteria={"VISITS": rank})
        benefits.save_benefit(
            tier_id=tier.pk, values={"kind": "DEDICATED_LINE", "name": "專線", "contact": "02"}, now=now(), by=None
        )
    owner.get("/membership/tiers/")

    with django_assert_max_num_queries(16):
        owner.get("/membership/tiers/")


# -- benefits -----------------------------------------------------------------------------------------------------


def test_a_price_benefit_in_taiwan_shows_why_it_cannot_be_switched_on(organization, owner):
    tier = a_tier(a_programme(), "金卡", 1)
    form = {"name": "自費優惠", "percent": "10", "and_above": "on"}

    assert owner.post(f"/membership/tiers/{tier.pk}/benefits/new/PRICE/", form).status_code == 303
    made = Benefit.objects.get()
    refused = owner.post(f"/membership/tiers/benefits/{made.pk}/switch/", {"on": "1"})

    assert refused.status_code == 422
    assert "S2" in refused.content.decode()
    assert not Benefit.objects.get().is_on
    assert "stopped by a legal rule" in page(owner, "/membership/tiers/")


def test_each_kind_of_benefit_has_its_own_fields_and_half_a_price_is_refused(abroad, owner):
    tier = a_tier(a_programme(), "金卡", 1)
    new = f"/membership/tiers/{tier.pk}/benefits/new/"

    assert 'name="days"' in page(owner, f"{new}BOOKING_WINDOW/")
    assert 'name="percent"' not in page(owner, f"{new}BOOKING_WINDOW/")
    assert owner.post(f"{new}PRICE/", {"name": "優惠"}).status_code == 422
    assert owner.get(f"{new}NOTHING/").status_code == 404
    assert owner.post(f"{new}PRICE/", {"name": "優惠", "amount": "NT$100"}).status_code == 303
    address = f"/membership/tiers/benefits/{Benefit.objects.get().pk}/"
    assert owner.post(f"{address}switch/", {"on": "1"}).status_code == 303
    assert Benefit.objects.get().is_on
    assert owner.post(address, {"name": "自費優惠", "percent": "5", "version": "2"}).status_code == 303
    assert (Benefit.objects.get().percent, Benefit.objects.get().amount) == (5, None)


# -- a member -----------------------------------------------------------------------------------------------------


def test_a_tier_is_given_by_hand_and_small_services_are_counted_at_the_desk(abroad, owner, client_for):
    programme = a_programme()
    gold = a_tier(programme, "金卡", 1, join="HAND")
    made = benefits.save_benefit(
        tier_id=gold.pk,
        values={"kind": "SERVICE_ITEM", "name": "停車", "count": 1, "period": "MONTH"},
        now=now(),
        by=None,
    )
    benefits.switch(benefit_id=made.pk, on=True, now=now(), by=None)
    member = a_member(programme)
    address = f"/membership/tiers/members/{member.pk}/"
    given = {"tier": str(gold.pk), "until": (today() + 30 * DAY).isoformat(), "reason": "創始會員"}

    assert owner.post(f"{address}hand/", {**given, "reason": " "}).status_code == 422
    assert owner.post(f"{address}hand/", given).status_code == 303
    desk = client_for("front_desk")
    shown = page(desk, address)
    assert "創始會員" in shown
    assert "0 used, 1 left" in shown
    assert "Give a tier by hand" not in shown
    for key in ("a", "a", "b"):
        assert desk.post(f"{address}use/", {"benefit": str(made.pk), "key": key}).status_code == 303
    assert "All 1 of this period are used" in page(desk, address)
    use = BenefitUse.objects.get(what="USED")
    assert desk.post(f"{address}use/", {"undo": str(use.pk)}).status_code == 303
    assert "0 used, 1 left" in page(desk, address)
    assert owner.post(f"{address}hand/", {"what": "end", "reason": "弄錯人"}).status_code == 303
    assert tiers.tier_of(member.pk) is None
    used = page(owner, "/membership/tiers/use/")
    assert "停車" in used
    csv = owner.get("/membership/tiers/use/", {"format": "csv"})
    assert csv.status_code == 200
    close(csv)


# -- reports ------------------------------------------------------------------------------------------------------


def test_the_reports_say_what_is_missing_and_then_show_flow_and_who_came_back(organization, owner):
    assert "No programme is open yet" in page(owner, "/membership/reports/")
    programme = a_programme()
    assert "Nobody is a member yet" in page(owner, "/membership/reports/")
    a_tier(programme, "銀卡", 1, criteria={"VISITS": 2})
    some_members(programme)

    shown = page(owner, "/membership/reports/", days="90")

    assert '<svg class="cl-sankey"' in shown
    assert "銀卡 1" in shown
    for report in ("months", "flow", "returns"):
        answer = owner.get(f"/membership/reports/{report}.csv")
        assert answer.status_code == 200
        close(answer)
    assert owner.get("/membership/reports/nothing.csv").status_code == 404


def test_marketing_sees_reports_and_cannot_give_tiers(organization, client_for):
    member = a_member(a_programme())
    marketing = client_for("marketing")

    assert marketing.get("/membership/reports/").status_code == 200
    assert marketing.post(f"/membership/tiers/members/{member.pk}/hand/").status_code == 403
    assert client_for("it").get("/membership/tiers/").status_code == 403
