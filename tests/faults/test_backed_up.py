"""A backup while real workers serve and calls come in, put back on another machine: same answers, nothing missing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from markers.commits import Commit
from markers.ledger import LedgerEntry
from markers.server import EmbeddedServer
from markers.store import Store
from markers.vault import KeyRing, Vault
from tests.conftest import Console, free_port
from tests.faults.test_console_killed import Caller, hit_address, ledger

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

FILLED = 20_000


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A console of its own, patient with a store that is only busy, with a ledger that takes a moment to read."""
    running = Console(tmp_path_factory.mktemp("backed-up") / "data", free_port(), {"OVERLAY_STORE_TIMEOUT_S": "2"})
    running.start()
    server = EmbeddedServer(running.data / "store")
    vault = Vault(KeyRing.load(running.data / "keys"), "quill")
    store = Store(server.ensure(), "quill", vault, timeout_s=5)
    template = replace(LedgerEntry.from_bytes(next(store.ledger()).entry), at=datetime.now(UTC), late=True)
    for _ in range(0, FILLED, 1000):
        entries = tuple(replace(template, entry_id=str(uuid.uuid4())).canonical() for _ in range(1000))
        store.commit(Commit(str(uuid.uuid4()), {}, (), entries))
    store.close()
    server.release()  # so that the console, the last to use it, stops it
    yield running
    running.stop()
    assert not server.alive()


def answer(console: Console, token: str, address: str) -> dict[str, Any]:
    """What a check says, without what differs from one to the next."""
    reply = requests.post(
        f"{console.url}/api/v1/checks",
        json={"location": {"address": address}},
        headers={"Authorization": f"Bearer {token}"},
        timeout=10,
    )
    assert reply.status_code == 200, reply.text
    told: dict[str, Any] = reply.json()
    return {name: value for name, value in told.items() if name not in ("check_id", "as_of", "ledger_entry")}


def wait_serving(console: Console) -> None:
    """Until it answers, if only that it can't check."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            if requests.get(f"{console.url}/healthz", timeout=1).status_code == 200:
                return
        except requests.RequestException:
            time.sleep(0.1)
    raise AssertionError(f"the console did not answer:\n{console.log()}")


@contextmanager
def calls(console: Console, token: str) -> Iterator[list[Caller]]:
    """Calls that come in all the while; each is answered from the store as it is."""
    stop = threading.Event()
    clear = next(address for address, expect in console.tries if expect == "clear")
    callers = [Caller(console, token, address, stop) for address in (hit_address(console), clear)]
    for caller in callers:
        caller.start()
    try:
        while not all(caller.answers for caller in callers):
            time.sleep(0.05)
        yield callers
    finally:
        stop.set()
        for caller in callers:
            caller.join(timeout=10)
    for caller, status in zip(callers, ("hit", "clear"), strict=True):
        assert {told["status"] for told in caller.answers} == {status}
        assert {told["store"] for told in caller.answers} == {"current"}
        assert (caller.refusals, caller.lost) == ([], 0)


def test_backed_up_while_serving_and_put_back_on_another_machine(console: Console, tmp_path: Path) -> None:
    token = console.token()
    before = {address: answer(console, token, address) for address, _ in console.tries}
    assert {told["status"] for told in before.values()} == {"hit", "clear", "could_not_check"}
    with calls(console, token) as callers:
        time.sleep(1)
        acknowledged = {str(told["ledger_entry"]) for caller in callers for told in list(caller.answers)}
        told = json.loads(console.run("backup", str(tmp_path / "backup"), "--json").stdout)
        made_during = sum(len(caller.answers) for caller in callers) - len(acknowledged)
    assert made_during > 5
    assert told["ledger"] > FILLED + len(acknowledged)
    assert "A console runs on" in console.run("restore", str(tmp_path / "backup"), check=False).stderr

    other = Console(tmp_path / "other", free_port(), console.extra)
    other.data.mkdir(mode=0o700)
    shutil.copytree(console.data / "keys", other.data / "keys")
    restored = json.loads(other.run("restore", str(tmp_path / "backup"), "--json").stdout)
    assert (restored["fenced"], restored["older"], restored["proved"]) == (True, False, False)
    with (tmp_path / "other.log").open("ab") as log:
        command = [sys.executable, "-m", "overlay", "run"]
        other.process = subprocess.Popen(command, env=other.environment(), stdout=log, stderr=log, cwd=tmp_path)
    try:
        wait_serving(other)
        held = {address: answer(other, token, address) for address, _ in console.tries}
        assert {told["status"] for told in held.values()} == {"could_not_check"}
        accept = ("ledger", "accept", "--sequence", str(told["ledger"]), "--by", "A Supervisor", "--reason", "moved")
        other.run(*accept)
        other.wait_ready()
        assert {address: answer(other, token, address) for address, _ in console.tries} == before
        entries = ledger(other)
        assert acknowledged <= entries.keys()
        apart = json.loads(other.run("ledger", "search", "--actor", "Proof of life", "--json").stdout)
        assert max(row["sequence"] for row in entries.values()) == len(entries) + len(apart)
        assert [row["late"] for row in entries.values() if row["reason"] == "restore"] == [True]
        other.run("ledger", "export", str(tmp_path / "export"))
        found = json.loads(
            other.run(
                *("ledger", "verify", str(tmp_path / "export"), "--json"),
                *("--anchors", str(tmp_path / "backup" / "anchors")),
                check=False,
            ).stdout
        )
        assert found["holds"], found
    finally:
        other.stop()


def test_a_backup_that_is_killed_leaves_the_console_serving_and_is_taken_for_none(
    console: Console, tmp_path: Path
) -> None:
    token = console.token()
    with calls(console, token):
        for number, after_s in enumerate((0.2, 0.6)):
            folder = tmp_path / f"cut-{number}"
            process = subprocess.Popen(
                [sys.executable, "-m", "overlay", "backup", str(folder)],
                env=console.environment(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            until = time.monotonic() + 30
            while not (folder / "ledger.rows").exists():
                assert process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.005)
            time.sleep(after_s)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            if (folder / "manifest.json").exists():
                continue  # it had ended
            assert "cut short" in console.run("backup", str(folder), check=False).stderr
            other = Console(tmp_path / f"other-{number}", free_port())
            other.data.mkdir(mode=0o700)
            shutil.copytree(console.data / "keys", other.data / "keys")
            assert "cut short" in other.run("restore", str(folder), check=False).stderr
        interrupted = subprocess.Popen(
            [sys.executable, "-m", "overlay", "backup", str(tmp_path / "interrupted")],
            env=console.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while not (tmp_path / "interrupted" / "ledger.rows").exists():
            assert interrupted.poll() is None
            time.sleep(0.005)
        interrupted.send_signal(signal.SIGINT)
        _, said = interrupted.communicate(timeout=30)
        assert interrupted.returncode != 0
        assert "Traceback" not in said
        assert not (tmp_path / "interrupted").exists()
