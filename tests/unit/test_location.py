from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markers.location import LocationError, RawLocation, grid_square, read_location, read_phone, to_degrees, to_grid
from markers.model import Point


def test_longitude_and_latitude_become_national_grid_metres() -> None:
    # Ordnance Survey's worked example for OSTN15: Caister water tower (TG 51409 13177).
    point = to_grid(1.716073973, 52.658007833)
    assert point.easting == pytest.approx(651409.804, abs=0.01)
    assert point.northing == pytest.approx(313177.450, abs=0.01)


def test_grid_and_degrees_are_inverse() -> None:
    longitude, latitude = to_degrees(Point(532660.0, 181680.0))
    back = to_grid(longitude, latitude)
    assert (back.easting, back.northing) == (pytest.approx(532660.0, abs=0.1), pytest.approx(181680.0, abs=0.1))


@pytest.mark.parametrize(
    ("reference", "bounds"),
    [
        ("TQ 3266 8168", (532660, 181680, 532670, 181690)),
        ("tq32668168", (532660, 181680, 532670, 181690)),
        ("TQ 32660 81680", (532660, 181680, 532661, 181681)),
        ("TQ 38", (530000, 180000, 540000, 190000)),
        ("SV 0 0", (0, 0, 10000, 10000)),
        ("NN 166 712", (216600, 771200, 216700, 771300)),
        ("HU 396 753", (439600, 1175300, 439700, 1175400)),
    ],
)
def test_a_grid_reference_is_its_square(reference: str, bounds: tuple[float, ...]) -> None:
    assert grid_square(reference).bounds == bounds


@pytest.mark.parametrize("reference", ["TQ 3266 816", "TI 3266 8168", "AA 1 1", "TQ", "12345", "TQ 123456 123456"])
def test_what_is_no_grid_reference_is_refused(reference: str) -> None:
    with pytest.raises(LocationError, match="grid_reference"):
        grid_square(reference)


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (RawLocation(), "location"),
        (RawLocation(address="   "), "location"),
        (RawLocation(address="x" * 10_000), "address"),
        (RawLocation(address="14 Tallow\0 Yard"), "address"),
        (RawLocation(address="14 Tallow \ud800 Yard"), "address"),
        (RawLocation(address="\N{FIRE}\N{HOUSE BUILDING}"), "address"),
        (RawLocation(address=" - . - "), "address"),
        (RawLocation(uprn="1234567890123"), "uprn"),
        (RawLocation(uprn="12a"), "uprn"),
        (RawLocation(uprn="١٢٣"), "uprn"),
        (RawLocation(postcode="nowhere"), "postcode"),
        (RawLocation(longitude=2.3522, latitude=48.8566), "longitude"),
        (RawLocation(longitude=51.5, latitude=-0.09), "longitude"),
        (RawLocation(longitude=math.nan, latitude=51.5), "longitude"),
        (RawLocation(longitude=0.0, latitude=math.inf), "latitude"),
        (RawLocation(longitude=-0.09), "latitude"),
        (RawLocation(easting=1e308, northing=181680), "easting"),
        (RawLocation(easting=532660, northing=math.nan), "northing"),
        (RawLocation(easting=532660), "northing"),
        (RawLocation(easting=695000, northing=100000), "easting"),
        (RawLocation(easting=532660, northing=181680, longitude=-0.09, latitude=51.5), "longitude"),
        (RawLocation(address="14 Tallow Yard", uncertainty_m=50), "uncertainty_m"),
        (RawLocation(longitude=-0.09, latitude=51.5, uncertainty_m=-1), "uncertainty_m"),
        (RawLocation(longitude=-0.09, latitude=51.5, uncertainty_m=math.nan), "uncertainty_m"),
        (RawLocation(phone="ring me"), "phone"),
        (RawLocation(phone="12"), "phone"),
        (RawLocation(phone="999 or so"), "phone"),
    ],
)
def test_bad_input_names_its_field(raw: RawLocation, field: str) -> None:
    with pytest.raises(LocationError) as caught:
        read_location(raw)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("typed", "attribute"),
    [
        ("EC9A 1AB", "postcode"),
        ("TQ 3266 8168", "spot"),
        ("51.5129, -0.0890", "spot"),
        ("532660, 181680", "spot"),
        ("532660 181680", "spot"),
        ("999990000001", "uprn"),
        ("07700 900123", "phone"),
        ("+44 20 7946 0012", "phone"),
        ("14 Tallow Yard", "address"),
        ("14", "address"),
    ],
)
def test_one_box_takes_any_kind_of_location(typed: str, attribute: str) -> None:
    location = read_location(RawLocation(address=typed))
    given = {name for name in ("address", "postcode", "uprn", "spot", "phone") if getattr(location, name) is not None}
    assert given == {attribute}


def test_a_position_is_the_circle_of_its_uncertainty() -> None:
    spot = read_location(RawLocation(longitude=-0.089031, latitude=51.512917, uncertainty_m=50)).spot
    assert spot is not None
    assert spot.radius_m == 50
    assert spot.shape.area == pytest.approx(math.pi * 50**2, rel=0.01)


@pytest.mark.parametrize(
    "typed",
    [
        "51.5142N 0.0912W",
        "51.5142 N, 0.0912 W",
        "51.5142° N 0.0912° W",
        "N51.5142 W0.0912",
        "0.0912w, 51.5142n",
        "51.5142°, -0.0912°",
        "51.5142º -0.0912º",
    ],
)
def test_degrees_are_read_with_their_letters_and_signs(typed: str) -> None:
    spot = read_location(RawLocation(address=typed)).spot
    assert spot is not None
    assert (spot.centre.easting, spot.centre.northing) == (
        pytest.approx(532547.1, abs=0.1),
        pytest.approx(181201.7, abs=0.1),
    )


def test_degrees_stand_for_all_that_rounds_to_them() -> None:
    radii = []
    for typed in ("51.51423, -0.09121", "51.5142, -0.0912", "51.514, -0.091", "51.5, -0.1", "51.5142N 0.0912W"):
        spot = read_location(RawLocation(address=typed)).spot
        assert spot is not None
        radii.append(spot.radius_m)
    assert radii == pytest.approx([0.66, 6.56, 65.6, 6556, 6.56], rel=0.01)
    stated = read_location(RawLocation(address="51.5142, -0.0912", uncertainty_m=50)).spot
    assert stated is not None
    assert stated.radius_m == pytest.approx(56.6, abs=0.1)
    with pytest.raises(LocationError, match="uncertainty_m"):
        read_location(RawLocation(address="51.5142, -0.0912", uncertainty_m=-1))


@pytest.mark.parametrize("typed", ["51.5142N 0.0912N", "3N 4E", "51.5E 0.09W", "999N 0.1W"])
def test_degrees_that_are_no_place_here_are_refused(typed: str) -> None:
    with pytest.raises(LocationError):
        read_location(RawLocation(address=typed))


@pytest.mark.parametrize(
    "typed",
    [
        "///filled.count.soap",
        "filled.count.soap",
        " ///Filled.Count.Soap ",
        "what3words filled.count.soap",
        "w3w: ///filled.count.soap",
        "///filled.count.soap!",
    ],
)
def test_three_words_are_never_guessed_at(typed: str) -> None:
    with pytest.raises(LocationError, match="Ask for the address") as caught:
        read_location(RawLocation(address=typed))
    assert caught.value.field == "address"


def test_three_words_beside_an_address_are_left_out_and_said() -> None:
    location = read_location(RawLocation(address="18 Tallow Yard, ///filled.count.soap"))
    assert location.address == "18 Tallow Yard"
    assert "what3words" in location.warnings[0]


@pytest.mark.parametrize("typed", ["St. Mary Axe", "1.2.3 Tallow Yard", "Flat 3. Tallow. Yard", "Dr. A. Quill, 3 Row"])
def test_dots_alone_do_not_make_three_words(typed: str) -> None:
    assert read_location(RawLocation(address=typed)).address == typed


def test_a_withheld_number_is_said_and_not_an_error() -> None:
    location = read_location(RawLocation(address="14 Tallow Yard", phone="Number withheld"))
    assert location.phone is None
    assert "withheld" in location.warnings[0]


@pytest.mark.parametrize("written", ["07700 900123", "+447700900123", "0044 7700 900123", "(07700) 900-123"])
def test_a_number_is_the_same_however_it_is_written(written: str) -> None:
    assert read_phone(written) == "+447700900123"


@given(st.text(max_size=600), st.text(max_size=30), st.text(max_size=30))
def test_any_text_is_read_or_refused_in_words(address: str, postcode: str, phone: str) -> None:
    try:
        location = read_location(RawLocation(address=address, postcode=postcode, phone=phone))
    except LocationError as error:
        assert error.reason
    else:
        assert location.address or location.postcode or location.phone or location.spot or location.uprn


@given(st.floats(0, 699_999), st.floats(0, 1_299_999))
def test_any_metres_are_read_or_refused_in_words(easting: float, northing: float) -> None:
    try:
        location = read_location(RawLocation(easting=easting, northing=northing))
    except LocationError as error:
        assert "outside Great Britain" in error.reason
    else:
        assert location.spot is not None
