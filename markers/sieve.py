"""Which texts surely are not among very many, in two bytes for each: most that are asked for are not."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from pathlib import Path
from zlib import crc32

import numpy as np

_ROOM = 16
"""Places for each text: at most one in so many of all others is let through."""


class SieveWriter:
    """Writes what `Sieve` reads."""

    def __init__(self) -> None:
        self._sums = array("I")

    def add(self, texts: Iterable[str]) -> None:
        """Take in texts, in any order; twice is once."""
        self._sums.extend([crc32(text.encode("utf-8", "surrogatepass")) for text in texts])

    def write(self, path: Path) -> None:
        """Write the file."""
        sums = np.unique(np.frombuffer(self._sums, dtype="<u4"))
        places = 1 << (_ROOM * len(sums) + 7).bit_length()
        held = np.zeros(places, dtype="u1")
        held[sums & np.uint32(places - 1)] = 1
        np.save(path, np.packbits(held, bitorder="little"))


class Sieve:
    """Reads it. OSError or ValueError where it is not there or damaged."""

    def __init__(self, path: Path) -> None:
        self._held: bytes = np.load(path).tobytes()
        self._mask = len(self._held) * 8 - 1

    def may_hold(self, text: str) -> bool:
        """False for what surely is not among the texts."""
        place = crc32(text.encode("utf-8", "surrogatepass")) & self._mask
        return self._held[place >> 3] >> (place & 7) & 1 == 1
