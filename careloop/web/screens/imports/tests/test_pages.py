"""The import pages: upload, mapping, dry run, refusals, undo; one stranger."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from careloop.integrations.imports import services, uploads
from careloop.integrations.imports.models import ImportBatch

CSV = "病歷號,姓名,性別,生日,手機\n0001,王小明,男,79/3/5,0912-345-678\n0002,陳怡君,女,不詳,0987654321\n"


def send(client: Client, text: str | bytes = CSV, name: str = "病患.csv") -> Any:
    data = text.encode() if isinstance(text, str) else text
    return client.post(reverse("imports:new"), {"file": SimpleUploadedFile(name, data), "source": "his-a"})


@pytest.fixture
def uploaded(client_for: Callable[..., Client]) -> tuple[Client, ImportBatch]:
    client = client_for("front_desk")
    assert send(client).status_code == 303
    return client, ImportBatch.objects.get()


def test_an_upload_shows_what_its_columns_mean(uploaded: tuple[Client, ImportBatch]) -> None:
    client, batch = uploaded

    page = client.get(reverse("imports:prepare", args=[batch.id]))

    assert page.status_code == 200
    text = page.content.decode()
    assert '<option value="chart_number" selected>' in text
    assert '<option value="birth_date" selected>' in text
    assert "1990-03-05" in text


def test_a_column_can_be_given_another_meaning(uploaded: tuple[Client, ImportBatch]) -> None:
    client, batch = uploaded

    page = client.post(
        reverse("imports:prepare", args=[batch.id]),
        {"kind": "patient", "kind_before": "patient", "column_1": "chart_number", "column_2": "note", "column_3": "name", "action": "preview"},
    )  # fmt: skip

    batch.refresh_from_db()
    assert page.status_code == 200
    assert batch.mapping["document"]["columns"] == {"chart_number": ["#1"], "note": ["#2"], "name": ["#3"]}


def test_an_import_is_queued_and_shows_its_page(uploaded: tuple[Client, ImportBatch]) -> None:
    client, batch = uploaded
    form = {
        "kind": "patient",
        "kind_before": "patient",
        "column_1": "chart_number",
        "column_2": "name",
        "column_4": "birth_date",
    }

    answer = client.post(reverse("imports:prepare", args=[batch.id]), {**form, "action": "dry_run"})
    started = client.post(reverse("imports:prepare", args=[batch.id]), {**form, "action": "import"})

    batch.refresh_from_db()
    assert (answer.status_code, started.status_code) == (303, 303)
    assert batch.state == "QUEUED"
    dry = ImportBatch.objects.get(dry_run=True)
    for one in (batch, dry):
        for name in ("imports:batch", "imports:progress"):
            assert client.get(reverse(name, args=[one.id])).status_code == 200
    stopped = client.post(reverse("imports:stop", args=[batch.id]))
    assert stopped.status_code == 303
    assert services.get_batch(batch.id).state == "STOPPED"


@pytest.mark.parametrize(
    ("name", "data"), [("a.xlsx", b"no zip at all"), ("a.exe", b"MZ"), ("a.csv", b""), ("../../etc/passwd", b"root")]
)
def test_what_is_not_what_it_says_is_not_taken_in(client_for: Callable[..., Client], name: str, data: bytes) -> None:
    page = send(client_for("front_desk"), data, name)

    assert page.status_code == 422
    assert not ImportBatch.objects.exists()
    assert not list(uploads.folder().glob("*.xlsx"))


def test_a_file_that_cannot_be_imported_says_why(client_for: Callable[..., Client]) -> None:
    client = client_for("front_desk")
    send(client, b"PK\x03\x04 and so on", "patients.csv")

    page = client.get(reverse("imports:prepare", args=[ImportBatch.objects.get().id]))

    assert "begins like a zip" in page.content.decode()


@pytest.mark.parametrize(("language", "label"), [("en", "recognised as Name."), ("zh-hant", "「姓名」")])
def test_a_column_that_is_missing_is_called_as_on_the_screen(
    client_for: Callable[..., Client], language: str, label: str
) -> None:
    client = client_for("front_desk", language)
    send(client, "病歷號,生日\n0001,79/3/5\n")

    page = client.get(reverse("imports:prepare", args=[ImportBatch.objects.get().id])).content.decode()

    assert label in page
    assert "「name」" not in page
    assert "recognised as name" not in page


def test_a_role_without_the_permission_is_turned_away(client_for: Callable[..., Client]) -> None:
    assert client_for("marketing").get(reverse("imports:list")).status_code == 403


def test_the_list_is_a_page_with_and_without_imports(client_for: Callable[..., Client]) -> None:
    client = client_for("front_desk")
    empty = client.get(reverse("imports:list"))
    send(client)

    assert empty.status_code == 200
    assert "病患.csv" in client.get(reverse("imports:list")).content.decode()


@pytest.mark.parametrize(("state", "shown"), [("RUNNING", 337_500), ("STOPPED", 337_500), ("DONE", 84_375)])
def test_how_far_an_import_is_goes_by_the_file_until_it_is_read_to_the_end(
    uploaded: tuple[Client, ImportBatch], now: datetime, state: str, shown: int
) -> None:
    client, batch = uploaded
    ImportBatch.objects.filter(id=batch.id).update(
        state=state,
        started_at=now,
        rows_read=84_375,
        file_size=400_000,
        position=100_000,
        counts={"created": {"Patient": 84_000}},
    )

    page = client.get(f"/imports/{batch.id}/")

    assert page.context["progress"]["total"] == shown
    text = page.content.decode()
    assert f"84,375 / {shown:,}" in text
    assert "hx-swap-oob" not in text


def test_while_it_runs_the_numbers_come_with_the_progress(uploaded: tuple[Client, ImportBatch], now: datetime) -> None:
    client, batch = uploaded
    ImportBatch.objects.filter(id=batch.id).update(
        state="RUNNING", started_at=now, rows_read=9, counts={"created": {"Patient": 12_345}}
    )

    answer = client.get(f"/imports/{batch.id}/progress/", headers={"hx-request": "true"}).content.decode()

    assert 'id="import-totals" hx-swap-oob="true"' in answer
    assert "12,345" in answer
