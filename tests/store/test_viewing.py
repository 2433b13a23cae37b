"""A marker's own page and the day's digest, on a real store: logged before shown, and showing who was shown what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from markers.commits import Commit, Write
from markers.gazetteer import Gazetteer
from markers.ledger import LedgerEntry, Operation, Via
from markers.location import RawLocation
from markers.model import Place, State
from overlay.identity import create_token, revoke_token
from overlay.lookup import Asked, NotAllowedAnyMore, check
from overlay.roles import Actor
from overlay.services import Services
from overlay.settings import Settings
from overlay.upkeep.lists import import_markers, plan_import
from overlay.viewing import LAST, NoSuchMarker, view_day, view_marker
from tests.store.test_lookup import OPERATOR
from tests.unit.test_matching import FLAT_3, HOMES, NOW, marker

OFFICER = Actor("os:officer", "An Officer", "ppu_officer", Via.CLI)
HOME = RawLocation(address="flat 3 14 tallow yard ec9a 1ab")
BELOW = RawLocation(address="flat 2 14 tallow yard ec9a 1ab")
KEPT = replace(FLAT_3, fact="Two children", opinion="Hidden on purpose")


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    started = Services.start(Settings(data=tmp_path / "data"), follow=False)
    started.gazetteer = Gazetteer.load(tmp_path / "data" / "gazetteer", HOMES)
    import_markers(started, OPERATOR, plan_import(started, [KEPT]), NOW)
    yield started
    started.close()


def logged(services: Services) -> list[LedgerEntry]:
    return [LedgerEntry.from_bytes(record.entry) for record in services.store.ledger()]


def look(services: Services, role: str, minute: int, incident: str | None = "CAD-1", where: RawLocation = HOME) -> None:
    actor = Actor(f"os:{role}", role, role, Via.CLI)
    check(services, actor, Asked(where, incident), NOW + timedelta(minutes=minute))


def test_a_marker_is_shown_with_its_last_looks_and_that_is_logged(services: Services) -> None:
    look(services, "call_handler", 1)
    look(services, "dispatcher", 2, None)
    look(services, "service", 3, where=BELOW)
    view = view_marker(services, OFFICER, "id-M3", NOW + timedelta(minutes=5))
    assert (view.shown.reference, view.shown.fact, view.shown.opinion) == ("M3", "Two children", "Hidden on purpose")
    assert (view.state, view.place) == (State.IN_FORCE, "Flat 3, 14 Tallow Yard, EC9A 1AB")
    assert [(seen.who, seen.incident, seen.without_incident) for seen in view.looks] == [
        ("os:service", "CAD-1", False),
        ("os:dispatcher", None, True),
        ("os:call_handler", "CAD-1", False),
    ]
    assert view.looks[0].fields == ("existence",)
    assert "fact" in view.looks[1].fields
    assert "fact" not in view.looks[2].fields
    entry = logged(services)[-1]
    assert (entry.operation, entry.reason, entry.actor_id) == (Operation.CONSULTATION, "marker_page", "os:officer")
    assert {"fact", "opinion", "source"} <= set(entry.records[0].fields)
    again = view_marker(services, OFFICER, "id-M3", NOW + timedelta(minutes=6))
    assert (again.looks[0].who, again.looks[0].grade, again.looks[0].without_incident) == ("os:officer", None, False)


def test_no_more_than_the_last_looks_are_listed(services: Services) -> None:
    for minute in range(LAST + 5):
        look(services, "call_handler", minute, f"CAD-{minute}")
    looks = view_marker(services, OFFICER, "id-M3", NOW + timedelta(hours=2)).looks
    assert [seen.incident for seen in looks] == [f"CAD-{minute}" for minute in range(LAST + 4, 4, -1)]


def test_a_look_sent_again_from_the_spool_stands_once(services: Services) -> None:
    """The store kept the look but its reply never came: the late entry is what the person saw."""
    look(services, "call_handler", 1)
    first = logged(services)[-1]
    services.spool.append(replace(first, entry_id="late-one", store="last_known"))
    assert services.spool.replay(services.store) == 1
    looks = view_marker(services, OFFICER, "id-M3", NOW + timedelta(minutes=2)).looks
    assert [(seen.incident, seen.last_known) for seen in looks] == [("CAD-1", True)]


@pytest.mark.parametrize("marker_id", ["id-M4", "", "../id-M3", "x" * 500, "ID-M3"])
def test_a_marker_that_is_not_there_is_not_there(services: Services, marker_id: str) -> None:
    before = len(logged(services))
    with pytest.raises(NoSuchMarker):
        view_marker(services, OFFICER, marker_id, NOW)
    assert len(logged(services)) == before


def test_nothing_is_shown_to_whoever_was_revoked(services: Services) -> None:
    bearer = create_token(services.store, services.access, "desk", "ppu_officer", NOW, 30)
    desk = services.access.actor_for_token(bearer, NOW)
    assert desk is not None
    revoke_token(services.store, services.access, desk.credential, NOW)
    before = len(logged(services))
    with pytest.raises(NotAllowedAnyMore):
        view_marker(services, desk, "id-M3", NOW)
    with pytest.raises(NotAllowedAnyMore):
        view_day(services, desk, NOW.date(), NOW)
    assert len(logged(services)) == before


def test_a_change_made_elsewhere_is_on_the_page(services: Services) -> None:
    other = Services.start(services.settings, follow=False)
    try:
        changed = replace(KEPT, headline="Moved out, plan goes on")
        import_markers(other, OPERATOR, plan_import(other, [changed]), NOW)
        assert view_marker(services, OFFICER, "id-M3", NOW).shown.headline == "Moved out, plan goes on"
    finally:
        other.close()


def test_the_digest_of_a_day_is_that_day_in_london(services: Services) -> None:
    import_markers(
        services, OPERATOR, plan_import(services, [marker("EIGHTEEN", Place("18 Tallow Yard", "EC9A 1AB"))]), NOW
    )
    look(services, "call_handler", 0)
    look(services, "dispatcher", 1, None)
    look(services, "dispatcher", 2, None, RawLocation(address="18 Tallow Yard, EC9A 1AB"))
    look(services, "call_handler", 3, where=BELOW)
    look(services, "call_handler", 24 * 60)
    digest = view_day(services, OFFICER, NOW.date(), NOW + timedelta(days=1))
    assert [(item.reference, len(item.looks)) for item in digest.markers] == [("M3", 3), ("EIGHTEEN", 1)]
    assert [len(item.disclosed) for item in digest.markers] == [2, 1]
    assert (digest.disclosures, digest.without_incident, digest.cut) == (3, 2, False)
    assert logged(services)[-1].reason == "disclosures_page"
    assert view_day(services, OFFICER, date(2026, 7, 1), NOW).markers == ()


def test_a_marker_erased_since_is_still_counted_and_named_by_nothing(services: Services) -> None:
    look(services, "call_handler", 0)
    record = services.store.load("markers").records[0]
    services.store.commit(Commit("erase", {}, (Write("markers", record.record_id, record.version, None),)))
    services.take_in({"markers": services.store.changes("markers", services.index.position)})
    (item,) = view_day(services, OFFICER, NOW.date(), NOW + timedelta(minutes=1)).markers
    assert (item.reference, item.category_title, item.owner, len(item.looks)) == (None, None, None, 1)
