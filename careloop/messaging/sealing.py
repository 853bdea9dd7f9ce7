"""What is sealed here: what was said and heard (under the patient's key), channel secrets and raw intake (the organization's)."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson

from careloop.kernel import sql, vault
from careloop.patients.sealing import create_keys, load_keys, open_key
from careloop.tenancy.context import current_organization_id

CONTENT_PLACE = "messaging_message.content_sealed"
INBOUND_PLACE = "messaging_inbound_message.text_sealed"


def seal_content(patient_id: UUID, message_id: UUID, content: Mapping[str, Any]) -> bytes:
    """Seal what a message says."""
    return seal_under(create_keys([patient_id])[patient_id], f"{CONTENT_PLACE}.{message_id}", content)


def open_content(patient_id: UUID, message_id: UUID, sealed: bytes | None) -> dict[str, Any]:
    """Return what a message said; empty when nothing is kept or the patient's key was destroyed."""
    return _open_one(patient_id, f"{CONTENT_PLACE}.{message_id}", sealed)


def seal_heard(patient_id: UUID, inbound_id: UUID, content: Mapping[str, Any]) -> bytes:
    """Seal what a patient said."""
    return seal_under(create_keys([patient_id])[patient_id], f"{INBOUND_PLACE}.{inbound_id}", content)


def open_heard(patient_id: UUID, inbound_id: UUID, sealed: bytes | None) -> dict[str, Any]:
    """Return what a patient said; empty when it was taken back or the key was destroyed."""
    return _open_one(patient_id, f"{INBOUND_PLACE}.{inbound_id}", sealed)


def seal_under(key: bytes, place: str, content: Mapping[str, Any]) -> bytes:
    return vault.seal(key, orjson.dumps(dict(content)).decode(), place=place)


def open_under(key: bytes, place: str, sealed: bytes) -> dict[str, Any]:
    return dict(orjson.loads(vault.open_sealed(key, sealed, place=place)))


def _open_one(patient_id: UUID, place: str, sealed: bytes | None) -> dict[str, Any]:
    if sealed is None:
        return {}
    keys = load_keys([patient_id])
    return open_under(keys[patient_id], place, sealed) if patient_id in keys else {}


# -- the organization's own key --------------------------------------------------------------------------------


def organization_key() -> bytes:
    """Return the data key of the current organization, made on first use; two at once agree on one."""
    organization_id = current_organization_id()
    wrapped = sql.value("select wrapped from messaging_organization_key")
    if wrapped is None:
        fresh = vault.keyring().wrap(vault.new_data_key(), owner=organization_id.bytes)
        sql.execute("insert into messaging_organization_key (wrapped) values (%s) on conflict do nothing", [fresh])
        wrapped = sql.value("select wrapped from messaging_organization_key")
    return open_key(organization_id, wrapped)


def rewrap(ring: vault.Keyring) -> int:
    """Wrap the current organization's key with the master key in use; return 1 when it was under an older one."""
    row = sql.row("select id, wrapped from messaging_organization_key for update")
    if row is None or bytes(row["wrapped"])[:4] == ring.current.to_bytes(4, "big"):
        return 0
    owner = current_organization_id().bytes
    fresh = ring.wrap(ring.unwrap(row["wrapped"], owner=owner), owner=owner)
    return sql.execute("update messaging_organization_key set wrapped = %s where id = %s", [fresh, row["id"]])


def seal_for_organization(place: str, content: Mapping[str, Any]) -> bytes:
    return seal_under(organization_key(), place, content)


def open_for_organization(place: str, sealed: bytes | memoryview | None) -> dict[str, Any]:
    return {} if sealed is None else open_under(organization_key(), place, bytes(sealed))
