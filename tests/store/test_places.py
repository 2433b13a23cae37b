"""Another place that concerns an incident: checked, marked, briefed, matched again and removed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from markers.ledger import Operation
from markers.location import LocationError, RawLocation
from markers.model import Status
from overlay.incidents.board import Standing, standing_of
from overlay.incidents.model import Incident
from overlay.incidents.runs import known_categories
from overlay.room import attending, briefing, opening, units
from overlay.room.change import IncidentClosed, RoomRefused
from overlay.room.closing import close
from tests.store.room import CASEY, DEVON, DOMESTIC, HOME, OFFENDER, QUIET, Room

MARKED = RawLocation(address=HOME.address)


def _standing(room: Room, incident: Incident) -> Standing:
    current, services = room.get(incident), room.services
    states = services.standings.of(current, services.wordings, room.now)
    known = known_categories(services.categories, DEVON.role)
    return standing_of(current, states, known, services.rules, room.now)[0]


def _add(room: Room, incident: Incident, place: RawLocation = MARKED, label: str = "Suspect's home") -> Incident:
    return opening.add_place(room.services, CASEY, incident.incident_id, place, label, room.now)[0]


def test_an_added_place_is_checked_opens_its_checklists_and_stays_beside_the_first(room: Room) -> None:
    room.mark(DOMESTIC)
    incident = room.open(place=QUIET, incident_type=None)
    assert "domestic_abuse_20" not in room.runs(incident)
    after, answer = opening.add_place(room.services, CASEY, incident.incident_id, MARKED, " Suspect's  home ", room.now)
    assert answer.status is Status.HIT
    assert after.place == QUIET
    assert after.checked is not None
    assert (after.checked.status, after.also[0].label) == ("clear", "Suspect's home")
    assert after.also[0].checked is not None
    assert after.also[0].checked.status == "hit"
    assert "domestic_abuse_20" in room.runs(incident)
    look = room.look(incident)
    assert look.answer is not None
    assert look.answer.status is Status.CLEAR
    assert [shown.status for shown in look.also if shown is not None] == [Status.HIT]
    assert room.services.incidents.get(incident.incident_id) == after
    assert Incident.from_plain(after.incident_id, after.version, after.as_plain()) == after


def test_units_are_briefed_of_it_and_told_again_when_it_is_removed(room: Room) -> None:
    room.mark(DOMESTIC, OFFENDER)
    incident = room.open(place=QUIET)
    units.add_unit(room.services, DEVON, incident.incident_id, "C123", room.now)
    first, _ = briefing.brief(room.services, DEVON, incident.incident_id, room.now)
    briefing.hand_off(room.services, DEVON, incident.incident_id, "read_out", ("C123",), first.fingerprint, room.now)
    _add(room, incident)
    assert _standing(room, incident).units[0].why == "another place was added since"
    script, _ = briefing.brief(room.services, DEVON, incident.incident_id, room.now)
    assert script.fingerprint != first.fingerprint
    assert "Also Suspect's home, Flat 3, 14 Tallow Yard, EC9A 1AB." in script.say
    assert any(line.startswith("At Suspect's home") and "Domestic abuse marker" in line for line in script.say)
    assert not any("offender" in line for line in script.say)
    assert any("offender" in line for line in script.not_on_open_channel)
    briefing.hand_off(room.services, DEVON, incident.incident_id, "read_out", ("C123",), script.fingerprint, room.now)
    told = room.ledger()[-1]
    assert {seen.record_id for seen in told.records} == {"da-1", "rso-1"}
    assert _standing(room, incident).units[0].why is None
    place_id = room.get(incident).also[0].place_id
    after = opening.remove_place(room.services, DEVON, incident.incident_id, place_id, "", room.now)
    assert after.also == ()
    assert _standing(room, incident).units[0].why == "what is marked there changed since"
    entry = room.ledger()[-1]
    assert (entry.operation, entry.reason) == (Operation.ALTERATION, "place_removed")


def test_a_place_without_a_marker_that_goes_is_still_told(room: Room) -> None:
    incident = _add(room, room.open(place=QUIET), RawLocation(address="8 Foolscap Lane, EC9A 1AP"), "")
    units.add_unit(room.services, DEVON, incident.incident_id, "C123", room.now)
    script, _ = briefing.brief(room.services, DEVON, incident.incident_id, room.now)
    assert "Also 8 Foolscap Lane, EC9A 1AP." in script.say
    briefing.hand_off(room.services, DEVON, incident.incident_id, "read_out", ("C123",), script.fingerprint, room.now)
    opening.remove_place(room.services, CASEY, incident.incident_id, incident.also[0].place_id, "", room.now)
    assert _standing(room, incident).units[0].why == "the location moved since"


def test_a_marker_that_comes_to_an_added_place_is_matched_and_a_look_before_that_says_changed(room: Room) -> None:
    incident = _add(room, room.open(place=QUIET, incident_type=None))
    room.mark(DOMESTIC)
    look = room.look(incident)
    assert look.answer is not None
    assert look.answer.status is Status.CLEAR
    assert look.also[0] is not None
    assert look.also[0].status is Status.COULD_NOT_CHECK
    assert "changed since the check" in str(look.also[0].reason)
    assert [(place.changed, len(place.matches)) for place in look.shown.also] == [(True, 1)]
    assert attending.rematch(room.services, room.now) == 1
    assert attending.rematch(room.services, room.now) == 0
    (place,) = room.get(incident).also
    assert place.checked is not None
    assert (place.checked.status, place.checked.by.name) == ("hit", "Attendant")
    assert "domestic_abuse_20" in room.runs(incident)


def test_a_look_is_logged_with_what_every_place_showed(room: Room) -> None:
    room.mark(DOMESTIC)
    incident = _add(room, room.open(place=QUIET))
    before = len(room.ledger())
    room.look(incident)
    (entry,) = room.ledger()[before:]
    assert [(seen.record_id, seen.grade) for seen in entry.records] == [("da-1", "premises")]
    assert len(entry.about) > len(room.get(incident).checks[0].about)
    room.look(incident)
    assert len(room.ledger()) == before + 1


def test_what_can_not_be_added_or_removed_is_refused_and_changes_nothing(room: Room) -> None:
    incident = room.open(place=QUIET)
    version = room.get(incident).version
    with pytest.raises(RoomRefused, match="has that place already"):
        _add(room, incident, QUIET)
    with pytest.raises(LocationError):
        _add(room, incident, RawLocation())
    with pytest.raises(RoomRefused, match="few words"):
        _add(room, incident, label="a\x00b")
    with pytest.raises(RoomRefused, match="concerns the incident no more"):
        opening.remove_place(room.services, CASEY, incident.incident_id, "0" * 16, "", room.now)
    with pytest.raises(RoomRefused, match="concerns the incident no more"):
        opening.recheck(room.services, CASEY, incident.incident_id, room.now, "0" * 16)
    assert room.get(incident).version == version
    for number in range(opening.MOST_PLACES):
        _add(room, incident, RawLocation(address=f"{number + 1} Foolscap Lane, EC9A 1AP"))
    with pytest.raises(RoomRefused, match="places at most"):
        _add(room, incident)
    close(room.services, DEVON, incident.incident_id, "Done", room.now)
    with pytest.raises(IncidentClosed):
        opening.remove_place(
            room.services, CASEY, incident.incident_id, room.get(incident).also[0].place_id, "", room.now
        )


def test_a_place_is_checked_again_by_itself(room: Room) -> None:
    incident = _add(room, room.open(place=QUIET))
    own = room.get(incident).checked
    room.mark(replace(DOMESTIC, marker_id="da-9", reference="DA-9"))
    after, answer = opening.recheck(
        room.services, CASEY, incident.incident_id, room.now, room.get(incident).also[0].place_id
    )
    assert answer.status is Status.HIT
    assert after.checked == own
    assert after.also[0].checked is not None
    assert after.also[0].checked.status == "hit"


def test_a_marked_place_that_is_added_asks_anew_what_a_changed_marker_asks(room: Room) -> None:
    room.mark(DOMESTIC)
    incident = room.open(place=QUIET)
    room.answer(incident, "thrive", "when_it_happened", "now")
    _add(room, incident, RawLocation(address="8 Foolscap Lane, EC9A 1AP"))
    assert room.point(incident, "thrive", "when_it_happened").again is None
    _add(room, incident)
    assert room.point(incident, "thrive", "when_it_happened").again == "what is marked there changed"
