"""Imports from end to end: counts, second imports, refusals, dry run, stop, resume, undo."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone, translation

from careloop.audit.services import Actor
from careloop.events import readers
from careloop.events.registry import READERS
from careloop.integrations.imports import commands, services, undo
from careloop.integrations.imports.errors import UndoRefused
from careloop.integrations.imports.models import ImportBatch, ImportChange, ImportFinding
from careloop.integrations.tabular.loader import FIRST_PATIENT_ROWS, PATIENT_ROWS
from careloop.kernel import sql
from careloop.loyalty.thanks import referrals
from careloop.patients import restricting, sealing, selectors
from careloop.patients.models import Patient
from careloop.records.selectors import counts
from careloop.segments import services as segments
from careloop.tenancy.context import in_organization

SIX = {
    "Encounter": 1208,
    "Condition": 640,
    "Immunization": 530,
    "Procedure": 1845,
    "MedicationRequest": 580,
    "CarePlan": 91,
}


def write(folder: Path, text: str, name: str = "patients.csv") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def bring_in(organization: Any, path: Path, kind: str = "csv", **options: Any) -> dict[str, Any]:
    return commands.run_import(kind, path, organization=organization.id, **options)


PATIENTS = (
    "病歷號,姓名,性別,生日,手機,身分證字號,備註\n"
    "0001,王小明,男,79/3/5,0912-345-678,A123456789,\n"
    "0002,陳怡君,女,1995-10-25,0987654321,A123456788,怕打針\n"
    "0003,林志豪,男,不詳,,,\n"
)
VISITS = "就診號,病歷號,就診日期,就診原因\nV1,0001,2025-03-01 09:30,感冒\nV2,0002,2025-03-02 10:00,洗牙\nV3,9999,2025-03-02,洗牙\n"


def test_a_name_that_is_longer_than_its_column_is_cut_and_said(committed_organization: Any, tmp_path: Path) -> None:
    answer = bring_in(committed_organization, write(tmp_path, "病歷號,姓名\n0001,王小明\n0002," + "長" * 500 + "\n"))

    assert (answer["created"], answer["refused"], answer["warnings"]) == ({"Patient": 2}, 0, 1)
    with in_organization(committed_organization.id):
        finding = ImportBatch.objects.get(id=answer["batch"]).findings.get()
        assert (finding.line, finding.field, finding.code, finding.values) == (3, "name", "row.cut", {"limit": 160})


def test_a_restricted_patient_is_filled_in_and_stays_closed(committed_organization: Any, tmp_path: Path) -> None:
    def bring(name: str) -> dict[str, Any]:
        resource = {"resourceType": "Patient", "id": "p1", "active": True, "name": [{"text": name}], "gender": "male"}
        return bring_in(
            committed_organization, write(tmp_path, json.dumps(resource), f"{name}.ndjson"), kind="fhir", source="his"
        )

    bring("王小明")
    with in_organization(committed_organization.id):
        restricting.restrict(patient_id=Patient.objects.get().id, reason="電話要求", now=timezone.now())

    changed, again = bring("王曉明"), bring("王曉明")

    assert (changed["updated"], again["updated"], again["unchanged"]) == ({"Patient": 1}, {}, {"Patient": 1})
    with in_organization(committed_organization.id):
        kept = Patient.objects.get()
        assert (kept.name, kept.active, kept.restriction) == ("王曉明", False, "RESTRICTED")
    commands.run_undo(changed["batch"], organization=committed_organization.id)
    with in_organization(committed_organization.id):
        kept = Patient.objects.get()
        assert (kept.name, kept.active) == ("王小明", False)


def test_several_telephone_numbers_in_one_cell_are_several_contacts_the_first_first(
    committed_organization: Any, tmp_path: Path
) -> None:
    cells = {
        "0001": "0933-111-223、02-2700-1234#12", "0002": "家02-2345-6789 手機0912345678", "0003": "0912345678/09876543",
        "0004": "0933111223",
    }  # fmt: skip
    rows = "".join(f"{number},王{number},{cell}\n" for number, cell in cells.items())

    answer = bring_in(committed_organization, write(tmp_path, "病歷號,姓名,手機\n" + rows))

    assert (answer["created"], answer["refused"], answer["warnings"]) == ({"Patient": 4}, 0, 3)
    with in_organization(committed_organization.id):
        codes = ImportFinding.objects.filter(batch_id=answer["batch"]).order_by("line").values_list("line", "code")
        assert list(codes) == [(2, "row.phone_several"), (3, "row.phone_several"), (4, "row.phone_unreadable")]
        kept = {
            one.chart_number: [
                (read.value, read.is_mobile) for read in sealing.contact_values([one.id], "phone")[one.id]
            ]
            for one in Patient.objects.all()
        }  # fmt: skip
        found = {one.chart_number for one in selectors.search("0912345678", today=timezone.localdate())}
    assert kept["0001"] == [("+886933111223", True), ("+886227001234", False)]
    assert kept["0002"] == [("+886223456789", False), ("+886912345678", True)]
    assert kept["0003"] == [("0912345678/09876543", False)]
    assert found == {"0002"}
    again = bring_in(committed_organization, write(tmp_path, "病歷號,姓名,手機\n" + rows))
    assert (again["created"], again["unchanged"]) == ({}, {"Patient": 4})


def test_what_an_import_changes_in_a_patient_is_named_and_nothing_else(
    committed_organization: Any, tmp_path: Path
) -> None:
    bring_in(committed_organization, write(tmp_path, "病歷號,姓名,生日,地址\n0001,王小明,1990-01-02,大安路1號\n"))
    answer = bring_in(
        committed_organization, write(tmp_path, "病歷號,姓名,生日,地址\n0001,王大明,1990-01-02,大安路2號\n")
    )

    assert answer["updated"] == {"Patient": 1}
    with in_organization(committed_organization.id):
        told = sql.row("select payload -> 'fields' as fields from events_event where kind = 'patient.updated'")
        assert told == {"fields": ["address", "name"]}


def test_what_is_to_be_looked_at_is_named_with_its_line_as_refused_rows_are(
    committed_organization: Any, tmp_path: Path
) -> None:
    rows = "".join(f"{number:04d},{'長' * 200}\n" for number in range(21)) + "9999,\n"
    with translation.override("en"):
        lines = commands.in_words(
            bring_in(committed_organization, write(tmp_path, "病歷號,姓名\n" + rows, "names.csv"))
        )

    assert [line for line in lines if "line 23" in line] == ["names.csv, line 23, name: This field must be filled."]
    cut = [line for line in lines if "160 characters" in line]
    assert cut[0].startswith("names.csv, line 2, name: ")
    assert (len(cut), lines[-2]) == (20, "… and 1 more to look at.")


def test_a_department_that_is_longer_than_its_column_is_cut_and_said(
    committed_organization: Any, tmp_path: Path
) -> None:
    bring_in(committed_organization, write(tmp_path, "病歷號,姓名\n0001,王小明\n"))
    visits = "就診號,病歷號,就診日期,科別\nV1,0001,2026-01-05,牙科\nV2,0001,2026-02-05," + "科" * 500 + "\n"

    answer = bring_in(committed_organization, write(tmp_path, visits, "visits.csv"))

    assert (answer["created"], answer["refused"], answer["warnings"]) == ({"Encounter": 2}, 0, 1)
    with in_organization(committed_organization.id):
        finding = ImportBatch.objects.get(id=answer["batch"]).findings.get()
        assert (finding.line, finding.field, finding.code) == (3, "department", "row.cut")


def test_patients_come_in_sealed_with_refusals_and_warnings(committed_organization: Any, tmp_path: Path) -> None:
    answer = bring_in(committed_organization, write(tmp_path, PATIENTS))

    assert answer["created"] == {"Patient": 2}
    assert answer["refused"] == 1
    assert answer["refusals"][0]["line"] == 4
    assert answer["refusals"][0]["code"] == "row.not_a_date"
    with in_organization(committed_organization.id):
        assert set(Patient.objects.values_list("name", "birth_date__year")) == {("王小明", 1990), ("陳怡君", 1995)}
        batch = ImportBatch.objects.get(id=answer["batch"])
        warned = batch.findings.filter(kind=ImportFinding.Kind.WARNED).values_list("code", flat=True)
        assert list(warned) == ["row.national_id_check_digit"]
        assert sql.value("select count(*) from patients_contact_point") == 2
        assert sql.value("select count(*) from events_event where kind = 'patient.registered' and historical") == 2
        raw = sql.value("select raw_sealed from imports_finding where kind = 'REFUSED'")
        assert "林志豪".encode() not in bytes(raw)


def test_the_same_file_again_changes_nothing(committed_organization: Any, tmp_path: Path) -> None:
    people, visits = write(tmp_path, PATIENTS), write(tmp_path, VISITS, "visits.csv")
    for path in (people, visits):
        bring_in(committed_organization, path)

    again = [bring_in(committed_organization, path) for path in (people, visits)]

    assert [one["created"] for one in again] == [{}, {}]
    assert [one["updated"] for one in again] == [{}, {}]
    assert again[1]["unchanged"] == {"Encounter": 2}
    assert again[1]["refusals"][0]["code"] == "row.patient_unknown"


def test_true_duplicates_stay_two_and_meet_their_own_again(committed_organization: Any, tmp_path: Path) -> None:
    bring_in(committed_organization, write(tmp_path, PATIENTS))
    twice = write(
        tmp_path,
        "病歷號,處置代碼,處置,處置日期\n0001,91004C,洗牙,2025-03-01\n0001,91004C,洗牙,2025-03-01\n0001,91005C,補牙,2025-03-01\n",
        "p.csv",
    )

    first = bring_in(committed_organization, twice)
    again = bring_in(committed_organization, twice)
    other = bring_in(committed_organization, twice, source="another")

    assert first["created"] == {"Procedure": 3}
    assert (again["created"], other["created"]) == ({}, {})


def test_a_dry_run_reports_everything_and_writes_nothing(committed_organization: Any, tmp_path: Path) -> None:
    answer = bring_in(committed_organization, write(tmp_path, PATIENTS), dry_run=True)

    assert (answer["created"], answer["refused"]) == ({"Patient": 2}, 1)
    with in_organization(committed_organization.id):
        assert not Patient.objects.exists()
        assert not sql.value("select count(*) from events_event")
        assert ImportBatch.objects.get(id=answer["batch"]).findings.count() == 2


def test_undo_takes_back_what_was_made_and_puts_back_what_was_changed(
    committed_organization: Any, tmp_path: Path
) -> None:
    bring_in(committed_organization, write(tmp_path, PATIENTS))
    changed = bring_in(
        committed_organization,
        write(
            tmp_path,
            PATIENTS.replace("王小明", "王大明").replace("0003,林志豪,男,不詳", "0003,林志豪,男,1980-01-01"),
            "new.csv",
        ),
    )
    assert (changed["created"], changed["updated"]) == ({"Patient": 1}, {"Patient": 1})

    commands.run_undo(changed["batch"], organization=committed_organization.id)

    with in_organization(committed_organization.id):
        assert set(Patient.objects.values_list("name", flat=True)) == {"王小明", "陳怡君"}
        assert sql.value("select count(*) from patients_key") == 2
        assert ImportBatch.objects.get(id=changed["batch"]).state == "UNDONE"


def test_a_referral_that_an_imported_visit_completed_waits_again_when_the_import_is_undone(
    committed_organization: Any, tmp_path: Path
) -> None:
    bring_in(committed_organization, write(tmp_path, PATIENTS))
    now = timezone.now()
    visits = write(tmp_path, f"就診號,病歷號,就診日期\nV9,0002,{timezone.localdate(now)} 00:05\n", "visits.csv")
    came = bring_in(committed_organization, visits)
    with in_organization(committed_organization.id):
        member, friend = (Patient.objects.get(chart_number=number) for number in ("0001", "0002"))
        referrals.set_up(given={"is_on": True}, version=None, now=now, by=None)
        made = referrals.claim(friend_id=friend.pk, code=referrals.code_of(member.pk, now=now), how="DESK", now=now)
        assert made.state == "COMPLETED"

    commands.run_undo(came["batch"], organization=committed_organization.id)

    with in_organization(committed_organization.id):
        made.refresh_from_db()
        assert (made.state, made.visited_at, made.given) == ("WAITING", None, "")


def test_undo_takes_a_record_off_the_visit_that_the_same_import_brought(
    committed_organization: Any, tmp_path: Path
) -> None:
    """A diagnosis known before is hung on a visit by the second import; that is no later work of anybody else."""
    subject = {"reference": "Patient/p1"}
    patient = {"resourceType": "Patient", "id": "p1", "name": [{"text": "王小明"}], "birthDate": "1990-03-05"}
    diagnosis = {
        "resourceType": "Condition",
        "id": "c1",
        "subject": subject,
        "code": {"text": "感冒"},
        "onsetDateTime": "2025-03-01",
    }
    visit = {
        "resourceType": "Encounter", "id": "e1", "status": "finished", "class": {"code": "AMB"}, "subject": subject,
        "period": {"start": "2025-03-01T09:30:00+08:00"},
    }  # fmt: skip
    hung = diagnosis | {"encounter": {"reference": "Encounter/e1"}}
    lines = ("\n".join(map(json.dumps, one)) for one in ([patient, diagnosis], [patient, visit, hung]))
    first, second = (
        bring_in(committed_organization, write(tmp_path, text, f"{place}.ndjson"), kind="fhir", source="his")
        for place, text in enumerate(lines)
    )
    assert (second["created"], second["updated"]) == ({"Encounter": 1}, {"Condition": 1})

    commands.run_undo(second["batch"], organization=committed_organization.id)

    with in_organization(committed_organization.id):
        assert sql.rows("select encounter_id from records_condition") == [{"encounter_id": None}]
        assert sql.value("select count(*) from records_encounter") == 0
    commands.run_undo(first["batch"], organization=committed_organization.id)


def test_records_that_an_import_brings_up_to_date_move_facts_and_segments(
    committed_organization: Any, tmp_path: Path
) -> None:
    """A booked visit is none; the next import says that it took place, and undoing that takes it back."""
    subject = {"reference": "Patient/p1"}
    patient = {"resourceType": "Patient", "id": "p1", "name": [{"text": "王小明"}], "birthDate": "1990-03-05"}
    visit = {
        "resourceType": "Encounter", "id": "e1", "status": "planned", "class": {"code": "AMB"}, "subject": subject,
        "period": {"start": "2025-03-01T09:30:00+08:00"},
    }  # fmt: skip

    def read() -> None:
        for name in ("facts", "segments"):
            while readers.run_reader(READERS[name], committed_organization.id, now=timezone.now()):
                pass

    def seen() -> tuple[str, int]:
        read()
        with in_organization(committed_organization.id):
            return (
                str(sql.value("select last_visit_on from facts_patient")),
                sql.value("select count(*) from segments_member"),
            )

    def bring(place: int, *resources: dict[str, Any]) -> dict[str, Any]:
        path = write(tmp_path, "\n".join(map(json.dumps, resources)), f"{place}.ndjson")
        return bring_in(committed_organization, path, kind="fhir", source="his")

    bring(0, patient, visit)
    read()
    with in_organization(committed_organization.id):
        segments.create_segment(
            name="來過",
            rule={"field": "visits", "op": "at_least", "count": 1},
            purpose="CARE",
            by=None,
            now=timezone.now(),
        )
    assert seen() == ("None", 0)

    second = bring(1, patient, visit | {"status": "finished"})
    assert (second["created"], second["updated"]) == ({}, {"Encounter": 1})
    assert seen() == ("2025-03-01", 1)
    with in_organization(committed_organization.id):
        assert sql.value("select historical from events_event where kind = 'record.updated'")

    bring(2, patient, visit | {"status": "finished"})
    with in_organization(committed_organization.id):
        assert sql.value("select count(*) from events_event where kind = 'record.updated'") == 1, "nothing changed"

    commands.run_undo(second["batch"], organization=committed_organization.id)
    assert seen() == ("None", 0)


def test_undo_is_refused_when_later_work_builds_on_the_import(committed_organization: Any, tmp_path: Path) -> None:
    people = bring_in(committed_organization, write(tmp_path, PATIENTS))
    bring_in(committed_organization, write(tmp_path, VISITS, "visits.csv"))

    with in_organization(committed_organization.id):
        found = undo.obstacles(services.get_batch(people["batch"]))
        assert [one.count for one in found] == [2]
        with pytest.raises(UndoRefused):
            undo.undo_batch(batch_id=UUID(people["batch"]), by=Actor("command"), by_user=None, now=timezone.now())
        assert Patient.objects.count() == 2


def test_another_clinic_sees_nothing_of_an_import(committed_organization: Any, tmp_path: Path) -> None:
    from conftest import make_organization

    answer = bring_in(committed_organization, write(tmp_path, PATIENTS))

    with in_organization(make_organization().id):
        assert not ImportBatch.objects.filter(id=answer["batch"]).exists()
        assert not Patient.objects.exists()


def test_a_missing_header_must_be_answered_and_a_mapping_answers_it(
    committed_organization: Any, tmp_path: Path
) -> None:
    from careloop.integrations.tabular.loader import QuestionsOpen

    path = write(tmp_path, "\n".join(PATIENTS.splitlines()[1:3]), "bare.csv")
    with pytest.raises(QuestionsOpen):
        bring_in(committed_organization, path)
    mapping = write(
        tmp_path,
        json.dumps(
            {
                "version": 1,
                "kind": "patient",
                "columns": {"chart_number": "#1", "name": "#2", "birth_date": "#4"},
                "options": {"header_line": 0},
            }
        ),
        "map.json",
    )

    answer = bring_in(committed_organization, path, map_file=mapping)

    assert answer["created"] == {"Patient": 2}


@pytest.mark.slow
def test_two_formats_of_the_same_people_add_nothing(committed_organization: Any, shared: Path) -> None:
    folder = shared / "data" / "synthea"

    first = bring_in(committed_organization, folder / "pair-csv.zip")
    with in_organization(committed_organization.id):
        before = counts()
    second = bring_in(committed_organization, folder / "pair-fhir-r4.tar.xz", kind="fhir")
    with in_organization(committed_organization.id):
        after = counts()

    assert first["refused"] == second["refused"] == 0
    assert before["Patient"] == 39
    assert (before["Encounter"], before["Condition"], before["MedicationRequest"], before["Observation"]) == (
        1653,
        929,
        1031,
        13913,
    )
    for resource in ("Patient", *SIX):
        assert second["created"].get(resource, 0) == 0
        assert after[resource] == before[resource]
    touched = {name: second["updated"].get(name, 0) + second["unchanged"].get(name, 0) for name in SIX}
    assert touched == SIX


@pytest.mark.slow
def test_the_other_order_of_formats_adds_only_the_people_who_were_missing(
    committed_organization: Any, shared: Path
) -> None:
    folder = shared / "data" / "synthea"

    bring_in(committed_organization, folder / "pair-fhir-r4.tar.xz", kind="fhir")
    with in_organization(committed_organization.id):
        before = counts()
    bring_in(committed_organization, folder / "pair-csv.zip")
    with in_organization(committed_organization.id):
        after = counts()

    assert {name: before[name] for name in SIX} == SIX
    assert (before["Patient"], after["Patient"]) == (33, 39)
    assert (after["Encounter"], after["Condition"], after["MedicationRequest"], after["Procedure"]) == (
        1653,
        929,
        1031,
        3150,
    )


@pytest.mark.slow
@pytest.mark.crash
def test_an_import_that_was_killed_goes_on_where_it_stopped(committed_organization: Any, tmp_path: Path) -> None:
    lines = ["病歷號,姓名,生日", *(f"{number:06d},王小明,1990-01-01" for number in range(30_000))]
    path = write(tmp_path, "\n".join(lines) + "\n")
    code = (
        "import sys; from careloop.config.database import database; database().start(); import django; django.setup();"
        "from uuid import UUID; from careloop.integrations.imports import commands;"
        "commands.run_import('csv', sys.argv[1], organization=UUID(sys.argv[2]), progress=lambda text: print(text, flush=True))"
    )
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": os.environ.get("DJANGO_SETTINGS_MODULE", "careloop.config.settings_test"),
    }
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(path), str(committed_organization.id)], stdout=subprocess.PIPE, env=environment
    )
    assert child.stdout is not None
    child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    with in_organization(committed_organization.id):
        batch = ImportBatch.objects.get()
        assert batch.state == "RUNNING"
        assert 0 < batch.chunks_done < 9
        done = sum(min(FIRST_PATIENT_ROWS * 2**chunk, PATIENT_ROWS) for chunk in range(batch.chunks_done))
        assert Patient.objects.count() == done

    answer = bring_in(committed_organization, path)

    assert answer["batch"] == str(batch.id)
    assert answer["created"] == {"Patient": 30_000}
    with in_organization(committed_organization.id):
        assert Patient.objects.count() == 30_000
        assert ImportBatch.objects.count() == 1
        assert not ImportChange.objects.exists()


@pytest.mark.parametrize("dry_run", [True, False])
def test_an_upload_is_imported_by_the_worker_and_its_file_removed(
    committed_organization: Any, tmp_path: Path, dry_run: bool
) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    from careloop.integrations.imports import tasks, uploads

    stored, name = uploads.save(SimpleUploadedFile("病患.csv", PATIENTS.encode()))
    with in_organization(committed_organization.id):
        batch = services.create_batch(
            kind="csv", path=uploads.folder() / stored, name=name, source="his-a", document=None, dry_run=dry_run, by=None,
            now=timezone.now(), stored_as=stored, state=ImportBatch.State.QUEUED,
        )  # fmt: skip

    tasks.run(organization_id=str(committed_organization.id), batch_id=str(batch.id))

    with in_organization(committed_organization.id):
        batch.refresh_from_db()
        assert (batch.state, batch.counts["created"], batch.refused) == ("DONE", {"Patient": 2}, 1)
        assert Patient.objects.count() == (0 if dry_run else 2)
        assert (uploads.folder() / stored).exists() is dry_run


def test_a_file_refused_as_a_whole_is_named_without_a_line() -> None:
    refusal = {"file": "empty.json", "line": 0, "field": "", "code": "fhir.empty", "reason": "The document is empty."}
    answer = {"batch": "b", "dry_run": False, "created": {}, "updated": {}, "unchanged": {}, "notices": [], "rows": 1}

    lines = commands.in_words(answer | {"refusals": [refusal], "refused": 1, "warnings": 0, "to_look_at": []})

    assert lines[0] == "empty.json: The document is empty."


def test_a_file_that_no_batch_speaks_of_does_not_lie_about_for_ever(organization: Any) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    from careloop.integrations.imports import uploads

    lost, young = (uploads.folder() / uploads.save(SimpleUploadedFile("病患.csv", b"a,b"))[0] for _ in range(2))
    at = (timezone.now() - timedelta(days=31)).timestamp()
    os.utime(lost, (at, at))

    uploads.remove_old(now=timezone.now())

    assert (lost.exists(), young.exists()) == (False, True)
    young.unlink()


def test_what_a_killed_import_had_unpacked_does_not_lie_about_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from careloop.integrations.imports import uploads

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left, in_use, strange = (tmp_path / name for name in ("careloop-import-a", "careloop-import-b", "something-else"))
    at = (timezone.now() - timedelta(days=8)).timestamp()
    for one in (left, in_use, strange):
        one.mkdir()
        (one / "patients.csv").write_text("a,b")
    for one in (left, strange):
        os.utime(one, (at, at))

    uploads.remove_left_over(now=timezone.now())

    assert [one.exists() for one in (left, in_use, strange)] == [False, True, True]
