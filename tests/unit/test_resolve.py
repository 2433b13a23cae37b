"""From a written address to the home it surely is, or an honest doubt, and the marked homes it concerns."""

from __future__ import annotations

from pathlib import Path

import pytest

from markers.address import local_id, read_address
from markers.compare import Verdict
from markers.gazetteer import Gazetteer
from markers.homes import MarkedHomes
from markers.model import Precision, Premises
from markers.resolve import Resolution, resolve, resolve_premises


def home(address: str, postcode: str = "EC9A 1AB") -> Premises:
    return Premises(local_id(address, postcode), address, postcode)


HOMES = [
    *(home(f"{n} Tallow Yard, London") for n in range(1, 9)),
    *(home(f"{n} Tallow Court, London", "EC9A 1AE") for n in (1, 2, 3)),
    *(home(f"Flat {n}, Inkwell Tower, Golden Quill, London", "EC9A 1AC") for n in range(1, 39)),
    *(home(f"Flat {n}, Inkpot House, Golden Quill, London", "EC9A 1AD") for n in range(1, 21)),
    *(home(f"Flat {n}, 11-15 Pounce Lane, London", "EC9B 2AA") for n in (1, 2, 3)),
    *(home(f"{n} Bread Street, London", "EC9B 2AB") for n in (9, 10, 11)),
    *(home(f"{n} Vellum Hill, London", "EC9B 2AC") for n in (1, 2, 5)),
    *(home(f"{n} Vellam Hill, London", "EC9B 2AD") for n in (1, 2, 3)),
    home("20 Vellum Hill, London", "EC9B 2AC"),
    home("Flat 1, 20 Vellum Hill, London", "EC9B 2AC"),
    home("Flat 2, 20 Vellum Hill, London", "EC9B 2AC"),
    home("37A Bread Street, London", "EC9B 2AB"),
    home("The Quill Public House, 50 Bread Street, London", "EC9B 2AB"),
    home("7 Nib Street, London", "EC9C 3AA"),
    home("7 Nib Street, London", "EC9C 3AB"),
    *(home(f"Flat {n}, Harbin House, Wolstan Street, London", "EC9D 4AA") for n in (1, 2, 3)),
    *(home(f"Flat {n}, Harbyn House, Wolstan Street, London", "EC9D 4AB") for n in (1, 2, 3)),
    home("Flat Above, 2 Wolstan Street, London", "EC9D 4AC"),
    *(home(f"{n} Octavo Tower, London", "EC9D 4AD") for n in (1, 2, 9)),
    home("Penthouse 1, Octavo Tower, London", "EC9D 4AD"),
    home("Inkersby Newsagents, Unit 1, Concourse, Quill Station, Platform Lane, London", "EC9D 4AE"),
    home("Quill Station, Platform Lane, London", "EC9D 4AE"),
    home("8 Foolscap Lane, London", "EC9D 4AF"),
    home("14 Foolscap Lane, London", "EC9D 4AF"),
]
MARKED = {
    "yard": home("3 Tallow Yard, London"),
    "tower12": home("Flat 12, Inkwell Tower, Golden Quill, London", "EC9A 1AC"),
    "house12": home("Flat 12, Inkpot House, Golden Quill, London", "EC9A 1AD"),
    "lane2": home("Flat 2, 11-15 Pounce Lane, London", "EC9B 2AA"),
    "bread10": home("10 Bread Street, London", "EC9B 2AB"),
    "vellum1": home("1 Vellum Hill, London", "EC9B 2AC"),
    "vellum20f2": home("Flat 2, 20 Vellum Hill, London", "EC9B 2AC"),
    "nib": home("7 Nib Street, London", "EC9C 3AA"),
    "pub": home("The Quill Public House, 50 Bread Street, London", "EC9B 2AB"),
    "lacking": home("Flat 4, 99 Ferrule Street, London", "EC9D 4AA"),
    "above": home("Flat Above, 2 Wolstan Street, London", "EC9D 4AC"),
    "harbin3": home("Flat 3, Harbin House, Wolstan Street, London", "EC9D 4AA"),
    "octavo1": home("1 Octavo Tower, London", "EC9D 4AD"),
    "octavo9": home("9 Octavo Tower, London", "EC9D 4AD"),
    "station": home("Quill Station, Platform Lane, London", "EC9D 4AE"),
    "fools8": home("8 Foolscap Lane, London", "EC9D 4AF"),
    "fools14": home("14 Foolscap Lane, London", "EC9D 4AF"),
    "outer": home("9 Outer Road, London", "N1 1AA"),
}


@pytest.fixture(scope="module")
def gazetteer(tmp_path_factory: pytest.TempPathFactory) -> Gazetteer:
    folder: Path = tmp_path_factory.mktemp("gazetteer")
    return Gazetteer.load(folder, HOMES)


@pytest.fixture(scope="module")
def marked() -> MarkedHomes:
    homes = MarkedHomes()
    for home_id, premises in MARKED.items():
        homes.put(home_id, premises)
    return homes


def ids(found: Resolution, verdict: Verdict) -> list[str]:
    return [one.home_id for one in found.marked if one.verdict is verdict]


@pytest.mark.parametrize(
    ("asked", "same"),
    [
        ("3 tallow yd", "yard"),
        ("o/s 3 tallow yard ec9a1ab male shouting", "yard"),
        ("12 inkwell tower", "tower12"),
        ("golden quill inkwell twr apt 12", "tower12"),
        ("flat 12 inkpot hse ec9a", "house12"),
        ("flat 2, 13 pounce lane", "lane2"),
        ("10 bred street", "bread10"),
        ("1 vellum hill", "vellum1"),
        ("50 bread street", "pub"),
        ("7 nib street ec9c 3aa", "nib"),
    ],
)
def test_the_marked_home_and_no_other(gazetteer: Gazetteer, marked: MarkedHomes, asked: str, same: str) -> None:
    found = resolve(read_address(asked), gazetteer, marked)
    assert ids(found, Verdict.SAME) == [same]
    assert found.home is not None
    assert (found.known, found.decidable, found.problem) == (True, True, None)


@pytest.mark.parametrize(
    "asked",
    ["4 tallow yard", "3 tallow court", "flat 12, 9 bread street", "11 bread street", "flat 3 11-15 pounce lane"],
)
def test_a_neighbour_is_never_the_marked_home(gazetteer: Gazetteer, marked: MarkedHomes, asked: str) -> None:
    found = resolve(read_address(asked), gazetteer, marked)
    assert ids(found, Verdict.SAME) == []


def test_another_flat_is_said_to_be_another(gazetteer: Gazetteer, marked: MarkedHomes) -> None:
    found = resolve(read_address("flat 13 inkwell tower"), gazetteer, marked)
    assert found.precision is Precision.SUB_BUILDING
    assert found.decidable
    assert ids(found, Verdict.DIFFERENT) == ["tower12"]
    assert "flat 13 is not Flat 12" in found.marked[0].why


def test_a_tower_without_its_flat_is_not_decided(gazetteer: Gazetteer, marked: MarkedHomes) -> None:
    found = resolve(read_address("inkwell tower golden quill"), gazetteer, marked)
    assert (found.home, found.decidable, found.precision) == (None, False, Precision.BUILDING)
    assert found.problem == "Flat missing: 38 homes at Inkwell Tower. Ask for the flat."
    assert ids(found, Verdict.NOT_GIVEN) == ["tower12"]


def test_a_house_over_flats_is_its_own_home_and_the_flats_are_not_given(
    gazetteer: Gazetteer, marked: MarkedHomes
) -> None:
    found = resolve(read_address("20 vellum hill"), gazetteer, marked)
    assert found.home == home("20 Vellum Hill, London", "EC9B 2AC")
    assert found.warnings == ("Flats are on record at this address too. Ask whether it is one of them.",)
    assert ids(found, Verdict.SAME) == []
    assert ids(found, Verdict.NOT_GIVEN) == ["vellum20f2"]


@pytest.mark.parametrize(
    ("asked", "precision"),
    [
        ("tallow yard", Precision.STREET),
        ("bread street junction with vellum hill", Precision.STREET),
        ("the big clock by the river", Precision.UNKNOWN),
        ("", Precision.UNKNOWN),
        ("flat 3", Precision.UNKNOWN),
        ("opposite 3 tallow yard", Precision.BUILDING),
    ],
)
def test_what_is_too_vague_is_never_decided(
    gazetteer: Gazetteer, marked: MarkedHomes, asked: str, precision: Precision
) -> None:
    found = resolve(read_address(asked), gazetteer, marked)
    assert not found.decidable
    assert found.problem
    assert found.home is None
    assert found.precision is precision
    assert ids(found, Verdict.SAME) == []


def test_two_plausible_streets_are_asked_about(gazetteer: Gazetteer, marked: MarkedHomes) -> None:
    found = resolve(read_address("1 vellem hill"), gazetteer, marked)
    assert not found.decidable
    assert found.problem
    assert {one.address for one in found.candidates} == {"1 Vellum Hill, London", "1 Vellam Hill, London"}
    assert ids(found, Verdict.POSSIBLE) == ["vellum1"]


def test_a_known_street_beats_its_misspelt_twin(gazetteer: Gazetteer, marked: MarkedHomes) -> None:
    found = resolve(read_address("1 vellam hill"), gazetteer, marked)
    assert found.home == home("1 Vellam Hill, London", "EC9B 2AD")
    assert ids(found, Verdict.SAME) == []


def test_a_number_the_known_street_lacks_is_not_moved_to_its_twin(gazetteer: Gazetteer, marked: MarkedHomes) -> None:
    found = resolve(read_address("5 vellam hill"), gazetteer, marked)
    assert found.home is None


def test_two_homes_with_one_address_are_told_apart_by_postcode_only(gazetteer: Gazetteer, marked: MarkedHomes) -> None:
    found = resolve(read_address("7 nib street"), gazetteer, marked)
    assert not found.decidable
    assert len(found.candidates) == 2
    other = resolve(read_address("7 nib street ec9c 3ab"), gazetteer, marked)
    assert other.home == home("7 Nib Street, London", "EC9C 3AB")
    assert ids(other, Verdict.SAME) == []


def test_a_home_the_gazetteer_lacks_is_decidable_and_said_so(gazetteer: Gazetteer, marked: MarkedHomes) -> None:
    found = resolve(read_address("888 bread street"), gazetteer, marked)
    assert (found.known, found.decidable, found.home) == (False, True, None)
    assert found.understood == "888 Bread Street"
    assert found.warnings == ("not in the gazetteer: confirm it with the caller",)


def test_a_marked_home_the_gazetteer_lacks_is_still_found(gazetteer: Gazetteer, marked: MarkedHomes) -> None:
    found = resolve(read_address("flat 4, 99 ferrule st"), gazetteer, marked)
    assert ids(found, Verdict.SAME) == ["lacking"]
    slipped = resolve(read_address("flat 4, 99 ferule st"), gazetteer, marked)
    assert ids(slipped, Verdict.POSSIBLE) == ["lacking"]


def test_a_wrong_postcode_is_a_warning(gazetteer: Gazetteer, marked: MarkedHomes) -> None:
    found = resolve(read_address("3 tallow yard ec9a 1ac"), gazetteer, marked)
    assert ids(found, Verdict.SAME) == ["yard"]
    assert found.warnings == ("postcode EC9A 1AC given, gazetteer has EC9A 1AB",)


def test_a_flat_and_a_postcode_alone_list_the_homes_it_could_be(gazetteer: Gazetteer, marked: MarkedHomes) -> None:
    found = resolve(read_address("flat 12 ec9a 1ac"), gazetteer, marked)
    assert not found.decidable
    assert [one.address for one in found.candidates] == ["Flat 12, Inkwell Tower, Golden Quill, London"]
    assert ids(found, Verdict.POSSIBLE) == ["tower12"]


def test_a_home_given_by_its_uprn(gazetteer: Gazetteer, marked: MarkedHomes) -> None:
    found = resolve_premises(MARKED["tower12"], gazetteer, marked)
    assert ids(found, Verdict.SAME) == ["tower12"]
    assert found.precision is Precision.SUB_BUILDING


def test_without_a_gazetteer_the_marked_homes_are_searched(tmp_path: Path, marked: MarkedHomes) -> None:
    found = resolve(read_address("3 tallow yard"), Gazetteer.open(tmp_path / "none"), marked)
    assert ids(found, Verdict.SAME) == ["yard"]
    assert not resolve(read_address("4 tallow yard"), Gazetteer.open(tmp_path / "none"), marked).decidable


@pytest.mark.parametrize(
    ("asked", "trap"),
    [
        ("flat 2, harbin, wolstan street", "above"),
        ("pent house 1, octavo tower", "octavo1"),
        ("inkersby newsagents, quill station", "station"),
        ("flat 3, harrbin house ec9d 4ab", "harbin3"),
        ("9 outer road ec9a 1ap", "outer"),
        ("88 foolscap lane", "fools8"),
        ("I4 foolscap lane", "fools14"),
        ("octavo tower, neighbour lives at flat 9", "octavo9"),
        ("octavo tower flat 2, informant lives at flat 9", "octavo9"),
    ],
)
def test_what_nearly_reads_like_a_marked_home_is_neither_claimed_nor_cleared(
    gazetteer: Gazetteer, marked: MarkedHomes, asked: str, trap: str
) -> None:
    found = resolve(read_address(asked), gazetteer, marked)
    assert trap not in ids(found, Verdict.SAME)
    told = found.home is not None and found.home.address.startswith("Penthouse")
    assert told or not found.decidable or ids(found, Verdict.POSSIBLE)


def test_central_london_districts_are_said_without_their_letter(gazetteer: Gazetteer, marked: MarkedHomes) -> None:
    assert ids(resolve(read_address("3 tallow yard ec9"), gazetteer, marked), Verdict.SAME) == ["yard"]
    assert ids(resolve(read_address("3 tallow yard ec8"), gazetteer, marked), Verdict.SAME) == []


def test_an_annexe_does_not_stand_for_its_house(tmp_path: Path) -> None:
    house, annexe = home("8, Church Gardens, Quillfield"), home("Annexe at, 8, Church Gardens, Quillfield")
    found = resolve(
        read_address("8, Church Gardens, Quillfield"), Gazetteer.load(tmp_path, [annexe, house]), MarkedHomes()
    )
    assert found.home == house
