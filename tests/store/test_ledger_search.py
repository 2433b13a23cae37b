"""Who looked at what, read back from a real store."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from markers.ledger import LedgerEntry, Operation, RecordSeen, Via
from markers.ledger_search import LedgerSearch
from markers.store import Commit, Store
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
def searched(store: Store, vault: Vault) -> LedgerSearch:
    """Twelve looks: marker m0 to m2 in turn, by two people, for three incidents, a minute apart."""
    for number in range(12):
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
    return LedgerSearch(store)


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
