"""The canonical row streams: what every loader (CSV, XLSX, FHIR) hands to the import pipeline.

A loader turns a source into `RowChunk`s. The pipeline knows nothing of files and formats; it copies the rows of a chunk
into a staging table that has exactly these columns, checks them as a set and writes them. So the contract is this file.

Rules for every loader:

- A row is a tuple in the order of `kind.names`. No dict and no object per row. A loader that reads columns hands them over as `ByColumn`.
- The first two columns say where the row came from: `part` (the file inside an archive, or the file) and `line` (the line
  in a CSV file, the row in a sheet, the entry number, from 1, in a Bundle, the line in NDJSON). They are in every refusal.
- A missing value is `None`. The empty string means the same. Text may be any `str` without NUL characters (strip them).
- Values are `str`, `int`, `float`, `bool`, or `None`. What is of type JSON is already serialised (`orjson.dumps(...).decode()`).
- Text is as the source has it, only stripped; names keep their digits, codes are FHIR codes where FHIR has a value set.
- `DATETIME` is a FHIR dateTime **as written**: `2013`, `2013-12`, `2013-12-18`, or a full date-time with seconds and zone. The
  offset is kept (never convert to UTC): the calendar day of a condition is the day as written, the instant of an encounter
  is the instant. A value the loader cannot bring to this form makes the row a refusal (see `Refused`).
- `DATE` is `YYYY-MM-DD`. Loaders complete nothing: a birth date of `1980` is passed as `1980` in a DATETIME column only.
- Amounts are decimal text in whole currency units (`1306.55`) with a currency code beside; minor units are made later.
- References are the bare external id: `urn:uuid:X`, `Patient/X` and `https://…/Patient/X` all give `X`;
  a conditional reference (`Practitioner?identifier=system|value`) gives `value`.
- Order between kinds: organizations, locations, practitioners, then patients, related persons, then encounters, then the rest.
  Within one archive a loader may interleave kinds as it likes as long as a row's patient (and its encounter, if it has one) comes in an
  earlier chunk or in an earlier kind (see `KINDS` order) of the same `flush`.

Identity (why a second import adds nothing):

1. The same `external_id` from the same source is the same record. An external id that is a UUID is the same record whatever the
   source, because a UUID is made to be unique in the world.
2. Otherwise the **natural key** decides: `kind.natural_key` names its columns, with the patient before them. Records that agree in all of them
   within one file are told apart by an ordinal that is counted per key (not by position in the file), so the n-th of one
   file is the n-th of the other. Times count as instants (`AT`) or as the calendar day as written (`ON`).

Checked on a pair of exports of the same people in CSV and FHIR: patient ids agree between the formats, encounter and care plan
ids do not, conditions have a day in one and a date-time in the other, and the day as written is equal while the UTC day is not.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, overload


class Type(StrEnum):
    """What a column holds; the staging table keeps everything as text until the checks have passed."""

    TEXT = "text"
    CODE = "code"  # a FHIR code or a code of a code system: compared exactly
    DATE = "date"  # YYYY-MM-DD
    DATETIME = "datetime"  # FHIR dateTime as written, any precision
    INTEGER = "integer"
    NUMBER = "number"  # decimal text or a number
    BOOLEAN = "boolean"
    JSON = "json"  # serialised


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a row stream. `sealed` values are identifiers that may rest in the database only encrypted."""

    name: str
    type: Type = Type.TEXT
    required: bool = False
    sealed: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """One part of a natural key: `how` is EXACT, AT (the instant) or ON (the calendar day as written)."""

    column: str
    how: str = "EXACT"


@dataclass(frozen=True)
class Kind:
    """One row stream. `resource` is the FHIR resource name that the count is kept under."""

    name: str
    resource: str
    columns: tuple[Column, ...]
    natural_key: tuple[Key, ...] = ()
    names: tuple[str, ...] = field(init=False)
    index: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(column.name for column in self.columns))
        object.__setattr__(self, "index", {name: place for place, name in enumerate(self.names)})

    def column(self, name: str) -> Column:
        return self.columns[self.index[name]]


Value = str | int | float | bool | None
Row = tuple[Value, ...]


class Nothing(tuple[None, ...]):
    """A column in which nothing stands."""

    __slots__ = ()


class ByColumn(Sequence[Row]):
    """Rows that are kept column by column: one is put together only where somebody looks at it.

    >>> rows = ByColumn([["a", "b"], [1, 2]])
    >>> rows[1], list(rows), column(rows, 1)
    (('b', 2), [('a', 1), ('b', 2)], [1, 2])
    """

    __slots__ = ("columns",)

    def __init__(self, columns: Sequence[Sequence[Value]]) -> None:
        self.columns = columns

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> list[Row]: ...
    def __getitem__(self, place: int | slice) -> Row | list[Row]:
        if isinstance(place, slice):
            return list(zip(*(values[place] for values in self.columns), strict=True))
        return tuple(values[place] for values in self.columns)

    def __iter__(self) -> Iterator[Row]:
        return zip(*self.columns, strict=True)

    def __len__(self) -> int:
        return len(self.columns[0])


def columns_of(rows: Sequence[Row]) -> Sequence[Sequence[Value]]:
    """Return rows, of which there is at least one, as columns."""
    return rows.columns if isinstance(rows, ByColumn) else list(zip(*rows, strict=True))


def column(rows: Sequence[Row], place: int) -> Sequence[Value]:
    """Return one column of rows."""
    return rows.columns[place] if isinstance(rows, ByColumn) else [row[place] for row in rows]


@dataclass(slots=True)
class Refused:
    """A row that a loader could not bring into form. `raw` is the row as it stood, to be mended and imported again.

    `code` is a stable reason (`tabular.not_a_date`), `values` fill the placeholders of its translated sentence
    (see `reasons.py`). No patient data goes into `values`; the value itself is in `raw`.
    """

    part: str
    line: int
    field: str
    code: str
    values: dict[str, str | int] = dataclasses.field(default_factory=dict)
    raw: Sequence[str] | str = ""


@dataclass(slots=True)
class Warned:
    """Something a person should look at; the row is imported all the same (a wrong check digit, an unknown unit)."""

    part: str
    line: int
    field: str
    code: str
    values: dict[str, str | int] = dataclasses.field(default_factory=dict)


@dataclass(slots=True)
class RowChunk:
    """Up to about 20,000 rows of one kind, with what was refused and warned while making them."""

    kind: Kind
    rows: Sequence[Row]
    refused: list[Refused] = field(default_factory=list)
    warned: list[Warned] = field(default_factory=list)
    #: how much of the source has been read when this chunk is complete, in bytes, for the progress bar
    position: int = 0
    #: the rows as they stood in the file, one for each of `rows`, where the loader has them: a refusal found later shows it
    originals: list[list[str]] = field(default_factory=list)
    #: what was made of the rows ahead of the database (see `ahead.prepared`); loaders leave it empty
    prepared: Any = None


RowStream = Iterator[RowChunk]

T = Type
_PLACE = (Column("part"), Column("line", T.INTEGER, required=True))
_PATIENT = Column("patient_external_id", T.CODE, required=True)
_ENCOUNTER = Column("encounter_external_id", T.CODE)
_CODED = (Column("code_system"), Column("code", T.CODE), Column("display"))
_REASON = (Column("reason_code", T.CODE), Column("reason_display"))
_DOER = (Column("practitioner_external_id", T.CODE), Column("practitioner_name"))
_NOTE = Column("note")


def _kind(name: str, resource: str, *columns: Column, key: tuple[Key, ...] = ()) -> Kind:
    return Kind(name, resource, (*_PLACE, Column("external_id", T.CODE), *columns), key)


ORGANIZATION = _kind(
    "organization",
    "Organization",
    Column("name", required=True),
    Column("type_display"),
    Column("phone"),
    Column("address"),
    Column("city"),
    Column("part_of_external_id", T.CODE),
)

LOCATION = _kind(
    "location",
    "Location",
    Column("name", required=True),
    Column("phone"),
    Column("address"),
    Column("city"),
    Column("organization_external_id", T.CODE),
)

PRACTITIONER = _kind(
    "practitioner",
    "Practitioner",
    Column("name", required=True),
    Column("sex", T.CODE),
    Column("specialty"),
    Column("active", T.BOOLEAN),
    Column("phone"),
    Column("email"),
    Column("organization_external_id", T.CODE),
)

PATIENT = _kind(
    "patient",
    "Patient",
    Column("chart_number", T.CODE),
    Column("national_id", T.CODE, sealed=True),
    # [{"system": "...", "type": "SS", "value": "..."}]: every further identifier (passport, licence, insurance card)
    Column("identifiers", T.JSON, sealed=True),
    Column("name", required=True),  # as shown: 王小明, Abdul218 Koepp521
    Column("family_name"),
    Column("given_name"),
    Column("sex", T.CODE),  # FHIR administrative gender: male female other unknown
    Column("birth_date", T.DATETIME),  # day, or only year or month where that is all that is known
    Column("deceased", T.BOOLEAN),
    Column("deceased_at", T.DATETIME),
    Column("active", T.BOOLEAN),
    Column("mobile", sealed=True),
    Column("phone", sealed=True),
    Column("email", sealed=True),
    Column("line_id", sealed=True),
    # [{"system": "phone", "use": "work", "value": "..."}]: contact points beyond those above
    Column("contacts", T.JSON, sealed=True),
    Column("postal_code"),
    Column("address", sealed=True),
    Column("city"),
    Column("district"),
    Column("country", T.CODE),
    Column("language", T.CODE),  # BCP 47
    Column("marital_status", T.CODE),
    Column("blood_group", T.CODE),
    Column("occupation"),
    Column("tags"),  # separated by |
    Column("registered_on", T.DATE),
    _NOTE,
)

RELATED_PERSON = _kind(
    "related_person",
    "RelatedPerson",
    _PATIENT,
    Column("name", required=True),
    Column("relationship", T.CODE),  # v3-RoleCode (MTH, FTH, SPS, CHILD, GUARD …) or a word
    Column("sex", T.CODE),
    Column("birth_date", T.DATE),
    Column("phone", sealed=True),
    Column("email", sealed=True),
    Column("guardian", T.BOOLEAN),
    key=(Key("name"),),
)

ENCOUNTER = _kind(
    "encounter",
    "Encounter",
    _PATIENT,
    Column("status", T.CODE),  # FHIR encounter-status; finished where the source has none and an end
    Column("class_code", T.CODE),  # v3-ActCode: AMB EMER IMP HH VR …
    *_CODED,  # the type of the visit
    Column("start", T.DATETIME, required=True),
    Column("end", T.DATETIME),
    *_REASON,
    *_DOER,
    Column("organization_external_id", T.CODE),
    Column("organization_name"),
    Column("location_name"),
    Column("department"),
    Column("total_amount", T.NUMBER),
    Column("self_pay_amount", T.NUMBER),
    Column("currency", T.CODE),
    _NOTE,
    key=(Key("code"), Key("start", "AT")),
)

CONDITION = _kind(
    "condition",
    "Condition",
    _PATIENT,
    _ENCOUNTER,
    Column("clinical_status", T.CODE),  # active recurrence relapse inactive remission resolved
    Column("verification_status", T.CODE),
    Column("category", T.CODE),
    Column("severity"),
    *_CODED,
    Column("onset", T.DATETIME),
    Column("abatement", T.DATETIME),
    Column("recorded", T.DATETIME),
    _NOTE,
    key=(Key("code"), Key("onset", "ON")),
)

ALLERGY = _kind(
    "allergy",
    "AllergyIntolerance",
    _PATIENT,
    _ENCOUNTER,
    Column("clinical_status", T.CODE),
    Column("verification_status", T.CODE),
    Column("type", T.CODE),  # allergy intolerance
    Column("category", T.CODE),  # food medication environment biologic, separated by space
    Column("criticality", T.CODE),
    *_CODED,
    Column("recorded", T.DATETIME),  # onset where there is no recorded date
    Column("ended", T.DATETIME),
    # [{"code": "...", "display": "...", "severity": "mild"}]
    Column("reactions", T.JSON),
    _NOTE,
    key=(Key("code"), Key("recorded", "ON")),
)

MEDICATION = _kind(
    "medication",
    "MedicationRequest",
    _PATIENT,
    _ENCOUNTER,
    Column("status", T.CODE),  # active stopped completed on-hold cancelled entered-in-error draft unknown
    Column("intent", T.CODE),
    *_CODED,
    Column("start", T.DATETIME),  # authoredOn
    Column("end", T.DATETIME),
    Column("dosage"),
    *_REASON,
    *_DOER,
    Column("refills_allowed", T.INTEGER),
    Column("dispenses", T.INTEGER),
    Column("days_supply", T.INTEGER),
    Column("quantity", T.NUMBER),
    Column("refillable", T.BOOLEAN),  # 慢性病連續處方箋
    _NOTE,
    key=(Key("code"), Key("start", "AT")),
)

OBSERVATION = _kind(
    "observation",
    "Observation",
    _PATIENT,
    _ENCOUNTER,
    Column("status", T.CODE),
    Column("category", T.CODE),
    *_CODED,
    Column("effective", T.DATETIME),
    Column("comparator", T.CODE),
    Column("value_number", T.NUMBER),
    Column("value_text"),
    Column("value_code", T.CODE),
    Column("unit"),  # UCUM where the source has it
    Column("reference_low", T.NUMBER),
    Column("reference_high", T.NUMBER),
    Column("reference_text"),
    Column("interpretation", T.CODE),
    # [{"system": "...", "code": "8480-6", "display": "...", "number": 120, "text": null, "unit": "mm[Hg]"}]
    Column("components", T.JSON),
    _NOTE,
    key=(Key("code"), Key("effective", "AT")),
)

PROCEDURE = _kind(
    "procedure",
    "Procedure",
    _PATIENT,
    _ENCOUNTER,
    Column("status", T.CODE),
    *_CODED,
    Column("start", T.DATETIME),
    Column("end", T.DATETIME),
    Column("body_site"),
    *_REASON,
    *_DOER,
    _NOTE,
    key=(Key("code"), Key("start", "AT")),
)

IMMUNIZATION = _kind(
    "immunization",
    "Immunization",
    _PATIENT,
    _ENCOUNTER,
    Column("status", T.CODE),
    *_CODED,
    Column("occurrence", T.DATETIME),
    Column("dose_number", T.INTEGER),
    Column("lot_number"),
    Column("site"),
    *_DOER,
    _NOTE,
    key=(Key("code"), Key("occurrence", "AT")),
)

REPORT = _kind(
    "report",
    "DiagnosticReport",
    _PATIENT,
    _ENCOUNTER,
    Column("status", T.CODE),
    Column("category", T.CODE),
    *_CODED,
    Column("effective", T.DATETIME),
    Column("issued", T.DATETIME),
    Column("conclusion"),
    Column("text"),  # presentedForm that is text, decoded
    # ["external id of an observation", …]
    Column("results", T.JSON),
    *_DOER,
    key=(Key("code"), Key("effective", "AT")),
)

CARE_PLAN = _kind(
    "care_plan",
    "CarePlan",
    _PATIENT,
    _ENCOUNTER,
    Column("status", T.CODE),
    Column("intent", T.CODE),
    Column("title"),
    *_CODED,  # the last category that has a code of a clinical system (not assess-plan)
    Column("start", T.DATETIME),
    Column("end", T.DATETIME),
    *_REASON,
    # [{"code": "...", "display": "...", "status": "in-progress"}]
    Column("activities", T.JSON),
    _NOTE,
    key=(Key("code"), Key("start", "ON")),
)

INVOICE = _kind(
    "invoice",
    "Claim",
    _PATIENT,
    _ENCOUNTER,
    Column("status", T.CODE),
    Column("payer_kind", T.CODE),  # self-pay nhi insurance
    Column("number", T.CODE),
    Column("issued", T.DATETIME, required=True),
    Column("total_amount", T.NUMBER),
    Column("self_pay_amount", T.NUMBER),
    Column("currency", T.CODE),
    # [{"code": "...", "display": "...", "amount": "12.00"}]
    Column("lines", T.JSON),
    _NOTE,
    key=(Key("issued", "AT"), Key("total_amount")),
)

#: Everything the product has no page for yet is still counted, listed on the timeline and exported: Goal, CareTeam, Device,
#: DocumentReference, ExplanationOfBenefit, ImagingStudy, Provenance, Coverage, … `resource_type` is the FHIR name.
OTHER = _kind(
    "other",
    "",
    Column("resource_type", T.CODE, required=True),
    Column("patient_external_id", T.CODE),
    _ENCOUNTER,
    Column("status", T.CODE),
    Column("category"),
    *_CODED,
    Column("start", T.DATETIME),
    Column("end", T.DATETIME),
    Column("value_number", T.NUMBER),
    Column("unit"),
    Column("text"),
    key=(Key("resource_type"), Key("code"), Key("start", "AT")),
)

#: In the order in which they must be written: a kind refers only to kinds before it.
KINDS: tuple[Kind, ...] = (
    ORGANIZATION,
    LOCATION,
    PRACTITIONER,
    PATIENT,
    RELATED_PERSON,
    ENCOUNTER,
    CONDITION,
    ALLERGY,
    MEDICATION,
    OBSERVATION,
    PROCEDURE,
    IMMUNIZATION,
    REPORT,
    CARE_PLAN,
    INVOICE,
    OTHER,
)
BY_NAME = {kind.name: kind for kind in KINDS}
