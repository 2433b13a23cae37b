"""A store that is there and does not answer: the check says so, and nothing is done twice when it wakes."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.conftest import size
from tests.faults.rig import Rig, running
from tests.faults.shim import Shim
from tests.faults.table import Row

pytestmark = [pytest.mark.faults, pytest.mark.timeout(0)]

FREEZES = size("FREEZES", 3)


def test_frozen_at_random_moments(tmp_path: Path, chance: random.Random, tell: Callable[[Row], None]) -> None:
    rig = Rig(tmp_path, Shim(tmp_path, "appendonlydir"), timeout_s=0.2)
    with running(rig, sealing=True):
        for _ in range(FREEZES):
            rig.wait_for(chance.randint(10, 100))
            pid = rig.living_store()
            os.kill(pid, signal.SIGSTOP)
            try:
                rig.probe.wait(2, "could_not_check")
                time.sleep(chance.uniform(0, 0.5))
            finally:
                os.kill(pid, signal.SIGCONT)
            rig.probe.wait(1, "hit")
            rig.look()
        tell(rig.row("store frozen", FREEZES, note="with 0.3 s to wait for the store, asked twice"))
