"""Which looks at incidents this process has put into the ledger already."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock

_MOST_KEPT = 100_000


class Looks:
    """Which looks are in the ledger already, of this process. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: dict[tuple[object, ...], None] = {}

    def new(self, keys: Iterable[tuple[object, ...]]) -> frozenset[tuple[object, ...]]:
        """Those that are not logged yet."""
        with self._lock:
            return frozenset(key for key in keys if key not in self._kept)

    def note(self, keys: Iterable[tuple[object, ...]]) -> None:
        """These are logged. The oldest give way, and would be logged again."""
        with self._lock:
            for key in keys:
                self._kept[key] = None
            while len(self._kept) > _MOST_KEPT:
                del self._kept[next(iter(self._kept))]
