"""Tables as people have them: encodings, line ends, delimiters, headers, quotes, and files that are no table at all."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markers.tables import Row, RowError, TableError, count_lines, read_table

REQUIRED = {"reference", "address"}
OPTIONAL = {"review_on", "postcode"}


@pytest.fixture
def written(tmp_path: Path):
    def write(content: bytes) -> Path:
        path = tmp_path / "list.csv"
        path.write_bytes(content)
        return path

    return write


def rows(path: Path, warnings: list[str] | None = None) -> list[Row | RowError]:
    return list(read_table(path, REQUIRED, OPTIONAL, (warnings if warnings is not None else []).append))


def cells(path: Path) -> list[dict[str, str]]:
    found = rows(path)
    assert all(isinstance(row, Row) for row in found), found
    return [row.cells for row in found if isinstance(row, Row)]


def refusal(path: Path) -> str:
    with pytest.raises(TableError) as refused:
        rows(path)
    assert "\n" not in str(refused.value)
    return str(refused.value)


ONE = [{"reference": "R1", "address": "Flat 3, 14 Tallow Yard"}]


@pytest.mark.parametrize(
    "content",
    [
        b'reference,address\nR1,"Flat 3, 14 Tallow Yard"\n',
        b'reference,address\r\nR1,"Flat 3, 14 Tallow Yard"\r\n',
        b'reference,address\rR1,"Flat 3, 14 Tallow Yard"\r',
        b'reference,address\nR1,"Flat 3, 14 Tallow Yard"',
        b'\xef\xbb\xbfreference,address\r\nR1,"Flat 3, 14 Tallow Yard"\r\n',
        b"reference;address\r\nR1;Flat 3, 14 Tallow Yard\r\n",
        b"reference\taddress\r\nR1\tFlat 3, 14 Tallow Yard\r\n",
        b"reference|address\nR1|Flat 3, 14 Tallow Yard\n",
        b"sep=;\r\nreference;address\r\nR1;Flat 3, 14 Tallow Yard\r\n",
        b'"sep=;"\r\nreference;address\r\nR1;Flat 3, 14 Tallow Yard\r\n',
        b"\xef\xbb\xbfsep=\t\r\nreference\taddress\r\nR1\tFlat 3, 14 Tallow Yard\r\n",
        'reference,address\r\nR1,"Flat 3, 14 Tallow Yard"\r\n'.encode("utf-16"),
        '\ufeffreference,address\r\nR1,"Flat 3, 14 Tallow Yard"\r\n'.encode("utf-16-be"),
        b'"Reference","ADDRESS"\n"R1","Flat 3, 14 Tallow Yard"\n',
        b' Reference , Address \n R1 ,  "Flat 3, 14 Tallow Yard"  \n',
        b'reference , address\n"R1"  , "Flat 3, 14 Tallow Yard"\n',
        'reference,address\nR1\u00a0,"\u00a0Flat 3,\u00a0 14  Tallow\u200b Yard \u00a0"\n'.encode(),
        b'reference,address\xa0\nR1\xa0,"\xa0Flat 3,\xa014 Tallow Yard"\n',
        b'\n\r\n  \nreference,address\nR1,"Flat 3, 14 Tallow Yard"\n',
        b'reference,address,,\nR1,"Flat 3, 14 Tallow Yard",,,,\n,,,\n\n" "," "\n,,,\n',
        b'reference,address\nR1,"Flat 3,\t14 Tallow Yard"\n',
        b'address,reference\n"Flat 3, 14 Tallow Yard",R1\n',
    ],
)
def test_one_list_saved_in_many_ways(written, content):
    assert cells(written(content)) == ONE


@pytest.mark.parametrize(
    "name", ["review_on", "Review On", "REVIEW-ON", "reviewOn", " review  on ", "\ufeffReview\u00a0on"]
)
def test_column_names_whatever_their_case_and_spaces(written, name):
    assert cells(written(f"reference,address,{name}\nR1,1 Quill Row,2026-10-03\n".encode())) == [
        {"reference": "R1", "address": "1 Quill Row", "review_on": "2026-10-03"}
    ]


def test_windows_1252_is_read_and_said_once(written):
    warnings: list[str] = []
    content = b"reference,address\nR1,plain\nR2,The Chandler\x92s Arms \x96 \xa35 Yard\nR3,Caf\xe9 \x80\n"
    found = rows(written(content), warnings)
    assert [row.cells["address"] for row in found] == ["plain", "The Chandler’s Arms – £5 Yard", "Café €"]
    assert warnings == ["Line 3 is not UTF-8 and was read as Windows-1252. Check £ signs and accented letters."]


def test_utf8_and_windows_1252_pasted_into_one_file(written):
    found = cells(written("reference,address\nR1,Café\n".encode() + b"R2,Caf\xe9\n"))
    assert [row["address"] for row in found] == ["Café", "Café"]


def test_emoji_and_every_plane_survive(written):
    assert cells(written("reference,address\nR1,🏠 1 Quill Row 👩‍👧\n".encode()))[0]["address"] == "🏠 1 Quill Row 👩‍👧"
    assert cells(written("reference,address\nR1,🏠 1 Quill Row\n".encode("utf-16")))[0]["address"] == "🏠 1 Quill Row"


@pytest.mark.parametrize(
    "bad", [b"\xed\xb2\x80", b"\xed\xa0\xbd\xed\xb8\x80", b"\x81\x8d", "R\udc80".encode("utf-8", "surrogatepass")]
)
def test_bytes_that_are_no_text_are_refused_by_line(written, bad):
    assert "line 3 is neither UTF-8 nor Windows-1252" in refusal(written(b"reference,address\nR1,x\nR2," + bad + b"\n"))


def test_line_numbers_are_those_of_the_file(written):
    content = b'\nreference,address\r\nR1,"14 Tallow Yard\r\nQuillmarket\nEC9A 1AB"\r\n\r\n'
    content += b'R2,x\rR3,"a\n\nb"\nR4,x,y\nR5,"x"y\nR6,z'
    found = rows(written(content))
    assert [row.line for row in found] == [3, 7, 8, 11, 12, 13]
    assert found[0].cells["address"] == "14 Tallow Yard\nQuillmarket\nEC9A 1AB"
    assert isinstance(found[3], RowError)
    assert isinstance(found[4], RowError)


def test_crlf_across_a_read_boundary_is_one_line_end(written):
    for spare in range(65_536 - 40, 65_536 - 20):
        found = rows(written(b"reference,address\r\nR1," + b"x" * spare + b"\r\nR2,y\r\n"))
        assert [row.line for row in found] == [2, 3]


def test_unknown_columns_are_reported_with_the_nearest_name(written):
    warnings: list[str] = []
    rows(written(b"reference,address,reveiw_on,shoe size\nR1,x,2026-10-03,9\n"), warnings)
    assert warnings == [
        "Column reveiw_on is not known and was left out. Is it meant to be review_on?",
        "Column shoe size is not known and was left out.",
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty. The first line must name the columns"),
        (b"\n\r\n ,\xc2\xa0\n".replace(b",", b" "), "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"\xff\xfe", "empty"),
        (b"sep=;\n", "empty"),
        (b"sep=x\nreferencexaddress\n", "separator"),
        (b"R1,14 Tallow Yard\nR2,15 Tallow Yard\n", "no header. The first line must name the columns (address, "),
        (b"reference,adress,postcode\nR1,x,y\n", "lacks the column address. It has: reference, adress, postcode."),
        (b"reference,adress,postcode\nR1,x,y\n", "Is adress meant to be address?"),
        (b"postcode\nEC9A 1AB\n", "lacks the column address, reference. It has: postcode."),
        (b"reference,address,Address\nR1,x,y\n", "the column address is there twice"),
        (b"reference,address,size,Size\nR1,x,y,z\n", "the column size is there twice"),
        (b"reference,address," + b",".join(b"c%d" % n for n in range(300)) + b"\n", "has 302 columns"),
        (b'reference,"address\nR1,x\n', "header"),
        (b"reference,address\nR1,\0x\n", "line 2 holds NUL bytes"),
        ("reference,address\nR1,x\n".encode("utf-16-le"), "NUL bytes"),
        (b"\xff\xfer\0e\0\x00\xd8", "UTF-16"),
        (b"PK\x03\x04\x14\0\x06", "this workbook can't be read"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "old Excel workbook"),
        (b'reference,address\nR1,x\nR2,"Flat 3\nR3,y\nR4,z\n', "the row that starts on line 3 is never closed"),
        (b'reference,address\nR1,x\nR2,"', "line 3 is never closed"),
        (b'reference,address\nR1,x\nR2,"Flat 3\nR3,y\nR4,"z"\n', "the row that starts on line 3 is never closed"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_table_says_why(written, content, said):
    assert said in refusal(written(content))


def test_rows_before_a_broken_one_do_not_hide_it(written):
    """A quotation mark never closed would swallow the markers after it, so it may not pass as a long address."""
    reader = read_table(written(b'reference,address\nR1,x\nR2,"1 Quill Row\nR3,y\n'), REQUIRED, OPTIONAL)
    assert next(reader) == Row(2, {"reference": "R1", "address": "x"})
    with pytest.raises(TableError, match="line 3"):
        next(reader)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            b"R1,Flat 3, 14 Tallow Yard",
            "line 2: has 3 cells where the header names 2 columns. Put quotation marks round",
        ),
        (b'R1,"The "Quill" Inn"', "line 2: text follows a closing quotation mark"),
        (b'R1,"' + b"x" * 140_000 + b'"', "line 2: a cell is longer than 131,072 characters"),
    ],
)
def test_a_bad_row_is_told_and_the_next_still_read(written, row, said):
    bad, good = rows(written(b"reference,address\n" + row + b"\nR2,y\n"))
    assert str(bad).startswith(said)
    assert good == Row(3, {"reference": "R2", "address": "y"})


def test_cells_left_off_the_end_are_empty(written):
    """Excel leaves off trailing separators after the sixteenth row."""
    assert cells(written(b"reference,address,postcode,review_on\nR1,x\n")) == [{"reference": "R1", "address": "x"}]


def test_quotation_marks_inside_an_unquoted_cell_are_text(written):
    assert cells(written(b'reference,address\nR1,The 5" Pipe\n'))[0]["address"] == 'The 5" Pipe'
    assert cells(written(b'reference,address\nR1,"The ""Quill"" Inn"\n'))[0]["address"] == 'The "Quill" Inn'


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"x" * 50_000_000, "line 2 is over 1 MB"),
        (b'R1,"' + b"x" * 50_000_000, "line 2 is over 1 MB"),
        (b'R1,"' + b"x\n" * 25_000_000, "the row that starts on line 2 is"),
        (b'R1,"' + b'\n","' * 12_500_000, "the row that starts on line 2 is over 1 MB"),
    ],
)
def test_fifty_megabytes_without_an_end_are_refused_at_once(written, line, said):
    path = written(b"reference,address\n" + line)
    began = time.process_time()
    assert said in refusal(path)
    assert time.process_time() - began < 10
    tracemalloc.start()
    refusal(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40_000_000


def test_fifty_megabytes_as_the_header(written):
    assert "line 1 is over 1 MB" in refusal(written(b"reference," * 5_000_000))


def test_a_long_file_is_read_in_little_memory(written):
    path = written(b"reference,address\n" + b'R1,"Flat 3, 14 Tallow Yard"\n' * 100_000)
    tracemalloc.start()
    assert sum(1 for _ in read_table(path, REQUIRED, OPTIONAL)) == 100_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3_000_000


@pytest.mark.parametrize("name", ["nothing.csv", ".", "a\0b.csv"])
def test_a_file_that_can_not_be_opened(tmp_path, name):
    for call in (rows, count_lines):
        with pytest.raises(TableError, match="can't be read"):
            call(tmp_path / name)


def test_messages_hold_nothing_a_terminal_would_obey(written):
    assert "\x1b" not in refusal(written(b"\x1b[2Jone,\x07two\n1,2\n"))
    warnings: list[str] = []
    rows(written("reference,address,\x1b[31mred\u202e\n".encode()), warnings)
    assert warnings == ["Column \ufffd[31mred is not known and was left out."]


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", 0),
        (b"a", 1),
        (b"a\n", 1),
        (b"a\r\nb\r\nc", 3),
        (b"a\rb\r", 2),
        (b"\n\n\n", 3),
        ("a\r\nb\r\n".encode("utf-16"), 2),
    ],
)
def test_lines_are_counted(written, content, lines):
    assert count_lines(written(content)) == lines


def test_lines_are_counted_across_a_read_boundary(written):
    assert count_lines(written(b"x" * ((1 << 20) - 1) + b"\r\ny\r\n")) == 2


TROUBLE = st.lists(
    st.sampled_from(
        [
            b"reference",
            b"address",
            b"R1",
            b",",
            b";",
            b"\t",
            b'"',
            b'""',
            b"\n",
            b"\r",
            b"\r\n",
            b"sep=;",
            b" ",
            b"\xa0",
            b"\xff\xfe",
            b"\xef\xbb\xbf",
            b"\0",
            b"\x92",
            b"\xed\xb2\x80",
            "é🏠".encode(),
            b"\xe2\x80\xa8",
            b"\x85",
            b"\x1b",
        ]
    ),
    max_size=40,
).map(b"".join)


@settings(max_examples=300, deadline=None)
@given(content=st.one_of(st.binary(max_size=200), TROUBLE, TROUBLE.map(lambda rest: b"reference,address\n" + rest)))
def test_any_bytes_give_rows_or_a_table_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(content)
    try:
        found = rows(path)
    except TableError as error:
        assert "\n" not in str(error)
        assert "\x1b" not in str(error)
        return
    numbers = [row.line for row in found]
    assert numbers == sorted(set(numbers))
    assert all(1 <= number <= count_lines(path) for number in numbers)
