"""What imports still know of one person, apart from the records they made: what those were before, and other names."""

from typing import Any
from uuid import UUID

from careloop.integrations.imports.targets import TARGETS
from careloop.kernel import sql


def export(patient_id: UUID) -> dict[str, Any]:
    """Return the ids by which other systems know the patient; earlier values of records are the importing system's to give."""
    names = sql.rows(
        "select source, external_id from imports_name where kind = 'patient' and record_id = %s order by id",
        [patient_id],
    )
    return {"names_in_other_systems": names}


def erase(patient_id: UUID) -> None:
    """Forget what imports changed in the patient and the patient's records, and by which ids others know them.

    Call it before the records themselves are erased. A later import does not find the emptied record by an old id.
    """
    about = " union all ".join(
        f"select id from {target.table} where patient_id = %(patient)s" for target in TARGETS.values()
    )
    # as a list, so that the index by record is used: the tables hold a row for nearly everything ever imported
    for table in ("imports_change", "imports_name", "imports_claim"):
        sql.execute(
            f"delete from {table} where record_id = any(array(select %(patient)s::uuid union all {about}))",
            {"patient": patient_id},
        )
