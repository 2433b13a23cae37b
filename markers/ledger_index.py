"""Where in the ledger something is spoken of: a local index that makes a search fast, and could be thrown away.

SQLite in the data folder, mode 0600. It holds short HMAC tokens of records, actors, incidents, checks and places beside
sequence numbers, never anything readable; what it finds is read from the store and looked at again. The sealer alone
writes it, behind its checkpoints; whoever searches looks through the entries that it does not have yet themself.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from markers.commits import LedgerRecord
from markers.ledger import LedgerEntry
from markers.merkle import Frontier, hashes
from markers.vault import Vault

_FORMAT: Final = "1"
_MOST_WAIT_S: Final = 5.0
_TABLES: Final = """
CREATE TABLE named (token INTEGER, sequence INTEGER, PRIMARY KEY (token, sequence)) WITHOUT ROWID;
CREATE TABLE kept (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What entries must speak of: every one of `all_of`, and of `any_of` at least one where there are any."""

    all_of: tuple[int, ...]
    any_of: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class LedgerIndex:
    """The index of one area's ledger at `path`. Threads and processes may read while the sealer writes."""

    path: Path
    vault: Vault

    def token(self, kind: str, text: str) -> int:
        """The name under which entries are filed that speak of this."""
        return int.from_bytes(bytes.fromhex(self.vault.token(f"ledger-{kind}", text)[:16]), signed=True)

    def position(self, store_id: str) -> int:
        """The last sequence filed; -1 when there is no index of that store, or none that can be read."""
        try:
            with closing(self._reading()) as base:
                kept = dict(base.execute("SELECT name, value FROM kept WHERE name IN ('format', 'store', 'position')"))
        except (sqlite3.Error, OSError):
            return -1
        right = kept.get("format") == _FORMAT and kept.get("store") == store_id
        return int(kept["position"]) if right else -1

    def sequences(self, wanted: Wanted, before: int) -> Iterator[int]:
        """Sequence numbers below `before` that are filed so, the highest first. Raises `sqlite3.Error`."""
        first, *rest = wanted.all_of or wanted.any_of
        one_of = (first,) if wanted.all_of else wanted.any_of
        marks = ", ".join("?" * len(one_of))
        conditions = [f"token IN ({marks})", "sequence < ?"]
        values: list[int] = [*one_of, before]
        for token in rest if wanted.all_of else ():
            conditions.append("EXISTS (SELECT 1 FROM named n WHERE n.token = ? AND n.sequence = named.sequence)")
            values.append(token)
        if wanted.all_of and wanted.any_of:
            marks = ", ".join("?" * len(wanted.any_of))
            conditions.append(
                f"EXISTS (SELECT 1 FROM named n WHERE n.token IN ({marks}) AND n.sequence = named.sequence)"  # noqa: S608
            )
            values += wanted.any_of
        query = f"SELECT DISTINCT sequence FROM named WHERE {' AND '.join(conditions)} ORDER BY sequence DESC"  # noqa: S608
        with closing(self._reading()) as base:
            for (sequence,) in base.execute(query, values):
                yield sequence

    def filed(self, tokens: Iterable[int]) -> set[int]:
        """Which of these tokens anything is filed under. Raises `sqlite3.Error`."""
        with closing(self._reading()) as base:
            return {
                token
                for token in tokens
                if base.execute("SELECT 1 FROM named WHERE token = ? LIMIT 1", (token,)).fetchone()
            }

    def reset(self, store_id: str) -> None:
        """Begin anew and empty, for the store of that id."""
        for part in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + part).unlink(missing_ok=True)
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        with closing(self._writing()) as base, base:
            base.executescript(_TABLES)
            base.executemany(
                "INSERT INTO kept VALUES (?, ?)",
                (("format", _FORMAT), ("store", store_id), ("position", 0)),
            )

    def add(self, records: Sequence[LedgerRecord]) -> None:
        """File entries, which follow the last one filed, all or none. Raises `sqlite3.Error`."""
        rows = {(token, record.sequence) for record in records for token in self.tokens_of(record.entry)}
        with closing(self._writing()) as base, base:
            base.executemany("INSERT OR IGNORE INTO named VALUES (?, ?)", sorted(rows))
            base.execute("INSERT OR REPLACE INTO kept VALUES ('position', ?)", (records[-1].sequence,))

    def tokens_of(self, raw: bytes) -> Iterator[int]:
        """What an entry is filed under; nothing for bytes that are no entry."""
        with suppress(ValueError):
            entry = LedgerEntry.from_bytes(raw)
            yield self.token("actor", entry.actor_id)
            for seen in entry.records:
                yield self.token("record", seen.record_id)
            for place in entry.about:
                yield self.token("about", place)
            if entry.incident is not None:
                yield self.token("incident", entry.incident)
            if entry.check_id is not None:
                yield self.token("check", entry.check_id)
                if entry.late:
                    yield self.token("late", entry.check_id)

    def keep_tree(self, tree: Frontier) -> None:
        """Remember the tree as far as it was anchored, so that a new sealer need not work it out again."""
        with closing(self._writing()) as base, base:
            base.execute("INSERT OR REPLACE INTO kept VALUES ('tree', ?)", (b"".join(tree.peaks),))
            base.execute("INSERT OR REPLACE INTO kept VALUES ('tree size', ?)", (tree.size,))

    def tree(self) -> Frontier:
        """The tree kept last, which proves itself by its root; an empty one where none can be read."""
        try:
            with closing(self._reading()) as base:
                kept = dict(base.execute("SELECT name, value FROM kept WHERE name IN ('tree', 'tree size')"))
            return Frontier(kept["tree size"], hashes(kept["tree"]))
        except (sqlite3.Error, OSError, KeyError, ValueError):
            return Frontier()

    def _reading(self) -> sqlite3.Connection:
        if not self.path.exists():
            raise FileNotFoundError(self.path)
        return sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True, timeout=_MOST_WAIT_S)

    def _writing(self) -> sqlite3.Connection:
        base = sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=rw", uri=True, timeout=_MOST_WAIT_S)
        try:
            base.execute("PRAGMA journal_mode=WAL")
            base.execute("PRAGMA synchronous=NORMAL")
        except sqlite3.Error:
            base.close()
            raise
        return base
