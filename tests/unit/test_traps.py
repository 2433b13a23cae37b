"""What nearly reads like a marked home: never claimed as that home, and never told that there is no marker."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from markers.address import local_id, read_address
from markers.gazetteer import Gazetteer
from markers.index import MarkerIndex
from markers.location import RawLocation, read_location
from markers.matching import Distances, Outcome, match
from markers.model import Grade, Premises, Status
from markers.resolve import resolve
from overlay.bench.match import marker_on
from overlay.quillmarket import build

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
TOWN = build().homes


def home(address: str, postcode: str = "EC9A 1AB", uprn: str | None = None, parent: str | None = None) -> Premises:
    return Premises(uprn or local_id(address, postcode), address, postcode, uprn, None, parent)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Gazetteer:
    return Gazetteer.load(tmp_path_factory.mktemp("town"), TOWN)


def of(homes: Iterable[Premises]) -> Gazetteer:
    return Gazetteer.load(Path(tempfile.mkdtemp()), homes)


def asked(text: str, gazetteer: Gazetteer, *marked: Premises) -> Outcome:
    index = MarkerIndex()
    placed = [
        gazetteer.by_id(one.premises_id) or resolve(read_address(one.address), gazetteer, index.homes).home
        for one in marked
    ]
    index.replace(0, [marker_on(one, at.premises_id if at else None) for one, at in zip(marked, placed, strict=True)])
    return match(read_location(RawLocation(address=text)), index, gazetteer, {}, Distances(), NOW)


def in_town(address: str) -> Premises:
    return next(one for one in TOWN if one.address.lower().startswith(f"{address.lower()}, "))


def claimed(outcome: Outcome) -> list[str]:
    return [str(item.marker.place.address) for item in outcome.matches if item.grade is Grade.PREMISES]


TRAPS = {
    "1 Quarto Tower": "roof flat 1 quarto tower | lift 1 quarto tower | lobby 1 quarto tower",
    "Flat 3, 14 Tallow Yard": "the flat below flat 3 14 tallow yard | flat above flat 3 14 tallow yard"
    " | flat above 2, 14 tallow yard | flat upstairs from flat 2, 14 tallow yard | flat 2 or 3, 14 tallow yard"
    " | informant flat 2, 14 tallow yard, dispute upstairs | caller at flat 2, incident flat 3, 14 tallow yard",
    "Flat 14, Octavo Tower": "flat above 14 octavo tower | not flat 14, octavo tower | girl 14 octavo tower"
    " | girl aged 14 octavo tower | 14 outside octavo tower | group of 14 outside octavo tower | cad 14 octavo tower",
    "3 Tallow Yard": "not 3 tallow yard | not at 3 tallow yard | no longer at 3 tallow yard"
    " | used to live at 3 tallow yard | across from 3 tallow yard | beside 3 tallow yard | adj 3 tallow yard"
    " | facing 3 tallow yard | neighbour of 3 tallow yard | house after 3 tallow yard"
    " | oppsite 3 tallow yard | nxt to 3 tallow yard"
    " | nextdoor to 3 tallow yard | neighbour of 4 tallow yard | across from 4 tallow yard | not 4 tallow yard"
    " | annexe 3 tallow yard | room 3 tallow yard | age 3 tallow yard | child 3 tallow yard | 3 or 5 tallow yard"
    " | 3 tallow yard, manchester | 3 tallow yard, quarto tower | 3 tallow yard, wax court | loft 3 tallow yard"
    " | 3 tallow yard north | block b, 3 tallow yard | 3 tallow yard, gimlet yard | gimlet yard, 3 tallow yard"
    " | few doors down from 3 tallow yard | left of 3 tallow yard | moved from 3 tallow yard"
    " | evicted from 3 tallow yard | 3 tallow yard loft | 3 tallow yard garage | above 3 tallow yard"
    " | tallow yard near 3 | tallow yard outside 3",
    "9 Blotter Street": "basment 9 blotter street | coach house 9 blotter street | shed at 9 blotter street"
    " | garage rear of 9 blotter street | cellar 9 blotter street",
    "Flat A, 3 Gimlet Yard": "flat a3 gimlet yard | a3 gimlet yard",
    "Flat 2, 10 Colophon Court": "flat z colophon court",
    "Flat 31, Harbyn House": "flat 31 harbyn house ec9a 4aa",
    "Flat 31, Harbin House": "flat 31 harbyn house ec9a 4aa",
    "Quillmarket Station": "quillmarket station, station approach, platform cafe",
    "Manager's Flat, The Gilded Nib Hotel": "the gilded nib hotel",
    "Scrivelsby Barbers, 18 Parchment Row": "scrivelsby barbers, 18 parchment row, 2nd floor",
    "Flat 1, 9 Copyist Street": "caller at flat 36, harbin house, wolstan street, incident at flat 1, 9 copyist street",
    "Flat 34, Harbin House": "flat 34 wolstan street ec9a 4aa | flat 34 harbin court wolstan street",
    "Flat 2, 27-29 London Quire": "flat 2 27-29 fondo quire",
    "Flat 2, Carmine House": "flat 2 carmine buildings london quire | flat 2 carmine buildings ec9a 2ae",
    "Flat 2, Carmine Buildings": "flat 2 carmine buildings london quire | flat 2 carmine house ec9a 2ad",
    "3 Recto Yard": "3 tallow yard, recto yard",
}


@pytest.mark.parametrize(
    ("address", "text"), [(address, text.strip()) for address, texts in TRAPS.items() for text in texts.split("|")]
)
def test_neither_claimed_nor_cleared(town: Gazetteer, address: str, text: str) -> None:
    outcome = asked(text, town, in_town(address))
    assert claimed(outcome) == []
    assert outcome.status is not Status.CLEAR


@pytest.mark.parametrize("text", ["penthouuse 1 quarto tower", "penthose 1 quarto tower", "ph 1, quarto tower"])
def test_a_misspelt_penthouse_is_still_one(town: Gazetteer, text: str) -> None:
    assert claimed(asked(text, town, in_town("1 Quarto Tower"))) == []
    assert claimed(asked(text, town, in_town("Penthouse 1, Quarto Tower"))) != []


@pytest.mark.parametrize(
    "text",
    [
        "flat 34 wolstan street ec9a 4aa",
        "3 or 5 tallow yard",
        "caller at flat 36, harbin house, wolstan street, incident at flat 1, 9 copyist street",
    ],
)
def test_the_marked_home_that_may_be_meant_is_listed(town: Gazetteer, text: str) -> None:
    marked = [in_town(name) for name in ("Flat 34, Harbin House", "3 Tallow Yard", "Flat 1, 9 Copyist Street")]
    assert any(item.applies for item in asked(text, town, *marked).matches)


SUFFIXED = [home(f"{n} Nib Street, London") for n in ("16", "16A", "16B", "18")]
FLATTED = [*SUFFIXED[1:], *(home(f"Flat {letter}, 16 Nib Street, London") for letter in "AB")]


@pytest.mark.parametrize("text", ["16 nib street a", "16 nib street (a)", "16 nib street, a"])
@pytest.mark.parametrize("marked", SUFFIXED[:2], ids=lambda one: one.address)
def test_a_letter_behind_the_street_is_not_dropped(text: str, marked: Premises) -> None:
    outcome = asked(text, of(SUFFIXED), marked)
    assert outcome.status is not Status.CLEAR
    assert claimed(outcome) == []


@pytest.mark.parametrize("text", ["16a-16b nib street", "16a/16b nib street", "flat 16a nib street"])
@pytest.mark.parametrize("marked", [FLATTED[0], FLATTED[3]], ids=lambda one: one.address)
def test_a_lettered_number_and_a_lettered_flat_are_told_apart_by_asking(text: str, marked: Premises) -> None:
    outcome = asked(text, of(FLATTED), marked)
    assert claimed(outcome) == []
    assert outcome.status is not Status.CLEAR


@pytest.mark.parametrize(
    "text",
    ["7 high street ec9a 1ab ec9b 1ab", "7 high street EC9B 1AB (not EC9A 1AB)", "7 high street ec9b 1ab ec9a 1ab"],
)
def test_two_postcodes_are_a_question(text: str) -> None:
    homes = [home("7 High Street, London"), home("7 High Street, London", "EC9B 1AB")]
    for marked in homes:
        outcome = asked(text, of(homes), marked)
        assert outcome.status is not Status.CLEAR
        assert claimed(outcome) == []


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("flat 2 amber building ec9a 1ab", "Flat 2, Amber Buildings, London"),
        ("2 rose garden ec9a 2ab", "2 Rose Gardens, London"),
        ("2 nib street ec9a 4ab", "2 Nib Road, London"),
        ("2 st mary street ec9a 5ab", "2 Mary Street, London"),
    ],
)
def test_the_postcode_of_one_and_the_name_of_another_is_a_question(text: str, meant: str) -> None:
    names = {
        "Flat {}, Amber Buildings, London": "EC9A 1AB",
        "Flat {}, Amber Building, London": "EC9A 2AB",
        "{} Rose Garden, London": "EC9A 1AB",
        "{} Rose Gardens, London": "EC9A 2AB",
        "{} Nib Street, London": "EC9A 3AB",
        "{} Nib Road, London": "EC9A 4AB",
        "{} St Mary's Street, London": "EC9A 3AB",
        "{} Mary Street, London": "EC9A 5AB",
    }
    homes = [home(name.format(n), postcode) for name, postcode in names.items() for n in (1, 2, 3)]
    for marked in homes:
        outcome = asked(text, of(homes), marked)
        assert claimed(outcome) == []
        assert outcome.status is not Status.CLEAR or marked.address != meant


def test_one_address_in_two_districts_is_never_claimed_without_its_postcode() -> None:
    twins = [home("9 Nib Street"), home("9 Nib Street", "EC9C 1AB")]
    for text in ("9 nib street", "9, Nib Street", "9 nib st"):
        outcome = asked(text, of(twins), twins[1])
        assert (claimed(outcome), outcome.status) == ([], Status.HIT)


def test_a_house_name_alone_is_never_enough_for_a_home_nobody_has_on_record() -> None:
    gazetteer = of(home(f"{n} Ferrule Street") for n in range(1, 20))
    outcome = asked("rose cottage", gazetteer, home("Rose Cottage, Ferrule Street"))
    assert (claimed(outcome), outcome.status) == ([], Status.HIT)


@pytest.mark.parametrize("text", ["the old forge, 16 nib street", "16 nib street, the old forge"])
def test_a_house_named_beside_another_number_is_asked_about(text: str) -> None:
    homes = [home("The Old Forge, Nib Street"), home("14 Nib Street"), home("16 Nib Street")]
    outcome = asked(text, of(homes), homes[0])
    assert (claimed(outcome), outcome.status) == ([], Status.HIT)


def test_a_uprn_joins_two_ways_of_writing_a_home() -> None:
    gazetteer = of([home("16 Nib Street", uprn="999990001000"), home("18 Nib Street", uprn="999990001001")])
    marked = Premises("elsewhere", "The Old Forge, Nib Street", None, "999990001000")
    index = MarkerIndex()
    index.replace(0, [marker_on(marked, None)])
    outcome = match(read_location(RawLocation(address="16 nib street")), index, gazetteer, {}, Distances(), NOW)
    assert outcome.status is Status.HIT
    assert claimed(outcome) == ["The Old Forge, Nib Street"]


def test_a_flat_that_is_not_on_record_is_asked_for_again_whether_or_not_one_is_marked() -> None:
    gazetteer = of(home(f"Flat {n}, Quarto House") for n in (1, 2, 3))
    for marked in ((), (home("Flat 2, Quarto House"),)):
        outcome = asked("flat 9 quarto house", gazetteer, *marked)
        assert outcome.status is Status.COULD_NOT_CHECK
        assert outcome.reason == "Flat 9, Quarto House is not on record. Ask again which flat."


def test_whether_a_number_is_doubted_does_not_tell_which_home_is_marked() -> None:
    gazetteer = of(home(f"{n} Nib Street") for n in (1, 3, 5, 20))
    for number in (30, 31, 13, 21, 200, 777):
        without = asked(f"{number} nib street", gazetteer)
        for marked in (1, 3, 5, 20):
            assert asked(f"{number} nib street", gazetteer, home(f"{marked} Nib Street")).status is without.status


def test_reasons_never_name_the_flat_that_was_not_asked_for(town: Gazetteer) -> None:
    for text in ("top floor 14 tallow yard", "rear flat 14 tallow yard", "14 tallow yard"):
        outcome = asked(text, town, in_town("Flat 3, 14 Tallow Yard"))
        assert outcome.status is not Status.CLEAR
        assert "Flat 3" not in " ".join(why for item in outcome.matches for why in item.why)


@pytest.mark.parametrize("one", TOWN, ids=lambda one: one.address)
def test_every_address_of_the_town_is_that_home_and_clear(town: Gazetteer, one: Premises) -> None:
    for text in (one.address, one.address.removesuffix(", London"), f"{one.address}, {one.postcode}".upper()):
        outcome = asked(text, town)
        assert outcome.home is not None, (text, outcome.reason)
        assert outcome.home.premises_id == one.premises_id
