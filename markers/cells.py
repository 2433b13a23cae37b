"""One cell's text to a checked value: texts, numbers, UPRNs, positions, zones, telephone numbers.

A spreadsheet changes what it saves: long numbers lose digits ("1.00023E+11"), whole numbers gain ".0". What can
be undone is; what is lost is refused, never guessed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar

from shapely import force_2d, from_wkt, get_parts, to_wkt
from shapely.errors import ShapelyError
from shapely.geometry import MultiPolygon
from shapely.geometry.base import BaseGeometry
from shapely.geometry.polygon import orient
from shapely.validation import explain_validity

from markers.address import normalise_postcode
from markers.dates import DateError, read_date
from markers.geojson import GeoJsonError, read_geojson
from markers.location import EAST_LIMIT, LONGEST_ADDRESS, NORTH_LIMIT, LocationError, read_phone, to_degrees, to_grid
from markers.model import Point
from markers.tables import Row, RowError, shown

LONGEST_RADIUS_M = 5_000.0
LARGEST_ZONE_M2 = 25_000_000.0
POSITIONS_AGREE_M = 100.0

_T = TypeVar("_T")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_COMMA_LINES = re.compile(",?\n")
_OUTWARD = re.compile(r"[a-z]{1,2}\d[a-z\d]?", re.ASCII | re.IGNORECASE)
_UPRN = re.compile(r"'?(\d+)(?:\.0*)?", re.ASCII)
_NUMBER = re.compile(r"([+-]?(?:\d+(?:\.\d*)?|\.\d+))(e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE)
_LOST_DIGITS = re.compile(r"\d(?:[.,]\d+)?e\+?\d+", re.ASCII | re.IGNORECASE)
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", re.ASCII)
_PHONE = re.compile(r"[\d\s()+./\-\u2010-\u2015]+", re.ASCII)
_NOT_FINITE = re.compile("nan|inf", re.IGNORECASE)
_SRID = re.compile(r"srid=(\d+);", re.IGNORECASE)
_KEEP_DIGITS = "Format the column as text or as a whole number in the spreadsheet and save the list again."


class CellError(ValueError):
    """A cell that can't be read; the message says what was wrong and what to write instead."""


@dataclass(slots=True)
class Cells:
    """One row being read: gathers everything wrong with it, so that a list is corrected in one go."""

    row: Row
    errors: list[RowError] = field(default_factory=list)

    def has(self, column: str) -> bool:
        return column in self.row.cells

    def refuse(self, column: str | None, reason: str) -> None:
        self.errors.append(RowError(self.row.line, column, reason))

    def read(self, column: str, reader: Callable[[str], _T]) -> _T | None:
        """The cell as `reader` reads it; None when it is empty, or when it could not be read and has been refused."""
        text = self.row.cells.get(column)
        if text is None:
            return None
        try:
            return reader(text)
        except (CellError, DateError) as error:
            self.refuse(column, str(error))
        except LocationError as error:
            self.refuse(column, f"'{shown(text)}' is {error.reason}")
        return None

    def text(self, column: str, longest: int) -> str | None:
        return self.read(column, lambda text: read_text(text, longest))

    def home(self) -> tuple[str | None, str | None]:
        """The row's address and postcode. A postcode's first half alone ("EC9A") goes to the end of the address."""
        address = self.read("address", lambda text: read_text(read_lines(text), LONGEST_ADDRESS))
        half = _OUTWARD.fullmatch(self.row.cells.get("postcode", ""))
        if half and address:
            outward = half[0].upper()
            return (address if address.upper().endswith(f" {outward}") else f"{address}, {outward}"), None
        return address, self.read("postcode", read_postcode)

    def date(self, column: str) -> date | None:
        return self.read(column, lambda text: read_date(read_text(text, 100)))

    def point(self) -> Point | None:
        """The row's position from easting and northing, or longitude and latitude; given both, they must agree."""
        before = len(self.errors)
        metres = self._pair("easting", "northing", read_metres)
        degrees = self._pair("longitude", "latitude", read_degrees)
        if len(self.errors) > before:
            return None
        from_metres = self._checked("easting", lambda: grid_point(*metres)) if metres else None
        from_degrees = self._checked("longitude", lambda: to_grid(*degrees)) if degrees else None
        if from_metres is not None and from_degrees is not None:
            apart = math.dist(
                (from_metres.easting, from_metres.northing), (from_degrees.easting, from_degrees.northing)
            )
            if apart > POSITIONS_AGREE_M:
                self.refuse(
                    "easting",
                    f"easting and northing are {apart:,.0f} m from longitude and latitude. "
                    "Correct one, or leave one pair empty.",
                )
                return None
        return from_metres or from_degrees

    def _pair(self, first: str, second: str, reader: Callable[[str], float]) -> tuple[float, float] | None:
        if not self.has(first) and not self.has(second):
            return None
        for name in (first, second):
            if not self.has(name):
                self.refuse(name, f"missing. {first.capitalize()} and {second} are needed together.")
        values = (self.read(first, reader), self.read(second, reader))
        return None if values[0] is None or values[1] is None else (values[0], values[1])

    def _checked(self, column: str, make: Callable[[], Point]) -> Point | None:
        try:
            return make()
        except LocationError as error:
            self.refuse(error.field if error.field in self.row.cells else column, error.reason)
            return None


def read_lines(text: str) -> str:
    """An address written on several lines, on one."""
    return _COMMA_LINES.sub(", ", text)


def read_text(text: str, longest: int) -> str:
    """One line of text of at most `longest` characters. Raises CellError."""
    if control := _CONTROL.search(text):
        raise CellError(f"holds a control character (U+{ord(control[0]):04X}) that is not text. Type the cell again.")
    if len(text) > longest:
        raise CellError(f"{len(text):,} characters, and at most {longest:,} fit. Shorten it.")
    return text.replace("\n", " ")


def read_uprn(text: str) -> str:
    """A Unique Property Reference Number: 1 to 12 digits, given back without leading zeros. Raises CellError."""
    if _LOST_DIGITS.fullmatch(text):
        raise CellError(f"'{shown(text)}' is a UPRN that has lost digits in a spreadsheet. {_KEEP_DIGITS}")
    match = _UPRN.fullmatch(text)
    if match is None:
        raise CellError(f"'{shown(text)}' is not a UPRN. A UPRN is 1 to 12 digits.")
    if len(match[1]) > 12 or not int(match[1]):
        raise CellError(
            f"'{shown(text)}' is not a UPRN: it has {len(match[1])} digits. A UPRN is 1 to 12 digits, not all 0."
        )
    return match[1].lstrip("0")


def read_postcode(text: str) -> str:
    """A whole UK postcode in its usual form. Raises CellError."""
    normal = normalise_postcode(read_text(text, 20))
    if normal is None:
        raise CellError(f"'{shown(text)}' is not a UK postcode. Write it whole, for example EC9A 1AB, or leave it out.")
    return normal


def read_metres(text: str) -> float:
    """A number of metres; a comma parts thousands, or decimals where it can't part thousands. Raises CellError."""
    if _THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    return _read_number(text)


def read_degrees(text: str) -> float:
    """A number of degrees; a lone comma is a decimal comma. Raises CellError."""
    return _read_number(text)


def read_radius(text: str) -> float:
    """A circle's radius: more than 0 and at most 5,000 m. Raises CellError."""
    radius = read_metres(text)
    if not 0 < radius <= LONGEST_RADIUS_M:
        raise CellError(
            f"'{shown(text)}' is not a radius. Write metres, more than 0 and at most {LONGEST_RADIUS_M:,.0f}."
        )
    return radius


def read_phone_cell(text: str) -> str:
    """A telephone number in E.164, also one whose leading 0 a spreadsheet took. Raises CellError or LocationError."""
    if _LOST_DIGITS.fullmatch(text):
        raise CellError(f"'{shown(text)}' is a telephone number that has lost digits in a spreadsheet. {_KEEP_DIGITS}")
    number = read_text(text, 40).lstrip("'").removesuffix(".0")
    if not _PHONE.fullmatch(number):
        raise CellError(f"'{shown(text)}' is not one telephone number. Write figures only, for example 020 7946 0012.")
    return read_phone(number)


def read_zone(text: str) -> str:
    """A polygon as well-known text in National Grid metres or as GeoJSON in degrees, at most 25 km2; kept as the first.

    A ring that runs the wrong way round is turned. Raises CellError, LocationError.
    """
    text = read_text(text, 100_000)
    if text.startswith("{"):
        try:
            drawn = read_geojson(text)
        except GeoJsonError as error:
            raise CellError(str(error)) from error
        _check_zone(drawn)
        return str(to_wkt(_turned(drawn), rounding_precision=2))
    if srid := _SRID.match(text):
        if srid[1] != "27700":
            raise CellError(f"is in the reference system {srid[1]}. Give National Grid metres (EPSG:27700).")
        text = text[srid.end() :]
    if _NOT_FINITE.search(text):
        raise CellError("has a corner that is not a number. Give every corner as easting and northing in metres.")
    try:
        zone: BaseGeometry = force_2d(from_wkt(text))
    except ShapelyError:
        raise CellError(
            f"'{shown(text)}' is not well-known text. "
            "Write POLYGON ((east north, east north, ...)), the last corner the first again."
        ) from None
    _check_zone(zone)
    return str(_turned(zone).wkt)


def grid_point(easting: float, northing: float) -> Point:
    """A National Grid point on the transformation's ground. Raises LocationError."""
    if not 0 <= easting < EAST_LIMIT:
        raise LocationError("easting", f"outside Great Britain. Write metres between 0 and {EAST_LIMIT:,.0f}.")
    if not 0 <= northing < NORTH_LIMIT:
        raise LocationError("northing", f"outside Great Britain. Write metres between 0 and {NORTH_LIMIT:,.0f}.")
    point = Point(easting, northing)
    to_degrees(point)
    return point


def _check_zone(zone: BaseGeometry) -> None:
    if zone.geom_type not in ("Polygon", "MultiPolygon"):
        raise CellError(f"is a {zone.geom_type}. A zone is a POLYGON; for a circle give a position and radius_m.")
    if zone.is_empty:
        raise CellError("is an empty polygon. Give its corners, or leave the cell empty.")
    west, south, east, north = zone.bounds
    if west >= -180 and east <= 180 and south >= -90 and north <= 90:
        raise CellError("looks like longitude and latitude. Give National Grid metres, easting before northing.")
    if not (west >= 0 and south >= 0 and east < EAST_LIMIT and north < NORTH_LIMIT):
        raise CellError("reaches outside Great Britain's grid. Give National Grid metres, easting before northing.")
    if not zone.is_valid:
        raise CellError(f"its outline crosses itself or is broken ({explain_validity(zone)}). Draw it again.")
    if zone.area > LARGEST_ZONE_M2:
        raise CellError(
            f"covers {zone.area / 1e6:,.1f} km2, and at most {LARGEST_ZONE_M2 / 1e6:,.0f} are taken. Draw it smaller."
        )


def _turned(zone: BaseGeometry) -> BaseGeometry:
    """Outer rings anticlockwise, holes clockwise (RFC 7946 section 3.1.6): what a ring encloses is never in doubt."""
    parts = [orient(part) for part in get_parts(zone)]
    return parts[0] if zone.geom_type == "Polygon" else MultiPolygon(parts)


def _read_number(text: str) -> float:
    plain = text.replace("\u2212", "-").strip("'")
    if "," in plain and "." not in plain:
        plain = plain.replace(",", ".")
    match = _NUMBER.fullmatch(plain)
    if match is None or len(plain) > 40:
        raise CellError(f"'{shown(text)}' is not a number. Write it in figures, for example 532660.5.")
    if match[2] and not match[2].lower().startswith("e-"):
        raise CellError(f"'{shown(text)}' is a number that has lost digits in a spreadsheet. {_KEEP_DIGITS}")
    return float(plain)
