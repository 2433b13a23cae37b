"""Showing what is marked at an incident: in the words of each role, and logged before anybody sees it.

What is shown is matched anew, never read from an earlier check, so that nobody is told of a home that is marked no
more or of a marker that moved. A page that shows the same thing again logs nothing new: one look is kept for each
sign-in, incident and content, or a board that renews itself would bury the looks that tell something.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from markers.commits import Commit, Committed
from markers.ledger import Basis, LedgerEntry, Operation, RecordSeen
from markers.location import LocationError
from markers.matching import Outcome
from markers.spool import SpoolFailed
from markers.store_errors import StoreUnavailable
from markers.vault import VaultError
from overlay.disclosure import Disclosed, for_actor
from overlay.incidents.afresh import Afresh, differs
from overlay.incidents.entries import Checked
from overlay.incidents.model import Incident
from overlay.lookup import NotAllowedAnyMore, NothingDisclosed, find
from overlay.roles import Actor
from overlay.services import Services

_TRIES = 8


@dataclass(frozen=True, slots=True)
class ShownPlace:
    """What one person may see at one place, as it is marked now; `changed` when its last check told something else."""

    checked: Checked | None
    matches: tuple[Disclosed, ...]
    changed: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """What one person may see at one incident: at its own place, and in their order at those that were added.

    `under_glass` when they broke the glass for it.
    """

    incident: Incident
    place: ShownPlace
    also: tuple[ShownPlace, ...]
    under_glass: bool

    @property
    def matches(self) -> tuple[Disclosed, ...]:
        """Of all its places."""
        return tuple(item for place in (self.place, *self.also) for item in place.matches)

    @property
    def changed(self) -> bool:
        return any(place.changed for place in (self.place, *self.also))


def look(
    services: Services, actor: Actor, incidents: tuple[Incident, ...], now: datetime, reason: str
) -> tuple[Shown, ...]:
    """What is marked at these incidents, as the actor may see it, once it is in the ledger.

    While the store is away looks go to the spool. Raises NotAllowedAnyMore, NothingDisclosed.
    """
    for _ in range(_TRIES):
        era = services.store.era
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
            done = services.commit(Commit(str(uuid.uuid4()), expect, (), entries, era), now)
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
    """How the incident's places would be checked now. A place that can't be read any more has changed."""
    cache = services.afresh  # another takes its place when the store is read anew
    position, period = services.index.position, services.index.period(now)
    kept = cache.get(incident.incident_id, incident.version, position, period)
    if kept is not None:
        return kept
    places: list[tuple[Outcome | None, bool]] = []
    positions = {position}
    others = ((other.where, other.checked) for other in incident.also)
    for where, checked in ((incident.place, incident.checked), *others):
        outcome, changed = None, checked is not None
        if checked is not None and where is not None:
            with suppress(LocationError):
                at, finding = find(services, where, now)
                positions.add(at)
                outcome, changed = finding.outcome, differs(checked, finding.outcome)
        places.append((outcome, changed))
    found = Afresh(max(positions), period, tuple(places))
    if len(positions) > 1:
        return replace(found, position=-1)  # the markers moved meanwhile: this is of no moment
    cache.keep(incident.incident_id, incident.version, found)
    return found


def _shown(
    services: Services, actor: Actor, incident: Incident, anew: Afresh, now: datetime, expect: dict[str, int]
) -> Shown:
    glass = None
    if services.roles.may(actor, "break_glass.open"):
        glass, position = services.glass.open_for(actor, incident.reference, now)
        if glass is not None:
            expect["break_glass"] = position
    checks = (incident.checked, *(other.checked for other in incident.also))
    place, *also = (
        ShownPlace(
            checked,
            for_actor(
                outcome.matches if outcome is not None else (),
                actor,
                services.categories,
                now,
                ask=services.roles.asks[actor.role],
                glass_broken=glass is not None,
            ),
            changed,
        )
        for checked, (outcome, changed) in zip(checks, anew.places, strict=True)
    )
    return Shown(incident, place, tuple(also), glass is not None)


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
        about=tuple(dict.fromkeys(token for checked in shown.incident.checks for token in checked.about)),
        records=records_of(shown.matches),
    )


def records_of(matches: Iterable[Disclosed]) -> tuple[RecordSeen, ...]:
    """What the ledger says of these matches."""
    seen = (
        RecordSeen(i.match.marker.marker_id, i.match.marker.version, i.match.grade.value, i.shown.fields())
        for i in matches
    )
    return tuple(dict.fromkeys(seen))


def _spool(services: Services, actor: Actor, shown: list[Shown], reason: str, now: datetime) -> None:
    try:
        for one in shown:
            services.spool.append(_entry(actor, one, reason, now, Basis.LAST_KNOWN))
    except SpoolFailed as error:
        raise NothingDisclosed(
            "The store is not answering and this look could not be logged here either, so nothing is shown."
        ) from error
