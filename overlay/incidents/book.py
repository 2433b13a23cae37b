"""Every incident the store holds, in memory, following it; with the wordings that their checklists were opened with."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

import structlog

from markers.commits import Changes, Record
from overlay.following import Following
from overlay.glass import same_incident
from overlay.incidents.model import BadIncident, Incident

log = structlog.get_logger()

COLLECTION: Final = "incidents"
_REMEMBERED: Final = 10_000


class NoSuchIncident(Exception):
    """No incident of that id: never was one, or it was purged."""


class IncidentBook(Following):
    """Incidents as of `position`.

    A record that can't be read is kept apart in `unreadable`: one bad record may stop neither checks nor the board.
    """

    def __init__(self) -> None:
        super().__init__()
        self._kept: dict[str, Incident] = {}
        self._unreadable: set[str] = set()
        self._news: deque[tuple[int, str]] = deque(maxlen=_REMEMBERED)
        self._news_from = 0

    def apply(self, changes: Changes) -> None:
        """Take in what changed, and remember which incidents did."""
        with self._lock:
            if changes.position > self._position:
                super().apply(changes)
                self._news.extend((changes.position, record.record_id) for record in changes.records)

    def replace(self, loaded: Changes) -> None:
        """Start anew; what changed before is remembered no more."""
        with self._lock:
            if loaded.position >= self._position:
                super().replace(loaded)
                self._news.clear()
                self._news_from = loaded.position

    def _clear(self) -> None:
        self._kept.clear()
        self._unreadable.clear()

    def _take(self, record: Record) -> None:
        self._unreadable.discard(record.record_id)
        if record.plain is None:
            self._kept.pop(record.record_id, None)
            return
        try:
            self._kept[record.record_id] = Incident.from_plain(record.record_id, record.version, record.plain)
        except BadIncident as error:
            log.error("incident_unreadable", incident_id=record.record_id, reason=str(error))
            self._kept.pop(record.record_id, None)
            self._unreadable.add(record.record_id)

    @property
    def unreadable(self) -> frozenset[str]:
        """Ids of records that could not be read."""
        with self._lock:
            return frozenset(self._unreadable)

    def get(self, incident_id: str) -> Incident:
        """Raises NoSuchIncident."""
        with self._lock:
            found = self._kept.get(incident_id)
        if found is None:
            raise NoSuchIncident
        return found

    def open(self) -> tuple[Incident, ...]:
        """Every incident that is not closed."""
        with self._lock:
            return tuple(kept for kept in self._kept.values() if kept.closed is None)

    def all(self) -> tuple[Incident, ...]:
        with self._lock:
            return tuple(self._kept.values())

    def of_reference(self, reference: str) -> Incident | None:
        """The newest incident of a CAD reference, spaces and capitals apart."""
        with self._lock:
            found = [kept for kept in self._kept.values() if same_incident(kept.reference, reference)]
        return max(found, key=lambda kept: kept.opened.at, default=None)

    def news(self, after: int) -> tuple[int, frozenset[str] | None]:
        """Where the book is, and the ids of what changed after a position; None when that is no longer remembered."""
        with self._lock:
            oldest = self._news[0][0] - 1 if len(self._news) == _REMEMBERED else self._news_from
            if after > self._position or after < oldest:
                return self._position, None
            return self._position, frozenset(_ids(self._news, after))


def _ids(news: Iterable[tuple[int, str]], after: int) -> Iterable[str]:
    return (incident_id for position, incident_id in news if position > after)
