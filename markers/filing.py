"""How a known home lies in the search index on disk: its fields, and its readings packed so that they are read once.

Each generation of the gazetteer has two tantivy indexes: `homes` (one document an address) and `words` (one a distinct
word, for spelling slips).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import tantivy

from markers.address import Number, Reading, Unit, Written, read_address
from markers.model import Point, Premises
from markers.slips import sound
from markers.terms import Filed, building_key, near_forms

FORMAT = 7

_DECODER = json.JSONDecoder()

Known = tuple[Premises, Written]
"""A known home with the readings of its address."""


class GazetteerError(Exception):
    """The gazetteer could not be loaded or opened; the message is one line a person can act on."""


def _fields(builder: Any, *names: str) -> Any:
    for name in names:
        builder.add_text_field(name, stored=name == "word", tokenizer_name="raw", index_option="basic")
    return builder


def _homes() -> Any:
    builder = _fields(
        tantivy.SchemaBuilder(),
        "id",
        "uprn",
        "postcode",
        "term",
        "name",
        "key",
        "start",
        "town",
        "phrase",
        "building",
        "parent",
    )
    builder.add_bytes_field("body", stored=True, indexed=False)
    return builder.build()


HOMES = _homes()
WORDS = _fields(tantivy.SchemaBuilder(), "word", "sound", "form").build()


@dataclass(frozen=True, slots=True)
class Document:
    """One address ready for the index: the packed home, its fields, the words it adds to the lexicon, and its text
    for equality."""

    premises_id: str
    plain: str
    body: bytes
    fields: tuple[tuple[str, str], ...]
    words: frozenset[str]

    @classmethod
    def of(cls, home: Premises) -> Document:
        """Reads the address; the slow half of a load."""
        written = read_address(home.address, home.postcode)
        filed = Filed.of(written)
        fields = [("id", home.premises_id)]
        if home.uprn:
            fields.append(("uprn", home.uprn.lstrip("0")))
        if home.parent_uprn:
            fields.append(("parent", home.parent_uprn.lstrip("0")))
        if written.postcode:
            fields.append(("postcode", written.postcode))
        fields += [("term", term) for term in filed.terms]
        fields += [("name", name) for name in filed.names]
        fields += [("key", key) for key in filed.keys]
        fields += [("town", town) for town in filed.towns]
        if written.readings:
            first = written.readings[0]
            fields += [("phrase", " ".join(phrase)) for phrase in {first.name, first.street} - {()}]
            fields.append(("building", building_key(written)))
        plain = f"{written.plain}|{written.postcode or ''}"
        return cls(home.premises_id, plain, pack(home, written), tuple(fields), frozenset(filed.words))

    def for_index(self, *, other_name: bool) -> Any:
        """The tantivy document. `other_name`: a further address of a home that has one, found but never counted."""
        document = tantivy.Document()
        document.add_bytes("body", self.body)
        for field, value in self.fields:
            if not (other_name and field in ("id", "uprn", "postcode", "building", "parent")):
                document.add_text(field, value)
        return document


def word_document(word: str) -> Any:
    """The tantivy document of one word of the lexicon."""
    document = tantivy.Document()
    document.add_text("word", word)
    document.add_text("sound", sound(word))
    for form in near_forms(word):
        document.add_text("form", form)
    return document


def pack(home: Premises, written: Written) -> bytes:
    """A home and its readings in a few hundred bytes; of a home's own address only what reads surely, if any does."""
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
            r.unit_at,
        )
        for r in [r for r in written.readings if not r.unsure] or written.readings
    ]
    about = (written.postcode, written.plain, written.outward, written.beside, written.cut)
    body = (
        written.outward,
        home.premises_id,
        home.address,
        home.postcode,
        home.uprn,
        point,
        about,
        readings,
        home.parent_uprn,
    )
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def packed_head(body: bytes) -> tuple[str | None, str]:
    """The postcode district and the `premises_id` alone: they stand first, and unpacking hundreds of homes is slow."""
    outward, end = _DECODER.raw_decode(body[1:64].decode("utf-8", "replace"))
    premises_id, _ = _DECODER.raw_decode(body[1:256].decode("utf-8", "replace"), end + 1)
    return outward, str(premises_id)


def unpack(body: bytes) -> Known:
    """The home and its readings, from the stored field `body`."""
    _, premises_id, address, postcode, uprn, point, about, readings, parent = json.loads(
        body.decode("utf-8", "surrogatepass")
    )
    home = Premises(premises_id, address, postcode, uprn, Point(*point) if point else None, parent)
    read = []
    for unit, number, words, at, name, street, spare, rank, bare, unit_at in readings:
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
                unit_at,
            )
        )
    whole, plain, outward, beside, cut = about
    return home, Written(address, whole, tuple(read), plain, outward, beside, cut)
