"""One process as the console has it: a loaded gazetteer opened, markers in memory, texts matched one by one.

Run as `python -m overlay.bench.resident FOLDER MARKERS`, so that nothing of whoever built the gazetteer is in the
memory that is measured. FOLDER holds `gazetteer/`, `marked.csv` (id, address, postcode) and `texts.txt`, a text a line.
Prints one JSON object.
"""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from markers.gazetteer import Gazetteer
from markers.index import MarkerIndex
from markers.model import Marker, Premises
from overlay.bench.match import ask, marker_on, resident_mb
from overlay.bench.timing import Timing
from overlay.services import spare_pauses


@dataclass(frozen=True, slots=True)
class Resident:
    """Seconds to open the gazetteer and to take in the markers; one text at a time; megabytes when all is done.

    `homes` are the ids the texts were read as, "" where none was sure.
    """

    open_s: float
    markers_s: float
    single: Timing
    memory_mb: float
    homes: tuple[str, ...]


def measure(folder: Path, markers: int) -> Resident:
    """Measure in this process."""
    began = time.perf_counter()
    gazetteer = Gazetteer.open(folder / "gazetteer")
    opened = time.perf_counter()
    index = MarkerIndex()
    index.replace(0, islice(_marked(folder / "marked.csv"), markers), gazetteer)
    marked = time.perf_counter()
    spare_pauses()
    seconds: list[float] = []
    homes: list[str] = []
    for text in (folder / "texts.txt").read_text("utf-8").splitlines():
        start = time.perf_counter()
        outcome = ask(text, gazetteer, index)
        seconds.append(time.perf_counter() - start)
        homes.append(outcome.home.premises_id if outcome.home else "")
    timing = Timing.of(seconds, sum(seconds))
    return Resident(opened - began, marked - opened, timing, resident_mb(), tuple(homes))


def _marked(path: Path) -> Iterator[Marker]:
    with path.open(encoding="utf-8", newline="") as file:
        for uid, address, postcode in csv.reader(file):
            yield marker_on(Premises(uid, address, postcode or None), uid)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(measure(Path(sys.argv[1]), int(sys.argv[2])))))
