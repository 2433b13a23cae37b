"""The drawn part of Quillmarket: its streets, and the buildings too big or odd to come from a street's plots.

Everything is in metres east and north of the market cross, before the town is turned and set down on
the National Grid. No name here is a street of the City of London or occurs in the Food Standards
Agency's half a million UK addresses (checked November 2026).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

Xy = tuple[float, float]


class Numbering(StrEnum):
    """How a street gives its numbers out."""

    ODD_EVEN = "odd_even"  # odd on the left hand, even on the right, from the start of the line
    AROUND = "around"  # 1, 2, 3 up the left hand and back down the right, as courts and yards have it
    NONE = "none"  # a walk without doors of its own


class Use(StrEnum):
    """What stands on one plot."""

    HOUSE = "house"
    NUMBERED_FLATS = "numbered_flats"
    LETTERED_FLATS = "lettered_flats"
    FLOOR_FLATS = "floor_flats"
    SHOP = "shop"
    SHOP_WITH_FLATS = "shop_with_flats"
    OFFICES = "offices"
    NAMED_BLOCK = "named_block"
    PUB = "pub"


@dataclass(frozen=True, slots=True)
class Street:
    """A street's centre line, how wide it is, and the plots along it (all metres).

    With two postcodes the first half of the line has the first, the second half the second.
    `mouth` is how much of the start has no doors, where a court passes under the houses of its parent street.
    A `one_sided` street has houses on its left hand only: the other is the river.
    """

    name: str
    postcodes: tuple[str, ...]
    line: tuple[Xy, ...]
    width: float
    frontage: tuple[float, float]
    depth: tuple[float, float]
    uses: dict[Use, int]
    numbering: Numbering = Numbering.ODD_EVEN
    mouth: float = 0.0
    one_sided: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """A building placed by hand: a rectangle `size` wide and deep, centred on `centre`, turned by `turn` degrees."""

    name: str
    street: str
    postcode: str
    centre: Xy
    size: Xy
    turn: float
    dwellings: tuple[str, ...] = ()
    workplaces: tuple[str, ...] = ()
    has_uprns: bool = True


_GRAND = {Use.OFFICES: 6, Use.NAMED_BLOCK: 2, Use.SHOP: 3, Use.SHOP_WITH_FLATS: 3}
_MIXED = {Use.SHOP_WITH_FLATS: 4, Use.SHOP: 2, Use.OFFICES: 2, Use.NUMBERED_FLATS: 2, Use.FLOOR_FLATS: 1}
_LANE = {Use.HOUSE: 6, Use.SHOP: 2, Use.SHOP_WITH_FLATS: 2, Use.LETTERED_FLATS: 2, Use.FLOOR_FLATS: 2}
_YARD = {Use.HOUSE: 5, Use.LETTERED_FLATS: 1, Use.FLOOR_FLATS: 1, Use.NUMBERED_FLATS: 1, Use.SHOP: 1}


def _road(name: str, postcodes: tuple[str, ...], line: tuple[Xy, ...], width: float) -> Street:
    return Street(name, postcodes, line, width, (22.0, 44.0), (15.0, 22.0), _GRAND)


def _street(name: str, postcode: str, line: tuple[Xy, ...], width: float) -> Street:
    return Street(name, (postcode,), line, width, (13.0, 26.0), (10.0, 15.0), _MIXED)


def _lane(name: str, postcode: str, line: tuple[Xy, ...], width: float = 6.0) -> Street:
    return Street(name, (postcode,), line, width, (8.0, 19.0), (9.0, 12.0), _LANE)


def _court(name: str, postcode: str, line: tuple[Xy, ...], mouth: float) -> Street:
    return Street(name, (postcode,), line, 4.5, (6.6, 8.8), (7.0, 9.0), _YARD, Numbering.AROUND, mouth)


STREETS: tuple[Street, ...] = (
    _court("Tallow Yard", "EC9A 1AB", ((-88, 2), (-92, -84)), 22),
    _court("Inkhorn Court", "EC9A 1AD", ((26, 48), (-42, 50)), 15),
    _court("Wax Court", "EC9A 1AE", ((-27, -46), (10, -48)), 12),
    _court("Gimlet Yard", "EC9A 1AF", ((108, 108), (112, 160)), 15),
    _court("Colophon Court", "EC9A 1AG", ((176, -72), (250, -78)), 18),
    _court("Verso Yard", "EC9A 1AH", ((72, -168), (70, -210)), 13),
    _court("Recto Yard", "EC9A 1AJ", ((126, -165), (128, -206)), 13),
    _road("Vellum Street", ("EC9A 2AB", "EC9A 2AD"), ((-320, -15), (-150, 5), (20, 0), (180, 22), (320, 18)), 13),
    _road("London Quire", ("EC9A 2AE",), ((-310, 185), (-120, 170), (40, 185), (190, 178), (320, 188)), 14),
    Street(
        "Deckle Quay",
        ("EC9A 2AF",),
        ((-310, -215), (-150, -218), (20, -232), (170, -222), (310, -205)),
        12,
        (22.0, 44.0),
        (15.0, 22.0),
        _GRAND,
        one_sided=True,
    ),
    _street("Penner's Hill", "EC9B 1AA", ((-150, 5), (-165, -100), (-150, -218)), 9),
    _street("Copyist Street", "EC9B 1AB", ((-120, 170), (-135, 80), (-150, 5)), 9),
    _street("St Quillan at Dock", "EC9B 1AD", ((20, 0), (28, -110), (20, -232)), 9),
    _street("Ferrule Street", "EC9B 1AE", ((180, 22), (175, -90), (170, -222)), 10),
    _street("Rubric Street", "EC9B 1AF", ((180, 22), (188, 100), (190, 178)), 10),
    _street("Wolstan Street", "EC9B 1AG", ((-312, 88), (-220, 92), (-136, 84)), 8),
    _street("Wolston Street", "EC9B 1AH", ((-315, -112), (-240, -108), (-164, -106)), 8),
    _lane("Inkhorn Lane", "EC9A 1AL", ((20, 0), (30, 90), (40, 185)), 7),
    _lane("Gallnut Lane", "EC9A 1AN", ((-134, 88), (-50, 95), (30, 92))),
    _lane("Foolscap Lane", "EC9A 1AP", ((31, 100), (108, 108), (188, 104))),
    _lane("Parchment Row", "EC9A 1AQ", ((-164, -92), (-70, -88), (27, -96)), 7),
    _lane("Blotter Street", "EC9A 1AR", ((-158, -160), (-60, -158), (25, -165)), 7),
    _lane("Sandarac Street", "EC9A 1AS", ((28, -105), (100, -100), (175, -100)), 7),
    _lane("Limner Street", "EC9A 1AT", ((24, -170), (100, -166), (173, -160)), 7),
    _lane("Pounce Alley", "EC9A 1AU", ((-30, 2), (-26, -89)), 3.5),
    _lane("Nib Passage", "EC9A 1AW", ((-52, 95), (-45, 177)), 3.5),
    _lane("Goosequill Alley", "EC9A 1AX", ((100, -100), (96, 10)), 3.5),
    Street("Scriptor Walk", ("EC9A 3AA",), ((189, 108), (312, 112)), 6, (0, 0), (0, 0), {}, Numbering.NONE),
    Street("Station Approach", ("EC9A 4AD",), ((-240, -108), (-238, -140)), 10, (0, 0), (0, 0), {}, Numbering.NONE),
)


def _numbers(prefix: str, count: int) -> tuple[str, ...]:
    return tuple(f"{prefix}{number}" for number in range(1, count + 1))


def _by_floor(prefix: str, floors: int, each: int) -> tuple[str, ...]:
    return tuple(f"{prefix}{floor}{door:02d}" for floor in range(1, floors + 1) for door in range(1, each + 1))


BLOCKS: tuple[Block, ...] = (
    Block(
        "Quarto Tower",
        "Scriptor Walk",
        "EC9A 3AA",
        (228, 143),
        (27, 25),
        20,
        (*_numbers("", 96), "Penthouse 1", "Penthouse 2"),
        ("Porter's Lodge",),
    ),
    Block(
        "Octavo Tower",
        "Scriptor Walk",
        "EC9A 3AB",
        (282, 146),
        (27, 25),
        20,
        (*_numbers("Flat ", 72), "Penthouse"),
        ("Porter's Lodge",),
    ),
    Block("Folio Tower", "Scriptor Walk", "EC9A 3AD", (254, 74), (34, 24), 20, _by_floor("Apartment ", 10, 8)),
    Block("Harbin House", "Wolstan Street", "EC9A 4AA", (-268, 128), (64, 13), 4, _numbers("Flat ", 48)),
    Block("Harbyn House", "Wolstan Street", "EC9A 4AB", (-182, 128), (56, 13), -4, _numbers("Flat ", 40)),
    Block(
        "Marbling House",
        "Ferrule Street",
        "EC9B 2AA",
        (234, -30),
        (46, 26),
        8,
        (*_numbers("Flat ", 24), "Penthouse East", "Penthouse West"),
        ("Unit A", "Unit B", "Unit C", "Basement Gymnasium"),
    ),
    Block(
        "Signature Wharf",
        "Deckle Quay",
        "EC9B 2AB",
        (98, -252),
        (62, 20),
        4,
        ("Garden Flat", *_numbers("Flat ", 29), "Penthouse"),
        ("Ground Floor Office",),
    ),
    Block("The Gilded Nib Hotel", "Deckle Quay", "EC9B 2AD", (248, -180), (74, 36), 5, ("Manager's Flat",), ("",)),
    Block("Hotel Colophon", "London Quire", "EC9B 2AE", (-200, 208), (58, 30), -5, (), ("",)),
    Block(
        "Quillmarket Station",
        "Station Approach",
        "EC9A 4AD",
        (-238, -165),
        (104, 44),
        0,
        (),
        ("", *(f"Unit {number}, Concourse" for number in range(1, 10)), "Platform Cafe"),
    ),
    Block("St Quillan's Church", "St Quillan at Dock", "EC9B 2AF", (58, -52), (40, 20), 4, ("The Rectory",), ("",)),
    *(
        Block(f"Narrowboat {name}", "Deckle Quay", "EC9A 2AF", (x, -254), (17, 2.4), -3, ("",), (), has_uprns=False)
        for name, x in (("Second Draft", -96), ("Marginalia", -74), ("Errata", -52), ("Long Primer", -30))
    ),
)

FIXED: dict[tuple[str, str], tuple[Use, int]] = {
    ("Tallow Yard", "14"): (Use.NUMBERED_FLATS, 4),
    ("Foolscap Lane", "8"): (Use.HOUSE, 0),
    ("Inkhorn Lane", "9"): (Use.PUB, 4),
    ("Wolstan Street", "5"): (Use.HOUSE, 0),
    ("Wolston Street", "5"): (Use.HOUSE, 0),
    ("Inkhorn Lane", "3"): (Use.HOUSE, 0),
    ("Inkhorn Court", "3"): (Use.HOUSE, 0),
}
"""What stands at numbers that a demonstration or a test relies on: (use, number of flats)."""

EXCLUSION_ZONE: tuple[Xy, ...] = ((48, -212), (152, -206), (154, -150), (50, -154))
"""Verso Yard and Recto Yard with the stretch of Limner Street between them."""

QUAY_STEPS: Xy = (-190, -220)
"""Where the steps go down to the water from Deckle Quay."""
