"""One written marker, from the row of a list or the fields of a form: read, checked, and filled up by its category."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from markers.cells import CellError, Cells, read_phone_cell, read_radius, read_text, read_uprn, read_zone
from markers.dates import read_date
from markers.model import Category, Detail, Marker, Place
from markers.tables import Row, RowError, shown, squeeze

MARKER_NAMESPACE = uuid.UUID("7d0c2c0e-5a7b-5d52-9f0e-6f2f5b1c9a31")
PLACE_COLUMNS = ("address", "postcode", "uprn", "easting", "northing", "longitude", "latitude")
ZONE_COLUMNS = ("zone_wkt", "radius_m", "phone")
NARRATIVE_COLUMNS = ("fact", "opinion")
TEXT_COLUMNS = ("headline", "action", *NARRATIVE_COLUMNS, "owner", "owner_contact", "source", "source_reference")
DATE_COLUMNS = ("starts_on", "review_on", "ends_on")
MARKER_COLUMNS = (
    *("reference", "category"), *PLACE_COLUMNS, *ZONE_COLUMNS, *TEXT_COLUMNS, *DATE_COLUMNS, "subject",
)  # fmt: skip
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
_LONGEST_DETAIL = 500


def marker_id(reference: str) -> str:
    """The id of the marker a reference names, whatever its capitals: a list loaded again meets its own markers."""
    return str(uuid.uuid5(MARKER_NAMESPACE, reference.casefold()))


@dataclass(slots=True)
class MarkerReader:
    """Reads written markers one after the other; keeps the references seen, to refuse one that comes twice.

    `by` proposes and `approved_by` approves them, `now` (aware, UTC) is when they are recorded, `today` the day they
    start where none is given, `source` where they come from where they don't say. `whole` asks for everything the
    category calls compulsory: a form can be filled up, a list from elsewhere has what it has.
    """

    categories: Mapping[str, Category]
    today: date
    by: str
    approved_by: str
    now: datetime
    source: str
    whole: bool = False
    _first_lines: dict[str, int] = field(default_factory=dict)
    _by_name: dict[str, Category] = field(init=False)
    _own: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self._by_name = {
            squeeze(name): category for category in self.categories.values() for name in (category.code, category.title)
        }

        self._own = {detail.name for category in self.categories.values() for detail in category.details}

    @property
    def columns(self) -> set[str]:
        """Every field a marker may have: those of every marker and the categories' own."""
        return {*MARKER_COLUMNS, *self._own}

    def read(self, row: Row) -> Marker | list[RowError]:
        """The marker a row writes, or everything wrong with it.

        A row needs `reference`, `category` (code or title) and a place: address, uprn, position, zone_wkt or phone.
        What else is missing comes from the category: headline, action, start `today`, review and end by its policy;
        the owner is then `by`. The same reference always gives the same marker_id.
        """
        cells = Cells(row)
        reference = _reference(cells, self._first_lines)
        category = _category(cells, self._by_name, self.categories)
        place = _place(cells)
        texts = {name: cells.text(name, LONGEST_TEXT[name]) or "" for name in TEXT_COLUMNS}
        if category is not None:
            _refuse_narrative(cells, category, texts)
        subject = self._subject(cells, category)
        details = self._details(cells, category)
        dates = _dates(cells, category, self.today)
        if cells.errors or reference is None or category is None or dates is None:
            return cells.errors
        starts_on, review_on, ends_on = dates
        return Marker(
            marker_id=marker_id(reference),
            reference=reference,
            category=category.code,
            place=place,
            headline=texts["headline"] or category.headline,
            action=texts["action"] or category.action,
            owner=texts["owner"] or self.by,
            owner_contact=texts["owner_contact"],
            starts_on=starts_on,
            review_on=review_on,
            ends_on=ends_on,
            source=texts["source"] or self.source,
            source_reference=texts["source_reference"],
            proposed_by=self.by,
            approved_by=self.approved_by,
            recorded_at=self.now,
            fact=texts["fact"],
            opinion=texts["opinion"],
            subject=subject,
            details=details,
        )

    def _subject(self, cells: Cells, category: Category | None) -> str:
        """Whom it is about; kept only where the category keeps it (Data Protection Act 2018 s.38(3))."""
        if category is None:
            return ""
        choices = " or ".join(category.subjects)
        if not cells.has("subject"):
            if self.whole and category.subjects:
                cells.refuse("subject", f"missing. Say whom this marker is about: {choices}.")
            return ""
        written = (cells.text("subject", 40) or "").casefold()
        if not category.subjects:
            cells.refuse("subject", f"not kept for {category.title.lower()}. Leave it out.")
        elif written not in category.subjects:
            cells.refuse("subject", f"'{shown(written)}' can't be recorded here. Write {choices}.")
        return written

    def _details(self, cells: Cells, category: Category | None) -> tuple[tuple[str, str], ...]:
        if category is None:
            return ()
        others = self._own.intersection(cells.row.cells).difference(detail.name for detail in category.details)
        for name in sorted(others):
            cells.refuse(name, f"not a field of {category.title.lower()}. Leave it out.")
        given = ((detail, self._detail(cells, detail)) for detail in category.details)
        return tuple((detail.name, text) for detail, text in given if text)

    def _detail(self, cells: Cells, detail: Detail) -> str:
        if not cells.has(detail.name):
            if self.whole and detail.compulsory:
                cells.refuse(detail.name, f"missing. {detail.title} must be given for a marker of this kind.")
            return ""
        return cells.read(detail.name, lambda text: _read_detail(detail, text)) or ""


def _read_detail(detail: Detail, text: str) -> str:
    if detail.kind == "date":
        return read_date(read_text(text, 100)).isoformat()
    text = read_text(text, _LONGEST_DETAIL)
    if detail.kind == "choice":
        chosen = {squeeze(choice): choice for choice in detail.choices}.get(squeeze(text))
        if chosen is None:
            raise CellError(f"'{shown(text)}' is not one of: {', '.join(detail.choices)}.")
        return chosen
    return text


def _refuse_narrative(cells: Cells, category: Category, texts: Mapping[str, str]) -> None:
    for name in NARRATIVE_COLUMNS:
        if texts[name] and not category.narrative:
            cells.refuse(name, f"not kept for {category.title.lower()}. Leave it out: the action and owner must do.")


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
