"""Briefing units: the script, and the record of who was told what and read it back (a disclosure, s.62 DPA 2018)."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

from checklists.answers import in_words
from checklists.definition import Point
from checklists.progress import State
from markers.ledger import Operation
from overlay.incidents import entries as e
from overlay.incidents.book import COLLECTION
from overlay.incidents.brief import Brief, brief_of, to_say
from overlay.incidents.model import Incident
from overlay.incidents.runs import known_categories, visible
from overlay.roles import Actor
from overlay.room.change import Planned, RoomRefused, being_open, change, person
from overlay.room.looks import Shown, look, records_of
from overlay.room.units import present, read_call_sign
from overlay.services import Services

HAND_OFFS = {"read_out": "Brief read out", "copied": "Brief copied", "read_back": "Read back"}


class BriefMoved(RoomRefused):
    """What units have to be told changed since the script was shown: nobody may be recorded as told of the new one."""

    def __init__(self) -> None:
        super().__init__("brief", "What has to be told changed since this script was shown. Read the new one.")


def brief(services: Services, actor: Actor, incident_id: str, now: datetime) -> tuple[Brief, Shown]:
    """The script for one incident, as far as this role may pass it on; logged as a look before it is shown."""
    services.freshen(COLLECTION)
    (shown,) = look(services, actor, (services.incidents.get(incident_id),), now, "brief")
    return script(services, actor, shown, now), shown


def script(services: Services, actor: Actor, shown: Shown, now: datetime) -> Brief:
    """The script of what has been looked at."""
    incident = shown.incident
    states = services.standings.of(incident, services.wordings, now)
    known = known_categories(services.categories, actor.role)
    mine = tuple(state for state in states if visible(state.run, known))
    said = {
        point.point.title: in_words(
            point.point, point.answer.value, point.answer.non_answer, point.answer.note, state.progress.definition
        )
        for state in mine
        for point in to_say((state,))
        if point.answer is not None and point.answer.non_answer is None
    }
    return brief_of(
        incident,
        states,
        shown.place.matches,
        tuple((other, place.matches) for other, place in zip(incident.also, shown.also, strict=True)),
        services.categories,
        services.rules.grades,
        dict(services.incident_types),
        said,
    )


def hand_off(
    services: Services,
    actor: Actor,
    incident_id: str,
    what: str,
    call_signs: tuple[str, ...],
    fingerprint: str,
    now: datetime,
) -> Incident:
    """Record that units were read the brief, were sent a copy of it, or read it back.

    A read-back also answers the briefing points that wait for those units. Raises BriefMoved when the script shown
    is not the one that stands, RoomRefused for units that are not there, IncidentClosed.
    """
    if what not in HAND_OFFS:
        raise RoomRefused("what", f"A hand-off is {', '.join(HAND_OFFS)}.")
    units = tuple(dict.fromkeys(read_call_sign(services, unit) for unit in call_signs))
    if not units:
        raise RoomRefused("call_signs", "Say which unit.")

    def plan(incident: Incident) -> Planned:
        being_open(incident)
        for unit in units:
            present(incident, unit)
        (shown,) = look(services, actor, (incident,), now, "brief")
        stands = script(services, actor, shown, now)
        if stands.fingerprint != fingerprint:
            raise BriefMoved
        by = person(actor)
        entry = e.HandedOff(now, by, what, units, fingerprint, stands.markers)
        answers = _answers(services, actor, incident, units, by, now) if what == "read_back" else ()
        applying = tuple(item for item in shown.matches if item.match.applies)
        return Planned(
            (entry, *answers), f"brief_{what}", ("hand_offs",), Operation.DISCLOSURE, records_of(applying), units
        )

    return change(services, actor, incident_id, now, plan)


def _answers(
    services: Services, actor: Actor, incident: Incident, units: tuple[str, ...], by: e.Person, now: datetime
) -> tuple[e.Answered, ...]:
    known = known_categories(services.categories, actor.role)
    found = []
    for state in services.standings.of(incident, services.wordings, now):
        if not visible(state.run, known):
            continue
        for point in state.progress.points:
            if point.point.key != "brief" or point.unit not in units or point.state is not State.OPEN:
                continue
            value = _read_back(point.point, point.unit, now)
            if value is not None:
                found.append(
                    e.Answered(
                        now, by, state.run.run_id, secrets.token_hex(8), point.point.id, point.unit, value, None, ""
                    )
                )
    return tuple(found)


def _read_back(point: Point, unit: str, now: datetime) -> Any:
    """The answer that a read-back gives to a briefing point; None where it takes one that a read-back can't give."""
    given = {"name": unit, "at": now.isoformat()}
    if point.answer.type == "ack":
        return given
    if point.answer.type != "set":
        return None
    values: dict[str, Any] = {}
    for code, item in point.answer.items.items():
        if item.answer.type == "ack":
            values[code] = given
        elif item.answer.type == "call_signs":
            values[code] = [unit]
        elif not item.optional:
            return None
    return values
