"""For whom a patient may act on these pages, and who may act for them.

A guardian acts for a child. At eighteen that ends (Civil Code art. 12): an adult's pages open to somebody else only when the adult
(or, at the desk, a colleague who saw the paper) allowed it: `may_act`.
"""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.db import transaction

from careloop.audit import services as audit
from careloop.kernel import sql
from careloop.kernel.dates import age_in_years
from careloop.patients import services as patients
from careloop.patients.models import RelatedPerson
from careloop.portal.errors import NotYours

ADULT = 18


@dataclass(frozen=True)
class Relative:
    """A family member whose pages may be opened."""

    patient_id: UUID
    name: str
    birth_date: date | None
    relationship: str


def may_act(*, is_guardian: bool, is_allowed: bool, birth_date: date | None, today: date) -> bool:
    """Whether somebody may act for a patient.

    Args:
        is_guardian: recorded as the patient's guardian.
        is_allowed: the patient (or the desk, for them) allowed this person to act.
        birth_date: the patient's; unknown counts as adult.

    >>> may_act(is_guardian=True, is_allowed=False, birth_date=date(2018, 5, 1), today=date(2026, 3, 16))
    True
    >>> may_act(is_guardian=True, is_allowed=False, birth_date=date(2008, 3, 16), today=date(2026, 3, 16))
    False
    >>> may_act(is_guardian=False, is_allowed=True, birth_date=date(1944, 1, 1), today=date(2026, 3, 16))
    True
    """
    is_child = birth_date is not None and age_in_years(birth_date, on=today) < ADULT
    return is_allowed or (is_guardian and is_child)


def those_acted_for(patient_id: UUID, *, today: date) -> list[Relative]:
    """Return the family members for whom this patient may act now."""
    found = sql.rows(
        """select p.id, p.name, p.birth_date, r.relationship, r.is_guardian, r.may_act
             from patients_related_person r join patients_patient p on p.id = r.patient_id
            where r.relative_id = %s and (r.is_guardian or r.may_act) and p.merged_into_id is null and p.active and not p.deceased
            order by p.birth_date desc nulls last, p.name""",
        [patient_id],
    )
    return [
        Relative(row["id"], row["name"], row["birth_date"], row["relationship"])
        for row in found
        if may_act(is_guardian=row["is_guardian"], is_allowed=row["may_act"], birth_date=row["birth_date"], today=today)
    ]


@dataclass(frozen=True)
class Helper:
    """Somebody recorded as the patient's family, who may or may not act for them."""

    id: UUID
    name: str
    relationship: str
    is_allowed: bool


def helpers_of(patient_id: UUID) -> list[Helper]:
    """Return the family members with a record here whom an adult can allow to act for them."""
    found = sql.rows(
        """select id, name, relationship, may_act from patients_related_person
            where patient_id = %s and relative_id is not null order by name""",
        [patient_id],
    )
    return [Helper(row["id"], row["name"], row["relationship"], row["may_act"]) for row in found]


@transaction.atomic
def allow(*, patient_id: UUID, helper_id: UUID, is_allowed: bool, now: datetime) -> None:
    """Let a family member act for this patient, or end it; in force at their next click.

    Raises:
        NotYours: no such person in this patient's family.
    """
    row = RelatedPerson.objects.select_for_update().filter(
        pk=helper_id, patient_id=patient_id, relative_id__isnull=False
    ).first()  # fmt: skip
    if row is None:
        raise NotYours
    if row.may_act == is_allowed:
        return
    patients.save_related_person(
        patient_id=patient_id, related_person_id=row.pk, name=row.name, relationship=row.relationship,
        relative_id=row.relative_id, is_guardian=row.is_guardian, may_act=is_allowed, sex=row.sex, birth_date=row.birth_date,
        note=row.note, now=now, by=None,
    )  # fmt: skip
    audit.record(
        "portal.helper_allowed" if is_allowed else "portal.helper_refused", patients=[patient_id],
        target=("related_person", row.pk), now=now,
    )  # fmt: skip
