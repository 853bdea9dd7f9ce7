"""What looking at a file found, and what a person has to say about it."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from careloop.integrations.imports import reasons
from careloop.integrations.tabular.encodings import Encoding
from careloop.integrations.tabular.reading import Layout

DELIMITER_NAMES = {"\t": "tab"}


class Verdict(StrEnum):
    """What a person has to do: nothing, look, answer, or mend the file."""

    ACCEPT = "accept"
    WARN = "warn"
    ASK = "ask"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something noticed, with its place; `text` is the sentence in the active language."""

    code: str
    values: dict[str, Any] = field(default_factory=dict)
    line: int | None = None

    @property
    def text(self) -> str:
        return reasons.sentence(self.code, self.values, line=self.line)


@dataclass(frozen=True, slots=True)
class Question:
    """Something only a person can say. `option` names the key of the mapping's options that answers it.

    A blocking question stops an import until it is answered; another one has a suggested answer, which is taken and said.
    """

    code: str
    option: str
    choices: tuple[str, ...] = ()
    suggested: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    blocking: bool = False

    @property
    def text(self) -> str:
        return reasons.sentence(self.code, self.values)


@dataclass(slots=True)
class ColumnSeen:
    """One column as it stands in the file: its place (from 1), its header, its first values, how many rows fill it."""

    place: int
    header: str
    samples: list[str] = field(default_factory=list)
    filled: int = 0
    content: str = ""  # what the values look like: date, mobile, national_id, sex, email, number, text


@dataclass(slots=True)
class Report:
    """What inspection found. `layout` is what the reader needs; the rest is for people."""

    name: str
    format: str = "csv"
    size: int = 0
    encoding: Encoding | None = None
    layout: Layout = field(default_factory=Layout)
    header_line: int = 0
    columns: list[ColumnSeen] = field(default_factory=list)
    sample: list[list[str]] = field(default_factory=list)
    sample_lines: list[int] = field(default_factory=list)
    #: up to a thousand rows with their line numbers, for what inspection has to look at; not shown
    scanned: list[tuple[int, list[str]]] = field(default_factory=list)
    sheet: str = ""
    sheet_names: list[str] = field(default_factory=list)
    first_row: int = 1
    date_order: str = "MDY"
    warnings: list[Notice] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    rejected: Notice | None = None

    @property
    def headers(self) -> list[str]:
        return [column.header for column in self.columns]

    @property
    def delimiter_name(self) -> str:
        return DELIMITER_NAMES.get(self.layout.delimiter, self.layout.delimiter)

    @property
    def verdict(self) -> Verdict:
        if self.rejected:
            return Verdict.REJECT
        if self.questions:
            return Verdict.ASK
        return Verdict.WARN if self.warnings else Verdict.ACCEPT


@dataclass(frozen=True, slots=True)
class Answers:
    """What a person (or a saved mapping) has already decided about the file; empty means: find out."""

    encoding: str = ""
    delimiter: str = ""
    header_line: int | None = None  # 0 = there is no header
    sheet: str = ""
    repair: str = ""
    date_order: str = ""
    allow_short_rows: bool = False
