"""What a signed-in patient sees and does: visits, data, agreements, family; and what nobody else does."""

from datetime import date, timedelta
from uuid import uuid4

import pytest

from careloop.audit.services import write_notes
from careloop.consent.models import Consent
from careloop.followups.models import FollowUp
from careloop.kernel import sql
from careloop.kernel.ids import uuid7
from careloop.patients import sealing
from careloop.patients import services as patients
from careloop.patients.models import Patient, RelatedPerson
from careloop.portal.models import PatientSession
from careloop.portal.tests.support import Phone, a_service, now, open_clinic, somebody, tomorrow_at
from careloop.scheduling.models import Appointment
from careloop.scheduling.tests import make
from tests.support import inside


@pytest.fixture(autouse=True)
def clinic(organization):
    open_clinic()
    return organization


@pytest.fixture
def phone(organization):
    return Phone(organization)


@pytest.fixture
def visit(phone):
    """A signed-in patient with one visit the day after tomorrow."""
    who = somebody()
    where, held = a_service()
    made = make.book(where, held, who, now=now())
    phone.sign_in()
    phone.where, phone.held, phone.who = where, held, who
    return made


def family(child, relative, **more):
    return patients.save_related_person(
        patient_id=child, related_person_id=uuid7(), name="", relationship="MTH", relative_id=relative, now=now(), by=None,
        **{"is_guardian": True, **more},
    )  # fmt: skip


# -- visits ------------------------------------------------------------------------------------------------------


def test_home_shows_the_next_visit_and_what_can_be_done(phone, visit):
    page = phone.sees()

    assert "林怡君" in page
    assert "09:00" in page
    for action in ("confirm", "move", "cancel"):
        assert f"visits/{visit.pk}/{action}/" in page


def test_a_visit_is_confirmed_once(phone, visit):
    for _click in range(2):
        assert phone.post(f"visits/{visit.pk}/confirm/", {"sequence": visit.sequence}).status_code == 302

    assert Appointment.objects.get().confirmed_at
    assert sql.value("select count(*) from events_event where kind = 'appointment.confirmed'") == 1
    assert "You said that you are coming" in phone.sees("visits/")


def test_a_confirmation_of_an_old_time_confirms_nothing(phone, visit):
    page = phone.post(f"visits/{visit.pk}/confirm/", {"sequence": visit.sequence + 1})

    assert page.status_code == 409
    assert not Appointment.objects.get().confirmed_at


def test_a_visit_is_called_off_after_being_asked(phone, visit):
    assert "Call this visit off?" in phone.sees(f"visits/{visit.pk}/cancel/")
    assert Appointment.objects.get().state == "booked"

    phone.post(f"visits/{visit.pk}/cancel/", {"version": visit.version, "note": "感冒"})

    gone = Appointment.objects.get()
    assert (gone.state, gone.cancel_reason, gone.cancel_note) == ("cancelled", "patient", "感冒")
    assert "Cancelled" in phone.sees("visits/")
    assert "Book this again" in phone.sees(f"visits/{visit.pk}/")


def test_a_visit_is_moved_and_the_old_time_is_free(phone, visit):
    at = phone.held.starts_at + timedelta(hours=1)
    assert f"{phone.held.pk}_{int(at.timestamp())}" in phone.sees(f"visits/{visit.pk}/move/")

    phone.post(
        f"visits/{visit.pk}/move/", {"place": f"{phone.held.pk}_{int(at.timestamp())}", "version": visit.version}
    )

    moved = Appointment.objects.get()
    assert (moved.starts_at, moved.sequence) == (at, visit.sequence + 1)


def test_moving_to_a_place_just_taken_keeps_the_visit_and_offers_others(phone, visit):
    at = phone.held.starts_at + timedelta(hours=1)
    make.book(phone.where, phone.held, somebody("別人", phone="0977-777-777"), at=at, now=now())

    page = phone.post(
        f"visits/{visit.pk}/move/", {"place": f"{phone.held.pk}_{int(at.timestamp())}", "version": visit.version}
    )

    assert page.status_code == 409
    assert "Your visit stays as it was" in page.content.decode()
    assert 'name="place"' in page.content.decode()
    assert Appointment.objects.get(pk=visit.pk).starts_at == phone.held.starts_at


def test_what_was_changed_by_the_desk_meanwhile_is_not_undone(phone, visit):
    page = phone.post(f"visits/{visit.pk}/cancel/", {"version": visit.version + 5})

    assert page.status_code == 409
    assert "changed in the meantime" in page.content.decode()
    assert Appointment.objects.get().state == "booked"


def test_too_late_to_change_here_says_so_with_the_telephone(phone, organization, visit):
    type(organization).objects.filter(pk=organization.pk).update(phone="02-2345-6789")
    sql.execute("update scheduling_service set change_minutes = 99999")

    page = phone.sees("visits/")
    assert "too close to the visit" in page
    assert "tel:02-2345-6789" in page
    assert f"{visit.pk}/move/" not in page
    for action in ("cancel", "move"):
        assert phone.get(f"visits/{visit.pk}/{action}/").status_code == 409
        assert (
            phone.post(
                f"visits/{visit.pk}/{action}/", {"version": visit.version, "place": str(phone.held.pk)}
            ).status_code
            == 409
        )
    assert Appointment.objects.get().state == "booked"


def test_somebody_elses_visit_is_not_there(phone, visit, organization):
    somebody("李美麗", phone="0922-222-222")
    stranger = Phone(organization).sign_in("0922-222-222")

    for action in ("", "confirm/", "cancel/", "move/"):
        assert stranger.get(f"visits/{visit.pk}/{action}").status_code in (404, 405)
        assert stranger.post(f"visits/{visit.pk}/{action}", {"version": visit.version}).status_code in (404, 405)
    assert Appointment.objects.get().state == "booked"


def test_a_visit_of_another_clinic_is_not_there(phone, visit, other_organization):
    with inside(other_organization):
        theirs = make.clinic()
        held = make.session(theirs, starts_at=tomorrow_at(9))
        elsewhere = make.book(theirs, held, somebody(), now=now())

    assert phone.get(f"visits/{elsewhere.pk}/").status_code == 404


def test_past_visits_are_listed_with_what_became_of_them(phone, visit):
    sql.execute("update scheduling_appointment set state = 'fulfilled'")

    page = phone.sees("visits/")

    assert "Seen" in page
    assert "No visit is booked" in page


# -- data --------------------------------------------------------------------------------------------------------


def test_my_data_are_shown_masked_and_reading_is_noted(phone):
    who = somebody(email="wang@example.test")
    phone.sign_in()

    page = phone.sees("me/")

    assert "王小明" in page
    assert "0912345678" not in page.replace("-", "")
    assert "wang@example.test" not in page
    write_notes()
    row = sql.row(
        "select actor_kind, actor_id, details from audit_event where action = 'portal.viewed' order by id desc limit 1"
    )
    assert row["actor_kind"] == "patient"
    assert row["actor_id"] == who
    assert row["details"] == {"page": "me"}


def test_what_the_form_does_not_offer_is_kept_by_saving_it(phone):
    """A language from an import, a channel and an early hour that the desk noted."""
    somebody()
    Patient.objects.update(language="vi", preferred_channel="wechat", preferred_hour=7)
    phone.sign_in()
    page = phone.get("me/").content.decode()
    assert 'value="vi" selected' in page
    assert 'value="wechat" selected' in page

    phone.post("me/preferences/", {"language": "vi", "preferred_channel": "wechat", "preferred_hour": "7"})
    phone.post("me/preferences/", {"language": "ja", "preferred_channel": "wechat", "preferred_hour": "7"})

    kept = Patient.objects.get()
    assert (kept.language, kept.preferred_channel, kept.preferred_hour) == ("vi", "wechat", 7)


def test_preferences_are_kept(phone):
    somebody()
    phone.sign_in()

    phone.post("me/preferences/", {"language": "en", "preferred_channel": "email", "preferred_hour": "18"})
    phone.post("me/preferences/", {"language": "klingon", "preferred_channel": "pigeon", "preferred_hour": "99"})

    who = Patient.objects.get()
    assert (who.language, who.preferred_channel, who.preferred_hour) == ("en", "email", 18)


def test_a_new_number_counts_when_its_code_comes_back(phone):
    who = somebody()
    phone.sign_in()

    assert phone.post("me/contact/", {"address": "new@example.test"}).status_code == 302
    before = sealing.contact_values([who], "email")[who][0]
    assert not before.is_verified
    assert before.warning
    phone.post("sign-in/code/", {"code": phone.digits, "next": phone.url("me/")})

    after = sealing.contact_values([who], "email")[who][0]
    assert (after.value, after.is_verified, after.warning) == ("new@example.test", True, "")


def test_a_contact_code_of_one_patient_verifies_nothing_for_another(phone, organization):
    somebody()
    phone.sign_in()
    phone.post("me/contact/", {"address": "new@example.test"})
    digits = phone.digits
    phone.post("sign-out/")

    assert phone.post("sign-in/code/", {"code": digits}).status_code == 404
    assert (
        sql.value("select count(*) from patients_contact_point where system = 'email' and verified_at is not null") == 0
    )


def test_something_wrong_becomes_one_task_for_staff(phone):
    somebody()
    phone.sign_in()

    for _click in range(2):
        assert "A colleague will look at it" in phone.post("me/correct/", {"text": "生日是 3 月 6 日"}).content.decode()

    assert FollowUp.objects.get().script == "生日是 3 月 6 日"


# -- agreements --------------------------------------------------------------------------------------------------


def test_agreements_are_given_and_withdrawn_with_the_same_ease_and_kept_as_history(phone):
    somebody()
    phone.sign_in()

    phone.post("me/consents/", {"purpose": "HEALTH_MARKETING", "wants": "yes"})
    phone.post("me/consents/", {"purpose": "MARKETING", "wants": "yes"})
    phone.post("me/consents/", {"purpose": "MARKETING", "wants": "no"})

    now_in_force = dict(Consent.objects.filter(ended_at=None).values_list("purpose", "decision"))
    assert now_in_force == {"HEALTH_MARKETING": "permit", "MARKETING": "deny"}
    assert set(Consent.objects.values_list("source", flat=True)) == {"portal"}
    assert phone.sees("me/consents/").count("<strong>") == 3
    assert phone.post("me/consents/", {"purpose": "EVERYTHING", "wants": "yes"}).status_code == 404


def test_an_agreement_notes_the_text_that_was_read(phone):
    from careloop.consent.models import Notice

    texts = {one: {"title": "T", "body": "B"} for one in ("zh-hant", "zh-hans", "en")}
    notice = Notice.objects.create(purpose="MARKETING", version=1, texts=texts, text_hash="x", published_at=now())
    somebody()
    phone.sign_in()

    phone.post("me/consents/", {"purpose": "MARKETING", "wants": "yes"})

    assert Consent.objects.get().notice_id == notice.pk


def test_the_privacy_notice_that_is_due_is_shown_and_noted(phone):
    from careloop.consent.models import Notice, NoticeShown

    texts = {one: {"title": "Notice", "body": "How we use data"} for one in ("zh-hant", "zh-hans", "en")}
    Notice.objects.create(version=1, texts=texts, text_hash="x", published_at=now())
    somebody()
    phone.sign_in()
    assert "I have read it" in phone.sees()
    assert "How we use data" in phone.sees("privacy/")

    phone.post("notice/")

    assert NoticeShown.objects.get().how == "portal"
    assert "I have read it" not in phone.sees()


def test_messages_are_what_was_said_both_ways(phone):
    from careloop.messaging import sealing as content
    from careloop.messaging import services as messaging
    from careloop.messaging.models import Message

    who = somebody()
    phone.sign_in()
    made = messaging.plan_one(template_key="welcome", patient_id=who, key="x", due_at=now(), now=now())
    Message.objects.filter(pk=made.pk).update(
        state="accepted", accepted_at=now(), content_sealed=content.seal_content(who, made.pk, {"text": "歡迎您"})
    )

    assert "歡迎您" in phone.sees("messages/")


# -- family ------------------------------------------------------------------------------------------------------


def test_a_guardian_goes_over_to_the_child_and_books_for_them(phone):
    mother = somebody("陳媽媽")
    child = somebody("陳小寶", phone="", born=date.today() - timedelta(days=365 * 6))
    family(child, mother)
    where, held = a_service()
    phone.sign_in()
    assert "陳小寶" in phone.sees()

    phone.post("family/", {"person": str(child)})
    assert "You are looking at the pages of 陳小寶" in phone.sees()
    assert "陳小寶" not in phone.sees("offline/")  # the worker keeps this page on the phone
    phone.post(
        f"book/{where.service.pk}/hold/", {"place": f"{held.pk}_{int(held.starts_at.timestamp())}", "key": str(uuid4())}
    )
    phone.post("book/details/")

    assert Appointment.objects.get(state="booked").patient_id == child
    write_notes()
    row = sql.row(
        """select e.actor_id, array_agg(p.patient_id) as whose from audit_event e join audit_patient p on p.number = e.number
            where e.action = 'appointment.booked' group by 1"""
    )
    assert row == {"actor_id": mother, "whose": [child]}
    assert sql.value("select count(*) from audit_event where action = 'portal.switched'") == 1


def test_a_guardian_of_somebody_grown_up_acts_no_more_without_their_word(phone):
    mother = somebody("陳媽媽")
    grown = somebody("陳大寶", phone="", born=date.today() - timedelta(days=365 * 19))
    family(grown, mother)
    phone.sign_in()

    assert "陳大寶" not in phone.sees()
    assert phone.post("family/", {"person": str(grown)}).status_code == 404


def test_an_adult_lets_a_family_member_act_and_ends_it(phone, organization):
    father = somebody("陳爸爸")
    daughter = somebody("陳小姐", phone="0922-222-222", born=date(1985, 1, 1))
    row = family(father, daughter, is_guardian=False)
    phone.sign_in()
    hers = Phone(organization).sign_in("0922-222-222")
    assert hers.post("family/", {"person": str(father)}).status_code == 404

    phone.post(f"me/family/{row.pk}/", {"allowed": "yes"})
    assert hers.post("family/", {"person": str(father)}).status_code == 302
    assert "陳爸爸" in hers.sees("me/")
    phone.post(f"me/family/{row.pk}/", {"allowed": "no"})

    assert "陳爸爸" not in hers.sees("me/")
    assert PatientSession.objects.get(patient_id=daughter).acting_for_id is None
    write_notes()
    assert (
        sql.value("select count(*) from audit_event where action in ('portal.helper_allowed', 'portal.helper_refused')")
        == 2
    )


def test_who_acts_for_another_decides_nothing_about_who_may(phone):
    mother = somebody("陳媽媽")
    child = somebody("陳小寶", phone="", born=date.today() - timedelta(days=365 * 6))
    family(child, mother)
    other = family(child, somebody("姑姑", phone="0922-000-111"), is_guardian=False)
    phone.sign_in()
    phone.post("family/", {"person": str(child)})

    assert phone.post(f"me/family/{other.pk}/", {"allowed": "yes"}).status_code == 404
    assert RelatedPerson.objects.get(pk=other.pk).may_act is False


def test_a_stranger_is_no_family(phone):
    somebody()
    stranger = somebody("李美麗", phone="0922-222-222")
    phone.sign_in()

    assert phone.post("family/", {"person": str(stranger)}).status_code == 404
    assert phone.post("family/", {"person": "nonsense"}).status_code == 404


# -- how it is shown ---------------------------------------------------------------------------------------------


def test_language_letters_and_theme_are_chosen_on_the_device(phone):
    phone.post("display/", {"language": "zh-hans"})
    assert "登录" in phone.sees() or "登入" in phone.sees()
    phone.post("display/", {"text": "large", "theme": "dark"})

    page = phone.sees()

    assert 'class="cl-large"' in page
    assert 'data-bs-theme="dark"' in page
    assert 'lang="zh-Hans"' in page


def test_the_pages_speak_the_patients_language_until_another_is_chosen(organization):
    somebody(language="en")
    fresh = Phone(organization)
    fresh.sign_in()
    del fresh.client.cookies["careloop_language"]

    assert "Hello, 王小明" in fresh.sees()


def test_the_worker_keeps_style_and_the_page_without_a_net_and_never_a_patient(phone):
    somebody()
    phone.sign_in()

    script = phone.sees("worker.js")
    offline = phone.sees("offline/")

    assert phone.get("worker.js")["Content-Type"].startswith("text/javascript")
    assert "offline/" in script
    assert "cache.put" not in script
    assert "visits" not in script
    assert "王小明" not in offline + script
    manifest = phone.get("manifest.webmanifest").json()
    assert manifest["start_url"] == phone.url() == manifest["scope"]


# -- the day of the visit ------------------------------------------------------------------------------------------


def today_visit(who):
    from careloop.scheduling.tests import make

    where = make.clinic()
    held = make.session(where, mode="NUMBERS", starts_at=now() + timedelta(minutes=20))
    return make.book(where, held, who, now=now() - timedelta(days=2))


def test_from_my_visits_i_check_in_and_see_my_number(organization):
    from careloop.waitingroom.models import QueueRules, Ticket

    QueueRules.objects.create(self_check_in="OPEN")
    visit = today_visit(somebody())
    phone = Phone(organization).sign_in()

    page = phone.post(f"visits/{visit.pk}/number/")["Location"]

    assert page.startswith("/p/q/")
    assert Ticket.objects.get().state == "WAITING"
    assert phone.post(f"visits/{visit.pk}/number/")["Location"] == page


def test_my_visit_goes_into_my_calendar_and_nobody_elses(organization):
    mine, other = today_visit(somebody()), today_visit(somebody("林美惠", phone="0987-654-321"))
    phone = Phone(organization).sign_in()
    assert f"visits/{mine.pk}/calendar/" in phone.sees(f"visits/{mine.pk}/")

    file = phone.get(f"visits/{mine.pk}/calendar/")

    assert file["Content-Type"] == "text/calendar; charset=utf-8; method=REQUEST"
    assert f"UID:appointment-{mine.pk}@careloop" in file.content.decode()
    assert phone.get(f"visits/{other.pk}/calendar/").status_code == 404
    assert phone.post(f"visits/{other.pk}/number/").status_code == 404
