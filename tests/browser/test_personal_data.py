"""A person asks for their data: a copy of everything, then that it rests, then that it is erased; and nothing of it is left anywhere."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from careloop.config.database import database
from tests.browser.installation import Installation
from tests.browser.steps import send

# Who looked at whose data stays provable; the words in it are the staff's reasons.
KEPT = frozenset({"audit_event"})


@pytest.fixture
def admin(installation: Installation) -> Iterator[Any]:
    """A superuser's view of the installation's database, past every wall."""
    place = database().administrator().at(installation.database)
    with psycopg.connect(place.conninfo(), autocommit=True) as connection:
        yield connection


def somebody(admin: Any, installation: Installation) -> tuple[str, str]:
    """The demo patient of whom most kinds of things are known, whose name nobody else has and no other walk needs."""
    tables = admin.execute(
        "select table_name from information_schema.columns where table_schema = 'public' and column_name = 'patient_id' "
        "and table_name !~ '^(audit|events_event_)'"
    ).fetchall()
    parts = " union all ".join(
        f"select distinct patient_id from {table} where patient_id is not null" for (table,) in tables
    )
    needed = json.dumps(installation.known, default=str)
    for patient, name in admin.execute(
        f"""select p.id::text, p.name from patients_patient p join (select patient_id, count(*) from ({parts}) kinds group by 1) k
              on k.patient_id = p.id where p.active and p.chart_number <> '' and (select count(*) from patients_patient o where o.name = p.name) = 1
             order by k.count desc, p.id"""
    ).fetchall():  # fmt: skip
        if patient not in needed and name not in needed:
            return patient, name
    raise AssertionError("the demo has nobody whom no other walk needs")


def traces(admin: Any, words: set[str]) -> list[str]:
    tables = [
        name for (name,) in admin.execute(
            "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'public' and c.relkind = 'r'"
        ).fetchall()
    ]  # fmt: skip
    return [
        f"{table}: {word}" for table in tables if table not in KEPT for word in words
        if admin.execute(f"select exists (select 1 from {table} t where t::text like %s)", [f"%{word}%"]).fetchone()[0]
    ]  # fmt: skip


def wait_until(condition: Callable[[], bool], seconds: int = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.3)


def ask(page: Page, link: str, **fields: str) -> None:
    """Open the dialog behind a link, fill it in and send it."""
    page.get_by_role("link", name=link, exact=True).click()
    for name, value in fields.items():
        page.locator(f"dialog [name={name}]").fill(value)
    send(page, page.locator("dialog button[type=submit]"))


def test_a_person_gets_their_data_has_them_rest_and_then_erased(
    installation: Installation, open_as: Callable[..., BrowserContext], admin: Any
) -> None:
    patient, name = somebody(admin, installation)
    officer = open_as("privacy_officer").new_page()

    officer.goto(f"/patients/{patient}/consent/")
    send(officer, officer.get_by_role("link", name="Personal data"))
    expect(officer.get_by_text("The law asks for the records to be kept until")).to_be_visible()
    expect(officer.get_by_role("link", name="Erase", exact=True)).to_have_count(0)

    # everything in one file
    officer.get_by_role("link", name="Give out all data").click()
    officer.locator("dialog [name=reason]").fill("in writing")
    with officer.expect_download() as download:
        officer.locator("dialog button[type=submit]").click()
    given = json.loads(download.value.path().read_text(encoding="utf-8"))
    expect(officer.locator("dialog[open]")).to_have_count(0)
    assert given["patients"]["patient"]["name"] == name
    assert given["records"]["encounter"]
    assert given["messaging"]["messages"]
    secrets = {one["value"] for one in given["patients"]["contact_points"] + given["patients"]["identifiers"]}
    secrets |= {name, given["patients"]["patient"]["address"]} - {""}
    assert len(secrets) >= 3
    assert traces(admin, {name}), "the search for traces finds what is there"

    # it rests: out of segments and plans within seconds
    officer.goto(f"/privacy/{patient}/")
    ask(officer, "Restrict", reason="by telephone")
    expect(officer.get_by_text("This record is restricted")).to_be_visible()
    wait_until(
        lambda: (
            admin.execute("select count(*) from segments_member where patient_id = %s", [patient]).fetchone()[0] == 0
        )
    )

    # erased, where the law of the place allows it
    admin.execute("update tenancy_organization set legal_profile = 'INTL'")
    try:
        officer.goto(f"/privacy/{patient}/")
        ask(officer, "Erase", reason="in writing", name=name)
        expect(officer.get_by_text("This record was erased")).to_be_visible()
    finally:
        admin.execute("update tenancy_organization set legal_profile = 'TW'")
    # the roll-up follows with the reader of the log
    wait_until(
        lambda: (
            admin.execute("select birth_date is null from facts_patient where patient_id = %s", [patient]).fetchone()
            == (True,)
        )
    )
    assert traces(admin, secrets) == []
    officer.goto(f"/patients/{patient}/")
    expect(officer.locator("h1")).to_contain_text("erased")
    desk = open_as("front_desk").new_page()
    desk.goto(f"/patients/{patient}/timeline/")
    expect(desk.locator("main")).not_to_contain_text(name)


def test_the_list_of_patients_is_downloaded_from_its_dialog(open_as: Callable[..., BrowserContext]) -> None:
    officer = open_as("privacy_officer").new_page()
    officer.goto("/patients/")

    officer.get_by_role("link", name="Download").click()
    officer.locator("dialog [name=reason]").fill("yearly report")
    with officer.expect_download() as download:
        officer.locator("dialog button[type=submit]").click()

    assert download.value.suggested_filename.startswith("patients-")
    lines = download.value.path().read_text(encoding="utf-8-sig").splitlines()
    assert lines[0].startswith("Chart number,Name,Sex,Birth date")
    assert len(lines) > 30
    expect(officer.locator("dialog[open]")).to_have_count(0)
