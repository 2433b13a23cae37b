"""The parts of a written address, in BS 7666 / PAF terms: what reading one gives."""

from __future__ import annotations

from typing import NamedTuple

from markers.vocabulary import BLOCK_KINDS, STREET_KINDS


class Number(NamedTuple):
    """A building number or range of them: 12, 12A, 12-14, 92-92A. `hi` is `lo` where there is no range."""

    lo: int
    hi: int
    suffix: str = ""
    last: str = ""

    @property
    def text(self) -> str:
        """As a person writes it: `12-14`, `12A`, `92-92A`."""
        first = f"{self.lo}{self.suffix}"
        return first if (self.hi, self.last) == (self.lo, self.suffix) else f"{first}-{self.hi}{self.last}"


class Unit(NamedTuple):
    """What sets one home apart inside a building (BS 7666 secondary addressable object).

    `kind` is FLAT, UNIT, ROOM, PENTHOUSE ... or "" where only a bare number was written; `ident` its number or
    letter; `floors` storeys (-1 basement, 0 ground, 99 top); `side` FRONT, REAR, LEFT, RIGHT.
    """

    kind: str = ""
    ident: str = ""
    floors: tuple[int, ...] = ()
    side: str = ""

    @property
    def text(self) -> str:
        """As a person writes it: `Flat 3`, `Ground floor flat`, `3`."""
        named = {-1: "Basement", 0: "Ground floor", 97: "Mezzanine", 98: "Upper floor", 99: "Top floor"}
        floors = " and ".join(named.get(f, f"Floor {f}") for f in self.floors)
        parts = [floors, self.side.lower(), self.kind.lower(), self.ident]
        text = " ".join(part for part in parts if part)
        return text[:1].upper() + text[1:]


class Reading(NamedTuple):
    """One way to read a written address.

    `words` are all its telling words in order (abbreviations opened, small and noise words dropped); `at` is the
    place in `words` where the building number (or a bare unit number) stands, -1 without one. `name`, `street` and
    `locality` split `words` as a gazetteer would. `spare` are numbers this reading has no use for.
    `rank` 0 is the plain reading, higher a reinterpretation; `bare` means the unit is a number with no word before it.
    `unit_at` is the place in `words` where the unit stands, -1 without one. `unsure` says why this reading is
    doubtful by itself (`I4 read as 14`), "" where it is not. `led` are the places of words that stand right before a
    number it uses, with nothing between: part of a house name, or a sign that the number is none (`girl 14`).
    """

    unit: Unit | None
    number: Number | None
    words: tuple[str, ...]
    at: int
    name: tuple[str, ...]
    street: tuple[str, ...]
    locality: tuple[str, ...]
    spare: tuple[str, ...] = ()
    rank: int = 0
    bare: bool = False
    unit_at: int = -1
    unsure: str = ""
    led: tuple[int, ...] = ()

    @property
    def key(self) -> tuple[str, ...]:
        """The phrase that must agree for it to be the same building: the street of a number, else the name."""
        return self.street if self.number is not None else self.name


class Written(NamedTuple):
    """An address as it was written, and everything it may mean.

    `plain` is the text for equality: normalised, without commas. `outward` is set when only the first half of a
    postcode (or a whole one) was written. `beside` means the words put the place next to the address, not at it.
    `cut` means the text was too long to be read to its end.
    """

    text: str
    postcode: str | None
    readings: tuple[Reading, ...]
    plain: str = ""
    outward: str | None = None
    beside: bool = False
    cut: bool = False


def is_block(phrase: tuple[str, ...]) -> bool:
    """Could this phrase name a block of homes, so that a bare number before it is a flat?"""
    return bool(phrase) and (phrase[-1] in BLOCK_KINDS or not any(word in STREET_KINDS for word in phrase))
