"""Every marker in the order of its next review, for pages that list and search them."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import date, datetime

from markers.index import MarkerIndex
from markers.model import Marker, State

PAGE = 50


@dataclass(frozen=True, slots=True)
class Search:
    """What a list is asked for. `words` must all occur; `state` is a state, `live`, `due` or empty for all."""

    words: str = ""
    category: str = ""
    owner: str = ""
    state: str = "live"
    page: int = 1


@dataclass(frozen=True, slots=True)
class Row:
    """One marker and the words it is found by."""

    marker: Marker
    words: str


class Listing:
    """Rows of all markers, put in order again when markers have changed. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[str, Row] = {}
        self._ordered: list[Row] = []
        self._of: tuple[int, int] | None = None

    def rows(self, index: MarkerIndex) -> list[Row]:
        """All of them, the one due first in front."""
        with self._lock:
            of = (id(index), index.position)
            if of != self._of:
                with index.lock:
                    markers, of = index.all(), (id(index), index.position)
                known = self._rows
                self._rows = {
                    marker.marker_id: row
                    if (row := known.get(marker.marker_id)) is not None and row.marker is marker
                    else Row(marker, _words(marker))
                    for marker in markers
                }
                self._ordered = sorted(self._rows.values(), key=_due)
                self._of = of
            return self._ordered


def found(rows: list[Row], search: Search, now: datetime, today: date) -> list[Marker]:
    """The markers a search finds, in the order of the rows."""
    words = search.words.casefold().split()
    owner = search.owner.casefold()
    return [
        row.marker
        for row in rows
        if (not search.category or row.marker.category == search.category)
        and all(word in row.words for word in words)
        and (not owner or row.marker.owner.casefold() == owner)
        and _in_state(row.marker, search.state, now, today)
    ]


def overdue(marker: Marker, today: date) -> bool:
    """Whether its review has passed."""
    return marker.review_on < today


def _in_state(marker: Marker, state: str, now: datetime, today: date) -> bool:
    if not state:
        return True
    stands = marker.state_at(now)
    if state == "live":
        return not stands.over
    if state == "due":
        return stands is State.IN_FORCE and overdue(marker, today)
    return stands.value == state


def _due(row: Row) -> tuple[date, str]:
    return row.marker.review_on, row.marker.reference


def _words(marker: Marker) -> str:
    place = marker.place
    parts = (
        *(marker.reference, marker.category.replace("_", " "), marker.headline, marker.owner),
        *(place.address, place.postcode, place.uprn, place.phone),
    )
    return "\n".join(part for part in parts if part).casefold()
