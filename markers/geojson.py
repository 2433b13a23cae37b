"""A zone given as GeoJSON (RFC 7946: longitude and latitude in WGS84), put into National Grid metres."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from shapely import get_coordinates, set_coordinates
from shapely.errors import ShapelyError
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from markers.location import to_grid


class GeoJsonError(ValueError):
    """Text that is no usable GeoJSON; the message says what was wrong."""


def read_geojson(text: str) -> BaseGeometry:
    """Its one geometry in National Grid metres. Raises GeoJsonError, and LocationError for a corner outside the grid.

    A Feature, or a FeatureCollection of one, is read as what it holds; heights are dropped.
    """
    try:
        content: Any = json.loads(text)
        if content["type"] == "FeatureCollection":
            (content,) = content["features"]
        if content["type"] == "Feature":
            content = content["geometry"]
        outline: BaseGeometry = shape(content)
        corners = get_coordinates(outline)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError, ShapelyError) as error:
        raise GeoJsonError("is not GeoJSON with one polygon. Give a Polygon, or a Feature that holds one.") from error
    if not len(corners):
        return outline
    if len(corners) > 10_000:
        raise GeoJsonError(f"has {len(corners):,} corners. Give an outline of 10,000 at most.")
    if not np.isfinite(corners).all() or (abs(corners) > (180, 90)).any():
        raise GeoJsonError("is not in longitude and latitude (RFC 7946). Give degrees, or well-known text in metres.")
    points = [to_grid(float(longitude), float(latitude)) for longitude, latitude in corners]
    moved: BaseGeometry = set_coordinates(outline, [(point.easting, point.northing) for point in points])
    return moved
