"""The `overlay` command as a person types it: help, usage, checks one by one and by the file, lists of premises."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from checklists.load import SHIPPED_DEFINITIONS, load_definitions
from markers.gazetteer import Gazetteer
from markers.ledger import LedgerEntry
from markers.location import to_degrees
from markers.model import Point
from overlay import quillmarket
from overlay.cli import main
from overlay.services import running
from tests.conftest import Console
from tests.store.commands import Done, Folder, contents, killed_in_the_end, read_csv, write_csv

HIT, CLEAR, UNDECIDED = (example.address for example in quillmarket.build().tries)
MARKED_UPRN = "999990000016"
MARKED_PHONE = "07700 900451"
IN_A_ZONE = Point(596128.0, 178838.0)


def commands(command: click.Command = main, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below is not None
        yield from commands(below, (*path, name))


ALL = dict(commands())
WITH_JSON = {path for path, command in ALL.items() if any("--json" in given.opts for given in command.params)}


@pytest.fixture(scope="session")
def demo(console: Console) -> Folder:
    """The command on the folder of a running console, which is left as it was found but for its ledger."""
    return Folder(console.data)


@pytest.fixture(scope="module")
def logged(demo: Folder) -> Iterator[Callable[[], int]]:
    """How many entries the ledger of the running console has, asked of the store itself; the proof of life's apart."""
    counted = reached = 0
    with running(demo.settings()) as services:

        def count() -> int:
            nonlocal counted, reached
            services.catch_up("access")
            for record in services.store.ledger(reached):
                reached = record.sequence
                counted += LedgerEntry.from_bytes(record.entry).actor_id not in services.access.provers()
            return counted

        yield count


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A data folder that does not exist yet."""
    return Folder(tmp_path_factory.mktemp("f") / "data")


def statuses(rows: list[dict[str, str]]) -> dict[str, str]:
    return {row["query_id"]: row["status"] for row in rows}


def supervisor(folder: Folder, scratch: Path, role: str = "ppu_supervisor") -> tuple[str, Path]:
    """An account made for a test and the file with its password."""
    username, password = f"t{uuid.uuid4().hex[:8]}", scratch / "password.txt"
    password.write_text("three random words\r\n")
    made = folder("users", "create", username, "--role", role, "--name", "T. Lead", "--password-file", password)
    assert made.code == 0, made
    return username, password


class TestHelpAndUsage:
    @pytest.mark.parametrize("path", ALL, ids=" ".join)
    def test_every_command_has_help_with_an_example_of_itself(self, folder: Folder, path: tuple[str, ...]) -> None:
        done = folder(*path, "--help")
        assert done.code == 0
        assert "Example" in done.out
        assert f"overlay {' '.join(path)}" in done.out.partition("Example")[2]
        assert not folder.data.exists()

    @pytest.mark.parametrize(
        "arguments",
        [
            "",
            "nonsense",
            "check --nonsense",
            "check --easting abc",
            "check --input {file}",
            "check --output {file}",
            "check --input {file} --output r.csv somewhere",
            "check --input {file} --output r.csv --uprn 1",
            "check --input {file} --output r.csv --incident CAD-1",
            "check --input {file} --output r.csv --json",
            "check --input {file}/nowhere --output r.csv",
            "markers",
            "markers import {file}",
            "markers import {file} --by A",
            "markers import {file}.nowhere --by A --approved-by B",
            "markers export {file}",
            "markers export {file}.pdf --by A",
            "markers export {file} --by A --state odd",
            "gazetteer load",
            "gazetteer load {file}/nowhere",
            "tokens create --role service",
            "tokens create --role service --name x --days soon",
            "tokens revoke",
            "users create --role auditor --name X",
            "users create x --role auditor --name X --password-file {file}.nowhere",
            "users disable",
            "ledger search --last 0",
            "ledger search --since yesterday",
            "ledger export",
            "ledger verify {file}.nowhere",
            "ledger verify {file}",
            "ledger accept --sequence 3 --by A",
            "ledger accept --sequence -1 --by A --reason B",
            "run --port abc",
            "backup",
            "backup one two",
            "restore",
            "restore {file} --give-up",
            "checklists validate",
            "checklists validate {file}.nowhere",
            "checklists show",
            "bench check --rounds 1",
            "bench check --homes 0",
        ],
    )
    def test_wrong_usage_ends_with_2_and_touches_nothing(self, folder: Folder, tmp_path: Path, arguments: str) -> None:
        file = tmp_path / "list.csv"
        file.write_text("query_id\n")
        done = folder(*arguments.format(file=file).split())
        assert done.code == 2
        assert "Usage:" in done.err + done.out
        assert not folder.data.exists()
        assert file.read_text() == "query_id\n"

    def test_every_json_option_gives_json_and_nothing_else(self, demo: Folder, tmp_path: Path) -> None:
        premises = write_csv(tmp_path / "p.csv", [{"address": "1 Row", "postcode": "EC9A 1AA"}])
        marked = write_csv(
            tmp_path / "m.csv",
            [{"reference": "J-1", "category": "temporary", "address": "1 Row", "postcode": "EC9A 1AA"}],
        )
        leader, password = supervisor(demo, tmp_path)
        runs: dict[tuple[str, ...], tuple[str | Path, ...]] = {
            ("check",): (CLEAR,),
            ("markers", "import"): (marked, "--by", "A", "--approved-by", "B", "--dry-run"),
            ("markers", "reconcile"): (marked,),
            ("markers", "export"): (tmp_path / "out.csv", "--by", leader, "--password-file", password),
            ("gazetteer", "load"): (premises, "--dry-run"),
            ("tokens", "create"): ("--role", "service", "--name", "json"),
            ("tokens", "list"): (),
            ("users", "list"): (),
            ("ledger", "search"): ("--last", "1"),
            ("keys", "check"): (),
            ("keys", "rotate"): (),
            ("backup",): (tmp_path / "backup",),
            ("doctor",): (),
            ("ledger", "verify"): (tmp_path / "export",),
            ("checklists", "validate"): (SHIPPED_DEFINITIONS / "thrive.yaml",),
            ("checklists", "show"): ("thrive",),
        }
        assert demo("ledger", "export", tmp_path / "export").code == 0
        # A restore and a repair need more: tests/store/test_restore.py, tests/store/test_store_repair.py.
        apart = {("restore",), ("store", "repair")}
        assert set(runs) == {path for path in WITH_JSON if path[0] != "bench"} - apart
        for path, arguments in runs.items():
            # Other tests may have dated entries back, which a verification refuses: in JSON as well.
            assert json.loads(demo(*path, *arguments, "--json").out), path
        elsewhere = Folder(tmp_path / "elsewhere")  # a restore stops at a running console
        elsewhere.data.mkdir(mode=0o700)
        shutil.copytree(demo.data / "keys", elsewhere.data / "keys")
        assert elsewhere("restore", tmp_path / "backup", "--json").json["restored"] is True


class TestOneCheck:
    @pytest.mark.parametrize(
        ("arguments", "status", "grade"),
        [
            ((HIT,), "hit", "premises"),
            ((CLEAR,), "clear", None),
            ((UNDECIDED,), "could_not_check", None),
            (("--uprn", MARKED_UPRN), "hit", "premises"),
            (("--postcode", "EC9A 1AB"), "could_not_check", "nearby"),
            (("--grid", "TQ 9612 7883"), "hit", "zone"),
            (("--easting", "596128", "--northing", "178838"), "hit", "zone"),
            (("--phone", MARKED_PHONE), "hit", "phone"),
            (("--phone", "07700 900999"), "could_not_check", None),
            ((CLEAR, "--phone", MARKED_PHONE), "hit", "phone"),
            ((CLEAR, "--phone", "07700 900999"), "clear", None),
            ((CLEAR, "--uprn", MARKED_UPRN, "--phone", MARKED_PHONE), "hit", "premises"),
        ],
    )
    def test_each_way_to_say_where_alone_and_together(
        self, demo: Folder, arguments: tuple[str, ...], status: str, grade: str | None
    ) -> None:
        incident = f"CAD-{uuid.uuid4()}"
        answer = demo("check", *arguments, "--incident", incident, "--json").json
        assert answer["status"] == status
        assert answer["store"] == "current"
        assert [match["grade"] for match in answer["matches"]][:1] == ([grade] if grade else [])
        found = demo("ledger", "search", "--incident", incident, "--json").json
        assert [(row["entry"], row["status"], row["actor"]) for row in found] == [
            (answer["ledger_entry"], status, f"os:{getpass.getuser()}")
        ]

    def test_a_phones_position_is_read_with_its_uncertainty(self, demo: Folder) -> None:
        longitude, latitude = to_degrees(IN_A_ZONE)
        where = ("--longitude", f"{longitude:.6f}", "--latitude", f"{latitude:.6f}")
        assert demo("check", *where, "--uncertainty", "15", "--json").json["matches"][0]["grade"] == "zone"
        north = ("--longitude", "0.83", "--latitude", "51.60", "--uncertainty", "5000")
        assert demo("check", *north, "--json").json["status"] == "could_not_check"

    def test_the_three_answers_are_told_apart_in_words_and_shape(self, demo: Folder) -> None:
        shown = {address: demo("check", address) for address in (HIT, CLEAR, UNDECIDED)}
        assert all(done.code == 0 and not done.err for done in shown.values())
        first = {address: done.out.splitlines()[0] for address, done in shown.items()}
        assert first[HIT].startswith("■ MARKER ")
        assert first[CLEAR].startswith("○ NO MARKER ")
        assert first[UNDECIDED].startswith("✕ COULD NOT CHECK")
        assert "DO " in shown[HIT].out

    def test_an_incidents_type_opens_checklists_and_an_unknown_one_is_said(self, demo: Folder) -> None:
        known = demo("check", CLEAR, "--type", "domestic", "--json")
        assert known.json["prompts"]
        assert not known.err
        unknown = demo("check", CLEAR, "--type", "drone_over_prison", "--json")
        assert unknown.json["status"] == "clear"
        assert "--type" in unknown.err
        assert len(unknown.err.splitlines()) == 1

    @pytest.mark.parametrize(
        ("arguments", "names"),
        [
            ((), "location"),
            (("",), "location"),
            (("   ",), "location"),
            (("a" * 10_000,), "address"),
            (("😀🏠😀",), "address"),
            (("...",), "address"),
            (("--easting", "nan", "--northing", "178838"), "easting"),
            (("--easting", "596128", "--northing", "inf"), "northing"),
            (("--easting", "1e308", "--northing", "1e308"), "easting"),
            (("--longitude", "nan", "--latitude", "51.5"), "longitude"),
            (("--longitude", "1e308", "--latitude", "51.5"), "longitude"),
            (("--longitude", "2.3522", "--latitude", "48.8566"), "longitude"),
            (("--longitude", "0.82", "--latitude", "51.47", "--uncertainty", "1e308"), "uncertainty_m"),
            (("--longitude", "0.82"), "latitude"),
            (("--uprn", "9999900000161"), "uprn"),
            (("--uprn", "٣٤"), "uprn"),
            (("--postcode", "nonsense"), "postcode"),
            (("--grid", "XX 12"), "grid_reference"),
            (("--phone", "ring me"), "phone"),
            ((HIT, "--incident", "x" * 65), "incident"),
            ((HIT, "--incident", "a\x1b[31mb"), "incident"),
            ((HIT, "--type", "Not A Code"), "type"),
            ((CLEAR, "--uprn", "not one"), "uprn"),
        ],
    )
    def test_what_cannot_be_read_is_refused_in_one_line_and_not_logged(
        self, demo: Folder, logged: Callable[[], int], arguments: tuple[str, ...], names: str
    ) -> None:
        before = logged()
        done = demo("check", *arguments, "--json")
        assert done.refusal.startswith(f"{names}: ")
        assert "clear" not in done.err
        assert logged() == before

    def test_bytes_that_are_no_text_are_refused_on_a_real_command_line(
        self, demo: Folder, logged: Callable[[], int]
    ) -> None:
        before = logged()
        half_a_character = os.fsdecode(b"14 Tallow Yard \xed\xa0\x80")
        for arguments in ((half_a_character,), (HIT, "--incident", half_a_character)):
            assert demo.process("check", *arguments).refusal
        assert logged() == before


class TestFileOfChecks:
    def test_every_query_is_answered_and_one_without_a_match_in_one_row(
        self, demo: Folder, logged: Callable[[], int], tmp_path: Path
    ) -> None:
        asked = [
            {"query_id": "hit", "address": HIT, "incident": "CAD-B1"},
            {"query_id": "clear", "address": CLEAR},
            {"query_id": "undecided", "address": UNDECIDED},
            {"query_id": "uprn", "uprn": MARKED_UPRN},
            {"query_id": "zone", "easting": "596128", "northing": "178838"},
            {"query_id": "phone", "phone": MARKED_PHONE},
            {"query_id": "building", "address": "14 Tallow Yard, EC9A 1AB"},
            {"query_id": "nothing"},
            {"query_id": "france", "longitude": "2.35", "latitude": "48.85"},
            {"query_id": "nan", "easting": "nan", "northing": "nan"},
            {"query_id": "words", "easting": "far", "northing": "north"},
            {"query_id": "long", "address": "x" * 10_000},
            {"query_id": "emoji", "address": "😀"},
            {"query_id": "incident", "address": CLEAR, "incident": "x" * 65},
            *({"query_id": f"n{number}", "address": f"{number} Foolscap Lane, EC9A 1AP"} for number in range(1, 15)),
        ]
        results = tmp_path / "results.csv"
        before = logged()
        done = demo("check", "--input", write_csv(tmp_path / "q.csv", asked), "--output", results)
        assert done.code == 0, done.err
        rows = read_csv(results)
        assert list(dict.fromkeys(row["query_id"] for row in rows)) == [query["query_id"] for query in asked]
        for query_id in {row["query_id"] for row in rows if not row["grade"]}:
            assert len([row for row in rows if row["query_id"] == query_id]) == 1
        found = statuses(rows)
        assert found["hit"] == found["uprn"] == found["zone"] == found["phone"] == "hit"
        assert found["clear"] == "clear"
        assert found["building"] != "clear"
        unread = {"nothing", "france", "nan", "words", "long", "emoji", "incident"}
        assert {found[name] for name in unread | {"undecided"}} == {"could_not_check"}
        assert all(row["reason"] for row in rows if row["status"] == "could_not_check")
        assert all(f"query {name}, " in done.err for name in unread)
        assert "QM-0001" in {row["marker_reference"] for row in rows if row["query_id"] == "hit"}
        assert logged() - before == len(asked) - len(unread)
        assert len(demo("ledger", "search", "--incident", "CAD-B1", "--json").json) == 1
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []

    def test_rows_without_an_id_are_named_and_the_others_answered(self, demo: Folder, tmp_path: Path) -> None:
        asked = write_csv(
            tmp_path / "q.csv", [{"query_id": "1", "address": CLEAR}, {"address": HIT}, {"address": UNDECIDED}]
        )
        done = demo("check", "--input", asked, "--output", tmp_path / "r.csv")
        assert done.last_refusal.startswith("2 rows could not be read")
        assert "line 3, query_id: missing" in done.err
        assert statuses(read_csv(tmp_path / "r.csv")) == {"1": "clear"}

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"8 Foolscap Lane,EC9A 1AP\r\n",
            b"query_id,address\n1,8 Foolscap\0 Lane\n",
            b"query_id,address\n1,\xed\xa0\x80\n",
            b'query_id,address\n1,8 Foolscap Lane\n2,"never closed\n',
            b"query_id,address\n1," + b"x" * 1_100_000,
            b"PK\x03\x04 a workbook",
        ],
        ids=["empty", "no header", "NUL", "surrogate", "quote", "long line", "workbook"],
    )
    def test_a_file_that_cannot_be_read_leaves_earlier_results_alone(
        self, demo: Folder, tmp_path: Path, content: bytes
    ) -> None:
        asked, results = tmp_path / "q.csv", tmp_path / "r.csv"
        asked.write_bytes(content)
        results.write_text("of yesterday")
        assert demo("check", "--input", asked, "--output", results).refusal.startswith("q.csv: ")
        assert contents(tmp_path) == {"q.csv": content, "r.csv": b"of yesterday"}

    def test_results_never_overwrite_the_queries_nor_go_where_nothing_can_be_written(
        self, demo: Folder, tmp_path: Path
    ) -> None:
        asked = write_csv(tmp_path / "q.csv", [{"query_id": "1", "address": CLEAR}])
        before = contents(tmp_path)
        assert "is the file of queries" in demo("check", "--input", asked, "--output", asked).refusal
        assert demo("check", "--input", asked, "--output", tmp_path / "nowhere" / "r.csv").refusal
        assert contents(tmp_path) == before

    def test_killed_half_way_it_leaves_no_results(
        self, demo: Folder, logged: Callable[[], int], tmp_path: Path
    ) -> None:
        asked = write_csv(tmp_path / "q.csv", ({"query_id": str(n), "address": CLEAR} for n in range(20_000)))
        results = tmp_path / "r.csv"
        before = logged()
        with killed_in_the_end(demo.start("check", "--input", asked, "--output", results)) as batch:
            until = time.monotonic() + 20
            while logged() < before + 50 and time.monotonic() < until:
                time.sleep(0.05)
            assert batch.poll() is None
            batch.send_signal(signal.SIGKILL)
            batch.wait()
        assert logged() >= before + 50
        assert not results.exists()


class TestGazetteer:
    ROWS = (
        {"uprn": "999990800001", "address": "Flat 1, Café Court, Sluice Row", "postcode": "EC9A 4AB"},
        {"uprn": "", "address": "The £ Shop, 3 Sluice Row", "postcode": "EC9A 4AB"},
        {"uprn": "999990800003", "address": "5 Sluice Row, “The Weir”", "postcode": "EC9A 4AB", "easting": "596100",
         "northing": "179000"},
    )  # fmt: skip

    def load(self, folder: Folder, path: Path, *more: str) -> Done:
        return folder("gazetteer", "load", path, *more)

    def homes(self, folder: Folder) -> dict[str, str]:
        found = Gazetteer.open(folder.data / "gazetteer").in_postcode("EC9A 4AB")
        return {home.premises_id: home.address for home in found}

    def test_however_the_list_was_saved_it_holds_the_same_homes(self, folder: Folder, tmp_path: Path) -> None:
        plain = write_csv(tmp_path / "plain.csv", self.ROWS)
        assert self.load(folder, plain, "--json").json["premises"] == 3
        first = self.homes(folder)
        assert set(first) >= {"999990800001", "999990800003"}
        assert "Flat 1, Café Court, Sluice Row" in first.values()
        text = plain.read_text("utf-8").replace("\r\n", "\n")
        for name, content in {
            "bom.csv": text.replace("\n", "\r\n").encode("utf-8-sig"),
            "excel.csv": text.replace("\n", "\r\n").encode("cp1252"),
            "old-mac.csv": text.replace("\n", "\r").encode("utf-8"),
            "utf16.csv": text.encode("utf-16"),
            "twice.csv": plain.read_bytes(),
        }.items():
            (tmp_path / name).write_bytes(content)
            done = self.load(folder, tmp_path / name)
            assert done.code == 0, done.err
            assert ("Windows-1252" in done.err) == (name == "excel.csv")
            assert self.homes(folder) == first

    def test_a_dry_run_reads_all_and_changes_nothing(self, folder: Folder, tmp_path: Path) -> None:
        self.load(folder, write_csv(tmp_path / "one.csv", self.ROWS[:1]))
        before = contents(folder.data)
        told = self.load(folder, write_csv(tmp_path / "all.csv", self.ROWS), "--dry-run", "--json").json
        assert (told["premises"], told["dry_run"]) == (3, True)
        assert contents(folder.data) == before

    def test_one_bad_row_loads_nothing_unless_asked_to(self, folder: Folder, tmp_path: Path) -> None:
        self.load(folder, write_csv(tmp_path / "one.csv", self.ROWS[:1]))
        before = contents(folder.data)
        bad = {"uprn": "13 digits", "address": "7 Sluice Row", "postcode": "nonsense"}
        path = write_csv(tmp_path / "bad.csv", [*self.ROWS, bad])
        done = self.load(folder, path)
        assert done.last_refusal.startswith("1 bad row: the gazetteer was left as it was.")
        assert "line 5, uprn: " in done.err
        assert "line 5, postcode: " in done.err
        assert contents(folder.data) == before
        kept = self.load(folder, path, "--skip-bad-rows", "--json").json
        assert (kept["premises"], kept["bad_rows"], len(kept["errors"])) == (3, 1, 2)
        assert len(self.homes(folder)) == 3

    @pytest.mark.parametrize(
        "content", [b"", b"999990800001,1 Sluice Row,EC9A 4AB\n", b"uprn,address,postcode\n", b"\xff\xfe\x00"]
    )
    def test_a_file_without_header_or_homes_changes_nothing(
        self, folder: Folder, tmp_path: Path, content: bytes
    ) -> None:
        self.load(folder, write_csv(tmp_path / "one.csv", self.ROWS[:1]))
        before = contents(folder.data)
        (tmp_path / "odd.csv").write_bytes(content)
        assert self.load(folder, tmp_path / "odd.csv").refusal
        assert contents(folder.data) == before

    def test_a_line_of_50_megabytes_is_refused_at_once(self, folder: Folder, tmp_path: Path) -> None:
        path = tmp_path / "long.csv"
        with path.open("wb") as file:
            file.write(b"uprn,address,postcode\n1,")
            for _ in range(50):
                file.write(b"x" * 1_000_000)
        began = time.monotonic()
        assert "line 2 is over 1 MB" in self.load(folder, path).refusal
        assert time.monotonic() - began < 5
        path.unlink()

    def test_a_load_that_is_killed_leaves_the_old_list_and_the_next_one_works(
        self, folder: Folder, tmp_path: Path
    ) -> None:
        self.load(folder, write_csv(tmp_path / "one.csv", self.ROWS))
        first = self.homes(folder)
        rows = ({"address": f"{n} Sluice Row", "postcode": "EC9A 4AB"} for n in range(1, 20_001))
        many = write_csv(tmp_path / "many.csv", rows)
        with killed_in_the_end(folder.start("gazetteer", "load", many)) as load:
            until = time.monotonic() + 20
            while not (folder.data / "gazetteer" / "g2" / "homes").exists() and time.monotonic() < until:
                time.sleep(0.01)
            assert load.poll() is None
            load.send_signal(signal.SIGKILL)
            load.wait()
        assert (folder.data / "gazetteer" / "g2").exists()
        assert self.homes(folder) == first
        assert self.load(folder, tmp_path / "one.csv").code == 0
        assert self.homes(folder) == first
        assert not (folder.data / "gazetteer" / "g2").exists()

    def test_a_damaged_list_is_said_in_one_line_and_can_be_loaded_again(self, folder: Folder, tmp_path: Path) -> None:
        path = write_csv(tmp_path / "one.csv", self.ROWS)
        self.load(folder, path)
        (folder.data / "gazetteer" / "g1" / "about.json").write_text("{")
        assert "load it again" in folder("check", CLEAR).refusal
        assert self.load(folder, path).code == 0
        assert folder("check", CLEAR).code == 0


class TestAccounts:
    def test_tokens_are_shown_once_and_revoked_by_the_listed_id(self, demo: Folder) -> None:
        name = f"CAD bridge {uuid.uuid4()}"
        bearer = demo("tokens", "create", "--role", "service", "--name", name).out.strip()
        assert bearer.startswith("wmo_")
        listed = demo("tokens", "list")
        assert bearer not in listed.out
        mine = next(row for row in demo("tokens", "list", "--json").json if row["name"] == name)
        assert mine["revoked"] is None
        assert demo("tokens", "revoke", mine["id"]).code == 0
        again = next(row for row in demo("tokens", "list", "--json").json if row["name"] == name)
        assert again["revoked"]
        assert demo("tokens", "revoke", "no-such-token").refusal
        assert bearer.encode() not in b"".join(contents(demo.data).values())

    @pytest.mark.parametrize("more", [("--role", "nobody"), ("--role", "service", "--days", "0")])
    def test_a_token_of_no_role_or_no_length_is_refused(self, demo: Folder, more: tuple[str, ...]) -> None:
        before = demo("tokens", "list", "--json").json
        assert demo("tokens", "create", "--name", "x", *more).refusal
        assert demo("tokens", "list", "--json").json == before

    def test_an_account_is_made_listed_and_closed_and_its_password_never_shown(
        self, folder: Folder, tmp_path: Path
    ) -> None:
        password = tmp_path / "password"
        password.write_bytes(b"\xef\xbb\xbfcorrect horse battery\r\nsecond line\r\n")
        odd = "[/red] J Smith"
        made = folder("users", "create", "JSmith", "--role", "auditor", "--name", odd, "--password-file", password)
        assert made.code == 0, made.err
        listed = folder("users", "list")
        assert odd in listed.out
        assert "argon2" not in listed.out + folder("users", "list", "--json").out
        assert folder(
            "users", "create", "jsmith", "--role", "auditor", "--name", "X", "--password-file", password
        ).refusal
        assert folder("users", "disable", "nobody").refusal
        assert folder("users", "disable", "jsmith").code == 0
        assert folder("users", "list", "--json").json[0]["disabled"] is True
        assert folder("users", "enable", "jsmith").code == 0
        assert folder("users", "list", "--json").json[0]["disabled"] is False
        assert folder("users", "disable", "jsmith").code == 0
        reasons = [row["reason"] for row in folder("ledger", "search", "--json").json]
        assert reasons == ["account_created", "account_disabled", "account_enabled", "account_disabled"]

    def test_a_password_that_cannot_be_used_makes_no_account(self, folder: Folder, tmp_path: Path) -> None:
        file = tmp_path / "password"
        for content in (b"", b"\r\n", b"short\n", b"\xff\xfe\xfa not utf-8 at all\n"):
            file.write_bytes(content)
            made = folder("users", "create", "jay", "--role", "auditor", "--name", "J", "--password-file", file)
            assert made.refusal
        assert folder("users", "list", "--json").json == []
        typed = folder("users", "create", "jay", "--role", "auditor", "--name", "J", stdin="correct horse\nother\n")
        assert typed.code == 1
        made = folder(
            *("users", "create", "jay", "--role", "auditor", "--name", "J", "--password-file", "-"),
            stdin=b"correct horse battery\n",
        )
        assert made.code == 0, made.err


class TestLedger:
    def test_entries_are_found_by_incident_actor_marker_and_check(self, demo: Folder) -> None:
        incident = f"CAD-{uuid.uuid4()}"
        hit = demo("check", HIT, "--incident", incident, "--json").json
        demo("check", CLEAR, "--incident", incident)
        demo("check", CLEAR)

        def found(*filters: str) -> list[dict[str, Any]]:
            rows: list[dict[str, Any]] = demo("ledger", "search", *filters, "--json").json
            return rows

        assert [row["status"] for row in found("--incident", incident)] == ["hit", "clear"]
        assert [row["entry"] for row in found("--check", hit["check_id"])] == [hit["ledger_entry"]]
        marker = hit["matches"][0]["marker_id"]
        of_marker = found("--marker", marker)
        assert of_marker[0]["operation"] == "collection"
        assert hit["ledger_entry"] in [row["entry"] for row in of_marker]
        me = found("--actor", f"os:{getpass.getuser()}", "--incident", incident)
        assert len(me) == 2
        assert found("--actor", "somebody.else") == []
        before = found()
        assert found("--last", "2")[0]["entry"] == before[-1]["entry"]
        assert found("--last", "1")[0]["reason"] == "ledger_search"
        sequences = [row["sequence"] for row in found()]
        assert sequences == sorted(sequences)
        apart = {n for row in found("--actor", "Proof of life") if (n := row["sequence"]) <= max(sequences)}
        assert sorted({*sequences, *apart}) == list(range(1, max(sequences) + 1)), (
            "what is kept apart is all that is left out"
        )
        assert not apart & set(sequences)

    def test_the_ledger_names_fields_and_never_what_they_hold(self, demo: Folder) -> None:
        demo("check", HIT, "--incident", "CAD-L2")
        whole = json.dumps(demo("ledger", "search", "--json").json)
        assert "Tallow" not in whole
        assert "Ask for each child" not in whole

    def test_a_reader_that_stops_early_ends_the_command_quietly(self, demo: Folder) -> None:
        for _ in range(3):
            demo("check", CLEAR)
        listing = demo.start("ledger", "search", "--json")
        with killed_in_the_end(listing):
            assert listing.stdout is not None
            assert listing.stderr is not None
            listing.stdout.close()
            said = listing.stderr.read()
            listing.wait(timeout=30)
        assert "Traceback" not in said
        assert "BrokenPipe" not in said


class TestChecklists:
    def test_what_ships_is_valid(self, folder: Folder) -> None:
        done = folder("checklists", "validate", *sorted(SHIPPED_DEFINITIONS.glob("*.yaml")))
        assert done.code == 0
        assert "domestic_abuse_20 version 1: 20 points" in done.out

    def test_every_fault_is_said_with_its_file_line_and_field(self, folder: Folder, tmp_path: Path) -> None:
        text = (SHIPPED_DEFINITIONS / "thrive.yaml").read_text()
        wrong = tmp_path / "ours.yaml"
        wrong.write_text(text.replace("who: call_handler", "who: anybody", 1).replace("version: 1", "version: soon", 1))
        done = folder("checklists", "validate", wrong)
        assert done.code == 1
        lines = [line for line in done.err.splitlines() if line.startswith(f"{wrong}:")]
        assert [line.split(": ")[1] for line in lines] == ["version", "sections.0.points.0.who"]
        assert "2 things are wrong" in done.err
        told = folder("checklists", "validate", wrong, "--json")
        fields = [fault["field"] for fault in json.loads(told.out)["errors"]]
        assert (told.code, fields) == (1, ["version", "sections.0.points.0.who"])

    def test_a_checklist_is_shown_as_a_person_would_read_it(self, folder: Folder) -> None:
        done = folder("checklists", "show", "domestic_abuse_20")
        assert done.code == 0
        for words in (
            "5. Weapons: Used, threatened", "call handler, on the call, mandatory, due in 3 min",
            "raised: blade, firearm", "mandatory if weapons is blade", "again every 10 min until a unit is on scene",
            "Not asked (with a reason)",
        ):  # fmt: skip
            assert words in done.out, words

    def test_one_of_another_file_is_shown_with_who_approved_it(self, folder: Folder, tmp_path: Path) -> None:
        ours = tmp_path / "ours.yaml"
        text = (SHIPPED_DEFINITIONS / "domestic_abuse_20.yaml").read_text()
        approved = "status: approved\n  approved_by: A. Lead\n  approved_on: 2026-10-01\n  review_due: 2027-10-01"
        ours.write_text(text.replace("status: draft", approved).replace("title: Weapons", "title: Any weapon"))
        done = folder("checklists", "show", "domestic_abuse_20", "--file", ours)
        assert "version 1, approved)" in done.out.splitlines()[0]
        for words in ("Approved by A. Lead on 01 October 2026", "review due 01 October 2027", "5. Any weapon: Used"):
            assert words in done.out, words
        told = folder("checklists", "show", "domestic_abuse_20", "--file", ours, "--json").json
        assert told["approval"]["approved_by"] == "A. Lead"
        ours.write_text("id: [")
        assert folder("checklists", "show", "a", "--file", ours).refusal.startswith(f"{ours}:")

    def test_every_checklist_that_ships_can_be_shown(self, folder: Folder) -> None:
        for definition in load_definitions():
            shown = folder("checklists", "show", definition.id).out
            assert "Draft: for practice" in shown
            for section in definition.sections:
                assert section.title in shown
                for point in section.points:
                    assert f"{point.title}: {point.prompt}" in shown

    def test_one_that_is_not_there_is_said_with_those_that_are(self, folder: Folder) -> None:
        done = folder("checklists", "show", "thirve")
        assert done.code == 1
        assert "There are: domestic_abuse_20" in done.err
