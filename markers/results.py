"""Results that go out: one CSV file, whole or not at all, that no spreadsheet can be made to run."""

from __future__ import annotations

import csv
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from markers.lines import TableError
from markers.model import Grade, Status, SubBuilding

RESULT_COLUMNS = (
    *("query_id", "status", "reason", "grade", "sub_building"),
    *("marker_reference", "category", "distance_m", "confidence", "why"),
)

_PLAIN_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?", re.ASCII)


class ResultsWriter:
    """Results of a batch check as CSV: UTF-8, CRLF, readable by its owner alone.

    The file appears whole when the `with` block ends well, and not at all when it does not. A text a
    spreadsheet would run as a formula gets an apostrophe in front. Raises TableError when it can't be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        except (OSError, ValueError) as error:
            raise self._refuse(error) from error
        self._part = Path(name)
        self._file = os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="")
        self._rows = csv.writer(self._file)
        self._rows.writerow(RESULT_COLUMNS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def none(self, query_id: str, status: Status, reason: str = "") -> None:
        """The one row of a query that no marker matched."""
        self._write(query_id, status.value, reason, "", "", "", "", "", "", "")

    def match(
        self,
        query_id: str,
        status: Status,
        reason: str = "",
        *,
        grade: Grade | str,
        sub_building: SubBuilding | str = "",
        marker_reference: str = "",
        category: str = "",
        distance_m: float | None = None,
        confidence: float | None = None,
        why: str = "",
    ) -> None:
        """One marker that matched; `distance_m` to the centimetre, `confidence` (0 to 1) to the hundredth."""
        self._write(
            *(query_id, status.value, reason, str(grade), str(sub_building), marker_reference, category),
            "" if distance_m is None else f"{distance_m:.2f}",
            "" if confidence is None else f"{confidence:.2f}",
            why,
        )

    def close(self) -> None:
        """Put the finished file in its place. Raises TableError, and then leaves nothing behind."""
        try:
            with self._file:
                self._file.flush()
                os.fsync(self._file.fileno())
            self._part.replace(self._path)
        except OSError as error:
            self.discard()
            raise self._refuse(error) from error

    def discard(self) -> None:
        """Leave nothing behind; a file that was there before stays as it was."""
        with suppress(OSError):  # what a full disk would not take is thrown away in any case
            self._file.close()
        self._part.unlink(missing_ok=True)

    def _write(self, *cells: str) -> None:
        try:
            self._rows.writerow([harmless(cell) for cell in cells])
        except OSError as error:
            raise self._refuse(error) from error

    def _refuse(self, error: Exception) -> TableError:
        reason = error.strerror if isinstance(error, OSError) else error
        return TableError(
            f"{self._path.name}: the results can't be written ({reason or error}). Nothing was kept of them."
        )


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file that its owner alone may read and that appears whole, when the block ends well, or not at all. OSError."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def harmless(text: str) -> str:
    """Spreadsheets run a text that begins so as a formula (OWASP, CSV injection)."""
    if text.startswith(("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")) and not _PLAIN_NUMBER.fullmatch(text):
        return "'" + text
    return text
