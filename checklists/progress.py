"""Pure: definition x what happened x now -> what is open, due, overdue, raised, asked anew, done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from checklists.definition import Definition, Point
from checklists.record import Answer, Entry


class State(StrEnum):
    """Where one point stands."""

    WAITING = "waiting"  # its phase has not begun
    OPEN = "open"  # asked, and not answered since it was last asked
    DONE = "done"  # answered, or closed with a reason
    OVER = "over"  # asked of a unit that left, or of an incident that is closed: no longer asked, kept as it stands


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

    `asked_at` is when it was last asked: start of its phase, a redo, a repeat; None while waiting. `answer` is the one
    that stands, None when it is open anew; `earlier` are all those before, oldest first. `again` says why it is asked
    anew, None where it is asked the first time.
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
    raise NotImplementedError
