"""Tries counted for every process at once, in the store; where they can't be counted nobody signs in.

The counters are those of the `limits` library, under the area's own prefix, and keep the store's own time: a window
opens with its first try and is forgotten when it ends, however often it is knocked at meanwhile. They hold tokens,
never names. No marker check asks them anything.
"""

from __future__ import annotations

import math
import time

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import RedisStorage

from markers.lines_to_store import pool_to
from overlay.identity.changes import IdentityError
from overlay.identity.passwords import SignInBusy

# One account, from one known browser or from all strangers together; a code needs the right password first.
PASSWORD_TRIES = RateLimitItemPerMinute(10, 15)
CODE_TRIES = RateLimitItemPerMinute(5, 15)
# One address, tries of unknown browsers only: a control room may stand behind one address.
ADDRESS_TRIES = RateLimitItemPerMinute(100, 15)
# Entries in the ledger about failed tries, so that a flood can't fill it.
LISTED = RateLimitItemPerHour(120)


class SlowDown(IdentityError):
    """Too many wrong tries; `wait_s` is how long until the next is taken."""

    def __init__(self, wait_s: float) -> None:
        self.wait_s = max(1, math.ceil(wait_s))
        minutes = math.ceil(self.wait_s / 60)
        super().__init__(
            f"Too many wrong tries. Wait {minutes} {'minute' if minutes == 1 else 'minutes'}, or use a computer this "
            "account has signed in on before: it is not held up by what others try."
        )


class CountersAway(SignInBusy):
    """Tries can't be counted at this moment, so none is taken."""

    def __init__(self) -> None:
        super().__init__(
            "Nobody can sign in at this moment: the store that counts tries is not answering. Try again in a moment. "
            "Whoever is signed in already can go on."
        )


class Counters:
    """The counters of one area. Safe to share between threads."""

    def __init__(self, url: str, area: str, timeout_s: float) -> None:
        """`url` as the store's own (markers/store_url.py). Connects at first use."""
        self._storage = RedisStorage(
            "redis://",  # what it is told apart by; the pool knows the way, and what takes another server's place
            connection_pool=pool_to(url, area, timeout_s),
            key_prefix=f"wmo:{{{area}}}:tries",
            wrap_exceptions=True,
        )

    def count(self, rule: RateLimitItem, *key: str, amount: int = 1) -> int:
        """Count one more, or take one back; returns how many that makes in this window. `CountersAway`."""
        try:
            return self._storage.incr(rule.key_for(*key), rule.get_expiry(), amount)
        except StorageError:
            raise CountersAway from None

    def take(self, rule: RateLimitItem, *key: str) -> int:
        """Count one more, and refuse it with `SlowDown` when that is too many. `CountersAway`."""
        counted = self.count(rule, *key)
        if counted > rule.amount:
            raise SlowDown(self._wait_s(rule, *key))
        return counted

    def forget(self, rule: RateLimitItem, *key: str) -> None:
        """Start again from nothing. `CountersAway`."""
        try:
            self._storage.clear(rule.key_for(*key))
        except StorageError:
            raise CountersAway from None

    def _wait_s(self, rule: RateLimitItem, *key: str) -> float:
        try:
            return self._storage.get_expiry(rule.key_for(*key)) - time.time()
        except StorageError:
            raise CountersAway from None
