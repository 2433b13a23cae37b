"""The control room's word on a marker it was shown, and public protection's dealing with it."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime

from markers.commits import Write
from markers.ledger import LedgerEntry, Operation, RecordSeen
from markers.lifecycle import LifecycleRefused
from overlay.feedback import COLLECTION, KINDS, Feedback
from overlay.roles import Actor
from overlay.services import Services
from overlay.upkeep.change import Planned, change
from overlay.upkeep.steps import marker_of

LONGEST_WORD = 300


def shown_marker(services: Services, actor: Actor, check_id: str, number: int) -> tuple[str, str | None]:
    """The marker that stood at a place of a check's answer, and the incident of the check.

    The ledger knows which it was, so that a page need not name what it withholds. LifecycleRefused where this person
    made no such check.
    """
    for found in services.ledger_search.find(check=check_id, limit=2):
        entry = found.entry
        if entry.actor_id == actor.actor_id and entry.operation is Operation.CONSULTATION:
            if 0 <= number < len(entry.records):
                return entry.records[number].record_id, entry.incident
            break
    raise LifecycleRefused("check", "That check is not known any more. Check the address again, then say it.")


def give(services: Services, actor: Actor, check_id: str, number: int, kind: str, word: str, now: datetime) -> Feedback:
    """Tell the owner what this person knows. Raises LifecycleRefused, NoSuchMarker, `StoreUnavailable`."""
    marker_id, incident = shown_marker(services, actor, check_id, number)
    return tell(services, actor, marker_id, incident, kind, word, now)


def tell(
    services: Services, actor: Actor, marker_id: str, incident: str | None, kind: str, word: str, now: datetime
) -> Feedback:
    """The same of a marker that this person was surely shown. Raises LifecycleRefused, NoSuchMarker."""
    if kind not in KINDS:
        raise LifecycleRefused("kind", "Choose wrong place, moved or still right.")
    if len(word) > LONGEST_WORD:
        raise LifecycleRefused("word", f"That is {len(word):,} characters; up to {LONGEST_WORD:,} can be kept.")
    feedback_id = str(uuid.uuid4())
    made: list[Feedback] = []

    def plan() -> Planned:
        marker = marker_of(services, marker_id)
        feedback = Feedback(
            feedback_id=feedback_id,
            marker_id=marker_id,
            version=marker.version,
            kind=kind,
            word=word,
            by_id=actor.actor_id,
            by_name=actor.name,
            role=services.roles.title(actor.role),
            at=now,
            incident=incident,
        )
        made.append(feedback)
        write = Write(COLLECTION, feedback_id, 0, feedback.as_plain())
        return Planned((write,), _entry(actor, marker_id, marker.version, f"feedback_{kind}", now, incident))

    change(services, actor, now, plan)
    return made[-1]


def settle(services: Services, actor: Actor, feedback_id: str, why: str, now: datetime) -> Feedback:
    """Note that it was dealt with, and how. Raises LifecycleRefused, NoSuchFeedback, `StoreUnavailable`."""
    if not why:
        raise LifecycleRefused("why", "Say in a line what was done about it.")
    services.freshen(COLLECTION)
    made: list[Feedback] = []

    def plan() -> Planned:
        feedback, version = services.feedback.get(feedback_id)
        if feedback.settled_at is not None:
            raise LifecycleRefused("feedback", f"{feedback.settled_by} has dealt with it already.")
        settled = replace(feedback, settled_at=now, settled_by=actor.name, settled_why=why)
        made.append(settled)
        write = Write(COLLECTION, feedback_id, version, settled.as_plain())
        return Planned(
            (write,), _entry(actor, feedback.marker_id, feedback.version, "feedback_settled", now, feedback.incident)
        )

    change(services, actor, now, plan)
    return made[-1]


def _entry(actor: Actor, marker_id: str, version: int, reason: str, now: datetime, incident: str | None) -> LedgerEntry:
    return LedgerEntry(
        entry_id=str(uuid.uuid4()),
        at=now,
        operation=Operation.ALTERATION,
        actor_id=actor.actor_id,
        actor_role=actor.role,
        via=actor.via,
        incident=incident,
        reason=reason,
        records=(RecordSeen(marker_id, version, None, ("feedback",)),),
    )
