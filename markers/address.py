"""A written UK address -> the set of its readings, in BS 7666 / PAF terms.

One text often reads in more than one way: `37A` is number 37A or Flat A at 37, `12 Quill Tower` is Flat 12 of
the tower or number 12 of a street called so, `3/14` a range or a flat and a number. All are kept; which one is
meant is decided by comparing with known homes (`markers.compare`), never here.
Pure and total: any text is read in bounded time and nothing raises.
"""

from __future__ import annotations

import hashlib
import re

from markers.items import COMMA, Item, items_of, join_numbers
from markers.mending import figures_of, mended
from markers.normal import LONGEST_TEXT, normalise, plain_text
from markers.parts import Number, Reading, Unit, Written
from markers.postcode import normalise_postcode, take_postcode
from markers.units import either_or, is_designator, one_of_two, take_units
from markers.vocabulary import APART, FLAT_WORDS, GLUE, KINDS, NOISE, PREFIXES, TOWNS

__all__ = [
    "Number",
    "Reading",
    "Unit",
    "Written",
    "local_id",
    "normalise",
    "normalise_postcode",
    "read_address",
]

LONGEST_TOKENS = 60
MOST_READINGS = 8
MOST_NUMBERS = 5
_DROPPED = GLUE | NOISE
_SECTOR = re.compile(r"\d[A-Z]?")


def local_id(address: str, postcode: str | None) -> str:
    """A stable id for premises without a UPRN: "L" and 12 hex digits of the normalised address and postcode."""
    key = f"{plain_text(normalise(address))}|{normalise_postcode(postcode) or ''}"
    return "L" + hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:12].upper()


def read_address(text: str, postcode: str | None = None) -> Written:
    """Every reading of a written address.

    Total: any string, any length; work is bounded by reading the first 1,000 characters and 60 tokens.
    """
    normalised = normalise(text[:LONGEST_TEXT])
    tokens = normalised.replace(",", " ,").split()
    cut = len(text) > LONGEST_TEXT or len(tokens) > LONGEST_TOKENS
    found, outward, tokens = take_postcode(tokens[:LONGEST_TOKENS])
    given = normalise_postcode(postcode[:20]) if postcode else None
    whole = given or found
    readings, beside = _read(tokens)
    # Where there is none there is no second one.
    other, other_outward, rest = take_postcode(tokens) if outward else (None, None, tokens)
    if (other or other_outward) and (outward, found) not in ((other_outward, other), (other_outward, None)):
        # Two of them: whichever was meant, the other says it may not be.
        readings = tuple(
            r._replace(unsure=f"{whole or outward} and {other or other_outward} in the text") for r in _read(rest)[0]
        )
        tokens = rest
    if outward and not found and tokens and _SECTOR.fullmatch(tokens[0]) and normalised.startswith(f"{outward} "):
        why = f"{tokens[0]} may be part of the postcode"
        readings = tuple(reading._replace(unsure=why) for reading in readings)
    spelt_out = figures_of(tokens)
    if spelt_out != tokens:
        readings += _read(spelt_out)[0]
    put_right, how = mended(tokens)
    if how:
        readings += tuple(reading._replace(unsure=how) for reading in _read(put_right)[0])
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


def _read(tokens: list[str]) -> tuple[tuple[Reading, ...], bool]:
    """The readings of a text's tokens, and whether its words put the place beside the address."""
    items, beside = items_of(tokens)
    units = [
        i for i, item in enumerate(items) if item.kind == "W" and item.text in FLAT_WORDS and is_designator(items, i)
    ]
    choices = (either_or(items) if "OR" in tokens else ()) or (one_of_two(items, units) if len(units) > 1 else ())
    if not choices:
        unit, rest, floating = take_units(join_numbers(items))
        return _readings(unit, rest, floating=floating), beside
    found: list[Reading] = []
    for chosen, why in choices:
        unit, rest, floating = take_units(join_numbers(chosen))
        found += (reading._replace(unsure=why) for reading in _readings(unit, rest, floating=floating)[:4])
    return tuple(found), beside


def _readings(unit: Unit | None, rest: list[Item], *, floating: bool) -> tuple[Reading, ...]:
    words: list[str] = []
    cuts: set[int] = set()
    numbers: list[tuple[Number, int, bool]] = []
    led: list[int] = []
    apart: list[bool] = []
    above = False
    held: tuple[Number, int] | None = None
    stands = -1
    before = COMMA
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
            follows = rest[place + 1] if place + 1 < len(rest) else COMMA
            leading = before.kind == "W" and before.text not in _DROPPED
            led.append(len(words) - 1 if leading else -1)
            behind = before.kind == "W" and before.text in APART and bool(words) and follows is COMMA
            apart.append(behind or (follows.kind == "W" and follows.text in APART))
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
        spare = tuple([n.text for k, (n, _, _) in enumerate(numbers) if k not in (used, kept)])
        name, street, locality = _split_words(all_words, cuts, at if number is not None else -1)
        unit_at = -1 if unit is None else numbers[kept if kept >= 0 else used][1] if bare else stands
        unsure = ""
        before_them: tuple[int, ...] = ()
        for k in (used, kept) if used < kept else (kept, used):
            if k >= 0:
                unsure = unsure or (f"{numbers[k][0].text} stands apart" if apart[k] else "")
                before_them += (led[k],) if led[k] >= 0 else ()
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
            why = f"{number.text} may be the number or the flat"
            found[2:] = [reading._replace(unsure=why) for reading in found[2:]]
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
    if number.suffix and number.text == f"{number.lo}{number.suffix}" and len(number.suffix) == 1 and callable(add):
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
