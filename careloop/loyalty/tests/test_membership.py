"""A programme is written and opened; patients join, leave and come back."""

import pytest

from careloop.events.models import Event
from careloop.facts import services as facts
from careloop.loyalty import errors
from careloop.loyalty.join import membership, programme
from careloop.loyalty.join.numbers import is_member_number
from careloop.loyalty.models import Account, Terms
from careloop.loyalty.points import ledger
from careloop.loyalty.tests.make import NOW, member, open_one
from careloop.patients.tests.make import patient
from careloop.segments import language
from careloop.segments.selectors import count
from careloop.tenancy.models import Location

pytestmark = pytest.mark.usefixtures("organization")


def test_a_programme_without_terms_is_not_opened():
    made = programme.create(name="會員", now=NOW, by=None)

    with pytest.raises(errors.TermsMissing):
        programme.open_programme(programme_id=made.pk, now=NOW, by=None)


def test_one_programme_of_a_place_is_open_at_a_time():
    first = open_one()
    second = programme.create(name="第二個", terms="條款", now=NOW, by=None)

    with pytest.raises(errors.ProgrammeOpenAlready):
        programme.open_programme(programme_id=second.pk, now=NOW, by=None)
    programme.close(programme_id=first.pk, now=NOW, by=None)
    assert programme.open_programme(programme_id=second.pk, now=NOW, by=None).state == "OPEN"


def test_a_branch_with_its_own_programme_uses_that_one():
    branch = Location.objects.create(name="分院")
    whole, own = open_one(), open_one("分院會員", location_id=branch.pk)

    assert membership.programme_for(branch.pk) == own
    assert membership.programme_for(None) == whole


def test_every_wording_of_the_terms_is_kept_and_each_member_has_the_one_they_agreed_to():
    made = open_one()
    first = member(made)
    programme.change(programme_id=made.pk, version=made.version, terms="新條款", now=NOW, by=None)
    second = member(made, name="陳大文")

    assert Terms.objects.count() == 2
    assert (first.terms.text, second.terms.text) == ("點數不可兌換現金。", "新條款")


def test_joining_twice_makes_one_member():
    who, where = patient(), open_one()

    first = membership.join(patient_id=who, programme_id=where.pk, how="DESK", now=NOW, by=None)
    again = membership.join(patient_id=who, programme_id=where.pk, how="PORTAL", now=NOW, by=None)

    assert first.pk == again.pk
    assert first.joined_how == again.joined_how == "DESK"
    assert Event.objects.filter(kind="loyalty.joined").count() == 1


def test_who_leaves_and_comes_back_keeps_the_number():
    account = member()
    membership.leave(account_id=account.pk, now=NOW, by=None)
    assert membership.account_of(account.patient_id) is None

    again = member(who=account.patient_id, now=NOW)

    assert (again.pk, again.member_number, again.state) == (account.pk, account.member_number, "ACTIVE")
    assert Event.objects.filter(kind__in=["loyalty.joined", "loyalty.left"]).count() == 3


def test_nobody_joins_a_programme_that_is_not_open():
    made = programme.create(name="會員", terms="條款", now=NOW, by=None)

    with pytest.raises(errors.ProgrammeNotOpen):
        member(made)


def test_a_member_number_says_when_it_was_mistyped():
    number = member().member_number

    assert is_member_number(number)
    for place in range(len(number)):
        wrong = str((int(number[place]) + 3) % 10)
        assert not is_member_number(number[:place] + wrong + number[place + 1 :])
    swapped = next(at for at in range(len(number) - 1) if number[at] != number[at + 1])
    assert not is_member_number(number[:swapped] + number[swapped + 1] + number[swapped] + number[swapped + 2 :])


def test_a_scanned_card_opens_its_member_and_a_made_up_one_nobody():
    account = member()
    code = membership.card_code(account.member_number)

    assert membership.account_by_code(code)["id"] == account.pk
    assert membership.account_by_code(account.member_number)["id"] == account.pk
    assert membership.account_by_code(code[:-1] + ("a" if code[-1] != "a" else "b")) is None
    assert membership.account_by_code("王小明") is None


def test_the_programme_has_its_own_accounts_and_they_belong_to_nobody():
    made = open_one()

    assert set(Account.objects.filter(programme=made).values_list("kind", flat=True)) == {
        "ISSUED", "REDEEMED", "EXPIRED", "ADJUSTED"
    }  # fmt: skip


def test_a_segment_finds_members_and_those_with_points():
    account, other = member(), patient("陳大文")
    because = ledger.Because("MANUAL", note="開幕禮")
    ledger.adjust(account_id=account.pk, points=30, key="t1", because=because, now=NOW, by=None)
    facts.refresh([account.patient_id, other], now=NOW)

    def found(op, **values):
        rule = {"all": [{"field": "membership", "op": op, **values}]}
        return count(language.read(rule), now=NOW)

    assert (found("is_member"), found("is_none")) == (1, 1)
    assert (found("points_at_least", count=30), found("points_at_least", count=31)) == (1, 0)
