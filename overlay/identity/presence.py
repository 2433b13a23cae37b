"""When a session or token was last used: a collection of its own, so that it never disturbs a check.

Each process notes what it sees in memory and writes a note to the store when the store's is a minute old; the others
follow. While the store is away the notes in memory go on, and nobody is locked out of the room for it.
"""

from __future__ import annotations

import json
import uuid
from datetime import datetime, timedelta

from markers.commits import Commit, Moved, Record, Write
from markers.store import Store
from markers.store_errors import VersionConflict
from overlay.following import Following

COLLECTION = "presence"
_MOST_AT_ONCE = 200


class Presence(Following):
    """Last-seen times by record id, as of `position`, with what this process itself has seen. Safe between threads.

    The store is told again once its time is `every` old: other processes lock by what it says.
    """

    def __init__(self, every: timedelta = timedelta(minutes=1)) -> None:
        super().__init__()
        self._every = every
        self._kept: dict[str, tuple[int, datetime]] = {}
        self._noted: dict[str, datetime] = {}

    def _clear(self) -> None:
        self._kept.clear()

    def _take(self, record: Record) -> None:
        if record.plain is None:
            self._kept.pop(record.record_id, None)
            self._noted.pop(record.record_id, None)
        else:
            seen_at = datetime.fromisoformat(json.loads(record.plain)["seen_at"])
            self._kept[record.record_id] = record.version, seen_at

    def note(self, record_id: str, now: datetime) -> None:
        """Somebody used this session or token."""
        with self._lock:
            self._noted[record_id] = max(now, self._noted.get(record_id, now))

    def seen(self, record_id: str) -> datetime | None:
        """When it was last used, as far as this process knows."""
        with self._lock:
            times = [self._noted.get(record_id), self._kept[record_id][1] if record_id in self._kept else None]
            return max((time for time in times if time is not None), default=None)

    def write(self, store: Store, there: frozenset[str]) -> None:
        """Send the store what it should know: new notes, and the end of those no longer `there`. `StoreUnavailable`.

        Another process may write the same first; what it wrote is as good.
        """
        writes = tuple(self._due(there))[:_MOST_AT_ONCE]
        if not writes:
            return
        try:
            done = store.commit(Commit(str(uuid.uuid4()), {COLLECTION: self.position}, writes))
        except VersionConflict:
            return
        news = done.changes[COLLECTION] if isinstance(done, Moved) else store.changes(COLLECTION, self.position)
        if news.reload:
            self.replace(store.load(COLLECTION))
        else:
            self.apply(news)

    def _due(self, there: frozenset[str]) -> list[Write]:
        due = []
        with self._lock:
            for record_id in [noted for noted in self._noted if noted not in there]:
                del self._noted[record_id]
            for record_id, seen_at in self._noted.items():
                version, kept_at = self._kept.get(record_id, (0, None))
                if kept_at is None or seen_at - kept_at >= self._every:
                    plain = json.dumps({"seen_at": seen_at.isoformat()}).encode()
                    due.append(Write(COLLECTION, record_id, version, plain))
            gone = [(key, version) for key, (version, _) in self._kept.items() if key not in there]
        return due + [Write(COLLECTION, record_id, version, None) for record_id, version in gone]
