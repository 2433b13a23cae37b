"""Two addresses side by side: vetoes first, then what agrees."""

from __future__ import annotations

import pytest

from markers.address import read_address
from markers.compare import Verdict, compare
from markers.slips import sound, word_cost


def verdict(asked: str, home: str, postcode: str | None = None) -> Verdict:
    return compare(read_address(asked), read_address(home, postcode)).verdict


@pytest.mark.parametrize(
    ("asked", "home"),
    [
        ("Flat 3, 14 Tallow Yard", "Flat 3, 14 Tallow Yard, London"),
        ("apt 3 14 tallow yd london ec9a 1ab", "Flat 3, 14 Tallow Yard, London"),
        ("tallow yard 14 flat 3", "Flat 3, 14 Tallow Yard, London"),
        ("12 Inkwell Tower", "Flat 12, Inkwell Tower, Golden Quill, London"),
        ("golden quill, inkwell twr, f12", "Flat 12, Inkwell Tower, Golden Quill, London"),
        ("37A Tallow Yard", "Flat A, 37 Tallow Yard, London"),
        ("Flat A, 37 Tallow Yard", "37A Tallow Yard, London"),
        ("13 Pounce Lane", "11-15 Pounce Lane, London"),
        ("11 to 15 pounce lane", "11-15 Pounce Lane, London"),
        ("basement flat 16 b tallow yard", "Basement Flat, 16B Tallow Yard, London"),
        ("first floor flat 9 pounce ln", "Flat First Floor 9 Pounce Lane London"),
        ("14 talow yard", "14 Tallow Yard, London"),
        ("9 st johns quill", "9 St John's Quill, London"),
        ("9 pounce lain", "9 Pounce Lane, London"),
        ("nr 14 tallow yard male shouting at a dog", "14 Tallow Yard, London"),
    ],
)
def test_the_same_home(asked: str, home: str) -> None:
    assert verdict(asked, home) is Verdict.SAME


@pytest.mark.parametrize(
    ("asked", "home"),
    [
        ("Flat 4, 14 Tallow Yard", "Flat 3, 14 Tallow Yard, London"),
        ("13 Inkwell Tower", "Flat 12, Inkwell Tower, Golden Quill, London"),
        ("Ground floor flat, 67 Pounce Lane", "Basement Flat, 67 Pounce Lane, London"),
    ],
)
def test_another_flat_of_the_building(asked: str, home: str) -> None:
    assert verdict(asked, home) is Verdict.DIFFERENT


@pytest.mark.parametrize(
    "asked", ["Ground floor flat, 67 Pounce Lane", "top flat 67 pounce lane", "67 Pounce Lane, 2nd floor"]
)
def test_a_floor_may_be_any_numbered_flat_and_is_never_surely_one(asked: str) -> None:
    assert verdict(asked, "Flat 67, 67 Pounce Lane, London") is Verdict.POSSIBLE


@pytest.mark.parametrize(
    ("asked", "home"),
    [
        ("14 Tallow Yard", "15 Tallow Yard, London"),
        ("14 Tallow Yard", "14A Tallow Yard, London"),
        ("14 Tallow Court", "14 Tallow Yard, London"),
        ("12 Pounce Lane", "11-15 Pounce Lane, London"),
        ("17 Pounce Lane", "11-15 Pounce Lane, London"),
        ("12 Quill Wall Place", "12 Quill Wall, London"),
        ("12 Great Quill Street", "12 Quill Street, London"),
        ("Flat 12, Inkwell House", "Flat 12, Inkwell Tower, Golden Quill, London"),
        ("Flat 12, Inkpot Tower", "Flat 12, Inkwell Tower, Golden Quill, London"),
        ("Tallow Yard", "14 Tallow Yard, London"),
        ("", "14 Tallow Yard, London"),
    ],
)
def test_elsewhere(asked: str, home: str) -> None:
    assert verdict(asked, home) is Verdict.ELSEWHERE


@pytest.mark.parametrize(
    ("asked", "home"),
    [
        ("Inkwell Tower", "Flat 12, Inkwell Tower, Golden Quill, London"),
        ("14 Tallow Yard", "Flat 3, 14 Tallow Yard, London"),
    ],
)
def test_flat_not_given(asked: str, home: str) -> None:
    assert verdict(asked, home) is Verdict.NOT_GIVEN


@pytest.mark.parametrize(
    ("asked", "home"),
    [
        ("opposite 14 Tallow Yard", "14 Tallow Yard, London"),
        ("Flat 3, 14 Tallow Yard", "14 Tallow Yard, London"),
        ("Flat B, 14 Tallow Yard", "Flat 2, 14 Tallow Yard, London"),
        ("12-14 Tallow Yard", "14 Tallow Yard, London"),
        ("FL 4, 27 Pounce Lane", "4-27 Pounce Lane, London"),
        ("Top floor flat, 14 Tallow Yard", "Second floor flat, 14 Tallow Yard, London"),
        ("14 Tallow", "14 Tallow Yard, London"),
        ("Inkpot House 14 Tallow Yard", "Inkwell House, 14 Tallow Yard, London"),
    ],
)
def test_a_doubt_is_never_the_same(asked: str, home: str) -> None:
    assert verdict(asked, home) is Verdict.POSSIBLE


def test_another_street_type_is_a_doubt_only_with_the_very_postcode() -> None:
    assert verdict("14 Tallow Lane EC9A 1AB", "14 Tallow Yard", "EC9A 1AB") is Verdict.POSSIBLE
    assert verdict("14 Tallow Lane EC9A 1AB", "14 Tallow Yard", "EC9A 1AC") is Verdict.ELSEWHERE


def test_reasons_are_short_and_say_what_differs() -> None:
    found = compare(read_address("flat 3 14 talow yd ec9a 1ab"), read_address("Flat 3, 14 Tallow Yard", "EC9A 1AC"))
    assert found.verdict is Verdict.SAME
    assert "14 = 14" in found.why
    assert "talow read as Tallow" in found.why
    assert "postcode differs: EC9A 1AB / EC9A 1AC" in found.why
    assert found.confidence < 0.99


@pytest.mark.parametrize(
    ("asked", "known", "cost"),
    [
        ("TALLOW", "TALLOW", 0),
        ("TALOW", "TALLOW", 1),
        ("TLALOW", "TALLOW", 1),
        ("ST", "STREET", 0),
        ("OAT", "OAK", 2),
        ("LANE", "LAKE", 1),
        ("COURT", "CLOSE", -1),
        ("UPPER", "LOWER", -1),
        ("12A", "12B", -1),
    ],
)
def test_slips_of_spelling(asked: str, known: str, cost: int) -> None:
    assert word_cost(asked, known) == cost


def test_words_that_sound_alike() -> None:
    assert sound("LAIN") == sound("LANE")
    assert sound("WILLOWBY") == sound("WILLOUGHBY")
    assert sound("TALLOW") != sound("POUNCE")


@pytest.mark.parametrize("asked", ["37 Vellum Street flat", "37 Vellum Street", "flat at 37 vellum st"])
def test_a_flat_that_was_not_given_is_never_named(asked: str) -> None:
    found = compare(read_address(asked), read_address("Flat 6, 37 Vellum Street, London"))
    assert found.verdict is Verdict.NOT_GIVEN
    assert "flat not given" in found.why
    assert not any("6" in reason for reason in found.why)
