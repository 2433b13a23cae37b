"""Emulated power loss: what was written and not yet durable goes, at any byte, and nothing that was acknowledged does."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.conftest import size
from tests.faults.rig import Rig, running
from tests.faults.shim import Shim
from tests.faults.table import Row

pytestmark = [pytest.mark.faults, pytest.mark.timeout(0)]

LOSSES = size("LOSSES", 8)
SLOW_DISK_US = 2_000


def cut_to_what_was_durable(rig: Rig, chance: random.Random) -> int:
    """Take a random part of what no fsync had covered off each file of the log; how many bytes had not been covered."""
    uncovered = 0
    for part, durable in rig.log_files().items():
        there = part.stat().st_size
        uncovered += there - durable
        os.truncate(part, chance.randint(durable, there))
    return uncovered


def test_power_lost_at_random_moments(
    tmp_path: Path, chance: random.Random, tell: Callable[[Row], None]
) -> None:
    rig = Rig(tmp_path, Shim(tmp_path, "appendonlydir"))
    # A disk that takes its time: most of the time something is written and not yet durable.
    rig.shim.slow_syncs(SLOW_DISK_US)
    with running(rig, sealing=True):
        uncovered: list[int] = []
        for _ in range(LOSSES):
            rig.wait_for(chance.randint(20, 200))
            rig.kill_store()
            uncovered.append(cut_to_what_was_durable(rig, chance))
            rig.ensure()
            rig.look()
        torn = sum(1 for found in uncovered if found)
        assert torn, "the losses were meant to find bytes that were not durable yet"
        tell(rig.row("power lost", LOSSES, note=f"{torn} of them with bytes not yet durable"))
