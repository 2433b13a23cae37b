"""The in-memory read model of every marker, kept in step with the store's change stream.

Holds markers of every state: which of them are in force is asked at the moment of a check.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Iterable
from datetime import date, datetime
from typing import Final

from shapely import Point as ShapelyPoint
from shapely import from_wkt

from markers.collector import collector_paused
from markers.homes import MarkedHomes
from markers.model import LONDON, PROOF_OF_LIFE, Marker, Premises
from markers.shapes import Shapes
from markers.shelved import Readings

_REMEMBERED: Final = 10_000


class MarkerIndex:
    """Markers by id, home, UPRN, telephone number and place.

    `points` are the positions of marked homes by category, `unaddressed` those of markers placed by position alone,
    `without_position` homes that nobody has placed on the map.
    `position` is the change of the store that this copy includes. Hold `lock` while reading position and
    matching, so that both speak of the same moment.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.position = -1
        self._clear()

    def _clear(self) -> None:
        self._markers: dict[str, Marker] = {}
        self._by_uprn: dict[str, set[str]] = defaultdict(set)
        self._by_phone: dict[str, set[str]] = defaultdict(set)
        self._by_postcode: dict[str, set[str]] = defaultdict(set)
        self.homes = MarkedHomes()
        self.zones = Shapes()
        self.points: dict[str, Shapes] = defaultdict(Shapes)
        self.unaddressed = Shapes()
        self.without_position: set[str] = set()
        self._lapsing: dict[str, datetime] = {}
        self._news: deque[tuple[int, str]] = deque(maxlen=_REMEMBERED)
        self._news_from = self.position

    def __len__(self) -> int:
        return len(self._markers)

    def get(self, marker_id: str) -> Marker | None:
        return self._markers.get(marker_id)

    def all(self) -> tuple[Marker, ...]:
        """Every marker but the one of the proof of life."""
        with self.lock:
            return tuple(marker for marker_id, marker in self._markers.items() if marker_id != PROOF_OF_LIFE)

    def changed_since(self, position: int) -> frozenset[str] | None:
        """Ids of markers that changed after a position this copy was at; None when that is no longer remembered."""
        with self.lock:
            whole = len(self._news) < _REMEMBERED or self._news[0][0] <= position
            if position < self._news_from or not whole:
                return None
            return frozenset(marker_id for at, marker_id in self._news if at > position)

    def period(self, now: datetime) -> tuple[date, int]:
        """The day in London and how many provisional markers have lapsed: while it is the same, no state changes."""
        with self.lock:
            return now.astimezone(LONDON).date(), sum(until <= now for until in self._lapsing.values())

    def with_uprn(self, uprn: str) -> frozenset[str]:
        return frozenset(self._by_uprn.get(uprn, ()))

    def with_phone(self, phone: str) -> frozenset[str]:
        return frozenset(self._by_phone.get(phone, ()))

    def with_postcode(self, postcode: str) -> frozenset[str]:
        return frozenset(self._by_postcode.get(postcode, ()))

    def replace(self, position: int, markers: Iterable[Marker], readings: Readings | None = None) -> None:
        """Start again from a full load of the store; a load slower than the news that came meanwhile is left out.

        `readings`, a gazetteer, saves reading every address that it has.
        """
        with self.lock, collector_paused():
            if position < self.position:
                return
            self._clear()
            homes: dict[str, Premises] = {}
            for marker in markers:
                self._note(marker)
                if marker.place.address:
                    homes[marker.marker_id] = _premises(marker)
            self.homes.fill(homes, readings)
            self.position = self._news_from = position

    def apply(
        self, position: int, changes: Iterable[tuple[str, Marker | None]], readings: Readings | None = None
    ) -> None:
        """Take in the newest state of changed markers; None for one that was deleted. Older news is ignored."""
        with self.lock:
            if position <= self.position:
                return
            for marker_id, marker in changes:
                self._remove(marker_id)
                if marker is not None:
                    self._put(marker, readings)
                if marker_id != PROOF_OF_LIFE:
                    self._news.append((position, marker_id))
            self.position = position

    def _put(self, marker: Marker, readings: Readings | None) -> None:
        self._note(marker)
        if marker.place.address:
            self.homes.put(marker.marker_id, _premises(marker), readings)

    def _note(self, marker: Marker) -> None:
        """Everything of a marker but its home."""
        place = marker.place
        marker_id = marker.marker_id
        self._markers[marker_id] = marker
        if marker.provisional_until is not None:
            self._lapsing[marker_id] = marker.provisional_until
        if place.uprn:
            self._by_uprn[place.uprn].add(marker_id)
        if place.phone:
            self._by_phone[place.phone].add(marker_id)
        if place.postcode:
            self._by_postcode[place.postcode].add(marker_id)
        addressed = bool(place.address or place.uprn)
        if addressed and place.point is None and place.zone_wkt is None:
            self.without_position.add(marker_id)
        if place.zone_wkt:
            self.zones.put(marker_id, from_wkt(place.zone_wkt))
        elif place.point is not None:
            spot = ShapelyPoint(place.point.easting, place.point.northing)
            if place.radius_m:
                self.zones.put(marker_id, spot.buffer(place.radius_m))
            else:
                (self.points[marker.category] if addressed else self.unaddressed).put(marker_id, spot)

    def _remove(self, marker_id: str) -> None:
        marker = self._markers.pop(marker_id, None)
        if marker is None:
            return
        self._lapsing.pop(marker_id, None)
        if marker.place.address:
            self.homes.remove(marker_id)
        if marker.place.uprn:
            self._by_uprn[marker.place.uprn].discard(marker_id)
        if marker.place.phone:
            self._by_phone[marker.place.phone].discard(marker_id)
        if marker.place.postcode:
            self._by_postcode[marker.place.postcode].discard(marker_id)
        self.without_position.discard(marker_id)
        self.zones.remove(marker_id)
        self.points[marker.category].remove(marker_id)
        self.unaddressed.remove(marker_id)


def _premises(marker: Marker) -> Premises:
    """The home a marker is on; one that no gazetteer placed has the marker's own id."""
    place = marker.place
    return Premises(
        premises_id=place.premises_id or marker.marker_id,
        address=place.address or "",
        postcode=place.postcode,
        uprn=place.uprn,
        point=place.point,
    )
