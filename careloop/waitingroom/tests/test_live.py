"""One reading a second for everybody, whoever asks; what was told is kept until it changes."""

import threading
from datetime import timedelta

import pytest
from django.utils import timezone

from careloop.scheduling.tests.make import clinic, session
from careloop.waitingroom import live, services
from careloop.waitingroom.tests.make import MINUTE, here, numbers


@pytest.fixture(autouse=True)
def fresh():
    live.forget()
    yield
    live.forget()


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self):
        self.at = 100.0

    def __call__(self):
        return self.at


@pytest.fixture
def day(organization):
    now = timezone.now()
    zone = timezone.get_fixed_timezone(480)
    return numbers(starts_at=now - timedelta(hours=1), on_date=now.astimezone(zone).date())


def test_a_snapshot_is_read_once_a_second(day, organization, django_assert_max_num_queries):
    clock, (where, held) = Clock(), day
    here(where, held, now=timezone.now())
    first = live.snapshot(organization.id, clock=clock)

    with django_assert_max_num_queries(0):
        assert live.snapshot(organization.id, clock=clock) is first
        clock.at += 0.9
        assert live.snapshot(organization.id, clock=clock) is first
    clock.at += 0.2
    assert live.snapshot(organization.id, clock=clock) is not first


def test_whoever_asks_while_somebody_reads_gets_the_one_before(day, organization):
    clock = Clock()
    first = live.snapshot(organization.id, clock=clock)
    keeper = live._keepers[organization.id]
    clock.at += 2
    found = []

    with keeper.lock:  # somebody reads
        other = threading.Thread(target=lambda: found.append(live.snapshot(organization.id, clock=clock)))
        other.start()
        other.join(timeout=5)

    assert found == [first]


def test_what_was_told_is_kept_while_the_queue_is_the_same(day, organization):
    clock, now, (where, held) = Clock(), timezone.now(), day
    ticket = here(where, held, now=now)
    at = now.replace(second=1)
    first = live.said_to(live.snapshot(organization.id, clock=clock, now=lambda: at), ticket["id"])
    clock.at += 2
    same = live.said_to(live.snapshot(organization.id, clock=clock, now=lambda: at), ticket["id"])
    here(where, held, "乙", now=now)
    clock.at += 2
    other = live.said_to(live.snapshot(organization.id, clock=clock, now=lambda: at), ticket["id"])

    assert same is first
    assert other is not first
    assert other.etag == first.etag  # somebody behind me changes nothing for me


def test_the_estimate_counts_the_session_that_has_not_begun(organization):
    now = timezone.now()
    zone = timezone.get_fixed_timezone(480)
    where, held = numbers(starts_at=now + 40 * MINUTE, on_date=now.astimezone(zone).date())
    first, second = here(where, held, "甲", now=now), here(where, held, "乙", now=now)
    snap = live.snapshot(organization.id, now=lambda: now)

    assert live.said_to(snap, first["id"]).value["low"] >= 40
    assert live.said_to(snap, second["id"]).value["high"] > live.said_to(snap, first["id"]).value["high"] - 5


def test_come_back_at_a_time_that_leaves_so_many_ahead(day, organization):
    where, held = day
    tickets = [here(where, held, name, now=timezone.now()) for name in "甲乙丙丁戊己庚"]
    services.call_next(session_id=held.pk, room_id=None, now=timezone.now(), by=None)
    snap = live.snapshot(organization.id)

    assert live.said_to(snap, tickets[6]["id"]).value["back_by"]
    assert live.said_to(snap, tickets[2]["id"]).value["back_by"] == ""


def test_a_screen_leaves_out_sessions_that_are_over(organization):
    now = timezone.now()
    zone = timezone.get_fixed_timezone(480)
    where = clinic()
    session(where, mode="NUMBERS", starts_at=now - timedelta(hours=6), on_date=now.astimezone(zone).date(), room=None)
    snap = live.snapshot(organization.id, now=lambda: now)

    assert live.for_screen(snap, where.location.pk, shows_names=True)["rooms"] == []


def test_whoever_reads_knows_every_link_of_the_day(day, organization, django_assert_num_queries):
    """A phone that comes back over another connection may meet a process that has not seen it yet."""
    from careloop.kernel.ids import token_hash
    from careloop.waitingroom import links

    where, held = day
    tickets = [here(where, held, name, now=timezone.now()) for name in "甲乙"]
    live.snapshot(organization.id)
    wanted = [token_hash(links.token_of(organization.id, one["id"])) for one in tickets]

    with django_assert_num_queries(0):
        told = [live.glance(one, lambda _language: lambda _board, _ticket, _value: {}) for one in wanted]

    assert [one.value["number"] for one in told] == ["1", "3"]
