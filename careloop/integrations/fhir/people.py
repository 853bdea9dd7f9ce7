"""Patients, the people around them, and those who treat them."""

import re
from typing import Any

import orjson

from careloop.integrations.fhir.errors import FhirRefusal
from careloop.integrations.fhir.reading import (
    Reading,
    code_of,
    codeable,
    first_code,
    human_name,
    joined,
    words_of,
)
from careloop.integrations.fhir.references import Resource, Target
from careloop.integrations.imports.rows import Row

NATIONAL = ("moi.gov.tw",)
RESIDENT = ("immigration.gov.tw",)
SEXES = {
    "male": "male", "female": "female", "other": "other", "unknown": "unknown",
    "m": "male", "f": "female", "男": "male", "女": "female", "u": "unknown", "o": "other",
}  # fmt: skip
MOBILE = re.compile(r"(\+?886[- ]?|0)9\d{2}[- ]?\d{3}[- ]?\d{3}")
#: TW Core puts the postal code into an extension of the primitive.
TW_POSTAL = "tw-postal-code"
#: v3-RoleCode and v2-0131 codes of those who decide for the patient.
GUARDIANS = frozenset({"GUARD", "HPOWATT", "DPOWATT", "POWATT", "SPOWATT"})


def patient(at: Reading, r: Resource) -> Row:
    rid = at.rid
    chart, national, others = _identifiers(at, r.get("identifier"))
    name, family, given = human_name(r.get("name"))
    gender = r.get("gender")
    sex = gender if gender is None or gender in SEXES.values() else _sex(at, gender)
    if name is None:
        # A patient is kept for the sake of the records; the list shows that the name is missing.
        name = f"#{chart or rid or at.line}"
        at.warn("Patient.name", "fhir.no_name_placeholder")
    born = r.get("birthDate")
    if born is not None:
        born = at.when(born[:10] if type(born) is str else born, "Patient.birthDate")
    deceased_at = at.when(r.get("deceasedDateTime"), "Patient.deceasedDateTime")
    deceased = True if deceased_at else r.get("deceasedBoolean")
    mobile, phone, email, line_id, contacts = _telecom(r.get("telecom"))
    postal, address, city, district, country = _address(r.get("address"))
    if "contact" in r:
        _contacts(at, r["contact"], rid)
    for link in r.get("link", ()):
        if link.get("type") == "replaced-by":
            at.warn("Patient.link", "fhir.replaced_patient")
    return (
        at.part, at.line, rid,
        chart, national, orjson.dumps(others).decode() if others else None,
        name, family, given, sex, born, deceased, deceased_at, r.get("active"),
        mobile, phone, email, line_id, orjson.dumps(contacts).decode() if contacts else None,
        postal, address, city, district, country,
        _language(r.get("communication")), code_of(r.get("maritalStatus")),
        None, None, None, None, None,
    )  # fmt: skip


def _identifiers(at: Reading, identifiers: Any) -> tuple[str | None, str | None, list[dict[str, Any]]]:
    """Return chart number, national id or resident number, and all others."""
    chart = national = None
    others: list[dict[str, Any]] = []
    for identifier in identifiers or ():
        value = identifier.get("value")
        if not value:
            continue
        system = identifier.get("system") or ""
        kind = code_of(identifier.get("type"))
        if kind == "MR" and chart is None and identifier.get("use") != "old":
            chart = value
        elif national is None and (system.endswith((*NATIONAL, *RESIDENT)) or kind == "NNTWN"):
            national = value
        else:
            others.append({"system": system, "type": kind, "value": value})
    return chart, national, others


def _sex(at: Reading, written: Any) -> str:
    sex = SEXES.get(written.strip().lower(), "unknown")
    at.warn(f"{at.resource['resourceType']}.gender", "fhir.unknown_code", value=written[:20], taken=sex)
    return sex


def _telecom(telecom: Any) -> tuple[str | None, str | None, str | None, str | None, list[dict[str, Any]]]:
    """Sort contact points: one mobile, one fixed line, one e-mail, one LINE id, and what is left over."""
    mobile = phone = email = line_id = None
    rest: list[dict[str, Any]] = []
    for point in telecom or ():
        value = point.get("value")
        if not value:
            continue
        system = point.get("system")
        use = point.get("use")
        if use != "old":
            if system == "email" and email is None:
                email = value
                continue
            if system in ("phone", "sms", None):
                if mobile is None and (use == "mobile" or system == "sms" or MOBILE.fullmatch(value)):
                    mobile = value
                    continue
                if phone is None and use != "mobile":
                    phone = value
                    continue
            if line_id is None and system in ("other", "url") and value.lower().startswith("line:"):
                line_id = value[5:]
                continue
        rest.append({"system": system, "use": use, "value": value})
    return mobile, phone, email, line_id, rest


def _address(addresses: Any) -> tuple[str | None, str | None, str | None, str | None, str | None]:
    """Return postal code, address, city, district and country of the home address."""
    if not addresses:
        return None, None, None, None, None
    found = addresses[0]
    if len(addresses) > 1:
        found = min(addresses, key=lambda one: {"home": 0, None: 1, "work": 3, "old": 9}.get(one.get("use"), 2))
    city, district = found.get("city"), found.get("district") or found.get("state")
    # The official TW Core patient has 大同區 as the city and 臺北市 as the district; others have it right.
    if city and district and district[-1] in "市縣" and city[-1] in "區鄉鎮":
        city, district = district, city
    postal = found.get("postalCode")
    if postal is None and "_postalCode" in found:
        for extension in found["_postalCode"].get("extension", ()):
            if extension.get("url", "").endswith(TW_POSTAL):
                postal = code_of(extension.get("valueCodeableConcept"))
    text = found.get("text") or joined(found.get("line", ()), ", ")
    return postal, text, city, district, found.get("country")


def _language(communication: Any) -> str | None:
    if not communication:
        return None
    for one in communication:
        if one.get("preferred"):
            return code_of(one.get("language"))
    return code_of(communication[0].get("language"))


def _contacts(at: Reading, contacts: Any, patient_id: str | None) -> None:
    """Contact persons that stand inside the patient become related persons."""
    for place, contact in enumerate(contacts):
        name = human_name([contact["name"]])[0] if contact.get("name") else None
        if name is None:
            at.warn(f"Patient.contact[{place}].name", "fhir.contact_without_name")
            continue
        if patient_id is None:
            continue
        row = _related(at, None, patient_id, name, contact, birth_date=None)
        at.extra.append(("related_person", row))


def related_person(at: Reading, r: Resource) -> Row:
    name = human_name(r.get("name"))[0]
    if name is None:
        raise FhirRefusal("fhir.no_name", "RelatedPerson.name")
    born = at.when(r.get("birthDate"), "RelatedPerson.birthDate")
    patient_id = at.patient(r.get("patient"), "RelatedPerson.patient")
    # The column holds whole days only; a year alone would make up a birthday.
    return _related(at, at.rid, patient_id, name, r, birth_date=born if born and len(born) == 10 else None)


def _related(at: Reading, rid: str | None, patient_id: str, name: str, r: Resource, *, birth_date: str | None) -> Row:
    relationship = first_code(r.get("relationship"))
    mobile, phone, email, _line, _rest = _telecom(r.get("telecom"))
    gender = r.get("gender")
    guardian = True if relationship in GUARDIANS else None
    sex = gender if gender is None or gender in SEXES.values() else _sex(at, gender)
    return (
        at.part,
        at.line,
        rid,
        patient_id,
        name,
        relationship,
        sex,
        birth_date,
        mobile or phone,
        email,
        guardian,
    )


# those who treat


def practitioner(at: Reading, r: Resource) -> Row:
    name = human_name(r.get("name"))[0]
    if name is None:
        raise FhirRefusal("fhir.no_name", "Practitioner.name")
    rid = at.rid
    if rid is not None:
        target = Target("Practitioner", rid)
        at.directory.learn_identifiers(target, r.get("identifier"))
        at.directory.learn_name(target, name)
    mobile, phone, email, _line, _rest = _telecom(r.get("telecom"))
    gender = r.get("gender")
    sex = gender if gender is None or gender in SEXES.values() else _sex(at, gender)
    qualification = r.get("qualification")
    specialty = words_of(qualification[0].get("code")) if qualification else None
    return (at.part, at.line, rid, name, sex, specialty, r.get("active"), mobile or phone, email, None)


def practitioner_role(at: Reading, r: Resource) -> Row | None:
    """A role adds specialty and organization to the person, and is one line in the directory."""
    person, name = at.named(r.get("practitioner"))
    specialties = r.get("specialty") or r.get("code")
    system, code, specialty = codeable(specialties[0]) if specialties else (None, None, None)
    mobile, phone, email, _line, _rest = _telecom(r.get("telecom"))
    if person is not None and name is not None:
        place = at.ref(r.get("organization"))
        row = (
            at.part,
            at.line,
            person,
            name,
            None,
            specialty,
            r.get("active"),
            mobile or phone,
            email,
            place,
        )
        at.extra.append(("practitioner", row))
    return (
        at.part, at.line, at.rid, "PractitionerRole", None, None, None, None,
        system, code, joined((name, specialty), ", "), None, None, None, None, None,
    )  # fmt: skip


def organization(at: Reading, r: Resource) -> Row:
    name = r.get("name") or joined(r.get("alias", ()), ", ")
    if not name:
        raise FhirRefusal("fhir.no_name", "Organization.name")
    rid = at.rid
    if rid is not None:
        target = Target("Organization", rid)
        at.directory.learn_identifiers(target, r.get("identifier"))
        at.directory.learn_name(target, name)
    mobile, phone, _email, _line, _rest = _telecom(r.get("telecom"))
    _postal, address, city, _district, _country = _address(r.get("address"))
    kind = r.get("type")
    return (
        at.part, at.line, rid, name, words_of(kind[0]) if kind else None, phone or mobile, address, city,
        at.ref(r.get("partOf")),
    )  # fmt: skip


def location(at: Reading, r: Resource) -> Row:
    name = r.get("name") or r.get("description") or joined(r.get("alias", ()), ", ")
    if not name:
        raise FhirRefusal("fhir.no_name", "Location.name")
    rid = at.rid
    if rid is not None:
        target = Target("Location", rid)
        at.directory.learn_identifiers(target, r.get("identifier"))
        at.directory.learn_name(target, name)
    mobile, phone, _email, _line, _rest = _telecom(r.get("telecom"))
    address = r.get("address")
    _postal, text, city, _district, _country = _address([address] if address else None)
    return (at.part, at.line, rid, name, phone or mobile, text, city, at.ref(r.get("managingOrganization")))
