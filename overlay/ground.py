"""What a map shows beneath the markers: the area's outline and the gazetteer's homes and streets. No marker is in it.

No tiles are asked of another host: who looks at which street would be told to it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from shapely import get_parts
from shapely.geometry.base import BaseGeometry

from markers.gazetteer import Gazetteer

MOST_HOMES = 2_500


@dataclass(frozen=True, slots=True)
class Box:
    """A part of the map in National Grid metres."""

    west: float
    south: float
    east: float
    north: float


@dataclass(frozen=True, slots=True)
class Ground:
    """`homes` are easting, northing and number or name; `streets` a name where its homes are; `more` were left out."""

    homes: tuple[tuple[float, float, str], ...]
    streets: tuple[tuple[float, float, str], ...]
    more: int


def ground(gazetteer: Gazetteer, box: Box) -> Ground:
    """The homes of a part of the map, or none of more than a map can show."""
    records = gazetteer.within(box.west, box.south, box.east, box.north)
    if len(records) > MOST_HOMES:
        return Ground((), (), len(records))
    homes: list[tuple[float, float, str]] = []
    streets: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for record in records:
        home, written = gazetteer.known(record)
        if home.point is None:
            continue
        at = home.point.easting, home.point.northing
        homes.append((*at, home.address))
        street = " ".join(written.readings[0].street).title() if written.readings else ""
        if street:
            streets[street].append(at)
    named = ((*_middle(points), name) for name, points in streets.items())
    return Ground(tuple(homes), tuple(sorted(named, key=lambda one: one[2])), 0)


def outline(boundary: BaseGeometry | None) -> list[list[list[float]]]:
    """The outer rings of an area's boundary, each a list of easting and northing."""
    if boundary is None:
        return []
    return [
        [[round(east, 1), round(north, 1)] for east, north, *_ in part.exterior.coords] for part in get_parts(boundary)
    ]


def _middle(points: list[tuple[float, float]]) -> tuple[float, float]:
    """The home nearest the middle of them: a bent street's name stands on the street."""
    east, north = (sum(values) / len(points) for values in zip(*points, strict=True))
    return min(points, key=lambda at: (at[0] - east) ** 2 + (at[1] - north) ** 2)
