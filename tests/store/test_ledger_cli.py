"""`overlay ledger`: search a home however it is written, export, verify offline, accept a restored store."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from markers.ledger import Operation
from markers.server import EmbeddedServer
from tests.store.commands import Folder, write_csv
from tests.unit.test_matching import HOMES


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A data folder with a gazetteer of six homes, a marker on one, and three looks."""
    folder = Folder(tmp_path_factory.mktemp("l") / "data")
    homes = [{"uprn": home.uprn or "", "address": home.address, "postcode": home.postcode or ""} for home in HOMES]
    path = folder.data.parent
    assert folder("gazetteer", "load", write_csv(path / "homes.csv", homes)).code == 0
    marked = [{"reference": "REF-9", "category": "court_order", "address": "Flat 3, 14 Tallow Yard, EC9A 1AB"}]
    both = ("--by", "A", "--approved-by", "B")
    assert folder("markers", "import", write_csv(path / "marked.csv", marked), *both).code == 0
    for number, text in enumerate(
        ("flat 3 14 tallow yd ec9a 1ab", "Flat 3, 14 Tallow Yard", "18 Tallow Yard, EC9A 1AB")
    ):
        assert folder("check", text, "--incident", f"CAD-{number}").code == 0
    return folder


def incidents(folder: Folder, *arguments: str) -> list[str]:
    rows = folder("ledger", "search", *arguments, "--json").json
    return [row["incident"] for row in rows if row["reason"] == "incident_response"]


def test_looks_at_a_home_are_found_however_it_was_written(folder: Folder) -> None:
    for asked in (
        ("--address", "FLAT 3 14 TALLOW YARD", "--postcode", "ec9a1ab"),
        ("--address", "Flat 3, 14, Tallow Yd., EC9A 1AB"),
        ("--marker", "REF-9"),
        ("--marker", "ref-9"),
    ):
        assert incidents(folder, *asked) == ["CAD-0", "CAD-1"], asked
    assert incidents(folder, "--address", "18 Tallow Yard, EC9A 1AB") == ["CAD-2"]
    assert incidents(folder, "--address", "19 Tallow Yard, EC9A 1AB") == []
    assert incidents(folder, "--since", "2026-01-01", "--incident", "CAD-1") == ["CAD-1"]
    assert incidents(folder, "--until", "2026-01-01T00:00", "--incident", "CAD-1") == []


def test_a_search_is_logged_with_tokens_alone(folder: Folder) -> None:
    folder("ledger", "search", "--address", "Flat 3, 14 Tallow Yard", "--incident", "CAD-1", "--actor", "someone")
    entry = folder.ledger()[-1]
    assert (entry.operation, entry.reason, entry.incident) == (Operation.CONSULTATION, "ledger_search", None)
    assert len(entry.about) >= 4
    assert all(len(token) == 64 for token in entry.about)
    assert b"allow" not in entry.canonical()
    assert folder("ledger", "search", "--postcode", "nonsense at all", "--json").code in (0, 1)


def test_an_export_is_logged_and_verifies_without_the_data_folder(folder: Folder, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = folder("ledger", "export", out).out
    assert "OFFICIAL-SENSITIVE" in said
    exported = folder.ledger()[-1]
    assert (exported.operation, exported.reason) == (Operation.DISCLOSURE, "ledger_export_whole")
    key, anchors = tmp_path / "ours.pub", tmp_path / "anchors"
    shutil.copy(folder.data / "keys" / "ledger-quill.pub", key)
    shutil.copytree(folder.data / "anchors", anchors)
    count = len(folder.ledger())
    folder.data.rename(folder.data.with_name("gone"))
    found = folder("ledger", "verify", out, "--key", key, "--anchors", anchors, "--json").json
    assert (found["holds"], found["entries"], found["after_anchor"], found["key_given"]) == (True, count, 0, True)
    words = folder("ledger", "verify", out, "--key", found["key"].removeprefix("SHA256:").upper()).out
    assert f"As signed: {count} entries." in words
    assert "Entries after it, not anchored yet: 0." in words
    assert found["key"] in words
    assert not folder.data.exists()


def test_a_bad_entry_is_named_with_exit_1(folder: Folder, tmp_path: Path) -> None:
    out = tmp_path / "out"
    folder("ledger", "export", out)
    path = out / "entries.jsonl"
    path.write_bytes(path.read_bytes().replace(b"CAD-1", b"CAD-9"))
    done = folder("ledger", "verify", out)
    assert done.code == 1
    assert done.out.startswith("NOT AS SIGNED from entry 3: entry 3 was changed: it does not fit its own leaf hash.")
    told = folder("ledger", "verify", out, "--json")
    assert told.code == 1
    assert json.loads(told.out)["first_bad_entry"] == 3
    other = folder("ledger", "verify", out, "--key", "SHA256:" + "0" * 64)
    assert (other.code, "not with the one you hold" in other.out) == (1, True)
    assert folder("ledger", "verify", out, "--key", "nothing").code == 2
    (out / "manifest.json").unlink()
    assert "manifest.json" in folder("ledger", "verify", out).refusal


def test_an_export_goes_to_a_folder_of_its_own(folder: Folder, tmp_path: Path) -> None:
    before = len(folder.ledger())
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    for place in (tmp_path / "full", tmp_path / "full" / "file"):
        assert "not an empty folder" in folder("ledger", "export", place).refusal
    assert len(folder.ledger()) == before


def test_a_store_put_back_is_refused_until_somebody_accepts_it(folder: Folder, tmp_path: Path) -> None:
    folder("ledger", "export", tmp_path / "first")
    store = folder.data / "store" / "appendonlydir"
    backup = shutil.copytree(store, tmp_path / "backup")
    for _ in range(2):
        folder("check", "18 Tallow Yard, EC9A 1AB", "--incident", "CAD-LOST")
    folder("ledger", "export", tmp_path / "second")
    ends = len(folder.ledger())
    server = EmbeddedServer(folder.data / "store")
    server.ensure()
    server.stop()
    shutil.rmtree(store)
    shutil.copytree(backup, store)
    back = len((tmp_path / "first" / "entries.jsonl").read_bytes().splitlines())
    answer = folder("check", "18 Tallow Yard, EC9A 1AB", "--json").json
    assert (answer["status"], answer["store"]) == ("could_not_check", "last_known")
    assert "a supervisor must decide" in answer["reason"].casefold()
    for command in (
        ("ledger", "search"),
        ("ledger", "export", tmp_path / "third"),
        ("users", "create", "jay", "--role", "auditor", "--name", "X", "--password-file", "-"),
    ):
        assert "person has to decide" in folder(*command, stdin=b"correct horse battery\n").refusal
    accepting = ("--by", "A Supervisor", "--reason", "disk replaced")
    assert f"ends at entry {back}" in folder("ledger", "accept", "--sequence", str(ends), *accepting).refusal
    said = folder("ledger", "accept", "--sequence", str(back), *accepting).out
    assert said == f"Accepted: the ledger goes on after entry {back}, in place of {ends}.\n"
    assert folder("check", "18 Tallow Yard, EC9A 1AB", "--json").json["status"] == "clear"
    assert "nothing to accept" in folder("ledger", "accept", "--sequence", str(back + 2), *accepting).refusal
    folder("ledger", "export", tmp_path / "fourth")
    words = folder("ledger", "verify", tmp_path / "fourth").out
    assert "As signed" in words
    assert f"by A Supervisor: went on after entry {back} in place of {ends}" in words
