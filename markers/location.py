"""Where an incident is: every way a control room is given a location, read into one checked value.

A grid reference stands for its whole square, a longitude and latitude for the circle of its uncertainty
(the 90 % radius of Advanced Mobile Location), never for a bare dot. Longitude and latitude are WGS 84;
everything held is National Grid metres through OSTN15.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

import phonenumbers
from convertbng import cutil
from shapely import Point as ShapelyPoint
from shapely import box
from shapely.geometry import Polygon

from markers.address import normalise_postcode
from markers.aml import is_aml, read_aml
from markers.model import LocationError, Point

__all__ = [
    "EAST_LIMIT",
    "LONGEST_ADDRESS",
    "LONGEST_UNCERTAINTY_M",
    "NORTH_LIMIT",
    "Location",
    "LocationError",
    "RawLocation",
    "Spot",
    "grid_square",
    "read_location",
    "read_phone",
    "to_degrees",
    "to_grid",
]

EAST_LIMIT = 700_000.0
NORTH_LIMIT = 1_300_000.0
LONGEST_UNCERTAINTY_M = 50_000.0
LONGEST_ADDRESS = 500

_UPRN = re.compile(r"\d{1,12}", re.ASCII)
_GRID_LETTERS = "ABCDEFGHJKLMNOPQRSTUVWXYZ"  # the grid's squares skip I
_GRID_REFERENCE = re.compile(r"([A-HJ-Z]{2})\s*((?:\d\s*){2,10})", re.ASCII | re.IGNORECASE)
_METRES = re.compile(r"(\d{5,6}(?:\.\d+)?)\s*[, ]\s*(\d{5,7}(?:\.\d+)?)", re.ASCII)
_DEGREES = re.compile(r"([+-]?\d{1,3}\.\d+)\s*[°º]?\s*[, ]\s*([+-]?\d{1,3}\.\d+)\s*[°º]?")
_DEGREE = r"(\d{1,3}(?:\.\d+)?)\s*[°º]?"
_COMPASS = re.compile(
    rf"(?:{_DEGREE}\s*([NSEW])|([NSEW])\s*{_DEGREE})\s*[,; ]?\s*(?:{_DEGREE}\s*([NSEW])|([NSEW])\s*{_DEGREE})",
    re.IGNORECASE,
)
_THREE_WORDS = r"[^\W\d_]{3,30}[.。][^\W\d_]{3,30}[.。][^\W\d_]{3,30}"
_WHAT3WORDS = re.compile(rf"(?:(?:what3words|w3w)?\W*/{{2,3}}\s*|(?:what3words|w3w)\W+)?{_THREE_WORDS}", re.IGNORECASE)
_SLASHED = re.compile(rf"\W{{0,5}}/{{3}}\s*{_THREE_WORDS}\W{{0,5}}")
_LONG_UPRN = re.compile(r"[1-9]\d{7,11}", re.ASCII)
_PHONE = re.compile(r"(?:\+|00|0)[\d\s()./-]{8,18}", re.ASCII)
_DRAMA = re.compile(r"\+447700900\d{3}")  # Ofcom's mobile numbers for drama: whole, though no network's
_NO_NUMBER = {"withheld", "number withheld", "anonymous", "unavailable", "private", "blocked", "unknown", "no number"}


@dataclass(frozen=True, slots=True)
class RawLocation:
    """A location as it was given, before any of it is believed."""

    address: str | None = None
    postcode: str | None = None
    uprn: str | None = None
    grid_reference: str | None = None
    easting: float | None = None
    northing: float | None = None
    longitude: float | None = None
    latitude: float | None = None
    uncertainty_m: float | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class Spot:
    """A place on the ground: the `shape` it must lie in (metres), its `centre`, and how it was given.

    `radius_m` is half the shape's greatest width; 0 for a point given without any uncertainty.
    """

    shape: Polygon | ShapelyPoint
    centre: Point
    radius_m: float
    given_as: str


@dataclass(frozen=True, slots=True)
class Location:
    """A location that can be checked: at least one of the parts is set."""

    address: str | None
    postcode: str | None
    uprn: str | None
    spot: Spot | None
    phone: str | None
    phone_complete: bool = True
    warnings: tuple[str, ...] = ()


def read_location(raw: RawLocation) -> Location:
    """Check and read every part that was given.

    An address box that holds only a postcode, a grid reference, coordinates, a UPRN, a telephone number or the
    message of Advanced Mobile Location is read as that. Raises LocationError for the first part that can't be read,
    or when nothing was given.
    """
    raw, sent_as, heard = _recognise_aml(raw)
    raw, three_words = _without_three_words(_recognise(raw))
    phone, withheld = _read_phone(raw.phone)
    spot = _read_spot(raw)
    location = Location(
        address=_read_text(raw.address),
        postcode=_read_postcode(raw.postcode),
        uprn=_read_uprn(raw.uprn),
        spot=replace(spot, given_as=sent_as) if spot is not None and sent_as is not None else spot,
        phone=phone,
        phone_complete=phone is None or _is_whole(phone),
        warnings=(*withheld, *heard, *three_words),
    )
    if not (location.address or location.postcode or location.uprn or location.spot or location.phone):
        raise LocationError(
            "location",
            "nothing to check. Give an address, postcode, UPRN, grid reference, coordinates or telephone number.",
        )
    return location


def to_grid(longitude: float, latitude: float) -> Point:
    """WGS 84 degrees to a National Grid point (OSTN15). Raises LocationError outside Great Britain's grid."""
    if not (math.isfinite(longitude) and -180 <= longitude <= 180):
        raise LocationError("longitude", "not a longitude. Give degrees between -180 and 180, for example -0.0912.")
    if not (math.isfinite(latitude) and -90 <= latitude <= 90):
        raise LocationError("latitude", "not a latitude. Give degrees between -90 and 90, for example 51.5142.")
    eastings, northings = cutil.convert_bng(longitude, latitude)
    easting, northing = float(eastings[0]), float(northings[0])
    if not (math.isfinite(easting) and math.isfinite(northing)):
        raise LocationError(
            "longitude", "that point is outside Great Britain. Check longitude and latitude are not swapped."
        )
    return Point(easting, northing)


def to_degrees(point: Point) -> tuple[float, float]:
    """A National Grid point to WGS 84 (longitude, latitude). Raises LocationError off the grid's coverage."""
    longitudes, latitudes = cutil.convert_osgb36_to_ll(point.easting, point.northing)
    longitude, latitude = float(longitudes[0]), float(latitudes[0])
    if not (math.isfinite(longitude) and math.isfinite(latitude)):
        raise LocationError(
            "easting", "that point is outside Great Britain. Check easting and northing are not swapped."
        )
    return longitude, latitude


def grid_square(reference: str) -> Polygon:
    """The square a National Grid reference names: `TQ 32 81` is 1 km wide, `TQ 3266 8168` 10 m.

    Letters and figures as Ordnance Survey's guide to the National Grid defines them; 2 to 10 figures.
    """
    match = _GRID_REFERENCE.fullmatch(reference.strip())
    figures = re.sub(r"\s", "", match[2]) if match else ""
    if match is None or len(figures) % 2:
        raise LocationError(
            "grid_reference",
            "not a National Grid reference. Write two letters and 2 to 10 figures, for example TQ 3266 8168.",
        )
    first, second = (_GRID_LETTERS.index(letter) for letter in match[1].upper())
    # The first letter counts 500 km squares from S at the origin, the second 100 km squares within it.
    east_100km = ((first - 2) % 5) * 5 + second % 5
    north_100km = (19 - (first // 5) * 5) - second // 5
    half = len(figures) // 2
    size = 10.0 ** (5 - half)
    easting = east_100km * 100_000 + int(figures[:half]) * size
    northing = north_100km * 100_000 + int(figures[half:]) * size
    if not (0 <= easting < EAST_LIMIT and 0 <= northing < NORTH_LIMIT):
        raise LocationError("grid_reference", "that square is outside Great Britain. Check the two letters.")
    return box(easting, northing, easting + size, northing + size)


def read_phone(text: str) -> str:
    """A telephone number as people write it to E.164 (`+447700900123`). Raises LocationError."""
    refused = LocationError("phone", "not a telephone number. Write it with its area code, for example 020 7946 0012.")
    if any(character.isalpha() for character in text):
        raise refused  # the library would read letters as keypad digits
    try:
        number = phonenumbers.parse(text.strip(), "GB")
    except phonenumbers.NumberParseException:
        raise refused from None
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        raise refused
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def _is_whole(phone: str) -> bool:
    """Whether an E.164 number has all its digits, by the national numbering plans."""
    return _DRAMA.fullmatch(phone) is not None or phonenumbers.is_valid_number(phonenumbers.parse(phone))


def _recognise(raw: RawLocation) -> RawLocation:
    """One box, many kinds of location: what an operator types may be a location that is not an address."""
    text = (raw.address or "").strip()
    if not text or len(text) > 60:
        return raw
    if (
        raw.postcode is None
        and re.fullmatch(r"[A-Za-z]{1,2}\d[A-Za-z\d]?\s*\d[A-Za-z]{2}", text)
        and normalise_postcode(text)
    ):
        return replace(raw, address=None, postcode=text)
    if raw.grid_reference is None and _GRID_REFERENCE.fullmatch(text):
        return replace(raw, address=None, grid_reference=text)
    if raw.phone is None and _PHONE.fullmatch(text) and sum(map(str.isdigit, text)) in (10, 11):
        return replace(raw, address=None, phone=text)
    nowhere = raw.easting is None and raw.northing is None and raw.longitude is None and raw.latitude is None
    if nowhere and (degrees := _DEGREES.fullmatch(text)):
        return _written_degrees(raw, degrees[1], degrees[2])  # people and phones write latitude first
    if nowhere and (compass := _COMPASS.fullmatch(text)):
        return _compass_degrees(raw, *(part for part in compass.groups() if part is not None))
    if nowhere and (metres := _METRES.fullmatch(text)):
        return replace(raw, address=None, easting=float(metres[1]), northing=float(metres[2]))
    if raw.uprn is None and _LONG_UPRN.fullmatch(text):
        return replace(raw, address=None, uprn=text)
    if raw.phone is None and _PHONE.fullmatch(text):
        return replace(raw, address=None, phone=text)
    return raw


def _recognise_aml(raw: RawLocation) -> tuple[RawLocation, str | None, tuple[str, ...]]:
    """An AML message in the address box as longitude, latitude and radius; how it was given; what to know of it."""
    if raw.address is None or not is_aml(raw.address):
        return raw, None, ()
    fix = read_aml(raw.address)
    given = (raw.grid_reference, raw.easting, raw.northing, raw.longitude, raw.latitude, raw.uncertainty_m)
    if any(part not in (None, "") for part in given):
        raise LocationError("address", "give one position, not both an AML message and another.")
    at = replace(raw, address=None, longitude=fix.longitude, latitude=fix.latitude, uncertainty_m=fix.radius_m)
    return at, fix.given_as, fix.warnings


def _compass_degrees(raw: RawLocation, *parts: str) -> RawLocation:
    """Two numbers with their compass letters, whichever comes first."""
    read: dict[str, str] = {}
    for first, second in (parts[:2], parts[2:]):
        number, letter = (first, second) if first[0].isdigit() else (second, first)
        read[letter] = number
    signed = {letter.upper(): number if letter.upper() in "NE" else f"-{number}" for letter, number in read.items()}
    latitude, longitude = (next((signed[letter] for letter in pair if letter in signed), None) for pair in ("NS", "EW"))
    if latitude is None or longitude is None:
        raise LocationError("address", "needs one of N and S, and one of E and W. Write 51.5142N 0.0912W.")
    return _written_degrees(raw, latitude, longitude)


def _written_degrees(raw: RawLocation, latitude: str, longitude: str) -> RawLocation:
    """Degrees as typed stand for all that rounds to them, as a grid reference does for its square.

    Half a unit of the last decimal both ways, and of a degree 111,320 m north and south, less east and west.
    """
    north, east = (0.5 * 10.0 ** -len(text.partition(".")[2]) * 111_320 for text in (latitude, longitude))
    rounding = math.hypot(north, east * math.cos(math.radians(min(abs(float(latitude)), 90))))
    uncertainty = raw.uncertainty_m or 0.0
    if 0 <= uncertainty <= LONGEST_UNCERTAINTY_M:  # what is out of bounds is refused as it was given
        uncertainty = min(rounding + uncertainty, LONGEST_UNCERTAINTY_M)
    return replace(raw, address=None, longitude=float(longitude), latitude=float(latitude), uncertainty_m=uncertainty)


def _without_three_words(raw: RawLocation) -> tuple[RawLocation, tuple[str, ...]]:
    """what3words is looked up nowhere: alone it is refused, beside an address it is left out and that is said."""
    text = (raw.address or "").strip()
    if len(text) > LONGEST_ADDRESS:
        return raw, ()
    without = _SLASHED.sub(" ", text).strip()
    if _WHAT3WORDS.fullmatch(text) or (text and not without):
        raise LocationError(
            "address",
            "reads like three words of what3words, which can't be looked up here. "
            "Ask for the address, a street or a landmark; write an address with spaces.",
        )
    if without == text:
        return raw, ()
    return replace(raw, address=without), ("what3words can't be looked up here: the three words were left out.",)


def _read_text(address: str | None) -> str | None:
    if address is None:
        return None
    if len(address) > LONGEST_ADDRESS:
        raise LocationError(
            "address",
            f"{len(address):,} characters is too long. Give the address alone, up to {LONGEST_ADDRESS}.",
        )
    if "\0" in address or (not address.isascii() and any("\ud800" <= character <= "\udfff" for character in address)):
        raise LocationError("address", "holds characters that are not text. Type the address again.")
    if address.strip() and not any(character.isalnum() for character in address):
        raise LocationError("address", "holds no letter or figure. Type the address again.")
    return address.strip() or None


def _read_postcode(postcode: str | None) -> str | None:
    if postcode is None or not postcode.strip():
        return None
    if len(postcode) > 20 or (normal := normalise_postcode(postcode)) is None:
        raise LocationError("postcode", "not a UK postcode. Write it whole, for example EC9A 1AB, or leave it out.")
    return normal


def _read_uprn(uprn: str | None) -> str | None:
    if uprn is None or not uprn.strip():
        return None
    if not _UPRN.fullmatch(uprn.strip()):
        raise LocationError("uprn", "not a UPRN. A UPRN is 1 to 12 digits.")
    return uprn.strip().lstrip("0") or "0"


def _read_phone(phone: str | None) -> tuple[str | None, tuple[str, ...]]:
    if phone is None or not phone.strip():
        return None, ()
    if phone.strip().casefold() in _NO_NUMBER:
        return None, ("Caller's number withheld: no telephone number was checked.",)
    if len(phone) > 40:
        raise LocationError("phone", "too long to be a telephone number.")
    return read_phone(phone), ()


def _read_spot(raw: RawLocation) -> Spot | None:
    uncertainty = raw.uncertainty_m
    if uncertainty is not None and not (math.isfinite(uncertainty) and 0 <= uncertainty <= LONGEST_UNCERTAINTY_M):
        raise LocationError("uncertainty_m", f"not a distance. Give metres between 0 and {LONGEST_UNCERTAINTY_M:,.0f}.")
    given = [
        name
        for name, present in (
            ("grid_reference", bool(raw.grid_reference and raw.grid_reference.strip())),
            ("easting", raw.easting is not None or raw.northing is not None),
            ("longitude", raw.longitude is not None or raw.latitude is not None),
        )
        if present
    ]
    if len(given) > 1:
        raise LocationError(given[1], f"give one position, not both {given[0]} and {given[1]}.")
    if not given:
        if uncertainty is not None:
            raise LocationError(
                "uncertainty_m",
                "needs a position: give longitude and latitude, easting and northing, or a grid reference.",
            )
        return None
    if given == ["grid_reference"]:
        return _square_spot(grid_square(raw.grid_reference or ""), uncertainty or 0.0)
    if given == ["easting"]:
        return _point_spot(_read_metres(raw.easting, raw.northing), uncertainty, "easting and northing")
    if raw.longitude is None or raw.latitude is None:
        missing = "longitude" if raw.longitude is None else "latitude"
        raise LocationError(missing, "missing. Longitude and latitude are needed together.")
    return _point_spot(to_grid(raw.longitude, raw.latitude), uncertainty, "longitude and latitude")


def _read_metres(easting: float | None, northing: float | None) -> Point:
    if easting is None or northing is None:
        raise LocationError(
            "easting" if easting is None else "northing", "missing. Easting and northing are needed together."
        )
    if not (math.isfinite(easting) and 0 <= easting < EAST_LIMIT):
        raise LocationError("easting", f"outside Great Britain. Give metres between 0 and {EAST_LIMIT:,.0f}.")
    if not (math.isfinite(northing) and 0 <= northing < NORTH_LIMIT):
        raise LocationError("northing", f"outside Great Britain. Give metres between 0 and {NORTH_LIMIT:,.0f}.")
    point = Point(easting, northing)
    longitude, latitude = to_degrees(point)
    try:
        to_grid(longitude, latitude)
    except LocationError:
        raise LocationError("easting", "that point is outside Great Britain. Check the figures.") from None
    return point


def _square_spot(square: Polygon, uncertainty: float) -> Spot:
    west, south, east, north = square.bounds
    return Spot(
        shape=square.buffer(uncertainty) if uncertainty else square,
        centre=Point((west + east) / 2, (south + north) / 2),
        radius_m=math.hypot(east - west, north - south) / 2 + uncertainty,
        given_as="grid reference",
    )


def _point_spot(point: Point, uncertainty: float | None, given_as: str) -> Spot:
    centre = ShapelyPoint(point.easting, point.northing)
    radius = uncertainty or 0.0
    return Spot(shape=centre.buffer(radius) if radius else centre, centre=point, radius_m=radius, given_as=given_as)
