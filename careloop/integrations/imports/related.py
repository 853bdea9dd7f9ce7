"""Write the people who belong to patients: family, guardians, carers."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from careloop.integrations.imports.references import find_patients
from careloop.integrations.imports.rendering import bytea
from careloop.integrations.imports.rows import RELATED_PERSON, Row, RowChunk
from careloop.integrations.imports.staging import Outcome, Run, fetch, refused, stage
from careloop.kernel import vault
from careloop.kernel.ids import uuid7
from careloop.patients import sealing
from careloop.patients.contacts import read_contact


def write_related(chunk: RowChunk, run: Run) -> Outcome:
    """Write the people who belong to patients; the same id, or the same name for one patient, is the same person."""
    outcome = Outcome("RelatedPerson")
    index = RELATED_PERSON.index
    at_patient, at_name, at_id = (index[name] for name in ("patient_external_id", "name", "external_id"))
    patients = find_patients(run, {str(row[at_patient]) for row in chunk.rows if row[at_patient]})
    wanted: list[tuple[Row, UUID]] = []
    for row in chunk.rows:
        reference = patients.get(str(row[at_patient]))
        if reference is None:
            outcome.refused.append(refused(row, RELATED_PERSON, "patient_external_id", "row.patient_unknown"))
        else:
            wanted.append((row, UUID(reference)))
    if not wanted:
        return outcome
    there = {
        (patient, name): external
        for patient, name, external in fetch(
            "select patient_id, name, external_id from patients_related_person where patient_id = any(%s)",
            [list({patient for _row, patient in wanted})],
        )
    }
    keys = sealing.create_keys({patient for _row, patient in wanted})
    staged: list[Sequence[Any]] = []
    for row, patient in wanted:
        name = str(row[at_name])[:160]
        if (patient, name) in there:
            outcome.unchanged += 1
            continue
        there[(patient, name)] = str(row[at_id] or "")
        row_id = uuid7()
        sealed: list[str | None] = []
        for column in ("phone", "email"):
            text = row[index[column]]
            if not text:
                sealed.append(None)
                continue
            value = read_contact(column, str(text)).value
            place = f"{sealing.RELATED_TABLE}.{column}_sealed.{row_id}"
            sealed.append(bytea(vault.seal(keys[patient], value, place=place)))
        staged.append(
            (row_id, patient, name, str(row[index["relationship"]] or "")[:20], str(row[index["sex"]] or "")[:10],
             row[index["birth_date"]], bool(row[index["guardian"]]), *sealed, str(row[at_id] or "")[:160])
        )  # fmt: skip
    outcome.patients += [str(patient) for _row, patient in wanted]
    if not staged:
        return outcome
    names = (
        "id",
        "patient_id",
        "name",
        "relationship",
        "sex",
        "birth_date",
        "is_guardian",
        "phone_sealed",
        "email_sealed",
        "external_id",
    )
    kinds = ("uuid", "uuid", "text", "text", "text", "date", "boolean", "bytea", "bytea", "text")
    stage("stage", list(zip(names, kinds, strict=True)), staged)
    outcome.created = fetch(
        f"""with new as (insert into patients_related_person ({", ".join(names)}, source, batch_id)
            select id, patient_id, name, coalesce(relationship, ''), coalesce(sex, ''), birth_date, is_guardian, phone_sealed,
                   email_sealed, coalesce(external_id, ''), %s, %s from stage returning 1) select count(*) from new""",
        [run.source, run.batch_id],
    )[0][0]
    return outcome
