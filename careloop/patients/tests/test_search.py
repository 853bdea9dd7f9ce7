"""Finding a patient by whatever is at hand."""

from datetime import date

import pytest

from careloop.patients import selectors
from careloop.patients.tests import make

TODAY = date(2026, 3, 16)


@pytest.fixture
def cast(organization):
    return {
        "wang": make.patient("王小明", phone="0912345678", national_id="A123456789", chart_number="A00123", birth_date=date(1990, 3, 5)),
        "chen": make.patient("陳怡君", phone="0987654321", chart_number="A00124", birth_date=date(1985, 12, 1)),
        "maria": make.patient("Maria Dela Cruz Santos", email="maria@example.com", chart_number="B777", birth_date=date(2001, 7, 11)),
        "ouyang": make.patient("歐陽娜娜", phone="02-2345-6789", chart_number="678", birth_date=date(1990, 3, 5)),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("小明", ["wang"]), ("王", ["wang"]), ("santos", ["maria"]), ("cruz maria", ["maria"]), ("娜娜", ["ouyang"]),
        ("A00123", ["wang"]), ("a00123", ["wang"]), ("A001", ["wang", "chen"]), ("B7", ["maria"]),
        ("0912345678", ["wang"]), ("0912-345-678", ["wang"]), ("+886 912 345 678", ["wang"]), ("0223456789", ["ouyang"]),
        ("321", ["chen"]), ("678", ["ouyang", "wang"]), ("789", ["ouyang"]),
        ("79/3/5", ["wang", "ouyang"]), ("1990-03-05", ["wang", "ouyang"]), ("0790305", ["wang", "ouyang"]),
        ("民國79年3月5日", ["wang", "ouyang"]), ("19851201", ["chen"]),
        ("A123456789", ["wang"]), ("a123456789", ["wang"]), ("maria@EXAMPLE.com", ["maria"]),
        ("大明", []), ("0912", []), ("", []), ("   ", []), ("%", []), ("'; drop table", []), ("\0", []), ("😀", []),
    ],
)  # fmt: skip
def test_a_patient_is_found_by(cast, text, found):
    names = {patient_id: name for name, patient_id in cast.items()}

    answers = [names[one.id] for one in selectors.search(text, today=TODAY)]

    assert sorted(answers) == sorted(found)


def test_the_exact_number_comes_before_the_last_digits(cast):
    assert [one.by for one in selectors.search("678", today=TODAY)] == ["chart_number", "last3"]


def test_answers_are_masked(cast):
    [answer] = selectors.search("小明", today=TODAY)

    assert answer.phones == ("09**-***-678",)


def test_a_search_takes_two_statements(cast, django_assert_num_queries):
    with django_assert_num_queries(2):
        selectors.search("王", today=TODAY)


def test_at_most_twenty_answers_come_back(organization):
    for number in range(25):
        make.patient("林志明", chart_number=f"L{number:03}")

    assert len(selectors.search("林", today=TODAY)) == 20
    assert len(selectors.search("L0", today=TODAY)) == 20


def test_an_incoming_message_is_matched_to_everyone_on_that_phone(cast):
    other = make.patient("王大明", phone="0912345678")

    assert selectors.patients_by_contact("phone", "0912 345 678") == sorted([cast["wang"], other]) or set(
        selectors.patients_by_contact("phone", "0912 345 678")
    ) == {cast["wang"], other}
