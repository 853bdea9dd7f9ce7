"""The vault: AES-256-GCM for sensitive values, keyed blind indexes to find them again.

Three layers of keys, so that each can be replaced or destroyed alone:

* *master keys*, versioned, in `CARELOOP_HOME/keys/master.json` (never in the database);
* *data keys*, one per patient (or organization), random, kept in the database wrapped by a master key.
  Rotating a master key re-wraps data keys and touches no patient row; destroying a data key erases
  what it sealed;
* *index keys*, derived from the index secret per organization and column, for blind indexes.

Values are bound to their place: the associated data names table, column and row, so a ciphertext copied to
another row does not open. Source: NIST SP 800-38D (GCM, 96-bit random nonces), RFC 5869 (HKDF).
"""

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12
KEY_BYTES = 32
INDEX_BYTES = 16


# Slices above say whether they keep anything sealed.
WITNESSES: list[Callable[[], bool]] = []


class VaultError(Exception):
    """A sealed value cannot be opened: wrong key, wrong place, or changed."""


@dataclass(frozen=True)
class Keyring:
    """The master keys by version, the version in use, and the secret behind blind indexes."""

    current: int
    masters: dict[int, bytes]
    index_secret: bytes

    def wrap(self, data_key: bytes, *, owner: bytes) -> bytes:
        """Return `data_key` sealed under the current master key: 4 bytes version, nonce, ciphertext."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = AESGCM(self.masters[self.current]).encrypt(nonce, data_key, owner)
        return self.current.to_bytes(4, "big") + nonce + sealed

    def unwrap(self, wrapped: bytes, *, owner: bytes) -> bytes:
        """Return the data key inside `wrapped`.

        Raises:
            VaultError: the master key of that version is missing, or the bytes were changed.
        """
        wrapped = bytes(wrapped)
        version = int.from_bytes(wrapped[:4], "big")
        master = self.masters.get(version)
        if master is None:
            raise VaultError(f"master key version {version} is not in the key file")
        try:
            return AESGCM(master).decrypt(wrapped[4:16], wrapped[16:], owner)
        except InvalidTag as error:
            raise VaultError("a wrapped key was changed or belongs to another owner") from error

    def index_key(self, organization_id: UUID, column: str) -> bytes:
        """Return the key of the blind index of one column in one organization."""
        return _index_key(self.index_secret, organization_id, column)

    def rotated(self) -> "Keyring":
        """Return a keyring with one more master key, which becomes the current one."""
        version = max(self.masters) + 1
        masters = self.masters | {version: secrets.token_bytes(KEY_BYTES)}
        return Keyring(current=version, masters=masters, index_secret=self.index_secret)


@lru_cache(maxsize=4096)
def _index_key(secret: bytes, organization_id: UUID, column: str) -> bytes:
    return hmac.digest(secret, b"index|" + organization_id.bytes + b"|" + column.encode(), "sha256")


def new_data_key() -> bytes:
    """Return a new random AES-256 key."""
    return os.urandom(KEY_BYTES)


def seal(data_key: bytes, text: str, *, place: str) -> bytes:
    """Return `text` sealed under `data_key` for one place (`table.column.row`).

    >>> key = new_data_key()
    >>> open_sealed(key, seal(key, "0912-345-678", place="a.b.1"), place="a.b.1")
    '0912-345-678'
    """
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(data_key).encrypt(nonce, text.encode(), place.encode())


def open_sealed(data_key: bytes, sealed: bytes, *, place: str) -> str:
    """Return the text inside `sealed`.

    Raises:
        VaultError: another key, another place, or changed bytes.
    """
    sealed = bytes(sealed)
    try:
        return AESGCM(data_key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place.encode()).decode()
    except InvalidTag as error:
        raise VaultError("a sealed value was changed, moved or sealed with another key") from error


def blind_index(index_key: bytes, normalised: str) -> bytes:
    """Return the keyed hash under which `normalised` is found again: 16 bytes of HMAC-SHA-256."""
    return hmac.digest(index_key, normalised.encode(), "sha256")[:INDEX_BYTES]


def blind_indexer(index_key: bytes) -> Callable[[Iterable[str]], list[bytes]]:
    """Return `blind_index` for many values under one key: the key is hashed once (RFC 2104), each value costs half as much.

    >>> blind_indexer(b"k" * 32)(["0912"]) == [blind_index(b"k" * 32, "0912")]
    True
    """
    inner, outer = _pads(index_key)

    def indexes(normalised: Iterable[str]) -> list[bytes]:
        made = []
        for value in normalised:
            within, around = inner.copy(), outer.copy()
            within.update(value.encode())
            around.update(within.digest())
            made.append(around.digest()[:INDEX_BYTES])
        return made

    return indexes


def keyed_hash(key: bytes) -> Callable[[bytes], bytes]:
    """Return HMAC-SHA-256 under one key for many values, whole: the key is hashed once, as in `blind_indexer`.

    >>> keyed_hash(b"k" * 32)(b"0912") == hmac.digest(b"k" * 32, b"0912", "sha256")
    True
    """
    inner, outer = _pads(key)

    def proof(value: bytes) -> bytes:
        within = inner.copy()
        within.update(value)
        around = outer.copy()
        around.update(within.digest())
        return around.digest()

    return proof


def _pads(key: bytes) -> tuple["hashlib._Hash", "hashlib._Hash"]:
    """Return the two hashes that begin every HMAC under `key`, 64 bytes at most (RFC 2104)."""
    block = key.ljust(64, b"\0")
    return hashlib.sha256(bytes(byte ^ 0x36 for byte in block)), hashlib.sha256(bytes(byte ^ 0x5C for byte in block))


def fingerprint(key: bytes) -> str:
    """Return eight characters that tell two keys apart and give nothing away, for `careloop doctor`."""
    return hashlib.sha256(b"fingerprint|" + key).hexdigest()[:8]


def create_keyring(path: Path) -> Keyring:
    """Write a new key file (readable by its owner only) and return the keyring in it."""
    ring = Keyring(1, {1: secrets.token_bytes(KEY_BYTES)}, secrets.token_bytes(KEY_BYTES))
    save_keyring(ring, path)
    return ring


def save_keyring(ring: Keyring, path: Path) -> None:
    """Write the key file in one step: a crash leaves the old file or the new one, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    body = {
        "current": ring.current,
        "masters": {str(version): key.hex() for version, key in ring.masters.items()},
        "index_secret": ring.index_secret.hex(),
    }
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(body, file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    keyring.cache_clear()


def load_keyring(path: Path) -> Keyring:
    """Read the key file.

    Raises:
        VaultError: the file is missing or not a key file; the text says what to do.
    """
    try:
        body = json.loads(path.read_text())
        return Keyring(
            current=int(body["current"]),
            masters={int(version): bytes.fromhex(key) for version, key in body["masters"].items()},
            index_secret=bytes.fromhex(body["index_secret"]),
        )
    except FileNotFoundError as error:
        raise VaultError(f"the key file {path} is missing; restore it from your backup of the keys") from error
    except (ValueError, KeyError) as error:
        raise VaultError(f"the key file {path} cannot be read; restore it from your backup of the keys") from error


@lru_cache(maxsize=1)
def keyring() -> Keyring:
    """Return the installation's keyring, from the path in the settings; made on first use.

    Raises:
        VaultError: there is no key file although something is sealed already: a new one could never open it.
    """
    from django.conf import settings

    path = Path(settings.CARELOOP_KEY_FILE)
    if not path.exists() and any(sealed() for sealed in WITNESSES):
        raise VaultError(f"the key file {path} is missing; restore it from your backup of the keys")
    return load_keyring(path) if path.exists() else create_keyring(path)


def open_data_key(wrapped: bytes | memoryview, *, owner: bytes) -> bytes:
    """Return the data key inside `wrapped`, with the key file read anew if another process has rotated it meanwhile.

    Raises:
        VaultError: the master key of that version is missing, or the bytes were changed.
    """
    wrapped = bytes(wrapped)
    if int.from_bytes(wrapped[:4], "big") not in keyring().masters:
        keyring.cache_clear()
    return keyring().unwrap(wrapped, owner=owner)
