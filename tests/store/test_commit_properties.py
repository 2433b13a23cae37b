"""Random commits, sent once or more, against a model in plain Python: the store may differ in nothing."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from markers.commits import Commit, Committed, Moved, Write
from markers.store import Store
from markers.store_errors import NotUnique, VersionConflict
from markers.vault import KeyRing, Vault

NAMES = ("m1", "m2", "m3", "m4")
TOKENS = ("aa" * 32, "bb" * 32, "cc" * 32)
COLLECTIONS = ("markers", "access")


@dataclass
class Model:
    """What the store promises, without a store."""

    records: dict[tuple[str, str], tuple[int, bytes, tuple[str, ...]]] = field(default_factory=dict)
    changed: dict[str, list[tuple[str, int]]] = field(default_factory=lambda: {name: [] for name in COLLECTIONS})
    ledger: list[bytes] = field(default_factory=list)
    answered: dict[str, Committed] = field(default_factory=dict)

    def version(self, collection: str, record_id: str) -> int:
        return self.records.get((collection, record_id), (0, b"", ()))[0]

    def position(self, collection: str) -> int:
        return len(self.changed[collection])

    def since(self, collection: str, after: int) -> dict[str, tuple[int, bytes | None]]:
        newest = dict(self.changed[collection][after:])
        kept = {record_id: self.records.get((collection, record_id)) for record_id in newest}
        return {name: (now[0], now[1]) if (now := kept[name]) else (newest[name], None) for name in newest}

    def commit(self, commit: Commit) -> object:
        """A `Committed`, or what kind of refusal it is."""
        if commit.request_id in self.answered:
            return replace(self.answered[commit.request_id], repeated=True)
        behind = {name: after for name, after in commit.expect.items() if after < self.position(name)}
        if behind:
            return {name: (self.position(name), self.since(name, after)) for name, after in behind.items()}
        for write in commit.writes:
            if (found := self.version(write.collection, write.record_id)) != write.expected_version:
                return ("version", write.collection, write.record_id, found)
        after = dict(self.records)
        for write in commit.writes:
            after.pop((write.collection, write.record_id), None)
        holders = {(name, token): holder for (name, holder), kept in after.items() for token in kept[2]}
        for write in commit.writes:
            for token in write.tokens:
                if (write.collection, token) in holders:
                    return ("taken", token, holders[write.collection, token])
        for write in commit.writes:
            version = write.expected_version + 1
            if write.plain is not None:
                after[write.collection, write.record_id] = (version, write.plain, write.tokens)
            self.changed[write.collection].append((write.record_id, version))
        self.records = after
        first = len(self.ledger) + 1
        self.ledger += commit.entries
        positions = {write.collection: self.position(write.collection) for write in commit.writes}
        done = Committed(positions, tuple(range(first, len(self.ledger) + 1)))
        if commit.writes or commit.entries:
            self.answered[commit.request_id] = done
        return done


def sent(store: Store, commit: Commit) -> object:
    """The store's answer in the model's words."""
    try:
        answer = store.commit(commit)
    except VersionConflict as refused:
        return ("version", refused.collection, refused.record_id, refused.found)
    except NotUnique as refused:
        return ("taken", refused.token, refused.holder)
    if isinstance(answer, Moved):
        return {
            name: (moved.position, {seen.record_id: (seen.version, seen.plain) for seen in moved.records})
            for name, moved in answer.changes.items()
        }
    return answer


@st.composite
def commits(draw: st.DrawFn, model: Model, number: int) -> Commit:
    targets = draw(
        st.lists(st.tuples(st.sampled_from(COLLECTIONS), st.sampled_from(NAMES)), max_size=4, unique=True),
    )
    free = {name: list(TOKENS) for name in COLLECTIONS}
    writes = []
    for collection, record_id in targets:
        version = model.version(collection, record_id) if draw(st.integers(0, 5)) else draw(st.integers(0, 3))
        if version and draw(st.integers(0, 2)) == 0:
            writes.append(Write(collection, record_id, version, None))
            continue
        tokens = draw(st.lists(st.sampled_from(free[collection]), max_size=2, unique=True)) if free[collection] else []
        free[collection] = [token for token in free[collection] if token not in tokens]
        writes.append(Write(collection, record_id, version, draw(st.binary(max_size=30)), tuple(tokens)))
    expect = {
        name: max(0, model.position(name) - (0 if draw(st.integers(0, 4)) else draw(st.integers(1, 9))))
        for name in draw(st.sets(st.sampled_from(COLLECTIONS)))
    }
    entries = tuple(draw(st.lists(st.binary(max_size=20), max_size=2)))
    return Commit(f"r{number}", expect, tuple(writes), entries)


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    return KeyRing.create(tmp_path_factory.mktemp("keys"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_store_does_what_the_model_does(store_url: str, ring: KeyRing, data: st.DataObject) -> None:
    vault = Vault(ring, f"area-{secrets.token_hex(6)}")
    store = Store(store_url, vault.area, vault, timeout_s=5)
    model = Model()
    past: list[Commit] = []
    for number in range(data.draw(st.integers(1, 25), label="steps")):
        if past and data.draw(st.integers(0, 3)) == 0:
            commit = data.draw(st.sampled_from(past), label="sent again")
        else:
            commit = data.draw(commits(model, number))
            past.append(commit)
        for _ in range(data.draw(st.integers(1, 3), label="times")):
            answer = sent(store, commit)
            event(answer[0] if isinstance(answer, tuple) else type(answer).__name__)
            assert answer == model.commit(commit)
    for name in COLLECTIONS:
        loaded = store.load(name)
        assert loaded.position == model.position(name)
        assert {(name, seen.record_id): (seen.version, seen.plain) for seen in loaded.records} == {
            at: kept[:2] for at, kept in model.records.items() if at[0] == name
        }
        for after in (0, model.position(name) // 2, model.position(name)):
            seen = {record.record_id: (record.version, record.plain) for record in store.changes(name, after).records}
            assert seen == model.since(name, after)
    assert [kept.entry for kept in store.ledger()] == model.ledger
    store.close()
