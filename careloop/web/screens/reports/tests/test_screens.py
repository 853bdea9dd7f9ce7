"""The reports: numbers with a table behind them, a download, and honesty."""

import pytest
from django.utils import timezone

from careloop.journeys.tests.support import enroll, open_line, person, run_all_due, started
from careloop.kernel import sql
from careloop.tenancy import context


@pytest.fixture
def journey(organization):
    now = timezone.now()
    open_line(now)
    made = started({"kind": "message", "template": "recall"}, now=now, name="=逾期召回", hold_out_percent=50)
    enroll(made, *[person(f"病友{n}", line=f"U{n:032d}") for n in range(12)], now=now)
    run_all_due(made, now)
    # at night they are due in the morning, and tomorrow is not in the report
    sql.execute("update messaging_message set state = 'accepted', due_at = %s, accepted_at = %s", [now, now])
    return made


def test_the_report_shows_the_funnel_and_says_when_there_are_too_few(journey, client_for):
    page = client_for("marketing").get("/reports/").content.decode()

    assert "逾期召回" in page
    assert "too few" in page
    assert "Newcombe 1998" in page


def test_the_period_is_chosen_and_wrong_days_do_no_harm(journey, client_for):
    client = client_for("owner")

    assert "Nothing was sent" in client.get("/reports/?first=2020-01-01&last=2020-01-31").content.decode()
    for query in (
        "period=abc",
        "first=x",
        "first=2026-02-01&last=2020-01-01",
        "first=0001-01-01",
        "last=0001-01-01",
        "first=0001-01-01&last=0001-01-01",
        "first=9999-12-31&last=9999-12-31",
        "message_class=NONE",
    ):
        assert client.get(f"/reports/?{query}").status_code == 200, query


def test_the_numbers_can_be_downloaded_and_carry_no_formula(journey, client_for):
    client = client_for("owner")

    journeys = b"".join(client.get("/reports/journeys.csv").streaming_content).decode("utf-8-sig")
    weeks = b"".join(client.get("/reports/weeks.csv").streaming_content).decode("utf-8-sig")

    assert "'=逾期召回" in journeys
    assert "病友" not in journeys
    assert len(weeks.splitlines()) >= 5
    assert sql.value("select count(*) from audit_event where action = 'report.downloaded'") == 2


def test_an_empty_clinic_is_told_what_the_page_is_for(organization, client_for):
    assert "Nothing was sent" in client_for("owner").get("/reports/").content.decode()


def test_who_may_not_open_a_journey_gets_no_link_to_one(journey, client_for):
    page = client_for("privacy_officer").get("/reports/?period=30").content.decode()

    assert "逾期召回" in page
    assert f"/journeys/{journey.pk}/" not in page
    assert f"/journeys/{journey.pk}/results/" in client_for("owner").get("/reports/").content.decode()
    nothing = "/reports/?first=2020-01-01&last=2020-01-31"
    assert "/journeys/" not in client_for("privacy_officer").get(nothing).content.decode()


def test_it_may_not_see_reports(journey, client_for):
    for address in ("/reports/", "/reports/journeys.csv", "/reports/weeks.csv"):
        assert client_for("it").get(address).status_code == 403


def test_a_stranger_sees_their_own_numbers_only(journey, other_organization, client_for):
    token = context.enter(other_organization.id)
    context.set_organization(other_organization.id)
    try:
        client = client_for("owner")
    finally:
        context.leave(token)

    assert "逾期召回" not in client.get("/reports/").content.decode()
    assert "逾期召回" not in b"".join(client.get("/reports/journeys.csv").streaming_content).decode("utf-8-sig")


def test_the_report_costs_a_fixed_number_of_statements(journey, client_for, django_assert_max_num_queries):
    client = client_for("owner")
    client.get("/reports/")

    with django_assert_max_num_queries(18):
        client.get("/reports/")


def test_a_class_of_message_is_chosen_for_the_whole_report(journey, client_for):
    client = client_for("owner")
    sql.execute(
        """update messaging_message set state = 'blocked', reason = 'cap', accepted_at = null
            where id = (select id from messaging_message limit 1)"""
    )
    sent = sql.value("select count(*) from messaging_message where accepted_at is not null")

    for chosen, expected in (("CARE", sent), ("MARKETING", 0)):
        page = client.get(f"/reports/?message_class={chosen}")
        weeks = b"".join(client.get(f"/reports/weeks.csv?message_class={chosen}").streaming_content).decode("utf-8-sig")
        assert page.context["reach"].sent == expected
        assert sum(page.context["chart"]["series"][0]["values"]) == expected
        assert sum(row["sent"] for row in page.context["templates"]) == expected
        assert sum(row["count"] for row in page.context["reasons"]) == (1 if expected else 0)
        assert sum(int(line.split(",")[1]) for line in weeks.splitlines()[1:]) == expected


def test_what_was_answered_back_to_a_patient_is_in_no_number(journey, client_for):
    sql.execute("update messaging_message set origin = 'reply', state = 'blocked', reason = 'no_contact'")

    page = client_for("owner").get("/reports/")

    assert (page.context["reach"].planned, list(page.context["reasons"])) == (0, [])
