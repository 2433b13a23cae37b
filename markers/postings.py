"""Which ids are filed under a key, in little memory: nearly every key has one id, and a set for each would cost more
than the key."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable

import numpy as np

from markers.names import Numbers


class Postings:
    """Ids by key. Not thread-safe; the index's lock covers it."""

    def __init__(self) -> None:
        self._held: dict[str, str | set[str]] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._held

    def get(self, key: str) -> tuple[str, ...]:
        """Every id under the key, in no order; none for an unknown key."""
        held = self._held.get(key)
        if held is None:
            return ()
        return (held,) if isinstance(held, str) else tuple(held)

    def add(self, key: str, entry: str) -> None:
        """File an id under a key; twice is once."""
        held = self._held.get(key)
        if held is None:
            self._held[key] = entry
        elif isinstance(held, set):
            held.add(entry)
        elif held != entry:
            self._held[key] = {held, entry}

    def discard(self, key: str, entry: str) -> None:
        """Take an id from under a key; one that is not there is ignored."""
        held = self._held.get(key)
        if isinstance(held, set):
            held.discard(entry)
            if len(held) == 1:
                self._held[key] = held.pop()
        elif held == entry:
            del self._held[key]


class SortedPostings:
    """Ids by keys that are numbers of 64 bits, filed all at once: twelve bytes an entry, where `Postings` takes 150.

    `keys` are sorted, and beside each stands its id, a number too.
    """

    def __init__(self, keys: Numbers, ids: Numbers) -> None:
        self._keys = array("Q", keys.astype("<u8").tobytes())
        self._ids = array("I", ids.astype("<u4").tobytes())
        # Keys are spread evenly: their first 16 bits leave a score of them to search, a third of the time of all.
        starts = np.searchsorted(keys, np.arange(1 << 16, dtype="<u8") << np.uint64(48))
        self._starts = array("I", [*starts.tolist(), len(keys)])

    def of_any(self, keys: Iterable[int]) -> set[int]:
        """Every id under any of the keys."""
        starts, held, ids = self._starts, self._keys, self._ids
        found: set[int] = set()
        for key in keys:
            bucket = key >> 48
            high = starts[bucket + 1]
            first = bisect_left(held, key, starts[bucket], high)
            if first < high and held[first] == key:
                found.update(ids[first : bisect_right(held, key, first, high)])
        return found

    def get(self, key: int) -> list[int]:
        """Every id under the key, in order; none for an unknown key."""
        bucket = key >> 48
        low, high = self._starts[bucket], self._starts[bucket + 1]
        first = bisect_left(self._keys, key, low, high)
        if first == high or self._keys[first] != key:
            return []  # as for most that are asked for
        return self._ids[first : bisect_right(self._keys, key, first, high)].tolist()
