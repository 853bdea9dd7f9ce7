"""Giving a person all their data, and erasing it. Each is one transaction and leaves its reason in the audit log."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from careloop.audit import services as audit
from careloop.kernel import sql
from careloop.patients import restricting
from careloop.patients.errors import UnknownPatient
from careloop.privacy.errors import MustBeKept
from careloop.privacy.keepers import keepers
from careloop.privacy.selectors import standing


def give_out(*, patient_id: UUID, reason: str, now: datetime) -> dict[str, Any]:
    """Return everything kept about the patient, in clear, by slice from the ground up.

    Raises:
        UnknownPatient.
    """
    clinic = sql.row(
        "select o.name, o.legal_profile from patients_patient p cross join tenancy_organization o where p.id = %s",
        [patient_id],
    )
    if clinic is None:
        raise UnknownPatient
    found = {name: keeper.export(patient_id) for name, keeper in reversed(list(keepers()))}
    audit.record("patient.given_out", patients=[patient_id], reason=reason, now=now)
    return {"given_out_at": now, "clinic": clinic["name"], "patient_id": patient_id, **found}


@transaction.atomic
def erase(*, patient_id: UUID, reason: str, now: datetime) -> None:
    """Empty the patient's record in every slice and destroy its key; an empty, closed record stays for what refers to it.

    Raises:
        UnknownPatient, RecordErased.
        MustBeKept: the law asks for the records still.
    """
    restricting.locked(patient_id)
    stands = standing(patient_id, now=now)
    if stands is not None and stands.keep_until is not None:
        raise MustBeKept(until=stands.keep_until.isoformat(), legal_base=stands.legal_base)
    for _name, keeper in keepers():
        keeper.erase(patient_id)
    restricting.close_erased(patient_id, reason=reason, now=now)
