"""Search terms of an address: what a home is filed under and what an asked address is looked up by.

The main terms join a number with a word of the name beside it (`14~TALLOW`), so that a list of hits is short even
where a street has a thousand homes. A home with no number at all is filed under `~WORD`.
"""

from __future__ import annotations

from itertools import pairwise

from markers.address import Number, Reading, Written
from markers.vocabulary import BUILDING_KINDS, KINDS, TOWNS

MOST_IN_RANGE = 60
MOST_WORDS = 10


def key_words(phrase: tuple[str, ...]) -> tuple[str, ...]:
    """The words that tell a phrase from others: without street and building types, unless there is nothing else."""
    telling = tuple(word for word in phrase if word not in KINDS)
    return telling or phrase


def _numbers(number: Number | None) -> list[str]:
    if number is None:
        return []
    step = 2 if (number.hi - number.lo) % 2 == 0 and number.hi > number.lo else 1
    return [str(n) for n in range(number.lo, min(number.hi, number.lo + MOST_IN_RANGE) + 1, step)]


def reading_numbers(reading: Reading) -> list[str]:
    """Every number or letter of a reading that may be the one a home is filed under."""
    found = _numbers(reading.number)
    if reading.unit is not None and reading.unit.ident:
        found.append(reading.unit.ident)
    return found


def filed_words(home: Written) -> set[str]:
    """The words a home is found by."""
    words: set[str] = set()
    for reading in home.readings:
        words.update(key_words(reading.name))
        words.update(key_words(reading.street))
    return words


def filed_terms(home: Written) -> set[str]:
    """The joined terms a home is filed under."""
    terms: set[str] = set()
    for reading in home.readings:
        phrases = [phrase for phrase in (reading.name, reading.street) if not TOWNS.issuperset(phrase)]
        words = {word for phrase in phrases for word in key_words(phrase)} or {*reading.words}
        for number in reading_numbers(reading) or ([] if reading.rank else [""]):
            terms.update(f"{number}~{word}" for word in words)
    return terms


def asked_words(asked: Written) -> tuple[str, ...]:
    """The words of an asked address worth looking up, in order: key words, and types that begin a phrase."""
    if not asked.readings:
        return ()
    words = asked.readings[0].words
    telling = [
        word
        for i, word in enumerate(words)
        if word not in KINDS or i == 0 or words[i - 1] in KINDS or i == asked.readings[0].at
    ]
    return tuple(dict.fromkeys(telling))[:MOST_WORDS]


def asked_numbers(asked: Written) -> tuple[str, ...]:
    """Every number and letter of an asked address, and "" for homes that have none."""
    found: dict[str, None] = {}
    for reading in asked.readings:
        if reading.number is not None:
            ends = (reading.number.lo, reading.number.hi)
            found.update(dict.fromkeys(str(n) for n in ends))
        if reading.unit is not None and reading.unit.ident:
            found[reading.unit.ident] = None
    return (*list(found)[:8], "")


def building_key(home: Written) -> str:
    """Homes with one key stand in one building: number and street, or the name (`12 Quarto Tower` is in the tower)."""
    blocks = (r for r in home.readings if r.bare and r.name and r.name[-1] in BUILDING_KINDS)
    reading = next(blocks, home.readings[0])
    if reading.number is not None:
        return f"{reading.number.text}|{' '.join(reading.street)}"
    return f"|{' '.join(reading.name)}|{' '.join(reading.street)}"


def joined_words(asked: Written) -> tuple[str, ...]:
    """Neighbouring words written as one (`grace church` -> GRACECHURCH): candidates to look up where they exist."""
    if not asked.readings:
        return ()
    words = asked.readings[0].words[: MOST_WORDS + 1]
    return tuple(a + b for a, b in pairwise(words) if len(a) + len(b) > 5 and b.isalpha())


def split_word(word: str) -> list[tuple[str, str]]:
    """A long word as two (`gracechurch` -> GRACE CHURCH): candidates to look up where both exist."""
    return [(word[:i], word[i:]) for i in range(3, len(word) - 2)] if 7 <= len(word) <= 24 else []
