"""The invented neighbourhood is sound, stays put, and holds the awkwardness it promises."""

from __future__ import annotations

import csv
import json
import re
import tomllib
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import shapely
from convertbng.cutil import convert_bng
from shapely import wkt
from shapely.geometry import Polygon, shape
from shapely.geometry.base import BaseGeometry

from markers.address import local_id
from markers.categories import load_categories
from markers.exchange import read_gazetteer, read_markers
from markers.model import Marker, Point, Premises, State
from overlay.area import load_area
from overlay.disclosure import check_table
from overlay.quillmarket import (
    DEMO_ACCOUNTS,
    MARKER_COLUMNS,
    Neighbourhood,
    build,
    marker_rows,
    write_gazetteer_csv,
    write_geojson,
    write_markers_csv,
)
from overlay.quillmarket.plots import overlapping
from overlay.roles import ROLES
from overlay.settings import SHIPPED_CONFIG, Settings

TODAY = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 14, 2, tzinfo=UTC)
HOME_CATEGORIES = {"child_protection_plan": 58, "domestic_abuse_risk": 56, "registered_sex_offender": 6}
DRAMA_NUMBERS = re.compile(r"(\+44|0)7700900\d{3}|02079460\d{3}")
"""Ofcom's numbers for use in TV and radio drama: 07700 900000-900999 and 020 7946 0000-0999."""


@pytest.fixture(scope="module")
def town() -> Neighbourhood:
    return build()


@pytest.fixture(scope="module")
def by_building(town: Neighbourhood) -> dict[str, list[Premises]]:
    grouped: dict[str, list[Premises]] = {}
    for home in town.homes:
        grouped.setdefault(town.building_of[home.premises_id], []).append(home)
    return grouped


@pytest.fixture(scope="module")
def home_rows(town: Neighbourhood) -> list[dict[str, str]]:
    return [row for row in town.markers if row["category"] in HOME_CATEGORIES]


def marked_home(town: Neighbourhood, row: dict[str, str]) -> Premises:
    """The one invented home a row means, by UPRN or by its address and postcode."""
    named = [
        home
        for home in town.homes
        if (row["uprn"] and home.uprn == row["uprn"])
        or (not row["uprn"] and (home.address.upper(), home.postcode) == (row["address"].upper(), row["postcode"]))
    ]
    assert len(named) == 1, row
    return named[0]


def marked_buildings(town: Neighbourhood, rows: list[dict[str, str]]) -> set[str]:
    return {town.building_of[marked_home(town, row).premises_id] for row in rows}


def zones(town: Neighbourhood) -> list[BaseGeometry]:
    polygons = [wkt.loads(row["zone_wkt"]) for row in town.markers if row.get("zone_wkt")]
    circles = [
        shapely.Point(float(row["easting"]), float(row["northing"])).buffer(float(row["radius_m"]))
        for row in town.markers
        if row.get("radius_m")
    ]
    return [*polygons, *circles]


def test_one_seed_is_one_town(town: Neighbourhood) -> None:
    assert build() == town
    assert build(10).homes != town.homes


def test_about_twelve_hundred_premises_with_ids_of_their_own(town: Neighbourhood) -> None:
    assert 1_100 <= len(town.homes) <= 1_300
    assert len({home.premises_id for home in town.homes}) == len(town.homes)
    assert len({(home.address, home.postcode) for home in town.homes}) == len(town.homes)


def test_uprns_are_in_the_invented_block_and_four_homes_have_none(town: Neighbourhood) -> None:
    uprns = [home.uprn for home in town.homes if home.uprn]
    assert all(re.fullmatch(r"99999\d{7}", uprn) for uprn in uprns)
    without = [home for home in town.homes if home.uprn is None]
    assert len(without) == 4
    assert all(home.premises_id == local_id(home.address, home.postcode) for home in without)


def test_postcodes_are_in_the_unallocated_district(town: Neighbourhood) -> None:
    postcodes = {home.postcode or "" for home in town.homes}
    assert all(re.fullmatch(r"EC9[AB] [1-4][ABD-HJLNP-UW-Z]{2}", postcode) for postcode in postcodes)


def test_every_home_stands_in_its_footprint_and_every_footprint_in_the_boundary(town: Neighbourhood) -> None:
    assert town.boundary.is_valid
    for home in town.homes:
        assert home.point is not None
        footprint = town.footprints[town.building_of[home.premises_id]]
        assert footprint.contains(shapely.Point(home.point.easting, home.point.northing)), home.address
    assert all(footprint.is_valid for footprint in town.footprints.values())
    assert all(town.boundary.contains(footprint) for footprint in town.footprints.values())
    assert all(town.boundary.contains(zone) for zone in zones(town))


def test_no_building_stands_in_another_or_on_a_street(town: Neighbourhood) -> None:
    footprints = list(town.footprints.values())
    assert overlapping(footprints) == []
    assert overlapping([*footprints, footprints[0].buffer(1)]) != []
    for name, line in town.streets.items():
        crossed = [building for building, footprint in town.footprints.items() if footprint.intersects(line)]
        assert crossed == [], name


def test_it_lies_in_the_estuary_between_shoeburyness_and_sheppey(town: Neighbourhood, tmp_path: Path) -> None:
    """Open water by the coast's own numbers: Essex ends north of 51.51, Sheppey's cliffs south of 51.45."""
    write_geojson(town, tmp_path)
    boundary = shape(json.loads((tmp_path / "boundary.geojson").read_text("utf-8"))["features"][0]["geometry"])
    west, south, east, north = boundary.bounds
    assert (west, east) == pytest.approx((0.821, 0.821), abs=0.01)
    assert 51.46 < south < north < 51.49
    assert isinstance(boundary, Polygon)
    assert boundary.exterior.is_ccw


def test_geojson_goes_back_to_the_same_metres_and_names_no_marker(town: Neighbourhood, tmp_path: Path) -> None:
    write_geojson(town, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"boundary.geojson", "buildings.geojson", "streets.geojson"}
    buildings = json.loads((tmp_path / "buildings.geojson").read_text("utf-8"))["features"]
    assert [feature["properties"]["name"] for feature in buildings] == list(town.footprints)
    for feature in buildings[::40]:
        assert set(feature["properties"]) == {"name", "note"}
        longitudes, latitudes = zip(*feature["geometry"]["coordinates"][0], strict=True)
        metres = Polygon(zip(*convert_bng(list(longitudes), list(latitudes)), strict=True))
        assert metres.hausdorff_distance(town.footprints[feature["properties"]["name"]]) < 0.05
    text = "".join(path.read_text("utf-8") for path in tmp_path.iterdir())
    assert not any(category in text for category in HOME_CATEGORIES)


def test_three_towers_and_two_houses_repeat_their_flat_numbers(by_building: dict[str, list[Premises]]) -> None:
    def numbers(building: str) -> set[str]:
        written = (re.match(r"(?:Flat |Apartment )?(\d+)[, ]", home.address) for home in by_building[building])
        return {found[1] for found in written if found}

    towers = ("Quarto Tower", "Octavo Tower", "Folio Tower", "Harbin House", "Harbyn House")
    assert all(40 <= len(numbers(tower)) <= 120 for tower in towers)
    assert len(numbers("Quarto Tower") & numbers("Octavo Tower")) > 60
    assert numbers("Harbyn House") < numbers("Harbin House")


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        ("a range", r"\b\d+-\d+ "),
        ("a lettered house", r"(^|, )\d+A "),
        ("a lettered flat", r"^Flat B, \d"),
        ("above a pub", r"^Flat 3 Above the Quill, 9 Inkhorn Lane"),
        ("above a shop", r"^Flat Above, "),
        ("a penthouse", r"^Penthouse"),
        ("a basement", r"^Basement Flat, "),
        ("a ground floor", r"^Ground Floor Flat, "),
        ("a bare number before a tower", r"^12 Quarto Tower, "),
        ("an apartment by floor", r"^Apartment 304, "),
        ("a saint, and a preposition", r" St Quillan at Dock, "),
        ("an apostrophe", r" Penner's Hill, "),
        ("a street called after London", r" London Quire, London$"),
        ("a hotel", r"^The Gilded Nib Hotel, "),
        ("a station", r"^Quillmarket Station, Station Approach"),
        ("a shop on the concourse", r"Unit 4, Concourse, Quillmarket Station"),
        ("a boat", r"^Narrowboat Marginalia, Deckle Quay"),
        ("offices on a floor", r"(LLP|Ltd|Plc|Brokers|Management), First Floor, "),
        ("a court off an alley", r" Wax Court, "),
    ],
)
def test_it_is_as_awkward_as_the_city(town: Neighbourhood, kind: str, pattern: str) -> None:
    assert any(re.search(pattern, home.address) for home in town.homes), kind


def test_look_alike_streets_share_numbers_and_one_street_has_two_postcodes(town: Neighbourhood) -> None:
    def on(street: str) -> list[Premises]:
        return [home for home in town.homes if f" {street}, " in home.address]

    def numbers(street: str) -> set[str]:
        return {found[1] for home in on(street) if (found := re.search(rf"(\S+) {street}, ", home.address))}

    assert len(numbers("Wolstan Street") & numbers("Wolston Street")) >= 5
    assert len(numbers("Inkhorn Lane") & numbers("Inkhorn Court")) >= 5
    split = {
        street
        for street in town.streets
        if len({home.postcode for home in on(street) if re.search(rf"\d\S* {street}, ", home.address)}) > 1
    }
    assert split == {"Vellum Street"}


def test_120_homes_markers_and_zones_and_telephones_on_top(town: Neighbourhood) -> None:
    assert Counter(row["category"] for row in town.markers) == HOME_CATEGORIES | {
        "temporary": 3,
        "court_order": 1,
        "phone_number": 5,
    }
    assert sum(HOME_CATEGORIES.values()) == 120
    assert len({row["reference"] for row in town.markers}) == len(town.markers)


def test_home_markers_sit_on_invented_dwellings_one_a_category(
    town: Neighbourhood, home_rows: list[dict[str, str]]
) -> None:
    homes = [(row["category"], marked_home(town, row).premises_id) for row in home_rows]
    assert {premises_id for _, premises_id in homes} <= town.dwellings
    assert len(set(homes)) == 120
    assert sorted(Counter(premises_id for _, premises_id in homes).values())[-7:] == [2] * 7
    for row in home_rows:
        if row["easting"]:
            assert marked_home(town, row).point == Point(float(row["easting"]), float(row["northing"]))


def test_look_alikes_of_marked_homes_carry_none(town: Neighbourhood, home_rows: list[dict[str, str]]) -> None:
    buildings = marked_buildings(town, home_rows)
    assert {"Harbin House", "5 Wolstan Street", "3 Inkhorn Lane", "Narrowboat Marginalia"} <= buildings
    assert buildings.isdisjoint({"Harbyn House", "5 Wolston Street", "3 Inkhorn Court", "Narrowboat Second Draft"})


def test_telephones_are_for_drama_only(town: Neighbourhood) -> None:
    numbers = [row["phone"] for row in town.markers if row.get("phone")]
    contacts = [*load_contacts("quillmarket"), *(row["owner_contact"] for row in town.markers)]
    for text in (*numbers, *contacts):
        found = re.findall(r"(?:\+44|0)[\d ]{9,}\d", text)
        assert found, text
        assert all(DRAMA_NUMBERS.fullmatch(number.replace(" ", "")) for number in found), text
    assert len(numbers) == 5


def load_contacts(area: str) -> list[str]:
    content = tomllib.loads((SHIPPED_CONFIG / "areas" / f"{area}.toml").read_text("utf-8"))
    return list(content["contacts"].values())


def test_the_hit_is_a_child_protection_plan_home(town: Neighbourhood, home_rows: list[dict[str, str]]) -> None:
    hit = town.tries[0]
    assert (hit.expect, hit.address) == ("hit", "Flat 3, 14 Tallow Yard, EC9A 1AB")
    there = [row for row in home_rows if row["address"] == "Flat 3, 14 Tallow Yard, London"]
    assert [(row["category"], row["postcode"]) for row in there] == [("child_protection_plan", "EC9A 1AB")]
    assert int(there[0]["starts_on"]) < 0 <= int(there[0]["review_on"])


def test_the_clear_is_a_whole_house_outside_every_zone(
    town: Neighbourhood, home_rows: list[dict[str, str]], by_building: dict[str, list[Premises]]
) -> None:
    clear = town.tries[1]
    assert clear.expect == "clear"
    building = clear.address.split(",")[0]
    assert [f"{home.address}, {home.postcode}" for home in by_building[building]] == [
        clear.address.replace(", EC9", ", London, EC9")
    ]
    assert building not in marked_buildings(town, home_rows)
    assert not any(zone.intersects(town.footprints[building]) for zone in zones(town))


def test_the_could_not_check_is_a_street_with_marked_homes_on_it_and_no_zone(
    town: Neighbourhood, home_rows: list[dict[str, str]]
) -> None:
    unsure = town.tries[2]
    assert (len(town.tries), unsure.expect) == (3, "could_not_check")
    street, postcode = unsure.address.split(", ")
    on_it = [home for home in town.homes if home.address.endswith(f" {street}, London")]
    assert {home.postcode for home in on_it} == {postcode}
    buildings = {town.building_of[home.premises_id] for home in on_it}
    assert buildings & marked_buildings(town, home_rows)
    assert not any(zone.intersects(town.footprints[building]) for zone in zones(town) for building in buildings)


@pytest.fixture(scope="module")
def imported(town: Neighbourhood, tmp_path_factory: pytest.TempPathFactory) -> list[Marker]:
    path = tmp_path_factory.mktemp("quillmarket") / "markers.csv"
    write_markers_csv(town, path, TODAY)
    categories = load_categories(SHIPPED_CONFIG / "categories.toml")
    rows = list(read_markers(path, categories, TODAY, "an.officer", "a.supervisor", NOW))
    assert [row for row in rows if not isinstance(row, Marker)] == []
    return [row for row in rows if isinstance(row, Marker)]


def test_the_marker_list_imports_whole_with_every_state_of_a_life(imported: list[Marker]) -> None:
    assert len(imported) == 129
    at_homes = [marker for marker in imported if marker.category in HOME_CATEGORIES]
    assert Counter(marker.state_at(NOW) for marker in at_homes) == {
        State.IN_FORCE: 118,
        State.FUTURE: 1,
        State.ENDED: 1,
    }
    in_force = [marker for marker in imported if marker.state_at(NOW) is State.IN_FORCE]
    assert sum(marker.review_at(NOW) != "current" for marker in in_force) == 9


def test_the_dates_move_with_the_day(town: Neighbourhood) -> None:
    later = marker_rows(town, TODAY + timedelta(days=100))
    for first, second in zip(marker_rows(town, TODAY), later, strict=True):
        for name in ("starts_on", "review_on", "ends_on"):
            assert date.fromisoformat(second[name]) - date.fromisoformat(first[name]) == timedelta(days=100)


def test_the_files_read_back_as_the_town(town: Neighbourhood, tmp_path: Path) -> None:
    write_gazetteer_csv(town, tmp_path / "gazetteer.csv")
    assert tuple(read_gazetteer(tmp_path / "gazetteer.csv")) == town.homes
    write_markers_csv(town, tmp_path / "markers.csv", TODAY)
    with (tmp_path / "markers.csv").open(encoding="utf-8", newline="") as file:
        assert tuple(csv.DictReader(file).fieldnames or ()) == MARKER_COLUMNS


def test_one_account_a_role_that_signs_in() -> None:
    assert [role for _, _, role in DEMO_ACCOUNTS] == [role for role in ROLES if role != "service"]
    assert len({username for username, _, _ in DEMO_ACCOUNTS}) == len(DEMO_ACCOUNTS)


def test_categories_name_every_role_and_withhold_what_they_should() -> None:
    categories = load_categories(SHIPPED_CONFIG / "categories.toml")
    checking = frozenset(ROLES) - {"auditor", "administrator"}
    check_table(categories, dict.fromkeys(ROLES, ""), checking)
    assert set(HOME_CATEGORIES) < set(categories)
    for category in categories.values():
        assert set(category.disclosure) == set(ROLES)
        assert {category.disclosure[role] for role in ("auditor", "administrator")} == {"none"}
    offender = categories["registered_sex_offender"].disclosure
    assert {role: level for role, level in offender.items() if level == "existence"} == {
        "call_handler": "existence",
        "service": "existence",
    }


def test_what_a_call_handler_is_told_to_do_never_gives_an_offender_away(town: Neighbourhood) -> None:
    category = load_categories(SHIPPED_CONFIG / "categories.toml")["registered_sex_offender"]
    rows = [row for row in town.markers if row["category"] == category.code]
    for action in (category.action, *(row["action"] for row in rows)):
        assert not re.search(r"offend|sex|regist|child|conditions", action, re.IGNORECASE), action
    assert not any(re.search(r"rso|offend", row["reference"], re.IGNORECASE) for row in rows)


def test_both_areas_load_with_their_boundaries(town: Neighbourhood, tmp_path: Path) -> None:
    invented = load_area(Settings.read({}, area="quillmarket", data=tmp_path))
    assert invented.boundary is not None
    assert invented.boundary.symmetric_difference(town.boundary).area < 50
    assert all(invented.contains(home.point) for home in town.homes if home.point)
    city = load_area(Settings.read({}, area="city_of_london", data=tmp_path))
    assert city.boundary is not None
    assert city.boundary.area == pytest.approx(2.90e6, rel=0.01)
    assert city.contains(Point(532_700, 181_100))
    assert not city.contains(Point(530_000, 180_400))
