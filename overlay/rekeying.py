"""Rotating and checking the keys of one area, beside the console that goes on serving."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from markers import key_check
from markers.checkpoints import key_files
from markers.commits import Commit
from markers.fence import Fence
from markers.key_check import Checked
from markers.ledger import Event, LedgerEntry, RecordSeen
from markers.rotation import Rotated, Rotation
from markers.sealed import SealedStore
from markers.server import EmbeddedServer
from markers.spool import Spool
from markers.store_errors import RequestIdReused
from markers.vault import KeyRing, Vault
from overlay.configuration import Configuration
from overlay.folders import anchors_of, data_folders, key_ring, ledger_index_of
from overlay.roles import Actor
from overlay.settings import Settings

Progress = Callable[[str, int], contextlib.AbstractContextManager[Callable[[int], None]]]


class StillSealed(Exception):
    """Old keys can't be forgotten: something is still sealed by them."""

    def __init__(self, left: dict[str, dict[str, int]]) -> None:
        counts = "; ".join(
            f"{key_id}: {', '.join(f'{count:,} in {collection}' for collection, count in sorted(counts.items()))}"
            for key_id, counts in sorted(left.items())
        )
        super().__init__(
            f"No key was forgotten: old keys still seal something ({counts}). 'overlay keys check' says what can't be "
            "opened; look again when the spool is empty."
        )


@dataclass(frozen=True, slots=True)
class Sealed:
    """What rotating and checking work with: nothing is opened or loaded to begin with."""

    settings: Settings
    store_url: str
    store: SealedStore
    vault: Vault
    spool: Spool


@contextlib.contextmanager
def sealed(settings: Settings) -> Iterator[Sealed]:
    """The store as it lies. Attaches to the running one, or starts and stops one itself.

    Raises SettingsError, VaultError (of the ring; never of a record), ServerError.
    """
    known = Configuration.read(settings)
    data_folders(settings.data)
    vault = Vault(key_ring(settings), known.area.code, settings.data / "keys")
    embedded = None if settings.store_url else EmbeddedServer(settings.data / "store")
    try:
        url = settings.store_url or (embedded.ensure() if embedded is not None else "")
        timeout_s = max(settings.store_timeout_s, 2.0)
        store = SealedStore(url, known.area.code, vault, timeout_s=timeout_s, replicas=settings.confirming)
        try:
            yield Sealed(settings, url, store, vault, Spool(settings.data / "spool", vault))
        finally:
            store.close()
    finally:
        if embedded is not None:
            embedded.release()


def rotate(held: Sealed, by: Actor, progress: Progress) -> Rotated:
    """Make a new key, or take up the rotation that was cut off, and seal everything with it.

    Logged in the ledger at its beginning and end, by key ids. Raises StoreUnavailable, VaultError, StoreBehind; running
    it again goes on from where it stood.
    """
    _refuse_behind(held)
    rotation = Rotation(held.store, held.vault, held.spool, held.settings.data / "keys")
    key_id, resumed = rotation.choose()
    old = tuple(known for known in held.vault.key_ids if known != key_id)
    _log(held, by, f"{key_id}-begun", "key_rotation_begun", key_id, old)
    old = rotation.take_over(key_id)
    with progress("sealing anew", key_check.work(held.store)) as step:
        done = rotation.reseal(key_id, old, step, resumed=resumed)
    _log(held, by, f"{key_id}-ended", "key_rotation_ended", key_id, old)
    rotation.finish(key_id)
    return done


def check(held: Sealed, progress: Progress) -> Checked:
    """What each key seals and what can't be opened."""
    with progress("opening", key_check.work(held.store)) as step:
        return key_check.check_keys(held.store, held.vault, held.spool, step)


def forget_old(held: Sealed, by: Actor, progress: Progress) -> tuple[str, ...]:
    """Drop every key but the current one from the ring, for ever: older backups can then not be opened any more.

    Raises StillSealed when one of them still seals anything here, in this area or another of the same store, and
    StoreBehind where this is not the store that was anchored: that one may be sealed by them.
    """
    _refuse_behind(held)
    folder = held.settings.data / "keys"
    ring = KeyRing.load(folder)
    old = tuple(key_id for key_id in ring.sealing if key_id != ring.current)
    if not old:
        return ()
    left: dict[str, dict[str, int]] = {}
    for key_id, counts in check(held, progress).sealed_by.items():
        if key_id in old:
            left[key_id] = dict(counts)
    for area in held.store.areas():
        if area != held.vault.area:
            other = SealedStore(held.store_url, area, Vault(ring, area), timeout_s=held.store.timeout_s)
            with contextlib.closing(other):
                proof = other.kept_proof()
            if proof is not None and proof.key_id in old:
                left.setdefault(proof.key_id, {})[f"area {area}"] = 1
    if left:
        raise StillSealed(left)
    _log(held, by, str(uuid.uuid4()), "keys_forgotten", ring.current, old)
    ring.forget(folder, old)
    held.vault.refresh()
    return old


def _refuse_behind(held: Sealed) -> None:
    area, folder = held.vault.area, held.settings.data / "keys"
    anchors = anchors_of(held.settings, area)
    fence = Fence(held.store, anchors, key_files(folder, area)[1], ledger_index_of(held.settings, held.vault))
    fence.look()
    fence.check()


def _log(held: Sealed, by: Actor, request: str, reason: str, key_id: str, old: tuple[str, ...]) -> None:
    entry = LedgerEntry(
        entry_id=str(uuid.uuid4()),
        at=datetime.now(UTC),
        operation=Event.ACCESS,
        actor_id=by.actor_id,
        actor_role=by.role,
        via=by.via,
        reason=reason,
        records=(
            RecordSeen(key_id, 0, fields=("current",)),
            *(RecordSeen(known, 0, fields=("set_aside",)) for known in sorted(old)),
        ),
    )
    with contextlib.suppress(RequestIdReused):  # said already, before the rotation was cut off
        held.store.commit(Commit(f"keys-{request}", {}, (), (entry.canonical(),)))
