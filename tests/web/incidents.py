"""Incidents written straight into a console's store, as another process of it would."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from markers.commits import Commit, Committed, Write
from markers.ledger import Via
from overlay.incidents.book import COLLECTION
from overlay.incidents.entries import Noted, Opened, Person
from overlay.incidents.model import incident_of
from overlay.roles import Actor
from overlay.services import Services, running
from overlay.settings import Settings
from overlay.upkeep.lists import import_markers, plan_import
from tests.conftest import Console
from tests.unit.test_matching import FLAT_3

SOMEBODY = Person("test", "Test", "dispatcher")
_LOADER = Actor("os:test", "test", "service", Via.CLI)


@dataclass
class Desk:
    """Writes incidents and markers beside a running console."""

    services: Services

    @classmethod
    @contextmanager
    def of(cls, console: Console) -> Iterator[Desk]:
        with running(Settings.read(console.environment())) as services:
            yield cls(services)

    def put(self, *references: str) -> str:
        """Incidents opened in one commit; returns the first one's id."""
        now = self.services.now()
        opened = [incident_of(uuid.uuid4().hex, 1, (Opened(now, SOMEBODY, reference),)) for reference in references]
        self._commit(*(Write(COLLECTION, made.incident_id, 0, made.as_plain()) for made in opened))
        return opened[0].incident_id

    def note(self, incident_id: str, text: str = "A note") -> None:
        """One more entry in an incident's log."""
        self.services.catch_up(COLLECTION)
        kept = self.services.incidents.get(incident_id)
        after = kept.with_entries(Noted(self.services.now(), SOMEBODY, text))
        self._commit(Write(COLLECTION, incident_id, kept.version, after.as_plain()))

    def mark(self, reference: str) -> None:
        """One more marker."""
        marker = replace(FLAT_3, marker_id=uuid.uuid4().hex, reference=reference)
        import_markers(self.services, _LOADER, plan_import(self.services, [marker]), self.services.now())

    def _commit(self, *writes: Write) -> None:
        done = self.services.store.commit(Commit(str(uuid.uuid4()), {}, writes))
        assert isinstance(done, Committed)
