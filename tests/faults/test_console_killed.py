"""kill -9 of store, console and both while checks run: nothing acknowledged is lost, nothing reads as clear."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from markers.server import EmbeddedServer
from tests.conftest import Console, free_port
from tests.faults.fleet_writers import say

pytestmark = pytest.mark.faults

_BETWEEN_S = 0.02
"""A call handler's pause, for the machine's sake: without it two of them keep a core busy."""


@dataclass
class Caller(threading.Thread):
    """Asks about a marked home over and over and keeps every answer."""

    console: Console
    token: str
    address: str
    stop: threading.Event
    answers: list[dict[str, object]] = field(default_factory=list)
    refusals: list[int] = field(default_factory=list)
    lost: int = 0
    slowest_s: float = 0.0

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        headers = {"Authorization": f"Bearer {self.token}"}
        while not self.stop.is_set():
            try:
                reply = requests.post(
                    f"{self.console.url}/api/v1/checks",
                    json={"location": {"address": self.address}},
                    headers=headers,
                    timeout=5,
                )
            except requests.RequestException:
                self.lost += 1
                time.sleep(0.05)
                continue
            self.slowest_s = max(self.slowest_s, reply.elapsed.total_seconds())
            if reply.status_code == 200:
                self.answers.append(reply.json())
            else:
                self.refusals.append(reply.status_code)
            self.stop.wait(_BETWEEN_S)


def ledger(console: Console) -> dict[str, dict[str, object]]:
    rows = json.loads(console.run("ledger", "search", "--json").stdout)
    assert len({row["sequence"] for row in rows}) == len(rows)
    assert len({row["entry"] for row in rows}) == len(rows)
    return {row["entry"]: row for row in rows}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """One console for all of them, for each of them brings it back."""
    running = Console(tmp_path_factory.mktemp("killed") / "data", free_port())
    running.start()
    yield running
    running.stop()


@pytest.fixture
def own_console(kept: Console) -> Console:
    if kept.process is None or kept.process.poll() is not None:
        kept.start()
    return kept


def hit_address(console: Console) -> str:
    return next(address for address, expect in console.tries if expect == "hit")


def wait_until_silent(console: Console) -> None:
    """The workers of a killed console end by themselves."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            requests.get(f"{console.url}/healthz", timeout=1)
        except requests.ConnectionError:
            return
        time.sleep(0.05)
    raise AssertionError("workers outlived their console")


def call_while(console: Console, seconds: float, break_it) -> list[Caller]:
    stop = threading.Event()
    token = console.token()
    callers = [Caller(console, token, hit_address(console), stop) for _ in range(4)]
    for caller in callers:
        caller.start()
    time.sleep(seconds / 3)
    break_it()
    time.sleep(seconds * 2 / 3)
    stop.set()
    for caller in callers:
        caller.join(timeout=10)
    return callers


def test_store_killed_in_the_middle_of_checks(own_console: Console) -> None:
    first_store = own_console.store_pid
    callers = call_while(own_console, 6, lambda: os.kill(first_store, signal.SIGKILL))
    own_console.wait_ready()
    assert own_console.store_pid != first_store

    answers = [answer for caller in callers for answer in caller.answers]
    statuses = {answer["status"] for answer in answers}
    assert "clear" not in statuses
    assert "hit" in statuses
    assert answers[-1]["store"] == "current"
    assert all(answer["status"] == "could_not_check" for answer in answers if answer["store"] == "last_known")
    assert all(answer["matches"] for answer in answers)
    assert {code for caller in callers for code in caller.refusals} <= {503}

    until = time.monotonic() + 10
    missing = {answer["ledger_entry"] for answer in answers}
    while missing and time.monotonic() < until:
        time.sleep(0.5)
        missing = {answer["ledger_entry"] for answer in answers} - set(ledger(own_console))
    assert not missing, f"{len(missing)} acknowledged answers are not in the ledger"


def test_store_frozen_is_could_not_check_and_the_answer_does_not_wait_for_it(own_console: Console) -> None:
    token = own_console.token()
    os.kill(own_console.store_pid, signal.SIGSTOP)
    try:
        reply = requests.post(
            f"{own_console.url}/api/v1/checks",
            json={"location": {"address": hit_address(own_console)}},
            headers={"Authorization": f"Bearer {token}"},
            timeout=5,
        )
    finally:
        os.kill(own_console.store_pid, signal.SIGCONT)
    assert reply.status_code == 200
    answer = reply.json()
    assert (answer["status"], answer["store"]) == ("could_not_check", "last_known")
    assert answer["matches"]
    say(f"a frozen store: answered after {reply.elapsed.total_seconds():.2f} s")


@pytest.mark.parametrize("victims", ["console", "both"])
def test_console_killed_and_started_again(own_console: Console, tmp_path: Path, victims: str) -> None:
    (tmp_path / "more.csv").write_text(
        'reference,category,address\nEXTRA-1,domestic_abuse_risk,"77 Tallow Yard, EC9A 1AB"\n', encoding="utf-8"
    )
    own_console.run("markers", "import", str(tmp_path / "more.csv"), "--by", "A", "--approved-by", "B")
    token = own_console.token()
    reply = requests.post(
        f"{own_console.url}/api/v1/checks",
        json={"location": {"address": "77 Tallow Yard, EC9A 1AB"}},
        headers={"Authorization": f"Bearer {token}"},
        timeout=5,
    )
    assert reply.json()["status"] == "hit"

    store = own_console.store_pid
    os.kill(own_console.pid, signal.SIGKILL)
    assert own_console.process is not None
    own_console.process.wait()
    wait_until_silent(own_console)
    if victims == "both":
        os.kill(store, signal.SIGKILL)
    own_console.start()

    if victims == "console":
        assert own_console.store_pid == store, "a living store is re-attached to, not doubled"
    assert reply.json()["ledger_entry"] in ledger(own_console)
    again = own_console.run("check", "77 Tallow Yard, EC9A 1AB", "--json")
    assert json.loads(again.stdout)["matches"][0]["reference"] == "EXTRA-1"
    assert own_console.stop() == 0
    assert not EmbeddedServer(own_console.data / "store").alive(), "Ctrl-C stops the store too"
