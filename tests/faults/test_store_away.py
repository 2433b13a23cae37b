"""A console that starts again while its store is away: it goes on with the snapshot of this machine, and says so."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.conftest import Console, free_port

pytestmark = pytest.mark.faults


def hit_address(console: Console) -> str:
    return next(address for address, expect in console.tries if expect == "hit")


def clear_address(console: Console) -> str:
    return next(address for address, expect in console.tries if expect == "clear")


def check(console: Console, token: str, address: str) -> dict[str, object]:
    reply = requests.post(
        f"{console.url}/api/v1/checks",
        json={"location": {"address": address}},
        headers={"Authorization": f"Bearer {token}"},
        timeout=10,
    )
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


def until(holds: Callable[[], bool], seconds: float = 40) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.2)


def holds_token(console: Console) -> bool:
    """Whether the snapshot has the demonstration's seven accounts, the prover's token and one made since."""
    found = next((console.data / "snapshot").glob("*/manifest"), None)
    if found is None:
        return False
    parts = json.loads(found.read_bytes().partition(b"\n")[2])["parts"]
    return any(part["collection"] == "access" and part["records"] >= 9 for part in parts)


def workers(console: Console) -> list[int]:
    """The web workers: children of the console that run the very same program."""
    own = Path(f"/proc/{console.pid}/cmdline").read_bytes()
    children = Path(f"/proc/{console.pid}/task/{console.pid}/children").read_text().split()
    return [int(pid) for pid in children if Path(f"/proc/{pid}/cmdline").read_bytes() == own]


def answers(console: Console) -> bool:
    try:
        return requests.get(f"{console.url}/healthz", timeout=2).status_code == 200
    except requests.RequestException:
        return False


def ready(console: Console) -> bool:
    try:
        return requests.get(f"{console.url}/readyz", timeout=2).status_code == 200
    except requests.RequestException:
        return False


def in_ledger(console: Console, entry: object) -> list[dict[str, object]]:
    rows = json.loads(console.run("ledger", "search", "--json").stdout)
    return [row for row in rows if row["entry"] == entry]


def test_workers_that_start_while_the_store_is_frozen_answer_from_the_snapshot(own_console: Console) -> None:
    token = own_console.token()
    until(lambda: holds_token(own_console))
    os.kill(own_console.store_pid, signal.SIGSTOP)
    try:
        old = workers(own_console)
        assert len(old) == 2
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        until(lambda: answers(own_console) and not set(old) & set(workers(own_console)))
        hit = check(own_console, token, hit_address(own_console))
        clear = check(own_console, token, clear_address(own_console))
        assert (hit["status"], hit["store"]) == ("could_not_check", "last_known")
        assert hit["matches"]
        assert (clear["status"], clear["store"]) == ("could_not_check", "last_known")
        assert not ready(own_console)
    finally:
        os.kill(own_console.store_pid, signal.SIGCONT)
    until(lambda: ready(own_console))
    until(lambda: check(own_console, token, clear_address(own_console))["status"] == "clear")
    until(lambda: len(in_ledger(own_console, hit["ledger_entry"])) == 1)
    assert in_ledger(own_console, hit["ledger_entry"])[0]["late"] is True
    assert len(in_ledger(own_console, clear["ledger_entry"])) == 1


def test_a_console_whose_store_cannot_start_serves_what_was_last_known(tmp_path: Path) -> None:
    console = Console(tmp_path / "data", free_port())
    console.start()
    token = console.token()
    until(lambda: holds_token(console))
    console.stop()
    log = next((console.data / "store" / "appendonlydir").glob("*.incr.aof"))
    whole = log.read_bytes()
    log.write_bytes(whole + b"\0" * 4096)
    try:
        console.start_unready()
        until(lambda: answers(console))
        answer = check(console, token, hit_address(console))
        assert (answer["status"], answer["store"]) == ("could_not_check", "last_known")
        assert answer["matches"]
        assert not ready(console)
        # In one step: a server that is started again and again must not find half of it, and take that for all.
        (tmp_path / "whole").write_bytes(whole)
        (tmp_path / "whole").replace(log)
        until(lambda: ready(console), 80)
        # Each worker comes back by itself, and either may answer.
        until(lambda: check(console, token, hit_address(console))["status"] == "hit")
    finally:
        console.stop()


def test_a_snapshot_that_is_too_old_is_not_served(tmp_path: Path) -> None:
    console = Console(tmp_path / "data", free_port(), {"OVERLAY_SNAPSHOT_HOURS": "0.000001"})
    console.start()
    until(lambda: next((console.data / "snapshot").glob("*/manifest"), None) is not None)
    console.stop()
    log = next((console.data / "store" / "appendonlydir").glob("*.incr.aof"))
    log.write_bytes(log.read_bytes() + b"\0" * 4096)
    console.start_unready()
    assert console.process is not None
    assert console.process.wait(timeout=60) == 1
    assert "older than the 1e-06 hours allowed" in console.log()
    assert "overlay store repair" in console.log()
