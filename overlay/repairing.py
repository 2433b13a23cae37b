"""A damaged log of the store mended at a person's word; then the fence says whether anything signed is gone."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from markers.commits import Commit
from markers.ledger import LedgerEntry, Operation
from markers.log_repair import Damage, Repair, find_damage, repair
from markers.server import ServerError
from markers.store_errors import StoreBehind
from overlay.roles import Actor
from overlay.services import running
from overlay.settings import Settings

T = TypeVar("T", Damage, Repair)


class NothingToRepair(ServerError):
    """The store is not ours to repair, or its log is whole."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the ledger ends after a repair, and why the store may not be gone on with yet (None: it may)."""

    ledger_end: int
    behind: str | None


def damage(settings: Settings) -> Damage:
    """What a repair would cut off. Raises NothingToRepair, CannotRepair, StoreInUse."""
    return _found(find_damage(_folder(settings)))


def mend(settings: Settings, now: datetime) -> Repair:
    """Keep the damaged log and cut it back to what is whole. Raises as `damage` does."""
    return _found(repair(_folder(settings), now))


def stand(settings: Settings, actor: Actor, now: datetime) -> Standing:
    """Start the store on its mended log, and log the repair in its ledger where the fence lets that be done.

    Raises what `Services.start` raises.
    """
    with running(settings) as services:
        entry = LedgerEntry(
            entry_id=str(uuid.uuid4()),
            at=now,
            operation=Operation.ALTERATION,
            actor_id=actor.actor_id,
            actor_role=actor.role,
            via=actor.via,
            reason="store_repaired",
        )
        behind = None
        try:
            services.commit(Commit(entry.entry_id, {}, (), (entry.canonical(),)), now)
        except StoreBehind as error:
            behind = str(error)
        return Standing(services.fence.store.ledger_end(), behind)


def _folder(settings: Settings) -> Path:
    if settings.store_url:
        raise NothingToRepair("OVERLAY_STORE_URL names an external store: repair that where it runs, with its checker")
    return settings.data / "store"


def _found(found: T | None) -> T:
    if found is None:
        raise NothingToRepair("the store's log is whole: there is nothing to repair; 'overlay run' starts it")
    return found
