"""Marked homes taken in from the gazetteer's shelf: the same as those read by themselves, whatever changes later."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from markers import reading_version
from markers.address import read_address
from markers.filing import unpack
from markers.gazetteer import Gazetteer
from markers.homes import MarkedHomes
from markers.lexicon import Lexicon, forms_of, write_lexicon
from markers.model import Premises
from markers.names import Names, hashed, write_names
from markers.postings import SortedPostings
from overlay import quillmarket

HOMES = quillmarket.build().homes[:300]
TEXTS = ("14 tallow yd", "flat 3 inkwel tower", "talow yard", "the quill, ferrule st", HOMES[7].address, "quill house")


@pytest.fixture(scope="module")
def gazetteer(tmp_path_factory: pytest.TempPathFactory) -> Gazetteer:
    return Gazetteer.load(tmp_path_factory.mktemp("gazetteer"), HOMES[:200])


def marked(homes: Iterable[Premises], readings: Gazetteer | None) -> MarkedHomes:
    taken = MarkedHomes()
    taken.fill({f"marker {home.premises_id}": home for home in homes}, readings)
    return taken


def told(homes: MarkedHomes) -> list[object]:
    """All that can be asked."""
    found: list[object] = [len(homes), homes.any_unplaced]
    for asked in map(read_address, TEXTS):
        words = asked.readings[0].words
        found += [set(homes.candidates(asked, wide=wide)) for wide in (False, True)]
        found += [set(homes.of_building(asked)), set(homes.alike(asked)), set(homes.on_phrase(words))]
        found += [[homes.spellings(word) for word in words], [homes.knows_word(word) for word in words]]
        found += [[homes.knows_key(word) for word in words], homes.on(words, "14")]
    return found


def test_homes_from_the_shelf_are_found_like_those_read_anew(gazetteer: Gazetteer) -> None:
    shelved, read = marked(HOMES, gazetteer), marked(HOMES, None)
    assert told(shelved) == told(read)
    for home in HOMES:
        home_id = f"marker {home.premises_id}"
        assert shelved.premises(home_id) == home
        assert shelved.written(home_id) == read.written(home_id)
        assert shelved.outward(home_id) == read.outward(home_id) == read.written(home_id).outward
        assert shelved.at_premises(home.premises_id) == (home_id,)


def test_homes_that_change_or_go_leave_nothing_behind(gazetteer: Gazetteer) -> None:
    shelved, read = marked(HOMES, gazetteer), marked(HOMES, None)
    for homes in (shelved, read):
        for home in HOMES[::3]:
            homes.remove(f"marker {home.premises_id}")
        for home, other in zip(HOMES[1::3], HOMES, strict=False):
            homes.put(f"marker {home.premises_id}", other)
    assert told(shelved) == told(read)
    for homes in (shelved, read):
        for home in HOMES:
            homes.remove(f"marker {home.premises_id}")
    assert told(shelved) == told(marked((), gazetteer)) == told(MarkedHomes())


def test_an_address_written_otherwise_is_not_taken_from_the_shelf(gazetteer: Gazetteer) -> None:
    shelf = gazetteer.shelf
    assert shelf is not None
    home, unknown = HOMES[3], HOMES[250]
    asked = [
        (home.address, home.postcode),
        (home.address.upper(), home.postcode),
        (home.address, None),
        (unknown.address, unknown.postcode),
    ]
    records = shelf.records_of(asked).tolist()
    assert records[1:] == [-1, -1, -1]
    assert unpack(shelf.body(records[0]))[0] == home
    assert [shelf.record_of(*address) for address in asked] == [records[0], None, None, None]
    assert [shelf.record_of(one.address, one.postcode) for one in HOMES[:200]] == list(range(200))


def test_a_home_that_is_put_takes_its_reading_from_the_gazetteer(gazetteer: Gazetteer) -> None:
    from_shelf, read = MarkedHomes(), MarkedHomes()
    for home in (*HOMES[::2], HOMES[0]):
        from_shelf.put(f"marker {home.premises_id}", home, gazetteer)
        read.put(f"marker {home.premises_id}", home)
    assert told(from_shelf) == told(read)
    for home in HOMES[::2]:
        assert from_shelf.written(f"marker {home.premises_id}") == read.written(f"marker {home.premises_id}")


def test_an_empty_gazetteer_has_an_empty_shelf(tmp_path: Path) -> None:
    empty = Gazetteer.load(tmp_path, ())
    assert told(marked(HOMES[:5], empty)) == told(marked(HOMES[:5], None))
    assert empty.near_words("TALLOW") == ()
    assert empty.shelf is not None
    assert empty.shelf.record_of("1 Tallow Yard", None) is None


def test_words_are_found_by_every_slip_of_one_letter(tmp_path: Path) -> None:
    words = sorted({"TALLOW", "TALOW", "TALLOWS", "YARD", "LANE", "LAIN", "É"})
    write_lexicon(tmp_path, words)
    lexicon = Lexicon(tmp_path)
    for word in (*words, "TALLWO", "LANDE", "NOTHING"):
        assert set(lexicon.near(word)) == {other for other in words if forms_of(word) & forms_of(other)}


def test_names_are_found_among_marks(tmp_path: Path) -> None:
    write_names(tmp_path, "k", ["INKWELL", "QUILL", "ÉTÉ \ud800"])
    names = Names(tmp_path, "k")
    marks = np.sort(np.array([hashed("kQUILL"), hashed("kÉTÉ \ud800"), hashed("wINKWELL")], dtype="<u8"))
    assert names.among(marks) == {"QUILL", "ÉTÉ \ud800"}
    assert names.among(marks[:0]) == set()


def test_sorted_postings_hold_many_ids_under_one_key() -> None:
    keys = np.array([0, 5, 5, 1 << 48, (1 << 64) - 1], dtype="<u8")
    postings = SortedPostings(keys, np.arange(5))
    assert [postings.get(key) for key in (0, 5, 6, 1 << 48, (1 << 64) - 1)] == [[0], [1, 2], [], [3], [4]]


def test_readings_of_other_code_are_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gazetteer = Gazetteer.load(tmp_path, HOMES[:20])
    assert gazetteer.reads_alike
    about = next(tmp_path.glob("g*/about.json"))
    about.write_text(json.dumps({**json.loads(about.read_text("utf-8")), "reading": "another"}), "utf-8")
    other = Gazetteer.open(tmp_path)
    assert not other.reads_alike
    assert other.by_id(HOMES[3].premises_id) == HOMES[3]

    def taken(*args: object) -> None:
        raise AssertionError("a reading of other code was taken")

    monkeypatch.setattr("markers.shelf.Shelf.marks_of", taken)
    assert told(marked(HOMES[:20], other)) == told(marked(HOMES[:20], None))
    with pytest.raises(AssertionError, match="taken"):
        marked(HOMES[:20], gazetteer)


def test_every_module_that_reads_counts_for_the_version() -> None:
    layout = {"model", "shelf", "sieve"}  # what a change of these needs is another FORMAT
    for name in reading_version._READ_BY:
        source = Path(reading_version.__file__).with_name(f"{name}.py").read_text("utf-8")
        imported = set(re.findall(r"^from markers\.(\w+) import", source, re.MULTILINE))
        assert imported - layout - {"postings"} <= set(reading_version._READ_BY), name
