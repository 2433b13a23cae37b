"""What signing in works with, as one value: the store, who may come in, and how strictly that is asked."""

from __future__ import annotations

from dataclasses import dataclass

from markers.store import Store
from markers.vault import Vault
from overlay.identity.access import AccessBook
from overlay.identity.counters import Counters
from overlay.identity.policy import Policy
from overlay.identity.presence import Presence


@dataclass(frozen=True, slots=True)
class Door:
    """One area's way in, of one process."""

    store: Store
    access: AccessBook
    presence: Presence
    vault: Vault
    counters: Counters
    policy: Policy


@dataclass(frozen=True, slots=True)
class Browser:
    """Where a try comes from: the address it was sent from and the device cookie it brought, empty for none."""

    address: str = ""
    device: str = ""
