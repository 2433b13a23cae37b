"""What signing in works with, as one value: the store, who may come in, and the vault that makes tokens of names."""

from __future__ import annotations

from dataclasses import dataclass

from markers.store import Store
from markers.vault import Vault
from overlay.identity.access import AccessBook


@dataclass(frozen=True, slots=True)
class Door:
    """One area's way in, of one process."""

    store: Store
    access: AccessBook
    vault: Vault
