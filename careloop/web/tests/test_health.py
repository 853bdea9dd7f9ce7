"""/healthz, /readyz, /metrics, and what the logs keep."""

import json
import logging
import re

import pytest
import structlog
from django.test import Client

from careloop.kernel import sql
from careloop.web import health


@pytest.fixture(autouse=True)
def forget(db):
    health._remembered.clear()
    yield
    health._remembered.clear()


def test_alive_needs_no_database(django_assert_num_queries):
    with django_assert_num_queries(0):
        answer = Client().get("/healthz")

    assert answer.json() == {"alive": True}


def test_ready_when_database_schema_and_readers_are(organization):
    answer = Client().get("/readyz")

    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "checks": {"database": True, "migrations": True, "readers": True}}


def test_not_ready_while_a_reader_fails_again_and_again(organization):
    sql.execute(
        "insert into events_position (reader, xid, event_id, failures, error) values ('facts', 0, 0, 5, 'ValueError at x.py:1')"
    )

    answer = Client().get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["checks"]["readers"] is False
    assert "x.py" not in answer.content.decode()


def test_not_ready_while_a_migration_is_missing(organization, monkeypatch):
    known = health._known_migrations()
    monkeypatch.setattr(health, "_known_migrations", lambda: known | {("patients", "9999_from_tomorrow")})

    assert Client().get("/readyz").json()["checks"]["migrations"] is False


def test_metrics_count_requests_by_view_and_tell_nothing_about_people(client_for, organization):
    client_for("nurse").get("/search/?q=王小明")
    Client().get("/accounts/login/")

    text = Client().get("/metrics").content.decode()

    assert re.search(r'careloop_request_seconds_count\{method="GET",status="200",view="web:search"\} [1-9]', text)
    assert 'view="account_login"' in text
    for name in (
        "careloop_jobs",
        "careloop_database_pool",
        "careloop_outbox_oldest_due_seconds",
        "careloop_reader_lag_seconds",
    ):
        assert f"# HELP {name}" in text
    assert "王小明" not in text
    assert organization.slug not in text
    assert str(organization.id) not in text


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        ({"REMOTE_ADDR": "127.0.0.1"}, True),
        ({"REMOTE_ADDR": "::1"}, True),
        ({"REMOTE_ADDR": "10.0.0.8"}, False),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "203.0.113.9"}, False),
        ({"REMOTE_ADDR": "10.0.0.8", "HTTP_AUTHORIZATION": "Bearer right"}, True),
        ({"REMOTE_ADDR": "10.0.0.8", "HTTP_AUTHORIZATION": "Bearer wrong"}, False),
        ({"REMOTE_ADDR": "10.0.0.8", "HTTP_AUTHORIZATION": "Bearer "}, False),
    ],
)  # fmt: skip
def test_metrics_answer_this_machine_or_the_token(db, settings, given, allowed):
    settings.CARELOOP_METRICS_TOKEN = "right"

    assert Client().get("/metrics", **given).status_code == (200 if allowed else 403)


def test_without_a_token_set_an_empty_one_opens_nothing(db, settings):
    settings.CARELOOP_METRICS_TOKEN = ""

    assert Client().get("/metrics", REMOTE_ADDR="10.0.0.8", HTTP_AUTHORIZATION="Bearer ").status_code == 403


# -- logs --------------------------------------------------------------------------------------------------------


def lines_of(monkeypatch, capture):
    """Format what was logged as the program would."""
    from careloop.config import logs

    made = logs.configure(level="DEBUG", style="json")["formatters"]["careloop"]
    formatter = structlog.stdlib.ProcessorFormatter(**{name: value for name, value in made.items() if name != "()"})
    return [json.loads(formatter.format(record)) for record in capture.records]


def test_a_failing_request_leaves_no_name_number_or_address_in_the_log(client_for, monkeypatch, caplog):
    def broken(*_args, **_more):
        raise ValueError("Key (phone)=(0912-345-678) of 王小明 A123456789 exists already")

    monkeypatch.setattr("careloop.web.views.finder.search", broken)
    client = client_for("nurse")
    client.raise_request_exception = False
    with caplog.at_level(logging.DEBUG):
        answer = client.get("/search/?q=王小明")

    lines = lines_of(monkeypatch, caplog)
    failed = next(line for line in lines if line["event"] == "Internal Server Error")
    text = json.dumps(lines, ensure_ascii=False)

    assert answer.status_code == 500
    assert failed["route"] == "search/"
    assert failed["request_id"] == answer["X-Request-Id"]
    assert failed["exception"][0]["type"] == "builtins.ValueError"
    assert any("web/views.py" in place for place in failed["exception"][0]["trace"])
    for personal in ("王小明", "0912", "A123456789", "q="):
        assert personal not in text


@pytest.mark.parametrize("text", ["0912-345-678", "+886 912 345 678", "02-2345-6789", "A123456789", "ming@example.tw"])
def test_what_looks_personal_is_blotted_out(text):
    from careloop.config.logs import blot

    assert blot(None, "", {"event": f"cannot reach {text} now"})["event"] == "cannot reach […] now"


def test_numbers_of_ours_stay_readable():
    from careloop.config.logs import blot

    event = {"event": "batch 20260316 took 1200 rows", "organization": "01a1ff9c-67a1-744e-8399-1583516ad3c3"}
    assert blot(None, "", dict(event)) == event
