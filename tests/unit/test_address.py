"""Reading written addresses: parts, ranges, flats, floors, postcodes, and text nobody should have typed."""

from __future__ import annotations

import pytest

from markers.address import Reading, local_id, normalise, normalise_postcode, read_address
from tests.patience import takes


def plain(text: str) -> Reading:
    """The plain reading of a text."""
    return read_address(text).readings[0]


@pytest.mark.parametrize(
    ("text", "unit", "number", "street"),
    [
        ("14 Tallow Yard", None, "14", "TALLOW YARD"),
        ("Flat 3, 14 Tallow Yd", "Flat 3", "14", "TALLOW YARD"),
        ("FLAT 3 14 TALLOW YARD", "Flat 3", "14", "TALLOW YARD"),
        ("14 tallow yard flat 3", "Flat 3", "14", "TALLOW YARD"),
        ("f3, 14 tallow yard", "Flat 3", "14", "TALLOW YARD"),
        ("FL 4, 27 King St", "Flat 4", "27", "KING STREET"),
        ("FL 4 27 King St", "Flat 4", "27", "KING STREET"),
        ("FL 4 - 27 King St", "Flat 4", "27", "KING STREET"),
        ("Ground Floor Flat, 67 Quill Lane", "Ground floor flat", "67", "QUILL LANE"),
        ("gnd flr fl 67 quill ln", "Ground floor flat", "67", "QUILL LANE"),
        ("GFF 67 Quill Lane", "Ground floor flat", "67", "QUILL LANE"),
        ("Flat A First and Second Floors 21 Quill Road", "Floor 1 and Floor 2 flat A", "21", "QUILL ROAD"),
        ("12 to 14 Quill Street", None, "12-14", "QUILL STREET"),
        ("12 - 14 Quill Street", None, "12-14", "QUILL STREET"),
        ("12/14 Quill Street", None, "12-14", "QUILL STREET"),
        ("122-4 Quill Street", None, "122-124", "QUILL STREET"),
        ("16 b Quill Street", None, "16B", "QUILL STREET"),
        ("144½ Quill Street", None, "144HALF", "QUILL STREET"),
        ("28 St Mary at Quill", None, "28", "ST MARY QUILL"),
        ("o/s 46 Quill Court", None, "46", "QUILL COURT"),
        ("65A Quill's Court", None, "65A", "QUILLS COURT"),
    ],
)
def test_the_plain_reading(text: str, unit: str | None, number: str, street: str) -> None:
    reading = plain(text)
    assert (reading.unit.text if reading.unit else None) == unit
    assert reading.number is not None
    assert reading.number.text == number
    assert " ".join(reading.street) == street


def test_a_lettered_number_is_also_a_flat() -> None:
    readings = [(r.unit.text if r.unit else "", r.number.text if r.number else "") for r in plainly("37A Tallow Yard")]
    assert readings[0] == ("", "37A")
    assert ("Flat A", "37") in readings


def test_a_number_before_a_tower_is_also_its_flat() -> None:
    readings = [(r.unit.ident if r.unit else "", r.number.text if r.number else "") for r in plainly("12 Quill Tower")]
    assert ("12", "") in readings
    assert ("", "12") in readings


def test_a_flat_without_a_number_may_be_the_building_number() -> None:
    readings = [
        (r.unit.ident if r.unit else "", r.number.text if r.number else "") for r in plainly("Flat 74 High Street")
    ]
    assert readings == [("74", ""), ("", "74")]


def test_a_scottish_flat_before_its_number() -> None:
    reading = plain("1/3 168 Quill Street")
    assert (reading.unit.ident if reading.unit else None, reading.number.text if reading.number else None) == (
        "1/3",
        "168",
    )


def test_comma_parts_of_a_gazetteer_address() -> None:
    reading = plain("Flat 18, Inkwell House, Golden Quill, London")
    assert (reading.name, reading.street, reading.locality) == (("INKWELL", "HOUSE"), ("GOLDEN", "QUILL"), ("LONDON",))


def test_words_beside_an_address_are_noticed() -> None:
    assert read_address("opposite 14 Tallow Yard").beside
    assert not read_address("outside 14 Tallow Yard").beside


@pytest.mark.parametrize(
    ("text", "postcode"),
    [
        ("ec9a1ab", "EC9A 1AB"),
        (" EC9A  1AB ", "EC9A 1AB"),
        ("EC9A IAB", "EC9A 1AB"),
        ("ECIV 3PQ", "EC1V 3PQ"),
        ("EC9A OAB", "EC9A 0AB"),
        ("EC9A 1A", None),
        ("TALLOW", None),
        ("", None),
        (None, None),
    ],
)
def test_postcodes(text: str | None, postcode: str | None) -> None:
    assert normalise_postcode(text) == postcode


def test_a_postcode_in_the_text_is_taken_out_of_it() -> None:
    written = read_address("14 tallow yard london ec9a1ab")
    assert (written.postcode, written.outward) == ("EC9A 1AB", "EC9A")
    assert "EC9A" not in " ".join(written.readings[0].words)


def test_half_a_postcode_counts_only_at_the_end() -> None:
    assert read_address("14 Tallow Yard EC9A").outward == "EC9A"
    assert read_address("Flat B4, 14 Tallow Yard").outward is None


def test_normalise_levels_what_does_not_matter() -> None:
    assert normalise("  Café – St. John’s\tYard ") == "CAFE - ST JOHNS YARD"


def test_local_ids_are_stable_and_blind_to_case_and_commas() -> None:
    assert local_id("Flat 3, 14 Tallow Yard", "ec9a1ab") == local_id("FLAT 3 14 TALLOW YARD", "EC9A 1AB")
    assert local_id("Flat 3, 14 Tallow Yard", None) != local_id("Flat 31, 4 Tallow Yard", None)
    assert local_id("14 Tallow Yard", "EC9A 1AB") == "L" + local_id("14 Tallow Yard", "EC9A 1AB")[1:].upper()
    assert len(local_id("", None)) == 13


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ,,, ",
        "1-999999 Quill Street",
        "9" * 10_000,
        "flat " * 2_000,
        "1-2-3-4/5/6&7 " * 700,
        "FLAT 1 FLAT 2 FLAT 3 " * 400,
        "½" * 5_000,
        "\u0301" * 10_000,
        "𝟙𝟚 Ｔａｌｌｏｗ\u200f " * 600,
        "-/&," * 2_500,
    ],
)
def test_hostile_text_is_read_in_bounded_time(text: str) -> None:
    assert takes(lambda: read_address(text[:10_000], text[:10_000])) < 0.05
    written = read_address(text[:10_000], text[:10_000])
    assert len(written.readings) <= 8


def plainly(text: str) -> tuple[Reading, ...]:
    return read_address(text).readings
