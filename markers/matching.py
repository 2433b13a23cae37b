"""One location against every marker in force: graded matches, and how the check ends.

Each thing that was given (address, UPRN, postcode, position, telephone number) is judged by itself and
says whether it could be decided. `clear` needs every one of them decided and nothing found: an input that
could not be understood never disappears behind one that could.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shapely import MultiPoint
from shapely import Point as ShapelyPoint
from shapely.geometry.base import BaseGeometry

from markers.address import read_address
from markers.compare import Verdict
from markers.gazetteer import Gazetteer
from markers.index import MarkerIndex
from markers.location import Location, Spot
from markers.model import Category, Grade, Marker, Match, Point, Precision, Premises, State, Status, SubBuilding
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
    context: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    vague_position: bool = False
    warnings: list[str] = field(default_factory=list)

    def add(self, match: Match, *, context: bool = False) -> None:
        """Keep the strongest grade of each marker; `context` does not make a hit by itself."""
        marker_id = match.marker.marker_id
        known = self.matches.get(marker_id)
        if known is None or (_STRENGTH[match.grade], -match.confidence) < (_STRENGTH[known.grade], -known.confidence):
            self.matches[marker_id] = match
            if context:
                self.context.add(marker_id)
            else:
                self.context.discard(marker_id)
        elif not context and match.grade is known.grade:
            self.context.discard(marker_id)


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
    written = _by_address(location, index, gazetteer, now, found)
    by_uprn = _by_uprn(location, index, gazetteer, now, found)
    settled = by_uprn if by_uprn is not None and by_uprn.home is not None else written
    if location.postcode and not location.address and not location.uprn:
        _by_postcode(location.postcode, index, gazetteer, now, found, alone=location.spot is None)
    placed = len(index.zones) > 0 or location.spot is not None
    grounds = _grounds(settled, location, gazetteer) if placed else None
    if grounds is not None:
        _in_zones(grounds, index, now, found)
    elif (location.address or location.uprn) and not found.problems and _has_zones(index, now):
        found.problems.append(
            "This address has no position, so exclusion and other zones could not be checked. "
            "Give its postcode, a grid reference or the caller's position."
        )
    _compare_inputs(written, by_uprn, location, grounds, distances, found)
    if location.spot is not None:
        apart = grounds is None or _apart(grounds, location.spot, distances)
        decides = apart or settled is None or not settled.decidable
        _near_spot(location.spot, index, categories, distances, now, found, decides=decides)
    if location.phone:
        _by_phone(location, index, now, found)
    found.warnings += location.warnings
    return _conclude(location, settled, distances, found)


def _by_address(
    location: Location, index: MarkerIndex, gazetteer: Gazetteer, now: datetime, found: _Findings
) -> Resolution | None:
    if not location.address:
        return None
    resolution = resolve(read_address(location.address, location.postcode), gazetteer, index.homes)
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
        found.add(
            Match(marker, grade, marked.why, marked.confidence, sub_building),
            context=marked.verdict is Verdict.DIFFERENT,
        )
    found.warnings += resolution.warnings
    if not resolution.decidable:
        found.problems.append(
            resolution.problem or "The address could not be understood. Ask for number, street and postcode."
        )


def _by_postcode(
    postcode: str, index: MarkerIndex, gazetteer: Gazetteer, now: datetime, found: _Findings, *, alone: bool
) -> None:
    """Every marked home of the postcode is context; a postcode by itself never decides."""
    homes = gazetteer.in_postcode(postcode)
    marked = index.with_postcode(postcode).union(*(index.with_uprn(home.uprn) for home in homes if home.uprn))
    for marker_id in sorted(marked):
        if (marker := _in_force(index, marker_id, now)) is not None:
            found.add(Match(marker, Grade.NEARBY, (f"a home in {postcode}",), 0.3), context=True)
    if alone:
        how_many = f"{len(homes)} addresses" if homes else "No address of it is"
        found.problems.append(
            f"A postcode alone is not a home: {how_many} in the gazetteer for {postcode}. Ask for number and street."
        )


def _grounds(settled: Resolution | None, location: Location, gazetteer: Gazetteer) -> BaseGeometry | None:
    """The ground the written part of a location covers: a home's point, or the hull of those it could be."""
    points: list[Point] = []
    postcode = location.postcode
    if settled is not None:
        homes = (settled.home,) if settled.home is not None else settled.candidates
        points = [home.point for home in homes if home.point is not None]
        if not points and settled.home is not None:
            postcode = postcode or settled.home.postcode
        if not points and settled.home is None and location.address and postcode is None:
            postcode = read_address(location.address).postcode
    if not points and postcode:
        points = [home.point for home in gazetteer.in_postcode(postcode) if home.point is not None]
    if not points:
        return None
    if len(points) == 1:
        return ShapelyPoint(points[0].easting, points[0].northing)
    return MultiPoint([(point.easting, point.northing) for point in points]).convex_hull


def _in_zones(ground: BaseGeometry, index: MarkerIndex, now: datetime, found: _Findings, slack_m: float = 0.0) -> None:
    for marker_id, _ in index.zones.within(ground, slack_m):
        if (marker := _in_force(index, marker_id, now)) is None:
            continue
        if index.zones.covers(marker_id, ground):
            found.add(Match(marker, Grade.ZONE, ("inside the marker's area",), 1.0, distance_m=0.0))
        else:
            found.add(
                Match(
                    marker, Grade.ZONE, ("may be inside the marker's area: its edge crosses here",), 0.5, distance_m=0.0
                )
            )


def _near_spot(
    spot: Spot,
    index: MarkerIndex,
    categories: Mapping[str, Category],
    distances: Distances,
    now: datetime,
    found: _Findings,
    *,
    decides: bool,
) -> None:
    """Zones and homes around a position. `decides` is False when an address already says which home it is."""
    _in_zones(spot.shape, index, now, found, slack_m=0.0)
    slack = distances.point_tolerance_m if spot.radius_m < distances.point_tolerance_m else 0.0
    widest = max((category.nearby_m for category in categories.values()), default=0.0)
    centre = ShapelyPoint(spot.centre.easting, spot.centre.northing)
    for marker_id, distance in index.points.within(spot.shape, slack + widest):
        marker = _in_force(index, marker_id, now)
        category = categories.get(marker.category) if marker is not None else None
        if marker is None or distance > slack + (category.nearby_m if category is not None else widest):
            continue
        place = marker.place.point
        away = centre.distance(ShapelyPoint(place.easting, place.northing)) if place is not None else distance
        inside = "within the caller's uncertainty" if spot.radius_m else "by the position given"
        found.add(
            Match(marker, Grade.NEARBY, (f"{away:.0f} m away, {inside}",), 0.4, distance_m=round(away, 1)),
            context=not decides,
        )
    if spot.radius_m > distances.vague_above_m:
        found.vague_position = True
        found.problems.append(
            f"The {spot.given_as} could be anywhere within {spot.radius_m:,.0f} m. "
            "Ask for the address, a street or a landmark."
        )


def _by_phone(location: Location, index: MarkerIndex, now: datetime, found: _Findings) -> None:
    phone = location.phone or ""
    for marker_id in index.with_phone(phone):
        if (marker := _in_force(index, marker_id, now)) is not None:
            found.add(Match(marker, Grade.PHONE, ("the caller's number = its number",), 1.0))
    if not (location.address or location.uprn or location.postcode or location.spot):
        found.problems.append("Only a telephone number was given. Ask where the caller is.")


def _compare_inputs(
    written: Resolution | None,
    by_uprn: Resolution | None,
    location: Location,
    grounds: BaseGeometry | None,
    distances: Distances,
    found: _Findings,
) -> None:
    if written is not None and by_uprn is not None and by_uprn.home is not None:
        home = written.home
        if home is not None and home.premises_id != by_uprn.home.premises_id:
            found.warnings.append(
                f"The address and the UPRN disagree: {home.address} / {by_uprn.home.address}. Both were checked."
            )
    if grounds is not None and location.spot is not None and _apart(grounds, location.spot, distances):
        away = grounds.distance(ShapelyPoint(location.spot.centre.easting, location.spot.centre.northing))
        found.warnings.append(
            f"The address and the {location.spot.given_as} disagree: {away:,.0f} m apart. "
            "Both were checked. Ask which is right."
        )


def _apart(grounds: BaseGeometry, spot: Spot, distances: Distances) -> bool:
    return bool(grounds.distance(spot.shape) > distances.mismatch_m)


def _has_zones(index: MarkerIndex, now: datetime) -> bool:
    return any(_in_force(index, marker_id, now) is not None for marker_id in index.zones.ids())


def _in_force(index: MarkerIndex, marker_id: str, now: datetime) -> Marker | None:
    marker = index.get(marker_id)
    return marker if marker is not None and marker.state_at(now) is State.IN_FORCE else None


def _conclude(location: Location, settled: Resolution | None, distances: Distances, found: _Findings) -> Outcome:
    applies = [item for marker_id, item in found.matches.items() if marker_id not in found.context]
    only_somewhere_near = found.vague_position and all(item.grade is Grade.NEARBY for item in applies)
    if applies and not only_somewhere_near:
        status = Status.HIT
    elif found.problems:
        status = Status.COULD_NOT_CHECK
    else:
        status = Status.CLEAR
    ordered = sorted(
        found.matches.values(),
        key=lambda item: (
            item.marker.marker_id in found.context,
            _STRENGTH[item.grade],
            -item.confidence,
            item.distance_m or 0.0,
            item.marker.reference,
        ),
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
