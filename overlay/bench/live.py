"""`overlay bench live`: how soon a change is on every screen, and what the screens cost a check.

One console, checks at a steady rate over HTTP, incidents changed and markers approved at a steady rate by another
process; turn by turn with the screens connected and without, so that whatever else the machine does falls on both
alike. One more screen does what a page does when it is told of an approval: it asks for its incident again.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from markers.commits import Commit, Write
from overlay.bench.approving import Approved, Approver, Asker
from overlay.bench.check import ask, free_port, lay_out, served
from overlay.bench.timing import Timing
from overlay.folders import data_folders
from overlay.identity import create_token
from overlay.incidents.book import COLLECTION
from overlay.incidents.entries import Noted, Opened, Person
from overlay.incidents.model import Incident, incident_of
from overlay.services import Services, spare_pauses
from overlay.settings import Settings

_SOMEBODY = Person("bench", "Bench", "dispatcher")
_INCIDENTS = 200
_CALLERS = 4
_WARM_S = 3.0


@dataclass(frozen=True, slots=True)
class Load:
    """How much of everything. `turns` with the screens and as many without, of `turn_s` seconds each."""

    homes: int
    screens: int
    changes_s: float
    approvals_s: float
    checks_s: float
    turns: int
    turn_s: float


@dataclass(frozen=True, slots=True)
class LiveReport:
    """Times in milliseconds; `missed` are screens times changes that never arrived; processor seconds a second.

    `told` is from sending an approval until a screen hears that markers changed, `seen` until the one that asks again
    has the marker on its incident; `untold` and `unseen` are those that never came.
    """

    arrival: Timing
    told: Timing
    seen: Timing
    approvals: int
    untold: int
    unseen: int
    with_screens: Timing
    without: Timing
    changes: int
    missed: int
    reloads: int
    load_before: float
    load_after: float
    busy_with: float
    busy_without: float


@dataclass(slots=True)
class _Kept:
    checks: dict[bool, list[float]] = field(default_factory=lambda: {True: [], False: []})
    arrivals: list[float] = field(default_factory=list)
    busy: dict[bool, list[float]] = field(default_factory=lambda: {True: [], False: []})
    told: list[float] = field(default_factory=list)
    seen: list[float] = field(default_factory=list)
    approvals: int = 0
    changes: int = 0
    missed: int = 0
    untold: int = 0
    reloads: int = 0


def bench_live(settings: Settings, load: Load, say: Callable[[str], None]) -> LiveReport:
    """Lay out an invented town and its console in a temporary folder, measure, and remove it again."""
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="overlay-bench-") as folder:
        own = settings.model_copy(update={"data": Path(folder) / "data", "store_url": None, "port": free_port()})
        data_folders(own.data)
        patient = own.model_copy(update={"store_timeout_s": 5.0})  # the bench's own writes may wait for a busy disk
        services = Services.start(patient, follow=False)
        try:
            say(f"Laying out {load.homes:,} homes and {_INCIDENTS} open incidents ...")
            laid_out = lay_out(services, load.homes, load.homes)
            incidents = _open_incidents(services)
            approvals = load.approvals_s * (2 * load.turns * load.turn_s + _WARM_S) + 2 * load.turns + 1
            approver = Approver.open(services, laid_out, round(approvals))
            spare_pauses()
            tokens = [
                create_token(services.store, services.access, f"bench {n}", "service", services.now(), 1)
                for n in range(max(10, load.screens // 10))
            ]
            kept = _Kept()
            with served(own):
                checks = Checks(own, laid_out.queries, tokens[0])
                work = _Work(load, checks, incidents, services, approver)
                _turn(own, work, [], kept, _WARM_S)  # warms everything; not kept
                kept = _Kept()
                for number in range(2 * load.turns):
                    screens = number % 2 == 0
                    say(f"Turn {number + 1} of {2 * load.turns}, {load.screens if screens else 'no'} screens ...")
                    _turn(own, work, tokens if screens else [], kept, load.turn_s)
        finally:
            services.close()
    seconds = load.turns * load.turn_s
    return LiveReport(
        arrival=Timing.of(kept.arrivals, seconds),
        told=Timing.of(kept.told, seconds),
        seen=Timing.of(kept.seen, seconds),
        approvals=kept.approvals,
        untold=kept.untold,
        unseen=kept.approvals - len(kept.seen),
        with_screens=Timing.of(kept.checks[True], seconds),
        without=Timing.of(kept.checks[False], seconds),
        changes=kept.changes,
        missed=kept.missed,
        reloads=kept.reloads,
        load_before=load_before,
        load_after=os.getloadavg()[0],
        busy_with=sum(kept.busy[True]) / len(kept.busy[True]),
        busy_without=sum(kept.busy[False]) / len(kept.busy[False]),
    )


def _open_incidents(services: Services) -> list[Incident]:
    opened = [
        incident_of(uuid.uuid4().hex, 1, (Opened(services.now(), _SOMEBODY, f"BENCH-{n}"),)) for n in range(_INCIDENTS)
    ]
    writes = tuple(Write(COLLECTION, made.incident_id, 0, made.as_plain()) for made in opened)
    services.store.commit(Commit(str(uuid.uuid4()), {}, writes))
    return opened


class Checks:
    """Checks sent at moments set beforehand, timed from the moment they were due: one that waits counts as slow."""

    def __init__(self, settings: Settings, queries: tuple[str, ...], token: str) -> None:
        self._settings = settings
        self._bodies = [json.dumps({"location": {"address": text}}).encode() for text in queries]
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._lines = threading.local()
        self._sent = 0

    def run(self, rate: float, until: float, going: Callable[[], bool] = lambda: True) -> list[float]:
        """Seconds each took, at `rate` a second until a moment, or while it is `going`."""
        with ThreadPoolExecutor(_CALLERS) as pool:
            due, waiting = time.monotonic(), []
            while due < until and going():
                time.sleep(max(0.0, due - time.monotonic()))
                self._sent += 1
                waiting.append(pool.submit(self._one, due, self._bodies[self._sent % len(self._bodies)]))
                due += 1 / rate
            return [took.result() for took in waiting]

    def _one(self, due: float, body: bytes) -> float:
        line = getattr(self._lines, "line", None)
        if line is None:
            line = self._lines.line = http.client.HTTPConnection(self._settings.host, self._settings.port, timeout=10)
        try:
            ask(line, "POST", "/api/v1/checks", body, self._headers)
        except (OSError, http.client.HTTPException) as error:
            raise RuntimeError(f"a check was cut off: {error!r}") from error
        return time.monotonic() - due


@dataclass(frozen=True, slots=True)
class _Work:
    """What goes on side by side in every turn."""

    load: Load
    checks: Checks
    incidents: list[Incident]
    services: Services
    approver: Approver

    def go_on(self, kept: _Kept, seconds: float, asker: Asker | None) -> tuple[dict[str, float], list[Approved]]:
        """For so many seconds; returns when each incident was changed, and what was approved. `asker`: with screens."""
        changed: dict[str, float] = {}
        until = time.monotonic() + seconds
        began, busy = time.monotonic(), _busy_s()
        screens = asker is not None
        with ThreadPoolExecutor(2) as pool:
            writing = pool.submit(self._change, until, changed)
            # Without the screens nothing is told, but the same is done: it must not count as their cost.
            approving = pool.submit(self.approver.run, self.load.approvals_s, until, asker)
            kept.checks[screens] += self.checks.run(self.load.checks_s, until)
            writing.result()
            approved = approving.result()
        kept.busy[screens].append((_busy_s() - busy) / (time.monotonic() - began))
        return changed, approved

    def _change(self, until: float, changed: dict[str, float]) -> None:
        """Change one incident after another; each once a turn, noting when it was sent to the store."""
        due = time.monotonic()
        for number in range(len(self.incidents)):
            if due >= until:
                return
            time.sleep(max(0.0, due - time.monotonic()))
            before = self.incidents[number]
            after = before.with_entries(Noted(self.services.now(), _SOMEBODY, "A note"))
            write = Write(COLLECTION, after.incident_id, before.version, after.as_plain())
            changed[after.incident_id] = time.monotonic()
            self.services.store.commit(Commit(str(uuid.uuid4()), {}, (write,)))
            self.incidents[number] = after
            due += 1 / self.load.changes_s


def _turn(settings: Settings, work: _Work, tokens: list[str], kept: _Kept, seconds: float) -> None:
    if not tokens:
        work.go_on(kept, seconds, None)
        return
    screens = work.load.screens
    listeners = connected_screens(settings, tokens, screens)
    asker = Asker(settings, tokens[0])
    try:
        changed, approved = work.go_on(kept, seconds, asker)
        time.sleep(1.0)
        told, _ = listeners.communicate(timeout=30)
    finally:
        asker.close()
        listeners.kill()
    heard = json.loads(told.splitlines()[-1])
    arrived = {incident_id: heard["arrivals"].get(incident_id, []) for incident_id in changed}
    kept.arrivals += [at - changed[incident_id] for incident_id, moments in arrived.items() for at in moments]
    kept.changes += len(changed)
    kept.missed += sum(screens - len(moments) for moments in arrived.values())
    kept.reloads += heard["reloads"]
    for one in approved:
        moments = heard["markers"].get(str(one.position), [])
        kept.told += [at - one.sent for at in moments]
        kept.untold += screens - len(moments)
    kept.approvals += len(approved)
    kept.seen += asker.took


def connected_screens(settings: Settings, tokens: list[str], screens: int) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "overlay.bench.listeners"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the screens could not be started")
    asked = {"host": settings.host, "port": settings.port, "tokens": tokens, "screens": screens}
    process.stdin.write(json.dumps(asked) + "\n")
    process.stdin.flush()
    if process.stdout.readline().strip() != "connected":
        raise RuntimeError("the screens could not connect; set OVERLAY_STREAMS to as many as one worker may get")
    return process


def _busy_s() -> float:
    """Processor seconds that all processes of this machine have used."""
    ticks = [int(part) for part in Path("/proc/stat").read_text("ascii").splitlines()[0].split()[1:]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")
