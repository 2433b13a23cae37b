"""Lists of markers that go out, as CSV or as an Excel workbook: they can be read in again, and no cell of them runs.

Every row carries its handling caveat, which stays with it when rows are copied elsewhere (Government Security
Classifications: OFFICIAL-SENSITIVE is marked wherever the information is).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from markers.model import Category, Marker
from markers.results import harmless
from markers.written import MARKER_COLUMNS

CAVEAT = "OFFICIAL-SENSITIVE"
HANDLING = "handling"


def columns_of(categories: Mapping[str, Category]) -> tuple[str, ...]:
    """The columns of a list: its handling, what it takes to read it in again, and the state."""
    own = dict.fromkeys(detail.name for category in categories.values() for detail in category.details)
    return (HANDLING, *(name for name in MARKER_COLUMNS if name not in ("longitude", "latitude")), *own)


def row_of(marker: Marker) -> dict[str, str]:
    """A marker's cells by column, those that say something."""
    place, point = marker.place, marker.place.point
    cells = {
        HANDLING: CAVEAT,
        "reference": marker.reference,
        "category": marker.category,
        "address": place.address,
        "postcode": place.postcode,
        "uprn": place.uprn,
        "easting": f"{point.easting:.2f}" if point else None,
        "northing": f"{point.northing:.2f}" if point else None,
        "zone_wkt": place.zone_wkt,
        "radius_m": f"{place.radius_m:g}" if place.radius_m is not None else None,
        "phone": place.phone,
        **{name: getattr(marker, name) for name in ("headline", "action", "owner", "owner_contact", "source")},
        **{name: getattr(marker, name) for name in ("source_reference", "fact", "opinion", "subject")},
        **{name: getattr(marker, name).isoformat() for name in ("starts_on", "review_on", "ends_on")},
        **dict(marker.details),
    }
    return {name: text for name, text in cells.items() if text}


def as_csv(markers: Iterable[Marker], columns: tuple[str, ...]) -> bytes:
    """UTF-8 with a byte order mark, so that Excel reads £ and accents; CRLF."""
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(columns)
    for marker in markers:
        cells = row_of(marker)
        rows.writerow([harmless(cells.get(name, "")) for name in columns])
    return b"\xef\xbb\xbf" + text.getvalue().encode("utf-8", "backslashreplace")


def as_workbook(markers: Iterable[Marker], columns: tuple[str, ...]) -> bytes:
    """One sheet, every cell text, the caveat at the head and foot of every printed page."""
    from openpyxl import Workbook  # slow to load, and few commands need it

    book = Workbook(write_only=True)
    sheet = book.create_sheet("Markers")
    sheet.oddHeader.center.text = sheet.oddFooter.center.text = CAVEAT
    sheet.append(columns)
    for marker in markers:
        cells = row_of(marker)
        sheet.append([_text(sheet, cells.get(name)) for name in columns])
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()


def _text(sheet: Any, text: str | None) -> Any:
    """A cell that is text whatever it begins with."""
    if text is None:
        return None
    from openpyxl.cell import WriteOnlyCell

    cell = WriteOnlyCell(sheet, value="".join(c for c in text if c.isprintable() or c == "\n"))
    cell.data_type = "s"
    return cell
