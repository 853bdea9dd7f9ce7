"""The wide row: equal to the records, however it came about."""

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from careloop.consent.models import Consent
from careloop.events.models import EventRetraction
from careloop.events.registry import READERS, Published
from careloop.facts import rules, services
from careloop.facts.models import PatientFacts, Stage
from careloop.followups.models import FollowUp
from careloop.kernel import sql
from careloop.patients.models import ContactPoint, Patient, PatientTag, Tag
from careloop.records.models import Encounter, Invoice, Medication
from careloop.tenancy.context import in_organization

TAIPEI = ZoneInfo("Asia/Taipei")
VALUES = (*services.COLUMNS, "last_sent_at", "last_answered_at")


def a_patient(**fields) -> Patient:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Patient.objects.create(**{"name": "王小明", "created_at": now, "updated_at": now, **fields})


def visit(patient, at, **fields):
    return Encounter.objects.create(patient=patient, started_at=at, recorded_at=at, **{"status": "finished", **fields})


def invoice(patient, at, self_pay, **fields):
    return Invoice.objects.create(patient=patient, issued_at=at, recorded_at=at, self_pay_amount=self_pay, **fields)


def row(patient) -> PatientFacts:
    return PatientFacts.objects.get(patient=patient)


def everything() -> dict:
    return {found["patient_id"]: found for found in PatientFacts.objects.values("patient_id", *VALUES)}


def expected(patient: Patient, today: date) -> dict:
    """The same facts, worked out slowly in Python from one patient's records."""
    year_ago = rules.a_year_before(today)
    days = [
        e.started_at.astimezone(TAIPEI).date()
        for e in Encounter.objects.filter(patient=patient, entered_in_error=False).exclude(status__in=services.NO_VISIT)
    ]
    past = sorted(day for day in days if day <= today)
    bills = [
        (i.issued_at.astimezone(TAIPEI).date(), i)
        for i in Invoice.objects.filter(patient=patient, entered_in_error=False).exclude(status__in=services.NO_INVOICE)
    ]
    paid = [(day, i) for day, i in bills if day <= today]
    rhythm = rules.own_rhythm(past)
    stage, _changes = rules.stage_of(
        active=patient.active, deceased=patient.deceased, visit_days=len(set(past)),
        last_visit=past[-1] if past else None, rhythm=rhythm, today=today,
    )  # fmt: skip
    consents = Consent.objects.filter(patient=patient, ended_at=None).values_list(
        "purpose", "channel", "decision", "source"
    )
    permitted, refused = rules.effective_consent(consents)
    return {
        "first_visit_on": past[0] if past else None,
        "last_visit_on": past[-1] if past else None,
        "visits": len(past),
        "visits_12m": sum(day > year_ago for day in past),
        "visit_interval_days": rhythm,
        "self_pay_total": sum(i.self_pay_amount for _, i in paid if i.currency == "TWD"),
        "self_pay_12m": sum(i.self_pay_amount for day, i in paid if i.currency == "TWD" and day > year_ago),
        "nhi_visits": sum(i.payer_kind in ("nhi", "mixed") for _, i in paid),
        "last_invoice_on": max((day for day, _ in paid), default=None),
        "stage": stage,
        "consent_given": permitted,
        "consent_refused": refused,
        "open_follow_ups": FollowUp.objects.filter(patient=patient, state="OPEN").count(),
        "tags": sorted(PatientTag.objects.filter(patient=patient).values_list("tag__number", flat=True)),
    }


# -- stories --------------------------------------------------------------------------------------------------


def test_a_new_patient_is_a_prospect_with_a_birthday(organization, now):
    patient = a_patient(birth_date=date(1990, 2, 28), sex="female")

    services.refresh([patient.id], now=now)

    facts = row(patient)
    assert (facts.stage, facts.birth_mmdd, facts.sex, facts.visits) == (Stage.PROSPECT, 228, "female", 0)


def test_a_birthday_of_which_only_the_year_is_known_is_no_birthday(organization, now):
    patient = a_patient(birth_date=date(1990, 1, 1), birth_precision="year")

    services.refresh([patient.id], now=now)

    assert row(patient).birth_mmdd is None


def test_a_visit_late_in_the_evening_counts_for_the_clinics_day(organization, now):
    patient = a_patient()
    visit(patient, datetime(2026, 3, 10, 16, 30, tzinfo=UTC))  # half past midnight in Taipei

    services.refresh([patient.id], now=now)

    assert row(patient).last_visit_on == date(2026, 3, 11)


def test_what_did_not_take_place_is_no_visit(organization, now):
    patient = a_patient()
    visit(patient, now - timedelta(days=3), status="cancelled")
    visit(patient, now - timedelta(days=2), entered_in_error=True)
    visit(patient, now + timedelta(days=2), status="finished")

    services.refresh([patient.id], now=now)
    assert (row(patient).visits, row(patient).stage) == (0, Stage.PROSPECT)

    services.advance(now=now + timedelta(days=2))
    assert (row(patient).visits, row(patient).stage) == (1, Stage.NEW)


def test_money_of_another_currency_is_not_added_up(organization, now):
    patient = a_patient()
    invoice(patient, now - timedelta(days=1), 1200)
    invoice(patient, now - timedelta(days=1), 99_00, currency="USD")

    services.refresh([patient.id], now=now)

    assert row(patient).self_pay_12m == 1200


def test_the_last_twelve_months_move_on_by_themselves(organization, now):
    patient = a_patient()
    invoice(patient, datetime(2025, 3, 20, 4, tzinfo=UTC), 5000)
    invoice(patient, datetime(2026, 3, 1, 4, tzinfo=UTC), 700)
    services.refresh([patient.id], now=now)
    assert (row(patient).self_pay_12m, row(patient).next_change_on) == (5700, date(2026, 3, 20))

    assert services.advance(now=datetime(2026, 3, 19, 4, tzinfo=UTC)) == []
    assert services.advance(now=datetime(2026, 3, 20, 4, tzinfo=UTC)) == [patient.id]
    assert (row(patient).self_pay_12m, row(patient).self_pay_total) == (700, 5700)
    assert services.advance(now=datetime(2026, 3, 20, 5, tzinfo=UTC)) == []


def test_the_prescription_that_runs_out_next_is_shown_and_an_old_one_does_not_hide_it(organization, now):
    patient = a_patient()
    common = {"patient": patient, "recorded_at": now, "is_refillable": True, "status": "active", "fills_allowed": 3}
    Medication.objects.create(**common, supply_ends_on=date(2024, 5, 1), fills_taken=1)
    Medication.objects.create(**common, supply_ends_on=date(2026, 3, 25), fills_taken=2)
    Medication.objects.create(**common, supply_ends_on=date(2026, 4, 25), fills_taken=1)

    services.refresh([patient.id], now=now)
    assert (row(patient).supply_ends_on, row(patient).refills_left) == (date(2026, 3, 25), 1)

    services.advance(now=now + timedelta(days=10))
    assert (row(patient).supply_ends_on, row(patient).refills_left) == (date(2026, 4, 25), 2)


def test_reach_tells_a_blocked_line_from_none(organization, now):
    patient = a_patient()
    for system, reach, mobile in (("line", "blocked", False), ("phone", "unknown", True), ("email", "reached", False)):
        ContactPoint.objects.create(
            patient=patient,
            system=system,
            reach=reach,
            is_mobile=mobile,
            value_sealed=b"x",
            value_index=system.encode(),
        )

    services.refresh([patient.id], now=now)

    have = rules.Reach
    assert row(patient).reach == (
        have.LINE | have.SMS | have.SMS_ARRIVES | have.PHONE | have.PHONE_ARRIVES | have.EMAIL | have.EMAIL_ARRIVES
    )


def test_a_merged_patient_has_no_row(organization, now):
    survivor, loser = a_patient(), a_patient()
    services.refresh([survivor.id, loser.id], now=now)

    Patient.objects.filter(id=loser.id).update(merged_into=survivor)

    assert services.refresh([loser.id], now=now) == [loser.id]
    assert not PatientFacts.objects.filter(patient_id=loser.id).exists()


def test_what_did_not_change_is_not_written(organization, now):
    patient = a_patient()
    assert services.refresh([patient.id], now=now) == [patient.id]
    before = sql.value("select xmin::text || ctid::text from facts_patient where patient_id = %s", [patient.id])

    assert services.refresh([patient.id], now=now) == []
    assert before == sql.value("select xmin::text || ctid::text from facts_patient where patient_id = %s", [patient.id])


def test_the_number_of_statements_does_not_grow_with_the_patients(organization, now, django_assert_max_num_queries):
    patients = [a_patient() for _ in range(30)]
    with django_assert_max_num_queries(3):
        services.refresh([patient.id for patient in patients], now=now)


def test_another_clinic_sees_and_touches_no_row(organization, other_organization, now):
    from careloop.tenancy import context

    patient = a_patient()
    services.refresh([patient.id], now=now)
    context.set_organization(other_organization.id)

    assert sql.value("select count(*) from facts_patient") == 0
    assert sql.rows(services.REFRESH, {**_parameters_of(now), "ids": [patient.id]}) == []
    context.set_organization(organization.id)
    assert row(patient).stage == Stage.PROSPECT


def _parameters_of(now):
    return services._parameters(now)


# -- the reader -----------------------------------------------------------------------------------------------


def event(kind, patient=None, *, at, **payload) -> Published:
    return Published(1, kind, patient.id if patient else None, at, at, "test", None, True, payload)


def test_the_reader_takes_history_like_news(organization, now):
    patient = a_patient()
    visit(patient, now - timedelta(days=400))

    READERS["facts"].handle([event("encounter.recorded", patient, at=now)])

    assert row(patient).visits == 1


def test_an_older_message_does_not_move_the_last_one_back(organization, now):
    patient = a_patient()
    handle = READERS["facts"].handle
    handle([event("patient.registered", patient, at=now)])

    handle([event("message.sent", patient, at=now), event("message.received", patient, at=now)])
    handle([event("message.sent", patient, at=now - timedelta(days=1))])

    assert (row(patient).last_sent_at, row(patient).last_answered_at) == (now, now)


def test_undoing_an_import_takes_its_visits_out_again(organization, now):
    patient = a_patient()
    batch = uuid4()
    imported = visit(patient, now - timedelta(days=5), batch_id=batch)
    sql.execute(
        "insert into events_event (kind, patient_id, occurred_at, batch_id, historical) values "
        "('encounter.recorded', %s, %s, %s, true)",
        [patient.id, now, batch],
    )
    services.refresh([patient.id], now=now)
    assert row(patient).visits == 1

    imported.delete()
    EventRetraction.objects.create(batch_id=batch, retracted_at=now)
    READERS["facts"].handle([event("import.undone", at=now, batch_id=str(batch))])

    assert row(patient).visits == 0


def test_rebuilding_really_committed_rows_changes_nothing(committed_organization, now):
    with in_organization(committed_organization.id):
        patients = [a_patient(name=f"病人{number}") for number in range(5)]
        for number, patient in enumerate(patients):
            visit(patient, now - timedelta(days=30 * number))
        services.refresh([patient.id for patient in patients], now=now)
        before = everything()

    assert services.rebuild(committed_organization.id, now=now) == 5
    with in_organization(committed_organization.id):
        assert everything() == before


# -- random histories -----------------------------------------------------------------------------------------

START = datetime(2026, 3, 1, 2, tzinfo=UTC)
DAYS_AGO = st.integers(min_value=-20, max_value=800)
STEPS = st.one_of(
    st.tuples(st.just("visit"), DAYS_AGO, st.sampled_from(["finished", "cancelled", "in-progress"])),
    st.tuples(st.just("invoice"), DAYS_AGO, st.integers(-500, 20_000), st.sampled_from(["self_pay", "nhi", "mixed"])),
    st.tuples(st.just("consent"), st.sampled_from(rules.PURPOSES), st.sampled_from(["any", *rules.CHANNELS]),
              st.sampled_from(["permit", "deny"]), st.sampled_from(["desk", "paper"])),
    st.tuples(st.just("tag"), st.integers(1, 5)),
    st.tuples(st.just("untag"), st.integers(1, 5)),
    st.tuples(st.just("follow_up"), st.booleans()),
    st.tuples(st.just("state"), st.booleans(), st.booleans()),
    st.tuples(st.just("sent"), DAYS_AGO),
    st.tuples(st.just("days pass"), st.integers(1, 90)),
)  # fmt: skip


def play(patient: Patient, step: tuple, now: datetime) -> str:
    """Do one step of a history; return the kind of event the reader is told of."""
    kind, *rest = step
    if kind == "visit":
        visit(patient, now - timedelta(days=rest[0]), status=rest[1])
        return "encounter.recorded"
    if kind == "invoice":
        invoice(patient, now - timedelta(days=rest[0]), rest[1], payer_kind=rest[2])
        return "invoice.recorded"
    if kind == "consent":
        purpose, channel, decision, source = rest
        Consent.objects.filter(patient=patient, purpose=purpose, channel=channel, ended_at=None).update(ended_at=now)
        Consent.objects.create(
            patient=patient, purpose=purpose, channel=channel, decision=decision, source=source, decided_at=now
        )
        return "consent.given"
    if kind == "tag":
        tag, _made = Tag.objects.get_or_create(number=rest[0], defaults={"name": f"tag {rest[0]}"})
        PatientTag.objects.get_or_create(patient=patient, tag=tag, defaults={"given_at": now})
        return "patient.tagged"
    if kind == "untag":
        PatientTag.objects.filter(patient=patient, tag__number=rest[0]).delete()
        return "patient.untagged"
    if kind == "follow_up":
        closed = {"state": "DONE", "closed_at": now} if rest[0] else {}
        FollowUp.objects.create(patient=patient, title="call", due_at=now, created_at=now, **closed)
        return "follow_up.created"
    if kind == "state":
        Patient.objects.filter(id=patient.id).update(active=rest[0], deceased=rest[1])
        return "patient.updated"
    sql.execute(
        "insert into events_event (kind, patient_id, occurred_at) values ('message.sent', %s, %s)",
        [patient.id, now - timedelta(days=rest[0])],
    )
    return "message.sent"


@settings(max_examples=60)
@given(history=st.lists(STEPS, max_size=25))
def test_step_by_step_comes_to_the_same_as_a_rebuild_and_as_slow_python(organization, monkeypatch, history):
    now = START
    monkeypatch.setattr("careloop.facts.handlers.reading_now", lambda: now)
    patient = a_patient()
    handle = READERS["facts"].handle
    handle([event("patient.registered", patient, at=now)])
    for step in history:
        if step[0] == "days pass":
            for _day in range(step[1]):
                now += timedelta(days=1)
                services.advance(now=now)
            continue
        kind = play(patient, step, now)
        at = now - timedelta(days=step[1]) if step[0] == "sent" else now
        handle([event(kind, patient, at=at)])

    step_by_step = everything()[patient.id]
    PatientFacts.objects.filter(patient=patient).delete()
    services.rebuild(organization.id, now=now)

    assert everything()[patient.id] == step_by_step
    patient.refresh_from_db()
    slow = expected(patient, now.astimezone(TAIPEI).date())
    assert {name: step_by_step[name] for name in slow} == slow


@pytest.mark.parametrize("birth", [date(2000, 2, 29), date(1980, 12, 31)])
def test_leap_days_and_the_last_day_of_the_year_are_birthdays(organization, now, birth):
    patient = a_patient(birth_date=birth)
    services.refresh([patient.id], now=now)
    assert row(patient).birth_mmdd == birth.month * 100 + birth.day
