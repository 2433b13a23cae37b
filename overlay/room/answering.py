"""Answering a point of a checklist. Every answer is kept; none silently takes the place of another's."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from checklists.answers import AnswerRefused, read_answer
from checklists.definition import Definition, Point
from checklists.progress import PointState, State
from checklists.record import Answer
from overlay.incidents import entries as e
from overlay.incidents.model import Incident, Run
from overlay.incidents.runs import known_categories, visible
from overlay.roles import Actor
from overlay.room.change import Planned, RoomRefused, being_open, change, person
from overlay.room.grading import regraded
from overlay.services import Services


class NoSuchPoint(RoomRefused):
    """No checklist or point of that name on this incident, as far as this person may know."""


class AnswerMoved(Exception):
    """Somebody else answered first. `theirs` stands; to answer all the same, send it again having seen theirs."""

    def __init__(self, theirs: Answer) -> None:
        super().__init__(
            f"{theirs.by} has answered this since you opened it. Yours was not recorded; theirs stands. "
            "Read it, and answer again if yours should stand instead."
        )
        self.theirs = theirs


@dataclass(frozen=True, slots=True)
class Given:
    """An answer as it was sent. `seen` is the id of the answer that stood when the person saw the point, or empty."""

    run_id: str
    point: str
    value: Any = None
    non_answer: str | None = None
    note: str = ""
    unit: str | None = None
    seen: str = ""


def answer(services: Services, actor: Actor, incident_id: str, given: Given, now: datetime) -> Incident:
    """Record an answer. An answer that is the incident's grade sets it, under the same rules.

    Raises NoSuchPoint, AnswerRefused, AnswerMoved, IncidentClosed, RoomRefused, and what a change raises.
    """

    def plan(incident: Incident) -> Planned:
        being_open(incident)
        run, definition, point = find(services, actor, incident, given.run_id, given.point)
        _unit(incident, point, given.unit)
        standing = _standing(services, incident, run, point, given.unit, now)
        if standing is not None and standing.answer is not None and standing.answer.answer_id != given.seen:
            raise AnswerMoved(standing.answer)
        value, non_answer, note = read_answer(
            definition,
            point.id,
            given.value,
            given.non_answer,
            given.note,
            lists={name: tuple(codes) for name, codes in services.rules.lists.items()},
            call_signs=tuple(unit.call_sign for unit in incident.units),
        )
        by = person(actor)
        entry = e.Answered(now, by, run.run_id, secrets.token_hex(8), point.id, given.unit, value, non_answer, note)
        answers = (entry, *_asked_elsewhere(services, actor, incident, entry, point, now))
        fields = tuple(_field(incident, one) for one in answers)
        return Planned((*answers, *_grade(services, incident, point, value, by, now)), "answered", fields)

    return change(services, actor, incident_id, now, plan)


def _field(incident: Incident, answered: e.Answered) -> str:
    """How the ledger names what was answered."""
    run = incident.run(answered.run_id)
    return ".".join(filter(None, (run.checklist if run else None, answered.point, answered.unit)))


def _asked_elsewhere(
    services: Services, actor: Actor, incident: Incident, first: e.Answered, point: Point, now: datetime
) -> tuple[e.Answered, ...]:
    """The same answer where another checklist of the incident waits for the same thing: nobody is asked twice."""
    if point.key is None:
        return ()
    known = known_categories(services.categories, actor.role)
    return tuple(
        replace(first, run_id=state.run.run_id, answer_id=secrets.token_hex(8), point=other.point.id)
        for state in services.standings.of(incident, services.wordings, now)
        if visible(state.run, known)
        for other in state.progress.points
        if (state.run.run_id, other.point.id) != (first.run_id, first.point)
        and (other.point.key, other.unit, other.state) == (point.key, first.unit, State.OPEN)
        and _takes_the_same(other.point, point)
    )


def _takes_the_same(other: Point, point: Point) -> bool:
    return (other.answer, other.note_required_if) == (point.answer, point.note_required_if)


def find(
    services: Services, actor: Actor, incident: Incident, run_id: str, point_id: str
) -> tuple[Run, Definition, Point]:
    """The run and point of those ids, if this person may know of them. Raises NoSuchPoint."""
    run = incident.run(run_id)
    if run is None or not visible(run, known_categories(services.categories, actor.role)):
        raise NoSuchPoint("run_id", "There is no such checklist on this incident.")
    definition = services.wordings.get(run.definition)
    if definition is None:
        raise NoSuchPoint("run_id", f"The wording of {run.checklist} is not at hand here, so it can't be answered.")
    point = next((point for point in definition.points if point.id == point_id), None)
    if point is None:
        raise NoSuchPoint("point", f"{definition.title} has no point of that name.")
    return run, definition, point


def _standing(
    services: Services, incident: Incident, run: Run, point: Point, unit: str | None, now: datetime
) -> PointState | None:
    return next(
        (
            standing
            for state in services.standings.of(incident, services.wordings, now)
            if state.run.run_id == run.run_id
            for standing in state.progress.points
            if standing.point.id == point.id and standing.unit == unit
        ),
        None,
    )


def _unit(incident: Incident, point: Point, unit: str | None) -> None:
    if point.repeat_per_unit:
        if unit is None:
            raise AnswerRefused("unit", "This is asked of each unit: say which.")
        if unit not in incident.present:
            raise AnswerRefused("unit", f"{unit} is not on this incident now. Add it, or answer for one that is.")
    elif unit is not None:
        raise AnswerRefused("unit", "This is not asked of each unit: leave the unit out.")


def _grade(
    services: Services, incident: Incident, point: Point, value: Any, by: e.Person, now: datetime
) -> tuple[e.Entry, ...]:
    """The grade that an answer sets, where it holds one and it is another than the incident has."""
    answer_type = point.answer
    if answer_type.type == "listed" and answer_type.list == "grades" and isinstance(value, str):
        return regraded(services, incident, by, value, point.title, None, now)
    if answer_type.type != "set" or value is None:
        return ()
    graded = [
        code
        for code, item in answer_type.items.items()
        if item.answer.type == "listed" and item.answer.list == "grades" and isinstance(value.get(code), str)
    ]
    if not graded:
        return ()
    reason = next((v for code, v in value.items() if isinstance(v, str) and code not in graded), point.title)
    agreed = next((v["name"] for v in value.values() if isinstance(v, dict) and "name" in v), None)
    return regraded(services, incident, by, value[graded[0]], reason, agreed, now)
