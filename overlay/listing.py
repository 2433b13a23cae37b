"""Every marker in the order of its next review, for pages that list and search them."""

from __future__ import annotations

import threading
from bisect import bisect_left, insort
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from heapq import nsmallest
from typing import Any, Final

from markers.index import MarkerIndex
from markers.model import Marker, State

PAGE = 50
_FEW_SORTED = 1_000
_ORDERS: Final[dict[str, Callable[[Marker], Any]]] = {
    "reference": lambda marker: (marker.reference.casefold(), marker.marker_id),
    "kind": lambda marker: (marker.category, marker.review_on, marker.reference),
    "owner": lambda marker: (marker.owner.casefold(), marker.review_on, marker.reference),
    "changed": lambda marker: (-marker.recorded_at.timestamp(), marker.reference),
}
_ONE_BY_ONE = 500


@dataclass(frozen=True, slots=True)
class Search:
    """What a list is asked for. `words` must all occur; `state` is a state, `live`, `due` or empty for all.

    `order` is one of `review`, `reference`, `kind`, `owner` and `changed` (the latest first).
    """

    words: str = ""
    category: str = ""
    owner: str = ""
    state: str = "live"
    order: str = "review"
    page: int = 1


@dataclass(slots=True)
class Row:
    """One marker, the words it is found by, and the state it is in in the listing's period (`over` is the state's)."""

    marker: Marker
    words: str
    owner: str
    state: State
    over: bool

    @property
    def key(self) -> tuple[date, str, str]:
        return self.marker.review_on, self.marker.reference, self.marker.marker_id


class Listing:
    """Rows of all markers, the one due first in front. Safe to share between threads.

    States change with the markers and with `MarkerIndex.period` alone, so they are computed then and not when asked.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[str, Row] = {}
        self._ordered: list[Row] = []
        self._index: MarkerIndex | None = None
        self._position = -1
        self._period: tuple[date, int] | None = None

    def rows(self, index: MarkerIndex, now: datetime) -> list[Row]:
        """All of them as they are now; the list is not to be changed."""
        with self._lock:
            period = index.period(now)
            with index.lock:
                position = index.position
                changed = index.changed_since(self._position) if self._index is index else None
                if changed is None or len(changed) > _ONE_BY_ONE:
                    self._fill(index.all(), now)
                elif changed:
                    self._take_in({marker_id: index.get(marker_id) for marker_id in changed}, now)
            if period != self._period:
                for row in self._ordered:
                    row.state = row.marker.state_at(now)
                    row.over = row.state.over
            self._index, self._position, self._period = index, position, period
            return self._ordered

    def _fill(self, markers: tuple[Marker, ...], now: datetime) -> None:
        known = self._rows
        self._rows = {
            marker.marker_id: row
            if (row := known.get(marker.marker_id)) is not None and row.marker is marker
            else _row(marker, now)
            for marker in markers
        }
        self._ordered = sorted(self._rows.values(), key=_key)

    def _take_in(self, changed: dict[str, Marker | None], now: datetime) -> None:
        ordered = self._ordered.copy()  # whoever was given the old list goes on reading it
        for marker_id, marker in changed.items():
            old = self._rows.pop(marker_id, None)
            if old is not None:
                del ordered[bisect_left(ordered, _key(old), key=_key)]
            if marker is not None:
                self._rows[marker_id] = row = _row(marker, now)
                insort(ordered, row, key=_key)
        self._ordered = ordered


def found(rows: list[Row], search: Search, today: date) -> list[Marker]:
    """The markers a search finds, in the order of the rows."""
    state = search.state
    if state == "live":
        rows = [row for row in rows if not row.over]
    elif state == "due":
        late = rows[: bisect_left(rows, (today, "", ""), key=_key)]
        rows = [row for row in late if row.state is State.IN_FORCE]
    elif state:
        wanted = State(state)
        rows = [row for row in rows if row.state is wanted]
    if search.category:
        rows = [row for row in rows if row.marker.category == search.category]
    if search.owner:
        owner = search.owner.casefold()
        rows = [row for row in rows if row.owner == owner]
    for word in search.words.casefold().split():
        rows = [row for row in rows if word in row.words]
    return [row.marker for row in rows]


def page_of(markers: list[Marker], order: str, page: int) -> tuple[Marker, ...]:
    """One page of them in an order; they come in that of their review."""
    begin, end = (page - 1) * PAGE, page * PAGE
    key = _ORDERS.get(order)
    if key is None:
        return tuple(markers[begin:end])
    # The first pages are what people read: to sort 100,000 for them takes four times as long.
    ordered = nsmallest(end, markers, key=key) if end <= _FEW_SORTED else sorted(markers, key=key)
    return tuple(ordered[begin:end])


def overdue(marker: Marker, today: date) -> bool:
    """Whether its review has passed."""
    return marker.review_on < today


def _key(row: Row) -> tuple[date, str, str]:
    return row.key


def _row(marker: Marker, now: datetime) -> Row:
    place = marker.place
    parts = (
        *(marker.reference, marker.category.replace("_", " "), marker.headline, marker.owner),
        *(place.address, place.postcode, place.uprn, place.phone),
    )
    words = "\n".join(part for part in parts if part).casefold()
    state = marker.state_at(now)
    return Row(marker, words, marker.owner.casefold(), state, state.over)
