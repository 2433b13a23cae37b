"""Gazetteer, marker and query lists: what is read, what is refused, on which line and in which column."""

from __future__ import annotations

import json
import math
import tracemalloc
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import from_wkt, get_coordinates

from markers.address import local_id
from markers.exchange import (
    Query,
    RowError,
    TableError,
    marker_id,
    read_gazetteer,
    read_markers,
    read_queries,
)
from markers.location import to_grid
from markers.model import Category, Marker, Point, Premises
from markers.written import MARKER_COLUMNS

DATA = Path(__file__).parent.parent / "data"
TODAY = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 22, 0, tzinfo=UTC)
PLAN = Category("child_protection", "Child protection plan", "Plan in force", "Ask who is in.", 90, 365, 0.0, {})
ABUSE = Category("domestic_abuse", "Domestic abuse risk", "High risk", "Send two.", 30, 180, 0.0, {})
OFFENDER = Category("rso", "Registered sex offender", "Lives here", "Ask who is in.", 91, 365, 0.0, {}, narrative=False)
CATEGORIES = {category.code: category for category in (PLAN, ABUSE)}
ZONE = "POLYGON ((580000 180000, 580100 180000, 580100 180100, 580000 180100, 580000 180000))"


@pytest.fixture
def listed(tmp_path: Path):
    def write(text: str | bytes, name: str = "list.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def markers(path: Path) -> list[Marker | RowError]:
    return list(read_markers(path, CATEGORIES, TODAY, "A Officer", "B Supervisor", NOW))


def row(**cells: str) -> str:
    """A marker list of one row, its cells quoted, on a good home unless told otherwise."""
    cells = {"reference": "R1", "category": "child_protection", "address": "Flat 3, 14 Tallow Yard"} | cells
    quoted = ('"' + text.replace('"', '""') + '"' for text in cells.values())
    return ",".join(cells) + "\n" + ",".join(quoted) + "\n"


def one(path: Path) -> Marker:
    (marker,) = markers(path)
    assert isinstance(marker, Marker), str(marker)
    return marker


def said(found: list[object]) -> list[str]:
    return [str(error) for error in found if isinstance(error, RowError)]


# --- gazetteer


def test_premises_with_and_without_a_uprn(listed):
    path = listed(
        "uprn,address,postcode,easting,northing,longitude,latitude\n"
        '999000000956,"Flat 3, 14 Tallow Yard",ec9a1ab,580000,180000.5,,\n'
        "999000000957.0,15 Tallow Yard,EC9A 1AB,,,,\n"
        ",16 Tallow Yard, EC9A 1AB ,,,,\n"
        "000000000042,17 Tallow Yard,,,,-0.0912,51.5142\n"
    )
    flat, shop, yard, bank = read_gazetteer(path)
    assert flat == Premises(
        "999000000956", "Flat 3, 14 Tallow Yard", "EC9A 1AB", "999000000956", Point(580000.0, 180000.5)
    )
    assert isinstance(shop, Premises)
    assert shop.premises_id == shop.uprn == "999000000957"
    assert yard == Premises(local_id("16 Tallow Yard", "EC9A 1AB"), "16 Tallow Yard", "EC9A 1AB")
    assert isinstance(bank, Premises)
    assert bank.uprn == "42"
    assert bank.point is not None
    assert math.dist((bank.point.easting, bank.point.northing), (532_550, 181_280)) < 500


def test_a_local_id_stays_the_same_however_the_row_is_spaced(listed):
    path = listed('address,postcode\n"16 Tallow Yard",EC9A 1AB\n"  16  tallow yard ",ec9a1ab\n')
    first, second = read_gazetteer(path)
    assert isinstance(first, Premises)
    assert isinstance(second, Premises)
    assert first.premises_id == second.premises_id


@pytest.mark.parametrize(
    ("uprn", "reason"),
    [
        ("9.99000E+11", "'9.99000E+11' is a UPRN that has lost digits in a spreadsheet"),
        ("9,99000E+11", "has lost digits"),
        ("1E11", "has lost digits"),
        ("9990000009561", "it has 13 digits. A UPRN is 1 to 12 digits"),
        ("0", "not a UPRN"),
        ("999000000956.5", "is not a UPRN. A UPRN is 1 to 12 digits."),
        ("-999000000956", "is not a UPRN"),
        ("9990 0000 0956", "is not a UPRN"),
        ("١٠٠", "is not a UPRN"),
        ("see note", "is not a UPRN"),
        ("9" * 5_000, "it has 5000 digits"),
        ("nan", "is not a UPRN"),
    ],
)
def test_uprns_that_are_refused(listed, uprn, reason):
    (error,) = read_gazetteer(listed(f'uprn,address\n"{uprn}",14 Tallow Yard\n'))
    assert isinstance(error, RowError)
    assert (error.line, error.column) == (2, "uprn")
    assert reason in error.reason
    assert len(str(error)) < 250


@pytest.mark.parametrize(
    ("columns", "values", "column", "reason"),
    [
        ("easting,northing", "NaN,180000", "easting", "'NaN' is not a number"),
        ("easting,northing", "580000,1e308", "northing", "lost digits"),
        ("easting,northing", "5.8E+05,180000", "easting", "lost digits"),
        ("easting,northing", "580000,inf", "northing", "is not a number"),
        ("easting,northing", "580_000,180000", "easting", "is not a number"),
        ("easting,northing", f"{'9' * 39},180000", "easting", "outside Great Britain"),
        ("easting,northing", f"{'9' * 400},180000", "easting", "is not a number"),
        ("easting,northing", "700000,180000", "easting", "outside Great Britain. Write metres between 0 and 700,000"),
        ("easting,northing", "580000,-1", "northing", "outside Great Britain. Write metres between 0 and 1,300,000"),
        ("easting,northing", "0,0", "easting", "outside Great Britain"),
        ("easting,northing", "580000,", "northing", "missing. Easting and northing are needed together."),
        ("longitude,latitude", ",51.5", "longitude", "missing. Longitude and latitude are needed together."),
        ("longitude,latitude", "2.35,48.85", "longitude", "outside Great Britain"),
        ("longitude,latitude", "51.5142,-0.0912", "longitude", "outside Great Britain"),
        ("longitude,latitude", "-0.0912,151.5", "latitude", "not a latitude"),
        ("longitude,latitude", "-1e308,51.5", "longitude", "lost digits"),
        ("longitude,latitude", "0,0", "longitude", "outside Great Britain"),
    ],
)
def test_positions_that_are_refused(listed, columns, values, column, reason):
    found = list(read_gazetteer(listed(f"address,{columns}\n14 Tallow Yard,{values}\n")))
    assert len(found) == 1
    assert isinstance(found[0], RowError)
    assert (found[0].line, found[0].column) == (2, column)
    assert reason in found[0].reason


@pytest.mark.parametrize(
    ("columns", "values", "easting", "northing"),
    [
        ("easting,northing", '"580,000","180,000.5"', 580_000, 180_000.5),
        ("easting,northing", "580000.,'180000", 580_000, 180_000),
        ("longitude;latitude", '"0,6";"51,5"', 580_500, 180_500),
        ("longitude,latitude", "6.0E-01,+51.5", 580_500, 180_500),
        ("longitude,latitude", "\u22120.0912,51.5142", 532_550, 181_280),
        ("easting,northing,longitude,latitude", "532550,181280,-0.0912,51.5142", 532_550, 181_280),
    ],
)
def test_positions_as_spreadsheets_write_them(listed, columns, values, easting, northing):
    separator = ";" if ";" in columns else ","
    (home,) = read_gazetteer(listed(f"address{separator}{columns}\n14 Tallow Yard{separator}{values}\n"))
    assert isinstance(home, Premises)
    assert home.point is not None
    assert (
        math.dist((home.point.easting, home.point.northing), (easting, northing))
        < 2_500 * (";" in columns or "E" in values) + 100
    )


def test_two_positions_of_one_home_must_agree(listed):
    path = listed("address,easting,northing,longitude,latitude\n14 Tallow Yard,533550,181280,-0.0912,51.5142\n")
    (error,) = read_gazetteer(path)
    assert isinstance(error, RowError)
    assert "m from longitude and latitude. Correct one" in error.reason


@pytest.mark.parametrize("postcode", ["EC9A 1ABX", "EC9A-1", "12345", "see note", "E" * 500])
def test_what_is_not_a_postcode_is_refused(listed, postcode):
    (error,) = read_gazetteer(listed(f"address,postcode\n14 Tallow Yard,{postcode}\n"))
    assert isinstance(error, RowError)
    assert error.column == "postcode"


def test_half_a_postcode_is_kept_with_the_address(listed):
    """One in a thousand food hygiene addresses has a postcode's first half only."""
    homes = list(read_gazetteer(listed('address,postcode\n14 Tallow Yard,ec9a\n"15 Tallow Yard, EC9A",EC9A\n,EC9A\n')))
    assert [home.address for home in homes if isinstance(home, Premises)] == [
        "14 Tallow Yard, EC9A",
        "15 Tallow Yard, EC9A",
    ]
    assert {error.column for error in homes if isinstance(error, RowError)} == {"address", "postcode"}


def test_everything_wrong_with_a_row_is_told_at_once(listed):
    path = listed("uprn,address,postcode,easting,northing\nx,,y,z,1\n1,14 Tallow Yard,EC9A 1AB,580000,180000\n")
    found = list(read_gazetteer(path))
    assert [error.column for error in found if isinstance(error, RowError)] == [
        "postcode",
        "address",
        "uprn",
        "easting",
    ]
    assert isinstance(found[-1], Premises)


def test_an_address_on_several_lines_is_one_address(listed):
    first, second = read_gazetteer(listed('address\r\n"14 Tallow Yard,\nQuillmarket\r\nLondon"\r\n15 Tallow Yard\r\n'))
    assert isinstance(first, Premises)
    assert first.address == "14 Tallow Yard, Quillmarket, London"
    assert isinstance(second, Premises)


@pytest.mark.parametrize(
    "address", ["14\x07 Tallow Yard", "14 Tallow\x7f Yard", "14 \x0bTallow Yard", "x" * 10_000, "14 \x85 Yard"]
)
def test_addresses_that_are_refused(listed, address):
    (error,) = read_gazetteer(listed(f'address\n"{address}"\n'))
    assert isinstance(error, RowError)
    assert error.column == "address"
    assert "control character" in error.reason or "10,000 characters, and at most 500 fit" in error.reason


def test_a_gazetteer_of_half_a_million_rows_is_read_in_little_memory(listed):
    """Fifty thousand rows stand for it: memory may not grow with the rows."""
    path = listed("uprn,address,postcode\n" + "".join(f"{n},14 Tallow Yard,EC9A 1AB\n" for n in range(1, 50_001)))
    tracemalloc.start()
    assert sum(isinstance(home, Premises) for home in read_gazetteer(path)) == 50_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3_000_000


def test_readers_take_rows_as_they_are_asked_for(listed):
    reader = read_gazetteer(listed("address\n14 Tallow Yard\n\0\n"))
    assert isinstance(reader, Iterator)
    assert isinstance(next(reader), Premises)
    with pytest.raises(TableError, match="NUL"):
        next(reader)


# --- markers


def test_a_marker_with_every_column(listed):
    marker = one(
        listed(
            row(
                reference="PPU/26/1",
                category="Child Protection Plan",
                postcode="ec9a 1ab",
                uprn="999000000956",
                easting="580000",
                northing="180000",
                radius_m="250",
                phone="07700 900123",
                headline="Plan in force",
                action="Ask for each child.",
                fact="Two children, 4 and 9.",
                opinion="Visits are missed on purpose.",
                owner="Public protection unit",
                owner_contact="ext 4521",
                starts_on="03/10/2026",
                review_on="46388",
                ends_on="2027-10-03",
                source="Conference",
                source_reference="C/9",
            )
        )
    )
    assert marker.as_dict() == {
        "marker_id": marker_id("PPU/26/1"),
        "reference": "PPU/26/1",
        "category": "child_protection",
        "place": {
            "address": "Flat 3, 14 Tallow Yard",
            "postcode": "EC9A 1AB",
            "uprn": "999000000956",
            "point": [580000.0, 180000.0],
            "radius_m": 250.0,
            "phone": "+447700900123",
        },
        "headline": "Plan in force",
        "action": "Ask for each child.",
        "owner": "Public protection unit",
        "owner_contact": "ext 4521",
        "starts_on": "2026-10-03",
        "review_on": "2027-01-01",
        "ends_on": "2027-10-03",
        "source": "Conference",
        "source_reference": "C/9",
        "proposed_by": "A Officer",
        "approved_by": "B Supervisor",
        "recorded_at": "2026-11-23T22:00:00+00:00",
        "version": 1,
        "fact": "Two children, 4 and 9.",
        "opinion": "Visits are missed on purpose.",
    }


@pytest.mark.parametrize("column", ["fact", "opinion"])
def test_a_kind_that_keeps_no_narrative_refuses_one(listed, column):
    path = listed(row(category="Registered sex offender", **{column: "From the national register."}))
    (error,) = read_markers(path, {OFFENDER.code: OFFENDER}, TODAY, "A Officer", "B Supervisor", NOW)
    assert (error.column, error.line) == (column, 2)
    assert "not kept for registered sex offender" in error.reason


def test_what_a_row_leaves_out_comes_from_its_category(listed):
    marker = one(listed(row(), name="ppu.csv"))
    assert (marker.headline, marker.action) == (PLAN.headline, PLAN.action)
    assert (marker.starts_on, marker.review_on, marker.ends_on) == (TODAY, date(2027, 2, 21), date(2027, 11, 23))
    assert (marker.owner, marker.owner_contact) == ("A Officer", "")
    assert (marker.source, marker.source_reference) == ("list ppu.csv", "")


def test_dates_left_out_follow_those_that_are_given(listed):
    marker = one(listed(row(starts_on="01/01/2027")))
    assert (marker.review_on, marker.ends_on) == (date(2027, 4, 1), date(2028, 1, 1))
    short = one(listed(row(ends_on="2026-12-01")))
    assert (short.starts_on, short.review_on, short.ends_on) == (TODAY, date(2026, 12, 1), date(2026, 12, 1))


@pytest.mark.parametrize(
    ("dates", "column", "reason"),
    [
        ({"starts_on": "31/02/2026"}, "starts_on", "'31/02/2026' is not a date. Write 2026-02-28 or 28/02/2026."),
        (
            {"starts_on": "2026-10-03", "ends_on": "2026-10-02"},
            "ends_on",
            "2026-10-02 is before the start, 2026-10-03.",
        ),
        ({"ends_on": "2026-10-02"}, "ends_on", "before the start, 2026-11-23 (today, as starts_on is empty)"),
        ({"review_on": "2027-05-01", "ends_on": "2027-04-01"}, "review_on", "2027-05-01 is after the end, 2027-04-01."),
        (
            {"review_on": "2028-05-01"},
            "review_on",
            "after the end, 2027-11-23 (the longest Child protection plan may run)",
        ),
        (
            {"starts_on": "2026-10-03", "review_on": "2026-10-02"},
            "review_on",
            "2026-10-02 is before the start, 2026-10-03",
        ),
        ({"ends_on": "2027-11-24"}, "ends_on", "366 days after the start"),
        ({"ends_on": "2027-11-24"}, "ends_on", "may run 365 days. Write 2027-11-23 or earlier."),
        ({"starts_on": "soon\x1b"}, "starts_on", "control character"),
    ],
)
def test_dates_that_are_refused(listed, dates, column, reason):
    (error,) = markers(listed(row(**dates)))
    assert isinstance(error, RowError)
    assert (error.line, error.column) == (2, column)
    assert reason in error.reason


def test_the_error_a_person_reads(listed):
    path = listed("reference,category,address,starts_on\n" + "\n" * 10 + "R1,child_protection,x,31/02/2026\n")
    assert said(markers(path)) == ["line 12, starts_on: '31/02/2026' is not a date. Write 2026-02-28 or 28/02/2026."]


@pytest.mark.parametrize(
    "written",
    [
        "child_protection",
        "CHILD_PROTECTION",
        "Child protection plan",
        "child-protection",
        " Child  Protection\u00a0Plan ",
    ],
)
def test_a_category_by_code_or_title(listed, written):
    assert one(listed(row(category=written))).category == "child_protection"


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"category": "cpp"}, "'cpp' is not a category here. Write one of: child_protection, domestic_abuse."),
        ({"category": " "}, "line 2, category: missing. Write one of: child_protection, domestic_abuse."),
        ({"reference": ""}, "line 2, reference: missing. Give the marker the reference its owner knows it by."),
        ({"reference": "x" * 65}, "line 2, reference: 65 characters, and at most 64 fit. Shorten it."),
        ({"address": ""}, "line 2: names no place. Give an address, uprn, position, zone_wkt or phone."),
        ({"address": "", "postcode": "EC9A 1AB"}, "line 2: names no place. A postcode alone names many homes. Give an"),
        ({"headline": "x" * 201}, "line 2, headline: 201 characters, and at most 200 fit. Shorten it."),
        ({"action": "x" * 1_001}, "line 2, action: 1,001 characters, and at most 1,000 fit. Shorten it."),
        ({"owner": "a\x08b"}, "line 2, owner: holds a control character (U+0008) that is not text. Type"),
        ({"radius_m": "50"}, "line 2, radius_m: needs a position. Give easting and northing, or longitude and"),
        ({"phone": "999 or so"}, "'999 or so' is not one telephone number. Write figures only, for example"),
        ({"phone": "07700 900123 / 07700 900456"}, "is not a telephone number. Write it with its area code"),
        ({"phone": "999"}, "line 2, phone: '999' is not a telephone number. Write it with its area code"),
        ({"phone": "4.47701E+11"}, "'4.47701E+11' is a telephone number that has lost digits in a spreadsheet."),
    ],
)  # fmt: skip
def test_cells_that_are_refused(listed, cells, message):
    (error,) = said(markers(listed(row(**cells))))
    assert error.startswith("line 2")
    assert message in error


@pytest.mark.parametrize("radius", ["0", "-5", "5000.01", "nan", "1e308", "wide"])
def test_radii_that_are_refused(listed, radius):
    (error,) = markers(listed(row(easting="580000", northing="180000", radius_m=radius)))
    assert isinstance(error, RowError)
    assert error.column == "radius_m"


def test_a_circle_and_a_polygon_at_once_are_refused(listed):
    found = markers(listed(row(easting="580000", northing="180000", radius_m="50", zone_wkt=ZONE)))
    assert said(found) == ["line 2, radius_m: is given beside zone_wkt. Give the circle or the polygon, not both."]


@pytest.mark.parametrize(
    "wkt",
    [
        ZONE,
        ZONE.lower(),
        "SRID=27700;" + ZONE,
        ZONE.replace(", ", ",\n"),
        "MULTIPOLYGON (" + ZONE.removeprefix("POLYGON ") + ")",
    ],
)
def test_zones_that_are_read(listed, wkt):
    zone = one(listed(row(address="", zone_wkt=wkt))).place.zone_wkt
    assert zone is not None
    assert from_wkt(zone).area == 10_000


def test_a_ring_that_runs_the_wrong_way_round_is_turned_and_a_hole_stays_one(listed):
    hole = "(580020 180020, 580040 180020, 580040 180040, 580020 180040, 580020 180020)"
    wkt = f"POLYGON ((580000 180000, 580000 180100, 580100 180100, 580100 180000, 580000 180000), {hole})"
    zone = from_wkt(one(listed(row(address="", zone_wkt=wkt))).place.zone_wkt)
    assert zone.exterior.is_ccw
    assert not zone.interiors[0].is_ccw
    assert zone.area == 10_000 - 400


LONLAT = [[0.60, 51.50], [0.601, 51.50], [0.601, 51.501], [0.60, 51.50]]


@pytest.mark.parametrize(
    "content",
    [
        {"type": "Polygon", "coordinates": [LONLAT]},
        {"type": "Polygon", "coordinates": [[[*at, 12.0] for at in LONLAT]]},
        {"type": "Polygon", "coordinates": [LONLAT[::-1]]},
        {"type": "MultiPolygon", "coordinates": [[LONLAT]]},
        {"type": "Feature", "properties": {"name": "x"}, "geometry": {"type": "Polygon", "coordinates": [LONLAT]}},
        {
            "type": "FeatureCollection",
            "features": [
                {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [LONLAT]}}
            ],
        },
    ],
)
def test_geojson_is_read_in_degrees_and_kept_in_metres(listed, content):
    zone = from_wkt(one(listed(row(address="", zone_wkt=json.dumps(content)))).place.zone_wkt)
    east, north = to_grid(0.60, 51.50).easting, to_grid(0.60, 51.50).northing
    assert any(abs(x - east) < 0.02 and abs(y - north) < 0.02 for x, y in get_coordinates(zone))
    assert 3_000 < zone.area < 4_500  # half of 69 m by 111 m


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"type": "Polygon"', "is not GeoJSON with one polygon"),
        ("{}", "is not GeoJSON with one polygon"),
        ('{"type": "Polygon", "coordinates": "here"}', "is not GeoJSON with one polygon"),
        ('{"type": "FeatureCollection", "features": []}', "is not GeoJSON with one polygon"),
        ('{"type": "Point", "coordinates": [0.6, 51.5]}', "is a Point. A zone is a POLYGON"),
        ('{"type": "Polygon", "coordinates": []}', "is an empty polygon"),
        ('{"type": "Polygon", "coordinates": [[[580000, 180000], [580100, 180000], [580100, 180100]]]}',
         "is not in longitude and latitude"),
        ('{"type": "Polygon", "coordinates": [[[51.5, 0.6], [51.5, 0.601], [51.501, 0.601], [51.5, 0.6]]]}', "outside"),
        ('{"type": "Polygon", "coordinates": [[[0.6, 51.5], [0.61, 51.51], [0.61, 51.5], [0.6, 51.51], [0.6, 51.5]]]}',
         "crosses itself"),
        ('{"type": "Polygon", "coordinates": [[[0.6, 51.5], [0.8, 51.5], [0.8, 51.7], [0.6, 51.5]]]}', "at most 25"),
        ('{"type": ' * 5_000, "is not GeoJSON with one polygon"),
    ],
)  # fmt: skip
def test_geojson_that_is_refused(listed, content, reason):
    (error,) = markers(listed(row(zone_wkt=content)))
    assert isinstance(error, RowError)
    assert error.column in ("zone_wkt", "longitude", "latitude")
    assert reason in error.reason


def test_a_zone_with_heights_loses_them(listed):
    wkt = "POLYGON Z ((580000 180000 1, 580100 180000 2, 580100 180100 3, 580000 180000 1))"
    assert (
        one(listed(row(zone_wkt=wkt))).place.zone_wkt
        == "POLYGON ((580000 180000, 580100 180000, 580100 180100, 580000 180000))"
    )


@pytest.mark.parametrize(
    ("wkt", "reason"),
    [
        ("POLYGON ((580000 180000, 580100 180100, 580100 180000, 580000 180100, 580000 180000))", "crosses itself"),
        ("POLYGON ((580000 180000, 580100 180000, 580000 180000, 580000 180000))", "broken"),
        ("POLYGON EMPTY", "empty polygon"),
        ("POINT (580000 180000)", "is a Point. A zone is a POLYGON"),
        ("LINESTRING (580000 180000, 580100 180000)", "is a LineString"),
        ("POLYGON ((0.6 51.5, 0.61 51.5, 0.61 51.51, 0.6 51.5))", "looks like longitude and latitude"),
        ("SRID=4326;POLYGON ((0.6 51.5, 0.61 51.5, 0.61 51.51, 0.6 51.5))", "reference system 4326"),
        (
            "POLYGON ((580000 180000, 590000 180000, 590000 190000, 580000 190000, 580000 180000))",
            "covers 100.0 km2, and at most 25",
        ),
        ("POLYGON ((-50 180000, 580100 180000, 580100 180100, -50 180000))", "outside Great Britain's grid"),
        ("POLYGON ((580000 180000, 1e308 180000, 580100 180100, 580000 180000))", "outside Great Britain's grid"),
        ("POLYGON ((580000 180000, nan 180000, 580100 180100, 580000 180000))", "a corner that is not a number"),
        ("POLYGON ((580000 180000, 580100 180000))", "is not well-known text"),
        ("POLYGON ((580000 180000, 580100", "is not well-known text. Write POLYGON"),
        ("=HYPERLINK(1)", "is not well-known text"),
        ("(" * 50_000, "is not well-known text"),
        ("GEOMETRYCOLLECTION (" * 3_000, "is not well-known text"),
        ("x" * 100_001, "100,001 characters"),
    ],
)
def test_zones_that_are_refused(listed, wkt, reason):
    (error,) = markers(listed(row(zone_wkt=wkt)))
    assert isinstance(error, RowError)
    assert error.column == "zone_wkt"
    assert reason in error.reason
    assert len(error.reason) < 250


@pytest.mark.parametrize(
    "phone",
    [
        *(
            "07700 900123",
            "+44 7700 900123",
            "0044 7700 900123",
            "(07700) 900-123",
            "07700\u00a0900123",
            "07700.900.123",
        ),
        *("7700900123", "447700900123", "7700900123.0", "'07700900123", "\u202a+44 7700 900123\u202c", "07700–900123"),
    ],
)
def test_phones_as_people_and_spreadsheets_write_them(listed, phone):
    assert one(listed(row(address="", phone=phone))).place.phone == "+447700900123"


def test_a_reference_twice_names_the_first_line(listed):
    path = listed(
        "reference,category,address\nR1,child_protection,x\nR2,child_protection,y\n\nr1 ,domestic_abuse,z\nR1,,\n"
    )
    assert said(markers(path)) == [
        "line 5, reference: 'r1' is already on line 2. Each marker has a reference of its own.",
        "line 6, reference: 'R1' is already on line 2. Each marker has a reference of its own.",
        "line 6, category: missing. Write one of: child_protection, domestic_abuse.",
        "line 6: names no place. Give an address, uprn, position, zone_wkt or phone.",
    ]


def test_the_same_list_gives_the_same_markers_again(listed):
    path = listed(row())
    assert one(path) == one(path)
    assert uuid.UUID(one(path).marker_id).version == 5
    assert marker_id("R1") == marker_id("r1") == one(path).marker_id != marker_id("R2")


@pytest.mark.parametrize(
    "text", ["=1+1", "+SUM(A1)", "-2", "@home", "=cmd|' /C calc'!A0", "🏠 ask for Zoë", "<script>alert(1)</script>"]
)
def test_formula_looking_cells_are_data(listed, text):
    marker = one(listed(row(reference=text, headline=text, action=text)))
    assert (marker.reference, marker.headline, marker.action) == (text, text, text)


def test_the_list_of_a_public_protection_unit():
    """Out of Excel on Windows: semicolons, Windows-1252, its own order of columns, dates in four forms."""
    warnings: list[str] = []
    found = list(
        read_markers(DATA / "ppu_list.csv", CATEGORIES, TODAY, "A Officer", "B Supervisor", NOW, warnings.append)
    )
    assert [text.split(" Format")[0] for text in said(found)] == [
        "line 8, uprn: '9.99000E+11' is a UPRN that has lost digits in a spreadsheet.",
        "line 8, ends_on: '12/25/2027' is not a date: there is no month 25. If it is 25 December, write 2027-12-25.",
    ]
    good = [marker for marker in found if isinstance(marker, Marker)]
    assert [marker.reference for marker in good] == ["PPU/26/001", "PPU/26/002", "PPU/26/003", "PPU/26/004"]
    assert good[0].action == "Ask who is in. £50 rule doesn’t apply."
    assert good[1].place.address == "Flat 3, Above the Quill, 12-14 Quill Row"
    assert [marker.starts_on for marker in good] == [date(2026, 10, 3)] * 4
    assert good[3].place.phone == "+447700900123"
    assert [text.split(".")[0] for text in warnings] == [
        "Column Officer is not known and was left out",
        "Line 3 is not UTF-8 and was read as Windows-1252",
    ]


@pytest.mark.parametrize(
    ("content", "said_of_it"),
    [
        ("", "empty"),
        ("R1,child_protection,14 Tallow Yard\n", "no header"),
        ("referense,category,address\nR1,child_protection,x\n", "Is referense meant to be reference?"),
        ("reference,category,address\nR1,child_protection,\0\n", "NUL"),
    ],
)
def test_a_list_that_is_none(listed, content, said_of_it):
    with pytest.raises(TableError, match=r"list\.csv: .*" + said_of_it.replace("?", r"\?")):
        markers(listed(content))


# --- queries


def test_queries_are_given_as_written(listed):
    path = listed(
        "Query ID;Address;UPRN;Easting;Uncertainty M;Phone;Incident\n"
        'q0;flat 3 14 tallow yd;9.99000E+11;NaN;wide;999;CAD-1\nq1;"14 Tallow Yard\nEC9A";;;;;\nq2;;;;;;\n'
    )
    assert list(read_queries(path)) == [
        Query(
            "q0", "flat 3 14 tallow yd", None, "9.99000E+11", "NaN", uncertainty_m="wide", phone="999", incident="CAD-1"
        ),
        Query("q1", "14 Tallow Yard, EC9A"),
        Query("q2"),
    ]


def test_a_query_without_an_id_is_refused(listed):
    found = list(read_queries(listed("query_id,address\n,14 Tallow Yard\nq1,15 Tallow Yard\nq\x072,x\n")))
    assert said(found) == [
        "line 2, query_id: missing. Give every query an id, so that its result can be told.",
        "line 4, query_id: holds a control character (U+0007) that is not text. Type the cell again.",
    ]
    with pytest.raises(TableError, match="lacks the column query_id"):
        list(read_queries(listed("address\n14 Tallow Yard\n")))


def test_a_query_no_one_can_read_is_still_a_query(listed):
    """It must come out as could_not_check, so it may not be lost here."""
    (query,) = read_queries(listed("query_id,address\nq1,14\x07 " + "x" * 10_000 + "\n"))
    assert isinstance(query, Query)
    assert query.address == "14\x07 " + "x" * 10_000


def test_a_row_with_an_unquoted_comma_is_refused_by_every_reader(listed):
    """Taken as it stands, the street would be lost from the address and the number checked alone."""
    path = listed("query_id,reference,category,address\nq1,R1,child_protection,Flat 3, 14 Tallow Yard\n")
    for found in (list(read_gazetteer(path)), markers(path), list(read_queries(path))):
        (error,) = said(found)
        assert error.startswith("line 2: has 5 cells where the header names 4 columns.")


# --- any file at all

PIECES = st.sampled_from(
    [
        *MARKER_COLUMNS,
        *("R1", "child_protection", "14 Tallow Yard", "EC9A 1AB", "1e308", "NaN", "31/02/2026", "46000", ZONE),
        *(",", ",", ",", ",", "\n", "\n", '"', ";", "\r\n", "\ufeff", "🏠", "\u202e", "\x07", "-0.1", "51.5", "\u2028"),
    ]
).map(str.encode)
HEADER = ",".join(MARKER_COLUMNS).encode() + b"\n"
ANY_FILE = st.one_of(
    st.binary(max_size=300),
    st.lists(PIECES, max_size=40).map(b"".join),
    st.lists(st.one_of(PIECES, st.binary(max_size=3)), max_size=60).map(lambda rest: HEADER + b"".join(rest)),
)


@settings(max_examples=300, deadline=None)
@given(content=ANY_FILE)
def test_any_bytes_give_records_row_errors_or_a_table_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any_list.csv"
    path.write_bytes(content)
    for reader, kind in ((read_gazetteer, Premises), (markers, Marker), (read_queries, Query)):
        try:
            found = list(reader(path))
        except TableError as error:
            assert "\n" not in str(error)
            continue
        for item in found:
            assert isinstance(item, (kind, RowError))
            if isinstance(item, RowError):
                assert item.line >= 1
                assert item.reason
                assert "\n" not in str(item)


CELL = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["", "R1", "child_protection", "14 Tallow Yard", "EC9A 1AB", "580000", "180000", "0.6", "51.5", ZONE]
    )
    | st.floats().map(str)
    | st.integers().map(str)
    | st.dates().map(str),
)


@settings(max_examples=300, deadline=None)
@given(cells=st.lists(CELL, min_size=len(MARKER_COLUMNS), max_size=len(MARKER_COLUMNS)))
def test_a_marker_that_is_read_is_always_whole(tmp_path_factory, cells):
    path = tmp_path_factory.getbasetemp() / "any_row.csv"
    quoted = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)
    path.write_bytes(HEADER + quoted.encode("utf-8", "surrogatepass"))
    try:
        found = markers(path)
    except TableError:
        return
    for marker in found:
        if isinstance(marker, Marker):
            assert marker.starts_on <= marker.review_on <= marker.ends_on
            place = marker.place
            assert place.address or place.uprn or place.point or place.zone_wkt or place.phone
            assert Marker.from_dict(marker.as_dict()) == marker
