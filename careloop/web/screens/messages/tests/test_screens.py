"""The messages' screens: lists, decisions, templates, writing, the sandbox phone."""

import pytest

from careloop.accounts.models import Membership
from careloop.accounts.scope import limited_to
from careloop.integrations.channels.sandbox.models import SandboxDelivery
from careloop.messaging import selectors, services, texts
from careloop.messaging.models import Conversation, InboundMessage, Message, MessageTemplate
from careloop.messaging.tests.support import account, patient
from careloop.patients.models import Patient
from careloop.tenancy.models import Location


@pytest.fixture
def clinic(organization, now):
    texts.install_library(now=now)
    for channel in ("line", "sms", "email"):
        account(channel, now=now)
    return organization


@pytest.fixture
def planned(clinic, now):
    from django.utils import timezone

    someone = patient(line=True, now=now)
    return services.plan_one(
        template_key="recall", patient_id=someone, key="k1", due_at=timezone.now(), now=timezone.now()
    )


def test_the_list_says_why_a_message_was_not_sent(client_for, clinic, now):
    from django.utils import timezone

    someone = patient(now=now, name="林無址")
    services.plan_one(template_key="recall", patient_id=someone, key="k2", due_at=timezone.now(), now=timezone.now())

    page = client_for("nurse").get("/messages/?state=blocked").content.decode()

    assert "林無址" in page
    assert "There is no address on any channel this message can use." in page


def test_one_message_shows_its_history(client_for, planned):
    page = client_for("nurse").get(f"/messages/{planned.pk}/")

    assert page.status_code == 200
    assert "Planned" in page.content.decode()


def test_a_planned_message_is_cancelled_and_planned_again_only_by_those_who_may(client_for, planned):
    assert client_for("marketing").post(f"/messages/{planned.pk}/cancel/").status_code == 403

    client_for("nurse").post(f"/messages/{planned.pk}/cancel/")

    planned.refresh_from_db()
    assert (planned.state, planned.reason) == ("cancelled", "staff")


def test_an_unknown_message_is_settled_once(client_for, planned, now):
    Message.objects.filter(pk=planned.pk).update(state="unknown", reason="crashed", closed_at=now)
    nurse = client_for("nurse")

    assert nurse.post(f"/messages/{planned.pk}/resolve/", {"decision": "arrived"}).status_code == 303
    assert nurse.post(f"/messages/{planned.pk}/resolve/", {"decision": "leave"}).status_code == 422

    assert Message.objects.get(pk=planned.pk).state == "accepted"


def test_a_member_limited_to_other_locations_sees_no_message_and_decides_none(client_for, planned, now):
    branch = Location.objects.create(name="板橋分院")
    limited = client_for("nurse")
    Membership.objects.get(user=limited.user).location_limits.create(location=branch)
    name = "林無分院"
    Patient.objects.filter(pk=planned.patient_id).update(name=name)
    template = MessageTemplate.objects.get(key="recall")

    for path in ("/messages/", "/messages/phones/?q=" + name, f"/messages/templates/{template.pk}/preview/"):
        assert name not in limited.get(path).content.decode().replace(f'value="{name}"', ""), path
    assert limited.get(f"/messages/{planned.pk}/").status_code == 404
    assert limited.post(f"/messages/{planned.pk}/cancel/").status_code == 404
    assert limited.get(f"/messages/templates/{template.pk}/preview/?patient={planned.patient_id}").status_code == 404
    Patient.objects.filter(pk=planned.patient_id).update(home_location=branch)
    assert name in limited.get("/messages/").content.decode()
    assert limited.get(f"/messages/{planned.pk}/").status_code == 200


def test_answers_and_their_number_are_those_of_the_members_locations(organization, now):
    here, there = Location.objects.create(name="本院"), Location.objects.create(name="板橋分院")
    one = patient(now=now, name="林回覆")
    Patient.objects.filter(pk=one).update(home_location=here)
    Conversation.objects.create(patient_id=one, channel="line", unread=1, last_inbound_at=now, created_at=now)

    with limited_to(frozenset([here.pk])):
        assert [row["patient_name"] for row in selectors.unread_conversations()] == ["林回覆"]
        assert selectors.waiting_for_people()["unread"] == 1
    with limited_to(frozenset([there.pk])):
        assert selectors.unread_conversations() == []
        assert selectors.waiting_for_people() == {"unknown": 0, "unread": 0}
        assert selectors.counts(now=now) == {}


def test_a_search_among_the_phones_survives_a_null_character(client_for, clinic):
    assert client_for("nurse").get("/messages/phones/?q=%00林").status_code == 200


def test_a_message_of_another_clinic_does_not_exist(client_for, planned, other_organization):
    from tests.support import inside

    with inside(other_organization):
        from django.utils import timezone

        texts.install_library(now=timezone.now())
        theirs = services.plan_one(
            template_key="recall",
            patient_id=patient(line=True, now=timezone.now()),
            key="x",
            due_at=timezone.now(),
            now=timezone.now(),
        )

    assert client_for("owner").get(f"/messages/{theirs.pk}/").status_code == 404


def test_writing_to_a_patient_twice_by_a_double_click_sends_once(client_for, clinic, now):
    someone = patient(line=True, now=now)
    nurse = client_for("nurse")

    for _click in range(2):
        assert (
            nurse.post(
                f"/messages/with/{someone}/", {"text": "您的收據已備好。", "key": "f1", "channel": "", "subject": ""}
            ).status_code
            == 303
        )

    assert Message.objects.get().origin == "staff"
    assert nurse.get(f"/messages/with/{someone}/").status_code == 200


def test_words_that_the_law_stops_are_refused_with_the_reason(client_for, clinic, now):
    someone = patient(line=True, now=now)

    page = client_for("nurse").post(
        f"/messages/with/{someone}/", {"text": "您的愛滋病毒檢驗結果為陽性", "key": "f2", "channel": "", "subject": ""}
    )

    assert page.status_code == 422
    assert not Message.objects.exists()


def words(text="{{ greeting }}，新的內容。"):
    return {
        "zh-hant-subject": "主旨", "zh-hant-text": text, "zh-hant-label-0": "好", "zh-hant-answer-0": "YES",
        "en-subject": "Subject", "en-text": "{{ greeting }}, new words.",
    }  # fmt: skip


def test_who_may_not_edit_templates_reads_the_words_without_a_form(client_for, clinic):
    template = MessageTemplate.objects.get(key="recall")
    address = f"/messages/templates/{template.pk}/"
    text = template.versions.get().texts["zh-hant"]["text"].split("，")[-1]

    read, written = (
        client_for("front_desk").get(address).content.decode(),
        client_for("nurse").get(address).content.decode(),
    )

    assert text in read
    assert "zh-hant-text" not in read
    assert 'class="cl-stack" method="post"' not in read
    assert 'name="zh-hant-text"' in written
    assert client_for("front_desk").post(address, words()).status_code == 403


def test_a_template_is_drafted_previewed_and_published(client_for, clinic, now):
    nurse = client_for("nurse")
    made = nurse.post("/messages/templates/new/", {"name": "新範本", "description": "", "message_class": "CARE"})
    template = MessageTemplate.objects.get(name="新範本")
    assert made.status_code == 303

    nurse.post(f"/messages/templates/{template.pk}/", words())
    preview = nurse.get(
        f"/messages/templates/{template.pk}/preview/?patient={patient(name='陳預覽', now=now)}&language=zh-hant"
    )
    nurse.post(f"/messages/templates/{template.pk}/publish/")

    assert "陳預覽" in preview.content.decode()
    version = template.versions.get()
    assert version.published_at is not None
    assert version.variables == ["greeting"]


def test_a_text_that_the_law_stops_is_not_published(client_for, clinic):
    nurse = client_for("nurse")
    template = MessageTemplate.objects.get(key="recall")
    nurse.post(f"/messages/templates/{template.pk}/", words("{{ greeting }}，您的糖尿病用藥該拿了，限時優惠買一送一"))

    nurse.post(f"/messages/templates/{template.pk}/publish/")
    page = nurse.get(f"/messages/templates/{template.pk}/").content.decode()

    assert template.versions.filter(published_at__isnull=True).exists()
    assert "P17" in page


def test_words_with_an_unknown_placeholder_are_never_called_allowed(client_for, clinic):
    nurse = client_for("nurse")
    template = MessageTemplate.objects.first()
    nurse.post(f"/messages/templates/{template.pk}/", words("{{ greeting }}，{{ patient.secret }}"))

    said = nurse.get(f"/messages/templates/{template.pk}/").context["verdict"]

    assert (said["tone"], said["label"]) == ("danger", "Not written correctly")
    assert said["lines"] == ["Unknown placeholders: patient.secret"]


def test_a_published_text_cannot_be_changed_even_by_sql(clinic):
    from django.db import DatabaseError, transaction

    from careloop.messaging.models import TemplateVersion

    version = TemplateVersion.objects.filter(published_at__isnull=False).first()
    with pytest.raises(DatabaseError), transaction.atomic():
        TemplateVersion.objects.filter(pk=version.pk).update(texts={})


def test_the_phone_shows_what_came_and_answers_as_the_patient(client_for, clinic, now):
    from careloop.integrations.channels.sandbox.services import put_on_phones
    from careloop.messaging import links

    someone = patient(line=True, now=now, name="林小姐")
    message = services.plan_one(template_key="recall", patient_id=someone, key="k9", due_at=now, now=now)
    Message.objects.filter(pk=message.pk).update(state="accepted", accepted_at=now)
    tap = f"{links.tap_of(clinic.id, message.pk)}&a=BOOK"
    put_on_phones([{
        "channel_id": message.account_id, "message_key": message.pk, "patient_id": someone, "plays": "line",
        "content": {"subject": "", "text": "該回診了", "quick_replies": [{"label": "幫我安排", "text": "幫我安排", "data": tap, "url": ""}],
                    "buttons": [], "links": [], "unsubscribe_url": ""},
        "message_class": "CARE", "language": "zh-Hant", "delivered_at": now,
    }])  # fmt: skip
    desk = client_for("front_desk")

    assert "該回診了" in desk.get(f"/messages/phones/{someone}/line/").content.decode()
    form = {"kind": "quick_reply", "text": "幫我安排", "data": tap, "event_id": "tap-1"}
    for _click in range(2):
        assert desk.post(f"/messages/phones/{someone}/line/say/", form).status_code == 303

    said = InboundMessage.objects.get()
    assert (said.answer, said.in_reply_to_id) == ("BOOK", message.pk)
    assert "幫我安排" in desk.get(f"/messages/phones/{someone}/line/").content.decode()
    assert desk.get("/messages/phones/").status_code == 200
    assert desk.get("/messages/answers/").status_code == 200
    assert SandboxDelivery.objects.count() == 1


def test_without_a_sandbox_there_are_no_phones(client_for, organization, now):
    assert client_for("front_desk").get("/messages/phones/").status_code == 403


def test_every_list_opens_empty_too(client_for, organization):
    nurse = client_for("nurse")

    for address in ("/messages/", "/messages/answers/", "/messages/templates/", "/messages/templates/new/"):
        assert nurse.get(address).status_code == 200
