"""Geocoders behind the gazetteer: asked rarely, waited for briefly, believed little. Against a real little server."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from markers.gazetteer import Gazetteer
from markers.geocoders import GeocoderError, Geocoders
from markers.index import MarkerIndex
from markers.location import Location, RawLocation, read_location, to_degrees
from markers.matching import Distances, Outcome, match
from markers.model import Grade, Marker, Place, Point, Status
from tests.geocoder_server import GeocoderServer, geocoder_server, nobody_there, nominatim, photon
from tests.unit.test_matching import CATEGORIES, FLAT_3, HOMES, NOW, ZONE, at_home, grades, marker

UNKNOWN = "1 Farthing Row, EC9F 1AA"
BY_FLAT_3 = to_degrees(Point(596010, 179000))


@pytest.fixture(scope="module")
def gazetteer(tmp_path_factory: pytest.TempPathFactory) -> Gazetteer:
    return Gazetteer.load(tmp_path_factory.mktemp("gazetteer"), HOMES)


@pytest.fixture
def server() -> Iterator[GeocoderServer]:
    with geocoder_server() as running:
        running.body = nominatim(*BY_FLAT_3)
        yield running


def table(domain: str, **changed: Any) -> dict[str, Any]:
    return {
        "service": "nominatim",
        "name": "Force Nominatim",
        "options": {"domain": domain, "scheme": "http"},
        **changed,
    }


def where(address: str = UNKNOWN, **given: Any) -> Location:
    return read_location(RawLocation(address=address, **given))


@pytest.mark.parametrize(("service", "answer"), [("nominatim", nominatim), ("photon", photon)])
def test_an_unknown_address_is_put_where_the_geocoder_says(
    server: GeocoderServer, gazetteer: Gazetteer, service: str, answer: Any
) -> None:
    server.body = answer(*BY_FLAT_3)
    located = Geocoders.read([table(server.domain, service=service, spread_m=40)]).locate(where(), gazetteer)
    assert located.warnings == ()
    assert located.spot is not None
    assert located.spot.centre.easting == pytest.approx(596010, abs=0.5)
    assert (located.spot.radius_m, located.spot.given_as) == (40, "position by Force Nominatim")
    assert server.asked == [UNKNOWN]


@pytest.mark.parametrize(
    "location",
    [
        where("18 Tallow Yard, EC9A 1AB"),
        where("14 Tallow Yard, EC9A 1AB"),
        where("Tallow Yard, EC9A 1AB"),
        where("99"),
        where(UNKNOWN, uprn=HOMES[4].uprn),
        read_location(RawLocation(uprn="999990009999")),
        read_location(RawLocation(postcode="EC9F 1AA", phone="07700 900123")),
        read_location(RawLocation(easting=596000, northing=179000)),
    ],
)
def test_nothing_leaves_the_process_for_what_the_gazetteer_knows_or_what_is_no_address(
    server: GeocoderServer, gazetteer: Gazetteer, location: Location
) -> None:
    located = Geocoders.read([table(server.domain)]).locate(location, gazetteer)
    assert (located.spot, located.warnings, server.asked) == (None, (), [])


def test_the_postcode_given_beside_the_address_is_asked_with_it(server: GeocoderServer, gazetteer: Gazetteer) -> None:
    Geocoders.read([table(server.domain)]).locate(where("1 Farthing Row", postcode="EC9F 1AA"), gazetteer)
    assert server.asked == ["1 Farthing Row, EC9F 1AA"]


def test_one_that_does_not_know_it_either_is_no_failure(server: GeocoderServer, gazetteer: Gazetteer) -> None:
    server.body = b"[]"
    geocoders = Geocoders.read([table(server.domain)])
    assert [geocoders.locate(where(), gazetteer).warnings for _ in range(2)] == [(), ()]
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ({"wait_s": 1.5}, "no answer within 0.3 s"),
        ({"drip_s": 0.05}, "no answer within 0.3 s"),
        ({"drip_s": 1.0}, "did not help"),
        ({"status": 500}, "can't be reached or refused"),
        ({"status": 429}, "can't be reached or refused"),
        ({"status": 302, "location": "http://127.0.0.1:9/"}, "can't be reached or refused"),
        ({"body": b"<html>"}, "can't be read"),
        ({"body": b"\xff\xfe"}, "can't be read"),
        ({"body": b'{"a": 1}'}, "can't be read"),
        ({"body": b'[{"lat": "north", "lon": "0"}]'}, "can't be read"),
        ({"body": b'[{"display_name": "nowhere"}]'}, "did not help"),
        ({"body": b"[" * 5_000}, "can't be read"),
        ({"body": b" " * 1_100_000}, "can't be read"),
        ({"body": nominatim(2.35, 48.85)}, "outside Great Britain"),
        ({"body": b'[{"lat": "NaN", "lon": "NaN", "display_name": ""}]'}, "did not help"),
    ],
)
def test_a_failure_is_a_warning_without_the_address(
    server: GeocoderServer, gazetteer: Gazetteer, behaviour: dict[str, Any], words: str
) -> None:
    for name, value in behaviour.items():
        setattr(server, name, value)
    began = time.monotonic()
    located = Geocoders.read([table(server.domain, timeout_s=0.3)]).locate(where(), gazetteer)
    assert time.monotonic() - began < 1
    assert located.spot is None
    assert len(located.warnings) == 1
    assert words in located.warnings[0]
    assert located.warnings[0].startswith("Force Nominatim did not help")
    assert "Farthing" not in located.warnings[0]


def test_a_redirect_takes_the_address_nowhere(server: GeocoderServer, gazetteer: Gazetteer) -> None:
    with geocoder_server() as elsewhere:
        server.status, server.location = 302, f"http://{elsewhere.domain}/search?q=x"
        located = Geocoders.read([table(server.domain)]).locate(where(), gazetteer)
        assert (located.spot, elsewhere.asked) == (None, [])


def test_the_proxies_of_the_environment_are_not_used(
    server: GeocoderServer, gazetteer: Gazetteer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with geocoder_server() as proxy:
        monkeypatch.setenv("http_proxy", f"http://{proxy.domain}")
        monkeypatch.setenv("no_proxy", "")
        assert Geocoders.read([table(server.domain)]).locate(where(), gazetteer).spot is not None
        assert proxy.asked == []


def test_one_that_failed_is_left_alone_and_then_asked_again(server: GeocoderServer, gazetteer: Gazetteer) -> None:
    clock = [1000.0]
    geocoders = Geocoders.read([table(server.domain, timeout_s=0.2, rest_s=20)], clock=lambda: clock[0])
    server.wait_s = 1.0
    assert "left alone for 20 s" in geocoders.locate(where(), gazetteer).warnings[0]
    server.wait_s = 0.0
    clock[0] += 5
    began = time.monotonic()
    skipped = geocoders.locate(where(), gazetteer)
    assert time.monotonic() - began < 0.15
    assert skipped.spot is None
    assert "was not asked: no answer within 0.2 s. It is asked again in 15 s." in skipped.warnings[0]
    assert len(server.asked) == 1
    clock[0] += 16
    assert geocoders.locate(where(), gazetteer).spot is not None


def test_the_next_one_is_asked_when_the_first_is_down(server: GeocoderServer, gazetteer: Gazetteer) -> None:
    first = table(nobody_there(), name="First")
    located = Geocoders.read([first, table(server.domain, name="Second")]).locate(where(), gazetteer)
    assert located.spot is not None
    assert located.spot.given_as == "position by Second"
    assert located.warnings[0].startswith("First did not help")


def test_many_questions_at_once_are_bounded(server: GeocoderServer, gazetteer: Gazetteer) -> None:
    server.wait_s = 0.4
    geocoders = Geocoders.read([table(server.domain, timeout_s=1.5)])
    answers = []
    askers = [threading.Thread(target=lambda: answers.append(geocoders.locate(where(), gazetteer))) for _ in range(9)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert len(server.asked) == sum(answer.spot is not None for answer in answers) == 4
    assert sum("busy" in " ".join(answer.warnings) for answer in answers) == 5


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ({"service": "nominatim"}, "list of tables"),
        (["nominatim"], "must be a table"),
        ([{}], "service is missing"),
        ([{"service": "atlantis"}], "geopy knows no such service"),
        ([{"service": "nominatim"}], "options.domain is missing"),
        ([{"service": "photon", "options": {"domain": " "}}], "options.domain is missing"),
        ([{"service": "googlev3", "options": {"api_key": "k"}}], "options.domain is missing"),
        ([{"service": "here", "options": {"apikey": "k"}}], "public server"),
        ([table("localhost", timeout_s=0)], "timeout_s"),
        ([table("localhost", timeout_s=60)], "timeout_s"),
        ([table("localhost", rest_s=True)], "rest_s"),
        ([table("localhost", spread_m="50")], "spread_m"),
        ([table("localhost", name="")], "name"),
        ([table("localhost", nmae="x")], "nmae is not a setting"),
        ([table("localhost", options="localhost")], "options must be a table"),
        ([table("localhost", options={"domain": "localhost", "colour": 1})], "options.colour"),
        ([table("localhost", options={"domain": "localhost", "scheme": "gopher"})], "http"),
        ([table("localhost", options={"domain": "localhost", "timeout": 9})], "not for configuration"),
        ([table("localhost", options={"domain": "localhost", "proxies": {}})], "not for configuration"),
        ([table("localhost", query={"colour": 1})], "query"),
        ([table("localhost", query={"timeout": 60})], "not for configuration"),
    ],
)
def test_what_cannot_be_used_is_refused_at_the_start(tables: Any, words: str) -> None:
    with pytest.raises(GeocoderError, match=words) as caught:
        Geocoders.read(tables)
    assert "\n" not in str(caught.value)


def test_a_query_option_goes_with_every_question(server: GeocoderServer, gazetteer: Gazetteer) -> None:
    geocoders = Geocoders.read([table(server.domain, query={"country_codes": "gb"})])
    assert geocoders
    assert not Geocoders.read([])
    assert geocoders.locate(where(), gazetteer).spot is not None


def located_outcome(gazetteer: Gazetteer, address: str, at: Point, *markers: Marker, radius_m: float = 50) -> Outcome:
    """What a check is when another geocoder puts the address `at`."""
    spot = read_location(RawLocation(easting=at.easting, northing=at.northing, uncertainty_m=radius_m)).spot
    assert spot is not None
    index = MarkerIndex()
    index.replace(0, markers)
    spot = replace(spot, given_as="position by Force Nominatim")
    return match(where(address), index, gazetteer, CATEGORIES, Distances(), NOW, located=spot)


def test_a_hint_never_decides(gazetteer: Gazetteer) -> None:
    quiet = located_outcome(gazetteer, UNKNOWN, Point(596500, 179500))
    assert quiet.status is Status.COULD_NOT_CHECK
    assert any("hint only" in warning for warning in quiet.warnings)
    by_a_home = located_outcome(gazetteer, UNKNOWN, Point(596000, 179000), FLAT_3)
    assert by_a_home.status is Status.COULD_NOT_CHECK
    assert grades(by_a_home) == [("M3", Grade.NEARBY, None)]
    assert not by_a_home.matches[0].applies


def test_a_hint_adds_zones_and_markers_without_an_address_as_doubts(gazetteer: Gazetteer) -> None:
    wide = replace(ZONE, place=Place(point=Point(596040, 179000), radius_m=300))
    for zone in (ZONE, wide):
        outcome = located_outcome(gazetteer, UNKNOWN, Point(596040, 179000), zone)
        assert outcome.status is Status.HIT
        assert grades(outcome) == [("Z1", Grade.ZONE, None)]
        assert outcome.matches[0].confidence < 1
        assert "by the position by Force Nominatim" in outcome.matches[0].why
    here = located_outcome(gazetteer, UNKNOWN, Point(596040, 179000), marker("X", Place(point=Point(596050, 179000))))
    assert grades(here) == [("X", Grade.POSSIBLE, None)]


def test_a_hint_far_from_the_street_the_gazetteer_knows_is_said(gazetteer: Gazetteer) -> None:
    outcome = located_outcome(gazetteer, "999 Tallow Yard, EC9A 1AB", Point(597000, 179000))
    assert outcome.status is Status.CLEAR
    assert any("disagree" in warning and "Force Nominatim" in warning for warning in outcome.warnings)


def test_what_the_gazetteer_says_outranks_the_hint(gazetteer: Gazetteer) -> None:
    outcome = located_outcome(gazetteer, "Flat 3, 14 Tallow Yard, EC9A 1AB", Point(596000, 179000), FLAT_3)
    assert outcome.matches[0].grade is Grade.PREMISES
    assert outcome.matches[0].confidence > 0.5
    elsewhere = located_outcome(gazetteer, UNKNOWN, Point(596000, 179000), at_home("M4", HOMES[3]))
    assert elsewhere.home is None


def test_nothing_of_geopy_logs_an_address(
    server: GeocoderServer, gazetteer: Gazetteer, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level("DEBUG")
    server.status, server.body = 500, UNKNOWN.encode()
    Geocoders.read([table(server.domain)]).locate(where(), gazetteer)
    assert "Farthing" not in caplog.text
