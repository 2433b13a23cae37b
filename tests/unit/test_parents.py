"""The parent-child relation of AddressBase: a building is not a home, and a marked building is every home in it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markers.exchange import RowError, read_gazetteer
from markers.gazetteer import Gazetteer
from markers.index import MarkerIndex
from markers.location import RawLocation, read_location
from markers.matching import Distances, Outcome, match
from markers.model import Grade, Marker, Place, Point, Premises, Status, SubBuilding
from markers.parents import MOST_LEVELS, buildings
from tests.unit.test_matching import CATEGORIES, NOW, at_home, grades, marker


def part(uprn: int, address: str, postcode: str, parent: int | None = None, easting: float = 596000) -> Premises:
    number = str(999990000000 + uprn)
    above = str(999990000000 + parent) if parent is not None else None
    return Premises(number, address, postcode, number, Point(easting, 179000), above)


TOWER = part(100, "Inkwell Tower, Golden Quill", "EC9A 1AC", 300)
FLATS = tuple(part(100 + n, f"Flat {n}, Inkwell Tower, Golden Quill", "EC9A 1AC", 100) for n in range(1, 6))
HOUSE = part(200, "14 Tallow Yard", "EC9A 1AB", None, 596200)
HALVES = (
    part(201, "Flat A, 14 Tallow Yard", "EC9A 1AB", 200, 596200),
    part(202, "Flat B, 14 Tallow Yard", "EC9A 1AB", 200, 596200),
)
ESTATE = part(300, "Golden Quill Estate", "EC9A 1AC", None)
ALONE = part(400, "18 Tallow Yard", "EC9A 1AB", None, 596300)
# The parent of these two has no row of its own.
LANE = tuple(part(500 + n, f"Flat {n}, 9 Pounce Lane", "EC9D 1AA", 599, 596400) for n in (1, 2))
ROUND = (part(701, "1 Loop Row", "EC9E 1AA", 702, 596500), part(702, "2 Loop Row", "EC9E 1AA", 701, 596500))
EVERYTHING = (TOWER, *FLATS, HOUSE, *HALVES, ESTATE, ALONE, *LANE, *ROUND)
UNLISTED = "999990000599"

Ask = Callable[..., Outcome]


@pytest.fixture(scope="module", params=[None, 1, 2], ids=["in order", "shuffled", "shuffled again"])
def gazetteer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Gazetteer:
    """Whatever the order of its rows."""
    rows = list(EVERYTHING)
    if request.param is not None:
        random.Random(request.param).shuffle(rows)
    return Gazetteer.load(tmp_path_factory.mktemp("gazetteer"), rows)


@pytest.fixture
def ask(gazetteer: Gazetteer) -> Callable[..., Ask]:
    def with_markers(*markers: Marker) -> Ask:
        index = MarkerIndex()
        index.replace(0, markers)

        def asking(**given: object) -> Outcome:
            location = read_location(RawLocation(**given))  # type: ignore[arg-type]  # the tests name real fields
            return match(location, index, gazetteer, CATEGORIES, Distances(), NOW)

        return asking

    return with_markers


MARKED_FLAT = at_home("M3", FLATS[2])
ON_TOWER = at_home("T", TOWER)


def test_a_gazetteer_knows_parents_and_their_parts(gazetteer: Gazetteer) -> None:
    assert gazetteer.by_id(FLATS[0].premises_id) == FLATS[0]
    assert gazetteer.children(TOWER.premises_id) == tuple(flat.premises_id for flat in FLATS)
    assert gazetteer.children("000" + UNLISTED) == tuple(flat.premises_id for flat in LANE)
    assert gazetteer.children(ALONE.premises_id) == gazetteer.children("") == ()


@pytest.mark.parametrize(
    ("given", "homes"),
    [
        ({"uprn": TOWER.uprn}, 5),
        ({"address": "Inkwell Tower, Golden Quill, EC9A 1AC"}, 5),
        ({"uprn": HOUSE.uprn}, 2),
        ({"address": "14 Tallow Yard, EC9A 1AB"}, 2),
        ({"uprn": ESTATE.uprn}, 5),
        ({"uprn": UNLISTED}, 2),
    ],
)
def test_a_building_is_never_clear_without_its_flat(ask: Callable[..., Ask], given: dict[str, str], homes: int) -> None:
    outcome = ask()(**given)
    assert outcome.status is Status.COULD_NOT_CHECK
    assert f"Flat missing: {homes} homes" in (outcome.reason or "")
    assert "Ask for the flat." in (outcome.reason or "")


@pytest.mark.parametrize(
    "given", [{"uprn": TOWER.uprn}, {"address": "Inkwell Tower, Golden Quill, EC9A 1AC"}, {"uprn": ESTATE.uprn}]
)
def test_a_marked_part_is_the_building_without_its_flat(ask: Callable[..., Ask], given: dict[str, str]) -> None:
    outcome = ask(MARKED_FLAT)(**given)
    assert outcome.status is Status.HIT
    assert grades(outcome) == [("M3", Grade.BUILDING, SubBuilding.NOT_GIVEN)]


def test_a_marked_part_of_a_building_without_a_row_is_found_too(ask: Callable[..., Ask]) -> None:
    outcome = ask(at_home("L1", LANE[0]), marker("ON", Place(uprn=UNLISTED)))(uprn=UNLISTED)
    assert grades(outcome) == [("ON", Grade.PREMISES, SubBuilding.SAME), ("L1", Grade.BUILDING, SubBuilding.NOT_GIVEN)]
    assert outcome.known


@pytest.mark.parametrize(
    "given",
    [{"uprn": FLATS[1].uprn}, {"address": "Flat 2, Inkwell Tower, EC9A 1AC"}, {"address": "flat 2 inkwell tower"}],
)
@pytest.mark.parametrize(
    "on_building",
    [ON_TOWER, marker("T", Place(uprn=TOWER.uprn)), at_home("T", ESTATE), marker("T", Place(uprn=ESTATE.uprn))],
    ids=["tower", "tower by uprn alone", "estate", "estate by uprn alone"],
)
def test_a_marked_building_is_every_home_in_it(
    ask: Callable[..., Ask], given: dict[str, str], on_building: Marker
) -> None:
    outcome = ask(on_building)(**given)
    assert outcome.status is Status.HIT
    assert grades(outcome) == [("T", Grade.BUILDING, None)]
    assert outcome.matches[0].applies
    assert outcome.matches[0].why == ("the whole building is marked",)


def test_the_building_itself_is_its_own_marker(ask: Callable[..., Ask]) -> None:
    outcome = ask(ON_TOWER)(uprn=TOWER.uprn)
    assert outcome.status is Status.HIT
    assert grades(outcome) == [("T", Grade.PREMISES, SubBuilding.SAME)]
    assert "Flat missing" in (outcome.reason or "")


def test_a_marked_sibling_is_context(ask: Callable[..., Ask]) -> None:
    oddly_written = at_home("M3", replace(FLATS[2], address="The Lantern Room"))
    for sibling in (MARKED_FLAT, oddly_written):
        outcome = ask(sibling)(uprn=FLATS[1].uprn)
        assert outcome.status is Status.CLEAR
        assert grades(outcome) == [("M3", Grade.BUILDING, SubBuilding.DIFFERENT)]
    assert ask(MARKED_FLAT)(uprn=HALVES[0].uprn).matches == ()


def test_a_flat_not_on_record_in_a_marked_building_may_be_meant(ask: Callable[..., Ask]) -> None:
    outcome = ask(ON_TOWER)(address="Flat 99, Inkwell Tower, Golden Quill, EC9A 1AC")
    assert outcome.status is Status.HIT
    assert grades(outcome) == [("T", Grade.POSSIBLE, None)]
    by_text = ask(at_home("H", HOUSE))(address="Flat C, 14 Tallow Yard, EC9A 1AB")
    assert by_text.status is Status.HIT


def test_a_flat_missing_in_a_building_whose_parent_is_marked(ask: Callable[..., Ask]) -> None:
    outcome = ask(marker("ON", Place(uprn=UNLISTED)))(address="9 Pounce Lane, EC9D 1AA")
    assert outcome.status is Status.HIT
    assert grades(outcome) == [("ON", Grade.POSSIBLE, None)]
    assert "Flat missing: 2 homes" in (outcome.reason or "")


def test_a_flat_that_names_no_parent_is_in_the_marked_building_its_text_names(tmp_path: Path) -> None:
    """A file whose parents are filled in here and there."""
    stray = part(103, "Flat 3, 14 Tallow Yard", "EC9A 1AB", None, 596200)
    gazetteer = Gazetteer.load(tmp_path, [HOUSE, *HALVES, stray])
    index = MarkerIndex()
    index.replace(0, [at_home("H", HOUSE), at_home("A", HALVES[0])])
    outcome = match(read_location(RawLocation(uprn=stray.uprn)), index, gazetteer, CATEGORIES, Distances(), NOW)
    assert outcome.status is Status.HIT
    assert grades(outcome) == [("H", Grade.BUILDING, None), ("A", Grade.BUILDING, SubBuilding.DIFFERENT)]


def test_markers_that_ended_are_no_kin(ask: Callable[..., Ask]) -> None:
    ended = NOW.date().replace(day=1)
    outcome = ask(replace(ON_TOWER, ends_on=ended), replace(MARKED_FLAT, ends_on=ended))(uprn=FLATS[1].uprn)
    assert (outcome.status, outcome.matches) == (Status.CLEAR, ())


def test_an_address_that_says_the_flat_of_the_buildings_uprn_is_that_flat(ask: Callable[..., Ask]) -> None:
    asking = ask(MARKED_FLAT)
    flat = asking(uprn=TOWER.uprn, address="Flat 2, Inkwell Tower, Golden Quill, EC9A 1AC")
    assert (flat.status, flat.warnings, flat.reason) == (Status.CLEAR, (), None)
    assert grades(flat) == [("M3", Grade.BUILDING, SubBuilding.DIFFERENT)]
    marked = asking(uprn=TOWER.uprn, address="Flat 3, Inkwell Tower, Golden Quill, EC9A 1AC")
    assert grades(marked) == [("M3", Grade.PREMISES, SubBuilding.SAME)]
    other_way = asking(uprn=FLATS[1].uprn, address="Inkwell Tower, Golden Quill, EC9A 1AC")
    assert other_way.status is not Status.CLEAR
    assert not any("disagree" in warning for warning in other_way.warnings)


def test_parents_are_followed_so_far(tmp_path: Path) -> None:
    chain = [part(800 + n, f"{n} Ladder Row", "EC9G 1AA", 801 + n if n < 20 else None) for n in range(1, 21)]
    gazetteer = Gazetteer.load(tmp_path, chain)
    assert len(buildings(chain[0], gazetteer)) == MOST_LEVELS
    index = MarkerIndex()
    outcome = match(read_location(RawLocation(uprn=chain[19].uprn)), index, gazetteer, CATEGORIES, Distances(), NOW)
    assert "Flat missing" in (outcome.reason or "")


def test_a_loop_of_parents_ends(ask: Callable[..., Ask]) -> None:
    outcome = ask(at_home("R", ROUND[1]))(uprn=ROUND[0].uprn)
    assert outcome.status is Status.HIT
    assert outcome.matches[0].grade is Grade.BUILDING


@settings(deadline=None)  # the first example loads the gazetteer
@given(asked=st.sampled_from(EVERYTHING), marked=st.sets(st.sampled_from(EVERYTHING), max_size=3), by=st.booleans())
def test_whoever_is_marked_no_word_names_another_home(
    asked: Premises, marked: set[Premises], by: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "kin"
    gazetteer = Gazetteer.open(folder)
    if not gazetteer.count:
        gazetteer = Gazetteer.load(folder, EVERYTHING)
    index = MarkerIndex()
    index.replace(0, [at_home(home.premises_id, home) for home in marked])
    raw = RawLocation(uprn=asked.uprn) if by else RawLocation(address=asked.address, postcode=asked.postcode)
    outcome = match(read_location(raw), index, gazetteer, CATEGORIES, Distances(), NOW)
    unmarked = match(read_location(raw), MarkerIndex(), gazetteer, CATEGORIES, Distances(), NOW)
    said = " ".join((outcome.reason or "", *outcome.warnings))
    allowed = {asked, outcome.home} | {home for home in EVERYTHING if home.address in (unmarked.reason or "")}
    for home in marked - allowed:
        assert home.address not in said.replace(asked.address, "")
    for found in outcome.matches:
        if found.marker.place.uprn != asked.uprn:
            assert found.grade is not Grade.PREMISES
    if gazetteer.children(asked.premises_id):
        assert outcome.status is not Status.CLEAR


def test_the_column_is_read_and_may_be_left_out(tmp_path: Path) -> None:
    file = tmp_path / "premises.csv"
    file.write_text(
        "uprn,address,Parent UPRN\n101,Flat 1 Inkwell Tower,0100\n100,Inkwell Tower,\n7,7 Vellum Row,7\n8,8 Row,x\n"
    )
    rows = list(read_gazetteer(file))
    assert [row.parent_uprn for row in rows if isinstance(row, Premises)] == ["100", None, None]
    assert [row.column for row in rows if isinstance(row, RowError)] == ["parent_uprn"]
    file.write_text("uprn,address\n101,Flat 1 Inkwell Tower\n")
    assert [row.parent_uprn for row in read_gazetteer(file) if isinstance(row, Premises)] == [None]
