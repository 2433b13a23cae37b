"""Showing what is marked at an incident: in the words of each role, and logged before anybody sees it.

A page that shows the same thing again logs nothing new: one look is kept for each sign-in, incident and content, or a
board that renews itself would bury the looks that tell something.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from markers.ledger import Basis, LedgerEntry, Operation, RecordSeen
from markers.model import Grade, Marker, Match, State, SubBuilding
from markers.spool import SpoolFailed
from markers.store import Commit, Committed, StoreUnavailable
from markers.vault import VaultError
from overlay.disclosure import Disclosed, for_actor
from overlay.incidents.entries import Seen
from overlay.incidents.model import Incident
from overlay.lookup import NotAllowedAnyMore, NothingDisclosed
from overlay.roles import Actor
from overlay.services import Services

_TRIES = 8


@dataclass(frozen=True, slots=True)
class Shown:
    """What one person may see at one incident. `gone` counts matches of its last check that are in force no more."""

    incident: Incident
    matches: tuple[Disclosed, ...]
    gone: int


def look(
    services: Services, actor: Actor, incidents: tuple[Incident, ...], now: datetime, reason: str
) -> tuple[Shown, ...]:
    """What is marked at these incidents, as the actor may see it, once it is in the ledger.

    While the store is away looks go to the spool. Raises NotAllowedAnyMore, NothingDisclosed.
    """
    for _ in range(_TRIES):
        standing = services.access.standing(actor, now)
        if standing is None:
            raise NotAllowedAnyMore
        with services.index.lock:
            position = services.index.position
            shown = tuple(_shown(services, actor, incident, now) for incident in incidents)
        keys = [(one, _keys(actor, one)) for one in shown]
        new = services.looks.new(key for _, own in keys for key in own)
        if not new:
            return shown
        fresh = [one for one, own in keys if not new.isdisjoint(own)]
        entries = [_entry(actor, one, reason, now, Basis.CURRENT) for one in fresh]
        commit = Commit(
            str(uuid.uuid4()),
            {"markers": position, "access": standing},
            (),
            tuple(entry.canonical() for entry in entries),
        )
        try:
            done = services.commit(commit, now)
        except (StoreUnavailable, VaultError) as error:
            services.note_trouble(error)
            _spool(services, actor, fresh, reason, now)
            services.looks.note(new)
            return shown
        if isinstance(done, Committed):
            services.looks.note(new)
            return shown
        services.take_in(done.changes)
    raise NothingDisclosed("Markers are changing faster than this page can follow. Open it again.")


def _shown(services: Services, actor: Actor, incident: Incident, now: datetime) -> Shown:
    if incident.checked is None:
        return Shown(incident, (), 0)
    matches, gone = [], 0
    for seen in incident.checked.seen:
        marker = services.index.get(seen.marker_id)
        if marker is None or marker.state_at(now) is not State.IN_FORCE:
            gone += 1
        else:
            matches.append(match_of(seen, marker))
    glass, _ = services.glass.open_for(actor, incident.reference, now)
    disclosed = for_actor(
        tuple(matches),
        actor,
        services.categories,
        now,
        ask=services.roles.asks[actor.role],
        glass_broken=glass is not None,
    )
    return Shown(incident, disclosed, gone)


def match_of(seen: Seen, marker: Marker) -> Match:
    """A match of an earlier check, with the marker as it is now."""
    return Match(
        marker,
        Grade(seen.grade),
        seen.why,
        seen.confidence,
        SubBuilding(seen.sub_building) if seen.sub_building else None,
        seen.distance_m,
        seen.applies,
    )


def _keys(actor: Actor, shown: Shown) -> tuple[tuple[object, ...], ...]:
    return tuple(
        (
            actor.credential or actor.actor_id,
            shown.incident.incident_id,
            item.match.marker.marker_id,
            item.match.marker.version,
            item.match.grade,
            item.shown.fields(),
        )
        for item in shown.matches
    )


def _entry(actor: Actor, shown: Shown, reason: str, now: datetime, basis: Basis) -> LedgerEntry:
    checked = shown.incident.checked
    return LedgerEntry(
        entry_id=str(uuid.uuid4()),
        at=now,
        operation=Operation.CONSULTATION,
        actor_id=actor.actor_id,
        actor_role=actor.role,
        via=actor.via,
        incident=shown.incident.reference,
        reason=reason,
        store=basis,
        about=checked.about if checked is not None else (),
        records=records_of(shown.matches),
    )


def records_of(matches: Iterable[Disclosed]) -> tuple[RecordSeen, ...]:
    """What the ledger says of these matches."""
    return tuple(
        RecordSeen(i.match.marker.marker_id, i.match.marker.version, i.match.grade.value, i.shown.fields())
        for i in matches
    )


def _spool(services: Services, actor: Actor, shown: list[Shown], reason: str, now: datetime) -> None:
    try:
        for one in shown:
            services.spool.append(_entry(actor, one, reason, now, Basis.LAST_KNOWN))
    except SpoolFailed as error:
        raise NothingDisclosed(
            "The store is not answering and this look could not be logged here either, so nothing is shown."
        ) from error
