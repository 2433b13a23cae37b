"""Every grade and every ending of a check, on a small invented street with a real gazetteer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from shapely import Point as ShapelyPoint

from markers import ground
from markers.gazetteer import Gazetteer
from markers.index import MarkerIndex
from markers.location import LocationError, RawLocation, read_location, to_degrees
from markers.matching import Distances, Outcome, match
from markers.model import Category, Grade, Marker, Place, Point, Precision, Premises, Status, SubBuilding

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
CATEGORIES = {
    "child_protection_plan": Category("child_protection_plan", "Child protection plan", "h", "a", 90, 365, 0.0, {}),
    "temporary": Category("temporary", "Temporary", "h", "a", 30, 90, 60.0, {}),
}


def home(number: int, address: str, postcode: str, easting: float | None = None, northing: float = 179000) -> Premises:
    uprn = str(999990000000 + number)
    return Premises(uprn, address, postcode, uprn, Point(easting, northing) if easting is not None else None)


HOMES = (
    home(1, "Flat 1, 14 Tallow Yard", "EC9A 1AB", 596000),
    home(2, "Flat 2, 14 Tallow Yard", "EC9A 1AB", 596000),
    home(3, "Flat 3, 14 Tallow Yard", "EC9A 1AB", 596000),
    home(4, "16 Tallow Yard", "EC9A 1AB", 596040),
    home(5, "18 Tallow Yard", "EC9A 1AB", 596080),
    home(6, "3 Inkhorn Lane", "EC9B 2QQ", 597000),
    home(7, "5 Inkhorn Lane", "EC9B 2QQ"),
    home(8, "7 Vellum Row", "EC9C 3XX"),
)
TWINS = (home(20, "2 Lampblack Row", "EC9A 1AB", 596000, 179500), home(21, "2 Lampblack Row", "EC9C 3XX", 599000))


def marker(reference: str, place: Place, category: str = "child_protection_plan", **changed: object) -> Marker:
    plain = Marker(
        marker_id=f"id-{reference}",
        reference=reference,
        category=category,
        place=place,
        headline="h",
        action="a",
        owner="PPU",
        owner_contact="020 7946 0000",
        starts_on=date(2026, 1, 1),
        review_on=date(2027, 1, 1),
        ends_on=date(2027, 6, 1),
        source="s",
        source_reference="",
        proposed_by="a",
        approved_by="b",
        recorded_at=NOW,
    )
    return replace(plain, **changed)  # type: ignore[arg-type]  # the tests name real fields


def at_home(reference: str, known: Premises, **changed: object) -> Marker:
    return marker(
        reference,
        Place(known.address, known.postcode, known.uprn, known.premises_id, known.point),
        **changed,
    )


Ask = Callable[..., Outcome]


@pytest.fixture(scope="module")
def gazetteer(tmp_path_factory: pytest.TempPathFactory) -> Gazetteer:
    return Gazetteer.load(tmp_path_factory.mktemp("gazetteer"), HOMES)


@pytest.fixture
def ask(gazetteer: Gazetteer, tmp_path: Path) -> Callable[..., Ask]:
    def with_markers(*markers: Marker, homes: tuple[Premises, ...] = HOMES) -> Ask:
        index = MarkerIndex()
        index.replace(0, markers)
        known = gazetteer if homes is HOMES else Gazetteer.load(tmp_path / "gazetteer", homes)

        def asking(**given: object) -> Outcome:
            location = read_location(RawLocation(**given))  # type: ignore[arg-type]  # as above
            return match(location, index, known, CATEGORIES, Distances(), NOW)

        return asking

    return with_markers


def grades(outcome: Outcome) -> list[tuple[str, Grade, SubBuilding | None]]:
    return [(found.marker.reference, found.grade, found.sub_building) for found in outcome.matches]


FLAT_3 = at_home("M3", HOMES[2])


def test_the_same_home_is_a_hit(ask: Callable[..., Ask]) -> None:
    outcome = ask(FLAT_3)(address="flat 3 14 tallow yd ec9a 1ab")
    assert outcome.status is Status.HIT
    assert grades(outcome) == [("M3", Grade.PREMISES, SubBuilding.SAME)]
    assert outcome.home == HOMES[2]
    assert outcome.precision is Precision.SUB_BUILDING
    assert outcome.matches[0].why


def test_another_flat_is_context_and_not_a_hit(ask: Callable[..., Ask]) -> None:
    outcome = ask(FLAT_3)(address="Flat 2, 14 Tallow Yard, EC9A 1AB")
    assert outcome.status is Status.CLEAR
    assert grades(outcome) == [("M3", Grade.BUILDING, SubBuilding.DIFFERENT)]


def test_the_building_without_its_flat_asks_for_it(ask: Callable[..., Ask]) -> None:
    outcome = ask(FLAT_3)(address="14 Tallow Yard, EC9A 1AB")
    assert outcome.status is Status.HIT
    assert grades(outcome) == [("M3", Grade.BUILDING, SubBuilding.NOT_GIVEN)]
    assert "flat" in (outcome.reason or "").lower()


def test_a_building_of_flats_is_never_clear_without_one(ask: Callable[..., Ask]) -> None:
    outcome = ask()(address="14 Tallow Yard, EC9A 1AB")
    assert outcome.status is Status.COULD_NOT_CHECK
    assert outcome.matches == ()


@pytest.mark.parametrize("address", ["Tallow Yard", "Tallow Yard, EC9A 1AB", "the pub by the station", "99"])
def test_what_is_too_vague_is_could_not_check(ask: Callable[..., Ask], address: str) -> None:
    outcome = ask(FLAT_3)(address=address)
    assert outcome.status is not Status.CLEAR
    assert outcome.reason


def test_a_known_home_without_a_marker_is_clear(ask: Callable[..., Ask]) -> None:
    outcome = ask(FLAT_3)(address="18 Tallow Yard, EC9A 1AB")
    assert (outcome.status, outcome.known, outcome.reason) == (Status.CLEAR, True, None)


def test_a_house_the_gazetteer_lacks_on_a_known_street_is_clear_and_said_to_be_unknown(ask: Callable[..., Ask]) -> None:
    outcome = ask(FLAT_3)(address="999 Tallow Yard, EC9A 1AB")
    assert (outcome.status, outcome.known) == (Status.CLEAR, False)


def test_a_marked_home_the_gazetteer_lacks_is_still_found(ask: Callable[..., Ask]) -> None:
    outcome = ask(marker("M9", Place("9 Rushlight Court", "EC9D 1AA")))(address="9 rushlight court")
    assert outcome.status is Status.HIT
    assert grades(outcome)[0][0] == "M9"


@pytest.mark.parametrize(
    ("starts_on", "ends_on"), [(date(2026, 11, 24), date(2027, 1, 1)), (date(2026, 1, 1), date(2026, 11, 22))]
)
def test_future_and_ended_markers_do_not_apply(ask: Callable[..., Ask], starts_on: date, ends_on: date) -> None:
    outcome = ask(replace(FLAT_3, starts_on=starts_on, ends_on=ends_on))(uprn=HOMES[2].uprn, phone="07700 900123")
    assert outcome.status is Status.CLEAR
    assert outcome.matches == ()


def test_the_last_day_counts_in_london_time(ask: Callable[..., Ask]) -> None:
    assert ask(replace(FLAT_3, ends_on=date(2026, 11, 23)))(uprn=HOMES[2].uprn).status is Status.HIT


def test_a_uprn_is_its_home(ask: Callable[..., Ask]) -> None:
    outcome = ask(FLAT_3)(uprn=HOMES[2].uprn)
    assert grades(outcome) == [("M3", Grade.PREMISES, SubBuilding.SAME)]


def test_a_uprn_the_gazetteer_lacks_is_found_on_a_marker_and_otherwise_could_not_check(ask: Callable[..., Ask]) -> None:
    stranger = marker("M7", Place(uprn="999990009999"))
    assert ask(stranger)(uprn="999990009999").status is Status.HIT
    assert ask()(uprn="999990009999").status is Status.COULD_NOT_CHECK
    both = ask()(uprn="999990009999", address="18 Tallow Yard, EC9A 1AB")
    assert both.status is Status.COULD_NOT_CHECK
    assert "could not be compared" in (both.reason or "")


def test_an_address_and_a_uprn_that_disagree_are_both_checked(ask: Callable[..., Ask]) -> None:
    outcome = ask(FLAT_3)(uprn=HOMES[2].uprn, address="18 Tallow Yard, EC9A 1AB")
    assert outcome.status is Status.HIT
    assert any("disagree" in warning for warning in outcome.warnings)


def test_a_postcode_alone_lists_its_homes_and_decides_nothing(ask: Callable[..., Ask]) -> None:
    outcome = ask(FLAT_3, at_home("M6", HOMES[5]))(postcode="EC9A 1AB")
    assert outcome.status is Status.COULD_NOT_CHECK
    assert grades(outcome) == [("M3", Grade.NEARBY, None)]
    assert outcome.precision is Precision.AREA
    assert ask()(postcode="EC9Z 9ZZ").status is Status.COULD_NOT_CHECK


def test_a_point_by_a_marked_home_is_a_hit(ask: Callable[..., Ask]) -> None:
    outcome = ask(FLAT_3)(easting=596010, northing=179000)
    assert (outcome.status, outcome.precision) == (Status.HIT, Precision.POINT)
    assert grades(outcome) == [("M3", Grade.NEARBY, None)]
    assert outcome.matches[0].distance_m == 10


def test_a_point_with_nothing_near_is_clear(ask: Callable[..., Ask]) -> None:
    assert ask(FLAT_3)(easting=596200, northing=179000).status is Status.CLEAR


def test_longitude_and_latitude_with_uncertainty_reach_as_far_as_they_say(ask: Callable[..., Ask]) -> None:
    longitude, latitude = to_degrees(Point(596090, 179000))
    near = ask(FLAT_3)
    assert near(longitude=longitude, latitude=latitude, uncertainty_m=50).status is Status.CLEAR
    assert near(longitude=longitude, latitude=latitude, uncertainty_m=100).status is Status.HIT


def test_a_circle_too_wide_to_decide_is_could_not_check_with_what_is_in_it(ask: Callable[..., Ask]) -> None:
    outcome = ask(FLAT_3)(easting=596000, northing=179000, uncertainty_m=900)
    assert (outcome.status, outcome.precision) == (Status.COULD_NOT_CHECK, Precision.AREA)
    assert grades(outcome) == [("M3", Grade.NEARBY, None)]
    assert ask()(easting=596000, northing=179000, uncertainty_m=900).status is Status.COULD_NOT_CHECK


def test_a_category_with_a_distance_reaches_that_far(ask: Callable[..., Ask]) -> None:
    reaching = ask(at_home("T1", HOMES[0], category="temporary"))
    assert reaching(easting=596070, northing=179000).status is Status.HIT
    assert (
        ask(FLAT_3, at_home("T1", HOMES[0], category="temporary"))(easting=596070, northing=179000)
        .matches[0]
        .marker.reference
        == "T1"
    )


def test_a_marker_of_a_category_the_file_no_longer_has_still_matches(ask: Callable[..., Ask]) -> None:
    assert ask(at_home("X1", HOMES[0], category="gone"))(easting=596010, northing=179000).status is Status.HIT


ZONE = marker(
    "Z1", Place(zone_wkt="POLYGON ((596030 178900, 596050 178900, 596050 179100, 596030 179100, 596030 178900))")
)


def test_a_home_inside_a_zone_is_a_hit(ask: Callable[..., Ask]) -> None:
    outcome = ask(ZONE)(address="16 Tallow Yard, EC9A 1AB")
    assert outcome.status is Status.HIT
    assert grades(outcome) == [("Z1", Grade.ZONE, None)]
    assert outcome.matches[0].confidence == 1.0
    assert ask(ZONE)(address="18 Tallow Yard, EC9A 1AB").status is Status.CLEAR


def test_a_circle_zone_and_a_position_that_crosses_its_edge(ask: Callable[..., Ask]) -> None:
    circle = marker("Z2", Place(point=Point(596500, 179000), radius_m=100))
    assert ask(circle)(easting=596500, northing=179050).status is Status.HIT
    crossing = ask(circle)(easting=596500, northing=179120, uncertainty_m=40)
    assert crossing.status is Status.HIT
    assert "may be" in crossing.matches[0].why[0]
    assert ask(circle)(easting=596500, northing=179300).status is Status.CLEAR


def test_an_address_without_a_position_is_placed_by_its_postcode_or_could_not_be_checked_for_zones(
    ask: Callable[..., Ask],
) -> None:
    assert ask(ZONE)(address="5 Inkhorn Lane, EC9B 2QQ").status is Status.CLEAR
    nowhere = ask(ZONE)(address="7 Vellum Row, EC9C 3XX")
    assert nowhere.status is Status.COULD_NOT_CHECK
    assert "no position" in (nowhere.reason or "")
    assert ask(FLAT_3)(address="7 Vellum Row, EC9C 3XX").status is Status.CLEAR
    ended = replace(ZONE, ends_on=date(2026, 11, 1))
    assert ask(ended)(address="7 Vellum Row, EC9C 3XX").status is Status.CLEAR
    assert ask(ended)(address="16 Tallow Yard, EC9A 1AB").status is Status.CLEAR


def test_a_street_alone_may_lie_in_a_zone(ask: Callable[..., Ask]) -> None:
    outcome = ask(ZONE)(address="Tallow Yard, EC9A 1AB")
    assert outcome.status is not Status.CLEAR
    assert any(found.grade is Grade.ZONE for found in outcome.matches)


def test_the_callers_number_is_a_hit(ask: Callable[..., Ask]) -> None:
    numbered = marker("P1", Place(phone="+447700900123"))
    outcome = ask(numbered)(address="18 Tallow Yard, EC9A 1AB", phone="07700 900123")
    assert grades(outcome) == [("P1", Grade.PHONE, None)]
    assert outcome.status is Status.HIT
    assert ask(numbered)(phone="07700 900123").status is Status.HIT


def test_a_number_alone_is_never_clear(ask: Callable[..., Ask]) -> None:
    outcome = ask()(phone="07700 900999")
    assert outcome.status is Status.COULD_NOT_CHECK
    assert "Ask where" in (outcome.reason or "")


def test_a_withheld_number_is_said(ask: Callable[..., Ask]) -> None:
    outcome = ask()(address="18 Tallow Yard, EC9A 1AB", phone="withheld")
    assert outcome.status is Status.CLEAR
    assert any("withheld" in warning for warning in outcome.warnings)


def test_an_address_and_a_position_far_apart_are_both_checked(ask: Callable[..., Ask]) -> None:
    outcome = ask(FLAT_3)(address="3 Inkhorn Lane, EC9B 2QQ", easting=596000, northing=179010)
    assert outcome.status is Status.HIT
    assert any("990 m" in warning or "1,000 m" in warning for warning in outcome.warnings)


def test_a_position_that_agrees_with_the_address_adds_context_only(ask: Callable[..., Ask]) -> None:
    outcome = ask(FLAT_3)(address="16 Tallow Yard, EC9A 1AB", easting=596030, northing=179000, uncertainty_m=60)
    assert outcome.status is Status.CLEAR
    assert grades(outcome) == [("M3", Grade.NEARBY, None)]


def test_the_strongest_grade_of_a_marker_is_the_one_shown(ask: Callable[..., Ask]) -> None:
    outcome = ask(FLAT_3)(address="Flat 3, 14 Tallow Yard, EC9A 1AB", easting=596000, northing=179000)
    assert grades(outcome) == [("M3", Grade.PREMISES, SubBuilding.SAME)]
    weaker_first = ask(FLAT_3)(address="Flat 2, 14 Tallow Yard, EC9A 1AB", uprn=HOMES[2].uprn)
    assert grades(weaker_first) == [("M3", Grade.PREMISES, SubBuilding.SAME)]


def test_a_postcode_with_a_position_decides_by_the_position(ask: Callable[..., Ask]) -> None:
    outcome = ask(FLAT_3)(postcode="EC9A 1AB", easting=596000, northing=179000)
    assert outcome.status is Status.HIT
    apart = ask(FLAT_3)(postcode="EC9B 2QQ", easting=596000, northing=179000)
    assert "disagree" in (apart.reason or "")
    assert ask()(postcode="EC9B 2QQ", easting=596000, northing=179000).status is Status.COULD_NOT_CHECK


def measured(outcome: Outcome) -> list[str]:
    return [line for line in (*outcome.warnings, outcome.reason or "") if "m apart" in line]


@pytest.mark.parametrize(
    ("given", "pair"),
    [
        ({"address": "3 Inkhorn Lane, EC9B 2QQ", "easting": 596000, "northing": 179000}, "address and the easting"),
        ({"uprn": HOMES[5].uprn, "easting": 596000, "northing": 179000}, "UPRN and the easting"),
        ({"postcode": "EC9B 2QQ", "easting": 596000, "northing": 179000}, "postcode and the easting"),
        ({"address": "3 Inkhorn Lane, EC9B 2QQ", "uprn": HOMES[0].uprn}, "address and the UPRN"),
        ({"address": "Inkhorn Lane", "uprn": HOMES[0].uprn}, "address and the UPRN"),
        ({"uprn": HOMES[5].uprn, "postcode": "EC9A 1AB"}, "UPRN and the postcode"),
        ({"address": "3 Inkhorn Lane", "postcode": "EC9A 1AB"}, "address and the postcode"),
    ],
)
def test_every_pair_that_disagrees_is_said_with_its_distance(
    ask: Callable[..., Ask], given: dict[str, object], pair: str
) -> None:
    lines = measured(ask(FLAT_3)(**given))
    assert len(lines) == 1
    assert pair in lines[0]
    metres = int(lines[0].split(" m apart")[0].rsplit(" ", 1)[1].replace(",", ""))
    assert 870 <= metres <= 1_001


@pytest.mark.parametrize(
    "given",
    [
        {"address": "18 Tallow Yard, EC9A 1AB", "postcode": "ec9a1ab", "uprn": HOMES[4].uprn},
        {"address": "18 Tallow Yard", "postcode": "EC9A 1AB", "easting": 596080, "northing": 179010},
        {"uprn": HOMES[4].uprn, "postcode": "EC9A 1AB", "easting": 596080, "northing": 179010},
    ],
)
def test_what_agrees_is_not_remarked_on(ask: Callable[..., Ask], given: dict[str, object]) -> None:
    outcome = ask(FLAT_3)(**given)
    assert (outcome.status, outcome.warnings) == (Status.CLEAR, ())


def test_the_distance_people_read_is_geodesic(ask: Callable[..., Ask]) -> None:
    """Grid metres are 0.04 % short of true ones on the central meridian: OS, a guide to coordinate systems, 6.3."""
    here, there = Point(400000, 200000), Point(500000, 200000)
    away = ground.metres_apart(ShapelyPoint(here.easting, here.northing), ShapelyPoint(there.easting, there.northing))
    assert away == pytest.approx(100_000, rel=5e-4)
    assert abs(away - 100_000) > 5
    assert ground.metres_apart(ShapelyPoint(0, 0), ShapelyPoint(0, 1_299_999)) == 1_299_999


def test_a_postcode_in_the_text_and_another_beside_it_are_both_checked(ask: Callable[..., Ask]) -> None:
    same_home = ask(FLAT_3)(address="18 Tallow Yard, EC9A 1AB", postcode="EC9A 1AC")
    assert any("EC9A 1AB, but EC9A 1AC was given" in warning for warning in same_home.warnings)
    assert (same_home.status, same_home.home) == (Status.CLEAR, HOMES[4])
    twins = ask(at_home("TWIN", TWINS[1]), homes=(*HOMES, *TWINS))
    for text, beside in (("EC9A 1AB", "EC9C 3XX"), ("EC9C 3XX", "EC9A 1AB")):
        outcome = twins(address=f"2 Lampblack Row, {text}", postcode=beside)
        assert outcome.status is Status.HIT
        assert "Ask which is right" in (outcome.reason or "")
        assert any("m apart" in warning for warning in outcome.warnings)
    far = ask()(address="18 Tallow Yard, EC9A 1AB", postcode="EC9B 2QQ")
    assert "EC9B 2QQ was given beside it, 920 m apart" in far.warnings[0]
    assert far.status is Status.COULD_NOT_CHECK
    unknown = ask()(address="the usual place, EC9A 1AB", postcode="EC9C 3XX")
    assert unknown.status is Status.COULD_NOT_CHECK


def test_a_postcode_of_one_home_is_a_circle_and_lists_the_zones_that_touch_it(ask: Callable[..., Ask]) -> None:
    one_home = (*HOMES, home(30, "1 Lone Row", "EC9H 1AA", 598000))
    for edge, grade in ((598000, Grade.ZONE), (598020, Grade.ZONE), (598030, None)):
        box = f"POLYGON (({edge} 178000, 599000 178000, 599000 180000, {edge} 180000, {edge} 178000))"
        outcome = ask(replace(ZONE, place=Place(zone_wkt=box)), homes=one_home)(postcode="EC9H 1AA")
        assert outcome.status is (Status.HIT if grade else Status.COULD_NOT_CHECK)
        assert [found.grade for found in outcome.matches] == [grade] * (grade is not None)
        assert all(found.confidence < 1 for found in outcome.matches)
    around = "POLYGON ((597000 178000, 599000 178000, 599000 180000, 597000 180000, 597000 178000))"
    whole = ask(replace(ZONE, place=Place(zone_wkt=around)), homes=one_home)(postcode="EC9H 1AA")
    assert whole.matches[0].confidence == 1
    assert ask(ZONE)(postcode="EC9A 1AB").matches[0].grade is Grade.ZONE


@pytest.mark.parametrize("tolerance", [0.0, 25.0])
def test_a_hull_never_vanishes(gazetteer: Gazetteer, tolerance: float) -> None:
    for postcode in ("EC9A 1AB", "EC9B 2QQ"):
        hull = ground.of_postcode(postcode, gazetteer, tolerance)
        assert hull is not None
        assert not hull.is_empty
    assert ground.of_postcode("EC9Z 9ZZ", gazetteer, tolerance) is None


def test_an_unread_address_never_hides_behind_a_clear_position(ask: Callable[..., Ask]) -> None:
    outcome = ask(FLAT_3)(address="the usual place", easting=596200, northing=179000)
    assert outcome.status is Status.COULD_NOT_CHECK


def test_two_homes_are_said_to_differ_although_one_has_no_position(ask: Callable[..., Ask]) -> None:
    outcome = ask(FLAT_3)(address="7 Vellum Row, EC9C 3XX", uprn=HOMES[4].uprn)
    assert any("disagree: 7 Vellum Row / 18 Tallow Yard. Both" in warning for warning in outcome.warnings)


def test_what_is_not_in_force_is_nowhere(ask: Callable[..., Ask]) -> None:
    ended = date(2026, 11, 1)
    numbered = marker("P1", Place(phone="+447700900123"), ends_on=ended)
    outcome = ask(numbered, replace(FLAT_3, ends_on=ended))(postcode="EC9A 1AB", phone="07700 900123")
    assert outcome.matches == ()


def test_an_address_and_its_own_uprn_agree(ask: Callable[..., Ask]) -> None:
    outcome = ask(FLAT_3)(address="18 Tallow Yard, EC9A 1AB", uprn=HOMES[4].uprn)
    assert (outcome.status, outcome.warnings) == (Status.CLEAR, ())


POINT_ONLY = marker("X1", Place(point=Point(596080, 179000)))


@pytest.mark.parametrize("given", [{"address": "18 Tallow Yard, EC9A 1AB"}, {"uprn": HOMES[4].uprn}])
def test_a_marker_with_a_position_but_no_address_may_be_this_home(
    ask: Callable[..., Ask], given: dict[str, str]
) -> None:
    outcome = ask(POINT_ONLY)(**given)
    assert outcome.status is Status.HIT
    assert grades(outcome) == [("X1", Grade.POSSIBLE, None)]
    assert ask(POINT_ONLY)(address="7 Vellum Row, EC9C 3XX").status is Status.COULD_NOT_CHECK


def test_a_category_that_reaches_is_listed_beside_a_known_home(ask: Callable[..., Ask]) -> None:
    outcome = ask(at_home("T1", HOMES[3], category="temporary"))(address="18 Tallow Yard, EC9A 1AB")
    assert grades(outcome) == [("T1", Grade.NEARBY, None)]
    assert not outcome.matches[0].applies


def test_zones_are_looked_for_at_everything_that_was_given(ask: Callable[..., Ask]) -> None:
    outcome = ask(ZONE)(address="16 Tallow Yard, EC9A 1AB", uprn=HOMES[5].uprn)
    assert outcome.status is Status.HIT
    assert any("disagree" in warning for warning in outcome.warnings)
    unknown_number = ask(ZONE)(address="99 Tallow Yard", postcode="EC9B 2QQ")
    assert unknown_number.status is not Status.CLEAR


def test_a_postcode_that_contradicts_the_uprn_is_asked_about(ask: Callable[..., Ask]) -> None:
    outcome = ask(FLAT_3)(uprn=HOMES[5].uprn, postcode="EC9A 1AB")
    assert outcome.status is Status.COULD_NOT_CHECK
    assert "Ask which is right" in (outcome.reason or "")
    assert ask()(uprn=HOMES[5].uprn, postcode="EC9B 2QQ").status is Status.CLEAR


def test_the_slack_never_shrinks_as_the_uncertainty_grows(ask: Callable[..., Ask]) -> None:
    for uncertainty in (0, 10, 24, 25, 40):
        outcome = ask(FLAT_3)(easting=596000 + uncertainty + 24, northing=179000, uncertainty_m=uncertainty)
        assert outcome.status is Status.HIT, uncertainty


def test_the_edge_of_a_zone_is_not_sharper_than_a_buildings_middle(ask: Callable[..., Ask]) -> None:
    assert ask(ZONE)(easting=596070, northing=179000).status is Status.HIT
    assert ask(ZONE)(easting=596080, northing=179000).status is Status.CLEAR


def test_a_marked_home_nobody_placed_is_not_forgotten_by_a_position(ask: Callable[..., Ask]) -> None:
    in_postcode = marker("U1", Place("1 Lost Row", "EC9A 1AB"))
    assert ask(in_postcode)(easting=596040, northing=179000).status is Status.HIT
    assert ask(in_postcode)(easting=596900, northing=179000).status is Status.CLEAR
    assert ask(replace(in_postcode, ends_on=date(2026, 11, 1)))(easting=596040, northing=179000).status is Status.CLEAR
    nowhere = marker("U2", Place("1 Lost Row"))
    assert ask(nowhere)(easting=596040, northing=179000).status is Status.COULD_NOT_CHECK
    known = ask(nowhere)(address="18 Tallow Yard, EC9A 1AB", easting=596080, northing=179000)
    assert known.status is Status.CLEAR


@pytest.mark.parametrize("phone", ["07700 90045", "020 7946 045"])
def test_a_number_with_a_digit_missing_is_not_checked(ask: Callable[..., Ask], phone: str) -> None:
    try:
        outcome = ask()(address="18 Tallow Yard, EC9A 1AB", phone=phone)
    except LocationError as error:
        assert error.field == "phone"
    else:
        assert outcome.status is Status.COULD_NOT_CHECK


def test_ended_markers_are_not_near_either(ask: Callable[..., Ask]) -> None:
    ended = date(2026, 11, 1)
    outcome = ask(replace(POINT_ONLY, ends_on=ended), replace(FLAT_3, ends_on=ended))(easting=596040, northing=179000)
    assert (outcome.status, outcome.matches) == (Status.CLEAR, ())
    here = ask(replace(POINT_ONLY, ends_on=ended), replace(FLAT_3, ends_on=ended))
    assert here(easting=596080, northing=179000).matches == here(easting=596000, northing=179000).matches == ()


def test_a_zone_within_its_categorys_distance_is_nearby(ask: Callable[..., Ask]) -> None:
    hotel = replace(ZONE, category="temporary")
    by_position = ask(hotel)(easting=596110, northing=179000)
    assert (by_position.status, grades(by_position)) == (Status.HIT, [("Z1", Grade.NEARBY, None)])
    by_address = ask(hotel)(address="18 Tallow Yard, EC9A 1AB")
    assert (by_address.status, grades(by_address)) == (Status.CLEAR, [("Z1", Grade.NEARBY, None)])
