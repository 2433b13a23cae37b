"""The walk on a real store: logged before shown, never stale, honest when the store is away."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from markers.commits import Commit, Write
from markers.gazetteer import Gazetteer
from markers.ledger import LedgerEntry, Operation, Via
from markers.location import LocationError, RawLocation, to_degrees
from markers.model import Grade, Marker, Place, Point, Premises, Status, SubBuilding
from markers.server import EmbeddedServer
from markers.store_errors import StoreUnavailable
from overlay.identity import create_token, revoke_token
from overlay.lookup import Answer, Asked, NotAllowedAnyMore, NothingDisclosed, check
from overlay.roles import Actor
from overlay.services import Services
from overlay.settings import SHIPPED_CONFIG, Settings, SettingsError
from overlay.upkeep.lists import import_markers, plan_import
from tests.geocoder_server import geocoder_server, nominatim
from tests.unit.test_matching import FLAT_3, HOMES, NOW, ZONE, marker

OPERATOR = Actor("os:test", "test", "service", Via.CLI)
HOME = RawLocation(address="flat 3 14 tallow yard ec9a 1ab")
QUIET = RawLocation(address="18 Tallow Yard, EC9A 1AB")


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    started = Services.start(Settings(data=tmp_path / "data"), follow=False)
    started.gazetteer = Gazetteer.load(tmp_path / "data" / "gazetteer", HOMES)
    load(started, FLAT_3)
    yield started
    started.close()


@pytest.fixture
def other(services: Services) -> Iterator[Services]:
    """A second process's view of the same store, which nothing keeps in step but its own checks."""
    started = Services.start(services.settings, follow=False)
    yield started
    started.close()


def load(services: Services, *markers: Marker) -> int:
    return import_markers(services, OPERATOR, plan_import(services, markers), NOW)


def ask(services: Services, location: RawLocation = HOME, actor: Actor = OPERATOR) -> Answer:
    return check(services, actor, Asked(location, "CAD-1", "domestic"), services.now())


def logged(services: Services) -> list[LedgerEntry]:
    return [LedgerEntry.from_bytes(record.entry) for record in services.store.ledger()]


def test_a_look_is_in_the_ledger_with_who_why_and_what_but_not_where(services: Services) -> None:
    answer = ask(services)
    assert (answer.status, answer.store) == (Status.HIT, "current")
    entry = logged(services)[-1]
    assert (entry.entry_id, entry.check_id) == (answer.ledger_entry, answer.check_id)
    assert (entry.operation, entry.actor_id, entry.incident) == (Operation.CONSULTATION, "os:test", "CAD-1")
    assert [(seen.record_id, seen.version, seen.grade) for seen in entry.records] == [("id-M3", 1, "premises")]
    assert b"allow" not in entry.canonical()
    assert services.vault.token("premises", HOMES[2].premises_id) in entry.about


def test_how_many_a_street_could_mean_is_told_only_to_those_who_may_know(services: Services) -> None:
    load(services, marker("EIGHTEEN", Place("18 Tallow Yard", "EC9A 1AB")))
    street = RawLocation(address="Tallow Yard")
    told = {
        role: ask(services, street, Actor("a", "a", role, Via.CLI)).reason for role in ("call_handler", "ppu_officer")
    }
    vague = "Only a street or area was understood: Tallow Yard. Ask for the number or building."
    assert told == {"call_handler": vague, "ppu_officer": f"{vague} Marked premises it could mean: 2."}
    assert ask(services, street).matches == ()


def test_a_location_that_cannot_be_read_is_not_logged_as_a_look(services: Services) -> None:
    before = len(logged(services))
    with pytest.raises(LocationError):
        ask(services, RawLocation(uprn="1234567890123"))
    assert len(logged(services)) == before


def test_a_marker_added_elsewhere_is_in_the_very_next_check(services: Services, other: Services) -> None:
    assert ask(other, QUIET).status is Status.CLEAR
    load(services, marker("NEW", Place("18 Tallow Yard", "EC9A 1AB")))
    answer = ask(other, QUIET)
    assert answer.status is Status.HIT
    assert [found.reference for found in answer.matches] == ["NEW"]
    assert other.index.position == services.index.position


def test_more_changes_than_a_reply_holds_make_the_copy_load_again(services: Services, other: Services) -> None:
    load(services, *(marker(f"N{number}", Place(phone=f"+4477009{number:05d}")) for number in range(700)))
    assert ask(other).status is Status.HIT
    assert len(other.index) == 701


def test_a_token_revoked_elsewhere_gets_nothing_more(services: Services, other: Services) -> None:
    bearer = create_token(services.store, services.access, "bridge", "service", NOW, 300)
    other.access.apply(other.store.changes("access", other.access.position))
    actor = other.access.actor_for_token(bearer, other.now())
    assert actor is not None
    assert ask(other, actor=actor).status is Status.HIT
    revoke_token(services.store, services.access, actor.actor_id, services.now())
    before = len(logged(services))
    with pytest.raises(NotAllowedAnyMore):
        ask(other, actor=actor)
    assert len(logged(services)) == before


def test_roles_see_different_things_of_one_marker(services: Services) -> None:
    load(services, marker("R1", Place("18 Tallow Yard", "EC9A 1AB"), "registered_sex_offender"))
    by_role = {
        role: ask(services, QUIET, replace(OPERATOR, role=role)).matches[0] for role in ("call_handler", "dispatcher")
    }
    assert by_role["call_handler"].category is None
    assert by_role["call_handler"].action
    assert by_role["dispatcher"].category == "registered_sex_offender"
    assert logged(services)[-2].records[0].fields == ("existence", "action")


def test_prompts_come_from_the_type_and_from_what_was_shown(services: Services) -> None:
    shown = ["marker_child_protection_plan", "units_to_marked_place"]
    assert [prompt.checklist for prompt in ask(services).prompts] == ["domestic_abuse_20", *shown, "thrive"]
    plain = check(services, OPERATOR, Asked(HOME), services.now())
    assert [prompt.checklist for prompt in plain.prompts] == [*shown, "thrive"]
    quiet = check(services, OPERATOR, Asked(QUIET), services.now())
    assert [prompt.checklist for prompt in quiet.prompts] == ["thrive"]


def test_a_position_outside_the_area_is_answered_and_said(services: Services) -> None:
    answer = ask(services, RawLocation(longitude=-0.0890, latitude=51.5129))
    assert answer.status is Status.CLEAR
    assert any("outside" in warning for warning in answer.warnings)


def freeze(services: Services) -> None:
    assert services.embedded is not None
    assert services.embedded.pid is not None
    os.kill(services.embedded.pid, signal.SIGSTOP)


def thaw(services: Services) -> None:
    assert services.embedded is not None
    assert services.embedded.pid is not None
    os.kill(services.embedded.pid, signal.SIGCONT)


@pytest.mark.parametrize("location", [HOME, QUIET])
def test_a_frozen_store_is_could_not_check_with_what_was_last_known(services: Services, location: RawLocation) -> None:
    ask(services)
    freeze(services)
    try:
        answer = ask(services, location)
        assert services.spool.pending() == 1
    finally:
        thaw(services)
    assert (answer.status, answer.store) == (Status.COULD_NOT_CHECK, "last_known")
    assert "not answering" in (answer.reason or "")
    assert bool(answer.matches) is (location is HOME)
    assert services.spool.replay(services.store) == 1
    entry = next(found for found in logged(services) if found.entry_id == answer.ledger_entry)
    assert (entry.late, entry.store, entry.status) == (True, "last_known", "could_not_check")


def test_could_not_check_says_whom_to_ring_at_this_hour_and_nobody_else(services: Services) -> None:
    freeze(services)
    area, monday = services.area, datetime(2026, 11, 23, tzinfo=UTC)
    try:
        for hour, whom in ((3, area.cover), (7, area.on_call), (10, area.office_hours), (17, area.on_call)):
            answer = check(services, OPERATOR, Asked(HOME), monday + timedelta(hours=hour))
            assert answer.advice == f"Treat as unknown. Ring now: {whom}."
    finally:
        thaw(services)


def test_what_can_be_logged_nowhere_is_not_shown(services: Services) -> None:
    full = services.settings.data / "spool"
    for file in full.iterdir():
        file.unlink()
    full.rmdir()
    full.write_text("in the way")
    freeze(services)
    try:
        with pytest.raises(NothingDisclosed, match=r"nothing is shown.*Ring now: "):
            ask(services)
    finally:
        thaw(services)


def test_a_restarted_store_is_current_again_at_the_first_check(services: Services) -> None:
    ask(services)
    assert services.embedded is not None
    assert services.embedded.pid is not None
    os.kill(services.embedded.pid, signal.SIGKILL)
    services.embedded.wait_gone(5)
    services.embedded.ensure()
    assert ask(services).store == "current"


def test_a_swapped_record_is_could_not_check_and_not_a_fault(services: Services, other: Services) -> None:
    import redis

    load(services, replace(FLAT_3, headline="changed"))
    plain = redis.Redis.from_url(services.store_url)
    area = services.area.code
    records = f"wmo:{{{area}}}:records:markers"
    sealed = plain.hget(records, "id-M3")
    assert isinstance(sealed, bytes)
    plain.hset(records, "id-M3", sealed[:-1] + bytes([sealed[-1] ^ 1]))
    plain.close()
    answer = ask(other)
    assert (answer.status, answer.store) == (Status.COULD_NOT_CHECK, "last_known")


def test_a_record_this_version_cannot_read_is_could_not_check(services: Services, other: Services) -> None:
    services.store.commit(Commit("from-a-newer-version", {}, (Write("markers", "newer", 0, b'{"novel": 1}'),)))
    answer = ask(other)
    assert (answer.status, answer.store) == (Status.COULD_NOT_CHECK, "last_known")
    assert other.state(other.now()).kind == "last_known"
    assert "can't be opened" in other.state(other.now()).words


def test_a_wiped_store_turns_the_banner_without_anyone_asking(tmp_path: Path) -> None:
    folder = tmp_path / "server"
    server = EmbeddedServer(folder)
    services = Services.start(Settings(data=tmp_path / "data", store_url=server.ensure()))
    try:
        assert services.state(services.now()).kind == "current"
        server.stop()
        shutil.rmtree(folder)
        server = EmbeddedServer(folder)
        server.ensure()
        until = time.monotonic() + 10
        while "replaced" not in services.state(services.now()).words and time.monotonic() < until:
            time.sleep(0.1)
        assert "replaced or restored" in services.state(services.now()).words
    finally:
        services.close()
        server.stop()


def test_a_banner_that_turned_for_one_failed_write_turns_back(tmp_path: Path) -> None:
    services = Services.start(Settings(data=tmp_path / "data"))
    try:
        services.note_trouble(StoreUnavailable("the store is out of memory"))
        assert services.state(services.now()).kind == "last_known"
        until = time.monotonic() + 10
        while services.state(services.now()).kind != "current" and time.monotonic() < until:
            time.sleep(0.1)
        assert services.state(services.now()).kind == "current"
    finally:
        services.close()


def test_an_import_places_its_markers_on_the_gazetteer(services: Services) -> None:
    plan = plan_import(
        services,
        [
            marker("A", Place("16 tallow yd", "EC9A 1AB")),
            marker("B", Place(uprn=HOMES[4].uprn)),
            marker("C", Place("1 Nowhere Street", "EC9Z 9ZZ")),
            marker("D", Place(uprn="999990009999")),
            FLAT_3,
        ],
    )
    assert [placed.place.premises_id for placed in plan.new] == [HOMES[3].premises_id, HOMES[4].premises_id, None]
    assert plan.new[1].place.address == HOMES[4].address
    assert (plan.unchanged, plan.unplaced, plan.unfindable) == (1, ("C",), ("D",))


def test_two_importers_of_one_marker_leave_one_and_both_in_the_ledger(services: Services, other: Services) -> None:
    here = plan_import(services, [replace(FLAT_3, headline="here")])
    there = plan_import(other, [replace(FLAT_3, headline="there")])
    assert import_markers(services, OPERATOR, here, NOW) == 1
    assert import_markers(other, OPERATOR, there, NOW) == 1
    kept = other.index.get("id-M3")
    assert kept is not None
    assert (kept.headline, kept.version) == ("there", 3)
    alterations = [entry for entry in logged(services) if entry.operation is Operation.ALTERATION]
    assert len(alterations) == 2


def configured(tmp_path: Path, geocoders: str) -> Settings:
    """Settings of the shipped configuration with geocoders added to the area."""
    config = tmp_path / "config"
    shutil.copytree(SHIPPED_CONFIG, config)
    with (config / "areas" / "quillmarket.toml").open("a", encoding="utf-8") as area:
        area.write(geocoders)
    return Settings(data=tmp_path / "data", config=config)


UNKNOWN = RawLocation(address="1 Farthing Row, EC9F 1AA")


def test_another_geocoder_is_asked_outside_the_lock_and_only_adds(tmp_path: Path) -> None:
    with geocoder_server() as server:
        server.body = nominatim(*to_degrees(Point(596040, 179000)))
        entry = (
            '\n[[geocoders]]\nservice = "nominatim"\nname = "Force Nominatim"\ntimeout_s = 2.0\n'
            f'options = {{ domain = "{server.domain}", scheme = "http" }}\n'
        )
        services = Services.start(configured(tmp_path, entry), follow=False)
        try:
            services.gazetteer = Gazetteer.load(tmp_path / "data" / "gazetteer", HOMES)
            assert ask(services, QUIET).status is Status.CLEAR
            assert server.asked == []
            assert ask(services, UNKNOWN).status is Status.COULD_NOT_CHECK
            load(services, ZONE)
            hint = ask(services, UNKNOWN)
            assert hint.status is Status.HIT
            assert [(found.grade, found.confidence < 1) for found in hint.matches] == [(Grade.ZONE, True)]
            assert server.asked == [UNKNOWN.address] * 2
            server.wait_s = 3.0
            waiting = threading.Thread(target=ask, args=(services, UNKNOWN))
            waiting.start()
            until = time.monotonic() + 5
            while len(server.asked) < 3 and time.monotonic() < until:
                time.sleep(0.01)
            began = time.monotonic()
            assert ask(services, QUIET).store == "current"
            assert time.monotonic() - began < 1.5
            waiting.join()
        finally:
            services.close()


def test_a_dead_geocoder_is_a_warning_and_slows_one_check_only(tmp_path: Path) -> None:
    with geocoder_server() as server:
        server.wait_s = 3.0
        entry = (
            '\n[[geocoders]]\nservice = "photon"\nname = "Force Photon"\ntimeout_s = 2.0\n'
            f'options = {{ domain = "{server.domain}", scheme = "http" }}\n'
        )
        services = Services.start(configured(tmp_path, entry), follow=False)
        try:
            services.gazetteer = Gazetteer.load(tmp_path / "data" / "gazetteer", HOMES)
            first = ask(services, UNKNOWN)
            began = time.monotonic()
            second = ask(services, UNKNOWN)
            assert time.monotonic() - began < 1.5
            assert first.status is second.status is Status.COULD_NOT_CHECK
            assert any("Force Photon did not help" in warning for warning in first.warnings)
            assert any("Force Photon was not asked" in warning for warning in second.warnings)
        finally:
            services.close()


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ('service = "nominatim"', "options.domain is missing"),
        ('service = "atlantis"', "no such service"),
        ('service = "nominatim"\noptions = { domain = "localhost", colour = 1 }', "options.colour"),
    ],
)
def test_a_geocoder_that_cannot_be_used_stops_the_start_in_words(tmp_path: Path, entry: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as caught:
        Services.start(configured(tmp_path, f"\n[[geocoders]]\n{entry}\n"), follow=False)
    assert "quillmarket.toml" in str(caught.value)


def test_a_marker_on_a_building_is_imported_and_found_at_each_of_its_flats(services: Services) -> None:
    parent = "999990000900"
    flats = [
        Premises(f"99999000090{n}", f"Flat {n}, 3 Vellum Row", "EC9C 3XX", f"99999000090{n}", HOMES[0].point, parent)
        for n in (1, 2)
    ]
    services.gazetteer = Gazetteer.load(services.settings.data / "gazetteer", [*HOMES, *flats])
    plan = plan_import(services, [marker("WHOLE", Place(uprn=parent)), marker("F1", Place("Flat 1, 3 Vellum Row"))])
    assert plan.unfindable == ()
    assert (plan.new[0].place.premises_id, plan.new[0].place.point) == (parent, HOMES[0].point)
    assert (plan.new[0].place.address, plan.new[0].place.postcode) == (None, "EC9C 3XX")
    import_markers(services, OPERATOR, plan, NOW)
    answer = ask(services, RawLocation(address="Flat 2, 3 Vellum Row, EC9C 3XX"))
    assert answer.status is Status.HIT
    assert [(found.grade, found.sub_building, found.reference) for found in answer.matches] == [
        (Grade.BUILDING, None, "WHOLE"),
        (Grade.BUILDING, SubBuilding.DIFFERENT, None),
    ]
    assert ask(services, RawLocation(easting=596900, northing=179000)).status is Status.CLEAR
    assert not any("Flat 1" in said for said in (answer.reason or "", *answer.warnings, *answer.matches[1].why))


def test_a_phones_message_is_a_position(services: Services) -> None:
    longitude, latitude = to_degrees(Point(596010, 179000))
    sent = f'A"ML=1;lt={latitude:+.5f};lg={longitude:+.5f};rd=20;top=20261123025900;lc=90;pm=G;mcc=234;ml=99'
    answer = ask(services, RawLocation(address=sent))
    assert (answer.status, answer.understood.precision) == (Status.HIT, "point")
    assert b"ML=1" not in logged(services)[-1].canonical()
