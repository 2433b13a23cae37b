"""Emulated power loss: what was written and not yet durable goes, from any byte on, and nothing acknowledged does."""

from __future__ import annotations

import os
import random
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from markers.store import Store
from tests.faults.conftest import size
from tests.faults.rig import Rig, running
from tests.faults.shim import Shim
from tests.faults.table import Row

pytestmark = [pytest.mark.faults, pytest.mark.timeout(0)]

LOSSES = size("LOSSES", 8)
SLOW_DISK_US = 2_000


def test_the_emulation_sees_the_loss_where_a_server_answers_too_early(tmp_path: Path) -> None:
    """The same cut under a server that syncs once a second costs what it had acknowledged: the test below can fail."""
    shim = Shim(tmp_path, "appendonlydir")
    with tempfile.TemporaryDirectory(prefix="wmo-") as folder:
        place = Path(folder)
        settings = ["--port", "0", "--unixsocket", f"{place}/s", "--dir", str(place), "--save", ""]
        command = [str(shim.server_program()), *settings, "--appendonly", "yes", "--appendfsync", "everysec"]
        acknowledged = 0
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            with connected(place / "s") as store:
                until = time.monotonic() + 1.5
                while time.monotonic() < until:
                    acknowledged = store.incr("n")
            process.kill()
        synced = shim.synced()
        for part in (place / "appendonlydir").iterdir():
            os.truncate(part, min(part.stat().st_size, synced.get(part.stat().st_ino, 0)))
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            with connected(place / "s") as store:
                assert 0 < int(store.get("n")) < acknowledged
            process.kill()


def connected(path: Path) -> redis.Redis:
    client = redis.Redis(unix_socket_path=str(path), socket_timeout=5, retry=Retry(NoBackoff(), 0))
    until = time.monotonic() + 10
    while True:
        try:
            client.ping()
        except redis.RedisError:
            assert time.monotonic() < until, "the server does not answer"
            time.sleep(0.01)
        else:
            return client


def test_power_lost_at_random_moments(tmp_path: Path, chance: random.Random, tell: Callable[[Row], None]) -> None:
    rig = Rig(tmp_path, Shim(tmp_path, "appendonlydir"))
    # A disk that takes its time: most of the time something is written and not yet durable.
    rig.shim.slow_syncs(SLOW_DISK_US)
    for program in (rig.probe.program, rig.sealer):
        program.environment |= rig.shim.environment
    with running(rig, sealing=True):
        store = Store(rig.url, rig.vault.area, rig.vault, timeout_s=2)
        uncovered: list[int] = []
        for loss in range(LOSSES):
            rig.wait_for(chance.randint(20, 200))
            if chance.random() < 0.3:
                store.rewrite_log()
                time.sleep(chance.uniform(0, 0.02))
            rig.kill_store()
            # Looks made meanwhile wait in the spool, and at times all that syncs goes down with the store.
            everything = loss % 4 == 3
            lost = [rig.logs]
            if everything:
                rig.probe.wait(2, "could_not_check")
                rig.probe.program.kill()
                rig.sealer.kill()
                lost += [rig.data / "spool", rig.data / "anchors"]
            uncovered.append(rig.lose_power(chance, *lost))
            rig.ensure()
            if everything:
                rig.start_sealer()
                rig.probe.start()
            rig.look()
        end = rig.ledger_end()
        rig.until(lambda: rig.signed() >= end, "a signature over everything")
        torn = sum(1 for found in uncovered if found)
        assert torn, "the losses were meant to find bytes that were not durable yet"
        tell(rig.row("power lost", LOSSES, note=f"{torn} of them with bytes not yet durable"))
