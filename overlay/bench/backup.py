"""`overlay bench backup`: what a backup costs the checks made while it is taken, and how long putting it back takes.

One console with its sealer, checks at a steady rate over HTTP; turn by turn without a backup and with one being taken,
so that whatever else the machine does falls on both alike. The backup is put back on a data folder that has nothing
but the keys.
"""

from __future__ import annotations

import http.client
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from markers.commits import Commit
from markers.ledger import LedgerEntry, Operation, RecordSeen, Via
from markers.store import Store
from overlay.bench.check import ask, free_port, lay_out, served
from overlay.bench.live import Checks
from overlay.bench.timing import Timing
from overlay.folders import data_folders
from overlay.identity import create_token
from overlay.services import Services, spare_pauses
from overlay.settings import Settings

_AT_ONCE = 2_000
_SETTLE_S = 1_200.0
_LONGEST_S = 3_600.0
_SEEN = (
    RecordSeen("4ae269fa6b575b2c8fac18550b349052", 1, "premises", ("existence", "action", "category", "headline")),
)


@dataclass(frozen=True, slots=True)
class BackupLoad:
    """How much of everything: checks a second, turns with a backup and as many without, of `turn_s` seconds each."""

    homes: int
    markers: int
    entries: int
    checks_s: float
    turns: int
    turn_s: float


@dataclass(frozen=True, slots=True)
class Taken:
    """Wall clock and processor time of one command (seconds; of a server it started too), and what it said as JSON."""

    seconds: float
    worked: float
    told: dict[str, object]


@dataclass(frozen=True, slots=True)
class BackupReport:
    """Checks without a backup and during one; each backup; the restore; the machine's load before and after."""

    without: Timing
    during: Timing
    backups: tuple[Taken, ...]
    restored: Taken
    load_before: float
    load_after: float


def bench_backup(settings: Settings, load: BackupLoad, say: Callable[[str], None]) -> BackupReport:
    """Lay out an invented town, its console and its ledger in a temporary folder, measure, and remove it all again."""
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="overlay-bench-") as folder:
        below = Path(folder)
        own = settings.model_copy(update={"data": below / "data", "store_url": None, "port": free_port()})
        data_folders(own.data)
        services = Services.start(own.model_copy(update={"store_timeout_s": 5.0}), follow=False)
        without, during, backups = list[float](), list[float](), list[Taken]()
        try:
            say(f"Laying out {load.homes:,} homes and {load.markers:,} markers ...")
            laid_out = lay_out(services, load.homes, load.markers)
            say(f"Writing {load.entries:,} ledger entries ...")
            _fill(services.store, load.entries)
            token = create_token(services.store, services.access, "bench", "service", services.now(), 1)
            spare_pauses()
            with served(own, _SETTLE_S):
                say("Waiting until they are signed and filed ...")
                _settled(services)
                checks = Checks(own, laid_out.queries, token)
                checks.run(load.checks_s, time.monotonic() + 3.0)  # warms everything; not kept
                for number in range(load.turns):
                    say(f"Turn {number + 1} of {load.turns} ...")
                    without += checks.run(load.checks_s, time.monotonic() + load.turn_s)
                    slow, taken = _backup(own, checks, load.checks_s, below / f"backup-{number}")
                    during += slow
                    backups.append(taken)
                without += checks.run(load.checks_s, time.monotonic() + load.turn_s)
                _still_serves(own, token)
        finally:
            services.close()
        say("Putting it back on another data folder ...")
        other = own.model_copy(update={"data": below / "other"})
        other.data.mkdir(mode=0o700)
        shutil.copytree(own.data / "keys", other.data / "keys")
        with _Command(other, "restore", str(below / f"backup-{load.turns - 1}"), "--json") as command:
            restored = command.ended()
    return BackupReport(
        without=Timing.of(without, sum(without)),
        during=Timing.of(during, sum(during)),
        backups=tuple(backups),
        restored=restored,
        load_before=load_before,
        load_after=os.getloadavg()[0],
    )


def _fill(store: Store, entries: int) -> None:
    """Looks a hundredth of a second apart, every fifth one with a hit, with ids as long as the real ones."""
    began = datetime.now(UTC) - timedelta(milliseconds=10 * entries)
    for first in range(0, entries, _AT_ONCE):
        page = range(first, min(first + _AT_ONCE, entries))
        store.commit(Commit(str(uuid.uuid4()), {}, (), tuple(_look(number, began).canonical() for number in page)))


def _look(number: int, began: datetime) -> LedgerEntry:
    hit = number % 5 == 0
    return LedgerEntry(
        entry_id=f"5f0c9a1e-77aa-4d55-9c1b-{number:012d}",
        at=began + timedelta(milliseconds=10 * number),
        operation=Operation.CONSULTATION,
        actor_id="4ae269fa6b575b2c8fac18550b349052",
        actor_role="call_handler",
        via=Via.WEB,
        incident=f"CAD-{number}-01JAN26",
        reason="incident_response",
        check_id=f"976f4ddf-9216-415f-b4bf-{number:012d}",
        status="hit" if hit else "clear",
        about=(f"{number:064x}", "a7" * 32),
        records=_SEEN if hit else (),
        late=True,  # they are dated before the checkpoint over them, as a replayed look is
    )


def _settled(services: Services) -> None:
    """The sealer has signed and filed everything."""
    until = time.monotonic() + _SETTLE_S
    store_id = services.store.identity()
    while services.ledger_index.position(store_id) < services.store.ledger_end():
        if time.monotonic() > until:
            raise RuntimeError("the sealer did not catch up")
        time.sleep(0.5)


def _backup(settings: Settings, checks: Checks, rate: float, folder: Path) -> tuple[list[float], Taken]:
    """Seconds of each check made while a backup was being taken."""
    with _Command(settings, "backup", str(folder), "--json") as command:
        slow = checks.run(rate, time.monotonic() + _LONGEST_S, command.goes_on)
        return slow, command.ended()


def _still_serves(settings: Settings, token: str) -> None:
    line = http.client.HTTPConnection(settings.host, settings.port, timeout=10)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    ask(line, "POST", "/api/v1/checks", json.dumps({"location": {"address": "1 Nowhere"}}).encode(), headers)
    line.close()


class _Command:
    """An `overlay` command in a process of its own, timed."""

    def __init__(self, settings: Settings, *arguments: str) -> None:
        self._worked = _children_s()
        self._began = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "overlay", *arguments],
            env={**os.environ, **settings.environment()},
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> _Command:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    def goes_on(self) -> bool:
        return self._process.poll() is None

    def ended(self) -> Taken:
        told, _ = self._process.communicate(timeout=_LONGEST_S)
        if self._process.returncode:
            raise RuntimeError("the command was refused; the line above says why")
        return Taken(time.monotonic() - self._began, _children_s() - self._worked, json.loads(told))


def _children_s() -> float:
    """Processor seconds of children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
