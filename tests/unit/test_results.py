"""Results of a batch check: whole or not at all, and nothing a spreadsheet would run."""

from __future__ import annotations

import csv
import resource
import stat
from pathlib import Path

import pytest

from markers.exchange import ResultsWriter, TableError
from markers.model import Grade, Status, SubBuilding

HEADER = b"query_id,status,reason,grade,sub_building,marker_reference,category,distance_m,confidence,why\r\n"


def read_back(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_results_have_the_agreed_columns_and_line_ends(tmp_path):
    path = tmp_path / "results.csv"
    with ResultsWriter(path) as writer:
        writer.none("q1", Status.CLEAR)
        writer.match(
            "q2",
            Status.HIT,
            grade=Grade.BUILDING,
            sub_building=SubBuilding.NOT_GIVEN,
            marker_reference="PPU-1",
            category="child_protection",
            distance_m=12.3456,
            confidence=0.987,
            why="number 14; flat not given, ask",
        )
        writer.match("q3", Status.HIT, "phone only", grade="phone")
    assert path.read_bytes() == (
        HEADER
        + b"q1,clear,,,,,,,,\r\n"
        + b'q2,hit,,building,not_given,PPU-1,child_protection,12.35,0.99,"number 14; flat not given, ask"\r\n'
        + b"q3,hit,phone only,phone,,,,,,\r\n"
    )
    assert list(tmp_path.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "text", ["=1+1", "+44 20 7946 0012", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "＝1", "=cmd|' /C calc'!A0"]
)
def test_formulae_are_made_harmless(tmp_path, text):
    path = tmp_path / "results.csv"
    with ResultsWriter(path) as writer:
        writer.none(text, Status.COULD_NOT_CHECK, text)
    assert read_back(path)[1][:3] == ["'" + text, "could_not_check", "'" + text]


@pytest.mark.parametrize("text", ["-12", "+12.5", "q=1", "14 Tallow Yard", "'=1", ""])
def test_other_texts_stay_as_they_are(tmp_path, text):
    path = tmp_path / "results.csv"
    with ResultsWriter(path) as writer:
        writer.none(text, Status.CLEAR, text)
    assert read_back(path)[1][:3] == [text, "clear", text]


def test_new_lines_quotes_and_half_characters_are_kept_readable(tmp_path):
    path = tmp_path / "results.csv"
    with ResultsWriter(path) as writer:
        writer.none("q\udc80", Status.COULD_NOT_CHECK, 'the "Quill",\nEC9')
    assert read_back(path)[1][:3] == ["q\\udc80", "could_not_check", 'the "Quill",\nEC9']


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_nothing_is_left_when_it_fails(tmp_path, error):
    path = tmp_path / "results.csv"
    with pytest.raises(error):
        write_rows(path, 1, error)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_run_leaves_the_last_results_alone(tmp_path):
    path = tmp_path / "results.csv"
    path.write_text("before")
    with pytest.raises(RuntimeError):
        write_rows(path, 1, RuntimeError)
    assert path.read_text() == "before"
    with ResultsWriter(path):
        pass
    assert path.read_bytes() == HEADER


def test_a_place_that_can_not_be_written_is_said_in_a_line(tmp_path):
    with pytest.raises(TableError, match="results can't be written"):
        ResultsWriter(tmp_path / "nowhere" / "results.csv")
    with pytest.raises(TableError, match="results can't be written"):
        ResultsWriter(tmp_path / "a\0b.csv")
    (tmp_path / "folder").mkdir()
    with pytest.raises(TableError, match="results can't be written"), ResultsWriter(tmp_path / "folder"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_disk_that_takes_no_more_is_said_and_leaves_nothing(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, hard))
    try:
        with pytest.raises(TableError, match="File too large"):
            write_rows(tmp_path / "results.csv", 1_000)
        with pytest.raises(TableError, match="File too large"):
            write_rows(tmp_path / "results.csv", 60)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def write_rows(path: Path, count: int, error: type[BaseException] | None = None) -> None:
    with ResultsWriter(path) as writer:
        for number in range(count):
            writer.none(f"q{number}", Status.COULD_NOT_CHECK, "which flat? " * 5)
        if error is not None:
            raise error
