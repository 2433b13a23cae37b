"""`python -m tests.faults.supervisor FOLDER`: keeps the folder's store going, as `overlay run` does."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from markers.server import EmbeddedServer


def main() -> None:
    server = EmbeddedServer(Path(sys.argv[1]))
    server.ensure()
    while True:
        if not server.alive():
            server.ensure()
        time.sleep(0.005)


if __name__ == "__main__":
    main()
