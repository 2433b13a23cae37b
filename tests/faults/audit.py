"""The store held against what its writers were told: what is lost, half there, or there twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from markers.ledger import LedgerEntry
from markers.store import Store
from markers.vault import Vault
from tests.faults.load import COLLECTIONS, PARTS, records_after, written_by


@dataclass(frozen=True, slots=True)
class Verdict:
    """`lost`: acknowledged and not there. `partial`: of one commit something is there, something not. `doubled`: twice.

    `others` are the entry ids of everybody else's ledger entries.
    """

    acknowledged: int
    lost: tuple[str, ...]
    partial: tuple[str, ...]
    doubled: tuple[str, ...]
    others: frozenset[str]

    def assert_sound(self) -> None:
        assert not self.lost, self.lost[:5]
        assert not self.partial, self.partial[:5]
        assert not self.doubled, self.doubled[:5]


@dataclass
class Audit:
    """Reads on from where it last was; `whole` begins at the first entry again."""

    url: str
    vault: Vault
    done: dict[str, int] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)
    read_to: int = 0

    def look(self, acknowledged: Mapping[str, int]) -> Verdict:
        """`acknowledged` counts each writer's commits from before now, and writers may go on meanwhile."""
        lost: list[str] = []
        partial: list[str] = []
        doubled: list[str] = []
        area = self.vault.area
        store = Store(self.url, area, self.vault, timeout_s=10)
        try:
            store.identity()
            moments, end = self._at_one_moment(area)
            self._read(store, end, lost, partial, doubled)
        finally:
            store.close()
        for writer, told in acknowledged.items():
            there = self.done.get(writer, 0)
            lost += [f"ledger: {writer} {number}" for number in range(there // len(PARTS), told)]
            if there % len(PARTS):
                partial.append(f"ledger: {writer} {there // len(PARTS)} is cut short")
        wanted: dict[str, Any] = {}
        for writer, there in self.done.items():
            wanted.update(records_after(writer, there // len(PARTS), self.vault))
        for collection, (records, tokens, position) in moments.items():
            found = {name: self._opened(collection, name, value) for name, value in records.items()}
            right = {name: (kept.version, kept.plain, kept.token) for name, kept in wanted.items()}
            partial += [
                f"{collection} {name}: {found.get(name)} instead of {right.get(name)}"
                for name in sorted({*found, *right})
                if found.get(name) != right.get(name)
            ]
            held = {kept.token: name for name, kept in wanted.items()}
            if tokens != held:
                partial.append(f"tokens of {collection}: {sorted(tokens.items() ^ held.items())[:4]}")
            changes = sum(there // len(PARTS) for there in self.done.values())
            if position != changes:
                partial.append(f"{collection} is at {position} after {changes} changes")
        return Verdict(sum(acknowledged.values()), tuple(lost), tuple(partial), tuple(doubled), frozenset(self.others))

    def whole(self, acknowledged: Mapping[str, int]) -> Verdict:
        self.done.clear()
        self.others.clear()
        self.read_to = 0
        return self.look(acknowledged)

    def _at_one_moment(self, area: str) -> tuple[dict[str, Any], int]:
        """Records, tokens and position of each collection, and the ledger's end, in one transaction."""
        prefix = f"wmo:{{{area}}}:"
        client = redis.Redis.from_url(self.url, socket_timeout=10, retry=Retry(NoBackoff(), 0))
        with client, client.pipeline(transaction=True) as asked:
            for collection in COLLECTIONS:
                asked.hgetall(f"{prefix}records:{collection}")
                asked.hgetall(f"{prefix}tokens:{collection}")
                asked.hget(f"{prefix}positions", collection)
                asked.xrevrange(f"{prefix}changes:{collection}", count=1)
            asked.hget(f"{prefix}positions", ".ledger")
            asked.xrevrange(f"{prefix}ledger", count=1)
            *found, end, last = asked.execute()
        assert _number(last) == int(end or 0), "the ledger's stream and its number are one commit's"
        moments: dict[str, Any] = {}
        for at, name in enumerate(COLLECTIONS):
            records, tokens, position, change = found[4 * at : 4 * at + 4]
            assert _number(change) == int(position or 0), "a collection's stream and its number are one commit's"
            held = {token.decode(): holder.decode() for token, holder in tokens.items()}
            moments[name] = ({key.decode(): value for key, value in records.items()}, held, int(position or 0))
        return moments, int(end or 0)

    def _opened(self, collection: str, name: str, value: bytes) -> tuple[int, bytes, str]:
        head, _, sealed = value.partition(b":")
        version, _, token = head.decode().partition(" ")
        return int(version), self.vault.open(collection, name, int(version), sealed), token

    def _read(self, store: Store, end: int, lost: list[str], partial: list[str], doubled: list[str]) -> None:
        """The ledger from where it was last read: each writer's in order, once, a commit's beside each other."""
        before: tuple[str, int, str] | None = None
        for record in store.ledger(self.read_to, end - self.read_to):
            entry = LedgerEntry.from_bytes(record.entry)
            written = written_by(entry)
            if written is None:
                if entry.entry_id in self.others:
                    doubled.append(f"ledger {record.sequence}: {entry.entry_id}")
                self.others.add(entry.entry_id)
            else:
                writer, number, part = written
                there, at = self.done.get(writer, 0), len(PARTS) * number + PARTS.index(part)
                if at < there:
                    doubled.append(f"ledger {record.sequence}: {writer} {number} {part}")
                elif at > there:
                    lost.append(f"ledger {record.sequence}: {writer} {number} {part} before its turn")
                if at >= there:
                    self.done[writer] = at + 1
                if part != PARTS[0] and before != (writer, number, PARTS[PARTS.index(part) - 1]):
                    partial.append(f"ledger {record.sequence}: {writer} {number} {part} stands apart")
            before = written
        self.read_to = end


def _number(newest: list[Any]) -> int:
    return int(newest[0][0].partition(b"-")[0]) if newest else 0
