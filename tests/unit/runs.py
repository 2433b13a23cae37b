"""Small checklists and what happens to them, for tests of their progress."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from checklists.definition import Definition
from checklists.progress import PointState, Progress, progress
from checklists.record import Answer, Entry, Event, Happened

OPENED = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
CHOICE = {"type": "choice", "options": {"calm": "Calm", "blade": "Blade", "overdue": "Overdue"}}


def point(name: str, phase: str = "on_call", **more: Any) -> dict[str, Any]:
    """A point as a definition file gives it; a choice unless told otherwise."""
    return {"id": name, "title": name, "prompt": name, "who": "dispatcher", "phase": phase, "answer": CHOICE} | more


def checklist(*points: dict[str, Any], redo_when: tuple[str, ...] = ()) -> Definition:
    return Definition.model_validate(
        {
            "id": "small",
            "title": "Small",
            "version": 1,
            "approval": {"status": "draft"},
            "show_when": {"any_incident": True},
            "redo_when": redo_when,
            "non_answers": {"not_known": {"label": "Not known"}, "not_asked": {"label": "Not asked"}},
            "sections": [{"id": "all", "title": "All", "points": points}],
        }
    )


def at(minutes: float) -> datetime:
    return OPENED + timedelta(minutes=minutes)


class Run:
    """One checklist that things happen to; minutes count from its opening."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.happened: list[Entry] = []
        self._numbers = itertools.count(1)

    def answer(self, minutes: float, name: str, value: Any = "calm", unit: str | None = None) -> Answer:
        given = Answer(f"a{next(self._numbers)}", name, at(minutes), "Ann", value, unit=unit)
        self.happened.append(given)
        return given

    def non_answer(self, minutes: float, name: str, code: str) -> Answer:
        given = Answer(f"a{next(self._numbers)}", name, at(minutes), "Ann", None, code)
        self.happened.append(given)
        return given

    def hear(self, minutes: float, what: Happened, unit: str | None = None, why: str = "") -> None:
        self.happened.append(Event(what, at(minutes), unit, why))

    def now(self, minutes: float) -> Progress:
        return progress(self.definition, OPENED, self.happened, at(minutes))

    def state(self, minutes: float, name: str, unit: str | None = None) -> PointState:
        (found,) = (s for s in self.now(minutes).points if s.point.id == name and s.unit == unit)
        return found

    def raised(self, minutes: float) -> list[tuple[str, str | None, float]]:
        """What is raised by then: kind, code, and when it arose in minutes."""
        return [(r.kind.value, r.code, (r.at - OPENED).total_seconds() / 60) for r in self.now(minutes).raises]
