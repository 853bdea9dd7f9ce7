"""What may be asked for, and what the law and the database refuse."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from careloop.events.models import Event
from careloop.patients.tests.make import patient
from careloop.payments import errors, rules, services
from careloop.payments.models import Item, Payment
from careloop.payments.rules import NewItem
from careloop.payments.tests.support import NOW, asked, begun, paid, sandbox
from careloop.scheduling.tests import make

pytestmark = pytest.mark.usefixtures("organization")


def refused_by_database(statement, params=()):
    from careloop.kernel import sql

    with pytest.raises(IntegrityError), transaction.atomic():
        sql.execute(statement, params)


def visit(**service):
    where = make.clinic(**service)
    who = patient()
    return where, who, make.book(where, make.session(where), who)


def test_a_self_pay_service_is_asked_for_at_its_price():
    where, who, booked = visit(payer="SELF", price=500)

    made = services.request(
        patient_id=who, appointment_id=booked.pk, now=NOW, by=None,
        items=[NewItem("SERVICE", where.service.name, 500, service_id=where.service.pk)],
    )  # fmt: skip

    assert (made.amount, made.copay, made.currency, made.payer, made.state) == (500, 0, "TWD", "SELF", "REQUESTED")
    assert made.title == where.service.name
    event = Event.objects.get(kind="payment.requested")
    assert (event.patient_id, event.payload["total"], event.payload["self_pay"]) == (who, 500, 500)


def test_the_same_form_twice_asks_once():
    who = patient()
    first = asked(who=who, key="form-1")

    assert asked(who=who, key="form-1") == first
    assert Payment.objects.count() == 1


def test_a_self_pay_price_may_be_reduced_and_shows_its_full_price():
    made = services.request(
        patient_id=patient(), items=[NewItem("OTHER", "診斷書", 80, full_amount=100)], now=NOW, by=None
    )

    line = made.items.get()
    assert (made.amount, line.amount, line.full_amount) == (80, 80, 100)


@pytest.mark.parametrize(
    "item",
    [
        NewItem("COPAY", "部分負擔", 20, full_amount=50),
        NewItem("COPAY", "部分負擔", 0, full_amount=50),
        NewItem("OTHER", "部分負擔優惠", 20, full_amount=50),
        NewItem("COPAY", "部分負擔", 0),
    ],
)
def test_nhi_co_pay_is_never_reduced_and_the_refusal_names_the_law(item):
    with pytest.raises(errors.CopayReduced) as refusal:
        services.request(patient_id=patient(), items=[NewItem("OTHER", "診斷書", 100), item], now=NOW, by=None)

    assert "48" in str(refusal.value)
    assert Payment.objects.count() == 0


def test_the_database_itself_keeps_co_pay_whole():
    made = asked(550, copay=50)
    line = made.items.get(kind="COPAY")

    refused_by_database("update payments_item set amount = 20 where id = %s", [line.pk])
    refused_by_database(
        """insert into payments_item (payment_id, position, kind, name, full_amount, amount)
           values (%s, 9, 'COPAY', '部分負擔', 50, 0)""",
        [made.pk],
    )


@pytest.mark.parametrize("name", ["預約保證金", "爽約金", "No-show fee", "訂金"])
def test_no_deposit_under_any_name_for_an_nhi_visit(name):
    _where, who, booked = visit(payer="NHI")

    with pytest.raises(errors.DepositOnNhi) as refusal:
        services.request(
            patient_id=who, appointment_id=booked.pk, items=[NewItem("OTHER", name, 200)], now=NOW, by=None
        )

    assert "68" in str(refusal.value)


def test_the_nhi_pays_for_its_services_not_the_patient():
    where, who, booked = visit(payer="NHI")
    line = NewItem("SERVICE", "看診", 300, service_id=where.service.pk, payer="SELF")

    with pytest.raises(errors.NhiServiceCharged):
        services.request(patient_id=who, appointment_id=booked.pk, items=[line], now=NOW, by=None)
    made = asked(who=who)
    refused_by_database(
        """insert into payments_item (payment_id, position, kind, name, service_id, full_amount, amount)
           values (%s, 9, 'DEPOSIT', 'x', %s, 10, 10)""",
        [made.pk, where.service.pk],
    )


def test_a_payment_is_the_sum_of_its_lines():
    made = asked(500)

    refused_by_database(
        "insert into payments_item (payment_id, position, kind, name, full_amount, amount) values (%s, 9, 'OTHER', 'x', 1, 1)",
        [made.pk],
    )
    refused_by_database("update payments_payment set amount = 1 where id = %s", [made.pk])


def test_another_patients_appointment_is_not_charged():
    _where, _who, booked = visit(payer="SELF", price=500)

    with pytest.raises(errors.NotThisPatient):
        asked(who=patient("林小美"), appointment_id=booked.pk)


@pytest.mark.parametrize("items", [[], [NewItem("OTHER", "", 5)], [NewItem("OTHER", "x", 0)]])
def test_nothing_to_pay_is_not_asked_for(items):
    with pytest.raises(errors.NothingToPay):
        services.request(patient_id=patient(), items=items, now=NOW, by=None)


def test_the_database_knows_the_way_of_a_payment():
    """Each step the rules allow is allowed there, and no other."""
    sandbox()
    for before in rules.MAY_BECOME:
        for after in rules.MAY_BECOME:
            if before == after:
                continue
            one = in_state(before)
            statement = (
                "update payments_payment set state = %s, paid_at = case when %s = 'PAID' then now() end where id = %s"
            )
            if after in rules.MAY_BECOME[before]:
                from careloop.kernel import sql

                assert sql.execute(statement, [after, after, one.pk]) == 1
            else:
                refused_by_database(statement, [after, after, one.pk])


WAYS = {
    "REQUESTED": (),
    "STARTED": ("STARTED",),
    "FAILED": ("STARTED", "FAILED"),
    "EXPIRED": ("EXPIRED",),
    "CANCELLED": ("CANCELLED",),
}


def in_state(state):
    if state == "PAID":
        return paid()
    one = asked()
    for step in WAYS[state]:
        Payment.objects.filter(pk=one.pk).update(state=step)
    return one


def test_what_is_not_paid_in_time_expires_but_not_under_the_payers_hands():
    sandbox()
    old, begun_now = asked(), asked(who=patient("林小美"))
    later = NOW + services.VALID_FOR
    begun(begun_now, now=later - timedelta(minutes=10))

    assert services.expire_old(now=later) == 1
    old.refresh_from_db()
    begun_now.refresh_from_db()
    assert (old.state, begun_now.state) == ("EXPIRED", "STARTED")
    with pytest.raises(errors.NotPayable):
        begun(old, now=later)


def test_withdrawn_is_not_paid_any_more_and_paid_is_not_withdrawn():
    sandbox()
    one, done = asked(), paid(who=patient("林小美"))

    with pytest.raises(errors.ChangedMeanwhile):
        services.withdraw(payment_id=one.pk, reason="x", version=one.version + 1, now=NOW, by=None)
    services.withdraw(payment_id=one.pk, reason="付現了", version=one.version, now=NOW, by=None)
    with pytest.raises(errors.NotPayable):
        begun(one)
    with pytest.raises(errors.NotWithdrawable):
        services.withdraw(payment_id=done.pk, reason="x", version=done.version, now=NOW, by=None)


def test_without_a_provider_nothing_begins():
    with pytest.raises(errors.NoProvider):
        begun(asked())


def test_ecpay_takes_taiwan_dollars_only(organization):
    from careloop.payments.tests.support import ecpay

    ecpay()
    organization.currency = "USD"
    organization.save()
    with pytest.raises(errors.CurrencyNotTaken):
        begun(asked())


def test_items_are_kept_as_they_were_asked_for():
    made = asked(550, copay=50)

    assert list(Item.objects.filter(payment=made).order_by("position").values_list("kind", "amount")) == [
        ("OTHER", 500), ("COPAY", 50),
    ]  # fmt: skip


def test_a_visit_that_is_called_off_is_not_paid_for(organization):
    from careloop.events.readers import run_all
    from careloop.followups.models import FollowUp
    from careloop.scheduling import services as scheduling

    sandbox()
    _where, who, booked = visit(payer="SELF", price=500)
    unpaid, done = asked(who=who, appointment_id=booked.pk), paid(who=who, appointment_id=booked.pk)
    scheduling.cancel(appointment_id=booked.pk, reason="patient", now=NOW, by=None)
    for _round in range(2):
        services.follow_call_off(payment_id=unpaid.pk, now=NOW)
        services.follow_call_off(payment_id=done.pk, now=NOW)

    unpaid.refresh_from_db()
    assert unpaid.state == "CANCELLED"
    assert FollowUp.objects.filter(origin="payment").count() == 1
    run_all(organization.pk, now=NOW)
