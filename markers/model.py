"""The nouns of the marker store. Frozen values; anything that depends on time takes `now`.

Distances are metres, positions British National Grid eastings and northings (EPSG:27700, OSTN15),
times aware UTC datetimes, dates calendar days in Europe/London.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")


@lru_cache(maxsize=16)
def _london_day(now: datetime) -> date:
    """The date in London; asked of every marker of a street at one moment."""
    return now.astimezone(LONDON).date()


class LocationError(ValueError):
    """A location that can't be read. `field` names the input; `reason` says what to give instead."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class Status(StrEnum):
    """How a check ends: exactly one of the three, never a fourth."""

    HIT = "hit"
    CLEAR = "clear"
    COULD_NOT_CHECK = "could_not_check"


class Grade(StrEnum):
    """How a marker applies to a location, strongest first."""

    PREMISES = "premises"
    PHONE = "phone"
    ZONE = "zone"
    POSSIBLE = "possible"
    BUILDING = "building"
    NEARBY = "nearby"


class SubBuilding(StrEnum):
    """Whether the flat of a `building` match is the flat that was asked about."""

    SAME = "same"
    NOT_GIVEN = "not_given"
    DIFFERENT = "different"


class Precision(StrEnum):
    """How closely a location was understood."""

    SUB_BUILDING = "sub_building"
    BUILDING = "building"
    STREET = "street"
    POINT = "point"
    AREA = "area"
    UNKNOWN = "unknown"


class State(StrEnum):
    """Where a marker is in its life at one moment."""

    FUTURE = "future"
    IN_FORCE = "in_force"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Point:
    """A National Grid position in metres."""

    easting: float
    northing: float


@dataclass(frozen=True, slots=True)
class Premises:
    """One addressable home, shop or office of the gazetteer.

    `premises_id` is the UPRN where there is one, otherwise a stable local id: "L" and 12 hex digits
    of a hash of the normalised address and postcode. `parent_uprn` is the building this is a part of: PARENT_UPRN
    of AddressBase, "the UPRN of the parent record if a parent-child relationship exists".
    """

    premises_id: str
    address: str
    postcode: str | None = None
    uprn: str | None = None
    point: Point | None = None
    parent_uprn: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a marker applies, as its owner gave it. At least one part is set.

    `zone_wkt` is a polygon in National Grid metres; `point` with `radius_m` is a circle; `point` alone
    is where the home stands. `premises_id` is the gazetteer's home this was resolved to, if it was.
    """

    address: str | None = None
    postcode: str | None = None
    uprn: str | None = None
    premises_id: str | None = None
    point: Point | None = None
    radius_m: float | None = None
    zone_wkt: str | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class Category:
    """A kind of marker, from `config/categories.toml`.

    `review_days` and `longest_days` give the dates a list leaves out. `nearby_m` is how far outside a
    home a point still concerns it (0 for homes). `disclosure` maps role -> how much that role sees, `break_glass` is
    how much somebody sees who broke the glass. `narrative` is False for a kind that keeps no facts and no opinion.
    `radio` is all that may be said of it on an open channel; empty for a kind that may not be named there.
    """

    code: str
    title: str
    headline: str
    action: str
    review_days: int
    longest_days: int
    nearby_m: float
    disclosure: dict[str, str]
    break_glass: str = "none"
    narrative: bool = True
    radio: str = ""


@dataclass(frozen=True, slots=True)
class Marker:
    """A warning marker: a pointer with an action and an owner, not an intelligence record.

    `fact` and `opinion` are kept apart (Data Protection Act 2018 s.38(2)); either may be empty.
    """

    marker_id: str
    reference: str
    category: str
    place: Place
    headline: str
    action: str
    owner: str
    owner_contact: str
    starts_on: date
    review_on: date
    ends_on: date
    source: str
    source_reference: str
    proposed_by: str
    approved_by: str
    recorded_at: datetime
    version: int = 1
    fact: str = ""
    opinion: str = ""

    def state_at(self, now: datetime) -> State:
        """Computed from dates alone, so a marker can be neither early nor left on by a missed job."""
        today = _london_day(now)
        if today < self.starts_on:
            return State.FUTURE
        if today > self.ends_on:
            return State.ENDED
        return State.IN_FORCE

    def review_at(self, now: datetime) -> str:
        """`current`, or `unconfirmed_since:DATE` once the review date has passed (s.39 DPA 2018)."""
        today = _london_day(now)
        return "current" if today <= self.review_on else f"unconfirmed_since:{self.review_on.isoformat()}"

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready form, the content of a sealed record."""
        place = {name: value for name in Place.__slots__ if (value := getattr(self.place, name)) is not None}
        if self.place.point is not None:
            place["point"] = [self.place.point.easting, self.place.point.northing]
        plain = {name: getattr(self, name) for name in Marker.__slots__}
        plain["place"] = place
        for name in ("starts_on", "review_on", "ends_on", "recorded_at"):
            plain[name] = plain[name].isoformat()
        return plain

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Marker:
        """The inverse of `as_dict`."""
        place = dict(plain["place"])
        if "point" in place:
            place["point"] = Point(*place["point"])
        dates = {name: date.fromisoformat(plain[name]) for name in ("starts_on", "review_on", "ends_on")}
        return cls(
            **{
                **plain,
                **dates,
                "place": Place(**place),
                "recorded_at": datetime.fromisoformat(plain["recorded_at"]),
            }
        )


@dataclass(frozen=True, slots=True)
class Match:
    """One marker that applies, or may apply, to a location, with the reasons a person can read.

    `confidence` runs 0 to 1; `distance_m` is set where distance decided; `sub_building` only for grade `building` and
    `premises`, and not where the whole building is marked. `applies` is False for what only tells of another home:
    context, never a hit.
    """

    marker: Marker
    grade: Grade
    why: tuple[str, ...]
    confidence: float
    sub_building: SubBuilding | None = None
    distance_m: float | None = None
    applies: bool = True
