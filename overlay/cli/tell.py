"""What a command says: lines, tables, progress; rows counted and sorted into good and bad."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from markers.exchange import RowError

_ERRORS_SHOWN = 20
_Good = TypeVar("_Good")


def warn(line: str) -> None:
    click.echo(f"Note: {line}", err=True)


def one_line(words: str) -> str:
    return " ".join(words.split())


def some(references: tuple[str, ...]) -> str:
    return ", ".join(references[:10]) + (" ..." if len(references) > 10 else "")


def rows_of(count: int, kind: str = "") -> str:
    return f"{count:,} {kind} row".replace("  ", " ") + ("" if count == 1 else "s")


def bad_rows(errors: Iterable[RowError]) -> int:
    """How many rows are bad: one row may have several errors."""
    return len({error.line for error in errors})


def sort_out(rows: Iterable[_Good | RowError], step: Callable[[int], None]) -> tuple[list[_Good], list[RowError]]:
    good: list[_Good] = []
    errors: list[RowError] = []
    for row in rows:
        step(1)
        if isinstance(row, RowError):
            errors.append(row)
        else:
            good.append(row)
    return good, errors


def counted(rows: Iterable[_Good], step: Callable[[int], None]) -> Iterator[_Good]:
    for row in rows:
        yield row
        step(1)


def say_errors(errors: Sequence[RowError | str]) -> None:
    for error in errors[:_ERRORS_SHOWN]:
        click.echo(str(error), err=True)
    if len(errors) > _ERRORS_SHOWN:
        click.echo(f"... and {len(errors) - _ERRORS_SHOWN:,} more", err=True)


def say_rows(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(rows, default=_readable))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    for name in rows[0] if rows else ("nothing found",):
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if value is None else str(_readable(value))) for value in row.values()))
    screen = Console()
    if not screen.is_terminal:
        screen = Console(width=250)  # a file or a pipe has no edge to fold at
    screen.print(table)


def _readable(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat(timespec="seconds") if isinstance(value, datetime) else value.isoformat()
    return " ".join(value) if isinstance(value, list) else value


class progress_bar:  # noqa: N801 - used as a verb in `with`
    """A progress bar on standard error, where that is a screen."""

    def __init__(self, title: str, total: int) -> None:
        screen = Console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn(title),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=screen,
            transient=True,
            disable=not screen.is_terminal,
        )
        self._task = self._progress.add_task(title, total=max(total, 0))

    def __enter__(self) -> Callable[[int], None]:
        self._progress.start()
        return lambda count: self._progress.advance(self._task, count)

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
