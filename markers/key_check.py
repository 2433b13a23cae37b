"""What is sealed by which key, and what can't be opened. What is opened to know that it opens is dropped at once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from markers.sealed import SealedStore
from markers.spool import Spool
from markers.vault import Vault, VaultError

NO_KEY: Final = "none"
_RECORD_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


@dataclass(frozen=True, slots=True)
class Unopened:
    """Something that can't be opened: where it lies, the key that sealed it (`none`: not sealed) and why."""

    collection: str
    record: str
    key_id: str
    why: str


@dataclass(slots=True)
class Checked:
    """How much each key has sealed, by collection (`proof`, `ledger` and `spool` beside the stored ones)."""

    sealed_by: dict[str, Counter[str]] = field(default_factory=dict)
    unopened: list[Unopened] = field(default_factory=list)

    def total(self, key_id: str) -> int:
        """How much a key has sealed in all."""
        return self.sealed_by.get(key_id, Counter()).total()


def work(store: SealedStore) -> int:
    """How many records and ledger entries `check_keys` goes through."""
    return sum(map(store.count, store.collections())) + store.ledger_length()


def check_keys(store: SealedStore, vault: Vault, spool: Spool, step: Callable[[int], None]) -> Checked:
    """Try to open everything. Goes on after what can't be opened. Raises `StoreUnavailable`."""
    checked = Checked()

    def look(collection: str, record: str, sealed_as: tuple[str, str, int], blob: bytes, key_id: str | None) -> None:
        key = key_id or NO_KEY
        checked.sealed_by.setdefault(key, Counter())[collection] += 1
        try:
            vault.open(*sealed_as, blob)
        except (VaultError, ValueError):
            checked.unopened.append(Unopened(collection, record, key, _why(vault, key_id)))

    proof = store.kept_proof()
    if proof is not None:
        look("proof", "proof", ("proof", proof.name, 1), proof.blob, proof.key_id)
    for collection in store.collections():
        for page in store.kept(collection):
            for kept in page:
                name = kept.name if _RECORD_ID.fullmatch(kept.name) else "(not a record id)"
                look(collection, name, (collection, kept.name, kept.version), kept.blob, kept.key_id)
            step(len(page))
    _check_ledger(store, checked, look, step)
    for file, number, blob, key_id in spool.frames():
        look("spool", f"{file} frame {number}", ("spool", file, number), blob, key_id)
    return checked


def _check_ledger(
    store: SealedStore,
    checked: Checked,
    look: Callable[[str, str, tuple[str, str, int], bytes, str | None], None],
    step: Callable[[int], None],
) -> None:
    last, seen = store.ledger_position(), 0
    for entries in store.kept_ledger():
        for entry in entries:
            _note_missing(checked, seen + 1, entry.sequence)
            seen = entry.sequence
            look("ledger", str(seen), ("ledger", entry.entry_id, 1), entry.blob, entry.key_id)
        step(len(entries))
    _note_missing(checked, seen + 1, last + 1)


def _note_missing(checked: Checked, first: int, end: int) -> None:
    if first < end:
        span = str(first) if end == first + 1 else f"{first} to {end - 1}"
        checked.unopened.append(Unopened("ledger", span, NO_KEY, "is missing from the store"))


def _why(vault: Vault, key_id: str | None) -> str:
    if key_id is None:
        return "is not a sealed record"
    if key_id not in vault.key_ids:
        return "its key is not in this key ring"
    return "was changed, moved or sealed with another key"
