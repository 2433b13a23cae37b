"""One process's view of one fresh area of a real Valkey, for everything about signing in."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from markers.ledger import LedgerEntry
from markers.store import Store
from markers.vault import Vault
from overlay import identity
from overlay.identity import AccessBook

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
PASSWORD = "correct horse battery"
OTHER = "staple of another stable"


@dataclass
class Desk:
    """One process's view of one fresh area."""

    store: Store
    vault: Vault
    access: AccessBook
    counters: identity.Counters
    presence: identity.Presence = field(default_factory=identity.Presence)
    policy: identity.Policy = field(default_factory=lambda: identity.Policy(second_factor_required=False))

    def door(self, access: AccessBook | None = None) -> identity.Door:
        """The way in, by this process's book or another's."""
        return identity.Door(self.store, access or self.access, self.presence, self.vault, self.counters, self.policy)

    def sign_in(
        self, username: str, password: str, now: datetime, address: str = "", access: AccessBook | None = None
    ) -> str:
        """The session's secret of a sign-in that needs nothing more."""
        signed_in = identity.sign_in(self.door(access), username, password, now, identity.Browser(address))
        assert signed_in.needs == "nothing"
        return signed_in.secret

    def beside(self) -> AccessBook:
        """Another process's book."""
        other = AccessBook()
        other.replace(self.store.load("access"))
        return other

    def entries(self) -> list[LedgerEntry]:
        return [LedgerEntry.from_bytes(record.entry) for record in self.store.ledger()]
