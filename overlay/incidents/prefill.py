"""What the system knows for a point, for a person to confirm. Pure; only from what the asking role was shown."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from checklists.definition import Point
from markers.model import Grade, SubBuilding
from overlay.disclosure import Shown
from overlay.incidents.model import Incident

_YEAR = timedelta(days=365)
_HERE = (Grade.PREMISES, Grade.POSSIBLE)


def prefilled(point: Point, incident: Incident, shown: tuple[Shown, ...], earlier_calls: int) -> Any:
    """A value to begin with, or None. A check that could not be made prefills `failed`, never `clear`."""
    match point.prefill:
        case "marker_match":
            return _from_check(point, incident, shown)
        case "call_history":
            return _from_history(point, earlier_calls)
        case "grade":
            return _from_grade(point, incident)
        case _:
            return None


def _from_check(point: Point, incident: Incident, shown: tuple[Shown, ...]) -> Any:
    checked = incident.checked
    if checked is None:
        return None
    if point.answer.type == "checks":
        return {code: _ended(code, incident, shown) for code in point.answer.items}
    if point.answer.type == "choice":
        code = _premises(shown, decided=checked.status != "could_not_check")
        return code if code in point.answer.options else None
    return None


def _ended(code: str, incident: Incident, shown: tuple[Shown, ...]) -> str:
    """How the check of one thing ended: the address and the number are checked here, nothing else is."""
    checked = incident.checked
    if checked is None or not code.startswith(("address", "phone")):
        return "not_done"
    number = code.startswith("phone")
    if number and (incident.place is None or not incident.place.phone):
        return "not_done"
    if any((item.grade is Grade.PHONE) == number and _applies(item) for item in shown):
        return "hit"
    if number:
        return "clear"
    return {"could_not_check": "failed"}.get(checked.status, "clear")


def _applies(shown: Shown) -> bool:
    return shown.action is not None or shown.ask is not None


def _premises(shown: tuple[Shown, ...], *, decided: bool) -> str:
    if any(item.grade is Grade.PREMISES for item in shown):
        return "same_premises_as_marker"
    if any(item.grade is Grade.BUILDING and item.sub_building is SubBuilding.DIFFERENT for item in shown):
        return "same_building_other_unit"
    if any(item.grade is Grade.NEARBY for item in shown):
        return "nearby_only"
    return "no_marker_here" if decided and not shown else "not_confirmed"


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
