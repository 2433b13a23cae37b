"""The wordings that open checklists keep: a definition that changes in mid-incident leaves them as they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import structlog

from checklists.definition import Definition
from checklists.load import fingerprint, from_plain
from markers.commits import Record
from overlay.following import Following

log = structlog.get_logger()

COLLECTION: Final = "wordings"


class Wordings(Following, Mapping[str, Definition]):
    """Definitions by fingerprint: those kept in the store as of `position`, and those of this process's files."""

    def __init__(self, shipped: Iterable[Definition] = ()) -> None:
        super().__init__()
        self._kept: dict[str, Definition] = {}
        self._shipped = {fingerprint(definition): definition for definition in shipped}

    def _clear(self) -> None:
        self._kept.clear()

    def _take(self, record: Record) -> None:
        if record.plain is None:
            self._kept.pop(record.record_id, None)
            return
        try:
            self._kept[record.record_id] = from_plain(record.plain)
        except ValueError as error:
            log.error("wording_unreadable", fingerprint=record.record_id, reason=str(error))

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
