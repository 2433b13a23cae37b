"""Search terms of an address: what a home is filed under and what an asked address is looked up by.

The unit of search is the *key* of a phrase: the name of a street or building without the type at its end, so that
`Tallow Yard`, `tallow yd` and `Tallow` share the key TALLOW. A home is filed under each of its numbers joined with
each of its keys (`14~TALLOW`), so that a list of hits is short even where a street has a thousand homes, and under the
key of its name alone, for those who leave the number out. An asked text has no phrases yet: every run of its words may
be a key, and a word may be a slip of a known one, two words written as one, or one written as two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from string import ascii_uppercase
from typing import Protocol

from markers.address import Number, Reading, Unit, Written
from markers.vocabulary import BUILDING_KINDS, GENERIC, KINDS, TOWNS

LONGEST_KEY = 4
MOST_IN_RANGE = 60
MOST_WORDS = 14
MOST_NUMBERS = 8
MOST_KEYS = 600
MOST_LIBERTIES = 2
MOST_FORMS = 6
"""Of a word's spellings so many are tried, nearest first."""
_ONE_FORM = {"STREET": "ST", "NORTH": "N", "SOUTH": "S", "EAST": "E", "WEST": "W", "BROTHERS": "BROS"}
_EITHER_FORM = frozenset((*_ONE_FORM, *_ONE_FORM.values()))


class Lexicon(Protocol):
    """What is known of words and keys, by whoever is searched."""

    def knows_word(self, word: str) -> bool:
        """Is this a word of some home's name or street?"""

    def knows_key(self, key: str) -> bool:
        """Is anything filed under this key?"""

    def may_begin_key(self, text: str) -> bool:
        """May these be the first words of a known key, or all of them? False only where they surely are not."""

    def spellings(self, word: str) -> tuple[str, ...]:
        """Known words this one may be a slip of, nearest first."""

    def far_spellings(self, word: str) -> tuple[str, ...]:
        """Known words two slips away from one that has no nearer ones."""


@lru_cache(maxsize=65536)
def key_of(phrase: tuple[str, ...]) -> str:
    """What a phrase is filed under: its first words, without the street or building type at its end."""
    core = phrase[:-1] if len(phrase) > 1 and phrase[-1] in KINDS else phrase
    return " ".join(_ONE_FORM.get(word, word) for word in core[:LONGEST_KEY])


def beginnings(keys: Iterable[str]) -> set[str]:
    """The keys and everything they begin with, word by word."""
    found: set[str] = set()
    for key in keys:
        found.add(key)
        at = key.rfind(" ")
        while at > 0 and (begun := key[:at]) not in found:
            found.add(begun)
            at = key.rfind(" ", 0, at)
    return found


def _numbers(number: Number | None) -> list[str]:
    if number is None:
        return []
    step = 2 if (number.hi - number.lo) % 2 == 0 and number.hi > number.lo else 1
    return [str(n) for n in range(number.lo, min(number.hi, number.lo + MOST_IN_RANGE) + 1, step)]


def reading_numbers(reading: Reading) -> list[str]:
    """Every number or letter of a reading that may be the one a home is filed under."""
    found = _numbers(reading.number)
    return found + _unit_marks(reading.unit)


def _unit_marks(unit: Unit | None) -> list[str]:
    """The number or letter of a unit; what it is called, where it has none: PENTHOUSE, or its floor."""
    if unit is None:
        return []
    if unit.ident:
        return [unit.ident]
    named = [unit.kind] if unit.kind in ("PENTHOUSE", "ANNEXE") else []
    return named + [f"FLOOR{floor}" for floor in unit.floors]


@dataclass(frozen=True, slots=True)
class Filed:
    """What one home is filed under.

    `words` are those of its names and streets, `keys` their keys, `terms` its numbers joined with each key and with its
    postcode. `names` are
    the keys by which it is found without a number: its own name, unless that only says what it is used for, and that of
    the building it is in. `towns` are the words of
    its locality: they rank what was found, and find nothing.
    """

    words: set[str]
    keys: set[str]
    terms: set[str]
    names: set[str]
    towns: set[str]

    @classmethod
    def of(cls, home: Written) -> Filed:
        """Every reading of the home counts."""
        filed = cls(set(), set(), set(), set(), set(home.readings[0].locality) if home.readings else set())
        for reading in home.readings:
            keys = set()
            for phrase in (reading.name, reading.street):
                if phrase and not TOWNS.issuperset(phrase):
                    filed.words.update(phrase)
                    keys.add(key_of(phrase))
            if not keys and reading.words:
                keys.add(key_of(reading.words))
                filed.words.update(reading.words[:LONGEST_KEY])
            filed.keys.update(keys)
            places = {*keys, home.postcode} if home.postcode else keys
            filed.terms.update([f"{number}~{place}" for number in reading_numbers(reading) for place in places])
            filed.names.update([key_of(phrase) for phrase in _names(reading)])
        return filed


def _names(reading: Reading) -> list[tuple[str, ...]]:
    """The names by which a home is found without its number, as far as this reading gives it any."""
    if reading.rank or not reading.name:
        return []
    if reading.number is not None:
        return [] if GENERIC.issuperset(reading.name) else [reading.name]
    if reading.bare:  # `12 Quarto Tower` is in the tower, `12 Tallow Street` is in no building of that name
        return [reading.name] if reading.name[-1] in BUILDING_KINDS or reading.name[-1] == "COURT" else []
    inside = reading.street and reading.street[-1] in BUILDING_KINDS
    return [reading.name, reading.street] if inside else [reading.name]


def asked_numbers(asked: Written) -> tuple[str, ...]:
    """Every number and letter of an asked address."""
    found: dict[str, None] = {}
    for reading in asked.readings:
        if reading.number is not None:
            found[str(reading.number.lo)] = found[str(reading.number.hi)] = None
        found.update(dict.fromkeys(_unit_marks(reading.unit)))
    return tuple(found)[:MOST_NUMBERS]


def asked_keys(asked: Written, lexicon: Lexicon, *, wide: bool = False) -> tuple[str, ...]:
    """Every known key the words of an asked address may mean, as written first.

    Words the lexicon does not have are replaced by their near spellings; `wide` tries those of every word.
    """
    found: dict[str, None] = {}
    for words in dict.fromkeys(reading.words[:MOST_WORDS] for reading in asked.readings):
        forms = [_forms_at(words, at, lexicon, wide=wide) for at in range(len(words))]
        for start in range(len(words)):
            found.update(dict.fromkeys(_known_runs(forms, start, lexicon)))
            if len(found) > MOST_KEYS:
                break
    return tuple(found)


_Form = tuple[str, int, int, int]
"""Words read from the text, how many they are, how many typed words they stand for, how many liberties were taken."""


def _forms_at(words: tuple[str, ...], at: int, lexicon: Lexicon, *, wide: bool) -> list[_Form]:
    word = words[at]
    known = word in _EITHER_FORM or lexicon.knows_word(word)
    # A word that nobody knows is in no key as it stands.
    forms: list[_Form] = [(_ONE_FORM.get(word, word), 1, 1, 0)] if known else []
    if not known or (wide and word not in KINDS):
        # A word nobody knows is surely a slip or noise; one that is known is only tried as a slip by itself.
        liberty = 2 if known else 1
        near = lexicon.spellings(word) or (lexicon.far_spellings(word) if wide else ())
        forms += [(_ONE_FORM.get(form, form), 1, 1, liberty) for form in near[:MOST_FORMS]]
        forms += [
            (f"{left} {right}", 2, 1, liberty)
            for left, right in split_word(word)
            if lexicon.knows_word(left) and lexicon.knows_word(right)
        ]
    if at + 1 < len(words) and len(word) + len(words[at + 1]) > 5 and words[at + 1].isalpha():
        joined = word + words[at + 1]
        if lexicon.knows_word(joined):
            forms.append((joined, 1, 2, 0))
        elif wide and not (known and lexicon.knows_word(words[at + 1])):
            forms += [(form, 1, 2, 2) for form in lexicon.spellings(joined)[:2]]
    return forms


def _known_runs(forms: list[list[_Form]], start: int, lexicon: Lexicon) -> Iterator[str]:
    """Every known key that the words from `start` on may be, with no more liberties than `MOST_LIBERTIES`."""
    may_begin, knows = lexicon.may_begin_key, lexicon.knows_key
    waiting = [("", 0, start, MOST_LIBERTIES)]
    for said, long, at, left in waiting:
        if at >= len(forms):
            continue
        for text, words, used, liberty in forms[at]:
            if liberty > left or long + words > LONGEST_KEY:
                continue
            run = f"{said} {text}" if said else text
            if not may_begin(run):
                continue
            if knows(run):
                yield run
            if long + words < LONGEST_KEY:
                waiting.append((run, long + words, at + used, left - liberty))


def asked_terms(asked: Written, keys: tuple[str, ...]) -> list[str]:
    """The numbers of an asked address, each joined with each of its keys and with its postcode."""
    places = (*keys, asked.postcode) if asked.postcode else keys
    numbers = asked_numbers(asked)
    return [f"{number}~{place}" for place in places for number in numbers]


def building_key(home: Written) -> str:
    """Homes with one key stand in one building: number and street, or the name (`12 Quarto Tower` is in the tower),
    in one postcode district."""
    blocks = (r for r in home.readings if r.bare and r.name and r.name[-1] in BUILDING_KINDS)
    reading = next(blocks, home.readings[0])
    number = reading.number.text if reading.number is not None else " ".join(reading.name)
    return f"{number}|{' '.join(reading.street)}|{home.outward or ''}"


def split_word(word: str) -> list[tuple[str, str]]:
    """A long word as two (`gracechurch` -> GRACE CHURCH): candidates to look up where both exist."""
    return [(word[:i], word[i:]) for i in range(3, len(word) - 2)] if 7 <= len(word) <= 24 else []


def slips_of_number(number: str) -> set[str]:
    """Numbers heard or typed for one another: a figure left out, added, changed or swapped, and -teen for -ty."""
    digits = number.rstrip(ascii_uppercase)[:6]
    left_out = {digits[:i] + digits[i + 1 :] for i in range(len(digits))}
    added = {digits[:i] + figure + digits[i:] for i in range(len(digits) + 1) for figure in "0123456789"}
    changed = {digits[:i] + figure + digits[i + 1 :] for i in range(len(digits)) for figure in "0123456789"}
    swapped = {digits[:i] + digits[i + 1] + digits[i] + digits[i + 2 :] for i in range(len(digits) - 1)}
    teens = {f"1{digits[0]}"} if len(digits) == 2 and digits[1] == "0" else set()
    tens = {f"{digits[1]}0"} if len(digits) == 2 and digits[0] == "1" else set()
    slips = left_out | added | changed | swapped | teens | tens
    return {slip for slip in slips if slip and slip[0] != "0"} - {digits}


def near_forms(word: str) -> set[str]:
    """The word and itself with each letter left out: two words one slip of the fingers apart share a form."""
    if not 3 <= len(word) <= 30:
        return {word}
    return {word, *[word[:i] + word[i + 1 :] for i in range(len(word))]}
