"""`python -m tests.faults.changing_homes OUT`: marks a home, lets it be, ends the marker, goes to the next, and so on.

Every line of OUT is written once its step is acknowledged, or before the next one is begun: whoever reads as the last
line that a home is `marked` knows that no check after that may read as clear, until another line follows.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime
from itertools import count, cycle
from pathlib import Path
from typing import NamedTuple

from markers.location import RawLocation
from overlay import quillmarket
from overlay.bench.changing import ChangingHomes
from overlay.lookup import find
from overlay.services import Services
from overlay.settings import Settings

MARKED, ENDED, BETWEEN = "marked", "ended", "between"
_HOMES = 12
_STANDS_S = 0.5


class Line(NamedTuple):
    """The latest that is sure of one home."""

    number: int
    state: str
    address: str


def last_line(out: Path) -> Line | None:
    """The last whole line; None before the first."""
    try:
        lines = out.read_bytes()[-4096:].split(b"\n")
    except FileNotFoundError:
        return None
    return Line(*json.loads(lines[-2])) if len(lines) > 1 else None


def main() -> None:
    services = Services.start(Settings.read())
    homes, changing = cycle(_unmarked(services, services.now())), ChangingHomes(services)
    with Path(sys.argv[1]).open("a", buffering=1) as told:
        for number in count(1):
            address = next(homes)

            def tell(state: str, number: int = number, address: str = address) -> None:
                told.write(json.dumps(Line(number, state, address)) + "\n")

            tell(BETWEEN)
            marker = changing.mark(address)
            tell(MARKED)
            time.sleep(_STANDS_S)
            tell(BETWEEN)
            changing.unmark(marker)
            tell(ENDED)
            time.sleep(_STANDS_S)


def _unmarked(services: Services, now: datetime) -> list[str]:
    """Homes that are clear, each in a building of its own."""
    town = quillmarket.build()
    found: dict[str, str] = {}
    for home in town.homes:
        building = town.building_of[home.premises_id]
        asked_otherwise = any(building in one.address for one in town.tries)
        if home.premises_id in town.dwellings and building not in found and not asked_otherwise:
            address = f"{home.address}, {home.postcode}"
            _, finding = find(services, RawLocation(address=address), now)
            if finding.outcome.status == "clear":
                found[building] = address
        if len(found) == _HOMES:
            return list(found.values())
    raise AssertionError(f"only {len(found)} homes are clear")


if __name__ == "__main__":
    main()
