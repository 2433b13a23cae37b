"""The room on a real store: incidents opened, worked by three people, and closed."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace

import pytest

from markers.commits import Commit, Write
from markers.ledger import Operation
from overlay.erased import register_of
from overlay.incidents.board import Need, Standing, standing_of
from overlay.incidents.book import NoSuchIncident
from overlay.incidents.model import Incident
from overlay.incidents.runs import known_categories
from overlay.incidents.wordings import Wordings
from overlay.room import attending, briefing, closing, grading, opening, units
from overlay.room.change import IncidentClosed, RoomRefused
from overlay.services import Services
from overlay.upkeep.erasing import ERASURES
from tests.store.room import CASEY, DEVON, DOMESTIC, NUMBER, OFFENDER, QUIET, ROBIN, Room
from tests.unit.test_matching import FLAT_3


def test_an_incident_is_opened_in_the_commit_of_its_check(room: Room) -> None:
    room.mark(FLAT_3)
    incident = room.open()
    look, opened = room.ledger()[-2:]
    assert (look.operation, opened.operation) == (Operation.CONSULTATION, Operation.COLLECTION)
    assert incident.checked is not None
    assert look.check_id == incident.checked.check_id
    assert [seen.marker_id for seen in incident.checked.seen if seen.applies] == [FLAT_3.marker_id]
    assert room.get(incident) == incident
    assert set(room.runs(incident)) >= {"thrive", "domestic_abuse_20", "marker_child_protection_plan"}


def test_another_process_reads_the_same_incident(room: Room) -> None:
    room.mark(FLAT_3)
    incident = room.open()
    other = Services.start(room.services.settings, follow=False)
    try:
        assert other.incidents.get(incident.incident_id) == incident
    finally:
        other.close()


def test_a_reference_is_opened_once_however_it_is_written(room: Room) -> None:
    incident = room.open("CAD-1")
    with pytest.raises(opening.AlreadyOpen) as refused:
        room.open("cad-1", QUIET)
    assert refused.value.incident_id == incident.incident_id


@pytest.mark.parametrize("reference", ["", " ", "CAD 1", "CAD/1", "<b>CAD</b>", "C" * 10_000, "CAD\x00", "-CAD"])
def test_an_odd_reference_is_refused_and_nothing_is_kept(room: Room, reference: str) -> None:
    with pytest.raises(RoomRefused) as refused:
        room.open(reference)
    assert refused.value.field == "reference"
    assert room.services.incidents.all() == ()
    assert room.ledger() == []


def test_a_dropped_call_from_a_marked_number_is_graded_and_opens_the_plan(room: Room) -> None:
    room.mark(NUMBER)
    incident = room.open(place=opening.RawLocation(phone="07700 900123"), incident_type=None, call="dropped")
    assert incident.graded is not None
    assert incident.graded.grade == "immediate"
    assert "silent" in room.runs(incident)["domestic_abuse_20"].run.because


def test_a_lower_grade_needs_a_supervisor_and_asks_for_a_new_assessment(room: Room) -> None:
    incident = room.open()
    grading.grade(room.services, CASEY, incident.incident_id, "immediate", "Happening now", None, room.now)
    room.answer(incident, "thrive", "when_it_happened", "now")
    with pytest.raises(RoomRefused) as refused:
        grading.grade(room.services, CASEY, incident.incident_id, "extended", "He has left", "", room.now)
    assert refused.value.field == "supervisor"
    assert room.get(incident).graded.grade == "immediate"  # type: ignore[union-attr]
    grading.grade(room.services, CASEY, incident.incident_id, "extended", "He has left", "Robin Quill", room.now)
    asked = room.point(incident, "thrive", "when_it_happened")
    assert (asked.answer, asked.again) == (None, "the grade was lowered")
    assert [answer.value for answer in asked.earlier] == ["now"]
    assert "The grade was lowered" in [matter.point for matter in _standing(room, incident).raises]


def test_prompts_of_a_withheld_kind_are_not_known_to_a_call_handler(room: Room) -> None:
    room.mark(OFFENDER)
    incident = room.open(incident_type=None)
    run = room.runs(incident)["marker_registered_sex_offender"].run
    categories = room.services.categories
    assert run.run_id
    with pytest.raises(RoomRefused):
        room.answer(incident, "marker_registered_sex_offender", "who_was_present", "nobody", by=CASEY)
    room.answer(incident, "marker_registered_sex_offender", "who_was_present", "nobody", by=DEVON)
    assert "registered_sex_offender" not in known_categories(categories, "call_handler")
    assert "registered_sex_offender" in known_categories(categories, "dispatcher")


def test_every_unit_is_briefed_and_one_that_joins_later_is_asked_for(room: Room) -> None:
    room.mark(DOMESTIC, OFFENDER)
    incident = room.open()
    units.add_unit(room.services, DEVON, incident.incident_id, "c123", room.now)
    script, _ = briefing.brief(room.services, DEVON, incident.incident_id, room.now)
    said = " ".join(script.say)
    assert "Domestic abuse marker" in said
    assert "offender" not in said
    assert "ring control" in said
    assert any("offender" in line for line in script.not_on_open_channel)
    for what in ("read_out", "read_back"):
        briefing.hand_off(room.services, DEVON, incident.incident_id, what, ("C123",), script.fingerprint, room.now)
    disclosed = room.ledger()[-1]
    assert (disclosed.operation, disclosed.recipients) == (Operation.DISCLOSURE, ("C123",))
    assert {seen.record_id for seen in disclosed.records} == {"da-1", "rso-1"}
    assert room.point(incident, "domestic_abuse_20", "brief_units", "C123").answer is not None
    units.add_unit(room.services, DEVON, incident.incident_id, "C124", room.now)
    stands = _standing(room, incident)
    assert {unit.call_sign: unit.why for unit in stands.units} == {
        "C123": None, "C124": "joined after the others were briefed",
    }  # fmt: skip


def test_a_moved_location_asks_for_a_new_brief_and_a_new_assessment(room: Room) -> None:
    room.mark(DOMESTIC)
    incident = room.open(place=QUIET)
    room.answer(incident, "thrive", "when_it_happened", "now")
    units.add_unit(room.services, DEVON, incident.incident_id, "C123", room.now)
    script, _ = briefing.brief(room.services, DEVON, incident.incident_id, room.now)
    briefing.hand_off(room.services, DEVON, incident.incident_id, "read_out", ("C123",), script.fingerprint, room.now)
    briefing.hand_off(room.services, DEVON, incident.incident_id, "read_back", ("C123",), script.fingerprint, room.now)
    assert _standing(room, incident).units[0].read_back_at == room.now
    moved, answer = opening.move(
        room.services,
        CASEY,
        incident.incident_id,
        opening.RawLocation(address="flat 3 14 tallow yard ec9a 1ab"),
        room.now,
    )
    assert answer.status.value == "hit"
    assert _standing(room, moved).units[0].why == "what is marked there changed since"
    assert _standing(room, moved).units[0].read_back_at is None
    assert room.point(moved, "thrive", "when_it_happened").again == "the location moved"
    with pytest.raises(briefing.BriefMoved):
        briefing.hand_off(
            room.services, DEVON, incident.incident_id, "read_back", ("C123",), script.fingerprint, room.now
        )


def test_what_is_open_is_listed_when_it_closes_and_a_closed_one_takes_no_more(room: Room) -> None:
    incident = room.open()
    closed = closing.close(room.services, ROBIN, incident.incident_id, "Units are clear", room.now)
    assert closed.closed is not None
    assert "domestic_abuse_20/safe_to_talk" in closed.closed.left_open
    with pytest.raises(IncidentClosed):
        room.answer(incident, "thrive", "when_it_happened", "now")
    with pytest.raises(IncidentClosed):
        units.add_unit(room.services, DEVON, incident.incident_id, "C123", room.now)
    reopened = closing.reopen(room.services, ROBIN, incident.incident_id, "Called again", room.now)
    assert reopened.closed is None
    room.answer(incident, "thrive", "when_it_happened", "now")


def test_a_definition_that_changes_leaves_open_checklists_as_they_were_opened(room: Room) -> None:
    incident = room.open()
    services = room.services
    changed = tuple(
        definition.model_copy(update={"version": 2, "title": "Another plan"}) for definition in services.definitions
    )
    services.definitions = changed
    services.wordings = Wordings(changed)  # as a process that was started with the new files alone
    services.catch_up("wordings")
    assert room.runs(incident)["domestic_abuse_20"].progress.definition.version == 1
    room.answer(incident, "domestic_abuse_20", "safe_to_talk", "silent")
    later = room.open("CAD-2")
    assert room.runs(later)["domestic_abuse_20"].progress.definition.version == 2
    assert room.runs(incident)["domestic_abuse_20"].progress.definition.title != "Another plan"


def test_an_overdue_point_is_raised_taken_by_name_and_goes_on_if_nobody_does(room: Room) -> None:
    incident = room.open()
    assert _standing(room, incident).need is Need.OPEN
    room.later(minutes=1)
    (matter, *_) = _standing(room, incident).waiting_raises
    assert (matter.point, matter.with_whom.title) == ("Safe to talk?", "Control room supervisor")
    room.later(minutes=6)
    assert _standing(room, incident).waiting_raises[0].with_whom.title == "Duty inspector"
    closing.acknowledge(room.services, ROBIN, incident.incident_id, (matter.key,), "Ringing her", room.now)
    taken = next(m for m in _standing(room, incident).raises if m.key == matter.key)
    assert taken.acknowledged is not None
    assert taken.acknowledged.by.name == "Robin"
    with pytest.raises(RoomRefused):
        closing.acknowledge(room.services, ROBIN, incident.incident_id, (matter.key,), "", room.now)


def test_a_marker_that_comes_while_units_are_on_the_way_asks_for_a_new_brief(room: Room) -> None:
    incident = room.open(incident_type=None)
    units.add_unit(room.services, DEVON, incident.incident_id, "C123", room.now)
    script, _ = briefing.brief(room.services, DEVON, incident.incident_id, room.now)
    briefing.hand_off(room.services, DEVON, incident.incident_id, "read_out", ("C123",), script.fingerprint, room.now)
    assert attending.rematch(room.services, room.now) == 0
    room.mark(DOMESTIC)
    assert attending.rematch(room.services, room.now) == 1
    assert attending.rematch(room.services, room.now) == 0
    current = room.get(incident)
    assert current.checked is not None
    assert current.checked.by.name == "Attendant"
    assert "domestic_abuse_20" in room.runs(incident)
    assert _standing(room, incident).units[0].why == "what is marked there changed since"
    combined = room.ledger()[-1]
    assert (combined.operation, combined.reason) == (Operation.COMBINATION, "rematched")


def test_a_register_that_cannot_be_written_keeps_no_incident_from_being_matched(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    class EnoughError(Exception):
        """The attendant has gone round often enough."""

    rounds: list[float] = []

    def pause(seconds: float) -> None:
        rounds.append(seconds)
        if len(rounds) == 1:
            room.mark(DOMESTIC)
        if len(rounds) == 2:
            raise EnoughError

    told = json.dumps({"marker_id": "elsewhere", "at": room.now.isoformat()}).encode()
    room.services.commit(Commit("erased-elsewhere", {}, (Write(ERASURES, "e-1", 0, told),), ()), room.now)
    # No disk for the register: its file can be read, as empty, and not be written.
    register = register_of(room.services.settings.data)
    register.parent.mkdir(mode=0o700, exist_ok=True)
    register.symlink_to("/dev/full")
    monkeypatch.setattr(attending, "time", SimpleNamespace(monotonic=time.monotonic, sleep=pause))
    incident = room.open(incident_type=None)
    with pytest.raises(EnoughError):
        attending.attend(room.services)
    assert room.services.erased.all() == {}
    assert "domestic_abuse_20" in room.runs(incident)


def test_a_closed_incident_is_purged_when_its_time_is_over_and_the_ledger_keeps_its_id_alone(room: Room) -> None:
    incident = room.open()
    closing.close(room.services, ROBIN, incident.incident_id, "Units are clear", room.now)
    assert attending.purge(room.services, room.later(days=364)) == 0
    assert attending.purge(room.services, room.later(days=2)) == 1
    with pytest.raises(NoSuchIncident):
        room.get(incident)
    entry = room.ledger()[-1]
    assert (entry.operation, entry.reason, entry.incident) == (Operation.ERASURE, "retention", None)
    room.open()  # the reference is free again


def _standing(room: Room, incident: Incident) -> Standing:
    current = room.get(incident)
    states = room.services.standings.of(current, room.services.wordings, room.now)
    known = known_categories(room.services.categories, "control_room_supervisor")
    return standing_of(current, states, known, room.services.rules, room.now)[0]
