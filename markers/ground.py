"""The ground a location covers, in National Grid metres: a point, or the hull of where it may be."""

from __future__ import annotations

from collections.abc import Iterable

from geopy.distance import geodesic
from shapely import MultiPoint, get_coordinates
from shapely import Point as ShapelyPoint
from shapely.geometry.base import BaseGeometry
from shapely.ops import nearest_points

from markers.address import read_address
from markers.gazetteer import Gazetteer
from markers.location import to_degrees
from markers.model import LocationError, Point, Premises
from markers.resolve import Resolution

_MOST_OF_A_STREET = 2_000
_BEYOND_A_STREET_M = 100.0


def of_resolution(
    resolution: Resolution, postcode: str | None, gazetteer: Gazetteer, spread_m: float
) -> BaseGeometry | None:
    """The home's point; the homes it may be; else its street and postcode. None where no position is known.

    `postcode` is the one that was given with the address, if any. Only the point of a home, or of homes that all
    stand there, is bare: what many homes span reaches `spread_m` beyond their middles, and a home that is not on record
    may stand beyond the last known one of its street.
    """
    homes = (resolution.home,) if resolution.home is not None else resolution.candidates
    if points := _points(homes):
        hull = _hull(points)
        return hull if isinstance(hull, ShapelyPoint) else _spread(hull, spread_m)
    if resolution.home is not None:
        postcode = resolution.home.postcode
    elif resolution.understood:
        points = _on_street(resolution.understood, gazetteer)
        spread_m += _BEYOND_A_STREET_M if resolution.decidable else 0.0
    if postcode:
        points += gazetteer.points_in_postcode(postcode)
    return _spread(_hull(points), spread_m)


def of_postcode(postcode: str, gazetteer: Gazetteer, spread_m: float) -> BaseGeometry | None:
    """The hull of a postcode's known homes and `spread_m` round it: one known home is a circle, not a dot."""
    return _spread(_hull(gazetteer.points_in_postcode(postcode)), spread_m)


def metres_apart(area: BaseGeometry, other: BaseGeometry) -> float:
    """How far apart a person would measure two pieces of ground: metres along the WGS 84 ellipsoid (geodesic).

    Decisions use grid metres, whose scale is up to 0.04 % off; a point the grid's transformation does not cover
    is measured so too.
    """
    here, there = (Point(*get_coordinates(point)[0]) for point in nearest_points(area, other))
    try:
        ends = [(latitude, longitude) for longitude, latitude in (to_degrees(here), to_degrees(there))]
    except LocationError:
        return float(area.distance(other))
    return float(geodesic(*ends).m)


def _spread(hull: BaseGeometry | None, spread_m: float) -> BaseGeometry | None:
    return hull.buffer(spread_m) if hull is not None and spread_m > 0 else hull


def _on_street(understood: str, gazetteer: Gazetteer) -> list[Point]:
    phrases = {reading.key for reading in read_address(understood).readings if reading.key}
    return [point for phrase in sorted(phrases) for point in gazetteer.points_on_phrase(phrase, _MOST_OF_A_STREET)]


def _points(homes: Iterable[Premises]) -> list[Point]:
    return [home.point for home in homes if home.point is not None]


def _hull(points: list[Point]) -> BaseGeometry | None:
    if not points:
        return None
    return MultiPoint([(point.easting, point.northing) for point in points]).convex_hull
