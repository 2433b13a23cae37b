"""A person's word that a store which is not what its anchors say may be gone on with: signed, anchored and logged."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime

from markers.checkpoints import NotSigned, Statement
from markers.commits import Commit
from markers.ledger import LedgerEntry, Operation
from markers.merkle import Frontier, leaf_hash
from markers.sealer import Sealer, SealRefused
from markers.store import Store
from markers.store_errors import StoreBehind
from overlay.roles import Actor
from overlay.sealing import signing_key
from overlay.services import Services


class NotAccepted(Exception):
    """Nothing was accepted, and why."""


def accept(
    services: Services,
    actor: Actor,
    sequence: int,
    by: str,
    reason: str,
    now: datetime,
    step: Callable[[int], None] = lambda _: None,
) -> Statement:
    """Go on with the store as it is, whose ledger ends at `sequence`, in place of what was anchored.

    `by` is who decided, `reason` why; both stand in a signed statement among the anchors, which verification reports.
    Raises NotAccepted, KeyRefused, `VaultError` for an entry that can't be opened, AnchorsFailed.
    """
    store = services.fence.store
    end = store.ledger_end()
    if end != sequence:
        raise NotAccepted(f"The store's ledger ends at entry {end}, not {sequence}. Nothing was accepted.")
    key = signing_key(services.settings, store, services.anchors)
    if _is_sound(services, Sealer(store, key, services.anchors, services.ledger_index)):
        raise NotAccepted("The store is what its anchors say, so there is nothing to accept.")
    last = services.fence.last
    instead = last.size if last is not None else services.fence.floor
    try:
        told = key.sign(end, _root(store, end, step), now, accept=(instead, by, reason))
    except ValueError as error:
        raise NotAccepted(f"{str(error).capitalize()}. Nothing was accepted.") from None
    services.anchors.append([told])
    services.mind_fence()
    entry = LedgerEntry(
        entry_id=str(uuid.uuid4()),
        at=now,
        operation=Operation.ALTERATION,
        actor_id=actor.actor_id,
        actor_role=actor.role,
        via=actor.via,
        reason="ledger_accepted",
    )
    services.commit(Commit(entry.entry_id, {}, (), (entry.canonical(),)), now)
    return told


def _is_sound(services: Services, sealer: Sealer) -> bool:
    try:
        services.fence.look()
        services.fence.check()
        sealer.look()
    except (StoreBehind, SealRefused):
        return False
    return True


def _root(store: Store, end: int, step: Callable[[int], None]) -> bytes:
    """The tree's hash over the entries themselves; the store's own checkpoints must fit them."""
    signed = dict(store.checkpoints())
    tree = Frontier()
    for record in store.ledger(0, end):
        tree.append(leaf_hash(record.entry))
        step(1)
        if record.sequence in signed and _root_of(signed[record.sequence]) != tree.root():
            raise NotAccepted(
                f"The store's own checkpoint over {record.sequence} entries does not fit them: they were changed. "
                "Nothing was accepted; restore another backup."
            )
    return tree.root()


def _root_of(note: str) -> bytes | None:
    try:
        return Statement.read(note).root
    except NotSigned:
        return None
