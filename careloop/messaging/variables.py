"""What a message text may name: each variable with its type, its words for staff, and an example."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


@dataclass(frozen=True)
class Variable:
    """One placeholder. `given` variables are known for every message; the others must come with it.

    `kind`: text, date, time, number, link. `example` is per language.
    """

    name: str
    label: str | Promise
    kind: str
    example: Mapping[str, str]
    given: bool = False


VARIABLES: dict[str, Variable] = {}


def register(variable: Variable) -> None:
    """Make a variable known; a slice above does so in its `slots.py`."""
    VARIABLES[variable.name] = variable


def _same(text: str) -> dict[str, str]:
    return {"zh-hant": text, "zh-hans": text, "en": text}


for _variable in (
    Variable("greeting", _("Greeting"), "text", {"zh-hant": "王小明先生您好", "zh-hans": "王小明先生您好", "en": "Dear 王小明"}, True),
    Variable("patient.name", _("Patient’s name"), "text", _same("王小明"), True),
    Variable("patient.honorific", _("Name with title"), "text",
             {"zh-hant": "王小明先生", "zh-hans": "王小明先生", "en": "王小明"}, True),
    Variable("clinic.name", _("Clinic’s name"), "text", {"zh-hant": "安心診所", "zh-hans": "安心诊所", "en": "Anxin Clinic"}, True),
    Variable("clinic.phone", _("Clinic’s phone"), "text", _same("02-2345-6789"), True),
    Variable("clinic.address", _("Clinic’s address"), "text",
             {"zh-hant": "臺北市大安區和平東路一段1號", "zh-hans": "台北市大安区和平东路一段1号", "en": "1, Sec. 1, Heping E. Rd., Taipei"}, True),
    Variable("today", pgettext_lazy("variable", "Today"), "date", {"zh-hant": "3月16日（一）", "zh-hans": "3月16日（周一）", "en": "Mon 16 March"}, True),
    Variable("link.answer", _("Link to the answer page"), "link", _same("https://clinic.example.tw/p/m/…"), True),
    Variable("link.preferences", _("Link to the patient’s choices"), "link", _same("https://clinic.example.tw/p/c/…"), True),
    Variable("link.visit", _("Link to the visit’s page"), "link", _same("https://clinic.example.tw/p/a/…"), True),
    Variable("link.number", _("Link to the number in the waiting room"), "link", _same("https://clinic.example.tw/p/n/…"), True),
    Variable("text", _("What staff wrote"), "text",
             {"zh-hant": "您詢問的收據已備好。", "zh-hans": "您询问的收据已备好。", "en": "The receipt you asked for is ready."}),
    Variable("due_date", _("Date it is due"), "date",
             {"zh-hant": "3月30日（一）", "zh-hans": "3月30日（周一）", "en": "Mon 30 March"}),
    Variable("until_date", _("Last day"), "date",
             {"zh-hant": "4月12日（日）", "zh-hans": "4月12日（周日）", "en": "Sun 12 April"}),
    Variable("visit_date", _("Date of the visit"), "date",
             {"zh-hant": "3月20日（五）", "zh-hans": "3月20日（周五）", "en": "Fri 20 March"}),
    Variable("visit_time", _("Time of the visit"), "time", _same("09:30")),
    Variable("visit_number", _("Number in the session"), "text", _same("12")),
    Variable("place", _("Where the visit is"), "text", {"zh-hant": "和平門診", "zh-hans": "和平门诊", "en": "Heping branch"}),
    Variable("before_date", _("Date of the visit before it was moved"), "date",
             {"zh-hant": "3月19日（四）", "zh-hans": "3月19日（周四）", "en": "Thu 19 March"}),
    Variable("before_time", _("Time of the visit before it was moved"), "time", _same("14:00")),
    Variable("answer_date", _("Last day to answer"), "date",
             {"zh-hant": "3月18日（三）", "zh-hans": "3月18日（周三）", "en": "Wed 18 March"}),
    Variable("answer_time", _("Until when to answer"), "time", _same("10:30")),
    Variable("still_waiting", _("Whether the patient stays on the waitlist (empty: no)"), "text", _same("1")),
    Variable("visits", _("Visits of the family"), "text",
             {"zh-hant": "・王○明　09:30　林怡君", "zh-hans": "・王○明　09:30　林怡君", "en": "- 王○明, 09:30, 林怡君"}),
    Variable("service", _("Service"), "text",
             {"zh-hant": "定期檢查", "zh-hans": "定期检查", "en": "regular check-up"}),
    Variable("practitioner", _("Practitioner"), "text", {"zh-hant": "林醫師", "zh-hans": "林医生", "en": "Dr Lin"}),
    Variable("queue_number", _("Number in the waiting room"), "text", _same("12")),
    Variable("queue_ahead", _("People ahead in the waiting room"), "text", _same("3")),
    Variable("wait_from", _("Earliest time of the call"), "time", _same("10:15")),
    Variable("wait_to", _("Latest time of the call"), "time", _same("10:40")),
    Variable("code", _("One-time code"), "text", _same("123456")),
    Variable("channel_name", pgettext_lazy("message variable", "Channel"), "text", _same("LINE")),
):  # fmt: skip
    register(_variable)

_WEEKDAYS = {
    "zh-hant": "一二三四五六日",
    "zh-hans": ("周一", "周二", "周三", "周四", "周五", "周六", "周日"),
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
}
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


def spoken_date(day: date, language: str) -> str:
    """Return a date as people say it in a message.

    >>> [spoken_date(date(2026, 3, 16), language) for language in ("zh-hant", "zh-hans", "en")]
    ['3月16日（一）', '3月16日（周一）', 'Mon 16 March']
    """
    weekday = _WEEKDAYS[language][day.weekday()]
    if language == "en":
        return f"{weekday} {day.day} {_MONTHS[day.month - 1]}"
    return f"{day.month}月{day.day}日（{weekday}）"


def spoken(name: str, value: Any, language: str, zone: ZoneInfo) -> Any:
    """Return a parameter as it is put into a text: dates and times in the patient's language and the clinic's zone."""
    variable = VARIABLES.get(name)
    if variable is None or not isinstance(value, str) or not value:
        return value
    if variable.kind == "date":
        if len(value) > 10:
            return spoken_date(datetime.fromisoformat(value).astimezone(zone).date(), language)
        return spoken_date(date.fromisoformat(value), language)
    if variable.kind == "time" and len(value) > 5:
        return datetime.fromisoformat(value).astimezone(zone).strftime("%H:%M")
    return value


def honorific(name: str, sex: str, age: int | None, language: str) -> str:
    """Return how a person is addressed.

    >>> honorific("王小明", "male", 40, "zh-hant"), honorific("王小明", "male", 6, "zh-hant")
    ('王小明先生', '王小明小朋友')
    >>> honorific("王小明", "unknown", None, "zh-hant")
    '王小明'
    """
    if language == "en":
        return name
    if age is not None and age < 12:
        return f"{name}小朋友"
    if age is not None and age < 18:
        return f"{name}同學" if language == "zh-hant" else f"{name}同学"
    if sex == "male":
        return f"{name}先生"
    if sex == "female":
        return f"{name}女士"
    return name


def greeting(name: str, sex: str, age: int | None, language: str, *, to_family: bool) -> str:
    """Return the first words: to the patient, or to the family member who acts for them.

    >>> greeting("王小明", "male", 6, "zh-hant", to_family=True)
    '王小明小朋友的家長您好'
    >>> greeting("Ann", "female", 30, "en", to_family=False)
    'Dear Ann'
    """
    if language == "en":
        return f"Dear family of {name}" if to_family else f"Dear {name}"
    titled = honorific(name, sex, age, language)
    if not to_family:
        return f"{titled}您好"
    child = age is not None and age < 18
    if language == "zh-hant":
        return f"{titled}的{'家長' if child else '家人'}您好"
    return f"{titled}的{'家长' if child else '家人'}您好"
