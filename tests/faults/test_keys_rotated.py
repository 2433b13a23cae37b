"""The key changes while real workers serve, and the command is killed at random: no look is lost, no answer wrong."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest
import requests

from markers.commits import Commit
from markers.sealed import SealedStore
from markers.server import EmbeddedServer
from markers.store import Store
from markers.vault import KeyRing, Vault
from tests.conftest import Console
from tests.faults.conftest import size
from tests.faults.test_console_killed import Caller, hit_address

pytestmark = [pytest.mark.faults, pytest.mark.timeout(0)]

KILLS = size("ROTATIONS", 2)
FILLED = 3_000


def rotate_and_kill(console: Console, after_s: float) -> bool:
    """Whether the kill came before the command had ended."""
    process = subprocess.Popen(
        [sys.executable, "-m", "overlay", "keys", "rotate"],
        env=console.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=console.data.parent,
    )
    try:
        process.wait(after_s)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False


def test_rotating_and_killed_at_random_while_calls_come_in(own_console: Console) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - pytest shows it with a failure
    chance = random.Random(seed)
    first = KeyRing.load(own_console.data / "keys").current
    vault = Vault(KeyRing.load(own_console.data / "keys"), "quill", own_console.data / "keys")
    server = EmbeddedServer(own_console.data / "store")
    url = server.ensure()
    store = Store(url, "quill", vault, timeout_s=5)
    token = own_console.token()
    template = next(store.ledger()).entry
    for number in range(0, FILLED, 1000):
        store.commit(Commit(f"fill-{number}", {}, (), (template,) * 1000))

    stop = threading.Event()
    clear = next(address for address, expect in own_console.tries if expect == "clear")
    callers = [Caller(own_console, token, hit_address(own_console), stop) for _ in range(2)]
    callers.append(Caller(own_console, token, clear, stop))
    for caller in callers:
        caller.start()
    begun = time.monotonic()
    assert own_console.run("keys", "rotate").returncode == 0
    whole_s = time.monotonic() - begun
    killed = sum(rotate_and_kill(own_console, chance.uniform(whole_s * 0.3, whole_s * 1.1)) for _ in range(KILLS))
    while not killed:  # each of them was over before its time: another is cut off surely
        killed += rotate_and_kill(own_console, whole_s * 0.2)
    done = json.loads(own_console.run("keys", "rotate", "--forget-old", "--json").stdout)
    time.sleep(1)
    stop.set()
    for caller in callers:
        caller.join(timeout=10)
    assert killed >= 1

    *hits, clears = callers
    assert {answer["status"] for caller in hits for answer in caller.answers} == {"hit"}
    assert {answer["status"] for answer in clears.answers} == {"clear"}
    assert {answer["store"] for caller in callers for answer in caller.answers} == {"current"}
    assert not [code for caller in callers for code in caller.refusals]
    assert sum(caller.lost for caller in callers) == 0
    assert min(len(caller.answers) for caller in callers) > 20

    ring = KeyRing.load(own_console.data / "keys")
    assert list(ring.sealing) == [done["key_id"]]
    assert first in done["forgotten"]
    checked = json.loads(own_console.run("keys", "check", "--json").stdout)
    assert checked["unopened"] == []
    assert {row["key"] for row in checked["sealed"]} == {ring.current}
    alone = SealedStore(url, "quill", Vault(ring, "quill"), timeout_s=5)
    kept = [record.entry for record in alone.ledger()]
    assert kept.count(template) == FILLED + 1
    assert {answer["ledger_entry"] for caller in callers for answer in caller.answers} <= {
        json.loads(entry)["entry_id"] for entry in kept
    }
    # The workers have learnt the key that seals now: the old ones are gone.
    reply = requests.post(
        f"{own_console.url}/api/v1/checks",
        json={"location": {"address": hit_address(own_console)}},
        headers={"Authorization": f"Bearer {token}"},
        timeout=5,
    )
    assert reply.json()["status"] == "hit"
    alone.close()
    store.close()
    server.release()
