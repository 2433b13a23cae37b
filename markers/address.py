"""A written UK address -> the set of its readings, in BS 7666 / PAF terms.

One text often reads in more than one way: `37A` is number 37A or Flat A at 37, `12 Quill Tower` is Flat 12 of
the tower or number 12 of a street called so, `3/14` a range or a flat and a number. All are kept; which one is
meant is decided by comparing with known homes (`markers.compare`), never here.
Pure and total: any text is read in bounded time and nothing raises.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from rapidfuzz.distance import OSA

from markers.postcode import normalise_postcode, take_postcode
from markers.vocabulary import (
    ABBREVIATIONS,
    APART,
    BESIDE,
    BESIDE_BEFORE,
    BLOCK_KINDS,
    COUNTED,
    FLAT_WORDS,
    FLOOR_WORDS,
    FLOORS,
    FLOORS_ALONE,
    GLUE,
    KINDS,
    NOISE,
    NUMBER_WORDS,
    PREFIXES,
    SIDES,
    STREET_KINDS,
    TOWNS,
    UNIT_SHORTHAND,
)

__all__ = [
    "Number",
    "Reading",
    "Unit",
    "Written",
    "local_id",
    "normalise",
    "normalise_postcode",
    "part_words",
    "read_address",
]

LONGEST_TEXT = 1000
LONGEST_TOKENS = 60
MOST_READINGS = 8
MOST_NUMBERS = 5
_DROPPED = GLUE | NOISE
_APOSTROPHES = dict.fromkeys(map(ord, "'’‘ʼ`´′＇"), None)
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—―−﹣－", "-"))
_HALF = str.maketrans({"½": " AND A HALF "})
_NOT_KEPT = re.compile(r"[^\w,/&-]|_")
_COMMAS = re.compile(r"[;:|()\[\]\n\r]")
_COMMA_SPACE = re.compile(r"\s*(?:,\s*)+")
_SPACES = re.compile(r"\s+")
_TOKEN = re.compile(r",|[^\s,]+")
_NUMBER = re.compile(r"(\d{1,6})([A-Z]?)")
_RANGE = re.compile(r"(\d{1,6})([A-Z]?)-(\d{1,6})([A-Z]?)")
_SLASH = re.compile(r"(\d{1,6})([A-Z]?)/(\d{1,6})([A-Z]?)")
_RUN_ON = re.compile(r"(\d{1,5})([A-Z]{3,})")
_GLUED = re.compile(r"(FLAT|FLT|APT|APPT|APARTMENT|FL|F|UNIT|SUITE|ROOM|RM|PENTHOUSE)(\d{1,4}[A-Z]?)")
_SECTOR = re.compile(r"\d[A-Z]?")
_LOOKS_LIKE_A_NUMBER = re.compile(r"(?=[IOL\d]*\d)(?=\d*[IOL])[IOL\d]{2,4}[A-Z]?")
_RUN_TOGETHER = re.compile(r"[A-HJKM-Z]\d{1,3}")
_TO_FIGURES = str.maketrans("IOL", "101")
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
_LONG_KINDS = sorted((kind for kind in KINDS if len(kind) >= 4), key=len, reverse=True)
_SHORT_KINDS = ("ST", "RD", "LN", "CT", "SQ", "HSE", "TWR")
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


def normalise(text: str) -> str:
    """Upper case, single spaces, plain letters: accents, apostrophes and typographic dashes are levelled.

    Keeps commas, hyphens, slashes and ampersands, which carry meaning. Idempotent for any Unicode text.
    """
    if not text.isascii():
        text = text.translate(_APOSTROPHES).translate(_DASHES).translate(_HALF)
        for _ in range(4):
            before = text
            decomposed = unicodedata.normalize("NFKD", text)
            text = "".join(ch for ch in decomposed if not unicodedata.combining(ch)).upper()
            text = text.translate(_APOSTROPHES).translate(_DASHES).replace("⁄", "/")
            if text == before:
                break
    else:
        text = text.replace("'", "").replace("`", "").upper()
    text = _NOT_KEPT.sub(" ", _COMMAS.sub(",", text))
    text = _COMMA_SPACE.sub(", ", text)
    return _SPACES.sub(" ", text).strip(" ,")


def plain_text(normalised: str) -> str:
    """Normalised text without commas: what two writings of one address are compared by, letter for letter."""
    return _SPACES.sub(" ", normalised.replace(",", " ")).strip()


def local_id(address: str, postcode: str | None) -> str:
    """A stable id for premises without a UPRN: "L" and 12 hex digits of the normalised address and postcode."""
    key = f"{plain_text(normalise(address))}|{normalise_postcode(postcode) or ''}"
    return "L" + hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:12].upper()


def read_address(text: str, postcode: str | None = None) -> Written:
    """Every reading of a written address.

    Total: any string, any length; work is bounded by reading the first 1,000 characters and 60 tokens.
    """
    normalised = normalise(text[:LONGEST_TEXT])
    tokens = _TOKEN.findall(normalised)
    cut = len(text) > LONGEST_TEXT or len(tokens) > LONGEST_TOKENS
    found, outward, tokens = take_postcode(tokens[:LONGEST_TOKENS])
    given = normalise_postcode(postcode[:20]) if postcode else None
    whole = given or found
    readings, beside = _read(tokens)
    if outward and not found and tokens and _SECTOR.fullmatch(tokens[0]) and normalised.startswith(f"{outward} "):
        why = f"{tokens[0]} may be part of the postcode"
        readings = tuple(reading._replace(unsure=why) for reading in readings)
    spelt_out = _figures(tokens)
    if spelt_out != tokens:
        readings += _read(spelt_out)[0]
    mended, how = _mended(tokens)
    if how:
        readings += tuple(reading._replace(unsure=how) for reading in _read(mended)[0])
    plain = plain_text(normalised)
    if found:
        plain = " ".join(typed for typed in tokens if typed != ",") or plain
    if cut:
        plain += " #" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return Written(
        text=text,
        postcode=whole,
        readings=readings,
        plain=plain,
        outward=whole.split(" ")[0] if whole else outward,
        beside=beside,
        cut=cut,
    )


def part_words(text: str, knows: Callable[[str], bool]) -> str:
    """The text with names that run into their type set apart: `tallowyard` is TALLOW YARD where nobody knows it.

    `knows` says whether a word is one of some known name or street.
    """
    normalised = normalise(text[:LONGEST_TEXT])
    return " ".join(_parted(token, knows) for token in normalised.split(" "))


def _parted(token: str, knows: Callable[[str], bool]) -> str:
    word = token.rstrip(",")
    if len(word) < 7 or not word.isalpha() or knows(word):
        return token
    for kind in _LONG_KINDS:
        if word.endswith(kind) and len(word) - len(kind) >= 3:
            return f"{word[: -len(kind)]} {token[len(word) - len(kind) :]}"
    for kind in _LONG_KINDS:
        for length in (len(kind), len(kind) - 1, len(kind) + 1):
            stem = word[:-length]
            if len(kind) >= 5 and len(stem) >= 4 and _close(word[-length:], (kind,)) and knows(stem):
                return f"{stem} {kind}{token[len(word) :]}"
    for short in _SHORT_KINDS:
        if word.endswith(short) and len(word) - len(short) >= 4 and knows(word[: -len(short)]):
            return f"{word[: -len(short)]} {token[len(word) - len(short) :]}"
    return token


def _figures(tokens: list[str]) -> list[str]:
    """Number words as figures: `TWENTY ONE` and `TWENTY-ONE` are 21."""
    if NUMBER_WORDS.keys().isdisjoint(tokens) and not any("-" in token for token in tokens):
        return tokens
    figures: list[str] = []
    tens = 0
    for typed in (part for token in tokens for part in _said(token)):
        number = NUMBER_WORDS.get(typed, 0)
        if tens and 0 < number < 10:
            figures[-1] = str(tens + number)
        else:
            figures.append(str(number) if number else typed)
        tens = number if number >= 20 else 0
    return figures


def _said(token: str) -> list[str]:
    parts = token.split("-")
    return parts if all(part in NUMBER_WORDS for part in parts) else [token]


def _mended(tokens: list[str]) -> tuple[list[str], str]:
    """Numbers typed with letters that look like figures (`I4`, `1O`, `l2`), or run together with their flat's letter
    (`A3` for Flat A, 3), and what was taken for what."""
    if all(typed.isalpha() or typed.isdecimal() or typed == "," for typed in tokens):
        return tokens, ""
    mended: list[str] = []
    changed: list[str] = []
    alone = sum(any(ch.isdecimal() for ch in token) for token in tokens) == 1
    for token in tokens:
        if _LOOKS_LIKE_A_NUMBER.fullmatch(token):
            now = [token.translate(_TO_FIGURES)]
        elif alone and _RUN_TOGETHER.fullmatch(token):
            now = [*(() if mended and mended[-1] in FLAT_WORDS else ("FLAT",)), token[0], token[1:]]
        else:
            now = [token]
        if now != [token]:
            changed.append(f"{token} read as {' '.join(now).title()}")
        mended += now
    return mended, ", ".join(changed)


def _read(tokens: list[str]) -> tuple[tuple[Reading, ...], bool]:
    """The readings of a text's tokens, and whether its words put the place beside the address."""
    items, beside = _items(tokens)
    units = [i for i, item in enumerate(items) if item.kind == "W" and _is_designator(items, i)]
    choices = (_either_or(items) if "OR" in tokens else ()) or (_one_of_two(items, units) if len(units) > 1 else ())
    if not choices:
        unit, rest, floating = _take_units(_join_numbers(items))
        return _readings(unit, rest, floating=floating), beside
    found: list[Reading] = []
    for chosen, why in choices:
        unit, rest, floating = _take_units(_join_numbers(chosen))
        found += (reading._replace(unsure=why) for reading in _readings(unit, rest, floating=floating)[:4])
    return tuple(found), beside


def _is_designator(items: list[_Item], at: int) -> bool:
    """Is this a word such as FLAT with its number or letter behind it?"""
    following = items[at + 1] if at + 1 < len(items) else _COMMA
    return FLAT_WORDS.get(items[at].text) == "FLAT" and (
        following.kind in "NL" or (following.kind == "W" and len(following.text) == 1)
    )


def _one_of_two(items: list[_Item], units: list[int]) -> tuple[tuple[list[_Item], str], ...]:
    """A text with two flats in it, once for each: nobody can say which is meant."""
    first, second = units[:2]
    if items[first + 1].text == items[second + 1].text:
        return ()
    why = f"flat {items[first + 1].text} and flat {items[second + 1].text} in the text"
    return ((items[:second] + items[second + 2 :], why), (items[:first] + items[first + 2 :], why))


def _either_or(items: list[_Item]) -> tuple[tuple[list[_Item], str], ...]:
    """`3 or 5 Tallow Yard`, once for each."""
    for i in range(1, len(items) - 1):
        if items[i].text == "OR" and items[i - 1].kind in "NL" and items[i + 1].kind in "NL":
            why = f"{items[i - 1].text} or {items[i + 1].text}"
            return ((items[:i] + items[i + 2 :], why), (items[: i - 1] + items[i + 1 :], why))
    return ()


@dataclass(slots=True)
class _Item:
    """kind: W word, N number, C comma, L unit ident such as B4, D lone dash, I a unit's number that may be the
    building's instead, U the place where the unit stood."""

    kind: str
    text: str
    number: Number | None = None
    slash: bool = False


_COMMA = _Item("C", ",")


def _number(lo: str, suffix: str, hi: str = "", last: str = "") -> Number:
    if not hi:
        return Number(int(lo), int(lo), suffix, suffix)
    if len(hi) < len(lo) and int(hi) < int(lo):
        hi = lo[: -len(hi)] + hi
    return Number(int(lo), int(hi), suffix, last)


def _items(tokens: list[str]) -> tuple[list[_Item], bool]:
    items: list[_Item] = []
    beside = False
    for at, typed in enumerate(tokens):
        after = tokens[at + 1] if at + 1 < len(tokens) else ""
        if after in COUNTED and typed.isdecimal():
            continue
        if typed.isalpha():
            beside = beside or _puts_beside(tokens, at, items)
            if typed == "HOUSE" and items and items[-1].text == "PENT":
                items[-1] = _Item("W", "PENTHOUSE")
            elif typed == "F" and _short_for_flat(after, items[-1].kind if items else ""):
                items.append(_Item("W", "FLAT"))
            elif at == 0 and len(typed) == 1 and after == "," and tokens[2:3] and tokens[2][0].isdecimal():
                items += [_Item("W", "FLAT"), _Item("W", typed)]
            elif typed == "LA" and items and items[-1].kind == "W":
                items.append(_Item("W", "LANE"))  # before a name it is French, behind one it is a lane
            else:
                items.append(_Item("W", ABBREVIATIONS.get(typed, typed)))
        elif typed == ",":
            items.append(_COMMA)
        elif typed == "-":
            items.append(_Item("D", "-"))
        elif typed == "&":
            items.append(_Item("W", "AND"))
        elif typed in _SLASHED:
            items.append(_Item("W", _SLASHED[typed]))
        elif typed in _ORDINAL:
            items.append(_Item("W", _ORDINAL[typed]))
        elif match := _NUMBER.fullmatch(typed):
            items.append(_Item("N", typed, _number(match[1], match[2])))
        elif (match := _RUN_ON.fullmatch(typed)) and match[2] not in ("ST", "ND", "RD", "TH"):
            items.append(_Item("N", match[1], _number(match[1], "")))
            items.append(_Item("W", ABBREVIATIONS.get(match[2], match[2])))
        elif match := _GLUED.fullmatch(typed):
            items.append(_Item("W", "FLAT" if match[1] == "F" else match[1]))
            digits = _NUMBER.fullmatch(match[2])
            if digits:
                items.append(_Item("N", match[2], _number(digits[1], digits[2])))
        elif _IDENT.fullmatch(typed):
            items.append(_Item("L", typed))
        elif (match := _RANGE.fullmatch(typed)) or (match := _SLASH.fullmatch(typed)):
            number = _number(match[1], match[2], match[3], match[4])
            slash = "/" in typed
            if number.hi >= number.lo:
                items.append(_Item("N", typed, number, slash=slash))
            else:
                items.append(_Item("N", match[1], _number(match[1], match[2])))
                items.append(_Item("N", match[3], _number(match[3], match[4])))
        else:
            _split(typed, items)
    return items, beside


def _puts_beside(tokens: list[str], at: int, items: list[_Item]) -> bool:
    """Does this word say that the place is not the address itself: beside it, above it, or not it at all?"""
    typed = tokens[at]
    if typed in BESIDE or (len(typed) >= 6 and typed not in KINDS and _close(typed, _LONG_BESIDE)):
        return True
    if typed in BESIDE_BEFORE:
        return not any(item.kind in "NL" for item in items)
    after = tokens[at + 1] if at + 1 < len(tokens) else ""
    if typed == "NOT":
        return after[:1].isdecimal() or after in FLAT_WORDS or after in ("AT", "IN", "THE")
    if typed in ("ABOVE", "OVER"):
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


def _split(typed: str, items: list[_Item]) -> None:
    for piece in re.split(r"[-/&]", typed)[:8]:
        if not piece:
            continue
        match = _NUMBER.fullmatch(piece)
        if match:
            items.append(_Item("N", piece, _number(match[1], match[2])))
        else:
            items.append(_Item("W", ABBREVIATIONS.get(piece, piece)))


def _join_numbers(items: list[_Item]) -> list[_Item]:
    """`12 - 14`, `12 to 14`, `12 & 14` are ranges; `12 B` is 12B; `144 and a half` is one number."""
    joined: list[_Item] = []
    i, n = 0, len(items)
    while i < n:
        item = items[i]
        number = item.number
        if item.kind == "N" and number is not None and number.lo == number.hi:
            after = [(it.kind, it.text) for it in items[i + 1 : i + 4]]
            if after[:3] == [("W", "AND"), ("W", "A"), ("W", "HALF")]:
                joined.append(_Item("N", item.text, Number(number.lo, number.hi, "HALF", "HALF")))
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
                joined.append(_Item("N", item.text, Number(number.lo, second.hi, number.suffix, second.last)))
                i += 3
                continue
            if not number.suffix and after and after[0][0] == "W" and len(after[0][1]) == 1 and after[0][1].isascii():
                letter = after[0][1]
                joined.append(_Item("N", f"{item.text}{letter}", Number(number.lo, number.hi, letter, letter)))
                i += 2
                continue
        if item.kind != "D":
            joined.append(item)
        i += 1
    return joined


@lru_cache(maxsize=65536)
def _close(word: str, targets: tuple[str, ...]) -> str:
    """The target this word is one slip away from, or ""."""
    for target in targets:
        if abs(len(word) - len(target)) <= 1 and OSA.distance(word, target, score_cutoff=1) <= 1:
            return target
    return ""


_UNIT_TARGETS = ("FLAT", "APARTMENT", "UNIT", "PENTHOUSE", "MAISONETTE", "ANNEXE")
_FLOOR_TARGETS = ("BASEMENT", "GROUND", "FIRST", "SECOND", "THIRD", "FOURTH", "FIFTH")


def _take_units(items: list[_Item]) -> tuple[Unit | None, list[_Item], bool]:
    """Collect every unit word of the text. Returns the unit, what is left, and whether the unit's number might as
    well be the building's (`Flat 74 High Street`)."""
    kind = ident = side = ""
    floors: list[int] = []
    rest: list[_Item] = []
    floating = seen = False
    i, n = 0, len(items)

    def word(at: int) -> str:
        return items[at].text if at < n and items[at].kind == "W" else ""

    def numbered(at: int) -> bool:
        return at < n and (items[at].kind in "NL" or (items[at].kind == "W" and len(items[at].text) == 1))

    marked, before = False, 0
    while i < n:
        if seen and not marked:
            rest.insert(before, _Item("U", ""))
            marked = True
        before = len(rest)
        item = items[i]
        if item.kind == "L":
            if not ident and not (rest and rest[-1].kind == "N"):
                ident, seen = item.text, True
            else:
                rest.append(_Item("W", item.text))
            i += 1
            continue
        if item.kind != "W":
            rest.append(item)
            i += 1
            continue
        text = item.text
        if numbered(i + 1) and text not in FLAT_WORDS and 2 <= len(text) <= 11 and text not in KINDS:
            text = "PENTHOUSE" if text in ("PH", "PHOUSE") else _close(text, _UNIT_TARGETS) or text
        if word(i + 1) in FLOOR_WORDS and text not in FLOORS and len(text) >= 5:
            text = _close(text, _FLOOR_TARGETS) or text
        following = word(i + 1)
        if 6 <= len(text) <= 9 and text not in KINDS and (numbered(i + 1) or following in FLAT_WORDS):
            text = _close(text, ("BASEMENT",)) or text
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
                rest.append(_Item("W", text))
            while word(i) in ("NO", "NUMBER", "NUM"):
                i += 1
            took = ""
            if i < n and not ident:
                nxt = items[i]
                more = any(it.kind == "N" for it in items[i + 1 :])
                if nxt.kind == "N" and nxt.number is not None and (not floors or more):
                    took, floating = nxt.number.text, not floors
                    rest.append(_Item("I", took, nxt.number))
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
                rest.append(_Item("W", text))
        else:
            rest.append(item if text == item.text else _Item("W", text))
            i += 1
    if not seen:
        return None, rest, False
    if not marked:
        rest.insert(before, _Item("U", ""))
    return Unit(kind, ident, tuple(sorted(set(floors))), side), rest, floating


def _readings(unit: Unit | None, rest: list[_Item], *, floating: bool) -> tuple[Reading, ...]:
    words: list[str] = []
    cuts: set[int] = set()
    numbers: list[tuple[Number, int, bool]] = []
    led: list[int] = []
    apart: list[bool] = []
    above = False
    held: tuple[Number, int] | None = None
    stands = -1
    before = _COMMA
    for place, item in enumerate(rest):
        if item.kind == "U":
            stands = len(words)
        elif item.kind == "W":
            above = above or item.text in ("ABOVE", "OVER")
            if item.text not in _DROPPED:
                words.append(item.text)
        elif item.kind == "C":
            cuts.add(len(words))
        elif item.kind == "I" and item.number is not None and held is None:
            held = (item.number, len(words))
        elif item.number is not None:
            follows = rest[place + 1] if place + 1 < len(rest) else _COMMA
            leading = before.kind == "W" and before.text not in _DROPPED
            led.append(len(words) - 1 if leading else -1)
            apart.append(follows.kind == "W" and follows.text in APART)
            numbers.append((item.number, len(words), item.slash))
        before = item
    cuts -= {0, len(words)}
    _open_streets(words, cuts, {at for _, at, _ in numbers})
    all_words = tuple(words)
    found: list[Reading] = []

    def add(
        unit: Unit | None,
        number: Number | None,
        at: int,
        used: int,
        *,
        rank: int = 0,
        bare: bool = False,
        kept: int = -1,
    ) -> None:
        if len(found) >= MOST_READINGS:
            return
        spare = tuple(n.text for k, (n, _, _) in enumerate(numbers) if k not in (used, kept))
        name, street, locality = _split_words(all_words, cuts, at if number is not None else -1)
        unit_at = -1 if unit is None else numbers[kept if kept >= 0 else used][1] if bare else stands
        uses = [k for k in {used, kept} if 0 <= k < len(led)]
        unsure = next((f"{numbers[k][0].text} stands apart" for k in uses if apart[k]), "")
        before_them = tuple(led[k] for k in uses if led[k] >= 0)
        found.append(
            Reading(
                unit, number, all_words, at, name, street, locality, spare, rank, bare, unit_at, unsure, before_them
            )
        )

    usable = numbers[:MOST_NUMBERS]
    order = sorted(
        range(len(usable)),
        key=lambda k: (usable[k][1] >= len(words), -k if unit is None else k),
    )
    if not usable:
        add(unit, None, -1, -1)
        if held is not None and floating and unit is not None:
            number, at = held
            add(_without_ident(unit), number, at, -1, rank=1)
            _lettered(add, unit, number, at, -1)
    elif unit is not None:
        for k in order[:3]:
            number, at, _ = usable[k]
            add(unit, number, at, k)
            if not unit.ident:
                for other in range(len(usable)):
                    if other < k and usable[other][0].lo == usable[other][0].hi:
                        ident = usable[other][0].text
                        add(Unit(unit.kind, ident, unit.floors, unit.side), number, at, k, rank=1, kept=other)
                if len(usable) == 1 and not unit.floors and not above:
                    add(Unit(unit.kind, number.text, (), unit.side), None, -1, k, rank=1)
        add(unit, None, -1, -1, rank=1)
    else:
        for k in order[:3]:
            number, at, slash = usable[k]
            for other in range(len(usable)):
                one, _, scottish = usable[other]
                # A bare number behind the street is no flat ("7 Ferrule Street, 2 males fighting").
                if other < k and (one.lo == one.hi or scottish):
                    ident = one.text.replace("-", "/")
                    add(Unit("", ident), number, at, k, kept=other, bare=True)
            add(None, number, at, k)
            _lettered(add, None, number, at, k)
            if slash:
                add(
                    Unit("FLAT", str(number.lo) + number.suffix),
                    Number(number.hi, number.hi, number.last, number.last),
                    at,
                    k,
                    rank=1,
                )
        for k in order[:2]:
            number, at, slash = usable[k]
            if number.lo == number.hi or slash:
                add(Unit("", usable[k][0].text), None, at, k, bare=True)
    return tuple(found)


def _lettered(add: object, unit: Unit | None, number: Number, at: int, used: int) -> None:
    """`37A` may be Flat A at 37."""
    if number.suffix and number.lo == number.hi and len(number.suffix) == 1 and callable(add):
        kind = unit.kind if unit is not None and unit.kind else "FLAT"
        add(Unit(kind, number.suffix), Number(number.lo, number.hi), at, used, rank=1)


def _without_ident(unit: Unit) -> Unit | None:
    """The unit when its number turns out to be the building's; a bare `unit` or `shop` stays a word of the name."""
    if unit.kind == "UNIT" and not unit.floors:
        return None
    return Unit(unit.kind, "", unit.floors, unit.side)


def _open_streets(words: list[str], cuts: set[int], starts: set[int]) -> None:
    """`ST` is Street at the end of a name and Saint at its beginning."""
    last = len(words) - 1
    for i, word in enumerate(words):
        if word != "ST" or i == 0 or i in cuts or i in starts:
            continue
        ends = i == last or i + 1 in cuts or i + 1 in starts or words[i + 1] in KINDS or words[i + 1] in TOWNS
        if ends or (words[i - 1] not in PREFIXES and words[i - 1] not in KINDS):
            words[i] = "STREET"


def _kind_end(words: tuple[str, ...], start: int, stop: int) -> int:
    """End of the first phrase of `words[start:stop]` that closes with a street or building kind; `stop` if none."""
    for i in range(start + 1, stop):
        if words[i] in KINDS:
            end = i + 1
            while end < stop and words[end] in KINDS and not (end + 1 < stop and words[end + 1] in KINDS):
                end += 1
            return end
    for i in range(start + 1, stop):
        if words[i] in TOWNS:
            return i
    return stop


def _split_words(
    words: tuple[str, ...], cuts: set[int], at: int
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """(building name, street, locality) of the words, `at` the place of the building number or -1."""
    n = len(words)
    if at >= n > 0:
        begin = max((c for c in cuts if c < n), default=0)
        return words[:begin], words[begin:], ()
    if at >= 0:
        end = min((c for c in cuts if c > at), default=0)
        if end:
            while end - 1 > at and words[end - 1] in TOWNS and words[end - 2] in KINDS:
                end -= 1
        else:
            end = _kind_end(words, at, n)
        return words[:at], words[at:end], words[end:]
    bounds = sorted(cuts)
    if not bounds:
        first = _kind_end(words, 0, n)
        second = _kind_end(words, first, n) if first < n else n
        if first < n and words[first] in TOWNS:
            second = first
        return words[:first], words[first:second], words[second:]
    first = bounds[0]
    second = bounds[1] if len(bounds) > 1 else n
    if first < n and words[first] in TOWNS and second == n:
        second = first
    return words[:first], words[first:second], words[second:]


def is_block(phrase: tuple[str, ...]) -> bool:
    """Could this phrase name a block of homes, so that a bare number before it is a flat?"""
    return bool(phrase) and (phrase[-1] in BLOCK_KINDS or not any(word in STREET_KINDS for word in phrase))
