"""The words and numbers of a text, each told apart by what it can be, before anything is made of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz.distance import OSA

from markers.parts import Number
from markers.vocabulary import ABBREVIATIONS, BESIDE, BESIDE_BEFORE, COUNTED, FLAT_WORDS, KINDS

_NUMBER = re.compile(r"(\d{1,6})([A-Z]?)")
_RANGE = re.compile(r"(\d{1,6})([A-Z]?)-(\d{1,6})([A-Z]?)")
_SLASH = re.compile(r"(\d{1,6})([A-Z]?)/(\d{1,6})([A-Z]?)")
_RUN_ON = re.compile(r"(\d{1,5})([A-Z]{3,})")
_GLUED = re.compile(r"(FLAT|FLT|APT|APPT|APARTMENT|FL|F|UNIT|SUITE|ROOM|RM|PENTHOUSE)(\d{1,4}[A-Z]?)")
_IDENT = re.compile(r"[A-Z]\d{1,3}|\d{1,2}F\d{1,2}")
_ORDINAL = {
    f"{n}{end}": word
    for n, end, word in (
        (1, "ST", "FIRST"),
        (2, "ND", "SECOND"),
        (3, "RD", "THIRD"),
        (4, "TH", "FOURTH"),
        (5, "TH", "FIFTH"),
        (6, "TH", "SIXTH"),
        (7, "TH", "SEVENTH"),
        (8, "TH", "EIGHTH"),
        (9, "TH", "NINTH"),
        (10, "TH", "TENTH"),
    )
}
_LONG_BESIDE = ("OPPOSITE", "ADJACENT", "BETWEEN", "NEXTDOOR", "UPSTAIRS", "DOWNSTAIRS")
_SLASHED = {
    "O/S": "OS",
    "R/O": "RO",
    "C/O": "OS",
    "G/F": "GF",
    "B/F": "BASEMENT",
    "L/G": "LGF",
    "P/HOUSE": "PENTHOUSE",
    "P/H": "PENTHOUSE",
}


@dataclass(slots=True)
class Item:
    """kind: W word, N number, C comma, L unit ident such as B4, D lone dash, I a unit's number that may be the
    building's instead, U the place where the unit stood."""

    kind: str
    text: str
    number: Number | None = None
    slash: bool = False


COMMA = Item("C", ",")


def _number(lo: str, suffix: str, hi: str = "", last: str = "") -> Number:
    if not hi:
        return Number(int(lo), int(lo), suffix, suffix)
    if len(hi) < len(lo) and int(hi) < int(lo):
        hi = lo[: -len(hi)] + hi
    return Number(int(lo), int(hi), suffix, last)


def items_of(tokens: list[str]) -> tuple[list[Item], bool]:
    items: list[Item] = []
    beside = False
    for at, typed in enumerate(tokens):
        after = tokens[at + 1] if at + 1 < len(tokens) else ""
        if after in COUNTED and typed.isdecimal():
            continue
        if typed.isalpha():
            beside = beside or _puts_beside(tokens, at, items)
            if typed == "HOUSE" and items and items[-1].text == "PENT":
                items[-1] = Item("W", "PENTHOUSE")
            elif typed == "F" and _short_for_flat(after, items[-1].kind if items else ""):
                items.append(Item("W", "FLAT"))
            elif at == 0 and len(typed) == 1 and after == "," and tokens[2:3] and tokens[2][0].isdecimal():
                items += [Item("W", "FLAT"), Item("W", typed)]
            elif typed == "LA" and items and items[-1].kind == "W":
                items.append(Item("W", "LANE"))  # before a name it is French, behind one it is a lane
            else:
                items.append(Item("W", ABBREVIATIONS.get(typed, typed)))
        elif typed == ",":
            items.append(COMMA)
        elif typed == "-":
            items.append(Item("D", "-"))
        elif typed == "&":
            items.append(Item("W", "AND"))
        elif typed in _SLASHED:
            items.append(Item("W", _SLASHED[typed]))
        elif typed in _ORDINAL:
            items.append(Item("W", _ORDINAL[typed]))
        elif match := _NUMBER.fullmatch(typed):
            items.append(Item("N", typed, _number(match[1], match[2])))
        elif (match := _RUN_ON.fullmatch(typed)) and match[2] not in ("ST", "ND", "RD", "TH"):
            items.append(Item("N", match[1], _number(match[1], "")))
            items.append(Item("W", ABBREVIATIONS.get(match[2], match[2])))
        elif match := _GLUED.fullmatch(typed):
            items.append(Item("W", "FLAT" if match[1] == "F" else match[1]))
            digits = _NUMBER.fullmatch(match[2])
            if digits:
                items.append(Item("N", match[2], _number(digits[1], digits[2])))
        elif _IDENT.fullmatch(typed):
            items.append(Item("L", typed))
        elif (match := _RANGE.fullmatch(typed)) or (match := _SLASH.fullmatch(typed)):
            number = _number(match[1], match[2], match[3], match[4])
            slash = "/" in typed
            if number.hi >= number.lo:
                items.append(Item("N", typed, number, slash=slash))
            else:
                items.append(Item("N", match[1], _number(match[1], match[2])))
                items.append(Item("N", match[3], _number(match[3], match[4])))
        else:
            _split(typed, items)
    return items, beside


def _puts_beside(tokens: list[str], at: int, items: list[Item]) -> bool:
    """Does this word say that the place is not the address itself: beside it, above it, or not it at all?"""
    typed = tokens[at]
    if typed in BESIDE or (len(typed) >= 6 and typed not in KINDS and close_to(typed, _LONG_BESIDE)):
        return True
    if typed in BESIDE_BEFORE:
        return not any(item.kind in "NL" for item in items)
    after = tokens[at + 1] if at + 1 < len(tokens) else ""
    if typed == "NOT":
        return after[:1].isdecimal() or after in FLAT_WORDS or after in ("AT", "IN", "THE")
    if typed in ("LEFT", "RIGHT"):
        return after == "OF"
    if typed in ("ABOVE", "OVER"):
        before = items[-1].text if items else ""
        if after[:1].isdecimal() and before not in FLAT_WORDS:
            return True
        figures = sum(token[:1].isdecimal() for token in tokens[at + 1 :])
        return (
            after in FLAT_WORDS or (after[:1].isdecimal() and figures > 1) or tokens[at + 1 : at + 3] == ["THE", "ROAD"]
        )
    return False


def _short_for_flat(after: str, before: str) -> bool:
    """`F 3`, `f b` and `f above` are flats; `12 F High Street` is a number with its letter."""
    if before == "N":
        return False
    return after[:1].isdecimal() or after == "ABOVE" or (len(after) == 1 and after.isalpha())


def _split(typed: str, items: list[Item]) -> None:
    for piece in re.split(r"[-/&]", typed)[:8]:
        if not piece:
            continue
        match = _NUMBER.fullmatch(piece)
        if match:
            items.append(Item("N", piece, _number(match[1], match[2])))
        else:
            items.append(Item("W", ABBREVIATIONS.get(piece, piece)))


def join_numbers(items: list[Item]) -> list[Item]:
    """`12 - 14`, `12 to 14`, `12 & 14` are ranges; `12 B` is 12B; `144 and a half` is one number."""
    joined: list[Item] = []
    i, n = 0, len(items)
    while i < n:
        item = items[i]
        number = item.number
        if item.kind == "N" and number is not None and number.lo == number.hi:
            after = [(it.kind, it.text) for it in items[i + 1 : i + 4]]
            if after[:3] == [("W", "AND"), ("W", "A"), ("W", "HALF")]:
                joined.append(Item("N", item.text, Number(number.lo, number.hi, "HALF", "HALF")))
                i += 4
                continue
            second = items[i + 2].number if len(after) >= 2 and after[1][0] == "N" else None
            of_unit = bool(joined) and joined[-1].kind == "W" and joined[-1].text in FLAT_WORDS
            dash = after[0][0] == "D" if after else False
            linked = dash or (bool(after) and after[0] in (("W", "TO"), ("W", "AND")))
            if (
                second is not None
                and linked
                and not (of_unit and after[0] != ("W", "TO"))
                and number.lo < second.lo <= number.lo + 400
            ):
                joined.append(Item("N", item.text, Number(number.lo, second.hi, number.suffix, second.last)))
                i += 3
                continue
            if not number.suffix and after and after[0][0] == "W" and len(after[0][1]) == 1 and after[0][1].isascii():
                letter = after[0][1]
                joined.append(Item("N", f"{item.text}{letter}", Number(number.lo, number.hi, letter, letter)))
                i += 2
                continue
        if item.kind != "D":
            joined.append(item)
        i += 1
    return joined


@lru_cache(maxsize=65536)
def close_to(word: str, targets: tuple[str, ...]) -> str:
    """The target this word is one slip away from, or ""."""
    for target in targets:
        if abs(len(word) - len(target)) <= 1 and OSA.distance(word, target, score_cutoff=1) <= 1:
            return target
    return ""
