"""The sealer on a real store and real folders: what it signs, where that lies, and that a kill costs nothing."""

from __future__ import annotations

import os
import stat
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from markers.anchors import Anchors, AnchorsFailed
from markers.checkpoints import KeyRefused, SigningKey, Statement
from markers.commits import Commit
from markers.ledger import LedgerEntry, Operation, Via
from markers.ledger_index import LedgerIndex
from markers.merkle import Frontier, leaf_hash
from markers.sealer import MOST_ENTRIES, ClockBehind, Sealer, SealRefused
from markers.store import Store
from markers.store_errors import SealedOtherwise, StoreBehind
from markers.vault import KeyRing, Vault

NOW = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(KeyRing.create(tmp_path / "keys"), "quill")


@pytest.fixture
def store(store_url: str, vault: Vault) -> Iterator[Store]:
    store = Store(store_url, "quill", vault)
    yield store
    store.close()


@pytest.fixture
def raw(store_url: str) -> Iterator[Any]:
    client = redis.Redis.from_url(store_url)
    yield client
    client.close()


@pytest.fixture
def key(tmp_path: Path, vault: Vault) -> SigningKey:
    return SigningKey.create(tmp_path / "keys", "quill")


@pytest.fixture
def anchors(tmp_path: Path) -> Anchors:
    return Anchors(tmp_path / "anchors")


@pytest.fixture
def index(tmp_path: Path, vault: Vault) -> LedgerIndex:
    return LedgerIndex(tmp_path / "index.sqlite", vault)


@pytest.fixture
def sealer(store: Store, key: SigningKey, anchors: Anchors, index: LedgerIndex) -> Callable[[], Sealer]:
    """Makes another sealer on the same store and folders, as a new process would."""
    return lambda: Sealer(store, key, anchors, index)


def look(number: int = 0) -> bytes:
    return LedgerEntry(
        str(uuid.uuid4()), NOW + number * SECOND, Operation.CONSULTATION, "a", "call_handler", Via.WEB
    ).canonical()


def write(store: Store, count: int) -> None:
    for _ in range(count):
        store.commit(Commit(str(uuid.uuid4()), {}, (), (look(),)))


def sizes(anchors: Anchors) -> list[int]:
    return [told.size for told in anchors.statements()]


def kept(store: Store) -> list[int]:
    return [size for size, _ in store.checkpoints()]


def test_a_checkpoint_signs_the_tree_of_the_entries_and_lies_in_the_store_and_outside(
    store: Store, sealer: Callable[[], Sealer], anchors: Anchors, key: SigningKey
) -> None:
    sealing = sealer()
    assert sealing.step(NOW) is False
    assert (kept(store), sizes(anchors)) == ([], [])
    write(store, 3)
    sealing.step(NOW)
    write(store, 2)
    sealing.step(NOW + SECOND)
    sealing.step(NOW + 2 * SECOND)
    assert kept(store) == sizes(anchors) == [3, 5]
    tree = Frontier()
    for record in store.ledger():
        tree.append(leaf_hash(record.entry))
    first, second = anchors.statements()
    assert (second.root, second.at, second.accepts) == (tree.root(), NOW + SECOND, False)
    assert [leaf_hash(record.entry) for record in store.ledger()] == [*first.leaves, *second.leaves]
    for told, (_, note) in zip((first, second), store.checkpoints(), strict=True):
        key.public.check(told)
        assert Statement.read(note) == told
    assert stat.S_IMODE(anchors.folder.stat().st_mode) == 0o700
    assert [(p.name, stat.S_IMODE(p.stat().st_mode)) for p in anchors.files()] == [("2026-11-25.txt", 0o600)]


def test_a_new_sealer_goes_on_where_the_last_one_ended(
    store: Store, sealer: Callable[[], Sealer], anchors: Anchors
) -> None:
    for number in range(4):
        write(store, 2)
        sealer().step(NOW + number * SECOND)
    assert kept(store) == sizes(anchors) == [2, 4, 6, 8]


def test_killed_between_store_and_anchor_the_next_one_anchors_what_was_signed(
    store: Store, sealer: Callable[[], Sealer], anchors: Anchors, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(store, 2)
    sealer().step(NOW)
    for _ in range(3):
        write(store, 1)
        dying = sealer()
        with monkeypatch.context() as killed:
            killed.setattr(Anchors, "append", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                dying.step(NOW + SECOND)
    assert (kept(store), sizes(anchors)) == ([2, 3, 4, 5], [2])
    sealer().step(NOW + SECOND)
    assert sizes(anchors) == [2, 3, 4, 5]


def test_an_anchor_that_the_store_lost_must_be_what_the_entries_come_to(
    store: Store, sealer: Callable[[], Sealer], anchors: Anchors, raw: Any
) -> None:
    write(store, 2)
    sealer().step(NOW)
    write(store, 2)
    sealer().step(NOW)
    raw.xdel("wmo:{quill}:checkpoints", "4-0")
    write(store, 1)
    sealer().step(NOW)
    assert kept(store) == [2, 5]
    assert sizes(anchors) == [2, 4, 5]
    sealer().step(NOW)
    assert sizes(anchors) == [2, 4, 5]


def test_many_entries_at_once_are_signed_in_parts(store: Store, sealer: Callable[[], Sealer], anchors: Anchors) -> None:
    for _ in range(3):
        store.commit(Commit(str(uuid.uuid4()), {}, (), tuple(look() for _ in range(1500))))
    sealing = sealer()
    assert [sealing.step(NOW), sealing.step(NOW)] == [True, False]
    assert sizes(anchors) == [MOST_ENTRIES, 4500]


def test_two_sealers_on_one_store_hinder_each_other_and_do_no_harm(
    store: Store, key: SigningKey, tmp_path: Path, vault: Vault
) -> None:
    places = [Anchors(tmp_path / name) for name in ("one", "two")]
    both = [Sealer(store, key, place, LedgerIndex(tmp_path / f"{place.folder.name}.sqlite", vault)) for place in places]
    for _ in range(4):
        write(store, 1)
        for sealing in both:
            sealing.step(NOW)
    for sealing in both:
        sealing.step(NOW)
    assert kept(store) == sizes(places[0]) == sizes(places[1]) == [1, 2, 3, 4]


def test_a_note_follows_the_one_before_it_or_is_not_kept(store: Store) -> None:
    write(store, 3)
    assert store.seal(0, 2, "two") is True
    assert store.seal(0, 2, "two") is False
    for after, size in ((0, 2), (0, 3), (1, 3), (2, 2)):
        with pytest.raises(SealedOtherwise) as other:
            store.seal(after, size, "other")
        assert other.value.size == 2
    with pytest.raises(StoreBehind):
        store.seal(2, 4, "four")
    assert list(store.checkpoints()) == [(2, "two")]
    assert store.last_checkpoint() == (2, "two")


@pytest.mark.parametrize("number", [1, 3])
def test_nothing_is_signed_over_an_entry_that_cannot_be_opened(
    store: Store, sealer: Callable[[], Sealer], raw: Any, number: int
) -> None:
    write(store, 2)
    sealing = sealer()
    if number == 3:
        sealing.step(NOW)
    write(store, 2)
    raw.xdel("wmo:{quill}:ledger", f"{number}-0")
    for _ in range(2):
        with pytest.raises(SealRefused, match=f"entry {number} is missing"):
            sealing.step(NOW)
    assert kept(store) == ([2] if number == 3 else [])


def test_a_store_put_back_is_not_signed_again_until_it_is_what_it_was(
    store: Store, sealer: Callable[[], Sealer], raw: Any, anchors: Anchors
) -> None:
    write(store, 4)
    running = sealer()
    running.step(NOW)
    raw.xdel("wmo:{quill}:ledger", "3-0", "4-0")
    raw.hset("wmo:{quill}:positions", ".ledger", 2)
    for sealing in (running, sealer(), running):
        with pytest.raises(SealRefused, match="ends at entry 2"):
            sealing.step(NOW)
    assert sizes(anchors) == [4]


def test_a_history_other_than_the_anchored_one_is_not_signed(
    store: Store, sealer: Callable[[], Sealer], raw: Any, index: LedgerIndex
) -> None:
    write(store, 3)
    sealer().step(NOW)
    for name in ("ledger", "checkpoints", "positions", "proof"):
        raw.delete(f"wmo:{{quill}}:{name}")
    store.bind()
    store.floor = 0  # another process, that never saw the old one
    write(store, 3)
    with pytest.raises(SealRefused, match="not those that were anchored"):
        sealer().step(NOW)
    index.path.unlink()
    with pytest.raises(SealRefused, match="not those that were anchored"):
        sealer().step(NOW)
    assert kept(store) == []


@pytest.mark.parametrize("spoil", ["another key", "not a note", "another tree", "a gap"])
def test_a_checkpoint_that_was_put_into_the_store_by_another_hand_stops_the_signing(
    store: Store, sealer: Callable[[], Sealer], key: SigningKey, spoil: str
) -> None:
    write(store, 2)
    sealing = sealer()
    sealing.step(NOW)
    write(store, 1)
    leaves = (leaf_hash(b"other"),)
    signer = SigningKey("quill", os.urandom(32)) if spoil == "another key" else key
    told = signer.sign(3, leaf_hash(b"any"), NOW, () if spoil == "a gap" else leaves)
    store.seal(2, 3, "nothing" if spoil == "not a note" else told.note)
    sealing.step(NOW)
    for _ in range(2):
        with pytest.raises(SealRefused, match="over 3 entries"):
            sealing.step(NOW)


def test_nothing_is_signed_while_the_clock_stands_before_the_last_checkpoint(
    store: Store, sealer: Callable[[], Sealer], anchors: Anchors
) -> None:
    write(store, 1)
    sealing = sealer()
    sealing.step(NOW)
    write(store, 1)
    for each in (sealing, sealer()):
        with pytest.raises(ClockBehind):
            each.step(NOW - 6 * SECOND)
    sealing.step(NOW - 4 * SECOND)
    assert [told.at for told in anchors.statements()] == [NOW, NOW]


def test_without_its_anchors_a_ledger_that_was_anchored_is_not_signed(
    store: Store, sealer: Callable[[], Sealer], anchors: Anchors
) -> None:
    write(store, 1)
    sealing = sealer()
    sealing.step(NOW)
    anchors.folder.rename(anchors.folder.with_name("elsewhere"))
    write(store, 1)
    for each in (sealing, sealer()):
        with pytest.raises(SealRefused, match="anchors are gone"):
            each.step(NOW)
    anchors.folder.with_name("elsewhere").rename(anchors.folder)
    sealing.step(NOW)
    assert sizes(anchors) == [1, 2]


def test_a_folder_of_anchors_that_cannot_be_written_stops_no_signing_and_is_caught_up_with(
    store: Store, sealer: Callable[[], Sealer], anchors: Anchors, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealing = sealer()
    write(store, 1)
    sealing.step(NOW)
    real = os.fsync

    def full(descriptor: int) -> None:
        if "anchors" in os.readlink(f"/proc/self/fd/{descriptor}"):
            raise OSError(28, "No space left on device")
        real(descriptor)

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        for number in range(1, 4):
            write(store, 1)
            with pytest.raises(AnchorsFailed, match="No space left"):
                sealing.step(NOW + number * SECOND)
    assert (kept(store), sizes(anchors)) == ([1, 2, 3, 4], [1])
    sealing.step(NOW + 4 * SECOND)
    assert sizes(anchors) == [1, 2, 3, 4]


@pytest.mark.parametrize("cut", [1, 2, 30, 120, 250])
def test_an_anchor_cut_short_by_a_crash_is_taken_away_and_written_again(
    store: Store, sealer: Callable[[], Sealer], anchors: Anchors, cut: int
) -> None:
    for number in range(2):
        write(store, 1)
        sealer().step(NOW + number * SECOND)
    (path,) = anchors.files()
    os.truncate(path, path.stat().st_size - cut)
    whole = [1, 2] if cut == 1 else [1]
    assert sizes(anchors) == whole
    last = anchors.last()
    assert last is not None
    assert last.size == whole[-1]
    write(store, 1)
    sealer().step(NOW + 2 * SECOND)
    assert sizes(anchors) == [1, 2, 3]


def test_damage_in_the_middle_of_the_anchors_is_said(
    store: Store, sealer: Callable[[], Sealer], anchors: Anchors
) -> None:
    for number in range(3):
        write(store, 1)
        sealer().step(NOW + number * timedelta(days=1))
    first = anchors.files()[0]
    first.write_bytes(first.read_bytes().replace(b"time", b"tide"))
    with pytest.raises(AnchorsFailed, match=r"2026-11-25\.txt are damaged"):
        list(anchors.statements())
    assert [path.name for path in anchors.files()] == ["2026-11-25.txt", "2026-11-26.txt", "2026-11-27.txt"]


def test_the_key_is_made_once_and_refused_when_others_could_read_it(tmp_path: Path, key: SigningKey) -> None:
    folder = tmp_path / "keys"
    assert stat.S_IMODE((folder / "ledger-quill.key").stat().st_mode) == 0o600
    assert SigningKey.load(folder, "quill").public == key.public
    with pytest.raises(KeyRefused, match="already"):
        SigningKey.create(folder, "quill")
    for mode in (0o640, 0o604, 0o660):
        (folder / "ledger-quill.key").chmod(mode)
        with pytest.raises(KeyRefused, match="chmod 600"):
            SigningKey.load(folder, "quill")
    (folder / "ledger-quill.key").chmod(0o600)
    for content in (b"", b"x", b"AAAA\n"):
        (folder / "ledger-quill.key").write_bytes(content)
        with pytest.raises(KeyRefused, match="damaged"):
            SigningKey.load(folder, "quill")
    (folder / "ledger-quill.key").unlink()
    with pytest.raises(KeyRefused, match="missing"):
        SigningKey.load(folder, "quill")


def test_a_key_is_made_once_whoever_asks_at_the_same_moment(tmp_path: Path) -> None:
    """The sealer and whoever keeps the snapshot do, in one process, as a console starts for the first time."""
    for number in range(20):
        folder = tmp_path / str(number)
        folder.mkdir()
        together = threading.Barrier(8)

        def one(_: int, folder: Path = folder, together: threading.Barrier = together) -> str:
            together.wait()
            try:
                key = SigningKey.create(folder, "quill")
            except KeyRefused:
                key = SigningKey.load(folder, "quill")
            return key.public.line

        with ThreadPoolExecutor(8) as pool:
            assert len(set(pool.map(one, range(8)))) == 1
        assert sorted(path.name for path in folder.iterdir()) == ["ledger-quill.key", "ledger-quill.pub"]
