"""What the store has acknowledged to one writer, kept in a file of its own outside the store's folder."""

from __future__ import annotations

import os
import struct
from pathlib import Path

_NUMBER = struct.Struct("=q")


class Journal:
    """The numbers acknowledged, one after the other. Each is with the system before the writer goes on."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, number: int) -> None:
        """Outlives the writer, however that ends: the bytes are the kernel's when this returns."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, _NUMBER.pack(number))
        finally:
            os.close(descriptor)

    def acknowledged(self) -> int:
        """How many commits were acknowledged: 0, 1, 2 ... each once, which is checked of the last."""
        size = self.path.stat().st_size if self.path.exists() else 0
        count = size // _NUMBER.size
        if count:
            with self.path.open("rb") as file:
                file.seek((count - 1) * _NUMBER.size)
                (last,) = _NUMBER.unpack(file.read(_NUMBER.size))
            assert last == count - 1, f"{self.path.name} acknowledged {last} as number {count - 1}"
        return count
