"""The nouns of the marker store. Frozen values; anything that depends on time takes `now`.

Distances are metres, positions British National Grid eastings and northings (EPSG:27700, OSTN15),
times aware UTC datetimes, dates calendar days in Europe/London.
"""

from __future__ import annotations

import json
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


SUBJECTS = ("victim", "suspect", "convicted", "witness")

PROOF_OF_LIFE = "proof-of-life"
"""The id of the one marker that warns of nothing: it is on an invented home, checked every minute to prove that checks
find it. Matching knows no difference; lists, counts and copies for people leave it out."""


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
    PROVISIONAL = "provisional"
    LAPSED = "lapsed"
    ENDED = "ended"

    @property
    def applies(self) -> bool:
        """Whether a check finds it: a provisional marker warns like any other."""
        return self in (State.IN_FORCE, State.PROVISIONAL)

    @property
    def over(self) -> bool:
        """Whether it applies no more and never will again as it stands."""
        return self in (State.LAPSED, State.ENDED)


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
class Detail:
    """A field of a category's own. `kind` is text, date or choice; `choices` are what a choice may say."""

    name: str
    title: str
    kind: str = "text"
    compulsory: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Category:
    """A kind of marker, from `config/categories.toml`.

    `review_days` and `longest_days` give the dates a list leaves out. `nearby_m` is how far outside a
    home a point still concerns it (0 for homes). `disclosure` maps role -> how much that role sees, `break_glass` is
    how much somebody sees who broke the glass. `narrative` is False for a kind that keeps no facts and no opinion.
    `radio` is all that may be said of it on an open channel; empty for a kind that may not be named there.
    `subjects` are whom it may be about (s.38(3) Data Protection Act 2018), none where that is not kept; `details` its
    own fields. With `tell_subject` nobody ends it without saying whether its subject was told, or that it was tried.
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
    subjects: tuple[str, ...] = ()
    details: tuple[Detail, ...] = ()
    tell_subject: bool = False

    def lacking(self, marker: Marker) -> tuple[str, ...]:
        """Titles of what this kind asks for and a marker does not say: lists from elsewhere leave fields out."""
        given = dict(marker.details)
        lacks = [detail.title for detail in self.details if detail.compulsory and not given.get(detail.name)]
        return tuple(["Whom it is about", *lacks] if self.subjects and not marker.subject else lacks)


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a marker was ended before its time, and whether its subject was told (`told`) or how that was tried.

    `at` is the moment it stopped warning.
    """

    at: datetime
    reason: str
    told: str
    by: str


@dataclass(frozen=True, slots=True)
class Marker:
    """A warning marker: a pointer with an action and an owner, not an intelligence record.

    `fact` and `opinion` are kept apart (Data Protection Act 2018 s.38(2)); either may be empty. `subject` is whom it
    is about, one of SUBJECTS (s.38(3) keeps suspects, convicted, victims and witnesses apart), or empty.
    `details` are its category's own fields. `proposer` is the account of whoever proposed it last, where that was a
    person here. `provisional_until` is when a marker added out of hours lapses unless public protection keeps it;
    `confirmed_at` and `confirmed_by` are of its last review. `more` are fields that a newer version wrote and this one
    does not know, as JSON text: they are kept, and change nothing here.
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
    subject: str = ""
    details: tuple[tuple[str, str], ...] = ()
    proposer: str = ""
    provisional_until: datetime | None = None
    confirmed_at: datetime | None = None
    confirmed_by: str = ""
    ending: Ending | None = None
    more: tuple[tuple[str, str], ...] = ()

    def state_at(self, now: datetime) -> State:
        """Computed from dates and approvals alone, so a marker can be neither early nor left on by a missed job.

        What had begun or was ended when it was recorded is so now, although the clock of whoever asks is behind.
        """
        today, since = _london_day(now), max(now, self.recorded_at)
        if today > self.ends_on or (self.ending is not None and since >= self.ending.at):
            return State.ENDED
        if self.provisional_until is not None and now >= self.provisional_until:
            return State.LAPSED
        if _london_day(since) < self.starts_on:
            return State.FUTURE
        return State.IN_FORCE if self.provisional_until is None else State.PROVISIONAL

    def review_at(self, now: datetime) -> str:
        """`current`, `provisional`, or `unconfirmed_since:DATE` once the review date has passed (s.39 DPA 2018)."""
        if self.provisional_until is not None:
            return "provisional"
        today = _london_day(now)
        return "current" if today <= self.review_on else f"unconfirmed_since:{self.review_on.isoformat()}"

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready form, the content of a sealed record."""
        place = {name: value for name in Place.__slots__ if (value := getattr(self.place, name)) is not None}
        if self.place.point is not None:
            place["point"] = [self.place.point.easting, self.place.point.northing]
        plain = {name: getattr(self, name) for name in Marker.__slots__ if name != "more"}
        plain["place"] = place
        for name in (*_DATES, *_MOMENTS):
            plain[name] = plain[name].isoformat() if plain[name] is not None else None
        if self.ending is not None:
            ending = self.ending
            plain["ending"] = {
                "at": ending.at.isoformat(), "reason": ending.reason, "told": ending.told, "by": ending.by,
            }  # fmt: skip
        plain["details"] = dict(self.details)
        told = {name: value for name, value in plain.items() if name not in _ADDED or value}
        return told | {name: json.loads(text) for name, text in self.more}

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Marker:
        """The inverse of `as_dict`. Raises KeyError, TypeError, ValueError for what can't be a marker.

        A field that this version does not know is kept unread; a place or an ending that has one is refused, for where
        a marker warns, and whether it does, may not be guessed.
        """
        more = plain.keys() - _KNOWN
        known = {name: value for name, value in plain.items() if name in _KNOWN} if more else plain
        place = dict(plain["place"])
        if "point" in place:
            place["point"] = Point(*place["point"])
        ending = plain.get("ending")
        return cls(
            **{
                **known,
                **{name: date.fromisoformat(plain[name]) for name in _DATES},
                **{name: datetime.fromisoformat(plain[name]) for name in _MOMENTS if plain.get(name)},
                "place": Place(**place),
                "details": tuple(plain.get("details", {}).items()),
                "ending": Ending(**{**ending, "at": datetime.fromisoformat(ending["at"])}) if ending else None,
                "more": tuple((name, json.dumps(plain[name])) for name in sorted(more)),
            }
        )


_KNOWN = frozenset(Marker.__slots__) - {"more"}
_DATES = ("starts_on", "review_on", "ends_on")
_MOMENTS = ("recorded_at", "provisional_until", "confirmed_at")
# Left out where empty, so that a record tells only what there is to tell.
_ADDED = ("subject", "details", "proposer", "provisional_until", "confirmed_at", "confirmed_by", "ending")


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
