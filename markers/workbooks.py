"""An Excel workbook as rows of text, one at a time: the first sheet with anything in it, cells as a person reads them.

What a formula came to is read as Excel last saved it; one that was never worked out is refused, not taken for empty.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from itertools import zip_longest
from pathlib import Path
from typing import Any

from openpyxl import load_workbook
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException

from markers.lines import FormulaError, TableError, Warn

LARGEST_UNPACKED = 500_000_000  # bytes; the largest sheet of 100,000 markers has a tenth of it
_NOT_READ = (
    zipfile.BadZipFile,
    InvalidFileException,
    KeyError,
    ValueError,
    OSError,
    EOFError,
    AttributeError,
    TypeError,
)


def workbook_rows(path: Path, warn: Warn) -> Iterator[tuple[int, list[str] | FormulaError]]:
    """Each row's number, the first is 1, and its cells as text, or what is wrong with one. Raises TableError."""
    try:
        with zipfile.ZipFile(path) as packed:
            unpacked = sum(item.file_size for item in packed.infolist())
            if "xl/workbook.xml" not in packed.namelist():
                raise _refuse(path, "this is a zip file, not an Excel workbook. Give a workbook (.xlsx), or CSV.")
        if unpacked > LARGEST_UNPACKED:
            raise _refuse(path, f"unpacks to {unpacked / 1e6:,.0f} MB, and {LARGEST_UNPACKED / 1e6:,.0f} are taken.")
        said, held = (load_workbook(path, read_only=True, data_only=values) for values in (True, False))
    except _NOT_READ as error:
        if isinstance(error, TableError):
            raise
        raise _refuse(path, "this workbook can't be read. Save it again in Excel as .xlsx, or as CSV UTF-8.") from error
    try:
        name = _sheet(path, said, warn)
        rows = zip_longest(said[name].iter_rows(), held[name].iter_rows(), fillvalue=())
        for number, (values, formulas) in enumerate(rows, start=1):
            yield number, _cells(values, formulas)
    except _NOT_READ as error:
        if isinstance(error, TableError):
            raise
        raise _refuse(path, "this workbook is damaged. Save it again in Excel as .xlsx, or as CSV UTF-8.") from error
    finally:
        said.close()
        held.close()


def count_rows(path: Path) -> int:
    """About how many rows it has, for a progress bar; 0 where the workbook does not say."""
    try:
        book = load_workbook(path, read_only=True)
    except _NOT_READ:
        return 0
    try:
        return max((sheet.max_row or 0 for sheet in book.worksheets), default=0)
    finally:
        book.close()


def _sheet(path: Path, book: Any, warn: Warn) -> str:
    """The first sheet with anything in it; of others that have something it is said that they were left out."""
    filled = [
        sheet.title
        for sheet in book.worksheets
        if any(cell is not None for row in sheet.iter_rows(max_row=200, values_only=True) for cell in row)
    ]
    if not filled:
        raise _refuse(path, "empty. The first row must name the columns.")
    if len(filled) > 1:
        warn(f"Sheet {filled[0]} was read; left out: {', '.join(filled[1:])}.")
    return str(filled[0])


def _cells(values: tuple[Any, ...], formulas: tuple[Any, ...]) -> list[str] | FormulaError:
    texts = []
    for number, (value, formula) in enumerate(zip_longest(values, formulas), start=1):
        text = _text(value.value if value is not None else None)
        if not text and formula is not None and formula.data_type == "f":
            return FormulaError(
                f"the formula in column {get_column_letter(number)} was never worked out. "
                "Open the list in Excel and save it."
            )
        texts.append(text)
    return texts


def _text(value: Any) -> str:
    """A cell as a person reads it: a whole number without a point, a date as 2026-11-25."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case datetime() if value.time() == time():
            return value.date().isoformat()
        case datetime() | date() | time():
            return value.isoformat()
        case _:
            return str(value)


def _refuse(path: Path, reason: str) -> TableError:
    return TableError(f"{path.name}: {reason}")
