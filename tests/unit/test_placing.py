"""Homes of a list, found without the marked homes and in helper processes: the very same as full matching finds."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from markers.address import local_id, read_address
from markers.gazetteer import Gazetteer
from markers.helpers import HelperLostError
from markers.homes import MarkedHomes
from markers.model import Place, Premises
from markers.placing import Placing, holds, placing_helpers
from markers.resolve import resolve
from overlay.bench.matchset import MatchSet, read_match_set

DATA = Path(__file__).parents[1] / "data" / "labelled"
# Of homes that no gazetteer has, in words of their own: they keep such a word from being parted.
STRANGE = ("1 Pouncelane House", "2 Vellumrow Yard", "Inkwelltower, Quarto Lane")


@pytest.fixture(scope="module")
def labelled() -> MatchSet:
    return read_match_set(DATA / "gazetteer.csv", DATA / "markers.csv", DATA / "queries.csv")


@pytest.fixture(scope="module")
def gazetteer(labelled: MatchSet, tmp_path_factory: pytest.TempPathFactory) -> Gazetteer:
    return Gazetteer.load(tmp_path_factory.mktemp("gazetteer"), labelled.homes)


@pytest.fixture(scope="module")
def marked(labelled: MatchSet, gazetteer: Gazetteer) -> MarkedHomes:
    homes = MarkedHomes()
    homes.fill({f"marker {home.premises_id}": home for home in labelled.marked}, gazetteer)
    for address in STRANGE:
        homes.put(address, Premises(local_id(address, None), address, None))
    return homes


def places(labelled: MatchSet) -> Iterator[Place]:
    """Every home as the gazetteer writes it, with its postcode and without; every text that means one, or none."""
    for home in labelled.homes:
        yield Place(address=home.address, postcode=home.postcode)
        yield Place(address=home.address)
    yield from (Place(address=query.text) for query in labelled.queries)
    yield from (Place(address=address) for address in (*STRANGE, "Pouncelane", "12 vellumrow", "Flat 3 inkwelltower"))


def test_a_home_found_without_the_marked_ones_is_the_one_found_with_them(
    labelled: MatchSet, gazetteer: Gazetteer, marked: MarkedHomes
) -> None:
    alone, here = Placing(gazetteer), Placing(gazetteer, marked)
    asked = sure = anew = 0
    for place in places(labelled):
        full = resolve(read_address(place.address or "", place.postcode), gazetteer, marked).home
        found = alone.home_of(place)
        if holds(found, marked):
            assert found[0] == full, place
        else:
            anew += 1
        assert here.home_of(place) == (full, ()), place
        asked, sure = asked + 1, sure + (full is not None)
    assert asked > 3_000
    assert sure > 1_500
    assert 0 < anew < asked / 20, "marked homes do matter to some texts, and to few"


def test_a_uprn_comes_before_the_address_and_names_a_building_that_only_its_parts_name(tmp_path: Path) -> None:
    flats = [Premises(f"90{n}", f"Flat {n}, Vellum Tower", "EC9A 1AC", f"90{n}", None, "77") for n in (1, 2)]
    placing = Placing(Gazetteer.load(tmp_path, flats))
    assert placing.home_of(Place(uprn="901", address="Flat 2, Vellum Tower")) == (flats[0], ())
    assert placing.home_of(Place(uprn="5", address="Flat 2, Vellum Tower", postcode="EC9A 1AC")) == (flats[1], ())
    building, words = placing.home_of(Place(uprn="77"))
    assert building == Premises("77", "", "EC9A 1AC", "77")
    assert words == ()
    assert placing.home_of(Place(phone="+447700900123")) == (None, ())


def test_helpers_find_the_same_and_one_that_is_gone_is_said(labelled: MatchSet, gazetteer: Gazetteer) -> None:
    asked = [None, *list(places(labelled))[:200]]
    alone = Placing(gazetteer)
    with placing_helpers(gazetteer.folder, 2) as ask:
        assert ask(asked) == [(None, ()), *(alone.home_of(place) for place in asked[1:] if place is not None)]
        for child in helpers_of_this_process():
            os.kill(child, signal.SIGKILL)
        with pytest.raises(HelperLostError):
            ask(asked)
    assert helpers_of_this_process() == []


def helpers_of_this_process() -> list[int]:
    children = map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())
    return [child for child in children if b"markers.placing" in Path(f"/proc/{child}/cmdline").read_bytes()]
