"""Sealing: what the store holds is unreadable, and a record moved, edited or replayed is refused.

AES-256-GCM (NIST SP 800-38D) with area, collection, record id and version as associated data; one key for each area,
derived by HKDF-SHA256 (RFC 5869) from the ring's sealing key. Names that must be found again without being readable
are HMAC-SHA256 tokens.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import re
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

RING_FILE: Final = "ring.json"
_MAGIC: Final = b"W1"
_KEY_ID_BYTES: Final = 4
_NONCE_BYTES: Final = 12
_HEADER_BYTES: Final = len(_MAGIC) + _KEY_ID_BYTES + _NONCE_BYTES
_SECRET_BYTES: Final = 32
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_RECORD_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")


class VaultError(Exception):
    """A key or a sealed record that can't be used. The message never holds content or key material."""


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys of one installation: sealing keys by id, the current one, and the root of the tokens.

    Old sealing keys stay so that what they sealed still opens. The token root never changes: tokens are compared with
    tokens made years before.
    """

    current: str
    sealing: dict[str, bytes] = field(repr=False)
    token_root: bytes = field(repr=False)

    @classmethod
    def create(cls, folder: Path) -> KeyRing:
        """Make a new ring in `folder` (made 0700 if missing) and write it, durable, to `ring.json` (0600).

        Raises `VaultError` when a ring is already there or the folder can't be written.
        """
        key_id = secrets.token_hex(_KEY_ID_BYTES)
        ring = cls(key_id, {key_id: secrets.token_bytes(_SECRET_BYTES)}, secrets.token_bytes(_SECRET_BYTES))
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh = folder / f".{RING_FILE}.{key_id}"
            _write_new(fresh, ring._as_json())
            try:
                os.link(fresh, folder / RING_FILE)
            finally:
                fresh.unlink()
            _sync_folder(folder)
        except FileExistsError:
            raise VaultError(f"a key ring is already in {folder}; it was left as it is") from None
        except OSError as error:
            raise VaultError(f"the key ring can't be written in {folder}: {error.strerror}") from None
        return ring

    @classmethod
    def load(cls, folder: Path) -> KeyRing:
        """Read `ring.json`. Raises `VaultError` when it is missing, open to group or others, or damaged."""
        path = folder / RING_FILE
        try:
            with path.open("rb") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                if mode & 0o077:
                    raise VaultError(
                        f"the key ring {path} is open to group or others ({mode:04o}); run: chmod 600 {path}"
                    )
                return cls._from_json(file.read(), path)
        except FileNotFoundError:
            raise VaultError(f"the key ring {path} is missing; restore it from the key backup") from None
        except OSError as error:
            raise VaultError(f"the key ring {path} can't be read: {error.strerror}") from None

    def rotate(self, folder: Path) -> KeyRing:
        """Add a new current sealing key and replace `ring.json` in one step; all older keys stay in it."""
        key_id = secrets.token_hex(_KEY_ID_BYTES)
        ring = KeyRing(key_id, {**self.sealing, key_id: secrets.token_bytes(_SECRET_BYTES)}, self.token_root)
        fresh = folder / f".{RING_FILE}.{key_id}"
        try:
            _write_new(fresh, ring._as_json())
            fresh.replace(folder / RING_FILE)
            _sync_folder(folder)
        except OSError as error:
            raise VaultError(f"the key ring in {folder} was not changed: {error.strerror}") from None
        return ring

    def _as_json(self) -> bytes:
        plain = {
            "format": 1,
            "current": self.current,
            "sealing": {key_id: base64.b64encode(secret).decode() for key_id, secret in self.sealing.items()},
            "token_root": base64.b64encode(self.token_root).decode(),
        }
        return json.dumps(plain, indent=1).encode()

    @classmethod
    def _from_json(cls, raw: bytes, path: Path) -> KeyRing:
        damaged = VaultError(f"the key ring {path} is damaged; restore it from the key backup")
        try:
            plain: dict[str, Any] = json.loads(raw)
            if plain["format"] != 1:
                raise VaultError(f"the key ring {path} has format {plain['format']!r}; this version reads format 1")
            sealing = {str(key_id): base64.b64decode(text, validate=True) for key_id, text in plain["sealing"].items()}
            ring = cls(plain["current"], sealing, base64.b64decode(plain["token_root"], validate=True))
            ids = [bytes.fromhex(key_id) for key_id in sealing]
        except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
            raise damaged from None
        if (
            ring.current not in sealing
            or any(len(key_id) != _KEY_ID_BYTES for key_id in ids)
            or any(len(secret) != _SECRET_BYTES for secret in (*sealing.values(), ring.token_root))
        ):
            raise damaged
        return ring


class Vault:
    """Seals, opens and tokenises for one area. Safe to share between threads.

    A sealed blob is `W1`, 4 bytes of key id, 12 bytes of nonce, then ciphertext and tag: 34 bytes more than the
    plain.
    """

    def __init__(self, ring: KeyRing, area: str) -> None:
        """`area` is a name in lower case letters, digits, `_` and `-`; `ValueError` otherwise."""
        if not _NAME.fullmatch(area):
            raise ValueError("an area is named in lower case letters, digits, _ and -, at most 64")
        self.area = area
        self._token_root = ring.token_root
        self._token_keys: dict[str, hmac.HMAC] = {}
        self._ciphers = {
            bytes.fromhex(key_id): AESGCM(_derive(secret, f"wmo/seal/{area}"))
            for key_id, secret in ring.sealing.items()
        }
        self._current = self._ciphers[bytes.fromhex(ring.current)]
        self._header = _MAGIC + bytes.fromhex(ring.current)

    def seal(self, collection: str, record_id: str, version: int, plain: bytes) -> bytes:
        """Seal `plain` to exactly this area, collection, record id and version."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._current.encrypt(nonce, plain, self._associated(collection, record_id, version))
        return self._header + nonce + sealed

    def open(self, collection: str, record_id: str, version: int, blob: bytes) -> bytes:
        """The plain bytes of `blob`; `VaultError` when it was not sealed as this very record, or was changed."""
        associated = self._associated(collection, record_id, version)
        if len(blob) < _HEADER_BYTES or blob[:2] != _MAGIC:
            raise VaultError(f"{collection} {record_id} version {version} is not a sealed record")
        cipher = self._ciphers.get(blob[2:6])
        if cipher is None:
            raise VaultError(
                f"{collection} {record_id} version {version} was sealed with key {blob[2:6].hex()}, "
                "which is not in this key ring"
            )
        try:
            return cipher.decrypt(blob[6:_HEADER_BYTES], blob[_HEADER_BYTES:], associated)
        except InvalidTag:
            raise VaultError(
                f"{collection} {record_id} version {version} can't be opened: "
                "it was changed, moved or sealed with another key"
            ) from None

    def token(self, kind: str, text: str) -> str:
        """A stable 64 digit name for `text`, useless without the ring. Kinds never share a token."""
        keyed = self._token_keys.get(kind)
        if keyed is None:
            key = _derive(self._token_root, f"wmo/token/{self.area}/{kind}")
            keyed = self._token_keys[kind] = hmac.new(key, digestmod=hashlib.sha256)
        mac = keyed.copy()
        mac.update(text.encode("utf-8", "surrogatepass"))
        return mac.hexdigest()

    def _associated(self, collection: str, record_id: str, version: int) -> bytes:
        collection_name(collection)
        if not _RECORD_ID.fullmatch(record_id):
            raise ValueError("a record id is 1 to 128 letters, digits and _ . : -; it lies readable, so never a name")
        return f"{self.area}|{collection}|{record_id}|{version:d}".encode()


def collection_name(name: str) -> str:
    """`name`, or `ValueError` when it can't name a collection."""
    if not _NAME.fullmatch(name):
        raise ValueError("a collection is named in lower case letters, digits, _ and -, at most 64")
    return name


def _derive(secret: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), _SECRET_BYTES, salt=None, info=purpose.encode()).derive(secret)


def _write_new(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
