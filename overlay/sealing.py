"""The sealer's process, `python -m overlay.sealing PARENT`, which `overlay run` keeps going; and what it says.

It may be killed at any moment: the next one goes on (markers/sealer.py). What stops it from signing is logged once and
kept in a small file of the data folder, for the auditor's page to read.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import structlog

from markers.anchors import Anchors, AnchorsFailed
from markers.checkpoints import KeyRefused, SigningKey, key_files
from markers.fence import Fence
from markers.sealer import ClockBehind, Sealer, SealRefused
from markers.server import EmbeddedServer, ServerError
from markers.store import Store
from markers.store_errors import StoreBehind, StoreUnavailable
from markers.vault import Vault, VaultError
from overlay import logs
from overlay.area_file import area_code
from overlay.folders import anchors_of, data_folders, key_ring, ledger_index_of, snapshot_of
from overlay.parent import end_with_parent
from overlay.settings import Settings
from overlay.snapshots import SnapshotKeeper

log = structlog.get_logger()

_EACH_S = 1.0
_SNAPSHOT_S = 5.0
_STATE_FILE = "sealer.json"
_STATE_FRESH_S = 10.0

Kind = Literal["signing", "refused", "clock", "anchors", "store", "absent"]


@dataclass(frozen=True, slots=True)
class SealerState:
    """What the sealer last said of itself; `words` is empty while all is well."""

    kind: Kind
    words: str

    @classmethod
    def read(cls, data: Path, now: datetime) -> SealerState:
        """`absent` when no sealer has said anything for ten seconds."""
        path = data / "ledger" / _STATE_FILE
        with suppress(OSError, ValueError, TypeError):
            if now.timestamp() - path.stat().st_mtime <= _STATE_FRESH_S:
                return cls(**json.loads(path.read_text("utf-8")))
        return cls("absent", "No sealer is running: entries wait for their checkpoint until one does.")

    def write(self, data: Path) -> None:
        """Replace what was said before."""
        path = data / "ledger" / _STATE_FILE
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(self)), "utf-8")
        fresh.replace(path)


class SealerLock:
    """One sealer a data folder: held by an open descriptor, so it goes with the process however that ends."""

    def __init__(self, data: Path) -> None:
        self._descriptor = os.open(data / "ledger" / "sealer.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def take(self, *, wait: bool) -> bool:
        """Whether it is ours now."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        os.close(self._descriptor)


def signing_key(settings: Settings, store: Store, anchors: Anchors) -> SigningKey:
    """The area's signing key; made once, and never where anything was signed already. Raises KeyRefused."""
    folder = settings.data / "keys"
    signed = bool(anchors.files()) or store.last_checkpoint() is not None
    if signed or key_files(folder, store.area)[0].exists():
        return SigningKey.load(folder, store.area)
    try:
        return SigningKey.create(folder, store.area)
    except KeyRefused:
        return SigningKey.load(folder, store.area)


def main() -> None:
    """Sign until killed, or until the process named on the command line has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for `overlay run`, which then stops this
    logs.to_stderr()
    end_with_parent(int(sys.argv[1]))
    settings = Settings.read()
    data_folders(settings.data)
    SealerLock(settings.data).take(wait=True)
    area = area_code(settings)
    vault = Vault(key_ring(settings), area, settings.data / "keys")
    anchors = anchors_of(settings, area)
    index = ledger_index_of(settings, vault)
    threading.Thread(target=keep_snapshot, args=(settings, area, vault), name="snapshot", daemon=True).start()
    state = SealerState("signing", "")
    embedded = None if settings.store_url else EmbeddedServer(settings.data / "store")
    sealer: Sealer | None = None
    store: Store | None = None
    while True:
        began, more = time.monotonic(), False
        try:
            if store is None:
                url = settings.store_url or (embedded.ensure() if embedded is not None else "")
                timeout_s = max(settings.store_timeout_s, _EACH_S)
                store = Store(url, area, vault, timeout_s=timeout_s, replicas=settings.confirming)
            sealer = sealer or Sealer(store, signing_key(settings, store, anchors), anchors, index)
            more = sealer.step(datetime.now(UTC))
            told = SealerState("signing", "")
        except (SealRefused, StoreBehind, VaultError, KeyRefused) as error:
            told = SealerState("refused", str(error))
            sealer = None
            if store is not None:
                store.start_over()  # the next step looks at whatever store is there by then
        except ClockBehind as error:
            told = SealerState("clock", str(error))
        except AnchorsFailed as error:
            told = SealerState("anchors", str(error))
        except (StoreUnavailable, ServerError) as error:
            told = SealerState("store", str(error))
        if is_news(told, state):
            (log.info if told.kind == "signing" else log.error)("sealer", state=told.kind, reason=told.words)
        state = told
        with suppress(OSError):
            state.write(settings.data)
        if not more:
            _rest(store, sealer, began)


def is_news(told: SealerState, before: SealerState) -> bool:
    """Whether it is worth a line: a clock that is behind says another time each second, and is said once."""
    return told.kind != before.kind or (told.words != before.words and told.kind != "clock")


def keep_snapshot(settings: Settings, area: str, vault: Vault) -> None:
    """Keep this machine's snapshot fresh until killed; what hinders it is said once."""
    said = ""
    keeper: SnapshotKeeper | None = None
    store: Store | None = None
    while True:
        try:
            if store is None:
                folder = EmbeddedServer(settings.data / "store")
                url = settings.store_url or (folder.url if folder.alive() else "")
                store = Store(url, area, vault, timeout_s=max(settings.store_timeout_s, _EACH_S)) if url else None
            if store is not None and key_files(settings.data / "keys", area)[0].exists():
                keeper = keeper or _keeper(settings, store, vault)
                keeper.step(datetime.now(UTC))
            told = ""
        except (StoreUnavailable, VaultError, KeyRefused, OSError) as error:
            told = str(error)
            keeper = None
            if store is not None:
                store.start_over()
        if told != said:
            (log.error if told else log.info)("snapshot", reason=told or "kept fresh again")
        said = told
        time.sleep(_SNAPSHOT_S)


def _keeper(settings: Settings, store: Store, vault: Vault) -> SnapshotKeeper:
    anchors = anchors_of(settings, store.area)
    fence = Fence(store, anchors, key_files(settings.data / "keys", store.area)[1], ledger_index_of(settings, vault))
    key = SigningKey.load(settings.data / "keys", store.area)
    return SnapshotKeeper(store, fence, vault, snapshot_of(settings, vault), key)


def _rest(store: Store | None, sealer: Sealer | None, began: float) -> None:
    """A second from one step to the next, and on until there is an entry to sign, at most one more."""
    time.sleep(max(0.0, began + _EACH_S - time.monotonic()))
    if store is not None and sealer is not None:
        with suppress(StoreUnavailable):
            store.wait_ledger(sealer.size, _EACH_S)


if __name__ == "__main__":
    main()
