"""The message a handset sends with its position, as it is pasted into the address box."""

from __future__ import annotations

import contextlib
import math
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markers.aml import Fix, is_aml, read_aml
from markers.location import LocationError, RawLocation, read_location
from tests.patience import takes

SENT = (
    'A"ML=1;lt=+51.51291;lg=-0.08903;rd=50;top=20261123031407;lc=90;pm=G;'
    "si=234150000000000;ei=490154203237518;mcc=234;mnc=15;ml=127"
)


def changed(**fields: str | None) -> str:
    """`SENT` with fields replaced, or left out where None."""
    parts = [part.partition("=") for part in SENT.split(";")]
    return ";".join(
        f"{name}={fields.get(name, value)}" for name, _, value in parts if fields.get(name, value) is not None
    )


def test_a_message_is_a_position_with_its_radius_and_how_it_was_found() -> None:
    location = read_location(RawLocation(address=SENT, phone="07700 900123"))
    assert location.spot is not None
    assert location.address is None
    assert location.spot.radius_m == 50
    assert location.spot.shape.area == pytest.approx(math.pi * 50**2, rel=0.01)
    assert (location.spot.centre.easting, location.spot.centre.northing) == (
        pytest.approx(532700, abs=50),
        pytest.approx(181060, abs=50),
    )
    assert location.spot.given_as == "phone's position (GNSS)"
    assert location.warnings == ("The phone placed itself at 03:14:07 on 23 Nov 2026.",)


@pytest.mark.parametrize(("pm", "words"), [("W", "Wi-Fi"), ("c", "mobile cell"), ("X", "method not stated")])
def test_the_method_is_named(pm: str, words: str) -> None:
    assert words in read_aml(changed(pm=pm)).given_as
    assert "not stated" in read_aml(changed(pm=None)).given_as


@pytest.mark.parametrize(
    ("confidence", "radius"),
    [("90", 50.0), ("95", 50.0), ("100", 50.0), ("68", 71.1), (None, 71.1), ("50", 91.1), ("39.3", 107.4)],
)
def test_a_circle_is_widened_to_hold_nine_in_ten_and_never_shrinks(confidence: str | None, radius: float) -> None:
    fix = read_aml(changed(lc=confidence))
    assert fix.radius_m == pytest.approx(radius, abs=0.1)
    assert any("are looked at" in warning for warning in fix.warnings) is (radius > 50)
    assert read_aml(changed(lc=confidence, top=None)).radius_m == fix.radius_m


@given(st.floats(0.001, 90), st.floats(0.001, 90))
def test_the_less_sure_the_wider(one: float, other: float) -> None:
    less, more = sorted((round(one, 3), round(other, 3)))
    assert read_aml(changed(lc=f"{less:.3f}")).radius_m >= read_aml(changed(lc=f"{more:.3f}")).radius_m >= 50


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (changed(lt=None), "AML lt"),
        (changed(lg=""), "AML lg"),
        (changed(rd=None), "AML rd"),
        (changed(lt="+91.0"), "AML lt"),
        (changed(lg="east"), "AML lg"),
        (changed(rd="-5"), "AML rd"),
        (changed(rd="N", lt="+00.00000", lg="+000.00000", lc="0", pm="N"), "AML rd"),
        (changed(pm="N"), "AML rd"),
        (changed(lt="+00.00000", lg="+000.00000"), "AML lt"),
        (changed(rd="99999"), "AML rd"),
        (changed(rd="nan"), "AML rd"),
        (changed(lc="0"), "AML lc"),
        (changed(lc="101"), "AML lc"),
        (f"{SENT};rd=900", "AML rd"),
        (SENT + "x" * 1_000, "AML message"),
        ("14 Tallow Yard", "AML message"),
    ],
)
def test_what_cannot_be_believed_is_refused_by_its_field(text: str, named: str) -> None:
    with pytest.raises(LocationError) as caught:
        read_aml(text)
    assert caught.value.field == "address"
    assert named in caught.value.reason


def test_a_phone_that_could_not_place_itself_says_what_to_ask() -> None:
    sent = 'A"ML=1;lt=+00.00000;lg=+000.00000;rd=N;top=20220131173734;lc=0;pm=N;mcc=234;mnc=15;ml=127'
    with pytest.raises(LocationError, match="Ask where the caller is"):
        read_location(RawLocation(address=sent))


@pytest.mark.parametrize("top", ["yesterday", "20261399000000", "2026", "00000000000000"])
def test_a_time_that_cannot_be_read_does_not_take_the_position_away(top: str) -> None:
    fix = read_aml(changed(top=top))
    assert fix.radius_m == 50
    assert "can't be read" in fix.warnings[0]


@pytest.mark.parametrize(
    "pasted",
    [
        f"  {SENT}\n",
        SENT.replace('"', "\u201d"),
        f'"{SENT}"',
        SENT.lower(),
        SENT.replace(";", "; "),
        SENT.replace(";", ";\n"),
    ],
)
def test_a_message_is_read_as_it_is_pasted(pasted: str) -> None:
    assert is_aml(pasted)
    assert read_aml(pasted).radius_m == 50


@pytest.mark.parametrize("address", ["14 Tallow Yard", "A ML Motors, 3 Row", "Flat A, 3 Row", ""])
def test_an_address_is_no_message(address: str) -> None:
    assert not is_aml(address)


def test_one_position_is_enough() -> None:
    with pytest.raises(LocationError, match="one position"):
        read_location(RawLocation(address=SENT, grid_reference="TQ 3266 8168"))
    with pytest.raises(LocationError, match="outside Great Britain"):
        read_location(RawLocation(address=changed(lt="+48.85660", lg="+2.35220")))


mangled = st.one_of(
    st.text(max_size=300),
    st.text(max_size=200).map(lambda tail: f'A"ML=1;{tail}'),
    st.lists(
        st.tuples(
            st.sampled_from(["lt", "lg", "rd", "lc", "pm", "top", "ML", ""]),
            st.text("0123456789.+-NGWeE ;=", max_size=16),
        ),
        max_size=9,
    ).map(lambda parts: 'A"ML=1;' + ";".join(f"{name}={value}" for name, value in parts)),
)


@given(mangled)
def test_any_text_is_a_position_or_refused_in_words(text: str) -> None:
    try:
        fix = read_aml(text)
    except LocationError as error:
        assert error.reason
    else:
        assert isinstance(fix, Fix)
        assert 0 <= fix.radius_m <= 50_000
    try:
        location = read_location(RawLocation(address=text))
    except LocationError as error:
        assert error.reason
    else:
        assert location.spot is not None or not is_aml(text)


@pytest.mark.parametrize("filler", [" ", "\n", '"', "A", "A ", ";", "=", "lt=", "a.b", "///", "N 1 ", "9"])
def test_ten_thousand_characters_are_answered_at_once(filler: str) -> None:
    for text in (filler * 10_000, (filler * 500)[:500], f'A"ML=1;{filler * 10_000}', f"{filler * 160}x.yyy.zzz"):
        assert takes(partial(read_or_refused, text)) < 0.05


def read_or_refused(text: str) -> None:
    with contextlib.suppress(LocationError):
        read_location(RawLocation(address=text))
