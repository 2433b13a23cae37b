"""Known premises, kept in a local search index on disk, as a geopy geocoder.

One folder holds generations side by side; the file `current` names the one in use and is replaced atomically, so a
load that is killed leaves the old generation working. Each generation has two tantivy indexes: `homes` (one document
a home) and `words` (one a distinct word, for spelling slips). Nothing of a nation's addresses is held in memory but
what was asked for lately.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import tantivy
from convertbng.cutil import convert_osgb36_to_ll
from geopy.geocoders.base import Geocoder
from geopy.location import Location as GeopyLocation

from markers.address import Number, Reading, Unit, Written, normalise_postcode, read_address
from markers.compare import sound, word_cost
from markers.model import Point, Premises
from markers.terms import asked_numbers, asked_words, building_key, filed_terms, filed_words, joined_words, split_word

__all__ = ["Gazetteer", "GazetteerError"]

FORMAT = 4
MOST_TERMS = 120
MOST_CHILDREN = 5_000
WORTH_COMPARING = 0.35
"""Candidates below this share of the best search score are not compared: they lack most of its words."""
ALWAYS_COMPARED = 8
"""So many of the first candidates are compared whatever their score."""
Known = tuple[Premises, Written]
_PROGRESS_EVERY = 2000
_WARM_WORD = "WARMING"
"""Looked up once at opening: the search engine builds its tables for two slips then, not under the first caller."""
_WRITER_MEMORY = 128_000_000
_CACHED_HOMES = 20_000
_ID = json.JSONDecoder()


class GazetteerError(Exception):
    """The gazetteer could not be loaded or opened; the message is one line a person can act on."""


def _raw(builder: Any, *names: str) -> Any:
    for name in names:
        builder.add_text_field(name, stored=False, tokenizer_name="raw", index_option="basic")
    return builder


def _homes_schema() -> Any:
    builder = _raw(tantivy.SchemaBuilder(), "id", "uprn", "postcode", "term", "word", "phrase", "building", "parent")
    builder.add_text_field("body", stored=True, tokenizer_name="raw", index_option="basic")
    return builder.build()


def _words_schema() -> Any:
    builder = _raw(tantivy.SchemaBuilder(), "sound")
    builder.add_text_field("word", stored=True, tokenizer_name="raw", index_option="basic")
    return builder.build()


HOMES = _homes_schema()
WORDS = _words_schema()


class Gazetteer(Geocoder):  # type: ignore[misc] # geopy ships no types
    """The premises a force knows of. Open with `open`, build with `load`; a missing one is empty, not an error."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self._stamp = _stamp(folder)
        self.version = "empty"
        self.count = 0
        self.duplicates = 0
        self._homes: Any = None
        self._words: Any = None
        self._reach = lru_cache(maxsize=_CACHED_HOMES)(self._fetch)
        self._of_id = lru_cache(maxsize=_CACHED_HOMES)(self._find_id)
        self._spelt = lru_cache(maxsize=50_000)(self._find_spellings)
        self._phrase = lru_cache(maxsize=50_000)(self._find_phrase)
        self._parts = lru_cache(maxsize=2_000)(self._find_children)
        generation = _current(folder)
        if generation is None:
            return
        try:
            about = json.loads((generation / "about.json").read_text("utf-8"))
            if about["format"] != FORMAT:
                raise GazetteerError("the gazetteer was written by another version: load it again")
            self._homes = tantivy.Index.open(str(generation / "homes")).searcher()
            self._words = tantivy.Index.open(str(generation / "words")).searcher()
        except (OSError, ValueError, KeyError) as error:
            raise GazetteerError(f"the gazetteer in {folder} cannot be read ({error}): load it again") from error
        self._search_words(tantivy.Query.fuzzy_term_query(WORDS, "word", _WARM_WORD, distance=2))
        self.version, self.count, self.duplicates = about["version"], about["count"], about["duplicates"]

    @classmethod
    def open(cls, folder: Path) -> Gazetteer:
        """The gazetteer of that folder; empty (count 0) where none was loaded. Raises `GazetteerError` when damaged."""
        return cls(folder)

    @classmethod
    def load(cls, folder: Path, homes: Iterable[Premises], progress: Callable[[int], None] | None = None) -> Gazetteer:
        """Build a new generation beside the one in use and switch to it. `progress` gets the number of homes so far.

        Of homes with one `premises_id` the last wins; `duplicates` counts them. Raises `GazetteerError` when another
        load of this folder is under way.
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
            about = _build(building, homes, progress)
            (building / "about.json").write_text(json.dumps(about), "utf-8")
            _sync(building)
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

    def by_uprn(self, uprn: str) -> Premises | None:
        """The home of that UPRN."""
        return self._one("uprn", uprn.lstrip("0"))

    def children(self, uprn: str) -> tuple[str, ...]:
        """Ids of the premises whose parent has that UPRN, whether or not the parent is itself in the file."""
        parent = uprn.lstrip("0")
        if self._homes is None or not parent or not self._homes.doc_freq("parent", parent):
            return ()
        return self._parts(parent)

    def in_postcode(self, postcode: str) -> tuple[Premises, ...]:
        """Every home of a full postcode, none for text that is no postcode."""
        whole = normalise_postcode(postcode)
        return self._all("postcode", whole, 5000) if whole else ()

    def in_building(self, home: Written, limit: int = 12) -> tuple[int, tuple[Premises, ...]]:
        """How many homes stand in the building of this one, and the first of them."""
        if self._homes is None or not home.readings:
            return 0, ()
        key = building_key(home)
        query = tantivy.Query.term_query(HOMES, "building", key, "basic")
        result = self._homes.search(query, limit, count=True)
        return int(result.count or 0), tuple(self._reach(at)[0] for at in _places(result))

    def written(self, home: Premises) -> Written:
        """The readings of a home's address."""
        return _written(home.address, home.postcode)

    def spellings(self, word: str) -> tuple[str, ...]:
        """Known words this one may be a slip of, nearest first."""
        return self._spelt(word)

    def knows_phrase(self, phrase: tuple[str, ...]) -> bool:
        """Is there a street or building of exactly that name?"""
        return self._phrase(phrase)

    def on_phrase(self, phrase: tuple[str, ...], limit: int = 10) -> tuple[Premises, ...]:
        """Some homes on a street, or in a building, of exactly that name."""
        return self._all("phrase", " ".join(phrase), limit)

    def candidates(self, asked: Written, limit: int = 40, *, wide: bool = False) -> tuple[Premises, ...]:
        """Homes worth comparing with an asked address, likeliest first."""
        return tuple(home for home, _ in self.comparable(asked, limit, wide=wide))

    def comparable(self, asked: Written, limit: int = 40, *, wide: bool = False) -> tuple[Known, ...]:
        """The same, each with its readings.

        Words the gazetteer does not have are looked up by their near spellings; `wide` does so for every word.
        """
        if self._homes is None:
            return ()
        words = asked_words(asked)
        numbers = asked_numbers(asked)
        should: list[Any] = []
        occur = tantivy.Occur.Should
        joined = tuple(word for word in joined_words(asked) if self._knows_word(word))
        for word in (*words, *joined):
            spelt = self._alternatives(word, wide=wide)
            room = MOST_TERMS - len(should)
            terms = [f"{number}~{form}" for form in spelt for number in numbers][: max(room, 0)]
            should.extend((occur, tantivy.Query.term_query(HOMES, "term", term, "basic")) for term in terms)
            if wide or not any(numbers):
                should.extend((occur, tantivy.Query.term_query(HOMES, "word", form, "basic")) for form in spelt[:6])
        if not should:
            return ()
        if asked.postcode:
            should.append((occur, tantivy.Query.term_query(HOMES, "postcode", asked.postcode, "basic")))
        hits = self._homes.search(tantivy.Query.boolean_query(should), limit, count=False).hits
        least = hits[0][0] * WORTH_COMPARING if hits else 0.0
        worth = (at for k, (score, at) in enumerate(hits) if k < ALWAYS_COMPARED or score >= least)
        return tuple(self._reach((at.segment_ord, at.doc)) for at in worth)

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

    def _alternatives(self, word: str, *, wide: bool) -> tuple[str, ...]:
        known = self._knows_word(word)
        if known and not wide:
            return (word,)
        parts = [left for left, right in split_word(word) if self._knows_word(left) and self._knows_word(right)]
        return tuple(dict.fromkeys((word, *self.spellings(word), *parts)))

    def _knows_word(self, word: str) -> bool:
        return bool(self._homes.doc_freq("word", word))

    def _find_spellings(self, word: str) -> tuple[str, ...]:
        if self._words is None or len(word) < 3 or len(word) > 30:
            return ()
        near = tantivy.Query.fuzzy_term_query(WORDS, "word", word, distance=1)
        alike = tantivy.Query.term_query(WORDS, "sound", sound(word), "basic")
        occur = tantivy.Occur.Should
        found = self._search_words(tantivy.Query.boolean_query([(occur, near), (occur, alike)]))
        if not found and len(word) >= 8:
            found = self._search_words(tantivy.Query.fuzzy_term_query(WORDS, "word", word, distance=2))
        costs = sorted((word_cost(word, known), known) for known in found)
        return tuple(known for cost, known in costs if cost > 0)[:12]

    def _search_words(self, query: Any) -> list[str]:
        result = self._words.search(query, 40, count=False)
        return [str(self._words.doc(at).get_first("word")) for _, at in result.hits]

    def _find_phrase(self, phrase: tuple[str, ...]) -> bool:
        return self._homes is not None and bool(self._homes.doc_freq("phrase", " ".join(phrase)))

    def _find_children(self, uprn: str) -> tuple[str, ...]:
        query = tantivy.Query.term_query(HOMES, "parent", uprn, "basic")
        result = self._homes.search(query, MOST_CHILDREN, count=False)
        # The id is the first thing in a body; reading a tower's hundreds of homes whole would be slow.
        bodies = (self._homes.doc(tantivy.DocAddress(*at)).get_first("body") for at in _places(result))
        return tuple(sorted(_ID.raw_decode(body, 1)[0] for body in bodies))

    def _find_id(self, premises_id: str) -> Premises | None:
        return self._one("id", premises_id)

    def _one(self, field: str, value: str) -> Premises | None:
        found = self._all(field, value, 1)
        return found[0] if found else None

    def _all(self, field: str, value: str, limit: int) -> tuple[Premises, ...]:
        if self._homes is None or not value:
            return ()
        result = self._homes.search(tantivy.Query.term_query(HOMES, field, value, "basic"), limit, count=False)
        return tuple(self._reach(at)[0] for at in _places(result))

    def _fetch(self, place: tuple[int, int]) -> Known:
        return _unpack(json.loads(self._homes.doc(tantivy.DocAddress(*place)).get_first("body")))


def _pack(home: Premises, written: Written) -> str:
    point = (home.point.easting, home.point.northing) if home.point else None
    readings = [
        (
            (r.unit.kind, r.unit.ident, r.unit.floors, r.unit.side) if r.unit else None,
            (r.number.lo, r.number.hi, r.number.suffix, r.number.last) if r.number else None,
            r.words,
            r.at,
            len(r.name),
            len(r.street),
            r.spare,
            r.rank,
            r.bare,
        )
        for r in written.readings
    ]
    about = (written.postcode, written.plain, written.outward, written.beside, written.cut)
    body = (home.premises_id, home.address, home.postcode, home.uprn, point, about, readings, home.parent_uprn)
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False)


def _unpack(body: list[Any]) -> Known:
    premises_id, address, postcode, uprn, point, about, readings, parent = body
    home = Premises(premises_id, address, postcode, uprn, Point(*point) if point else None, parent)
    read = []
    for unit, number, words, at, name, street, spare, rank, bare in readings:
        said = tuple(words)
        read.append(
            Reading(
                Unit(unit[0], unit[1], tuple(unit[2]), unit[3]) if unit else None,
                Number(*number) if number else None,
                said,
                at,
                said[:name],
                said[name : name + street],
                said[name + street :],
                tuple(spare),
                rank,
                bare,
            )
        )
    whole, plain, outward, beside, cut = about
    return home, Written(address, whole, tuple(read), plain, outward, beside, cut)


@lru_cache(maxsize=_CACHED_HOMES)
def _written(address: str, postcode: str | None) -> Written:
    return read_address(address, postcode)


def _places(result: Any) -> list[tuple[int, int]]:
    return [(at.segment_ord, at.doc) for _, at in result.hits]


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


def _build(building: Path, homes: Iterable[Premises], progress: Callable[[int], None] | None) -> dict[str, Any]:
    if building.exists():
        shutil.rmtree(building)
    for name in ("homes", "words"):
        (building / name).mkdir(parents=True)
    writer = tantivy.Index(HOMES, path=str(building / "homes")).writer(_WRITER_MEMORY, 1)
    vocabulary: Counter[str] = Counter()
    seen: set[str] = set()
    digest = hashlib.sha256()
    read = duplicates = 0
    for home in homes:
        read += 1
        if home.premises_id in seen:
            duplicates += 1
            writer.delete_documents_by_term("id", home.premises_id)
        seen.add(home.premises_id)
        written = read_address(home.address, home.postcode)
        words = filed_words(written)
        vocabulary.update(words)
        body = _pack(home, written)
        digest.update(body.encode())
        document = tantivy.Document()
        document.add_text("id", home.premises_id)
        document.add_text("body", body)
        if home.uprn:
            document.add_text("uprn", home.uprn.lstrip("0"))
        if home.parent_uprn:
            document.add_text("parent", home.parent_uprn.lstrip("0"))
        if written.postcode:
            document.add_text("postcode", written.postcode)
        for term in filed_terms(written):
            document.add_text("term", term)
        for word in words:
            document.add_text("word", word)
        if written.readings:
            first = written.readings[0]
            for phrase in {first.name, first.street} - {()}:
                document.add_text("phrase", " ".join(phrase))
            document.add_text("building", building_key(written))
        writer.add_document(document)
        if progress is not None and read % _PROGRESS_EVERY == 0:
            progress(read)
    writer.commit()
    writer.wait_merging_threads()
    lexicon = tantivy.Index(WORDS, path=str(building / "words")).writer(_WRITER_MEMORY, 1)
    for word in vocabulary:
        document = tantivy.Document()
        document.add_text("word", word)
        document.add_text("sound", sound(word))
        lexicon.add_document(document)
    lexicon.commit()
    lexicon.wait_merging_threads()
    if progress is not None:
        progress(read)
    version = digest.hexdigest()[:12]
    return {"format": FORMAT, "version": version, "count": len(seen), "duplicates": duplicates}
