"""Marked homes whose address the gazetteer has, letter for letter: taken in at once, with nothing read anew.

What a reading is depends on the written address alone, so that one from the gazetteer's shelf is this home's too,
wherever it stands. Never added to; a home that changes is forgotten here and filed among those read by themselves.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from markers.filing import Known
from markers.lexicon import Lexicon
from markers.names import Numbers, hashed
from markers.postings import SortedPostings
from markers.shelf import Shelf


class Readings(Protocol):
    """Who has packed readings on a shelf."""

    @property
    def shelf(self) -> Shelf | None:
        """Where they lie; None where there are none."""

    @property
    def reads_alike(self) -> bool:
        """Were they read by this very code? Others are not to be taken for readings of its own."""

    @property
    def lexicon(self) -> Lexicon | None:
        """The words of all of them."""

    def known(self, place: int) -> Known:
        """The home of a record, with its readings."""

    def near_words(self, word: str) -> tuple[str, ...]:
        """Every word of the records that may be a slip of this one."""


class Shelved:
    """Homes by the keys of `markers.filing.marks_of`."""

    def __init__(self, readings: Readings | None, home_ids: Sequence[str], records: Numbers) -> None:
        self._readings = readings
        self._ids = list(home_ids)
        self._records = array("I", records.astype("<u4").tobytes())
        self._places = {home_id: place for place, home_id in enumerate(self._ids)}
        keys = owners = np.empty(0, dtype="<u8")
        self._words: set[str] = set()
        self._keys: set[str] = set()
        if readings is not None and readings.shelf is not None and readings.lexicon is not None:
            keys, owners = readings.shelf.marks_of(records)
            order = np.argsort(keys, kind="stable")
            keys, owners = keys[order], owners[order]
            # Asked forty times a text: a set of texts answers in a tenth of the time.
            self._words = readings.lexicon.words.among(keys)
            self._keys = readings.shelf.keys().among(keys)
        self._marks = SortedPostings(keys, owners)

    @classmethod
    def none(cls) -> Shelved:
        """No homes at all."""
        return cls(None, (), np.empty(0, dtype="<u4"))

    def __contains__(self, home_id: object) -> bool:
        return home_id in self._places

    def find(self, kind: str, key: str) -> list[str]:
        """Homes filed under a key of that kind."""
        if not self._places:
            return []
        found = [self._ids[place] for place in self._marks.get(hashed(kind + key))]
        return found if self._whole else [home_id for home_id in found if home_id in self._places]

    @property
    def _whole(self) -> bool:
        """Is none forgotten?"""
        return len(self._ids) == len(self._places)

    def known(self, home_id: str) -> Known | None:
        """A home of the gazetteer that is written the same, with its readings; None for an id that is not here."""
        place = self._places.get(home_id)
        if place is None or self._readings is None:
            return None
        return self._readings.known(self._records[place])

    def knows_word(self, word: str) -> bool:
        """Is this a word of any of these homes?"""
        return word in self._words and (self._whole or bool(self.find("w", word)))

    def knows_key(self, key: str) -> bool:
        """Is any of these homes filed under this key?"""
        return key in self._keys and (self._whole or bool(self.find("k", key)))

    def may_begin_key(self, text: str) -> bool:
        """May these be the first words of a key of these homes? Of any that the gazetteer has, too."""
        if not self._keys or self._readings is None or self._readings.shelf is None:
            return False
        return self._readings.shelf.begun.may_hold(text)

    def near_words(self, word: str) -> list[str]:
        """Every word of these homes that may be a slip of this one."""
        if self._readings is None or not self._places:
            return []
        return [near for near in self._readings.near_words(word) if self.knows_word(near)]

    def forget(self, home_id: str) -> bool:
        """Was it here?"""
        return self._places.pop(home_id, None) is not None
