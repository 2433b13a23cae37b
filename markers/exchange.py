"""Lists that come in: gazetteer rows, marker rows and batch queries from CSV. What goes out is `markers.results`.

Every reader is a generator that holds one row at a time, in the order of the file. What is wrong with a row
comes as RowError (a row may give several); what is wrong with the file as a whole is raised as TableError.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from markers.address import local_id
from markers.cells import Cells, read_lines, read_uprn
from markers.model import Category, Marker, Premises
from markers.results import ResultsWriter
from markers.tables import RowError, TableError, Warn, count_lines, read_table
from markers.written import PLACE_COLUMNS, MarkerReader, marker_id

__all__ = [
    "Query",
    "ResultsWriter",
    "RowError",
    "TableError",
    "count_lines",
    "marker_id",
    "read_gazetteer",
    "read_markers",
    "read_queries",
]

GAZETTEER_COLUMNS = (*PLACE_COLUMNS, "parent_uprn")
QUERY_COLUMNS = ("query_id", *PLACE_COLUMNS, "uncertainty_m", "phone", "incident")


def _quiet(_: str) -> None:
    """The warnings of a reader nobody listens to."""


def read_gazetteer(path: Path, warn: Warn = _quiet) -> Iterator[Premises | RowError]:
    """Known premises, in the columns of GAZETTEER_COLUMNS; only `address` must be there.

    A row without UPRN gets the local id of its address and postcode. Positions are National Grid metres or
    WGS 84 degrees. `parent_uprn` is AddressBase's: the building a flat is part of, itself a row of the file or not,
    before or after its flats; a row that names itself as its parent has none. Raises TableError.
    """
    for row in read_table(path, {"address"}, set(GAZETTEER_COLUMNS), warn):
        if isinstance(row, RowError):
            yield row
            continue
        cells = Cells(row)
        address, postcode = cells.home()
        if not cells.has("address"):
            cells.refuse("address", "missing. Write the address of these premises.")
        uprn = cells.read("uprn", read_uprn)
        parent = cells.read("parent_uprn", read_uprn)
        point = cells.point()
        if cells.errors or address is None:
            yield from cells.errors
            continue
        parent = parent if parent != uprn else None
        yield Premises(uprn or local_id(address, postcode), address, postcode, uprn, point, parent)


def read_markers(
    path: Path,
    categories: Mapping[str, Category],
    today: date,
    by: str,
    approved_by: str,
    now: datetime,
    warn: Warn = _quiet,
) -> Iterator[Marker | RowError]:
    """Markers to put in force, in the columns of MARKER_COLUMNS and the categories' own, as `MarkerReader` reads them.

    The references seen are kept, about 100 bytes each, to refuse one that comes twice. Raises TableError.
    """
    reader = MarkerReader(categories, today, by, approved_by, now, f"list {path.name}")
    for row in read_table(path, {"reference", "category"}, reader.columns, warn):
        if isinstance(row, RowError):
            yield row
            continue
        read = reader.read(row)
        if isinstance(read, Marker):
            yield read
        else:
            yield from read


@dataclass(frozen=True, slots=True)
class Query:
    """One line of a batch check, every cell as it was written; None where it is empty or there is no such column."""

    query_id: str
    address: str | None = None
    postcode: str | None = None
    uprn: str | None = None
    easting: str | None = None
    northing: str | None = None
    longitude: str | None = None
    latitude: str | None = None
    uncertainty_m: str | None = None
    phone: str | None = None
    incident: str | None = None


def read_queries(path: Path, warn: Warn = _quiet) -> Iterator[Query | RowError]:
    """Locations to check, in the columns of QUERY_COLUMNS; `query_id` must be there.

    Only the id is looked at: a location that can't be read is for the check to answer, as `could_not_check`.
    Raises TableError.
    """
    for row in read_table(path, {"query_id"}, set(QUERY_COLUMNS), warn):
        if isinstance(row, RowError):
            yield row
            continue
        cells = Cells(row)
        query_id = cells.text("query_id", 200)
        if not cells.has("query_id"):
            cells.refuse("query_id", "missing. Give every query an id, so that its result can be told.")
        if query_id is None:
            yield from cells.errors
            continue
        written = {name: read_lines(text) for name, text in row.cells.items()}
        yield Query(**{**written, "query_id": query_id})
