"""A member's statement, changes by hand, a family at the desk, and what the clinic owes in points."""

import csv
import io
import re
from datetime import date

import pytest
from django.urls import reverse

from careloop.accounts.models import Membership, MembershipLocation
from careloop.loyalty.models import Account, Entry, PoolMember
from careloop.loyalty.points import ledger, verify
from careloop.loyalty.points.ledger import Because
from careloop.loyalty.tests.support import balance, earn, member, open_programme, spend
from careloop.loyalty.tests.support import reverse as undo
from careloop.loyalty.tests.test_families import related
from careloop.tenancy.models import Location


@pytest.fixture
def programme(organization, now):
    return open_programme(now, allows_pools=True, allows_transfers=True)


@pytest.fixture
def mother(programme, now):
    return member(programme, now, "林美玲")


@pytest.fixture
def child(programme, mother, now):
    made = member(programme, now, "王小安", birth_date=date(2020, 5, 1))
    related(patient_of(made), patient_of(mother), now, is_guardian=True)
    return made


def patient_of(account):
    return Account.objects.get(pk=account).patient_id


def page(client, name, *args):
    return client.get(reverse(f"points:{name}", args=args)).content.decode()


def test_every_entry_stands_there_with_its_reason(client_for, mother, now, django_assert_max_num_queries):
    earn(mother, 50, now, because=Because("EARN_RULE", note="A visit on 16 March"))
    spend(mother, 20, now, key="mug", because=Because("REWARD", note="A mug"))
    undo("mug", now, points=5)
    client = client_for("front_desk")
    page(client, "statement", mother)

    with django_assert_max_num_queries(16):
        shown = page(client, "statement", mother)

    for words in (
        "A visit on 16 March",
        "A mug",
        "+50",
        "−20",
        "5 points of it were reversed",
        "last day 2028-03-31",
        "35 points",
    ):
        assert words in shown
    assert "Change points by hand" not in shown


def test_a_change_by_hand_is_previewed_and_done_once(client_for, mother):
    client = client_for("owner")
    url = reverse("points:adjust", args=[mother])
    key = re.search(r'name="key" value="(\w+)"', client.get(url).content.decode()).group(1)
    given = {"key": key, "direction": "give", "points": "30", "note": "Missing from the old cards"}

    assert client.post(url, {**given, "note": ""}).status_code == 422
    preview = client.post(url, given).content.decode()
    assert "Points afterwards" in preview
    assert Entry.objects.count() == 0
    for _twice in range(2):
        assert client.post(url, {**given, "confirmed": "yes"}).status_code == 303

    assert Entry.objects.get().kind == "ADJUST"
    assert balance(mother) == 30
    shown = page(client, "statement", mother)
    assert "Missing from the old cards" in shown


def reversing_url(account, of):
    return f"{reverse('points:reverse', args=[account])}?entry={of.entry_id}"


def reversing(client, account, of):
    url = reversing_url(account, of)
    return url, re.search(r'name="key" value="(\w+)"', client.get(url).content.decode()).group(1)


def test_an_entry_is_reversed_in_part_and_then_wholly_and_a_double_click_does_it_once(client_for, mother, now):
    card = earn(mother, 50, now, because=Because("MANUAL", note="Old card"))
    client = client_for("owner")
    assert reversing_url(mother, card) in page(client, "statement", mother)
    url, key = reversing(client, mother, card)

    assert client.post(url, {"key": key, "points": "20", "note": ""}).status_code == 422
    for _twice in range(2):
        assert client.post(url, {"key": key, "points": "20", "note": "Counted twice"}).status_code == 303
    assert balance(mother) == 30
    too_much = client.post(url, {"key": "another", "points": "31", "note": "Counted twice"})
    assert too_much.status_code == 422
    assert "At most 30 points of this entry can still be reversed." in too_much.content.decode()
    for _twice in range(2):
        assert client.post(url, {"key": "the rest", "points": "30", "note": "Wrong card"}).status_code == 303

    assert balance(mother) == 0
    assert Entry.objects.count() == 3
    assert "Everything of this entry has been reversed already." in client.get(url).content.decode()
    statement = page(client, "statement", mother)
    assert url not in statement
    assert "Taken back: Wrong card" in statement
    assert verify.check_books().add_up


def test_only_who_may_adjust_reverses_and_only_what_stands_on_this_statement(client_for, mother, child, now):
    card = earn(mother, 50, now)
    url = reversing_url(mother, card)
    desk = client_for("front_desk")

    assert url not in page(desk, "statement", mother)
    assert desk.get(url).status_code == 403
    assert desk.post(url, {"key": "k", "points": "1", "note": "why"}).status_code == 403
    assert client_for("owner").get(reversing_url(child, card)).status_code == 404
    assert balance(mother) == 50


def test_points_that_are_spent_already_warn_before_they_are_taken(client_for, mother, now):
    card = earn(mother, 50, now)
    spend(mother, 40, now)
    url = reversing_url(mother, card)

    assert "the balance goes below zero" in client_for("owner").get(url).content.decode()


def test_handing_over_without_a_family_says_what_to_do_and_leads_back(client_for, mother, now):
    earn(mother, 50, now)

    answer = client_for("front_desk").get(reverse("points:hand_over", args=[mother]))

    assert answer.status_code == 422
    assert "Nobody else of this family is a member." in answer.content.decode()
    assert reverse("points:statement", args=[mother]) in answer.content.decode()


def test_more_is_not_taken_than_there_is_where_nobody_owes_points(client_for, mother, programme):
    programme.when_spent = "BLOCK"
    programme.save()
    client = client_for("owner")

    answer = client.post(reverse("points:adjust", args=[mother]), {
        "key": "k", "direction": "take", "points": "30", "note": "counted twice", "confirmed": "yes",
    })  # fmt: skip

    assert answer.status_code == 422
    assert "The balance is 0 points; 30 were asked for." in answer.content.decode()


def test_a_family_is_made_at_the_desk_with_signatures(client_for, mother, child, now):
    earn(mother, 50, now)
    earn(child, 10, now)
    client, at = client_for("front_desk"), lambda name, account: reverse(f"points:family_{name}", args=[account])
    signer = str(patient_of(mother))

    assert client.post(at("begin", mother), {"agreed": signer}).status_code == 303
    assert client.post(at("invite", mother), {"who": str(child)}).status_code == 303

    assert PoolMember.objects.get(account_id=child).consent_how == "PAPER"
    shown = page(client, "family", child)
    assert "王小安" in shown
    assert "by 林美玲" in shown
    assert "60" in shown
    refused = client.post(at("leave", child), {"agreed": str(patient_of(child))})
    assert refused.status_code == 422
    assert client.post(at("leave", child), {"agreed": signer}).status_code == 303
    assert balance(child) == 10
    assert verify.check_books().add_up


def test_points_are_handed_over_with_the_guardians_word(client_for, mother, child, now):
    earn(child, 10, now)
    client, url = client_for("front_desk"), reverse("points:hand_over", args=[child])

    given = {"key": "k", "to": str(mother), "points": "4", "agreed": str(patient_of(child))}
    assert client.post(url, given).status_code == 422
    for _twice in range(2):
        assert client.post(url, {**given, "agreed": str(patient_of(mother))}).status_code == 303

    assert (balance(mother), balance(child)) == (4, 6)


def test_who_works_in_one_branch_sees_that_branchs_members_only(client_for, mother, now):
    client = client_for("front_desk")
    other = Location.objects.create(name="分院")
    MembershipLocation.objects.create(membership=Membership.objects.get(user=client.user), location=other)

    assert client.get(reverse("points:statement", args=[mother])).status_code == 404


def test_what_the_clinic_owes_is_told_by_month_and_without_guessing(client_for, mother, child, now):
    earn(mother, 50, now, expires_on=date(2099, 4, 30))
    earn(child, 25, now, expires_on=None)
    client = client_for("owner")

    shown = client.get(reverse("points:liability")).content.decode()
    file = b"".join(client.get(reverse("points:liability_csv")).streaming_content).decode("utf-8-sig")

    assert "NT$75" in shown
    assert "2099-04" in shown
    assert "any number would be a guess" in shown
    assert list(csv.reader(io.StringIO(file)))[1:] == [
        ["安心會員", "2099-04", "50", "1", "50", "TWD"], ["安心會員", "", "25", "1", "25", "TWD"],
    ]  # fmt: skip


def test_the_books_add_up_on_their_page(client_for, mother, now):
    earn(mother, 50, now)
    ledger.expire(now=now)

    shown = page(client_for("owner"), "books")

    assert "They add up" in shown
