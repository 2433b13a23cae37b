"""The area a store serves, from `config/areas/NAME.toml`: its boundary, its people to ring, its distances."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shapely import get_coordinates, intersects, intersects_xy, prepare, set_coordinates
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from markers.geocoders import GeocoderError, Geocoders
from markers.location import EAST_LIMIT, NORTH_LIMIT, LocationError, to_grid
from markers.matching import Distances
from markers.model import Point
from overlay.area_file import code_in, read_area_file
from overlay.settings import Settings, SettingsError


@dataclass(frozen=True, slots=True)
class Area:
    """One force area. `code` names its keys in the store; `boundary` is in National Grid metres."""

    name: str
    code: str
    title: str
    force: str
    office_hours: str
    on_call: str
    cover: str
    distances: Distances
    boundary: BaseGeometry | None

    def contains(self, point: Point) -> bool:
        return self.boundary is None or bool(intersects_xy(self.boundary, point.easting, point.northing))

    @property
    def extent(self) -> tuple[tuple[str, float], ...]:
        """The sides of the smallest box around it, each with its metres; of all the grid where it has no boundary."""
        sides = self.boundary.bounds if self.boundary is not None else (0.0, 0.0, EAST_LIMIT, NORTH_LIMIT)
        return tuple(zip(("west", "south", "east", "north"), sides, strict=True))

    def meets(self, shape: BaseGeometry) -> bool:
        """Whether any of a shape in National Grid metres is in the area."""
        return self.boundary is None or bool(intersects(self.boundary, shape))


def load_area(settings: Settings) -> Area:
    """Raises SettingsError naming the file and the field."""
    folder = settings.config / "areas"
    path, content = read_area_file(settings)
    try:
        area, contacts, distances = content["area"], content["contacts"], content.get("distances", {})
        code = code_in(path, area)
        boundary = area.get("boundary")
        return Area(
            name=area["name"],
            code=code,
            title=area["title"],
            force=area["force"],
            office_hours=contacts["office_hours"],
            on_call=contacts["on_call"],
            cover=contacts["cover"],
            distances=Distances(**{name: float(value) for name, value in distances.items()}),
            boundary=_read_boundary(folder / boundary) if boundary else None,
        )
    except KeyError as error:
        raise SettingsError(f"{path}: {error.args[0]} is missing.") from error
    except (TypeError, ValueError, OSError, LocationError) as error:
        raise SettingsError(f"{path}: {error}.") from error


def load_geocoders(settings: Settings) -> Geocoders:
    """The area file's `[[geocoders]]`, none where there are none. Raises SettingsError naming file and entry.

    They are the area's, like its boundary and distances; `overlay.toml` holds what an environment variable can.
    """
    path, content = read_area_file(settings)
    try:
        return Geocoders.read(content.get("geocoders", []))
    except GeocoderError as error:
        raise SettingsError(f"{path}: {error}") from error


def _read_boundary(path: Path) -> BaseGeometry:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    features = content["features"] if content["type"] == "FeatureCollection" else [content]
    outline: BaseGeometry = shape(features[0]["geometry"])
    if max(abs(value) for value in outline.bounds) > 400:
        prepare(outline)
        return outline
    points = [to_grid(float(longitude), float(latitude)) for longitude, latitude in get_coordinates(outline)]
    in_metres: BaseGeometry = set_coordinates(outline, [(point.easting, point.northing) for point in points])
    prepare(in_metres)
    return in_metres
