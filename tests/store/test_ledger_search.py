"""Who looked at what, read back from a real store."""

from __future__ import annotations

import sqlite3
import stat
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis

from markers.anchors import Anchors
from markers.checkpoints import SigningKey
from markers.commits import Commit
from markers.ledger import LedgerEntry, Operation, RecordSeen, Via
from markers.ledger_index import LedgerIndex
from markers.ledger_search import LedgerSearch
from markers.sealer import Sealer
from markers.store import Store
from markers.vault import KeyRing, Vault

START = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(KeyRing.create(tmp_path / "keys"), "quill")


@pytest.fixture
def store(store_url: str, vault: Vault) -> Iterator[Store]:
    store = Store(store_url, "quill", vault)
    yield store
    store.close()


@pytest.fixture
def index(tmp_path: Path, vault: Vault) -> LedgerIndex:
    return LedgerIndex(tmp_path / "index.sqlite", vault)


@pytest.fixture
def seal(store: Store, tmp_path: Path, index: LedgerIndex) -> Callable[[], bool]:
    """One step of a sealer, which files what it signs."""
    sealer = Sealer(store, SigningKey.create(tmp_path / "keys", "quill"), Anchors(tmp_path / "anchors"), index)
    return lambda: sealer.step(START + timedelta(hours=1))


@pytest.fixture(params=["no index", "an index of all", "an index of some"])
def searched(
    store: Store, vault: Vault, index: LedgerIndex, seal: Callable[[], bool], request: pytest.FixtureRequest
) -> LedgerSearch:
    """Twelve looks: marker m0 to m2 in turn, by two people, for three incidents, a minute apart."""
    for number in range(12):
        if number == 7 and request.param == "an index of some":
            seal()
        entry = LedgerEntry(
            entry_id=str(uuid.uuid4()),
            at=START + timedelta(minutes=number),
            operation=Operation.CONSULTATION,
            actor_id=f"person{number % 2}",
            actor_role="call_handler",
            via=Via.WEB,
            incident=f"CAD-{number % 3}",
            check_id=f"check{number}",
            about=(vault.token("address", f"{number % 4} tallow yard"),),
            records=(RecordSeen(f"m{number % 3}", 1, "premises", ("existence",)),),
        )
        store.commit(Commit(str(uuid.uuid4()), {}, (), (entry.canonical(),)))
    if request.param == "an index of all":
        seal()
    assert index.position(store.identity()) == {"no index": -1, "an index of all": 12}.get(request.param, 7)
    return LedgerSearch(store, None if request.param == "no index" else index)


def sequences(searched: LedgerSearch, **asked: object) -> list[int]:
    return [found.sequence for found in searched.find(**asked)]  # type: ignore[arg-type]


def test_entries_come_newest_first_and_fit_everything_given(searched: LedgerSearch, vault: Vault) -> None:
    assert sequences(searched) == list(range(12, 0, -1))
    assert sequences(searched, marker="m0") == [10, 7, 4, 1]
    assert sequences(searched, actor="person1") == [12, 10, 8, 6, 4, 2]
    assert sequences(searched, marker="m0", actor="person1") == [10, 4]
    assert sequences(searched, incident="CAD-2") == [12, 9, 6, 3]
    assert sequences(searched, check="check6") == [7]
    assert sequences(searched, about=vault.token("address", "3 tallow yard")) == [12, 8, 4]
    assert sequences(searched, about=[vault.token("address", f"{number} tallow yard") for number in (1, 3)]) == [
        *(12, 10, 8, 6, 4, 2),
    ]
    both = {"actor": "person1", "incident": "CAD-1", "about": vault.token("address", "3 tallow yard")}
    assert sequences(searched, **both) == [8]
    assert sequences(searched, marker="m9") == []


def test_a_search_is_bounded_by_time_number_and_place_in_the_ledger(searched: LedgerSearch) -> None:
    assert sequences(searched, limit=3) == [12, 11, 10]
    assert sequences(searched, limit=3, before=10) == [9, 8, 7]
    assert sequences(searched, since=START + timedelta(minutes=9)) == [12, 11, 10]
    assert sequences(searched, until=START + timedelta(minutes=2)) == [2, 1]
    assert sequences(searched, marker="m0", since=START + timedelta(minutes=3), until=START + timedelta(minutes=9)) == [
        7,
        4,
    ]
    assert sequences(searched, actor="person1", before=9, limit=2) == [8, 6]
    assert sequences(searched, actor="person1", since=START + timedelta(minutes=3), before=9) == [8, 6, 4]


def look(number: int, *, check: str, late: bool = False) -> bytes:
    """An entry with the same bytes each time."""
    who = ("person", "call_handler", Via.WEB)
    return LedgerEntry(f"e{number}", START, Operation.CONSULTATION, *who, check_id=check, late=late).canonical()


def put(store: Store, *entries: bytes) -> None:
    for entry in entries:
        store.commit(Commit(str(uuid.uuid4()), {}, (), (entry,)))


def test_two_entries_of_the_same_bytes_are_both_found(
    store: Store, index: LedgerIndex, seal: Callable[[], bool]
) -> None:
    put(store, *[look(1, check="c")] * 3)
    for searching in (LedgerSearch(store), LedgerSearch(store, index)):
        assert sequences(searching, check="c") == [3, 2, 1]
        seal()


def test_a_look_answered_late_is_known_with_an_index_and_without(
    store: Store, index: LedgerIndex, seal: Callable[[], bool]
) -> None:
    put(store, look(1, check="a"), look(2, check="b"), look(3, check="a", late=True))
    searching = LedgerSearch(store, index)
    assert searching.came_late(["a", "b"]) == {"a"}
    seal()
    put(store, look(4, check="b", late=True), look(5, check="d", late=True))
    assert searching.came_late(["a", "b", "c"]) == {"a", "b"}
    assert searching.came_late(["c"]) == set()
    assert LedgerSearch(store).came_late(["a", "b", "c"]) == {"a", "b"}


def test_the_index_is_closed_to_others_and_holds_nothing_readable(
    searched: LedgerSearch, index: LedgerIndex, tmp_path: Path, seal: Callable[[], bool]
) -> None:
    seal()
    for path in tmp_path.glob("index.sqlite*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        content = path.read_bytes()
        assert not any(word in content for word in (b"person", b"CAD-", b"check", b"tallow", b"m0"))


@pytest.mark.parametrize("spoil", ["gone", "empty", "not one", "of another store", "of a longer ledger", "no tables"])
def test_an_index_that_is_missing_or_wrong_costs_time_alone_and_is_made_again(
    store: Store, index: LedgerIndex, seal: Callable[[], bool], tmp_path: Path, spoil: str
) -> None:
    put(store, *(look(number, check=f"c{number % 2}") for number in range(6)))
    seal()
    if spoil in ("gone", "empty", "not one"):
        for path in tmp_path.glob("index.sqlite*"):
            path.unlink()
        if spoil != "gone":
            index.path.write_bytes(b"" if spoil == "empty" else b"x" * 5000)
    else:
        with sqlite3.connect(index.path) as base:
            if spoil == "of another store":
                base.execute("UPDATE kept SET value = 'other' WHERE name = 'store'")
            elif spoil == "of a longer ledger":
                base.execute("UPDATE kept SET value = 99 WHERE name = 'position'")
            else:
                base.execute("DROP TABLE named")
    searching = LedgerSearch(store, index)
    assert sequences(searching, check="c1") == [6, 4, 2]
    assert searching.came_late(["c1"]) == set()
    another = Sealer(store, SigningKey.load(tmp_path / "keys", "quill"), Anchors(tmp_path / "anchors"), index)
    put(store, look(7, check="c1"))
    another.step(START + timedelta(hours=1))
    put(store, look(9, check="c1"))
    another.step(START + timedelta(hours=1))
    assert index.position(store.identity()) == 8
    assert sequences(searching, check="c1") == [8, 7, 6, 4, 2]


def test_a_search_since_a_moment_passes_over_what_was_signed_before(
    store: Store, tmp_path: Path, index: LedgerIndex
) -> None:
    sealer = Sealer(store, SigningKey.create(tmp_path / "keys", "quill"), Anchors(tmp_path / "anchors"), index)
    for hour in range(9):
        at = START + timedelta(hours=hour)
        who = ("person", "call_handler", Via.WEB)
        put(store, LedgerEntry(f"e{hour}", at, Operation.CONSULTATION, *who).canonical())
        sealer.step(at)
    searching = LedgerSearch(store, index)
    read = store.ledger
    asked: list[int] = []
    object.__setattr__(searching, "store", store)
    store.ledger = lambda after=0, limit=None: asked.append(after) or read(after, limit)  # type: ignore[method-assign,func-returns-value,assignment]
    assert sequences(searching, since=START + timedelta(hours=6)) == [9, 8, 7]
    assert min(asked) >= 5
    assert sequences(searching, since=START + timedelta(hours=90)) == []
    assert sequences(searching, since=START - timedelta(hours=1)) == list(range(9, 0, -1))


def test_a_search_in_many_entries_reads_only_those_it_finds(
    store: Store, store_url: str, index: LedgerIndex, seal: Callable[[], bool]
) -> None:
    """Told by how much the server sends: a hundredth, where a scan is sent the whole ledger."""

    def sent() -> int:
        with redis.Redis.from_url(store_url) as client:
            return int(client.info("stats")["total_net_output_bytes"])

    for start in range(0, 20_000, 2_000):
        entries = tuple(look(number, check=f"c{number % 5000}") for number in range(start, start + 2_000))
        store.commit(Commit(str(uuid.uuid4()), {}, (), entries))
    while seal():
        pass
    before = sent()
    assert sequences(LedgerSearch(store, index), check="c7") == [15_008, 10_008, 5_008, 8]
    with_index = sent()
    assert len(sequences(LedgerSearch(store), check="c7")) == 4
    assert with_index - before < (sent() - with_index) / 100
