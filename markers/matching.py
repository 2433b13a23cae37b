"""One location against every marker in force: graded matches, and how the check ends.

Each thing that was given (address, UPRN, postcode, position, telephone number) is judged by itself and
says whether it could be decided. `clear` needs every one of them decided and nothing found: an input that
could not be understood never disappears behind one that could.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shapely import Point as ShapelyPoint
from shapely.geometry.base import BaseGeometry

from markers import ground
from markers.address import Written, read_address
from markers.compare import Verdict
from markers.gazetteer import Gazetteer
from markers.index import MarkerIndex
from markers.location import Location, Spot
from markers.model import Category, Grade, Marker, Match, Precision, Premises, State, Status, SubBuilding
from markers.resolve import Resolution, resolve, resolve_premises

_STRENGTH = {grade: rank for rank, grade in enumerate(Grade)}
_VERDICT_GRADE = {
    Verdict.SAME: (Grade.PREMISES, SubBuilding.SAME),
    Verdict.POSSIBLE: (Grade.POSSIBLE, None),
    Verdict.NOT_GIVEN: (Grade.BUILDING, SubBuilding.NOT_GIVEN),
    Verdict.DIFFERENT: (Grade.BUILDING, SubBuilding.DIFFERENT),
}


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

    `reason` says what could not be decided and what to ask, in words; None when all could.
    """

    status: Status
    matches: tuple[Match, ...]
    reason: str | None
    understood: str | None
    precision: Precision
    known: bool
    home: Premises | None
    warnings: tuple[str, ...]


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
) -> Outcome:
    """Grade every marker in force against a location. Pure over its arguments; the caller holds `index.lock`."""
    found = _Findings()
    near = _Reach(index, categories, distances, now)
    asked = read_address(location.address, location.postcode) if location.address else None
    written = _by_address(asked, index, gazetteer, now, found)
    by_uprn = _by_uprn(location, index, gazetteer, now, found)
    settled = by_uprn if by_uprn is not None else written
    grounds = [
        ground.of_resolution(resolution, asked.postcode if asked is not None else location.postcode, gazetteer)
        for resolution in (written, by_uprn)
        if resolution is not None
    ]
    if location.postcode and not location.address:
        grounds.append(_by_postcode(location, settled, index, gazetteer, now, found))
    for area in grounds:
        near.markers_on(area, found)
    spot = location.spot
    if spot is not None:
        agreeing = [area for area in grounds if area is not None and not near.apart(area, spot)]
        decides = settled is None or not settled.decidable or not agreeing
        near.markers_around(spot, gazetteer, found, decides=decides)
    _compare_inputs(written, by_uprn, spot, grounds, near, found)
    if location.phone:
        _by_phone(location, index, now, found)
    found.warnings += location.warnings
    return _conclude(location, settled, distances, found)


def _by_address(
    asked: Written | None, index: MarkerIndex, gazetteer: Gazetteer, now: datetime, found: _Findings
) -> Resolution | None:
    if asked is None:
        return None
    resolution = resolve(asked, gazetteer, index.homes)
    _take(resolution, index, now, found)
    return resolution


def _by_uprn(
    location: Location, index: MarkerIndex, gazetteer: Gazetteer, now: datetime, found: _Findings
) -> Resolution | None:
    if not location.uprn:
        return None
    for marker_id in index.with_uprn(location.uprn):
        if (marker := _in_force(index, marker_id, now)) is not None:
            found.add(Match(marker, Grade.PREMISES, (f"UPRN {location.uprn} = its UPRN",), 1.0, SubBuilding.SAME))
    home = gazetteer.by_uprn(location.uprn)
    if home is None:
        found.problems.append(
            f"UPRN {location.uprn} is not in the gazetteer. Give the written address too."
            if not location.address
            else f"UPRN {location.uprn} is not in the gazetteer, so it could not be compared with the address."
        )
        return None
    resolution = resolve_premises(home, gazetteer, index.homes)
    _take(resolution, index, now, found)
    return resolution


def _take(resolution: Resolution, index: MarkerIndex, now: datetime, found: _Findings) -> None:
    for marked in resolution.marked:
        marker = _in_force(index, marked.home_id, now)
        if marker is None or marked.verdict is Verdict.ELSEWHERE:
            continue
        grade, sub_building = _VERDICT_GRADE[marked.verdict]
        applies = marked.verdict is not Verdict.DIFFERENT
        found.add(Match(marker, grade, marked.why, marked.confidence, sub_building, applies=applies))
    found.warnings += resolution.warnings
    if not resolution.decidable:
        found.problems.append(
            resolution.problem or "The address could not be understood. Ask for number, street and postcode."
        )


def _by_postcode(
    location: Location,
    settled: Resolution | None,
    index: MarkerIndex,
    gazetteer: Gazetteer,
    now: datetime,
    found: _Findings,
) -> BaseGeometry | None:
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
    return ground.of_postcode(postcode, gazetteer)


@dataclass(frozen=True, slots=True)
class _Reach:
    """What lies on, or near, a piece of ground. Every home's point is a building's middle, so distances get slack."""

    index: MarkerIndex
    categories: Mapping[str, Category]
    distances: Distances
    now: datetime

    def apart(self, area: BaseGeometry, spot: Spot) -> bool:
        """Whether a written location and a position are too far apart to be the same place."""
        return bool(area.distance(spot.shape) > self.distances.mismatch_m)

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
                hulls[postcode] = ground.of_postcode(postcode or "", gazetteer)
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


def _compare_inputs(
    written: Resolution | None,
    by_uprn: Resolution | None,
    spot: Spot | None,
    grounds: list[BaseGeometry | None],
    near: _Reach,
    found: _Findings,
) -> None:
    if written is not None and by_uprn is not None and by_uprn.home is not None:
        home = written.home
        if home is not None and home.premises_id != by_uprn.home.premises_id:
            found.warnings.append(
                f"The address and the UPRN disagree: {home.address} / {by_uprn.home.address}. Both were checked."
            )
    apart = [area for area in grounds if area is not None and spot is not None and near.apart(area, spot)]
    if apart and spot is not None:
        away = min(area.distance(ShapelyPoint(spot.centre.easting, spot.centre.northing)) for area in apart)
        line = f"The address and the {spot.given_as} disagree: {away:,.0f} m apart."
        if written is None and by_uprn is None:
            found.problems.append(f"{line.replace('address', 'postcode', 1)} Ask which is right.")
        else:
            found.warnings.append(f"{line} Both were checked. Ask which is right.")


def _in_force(index: MarkerIndex, marker_id: str, now: datetime) -> Marker | None:
    marker = index.get(marker_id)
    return marker if marker is not None and marker.state_at(now) is State.IN_FORCE else None


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
