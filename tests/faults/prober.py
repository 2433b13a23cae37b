"""`python -m tests.faults.prober OUT CHANGING`: looks at homes over and over, and writes down every answer.

By turns a marked home, an unmarked one, and the one that tests/faults/changing_homes.py has just marked or unmarked.
One line a look: how long it took, status, basis, ledger entry, number of matches, and what home it was: `marked`,
`unmarked`, `just marked`, `just unmarked`, or `changing` where it changed meanwhile. A look that could not be logged,
and so showed nothing, is `nothing`.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import cycle
from pathlib import Path

from markers.ledger import Via
from markers.location import RawLocation
from overlay import quillmarket
from overlay.lookup import Asked, NothingDisclosed, check
from overlay.roles import Actor
from overlay.services import Services
from overlay.settings import Settings
from tests.faults import changing_homes
from tests.faults.changing_homes import BETWEEN, Line, last_line

MARKED, UNMARKED, CHANGING = "marked", "unmarked", "changing"
JUST_MARKED, JUST_UNMARKED = "just marked", "just unmarked"
JUST = {changing_homes.MARKED: JUST_MARKED, changing_homes.ENDED: JUST_UNMARKED}
_TRIES = {example.expect: example.address for example in quillmarket.build().tries}
HOMES = {MARKED: _TRIES["hit"], UNMARKED: _TRIES["clear"]}
_PAUSE_S = 0.01
_PROBER = Actor("fault prober", "Fault prober", "service", Via.CLI)


def main() -> None:
    out, changing = map(Path, sys.argv[1:])
    services = Services.start(Settings.read())
    with out.open("a", buffering=1) as told:
        for turn in cycle((MARKED, UNMARKED, CHANGING)):
            line = last_line(changing)
            if turn == CHANGING and (line is None or line.state == BETWEEN):
                continue
            address = line.address if turn == CHANGING and line is not None else HOMES[turn]
            look = _look(services, address)
            told.write(json.dumps([*look, _kind(turn, line, last_line(changing))]) + "\n")
            time.sleep(_PAUSE_S)


def _kind(turn: str, before: Line | None, after: Line | None) -> str:
    if turn != CHANGING or before is None:
        return turn
    return CHANGING if before != after else JUST[before.state]


def _look(services: Services, address: str) -> list[object]:
    began = time.monotonic()
    try:
        answer = check(services, _PROBER, Asked(RawLocation(address=address), "CAD-FAULT"), services.now())
        found = [answer.status, answer.store, answer.ledger_entry, len(answer.matches)]
    except NothingDisclosed:
        found = ["nothing", "", "", 0]
    return [round(time.monotonic() - began, 4), *found]


if __name__ == "__main__":
    main()
