"""The sealer: follows the ledger, grows its tree, signs it, and keeps what it signed in the store and outside it.

One step does, in this order: take in checkpoints the store has and this sealer not (its own of before a crash, or
another machine's), sign the entries behind them, write that to the store, add it to the anchors, file the entries in
the search index. Killed between any two of these, the next sealer takes the step up where it ended: what the store
has and the anchors lack is proved to grow out of the last anchor and added; what the anchors have and the store lacks
must be what the entries come to, or nothing is signed any more.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from datetime import datetime, timedelta
from typing import Final

from markers.anchors import Anchors, AnchorsFailed, Mark
from markers.checkpoints import NotSigned, SigningKey, Statement
from markers.commits import LedgerRecord
from markers.ledger_index import LedgerIndex
from markers.merkle import Frontier, leaf_hash
from markers.store import Store
from markers.store_errors import SealedOtherwise, StoreUnavailable
from markers.vault import VaultError

MOST_ENTRIES: Final = 4_000
"""Entries under one checkpoint, so that a note stays below 256 KiB."""
CLOCK_SLACK: Final = timedelta(seconds=5)
_MOST_WAITING: Final = 20_000


class SealRefused(Exception):  # noqa: N818 - reads as the fact it states
    """Nothing is signed: the ledger is not the one that was signed before. A person has to look."""


class ClockBehind(Exception):  # noqa: N818 - reads as the fact it states
    """Nothing is signed until the clock has passed the last checkpoint again."""


class Sealer:
    """Signs one area's ledger. One at a time on a folder of anchors; two on one store hinder each other, no more."""

    def __init__(self, store: Store, key: SigningKey, anchors: Anchors, index: LedgerIndex) -> None:
        self._store, self._key, self._anchors, self._index = store, key, anchors, index
        self._tree: Frontier | None = None
        self._last: Statement | None = None
        self._mark: Mark = None
        self._waiting: deque[Statement] = deque(maxlen=_MOST_WAITING)

    @property
    def size(self) -> int:
        """How many entries are signed, as far as this sealer knows."""
        return 0 if self._tree is None else self._tree.size

    def step(self, now: datetime) -> bool:
        """One step; whether more entries wait already.

        Raises SealRefused or ClockBehind (nothing was signed), AnchorsFailed (signed, but not anchored: the next step
        tries again), `StoreUnavailable` (the next step takes up what was done).
        """
        tree = self._tree if self._tree is not None and self._unmoved() else self._resumed()
        signed = self._signed(tree, now)
        if self._waiting:
            self._anchors.append(self._waiting)
            self._waiting.clear()
            self._mark = self._anchors.mark()
            self._index.keep_tree(tree)
        self._file(tree)
        return signed == MOST_ENTRIES

    def look(self) -> None:
        """Raises SealRefused when the store is not what its anchors say; signs nothing."""
        self._resumed()

    def _unmoved(self) -> bool:
        """Whether nobody else added to the anchors. Not being able to tell stops no signing, only the anchoring."""
        try:
            return self._anchors.mark() == self._mark
        except AnchorsFailed:
            return True

    def _resumed(self) -> Frontier:
        """The tree over what the store's checkpoints cover, proved to grow out of the last anchor."""
        self._tree = None
        self._waiting.clear()
        self._mark = self._anchors.mark()
        anchor, kept = self._anchors.last(), self._index.tree()
        end = self._store.ledger_end()
        if anchor is None and kept.size:
            raise SealRefused(f"The anchors are gone: entries up to {kept.size} had been anchored. Bring them back.")
        if anchor is not None:
            self._check(anchor, "The last anchor")
        if anchor is not None and end < anchor.size:
            raise SealRefused(
                f"The ledger ends at entry {end} but was anchored up to {anchor.size}: "
                "the store was put back, wiped or replaced. A supervisor must decide."
            )
        last = self._sealed_at(anchor) if kept.size and _is(anchor, kept) else None
        tree = kept if last is not None else Frontier()
        if last is None or not 0 <= self._index.position(self._store.identity()) <= tree.size:
            self._index.reset(self._store.identity())
        for size, note in self._store.checkpoints(tree.size):
            last = self._taken_in(tree, size, note, last, anchor)
            if anchor is None or size > anchor.size:
                self._waiting.append(last)
        if anchor is not None and tree.size < anchor.size:
            beyond = tree.copy()
            for record in self._entries(tree.size, anchor.size - tree.size):
                beyond.append(leaf_hash(record.entry))
            _same(beyond, anchor)
        self._store.settle()  # what is anchored must not be what only one server has
        self._tree, self._last = tree, last
        return tree

    def _sealed_at(self, anchor: Statement | None) -> Statement | None:
        """The store's own checkpoint where the last anchor stands, if it says the same."""
        if anchor is None:
            return None
        size, note = next(self._store.checkpoints(anchor.size - 1, 1), (0, ""))
        return anchor if (size, note) == (anchor.size, anchor.note) else None

    def _taken_in(
        self, tree: Frontier, size: int, note: str, last: Statement | None, anchor: Statement | None
    ) -> Statement:
        name = f"The checkpoint over {size} entries"
        try:
            told = Statement.read(note)
        except NotSigned as error:
            raise SealRefused(f"{name} can't be relied on: {error}.") from None
        self._check(told, name)
        if told.size != size or tree.size + len(told.leaves) != size or (last is not None and told.at < last.at):
            raise SealRefused(f"{name} does not follow the one over {tree.size}.")
        for leaf in told.leaves:
            tree.append(leaf)
            if anchor is not None and tree.size == anchor.size:
                _same(tree, anchor)
        if tree.root() != told.root:
            raise SealRefused(f"{name} does not follow the one over {tree.size - len(told.leaves)}.")
        return told

    def _signed(self, tree: Frontier, now: datetime) -> int:
        """Sign what stands behind the last checkpoint; how many entries that was."""
        end = self._store.ledger_end()
        if end < tree.size:
            self._tree = None
            raise SealRefused(
                f"The ledger ends at entry {end} but is signed up to {tree.size}: the store was put back."
            )
        if end == tree.size:
            return 0
        if self._last is not None and now < self._last.at - CLOCK_SLACK:
            raise ClockBehind(
                f"The clock says {now:%d %B %H:%M:%S} but the last checkpoint was signed at "
                f"{self._last.at:%d %B %H:%M:%S} (UTC)."
            )
        leaves = tuple(leaf_hash(record.entry) for record in self._entries(tree.size, MOST_ENTRIES))
        grown = tree.copy()
        for leaf in leaves:
            grown.append(leaf)
        at = now if self._last is None else max(now, self._last.at)
        told = self._key.sign(grown.size, grown.root(), at, leaves)
        try:
            self._store.seal(tree.size, told.size, told.note)
        except SealedOtherwise:
            self._tree = None  # another machine's sealer was first: the next step takes its checkpoint in
            return 0
        except StoreUnavailable:
            self._tree = None  # whether it is kept is not known: the next step looks
            raise
        tree.size, tree.peaks = grown.size, grown.peaks
        self._last = told
        self._waiting.append(told)
        return len(leaves)

    def _file(self, tree: Frontier) -> None:
        """Bring the search index up to the tree. A fault of it costs speed, so it stops nothing."""
        store_id = self._store.identity()
        try:
            if self._index.position(store_id) == -1:
                self._index.reset(store_id)
            while (after := self._index.position(store_id)) < tree.size:
                self._index.add(self._entries(after, min(MOST_ENTRIES, tree.size - after)))
        except sqlite3.Error:
            self._index.reset(store_id)

    def _entries(self, after: int, limit: int) -> list[LedgerRecord]:
        try:
            return list(self._store.ledger(after, limit))
        except VaultError as error:
            self._tree = None
            raise SealRefused(f"{str(error).capitalize()}. Nothing after it is signed.") from None

    def _check(self, told: Statement, name: str) -> None:
        try:
            self._key.public.check(told)
        except NotSigned as error:
            raise SealRefused(f"{name} can't be relied on: {error}.") from None


def _is(anchor: Statement | None, tree: Frontier) -> bool:
    return anchor is not None and (anchor.size, anchor.root) == (tree.size, tree.root())


def _same(tree: Frontier, anchor: Statement) -> None:
    if tree.root() != anchor.root:
        raise SealRefused(
            f"The ledger's first {anchor.size} entries are not those that were anchored at "
            f"{anchor.at:%d %B %H:%M:%S} (UTC): the store was put back, replaced or changed. A supervisor must decide."
        )
