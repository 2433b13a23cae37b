"""Broken glass on a real store: one person, one incident, 15 minutes, told, reviewed by somebody else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from markers.gazetteer import Gazetteer
from markers.ledger import Event, LedgerEntry
from markers.location import RawLocation
from markers.store_errors import VersionConflict
from overlay.glass import Glass, GlassRefused, NoSuchGlass, break_glass, end_glass, review_glass
from overlay.identity import create_account, disable_account, sign_in
from overlay.lookup import Answer, Asked, check
from overlay.roles import Actor
from overlay.services import Services
from overlay.settings import Settings
from overlay.upkeep.lists import import_markers, plan_import
from overlay.viewing import looks_under_glass
from tests.store.test_lookup import OPERATOR
from tests.unit.test_matching import FLAT_3, HOMES, NOW

OFFENDER = replace(FLAT_3, category="registered_sex_offender", headline="Registered sex offender lives here")
HOME = RawLocation(address="flat 3 14 tallow yard ec9a 1ab")
WHY = "The caller says the lodger has taken the child"


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    started = Services.start(Settings(data=tmp_path / "data"), follow=False)
    started.gazetteer = Gazetteer.load(tmp_path / "data" / "gazetteer", HOMES)
    import_markers(started, OPERATOR, plan_import(started, [OFFENDER]), NOW)
    yield started
    started.close()


@pytest.fixture
def other(services: Services) -> Iterator[Services]:
    """A second process's view, which nothing keeps in step but its own checks."""
    started = Services.start(services.settings, follow=False)
    yield started
    started.close()


def person(services: Services, username: str, role: str, now: datetime) -> Actor:
    password = "correct horse battery"
    create_account(services.store, services.access, username, username.title(), role, password, now)
    signed_in = sign_in(services.door, username, password, now)
    actor = services.access.actor_for_session(signed_in.secret, now)
    assert actor is not None
    return actor


@pytest.fixture
def handler(services: Services) -> Actor:
    return person(services, "handler", "call_handler", NOW)


@pytest.fixture
def supervisor(services: Services) -> Actor:
    return person(services, "supervisor", "control_room_supervisor", NOW)


def smash(services: Services, actor: Actor, incident: str = "CAD-1", now: datetime = NOW) -> Glass:
    return break_glass(services.store, services.access, services.glass, actor, incident, WHY, now)


def ask(services: Services, actor: Actor, incident: str | None = "CAD-1", now: datetime = NOW) -> Answer:
    return check(services, actor, Asked(HOME, incident), now)


def logged(services: Services) -> list[LedgerEntry]:
    return [LedgerEntry.from_bytes(record.entry) for record in services.store.ledger()]


def test_detail_is_seen_for_that_incident_and_that_person_and_no_longer_than_fifteen_minutes(
    services: Services, handler: Actor
) -> None:
    assert ask(services, handler).matches[0].category is None
    smash(services, handler)
    seen = ask(services, handler, " cad-1")
    assert (seen.matches[0].category, seen.glass_until) == ("registered_sex_offender", NOW + timedelta(minutes=15))
    assert seen.matches[0].reference == "M3"
    for incident in ("CAD-2", None, ""):
        assert ask(services, handler, incident).matches[0].category is None
    colleague = person(services, "colleague", "call_handler", NOW)
    assert ask(services, colleague).matches[0].category is None
    assert ask(services, handler, now=NOW + timedelta(minutes=14, seconds=59)).glass_until is not None
    late = ask(services, handler, now=NOW + timedelta(minutes=15))
    assert (late.matches[0].category, late.glass_until) == (None, None)


def test_every_step_and_every_look_under_it_is_in_the_ledger(
    services: Services, handler: Actor, supervisor: Actor
) -> None:
    glass = smash(services, handler)
    ask(services, handler)
    end_glass(services.store, services.access, services.glass, handler, glass.glass_id, NOW)
    ask(services, handler)
    review_glass(services.store, services.access, services.glass, supervisor, glass.glass_id, "justified", "", NOW)
    opened, look, ended, after, reviewed = logged(services)[-5:]
    assert [step.operation for step in (opened, ended, reviewed)] == [Event.BREAK_GLASS] * 3
    assert [step.reason for step in (opened, ended, reviewed)] == [
        "break_glass_opened", "break_glass_ended", "break_glass_reviewed_justified",
    ]  # fmt: skip
    assert {seen.record_id for step in (opened, ended, reviewed) for seen in step.records} == {glass.glass_id}
    assert (look.reason, look.incident, "category" in look.records[0].fields) == ("break_glass", "CAD-1", True)
    assert (after.reason, "category" in after.records[0].fields) == ("incident_response", False)
    assert reviewed.actor_id == supervisor.actor_id
    assert not any(b"lodger" in step.canonical() for step in logged(services))


def test_another_process_knows_of_it_before_it_answers(services: Services, other: Services, handler: Actor) -> None:
    """The other process has not followed: a check under glass that was ended elsewhere must show nothing more."""
    other.take_in({"access": other.store.changes("access", other.access.position)})
    glass = smash(services, handler)
    other.take_in({"break_glass": other.store.changes("break_glass", other.glass.position)})
    assert ask(other, handler).glass_until is not None
    end_glass(services.store, services.access, services.glass, handler, glass.glass_id, NOW)
    assert other.glass.get(glass.glass_id).ended_at is None
    assert ask(other, handler).matches[0].category is None


def test_it_is_sealed_and_read_back(services: Services, other: Services, handler: Actor) -> None:
    glass = smash(services, handler)
    other.take_in({"break_glass": other.store.changes("break_glass", 0)})
    assert other.glass.get(glass.glass_id) == glass == services.glass.get(glass.glass_id)


@pytest.mark.parametrize(
    ("incident", "reason", "field"),
    [
        ("", WHY, "incident"),
        ("  ", WHY, "incident"),
        ("x" * 65, WHY, "incident"),
        ("CAD\0", WHY, "incident"),
        ("CAD-1", "because", "reason"),
        ("CAD-1", "          x", "reason"),
        ("CAD-1", "y" * 501, "reason"),
        ("CAD-1", "why \x07 " * 4, "reason"),
    ],
)
def test_without_an_incident_or_a_reason_nothing_breaks(
    services: Services, handler: Actor, incident: str, reason: str, field: str
) -> None:
    before = len(logged(services))
    with pytest.raises(GlassRefused) as refused:
        break_glass(services.store, services.access, services.glass, handler, incident, reason, NOW)
    assert refused.value.field == field
    assert (services.glass.all(), len(logged(services))) == ((), before)


def test_whoever_lost_their_account_meanwhile_breaks_nothing(
    services: Services, other: Services, handler: Actor
) -> None:
    other.take_in({"access": other.store.changes("access", other.access.position)})
    disable_account(services.store, services.access, "handler", NOW)
    with pytest.raises(GlassRefused, match="sign-in has ended"):
        smash(other, handler)
    assert other.glass.all() == ()


def test_a_role_without_the_permission_sees_no_more_even_with_glass_of_an_earlier_role(
    services: Services, handler: Actor
) -> None:
    smash(services, handler)
    moved = replace(handler, role="service", via=OPERATOR.via)
    assert ask(services, moved).matches[0].category is None


def test_reviews_are_by_somebody_else_once_and_in_time(services: Services, handler: Actor, supervisor: Actor) -> None:
    glass = smash(services, handler)
    book = services.glass

    def review(by: Actor, finding: str, note: str = "") -> None:
        review_glass(services.store, services.access, book, by, glass.glass_id, finding, note, NOW)

    for by, finding, said in (
        (handler, "justified", "their own"),
        (supervisor, "fine", "Choose"),
        (supervisor, "not_justified", "what has to follow"),
        (supervisor, "follow_up", "what has to follow"),
    ):
        with pytest.raises(GlassRefused, match=said):
            review(by, finding)
    assert [kept.overdue_at(NOW + timedelta(hours=23, minutes=59)) for kept in book.to_review()] == [False]
    assert [kept.overdue_at(NOW + timedelta(hours=24)) for kept in book.to_review()] == [True]
    review(supervisor, "not_justified", "Asked for his own street. Line manager told.")
    kept = book.get(glass.glass_id)
    assert (kept.reviewer, kept.finding, kept.overdue_at(NOW + timedelta(days=9))) == (
        "Supervisor",
        "not_justified",
        False,
    )
    assert book.to_review() == ()
    with pytest.raises(GlassRefused, match="already"):
        review(supervisor, "justified")


def test_two_reviewers_at_once_leave_one_review(
    services: Services, other: Services, handler: Actor, supervisor: Actor
) -> None:
    glass = smash(services, handler)
    for collection in ("access", "break_glass"):
        other.take_in({collection: other.store.changes(collection, 0)})
    review_glass(services.store, services.access, services.glass, supervisor, glass.glass_id, "justified", "", NOW)
    with pytest.raises(VersionConflict):
        review_glass(
            other.store, other.access, other.glass, supervisor, glass.glass_id, "follow_up", "Ring the owner.", NOW
        )
    assert other.glass.get(glass.glass_id).finding == "justified"


def test_ending_twice_or_what_is_not_there_is_refused(services: Services, handler: Actor) -> None:
    glass = smash(services, handler)
    end_glass(services.store, services.access, services.glass, handler, glass.glass_id, NOW + timedelta(minutes=1))
    with pytest.raises(GlassRefused, match="already ended"):
        end_glass(services.store, services.access, services.glass, handler, glass.glass_id, NOW + timedelta(minutes=2))
    with pytest.raises(NoSuchGlass):
        end_glass(services.store, services.access, services.glass, handler, "0" * 32, NOW)
    assert services.glass.get(glass.glass_id).until == NOW + timedelta(minutes=1)


def test_looks_under_it_are_counted_for_the_review(services: Services, handler: Actor) -> None:
    smash(services, handler)
    ask(services, handler)
    ask(services, handler, now=NOW + timedelta(minutes=2))
    ask(services, handler, "CAD-2")
    until = NOW + timedelta(minutes=15)
    assert looks_under_glass(services, handler.actor_id, "CAD-1", NOW, until) == 2
    assert looks_under_glass(services, handler.actor_id, "CAD-2", NOW, until) == 0


def test_the_book_takes_news_in_order_and_a_whole_load_once(services: Services, handler: Actor) -> None:
    smash(services, handler)
    loaded = services.store.load("break_glass")
    smash(services, handler, "CAD-2", NOW + timedelta(seconds=1))
    services.glass.replace(loaded)  # slower than the news
    services.glass.apply(loaded)
    assert len(services.glass.all()) == 2
    services.glass.replace(services.store.load("break_glass"))
    assert [kept.incident for kept in services.glass.to_review()] == ["CAD-1", "CAD-2"]
