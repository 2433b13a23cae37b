"""In the whole invented neighbourhood: a marked home's own address is that home, a neighbour's never is."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markers.categories import load_categories
from markers.gazetteer import Gazetteer
from markers.index import MarkerIndex
from markers.location import RawLocation, read_location
from markers.matching import Distances, Outcome, match
from markers.model import Grade, Marker, Place, Premises, Status
from overlay import quillmarket

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
TOWN = quillmarket.build()
CATEGORIES = load_categories(Path(__file__).resolve().parents[2] / "config" / "categories.toml")


def at(home: Premises) -> Marker:
    return Marker(
        marker_id=f"id-{home.premises_id}",
        reference=home.premises_id,
        category="child_protection_plan",
        place=Place(home.address, home.postcode, home.uprn, home.premises_id, home.point),
        headline="h",
        action="a",
        owner="PPU",
        owner_contact="",
        starts_on=date(2026, 1, 1),
        review_on=date(2027, 1, 1),
        ends_on=date(2027, 6, 1),
        source="s",
        source_reference="",
        proposed_by="a",
        approved_by="b",
        recorded_at=NOW,
    )


@pytest.fixture(scope="module")
def gazetteer(tmp_path_factory: pytest.TempPathFactory) -> Gazetteer:
    return Gazetteer.load(tmp_path_factory.mktemp("gazetteer"), TOWN.homes)


@pytest.fixture(scope="module")
def every_home_marked() -> MarkerIndex:
    index = MarkerIndex()
    index.replace(0, [at(home) for home in TOWN.homes])
    return index


def asking(text: str, postcode: str | None, index: MarkerIndex, gazetteer: Gazetteer) -> Outcome:
    location = read_location(RawLocation(address=text, postcode=postcode))
    return match(location, index, gazetteer, CATEGORIES, Distances(), NOW)


def claimed(outcome: Outcome) -> set[str]:
    return {found.marker.reference for found in outcome.matches if found.grade is Grade.PREMISES}


def retyped(text: str, data: st.DataObject) -> str:
    """As people type: other case, other spacing, commas lost or added at the ends."""
    text = data.draw(st.sampled_from([text, text.lower(), text.upper(), text.title()]), "case")
    gap = data.draw(st.sampled_from([" ", "  ", " \t", "\N{NO-BREAK SPACE}"]), "gap")
    edge = data.draw(st.sampled_from(["", " ", ",", ".", " ,"]), "edge")
    return edge + text.replace(" ", gap) + edge


@settings(max_examples=300, deadline=None)
@given(data=st.data(), home=st.sampled_from(TOWN.homes))
def test_a_marked_homes_own_address_is_that_home_and_no_other(
    data: st.DataObject, home: Premises, gazetteer: Gazetteer, every_home_marked: MarkerIndex
) -> None:
    outcome = asking(retyped(home.address, data), home.postcode, every_home_marked, gazetteer)
    assert outcome.status is Status.HIT
    assert claimed(outcome) == {home.premises_id}


@settings(max_examples=300, deadline=None)
@given(home=st.sampled_from(TOWN.homes), data=st.data())
def test_a_neighbours_address_is_never_this_home(home: Premises, data: st.DataObject, gazetteer: Gazetteer) -> None:
    building = TOWN.building_of[home.premises_id]
    neighbours = [
        other
        for other in TOWN.homes
        if other.premises_id != home.premises_id and TOWN.building_of[other.premises_id] == building
    ]
    other = data.draw(st.sampled_from(neighbours or [h for h in TOWN.homes if h is not home]), "neighbour")
    index = MarkerIndex()
    index.replace(0, [at(other)])
    outcome = asking(home.address, home.postcode, index, gazetteer)
    assert claimed(outcome) == set()


@settings(max_examples=300, deadline=None)
@given(home=st.sampled_from(TOWN.homes), noise=st.sampled_from(["male shouting", "loud music", "o/s", "caller upset"]))
def test_words_about_the_incident_never_make_another_flat_this_home(
    home: Premises, noise: str, gazetteer: Gazetteer, every_home_marked: MarkerIndex
) -> None:
    outcome = asking(f"{home.address} {noise}", home.postcode, every_home_marked, gazetteer)
    assert claimed(outcome) <= {home.premises_id}
    assert outcome.status is not Status.CLEAR


def named(outcome: Outcome, grade: Grade) -> set[str | None]:
    return {found.marker.place.address for found in outcome.matches if found.grade is grade}


def test_number_words_are_numbers(gazetteer: Gazetteer, every_home_marked: MarkerIndex) -> None:
    outcome = asking("fourteen tallow yard flat three", None, every_home_marked, gazetteer)
    assert named(outcome, Grade.PREMISES) == {"Flat 3, 14 Tallow Yard, London"}
    outcome = asking("flat twenty-one quarto tower", None, every_home_marked, gazetteer)
    assert named(outcome, Grade.PREMISES) == {"21 Quarto Tower, Scriptor Walk, London"}


def test_a_flat_without_its_buildings_number_may_be_either(
    gazetteer: Gazetteer, every_home_marked: MarkerIndex
) -> None:
    outcome = asking("flat 3 tallow yard", None, every_home_marked, gazetteer)
    assert claimed(outcome) == set()
    assert named(outcome, Grade.POSSIBLE) == {"3 Tallow Yard, London", "Flat 3, 14 Tallow Yard, London"}


@pytest.mark.parametrize(
    "flat", ["7 Quarto Tower, Scriptor Walk, London", "Penthouse 2, Quarto Tower, Scriptor Walk, London"]
)
def test_a_tower_without_its_flat_surfaces_whichever_flat_is_marked(flat: str, gazetteer: Gazetteer) -> None:
    home = next(home for home in TOWN.homes if home.address == flat)
    index = MarkerIndex()
    index.replace(0, [at(home)])
    outcome = asking("quarto tower", None, index, gazetteer)
    assert outcome.status is Status.HIT
    assert named(outcome, Grade.BUILDING) == {flat}
    assert not any("7" in reason or "2" in reason for found in outcome.matches for reason in found.why)
    index.replace(1, [])
    assert asking("quarto tower", None, index, gazetteer).status is Status.COULD_NOT_CHECK


@pytest.mark.parametrize(
    ("marked", "typed"),
    [
        ("Flat 3, 14 Tallow Yard, London", "14 Tallow Yard, 2nd floor"),
        ("Flat 3, 14 Tallow Yard, London", "top flat, 14 Tallow Yard"),
        ("Flat 3, 14 Tallow Yard, London", "Flat 5, 14 Tallow Yard"),
        ("Flat 1, Harbyn House, Wolstan Street, London", "Flat 1 Harbyn Wolstan St"),
        ("Flat 1, Harbyn House, Wolstan Street, London", "Flat 1, Harbyn Houie, Wolstan Street"),
        ("Flat 1, Harbyn House, Wolstan Street, London", "Flat 1, Wolstan Street, EC9A 4AB"),
        ("Flat 6, Verdigris House, 37-41 Vellum Street, London", "6 Verdigris House"),
        ("Flat 29, Octavo Tower, Scriptor Walk, London", "29 Scriptor Walk EC9A 3AB"),
        ("8 Foolscap Lane, London", "8 Foolscap Lane, Leeds, LS1 4AP"),
        ("Flat 3, 14 Tallow Yard, London", "14 Tallow Yard, 2 males fighting outside"),
    ],
)
def test_what_may_mean_a_marked_home_is_never_clear(marked: str, typed: str, gazetteer: Gazetteer) -> None:
    homes = [home for home in TOWN.homes if home.address == marked]
    assert homes, f"no such home in Quillmarket: {marked}"
    index = MarkerIndex()
    index.replace(0, [at(homes[0])])
    outcome = asking(typed, None, index, gazetteer)
    assert outcome.status is not Status.CLEAR


def test_a_penthouse_is_never_a_numbered_flat(gazetteer: Gazetteer, every_home_marked: MarkerIndex) -> None:
    outcome = asking("1 Quarto Tower, Scriptor Walk", None, every_home_marked, gazetteer)
    assert "Penthouse 1, Quarto Tower, Scriptor Walk, London" not in named(outcome, Grade.PREMISES)
