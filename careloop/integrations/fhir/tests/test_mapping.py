"""What becomes of each resource: the fields a clinic works with, and the words for what is wrong."""

import orjson
import pytest

from careloop.integrations.fhir.tests.building import (
    bundle,
    coded,
    lines,
    load,
    load_resources,
    of_patient,
    patient,
    tar,
    write,
)

TW = "http://www.moi.gov.tw"
RECORD = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]}


def one(tmp_path, *resources, kind):
    loaded = load_resources(tmp_path, *resources)
    assert loaded.reasons() == []
    return loaded.one(kind)


# patients


def test_a_taiwanese_patient_keeps_name_numbers_and_contacts(tmp_path):
    row = one(
        tmp_path,
        patient(
            identifier=[
                {"system": TW, "value": "A123456789"},
                {"type": RECORD, "system": "https://clinic.tw", "value": "8862168"},
                {"type": {"coding": [{"code": "PPN"}]}, "system": "passport", "value": "M1"},
            ],
            name=[{"use": "official", "text": "陳加玲", "family": "Chen", "given": ["Chia Lin"]}],
            telecom=[
                {"system": "phone", "value": "02-2345-6789", "use": "home"},
                {"system": "phone", "value": "0911327999"},
                {"system": "email", "value": "a@example.tw"},
                {"system": "other", "value": "line:U1"},
                {"system": "phone", "value": "02-1111-2222", "use": "work"},
            ],
            birthDate="1990-01-01",
            address=[
                {
                    "text": "臺北市大同區承德路",
                    "city": "大同區",
                    "district": "臺北市",
                    "postalCode": "103",
                    "country": "TW",
                }
            ],
            communication=[
                {"language": {"coding": [{"code": "en"}]}},
                {"preferred": True, "language": {"coding": [{"code": "zh-TW"}]}},
            ],
            maritalStatus={"coding": [{"code": "M"}]},
            active=True,
        ),
        kind="patient",
    )

    assert (row["chart_number"], row["national_id"]) == ("8862168", "A123456789")
    assert orjson.loads(row["identifiers"]) == [{"system": "passport", "type": "PPN", "value": "M1"}]
    assert (row["name"], row["family_name"], row["given_name"]) == ("陳加玲", "Chen", "Chia Lin")
    assert (row["mobile"], row["phone"], row["email"], row["line_id"]) == (
        "0911327999",
        "02-2345-6789",
        "a@example.tw",
        "U1",
    )
    assert orjson.loads(row["contacts"]) == [{"system": "phone", "use": "work", "value": "02-1111-2222"}]
    # The official example has city and district the other way round.
    assert (row["postal_code"], row["city"], row["district"], row["country"]) == (
        "103",
        "臺北市",
        "大同區",
        "TW",
    )
    assert (row["language"], row["marital_status"], row["active"], row["birth_date"]) == (
        "zh-TW",
        "M",
        True,
        "1990-01-01",
    )


@pytest.mark.parametrize("number", ["A123456789", "A123456788", "Z596839485"])
def test_a_number_is_kept_right_or_wrong(tmp_path, number):
    """The pipeline warns about check digits and sex, for tables and FHIR alike."""
    system = "http://www.immigration.gov.tw" if number.startswith("Z") else TW

    assert (
        one(tmp_path, patient(identifier=[{"system": system, "value": number}]), kind="patient")["national_id"]
        == number
    )


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        ([{"family": "Koepp521", "given": ["Abdul218", "Jo"], "prefix": ["Mr."]}], "Abdul218 Jo Koepp521"),
        ([{"family": "王", "given": ["小", "明"]}], "王小明"),
        ([{"use": "maiden", "family": "Old"}, {"use": "official", "family": "New"}], "New"),
        ([{"use": "nickname", "text": "Jim"}, {"text": "James"}], "James"),
        ([{"given": ["Peter"]}], "Peter"),
    ],
)
def test_the_name_in_use_is_shown(tmp_path, names, shown):
    assert one(tmp_path, patient(name=names), kind="patient")["name"] == shown


def test_a_patient_without_a_name_is_kept_for_the_records(tmp_path):
    loaded = load_resources(tmp_path, {"resourceType": "Patient", "id": "p1"})

    assert loaded.one("patient")["name"] == "#p1"
    assert loaded.doubts() == ["fhir.no_name_placeholder"]


@pytest.mark.parametrize(("written", "kept"), [("F", "female"), ("男", "male"), ("x", "unknown")])
def test_a_sex_in_other_words_is_understood_with_a_warning(tmp_path, written, kept):
    loaded = load_resources(tmp_path, patient(gender=written))

    assert loaded.one("patient")["sex"] == kept
    assert loaded.doubts() == ["fhir.unknown_code"]


@pytest.mark.parametrize("born", ["1980", "1980-05", "1980-05-17"])
def test_a_birth_date_may_be_partial(tmp_path, born):
    assert one(tmp_path, patient(birthDate=born), kind="patient")["birth_date"] == born


def test_death_is_kept_as_a_fact_or_a_time(tmp_path):
    assert one(tmp_path, patient(deceasedBoolean=True), kind="patient")["deceased"] is True
    row = one(tmp_path, patient(deceasedDateTime="2020-05-01T10:00:00+08:00"), kind="patient")
    assert (row["deceased"], row["deceased_at"]) == (True, "2020-05-01T10:00:00+08:00")


def test_contacts_and_related_persons_become_related_persons(tmp_path):
    father = {"coding": [{"code": "FTH"}]}
    contact = {
        "relationship": [father],
        "name": {"text": "李立偉"},
        "telecom": [{"system": "phone", "value": "0917159753"}],
    }
    guardian = of_patient(
        "RelatedPerson",
        name=[{"text": "陳簡伊"}],
        relationship=[{"coding": [{"code": "GUARD"}]}],
        birthDate="1996",
    )

    loaded = load_resources(tmp_path, patient(contact=[contact, {"organization": {"display": "x"}}]), guardian)

    first, second = loaded.rows["related_person"]
    assert (first["name"], first["relationship"], first["phone"], first["patient_external_id"]) == (
        "李立偉",
        "FTH",
        "0917159753",
        "p1",
    )
    assert (second["name"], second["guardian"], second["birth_date"]) == ("陳簡伊", True, None)
    assert loaded.doubts() == ["fhir.contact_without_name"]


# those who treat


def test_a_role_adds_specialty_and_organization_to_the_person(tmp_path):
    doctor = {
        "resourceType": "Practitioner",
        "id": "d1",
        "name": [{"text": "王依昇"}],
        "identifier": [{"system": "npi", "value": "7"}],
    }
    role = {
        "resourceType": "PractitionerRole",
        "id": "r1",
        "practitioner": {"identifier": {"system": "npi", "value": "7"}, "display": "王依昇"},
        "organization": {"reference": "Organization/o1"},
        "specialty": [coded("1", "耳鼻喉科")],
    }

    loaded = load_resources(tmp_path, doctor, role)

    person = loaded.one("practitioner")
    assert (person["external_id"], person["specialty"], person["organization_external_id"]) == (
        "d1",
        "耳鼻喉科",
        "o1",
    )
    assert (loaded.one("other")["resource_type"], loaded.one("other")["display"]) == (
        "PractitionerRole",
        "王依昇, 耳鼻喉科",
    )


def test_conditional_references_find_people_of_other_documents(tmp_path):
    doctor = {
        "resourceType": "Practitioner",
        "id": "d1",
        "name": [{"text": "王依昇"}],
        "identifier": [{"system": "npi", "value": "7"}],
    }
    visit = of_patient(
        "Encounter",
        period={"start": "2024-01-01"},
        participant=[{"individual": {"reference": "Practitioner?identifier=npi|7"}}],
        serviceProvider={"reference": "Organization?identifier=https://x|unknown", "display": "安心診所"},
    )
    path = tar(
        tmp_path / "a.tar",
        {"1.json": orjson.dumps(bundle(patient(), visit)), "2.json": orjson.dumps(bundle(doctor))},
        "w",
    )

    row = load(path).one("encounter")

    assert (row["practitioner_external_id"], row["practitioner_name"]) == ("d1", "王依昇")
    assert (row["organization_external_id"], row["organization_name"]) == ("unknown", "安心診所")


# references


@pytest.mark.parametrize(
    "reference",
    [
        "urn:uuid:whoever",
        "Patient/p1",
        "Patient/p1/_history/2",
        "https://other.example/fhir/Patient/p1",
        "p1",
    ],
)
def test_a_patient_is_found_however_referred_to(tmp_path, reference):
    entries = [
        {"fullUrl": "urn:uuid:whoever", "resource": patient("p1")},
        {
            "resource": {
                "resourceType": "Encounter",
                "id": "e",
                "subject": {"reference": reference},
                "period": {"start": "2024"},
            }
        },
    ]

    loaded = load(write(tmp_path / "a.json", {"resourceType": "Bundle", "entry": entries}))

    assert loaded.one("encounter")["patient_external_id"] == "p1"


def test_a_resource_without_an_id_is_known_by_its_full_url(tmp_path):
    entries = [
        {"fullUrl": "urn:uuid:74e6d5a6", "resource": {"resourceType": "Patient", "name": [{"text": "王"}]}},
        {
            "resource": {
                "resourceType": "Encounter",
                "subject": {"reference": "urn:uuid:74e6d5a6"},
                "period": {"start": "2024"},
            }
        },
    ]

    loaded = load(write(tmp_path / "a.json", {"resourceType": "Bundle", "entry": entries}))

    assert loaded.one("patient")["external_id"] == loaded.one("encounter")["patient_external_id"] == "74e6d5a6"
    assert loaded.one("encounter")["external_id"] is None


def test_a_logical_reference_gives_the_identifier(tmp_path):
    visit = {
        "resourceType": "Encounter",
        "id": "e",
        "subject": {"identifier": {"system": "x", "value": "8862168"}},
        "period": {"start": "2024"},
    }

    assert one(tmp_path, visit, kind="encounter")["patient_external_id"] == "8862168"


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        ({"reference": "Group/1"}, "fhir.not_about_a_patient"),
        ({"display": "somebody"}, "fhir.no_patient"),
        ({"reference": "#here"}, "fhir.no_patient"),
        (None, "fhir.no_patient"),
    ],
)
def test_what_is_about_no_patient_is_refused(tmp_path, subject, reason):
    found = {"resourceType": "Observation", "id": "o", "code": coded("1"), "subject": subject}

    loaded = load_resources(tmp_path, found)

    (refused,) = loaded.refused
    assert (refused.code, refused.field) == (reason, "Observation.subject")
    assert orjson.loads(refused.raw) == found


# times


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("2013-12-18T06:19:41-08:00", "2013-12-18T06:19:41-08:00"),
        ("2013-12-18T06:19:41.792Z", "2013-12-18T06:19:41.792Z"),
        ("2013-12-18T06:19Z", "2013-12-18T06:19:00+00:00"),
        ("2013-12-18 06:19:41+08:00", "2013-12-18T06:19:41+08:00"),
        ("2013-12-18T06:19:41", "2013-12-18T06:19:41+08:00"),
        ("2013-12-18", "2013-12-18"),
        ("2013-12", "2013-12"),
        ("2013", "2013"),
    ],
)
def test_times_are_kept_as_written(tmp_path, written, kept):
    assert (
        one(tmp_path, of_patient("Condition", code=coded("1"), onsetDateTime=written), kind="condition")["onset"]
        == kept
    )


@pytest.mark.parametrize(
    "written",
    [
        "yesterday", "2013-13", "2013-02-30", "0000", "13-12-18", "2013-W01-1", "2013-12-18T25:00:00Z",
        "2013-12-18T06:19:41+99:00",
        "2013-12-18T06:19:41-18:00", "20131218T061941Z", 20131218, ["2013"], "٢٠١٣", "2013-12-18T",
        "2013/12/18",
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused_with_its_path(tmp_path, written):
    loaded = load_resources(tmp_path, of_patient("Procedure", code=coded("1"), performedPeriod={"start": written}))

    (refused,) = loaded.refused
    assert refused.field == "Procedure.performedPeriod.start"
    assert refused.code in ("fhir.not_a_date", "fhir.expected_text")


# visits, findings, medicines


def test_a_visit_knows_who_led_it_and_why(tmp_path):
    cough = of_patient("Condition", code=coded("49727002", "咳嗽"))
    visit = of_patient(
        "Encounter",
        status="finished",
        **{"class": {"code": "AMB"}},
        type=[coded("185345009", "Encounter for symptom")],
        period={"start": "2024-01-01T09:00:00+08:00", "end": "2024-01-01T09:15:00+08:00"},
        participant=[
            {"individual": {"display": "護理師"}},
            {"type": [coded("PPRF")], "individual": {"reference": "#doctor"}},
        ],
        contained=[{"resourceType": "Practitioner", "id": "doctor", "name": [{"text": "王依昇"}]}],
        reasonReference=[{"reference": "urn:uuid:condition-1"}],
        location=[{"location": {"display": "一診"}}],
        serviceType={"text": "家醫科"},
    )

    row = one(tmp_path, cough, visit, kind="encounter")

    assert (row["class_code"], row["code"], row["display"]) == ("AMB", "185345009", "Encounter for symptom")
    assert (row["practitioner_external_id"], row["practitioner_name"]) == (None, "王依昇")
    assert (row["reason_code"], row["reason_display"], row["location_name"], row["department"]) == (
        "49727002",
        "咳嗽",
        "一診",
        "家醫科",
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"valueQuantity": {"value": 16.6, "unit": "mg/dl"}}, {"value_number": 16.6, "unit": "mg/dl"}),
        (
            {"valueQuantity": {"value": 5, "comparator": "<", "unit": "mmHg"}},
            {"value_number": 5, "comparator": "<", "unit": "mmHg"},
        ),
        (
            {
                "valueQuantity": {
                    "value": 1,
                    "unit": "x",
                    "code": "Cel",
                    "system": "http://unitsofmeasure.org",
                }
            },
            {"unit": "Cel"},
        ),
        ({"valueQuantity": {"value": "7.25"}}, {"value_number": 7.25, "unit": None}),
        (
            {"valueCodeableConcept": coded("266919005", "Never smoker")},
            {"value_code": "266919005", "value_text": "Never smoker"},
        ),
        ({"valueString": "陰性"}, {"value_text": "陰性", "value_number": None}),
        ({"valueBoolean": False}, {"value_text": "false"}),
        ({"valueInteger": 3}, {"value_number": 3}),
        (
            {"valueRange": {"low": {"value": 1, "unit": "d"}, "high": {"value": 2, "unit": "d"}}},
            {"value_text": "1 d – 2 d"},
        ),
        (
            {"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 128}}},
            {"value_text": "1 : 128"},
        ),
        ({"valuePeriod": {"start": "2024", "end": "2025"}}, {"value_text": "2024 – 2025"}),
        ({"valueTime": "12:00:00"}, {"value_text": "12:00:00"}),
        ({"dataAbsentReason": coded("unknown", "Unknown")}, {"value_text": "Unknown"}),
        ({}, {"value_text": None, "value_number": None}),
    ],
)
def test_a_value_is_kept_whatever_its_form(tmp_path, value, expected):
    row = one(
        tmp_path,
        of_patient("Observation", code=coded("1"), effectiveDateTime="2024-01-01", **value),
        kind="observation",
    )

    assert {name: row[name] for name in expected} == expected


def test_blood_pressure_stays_one_observation(tmp_path):
    parts = [
        {"code": coded(code, name, "http://loinc.org"), "valueQuantity": {"value": value, "unit": "mmHg"}}
        for code, name, value in (("8480-6", "Systolic", 128), ("8462-4", "Diastolic", 82))
    ]
    row = one(
        tmp_path,
        of_patient(
            "Observation",
            code=coded("85354-9", "Blood pressure"),
            effectivePeriod={"start": "2024-01-01"},
            component=parts,
            referenceRange=[{"low": {"value": 90}, "high": {"value": 130}, "text": "90–130"}],
            interpretation=[coded("N")],
        ),
        kind="observation",
    )

    first, second = orjson.loads(row["components"])
    assert (first["code"], first["number"], first["unit"]) == ("8480-6", 128, "mmHg")
    assert second["code"] == "8462-4"
    assert (row["effective"], row["reference_low"], row["reference_high"], row["interpretation"]) == (
        "2024-01-01",
        90,
        130,
        "N",
    )


def test_a_chronic_prescription_is_refillable(tmp_path):
    medicine = {"resourceType": "Medication", "id": "m1", "code": coded("A003092100", "阿司匹林")}
    order = of_patient(
        "MedicationRequest",
        status="active",
        intent="order",
        medicationReference={"reference": "urn:uuid:m1"},
        dosageInstruction=[
            {
                "timing": {"repeat": {"frequency": 2, "period": 1.0, "periodUnit": "d"}},
                "doseAndRate": [{"doseQuantity": {"value": 1.0}}],
            }
        ],
        dispenseRequest={
            "validityPeriod": {"start": "2024-01-01", "end": "2024-03-31"},
            "numberOfRepeatsAllowed": 2,
            "quantity": {"value": 84},
            "expectedSupplyDuration": {"value": 4, "code": "wk"},
        },
    )

    row = one(tmp_path, medicine, order, kind="medication")

    assert (row["code"], row["display"], row["dosage"]) == ("A003092100", "阿司匹林", "1 × 2 / 1 d")
    assert (row["start"], row["end"]) == ("2024-01-01", "2024-03-31")
    assert (row["refills_allowed"], row["refillable"], row["days_supply"], row["quantity"]) == (
        2,
        True,
        28,
        84,
    )


def test_a_medicine_in_another_document_is_found(tmp_path):
    order = of_patient("MedicationRequest", medicationReference={"reference": "Medication/m1"})
    medicine = {"resourceType": "Medication", "id": "m1", "code": coded("A1", "藥")}
    path = write(tmp_path / "a.ndjson", lines([order, patient(), medicine]))

    assert load(path).one("medication")["code"] == "A1"


def test_what_a_patient_says_to_take_is_kept_as_a_statement(tmp_path):
    said = of_patient(
        "MedicationStatement",
        status="active",
        medicationCodeableConcept=coded("1", "魚油"),
        effectiveDateTime="2024",
    )

    assert one(tmp_path, said, kind="medication")["intent"] == "statement"


def test_an_allergy_keeps_its_reactions(tmp_path):
    reaction = {"manifestation": [coded("247472004", "蕁麻疹")], "severity": "moderate"}
    found = of_patient(
        "AllergyIntolerance",
        code=coded("1", "花生"),
        category=["food", "medication"],
        reaction=[reaction],
        recordedDate="2024",
    )

    row = one(tmp_path, found, kind="allergy")

    assert (row["category"], row["recorded"]) == ("food medication", "2024")
    assert orjson.loads(row["reactions"]) == [{"code": "247472004", "display": "蕁麻疹", "severity": "moderate"}]


def test_a_report_gives_its_plain_text_and_only_the_title_of_others(tmp_path):
    forms = [
        {"contentType": "text/plain; charset=utf-8", "data": "5ZC2"},
        {"contentType": "application/pdf", "data": "AAAA", "title": "X 光"},
    ]
    found = of_patient(
        "DiagnosticReport",
        code=coded("1"),
        presentedForm=forms,
        result=[{"reference": "urn:uuid:o1"}, {"display": "x"}],
    )

    row = one(tmp_path, found, kind="report")

    assert row["text"] == "吶\n\nX 光"
    assert orjson.loads(row["results"]) == ["o1"]


def test_a_plan_is_named_by_what_it_is_for(tmp_path):
    plan = of_patient(
        "CarePlan",
        category=[
            coded("assess-plan", system="http://hl7.org/fhir/us/core/CodeSystem/careplan-category"),
            coded("53950000", "呼吸治療"),
        ],
        period={"start": "2024-01-01"},
        activity=[
            {"detail": {"code": coded("1", "戒菸"), "status": "in-progress"}},
            {"reference": {"reference": "Task/1"}},
        ],
    )

    row = one(tmp_path, plan, kind="care_plan")

    assert (row["code"], row["display"]) == ("53950000", "呼吸治療")
    assert orjson.loads(row["activities"]) == [{"code": "1", "display": "戒菸", "status": "in-progress"}]


# money


def claim(rid="c1", **more):
    total = {"value": 690.62, "currency": "USD"}
    item = {
        "productOrService": coded("1", "門診"),
        "encounter": [{"reference": "urn:uuid:e1"}],
        "net": {"value": 8.1},
    }
    found = of_patient(
        "Claim",
        created="2024-01-01T09:00:00Z",
        total=total,
        item=[item],
        insurance=[{"coverage": {"display": "Aetna"}}],
    )
    return {**found, "id": rid, **more}


def answer(claim_id="c1", paid=600.02):
    return {
        "resourceType": "ExplanationOfBenefit",
        "id": "eob-1",
        "patient": {"reference": "Patient/p1"},
        "claim": {"reference": f"urn:uuid:{claim_id}"},
        "created": "2024-01-01",
        "total": [{"category": coded("submitted"), "amount": {"value": 690.62, "currency": "USD"}}],
        "payment": {"amount": {"value": paid, "currency": "USD"}},
    }


def test_claim_and_answer_give_one_invoice(tmp_path):
    loaded = load_resources(tmp_path, claim(), answer())

    row = loaded.one("invoice")
    assert (row["external_id"], row["total_amount"], row["self_pay_amount"], row["currency"]) == (
        "c1",
        "690.62",
        "90.60",
        "USD",
    )
    assert (row["encounter_external_id"], row["payer_kind"]) == ("e1", "insurance")
    assert orjson.loads(row["lines"]) == [{"code": "1", "display": "門診", "amount": "8.1"}]
    assert loaded.one("other")["resource_type"] == "ExplanationOfBenefit"


def test_an_answer_without_its_claim_is_the_invoice(tmp_path):
    row = load_resources(tmp_path, answer(paid=1000)).one("invoice")

    assert (row["external_id"], row["total_amount"], row["self_pay_amount"]) == ("c1", "690.62", "0")


def test_an_answer_in_a_later_document_does_not_double_the_claim(tmp_path):
    loaded = load(write(tmp_path / "a.ndjson", lines([answer(), patient(), claim()])))

    assert len(loaded.rows["invoice"]) == 1


@pytest.mark.parametrize(
    ("insurance", "payer"),
    [
        ([], "self-pay"),
        ([{"coverage": {"display": "NO_INSURANCE"}}], "self-pay"),
        ([{"coverage": {"display": "全民健保"}}], "nhi"),
    ],
)
def test_who_pays_is_told_apart(tmp_path, insurance, payer):
    row = load_resources(tmp_path, claim(insurance=insurance)).one("invoice")

    assert row["payer_kind"] == payer
    assert row["self_pay_amount"] == ("690.62" if payer == "self-pay" else None)


def test_an_invoice_is_kept_with_its_lines(tmp_path):
    lines_ = [{"chargeItemCodeableConcept": coded("1", "美白"), "priceComponent": [{"amount": {"value": 3000}}]}]
    found = of_patient("Invoice", date="2024-01-01", totalGross={"value": 3000, "currency": "TWD"}, lineItem=lines_)

    row = one(tmp_path, found, kind="invoice")

    assert (row["total_amount"], row["self_pay_amount"], row["payer_kind"]) == ("3000", "3000", "self-pay")


# the rest


def test_what_has_no_page_is_one_line_and_what_is_about_nobody_is_counted(tmp_path):
    goal = of_patient("Goal", lifecycleStatus="active", description={"text": "HbA1c < 7"}, startDate="2024-01-01")
    study = of_patient("ImagingStudy", started="2024-01-02", procedureCode=[coded("168731009", "胸部 X 光")])
    task = {"resourceType": "Task", "id": "t", "for": {"reference": "Patient/p1"}, "code": coded("1", "回電")}

    drug = {"resourceType": "Medication", "id": "m", "code": coded("A1", "藥")}
    loaded = load_resources(tmp_path, goal, study, task, drug, {"resourceType": "ValueSet", "id": "v"})

    rows = {row["resource_type"]: row for row in loaded.rows["other"]}
    assert (rows["Goal"]["text"], rows["Goal"]["status"], rows["Goal"]["start"]) == (
        "HbA1c < 7",
        "active",
        "2024-01-01",
    )
    assert (rows["ImagingStudy"]["display"], rows["ImagingStudy"]["start"]) == ("胸部 X 光", "2024-01-02")
    assert rows["Task"]["patient_external_id"] == "p1"
    assert (rows["Medication"]["patient_external_id"], rows["Medication"]["display"]) == (None, "藥")
    assert loaded.report.not_kept == {"ValueSet": 1}
    assert [(found.code, found.values) for found in loaded.warned] == [
        ("fhir.not_kept", {"type": "ValueSet", "count": 1})
    ]


@pytest.mark.parametrize(
    ("resource", "code", "path"),
    [
        (of_patient("Encounter", period={"start": "2024"}, reasonCode={"text": "x"}), "fhir.expected_list", "Encounter.reasonCode"),
        (patient(name="王"), "fhir.expected_list", "Patient.name"),
        (patient(name=[{"given": [1]}]), "fhir.expected_text", "Patient.name[0].given[0]"),
        (patient(telecom=[None]), "fhir.expected_object", "Patient.telecom[0]"),
        (patient(birthDate="not a date"), "fhir.not_a_date", "Patient.birthDate"),
        ({**patient(), "id": 7}, "fhir.expected_text", "Patient.id"),
        (of_patient("Observation", code="x"), "fhir.expected_object", "Observation.code"),
        (of_patient("Observation", code=coded("1"), valueQuantity={"value": "many"}), "fhir.not_a_number", "Observation.valueQuantity.value"),
        (of_patient("Observation", code=coded("1"), valueString={"a": 1}), "fhir.expected_text", "Observation.valueString"),
        (of_patient("Condition"), "fhir.no_code", "Condition.code"),
        (of_patient("Encounter"), "fhir.missing", "Encounter.period.start"),
        (of_patient("RelatedPerson"), "fhir.no_name", "RelatedPerson.name"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place_and_the_others_go_on(tmp_path, resource, code, path):
    other = {**patient("p9"), "id": "p9"}

    loaded = load_resources(tmp_path, resource, other)

    (refused,) = loaded.refused
    assert (refused.line, refused.code, refused.field) == (1, code, path)
    assert [row["external_id"] for row in loaded.rows["patient"]] == ["p9"]
    assert loaded.report.refused == {resource["resourceType"]: 1}


def test_warnings_of_a_refused_resource_are_not_shown(tmp_path):
    loaded = load_resources(tmp_path, patient(gender="M", birthDate="?"))

    assert (loaded.doubts(), loaded.reasons()) == ([], ["fhir.not_a_date"])
