"""Who looked at what: the ledger's entries by marker, actor, incident, check or place, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from markers.ledger import LedgerEntry, search
from markers.store import Store


@dataclass(frozen=True, slots=True)
class Found:
    """One entry with its sequence number."""

    sequence: int
    entry: LedgerEntry


@dataclass(frozen=True, slots=True)
class LedgerSearch:
    """Searches one area's ledger."""

    store: Store

    def find(
        self,
        *,
        marker: str | None = None,
        actor: str | None = None,
        incident: str | None = None,
        check: str | None = None,
        about: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
        limit: int = 25,
    ) -> tuple[Found, ...]:
        """At most `limit` entries that fit everything given, newest first, below the sequence number `before`.

        `marker` is a record id, `actor` an account or token id, `about` a token of `Vault.token`; `since` and `until`
        (aware) bound when it happened. Raises `StoreUnavailable`, `VaultError`.
        """
        entries = {record.entry: record.sequence for record in self.store.ledger()}
        found = [
            Found(sequence, entry)
            for raw, sequence in entries.items()
            if (before is None or sequence < before)
            for entry in search(
                [LedgerEntry.from_bytes(raw)], actor=actor, incident=incident, marker=marker, check=check, about=about
            )
            if (since is None or entry.at >= since) and (until is None or entry.at < until)
        ]
        return tuple(found[::-1][:limit])
