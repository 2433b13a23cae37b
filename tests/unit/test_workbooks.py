"""Excel workbooks as people save them: read like a CSV list or refused in words; what was lost is never empty."""

from __future__ import annotations

import zipfile
from datetime import date, datetime
from pathlib import Path

import pytest
from openpyxl import Workbook

from markers.exchange import read_markers
from markers.model import Marker
from markers.tables import Row, RowError, TableError, count_lines, read_table
from tests.unit.test_exchange import CATEGORIES, NOW, TODAY

COLUMNS = ["Reference", "Category", "Address", "Post code", "UPRN", "Starts on", "Headline"]


def saved(tmp_path: Path, *rows: list[object], more: dict[str, list[list[object]]] | None = None) -> Path:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    for name, other in (more or {}).items():
        beside = book.create_sheet(name)
        for row in other:
            beside.append(row)
    path = tmp_path / "list.xlsx"
    book.save(path)
    return path


def read(path: Path, warnings: list[str] | None = None) -> list[Row | RowError]:
    columns = {"reference", "category", "address", "postcode", "uprn", "starts_on", "headline"}
    return list(read_table(path, {"reference"}, columns, (warnings if warnings is not None else []).append))


def test_a_messy_workbook_reads_as_a_person_reads_it(tmp_path: Path) -> None:
    path = saved(
        tmp_path,
        [],
        COLUMNS,
        [
            "CP-1",
            "Child protection plan",
            " Flat 3,\n14 Tallow Yard ",
            "ec9a 1ab",
            100023336956.0,
            date(2026, 11, 2),
            True,
        ],
        [None, None, None],
        ["CP-2", "Domestic abuse risk", "8 Foolscap Lane", None, "00012", datetime(2026, 11, 3, 9, 30), 7],  # noqa: DTZ001
    )
    first, second = read(path)
    assert isinstance(first, Row)
    assert (first.line, first.cells) == (
        3,
        {
            "reference": "CP-1", "category": "Child protection plan", "address": "Flat 3,\n14 Tallow Yard",
            "postcode": "ec9a 1ab", "uprn": "100023336956", "starts_on": "2026-11-02", "headline": "yes",
        },
    )  # fmt: skip
    assert isinstance(second, Row)
    assert (second.line, second.cells["uprn"], second.cells["headline"]) == (5, "00012", "7")
    assert count_lines(path) == 5


def test_a_list_of_markers_is_the_same_from_a_workbook_and_from_csv(tmp_path: Path) -> None:
    rows = [
        ["CP-1", "child_protection", "14 Tallow Yard, EC9A 1AB", date(2026, 11, 2)],
        ["DA-1", "domestic_abuse", "x", None],
    ]
    book = saved(tmp_path, ["reference", "category", "address", "starts_on"], *rows)
    text = tmp_path / "list.csv"
    text.write_text(
        'reference,category,address,starts_on\nCP-1,child_protection,"14 Tallow Yard, EC9A 1AB",2026-11-02\n'
        "DA-1,domestic_abuse,x,\n"
    )

    def markers(path: Path) -> list[Marker]:
        found = list(read_markers(path, CATEGORIES, TODAY, "a", "b", NOW))
        assert all(isinstance(one, Marker) for one in found), found
        return [one for one in found if isinstance(one, Marker)]

    from_book, from_text = markers(book), markers(text)
    assert [one.source for one in from_book] == ["list list.xlsx"] * 2
    assert [(m.reference, m.place, m.starts_on, m.review_on) for m in from_book] == [
        (m.reference, m.place, m.starts_on, m.review_on) for m in from_text
    ]


def test_the_first_sheet_with_anything_is_read_and_the_others_named(tmp_path: Path) -> None:
    warnings: list[str] = []
    path = saved(tmp_path, more={"Homes": [["reference"], ["CP-1"]], "Old": [["reference"], ["CP-0"]]})
    (row,) = read(path, warnings)
    assert isinstance(row, Row)
    assert row.cells == {"reference": "CP-1"}
    assert warnings == ["Sheet Homes was read; left out: Old."]


def test_a_formula_nobody_worked_out_is_not_taken_for_empty(tmp_path: Path) -> None:
    path = saved(tmp_path, ["reference", "address"], ["CP-1", '=A2&" Tallow Yard"'], ["CP-2", "x"])
    error, row = read(path)
    assert isinstance(error, RowError)
    assert str(error).startswith("line 2: the formula in column B was never worked out")
    assert isinstance(row, Row)


def test_cells_beside_the_named_columns_are_refused(tmp_path: Path) -> None:
    (error,) = read(saved(tmp_path, ["reference"], ["CP-1", "stray"]))
    assert "has 2 cells where the header names 1 columns" in str(error)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04 and nothing more", "can't be read"),
        ("zip", "this is a zip file, not an Excel workbook"),
        ("empty", "empty. The first row must name the columns"),
        ("damaged", "can't be read"),
        ("no header", "no header"),
    ],
)
def test_what_is_no_list_is_refused_in_words(tmp_path: Path, content: object, said: str) -> None:
    path = tmp_path / "list.xlsx"
    match content:
        case bytes():
            path.write_bytes(content)
        case "zip":
            with zipfile.ZipFile(path, "w") as packed:
                packed.writestr("a.txt", "x")
        case "empty":
            saved(tmp_path)
        case "no header":
            saved(tmp_path, ["nothing", "known"], ["x", "y"])
        case _:
            with zipfile.ZipFile(path, "w") as packed:
                packed.writestr("xl/workbook.xml", "<workbook>")
    with pytest.raises(TableError) as refused:
        read(path)
    assert str(refused.value).startswith("list.xlsx: ")
    assert said in str(refused.value)


def test_one_that_unpacks_beyond_measure_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "list.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/workbook.xml", "<workbook/>")
        with packed.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            for _ in range(600):
                sheet.write(b"\0" * 1_000_000)
    with pytest.raises(TableError, match="unpacks to 600 MB"):
        read(path)
