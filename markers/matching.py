"""One location against every marker in force: graded matches, and how the check ends.

Each thing that was given (address, UPRN, postcode, position, telephone number) is judged by itself and
says whether it could be decided. `clear` needs every one of them decided and nothing found: an input that
could not be understood never disappears behind one that could.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import combinations

from shapely import Point as ShapelyPoint
from shapely.geometry.base import BaseGeometry

from markers import ground, parents
from markers.address import Written, read_address
from markers.compare import Verdict
from markers.gazetteer import Gazetteer
from markers.index import MarkerIndex
from markers.location import Location, Spot
from markers.model import Category, Grade, Marker, Match, Precision, Premises, Status, SubBuilding
from markers.resolve import Resolution, resolve, resolve_premises

_STRENGTH = {grade: rank for rank, grade in enumerate(Grade)}
_VERDICT_GRADE = {
    Verdict.SAME: (Grade.PREMISES, SubBuilding.SAME),
    Verdict.POSSIBLE: (Grade.POSSIBLE, None),
    Verdict.NOT_GIVEN: (Grade.BUILDING, SubBuilding.NOT_GIVEN),
    Verdict.DIFFERENT: (Grade.BUILDING, SubBuilding.DIFFERENT),
}
_LOCATED = 0.5
"""How much of a match's confidence is left where another geocoder's position brought it."""


@dataclass(frozen=True, slots=True)
class Distances:
    """How near is near, in metres; an area sets its own.

    A position given without uncertainty is taken as a circle of `point_tolerance_m`, because a gazetteer's
    point is a building's middle, not its door. A position wider than `vague_above_m` can't be decided.
    An address and a position farther apart than `mismatch_m` disagree.
    """

    point_tolerance_m: float = 25.0
    vague_above_m: float = 100.0
    mismatch_m: float = 100.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a location means. `home` is the gazetteer's home when there is exactly one it can be.

    `reason` says what could not be decided and what to ask, in words; None when all could. `could_mean` counts the
    marked premises that an undecided street or building could mean and that are not among the matches.
    """

    status: Status
    matches: tuple[Match, ...]
    reason: str | None
    understood: str | None
    precision: Precision
    known: bool
    home: Premises | None
    warnings: tuple[str, ...]
    could_mean: int = 0


@dataclass(slots=True)
class _Findings:
    """What has been gathered so far. `problems` are the inputs that could not be decided."""

    matches: dict[str, Match] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    vague_position: bool = False
    warnings: list[str] = field(default_factory=list)

    def add(self, match: Match) -> None:
        """Keep the strongest grade of each marker; what only tells of another home never outranks what applies."""
        known = self.matches.get(match.marker.marker_id)
        if known is None or _merit(match) < _merit(known):
            self.matches[match.marker.marker_id] = match


def _merit(match: Match) -> tuple[bool, int, float]:
    return (not match.applies, _STRENGTH[match.grade], -match.confidence)


def match(
    location: Location,
    index: MarkerIndex,
    gazetteer: Gazetteer,
    categories: Mapping[str, Category],
    distances: Distances,
    now: datetime,
    *,
    located: Spot | None = None,
) -> Outcome:
    """Grade every marker in force against a location. Pure over its arguments; the caller holds `index.lock`.

    `located` is where another geocoder puts an address the gazetteer lacks: it adds matches and warnings, and decides
    nothing.
    """
    found = _Findings()
    near = _Reach(index, categories, distances, now)
    spread = distances.point_tolerance_m
    asked = read_address(location.address, location.postcode) if location.address else None
    written = _by_address(asked, index, gazetteer, now, found)
    own = _by_its_own_postcode(location)
    otherwise = _by_address(own, index, gazetteer, now, found)
    _compare_postcodes(location, own, written, otherwise, gazetteer, found)
    by_uprn = (
        None if _is_building_of(location.uprn, written, gazetteer) else _by_uprn(location, index, gazetteer, now, found)
    )
    settled = by_uprn if by_uprn is not None else written
    postcode = asked.postcode if asked is not None else location.postcode
    grounds = {
        label: ground.of_resolution(resolution, given, gazetteer, spread)
        for label, resolution, given in (
            ("address", written, postcode),
            ("address by its own postcode", otherwise, own.postcode if own is not None else None),
            ("UPRN", by_uprn, postcode),
        )
        if resolution is not None
    }
    if location.postcode and not location.address:
        _by_postcode(location, settled, index, gazetteer, now, found)
        grounds["postcode"] = ground.of_postcode(location.postcode, gazetteer, spread)
    for area in grounds.values():
        near.markers_on(area, found)
    spot = location.spot
    if spot is not None:
        agreeing = [area for area in grounds.values() if area is not None and not near.apart(area, spot.shape)]
        decides = settled is None or not settled.decidable or not agreeing
        near.markers_around(spot, gazetteer, found, decides=decides)
    if location.postcode and otherwise is None and written is not None and not _is_in(written.home, location.postcode):
        grounds["postcode"] = ground.of_postcode(location.postcode, gazetteer, spread)
    told = _compare_homes(written, by_uprn, grounds, gazetteer, found)
    _compare_grounds(grounds, spot, near, found, asks=settled is None, told=told)
    if located is not None:
        near.markers_where_located(located, found)
        _compare_grounds({"address": grounds.get("address")}, located, near, found)
    if location.phone:
        _by_phone(location, index, now, found)
    found.warnings += location.warnings
    outcome = _conclude(location, settled, distances, found)
    if outcome.status is not Status.COULD_NOT_CHECK or settled is None or settled.decidable:
        return outcome
    return replace(outcome, could_mean=_could_mean(settled, index, now, found))


def _could_mean(vague: Resolution, index: MarkerIndex, now: datetime, found: _Findings) -> int:
    """How many marked premises stand on the street, or in the building, that was all that could be understood."""
    phrases = {reading.key for reading in read_address(vague.understood or "").readings if reading.key}
    places = {
        marker.place.premises_id or marker.place.address
        for phrase in phrases
        for marker_id in index.homes.on_phrase(phrase)
        if marker_id not in found.matches and (marker := _in_force(index, marker_id, now)) is not None
    }
    return len(places)


def _by_address(
    asked: Written | None, index: MarkerIndex, gazetteer: Gazetteer, now: datetime, found: _Findings
) -> Resolution | None:
    if asked is None:
        return None
    resolution = _take(resolve(asked, gazetteer, index.homes), index, gazetteer, now, found)
    if resolution.home is not None and resolution.home.uprn:
        _with_uprn(resolution.home.uprn, index, now, found, confidence=0.5)  # the words' own reasons say more
    return resolution


def _by_its_own_postcode(location: Location) -> Written | None:
    """The address as its own text has it, where another postcode was given beside it: both are then checked."""
    if location.address is None or location.postcode is None:
        return None
    own = read_address(location.address)
    return own if own.postcode not in (None, location.postcode) else None


def _is_in(home: Premises | None, postcode: str) -> bool:
    return home is not None and home.postcode == postcode


def _is_building_of(uprn: str | None, written: Resolution | None, gazetteer: Gazetteer) -> bool:
    """Whether a UPRN names only the building of the home that is written beside it: the address then says more."""
    if uprn is None or written is None or written.home is None:
        return False
    return uprn in parents.buildings(written.home, gazetteer)


def _with_uprn(uprn: str, index: MarkerIndex, now: datetime, found: _Findings, confidence: float = 1.0) -> None:
    """Markers that were given this UPRN, however their address is written."""
    for marker_id in index.with_uprn(uprn):
        if (marker := _in_force(index, marker_id, now)) is not None:
            found.add(Match(marker, Grade.PREMISES, (f"UPRN {uprn} = its UPRN",), confidence, SubBuilding.SAME))


def _by_uprn(
    location: Location, index: MarkerIndex, gazetteer: Gazetteer, now: datetime, found: _Findings
) -> Resolution | None:
    if not location.uprn:
        return None
    _with_uprn(location.uprn, index, now, found)
    home = gazetteer.by_uprn(location.uprn)
    known = (
        resolve_premises(home, gazetteer, index.homes)
        if home is not None
        else parents.unlisted(location.uprn, gazetteer)
    )
    if known is None:
        found.problems.append(
            f"UPRN {location.uprn} is not in the gazetteer. Give the written address too."
            if not location.address
            else f"UPRN {location.uprn} is not in the gazetteer, so it could not be compared with the address."
        )
        return None
    return _take(known, index, gazetteer, now, found)


def _take(
    resolution: Resolution, index: MarkerIndex, gazetteer: Gazetteer, now: datetime, found: _Findings
) -> Resolution:
    """Gather what an address or UPRN brings; the same resolution, corrected where it is a building of other homes."""
    kin = parents.kin(resolution, gazetteer, index)
    if kin.homes:
        resolution = parents.without_its_flat(resolution, kin.homes)
    for marked in resolution.marked:
        marker = _in_force(index, marked.home_id, now)
        if marker is None or marked.verdict is Verdict.ELSEWHERE or marked.home_id in kin.inside:
            continue
        grade, sub_building = _VERDICT_GRADE[marked.verdict]
        applies = marked.verdict is not Verdict.DIFFERENT
        found.add(Match(marker, grade, marked.why, marked.confidence, sub_building, applies=applies))
    _take_kin(kin, index, now, found)
    found.warnings += resolution.warnings
    if not resolution.decidable:
        found.problems.append(
            resolution.problem or "The address could not be understood. Ask for number, street and postcode."
        )
    return resolution


def _take_kin(kin: parents.Kin, index: MarkerIndex, now: datetime, found: _Findings) -> None:
    """Markers on the building, on its parts and on the other homes in it. No reason names another home."""
    different, not_given = SubBuilding.DIFFERENT, SubBuilding.NOT_GIVEN
    for marker_ids, grade, sub_building, why, confidence in (
        (kin.whole, Grade.BUILDING, None, "the whole building is marked", 1.0),
        (kin.maybe_whole, Grade.POSSIBLE, None, "may be in a building that is marked as a whole", 0.4),
        (kin.inside, Grade.BUILDING, not_given, "a home in this building is marked; no flat was given", 0.5),
        (kin.beside, Grade.BUILDING, different, "another home in this building is marked", 0.3),
    ):
        for marker_id in sorted(marker_ids):
            if (marker := _in_force(index, marker_id, now)) is not None:
                applies = sub_building is not different
                found.add(Match(marker, grade, (why,), confidence, sub_building, applies=applies))


def _by_postcode(
    location: Location,
    settled: Resolution | None,
    index: MarkerIndex,
    gazetteer: Gazetteer,
    now: datetime,
    found: _Findings,
) -> None:
    """Every marked home of the postcode is context: a postcode never decides, but it may contradict what does."""
    postcode = location.postcode or ""
    homes = gazetteer.in_postcode(postcode)
    marked = index.with_postcode(postcode).union(*(index.with_uprn(home.uprn) for home in homes if home.uprn))
    for marker_id in sorted(marked):
        if (marker := _in_force(index, marker_id, now)) is not None:
            found.add(Match(marker, Grade.NEARBY, (f"a home in {postcode}",), 0.3, applies=False))
    if settled is not None and settled.home is not None and settled.home.postcode not in (None, postcode):
        found.problems.append(f"The UPRN is in {settled.home.postcode}, not in {postcode}. Ask which is right.")
    elif settled is None and location.spot is None:
        how_many = f"{len(homes)} addresses" if homes else "no address"
        found.problems.append(
            f"A postcode alone is not a home: the gazetteer has {how_many} in {postcode}. Ask for number and street."
        )


@dataclass(frozen=True, slots=True)
class _Reach:
    """What lies on, or near, a piece of ground. Every home's point is a building's middle, so distances get slack."""

    index: MarkerIndex
    categories: Mapping[str, Category]
    distances: Distances
    now: datetime

    def apart(self, area: BaseGeometry, other: BaseGeometry) -> bool:
        """Whether two things that were given are too far apart to be the same place."""
        return bool(area.distance(other) > self.distances.mismatch_m)

    def markers_on(self, area: BaseGeometry | None, found: _Findings) -> None:
        """Zones and markers without an address, on the ground of a written location. None: it has no position."""
        if area is not None:
            self._zones(area, found, applies=False)
            self._unaddressed(area, found)
            for category in self.categories.values():
                if category.nearby_m > 0:
                    self._homes(category.code, area, found, "the category's distance", applies=False)
        elif not found.problems and (self._any(self.index.zones.ids()) or self._any(self.index.unaddressed.ids())):
            found.problems.append(
                "This address has no position, so exclusion and other zones could not be checked. "
                "Give its postcode, a grid reference or the caller's position."
            )

    def markers_around(self, spot: Spot, gazetteer: Gazetteer, found: _Findings, *, decides: bool) -> None:
        """Zones and homes around a position. `decides` is False when an address already says which home it is."""
        self._zones(spot.shape, found, applies=decides)
        self._unaddressed(spot.shape, found)
        for code in tuple(self.index.points):
            self._homes(code, spot.shape, found, "by the position given", applies=decides)
        if decides:
            self._homes_without_position(spot.shape, gazetteer, found)
        if spot.radius_m > self.distances.vague_above_m:
            found.vague_position = True
            found.problems.append(
                f"The {spot.given_as} could be anywhere within {spot.radius_m:,.0f} m. "
                "Ask for the address, a street or a landmark."
            )

    def markers_where_located(self, located: Spot, found: _Findings) -> None:
        """Zones and homes around where another geocoder puts the address: doubts and context, never sure."""
        seen = _Findings()
        self._zones(located.shape, seen, applies=False)
        self._unaddressed(located.shape, seen)
        for code in tuple(self.index.points):
            self._homes(code, located.shape, seen, "by that position", applies=False)
        for match in seen.matches.values():
            found.add(
                replace(match, why=(*match.why, f"by the {located.given_as}"), confidence=_LOCATED * match.confidence)
            )
        centre = located.centre
        found.warnings.append(
            f"The {located.given_as} is {centre.easting:.0f} {centre.northing:.0f}, within {located.radius_m:.0f} m: "
            "a hint only, as the gazetteer does not know the address."
        )

    def _zones(self, area: BaseGeometry, found: _Findings, *, applies: bool) -> None:
        """Zones the ground lies in, or may lie in. One only within its category's distance is nearby.

        A vague piece of ground is wide already and gets no slack; a point or a stated circle does.
        """
        zones = self.index.zones
        vague = not applies and area.area > 0
        slack = 0.0 if vague else self.distances.point_tolerance_m
        for marker_id, distance in zones.within(area, 0.0 if vague else self._widest()):
            marker = _in_force(self.index, marker_id, self.now)
            if marker is None or distance > self._slack(self._category(marker)):
                continue
            if zones.covers(marker_id, area):
                found.add(Match(marker, Grade.ZONE, ("inside the marker's area",), 1.0, distance_m=0.0))
            elif distance <= slack:
                why = "may be inside the marker's area: its edge is here"
                found.add(Match(marker, Grade.ZONE, (why,), 0.5, distance_m=round(distance, 1)))
            else:
                why = f"{distance:.0f} m from the marker's area"
                near = Match(marker, Grade.NEARBY, (why,), 0.3, distance_m=round(distance, 1), applies=applies)
                found.add(near)

    def _homes(self, code: str, area: BaseGeometry, found: _Findings, why: str, *, applies: bool) -> None:
        """Marked homes within a category's distance: nearby, whichever home they are."""
        for marker_id, distance in self.index.points[code].within(area, self._slack(self.categories.get(code))):
            if (marker := _in_force(self.index, marker_id, self.now)) is not None:
                reasons, away = (f"{distance:.0f} m away, {why}",), round(distance, 1)
                found.add(Match(marker, Grade.NEARBY, reasons, 0.4, distance_m=away, applies=applies))

    def _unaddressed(self, area: BaseGeometry, found: _Findings) -> None:
        """A marker with a position but no address may be this very home."""
        for marker_id, distance in self.index.unaddressed.within(area, self._widest()):
            marker = _in_force(self.index, marker_id, self.now)
            if marker is not None and distance <= self._slack(self._category(marker)):
                why = f"{distance:.0f} m away: a marker without an address"
                found.add(Match(marker, Grade.POSSIBLE, (why,), 0.4, distance_m=round(distance, 1)))

    def _homes_without_position(self, area: BaseGeometry, gazetteer: Gazetteer, found: _Findings) -> None:
        """A marked home that nobody has placed may be anywhere in its postcode, or anywhere."""
        hulls: dict[str | None, BaseGeometry | None] = {None: None}
        for marker_id in sorted(self.index.without_position):
            marker = _in_force(self.index, marker_id, self.now)
            if marker is None or marker_id in found.matches:
                continue
            postcode = marker.place.postcode
            if postcode not in hulls:
                hulls[postcode] = ground.of_postcode(postcode or "", gazetteer, self.distances.point_tolerance_m)
            hull = hulls[postcode]
            if hull is None:
                found.problems.append("Some markers have no position. Ask for the address too.")
                return
            if hull.distance(area) <= self._slack(self._category(marker)):
                found.add(Match(marker, Grade.NEARBY, (f"somewhere in {postcode}",), 0.2))

    def _category(self, marker: Marker) -> Category | None:
        return self.categories.get(marker.category)

    def _slack(self, category: Category | None) -> float:
        return self.distances.point_tolerance_m + (category.nearby_m if category is not None else 0.0)

    def _widest(self) -> float:
        reaches = (category.nearby_m for category in self.categories.values())
        return self.distances.point_tolerance_m + max(reaches, default=0.0)

    def _any(self, marker_ids: Iterable[str]) -> bool:
        return any(_in_force(self.index, marker_id, self.now) is not None for marker_id in marker_ids)


def _by_phone(location: Location, index: MarkerIndex, now: datetime, found: _Findings) -> None:
    phone = location.phone or ""
    for marker_id in index.with_phone(phone):
        if (marker := _in_force(index, marker_id, now)) is not None:
            found.add(Match(marker, Grade.PHONE, ("the caller's number = its number",), 1.0))
    if not location.phone_complete:
        found.problems.append("The telephone number is not a whole one, so it could not be checked. Ask for it again.")
    if not (location.address or location.uprn or location.postcode or location.spot):
        found.problems.append("Only a telephone number was given. Ask where the caller is.")


def _compare_postcodes(
    location: Location,
    own: Written | None,
    written: Resolution | None,
    otherwise: Resolution | None,
    gazetteer: Gazetteer,
    found: _Findings,
) -> None:
    """A postcode in the text and another beside it: which is right is asked, unless both mean the same home."""
    if own is None:
        return
    text_area, beside_area = (
        ground.of_postcode(one or "", gazetteer, 0.0) for one in (own.postcode, location.postcode)
    )
    away = ""
    if text_area is not None and beside_area is not None:
        away = f", {ground.metres_apart(text_area, beside_area):,.0f} m apart"
    found.warnings.append(
        f"The address says {own.postcode}, but {location.postcode} was given beside it{away}. Both were checked."
    )
    homes = {one.home for one in (written, otherwise) if one is not None}
    if len(homes) > 1 or None in homes:
        found.problems.append(f"{own.postcode} and {location.postcode} were both given. Ask which is right.")


def _compare_homes(
    written: Resolution | None,
    by_uprn: Resolution | None,
    grounds: dict[str, BaseGeometry | None],
    gazetteer: Gazetteer,
    found: _Findings,
) -> bool:
    """Whether the home that is written and the UPRN's differ, both being known and neither in the other; says so."""
    home = written.home if written is not None else None
    other = by_uprn.home if by_uprn is not None else None
    if home is None or other is None or home.premises_id == other.premises_id:
        return False
    if home.premises_id in parents.buildings(other, gazetteer):
        return False
    area, other_area = grounds["address"], grounds["UPRN"]
    away = ""
    if area is not None and other_area is not None:
        away = f", {ground.metres_apart(area, other_area):,.0f} m apart"
    found.warnings.append(
        f"The address and the UPRN disagree: {home.address} / {other.address}{away}. Both were checked. "
        "Ask which is right."
    )
    return True


def _compare_grounds(
    grounds: Mapping[str, BaseGeometry | None],
    spot: Spot | None,
    near: _Reach,
    found: _Findings,
    *,
    asks: bool = False,
    told: bool = False,
) -> None:
    """Every pair of the things that were given that can't be one place, with the metres between them.

    `asks` when a postcode and a position are all there is: then which of them is right must be asked. `told` when
    address and UPRN have already been said to differ.
    """
    # Each place as its ground, which decides, and the part of it a person measures from.
    places = [(label, area, area) for label, area in grounds.items() if area is not None]
    if spot is not None:
        places.append((spot.given_as, spot.shape, ShapelyPoint(spot.centre.easting, spot.centre.northing)))
    for (label, area, measured), (other_label, other, other_measured) in combinations(places, 2):
        if not near.apart(area, other) or (told and (label, other_label) == ("address", "UPRN")):
            continue
        away = ground.metres_apart(measured, other_measured)
        line = f"The {label} and the {other_label} disagree: {away:,.0f} m apart."
        if asks:
            found.problems.append(f"{line} Ask which is right.")
        else:
            found.warnings.append(f"{line} Both were checked. Ask which is right.")


def _in_force(index: MarkerIndex, marker_id: str, now: datetime) -> Marker | None:
    marker = index.get(marker_id)
    return marker if marker is not None and marker.state_at(now).applies else None


def _conclude(location: Location, settled: Resolution | None, distances: Distances, found: _Findings) -> Outcome:
    applies = [item for item in found.matches.values() if item.applies]
    only_somewhere_near = found.vague_position and all(item.grade is Grade.NEARBY for item in applies)
    if applies and not only_somewhere_near:
        status = Status.HIT
    elif found.problems:
        status = Status.COULD_NOT_CHECK
    else:
        status = Status.CLEAR
    ordered = sorted(
        found.matches.values(), key=lambda item: (*_merit(item), item.distance_m or 0.0, item.marker.reference)
    )
    return Outcome(
        status=status,
        matches=tuple(ordered),
        reason=" ".join(dict.fromkeys(found.problems)) or None,
        understood=_understood(location, settled),
        precision=_precision(location, settled, distances),
        known=settled is not None and settled.known,
        home=settled.home if settled is not None else None,
        warnings=tuple(dict.fromkeys(found.warnings)),
    )


def _understood(location: Location, settled: Resolution | None) -> str | None:
    if settled is not None and settled.understood:
        return settled.understood
    if location.spot is not None:
        centre = location.spot.centre
        return f"{centre.easting:.0f} {centre.northing:.0f}, within {location.spot.radius_m:.0f} m"
    return location.postcode or location.phone


def _precision(location: Location, settled: Resolution | None, distances: Distances) -> Precision:
    if settled is not None and (settled.decidable or location.spot is None):
        return settled.precision
    if location.spot is not None:
        return Precision.POINT if location.spot.radius_m <= distances.vague_above_m else Precision.AREA
    return Precision.AREA if location.postcode else Precision.UNKNOWN
