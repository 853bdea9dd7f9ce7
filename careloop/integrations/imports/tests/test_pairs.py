"""Writing two chunks at once changes how long an import takes, and nothing else."""

import threading
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from careloop.integrations.imports import pairs, pipeline
from careloop.integrations.imports.models import ImportBatch
from careloop.integrations.imports.pairs import Abandoned, Pairs, Turns
from careloop.integrations.imports.pipeline import Tally
from careloop.integrations.imports.rows import PATIENT, RowChunk
from careloop.integrations.imports.tests.test_imports import bring_in, write
from careloop.integrations.tabular import loader
from careloop.kernel import sql
from careloop.patients.belonging import LOCK as PATIENTS_LOCK
from careloop.patients.models import Patient
from careloop.records.models import Encounter
from careloop.tenancy.context import in_organization

HEADER = "病歷號,姓名,生日,手機\n"


def people(count: int) -> str:
    return HEADER + "".join(f"{number:04d},王小明,079/03/05,0912-345-{number:03d}\n" for number in range(count))


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST_PATIENT_ROWS", "PATIENT_ROWS", "FIRST_ROWS", "BLOCK_ROWS"):
        monkeypatch.setattr(loader, name, 20)
    monkeypatch.setattr(pairs, "WORTH", 1)


@pytest.fixture
def written_alone(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The chunks that were written with no other beside them, or once more."""
    numbers: list[int] = []
    alone = pipeline._Writing.alone

    def noted(self: Any, number: int, chunk: RowChunk) -> None:
        numbers.append(number)
        alone(self, number, chunk)

    monkeypatch.setattr(pipeline._Writing, "alone", noted)
    return numbers


def chunk_of(*ids: str) -> RowChunk:
    at = PATIENT.index["chart_number"]
    return RowChunk(
        PATIENT, [tuple(one if place == at else None for place in range(len(PATIENT.names))) for one in ids]
    )


def test_the_second_is_written_while_the_first_is_not_done_and_ends_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "WORTH", 1)
    turns, second_is_written, ended = Turns(), threading.Event(), []

    def write_chunk(number: int, _chunk: RowChunk) -> None:
        if number == 0:
            assert second_is_written.wait(10)
        else:
            second_is_written.set()
        turns.wait(number)
        ended.append(number)
        turns.done()

    two = Pairs(write_chunk, turns)
    assert two.take(0, chunk_of("1", "2"))
    assert two.take(1, chunk_of("3", "4"))
    two.finish()
    two.close()

    assert ended == [0, 1]


def test_chunks_with_an_id_in_common_are_not_written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "WORTH", 1)
    turns, go = Turns(), threading.Event()

    def write_chunk(number: int, _chunk: RowChunk) -> None:
        go.wait(10)
        turns.wait(number)
        turns.done()

    two = Pairs(write_chunk, turns)
    assert two.take(0, chunk_of("1", "2"))
    assert not two.take(1, chunk_of("2", "3"))
    go.set()
    two.finish()
    assert two.take(1, chunk_of("2", "3"))
    two.finish()
    two.close()


def test_what_follows_a_failure_is_abandoned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "WORTH", 1)
    turns, second_waits, ends = Turns(), threading.Event(), []

    def write_chunk(number: int, _chunk: RowChunk) -> None:
        if number == 0:
            assert second_waits.wait(10)
            turns.give_up()
            raise ValueError("broken")
        second_waits.set()
        try:
            turns.wait(number)
        except Abandoned:
            ends.append("abandoned")
            raise

    two = Pairs(write_chunk, turns)
    two.take(0, chunk_of("1"))
    two.take(1, chunk_of("2"))
    with pytest.raises(ValueError, match="broken"):
        two.finish()
    two.finish()
    two.close()

    assert ends == ["abandoned"]


@pytest.mark.usefixtures("small_chunks")
def test_all_come_in_once_and_their_chunks_in_order(
    committed_organization: Any, tmp_path: Path, written_alone: list[int]
) -> None:
    told: list[str] = []

    answer = bring_in(committed_organization, write(tmp_path, people(190)), progress=told.append)

    assert (answer["created"], answer["rows"], written_alone) == ({"Patient": 190}, 190, [])
    assert [text.split(", ")[1] for text in told] == [f"{min(done, 190)} rows" for done in range(20, 201, 20)]
    with in_organization(committed_organization.id):
        assert sql.value("select count(*) from events_event where kind = 'patient.registered'") == 190
        assert sql.value("select count(distinct patient_id) from audit_patient") == 190
        assert sql.value("select count(*) from patients_contact_point") == 190
        # an event's number in the audit chain rises with its chunk
        written = sql.rows(
            "select details ->> 'chunk' as chunk from audit_event where action = 'import.chunk_written' order by number"
        )
        assert [int(row["chunk"]) for row in written] == list(range(1, 11))


@pytest.mark.usefixtures("small_chunks")
def test_the_writers_give_their_connections_back(committed_organization: Any, tmp_path: Path) -> None:
    held = []
    for number in range(3):
        rows = people(190).replace("\n0", f"\n{number}")
        assert bring_in(committed_organization, write(tmp_path, rows, f"{number}.csv"))["created"] == {"Patient": 190}
        held.append(_connections_held())

    assert held == [held[0]] * 3


def _connections_held() -> int:
    """Return how many connections are out of this process's pool."""
    figures = connection.pool.get_stats()
    return int(figures["pool_size"] - figures["pool_available"])


@pytest.mark.usefixtures("small_chunks")
def test_a_patient_who_comes_again_in_a_later_chunk_is_the_same(committed_organization: Any, tmp_path: Path) -> None:
    text = people(50) + "0045,王大明,079/03/05,\n" + people(50).removeprefix(HEADER).replace("王小明", "王中明")

    answer = bring_in(committed_organization, write(tmp_path, text))

    assert answer["created"] == {"Patient": 50}
    with in_organization(committed_organization.id):
        assert set(Patient.objects.values_list("name", flat=True)) == {"王中明"}
        assert Patient.objects.count() == 50


@pytest.mark.usefixtures("small_chunks")
def test_a_visit_that_comes_again_in_a_later_chunk_is_the_same(committed_organization: Any, tmp_path: Path) -> None:
    bring_in(committed_organization, write(tmp_path, people(5)))
    lines = [f"V{number},{number % 5:04d},2025-03-{1 + number % 28:02d} 09:30,感冒" for number in range(90)]
    text = "就診號,病歷號,就診日期,就診原因\n" + "\n".join([*lines, "V45,0000,2025-03-18 09:30,洗牙"]) + "\n"

    answer = bring_in(committed_organization, write(tmp_path, text, "visits.csv"))

    assert (answer["created"], answer["updated"]) == ({"Encounter": 90}, {"Encounter": 1})
    with in_organization(committed_organization.id):
        assert Encounter.objects.count() == 90


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("why", ["somebody else wrote", "it waited too long"])
def test_a_chunk_that_may_not_stay_is_written_again(
    committed_organization: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written_alone: list[int], why: str
) -> None:
    if why == "it waited too long":
        monkeypatch.setattr(
            Turns,
            "wait",
            lambda _self, _number, patience=None, wait=Turns.wait: patience is None and wait(_self, _number),
        )
    else:
        done = iter(range(1_000))
        monkeypatch.setattr(pipeline, "_others", lambda _batch: next(done))

    answer = bring_in(committed_organization, write(tmp_path, people(90)))

    assert (answer["created"], answer["rows"]) == ({"Patient": 90}, 90)
    assert written_alone == [0, 1, 2, 3, 4]
    with in_organization(committed_organization.id):
        assert Patient.objects.count() == 90
        assert sql.value("select count(*) from events_event where kind = 'patient.registered'") == 90


@pytest.mark.usefixtures("small_chunks")
def test_an_undo_that_has_the_turn_and_wants_the_patients_is_let_through(
    committed_organization: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_turn, both_are_written, waited = threading.Event(), threading.Event(), []
    wait = Turns.wait

    def noted(self: Turns, number: int, patience: float | None = None) -> bool:
        waited.append(number)
        if {0, 1} <= set(waited):
            both_are_written.set()
        assert both_are_written.wait(10)
        return wait(self, number, patience)

    def undo() -> None:
        try:
            with in_organization(committed_organization.id):
                pipeline.take_turn()
                has_turn.set()
                assert both_are_written.wait(10)
                sql.value(f"select pg_advisory_xact_lock({PATIENTS_LOCK})")
        finally:
            connection.close()

    monkeypatch.setattr(Turns, "wait", noted)
    monkeypatch.setattr(pipeline, "PATIENCE", 600.0)
    undoing = threading.Thread(target=undo)
    undoing.start()
    assert has_turn.wait(10)

    answer = bring_in(committed_organization, write(tmp_path, people(90)))
    undoing.join(10)

    assert not undoing.is_alive()
    assert answer["created"] == {"Patient": 90}


@pytest.mark.usefixtures("small_chunks")
def test_an_import_that_broke_off_goes_on_behind_its_last_chunk(
    committed_organization: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, people(130))
    note = pipeline._note_progress

    def full(batch: ImportBatch, tally: Tally) -> None:
        if tally.chunks == 3:
            raise OSError("the disk is full")
        note(batch, tally)

    with monkeypatch.context() as broken:
        broken.setattr(pipeline, "_note_progress", full)
        with pytest.raises(OSError, match="full"):
            bring_in(committed_organization, path)
    with in_organization(committed_organization.id):
        batch = ImportBatch.objects.get()
        assert batch.chunks_done == 2
        assert "OSError" in batch.error
        assert "disk" not in batch.error
        assert Patient.objects.count() == 40

    with in_organization(committed_organization.id):
        ImportBatch.objects.update(state=ImportBatch.State.RUNNING)
    answer = bring_in(committed_organization, path)

    assert answer["created"] == {"Patient": 130}
    with in_organization(committed_organization.id):
        assert Patient.objects.count() == 130
        assert ImportBatch.objects.count() == 1
