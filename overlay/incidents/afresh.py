"""How the last check of an incident would end now, kept until the markers, what time makes of them, or it change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from threading import Lock

from markers.matching import Outcome
from overlay.incidents.entries import Checked


@dataclass(frozen=True, slots=True)
class Afresh:
    """What an incident's places mean at a position and in a period of the markers (`MarkerIndex.period`).

    Its own place first, then the added ones; `changed` where the last check of one says otherwise, without an
    outcome where it can't be read any more.
    """

    position: int
    period: tuple[date, int]
    places: tuple[tuple[Outcome | None, bool], ...]


class Kept:
    """What was found, by incident and version. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: dict[str, tuple[int, Afresh]] = {}

    def get(self, incident_id: str, version: int, position: int, period: tuple[date, int]) -> Afresh | None:
        """What still holds, or None."""
        with self._lock:
            known, found = self._kept.get(incident_id, (0, None))
        holds = found is not None and (known, found.position, found.period) == (version, position, period)
        return found if holds else None

    def keep(self, incident_id: str, version: int, found: Afresh) -> None:
        with self._lock:
            self._kept[incident_id] = version, found

    def forget(self, there: frozenset[str]) -> None:
        """Keep nothing of incidents that are not `there` any more."""
        with self._lock:
            for gone in [incident_id for incident_id in self._kept if incident_id not in there]:
                del self._kept[gone]


def differs(checked: Checked, outcome: Outcome) -> bool:
    """Whether people would be told something else than the check told them."""
    found = {(m.marker.marker_id, m.marker.version, m.grade.value, m.applies) for m in outcome.matches}
    before = {(seen.marker_id, seen.version, seen.grade, seen.applies) for seen in checked.seen}
    return found != before or (checked.status, checked.reason) != (outcome.status.value, outcome.reason)
