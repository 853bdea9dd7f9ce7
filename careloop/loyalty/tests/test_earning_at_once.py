"""Several desks and workers at the same time: no limit is passed, nothing is counted twice, a crash repeats nothing."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from uuid import uuid4

import pytest
from django.db import connection

from careloop.events.readers import run_reader
from careloop.events.registry import READERS
from careloop.kernel.ids import uuid7
from careloop.loyalty.earn import earning, settling
from careloop.loyalty.earn.earning import Thing
from careloop.loyalty.models import Account, Earning
from careloop.loyalty.tests.make import NOW, member, rule
from careloop.records import services as records
from careloop.tenancy.context import in_organization

DESKS = 4


@pytest.fixture
def clinic(committed_organization):
    with in_organization(committed_organization.pk):
        committed_organization.legal_profile = "INTL"
        committed_organization.save()
    return committed_organization


def together(clinic, work):
    """Run `work(number)` in as many transactions at once."""
    ready = Barrier(DESKS)

    def run(number):
        try:
            ready.wait(10)
            with in_organization(clinic.pk):
                return work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(DESKS) as pool:
        return list(pool.map(run, range(DESKS)))


def test_a_limit_holds_when_four_desks_give_at_once(clinic):
    with in_organization(clinic.pk):
        account = member()
        given = rule(kind="MANUAL", points=10, cap_day=25)

    def give(_number):
        ref = uuid4().hex
        thing = Thing("MANUAL", account.patient_id, NOW, "award", ref, f"award:{ref}", rule_id=given.pk)
        earning.record([thing], now=NOW)

    together(clinic, give)

    with in_organization(clinic.pk):
        assert sorted(Earning.objects.values_list("points", flat=True)) == [0, 5, 10, 10]


def test_workers_that_settle_at_once_credit_once(clinic):
    with in_organization(clinic.pk):
        accounts = [member(name=f"會員{number}") for number in range(3)]
        rule(kind="MANUAL", points=10)
        things = [
            Thing("MANUAL", one.patient_id, NOW, "award", f"{one.pk}:{number}", f"award:{one.pk}:{number}")
            for one in accounts for number in range(4)
        ]  # fmt: skip
        earning.record(things, now=NOW)

    together(clinic, lambda _number: settling.settle_due(now=NOW + timedelta(days=1)))

    with in_organization(clinic.pk):
        assert [Account.objects.get(pk=one.pk).balance for one in accounts] == [40, 40, 40]
        assert set(Earning.objects.values_list("state", flat=True)) == {"FINAL"}


def test_the_reader_that_fails_in_the_middle_gives_everything_once_the_next_time(clinic, monkeypatch):
    with in_organization(clinic.pk):
        account = member()
        rule(points=10)
        records.record_encounter(
            patient_id=account.patient_id, encounter_id=uuid7(), started_at=NOW, class_code="AMB", now=NOW, by=None
        )
    record = earning.record

    def breaks(*args, **kwargs):
        record(*args, **kwargs)
        raise RuntimeError("the power went")

    monkeypatch.setattr(earning, "record", breaks)
    run_reader(READERS["loyalty-earning"], clinic.pk, now=NOW)
    with in_organization(clinic.pk):
        assert not Earning.objects.exists()

    monkeypatch.setattr(earning, "record", record)
    later = NOW + timedelta(days=1)
    while run_reader(READERS["loyalty-earning"], clinic.pk, now=later):
        pass
    with in_organization(clinic.pk):
        assert Earning.objects.get().points == 10
