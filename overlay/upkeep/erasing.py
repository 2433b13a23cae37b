"""Erasing a marker: its record, its history, every proposal and word about it; ids and dates stay in the ledger alone.

Data Protection Act 2018 s.47 and s.62(1)(f). The register outside the store is written first: should the store be
restored from an older backup, what was erased is erased again. Every machine keeps a register of its own; what was
erased from another one it learns of from the store, within a minute.
"""

from __future__ import annotations

import json
import uuid
from datetime import datetime

import structlog

from markers.commits import Commit, Write
from markers.ledger import LedgerEntry, Operation, RecordSeen
from markers.lifecycle import LifecycleRefused, erasable
from markers.model import Marker
from markers.store_errors import VersionConflict
from overlay import feedback
from overlay.erased import was_erased
from overlay.proposals import COLLECTION
from overlay.roles import Actor
from overlay.services import Services
from overlay.upkeep.change import HISTORIES, Planned, change, page_id
from overlay.upkeep.steps import marker_of

log = structlog.get_logger()

ERASURES = "erasures"
"""A record for each erasure: the marker's id and when."""
_MOST_PURGED = 200


def erase(services: Services, actor: Actor, marker_id: str, reason: str, now: datetime) -> None:
    """Erase a marker that is over. `reason` is a short word for the person's own files; it is not kept.

    Raises LifecycleRefused, NoSuchMarker, NotAllowedAnyMore, DeskBusy, `StoreUnavailable`, OSError.
    """
    if not reason:
        raise LifecycleRefused("why", "Say in a line why it is erased; the line itself is not kept.")

    if services.lists.unfinished():
        raise LifecycleRefused("marker", "A list that was sent in may hold it. Decide that list first, then erase.")

    def plan() -> Planned:
        marker = marker_of(services, marker_id)
        erasable(marker, now)
        entry = _entry(actor, marker_id, marker.version + 1, now)
        return Planned(_without(services, marker_id, marker.version, entry, now), entry)

    plan()  # refused before the register is touched
    services.erased.add(marker_id, now)
    change(services, actor, now, plan)


def erase_again(services: Services, actor: Actor, now: datetime) -> int:
    """Erase what the register says was erased and a restored store still holds; returns how many."""
    done = 0
    erased = services.erased.all()
    for record in services.store.records("markers", sorted(erased)):
        if not was_erased(Marker.from_dict(json.loads(record.plain or b"")), erased):
            continue  # another marker of that reference, recorded since
        entry = _entry(actor, record.record_id, record.version + 1, now, "erased_again")
        writes = _without(services, record.record_id, record.version, entry, erased[record.record_id])
        try:
            services.commit(Commit(entry.entry_id, {}, writes, (entry.canonical(),)), now)
        except VersionConflict:
            continue  # another attendant was first
        log.warning("marker_erased_again", marker_id=record.record_id)
        done += 1
    return done


def learn_erased(services: Services) -> int:
    """Note in this machine's register what was erased from others; returns how many. Raises as `Erased.add`."""
    known, learnt = services.erased.all(), 0
    for record in services.store.load(ERASURES).records:
        plain = json.loads(record.plain or b"")
        marker_id, at = plain["marker_id"], datetime.fromisoformat(plain["at"])
        if marker_id not in known or known[marker_id] < at:
            services.erased.add(marker_id, at)
            known[marker_id] = at
            learnt += 1
    return learnt


def purge_proposals(services: Services, actor: Actor, now: datetime) -> int:
    """Erase proposals decided longer ago than the configuration keeps them; returns how many."""
    kept_from = now - services.desk.decided_kept
    old = [
        found for found in services.proposals.decided() if found.decision is not None and found.decision.at < kept_from
    ][:_MOST_PURGED]
    for proposal in old:
        _, version = services.proposals.get(proposal.proposal_id)
        entry = _entry(actor, proposal.proposal_id, version + 1, now, "retention")
        write = Write(COLLECTION, proposal.proposal_id, version, None)
        try:
            services.commit(Commit(entry.entry_id, {}, (write,), (entry.canonical(),)), now)
        except VersionConflict:
            continue  # another attendant was first
    if old:
        services.catch_up(COLLECTION)
    return len(old)


def _without(services: Services, marker_id: str, version: int, entry: LedgerEntry, at: datetime) -> tuple[Write, ...]:
    """What takes a marker out of the store, and tells other machines so."""
    told = json.dumps({"marker_id": marker_id, "at": at.isoformat()}).encode()
    return (
        Write("markers", marker_id, version, None),
        *_traces(services, marker_id, version),
        Write(ERASURES, entry.entry_id, 0, told),
    )


def _traces(services: Services, marker_id: str, version: int) -> tuple[Write, ...]:
    pages = services.store.records(HISTORIES, [page_id(marker_id, number) for number in range(1, version + 1)])
    return (
        *(Write(HISTORIES, page.record_id, page.version, None) for page in pages),
        *(
            Write(COLLECTION, proposal.proposal_id, held, None)
            for proposal, held in services.proposals.of_marker(marker_id)
        ),
        *(
            Write(feedback.COLLECTION, said.feedback_id, held, None)
            for said, held in services.feedback.of_marker(marker_id)
        ),
    )


def _entry(actor: Actor, marker_id: str, version: int, now: datetime, reason: str = "erased") -> LedgerEntry:
    return LedgerEntry(
        entry_id=str(uuid.uuid4()),
        at=now,
        operation=Operation.ERASURE,
        actor_id=actor.actor_id,
        actor_role=actor.role,
        via=actor.via,
        reason=reason,
        records=(RecordSeen(marker_id, version),),
    )
