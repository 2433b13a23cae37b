"""`overlay bench match`: what it counts, and what the matcher must reach on the labelled set."""

from __future__ import annotations

import csv
import json
import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from markers.lines import TableError
from markers.model import Premises
from overlay.bench.labelled import build
from overlay.bench.match import MatchReport, bench_match
from overlay.bench.matchset import QUERY_COLUMNS, LabelledQuery, MatchSet, read_match_set, read_premises
from overlay.bench.peer import PeerError, peer_match, peer_of
from overlay.bench.score import CLEAR, COULD_NOT_CHECK, DIFFERENT, NOT_GIVEN, RIGHT, WRONG, Share
from overlay.bench.tables import failure_rows
from overlay.cli import main

COMMITTED = Path(__file__).parents[1] / "data" / "labelled"

FLATS = tuple(Premises(f"f{n}", f"Flat {n}, 14 Tallow Yard, London", "EC9A 1AB") for n in range(1, 5))
HOUSE = Premises("h5", "5 Foolscap Lane, London", "EC9A 1AP")


def asked(number: int, text: str, true_uid: str, cls: str, *tags: str) -> LabelledQuery:
    return LabelledQuery(f"q{number}", text, true_uid, "", "", cls, tags)


SMALL = MatchSet(
    homes=(*FLATS, HOUSE),
    marked=(FLATS[0], FLATS[2]),
    queries=(
        asked(0, "Flat 1, 14 Tallow Yard, EC9A 1AB", "f1", "exact", "clean"),
        asked(1, "flat 2 14 tallow yard", "f2", "building", "case", "nopc"),
        asked(2, "Flat 3, 14 Tallow Yard", "f2", "building", "nopc"),  # planted: the caller meant Flat 2
        asked(3, "14 Tallow Yard", "", "vague", "noflat", "nopc"),
        asked(4, "5 Foolscap Lane, EC9A 1AP", "h5", "none", "clean"),
        asked(5, "zzz", "f1", "exact", "typo"),
        asked(6, "", "f1", "exact", "typo"),
    ),
)


def quiet(_: str) -> None:
    """Nobody listens."""


@pytest.fixture(scope="module")
def small() -> MatchReport:
    return bench_match(SMALL, quiet)


def test_every_text_falls_in_its_column(small: MatchReport) -> None:
    columns = [one.column for one in small.judged]
    assert columns == [RIGHT, DIFFERENT, WRONG, NOT_GIVEN, CLEAR, COULD_NOT_CHECK, COULD_NOT_CHECK]
    assert {cls: dict(counts) for cls, counts in small.score.by_class.items()} == {
        "exact": {RIGHT: 1, COULD_NOT_CHECK: 2},
        "building": {DIFFERENT: 1, WRONG: 1},
        "vague": {NOT_GIVEN: 1},
        "none": {CLEAR: 1},
    }
    assert small.score.by_tag["nopc"] == {DIFFERENT: 1, WRONG: 1, NOT_GIVEN: 1}


def test_a_wrong_home_is_counted_as_wrong(small: MatchReport) -> None:
    score = small.score
    assert (score.wrong_homes, score.unsurfaced, score.said_clear, score.clear_though_vague) == (1, 2, 0, 0)
    assert score.precision == Share(1, 2)
    assert score.recall == Share(1, 3)
    assert score.doubt == Share(2, 6)
    assert (small.homes, small.markers, small.misplaced, small.unplaced) == (5, 2, 0, 0)


def test_failures_say_what_was_typed_meant_and_answered_and_why(small: MatchReport) -> None:
    rows = failure_rows(small.judged)
    assert [(row["failure"], row["query"]) for row in rows] == [
        ("wrong home", "q2"),
        ("not surfaced", "q5"),
        ("not surfaced", "q6"),
    ]
    assert (rows[0]["text"], rows[0]["truth"]) == ("Flat 3, 14 Tallow Yard", "f2")
    assert "premises / same: f3 Flat 3, 14 Tallow Yard" in rows[0]["answered"]
    assert "flat 3 = Flat 3" in rows[0]["why"]


def test_a_home_written_just_like_the_one_meant_is_not_another_home() -> None:
    twin = Premises("twin", FLATS[0].address.upper(), FLATS[0].postcode)
    report = bench_match(MatchSet((*FLATS, twin), (twin,), (asked(0, FLATS[0].address, "f1", "exact"),)), quiet)
    assert report.score.wrong_homes == 0
    assert report.score.unsurfaced == 0


def test_a_vague_text_answered_clear_is_a_failure() -> None:
    queries = (asked(0, "5 Foolscap Lane", "", "vague"), asked(1, "5 Foolscap Lane", "h5", "vague"))
    report = bench_match(MatchSet((*FLATS, HOUSE), (FLATS[0],), queries), quiet)
    assert report.score.clear_though_vague == 1  # the second was read as the very home that was meant


def test_wilsons_interval() -> None:
    low, high = Share(991, 1004).interval
    assert (round(low, 4), round(high, 4)) == (0.9780, 0.9924)
    assert Share(0, 0).interval == (0.0, 1.0)
    assert Share(10, 10).interval[1] == pytest.approx(1.0)


def write(path: Path, columns: tuple[str, ...], *rows: tuple[str, ...]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows((columns, *rows))
    return path


@pytest.mark.parametrize(
    ("columns", "row", "uid"),
    [
        (("unique_id", "address_concat", "postcode", "unit"), ("u1", "1 Wax Court", "EC9A 1AE", ""), "u1"),
        (("uprn", "address", "postcode"), ("999990000001", "1 Wax Court", "EC9A 1AE"), "999990000001"),
        (("uprn", "address", "postcode"), ("", "1 Wax Court", "EC9A 1AE"), "L6D0D8D9C2A2F"),
    ],
)
def test_premises_are_read_in_both_forms(
    tmp_path: Path, columns: tuple[str, ...], row: tuple[str, ...], uid: str
) -> None:
    (home,) = read_premises(write(tmp_path / "g.csv", columns, row))
    assert (home.address, home.postcode) == ("1 Wax Court", "EC9A 1AE")
    assert home.premises_id == uid or (uid.startswith("L") and home.premises_id.startswith("L"))


@pytest.mark.parametrize(
    ("columns", "row", "told"),
    [
        (QUERY_COLUMNS[:-1], ("q", "t", "u", "b", "s", "exact"), "no column tags"),
        (QUERY_COLUMNS, ("q", "t", "u", "b", "s", "maybe", ""), "line 2, cls: 'maybe'"),
        (QUERY_COLUMNS, ("q", "t", "", "b", "s", "exact", ""), "line 2, true_uid: missing"),
        (QUERY_COLUMNS, ("q", "t", "u"), "line 2: more or fewer cells"),
    ],
)
def test_a_queries_file_is_refused_in_words(
    tmp_path: Path, columns: tuple[str, ...], row: tuple[str, ...], told: str
) -> None:
    homes = write(tmp_path / "g.csv", ("address", "postcode"), ("1 Wax Court", "EC9A 1AE"))
    with pytest.raises(TableError, match=told):
        read_match_set(homes, homes, write(tmp_path / "q.csv", columns, row))


@pytest.fixture
def run_small(tmp_path: Path) -> Callable[..., Result]:
    columns = ("unique_id", "address_concat", "postcode")
    homes = write(tmp_path / "g.csv", columns, *((h.premises_id, h.address, h.postcode or "") for h in SMALL.homes))
    marked = write(tmp_path / "m.csv", columns, *((h.premises_id, h.address, h.postcode or "") for h in SMALL.marked))
    rows = ((q.query_id, q.text, q.true_uid, "", "", q.cls, "+".join(q.tags)) for q in SMALL.queries)
    queries = write(tmp_path / "q.csv", QUERY_COLUMNS, *rows)
    files = ("--gazetteer", str(homes), "--markers", str(marked), "--queries", str(queries))
    return lambda *more: CliRunner().invoke(main, ["bench", "match", *files, *more])


def test_the_command_tells_a_program_everything(run_small: Callable[..., Result]) -> None:
    told = json.loads(run_small("--json").stdout)
    assert told["by_class"]["building"] == {WRONG: 1, DIFFERENT: 1}
    assert (told["wrong_homes"], told["unsurfaced"], told["queries"]) == (1, 2, 7)
    assert told["precision"]["share"] == 0.5
    assert 0 < told["single"]["p50_ms"] <= told["single"]["p95_ms"] <= told["single"]["p99_ms"]
    assert told["memory_mb"] > 10
    assert "peer" not in told


def test_the_command_tells_a_person_and_lists_failures(run_small: Callable[..., Result]) -> None:
    said = run_small("--failures", "-").stdout
    assert "precision of premises" in said
    assert "wrong home  [q2, building, nopc]" in said
    assert "truth: f2" in said


def test_without_the_peer_installed_one_line_says_how(
    run_small: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    done = run_small("--peer", "uk-address-matcher")
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1].endswith("pip install 'overlay[bench-peer]'")
    with pytest.raises(PeerError), peer_of(SMALL.homes):
        pass


def test_scale_measures_load_texts_batch_and_memory(tmp_path: Path) -> None:
    rows = [(home.address, home.postcode or "") for home in build(1).match_set().homes[:400]]
    path = write(tmp_path / "homes.csv", ("address", "postcode"), *rows)
    sizes = ("--homes", "300", "--queries", "40", "--markers", "50", "--batch", "60")
    done = CliRunner().invoke(main, ["bench", "scale", "--gazetteer", str(path), *sizes, "--json"])
    told = json.loads(done.stdout)
    assert (told["homes"], told["markers"], told["memory"]["markers"]) == (300, 50, 300)
    assert told["batch"]["size"] == 60
    assert told["single"]["p50_ms"] > 0
    assert told["memory"]["mb"] > 10
    assert told["as_meant"]["whole"] == 40
    assert told["as_meant"]["share"] > 0.5
    assert told["peer"] is None
    done = CliRunner().invoke(main, ["bench", "scale", "--gazetteer", str(path), "--homes", "5000"])
    assert done.exit_code == 1
    assert "400 addresses with a postcode, 5,000 are wanted" in done.stderr


def told_failures(report: MatchReport, *kinds: str) -> str:
    rows = [row for row in failure_rows(report.judged) if row["failure"] in kinds]
    return "\n".join(f"{row['failure']}: {row['text']!r} meant {row['truth']}; {row['answered']}" for row in rows)


def test_the_committed_set_shows_no_wrong_home_and_loses_none() -> None:
    read = read_match_set(COMMITTED / "gazetteer.csv", COMMITTED / "markers.csv", COMMITTED / "queries.csv")
    report = bench_match(read, quiet)
    wrong = told_failures(report, "wrong home", "said clear", "not surfaced")
    assert (report.score.wrong_homes, report.score.said_clear, report.score.unsurfaced) == (0, 0, 0), wrong


@pytest.mark.slow
def test_a_fresh_set_shows_no_wrong_home_and_loses_none() -> None:
    seed = random.SystemRandom().randrange(2**31)
    sys.stdout.write(f"\nlabelled set of seed {seed}\n")
    report = bench_match(build(seed).match_set(), quiet)
    wrong = f"seed {seed}\n{told_failures(report, 'wrong home', 'said clear', 'not surfaced')}"
    assert report.score.wrong_homes <= 1, wrong
    assert report.score.said_clear == 0, wrong
    assert report.score.unsurfaced == 0, wrong


@pytest.mark.slow
def test_the_peer_is_scored_and_timed() -> None:
    labelled = build(1).match_set()
    some = MatchSet(labelled.homes, labelled.marked, labelled.queries[:60])
    scores, times = peer_match(some, 2, quiet)
    assert [one.setting for one in scores] == ["default", "cautious"]
    assert 0.5 < scores[0].recall.value <= 1
    assert scores[0].recall.part >= scores[1].recall.part
    assert times.single.p50 > 10
    assert times.batch_size == 60
