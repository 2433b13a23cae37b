"""Which invented homes carry a marker, and the zones and telephone numbers that do."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from shapely.geometry import Polygon

from markers.model import Point, Premises

HOME_MARKERS = {"child_protection_plan": 58, "domestic_abuse_risk": 56, "registered_sex_offender": 6}
"""How many of the 120 home markers are of each category. Zones and telephone numbers come on top."""

_CPP, _DA, _RSO = HOME_MARKERS

_CHOSEN = (
    (_CPP, "Flat 3, 14 Tallow Yard"),
    (_DA, "Flat 12, Octavo Tower"),
    (_CPP, "12 Quarto Tower"),
    (_RSO, "Penthouse 1, Quarto Tower"),
    (_CPP, "Flat 7, Harbin House"),
    (_DA, "Flat 7, Harbin House"),
    (_CPP, "5 Wolstan Street"),
    (_DA, "3 Inkhorn Lane"),
    (_CPP, "Flat 3 Above the Quill"),
    (_DA, "Garden Flat, Signature Wharf"),
    (_DA, "Narrowboat Marginalia"),
    (_CPP, "Manager's Flat, The Gilded Nib Hotel"),
)
"""Homes that demonstrate something, by how their address begins."""

_UNMARKED = (
    "14 Tallow Yard", "8 Foolscap Lane", "Harbyn House", "5 Wolston Street", "3 Inkhorn Court",
    "Narrowboat Second Draft", "St Quillan's Church",
)  # fmt: skip
"""Buildings that get no marker by chance, so that a look-alike stays unmarked."""

_WORDS: dict[str, tuple[tuple[str, str], ...]] = {
    _CPP: (
        ("Child protection plan", "Ask who is in the home and if each child is safe, whatever the call is about."),
        ("Child protection plan, two children", "Ask for each child by first name and age. Tell the unit to see both."),
        ("Child protection plan, unborn child", "Ask who else is there. Tell the PPU desk before the unit leaves."),
    ),
    _DA: (
        ("Domestic abuse risk: victim lives here", "Ask if the caller can speak freely. Keep the line open. Send now."),
        ("Domestic abuse risk: suspect lives here", "Ask who else is in the home and where they are. Two officers."),
        ("Domestic abuse risk: repeat victim", "Treat a silent or dropped call as a call for help. Ring back once."),
    ),
    _RSO: (("Registered sex offender lives here", "Ask who is in the home now. Tell the dispatcher of this marker."),),
}

OWNER = "PPU Quillmarket"
OWNER_CONTACT = "020 7946 0120 ext 301 (Mon to Fri 08:00-16:00); on call 07700 900120"

_REVIEW_DAYS = {_CPP: 91, _DA: 56, _RSO: 91, "temporary": 7, "court_order": 28, "phone_number": 91}
_LONGEST_DAYS = {_CPP: 365, _DA: 365, _RSO: 365, "temporary": 28, "court_order": 365, "phone_number": 182}
_OVERDUE, _FUTURE, _ENDED = range(20, 29), 40, 41
_CAPITALS, _UPRN_ONLY = range(50, 62), range(70, 74)


@dataclass(frozen=True, slots=True)
class Places:
    """What can be marked: the dwellings, and the shapes of the zones (National Grid metres)."""

    dwellings: tuple[Premises, ...]
    building_of: dict[str, str]
    hotel: Polygon
    station: Polygon
    exclusion: Polygon
    quay_steps: Point


def mark(places: Places, rng: random.Random) -> tuple[dict[str, str], ...]:
    """120 home markers, four zones and five telephone numbers, as rows of the import format.

    `starts_on`, `review_on` and `ends_on` are days from the day the list is written. Nine home markers are past
    their review, one has not begun, one has ended. Some rows are written as another system would: all capitals
    without a UPRN, or the UPRN alone.
    """
    homes = _homes(places, rng)
    rows = [_home_row(count, category, home, rng) for count, (category, home) in enumerate(homes)]
    return (*rows, *_zones(places), *_telephones())


def _homes(places: Places, rng: random.Random) -> list[tuple[str, Premises]]:
    chosen = [(category, _beginning(places, start)) for category, start in _CHOSEN]
    quota = dict(HOME_MARKERS)
    for category, _ in chosen:
        quota[category] -= 1
    spoken_for = {home.premises_id for _, home in chosen}
    candidates = [
        home
        for home in places.dwellings
        if places.building_of[home.premises_id] not in _UNMARKED and home.premises_id not in spoken_for
    ]
    drawn = rng.sample(candidates, sum(quota.values()) - 6)
    twice = rng.sample(drawn[: quota[_CPP]], 6)  # six of the child protection homes are domestic abuse homes too
    categories = [category for category in (_CPP, _RSO, _DA) for _ in range(quota[category])]
    pairs = list(zip(categories, [*drawn, *twice], strict=True))
    rng.shuffle(pairs)
    return [*chosen, *pairs]


def _beginning(places: Places, start: str) -> Premises:
    found = [home for home in places.dwellings if home.address.startswith(f"{start},")]
    if len(found) != 1:
        raise ValueError(
            f"This seed draws a town with {len(found)} homes at {start!r}; one is needed. Use another seed."
        )
    return found[0]


def _home_row(count: int, category: str, home: Premises, rng: random.Random) -> dict[str, str]:
    headline, action = rng.choice(_WORDS[category])
    row = _row(category, count + 1, headline, action, _dates(category, count, rng))
    row |= {"address": home.address, "postcode": home.postcode or "", "uprn": home.uprn or ""}
    if home.point is not None:
        row |= {"easting": f"{home.point.easting:.2f}", "northing": f"{home.point.northing:.2f}"}
    if count in _CAPITALS:
        row |= {"address": home.address.upper(), "uprn": ""}
    elif count in _UPRN_ONLY and home.uprn:
        row |= {"address": "", "postcode": "", "easting": "", "northing": ""}
    return row


def _dates(category: str, count: int, rng: random.Random) -> tuple[int, int, int]:
    """Start, review and end in days from today, never further apart than the category allows."""
    review, longest = _REVIEW_DAYS[category], _LONGEST_DAYS[category]
    if count == _FUTURE:
        return 5, 5 + review, 5 + longest
    if count == _ENDED:
        return -longest, -3, -3
    start = -rng.randint(review + 10, longest - 60)
    confirmed = -rng.randint(0, review - 15)
    due = -rng.randint(3, 40) if count in _OVERDUE else confirmed + review
    return start, min(due, start + longest), start + longest


def _row(category: str, count: int, headline: str, action: str, dates: tuple[int, int, int]) -> dict[str, str]:
    return {
        "reference": f"QM-{count:04d}",
        "category": category,
        "headline": headline,
        "action": action,
        "owner": OWNER,
        "owner_contact": OWNER_CONTACT,
        "starts_on": str(dates[0]),
        "review_on": str(dates[1]),
        "ends_on": str(dates[2]),
        "source": "Invented for demonstration",
        "source_reference": f"DEMO-{count:04d}",
    }


def _zones(places: Places) -> Iterator[dict[str, str]]:
    hotel = _row(
        "temporary", 201, "Gilded Nib Hotel: young people met here for exploitation",
        "Ask for the room, and who is with the young person. Tell the PPU on call.", (-4, 3, 20),
    )  # fmt: skip
    yield hotel | {"zone_wkt": _wkt(places.hotel.buffer(8, join_style="mitre"))}
    middle = places.station.centroid
    station = _row(
        "temporary", 202, "Station concourse: children approached in the evening",
        "Ask for the platform or shop. Tell the unit to stay with any child alone.", (-6, 1, 14),
    )  # fmt: skip
    yield station | {"easting": f"{middle.x:.1f}", "northing": f"{middle.y:.1f}", "radius_m": "60"}
    order = _row(
        "court_order", 203, "Exclusion zone: a named person may not be here",
        "Ask for a description. Tell the unit the order's reference and who it protects is not to be said on air.",
        (-70, 14, 200),
    )  # fmt: skip
    yield order | {"zone_wkt": _wkt(places.exclusion)}
    steps = _row(
        "temporary", 204, "Quay steps: people in crisis have gone to the water here",
        "Ask if anyone is in or near the water. Tell the river unit at once.", (-10, 4, 18),
    )  # fmt: skip
    yield steps | {
        "easting": f"{places.quay_steps.easting:.1f}",
        "northing": f"{places.quay_steps.northing:.1f}",
        "radius_m": "18",
    }


def _telephones() -> Iterator[dict[str, str]]:
    calls = (
        ("07700 900451", "High risk victim's own phone", "Silent or dropped: treat as a call for help."),
        ("+44 7700 900452", "High risk victim's own phone", "Ask closed questions only: yes, no, a number."),
        ("020 7946 0453", "Refuge: address not to be spoken", "Do not read any address back. Ask for the manager."),
        ("07700900454", "Young person missing before", "Ask where they can see from here. Keep them talking."),
        ("07700 900 455", "Child's phone, child protection plan", "Ask if the child is alone and where an adult is."),
    )
    for count, (number, headline, action) in enumerate(calls, 301):
        yield _row("phone_number", count, headline, action, (-30 * (count - 300), 20, 30)) | {"phone": number}


def _wkt(shape: Polygon) -> str:
    return "POLYGON ((" + ", ".join(f"{x:.1f} {y:.1f}" for x, y in shape.exterior.coords) + "))"
