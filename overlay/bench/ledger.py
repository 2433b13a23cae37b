"""`overlay bench ledger`: what the ledger adds to a durable check, and how long a million entries take to verify."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from markers.anchors import Anchors
from markers.checkpoints import SigningKey
from markers.commits import Commit, Committed, Moved, Write
from markers.ledger import LedgerEntry, Operation, RecordSeen, Via
from markers.ledger_export import ANCHORS, CHECKPOINTS, ENTRIES, KEY, MANIFEST, line
from markers.ledger_verify import Verified, verify
from markers.location import RawLocation
from markers.merkle import Frontier, leaf_hash
from markers.store import Store
from overlay.bench import town
from overlay.bench.check import Report, lay_out
from overlay.bench.timing import Timing
from overlay.folders import data_folders
from overlay.lookup import Asked, check
from overlay.roles import Actor
from overlay.services import Services, spare_pauses
from overlay.settings import Settings

_ACTOR = Actor("os:bench", "bench", "service", Via.CLI)
_BLOCK = 50
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_AT = b"2026-01-01T00:00:00.000000Z"
_SEEN = (
    RecordSeen("4ae269fa6b575b2c8fac18550b349052", 1, "premises", ("existence", "action", "category", "headline")),
)
WITHOUT = "check, nothing written"
PLAIN = "durable check, its bytes written as a plain record"
WITH = "durable check, ledger entry and running sealer"


@dataclass(frozen=True, slots=True)
class Verification:
    """How long verifying took (seconds) over how many entries under how many checkpoints, on how many processors.

    `worked` is the processor time of it all (seconds): on a machine that others use too, what it would take alone is
    that over the processors.
    """

    entries: int
    checkpoints: int
    seconds: float
    worked: float
    processors: int
    megabytes: float


class _WithoutEntries(Store):
    """The same commit without its ledger entries."""

    def commit(self, commit: Commit) -> Committed | Moved:
        return super().commit(replace(commit, entries=()))


class _PlainRecords(Store):
    """The same bytes, written durably as a record each instead of a ledger entry."""

    def commit(self, commit: Commit) -> Committed | Moved:
        writes = tuple(Write("bench", uuid.uuid4().hex, 0, entry) for entry in commit.entries)
        return super().commit(replace(commit, entries=(), writes=writes))


def bench_ledger(settings: Settings, homes: int, rounds: int, say: Callable[[str], None]) -> Report:
    """Check in turn, 50 at a time: without an entry, with its bytes written plainly, with entry and sealer."""
    with tempfile.TemporaryDirectory(prefix="overlay-bench-") as folder:
        own = settings.model_copy(update={"data": Path(folder) / "data", "store_url": None, "anchors": None})
        data_folders(own.data)
        services = Services.start(own, follow=False)
        try:
            say(f"Laying out {homes:,} homes and as many markers ...")
            laid_out = lay_out(services, homes, homes)
            spare_pauses()
            with _sealer(own) as sealer:
                say("Checking in turn with the ledger and without ...")
                timings = _timed(services, laid_out, rounds, sealer)
        finally:
            services.close()
    without, plain, with_it = (timings[name].p50 for name in (WITHOUT, PLAIN, WITH))
    return Report(
        timings,
        (
            ("with the ledger / nothing written", with_it / without, 1.25),
            ("with the ledger / written as a plain record", with_it / plain, 1.25),
        ),
    )


def bench_verify(entries: int, each: int, say: Callable[[str], None]) -> tuple[Verification, Verified]:
    """Make an export of invented entries, `each` under a checkpoint, and verify it as the command does."""
    with tempfile.TemporaryDirectory(prefix="overlay-bench-") as name:
        folder = Path(name)
        say(f"Making {entries:,} entries under {-(-entries // each):,} checkpoints ...")
        made = _invent(folder, entries, each)
        say("Verifying ...")
        began, worked = time.perf_counter(), _worked()
        found = verify(folder, anchors=folder / ANCHORS)
        seconds, worked = time.perf_counter() - began, _worked() - worked
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return Verification(found.entries, made, seconds, worked, len(os.sched_getaffinity(0)), size / 1e6), found


def _worked() -> float:
    """Processor time so far of this process and of children that have ended (seconds)."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _timed(services: Services, laid_out: town.Town, rounds: int, sealer: int) -> dict[str, Timing]:
    area, url, timeout_s = services.store.area, services.store_url, services.store.timeout_s
    stores: dict[str, Store] = {
        WITHOUT: _WithoutEntries(url, area, services.vault, timeout_s=timeout_s),
        PLAIN: _PlainRecords(url, area, services.vault, timeout_s=timeout_s),
        WITH: services.store,
    }
    seconds: dict[str, list[float]] = {name: [] for name in stores}
    own = services.store
    number = 0
    for block in range(1 + max(1, rounds // _BLOCK)):
        for name, store in stores.items():
            os.kill(sealer, signal.SIGCONT if name == WITH else signal.SIGSTOP)
            services.store = store
            for place in range(_BLOCK):
                asked = Asked(RawLocation(address=laid_out.queries[(number + place) % len(laid_out.queries)]), "BENCH")
                began = time.perf_counter()
                check(services, _ACTOR, asked, datetime.now(UTC))
                if block:  # the first round warms up
                    seconds[name].append(time.perf_counter() - began)
        number += _BLOCK
    services.store = own
    for name in (WITHOUT, PLAIN):
        stores[name].close()
    return {name: Timing.of(mine, sum(mine)) for name, mine in seconds.items()}


@contextmanager
def _sealer(settings: Settings) -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, "-m", "overlay.sealing", str(os.getpid())], env={**os.environ, **settings.environment()}
    )
    try:
        until = time.monotonic() + 30
        while not (settings.data / "ledger" / "sealer.json").exists():
            if time.monotonic() > until:
                raise RuntimeError("the sealer did not start")
            time.sleep(0.05)
        yield process.pid
    finally:
        process.kill()
        process.wait()


def _invent(folder: Path, entries: int, each: int) -> int:
    """An export as `overlay ledger export` writes it, of looks a hundredth of a second apart; returns checkpoints."""
    key = SigningKey("bench", os.urandom(32))
    tree, leaves = Frontier(), list[bytes]()
    checkpoints = 0
    (folder / KEY).write_text(key.public.line, "ascii")
    hit, clear = _look(_SEEN), _look(())
    anchors = Anchors(folder / ANCHORS)
    with (folder / ENTRIES).open("wb") as rows, (folder / CHECKPOINTS).open("w", encoding="utf-8") as notes:
        for sequence in range(1, entries + 1):
            at = _EPOCH + timedelta(milliseconds=10 * sequence)
            raw = (clear if sequence % 5 else hit).replace(b"NUMBER", b"%012d" % sequence)
            raw = raw.replace(_AT, at.strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode())
            rows.write(line(sequence, raw))
            leaves.append(leaf_hash(raw))
            tree.append(leaves[-1])
            if len(leaves) == each or sequence == entries:
                told = key.sign(tree.size, tree.root(), at, tuple(leaves))
                notes.write(f"{told.note}\n")
                leaves.clear()
                checkpoints += 1
                if checkpoints % 60 == 0 or sequence == entries:
                    anchors.append([told])
    (folder / MANIFEST).write_text(f'{{"format": 1, "entries": {entries}}}', "utf-8")
    return checkpoints


def _look(records: tuple[RecordSeen, ...]) -> bytes:
    """An entry with NUMBER where each has its own: ids as long as the real ones."""
    return LedgerEntry(
        entry_id="5f0c9a1e-77aa-4d55-9c1b-NUMBER",
        at=_EPOCH,
        operation=Operation.CONSULTATION,
        actor_id="4ae269fa6b575b2c8fac18550b349052",
        actor_role="call_handler",
        via=Via.WEB,
        incident="CAD-NUMBER-01JAN26",
        reason="incident_response",
        check_id="976f4ddf-9216-415f-b4bf-NUMBER",
        status="hit" if records else "clear",
        about=("e3" * 26 + "NUMBER", "a7" * 26 + "NUMBER"),
        records=records,
    ).canonical()
