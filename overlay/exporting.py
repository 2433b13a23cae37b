"""The whole ledger handed out: the export is logged, waits for its own checkpoint, and is written."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from markers.anchors import AnchorsFailed
from markers.commits import Commit
from markers.ledger import LedgerEntry, Operation
from markers.ledger_export import check_folder, export
from markers.sealer import ClockBehind, Sealer, SealRefused
from overlay.roles import Actor
from overlay.sealing import SealerLock, signing_key
from overlay.services import Services

_PATIENCE_S = 4.0


def export_ledger(
    services: Services, actor: Actor, folder: Path, now: datetime, step: Callable[[int], None] = lambda _: None
) -> int:
    """Log the export as a disclosure and write it to `folder`, new or empty; returns how many entries it holds.

    Raises ExportRefused, KeyRefused, `StoreUnavailable`, `VaultError`, AnchorsFailed, `OSError`.
    """
    check_folder(folder)
    key = signing_key(services.settings, services.store, services.anchors)
    entry = LedgerEntry(
        entry_id=str(uuid.uuid4()),
        at=now,
        operation=Operation.DISCLOSURE,
        actor_id=actor.actor_id,
        actor_role=actor.role,
        via=actor.via,
        reason="ledger_export_whole",
    )
    services.commit(Commit(entry.entry_id, {}, (), (entry.canonical(),)), now)
    _sealed(services, Sealer(services.store, key, services.anchors, services.ledger_index))
    return export(services.store, services.anchors, key.public, folder, now, step)


def _sealed(services: Services, sealer: Sealer) -> None:
    """Let what is in the ledger now be signed: by the running sealer within seconds, or here where none runs.

    What can't be signed is exported all the same, and told by the verification as not signed.
    """
    end = services.store.ledger_end()
    lock = SealerLock(services.settings.data)
    until = time.monotonic() + _PATIENCE_S
    try:
        with suppress(SealRefused, ClockBehind, AnchorsFailed):
            while True:
                last = services.anchors.last()
                if (last is not None and last.size >= end) or time.monotonic() > until:
                    return
                if lock.take(wait=False):
                    while sealer.step(services.now()):
                        pass
                    return
                time.sleep(0.1)
    finally:
        lock.release()
