"""The audit of the fault tests sees what they look for: what is lost, half there or there twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

from markers.commits import Commit
from markers.ledger import LedgerEntry
from markers.server import EmbeddedServer
from markers.store import Store
from markers.vault import KeyRing, Vault
from tests.faults.audit import Audit
from tests.faults.load import COLLECTIONS, commit_of
from tests.unit.test_matching import NOW

AREA = "audit"
COMMITS = 40
KEY = f"wmo:{{{AREA}}}:"
LEFT = COLLECTIONS[0]


class Written:
    """A store with the commits of one writer, all of them acknowledged."""

    def __init__(self, url: str, vault: Vault) -> None:
        self.url, self.vault = url, vault
        self.store = Store(url, AREA, vault, timeout_s=2)
        self.raw: Any = redis.Redis.from_url(url)
        for number in range(COMMITS):
            self.store.commit(commit_of("w", number, NOW, vault))

    def entries_of(self, number: int) -> tuple[bytes, ...]:
        return commit_of("w", number, NOW, self.vault).entries


@pytest.fixture
def written(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Iterator[Written]:
    server = EmbeddedServer(tmp_path_factory.mktemp("a") / "s")
    made = Written(server.ensure(), Vault(KeyRing.create(tmp_path / "keys"), AREA))
    yield made
    made.store.close()
    made.raw.close()
    server.stop(kill=True)


def test_what_is_whole_is_sound(written: Written) -> None:
    audit = Audit(written.url, written.vault)
    for verdict in (audit.look({"w": COMMITS}), audit.look({"w": COMMITS}), audit.whole({"w": COMMITS})):
        verdict.assert_sound()
        assert verdict.acknowledged == COMMITS


def test_a_commit_that_was_acknowledged_and_is_not_there_is_lost(written: Written) -> None:
    verdict = Audit(written.url, written.vault).look({"w": COMMITS + 1})
    assert verdict.lost == (f"ledger: w {COMMITS}",)


def test_entries_that_are_there_twice_are_doubled(written: Written) -> None:
    written.store.commit(Commit("asked-anew", {}, (), written.entries_of(COMMITS - 1)))
    verdict = Audit(written.url, written.vault).look({"w": COMMITS})
    assert len(verdict.doubled) == 2


def test_an_entry_of_somebody_else_that_is_there_twice_is_doubled(written: Written) -> None:
    theirs = replace(LedgerEntry.from_bytes(written.entries_of(0)[0]), actor_role="service", entry_id="theirs")
    for number in range(2):
        written.store.commit(Commit(f"other-{number}", {}, (), (theirs.canonical(),)))
    assert len(Audit(written.url, written.vault).look({"w": COMMITS}).doubled) == 1


def drop_record(written: Written) -> None:
    written.raw.hdel(f"{KEY}records:{LEFT}", written.raw.hkeys(f"{KEY}records:{LEFT}")[0])


def drop_token(written: Written) -> None:
    written.raw.hdel(f"{KEY}tokens:{LEFT}", written.raw.hkeys(f"{KEY}tokens:{LEFT}")[0])


def keep_old_token(written: Written) -> None:
    written.raw.hset(f"{KEY}tokens:{LEFT}", "0" * 64, "w-0")


def set_records_alone(written: Written) -> None:
    """The records of a commit without its ledger entries."""
    commit = commit_of("w", COMMITS, NOW, written.vault)
    written.store.commit(replace(commit, entries=()))


def one_of_two_entries(written: Written) -> None:
    commit = commit_of("w", COMMITS, NOW, written.vault)
    written.store.commit(replace(commit, entries=commit.entries[:1]))


def one_of_two_collections(written: Written) -> None:
    commit = commit_of("w", COMMITS, NOW, written.vault)
    written.store.commit(replace(commit, writes=commit.writes[:1]))


@pytest.mark.parametrize(
    "harm",
    [drop_record, drop_token, keep_old_token, set_records_alone, one_of_two_entries, one_of_two_collections],
)
def test_half_a_commit_is_partial(written: Written, harm: Callable[[Written], None]) -> None:
    harm(written)
    assert Audit(written.url, written.vault).look({"w": COMMITS}).partial
