"""What changed, told to whoever keeps a stream open: ids and one word for the store, never content or counts.

One thread a worker looks at the copies that follow the store, writes each message once and wakes the streams, a few at
a time. Clients ask again for what they may see, under their own role.
"""

from __future__ import annotations

import json
import math
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, Self

import structlog

from overlay.identity import Standing

log = structlog.get_logger()

BEAT_S: Final = 2.0
_LOOK_S: Final = 0.25  # how soon is noticed what nobody announced: the store's silence, a session ended here
_GATHER_S: Final = 0.03  # what changes within it is told together
_AT_ONCE: Final = 5  # streams woken together, so that a check never queues behind all of them
_PAUSE_S: Final = 0.002
_MOST_IDS: Final = 500  # with more than these changed it is cheaper to load everything again
_SHARE: Final = 8  # of the places, one person or program gets an eighth, and four at least
_MARK: Final = re.compile(r"(\d{1,18})-(\d{1,18})(?:-(\d{1,18}))?", re.ASCII)


class TooManyStreams(Exception):
    """Every place for a stream is taken, or all that one person or program may have."""

    def __init__(self) -> None:
        super().__init__("As many live connections are open as this service keeps. Everything else goes on as usual.")


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a client has been told: the positions of incidents and markers.

    `accepted` is where a person accepted a restored store: positions of another one say nothing.
    """

    incidents: int
    markers: int
    accepted: int = 0

    def __str__(self) -> str:
        return f"{self.incidents}-{self.markers}" + (f"-{self.accepted}" if self.accepted else "")

    @classmethod
    def read(cls, text: str) -> Self | None:
        """The inverse of `str`; None for anything else."""
        found = _MARK.fullmatch(text)
        return cls(*(int(part or 0) for part in found.groups())) if found else None

    def ahead_of(self, other: Mark) -> bool:
        return self.incidents > other.incidents or self.markers > other.markers


@dataclass(frozen=True, slots=True)
class Sight:
    """What this process knows now: how far its copies are, and the store's state as a word."""

    mark: Mark
    access: int
    store: str


class Source(Protocol):
    """What a feed tells of."""

    def now(self) -> datetime: ...

    def sight(self) -> Sight: ...

    def news(self, after: int) -> tuple[int, frozenset[str] | None]:
        """As `IncidentBook.news`."""


def message(event: str, mark: Mark, **data: object) -> bytes:
    """One event as it is sent."""
    return f"event: {event}\nid: {mark}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


def changed(before: Mark, after: Mark, ids: frozenset[str] | None) -> bytes:
    """What a client that was told up to `before` has to hear; `ids` is None when that is no longer remembered."""
    if ids is None or len(ids) > _MOST_IDS or before.accepted != after.accepted or before.ahead_of(after):
        return message("reload", after)
    told = b""
    if ids:
        # Its id leaves the markers where they were: cut off between the two, a client misses neither.
        told += message("incidents", Mark(after.incidents, before.markers, after.accepted), ids=sorted(ids))
    if before.markers != after.markers:
        told += message("markers", after)
    return told


@dataclass(frozen=True, slots=True)
class _Told:
    """The message of the newest round, for all who were told up to `before`."""

    before: Mark
    after: Mark
    message: bytes


class Feed:
    """The streams of one worker. Safe to share between threads; `start` begins to wake them."""

    def __init__(self, source: Source, places: int) -> None:
        self._source = source
        self._places = places
        self._each = max(4, places // _SHARE)
        self._taken: Counter[str] = Counter()
        self._wake = threading.Condition()
        self._round = 0
        self._moved = threading.Event()
        self._told: _Told | None = None
        self.closed = False

    @property
    def open_streams(self) -> int:
        with self._wake:
            return self._taken.total()

    def start(self) -> None:
        """Wake the streams from now on whenever something changed."""
        threading.Thread(target=self._run, name="feed", daemon=True).start()

    def moved(self) -> None:
        """Something may have changed: look at once."""
        self._moved.set()

    def close(self) -> None:
        """End every stream."""
        self.closed = True
        self._moved.set()
        with self._wake:
            self._wake.notify_all()

    def check_room(self, whose: str) -> None:
        """Raises TooManyStreams if there is no place for another stream of this person or program."""
        with self._wake:
            if self._taken.total() >= self._places or self._taken[whose] >= self._each:
                raise TooManyStreams

    def stream(
        self, whose: str, after: str | None, stands: Callable[[datetime], Standing], longest_s: float = math.inf
    ) -> Stream:
        """A stream from the id last received, or from now; `longest_s` ends it. Raises TooManyStreams."""
        with self._wake:
            self.check_room(whose)
            self._taken[whose] += 1
        return Stream(self._messages(after, stands, longest_s), lambda: self._leave(whose))

    def since(self, mark: Mark | None) -> tuple[Mark, bytes]:
        """How far this process is, and what a client told up to `mark` (None: nobody knows) has to hear."""
        now = self._source.sight().mark
        if mark is None:
            return now, message("reload", now)
        told = self._told
        if told is not None and (told.before, told.after) == (mark, now):
            return now, told.message
        position, ids = self._source.news(mark.incidents)
        reached = Mark(position, now.markers, now.accepted)
        return reached, changed(mark, reached, ids)

    def _messages(self, after: str | None, stands: Callable[[datetime], Standing], longest_s: float) -> Iterator[bytes]:
        began = time.monotonic()
        ends = began + longest_s
        mark = self._source.sight().mark
        missed = b""
        if after is not None:
            mark, missed = self.since(Mark.read(after))
        beat_at, store = began, ""
        while True:
            round_seen = self._round
            now, clock = self._source.now(), time.monotonic()
            standing = stands(now)
            because = "restart" if self.closed else standing.over
            if because is not None:
                yield message("ended", mark, because=because)
                return
            sight = self._source.sight()
            if sight.mark != mark:
                mark, more = self.since(mark)
                missed += more
            if clock >= beat_at or sight.store != store:
                missed += message("store", mark, state=sight.store)
                # Drawn anew each time: streams that were opened together do not beat together.
                beat_at, store = clock + BEAT_S * random.uniform(0.8, 1.0), sight.store  # noqa: S311 - nothing secret
            if missed:
                yield missed
                missed = b""
            if clock >= ends:
                return
            until = clock + (standing.until - now).total_seconds()
            self._wait(round_seen, min(beat_at, ends, until))

    def _wait(self, round_seen: int, until: float) -> None:
        left = until - time.monotonic()
        with self._wake:
            if left > 0 and self._round == round_seen and not self.closed:
                self._wake.wait(left)

    def _leave(self, whose: str) -> None:
        with self._wake:
            self._taken[whose] -= 1
            if self._taken[whose] <= 0:
                del self._taken[whose]

    def _run(self) -> None:
        seen = self._source.sight()
        while not self.closed:
            self._moved.wait(_LOOK_S)
            self._moved.clear()
            try:
                if self._source.sight() != seen:
                    time.sleep(_GATHER_S)
                    seen = self._tell(seen)
            except Exception as error:
                # Without this thread the streams would hear of changes with their next beat only.
                log.error("feed_failed", kind=type(error).__name__)
                time.sleep(_LOOK_S)

    def _tell(self, seen: Sight) -> Sight:
        """Write what changed since, once, and wake the streams a few at a time."""
        sight = self._source.sight()
        position, ids = self._source.news(seen.mark.incidents)
        after = Mark(position, sight.mark.markers, sight.mark.accepted)
        self._told = _Told(seen.mark, after, changed(seen.mark, after, ids))
        with self._wake:
            self._round += 1
            rounds = -(-self._taken.total() // _AT_ONCE)
        for _ in range(rounds):
            with self._wake:
                self._wake.notify(_AT_ONCE)
            time.sleep(_PAUSE_S)
        return Sight(after, sight.access, sight.store)


class Stream:
    """The bytes of one stream. Its place is given back when it ends, is closed or is let go of."""

    def __init__(self, messages: Iterator[bytes], leave: Callable[[], None]) -> None:
        self._messages = messages
        self._leave: Callable[[], None] | None = leave

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._messages)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the place back, once."""
        leave, self._leave = self._leave, None
        if leave is not None:
            leave()

    def __del__(self) -> None:
        self.close()
