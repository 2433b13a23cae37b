from __future__ import annotations

from dataclasses import replace

from markers.index import MarkerIndex
from markers.model import Place, Point
from tests.unit.test_matching import FLAT_3, ZONE, marker

PHONE = marker("P1", Place(phone="+447700900123"))
CIRCLE = marker("Z2", Place(point=Point(596500, 179000), radius_m=100))
EVERY_KIND = (FLAT_3, ZONE, PHONE, CIRCLE)


def held(index: MarkerIndex) -> tuple[object, ...]:
    return (
        len(index),
        len(index.homes),
        len(index.zones),
        sum(map(len, index.points.values())),
        index.with_phone("+447700900123"),
        index.with_uprn(FLAT_3.place.uprn or ""),
        index.with_postcode("EC9A 1AB"),
    )


def test_every_kind_of_place_is_taken_in_and_taken_out_again() -> None:
    index = MarkerIndex()
    empty = held(index)
    index.apply(4, [(each.marker_id, each) for each in EVERY_KIND])
    assert held(index) == (4, 1, 2, 1, frozenset({PHONE.marker_id}), *(frozenset({FLAT_3.marker_id}),) * 2)
    assert {each.reference for each in index.all()} == {"M3", "Z1", "P1", "Z2"}
    index.apply(8, [(each.marker_id, None) for each in EVERY_KIND])
    assert held(index) == empty
    assert index.position == 8


def test_a_changed_marker_leaves_its_old_place() -> None:
    index = MarkerIndex()
    index.apply(1, [(PHONE.marker_id, PHONE)])
    index.apply(2, [(PHONE.marker_id, replace(PHONE, place=Place(phone="+447700900456"), version=2))])
    assert index.with_phone("+447700900123") == frozenset()
    assert index.with_phone("+447700900456") == {PHONE.marker_id}


def test_older_news_is_left_out() -> None:
    index = MarkerIndex()
    index.replace(5, [FLAT_3])
    index.apply(5, [(FLAT_3.marker_id, None)])
    assert index.get(FLAT_3.marker_id) is FLAT_3
    index.apply(6, [("never-seen", None)])
    assert index.position == 6


def test_a_full_load_replaces_everything() -> None:
    index = MarkerIndex()
    index.replace(5, EVERY_KIND)
    index.replace(9, [PHONE])
    assert (len(index), index.position) == (1, 9)


def test_a_load_slower_than_the_news_is_left_out() -> None:
    index = MarkerIndex()
    index.replace(9, EVERY_KIND)
    index.replace(5, [PHONE])
    assert (len(index), index.position) == (4, 9)
