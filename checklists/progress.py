"""Pure: definition x what happened x now -> what is open, due, overdue, raised, asked anew, done.

What came first is decided by the order of what happened, never by its times; times only decide what is due. Time is
let pass over everything at each entry and at `now`; what it did then stays done though a later clock shows less.

Asked: on_call with the checklist, on_dispatch with the first unit, on_scene with the first unit there, before_close
when somebody means to close. What is asked of each unit is asked when that unit joins or is there itself; until any
joins it waits for none. An answer that comes before its phase counts. A unit that is not on the incident is asked
nothing; what was said for it is kept.

Asked anew, in a new round with the answers before it kept: everything at a redo, briefing points (`key: brief`) when
the brief changed for that unit or for all, a repeat when its time is up, everything of a unit that comes back. What is
open then stays open as it was, due as it was; so nothing is asked anew before its first answer. A unit on
scene stops a repeat that stops there; one that is open for its time alone lapses, the first asking never does.

Mandatory because of another answer: as long as the last answer any unit gave there says so, also while that is asked
anew; due no earlier than its minutes after it became so.

Raised: each matter once a round, and for good, whatever is answered later. Of a closed incident nothing is raised and
nothing is asked; answers are kept. When it is reopened, what was left open is asked anew from then on, an answer given
meanwhile is raised, and what would have asked anew meanwhile does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime

from checklists.cell import Cell, Need
from checklists.compiled import CompiledPoint, compiled
from checklists.definition import Definition
from checklists.record import Answer, Entry, Event, Happened
from checklists.states import PointState, Progress, Raise, RaiseKind, State

__all__ = ["Fold", "PointState", "Progress", "Raise", "RaiseKind", "State", "progress"]


def progress(definition: Definition, opened_at: datetime, happened: Sequence[Entry], now: datetime) -> Progress:
    """How far a checklist has come that was opened at `opened_at`.

    `happened` stands in the order it was recorded, which decides what came first; a clock that went back does not.
    `now` may lie before the last of them: nothing is undone by it. Raises KeyError for an answer to a point that the
    definition does not have.
    """
    fold = Fold(definition, opened_at)
    fold.add(happened)
    return fold.at(now)


class Fold:
    """A checklist as far as it has been gone through: more entries may be added, and it may be asked at any time.

    `at(now)` is what `progress` makes of everything added so far, and changes nothing: a moment asked about has not
    come to pass for what is added later. One thread at a time.
    """

    __slots__ = (
        "cells", "closed", "closing", "compiled", "definition", "forward", "joined", "missed", "needs", "number",
        "present", "times",
    )  # fmt: skip

    def __init__(self, definition: Definition, opened_at: datetime) -> None:
        ready = compiled(definition)
        self.definition, self.compiled = definition, ready
        self.times = [opened_at]  # of the opening and of each entry; `forward` while none lies before another
        self.forward = True
        self.number = 0
        self.closing = self.closed = False
        self.missed: list[Event] = []
        self.present: set[str] = set()
        self.joined: dict[str, list[Cell]] = {}
        self.needs = [Need(point.mandatory) for point in ready.points]
        self.cells: list[dict[str | None, Cell]] = [
            {} if point.per_unit else {None: Cell(point, None, need)}
            for point, need in zip(ready.points, self.needs, strict=True)
        ]
        self._begin(ready.once.on_call, opened_at)

    def add(self, happened: Iterable[Entry]) -> None:
        """What happened next. Raises KeyError for an answer to a point that the definition does not have."""
        for entry in happened:
            self.forward = self.forward and self.times[-1] <= entry.at
            self.times.append(entry.at)
            self.number += 1
            if isinstance(entry, Answer):
                self._answer(entry)
            else:
                self._event(entry)

    def at(self, now: datetime) -> Progress:
        """What it has come to at `now`."""
        states: list[PointState] = []
        raises: list[Raise] = []
        until: datetime | None = None
        forward, closed, times = self.forward and self.times[-1] <= now, self.closed, self.times
        for point, by_unit, need in zip(self.compiled.points, self.cells, self.needs, strict=True):
            nobody = point.per_unit and not self.joined and None not in by_unit
            for cell in (Cell(point, None, need), *by_unit.values()) if nobody else by_unit.values():
                seen, stands = now if forward else max(now, *times[cell.looked :]), cell
                if not closed and (cell.answer is None or point.repeat is not None):
                    if cell.is_changed_by(seen):
                        stands = cell.copy()
                        stands.settle(seen)
                    for moment in stands.moments():
                        if moment is not None and moment > seen and (until is None or moment < until):
                            until = moment
                states.append(stands.as_it_stands(seen, closed=closed))
                if stands.raises:
                    raises += stands.raises.values()
        return Progress(self.definition, tuple(states), tuple(raises), until)

    def _answer(self, answer: Answer) -> None:
        point = self.compiled.by_id[answer.point]
        unit = (answer.unit or None) if point.per_unit else None
        cell = self.cells[point.place].get(unit) or self._new(point, unit)
        if point.repeat is not None or (cell.answer is None and cell.asked_at is not None):
            self._settle(cell)
        cell.take(answer)
        if point.raises and not self.closed:
            cell.raise_answer(answer, answer.at)
        if point.dependents:
            self._weigh(point, answer.at)

    def _event(self, event: Event) -> None:
        match event.what:
            case Happened.UNIT_ADDED:
                self._unit_added(event.unit, event.at)
            case Happened.UNIT_LEFT if event.unit in self.present:
                self.present.remove(event.unit)
                for cell in self._settled(self.joined[event.unit]):
                    cell.leave()
            case Happened.UNIT_ON_SCENE:
                self._on_scene(event.unit, event.at)
            case Happened.CLOSING:
                self._closing(event.at)
            case Happened.CLOSED:
                self._closing(event.at)
                for cell in self._all():
                    self._settle(cell)
                self.closed = True
            case Happened.REOPENED if self.closed:
                self._reopen(event)
            case _:
                pass
        if event.what is Happened.BRIEF_CHANGED or event.what.value in self.compiled.redo_when:
            if self.closed:
                self.missed.append(event)
            else:
                self._ask_again(event, event.at)

    def _new(self, point: CompiledPoint, unit: str | None) -> Cell:
        cell = self.cells[point.place][unit] = Cell(point, unit, self.needs[point.place], looked=self.number)
        return cell

    def _all(self) -> Iterator[Cell]:
        return (cell for by_unit in self.cells for cell in by_unit.values())

    def _seen(self, cell: Cell) -> datetime:
        """The latest time since the cell was last looked at, that of the entry then included."""
        return self.times[-1] if self.forward else max(self.times[cell.looked :])

    def _settle(self, cell: Cell) -> None:
        if not self.closed:
            cell.settle(self._seen(cell))
        cell.looked = self.number

    def _settled(self, cells: Iterable[Cell]) -> Iterator[Cell]:
        for cell in cells:
            self._settle(cell)
            yield cell

    def _weigh(self, point: CompiledPoint, at: datetime) -> None:
        """Whether the points that depend on this one are mandatory now."""
        last = [cell.last_answer for cell in self.cells[point.place].values()]
        codes = {code for answer in last if answer is not None for code in _codes(point, answer)}
        for place in point.dependents:
            other, holds = self.compiled.points[place], not codes.isdisjoint(self.compiled.points[place].depends_on)
            need = self.needs[place]
            if not other.mandatory and holds != need.mandatory:
                for cell in self.cells[place].values():
                    self._settle(cell)
                need.mandatory, need.since = holds, at if holds else None

    def _begin(self, points: tuple[CompiledPoint, ...], at: datetime, unit: str | None = None) -> None:
        """The points of a phase that wait for it are asked; answers given before stand."""
        for point in points:
            cell = self.cells[point.place][unit]
            if cell.asked_at is None:
                cell.asked_at, cell.looked = at, self.number

    def _unit_added(self, unit: str | None, at: datetime) -> None:
        once, each = self.compiled.once, self.compiled.each
        self._begin(once.on_dispatch, at)
        if unit is None or unit in self.present:
            return
        self.present.add(unit)
        if unit in self.joined:
            for cell in self._settled(self.joined[unit]):
                cell.renew(f"{unit} is back")
        else:
            self.joined[unit] = [self._joining(point, unit) for points in each for point in points]
        self._begin(each.on_call, at, unit)
        self._begin(each.on_dispatch, at, unit)
        if self.closing:
            self._begin(each.before_close, at, unit)

    def _joining(self, point: CompiledPoint, unit: str) -> Cell:
        """The cell of a unit that joins: after those that joined before, whatever was said for it already."""
        by_unit = self.cells[point.place]
        stray = by_unit.pop(unit, None)
        if stray is None:
            return self._new(point, unit)
        by_unit[unit] = stray
        return stray

    def _on_scene(self, unit: str | None, at: datetime) -> None:
        there = unit if unit in self.present else None
        for point in self.compiled.stopping:
            cell = self.cells[point.place].get(there if point.per_unit else None)
            if cell is not None:
                self._settle(cell)
                cell.stop()
        self._begin(self.compiled.once.on_scene, at)
        if there is not None:
            self._begin(self.compiled.each.on_scene, at, there)

    def _closing(self, at: datetime) -> None:
        self.closing = True
        self._begin(self.compiled.once.before_close, at)
        for unit in self.present:
            self._begin(self.compiled.each.before_close, at, unit)

    def _reopen(self, event: Event) -> None:
        for cell in self._settled(self._all()):
            cell.restart(event.at, _why(event))
        self.closed = False
        missed, self.missed = self.missed, []
        for other in missed:
            self._ask_again(other, event.at)

    def _ask_again(self, event: Event, at: datetime) -> None:
        for cell in self._all():
            point = cell.compiled
            if point.per_unit and cell.unit not in self.present:
                continue
            if event.what is Happened.BRIEF_CHANGED:
                concerned = point.key_brief and (not point.per_unit or event.unit in (None, cell.unit))
                if not concerned:
                    continue
            self._settle(cell)
            cell.ask_again(at, _why(event))


def _codes(point: CompiledPoint, answer: Answer) -> Collection[str]:
    return point.codes(answer.value) if answer.non_answer is None else (answer.non_answer,)


def _why(event: Event) -> str:
    return event.why or event.what.value.replace("_", " ")
