"""A backup of one area beside the console that goes on serving: taken, read back, signed. Logged as a disclosure."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from markers.anchors import Anchors
from markers.backup import ReadStore, take
from markers.backup_check import check_parts
from markers.backup_files import (
    ANCHORS,
    ERASED,
    GAZETTEER,
    BackupRefused,
    Manifest,
    NewBackup,
    Pace,
    read_manifest,
)
from markers.checkpoints import key_files
from markers.commits import Commit
from markers.fence import Fence
from markers.key_check import work
from markers.ledger import LedgerEntry, Operation
from overlay.erased import register_of
from overlay.folders import anchors_of, ledger_index_of
from overlay.rekeying import Progress, Sealed
from overlay.roles import Actor
from overlay.sealing import signing_key

_LOWEST = 19
_Done = TypeVar("_Done")


@dataclass(frozen=True, slots=True)
class BackedUp:
    """A backup that was read back and found whole."""

    folder: Path
    manifest: Manifest


def back_up(held: Sealed, by: Actor, folder: Path, progress: Progress, *, gazetteer: bool = True) -> BackedUp:
    """Write a backup to `folder`, new or empty, outside the data folder; on any failure nothing of it is left.

    Raises BackupRefused, RestoreRefused (what was written can't be read back), KeyRefused, `StoreUnavailable`,
    AnchorsFailed, OSError.
    """
    folder = folder.absolute()
    if folder.resolve().is_relative_to(held.settings.data.resolve()):
        raise BackupRefused(f"{folder} lies in the data folder and would be lost with it. Nothing was backed up.")
    anchors = anchors_of(held.settings, held.vault.area)
    store = ReadStore(held.store_url, held.vault.area, held.vault, timeout_s=held.store.timeout_s)
    with contextlib.closing(store):
        public = key_files(held.settings.data / "keys", held.vault.area)[1]
        fence = Fence(store, anchors, public, ledger_index_of(held.settings, held.vault))
        fence.look()
        fence.check()
        store.floor = fence.floor
        into = NewBackup(folder)
        into.begin()
        try:
            return _gently(lambda stop: _write(held, by, store, anchors, into, _stoppable(progress, stop), gazetteer))
        except BaseException:
            into.undo()
            raise


def _write(
    held: Sealed,
    by: Actor,
    store: ReadStore,
    anchors: Anchors,
    into: NewBackup,
    progress: Progress,
    gazetteer: bool,  # noqa: FBT001 - as it was given
) -> BackedUp:
    key = signing_key(held.settings, store, anchors)
    _log(store, by)
    pace = Pace()
    # Anchors before the store, erasures after it: no anchor speaks of more than the backup holds, and nothing that it
    # still holds is missing from the register of what was erased.
    for path in (*anchors.files(), anchors.accepted):
        if path.exists():
            into.copy(path, f"{ANCHORS}/{path.name}", pace)
    with progress("Reading", work(store)) as step:
        manifest = take(store, held.vault, into, lambda: datetime.now(UTC), pace, step)
    if (register := register_of(held.settings.data)).exists():
        into.copy(register, ERASED, pace)
    if gazetteer:
        _copy_gazetteer(held.settings.data / "gazetteer", into, pace)
    with progress("Reading back", manifest.rows) as step:
        check_parts(into.folder, manifest, held.vault, key.public, pace, step)
    into.finish(manifest, key)
    return BackedUp(into.folder, read_manifest(into.folder, held.vault.area, key.public))


def _copy_gazetteer(folder: Path, into: NewBackup, pace: Pace) -> None:
    """The generation in use, and which it is."""
    current = folder / "current"
    if not current.exists():
        return
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupRefused(
                "The gazetteer is being loaded. Wait for that, or back up with --without-gazetteer."
            ) from None
        for path in sorted((folder / current.read_text("utf-8").strip()).rglob("*")):
            if path.is_file():
                into.copy(path, f"{GAZETTEER}/{path.relative_to(folder)}", pace)
        into.copy(current, f"{GAZETTEER}/current", pace)


def _log(store: ReadStore, by: Actor) -> None:
    entry = LedgerEntry(
        entry_id=str(uuid.uuid4()),
        at=datetime.now(UTC),
        operation=Operation.DISCLOSURE,
        actor_id=by.actor_id,
        actor_role=by.role,
        via=by.via,
        reason="backup",
    )
    store.commit(Commit(entry.entry_id, {}, (), (entry.canonical(),)))


def _gently(work: Callable[[threading.Event], _Done]) -> _Done:
    """In a thread of the lowest priority, so that whoever serves goes first; an interrupt ends it at its next step."""
    stop = threading.Event()
    with ThreadPoolExecutor(1, initializer=_step_back) as pool:
        doing = pool.submit(work, stop)
        try:
            return doing.result()
        except BaseException:
            stop.set()
            raise


def _step_back() -> None:
    with contextlib.suppress(OSError, AttributeError):
        # On Linux a thread has a priority of its own.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST)


def _stoppable(progress: Progress, stop: threading.Event) -> Progress:
    @contextlib.contextmanager
    def watched(title: str, total: int) -> Iterator[Callable[[int], None]]:
        with progress(title, total) as step:

            def stepped(count: int) -> None:
                if stop.is_set():
                    raise BackupRefused("Interrupted. Nothing was backed up.")
                step(count)

            yield stepped

    return watched
