"""The sizes of the fault tests, and the table they fill."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.table import Row, as_cells, lines

_NAME = "fault"


def size(name: str, usual: int) -> int:
    """How many rounds: FAULT_<NAME> of the environment, or the slice of `make test`."""
    return int(os.environ.get(f"FAULT_{name}", usual))


@pytest.fixture
def chance() -> random.Random:
    """Randomness that a failed run tells the seed of; FAULT_SEED repeats it."""
    seed = int(os.environ.get("FAULT_SEED") or random.randrange(2**32))
    print(f"FAULT_SEED={seed}")  # noqa: T201 - pytest shows it with a failure
    return random.Random(seed)


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[[Row], None]:
    """Puts a row into the table."""
    return lambda row: record_property(_NAME, as_cells(row))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    rows = [
        tuple(value)
        for report in terminalreporter.stats.get("passed", [])
        for name, value in getattr(report, "user_properties", ())
        if name == _NAME
    ]
    if rows:
        terminalreporter.section("faults")
        for line in lines(sorted(rows)):
            terminalreporter.write_line(line)
