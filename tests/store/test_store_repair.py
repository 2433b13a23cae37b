"""`overlay store repair`: a damaged end is cut off and kept, anything else is refused and left as it was."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis

from markers.log_repair import CannotRepair, find_damage, repair
from markers.server import EmbeddedServer, LogDamaged
from overlay.services import running
from tests.store.commands import Folder, contents

ZEROS = bytes(4096)
RUBBISH = b"*3\r\n$3\r\nSET\r\n$1\r\na\r\nnot a length\r\n"


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A data folder with a store at rest, whose ledger has two entries."""
    made = Folder(tmp_path_factory.mktemp("f") / "data")
    for name in ("one", "two"):
        assert made("tokens", "create", "--role", "service", "--name", name).code == 0
    return made


def logs_of(folder: Folder) -> Path:
    return folder.data / "store" / "appendonlydir"


def log_of(folder: Folder) -> Path:
    return next(logs_of(folder).glob("*.incr.aof"))


def damage(folder: Folder, tail: bytes) -> bytes:
    log = log_of(folder)
    log.write_bytes(log.read_bytes() + tail)
    return log.read_bytes()


@pytest.mark.parametrize(("tail", "zeros"), [(ZEROS, True), (RUBBISH, False), (b"\0\0" + RUBBISH, False)])
def test_what_stands_behind_the_last_whole_command_goes_and_is_kept(folder: Folder, tail: bytes, zeros: bool) -> None:
    before = [entry.entry_id for entry in folder.ledger()]
    sound = log_of(folder).stat().st_size
    damaged = damage(folder, tail)
    with pytest.raises(LogDamaged, match="'overlay store repair' cuts it back"):
        EmbeddedServer(folder.data / "store").ensure()

    told = json.loads(folder("store", "repair", "--dry-run", "--json").out)
    assert (told["size"], told["whole"], told["only_zeros"]) == (len(damaged), sound, zeros)
    assert log_of(folder).read_bytes() == damaged, "nothing was changed"

    said = folder("store", "repair").out
    assert f"{len(tail):,} of {len(damaged):,} bytes" in said
    assert ("nothing that was ever written" in said) == zeros
    (kept,) = (folder.data / "store" / "damaged").iterdir()
    assert str(kept) in said
    assert kept.read_bytes() == damaged
    assert [stat.S_IMODE(path.stat().st_mode) for path in (kept.parent, kept)] == [0o700, 0o600]
    *old, repaired = folder.ledger()
    assert [entry.entry_id for entry in old] == before
    assert (repaired.reason, repaired.actor_role) == ("store_repaired", "service")


def test_what_was_cut_off_and_had_been_written_is_said_by_the_fence(folder: Folder) -> None:
    """Here without any anchor: the ledger simply ends earlier, and the command says where."""
    log = log_of(folder)
    content = bytearray(log.read_bytes())
    last = content.rindex(b"*1\r\n$5\r\nMULTI\r\n")
    content[last : last + 8] = bytes(8)
    log.write_bytes(content)
    told = json.loads(folder("store", "repair", "--json").out)
    assert (told["whole"], told["only_zeros"], told["behind"]) == (last, False, None)
    assert told["ledger_end"] == len(folder.ledger()) == 2, "one of two is gone, and the repair itself is logged"


def test_a_whole_log_is_left_alone(folder: Folder) -> None:
    before = contents(logs_of(folder))
    for arguments in ((), ("--dry-run",)):
        assert "nothing to repair" in folder("store", "repair", *arguments).refusal
    assert contents(logs_of(folder)) == before
    assert repair(folder.data / "store", datetime.now(UTC)) is None


def test_a_log_that_a_server_works_on_is_left_alone(folder: Folder) -> None:
    with running(folder.settings()):
        before = contents(logs_of(folder))
        assert "a server works on" in folder("store", "repair").refusal
        assert contents(logs_of(folder)) == before


def test_an_external_store_is_not_ours_to_repair(folder: Folder) -> None:
    elsewhere = Folder(folder.data, {"OVERLAY_STORE_URL": "redis://127.0.0.1:1"})
    assert "repair that where it runs" in elsewhere("store", "repair").refusal


def lose_manifest(logs: Path) -> None:
    (logs / "appendonly.aof.manifest").unlink()


def lose_part(logs: Path) -> None:
    next(logs.glob("*.incr.aof")).unlink()


def spoil_base(logs: Path) -> None:
    base = next(logs.glob("*.base.rdb"))
    base.write_bytes(base.read_bytes()[:-20])


def spoil_earlier(logs: Path) -> None:
    """As while a log is written anew: two parts, and the first of them damaged."""
    first = next(logs.glob("*.incr.aof"))
    second = logs / "appendonly.aof.2.incr.aof"
    shutil.copy(first, second)
    first.write_bytes(first.read_bytes() + ZEROS)
    manifest = logs / "appendonly.aof.manifest"
    manifest.write_text(manifest.read_text() + f"file {second.name} seq 2 type i\n")


@pytest.mark.parametrize("harm", [lose_manifest, lose_part, spoil_base, spoil_earlier])
def test_damage_anywhere_else_needs_a_backup(folder: Folder, harm: Callable[[Path], None]) -> None:
    harm(logs_of(folder))
    before = contents(folder.data / "store")
    assert "restore a backup" in folder("store", "repair").refusal
    assert contents(folder.data / "store") == before


def test_no_store_at_all_is_said(tmp_path: Path) -> None:
    with pytest.raises(CannotRepair, match="there is no store"):
        find_damage(tmp_path / "nowhere")


def test_a_log_that_is_only_cut_short_needs_no_repair_and_may_have_one(folder: Folder) -> None:
    log = log_of(folder)
    log.write_bytes(log.read_bytes()[:-3])
    found = find_damage(folder.data / "store")
    assert found is not None
    assert not found.zeros
    server = EmbeddedServer(folder.data / "store")
    with redis.Redis.from_url(server.ensure()) as store:
        assert store.ping()
    server.stop()
    assert find_damage(folder.data / "store") is None
