"""An incident in words: its timeline, why checklists were opened, what each point holds."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from checklists.answers import in_words
from checklists.definition import Definition, Who
from checklists.progress import PointState, RaiseKind
from checklists.record import Answer
from overlay.incidents import entries as e
from overlay.incidents.model import Incident, Run
from overlay.incidents.raises import Raised
from overlay.incidents.runs import EVERY, MARKER, SILENT, TYPE, visible
from overlay.room.briefing import HAND_OFFS
from overlay.room.opening import CALL_STATES
from overlay.room.view import IncidentView
from overlay.services import Services
from overlay.web.answer_form import filled_in
from overlay.web.room_views import LineView, PointView, RunView, SectionView
from overlay.web.then_and_now import differences

_WHY = {
    EVERY: "asked of every incident",
    TYPE: "because of the incident's type",
    SILENT: "because a call from a marked number is silent or dropped",
}
_ENDS = {"hit": "marker applies or may apply", "clear": "no marker", "could_not_check": "could not be checked"}


def runs_of(services: Services, seen: IncidentView, known: frozenset[str], reader: str) -> tuple[RunView, ...]:
    """The checklists a person may know of, the one with most to do first."""
    runs = []
    for state in seen.standing.runs:
        definition = state.progress.definition
        points: dict[str, list[PointView]] = {}
        for point in state.progress.points:
            points.setdefault(point.point.id, []).append(_point(services, seen, state.run, definition, point, reader))
        sections = tuple(
            SectionView(
                section.title,
                section.letter,
                section.asks,
                tuple(view for point in section.points for view in points.get(point.id, ())),
            )
            for section in definition.sections
        )
        asked = [p for p in state.progress.points if p.state.value in ("open", "done")]
        waiting = sum(m.acknowledged is None for m in seen.standing.raises if m.key.startswith(state.run.run_id))
        runs.append(
            RunView(
                state.run.run_id,
                definition,
                _why_opened(state.run, known),
                state.progress.done,
                len(asked),
                len(state.progress.overdue),
                waiting,
                sections,
            )
        )
    return tuple(sorted(runs, key=lambda run: (run.definition.id == "thrive", -run.overdue)))


def _why_opened(run: Run, known: frozenset[str]) -> str:
    words = [_WHY[why] for why in run.because if why in _WHY]
    if any(why.startswith(MARKER) and why.removeprefix(MARKER) in known for why in run.because):
        words.append("because of what is marked here")
    return ", ".join(words)


def _point(
    services: Services, seen: IncidentView, run: Run, definition: Definition, state: PointState, reader: str
) -> PointView:
    answer = state.answer
    prefill = seen.prefill(state)
    mark = f"{state.state}{answer.answer_id if answer else ''}{state.overdue}{state.again}{len(state.earlier)}{prefill}"
    return PointView(
        id=f"p-{run.run_id}-{state.point.id}" + (f"-{state.unit}" if state.unit else ""),
        mark=hashlib.sha256(mark.encode()).hexdigest()[:12],
        run_id=run.run_id,
        state=state,
        seen=answer.answer_id if answer else "",
        words=_said(services, definition, state, answer) if answer else None,
        earlier=tuple((_said(services, definition, state, old), old.by, old.at) for old in state.earlier),
        fields=_begin_with(state, answer.value if answer else prefill, reader),
        note=answer.note if answer else "",
        prefilled=prefill is not None,
    )


def _begin_with(state: PointState, value: Any, reader: str) -> Mapping[str, Any]:
    """What the form holds at first; what a person ticks off for themselves has their own name."""
    own = state.point.answer.type == "ack" and state.point.key is None and state.point.who is Who.CALL_HANDLER
    return {"value": reader} if own and value is None else filled_in(state.point, value)


def _said(services: Services, definition: Definition, state: PointState, answer: Answer) -> str:
    return in_words(state.point, answer.value, answer.non_answer, answer.note, definition, services.rules.lists)


def timeline(services: Services, incident: Incident, known: frozenset[str], role: str) -> tuple[LineView, ...]:
    """Everything that was recorded and that a role may know of, newest first; a later check with what it changed."""
    found: dict[str, tuple[e.Seen, ...]] = {}  # at each place by its last check
    hidden = {run.run_id for run in incident.runs if not visible(run, known)}
    lines = []
    for entry in incident.log:
        if isinstance(entry, e.RunOpened | e.Answered) and entry.run_id in hidden:
            continue
        if isinstance(entry, e.Acknowledged) and entry.key.partition("/")[0] in hidden:
            continue
        text, note = _line(services, incident, entry)
        if isinstance(entry, e.Checked):
            place = entry.place_id if isinstance(entry, e.PlaceChecked) else ""
            applying = tuple(seen for seen in entry.seen if seen.applies)
            if place in found:
                changes = differences(found[place], applying, role, services.categories)
                told = "; ".join(f"was {then or 'nothing'}, now {now or 'nothing'}" for then, now in changes)
                note = ". ".join(filter(None, (note, told)))
            found[place] = applying
        if isinstance(entry, e.Closed):
            left = left_open_words(services, incident, entry.left_open, known)
            text = f"Closed with {len(left)} left open: {', '.join(left)}" if left else "Closed"
        lines.append(LineView(entry.at, entry.by.name, services.roles.titles.get(entry.by.role, ""), text, note))
    return tuple(reversed(lines))


def _line(services: Services, incident: Incident, entry: e.Entry) -> tuple[str, str]:
    rules = services.rules
    match entry:
        case e.Opened():
            return "Opened", ""
        case e.Typed():
            return f"Type: {dict(services.incident_types).get(entry.incident_type or '', 'not known yet')}", ""
        case e.Called():
            return f"Call {CALL_STATES.get(entry.state, entry.state).lower()}", entry.number or ""
        case e.Located():
            return "Location given", where_of(entry.place.address, entry.place.postcode, entry.place.grid_reference)
        case e.PlaceAdded():
            where = where_of(entry.place.address, entry.place.postcode, entry.place.grid_reference)
            return "Place added", ", ".join(filter(None, (entry.label, where)))
        case e.PlaceRemoved():
            return "An added place concerns it no more", entry.why
        case e.PlaceChecked():
            return f"Added place checked: {_ENDS.get(entry.status, entry.status)}", entry.understood or ""
        case e.Checked():
            return f"Checked: {_ENDS.get(entry.status, entry.status)}", entry.understood or ""
        case e.Graded():
            by = f", agreed by {entry.supervisor}" if entry.supervisor else ""
            return f"Graded {rules.grades.get(entry.grade, entry.grade)}{by}", entry.reason
        case e.RunOpened():
            definition = services.wordings.get(entry.definition)
            return f"Checklist opened: {definition.title if definition else entry.checklist}", ""
        case e.Answered():
            return _answered(services, incident, entry)
        case e.UnitAdded():
            return f"{entry.call_sign} assigned", ""
        case e.UnitMoved():
            return f"{entry.call_sign}: {rules.unit_states.get(entry.state, entry.state).lower()}", ""
        case e.UnitLeft():
            return f"{entry.call_sign} left", entry.why
        case e.HandedOff():
            return f"{HAND_OFFS.get(entry.what, entry.what)}: {', '.join(entry.call_signs)}", ""
        case e.Acknowledged():
            return "Raise taken", entry.note
        case e.Linked():
            return f"Call linked: {entry.reference}", ""
        case e.Noted():
            return "Note", entry.text
        case e.Closing():
            return "Closing begun", ""
        case e.Closed():
            return "Closed", entry.reason
        case e.Reopened():
            return "Reopened", entry.reason
        case _:
            return type(entry).__name__, ""


def _answered(services: Services, incident: Incident, entry: e.Answered) -> tuple[str, str]:
    run = incident.run(entry.run_id)
    definition = services.wordings.get(run.definition) if run is not None else None
    point = next((p for p in definition.points if p.id == entry.point), None) if definition is not None else None
    if definition is None or point is None:
        return f"Answered: {entry.point}", ""
    said = in_words(point, entry.value, entry.non_answer, entry.note, definition, services.rules.lists)
    return f"{point.title}{f' ({entry.unit})' if entry.unit else ''}: {said}", ""


def where_of(*parts: str | None) -> str:
    return ", ".join(part for part in parts if part) or "no address"


def left_open_words(
    services: Services, incident: Incident, left: tuple[str, ...], known: frozenset[str]
) -> tuple[str, ...]:
    """Titles of what is left open, of the checklists a role may know of."""
    titles: Mapping[str, Definition] = {
        run.checklist: services.wordings[run.definition]
        for run in incident.runs
        if run.definition in services.wordings and visible(run, known)
    }
    found = []
    for item in left:
        checklist, point_id, *unit = item.split("/")
        definition = titles.get(checklist)
        if definition is not None:
            title = next((point.title for point in definition.points if point.id == point_id), point_id)
            found.append(f"{title}{f' ({unit[0]})' if unit else ''}")
    return tuple(found)


def raise_words(matter: Raised) -> str:
    """Why something is raised."""
    match matter.kind:
        case RaiseKind.OVERDUE:
            return "overdue"
        case RaiseKind.UNANSWERED:
            return "nothing said yet"
        case RaiseKind.EVENT:
            return "see the timeline"
        case _:
            return (matter.code or "").rpartition(":")[2].replace("_", " ")
