"""Segments: who is in, since when, why; the law; and what the event log hears."""

from datetime import date, timedelta

import pytest

from careloop.events import readers
from careloop.events.models import Event
from careloop.events.registry import READERS, Published
from careloop.facts import services as facts
from careloop.kernel import sql
from careloop.patients.models import Patient
from careloop.records import services as records
from careloop.segments import language, library, selectors, services, usage
from careloop.segments.errors import (
    ChangedMeanwhile,
    ClinicalMarketing,
    NameMissing,
    NameTaken,
    RuleRefused,
    SegmentInUse,
)
from careloop.segments.models import Member, Segment, SegmentVersion
from careloop.segments.tests import support
from careloop.tenancy.context import in_organization

AWAY = {"field": "last_visit", "op": "more_than_days_ago", "days": 90}
DIABETES = {"field": "condition", "op": "has", "codes": ["set:diabetes"]}


def make(name="好久不見", rule=AWAY, now=None, purpose="CARE", **more) -> Segment:
    return services.create_segment(name=name, rule=rule, purpose=purpose, by=None, now=now, **more)


def members(segment) -> set:
    return set(Member.objects.filter(segment=segment).values_list("patient_id", flat=True))


def someone(now, *, days_ago=100, **fields) -> Patient:
    patient = support.a_patient(**fields)
    support.visit(patient, now - timedelta(days=days_ago))
    facts.refresh([patient.id], now=now)
    return patient


def told(kind, patient, now, *, historical=False) -> Published:
    return Published(1, kind, patient.id, now, now, "test", None, historical, {})


@pytest.fixture
def clock(monkeypatch, now):
    """Readers ask what time it is; here it is always `now`."""
    for slice_ in ("facts", "segments"):
        monkeypatch.setattr(f"careloop.{slice_}.handlers.reading_now", lambda: now)


# -- making ---------------------------------------------------------------------------------------------------


def test_a_new_segment_is_filled_at_once_and_nobody_enters(organization, now):
    away, here = someone(now), someone(now, days_ago=10)

    segment = make(now=now)

    assert members(segment) == {away.id}
    assert (segment.size, segment.version) == (1, 1)
    assert not Event.objects.filter(kind__startswith="segment.").exists()
    assert here.id not in members(segment)


def test_the_dead_the_closed_and_the_merged_are_in_no_segment(organization, now):
    for fields in ({"deceased": True}, {"active": False}):
        someone(now, **fields)

    assert members(make(rule={"all": []}, now=now)) == set()


def test_a_name_is_needed_and_is_taken_once(organization, now):
    make(now=now)

    with pytest.raises(NameTaken):
        make(now=now)
    with pytest.raises(NameMissing):
        make(name="　 ", now=now)


@pytest.mark.parametrize(
    ("rule", "place"),
    [
        ([], ""),
        ({"field": "shoe_size", "op": "is", "value": 44}, "/field"),
        ({"all": [{"field": "visits", "op": "sometimes"}]}, "/all/0/op"),
        ({"all": [AWAY, {"any": [{**AWAY, "days": "many"}]}]}, "/all/1/any/0/days"),
        ({"all": [{**AWAY, "days": True}]}, "/all/0/days"),
        ({"all": [{**AWAY, "days": -1}]}, "/all/0/days"),
        ({"all": [AWAY, {"all": []}]}, "/all/1/all"),
        ({"not": {**AWAY, "extra": 1}}, "/not/extra"),
        ({"all": [AWAY], "any": [AWAY]}, "/any"),
        ({"field": "sex", "op": "is_any", "values": ["robot"]}, "/values"),
        ({"field": "tags", "op": "has_any", "tags": ["01890000-0000-7000-8000-000000000000"]}, "/tags"),
        ({"field": "condition", "op": "has", "codes": ["*"]}, "/codes"),
        ({"field": "last_visit", "op": "before", "day": "2026-02-30"}, "/day"),
        ({"all": "everything"}, "/all"),
    ],
)
def test_a_rule_that_is_wrong_says_where(organization, rule, place):
    with pytest.raises(RuleRefused) as refusal:
        language.read(rule)

    assert place in [problem.place for problem in refusal.value.problems]
    assert all(str(problem.message) for problem in refusal.value.problems)


def test_rules_have_a_size(organization):
    deep = AWAY
    for _number in range(8):
        deep = {"not": deep}
    with pytest.raises(RuleRefused):
        language.read(deep)
    with pytest.raises(RuleRefused):
        language.read({"all": [AWAY] * 61})


def test_values_never_become_sql(organization, now):
    nasty = "x' or 1=1; drop table segments_segment; --"
    rule = {"any": [
        {"field": "condition", "op": "has", "codes": [nasty, f"{nasty}*"]},
        {"field": "city", "op": "is_any", "values": [nasty, "%s %(ids)s"]},
    ]}  # fmt: skip
    someone(now, city="台北市")

    assert selectors.count(language.read(rule), now=now) == 0
    assert Segment.objects.count() == 0


# -- the law --------------------------------------------------------------------------------------------------


def test_marketing_may_not_read_a_diagnosis(organization, now):
    with pytest.raises(ClinicalMarketing) as refusal:
        make(rule=DIABETES, purpose="MARKETING", now=now)

    assert "P1" in str(refusal.value)
    assert not Segment.objects.exists()


def test_marketing_limited_to_written_consent_selects_only_those_who_agreed(organization, now):
    agreed, silent, told_by_phone = (someone(now) for _number in range(3))
    for patient in (agreed, silent, told_by_phone):
        support.condition(patient, "E11.9", now)
    support.consent(agreed, "HEALTH_MARKETING", "line", "permit", now, source="paper")
    support.consent(told_by_phone, "HEALTH_MARKETING", "line", "permit", now, source="phone")
    facts.refresh([agreed.id, silent.id, told_by_phone.id], now=now)

    segment = make(rule=DIABETES, purpose="MARKETING", needs_written_consent=True, now=now)

    assert members(segment) == {agreed.id}
    node = language.read(DIABETES)
    found = selectors.preview(node, now=now, purpose="MARKETING", needs_written_consent=True)
    assert (found.size, found.no_written_consent) == (1, 2)
    why = selectors.explain(node, silent.id, now=now, needs_written_consent=True)
    assert why.verdict.holds
    assert not why.inside
    assert len(why.barriers) == 1


def test_care_may_read_a_diagnosis(organization, now):
    patient = someone(now)
    support.condition(patient, "E11.9", now)

    assert members(make(rule=DIABETES, now=now)) == {patient.id}


def test_what_reveals_health_is_clinical(organization):
    clinical = [
        DIABETES,
        {"field": "recall", "op": "due", "rule": "BR"},
        {"field": "refill", "op": "window_open"},
        {"field": "event", "op": "happened", "kind": "condition.recorded", "count": 1, "days": 30},
        {"field": "event", "op": "not_happened", "kind": "encounter.recorded", "days": 30},
        {"field": "health_note", "op": "has", "values": ["PREGNANT"]},
    ]
    harmless = [AWAY, {"field": "event", "op": "happened", "kind": "message.sent", "count": 1, "days": 30}]

    for rule in clinical:
        assert language.clinical_fields(language.read({"not": rule})), rule
    for rule in harmless:
        assert not language.clinical_fields(language.read(rule)), rule


# -- changing -------------------------------------------------------------------------------------------------


def test_a_changed_rule_is_a_new_version_and_entering_by_it_is_history(organization, now):
    away, here = someone(now), someone(now, days_ago=10)
    segment = make(now=now)

    services.change_segment(
        segment_id=segment.id, name=segment.name, rule={**AWAY, "days": 5}, purpose="CARE", by=None, now=now, version=1
    )

    assert members(segment) == {away.id, here.id}
    entered = Event.objects.get(kind="segment.entered")
    assert (entered.patient_id, entered.historical) == (here.id, True)
    assert [v.number for v in SegmentVersion.objects.filter(segment=segment).order_by("number")] == [1, 2]


def test_two_people_cannot_overwrite_each_other(organization, now):
    segment = make(now=now)
    common = {"segment_id": segment.id, "name": "a", "purpose": "CARE", "by": None, "now": now, "version": 1}
    services.change_segment(**common, rule={**AWAY, "days": 5})

    with pytest.raises(ChangedMeanwhile):
        services.change_segment(**common, rule={**AWAY, "days": 7})


def test_a_segment_in_use_cannot_be_put_away(organization, now):
    segment = make(now=now)
    usage.register("test", lambda id_: [usage.Use("回診旅程", "/journeys/1/")] if id_ == segment.id else [])
    try:
        with pytest.raises(SegmentInUse) as refusal:
            services.archive_segment(segment_id=segment.id, by=None, now=now)
        assert "回診旅程" in str(refusal.value)
    finally:
        usage.register("test", lambda id_: [])

    services.archive_segment(segment_id=segment.id, by=None, now=now)
    assert members(segment) == set()


# -- following events -----------------------------------------------------------------------------------------


def test_a_visit_takes_a_patient_out_and_says_so(organization, now, clock):
    patient = someone(now)
    segment = make(now=now)
    support.visit(patient, now)

    READERS["segments"].handle([told("encounter.recorded", patient, now)])

    assert members(segment) == set()
    left = Event.objects.get(kind="segment.left")
    assert (left.patient_id, left.historical, left.payload["segment_id"]) == (patient.id, False, str(segment.id))
    assert Segment.objects.get(id=segment.id).size == 0


def test_imported_history_makes_members_but_starts_nothing(organization, now, clock):
    segment = make(now=now)
    patient = support.a_patient()
    support.visit(patient, now - timedelta(days=300))

    READERS["segments"].handle([told("encounter.recorded", patient, now, historical=True)])

    assert members(segment) == {patient.id}
    assert Event.objects.get(kind="segment.entered").historical


def test_something_new_among_history_is_news(organization, now, clock):
    make(rule={"field": "visits", "op": "at_least", "count": 1}, now=now)
    patient = support.a_patient()
    support.visit(patient, now)

    READERS["segments"].handle(
        [told("encounter.recorded", patient, now, historical=True), told("encounter.recorded", patient, now)]
    )

    assert not Event.objects.get(kind="segment.entered").historical


def test_an_event_that_concerns_no_field_of_a_rule_asks_nothing(
    organization, now, clock, django_assert_max_num_queries
):
    patient = someone(now)
    make(now=now)
    sql.execute("delete from segments_member")

    services.reevaluate([patient.id], now=now, kinds={patient.id: frozenset({"message.sent"})})

    assert Member.objects.count() == 0


def test_a_tag_that_is_gone_stops_nothing(organization, now, clock):
    patient = someone(now)
    tag = support.tag(patient, 1, now)
    facts.refresh([patient.id], now=now)
    tagged = make(name="甲", rule={"field": "tags", "op": "has_all", "tags": [str(tag.id)]}, now=now)
    untagged = make(name="乙", rule={"field": "tags", "op": "has_none", "tags": [str(tag.id)]}, now=now)
    assert (members(tagged), members(untagged)) == ({patient.id}, set())

    tag.delete()
    READERS["segments"].handle([told("patient.untagged", patient, now)])

    assert (members(tagged), members(untagged)) == (set(), {patient.id})


def test_a_rule_nobody_understands_any_more_does_not_stop_the_others(organization, now, clock):
    patient = someone(now)
    broken, sound = make(name="甲", now=now), make(name="乙", now=now)
    Segment.objects.filter(id=broken.id).update(rule={"field": "gone", "op": "is"})
    support.visit(patient, now)

    READERS["segments"].handle([told("encounter.recorded", patient, now)])
    services.refresh_all(now=now)

    assert (members(broken), members(sound)) == ({patient.id}, set())


def test_a_visit_that_never_was_moves_people_at_once(organization, now, clock):
    patient = someone(now, days_ago=3)
    seen = make(rule={"field": "visits", "op": "at_least", "count": 1}, now=now)
    assert members(seen) == {patient.id}
    visit = sql.value("select id from records_encounter")

    records.mark_entered_in_error(kind="encounter", record_id=visit, reason="別人的", now=now, by=None)
    READERS["segments"].handle([told("record.entered_in_error", patient, now)])

    assert members(seen) == set()


def test_reading_the_same_events_again_changes_nothing(organization, now, clock):
    patient = someone(now)
    make(rule={"field": "visits", "op": "at_least", "count": 2}, now=now)
    support.visit(patient, now)
    batch = [told("encounter.recorded", patient, now)]

    READERS["segments"].handle(batch)
    READERS["segments"].handle(batch)

    assert Event.objects.filter(kind="segment.entered").count() == 1


def test_midnight_moves_people_in_and_out(organization, now):
    patient = someone(now, days_ago=89)
    segment = make(now=now)
    assert members(segment) == set()

    later = now + timedelta(days=2)
    facts.advance(now=later)
    services.refresh_all(now=later)

    assert members(segment) == {patient.id}
    assert not Event.objects.get(kind="segment.entered").historical
    assert [size for _day, size in selectors.sizes(segment.id)] == [0, 1]


def test_the_cost_of_a_batch_does_not_grow_with_its_patients(organization, now, clock, django_assert_max_num_queries):
    patients = [someone(now) for _number in range(20)]
    make(now=now)

    with django_assert_max_num_queries(12):
        READERS["segments"].handle([told("encounter.recorded", patient, now) for patient in patients])


def test_the_whole_way_from_an_event_to_membership(committed_organization, monkeypatch, now):
    for slice_ in ("facts", "segments"):
        monkeypatch.setattr(f"careloop.{slice_}.handlers.reading_now", lambda: now)
    with in_organization(committed_organization.id):
        segment = make(rule={"field": "visits", "op": "at_least", "count": 1}, now=now)
        patient = support.a_patient()
        support.event(patient, "patient.registered", now)
    with in_organization(committed_organization.id):
        support.visit(patient, now)
        support.event(patient, "encounter.recorded", now)

    # the segments' reader may come first: it brings the facts up to date itself
    while readers.run_reader(READERS["segments"], committed_organization.id, now=now):
        pass

    with in_organization(committed_organization.id):
        assert members(segment) == {patient.id}
    readers.run_all(committed_organization.id, now=now)
    with in_organization(committed_organization.id):
        assert Event.objects.filter(kind="segment.entered").count() == 1


# -- why ------------------------------------------------------------------------------------------------------


def test_why_shows_every_condition_with_what_is_so(organization, now):
    patient = someone(now, birth_date=date(1980, 5, 5))
    support.invoice(patient, now - timedelta(days=100), 12_000)
    facts.refresh([patient.id], now=now)
    rule = {"all": [AWAY, {"any": [{"field": "self_pay_12m", "op": "at_least", "amount": 20_000}]},
                    {"not": {"field": "age", "op": "between", "from": 60, "to": 99}}]}  # fmt: skip

    why = selectors.explain(language.read(rule), patient.id, now=now)

    assert not why.inside
    visit, spending, age = why.verdict.parts
    assert (visit.holds, visit.value) == (True, "2025-12-06")
    assert (spending.holds, spending.parts[0].value) == (False, "NT$12,000")
    assert (age.holds, age.parts[0].holds) == (True, False)


def test_another_clinic_is_not_explained_counted_or_listed(organization, other_organization, now):
    from careloop.tenancy import context

    patient = someone(now)
    segment = make(now=now)
    token = context._scope.set(context.Scope(other_organization.id))
    context.set_organization(other_organization.id)
    try:
        node = language.read(AWAY)
        assert selectors.explain(node, patient.id, now=now) is None
        assert selectors.count(node, now=now) == 0
        assert selectors.segments() == []
        assert not selectors.is_member(segment.id, patient.id)
        assert services.reevaluate([patient.id], now=now) == {}
    finally:
        context._scope.reset(token)
        context.set_organization(organization.id)


# -- the library ----------------------------------------------------------------------------------------------


def test_every_ready_segment_can_be_read_and_kept_within_the_law(organization, now):
    ready = library.ready_on(date(2026, 3, 16))
    assert len(ready) >= 12
    for one in ready.values():
        node = language.read(one.rule)
        services.check_purpose(node, purpose=one.purpose, needs_written_consent=False, now=now)
        assert set(one.name) == set(one.description) == set(one.source) == {"zh-hant", "zh-hans", "en"}
        assert all(one.source.values())
        assert selectors.count(node, now=now) == 0


def test_taking_over_a_ready_segment_twice_gives_one(organization, now):
    first = library.take_over("lapsed", by=None, now=now)
    assert library.take_over("lapsed", by=None, now=now) == first
    assert (first.name, first.library_key) == ("沉睡病人", "lapsed")


@pytest.mark.parametrize(
    ("key", "prepare"),
    [
        ("scaling-due", lambda p, now: support.procedure(p, "91004C", now - timedelta(days=200))),
        ("hba1c-overdue", lambda p, now: support.condition(p, "E11.9", now)),
        ("post-procedure", lambda p, now: support.procedure(p, "64006C", now - timedelta(days=3))),
        ("refill-open", lambda p, now: support.prescription(p, date(2026, 3, 25), 1, now)),
        ("last-fill", lambda p, now: support.prescription(p, date(2026, 3, 25), 0, now)),
        ("adult-checkup-due", lambda p, now: None),
        ("no-line", lambda p, now: support.contact(p, "phone", mobile=True)),
        ("new-without-second", lambda p, now: None),
    ],
)
def test_ready_segments_find_whom_they_are_for(organization, now, key, prepare):
    patient = support.a_patient(birth_date=date(1980, 3, 18), sex="female")
    support.visit(patient, now - timedelta(days=60))
    prepare(patient, now)
    facts.refresh([patient.id], now=now)

    assert members(library.take_over(key, by=None, now=now)) == {patient.id}


def test_birthday_week_crosses_the_year_and_greets_leaplings(organization, now):
    node = language.read({"field": "birthday", "op": "this_week"})
    new_year = someone(now, birth_date=date(1980, 1, 2))
    leapling = someone(now, birth_date=date(2000, 2, 29))

    for day, expected in ((now.replace(month=12, day=30), new_year), (now.replace(month=2, day=28), leapling)):
        found = sql.rows(*_members_at(node, day))
        assert [row["patient_id"] for row in found] == [expected.id]


def _members_at(node, now):
    from careloop.segments.compile import ask_at, compile_rule

    compiled = compile_rule(node, ask=ask_at(now))
    return compiled.members(), compiled.parameters
