"""Plots along a street: where the buildings stand and what number each has."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import shapely
from shapely import STRtree, affinity
from shapely.geometry import LineString, Polygon, box
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from overlay.quillmarket.plan import FIXED, Block, Numbering, Street, Use

GAP = 0.6
PAVEMENT = 1.4
WIDE = 26.0
NARROW = 9.5


@dataclass(frozen=True, slots=True)
class Plot:
    """One numbered building of a street: `number` as painted on the door ("14", "12-14", "12A")."""

    street: Street
    postcode: str
    number: str
    use: Use
    flats: int
    footprint: Polygon


@dataclass(slots=True)
class _Ground:
    """What is already taken: the streets' own width, and the footprints so far."""

    carriageways: BaseGeometry
    taken: list[Polygon] = field(default_factory=list)

    def is_free(self, plot: Polygon) -> bool:
        return not self.carriageways.intersects(plot) and not shapely.dwithin(plot, self.taken, GAP * 0.9).any()


def block_footprint(block: Block) -> Polygon:
    """The rectangle of a hand-placed building, metres from the market cross."""
    (x, y), (wide, deep) = block.centre, block.size
    return affinity.rotate(box(x - wide / 2, y - deep / 2, x + wide / 2, y + deep / 2), block.turn)


def plots_along(streets: Sequence[Street], blocks: Sequence[Block], rng: random.Random) -> Iterator[Plot]:
    """Every plot of every street, none overlapping another, a block or a carriageway.

    Courts come first in the plan so that the houses of the street they open from are built around them.
    """
    ground = _Ground(
        unary_union([LineString(street.line).buffer(street.width / 2, cap_style="flat") for street in streets])
    )
    shapely.prepare(ground.carriageways)
    ground.taken.extend(block_footprint(block) for block in blocks)
    for street in streets:
        if street.numbering is not Numbering.NONE:
            yield from _along(street, ground, rng)


def _along(street: Street, ground: _Ground, rng: random.Random) -> Iterator[Plot]:
    line = LineString(street.line)
    left = _frontages(street, line, 1, ground, rng)
    right = [] if street.one_sided else _frontages(street, line, -1, ground, rng)
    if street.numbering is Numbering.AROUND:
        doors = [*left, *reversed(right)]
        numbered = [(str(number), footprint, at) for number, (footprint, at, _) in enumerate(doors, 1)]
    else:
        numbered = [*_count_by_two(1, left, street, rng), *_count_by_two(2, right, street, rng)]
    for number, footprint, at in numbered:
        use, flats = FIXED.get((street.name, number)) or _use(street, number, rng)
        half = min(int(len(street.postcodes) * at / line.length), len(street.postcodes) - 1)
        yield Plot(street, street.postcodes[half], number, use, flats, footprint)


_Front = tuple[Polygon, float, float]  # footprint, metres along the street, width of the front


def _frontages(street: Street, line: LineString, side: int, ground: _Ground, rng: random.Random) -> list[_Front]:
    """Rectangles facing one side of a street; `side` is 1 for the left hand and -1 for the right."""
    fronts: list[_Front] = []
    at = street.mouth
    while at < line.length:
        wide = round(rng.uniform(*street.frontage), 1)
        deep = round(rng.uniform(*street.depth), 1)
        footprint = next(
            (
                plot
                for depth in (deep, deep * 0.7, deep * 0.5)
                if at + wide <= line.length and ground.is_free(plot := _rectangle(line, at, wide, depth, side, street))
            ),
            None,
        )
        if footprint is None:
            at += 1.5
            continue
        ground.taken.append(footprint)
        fronts.append((footprint, at + wide / 2, wide))
        at += wide + GAP
    return fronts


def _rectangle(line: LineString, at: float, wide: float, deep: float, side: int, street: Street) -> Polygon:
    start, end = line.interpolate(at), line.interpolate(at + wide)
    along = ((end.x - start.x) / wide, (end.y - start.y) / wide)
    away = (-along[1] * side, along[0] * side)
    near, far = street.width / 2 + PAVEMENT, street.width / 2 + PAVEMENT + deep
    return Polygon(
        (point.x + away[0] * offset, point.y + away[1] * offset)
        for point, offset in ((start, near), (end, near), (end, far), (start, far))
    )


def _count_by_two(
    first: int, fronts: Sequence[_Front], street: Street, rng: random.Random
) -> Iterator[tuple[str, Polygon, float]]:
    """Numbers up one side: wide fronts swallow a neighbour's ("12-14"), some narrow ones were split off ("12A")."""
    number = first
    last = ""
    for footprint, at, wide in fronts:
        is_fixed = (street.name, str(number)) in FIXED
        if wide < NARROW and last.isdecimal() and (street.name, last) not in FIXED and rng.random() < 0.25:
            last = f"{last}A"
        elif wide > WIDE and not is_fixed:
            span = 4 if wide > WIDE * 1.25 else 2
            last, number = f"{number}-{number + span}", number + span + 2
        else:
            last, number = str(number), number + 2
        yield last, footprint, at


def _use(street: Street, number: str, rng: random.Random) -> tuple[Use, int]:
    use = rng.choices(list(street.uses), weights=list(street.uses.values()))[0]
    if "-" in number and use in {Use.HOUSE, Use.LETTERED_FLATS, Use.FLOOR_FLATS}:
        use = Use.NAMED_BLOCK
    flats = {
        Use.NUMBERED_FLATS: rng.randint(3, 5),
        Use.LETTERED_FLATS: rng.randint(2, 3),
        Use.FLOOR_FLATS: rng.randint(2, 4),
        Use.SHOP_WITH_FLATS: rng.randint(1, 3),
        Use.NAMED_BLOCK: rng.randint(3, 8),
        Use.OFFICES: rng.choice((1, 1, 1, 2, 3)),
    }
    return use, flats.get(use, 0)


def overlapping(footprints: Sequence[Polygon]) -> list[tuple[int, int]]:
    """Pairs of positions whose polygons share more than an edge; empty for a sound town."""
    first, second = STRtree(footprints).query(footprints, predicate="intersects")
    return [
        (int(a), int(b))
        for a, b in zip(first, second, strict=True)
        if a < b and footprints[a].intersection(footprints[b]).area > 0
    ]
