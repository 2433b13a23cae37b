"""`overlay bench scale`: a large real gazetteer, dirty texts, and the peer on the same data in the same run.

Addresses come from a file that is given: the columns of the Food Hygiene Rating Scheme (`name`, `a1` to `a4`,
`postcode`) as parquet or CSV, or any CSV with `address` and `postcode`. No marker here has a category or a word in it.
"""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markers.gazetteer import Gazetteer
from markers.model import Premises
from markers.normal import normalise, plain_text
from markers.postcode import normalise_postcode
from overlay.bench.noise import dirty
from overlay.bench.peer import PeerTimes, peer_of
from overlay.bench.resident import Resident
from overlay.bench.score import Share
from overlay.bench.timing import Timing

MEMORY_MARKERS = 100_000
_PARTS = ("name", "a1", "a2", "a3", "a4")


class ScaleError(Exception):
    """The file can't be used; the message is one line."""


@dataclass(frozen=True, slots=True)
class ScaleReport:
    """`resident` has `markers` markers and is what texts are timed in; `memory_mb` is of a process with
    `memory_markers`. `batch` is the rate of `batch_size` texts in one process, as `overlay check --input` works; the
    looks are not written to a ledger here. `as_meant` counts texts read as the home they were made from, `as_another`
    those read as one written otherwise.
    """

    homes: int
    markers: int
    load_s: float
    open_s: float
    markers_s: float
    single: Timing
    batch_size: int
    batch_rate: float
    memory_markers: int
    memory_mb: float
    as_meant: Share
    as_another: Share
    peer: PeerTimes | None

    @property
    def ratios(self) -> tuple[tuple[str, float, float], ...]:
        """Beside the peer: name, value, aim; all are "at least"."""
        if self.peer is None:
            return ()
        return (
            ("peer's p50 of one text / ours", self.peer.single.p50 / self.single.p50, 1000.0),
            ("our batch rate / the peer's", self.batch_rate / self.peer.batch_rate, 1.0),
        )


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything. `batch` 0 is as many texts as homes."""

    homes: int
    markers: int
    queries: int
    batch: int
    seed: int
    peer_singles: int


def bench_scale(path: Path, sizes: Sizes, *, with_peer: bool, say: Callable[[str], None]) -> ScaleReport:
    """Load, open, ask, and the same of the peer. Raises ScaleError, and PeerError where the peer is not installed."""
    rng = random.Random(sizes.seed)  # noqa: S311 - a sample, not a secret
    homes = sample(rng, path, sizes.homes)
    asked = rng.choices(homes, k=sizes.queries)
    texts = [_text(rng, home) for home in asked]
    batch_size = sizes.batch or len(homes)
    batch = [_text(rng, home) for home in (homes * (batch_size // len(homes) + 1))[:batch_size]]
    with tempfile.TemporaryDirectory(prefix="overlay-bench-") as name:
        folder = Path(name)
        say(f"Loading {len(homes):,} addresses ...")
        began = time.perf_counter()
        Gazetteer.load(folder / "gazetteer", homes)
        load_s = time.perf_counter() - began
        _write_marked(folder, rng.sample(homes, min(len(homes), max(sizes.markers, MEMORY_MARKERS))))
        say(f"Matching {len(texts):,} texts one by one, {sizes.markers:,} markers ...")
        resident = _in_own_process(folder, sizes.markers, texts)
        say(f"Matching a batch of {batch_size:,} ...")
        batched = _in_own_process(folder, sizes.markers, batch)
        say(f"Measuring memory with {MEMORY_MARKERS:,} markers ...")
        full = _in_own_process(folder, MEMORY_MARKERS, texts)
    report_peer = _peer(homes, texts, batch, sizes.peer_singles, say) if with_peer else None
    meant = _as_meant(homes, asked, resident.homes)
    return ScaleReport(
        homes=len(homes),
        markers=min(sizes.markers, len(homes)),
        load_s=load_s,
        open_s=resident.open_s,
        markers_s=full.markers_s,
        single=resident.single,
        batch_size=batch_size,
        batch_rate=batched.single.rate,
        memory_markers=min(MEMORY_MARKERS, len(homes)),
        memory_mb=full.memory_mb,
        as_meant=Share(meant, len(asked)),
        as_another=Share(sum(map(bool, resident.homes)) - meant, len(asked)),
        peer=report_peer,
    )


def read_addresses(path: Path) -> Iterator[Premises]:
    """Every address of the file that has a postcode and more than a name. Raises ScaleError."""
    rows = _parquet_rows(path) if path.suffix == ".parquet" else _csv_rows(path)
    for number, row in enumerate(rows):
        postcode = normalise_postcode(row.get("postcode") or "")
        parts = [row.get(part) for part in _PARTS] if "a1" in row else ["", row.get("address")]
        told = [" ".join(part.split()) for part in parts if part and part.strip()]
        if postcode and any(part and part.strip() for part in parts[1:]):
            yield Premises(f"h{number}", ", ".join(told), postcode)


def _parquet_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise ScaleError(
            "pyarrow is not installed. Install it beside the overlay: pip install 'overlay[bench]'"
        ) from error
    file = parquet.ParquetFile(path)
    wanted = [name for name in (*_PARTS, "address", "postcode") if name in file.schema_arrow.names]
    for some in file.iter_batches(columns=wanted):
        yield from some.to_pylist()


def _csv_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file)


def sample(rng: random.Random, path: Path, wanted: int) -> list[Premises]:
    """So many addresses of a file, drawn without repeating one. Raises ScaleError if it has fewer."""
    found = list(read_addresses(path))
    if len(found) < wanted:
        raise ScaleError(f"{path.name}: {len(found):,} addresses with a postcode, {wanted:,} are wanted.")
    return rng.sample(found, wanted)


def _text(rng: random.Random, home: Premises) -> str:
    text, _ = dirty(rng, home.address, home.postcode)
    return " ".join(text.split())


def _write_marked(folder: Path, marked: Sequence[Premises]) -> None:
    with (folder / "marked.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows((home.premises_id, home.address, home.postcode) for home in marked)


def _in_own_process(folder: Path, markers: int, texts: Sequence[str]) -> Resident:
    (folder / "texts.txt").write_text("\n".join(texts), "utf-8")
    command = [sys.executable, "-m", "overlay.bench.resident", str(folder), str(markers)]
    told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return Resident(**{**told, "single": Timing(**told["single"]), "homes": tuple(told["homes"])})


def _as_meant(homes: Sequence[Premises], asked: Sequence[Premises], read: Sequence[str]) -> int:
    """How many texts were read as their own home, or one written just like it."""
    written = {home.premises_id: (plain_text(normalise(home.address)), home.postcode) for home in homes}
    return sum(bool(uid) and written[uid] == written[home.premises_id] for home, uid in zip(asked, read, strict=True))


def _peer(
    homes: Sequence[Premises], texts: Sequence[str], batch: Sequence[str], singles: int, say: Callable[[str], None]
) -> PeerTimes:
    say("Preparing the peer ...")
    with peer_of(homes) as peer:
        say(f"Matching with the peer: {singles} texts singly, then {len(batch):,} at once ...")
        return peer.times(texts, singles, batch)[0]
