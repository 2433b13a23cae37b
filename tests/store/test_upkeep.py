"""`overlay markers import` on a real store: previewed, whole or not at all, repeatable, safe to kill."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import requests

from markers.ledger import Operation
from markers.model import LONDON
from overlay import quillmarket
from tests.conftest import Console
from tests.store.commands import Done, Folder, contents, ended, killed_in_the_end, write_csv

BOTH = ("--by", "A Officer", "--approved-by", "B Supervisor")
TODAY = datetime.now(UTC).astimezone(LONDON).date()
HOMES = tuple(
    {"uprn": str(999_990_700_000 + number), "address": f"{number} Sluice Row", "postcode": "EC9A 4AB"}
    for number in range(1, 31)
)


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A data folder with thirty known homes and no marker."""
    below = tmp_path_factory.mktemp("u")
    folder = Folder(below / "data")
    assert folder("gazetteer", "load", write_csv(below / "homes.csv", HOMES)).code == 0
    return folder


def row(number: int, **more: str) -> dict[str, str]:
    return {
        "reference": f"SR-{number:04}",
        "category": "child_protection_plan",
        "address": f"{number} Sluice Row",
        "postcode": "EC9A 4AB",
        "headline": f"Headline of {number}",
        **more,
    }


def load(folder: Folder, path: Path, *more: str) -> Done:
    return folder("markers", "import", path, *BOTH, *more)


def operations(folder: Folder) -> Counter[str]:
    return Counter(str(entry.operation) for entry in folder.ledger())


def until(what: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


class TestOneList:
    def test_a_preview_tells_what_would_happen_and_changes_nothing(self, folder: Folder, tmp_path: Path) -> None:
        path = write_csv(tmp_path / "list.csv", [row(1), row(2), row(77), row(3, category="no such kind")])
        told = load(folder, path, "--dry-run", "--json").json
        assert {name: told[name] for name in ("new", "changed", "unchanged", "bad_rows", "written", "dry_run")} == {
            "new": 3,
            "changed": 0,
            "unchanged": 0,
            "bad_rows": 1,
            "written": 0,
            "dry_run": True,
        }
        assert told["unplaced"] == ["SR-0077"]
        assert "line 5, category: " in told["errors"][0]
        assert folder.markers() == {}
        assert folder.ledger() == []

    def test_a_list_with_a_bad_row_is_not_loaded_unless_asked_to(self, folder: Folder, tmp_path: Path) -> None:
        two_errors = row(3, category="no such kind", ends_on="31/02/2027")
        path = write_csv(tmp_path / "list.csv", [row(1), row(2), two_errors, row(2)])
        done = load(folder, path)
        assert done.last_refusal.startswith("2 bad rows: nothing was loaded.")
        for named in ("line 4, category: ", "line 4, ends_on: ", "line 5, reference: "):
            assert named in done.err
        assert folder.markers() == {}
        assert folder.ledger() == []
        kept = load(folder, path, "--skip-bad-rows", "--json").json
        assert (kept["written"], kept["bad_rows"]) == (2, 2)
        assert set(folder.markers()) == {"SR-0001", "SR-0002"}

    def test_each_marker_is_placed_approved_and_logged(self, folder: Folder, tmp_path: Path) -> None:
        load(folder, write_csv(tmp_path / "list.csv", [row(1), row(2, address="2, sluice row", owner="PPU desk")]))
        first, second = (folder.markers()[name] for name in ("SR-0001", "SR-0002"))
        assert (first["place"]["premises_id"], second["place"]["premises_id"]) == ("999990700001", "999990700002")
        assert (first["proposed_by"], first["approved_by"], first["version"]) == ("A Officer", "B Supervisor", 1)
        assert (first["owner"], second["owner"]) == ("A Officer", "PPU desk")
        assert first["starts_on"] == TODAY.isoformat()
        entries = folder.ledger()
        assert [entry.operation for entry in entries] == [Operation.COLLECTION] * 2
        assert {seen.record_id for entry in entries for seen in entry.records} == {
            first["marker_id"],
            second["marker_id"],
        }
        assert all(entry.reason == "import" and entry.actor_id.startswith("os:") for entry in entries)

    def test_the_same_list_again_writes_nothing(self, folder: Folder, tmp_path: Path) -> None:
        town = quillmarket.build()
        quillmarket.write_gazetteer_csv(town, tmp_path / "homes.csv")
        quillmarket.write_markers_csv(town, tmp_path / "list.csv", TODAY)
        assert folder("gazetteer", "load", tmp_path / "homes.csv").code == 0
        first = load(folder, tmp_path / "list.csv", "--json").json
        assert first["new"] == first["written"] == len(town.markers)
        markers, entries = folder.markers(), folder.ledger()
        again = load(folder, tmp_path / "list.csv", "--json").json
        assert (again["unchanged"], again["written"]) == (len(town.markers), 0)
        assert folder.markers() == markers
        assert folder.ledger() == entries

    def test_a_changed_row_is_an_alteration_of_that_marker_alone(self, folder: Folder, tmp_path: Path) -> None:
        path = write_csv(tmp_path / "list.csv", [row(1), row(2)])
        load(folder, path)
        write_csv(path, [row(1), row(2, headline="Read this first"), row(3)])
        told = load(folder, path, "--json").json
        assert (told["new"], told["changed"], told["unchanged"], told["written"]) == (1, 1, 1, 2)
        markers = folder.markers()
        assert (markers["SR-0001"]["version"], markers["SR-0002"]["version"]) == (1, 2)
        assert markers["SR-0002"]["headline"] == "Read this first"
        assert operations(folder) == {"collection": 3, "alteration": 1}
        altered = next(entry for entry in folder.ledger() if entry.operation is Operation.ALTERATION)
        assert [(seen.record_id, seen.version) for seen in altered.records] == [(markers["SR-0002"]["marker_id"], 2)]

    @pytest.mark.parametrize(
        ("by", "approved_by"),
        [
            ("A Officer", "A Officer"),
            ("A Officer", " a  OFFICER "),
            ("", "B"),
            ("A", " "),
            ("A", "\x1b[2J"),
            ("A", "b" * 121),
        ],
    )
    def test_nobody_approves_what_they_propose(self, folder: Folder, tmp_path: Path, by: str, approved_by: str) -> None:
        before = contents(folder.data)
        path = write_csv(tmp_path / "list.csv", [row(1)])
        assert folder("markers", "import", path, "--by", by, "--approved-by", approved_by).refusal
        assert contents(folder.data) == before

    @pytest.mark.parametrize(
        "content", [b"", b"SR-1,child_protection_plan,1 Sluice Row\n", b"reference,category,address\nSR-1,\0,1 Row\n"]
    )
    def test_a_file_that_is_no_list_is_refused_in_one_line(
        self, folder: Folder, tmp_path: Path, content: bytes
    ) -> None:
        (tmp_path / "odd.csv").write_bytes(content)
        assert load(folder, tmp_path / "odd.csv").refusal.startswith("odd.csv: ")
        assert folder.markers() == {}

    def test_dates_as_excel_and_people_write_them(self, folder: Folder, tmp_path: Path) -> None:
        starts, ends = TODAY - timedelta(days=3), TODAY + timedelta(days=90)
        excel = (ends - date(1899, 12, 30)).days
        rows = [
            row(1, starts_on=f"{starts:%d/%m/%Y}", ends_on=f"{ends:%d.%m.%y}"),
            row(2, starts_on=f"{starts:%d %B %Y}", ends_on=str(excel)),
            row(3, starts_on=f"{starts.isoformat()} 00:00:00", ends_on=f"{excel}.0"),
        ]
        path = write_csv(tmp_path / "list.csv", rows)
        path.write_bytes(path.read_text("utf-8").encode("utf-8-sig"))
        assert load(folder, path).code == 0
        found = {(marker["starts_on"], marker["ends_on"]) for marker in folder.markers().values()}
        assert found == {(starts.isoformat(), ends.isoformat())}


class TestSeveralAtOnceAndKilled:
    MANY = 1_500

    @pytest.fixture
    def many(self, tmp_path: Path) -> Path:
        return write_csv(tmp_path / "many.csv", (row(number) for number in range(1, self.MANY + 1)))

    def start(self, folder: Folder, path: Path) -> subprocess.Popen[str]:
        return folder.start("markers", "import", path, *BOTH, "--json")

    def assert_whole(self, folder: Folder) -> None:
        markers = folder.markers()
        assert len(markers) == self.MANY
        assert {marker["version"] for marker in markers.values()} == {1}
        collected = Counter(
            seen.record_id
            for entry in folder.ledger()
            if entry.operation is Operation.COLLECTION
            for seen in entry.records
        )
        assert collected == Counter(marker["marker_id"] for marker in markers.values())

    def test_two_imports_of_one_list_write_every_marker_once(self, folder: Folder, many: Path) -> None:
        with (
            killed_in_the_end(self.start(folder, many)) as first,
            killed_in_the_end(self.start(folder, many)) as second,
        ):
            told = [ended(first).json, ended(second).json]
        assert sum(each["written"] for each in told) == self.MANY
        assert all(each["new"] + each["unchanged"] == self.MANY for each in told)
        self.assert_whole(folder)

    def test_an_import_killed_half_way_leaves_whole_rows_and_is_finished_by_the_next(
        self, folder: Folder, many: Path
    ) -> None:
        log = folder.data / "store" / "appendonlydir" / "appendonly.aof.1.incr.aof"
        with killed_in_the_end(self.start(folder, many)) as half:
            until(lambda: log.exists() and log.stat().st_size > 100_000)
            half.send_signal(signal.SIGKILL)
            half.wait()
        found = len(folder.markers())
        assert 0 < found < self.MANY
        assert operations(folder) == {"collection": found}
        told = load(folder, many, "--json").json
        assert (told["unchanged"], told["written"]) == (found, self.MANY - found)
        self.assert_whole(folder)


class TestBesideARunningConsole:
    def test_an_import_is_in_the_very_next_answer_and_outlives_the_store_and_the_console(
        self, own_console: Console, tmp_path: Path
    ) -> None:
        console, folder = own_console, Folder(own_console.data)
        bearer = {"Authorization": f"Bearer {console.token('dispatcher')}"}
        clear = next(address for address, expect in console.tries if expect == "clear")

        def check() -> dict[str, object]:
            asked = {"location": {"address": clear}}
            reply = requests.post(f"{console.url}/api/v1/checks", json=asked, headers=bearer, timeout=10)
            assert reply.status_code == 200, reply.text
            answer: dict[str, object] = reply.json()
            return answer

        kinds = ("court_order", "child_protection_plan", "domestic_abuse_risk", "vulnerable_child")
        for turn, kind in enumerate(kinds):  # every worker is asked, and none may answer from before the import
            assert check()["status"] == ("clear" if turn == 0 else "hit")
            one = {"reference": f"NEXT-{turn}", "category": kind, "address": clear}
            assert load(folder, write_csv(tmp_path / "one.csv", [one])).code == 0
            answer = check()
            assert answer["status"] == "hit"
            assert len(answer["matches"]) == turn + 1  # type: ignore[arg-type]

        known = len(folder.markers())
        many = write_csv(tmp_path / "many.csv", (row(number) for number in range(1, 2_001)))
        log = folder.data / "store" / "appendonlydir" / "appendonly.aof.1.incr.aof"
        size = log.stat().st_size
        with killed_in_the_end(folder.start("markers", "import", many, *BOTH, "--json")) as running:
            until(lambda: log.stat().st_size > size + 100_000)
            assert running.poll() is None
            os.kill(console.store_pid, signal.SIGKILL)
            assert ended(running).json["written"] == 2_000
        assert len(folder.markers()) == known + 2_000

        write_csv(many, (row(number, headline="Another") for number in range(1, 2_001)))
        size = log.stat().st_size
        with killed_in_the_end(folder.start("markers", "import", many, *BOTH, "--json")) as running:
            until(lambda: log.stat().st_size > size + 100_000)
            assert running.poll() is None
            os.kill(running.pid, signal.SIGSTOP)  # it is in the middle of it, however long the stop takes
            assert console.stop() == 0
            os.kill(running.pid, signal.SIGCONT)
            assert ended(running).json["written"] == 2_000
        assert Counter(m["version"] for r, m in folder.markers().items() if r.startswith("SR-")) == {2: 2_000}
