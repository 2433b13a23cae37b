"""Markers on a map: one by one where few are in view and logged, in clusters where many; figures never name a home."""

from __future__ import annotations

from dataclasses import replace

from markers.model import Marker, Place, Point
from overlay.ground import Box
from overlay.listing import Search
from overlay.upkeep.mapping import FEWEST_TOLD, MOST_SINGLE, SQUARE_M, figures, view_map
from tests.store.room import DOMESTIC, NUMBER, Room, person

MORGAN = person("Morgan", "ppu_supervisor")
ALL = Box(590_000, 170_000, 600_000, 190_000)
ZONE = "POLYGON ((596000 179000, 596100 179000, 596100 179100, 596000 179100, 596000 179000))"


def standing(number: int, easting: float, northing: float) -> Marker:
    place = Place(address=f"{number} Nowhere Row", point=Point(easting, northing))
    return replace(DOMESTIC, marker_id=f"m{number}", reference=f"M-{number}", place=place)


def test_few_are_shown_one_by_one_with_their_outlines_and_the_look_is_logged(room: Room) -> None:
    zone = replace(DOMESTIC, marker_id="z1", reference="Z-1", place=Place(zone_wkt=ZONE))
    room.mark(standing(1, 596_010, 179_010), standing(2, 599_999, 179_010), zone, NUMBER)
    view = view_map(room.services, MORGAN, Search(), ALL, room.now)
    assert view.clusters == ()
    assert {one.marker.reference for one in view.markers} == {"M-1", "M-2", "Z-1"}
    assert (view.here, view.nowhere) == (3, 1)
    drawn = next(one for one in view.markers if one.marker.reference == "Z-1")
    assert len(drawn.rings[0]) == 5
    assert 596_000 < drawn.easting < 596_100
    entry = room.ledger()[-1]
    assert (entry.reason, {seen.record_id for seen in entry.records}) == ("marker_map", {"m1", "m2", "z1"})
    near = view_map(room.services, MORGAN, Search(), Box(596_000, 179_000, 596_050, 179_050), room.now)
    assert {one.marker.reference for one in near.markers} == {"M-1", "Z-1"}
    assert view_map(room.services, MORGAN, Search(words="row 2"), ALL, room.now).here == 1


def test_many_are_numbers_that_add_up_and_name_nobody(room: Room) -> None:
    room.mark(*(standing(n, 590_100 + 60 * n, 178_000 + 7 * n) for n in range(MOST_SINGLE + 1)))
    before = len(room.ledger())
    view = view_map(room.services, MORGAN, Search(), ALL, room.now)
    assert view.markers == ()
    assert sum(cluster.count or 0 for cluster in view.clusters) == MOST_SINGLE + 1
    assert len(view.clusters) < 20
    assert len(room.ledger()) == before


def test_figures_are_of_fixed_squares_and_tell_no_number_below_five(room: Room) -> None:
    many = [standing(n, 596_010 + n, 179_010) for n in range(FEWEST_TOLD)]
    few = [standing(10 + n, 597_010, 179_010) for n in range(FEWEST_TOLD - 1)]
    room.mark(*many, *few, NUMBER)
    found = {(cluster.easting, cluster.northing): cluster.count for cluster in figures(room.services, room.now)}
    assert found == {(596_250, 179_250): FEWEST_TOLD, (597_250, 179_250): None}
    assert SQUARE_M == 500
