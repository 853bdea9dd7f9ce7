"""The fields every clinic can ask about: person, visits, money, reach, messages, events, clinical records."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.consent.models import ConsentChannel, Purpose
from careloop.events.registry import KINDS
from careloop.facts import rules as facts
from careloop.facts.models import LAST_LIVING_STAGE, Stage
from careloop.kernel import sql
from careloop.patients.models import Patient
from careloop.segments import recall
from careloop.segments.fields import Ask, Field, Operator, Options, Parameter, Shown, Text, Values, as_ids, register

PERSON, VISITS, MONEY = _("Person"), pgettext_lazy("records", "Visits"), _("Spending")
APPOINTMENTS = _("Appointments")
REACH, MESSAGES, HAPPENED = _("Reach and consent"), _("Messages"), _("What happened")
CLINICAL, WORK = _("Clinical records"), pgettext_lazy("segment rule", "Work")

VISIT_KINDS = frozenset({"encounter.recorded"})
MONEY_KINDS = frozenset({"invoice.recorded"})
APPOINTMENT_KINDS = frozenset({
    "appointment.booked", "appointment.moved", "appointment.cancelled", "appointment.arrived", "appointment.fulfilled",
    "appointment.noshow", "appointment.entered_in_error",
})  # fmt: skip
PROFILE_KINDS = frozenset({"patient.registered", "patient.updated"})
TAG_KINDS = frozenset({"patient.tagged", "patient.untagged"})
CONTACT_KINDS = frozenset({
    "contact_point.added", "contact_point.changed", "contact_point.removed", "contact_point.reach_changed",
})  # fmt: skip
CONSENT_KINDS = frozenset({"consent.given", "consent.withdrawn"})
TALK_KINDS = frozenset({"message.sent", "message.received"})
RECORD_KINDS = frozenset(
    f"{name}.recorded"
    for name in (
        "encounter",
        "condition",
        "allergy",
        "medication",
        "observation",
        "procedure",
        "immunization",
        "report",
    )
)

LANGUAGES: list[tuple[str, Text]] = [
    ("zh-hant", _("Traditional Chinese")), ("zh-hans", _("Simplified Chinese")), ("en", _("English")),
]  # fmt: skip
NOTES: list[tuple[str, Text]] = [
    ("SMOKING", _("smokes")), ("BETEL", _("chews betel")), ("BETEL_QUIT", _("chewed betel")),
    ("ALCOHOL", _("drinks alcohol")), ("PREGNANT", _("pregnant")), ("INDIGENOUS", _("indigenous person")),
    ("POLIO", _("polio survivor")), ("HEALTH_STAFF", _("health-care worker")),
    ("CATASTROPHIC_ILLNESS", _("catastrophic illness")), ("FAMILY_COLORECTAL", _("colorectal cancer in the family")),
    ("FAMILY_LUNG", _("lung cancer in the family")), ("FAMILY_BREAST", _("breast cancer in the family")),
    ("DIABETES", _("diabetes")), ("HYPERTENSION", _("high blood pressure")),
]  # fmt: skip
CHANNELS: list[tuple[str, Text]] = [(channel, ConsentChannel(channel).label) for channel in facts.CHANNELS]


def fixed(options: Iterable[tuple[str, Text]]) -> Options:
    found = list(options)
    return lambda: found


# -- parameters -----------------------------------------------------------------------------------------------

DAYS = Parameter(
    "days",
    "number",
    pgettext_lazy("segment rule", "days"),
    unit=pgettext_lazy("segment rule", "days"),
    least=0,
    most=36_500,
    default=90,
)
COUNT = Parameter("count", "number", pgettext_lazy("segment rule", "how many"), least=0, most=100_000, default=1)
TIMES = Parameter(
    "count", "number", _("how many times"), unit=pgettext_lazy("segment rule", "times"), least=1, most=1000, default=1
)
AMOUNT = Parameter("amount", "money", pgettext_lazy("segment rule", "amount"), default=10_000)
DAY = Parameter("day", "date", pgettext_lazy("segment rule", "day"))
CODES = Parameter("codes", "codes", _("codes, separated by commas; E11* is everything that begins with E11"))
CHANNEL = Parameter("channel", "choice", _("channel"), options=fixed([("any", _("any channel")), *CHANNELS]),
                    default="line")  # fmt: skip
PURPOSE = Parameter("purpose", "choice", _("purpose"),
                    options=fixed([(one.value, one.label) for one in Purpose]), default="MARKETING")  # fmt: skip


def choices(options: Options, label: Text, *, living: bool = False) -> Parameter:
    return Parameter("values", "choices", label, options=options, living=living)


NEVER = _("%(field)s: never")

# -- operators ------------------------------------------------------------------------------------------------


def date_operators(column: str, *, future: bool = False, missing: Text = NEVER) -> tuple[Operator, ...]:
    """Ways to compare a day. A day that is not known answers no to everything but “never”."""

    def days_ago(ask: Ask, days: int) -> str:
        return ask.bind(ask.today - timedelta(days=days))

    found = [
        Operator("more_than_days_ago", _("longer ago than"),
                 lambda ask, v: f"{column} < {days_ago(ask, v['days'])}",
                 _("%(field)s: more than %(days)s days ago"), (DAYS,)),
        Operator("within_last_days", _("within the last"),
                 lambda ask, v: f"{column} >= {days_ago(ask, v['days'])} and {column} <= {ask.bind(ask.today)}",
                 _("%(field)s: within the last %(days)s days"), (DAYS,)),
        Operator("before", pgettext_lazy("segment rule", "before"), lambda ask, v: f"{column} < {ask.bind(v['day'])}",
                 _("%(field)s: before %(day)s"), (DAY,)),
        Operator("since", pgettext_lazy("segment rule", "since"), lambda ask, v: f"{column} >= {ask.bind(v['day'])}",
                 _("%(field)s: since %(day)s"), (DAY,)),
        Operator("known", _("is known"), lambda ask, v: f"{column} is not null", _("%(field)s: is known")),
        Operator("never", pgettext_lazy("segment rule", "never"), lambda ask, v: f"{column} is null", missing),
    ]  # fmt: skip
    if future:
        found.insert(2, Operator(
            "within_next_days", _("within the next"),
            lambda ask, v: f"{column} >= {ask.bind(ask.today)} and {column} <= {days_ago(ask, -v['days'])}",
            _("%(field)s: within the next %(days)s days"), (DAYS,)))  # fmt: skip
    return tuple(found)


def time_operators(column: str) -> tuple[Operator, ...]:
    """Ways to compare a moment, by clinic days."""
    return (
        Operator("more_than_days_ago", _("longer ago than"),
                 lambda ask, v: f"{column} < {ask.start_of(ask.today - timedelta(days=v['days']))}",
                 _("%(field)s: more than %(days)s days ago"), (DAYS,)),
        Operator("within_last_days", _("within the last"),
                 lambda ask, v: f"{column} >= {ask.start_of(ask.today - timedelta(days=v['days']))}",
                 _("%(field)s: within the last %(days)s days"), (DAYS,)),
        Operator("never", pgettext_lazy("segment rule", "never"), lambda ask, v: f"{column} is null", _("%(field)s: never")),
    )  # fmt: skip


def number_operators(column: str, *, parameter: Parameter = COUNT) -> tuple[Operator, ...]:
    name = parameter.name
    return (
        Operator("at_least", _("at least"), lambda ask, v: f"{column} >= {ask.bind(v[name])}",
                 LEAST[name], (parameter,)),
        Operator("at_most", _("at most"), lambda ask, v: f"{column} <= {ask.bind(v[name])}", MOST[name], (parameter,)),
    )  # fmt: skip


LEAST = {"count": _("%(field)s: at least %(count)s"), "amount": _("%(field)s: at least %(amount)s")}
MOST = {"count": _("%(field)s: at most %(count)s"), "amount": _("%(field)s: at most %(amount)s")}


def choice_operators(column: str, parameter: Parameter) -> tuple[Operator, ...]:
    return (
        Operator("is_any", _("is one of"), lambda ask, v: f"{column} = any({ask.bind(list(v['values']))})",
                 _("%(field)s is: %(values)s"), (parameter,)),
        Operator("is_none", _("is none of"),
                 lambda ask, v: f"({column} = any({ask.bind(list(v['values']))})) is not true",
                 _("%(field)s is not: %(values)s"), (parameter,)),
    )  # fmt: skip


# -- person ---------------------------------------------------------------------------------------------------


def of_age(ask: Ask, basis: recall.AgeBasis, first: int, last: int) -> str:
    earliest, latest = recall.Who(basis, first, last).birth_range(ask.today)
    return f"f.birth_date >= {ask.bind(earliest)} and f.birth_date <= {ask.bind(min(latest, ask.today))}"


FROM = Parameter("from", "number", pgettext_lazy("segment rule", "from"), most=130, default=40)
TO = Parameter("to", "number", pgettext_lazy("segment rule", "to"), unit=_("years"), most=130, default=64)
MONTHS_FROM = Parameter("from", "number", pgettext_lazy("segment rule", "from"), most=240, default=6)
MONTHS_TO = Parameter("to", "number", pgettext_lazy("segment rule", "to"), unit=_("months"), most=240, default=71)


def _birthday(first: int, last: Any) -> Any:
    """Birthdays from `first` days after today for so many days."""

    def condition(ask: Ask, v: Values) -> str:
        start = ask.today + timedelta(days=first)
        days = recall.birthdays_between(start, ask.today + timedelta(days=last(v)))
        return f"f.birth_mmdd = any({ask.bind(days)}::smallint[])"

    return condition


def _birthday_this_week(ask: Ask, v: Values) -> str:
    monday = ask.today - timedelta(days=ask.today.weekday())
    days = recall.birthdays_between(monday, monday + timedelta(days=6))
    return f"f.birth_mmdd = any({ask.bind(days)}::smallint[])"


def _birthday_this_month(ask: Ask, v: Values) -> str:
    month = ask.today.month * 100
    return f"f.birth_mmdd >= {ask.bind(month)} and f.birth_mmdd <= {ask.bind(month + 31)}"


def tag_options() -> list[tuple[str, Text]]:
    found = sql.rows("select id, name from patients_tag where not is_archived order by name")
    return [(str(row["id"]), row["name"]) for row in found]


def location_options() -> list[tuple[str, Text]]:
    return [(str(row["id"]), row["name"]) for row in sql.rows("select id, name from tenancy_location order by name")]


TAGS = Parameter("tags", "choices", _("tags"), options=tag_options, living=True)


def _tags(ask: Ask, v: Values) -> list[str]:
    """SQL per tag: the patient has it. The number is looked up once a statement; a tag that is gone is on nobody."""
    return [
        f"(select t.number from patients_tag as t where t.id = {ask.bind(tag)}) = any(f.tags)"
        for tag in as_ids(v["tags"])
    ]


def _has_any_tag(ask: Ask, v: Values) -> str:
    return " or ".join(_tags(ask, v)) or "false"


def _has_all_tags(ask: Ask, v: Values) -> str:
    return " and ".join(_tags(ask, v))


def _of_patient(column: str) -> tuple[Operator, ...]:
    """Fields that stand on the patient and are asked too rarely for the wide row."""

    def condition(ask: Ask, v: Values) -> str:
        return (
            f"exists (select 1 from patients_patient as p where p.id = f.patient_id "
            f"and p.{column} = any({ask.bind(list(v['values']))}))"
        )

    texts = Parameter("values", "text", _("separated by commas"))
    return (Operator("is_any", _("is one of"), condition, _("%(field)s is: %(values)s"), (texts,)),)


def _patient_value(column: str) -> Any:
    return lambda ask, v: f"(select p.{column} from patients_patient as p where p.id = f.patient_id)"


# -- reach and consent ----------------------------------------------------------------------------------------


def _reach_mask(channel: str, arrives: bool) -> int:
    names = [channel.upper()] if channel != "any" else [one.upper() for one in facts.CHANNELS]
    return sum(int(facts.Reach[f"{name}_ARRIVES" if arrives else name]) for name in names)


def _consent_bits(v: Values) -> int:
    if v["channel"] == "any":
        return facts.consent_mask(v["purpose"])
    return facts.consent_bit(v["purpose"], v["channel"])


def _may_be_contacted(ask: Ask, v: Values) -> str:
    """Marketing needs an agreement; care and surveys go on until refused. On any channel: on at least one."""
    bits = ask.bind(_consent_bits(v))
    if v["purpose"] in (Purpose.MARKETING, Purpose.HEALTH_MARKETING):
        return f"f.consent_given & {bits} <> 0"
    return f"f.consent_refused & {bits} <> {bits}"


# -- events and records ---------------------------------------------------------------------------------------

NOT_RETRACTED = (
    "(e.batch_id is null or not exists (select 1 from events_retraction as r where r.batch_id = e.batch_id))"
)


def event_options() -> list[tuple[str, Text]]:
    return [(name, kind.label) for name, kind in KINDS.items() if not name.startswith("segment.")]


KIND = Parameter(
    "kind", "choice", pgettext_lazy("segment rule", "what"), options=event_options, default="encounter.recorded"
)


def _happened(ask: Ask, v: Values) -> str:
    since = ask.start_of(ask.today - timedelta(days=v["days"]))
    match = f"e.kind = {ask.bind(v['kind'])} and e.occurred_at >= {since} and {NOT_RETRACTED}"
    if v["count"] == 1:
        return f"exists (select 1 from events_event as e where e.patient_id = f.patient_id and {match})"
    if ask.few:
        return (
            f"(select count(*) from (select 1 from events_event as e where e.patient_id = f.patient_id and {match} "
            f"limit {v['count']:d}) as enough) = {v['count']:d}"
        )
    return (
        f"f.patient_id in (select e.patient_id from events_event as e where {match} and e.patient_id is not null "
        f"group by e.patient_id having count(*) >= {v['count']:d})"
    )


def _not_happened(ask: Ask, v: Values) -> str:
    return f"not {_happened(ask, {**v, 'count': 1})}"


def _event_value(ask: Ask, v: Values) -> str:
    return (
        f"(select max(e.occurred_at) from events_event as e where e.patient_id = f.patient_id "
        f"and e.kind = {ask.bind(v['kind'])} and {NOT_RETRACTED})"
    )


def _is_clinical_kind(v: Values) -> bool:
    kind = KINDS.get(v["kind"])
    return kind is None or kind.group in ("clinical", "visits")


def _answered(ask: Ask, v: Values) -> str:
    since = ask.start_of(ask.today - timedelta(days=v["days"]))
    return (
        f"exists (select 1 from events_event as e where e.patient_id = f.patient_id and e.kind = 'message.received' "
        f"and e.occurred_at >= {since} and e.payload ->> 'answer' = any({ask.bind(list(v['codes']))}))"
    )


def _unanswered(ask: Ask, v: Values) -> str:
    before = ask.start_of(ask.today - timedelta(days=v["days"]) + timedelta(days=1))
    return f"f.last_sent_at < {before} and coalesce(f.last_answered_at, '-infinity') < f.last_sent_at"


def _missed_and_gone(ask: Ask, v: Values) -> str:
    return (
        f"f.last_no_show_on > coalesce(greatest(f.last_visit_on, f.last_kept_on), '-infinity') "
        f"and (f.next_appointment_on >= {ask.bind(ask.today)}) is not true"
    )


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


# -- recall ---------------------------------------------------------------------------------------------------


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


def _spent(ask: Ask, v: Values) -> str:
    since = ask.start_of(ask.today - timedelta(days=v["days"]))
    total = (
        f"r.issued_at >= {since} and not r.entered_in_error and r.currency = {ask.bind(ask.currency)} "
        "and r.status not in ('draft', 'cancelled', 'entered-in-error')"
    )
    amount = ask.bind(v["amount"])
    if ask.few:
        return (
            # who has no bill in the period has no sum, and is not selected: the same as in the grouped form
            f"coalesce((select sum(r.self_pay_amount) from records_invoice as r "
            f"where r.patient_id = f.patient_id and {total})::bigint >= {amount}, false)"
        )
    return (
        f"f.patient_id in (select r.patient_id from records_invoice as r where {total} "
        f"group by r.patient_id having sum(r.self_pay_amount)::bigint >= {amount})"
    )


def _visited(ask: Ask, v: Values) -> str:
    since = ask.start_of(ask.today - timedelta(days=v["days"]))
    until = ask.start_of(ask.today + timedelta(days=1))
    return (
        f"exists (select 1 from records_encounter as r where r.patient_id = f.patient_id and not r.entered_in_error "
        f"and r.status not in ('planned', 'cancelled', 'entered-in-error', 'noshow') "
        f"and r.started_at >= {since} and r.started_at < {until} "
        f"and r.department = any({ask.bind(list(v['values']))}))"
    )


def department_options() -> list[tuple[str, Text]]:
    found = sql.rows(
        "select distinct department from records_encounter where department <> '' order by department limit 100"
    )
    return [(row["department"], row["department"]) for row in found]


# -- the list -------------------------------------------------------------------------------------------------

LIVING_STAGES: list[tuple[str, Text]] = [(one.name, one.label) for one in Stage if one <= LAST_LIVING_STAGE]
STAGES = choices(fixed(LIVING_STAGES), _("stages"))


def _in_stage(ask: Ask, v: Values) -> str:
    return f"f.stage = any({ask.bind([Stage[one].value for one in v['values']])}::smallint[])"


def _column(name: str) -> Any:
    return lambda ask, v: f"f.{name}"


def _simple(
    name: str, label: Text, group: Text | Promise, operators: tuple[Operator, ...], kinds: frozenset[str], shown: Shown,
    **more: Any,
) -> Field:  # fmt: skip
    return Field(name, label, group, operators, kinds=kinds, value=_column(more.pop("column")), shown=shown, **more)


SEXES = choices(fixed([(one.value, one.label) for one in Patient.Sex]), _("sex"))
LOCATIONS = choices(location_options, _("locations"), living=True)
INTERVAL = Parameter(
    "count",
    "number",
    pgettext_lazy("segment rule", "days"),
    unit=pgettext_lazy("segment rule", "days"),
    least=1,
    most=3650,
    default=180,
)
WEEKS = Parameter(
    "days",
    "number",
    pgettext_lazy("segment rule", "days"),
    unit=pgettext_lazy("segment rule", "days"),
    least=0,
    most=364,
    default=7,
)

register(
    Field("age", _("Age"), PERSON, (
        Operator("between", _("is between"), lambda ask, v: of_age(ask, "years", v["from"], v["to"]),
                 _("%(field)s from %(from)s to %(to)s years"), (FROM, TO)),
        Operator("birth_year_between", _("by year of birth is between"),
                 lambda ask, v: of_age(ask, "birth_year", v["from"], v["to"]),
                 _("%(field)s by year of birth from %(from)s to %(to)s"), (FROM, TO)),
        Operator("months_between", _("in months is between"),
                 lambda ask, v: of_age(ask, "months", v["from"], v["to"]),
                 _("%(field)s from %(from)s to %(to)s months"), (MONTHS_FROM, MONTHS_TO)),
        Operator("unknown", _("is not known"), lambda ask, v: "f.birth_date is null", _("%(field)s is not known")),
    ), kinds=PROFILE_KINDS, value=_column("birth_date"), shown="age"),
    Field("birthday", _("Birthday"), PERSON, (
        Operator("within_next_days", _("within the next"), _birthday(0, lambda v: v["days"]),
                 _("%(field)s within the next %(days)s days"), (WEEKS,)),
        Operator("this_week", _("this week"), _birthday_this_week, _("%(field)s this week (Monday to Sunday)")),
        Operator("this_month", _("this month"), _birthday_this_month, _("%(field)s this month")),
    ), kinds=PROFILE_KINDS, value=_column("birth_date"), shown="date"),
    _simple("sex", _("Sex"), PERSON, choice_operators("f.sex", SEXES), PROFILE_KINDS, "text", column="sex"),
    Field("stage", _("Stage"), PERSON, (
        Operator("is_any", _("is one of"), _in_stage, _("%(field)s is: %(values)s"), (STAGES,)),
        Operator("is_none", _("is none of"), lambda ask, v: f"not ({_in_stage(ask, v)})",
                 _("%(field)s is not: %(values)s"), (STAGES,)),
    ), kinds=PROFILE_KINDS | VISIT_KINDS, value=_column("stage"), shown="stage",
        help=_("By the patient's own rhythm of visits: new, active, at risk, lapsed.")),
    Field("tags", _("Tags"), PERSON, (
        Operator("has_any", _("has one of"), _has_any_tag, _("has one of the tags: %(tags)s"), (TAGS,)),
        Operator("has_all", _("has all of"), _has_all_tags, _("has all of the tags: %(tags)s"), (TAGS,)),
        Operator("has_none", _("has none of"), lambda ask, v: f"({_has_any_tag(ask, v)}) is not true",
                 _("has none of the tags: %(tags)s"), (TAGS,)),
    ), kinds=TAG_KINDS, shown="list", value=lambda ask, v: (
        "(select string_agg(t.name, ', ' order by t.name) from patients_tag as t where t.number = any(f.tags))")),
    Field("home_location", _("Home branch"), PERSON, (
        Operator("is_any", _("is one of"),
                 lambda ask, v: f"f.home_location_id = any({ask.bind(as_ids(v['values']))}::uuid[])",
                 _("%(field)s is: %(values)s"), (LOCATIONS,)),
    ), kinds=PROFILE_KINDS, shown="text", value=lambda ask, v: (
        "(select l.name from tenancy_location as l where l.id = f.home_location_id)")),
    Field("language", pgettext_lazy("of a patient", "Language"), PERSON, (
        Operator("is_any", _("is one of"),
                 lambda ask, v: (
                     "exists (select 1 from patients_patient as p where p.id = f.patient_id "
                     f"and p.language = any({ask.bind(list(v['values']))}))"),
                 _("%(field)s is: %(values)s"), (choices(fixed(LANGUAGES), _("languages")),)),
    ), kinds=PROFILE_KINDS, value=_patient_value("language"), shown="text", heavy=True),
    Field("city", _("City"), PERSON, _of_patient("city"), kinds=PROFILE_KINDS, value=_patient_value("city"),
          shown="text", heavy=True),
    Field("district", _("District"), PERSON, _of_patient("district"), kinds=PROFILE_KINDS,
          value=_patient_value("district"), shown="text", heavy=True),
    Field("referral_source", _("How they found us"), PERSON, _of_patient("referral_source"), kinds=PROFILE_KINDS,
          value=_patient_value("referral_source"), shown="text", heavy=True),
    _simple("registered", _("Registered"), PERSON, date_operators("f.registered_on"), PROFILE_KINDS, "date",
            column="registered_on"),
    _simple("last_visit", _("Last visit"), VISITS, date_operators("f.last_visit_on"), VISIT_KINDS, "date",
            column="last_visit_on"),
    _simple("first_visit", _("First visit"), VISITS, date_operators("f.first_visit_on"), VISIT_KINDS, "date",
            column="first_visit_on"),
    _simple("visits", _("Visits so far"), VISITS, number_operators("f.visits"), VISIT_KINDS, "number",
            column="visits"),
    _simple("visits_12m", _("Visits in 12 months"), VISITS, number_operators("f.visits_12m"), VISIT_KINDS, "number",
            column="visits_12m"),
    _simple("own_rhythm", _("Own rhythm of visits"), VISITS,
            number_operators("f.visit_interval_days", parameter=INTERVAL), VISIT_KINDS, "number",
            column="visit_interval_days", help=_("Usual days between visits; known from the third visit day on.")),
    Field("next_appointment", _("Next appointment"), APPOINTMENTS, (
        Operator("exists", _("is booked"), lambda ask, v: f"f.next_appointment_on >= {ask.bind(ask.today)}",
                 _("has an appointment")),
        Operator("none", _("is not booked"), lambda ask, v: f"(f.next_appointment_on >= {ask.bind(ask.today)}) is not true",
                 _("has no appointment")),
        *(one for one in date_operators("f.next_appointment_on", future=True)
          if one.name in ("within_next_days", "before", "since")),
        Operator("more_than_days_ahead", _("later than in"),
                 lambda ask, v: f"f.next_appointment_on > {ask.bind(ask.today + timedelta(days=v['days']))}",
                 _("%(field)s: more than %(days)s days ahead"), (DAYS,)),
    ), kinds=APPOINTMENT_KINDS, value=_column("next_appointment_on"), shown="date",
        help=_("The next visit that is booked, today or later.")),
    Field("last_no_show", _("Last missed appointment"), APPOINTMENTS, (
        *date_operators("f.last_no_show_on"),
        Operator("neither_came_nor_booked", _("and neither came nor booked since"), _missed_and_gone,
                 _("missed an appointment, and neither came nor booked since")),
    ), kinds=APPOINTMENT_KINDS | VISIT_KINDS, value=_column("last_no_show_on"), shown="date"),
    _simple("no_shows_12m", _("Missed appointments in 12 months"), APPOINTMENTS, number_operators("f.no_shows_12m"),
            APPOINTMENT_KINDS, "number", column="no_shows_12m"),
    _simple("kept_appointments", _("Kept appointments"), APPOINTMENTS, number_operators("f.kept_appointments"),
            APPOINTMENT_KINDS, "number", column="kept_appointments"),
    _simple("last_kept", _("Last kept appointment"), APPOINTMENTS, date_operators("f.last_kept_on"), APPOINTMENT_KINDS, "date",
            column="last_kept_on"),
    _simple("last_booked", _("Last booking made"), APPOINTMENTS, date_operators("f.last_booked_on"), APPOINTMENT_KINDS, "date",
            column="last_booked_on"),
    Field("department", _("Department visited"), VISITS, (
        Operator("within_last_days", _("is one of, within the last"), _visited,
                 _("visited %(values)s within the last %(days)s days"),
                 (choices(department_options, _("departments"), living=True), DAYS)),
    ), clinical=True, kinds=VISIT_KINDS, heavy=True),
    _simple("self_pay_12m", _("Self-pay in 12 months"), MONEY, number_operators("f.self_pay_12m", parameter=AMOUNT),
            MONEY_KINDS, "money", column="self_pay_12m"),
    _simple("self_pay_total", _("Self-pay altogether"), MONEY,
            number_operators("f.self_pay_total", parameter=AMOUNT), MONEY_KINDS, "money", column="self_pay_total"),
    Field("spent", _("Self-pay in a period"), MONEY, (
        Operator("at_least", _("is at least, within the last"), _spent,
                 _("self-pay of at least %(amount)s within the last %(days)s days"), (AMOUNT, DAYS)),
    ), kinds=MONEY_KINDS, heavy=True),
    _simple("nhi_visits", _("NHI visits"), MONEY, number_operators("f.nhi_visits"), MONEY_KINDS, "number",
            column="nhi_visits"),
    _simple("last_invoice", _("Last invoice"), MONEY, date_operators("f.last_invoice_on"), MONEY_KINDS, "date",
            column="last_invoice_on"),
    Field("reach", pgettext_lazy("segment rule", "Reach"), REACH, (
        Operator("arrives", _("can be reached by"),
                 lambda ask, v: f"f.reach & {_reach_mask(v['channel'], True)} <> 0",
                 _("can be reached by: %(channel)s"), (CHANNEL,)),
        Operator("arrives_not", _("cannot be reached by"),
                 lambda ask, v: f"f.reach & {_reach_mask(v['channel'], True)} = 0",
                 _("cannot be reached by: %(channel)s"), (CHANNEL,)),
        Operator("has_none", _("has no"), lambda ask, v: f"f.reach & {_reach_mask(v['channel'], False)} = 0",
                 _("has no contact for: %(channel)s"), (CHANNEL,)),
    ), kinds=CONTACT_KINDS),
    Field("consent", _("Consent"), REACH, (
        Operator("given", _("was given for"), lambda ask, v: f"f.consent_given & {ask.bind(_consent_bits(v))} <> 0",
                 _("agreed: %(purpose)s, %(channel)s"), (PURPOSE, CHANNEL)),
        Operator("refused", _("was refused for"),
                 lambda ask, v: f"f.consent_refused & {ask.bind(_consent_bits(v))} <> 0",
                 _("refused: %(purpose)s, %(channel)s"), (PURPOSE, CHANNEL)),
        Operator("unasked", _("was never asked for"),
                 lambda ask, v: f"(f.consent_given | f.consent_refused) & {ask.bind(_consent_bits(v))} = 0",
                 _("never asked: %(purpose)s, %(channel)s"), (PURPOSE, CHANNEL)),
        Operator("allows", _("allows contact for"), _may_be_contacted,
                 _("may be contacted: %(purpose)s, %(channel)s"), (PURPOSE, CHANNEL)),
    ), kinds=CONSENT_KINDS),
    _simple("last_sent", _("Last message sent"), MESSAGES, time_operators("f.last_sent_at"),
            frozenset({"message.sent"}), "time", column="last_sent_at"),
    _simple("last_answered", _("Last answer"), MESSAGES, time_operators("f.last_answered_at"),
            frozenset({"message.received"}), "time", column="last_answered_at"),
    Field("unanswered", _("Message without answer"), MESSAGES, (
        Operator("since_days", _("for at least"), _unanswered, _("last message unanswered for at least %(days)s days"),
                 (DAYS,)),
    ), kinds=TALK_KINDS, value=_column("last_sent_at"), shown="time"),
    Field("answer", _("Answer to a message"), MESSAGES, (
        Operator("is_any", _("is one of, within the last"), _answered,
                 _("answered %(codes)s within the last %(days)s days"),
                 (Parameter("codes", "text", _("answers, separated by commas")), DAYS)),
    ), kinds=frozenset({"message.received"}), heavy=True),
    Field("event", pgettext_lazy("segment rule", "Event"), HAPPENED, (
        Operator("happened", pgettext_lazy("segment rule", "happened"), _happened, _("%(kind)s: at least %(count)s times within the last %(days)s days"),
                 (KIND, TIMES, DAYS)),
        Operator("not_happened", _("did not happen"), _not_happened,
                 _("%(kind)s: not within the last %(days)s days"), (KIND, DAYS)),
    ), clinical=_is_clinical_kind, value=_event_value, shown="time", heavy=True),
    Field("recall", _("Recall"), CLINICAL, (
        Operator("due", _("is due"), _due, _("due: %(rule)s"), (RULE,)),
        Operator("not_due", _("is not due"), lambda ask, v: f"({_due(ask, v)}) is not true",
                 _("not due: %(rule)s"), (RULE,)),
        Operator("is_for", pgettext_lazy("segment rule", "applies"), _is_for, _("the rule applies: %(rule)s"), (RULE,)),
    ), clinical=True, kinds=RECORD_KINDS | PROFILE_KINDS, value=_last_done, shown="time", heavy=True,
        help=_("Check-ups, screening and vaccines by the dated Taiwan rules.")),
    Field("child_vaccine", _("Children's vaccination"), CLINICAL, (
        Operator("due", _("a dose is due"), _vaccine_due, _("a vaccination of the children's schedule is due")),
    ), clinical=True, kinds=PROFILE_KINDS | {"immunization.recorded"}, value=_column("birth_date"), shown="age",
        heavy=True),
    Field("refill", _("Refillable prescription"), CLINICAL, (
        Operator("window_open", _("can be refilled now"), _refill_open, _("the next fill may be fetched now")),
        Operator("last_fill_ends", _("has no fill left and ends within"), _last_fill,
                 _("no fill left, supply ends within %(days)s days"), (WEEKS,)),
        *date_operators("f.supply_ends_on", future=True),
    ), clinical=True, kinds=frozenset({"medication.recorded"}), value=_column("supply_ends_on"), shown="date"),
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
    _simple("follow_ups", _("Open follow-ups"), WORK, number_operators("f.open_follow_ups"),
            frozenset({"follow_up.created", "follow_up.done", "follow_up.cancelled", "follow_up.reopened"}), "number",
            column="open_follow_ups"),
)  # fmt: skip
