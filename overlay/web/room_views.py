"""What the pages of incidents may use, and nothing else: one frozen value a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from checklists.definition import Definition
    from checklists.progress import PointState
    from overlay.incidents.board import Standing
    from overlay.incidents.brief import Brief, UnitBrief
    from overlay.incidents.raises import Raised
    from overlay.lookup import Answer
    from overlay.web.views import Chrome


@dataclass(frozen=True, slots=True)
class PointView:
    """One point with its form. `mark` changes whenever the point does; `fields` is what the form holds.

    `prefilled` says that the form was filled in by the system and waits to be confirmed; `problem` what was wrong
    with what was just sent, `theirs` somebody else's answer that came first.
    """

    id: str
    mark: str
    run_id: str
    state: PointState
    seen: str
    words: str | None
    earlier: tuple[tuple[str, str, datetime], ...]
    fields: Mapping[str, Any]
    note: str
    prefilled: bool
    problem: str | None = None
    theirs: str | None = None


@dataclass(frozen=True, slots=True)
class SectionView:
    """Points under one question. `letter` is THRIVE's; `done` when none of them is open."""

    title: str
    letter: str | None
    asks: str | None
    points: tuple[PointView, ...]

    @property
    def open(self) -> int:
        return sum(point.state.state.value == "open" for point in self.points)


@dataclass(frozen=True, slots=True)
class RunView:
    """One checklist. `why` it was opened, in words."""

    run_id: str
    definition: Definition
    why: str
    done: int
    all: int
    overdue: int
    raised: int
    sections: tuple[SectionView, ...]


@dataclass(frozen=True, slots=True)
class LineView:
    """One line of the timeline."""

    at: datetime
    who: str
    role: str
    text: str
    note: str


@dataclass(frozen=True, slots=True)
class UnitView:
    """One call sign: where it stands and what it has to be told. `left` when it is on the incident no more."""

    call_sign: str
    state: str
    state_title: str
    state_at: datetime
    left: bool
    brief: UnitBrief | None


@dataclass(frozen=True, slots=True)
class PlaceView:
    """A place that was added to an incident, for `components/answer.html`: glass is broken on the incident's own.

    `marks` say each of its matches to the person who looks, the first of them being number `first_mark` of the page;
    none where they tell nobody of it.
    """

    place_id: str
    where: str
    answer: Answer | None
    may_open_markers: bool
    incident_id: str
    marks: tuple[str, ...]
    first_mark: int
    since: tuple[tuple[str, str], ...] = ()
    glass: None = None

    @property
    def mark(self) -> str:
        """Changes whenever what is shown of it does."""
        if self.answer is None:
            return self.place_id
        how = "changed" if self.answer.reason else "stands"
        return f"{self.place_id}-{self.answer.check_id}-{self.answer.status}-{self.answer.store}-{how}"


@dataclass(frozen=True, slots=True)
class IncidentPage:
    """`pages/incident.html` and `fragments/work.html`. `refusal`: what was wrong with `form`; `typed`: what it held.

    `since` is what applied at the last check beside what applies now, where that differs.
    """

    chrome: Chrome
    now: datetime
    incident_id: str
    version: int
    reference: str
    type_title: str | None
    incident_type: str
    grade: str | None
    grade_title: str | None
    graded_reason: str | None
    call: str
    number: str | None
    where: str
    opened: datetime
    opened_by: str
    closed: datetime | None
    closed_reason: str | None
    answer: Answer | None
    changed: bool
    also: tuple[PlaceView, ...]
    warnings: tuple[str, ...]
    runs: tuple[RunView, ...]
    units: tuple[UnitView, ...]
    brief: Brief
    raises: tuple[Raised, ...]
    lines: tuple[LineView, ...]
    left_open: tuple[str, ...]
    standing: Standing
    lacking: tuple[str, ...]
    grades: Mapping[str, str]
    unit_states: Mapping[str, str]
    incident_types: tuple[tuple[str, str], ...]
    call_states: Mapping[str, str]
    contact_methods: Mapping[str, str]
    may_work: bool
    may_dispatch: bool
    may_close: bool
    may_take: bool
    example: str
    refusal: str | None = None
    form: str | None = None
    typed: Mapping[str, str] | None = None
    may_open_markers: bool = False
    marks: tuple[str, ...] = ()
    first_mark: int = 0
    since: tuple[tuple[str, str], ...] = ()
    glass: None = None


@dataclass(frozen=True, slots=True)
class RowView:
    """One incident of the board. `shapes`: what applies, as shape and words; `mark` changes whenever the row does."""

    incident_id: str
    mark: str
    reference: str
    grade: str | None
    grade_title: str | None
    type_title: str | None
    where: str
    opened: datetime
    shapes: tuple[tuple[str, str], ...]
    units: tuple[UnitView, ...]
    next_prompt: PointState | None
    open: int
    overdue: int
    raises: tuple[Raised, ...]
    briefs: tuple[str, ...]
    need: str

    @property
    def sounds(self) -> tuple[str, ...]:
        """A name for each thing that needs somebody, the same for as long as it does."""
        names = [matter.key for matter in self.raises]
        if self.briefs:
            untold = (unit.call_sign for unit in self.units if unit.brief is not None and unit.brief.why)
            names += [f"{self.incident_id}-brief-{call_sign}" for call_sign in untold]
        prompt = self.next_prompt
        if prompt is not None and prompt.overdue:
            names.append(f"{self.incident_id}-{prompt.point.id}-{prompt.unit or ''}")
        return tuple(names)


@dataclass(frozen=True, slots=True)
class BoardPage:
    """`pages/board.html` and `fragments/rows.html`. `more` incidents are open beyond those shown."""

    chrome: Chrome
    now: datetime
    rows: tuple[RowView, ...]
    open: int
    more: int
    page: int
    unreadable: int
