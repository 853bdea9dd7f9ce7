"""Reading patients: search, what is shown of them, and who looks alike."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from careloop.accounts.scope import current_location_ids
from careloop.kernel import sql
from careloop.kernel.dates import DateRefused, read_date
from careloop.kernel.masking import mask_address, mask_email, mask_id, mask_line_id, mask_phone
from careloop.kernel.phones import PhoneRefused, read_phone
from careloop.kernel.taiwan import IdKind, read_id
from careloop.kernel.text import matches, normalise, query_grams
from careloop.patients import sealing
from careloop.patients.contacts import read_contact
from careloop.tenancy.context import current_organization_id

FOUND_AT_MOST = 20
# Pieces can be spread over a name so that it holds them all and still does not match: fetch more, then compare.
NAMES_LOOKED_AT = 60
CHART_NUMBER = re.compile(r"[0-9A-Za-z][0-9A-Za-z\-_./]{0,59}")
LONGEST_QUERY = 100
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class FoundPatient:
    """One answer of the search. `phones` are masked; `by` says what matched (name, chart_number, phone, last3, …)."""

    id: UUID
    name: str
    sex: str
    birth_date: date | None
    birth_precision: str
    chart_number: str
    deceased: bool
    active: bool
    by: str
    phones: tuple[str, ...]


# -- search -----------------------------------------------------------------------------------------------------


def search(text: str, *, today: date, limit: int = FOUND_AT_MOST) -> list[FoundPatient]:
    """Find patients by any part of a name, chart number, national id, phone, its last three digits, or birth date.

    Two statements, whatever is typed: one finds, one fetches the masked phones. Best matches first: numbers that are
    exactly right, then chart numbers that begin so, names, last digits.

    Args:
        today: no birth date lies after it.
    """
    text = text.replace("\0", "").strip()[:LONGEST_QUERY]
    parts, params, is_name = ways_to_find(text, today=today)
    if not parts:
        return []
    found = sql.rows(
        f"""with hits as (
                select distinct on (id) id, rank, by from ({" union all ".join(parts)}) as every_way (id, rank, by) order by id, rank
            )
            select p.id, p.name, p.sex, p.birth_date, p.birth_precision, p.chart_number, p.deceased, p.active, h.by
              from hits h join patients_patient p on p.id = h.id
             where p.merged_into_id is null
               and (%(locations)s::uuid[] is null or p.home_location_id = any(%(locations)s))
             order by h.rank, p.updated_at desc, p.id desc limit %(most)s""",
        params | {"most": NAMES_LOOKED_AT + limit if is_name else limit, "locations": current_location_ids()},
    )
    if is_name:
        found = [row for row in found if row["by"] != "name" or matches(text, row["name"])]
        found.sort(key=lambda row: 0 if row["by"] != "name" else _name_rank(text, row["name"]))
    found = found[:limit]
    phones = masked_phones([row["id"] for row in found])
    return [FoundPatient(**row, phones=tuple(phones.get(row["id"], ()))) for row in found]


def _name_rank(text: str, name: str) -> int:
    wanted, has = normalise(text), normalise(name)
    return 1 if wanted == has else 2 if has.startswith(wanted) else 3


def ways_to_find(text: str, *, today: date, few: int = NAMES_LOOKED_AT) -> tuple[list[str], dict[str, Any], bool]:
    """Return the SELECTs (id, rank, by) that could find what was typed, their parameters, and whether a name is among them.

    Args:
        few: at most so many answers of each way.
    """
    text = text.replace("\0", "").strip()[:LONGEST_QUERY]
    parts: list[str] = []
    params: dict[str, Any] = {"few": few}
    organization_id = current_organization_id()
    plain = normalise(text)
    digits = re.sub(r"[^0-9]", "", plain)
    if CHART_NUMBER.fullmatch(text):
        # a range on text in C order can use the index under row-level security; LIKE cannot
        upper = text[:-1] + chr(ord(text[-1]) + 1)
        params |= {"chart": text, "chart_end": upper, "chart_upper": text.upper(), "chart_upper_end": upper.upper()}
        parts.append(
            """(select id, case when chart_number in (%(chart)s, %(chart_upper)s) then 0 else 2 end, 'chart_number'
                  from patients_patient
                 where chart_number <> '' and (chart_number >= %(chart)s and chart_number < %(chart_end)s
                       or chart_number >= %(chart_upper)s and chart_number < %(chart_upper_end)s)
                 order by chart_number limit %(few)s)"""
        )
    if read_id(text).kind is not IdKind.OTHER or (len(plain) >= 6 and digits and CHART_NUMBER.fullmatch(text)):
        params["identifier"] = sealing.identifier_index(organization_id, read_id(text).value)
        parts.append(
            "(select patient_id, 0, 'identifier' from patients_identifier where value_index = %(identifier)s limit %(few)s)"
        )
    if len(digits) >= 7:
        try:
            params["phone"] = sealing.contact_index(organization_id, "phone", read_phone(text).e164)
            parts.append(
                "(select patient_id, 0, 'phone' from patients_contact_point where value_index = %(phone)s limit %(few)s)"
            )
        except PhoneRefused:
            pass
    if len(digits) == 3 and plain == digits:
        params["last3_from"], params["last3_to"] = sealing.last3_range(organization_id, digits)
        parts.append(
            """(select patient_id, 4, 'last3' from patients_contact_point
                 where value_index >= %(last3_from)s and value_index <= %(last3_to)s and system = 'phone' limit %(few)s)"""
        )
    if "@" in plain:
        params["email"] = sealing.contact_index(organization_id, "email", read_contact("email", text).indexed)
        parts.append(
            "(select patient_id, 0, 'email' from patients_contact_point where value_index = %(email)s limit %(few)s)"
        )
    if len(digits) >= 4 or any(mark in plain for mark in "年月"):
        try:
            read = read_date(text, latest=today)
            params["days"] = [read.value, *read.others]
            parts.append(
                "(select id, 1, 'birth_date' from patients_patient where birth_date = any(%(days)s) limit %(few)s)"
            )
        except DateRefused:
            pass
    wanted = query_grams(text)
    is_name = bool(wanted) and any(char.isalpha() for char in plain)
    if is_name:
        params["grams"] = wanted
        parts.append("(select id, 3, 'name' from patients_search_names(%(grams)s, %(few)s))")
    return parts, params, is_name


def patients_by_contact(system: str, value: str) -> list[UUID]:
    """Return the patients who have this phone, address or channel id, the best reached first: whose message came in?"""
    index = sealing.contact_index(current_organization_id(), system, read_contact(system, value).indexed)
    found = sql.rows(
        """select c.patient_id from patients_contact_point c join patients_patient p on p.id = c.patient_id
            where c.value_index = %s and c.system = %s and p.merged_into_id is null
            order by c.reach in ('blocked', 'bounced'), c.verified_at nulls last, c.id""",
        [index, system],
    )
    return [row["patient_id"] for row in found]


# -- who looks alike --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Similar:
    """A patient who may be the same person, and why: `identifier`, `phone_and_birth_date`, `name_and_birth_date`."""

    patient_id: UUID
    because: str


def duplicate_hints(
    *, name: str, birth_date: date | None, identifiers: Sequence[str] = (), phones: Sequence[str] = ()
) -> list[Similar]:
    """Return patients who look like the one about to be registered: same identifier, or same birth date and phone or name."""
    organization_id = current_organization_id()
    found = sql.rows(
        """select distinct on (id) id, because from (
               select i.patient_id as id, 1 as rank, 'identifier' as because from patients_identifier i
                where i.value_index = any(%(identifiers)s)
               union all
               select p.id, 2, 'phone_and_birth_date' from patients_contact_point c join patients_patient p on p.id = c.patient_id
                where c.value_index = any(%(phones)s) and p.birth_date = %(birth_date)s
               union all
               select p.id, 3, 'name_and_birth_date' from patients_patient p
                where p.birth_date = %(birth_date)s and p.name = %(name)s
           ) as similar_ones
           join patients_patient alive using (id) where alive.merged_into_id is null
           order by id, rank""",
        {
            "identifiers": [sealing.identifier_index(organization_id, value) for value in identifiers],
            "phones": [
                sealing.contact_index(organization_id, "phone", read_contact("phone", text).indexed) for text in phones
            ],
            "birth_date": birth_date, "name": name,
        },
    )  # fmt: skip
    return [Similar(row["id"], row["because"]) for row in found]


# -- one patient ------------------------------------------------------------------------------------------------


def address_of(patient_id: UUID) -> str:
    """Return the address in clear, or empty."""
    row = sql.row(
        """select p.address_sealed, k.wrapped from patients_patient p join patients_key k on k.patient_id = p.id
            where p.id = %s and p.address_sealed is not null""",
        [patient_id],
    )
    if row is None:
        return ""
    key = sealing.open_key(patient_id, row["wrapped"])
    return sealing.unseal(
        key, row["address_sealed"], table=sealing.PATIENT_TABLE, column="address_sealed", row_id=patient_id
    )


@dataclass(frozen=True, slots=True)
class Secret:
    """A sealed value of a patient, masked; `value` is set only when somebody reveals it."""

    kind: str
    id: UUID
    masked: str
    system: str = ""
    use: str = ""
    warning: str = ""
    reach: str = ""
    is_mobile: bool = False
    is_verified: bool = False
    value: str = ""


def mask(system: str, value: str) -> str:
    """Return what may be seen of a contact value without revealing it."""
    if system == "phone":
        return mask_phone(value) if value.startswith("+") else mask_id(value)
    return mask_email(value) if system == "email" else mask_line_id(value)


def masked_phones(patient_ids: Sequence[UUID]) -> dict[UUID, list[str]]:
    """Return the masked phones of many patients, best first: one query."""
    if not patient_ids:
        return {}
    return {
        patient: [mask("phone", one.value) for one in values]
        for patient, values in sealing.contact_values(patient_ids, "phone").items()
    }


def secrets_of(patient_id: UUID, *, reveal: UUID | None = None) -> list[Secret]:
    """Return identifiers, contact points and address of one patient, masked.

    Args:
        reveal: the row whose value is given in clear too (the patient's own id for the address). Callers that pass it check
            the permission and write the audit note.
    """
    secrets: list[Secret] = []
    rows = sql.rows(
        """select i.id, i.kind, i.system, i.value_sealed, i.warning, k.wrapped
             from patients_identifier i join patients_key k using (patient_id) where i.patient_id = %s order by i.kind, i.id""",
        [patient_id],
    )
    for row in rows:
        key = sealing.open_key(patient_id, row["wrapped"])
        value = sealing.unseal(
            key, row["value_sealed"], table=sealing.IDENTIFIER_TABLE, column="value_sealed", row_id=row["id"]
        )
        shown = value if row["id"] == reveal else ""
        secrets.append(
            Secret(row["kind"], row["id"], mask_id(value), row["system"], warning=row["warning"], value=shown)
        )
    for contact in sealing.contact_values([patient_id]).get(patient_id, []):
        value = f"{contact.value}#{contact.extension}" if contact.extension else contact.value
        secrets.append(
            Secret(
                contact.system, contact.id, mask(contact.system, contact.value), use=contact.use, warning=contact.warning,
                reach=contact.reach, is_mobile=contact.is_mobile, is_verified=contact.is_verified,
                value=value if contact.id == reveal else "",
            )
        )  # fmt: skip
    address = address_of(patient_id)
    if address:
        shown = address if patient_id == reveal else ""
        secrets.append(Secret("address", patient_id, mask_address(address), value=shown))
    return secrets


def family_of(patient_id: UUID) -> list[Row]:
    """Return those who belong to the patient, and the patients whose relative this one is (`is_reverse`)."""
    return sql.rows(
        """select r.id, r.name, r.relationship, r.is_guardian, r.may_act, r.relative_id, r.sex, r.birth_date, r.note,
                  r.phone_sealed is not null as has_phone, r.email_sealed is not null as has_email, false as is_reverse
             from patients_related_person r where r.patient_id = %(patient)s
            union all
           select r.id, p.name, r.relationship, r.is_guardian, r.may_act, p.id, p.sex, p.birth_date, '', false, false, true
             from patients_related_person r join patients_patient p on p.id = r.patient_id
            where r.relative_id = %(patient)s
            order by is_reverse, is_guardian desc, name""",
        {"patient": patient_id},
    )


def tags() -> list[Row]:
    """Return the tags in use, by name."""
    return sql.rows("select id, name, color, number from patients_tag where not is_archived order by name")


def names_of(patient_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Return the names of many patients: one query."""
    found = sql.rows("select id, name from patients_patient where id = any(%s)", [list(patient_ids)])
    return {row["id"]: row["name"] for row in found}


def guardians_of(patient_ids: Iterable[UUID]) -> dict[UUID, list[UUID]]:
    """Return, for each patient, the patients who act for them (guardian or `may_act`), guardians first: one query."""
    found = sql.rows(
        """select patient_id, relative_id from patients_related_person
            where patient_id = any(%s) and relative_id is not null and (is_guardian or may_act)
            order by patient_id, is_guardian desc, id""",
        [list(patient_ids)],
    )
    acting: dict[UUID, list[UUID]] = {}
    for row in found:
        acting.setdefault(row["patient_id"], []).append(row["relative_id"])
    return acting
