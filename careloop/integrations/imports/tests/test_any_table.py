"""Small tables of whatever rows: each counted once, dry run, pairs and undo exact, and a second time nothing new.

`CARELOOP_IMPORT_TABLES=200` tries more of them.
"""

import json
import os
from pathlib import Path
from random import Random
from typing import Any

import pytest
from django.utils import timezone

from careloop.integrations.imports import pairs, undo
from careloop.integrations.imports.models import ImportBatch
from careloop.integrations.imports.tests.test_hardships import cut_into
from careloop.integrations.imports.tests.test_imports import bring_in, write
from careloop.kernel import sql
from careloop.patients import sealing
from careloop.tenancy.context import in_organization

TABLES = int(os.environ.get("CARELOOP_IMPORT_TABLES", "2"))
IDS, CHARTS = [f"E{number}" for number in range(8)], [f"C{number}" for number in range(8)]
#: what a cell holds; rare values stand once
PEOPLE = {
    "external_id": [*IDS, *[""] * 4],
    "chart_number": [*CHARTS, *[""] * 8],
    "name": ["王小明", "李四", "Amy", ""],
    "birth_date": ["1990-01-01", "79/3/5", "", "", "不詳"],
    "mobile": ["0912345678", "0987654321", ""],
    "phone": ["0912-345-678", "02-23456789", "", "abc"],
    "address": ["台北市", "高雄市", "", ""],
    "tags": ["", "", "VIP", "VIP|新"],
    "national_id": ["", "", "", "A123456789", "A123456788"],
}
DONE = {
    "external_id": [*(f"V{number}" for number in range(20)), *[""] * 20],
    "patient_external_id": [*IDS, *CHARTS, "nobody"],
    "code": ["A", "B"],
    "start": ["2025-03-01", "2025-03-01 09:30", "2025-03-02 10:00", "x"],
    "note": ["", "", "n"],
}
PATIENTS_ARE = """
    select p.id, p.source, p.external_id, p.chart_number, p.name, p.birth_date, p.birth_precision, p.name_grams, p.batch_id is null as own,
           array(select t.name from patients_patient_tag g join patients_tag t on t.id = g.tag_id where g.patient_id = p.id order by 1) as tags,
           array(select i.value_index from patients_identifier i where i.patient_id = p.id order by 1) as numbers, p.address_sealed
      from patients_patient p"""
RECORDS_ARE = """
    select p.source || p.external_id || '/' || p.chart_number as whose, r.source, r.external_id, r.code, r.performed_at, r.note, r.natural_key
      from records_procedure r join patients_patient p on p.id = r.patient_id"""


def table(random: Random, columns: dict[str, list[str]]) -> str:
    lines = [",".join(random.choice(cells) for cells in columns.values()) for _row in range(random.randrange(1, 25))]
    return "\n".join([",".join(columns), *lines]) + "\n"


def picture() -> list[str]:
    """Return all that is known of patients and records, in clear, without keys and ids."""
    people = sql.rows(PATIENTS_ARE)
    reached = sealing.contact_values([one["id"] for one in people])
    for one in people:
        patient, sealed = one.pop("id"), one.pop("address_sealed")
        place = {"table": sealing.PATIENT_TABLE, "column": "address_sealed", "row_id": patient}
        one["address"] = sealing.unseal(sealing.key_of(patient), sealed, **place) if sealed else ""
        one["contacts"] = sorted((contact.system, contact.use, contact.value) for contact in reached.get(patient, []))
    names = sql.rows("select kind, source, external_id from imports_name")
    return sorted(map(str, [*people, *sql.rows(RECORDS_ARE), *names]))


def report(organization: Any, answer: dict[str, Any]) -> Any:
    with in_organization(organization.id):
        found = ImportBatch.objects.get(id=answer["batch"]).findings.order_by("id")
        kept = [str(one) for one in found.values_list("kind", "part", "line", "field", "code", "values")]
    return kept, {name: answer[name] for name in ("created", "updated", "unchanged", "refused", "warnings", "rows")}


@pytest.mark.parametrize("seed", range(TABLES))
@pytest.mark.parametrize("rows_a_chunk", [1_000, 4])
def test_any_tables_come_in_exactly(
    committed_organization: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, rows_a_chunk: int
) -> None:
    random = Random(seed)
    cut_into(rows_a_chunk, monkeypatch)
    for step in range(4):
        kind, columns = ("procedure", DONE) if step % 2 else ("patient", PEOPLE)
        document = write(tmp_path, json.dumps({"kind": kind, "columns": {name: name for name in columns}}), "map.json")
        path = write(tmp_path, table(random, columns), f"{step}.csv")
        how: dict[str, Any] = {"map_file": document, "source": random.choice(["his", "lab"])}
        with in_organization(committed_organization.id):
            before = picture()

        seen = []
        for worth in (10**9, 1):
            monkeypatch.setattr(pairs, "WORTH", worth)
            answer = bring_in(committed_organization, path, **how)
            with in_organization(committed_organization.id):
                seen.append((picture(), report(committed_organization, answer)))
                undo.undo_batch(batch_id=answer["batch"], by=None, by_user=None, now=timezone.now())
                assert picture() == before
        dry = report(committed_organization, bring_in(committed_organization, path, **how, dry_run=True))
        assert seen[0] == seen[1]
        assert dry == seen[0][1]
        counts = dry[1]
        resources = sum(sum(counts[name].values()) for name in ("created", "updated", "unchanged"))
        assert resources + counts["refused"] == counts["rows"]

        bring_in(committed_organization, path, **how)
        assert bring_in(committed_organization, path, **how)["created"] == {}
