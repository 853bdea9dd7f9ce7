"""What an organization decides about the rules, and who may."""

from datetime import timedelta

import pytest
from django.db import connection

from careloop.accounts.models import Membership
from careloop.audit.models import AuditEvent
from careloop.audit.services import write_notes
from careloop.policy import selectors, services
from careloop.policy.answers import Answer, MessageClass
from careloop.policy.errors import (
    ContactUnreadable,
    NotAnApprover,
    NothingToSignOff,
    ReasonNeeded,
    RuleFixed,
    RuleUnknown,
)
from careloop.policy.models import PolicyOverride, PolicySignOff

QUOTE = "您詢問的美白體驗價 $1680"


@pytest.fixture
def officer(organization, member_of):
    return Membership.objects.get(user=member_of("privacy_officer"))


@pytest.fixture
def marketer(organization, member_of):
    return Membership.objects.get(user=member_of("marketing"))


def check_quote(organization):
    return services.check_text(
        QUOTE, message_class="MARKETING", channel="line", organization=organization, opt_out=True
    )


def test_a_signed_off_text_may_be_sent_and_the_evidence_is_kept(organization, officer, now):
    verdict = check_quote(organization)
    assert verdict.answer == Answer.SIGN_OFF

    sign_off = services.record_sign_off(
        text=QUOTE,
        rule_ids=verdict.reasons,
        reason="病人自行詢價的自費項目",
        by=officer,
        now=now,
        verdict=verdict,
    )

    assert check_quote(organization).may_be_sent
    assert (sign_off.approver, sign_off.rule_ids) == (officer.user, ["S5"])
    write_notes()
    event = AuditEvent.objects.get(action="policy.signed_off")
    assert event.details["rules"] == ["S5"]


def test_another_wording_needs_another_sign_off(organization, officer, now):
    services.record_sign_off(text=QUOTE, rule_ids=["S5"], reason="自費項目詢價", by=officer, now=now)
    other = services.check_text(
        QUOTE + "！", message_class="MARKETING", channel="line", organization=organization, opt_out=True
    )

    assert other.answer == Answer.SIGN_OFF


def test_signing_off_twice_keeps_one_row(organization, officer, now):
    first, second = (
        services.record_sign_off(text=QUOTE, rule_ids=["S5"], reason="自費項目詢價", by=officer, now=now) for _ in "12"
    )

    assert first == second
    assert PolicySignOff.objects.count() == 1


def test_only_an_approver_signs_off_and_with_a_reason(organization, officer, marketer, now):
    with pytest.raises(NotAnApprover):
        services.record_sign_off(text=QUOTE, rule_ids=["S5"], reason="自費項目詢價", by=marketer, now=now)
    with pytest.raises(ReasonNeeded):
        services.record_sign_off(text=QUOTE, rule_ids=["S5"], reason=" ok ", by=officer, now=now)
    with pytest.raises(NothingToSignOff):
        services.record_sign_off(
            text=QUOTE,
            rule_ids=["A1-A"],
            reason="自費項目詢價",
            by=officer,
            now=now,
            verdict=check_quote(organization),
        )
    assert not PolicySignOff.objects.exists()


def test_the_organizations_own_answer_counts_is_recorded_and_can_be_taken_back(organization, officer, now):
    def answer():
        return services.check_text(
            "頂尖團隊", message_class="MARKETING", channel="line", organization=organization, opt_out=True
        ).answer

    def override(value, at):
        services.override_rule(
            organization=organization,
            rule_id="A1-B",
            answer=value,
            reason="法務意見 2026-03",
            by=officer,
            now=at,
        )

    assert answer() == Answer.WARN
    override("BLOCK", now)
    assert answer() == Answer.BLOCK
    override("", now + timedelta(minutes=1))
    assert answer() == Answer.WARN

    assert PolicyOverride.objects.count() == 2
    write_notes()
    assert AuditEvent.objects.filter(action="policy.rule_changed", target_id="A1-B").count() == 2


def test_rules_that_protect_the_patients_decision_cannot_be_changed(organization, officer, marketer, now):
    def override(rule_id, by=officer, reason="我們想要這樣做"):
        services.override_rule(
            organization=organization, rule_id=rule_id, answer="ALLOW", reason=reason, by=by, now=now
        )

    with pytest.raises(RuleFixed):
        override("P5")
    with pytest.raises(RuleUnknown):
        override("M3")
    with pytest.raises(NotAnApprover):
        override("A1-B", by=marketer)
    with pytest.raises(ReasonNeeded):
        override("A1-B", reason="想")


def test_decisions_cannot_be_edited_or_deleted_even_by_the_program(organization, officer, now):
    services.record_sign_off(text=QUOTE, rule_ids=["S5"], reason="自費項目詢價", by=officer, now=now)

    with connection.cursor() as cursor:
        for table in ("policy_sign_off", "policy_override"):
            for right in ("UPDATE", "DELETE"):
                cursor.execute("select has_table_privilege(current_user, %s, %s)", [table, right])
                assert cursor.fetchone() == (False,)


def test_the_list_of_rules_shows_the_organizations_own_answers(organization, officer, now):
    services.override_rule(
        organization=organization,
        rule_id="A1-B",
        answer="BLOCK",
        reason="法務意見 2026-03",
        by=officer,
        now=now,
    )
    listed = {item.rule.id: item for item in selectors.organization_rules(organization=organization, on=now.date())}

    assert listed["A1-B"].answer == Answer.BLOCK
    assert listed["A1-B"].override.set_by == officer.user
    assert listed["S5"].answer == Answer.BLOCK
    assert listed["S5"].override is None
    assert "M3" not in listed


def test_a_registered_address_may_stand_in_a_text_message(organization, officer, now):
    def answer():
        return services.check_text(
            "請點 https://clinic.tw/p/7f3a 確認",
            message_class="OPERATIONAL",
            channel="sms",
            organization=organization,
        ).answer

    assert answer() == Answer.BLOCK
    contact = services.register_contact(value="https://clinic.tw/p", reference="NCC-1", by=officer, now=now)
    assert services.register_contact(value="http://www.clinic.tw/p/", by=officer, now=now) == contact
    assert answer() == Answer.ALLOW
    services.withdraw_contact(contact=contact, by=officer, now=now)
    assert answer() == Answer.BLOCK
    assert services.register_contact(value="https://clinic.tw/p", by=officer, now=now).is_active
    assert answer() == Answer.ALLOW


def test_what_is_no_contact_is_not_registered(organization, officer, marketer, now):
    with pytest.raises(ContactUnreadable):
        services.register_contact(value="我們的網站", by=officer, now=now)
    with pytest.raises(NotAnApprover):
        services.register_contact(value="https://clinic.tw", by=marketer, now=now)


def test_the_clinics_own_name_is_not_read(organization, now):
    organization.name = "安心精神科診所"
    verdict = services.check_text(
        "安心精神科診所提醒您明天的預約",
        message_class="OPERATIONAL",
        channel="line",
        organization=organization,
    )

    assert verdict.answer == Answer.ALLOW


def test_one_checker_serves_many_messages_without_the_database(organization, django_assert_num_queries):
    checker = services.checker_for(organization)

    with django_assert_num_queries(0):
        for number in range(20):
            verdict = checker.check(f"提醒您明天{number}號看診", message_class=MessageClass.OPERATIONAL, channel="line")
            assert verdict.may_be_sent


def test_segments_consent_and_recipients_are_asked_through_services(organization):
    segment = services.check_segment(
        purpose="MARKETING",
        clinical_fields={"diagnosis"},
        every_member_consented=False,
        organization=organization,
    )
    consent = services.check_consent_question(purposes=["CARE", "MARKETING"], organization=organization)
    recipient = services.check_recipient(message_class="MARKETING", refused=["MARKETING"], organization=organization)

    assert [one.answer for one in (segment, consent, recipient)] == [
        Answer.BLOCK,
        Answer.REQUIRE,
        Answer.BLOCK,
    ]


def test_another_clinic_sees_none_of_it(organization, other_organization, officer, now):
    from careloop.tenancy import context

    services.record_sign_off(text=QUOTE, rule_ids=["S5"], reason="自費項目詢價", by=officer, now=now)
    context.set_organization(other_organization.id)

    assert selectors.signed_off_rules(QUOTE) == frozenset()
    assert not PolicySignOff.objects.exists()


def test_quiet_hours_and_cap_are_the_organizations(organization):
    organization.quiet_from_hour, organization.quiet_to_hour, organization.marketing_cap = 22, 9, 1

    assert selectors.quiet_window(organization).starts.hour == 22
    assert selectors.quiet_window(organization).ends.hour == 9
    assert selectors.frequency_cap(organization).limit == 1
