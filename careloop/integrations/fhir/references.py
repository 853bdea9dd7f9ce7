"""How resources name each other, and what is found under a name.

A reference in a Bundle may be a `urn:uuid:` that only the entry's fullUrl explains, `Type/id`, an absolute
address, `#id` of a
contained resource, a search (`Practitioner?identifier=system|value`, allowed in transactions) or an
identifier alone. Whatever
the form, the answer is the type, if it is said, and the id by which the thing was or will be imported.
"""

from typing import Any, NamedTuple
from urllib.parse import unquote

from careloop.integrations.fhir.errors import FhirRefusal
from careloop.integrations.fhir.types import RESOURCE_TYPES

Resource = dict[str, Any]


class Target(NamedTuple):
    """What a reference points to; `type` is empty where neither the reference nor the document says it."""

    type: str
    id: str


#: Resources that others are described with; they are looked up when a reference gives no words of its own.
NAMED = frozenset({"Practitioner", "Organization", "Location"})
DESCRIBING = NAMED | {"Medication", "Condition", "Observation"}


class Directory:
    """What is known across documents of one import: names of people and places, and who has which identifier.

    Bounded: beyond `limit` entries nothing is added, and references fall back to what they say themselves.
    """

    def __init__(self, limit: int = 200_000) -> None:
        self.limit = limit
        self.by_identifier: dict[str, Target] = {}
        self.names: dict[str, str] = {}
        self.medications: dict[str, tuple[str | None, str | None, str | None]] = {}
        self.claims: set[str] = set()

    def learn_identifiers(self, target: Target, identifiers: Any) -> None:
        if type(identifiers) is not list or len(self.by_identifier) >= self.limit:
            return
        for identifier in identifiers:
            if type(identifier) is dict and type(value := identifier.get("value")) is str:
                self.by_identifier[f"{target.type}?{identifier.get('system') or ''}|{value}"] = target

    def learn_name(self, target: Target, name: str | None) -> None:
        if name and len(self.names) < self.limit:
            self.names[target.id] = name


class Known:
    """The names inside one document. A part of a large document looks up those of the whole (`parent`).

    A `lean` one is for large documents: it keeps of each resource no more than is looked up.
    """

    __slots__ = ("contents", "lean", "parent", "payments", "seen", "targets")

    def __init__(self, parent: "Known | None" = None, *, lean: bool = False) -> None:
        self.parent = parent
        self.lean = lean
        #: fullUrl → what it names; only the type where the id is the end of the fullUrl anyway
        self.targets: dict[str, Target | str] = parent.targets if parent else {}
        self.contents: dict[str, Resource] = parent.contents if parent else {}
        #: id of a claim → the ExplanationOfBenefit that answers it
        self.payments: dict[str, Resource] = parent.payments if parent else {}
        self.seen: set[int] = set()

    def add(self, full_url: str | None, resource: Any) -> bool:
        """Note a resource under its names; returns False if one of the same type and id was there already.

        Raises:
            FhirRefusal: it is no resource.
        """
        if type(resource) is not dict:
            raise FhirRefusal("fhir.not_an_object")
        kind = resource.get("resourceType")
        if type(kind) is not str:
            raise FhirRefusal("fhir.no_resource_type")
        if kind not in RESOURCE_TYPES:
            raise FhirRefusal("fhir.unknown_type", type=kind[:64])
        rid = resource.get("id")
        if type(rid) is not str:
            if full_url is None:
                return True
            rid = tail(full_url)
        name = hash((kind, rid))
        if name in self.seen:
            return False
        self.seen.add(name)
        if self.parent is not None:
            return True
        if full_url is not None:
            self.targets[full_url] = kind if self.lean and full_url.endswith(rid) else Target(kind, rid)
        if kind in DESCRIBING:
            self._describe(kind, rid, resource)
        elif kind == "ExplanationOfBenefit":
            claim = resource.get("claim")
            if type(claim) is dict and type(reference := claim.get("reference")) is str:
                self.payments[tail(reference)] = {"payment": resource.get("payment")} if self.lean else resource
        return True

    def _describe(self, kind: str, rid: str, resource: Resource) -> None:
        if not self.lean:
            self.contents[rid] = resource
        elif kind in NAMED:
            self.contents[rid] = {"name": resource.get("name")}
        elif kind != "Observation" and "code" in resource:
            self.contents[rid] = {"code": resource["code"]}

    def has(self, kind: str, rid: str) -> bool:
        """Return whether a resource of this type and id is in the document."""
        return hash((kind, rid)) in self.seen or (self.parent is not None and self.parent.has(kind, rid))

    def same_as_first(self, full_url: str | None, resource: Resource, resources: list[Resource]) -> bool:
        """Return whether a resource whose name is taken says the same as the one that has it."""
        rid = resource.get("id") or tail(full_url or "")
        for other in resources:
            if other.get("id") == rid and other["resourceType"] == resource["resourceType"]:
                return other == resource
        return False


def tail(reference: str) -> str:
    """Return the id at the end of a reference or address.

    >>> tail("urn:uuid:74e6d5a6"), tail("https://x.tw/fhir/Patient/1/_history/3"), tail("Patient/1")
    ('74e6d5a6', '1', '1')
    """
    if reference.startswith("urn:"):
        return reference.rsplit(":", 1)[-1]
    if "/_history/" in reference:
        reference = reference.partition("/_history/")[0]
    return reference.rsplit("/", 1)[-1].split("|", 1)[0]


def type_in(reference: str) -> str:
    """Return the resource type that a reference names, or nothing.

    >>> type_in("https://x.tw/fhir/Patient/1"), type_in("urn:uuid:1")
    ('Patient', '')
    """
    steps = reference.partition("/_history/")[0].rsplit("/", 2)
    return steps[-2] if len(steps) > 1 and steps[-2] in RESOURCE_TYPES else ""


def read_search(reference: str) -> tuple[str, str, str]:
    """Return type, system and value of a conditional reference.

    >>> read_search("Practitioner?identifier=http://hl7.org/fhir/sid/us-npi|9999987594")
    ('Practitioner', 'http://hl7.org/fhir/sid/us-npi', '9999987594')
    """
    kind, _, query = reference.partition("?")
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name == "identifier":
            system, bar, number = unquote(value).rpartition("|")
            return kind.rsplit("/", 1)[-1], system if bar else "", number
    return kind.rsplit("/", 1)[-1], "", ""


def resolve(reference: str, directory: Directory) -> Target:
    """Return what a reference points to that no fullUrl of its document explains (and that is no `#id`)."""
    if "?" in reference:
        kind, system, value = read_search(reference)
        return directory.by_identifier.get(f"{kind}?{system}|{value}") or Target(kind, value)
    return Target(type_in(reference), tail(reference))
