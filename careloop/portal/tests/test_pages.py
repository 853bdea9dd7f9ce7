"""Pages that a link in a message opens: looking does nothing, sending the form does."""

import pytest
from django.test import Client

from careloop.consent import services as consent
from careloop.consent.models import Consent
from careloop.kernel import sql
from careloop.kernel.ids import token_hash
from careloop.messaging import links, services, texts
from careloop.messaging.models import AnswerLink, InboundMessage, Message
from careloop.messaging.tests.support import account, patient


@pytest.fixture
def mailed(organization, now):
    """A function: a message that went to a new patient by e-mail, and the token in its links."""
    from datetime import UTC, datetime, timedelta

    texts.install_library(now=now)
    account("email", now=now)

    def send(template="recall", someone=None, **more):
        someone = someone or patient(email=True, now=now)
        message = services.plan_one(
            template_key=template, patient_id=someone, key=f"{template}:{someone}", due_at=now, now=now, **more
        )
        Message.objects.filter(pk=message.pk).update(state="accepted", accepted_at=now)
        token = links.token_of(organization.id, message.pk)
        AnswerLink.objects.create(
            token_hash=token_hash(token), message=message, expires_at=datetime.now(UTC) + timedelta(days=60)
        )
        return message, token

    return send


@pytest.fixture
def browser():
    return Client(enforce_csrf_checks=True)


def test_opening_the_answer_page_answers_nothing(mailed, browser):
    _message, token = mailed()

    page = browser.get(f"/p/m/{token}/?a=BOOK")

    assert page.status_code == 200
    assert "幫我安排" in page.content.decode()
    assert not InboundMessage.objects.exists()
    assert sql.value("select count(*) from events_event where kind = 'message.link_clicked'") == 1


def test_sending_it_answers_once(mailed, browser):
    message, token = mailed()

    for _click in range(2):
        assert browser.post(f"/p/m/{token}/", {"answer": "CALL_ME"}).status_code == 200

    said = InboundMessage.objects.get()
    assert (said.answer, said.in_reply_to_id) == ("CALL_ME", message.pk)
    assert Message.objects.get(pk=message.pk).answer == "CALL_ME"


def test_an_answer_that_was_not_offered_is_none(mailed, browser):
    _message, token = mailed()

    assert browser.post(f"/p/m/{token}/", {"answer": "SCORE_10"}).status_code == 422
    assert not InboundMessage.objects.exists()


def test_one_click_unsubscribes_one_person_without_cookies(mailed, browser, now):
    someone, sibling = patient(email="family@example.test", now=now), patient(email="family@example.test", now=now)
    for person in (someone, sibling):
        consent.give(patient_id=person, purpose="MARKETING", source="desk", now=now, by=None)
    _message, token = mailed("clinic-news", someone, params={"text": "週六也看診"})

    assert browser.get(f"/p/u/{token}/").status_code == 200
    assert Consent.objects.filter(ended_at=None, decision="deny").count() == 0

    reply = browser.post(
        f"/p/u/{token}/", "List-Unsubscribe=One-Click", content_type="application/x-www-form-urlencoded"
    )

    assert reply.status_code == 200
    decisions = dict(Consent.objects.filter(ended_at=None).values_list("patient_id", "decision"))
    assert decisions == {someone: "deny", sibling: "permit"}


def test_choices_can_be_changed_both_ways(mailed, browser):
    message, token = mailed()

    browser.post(f"/p/c/{token}/", {"wants": ["MARKETING"]})

    decisions = dict(Consent.objects.filter(ended_at=None, patient=message.patient).values_list("purpose", "decision"))
    assert decisions == {"MARKETING": "permit", "SURVEY": "deny", "CARE": "deny"}

    browser.post(f"/p/c/{token}/", {"wants": ["CARE"]})

    decisions = dict(Consent.objects.filter(ended_at=None, patient=message.patient).values_list("purpose", "decision"))
    assert decisions == {"MARKETING": "deny", "SURVEY": "deny", "CARE": "permit"}


@pytest.mark.parametrize("page", ["m", "u", "c"])
def test_a_wrong_token_opens_nothing_and_says_so_kindly(mailed, browser, page):
    mailed()

    assert browser.get(f"/p/{page}/{'x' * 43}/").status_code == 404


def test_an_old_link_opens_nothing(mailed, browser, now):
    _message, token = mailed()
    AnswerLink.objects.update(expires_at=now)

    assert browser.get(f"/p/m/{token}/").status_code == 404


def test_the_table_holds_no_token(mailed):
    _message, token = mailed()

    assert token not in str(sql.rows("select * from messaging_answer_link"))
