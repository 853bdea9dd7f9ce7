"""Clinical records: asked by code, by recall rule, by schedule."""

from collections.abc import Iterable
from datetime import timedelta

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.segments import recall
from careloop.segments.catalogue.common import (
    CLINICAL,
    CODES,
    DAYS,
    PROFILE_KINDS,
    RECORD_KINDS,
    WEEKS,
    choices,
    column,
    date_operators,
    fixed,
)
from careloop.segments.fields import Ask, Field, Operator, Parameter, Text, Values, register

NOTES: list[tuple[str, Text]] = [
    ("SMOKING", _("smokes")), ("BETEL", _("chews betel")), ("BETEL_QUIT", _("chewed betel")),
    ("ALCOHOL", _("drinks alcohol")), ("PREGNANT", _("pregnant")), ("INDIGENOUS", _("indigenous person")),
    ("POLIO", _("polio survivor")), ("HEALTH_STAFF", _("health-care worker")),
    ("CATASTROPHIC_ILLNESS", _("catastrophic illness")), ("FAMILY_COLORECTAL", _("colorectal cancer in the family")),
    ("FAMILY_LUNG", _("lung cancer in the family")), ("FAMILY_BREAST", _("breast cancer in the family")),
    ("DIABETES", _("diabetes")), ("HYPERTENSION", _("high blood pressure")),
]  # fmt: skip


def codes_match(ask: Ask, column: str, codes: Iterable[str]) -> str:
    """SQL: the code is one of these, or begins with one that ends in `*` (as a range, which may use an index)."""
    try:
        wanted = recall.expand(codes)
    except KeyError:
        return "false"
    exact = sorted(code for code in wanted if not code.endswith("*"))
    parts = [f"{column} = any({ask.bind(exact)})"] if exact else []
    for code in wanted:
        if code.endswith("*"):
            stem = code.rstrip("*")
            end = stem[:-1] + chr(ord(stem[-1]) + 1)
            parts.append(f"({column} >= {ask.bind(stem)} and {column} < {ask.bind(end)})")
    return "(" + " or ".join(parts) + ")"


# table, moment, states that mean it was not so
RECORDS = {
    "conditions": ("records_condition", "onset_at", ("entered-in-error", "refuted")),
    "medications": ("records_medication", "started_at", ("entered-in-error", "cancelled", "draft")),
    "procedures": ("records_procedure", "performed_at", ("entered-in-error", "not-done", "preparation")),
    "immunizations": ("records_immunization", "given_at", ("entered-in-error", "not-done")),
    "observations": ("records_observation", "observed_at", ("entered-in-error", "cancelled")),
    "reports": ("records_report", "issued_at", ("entered-in-error", "cancelled")),
    "encounters": ("records_encounter", "started_at", ("entered-in-error", "cancelled", "planned", "noshow")),
    "allergies": ("records_allergy", "noted_at", ("entered-in-error",)),
}


def record_exists(ask: Ask, kind: str, codes: Iterable[str], *, more: str = "", patient: str = "f.patient_id") -> str:
    """SQL: the patient has such a record."""
    table, _moment, wrong = RECORDS[kind]
    return (
        f"exists (select 1 from {table} as r where r.patient_id = {patient} and not r.entered_in_error "
        f"and r.status <> all({ask.bind(list(wrong))}) and {codes_match(ask, 'r.code', codes)}{more})"
    )


def _since(ask: Ask, kind: str, days: int) -> str:
    return f" and r.{RECORDS[kind][1]} >= {ask.start_of(ask.today - timedelta(days=days))}"


def _record_field(name: str, label: Text, kind: str, event: str, *, active: str = "", timed: bool = True) -> Field:
    def has(ask: Ask, v: Values) -> str:
        return record_exists(ask, kind, v["codes"], more=active)

    def within(ask: Ask, v: Values) -> str:
        return record_exists(ask, kind, v["codes"], more=active + _since(ask, kind, v["days"]))

    def last(ask: Ask, v: Values) -> str:
        table, moment, _wrong = RECORDS[kind]
        return (
            f"(select max(r.{moment}) from {table} as r where r.patient_id = f.patient_id "
            f"and not r.entered_in_error and {codes_match(ask, 'r.code', v['codes'])})"
        )

    operators = [
        Operator("has", _("is recorded"), has, _("%(field)s recorded: %(codes)s"), (CODES,)),
        Operator("has_not", _("is not recorded"), lambda ask, v: f"not {has(ask, v)}",
                 _("%(field)s not recorded: %(codes)s"), (CODES,)),
    ]  # fmt: skip
    if timed:
        operators += [
            Operator("has_within", _("is recorded within the last"), within,
                     _("%(field)s recorded within the last %(days)s days: %(codes)s"), (CODES, DAYS)),
            Operator("has_not_within", _("is not recorded within the last"), lambda ask, v: f"not {within(ask, v)}",
                     _("%(field)s not recorded within the last %(days)s days: %(codes)s"), (CODES, DAYS)),
        ]  # fmt: skip
    return Field(
        name, label, CLINICAL, tuple(operators), clinical=True, kinds=frozenset({event}), value=last, shown="time",
        heavy=True,
    )  # fmt: skip


def _any_procedure(ask: Ask, v: Values) -> str:
    wrong = ask.bind(list(RECORDS["procedures"][2]))
    since = ask.start_of(ask.today - timedelta(days=v["days"]))
    until = ask.start_of(ask.today + timedelta(days=1))
    return (
        f"exists (select 1 from records_procedure as r where r.patient_id = f.patient_id and not r.entered_in_error "
        f"and r.status <> all({wrong}) and r.performed_at >= {since} and r.performed_at < {until})"
    )


LEVEL = Parameter("level", "number", pgettext_lazy("segment rule", "value"), least=-100_000, most=1_000_000, default=7)


def _latest_value(ask: Ask, v: Values) -> str:
    return (
        f"(select r.value_number from records_observation as r where r.patient_id = f.patient_id "
        f"and not r.entered_in_error and r.value_number is not null and {codes_match(ask, 'r.code', v['codes'])} "
        f"order by r.observed_at desc nulls last, r.id desc limit 1)"
    )


def _has_note(ask: Ask, codes: Iterable[str]) -> str:
    return (
        f"exists (select 1 from patients_health_note as n where n.patient_id = f.patient_id "
        f"and n.code = any({ask.bind(sorted(codes))}) and (n.ended_on is null or n.ended_on > {ask.bind(ask.today)}))"
    )


def recall_options() -> list[tuple[str, Text]]:
    return [(rule.id, f"{rule.id} {rule.label}") for rule in {one.id: one for one in recall.all_rules()}.values()]


RULE = Parameter("rule", "choice", _("recall rule"), options=recall_options, default="AHC-40")


def is_for(ask: Ask, rule: recall.RecallRule) -> str:
    """SQL: the rule is for this patient (age, sex, background, diagnoses)."""
    ways = []
    for who in rule.who:
        earliest, latest = who.birth_range(ask.today)
        parts = [f"f.birth_date >= {ask.bind(earliest)} and f.birth_date <= {ask.bind(min(latest, ask.today))}"]
        if who.sex:
            parts.append(f"f.sex = {ask.bind(who.sex)}")
        if who.notes:
            parts.append(_has_note(ask, who.notes))
        if who.conditions:
            parts.append(record_exists(ask, "conditions", who.conditions, more=" and r.status <> 'resolved'"))
        ways.append("(" + " and ".join(parts) + ")")
    return "(" + " or ".join(ways) + ")"


def was_done(ask: Ask, rule: recall.RecallRule) -> str:
    """SQL: the patient has had the service recently enough not to be due."""
    covered = rule.covered_from(ask.today)
    ways = []
    for kind, codes in rule.done.items():
        since = ""
        if covered is not None and covered.year > 1:
            since = f" and r.{RECORDS[kind][1]} >= {ask.start_of(covered)}"
        ways.append(record_exists(ask, kind, codes, more=since))
    return "(" + " or ".join(ways) + ")"


def _due(ask: Ask, v: Values) -> str:
    rule = recall.rules_on(ask.today).get(v["rule"])
    if rule is None or not rule.is_open(ask.today):
        return "false"
    return f"{is_for(ask, rule)} and not {was_done(ask, rule)}"


def _is_for(ask: Ask, v: Values) -> str:
    rule = recall.rules_on(ask.today).get(v["rule"])
    return is_for(ask, rule) if rule else "false"


def _last_done(ask: Ask, v: Values) -> str:
    rule = recall.rules_on(ask.today).get(v["rule"])
    if rule is None:
        return "null::timestamptz"
    ways = [
        f"(select max(r.{RECORDS[kind][1]}) from {RECORDS[kind][0]} as r where r.patient_id = f.patient_id "
        f"and not r.entered_in_error and {codes_match(ask, 'r.code', codes)})"
        for kind, codes in rule.done.items()
    ]
    return f"greatest({', '.join(ways)})"


def _vaccine_due(ask: Ask, v: Values) -> str:
    """A child lacks a dose of the schedule that its age asks for."""
    schedule = recall.schedule_on(ask.today)
    if schedule is None:
        return "false"
    oldest = recall.latest_birth(ask.today, months=schedule.until_months + 1) + timedelta(days=1)
    doses = [(dose.vaccine, dose.number, recall.latest_birth(ask.today, months=dose.from_months))
             for dose in schedule.doses]  # fmt: skip
    codes = [(vaccine, code) for vaccine, found in schedule.codes.items() for code in found]
    return f"""f.birth_date >= {ask.bind(oldest)} and f.birth_date <= {ask.bind(ask.today)} and f.patient_id in (
        select c.patient_id from facts_patient as c
          join unnest({ask.bind([d[0] for d in doses])}::text[], {ask.bind([d[1] for d in doses])}::int[],
                      {ask.bind([d[2] for d in doses])}::date[]) as dose(vaccine, number, born_by)
            on c.birth_date <= dose.born_by
          left join (
               select r.patient_id, k.vaccine, count(distinct (r.given_at at time zone {ask.bind(ask.zone)})::date) as had
                 from records_immunization as r
                 join unnest({ask.bind([c[0] for c in codes])}::text[], {ask.bind([c[1] for c in codes])}::text[])
                      as k(vaccine, code) on k.code = r.code
                where not r.entered_in_error
                  and r.status <> all({ask.bind(list(RECORDS["immunizations"][2]))}){ask.of("r.patient_id")}
                group by 1, 2) as given on given.patient_id = c.patient_id and given.vaccine = dose.vaccine
         where c.birth_date >= {ask.bind(oldest)} and dose.number > coalesce(given.had, 0){ask.of("c.patient_id")})"""


def _refill_open(ask: Ask, v: Values) -> str:
    """The next fill may be fetched: its window is open, and the last supply has not ended long ago."""
    try:
        rule = recall.refill_on(ask.today)
    except LookupError:
        return "false"
    open_now = [f"f.supply_ends_on <= {ask.bind(ask.today + timedelta(days=rule.days_before))}"]
    for first, last, opens in rule.holidays:
        if opens <= ask.today:
            open_now.append(f"(f.supply_ends_on >= {ask.bind(first)} and f.supply_ends_on <= {ask.bind(last)})")
    late = ask.bind(ask.today - timedelta(days=rule.late_days))
    return f"f.supply_ends_on >= {late} and coalesce(f.refills_left, 1) > 0 and ({' or '.join(open_now)})"


def _last_fill(ask: Ask, v: Values) -> str:
    until = ask.bind(ask.today + timedelta(days=v["days"]))
    return f"f.refills_left <= 0 and f.supply_ends_on >= {ask.bind(ask.today)} and f.supply_ends_on <= {until}"


register(
    Field("recall", _("Recall"), CLINICAL, (
        Operator("due", _("is due"), _due, _("due: %(rule)s"), (RULE,)),
        Operator("not_due", _("is not due"), lambda ask, v: f"({_due(ask, v)}) is not true",
                 _("not due: %(rule)s"), (RULE,)),
        Operator("is_for", pgettext_lazy("segment rule", "applies"), _is_for, _("the rule applies: %(rule)s"), (RULE,)),
    ), clinical=True, kinds=RECORD_KINDS | PROFILE_KINDS, value=_last_done, shown="time", heavy=True,
        help=_("Check-ups, screening and vaccines by the dated Taiwan rules.")),
    Field("child_vaccine", _("Children's vaccination"), CLINICAL, (
        Operator("due", _("a dose is due"), _vaccine_due, _("a vaccination of the children's schedule is due")),
    ), clinical=True, kinds=PROFILE_KINDS | {"immunization.recorded"}, value=column("birth_date"), shown="age",
        heavy=True),
    Field("refill", _("Refillable prescription"), CLINICAL, (
        Operator("window_open", _("can be refilled now"), _refill_open, _("the next fill may be fetched now")),
        Operator("last_fill_ends", _("has no fill left and ends within"), _last_fill,
                 _("no fill left, supply ends within %(days)s days"), (WEEKS,)),
        *date_operators("f.supply_ends_on", future=True),
    ), clinical=True, kinds=frozenset({"medication.recorded"}), value=column("supply_ends_on"), shown="date"),
    _record_field("condition", _("Diagnosis"), "conditions", "condition.recorded", active=" and r.status <> 'resolved'"),
    _record_field("medication", _("Prescription"), "medications", "medication.recorded"),
    _record_field("procedure", _("Procedure"), "procedures", "procedure.recorded"),
    _record_field("immunization", _("Vaccination"), "immunizations", "immunization.recorded"),
    _record_field("observation", _("Result"), "observations", "observation.recorded"),
    _record_field("allergy", _("Allergy"), "allergies", "allergy.recorded", timed=False),
    Field("any_procedure", _("Any procedure"), CLINICAL, (
        Operator("within_last_days", _("within the last"), _any_procedure,
                 _("a procedure within the last %(days)s days"), (DAYS,)),
    ), clinical=True, kinds=frozenset({"procedure.recorded"}), heavy=True),
    Field("latest_result", _("Latest result"), CLINICAL, (
        Operator("at_least", _("is at least"), lambda ask, v: f"{_latest_value(ask, v)} >= {ask.bind(v['level'])}",
                 _("latest result of %(codes)s is at least %(level)s"), (CODES, LEVEL)),
        Operator("below", _("is below"), lambda ask, v: f"{_latest_value(ask, v)} < {ask.bind(v['level'])}",
                 _("latest result of %(codes)s is below %(level)s"), (CODES, LEVEL)),
    ), clinical=True, kinds=frozenset({"observation.recorded"}), value=_latest_value, shown="number", heavy=True),
    Field("health_note", _("Health background"), CLINICAL, (
        Operator("has", _("has one of"), lambda ask, v: _has_note(ask, v["values"]),
                 _("%(field)s: %(values)s"), (choices(fixed(NOTES), _("background")),)),
        Operator("has_not", _("has none of"), lambda ask, v: f"not {_has_note(ask, v['values'])}",
                 _("%(field)s without: %(values)s"), (choices(fixed(NOTES), _("background")),)),
    ), clinical=True, kinds=frozenset({"patient.updated"}), heavy=True),
)  # fmt: skip
