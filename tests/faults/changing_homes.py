"""`python -m tests.faults.changing_homes OUT`: marks a home, lets it be, ends the marker, goes to the next, and so on.

Every line of OUT is written once its step is acknowledged, or before the next one is begun: whoever reads as the last
line that a home is `marked` knows that no check after that may read as clear, until another line follows.
"""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import datetime, timedelta
from itertools import count, cycle
from pathlib import Path
from typing import NamedTuple, TextIO

from markers.ledger import Via
from markers.lifecycle import LifecycleRefused
from markers.location import RawLocation
from markers.model import LONDON, Marker, Place
from markers.store_errors import StoreUnavailable
from overlay import quillmarket
from overlay.lookup import find
from overlay.roles import Actor
from overlay.services import Services
from overlay.settings import Settings
from overlay.upkeep import steps

MARKED, ENDED, BETWEEN = "marked", "ended", "between"
_HOMES = 12
_STANDS_S = 0.5
_PAUSE_S = 0.1
_BY = Actor("fault marker", "Fault marker", "ppu_supervisor", Via.CLI)


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
    homes = cycle(_unmarked(services, services.now()))
    with Path(sys.argv[1]).open("a", buffering=1) as told:
        for number in count(1):
            address = next(homes)
            marker = _marker(f"FAULT-{os.getpid()}-{number}", address, services.now())
            _until_done(services, marker, told, Line(number, MARKED, address))
            time.sleep(_STANDS_S)
            _until_done(services, marker, told, Line(number, ENDED, address))
            time.sleep(_STANDS_S)


def _until_done(services: Services, marker: Marker, told: TextIO, line: Line) -> None:
    """Take the step until the store says that it is done; that it is done already is a refusal to do it again."""
    told.write(json.dumps(line._replace(state=BETWEEN)) + "\n")
    while True:
        try:
            if line.state == MARKED:
                steps.add_provisional(services, _BY, marker, "seen while faults are made", services.now())
            else:
                steps.dismiss(services, _BY, marker.marker_id, "seen no more", services.now())
            break
        except LifecycleRefused:
            found = services.index.get(marker.marker_id)
            if found is None or (found.ending is None) is not (line.state == MARKED):
                raise
            break
        except StoreUnavailable:
            time.sleep(_PAUSE_S)
    told.write(json.dumps(line) + "\n")


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


def _marker(reference: str, address: str, now: datetime) -> Marker:
    today = now.astimezone(LONDON).date()
    return Marker(
        marker_id=reference.lower(),
        reference=reference,
        category="domestic_abuse_risk",
        place=Place(address=address),
        headline="Marked while faults are made",
        action="None: an invented home.",
        owner="Fault tests",
        owner_contact="none",
        starts_on=today,
        review_on=today + timedelta(days=30),
        ends_on=today + timedelta(days=60),
        source="Fault tests",
        source_reference=reference,
        proposed_by=_BY.name,
        approved_by="",
        recorded_at=now,
        version=0,
    )


if __name__ == "__main__":
    main()
