"""The grade of an incident: any change has a reason; a lower one has a supervisor's name, and asks for a new THRIVE."""

from __future__ import annotations

from datetime import datetime

from overlay.incidents import entries as e
from overlay.incidents.model import Incident
from overlay.roles import Actor
from overlay.room.change import Planned, RoomRefused, being_open, change, line, note, person
from overlay.services import Services

_SAY_REASON = "Give the reason for the grade in a line."
_SAY_SUPERVISOR = "A lower grade needs the name of the supervisor who agreed to it."


def grade(
    services: Services, actor: Actor, incident_id: str, code: str, reason: str, supervisor: str | None, now: datetime
) -> Incident:
    """Set the grade. Raises RoomRefused, IncidentClosed, and what a change raises."""

    def plan(incident: Incident) -> Planned:
        being_open(incident)
        entries = regraded(services, incident, person(actor), code, reason, supervisor, now)
        if not entries:
            raise RoomRefused("grade", f"It is graded {services.rules.grades[code]} already.")
        return Planned(entries, "graded", ("grade",))

    return change(services, actor, incident_id, now, plan)


def regraded(
    services: Services,
    incident: Incident,
    by: e.Person,
    code: str,
    reason: str,
    supervisor: str | None,
    now: datetime,
) -> tuple[e.Entry, ...]:
    """The entry of a change of grade, none where it stays. Raises RoomRefused."""
    rules = services.rules
    if code not in rules.grades:
        raise RoomRefused("grade", f"A grade is {', '.join(rules.grades)}.")
    before = incident.graded.grade if incident.graded is not None else None
    if code == before:
        return ()
    tidy = note("reason", reason, _SAY_REASON, shortest=3)
    lowered = rules.lowers(before, code)
    agreed = line("supervisor", supervisor or "", _SAY_SUPERVISOR, shortest=2) if lowered or supervisor else None
    return (e.Graded(now, by, code, tidy, lowered, agreed),)
