"""What faults are done to: a real data folder with its store, writers in processes of their own, a prober."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from markers.anchors import Anchors
from markers.server import EmbeddedServer, ServerError
from markers.store import Store
from markers.vault import KeyRing, Vault
from tests.conftest import REPOSITORY, laid_out
from tests.faults.audit import Audit, Verdict
from tests.faults.journal import Journal
from tests.faults.prober import HOMES, JUST_MARKED, JUST_UNMARKED, MARKED, UNMARKED
from tests.faults.shim import Shim
from tests.faults.table import Row

AREA = "quill"
MARKED_HOME = HOMES[MARKED]


@dataclass
class Program:
    """A real process that is started again when a test says so."""

    command: list[str]
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self.command],
                env={**os.environ, **self.environment},
                cwd=REPOSITORY,
                stdout=log,
                stderr=log,
            )

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@dataclass(frozen=True, slots=True)
class Look:
    """One answer the prober got; `status` is `nothing` where nothing could be logged and so nothing was shown."""

    took_s: float
    status: str
    store: str
    entry: str
    matches: int
    home: str = MARKED

    @property
    def falsely_clear(self) -> bool:
        """Nobody may be told that a home is clear which is marked, or of which the store said nothing just now."""
        return self.status == "clear" and (self.home in (MARKED, JUST_MARKED) or self.store != "current")

    @property
    def right(self) -> bool:
        """Whether the answer is one of those that a home may get; `changing` it may be marked or not."""
        if self.status in ("could_not_check", "nothing"):
            return self.store == ("last_known" if self.status == "could_not_check" else "")
        may = {MARKED: {"hit"}, JUST_MARKED: {"hit"}, UNMARKED: {"clear"}, JUST_UNMARKED: {"clear"}}
        return self.store == "current" and self.status in may.get(self.home, {"hit", "clear"})


@dataclass
class Probe:
    """A process that looks at homes all the time, under the orders of a shim where one is given.

    Another, which no fault touches but the store's, marks and unmarks homes for it to look at.
    """

    data: Path
    out: Path
    environment: dict[str, str] = field(default_factory=dict)
    changes: bool = True

    def __post_init__(self) -> None:
        self.homes = homes = self.out.with_suffix(".homes")
        settings = {"OVERLAY_DATA": str(self.data), **self.environment}
        self.changing = Program(["tests.faults.changing_homes", str(homes)], settings, homes.with_suffix(".homes.log"))
        self.program = Program(
            ["tests.faults.prober", str(self.out), str(homes)], dict(settings), self.out.with_suffix(".log")
        )

    def start(self) -> None:
        """Returns once both are at work: while they start they would take a dead store for theirs to start."""
        begun = self.changes and not self.changing.running
        if begun:
            before = _size(self.homes)
            self.changing.start()
        self.program.start()
        self.wait(1)
        while begun and _size(self.homes) == before:
            self.wait(1)

    def leave_homes(self) -> None:
        """Mark and unmark no more: what follows may lose what was acknowledged, and a person knows of it."""
        self.changes = False
        self.changing.kill()

    def end(self) -> int:
        """How many bytes of answers there are by now."""
        return self.out.stat().st_size if self.out.exists() else 0

    def looks(self, after: int = 0) -> list[Look]:
        """The answers behind so many bytes."""
        if not self.out.exists():
            return []
        with self.out.open("rb") as told:
            told.seek(after)
            return [Look(*json.loads(line)) for line in told if line.endswith(b"\n")]

    def wait(self, more: int, status: str | None = None, seconds: float = 60) -> list[Look]:
        """The answers from now on, once `more` of them came (of that status)."""
        before, until = self.end(), time.monotonic() + seconds
        while time.monotonic() < until:
            for program in (self.program, *([self.changing] if self.changes else [])):
                assert program.running, program.log.read_text()
            looks = self.looks(before)
            if len([look for look in looks if status in (None, look.status)]) >= more:
                return looks
            time.sleep(0.02)
        raise AssertionError(f"no {more} looks {status or ''} in {seconds} s, but {self.looks(before)[-3:]}")

    def wait_changed(self, seconds: float = 60) -> None:
        """Until homes that were marked and unmarked a moment ago were looked at, with a store to ask."""
        before, until = self.end(), time.monotonic() + seconds
        while {look.home for look in self.looks(before) if look.store == "current"} < {JUST_MARKED, JUST_UNMARKED}:
            assert time.monotonic() < until, f"no home was marked and unmarked in {seconds} s"
            self.wait(1)


@dataclass(frozen=True, slots=True)
class Mark:
    """How many commits were acknowledged by some moment, and how many bytes of looks had been written."""

    acknowledged: int = 0
    looks: int = 0


@dataclass
class Rig:
    """A data folder of its own below `folder`. Nothing restarts the store but the test."""

    folder: Path
    shim: Shim
    writers: int = 3
    timeout_s: float = 1.0
    url: str = ""

    def __post_init__(self) -> None:
        self.data = self.folder / "data"
        shutil.copytree(laid_out(), self.data)
        self.server = EmbeddedServer(self.data / "store")
        self.vault = Vault(KeyRing.load(self.data / "keys"), AREA)
        self.names = [f"writer{at}" for at in range(self.writers)]
        self.journals = {name: Journal(self.folder / f"{name}.journal") for name in self.names}
        self.probe = Probe(self.data, self.folder / "looks")
        self.audit = Audit("", self.vault)
        self.programs: dict[str, Program] = {}
        self.sealer = Program(
            ["overlay.sealing", str(os.getpid())], {"OVERLAY_DATA": str(self.data)}, self.folder / "sealer.log"
        )
        files = [path.stat() for path in self.data.rglob("*") if path.is_file()]
        self._resting = {found.st_ino: found.st_size for found in files}

    @property
    def logs(self) -> Path:
        """The folder of the store's append-only log."""
        return self.data / "store" / "appendonlydir"

    @property
    def store_pid(self) -> int | None:
        """The store's process, whoever started it; None while somebody is about to."""
        found: int | None = json.loads((self.data / "store" / "server.json").read_text())["pid"]
        return found

    def living_store(self, other_than: int | None = None) -> int:
        """The store's process, once there is one (other than that)."""
        while (pid := self.store_pid) in (None, other_than):
            self.until(lambda: self.store_pid not in (None, other_than), "a store")
        return pid  # type: ignore[return-value]  # not None

    def refusal(self) -> str:
        """Why the store can't be started now; empty where it was."""
        try:
            self.ensure()
        except ServerError as error:
            return str(error)
        return ""

    def ensure(self) -> None:
        """Start the store under the shim's orders, or attach to it."""
        with self.shim.over_the_server():
            url = self.server.ensure()
        assert self.url in ("", url), f"at {url}, which was at {self.url}"
        self.url = url
        self.audit.url = url

    def start_sealer(self) -> None:
        """Returns once it has been at the store: until then it would take a dead one for its own to start."""
        said = self.data / "ledger" / "sealer.json"
        said.unlink(missing_ok=True)
        self.sealer.start()
        self.until(said.exists, "a word of the sealer")

    def load(self, url: str = "") -> None:
        """Start the writers, against `url` where it is not the store itself."""
        for name in self.names:
            self.programs[name] = Program(
                [
                    "tests.faults.rig_writer",
                    name,
                    url or self.url,
                    AREA,
                    str(self.data / "keys"),
                    str(self.journals[name].path),
                    str(self.timeout_s),
                ],
                {},
                self.folder / f"{name}.log",
            )
            self.programs[name].start()

    def restart(self, pid: int) -> None:
        """Start the writer again that was killed: it goes on from its journal."""
        for program in self.programs.values():
            if program.process is not None and program.process.pid == pid:
                program.process.wait()
                program.start()

    def acknowledged(self) -> dict[str, int]:
        return {name: journal.acknowledged() for name, journal in self.journals.items()}

    def total(self) -> int:
        return sum(self.acknowledged().values())

    def wait_for(self, more: int, seconds: float = 60) -> None:
        """Until that many more commits were acknowledged."""
        goal = self.total() + more
        self.until(lambda: self.total() >= goal, f"{more} more commits", seconds)

    def until(self, true: Callable[[], bool], what: str, seconds: float = 60) -> None:
        until = time.monotonic() + seconds
        while not true():
            self.refuse_odd()
            assert time.monotonic() < until, f"not within {seconds} s: {what}"
            time.sleep(0.002)

    def refuse_odd(self) -> None:
        """Fail for what no store may answer a writer, and for a program that ended by itself."""
        for name, program in self.programs.items():
            said = self.folder / f"{name}.journal.refused"
            assert not said.exists(), said.read_text()
            assert program.running, program.log.read_text()
        if self.sealer.process is not None:
            assert self.sealer.running, self.sealer.log.read_text()

    def kill_store(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.living_store(), signal.SIGKILL)
        assert self.server.wait_gone(10), f"killed, and process {self.store_pid} is there"

    def signed(self) -> int:
        """How many ledger entries the last anchor covers."""
        last = Anchors(self.data / "anchors" / AREA).last()
        return last.size if last is not None else 0

    def lose_power(self, chance: random.Random, *folders: Path) -> int:
        """Take a random part of what no fsync covered off each file of these folders; how many bytes were not covered.

        Whoever writes them is dead by then, and was under the shim's orders while alive.
        """
        uncovered, synced = 0, self.shim.synced()
        for part in (part for folder in folders for part in folder.rglob("*") if part.is_file()):
            found = part.stat()
            durable = min(found.st_size, synced.get(found.st_ino, self._resting.get(found.st_ino, 0)))
            uncovered += found.st_size - durable
            os.truncate(part, chance.randint(durable, found.st_size))
        return uncovered

    def look(self, *, whole: bool = False) -> Verdict:
        """Hold the store against the journals, while the writers go on."""
        acknowledged = self.acknowledged()
        verdict = self.audit.whole(acknowledged) if whole else self.audit.look(acknowledged)
        verdict.assert_sound()
        self.refuse_odd()
        return verdict

    def row(self, fault: str, rounds: int, since: Mark | None = None, note: str = "") -> Row:
        """What came of a fault, for the table; fails for a look that read as clear, or that is not in the ledger once.

        `since` is when it began, where the rig has known another. The writers go on.
        """
        self.probe.wait(1, "hit")
        self.probe.wait_changed()
        self.drained()
        return self.judged(fault, rounds, self.probe.looks((since or Mark()).looks), since, note)

    def judged(self, fault: str, rounds: int, looks: list[Look], since: Mark | None = None, note: str = "") -> Row:
        """As `row`, of looks that were made some other way and are over."""
        since = since or Mark()
        verdict = self.look(whole=True)
        missing = {look.entry for look in looks if look.entry} - verdict.others
        false_clear = [look for look in looks if look.falsely_clear]
        wrong = [look for look in looks if not look.right]
        assert not missing, f"{len(missing)} looks were answered and are not in the ledger"
        assert not false_clear, false_clear[:3]
        assert not wrong, wrong[:3]
        return Row(
            fault,
            rounds,
            verdict.acknowledged - since.acknowledged,
            len(verdict.lost),
            len(verdict.partial),
            len(verdict.doubled),
            len(looks),
            len(false_clear),
            max((look.took_s for look in looks), default=0.0),
            note,
        )

    def mark(self) -> Mark:
        return Mark(self.total(), self.probe.end())

    def drained(self) -> None:
        """Until what waited in the spool is in the ledger."""
        spool = self.data / "spool"
        self.until(lambda: not any(map(_size, spool.glob("*.spool"))), "an empty spool")

    def ledger_end(self) -> int:
        store = Store(self.url, AREA, self.vault, timeout_s=5)
        try:
            return store.ledger_end()
        finally:
            store.close()

    def stop(self) -> None:
        for program in (*self.programs.values(), self.probe.program, self.probe.changing, self.sealer):
            program.kill()
        self.shim.heal()
        self.ensure()
        self.server.stop(kill=True)


@contextmanager
def running(rig: Rig, *, sealing: bool = False) -> Iterator[Rig]:
    """The rig with store, prober and writers (and sealer) at work."""
    try:
        rig.ensure()
        rig.probe.start()
        if sealing:
            rig.start_sealer()
        rig.load()
        for name in rig.names:
            rig.until(lambda name=name: rig.journals[name].acknowledged() > 0, f"{name} at work")
        yield rig
    finally:
        rig.stop()


def _size(file: Path) -> int:
    with suppress(FileNotFoundError):
        return file.stat().st_size
    return 0
