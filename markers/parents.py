"""A home and the building it is a part of: the parent-child relation of AddressBase, as the gazetteer holds it.

PARENT_UPRN of AddressBase Premium (technical specification, BLPU record) names the building a flat is a part of;
buildings may stand in others (a block on an estate). A parent may lack a row of its own. Whoever asks for the
building has not said which home; a marker on the building is a marker on every home in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from statistics import fmean

from markers.compare import Verdict
from markers.gazetteer import Gazetteer
from markers.index import MarkerIndex
from markers.model import Point, Precision, Premises
from markers.resolve import Resolution

MOST_LEVELS = 8
"""So many buildings inside one another are followed; a loop in the data ends there too."""
MOST_PARTS = 10_000
MOST_PLACED = 200
"""So many parts tell where a building without a row of its own stands."""


@dataclass(frozen=True, slots=True)
class Kin:
    """Marker ids by how their home stands to what was asked, and how many homes are inside it.

    `whole`: on a building it is surely a part of. `maybe_whole`: on a building of a home it could be.
    `inside`: on its parts. `beside`: on other parts of its building.
    """

    whole: frozenset[str]
    maybe_whole: frozenset[str]
    inside: frozenset[str]
    beside: frozenset[str]
    homes: int


def kin(resolution: Resolution, gazetteer: Gazetteer, index: MarkerIndex) -> Kin:
    """Who shares a building with what was understood, by the gazetteer's parents. Hold `index.lock`."""
    home = resolution.home
    if home is None:
        whole = _marked_shells(resolution, gazetteer, index)
        above = (uprn for one in resolution.candidates for uprn in buildings(one, gazetteer))
        return Kin(whole, _marked_at(above, index) - whole, frozenset(), frozenset(), 0)
    above_home = buildings(home, gazetteer)
    inside = _parts(home.premises_id, gazetteer)
    mine = {home.premises_id, *above_home, *inside}
    beside = [one for one in _parts(above_home[0], gazetteer) if one not in mine] if above_home else []
    whole = _marked_at(above_home, index)
    if not above_home:
        whole |= _marked_shells(resolution, gazetteer, index)
    homes = sum(not gazetteer.children(one) for one in inside)
    return Kin(
        whole=whole,
        maybe_whole=frozenset(),
        inside=_marked_at(inside, index),
        beside=_marked_at(beside, index),
        homes=max(homes, 1) if inside else 0,
    )


def buildings(home: Premises, gazetteer: Gazetteer) -> tuple[str, ...]:
    """UPRNs of what the home is a part of, the nearest first."""
    above: dict[str, None] = {}
    parent = home.parent_uprn
    while parent and parent != home.premises_id and parent not in above and len(above) < MOST_LEVELS:
        above[parent] = None
        row = gazetteer.by_id(parent)
        parent = row.parent_uprn if row is not None else None
    return tuple(above)


def without_its_flat(resolution: Resolution, homes: int) -> Resolution:
    """The same, once it is known to be a building of `homes` homes: it no longer says which home was meant."""
    where = resolution.understood or "this building"
    return replace(
        resolution,
        precision=Precision.BUILDING,
        decidable=False,
        problem=f"Flat missing: {homes:,} {'home' if homes == 1 else 'homes'} at {where}. Ask for the flat.",
    )


def unlisted(uprn: str, gazetteer: Gazetteer) -> Resolution | None:
    """A building that is nothing but the parent of rows of the gazetteer; None when it isn't even that."""
    building = without_a_row(uprn, gazetteer)
    if building is None:
        return None
    return Resolution(
        precision=Precision.BUILDING,
        understood=building.address,
        home=building,
        candidates=(),
        known=True,
        decidable=False,
        problem=None,
        marked=(),
        warnings=(),
    )


def without_a_row(uprn: str, gazetteer: Gazetteer) -> Premises | None:
    """The building whose UPRN only its parts name: their postcode, and the middle of where they stand."""
    parts = [one for child in gazetteer.children(uprn)[:MOST_PLACED] if (one := gazetteer.by_id(child)) is not None]
    if not parts:
        return None
    points = [one.point for one in parts if one.point is not None]
    middle = Point(fmean(p.easting for p in points), fmean(p.northing for p in points)) if points else None
    return Premises(uprn, f"the building of UPRN {uprn}", parts[0].postcode, uprn, middle)


def _parts(uprn: str, gazetteer: Gazetteer) -> dict[str, None]:
    """Everything inside, however deep, in order."""
    found: dict[str, None] = {}
    level = [uprn]
    for _ in range(MOST_LEVELS):
        level = [part for whole in level for part in gazetteer.children(whole) if part != uprn and part not in found]
        found.update(dict.fromkeys(level))
        if not level or len(found) > MOST_PARTS:
            break
    return found


def _marked_at(premises_ids: Iterable[str], index: MarkerIndex) -> frozenset[str]:
    return frozenset(
        marker_id
        for premises_id in premises_ids
        for marker_id in (*index.homes.at_premises(premises_id), *index.with_uprn(premises_id))
    )


def _marked_shells(resolution: Resolution, gazetteer: Gazetteer, index: MarkerIndex) -> frozenset[str]:
    """Marked buildings whose text says what was asked stands in them, where no parent says so.

    The flat that was asked about, or its parent, may not be in the file; the marked building is known to have homes.
    """
    found = set()
    for one in resolution.marked:
        if one.verdict not in (Verdict.NOT_GIVEN, Verdict.DIFFERENT):
            continue
        premises, written = index.homes.premises(one.home_id), index.homes.written(one.home_id)
        if written.readings and written.readings[0].unit is None and gazetteer.children(premises.premises_id):
            found.add(one.home_id)
    return frozenset(found)
