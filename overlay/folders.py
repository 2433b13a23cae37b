"""The data folder and what lies in it beside the store: keys, the ledger's search index, anchors.

Imports little: a part of `overlay run` that is started again should be back at once.
"""

from __future__ import annotations

import os
from pathlib import Path

from markers.anchors import Anchors
from markers.checkpoints import KeyRefused, PublicKey, key_files
from markers.ledger_index import LedgerIndex
from markers.snapshot import Snapshot, SnapshotRefused
from markers.vault import KeyRing, Vault, VaultError
from overlay.proof import ProofFolder
from overlay.settings import Settings, SettingsError

RESTORING = "restoring.json"


def data_folders(data: Path) -> None:
    """Make the data folder and its parts, mode 0700.

    Raises SettingsError when it can't be written, or while a backup is being restored into it.
    """
    if (data / RESTORING).exists():
        raise SettingsError(
            f"A backup is being restored into {data}, or that was cut short. Wait for it, or run 'overlay restore' "
            "again; 'overlay restore --give-up' goes back to what was there before."
        )
    make_folders(data)


def make_folders(data: Path) -> None:
    """The same, whatever goes on."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        for part in ("store", "keys", "gazetteer", "spool", "ledger", "logs"):
            (data / part).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"The data folder {data} can't be written ({error.strerror}). Set OVERLAY_DATA to one that can."
        ) from error
    if not os.access(data, os.W_OK | os.X_OK):
        raise SettingsError(f"The data folder {data} can't be written. Set OVERLAY_DATA to one that can.")


def key_ring(settings: Settings) -> KeyRing:
    """The area's keys; made once for a new data folder, never replaced where sealed data may exist."""
    folder = settings.data / "keys"
    has_data = any((settings.data / "store").glob("appendonlydir/*")) or any((settings.data / "spool").iterdir())
    if (folder / "ring.json").exists() or has_data:
        return KeyRing.load(folder)
    try:
        return KeyRing.create(folder)
    except VaultError:
        return KeyRing.load(folder)


def ledger_index_of(settings: Settings, vault: Vault) -> LedgerIndex:
    """The search index of the data folder."""
    return LedgerIndex(settings.data / "ledger" / f"{vault.area}.sqlite", vault)


def anchors_of(settings: Settings, area: str) -> Anchors:
    """The anchors of one area."""
    return Anchors(settings.anchors_folder / area)


def snapshot_of(settings: Settings, vault: Vault) -> Snapshot:
    """The copy of one area on this machine's disk."""
    return Snapshot(settings.data / "snapshot" / vault.area, vault)


def proof_of(settings: Settings) -> ProofFolder:
    """Where the prover of this machine says what it found."""
    return ProofFolder(settings.data / "proof", settings.proof_s)


def public_key(settings: Settings, area: str) -> PublicKey:
    """What the area's snapshot and ledger are signed with. Raises SnapshotRefused."""
    path = key_files(settings.data / "keys", area)[1]
    try:
        return PublicKey.read(path.read_text("ascii"))
    except (OSError, UnicodeDecodeError, KeyRefused):
        raise SnapshotRefused(f"the public key {path} that it was signed with can't be read") from None
