"""Rotating the master key, and proof that nothing sensitive lies in the clear anywhere."""

import contextlib
import os
import subprocess
from pathlib import Path

import psycopg
import pytest
from django.conf import settings

from careloop.kernel import sql, vault
from careloop.patients import keys, sealing, selectors, services
from careloop.patients.tests import make
from careloop.tenancy.context import in_organization

PHONE, NATIONAL_ID, EMAIL, ADDRESS = (
    "+886987123654",
    "F131104093",
    "planted.needle@example.com",
    "基隆市仁愛區忠一路一千一百號",
)


@pytest.fixture(autouse=True)
def own_key_file(tmp_path, settings):
    """Rotation replaces the key file; the other tests keep theirs."""
    old = Path(settings.CARELOOP_KEY_FILE)
    vault.keyring()
    fresh = tmp_path / "master.json"
    fresh.write_text(old.read_text())
    settings.CARELOOP_KEY_FILE = fresh
    vault.keyring.cache_clear()
    yield fresh
    vault.keyring.cache_clear()
    sealing._unwrapped.cache_clear()


def make_people(organization, count=7):
    with in_organization(organization.id):
        return [make.patient(f"病人{n}", phone=f"09120000{n:02}") for n in range(count)]


def versions(organization):
    with in_organization(organization.id):
        found = sql.rows("select distinct get_byte(wrapped, 3) as version from patients_key order by 1")
    return [row["version"] for row in found]


@pytest.fixture
def alone(own_key_file, committed_organization, monkeypatch):
    """Rotate in this organization only: what other tests left behind belongs to the other key file."""
    monkeypatch.setattr(keys, "organization_ids", lambda: [(committed_organization.id, "here")])


def test_every_data_key_is_wrapped_anew_and_every_value_still_opens(committed_organization, alone, now):
    people = make_people(committed_organization)
    before = vault.keyring().current

    done = keys.rotate(now=now, batch=3)

    assert done["version"] == before + 1
    assert done["rewrapped"] >= len(people)
    assert versions(committed_organization) == [before + 1]
    with in_organization(committed_organization.id):
        assert sealing.contact_values(people)[people[0]][0].value == "+886912000000"
        assert [one.id for one in selectors.search("006", today=now.date())] == [people[6]]


def test_a_rotation_that_was_cut_off_goes_on_without_a_further_version(committed_organization, alone, now, monkeypatch):
    make_people(committed_organization)
    real, calls = keys._rewrap_batch, []

    def dies(ring, size):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(ring, size)

    before = vault.keyring().current
    monkeypatch.setattr(keys, "_rewrap_batch", dies)
    with pytest.raises(KeyboardInterrupt):
        keys.rotate(now=now, batch=3)
    assert versions(committed_organization) == [before, before + 1]

    monkeypatch.setattr(keys, "_rewrap_batch", real)
    done = keys.rotate(now=now, batch=3)

    assert (done["version"], done["resumed"], done["rewrapped"]) == (before + 1, True, 4)
    assert versions(committed_organization) == [before + 1]


def test_a_process_that_still_holds_the_old_key_file_reads_the_new_one(
    committed_organization, alone, now, own_key_file
):
    people = make_people(committed_organization, 1)
    old = vault.load_keyring(own_key_file)
    keys.rotate(now=now)

    class Stale:
        """What a web process has in memory until it meets a version it does not know."""

        def __init__(self):
            self.ring = old

        def __call__(self):
            return self.ring

        def cache_clear(self):
            self.ring = vault.load_keyring(own_key_file)

    stale, real = Stale(), vault.keyring
    sealing._unwrapped.cache_clear()
    vault.keyring = stale
    try:
        with in_organization(committed_organization.id):
            assert sealing.contact_values(people)[people[0]][0].value == "+886912000000"
    finally:
        vault.keyring = real


def test_a_key_that_does_not_open_is_reported(committed_organization, alone, now):
    make_people(committed_organization, 2)
    with in_organization(committed_organization.id):
        sql.execute("update patients_key set wrapped = overlay(wrapped placing '\\x00' from 30 for 1)")

    with pytest.raises(vault.VaultError):
        keys.rotate(now=now)


def test_keys_for_a_thousand_patients_take_three_statements(organization, django_assert_num_queries):
    people = [make.patient(f"病人{n}") for n in range(20)]
    sql.execute("delete from patients_key")

    with django_assert_num_queries(3):
        made = sealing.create_keys(people)

    assert sealing.load_keys(people) == made == sealing.create_keys(people)


def test_contact_values_of_a_batch_take_one_statement(organization, django_assert_num_queries):
    people = [make.patient(f"病人{n}", phone=f"09120000{n:02}", email=f"p{n}@example.com") for n in range(20)]

    with django_assert_num_queries(1):
        found = sealing.contact_values(people, "email")

    assert [found[one][0].value for one in people] == [f"p{n}@example.com" for n in range(20)]


def test_a_ciphertext_moved_to_another_patient_does_not_open(organization):
    first, second = make.patient("甲", phone="0912345678"), make.patient("乙", phone="0987654321")
    sql.execute(
        "update patients_contact_point c set value_sealed = o.value_sealed from patients_contact_point o "
        "where c.patient_id = %s and o.patient_id = %s", [first, second],
    )  # fmt: skip

    with pytest.raises(vault.VaultError):
        sealing.contact_values([first])


def test_a_lost_key_file_is_never_replaced_by_a_new_one(committed_organization, own_key_file):
    """It would seal tomorrow's patients under keys that yesterday's backup does not know, and open nobody of yesterday."""
    make_people(committed_organization, 1)
    kept = own_key_file.read_text()
    own_key_file.unlink()
    vault.keyring.cache_clear()

    with pytest.raises(vault.VaultError, match="restore it from your backup"):
        vault.keyring()

    assert not own_key_file.exists()
    own_key_file.write_text(kept)
    assert vault.keyring().current


def needles() -> list[bytes]:
    """Everything planted, in each spelling it could lie around in."""
    digits = PHONE.removeprefix("+886")
    texts = [
        PHONE,
        "0" + digits,
        digits,
        f"0{digits[:3]}-{digits[3:6]}-{digits[6:]}",
        NATIONAL_ID,
        EMAIL,
        EMAIL.split("@")[0],
        ADDRESS,
    ]
    return [text.encode(encoding) for text in texts for encoding in ("utf-8", "utf-16-le")] + [
        text.encode().hex().encode() for text in texts
    ]


def test_planted_numbers_are_found_nowhere_on_disk(committed_organization, now, caplog):
    """Neither in the database's own files nor in a dump: events, audit, jobs and logs are all in there."""
    from careloop.config.database import database

    here = database()
    if here.cluster is None:
        pytest.skip("the database is not ours; its files cannot be read")
    caplog.set_level("DEBUG")
    with in_organization(committed_organization.id):
        patient_id = make.patient("藏針者", phone="0987-123-654", email=EMAIL, national_id=NATIONAL_ID, address=ADDRESS)
        services.update(patient_id=patient_id, changes={"address": ADDRESS + "二樓"}, version=None, now=now, by=None)
        row = sql.row("select id from patients_contact_point where patient_id = %s limit 1", [patient_id])
        services.set_reach(contact_point_ids=[row["id"]], reach="bounced", now=now)
        assert selectors.search(NATIONAL_ID, today=now.date())[0].id == patient_id
        assert selectors.search("0987123654", today=now.date())[0].id == patient_id
        assert selectors.search(EMAIL, today=now.date())[0].id == patient_id
    admin = here.administrator().at(settings.DATABASES["default"]["NAME"])
    with psycopg.connect(admin.conninfo(), autocommit=True) as control:
        control.execute("checkpoint")

    data = here.cluster.data
    read = _contents(data)
    assert any("藏針者".encode() in content for content in read), "the test must look where the rows really are"
    found = [needle for needle in needles() if any(needle in content for content in read)]
    assert found == []
    dump = _dump(admin)
    assert "藏針者" in dump.decode("utf-8", "replace")
    assert [needle for needle in needles() if needle in dump] == []
    assert [needle for needle in needles() if needle in caplog.text.encode()] == []


def _contents(data: Path) -> list[bytes]:
    """Every file of a database that is running, which makes and removes its own while we read: what is gone is not on disk."""
    read = []
    for path in data.rglob("*"):
        if path.is_file() and not path.is_symlink():
            with contextlib.suppress(FileNotFoundError):
                read.append(path.read_bytes())
    return read


def _dump(endpoint) -> bytes:
    from careloop.config.database import database

    program = database().cluster._usable_binaries() / "pg_dump"
    environment = os.environ | {"PGPASSWORD": endpoint.password}
    return subprocess.run(
        [program, "-h", endpoint.host, "-p", str(endpoint.port), "-U", endpoint.user, endpoint.database],
        env=environment, capture_output=True, check=True,
    ).stdout  # fmt: skip
