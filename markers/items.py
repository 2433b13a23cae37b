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
_SEEN_BESIDE = BESIDE_BEFORE | {"HOUSE", "F", "LA", "NOT", "LEFT", "RIGHT", "ABOVE", "OVER"}
"""Words whose neighbours say what they are."""
_REMEMBERED = 20_000


@dataclass(frozen=True, slots=True)
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
    """The items of a text, and whether its words put the place beside the address."""
    items: list[Item] = []
    beside = False
    for at, (typed, after) in enumerate(zip(tokens, [*tokens[1:], ""], strict=False)):
        if after in COUNTED and typed.isdecimal():
            continue
        found = _items_by_themselves(typed)
        if found is not None:
            items += found
            continue
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
    return items, beside


@lru_cache(maxsize=_REMEMBERED)
def _items_by_themselves(typed: str) -> tuple[Item, ...] | None:
    """What a word or number is wherever it stands; None for a word that must be seen beside the others."""
    if typed.isalpha():
        if len(typed) == 1 or typed in _SEEN_BESIDE or _always_beside(typed):
            return None
        return (Item("W", ABBREVIATIONS.get(typed, typed)),)
    if typed == ",":
        return (COMMA,)
    if typed == "-":
        return (Item("D", "-"),)
    if typed == "&":
        return (Item("W", "AND"),)
    if typed in _SLASHED:
        return (Item("W", _SLASHED[typed]),)
    if typed in _ORDINAL:
        return (Item("W", _ORDINAL[typed]),)
    if match := _NUMBER.fullmatch(typed):
        return (Item("N", typed, _number(match[1], match[2])),)
    if (match := _RUN_ON.fullmatch(typed)) and match[2] not in ("ST", "ND", "RD", "TH"):
        return (Item("N", match[1], _number(match[1], "")), Item("W", ABBREVIATIONS.get(match[2], match[2])))
    if match := _GLUED.fullmatch(typed):
        word = Item("W", "FLAT" if match[1] == "F" else match[1])
        digits = _NUMBER.fullmatch(match[2])
        return (word, Item("N", match[2], _number(digits[1], digits[2]))) if digits else (word,)
    if _IDENT.fullmatch(typed):
        return (Item("L", typed),)
    if (match := _RANGE.fullmatch(typed)) or (match := _SLASH.fullmatch(typed)):
        number = _number(match[1], match[2], match[3], match[4])
        if number.hi >= number.lo:
            return (Item("N", typed, number, slash="/" in typed),)
        return (
            Item("N", match[1], _number(match[1], match[2])),
            Item("N", match[3], _number(match[3], match[4])),
        )
    return _split(typed)


def _always_beside(typed: str) -> bool:
    return typed in BESIDE or (len(typed) >= 6 and typed not in KINDS and bool(close_to(typed, _LONG_BESIDE)))


def _puts_beside(tokens: list[str], at: int, items: list[Item]) -> bool:
    """Does this word say that the place is not the address itself: beside it, above it, or not it at all?"""
    typed = tokens[at]
    if _always_beside(typed):
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


def _split(typed: str) -> tuple[Item, ...]:
    items: list[Item] = []
    for piece in re.split(r"[-/&]", typed)[:8]:
        if not piece:
            continue
        match = _NUMBER.fullmatch(piece)
        if match:
            items.append(Item("N", piece, _number(match[1], match[2])))
        else:
            items.append(Item("W", ABBREVIATIONS.get(piece, piece)))
    return tuple(items)


def join_numbers(items: list[Item]) -> list[Item]:
    """`12 - 14`, `12 to 14`, `12 & 14` are ranges; `12 B` is 12B; `144 and a half` is one number."""
    joined: list[Item] = []
    i, n = 0, len(items)
    while i < n:
        item = items[i]
        number = item.number
        if item.kind == "N" and number is not None and number.lo == number.hi and _may_join(items, i + 1):
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


def _may_join(items: list[Item], at: int) -> bool:
    """Is this what binds a number to what follows it: a dash, a small word or a letter?"""
    if at >= len(items):
        return False
    item = items[at]
    return item.kind == "D" or (item.kind == "W" and (len(item.text) == 1 or item.text in ("AND", "TO")))


@lru_cache(maxsize=65536)
def close_to(word: str, targets: tuple[str, ...]) -> str:
    """The target this word is one slip away from, or ""."""
    for target in targets:
        if abs(len(word) - len(target)) <= 1 and OSA.distance(word, target, score_cutoff=1) <= 1:
            return target
    return ""
