"""Lists that come in: gazetteer rows, marker rows and batch queries from CSV. What goes out is `markers.results`.

Every reader is a generator that holds one row at a time, in the order of the file. What is wrong with a row
comes as RowError (a row may give several); what is wrong with the file as a whole is raised as TableError.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from markers.address import local_id
from markers.cells import Cells, read_lines, read_phone_cell, read_radius, read_uprn, read_zone
from markers.model import Category, Marker, Place, Premises
from markers.results import ResultsWriter
from markers.tables import RowError, TableError, Warn, count_lines, read_table, shown, squeeze

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

MARKER_NAMESPACE = uuid.UUID("7d0c2c0e-5a7b-5d52-9f0e-6f2f5b1c9a31")
PLACE_COLUMNS = ("address", "postcode", "uprn", "easting", "northing", "longitude", "latitude")
NARRATIVE_COLUMNS = ("fact", "opinion")
TEXT_COLUMNS = ("headline", "action", *NARRATIVE_COLUMNS, "owner", "owner_contact", "source", "source_reference")
DATE_COLUMNS = ("starts_on", "review_on", "ends_on")
ZONE_COLUMNS = ("zone_wkt", "radius_m", "phone")
GAZETTEER_COLUMNS = (*PLACE_COLUMNS, "parent_uprn")
MARKER_COLUMNS = ("reference", "category", *PLACE_COLUMNS, *ZONE_COLUMNS, *TEXT_COLUMNS, *DATE_COLUMNS)
QUERY_COLUMNS = ("query_id", *PLACE_COLUMNS, "uncertainty_m", "phone", "incident")
LONGEST_TEXT = {
    "reference": 64,
    "category": 80,
    "headline": 200,
    "action": 1_000,
    "fact": 2_000,
    "opinion": 2_000,
    "owner": 120,
    "owner_contact": 200,
    "source": 200,
    "source_reference": 120,
}


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
    """Markers to put in force, in the columns of MARKER_COLUMNS.

    A row needs `reference`, `category` (code or title) and a place: address, uprn, position, zone_wkt or phone.
    What else is missing comes from the category: headline, action, start `today`, review and end by its policy;
    the owner is then `by`; facts and opinions stay empty. `now` is when they are recorded (aware, UTC). The same
    reference always gives the same marker_id. The references seen are kept, about 100 bytes each, to refuse one that
    comes twice. Raises TableError.
    """
    by_name = {squeeze(name): category for category in categories.values() for name in (category.code, category.title)}
    first_lines: dict[str, int] = {}
    for row in read_table(path, {"reference", "category"}, set(MARKER_COLUMNS), warn):
        if isinstance(row, RowError):
            yield row
            continue
        cells = Cells(row)
        reference = _reference(cells, first_lines)
        category = _category(cells, by_name, categories)
        place = _place(cells)
        texts = {name: cells.text(name, LONGEST_TEXT[name]) or "" for name in TEXT_COLUMNS}
        for name in NARRATIVE_COLUMNS:
            if texts[name] and category is not None and not category.narrative:
                cells.refuse(
                    name, f"not kept for {category.title.lower()}. Leave it out: the action and owner must do."
                )
        dates = _dates(cells, category, today)
        if cells.errors or reference is None or category is None or dates is None:
            yield from cells.errors
            continue
        starts_on, review_on, ends_on = dates
        yield Marker(
            marker_id=marker_id(reference),
            reference=reference,
            category=category.code,
            place=place,
            headline=texts["headline"] or category.headline,
            action=texts["action"] or category.action,
            owner=texts["owner"] or by,
            owner_contact=texts["owner_contact"],
            starts_on=starts_on,
            review_on=review_on,
            ends_on=ends_on,
            source=texts["source"] or f"list {path.name}",
            source_reference=texts["source_reference"],
            proposed_by=by,
            approved_by=approved_by,
            recorded_at=now,
            fact=texts["fact"],
            opinion=texts["opinion"],
        )


def marker_id(reference: str) -> str:
    """The id of the marker a reference names, whatever its capitals: a list loaded again meets its own markers."""
    return str(uuid.uuid5(MARKER_NAMESPACE, reference.casefold()))


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


def _reference(cells: Cells, first_lines: dict[str, int]) -> str | None:
    if not cells.has("reference"):
        cells.refuse("reference", "missing. Give the marker the reference its owner knows it by.")
        return None
    reference = cells.text("reference", LONGEST_TEXT["reference"])
    if reference is not None:
        first = first_lines.setdefault(reference.casefold(), cells.row.line)
        if first != cells.row.line:
            cells.refuse(
                "reference", f"'{shown(reference)}' is already on line {first}. Each marker has a reference of its own."
            )
    return reference


def _category(cells: Cells, by_name: Mapping[str, Category], categories: Mapping[str, Category]) -> Category | None:
    known = ", ".join(sorted(categories))
    if not cells.has("category"):
        cells.refuse("category", f"missing. Write one of: {known}.")
        return None
    written = cells.text("category", LONGEST_TEXT["category"])
    if written is None:
        return None
    category = by_name.get(squeeze(written))
    if category is None:
        cells.refuse("category", f"'{shown(written)}' is not a category here. Write one of: {known}.")
    return category


def _place(cells: Cells) -> Place:
    before = len(cells.errors)
    address, postcode = cells.home()
    place = Place(
        address=address,
        postcode=postcode,
        uprn=cells.read("uprn", read_uprn),
        point=cells.point(),
        radius_m=cells.read("radius_m", read_radius),
        zone_wkt=cells.read("zone_wkt", read_zone),
        phone=cells.read("phone", read_phone_cell),
    )
    if len(cells.errors) > before:
        return place
    if not (place.address or place.uprn or place.point or place.zone_wkt or place.phone):
        also = " A postcode alone names many homes." if place.postcode else ""
        cells.refuse(None, f"names no place.{also} Give an address, uprn, position, zone_wkt or phone.")
    if place.radius_m is not None and place.point is None:
        cells.refuse("radius_m", "needs a position. Give easting and northing, or longitude and latitude.")
    if place.radius_m is not None and place.zone_wkt is not None:
        cells.refuse("radius_m", "is given beside zone_wkt. Give the circle or the polygon, not both.")
    return place


def _dates(cells: Cells, category: Category | None, today: date) -> tuple[date, date, date] | None:
    """Start, review and end, those left out by the category's policy; None once any of them has been refused."""
    before = len(cells.errors)
    starts_on, review_on, ends_on = (cells.date(name) for name in DATE_COLUMNS)
    if len(cells.errors) > before or category is None:
        return None
    starts = starts_on or today
    longest = starts + timedelta(days=category.longest_days)
    ends = ends_on or longest
    review = review_on or min(starts + timedelta(days=category.review_days), ends)
    start_text = starts.isoformat() if starts_on else f"{starts.isoformat()} (today, as starts_on is empty)"
    if ends < starts:
        cells.refuse("ends_on", f"{ends.isoformat()} is before the start, {start_text}. Correct one of them.")
    elif ends > longest:
        cells.refuse(
            "ends_on",
            f"{ends.isoformat()} is {(ends - starts).days:,} days after the start, {start_text}; {category.title} "
            f"may run {category.longest_days:,} days. Write {longest.isoformat()} or earlier.",
        )
    elif review < starts:
        cells.refuse("review_on", f"{review.isoformat()} is before the start, {start_text}. Correct one of them.")
    elif review > ends:
        end_text = ends.isoformat() if ends_on else f"{ends.isoformat()} (the longest {category.title} may run)"
        cells.refuse("review_on", f"{review.isoformat()} is after the end, {end_text}. Correct one of them.")
    return None if len(cells.errors) > before else (starts, review, ends)
