"""Homes that a beginning of an address may become, for a form in which one is chosen. It decides nothing about markers.

Homes that hold everything typed come first, in the order in which people read them (2 before 10); where there are none,
those that a slip of the finger would explain, as the search for candidates has them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from markers.address import normalise, read_address
from markers.gazetteer import Gazetteer
from markers.model import Premises

SHORTEST = 3  # letters and figures together; before that everything begins so
MOST = 8
_MOST_READ = 200
_LONGEST = 120
_MOST_WORDS = 10
_CANDIDATES = 40
_WORD = re.compile(r"\w+")
_FIGURES = re.compile(r"(\d+)")


def complete(text: str, gazetteer: Gazetteer, limit: int = MOST) -> tuple[Premises, ...]:
    """At most `limit` homes, likeliest first; none for a text too short or too long to say anything."""
    typed = _words(text)
    if not SHORTEST <= sum(map(len, typed)) <= _LONGEST:
        return ()
    found: dict[str, Premises] = {}
    slips: dict[str, Premises] = {}
    for written in _readings(typed, gazetteer, whole=text[-1:].isspace()):
        for home in gazetteer.candidates(read_address(written), _CANDIDATES):
            held = f"{home.address} {home.postcode or ''}"
            (found if _holds(_words(held), typed) else slips).setdefault(home.premises_id, home)
    last = " ".join(typed)
    for home in _in_postcode(last, gazetteer):
        found.setdefault(home.premises_id, home)
    likely = sorted(found.values(), key=_as_read) or list(slips.values())
    return tuple(likely[:limit])


def _words(text: str) -> list[str]:
    return _WORD.findall(normalise(text).casefold().replace("'", ""))


def _readings(typed: list[str], gazetteer: Gazetteer, *, whole: bool) -> Iterator[str]:
    """The text as it stands, and with its last word as the known words that begin so."""
    yield " ".join(typed)
    last = typed[-1]
    if not whole and last.isalpha() and len(last) >= 2:
        for word in sorted(gazetteer.words_beginning(last, _MOST_READ), key=len)[:_MOST_WORDS]:
            yield " ".join((*typed[:-1], word))


def _in_postcode(text: str, gazetteer: Gazetteer) -> Iterable[Premises]:
    return gazetteer.in_postcode(text) if len(text) <= len("sw1a 1aa ") else ()


def _holds(words: list[str], typed: list[str]) -> bool:
    """Whether each word typed is one of the address, or begins one; a number is the number itself."""
    left = list(words)
    for wanted in typed:
        at = next((n for n, word in enumerate(left) if word == wanted), None)
        if at is None and not wanted.isdigit():
            at = next((n for n, word in enumerate(left) if word.startswith(wanted)), None)
        if at is None:
            return False
        del left[at]
    return True


def _as_read(home: Premises) -> tuple[object, ...]:
    """The address with its numbers as numbers, the name before the number: a street's homes stand together."""
    parts = _FIGURES.split(home.address.casefold())
    return tuple((1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts)
