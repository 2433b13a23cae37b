"""Whose threads are used for what: places for answers, the most important first; and being asked to end."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from enum import IntEnum


class Rank(IntEnum):
    """How much an answer matters when not all can be given at once."""

    CHECK = 0
    WORK = 1
    REFRESH = 2


class Places:
    """So many answers are made at once; sending them, as a stream does for hours, takes no place.

    The last quarter of the places is for checks alone, and a refresh takes no more than half. Whoever has to wait is
    let in by rank. Safe to share between threads.
    """

    def __init__(self, places: int) -> None:
        self._most = {Rank.CHECK: places, Rank.WORK: max(1, places - places // 4), Rank.REFRESH: max(1, places // 2)}
        self._lock = threading.Lock()
        self._turns = {rank: threading.Condition(self._lock) for rank in Rank}
        self._waiting = dict.fromkeys(Rank, 0)
        self._taken = 0

    def enter(self, rank: Rank, longest_s: float) -> bool:
        """Whether there was a place within `longest_s` seconds. Then `leave` gives it back."""
        until = time.monotonic() + longest_s
        with self._lock:
            self._waiting[rank] += 1
            try:
                while not self._may(rank):
                    left = until - time.monotonic()
                    if left <= 0 or not self._turns[rank].wait(left):
                        if not self._may(rank):
                            return False
                        break
                self._taken += 1
                return True
            finally:
                self._waiting[rank] -= 1
                self._wake()

    def leave(self) -> None:
        with self._lock:
            self._taken -= 1
            self._wake()

    def _may(self, rank: Rank) -> bool:
        return self._taken < self._most[rank] and not any(self._waiting[other] for other in Rank if other < rank)

    def _wake(self) -> None:
        """Let in whoever is next, if anybody may."""
        for rank in Rank:
            if self._waiting[rank]:
                if self._taken < self._most[rank]:
                    self._turns[rank].notify()
                return


class InHand:
    """What is being answered just now, and since when. Safe to share between threads."""

    def __init__(self) -> None:
        self._begun: dict[object, float] = {}
        self._lock = threading.Lock()

    def begin(self) -> object:
        """What `end` is to be given once it is answered."""
        one = object()
        with self._lock:
            self._begun[one] = time.monotonic()
        return one

    def end(self, one: object) -> None:
        with self._lock:
            self._begun.pop(one, None)

    def longest_s(self) -> float:
        """For how many seconds the oldest of them has been in hand; 0 for none."""
        now = time.monotonic()
        with self._lock:
            return now - min(self._begun.values(), default=now)


def on_signals(acts: Mapping[int, Callable[[], object]]) -> None:
    """Call what belongs to a signal, in a thread of its own, whenever it comes. To be called from the main thread.

    Only signals that have a handler of Python's are heard.
    """
    heard, written = os.pipe()
    os.set_blocking(written, False)
    signal.set_wakeup_fd(written, warn_on_full_buffer=False)

    def listen() -> None:
        while True:
            act = acts.get(os.read(heard, 1)[0])
            if act is not None:
                act()

    threading.Thread(target=listen, name="signal-watch", daemon=True).start()
