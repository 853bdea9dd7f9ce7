"""The page on which one document is read: looks up references, checks times, collects warnings and rows.

Pickers are written for well-shaped resources and go straight at the fields. What is not well-shaped makes
them stumble;
only then `shapes.py` looks for the place, so that the usual case pays nothing for it.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

from careloop.integrations.fhir.errors import FhirRefusal
from careloop.integrations.fhir.references import Directory, Known, Resource, Target, resolve, tail
from careloop.integrations.imports.rows import Row, Warned

Coded = tuple[str | None, str | None, str | None]
NOTHING: Coded = (None, None, None)

UCUM = "http://unitsofmeasure.org"

#: PostgreSQL knows no offset beyond this; none is in use beyond 14 hours.
LARGEST_OFFSET = timedelta(hours=15)


class Reading:
    """One document while it is mapped. `part` and `line` say where the current resource stands."""

    __slots__ = (
        "_offsets",
        "directory",
        "extra",
        "known",
        "line",
        "now",
        "part",
        "resource",
        "rid",
        "warned",
        "zone",
    )

    def __init__(self, *, directory: Directory, zone: tzinfo, now: datetime) -> None:
        self.directory = directory
        self.zone = zone
        self.now = now
        self.known = Known()
        self.part = ""
        self.line = 0
        self.resource: Resource = {}
        self.rid: str | None = None
        self.warned: list[Warned] = []
        #: rows a resource gives besides its own: contacts of a patient
        self.extra: list[tuple[str, Row]] = []
        self._offsets: set[str] = set()

    def warn(self, path: str, code: str, **values: str | int) -> None:
        self.warned.append(Warned(self.part, self.line, path, code, values))

    # references

    def contained(self, reference: str) -> Resource | None:
        for inner in self.resource.get("contained", ()):
            if inner.get("id") == reference[1:]:
                found: Resource = inner
                return found
        return None

    def target(self, reference: Any) -> Target | None:
        """Return what a Reference points to, or None if it says nothing that could be looked up."""
        if reference is None:
            return None
        written = reference.get("reference")
        if (found := self.known.targets.get(written)) is not None:
            return found if type(found) is Target else Target(str(found), tail(written))
        if written is None:
            identifier = reference.get("identifier")
            if identifier is None or not (value := identifier.get("value")):
                return None
            kind = reference.get("type") or ""
            known = self.directory.by_identifier
            system = identifier.get("system") or ""
            for name in (kind,) if kind else ("Practitioner", "Organization", "Location", "Patient"):
                if target := known.get(f"{name}?{system}|{value}"):
                    return target
            return Target(kind, value)
        if written[:1] == "#":
            return None
        return resolve(written, self.directory)

    def ref(self, reference: Any) -> str | None:
        target = self.target(reference)
        return target.id if target else None

    def patient(self, reference: Any, path: str) -> str:
        """Return the external id of the patient a resource is about.

        Raises:
            FhirRefusal: it names nobody, or something that is no patient.
        """
        target = self.target(reference)
        if target is None or not target.id:
            raise FhirRefusal("fhir.no_patient", path)
        if target.type and target.type != "Patient":
            raise FhirRefusal("fhir.not_about_a_patient", path, type=target.type)
        return target.id

    def named(self, reference: Any) -> tuple[str | None, str | None]:
        """Return id and name of a person or place: as the reference calls it, else as it calls itself."""
        if reference is None:
            return None, None
        target = self.target(reference)
        shown = reference.get("display")
        if target is None:
            written = reference.get("reference")
            inner = self.contained(written) if written else None
            return None, shown or (name_of(inner) if inner else None)
        if not shown:
            found = self.known.contents.get(target.id)
            shown = name_of(found) if found else self.directory.names.get(target.id)
        return target.id, shown

    def described(self, concepts: Any, references: Any) -> Coded:
        """Return code and words of a reason: said outright, or by reference to a condition or observation."""
        if concepts:
            return codeable(concepts[0])
        if references:
            target = self.target(references[0])
            if target and (found := self.known.contents.get(target.id)) and "code" in found:
                return codeable(found["code"])
            return None, None, references[0].get("display")
        return NOTHING

    # times

    def when(self, written: Any, path: str) -> str | None:
        """Return a FHIR date or time as written if it is one; a time without a zone gets the clinic's.

        Raises:
            FhirRefusal: it is none.
        """
        if written is None:
            return None
        try:
            length = len(written)
            if length > 10:
                if (
                    (written[-1] == "Z" or written[-6:] in self._offsets)
                    and written[4] == "-" and written[10] == "T" and written[13] == ":" and written[16] == ":"
                ):  # fmt: skip
                    datetime.fromisoformat(written)
                    return written  # type: ignore[no-any-return]
                return self._unusual_time(written, path)
            if length == 10 and written[4] == "-" and written[7] == "-":
                date.fromisoformat(written)
                return written  # type: ignore[no-any-return]
            if length == 7 and written[4] == "-":
                date.fromisoformat(written + "-01")
                return written  # type: ignore[no-any-return]
            if length == 4 and written.isascii() and written.isdigit() and written != "0000":
                return written  # type: ignore[no-any-return]
        except (ValueError, TypeError, IndexError):
            pass
        raise FhirRefusal("fhir.not_a_date", path)

    def _unusual_time(self, written: str, path: str) -> str:
        """Return `YYYY-MM-DDTHH:MM:SS±HH:MM`: seconds and zone may be missing, a blank may stand for T.

        An offset seen for the first time comes here too, and is remembered if it is one that exists.

        Raises:
            ValueError: it is no time.
        """
        if written[4] != "-" or written[7] != "-" or written[10] not in "Tt " or written[13] != ":":
            raise ValueError("not a FHIR time")
        moment = datetime.fromisoformat(written.upper())
        offset = moment.utcoffset()
        if offset is None:
            self.warn(path, "fhir.time_without_zone")
            return moment.replace(tzinfo=self.zone).isoformat()
        if abs(offset) > LARGEST_OFFSET:
            raise ValueError("no such offset")
        if written[-6] in "+-":
            self._offsets.add(written[-6:])
        return moment.isoformat()

    def period(self, period: Any, path: str) -> tuple[str | None, str | None]:
        if period is None:
            return None, None
        start = self.when(period.get("start"), f"{path}.start")
        end = self.when(period.get("end"), f"{path}.end")
        if start and end and len(start) == len(end) and start[-6:] == end[-6:] and end < start:
            self.warn(path, "fhir.end_before_start")
        return start, end

    def first_time(self, path: str, *names: str) -> str | None:
        """Return the first time under one of the names: dateTime, start of a period, event of a timing."""
        resource = self.resource
        for name in names:
            value = resource.get(name)
            if value is None:
                continue
            if type(value) is dict:
                if "event" in value:
                    return self.when(value["event"][0], f"{path}.{name}.event[0]")
                return self.when(value.get("start") or value.get("end"), f"{path}.{name}.start")
            return self.when(value, f"{path}.{name}")
        return None


def codeable(concept: Any) -> Coded:
    """Return system, code and words of a CodeableConcept: first coding with a code, text before display."""
    if concept is None:
        return NOTHING
    for coding in concept.get("coding", ()):
        code = coding.get("code")
        if code:
            return coding.get("system"), code, concept.get("text") or coding.get("display")
    text = concept.get("text")
    if text is None:
        for coding in concept.get("coding", ()):
            text = text or coding.get("display")
    return None, None, text


def code_of(concept: Any) -> str | None:
    """Return only the code of a CodeableConcept, or its text."""
    if concept is None:
        return None
    for coding in concept.get("coding", ()):
        code = coding.get("code")
        if code:
            return str(code)
    text = concept.get("text")
    return str(text) if text else None


def require_words(code: str | None, words: str | None, path: str) -> None:
    """Refuse what says neither in a code nor in words what it is about."""
    if not code and not words:
        raise FhirRefusal("fhir.no_code", path)


def first_code(concepts: Any) -> str | None:
    return code_of(concepts[0]) if concepts else None


def words_of(concept: Any) -> str | None:
    """Return the words of a CodeableConcept, or its code if it has none."""
    if concept is None:
        return None
    _system, code, text = codeable(concept)
    return text or code


def number(value: Any, path: str) -> int | float | None:
    """Return a number; text that is a number is taken for one.

    Raises:
        FhirRefusal: it is none.
    """
    if value is None:
        return None
    kind = type(value)
    if kind is int or kind is float:
        found: int | float = value
        return found
    if kind is str:
        try:
            taken = float(value)
        except ValueError:
            pass
        else:
            if taken == taken and abs(taken) != float("inf"):
                return taken
    raise FhirRefusal("fhir.not_a_number", path)


def whole(value: Any, path: str) -> int | None:
    """Return a whole number that is not negative."""
    found = number(value, path)
    if found is None:
        return None
    if found != int(found) or not 0 <= found < 2**31:
        raise FhirRefusal("fhir.not_a_number", path)
    return int(found)


def unit_of(quantity: Any) -> str | None:
    """Return the unit of a Quantity: its UCUM code, else as written."""
    code = quantity.get("code")
    if code and quantity.get("system") == UCUM:
        return str(code)
    return quantity.get("unit") or code or None


def notes(annotations: Any) -> str | None:
    """Return the texts of a list of Annotations, one a line."""
    if not annotations:
        return None
    return joined((note.get("text") for note in annotations), "\n")


def joined(texts: Iterable[Any], between: str) -> str | None:
    if type(texts) is dict:
        raise TypeError("a list of texts was expected")  # its keys would be taken for texts
    return between.join(text for text in texts if text) or None


def name_of(resource: Resource) -> str | None:
    """Return what a person or place is called, or the words of its code."""
    name = resource.get("name")
    if type(name) is str:
        return name
    if type(name) is list:
        return human_name(name)[0]
    return words_of(resource.get("code"))


#: Which of several names to take: the one in use now.
USES = {"official": 0, "usual": 1, None: 2, "anonymous": 5, "temp": 6, "nickname": 7, "maiden": 8, "old": 9}


def human_name(names: Any) -> Coded:
    """Return the name as shown, the family name and the given names.

    The text is taken as it is. Without one, Chinese names are joined family first without a blank, others
    given first.
    Prefixes are left out: a list sorted by name should not begin with Mr.

    >>> human_name([{"family": "Koepp521", "given": ["Abdul218"], "prefix": ["Mr."]}])
    ('Abdul218 Koepp521', 'Koepp521', 'Abdul218')
    >>> human_name([{"family": "王", "given": ["小明"]}])[0]
    '王小明'
    """
    if not names:
        return NOTHING
    name = names[0] if len(names) == 1 else min(names, key=lambda found: USES.get(found.get("use"), 4))
    family = name.get("family")
    given = joined(name.get("given", ()), " ")
    text = name.get("text")
    if not text:
        if family and given and is_chinese(family[0]):
            text = family + given.replace(" ", "")
        else:
            text = joined((given, family), " ")
    return (text.strip() if text else None), family, given


def is_chinese(sign: str) -> bool:
    return "\u3400" <= sign <= "\u9fff" or "\U00020000" <= sign <= "\U0003ffff" or "\uf900" <= sign <= "\ufaff"
