"""The pages of referrals: the list, the decision, who brought whom, the code told at the desk, and how the clinic thanks."""

from datetime import UTC, date, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from careloop.accounts.models import Membership, MembershipLocation
from careloop.audit.models import AuditEvent
from careloop.loyalty.models import Referral, ReferralProgramme
from careloop.loyalty.tests.make import member
from careloop.loyalty.thanks import referrals
from careloop.messaging.tests.support import account as channel
from careloop.patients.tests.make import patient
from careloop.tenancy.models import Location


def now():
    return datetime.now(UTC)


@pytest.fixture
def clinic(organization):
    channel("sms", now=now())
    referrals.set_up(given={"is_on": True}, version=None, now=now(), by=None)
    return organization


def pair(name="陳怡君", *, odd=False, born=date(1985, 1, 2), **more):
    """A member and a friend who came with the code."""
    account = member(phone="0912000111") if not Referral.objects.exists() else None
    referrer = account.patient_id if account else Referral.objects.first().referrer_id
    friend = patient(name, now=now(), birth_date=born, phone="0912000111" if odd else "", **more)
    return referrals.claim(friend_id=friend, code=referrals.code_of(referrer, now=now()), how="DESK", now=now())


def test_the_list_counts_and_takes_the_same_statements_for_many(clinic, client_for):
    browser = client_for("marketing")
    pair()
    browser.get("/membership/referrals/")
    with CaptureQueriesContext(
        connection,
    ) as few:
        browser.get("/membership/referrals/")
    for n in range(8):
        pair(f"朋友{n}", born=date(1980, 1, n + 1))
    with CaptureQueriesContext(connection) as many:
        page = browser.get("/membership/referrals/").content.decode()

    assert "朋友7" in page
    assert len(many) <= len(few)
    assert AuditEvent.objects.filter(action="referrals.listed").exists()


def test_a_held_one_says_why_and_a_person_decides(clinic, client_for):
    made = pair(odd=True)
    reader, boss = client_for("front_desk"), client_for("owner")
    url = f"/membership/referrals/{made.pk}/"

    page = reader.get(url).content.decode()
    assert "same phone" in page
    assert 'name="counts"' not in page
    assert reader.post(url, {"counts": "yes", "note": "x"}).status_code == 303
    assert Referral.objects.get().state == "HELD"
    assert boss.post(url, {"counts": "yes", "note": " "}).status_code == 422
    assert boss.post(url, {"counts": "yes", "note": "flatmates"}).status_code == 303
    assert Referral.objects.get().state == "WAITING"


def test_the_tree_shows_who_brought_whom_and_is_audited(clinic, client_for):
    first = pair()
    friend = patient("第三人", now=now(), birth_date=date(1971, 1, 1))
    referrals.claim(friend_id=friend, code=referrals.code_of(first.friend_id, now=now()), how="DESK", now=now())
    browser = client_for("owner")

    page = browser.get("/membership/referrals/tree/").content.decode()
    part = browser.get(f"/membership/referrals/tree/{first.friend_id}/").content.decode()

    assert page.index("王小明") < page.index("陳怡君") < page.index("第三人")
    assert "王小明" not in part.split("</h1>")[1]
    seen = AuditEvent.objects.filter(action="referrals.tree_viewed").first()
    assert seen is not None


def test_patients_of_other_branches_are_masked_in_the_tree(clinic, client_for):
    here, there = Location.objects.create(name="這裡"), Location.objects.create(name="那裡")
    made = pair(home_location_id=there.pk)
    from careloop.patients.models import Patient

    Patient.objects.filter(pk=made.referrer_id).update(home_location=here)
    Patient.objects.filter(pk=made.friend_id).update(home_location=there)
    browser = client_for("front_desk")
    MembershipLocation.objects.create(membership=Membership.objects.get(user=browser.user), location=here)

    page = browser.get("/membership/referrals/tree/").content.decode()

    assert "王小明" in page
    assert "陳○君" in page
    assert "陳怡君" not in page
    assert str(made.friend_id) not in page
    assert browser.get(f"/membership/referrals/{made.pk}/").status_code == 404
    assert browser.get(f"/membership/referrals/tree/{made.friend_id}/").status_code == 404


def test_the_desk_notes_a_code_and_is_told_when_it_is_none(clinic, client_for):
    account = member(phone="0912000111")
    code = referrals.code_of(account.patient_id, now=now())
    friend = patient("陳怡君", now=now(), birth_date=date(1985, 1, 2))
    desk = client_for("front_desk")
    assert "Who sent this patient?" in desk.get(f"/patients/{friend}/referrals/").content.decode()
    url = f"/membership/referrals/of/{friend}/"

    assert "not known" in desk.post(url, {"code": "ABCDEFG", "agrees": "on"}).content.decode()
    assert desk.post(url, {"code": code}).status_code == 422, "the patient was not asked"
    assert desk.post(url, {"code": code.lower(), "agrees": "on", "shows_name": "on"}).status_code == 303
    assert Referral.objects.get().shows_name
    assert "王小明" in desk.get(f"/patients/{friend}/referrals/").content.decode()


def test_in_taiwan_points_cannot_be_switched_on_and_the_page_says_why(clinic, client_for):
    browser = client_for("owner")
    data = {
        "version": 1,
        "is_on": "on",
        "gives": "POINTS",
        "points": "100",
        "monthly_limit": 5,
        "claim_days": 30,
        "visit_days": 365,
    }

    answer = browser.post("/membership/referrals/settings/", data)

    assert answer.status_code == 422
    assert "S3" in answer.content.decode()
    assert ReferralProgramme.objects.get().gives == "THANKS"
    assert browser.post("/membership/referrals/settings/", {**data, "gives": "THANKS", "points": 0}).status_code == 303


def test_somebody_elses_newer_settings_are_not_overwritten(clinic, client_for):
    browser = client_for("owner")
    data = {"version": 7, "is_on": "on", "gives": "THANKS", "monthly_limit": 5, "claim_days": 30, "visit_days": 365}

    assert "changed this in the meantime" in browser.post("/membership/referrals/settings/", data).content.decode()
