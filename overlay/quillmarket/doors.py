"""What is behind one front door: the homes and workplaces of a building, as their addresses are written."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from overlay.quillmarket.plan import Block, Use
from overlay.quillmarket.plots import Plot

_FIRMS = (
    "Oakapple", "Umberline", "Pennyquill", "Goosewing", "Wainscroft", "Tallowby", "Marblethorpe", "Brassnib",
    "Copperplate", "Blotwell", "Sealwright", "Inkersby", "Parchley", "Rubricant", "Deckleworth", "Folioden",
    "Gallowrie", "Pouncewell", "Nibley & Wray", "Hornscroft", "Quireford", "Bindlestone", "Laidpaper", "Scrivelsby",
)  # fmt: skip
_SHOPS = (
    "Stationers", "Coffee House", "Dry Cleaners", "Barbers", "Pharmacy", "Sandwich Bar", "Newsagents", "Opticians",
    "Wine Cellar", "Noodle Bar", "Shoe Repairs", "Gift Shop",
)  # fmt: skip
_COMPANIES = (
    "Underwriting Ltd", "Solicitors LLP", "Insurance Brokers", "Asset Management", "Reinsurance Plc", "Actuaries",
    "Shipping Agents", "Chartered Surveyors", "Translation Bureau", "Serviced Offices",
)  # fmt: skip
_HOUSES = ("Sepia", "Umber", "Carmine", "Ochre", "Cinnabar", "Verdigris", "Indigo", "Madder", "Lampblack", "Woad")
_BLOCKS = ("House", "Chambers", "Buildings", "Court", "Mansions")
_FLOORS = ("Ground Floor Flat", "First Floor Flat", "Basement Flat", "Top Floor Flat")
_OFFICE_FLOORS = ("Ground Floor", "First Floor", "Second Floor", "Third Floor")
_LETTERS = "ABC"


@dataclass(frozen=True, slots=True)
class Door:
    """One address without its postcode; `is_home` says whether people live there."""

    address: str
    is_home: bool


class Names:
    """Business and building names, none given twice."""

    def __init__(self, rng: random.Random) -> None:
        self._shops = [f"{firm} {trade}" for firm in _FIRMS for trade in _SHOPS]
        self._companies = [f"{firm} {trade}" for firm in _FIRMS for trade in _COMPANIES]
        self._houses = [f"{colour} {kind}" for colour in _HOUSES for kind in _BLOCKS]
        for names in (self._shops, self._companies, self._houses):
            rng.shuffle(names)

    def shop(self) -> str:
        return self._shops.pop()

    def company(self) -> str:
        return self._companies.pop()

    def house(self) -> str:
        return self._houses.pop()


def doors_of_plot(plot: Plot, names: Names, rng: random.Random) -> Iterator[Door]:
    """The addresses of a numbered building."""
    street = f"{plot.number} {plot.street.name}"
    numbered = range(1, plot.flats + 1)
    match plot.use:
        case Use.HOUSE:
            yield Door(street, is_home=True)
        case Use.NUMBERED_FLATS:
            yield from (Door(f"Flat {number}, {street}", is_home=True) for number in numbered)
        case Use.LETTERED_FLATS:
            yield from (Door(f"Flat {letter}, {street}", is_home=True) for letter in _LETTERS[: plot.flats])
        case Use.FLOOR_FLATS:
            yield from (Door(f"{floor}, {street}", is_home=True) for floor in _FLOORS[: plot.flats])
        case Use.SHOP:
            yield Door(f"{names.shop()}, {street}", is_home=False)
        case Use.SHOP_WITH_FLATS:
            yield Door(f"{names.shop()}, {street}", is_home=False)
            if plot.flats == 1:
                yield Door(f"Flat Above, {street}", is_home=True)
            elif plot.flats == 2 and rng.random() < 0.5:
                yield from (Door(f"{floor} Floor Flat, {street}", is_home=True) for floor in ("First", "Second"))
            else:
                yield from (Door(f"Flat {number}, {street}", is_home=True) for number in numbered)
        case Use.OFFICES:
            if plot.flats == 1:
                yield Door(f"{names.company()}, {street}", is_home=False)
            else:
                floors = _OFFICE_FLOORS[: plot.flats]
                yield from (Door(f"{names.company()}, {floor}, {street}", is_home=False) for floor in floors)
        case Use.NAMED_BLOCK:
            house = f"{names.house()}, {street}"
            yield Door(f"{names.shop()}, Ground Floor, {house}", is_home=False)
            yield from (Door(f"Flat {number}, {house}", is_home=True) for number in numbered)
            if plot.flats >= 7:
                yield Door(f"Penthouse, {house}", is_home=True)
        case Use.PUB:
            yield Door(f"The Quill, {street}", is_home=False)
            yield from (Door(f"Flat {number} Above the Quill, {street}", is_home=True) for number in numbered)


def doors_of_block(block: Block, names: Names) -> Iterator[Door]:
    """The addresses of a building placed by hand. A flat written as a bare number goes straight before the name."""
    for dwelling in block.dwellings:
        joined = f"{dwelling} {block.name}" if dwelling.isdecimal() else ", ".join(filter(None, (dwelling, block.name)))
        yield Door(f"{joined}, {block.street}", is_home=True)
    for workplace in block.workplaces:
        firm = names.shop() if workplace.startswith("Unit") else ""
        yield Door(", ".join(filter(None, (firm, workplace, block.name, block.street))), is_home=False)
