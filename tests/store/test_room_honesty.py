"""A page of an incident while markers move, the store is away or two people act at once: never a false clear."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from datetime import timedelta

import pytest

from markers.ledger import Operation, Via
from markers.location import RawLocation
from markers.model import Place, Status
from overlay import glass, identity, viewing
from overlay.incidents import entries as e
from overlay.incidents.prefill import Told, prefilled
from overlay.lookup import check
from overlay.roles import Actor
from overlay.room import attending, briefing, grading, opening, units
from overlay.room.change import RoomRefused
from tests.store.room import CASEY, DEVON, DOMESTIC, HOME, NUMBER, OFFENDER, QUIET, ROBIN, Room

ADDRESS = RawLocation(address=HOME.address)


def filled(room: Room, incident: object, point: str) -> object:
    seen = room.look(incident)  # type: ignore[arg-type]
    return next(seen.prefill(p) for run in seen.standing.runs for p in run.progress.points if p.point.id == point)


def test_an_earlier_clear_is_no_clear_once_a_marker_came_even_before_the_attendant_has_looked(room: Room) -> None:
    incident = room.open(place=ADDRESS)
    before = room.look(incident).answer
    assert before is not None
    assert before.status is Status.CLEAR
    room.mark(DOMESTIC)
    seen = room.look(incident)
    assert seen.answer is not None
    assert seen.answer.status is Status.COULD_NOT_CHECK
    assert "check again" in (seen.answer.reason or "")
    assert [item.shown.reference for item in seen.shown.matches] == ["DA-1"]
    _, again = opening.recheck(room.services, CASEY, incident.incident_id, room.now)
    assert again.status is Status.HIT


def test_a_marker_that_moved_is_shown_at_its_old_home_no_more(room: Room) -> None:
    room.mark(DOMESTIC)
    incident = room.open(place=ADDRESS)
    room.mark(replace(DOMESTIC, place=Place(address=QUIET.address)))
    seen = room.look(incident)
    assert seen.shown.changed
    assert not [item for item in seen.shown.matches if item.match.applies]
    assert seen.answer is not None
    assert seen.answer.status is Status.COULD_NOT_CHECK


def test_while_the_store_is_away_an_earlier_clear_could_not_be_checked(room: Room) -> None:
    incident = room.open(place=ADDRESS)
    assert room.services.embedded is not None
    assert room.services.embedded.pid is not None
    os.kill(room.services.embedded.pid, signal.SIGSTOP)
    try:
        answer = room.look(incident).answer
    finally:
        os.kill(room.services.embedded.pid, signal.SIGCONT)
    assert answer is not None
    assert (answer.status, answer.store) == (Status.COULD_NOT_CHECK, "last_known")


def test_a_check_is_never_recorded_of_a_place_the_incident_has_left(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.mark(DOMESTIC)
    incident = room.open(place=QUIET)
    moved: list[bool] = []

    def and_meanwhile(*arguments: object, **more: object) -> object:
        if not moved:
            moved.append(True)
            opening.move(room.services, DEVON, incident.incident_id, ADDRESS, room.now)
        return check(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(opening, "check", and_meanwhile)
    after, answer = opening.recheck(room.services, CASEY, incident.incident_id, room.now)
    assert answer.status is Status.HIT
    assert after.checked is not None
    assert after.checked.status == "hit"
    assert after.place is not None
    assert after.place.address == ADDRESS.address


def test_what_was_never_asked_or_not_decided_is_not_filled_in_as_clear(room: Room) -> None:
    room.mark(NUMBER)
    only_number = room.open("CAD-N", RawLocation(phone=HOME.phone), call="dropped")
    assert filled(room, only_number, "markers") == {
        "address": "not_done", "phone_number": "hit", "named_people": "not_done",
    }  # fmt: skip
    vague = room.open("CAD-V", RawLocation(address="Tallow Yard", phone=HOME.phone))
    assert filled(room, vague, "markers")["address"] == "failed"  # type: ignore[index]
    both = room.open("CAD-B", replace(QUIET, phone=HOME.phone))
    assert filled(room, both, "markers") == {"address": "clear", "phone_number": "hit", "named_people": "not_done"}
    room.mark(DOMESTIC)
    home = room.open("CAD-H", ADDRESS)
    assert filled(room, home, "markers") == {"address": "hit", "phone_number": "not_done", "named_people": "not_done"}


@pytest.mark.parametrize("status", [Status.HIT, Status.COULD_NOT_CHECK])
def test_only_a_clear_fills_in_that_no_marker_is_here(room: Room, status: Status) -> None:
    incident = room.open(place=ADDRESS)
    plan = room.runs(incident)["domestic_abuse_20"].progress.definition
    premises = next(point for point in plan.points if point.id == "exact_premises")
    asked = premises.model_copy(update={"prefill": "marker_match"})
    assert prefilled(asked, incident, Told(status, None, ()), 0) == "not_confirmed"
    assert prefilled(asked, incident, Told(Status.CLEAR, None, ()), 0) == "no_marker_here"


def test_a_grade_that_a_supervisor_lowered_stands_when_the_place_is_checked_again(room: Room) -> None:
    room.mark(NUMBER)
    incident = room.open(place=HOME, incident_type=None, call="silent")
    grading.grade(room.services, CASEY, incident.incident_id, "extended", "Pocket call, spoken to", "Robin", room.now)
    after, _ = opening.recheck(room.services, CASEY, incident.incident_id, room.now)
    assert after.graded is not None
    assert after.graded.grade == "extended"
    opening.call_changed(room.services, CASEY, incident.incident_id, "connected", None, room.now)
    again, _ = opening.call_changed(room.services, CASEY, incident.incident_id, "dropped", None, room.now)
    assert again.graded is not None
    assert again.graded.grade == "immediate"


def test_a_look_at_an_incident_is_logged_once_also_where_nothing_is_marked(room: Room) -> None:
    incident = room.open(place=QUIET)
    before = len(room.ledger())
    room.look(incident)
    room.look(incident)
    (entry,) = room.ledger()[before:]
    assert (entry.operation, entry.incident, entry.actor_id) == (Operation.CONSULTATION, "CAD-1", "devon")
    room.look(incident, ROBIN)
    assert len(room.ledger()) == before + 2


def test_the_owners_digest_lists_a_brief_as_a_disclosure_and_no_incident_as_a_marker(room: Room) -> None:
    room.mark(DOMESTIC)
    incident = room.open(place=ADDRESS)
    units.add_unit(room.services, DEVON, incident.incident_id, "C123", room.now)
    script, _ = briefing.brief(room.services, DEVON, incident.incident_id, room.now)
    briefing.hand_off(room.services, DEVON, incident.incident_id, "copied", ("C123",), script.fingerprint, room.now)
    day = viewing.view_day(
        room.services, Actor("p", "Priya", "ppu_officer", Via.CLI), room.now.date(), room.now + timedelta(seconds=1)
    )
    assert [marker.reference for marker in day.markers] == ["DA-1"]
    assert "brief_copied" in [look.reason for look in day.markers[0].looks]


def test_a_look_under_broken_glass_is_logged_as_one(room: Room) -> None:
    services = room.services
    room.mark(OFFENDER)
    incident = room.open(place=ADDRESS, incident_type=None)
    now = services.now()
    identity.create_account(
        services.store, services.access, "casey", "Casey", "call_handler", "three random words", now
    )
    secret = identity.sign_in(services.door, "casey", "three random words", now).secret
    casey = services.access.actor_for_session(secret, now)
    assert casey is not None
    room.now = now
    assert room.look(incident, casey).shown.matches[0].shown.headline is None
    glass.break_glass(services.store, services.access, services.glass, casey, "CAD-1", "Child heard crying", now)
    assert room.look(incident, casey).shown.matches[0].shown.headline is not None
    assert room.ledger()[-1].reason == "break_glass"


def test_an_incident_that_can_t_be_matched_keeps_no_other_from_it(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    first = room.open("CAD-1", ADDRESS)
    second = room.open("CAD-2", ADDRESS)
    room.mark(DOMESTIC)
    find, failed = attending.find, []

    def stumble(services: object, place: RawLocation, now: object) -> object:
        if not failed:
            failed.append(True)
            raise KeyError("odd")
        return find(services, place, now)  # type: ignore[arg-type]

    monkeypatch.setattr(attending, "find", stumble)
    assert attending.rematch(room.services, room.now) == 1
    told = [type(room.get(incident).log[-1]) for incident in (first, second)]
    assert told.count(e.Checked) + told.count(e.RunOpened) >= 1


def test_an_incident_opened_just_before_the_markers_changed_is_not_passed_over(room: Room) -> None:
    other = type(room.services).start(room.services.settings, follow=False)
    try:
        incident = room.open(place=ADDRESS)
        room.mark(DOMESTIC)
        other.gazetteer = room.services.gazetteer
        other.catch_up("markers")  # the attendant has heard of the marker, and not yet of the incident
        assert attending.rematch(other, room.now) == 1
    finally:
        other.close()
    room.services.catch_up("incidents")
    assert room.look(incident).answer.status is Status.HIT  # type: ignore[union-attr]


def test_a_read_back_says_that_a_unit_was_told(room: Room) -> None:
    room.mark(DOMESTIC)
    incident = room.open(place=ADDRESS)
    units.add_unit(room.services, DEVON, incident.incident_id, "C123", room.now)
    script, _ = briefing.brief(room.services, DEVON, incident.incident_id, room.now)
    briefing.hand_off(room.services, DEVON, incident.incident_id, "read_back", ("C123",), script.fingerprint, room.now)
    assert room.look(incident).standing.units[0].why is None
    with pytest.raises(RoomRefused):
        briefing.hand_off(room.services, DEVON, incident.incident_id, "sung", ("C123",), script.fingerprint, room.now)
