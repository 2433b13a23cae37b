"""Homes that are marked and unmarked over and over, for whoever asks whether the next check knows of it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count

from markers.ledger import Via
from markers.lifecycle import LifecycleRefused
from markers.model import LONDON, Marker, Place
from markers.store_errors import StoreUnavailable
from markers.written import marker_id
from overlay.roles import Actor
from overlay.services import Services
from overlay.upkeep import steps

BY = Actor("os:changing", "C. Changing", "ppu_supervisor", Via.CLI)
CATEGORY = "domestic_abuse_risk"
_AGAIN_S = 0.1


@dataclass(slots=True)
class ChangingHomes:
    """Takes each step until the store says that it is done: nothing is left open, whatever becomes of the store."""

    services: Services
    _numbers: count[int] = field(default_factory=lambda: count(1))

    def mark(self, address: str) -> Marker:
        """A marker at this home, and it is there when this returns. Raises what `steps.add_provisional` does."""
        marker = a_marker(self.services, f"CHANGING-{os.getpid()}-{next(self._numbers)}", Place(address=address))
        while True:
            try:
                steps.add_provisional(self.services, BY, marker, "to see when checks find it", self.services.now())
                return marker
            except LifecycleRefused:
                if self._live(marker) is not True:
                    raise
                return marker  # an attempt of which nothing was heard had been written
            except StoreUnavailable:
                time.sleep(_AGAIN_S)

    def unmark(self, marker: Marker) -> None:
        """It is ended when this returns. Raises what `steps.dismiss` does."""
        while True:
            try:
                steps.dismiss(self.services, BY, marker.marker_id, "to see when checks forget it", self.services.now())
                return
            except LifecycleRefused:
                if self._live(marker) is not False:
                    raise
                return
            except StoreUnavailable:
                time.sleep(_AGAIN_S)

    def _live(self, marker: Marker) -> bool | None:
        found = self.services.index.get(marker.marker_id)
        return None if found is None else found.ending is None


def a_marker(services: Services, reference: str, place: Place) -> Marker:
    """A new marker of that reference, in force from today; nothing is written."""
    now, category = services.now(), services.categories[CATEGORY]
    today = now.astimezone(LONDON).date()
    return Marker(
        marker_id=marker_id(reference),
        reference=reference,
        category=category.code,
        place=place,
        headline=category.headline,
        action=category.action,
        owner="PPU Quillmarket",
        owner_contact="020 7946 0000",
        starts_on=today,
        review_on=today + timedelta(days=30),
        ends_on=today + timedelta(days=60),
        source="bench",
        source_reference="",
        proposed_by="",
        approved_by="",
        recorded_at=now,
        version=0,
    )
