"""One change to one incident: what is recorded, its ledger entry, and only if the actor still stands, in one commit."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from markers.commits import Commit, Committed, Write
from markers.ledger import LedgerEntry, Operation, RecordSeen
from markers.store_errors import VersionConflict
from overlay.incidents.book import COLLECTION
from overlay.incidents.entries import Entry, Person
from overlay.incidents.model import Incident
from overlay.lookup import NotAllowedAnyMore
from overlay.plain_text import is_plain_text
from overlay.roles import Actor
from overlay.services import Services

_TRIES = 16
LONGEST_LINE, LONGEST_NOTE = 120, 2_000


class RoomRefused(Exception):
    """Something that was asked of an incident and can't be done; nothing was changed. `field` is what it is about."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{reason} Nothing was changed.")
        self.field = field
        self.reason = reason


class IncidentClosed(RoomRefused):
    """The incident is closed: it takes no more until it is reopened."""

    def __init__(self, incident: Incident) -> None:
        super().__init__("incident", f"{incident.reference} is closed. Reopen it first.")


class RoomBusy(Exception):
    """Others change the same incident faster than this could follow."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What is to be recorded, and what the ledger says of it.

    `fields` name what of the incident changes, `reason` is a short code; `records` are markers it told of, to
    `recipients`. `writes` go into the same commit.
    """

    entries: tuple[Entry, ...]
    reason: str
    fields: tuple[str, ...] = ()
    operation: Operation = Operation.ALTERATION
    records: tuple[RecordSeen, ...] = ()
    recipients: tuple[str, ...] = ()
    writes: tuple[Write, ...] = ()


def person(actor: Actor) -> Person:
    """Who did it, as an incident keeps it."""
    return Person(actor.actor_id, actor.name, actor.role)


def change(
    services: Services, actor: Actor, incident_id: str, now: datetime, plan: Callable[[Incident], Planned]
) -> Incident:
    """Record what `plan` makes of the incident as it is now; made anew when somebody else changed it first.

    Returns the incident after it. Raises what `plan` raises, NoSuchIncident, NotAllowedAnyMore, RoomBusy,
    `StoreUnavailable`.
    """
    services.freshen(COLLECTION)  # what this process has not heard of yet may neither refuse nor allow anything
    for _ in range(_TRIES):
        standing = services.access.standing(actor, now)
        if standing is None:
            raise NotAllowedAnyMore
        incident = services.incidents.get(incident_id)
        planned = plan(incident)
        if not planned.entries:
            return incident
        after = incident.with_entries(*planned.entries)
        entry = logged(actor, after, planned, now)
        write = record(services, after, incident.version)
        commit = Commit(entry.entry_id, {"access": standing}, (write, *planned.writes), (entry.canonical(),))
        try:
            done = services.commit(commit, now)
        except VersionConflict as conflict:
            services.catch_up(conflict.collection)
            continue
        if isinstance(done, Committed):
            for collection in (COLLECTION, *(extra.collection for extra in planned.writes)):
                services.freshen(collection)  # done is done, whatever becomes of the store just now
            return after
        services.take_in(done.changes)
    raise RoomBusy


def record(services: Services, after: Incident, expected: int) -> Write:
    """The incident's record; its reference stays taken for as long as it is kept."""
    token = services.vault.token("reference", after.reference.casefold())
    return Write(COLLECTION, after.incident_id, expected, after.as_plain(), (token,))


def logged(actor: Actor, after: Incident, planned: Planned, now: datetime) -> LedgerEntry:
    """The ledger's entry of a change: names of fields, never what they hold.

    A disclosure names the markers that were passed on and nothing else: their owners read it as such.
    """
    own = () if planned.operation is Operation.DISCLOSURE else (_seen(after, planned),)
    return LedgerEntry(
        entry_id=str(uuid.uuid4()),
        at=now,
        operation=planned.operation,
        actor_id=actor.actor_id,
        actor_role=actor.role,
        via=actor.via,
        incident=after.reference,
        reason=planned.reason,
        records=(*own, *planned.records),
        recipients=planned.recipients,
    )


def _seen(after: Incident, planned: Planned) -> RecordSeen:
    return RecordSeen(after.incident_id, after.version, None, planned.fields)


def being_open(incident: Incident) -> Incident:
    """The incident, if it still takes anything. Raises IncidentClosed."""
    if incident.closed is not None:
        raise IncidentClosed(incident)
    return incident


def line(field: str, text: str, say: str, *, shortest: int = 1, longest: int = LONGEST_LINE) -> str:
    """One line as it is kept: spaces put right. Raises RoomRefused with `say` and what is wrong."""
    tidy = " ".join(text.split())
    if len(tidy) > longest:
        raise RoomRefused(field, f"That is {len(tidy):,} characters; up to {longest:,} can be taken. {say}")
    if len(tidy) < shortest or not is_plain_text(text):
        raise RoomRefused(field, say)
    return tidy


def note(field: str, text: str, say: str, *, shortest: int = 0) -> str:
    """Text of several lines as it is kept. Raises RoomRefused."""
    lines = (" ".join(part.split()) for part in text.strip().splitlines())
    tidy = "\n".join(lines)
    if len(tidy) > LONGEST_NOTE:
        raise RoomRefused(field, f"That is {len(tidy):,} characters; up to {LONGEST_NOTE:,} can be taken. {say}")
    if len(tidy) < shortest or not is_plain_text(tidy):
        raise RoomRefused(field, say)
    return tidy
