"""Markers approved at a steady rate, and one screen that asks for its incident again when it is told of one."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count

from markers.ledger import Via
from markers.lifecycle import Step
from markers.location import RawLocation
from markers.model import Place, Premises
from overlay.bench.changing import CATEGORY, a_marker
from overlay.bench.town import Town
from overlay.incidents.model import Incident
from overlay.roles import Actor
from overlay.room.opening import Opening, open_incident
from overlay.services import Services
from overlay.settings import Settings
from overlay.upkeep import steps

_PROPOSER = Actor("os:bench", "A. Bench", "service", Via.CLI)
_APPROVER = Actor("os:second", "B. Second", "service", Via.CLI)
_PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class Approved:
    """One approval: when it was sent, and the position of the markers that it is told by."""

    sent: float
    position: int


@dataclass(slots=True)
class Approver:
    """Approves one marker after another, each at the home of an incident that is open there."""

    services: Services
    waiting: list[tuple[Incident, Premises]]
    _numbers: Iterator[int] = field(default_factory=count)

    @classmethod
    def open(cls, services: Services, town: Town, wanted: int) -> Approver:
        """Opens the incidents, at homes that have no marker of the kind yet."""
        taken = {one.place.premises_id for one in town.markers if one.category == CATEGORY}
        free = [home for home in town.homes if home.premises_id not in taken][:wanted]
        waiting = []
        for number, home in enumerate(free):
            opening = Opening(f"APPROVED-{number}", RawLocation(address=home.address, postcode=home.postcode))
            waiting.append((open_incident(services, _PROPOSER, opening, services.now())[0], home))
        return cls(services, waiting)

    def run(self, rate: float, until: float, asker: Asker | None) -> list[Approved]:
        """Approve at `rate` a second until a moment, or until no incident waits; the asker's incident is the one."""
        due, done = time.monotonic(), []
        while due < until and self.waiting:
            time.sleep(max(0.0, due - time.monotonic()))
            incident, home = self.waiting.pop()
            place = Place(home.address, home.postcode)
            marker = a_marker(self.services, f"APPROVED-{next(self._numbers)}", place)
            proposal = steps.propose(self.services, _PROPOSER, Step.NEW, marker, "", self.services.now())
            if asker is not None:
                asker.wait_for(incident.incident_id, marker.reference)
            sent = time.monotonic()
            steps.approve(self.services, _APPROVER, proposal.proposal_id, "", self.services.now())
            done.append(Approved(sent, self.services.sight().mark.markers))
            if asker is not None:
                asker.sent(sent)
            due += 1 / rate
        return done


class Asker:
    """A screen with one incident on it: told that markers changed, it asks for that incident again over HTTP."""

    def __init__(self, settings: Settings, token: str) -> None:
        self._at = settings.host, settings.port
        self._headers = {"Authorization": f"Bearer {token}"}
        self._lock = threading.Lock()
        self._wanted: tuple[str, str] | None = None
        self._found = threading.Event()
        self._found_at = 0.0
        self.took: list[float] = []
        self.unseen = 0
        self._stream = http.client.HTTPConnection(*self._at, timeout=30)
        self._stream.request("GET", "/api/v1/events", headers=self._headers)
        reply = self._stream.getresponse()
        if reply.status != 200:
            raise RuntimeError(f"the screen that asks again was refused: {reply.status}")
        self._thread = threading.Thread(target=self._listen, args=(reply,), name="asker", daemon=True)
        self._thread.start()

    def wait_for(self, incident_id: str, reference: str) -> None:
        """This incident is on the screen from now on, and a marker of that reference will be approved at it."""
        with self._lock:
            self._wanted = incident_id, reference
            self._found.clear()

    def sent(self, at: float) -> None:
        """The approval was sent at that moment: wait until the marker is on the screen, and note how long it took."""
        if self._found.wait(_PATIENCE_S):
            self.took.append(self._found_at - at)
        else:
            self.unseen += 1

    def close(self) -> None:
        if self._stream.sock is not None:
            with suppress(OSError):
                self._stream.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(_PATIENCE_S)
        self._stream.close()

    def _listen(self, reply: http.client.HTTPResponse) -> None:
        with suppress(OSError, ValueError, http.client.HTTPException):
            while line := reply.readline():
                if line.startswith((b"event: markers", b"event: incidents", b"event: reload")):
                    self._ask()

    def _ask(self) -> None:
        with self._lock:
            wanted = self._wanted
        if wanted is None or self._found.is_set():
            return
        incident_id, reference = wanted
        line = http.client.HTTPConnection(*self._at, timeout=10)
        try:
            line.request("GET", f"/api/v1/incidents/{incident_id}", headers=self._headers)
            reply = line.getresponse()
            told = json.loads(reply.read())
        finally:
            line.close()
        check = told.get("check") or {}
        if any(match["reference"] == reference for match in check.get("matches", ())):
            self._found_at = time.monotonic()
            self._found.set()
