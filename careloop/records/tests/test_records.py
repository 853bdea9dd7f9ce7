"""Records made by hand, and what is read of them."""

from datetime import UTC, date, datetime, timedelta

import pytest

from careloop.kernel import sql
from careloop.kernel.ids import uuid7
from careloop.patients.tests import make
from careloop.records import errors, privacy, selectors, services
from careloop.records.models import Allergy, Encounter, Medication, OtherRecord
from careloop.records.rules import RefillState, refill_window


@pytest.fixture
def patient(organization):
    return make.patient()


def visit(patient_id, now, at=None, **more):
    given = {"encounter_id": uuid7(), "display": "門診", "department": "牙科", "by": None}
    return services.record_encounter(patient_id=patient_id, started_at=at or now, now=now, **(given | more))


def observe(patient_id, now, at=None, code="4548-4", display="HbA1c", value=6.5, unit="%", **more):
    given = {"observation_id": uuid7(), "value_number": value, "unit": unit, "by": None}
    return services.record_observation(
        patient_id=patient_id, code=code, display=display, observed_at=at or now, now=now, **(given | more)
    )


def bill(patient_id, now, total=1200, self_pay=1000, copay=50, **more):
    given = {"invoice_id": uuid7(), "issued_at": now, "by": None}
    return services.record_invoice(
        patient_id=patient_id,
        total_amount=total,
        self_pay_amount=self_pay,
        copay_amount=copay,
        now=now,
        **(given | more),
    )


def events() -> list[dict]:
    return sql.rows(
        "select kind, historical, occurred_at, payload from events_event where kind not like 'patient%%' order by id",
        [],
    )


def test_todays_visit_is_news_and_last_years_is_history(patient, now):
    visit(patient, now)
    visit(patient, now, at=now - timedelta(days=365))

    assert [(row["kind"], row["historical"], row["payload"]["department"]) for row in events()] == [
        ("encounter.recorded", False, "牙科"), ("encounter.recorded", True, "牙科"),
    ]  # fmt: skip


def test_sending_the_form_twice_makes_one_visit(patient, now):
    key = uuid7()

    assert visit(patient, now, encounter_id=key).id == visit(patient, now, encounter_id=key).id
    assert Encounter.objects.count() == 1
    assert len(events()) == 1


def test_what_has_not_happened_cannot_be_recorded(patient, now):
    with pytest.raises(errors.InFuture):
        visit(patient, now, at=now + timedelta(hours=1))


def test_a_patient_of_nobody_has_no_visits(organization, now):
    with pytest.raises(errors.UnknownPatient):
        visit(uuid7(), now)


@pytest.mark.parametrize(
    "amounts", [{"total": 100, "self_pay": 90, "copay": 20}, {"total": -1, "self_pay": 0, "copay": 0}]
)
def test_a_bill_must_add_up(patient, now, amounts):
    with pytest.raises(errors.WrongAmounts):
        bill(patient, now, **amounts)


def test_spend_is_shown_by_month_and_payer(patient, now):
    bill(patient, now, total=1200, self_pay=1000, copay=50)
    bill(patient, now, total=500, self_pay=0, copay=100)

    # 31 January 20:00 UTC is already February in Taipei
    bill(patient, now, issued_at=datetime(2026, 1, 31, 20, tzinfo=UTC), total=300, self_pay=300, copay=0)

    months = [
        (row["month"], row["total"], row["self_pay"], row["copay"], row["nhi"])
        for row in selectors.spend_by_month(patient)
    ]
    assert months == [("2026-02", 300, 300, 0, 0), ("2026-03", 1700, 1000, 150, 550)]
    assert selectors.spend_totals(patient)[0]["nhi"] == 550


def test_a_visit_shows_what_was_billed_for_it(patient, now):
    encounter = visit(patient, now)
    bill(patient, now, encounter_id=encounter.id)
    bill(patient, now)

    assert [(row["total"], row["self_pay"]) for row in selectors.visits(patient)] == [(1200, 1000)]


def test_results_are_grouped_with_their_reference_range(patient, now):
    for months, value in enumerate((7.9, 7.1, 6.4)):
        observe(patient, now, at=now - timedelta(days=90 * (3 - months)), value=value)
    observe(patient, now, code="999-9", display="Mood", value=None, value_text="好", unit="")

    text, sugar = selectors.results(patient)

    assert (sugar["display"], [point["value_number"] for point in sugar["points"]]) == ("HbA1c", [7.9, 7.1, 6.4])
    assert sugar["band"]["high"] == 5.7
    assert sugar["class"]["severity"] > 0
    assert (text["is_number"], text["band"], text["class"]) == (False, None, None)


def test_blood_pressure_is_one_chart_with_two_lines(patient, now):
    observe(
        patient, now, code="85354-9", display="血壓", value=None, unit="",
        components=[
            {"code": "8480-6", "display": "收縮壓", "number": 142, "unit": "mmHg"},
            {"code": "8462-4", "display": "舒張壓", "number": 88, "unit": "mmHg"},
        ],
    )  # fmt: skip

    [group] = selectors.results(patient)

    assert list(group["parts"]) == ["收縮壓", "舒張壓"]
    assert (group["unit"], group["class"]["severity"] > 0) == ("mmHg", True)


def test_the_laboratorys_own_range_comes_first(patient, now):
    made = observe(patient, now)
    made.reference_low, made.reference_high, made.reference_text = 4.0, 6.0, "4.0-6.0"
    made.save()

    assert selectors.results(patient)[0]["band"] == {"low": 4.0, "high": 6.0, "name": "4.0-6.0"}


def test_a_chart_holds_the_latest_sixty_points(patient, now):
    for number in range(70):
        observe(patient, now, at=now - timedelta(days=number), value=float(number))

    [group] = selectors.results(patient)

    assert (len(group["points"]), group["latest"]["value_number"]) == (60, 0.0)


def test_a_refillable_prescription_says_when_the_next_fill_can_be_collected(patient, now):
    Medication.objects.create(
        patient_id=patient, display="Amlodipine 5mg", status="active", is_refillable=True, fills_allowed=3, fills_taken=1,
        days_supply=28, supply_ends_on=date(2026, 3, 20), recorded_at=now,
    )  # fmt: skip
    Medication.objects.create(patient_id=patient, display="Aspirin", status="active", recorded_at=now)

    refillable, plain = sorted(selectors.medications(patient, today=date(2026, 3, 16)), key=lambda row: row["display"])

    assert (refillable["refill"].opens_on, refillable["refill"].state) == (date(2026, 3, 10), RefillState.OPEN)
    assert plain["refill"] is None


@pytest.mark.parametrize(
    ("today", "state"),
    [
        (date(2026, 5, 12), RefillState.NOT_YET), (date(2026, 5, 13), RefillState.OPEN), (date(2026, 5, 23), RefillState.OPEN),
        (date(2026, 5, 24), RefillState.RAN_OUT),
    ],
)  # fmt: skip
def test_a_refill_window_opens_ten_days_before_the_supply_ends(today, state):
    window = refill_window(supply_ends_on=date(2026, 5, 23), fills_allowed=3, fills_taken=1, today=today)

    assert window.state is state


def test_resolved_and_refuted_allergies_are_not_shown(patient, now):
    for name, fields in {
        "Penicillin": {"criticality": "high"}, "Dust": {}, "Milk": {"status": "resolved"}, "Fish": {"verification_status": "refuted"},
        "Wrong": {"entered_in_error": True},
    }.items():  # fmt: skip
        Allergy.objects.create(patient_id=patient, display=name, recorded_at=now, **fields)

    assert [row["display"] for row in selectors.allergies(patient)] == ["Penicillin", "Dust"]


def test_a_record_entered_in_error_is_hidden_and_the_reason_is_kept(patient, now):
    encounter = visit(patient, now)
    with pytest.raises(errors.ReasonMissing):
        services.mark_entered_in_error(kind="encounter", record_id=encounter.id, reason=" ", now=now, by=None)

    for _twice in range(2):
        services.mark_entered_in_error(
            kind="encounter", record_id=encounter.id, reason="寫到別人的病歷", now=now, by=None
        )

    assert selectors.visits(patient) == []
    assert [row["kind"] for row in events()] == ["encounter.recorded", "record.entered_in_error"]
    with pytest.raises(errors.UnknownRecord):
        services.mark_entered_in_error(kind="encounter", record_id=uuid7(), reason="x", now=now, by=None)


def test_counts_are_keyed_by_fhir_names(patient, now):
    visit(patient, now)
    observe(patient, now)
    bill(patient, now)
    OtherRecord.objects.create(patient_id=patient, resource_type="ImagingStudy", recorded_at=now)

    counts = selectors.counts()

    assert {name: counts[name] for name in ("Patient", "Encounter", "Observation", "Claim", "ImagingStudy", "Condition")} == {
        "Patient": 1, "Encounter": 1, "Observation": 1, "Claim": 1, "ImagingStudy": 1, "Condition": 0,
    }  # fmt: skip
    assert counts["Event"] == 4


def test_records_are_exported_and_erased(patient, now):
    visit(patient, now)
    observe(patient, now)

    assert len(privacy.export(patient)["observation"]) == 1
    privacy.erase(patient)

    assert all(not rows for rows in privacy.export(patient).values())
