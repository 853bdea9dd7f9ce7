"""The desk's pages: asking, showing the code, giving back; the list with its sums; the provider's settings."""

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from careloop.audit.models import AuditEvent
from careloop.messaging.models import Message
from careloop.messaging.tests.support import account as channel
from careloop.patients.tests.make import patient
from careloop.payments import refunds
from careloop.payments.models import Payment, ProviderAccount, Refund
from careloop.payments.tests.support import asked, paid, sandbox
from careloop.scheduling.tests import make


@pytest.fixture
def desk(client_for):
    sandbox(now=now())
    return client_for("front_desk")


def now():
    return datetime.now(UTC)


def visit(**service):
    where = make.clinic(**service)
    who = patient()
    return where, who, make.book(where, make.session(where), who)


def key_in(page):
    return page.context["form"]["key"].value()


def test_asking_from_an_appointment_offers_its_price(desk):
    where, _who, booked = visit(payer="SELF", price=500)
    card = desk.get(f"/schedule/appointments/{booked.pk}/")
    url = card.context["payments"]["new_url"]
    page = desk.get(url)
    assert page.context["form"].initial["charge"] == f"price:{where.service.pk}"

    data = {
        "key": key_in(page),
        "charge": f"price:{where.service.pk}",
        "copay": "50",
        "name_1": "診斷書",
        "amount_1": "100",
    }
    for _click in range(2):
        answer = desk.post(url, data)

    made = Payment.objects.get()
    assert (answer.status_code, answer["Location"]) == (303, f"/payments/{made.pk}/")
    assert (made.amount, made.copay, made.appointment_id) == (650, 50, booked.pk)
    shown = desk.get(f"/schedule/appointments/{booked.pk}/").content.decode()
    assert "NT$650" in shown


def test_a_refusal_by_law_is_said_in_the_form(desk):
    _where, who, booked = visit(payer="NHI")
    url = f"/payments/new/?patient={who}&appointment={booked.pk}"
    page = desk.get(url)

    answer = desk.post(url, {"key": key_in(page), "name_1": "預約保證金", "amount_1": "200"})

    assert answer.status_code == 422
    assert "National Health Insurance Act" in answer.content.decode()
    assert Payment.objects.count() == 0


def test_the_page_shows_the_code_and_sends_the_link_once(desk):
    channel("sms", now=now())
    who = patient(phone="0912-345-678")
    made = asked(who=who, now=now())
    page = desk.get(f"/payments/{made.pk}/")
    assert page.context["link"] in page.content.decode()
    assert "<svg" in str(page.context["code"])

    for _click in range(2):
        desk.post(f"/payments/{made.pk}/send/", {"key": page.context["key"]})
    message = Message.objects.get(origin_id=str(made.pk))
    assert message.state == "planned"
    assert desk.get("/messages/").status_code == 200
    assert desk.get(f"/messages/{message.pk}/").status_code == 200


def test_a_click_with_a_key_that_cannot_be_stored_is_a_click(desk):
    channel("sms", now=now())
    made = asked(who=patient(phone="0912-345-678"), now=now())
    assert desk.post(f"/payments/{made.pk}/send/", {"key": "a\0b"}).status_code == 303
    assert Message.objects.filter(origin_id=str(made.pk)).exists()


def test_giving_back_from_the_page(desk, organization):
    made = paid(550, copay=50, now=now())
    page = desk.get(f"/payments/{made.pk}/refund/")
    assert page.context["form"].initial["amount"] == "NT$500"
    data = {"key": key_in(page), "amount": "600", "reason": "OTHER", "note": "電腦斷層沒有做"}
    assert desk.post(f"/payments/{made.pk}/refund/", data).status_code == 422
    assert desk.post(f"/payments/{made.pk}/refund/", {**data, "amount": "550"}).status_code == 422

    for _click in range(2):
        assert (
            desk.post(f"/payments/{made.pk}/refund/", {**data, "amount": "NT$200", "reason": "NOT_GIVEN"}).status_code
            == 303
        )
    refund = Refund.objects.get()
    assert "on its way" in desk.get(f"/payments/{made.pk}/").content.decode()
    refunds.send(organization_id=organization.pk, refund_id=refund.pk, now=now())
    shown = desk.get(f"/payments/{made.pk}/").content.decode()
    assert "NT$200 given back" in shown
    assert "電腦斷層沒有做" in shown
    assert AuditEvent.objects.filter(action="payment.refund_asked").count() == 1


def test_the_list_and_its_sums_are_two_statements(desk):
    for number in range(5):
        paid(100 * (number + 1), now=now(), who=patient(f"病人{number}"))
    asked(50, now=now())

    with CaptureQueriesContext(connection) as seen:
        page = desk.get("/payments/")
    assert sum("payments_payment" in one["sql"] for one in seen.captured_queries) == 2
    assert [one["value"] for one in page.context["stats"]] == ["NT$1,550", "NT$1,500", "NT$0", "NT$50"]
    assert len(desk.get("/payments/?state=WAITING").context["rows"]) == 1
    assert len(desk.get("/payments/?q=病人3").context["rows"]) == 1
    assert desk.get("/payments/?until=2020-01-01").context["rows"] == []


def test_a_limited_member_sees_payments_of_their_own_patients_only(desk, organization):
    from careloop.accounts.models import Membership, MembershipLocation
    from careloop.patients.models import Patient
    from careloop.tenancy.models import Location

    here = Location.objects.create(name="板橋")
    mine, theirs = asked(now=now()), asked(who=patient("林小美"), now=now())
    Patient.objects.filter(pk=mine.patient_id).update(home_location=here)
    MembershipLocation.objects.create(membership=Membership.objects.get(user=desk.user), location=here)

    assert [one["id"] for one in desk.get("/payments/").context["rows"]] == [mine.pk]
    assert desk.get(f"/payments/{theirs.pk}/").status_code == 404
    assert desk.get(f"/payments/new/?patient={theirs.patient_id}").status_code == 404


def test_the_patients_page_has_its_payments(desk):
    made = asked(now=now())
    page = desk.get(f"/patients/{made.patient_id}/").content.decode()
    assert f"/payments/{made.pk}/" in page
    tab = desk.get(f"/patients/{made.patient_id}/payments/").content.decode()
    assert "NT$500" in tab


def test_withdrawing_asks_why(desk):
    made = asked(now=now())
    assert desk.post(f"/payments/{made.pk}/withdraw/", {"version": 1, "reason": ""}).status_code == 422
    assert desk.post(f"/payments/{made.pk}/withdraw/", {"version": 1, "reason": "付現"}).status_code == 303
    made.refresh_from_db()
    assert (made.state, made.reason) == ("CANCELLED", "付現")


def test_connecting_a_provider_keeps_its_secrets_to_itself(client_for):
    owner = client_for("owner")
    data = {"name": "綠界", "enabled": "on", "is_default": "on", "set_environment": "stage", "set_merchant_id": "3002607",
            "set_hash_key": "pwFHCqoQZGmho4w6", "set_hash_iv": "EkRm7iFT261dpevs", "set_choose_payment": "Credit"}  # fmt: skip
    assert owner.post("/settings/payments/new/ecpay/", data).status_code == 303
    account = ProviderAccount.objects.get()
    page = owner.get(f"/settings/payments/{account.pk}/").content.decode()
    assert "pwFHCqoQZGmho4w6" not in page
    assert f"/hooks/payments/{account.pk}" in page
    assert owner.post("/settings/payments/new/sandbox/", {"name": "試", "enabled": "on"}).status_code == 303
    assert owner.get("/settings/payments/").status_code == 200
    assert owner.post(f"/settings/payments/{ProviderAccount.objects.get(kind='sandbox').pk}/check/").status_code == 303
    assert ProviderAccount.objects.get(kind="sandbox").check_ok
    assert owner.get("/settings/payments/new/nothing/").status_code == 404
