"""Being asked to stop while checks come in: what was begun is answered, what comes after is refused."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
import requests

from tests.conftest import Console, free_port
from tests.faults.test_killed import children
from tests.faults.test_store_away import hit_address

pytestmark = pytest.mark.faults

SILENT = 8
"""So many callers have said nothing yet when it is asked to stop, and speak half a second later."""


@pytest.fixture
def own_console(tmp_path: Path) -> Iterator[Console]:
    running = Console(tmp_path / "data", free_port(), at_a_terminal=True)
    running.start()
    yield running
    running.stop()


@pytest.mark.parametrize(
    ("how", "whom"),
    [(signal.SIGINT, os.kill), (signal.SIGTERM, os.kill), (signal.SIGINT, os.killpg)],
    ids=["interrupted", "asked to end", "Ctrl-C in a terminal"],
)
def test_checks_that_were_begun_are_answered(
    own_console: Console, how: signal.Signals, whom: Callable[[int, int], None]
) -> None:
    token = own_console.token()
    ended: Counter[str] = Counter()
    last: Counter[str] = Counter()
    ready: list[tuple[int, str]] = []
    over = threading.Event()
    address = hit_address(own_console)
    answered: set[str] = set()
    numbers = count(1)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def check_on(line: http.client.HTTPConnection) -> None:
        incident = f"STOP-{next(numbers)}"
        body = json.dumps({"location": {"address": address}, "incident": {"reference": incident, "type": "other"}})
        try:
            line.request("POST", "/api/v1/checks", body, headers)
            reply = line.getresponse()
            status = json.loads(reply.read())["status"] if reply.status == 200 else str(reply.status)
            ended[status] += 1
            answered.add(incident)
            last[reply.getheader("Connection", "")] += 1
        except (OSError, http.client.HTTPException):
            ended["cut off"] += 1
            line.close()

    def ask(slowly: bool, keeps: bool) -> None:
        """Checks one after the other: some speak up only long after they were let in, some stay for the next."""
        line: http.client.HTTPConnection | None = None
        while not over.is_set():
            if line is None or line.sock is None:
                line = http.client.HTTPConnection("127.0.0.1", own_console.port, timeout=20)
                try:
                    line.connect()
                except OSError:
                    ended["refused"] += 1
                    time.sleep(0.02)
                    continue
            if slowly:
                time.sleep(random.uniform(0, 1.5))
            check_on(line)
            if not keeps:
                line.close()

    def look() -> None:
        """A load balancer that keeps its connection."""
        with requests.Session() as balancer, suppress(requests.ConnectionError):
            while not over.is_set():
                reply = balancer.get(f"{own_console.url}/readyz", timeout=20)
                ready.append((reply.status_code, reply.headers.get("Connection", "")))
                time.sleep(0.02)

    callers = [
        threading.Thread(target=ask, args=how_they_are)
        for how_they_are in [(False, False)] * 3 + [(True, False)] * 2 + [(False, True)]
    ]
    callers.append(threading.Thread(target=look))
    for caller in callers:
        caller.start()
    time.sleep(1.5)
    assert own_console.process is not None
    assert own_console.pid not in map(os.getpgid, children(own_console, "worker")), "Ctrl-C there is not for them"
    silent = [http.client.HTTPConnection("127.0.0.1", own_console.port, timeout=20) for _ in range(SILENT)]
    for line in silent:
        line.connect()
    whom(own_console.pid, how)
    time.sleep(0.5)
    for line in silent:
        check_on(line)
        line.close()
    own_console.process.wait(timeout=40)
    over.set()
    for caller in callers:
        caller.join(30)
    assert last["close"] > 0, "who stays is told which answer is the last"
    assert ready[0] == (200, "")
    assert ready[-1][1] == "close"
    assert ended["hit"] > 10
    assert ended["refused"] > 0
    assert set(ended) <= {"hit", "refused", "cut off"}, ended
    rows = json.loads(own_console.run("ledger", "search", "--json").stdout)
    begun = {row["incident"] for row in rows if str(row["incident"]).startswith("STOP-")}
    assert begun == answered, "every look that was recorded was answered"
    assert ended["cut off"] == 0, ended
    assert "Stopped" in own_console.log()
