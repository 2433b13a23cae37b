"""The three files of a labelled matching set: known premises, which of them carry a marker, and what was typed.

Premises and marked premises have an `address` (or `address_concat`) and a `postcode`, and an id: `unique_id`, else
`uprn`, else the local id of address and postcode. Other columns are passed over. Queries have the columns
`unique_id,text,true_uid,true_bid,true_sid,cls,tags`: `true_uid` is the id of the premises that was meant ("" where the
text can mean several), `cls` one of `CLASSES`, `tags` what was done to the text, joined by "+".
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markers.address import local_id, normalise
from markers.lines import TableError
from markers.model import Premises
from markers.normal import plain_text

QUERY_COLUMNS = ("unique_id", "text", "true_uid", "true_bid", "true_sid", "cls", "tags")
CLASSES = ("exact", "building", "street", "none", "vague")
"""What is marked where the text means: exact, the very home; building, only another home of its building; street, only
another home of its street; none, nothing there; vague: what told the homes apart is not, or no longer, in the text."""
_LONGEST_CELL = 10_000


@dataclass(frozen=True, slots=True)
class LabelledQuery:
    """One text and what it means."""

    query_id: str
    text: str
    true_uid: str
    true_bid: str
    true_sid: str
    cls: str
    tags: tuple[str, ...]

    @property
    def decidable(self) -> bool:
        """Whether the text means one home: a person with the gazetteer before them could say which."""
        return self.cls != "vague" and bool(self.true_uid)


@dataclass(frozen=True, slots=True)
class MatchSet:
    """`homes` and `marked` have the files' ids as `premises_id`."""

    homes: tuple[Premises, ...]
    marked: tuple[Premises, ...]
    queries: tuple[LabelledQuery, ...]

    def twins(self) -> dict[str, frozenset[str]]:
        """Ids by id: all premises written the same with the same postcode. They can't be told apart by any text."""
        alike: dict[tuple[str, str | None], set[str]] = {}
        for home in (*self.homes, *self.marked):
            alike.setdefault((plain_text(normalise(home.address)), home.postcode), set()).add(home.premises_id)
        return {uid: frozenset(group) for group in alike.values() for uid in group}


def read_match_set(gazetteer: Path, markers: Path, queries: Path) -> MatchSet:
    """Read all three. Raises TableError naming file, line and column."""
    return MatchSet(tuple(read_premises(gazetteer)), tuple(read_premises(markers)), tuple(_queries(queries)))


def read_premises(path: Path) -> Iterator[Premises]:
    """The premises of a gazetteer or marker file, in order. Raises TableError."""
    for line, row in _rows(path, ()):
        address = row.get("address_concat") or row.get("address") or ""
        if not address:
            raise TableError(f"{path.name}, line {line}, address: missing. `address` or `address_concat` is needed.")
        postcode = row.get("postcode") or None
        uprn = row.get("uprn") or None
        uid = row.get("unique_id") or uprn or local_id(address, postcode)
        yield Premises(uid, address, postcode, uprn)


def _queries(path: Path) -> Iterator[LabelledQuery]:
    for line, row in _rows(path, QUERY_COLUMNS):
        if row["cls"] not in CLASSES:
            raise TableError(f"{path.name}, line {line}, cls: {row['cls']!r} is none of {', '.join(CLASSES)}.")
        if row["cls"] == "exact" and not row["true_uid"]:
            raise TableError(f"{path.name}, line {line}, true_uid: missing, but the class is exact.")
        tags = tuple(filter(None, row["tags"].split("+")))
        yield LabelledQuery(
            row["unique_id"], row["text"], row["true_uid"], row["true_bid"], row["true_sid"], row["cls"], tags
        )


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows by column name, with the line each ends on. Texts are kept letter for letter: their noise is the test."""
    try:
        content = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(
            f"{path.name}: can't be read as UTF-8 ({getattr(error, 'strerror', None) or error})."
        ) from error
    reader = csv.DictReader(io.StringIO(content, newline=""))
    missing = [name for name in columns if name not in (reader.fieldnames or ())]
    if missing:
        raise TableError(f"{path.name}: no column {', '.join(missing)}.")
    for row in reader:
        if None in row or None in row.values():
            raise TableError(f"{path.name}, line {reader.line_num}: more or fewer cells than columns.")
        yield reader.line_num, {name: value[:_LONGEST_CELL] for name, value in row.items()}
