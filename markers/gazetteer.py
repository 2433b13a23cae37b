"""Known premises, kept in a local search index on disk, as a geopy geocoder.

One folder holds generations side by side; the file `current` names the one in use and is replaced atomically, so a
load that is killed leaves the old generation working. Each generation has two tantivy indexes: `homes` (one document
a home) and `words` (one a distinct word, for spelling slips); the homes themselves lie on a `shelf` beside them.
Nothing of a nation's addresses is held in memory but its distinct words and what was asked for lately.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tantivy
from convertbng.cutil import convert_osgb36_to_ll
from geopy.geocoders.base import Geocoder
from geopy.location import Location as GeopyLocation

from markers.address import Written, normalise_postcode, read_address
from markers.filing import FORMAT, HOMES, WORDS, GazetteerError, Known, packed_head, unpack
from markers.gazetteer_load import build
from markers.lexicon import Lexicon
from markers.model import Point, Premises
from markers.reading_version import reading_version
from markers.shelf import Shelf
from markers.slips import sound, word_cost
from markers.terms import asked_keys, asked_terms, building_key, key_of, near_forms

__all__ = ["Gazetteer", "GazetteerError", "Known", "Place"]

MOST_TERMS = 120
MOST_CHILDREN = 5_000
MOST_IN_POSTCODE = 5_000
MOST_SPELT = 40
WORTH_COMPARING = 0.35
"""Candidates below this share of the best search score are not compared: they lack most of its words."""
_FEW = 40
ALWAYS_COMPARED = 5
"""So many of the first candidates are compared whatever their score."""
_WARM_WORD = "WARMING"
"""Looked up once at opening: the search engine builds its tables for two slips then, not under the first caller."""
_CACHED_HOMES = 10_000
_CACHED_WORDS = 20_000
"""The index answers in 1 us; every word is asked for several times a text, and in nearly every one."""


Place = int
"""The number of a home's record on this generation's shelf."""


class Gazetteer(Geocoder):  # type: ignore[misc] # geopy ships no types
    """The premises a force knows of. Open with `open`, build with `load`; a missing one is empty, not an error.

    `homes_held` are read homes kept at hand, 5 KB each.
    """

    def __init__(self, folder: Path, *, homes_held: int = _CACHED_HOMES) -> None:
        super().__init__()
        self.folder = folder
        self._stamp = _stamp(folder)
        self.version = "empty"
        self.count = 0
        self.duplicates = 0
        self._homes: Any = None
        self._words: Any = None
        self.lexicon: Lexicon | None = None
        self.shelf: Shelf | None = None
        self.reads_alike = False
        self._reach = lru_cache(maxsize=homes_held)(self._fetch)
        self._of_id = lru_cache(maxsize=homes_held)(self._find_id)
        self._spelt = lru_cache(maxsize=50_000)(self._find_spellings)
        self._near = lru_cache(maxsize=5_000)(self._find_near)
        self._far = lru_cache(maxsize=50_000)(self._find_far_spellings)
        self._phrase = lru_cache(maxsize=50_000)(self._find_phrase)
        self._parts = lru_cache(maxsize=2_000)(self._find_children)
        self._where = cache(self._stand)
        self._word = lru_cache(maxsize=_CACHED_WORDS)(self._find_word)
        self._key = lru_cache(maxsize=_CACHED_WORDS)(self._find_key)
        generation = _current(folder)
        if generation is None:
            return
        try:
            about = json.loads((generation / "about.json").read_text("utf-8"))
            if about["format"] != FORMAT:
                raise GazetteerError("the gazetteer was written by another version: run overlay gazetteer load FILE")
            self._homes = tantivy.Index.open(str(generation / "homes")).searcher()
            self._words = tantivy.Index.open(str(generation / "words")).searcher()
            self.lexicon, self.shelf = Lexicon(generation / "lexicon"), Shelf(generation / "shelf")
        except (OSError, ValueError, KeyError) as error:
            raise GazetteerError(f"the gazetteer in {folder} cannot be read ({error}): load it again") from error
        self._search_words(tantivy.Query.fuzzy_term_query(WORDS, "word", _WARM_WORD, distance=2))
        self.reads_alike = reading_version() is not None and about.get("reading") == reading_version()
        self.version, self.count, self.duplicates = about["version"], about["count"], about["duplicates"]

    @classmethod
    def open(cls, folder: Path) -> Gazetteer:
        """The gazetteer of that folder; empty (count 0) where none was loaded. Raises `GazetteerError` when damaged."""
        return cls(folder)

    @classmethod
    def load(cls, folder: Path, homes: Iterable[Premises], progress: Callable[[int], None] | None = None) -> Gazetteer:
        """Build a new generation beside the one in use and switch to it. `progress` gets the number of homes so far.

        Rows of one `premises_id` are one home: its other addresses are kept as other names; `duplicates` counts them.
        Raises `GazetteerError` when another load of this folder is under way, or a helper process of it was ended.
        """
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise GazetteerError("another load of this gazetteer is under way: wait for it") from error
            used = _current(folder)
            number = 1 + max((_generation_number(path) for path in folder.glob("g[0-9]*")), default=0)
            building = folder / f"g{number}"
            about = build(building, homes, progress)
            (building / "about.json").write_text(json.dumps(about), "utf-8")
            for written in (*building.rglob("*"), building):
                _sync(written)
            pointer = folder / "current.new"
            pointer.write_text(building.name, "utf-8")
            _sync(pointer)
            pointer.replace(folder / "current")
            _sync(folder)
            for path in folder.glob("g[0-9]*"):
                if path not in (building, used):
                    shutil.rmtree(path, ignore_errors=True)
        return cls(folder)

    def refreshed(self) -> Gazetteer:
        """Itself, or the newly opened gazetteer when another process has switched it."""
        return self if _stamp(self.folder) == self._stamp else Gazetteer(self.folder)

    def by_id(self, premises_id: str) -> Premises | None:
        """The home of that id."""
        return self._of_id(premises_id)

    def knows_id(self, premises_id: str) -> bool:
        """Is there a home of that id?"""
        return self._homes is not None and bool(self._homes.doc_freq("id", premises_id))

    def by_uprn(self, uprn: str) -> Premises | None:
        """The home of that UPRN."""
        return self._one("uprn", uprn.lstrip("0"))

    def children(self, uprn: str) -> tuple[str, ...]:
        """Ids of the premises whose parent has that UPRN, whether or not the parent is itself in the file."""
        parent = uprn.lstrip("0")
        if self._homes is None or not parent or not self._homes.doc_freq("parent", parent):
            return ()
        return self._parts(parent)

    def within(self, west: float, south: float, east: float, north: float) -> list[Place]:
        """Places of the index of every home that stands in a box of National Grid metres."""
        where = self._where()
        held = (where[:, 0] >= west) & (where[:, 0] <= east) & (where[:, 1] >= south) & (where[:, 1] <= north)
        return [int(at) for at in np.nonzero(held)[0]]

    def _stand(self) -> npt.NDArray[np.float32]:
        """Where the home of each record stands, read once when a map first asks; NaN where that is not known."""
        where = np.full((len(self.shelf) if self.shelf is not None else 0, 2), np.nan, dtype=np.float32)
        for record in range(len(where)):
            point = self._head(record)[1]
            if point is not None:
                where[record] = point.easting, point.northing
        return where

    def in_postcode(self, postcode: str) -> tuple[Premises, ...]:
        """Every home of a full postcode, none for text that is no postcode."""
        whole = normalise_postcode(postcode)
        return self._all("postcode", whole, MOST_IN_POSTCODE) if whole else ()

    def points_in_postcode(self, postcode: str) -> list[Point]:
        """Where the homes of a full postcode stand, as far as that is known."""
        whole = normalise_postcode(postcode)
        return self._points(self._find("postcode", whole, MOST_IN_POSTCODE)) if whole else []

    def points_on_phrase(self, phrase: tuple[str, ...], limit: int) -> list[Point]:
        """Where some homes on a street, or in a building, of exactly that name stand."""
        return self._points(self._find("phrase", " ".join(phrase), limit))

    def in_building(self, home: Written, limit: int = 12) -> tuple[int, tuple[Premises, ...]]:
        """How many homes stand in the building of this one, and the first of them."""
        if self._homes is None or not home.readings:
            return 0, ()
        key = building_key(home)
        query = tantivy.Query.term_query(HOMES, "building", key, "basic")
        result = self._homes.search(query, limit, count=True)
        return int(result.count or 0), tuple(self._reach(at)[0] for at in self._places(result.hits))

    def written(self, home: Premises) -> Written:
        """The readings of a home's address."""
        return _written(home.address, home.postcode)

    def spellings(self, word: str) -> tuple[str, ...]:
        """Known words this one may be a slip of, nearest first."""
        return self._spelt(word)

    def far_spellings(self, word: str) -> tuple[str, ...]:
        """Known words two slips away from one that has no nearer ones; slow, for when nothing else was found."""
        return self._far(word)

    def words_beginning(self, text: str, limit: int) -> tuple[str, ...]:
        """Some known words that begin so; none for what is not all letters and figures."""
        if self._words is None or not text.isalnum():
            return ()
        result = self._words.search(tantivy.Query.regex_query(WORDS, "word", f"{text.upper()}.*"), limit, count=False)
        return tuple(str(self._words.doc(at).get_first("word")) for _, at in result.hits)

    def near_words(self, word: str) -> tuple[str, ...]:
        """Every known word that shares a form or the sound with this one."""
        return self._near(word)

    def knows_phrase(self, phrase: tuple[str, ...]) -> bool:
        """Is there a street or building of exactly that name?"""
        return self._phrase(phrase)

    def has_number(self, phrase: tuple[str, ...], number: str) -> bool:
        """Is a home of that number, or flat of it, on that street or in that building?"""
        return self._homes is not None and bool(self._homes.doc_freq("term", f"{number}~{key_of(phrase)}"))

    def on_phrase(self, phrase: tuple[str, ...], limit: int = 10) -> tuple[Premises, ...]:
        """Some homes on a street, or in a building, of exactly that name."""
        return self._all("phrase", " ".join(phrase), limit)

    def candidates(self, asked: Written, limit: int = 40, *, wide: bool = False) -> tuple[Premises, ...]:
        """Homes worth comparing with an asked address, likeliest first."""
        return tuple(self.known(place)[0] for place in self.comparable(asked, limit, wide=wide))

    def known(self, place: Place) -> Known:
        """The home at a place of the index, with its readings."""
        return self._reach(place)

    def comparable(self, asked: Written, limit: int = 40, *, wide: bool = False) -> tuple[Place, ...]:
        """The same as places of the index.

        Words the gazetteer does not have are looked up by their near spellings; `wide` does so for every word.
        """
        if self._homes is None or self.shelf is None:
            return ()
        keys = asked_keys(asked, self, wide=wide)
        terms = [("term", term) for term in asked_terms(asked, keys)]
        filed = self.shelf.terms.may_hold
        names = [("name", key) for key in keys]
        if not terms:
            names += [("key", key) for key in keys if self._homes.doc_freq("name", key) <= _FEW]
        held = self._homes.doc_freq
        likely = (one for one in terms if filed(one[1]))
        sought = ((field, value) for field, value in (*likely, *names) if held(field, value))
        wanted = [_term(field, value) for field, value in islice(sought, MOST_TERMS)]
        if not wanted:
            return ()
        helpful = [_term("town", word) for word in asked.readings[0].words if held("town", word)]
        if asked.postcode:
            helpful.append(_term("postcode", asked.postcode))
        query = _any(wanted)
        if helpful:
            parts = [(tantivy.Occur.Must, query), *((tantivy.Occur.Should, term) for term in helpful)]
            query = tantivy.Query.boolean_query(parts)
        hits = self._homes.search(query, limit, count=False).hits
        least = hits[0][0] * WORTH_COMPARING if hits else 0.0
        return tuple(
            self._places([hit for k, hit in enumerate(hits) if k < ALWAYS_COMPARED or hit[0] >= least]),
        )

    def geocode(
        self,
        query: str,
        *,
        exactly_one: bool = True,
        timeout: Any = None,  # noqa: ARG002 - geopy's signature
    ) -> GeopyLocation | list[GeopyLocation] | None:
        """geopy's call: the sure home of a written address, as (latitude, longitude), None where there is none."""
        from markers.homes import MarkedHomes
        from markers.resolve import resolve

        found = resolve(read_address(query), self, MarkedHomes())
        if found.home is None or found.home.point is None:
            return None
        longitudes, latitudes = convert_osgb36_to_ll(found.home.point.easting, found.home.point.northing)
        latitude, longitude = float(latitudes[0]), float(longitudes[0])
        place = GeopyLocation(found.home.address, (latitude, longitude), {"premises_id": found.home.premises_id})
        return place if exactly_one else [place]

    def knows_word(self, word: str) -> bool:
        """Is this a word of some known name or street?"""
        return self._word(word)

    def knows_key(self, key: str) -> bool:
        """Is any known home filed under this key?"""
        return self._key(key)

    def may_begin_key(self, text: str) -> bool:
        """May these be the first words of a known key? False only where they surely are not."""
        return self.shelf is not None and self.shelf.begun.may_hold(text)

    def _find_spellings(self, word: str) -> tuple[str, ...]:
        if self._words is None or len(word) < 3 or len(word) > 30:
            return ()
        near = self.near_words(word)
        if len(near) <= MOST_SPELT:
            return _by_cost(word, near)
        # Of more than these the search engine says which are likest.
        forms = (form for form in near_forms(word) if self._words.doc_freq("form", form))
        alike = [_term("sound", sound(word), WORDS), *(_term("form", form, WORDS) for form in forms)]
        return _by_cost(word, self._search_words(_any(alike)))

    def _find_near(self, word: str) -> tuple[str, ...]:
        return tuple(self.lexicon.near(word)) if self.lexicon is not None else ()

    def _find_far_spellings(self, word: str) -> tuple[str, ...]:
        if self._words is None or not 4 <= len(word) <= 30 or self.knows_word(word) or self.spellings(word):
            return ()
        return _by_cost(word, self._search_words(tantivy.Query.fuzzy_term_query(WORDS, "word", word, distance=2)))

    def _search_words(self, query: Any) -> list[str]:
        result = self._words.search(query, MOST_SPELT, count=False)
        return [str(self._words.doc(at).get_first("word")) for _, at in result.hits]

    def _find_word(self, word: str) -> bool:
        known = self.lexicon is not None and self.lexicon.known.may_hold(word)
        return known and bool(self._words.doc_freq("word", word))

    def _find_key(self, key: str) -> bool:
        return self._homes is not None and bool(self._homes.doc_freq("key", key))

    def _find_phrase(self, phrase: tuple[str, ...]) -> bool:
        return self._homes is not None and bool(self._homes.doc_freq("phrase", " ".join(phrase)))

    def _find_children(self, uprn: str) -> tuple[str, ...]:
        query = tantivy.Query.term_query(HOMES, "parent", uprn, "basic")
        result = self._homes.search(query, MOST_CHILDREN, count=False)
        return tuple(sorted(self._head(at)[0] for at in self._places(result.hits)))

    def _find_id(self, premises_id: str) -> Premises | None:
        return self._one("id", premises_id)

    def _one(self, field: str, value: str) -> Premises | None:
        found = self._all(field, value, 1)
        return found[0] if found else None

    def _all(self, field: str, value: str, limit: int) -> tuple[Premises, ...]:
        return tuple(self._reach(at)[0] for at in self._find(field, value, limit))

    def _find(self, field: str, value: str, limit: int) -> list[Place]:
        # No more room than there are homes: an empty heap for 5,000 costs more than the search.
        limit = min(limit, self._homes.doc_freq(field, value)) if self._homes is not None and value else 0
        if not limit:
            return []
        result = self._homes.search(_term(field, value), limit, count=False)
        return self._places(result.hits)

    def _points(self, places: Iterable[Place]) -> list[Point]:
        return [point for at in places if (point := self._head(at)[1]) is not None]

    def _places(self, hits: list[Any]) -> list[Place]:
        return list(self._homes.fast_field_values("record", [at for _, at in hits]))

    def _fetch(self, place: Place) -> Known:
        return unpack(self._body(place))

    def _head(self, place: Place) -> tuple[str, Point | None]:
        return packed_head(self._body(place))

    def _body(self, place: Place) -> bytes:
        if self.shelf is None:
            raise KeyError(place)
        return self.shelf.body(place)


def _by_cost(word: str, found: Iterable[str]) -> tuple[str, ...]:
    costs = sorted((cost, known) for known in set(found) if (cost := word_cost(word, known)) > 0)
    return tuple(known for _, known in costs)[:12]


def _term(field: str, value: str, schema: Any = HOMES) -> Any:
    return tantivy.Query.term_query(schema, field, value, "basic")


def _any(queries: list[Any]) -> Any:
    return tantivy.Query.boolean_query([(tantivy.Occur.Should, query) for query in queries])


@lru_cache(maxsize=_CACHED_HOMES)
def _written(address: str, postcode: str | None) -> Written:
    return read_address(address, postcode)


def _current(folder: Path) -> Path | None:
    try:
        name = (folder / "current").read_text("utf-8").strip()
    except FileNotFoundError:
        return None
    return folder / name if name else None


def _generation_number(path: Path) -> int:
    return int(path.name[1:]) if path.name[1:].isdigit() else 0


def _stamp(folder: Path) -> tuple[int, int]:
    try:
        stat = (folder / "current").stat()
    except OSError:
        return (0, 0)
    return (stat.st_ino, stat.st_mtime_ns)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
