"""The person: age, birthday, stage, tags, where they live."""

from datetime import timedelta
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.facts.models import LAST_LIVING_STAGE, Stage
from careloop.kernel import sql
from careloop.patients.models import Patient
from careloop.segments import recall
from careloop.segments.catalogue.common import (
    PERSON,
    PROFILE_KINDS,
    TAG_KINDS,
    VISIT_KINDS,
    WEEKS,
    choice_operators,
    choices,
    column,
    date_operators,
    fixed,
    simple,
)
from careloop.segments.fields import Ask, Field, Operator, Parameter, Text, Values, as_ids, register

LANGUAGES: list[tuple[str, Text]] = [
    ("zh-hant", _("Traditional Chinese")), ("zh-hans", _("Simplified Chinese")), ("en", _("English")),
]  # fmt: skip


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


LIVING_STAGES: list[tuple[str, Text]] = [(one.name, one.label) for one in Stage if one <= LAST_LIVING_STAGE]
STAGES = choices(fixed(LIVING_STAGES), _("stages"))


def _in_stage(ask: Ask, v: Values) -> str:
    return f"f.stage = any({ask.bind([Stage[one].value for one in v['values']])}::smallint[])"


SEXES = choices(fixed([(one.value, one.label) for one in Patient.Sex]), _("sex"))
LOCATIONS = choices(location_options, _("locations"), living=True)

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
    ), kinds=PROFILE_KINDS, value=column("birth_date"), shown="age"),
    Field("birthday", _("Birthday"), PERSON, (
        Operator("within_next_days", _("within the next"), _birthday(0, lambda v: v["days"]),
                 _("%(field)s within the next %(days)s days"), (WEEKS,)),
        Operator("this_week", _("this week"), _birthday_this_week, _("%(field)s this week (Monday to Sunday)")),
        Operator("this_month", _("this month"), _birthday_this_month, _("%(field)s this month")),
    ), kinds=PROFILE_KINDS, value=column("birth_date"), shown="date"),
    simple("sex", _("Sex"), PERSON, choice_operators("f.sex", SEXES), PROFILE_KINDS, "text", column="sex"),
    Field("stage", _("Stage"), PERSON, (
        Operator("is_any", _("is one of"), _in_stage, _("%(field)s is: %(values)s"), (STAGES,)),
        Operator("is_none", _("is none of"), lambda ask, v: f"not ({_in_stage(ask, v)})",
                 _("%(field)s is not: %(values)s"), (STAGES,)),
    ), kinds=PROFILE_KINDS | VISIT_KINDS, value=column("stage"), shown="stage",
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
    simple("registered", _("Registered"), PERSON, date_operators("f.registered_on"), PROFILE_KINDS, "date",
            column="registered_on"),
)  # fmt: skip
