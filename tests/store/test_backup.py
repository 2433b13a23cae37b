"""Taking a backup while others write: everything of one moment, whatever happened meanwhile; and what is refused."""

from __future__ import annotations

import base64
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis

from markers.backup import ReadStore, take
from markers.backup_check import check_parts, refuse_keys
from markers.backup_files import (
    CHECKPOINTS,
    KIND,
    LEDGER,
    MANIFEST,
    BackupRefused,
    Held,
    Manifest,
    NewBackup,
    Pace,
    RestoreRefused,
    check_signature,
    read_manifest,
    read_pages,
    records_file,
)
from markers.checkpoints import NotSigned, SigningKey
from markers.commits import Commit, Write
from markers.ledger import LedgerEntry, Operation, Via
from markers.merkle import Frontier, leaf_hash
from markers.rotation import Rotation
from markers.sealed import SealedStore
from markers.spool import Spool
from markers.store_errors import StoreBehind
from markers.vault import KeyRing, Vault

AT = datetime(2026, 11, 28, 14, 0, tzinfo=UTC)


def entry(number: int) -> bytes:
    return LedgerEntry(f"e-{number}", AT, Operation.CONSULTATION, "a", "r", Via.CLI, incident=str(number)).canonical()


class Interrupted(Pace):
    """Leaves no room for others, but lets something real happen before each piece of work."""

    def __init__(self, before: Callable[[int], None]) -> None:
        super().__init__(gently=False)
        self._before, self._count = before, 0

    @contextmanager
    def piece(self) -> Iterator[None]:
        self._before(self._count)
        self._count += 1
        yield


@dataclass
class Area:
    """An area of a real store, its keys, and what a backup of it holds."""

    store: ReadStore
    vault: Vault
    key: SigningKey
    keys: Path
    folder: Path
    url: str
    versions: dict[tuple[str, str], int] = field(default_factory=dict)
    count: int = 0

    def write(self, **values: str | None) -> None:
        """One commit: a record of each collection set to (or erased by) its value, and one ledger entry."""
        writes = []
        for place, value in values.items():
            collection, _, record = place.partition("__")
            version = self.versions.get((collection, record), 0)
            plain = None if value is None else value.encode()
            token = self.vault.token(collection, f"{record} {value}")
            writes.append(Write(collection, record, version, plain, () if plain is None else (token,)))
            self.versions[collection, record] = version + 1 if plain is not None else 0
        self.count += 1
        self.store.commit(Commit(str(uuid.uuid4()), {}, tuple(writes), (entry(self.count),)))

    def sign(self) -> None:
        tree = Frontier()
        leaves = [leaf_hash(record.entry) for record in self.store.ledger()]
        tree.extend(leaves)
        last = self.store.last_checkpoint()
        self.store.seal(last[0] if last else 0, tree.size, self.key.sign(tree.size, tree.root(), AT).note)

    def take(self, pace: Pace | None = None) -> Manifest:
        into = NewBackup(self.folder)
        into.begin()
        manifest = take(self.store, self.vault, into, lambda: AT, pace or Pace(gently=False), lambda _: None)
        check_parts(self.folder, manifest, self.vault, self.key.public, Pace(gently=False), lambda _: None)
        into.finish(manifest, self.key)
        assert read_manifest(self.folder, self.vault.area, self.key.public) == manifest
        return manifest

    def held(self, manifest: Manifest, collection: str) -> dict[str, str]:
        """What the backup holds of a collection, opened."""
        opened = {}
        path = records_file(collection)
        for page in read_pages(self.folder, path, manifest.files[path], Pace(gently=False)):
            for name, value in page.rows:
                head, _, sealed = value.partition(b":")
                version = int(head.split()[0])
                assert name.decode() not in opened
                opened[name.decode()] = self.vault.open(collection, name.decode(), version, sealed).decode()
        return opened

    def entries(self, manifest: Manifest) -> list[bytes]:
        pages = read_pages(self.folder, LEDGER, manifest.files[LEDGER], Pace(gently=False))
        return [self.vault.open("ledger", name.decode(), 1, sealed) for page in pages for name, sealed in page.rows]


@pytest.fixture
def area(store_url: str, tmp_path: Path) -> Iterator[Area]:
    keys = tmp_path / "keys"
    vault = Vault(KeyRing.create(keys), "quill", keys)
    store = ReadStore(store_url, "quill", vault, timeout_s=5)
    store.bind()
    yield Area(store, vault, SigningKey.create(keys, "quill"), keys, tmp_path / "backup", store_url)
    store.close()


@pytest.mark.parametrize("records", [0, 1, 700])
def test_every_record_and_entry_is_there_once(area: Area, records: int) -> None:
    for first in range(0, records, 100):
        area.write(**{f"a__r{n}": f"value {n}" for n in range(first, min(first + 100, records))})
    if records:
        area.write(a__r0=None, b__other="x")
        area.sign()
    manifest = area.take()
    assert manifest.ledger == len(area.entries(manifest)) == area.count
    assert manifest.signed == area.count
    if records:
        assert area.held(manifest, "a") == {f"r{n}": f"value {n}" for n in range(1, records)}
        assert area.held(manifest, "b") == {"other": "x"}
        assert manifest.positions == {"a": records + 1, "b": 1}
    assert manifest.keys == ({area.vault.current: area.count + records} if records else {})


def test_it_is_of_one_moment_while_two_collections_change_together(area: Area) -> None:
    """Every commit writes the same number to two collections and adds an entry: in the backup the three agree."""
    for first in range(0, 600, 100):
        area.write(**{f"a__fill{n}": "x" for n in range(first, first + 100)})
    area.write(a__last="0", b__last="0")
    stop, failed = threading.Event(), list[BaseException]()

    def go_on() -> None:
        number = 0
        try:
            while not stop.is_set():
                number += 1
                also: dict[str, str | None] = {f"b__n{number}": "y"} if number % 3 else {"b__n1": None}
                if also == {"b__n1": None} and not area.versions.get(("b", "n1")):
                    also = {"b__n1": "again"}
                area.write(a__last=str(number), b__last=str(number), **also)
        except BaseException as error:
            failed.append(error)

    writer = threading.Thread(target=go_on)
    writer.start()
    try:
        for turn in range(5):
            area.folder = area.folder.with_name(f"backup-{turn}")
            manifest = area.take(Pace())
            a, b = area.held(manifest, "a"), area.held(manifest, "b")
            number = int(a["last"])
            assert a["last"] == b["last"]
            assert number > turn
            assert manifest.ledger == len(area.entries(manifest)) == 7 + number
            assert area.entries(manifest) == [entry(n) for n in range(1, 8 + number)]
            plain = {f"n{n}" for n in range(2, number + 1) if n % 3}
            assert {name for name in b if name not in ("last", "n1")} == plain
            assert ("n1" in b) == (number // 3 % 2 == 0)
    finally:
        stop.set()
        writer.join()
    assert not failed


def test_a_collection_that_begins_meanwhile_is_in_it(area: Area) -> None:
    area.write(a__one="1")

    def between(piece: int) -> None:
        if piece in (2, 4):
            area.write(**{f"new{piece}__one": "x", "a__one": f"after {piece}"})

    manifest = area.take(Interrupted(between))
    assert area.held(manifest, "new2") == {"one": "x"}
    assert area.held(manifest, "new4") == {"one": "x"}
    assert area.held(manifest, "a") == {"one": "after 4"}
    assert manifest.ledger == 3


def test_more_changes_than_are_told_at_once_and_more_than_are_kept(area: Area) -> None:
    """A change stream that was trimmed meanwhile can't tell: the collection is read anew."""
    area.write(a__one="1", a__gone="1", b__one="1")
    plain = redis.Redis.from_url(area.url)

    def between(piece: int) -> None:
        if piece == 4:
            for first in range(0, 1200, 300):
                area.write(**{f"b__r{n}": "x" for n in range(first, first + 300)})
            area.write(a__gone=None, a__two="2")
            plain.xtrim("wmo:{quill}:changes:a", maxlen=0)

    manifest = area.take(Interrupted(between))
    plain.close()
    assert len(area.held(manifest, "b")) == 1201
    assert area.held(manifest, "a") == {"one": "1", "two": "2"}
    assert manifest.ledger == 6


def test_entries_of_the_ledger_that_came_meanwhile_are_in_it_and_later_ones_not(area: Area) -> None:
    for _ in range(250):
        area.write()
    area.write(a__one="1")
    seen: list[int] = []

    def between(piece: int) -> None:
        seen.append(piece)
        if piece == 1:
            area.write(a__one="2")
            area.sign()

    manifest = area.take(Interrupted(between))
    assert manifest.ledger == 252
    area.write()
    area.sign()
    notes = read_pages(area.folder, CHECKPOINTS, manifest.files[CHECKPOINTS], Pace(gently=False))
    assert [int(size) for page in notes for size, _ in page.rows] == [252] == [manifest.signed]


def test_keys_that_are_being_rotated_or_were_meanwhile_are_refused(area: Area, store_url: str, tmp_path: Path) -> None:
    area.write(a__one="1")
    sealed = SealedStore(store_url, "quill", area.vault, timeout_s=5)
    rotation = Rotation(sealed, area.vault, Spool(tmp_path / "spool", area.vault), area.keys)
    key_id, _ = rotation.choose()
    with pytest.raises(BackupRefused, match="Keys are being rotated"):
        area.take()

    def rotate() -> None:
        old = rotation.take_over(key_id)
        rotation.reseal(key_id, old, lambda _: None, resumed=True)
        rotation.finish(key_id)

    rotate()
    area.folder = tmp_path / "second"
    assert area.take().keys == {key_id: 2}
    key_id, _ = rotation.choose()
    rotation.finish(key_id)  # so that the backup begins
    rotation.store.rotation("begin", key_id)
    rotation.finish(key_id)
    area.folder = tmp_path / "third"
    with pytest.raises(BackupRefused, match="Keys were rotated while"):
        area.take(Interrupted(lambda piece: rotate() if piece == 1 else None))
    sealed.close()


def test_a_gap_in_the_ledger_is_named(area: Area) -> None:
    for _ in range(5):
        area.write()
    plain = redis.Redis.from_url(area.url)
    plain.xdel("wmo:{quill}:ledger", "3-0")
    with pytest.raises(BackupRefused, match="Ledger entry 3 is missing"):
        area.take()
    plain.close()


def test_a_record_that_cannot_be_opened_is_named(area: Area) -> None:
    area.write(a__one="1")
    plain = redis.Redis.from_url(area.url)
    plain.hset("wmo:{quill}:records:a", "two", plain.hget("wmo:{quill}:records:a", "one"))
    plain.close()
    with pytest.raises(RestoreRefused, match=r"record two of .*a\.rows can't be opened"):
        area.take()


def test_a_store_swapped_meanwhile_is_not_backed_up(area: Area) -> None:
    area.write(a__one="1")
    plain = redis.Redis.from_url(area.url)

    def between(piece: int) -> None:
        if piece == 2:
            plain.hset("wmo:{quill}:positions", ".store", "ff" * 16)

    with pytest.raises(StoreBehind):
        area.take(Interrupted(between))
    plain.close()


def test_a_checkpoint_of_another_ledger_is_seen(area: Area) -> None:
    area.write(a__one="1")
    area.store.seal(0, 1, area.key.sign(1, b"x" * 32, AT).note)
    with pytest.raises(RestoreRefused, match="newest checkpoint"):
        area.take()


def test_nothing_of_a_refused_folder_is_touched(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    for name, words in (("file", "is a file"), ("full", "is not empty")):
        with pytest.raises(BackupRefused, match=words):
            NewBackup(tmp_path / name).begin()
    assert (tmp_path / "full" / "mine").read_text() == (tmp_path / "file").read_text() == "mine"


def test_a_backup_cut_short_is_neither_taken_for_one_nor_added_to(area: Area) -> None:
    area.write(a__one="1")
    into = NewBackup(area.folder)
    into.begin()
    take(area.store, area.vault, into, lambda: AT, Pace(gently=False), lambda _: None)
    with pytest.raises(RestoreRefused, match="cut short"):
        read_manifest(area.folder, "quill", area.key.public)
    with pytest.raises(BackupRefused, match="cut short"):
        NewBackup(area.folder).begin()
    into.undo()
    assert not area.folder.exists()
    area.folder.mkdir()
    into = NewBackup(area.folder)
    into.begin()
    into.undo()
    assert list(area.folder.iterdir()) == []


def test_a_manifest_reads_back_and_odd_ones_are_refused(area: Area) -> None:
    area.write(a__one="1")
    manifest = area.take()
    assert Manifest.read(manifest.as_json()) == manifest
    plain = json.loads(manifest.as_json())
    for wrong in (
        b"[]",
        b"{}",
        b"nothing",
        json.dumps({**plain, "format": 2}).encode(),
        json.dumps({**plain, "files": {}}).encode(),
        replace(manifest, files={**manifest.files, "../ring.json": Held(0, "")}).as_json(),
        replace(manifest, files={**manifest.files, "/etc/passwd": Held(0, "")}).as_json(),
        replace(manifest, files={**manifest.files, "gazetteer/../../x": Held(0, "")}).as_json(),
        replace(manifest, files={**manifest.files, "a//b": Held(0, "")}).as_json(),
        replace(manifest, positions={"../a": 1}).as_json(),
    ):
        with pytest.raises(ValueError, match=r".+"):
            Manifest.read(wrong)
    hidden = replace(manifest, files={**manifest.files, "gazetteer/g1/homes/.managed.json": Held(0, "")})
    assert Manifest.read(hidden.as_json()) == hidden


def test_neither_signature_passes_for_the_other(area: Area) -> None:
    statement = area.key.sign(3, b"x" * 32, AT)
    manifest = statement.text.encode()
    with pytest.raises(NotSigned):
        check_signature(area.key.public, manifest, statement.note.rsplit(" ", 1)[1].encode())
    signature = base64.b64encode(area.key.sign_file(KIND, manifest)) + b"\n"
    check_signature(area.key.public, manifest, signature)
    forged = replace(statement, signature=base64.b64decode(signature))
    with pytest.raises(NotSigned, match="not over what it says"):
        area.key.public.check(forged)
    of_a_snapshot = base64.b64encode(area.key.sign_file("snapshot", manifest))
    for odd in (b"", b"\xff\xfe", b"AAAA", signature[:-3], b"x" + signature, of_a_snapshot):
        with pytest.raises(NotSigned):
            check_signature(area.key.public, manifest, odd)


def test_keys_that_cannot_open_it_are_named(area: Area, tmp_path: Path) -> None:
    area.write(a__one="1")
    manifest = area.take()
    old = area.vault.current
    ring = KeyRing.load(area.keys).prepare(area.keys)
    ring = ring.promote(area.keys, ring.newest)
    ring.forget(area.keys, [old])
    with pytest.raises(RestoreRefused, match=rf"lacks keys that seal this backup: {old} \(2 sealed\)"):
        refuse_keys(manifest, Vault(KeyRing.load(area.keys), "quill"))
    other = Vault(KeyRing.create(tmp_path / "other"), "quill")
    with pytest.raises(RestoreRefused, match="another installation's"):
        refuse_keys(manifest, other)


def test_files_are_private_and_sealed(area: Area) -> None:
    area.write(a__one="a readable word")
    area.take()
    for path in area.folder.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
        assert path.is_dir() or b"readable word" not in path.read_bytes()
    assert area.folder.stat().st_mode & 0o077 == 0
    assert {path.name for path in area.folder.iterdir()} == {
        *("HANDLING.txt", "checkpoints.rows", "ledger.rows", MANIFEST, "manifest.sig", "records"),
    }
