"""Builds the neighbourhood: plan, plots and doors in, premises with positions out."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from shapely import affinity
from shapely.geometry import LineString, Polygon
from shapely.ops import unary_union

from markers.address import local_id
from markers.model import Point, Premises
from overlay.quillmarket import markings
from overlay.quillmarket.doors import Door, Names, doors_of_block, doors_of_plot
from overlay.quillmarket.plan import BLOCKS, EXCLUSION_ZONE, QUAY_STEPS, STREETS
from overlay.quillmarket.plots import block_footprint, plots_along

MARKET_CROSS = Point(596_000.0, 179_000.0)
"""The middle of the town on the National Grid: open water, 4.8 km from the nearest food premises of the FHRS (2020)."""

FIRST_UPRN = 999_990_000_001
TURN = 9.0
TOWN = "London"


@dataclass(frozen=True, slots=True)
class Try:
    """An address to try first, what the check must say, and why."""

    address: str
    expect: Literal["hit", "clear", "could_not_check"]
    because: str


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """The whole invented town. Geometry in National Grid metres, nothing in it real.

    `homes` are all premises, shops and offices too; `dwellings` are the ids of those people live in, the only
    ones that carry a marker. `footprints` and `building_of` go by building ("14 Tallow Yard", "Quarto Tower").
    `markers` are rows with the columns of `overlay markers import`, whose three dates are days from today ("-30").
    """

    homes: tuple[Premises, ...]
    dwellings: frozenset[str]
    footprints: dict[str, Polygon]
    building_of: dict[str, str]
    streets: dict[str, LineString]
    boundary: Polygon
    markers: tuple[dict[str, str], ...]
    tries: tuple[Try, ...]


def build(seed: int = 9) -> Neighbourhood:
    """The neighbourhood of a seed: the same seed gives the same town, every time and everywhere."""
    rng = random.Random(seed)  # noqa: S311 - draws an invented town, guards nothing
    names = Names(rng)
    footprints: dict[str, Polygon] = {}
    building_of: dict[str, str] = {}
    homes: list[Premises] = []
    dwellings: set[str] = set()

    def settle(building: str, footprint: Polygon, postcode: str, doors: Iterable[Door], *, uprns: bool) -> None:
        ground = _on_grid(footprint)
        footprints[building] = ground
        middle = ground.representative_point()
        point = Point(round(middle.x, 2), round(middle.y, 2))
        for door in doors:
            address = f"{door.address}, {TOWN}"
            uprn = str(FIRST_UPRN + len(homes)) if uprns else None
            premises = Premises(uprn or local_id(address, postcode), address, postcode, uprn, point)
            homes.append(premises)
            building_of[premises.premises_id] = building
            if door.is_home:
                dwellings.add(premises.premises_id)

    for plot in plots_along(STREETS, BLOCKS, rng):
        doors = doors_of_plot(plot, names, rng)
        settle(f"{plot.number} {plot.street.name}", plot.footprint, plot.postcode, doors, uprns=True)
    for block in BLOCKS:
        doors = doors_of_block(block, names)
        settle(block.name, block_footprint(block), block.postcode, doors, uprns=block.has_uprns)

    streets = {street.name: _line_on_grid(street.line) for street in STREETS}
    tries = _tries()
    places = markings.Places(
        dwellings=tuple(home for home in homes if home.premises_id in dwellings),
        building_of=building_of,
        hotel=footprints["The Gilded Nib Hotel"],
        station=footprints["Quillmarket Station"],
        exclusion=_on_grid(Polygon(EXCLUSION_ZONE)),
        quay_steps=Point(*_line_on_grid((QUAY_STEPS, QUAY_STEPS)).coords[0]),
    )
    return Neighbourhood(
        homes=tuple(homes),
        dwellings=frozenset(dwellings),
        footprints=footprints,
        building_of=building_of,
        streets=streets,
        boundary=_boundary(footprints.values(), streets.values()),
        markers=markings.mark(places, rng),
        tries=tries,
    )


def _tries() -> tuple[Try, ...]:
    return (
        Try("Flat 3, 14 Tallow Yard, EC9A 1AB", "hit", "a home with a child protection plan"),
        Try("8 Foolscap Lane, EC9A 1AP", "clear", "a house of its own, known to the gazetteer, with no marker"),
        Try("Blotter Street, EC9A 1AR", "could_not_check", "a street without a number: any home in it could be meant"),
    )


def _on_grid(shape: Polygon) -> Polygon:
    return Polygon(_line_on_grid(shape.exterior.coords))


def _line_on_grid(line: Iterable[tuple[float, ...]]) -> LineString:
    """Turned about the market cross, set down on the National Grid and rounded to centimetres."""
    turned = affinity.rotate(LineString(list(line)), TURN, origin=(0, 0))
    return LineString(_rounded(affinity.translate(turned, MARKET_CROSS.easting, MARKET_CROSS.northing).coords))


def _rounded(coordinates: Iterable[tuple[float, ...]]) -> list[tuple[float, float]]:
    return [(round(x, 2), round(y, 2)) for x, y in coordinates]


def _boundary(footprints: Iterable[Polygon], streets: Iterable[LineString]) -> Polygon:
    """The town with 25 m around it, gaps closed and corners eased."""
    built = (
        unary_union([shape.buffer(60, quad_segs=2) for shape in (*footprints, *streets)])
        .buffer(-35, quad_segs=2)
        .simplify(4)
    )
    if not isinstance(built, Polygon):
        raise ValueError("The streets of the plan do not hang together: the boundary is in several pieces.")
    return Polygon(_rounded(built.exterior.coords))
