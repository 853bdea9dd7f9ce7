"""What may happen while an import runs, and rows that are hard to tell apart: nothing is lost, doubled, or said to be done."""

import json
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from careloop.events.readers import run_reader
from careloop.events.registry import READERS, Published, reader
from careloop.integrations.imports import commands, pairs, people, pipeline, privacy, services, undo
from careloop.integrations.imports.errors import BatchBusy
from careloop.integrations.imports.models import ImportBatch, ImportChange
from careloop.integrations.imports.tests.test_imports import bring_in, write
from careloop.integrations.tabular import loader
from careloop.kernel import sql
from careloop.kernel.ids import uuid7
from careloop.patients import privacy as patients_privacy
from careloop.patients import services as patients
from careloop.patients.models import Patient
from careloop.records.models import Encounter, Procedure
from careloop.tenancy.context import in_organization

#: the loader as it is
STREAM = loader.stream
HEADER = "編號,病歷號,姓名\n"
MAPPING = {
    "kind": "patient",
    "columns": {"external_id": "編號", "chart_number": "病歷號", "name": "姓名"},
}


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    cut_into(10, monkeypatch)
    monkeypatch.setattr(pairs, "WORTH", 1)


def cut_into(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST_PATIENT_ROWS", "PATIENT_ROWS", "FIRST_ROWS"):
        monkeypatch.setattr(loader, name, rows)
    monkeypatch.setattr(loader, "stream", partial(STREAM, size=rows))


def begun(
    organization: Any, path: Path, *, source: str = "his", document: Any = None, dry_run: bool = False
) -> ImportBatch:
    with in_organization(organization.id):
        return services.create_batch(
            kind="csv", path=path, name=path.name, source=source, document=document, dry_run=dry_run, by=None, now=timezone.now()
        )  # fmt: skip


def go_on(organization: Any, batch: ImportBatch, path: Path, **options: Any) -> ImportBatch:
    return services.run_batch(
        batch, path, organization_id=organization.id, clock=timezone.now, actor=commands.COMMAND, **options
    )


def people_of(count: int) -> str:
    return "病歷號,姓名,生日\n" + "".join(f"{number:06d},王小明,079/03/05\n" for number in range(count))


# --- cut off --------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_chunks")
def test_an_import_broken_off_at_the_keyboard_is_not_done(committed_organization: Any, tmp_path: Path) -> None:
    path = write(tmp_path, people_of(100))

    def break_off(_tally: Any) -> None:
        raise KeyboardInterrupt

    batch = begun(committed_organization, path)
    with pytest.raises(KeyboardInterrupt):
        go_on(committed_organization, batch, path, progress=break_off)
    assert batch.state == "STOPPED"
    go_on(committed_organization, batch, path)

    assert (batch.state, batch.counts["created"]) == ("DONE", {"Patient": 100})


@pytest.mark.usefixtures("small_chunks")
def test_who_finds_an_import_running_already_does_not_call_it_done(committed_organization: Any, tmp_path: Path) -> None:
    path = write(tmp_path, people_of(100))
    batch = begun(committed_organization, path)

    def another_went_on(_tally: Any) -> None:
        with in_organization(committed_organization.id):
            ImportBatch.objects.filter(id=batch.id).update(chunks_done=7)

    with pytest.raises(BatchBusy):
        go_on(committed_organization, batch, path, progress=another_went_on)

    with in_organization(committed_organization.id):
        assert ImportBatch.objects.get(id=batch.id).state == "RUNNING"


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("rows_now", [7, 10, 1_000])
def test_an_import_goes_on_exactly_even_if_the_program_cuts_chunks_of_another_size_now(
    committed_organization: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_now: int
) -> None:
    bring_in(committed_organization, write(tmp_path, people_of(4)))
    # none of these has an id, each stands there twice, and every tenth is refused
    lines = [f"{number % 4:06d},91004C,洗牙,2025-03-{1 + number // 8:02d}" for number in range(100)]
    lines[3::10] = ["9999,91004C,洗牙,2025-03-01"] * 10
    path = write(tmp_path, "病歷號,處置代碼,處置,處置日期\n" + "\n".join(lines) + "\n", "p.csv")
    batch = begun(committed_organization, path)

    cut_off(committed_organization, batch, path, behind=3, monkeypatch=monkeypatch)
    assert (batch.chunks_done, batch.rows_read, batch.refused) == (3, 30, 3)
    cut_into(rows_now, monkeypatch)
    if rows_now == 7:
        # cut off once more, on the second way
        cut_off(committed_organization, batch, path, behind=2, monkeypatch=monkeypatch)
        assert (batch.chunks_done, batch.rows_read) == (2, 14)
    go_on(committed_organization, batch, path)

    assert (batch.state, batch.rows_read, batch.refused) == ("DONE", 100, 10)
    counted = sum(sum(by_kind.values()) for by_kind in batch.counts.values())
    assert counted == 90
    assert (batch.begun_again_at is None) == (rows_now == 10)
    with in_organization(committed_organization.id):
        assert Procedure.objects.count() == 90
        assert sorted(batch.findings.values_list("line", flat=True)) == list(range(5, 102, 10))
        # all of it is the import's own, and goes with it
        undo.undo_batch(batch_id=batch.id, by=None, by_user=None, now=timezone.now())
        assert not Procedure.objects.exists()


def cut_off(organization: Any, batch: ImportBatch, path: Path, *, behind: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run an import that breaks off behind so many chunks, as if the power had failed."""
    note = pipeline._note_progress

    def fail(batch: ImportBatch, tally: Any) -> None:
        if tally.chunks > behind:
            raise OSError("no power")
        note(batch, tally)

    with monkeypatch.context() as broken:
        broken.setattr(pipeline, "_note_progress", fail)
        with pytest.raises(OSError, match="no power"):
            go_on(organization, batch, path)
    with in_organization(organization.id):
        ImportBatch.objects.filter(id=batch.id).update(state=ImportBatch.State.RUNNING)
        batch.refresh_from_db()


# --- who is it ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rows", ["E2,C1,李四\nE1,C1,王小明\n", "E1,C1,王小明\nE2,C1,李四\n", "E1,C1,王小明\nE3,C1,趙六\n"]
)
def test_a_chart_number_that_two_rows_claim_costs_the_second_row(
    committed_organization: Any, tmp_path: Path, rows: str
) -> None:
    # these two are known by their ids, and have no chart number yet
    bring_in(committed_organization, write(tmp_path, HEADER + "E1,,王小明\nE3,,趙六\n"), map_file=mapping(tmp_path))

    answer = bring_in(committed_organization, write(tmp_path, HEADER + rows, "b.csv"), map_file=mapping(tmp_path))

    assert [(one["line"], one["code"]) for one in answer["refusals"]] == [(3, "row.chart_number_taken")]
    with in_organization(committed_organization.id):
        assert Patient.objects.filter(chart_number="C1").count() == 1


PEOPLE = "病歷號,姓名,生日,電話\n"


@pytest.mark.parametrize(
    ("row", "refused", "name"),
    [
        ("C1,李大同,1950-01-02,0987654321", ["row.chart_number_of_another"], "王小明"),
        ("C1,王曉明,1990-03-05,0912345678", [], "王曉明"),  # the name was corrected
        ("C1,王小明,1990-05-03,0912345678", [], "王小明"),  # the birth date was corrected
        ("C1,李大同,,0987654321", [], "李大同"),  # nothing says that it is somebody else
        ("C1,李大同,1950,0987654321", [], "李大同"),
    ],
)
@pytest.mark.parametrize("in_one_file", [True, False])
def test_nobody_gets_the_record_of_another_by_a_chart_number_given_twice(
    committed_organization: Any, tmp_path: Path, row: str, refused: list[str], name: str, in_one_file: bool
) -> None:
    first = "C1,王小明,1990-03-05,0912345678\n"
    if in_one_file:
        answer = bring_in(committed_organization, write(tmp_path, PEOPLE + first + row + "\n"))
    else:
        bring_in(committed_organization, write(tmp_path, PEOPLE + first))
        answer = bring_in(committed_organization, write(tmp_path, PEOPLE + row + "\n", "b.csv"))

    assert [one["code"] for one in answer["refusals"]] == refused
    with in_organization(committed_organization.id):
        assert [one.name for one in Patient.objects.filter(chart_number="C1")] == [name]


def test_a_chart_number_is_not_taken_by_who_keeps_another(committed_organization: Any, tmp_path: Path) -> None:
    bring_in(committed_organization, write(tmp_path, HEADER + "E1,C0,王小明\n"), map_file=mapping(tmp_path))
    rows = HEADER + "E1,C1,王小明\nE2,C1,李四\n"

    answer = bring_in(committed_organization, write(tmp_path, rows, "b.csv"), map_file=mapping(tmp_path))

    assert (answer["created"], answer["unchanged"], answer["refused"]) == ({"Patient": 1}, {"Patient": 1}, 0)


def mapping(folder: Path) -> Path:
    path = folder / "map.json"
    path.write_text(json.dumps(MAPPING), "utf-8")
    return path


def test_a_row_whose_id_is_longer_than_its_column_is_refused_with_those_that_refer_to_it(
    committed_organization: Any, tmp_path: Path
) -> None:
    rows = HEADER + f"{'E' * 200},1,王小明\n,{'C' * 80},李四\n,{'C' * 80},趙六\nE3,3,陳七\n"
    people = write(tmp_path, rows)
    first, again = (bring_in(committed_organization, people, map_file=mapping(tmp_path)) for _time in range(2))
    visits = f"就診號,病歷號,就診日期\n{'V' * 300},3,2025-03-01 09:30\nV2,{'C' * 80},2025-03-01 09:30\n"
    third = bring_in(committed_organization, write(tmp_path, visits, "v.csv"))

    found = [
        [(one["line"], one["field"], one["code"]) for one in answer["refusals"]] for answer in (first, again, third)
    ]
    long = [(2, "external_id"), (3, "chart_number"), (4, "chart_number")]
    assert found[0] == found[1] == [(*place, "row.too_long") for place in long]
    assert found[2] == [(2, "external_id", "row.too_long"), (3, "patient_external_id", "row.patient_unknown")]
    assert (first["created"], again["unchanged"], third["created"]) == ({"Patient": 1}, {"Patient": 1}, {})


# --- dry run --------------------------------------------------------------------------------------------------------


def test_a_dry_run_counts_like_the_import(committed_organization: Any, tmp_path: Path) -> None:
    entries = [
        {"resourceType": "Device", "id": f"d{number}", "deviceName": [{"name": "x", "type": "other"}]}
        for number in range(3)
    ]
    entries.append({"resourceType": "Device", "id": 5})
    path = tmp_path / "a.ndjson"
    path.write_text("".join(json.dumps(one) + "\n" for one in entries))

    dry = bring_in(committed_organization, path, kind="fhir", dry_run=True)
    real = bring_in(committed_organization, path, kind="fhir")

    assert dry == real | {"batch": dry["batch"], "dry_run": True}


def test_a_dry_run_holds_up_nobody_who_follows_the_log(committed_organization: Any, tmp_path: Path) -> None:
    heard: list[str] = []

    @reader("test-listener", kinds=("patient.registered",))
    def listen(batch: list[Published]) -> None:
        heard.extend(str(event.patient_id) for event in batch)

    registered: list[str] = []

    def register() -> None:
        """The front desk, and the worker's reader, while the dry run has written its rows."""
        with in_organization(committed_organization.id):
            one = patients.register(
                details={"name": "現場掛號"}, identifiers=[], contacts=[], now=timezone.now(), by=None, idempotency_key=uuid7()
            )  # fmt: skip
        registered.append(str(one.patient_id))
        run_reader(READERS["test-listener"], committed_organization.id, now=timezone.now())
        connection.close()

    def meanwhile(_tally: Any) -> None:
        desk = threading.Thread(target=register)
        desk.start()
        desk.join()

    path = write(tmp_path, people_of(20))
    batch = begun(committed_organization, path, dry_run=True)
    try:
        go_on(committed_organization, batch, path, progress=meanwhile)
    finally:
        del READERS["test-listener"]

    assert heard == registered != []


def test_a_dry_run_shows_the_first_warnings_of_many(committed_organization: Any, tmp_path: Path) -> None:
    rows = "病歷號,姓名\n" + "".join(f"{number:04d},{'長' * 200}\n" for number in range(2_500))
    path = write(tmp_path, rows)

    dry = bring_in(committed_organization, path, dry_run=True)
    real = bring_in(committed_organization, path)

    with in_organization(committed_organization.id):
        found = [
            list(ImportBatch.objects.get(id=one["batch"]).findings.order_by("id").values_list("line", flat=True))
            for one in (dry, real)
        ]
    assert (dry["warnings"], len(found[1])) == (2_500, 2_000)
    assert found[0] == found[1]


# --- others at the same time ----------------------------------------------------------------------------------------


def test_a_patient_made_by_staff_meanwhile_is_met(
    committed_organization: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = people._write_patients
    made = []

    def staff_first(*arguments: Any, **options: Any) -> None:
        if not made:
            made.append(pipeline._in_another_connection(make, committed_organization.id))
        written(*arguments, **options)

    def make(organization: Any) -> bool:
        with in_organization(organization):
            Patient.objects.create(
                name="王小明", chart_number="000001", created_at=timezone.now(), updated_at=timezone.now()
            )
        return True

    monkeypatch.setattr(people, "_write_patients", staff_first)

    answer = bring_in(committed_organization, write(tmp_path, people_of(3)))

    assert (answer["created"], answer["updated"], answer["state"]) == ({"Patient": 2}, {"Patient": 1}, "done")


@pytest.mark.usefixtures("small_chunks")
def test_visits_of_a_patient_who_is_erased_meanwhile_are_refused_and_the_others_come_in(
    committed_organization: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # whoever erases runs where the chunk before would go on, so the next one has to let go
    monkeypatch.setattr(pipeline, "PATIENCE", 1.0)
    bring_in(committed_organization, write(tmp_path, people_of(2)))
    rows = "".join(f"V{number},{number % 2:06d},2025-03-01 {number % 24:02d}:30\n" for number in range(100))

    def erase(_tally: Any) -> None:
        with in_organization(committed_organization.id):
            gone = Patient.objects.filter(chart_number="000001").values_list("id", flat=True).first()
            if gone:
                for table in ("records_encounter", "facts_patient", "patients_key"):
                    sql.execute(f"delete from {table} where patient_id = %s", [gone])
                sql.execute("delete from patients_patient where id = %s", [gone])

    path = write(tmp_path, "就診號,病歷號,就診日期\n" + rows, "v.csv")
    batch = begun(committed_organization, path)
    go_on(committed_organization, batch, path, progress=erase)

    assert batch.state == "DONE"
    assert batch.refused + sum(batch.counts["created"].values()) == 100
    with in_organization(committed_organization.id):
        assert Encounter.objects.count() == 50


def test_an_erased_patient_leaves_nothing_in_the_notes_of_imports_and_is_not_met_by_an_old_id(
    committed_organization: Any, tmp_path: Path
) -> None:
    rows = HEADER + "E1,C1,王小明\n"
    for source, text in (("his", rows), ("lab", rows.replace("E1", "L9").replace("小明", "大明"))):
        bring_in(committed_organization, write(tmp_path, text), map_file=mapping(tmp_path), source=source)
    with in_organization(committed_organization.id):
        patient = Patient.objects.get().id
        given = privacy.export(patient)
        assert ImportChange.objects.count() == 1
        privacy.erase(patient)
        patients_privacy.erase(patient)

        assert given == {"names_in_other_systems": [{"source": "lab", "external_id": "L9"}]}
        assert not ImportChange.objects.exists()

    again = bring_in(
        committed_organization, write(tmp_path, HEADER + "L9,,李四\n"), map_file=mapping(tmp_path), source="lab"
    )

    assert again["created"] == {"Patient": 1}
