"""Pure: definition x what happened x now -> what is open, due, overdue, raised, asked anew, done.

What came first is decided by the order of what happened, never by its times; times only decide what is due. A point is
asked when its phase begins: on_call with the checklist, on_dispatch with the first unit (or that unit), on_scene with
the first unit (or that unit) there, before_close when somebody means to close. A redo, a repeat, a changed brief or
a unit that comes back ask again what was answered, in a new round; what was open stays open as it was. A repeat is due
`due_minutes` after it was asked again, like the first time. A raise, once made, stays: a matter was put before the
supervisor, whatever was answered later. Nothing is raised of a closed incident.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from checklists.compiled import CompiledPoint, compiled
from checklists.definition import Definition, Phase, Point
from checklists.record import Answer, Entry, Event, Happened


class State(StrEnum):
    """Where one point stands."""

    WAITING = "waiting"  # its phase has not begun
    OPEN = "open"  # asked, and not answered since it was last asked
    DONE = "done"  # answered, or closed with a reason
    OVER = "over"  # no longer asked: the unit left, the repeats have stopped, or the incident is closed


class RaiseKind(StrEnum):
    """Why something is put before the supervisor."""

    ANSWER = "answer"
    OVERDUE = "overdue"
    UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True)
class Raise:
    """One matter for the supervisor. `key` names it for good: the same matter never comes under a second key.

    `code` is the answer's code that raised it, None for lateness.
    """

    key: str
    kind: RaiseKind
    point: str
    unit: str | None
    code: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class PointState:
    """One point (for one unit, where it is asked of each) as it stands at `now`.

    `asked_at` is when it was last asked; None while waiting. `answer` is the one that stands, None when it is open
    anew; `earlier` are all those before, oldest first. `again` says why it is asked anew, None the first time.
    """

    point: Point
    unit: str | None
    state: State
    mandatory: bool
    asked_at: datetime | None
    due_at: datetime | None
    overdue: bool
    answer: Answer | None
    earlier: tuple[Answer, ...]
    again: str | None
    raises: tuple[Raise, ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """A checklist of one incident as it stands at `now`.

    `until` is the first moment at which time alone changes anything of it; None when only answers and events can.
    """

    definition: Definition
    points: tuple[PointState, ...]
    raises: tuple[Raise, ...]
    until: datetime | None

    @property
    def open(self) -> tuple[PointState, ...]:
        """What is asked and not answered, mandatory or not."""
        return tuple(state for state in self.points if state.state is State.OPEN)

    @property
    def overdue(self) -> tuple[PointState, ...]:
        """Mandatory points that are open past their time."""
        return tuple(state for state in self.points if state.overdue)

    @property
    def done(self) -> int:
        return sum(state.state is State.DONE for state in self.points)

    @property
    def left_open(self) -> tuple[PointState, ...]:
        """Mandatory points neither answered nor closed with a reason: what closing an incident has to list."""
        return tuple(s for s in self.points if s.mandatory and s.state in (State.OPEN, State.WAITING))


def progress(definition: Definition, opened_at: datetime, happened: Sequence[Entry], now: datetime) -> Progress:
    """How far a checklist has come that was opened at `opened_at`.

    `happened` stands in the order it was recorded, which decides what came first; a clock that went back does not.
    """
    fold = _Fold(compiled(definition).points, opened_at)
    places, redo_when = compiled(definition).places, compiled(definition).redo_when
    for entry in happened:
        if isinstance(entry, Answer):
            fold.answer(places[entry.point], entry)
        else:
            fold.event(entry)
            if entry.what.value in redo_when:
                fold.redo(entry)
    return fold.at(definition, now)


@dataclass(slots=True)
class _Cell:
    """One point for one unit, while entries are gone through."""

    compiled: CompiledPoint
    unit: str | None
    asked_at: datetime | None = None
    answer: Answer | None = None
    earlier: list[Answer] = field(default_factory=list)
    again: str | None = None
    round: int = 1
    over: bool = False
    stopped: bool = False
    left: bool = False
    mandatory_since: datetime | None = None
    raises: dict[str, Raise] = field(default_factory=dict)

    @property
    def mandatory(self) -> bool:
        return self.compiled.mandatory or self.mandatory_since is not None

    @property
    def open(self) -> bool:
        return self.asked_at is not None and self.answer is None and not self.over

    def due_at(self) -> datetime | None:
        if self.asked_at is None or self.compiled.due is None:
            return None
        since = self.mandatory_since
        start = self.asked_at if self.compiled.mandatory or since is None else max(self.asked_at, since)
        return start + self.compiled.due

    def repeats_at(self) -> datetime | None:
        """When it is asked again if nothing happens."""
        if self.answer is None or self.compiled.repeat is None or self.stopped or self.over or self.asked_at is None:
            return None
        return self.answer.at + self.compiled.repeat

    def settle(self, at: datetime) -> None:
        """What time alone has done to it by `at`: asked again, and late."""
        again_at = self.repeats_at()
        if again_at is not None and again_at <= at:
            self.ask_again(again_at, "time to ask again")
        if self.open:
            self._late(at)

    def _late(self, at: datetime) -> None:
        due_at = self.due_at()
        if due_at is not None and self.mandatory and due_at <= at:
            self.raise_("overdue", RaiseKind.OVERDUE, None, due_at)
        if self.compiled.unanswered is not None and self.asked_at is not None:
            silent_at = self.asked_at + self.compiled.unanswered
            if silent_at <= at:
                self.raise_("unanswered", RaiseKind.UNANSWERED, None, silent_at)

    def ask_again(self, at: datetime, why: str) -> None:
        """Ask anew what was answered; what is open stays as it is."""
        if self.answer is not None:
            self.earlier.append(self.answer)
            self.answer = None
            self.round += 1
            self.again = why
            if self.asked_at is not None:
                self.asked_at = at

    def renew(self, why: str) -> None:
        """Ask all of it anew from the start of its phase, which is still to come."""
        if self.answer is not None:
            self.earlier.append(self.answer)
        self.answer = self.asked_at = None
        self.over = self.stopped = False
        self.round += 1
        self.again = why

    def take(self, answer: Answer, *, raising: bool) -> None:
        """An answer, in place of the one before it."""
        if self.answer is not None:
            self.earlier.append(self.answer)
        self.answer = answer
        for code in self._raised_by(answer) if raising else ():
            self.raise_(code, RaiseKind.ANSWER, code, answer.at)

    def _raised_by(self, answer: Answer) -> list[str]:
        compiled, value = self.compiled, answer.value
        if answer.non_answer is not None:
            return [answer.non_answer] if answer.non_answer in compiled.raising else []
        found = [code for code in compiled.codes(value) if code in compiled.raising] if compiled.raising else []
        if compiled.no or compiled.some:
            items: dict[str, Any] = value if isinstance(value, dict) else {compiled.point.id: value}
            found += [f"no:{item}" for item in compiled.no if items.get(item) is False]
            found += [f"some:{item}" for item in compiled.some if _some(items.get(item))]
        return found

    def raise_(self, name: str, kind: RaiseKind, code: str | None, at: datetime) -> None:
        key = f"{self.compiled.point.id}|{self.unit or ''}|{self.round}|{name}"
        if key not in self.raises:
            self.raises[key] = Raise(key, kind, self.compiled.point.id, self.unit, code, at)

    def until(self, now: datetime) -> list[datetime]:
        """Later moments at which time alone changes it."""
        moments = [self.repeats_at()]
        if self.open:
            moments.append(self.due_at() if self.mandatory else None)
            if self.compiled.unanswered is not None and self.asked_at is not None:
                moments.append(self.asked_at + self.compiled.unanswered)
        return [moment for moment in moments if moment is not None and moment > now]

    def state(self) -> State:
        if self.answer is not None:
            return State.DONE
        if self.over:
            return State.OVER
        return State.WAITING if self.asked_at is None else State.OPEN

    def as_it_stands(self, now: datetime) -> PointState:
        due_at, state = self.due_at(), self.state()
        return PointState(
            self.compiled.point,
            self.unit,
            state,
            self.mandatory,
            self.asked_at,
            due_at,
            state is State.OPEN and self.mandatory and due_at is not None and due_at <= now,
            self.answer,
            tuple(self.earlier),
            self.again,
            tuple(self.raises.values()),
        )


def _some(value: Any) -> bool:
    return value is True or (type(value) is int and value > 0)


class _Fold:
    """All points, while entries are gone through."""

    __slots__ = ("cells", "closed", "order", "points", "present")

    def __init__(self, points: tuple[CompiledPoint, ...], opened_at: datetime) -> None:
        self.points = points
        self.closed = False
        self.present: dict[str, None] = {}
        self.order: list[list[_Cell]] = [[] for _ in points]
        self.cells: dict[tuple[int, str | None], _Cell] = {}
        for point in points:
            if not point.per_unit:
                self._cell(point, None, opened_at if point.phase is Phase.ON_CALL else None)

    def _cell(self, point: CompiledPoint, unit: str | None, asked_at: datetime | None = None) -> _Cell:
        cell = self.cells.get((point.place, unit))
        if cell is None:
            cell = self.cells[point.place, unit] = _Cell(point, unit, asked_at)
            self.order[point.place].append(cell)
            if point.depends is not None and self._holds(point):
                cell.mandatory_since = asked_at
        return cell

    def _all(self) -> list[_Cell]:
        return [cell for cells in self.order for cell in cells]

    def answer(self, place: int, answer: Answer) -> None:
        point = self.points[place]
        cell = self._cell(point, answer.unit if point.per_unit else None)
        if not self.closed:
            cell.settle(answer.at)
        cell.take(answer, raising=not self.closed)
        if point.watched and not self.closed:
            self._depending(place, answer.at)

    def _depending(self, place: int, at: datetime) -> None:
        for point in self.points:
            if point.depends == place:
                holds = self._holds(point)
                for cell in self.order[point.place]:
                    cell.settle(at)
                    cell.mandatory_since = (cell.mandatory_since or at) if holds else None

    def _holds(self, point: CompiledPoint) -> bool:
        assert point.depends is not None  # noqa: S101 - for the type: asked of points that depend on another
        other = self.points[point.depends]
        return any(
            not point.depends_on.isdisjoint(
                other.codes(cell.answer.value) if cell.answer.non_answer is None else (cell.answer.non_answer,)
            )
            for cell in self.order[point.depends]
            if cell.answer is not None
        )

    def event(self, event: Event) -> None:
        match event.what:
            case Happened.UNIT_ADDED if event.unit is not None:
                self._unit_added(event.unit, event.at)
            case Happened.UNIT_LEFT if event.unit is not None:
                self.present.pop(event.unit, None)
                for cell in self._of_unit(event.unit):
                    self._settle(cell, event.at)
                    cell.over = cell.answer is None
                    cell.left = cell.stopped = True
            case Happened.UNIT_ON_SCENE if event.unit is not None:
                self._on_scene(event.unit, event.at)
            case Happened.BRIEF_CHANGED:
                for cell in self._all():
                    briefing = cell.compiled.point.key == "brief" and cell.unit in self.present
                    if briefing and event.unit in (None, cell.unit):
                        self._settle(cell, event.at)
                        cell.ask_again(event.at, event.why)
            case Happened.CLOSING:
                self._begin(Phase.BEFORE_CLOSE, event.at)
            case Happened.CLOSED:
                self._begin(Phase.BEFORE_CLOSE, event.at)
                self._close(event.at)
            case Happened.REOPENED:
                self._reopen(event)
            case _:
                pass

    def redo(self, event: Event) -> None:
        """Ask everything again; a changed marker only where something had been answered."""
        answered = any(cell.answer is not None or cell.earlier for cell in self._all())
        if self.closed or (event.what is Happened.MARKER_MATCH_CHANGED and not answered):
            return
        for cell in self._all():
            if not cell.over and (cell.unit is None or cell.unit in self.present):
                cell.settle(event.at)
                cell.ask_again(event.at, event.why)

    def _settle(self, cell: _Cell, at: datetime) -> None:
        if not self.closed:
            cell.settle(at)

    def _of_unit(self, unit: str) -> list[_Cell]:
        return [cell for cell in self._all() if cell.unit == unit]

    def _begin(self, phase: Phase, at: datetime, unit: str | None = None) -> None:
        """The points of a phase that wait for it are asked."""
        for point in self.points:
            if point.phase is phase and point.per_unit == (unit is not None):
                cell = self._cell(point, unit)
                if cell.asked_at is None:
                    cell.asked_at = at
                    if cell.mandatory_since is None and point.depends is not None and self._holds(point):
                        cell.mandatory_since = at

    def _unit_added(self, unit: str, at: datetime) -> None:
        for point in self.points:
            if point.per_unit:
                cell = self._cell(point, unit)
                if unit not in self.present and cell.left:
                    cell.left = False
                    cell.renew("back on the incident")
        self.present[unit] = None
        self._begin(Phase.ON_DISPATCH, at)
        self._begin(Phase.ON_DISPATCH, at, unit)

    def _on_scene(self, unit: str, at: datetime) -> None:
        for cell in self._all():
            if cell.compiled.stops_on_scene and not cell.stopped and cell.unit in (None, unit):
                self._settle(cell, at)
                cell.stopped = True
                cell.over = cell.over or (cell.answer is None and bool(cell.earlier))
        self._begin(Phase.ON_SCENE, at)
        self._begin(Phase.ON_SCENE, at, unit)

    def _close(self, at: datetime) -> None:
        for cell in self._all():
            cell.settle(at)
        self.closed = True

    def _reopen(self, event: Event) -> None:
        self.closed = False
        for cell in self._all():
            if cell.open:
                cell.asked_at, cell.again = event.at, event.why
                cell.round += 1

    def at(self, definition: Definition, now: datetime) -> Progress:
        states: list[PointState] = []
        raises: list[Raise] = []
        moments: list[datetime] = []
        for point, cells in zip(self.points, self.order, strict=True):
            for cell in cells or [_Cell(point, None)]:
                if self.closed:
                    cell.over = cell.answer is None
                else:
                    cell.settle(now)
                    moments += cell.until(now)
                states.append(cell.as_it_stands(now))
                raises += cell.raises.values()
        return Progress(definition, tuple(states), tuple(raises), min(moments, default=None))
