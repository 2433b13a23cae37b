"""The addresses that carry markers, searchable in memory: the backstop for homes the gazetteer does not know."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from markers.address import Written, read_address
from markers.filing import Known, pack, unpack
from markers.model import Premises
from markers.postings import Postings
from markers.slips import sound, word_cost
from markers.terms import Filed, asked_keys, asked_terms, key_of, near_forms

__all__ = ["MarkedHomes"]

MOST_CANDIDATES = 400
MANY_OF_A_NAME = 40
MOST_SPELT = 20_000
MOST_READ = 10_000


class MarkedHomes:
    """Homes by id, found by number and name with spelling slips forgiven. Changes at once with every put or remove."""

    def __init__(self) -> None:
        self._homes: dict[str, bytes] = {}
        self._by_premises = Postings()
        self._by_plain = Postings()
        self._terms = Postings()
        self._names = Postings()
        self._keys = Postings()
        self._words: dict[str, int] = {}
        self._near = Postings()
        self._spelt: dict[str, tuple[str, ...]] = {}
        self._unplaced: set[str] = set()

    def __len__(self) -> int:
        return len(self._homes)

    def put(self, home_id: str, premises: Premises) -> None:
        """Add a home, or replace the one of that id. One that no gazetteer placed has its own id as premises_id."""
        self.remove(home_id)
        body = self._homes[home_id] = pack(premises, read_address(premises.address, premises.postcode))
        self._spelt.clear()
        if premises.premises_id == home_id:
            self._unplaced.add(home_id)
        filed = Filed.of(unpack(body)[1])
        for table, entries in self._tables(premises, unpack(body)[1], filed):
            for entry in entries:
                table.add(entry, home_id)
        for word in filed.words:
            held = self._words.get(word, 0)
            self._words[word] = held + 1
            if not held:
                for form in _forms(word):
                    self._near.add(form, word)

    def remove(self, home_id: str) -> None:
        """Forget a home; unknown ids are ignored."""
        body = self._homes.pop(home_id, None)
        if body is None:
            return
        self._spelt.clear()
        self._unplaced.discard(home_id)
        premises, written = unpack(body)
        filed = Filed.of(written)
        for table, entries in self._tables(premises, written, filed):
            for entry in entries:
                table.discard(entry, home_id)
        for word in filed.words:
            left = self._words[word] - 1
            if left:
                self._words[word] = left
            else:
                del self._words[word]
                for form in _forms(word):
                    self._near.discard(form, word)

    def _tables(self, premises: Premises, written: Written, filed: Filed) -> tuple[tuple[Postings, set[str]], ...]:
        return (
            (self._by_premises, {premises.premises_id, premises.uprn or premises.premises_id}),
            (self._by_plain, {written.plain}),
            (self._terms, filed.terms),
            (self._names, filed.names),
            (self._keys, filed.keys),
        )

    def premises(self, home_id: str) -> Premises:
        """The premises of a home; KeyError for an unknown id."""
        return _read(self._homes[home_id])[0]

    def written(self, home_id: str) -> Written:
        """The readings of a home's address; KeyError for an unknown id."""
        return _read(self._homes[home_id])[1]

    def at_premises(self, premises_id: str) -> tuple[str, ...]:
        """Homes that stand at that gazetteer entry, or have it as their UPRN."""
        return self._by_premises.get(premises_id)

    @property
    def any_unplaced(self) -> bool:
        """Is any of them unknown to the gazetteer?"""
        return bool(self._unplaced)

    def alike(self, asked: Written) -> tuple[str, ...]:
        """Homes written letter for letter like the asked address."""
        return self._by_plain.get(asked.plain)

    def candidates(self, asked: Written, *, wide: bool = True) -> tuple[str, ...]:
        """Homes worth comparing: any that shares a number on a street, or stands in a named building.

        Words no marked home has are read as near ones; `wide` does so for every word.
        """
        found: dict[str, None] = dict.fromkeys(self._by_plain.get(asked.plain))
        keys = asked_keys(asked, self, wide=wide)
        for term in asked_terms(asked, keys):
            if held := self._terms.get(term):
                found.update(dict.fromkeys(held))
        for key in keys:
            if key in self._names:
                found.update(dict.fromkeys(self._named(key, keys)))
            if len(found) > MOST_CANDIDATES:
                break
        return tuple(found)

    def _named(self, name: str, keys: tuple[str, ...]) -> Iterable[str]:
        """Homes of that name; of a name on every high street only those whose street is among the keys."""
        named = self._names.get(name)
        if len(named) <= MANY_OF_A_NAME:
            return named
        return [one for one in named if any(key_of(r.street) in keys for r in self.written(one).readings[:1])]

    def of_building(self, home: Written) -> tuple[str, ...]:
        """Homes filed under any number and name of a known home: all that may stand in its building."""
        found: dict[str, None] = dict.fromkeys(self._by_plain.get(home.plain))
        filed = Filed.of(home)
        for term in filed.terms:
            if held := self._terms.get(term):
                found.update(dict.fromkeys(held))
        streets = tuple(key_of(reading.street) for reading in home.readings[:1])
        for name in filed.names:
            found.update(dict.fromkeys(self._named(name, streets)))
        return tuple(found)

    def on_phrase(self, phrase: tuple[str, ...]) -> tuple[str, ...]:
        """Homes on a street, or in a building, of exactly that name."""
        return tuple(
            home_id
            for home_id in self._keys.get(key_of(phrase))
            if any(phrase in (reading.name, reading.street) for reading in self.written(home_id).readings)
        )

    def on(self, street: tuple[str, ...], number: str) -> bool:
        """Is a home of that number, or flat of it, marked on that street or in that building?"""
        return f"{number}~{key_of(street)}" in self._terms

    def knows_word(self, word: str) -> bool:
        """Is this a word of some marked home's name or street?"""
        return word in self._words

    def knows_key(self, key: str) -> bool:
        """Is a marked home filed under this key?"""
        return key in self._keys

    def spellings(self, word: str) -> tuple[str, ...]:
        """Words of marked homes this one may be a slip of, nearest first."""
        held = self._spelt.get(word)
        if held is None:
            near: set[str] = set()
            for form in _forms(word):
                near.update(self._near.get(form))
            costs = sorted((word_cost(word, known), known) for known in near if known != word)
            held = tuple(known for cost, known in costs if cost >= 0)
            if len(self._spelt) < MOST_SPELT:
                self._spelt[word] = held
        return held

    def far_spellings(self, word: str) -> tuple[str, ...]:  # noqa: ARG002 - the gazetteer looks that far
        """None: a marked home is only found this loosely through the gazetteer."""
        return ()


def _forms(word: str) -> set[str]:
    return {f"~{sound(word)}", *near_forms(word)}


@lru_cache(maxsize=MOST_READ)
def _read(body: bytes) -> Known:
    return unpack(body)
