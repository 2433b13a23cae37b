"""An invented town of any size for timing: homes, markers on some of them, and what call takers type."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from markers.model import Category, Marker, Place, Point, Premises

_FIRST = (
    *("Tallow", "Inkhorn", "Vellum", "Sexton", "Pewter", "Lantern", "Rushlight", "Cordwain", "Fuller", "Saddler"),
    *("Chandler", "Tanner", "Cooper", "Candle", "Bobbin", "Spindle", "Thimble", "Shuttle", "Anvil", "Bellows"),
    *("Hammer", "Mortar", "Pestle", "Ladle", "Goblet", "Tankard", "Flagon", "Harrow", "Sickle", "Scythe"),
    *("Millstone", "Hopper", "Barley", "Malt", "Clover", "Teasel", "Yarrow", "Sorrel", "Bramble", "Hazel"),
)
_SECOND = ("gate", "well", "bury", "ford", "field", "croft", "stead", "worth", "mere", "holt", "hurst", "combe")
_KINDS = ("Street", "Lane", "Yard", "Court", "Row", "Road", "Passage", "Square")
_SHORT = {"Street": "st", "Lane": "ln", "Court": "ct", "Road": "rd", "Square": "sq", "Flat": "flt"}


@dataclass(frozen=True, slots=True)
class Town:
    """`queries` are written addresses: about two thirds as in the gazetteer, the rest shortened or mistyped."""

    homes: tuple[Premises, ...]
    markers: tuple[Marker, ...]
    queries: tuple[str, ...]


def build(homes: int, markers: int, queries: int, categories: dict[str, Category], seed: int = 1) -> Town:
    """Deterministic for a seed; positions lie in open water as Quillmarket's do."""
    rng = random.Random(seed)  # noqa: S311 - an invented town, not a secret
    premises = tuple(_homes(rng, homes))
    codes = sorted(categories)
    return Town(
        homes=premises,
        markers=tuple(
            _marker(number, rng.choice(premises), categories[rng.choice(codes)]) for number in range(markers)
        ),
        queries=tuple(_typed(rng, rng.choice(premises)) for _ in range(queries)),
    )


def _homes(rng: random.Random, wanted: int) -> list[Premises]:
    found: list[Premises] = []
    streets = [f"{first}{second} {kind}" for first in _FIRST for second in _SECOND for kind in _KINDS]
    rng.shuffle(streets)
    for number, street in enumerate(streets):
        sector, unit = "ABCDEFGHJK"[number % 10], "ABDEFGHJLN"[number // 100 % 10] + "PQRSTUW"[number % 7]
        postcode = f"EC9{sector} {number // 10 % 10}{unit}"
        east, north = 595_000 + rng.random() * 2_000, 178_000 + rng.random() * 2_000
        for house in range(1, rng.randrange(8, 40)):
            point = Point(round(east + house * 6), round(north + house % 2 * 15))
            flats = rng.choice((0, 0, 0, 3, 6))
            for written in (
                [f"Flat {flat}, {house} {street}" for flat in range(1, flats + 1)] if flats else [f"{house} {street}"]
            ):
                uprn = str(999_980_000_000 + len(found))
                found.append(Premises(uprn, written, postcode, uprn, point))
                if len(found) == wanted:
                    return found
    raise ValueError(f"this town has at most {len(found)} homes")


def _marker(number: int, home: Premises, category: Category) -> Marker:
    now = datetime.now(UTC)
    return Marker(
        marker_id=f"bench-{number}",
        reference=f"BENCH-{number}",
        category=category.code,
        place=Place(home.address, home.postcode, home.uprn, home.premises_id, home.point),
        headline=category.headline,
        action=category.action,
        owner="PPU Quillmarket",
        owner_contact="020 7946 0000",
        starts_on=(now - timedelta(days=30)).date(),
        review_on=(now + timedelta(days=30)).date(),
        ends_on=(now + timedelta(days=300)).date(),
        source="bench",
        source_reference="",
        proposed_by="a",
        approved_by="b",
        recorded_at=now,
    )


def _typed(rng: random.Random, home: Premises) -> str:
    text = home.address if rng.random() < 0.3 else f"{home.address}, {home.postcode}"
    if rng.random() < 0.35:
        text = " ".join(_SHORT.get(word.strip(","), word) for word in text.split()).lower()
    if rng.random() < 0.2:
        letters = [spot for spot in range(len(text) - 1) if text[spot].isalpha() and text[spot + 1].isalpha()]
        spot = rng.choice(letters)
        text = text[:spot] + text[spot + 1] + text[spot] + text[spot + 2 :]
    return text
