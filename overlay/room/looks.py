"""Showing what is marked at an incident: in the words of each role, and logged before anybody sees it.

What is shown is matched anew, never read from an earlier check, so that nobody is told of a home that is marked no
more or of a marker that moved. A page that shows the same thing again logs nothing new: one look is kept for each
sign-in, incident and content, or a board that renews itself would bury the looks that tell something.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from markers.ledger import Basis, LedgerEntry, Operation, RecordSeen
from markers.location import LocationError
from markers.spool import SpoolFailed
from markers.store import Commit, Committed, StoreUnavailable
from markers.vault import VaultError
from overlay.disclosure import Disclosed, for_actor
from overlay.incidents.afresh import Afresh, differs
from overlay.incidents.model import Incident
from overlay.lookup import NotAllowedAnyMore, NothingDisclosed, find
from overlay.roles import Actor
from overlay.services import Services

_TRIES = 8


@dataclass(frozen=True, slots=True)
class Shown:
    """What one person may see at one incident, as it is marked now.

    `changed` when its last check told something else; `under_glass` when they broke the glass for it.
    """

    incident: Incident
    matches: tuple[Disclosed, ...]
    changed: bool
    under_glass: bool


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
        expect = {"markers": services.index.position, "access": standing}
        places = [afresh(services, incident, now) for incident in incidents]
        if any(place.position != expect["markers"] for place in places):
            continue  # they were moving meanwhile
        shown = tuple(
            _shown(services, actor, incident, place, now, expect)
            for incident, place in zip(incidents, places, strict=True)
        )
        keys = [(one, _keys(actor, one)) for one in shown]
        new = services.looks.new(key for _, own in keys for key in own)
        if not new:
            return shown
        fresh = [one for one, own in keys if not new.isdisjoint(own)]
        entries = tuple(_entry(actor, one, reason, now, Basis.CURRENT).canonical() for one in fresh)
        try:
            done = services.commit(Commit(str(uuid.uuid4()), expect, (), entries), now)
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


def afresh(services: Services, incident: Incident, now: datetime) -> Afresh:
    """How the incident's place would be checked now. A place that can't be read any more has changed."""
    position, period = services.index.position, services.index.period(now)
    kept = services.afresh.get(incident.incident_id, incident.version, position, period)
    if kept is not None:
        return kept
    found = Afresh(position, period, None, changed=incident.checked is not None)
    if incident.checked is not None and incident.place is not None:
        with suppress(LocationError):
            at, finding = find(services, incident.place, now)
            found = Afresh(at, period, finding.outcome, differs(incident.checked, finding.outcome))
    services.afresh.keep(incident.incident_id, incident.version, found)
    return found


def _shown(
    services: Services, actor: Actor, incident: Incident, place: Afresh, now: datetime, expect: dict[str, int]
) -> Shown:
    glass = None
    if services.roles.may(actor, "break_glass.open"):
        glass, position = services.glass.open_for(actor, incident.reference, now)
        if glass is not None:
            expect["break_glass"] = position
    disclosed = for_actor(
        place.outcome.matches if place.outcome is not None else (),
        actor,
        services.categories,
        now,
        ask=services.roles.asks[actor.role],
        glass_broken=glass is not None,
    )
    return Shown(incident, disclosed, place.changed, glass is not None)


def _keys(actor: Actor, shown: Shown) -> tuple[tuple[object, ...], ...]:
    """One look at the incident itself, and one at each marker in each of its versions and as far as it was shown."""
    whose = actor.credential or actor.actor_id, shown.incident.incident_id, shown.under_glass
    return (
        whose,
        *(
            (*whose, item.match.marker.marker_id, item.match.marker.version, item.match.grade, item.shown.fields())
            for item in shown.matches
        ),
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
        reason="break_glass" if shown.under_glass else reason,
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
