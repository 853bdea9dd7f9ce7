"""The pages of greetings: planning one, what the law stops, and a patient's wishes."""

from datetime import UTC, datetime

import pytest

from careloop.loyalty.models import GreetingPlan
from careloop.loyalty.thanks import wishes
from careloop.messaging.tests.support import account as channel
from careloop.patients.tests.make import patient

DATA = {
    "name": "中秋祝福", "occasion": "MID_AUTUMN", "template_key": "", "who": "PATIENTS", "seen_within_months": 0, "days_before": 1,
    "window_days": 0, "hour": 9, "gives": "",
}  # fmt: skip


@pytest.fixture
def boss(organization, client_for):
    channel("sms", now=datetime.now(UTC))
    return client_for("owner")


def planned(browser, **more):
    answer = browser.post("/membership/greetings/new/", {**DATA, **more})
    assert answer.status_code == 303, answer.content.decode()[-3000:]
    return answer["Location"]


def test_a_greeting_is_planned_with_the_text_that_comes_along_and_switched_on(boss):
    url = planned(boss)
    assert boss.post(f"{url}switch/", {"on": "yes"}).status_code == 303

    made = GreetingPlan.objects.get()
    assert (made.is_on, made.template_key) == (True, "greeting-mid-autumn")
    assert "中秋祝福" in boss.get("/membership/greetings/").content.decode()
    assert "Whom it reaches" in boss.get(url).content.decode()


def test_a_birthday_with_points_stays_off_and_the_page_says_why(boss):
    url = planned(boss, occasion="BIRTHDAY", days_before=0, gives="POINTS", points=50)

    answer = boss.post(f"{url}switch/", {"on": "yes"})

    assert answer.status_code == 422
    assert "marketing" in answer.content.decode()
    page = boss.get(url).content.decode()
    assert "S1" in page
    assert not GreetingPlan.objects.get().is_on


def test_who_only_looks_cannot_change(boss, client_for):
    url = planned(boss)
    reader = client_for("front_desk")

    assert "disabled" in reader.get(url).content.decode()
    assert reader.post(f"{url}switch/", {"on": "yes"}).status_code == 403
    reader.post(url, {**DATA, "name": "別的"})
    assert GreetingPlan.objects.get().name == "中秋祝福"


def test_the_desk_keeps_a_patients_wishes(boss, client_for):
    who = patient()
    desk = client_for("front_desk")

    assert desk.post(f"/membership/greetings/of/{who}/", {"is_lunar": "on", "interests": ["food"]}).status_code == 303

    kept = wishes.wishes_of(who)
    assert (kept.wants_greetings, kept.is_lunar, kept.interests) == (False, True, ("food",))
