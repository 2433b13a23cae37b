"""How a known home lies on disk: its fields in the search index, and its readings packed so that they are read once.

Each generation of the gazetteer has two tantivy indexes: `homes` (one document an address) and `words` (one a distinct
word, for spelling slips), and beside them a `shelf` with the packed homes and a `lexicon`.
"""

from __future__ import annotations

import json
from array import array
from typing import Any, NamedTuple

import tantivy

from markers.address import Number, Reading, Unit, Written, read_address
from markers.model import Point, Premises
from markers.names import hashed
from markers.shelf import wording
from markers.slips import sound
from markers.terms import Filed, building_key, key_of, near_forms

FORMAT = 9

_DECODER = json.JSONDecoder()
_PACKED = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode

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
    builder.add_unsigned_field("record", fast=True)
    return builder.build()


HOMES = _homes()
WORDS = _fields(tantivy.SchemaBuilder(), "word", "sound", "form").build()


class Document(NamedTuple):
    """One address ready for the index: the packed home, its fields, the words it adds to the lexicon, and its text
    for equality. `marks` are the keys a marked home of this address is filed under, `worded` says how it is written.

    A named tuple, because it goes from process to process: a dataclass takes a tenth of a load longer.
    """

    premises_id: str
    plain: str
    body: bytes
    fields: tuple[tuple[str, str], ...]
    words: frozenset[str]
    marks: bytes
    worded: bytes

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
        kept = surely_read(written)
        marked = filed if kept is written else Filed.of(kept)
        return cls(
            premises_id=home.premises_id,
            plain=plain,
            body=pack(home, kept),
            fields=tuple(fields),
            words=frozenset(filed.words),
            marks=array("Q", map(hashed, marks_of(kept, marked))).tobytes(),
            worded=wording(home.address, home.postcode),
        )

    def for_index(self, record: int, *, other_name: bool) -> Any:
        """The tantivy document. `other_name`: a further address of a home that has one, found but never counted."""
        document = tantivy.Document()
        document.add_unsigned("record", record)
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


def surely_read(written: Written) -> Written:
    """A home's own address as it is kept: only what reads surely, if anything does."""
    sure = tuple(reading for reading in written.readings if not reading.unsure)
    return written if not sure or len(sure) == len(written.readings) else written._replace(readings=sure)


def marks_of(written: Written, filed: Filed) -> list[str]:
    """What a marked home is found by, each with a letter before it that says what kind of key it is."""
    marks = [f"={written.plain}"]
    for kind, keys in (("t", filed.terms), ("n", filed.names), ("k", filed.keys), ("w", filed.words)):
        marks += [kind + key for key in keys]
    phrases = {phrase for reading in written.readings for phrase in (reading.name, reading.street)}
    marks += ["p" + " ".join(phrase) for phrase in phrases]
    for reading in written.readings[:1]:
        street = key_of(reading.street)
        marks += [f"b{branch(name, street)}" for name in filed.names]
    return marks


def branch(name: str, street: str) -> str:
    """The key of those of a name on one street: a name on every high street has hundreds of homes."""
    return f"{name}~{street}"


def pack(home: Premises, written: Written) -> bytes:
    """A home and its readings in a few hundred bytes."""
    point = (home.point.easting, home.point.northing) if home.point else None
    readings = [
        (r.unit, r.number, r.words, r.at, len(r.name), len(r.street), r.spare, r.rank, r.bare, r.unit_at)
        for r in written.readings
    ]
    about = (written.postcode, written.plain, written.outward, written.beside, written.cut)
    body = (
        home.premises_id,
        point,
        home.address,
        home.postcode,
        home.uprn,
        about,
        readings,
        home.parent_uprn,
    )
    return _PACKED(body).encode("utf-8", "surrogatepass")


def packed_head(body: bytes) -> tuple[str, Point | None]:
    """The `premises_id` and where it stands, alone: they come first, and unpacking hundreds of homes is slow."""
    text = body.decode("utf-8", "surrogatepass")
    premises_id, end = _DECODER.raw_decode(text, 1)
    point, _ = _DECODER.raw_decode(text, end + 1)
    return str(premises_id), Point(*point) if point else None


def unpack(body: bytes) -> Known:
    """The home and its readings, from a record of the shelf."""
    (premises_id, point, address, postcode, uprn, about, readings, parent), _ = _DECODER.raw_decode(
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
