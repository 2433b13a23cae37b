"""Putting a backup back, as a person does it: on this machine and on another, refused in words, undone half-way."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from markers.backup_files import KIND, MANIFEST, SIGNATURE, Held, Manifest
from markers.checkpoints import SigningKey
from markers.commits import Commit
from markers.ledger import LedgerEntry, Operation
from markers.restore import RestoreStore
from markers.sealer import Sealer
from markers.server import EmbeddedServer
from markers.spool import Spool
from markers.store import Store
from markers.store_errors import RestoreUnfinished
from markers.vault import KeyRing, Vault
from overlay.room.attending import ATTENDANT
from overlay.runlock import RunLock
from overlay.sealing import signing_key
from overlay.services import running
from overlay.upkeep.erasing import erase_again
from tests.store.commands import Folder, contents, killed_in_the_end, write_csv
from tests.unit.test_matching import HOMES

HIT = "Flat 3, 14 Tallow Yard, EC9A 1AB"
CLEAR = "18 Tallow Yard, EC9A 1AB"


@pytest.fixture(scope="session")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """What `folder` and `backup` are copies of, made once."""
    folder = Folder(tmp_path_factory.mktemp("first") / "data")
    homes = [{"uprn": home.uprn or "", "address": home.address, "postcode": home.postcode or ""} for home in HOMES]
    path = folder.data.parent
    assert folder("gazetteer", "load", write_csv(path / "homes.csv", homes)).code == 0
    marked = [
        {"reference": "REF-1", "category": "court_order", "address": HIT},
        {"reference": "REF-2", "category": "court_order", "address": "Flat 1, 14 Tallow Yard, EC9A 1AB"},
    ]
    both = ("--by", "A", "--approved-by", "B")
    assert folder("markers", "import", write_csv(path / "marked.csv", marked), *both).code == 0
    assert folder("check", HIT, "--incident", "CAD-1").code == 0
    sign(folder)
    assert folder("backup", path / "backup").code == 0
    return folder


@pytest.fixture
def folder(laid_out: Folder, tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A data folder with a gazetteer, two markers, a look, and all of it signed."""
    path = tmp_path_factory.mktemp("r")
    shutil.copytree(laid_out.data.parent, path, dirs_exist_ok=True)
    shutil.rmtree(path / "backup")
    return Folder(path / "data")


@pytest.fixture
def backup(laid_out: Folder, folder: Folder) -> Path:
    """A backup of it."""
    made = folder.data.parent / "backup"
    shutil.copytree(laid_out.data.parent / "backup", made)
    return made


@pytest.fixture
def elsewhere(folder: Folder, tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Another machine, which has nothing but the keys."""
    other = Folder(tmp_path_factory.mktemp("e") / "data")
    other.data.mkdir(mode=0o700)
    shutil.copytree(folder.data / "keys", other.data / "keys")
    return other


def sign(folder: Folder) -> None:
    with running(folder.settings()) as services:
        key = signing_key(services.settings, services.store, services.anchors)
        Sealer(services.store, key, services.anchors, services.ledger_index).step(services.now())


def replay(folder: Folder) -> None:
    """What waits in the spool goes to the ledger, as it does by itself where a console runs."""
    with running(folder.settings()) as services:
        services.spool.replay(services.store)


def asked(folder: Folder, address: str) -> dict[str, Any]:
    """The answer to a check, without what differs from one to the next."""
    answer: dict[str, Any] = folder("check", address, "--incident", "CAD-1", "--json").json
    return {name: value for name, value in answer.items() if name not in ("check_id", "as_of", "ledger_entry")}


def unchanged(folder: Folder) -> dict[str, bytes]:
    """What a refused restore must leave as it is: everything but what a started and stopped server writes of itself."""
    return {
        name: content
        for name, content in contents(folder.data).items()
        if not name.startswith(("store/server.", "store/lock", "store/users", "run.lock"))
    }


def store_of(folder: Folder, url: str) -> RestoreStore:
    return RestoreStore(url, "quill", Vault(KeyRing.load(folder.data / "keys"), "quill"), timeout_s=5)


def accept(machine: Folder, source: Path) -> None:
    """Until a person decides nothing is said to be clear."""
    assert {asked(machine, address)["status"] for address in (HIT, CLEAR)} == {"could_not_check"}
    held = json.loads((source / MANIFEST).read_text())["ledger"]
    words = ("--sequence", str(held), "--by", "A Supervisor", "--reason", "disk replaced")
    done = machine("ledger", "accept", *words)
    assert done.code == 0, done.err


class TestOnAnotherMachine:
    def test_every_check_answers_as_before(self, folder: Folder, backup: Path, elsewhere: Folder) -> None:
        before = {address: asked(folder, address) for address in (HIT, CLEAR, "14 Tallow Yard, EC9A 1AB")}
        done = elsewhere("restore", backup)
        assert done.code == 0, done.err
        assert "Restored and compared" in done.out
        assert "kept in" not in done.out
        assert "No anchors of this machine tell whether anything came after the backup" in done.out
        accept(elsewhere, backup)
        for address, answer in before.items():
            assert asked(elsewhere, address) == answer
        assert [before[HIT]["status"], before[CLEAR]["status"]] == ["hit", "clear"]
        assert elsewhere.markers() == folder.markers()
        assert list((elsewhere.data).glob("store.*")) == []

    def test_the_ledger_goes_on_and_verifies(self, folder: Folder, backup: Path, elsewhere: Folder) -> None:
        assert elsewhere("restore", backup).code == 0
        accept(elsewhere, backup)
        replay(elsewhere)
        entries = elsewhere.ledger()
        held = json.loads((backup / MANIFEST).read_text())["ledger"]
        assert entries[:held] == folder.ledger()[:held]
        assert entries[held - 1].reason == "backup"
        assert entries[held - 1].operation is Operation.DISCLOSURE
        late = {one.reason: one for one in entries[held:] if one.late}
        assert "restore" in late
        assert late["restore"].operation is Operation.ALTERATION
        assert late["restore"].actor_id.startswith("os:")
        sign(elsewhere)
        export = elsewhere.data.parent / "export"
        assert elsewhere("ledger", "export", export).code == 0
        found = elsewhere("ledger", "verify", export, "--anchors", folder.data / "anchors" / "quill", "--json").json
        assert (found["holds"], found["entries"]) == (True, len(entries) + 1)
        assert [(one["sequence"], one["by"]) for one in found["accepted"]] == [(held, "A Supervisor")]
        assert elsewhere("keys", "check").code == 0

    def test_it_is_another_store_to_whoever_followed_the_first(
        self, folder: Folder, backup: Path, elsewhere: Folder
    ) -> None:
        assert elsewhere("restore", backup).code == 0
        accept(elsewhere, backup)
        with running(folder.settings()) as first, running(elsewhere.settings()) as second:
            assert first.store.identity() != second.store.identity()
            assert first.index.position == second.index.position
            assert second.store.changes("markers", 1).reload

    def test_keys_set_aside_stay_so(self, folder: Folder, elsewhere: Folder, tmp_path: Path) -> None:
        """A copy of the ring from before the rotation may seal nothing in the restored store either."""
        assert folder("keys", "rotate").code == 0
        assert folder("backup", tmp_path / "rotated").code == 0
        assert "lacks keys" in elsewhere("restore", tmp_path / "rotated").refusal
        old = KeyRing.load(elsewhere.data / "keys")
        shutil.copy(folder.data / "keys" / "ring.json", elsewhere.data / "keys" / "ring.json")
        assert elsewhere("restore", tmp_path / "rotated").code == 0
        accept(elsewhere, tmp_path / "rotated")
        KeyRing.load(elsewhere.data / "keys").promote(elsewhere.data / "keys", old.current)
        assert "older than the store's last rotation" in elsewhere("markers", "import", *self.one(elsewhere)).err
        assert set(elsewhere.markers()) == {"REF-1", "REF-2"}

    def one(self, machine: Folder) -> tuple[str | Path, ...]:
        fresh = [{"reference": "REF-3", "category": "court_order", "address": CLEAR}]
        return (write_csv(machine.data.parent / "one.csv", fresh), "--by", "A", "--approved-by", "B")

    def test_uniqueness_is_kept_and_changes_go_on(self, backup: Path, elsewhere: Folder) -> None:
        assert elsewhere("restore", backup).code == 0
        accept(elsewhere, backup)
        again = [{"reference": "REF-9", "category": "court_order", "address": HIT}]
        listed = write_csv(elsewhere.data.parent / "again.csv", again)
        both = ("--by", "A", "--approved-by", "B")
        assert "REF-9" in elsewhere("markers", "import", listed, *both).err
        assert set(elsewhere.markers()) == {"REF-1", "REF-2"}
        fresh = [{"reference": "REF-3", "category": "court_order", "address": CLEAR}]
        assert elsewhere("markers", "import", write_csv(listed, fresh), *both).code == 0
        assert asked(elsewhere, CLEAR)["status"] == "hit"

    def test_a_second_backup_of_the_restored_store_is_as_good(self, backup: Path, elsewhere: Folder) -> None:
        assert elsewhere("restore", backup).code == 0
        accept(elsewhere, backup)
        second = elsewhere.data.parent / "second"
        assert elsewhere("backup", second).code == 0
        before = elsewhere.markers()
        assert elsewhere("restore", second).code == 0
        assert elsewhere.markers() == before

    def test_without_its_keys_nothing_is_restored(
        self, folder: Folder, backup: Path, elsewhere: Folder, tmp_path: Path
    ) -> None:
        bare = Folder(tmp_path / "bare")
        assert "key ring" in bare("restore", backup).refusal
        assert not bare.data.exists()
        (elsewhere.data / "keys" / "ledger-quill.key").unlink()
        assert "signing key" in elsewhere("restore", backup).refusal
        strangers = Folder(tmp_path / "strangers")
        assert strangers("check", HIT).code == 0
        sign(strangers)
        refusal = strangers("restore", backup).refusal
        assert refusal.endswith("signed with another key. It was changed, or is another installation's.")

    def test_the_gazetteer_is_left_out_on_demand(self, folder: Folder, elsewhere: Folder, tmp_path: Path) -> None:
        assert folder("backup", tmp_path / "lean", "--without-gazetteer").code == 0
        assert not (tmp_path / "lean" / "gazetteer").exists()
        assert elsewhere("restore", tmp_path / "lean").code == 0
        assert not (elsewhere.data / "gazetteer" / "current").exists()
        accept(elsewhere, tmp_path / "lean")
        assert asked(elsewhere, HIT)["status"] == "hit"


class TestOnThisMachine:
    def test_what_is_there_is_kept(self, folder: Folder, backup: Path) -> None:
        log = contents(folder.data / "store" / "appendonlydir")
        done = folder("restore", backup, "--json").json
        kept = Path(done["kept"])
        assert kept.parent == folder.data
        assert contents(kept / "appendonlydir") == log
        assert (done["restored"], done["fenced"], done["older"]) == (True, False, False)
        assert asked(folder, HIT)["status"] == "hit"
        again = folder("restore", backup, "--older", "--json").json
        assert again["kept"] != done["kept"]
        assert kept.is_dir()
        assert len(list(folder.data.glob("store.*"))) == 2

    def test_a_dry_run_says_it_and_changes_nothing(self, folder: Folder, backup: Path, elsewhere: Folder) -> None:
        for machine in (folder, elsewhere):
            before = unchanged(machine)
            said = machine("restore", backup, "--dry-run")
            assert said.code == 0, said.err
            assert said.out.startswith("Whole, and signed by this area's key: the store of quill as it was on ")
            assert said.out.endswith("Nothing was changed.\n")
            assert unchanged(machine) == before
            told = machine("restore", backup, "--dry-run", "--json").json
            assert told["restored"] is False
            assert (told["gazetteer"], told["anchors"]) == (machine is elsewhere, machine is elsewhere)

    def test_an_older_one_is_refused_unless_told_and_then_held_until_accepted(
        self, folder: Folder, backup: Path
    ) -> None:
        held = json.loads((backup / MANIFEST).read_text())["ledger"]
        assert folder("check", HIT, "--incident", "CAD-2").code == 0
        sign(folder)
        before = unchanged(folder)
        refusal = folder("restore", backup).refusal
        assert f"ends at entry {held}, but this machine knows of {held + 1}" in refusal
        assert refusal.endswith("Restore a newer backup, or say --older.")
        assert "--older" in folder("restore", backup, "--dry-run").refusal
        assert unchanged(folder) == before
        said = folder("restore", backup, "--older")
        command = f'overlay ledger accept --sequence {held} --by "NAME" --reason "WHY"'
        assert command in said.out, said
        answer = asked(folder, HIT)
        assert answer["status"] == "could_not_check"
        assert "a supervisor must decide" in answer["reason"]
        assert asked(folder, CLEAR)["status"] == "could_not_check"
        accept(folder, backup)
        assert asked(folder, HIT)["status"] == "hit"
        assert asked(folder, CLEAR)["status"] == "clear"
        replay(folder)
        late = [entry for entry in folder.ledger() if entry.reason == "restore"]
        assert [entry.late for entry in late] == [True]
        sign(folder)
        export = folder.data.parent / "export"
        assert folder("ledger", "export", export).code == 0
        found = folder("ledger", "verify", export, "--json").json
        assert found["holds"]
        assert [(one["sequence"], one["by"]) for one in found["accepted"]] == [(held, "A Supervisor")]

    def test_what_no_anchor_knows_yet_counts_as_known_and_holds_checks_back(self, folder: Folder, backup: Path) -> None:
        """The store there is may reach further than its anchors."""
        assert folder("check", HIT, "--incident", "CAD-2").code == 0
        assert "--older" in folder("restore", backup).refusal
        assert folder("restore", backup, "--older", "--json").json["fenced"] is True
        assert asked(folder, CLEAR)["status"] == "could_not_check"

    def test_without_its_anchors_the_data_folder_knows_and_holds_checks_back(
        self, folder: Folder, backup: Path
    ) -> None:
        assert folder("check", HIT, "--incident", "CAD-2").code == 0
        sign(folder)
        for gone in ("anchors", "store"):
            shutil.rmtree(folder.data / gone)
        assert "--older" in folder("restore", backup).refusal
        assert folder("restore", backup, "--older", "--json").json["fenced"] is True
        assert asked(folder, CLEAR)["status"] == "could_not_check"
        accept(folder, backup)
        assert asked(folder, CLEAR)["status"] == "clear"

    def test_what_is_here_is_given_up_by_moving_its_anchors_away(
        self, folder: Folder, backup: Path, tmp_path: Path
    ) -> None:
        """Somebody began to use the new machine before the backup was put back."""
        begun = Folder(tmp_path / "begun")
        begun.data.mkdir(mode=0o700)
        shutil.copytree(folder.data / "keys", begun.data / "keys")
        assert begun("check", HIT).code == 0
        sign(begun)
        refusal = begun("restore", backup).refusal
        assert "they went different ways" in refusal
        for named in ("anchors", "ledger"):
            assert str(begun.data / named) in refusal
            (begun.data / named).rename(tmp_path / named)
        assert begun("restore", backup, "--json").json["fenced"] is True
        accept(begun, backup)
        assert asked(begun, HIT)["status"] == "hit"

    def test_a_note_of_the_fence_that_cannot_be_read_holds_checks_back(self, folder: Folder, backup: Path) -> None:
        assert folder("restore", backup, "--json").json["fenced"] is False
        (folder.data / "ledger" / "quill.restored").write_text("{")
        assert asked(folder, CLEAR)["status"] == "could_not_check"

    def test_a_store_that_cannot_be_read_is_replaced_and_kept(self, folder: Folder, backup: Path) -> None:
        sign(folder)
        shutil.rmtree(folder.data / "store" / "appendonlydir")
        (folder.data / "store" / "appendonlydir").mkdir()
        assert folder("check", HIT).code == 1
        said = folder("restore", backup)
        assert said.code == 0, said
        assert "could not be read" in said.err
        assert asked(folder, HIT)["status"] == "hit"

    def test_one_that_went_another_way_is_refused(self, folder: Folder, backup: Path, elsewhere: Folder) -> None:
        """Two machines went on from one backup: neither takes the other's for its own."""
        assert elsewhere("restore", backup).code == 0
        accept(elsewhere, backup)
        for number in range(3):
            assert elsewhere("check", HIT, "--incident", f"CAD-{number}").code == 0
        sign(elsewhere)
        second = elsewhere.data.parent / "second"
        assert elsewhere("backup", second).code == 0
        assert folder("check", HIT, "--incident", "CAD-9").code == 0
        sign(folder)
        assert "they went different ways" in folder("restore", second).refusal
        assert "they went different ways" in folder("restore", second, "--older").refusal

    def test_not_while_a_console_or_a_command_uses_it(self, folder: Folder, backup: Path) -> None:
        lock = RunLock(folder.data)
        assert lock.take()
        assert folder("restore", backup).refusal.startswith("A console runs on ")
        lock.release()
        other = EmbeddedServer(folder.data / "store")
        other.ensure()
        assert folder("restore", backup).refusal.endswith("is in use by another program. Wait until that has ended.")
        assert other.alive()
        other.release()
        assert folder("restore", backup).code == 0

    def test_a_command_says_what_it_wants(self, folder: Folder, backup: Path) -> None:
        assert folder("restore").code == 2
        assert folder("restore", backup, "--give-up").code == 2
        assert folder("restore", "--give-up").out == "There was nothing to go back to.\n"


class TestErased:
    def test_what_was_erased_since_stays_erased(self, folder: Folder, backup: Path) -> None:
        with running(folder.settings()) as services:
            gone = next(m for m in services.index.all() if m.reference == "REF-1")
            now = services.now()
            services.erased.add(gone.marker_id, now)
            assert erase_again(services, ATTENDANT, now) == 1
        assert asked(folder, HIT)["status"] == "clear"
        assert folder("restore", backup, "--older").code == 0
        accept(folder, backup)
        assert asked(folder, HIT)["status"] == "clear"
        with running(folder.settings()) as services:
            assert [m.reference for m in services.index.all()] == ["REF-2"]
            assert gone.marker_id in {r.record_id for r in services.store.load("markers").records}
            assert erase_again(services, ATTENDANT, services.now()) == 1
            assert gone.marker_id not in {r.record_id for r in services.store.load("markers").records}
        assert set(folder.markers()) == {"REF-2"}
        reasons = [entry.reason for entry in folder.ledger()]
        assert "erased_again" in reasons

    def test_a_machine_that_never_learnt_of_an_erasure_says_that_it_may_come_back(
        self, folder: Folder, elsewhere: Folder, backup: Path
    ) -> None:
        """Erased here after the backup, restored there with the keys alone: nobody there can know of it."""
        with running(folder.settings()) as services:
            gone = next(m for m in services.index.all() if m.reference == "REF-1")
            services.erased.add(gone.marker_id, services.now())
            assert erase_again(services, ATTENDANT, services.now()) == 1
        done = elsewhere("restore", backup)
        assert done.code == 0
        assert (
            "What was erased after it comes back where this machine's register of erased markers does not" in done.out
        )
        assert "look through the requests for erasure since" in done.out
        accept(elsewhere, backup)
        assert set(elsewhere.markers()) == {"REF-1", "REF-2"}
        shutil.copytree(folder.data / "erased", elsewhere.data / "erased", dirs_exist_ok=True)
        with running(elsewhere.settings()) as services:
            assert erase_again(services, ATTENDANT, services.now()) == 1
        assert set(elsewhere.markers()) == {"REF-2"}, "the register, put in later, is heeded"

    def test_the_register_goes_along_and_the_two_are_united(
        self, folder: Folder, elsewhere: Folder, tmp_path: Path
    ) -> None:
        with running(folder.settings()) as services:
            markers = {m.reference: m.marker_id for m in services.index.all()}
            services.erased.add(markers["REF-1"], services.now())
            services.erased.add("other", services.now())
        assert folder("backup", tmp_path / "late").code == 0
        with running(elsewhere.settings()) as services:
            services.erased.add(markers["REF-2"], services.now())
        shutil.rmtree(elsewhere.data / "store")
        assert elsewhere("restore", tmp_path / "late", "--dry-run", "--json").json["restored"] is False
        assert "would gain 2" in elsewhere("restore", tmp_path / "late", "--dry-run").out
        assert elsewhere("restore", tmp_path / "late").code == 0
        with running(elsewhere.settings()) as services:
            assert set(services.erased.all()) == {"other", *markers.values()}
            assert list(services.index.all()) == []
        accept(elsewhere, tmp_path / "late")
        assert asked(elsewhere, HIT)["status"] == "clear"


class TestAttacks:
    def refused(self, elsewhere: Folder, source: Path) -> str:
        before = unchanged(elsewhere)
        refusals = {elsewhere("restore", source, *more).refusal for more in ((), ("--dry-run",))}
        assert unchanged(elsewhere) == before
        (refusal,) = refusals
        return refusal

    def files(self, backup: Path) -> list[str]:
        listed = [str(path.relative_to(backup)) for path in sorted(backup.rglob("*")) if path.is_file()]
        assert len(listed) > 15
        return [name for name in listed if name != "HANDLING.txt"]

    def test_one_byte_of_any_file(self, backup: Path, elsewhere: Folder) -> None:
        for name in self.files(backup):
            path = backup / name
            whole = path.read_bytes()
            if not whole:
                continue
            middle = len(whole) // 2
            path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
            words = self.refused(elsewhere, backup)
            assert str(path) in words or (name.startswith("manifest") and "manifest" in words), (name, words)
            path.write_bytes(whole)
        assert elsewhere("restore", backup).code == 0

    def test_any_file_cut_short_added_to_emptied_or_removed(self, backup: Path, elsewhere: Folder) -> None:
        for name in self.files(backup):
            path = backup / name
            whole = path.read_bytes()
            for wrong in (whole[:-1], whole + b"\0", b"", None):
                if wrong == whole or (name == "manifest.sig" and wrong == whole[:-1]):
                    continue  # an empty file emptied; the line's own end
                path.unlink()
                if wrong is not None:
                    path.write_bytes(wrong)
                self.refused(elsewhere, backup)
                path.write_bytes(whole)
        assert elsewhere("restore", backup).code == 0

    def test_a_manifest_of_another_backup_of_the_same_store(
        self, folder: Folder, backup: Path, elsewhere: Folder, tmp_path: Path
    ) -> None:
        assert folder("check", HIT, "--incident", "CAD-2").code == 0
        assert folder("backup", tmp_path / "second").code == 0
        for name in ("manifest.json", "manifest.sig"):
            shutil.copy(tmp_path / "second" / name, backup / name)
        assert "bytes, not" in self.refused(elsewhere, backup)

    def test_a_manifest_that_names_another_area_and_a_backup_of_one(
        self, folder: Folder, backup: Path, elsewhere: Folder, tmp_path: Path
    ) -> None:
        manifest = backup / "manifest.json"
        whole = manifest.read_text()
        manifest.write_text(whole.replace('"area": "quill"', '"area": "col"'))
        assert self.refused(elsewhere, backup).endswith("holds a backup of area col, not of quill.")
        manifest.write_text(whole)
        city = Folder(elsewhere.data, {"OVERLAY_AREA": "city_of_london"})
        assert "signing key" in city("restore", backup).refusal
        shutil.copy(folder.data / "keys" / "ledger-quill.key", folder.data / "keys" / "ledger-col.key")
        shutil.copy(folder.data / "keys" / "ledger-quill.key", elsewhere.data / "keys" / "ledger-col.key")
        assert city("restore", backup).refusal.endswith("holds a backup of area quill, not of col.")
        other = Folder(folder.data, {"OVERLAY_AREA": "city_of_london"})
        assert other("backup", tmp_path / "city").code == 0
        assert elsewhere("restore", tmp_path / "city").refusal.endswith("holds a backup of area col, not of quill.")

    def test_a_row_put_in_the_place_of_another_under_a_manifest_that_fits(
        self, folder: Folder, backup: Path, elsewhere: Folder
    ) -> None:
        """As if somebody held the signing key, but not the sealing keys."""
        path = backup / "records" / "markers.rows"
        rows = path.read_bytes()
        with running(folder.settings()) as services:
            one, two = (m.marker_id.encode() for m in services.index.all())
        swapped = rows.replace(one, b"?" * len(one)).replace(two, one).replace(b"?" * len(one), two)
        assert swapped != rows
        path.write_bytes(swapped)
        told = Manifest.read((backup / MANIFEST).read_bytes())
        held = Held(len(swapped), hashlib.sha256(swapped).hexdigest(), told.files["records/markers.rows"].rows)
        told.files["records/markers.rows"] = held
        key = SigningKey.load(folder.data / "keys", "quill")
        (backup / MANIFEST).write_bytes(told.as_json())
        (backup / SIGNATURE).write_bytes(base64.b64encode(key.sign_file(KIND, told.as_json())))
        assert "can't be opened: it was changed, moved or sealed with another key" in self.refused(elsewhere, backup)

    def test_a_file_a_folder_of_something_else_and_nothing(self, backup: Path, elsewhere: Folder) -> None:
        assert "is not a folder" in self.refused(elsewhere, backup / "manifest.json")
        assert "is not a folder" in self.refused(elsewhere, backup / "nowhere")
        assert "holds no whole backup" in self.refused(elsewhere, backup / "records")

    def test_a_link_in_the_place_of_a_file_is_not_followed(self, backup: Path, elsewhere: Folder) -> None:
        (backup / "ledger.rows").rename(backup.parent / "ledger.rows")
        (backup / "ledger.rows").symlink_to(backup.parent / "ledger.rows")
        assert "ledger.rows can't be read" in self.refused(elsewhere, backup)


class TestDestination:
    def test_odd_ones_are_refused_and_left_as_they_are(self, folder: Folder, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("mine")
        (tmp_path / "full").mkdir()
        (tmp_path / "full" / "mine").write_text("mine")
        before = contents(tmp_path)
        entries = len(folder.ledger())
        assert "is a file" in folder("backup", tmp_path / "file").refusal
        assert "is not empty" in folder("backup", tmp_path / "full").refusal
        assert "would be lost with it" in folder("backup", folder.data / "backup").refusal
        assert "would be lost with it" in folder("backup", folder.data / "store").refusal
        assert folder("backup", tmp_path / "file" / "below").code == 1
        assert contents(tmp_path) == before
        assert len(folder.ledger()) == entries

    def test_it_is_private_and_nothing_of_the_store_can_be_read_in_it(
        self, folder: Folder, backup: Path, elsewhere: Folder
    ) -> None:
        assert elsewhere("restore", backup).code == 0
        for below in (backup, elsewhere.data / "anchors", elsewhere.data / "gazetteer", elsewhere.data / "store"):
            for path in (below, *below.rglob("*")):
                assert path.stat().st_mode & 0o077 == 0, path
        ring = (folder.data / "keys" / "ring.json").read_bytes()
        secret = (folder.data / "keys" / "ledger-quill.key").read_bytes().strip()
        for name, content in contents(backup).items():
            assert secret not in content
            assert ring[100:140] not in content
            assert name.startswith("gazetteer/") or b"allow" not in content, name

    def test_an_empty_one_is_used(self, folder: Folder, elsewhere: Folder, tmp_path: Path) -> None:
        (tmp_path / "stick").mkdir()
        assert folder("backup", tmp_path / "stick").code == 0
        assert elsewhere("restore", tmp_path / "stick").code == 0

    def test_a_disk_that_is_full_leaves_nothing_and_says_so(self, folder: Folder, tmp_path: Path) -> None:
        def at_most() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))

        server = EmbeddedServer(folder.data / "store")  # running already, so that the limit is not its own
        server.ensure()
        done = folder.process("backup", tmp_path / "full", preexec_fn=at_most)
        server.release()
        assert done.code == 1
        assert "File too large" in done.err
        assert str(tmp_path / "full") in done.err
        assert not (tmp_path / "full").exists()
        assert asked(folder, HIT)["status"] == "hit"

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
    def test_a_small_disk_is_full(self, folder: Folder, tmp_path: Path) -> None:
        small = tmp_path / "small"
        small.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", small], check=False)  # noqa: S607
        if mounted.returncode:
            (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("nothing can be mounted here")
        try:
            assert folder("backup", small).refusal.endswith("No space left on device")
            assert list(small.iterdir()) == []
        finally:
            subprocess.run(["umount", small], check=True)  # noqa: S607
        assert asked(folder, HIT)["status"] == "hit"

    def test_a_store_behind_its_anchors_is_not_backed_up(self, folder: Folder, backup: Path, tmp_path: Path) -> None:
        assert folder("check", HIT, "--incident", "CAD-2").code == 0
        sign(folder)
        assert folder("restore", backup, "--older").code == 0
        assert "a person has to decide" in folder("backup", tmp_path / "never").refusal
        assert not (tmp_path / "never").exists()


class TestCutShort:
    @pytest.fixture
    def large(self, folder: Folder) -> Path:
        """A backup that takes a moment to put back."""
        with running(folder.settings()) as services:
            template = next(services.store.ledger()).entry
            for _ in range(10):
                entries = tuple(
                    template.replace(LedgerEntry.from_bytes(template).entry_id.encode(), str(uuid.uuid4()).encode())
                    for _ in range(2_000)
                )
                services.store.commit(Commit(str(uuid.uuid4()), {}, (), entries))
        made = folder.data.parent / "large"
        assert folder("backup", made).code == 0
        return made

    def killed(self, machine: Folder, source: Path, after_s: float) -> bool:
        """Kill the command so long after it began to change something; whether it had not ended by then."""
        process = machine.start("restore", source, "--older")
        with killed_in_the_end(process):
            until = time.monotonic() + 60
            while not (machine.data / "restoring.json").exists() and process.poll() is None:
                assert time.monotonic() < until
                time.sleep(0.001)
            time.sleep(after_s)
            os.kill(process.pid, signal.SIGKILL)
        return (machine.data / "restoring.json").exists()

    def test_killed_at_any_point_nothing_starts_until_it_is_done_again_or_given_up(
        self, folder: Folder, large: Path, elsewhere: Folder
    ) -> None:
        markers, entries = folder.markers(), len(folder.ledger())
        for machine in (folder, elsewhere):
            cut = 0
            for after_s in (0.0, 0.05, 0.1, 0.2, 0.4, 0.6):
                if not self.killed(machine, large, after_s):
                    break
                cut += 1
                for command in (("check", HIT), ("run",), ("backup", large.parent / "no"), ("ledger", "search")):
                    refusal = machine(*command).last_refusal
                    assert refusal.startswith("A backup is being restored into"), command
                    assert "overlay restore --give-up" in refusal
            assert cut >= 3
            if machine is folder:
                assert self.killed(machine, large, 0.1)
                assert machine("restore", "--give-up").out == "Everything is as it was before.\n"
                assert list(machine.data.glob("store.*")) == []
                assert machine.markers() == markers
                assert len(machine.ledger()) == entries
                assert asked(machine, HIT)["status"] == "hit"
        done = elsewhere("restore", large)
        assert done.code == 0, done
        accept(elsewhere, large)
        assert elsewhere.markers() == markers
        assert list(elsewhere.data.glob("store.*")) == []
        assert not (elsewhere.data / "restoring.json").exists()
        assert asked(elsewhere, CLEAR)["status"] == "clear"

    def test_killed_between_the_two_names_the_first_store_comes_back(self, folder: Folder, backup: Path) -> None:
        markers = folder.markers()
        journal = {
            "source": str(backup),
            "begun_at": "2026-11-28T14:00:00+00:00",
            "new": "store.restoring-x",
            "kept": "store.kept-x",
            "anchors": None,
        }
        (folder.data / "store").rename(folder.data / "store.kept-x")
        (folder.data / "store.restoring-x").mkdir(mode=0o700)
        (folder.data / "restoring.json").write_text(json.dumps(journal))
        assert folder("restore", "--give-up").code == 0
        assert folder.markers() == markers
        assert sorted(path.name for path in folder.data.glob("store*")) == ["store"]

    def test_killed_after_it_had_done_all_it_stands(self, folder: Folder, backup: Path, elsewhere: Folder) -> None:
        for machine in (folder, elsewhere):
            assert machine("restore", backup).code == 0
            kept = next((path.name for path in machine.data.glob("store.kept-*")), None)
            journal = {"source": "", "begun_at": "", "new": "store.restoring-x", "kept": kept, "anchors": None}
            (machine.data / "restoring.json").write_text(json.dumps(journal))
            assert machine("check", HIT).code == 1
            assert machine("restore", "--give-up").out == "The restore had ended, so it stands.\n"
            if machine is elsewhere:
                accept(machine, backup)
            assert asked(machine, HIT)["status"] == "hit"

    def test_a_note_that_cannot_be_read_is_left_to_a_person(self, folder: Folder, backup: Path) -> None:
        (folder.data / "restoring.json").write_text("{")
        before = unchanged(folder)
        assert "by hand" in folder("restore", backup).refusal
        assert "by hand" in folder("restore", "--give-up").refusal
        assert unchanged(folder) == before

    def test_a_disk_that_fills_while_restoring_is_undone(self, folder: Folder, large: Path) -> None:
        def at_most() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))

        markers = folder.markers()
        done = folder.process("restore", large, "--older", preexec_fn=at_most)
        assert done.code == 1, done
        assert "Traceback" not in done.err
        assert list(folder.data.glob("store.*")) == []
        assert not (folder.data / "restoring.json").exists()
        assert folder.markers() == markers


class TestExternalStore:
    @pytest.fixture
    def outside(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
        """An empty server that is not the data folder's own."""
        server = EmbeddedServer(tmp_path_factory.mktemp("x") / "store")
        yield server.ensure()
        server.stop(kill=True)

    @pytest.fixture
    def host(self, elsewhere: Folder, outside: str) -> Folder:
        return Folder(elsewhere.data, {"OVERLAY_STORE_URL": outside})

    def test_into_an_empty_area_and_never_over_another(self, folder: Folder, backup: Path, host: Folder) -> None:
        said = host("restore", backup)
        assert said.code == 0, said
        accept(host, backup)
        assert asked(host, HIT)["status"] == "hit"
        assert host.markers() == folder.markers()
        refusal = host("restore", backup, "--older").refusal
        assert refusal.startswith("Area quill of this store is not empty")
        assert "OVERLAY_STORE_URL" in refusal
        assert host.markers() == folder.markers()
        assert not (host.data / "restoring.json").exists()
        again = host.data.parent / "again"
        assert host("backup", again).code == 0

    def test_cut_short_it_is_refused_by_every_host_and_cleared_by_the_next(
        self, folder: Folder, backup: Path, host: Folder, outside: str
    ) -> None:
        store = store_of(host, outside)
        store.begin("2026-11-28T14:00:00+00:00", {"markers": 1, "other": 1})
        row = b"\0\0\0\1x\0\0\0\x041 :x"
        assert store.rows("put", "records", "markers", 0, row) == (1, 0)
        other_host = Folder(folder.data, {"OVERLAY_STORE_URL": outside})
        for machine in (host, other_host):
            assert "a backup is being restored into area quill" in machine("check", HIT).refusal
        with pytest.raises(RestoreUnfinished):
            Store(outside, "quill", Vault(KeyRing.load(folder.data / "keys"), "quill"), timeout_s=2).bind()
        assert host("restore", backup).code == 0
        accept(host, backup)
        assert host.markers() == folder.markers()
        store.close()

    def test_what_the_store_holds_is_compared_with_what_was_written(
        self, backup: Path, elsewhere: Folder, outside: str
    ) -> None:
        store = store_of(elsewhere, outside)
        token = "ab" * 16
        row = b"\0\0\0\1x\0\0\0\x251 " + token.encode() + b":xy"
        store.begin("2026-11-28T14:00:00+00:00", {"markers": 1})
        assert store.rows("put", "records", "markers", 0, row) == (1, 1)
        assert store.rows("compare", "records", "markers", 0, row) == (1, 1)
        assert store.rows("compare", "records", "markers", 0, row[:-1] + b"z")[0] == 0
        entry = b"\0\0\0\2id\0\0\0\3abc"
        assert store.rows("put", "ledger", "", 0, entry) == (1, 0)
        assert store.rows("compare", "ledger", "", 0, entry)[0] == 1
        assert store.rows("compare", "ledger", "", 1, entry)[0] == 0
        assert store.rows("compare", "ledger", "", 0, entry[:-1] + b"d")[0] == 0
        note = b"\0\0\0\1" + b"7" + b"\0\0\0\4note"
        assert store.rows("put", "checkpoints", "", 0, note) == (1, 0)
        assert store.rows("compare", "checkpoints", "", 0, note)[0] == 1
        assert store.rows("compare", "checkpoints", "", 0, note[:-1] + b"E")[0] == 0
        assert store.lengths("markers") == (1, 1)
        assert store.stream_lengths() == (1, 1)
        mark = store.unfinished()
        assert mark is not None
        store.clear(mark)
        assert store.unfinished() is None
        assert store.lengths("markers") == (0, 0)
        assert store.stream_lengths() == (0, 0)
        store.close()


def test_a_look_that_waits_in_the_spool_and_is_in_the_backup_is_not_entered_twice(
    folder: Folder, tmp_path: Path
) -> None:
    """Sent, but its file not yet removed when the power went: the backup has it, the spool still does."""
    with running(folder.settings()) as services:
        vault = services.vault
        spool = Spool(folder.data / "spool", vault)
        known = LedgerEntry.from_bytes(next(services.store.ledger()).entry)
        spool.append(replace(known, entry_id="sent-before"))
        spool.append(replace(known, entry_id="never-sent"))
        spool.close()
        (file,) = (folder.data / "spool").glob("*.spool")
        requests = dict(spool.waiting())
        first = next(request for request, plain in requests.items() if b"sent-before" in plain)
        services.store.commit(Commit(first, {}, (), (requests[first],)))
    made = tmp_path / "made"
    kept = file.read_bytes()
    assert folder("backup", made).code == 0
    assert file.read_bytes() == kept
    assert folder("restore", made).code == 0
    with running(folder.settings()) as services:
        assert services.spool.replay(services.store) == 2
    ids = [entry.entry_id for entry in folder.ledger()]
    assert ids.count("sent-before") == 1
    assert ids.count("never-sent") == 1
