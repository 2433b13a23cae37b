"""What is asked of the store and what it answers: records, what happens together or not at all, and what changed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from markers.store_errors import NotUnique

_MOST_WRITES: Final = 2_000
_TOKEN: Final = re.compile(r"[0-9a-f]{32,128}")


@dataclass(frozen=True, slots=True)
class Record:
    """One record, opened. `plain` is None when it was erased."""

    record_id: str
    version: int
    plain: bytes | None


@dataclass(frozen=True, slots=True)
class Changes:
    """Records in their newest state, as of `position`. With `reload` the list is empty: call `load`."""

    position: int
    records: tuple[Record, ...]
    reload: bool = False


@dataclass(frozen=True, slots=True)
class Write:
    """One record set (or erased, with `plain` None), if it still is at `expected_version` (0: must not exist).

    `tokens` are all uniqueness tokens the record holds from now on, as `Vault.token` makes them.
    """

    collection: str
    record_id: str
    expected_version: int
    plain: bytes | None
    tokens: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Commit:
    """What happens together or not at all. `entries` are ledger entries in clear; the store seals them.

    At most 2,000 writes and 2,000 entries, so that a long list in several commits never holds up a check.
    `expect` maps a collection to the position the caller's read model is at; `era` is `Store.era` from before it was
    read, where the same positions of another store would not do. For `kept_ms` the request id is known again: a day.
    """

    request_id: str
    expect: dict[str, int]
    writes: tuple[Write, ...] = ()
    entries: tuple[bytes, ...] = ()
    era: int | None = None
    kept_ms: int = 86_400_000


@dataclass(frozen=True, slots=True)
class Committed:
    """Done and durable: new positions of the written collections, sequence numbers of the entries.

    `repeated` says that this is the reply to an earlier sending of the same commit.
    """

    positions: dict[str, int]
    ledger: tuple[int, ...]
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Moved:
    """Nothing was written: these collections have changed since the expected positions."""

    changes: dict[str, Changes]


@dataclass(frozen=True, slots=True)
class LedgerRecord:
    """One ledger entry in clear with its sequence number, which starts at 1."""

    sequence: int
    entry: bytes


def refuse_odd(commit: Commit) -> None:
    """Raises ValueError, or NotUnique, for a commit that no store should be asked for."""
    if len(commit.writes) > _MOST_WRITES or len(commit.entries) > _MOST_WRITES:
        raise ValueError(f"a commit holds at most {_MOST_WRITES} writes and as many ledger entries")
    seen: set[tuple[str, str]] = set()
    held: dict[tuple[str, str], str] = {}
    for write in commit.writes:
        if (write.collection, write.record_id) in seen:
            raise ValueError(f"a commit writes {write.collection} {write.record_id} twice")
        seen.add((write.collection, write.record_id))
        if write.expected_version < 0 or (write.plain is None and (write.expected_version == 0 or write.tokens)):
            raise ValueError(
                f"{write.collection} {write.record_id}: only what exists can be erased, and holds no tokens"
            )
        for token in write.tokens:
            if not _TOKEN.fullmatch(token):
                raise ValueError(f"{write.collection} {write.record_id}: a uniqueness token is what Vault.token makes")
            if held.setdefault((write.collection, token), write.record_id) != write.record_id:
                raise NotUnique(token, held[write.collection, token])
    if any(after < 0 for after in commit.expect.values()):
        raise ValueError("a position is not negative")
