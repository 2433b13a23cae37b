"""Marked homes that a text may mean although it was read as another home, or as none on record."""

from __future__ import annotations

from dataclasses import dataclass
from string import ascii_uppercase

from markers.address import Written
from markers.choose import Weighed
from markers.compare import Judged
from markers.gazetteer import Gazetteer
from markers.homes import MarkedHomes
from markers.slips import FAR_SLIP, word_cost
from markers.terms import asked_numbers, reading_numbers, slips_of_number
from markers.vocabulary import KINDS, TOWNS


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
    explained = _explained(asked, read.written) if read is not None else {}
    exact = read is not None and read.judged.cost == 0 and read.judged.loose <= 0
    numbers = set(asked_numbers(asked))
    read_numbers = numbers & set(reading_numbers(read.written.readings[0])) if read is not None else set()
    for home_id in rivals.ids():
        theirs = rivals.marked.written(home_id)
        if home_id in listed or not theirs.readings:
            continue
        reading = theirs.readings[0]
        own = set(reading_numbers(reading))
        if reading.unit is not None and reading.unit.ident and _mentions(asked, reading.name):
            own = {reading.unit.ident}  # a named building is often said without its number
        if not (own and own <= numbers and (_mentions(asked, reading.name) or _mentions(asked, reading.street))):
            continue
        rival = _explained(asked, theirs)
        leaves_out = explained.keys() - rival.keys() or read_numbers - set(reading_numbers(reading))
        if leaves_out or (exact and rival.keys() == explained.keys()):
            continue
        if sum(rival[i] for i in explained) <= sum(explained.values()):
            return True
    return False


def _explained(asked: Written, home: Written) -> dict[int, int]:
    """Places of the asked words that are words of the home, each with what the slip of spelling costs."""
    known = {word for reading in home.readings for word in reading.words if word not in TOWNS}
    costs = {}
    for i, word in enumerate(asked.readings[0].words):
        if word in known:
            costs[i] = 0
        elif slips := [cost for other in known if 0 <= (cost := word_cost(word, other)) < FAR_SLIP]:
            costs[i] = min(slips)
    return costs


def _mentions(asked: Written, phrase: tuple[str, ...]) -> bool:
    keys = [word for word in phrase if word not in KINDS | TOWNS]
    return any(0 <= word_cost(word, key) < FAR_SLIP for key in keys for word in asked.readings[0].words)


def number_slipped(asked: Written, street: tuple[str, ...] | None, gazetteer: Gazetteer, marked: MarkedHomes) -> bool:
    """Is there a home on this street whose number is one slip from the asked one, which is not on record?

    Whether it is marked must not matter, or a few such questions would tell which one is.
    """
    if street is None:
        return False
    numbers = (number for number in asked_numbers(asked) if number.rstrip(ascii_uppercase).isdecimal())
    slips = (slip for number in numbers for slip in slips_of_number(number))
    return any(gazetteer.has_number(street, slip) or marked.on(street, slip) for slip in slips)
