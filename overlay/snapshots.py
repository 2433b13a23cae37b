"""Keeping the snapshot fresh: what a process goes on with that starts while the store is away."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime

from markers.checkpoints import SigningKey
from markers.fence import Fence
from markers.snapshot import Manifest, Part, Snapshot, SnapshotRefused
from markers.store import Store
from markers.vault import Vault
from overlay.copies import COPIED

_SHARE = 20  # writing a copy takes a twentieth of the time at most, however often its collection changes


class SnapshotKeeper:
    """Writes one area's snapshot again wherever the store has moved on. `store` and `fence` are its own."""

    def __init__(self, store: Store, fence: Fence, vault: Vault, snapshot: Snapshot, key: SigningKey) -> None:
        self._store, self._fence, self._vault, self._snapshot, self._key = store, fence, vault, snapshot, key
        self._parts: dict[str, Part] | None = None
        self._store_id = ""
        self._not_before: dict[str, float] = {}

    def step(self, now: datetime) -> None:
        """Bring it up to what the store holds now. A store behind its anchors is not copied.

        Raises StoreUnavailable (StoreBehind too), VaultError, OSError.
        """
        self._fence.look()
        self._fence.check()
        store_id, positions = self._store.identity(), self._store.positions()
        if self._parts is None or store_id != self._store_id:
            self._parts, self._store_id = self._found(store_id), store_id
        for collection in COPIED:
            part = self._parts.get(collection)
            at = positions.get(collection, 0)
            if part is not None and (part.position, part.key_id) == (at, self._vault.current):
                self._parts[collection] = replace(part, complete_at=now)
            elif part is None or time.monotonic() >= self._not_before.get(collection, 0):
                self._parts[collection] = self._written(collection, now)
        self._snapshot.publish(self._key, Manifest(self._vault.area, store_id, tuple(self._parts.values())))

    def _written(self, collection: str, now: datetime) -> Part:
        began = time.monotonic()
        news = self._store.load(collection)
        part = self._snapshot.write(collection, news.position, news.records, now)
        ended = time.monotonic()
        self._not_before[collection] = ended + _SHARE * (ended - began)
        return part

    def _found(self, store_id: str) -> dict[str, Part]:
        """What an earlier keeper wrote of this very store."""
        try:
            manifest = self._snapshot.manifest(self._key.public)
        except SnapshotRefused:
            return {}
        return {part.collection: part for part in manifest.parts} if manifest.store_id == store_id else {}
