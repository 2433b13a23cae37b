"""A disk that fails or is full, and a system that forks no more: nothing acknowledged is lost, and it is said."""

from __future__ import annotations

import errno
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from markers.store import Store
from markers.store_errors import StoreUnavailable
from tests.conftest import Console, free_port
from tests.faults.conftest import size
from tests.faults.rig import MARKED_HOME, Rig, running
from tests.faults.shim import Shim
from tests.faults.table import Row
from tests.faults.test_killed import children
from tests.faults.test_store_away import check, hit_address, ready, until
from tests.web.conftest import Visitor

pytestmark = [pytest.mark.faults, pytest.mark.timeout(0)]

FAILURES = size("DISK", 1)
NEVER_US = 600_000_000

FAULTS: dict[str, Callable[[Shim, int], None]] = {
    "write of the log: EIO": lambda shim, after: shim.fail_writes(errno.EIO, after=after),
    "write of the log: ENOSPC, torn": lambda shim, after: shim.fail_writes(errno.ENOSPC, torn=True, after=after),
    "fsync of the log: EIO": lambda shim, after: shim.fail_syncs(errno.EIO, after=after),
    "fsync of the log: ENOSPC": lambda shim, after: shim.fail_syncs(errno.ENOSPC, after=after),
}


def test_the_disk_under_the_log_fails_and_comes_back(
    tmp_path: Path, chance: random.Random, tell: Callable[[Row], None]
) -> None:
    rig = Rig(tmp_path, Shim(tmp_path, "appendonlydir"))
    with running(rig):
        for name, order in FAULTS.items():
            began, refused = rig.mark(), rig.shim.refused
            for _ in range(FAILURES):
                rig.wait_for(chance.randint(10, 60))
                order(rig.shim, chance.randint(0, 20))
                assert rig.server.wait_gone(10), "a server that can't write must not go on answering"
                rig.probe.wait(1, "could_not_check")
                # Whoever starts it meanwhile is told, or gets a server that ends at its first write.
                rig.refusal()
                rig.probe.wait(2, "could_not_check")
                rig.shim.heal()
                rig.ensure()
                rig.look()
                rig.probe.wait(1, "hit")
            assert rig.shim.refused >= refused + FAILURES
            tell(rig.row(name, FAILURES, began))


def test_no_fork_no_new_log_and_nothing_lost(
    tmp_path: Path, chance: random.Random, tell: Callable[[Row], None]
) -> None:
    rig = Rig(tmp_path, Shim(tmp_path, "appendonlydir"))
    rounds = max(2, FAILURES)
    with running(rig):
        store = Store(rig.url, rig.vault.area, rig.vault, timeout_s=2)
        for _ in range(rounds):
            rig.shim.fail_forks()
            with pytest.raises(StoreUnavailable):
                store.rewrite_log()
            rig.wait_for(chance.randint(20, 60))  # writes go on all the same
            rig.kill_store()
            rig.ensure()
            rig.look()
            rig.shim.heal()
            logs = {part.name for part in rig.logs.iterdir()}
            rig.until(lambda: _rewritten(store), "the log to be written anew")
            rig.until(lambda logs=logs: not logs & {p.name for p in rig.logs.glob("*.aof")}, "the old log to go")
            rig.look()
        assert rig.shim.refused >= rounds
        store.close()
        tell(rig.row("no fork", rounds, note="writes go on; the log is written anew once it can be"))


def test_no_fork_for_a_web_worker_that_died(tmp_path: Path) -> None:
    """The other one goes on alone; the dead one is replaced when a process can be started again."""
    shim = Shim(tmp_path, "nothing")
    console = Console(tmp_path / "data", free_port(), shim.environment)
    console.start()
    try:
        token, before = console.token(), children(console, "worker")
        assert len(before) == 2
        shim.fail_forks()
        refused = shim.refused
        os.kill(before[0], signal.SIGKILL)
        until(lambda: "worker_not_started" in console.log())
        for _ in range(20):
            assert check(console, token, hit_address(console))["status"] == "hit"
        files = len(os.listdir(f"/proc/{console.pid}/fd"))
        tried = shim.refused
        assert tried > refused
        until(lambda: shim.refused > tried + 5)
        assert len(os.listdir(f"/proc/{console.pid}/fd")) < files + 5, "each try leaves nothing open"
        assert children(console, "worker") == before[1:]
        shim.heal()
        until(lambda: len(two_of(console)) == 2)
        until(lambda: ready(console))
        shim.fail_forks()
        os.kill(before[1], signal.SIGKILL)
        until(lambda: console.log().count("worker_not_started") == 2)
        assert console.stop() == 0, "asked to stop while it waits"
    finally:
        console.stop()


def test_a_worker_whose_checks_wait_for_good_is_replaced(tmp_path: Path) -> None:
    """Nothing comes back from the disk under the spool while the store is away: of all that hangs, the worst to see."""
    shim = Shim(tmp_path, "/spool/")
    console = Console(tmp_path / "data", free_port(), shim.environment)
    console.start()
    try:
        until(lambda: ready(console))
        token, before, store = console.token(), two_of(console), console.store_pid
        os.kill(store, signal.SIGSTOP)
        shim.slow_syncs(NEVER_US)
        with pytest.raises(requests.Timeout):
            check(console, token, hit_address(console))
        until(lambda: "worker_hung" in console.log(), 90)
        shim.slow_syncs(0)
        os.kill(store, signal.SIGCONT)
        until(lambda: len(two_of(console)) == 2 and two_of(console) != before)
        until(lambda: ready(console))
        for _ in range(20):
            assert check(console, token, hit_address(console))["status"] == "hit"
    finally:
        shim.slow_syncs(0)
        os.kill(console.store_pid, signal.SIGCONT)
        console.stop()


def two_of(console: Console) -> set[int]:
    """The web workers that are there twice in a row: not one that is forked to see whether that can be done."""
    first = set(children(console, "worker"))
    time.sleep(0.1)
    return first & set(children(console, "worker"))


def _rewritten(store: Store) -> bool:
    try:
        return store.rewrite_log()
    except StoreUnavailable:
        return False


def test_where_nothing_can_be_logged_nothing_is_shown(
    tmp_path: Path, chance: random.Random, tell: Callable[[Row], None]
) -> None:
    """The store is gone and the spool's disk fails or is full."""
    rig = Rig(tmp_path, Shim(tmp_path, "appendonlydir"))
    spool = Shim(tmp_path, "/spool/")
    rig.probe.program.environment |= spool.environment
    orders = [
        lambda: spool.fail_writes(errno.ENOSPC, torn=True, after=chance.randint(0, 3)),
        lambda: spool.fail_writes(errno.EIO, after=chance.randint(0, 3)),
        lambda: spool.fail_syncs(errno.EIO, after=chance.randint(0, 3)),
        lambda: spool.fail_syncs(errno.ENOSPC, after=chance.randint(0, 3)),
    ]
    with running(rig):
        for order in orders * FAILURES:
            rig.kill_store()
            rig.probe.wait(2, "could_not_check")
            order()
            shown = rig.probe.wait(3, "nothing")
            assert all(look.matches == 0 for look in shown if look.status == "nothing")
            spool.heal()
            rig.probe.wait(2, "could_not_check")
            rig.ensure()
            rig.probe.wait(1, "hit")
            rig.look()
        assert spool.refused >= len(orders) * FAILURES
        tell(rig.row("store gone, spool failing or full", len(orders) * FAILURES, note="nothing is shown"))


def test_page_and_api_say_that_nothing_is_shown(tmp_path: Path) -> None:
    spool = Shim(tmp_path, "/spool/")
    console = Console(tmp_path / "data", free_port(), spool.environment)
    console.start()
    try:
        handler = Visitor(console.url)
        handler.sign_in(*console.accounts["call_handler"])
        handler.get("/")
        bearer = {"Authorization": f"Bearer {console.token()}"}
        asked = {"location": {"address": MARKED_HOME}}
        spool.fail_writes(errno.ENOSPC)
        os.kill(console.store_pid, signal.SIGSTOP)
        try:
            told = requests.post(f"{console.url}/api/v1/checks", json=asked, headers=bearer, timeout=10)
            page = handler.post("/check", {"location": MARKED_HOME})
        finally:
            os.kill(console.store_pid, signal.SIGCONT)
        assert (told.status_code, page.status_code) == (503, 503)
        assert told.headers["Content-Type"] == "application/problem+json"
        for said in (told.text, page.text):
            assert "could not check: treat as unknown" in said.lower()
            assert "so nothing is shown" in said
        assert "matches" not in told.json()
        assert spool.refused >= 2
        spool.heal()
        again = requests.post(f"{console.url}/api/v1/checks", json=asked, headers=bearer, timeout=10).json()
        assert again["status"] == "hit"
    finally:
        console.stop()
