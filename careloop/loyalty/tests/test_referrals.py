"""A member tells a friend; the friend comes; the member is thanked. Once, by the first code, and odd ones wait for a person."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils.translation import override

from careloop.kernel import sql
from careloop.kernel.ids import uuid7
from careloop.loyalty.models import Referral
from careloop.loyalty.tests.make import NOW, member
from careloop.loyalty.tests.referral_support import SOON, a_member, balance, completed, friend_of, seen, visit
from careloop.loyalty.thanks import errors as thanks_errors
from careloop.loyalty.thanks import referral_checks, referral_codes, referrals
from careloop.messaging import texts
from careloop.messaging.models import Message
from careloop.patients import services as patients
from careloop.patients.tests.make import patient
from careloop.policy.errors import OfferStopped

# -- codes -------------------------------------------------------------------------------------------------------


def test_a_member_has_one_code_for_ever(referring):
    someone, code = a_member()

    assert referrals.code_of(someone, now=SOON) == code
    assert referrals.owner_of(referral_codes.spoken_code(code).lower()) == someone


def test_no_slip_of_one_sign_makes_another_members_code():
    code = referral_codes.new_code()
    for place in range(len(code)):
        for sign in referral_codes.ALPHABET.replace(code[place], ""):
            assert referral_codes.read_code(code[:place] + sign + code[place + 1 :]) == ""


def test_codes_hold_no_signs_that_look_alike():
    assert not set("01OILBSZ") & set(referral_codes.ALPHABET)


def test_the_code_of_somebody_who_has_died_brings_nobody(referring):
    someone, code = a_member()
    patients.update(patient_id=someone, changes={"deceased": True}, version=None, now=NOW, by=None)

    assert referrals.owner_of(code) is None


# -- the ordinary way --------------------------------------------------------------------------------------------


def test_a_friend_registers_comes_and_the_member_is_thanked_in_words(referring):
    referrer, code = a_member()
    friend, made = friend_of(code)

    assert made.state == "WAITING"
    assert seen(friend) == 1

    made.refresh_from_db()
    assert (made.state, made.given, made.completed_at) == ("COMPLETED", "THANKS", SOON)
    thanks = Message.objects.get(patient_id=referrer)
    assert (thanks.state, thanks.origin, thanks.template_version.template.key) == (
        "planned",
        "membership",
        "referral-thanks",
    )
    assert completed(referrer) == 1


def test_the_thanks_name_nobody_and_say_nothing_of_health(referring):
    version = texts.published_version("referral-thanks")

    assert version.required == []
    assert set(version.variables) <= {"greeting", "clinic.name"}


def test_a_second_visit_a_replayed_event_and_a_second_reader_change_nothing(referring):
    referrer, code = a_member()
    friend, _made = friend_of(code)

    assert [seen(friend), seen(friend), seen(friend, SOON + timedelta(days=30))] == [1, 0, 0]
    assert completed(referrer) == 1
    assert Message.objects.filter(patient_id=referrer).count() == 1


def test_a_visit_from_before_the_code_completes_nothing(referring):
    _referrer, code = a_member()
    friend, made = friend_of(code)

    assert seen(friend, NOW - timedelta(days=3)) == 0
    made.refresh_from_db()
    assert made.state == "WAITING"


def test_what_an_import_fills_in_afterwards_is_no_visit():
    from careloop.events.registry import Published

    row = Published(1, "encounter.recorded", uuid7(), SOON, SOON, "import", None, True, {})

    assert referrals.first_visits([row]) == {}


def test_the_first_code_counts(referring):
    first, code = a_member()
    second = member(name="林美玲", phone="0912000222", birth_date=date(1970, 5, 5)).patient_id
    friend, made = friend_of(code)

    assert referrals.claim(friend_id=friend, code=code, how="TYPED", now=SOON).pk == made.pk
    with pytest.raises(thanks_errors.AlreadyReferred):
        referrals.claim(friend_id=friend, code=referrals.code_of(second, now=NOW), how="DESK", now=SOON)
    assert Referral.objects.get(friend_id=friend).referrer_id == first


def test_told_at_the_desk_after_the_first_visit_completes_at_once(referring):
    referrer, code = a_member()
    friend = patient("陳怡君", now=NOW, registered_on=NOW.date(), birth_date=date(1985, 1, 2))
    visit(friend, NOW + timedelta(hours=1))

    made = referrals.claim(friend_id=friend, code=code, how="DESK", now=SOON)

    assert made.state == "COMPLETED"
    assert completed(referrer) == 1


def test_patients_of_old_are_refused_politely(referring):
    _referrer, code = a_member()
    known = patient(
        "李大同", now=NOW - timedelta(days=200), registered_on=date(2020, 1, 1), birth_date=date(1960, 1, 1)
    )

    with override("en"), pytest.raises(thanks_errors.NotNewHere) as refusal:
        referrals.claim(friend_id=known, code=code, how="DESK", now=NOW)
    with override("en"):
        assert "Thank you" in str(refusal.value)


def test_a_code_that_nobody_has_and_ones_own_are_refused(referring):
    someone, code = a_member()
    friend = patient("陳怡君", now=NOW, registered_on=NOW.date(), birth_date=date(1985, 1, 2))

    with pytest.raises(thanks_errors.UnknownReferralCode):
        referrals.claim(friend_id=friend, code=referral_codes.new_code(), how="TYPED", now=NOW)
    with pytest.raises(thanks_errors.OwnCode):
        referrals.claim(friend_id=someone, code=code, how="TYPED", now=NOW)
    assert not Referral.objects.exists()


def test_switched_off_no_code_is_taken(referring):
    _someone, code = a_member()
    referrals.set_up(given={"is_on": False}, version=None, now=NOW, by=None)
    friend = patient("陳怡君", now=NOW, registered_on=NOW.date(), birth_date=date(1985, 1, 2))

    with pytest.raises(thanks_errors.ReferralsClosed):
        referrals.claim(friend_id=friend, code=code, how="LINK", now=NOW)


def test_who_never_comes_is_closed_after_a_year(referring):
    _someone, code = a_member()
    _friend, made = friend_of(code)

    assert referrals.expire(now=NOW + timedelta(days=100)) == 0
    assert referrals.expire(now=NOW + timedelta(days=400)) == 1
    made.refresh_from_db()
    assert made.state == "EXPIRED"


# -- what looks odd ----------------------------------------------------------------------------------------------

ME = {"name": "王小明", "birth_date": date(1990, 3, 5)}


@pytest.mark.parametrize(
    ("case", "of_member", "of_friend", "reason"),
    [
        ("the same ID number", {"national_id": "A123456789"}, {"national_id": "A123456789"}, "SAME_PERSON"),
        ("the same name and birth date", {}, ME, "SAME_PERSON"),
        ("the same phone", {}, {"phone": "0912000111"}, "SAME_CONTACT"),
        ("the same e-mail", {"email": "home@example.test"}, {"email": "Home@example.test"}, "SAME_CONTACT"),
        ("the same address, written otherwise", {"address": "臺北市大安區和平東路一段１號"}, {"address": "台北市大安區和平東路一段1號"}, "SAME_ADDRESS"),
    ],
)  # fmt: skip
def test_the_same_person_and_the_same_household_are_held(referring, case, of_member, of_friend, reason):
    referrer, code = a_member(**of_member)
    friend, made = friend_of(code, **of_friend)

    assert made.state == "HELD", case
    assert reason in made.reasons
    assert seen(friend) == 0
    made.refresh_from_db()
    assert (made.state, made.visited_at) == ("HELD", SOON), "the visit is not forgotten"
    assert completed(referrer) == 0


@pytest.mark.parametrize(
    ("case", "of_member", "of_friend"),
    [
        ("the same name alone", {}, {"name": "王小明", "birth_date": date(1985, 1, 2)}),
        ("the same birthday alone", {}, {"birth_date": date(1990, 3, 5)}),
        ("the same city alone", {"address": "臺北市"}, {"address": "台北市"}),
        ("no birth date on either", {"birth_date": None}, {"birth_date": None}),
    ],
)
def test_what_many_share_is_not_odd(referring, case, of_member, of_friend):
    _referrer, code = a_member(**of_member)
    _friend, made = friend_of(code, **of_friend)

    assert (made.state, made.reasons) == ("WAITING", []), case


def test_family_is_held(referring):
    referrer, code = a_member()
    child = patient("王小華", now=NOW, registered_on=NOW.date(), birth_date=date(2015, 1, 2))
    patients.save_related_person(
        patient_id=child, related_person_id=uuid7(), name="王小明", relationship="FTH", relative_id=referrer, is_guardian=True,
        now=NOW, by=None,
    )  # fmt: skip

    assert referrals.claim(friend_id=child, code=code, how="DESK", now=NOW).reasons == ["RELATED"]


def test_staff_are_held(referring, member_of):
    somebody = member_of("front_desk")
    _referrer, code = a_member(email=somebody.email)
    _friend, made = friend_of(code)

    assert made.reasons == ["STAFF"]


def test_a_circle_is_held(referring):
    first, code = a_member()
    second, _made = friend_of(code, phone="0912000333")
    third, _made = friend_of(
        referrals.code_of(second, now=NOW), name="趙三", phone="0912000444", birth_date=date(1971, 1, 1)
    )

    made = referral_checks.reasons_of(referrer_id=third, friend_id=first, monthly_limit=5, now=NOW)

    assert made == ["CIRCLE"]


def test_very_many_in_a_month_are_held_and_not_in_two(referring):
    referrals.set_up(given={"is_on": True, "monthly_limit": 2}, version=None, now=NOW, by=None)
    _referrer, code = a_member()
    made = [friend_of(code, name=name, birth_date=date(1980, 1, n + 1))[1] for n, name in enumerate("甲乙丙")]
    later = friend_of(code, name="丁", birth_date=date(1980, 2, 1), now=NOW + timedelta(days=40))[1]

    assert [one.reasons for one in (*made, later)] == [[], [], ["MANY"], []]


def test_a_phone_that_came_after_the_code_is_noticed_at_the_visit(referring):
    _referrer, code = a_member()
    friend, made = friend_of(code)
    patients.add_contact_point(patient_id=friend, system="phone", text="0912000111", now=NOW, by=None)

    assert seen(friend) == 0
    made.refresh_from_db()
    assert (made.state, made.reasons) == ("HELD", ["SAME_CONTACT"])


# -- people decide -----------------------------------------------------------------------------------------------


def test_a_person_lets_it_count_and_the_visit_that_was_completes_it(referring, member_of):
    boss = member_of("owner")
    referrer, code = a_member()
    friend, made = friend_of(code, phone="0912000111")
    seen(friend)

    with pytest.raises(thanks_errors.DecisionNeedsWords):
        referrals.decide(referral_id=made.pk, counts=True, note=" ", now=SOON, by=boss.pk)
    done = referrals.decide(referral_id=made.pk, counts=True, note="室友，不是家人", now=SOON, by=boss.pk)

    assert (done.state, done.decided_by_id) == ("COMPLETED", boss.pk)
    assert completed(referrer) == 1
    with pytest.raises(thanks_errors.NotToDecide):
        referrals.decide(referral_id=made.pk, counts=False, note="改變主意", now=SOON, by=boss.pk)


def test_let_through_before_the_visit_it_is_not_held_again(referring, member_of):
    boss = member_of("owner")
    referrer, code = a_member()
    friend, made = friend_of(code, phone="0912000111")
    referrals.decide(referral_id=made.pk, counts=True, note="室友", now=NOW, by=boss.pk)

    assert seen(friend) == 1
    assert completed(referrer) == 1


def test_a_refused_one_stays_refused_and_the_friend_cannot_come_by_another_code(referring, member_of):
    boss = member_of("owner")
    referrer, code = a_member()
    other = member(name="林美玲", phone="0912000222", birth_date=date(1970, 5, 5)).patient_id
    friend, made = friend_of(code, phone="0912000111")
    referrals.decide(referral_id=made.pk, counts=False, note="本人的第二份病歷", now=NOW, by=boss.pk)

    assert seen(friend) == 0
    assert completed(referrer) == 0
    with pytest.raises(thanks_errors.AlreadyReferred):
        referrals.claim(friend_id=friend, code=referrals.code_of(other, now=NOW), how="DESK", now=NOW)


# -- the law -----------------------------------------------------------------------------------------------------


def test_in_taiwan_only_thanks_can_be_switched_on(referring):
    for gives in ({"gives": "POINTS", "points": 100},):
        with pytest.raises(OfferStopped) as stopped:
            referrals.set_up(given={"is_on": True, **gives}, version=None, now=NOW, by=None)
        assert "S3" in str(stopped.value)
    kept = referrals.set_up(given={"is_on": False, "gives": "POINTS", "points": 100}, version=None, now=NOW, by=None)
    assert not kept.is_on


def test_where_the_law_lets_it_the_member_gets_points_once(referring):
    sql.execute("update tenancy_organization set legal_profile = 'INTL'")
    referrals.set_up(given={"is_on": True, "gives": "POINTS", "points": 100}, version=None, now=NOW, by=None)
    referrer, code = a_member()
    friend, made = friend_of(code)
    seen(friend)

    made.refresh_from_db()
    assert (made.given, made.withheld) == ("POINTS", "")
    assert balance(referrer) == 100


def test_a_law_that_changed_since_withholds_the_points_and_still_thanks(referring):
    sql.execute("update tenancy_organization set legal_profile = 'INTL'")
    referrals.set_up(given={"is_on": True, "gives": "POINTS", "points": 100}, version=None, now=NOW, by=None)
    referrer, code = a_member()
    friend, made = friend_of(code)
    sql.execute("update tenancy_organization set legal_profile = 'TW'")
    seen(friend)

    made.refresh_from_db()
    assert (made.state, made.given, made.withheld) == ("COMPLETED", "THANKS", "LAW")
    assert balance(referrer) == 0
    assert Message.objects.filter(patient_id=referrer).exists()


def test_who_left_the_membership_is_thanked_in_words(referring):
    sql.execute("update tenancy_organization set legal_profile = 'INTL'")
    referrals.set_up(given={"is_on": True, "gives": "POINTS", "points": 100}, version=None, now=NOW, by=None)
    referrer, code = a_member()
    friend, made = friend_of(code)
    sql.execute("update loyalty_account set state = 'LEFT' where patient_id = %s", [referrer])
    seen(friend)

    made.refresh_from_db()
    assert (made.given, made.withheld) == ("THANKS", "NO_MEMBER")


# -- through the log ---------------------------------------------------------------------------------------------


def test_the_reader_completes_on_the_events_of_a_visit(referring):
    from careloop.events.registry import Published, reading_at
    from careloop.loyalty.thanks.handlers import note_first_visits

    referrer, code = a_member()
    friend, _made = friend_of(code)
    stranger = patient("路人", birth_date=date(1950, 1, 1))
    at = datetime(2026, 3, 18, 1, 0, tzinfo=UTC)

    with reading_at(at):
        note_first_visits([
            Published(1, "appointment.fulfilled", friend, at, at, "desk", None, False, {}),
            Published(2, "encounter.recorded", friend, at, at, "his", None, False, {}),
            Published(3, "encounter.recorded", stranger, at, at, "his", None, False, {}),
        ])  # fmt: skip

    assert completed(referrer) == 1


# -- what one person may have and have erased --------------------------------------------------------------------


def test_the_copy_of_ones_data_names_no_friend(referring):
    from careloop.loyalty.thanks import privacy as thanks_privacy

    referrer, code = a_member()
    friend, _made = friend_of(code)
    seen(friend)

    given = str(thanks_privacy.export(referrer))
    assert "'friends_brought': 1" in given
    assert "陳怡君" not in given
    assert str(friend) not in given
    assert thanks_privacy.export(friend)["came_with_a_code"][0]["state"] == "COMPLETED"


def test_erased_the_code_is_nobodys_and_the_figures_still_add_up(referring):
    from careloop.loyalty.thanks import privacy as thanks_privacy

    referrer, code = a_member()
    friend, made = friend_of(code)
    seen(friend)
    _second, waiting = friend_of(code, name="還沒來", birth_date=date(1981, 1, 1))

    thanks_privacy.erase(referrer)

    assert referrals.owner_of(code) is None
    made.refresh_from_db()
    waiting.refresh_from_db()
    assert (made.state, waiting.state) == ("COMPLETED", "EXPIRED")
