"""The labelled matching set: its classes are true, and the files are what the generator writes."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from overlay import quillmarket
from overlay.bench.labelled import Home, Labelled, alike, build, ident, split
from overlay.bench.matchset import LabelledQuery, read_match_set
from overlay.bench.noise import NUMBER_WORDS

COMMITTED = Path(__file__).parents[1] / "data" / "labelled"
SEED = 6


@pytest.fixture(scope="module")
def labelled() -> Labelled:
    return build(SEED)


@pytest.fixture(scope="module")
def by_id(labelled: Labelled) -> dict[str, Home]:
    return {home.unique_id: home for home in labelled.homes}


def test_the_committed_files_are_the_generators(labelled: Labelled, tmp_path: Path) -> None:
    labelled.write(tmp_path)
    for name in ("gazetteer.csv", "markers.csv", "queries.csv"):
        assert (tmp_path / name).read_bytes() == (COMMITTED / name).read_bytes(), f"{name}: write it again (README.md)"


def test_the_files_read_back_as_the_set(labelled: Labelled) -> None:
    read = read_match_set(COMMITTED / "gazetteer.csv", COMMITTED / "markers.csv", COMMITTED / "queries.csv")
    assert read == labelled.match_set()


def test_another_seed_is_another_set(labelled: Labelled) -> None:
    other = build(SEED + 1)
    assert other.homes == labelled.homes
    assert other.marked != labelled.marked
    assert {query.text for query in other.queries} != {query.text for query in labelled.queries}


def test_every_address_is_put_together_again_from_its_parts(labelled: Labelled) -> None:
    for home in labelled.homes:
        numbered = f"{home.num} {home.street}".strip()
        told = [part for part in (home.unit, home.bname, numbered, "London") if part]
        assert sorted(re.findall(r"\w+", " ".join(told))) == sorted(re.findall(r"\w+", home.address_concat))


def test_about_a_fifth_of_the_homes_is_marked_and_all_are_dwellings(labelled: Labelled) -> None:
    dwellings = quillmarket.build().dwellings
    assert {home.unique_id for home in labelled.marked} <= dwellings
    assert 0.12 < len(labelled.marked) / len(dwellings) < 0.28
    streets, with_marks = {home.sid for home in labelled.homes}, {home.sid for home in labelled.marked}
    assert streets - with_marks


def test_classes_are_true(labelled: Labelled, by_id: dict[str, Home]) -> None:
    marked = {home.unique_id for home in labelled.marked}
    bids, sids = {home.bid for home in labelled.marked}, {home.sid for home in labelled.marked}
    for query in labelled.queries:
        if query.cls == "vague":
            continue
        home = by_id[query.true_uid]
        assert (home.bid, home.sid) == (query.true_bid, query.true_sid)
        expected = (
            "exact"
            if home.unique_id in marked
            else "building"
            if home.bid in bids
            else "street"
            if home.sid in sids
            else "none"
        )
        assert query.cls == expected


def test_there_is_enough_of_every_class_and_trap(labelled: Labelled) -> None:
    classes = Counter(query.cls for query in labelled.queries)
    assert classes.total() == 1000
    assert all(
        classes[cls] >= wanted for cls, wanted in {"exact": 350, "building": 200, "street": 80, "none": 80}.items()
    )
    tags = Counter(tag for query in labelled.queries for tag in query.tags)
    assert all(tags[trap] >= 20 for trap in ("next-flat", "next-tower", "alike-name"))
    assert tags["next-suffix"] >= 1
    assert tags["council"] >= 50


def test_traps_name_a_marked_home_that_looks_alike(labelled: Labelled, by_id: dict[str, Home]) -> None:
    for query in labelled.queries:
        if query.true_uid and "next-tower" in query.tags:
            home = by_id[query.true_uid]
            others = [m for m in labelled.marked if m.bid != home.bid and not m.num and ident(m) == ident(home)]
            assert others, query
        if query.true_uid and "alike-name" in query.tags:
            home = by_id[query.true_uid]
            assert any(alike(m.place_name, home.place_name) and m.num == home.num for m in labelled.marked), query


def test_a_decidable_text_still_has_every_number_of_its_home(labelled: Labelled, by_id: dict[str, Home]) -> None:
    for query in labelled.queries:
        if not query.decidable:
            continue
        home = by_id[query.true_uid]
        typed = re.findall(r"[\w-]+", query.text.lower())
        said = " ".join(str(NUMBER_WORDS.index(word) + 1) if word in NUMBER_WORDS else word for word in typed)
        for number in re.findall(r"\d+", f"{home.unit} {home.num}"):
            assert re.search(rf"(?<!\d){number}(?!\d)", said), (query, home)


@pytest.mark.parametrize("tag", ["noflat", "nonumber"])
def test_what_leaves_out_flat_or_number_is_vague(labelled: Labelled, tag: str) -> None:
    left_out = [query for query in labelled.queries if tag in query.tags]
    assert len(left_out) >= 40
    assert all(query.cls == "vague" and not query.true_uid for query in left_out)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("5 wolstan street", True),
        ("5 wolston street", False),
        ("5 wolstn st", False),
        ("5 wolstn st ec9b 1ag", True),
        ("5 wolstan street ec9b 1ah", False),
        ("5 wolstanstreet", True),
        ("5 something else", False),
    ],
)
def test_a_misspelt_name_is_told_or_not(labelled: Labelled, by_id: dict[str, Home], text: str, *, told: bool) -> None:
    from overlay.bench.labelled import _Truth

    home = next(home for home in labelled.homes if home.place_name == "Wolstan Street" and home.num == "5")
    assert _Truth(labelled.homes, frozenset()).told(home, text) is told


def test_a_tower_flat_is_split_by_its_building() -> None:
    town = quillmarket.build()
    flat = next(home for home in town.homes if home.address.startswith("12 Quarto Tower"))
    home = split(flat, town.building_of[flat.premises_id])
    assert (home.unit, home.bname, home.num, home.street, home.bid) == (
        "12",
        "Quarto Tower",
        "",
        "Scriptor Walk",
        "QUARTO TOWER",
    )


def test_a_vague_query_is_not_decidable() -> None:
    assert not LabelledQuery("q", "tallow yard", "", "", "TALLOW YARD", "vague", ()).decidable
    assert not LabelledQuery("q", "tallow yard", "u1", "", "TALLOW YARD", "vague", ()).decidable
    assert LabelledQuery("q", "1 tallow yard", "u1", "b", "s", "none", ()).decidable
