"""What a checklist comes to: where each point stands, what is raised, and how long that holds.

Raises and states of points are named tuples: a board makes them by the thousand, five times faster than frozen classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from checklists.definition import Definition, Point
from checklists.record import Answer


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
    EVENT = "event"


class Raise(NamedTuple):
    """One matter for the supervisor. `key` names it for good: the same matter never comes under a second key.

    `code` is the answer's code that raised it (`no:ITEM` and `some:ITEM` where an item did), None for lateness.
    """

    key: str
    kind: RaiseKind
    point: str
    unit: str | None
    code: str | None
    at: datetime


class PointState(NamedTuple):
    """One point (for one unit, where it is asked of each) as it stands at `now`.

    `asked_at` is when it was last asked; None while waiting. `answer` is the one that stands, None when it is open
    anew; `earlier` are all those before, oldest first. `again` says why it is asked anew, None the first time.
    `overdue` is only ever true of a mandatory point that is open. `raises` are those of every round.
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
