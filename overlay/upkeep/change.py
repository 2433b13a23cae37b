"""One change to one marker: its record, what it was before, the proposal behind it and the ledger, in one commit."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from markers.address import local_id
from markers.commits import Commit, Committed, Write
from markers.ledger import LedgerEntry, Operation, RecordSeen
from markers.lifecycle import LifecycleRefused, Person, Proposal
from markers.model import Marker
from markers.store_errors import NotUnique, VersionConflict
from overlay import feedback, proposals
from overlay.erased import was_erased
from overlay.lookup import NotAllowedAnyMore
from overlay.roles import Actor
from overlay.services import Services

HISTORIES: Final = "histories"
_FOLLOWED: Final = ("markers", proposals.COLLECTION, feedback.COLLECTION)
_TRIES = 16


class Doubled(Exception):
    """There is a live marker of that category for that place already, or a proposal that waits.

    `marker_id` or `proposal_id` is the one that holds the place.
    """

    def __init__(self, marker_id: str | None, proposal_id: str | None, words: str) -> None:
        super().__init__(words)
        self.marker_id, self.proposal_id = marker_id, proposal_id


class DeskBusy(Exception):
    """Others change the same marker faster than this could follow."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What is to be written, and what the ledger says of it."""

    writes: tuple[Write, ...]
    entry: LedgerEntry


def person(actor: Actor) -> Person:
    """Who did it, as a proposal and a history keep it."""
    return Person(actor.actor_id, actor.name)


def change(services: Services, actor: Actor, now: datetime, plan: Callable[[], Planned]) -> None:
    """Write what `plan` makes of things as they are now; made anew when somebody else was first.

    Raises what `plan` raises, Doubled, NotAllowedAnyMore, DeskBusy, `StoreUnavailable`.
    """
    for collection in _FOLLOWED:
        services.freshen(collection)  # what this process has not heard of yet may neither refuse nor allow anything
    freed: tuple[Planned, ...] = ()
    for _ in range(_TRIES):
        standing = services.access.standing(actor, now)
        if standing is None:
            raise NotAllowedAnyMore
        planned = (plan(), *freed)
        writes = tuple(write for one in planned for write in one.writes)
        entries = tuple(one.entry.canonical() for one in planned)
        try:
            done = services.commit(Commit(planned[0].entry.entry_id, {"access": standing}, writes, entries), now)
        except VersionConflict as conflict:
            for collection in _FOLLOWED:
                services.catch_up(collection)
            freed = tuple(one for one in freed if one.writes[0].record_id != conflict.record_id)
            continue
        except NotUnique as held:
            for collection in _FOLLOWED:
                services.catch_up(collection)
            freed = (*freed, let_go(services, actor, held, now))
            continue
        if isinstance(done, Committed):
            for collection in _FOLLOWED:
                services.freshen(collection)  # done is done, whatever becomes of the store just now
            return
        services.take_in(done.changes)
    raise DeskBusy


def marker_writes(
    services: Services, actor: Actor, marker: Marker, what: str, why: str, now: datetime
) -> tuple[Write, ...]:
    """The marker's record, holding its place while it is live, and its page of history.

    `what` is a short code of the step, `why` a person's word. LifecycleRefused where it would be taken for one that was
    erased: a clock that was set back must not make a marker that no check finds.
    """
    if was_erased(marker, services.erased.all()):
        raise LifecycleRefused("reference", "A marker of this reference was erased this moment. Look at the clock.")
    content = marker.as_dict()
    page = {"what": what, "by": [actor.actor_id, actor.name], "at": now.isoformat(), "why": why, "marker": content}
    return (
        Write(
            "markers", marker.marker_id, marker.version - 1, json.dumps(content).encode(), held(services, marker, now)
        ),
        Write(HISTORIES, page_id(marker.marker_id, marker.version), 0, json.dumps(page).encode()),
    )


def page_id(marker_id: str, version: int) -> str:
    """The record that keeps what one version of a marker said."""
    return f"{marker_id}.{version}"


def proposal_write(services: Services, proposal: Proposal, expected: int) -> Write:
    """A proposal's record. While it waits nothing else may be proposed of the same marker, or of the same place."""
    marker = proposal.marker
    tokens = (services.vault.token("proposed_marker", marker.marker_id), *_places(services, marker, "proposed"))
    return Write(
        proposals.COLLECTION, proposal.proposal_id, expected, proposal.as_plain(), tokens if proposal.open else ()
    )


def held(services: Services, marker: Marker, now: datetime) -> tuple[str, ...]:
    """What only one live marker may hold: its category at its premises, or on its telephone number."""
    return () if marker.state_at(now).over else _places(services, marker, "held")


def entry_of(
    services: Services, actor: Actor, marker: Marker, reason: str, now: datetime, operation: Operation
) -> LedgerEntry:
    """The ledger's entry of a step: names of fields and tokens of the place, never what they hold."""
    place = marker.place
    named = {"premises": place.premises_id, "uprn": place.uprn, "phone": place.phone}
    content = marker.as_dict()
    seen = RecordSeen(marker.marker_id, marker.version, None, tuple(sorted(name for name in content if content[name])))
    return LedgerEntry(
        entry_id=str(uuid.uuid4()),
        at=now,
        operation=operation,
        actor_id=actor.actor_id,
        actor_role=actor.role,
        via=actor.via,
        reason=reason,
        about=tuple(services.vault.token(kind, text) for kind, text in named.items() if text),
        records=(seen,),
    )


def there_is(other: Marker) -> str:
    """Why a place is taken."""
    return f"{other.reference} is a live marker of this kind at this place already."


def live_beside(services: Services, marker: Marker, now: datetime) -> Marker | None:
    """Another live marker of the same kind at the same premises or on the same number, as far as is known here.

    The commit that puts a marker in force asks again, whatever came between.
    """
    place = marker.place
    beside = set(services.index.with_phone(place.phone)) if place.phone else set()
    if place.premises_id:
        beside.update(services.index.homes.at_premises(place.premises_id))
    for other_id in sorted(beside - {marker.marker_id}):
        other = services.index.get(other_id)
        if other is not None and other.category == marker.category and not other.state_at(now).over:
            return other
    return None


def places_of(marker: Marker) -> tuple[str, ...]:
    """What only one live marker of a category may be on: its premises, its telephone number."""
    place = marker.place
    home = place.premises_id or (local_id(place.address, place.postcode) if place.address else None)
    named = (("premises", home), ("phone", place.phone))
    return tuple(f"{marker.category}|{part}|{text}" for part, text in named if text is not None)


def _places(services: Services, marker: Marker, kind: str) -> tuple[str, ...]:
    return tuple(services.vault.token(kind, place) for place in places_of(marker))


def let_go(services: Services, actor: Actor, held_by: NotUnique, now: datetime) -> Planned:
    """A marker that is over gives its place up, in the commit of the one that takes it. Raises Doubled otherwise."""
    holder = services.index.get(held_by.holder)
    if holder is None:
        with_proposal = {proposal.proposal_id: proposal for proposal in services.proposals.waiting()}
        waiting = with_proposal.get(held_by.holder)
        who = f"{waiting.by.name} has proposed this" if waiting is not None else "This was proposed"
        raise Doubled(None, held_by.holder, f"{who} already, and it waits for approval.")
    if not holder.state_at(now).over:
        raise Doubled(
            holder.marker_id, None, f"{holder.reference} is a live marker of this kind at this place already."
        )
    after = replace(holder, version=holder.version + 1, recorded_at=now)
    entry = entry_of(services, actor, after, "place_given_up", now, Operation.ALTERATION)
    return Planned(marker_writes(services, actor, after, "place_given_up", "", now), entry)
