"""A room for tests: a real store, a marked home, people of each role, and one incident's walk in short."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from checklists.progress import PointState
from markers.ledger import LedgerEntry, Via
from markers.location import RawLocation
from markers.model import Marker, Place
from overlay.incidents.model import Incident
from overlay.incidents.runs import RunState
from overlay.roles import Actor
from overlay.room import answering, opening
from overlay.room.view import IncidentView, view
from overlay.services import Services
from overlay.upkeep.lists import import_markers, plan_import
from tests.unit.test_matching import FLAT_3, NOW

HOME = RawLocation(address="flat 3 14 tallow yard ec9a 1ab", phone="07700 900123")
QUIET = RawLocation(address="18 Tallow Yard, EC9A 1AB")
_LOADER = Actor("os:test", "test", "service", Via.CLI)
DOMESTIC: Marker = replace(
    FLAT_3,
    marker_id="da-1",
    reference="DA-1",
    category="domestic_abuse_risk",
    headline="Domestic abuse: high risk home",
)
OFFENDER: Marker = replace(
    FLAT_3, marker_id="rso-1", reference="RSO-1", category="registered_sex_offender", headline="Registered sex offender"
)
NUMBER: Marker = replace(
    DOMESTIC,
    marker_id="da-2",
    reference="DA-2",
    place=Place(phone="+447700900123"),
    headline="Domestic abuse: her number",
)


def person(name: str, role: str) -> Actor:
    """Somebody who stands whatever the accounts say: the command line's way in."""
    return Actor(name.casefold(), name, role, Via.CLI)


CASEY, DEVON, ROBIN = (
    person("Casey", "call_handler"), person("Devon", "dispatcher"), person("Robin", "control_room_supervisor"),
)  # fmt: skip


@dataclass
class Room:
    """Services with a clock that tests turn."""

    services: Services
    now: datetime = field(default_factory=lambda: NOW)

    def later(self, **by: float) -> datetime:
        self.now += timedelta(**by)
        return self.now

    def mark(self, *markers: Marker) -> None:
        import_markers(self.services, _LOADER, plan_import(self.services, markers), NOW)

    def open(
        self,
        reference: str = "CAD-1",
        place: RawLocation = HOME,
        incident_type: str | None = "domestic",
        call: str = "connected",
        by: Actor = CASEY,
    ) -> Incident:
        wanted = opening.Opening(reference, place, incident_type, call)
        return opening.open_incident(self.services, by, wanted, self.now)[0]

    def look(self, incident: Incident, by: Actor = DEVON) -> IncidentView:
        """The incident's page as somebody sees it."""
        return view(self.services, by, incident.incident_id, self.now)

    def get(self, incident: Incident) -> Incident:
        return self.services.incidents.get(incident.incident_id)

    def runs(self, incident: Incident) -> dict[str, RunState]:
        current = self.get(incident)
        states = self.services.standings.of(current, self.services.wordings, self.now)
        return {state.run.checklist: state for state in states}

    def point(self, incident: Incident, checklist: str, point: str, unit: str | None = None) -> PointState:
        return next(
            state
            for state in self.runs(incident)[checklist].progress.points
            if state.point.id == point and state.unit == unit
        )

    def answer(self, incident: Incident, checklist: str, point: str, value: object, **more: object) -> Incident:
        run = self.runs(incident)[checklist].run
        by = more.pop("by", CASEY)
        assert isinstance(by, Actor)
        given = answering.Given(run.run_id, point, value, **more)  # type: ignore[arg-type]
        return answering.answer(self.services, by, incident.incident_id, given, self.now)

    def ledger(self) -> list[LedgerEntry]:
        return [LedgerEntry.from_bytes(record.entry) for record in self.services.store.ledger()]
