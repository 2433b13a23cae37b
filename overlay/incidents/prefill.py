"""What the system knows for a point, for a person to confirm. Pure; only from what the asking role was shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from checklists.definition import Point
from markers.location import RawLocation
from markers.model import Grade, Status, SubBuilding
from overlay.disclosure import Shown
from overlay.incidents.model import Incident

_YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Told:
    """What a person is told of the incident's check: how it ended, what could not be decided, what applies."""

    status: Status
    reason: str | None
    shown: tuple[Shown, ...]


def prefilled(point: Point, incident: Incident, told: Told | None, earlier_calls: int) -> Any:
    """A value to begin with, or None. What was not asked or not decided is never filled in as clear."""
    match point.prefill:
        case "marker_match":
            return _from_check(point, incident, told) if told is not None else None
        case "call_history":
            return _from_history(point, earlier_calls)
        case "grade":
            return _from_grade(point, incident)
        case _:
            return None


def _from_check(point: Point, incident: Incident, told: Told) -> Any:
    if point.answer.type == "checks":
        return {code: _ended(code, incident, told) for code in point.answer.items}
    if point.answer.type == "choice":
        code = _premises(told)
        return code if code in point.answer.options else None
    return None


def _ended(code: str, incident: Incident, told: Told) -> str:
    """How the check of one thing ended: the address and the number are checked here, nothing else is."""
    place = incident.place or RawLocation()
    number = code.startswith("phone")
    given = place.phone if number else replace(place, phone=None) != RawLocation()
    if not given or not code.startswith(("address", "phone")):
        return "not_done"
    if any((item.grade is Grade.PHONE) == number and _applies(item) for item in told.shown):
        return "hit"
    # A hit on the one says nothing of the other where anything was left undecided.
    decided = told.reason is None and told.status in (Status.CLEAR, Status.HIT)
    return "clear" if decided else "failed"


def _applies(shown: Shown) -> bool:
    return shown.action is not None or shown.ask is not None


def _premises(told: Told) -> str:
    if any(item.grade is Grade.PREMISES for item in told.shown):
        return "same_premises_as_marker"
    if any(item.grade is Grade.BUILDING and item.sub_building is SubBuilding.DIFFERENT for item in told.shown):
        return "same_building_other_unit"
    if any(item.grade is Grade.NEARBY for item in told.shown):
        return "nearby_only"
    return "no_marker_here" if told.status is Status.CLEAR else "not_confirmed"


def _from_history(point: Point, earlier_calls: int) -> Any:
    if point.answer.type != "choice":
        return None
    code = "three_or_more_in_a_year" if earlier_calls >= 2 else "repeat" if earlier_calls else "first_contact"
    return code if code in point.answer.options else None


def _from_grade(point: Point, incident: Incident) -> Any:
    if incident.graded is None or point.answer.type != "set":
        return None
    return {
        code: incident.graded.grade
        for code, item in point.answer.items.items()
        if item.answer.type == "listed" and item.answer.list == "grades"
    } or None


def earlier_calls(incident: Incident, others: Iterable[Incident], now: datetime) -> int:
    """How many other incidents of the year before were at the same home or from the same number."""
    same = frozenset(incident.checked.same) if incident.checked is not None else frozenset()
    return sum(
        other.incident_id != incident.incident_id
        and now - other.opened.at <= _YEAR
        and other.opened.at <= incident.opened.at
        and other.checked is not None
        and not same.isdisjoint(other.checked.same)
        for other in others
    )
