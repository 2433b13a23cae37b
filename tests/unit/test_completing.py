"""Homes that the beginning of an address may become: everything typed first, slips after, as many as a form shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markers.completing import MOST, complete
from markers.exchange import read_gazetteer
from markers.gazetteer import Gazetteer
from markers.tables import RowError
from overlay import quillmarket


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Gazetteer:
    folder = tmp_path_factory.mktemp("completing")
    quillmarket.write_gazetteer_csv(quillmarket.build(), folder / "gazetteer.csv")
    homes = [home for home in read_gazetteer(folder / "gazetteer.csv") if not isinstance(home, RowError)]
    return Gazetteer.load(folder / "gazetteer", homes)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("8 fools", "8 Foolscap Lane, London EC9A 1AP"),
        ("flat 12 oct", "Flat 12, Octavo Tower, Scriptor Walk, London EC9A 3AB"),
        ("12 OCTAVO TOWER", "Flat 12, Octavo Tower, Scriptor Walk, London EC9A 3AB"),
        ("flat 3 14 tal", "Flat 3, 14 Tallow Yard, London EC9A 1AB"),
        ("octavo tow", "Flat 1, Octavo Tower, Scriptor Walk, London EC9A 3AB"),
        ("ec9a 1ab", "1 Tallow Yard, London EC9A 1AB"),
        ("blottr stre", "Flat 1, 1 Blotter Street, London EC9A 1AR"),  # a slip
    ],
)
def test_the_likeliest_home_is_first(town: Gazetteer, text: str, first: str) -> None:
    found = [f"{home.address} {home.postcode}" for home in complete(text, town)]
    assert found[0] == first
    assert len(found) <= MOST
    assert len(set(found)) == len(found)


def test_homes_stand_in_the_order_in_which_people_read_them(town: Gazetteer) -> None:
    numbers = [int(home.address.split(",")[0].split()[1]) for home in complete("octavo tower", town)]
    assert numbers == list(range(1, MOST + 1))


def test_a_number_is_that_number_and_none_that_begins_so(town: Gazetteer) -> None:
    assert [home.address.split()[0] for home in complete("8 foolscap lane", town)] == ["8"]


@pytest.mark.parametrize("text", ["", "  ", "fl", "1", "x" * 500, "\x00\x00\x00", ".*.*", "(((", "🏠🏠🏠🏠"])
def test_what_says_nothing_becomes_nothing(town: Gazetteer, text: str) -> None:
    assert complete(text, town) == ()


@given(st.text(max_size=60))
@settings(deadline=None, max_examples=150)
def test_any_text_is_answered(town: Gazetteer, text: str) -> None:
    assert len(complete(text, town)) <= MOST


def test_every_home_is_reached_by_its_own_address(town: Gazetteer) -> None:
    for record in range(0, town.count, 9):
        home = town.known(record)[0]
        assert home.premises_id in {found.premises_id for found in complete(home.address, town)}, home.address


def test_homes_within_a_box_are_those_that_stand_there(town: Gazetteer) -> None:
    homes = [town.known(record)[0] for record in range(town.count)]
    point = next(home.point for home in homes if home.point is not None)
    box = (point.easting - 60, point.northing - 60, point.easting + 60, point.northing + 60)
    inside = {
        home.premises_id
        for home in homes
        if home.point is not None and box[0] <= home.point.easting <= box[2] and box[1] <= home.point.northing <= box[3]
    }
    assert {town.known(record)[0].premises_id for record in town.within(*box)} == inside
    assert town.within(0, 0, 1, 1) == []


def test_an_empty_gazetteer_completes_nothing(tmp_path: Path) -> None:
    empty = Gazetteer.open(tmp_path)
    assert complete("14 tallow", empty) == ()
    assert empty.within(0, 0, 700_000, 1_300_000) == []
