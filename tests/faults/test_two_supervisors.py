"""Two programs that keep the store of one folder going: there is one store, whatever becomes of it."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.conftest import size
from tests.faults.rig import Program, Rig, running
from tests.faults.shim import Shim
from tests.faults.table import Row

pytestmark = [pytest.mark.faults, pytest.mark.timeout(0)]

KILLS = size("SUPERVISED", 5)


def starts(rig: Rig) -> int:
    """How many servers ever began to serve the folder."""
    return (rig.data / "store" / "server.log").read_text().count("Ready to accept connections")


def test_the_store_is_killed_under_two_supervisors(
    tmp_path: Path, chance: random.Random, tell: Callable[[Row], None]
) -> None:
    rig = Rig(tmp_path, Shim(tmp_path, "appendonlydir"))
    supervisors = [
        Program(["tests.faults.supervisor", str(rig.data / "store")], {}, tmp_path / f"supervisor{at}.log")
        for at in range(2)
    ]
    with running(rig):
        before = starts(rig)
        try:
            for supervisor in supervisors:
                supervisor.start()
            for kill in range(KILLS):
                rig.wait_for(chance.randint(20, 100))
                dead = rig.living_store()
                os.kill(dead, signal.SIGKILL)
                rig.living_store(other_than=dead)
                rig.probe.wait(1, "hit")
                rig.look()
                assert starts(rig) == before + kill + 1
                assert all(supervisor.running for supervisor in supervisors)
        finally:
            for supervisor in supervisors:
                supervisor.kill()
        tell(rig.row("killed under two supervisors", KILLS, note="one store at any time"))
