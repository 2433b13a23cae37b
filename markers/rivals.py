"""Marked homes that a text may mean although it was read as another home, or as none on record."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from string import ascii_uppercase

from markers.address import Written
from markers.choose import Weighed
from markers.compare import Judged
from markers.gazetteer import Gazetteer
from markers.homes import MarkedHomes
from markers.slips import FAR_SLIP, word_cost
from markers.terms import asked_numbers, reading_numbers, slips_of_number
from markers.vocabulary import KINDS, SAME_WORD, TOWNS

_SAME_AS: dict[str, list[str]] = defaultdict(list)
for _typed, _known in SAME_WORD:
    _SAME_AS[_typed].append(_known)


@dataclass(slots=True)
class Rivals:
    """Marked homes the text may mean, looked up once and only when asked for.

    `read` is the home it was read as. Where that was read to the letter, no slip needs forgiving: marked homes that
    the gazetteer placed are then known by the home they stand at.
    """

    asked: Written
    marked: MarkedHomes
    read: Judged | None = None
    found: tuple[str, ...] | None = None

    @property
    def to_the_letter(self) -> bool:
        """Was the text read without any liberty?"""
        read = self.read
        return read is not None and read.cost == 0 and read.loose <= 0 and read.leftover == 0

    def ids(self) -> tuple[str, ...]:
        """Every marked home the text may mean, slips of spelling forgiven where any were taken."""
        if self.found is None:
            if self.to_the_letter and not self.marked.any_unplaced:
                self.found = self.marked.alike(self.asked)
            else:
                self.found = self.marked.candidates(self.asked, wide=not self.to_the_letter)
        return self.found


def rivalled(asked: Written, read: Weighed | None, listed: set[str], rivals: Rivals) -> bool:
    """May the text mean a marked home that was read as elsewhere? Then nobody may be told that there is no marker.

    Asked only where the reading took some liberty. A marked home all of whose numbers are in the text, and whose
    building or street is too, may be what was meant, unless the home that was read explains words or numbers of the
    text that it leaves unexplained, or reads them with fewer slips. A home that was read without a slip is only
    rivalled by one that explains words which it leaves over.
    """
    likeness = _Likeness(asked.readings[0].words)
    explained = likeness.explained(read.written) if read is not None else {}
    exact = read is not None and read.judged.cost == 0 and read.judged.loose <= 0
    numbers = set(asked_numbers(asked))
    read_numbers = numbers & set(reading_numbers(read.written.readings[0])) if read is not None else set()
    for home_id in rivals.ids():
        if home_id in listed:
            continue
        theirs = rivals.marked.written(home_id)
        if not theirs.readings:
            continue
        reading = theirs.readings[0]
        own = set(reading_numbers(reading))
        if reading.unit is not None and reading.unit.ident and likeness.mentions(reading.name):
            own = {reading.unit.ident}  # a named building is often said without its number
        if not (own and own <= numbers and (likeness.mentions(reading.name) or likeness.mentions(reading.street))):
            continue
        if not read_numbers.issubset(reading_numbers(reading)):
            continue
        rival = likeness.explained(theirs)
        if explained.keys() - rival.keys() or (exact and rival.keys() == explained.keys()):
            continue
        if sum(rival[i] for i in explained) <= sum(explained.values()):
            return True
    return False


class _Likeness:
    """The words of one text beside those of its rivals, which for `Unit 1, ...` are a thousand homes.

    Each word is compared once, and only with those it shares its first or last letter with: no others are alike.
    """

    def __init__(self, words: tuple[str, ...]) -> None:
        self._words = words
        self._costs: dict[str, dict[int, int]] = {}
        self._first: dict[str, list[int]] = defaultdict(list)
        self._last: dict[str, list[int]] = defaultdict(list)
        self._same: dict[str, list[int]] = defaultdict(list)
        for i, word in enumerate(words):
            self._first[word[0]].append(i)
            self._last[word[-1]].append(i)
            for known in _SAME_AS.get(word, ()):
                self._same[known].append(i)

    def explained(self, home: Written) -> dict[int, int]:
        """Places of the asked words that are words of the home, each with what the slip of spelling costs."""
        least: dict[int, int] = {}
        for known in {word for reading in home.readings for word in reading.words}:
            if known not in TOWNS:
                for i, cost in self._like(known).items():
                    least[i] = min(cost, least.get(i, cost))
        return least

    def mentions(self, phrase: tuple[str, ...]) -> bool:
        """Is a telling word of the phrase among the asked ones?"""
        return any(word not in KINDS and word not in TOWNS and self._like(word) for word in phrase)

    def _like(self, known: str) -> dict[int, int]:
        """Places of the asked words that are this one or a slip of it, each with what that costs."""
        held = self._costs.get(known)
        if held is None:
            places = {*self._first.get(known[0], ()), *self._last.get(known[-1], ()), *self._same.get(known, ())}
            costs = ((i, word_cost(self._words[i], known)) for i in places)
            held = self._costs[known] = {i: cost for i, cost in costs if 0 <= cost < FAR_SLIP}
        return held


def number_slipped(asked: Written, street: tuple[str, ...] | None, gazetteer: Gazetteer, marked: MarkedHomes) -> bool:
    """Is there a home on this street whose number is one slip from the asked one, which is not on record?

    Whether it is marked must not matter, or a few such questions would tell which one is.
    """
    if street is None:
        return False
    numbers = (number for number in asked_numbers(asked) if number.rstrip(ascii_uppercase).isdecimal())
    slips = (slip for number in numbers for slip in slips_of_number(number))
    return any(gazetteer.has_number(street, slip) or marked.on(street, slip) for slip in slips)
