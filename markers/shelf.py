"""A generation's addresses in flat files, one record after another in the order of the load.

`bodies` holds each home with its readings packed (`markers.filing`), `marks` the keys it is filed under, as numbers.
A marked home whose address is written like one of these takes both from here instead of being read again, which for
100,000 of them is the difference between 26 s and 1 s. `wording` finds the record of an address by a digest of its
text. Read with `pread`, not mapped: the pages are the kernel's to drop and no part of this process.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np

from markers.names import Names, Numbers, write_names
from markers.sieve import Sieve, SieveWriter
from markers.terms import beginnings


def wording(address: str, postcode: str | None) -> bytes:
    """16 bytes that stand for an address as it is written, letter for letter."""
    return blake2b(f"{address}\0{postcode or ''}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


class ShelfWriter:
    """Writes the files; nothing of a record is kept in memory but where it lies."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._bodies = (folder / "bodies").open("wb")
        self._marks = (folder / "marks").open("wb")
        self._terms = SieveWriter()
        self._wordings = bytearray()
        self._body_ends = array("Q", [0])
        self._mark_ends = array("Q", [0])

    def add(self, body: bytes, marks: bytes, worded: bytes, terms: Iterable[str]) -> int:
        """The number of the new record."""
        self._terms.add(terms)
        self._bodies.write(body)
        self._marks.write(marks)
        self._wordings += worded
        self._body_ends.append(self._body_ends[-1] + len(body))
        self._mark_ends.append(self._mark_ends[-1] + len(marks) // 8)
        return len(self._body_ends) - 2

    def close(self, keys: Iterable[str]) -> None:
        """Write where everything lies, and every key that any record is filed under."""
        known = list(keys)
        write_names(self._folder, "k", known)
        begun = SieveWriter()
        begun.add(beginnings(known))
        begun.write(self._folder / "begun.npy")
        self._terms.write(self._folder / "terms.npy")
        self._bodies.close()
        self._marks.close()
        wordings = np.frombuffer(bytes(self._wordings), dtype="<u8").reshape(-1, 2)
        order = np.argsort(wordings[:, 0], kind="stable")
        np.save(self._folder / "wordings.npy", wordings[order])
        np.save(self._folder / "worded.npy", order.astype("<u4"))
        np.save(self._folder / "body_ends.npy", np.frombuffer(self._body_ends, dtype="<u8"))
        np.save(self._folder / "mark_ends.npy", np.frombuffer(self._mark_ends, dtype="<u8"))


class Shelf:
    """Reads them. OSError or ValueError where they are not there or damaged.

    `begun` holds every key and everything a key begins with, word by word; `terms` every number joined with its keys.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bodies = (folder / "bodies").open("rb", buffering=0)
        self._ends = array("Q", np.load(folder / "body_ends.npy").tobytes())
        self.begun, self.terms = Sieve(folder / "begun.npy"), Sieve(folder / "terms.npy")
        self._wordings, self._worded = _Rows(folder / "wordings.npy", 16), _Rows(folder / "worded.npy", 4)

    def __len__(self) -> int:
        """How many records there are."""
        return len(self._ends) - 1

    def body(self, record: int) -> bytes:
        """The packed home of a record."""
        start = self._ends[record]
        return os.pread(self._bodies.fileno(), self._ends[record + 1] - start, start)

    def keys(self) -> Names:
        """Every key that any record is filed under; read anew, as it is needed once."""
        return Names(self._folder, "k")

    def records_of(self, addresses: Iterable[tuple[str, str | None]]) -> Numbers:
        """For each address with its postcode the record of one written just so, -1 where there is none."""
        wanted = np.frombuffer(b"".join(wording(*address) for address in addresses), dtype="<u8").reshape(-1, 2)
        known, worded = np.load(self._folder / "wordings.npy"), np.load(self._folder / "worded.npy")
        if not len(known):
            return np.full(len(wanted), -1)
        at = np.minimum(np.searchsorted(known[:, 0], wanted[:, 0]), len(known) - 1)
        return np.where((known[at] == wanted).all(axis=1), worded[at].astype("<i8"), -1)

    def record_of(self, address: str, postcode: str | None) -> int | None:
        """The record of an address written just so: a score of looks at the file, where `records_of` reads it whole."""
        wanted = wording(address, postcode)
        count = len(self._ends) - 1

        def first_half(at: int) -> int:
            return int.from_bytes(self._wordings.at(at)[:8], "little")

        at = bisect_left(range(count), int.from_bytes(wanted[:8], "little"), key=first_half)
        if at == count or self._wordings.at(at) != wanted:
            return None
        return int.from_bytes(self._worded.at(at), "little")

    def marks_of(self, records: Sequence[int] | Numbers) -> tuple[Numbers, Numbers]:
        """Every key of these records as a number, and beside each the place in `records` it belongs to."""
        ends = np.load(self._folder / "mark_ends.npy")
        chosen = np.asarray(records, dtype="<i8")
        starts, counts = ends[chosen].astype("<i8"), (ends[chosen + 1] - ends[chosen]).astype("<i8")
        before = np.cumsum(counts) - counts
        places = np.arange(int(counts.sum())) + np.repeat(starts - before, counts)
        return np.fromfile(self._folder / "marks", dtype="<u8")[places], np.repeat(np.arange(len(chosen)), counts)


class _Rows:
    """Rows of equal size of an array on disk, read one at a time."""

    def __init__(self, path: Path, size: int) -> None:
        self._file = path.open("rb", buffering=0)
        self._size = size
        np.lib.format.read_magic(self._file)
        np.lib.format.read_array_header_1_0(self._file)
        self._start = self._file.tell()

    def at(self, row: int) -> bytes:
        return os.pread(self._file.fileno(), self._size, self._start + row * self._size)
