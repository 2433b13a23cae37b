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
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from markers.private_file import NotPrivate, read_private

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
        """Read `ring.json`.

        Raises `VaultError` when it is missing or damaged, or when it or its folder is open to group or others.
        """
        path = folder / RING_FILE
        try:
            return cls._from_json(read_private(path, "key ring", folder=True), path)
        except NotPrivate as error:
            raise VaultError(str(error)) from None
        except FileNotFoundError:
            raise VaultError(f"the key ring {path} is missing; restore it from the key backup") from None
        except OSError as error:
            raise VaultError(f"the key ring {path} can't be read: {error.strerror}") from None

    @property
    def newest(self) -> str:
        """The key made last. It is not the current one between `prepare` and `promote`."""
        return next(reversed(self.sealing))

    def prepare(self, folder: Path) -> KeyRing:
        """Add a new sealing key that nothing is sealed with yet, so that every process can open what will be."""
        key_id = secrets.token_hex(_KEY_ID_BYTES)
        return self._replaced(folder, self.current, {**self.sealing, key_id: secrets.token_bytes(_SECRET_BYTES)})

    def promote(self, folder: Path, key_id: str) -> KeyRing:
        """Make a key of the ring the current one; all others stay in it."""
        return self._replaced(folder, key_id, self.sealing)

    def forget(self, folder: Path, key_ids: Collection[str]) -> KeyRing:
        """Drop keys for ever: what they sealed, in backups too, can't be opened any more."""
        if self.current in key_ids:
            raise ValueError("the current key can't be forgotten")
        kept = {key_id: secret for key_id, secret in self.sealing.items() if key_id not in key_ids}
        return self._replaced(folder, self.current, kept)

    def _replaced(self, folder: Path, current: str, sealing: dict[str, bytes]) -> KeyRing:
        """Put a changed ring in the place of `ring.json`, in one step."""
        ring = KeyRing(current, sealing, self.token_root)
        fresh = folder / f".{RING_FILE}.{secrets.token_hex(_KEY_ID_BYTES)}"
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


@dataclass(frozen=True, slots=True)
class _Sealing:
    """The ciphers of one reading of the ring, swapped as a whole."""

    ciphers: dict[bytes, AESGCM] = field(repr=False)
    current: bytes

    @classmethod
    def of(cls, ring: KeyRing, area: str) -> _Sealing:
        ciphers = {
            bytes.fromhex(key_id): AESGCM(_derive(secret, f"wmo/seal/{area}"))
            for key_id, secret in ring.sealing.items()
        }
        return cls(ciphers, bytes.fromhex(ring.current))


class Vault:
    """Seals, opens and tokenises for one area. Safe to share between threads.

    A sealed blob is `W1`, 4 bytes of key id, 12 bytes of nonce, then ciphertext and tag: 34 bytes more than the
    plain. Made with the `folder` of its ring, it reads `ring.json` again when `refresh` is called or when it meets a
    key it does not know, but never twice for the same file.
    """

    def __init__(self, ring: KeyRing, area: str, folder: Path | None = None) -> None:
        """`area` is a name in lower case letters, digits, `_` and `-`; `ValueError` otherwise."""
        if not _NAME.fullmatch(area):
            raise ValueError("an area is named in lower case letters, digits, _ and -, at most 64")
        self.area = area
        self._token_root = ring.token_root
        self._token_keys: dict[str, hmac.HMAC] = {}
        self._folder = folder
        self._sealing = _Sealing.of(ring, area)
        self._read: tuple[int, ...] = ()
        self._turn = Lock()

    @property
    def current(self) -> str:
        """The id of the key that seals from now on."""
        return self._sealing.current.hex()

    @property
    def key_ids(self) -> frozenset[str]:
        """The ids of all keys at hand."""
        return frozenset(key_id.hex() for key_id in self._sealing.ciphers)

    def refresh(self) -> bool:
        """Read the ring again if its file was replaced; whether it was. One `stat` when it was not.

        Raises `VaultError`, once for each replacement, when the new file can't be used: the keys at hand stay.
        """
        if self._folder is None:
            return False
        with self._turn:
            try:
                found = os.stat(self._folder / RING_FILE, follow_symlinks=False)
            except OSError as error:
                found_now: tuple[int, ...] = (error.errno or 0,)
            else:
                found_now = (found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode)
            if found_now == self._read:
                return False
            self._read = found_now
            ring = KeyRing.load(self._folder)
            if ring.token_root != self._token_root:
                raise VaultError(f"the key ring in {self._folder} is another installation's; restore this one's")
            self._sealing = _Sealing.of(ring, self.area)
            return True

    def seal(self, collection: str, record_id: str, version: int, plain: bytes) -> bytes:
        """Seal `plain` to exactly this area, collection, record id and version."""
        nonce, keys = os.urandom(_NONCE_BYTES), self._sealing
        sealed = keys.ciphers[keys.current].encrypt(nonce, plain, self._associated(collection, record_id, version))
        return _MAGIC + keys.current + nonce + sealed

    def open(self, collection: str, record_id: str, version: int, blob: bytes) -> bytes:
        """The plain bytes of `blob`; `VaultError` when it was not sealed as this very record, or was changed."""
        associated = self._associated(collection, record_id, version)
        if len(blob) < _HEADER_BYTES or blob[:2] != _MAGIC:
            raise VaultError(f"{collection} {record_id} version {version} is not a sealed record")
        cipher = self._sealing.ciphers.get(blob[2:6])
        if cipher is None and self.refresh():
            cipher = self._sealing.ciphers.get(blob[2:6])
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


def key_of(blob: bytes) -> str | None:
    """The id of the key that sealed `blob`, read from its clear head; None when it is no sealed blob at all."""
    return blob[2:6].hex() if len(blob) >= _HEADER_BYTES and blob[:2] == _MAGIC else None


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
