"""Tables as people really save them: CSV out of Excel, a database or a text editor, or the workbook; row by row.

Reads UTF-8, Windows-1252 and UTF-16, any line ends, commas, semicolons or tabs, and never holds more than
one row (at most 1 MB) in memory. Quoting follows RFC 4180; a quotation mark out of place is refused, because
reading past it would swallow the rows that follow.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import chain
from pathlib import Path

from markers.lines import WORKBOOK, FormulaError, Lines, TableError, Warn, reading

__all__ = ["Row", "RowError", "TableError", "Warn", "count_lines", "read_table", "shown", "squeeze"]

MOST_COLUMNS = 200

_CHUNK = 1 << 20
_DELIMITERS = ",;\t|"
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
_INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_SPACES = re.compile("[ \t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")
_NEW_LINES = re.compile(" ?(?:[\r\n\u2028\u2029] ?)+")


@dataclass(frozen=True, slots=True)
class RowError:
    """One thing wrong with one row. `line` is the line of the file the row starts on; the first line is 1."""

    line: int
    column: str | None
    reason: str

    def __str__(self) -> str:
        where = f"line {self.line}" if self.column is None else f"line {self.line}, {self.column}"
        return f"{where}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one row that hold something, by column, tidied: no stray spaces, new lines as a bare `\\n`."""

    line: int
    cells: dict[str, str]


def read_table(
    path: Path, required: Collection[str], optional: Collection[str], warn: Warn = lambda _: None
) -> Iterator[Row | RowError]:
    """The rows of a file in order; blank rows are passed over.

    Column names match whatever their case, spaces, underscores and hyphens ("Review On" is `review_on`).
    `warn` is given each thing that was read in spite of a doubt: an unknown column, a line that is not UTF-8.
    Raises TableError, also part-way, when the file as a whole can't be read.
    """
    with reading(path) as file:
        if file.read(len(WORKBOOK)) == WORKBOOK:
            yield from _sheet_rows(path, set(required), set(optional), warn)
            return
        file.seek(0)
        yield from _rows(Lines(file, path.name, warn), set(required), set(optional), warn)


def count_lines(path: Path) -> int:
    """How many lines a file has, or a workbook rows, counted without reading them as text. Raises TableError."""
    lines, last = 0, b""
    with reading(path) as file:
        if file.read(len(WORKBOOK)) == WORKBOOK:
            from markers.workbooks import count_rows  # openpyxl is slow to load, and few commands need it

            return count_rows(path)
        file.seek(0)
        while chunk := file.read(_CHUNK):
            chunk = chunk.replace(b"\0", b"")  # the other half of a line end in UTF-16
            lines += chunk.count(b"\n") + chunk.count(b"\r") - chunk.count(b"\r\n")
            if last == b"\r" and chunk[:1] == b"\n":
                lines -= 1
            last = chunk[-1:] or last
    return lines + (last not in (b"", b"\n", b"\r"))


def shown(text: str, longest: int = 40) -> str:
    """What a file holds, fit to stand in a message: cut short, and nothing a terminal would obey."""
    short = text if len(text) <= longest else text[: longest - 1] + "…"
    return "".join(character if character.isprintable() else "\ufffd" for character in short)


def _rows(lines: Lines, required: set[str], optional: set[str], warn: Warn) -> Iterator[Row | RowError]:
    header, delimiter = _find_header(lines, required | optional)
    reader = csv.reader(chain([header], lines), delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        columns = _name_columns(next(reader), required, optional, lines.refuse, warn)
    except csv.Error as error:
        raise lines.refuse(f"the header on line {lines.number} can't be read ({error}).") from error
    spaced = _spaces_after_quotes(delimiter)
    while True:
        start = lines.start_row()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if lines.number != start or "end of data" in str(error):
                raise lines.refuse(
                    f"a quotation mark in the row that starts on line {start} is never closed, or stands in the wrong "
                    'place. Write a quotation mark inside a cell twice ("").'
                ) from error
            if "field limit" in str(error) or not spaced.fullmatch(lines.last.strip()):
                yield RowError(start, None, _row_trouble(error))
                continue
            cells = next(csv.reader([lines.last], delimiter=delimiter, skipinitialspace=True))
        row = _row(start, cells, columns, "Put quotation marks round a text that holds the separator.")
        if row is not None:
            yield row


def _sheet_rows(path: Path, required: set[str], optional: set[str], warn: Warn) -> Iterator[Row | RowError]:
    """The rows of a workbook; the first with anything in it names the columns."""
    from markers.workbooks import workbook_rows  # openpyxl is slow to load, and few commands need it

    def refuse(reason: str) -> TableError:
        return TableError(f"{path.name}: {reason}")

    columns: list[str | None] | None = None
    for line, cells in workbook_rows(path, warn):
        if isinstance(cells, FormulaError):
            yield RowError(line, None, str(cells))
        elif columns is not None:
            row = _row(line, cells, columns, "Give every column that is filled a name in the first row.")
            if row is not None:
                yield row
        elif any(map(_tidy, cells)):
            columns = _name_columns(cells, required, optional, refuse, warn)
    if columns is None:
        raise refuse("empty. The first row must name the columns.")


def _row(line: int, cells: list[str], columns: list[str | None], instead: str) -> Row | RowError | None:
    """The cells under their columns; None for a blank row."""
    tidied = [_tidy(cell) for cell in cells]
    if not any(tidied):
        return None
    if any(tidied[len(columns) :]):
        return RowError(line, None, f"has {len(cells)} cells where the header names {len(columns)} columns. {instead}")
    return Row(line, {column: text for column, text in zip(columns, tidied, strict=False) if column and text})


def _spaces_after_quotes(delimiter: str) -> re.Pattern[str]:
    """A well-formed line but for spaces between a closing quotation mark and the delimiter."""
    delimiter = re.escape(delimiter)
    cell = rf'(?:[ \u00a0]*"[^"]*(?:""[^"]*)*"[ \u00a0]*|[^"{delimiter}]*)'
    return re.compile(rf"{cell}(?:{delimiter}{cell})*")


def _row_trouble(error: csv.Error) -> str:
    if "field limit" in str(error):
        return f"a cell is longer than {csv.field_size_limit():,} characters. Shorten it."
    return 'text follows a closing quotation mark. Write a quotation mark inside a cell twice ("").'


def _find_header(lines: Lines, known: set[str]) -> tuple[str, str]:
    """The header line and the delimiter: the one Excel's `sep=` line names, or the one that finds most known names."""
    header = _first_line(lines)
    if separator := _SEPARATOR_LINE.fullmatch(header.strip("\r\n")):
        if separator[1] not in _DELIMITERS:
            raise lines.refuse(
                f"{shown(header.strip())} names a separator that is not read. Use a comma, semicolon or tab."
            )
        return _first_line(lines), separator[1]
    squeezed = {squeeze(name) for name in known}

    def names_found(delimiter: str) -> int:
        return sum(squeeze(cell) in squeezed for cell in header.split(delimiter))

    return header, max(_DELIMITERS, key=names_found)


def _first_line(lines: Lines) -> str:
    for line in lines:
        lines.start_row()
        if _tidy(line):
            return line
    raise lines.refuse("empty. The first line must name the columns.")


def _name_columns(
    header: list[str], required: set[str], optional: set[str], refuse: Callable[[str], TableError], warn: Warn
) -> list[str | None]:
    """A column name for each cell of a row, None for a column that is not ours."""
    written = [_tidy(cell).replace("\n", " ") for cell in header]
    while written and not written[-1]:
        written.pop()
    if len(written) > MOST_COLUMNS:
        raise refuse(f"has {len(written)} columns. The most that is read is {MOST_COLUMNS}.")
    known = {squeeze(name): name for name in required | optional}
    columns = [known.get(squeeze(name)) for name in written]
    if not any(columns):
        raise refuse(
            f"no header. The first line must name the columns ({', '.join(sorted(required))}), "
            f"and it reads: {shown(', '.join(written), 120)}"
        )
    counts = Counter(column or squeeze(text) or text for column, text in zip(columns, written, strict=True) if text)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise refuse(f"the column {shown(twice[0])} is there twice. Keep one.")
    spare = [text for column, text in zip(columns, written, strict=True) if column is None and text]
    if missing := sorted(required - {column for column in columns if column}):
        hints = "".join(f" Is {shown(near)} meant to be {name}?" for name in missing if (near := _nearest(name, spare)))
        raise refuse(f"lacks the column {', '.join(missing)}. It has: {shown(', '.join(written), 300)}.{hints}")
    absent = (required | optional) - {column for column in columns if column}
    for text in spare:
        near = _nearest(text, sorted(absent))
        warn(f"Column {shown(text)} is not known and was left out." + (f" Is it meant to be {near}?" if near else ""))
    return columns


def _nearest(name: str, choices: list[str]) -> str | None:
    squeezed = {squeeze(choice): choice for choice in choices}
    near = get_close_matches(squeeze(name), squeezed, n=1, cutoff=0.7)
    return squeezed[near[0]] if near else None


def squeeze(name: str) -> str:
    """A name as it is compared: "Review On", review_on and REVIEW-ON are one."""
    return re.sub(r"[\W_]", "", _INVISIBLE.sub("", name).casefold())


def _tidy(cell: str) -> str:
    """Without stray spaces, marks that can't be seen, or doubled new lines."""
    if not cell.isascii():
        cell = _INVISIBLE.sub("", cell)
    elif cell.isprintable() and "  " not in cell:
        return cell.strip(" ")
    return _NEW_LINES.sub("\n", _SPACES.sub(" ", cell)).strip(" \n")
