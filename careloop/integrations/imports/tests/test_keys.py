"""Refused rows stay readable when the master key is replaced, and lie under the new one."""

from careloop.integrations.imports import findings, keys
from careloop.integrations.imports.models import ImportBatch, ImportFinding
from careloop.integrations.imports.tests.test_imports import PATIENTS, bring_in, write
from careloop.kernel import vault
from careloop.kernel.ids import uuid7
from careloop.patients.keys import OTHERS
from careloop.tenancy.context import in_organization


def test_a_batchs_key_is_wrapped_anew_and_its_refused_rows_still_open(committed_organization, tmp_path, monkeypatch):
    answer = bring_in(committed_organization, write(tmp_path, PATIENTS))
    old = vault.keyring()
    new = old.rotated()

    with in_organization(committed_organization.id):
        assert keys.rewrap(old) == 0
        assert keys.rewrap(new) == 1
        assert keys.rewrap(new) == 0
        batch = ImportBatch.objects.get(id=answer["batch"])
        only_new = vault.Keyring(new.current, {new.current: new.masters[new.current]}, new.index_secret)
        monkeypatch.setattr(vault, "keyring", lambda: only_new)
        row = findings.open_row(batch, batch.findings.get(kind=ImportFinding.Kind.REFUSED).raw_sealed)

    assert row[1] == "林志豪"


def test_a_process_that_still_holds_the_old_key_file_opens_a_batch_made_after_a_rotation(tmp_path, settings):
    """The worker runs on while `careloop keys rotate` replaces the key file; the batch is made by a process that knows the new one."""
    old = vault.keyring()
    new = old.rotated()
    batch = ImportBatch(id=uuid7())
    batch.key_wrapped = new.wrap(b"k" * 32, owner=batch.id.bytes)
    settings.CARELOOP_KEY_FILE = tmp_path / "master.json"
    vault.save_keyring(new, settings.CARELOOP_KEY_FILE)
    fresh = settings.CARELOOP_KEY_FILE.read_text()
    vault.save_keyring(old, settings.CARELOOP_KEY_FILE)
    assert vault.keyring().current == old.current
    settings.CARELOOP_KEY_FILE.write_text(fresh)

    try:
        assert findings.batch_key(batch) == b"k" * 32
    finally:
        vault.keyring.cache_clear()


def test_rotation_knows_of_it():
    assert keys.rewrap in OTHERS
