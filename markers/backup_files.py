"""A backup as it lies in a folder: sealed rows, copied files, and a signed list of them.

HANDLING.txt            how the folder is to be kept
records/NAME.rows       a collection: record id and `VERSION TOKENS:SEALED`, as the store keeps them
ledger.rows             the ledger from its first entry: the id it is sealed under, and the entry, sealed
checkpoints.rows        its signed checkpoints: size and note
anchors/ erased.jsonl gazetteer/     as they lay beside the store
manifest.json           what the backup is of and what each file holds; written last: a folder without it is not whole
manifest.sig            the area's signing key over the manifest

A row is two texts, each behind its length in four bytes, the highest first. Nothing in it can be read without the keys,
which are never in it; the gazetteer's addresses can.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import re
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from markers.checkpoints import NotSigned, PublicKey, SigningKey
from markers.store import SCHEMA
from markers.vault import collection_name

MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.sig"
KIND: Final = "backup"
"""What the signature is over, so that it passes for none over anything else."""
LEDGER: Final = "ledger.rows"
CHECKPOINTS: Final = "checkpoints.rows"
RECORDS: Final = "records"
ERASED: Final = "erased.jsonl"
ANCHORS: Final = "anchors"
GAZETTEER: Final = "gazetteer"
_UNFINISHED: Final = "unfinished"
_HANDLING: Final = "HANDLING.txt"
_HANDLING_WORDS: Final = (
    "OFFICIAL-SENSITIVE\n\n"
    "This folder is a backup of warning markers and of the record of who looked at them, sealed.\n"
    "Handle, store and destroy it as OFFICIAL-SENSITIVE. The keys that open it are not in it: keep them elsewhere.\n"
    "What is erased from the store stays in a backup made before: destroy backups when their time is over.\n\n"
    "Look at it with:  overlay restore DIR --dry-run\n"
)
_FORMAT: Final = 1
_LENGTH: Final = struct.Struct(">I")
_BUFFER: Final = 1 << 18
_SETTLED: Final = 1 << 20
_PIECE: Final = 1 << 20
_PAGE_ROWS: Final = 256
_PAGE_BYTES: Final = 1 << 19
_LONGEST_REST_S: Final = 0.05
_PLAIN: Final = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]+"
_NAME: Final = re.compile(f"{_PLAIN}(?:/{_PLAIN})*")

Step = Callable[[int], None]


class BackupRefused(Exception):  # noqa: N818 - reads as the fact it states
    """No backup was made, and why."""


class RestoreRefused(Exception):  # noqa: N818 - reads as the fact it states
    """The backup can't be put back, and why. Nothing was changed unless the words say so."""


@dataclass(frozen=True, slots=True)
class Held:
    """One file: its length in bytes, its SHA-256 in hex, and how many rows where it holds rows."""

    length: int
    sha256: str
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup is of. `positions` is how many changes each collection had had, `ledger` the last sequence number,
    `signed` how many entries the newest checkpoint covers, `keys` how much each sealing key has sealed.

    `ring` is a token that only the same installation's keys can make; `fields` is what else stands in the area's
    positions under a name with a dot (`.retired`: keys that may seal nothing new), put back as it was.
    """

    area: str
    store: str
    made_at: datetime
    ring: str
    keys: dict[str, int]
    positions: dict[str, int]
    ledger: int
    signed: int
    fields: dict[str, str]
    files: dict[str, Held] = field(repr=False)

    @property
    def length(self) -> int:
        """All files together, in bytes."""
        return sum(held.length for held in self.files.values())

    @property
    def rows(self) -> int:
        """Records, entries and checkpoints together."""
        return sum(held.rows or 0 for held in self.files.values())

    def records(self, collection: str) -> int:
        """How many records of a collection the backup holds."""
        return self.files[records_file(collection)].rows or 0

    def as_json(self) -> bytes:
        plain = {
            "format": _FORMAT,
            "area": self.area,
            "store": self.store,
            "made_at": self.made_at.astimezone(UTC).isoformat(),
            "ring": self.ring,
            "keys": self.keys,
            "positions": self.positions,
            "ledger": self.ledger,
            "signed": self.signed,
            "fields": self.fields,
            "files": {
                name: {"bytes": held.length, "sha256": held.sha256, "rows": held.rows}
                for name, held in sorted(self.files.items())
            },
        }
        return json.dumps(plain, indent=1).encode() + b"\n"

    @classmethod
    def read(cls, raw: bytes) -> Manifest:
        """The inverse of `as_json`; `ValueError` for anything else."""
        try:
            plain: dict[str, Any] = json.loads(raw)
            if plain["format"] != _FORMAT:
                raise ValueError(f"it has format {plain['format']!r}; this version reads format {_FORMAT}")
            files = {name: Held(**_held(told)) for name, told in plain["files"].items()}
            manifest = cls(
                plain["area"],
                plain["store"],
                datetime.fromisoformat(plain["made_at"]),
                plain["ring"],
                plain["keys"],
                plain["positions"],
                plain["ledger"],
                plain["signed"],
                plain["fields"],
                files,
            )
            wanted = {LEDGER, CHECKPOINTS, *map(records_file, manifest.positions)}
        except (KeyError, TypeError, AttributeError):
            raise ValueError("it is not the manifest of a backup") from None
        if not wanted <= files.keys() or not all(map(_NAME.fullmatch, files)):
            raise ValueError("it is not the manifest of a backup")
        return manifest


def _held(told: dict[str, Any]) -> dict[str, Any]:
    return {"length": told["bytes"], "sha256": told["sha256"], "rows": told["rows"]}


def records_file(collection: str) -> str:
    """Where a collection's records lie in a backup."""
    return f"{RECORDS}/{collection_name(collection)}.rows"


class Pace:
    """Leaves room for others: after each piece of work it rests as long as that took, at most a twentieth of a second.

    A server that was slow to answer is a busy one, and is then asked the less.
    """

    def __init__(self, *, gently: bool = True) -> None:
        self._share = 1.0 if gently else 0.0

    @contextmanager
    def piece(self) -> Iterator[None]:
        """One piece of work."""
        began = time.monotonic()
        yield
        time.sleep(min(_LONGEST_REST_S, self._share * (time.monotonic() - began)))


class Part:
    """One file being written. Nothing of it stays in the memory that others' files could use, and what is written goes
    to the disk bit by bit: a store that syncs its log on the same disk never waits for a heap of it."""

    def __init__(self, path: Path) -> None:
        private_folder(path.parent)
        self._path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._digest = hashlib.sha256()
        self._waiting: list[bytes] = []
        self._wait_bytes = self._unsettled = self._length = self._rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def row(self, first: bytes, second: bytes) -> None:
        self._rows += 1
        self.add(b"".join((_LENGTH.pack(len(first)), first, _LENGTH.pack(len(second)), second)))

    def add(self, content: bytes) -> None:
        self._waiting.append(content)
        self._wait_bytes += len(content)
        if self._wait_bytes >= _BUFFER:
            self._write()

    def end(self, *, rows: bool = True) -> Held:
        """Everything is on the disk."""
        self._write()
        os.fsync(self._descriptor)
        _let_go(self._descriptor)
        return Held(self._length, self._digest.hexdigest(), self._rows if rows else None)

    def _write(self) -> None:
        content = b"".join(self._waiting)
        self._waiting.clear()
        self._wait_bytes = 0
        self._digest.update(content)
        self._length += len(content)
        self._unsettled += len(content)
        try:
            write_all(self._descriptor, content)
            if self._unsettled >= _SETTLED:
                os.fdatasync(self._descriptor)
                _let_go(self._descriptor)
                self._unsettled = 0
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._path)) from None


class Gathered:
    """Records of one collection while they are being read: the newest state of each counts, in a file without a name.

    Only where each lies is kept in memory.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by `close`
        self._descriptor = self._file.fileno()
        self._where: dict[bytes, tuple[int, int]] = {}
        self._end = 0

    def __len__(self) -> int:
        return len(self._where)

    def clear(self) -> None:
        os.ftruncate(self._descriptor, 0)
        self._where.clear()
        self._end = 0

    def set(self, rows: list[tuple[bytes, bytes]]) -> None:
        content = b"".join(value for _, value in rows)
        try:
            if content and os.pwrite(self._descriptor, content, self._end) != len(content):
                raise OSError(0, "a backup could not be written whole")
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._folder)) from None
        for name, value in rows:
            self._where[name] = (self._end, len(value))
            self._end += len(value)

    def drop(self, name: bytes) -> None:
        self._where.pop(name, None)

    def rows(self) -> Iterator[tuple[bytes, bytes]]:
        for name, (at, length) in self._where.items():
            yield name, os.pread(self._descriptor, length, at)

    def close(self) -> None:
        self._file.close()


@dataclass(slots=True)
class NewBackup:
    """The folder of a backup being made: new, or an empty one (the root of a stick, say), so it is no copy renamed in
    the end; what makes it whole is its manifest, which comes last."""

    folder: Path
    files: dict[str, Held] = field(default_factory=dict)
    _made: bool = False

    def begin(self) -> None:
        """Raises BackupRefused, OSError."""
        if self.folder.exists() and not self.folder.is_dir():
            raise BackupRefused(f"{self.folder} is a file. Name a new or an empty folder. Nothing was backed up.")
        if self.folder.exists() and any(self.folder.iterdir()):
            what = "holds a backup that was cut short" if (self.folder / _UNFINISHED).exists() else "is not empty"
            raise BackupRefused(f"{self.folder} {what}. Name a new or an empty folder. Nothing was backed up.")
        self._made = not self.folder.exists()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(OSError):  # a stick may know no modes
            self.folder.chmod(0o700)
        try:
            self._write(_UNFINISHED, b"")
            self._write(_HANDLING, _HANDLING_WORDS.encode())
        except OSError:
            self.undo()
            raise

    @contextmanager
    def part(self, name: str, *, rows: bool = True) -> Iterator[Part]:
        """A file of the backup, whole and on the disk when the block ends."""
        with Part(self.folder / name) as part:
            yield part
            self.files[name] = part.end(rows=rows)

    def copy(self, source: Path, name: str, pace: Pace) -> None:
        """A file as it lies; of one that is added to meanwhile (under its lock), what it holds now."""
        with source.open("rb") as file, self.part(name, rows=False) as part:
            fcntl.flock(file, fcntl.LOCK_SH)
            left = os.fstat(file.fileno()).st_size
            fcntl.flock(file, fcntl.LOCK_UN)
            while left > 0:
                with pace.piece():
                    content = file.read(min(left, _PIECE))
                    part.add(content)
                left = left - len(content) if content else 0

    def finish(self, manifest: Manifest, key: SigningKey) -> None:
        """Sign, and so make it a whole backup."""
        raw = manifest.as_json()
        self._write(SIGNATURE, base64.b64encode(key.sign_file(KIND, raw)) + b"\n")
        self._write(f"{MANIFEST}.new", raw)
        for folder in {path.parent for path in self.folder.rglob("*")}:
            sync(folder)
        (self.folder / f"{MANIFEST}.new").rename(self.folder / MANIFEST)
        (self.folder / _UNFINISHED).unlink()
        sync(self.folder)
        sync(self.folder.parent)

    def undo(self) -> None:
        """Take away what was written."""
        for path in sorted(self.folder.rglob("*"), reverse=True):
            with suppress(OSError):
                path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        if self._made:
            with suppress(OSError):
                self.folder.rmdir()

    def _write(self, name: str, content: bytes) -> None:
        path = self.folder / name
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                write_all(descriptor, content)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from None


def check_signature(key: PublicKey, manifest: bytes, signature: bytes) -> None:
    """Raises NotSigned unless the line of base64 is this key's signature over this very manifest."""
    try:
        raw = base64.b64decode(signature.strip(), validate=True)
    except ValueError:
        raise NotSigned("it is not signed with this ledger's key") from None
    key.check_file(KIND, manifest, raw)


def read_manifest(folder: Path, area: str, key: PublicKey) -> Manifest:
    """The manifest of a whole backup of this area, signed with its key. Raises RestoreRefused."""
    if not folder.is_dir():
        raise RestoreRefused(f"{folder} is not a folder with a backup in it.")
    if not (folder / MANIFEST).is_file():
        what = "holds a backup that was cut short" if (folder / _UNFINISHED).exists() else "holds no whole backup"
        raise RestoreRefused(f"{folder} {what}: it has no {MANIFEST}.")
    raw, signature = (folder / MANIFEST).read_bytes(), b""
    with suppress(FileNotFoundError):
        signature = (folder / SIGNATURE).read_bytes()
    try:
        check_signature(key, raw, signature)
    except NotSigned as error:
        told = _area_of(raw)
        if told not in (None, area):
            raise RestoreRefused(f"{folder} holds a backup of area {told}, not of {area}.") from None
        raise RestoreRefused(
            f"The manifest of {folder} is not to be relied on: {error}. It was changed, or is another installation's."
        ) from None
    try:
        manifest = Manifest.read(raw)
    except ValueError as error:
        raise RestoreRefused(f"The manifest of {folder} can't be used: {error}.") from None
    schema = int(manifest.fields.get(".schema", "1"))
    if schema > SCHEMA:
        raise RestoreRefused(
            f"{folder} holds a backup of schema {schema}, and this version knows {SCHEMA}: use the newer version."
        )
    if manifest.area != area:
        raise RestoreRefused(f"{folder} holds a backup of area {manifest.area}, not of {area}.")
    return manifest


def _area_of(raw: bytes) -> str | None:
    """What an unproven manifest says it is of: only for the words of a refusal."""
    try:
        area = json.loads(raw)["area"]
    except (ValueError, KeyError, TypeError):
        return None
    return area if isinstance(area, str) and _NAME.fullmatch(area) else None


@dataclass(frozen=True, slots=True)
class Page:
    """Some whole rows of a file, as they lie there."""

    raw: bytes
    rows: tuple[tuple[bytes, bytes], ...]


def read_pieces(folder: Path, name: str, held: Held, pace: Pace) -> Iterator[bytes]:
    """A file from the disk itself, not from memory, piece by piece.

    Raises RestoreRefused at its end unless it is, byte for byte, what the manifest says.
    """
    path, digest, length = folder / name, hashlib.sha256(), 0
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise RestoreRefused(f"{path} is missing from the backup.") from None
    except OSError as error:
        raise RestoreRefused(f"{path} can't be read: {error.strerror}.") from None
    try:
        _let_go(descriptor)
        while True:
            with pace.piece():
                try:
                    content = os.read(descriptor, _PIECE)
                except OSError as error:
                    raise RestoreRefused(f"{path} can't be read: {error.strerror}.") from None
                digest.update(content)
            if not content:
                break
            length += len(content)
            yield content
    finally:
        _let_go(descriptor)
        os.close(descriptor)
    if length != held.length:
        raise RestoreRefused(f"{path} has {length:,} bytes, not {held.length:,}: it was cut short or added to.")
    if digest.hexdigest() != held.sha256:
        raise RestoreRefused(f"{path} is not what was backed up: it was changed, or the medium is failing.")


def read_pages(folder: Path, name: str, held: Held, pace: Pace) -> Iterator[Page]:
    """The rows of a file, in pages. Raises RestoreRefused, at the latest at its end, as `read_pieces` does."""
    left, count = b"", 0
    for piece in read_pieces(folder, name, held, pace):
        content = left + piece
        at = start = 0
        rows: list[tuple[bytes, bytes]] = []
        while (row := _row(content, at)) is not None:
            first, second, at = row
            rows.append((first, second))
            if len(rows) == _PAGE_ROWS or at - start >= _PAGE_BYTES:
                yield Page(content[start:at], tuple(rows))
                count, start, rows = count + len(rows), at, []
        if rows:
            yield Page(content[start:at], tuple(rows))
            count += len(rows)
        left = content[at:]
    if left or count != held.rows:
        raise RestoreRefused(f"{folder / name} does not hold the {held.rows or 0:,} rows that its manifest says.")


def _row(content: bytes, at: int) -> tuple[bytes, bytes, int] | None:
    """The row that begins at a place and where it ends; None while it is not all there."""
    if at + 4 > len(content):
        return None
    middle = at + 4 + _LENGTH.unpack_from(content, at)[0]
    if middle + 4 > len(content):
        return None
    end = middle + 4 + _LENGTH.unpack_from(content, middle)[0]
    return (content[at + 4 : middle], content[middle + 4 : end], end) if end <= len(content) else None


def write_all(descriptor: int, content: bytes) -> None:
    """Write all of it, however often the system takes less."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def private_folder(folder: Path) -> None:
    """Make a folder, and those above it that are not there, open to nobody else."""
    if not folder.is_dir():
        private_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def sync(folder: Path) -> None:
    """Make the folder's entries durable, where its file system can."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _let_go(descriptor: int) -> None:
    """Keep nothing of a file in memory: what is read next comes from the disk."""
    with suppress(OSError, AttributeError):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
