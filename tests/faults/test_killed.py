"""kill -9 of the store, of web workers, of the sealer and of who writes, at random moments under load."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Console, free_port
from tests.faults.conftest import size
from tests.faults.rig import MARKED_HOME, Look, Rig
from tests.faults.shim import Shim
from tests.faults.table import Row
from tests.faults.test_console_killed import Caller

pytestmark = [pytest.mark.faults, pytest.mark.timeout(0)]

KILLS = size("KILLS", 20)
WRITES = size("WRITES", 60)
LOOK_EACH = max(1, KILLS // 20)
CALLERS = 2
PARTS = {"sealer": b"overlay.sealing", "worker": b"overlay\0run"}


def children(console: Console, part: str) -> list[int]:
    """Process ids of a part of the running console."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
                words = (process / "cmdline").read_bytes()
            except OSError:
                continue
            if int(parent) == console.pid and PARTS[part] in words:
                found.append(int(process.name))
    return found


def victims(rig: Rig, console: Console) -> dict[str, list[int]]:
    programs = [program.process for program in rig.programs.values()]
    writers = [process.pid for process in programs if process is not None]
    return {"store": [rig.living_store()], "writer": writers, **{part: children(console, part) for part in PARTS}}


def started_again(console: Console) -> bool:
    """As its unit would: a console whose workers end again and again gives up."""
    assert console.process is not None
    if console.process.poll() is None:
        return False
    console.start()
    return True


def served_until(rig: Rig, console: Console, goal: int) -> int:
    """Until that many commits were acknowledged in all; how often the console was started again meanwhile."""
    again = 0

    def there() -> bool:
        nonlocal again
        again += started_again(console)
        return rig.total() >= goal

    rig.until(there, f"{goal} commits")
    return again


def looks(callers: list[Caller]) -> list[Look]:
    """What the callers were told; a refusal showed nothing. Of how long it took only the longest is known."""
    told = []
    for caller in callers:
        for answer in caller.answers:
            status, basis, entry = (str(answer[name]) for name in ("status", "store", "ledger_entry"))
            told.append(Look(caller.slowest_s, status, basis, entry, len(answer["matches"])))  # type: ignore[arg-type]
        told += [Look(caller.slowest_s, "nothing", "", "", 0) for _ in caller.refusals]
    return told


def test_killed_at_random_while_everything_is_at_work(
    tmp_path: Path, chance: random.Random, tell: Callable[[Row], None]
) -> None:
    rig = Rig(tmp_path, Shim(tmp_path, "appendonlydir"))
    console = Console(rig.data, free_port())
    console.start()
    stop = threading.Event()
    token = console.token()
    callers = [Caller(console, token, MARKED_HOME, stop) for _ in range(CALLERS)]
    killed: Counter[str] = Counter()
    try:
        rig.ensure()
        rig.load()
        for caller in callers:
            caller.start()
        rig.living_store()
        again = 0
        for kill in range(KILLS):
            again += served_until(rig, console, rig.total() + chance.randint(1, 2 * WRITES))
            # Each kind in turn first, so that no kind is left out; then as chance has it.
            parts = sorted(victims(rig, console))
            part = parts[kill] if kill < len(parts) else chance.choice(parts)
            while not (living := victims(rig, console)[part]):
                again += started_again(console)
                time.sleep(0.01)
            pid = chance.choice(living)
            os.kill(pid, signal.SIGKILL)
            killed[part] += 1
            if part == "writer":
                rig.restart(pid)
            if part == "store":
                while rig.store_pid in (None, pid):
                    again += started_again(console)
                    time.sleep(0.01)
                again += served_until(rig, console, rig.total() + 1)
            if kill % LOOK_EACH == 0:  # what is lost stays so: many kills are looked at together, and all at the end
                rig.look()
        again += started_again(console)
        console.wait_ready()
        answered = len(callers[0].answers)
        rig.until(lambda: current(callers[0], answered), "a current answer")
        stop.set()
        for caller in callers:
            caller.join(timeout=10)
        rig.drained()
        note = ", ".join(f"{part} {count}" for part, count in sorted(killed.items()))
        note += f"; console gave up and was started again {again}" if again else ""
        tell(rig.judged("killed with -9", KILLS, looks(callers), note=note))
        for program in rig.programs.values():
            program.kill()
        rig.programs.clear()
        end = rig.ledger_end()
        rig.until(lambda: rig.signed() >= end, "a signature over everything")
        console.run("ledger", "export", str(tmp_path / "ledger"))
        held = json.loads(console.run("ledger", "verify", str(tmp_path / "ledger"), "--json", check=False).stdout)
        assert held["holds"], held
        assert held["signed"] >= end
        assert "refused" not in "".join(line for line in console.log().splitlines() if "sealer" in line)
        assert set(killed) == {"store", "worker", "sealer", "writer"}
    finally:
        stop.set()
        console.stop()
        rig.stop()


def current(caller: Caller, after: int) -> bool:
    return any(answer["store"] == "current" for answer in caller.answers[after:])
