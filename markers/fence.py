"""The rollback fence: a store that ends before what was anchored, or holds another history, is not gone on with.

Nor is one that was restored where nothing can tell what came after the backup, until somebody has accepted it.
"""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path

from markers.anchors import Anchors, AnchorsFailed, Mark
from markers.checkpoints import KeyRefused, NotSigned, PublicKey, Statement
from markers.ledger_index import LedgerIndex
from markers.store import Store
from markers.store_errors import StoreBehind

_UNREAD: Mark = ("", -1, -1)


class Fence:
    """Compares one area's store with its anchors. Keeps a connection of its own, which no distrust closes.

    `last` is the newest statement of the anchors, `accepted` the newest that is a person's acceptance; `floor` the
    sequence the ledger must have reached.
    """

    def __init__(self, store: Store, anchors: Anchors, public: Path, index: LedgerIndex) -> None:
        """`public` is the file of the ledger's public key. Should the anchors be gone, the index still knows."""
        self.store = store
        self.last: Statement | None = None
        self.accepted: Statement | None = None
        self.floor = 0
        self._anchors, self._public, self._index = anchors, public, index
        self._mark: Mark = _UNREAD

    def look(self) -> None:
        """Read the anchors if they were added to. Raises `StoreBehind` for anchors that another key signed.

        Where they can't be read the last that was known counts on.
        """
        try:
            mark = self._anchors.mark()
            if mark != self._mark:
                self.last, self.accepted = self._anchors.last(), self._anchors.last_accepted()
                self._mark = mark
        except AnchorsFailed:
            self._mark = _UNREAD
        if self.last is None:
            self.floor = self._index.tree().size
            return
        try:
            key = PublicKey.read(self._public.read_text("ascii"))
            for told in filter(None, (self.last, self.accepted)):
                key.check(told)
        except (OSError, UnicodeDecodeError, KeyRefused, NotSigned) as error:
            raise StoreBehind(f"the anchors can't be relied on ({error}); a person has to decide") from None
        self.floor = self.last.size

    def hold(self, store_id: str, made_at: datetime) -> None:
        """From here on hold the store of that id back, restored from a backup of `made_at`, until it is accepted."""
        last = self._anchors.last_accepted()
        note = {"store": store_id, "made_at": made_at.isoformat(), "accepted": last.note if last is not None else None}
        self._restored.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self._restored.with_suffix(".new")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(note, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._restored)

    def check(self) -> None:
        """Raises `StoreBehind` unless the store reaches as far as the anchors and says there what they say."""
        self._check_restored()
        end = self.store.ledger_end()
        if end < self.floor:
            raise StoreBehind(
                f"the store's ledger ends at entry {end} but was anchored up to {self.floor}; a person has to decide"
            )
        if self.last is None:
            return
        size, note = next(self.store.checkpoints(self.last.size - 1, 1), (0, ""))
        if size == self.last.size and not _says(note, self.last):
            raise StoreBehind(
                f"the store's checkpoint over {size} entries is not the one that was anchored; a person has to decide"
            )

    @property
    def _restored(self) -> Path:
        return self._index.path.with_suffix(".restored")

    def _check_restored(self) -> None:
        try:
            note = json.loads(self._restored.read_text("utf-8"))
            store_id, made_at, before = note["store"], datetime.fromisoformat(note["made_at"]), note["accepted"]
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError):
            raise StoreBehind(f"{self._restored} can't be read; a person has to decide") from None
        if self.store.identity() == store_id and (None if self.accepted is None else self.accepted.note) == before:
            raise StoreBehind(
                f"the store was restored from a backup of {made_at:%d %B %Y %H:%M:%S} (UTC), and nothing here can tell "
                "what came after it; a person has to decide"
            )


def _says(note: str, anchored: Statement) -> bool:
    try:
        return Statement.read(note).root == anchored.root
    except NotSigned:
        return False
