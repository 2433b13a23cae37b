"""Putting markers on their known homes: one, or those of a list, on every core."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from itertools import islice
from typing import TypeVar

from markers.helpers import HelperLostError
from markers.model import Marker, Place, Premises
from markers.placing import Found, Placing, holds, placing_helpers
from overlay.services import Services

_CHUNK = 100
_WORTH_HELPERS = 5_000
"""Fewer rows than this are placed before helper processes would have started."""
_Other = TypeVar("_Other")


def place_on_gazetteer(services: Services, marker: Marker) -> Marker:
    """Note which known home a marker's place is, and where that stands, when there is exactly one it can be."""
    return _Here(services).place(marker)


def placed(
    services: Services, rows: Iterable[Marker | _Other], expected: int, patience_s: float | None = None
) -> Iterator[Marker | _Other | None]:
    """The rows of a list in their order, each marker on its known home; what is no marker comes as it is.

    `expected` is about how many there are: many are placed ahead on every core. With `patience_s` None comes whenever
    the next one was waited for so long, for who has something else to do meanwhile.
    """
    here = _Here(services)
    cores = len(os.sched_getaffinity(0))
    if expected < _WORTH_HELPERS or cores == 1 or not services.gazetteer.count:
        for row in rows:
            yield here.place(row) if isinstance(row, Marker) else row
        return
    source = iter(rows)
    with placing_helpers(services.gazetteer.folder, cores) as ask, ThreadPoolExecutor(cores) as threads:
        waiting: deque[tuple[list[Marker | _Other], Future[list[Found]]]] = deque()
        while True:
            while len(waiting) < 2 * cores and (chunk := list(islice(source, _CHUNK))):
                places = [row.place if isinstance(row, Marker) else None for row in chunk]
                waiting.append((chunk, threads.submit(ask, places)))
            if not waiting:
                return
            chunk, asked = waiting[0]
            if patience_s is not None and not wait((asked,), patience_s).done:
                yield None
                continue
            waiting.popleft()
            for row, found in zip(chunk, _found(asked, len(chunk)), strict=True):
                yield here.place(row, found) if isinstance(row, Marker) else row


def _found(asked: Future[list[Found]], count: int) -> Sequence[Found | None]:
    """What a helper found; nothing where it is gone."""
    try:
        return asked.result()
    except HelperLostError:
        return [None] * count


def _on(place: Place, home: Premises) -> Place:
    return replace(
        place,
        address=place.address or home.address or None,
        premises_id=home.premises_id,
        postcode=place.postcode or home.postcode,
        point=place.point or home.point,
    )


class _Here:
    """Places in this process, where the marked homes are."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._placing: Placing | None = None
        self._of: tuple[object, object] | None = None

    def place(self, marker: Marker, found: Found | None = None) -> Marker:
        """The marker on its home: the one that was found, or where that need not hold, the one found here."""
        if found is None or not holds(found, self._services.index.homes):
            found = self._ready().home_of(marker.place)
        home = found[0]
        return marker if home is None else replace(marker, place=_on(marker.place, home))

    def _ready(self) -> Placing:
        now = self._services.gazetteer, self._services.index.homes
        if self._placing is None or self._of != now:
            self._placing, self._of = Placing(*now), now
        return self._placing
