"""The spool: what was appended is durable, unreadable, and in the ledger exactly once when the store is back."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis

from markers.ledger import Basis, LedgerEntry, Operation, Via
from markers.spool import Spool, SpoolFailed
from markers.store import Store
from markers.store_errors import StoreUnavailable
from markers.vault import KeyRing, Vault

HAPPENED = datetime(2026, 11, 23, 3, 30, tzinfo=UTC)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(KeyRing.create(tmp_path / "keys"), f"area-{secrets.token_hex(6)}")


@pytest.fixture
def store(store_url: str, vault: Vault) -> Iterator[Store]:
    store = Store(store_url, vault.area, vault)
    yield store
    store.close()


@pytest.fixture
def away(tmp_path: Path, vault: Vault) -> Store:
    """A store that nobody answers for."""
    return Store(f"unix://{tmp_path}/nobody", vault.area, vault)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def spool(folder: Path, vault: Vault) -> Spool:
    return Spool(folder, vault)


def look(number: int) -> LedgerEntry:
    return LedgerEntry(
        entry_id=f"e-{number}",
        at=HAPPENED,
        operation=Operation.CONSULTATION,
        actor_id="a-CANARY-17",
        actor_role="call_handler",
        via=Via.WEB,
        incident=f"CAD-{number}",
        status="could_not_check",
        store=Basis.LAST_KNOWN,
    )


def logged(store: Store) -> list[LedgerEntry]:
    return [LedgerEntry.from_bytes(kept.entry) for kept in store.ledger()]


def only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def late(*numbers: int) -> list[LedgerEntry]:
    return [replace(look(number), late=True) for number in numbers]


def elsewhere(tmp_path: Path, vault: Vault, code: str, *, wait: bool = True) -> subprocess.Popen[str]:
    """Run `code` in another process that has `spool` and `look`; its standard output can be read."""
    script = (
        "import sys; from pathlib import Path; from tests.store.test_spool import look\n"
        "from markers.spool import Spool, SpoolFailed; from markers.vault import KeyRing, Vault\n"
        f"vault = Vault(KeyRing.load(Path({str(tmp_path / 'keys')!r})), {vault.area!r})\n"
        f"spool = Spool(Path({str(tmp_path / 'spool')!r}), vault)\n{code}\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    if wait:
        assert process.wait(30) == 0
    return process


def test_entries_wait_and_then_reach_the_ledger_once_with_their_time(spool: Spool, store: Store, folder: Path) -> None:
    assert spool.pending() == 0
    for number in range(5):
        spool.append(look(number))
    assert spool.pending() == 5
    assert spool.replay(store) == 5
    assert logged(store) == late(0, 1, 2, 3, 4)
    assert (spool.pending(), list(folder.iterdir()), spool.replay(store)) == (0, [], 0)
    spool.append(look(9))
    assert spool.replay(store) == 1
    assert logged(store)[-1:] == late(9)
    assert (spool.torn, spool.damaged) == (0, 0)


def test_what_waits_is_private_and_unreadable(spool: Spool, folder: Path) -> None:
    spool.append(look(1))
    path = only_file(folder)
    assert path.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert b"CANARY" in look(1).canonical()
    assert not [word for word in (b"CANARY", b"CAD-1", b"consultation", b"e-1") if word in path.read_bytes()]


def test_an_append_is_synced_before_it_returns(tmp_path: Path, vault: Vault, store: Store, spool: Spool) -> None:
    trace = tmp_path / "trace"
    process = elsewhere(
        tmp_path,
        vault,
        "import os; real = os.fsync; calls = []\n"
        "os.fsync = lambda fd: (calls.append(os.readlink(f'/proc/self/fd/{fd}')), real(fd))[1]\n"
        "spool.append(look(1)); first = list(calls); spool.append(look(2))\n"
        f"Path({str(trace)!r}).write_text(repr((first, calls[len(first):])))",
    )
    assert process.returncode == 0
    first, second = eval(trace.read_text())  # noqa: S307 - written two lines above
    assert first[0] == str(tmp_path / "spool")
    assert first[1].endswith(".spool")
    assert [first[1]] == second
    assert spool.replay(store) == 2


def test_a_store_that_is_away_leaves_everything_in_the_spool(spool: Spool, away: Store, store: Store) -> None:
    spool.append(look(1))
    spool.append(look(2))
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            spool.replay(away)
        assert spool.pending() == 2
    spool.append(look(3))
    assert spool.replay(store) == 3
    assert sorted(entry.entry_id for entry in logged(store)) == ["e-1", "e-2", "e-3"]


def test_replaying_the_same_file_twice_is_replaying_it_once(spool: Spool, store: Store, folder: Path) -> None:
    """As after a crash between the last acknowledgement and the removal of the file."""
    spool.append(look(1))
    spool.append(look(2))
    path = only_file(folder)
    content = path.read_bytes()
    assert spool.replay(store) == 2
    path.write_bytes(content)
    assert spool.pending() == 2
    assert spool.replay(store) == 2
    assert logged(store) == late(1, 2)


def test_the_store_knows_a_replayed_look_for_a_month(spool: Spool, store: Store, store_url: str) -> None:
    """A file cut short in its replay may wait that long until the store is back for good."""
    spool.append(look(1))
    spool.replay(store)
    client = redis.Redis.from_url(store_url)
    (request,) = client.scan_iter(f"wmo:{{{store.area}}}:request:*")
    assert client.pttl(request) > 29 * 24 * 3600 * 1000
    client.close()


def test_a_tail_torn_at_any_byte_costs_no_whole_entry(spool: Spool, store: Store, folder: Path) -> None:
    spool.append(look(1))
    spool.append(look(2))
    path = only_file(folder)
    whole = path.stat().st_size
    spool.append(look(3))
    spool.close()
    content = path.read_bytes()
    for cut in (*range(whole + 1, len(content), 37), len(content) - 1):
        path.write_bytes(content[:cut])
        fresh = Spool(folder, spool._vault)
        assert fresh.pending() == 2
        assert fresh.replay(store) == 2
        assert (fresh.torn, fresh.damaged, fresh.pending()) == (1, 0, 0)
        assert only_file(folder).suffix == ".kept"
        only_file(folder).unlink()
    assert logged(store) == late(1, 2)


@pytest.mark.parametrize("at", [0, 5, 9, 13, 30, -1])
def test_damage_in_the_middle_costs_only_its_own_entry(spool: Spool, store: Store, folder: Path, at: int) -> None:
    spool.append(look(1))
    path = only_file(folder)
    start = path.stat().st_size
    spool.append(look(2))
    end = path.stat().st_size
    spool.append(look(3))
    content = bytearray(path.read_bytes())
    content[start + at if at >= 0 else end + at] ^= 0x40
    path.write_bytes(content)
    assert spool.pending() == 2
    assert spool.replay(store) == 2
    assert logged(store) == late(1, 3)
    assert (spool.torn, spool.damaged) == (0, 1)
    assert only_file(folder).read_bytes() == content


def test_a_file_of_another_ring_or_name_is_kept_aside(spool: Spool, store: Store, folder: Path, tmp_path: Path) -> None:
    stranger = Spool(folder, Vault(KeyRing.create(tmp_path / "other"), spool._vault.area))
    stranger.append(look(1))
    stranger.append(look(2))
    stranger.close()
    path = only_file(folder)
    path.rename(folder / "1-moved.spool")
    assert spool.replay(store) == 0
    assert spool.damaged == 2
    assert [kept.name for kept in folder.iterdir()] == ["1-moved.kept"]
    assert logged(store) == []


def test_a_living_process_keeps_its_file_and_a_dead_one_loses_it(
    spool: Spool, store: Store, tmp_path: Path, vault: Vault
) -> None:
    process = elsewhere(
        tmp_path, vault, "spool.append(look(1)); spool.append(look(2)); print('ready', flush=True); input()", wait=False
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        spool.append(look(3))
        assert spool.pending() == 3
        assert spool.replay(store) == 1
        assert spool.pending() == 2
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert spool.replay(store) == 2
    assert logged(store) == late(3, 1, 2)


def test_processes_append_at_once(spool: Spool, store: Store, tmp_path: Path, vault: Vault) -> None:
    code = "[spool.append(look({base} + n)) for n in range(50)]"
    processes = [elsewhere(tmp_path, vault, code.format(base=base), wait=False) for base in (0, 100, 200)]
    for process in processes:
        assert process.wait(30) == 0
    assert spool.pending() == 150
    assert spool.replay(store) == 150
    assert len({entry.entry_id for entry in logged(store)}) == 150


def test_two_replays_at_once_send_everything_once(spool: Spool, store: Store, folder: Path, vault: Vault) -> None:
    for number in range(30):
        spool.append(look(number))
    child = os.fork()
    if child == 0:
        code = 1
        try:
            Spool(folder, vault).replay(store)
            code = 0
        finally:
            os._exit(code)
    spool.replay(store)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    spool.replay(store)
    assert logged(store) == late(*range(30))


def test_a_forked_child_writes_a_file_of_its_own(spool: Spool, store: Store, folder: Path) -> None:
    spool.append(look(1))
    child = os.fork()
    if child == 0:
        code = 1
        try:
            spool.append(look(2))
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    spool.append(look(3))
    assert len(list(folder.iterdir())) == 2
    assert spool.replay(store) == 3
    assert {entry.entry_id for entry in logged(store)} == {"e-1", "e-2", "e-3"}


def test_a_full_spool_fails_and_keeps_what_it_has(folder: Path, vault: Vault, store: Store) -> None:
    before = Spool(folder, vault)
    before.append(look(1))
    spool = Spool(folder, vault, max_bytes=4 * only_file(folder).stat().st_size + 10)
    before.close()
    kept = 4
    for number in range(2, kept + 1):
        spool.append(look(number))
    with pytest.raises(SpoolFailed, match="full"):
        spool.append(look(5))
    assert spool.pending() == kept
    assert spool.replay(store) == kept
    spool.append(look(100))


def test_a_folder_that_is_none_fails_in_words(folder: Path, vault: Vault) -> None:
    folder.write_text("in the way")
    with pytest.raises(SpoolFailed, match="can't be written"):
        Spool(folder, vault).append(look(1))


def test_a_disk_that_takes_no_more_fails_and_keeps_what_it_has(
    spool: Spool, store: Store, tmp_path: Path, vault: Vault
) -> None:
    """The file size limit makes the system write half a frame and then refuse, as a full disk does."""
    process = elsewhere(
        tmp_path,
        vault,
        "import resource\n"
        "spool.append(look(1)); spool.append(look(2))\n"
        "(path,) = spool._folder.iterdir()\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 100, -1))\n"
        "try: spool.append(look(3))\n"
        "except SpoolFailed as failed: print(failed)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))\n"
        "spool.append(look(4))",
    )
    assert process.stdout is not None
    assert "can't be written: File too large" in process.stdout.read()
    assert spool.pending() == 3
    assert spool.replay(store) == 3
    assert {entry.entry_id for entry in logged(store)} == {"e-1", "e-2", "e-4"}
    assert (spool.torn, spool.damaged) == (0, 0)
