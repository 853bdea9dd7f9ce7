"""Rotating the master key: every patient's data key is wrapped anew, no sealed value is touched.

Crash-safe: the new master key is in the key file before the first data key is wrapped with it, batches commit one by one, and
running the command again goes on where it stopped instead of making yet another version. Old master keys stay in the file,
because older backups of the database were wrapped with them.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext_lazy as _

from careloop.audit import services as audit
from careloop.kernel import sql, vault
from careloop.kernel.errors import DomainError
from careloop.tenancy.context import in_organization
from careloop.tenancy.services import organization_ids

BATCH = 2000
LOCK = 4242011
# Slices above re-wrap the data keys they keep themselves: called inside each organization, returns how many.
OTHERS: list[Callable[[vault.Keyring], int]] = []
OLD = "substring(wrapped from 1 for 4) <> %s::bytea"


class RotationRunning(DomainError):
    code = "keys.rotation_running"
    message = _("Another rotation of the keys is running.")


class RotationIncomplete(DomainError):
    code = "keys.rotation_incomplete"
    message = _(
        "%(count)d data keys could not be opened with the new master key. The old one is still in the key file."
    )


def rotate(
    *, now: datetime, progress: Callable[[str], None] = lambda _text: None, batch: int = BATCH
) -> dict[str, Any]:
    """Make a new master key (or finish a rotation that was cut off), re-wrap every data key, and check them all.

    Returns:
        `version` in use, `rewrapped` data keys, `checked` data keys, `resumed`: whether an earlier rotation was finished.

    Raises:
        RotationRunning: another process rotates. RotationIncomplete: a key does not open afterwards.
    """
    if not sql.value("select pg_try_advisory_lock(%s)", [LOCK]):
        raise RotationRunning
    try:
        return _rotate(now=now, progress=progress, batch=batch)
    finally:
        if connection.is_usable():
            sql.value("select pg_advisory_unlock(%s)", [LOCK])


def _rotate(*, now: datetime, progress: Callable[[str], None], batch: int) -> dict[str, Any]:
    vault.keyring.cache_clear()
    ring = vault.keyring()
    organizations = [identifier for identifier, _slug in organization_ids()]
    waiting = 0
    for organization_id in organizations:
        with in_organization(organization_id):
            waiting += sql.value(f"select count(*) from patients_key where {OLD}", [_mark(ring)])
    if not waiting:
        ring = ring.rotated()
        vault.save_keyring(ring, Path(settings.CARELOOP_KEY_FILE))
    rewrapped = 0
    for organization_id in organizations:
        here = 0
        while True:
            with in_organization(organization_id):
                done = _rewrap_batch(ring, batch)
                here += done
                if not done:
                    if here:
                        audit.record("keys.rotated", details={"version": ring.current, "keys": here}, now=now)
                    break
            progress(f"{rewrapped + here} data keys re-wrapped")
        with in_organization(organization_id):
            here += sum(rewrap(ring) for rewrap in OTHERS)
        rewrapped += here
    checked, broken = 0, 0
    for organization_id in organizations:
        good, bad = _check(ring, organization_id, batch)
        checked, broken = checked + good, broken + bad
        progress(f"{checked} data keys checked")
    if broken:
        raise RotationIncomplete(count=broken)
    return {"version": ring.current, "rewrapped": rewrapped, "checked": checked, "resumed": bool(waiting)}


def _mark(ring: vault.Keyring) -> bytes:
    return ring.current.to_bytes(4, "big")


def _rewrap_batch(ring: vault.Keyring, size: int) -> int:
    # `for update` makes an erasure and this step wait for each other: a destroyed key never comes back
    found = sql.rows(
        f"select patient_id, wrapped from patients_key where {OLD} order by patient_id limit %s for update",
        [_mark(ring), size],
    )
    if not found:
        return 0
    fresh = [
        ring.wrap(ring.unwrap(row["wrapped"], owner=row["patient_id"].bytes), owner=row["patient_id"].bytes)
        for row in found
    ]
    return sql.execute(
        """update patients_key k set wrapped = f.wrapped
             from unnest(%s::uuid[], %s::bytea[]) as f (patient_id, wrapped) where k.patient_id = f.patient_id""",
        [[row["patient_id"] for row in found], fresh],
    )


def _check(ring: vault.Keyring, organization_id: Any, size: int) -> tuple[int, int]:
    """Open every data key of one organization; return how many open under the current version, and how many do not."""
    good = bad = 0
    after: Any = "00000000-0000-0000-0000-000000000000"
    while True:
        with in_organization(organization_id):
            found = sql.rows(
                "select patient_id, wrapped from patients_key where patient_id > %s order by patient_id limit %s",
                [after, size],
            )
        if not found:
            return good, bad
        for row in found:
            wrapped = bytes(row["wrapped"])
            try:
                ring.unwrap(wrapped, owner=row["patient_id"].bytes)
                good += 1
            except vault.VaultError:
                bad += 1
        after = found[-1]["patient_id"]
