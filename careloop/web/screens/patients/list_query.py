"""The list of patients: filters, one statement for a page of it, and the same filters for a download."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.http import HttpRequest

from careloop.accounts.scope import current_location_ids
from careloop.facts.rules import consent_bit, consent_mask
from careloop.kernel import sql
from careloop.patients.selectors import ways_to_find
from careloop.web.http import Keyset, Page

PAGE_SIZE = 50
COUNTED_TO = 1000
TEXT_HITS = 1001
DOWNLOAD_CHUNK = 5000
Row = dict[str, Any]

# sort → (columns of the keyset, SQL of each, what must hold for it). `changed` needs nothing and is what one starts with.
SORTS: dict[str, tuple[tuple[str, ...], dict[str, str], str]] = {
    "changed": (("-updated_at", "-id"), {"updated_at": "p.updated_at", "id": "p.id"}, ""),
    "name": (("name", "id"), {"name": "p.name", "id": "p.id"}, ""),
    "chart": (("chart_number", "id"), {"chart_number": "p.chart_number", "id": "p.id"}, "p.chart_number <> ''"),
    "last_visit": (("-last_visit_on", "-id"), {"last_visit_on": "f.last_visit_on", "id": "f.patient_id"}, "f.last_visit_on is not null"),
    "oldest_visit": (("last_visit_on", "id"), {"last_visit_on": "f.last_visit_on", "id": "f.patient_id"}, "f.last_visit_on is not null"),
}  # fmt: skip
CONSENTS = ("marketing_line", "marketing_sms", "marketing_email", "refused", "undecided")
VISITS = ("30", "90", "180", "365", "over90", "over180", "over365", "never")


@dataclass
class Filters:
    """What the reader wants to see; values are checked by the form that made them."""

    text: str = ""
    tag: UUID | None = None
    stage: int | None = None
    consent: str = ""
    location: UUID | None = None
    sex: str = ""
    age_from: int | None = None
    age_to: int | None = None
    visit: str = ""
    sort: str = "changed"
    closed: bool = False
    conditions: list[str] = field(default_factory=list)
    params: dict[str, Any] = field(default_factory=dict)
    needs_facts: bool = False
    found_first: str = ""

    def where(self, *, today: date) -> str:
        """Return the condition over p (patients) and f (facts); values are in `params`."""
        self.conditions, self.params, self.needs_facts = ["p.merged_into_id is null"], {}, False
        self.found_first = ""
        if not self.closed:
            self.conditions.append("p.active")
        if self.text.strip():
            parts, params, _is_name = ways_to_find(self.text, today=today, few=TEXT_HITS)
            self.params |= params
            if parts:
                # found once, used twice: for the page and for the count
                self.found_first = f"with hits (id, rank, by) as materialized ({' union all '.join(parts)})"
            self._and("p.id in (select id from hits)" if parts else "false")
        if self.tag:
            self._and(
                "exists (select 1 from patients_patient_tag t where t.patient_id = p.id and t.tag_id = %(tag)s)",
                tag=self.tag,
            )
        if self.stage is not None:
            self._facts("f.stage = %(stage)s", stage=self.stage)
        if (limit := current_location_ids()) is not None:
            self._and("p.home_location_id = any(%(limit)s)", limit=limit)
        if self.location:
            self._and("p.home_location_id = %(location)s", location=self.location)
        if self.sex:
            self._and("p.sex = %(sex)s", sex=self.sex)
        if self.age_from is not None:
            self._and("p.birth_date <= %(born_to)s", born_to=_years_before(today, self.age_from))
        if self.age_to is not None:
            self._and("p.birth_date > %(born_from)s", born_from=_years_before(today, self.age_to + 1))
        self._by_consent()
        self._by_visit(today)
        needed = SORTS[self.sort][2]
        if needed:
            (self._facts if "f." in needed else self._and)(needed)
        return " and ".join(self.conditions)

    def _and(self, condition: str, **params: Any) -> None:
        self.conditions.append(condition)
        self.params |= params

    def _facts(self, condition: str, **params: Any) -> None:
        self.needs_facts = True
        self._and(condition, **params)

    def _by_consent(self) -> None:
        if self.consent.startswith("marketing_"):
            bit = consent_bit("MARKETING", self.consent.removeprefix("marketing_"))
            self._facts("f.consent_given & %(bit)s > 0", bit=bit)
        elif self.consent == "refused":
            self._facts("f.consent_refused & %(bit)s > 0", bit=consent_mask("MARKETING"))
        elif self.consent == "undecided":
            self._facts("(f.consent_given | f.consent_refused) & %(bit)s = 0", bit=consent_mask("MARKETING"))

    def _by_visit(self, today: date) -> None:
        if self.visit == "never":
            self._facts("f.last_visit_on is null")
        elif self.visit.startswith("over"):
            self._facts(
                "f.last_visit_on < %(visit)s",
                visit=today - timedelta(days=int(self.visit.removeprefix("over"))),
            )
        elif self.visit:
            self._facts("f.last_visit_on >= %(visit)s", visit=today - timedelta(days=int(self.visit)))


def _years_before(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year - years)
    except ValueError:  # 29 February
        return date(day.year - years, 3, 1)


ROW = """p.id, p.name, p.sex, p.birth_date, p.birth_precision, p.chart_number, p.deceased, p.active, p.updated_at::text,
         f.stage, f.last_visit_on, f.visits_12m, f.reach, f.tags, f.open_follow_ups"""


def page_of(request: HttpRequest, filters: Filters, *, today: date) -> tuple[Page, int]:
    """Return one page of the list and how many there are (counted up to a limit): one statement."""
    order, columns, _needed = SORTS[filters.sort]
    keyset = Keyset(request, order=order, size=PAGE_SIZE)
    where = filters.where(today=today)
    beyond, values = keyset.where(**columns)
    named = {f"after{number}": value for number, value in enumerate(values)}
    for name in named:
        beyond = beyond.replace("%s", f"%({name})s", 1)
    join = "join" if filters.needs_facts else "left join"
    counted = "patients_patient p" + (" join facts_patient f on f.patient_id = p.id" if filters.needs_facts else "")
    found = sql.rows(
        f"""{filters.found_first} select {ROW}, (select count(*) from (select 1 from {counted} where {where} limit {COUNTED_TO}) as counted_rows) as counted
              from patients_patient p {join} facts_patient f on f.patient_id = p.id
             where {where} and {beyond} order by {keyset.order_by(**columns)} limit {keyset.limit}""",
        filters.params | named,
        planned=True,
    )
    # only the cursors need times, of the rows at the ends; making fifty from text is a twentieth of the page
    for one in {id(one): one for one in (*found[:1], *found[PAGE_SIZE - 1 : PAGE_SIZE], *found[-1:])}.values():
        one["updated_at"] = datetime.fromisoformat(one["updated_at"])
    return keyset.cut(found), found[0]["counted"] if found else 0


def every_row(filters: Filters, *, today: date) -> Iterator[Row]:
    """Return all rows of the list, in order of change, in chunks."""
    where = filters.where(today=today)
    join = "join" if filters.needs_facts else "left join"
    after = UUID(int=0)
    while True:
        found = sql.rows(
            f"""{filters.found_first} select {ROW}, p.registered_on, p.city, p.district, f.visits, f.self_pay_12m
                  from patients_patient p {join} facts_patient f on f.patient_id = p.id
                 where {where} and p.id > %(after)s order by p.id limit {DOWNLOAD_CHUNK}""",
            filters.params | {"after": after},
        )
        yield from found
        if len(found) < DOWNLOAD_CHUNK:
            return
        after = found[-1]["id"]


def choices() -> Row:
    """Return what can be chosen in the filters, tags and locations: one statement."""
    return sql.row(
        """select coalesce((select json_agg(json_build_object('id', id, 'name', name, 'color', color, 'number', number)
                                            order by name) from patients_tag where not is_archived), '[]') as tags,
                  coalesce((select json_agg(json_build_object('id', id, 'name', name) order by name)
                              from tenancy_location where is_active), '[]') as locations""",
        planned=True,
    ) or {"tags": [], "locations": []}
