"""Reading ahead of the database: what is sealed there opens, what goes wrong there is said, and stopping and going on stay exact."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from careloop.integrations.imports import commands, services
from careloop.integrations.imports.models import ImportBatch
from careloop.integrations.imports.pipeline import Tally
from careloop.integrations.imports.rows import RowChunk
from careloop.integrations.imports.tests.test_imports import bring_in, write
from careloop.integrations.tabular import loader
from careloop.integrations.tabular.loader import FIRST_PATIENT_ROWS
from careloop.kernel import sql
from careloop.patients import sealing
from careloop.patients.models import Patient
from careloop.patients.selectors import search
from careloop.tenancy.context import in_organization

TODAY = date(2026, 11, 21)
HEADER = "病歷號,姓名,性別,生日,手機,電話,電子郵件,地址\n"


def many(count: int) -> str:
    return "病歷號,姓名,生日\n" + "".join(f"{number:06d},王小明,079/03/05\n" for number in range(count))


def contacts_of(patient: UUID) -> dict[str, str]:
    return {one.use or one.system: one.value for one in sealing.contact_values([patient]).get(patient, [])}


def address_of(patient: UUID) -> str:
    sealed = sql.value("select address_sealed from patients_patient where id = %s", [patient])
    return sealing.unseal(
        sealing.key_of(patient), sealed, table=sealing.PATIENT_TABLE, column="address_sealed", row_id=patient
    )


def patient_of(chart: str) -> UUID:
    found: UUID = Patient.objects.values_list("id", flat=True).get(chart_number=chart)
    return found


def test_what_was_sealed_ahead_opens_and_is_found(committed_organization: Any, tmp_path: Path) -> None:
    bring_in(
        committed_organization,
        write(tmp_path, HEADER + "1,王小明,男,079/03/05,0912-345-678,02-23456789,Amy@Example.com,台北市\\和平路\n"),
    )

    with in_organization(committed_organization.id):
        patient = patient_of("1")
        assert contacts_of(patient) == {"mobile": "+886912345678", "home": "+886223456789", "email": "Amy@Example.com"}
        assert address_of(patient) == "台北市\\和平路"
        for asked in ("0912345678", "amy@example.com", "王小", "1990-03-05"):
            assert [one.id for one in search(asked, today=TODAY)] == [patient], asked


def test_a_known_patient_gets_a_new_number_under_the_old_key(committed_organization: Any, tmp_path: Path) -> None:
    bring_in(committed_organization, write(tmp_path, HEADER + "1,王小明,男,079/03/05,0912-345-678,,,台北市\n"))
    with in_organization(committed_organization.id):
        patient = patient_of("1")
        key = sealing.key_of(patient)

    answer = bring_in(
        committed_organization,
        write(tmp_path, HEADER + "1,王小明,男,079/03/05,0912-345-678,0287654321,,高雄市\n2,李四,男,,,,,\n", "new.csv"),
    )

    assert (answer["created"], answer["updated"]) == ({"Patient": 1}, {"Patient": 1})
    with in_organization(committed_organization.id):
        assert sealing.key_of(patient) == key
        assert contacts_of(patient) == {"mobile": "+886912345678", "home": "+886287654321"}
        assert address_of(patient) == "高雄市"


def test_a_patient_twice_in_one_file_is_one_and_the_later_row_is_sealed_for_the_same(
    committed_organization: Any, tmp_path: Path
) -> None:
    rows = "1,王小明,男,,0912-345-678,,,台北市\n1,王小明,男,,0987-654-321,,,高雄市\n"

    answer = bring_in(committed_organization, write(tmp_path, HEADER + rows))

    assert (answer["created"], answer["unchanged"]) == ({"Patient": 1}, {"Patient": 1})
    with in_organization(committed_organization.id):
        patient = patient_of("1")
        assert contacts_of(patient) == {"mobile": "+886987654321"}
        assert address_of(patient) == "高雄市"


def test_one_number_typed_twice_is_one_contact_point(committed_organization: Any, tmp_path: Path) -> None:
    bring_in(committed_organization, write(tmp_path, HEADER + "1,王小明,男,,0912-345-678,0912345678,,\n"))

    with in_organization(committed_organization.id):
        assert contacts_of(patient_of("1")) == {"mobile": "+886912345678"}


def test_what_goes_wrong_while_reading_is_said_and_what_was_written_stays(
    committed_organization: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, many(FIRST_PATIENT_ROWS * 3))
    whole = loader.stream

    def broken(*arguments: Any, **options: Any) -> Iterator[RowChunk]:
        yield next(iter(whole(*arguments, **options)))
        raise OSError("the disk went away")

    monkeypatch.setattr(loader, "stream", broken)
    with pytest.raises(OSError, match="went away"):
        bring_in(committed_organization, path)

    with in_organization(committed_organization.id):
        batch = ImportBatch.objects.get()
        assert (batch.state, batch.chunks_done) == ("FAILED", 1)
        assert "OSError" in batch.error
        assert "disk" not in batch.error
        assert Patient.objects.count() == FIRST_PATIENT_ROWS


def test_an_import_stops_behind_its_chunk_and_goes_on_without_doing_one_twice(
    committed_organization: Any, tmp_path: Path
) -> None:
    path = write(tmp_path, many(FIRST_PATIENT_ROWS * 7))
    with in_organization(committed_organization.id):
        batch = services.create_batch(
            kind="csv",
            path=path,
            name=path.name,
            source="his",
            document=None,
            dry_run=False,
            by=None,
            now=timezone.now(),
        )

    def ask_to_stop(tally: Tally) -> None:
        with in_organization(committed_organization.id):
            services.request_stop(batch_id=batch.id, by=None, now=timezone.now())

    services.run_batch(
        batch, path, organization_id=committed_organization.id, clock=timezone.now, actor=commands.COMMAND,
        progress=ask_to_stop,
    )  # fmt: skip
    assert (batch.state, batch.chunks_done, batch.rows_read) == ("STOPPED", 1, FIRST_PATIENT_ROWS)

    services.run_batch(
        batch, path, organization_id=committed_organization.id, clock=timezone.now, actor=commands.COMMAND
    )

    assert (batch.state, batch.chunks_done, batch.counts["created"]) == ("DONE", 4, {"Patient": FIRST_PATIENT_ROWS * 7})
    with in_organization(committed_organization.id):
        assert Patient.objects.count() == FIRST_PATIENT_ROWS * 7
        assert (
            sql.value("select count(*) from events_event where kind = 'patient.registered'") == FIRST_PATIENT_ROWS * 7
        )
        assert (
            sql.value("select count(distinct patient) from audit_event, unnest(patients) as patient")
            == FIRST_PATIENT_ROWS * 7
        )
