"""Who may decide about whose points: adults about their own, a guardian about a child's; and only within a family.

A family are people recorded as related persons of each other, on either one's page (`patients_related_person`).
"""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from careloop.kernel import sql
from careloop.kernel.dates import age_in_years
from careloop.loyalty import errors

ADULT = 18  # Civil Code art. 12


@dataclass(frozen=True)
class Person:
    """A member as the rules need them. An unknown birth date counts as adult: nobody else decides for such a person."""

    account_id: UUID
    patient_id: UUID
    programme_id: UUID
    birth_date: date | None

    def is_child(self, today: date) -> bool:
        return self.birth_date is not None and age_in_years(self.birth_date, on=today) < ADULT


def person(account_id: UUID) -> Person:
    """Return who an account belongs to.

    Raises:
        UnknownAccount: no patient's account.
    """
    found = sql.row(
        """select a.id, a.patient_id, a.programme_id, p.birth_date from loyalty_account a join patients_patient p on p.id = a.patient_id
            where a.id = %s and a.kind = 'PATIENT'""",
        [account_id],
    )
    if found is None:
        raise errors.UnknownAccount
    return Person(found["id"], found["patient_id"], found["programme_id"], found["birth_date"])


def today_of(now: datetime) -> date:
    """Return the organization's own calendar day."""
    day: date = sql.value("select loyalty_today(%s)", [now])
    return day


def are_family(one: UUID, other: UUID) -> bool:
    """Whether one patient is recorded as a related person of the other."""
    return bool(
        sql.value(
            """select exists (select from patients_related_person
                where (patient_id = %(one)s and relative_id = %(other)s) or (patient_id = %(other)s and relative_id = %(one)s))""",
            {"one": one, "other": other},
        )
    )


def is_guardian(patient_id: UUID, *, of: UUID) -> bool:
    return bool(
        sql.value(
            "select exists (select from patients_related_person where patient_id = %s and relative_id = %s and is_guardian)",
            [of, patient_id],
        )
    )


def check_agreed(of: Person, *, by: UUID, today: date) -> None:
    """Refuse unless `by` (a patient) may decide about this member's points.

    Raises:
        GuardianMustAgree, AdultMustAgree.
    """
    if of.is_child(today):
        if not is_guardian(by, of=of.patient_id):
            raise errors.GuardianMustAgree
    elif by != of.patient_id:
        raise errors.AdultMustAgree


def check_transfer(from_account_id: UUID, to_account_id: UUID, *, agreed_by: UUID | None, now: datetime) -> None:
    """Refuse a transfer that the programme or the family does not allow.

    Raises:
        NoTransfers, NotFamily, GuardianMustAgree, AdultMustAgree, UnknownAccount.
    """
    giver, taker = person(from_account_id), person(to_account_id)
    if not sql.value("select allows_transfers from loyalty_programme where id = %s", [giver.programme_id]):
        raise errors.NoTransfers
    if not are_family(giver.patient_id, taker.patient_id):
        raise errors.NotFamily
    check_agreed(giver, by=agreed_by or giver.patient_id, today=today_of(now))
