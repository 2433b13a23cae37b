"""The copy on this machine's disk: what a process goes on with that starts while the store is away."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from markers.checkpoints import SigningKey
from markers.commits import Record
from markers.fence import Fence
from markers.gazetteer import Gazetteer
from markers.ledger import Basis
from markers.model import Status
from markers.server import EmbeddedServer, StoreFolderBusy
from markers.snapshot import Manifest, Snapshot, SnapshotRefused
from markers.store import Store
from markers.store_errors import StoreBehind
from markers.vault import KeyRing, Vault
from overlay.copies import COPIED
from overlay.folders import anchors_of, ledger_index_of, public_key, snapshot_of
from overlay.identity import create_account
from overlay.lookup import Asked, check
from overlay.services import Services
from overlay.settings import Settings
from overlay.snapshots import SnapshotKeeper
from overlay.upkeep.lists import import_markers, plan_import
from tests.store.test_fence import PASSWORD, ask, put_back, seal
from tests.store.test_lookup import HOME, OPERATOR
from tests.unit.test_matching import FLAT_3, HOMES, NOW, at_home

DAY = timedelta(hours=24)
FLAT_4 = at_home("M4", HOMES[3])


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    settings = Settings(data=tmp_path / "data")
    started = Services.start(settings, follow=False)
    started.gazetteer = Gazetteer.load(settings.data / "gazetteer", HOMES)
    create_account(started.store, started.access, "ada", "Ada Quill", "call_handler", PASSWORD, NOW)
    import_markers(started, OPERATOR, plan_import(started, [FLAT_3]), NOW)
    seal(started)
    yield started
    started.close()


def keeper(services: Services) -> SnapshotKeeper:
    """As the sealer's process has one: with connections of its own."""
    settings, vault = services.settings, services.vault
    store = Store(services.store_url, vault.area, vault)
    key = SigningKey.load(settings.data / "keys", vault.area)
    pub = settings.data / "keys" / f"ledger-{vault.area}.pub"
    fence = Fence(store, anchors_of(settings, vault.area), pub, ledger_index_of(settings, vault))
    return SnapshotKeeper(store, fence, vault, snapshot_of(settings, vault), key)


def folder(services: Services) -> Path:
    return services.settings.data / "snapshot" / services.area.code


def manifest(services: Services) -> Manifest:
    return snapshot_of(services.settings, services.vault).manifest(public_key(services.settings, services.area.code))


@pytest.fixture
def frozen(services: Services) -> Iterator[None]:
    """The store no longer answers, though its process is there."""
    pid = json.loads((services.settings.data / "store" / "server.json").read_text())["pid"]
    os.kill(pid, signal.SIGSTOP)
    yield
    os.kill(pid, signal.SIGCONT)


def test_a_process_that_starts_while_the_store_is_frozen_says_what_was_last_known(services, frozen):
    os.kill(store_pid(services), signal.SIGCONT)
    keeper(services).step(services.now())
    as_of = manifest(services).as_of
    os.kill(store_pid(services), signal.SIGSTOP)

    late = Services.start(services.settings, follow=False, from_snapshot=True)
    try:
        answer = check(late, OPERATOR, Asked(HOME, "CAD-1"), late.now())
        assert (answer.status, answer.store, answer.as_of) == (Status.COULD_NOT_CHECK, Basis.LAST_KNOWN, as_of)
        assert [shown.reference for shown in answer.matches] == [FLAT_3.reference]
        assert "last known at" in (answer.reason or "")
        assert late.spool.pending() == 1
        assert late.state(late.now()).kind == "last_known"
        assert [account.username for account in late.access.accounts()] == ["ada"]

        os.kill(store_pid(services), signal.SIGCONT)
        import_markers(services, OPERATOR, plan_import(services, [FLAT_4]), NOW)
        late._come_back()
        answer = check(late, OPERATOR, Asked(HOME, "CAD-1"), late.now())
        assert (answer.status, answer.store) == (Status.HIT, Basis.CURRENT)
        assert len(late.index) == 2
    finally:
        late.close()


def store_pid(services: Services) -> int:
    return int(json.loads((services.settings.data / "store" / "server.json").read_text())["pid"])


def test_without_a_snapshot_nothing_is_made_up(services, frozen):
    with pytest.raises(StoreFolderBusy):
        Services.start(services.settings, follow=False, from_snapshot=True)


def test_other_commands_do_not_take_a_snapshot_for_the_store(services, frozen, monkeypatch):
    os.kill(store_pid(services), signal.SIGCONT)
    keeper(services).step(services.now())
    os.kill(store_pid(services), signal.SIGSTOP)
    monkeypatch.setattr("overlay.services.EmbeddedServer.ensure", _refuse)
    with pytest.raises(StoreFolderBusy):
        Services.start(services.settings, follow=False)


def _refuse(self: EmbeddedServer) -> str:
    raise StoreFolderBusy("it does not answer")


def test_an_old_snapshot_is_refused_and_so_is_one_from_the_future(services):
    keeper(services).step(services.now())
    snapshot, key = snapshot_of(services.settings, services.vault), public_key(services.settings, services.area.code)
    as_of = manifest(services).as_of
    assert snapshot.usable(key, as_of + DAY, DAY).as_of == as_of
    with pytest.raises(SnapshotRefused, match="older than the 24 hours"):
        snapshot.usable(key, as_of + DAY + timedelta(seconds=1), DAY)
    with pytest.raises(SnapshotRefused, match="mend the clock"):
        snapshot.usable(key, as_of - timedelta(minutes=6), DAY)


def test_only_what_moved_is_written_again_and_the_age_is_fresh_all_the_same(services):
    keeping = keeper(services)
    keeping.step(services.now())
    before = manifest(services)
    ask(services)
    import_markers(services, OPERATOR, plan_import(services, [FLAT_4]), NOW)
    keeping._not_before.clear()
    keeping.step(services.now())
    after = manifest(services)
    assert after.as_of > before.as_of
    changed = {part.collection for part in after.parts if before.part(part.collection).file != part.file}
    assert "markers" in changed
    assert "access" not in changed
    assert {path.name for path in folder(services).glob("*.part")} == {part.file for part in after.parts}


def test_a_copy_that_had_to_wait_keeps_its_own_time(services):
    keeping = keeper(services)
    keeping.step(services.now())
    before = manifest(services).part("markers")
    import_markers(services, OPERATOR, plan_import(services, [FLAT_4]), NOW)
    keeping._not_before["markers"] = float("inf")
    keeping.step(services.now())
    assert manifest(services).part("markers") == before
    assert manifest(services).as_of == before.complete_at


def test_the_next_keeper_goes_on_with_the_parts_that_are_there(services):
    keeper(services).step(services.now())
    before = manifest(services)
    keeper(services).step(services.now())
    assert [part.file for part in manifest(services).parts] == [part.file for part in before.parts]


def test_a_new_key_seals_everything_anew(services):
    keeping = keeper(services)
    keeping.step(services.now())
    keys = services.settings.data / "keys"
    ring = KeyRing.load(keys).prepare(keys)
    ring.promote(keys, ring.newest)
    services.vault.refresh()
    keeping._not_before.clear()
    keeping.step(services.now())
    assert {part.key_id for part in manifest(services).parts} == {ring.newest}


def test_a_store_behind_its_anchors_is_not_copied(services, tmp_path):
    keeper(services).step(services.now())
    before = manifest(services)
    put_back(services.settings, tmp_path / "nothing")
    fresh = EmbeddedServer(services.settings.data / "store")
    fresh.ensure()
    try:
        with pytest.raises(StoreBehind):
            keeper(services).step(services.now())
    finally:
        fresh.release()
    assert manifest(services) == before


def test_every_collection_that_processes_follow_is_copied(services):
    assert set(COPIED) == set(services._positions())
    keeper(services).step(services.now())
    assert {part.collection for part in manifest(services).parts} == set(COPIED)


def test_nothing_can_be_read_from_it_and_only_its_owner_may_try(services):
    keeper(services).step(services.now())
    for path in folder(services).iterdir():
        raw = path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0
        for secret in (b"Tallow", b"tallow", b"Ada Quill", b"argon2"):
            assert secret not in raw


def _flip(path: Path, at: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[at] ^= 1
    path.write_bytes(bytes(raw))


def _load_all(services: Services) -> int:
    snapshot = snapshot_of(services.settings, services.vault)
    found = snapshot.usable(public_key(services.settings, services.area.code), services.now(), DAY)
    return sum(len(snapshot.load(part).records) for part in found.parts)


@pytest.mark.parametrize("at", [0, 70, 200, -2])
def test_a_manifest_with_a_changed_byte_is_refused(services, at):
    keeper(services).step(services.now())
    assert _load_all(services) >= 2
    _flip(folder(services) / "manifest", at)
    with pytest.raises(SnapshotRefused):
        _load_all(services)


@pytest.mark.parametrize("at", [0, 3, 10, 60, -1])
def test_a_part_with_a_changed_byte_is_refused(services, at):
    keeper(services).step(services.now())
    _flip(folder(services) / manifest(services).part("markers").file, at)
    with pytest.raises(SnapshotRefused, match="damaged"):
        _load_all(services)


@pytest.mark.parametrize("name", ["manifest", "markers"])
def test_a_file_that_is_gone_is_refused(services, name):
    keeper(services).step(services.now())
    next(folder(services).glob(f"{name}*")).unlink()
    with pytest.raises(SnapshotRefused):
        _load_all(services)


def test_a_manifest_of_another_key_or_area_is_refused(services, tmp_path):
    keeper(services).step(services.now())
    snapshot, found = snapshot_of(services.settings, services.vault), manifest(services)
    public = public_key(services.settings, services.area.code)
    other = SigningKey.create(tmp_path, services.area.code)
    snapshot.publish(other, found)
    with pytest.raises(SnapshotRefused, match="another key"):
        snapshot.manifest(public)
    mine = SigningKey.load(services.settings.data / "keys", services.area.code)
    snapshot.publish(mine, replace(found, area="elsewhere"))
    with pytest.raises(SnapshotRefused, match="of area elsewhere"):
        snapshot.manifest(public)
    (folder(services) / "manifest").write_bytes(mine.sign_file("snapshot", b"{}").hex().encode() + b"\n{}")
    with pytest.raises(SnapshotRefused, match="damaged"):
        snapshot.manifest(public)
    (folder(services) / "manifest").write_bytes(mine.sign_file("backup", b"{}").hex().encode() + b"\n{}")
    with pytest.raises(SnapshotRefused, match="not over what it says"):
        snapshot.manifest(public)


def test_frames_of_another_part_do_not_open(services):
    snapshot, now = snapshot_of(services.settings, services.vault), services.now()
    one = snapshot.write("markers", 1, [Record("a", 1, b"x")], now)
    other = snapshot.write("markers", 1, [Record("b", 1, b"y")], now)
    shutil.copy(folder(services) / other.file, folder(services) / one.file)
    with pytest.raises(SnapshotRefused, match="can't be opened"):
        snapshot.load(replace(one, digest=other.digest))
    with pytest.raises(SnapshotRefused, match="damaged"):
        snapshot.load(replace(other, records=2))
    with pytest.raises(SnapshotRefused, match="damaged"):
        snapshot.load(replace(other, file="../" + other.file))


def test_many_records_come_back_as_they_were(tmp_path):
    vault = Vault(KeyRing.create(tmp_path / "keys"), "quill")
    snapshot = Snapshot(tmp_path / "snapshot", vault)
    records = [Record(f"r{n}", n + 1, (f"räd {n} " * (n % 7)).encode()) for n in range(1_701)]
    part = snapshot.write("markers", 1_701, records, NOW)
    loaded = snapshot.load(part)
    assert loaded.position == 1_701
    assert list(loaded.records) == records


def test_what_was_erased_is_not_shown_from_an_older_copy(services, frozen):
    os.kill(store_pid(services), signal.SIGCONT)
    keeper(services).step(services.now())
    marker = services.index.all()[0]
    services.erased.add(marker.marker_id, services.now())
    os.kill(store_pid(services), signal.SIGSTOP)
    late = Services.start(services.settings, follow=False, from_snapshot=True)
    try:
        assert len(late.index) == 0
        answer = check(late, OPERATOR, Asked(HOME, "CAD-1"), late.now())
        assert answer.status is Status.COULD_NOT_CHECK
    finally:
        late.close()
