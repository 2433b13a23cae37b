"""`overlay bench check` runs on a small invented town and tells every figure; how fast it is depends on the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.store.commands import Folder

TIMED = [
    "PING",
    "fsynced XADD",
    "match alone",
    "durable check in process",
    "empty HTTP route, 1 connection",
    "check over HTTP, 1 connection",
    "empty HTTP route, 16 connections",
    "check over HTTP, 16 connections",
]


def test_the_ledger_is_timed_with_and_without_and_a_small_one_verified(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    scratch = tmp_path_factory.mktemp("b")
    folder = Folder(scratch.parent / "never-made", {"TMPDIR": str(scratch)})
    sizes = ("--homes", "300", "--rounds", "50", "--entries", "2000", "--each", "7")
    told = folder.process("bench", "ledger", *sizes, "--json", seconds=100)
    figures = told.json
    assert [row["measured"].partition(",")[0] for row in figures["timings"]] == [
        "check",
        "durable check",
        "durable check",
    ]
    assert all(0 < float(row["p50 ms"]) <= float(row["p99 ms"]) for row in figures["timings"])
    assert [float(row["is"]) > 0 for row in figures["ratios"]] == [True, True]
    (verified,) = figures["verified"]
    assert verified["verified"].startswith("2,000 entries, 286 checkpoints")
    assert float(verified["seconds"]) > 0
    assert "Traceback" not in told.err
    assert not folder.data.exists()
    assert list(Path(scratch).iterdir()) == []


def test_a_backup_is_timed_beside_checks_and_put_back(tmp_path_factory: pytest.TempPathFactory) -> None:
    scratch = tmp_path_factory.mktemp("b")
    folder = Folder(scratch.parent / "never-made", {"TMPDIR": str(scratch)})
    sizes = ("--homes", "300", "--markers", "300", "--entries", "3000", "--seconds", "2", "--turns", "1")
    told = folder.process("bench", "backup", *sizes, "--json", seconds=110)
    figures = told.json
    assert [row["measured"] for row in figures["timings"]] == [
        "check over HTTP, no backup",
        "check over HTTP during a backup",
    ]
    assert all(0 < float(row["p50 ms"]) <= float(row["p99 ms"]) for row in figures["timings"])
    assert [row["aim"] for row in figures["ratios"]] == ["<= 1.5"]
    assert [row["took"] for row in figures["took"]] == ["backup 1", "restore"]
    assert all(float(row["seconds"]) > 0 for row in figures["took"])
    assert "Traceback" not in told.err
    assert not folder.data.exists()
    assert list(Path(scratch).iterdir()) == []


def test_a_list_is_walked_through_and_every_row_of_it_becomes_a_marker_on_its_home(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    scratch = tmp_path_factory.mktemp("b")
    folder = Folder(scratch.parent / "never-made", {"TMPDIR": str(scratch)})
    homes = tmp_path / "homes.csv"
    homes.write_text("address,postcode\n" + "".join(f"{n} Tallow Yard,EC9A 1AB\n" for n in range(1, 151)), "utf-8")
    told = folder.process("bench", "list", "--gazetteer", str(homes), "--rows", "120", "--json", seconds=100)
    figures = {row["figure"]: row["is"] for row in told.json["figures"]}
    assert (figures["rows"], figures["markers written"], figures["on a known home"]) == ("120", "120", "120")
    assert float(figures["both, s"]) > 0
    assert "Traceback" not in told.err
    assert list(Path(scratch).iterdir()) == []


def test_every_floor_and_every_check_is_timed_and_nothing_is_left_behind(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    scratch = tmp_path_factory.mktemp("b")
    folder = Folder(scratch.parent / "never-made", {"TMPDIR": str(scratch)})
    arguments = ("bench", "check", "--homes", "300", "--markers", "300", "--rounds", "100", "--json")
    told = folder.process(*arguments, seconds=100)
    figures = told.json
    assert [row["measured"] for row in figures["timings"]] == TIMED
    for row in figures["timings"]:
        assert 0 < float(row["p50 ms"]) <= float(row["p99 ms"])
        assert float(row["a second"].replace(",", "")) > 0
    assert len(figures["ratios"]) == 3
    assert all(float(row["is"]) > 0 and row["aim"].startswith("<= ") for row in figures["ratios"])
    assert "Traceback" not in told.err
    assert not folder.data.exists()
    assert list(Path(scratch).iterdir()) == []


def test_live_updates_are_timed_and_every_change_reaches_every_screen(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    scratch = tmp_path_factory.mktemp("b")
    folder = Folder(scratch.parent / "never-made", {"TMPDIR": str(scratch), "OVERLAY_STORE_TIMEOUT_S": "2"})
    sizes = ("--homes", "100", "--screens", "12", "--approvals", "1", "--turns", "1", "--seconds", "2")
    told = folder.process("bench", "live", *sizes, "--json", seconds=100)
    figures = told.json
    assert [row["measured"] for row in figures["timings"]] == [
        "a change on one of 12 screens",
        "an approval told to one of 12 screens",
        "the approved marker on the incident of one that asks again",
        "check over HTTP, no screens",
        "check over HTTP, all screens connected",
    ]
    assert all(0 < float(row["p50 ms"]) <= float(row["p99 ms"]) for row in figures["timings"])
    (counted,) = figures["told"]
    assert (counted["changes"], counted["never arrived"], counted["told to load again"]) == (10, 0, 0)
    assert (counted["approvals"], counted["never told"], counted["never seen"]) == (2, 0, 0)
    assert "Traceback" not in told.err
    assert list(Path(scratch).iterdir()) == []
