"""Twelve attacks on the ledger, in a real store or in a real export: each caught up to the last anchor, by number.

The auditor holds the fingerprint of the key, and a copy of the anchors where that is needed.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from markers.anchors import Anchors, AnchorsFailed
from markers.checkpoints import SigningKey
from markers.commits import Commit
from markers.ledger import LedgerEntry, Operation, Via
from markers.ledger_export import ExportRefused, export, line
from markers.ledger_index import LedgerIndex
from markers.ledger_verify import NotAnExport, Verified, verify
from markers.merkle import Frontier, leaf_hash
from markers.sealer import ClockBehind, Sealer
from markers.store import Store
from markers.vault import KeyRing, Vault

NOW = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class Force:
    """One force's ledger: its store, keys and sealer, and the anchors as its auditor keeps them."""

    def __init__(self, url: str, folder: Path) -> None:
        self.folder, self.url = folder, url
        self.ring = KeyRing.create(folder / "keys")
        self.vault = Vault(self.ring, "quill")
        self.store = Store(url, "quill", self.vault)
        self.key = SigningKey.create(folder / "keys", "quill")
        self.anchors = Anchors(folder / "anchors")
        self.sealer = Sealer(self.store, self.key, self.anchors, LedgerIndex(folder / "index.sqlite", self.vault))
        self.clock = NOW
        self.raw = redis.Redis.from_url(url)

    def entry(self, at: datetime | None = None, **fields: Any) -> LedgerEntry:
        given = {"incident": f"CAD-{uuid.uuid4().hex[:4]}", **fields}
        who = ("person", "call_handler", Via.WEB)
        return LedgerEntry(str(uuid.uuid4()), at or self.clock, Operation.CONSULTATION, *who, **given)

    def look(self, *entries: LedgerEntry) -> None:
        for entry in entries:
            self.store.commit(Commit(str(uuid.uuid4()), {}, (), (entry.canonical(),)))

    def second(self, looks: int = 3) -> None:
        """A second of the control room: some looks, then a checkpoint."""
        self.look(*(self.entry() for _ in range(looks)))
        self.sealer.step(self.clock)
        self.clock += SECOND

    def export(self) -> Path:
        folder = self.folder / f"export-{uuid.uuid4().hex[:6]}"
        export(self.store, self.anchors, self.key.public, folder, self.clock)
        return folder

    def put(self, sequence: int, entry: bytes) -> None:
        """Write an entry into the store beside the commit, well sealed: what one with the keys could do."""
        entry_id = uuid.uuid4().hex
        fields = {"id": entry_id, "entry": self.vault.seal("ledger", entry_id, 1, entry)}
        self.raw.xadd("wmo:{quill}:ledger", fields, id=f"{sequence}-0")  # type: ignore[arg-type]

    def rewrite(self, entries: list[bytes]) -> None:
        """Replace the ledger and take its checkpoints away."""
        self.raw.delete("wmo:{quill}:ledger", "wmo:{quill}:checkpoints")
        for sequence, entry in enumerate(entries, 1):
            self.put(sequence, entry)
        self.raw.hset("wmo:{quill}:positions", ".ledger", len(entries))

    def entries(self) -> list[bytes]:
        return [record.entry for record in self.store.ledger()]


@pytest.fixture
def force(store_url: str, tmp_path: Path) -> Iterator[Force]:
    """Twelve looks under four checkpoints, each anchored."""
    force = Force(store_url, tmp_path)
    for _ in range(4):
        force.second()
    yield force
    force.store.close()
    force.raw.close()


@pytest.fixture
def auditors(force: Force) -> Path:
    """The auditor's own copy of the anchors, out of the attacker's reach."""
    return shutil.copytree(force.anchors.folder, force.folder / "auditor")


def checked(force: Force, folder: Path, anchors: Path | None = None) -> Verified:
    return verify(folder, pinned=force.key.public.fingerprint, anchors=anchors, processes=1)


def first_bad(force: Force, folder: Path, anchors: Path | None = None) -> tuple[int, str]:
    found = checked(force, folder, anchors)
    assert found.fault is not None
    assert f"entry {found.fault.sequence}" in found.fault.words
    return found.fault.sequence, found.fault.words


def lines_of(folder: Path) -> list[bytes]:
    return (folder / "entries.jsonl").read_bytes().splitlines(keepends=True)


def entry_of(row: bytes) -> bytes:
    return row[row.index(b'"entry":') + 8 : -2]


def write_lines(folder: Path, rows: list[bytes]) -> None:
    (folder / "entries.jsonl").write_bytes(b"".join(rows))


def write_entries(folder: Path, entries: list[bytes]) -> None:
    """Numbers and leaf hashes made anew, and the manifest to match: the best forgery without a key."""
    write_lines(folder, [line(number, entry) for number, entry in enumerate(entries, 1)])
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "entries": len(entries)}))


def changed(entry: bytes) -> bytes:
    return entry.replace(b'"actor_id":"person"', b'"actor_id":"nobody"')


class TestAClean:
    def test_export_passes_and_says_how_far_it_is_vouched_for(self, force: Force, auditors: Path) -> None:
        folder = force.export()
        for anchors in (None, auditors, auditors.parent):
            if anchors == auditors.parent:
                auditors = auditors.rename(auditors.parent / "quill")
            found = checked(force, folder, anchors)
            assert found.fault is None
            assert (found.entries, found.signed, found.anchored, found.after_anchor) == (12, 12, 12, 0)
            assert found.signed_at == found.anchored_at == NOW + 3 * SECOND
            assert (found.fingerprint, found.pinned) == (force.key.public.fingerprint, True)
            assert found.accepted == ()
        assert verify(folder).pinned is False

    def test_export_lies_in_a_folder_of_its_own_for_nobody_else(self, force: Force) -> None:
        folder = force.export()
        assert folder.stat().st_mode & 0o077 == 0
        assert all(path.stat().st_mode & 0o077 == 0 for path in folder.rglob("*"))
        assert (folder / "HANDLING.txt").read_text().startswith("OFFICIAL-SENSITIVE")
        assert [entry_of(row) for row in lines_of(folder)] == force.entries()
        with pytest.raises(ExportRefused, match="not an empty folder"):
            export(force.store, force.anchors, force.key.public, folder, NOW)

    def test_ledger_without_any_entry_passes(self, store_url: str, tmp_path: Path) -> None:
        empty = Force(store_url, tmp_path)
        found = checked(empty, empty.export())
        assert (found.fault, found.entries, found.signed_at) == (None, 0, None)
        empty.store.close()

    def test_entries_after_the_last_anchor_are_told_as_not_anchored_yet(self, force: Force, auditors: Path) -> None:
        force.look(force.entry(), force.entry())
        found = checked(force, force.export())
        assert (found.fault, found.entries, found.signed, found.anchored, found.after_anchor) == (None, 14, 12, 12, 2)
        force.second()
        found = checked(force, force.export(), auditors)
        assert (found.fault, found.signed, found.anchored, found.after_anchor) == (None, 17, 17, 0)

    def test_late_entry_is_no_clock_set_back(self, force: Force) -> None:
        force.look(force.entry(NOW - timedelta(days=2), late=True))
        force.second()
        assert checked(force, force.export()).fault is None

    def test_ledger_of_several_pieces_passes(self, force: Force, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("markers.ledger_pieces.PIECE_BYTES", 700)
        folder = force.export()
        assert checked(force, folder).fault is None
        write_entries(folder, force.entries()[:9] + [changed(entry) for entry in force.entries()[9:]])
        assert first_bad(force, folder)[0] == 10


class TestEdit:
    def test_of_an_entry_in_the_export(self, force: Force) -> None:
        folder = force.export()
        rows = lines_of(folder)
        write_lines(folder, [*rows[:4], changed(rows[4]), *rows[5:]])
        assert first_bad(force, folder) == (5, "entry 5 was changed: it does not fit its own leaf hash")

    def test_of_an_entry_and_its_leaf_hash(self, force: Force) -> None:
        folder = force.export()
        entries = force.entries()
        write_entries(folder, [*entries[:4], changed(entries[4]), *entries[5:]])
        sequence, words = first_bad(force, folder)
        assert (sequence, words[:50]) == (5, "entry 5 is not the one that the checkpoint of 25 N")

    def test_in_the_store_with_its_keys(self, force: Force, auditors: Path) -> None:
        entries = force.entries()
        checkpoints = list(force.store.checkpoints())
        force.rewrite([*entries[:6], changed(entries[6]), *entries[7:]])
        for size, note in checkpoints:
            force.raw.xadd("wmo:{quill}:checkpoints", {"note": note}, id=f"{size}-0")
        assert first_bad(force, force.export())[0] == 7
        assert first_bad(force, force.export(), auditors)[0] == 7

    def test_that_leaves_no_entry(self, force: Force) -> None:
        folder = force.export()
        entries = force.entries()
        write_entries(folder, [*entries[:2], b"{}", *entries[3:]])
        assert first_bad(force, folder) == (3, "entry 3 is not a ledger entry in canonical form")
        rows = lines_of(folder)
        write_lines(folder, [*rows[:2], b"nothing\n", *rows[3:]])
        assert first_bad(force, folder)[0] == 3


class TestDelete:
    def test_of_a_line(self, force: Force) -> None:
        folder = force.export()
        rows = lines_of(folder)
        write_lines(folder, rows[:4] + rows[5:])
        assert first_bad(force, folder) == (5, "entry 5 is missing: entry 6 stands in its place")

    @pytest.mark.parametrize("gone", [0, 4, 11])
    def test_of_an_entry_with_the_rest_renumbered(self, force: Force, gone: int) -> None:
        folder = force.export()
        entries = force.entries()
        write_entries(folder, entries[:gone] + entries[gone + 1 :])
        assert first_bad(force, folder)[0] == gone + 1

    def test_in_the_store(self, force: Force) -> None:
        force.raw.xdel("wmo:{quill}:ledger", "5-0")
        with pytest.raises(Exception, match="ledger entry 5 is missing"):
            force.export()


class TestReorder:
    def test_of_lines_and_of_entries(self, force: Force) -> None:
        folder = force.export()
        rows, entries = lines_of(folder), force.entries()
        write_lines(folder, [*rows[:3], rows[4], rows[3], *rows[5:]])
        assert first_bad(force, folder) == (4, "entry 4 is missing: entry 5 stands in its place")
        write_entries(folder, [*entries[:3], entries[4], entries[3], *entries[5:]])
        assert first_bad(force, folder)[0] == 4

    def test_within_the_store(self, force: Force, auditors: Path) -> None:
        entries = force.entries()
        notes = list(force.store.checkpoints())
        force.rewrite([*entries[:7], entries[8], entries[7], *entries[9:]])
        for size, note in notes:
            force.raw.xadd("wmo:{quill}:checkpoints", {"note": note}, id=f"{size}-0")
        assert first_bad(force, force.export(), auditors)[0] == 8


class TestInsert:
    @pytest.mark.parametrize("at", [0, 5, 12])
    def test_of_an_entry_that_was_never_made(self, force: Force, at: int) -> None:
        force.second(1)
        folder = force.export()
        entries = force.entries()
        write_entries(folder, [*entries[:at], force.entry(force.clock - SECOND).canonical(), *entries[at:]])
        assert first_bad(force, folder)[0] == at + 1

    def test_of_a_line_twice(self, force: Force) -> None:
        folder = force.export()
        rows = lines_of(folder)
        write_lines(folder, [*rows[:6], rows[5], *rows[6:]])
        assert first_bad(force, folder) == (7, "entry 7 is entry 6 once more")


class TestTruncate:
    @pytest.mark.parametrize("left", [0, 5, 11])
    def test_of_entries_alone(self, force: Force, left: int) -> None:
        folder = force.export()
        write_entries(folder, force.entries()[:left])
        assert first_bad(force, folder)[0] == left + 1

    def test_in_the_middle_of_a_line(self, force: Force) -> None:
        folder = force.export()
        whole = (folder / "entries.jsonl").read_bytes()
        (folder / "entries.jsonl").write_bytes(whole[:-40])
        assert first_bad(force, folder) == (12, "entry 12 is cut short")

    @pytest.mark.parametrize("left", [6, 8])
    def test_of_entries_with_their_checkpoints(self, force: Force, auditors: Path, left: int) -> None:
        """In the store: what stays is whole and signed, and only the anchors know of more."""
        force.raw.xdel("wmo:{quill}:ledger", *(f"{number}-0" for number in range(left + 1, 13)))
        force.raw.xdel("wmo:{quill}:checkpoints", "9-0", "12-0")
        force.raw.hset("wmo:{quill}:positions", ".ledger", left)
        folder = force.export()
        assert first_bad(force, folder) == (
            left + 1,
            f"entry {left + 1} is missing: the anchor of 25 November 2026 03:00:02 (UTC) reaches entry 9",
        )
        shutil.rmtree(folder / "anchors")
        assert checked(force, folder).fault is None
        assert first_bad(force, folder, auditors)[0] == left + 1


class TestRebuiltChain:
    def test_with_another_key(self, force: Force, auditors: Path) -> None:
        """Everything made anew, consistent in itself, by one who has the store, its keys and the anchors in it."""
        other = rebuilt(force, SigningKey("quill", os.urandom(32)), change=4)
        assert verify(other).fault is None
        sequence, words = first_bad(force, other)
        assert (sequence, words.endswith("not with the one you hold")) == (1, True)
        (other / "ledger.pub").write_text(force.key.public.line)
        assert first_bad(force, other)[0] == 1
        assert first_bad(force, other, auditors)[0] == 1

    @pytest.mark.parametrize("change", [0, 4, 11])
    def test_with_the_stolen_key_falls_to_the_auditors_anchors(self, force: Force, auditors: Path, change: int) -> None:
        other = rebuilt(force, force.key, change)
        assert checked(force, other).fault is None
        sequence, words = first_bad(force, other, auditors)
        assert (sequence, "the anchor of 25 November" in words) == (change + 1, True)

    def test_with_an_acceptance_forged_under_another_key(self, force: Force, auditors: Path) -> None:
        other = rebuilt(force, force.key, 4)
        told = list(Anchors(auditors).statements())[-1]
        forged = SigningKey("quill", os.urandom(32)).sign(12, told.root, force.clock, accept=(12, "A", "because"))
        Anchors(auditors).append([forged])
        assert first_bad(force, other, auditors)[0] == 5


def rebuilt(force: Force, key: SigningKey, change: int) -> Path:
    """An export of the ledger with one entry changed and every tree and signature made to fit."""
    entries = force.entries()
    entries[change] = changed(entries[change])
    signed = list(force.anchors.statements())
    force.rewrite(entries)
    shutil.rmtree(force.anchors.folder)
    tree = Frontier()
    for told in signed:
        leaves = tuple(leaf_hash(entry) for entry in entries[tree.size : told.size])
        for leaf in leaves:
            tree.append(leaf)
        made = key.sign(told.size, tree.root(), told.at, leaves)
        force.store.seal(told.size - len(leaves), told.size, made.note)
        force.anchors.append([made])
    folder = force.folder / f"rebuilt-{change}"
    export(force.store, force.anchors, key.public, folder, force.clock)
    return folder


class TestRolledBackStore:
    def test_is_seen_by_its_anchors(self, force: Force, auditors: Path) -> None:
        """An older backup of the whole store, gone on with: new looks stand where anchored ones stood."""
        notes = list(force.store.checkpoints())
        entries = force.entries()[:6]
        force.rewrite(entries)
        for size, note in notes[:2]:
            force.raw.xadd("wmo:{quill}:checkpoints", {"note": note}, id=f"{size}-0")
        assert first_bad(force, force.export(), auditors)[0] == 7
        Store(force.url, "quill", force.vault).commit(
            Commit(str(uuid.uuid4()), {}, (), tuple(force.entry().canonical() for _ in range(6)))
        )
        sequence, words = first_bad(force, force.export(), auditors)
        assert (sequence, words[:36]) == (7, "entry 7 is not the one that the anchor"[:36])

    def test_that_a_person_accepted_passes_and_is_told(self, force: Force, auditors: Path) -> None:
        force.rewrite(force.entries()[:6])
        tree = Frontier()
        for entry in force.entries():
            tree.append(leaf_hash(entry))
        told = force.key.sign(6, tree.root(), force.clock, accept=(12, "A Supervisor", "disk replaced"))
        force.anchors.append([told])
        force.store.floor = 0
        force.second()
        found = checked(force, force.export())
        assert (found.fault, found.entries, found.anchored) == (None, 9, 9)
        assert [(one.size, one.instead, one.by, one.why) for one in found.accepted] == [
            (6, 12, "A Supervisor", "disk replaced")
        ]
        assert first_bad(force, force.export(), auditors)[0] == 7


class TestSwappedKey:
    def test_in_the_export(self, force: Force) -> None:
        folder = force.export()
        other = SigningKey("quill", os.urandom(32))
        (folder / "ledger.pub").write_text(other.public.line)
        assert first_bad(force, folder)[0] == 1
        found = verify(folder, processes=1)
        assert found.fault is not None
        assert (found.fault.sequence, "another key" in found.fault.words) == (1, True)

    def test_from_one_moment_on(self, force: Force) -> None:
        other = Sealer(
            force.store,
            SigningKey("quill", os.urandom(32)),
            Anchors(force.folder / "other"),
            LedgerIndex(force.folder / "other.sqlite", force.vault),
        )
        with pytest.raises(Exception, match="signed with another key"):
            other.step(force.clock)
        force.look(force.entry())
        leaves = (leaf_hash(force.entries()[-1]),)
        tree = Frontier()
        for entry in force.entries():
            tree.append(leaf_hash(entry))
        told = SigningKey("quill", os.urandom(32)).sign(13, tree.root(), force.clock, leaves)
        force.store.seal(12, 13, told.note)
        assert first_bad(force, force.export()) == (
            13,
            "entry 13: the checkpoint behind entry 12 can't be relied on: it is signed with another key",
        )


class TestReplay:
    @pytest.mark.parametrize("late", [False, True])
    def test_of_an_entry_at_the_end_is_seen_though_it_was_signed(self, force: Force, late: bool) -> None:
        """Through the application itself: a new entry with the bytes of an old one."""
        force.look(force.entry(late=late))
        force.second()
        old = force.entries()[12]
        force.store.commit(Commit(str(uuid.uuid4()), {}, (), (old,)))
        force.second()
        assert first_bad(force, force.export()) == (17, "entry 17 is entry 13 once more: they have the same entry id")

    def test_of_a_sealed_entry_in_place_of_another(self, force: Force) -> None:
        entries = force.entries()
        force.rewrite([*entries[:8], entries[2], *entries[9:]])
        assert first_bad(force, force.export())[0] == 9


class TestClockSetBack:
    def test_lets_nothing_be_signed(self, force: Force) -> None:
        force.look(force.entry(NOW - timedelta(hours=1)))
        with pytest.raises(ClockBehind):
            force.sealer.step(NOW - timedelta(hours=1))

    def test_and_put_right_again_shows_in_what_was_written_meanwhile(self, force: Force) -> None:
        force.look(force.entry())
        force.look(force.entry(NOW - timedelta(hours=1)))
        force.second()
        sequence, words = first_bad(force, force.export())
        assert (sequence, "dated 2026-11-25T02:00:00.000000Z, long before" in words) == (14, True)

    def test_after_an_entry_shows_too(self, force: Force) -> None:
        force.look(force.entry(NOW + timedelta(hours=1)))
        force.second()
        sequence, words = first_bad(force, force.export())
        assert (sequence, "after its own checkpoint" in words) == (13, True)

    def test_with_the_stolen_key_shows_in_the_checkpoints(self, force: Force) -> None:
        force.look(force.entry())
        leaves = (leaf_hash(force.entries()[-1]),)
        tree = Frontier()
        for entry in force.entries():
            tree.append(leaf_hash(entry))
        force.store.seal(12, 13, force.key.sign(13, tree.root(), NOW - timedelta(hours=2), leaves).note)
        assert first_bad(force, force.export())[0] == 13

    def test_a_list_that_took_hours_to_load_is_none(self, force: Force) -> None:
        began = NOW - timedelta(hours=1)
        row = LedgerEntry(str(uuid.uuid4()), began, Operation.COLLECTION, "os:x", "service", Via.CLI, reason="import")
        force.look(row)
        force.second()
        assert checked(force, force.export()).fault is None


class TestForgedCheckpoint:
    @pytest.mark.parametrize("what", ["time", "root", "leaves", "size"])
    def test_that_says_something_else(self, force: Force, what: str) -> None:
        folder = force.export()
        notes = (folder / "checkpoints.txt").read_text()
        third = notes.split("\n\noverlay")[2]
        lines = third.splitlines()
        forged = {
            "time": third.replace("03:00:02.0", "03:00:02.1"),
            "root": third.replace(lines[2], lines[2][::-1].replace("=", "") + "="),
            "leaves": third.replace(lines[4], lines[4].replace(lines[4][10:14], "AAAA")),
            "size": third.replace("\n9\n", "\n10\n"),
        }[what]
        assert forged != third
        (folder / "checkpoints.txt").write_text(notes.replace(third, forged))
        sequence, words = first_bad(force, folder)
        assert (sequence, "can't be relied on" in words) == (7, True)

    def test_taken_out(self, force: Force) -> None:
        folder = force.export()
        notes = (folder / "checkpoints.txt").read_text()
        second = notes.split("\n\noverlay")[1]
        (folder / "checkpoints.txt").write_text(notes.replace(f"\n\noverlay{second}", "", 1))
        assert first_bad(force, folder) == (
            4,
            "entry 4: the checkpoint over 9 entries does not follow the one over 3",
        )

    def test_among_the_anchors(self, force: Force) -> None:
        folder = force.export()
        (path,) = (folder / "anchors").iterdir()
        path.write_text(path.read_text().replace("03:00:01.0", "03:00:01.1"))
        assert first_bad(force, folder) == (
            4,
            "entry 4: the anchors behind entry 3 can't be relied on: its signature is not over what it says",
        )


class TestWhatIsNoExport:
    @pytest.mark.parametrize("part", ["manifest.json", "ledger.pub"])
    def test_a_part_that_is_missing_or_damaged(self, force: Force, part: str) -> None:
        folder = force.export()
        for content in ("", "{}", "[]", '{"format": 2}', "x" * 100):
            (folder / part).write_text(content)
            with pytest.raises(NotAnExport):
                verify(folder)
        (folder / part).unlink()
        with pytest.raises(NotAnExport, match=part):
            verify(folder)

    def test_anchors_that_are_none(self, force: Force, tmp_path: Path) -> None:
        with pytest.raises(AnchorsFailed, match="no anchors"):
            checked(force, force.export(), tmp_path / "nowhere")
