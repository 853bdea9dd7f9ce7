"""The draws' pages for staff: writing one down, its three steps, handing a prize over; blocked where the law stops it."""

import pytest
from django.urls import reverse

from careloop.loyalty.draw import draws
from careloop.loyalty.models import Draw, DrawWinner
from careloop.loyalty.tests.make import member, open_one

FORM = {
    "name": "春節抽籤", "description": "", "entry": "MEMBERS", "outside_source": "大樂透特別號", "name_1": "電子血壓計", "count_1": 1,
    "gives_1": "GOODS", "value_1": 1800,
    **{f"gives_{number}": "GOODS" for number in (2, 3, 4, 5)},
}  # fmt: skip


@pytest.fixture
def anywhere(organization):
    """A clinic whose law stops no draw."""
    organization.legal_profile = "INTL"
    organization.save()
    return organization


def test_a_draw_from_the_form_to_the_prize(client_for, anywhere, django_assert_max_num_queries):
    programme = open_one()
    for _ in range(3):
        member(programme)
    client = client_for("owner")

    made = client.post(reverse("draws:new"), {**FORM, "programme": programme.pk})
    draw = Draw.objects.get()
    assert made.headers["Location"] == reverse("draws:draw", args=[draw.pk])
    assert [(prize.name, prize.count) for prize in draw.prizes.all()] == [("電子血壓計", 1)]
    assert "3 people with 3 tickets" in client.get(made.headers["Location"]).content.decode()

    for step, given in (("open", {}), ("close", {}), ("run", {"outside_value": "23"})):
        where = reverse(f"draws:{step}", args=[draw.pk])
        assert client.get(where).status_code == 200
        for _ in "12":
            assert client.post(where, given).status_code == 303
    draw.refresh_from_db()
    assert (draw.state, draw.outside_value) == ("DRAWN", "23")

    with django_assert_max_num_queries(45):
        text = client.get(reverse("draws:draw", args=[draw.pk])).content.decode()
    assert "王小明" in text
    assert draw.seed in text
    winner = DrawWinner.objects.get()
    client.post(reverse("draws:give", args=[draw.pk]), {"place": 1})
    winner.refresh_from_db()
    assert winner.given_by == client.user


def test_in_taiwan_it_cannot_be_opened_and_the_page_says_why(client_for, organization, now):
    draw = draws.prepare(
        programme_id=open_one().pk,
        values={"name": "春節抽籤"},
        prizes=[{"name": "血壓計", "count": 1, "gives": "GOODS"}],
        now=now,
    )
    client = client_for("marketing")

    text = client.get(reverse("draws:draw", args=[draw.pk])).content.decode()
    assert "It cannot be opened yet" in text
    assert reverse("draws:open", args=[draw.pk]) not in text
    refused = client.post(reverse("draws:open", args=[draw.pk]))
    assert refused.status_code == 422
    assert "S1-D" in refused.content.decode()
    assert "Needs sign-off" in client.get(reverse("draws:list")).content.decode()


def test_a_form_that_says_too_little_is_shown_again(client_for, anywhere):
    programme = open_one()
    client = client_for("owner")

    page = client.post(
        reverse("draws:new"),
        {**FORM, "programme": programme.pk, "entry": "POINTS", "gives_1": "POINTS", "from_on": "2026-03-05", "to_on": "2026-03-01"},
    )  # fmt: skip

    assert page.status_code == 422
    assert {"least_points", "to_on", "points_1"} <= set(page.context["form"].errors)
    assert not Draw.objects.exists()


def test_an_open_draw_is_not_edited(client_for, anywhere, now):
    programme = open_one()
    draw = draws.prepare(
        programme_id=programme.pk,
        values={"name": "抽籤"},
        prizes=[{"name": "血壓計", "count": 1, "gives": "GOODS"}],
        now=now,
    )
    client = client_for("owner")
    assert client.get(reverse("draws:edit", args=[draw.pk])).status_code == 200
    draws.open_draw(draw_id=draw.pk, now=now, by=None)

    assert client.get(reverse("draws:edit", args=[draw.pk])).status_code == 303


def test_whoever_may_only_look_does_not_draw(client_for, anywhere, now):
    programme = open_one()
    draw = draws.prepare(
        programme_id=programme.pk,
        values={"name": "抽籤"},
        prizes=[{"name": "血壓計", "count": 1, "gives": "GOODS"}],
        now=now,
    )
    nurse = client_for("nurse")

    assert nurse.get(reverse("draws:draw", args=[draw.pk])).status_code == 200
    assert nurse.post(reverse("draws:open", args=[draw.pk])).status_code == 403
