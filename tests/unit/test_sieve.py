"""A sieve: nothing that is held is ever denied, and little else is let through."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markers.gazetteer import Gazetteer
from markers.homes import MarkedHomes
from markers.model import Premises
from markers.sieve import Sieve, SieveWriter
from markers.terms import beginnings

HOMES = [
    Premises("h1", "Flat 3, Quill House, 14 Tallow Yard", "EC9A 1AA"),
    Premises("h2", "21 St Mary at Hill", "EC9A 1AB"),
    Premises("h3", "Old Bakery, Great Ferrule Street", "EC9A 1AB"),
]


def sieve_of(texts: list[str]) -> Sieve:
    with TemporaryDirectory() as folder:
        writer = SieveWriter()
        writer.add(texts[::2])
        writer.add(texts[1::2])
        writer.write(Path(folder) / "sieve.npy")
        return Sieve(Path(folder) / "sieve.npy")


@given(st.lists(st.text(max_size=12), max_size=60))
def test_nothing_that_is_held_is_denied(texts: list[str]) -> None:
    sieve = sieve_of(texts)
    assert all(sieve.may_hold(text) for text in texts)


def test_nothing_is_held_by_an_empty_one_and_little_is_let_through_by_a_full_one() -> None:
    others = [f"{number} Quill Yard" for number in range(5000)]
    assert not any(map(sieve_of([]).may_hold, others))
    through = sum(map(sieve_of([f"{number}~TALLOW" for number in range(5000)]).may_hold, others))
    assert through < 5000 / 8


def test_a_damaged_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sieve.npy").write_bytes(b"no array")
    with pytest.raises(ValueError, match="allow_pickle"):
        Sieve(tmp_path / "sieve.npy")
    with pytest.raises(OSError, match="sieve"):
        Sieve(tmp_path / "none" / "sieve.npy")


def test_beginnings_are_whole_words() -> None:
    assert beginnings(["ST MARY HILL", "ST MARY", "QUILL"]) == {"ST", "ST MARY", "ST MARY HILL", "QUILL"}
    assert beginnings([]) == set()


@pytest.mark.parametrize("key", ["TALLOW", "QUILL", "ST MARY", "GREAT FERRULE", "OLD BAKERY"])
@pytest.mark.parametrize("kept_by_the_gazetteer", [True, False])
def test_every_known_key_may_begin_as_it_does(tmp_path: Path, key: str, *, kept_by_the_gazetteer: bool) -> None:
    gazetteer = Gazetteer.load(tmp_path, HOMES)
    marked = MarkedHomes()
    marked.fill({home.premises_id: home for home in HOMES}, gazetteer if kept_by_the_gazetteer else None)
    for known in (gazetteer, marked):
        assert known.knows_key(key)
        assert all(known.may_begin_key(text) for text in beginnings([key]))


def test_a_home_that_is_removed_takes_its_beginnings_along() -> None:
    marked = MarkedHomes()
    marked.put("a", HOMES[2])
    marked.put("b", Premises("h4", "Great Ferrule Street", "EC9A 1AB"))
    marked.remove("a")
    assert marked.may_begin_key("GREAT FERRULE")
    assert not marked.may_begin_key("OLD")
    marked.remove("b")
    assert not marked.may_begin_key("GREAT")
