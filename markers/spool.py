"""Ledger entries written while the store is away: sealed, durable on the local disk, sent when it is back.

One file a process, `PID-RANDOM.spool`, flock'd as long as the process lives, so that a dead process's file is free to
be taken over. A file is a run of frames: a mark, the frame's number, its length and a CRC-32, then the entry, sealed
under the file's random name and the number, so that a frame moved, renumbered or copied to another file does not open.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from markers.commits import Commit
from markers.ledger import LedgerEntry
from markers.store import Store
from markers.vault import Vault, VaultError, key_of

_MARK: Final = b"WMOS"
_HEAD: Final = struct.Struct(">4sII")
_CHECK: Final = struct.Struct(">I")
KEPT_MS: Final = 2_592_000_000
"""How long the store knows a look again that came from a spool: a file cut short in its replay may wait a month."""


class SpoolFailed(Exception):  # noqa: N818 - reads as the fact it states
    """The entry is not safely on disk, so nothing it covers may be disclosed."""


@dataclass(slots=True)
class _Own:
    path: Path
    descriptor: int
    pid: int
    size: int = 0
    frames: int = 0


class Spool:
    """The spool of one data folder. Threads and processes may append at once.

    `torn` and `damaged` count what `replay` met since this object was made: a last frame cut short by a crash (its
    append had never returned), and frames that are missing or don't open. A file with either is renamed `*.kept` once
    its whole frames are in the ledger, never deleted.
    """

    def __init__(self, folder: Path, vault: Vault, *, max_bytes: int = 64 << 20) -> None:
        """`folder` is made (0700) when missing; `max_bytes` bounds all spool files together."""
        self._folder, self._vault, self._max_bytes = folder, vault, max_bytes
        self._lock = threading.Lock()
        self._own: _Own | None = None
        self.torn = self.damaged = 0

    def append(self, entry: LedgerEntry) -> None:
        """Returns only when the entry is durable on disk; `SpoolFailed` otherwise."""
        plain = entry.canonical()
        with self._lock:
            while self._written(plain) not in self._known_keys():
                continue  # its key was forgotten between sealing and writing: write it once more

    def frames(self) -> Iterator[tuple[str, int, bytes, str | None]]:
        """Every whole frame of every file, kept ones too: the file's random name, number, sealed bytes, key id."""
        for path in sorted((*self._folder.glob("*.spool"), *self._folder.glob("*.kept"))):
            with suppress(FileNotFoundError):
                for number, sealed in _whole_frames(path.read_bytes())[0]:
                    yield _name(path), number, sealed, key_of(sealed)

    def waiting(self) -> Iterator[tuple[str, bytes]]:
        """Request id and entry of every whole frame that `replay` has not sent, or not known to be sent, yet."""
        for path in self._files():
            with suppress(FileNotFoundError):
                for number, sealed in _whole_frames(path.read_bytes())[0]:
                    with suppress(VaultError, ValueError):
                        yield self._as_sent(path, number, sealed)

    def pending(self) -> int:
        """Whole frames in all spool files, those of other living processes included."""
        count = 0
        for path in self._files():
            with suppress(FileNotFoundError):
                count += len(_whole_frames(path.read_bytes())[0])
        return count

    def replay(self, store: Store) -> int:
        """Send what this process and dead ones have spooled; returns the number of entries now in the ledger.

        Each entry is a commit of its own, with its true time and marked late, under a request id made from the entry
        with its id: sending it twice within 24 hours is sending it once. Raises `StoreUnavailable` when the store goes
        away; a file leaves the spool only when all of it is acknowledged.
        """
        self.close()
        return sum(self._replay_file(path, store) for path in self._files())

    def close(self) -> None:
        """Let go of this process's file, so that anyone may send it; the next append starts another."""
        with self._lock:
            if self._own is not None:
                os.close(self._own.descriptor)
                self._own = None

    def _written(self, plain: bytes) -> str | None:
        """Write one frame, durable; returns the key that sealed it."""
        try:
            own = self._opened()
            sealed = self._vault.seal("spool", _name(own.path), own.frames + 1, plain)
            frame = _framed(own.frames + 1, sealed)
            used = sum(_size(path) for path in self._files())
        except OSError as error:
            raise self._failed(error) from None
        if used + len(frame) > self._max_bytes:
            raise SpoolFailed(f"the spool {self._folder} is full; nothing may be shown until the store is back")
        try:
            _write_all(own.descriptor, frame)
            os.fsync(own.descriptor)
        except OSError as error:
            self._abandon(own)
            raise self._failed(error) from None
        own.size += len(frame)
        own.frames += 1
        return key_of(sealed)

    def _known_keys(self) -> frozenset[str]:
        with suppress(VaultError):  # an unusable ring file says so elsewhere; the keys at hand still seal
            self._vault.refresh()
        return self._vault.key_ids

    def _replay_file(self, path: Path, store: Store) -> int:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return 0
        try:
            if not _locked(descriptor) or not path.exists():
                return 0
            sent, sound = self._send(path, store)
            if sound:
                path.unlink()
            else:
                path.rename(path.with_suffix(".kept"))
            _sync_folder(self._folder)
        finally:
            os.close(descriptor)
        return sent

    def _send(self, path: Path, store: Store) -> tuple[int, bool]:
        """Number of entries sent, and whether the file held nothing else."""
        frames, torn = _whole_frames(path.read_bytes())
        sent: set[int] = set()
        for number, sealed in frames:
            try:
                request_id, plain = self._as_sent(path, number, sealed)
            except (VaultError, ValueError):
                continue
            store.commit(Commit(request_id, {}, (), (plain,), kept_ms=KEPT_MS))
            sent.add(number)
        lost = max((number for number, _ in frames), default=0) - len(sent)
        self.damaged += lost
        self.torn += torn
        return len(sent), not (lost or torn)

    def _as_sent(self, path: Path, number: int, sealed: bytes) -> tuple[str, bytes]:
        entry = LedgerEntry.from_bytes(self._vault.open("spool", _name(path), number, sealed))
        plain = replace(entry, late=True).canonical()
        return "spool-" + self._vault.token("spool", plain.decode())[:32], plain

    def _opened(self) -> _Own:
        if self._own is not None and self._own.pid == os.getpid():
            return self._own
        if self._own is not None:
            os.close(self._own.descriptor)
            self._own = None
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"{os.getpid()}-{secrets.token_hex(8)}.spool"
        fresh = path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            fresh.rename(path)
            _sync_folder(self._folder)
        except OSError:
            os.close(descriptor)
            raise
        self._own = _Own(path, descriptor, os.getpid())
        return self._own

    def _abandon(self, own: _Own) -> None:
        """Cut a half-written frame off and go on in a new file: after a failed fsync no later one proves anything."""
        self._own = None
        with suppress(OSError):
            os.ftruncate(own.descriptor, own.size)
        os.close(own.descriptor)

    def _failed(self, error: OSError) -> SpoolFailed:
        return SpoolFailed(f"the spool {self._folder} can't be written: {error.strerror}; nothing may be shown")

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("*.spool"))


def _framed(number: int, sealed: bytes) -> bytes:
    head = _HEAD.pack(_MARK, number, len(sealed))
    return head + _CHECK.pack(zlib.crc32(sealed, zlib.crc32(head))) + sealed


def _whole_frames(raw: bytes) -> tuple[list[tuple[int, bytes]], int]:
    """Number and sealed bytes of every whole frame, also after damaged ones; and 1 when the end is cut short."""
    frames: list[tuple[int, bytes]] = []
    start = end = 0
    while (start := raw.find(_MARK, start)) != -1:
        body = start + _HEAD.size + _CHECK.size
        if body <= len(raw):
            _, number, length = _HEAD.unpack_from(raw, start)
            sealed = raw[body : body + length]
            checksum = zlib.crc32(sealed, zlib.crc32(raw[start : start + _HEAD.size]))
            if len(sealed) == length and _CHECK.unpack_from(raw, start + _HEAD.size) == (checksum,):
                frames.append((number, sealed))
                start = end = body + length
                continue
        start += 1
    return frames, int(end < len(raw))


def _name(path: Path) -> str:
    return path.stem.partition("-")[2]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write_all(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
