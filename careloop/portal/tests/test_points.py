"""A patient's points on the own pages: what came and went, what ends when, and sharing with the family by one's own choice."""

from datetime import date, timedelta

import pytest

from careloop.audit.models import AuditEvent
from careloop.audit.services import write_notes
from careloop.kernel.ids import uuid7
from careloop.loyalty.models import Account, PoolMember, Programme
from careloop.loyalty.points.ledger import Because
from careloop.loyalty.tests.support import balance, earn, open_programme, spend
from careloop.patients import services as patients
from careloop.patients.models import RelatedPerson
from careloop.portal.tests.support import Phone, now, open_clinic, somebody


@pytest.fixture
def phone(organization):
    open_clinic()
    made = Phone(organization)
    made.who = somebody()
    made.programme = open_programme(now(), allows_pools=True)
    made.account = joined(made, made.who)
    made.sign_in()
    return made


def joined(phone, patient_id):
    return Account.objects.create(programme=phone.programme, kind="PATIENT", patient_id=patient_id, joined_at=now()).pk


def relative(phone, name, birth_date, **more):
    """Somebody of the family, a member too, on whose page the signed-in patient is recorded."""
    made = patients.register(
        details={"name": name, "birth_date": birth_date}, idempotency_key=uuid7(), now=now(), by=None
    ).patient_id
    patients.save_related_person(
        patient_id=made, related_person_id=uuid7(), name="", relative_id=phone.who, now=now(), by=None, **more
    )
    return made, joined(phone, made)


def test_points_are_told_in_plain_words(phone):
    ends = now().date() + timedelta(days=90)
    earn(phone.account, 50, now(), because=Because("EARN_RULE", note="Thank you for coming"), expires_on=ends)
    spend(phone.account, 20, now(), because=Because("REWARD", note="A mug"))

    page = phone.sees("member/points/")

    for words in ("30 points", "Thank you for coming", "+50", "A mug", "−20", "What ends when"):
        assert words in page


def test_whoever_is_no_member_is_told_how_to_become_one(organization):
    open_clinic()
    phone = Phone(organization)
    somebody()
    phone.sign_in()

    assert "You are not a member yet" in phone.sees("member/points/")
    assert phone.post("member/points/family/", {"do": "begin"}).status_code == 404


def test_a_guardian_shares_and_takes_the_child_in(phone):
    _child, account = relative(phone, "王小安", date(2020, 5, 1), is_guardian=True)
    earn(phone.account, 50, now())
    earn(account, 10, now())

    phone.post("member/points/family/", {"do": "begin"})
    assert "王小安" in phone.sees("member/points/")
    phone.post("member/points/family/", {"do": "ask", "who": str(account)})

    page = phone.sees("member/points/")
    assert "60 points" in page
    assert "brought in 10, used 0" in page
    phone.post("member/points/family/", {"do": "leave"})
    assert balance(phone.account) == 50


def test_a_grown_up_is_asked_and_decides_alone(phone):
    spouse, account = relative(phone, "王大同", date(1985, 5, 1), may_act=True)
    patients.save_related_person(
        patient_id=phone.who, related_person_id=uuid7(), name="", relative_id=spouse, now=now(), by=None
    )
    phone.post("member/points/family/", {"do": "begin"})
    phone.post("member/points/family/", {"do": "ask", "who": str(account)})
    phone.post("family/", {"person": str(spouse)})

    page = phone.sees("member/points/")

    assert "asks you to share points" in page
    assert "Only they themselves can choose this" in page
    refused = phone.post("member/points/family/", {"do": "yes"})
    assert "only they themselves can agree" in refused.content.decode()
    assert PoolMember.objects.get(account_id=account).state == "INVITED"


def test_that_somebody_is_a_patient_here_is_not_told_to_others(phone):
    """A grown-up who wrote me down as family is not offered on my page."""
    _stranger, account = relative(phone, "王大同", date(1985, 5, 1))
    phone.post("member/points/family/", {"do": "begin"})

    assert "王大同" not in phone.sees("member/points/")
    assert phone.post("member/points/family/", {"do": "ask", "who": str(account)}).status_code == 404


# -- handing points over ------------------------------------------------------------------------------------------


@pytest.fixture
def giving(phone):
    """A phone whose programme lets families hand points over, with 50 points and a spouse who is a member too."""
    Programme.objects.filter(pk=phone.programme.pk).update(allows_transfers=True)
    earn(phone.account, 50, now())
    phone.spouse, phone.spouses = relative(phone, "王大同", date(1985, 5, 1))
    patients.save_related_person(
        patient_id=phone.who, related_person_id=uuid7(), name="", relative_id=phone.spouse, now=now(), by=None
    )
    return phone


def given(phone, account, points, *, do="give", key="a" * 32):
    return phone.post("member/points/give/", {"do": do, "who": str(account), "points": str(points), "key": key})


def test_points_are_handed_over_after_showing_what_will_be_and_once(giving):
    assert "Give points to the family" in giving.sees("member/points/")
    assert "王大同" in giving.sees("member/points/give/")

    shown = given(giving, giving.spouses, 20, do="look").content.decode()

    for words in ("王大同", "20 points", "30 points", "keeps its last day"):
        assert words in shown
    assert balance(giving.account) == 50  # looking does nothing
    for _click in range(2):
        assert given(giving, giving.spouses, 20).status_code == 303
    assert (balance(giving.account), balance(giving.spouses)) == (30, 20)
    write_notes()
    noted = AuditEvent.objects.get(action="loyalty.points_handed_over")
    assert (noted.actor_kind, noted.details["points"]) == ("patient", 20)
    assert "−20" in giving.sees("member/points/")


@pytest.mark.parametrize("points", ["0", "51", "-5", "many"])
def test_more_than_there_is_or_nothing_is_not_handed_over(giving, points):
    assert given(giving, giving.spouses, points, do="look").status_code == 422
    assert given(giving, giving.spouses, points).status_code in (404, 409, 422)
    assert balance(giving.account) == 50


def test_only_family_whom_the_own_page_knows_and_only_where_the_programme_lets(giving):
    _stranger, account = relative(giving, "陳先生", date(1980, 1, 1))

    assert given(giving, account, 5).status_code == 404
    Programme.objects.filter(pk=giving.programme.pk).update(allows_transfers=False)
    assert giving.get("member/points/give/").status_code == 302
    assert "Give points" not in giving.sees("member/points/")
    assert given(giving, giving.spouses, 5).status_code == 409
    assert balance(giving.account) == 50


def test_a_childs_points_go_only_by_the_guardian_and_an_adults_only_by_the_adult(giving):
    child, account = relative(giving, "王小安", date(2020, 5, 1), is_guardian=True)
    earn(account, 10, now())
    patients.save_related_person(
        patient_id=child,
        related_person_id=uuid7(),
        name="",
        relative_id=giving.spouse,
        may_act=True,
        now=now(),
        by=None,
    )
    giving.post("family/", {"person": str(child)})
    assert given(giving, giving.account, 4).status_code == 303
    assert (balance(account), balance(giving.account)) == (6, 54)

    earn(giving.spouses, 10, now())
    for one in RelatedPerson.objects.filter(patient_id=giving.spouse):
        patients.save_related_person(
            patient_id=giving.spouse,
            related_person_id=one.pk,
            name="",
            relative_id=giving.who,
            may_act=True,
            now=now(),
            by=None,
        )
    giving.post("family/", {"person": str(giving.spouse)})
    assert "王大同" in giving.sees("member/")
    assert giving.get("member/points/give/").status_code == 302
    assert given(giving, giving.account, 4).status_code in (404, 409)
    assert balance(giving.spouses) == 10
