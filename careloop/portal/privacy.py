"""What the patients' pages give out and erase for one patient."""

from typing import Any
from uuid import UUID

from careloop.kernel import sql


def export(patient_id: UUID) -> dict[str, Any]:
    """Return on which devices the patient was signed in, and when."""
    rows = sql.rows(
        """select device, how, created_at, seen_at, ended_at from portal_session where patient_id = %s order by created_at""",
        [patient_id],
    )
    return {"devices": rows}


def erase(patient_id: UUID) -> None:
    """Sign the patient out everywhere and forget the devices."""
    sql.execute("delete from portal_session where patient_id = %s", [patient_id])
    sql.execute("delete from portal_one_time_code where patient_id = %s", [patient_id])
    sql.execute("delete from portal_booking where patient_id = %s", [patient_id])
