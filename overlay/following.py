"""A copy in memory of one collection of the store, which follows it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from threading import RLock

from markers.store import Changes, Record


class Following(ABC):
    """What one process knows of a collection, as of `position`. Safe to share between threads.

    Changes may arrive from several threads and more than once; older ones than are known already do nothing.
    """

    def __init__(self) -> None:
        self._lock = RLock()
        self._position = 0

    @property
    def position(self) -> int:
        """The store's position this has reached; 0 before anything was loaded."""
        with self._lock:
            return self._position

    def apply(self, changes: Changes) -> None:
        """Take in what changed."""
        with self._lock:
            if changes.position > self._position:
                self._take_in(changes)

    def replace(self, loaded: Changes) -> None:
        """Start anew from the whole collection; one slower than the news is left out."""
        with self._lock:
            if loaded.position >= self._position:
                self._clear()
                self._take_in(loaded)

    def _take_in(self, changes: Changes) -> None:
        for record in changes.records:
            self._take(record)
        self._position = changes.position

    @abstractmethod
    def _clear(self) -> None:
        """Forget everything."""

    @abstractmethod
    def _take(self, record: Record) -> None:
        """One record in its newest state; `plain` is None when it was erased."""
