"""A record that must be kept but may not be used: closed, so that nothing plans, writes or sends from it."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from careloop.audit import services as audit
from careloop.events import services as events
from careloop.kernel import sql
from careloop.patients import errors
from careloop.patients.events import PatientErased, PatientRestricted, PatientRestrictionLifted, PatientUpdated
from careloop.patients.models import Patient


@transaction.atomic
def restrict(*, patient_id: UUID, reason: str, now: datetime) -> bool:
    """Close the record until the restriction is lifted; return whether it was open to that.

    Raises:
        UnknownPatient, RecordErased.
    """
    if locked(patient_id) == Patient.Restriction.RESTRICTED:
        return False
    was_active = bool(sql.value("select active from patients_patient where id = %s", [patient_id]))
    _set(patient_id, Patient.Restriction.RESTRICTED, now=now)
    _tell(patient_id, PatientRestricted(was_active=was_active), now=now)
    audit.record("patient.restricted", patients=[patient_id], reason=reason, now=now)
    return True


@transaction.atomic
def lift(*, patient_id: UUID, reason: str, now: datetime) -> bool:
    """Use the record again as before: one that the clinic had closed itself stays closed. Return whether it was restricted.

    Raises:
        UnknownPatient, RecordErased.
    """
    if locked(patient_id) != Patient.Restriction.RESTRICTED:
        return False
    was_active = sql.value(
        """select (payload ->> 'was_active')::boolean from events_event where patient_id = %s and kind = 'patient.restricted'
            order by occurred_at desc, id desc limit 1""",
        [patient_id],
    )
    sql.execute(
        "update patients_patient set restriction = '', active = %s, version = version + 1, updated_at = %s where id = %s",
        [was_active is not False, now, patient_id],
    )
    _tell(patient_id, PatientRestrictionLifted(), now=now)
    audit.record("patient.restriction_lifted", patients=[patient_id], reason=reason, now=now)
    return True


def close_erased(patient_id: UUID, *, reason: str, now: datetime) -> None:
    """Note that the record was emptied; see `privacy.services.erase`."""
    _set(patient_id, Patient.Restriction.ERASED, now=now)
    _tell(patient_id, PatientErased(), now=now)
    audit.record("patient.erased", patients=[patient_id], reason=reason, now=now)


def locked(patient_id: UUID) -> str:
    """Lock the record and return its restriction.

    Raises:
        UnknownPatient, RecordErased.
    """
    restriction: str | None = sql.value(
        "select restriction from patients_patient where id = %s for update", [patient_id]
    )
    if restriction is None:
        raise errors.UnknownPatient
    if restriction == Patient.Restriction.ERASED:
        raise errors.RecordErased
    return restriction


def _set(patient_id: UUID, restriction: Patient.Restriction, *, now: datetime) -> None:
    sql.execute(
        """update patients_patient set restriction = %s, active = false, version = version + 1, updated_at = %s where id = %s""",
        [restriction, now, patient_id],
    )


def _tell(
    patient_id: UUID, what: PatientRestricted | PatientRestrictionLifted | PatientErased, *, now: datetime
) -> None:
    """Say what happened, and that the record was closed or opened, which the readers of the log follow."""
    events.publish(what, patient_id=patient_id, now=now, source="staff")
    events.publish(PatientUpdated(fields=["active"]), patient_id=patient_id, now=now, source="staff")
