"""What the store has acknowledged to one writer, kept in a file of its own outside the store's folder."""

from __future__ import annotations

import os
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

_LINE = struct.Struct("=2q")
_EPOCH = datetime.fromtimestamp(0, UTC)
_MICROSECOND = timedelta(microseconds=1)


class Journal:
    """The numbers acknowledged, one after the other, each with the time the next commit will bear.

    So a writer that was killed sends the commit it did not get an answer to again, the very same.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, number: int, next_at: datetime) -> None:
        """Outlives the writer, however that ends: the bytes are the kernel's when this returns."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, _LINE.pack(number, (next_at - _EPOCH) // _MICROSECOND))
        finally:
            os.close(descriptor)

    def begin(self, at: datetime) -> None:
        """Nothing is acknowledged yet; the first commit will bear this time."""
        if self._whole() == 0:
            self.append(-1, at)

    def acknowledged(self) -> int:
        """How many commits were acknowledged: 0, 1, 2 ... each once, which is checked of the last."""
        return self._last()[0] + 1

    def next_at(self) -> datetime:
        """The time of the commit that follows."""
        return _EPOCH + self._last()[1] * _MICROSECOND

    def _last(self) -> tuple[int, int]:
        whole = self._whole()
        if whole == 0:
            return -1, 0
        with self.path.open("rb") as file:
            file.seek((whole - 1) * _LINE.size)
            number, next_at = _LINE.unpack(file.read(_LINE.size))
        assert number == whole - 2, f"{self.path.name} acknowledged {number} as number {whole - 2}"
        return number, next_at

    def _whole(self) -> int:
        return self.path.stat().st_size // _LINE.size if self.path.exists() else 0
