"""The order of the board: what needs doing first, not what came first. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from threading import Lock

from checklists.definition import Definition
from checklists.progress import PointState, State
from overlay.incidents.brief import UnitBrief, fingerprint_of, unit_briefs
from overlay.incidents.model import Incident
from overlay.incidents.raises import Raised, raised
from overlay.incidents.rules import Rules
from overlay.incidents.runs import RunState, Standings, visible

_NEVER = datetime.max.replace(tzinfo=UTC)


class Need(IntEnum):
    """How urgently an incident needs somebody, most urgent first."""

    RAISED = 0
    OVERDUE = 1
    BRIEF = 2
    OPEN = 3
    NOTHING = 4


@dataclass(frozen=True, slots=True)
class Standing:
    """One incident as a role may know it: its open prompts, what is raised, which units have to be told."""

    incident: Incident
    runs: tuple[RunState, ...]
    raises: tuple[Raised, ...]
    units: tuple[UnitBrief, ...]
    next_prompt: PointState | None
    need: Need
    since: datetime

    @property
    def overdue(self) -> int:
        return sum(len(run.progress.overdue) for run in self.runs)

    @property
    def open(self) -> int:
        return sum(len(run.progress.open) for run in self.runs)

    @property
    def waiting_raises(self) -> tuple[Raised, ...]:
        """Raises that nobody has taken yet."""
        return tuple(matter for matter in self.raises if matter.acknowledged is None)


class Board:
    """Standings of every open incident by what a role may know, kept until the incident or the clock changes them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: dict[tuple[str, frozenset[str]], tuple[int, datetime, datetime, Standing]] = {}

    def order(
        self,
        incidents: tuple[Incident, ...],
        standings: Standings,
        wordings: Mapping[str, Definition],
        known: frozenset[str],
        rules: Rules,
        now: datetime,
    ) -> list[Standing]:
        """Every incident, the one that needs somebody first in front."""
        grades = {code: place for place, code in enumerate(rules.grades)}
        rows = [self._of(incident, standings, wordings, known, rules, now) for incident in incidents]
        rows.sort(key=lambda row: _key(row, grades))
        return rows

    def _of(
        self,
        incident: Incident,
        standings: Standings,
        wordings: Mapping[str, Definition],
        known: frozenset[str],
        rules: Rules,
        now: datetime,
    ) -> Standing:
        key = incident.incident_id, known
        with self._lock:
            kept = self._kept.get(key)
        if kept is not None and kept[0] == incident.version and kept[1] <= now < kept[2]:
            return kept[3]
        standing, until = standing_of(incident, standings.of(incident, wordings, now), known, rules, now)
        with self._lock:
            self._kept[key] = incident.version, now, until, standing
        return standing

    def forget(self, there: frozenset[str]) -> None:
        """Keep nothing of incidents that are not `there` any more."""
        with self._lock:
            for gone in [key for key in self._kept if key[0] not in there]:
                del self._kept[gone]


def standing_of(
    incident: Incident, states: tuple[RunState, ...], known: frozenset[str], rules: Rules, now: datetime
) -> tuple[Standing, datetime]:
    """How an incident stands for a role, and until when that holds if nothing happens."""
    mine = tuple(state for state in states if visible(state.run, known))
    matters = raised(incident, states, known, rules, now)
    units = unit_briefs(incident, fingerprint_of(incident, states))
    prompts = [point for run in mine for point in run.progress.points if point.state is State.OPEN]
    first = min(prompts, key=lambda point: (not point.mandatory, point.due_at or _NEVER), default=None)
    waiting = [matter for matter in matters if matter.acknowledged is None]
    is_marked = any(seen.applies for checked in incident.checks for seen in checked.seen)
    need, since = Need.NOTHING, incident.opened.at
    if incident.closed is None:
        if waiting:
            need, since = Need.RAISED, min(matter.at for matter in waiting)
        elif first is not None and first.overdue:
            need, since = Need.OVERDUE, first.due_at or since
        elif is_marked and any(unit.why for unit in units):
            need = Need.BRIEF
        elif first is not None:
            need, since = Need.OPEN, first.due_at or _NEVER
    ends = [state.progress.until for state in states] + [matter.goes_on_at for matter in matters]
    until = min((end for end in ends if end is not None), default=_NEVER)
    return Standing(incident, mine, matters, units, first, need, since), until


def _key(row: Standing, grades: Mapping[str, int]) -> tuple[object, ...]:
    graded = row.incident.graded
    return (
        row.need,
        row.since,
        grades.get(graded.grade, 0) if graded is not None else 0,
        row.incident.opened.at,
        row.incident.incident_id,
    )
