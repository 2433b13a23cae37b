"""Markers on a map: each by itself where few are in view, otherwise how many stand where. Logged before it is shown.

Who may only learn figures is shown counts of fixed half-kilometre squares, and of fewer than five no number: a count
that follows the view could be narrowed down to one home.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from shapely import from_wkt, get_parts

from markers.ledger import RecordSeen
from markers.model import LONDON, Marker
from overlay.ground import Box
from overlay.listing import Search, found
from overlay.lookup import NothingDisclosed
from overlay.roles import Actor
from overlay.services import Services
from overlay.upkeep.desk import LISTED, may_see_whole
from overlay.viewing import look_logged

MOST_SINGLE = 150
FEWEST_TOLD = 5
SQUARE_M = 500
_ACROSS = 12  # clusters from side to side of the view
_TRIES = 8

Ring = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Cluster:
    """How many markers stand about a point; None where that is fewer than may be told."""

    easting: float
    northing: float
    count: int | None


@dataclass(frozen=True, slots=True)
class Mapped:
    """One marker where it stands: its circle's radius or its area's outlines, as far as it has them."""

    marker: Marker
    easting: float
    northing: float
    rings: tuple[Ring, ...]


@dataclass(frozen=True, slots=True)
class MapView:
    """What a part of the map shows; `nowhere` are the markers found that have no place on a map."""

    clusters: tuple[Cluster, ...]
    markers: tuple[Mapped, ...]
    here: int
    nowhere: int


def view_map(services: Services, actor: Actor, search: Search, box: Box, now: datetime) -> MapView:
    """The markers a search finds in a part of the map.

    Raises NotAllowedAnyMore, NothingDisclosed, `StoreUnavailable`.
    """
    today = now.astimezone(LONDON).date()
    whole = frozenset(code for code in services.categories if may_see_whole(services, actor, code))
    for _ in range(_TRIES):
        at = {"markers": services.index.position}
        rows = services.listing.rows(services.index, now, search.order)
        markers = [m for m in found(rows, search, today) if m.category in whole]
        placed = [(where, marker) for marker in markers if (where := stands(marker)) is not None]
        here = [(where, marker) for where, marker in placed if _inside(where, box)]
        nowhere = len(markers) - len(placed)
        if len(here) > MOST_SINGLE:
            return MapView(tuple(_clusters(here, box)), (), len(here), nowhere)
        single = tuple(Mapped(marker, *where, rings_of(marker)) for where, marker in here)
        records = tuple(RecordSeen(one.marker.marker_id, one.marker.version, None, LISTED) for one in single)
        if look_logged(services, actor, "marker_map", records, at, now):
            return MapView((), single, len(here), nowhere)
    raise NothingDisclosed("Markers are changing faster than this page can follow. Open it again.")


def figures(services: Services, now: datetime) -> tuple[Cluster, ...]:
    """How many live markers stand in each half-kilometre square of the grid, of fewer than five no number."""
    rows = services.listing.rows(services.index, now)
    squares: Counter[tuple[int, int]] = Counter()
    for row in rows:
        where = None if row.over else stands(row.marker)
        if where is not None:
            squares[int(where[0] // SQUARE_M), int(where[1] // SQUARE_M)] += 1
    return tuple(
        Cluster((east + 0.5) * SQUARE_M, (north + 0.5) * SQUARE_M, count if count >= FEWEST_TOLD else None)
        for (east, north), count in sorted(squares.items())
    )


def stands(marker: Marker) -> tuple[float, float] | None:
    """Where a marker is on a map: its position, or a point in its area."""
    place = marker.place
    if place.point is not None:
        return place.point.easting, place.point.northing
    return _within(place.zone_wkt) if place.zone_wkt else None


def rings_of(marker: Marker) -> tuple[Ring, ...]:
    """The outer rings of its area, easting and northing."""
    return _rings(marker.place.zone_wkt) if marker.place.zone_wkt else ()


@lru_cache(maxsize=20_000)
def _within(wkt: str) -> tuple[float, float]:
    point = from_wkt(wkt).representative_point()
    return float(point.x), float(point.y)


@lru_cache(maxsize=2_000)
def _rings(wkt: str) -> tuple[Ring, ...]:
    return tuple(
        tuple((round(east, 1), round(north, 1)) for east, north, *_ in part.exterior.coords)
        for part in get_parts(from_wkt(wkt))
    )


def _inside(where: tuple[float, float], box: Box) -> bool:
    return box.west <= where[0] <= box.east and box.south <= where[1] <= box.north


def _clusters(here: list[tuple[tuple[float, float], Marker]], box: Box) -> Iterator[Cluster]:
    side = (box.east - box.west) / _ACROSS
    cells: dict[tuple[int, int], list[tuple[float, float]]] = defaultdict(list)
    for where, _ in here:
        cells[int(where[0] // side), int(where[1] // side)].append(where)
    for points in cells.values():
        yield Cluster(
            sum(east for east, _ in points) / len(points), sum(north for _, north in points) / len(points), len(points)
        )
