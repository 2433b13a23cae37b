"""A copy in memory of one collection of the store, which follows it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from threading import RLock
from typing import Generic, TypeVar

import structlog

from markers.commits import Changes, Record

log = structlog.get_logger()

T = TypeVar("T")


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


class Records(Following, Generic[T]):
    """Every record of a collection as a value, with the version of its record.

    One that can't be read is left out and logged: one bad record may stop neither checks nor a page.
    """

    def __init__(self, read: Callable[[str, bytes], T], missing: type[Exception]) -> None:
        super().__init__()
        self._read, self._missing = read, missing
        self._kept: dict[str, tuple[T, int]] = {}

    def get(self, record_id: str) -> tuple[T, int]:
        """The value and the version of its record. Raises the error of this collection for one that is not there."""
        with self._lock:
            found = self._kept.get(record_id)
        if found is None:
            raise self._missing
        return found

    def all(self) -> tuple[tuple[T, int], ...]:
        """All of them, in no order."""
        with self._lock:
            return tuple(self._kept.values())

    def _clear(self) -> None:
        self._kept.clear()

    def _take(self, record: Record) -> None:
        self._kept.pop(record.record_id, None)
        if record.plain is None:
            return
        try:
            self._kept[record.record_id] = self._read(record.record_id, record.plain), record.version
        except (KeyError, TypeError, ValueError) as error:
            log.error("record_not_read", record=record.record_id, kind=type(error).__name__)
