"""The patients' screens: one happy walk, one refusal, one stranger."""

from datetime import date

import pytest

from careloop.consent import services as consent
from careloop.kernel import sql
from careloop.kernel.ids import uuid7
from careloop.patients import selectors
from careloop.patients.models import Patient
from careloop.patients.tests import make
from careloop.records import services as records
from careloop.tenancy import context
from careloop.tenancy.models import Location

TABS = ["", "visits/", "medication/", "results/", "spend/", "family/", "consent/", "timeline/"]
FORMS = [
    "edit/",
    "contacts/new/",
    "tags/new/",
    "background/new/",
    "family/new/",
    "visits/new/",
    "results/new/",
    "notice/",
    "consent/new/",
]


@pytest.fixture
def notice(organization, now):
    texts = {one: {"title": "告知事項", "body": "本診所…"} for one in consent.LANGUAGES}
    made = consent.draft_notice(texts=texts, now=now, by=None)
    return consent.publish_notice(notice_id=made.id, now=now, by=None)


@pytest.fixture
def patient(organization, now):
    return make.patient(
        "王小明", phone="0912345678", national_id="A123456789", chart_number="A001", address="臺北市大安區某路1號"
    )


def actions() -> list[str]:
    return [row["action"] for row in sql.rows("select action from audit_event order by number")]


def registration(**changes):
    return {
        "name": "陳怡君", "sex": "female", "birth_date": "79/3/5", "phone": "0912-345-678", "national_id": "A223456781",
        "notice": "shown", "consent_source": "desk", "idempotency_key": str(uuid7()),
    } | changes  # fmt: skip


# -- registration -----------------------------------------------------------------------------------------------


def test_the_front_desk_registers_a_patient(organization, notice, client_for):
    client = client_for("front_desk")
    assert client.get("/patients/new/").status_code == 200

    answer = client.post("/patients/new/", registration(marketing=["line"]))

    assert answer.status_code == 303
    row = sql.row("select id, name, birth_date, sex from patients_patient")
    assert (row["name"], row["birth_date"], row["sex"]) == ("陳怡君", date(1990, 3, 5), "female")
    assert answer["Location"] == f"/patients/{row['id']}/"
    assert sql.value("select count(*) from consent_notice_shown") == 1
    assert sql.rows("select purpose, channel, source from consent_consent") == [
        {"purpose": "MARKETING", "channel": "line", "source": "desk"}
    ]


def test_nothing_is_agreed_to_unless_it_is_ticked(organization, notice, client_for):
    client = client_for("front_desk")

    client.post("/patients/new/", registration())

    assert sql.value("select count(*) from consent_consent") == 0
    assert b"checked" not in client.get("/patients/new/").content


def test_without_the_notice_showing_it_is_the_first_thing_to_do(organization, notice, client_for):
    client = client_for("front_desk")
    client.post("/patients/new/", registration(notice="later"))
    patient_id = sql.value("select id from patients_patient")

    page = client.get(f"/patients/{patient_id}/").content.decode()
    assert "Show the privacy notice" in page
    assert client.post(f"/patients/{patient_id}/notice/").status_code == 303
    assert "Show the privacy notice" not in client.get(f"/patients/{patient_id}/").content.decode()


def test_a_double_click_registers_once(organization, notice, client_for):
    client, form = client_for("front_desk"), registration()

    first, second = client.post("/patients/new/", form), client.post("/patients/new/", form)

    assert first["Location"] == second["Location"]
    assert sql.value("select count(*) from patients_patient") == 1


def test_somebody_who_looks_alike_is_shown_before_a_second_record_is_made(patient, notice, client_for):
    client, form = client_for("front_desk"), registration(national_id="A123456789")

    answer = client.post("/patients/new/", form)

    assert answer.status_code == 422
    assert f"/patients/{patient}/" in answer.content.decode()
    assert client.post("/patients/new/", form | {"even_if_similar": "1"}).status_code == 303


def test_health_marketing_needs_a_signed_form(organization, notice, client_for):
    answer = client_for("front_desk").post("/patients/new/", registration(health_marketing="on"))

    assert answer.status_code == 422
    assert "signed form" in answer.content.decode()


@pytest.mark.parametrize("birth_date", ["2099-01-01", "79/2/30", "someday"])
def test_an_impossible_birth_date_is_refused_with_a_sentence(organization, notice, client_for, birth_date):
    answer = client_for("front_desk").post("/patients/new/", registration(birth_date=birth_date))

    assert answer.status_code == 422
    assert "cl-field-error" in answer.content.decode()
    assert "0912-345-678" in answer.content.decode(), "what was typed is kept"


# -- changes ----------------------------------------------------------------------------------------------------


def edit_form(client, patient_id):
    form = client.get(f"/patients/{patient_id}/edit/").context["form"]
    return {name: "" if form[name].value() in (None, False) else str(form[name].value()) for name in form.fields} | {
        "active": "on"
    }


def test_two_people_editing_see_each_others_work(patient, client_for):
    desk, nurse = client_for("front_desk"), client_for("nurse")
    first, second = edit_form(desk, patient), edit_form(nurse, patient)
    desk.post(f"/patients/{patient}/edit/", first | {"city": "臺北市", "birth_date": "1990-03-05"})

    answer = nurse.post(f"/patients/{patient}/edit/", second | {"city": "新北市", "birth_date": "1990-03-05"})

    assert answer.status_code == 422
    assert "Somebody else changed" in answer.content.decode()
    assert "臺北市" in answer.content.decode()
    version = answer.context["form"].data["version"]
    assert nurse.post(f"/patients/{patient}/edit/", second | {"city": "新北市", "version": version}).status_code == 303
    assert sql.value("select city from patients_patient") == "新北市"


@pytest.mark.parametrize("language", ["", "zh-hant", "zh-TW", "vi", "tlh"])
def test_saving_what_was_not_touched_changes_nothing(patient, client_for, language):
    Patient.objects.update(home_location=Location.objects.get(), language=language)
    desk = client_for("front_desk")

    assert desk.post(f"/patients/{patient}/edit/", edit_form(desk, patient)).status_code == 303

    assert sql.value("select version from patients_patient") == 1
    assert sql.value("select count(*) from events_event where kind = 'patient.updated'") == 0


def test_what_somebody_else_saved_is_shown_in_words(patient, client_for):
    desk, nurse = client_for("front_desk"), client_for("nurse", "zh-hant")
    first, second = edit_form(desk, patient), edit_form(nurse, patient)
    somewhere = Location.objects.get()
    changes = {"sex": "female", "home_location_id": str(somewhere.pk), "language": "en", "deceased": "on"}
    assert desk.post(f"/patients/{patient}/edit/", first | changes).status_code == 303

    answer = nurse.post(f"/patients/{patient}/edit/", second | {"city": "新北市"})

    assert answer.status_code == 422
    assert {one["value"] for one in answer.context["theirs"]} >= {"女", somewhere.name, "英文", "是"}


def test_a_national_id_that_somebody_else_entered_meanwhile_is_not_overwritten(patient, client_for):
    desk, nurse = client_for("front_desk"), client_for("nurse")
    first, second = edit_form(desk, patient), edit_form(nurse, patient)
    assert desk.post(f"/patients/{patient}/edit/", first | {"national_id": "B123456780"}).status_code == 303

    answer = nurse.post(f"/patients/{patient}/edit/", second | {"national_id": "C123456781"})

    assert answer.status_code == 422
    assert "Somebody else changed" in answer.content.decode()
    [kept] = [one.masked for one in selectors.secrets_of(patient) if one.kind == "national_id"]
    assert kept.startswith("B")
    again = second | {"national_id": "C123456781", "city": "新北市", "version": answer.context["form"].data["version"]}
    assert nurse.post(f"/patients/{patient}/edit/", again).status_code == 303


def test_contact_tag_family_and_background_are_kept(patient, client_for, now):
    mother = make.patient("王媽媽", chart_number="M1", birth_date=date(1960, 1, 1))
    client, base = client_for("front_desk"), f"/patients/{patient}/"

    assert client.post(base + "contacts/new/", {"system": "email", "text": "ming@example.com"}).status_code == 303
    assert client.post(base + "tags/new/", {"name": "糖尿病"}).status_code == 303
    assert (
        client.post(base + "background/new/", {"kind": "HABIT", "code": "SMOKING", "key": str(uuid7())}).status_code
        == 303
    )
    family = {"relationship": "MTH", "linked": "M1", "is_guardian": "on", "key": str(uuid7())}
    assert client.post(base + "family/new/", family).status_code == 303

    page = client.get(base).content.decode()
    assert "m****@example.com" in page
    assert "糖尿病" in page
    assert "smoking" in page
    assert "王媽媽" in client.get(base + "family/").content.decode()
    assert "王小明" in client.get(f"/patients/{mother}/family/").content.decode()
    tag = sql.value("select id from patients_tag")
    assert client.post(f"{base}tags/{tag}/remove/").status_code == 303
    assert sql.value("select count(*) from patients_patient_tag") == 0


def test_a_visit_with_its_payment_is_recorded_once(patient, client_for):
    client, base = client_for("front_desk"), f"/patients/{patient}/"
    form = client.get(base + "visits/new/").context["form"]
    sent = {
        "class_code": "AMB", "on": str(form["on"].value()), "at": "00:00", "department": "牙科", "reason": "洗牙", "total": "1,200",
        "self_pay": "1000", "copay": "50", "key": str(form["key"].value()),
    }  # fmt: skip

    assert client.post(base + "visits/new/", sent).status_code == 303
    assert client.post(base + "visits/new/", sent).status_code == 303

    assert sql.value("select count(*) from records_encounter") == 1
    assert sql.row("select total_amount, self_pay_amount, copay_amount from records_invoice") == {
        "total_amount": 1200, "self_pay_amount": 1000, "copay_amount": 50,
    }  # fmt: skip
    assert sql.rows("select historical from events_event where kind = 'encounter.recorded'") == [{"historical": False}]
    assert "NT$1,200" in client.get(base + "visits/").content.decode()


def test_a_wrong_bill_is_refused_and_the_visit_is_not_kept_either(patient, client_for):
    client, base = client_for("front_desk"), f"/patients/{patient}/"
    form = client.get(base + "visits/new/").context["form"]
    sent = {
        "class_code": "AMB",
        "on": str(form["on"].value()),
        "at": "00:00",
        "total": "10",
        "self_pay": "20",
        "key": str(uuid7()),
    }

    answer = client.post(base + "visits/new/", sent)

    assert answer.status_code == 422
    assert sql.value("select count(*) from records_encounter") == 0


def test_a_record_is_marked_as_entered_in_error_with_a_reason(patient, client_for, now):
    visit = records.record_encounter(patient_id=patient, encounter_id=uuid7(), started_at=now, now=now, by=None)
    client, url = client_for("nurse"), f"/patients/{patient}/records/encounter/{visit.id}/error/"

    assert client.post(url, {"reason": ""}).status_code == 422
    assert client.post(url, {"reason": "寫錯人"}).status_code == 303
    assert sql.value("select entered_in_error from records_encounter")


# -- consent ----------------------------------------------------------------------------------------------------


def test_consent_is_recorded_and_withdrawn_on_the_page(patient, client_for):
    client, base = client_for("front_desk"), f"/patients/{patient}/consent/"
    given = {
        "purpose": "MARKETING",
        "channel": "line",
        "decision": "permit",
        "source": "paper",
        "evidence": "第 12 號資料夾",
    }

    assert client.post(base + "new/", given).status_code == 303
    assert "第 12 號資料夾" in client.get(base).content.decode()
    assert client.post(base + "withdraw/", {"purpose": "MARKETING"}).status_code == 303

    assert sql.rows("select decision, channel from consent_consent where ended_at is null") == [
        {"decision": "deny", "channel": "any"}
    ]


@pytest.mark.parametrize("given", [{}, {"purpose": "NONSENSE"}, {"purpose": "MARKETING", "channel": "pigeon"}])
def test_a_withdrawal_of_something_unknown_says_that_nothing_was_withdrawn(patient, client_for, given):
    answer = client_for("front_desk").post(f"/patients/{patient}/consent/withdraw/", given)

    assert answer.status_code == 422
    assert "Nothing was withdrawn" in answer.content.decode()
    assert sql.value("select count(*) from consent_consent") == 0


def test_texts_are_written_published_and_never_changed(organization, client_for):
    client = client_for("privacy_officer")
    assert client.get("/settings/notices/").status_code == 200
    form = client.get("/settings/notices/new/privacy/").context["form"]
    texts = {name: form[name].value() for name in form.fields}
    made = client.post("/settings/notices/new/privacy/", texts)["Location"]
    assert client.get(made).status_code == 200

    assert client.post(made + "publish/").status_code == 303

    assert client.post(made, texts | {"title_en": "Other"}).status_code == 422
    assert sql.value("select published_at is not null from consent_notice")


# -- reading ----------------------------------------------------------------------------------------------------


def test_identifiers_are_masked_until_somebody_says_why(patient, client_for):
    client = client_for("front_desk")
    page = client.get(f"/patients/{patient}/").content.decode()
    assert "A12****789" in page
    assert "A123456789" not in page
    assert "0912345678" not in page
    row = sql.value("select id from patients_identifier")

    assert client.post(f"/patients/{patient}/reveal/{row}/", {"reason": ""}).status_code == 422
    answer = client.post(f"/patients/{patient}/reveal/{row}/", {"reason": "核對健保卡"})

    assert "A123456789" in answer.content.decode()
    note = sql.row("select reason, patients, details from audit_event where action = 'patient.revealed'")
    assert (note["reason"], note["patients"], note["details"]) == ("核對健保卡", [patient], {"kind": "national_id"})
    assert client_for("marketing").get(f"/patients/{patient}/reveal/{row}/").status_code == 403


@pytest.mark.parametrize("tab", TABS)
def test_every_tab_is_shown_and_noted(patient, client_for, tab):
    client = client_for("nurse")

    answer = client.get(f"/patients/{patient}/{tab}")
    fragment = client.get(f"/patients/{patient}/{tab}", headers={"HX-Request": "true"})

    assert answer.status_code == 200
    assert "王小明" in answer.content.decode()
    assert fragment.content.decode().lstrip().startswith('<div id="patient-body"')
    assert actions().count("patient.viewed") == 2


@pytest.mark.parametrize("tab", ["medication/", "results/"])
def test_clinical_parts_need_the_permission_to_see_records(patient, client_for, tab):
    assert client_for("front_desk").get(f"/patients/{patient}/{tab}").status_code == 404


def test_marketing_sees_neither_departments_nor_allergies_nor_clinical_events(patient, client_for, now):
    from careloop.records.models import Allergy

    records.record_encounter(
        patient_id=patient, encounter_id=uuid7(), started_at=now, department="精神科", reason="失眠", now=now, by=None
    )
    records.record_observation(
        patient_id=patient,
        observation_id=uuid7(),
        code="4548-4",
        display="HbA1c",
        observed_at=now,
        value_number=9.1,
        now=now,
        by=None,
    )
    Allergy.objects.create(patient_id=patient, display="Penicillin", recorded_at=now)
    client = client_for("marketing")

    for tab in ("", "visits/", "timeline/"):
        page = client.get(f"/patients/{patient}/{tab}").content.decode()
        for word in ("精神科", "失眠", "HbA1c", "Penicillin"):
            assert word not in page, tab


@pytest.mark.parametrize("address", [*TABS, *FORMS])
def test_a_stranger_gets_nothing(organization, client_for, other_organization, address):
    """Another clinic's patient is not there: the same answer as for a number that never was."""
    token = context._scope.set(None)
    try:
        with context.in_organization(other_organization.id):
            theirs = make.patient("陌生人")
    finally:
        context._scope.reset(token)
        context.set_organization(organization.id)
    client = client_for("owner")

    assert client.get(f"/patients/{theirs}/{address}").status_code == 404
    assert client.get(f"/patients/{uuid7()}/{address}").status_code == 404
