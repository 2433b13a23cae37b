"""Who asked about a marker's place before: the look-ups of the last 90 days, and the incidents open there now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from markers.address import normalise
from markers.ledger import Operation
from markers.model import Marker
from overlay.services import Services

DAYS = 90
_MOST = 200


@dataclass(frozen=True, slots=True)
class LookUp:
    """One look-up at the place: when, by whom in which role, for which incident."""

    at: datetime
    who: str
    role: str
    incident: str | None


@dataclass(frozen=True, slots=True)
class LookingBack:
    """Look-ups of the last 90 days at a marker's place or number, newest first; `more` when there were over 200.

    `open_incidents` are id and reference of those open now whose last check found the marker.
    """

    look_ups: tuple[LookUp, ...]
    more: bool
    open_incidents: tuple[tuple[str, str], ...]


def looking_back(services: Services, marker: Marker, now: datetime) -> LookingBack:
    """Raises `StoreUnavailable`."""
    place = marker.place
    named = {
        "premises": place.premises_id,
        "address": normalise(place.address) if place.address else None,
        "uprn": place.uprn,
        "phone": place.phone,
    }
    tokens = tuple(services.vault.token(kind, text) for kind, text in named.items() if text)
    found = (
        services.ledger_search.find(about=tokens, since=now - timedelta(days=DAYS), limit=_MOST + 1) if tokens else ()
    )
    checks = [item.entry for item in found if item.entry.operation is Operation.CONSULTATION and item.entry.check_id]
    open_here = (
        incident
        for incident in services.incidents.open()
        if incident.checked is not None
        and any(seen.marker_id == marker.marker_id and seen.applies for seen in incident.checked.seen)
    )
    return LookingBack(
        tuple(
            LookUp(
                entry.at,
                services.access.name_of(entry.actor_id),
                services.roles.titles.get(entry.actor_role, entry.actor_role),
                entry.incident,
            )
            for entry in checks[:_MOST]
        ),
        len(found) > _MOST,
        tuple((incident.incident_id, incident.reference) for incident in open_here),
    )
