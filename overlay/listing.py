"""Every marker in the order of its next review, for pages that list and search them."""

from __future__ import annotations

import threading
from bisect import bisect_left, insort
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from markers.index import MarkerIndex
from markers.model import Marker, State

PAGE = 50
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
        self._others: dict[str, list[Row]] = {}  # in each other order that was asked for
        self._index: MarkerIndex | None = None
        self._position = -1
        self._period: tuple[date, int] | None = None

    def rows(self, index: MarkerIndex, now: datetime, order: str = "review") -> list[Row]:
        """All of them as they are now, in one of the orders of `Search`; the list is not to be changed."""
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
            if order == "review":
                return self._ordered
            if order not in self._others:
                self._others[order] = sorted(self._ordered, key=_OTHER_ORDERS[order])
            return self._others[order]

    def _fill(self, markers: tuple[Marker, ...], now: datetime) -> None:
        known = self._rows
        self._rows = {
            marker.marker_id: row
            if (row := known.get(marker.marker_id)) is not None and row.marker is marker
            else _row(marker, now)
            for marker in markers
        }
        self._ordered = sorted(self._rows.values(), key=_key)
        self._others.clear()

    def _take_in(self, changed: dict[str, Marker | None], now: datetime) -> None:
        # Copies: whoever was given the old lists goes on reading them.
        lists: list[tuple[list[Row], Callable[[Row], tuple[Any, ...]]]] = [(self._ordered.copy(), _key)]
        lists += [(rows.copy(), _OTHER_ORDERS[order]) for order, rows in self._others.items()]
        for marker_id, marker in changed.items():
            old = self._rows.pop(marker_id, None)
            new = _row(marker, now) if marker is not None else None
            for rows, key in lists:
                if old is not None:
                    del rows[bisect_left(rows, key(old), key=key)]
                if new is not None:
                    insort(rows, new, key=key)
            if new is not None:
                self._rows[marker_id] = new
        self._ordered = lists[0][0]
        self._others = {order: rows for order, (rows, _) in zip(self._others, lists[1:], strict=True)}


def found(rows: list[Row], search: Search, today: date) -> list[Marker]:
    """The markers a search finds, in the order of the rows, which is the search's."""
    state = search.state
    if state == "live":
        rows = [row for row in rows if not row.over]
    elif state == "due":
        if search.order == "review":
            rows = rows[: bisect_left(rows, (today, "", ""), key=_key)]
        rows = [row for row in rows if row.state is State.IN_FORCE and row.marker.review_on < today]
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


def overdue(marker: Marker, today: date) -> bool:
    """Whether its review has passed."""
    return marker.review_on < today


def _key(row: Row) -> tuple[Any, ...]:
    return row.key


# Each ends with the marker's id, so that a row is found again by its key.
_OTHER_ORDERS: Final[dict[str, Callable[[Row], tuple[Any, ...]]]] = {
    "reference": lambda row: (row.marker.reference.casefold(), row.marker.marker_id),
    "kind": lambda row: (row.marker.category, *row.key),
    "owner": lambda row: (row.owner, *row.key),
    "changed": lambda row: (-row.marker.recorded_at.timestamp(), row.marker.marker_id),
}


def _row(marker: Marker, now: datetime) -> Row:
    place = marker.place
    parts = (
        *(marker.reference, marker.category.replace("_", " "), marker.headline, marker.owner),
        *(place.address, place.postcode, place.uprn, place.phone),
    )
    words = "\n".join(part for part in parts if part).casefold()
    state = marker.state_at(now)
    return Row(marker, words, marker.owner.casefold(), state, state.over)
