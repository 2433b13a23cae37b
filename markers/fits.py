"""Numbers, flats and postcode districts side by side: the vetoes that no likeness of words outweighs."""

from __future__ import annotations

from markers.parts import Number, Unit


def number_fit(asked: Number, home: Number) -> int:
    """0 the same number, 1 inside the home's range (with its parity), 2 ranges that overlap, -1 another number."""
    if asked == home:
        return 0
    if asked.lo == asked.hi and asked.suffix != asked.last:
        same = home.lo == home.hi == asked.lo
        return 2 if same and asked.suffix <= home.suffix and home.last <= asked.last else -1
    if asked.lo == asked.hi:
        if home.lo == home.hi and asked.lo == home.lo:
            in_pair = asked.suffix in (home.suffix, home.last) or (not home.suffix and home.last > asked.suffix > "")
            return 1 if home.suffix != home.last and in_pair else -1
        if asked.suffix and asked.suffix != "HALF":
            return 2 if home.lo < home.hi and home.lo <= asked.lo <= home.hi and _parity(asked.lo, home) else -1
        if home.lo <= asked.lo <= home.hi and not asked.suffix and _parity(asked.lo, home):
            return 1
        return -1
    if home.lo == home.hi and not home.suffix and asked.lo <= home.lo <= asked.hi and _parity(home.lo, asked):
        return 2
    if home.lo < home.hi and asked.lo <= home.hi and home.lo <= asked.hi and (asked.lo - home.lo) % 2 == 0:
        return 2
    return -1


def _parity(number: int, within: Number) -> bool:
    """A range of one parity runs along one side of a street; a mixed one takes every number."""
    return (within.hi - within.lo) % 2 == 1 or (number - within.lo) % 2 == 0


def unit_fit(asked: Unit | None, home: Unit | None) -> str:
    """`same`, `not_given` (only the home has a unit), `extra` (only the asked), `unsure` or `different`."""
    if home is None:
        return "same" if asked is None else "extra"
    if asked is None:
        return "not_given"
    if asked.ident and home.ident:
        if asked.ident != home.ident:
            return "unsure" if _letter_for_number(asked.ident, home.ident) else "different"
    elif asked.ident or home.ident:
        floors = bool(asked.floors) and bool(home.floors)
        if floors and not set(asked.floors) & set(home.floors):
            return "different"
        if not asked.ident and not asked.floors and not asked.side and asked.kind not in ("PENTHOUSE", "ANNEXE"):
            return "not_given"
        # A number says nothing of the floor or side: Flat 3 may well be on the second floor.
        return "unsure"
    if set(asked.floors) != set(home.floors):
        if asked.floors and home.floors:
            shared = set(asked.floors) & set(home.floors)
            upper = max(asked.floors) > 96 or max(home.floors) > 96
            return "unsure" if shared or (upper and min(*asked.floors, *home.floors) > 0) else "different"
        if not asked.ident:
            return "not_given" if not asked.floors else "unsure"
    if asked.side != home.side:
        return "different" if asked.side and home.side else "unsure"
    # A bare number is as good as a flat's, not as a room's or a penthouse's.
    plain = ("", "FLAT")
    if asked.kind != home.kind and not (asked.kind in plain and home.kind in plain):
        return "unsure"
    return "same"


def _letter_for_number(asked: str, home: str) -> bool:
    """Flat B is often Flat 2 on another list: never the same, but worth asking."""
    letter, digits = (asked, home) if asked.isalpha() else (home, asked)
    return len(letter) == 1 and letter.isascii() and digits.isdecimal() and ord(letter) - 64 == int(digits)


def same_district(asked: str, known: str) -> bool:
    """London's central districts are often said without their letter: EC1 is any of EC1A to EC1Y."""
    return asked == known or (asked[-1].isdigit() and known[:-1] == asked and known[-1].isalpha())
