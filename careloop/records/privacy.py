"""What the records slice gives out and erases for one person."""

from typing import Any
from uuid import UUID

from careloop.kernel import sql
from careloop.records.services import KINDS

HIDDEN = frozenset({"organization", "organization_id", "batch_id", "natural_key"})


def export(patient_id: UUID) -> dict[str, Any]:
    """Return every record of the patient, those entered in error marked as such."""
    found: dict[str, Any] = {}
    for kind, model in KINDS.items():
        names = [field.attname for field in model._meta.concrete_fields if field.attname not in HIDDEN]
        found[kind] = list(model._default_manager.filter(patient_id=patient_id).order_by("id").values(*names))
    return found


def erase(patient_id: UUID) -> None:
    """Remove the patient's records here. Whether the retention period allows it is asked before (policy rule P9).

    The clinic's medical records are in its EMR; this is the copy a relationship needs.
    """
    for model in reversed(KINDS.values()):
        sql.execute(f"delete from {model._meta.db_table} where patient_id = %s", [patient_id])
