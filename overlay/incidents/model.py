"""An incident as its entries leave it: who is on it, where it is, how it is graded, what was found, what is asked."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from checklists.record import Answer, Event, Happened
from checklists.record import Entry as Told
from markers.location import RawLocation
from overlay.incidents import entries as e

FORMAT: Final = 1


class BadIncident(ValueError):
    """A record that is not an incident of a form this version knows."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One call sign of the incident. `left_at` is None while it is on it; `state` is a code, `state_at` since when."""

    call_sign: str
    added_at: datetime
    state: str
    state_at: datetime
    left_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One open checklist and what it has to hear, in order."""

    run_id: str
    checklist: str
    definition: str
    because: tuple[str, ...]
    opened_at: datetime
    happened: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A place that concerns an incident beside its own, and the last check of it."""

    place_id: str
    label: str
    where: RawLocation
    checked: e.PlaceChecked | None


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident. `log` is everything; the rest follows from it. `version` is the record's in the store."""

    incident_id: str
    version: int
    log: tuple[e.Entry, ...]
    reference: str
    opened: e.Opened
    incident_type: str | None
    call: e.Called | None
    place: RawLocation | None
    checked: e.Checked | None
    also: tuple[Place, ...]
    graded: e.Graded | None
    units: tuple[Unit, ...]
    runs: tuple[Run, ...]
    hand_offs: tuple[e.HandedOff, ...]
    acknowledged: dict[str, e.Acknowledged]
    closed: e.Closed | None

    @property
    def present(self) -> tuple[str, ...]:
        """Call signs that are on the incident now."""
        return tuple(unit.call_sign for unit in self.units if unit.left_at is None)

    @property
    def checks(self) -> tuple[e.Checked, ...]:
        """The last check of each of its places, its own first."""
        found = (self.checked, *(place.checked for place in self.also))
        return tuple(checked for checked in found if checked is not None)

    def other_place(self, place_id: str) -> Place | None:
        return next((place for place in self.also if place.place_id == place_id), None)

    def run(self, run_id: str) -> Run | None:
        return next((run for run in self.runs if run.run_id == run_id), None)

    def with_entries(self, *new: e.Entry) -> Incident:
        """The incident after more was recorded, at its next version."""
        return incident_of(self.incident_id, self.version + 1, (*self.log, *new))

    def as_plain(self) -> bytes:
        """The content of the sealed record."""
        plain = {"format": FORMAT, "log": [e.as_plain(entry) for entry in self.log]}
        return json.dumps(plain, separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def from_plain(cls, incident_id: str, version: int, plain: bytes) -> Incident:
        """The inverse of `as_plain`. Raises BadIncident."""
        try:
            whole: dict[str, Any] = json.loads(plain)
            if whole["format"] != FORMAT:
                raise BadIncident(f"incident {incident_id} is written in a form this version does not know")
            people: dict[tuple[str, ...], e.Person] = {}
            return incident_of(incident_id, version, tuple(e.from_plain(entry, people) for entry in whole["log"]))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise BadIncident(f"incident {incident_id} can't be read: {type(error).__name__}") from error


@dataclass(slots=True)
class _Run:
    opened: e.RunOpened
    happened: list[Told]


@dataclass(slots=True)
class _Fold:
    """The state while entries are gone through."""

    units: dict[str, Unit] = field(default_factory=dict)
    runs: dict[str, _Run] = field(default_factory=dict)
    hand_offs: list[e.HandedOff] = field(default_factory=list)
    acknowledged: dict[str, e.Acknowledged] = field(default_factory=dict)
    incident_type: str | None = None
    call: e.Called | None = None
    place: RawLocation | None = None
    checked: e.Checked | None = None
    also: dict[str, Place] = field(default_factory=dict)
    graded: e.Graded | None = None
    closed: e.Closed | None = None

    def tell(self, *told: Told) -> None:
        for run in self.runs.values():
            run.happened.extend(told)

    def _marked_otherwise(self, at: datetime) -> None:
        why = "what is marked there changed"
        self.tell(
            Event(Happened.MARKER_MATCH_CHANGED, at, why=why),
            Event(Happened.BRIEF_CHANGED, at, why=why),
        )

    def take(self, entry: e.Entry) -> None:
        match entry:
            case e.Typed():
                self.incident_type = entry.incident_type
            case e.Called():
                worse = entry.state != "connected" and (self.call is None or self.call.state == "connected")
                self.call = entry
                if worse:
                    self.tell(Event(Happened.CALL_DROPPED_OR_SILENT, entry.at, why=f"the call is {entry.state}"))
            case e.Located():
                moved = self.place is not None and self.place != entry.place
                self.place = entry.place
                if moved:
                    self.tell(
                        Event(Happened.LOCATION_CHANGED, entry.at, why="the location moved"),
                        Event(Happened.BRIEF_CHANGED, entry.at, why="the location moved"),
                    )
            case e.PlaceAdded():
                self.also[entry.place_id] = Place(entry.place_id, entry.label, entry.place, None)
                self.tell(Event(Happened.BRIEF_CHANGED, entry.at, why="another place was added"))
            case e.PlaceChecked() if entry.place_id in self.also:
                place = self.also[entry.place_id]
                before = applying(place.checked) if place.checked is not None else frozenset()
                self.also[entry.place_id] = replace(place, checked=entry)
                if before != applying(entry):
                    self._marked_otherwise(entry.at)
            case e.PlaceChecked():
                pass  # it was removed meanwhile
            case e.PlaceRemoved():
                if self.also.pop(entry.place_id, None) is not None:
                    self.tell(Event(Happened.BRIEF_CHANGED, entry.at, why="a place concerns it no more"))
            case e.Checked():
                changed = self.checked is not None and applying(self.checked) != applying(entry)
                self.checked = entry
                if changed:
                    self._marked_otherwise(entry.at)
            case e.Graded():
                self.graded = entry
                if entry.lowered:
                    self.tell(Event(Happened.GRADE_LOWERED, entry.at, why="the grade was lowered"))
            case e.RunOpened():
                run = _Run(entry, [])
                for unit in self.units.values():
                    if unit.left_at is None:
                        run.happened.append(Event(Happened.UNIT_ADDED, entry.at, unit.call_sign))
                        if unit.state == "on_scene":
                            run.happened.append(Event(Happened.UNIT_ON_SCENE, entry.at, unit.call_sign))
                self.runs[entry.run_id] = run
            case e.Answered():
                self.runs[entry.run_id].happened.append(_answer(entry))
            case e.UnitAdded():
                self.units[entry.call_sign] = Unit(entry.call_sign, entry.at, "assigned", entry.at)
                self.tell(Event(Happened.UNIT_ADDED, entry.at, entry.call_sign))
            case e.UnitMoved():
                unit = self.units[entry.call_sign]
                self.units[entry.call_sign] = replace(unit, state=entry.state, state_at=entry.at)
                match entry.state:
                    case "on_scene":
                        self.tell(Event(Happened.UNIT_ON_SCENE, entry.at, entry.call_sign))
                    case "diverted":
                        why = f"{entry.call_sign} was diverted"
                        self.tell(Event(Happened.UNIT_DIVERTED, entry.at, entry.call_sign, why))
            case e.UnitLeft():
                self.units[entry.call_sign] = replace(self.units[entry.call_sign], left_at=entry.at)
                self.tell(Event(Happened.UNIT_LEFT, entry.at, entry.call_sign, entry.why))
            case e.HandedOff():
                self.hand_offs.append(entry)
            case e.Acknowledged():
                self.acknowledged.setdefault(entry.key, entry)
            case e.Linked():
                self.tell(Event(Happened.NEW_CALL_LINKED, entry.at, why="another call came in"))
            case e.Closing():
                self.tell(Event(Happened.CLOSING, entry.at))
            case e.Closed():
                self.closed = entry
                self.tell(Event(Happened.CLOSED, entry.at))
            case e.Reopened():
                self.closed = None
                self.tell(Event(Happened.REOPENED, entry.at, why="the incident was reopened"))


def _answer(entry: e.Answered) -> Answer:
    return Answer(
        answer_id=entry.answer_id,
        point=entry.point,
        at=entry.at,
        by=entry.by.name,
        value=entry.value,
        non_answer=entry.non_answer,
        note=entry.note,
        unit=entry.unit,
    )


def incident_of(incident_id: str, version: int, log: tuple[e.Entry, ...]) -> Incident:
    """What the entries come to. Raises BadIncident when the first does not open it."""
    first = log[0] if log else None
    if not isinstance(first, e.Opened):
        raise BadIncident(f"incident {incident_id} does not begin with its opening")
    fold = _Fold()
    for entry in log:
        fold.take(entry)
    return Incident(
        incident_id=incident_id,
        version=version,
        log=log,
        reference=first.reference,
        opened=first,
        incident_type=fold.incident_type,
        call=fold.call,
        place=fold.place,
        checked=fold.checked,
        also=tuple(fold.also.values()),
        graded=fold.graded,
        units=tuple(fold.units.values()),
        runs=tuple(
            Run(o.run_id, o.checklist, o.definition, o.because, o.at, tuple(run.happened))
            for run in fold.runs.values()
            for o in (run.opened,)
        ),
        hand_offs=tuple(fold.hand_offs),
        acknowledged=fold.acknowledged,
        closed=fold.closed,
    )


def marked(incident: Incident) -> frozenset[tuple[str, int, str]]:
    """What applies at any of its places, as `applying` has it."""
    return frozenset[tuple[str, int, str]]().union(*map(applying, incident.checks))


def applying(checked: e.Checked) -> frozenset[tuple[str, int, str]]:
    """What applies at the place, by marker, version and grade: a unit has to be told anew when it changes."""
    return frozenset((seen.marker_id, seen.version, seen.grade) for seen in checked.seen if seen.applies)
