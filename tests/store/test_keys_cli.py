"""`overlay keys` on a data folder: what it does, refuses and says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from markers.server import EmbeddedServer
from markers.spool import Spool
from markers.store_errors import StoreBehind
from markers.vault import KeyRing, Vault
from overlay import rekeying
from overlay.cli.tell import progress_bar
from overlay.services import running
from overlay.settings import Settings
from tests.store.commands import Folder, contents, write_csv
from tests.store.test_fence import OPERATOR, seal


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path / "data")
    listed = write_csv(
        tmp_path / "list.csv",
        [
            {"reference": f"CANARY-{n}", "category": "domestic_abuse_risk", "address": f"{n} Tallow Yard, EC9A 1AB"}
            for n in range(1, 4)
        ],
    )
    done = made("markers", "import", listed, "--by", "A", "--approved-by", "B")
    assert done.code == 0, done.err
    return made


def ring(folder: Folder) -> KeyRing:
    return KeyRing.load(folder.data / "keys")


def test_rotate_then_check(folder: Folder) -> None:
    old = ring(folder).current
    done = folder("keys", "rotate", "--json").json
    new = ring(folder).current
    assert (done["key_id"], done["old_key_ids"], done["resumed"], done["forgotten"]) == (new, [old], False, [])
    assert done["records"] == 6  # three markers, each with its page of history
    checked = folder("keys", "check", "--json").json
    assert checked["current"] == new
    assert checked["keys"] == sorted([old, new])
    assert checked["unopened"] == []
    assert {row["key"] for row in checked["sealed"]} == {new}
    assert {row["collection"]: row["sealed"] for row in checked["sealed"]}["markers"] == 3
    logged = [entry for entry in folder.ledger() if entry.reason in ("key_rotation_begun", "key_rotation_ended")]
    assert [entry.reason for entry in logged] == ["key_rotation_begun", "key_rotation_ended"]
    assert {seen.record_id: seen.fields for seen in logged[0].records} == {new: ("current",), old: ("set_aside",)}
    assert logged[0].actor_id.startswith("os:")
    assert set(folder.markers()) == {"CANARY-1", "CANARY-2", "CANARY-3"}


def test_forgetting_old_keys_leaves_one_that_opens_everything(folder: Folder) -> None:
    old = ring(folder).current
    said = folder("keys", "rotate", "--forget-old")
    assert said.code == 0, said.err
    assert f"Forgotten for ever: {old}." in said.out
    assert list(ring(folder).sealing) == [ring(folder).current]
    assert len(folder.markers()) == 3
    assert [entry.reason for entry in folder.ledger()][-1] == "keys_forgotten"
    assert folder("keys", "check").code == 0


def test_a_key_that_still_seals_something_is_not_forgotten(folder: Folder) -> None:
    old = ring(folder).current
    waiting = Spool(folder.data / "spool", Vault(ring(folder), "quill"))
    waiting.append(folder.ledger()[0])
    waiting.close()
    (spool,) = (folder.data / "spool").glob("*.spool")
    spool = spool.rename(spool.with_suffix(".kept"))
    refused = folder("keys", "rotate", "--forget-old").last_refusal
    assert refused.startswith(f"No key was forgotten: old keys still seal something ({old}: 1 in spool)")
    assert old in ring(folder).sealing
    spool.unlink()
    assert folder("keys", "rotate", "--forget-old").code == 0
    assert old not in ring(folder).sealing


def test_on_a_store_that_was_put_back_nothing_is_rotated_and_above_all_no_key_forgotten(
    folder: Folder, tmp_path: Path
) -> None:
    """The store that was anchored may come back, and only the old key opens it."""
    log, older, newer = folder.data / "store" / "appendonlydir", tmp_path / "older", tmp_path / "newer"
    shutil.copytree(log, older)
    assert folder("check", "1 Tallow Yard").code == 0
    with running(Settings.read(data=folder.data)) as services:
        seal(services)
    log.rename(newer)
    shutil.copytree(older, log)
    keys = (folder.data / "keys" / "ring.json").read_bytes()
    for command in (("keys", "rotate"), ("keys", "rotate", "--forget-old")):
        assert "but was anchored up to" in folder(*command).refusal
        assert (folder.data / "keys" / "ring.json").read_bytes() == keys
    with rekeying.sealed(Settings.read(data=folder.data)) as held, pytest.raises(StoreBehind):
        rekeying.forget_old(held, OPERATOR, progress_bar)
    assert (folder.data / "keys" / "ring.json").read_bytes() == keys
    assert folder("keys", "check").code == 0, "looking is harmless"
    shutil.rmtree(log)
    newer.rename(log)
    assert folder("keys", "rotate", "--forget-old").code == 0
    assert set(folder.markers()) == {"CANARY-1", "CANARY-2", "CANARY-3"}


def test_a_check_with_a_lost_key_names_what_is_shut_and_ends_with_1(folder: Folder) -> None:
    path = folder.data / "keys" / "ring.json"
    folder("keys", "rotate")
    lost = ring(folder).current
    plain = json.loads(path.read_text())
    del plain["sealing"][lost]
    plain["current"] = next(iter(plain["sealing"]))
    path.write_text(json.dumps(plain))
    assert "another key ring" in folder("check", "1 Tallow Yard").refusal, "other commands refuse to start"
    done = folder("keys", "check", "--json")
    assert done.code == 1
    found = json.loads(done.out)
    assert {row["collection"] for row in found["unopened"]} == {"proof", "markers", "histories", "ledger"}
    assert {row["key"] for row in found["unopened"]} == {lost}
    assert {row["in_ring"] for row in found["sealed"]} == {"no"}
    in_words = folder("keys", "check")
    assert in_words.code == 1
    assert "its key is not in this key ring" in in_words.out
    assert in_words.err.startswith("Error: ")
    assert "CANARY" not in done.out + in_words.out + in_words.err
    assert "another key ring" in folder("keys", "rotate").refusal


@pytest.mark.parametrize(("place", "mode", "cure"), [("ring.json", 0o640, "chmod 600"), ("", 0o755, "chmod 700")])
def test_keys_that_lie_open_are_refused_by_every_command(folder: Folder, place: str, mode: int, cure: str) -> None:
    (folder.data / "keys" / place).chmod(mode)
    before = contents(folder.data / "store")
    for command in (("keys", "rotate"), ("keys", "check"), ("check", "1 Tallow Yard"), ("ledger", "search")):
        assert cure in folder(*command).refusal
    assert contents(folder.data / "store") == before
    assert not EmbeddedServer(folder.data / "store").alive()


def test_key_material_is_never_said(folder: Folder) -> None:
    said = [
        folder("keys", "rotate"),
        folder("keys", "rotate", "--json"),
        folder("keys", "check"),
        folder("keys", "check", "--json"),
    ]
    material = json.loads((folder.data / "keys" / "ring.json").read_text())
    secrets = {material["token_root"], *material["sealing"].values()}
    assert len(secrets) == 4
    assert not [secret for secret in secrets for done in said if secret in done.out + done.err]
