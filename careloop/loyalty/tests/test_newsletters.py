"""The newsletter: the words decide its class, the preview says what is sent, and the report what became of it."""

from datetime import timedelta

import pytest

from careloop.consent import services as consent
from careloop.kernel import sql
from careloop.loyalty.models import NewsletterIssue
from careloop.loyalty.tests.make import NOW, member, open_one
from careloop.loyalty.thanks import errors as thanks_errors
from careloop.loyalty.thanks import newsletters, wishes
from careloop.messaging import services as messaging
from careloop.messaging.models import Message
from careloop.messaging.tests.support import account as channel
from careloop.policy.errors import OfferStopped

TEACHES = {
    "zh-hant": {"subject": "少鹽的日常", "text": "{{ greeting }}，每天少一小匙鹽，血壓會更穩。資料來源：國民健康署，2026-03-01。"},
    "en": {"subject": "Less salt", "text": "{{ greeting }}, one spoon of salt less a day. Source: Health Promotion Administration, 2026-03-01."},
}  # fmt: skip
OFFERS = {
    "zh-hant": {"subject": "春季活動", "text": "{{ greeting }}，歡迎立即預約參加健康講座，名額有限，請儘早報名！"}
}
FINED = {"zh-hant": {"subject": "週年慶", "text": "{{ greeting }}，週年慶看診就送精美好禮，免費兌換券大放送！"}}


@pytest.fixture
def clinic(organization):
    channel("line", now=NOW)
    open_one()
    return organization


def members(n=6):
    """Members with LINE; the first half is interested in food."""
    made = [member(name=f"會員{number}", line=f"U{number:032x}").patient_id for number in range(n)]
    for who in made[: n // 2]:
        wishes.keep_interests(patient_id=who, chosen=["food"], now=NOW)
    return made


def an_issue(words=TEACHES, topics=("food",)):
    return newsletters.save(
        issue_id=None, title="三月號", issue_texts=words, topics=topics, version=None, now=NOW, by=None
    )


def checked(words=TEACHES, topics=("food",)):
    made = an_issue(words, topics)
    return newsletters.check(issue_id=made.pk, version=made.version, now=NOW, by=None)


def sent(issue):
    return newsletters.send(issue_id=issue.pk, version=issue.version, now=NOW, by=None)


def test_words_that_teach_are_education_and_go_to_who_did_not_refuse(clinic):
    made = members()
    consent.withdraw(patient_id=made[0], purpose="CARE", source="portal", now=NOW, by=None)

    issue = sent(checked())

    assert issue.message_class == "EDUCATION"
    assert issue.counted["members"] == 6
    assert issue.counted["interested"] == 3
    assert (issue.counted["gets"], issue.counted["left_out"]) == (2, {"consent_refused": 1})


def test_words_that_offer_are_marketing_and_go_to_who_agreed(clinic):
    made = members()
    consent.give(patient_id=made[0], purpose="MARKETING", source="portal", now=NOW, by=None)

    issue = sent(checked(OFFERS))

    assert issue.message_class == "MARKETING"
    assert (issue.counted["gets"], issue.counted["left_out"]) == (1, {"consent_missing": 2})


def test_fined_words_are_not_sent_and_the_reason_is_said(clinic):
    members()
    made = an_issue(FINED)

    with pytest.raises((thanks_errors.NewsletterStopped, OfferStopped)) as stopped:
        newsletters.check(issue_id=made.pk, version=made.version, now=NOW, by=None)
    assert str(stopped.value)
    assert not Message.objects.exists()
    assert NewsletterIssue.objects.get().state == "DRAFT"


@pytest.mark.parametrize("topics", [("food",), (), ("teeth",), ("food", "teeth")])
def test_the_preview_says_what_is_sent(clinic, topics):
    made = members(8)
    consent.withdraw(patient_id=made[0], purpose="CARE", source="portal", now=NOW, by=None)
    sql.execute("update patients_patient set deceased = true where id = %s", [made[1]])
    sql.execute("delete from patients_contact_point where patient_id = %s", [made[2]])
    sql.execute("update loyalty_account set state = 'LEFT' where patient_id = %s", [made[7]])
    issue = checked(topics=topics)

    told = newsletters.count(issue, now=NOW)
    done = sent(issue)

    assert told.stored() == done.counted
    assert Message.objects.filter(origin="newsletter", state="planned").count() == told.gets
    assert told.gets + sum(told.left_out.values()) == told.interested


def test_sending_twice_sends_once(clinic):
    members()
    issue = checked()

    sent(issue)
    sent(issue)

    assert Message.objects.filter(origin="newsletter").count() == 3


def test_changed_words_are_checked_again(clinic):
    members()
    issue = checked()
    newsletters.save(
        issue_id=issue.pk, title="三月號", issue_texts=OFFERS, topics=["food"], version=issue.version, now=NOW, by=None
    )
    issue.refresh_from_db()

    with pytest.raises(thanks_errors.NewsletterNotReady):
        sent(issue)
    again = newsletters.check(issue_id=issue.pk, version=issue.version, now=NOW, by=None)
    assert again.message_class == "MARKETING"


def test_who_saw_an_older_form_does_not_send_another_issue_than_they_read(clinic):
    issue = checked()
    old = issue.version
    newsletters.save(issue_id=issue.pk, title="四月號", issue_texts=TEACHES, topics=[], version=old, now=NOW, by=None)

    with pytest.raises(thanks_errors.ChangedSince):
        newsletters.send(issue_id=issue.pk, version=old, now=NOW, by=None)


def test_what_was_sent_cannot_be_changed_or_thrown_away(clinic):
    issue = sent(checked())

    with pytest.raises(thanks_errors.NewsletterGone):
        newsletters.save(
            issue_id=issue.pk, title="x", issue_texts=TEACHES, topics=[], version=issue.version, now=NOW, by=None
        )
    with pytest.raises(thanks_errors.NewsletterGone):
        newsletters.delete(issue_id=issue.pk, now=NOW, by=None)


def test_the_report_counts_what_became_of_it(clinic):
    made = members()
    issue = sent(checked())
    sql.execute(
        "update messaging_message set state = 'accepted', accepted_at = %s, answered_at = %s where patient_id = %s",
        [NOW, NOW + timedelta(hours=1), made[0]],
    )
    consent.withdraw(patient_id=made[0], purpose="MARKETING", source="link", now=NOW + timedelta(days=1), by=None)

    report = newsletters.report(issue.pk)

    assert (report.sent, report.waiting, report.answered, report.refused) == (1, 2, 1, 1)
    assert newsletters.stop(issue_id=issue.pk, now=NOW, by=None) == 2
    assert newsletters.report(issue.pk).cancelled == 2


def test_its_words_do_not_stand_among_the_clinics_texts(clinic):
    issue = sent(checked())

    from careloop.messaging.models import MessageTemplate

    assert MessageTemplate.objects.get(key=issue.template_key).is_archived
    assert messaging.cancel(now=NOW, origin="newsletter", origin_ids=[str(issue.pk)]) == 0


def test_interests_are_kept_as_chosen_and_nothing_else(clinic):
    who = members(1)[0]

    wishes.keep_interests(patient_id=who, chosen=["food", "teeth", "unknown"], now=NOW)
    wishes.keep_interests(patient_id=who, chosen=["teeth"], now=NOW)

    assert wishes.wishes_of(who).interests == ("teeth",)
