"""Greetings reach those whose day it is, once a year, and leave alone whoever wished so."""

from datetime import UTC, date, datetime, timedelta

import pytest

from careloop.facts import services as facts
from careloop.kernel import sql
from careloop.loyalty.models import Greeting, GreetingPlan
from careloop.loyalty.tests.make import NOW, member, open_one
from careloop.loyalty.thanks import errors as thanks_errors
from careloop.loyalty.thanks import greetings, lunar, wishes
from careloop.messaging import texts
from careloop.messaging.models import Message, MessageTemplate
from careloop.messaging.tests.support import account as channel
from careloop.patients import services as patients
from careloop.patients.tests.make import patient
from careloop.policy.errors import OfferStopped

WORDS = {
    "zh-hant": {"subject": "祝您生日快樂", "text": "{{ greeting }}，{{ clinic.name }}祝您生日快樂！"},
    "zh-hans": {"subject": "祝您生日快乐", "text": "{{ greeting }}，{{ clinic.name }}祝您生日快乐！"},
    "en": {"subject": "Happy birthday", "text": "{{ greeting }}, {{ clinic.name }} wishes you a happy birthday!"},
}


@pytest.fixture
def clinic(organization):
    channel("sms", now=NOW)
    open_one()
    text("birthday", "CARE")
    return organization


def text(key, message_class):
    template = MessageTemplate.objects.create(key=key, name=key, message_class=message_class, created_at=NOW)
    draft = texts.save_draft(template=template, texts=WORDS, by=None, now=NOW)
    texts.publish(version_id=draft.pk, by=None, now=NOW)


def plan(occasion="BIRTHDAY", *, on=True, **given):
    made = greetings.save_plan(
        plan_id=None, now=NOW, by=None, version=None,
        given={"name": "祝福", "occasion": occasion, "template_key": "birthday", "who": "PATIENTS", "seen_within_months": 0, **given},
    )  # fmt: skip
    return greetings.switch(plan_id=made.pk, on=True, now=NOW, by=None) if on else made


_phones = iter(range(10_000_000, 20_000_000))


def someone(name="王小明", *, birth_date=date(1990, 3, 16), **details):
    return patient(name, phone=f"09{next(_phones)}", birth_date=birth_date, **details)


def greet(now=NOW):
    facts.rebuild(now=now)
    return greetings.plan_day(now=now)


def day(year, month, number, hour=0):
    """Some hour of the day, in Taipei eight hours later."""
    return datetime(year, month, number, hour, tzinfo=UTC)


def greeted(occasion="BIRTHDAY"):
    return set(Greeting.objects.filter(occasion=occasion).values_list("patient_id", flat=True))


# -- whose day it is ---------------------------------------------------------------------------------------------


def test_whose_birthday_it_is_gets_a_message_that_is_gone_by_midnight(clinic):
    born_today, _other = someone(), someone(birth_date=date(1990, 3, 17))
    made = plan()

    assert greet()[made.pk].planned == 1

    message = Message.objects.get()
    assert (message.patient_id, message.origin, message.state) == (born_today, "greeting", "planned")
    assert message.expires_at == datetime(2026, 3, 16, 16, tzinfo=UTC)


def test_planning_again_greets_nobody_again(clinic):
    someone()
    plan()

    greet()
    greet()
    greet(NOW + timedelta(hours=3))

    assert Greeting.objects.count() == Message.objects.count() == 1


def test_every_year_has_one_birthday(clinic):
    who = someone(birth_date=date(2000, 2, 29))
    plan()

    for year in (2026, 2027, 2028):
        for number in (27, 28, 29):
            if number < 29 or year == 2028:
                greet(day(year, 2, number))

    assert [(one.year, one.on_date.day) for one in Greeting.objects.filter(patient_id=who).order_by("year")] == [(2026, 28), (2027, 28), (2028, 29)]  # fmt: skip


def test_a_surprise_comes_once_within_its_window_and_on_another_day_for_others(clinic):
    everybody = [someone(f"病人{n}", birth_date=date(1990, 3, 16)) for n in range(12)]
    plan(window_days=3)

    for number in range(10, 23):
        greet(day(2026, 3, number))

    days = dict(Greeting.objects.values_list("patient_id", "on_date"))
    assert set(days) == set(everybody)
    assert all(date(2026, 3, 13) <= one <= date(2026, 3, 19) for one in days.values())
    assert len(set(days.values())) > 2


def test_a_surprise_around_new_year_belongs_to_the_birthdays_year(clinic):
    who = someone(birth_date=date(1990, 1, 1))
    plan(window_days=5)

    for number in range(12):
        greet(day(2026, 12, 26) + timedelta(days=number))

    assert Greeting.objects.get(patient_id=who).year == 2027


def test_who_keeps_the_lunar_birthday_is_greeted_on_it_and_not_on_the_other(clinic):
    who = someone(birth_date=date(1990, 10, 3))  # 15th day of the eighth lunar month
    wishes.keep_greetings(patient_id=who, wants_greetings=True, is_lunar=True, now=NOW)
    plan()

    greet(day(2026, 9, 25))
    greet(day(2026, 10, 3))

    assert list(Greeting.objects.values_list("on_date", flat=True)) == [lunar.day_of("MID_AUTUMN", 2026)]


def test_a_corrected_birth_date_moves_the_lunar_birthday(clinic):
    who = someone(birth_date=date(1990, 10, 3))
    wishes.keep_greetings(patient_id=who, wants_greetings=True, is_lunar=True, now=NOW)
    patients.update(patient_id=who, changes={"birth_date": date(1990, 10, 4)}, version=None, now=NOW, by=None)
    plan()

    greet(day(2026, 9, 25))
    assert not greeted()
    greet(day(2026, 9, 26))
    assert greeted() == {who}


def test_changing_the_calendar_is_no_second_birthday(clinic):
    who = someone(birth_date=date(1990, 10, 3))
    plan()
    wishes.keep_greetings(patient_id=who, wants_greetings=True, is_lunar=True, now=NOW)
    greet(day(2026, 9, 25))
    wishes.keep_greetings(patient_id=who, wants_greetings=True, is_lunar=False, now=NOW)
    greet(day(2026, 10, 3))

    assert Greeting.objects.count() == 1


def test_a_festival_greets_everybody_on_its_day_or_days_before(clinic):
    both = {someone(), someone("林美玲", birth_date=None)}
    plan("MID_AUTUMN", days_before=3, template_key="")

    greet(day(2026, 9, 21))
    assert not greeted("MID_AUTUMN")
    greet(day(2026, 9, 22))
    assert greeted("MID_AUTUMN") == both
    assert Message.objects.first().template_version.template.key == "greeting-mid-autumn"


def test_two_occasions_on_one_day_are_one_greeting(clinic):
    # in 2027 Father's Day and Qixi are both on 8 August
    someone()
    plan("FATHERS_DAY", template_key="")
    plan("QIXI", template_key="")

    greet(day(2027, 8, 8))

    assert Greeting.objects.count() == 1


# -- who is left alone -------------------------------------------------------------------------------------------


def refuses_greetings(who):
    wishes.keep_greetings(patient_id=who, wants_greetings=False, is_lunar=False, now=NOW)


def refuses_messages(who):
    from careloop.consent import services as consent

    consent.withdraw(patient_id=who, purpose="CARE", source="portal", now=NOW, by=None)


def has_died(who):
    patients.update(patient_id=who, changes={"deceased": True}, version=None, now=NOW, by=None)


def is_closed(who):
    patients.update(patient_id=who, changes={"active": False}, version=None, now=NOW, by=None)


def complained(who):
    tag = patients.create_tag(name="客訴", now=NOW, by=None)
    patients.give_tag(patient_ids=[who], tag_id=tag.pk, now=NOW, by=None)


def is_unwell(who):
    Message.objects.create(
        key=f"x:{who}", patient_id=who, message_class="CARE", due_at=NOW, planned_at=NOW, state="accepted", answer="UNWELL",
        answered_at=NOW - timedelta(days=2),
    )  # fmt: skip


def was_congratulated_by_a_journey(who):
    from careloop.messaging import services as messaging

    messaging.plan_one(
        template_key="birthday", patient_id=who, key=f"journey:x:{who}", due_at=NOW, now=NOW, origin="journey"
    )


@pytest.mark.parametrize(
    "because",
    [
        refuses_greetings, refuses_messages, has_died, is_closed, complained, is_unwell, was_congratulated_by_a_journey,
    ],
)  # fmt: skip
def test_who_is_left_alone(clinic, because):
    who, other = someone(), someone("林美玲")
    because(who)
    plan()

    greet()

    assert greeted() == {other}


def test_a_journey_congratulates_nobody_who_was_greeted(clinic):
    from careloop.journeys import handlers
    from careloop.journeys.tests.support import started

    plan()
    who = someone()
    greet()
    other = someone("林美玲")
    facts.rebuild(now=NOW)
    started({"kind": "message", "template": "birthday"}, trigger={"kind": "date", "date": "birthday", "days": 0})

    handlers.enroll_by_date(now=NOW)

    assert [row["patient_id"] for row in sql.rows("select patient_id from journeys_enrollment")] == [other]
    assert greeted() == {who}


def test_who_was_not_here_for_years_is_left_alone(clinic):
    someone()
    plan(seen_within_months=36)

    assert not greet() or not greeted()


def test_a_plan_for_members_greets_members(clinic):
    somebody = member(birth_date=date(1990, 3, 16), phone="0912000999").patient_id
    someone("林美玲")
    plan(who="MEMBERS")

    greet()

    assert greeted() == {somebody}


def test_the_preview_counts_those_who_are_greeted(clinic):
    for n in range(3):
        someone(f"病人{n}")
    made = plan()
    facts.rebuild(now=NOW)

    assert greetings.preview(made, on=date(2026, 3, 16), now=NOW) == 3
    greet()
    assert len(greeted()) == 3
    assert greetings.preview(made, on=date(2026, 3, 16), now=NOW) == 0


# -- benefits and the law ----------------------------------------------------------------------------------------


def test_in_taiwan_a_greeting_alone_may_go_and_a_benefit_may_not(clinic):
    text("birthday-gift", "MARKETING")
    with_points = plan(on=False, gives="POINTS", points=50, template_key="birthday-gift")

    with pytest.raises(OfferStopped) as stopped:
        greetings.switch(plan_id=with_points.pk, on=True, now=NOW, by=None)
    assert "S1" in str(stopped.value)
    assert plan().is_on


def test_a_benefit_makes_it_marketing(clinic):
    made = plan(on=False, gives="POINTS", points=50)

    with pytest.raises(thanks_errors.GreetingNeedsMarketing):
        greetings.switch(plan_id=made.pk, on=True, now=NOW, by=None)


def test_where_the_law_lets_it_points_come_with_the_greeting_once(clinic):
    sql.execute("update tenancy_organization set legal_profile = 'INTL'")
    text("birthday-gift", "MARKETING")
    account = member(birth_date=date(1990, 3, 16), phone="0912000999")
    agree(account.patient_id)
    plan(gives="POINTS", points=50, template_key="birthday-gift")

    greet()
    greet()

    assert sql.value("select balance from loyalty_account where id = %s", [account.pk]) == 50
    assert Greeting.objects.get().given == "POINTS"


def test_a_law_that_changed_stops_the_whole_plan(clinic):
    sql.execute("update tenancy_organization set legal_profile = 'INTL'")
    text("birthday-gift", "MARKETING")
    account = member(birth_date=date(1990, 3, 16), phone="0912000999")
    agree(account.patient_id)
    plan(gives="POINTS", points=50, template_key="birthday-gift")
    sql.execute("update tenancy_organization set legal_profile = 'TW'")

    assert greet() == {}
    assert not greeted()


def agree(who):
    from careloop.consent import services as consent

    consent.give(patient_id=who, purpose="MARKETING", source="portal", now=NOW, by=None)


def test_one_plan_an_occasion_is_switched_on(clinic):
    plan(name="生日一")
    second = plan(on=False, name="生日二")

    with pytest.raises(thanks_errors.OccasionTaken) as refusal:
        greetings.switch(plan_id=second.pk, on=True, now=NOW, by=None)
    assert "生日一" in str(refusal.value)


def test_the_festival_that_comes_next(clinic):
    made = GreetingPlan(occasion="MID_AUTUMN", days_before=3)

    assert greetings.next_festival(made, today=date(2026, 3, 16)) == date(2026, 9, 22)
    assert greetings.next_festival(made, today=date(2026, 9, 23)) == date(2027, 9, 12)


def test_a_text_that_was_put_away_keeps_nobody_else_from_being_greeted(clinic):
    from careloop.messaging.models import MessageTemplate

    someone()
    plan("FATHERS_DAY", template_key="")
    MessageTemplate.objects.filter(key="greeting-fathers-day").update(is_archived=True)
    plan("QIXI", template_key="")

    greet(day(2027, 8, 8))

    assert greeted("QIXI")
    assert not greeted("FATHERS_DAY")
