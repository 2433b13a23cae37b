"""What must hold for any text and for every home of an invented quarter with all the usual awkwardness."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from markers.address import local_id, normalise, normalise_postcode, read_address
from markers.compare import Verdict, compare
from markers.gazetteer import Gazetteer
from markers.homes import MarkedHomes
from markers.model import Premises
from markers.resolve import Resolution, resolve
from tests.patience import takes

ANY_TEXT = st.text(st.characters(codec=None), max_size=400)
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def quarter() -> list[Premises]:
    """Towers, yards, ranges, letters, floors, lettered flats, similar names, one street in two postcodes."""
    addresses: list[tuple[str, str]] = []
    for block, postcode in (("Inkwell Tower", "EC9A 1AC"), ("Inkpot House", "EC9A 1AD"), ("Nib Court", "EC9A 1AE")):
        addresses += [(f"Flat {n}, {block}, Golden Quill, London", postcode) for n in (*range(1, 16), 101, 112)]
    for n in (*range(1, 14), 21, 31):
        addresses.append((f"{n} Tallow Yard, London", "EC9A 1AB"))
        addresses.append((f"{n} Tallow Court, London", "EC9A 1AF"))
    addresses += [(f"{n} Great Quill Street, London", "EC9B 2AA") for n in (1, 2, 3, 12)]
    addresses += [(f"{n} Quill Street, London", "EC9B 2AB") for n in (1, 2, 3, 12)]
    addresses += [(f"{n} Quill Street Place, London", "EC9B 2AC") for n in (1, 2, 3)]
    for n in (14, 15):
        addresses += [(f"Flat {f}, {n} Pounce Lane, London", "EC9B 2AD") for f in (1, 2, 3, "A", "B", "C")]
        addresses += [
            (f"{f} Flat, {n} Pounce Lane, London", "EC9B 2AD") for f in ("Ground Floor", "Basement", "First Floor")
        ]
    addresses += [(f"{n} Vellum Hill, London", "EC9B 2AE") for n in ("2-4", "6-10", "11-15", "12A", "12B", "16")]
    addresses += [(f"Flat {f}, 22-24 Vellum Hill, London", "EC9B 2AE") for f in (1, 2, 12)]
    addresses += [(f"{n} St Mary at Quill, London", "EC9C 3AA") for n in (5, 7)]
    addresses += [
        ("The Quill Public House, 9 Ferrule Passage, London", "EC9C 3AB"),
        ("9A Ferrule Passage, London", "EC9C 3AB"),
    ]
    addresses += [(f"{n} Sable Row, London", p) for n, p in ((1, "EC9C 3AC"), (3, "EC9C 3AC"), (5, "EC9C 3AD"))]
    return [Premises(local_id(address, postcode), address, postcode) for address, postcode in addresses]


HOMES = quarter()
FLATS = [home for home in HOMES if "Flat" in home.address]


@pytest.fixture(scope="module")
def gazetteer(tmp_path_factory: pytest.TempPathFactory) -> Gazetteer:
    return Gazetteer.load(tmp_path_factory.mktemp("quarter"), HOMES)


@pytest.fixture(scope="module")
def all_marked() -> MarkedHomes:
    marked = MarkedHomes()
    for home in HOMES:
        marked.put(home.premises_id, home)
    return marked


def answer(asked: str, gazetteer: Gazetteer, marked: MarkedHomes) -> Resolution:
    return resolve(read_address(asked), gazetteer, marked)


def same(asked: str, gazetteer: Gazetteer, marked: MarkedHomes) -> list[str]:
    found = resolve(read_address(asked), gazetteer, marked)
    return [one.home_id for one in found.marked if one.verdict is Verdict.SAME]


@given(ANY_TEXT)
@QUICK
def test_normalise_is_idempotent(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert "  " not in once


@given(ANY_TEXT, st.none() | ANY_TEXT)
@QUICK
def test_any_text_is_read_within_fifty_milliseconds(text: str, postcode: str | None) -> None:
    assert takes(lambda: (read_address(text * 25, postcode), local_id(text, postcode))) < 0.05
    written = read_address(text * 25, postcode)
    assert written.text == text * 25
    assert compare(written, written).verdict in (Verdict.SAME, Verdict.ELSEWHERE)


@given(text=st.one_of(ANY_TEXT, st.text("0123456789ABFL -/,&TO", max_size=300)))
@QUICK
def test_any_text_is_answered_within_fifty_milliseconds(
    gazetteer: Gazetteer, all_marked: MarkedHomes, text: str
) -> None:
    for longer in (text, text * 25, f"{text} 1-999999 {text}", f"flat {text}, 12 {text} street"):
        assert takes(partial(answer, longer, gazetteer, all_marked)) < 0.05


@given(st.text("0123456789ABFL -/,&TO", max_size=300))
@QUICK
def test_numbers_and_flats_in_any_order_are_read(text: str) -> None:
    for reading in read_address(text).readings:
        assert reading.number is None or reading.number.lo <= reading.number.hi
        assert reading.name + reading.street + reading.locality == reading.words


@given(ANY_TEXT)
@QUICK
def test_a_postcode_once_put_right_stays_so(text: str) -> None:
    found = normalise_postcode(text)
    assert found is None or normalise_postcode(found) == found


def _cased(text: str, draw: st.DrawFn) -> str:
    return "".join(draw(st.sampled_from((ch.lower(), ch.upper()))) for ch in text)


@st.composite
def rewritten(draw: st.DrawFn, text: str) -> str:
    """The same address in other case, spacing, punctuation, letter width, and order of its parts."""
    parts = text.removesuffix(", London").split(", ")
    if draw(st.booleans()):
        parts.reverse()
    joined = draw(st.sampled_from((", ", " ", " , ", "; ", ",", "\n", " | "))).join(parts)
    joined = _cased(joined, draw)
    joined = joined.replace(" ", draw(st.sampled_from((" ", "  ", "\t", "\u00a0"))))
    if draw(st.booleans()):
        joined = "".join(chr(ord(ch) + 0xFEE0) if "!" < ch < "~" and ch.isalpha() else ch for ch in joined)
    return draw(st.sampled_from(("", " ", ". ", ", "))) + joined + draw(st.sampled_from(("", ".", " ", ",")))


@given(st.data())
@QUICK
def test_case_spacing_punctuation_width_and_order_do_not_change_the_home(
    gazetteer: Gazetteer, all_marked: MarkedHomes, data: st.DataObject
) -> None:
    home = data.draw(st.sampled_from(HOMES))
    asked = data.draw(rewritten(home.address))
    assert same(asked, gazetteer, all_marked) == [home.premises_id]


@pytest.mark.parametrize("home", HOMES, ids=lambda home: home.address)
def test_every_home_hits_itself_and_no_other(gazetteer: Gazetteer, all_marked: MarkedHomes, home: Premises) -> None:
    assert same(home.address, gazetteer, all_marked) == [home.premises_id]
    assert same(f"{home.address} {home.postcode}", gazetteer, all_marked) == [home.premises_id]


def test_every_marked_home_hits_itself_without_a_gazetteer(tmp_path_factory: pytest.TempPathFactory) -> None:
    empty = Gazetteer.open(tmp_path_factory.mktemp("none"))
    for home in HOMES:
        marked = MarkedHomes()
        marked.put("own", home)
        assert same(home.address, empty, marked) == ["own"]


@given(ANY_TEXT.filter(lambda text: bool(normalise(text))))
@QUICK
def test_whatever_text_a_marker_has_hits_itself(gazetteer: Gazetteer, text: str) -> None:
    marked = MarkedHomes()
    marked.put("own", Premises("X1", text))
    assert same(text, gazetteer, marked) == ["own"]


@given(st.sampled_from(HOMES), st.sampled_from(HOMES))
@QUICK
def test_a_neighbour_is_never_this_home(gazetteer: Gazetteer, asked: Premises, other: Premises) -> None:
    marked = MarkedHomes()
    marked.put("other", other)
    assert (same(asked.address, gazetteer, marked) == ["other"]) is (asked == other)


@given(st.sampled_from(FLATS), st.sampled_from(FLATS))
@QUICK
def test_a_neighbour_is_never_this_home_when_the_marker_is_known_by_text_only(
    gazetteer: Gazetteer, asked: Premises, other: Premises
) -> None:
    marked = MarkedHomes()
    marked.put("other", Premises("X1", other.address, other.postcode))
    assert (same(asked.address, gazetteer, marked) == ["other"]) is (asked == other)


@given(st.sampled_from(FLATS), st.sampled_from(("", " EC9B", " london", " male shouting")))
@QUICK
def test_dropping_the_flat_is_never_the_home(
    gazetteer: Gazetteer, all_marked: MarkedHomes, home: Premises, tail: str
) -> None:
    asked = home.address.split(", ", 1)[1] + tail
    found = resolve(read_address(asked), gazetteer, all_marked)
    assert not [one for one in found.marked if one.verdict is Verdict.SAME]
    assert found.home is None
    assert not found.decidable


NOISE = st.sampled_from(("", "nr ", "o/s ", "loc: ", "at ", "rear of ", "outside "))
TAILS = st.sampled_from(("", " male shouting", " caller hung up", " - disturbance", " 3 males fighting", " ec9"))


@given(st.sampled_from(HOMES), st.sampled_from(HOMES), NOISE, TAILS)
@QUICK
def test_noise_never_turns_another_home_into_this_one(
    gazetteer: Gazetteer, asked: Premises, other: Premises, before: str, after: str
) -> None:
    marked = MarkedHomes()
    marked.put("other", other)
    if asked != other:
        assert same(f"{before}{asked.address}{after}", gazetteer, marked) == []
