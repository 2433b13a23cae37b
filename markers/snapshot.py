"""Copies of collections on the local disk, for a process that starts while the store is away: sealed and signed.

One folder an area: a part for each collection, named at random, and `manifest`, a line with a signature and the JSON it
is over: the parts, their digests and positions, and until when each is known to have been complete. A part is a run of
frames, each some hundred records, compressed and sealed under the part's name and the frame's number, so that a frame
that was moved, or taken from another part, does not open.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from markers.checkpoints import NotSigned, PublicKey, SigningKey
from markers.commits import Changes, Record
from markers.vault import Vault, VaultError

_MANIFEST: Final = "manifest"
_KIND: Final = "snapshot"
_FORMAT: Final = 1
_EACH: Final = 500
_FRAME: Final = struct.Struct(">I")
_RECORD: Final = struct.Struct(">HQI")
_CLOCK_SLACK: Final = timedelta(minutes=5)


class SnapshotRefused(Exception):  # noqa: N818 - reads as the fact it states
    """There is no snapshot that may be relied on, and why."""


@dataclass(frozen=True, slots=True)
class Part:
    """One collection as it was written. `complete_at` is the last moment at which it was all there was."""

    collection: str
    position: int
    file: str
    digest: str
    records: int
    key_id: str
    complete_at: datetime

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        plain = {name: getattr(self, name) for name in Part.__slots__}
        return {**plain, "complete_at": self.complete_at.isoformat()}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Part:
        """The inverse of `as_dict`."""
        return cls(**{**plain, "complete_at": datetime.fromisoformat(plain["complete_at"])})


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a snapshot says it holds; `as_of` is the moment from which on anything may have changed."""

    area: str
    store_id: str
    parts: tuple[Part, ...]

    @property
    def as_of(self) -> datetime:
        return min(part.complete_at for part in self.parts)

    def part(self, collection: str) -> Part | None:
        return next((part for part in self.parts if part.collection == collection), None)

    def as_bytes(self) -> bytes:
        """The signed bytes."""
        parts = [part.as_dict() for part in self.parts]
        plain = {"format": _FORMAT, "area": self.area, "store_id": self.store_id, "parts": parts}
        return json.dumps(plain, indent=1, sort_keys=True).encode()

    @classmethod
    def from_bytes(cls, raw: bytes) -> Manifest:
        """The inverse of `as_bytes`. Raises SnapshotRefused."""
        try:
            plain = json.loads(raw)
            if plain["format"] != _FORMAT:
                raise SnapshotRefused(f"the snapshot has format {plain['format']!r}, which this version does not read")
            parts = tuple(Part.from_dict(part) for part in plain["parts"])
            if not parts or any(part.complete_at.utcoffset() is None for part in parts):
                raise ValueError
            return cls(str(plain["area"]), str(plain["store_id"]), parts)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise SnapshotRefused("the snapshot's manifest is damaged") from None


class Snapshot:
    """The snapshot of one area. One process writes, any may read meanwhile."""

    def __init__(self, folder: Path, vault: Vault) -> None:
        self._folder, self._vault = folder, vault

    def manifest(self, public: PublicKey) -> Manifest:
        """What is there, its signature checked and no part read. Raises SnapshotRefused."""
        try:
            signature, _, raw = (self._folder / _MANIFEST).read_bytes().partition(b"\n")
        except FileNotFoundError:
            raise SnapshotRefused("there is no snapshot") from None
        except OSError as error:
            raise SnapshotRefused(f"the snapshot can't be read: {error.strerror}") from None
        try:
            public.check_file(_KIND, raw, bytes.fromhex(signature.decode("ascii")))
        except (NotSigned, ValueError) as error:
            why = error if isinstance(error, NotSigned) else "it has no signature"
            raise SnapshotRefused(f"the snapshot can't be relied on: {why}") from None
        manifest = Manifest.from_bytes(raw)
        if manifest.area != self._vault.area:
            raise SnapshotRefused(f"the snapshot is of area {manifest.area}, not {self._vault.area}")
        return manifest

    def usable(self, public: PublicKey, now: datetime, longest: timedelta) -> Manifest:
        """As `manifest`, and refused as well where it is older than `longest` or from the future."""
        manifest = self.manifest(public)
        age = now - manifest.as_of
        if age > longest:
            hours = longest.total_seconds() / 3600
            raise SnapshotRefused(
                f"the snapshot is of {manifest.as_of:%d %B %H:%M} (UTC), older than the {hours:g} hours allowed"
            )
        if age < -_CLOCK_SLACK:
            raise SnapshotRefused(f"the snapshot is of {manifest.as_of:%d %B %H:%M} (UTC), after now: mend the clock")
        return manifest

    def load(self, part: Part) -> Changes:
        """One collection, as `Store.load` gives it. Raises SnapshotRefused."""
        path = self._folder / part.file
        damaged = SnapshotRefused(f"the snapshot's part {part.file} ({part.collection}) is damaged or was changed")
        if path.name != part.file:
            raise damaged
        try:
            raw = path.read_bytes()
        except OSError as error:
            raise SnapshotRefused(f"the snapshot's part {part.file} can't be read: {error.strerror}") from None
        if hashlib.sha256(raw).hexdigest() != part.digest:
            raise damaged
        records: list[Record] = []
        try:
            for number, sealed in enumerate(_frames(raw)):
                plain = self._vault.open(_KIND, f"{part.file}:{number}", part.position, sealed)
                records += _unpacked(zlib.decompress(plain))
        except VaultError as error:
            raise SnapshotRefused(f"the snapshot can't be opened: {error}") from None
        except (struct.error, zlib.error, ValueError):
            raise damaged from None
        if len(records) != part.records:
            raise damaged
        return Changes(part.position, tuple(records))

    def write(self, collection: str, position: int, records: Sequence[Record], complete_at: datetime) -> Part:
        """Write one collection, durable; it counts once a manifest names it. Raises OSError."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = f"{collection}-{secrets.token_hex(8)}.part"
        digest, key_id = hashlib.sha256(), self._vault.current
        fresh = self._folder / f".{file}"
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as out:
            for number, start in enumerate(range(0, len(records), _EACH)):
                plain = zlib.compress(_packed(records[start : start + _EACH]), 1)
                sealed = self._vault.seal(_KIND, f"{file}:{number}", position, plain)
                frame = _FRAME.pack(len(sealed)) + sealed
                digest.update(frame)
                out.write(frame)
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(self._folder / file)
        return Part(collection, position, file, digest.hexdigest(), len(records), key_id, complete_at)

    def publish(self, key: SigningKey, manifest: Manifest) -> None:
        """Let this manifest be the snapshot, and remove what it no longer names. Raises OSError."""
        raw = manifest.as_bytes()
        _replace(self._folder / _MANIFEST, key.sign_file(_KIND, raw).hex().encode() + b"\n" + raw)
        _sync_folder(self._folder)
        named = {part.file for part in manifest.parts}
        for path in self._folder.glob("*.part"):
            if path.name not in named:
                path.unlink(missing_ok=True)
        for path in self._folder.glob(".*"):
            with suppress(OSError):
                path.unlink()


def _packed(records: Sequence[Record]) -> bytes:
    pieces: list[bytes] = []
    for record in records:
        name, plain = record.record_id.encode(), record.plain or b""
        pieces += (_RECORD.pack(len(name), record.version, len(plain)), name, plain)
    return b"".join(pieces)


def _unpacked(raw: bytes) -> Iterator[Record]:
    at = 0
    while at < len(raw):
        names, version, plains = _RECORD.unpack_from(raw, at)
        at += _RECORD.size
        end = at + names + plains
        if end > len(raw):
            raise ValueError("a record is cut short")
        yield Record(raw[at : at + names].decode(), version, raw[at + names : end])
        at = end


def _frames(raw: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(raw):
        (length,) = _FRAME.unpack_from(raw, at)
        at += _FRAME.size + length
        if at > len(raw):
            raise ValueError("a frame is cut short")
        yield raw[at - length : at]


def _replace(path: Path, content: bytes) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(path)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
