"""A pause that grows with each wrong password. Kept in memory, by each process for itself."""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Lock

FORGOTTEN_AFTER = timedelta(minutes=15)
LONGEST_S = 30.0
MOST_KEYS = 10_000


class Slowdown:
    """Counts failures by key. The first `free` cost nothing; then 1, 2, 4 ... 30 seconds until the next try."""

    def __init__(self, free: int) -> None:
        self._free = free
        self._failures: dict[str, tuple[int, datetime]] = {}
        self._lock = Lock()

    def wait_s(self, key: str, now: datetime) -> float:
        """Seconds until another try is taken; 0 when it is taken now."""
        with self._lock:
            count, last = self._failures.get(key, (0, now))
        if count < self._free or now - last > FORGOTTEN_AFTER:
            return 0.0
        pause = min(2.0 ** min(count - self._free, 10), LONGEST_S)
        return max(0.0, pause - (now - last).total_seconds())

    def begin(self, key: str, now: datetime) -> None:
        """Count a try as failed until `succeeded` says otherwise, so that many at once count as many."""
        with self._lock:
            count, last = self._failures.get(key, (0, now))
            if now - last > FORGOTTEN_AFTER:
                count = 0
            self._failures[key] = (count + 1, now)
            if len(self._failures) > MOST_KEYS:
                self._failures = {key: kept for key, kept in self._failures.items() if now - kept[1] <= FORGOTTEN_AFTER}
                while len(self._failures) > MOST_KEYS:
                    del self._failures[next(iter(self._failures))]

    def succeeded(self, key: str) -> None:
        """Forget the key's failures."""
        with self._lock:
            self._failures.pop(key, None)
