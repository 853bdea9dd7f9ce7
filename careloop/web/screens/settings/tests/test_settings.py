"""The settings pages: each role sees its own, changes are recorded, and nobody raises themselves."""

import re

import pytest
from django.core.cache import cache
from django.test import Client

from careloop.accounts.models import Invitation, Membership, User
from careloop.accounts.scope import location_ids
from careloop.audit.models import AuditEvent
from careloop.kernel import sql
from careloop.policy.models import PolicyOverride, RegisteredContact
from careloop.tenancy.context import run_before_commit
from careloop.tenancy.models import Location, Organization


@pytest.fixture(autouse=True)
def fresh_limits(db):
    cache.clear()


def last_action():
    return AuditEvent.objects.order_by("-number").first().action


# -- the home page ----------------------------------------------------------------------------------------------


def test_each_role_is_shown_its_own_settings(client_for):
    def shown(role):
        text = client_for(role).get("/settings/").content.decode()
        return {name for name in ("organization", "staff", "legal", "system", "tags") if f"/settings/{name}/" in text}

    assert shown("owner") == {"organization", "staff", "legal", "system", "tags"}
    assert shown("it") == {"organization", "staff", "system"}
    assert shown("privacy_officer") == {"legal"}
    assert shown("front_desk") == {"tags"}
    assert shown("marketing") == set()
    assert "/accounts/2fa/" in client_for("marketing").get("/settings/").content.decode()


# -- the organization -------------------------------------------------------------------------------------------

FORM = {
    "name": "安心聯合診所", "licence_number": "3501234567", "phone": "02-2345-6789", "address": "臺北市", "website": "example.tw",
    "language": "zh-hant", "time_zone": "Asia/Taipei", "accent_color": "#7c3aed", "quiet_from_hour": "22", "quiet_to_hour": "7",
    "marketing_cap": "1",
}  # fmt: skip


def test_the_organization_is_changed_and_the_change_recorded(client_for, organization):
    client = client_for("owner")

    answer = client.post("/settings/organization/", FORM)

    assert answer.status_code == 303
    organization.refresh_from_db()
    assert (organization.name, organization.quiet_from_hour, organization.website) == (
        "安心聯合診所",
        22,
        "https://example.tw",
    )
    entry = AuditEvent.objects.get(action="organization.changed")
    assert entry.details["values"]["marketing_cap"] == [2, 1]
    assert entry.actor_id == client.user.pk


@pytest.mark.parametrize(
    ("field", "value"),
    [("accent_color", "red;}body{"), ("time_zone", "Mars/Olympus"), ("language", "xx"), ("quiet_from_hour", "25"), ("name", ""),
     ("marketing_cap", "-1"), ("website", "javascript:alert(1)")],
)  # fmt: skip
def test_nonsense_is_refused_and_said_at_its_field(client_for, organization, field, value):
    answer = client_for("owner").post("/settings/organization/", FORM | {field: value})

    assert answer.status_code == 422
    assert field in answer.context["form"].errors
    assert Organization.objects.get().name == "安心診所"


# -- locations --------------------------------------------------------------------------------------------------


def test_a_location_is_added_renamed_and_taken_out_of_use(client_for, organization):
    client = client_for("owner")
    client.post("/settings/locations/new/", {"name": "板橋分院", "phone": "", "address": ""})
    place = Location.objects.get(name="板橋分院")

    assert client.post(f"/settings/locations/{place.pk}/", {"name": "板橋院區"}).status_code == 303
    assert client.post("/settings/locations/new/", {"name": "板橋院區"}).status_code == 422
    client.post(f"/settings/locations/{place.pk}/close/")
    place.refresh_from_db()

    assert (place.name, place.is_active) == ("板橋院區", False)
    only = Location.objects.get(is_active=True)
    assert client.post(f"/settings/locations/{only.pk}/close/").status_code == 422
    only.refresh_from_db()
    assert only.is_active
    assert last_action() == "location.closed"


# -- staff ------------------------------------------------------------------------------------------------------


def invite(client, **more):
    values = {"email": "new@example.test", "name": "新同事", "role": "nurse"} | more
    answer = client.post("/settings/staff/invite/", values)
    found = re.search(r"/invitation/([\w-]+)/", answer.content.decode())
    return answer, found.group(1) if found else ""


def test_an_invited_colleague_chooses_a_password_and_works(client_for, organization):
    place = Location.objects.get()
    answer, token = invite(client_for("owner"), locations=[str(place.pk)])
    assert answer.status_code == 200
    assert len(token) >= 43
    assert token not in str(Invitation.objects.values_list())
    visitor = Client()

    assert "安心診所" in visitor.get(f"/invitation/{token}/").content.decode()
    weak = visitor.post(f"/invitation/{token}/", {"name": "新同事", "password": "short", "again": "short"})
    assert weak.status_code == 422
    password = "an unusual sentence"
    done = visitor.post(f"/invitation/{token}/", {"name": "新同事", "password": password, "again": password})

    assert (done.status_code, done["Location"]) == (303, "/accounts/login/")
    member = Membership.objects.get(user__email="new@example.test")
    assert (member.role, member.is_active, location_ids(member)) == ("nurse", True, frozenset([place.pk]))
    assert visitor.post("/accounts/login/", {"login": "new@example.test", "password": password})["Location"] == "/"
    assert visitor.get("/search/").status_code == 200
    assert Client().get(f"/invitation/{token}/").status_code == 404
    run_before_commit()
    assert {"staff.invited", "staff.joined"} <= set(AuditEvent.objects.values_list("action", flat=True))


def test_a_withdrawn_or_expired_or_invented_invitation_opens_nothing(client_for, organization):
    client = client_for("owner")
    _answer, token = invite(client)
    client.post(f"/settings/invitations/{Invitation.objects.get().pk}/withdraw/")
    assert Client().get(f"/invitation/{token}/").status_code == 404

    _answer, later = invite(client)
    Invitation.objects.filter(withdrawn_at=None).update(expires_at="2020-01-01T00:00Z")
    assert Client().get(f"/invitation/{later}/").status_code == 404
    assert Client().get("/invitation/made-up/").status_code == 404


def test_an_invitation_for_an_account_that_exists_needs_that_account(client_for, organization, member_of):
    known = User.objects.create_user("known@example.test", "a long enough sentence", name="舊識")
    _answer, token = invite(client_for("owner"), email=known.email)

    assert Client().get(f"/invitation/{token}/")["Location"].startswith("/accounts/login/")
    other = Client()
    other.force_login(member_of("nurse"), backend="careloop.accounts.recognizing.Backend")
    assert other.post(f"/invitation/{token}/").status_code == 409
    right = Client()
    right.force_login(known, backend="careloop.accounts.recognizing.Backend")
    assert right.post(f"/invitation/{token}/")["Location"] == "/"
    assert right.get("/search/").status_code == 200


def test_who_works_here_already_is_not_invited_again(client_for, member_of):
    nurse = member_of("nurse")

    answer, token = invite(client_for("owner"), email=nurse.email.upper())

    assert (answer.status_code, token) == (422, "")


def test_it_may_invite_but_makes_no_owner(client_for):
    client = client_for("it")

    assert invite(client, role="front_desk")[0].status_code == 200
    assert invite(client, role="owner")[0].status_code == 422


def change(client, user, **more):
    member = Membership.objects.get(user=user)
    return client.post(f"/settings/staff/{member.pk}/", {"role": member.role, "title": member.title} | more)


def test_a_role_is_changed_and_counts_at_once(client_for, member_of):
    owner, nurse = client_for("owner"), client_for("nurse")
    assert nurse.get("/settings/staff/").status_code == 403

    assert change(owner, nurse.user, role="it").status_code == 303

    assert nurse.get("/settings/staff/").status_code == 200
    entry = AuditEvent.objects.get(action="staff.changed")
    assert (entry.details["before"], entry.details["role"]) == ("nurse", "it")


def test_nobody_changes_their_own_role_and_others_do_not_touch_owners(client_for):
    owner, it = client_for("owner"), client_for("it")

    assert change(it, it.user, role="owner").status_code == 422
    assert change(owner, owner.user, role="nurse").status_code == 422
    assert change(it, owner.user, role="nurse").status_code == 422
    assert it.post(f"/settings/staff/{Membership.objects.get(user=owner.user).pk}/deactivate/").status_code == 403
    assert set(Membership.objects.values_list("role", flat=True)) == {"owner", "it"}


def test_a_limited_member_cannot_lift_their_own_limit(client_for):
    it = client_for("it")
    member = Membership.objects.get(user=it.user)
    member.location_limits.create(location=Location.objects.get())

    assert change(it, it.user).status_code == 422
    assert member.location_limits.count() == 1


def test_deactivating_ends_every_session_and_reactivating_opens_the_door_again(client_for, organization, member_of):
    nurse, desk = member_of("nurse"), Client()
    desk.post("/accounts/login/", {"login": nurse.email, "password": "a long enough sentence"})
    assert desk.get("/search/").status_code == 200
    member = Membership.objects.get(user=nurse)
    owner = client_for("owner")

    owner.post(f"/settings/staff/{member.pk}/deactivate/")

    assert desk.get("/search/").status_code == 302
    assert AuditEvent.objects.get(action="staff.deactivated").details["sessions"] == 1
    owner.post(f"/settings/staff/{member.pk}/reactivate/")
    member.refresh_from_db()
    assert member.is_active


def test_the_last_owner_stays(organization, member_of, now):
    from careloop.accounts import services
    from careloop.accounts.errors import LastOwner

    first, second = (Membership.objects.get(user=member_of("owner")) for _n in range(2))
    services.deactivate_member(member=second, by=first, now=now)

    with pytest.raises(LastOwner):
        services.deactivate_member(member=first, by=second, now=now)
    with pytest.raises(LastOwner):
        services.change_member(member=first, role="nurse", title="", locations=[], by=second, now=now)


def test_who_works_for_two_clinics_switches_between_them(client_for, organization, other_organization):
    from tests.support import inside

    client = client_for("nurse")
    with inside(other_organization):
        Membership.objects.create(user=client.user, role="owner")

    assert client.get("/settings/staff/").status_code == 403
    client.post("/organization/", {"organization": str(other_organization.id)})
    assert client.get("/settings/staff/").status_code == 200
    client.post("/organization/", {"organization": "0190c7a0-0000-7000-8000-000000000000"})
    assert client.get("/settings/staff/").status_code == 200
    client.post("/organization/", {"organization": str(organization.id)})
    assert client.get("/settings/staff/").status_code == 403
    assert client.get("/organization/").status_code == 405


def test_roles_are_shown_with_what_they_may_do(client_for):
    text = client_for("it").get("/settings/roles/").content.decode()

    assert "Reveal masked identifiers" in text
    assert "Privacy officer" in text


# -- law --------------------------------------------------------------------------------------------------------


def test_data_abroad_are_warned_about_with_rule_p15(client_for):
    client = client_for("privacy_officer")
    assert "P15" not in client.get("/settings/legal/").content.decode()

    client.post("/settings/legal/", {"legal_profile": "TW"})

    assert "No approval number" in client.get("/settings/legal/").content.decode()
    client.post("/settings/legal/", {"legal_profile": "TW", "data_approval": "衛部資字第1號"})
    assert "衛部資字第1號" in client.get("/settings/legal/").content.decode()


def test_a_rules_answer_is_changed_with_a_reason_and_one_that_protects_patients_is_not(client_for):
    client = client_for("privacy_officer")

    assert client.post("/settings/legal/rules/S1/", {"answer": "BLOCK", "reason": ""}).status_code == 422
    assert (
        client.post("/settings/legal/rules/S1/", {"answer": "BLOCK", "reason": "our counsel says so"}).status_code
        == 303
    )
    assert (
        client.post("/settings/legal/rules/P5/", {"answer": "ALLOW", "reason": "we would like to"}).status_code == 422
    )
    assert client.get("/settings/legal/rules/NOPE/").status_code == 404
    assert PolicyOverride.objects.get().rule_id == "S1"
    assert "our counsel says so" in client.get("/settings/legal/").content.decode()


def test_contacts_for_text_messages_are_registered_and_removed(client_for):
    client = client_for("it")

    assert client.post("/settings/contacts/", {"value": "nothing of the kind"}).status_code == 422
    client.post("/settings/contacts/", {"value": "https://example.tw/", "reference": "R-1"})
    contact = RegisteredContact.objects.get()
    assert "example.tw" in client.get("/settings/contacts/").content.decode()
    client.post(f"/settings/contacts/{contact.pk}/withdraw/")

    assert last_action() in ("policy.contact_withdrawn",)
    assert not RegisteredContact.objects.filter(is_active=True).exists()


def test_sign_offs_are_listed_with_who_and_why(client_for, organization, now):
    from careloop.policy.services import record_sign_off

    client = client_for("privacy_officer")
    record_sign_off(
        text="會員專屬衛教講座",
        rule_ids=["S2"],
        reason="checked with counsel",
        by=Membership.objects.get(user=client.user),
        now=now,
    )

    text = client.get("/settings/sign-offs/").content.decode()
    assert "checked with counsel" in text
    assert "會員專屬衛教講座" in text


def test_a_sign_off_shows_its_document_and_is_taken_back_at_once_with_a_reason(client_for, organization, now):
    from careloop.policy.models import PolicySignOff
    from careloop.policy.services import check_text, record_sign_off

    client = client_for("privacy_officer")
    words = "會員專屬優惠，診察費折扣"
    asks = {"message_class": "MARKETING", "channel": "line", "organization": organization, "opt_out": True}
    verdict = check_text(words, **asks)
    by = Membership.objects.get(user=client.user)
    row = record_sign_off(text=words, rule_ids=verdict.reasons, reason="checked with counsel", by=by, now=now)
    PolicySignOff.objects.create(
        rule_ids=["S1"], text_hash=b"x" * 32, text="offer", subject="OFFER", reason="r", document="法字第12號", document_hash=b"h" * 32,
        approver=client.user, approved_at=now,
    )  # fmt: skip
    shown = client.get("/settings/sign-offs/").content.decode()
    assert "法字第12號" in shown
    assert f"SHA-256 {(b'h' * 6).hex()}…" in shown
    url = f"/membership/guard/sign-offs/{row.pk}/withdraw/?next=/settings/sign-offs/"
    assert url in shown

    assert client.post(url, {"reason": ""}).status_code == 422
    answer = client.post(url, {"reason": "the health bureau asked us to stop"})

    assert (answer.status_code, answer["Location"]) == (303, "/settings/sign-offs/")
    assert last_action() == "policy.sign_off_withdrawn"
    shown = client.get("/settings/sign-offs/").content.decode()
    assert "the health bureau asked us to stop" in shown
    assert url not in shown
    assert not any(match.signed_off for match in check_text(words, **asks).matches)


# -- tags, system ------------------------------------------------------------------------------------------------


def test_tags_are_made_and_put_away(client_for):
    client = client_for("front_desk")
    client.post("/settings/tags/", {"name": "輪椅"})
    tag = re.search(r"/settings/tags/([0-9a-f-]{36})/archive/", client.get("/settings/tags/").content.decode()).group(1)

    client.post(f"/settings/tags/{tag}/archive/")

    assert "輪椅" not in client.get("/settings/tags/").content.decode()
    assert last_action() == "tag.archived"


def test_the_state_of_the_installation_is_shown_without_paths(client_for, settings):
    text = client_for("it").get("/settings/system/").content.decode()

    assert "PostgreSQL" in text
    assert str(settings.CARELOOP_FILES) not in text
    assert client_for("nurse").get("/settings/system/").status_code == 403


@pytest.mark.parametrize(
    ("failures", "said"), [(1, "It works, but something deserves a look."), (5, "Something needs mending.")]
)
def test_a_reader_that_failed_once_tries_again_and_one_that_stands_still_needs_mending(client_for, failures, said):
    client = client_for("it")
    sql.execute(
        "insert into events_position (reader, xid, event_id, failures, error) values ('facts', 0, 0, %s, 'ValueError at x.py:1')",
        [failures],
    )

    assert said in client.get("/settings/system/", headers={"accept-language": "en"}).content.decode()
