"""The store server and the programs that start it, killed with -9: one server, and nothing acknowledged lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

import markers
from markers.server import EmbeddedServer

pytestmark = pytest.mark.faults

ROOT = Path(markers.__file__).parents[1]
START = """
import sys
from pathlib import Path
from markers.server import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]))
input()
server.ensure()
print(server.pid, server.owned, flush=True)
input()
"""


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """Not started; whatever runs on its folder after the test is stopped."""
    server = EmbeddedServer(tmp_path_factory.mktemp("k") / "store")
    yield server
    server.ensure()
    server.stop(kill=True)


class Program:
    """Another program that, on `go`, makes sure of the folder's server and then goes on living."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", START, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def go(self) -> None:
        assert self.process.stdin
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def said(self) -> tuple[int, bool]:
        assert self.process.stdout
        pid, owned = self.process.stdout.readline().split()
        return int(pid), owned == "True"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, decode_responses=True, socket_timeout=2, retry=Retry(NoBackoff(), 0))


def kill_server(server: EmbeddedServer) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    assert server.wait_gone(5)


def starts_logged(folder: Path) -> int:
    return (folder / "server.log").read_text().count("Valkey is starting")


class Writer(threading.Thread):
    """Appends numbered entries, each with a counter in one transaction, and keeps those that were acknowledged."""

    def __init__(self, url: str, numbers: range) -> None:
        super().__init__()
        self.url, self.numbers = url, numbers
        self.acknowledged: list[int] = []

    def run(self) -> None:
        with client(self.url) as store:
            pair = store.register_script(
                "redis.call('XADD', KEYS[1], '*', 'n', ARGV[1]); return redis.call('INCR', KEYS[2])"
            )
            try:
                for number in self.numbers:
                    pair(keys=["{a}entries", "{a}count"], args=[number])
                    self.acknowledged.append(number)
            except redis.RedisError:
                return


def test_every_acknowledged_entry_survives_the_server_killed_in_mid_write(server: EmbeddedServer) -> None:
    acknowledged: set[int] = set()
    kills = 0
    while len(acknowledged) < 1000:
        first = 10_000 * kills
        writer = Writer(server.ensure(), range(first, first + 10_000))
        writer.start()
        while writer.is_alive() and len(writer.acknowledged) < 250:
            time.sleep(0.001)
        kill_server(server)
        kills += 1
        writer.join(10)
        assert not writer.is_alive()
        assert 250 <= len(writer.acknowledged) < 10_000, "the kill was meant to come while it was writing"
        acknowledged.update(writer.acknowledged)
        with client(server.ensure()) as store:
            kept = [int(fields["n"]) for _, fields in store.xrange("{a}entries")]
            assert acknowledged <= set(kept)
            assert len(kept) - len(acknowledged) <= kills, "at most the one entry in flight at each kill"
            assert len(set(kept)) == len(kept)
            assert store.get("{a}count") == str(len(kept)), "entry and counter are one transaction"
    assert kills >= 2


def test_a_server_whose_program_was_killed_is_attached_to_not_doubled(server: EmbeddedServer) -> None:
    program = Program(server.folder)
    program.go()
    pid, owned = program.said()
    assert owned
    program.kill()
    url = server.ensure()
    assert (server.pid, server.owned) == (pid, False)
    other = Program(server.folder)
    try:
        other.go()
        assert other.said() == (pid, False)
    finally:
        other.kill()
    assert starts_logged(server.folder) == 1
    with client(url) as store:
        assert store.info("server")["process_id"] == pid
    server.stop()
    assert not server.alive()


def test_ten_programs_that_find_the_server_killed_start_one(server: EmbeddedServer) -> None:
    url = server.ensure()
    with client(url) as store:
        store.set("kept", "yes")
    programs = [Program(server.folder) for _ in range(10)]
    try:
        time.sleep(1)
        kill_server(server)
        assert (server.folder / "store.sock").exists(), "a killed server leaves its socket behind"
        for program in programs:
            program.go()
        said = [program.said() for program in programs]
    finally:
        for program in programs:
            program.kill()
    assert len({pid for pid, _ in said}) == 1
    assert [owned for _, owned in said].count(True) == 1
    assert starts_logged(server.folder) == 2
    with client(server.ensure()) as store:
        assert store.get("kept") == "yes"
    assert server.pid == said[0][0]


@pytest.mark.parametrize("after_s", [0.0, 0.005, 0.01, 0.02, 0.04, 0.08])
def test_a_program_killed_while_it_starts_the_server_leaves_at_most_one(server: EmbeddedServer, after_s: float) -> None:
    program = Program(server.folder)
    assert program.process.stdin
    time.sleep(0.5)
    program.go()
    time.sleep(after_s)
    program.kill()
    with client(server.ensure()) as store:
        assert store.ping()
        pid = store.info("server")["process_id"]
    log = (server.folder / "server.log").read_text()
    assert server.pid == pid
    assert log.count("Ready to accept connections") == 1


def test_a_server_killed_while_it_rewrites_its_log_loses_nothing(server: EmbeddedServer) -> None:
    """The child that rewrites inherits the lock: no second server may start before it is gone as well."""
    with client(server.ensure()) as store:
        for part in range(60):
            with store.pipeline(transaction=False) as batch:
                for number in range(1000):
                    batch.set(f"k{part}-{number}", "x" * 500)
                batch.execute()
        store.bgrewriteaof()
        deadline = time.monotonic() + 5
        while not store.info("persistence")["aof_rewrite_in_progress"] and time.monotonic() < deadline:
            time.sleep(0.001)
        assert store.info("persistence")["aof_rewrite_in_progress"]
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
    began = time.monotonic()
    with client(server.ensure()) as store:
        assert store.dbsize() == 60_000
    assert time.monotonic() - began < 15
    assert starts_logged(server.folder) == 2


def test_the_end_of_a_server_is_noticed_by_whoever_uses_it(server: EmbeddedServer) -> None:
    server.ensure()
    second = EmbeddedServer(server.folder)
    second.ensure()
    assert not second.wait_gone(0.1)
    assert second.pid is not None
    os.kill(second.pid, signal.SIGKILL)
    assert second.wait_gone(5)
    assert server.wait_gone(5)
    assert not second.alive()
