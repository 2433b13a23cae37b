"""Shared by every kind of test: a clock value, and a whole running console on a free port."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
import requests

from overlay import identity, quillmarket
from overlay.demo import DEMO_PASSWORD
from overlay.services import running as services_running
from overlay.settings import Settings

TRIES = tuple((example.address, example.expect) for example in quillmarket.build().tries)
REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


MANY_REQUESTS = {"OVERLAY_REQUESTS_PER_MINUTE": "1000000"}  # all tests ask from one address


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@cache
def laid_out() -> Path:
    """The data folder of a demonstration that was started once and stopped: most tests need not wait for that."""
    below = Path(tempfile.mkdtemp(prefix="overlay-demo-"))
    atexit.register(shutil.rmtree, below, ignore_errors=True)
    first = Console(below / "first", free_port())
    first.data.mkdir(mode=0o700)
    first.start()
    first.wait_signed()
    first.stop()
    return first.data


@dataclass
class Console:
    """A real `overlay run --demo` in a process of its own."""

    data: Path
    port: int
    extra: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    at_a_terminal: bool = False
    """In a process group of its own, which a test may interrupt as a whole."""

    @property
    def url(self) -> str:
        scheme = "https" if "OVERLAY_TLS_CERT" in self.extra else "http"
        return f"{scheme}://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def store_pid(self) -> int:
        import json

        return int(json.loads((self.data / "store" / "server.json").read_text())["pid"])

    @property
    def accounts(self) -> dict[str, tuple[str, str]]:
        return {role: (username, DEMO_PASSWORD) for username, _, role in quillmarket.DEMO_ACCOUNTS}

    @property
    def tries(self) -> list[tuple[str, str]]:
        return list(TRIES)

    def part(self, name: str) -> int | None:
        """The process of a part of this console (`overlay.proving`), None while there is none."""
        command = ["-m", name, str(self.pid)]
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue  # it has just ended
            if words[1:4] == command:
                return int(path.parent.name)
        return None

    def environment(self) -> dict[str, str]:
        own = {"OVERLAY_DATA": str(self.data), "OVERLAY_PORT": str(self.port)}
        return {**os.environ, **MANY_REQUESTS, **own, **self.extra}

    def start(self) -> None:
        """Start it; on a folder that is not there yet, over the demonstration as it was laid out once."""
        if not self.data.exists():
            shutil.copytree(laid_out(), self.data)
        self.start_unready()
        self.wait_ready()

    def start_unready(self) -> None:
        """Start it without waiting until it can answer a check from a current store."""
        log = (self.data.parent / f"{self.data.name}.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "overlay", "run", "--demo"],
            env=self.environment(),
            stdout=log,
            stderr=log,
            cwd=self.data.parent,
            start_new_session=self.at_a_terminal,
        )

    def wait_ready(self, seconds: float = 60) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            assert self.process is None or self.process.poll() is None, self.log()
            try:
                if requests.get(f"{self.url}/readyz", timeout=1).status_code == 200:
                    return
            except requests.RequestException:
                pass
            time.sleep(0.1)
        raise AssertionError(f"the console did not become ready:\n{self.log()}")

    def wait_signed(self, seconds: float = 60) -> None:
        """The sealer has its key, and has anchored what it signed."""
        until = time.monotonic() + seconds
        while not any((self.data / "anchors").glob("*/*.txt")):
            assert time.monotonic() < until, self.log()
            time.sleep(0.05)

    def wait_proved(self, seconds: float = 30) -> None:
        """The first proof of life is over: no more of its checks for a minute."""
        until = time.monotonic() + seconds
        state = self.data / "proof" / "state.json"
        while not (state.exists() and '"proved"' in state.read_text()):
            assert time.monotonic() < until, self.log()
            time.sleep(0.05)

    def log(self) -> str:
        return (self.data.parent / f"{self.data.name}.log").read_text(errors="replace")

    def stop(self) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=30)

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """The `overlay` command on the same folder."""
        done = subprocess.run(
            [sys.executable, "-m", "overlay", *arguments],
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=120,
            cwd=self.data.parent,
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    def token(self, role: str = "service") -> str:
        with services_running(Settings.read(self.environment())) as services:
            made = identity.create_token(services.store, services.access, f"test {role}", role, services.now(), 90)
        time.sleep(0.5)  # every worker has heard of it, even if the store is frozen next
        return made


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """One console for all tests that leave it as they found it."""
    # Tests run on every core at once: a store that is only busy must not look like one that is away.
    running = Console(tmp_path_factory.mktemp("console") / "data", free_port(), {"OVERLAY_STORE_TIMEOUT_S": "2"})
    running.start()
    yield running
    running.stop()


@pytest.fixture
def own_console(tmp_path: Path) -> Iterator[Console]:
    """A console that a test may break."""
    running = Console(tmp_path / "data", free_port())
    running.start()
    yield running
    running.stop()
