"""The addresses that carry markers, searchable in memory: the backstop for homes the gazetteer does not know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import compress

from markers.address import Written, normalise_postcode, read_address
from markers.filing import Known, branch, marks_of, pack, surely_read, unpack
from markers.lexicon import forms_of
from markers.model import Premises
from markers.postings import Postings
from markers.shelved import Readings, Shelved
from markers.slips import word_cost
from markers.terms import Filed, asked_keys, asked_terms, beginnings, key_of
from markers.vocabulary import TOWNS

__all__ = ["MarkedHomes"]

MOST_CANDIDATES = 400
MANY_OF_A_NAME = 40
MOST_SPELT = 20_000
MOST_READ = 10_000


class MarkedHomes:
    """Homes by id, found by number and name with spelling slips forgiven. Changes at once with every put or remove.

    Those taken in at the start whose address the gazetteer has are `Shelved`; all others are read here.
    """

    def __init__(self) -> None:
        self._homes: dict[str, Premises] = {}
        self._shelved = Shelved.none()
        self._bodies: dict[str, bytes] = {}
        self._by_premises = Postings()
        self._marks = Postings()
        self._words: dict[str, int] = {}
        self._begun: dict[str, int] = {}
        self._near = Postings()
        self._spelt: dict[str, tuple[str, ...]] = {}
        self._unplaced: set[str] = set()

    def __len__(self) -> int:
        return len(self._homes)

    def fill(self, homes: Mapping[str, Premises], readings: Readings | None) -> None:
        """Take in many homes where there are none yet, by the gazetteer's readings where an address is one of its."""
        if readings is not None and readings.shelf is not None and readings.reads_alike and homes:
            records = readings.shelf.records_of((home.address, home.postcode) for home in homes.values())
            held = records >= 0
            self._shelved = Shelved(readings, tuple(compress(homes, held.tolist())), records[held])
        for home_id, premises in homes.items():
            if home_id in self._shelved:
                self._place(home_id, premises)
            else:
                self.put(home_id, premises)

    def put(self, home_id: str, premises: Premises, readings: Readings | None = None) -> None:
        """Add a home, or replace the one of that id. One that no gazetteer placed has its own id as premises_id.

        `readings`, a gazetteer, saves reading an address that it has.
        """
        self.remove(home_id)
        self._spelt.clear()
        self._place(home_id, premises)
        written = _kept(premises, readings) or surely_read(read_address(premises.address, premises.postcode))
        self._bodies[home_id] = pack(premises, written)
        filed = Filed.of(written)
        for mark in marks_of(written, filed):
            self._marks.add(mark, home_id)
        for text in beginnings(filed.keys):
            self._begun[text] = self._begun.get(text, 0) + 1
        for word in filed.words:
            held = self._words.get(word, 0)
            self._words[word] = held + 1
            if not held:
                for form in forms_of(word):
                    self._near.add(form, word)

    def remove(self, home_id: str) -> None:
        """Forget a home; unknown ids are ignored."""
        premises = self._homes.pop(home_id, None)
        if premises is None:
            return
        self._spelt.clear()
        self._unplaced.discard(home_id)
        for premises_id in _ids_of(premises):
            self._by_premises.discard(premises_id, home_id)
        if self._shelved.forget(home_id):
            return
        written = unpack(self._bodies.pop(home_id))[1]
        filed = Filed.of(written)
        for mark in marks_of(written, filed):
            self._marks.discard(mark, home_id)
        for text in beginnings(filed.keys):
            left = self._begun.pop(text) - 1
            if left:
                self._begun[text] = left
        for word in filed.words:
            left = self._words[word] - 1
            if left:
                self._words[word] = left
            else:
                del self._words[word]
                for form in forms_of(word):
                    self._near.discard(form, word)

    def _place(self, home_id: str, premises: Premises) -> None:
        self._homes[home_id] = premises
        if premises.premises_id == home_id:
            self._unplaced.add(home_id)
        self._by_premises.add(premises.premises_id, home_id)
        if premises.uprn:
            self._by_premises.add(premises.uprn, home_id)

    def _find(self, kind: str, key: str) -> Sequence[str]:
        """Homes filed under a key of a kind that `markers.filing.marks_of` names."""
        shelved = self._shelved.find(kind, key)
        return (*shelved, *apart) if (apart := self._marks.get(kind + key)) else shelved

    def premises(self, home_id: str) -> Premises:
        """The premises of a home; KeyError for an unknown id."""
        return self._homes[home_id]

    def written(self, home_id: str) -> Written:
        """The readings of a home's address; KeyError for an unknown id."""
        known = self._shelved.known(home_id)
        return known[1] if known is not None else _read(self._bodies[home_id])[1]

    def outward(self, home_id: str) -> str | None:
        """The postcode district of `written`, mostly without reading that; KeyError for an unknown id."""
        whole = normalise_postcode((self._homes[home_id].postcode or "")[:20])
        return whole.split(" ")[0] if whole else self.written(home_id).outward

    def at_premises(self, premises_id: str) -> tuple[str, ...]:
        """Homes that stand at that gazetteer entry, or have it as their UPRN."""
        return self._by_premises.get(premises_id)

    @property
    def any_unplaced(self) -> bool:
        """Is any of them unknown to the gazetteer?"""
        return bool(self._unplaced)

    def alike(self, asked: Written) -> tuple[str, ...]:
        """Homes written letter for letter like the asked address."""
        return tuple(self._find("=", asked.plain))

    def candidates(self, asked: Written, *, wide: bool = True) -> tuple[str, ...]:
        """Homes worth comparing: any that shares a number on a street, or stands in a named building.

        Words no marked home has are read as near ones; `wide` does so for every word.
        """
        found: dict[str, None] = dict.fromkeys(self._find("=", asked.plain))
        keys = asked_keys(asked, self, wide=wide)
        for term in asked_terms(asked, keys):
            if held := self._find("t", term):
                found.update(dict.fromkeys(held))
        for key in keys:
            found.update(dict.fromkeys(self._named(key, keys)))
            if len(found) > MOST_CANDIDATES:
                break
        return tuple(found)

    def _named(self, name: str, keys: tuple[str, ...]) -> Iterable[str]:
        """Homes of that name; of a name on every high street only those whose street is among the keys."""
        named = self._find("n", name)
        if len(named) <= MANY_OF_A_NAME:
            return named
        return [one for key in dict.fromkeys(keys) for one in self._find("b", branch(name, key))]

    def of_building(self, home: Written) -> tuple[str, ...]:
        """Homes filed under any number and name of a known home: all that may stand in its building."""
        found: dict[str, None] = dict.fromkeys(self._find("=", home.plain))
        filed = Filed.of(home)
        for term in filed.terms:
            if held := self._find("t", term):
                found.update(dict.fromkeys(held))
        streets = tuple(key_of(reading.street) for reading in home.readings[:1])
        for name in filed.names:
            found.update(dict.fromkeys(self._named(name, streets)))
        return tuple(found)

    def on_phrase(self, phrase: tuple[str, ...]) -> tuple[str, ...]:
        """Homes on a street, or in a building, of exactly that name."""
        if not TOWNS.issuperset(phrase):
            return tuple(self._find("p", " ".join(phrase)))
        return tuple(
            home_id
            for home_id in self._find("k", key_of(phrase))
            if any(phrase in (reading.name, reading.street) for reading in self.written(home_id).readings)
        )

    def on(self, street: tuple[str, ...], number: str) -> bool:
        """Is a home of that number, or flat of it, marked on that street or in that building?"""
        term = f"{number}~{key_of(street)}"
        return bool(self._find("t", term))

    def knows_word(self, word: str) -> bool:
        """Is this a word of some marked home's name or street?"""
        return word in self._words or self._shelved.knows_word(word)

    def knows_key(self, key: str) -> bool:
        """Is a marked home filed under this key?"""
        return f"k{key}" in self._marks or self._shelved.knows_key(key)

    def may_begin_key(self, text: str) -> bool:
        """May these be the first words of a key of a marked home?"""
        return text in self._begun or self._shelved.may_begin_key(text)

    def spellings(self, word: str) -> tuple[str, ...]:
        """Words of marked homes this one may be a slip of, nearest first."""
        held = self._spelt.get(word)
        if held is None:
            near = {known for form in forms_of(word) for known in self._near.get(form)} if self._words else ()
            costs = {(cost, known) for known in near if (cost := word_cost(word, known)) >= 0}
            for known in self._shelved.near_words(word):
                if (cost := word_cost(word, known)) >= 0:
                    costs.add((cost, known))
            held = tuple(known for _, known in sorted(costs) if known != word)
            if len(self._spelt) < MOST_SPELT:
                self._spelt[word] = held
        return held

    def far_spellings(self, word: str) -> tuple[str, ...]:  # noqa: ARG002 - the gazetteer looks that far
        """None: a marked home is only found this loosely through the gazetteer."""
        return ()


def _kept(premises: Premises, readings: Readings | None) -> Written | None:
    """The gazetteer's reading of an address that it has letter for letter."""
    if readings is None or readings.shelf is None or not readings.reads_alike:
        return None
    record = readings.shelf.record_of(premises.address, premises.postcode)
    return None if record is None else unpack(readings.shelf.body(record))[1]


def _ids_of(premises: Premises) -> set[str]:
    return {premises.premises_id, premises.uprn or premises.premises_id}


@lru_cache(maxsize=MOST_READ)
def _read(body: bytes) -> Known:
    return unpack(body)
