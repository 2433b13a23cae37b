"""The ground a location covers, in National Grid metres: a point, or the hull of where it may be."""

from __future__ import annotations

from collections.abc import Iterable

from shapely import MultiPoint
from shapely import Point as ShapelyPoint
from shapely.geometry.base import BaseGeometry

from markers.address import read_address
from markers.gazetteer import Gazetteer
from markers.model import Point, Premises
from markers.resolve import Resolution

_MOST_OF_A_STREET = 2_000


def of_resolution(resolution: Resolution, postcode: str | None, gazetteer: Gazetteer) -> BaseGeometry | None:
    """The home's point; the homes it may be; else its street and postcode. None where no position is known.

    `postcode` is the one that was given with the address, if any.
    """
    homes = (resolution.home,) if resolution.home is not None else resolution.candidates
    if points := _points(homes):
        return _hull(points)
    if resolution.home is not None:
        postcode = resolution.home.postcode
    elif resolution.understood:
        points = _points(_on_street(resolution.understood, gazetteer))
    if postcode:
        points += _points(gazetteer.in_postcode(postcode))
    return _hull(points)


def of_postcode(postcode: str, gazetteer: Gazetteer) -> BaseGeometry | None:
    """The hull of a postcode's known homes."""
    return _hull(_points(gazetteer.in_postcode(postcode)))


def _on_street(understood: str, gazetteer: Gazetteer) -> list[Premises]:
    phrases = {reading.key for reading in read_address(understood).readings if reading.key}
    return [home for phrase in sorted(phrases) for home in gazetteer.on_phrase(phrase, _MOST_OF_A_STREET)]


def _points(homes: Iterable[Premises]) -> list[Point]:
    return [home.point for home in homes if home.point is not None]


def _hull(points: list[Point]) -> BaseGeometry | None:
    if not points:
        return None
    if len(points) == 1:
        return ShapelyPoint(points[0].easting, points[0].northing)
    return MultiPoint([(point.easting, point.northing) for point in points]).convex_hull
