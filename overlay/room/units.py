"""Units of an incident: who is on it, where each stands, and who left. No prompt ever holds one up."""

from __future__ import annotations

from datetime import datetime

from overlay.incidents import entries as e
from overlay.incidents.model import Incident
from overlay.roles import Actor
from overlay.room.change import Planned, RoomRefused, being_open, change, note, person
from overlay.services import Services

_MOST = 60


def add_unit(services: Services, actor: Actor, incident_id: str, call_sign: str, now: datetime) -> Incident:
    """Put a unit on the incident; one that left comes back. RoomRefused for one that is on it, IncidentClosed."""
    tidy = read_call_sign(services, call_sign)

    def plan(incident: Incident) -> Planned:
        being_open(incident)
        if tidy in incident.present:
            raise RoomRefused("call_sign", f"{tidy} is on this incident already.")
        if len(incident.units) >= _MOST:
            raise RoomRefused("call_sign", f"This incident has had {_MOST} units: link a second incident for more.")
        return Planned((e.UnitAdded(now, person(actor), tidy),), "unit_added", ("units",))

    return change(services, actor, incident_id, now, plan)


def move_unit(
    services: Services, actor: Actor, incident_id: str, call_sign: str, state: str, now: datetime
) -> Incident:
    """Say where a unit stands. RoomRefused for one that is not on the incident or a state that is not known."""
    tidy = read_call_sign(services, call_sign)
    if state not in services.rules.unit_states:
        raise RoomRefused("state", f"A unit is {', '.join(services.rules.unit_states)}.")

    def plan(incident: Incident) -> Planned:
        present(being_open(incident), tidy)
        now_at = next(unit.state for unit in incident.units if unit.call_sign == tidy)
        moved = () if now_at == state else (e.UnitMoved(now, person(actor), tidy, state),)
        return Planned(moved, "unit_state", ("units",))

    return change(services, actor, incident_id, now, plan)


def leave(services: Services, actor: Actor, incident_id: str, call_sign: str, why: str, now: datetime) -> Incident:
    """Take a unit off the incident. RoomRefused for one that is not on it."""
    tidy = read_call_sign(services, call_sign)
    reason = note("why", why, "Say in a line why it left, or leave it empty.")

    def plan(incident: Incident) -> Planned:
        present(being_open(incident), tidy)
        return Planned((e.UnitLeft(now, person(actor), tidy, reason),), "unit_left", ("units",))

    return change(services, actor, incident_id, now, plan)


def present(incident: Incident, call_sign: str) -> None:
    """Raises RoomRefused for a unit that is not on the incident now."""
    if call_sign not in incident.present:
        left = any(unit.call_sign == call_sign for unit in incident.units)
        raise RoomRefused(
            "call_sign",
            f"{call_sign} has left this incident. Add it again first."
            if left
            else f"{call_sign} is not on this incident. Add it first.",
        )


def read_call_sign(services: Services, text: str) -> str:
    """A call sign as it is kept: capitals, no spaces. Raises RoomRefused."""
    tidy = "".join(text.split()).upper()
    if len(text) > 60 or not services.rules.call_sign.fullmatch(tidy):
        raise RoomRefused("call_sign", f"Give a call sign like {services.rules.call_sign_example}.")
    return tidy
