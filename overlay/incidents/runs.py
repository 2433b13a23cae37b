"""Which checklists an incident opens, how far each has come, and which of them a role may know of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from checklists.definition import Definition
from checklists.progress import Fold, Progress
from markers.model import Category, Grade
from overlay.disclosure import LEVELS
from overlay.incidents.entries import Checked
from overlay.incidents.model import Incident, Run

MOST_FOLLOWED = 500  # incidents whose checklists are continued where they were left; the others begin anew
EVERY, TYPE, SILENT, MARKER = "every", "type", "silent", "marker:"
SILENT_TYPE = "silent_or_dropped"
_HEADLINE = LEVELS.index("headline")


@dataclass(frozen=True, slots=True)
class RunState:
    """A checklist of an incident as it stands."""

    run: Run
    progress: Progress


def wanted(definitions: Iterable[Definition], incident: Incident) -> tuple[tuple[Definition, tuple[str, ...]], ...]:
    """The checklists that should be open and are not, each with its reasons.

    Reasons come from what is marked, not from what somebody was shown: `visible` keeps them from whom they would tell.
    """
    open_now = {run.checklist for run in incident.runs}
    found = []
    for definition in definitions:
        because = _because(definition, incident)
        if because and definition.id not in open_now:
            found.append((definition, because))
    return tuple(found)


def _because(definition: Definition, incident: Incident) -> tuple[str, ...]:
    rule = definition.show_when
    because = []
    if rule.any_incident:
        because.append(EVERY)
    if incident.incident_type in rule.incident_types:
        because.append(TYPE)
    if rule.silent_or_dropped_from_marked_number and silent_from_marked_number(incident):
        because.append(SILENT)
    marked = dict.fromkeys(
        seen.category
        for checked in incident.checks
        for seen in checked.seen
        if seen.applies and seen.category in rule.marker_categories and (not rule.grades or seen.grade in rule.grades)
    )
    because += [MARKER + category for category in marked]
    return tuple(because)


def silent_from_marked_number(incident: Incident) -> bool:
    """Whether the call is silent or was dropped, and its number carries a marker."""
    silent = incident.incident_type == SILENT_TYPE or (incident.call is not None and incident.call.state != "connected")
    return silent and incident.checked is not None and _on_number(incident.checked)


def _on_number(checked: Checked) -> bool:
    return any(seen.applies and seen.grade == Grade.PHONE for seen in checked.seen)


def known_categories(categories: Mapping[str, Category], role: str) -> frozenset[str]:
    """The categories whose markers a role is shown by name."""
    return frozenset(
        code
        for code, category in categories.items()
        if LEVELS.index(category.disclosure.get(role, "none")) >= _HEADLINE
    )


def visible(run: Run, known: frozenset[str]) -> bool:
    """Whether a role may know of a checklist: not where its one reason is a marker whose kind is withheld."""
    return any(not why.startswith(MARKER) or why.removeprefix(MARKER) in known for why in run.because)


@dataclass(frozen=True, slots=True)
class _Followed:
    """A checklist and what came of going through all that happened to it."""

    run: Run
    fold: Fold


@dataclass(frozen=True, slots=True)
class _Kept:
    version: int
    made_at: datetime
    until: datetime | None
    states: tuple[RunState, ...]


class Standings:
    """How far the checklists of each incident have come, kept until the incident or the clock changes them.

    A checklist is gone through once: what was added since is added to it. Whoever goes on with it takes it out
    meanwhile, so that two threads never work on one; the other begins anew.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: dict[str, _Kept] = {}
        self._followed: dict[str, dict[str, _Followed]] = {}

    def of(self, incident: Incident, wordings: Mapping[str, Definition], now: datetime) -> tuple[RunState, ...]:
        """In the order they were opened. A checklist whose wording is not at hand is left out: `lacking` says so."""
        with self._lock:
            kept = self._kept.get(incident.incident_id)
            if (
                kept is not None
                and kept.version == incident.version
                and kept.made_at <= now
                and (kept.until is None or now < kept.until)
            ):
                return kept.states
            followed = self._followed.pop(incident.incident_id, {})
        going_on = {
            run.run_id: _gone_through(run, followed.get(run.run_id), wordings[run.definition])
            for run in incident.runs
            if run.definition in wordings
        }
        states = tuple(RunState(one.run, one.fold.at(now)) for one in going_on.values())
        until = min((s.progress.until for s in states if s.progress.until is not None), default=None)
        with self._lock:
            self._kept[incident.incident_id] = _Kept(incident.version, now, until, states)
            self._followed[incident.incident_id] = going_on
            while len(self._followed) > MOST_FOLLOWED:
                del self._followed[next(iter(self._followed))]
        return states

    def forget(self, there: frozenset[str]) -> None:
        """Keep nothing of incidents that are not `there` any more."""
        with self._lock:
            for gone in [incident_id for incident_id in self._kept if incident_id not in there]:
                del self._kept[gone]
                self._followed.pop(gone, None)


def _gone_through(run: Run, before: _Followed | None, definition: Definition) -> _Followed:
    """The checklist with everything that happened: from where it was left, if that is how this one began."""
    there = 0 if before is None else len(before.run.happened)
    if before is None or (before.run.definition, before.run.opened_at, before.run.happened) != (
        run.definition,
        run.opened_at,
        run.happened[:there],
    ):
        there, fold = 0, Fold(definition, run.opened_at)
    else:
        fold = before.fold
    fold.add(run.happened[there:])
    return _Followed(run, fold)


def lacking(incident: Incident, wordings: Mapping[str, Definition]) -> tuple[str, ...]:
    """Checklists that are open but whose wording is not at hand."""
    return tuple(run.checklist for run in incident.runs if run.definition not in wordings)
