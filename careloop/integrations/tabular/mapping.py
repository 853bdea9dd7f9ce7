"""Which column goes into which field, how codes are translated, and what a person answered: one JSON document.

It is suggested from the headers, shown and changed on a screen, given on the command line (`--map FILE`) and saved per source.

```json
{"version": 1, "kind": "patient", "source": "his-a",
 "columns": {"chart_number": "病歷號", "name": ["姓", "名"], "mobile": "#5"},
 "constants": {"country": "TW"},
 "codes": {"sex": {"1": "male", "2": "female"}},
 "options": {"encoding": "cp950", "delimiter": ",", "header_line": 1, "date_order": "DMY", "sheet": "", "repair": ""}}
```

A column is named by its header, or by its place (`#5`) where headers are missing or doubled. A list joins several columns.
"""

import json
from collections.abc import Mapping as ReadOnly
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from careloop.integrations.imports import rows as canonical
from careloop.integrations.tabular import fields, known_tables
from careloop.integrations.tabular.findings import Answers, Notice, Question, Report
from careloop.kernel.errors import DomainError

OPTIONS = (
    "encoding", "delimiter", "header_line", "sheet", "repair", "date_order", "allow_short_rows", "foreign", "zone",
)  # fmt: skip


class MappingRefused(DomainError):
    """The mapping file does not fit: not JSON, an unknown field, or a column the table does not have."""

    code: ClassVar[str] = "imports.mapping"
    message = _("The mapping cannot be used: %(reason)s")
    status: ClassVar[int] = 422


@dataclass(slots=True)
class Mapping:
    """How a table becomes rows of one kind. Fields that are not in `columns` or `constants` stay empty."""

    kind: str
    source: str = ""
    columns: dict[str, list[str]] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    #: field → {"column": header, "filled": value, "empty": value}
    when: dict[str, dict[str, str]] = field(default_factory=dict)
    #: type of a further identifier → header
    identifiers: dict[str, str] = field(default_factory=dict)
    #: [code, display, severity] headers, for allergies
    reactions: list[list[str]] = field(default_factory=list)
    #: put a value that is a number into value_number
    split_value: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    confidence: dict[str, float] = field(default_factory=dict)
    recognised: str = ""

    @property
    def row_kind(self) -> canonical.Kind:
        return canonical.BY_NAME[self.kind]

    def answers(self) -> Answers:
        """Return what the mapping has decided about the file."""
        header = self.options.get("header_line")
        return Answers(
            encoding=self.options.get("encoding", ""),
            delimiter=self.options.get("delimiter", ""),
            header_line=int(header) if header is not None and header != "" else None,
            sheet=self.options.get("sheet", ""),
            repair=self.options.get("repair", ""),
            date_order=self.options.get("date_order", ""),
            allow_short_rows=bool(self.options.get("allow_short_rows")),
        )

    def as_json(self) -> dict[str, Any]:
        """Return the document as it is saved."""
        document: dict[str, Any] = {"version": 1, "kind": self.kind, "source": self.source}
        document["columns"] = {
            name: headers[0] if len(headers) == 1 else headers for name, headers in self.columns.items()
        }
        for name in ("constants", "codes", "when", "identifiers", "reactions", "options"):
            if value := getattr(self, name):
                document[name] = value
        if self.split_value:
            document["split_value"] = True
        return document


def load(path: Path) -> dict[str, Any]:
    """Read a mapping file: one mapping, or `{"tables": {"patients.csv": {…}}}` for an archive.

    Raises:
        MappingRefused: not JSON, or not an object.
    """
    try:
        document = json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise MappingRefused(reason=error.strerror or "") from error
    except ValueError as error:
        raise MappingRefused(reason=gettext("it is not JSON (%(what)s).") % {"what": error}) from error
    if not isinstance(document, dict):
        raise MappingRefused(reason=_("it is not a JSON object."))
    return document


def from_json(document: ReadOnly[str, Any], *, headers: list[str] | None = None) -> Mapping:
    """Return the mapping of a document, checked against the kinds and, where given, the table's headers.

    Raises:
        MappingRefused: an unknown kind, field or option, or a column that is not in the table.
    """
    kind = canonical.BY_NAME.get(str(document.get("kind", "")))
    if kind is None:
        raise MappingRefused(
            reason=gettext("there is no kind “%(kind)s”; there are: %(known)s.")
            % {"kind": document.get("kind", ""), "known": ", ".join(canonical.BY_NAME)}
        )
    columns = {
        name: list(value) if isinstance(value, (list, tuple)) else [str(value)]
        for name, value in dict(document.get("columns", {})).items()
        if value
    }
    for name in [*columns, *document.get("constants", {}), *document.get("codes", {}), *document.get("when", {})]:
        if name not in kind.index or name in {"part", "line"}:
            raise MappingRefused(
                reason=gettext("rows of the kind “%(kind)s” have no field “%(field)s”.")
                % {"kind": kind.name, "field": name}
            )
    for name in document.get("options", {}):
        if name not in OPTIONS:
            raise MappingRefused(
                reason=gettext("there is no option “%(option)s”; there are: %(known)s.")
                % {"option": name, "known": ", ".join(OPTIONS)}
            )
    mapping = Mapping(
        kind=kind.name,
        source=str(document.get("source", "")),
        columns=columns,
        constants={name: str(value) for name, value in document.get("constants", {}).items()},
        codes={name: dict(value) for name, value in document.get("codes", {}).items()},
        when=dict(document.get("when", {})),
        identifiers=dict(document.get("identifiers", {})),
        reactions=list(document.get("reactions", [])),
        split_value=bool(document.get("split_value")),
        options=dict(document.get("options", {})),
    )
    if headers is not None:
        for names in columns.values():
            for name in names:
                place_of(name, headers)
    return mapping


def place_of(name: str, headers: list[str]) -> int:
    """Return the index of a column named by header or place.

    Raises:
        MappingRefused: there is no such column.
    """
    if name.startswith("#") and name[1:].isdigit() and 0 < int(name[1:]) <= len(headers):
        return int(name[1:]) - 1
    if name in headers:
        return headers.index(name)
    plain = fields.plain_header(name)
    for place, header in enumerate(headers):
        if plain and fields.plain_header(header) == plain:
            return place
    raise MappingRefused(reason=gettext("the table has no column “%(column)s”.") % {"column": name})


def suggest(report: Report, *, kind: str = "") -> Mapping:
    """Suggest a mapping for a table that was inspected, with how sure each column is.

    A table that is known as a whole gets its ready mapping. Otherwise the kind is the one whose words explain the most columns.
    Without a header the values decide what they can: dates, mobile numbers, ids, sexes, names.
    """
    headers = report.headers
    if not kind and (known := known_tables.recognise(headers)):
        name, table = known
        mapping = from_json({key: value for key, value in table.items() if key not in {"signature", "exact"}})
        mapping.recognised = f"Synthea {name}.csv"
        mapping.confidence = dict.fromkeys(mapping.columns, 1.0)
        present = set(headers)
        mapping.columns = {field_name: names for field_name, names in mapping.columns.items() if set(names) <= present}
        mapping.options["date_order"] = "MDY"
        return mapping
    if not report.header_line:
        return _by_content(report, kind=kind or "patient")
    candidates = [kind] if kind else list(fields.WORDS)
    best, best_score = Mapping(kind=candidates[0]), -1.0
    for candidate in candidates:
        mapping, score = _by_words(report, candidate)
        if score > best_score:
            best, best_score = mapping, score
    return best


def _by_words(report: Report, kind: str) -> tuple[Mapping, float]:
    mapping = Mapping(kind=kind)
    taken: dict[str, tuple[float, str]] = {}
    doubled = {header for header in report.headers if report.headers.count(header) > 1}
    for column in report.columns:
        for meaning in fields.meanings(column.header):
            if meaning.kind != kind:
                continue
            before = taken.get(meaning.field)
            if before is None or meaning.confidence > before[0]:
                name = f"#{column.place}" if column.header in doubled else column.header
                taken[meaning.field] = (meaning.confidence, name)
    for field_name, (confidence, header) in taken.items():
        mapping.columns[field_name] = [header]
        mapping.confidence[field_name] = confidence
    if kind == "patient":
        _settle_patient(mapping, report)
    score = sum(mapping.confidence.values())
    if not any(name in mapping.columns for name in fields.ESSENTIAL[kind]):
        score *= 0.3
    if kind != "patient" and "patient_external_id" not in mapping.columns:
        score *= 0.5
    if kind == "observation":
        mapping.split_value = True
    return mapping, score


def _settle_patient(mapping: Mapping, report: Report) -> None:
    """A column named 電話 full of mobile numbers is the mobile number; 姓 and 名 make the name."""
    columns = mapping.columns
    if "phone" in columns and "mobile" not in columns:
        seen = next((c for c in report.columns if c.header == columns["phone"][0]), None)
        if seen and seen.content == "mobile":
            columns["mobile"] = columns.pop("phone")
            mapping.confidence["mobile"] = mapping.confidence.pop("phone", 0.9)
    if "name" not in columns and "family_name" in columns and "given_name" in columns:
        columns["name"] = [*columns["family_name"], *columns["given_name"]]
        mapping.confidence["name"] = 0.9


def _by_content(report: Report, *, kind: str) -> Mapping:
    mapping = Mapping(kind=kind)
    for column in report.columns:
        target = {
            "mobile": "mobile",
            "national_id": "national_id",
            "email": "email",
            "sex": "sex",
            "date": "birth_date",
        }.get(column.content, "")
        short = all(len(sample) <= 20 for sample in column.samples)
        if not target and column.content == "text" and short and "name" not in mapping.columns:
            target = "name"
        if not target and column.content == "number" and "chart_number" not in mapping.columns:
            target = "chart_number"
        if target and target not in mapping.columns:
            mapping.columns[target] = [f"#{column.place}"]
            mapping.confidence[target] = 0.4
    mapping.options["header_line"] = 0
    return mapping


def open_questions(report: Report, mapping: Mapping) -> list[Question]:
    """Return what still stops an import with this mapping: a question that nothing in the mapping answers."""
    answered = mapping.options
    questions = []
    for question in report.questions:
        if not question.blocking or str(answered.get(question.option, "")) != "":
            continue
        if question.option == "columns" and mapping.columns and not mapping.confidence:
            # a person gave the columns: each is named by place, or by a header that stands once
            by_place = all(name.startswith("#") for names in mapping.columns.values() for name in names)
            doubled = question.values.get("column")
            named = {name for names in mapping.columns.values() for name in names}
            if by_place or (doubled is not None and doubled not in named):
                continue
        questions.append(question)
    wanted = fields.ESSENTIAL.get(mapping.kind, ())
    if (
        wanted
        and not mapping.recognised
        and not any(name in mapping.columns or name in mapping.constants for name in wanted)
    ):
        questions.append(Question("ask.essential", "columns", values={"field": wanted[0]}, blocking=True))
    return questions


def unmapped(report: Report, mapping: Mapping) -> list[Notice]:
    """Return a notice for each filled column that the mapping does not use."""
    used: set[int] = set()
    names = [name for headers in mapping.columns.values() for name in headers]
    names += [rule["column"] for rule in mapping.when.values()]
    names += list(mapping.identifiers.values()) + [name for group in mapping.reactions for name in group]
    for name in names:
        try:
            used.add(place_of(name, report.headers))
        except MappingRefused:
            continue
    return [
        Notice("tabular.unmapped", {"column": column.header or f"#{column.place}"})
        for at, column in enumerate(report.columns)
        if at not in used and column.filled
    ]
