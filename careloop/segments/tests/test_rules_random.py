"""Random rules over random histories: the compiled SQL and slow Python always agree."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from careloop.facts import rules as facts_rules
from careloop.facts import services as facts
from careloop.kernel import sql
from careloop.patients.models import HealthNote, Tag
from careloop.segments import language, selectors
from careloop.segments.compile import ask_at, compile_rule
from careloop.segments.tests import support
from careloop.segments.tests.support import TAIPEI

DAYS = st.integers(0, 800)
NOW = st.sampled_from(
    [datetime(2026, 3, 16, 2, tzinfo=UTC), datetime(2026, 12, 30, 2, tzinfo=UTC), datetime(2028, 2, 28, 17, tzinfo=UTC),
     datetime(2026, 2, 27, 17, tzinfo=UTC)]
)  # fmt: skip
CODES = ["E11.9", "E11", "I10", "J45", "44054006"]
SERVICES = ["91004C", "IC21", "57905-2", "91", "4548-4"]
SHOTS = ["140", "03", "08", "133", "20", "PCV20"]
PURPOSES = [one.value for one in facts_rules.PURPOSES]
CHANNELS = list(facts_rules.CHANNELS)

BIRTHS = st.one_of(
    st.none(), st.dates(date(1930, 1, 1), date(2026, 2, 20)), st.dates(date(2020, 1, 1), date(2026, 2, 20)),
    st.sampled_from([date(2000, 2, 29), date(1961, 3, 16), date(1986, 12, 31), date(1987, 1, 1), date(2013, 3, 17)]),
)  # fmt: skip
HAPPENED = st.one_of(
    st.tuples(st.just("visit"), DAYS),
    st.tuples(st.just("invoice"), DAYS, st.integers(0, 20_000)),
    st.tuples(st.just("condition"), st.sampled_from(CODES), DAYS, st.sampled_from(["active", "resolved"])),
    st.tuples(st.just("procedure"), st.sampled_from(SERVICES), DAYS),
    st.tuples(st.just("result"), st.sampled_from(["4548-4", "2345-7"]), st.integers(4, 12), DAYS),
    st.tuples(st.just("vaccination"), st.sampled_from(SHOTS), DAYS),
    st.tuples(st.just("prescription"), st.integers(-60, 60), st.integers(0, 2)),
    st.tuples(st.just("consent"), st.sampled_from(PURPOSES), st.sampled_from(["any", *CHANNELS]),
              st.sampled_from(["permit", "deny"])),
    st.tuples(st.just("contact"), st.sampled_from(["line", "email", "phone"]),
              st.sampled_from(["unknown", "reached", "blocked"]), st.booleans()),
    st.tuples(st.just("tag"), st.integers(1, 4)),
    st.tuples(st.just("event"), st.sampled_from(["message.sent", "condition.recorded"]), DAYS),
    st.tuples(st.just("note"), st.sampled_from(["INDIGENOUS", "PREGNANT", "SMOKING"])),
)  # fmt: skip
PEOPLE = st.lists(
    st.tuples(BIRTHS, st.sampled_from(["male", "female", "unknown"]), st.lists(HAPPENED, max_size=8)),
    min_size=1, max_size=3,
)  # fmt: skip


def leaf(field, op, **parameters):
    return st.fixed_dictionaries({"field": st.just(field), "op": st.just(op), **parameters})


def a_date_leaf(name):
    return st.one_of(
        leaf(name, "more_than_days_ago", days=DAYS), leaf(name, "within_last_days", days=DAYS),
        leaf(name, "before", day=st.dates(date(2024, 1, 1), date(2028, 1, 1)).map(str)),
        leaf(name, "since", day=st.dates(date(2024, 1, 1), date(2028, 1, 1)).map(str)),
        leaf(name, "known"), leaf(name, "never"),
    )  # fmt: skip


def a_record_leaf(name, codes):
    some = st.lists(st.sampled_from(codes), min_size=1, max_size=3, unique=True)
    return st.one_of(
        leaf(name, "has", codes=some), leaf(name, "has_not", codes=some),
        leaf(name, "has_within", codes=some, days=DAYS), leaf(name, "has_not_within", codes=some, days=DAYS),
    )  # fmt: skip


def leaves(tags):
    numbers = st.integers(0, 6)
    some = st.lists(st.sampled_from(tags), min_size=1, max_size=2, unique=True)
    purpose, channel = st.sampled_from(PURPOSES), st.sampled_from(["any", *CHANNELS])
    two = st.tuples(st.integers(0, 90), st.integers(0, 90)).map(sorted)
    return st.one_of(
        *[a_date_leaf(name) for name in support.DATES],
        *[leaf(name, op, count=numbers) for name in ("visits", "visits_12m") for op in ("at_least", "at_most")],
        leaf("self_pay_12m", "at_least", amount=st.integers(0, 30_000)),
        leaf("self_pay_total", "at_most", amount=st.integers(0, 30_000)),
        leaf("own_rhythm", "at_most", count=st.integers(1, 400)),
        leaf("spent", "at_least", amount=st.integers(0, 20_000), days=DAYS),
        *[two.flatmap(lambda ends, op=op: leaf("age", op, **{"from": st.just(ends[0]), "to": st.just(ends[1])}))
          for op in ("between", "birth_year_between", "months_between")],
        leaf("age", "unknown"),
        leaf("birthday", "within_next_days", days=st.integers(0, 364)), leaf("birthday", "this_week"),
        leaf("birthday", "this_month"),
        leaf("sex", "is_any", values=st.just(["male"])), leaf("sex", "is_none", values=st.just(["female"])),
        leaf("stage", "is_any", values=st.lists(st.sampled_from(["PROSPECT", "NEW", "ACTIVE", "AT_RISK", "LAPSED"]),
                                                min_size=1, unique=True)),
        *[leaf("tags", op, tags=some) for op in ("has_any", "has_all", "has_none")],
        *[leaf("consent", op, purpose=purpose, channel=channel) for op in ("given", "refused", "unasked", "allows")],
        *[leaf("reach", op, channel=channel) for op in ("arrives", "arrives_not", "has_none")],
        leaf("event", "happened", kind=st.sampled_from(["message.sent", "condition.recorded"]), count=st.integers(1, 3),
             days=DAYS),
        leaf("event", "not_happened", kind=st.sampled_from(["message.sent", "condition.recorded"]), days=DAYS),
        a_record_leaf("condition", [*CODES, "E11*", "set:diabetes"]),
        a_record_leaf("procedure", [*SERVICES, "9*"]),
        a_record_leaf("immunization", SHOTS),
        leaf("latest_result", "at_least", codes=st.just(["set:hba1c"]), level=st.integers(4, 12)),
        leaf("latest_result", "below", codes=st.just(["4548-4", "2345-7"]), level=st.integers(4, 12)),
        leaf("recall", "due", rule=st.sampled_from(RULES)), leaf("recall", "not_due", rule=st.sampled_from(RULES)),
        leaf("recall", "is_for", rule=st.sampled_from(RULES)),
        leaf("child_vaccine", "due"), leaf("refill", "window_open"),
    )  # fmt: skip


RULES = ["AHC-30", "AHC-40", "AHC-65", "HBVC", "CRC", "BR", "SCALE", "SCALE-3M", "FLU-1", "FLU-2", "HPV", "PCV-A",
         "DM-A1C", "SEAL", "HP"]  # fmt: skip


def rules(tags):
    return st.recursive(
        leaves(tags),
        lambda parts: st.one_of(
            st.lists(parts, min_size=1, max_size=3).map(lambda some: {"all": some}),
            st.lists(parts, min_size=1, max_size=3).map(lambda some: {"any": some}),
            parts.map(lambda one: {"not": one}),
        ),
        max_leaves=6,
    )


def live(patient, what, now):
    kind, *rest = what

    def ago(days):
        return now - timedelta(days=days)

    if kind == "visit":
        support.visit(patient, ago(rest[0]))
    elif kind == "invoice":
        support.invoice(patient, ago(rest[0]), rest[1])
    elif kind == "condition":
        support.condition(patient, rest[0], ago(rest[1]), status=rest[2])
    elif kind == "procedure":
        support.procedure(patient, rest[0], ago(rest[1]))
    elif kind == "result":
        support.result(patient, rest[0], rest[1], ago(rest[2]))
    elif kind == "vaccination":
        support.vaccination(patient, rest[0], ago(rest[1]))
    elif kind == "prescription":
        support.prescription(patient, now.astimezone(TAIPEI).date() + timedelta(days=rest[0]), rest[1], now)
    elif kind == "consent":
        support.consent(patient, *rest, now)
    elif kind == "contact":
        if not patient.contact_points.filter(system=rest[0]).exists():
            support.contact(patient, rest[0], rest[1], mobile=rest[2])
    elif kind == "tag":
        support.tag(patient, rest[0], now)
    elif kind == "event":
        support.event(patient, rest[0], ago(rest[1]))
    else:
        HealthNote.objects.create(patient=patient, kind="HABIT", code=rest[0], recorded_at=now)


@settings(max_examples=50, suppress_health_check=list(HealthCheck))
@given(people=PEOPLE, now=NOW, data=st.data())
def test_sql_selects_whom_slow_python_selects(organization, people, now, data):
    tags = [
        str(Tag.objects.get_or_create(number=number, defaults={"name": f"標籤{number}"})[0].id)
        for number in range(1, 5)
    ]
    today = now.astimezone(TAIPEI).date()
    patients = []
    for born, sex, history in people:
        patient = support.a_patient(birth_date=born, sex=sex)
        for what in history:
            live(patient, what, now)
        patients.append(patient)
    ids = [patient.id for patient in patients]
    facts.refresh(ids, now=now)
    for _number in range(4):
        rule = data.draw(rules(tags))
        node = language.read(rule)

        expected = {patient.id for patient in patients if support.holds(rule, patient, today)}

        few = compile_rule(node, ask=ask_at(now, only=True))
        assert {row["patient_id"] for row in sql.rows(few.members(), {**few.parameters, "ids": ids})} == expected
        everybody = compile_rule(node, ask=ask_at(now))
        found = {row["patient_id"] for row in sql.rows(everybody.members(), everybody.parameters)}
        assert found & set(ids) == expected
        for patient in patients:
            explanation = selectors.explain(node, patient.id, now=now)
            assert explanation.inside == (patient.id in expected)
            assert explanation.verdict.sentence
    assert selectors.in_words(node)
