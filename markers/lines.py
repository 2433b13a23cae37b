"""A file of unknown encoding as lines of text, one at a time: UTF-8, Windows-1252 or UTF-16; LF, CRLF or CR.

A line or a row over 1 MB is refused as soon as that much has been read, so no file can fill the memory.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

LONGEST_LINE = 1_000_000
WORKBOOK = b"PK\x03\x04"
"""How an Excel workbook begins."""

_CHUNK = 65_536
_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_OTHER_FILES = {
    b"\xd0\xcf\x11\xe0": "an old Excel workbook, or one with a password",
    b"%PDF": "a PDF",
    b"\x1f\x8b": "a compressed file",
}
_SAVE_AS_CSV = "Save it as an Excel workbook (.xlsx) or CSV UTF-8 (comma delimited) and load that file."
_SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")  # a half character written as if it were a whole one

Warn = Callable[[str], object]


class TableError(ValueError):
    """A file that can't be read as a table at all, in one line: what was wrong and what to do."""


class FormulaError(ValueError):
    """A cell of a workbook whose formula was never worked out."""


@contextmanager
def reading(path: Path) -> Iterator[BinaryIO]:
    """The file, open; whatever the disk says against it comes as TableError."""
    try:
        file = path.open("rb")
    except (OSError, ValueError) as error:
        raise TableError(f"{path.name}: can't be read ({getattr(error, 'strerror', error)}).") from error
    try:
        with file:
            yield file
    except OSError as error:
        raise TableError(f"{path.name}: can't be read ({error.strerror or error}).") from error


class Lines:
    """The lines of a file as text, with their ends. `number` and `last` are those of the last one given out."""

    def __init__(self, file: BinaryIO, name: str, warn: Warn) -> None:
        self.number = 0
        self.last = ""
        self._name = name
        self._warn = warn
        self._all_utf8 = True
        self._row_start = 1
        self._row_bytes = 0
        self._raw = self._split(file)

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        raw = next(self._raw)
        self.number += 1
        self._row_bytes += len(raw)
        if self._row_bytes > LONGEST_LINE:
            raise self.refuse(
                f"the row that starts on line {self._row_start} is over 1 MB. "
                "Look there for a quotation mark that is never closed."
            )
        if b"\0" in raw:
            raise self.refuse(f"line {self.number} holds NUL bytes, so this is not a text file. {_SAVE_AS_CSV}")
        self.last = self._decode(raw)
        return self.last

    def start_row(self) -> int:
        """Note that a row begins; gives the line it begins on."""
        self._row_bytes = 0
        self._row_start = self.number + 1
        return self._row_start

    def refuse(self, reason: str) -> TableError:
        return TableError(f"{self._name}: {reason}")

    def _decode(self, raw: bytes) -> str:
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            pass
        try:
            if _SURROGATE.search(raw):
                raise ValueError
            text = raw.decode("cp1252")
        except ValueError:
            raise self.refuse(f"line {self.number} is neither UTF-8 nor Windows-1252 text. {_SAVE_AS_CSV}") from None
        if self._all_utf8:
            self._all_utf8 = False
            self._warn(
                f"Line {self.number} is not UTF-8 and was read as Windows-1252. Check £ signs and accented letters."
            )
        return text

    def _split(self, file: BinaryIO) -> Iterator[bytes]:
        pending = b""
        for chunk in self._utf8(file):
            *lines, pending = [*(pending + chunk).splitlines(keepends=True), b""]
            if lines and not lines[-1].endswith(b"\n"):
                pending = lines.pop()  # unfinished, or a CR whose LF may be in the next chunk
            yield from lines
            if len(pending) > LONGEST_LINE:
                raise self.refuse(f"line {self.number + 1} is over 1 MB. Is this the right file?")
        yield from pending.splitlines(keepends=True)

    def _utf8(self, file: BinaryIO) -> Iterator[bytes]:
        """The file in pieces; UTF-16 is recognised by its byte order mark and turned into UTF-8."""
        start = file.read(_CHUNK)
        for signature, kind in _OTHER_FILES.items():
            if start.startswith(signature):
                raise self.refuse(f"this is {kind}, not CSV. {_SAVE_AS_CSV}")
        encoding = _UTF16.get(start[:2])
        if encoding is None:
            yield start.removeprefix(codecs.BOM_UTF8)
            while chunk := file.read(_CHUNK):
                yield chunk
            return
        decoder = codecs.getincrementaldecoder(encoding)()
        chunk = start[2:]
        try:
            while chunk:
                yield decoder.decode(chunk).encode("utf-8")
                chunk = file.read(_CHUNK)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            raise self.refuse(f"not readable as UTF-16 after line {self.number}. {_SAVE_AS_CSV}") from None
