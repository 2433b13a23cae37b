"""The addresses that carry markers, searchable in memory: the backstop for homes the gazetteer does not know."""

from __future__ import annotations

from collections.abc import Iterator

from markers.address import Written, read_address
from markers.compare import sound, word_cost
from markers.model import Premises
from markers.terms import asked_numbers, asked_words, filed_terms, filed_words, joined_words, key_words, split_word
from markers.vocabulary import BUILDING_KINDS

__all__ = ["MarkedHomes"]

MOST_CANDIDATES = 400


class MarkedHomes:
    """Homes by id, found by number and word with spelling slips forgiven. Changes at once with every put or remove."""

    def __init__(self) -> None:
        self._homes: dict[str, tuple[Premises, Written]] = {}
        self._by_premises: dict[str, set[str]] = {}
        self._by_plain: dict[str, set[str]] = {}
        self._terms: dict[str, set[str]] = {}
        self._words: dict[str, set[str]] = {}
        self._named: dict[str, set[str]] = {}
        self._near: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._homes)

    def put(self, home_id: str, premises: Premises) -> None:
        """Add a home, or replace the one of that id."""
        self.remove(home_id)
        written = read_address(premises.address, premises.postcode)
        self._homes[home_id] = (premises, written)
        self._by_premises.setdefault(premises.premises_id, set()).add(home_id)
        self._by_plain.setdefault(written.plain, set()).add(home_id)
        for term in filed_terms(written):
            self._terms.setdefault(term, set()).add(home_id)
        for name in _name_words(written):
            self._named.setdefault(name, set()).add(home_id)
        for word in filed_words(written):
            if word not in self._words:
                self._words[word] = set()
                for form in _forms(word):
                    self._near.setdefault(form, set()).add(word)
            self._words[word].add(home_id)

    def remove(self, home_id: str) -> None:
        """Forget a home; unknown ids are ignored."""
        held = self._homes.pop(home_id, None)
        if held is None:
            return
        premises, written = held
        _drop(self._by_premises, premises.premises_id, home_id)
        _drop(self._by_plain, written.plain, home_id)
        for term in filed_terms(written):
            _drop(self._terms, term, home_id)
        for name in _name_words(written):
            _drop(self._named, name, home_id)
        for word in filed_words(written):
            _drop(self._words, word, home_id)
            if word not in self._words:
                for form in _forms(word):
                    _drop(self._near, form, word)

    def premises(self, home_id: str) -> Premises:
        """The premises of a home; KeyError for an unknown id."""
        return self._homes[home_id][0]

    def written(self, home_id: str) -> Written:
        """The readings of a home's address; KeyError for an unknown id."""
        return self._homes[home_id][1]

    def at_premises(self, premises_id: str) -> tuple[str, ...]:
        """Homes that stand at that gazetteer entry."""
        return tuple(self._by_premises.get(premises_id, ()))

    def candidates(self, asked: Written) -> Iterator[str]:
        """Homes worth comparing: any that shares a number beside a word, or stands in a named building."""
        found: dict[str, None] = dict.fromkeys(self._by_plain.get(asked.plain, ()))
        numbers = asked_numbers(asked)
        for word in (*asked_words(asked), *(word for word in joined_words(asked) if word in self._words)):
            for form in self._spellings(word):
                for number in numbers:
                    found.update(dict.fromkeys(self._terms.get(f"{number}~{form}", ())))
                found.update(dict.fromkeys(self._named.get(form, ())))
                if len(found) > MOST_CANDIDATES:
                    break
        return iter(found)

    def _spellings(self, word: str) -> list[str]:
        near: set[str] = set()
        for form in _forms(word):
            near.update(self._near.get(form, ()))
        known = [form for form in near if form != word and word_cost(word, form) >= 0]
        parts = [] if word in self._words else [a for a, b in split_word(word) if a in self._words and b in self._words]
        return [word, *known, *parts]


def _forms(word: str) -> set[str]:
    """The word, its sound, and itself with each letter left out: two words one slip apart share a form."""
    forms = {word, f"~{sound(word)}"}
    if 3 <= len(word) <= 20:
        forms.update(word[:i] + word[i + 1 :] for i in range(len(word)))
    return forms


def _name_words(home: Written) -> set[str]:
    """The words a named building is filed under: the longest of each name one of the readings gives it."""
    names = {
        reading.name
        for reading in home.readings
        if reading.name
        and (reading.name[-1] in BUILDING_KINDS or (reading.number is None and not reading.bare and not reading.rank))
    }
    return {max(key_words(name), key=len) for name in names}


def _drop(table: dict[str, set[str]], key: str, value: str) -> None:
    held = table.get(key)
    if held is not None:
        held.discard(value)
        if not held:
            del table[key]
