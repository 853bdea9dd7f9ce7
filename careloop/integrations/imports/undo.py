"""Take a whole import back: what it made is erased, what it changed is as it was, and its events are shown nowhere.

Undo is refused as a whole when later work builds on the import (an edited patient, a message, a visit from another
import), and says which. Erasing a patient destroys the patient's key too.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from careloop.audit import services as audit
from careloop.events.services import publish, retract_batch
from careloop.facts import services as facts
from careloop.integrations.imports import pipeline
from careloop.integrations.imports.errors import BatchNotUndoable, UndoRefused
from careloop.integrations.imports.events import ImportUndone
from careloop.integrations.imports.models import ImportBatch
from careloop.integrations.imports.services import get_batch
from careloop.integrations.imports.targets import TARGETS
from careloop.kernel import sql
from careloop.loyalty.thanks import referrals
from careloop.patients.models import Patient
from careloop.records.models import Encounter

#: Rows about a patient that follow from the patient and go with the patient: worked out, or the patient's own parts.
FOLLOWS = frozenset({"patients_key", "facts_patient", "segments_member", "segments_membership", "imports_name"})
#: What an import makes, in the order in which it can be taken away: a table refers only to tables behind it.
MADE = (
    *(target.table for kind, target in TARGETS.items() if kind != "encounter"), "records_encounter", "records_practitioner",
    "imports_directory", "patients_patient_tag", "patients_related_person", "patients_identifier", "patients_contact_point",
    "consent_consent",
)  # fmt: skip
SHOWN = 20


@dataclass(slots=True)
class Obstacle:
    """Later work that builds on the import: how many rows of what, and some of the patients concerned."""

    what: str
    count: int
    patients: list[UUID] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.what} ({self.count})"


def obstacles(batch: ImportBatch) -> list[Obstacle]:
    """Return what stands in the way of undoing a batch; an empty list means that it can be undone."""
    found: list[Obstacle] = []
    edited = sql.rows(
        "select id from patients_patient where batch_id = %s and updated_at > %s", [batch.id, batch.finished_at]
    )
    if edited:
        found.append(Obstacle(str(_("patients edited since")), len(edited), [row["id"] for row in edited[:SHOWN]]))
    found += _changed_since(batch)
    for model, column in _referring_to(Patient):
        found += _others(batch, model, column, "patients_patient")
    for model, column in _referring_to(Encounter):
        found += _others(batch, model, column, "records_encounter")
    return found


def _referring_to(target: type[models.Model]) -> Iterator[tuple[type[models.Model], str]]:
    """Yield every model and column that points to a table."""
    for model in apps.get_models():
        if model._meta.db_table in FOLLOWS or not model._meta.managed:
            continue
        for column in model._meta.concrete_fields:
            if isinstance(column, models.ForeignKey) and column.related_model is target:
                yield model, column.column


def _others(batch: ImportBatch, model: type[models.Model], column: str, table: str) -> list[Obstacle]:
    """Return the rows of a table that point to what the batch made and were not made by it."""
    names = {one.column for one in model._meta.concrete_fields}
    mine = "r.batch_id is distinct from %(batch)s" if "batch_id" in names else "true"
    if model._meta.db_table == table:
        mine += " and r.id <> t.id"
    if model._meta.db_table in {target.table for target in TARGETS.values()}:
        # a record that this batch itself hung on what it made goes back to where it was
        mine += f""" and not exists (
            select from (select before from imports_change c where c.batch_id = %(batch)s and c."table" = '{model._meta.db_table}'
                            and c.record_id = r.id order by c.id limit 1) first
             where first.before ? '{column}' and first.before->>'{column}' is distinct from r.{column}::text)"""
    patient = "r.patient_id" if "patient_id" in names else f"r.{column}"
    rows = sql.rows(
        f"""select {patient} as patient from {model._meta.db_table} r join {table} t on t.id = r.{column}
             where t.batch_id = %(batch)s and {mine}""",
        {"batch": batch.id},
    )
    if not rows:
        return []
    return [Obstacle(str(model._meta.verbose_name_plural), len(rows), list({row["patient"] for row in rows})[:SHOWN])]


def _changed_since(batch: ImportBatch) -> list[Obstacle]:
    """Return the records this batch updated and somebody changed again."""
    found: list[Obstacle] = []
    for row in sql.rows('select distinct "table" as name from imports_change where batch_id = %s', [batch.id]):
        table = _known_table(row["name"])
        patient = "r.id" if table == "patients_patient" else "r.patient_id"
        changed = sql.rows(
            f"""with last as (select distinct on (record_id) record_id, after from imports_change
                               where batch_id = %s and "table" = %s order by record_id, id desc)
                select {patient} as patient from last join {table} r on r.id = last.record_id
                 where not (to_jsonb(r) @> last.after)""",
            [batch.id, table],
        )
        if changed:
            found.append(
                Obstacle(
                    str(_("updated records changed again since")),
                    len(changed),
                    [one["patient"] for one in changed[:SHOWN]],
                )
            )
    return found


def _known_table(name: str) -> str:
    if name != "patients_patient" and name not in {target.table for target in TARGETS.values()}:
        raise ValueError("an import changes records and patients only")
    return name


def undo_batch(*, batch_id: UUID, by: audit.Actor | None, by_user: UUID | None, now: datetime) -> ImportBatch:
    """Take a batch back. Call inside the organization; everything or nothing.

    Raises:
        BatchNotUndoable: it runs, was a dry run, or was undone already.
        UndoRefused: later work builds on it; `details["what"]` says which, `details["patients"]` on whom.
    """
    batch = get_batch(batch_id)
    pipeline.take_turn()
    state = ImportBatch.objects.select_for_update().values_list("state", flat=True).get(id=batch.id)
    if batch.dry_run or state not in (ImportBatch.State.DONE, ImportBatch.State.STOPPED, ImportBatch.State.FAILED):
        raise BatchNotUndoable(state=ImportBatch.State(state).label)
    if found := obstacles(batch):
        patients = [str(patient) for one in found for patient in one.patients][:SHOWN]
        raise UndoRefused(what=", ".join(map(str, found)), patients=patients)
    touched = _restore(batch)
    touched += [row["patient_id"] for row in _patients_of_made(batch)]
    erased = _erase(batch)
    retract_batch(batch.id, now=now)
    publish(ImportUndone(batch.id), patient_id=None, now=now, source="import")
    left = sql.rows("select id from patients_patient where id = any(%s)", [touched])
    facts.refresh([row["id"] for row in left], now=now)
    referrals.visits_gone([row["id"] for row in left], now=now)
    batch.state, batch.undone_at, batch.undone_by_id = ImportBatch.State.UNDONE, now, by_user
    batch.save(update_fields=["state", "undone_at", "undone_by"])
    audit.record(
        "import.undone", target=("import", batch.id), details={"erased": erased, "restored": len(touched)}, actor=by, now=now,
    )  # fmt: skip
    return batch


def _restore(batch: ImportBatch) -> list[UUID]:
    """Put updated records back to what they were before the batch first touched them; return their patients."""
    touched: list[UUID] = []
    for row in sql.rows('select distinct "table" as name from imports_change where batch_id = %s', [batch.id]):
        table = _known_table(row["name"])
        columns = sql.value(
            """select array_agg(distinct key) from imports_change, jsonb_object_keys(before) as key
                where batch_id = %s and "table" = %s""",
            [batch.id, table],
        )
        names = [name for name in columns if name.isidentifier()]
        listed = ", ".join(f'"{name}"' for name in names)
        patient = "r.id" if table == "patients_patient" else "r.patient_id"
        touched += [
            one["patient"]
            for one in sql.rows(
                f"""with first as (select distinct on (record_id) record_id, before from imports_change
                                    where batch_id = %s and "table" = %s order by record_id, id)
                    update {table} r set ({listed}) = (select {listed} from jsonb_populate_record(r, first.before))
                      from first where r.id = first.record_id returning {patient} as patient""",
                [batch.id, table],
            )
        ]
    return touched


def _patients_of_made(batch: ImportBatch) -> list[dict[str, Any]]:
    union = " union ".join(
        f"select patient_id from {target.table} where batch_id = %(batch)s and patient_id is not null"
        for target in TARGETS.values()
    )
    return sql.rows(union, {"batch": batch.id})


def _erase(batch: ImportBatch) -> int:
    """Delete what the batch made, newest floor first; a patient's key goes with the patient."""
    erased = 0
    for table in MADE:
        erased += sql.execute(f"delete from {table} where batch_id = %s", [batch.id])
    mine = "select id from patients_patient where batch_id = %s"
    for model in apps.get_models():
        table = model._meta.db_table
        if (
            table in FOLLOWS
            and table != "imports_name"
            and any(one.column == "patient_id" for one in model._meta.concrete_fields)
        ):
            sql.execute(f"delete from {table} where patient_id in ({mine})", [batch.id])
    erased += sql.execute("delete from patients_patient where batch_id = %s", [batch.id])
    sql.execute("delete from imports_name where batch_id = %s", [batch.id])
    sql.execute("delete from imports_claim where batch_id = %s", [batch.id])
    return erased


def in_words(found: list[Obstacle]) -> str:
    """Return a sentence about what stands in the way."""
    total = sum(one.count for one in found)
    return ngettext(
        "%(count)d row of later work builds on this import.",
        "%(count)d rows of later work build on this import.",
        total,
    ) % {"count": total}
