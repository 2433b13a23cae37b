"""A new sealing key in the place of the old ones, while everything goes on.

What is sealed, and where: the proof, the records of every collection, the ledger, and the frames of the spool. The
change streams, request ids and tokens are not: they hold ids, and names made from the token root, which never changes.

The steps, each of which may be the last before a power cut; running it again goes on from there:

1. the new key is put in the ring and the store names it as the one to come (`.rotating`);
2. it becomes the current key of the ring; processes read the ring again within a second, or as soon as they meet it;
3. the store sets the other keys aside (`.retired`): a commit sealed by one is sent back once, to be sealed anew. From
   here on nothing sealed by an old key comes into being, so one pass over what is there is enough;
4. proof and records are sealed anew, each only if it still is byte for byte what was read;
5. the ledger is copied, sealed anew, under the same sequence numbers, and swapped in one step;
6. the spool is sent to the ledger.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from markers.sealed import Kept, SealedStore
from markers.spool import Spool
from markers.vault import KeyRing, Vault, VaultError

_SPOOL_WAIT_S: Final = 5.0
_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Rotated:
    """What a rotation did: records and entries sealed anew, those that can't be opened and stay as they are, and the
    frames of the spool that still wait for their process to send them."""

    key_id: str
    old_key_ids: tuple[str, ...]
    resumed: bool
    records: int
    entries: int
    unopened: int
    in_spool: int


@dataclass(frozen=True, slots=True)
class Rotation:
    """One rotation of one area. `folder` holds the ring; `vault` was made from it."""

    store: SealedStore
    vault: Vault
    spool: Spool
    folder: Path

    def choose(self) -> tuple[str, bool]:
        """Step 1: the key to seal with, and whether an earlier rotation had chosen it."""
        ring = KeyRing.load(self.folder)
        under_way = self.store.rotating()
        if under_way and under_way not in ring.sealing:
            raise VaultError(f"a rotation to key {under_way} is under way, which is not in the ring; restore its keys")
        if not under_way and ring.newest == ring.current:
            ring = ring.prepare(self.folder)
            self.vault.refresh()
            return self.store.rotation("begin", ring.newest), False
        return self.store.rotation("begin", under_way or ring.newest), True

    def take_over(self, key_id: str) -> tuple[str, ...]:
        """Steps 2 and 3: everything is sealed with the new key from now on. Returns the keys set aside."""
        ring = KeyRing.load(self.folder)
        if ring.current != key_id:
            ring = ring.promote(self.folder, key_id)
        self.vault.refresh()
        old = tuple(known for known in ring.sealing if known != key_id)
        self.store.rotation("retire", *old)
        return old

    def reseal(self, key_id: str, old: tuple[str, ...], step: Callable[[int], None], *, resumed: bool) -> Rotated:
        """Steps 4 to 6. `step` is told how many more records or entries are done."""
        self._reseal_proof(key_id)
        records = unopened = 0
        for collection in self.store.collections():
            for page in self.store.kept(collection):
                sealed_anew = list(self._sealed_anew(collection, page, key_id))
                unopened += sum(kept.key_id != key_id for kept in page) - len(sealed_anew)
                if sealed_anew:
                    records += self.store.put_back(collection, sealed_anew)
                step(len(page))
        entries, closed = self._reseal_ledger(key_id, step)
        return Rotated(key_id, old, resumed, records, entries, unopened + closed, self._empty_spool())

    def finish(self, key_id: str) -> None:
        """Nothing is left to do."""
        self.store.rotation("end", key_id)

    def _reseal_proof(self, key_id: str) -> None:
        while (proof := self.store.kept_proof()) is not None and proof.key_id != key_id:
            plain = self.vault.open("proof", proof.name, 1, proof.blob)
            self.store.put_back_proof(proof, self.vault.seal("proof", proof.name, 1, plain))

    def _sealed_anew(self, collection: str, page: list[Kept], key_id: str) -> Iterator[tuple[Kept, bytes]]:
        for kept in page:
            if kept.key_id == key_id:
                continue
            try:
                plain = self.vault.open(collection, kept.name, kept.version, kept.blob)
                yield kept, self.vault.seal(collection, kept.name, kept.version, plain)
            except (VaultError, ValueError):
                continue

    def _reseal_ledger(self, key_id: str, step: Callable[[int], None]) -> tuple[int, int]:
        """How many entries were sealed anew, and how many could not be opened and were copied as they are."""
        done = unopened = 0
        after = self.store.second_ledger_end()
        if after == 0 and not self._ledger_has_old(key_id):
            return 0, 0
        step(after)
        while True:
            for page in self.store.kept_ledger(after):
                copied = []
                for entry in page:
                    blob = entry.blob
                    if entry.key_id != key_id:
                        try:
                            plain = self.vault.open("ledger", entry.entry_id, 1, blob)
                            blob = self.vault.seal("ledger", entry.entry_id, 1, plain)
                            done += 1
                        except (VaultError, ValueError):
                            unopened += 1
                    copied.append((entry, blob))
                after = self.store.copy_ledger(after, copied)
                step(len(page))
                if len(page) < _AT_ONCE or after != page[-1].sequence:
                    break  # all of it, or another rotation copies beside this one
            if self.store.swap_ledger():
                return done, unopened
            after = self.store.second_ledger_end()

    def _ledger_has_old(self, key_id: str) -> bool:
        return any(entry.key_id != key_id for page in self.store.kept_ledger() for entry in page)

    def _empty_spool(self) -> int:
        """Send what ended processes left; living ones send theirs within a second. Returns the frames still waiting."""
        until = time.monotonic() + _SPOOL_WAIT_S
        while True:
            self.spool.replay(self.store)
            waiting = self.spool.pending()
            if not waiting or time.monotonic() > until:
                return waiting
            time.sleep(0.1)
