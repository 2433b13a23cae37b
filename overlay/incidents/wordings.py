"""The wordings that open checklists keep: a definition that changes in mid-incident leaves them as they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from threading import RLock
from typing import Final

import structlog

from checklists.definition import Definition
from checklists.load import fingerprint, from_plain
from markers.store import Changes

log = structlog.get_logger()

COLLECTION: Final = "wordings"


class Wordings(Mapping[str, Definition]):
    """Definitions by fingerprint: those kept in the store as of `position`, and those of this process's files."""

    def __init__(self, shipped: Iterable[Definition] = ()) -> None:
        self._lock = RLock()
        self._position = 0
        self._kept: dict[str, Definition] = {}
        self._shipped = {fingerprint(definition): definition for definition in shipped}

    @property
    def position(self) -> int:
        with self._lock:
            return self._position

    def apply(self, changes: Changes) -> None:
        """Take in what changed."""
        with self._lock:
            if changes.position > self._position:
                self._take_in(changes)

    def replace(self, loaded: Changes) -> None:
        """Start anew from the whole collection."""
        with self._lock:
            if loaded.position >= self._position:
                self._kept.clear()
                self._take_in(loaded)

    def _take_in(self, changes: Changes) -> None:
        for record in changes.records:
            if record.plain is None:
                self._kept.pop(record.record_id, None)
                continue
            try:
                self._kept[record.record_id] = from_plain(record.plain)
            except ValueError as error:
                log.error("wording_unreadable", fingerprint=record.record_id, reason=str(error))
        self._position = changes.position

    def stored(self, key: str) -> bool:
        """Whether the store has it, so that it need not be written."""
        with self._lock:
            return key in self._kept

    def __getitem__(self, key: str) -> Definition:
        with self._lock:
            return self._kept.get(key) or self._shipped[key]

    def __iter__(self) -> Iterator[str]:
        with self._lock:
            return iter({**self._shipped, **self._kept})

    def __len__(self) -> int:
        with self._lock:
            return len({**self._shipped, **self._kept})

    def __contains__(self, key: object) -> bool:
        with self._lock:
            return key in self._kept or key in self._shipped
