"""What sets one home apart inside a building: flat, floor, side and penthouse words, taken out of the text."""

from __future__ import annotations

from markers.items import COMMA, Item, close_to
from markers.parts import Unit
from markers.vocabulary import FLAT_WORDS, FLOOR_WORDS, FLOORS, FLOORS_ALONE, KINDS, SIDES, UNIT_SHORTHAND

_UNIT_TARGETS = ("FLAT", "APARTMENT", "UNIT", "PENTHOUSE", "MAISONETTE", "ANNEXE")
_FLOOR_TARGETS = ("BASEMENT", "GROUND", "FIRST", "SECOND", "THIRD", "FOURTH", "FIFTH")
_OF_UNITS = frozenset({"LOWER", *UNIT_SHORTHAND, *FLOORS, *FLOOR_WORDS, *SIDES, *FLAT_WORDS})
_BEHIND_A_SLIP = frozenset({*FLOOR_WORDS, *FLAT_WORDS})
"""Words before which a slip of a floor's or a flat's word may stand."""


def take_units(items: list[Item]) -> tuple[Unit | None, list[Item], bool]:
    """Collect every unit word of the text. Returns the unit, what is left, and whether the unit's number might as
    well be the building's (`Flat 74 High Street`)."""
    kind = ident = side = ""
    floors: list[int] = []
    rest: list[Item] = []
    floating = seen = False
    i, n = 0, len(items)
    texts = [item.text if item.kind == "W" else "" for item in items]

    def word(at: int) -> str:
        return texts[at] if at < n else ""

    def numbered(at: int) -> bool:
        return at < n and (items[at].kind in "NL" or (items[at].kind == "W" and len(items[at].text) == 1))

    marked, before = False, 0
    while i < n:
        if seen and not marked:
            rest.insert(before, Item("U", ""))
            marked = True
        before = len(rest)
        item = items[i]
        if item.kind == "L":
            if not ident and not (rest and rest[-1].kind == "N"):
                ident, seen = item.text, True
            else:
                rest.append(Item("W", item.text))
            i += 1
            continue
        if item.kind != "W":
            rest.append(item)
            i += 1
            continue
        text = item.text
        following = texts[i + 1] if i + 1 < n else ""
        if (
            text not in _OF_UNITS
            and following not in _BEHIND_A_SLIP
            and len(following) != 1
            and not (i + 1 < n and items[i + 1].kind in "NL")
        ):
            rest.append(item)  # as most words are
            i += 1
            continue
        if numbered(i + 1) and text not in FLAT_WORDS and 2 <= len(text) <= 11 and text not in KINDS:
            text = "PENTHOUSE" if text in ("PH", "PHOUSE") else close_to(text, _UNIT_TARGETS) or text
        if word(i + 1) in FLOOR_WORDS and text not in FLOORS and len(text) >= 5:
            text = close_to(text, _FLOOR_TARGETS) or text
        if 6 <= len(text) <= 9 and text not in KINDS and (numbered(i + 1) or following in FLAT_WORDS):
            text = close_to(text, ("BASEMENT",)) or text
        if text == "LOWER" and following in FLOORS and FLOORS[following] == 0:
            floors.append(-1)
            seen = True
            i += 3 if word(i + 2) in FLOOR_WORDS else 2
        elif text in UNIT_SHORTHAND:
            floors.append(UNIT_SHORTHAND[text])
            kind, seen = "FLAT", True
            i += 1
        elif text in FLOORS and (
            text in FLOORS_ALONE
            or following in FLOOR_WORDS
            or following in FLAT_WORDS
            or (following in SIDES and word(i + 2) in FLAT_WORDS)
            or (following in ("AND", "TO") and word(i + 2) in FLOORS and word(i + 3) in FLOOR_WORDS)
        ):
            floors.append(FLOORS[text])
            seen = True
            i += 1
            if word(i) in FLOOR_WORDS:
                i += 1
            if word(i) in ("AND", "TO") and word(i + 1) in FLOORS:
                i += 1
        elif text in FLOOR_WORDS and i + 1 < n and items[i + 1].kind == "N" and not floors:
            number = items[i + 1].number
            floors.append(min(number.lo, 96) if number else 0)
            seen = True
            i += 2
        elif (
            text in SIDES
            and following != "OF"
            and (
                following in FLAT_WORDS
                or (seen and i > 0 and (items[i - 1].text in FLAT_WORDS or items[i - 1].text in FLOOR_WORDS))
            )
        ):
            side = SIDES[text]
            i += 1
        elif text in FLAT_WORDS and not (ident and kind):
            this = FLAT_WORDS[text]
            i += 1
            if this == "UNIT":
                rest.append(Item("W", text))
            while word(i) in ("NO", "NUMBER", "NUM"):
                i += 1
            took = ""
            if i < n and not ident:
                nxt = items[i]
                more = any(it.kind == "N" for it in items[i + 1 :])
                if nxt.kind == "N" and nxt.number is not None and (not floors or more):
                    took, floating = nxt.number.text, not floors
                    rest.append(Item("I", took, nxt.number))
                elif (
                    nxt.kind == "L"
                    or (nxt.kind == "W" and len(nxt.text) == 1 and nxt.text.isascii())
                    or (
                        this == "PENTHOUSE"
                        and nxt.text in ("NORTH", "SOUTH", "EAST", "WEST")
                        and word(i + 1) not in KINDS
                    )
                ):
                    took = nxt.text
            if took:
                ident = took
                i += 1
            if took or this in ("FLAT", "PENTHOUSE", "ANNEXE") or floors:
                if not kind or took:
                    kind = this
                seen = True
            elif this != "UNIT":
                rest.append(Item("W", text))
        else:
            rest.append(item if text == item.text else Item("W", text))
            i += 1
    if not seen:
        return None, rest, False
    if not marked:
        rest.insert(before, Item("U", ""))
    return Unit(kind, ident, tuple(sorted(set(floors))), side), rest, floating


def is_designator(items: list[Item], at: int) -> bool:
    """Is this a word such as FLAT with its number or letter behind it?"""
    following = items[at + 1] if at + 1 < len(items) else COMMA
    return FLAT_WORDS.get(items[at].text) == "FLAT" and (
        following.kind in "NL" or (following.kind == "W" and len(following.text) == 1)
    )


def one_of_two(items: list[Item], units: list[int]) -> tuple[tuple[list[Item], str], ...]:
    """A text with two flats in it, once for each: nobody can say which is meant."""
    first, second = units[:2]
    if items[first + 1].text == items[second + 1].text:
        return ()
    why = f"flat {items[first + 1].text} and flat {items[second + 1].text} in the text"
    return ((items[:second] + items[second + 2 :], why), (items[:first] + items[first + 2 :], why))


def either_or(items: list[Item]) -> tuple[tuple[list[Item], str], ...]:
    """`3 or 5 Tallow Yard`, once for each."""
    for i in range(1, len(items) - 1):
        if items[i].text == "OR" and items[i - 1].kind in "NL" and items[i + 1].kind in "NL":
            why = f"{items[i - 1].text} or {items[i + 1].text}"
            return ((items[:i] + items[i + 2 :], why), (items[: i - 1] + items[i + 1 :], why))
    return ()
