"""Writes the neighbourhood out as the files a force would bring: a gazetteer, a list of markers, a map."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from convertbng.cutil import convert_lonlat
from shapely.geometry import LineString, Polygon
from shapely.geometry.polygon import orient

from overlay.quillmarket.town import Neighbourhood

GAZETTEER_COLUMNS = ("uprn", "address", "postcode", "easting", "northing")
MARKER_COLUMNS = (
    "reference", "category", "address", "postcode", "uprn", "easting", "northing", "longitude", "latitude", "zone_wkt",
    "radius_m", "phone", "headline", "action", "owner", "owner_contact", "starts_on", "review_on", "ends_on", "source",
    "source_reference",
)  # fmt: skip
_DATES = ("starts_on", "review_on", "ends_on")


def write_gazetteer_csv(neighbourhood: Neighbourhood, path: Path) -> None:
    """The columns of `overlay gazetteer load`, UTF-8, a row a premises; four narrowboats have no UPRN."""
    rows = (
        {
            "uprn": home.uprn or "",
            "address": home.address,
            "postcode": home.postcode or "",
            "easting": f"{home.point.easting:.2f}" if home.point else "",
            "northing": f"{home.point.northing:.2f}" if home.point else "",
        }
        for home in neighbourhood.homes
    )
    _write_csv(path, GAZETTEER_COLUMNS, rows)


def write_markers_csv(neighbourhood: Neighbourhood, path: Path, today: date) -> None:
    """The columns of `overlay markers import`, dates counted from `today`."""
    _write_csv(path, MARKER_COLUMNS, marker_rows(neighbourhood, today))


def marker_rows(neighbourhood: Neighbourhood, today: date) -> tuple[dict[str, str], ...]:
    """The rows of `write_markers_csv`, every column present, dates ISO 8601."""
    return tuple(
        {column: row.get(column, "") for column in MARKER_COLUMNS}
        | {column: (today + timedelta(days=int(row[column]))).isoformat() for column in _DATES}
        for row in neighbourhood.markers
    )


def write_geojson(neighbourhood: Neighbourhood, folder: Path) -> None:
    """`boundary.geojson`, `buildings.geojson` and `streets.geojson` (RFC 7946, WGS 84). No marker is in them."""
    folder.mkdir(parents=True, exist_ok=True)
    features = {
        "boundary": [_feature("Quillmarket", neighbourhood.boundary)],
        "buildings": [_feature(name, shape) for name, shape in neighbourhood.footprints.items()],
        "streets": [_feature(name, shape) for name, shape in neighbourhood.streets.items()],
    }
    for name, listed in features.items():
        text = json.dumps({"type": "FeatureCollection", "features": listed}, ensure_ascii=False)
        (folder / f"{name}.geojson").write_text(
            text.replace('{"type": "Feature"', '\n{"type": "Feature"') + "\n", "utf-8"
        )


def _feature(name: str, shape: Polygon | LineString) -> dict[str, Any]:
    coordinates: list[Any] = [_lonlat(orient(shape).exterior)] if isinstance(shape, Polygon) else _lonlat(shape)
    return {
        "type": "Feature",
        "properties": {"name": name, "note": "Invented"},
        "geometry": {"type": shape.geom_type, "coordinates": coordinates},
    }


def _lonlat(line: LineString) -> list[list[float]]:
    """Positions in degrees; seven decimals are about a centimetre."""
    longitudes, latitudes = convert_lonlat([x for x, _ in line.coords], [y for _, y in line.coords])
    return [[round(float(x), 7), round(float(y), 7)] for x, y in zip(longitudes, latitudes, strict=True)]


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
