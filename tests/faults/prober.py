"""`python -m tests.faults.prober OUT ADDRESS`: looks at a marked home over and over, and writes down every answer.

One line a look: how long it took, status, basis, ledger entry, number of matches. A look that could not be logged, and
so showed nothing, is `nothing`.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from markers.ledger import Via
from markers.location import RawLocation
from overlay.lookup import Asked, NothingDisclosed, check
from overlay.roles import Actor
from overlay.services import Services
from overlay.settings import Settings

_PAUSE_S = 0.01
_PROBER = Actor("fault prober", "Fault prober", "service", Via.CLI)


def main() -> None:
    out, address = sys.argv[1:]
    services = Services.start(Settings.read())
    asked = Asked(RawLocation(address=address), "CAD-FAULT")
    with Path(out).open("a", buffering=1) as told:
        while True:
            began = time.monotonic()
            try:
                answer = check(services, _PROBER, asked, services.now())
                found = [answer.status, answer.store, answer.ledger_entry, len(answer.matches)]
            except NothingDisclosed:
                found = ["nothing", "", "", 0]
            told.write(json.dumps([round(time.monotonic() - began, 4), *found]) + "\n")
            time.sleep(_PAUSE_S)


if __name__ == "__main__":
    main()
