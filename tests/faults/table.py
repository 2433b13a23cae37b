"""What each fault came to, in one table at the end of the run."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """One fault. `slowest_s` is the longest look of the prober, told and never asserted."""

    fault: str
    rounds: int
    acknowledged: int = 0
    lost: int = 0
    partial: int = 0
    doubled: int = 0
    checks: int = 0
    false_clear: int = 0
    slowest_s: float = 0.0
    note: str = ""


def lines(rows: list[tuple[Any, ...]]) -> list[str]:
    """The table as text, a line a row, under its headings."""
    heads = [field.name.replace("_", " ") for field in fields(Row)]
    cells = [heads, *([f"{value:,}" if isinstance(value, int) else f"{value}" for value in row] for row in rows)]
    widths = [max(len(line[at]) for line in cells) for at in range(len(heads))]
    return [
        "  ".join(
            cell.ljust(width) if at in (0, len(heads) - 1) else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]


def as_cells(row: Row) -> list[Any]:
    """What goes from a test process to the one that prints."""
    return [round(value, 2) if isinstance(value, float) else value for value in astuple(row)]
