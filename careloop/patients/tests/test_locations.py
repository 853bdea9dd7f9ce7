"""A member limited to some locations sees the patients whose home is there, in lists, in the search and on their pages."""

import pytest

from careloop.accounts.models import Membership
from careloop.accounts.scope import limited_to, location_ids
from careloop.audit.models import AuditEvent
from careloop.kernel.ids import uuid7
from careloop.patients.models import Patient
from careloop.patients.selectors import search
from careloop.patients.tests.make import NOW, patient
from careloop.tenancy.context import run_before_commit
from careloop.tenancy.models import Location


@pytest.fixture
def two(organization):
    """One patient at each of two locations, one at none."""
    here, there = Location.objects.get(), Location.objects.create(name="板橋分院")
    made = {name: patient(name, birth_date=None) for name in ("王本院", "王分院", "王無院")}
    Patient.objects.filter(pk=made["王本院"]).update(home_location=here)
    Patient.objects.filter(pk=made["王分院"]).update(home_location=there)
    return here, there, made


@pytest.fixture
def limited(client_for, two):
    client = client_for("front_desk")
    Membership.objects.get(user=client.user).location_limits.create(location=two[0])
    return client


def test_the_search_finds_patients_of_these_locations_only(two):
    here, _there, _made = two

    with limited_to(frozenset([here.pk])):
        assert [one.name for one in search("王", today=NOW.date())] == ["王本院"]
    assert len(search("王", today=NOW.date())) == 3


def test_the_list_shows_them_only(limited, client_for):
    text = limited.get("/patients/").content.decode()

    assert "王本院" in text
    assert "王分院" not in text
    assert "王無院" not in text
    assert "王分院" in client_for("front_desk").get("/patients/").content.decode()


def test_pages_of_others_are_not_there(limited, two):
    _here, _there, made = two

    assert limited.get(f"/patients/{made['王本院']}/").status_code == 200
    for name in ("王分院", "王無院"):
        assert limited.get(f"/patients/{made[name]}/").status_code == 404
        assert limited.get(f"/patients/{made[name]}/edit/").status_code == 404
        assert limited.post(f"/patients/{made[name]}/contacts/new/").status_code == 404


def test_a_relative_at_another_location_is_not_told_by_a_chart_number(limited, two):
    _here, _there, made = two
    Patient.objects.filter(pk=made["王分院"]).update(chart_number="B-777")
    form = {"relationship": "MTH", "linked": "B-777", "key": str(uuid7())}

    answer = limited.post(f"/patients/{made['王本院']}/family/new/", form)

    assert answer.status_code == 422
    assert "王分院" not in limited.get(f"/patients/{made['王本院']}/family/").content.decode()


def test_of_one_who_looks_alike_elsewhere_only_that_there_is_one_is_told(limited, two, client_for):
    _here, _there, made = two
    given = {"birth_date": "79/3/5", "sex": "female", "notice": "later"}
    Patient.objects.filter(pk__in=made.values()).update(birth_date="1990-03-05", chart_number="")
    Patient.objects.filter(pk=made["王分院"]).update(chart_number="B-777")

    def shown(client, name):
        answer = client.post("/patients/new/", given | {"name": name, "idempotency_key": str(uuid7())})
        assert answer.status_code == 422
        return answer.content.decode().split('name="even_if_similar"')[0]

    known, hidden, seen = shown(limited, "王本院"), shown(limited, "王分院"), shown(client_for("front_desk"), "王分院")

    assert f"/patients/{made['王本院']}/" in known
    assert "A record at another location" in hidden
    assert str(made["王分院"]) not in hidden
    assert "B-777" not in hidden
    assert f"/patients/{made['王分院']}/" in seen
    run_before_commit()
    told = [
        set(one.patients) for one in AuditEvent.objects.filter(action="patient.duplicates_shown").order_by("number")
    ]
    assert {made["王分院"]} in told
    assert told.count({made["王分院"]}) == 1


def test_a_limit_is_lifted_at_once(limited, two):
    _here, _there, made = two
    member = Membership.objects.get(user=limited.user)
    assert location_ids(member) == frozenset([two[0].pk])

    member.location_limits.all().delete()

    assert limited.get(f"/patients/{made['王分院']}/").status_code == 200


def test_several_are_tagged_at_once_only_where_the_member_works(limited, two):
    _here, _there, made = two

    limited.post("/patients/tag/", {"patient": [str(one) for one in made.values()], "tag": "要回電"})

    assert list(Patient.objects.filter(tag_links__tag__name="要回電").values_list("name", flat=True)) == ["王本院"]
