"""Closing an incident and opening it again, raises taken by name, linked calls, lines for the next reader."""

from __future__ import annotations

from datetime import datetime

from overlay.incidents import entries as e
from overlay.incidents.model import Incident
from overlay.incidents.raises import raised
from overlay.incidents.runs import known_categories
from overlay.roles import Actor
from overlay.room.change import Planned, RoomRefused, being_open, change, note, person
from overlay.room.opening import read_reference
from overlay.services import Services

_SAY_WHY_CLOSED = "Say in 3 characters or more how it ended; where points are open, why it closes all the same."


def begin_closing(services: Services, actor: Actor, incident_id: str, now: datetime) -> Incident:
    """Ask the points that stand before closing. Nothing else changes."""

    def plan(incident: Incident) -> Planned:
        being_open(incident)
        begun = any(isinstance(entry, e.Closing) for entry in _since_reopened(incident))
        return Planned(() if begun else (e.Closing(now, person(actor)),), "closing", ("closing",))

    return change(services, actor, incident_id, now, plan)


def close(services: Services, actor: Actor, incident_id: str, reason: str, now: datetime) -> Incident:
    """Close it, keeping the list of what was left open. Prompts never hold this up either; they ask for the reason."""
    said = note("reason", reason, _SAY_WHY_CLOSED, shortest=3)

    def plan(incident: Incident) -> Planned:
        being_open(incident)
        entry = e.Closed(now, person(actor), said, left_open(services, incident, now))
        return Planned((entry,), "closed", ("closed",))

    return change(services, actor, incident_id, now, plan)


def reopen(services: Services, actor: Actor, incident_id: str, reason: str, now: datetime) -> Incident:
    """Open it again. RoomRefused when it is open."""
    said = note("reason", reason, "Say in a line why it opens again.", shortest=3)

    def plan(incident: Incident) -> Planned:
        if incident.closed is None:
            raise RoomRefused("incident", f"{incident.reference} is open.")
        return Planned((e.Reopened(now, person(actor), said),), "reopened", ("closed",))

    return change(services, actor, incident_id, now, plan)


def left_open(services: Services, incident: Incident, now: datetime) -> tuple[str, ...]:
    """`CHECKLIST/POINT` or `CHECKLIST/POINT/UNIT` of each mandatory point neither answered nor closed with a reason."""
    return tuple(
        "/".join(filter(None, (state.run.checklist, point.point.id, point.unit)))
        for state in services.standings.of(incident, services.wordings, now)
        for point in state.progress.left_open
    )


def acknowledge(
    services: Services, actor: Actor, incident_id: str, keys: tuple[str, ...], text: str, now: datetime
) -> Incident:
    """Take raises on oneself, by name, of an open incident or a closed one.

    Those that somebody else took meanwhile stay theirs. RoomRefused for a key that is not there, or when all are taken.
    """
    said = note("note", text, "Keep the note short.")

    def plan(incident: Incident) -> Planned:
        states = services.standings.of(incident, services.wordings, now)
        known = known_categories(services.categories, actor.role)
        matters = {matter.key: matter for matter in raised(incident, states, known, services.rules, now)}
        if not keys or any(key not in matters for key in keys):
            raise RoomRefused("key", "Nothing of that name was raised on this incident.")
        free = [key for key in dict.fromkeys(keys) if matters[key].acknowledged is None]
        if not free:
            taken = matters[keys[0]].acknowledged
            raise RoomRefused("key", f"{taken.by.name if taken else 'Somebody'} has taken it already.")
        by = person(actor)
        return Planned(tuple(e.Acknowledged(now, by, key, said) for key in free), "raise_acknowledged", ("raises",))

    return change(services, actor, incident_id, now, plan)


def link(services: Services, actor: Actor, incident_id: str, reference: str, now: datetime) -> Incident:
    """Another call belongs to this incident. RoomRefused for its own reference or one that is linked."""
    other = read_reference(reference)

    def plan(incident: Incident) -> Planned:
        being_open(incident)
        known = {incident.reference, *(entry.reference for entry in incident.log if isinstance(entry, e.Linked))}
        if other.casefold() in {reference.casefold() for reference in known}:
            raise RoomRefused("reference", f"{other} belongs to this incident already.")
        return Planned((e.Linked(now, person(actor), other),), "call_linked", ("links",))

    return change(services, actor, incident_id, now, plan)


def write_note(services: Services, actor: Actor, incident_id: str, text: str, now: datetime) -> Incident:
    """Add a line to the timeline."""
    said = note("text", text, "Write the note.", shortest=1)

    def plan(incident: Incident) -> Planned:
        being_open(incident)
        return Planned((e.Noted(now, person(actor), said),), "note", ("notes",))

    return change(services, actor, incident_id, now, plan)


def _since_reopened(incident: Incident) -> tuple[e.Entry, ...]:
    opened = [n for n, entry in enumerate(incident.log) if isinstance(entry, e.Reopened)]
    return incident.log[opened[-1] :] if opened else incident.log
