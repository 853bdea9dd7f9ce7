"""The settings page of appointment messages: kept, checked, and only for those who may."""

import pytest

from careloop.reminders import services

GIVEN = {
    "confirmation": "on", "early": "on", "early_from_days": "4", "early_to_days": "3", "same_day": "on", "hour": "9",
    "same_day_hour": "8", "call_list": "on", "call_hour": "15",
}  # fmt: skip


@pytest.mark.parametrize("role", ["front_desk", "it", "owner"])
def test_choices_are_kept(client_for, role):
    client = client_for(role)
    assert client.get("/settings/reminders/").status_code == 200

    assert client.post("/settings/reminders/", GIVEN).status_code == 303

    kept = services.current()
    assert (kept.early_from_days, kept.day_before, kept.hour, kept.call_hour, kept.rebook) == (4, False, 9, 15, False)


@pytest.mark.parametrize(
    "wrong", [{"hour": "22"}, {"early_from_days": "2"}, {"early_from_days": "31"}, {"early_to_days": "1"}, {"hour": "x"}]
)  # fmt: skip
def test_what_cannot_be_is_refused(client_for, wrong):
    answer = client_for("owner").post("/settings/reminders/", {**GIVEN, **wrong})

    assert answer.status_code == 422
    assert services.current().pk is None


def test_others_may_not(client_for):
    assert client_for("marketing").get("/settings/reminders/").status_code == 403


def test_there_is_a_way_to_it(client_for):
    assert "/settings/reminders/" in client_for("front_desk").get("/settings/").content.decode()
