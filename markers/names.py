"""Texts in order on disk, each with the number that stands for it among a home's marks."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zlib import adler32, crc32

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[Any]


def hashed(text: str) -> int:
    """A key as a number of 64 bits, alike in every process: two checksums side by side.

    A third of the time of a cryptographic hash. Should two keys ever share a number, a home too many is compared.
    """
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        raw = text.encode("utf-8", "surrogatepass")
    return crc32(raw) << 32 | adler32(raw)


def write_names(folder: Path, kind: str, texts: Iterable[str]) -> None:
    """Write texts of a kind (`markers.filing.marks_of`), in the order they are given in."""
    folder.mkdir(parents=True, exist_ok=True)
    written, ends, numbers = bytearray(), array("I", [0]), array("Q")
    for text in texts:
        written += text.encode("utf-8", "surrogatepass")
        ends.append(len(written))
        numbers.append(hashed(kind + text))
    (folder / kind).write_bytes(written)
    np.save(folder / f"{kind}-ends.npy", np.frombuffer(ends, dtype="<u4"))
    np.save(folder / f"{kind}-numbers.npy", np.frombuffer(numbers, dtype="<u8"))


class Names:
    """Reads them. OSError or ValueError where they are not there or damaged."""

    def __init__(self, folder: Path, kind: str) -> None:
        self._folder, self._kind = folder, kind
        self._text = (folder / kind).read_bytes()
        self._ends = array("I", np.load(folder / f"{kind}-ends.npy").tobytes())

    def __getitem__(self, place: int) -> str:
        return self._text[self._ends[place] : self._ends[place + 1]].decode("utf-8", "surrogatepass")

    def numbers(self) -> Numbers:
        """The number of each, in their order."""
        numbers: Numbers = np.load(self._folder / f"{self._kind}-numbers.npy")
        return numbers

    def among(self, marks: Numbers) -> set[str]:
        """Those whose number is one of these, which are sorted."""
        numbers = self.numbers()
        if not len(marks):
            return set()
        at = np.minimum(np.searchsorted(marks, numbers), len(marks) - 1)
        return {self[place] for place in np.flatnonzero(marks[at] == numbers).tolist()}
