"""Sealing everything anew: nothing is lost or moved, wherever it is cut off, and nothing old comes back."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis

from markers.commits import Commit, Committed, Write
from markers.key_check import check_keys
from markers.ledger import Basis, LedgerEntry, Operation, Via
from markers.rotation import Rotated, Rotation
from markers.sealed import Kept, SealedStore
from markers.spool import Spool
from markers.store import Store
from markers.store_errors import StoreError, StoreUnavailable
from markers.vault import KeyRing, Vault, VaultError

COLLECTIONS = ("markers", "access")


@dataclass
class Area:
    """An area of its own on the shared server, with its ring on disk."""

    url: str
    name: str
    folder: Path
    spool_folder: Path

    def vault(self) -> Vault:
        return Vault(KeyRing.load(self.folder), self.name, self.folder)

    def store(self, vault: Vault | None = None) -> Store:
        return Store(self.url, self.name, vault or self.vault(), timeout_s=5)

    def rotation(self, kind: type[SealedStore] = SealedStore) -> Rotation:
        vault = self.vault()
        store = kind(self.url, self.name, vault, timeout_s=5)
        return Rotation(store, vault, Spool(self.spool_folder, vault), self.folder)

    def only_current(self) -> Store:
        """What a process sees that has the newest key alone."""
        ring = KeyRing.load(self.folder)
        alone = KeyRing(ring.current, {ring.current: ring.sealing[ring.current]}, ring.token_root)
        return self.store(Vault(alone, self.name))

    def state(self, store: Store) -> Any:
        """Everything the store promises, opened."""
        loaded = {name: store.load(name) for name in COLLECTIONS}
        return (
            {
                name: (found.position, {r.record_id: (r.version, r.plain) for r in found.records})
                for name, found in loaded.items()
            },
            [(kept.sequence, kept.entry) for kept in store.ledger()],
            {name: store.changes(name, 0).position for name in COLLECTIONS},
        )


@pytest.fixture
def area(store_url: str, tmp_path: Path) -> Area:
    KeyRing.create(tmp_path / "keys")
    return Area(store_url, f"area-{secrets.token_hex(6)}", tmp_path / "keys", tmp_path / "spool")


@pytest.fixture
def raw(store_url: str) -> Iterator[Any]:
    client = redis.Redis.from_url(store_url, protocol=2)
    yield client
    client.close()


def fill(store: Store, records: int = 40, entries: int = 60) -> None:
    for name in COLLECTIONS:
        writes = tuple(Write(name, f"r{n}", 0, b"plain %d" % n, (f"{n:064x}",)) for n in range(records))
        store.commit(Commit(f"fill-{name}", {}, writes))
        store.commit(Commit(f"erase-{name}", {}, (Write(name, "r0", 1, None), Write(name, "r1", 1, b"again"))))
    for first in range(0, entries, 1000):
        batch = tuple(b"entry %d" % n for n in range(first, min(entries, first + 1000)))
        store.commit(Commit(f"entries-{first}", {}, (), batch))


def rotate(rotation: Rotation) -> Rotated:
    key_id, resumed = rotation.choose()
    done = rotation.reseal(key_id, rotation.take_over(key_id), lambda _: None, resumed=resumed)
    rotation.finish(key_id)
    return done


def old_bytes(raw: Any, area: Area) -> list[str]:
    """Where anything sealed by another key than the current one lies, found in the server's own bytes."""
    ring = KeyRing.load(area.folder)
    heads = [b"W1" + bytes.fromhex(key_id) for key_id in ring.sealing if key_id != ring.current]
    found = []
    for key in raw.scan_iter(f"wmo:{{{area.name}}}:*"):
        kind = raw.type(key)
        lying = {
            b"hash": lambda k: [*raw.hgetall(k).values()],
            b"stream": lambda k: [part for _, fields in raw.xrange(k) for part in fields.values()],
            b"string": lambda k: [raw.get(k)],
        }[kind](key)
        found += [key.decode() for value in lying if any(head in value for head in heads)]
    return found


@pytest.mark.parametrize("entries", [0, 1, 60, 1700])
def test_everything_is_sealed_anew_and_nothing_moves(area: Area, raw: Any, entries: int) -> None:
    store = area.store()
    fill(store, entries=entries)
    before = area.state(store)
    old = KeyRing.load(area.folder).current
    assert not old_bytes(raw, area)
    done = rotate(area.rotation())
    assert (done.records, done.entries, done.unopened, done.resumed) == (78, entries, 0, False)
    assert done.old_key_ids == (old,)
    assert done.key_id == KeyRing.load(area.folder).current
    assert old_bytes(raw, area) == []
    assert not raw.exists(f"wmo:{{{area.name}}}:ledger:next")
    assert area.state(area.only_current()) == before
    assert area.state(store) == before, "the process that was running all the while reads on"
    store.commit(Commit("more", {}, (Write("markers", "r1", 2, b"after"),), (b"after",)))
    assert old_bytes(raw, area) == []
    assert [kept.entry for kept in area.only_current().ledger(after=entries)] == [b"after"]


def test_rotating_twice_makes_two_keys_and_keeps_the_old_ones(area: Area, raw: Any) -> None:
    fill(area.store())
    before = area.state(area.store())
    first, second = rotate(area.rotation()), rotate(area.rotation())
    assert len({first.key_id, second.key_id, *second.old_key_ids}) == 3
    assert old_bytes(raw, area) == []
    assert area.state(area.only_current()) == before


def test_a_commit_sealed_by_a_key_set_aside_is_sealed_anew_and_done_once(area: Area, raw: Any) -> None:
    late = area.store()
    late.bind()
    unlearning = area.store(Vault(KeyRing.load(area.folder), area.name))
    unlearning.bind()
    rotate(area.rotation())
    commit = Commit("late", {}, (Write("markers", "m1", 0, b"late"),), (b"late",))
    with pytest.raises(StoreUnavailable, match="older than the store's last rotation"):
        unlearning.commit(commit)
    assert late.commit(commit) == Committed({"markers": 1}, (1,))
    assert late.commit(commit) == Committed({"markers": 1}, (1,), repeated=True)
    assert old_bytes(raw, area) == []
    with pytest.raises(StoreUnavailable, match="older"):
        unlearning.commit(Commit("late-2", {}, (Write("markers", "m2", 0, b"late"),)))
    erased = unlearning.commit(Commit("erase", {}, (Write("markers", "m1", 1, None),)))
    assert isinstance(erased, Committed), "what seals nothing needs no key"


class Cut(BaseException):
    """The power goes."""


@pytest.mark.parametrize("reply_lost", [False, True], ids=["before", "after"])
def test_cut_off_at_any_call_it_goes_on_and_ends_the_same(area: Area, raw: Any, reply_lost: bool) -> None:
    store = area.store()
    fill(store, records=3, entries=520)
    left = [0]

    class CutStore(SealedStore):
        def _call(self, *command: Any, **options: Any) -> Any:
            left[0] -= 1
            if left[0] == 0 and not reply_lost:
                raise Cut
            reply = super()._call(*command, **options)
            if left[0] == 0:
                raise Cut
            return reply

    number = 0
    for calls in range(1, 200):
        before = area.state(store)
        left[0] = calls
        try:
            rotate(area.rotation(CutStore))
            break
        except Cut:
            assert area.state(area.store()) == before, "half-way through everything opens"
            store.commit(Commit(f"between-{calls}", {}, (Write("markers", f"n{calls}", 0, b"new"),), (b"between",)))
            before = area.state(store)
            ring = KeyRing.load(area.folder)
            under_way = raw.hexists(f"wmo:{{{area.name}}}:positions", ".rotating") or ring.newest != ring.current
            done = rotate(area.rotation())
            assert done.resumed == under_way
            assert set(KeyRing.load(area.folder).sealing) == {*ring.sealing, done.key_id}
            assert (done.key_id in ring.sealing) == under_way, "no key is made while one waits"
            number += 1
        assert old_bytes(raw, area) == [], calls
        assert not raw.exists(f"wmo:{{{area.name}}}:ledger:next")
        assert raw.hget(f"wmo:{{{area.name}}}:positions", ".rotating") is None
        assert area.state(area.only_current()) == before
    assert number > 15, "every call was cut off once"


def test_writers_and_readers_go_on_while_everything_is_sealed_anew(area: Area, raw: Any) -> None:
    fill(area.store(), records=200, entries=1500)
    stop, written, failures = threading.Event(), [], []

    def write(number: int) -> None:
        store, count = area.store(), 0
        version = 0
        while not stop.is_set():
            entry = b"w%d-%d" % (number, count)
            try:
                store.commit(Commit(entry.decode(), {}, (Write("markers", f"w{number}", version, entry),), (entry,)))
                written.append(entry)
                assert {r.record_id for r in store.load("markers").records} >= {f"w{number}"}
            except BaseException as error:
                failures.append(error)
                return
            version, count = version + 1, count + 1

    writers = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for writer in writers:
        writer.start()
    for _ in range(3):
        rotate(area.rotation())
    stop.set()
    for writer in writers:
        writer.join()
    assert not failures
    assert old_bytes(raw, area) == []
    kept = [record.entry for record in area.only_current().ledger()]
    assert len(kept) == len(set(kept)) == 1500 + len(written)
    assert set(written) <= set(kept)
    assert len(written) > 20


def test_what_changes_between_reading_and_putting_back_is_left_alone(area: Area) -> None:
    store = area.store()
    fill(store, records=3)
    rotation = area.rotation()
    key_id, _ = rotation.choose()
    rotation.take_over(key_id)
    (page,) = rotation.store.kept("markers")
    store.commit(Commit("between", {}, (Write("markers", "r2", 1, b"newer"),)))
    assert rotation.store.put_back("markers", list(rotation._sealed_anew("markers", page, key_id))) == 1
    assert {r.record_id: (r.version, r.plain) for r in store.load("markers").records} == {
        "r1": (2, b"again"),
        "r2": (2, b"newer"),
    }


def test_a_ledger_changed_by_another_hand_while_it_is_copied_is_not_swapped(area: Area, raw: Any) -> None:
    fill(area.store(), entries=900)
    rotation = area.rotation()
    key_id, _ = rotation.choose()
    rotation.take_over(key_id)
    first = next(rotation.store.kept_ledger())
    rotation.store.copy_ledger(0, [(entry, entry.blob) for entry in first])
    ledger = f"wmo:{{{area.name}}}:ledger"
    raw.xdel(ledger, "7-0")
    with pytest.raises(StoreError, match="changed while it was copied"):
        rotate(area.rotation())
    assert raw.xlen(ledger) == 899
    rotate(area.rotation())
    assert raw.xlen(ledger) == 899, "what was taken out is not put back, and not hidden"
    with pytest.raises(VaultError, match="ledger entry 7 is missing"):
        list(area.store().ledger())


def test_two_at_once_end_as_one(area: Area, raw: Any) -> None:
    fill(area.store(), entries=1200)
    before = area.state(area.store())
    one, other = area.rotation(), area.rotation()
    key_id, _ = one.choose()
    assert other.choose() == (key_id, True)
    old = one.take_over(key_id)
    assert other.take_over(key_id) == old
    with ThreadPoolExecutor() as both:
        ends = [both.submit(r.reseal, key_id, old, lambda _: None, resumed=True) for r in (one, other)]
    assert [end.result().unopened for end in ends] == [0, 0]
    one.finish(key_id)
    assert old_bytes(raw, area) == []
    assert area.state(area.only_current()) == before


def test_what_cannot_be_opened_stays_is_counted_and_is_named(area: Area, raw: Any) -> None:
    store = area.store()
    fill(store, records=5, entries=5)
    prefix = f"wmo:{{{area.name}}}:"
    value = raw.hget(prefix + "records:markers", "r3")
    raw.hset(prefix + "records:markers", "r3", value[:-1] + bytes([value[-1] ^ 1]))
    raw.hset(prefix + "records:markers", "14 CANARY Yard", b"1 :W1short")
    raw.delete(prefix + "ledger")
    raw.xadd(prefix + "ledger", {"id": "x", "entry": "not sealed"}, "1-0")
    raw.xadd(prefix + "ledger", {"odd": "entry"}, "5-0")
    odd = raw.xrange(prefix + "ledger")
    rotation = area.rotation()
    old = rotation.vault.current
    done = rotate(rotation)
    assert done.unopened == 4
    assert raw.xrange(prefix + "ledger") == odd, "evidence stays as it is"
    checked = check_keys(rotation.store, rotation.vault, rotation.spool, lambda _: None)
    assert {(u.collection, u.record, u.key_id, u.why) for u in checked.unopened} == {
        ("markers", "r3", old, "was changed, moved or sealed with another key"),
        ("markers", "(not a record id)", "none", "is not a sealed record"),
        ("ledger", "1", "none", "is not a sealed record"),
        ("ledger", "2 to 4", "none", "is missing from the store"),
        ("ledger", "5", "none", "is not a sealed record"),
    }
    assert checked.total(old) == 1
    assert checked.sealed_by[done.key_id] == {"proof": 1, "access": 4, "markers": 3}


def test_a_check_with_a_ring_that_lacks_a_key_names_everything_it_sealed(area: Area, raw: Any) -> None:
    fill(area.store(), records=3, entries=4)
    rotate(area.rotation())
    ring = KeyRing.load(area.folder)
    lost = ring.current
    area.store().commit(Commit("more", {}, (), (b"five",)))
    raw.xdel(f"wmo:{{{area.name}}}:ledger", "2-0")
    other = next(key_id for key_id in ring.sealing if key_id != lost)
    lacking = Vault(KeyRing(other, {other: ring.sealing[other]}, ring.token_root), area.name)
    store = SealedStore(area.url, area.name, lacking, timeout_s=5)
    checked = check_keys(store, lacking, Spool(area.spool_folder, lacking), lambda _: None)
    assert {(u.collection, u.record) for u in checked.unopened if u.key_id == lost} == {
        ("proof", "proof"), ("markers", "r1"), ("markers", "r2"), ("access", "r1"), ("access", "r2"),
        ("ledger", "1"), ("ledger", "3"), ("ledger", "4"), ("ledger", "5"),
    }  # fmt: skip
    assert {u.why for u in checked.unopened if u.key_id == lost} == {"its key is not in this key ring"}
    assert [u.record for u in checked.unopened if u.key_id == "none"] == ["2"]


def test_a_rotation_to_a_key_the_ring_lost_is_refused(area: Area) -> None:
    fill(area.store())
    ring = KeyRing.load(area.folder)
    rotation = area.rotation()
    key_id, _ = rotation.choose()
    KeyRing(ring.current, ring.sealing, ring.token_root).promote(area.folder, ring.current)
    with pytest.raises(VaultError, match=f"key {key_id} is under way"):
        area.rotation().choose()


def test_a_ring_restored_from_before_a_rotation_writes_nothing(area: Area) -> None:
    fill(area.store(), records=2, entries=1)
    before = (area.folder / "ring.json").read_bytes()
    rotate(area.rotation())
    (area.folder / "ring.json").write_bytes(before)
    with pytest.raises(VaultError, match="another key ring"):
        area.store().commit(Commit("r1", {}, (), (b"x",)))


def test_the_spool_is_sent_and_a_frame_never_outlives_its_key(area: Area) -> None:
    vault = area.vault()
    spool = Spool(area.spool_folder, vault)
    old = vault.current
    look = LedgerEntry(
        "e-1", datetime(2026, 11, 23, 3, 30, tzinfo=UTC), Operation.CONSULTATION, "a", "call_handler", Via.WEB,
        store=Basis.LAST_KNOWN,
    )  # fmt: skip
    spool.append(look)
    assert [key for _, _, _, key in spool.frames()] == [old]
    spool.close()
    rotation = area.rotation()
    rotation.store.bind()
    assert rotate(rotation).in_spool == 0
    assert [kept.sequence for kept in area.only_current().ledger()] == [1]

    ring = KeyRing.load(area.folder)
    sealing = vault.seal

    def forgotten_meanwhile(*as_what: Any) -> bytes:
        blob = sealing(*as_what)
        ring.forget(area.folder, [old])
        return blob

    vault.seal = forgotten_meanwhile  # type: ignore[method-assign]  # the key goes between sealing and writing
    spool.append(look)
    assert [key for _, _, _, key in spool.frames()] == [old, ring.current]


def test_a_kept_value_reads_as_it_lies() -> None:
    assert (Kept(b"id", b"7 aa:", b"").version, Kept(b"id", b"7 aa:", b"").key_id) == (7, None)
    assert Kept(b"id", b"", b"").version == 0
