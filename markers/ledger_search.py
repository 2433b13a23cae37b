"""Who looked at what: the ledger's entries by marker, actor, incident, check or place, newest first.

The local index (markers/ledger_index.py) names the sequence numbers; every entry is then read from the store and looked
at itself. What the index does not have yet, or all of it where there is none, is looked through entry by entry.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from markers.checkpoints import NotSigned, Statement
from markers.commits import LedgerRecord
from markers.ledger import LedgerEntry, search
from markers.ledger_index import LedgerIndex, Wanted
from markers.model import PROOF_OF_LIFE
from markers.store import Store
from markers.vault import VaultError

_PAGE: Final = 1000
_FEW: Final = 100
_CLOCK_SLACK: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Found:
    """One entry with its sequence number."""

    sequence: int
    entry: LedgerEntry


@dataclass(frozen=True, slots=True)
class LedgerSearch:
    """Searches one area's ledger, fast where there is an index of it."""

    store: Store
    index: LedgerIndex | None = None

    def find(
        self,
        *,
        marker: str | None = None,
        actor: str | None = None,
        incident: str | None = None,
        check: str | None = None,
        about: str | Collection[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
        limit: int = 25,
        without: Collection[str] = (),
    ) -> tuple[Found, ...]:
        """At most `limit` entries that fit everything given, newest first, below the sequence number `before`.

        `marker` is a record id, `actor` an account or token id, `about` a token of `Vault.token`, or several of which
        one is enough; `since` and `until` (aware) bound when it happened; what the actors in `without` were shown of
        the proof of life, and nothing else of theirs, is left out. Raises `StoreUnavailable`, `VaultError`.
        """
        places = frozenset((about,) if isinstance(about, str) else about or ())
        end = self.store.ledger_end()
        top = end if before is None else min(end, before - 1)
        bottom = 1 if since is None else self._first_since(since, end)
        fitting = (
            found
            for found in self._candidates(self._wanted(marker, actor, incident, check, places), bottom, top, end)
            if not (found.entry.actor_id in without and _proves(found.entry))
            and any(search([found.entry], actor=actor, incident=incident, marker=marker, check=check))
            and (not places or not places.isdisjoint(found.entry.about))
            and (since is None or found.entry.at >= since)
            and (until is None or found.entry.at < until)
        )
        return tuple(islice(fitting, limit))

    def came_late(self, checks: Iterable[str]) -> set[str]:
        """Which of these checks were answered as last known and logged late: the look the store kept was not shown."""
        wanted = set(checks)
        end = self.store.ledger_end()
        position = self._position(end)
        late: set[str] = set()
        if self.index is not None and position:
            tokens = {self.index.token("late", check): check for check in wanted}
            try:
                late = {tokens[token] for token in self.index.filed(tokens)}
            except (sqlite3.Error, OSError):
                position = 0
        for found in self._scanned(position + 1, end):
            check = found.entry.check_id
            if found.entry.late and check is not None and check in wanted:
                late.add(check)
        return late

    def _position(self, end: int) -> int:
        """How far the index can be used; one that reaches further than the ledger is of another."""
        position = 0 if self.index is None else self.index.position(self.store.identity())
        return position if 0 < position <= end else 0

    def _wanted(
        self, marker: str | None, actor: str | None, incident: str | None, check: str | None, places: Iterable[str]
    ) -> Wanted | None:
        """The rarest first: that is what the index is walked by."""
        if self.index is None:
            return None
        named = (("check", check), ("incident", incident), ("record", marker), ("actor", actor))
        all_of = tuple(self.index.token(kind, text) for kind, text in named if text is not None)
        any_of = tuple(self.index.token("about", place) for place in places)
        return Wanted(all_of, any_of) if all_of or any_of else None

    def _candidates(self, wanted: Wanted | None, bottom: int, top: int, end: int) -> Iterator[Found]:
        position = self._position(end) if wanted is not None else 0
        yield from self._scanned(max(bottom, position + 1), top)
        if wanted is None or self.index is None:
            return
        reached = min(top, position) + 1
        try:
            named = self.index.sequences(wanted, reached)
            while sequences := list(islice(named, _FEW)):
                inside = [sequence for sequence in sequences if sequence >= bottom]
                for found in map(_found, self.store.ledger_entries(inside)):
                    yield found
                    reached = found.sequence
                if len(inside) < len(sequences):
                    return
        except (sqlite3.Error, OSError):
            yield from self._scanned(bottom, reached - 1)

    def _scanned(self, bottom: int, top: int) -> Iterator[Found]:
        while top >= bottom:
            after = max(bottom - 1, top - _PAGE)
            page = list(self.store.ledger(after, top - after))
            yield from map(_found, reversed(page))
            top = after

    def _first_since(self, since: datetime, end: int) -> int:
        """The first sequence that could have happened since then: what an earlier checkpoint covers did not."""
        low, high = 0, end
        while low < high:
            middle = (low + high) // 2
            size, note = next(self.store.checkpoints(middle, 1), (0, ""))
            try:
                earlier = size > 0 and Statement.read(note).at < since - _CLOCK_SLACK
            except NotSigned:
                earlier = False
            if earlier:
                low = min(size, end)
            else:
                high = middle
        return low + 1


def _found(record: LedgerRecord) -> Found:
    try:
        return Found(record.sequence, LedgerEntry.from_bytes(record.entry))
    except ValueError:
        raise VaultError(f"ledger entry {record.sequence} is written in a form this version does not know") from None


def _proves(entry: LedgerEntry) -> bool:
    """Whether it tells of the proof of life's marker alone: a look at anything else is never left out."""
    return bool(entry.records) and all(seen.record_id == PROOF_OF_LIFE for seen in entry.records)
