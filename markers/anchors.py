"""The anchors: signed statements kept outside the store, which a store that was wiped or put back can't take along.

One file a day (`2026-11-25.txt`, by the statement's own time), mode 0600 in a folder of mode 0700, holding signed notes
(markers/checkpoints.py) with an empty line after each; only ever added to. Put the folder on other media. Acceptances
stand in `accepted.txt` once more, where every process finds the newest without reading a day.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

from markers.checkpoints import Statement, notes

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}\.txt")
_ACCEPTED: Final = "accepted.txt"
_TAIL: Final = 64 * 1024
_LONGEST_END: Final = 512
_END: Final = re.compile("— [^\\n\\s]+ [A-Za-z0-9+/=]+\n\n\\Z".encode())


Mark = tuple[str, int, int] | None


class AnchorsFailed(Exception):  # noqa: N818 - reads as the fact it states
    """The folder of anchors can't be read or written, or holds what no sealer wrote."""


@dataclass(frozen=True, slots=True)
class Anchors:
    """The folder of one area's anchors. Processes may read while one appends."""

    folder: Path

    def files(self) -> list[Path]:
        """The files of statements, oldest first. Raises AnchorsFailed."""
        try:
            return sorted(path for path in self.folder.iterdir() if _DAY.fullmatch(path.name))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._failed("read", error) from None

    @property
    def accepted(self) -> Path:
        """The file of acceptances, which may not be there."""
        return self.folder / _ACCEPTED

    def statements(self) -> Iterator[Statement]:
        """All of them in the order they were written. Raises AnchorsFailed at the first that can't be read.

        An end that was cut short by a crash had not been anchored yet, and is passed over in the newest file.
        """
        files = self.files()
        for path in files:
            text = self._text(path)
            for told, end in notes(text):
                if told is not None:
                    yield told
                elif end < len(text) or path != files[-1]:
                    raise AnchorsFailed(f"the anchors in {path} are damaged at character {end}")

    def last(self) -> Statement | None:
        """The newest statement, from the end of the newest file. Raises AnchorsFailed."""
        for path in reversed(self.files()):
            told = self._last_of(path)
            if told is not None:
                return told
        return None

    def mark(self) -> Mark:
        """Changes whenever a statement was added; cheap to ask. Raises AnchorsFailed."""
        files = self.files()
        if not files:
            return None
        try:
            found = files[-1].stat()
        except OSError as error:
            raise self._failed("read", error) from None
        return files[-1].name, found.st_size, found.st_mtime_ns

    def last_accepted(self) -> Statement | None:
        """The newest acceptance. Raises AnchorsFailed."""
        return self._last_of(self.accepted) if self.accepted.exists() else None

    def append(self, statements: Iterable[Statement]) -> None:
        """Add statements, durable when this returns; an end cut short by a crash is taken away first.

        Raises AnchorsFailed, and then the same statements may be given again: one that is there twice does no harm.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            newest = max((path.name for path in self.files()), default="")
            # Where the clock went back over midnight the order of writing counts.
            for name, told in groupby(statements, key=lambda told: max(newest, f"{told.at:%Y-%m-%d}.txt")):
                given = list(told)
                self._add(self.folder / name, _content(given))
                accepted = [one for one in given if one.accepts]
                if accepted:
                    self._add(self.accepted, _content(accepted))
        except OSError as error:
            raise self._failed("written", error) from None

    def _add(self, path: Path, content: bytes) -> None:
        fresh = not path.exists()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            size = os.fstat(descriptor).st_size
            tail = os.pread(descriptor, _LONGEST_END, max(0, size - _LONGEST_END))
            whole = size if size == 0 or _END.search(tail) else _whole(path)
            if whole < size:
                os.ftruncate(descriptor, whole)
            try:
                while content:
                    content = content[os.write(descriptor, content) :]
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, whole)
                raise
        finally:
            os.close(descriptor)
        if fresh:
            _sync_folder(self.folder)

    def _last_of(self, path: Path) -> Statement | None:
        """Read back from the end in growing pieces until one holds a whole statement from its beginning."""
        size, wanted = self._size(path), _TAIL
        while True:
            start = max(0, size - wanted)
            piece = self._text(path, start)
            if start:
                piece = piece[piece.find("\n\noverlay-ledger/") + 2 :] if "\n\noverlay-ledger/" in piece else ""
            found = [told for told, _ in notes(piece) if told is not None]
            if found or start == 0:
                return found[-1] if found else None
            wanted *= 4

    def _size(self, path: Path) -> int:
        try:
            return path.stat().st_size
        except OSError as error:
            raise self._failed("read", error) from None

    def _text(self, path: Path, start: int = 0) -> str:
        try:
            with path.open("rb") as file:
                file.seek(start)
                return file.read().decode("utf-8", "replace")
        except OSError as error:
            raise self._failed("read", error) from None

    def _failed(self, what: str, error: OSError) -> AnchorsFailed:
        return AnchorsFailed(f"the anchors in {self.folder} can't be {what}: {error.strerror}")


def _content(statements: Iterable[Statement]) -> bytes:
    return "".join(f"{told.note}\n" for told in statements).encode()


def _whole(path: Path) -> int:
    """Bytes up to the end of the last whole statement."""
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    ends = [end for told, end in notes(text) if told is not None]
    return len(text[: ends[-1]].encode("utf-8", "surrogateescape")) if ends else 0


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
