"""A damaged log of the store mended at a person's word; then the fence says whether anything signed is gone."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from markers.ledger import LedgerEntry, Operation
from markers.log_repair import Damage, Repair, find_damage, repair
from markers.server import ServerError
from markers.store import Commit, StoreBehind
from overlay.roles import Actor
from overlay.services import running
from overlay.settings import Settings


class NothingToRepair(ServerError):
    """The store is not ours to repair, or its log is whole."""


@dataclass(frozen=True, slots=True)
class Mended:
    """What was cut off, where the ledger ends now, and why the store may not be gone on with yet (None: it may)."""

    repair: Repair
    ledger_end: int
    behind: str | None


def damage(settings: Settings) -> Damage:
    """What a repair would cut off. Raises NothingToRepair, CannotRepair, StoreInUse."""
    _refuse_external(settings)
    found = find_damage(settings.data / "store")
    if found is None:
        raise NothingToRepair(_WHOLE)
    return found


def mend(settings: Settings, actor: Actor, now: datetime) -> Mended:
    """Repair the log, start the store on it, and log the repair in its ledger where the fence lets that be done.

    Raises as `damage` does, and what `Services.start` raises: then the log is repaired all the same.
    """
    _refuse_external(settings)
    done = repair(settings.data / "store", now)
    if done is None:
        raise NothingToRepair(_WHOLE)
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
        return Mended(done, services.fence.store.ledger_end(), behind)


_WHOLE = "the store's log is whole: there is nothing to repair; 'overlay run' starts it"


def _refuse_external(settings: Settings) -> None:
    if settings.store_url:
        raise NothingToRepair("OVERLAY_STORE_URL names an external store: repair that where it runs, with its checker")
