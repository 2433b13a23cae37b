"""Putting a backup back: everything looked at first, nothing overwritten, a failure half-way undone.

The embedded store is built in a folder beside the one there is and takes its place in the end; the one there was is
kept under another name. A note in the data folder (`restoring.json`) says how far that got, and while it is there
nothing else starts on the folder. A backup that ends before what this machine's anchors know is put back only when
told. Then, and where there are no anchors to tell whether anything came after the backup, the fence holds every check
at could-not-check until a person accepts the store (overlay/accepting.py): a backup is a stale copy unless proved
current.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from markers.anchors import Anchors
from markers.backup_check import Opened, check_parts, refuse_keys
from markers.backup_files import (
    ANCHORS,
    ERASED,
    GAZETTEER,
    Manifest,
    Pace,
    RestoreRefused,
    private_folder,
    read_manifest,
    read_pieces,
    sync,
)
from markers.checkpoints import NotSigned, SigningKey, Statement, key_files
from markers.commits import Commit
from markers.fence import Fence
from markers.ledger import LedgerEntry, Operation
from markers.merkle import leaf_hash
from markers.restore import RestoreStore, compare, finish, note_done, put
from markers.sealer import ClockBehind, Sealer, SealRefused
from markers.server import EmbeddedServer, ServerError, check_external
from markers.spool import Spool
from markers.store_errors import StoreBehind
from markers.vault import KeyRing, Vault
from overlay.area_file import area_code
from overlay.erased import Erased, register_of
from overlay.folders import RESTORING, anchors_of, ledger_index_of, make_folders
from overlay.rekeying import Progress
from overlay.roles import Actor
from overlay.runlock import RunLock
from overlay.settings import Settings

_STORE = "store"
_TIMEOUT_S = 5.0

GivenUp = Literal["nothing", "undone", "stands"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What putting a backup back does. `known` is the last entry that this machine knows of the ledger.

    `kept` is where the store there is will be kept; `anchors` and `gazetteer` say whether the backup's are put in,
    which happens only where there are none. `proved` says that anchors of its own tell this machine that nothing they
    know came after the backup. `erased` are markers that this machine's register lacks.
    """

    folder: Path
    manifest: Manifest
    known: int
    unread: str | None
    kept: Path | None
    proved: bool
    anchors: bool
    gazetteer: bool
    erased: int

    @property
    def older(self) -> bool:
        """Whether the backup ends before what is known here."""
        return self.manifest.ledger < self.known


@dataclass(frozen=True, slots=True)
class Restored:
    """How it ended. `fenced` says that every check is could-not-check until somebody accepts the store."""

    plan: Plan
    kept: Path | None
    fenced: bool


@dataclass(frozen=True, slots=True)
class _Journal:
    """What a restore has set out to do to the data folder: names in it, and whether it puts anchors in."""

    source: str
    begun_at: str
    new: str | None
    kept: str | None
    anchors: str | None

    @classmethod
    def read(cls, data: Path) -> _Journal | None:
        try:
            return cls(**json.loads((data / RESTORING).read_text("utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            raise RestoreRefused(
                f"{data / RESTORING} can't be read. Look at what lies in {data} (store, store.kept-..., "
                "store.restoring-...), put the right store in its place by hand and remove that file."
            ) from None

    def write(self, data: Path) -> None:
        fresh = data / f".{RESTORING}"
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(asdict(self), file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(data / RESTORING)
        sync(data)


@dataclass(frozen=True, slots=True)
class _Target:
    """Where a backup goes; `server` is the embedded one."""

    url: str
    server: EmbeddedServer | None


@dataclass(frozen=True, slots=True)
class _Here:
    """This machine, with its data folder locked."""

    settings: Settings
    vault: Vault
    key: SigningKey
    anchors: Anchors

    @property
    def data(self) -> Path:
        return self.settings.data

    @property
    def store(self) -> Path:
        return self.settings.data / _STORE

    @property
    def spool(self) -> Spool:
        return Spool(self.settings.data / "spool", self.vault)


def restore(
    settings: Settings, by: Actor, folder: Path, progress: Progress, now: datetime, *, older: bool, dry_run: bool
) -> Plan | Restored:
    """Look at everything, and unless `dry_run` put the backup back.

    Raises RestoreRefused, KeyRefused, SettingsError, `VaultError`, `StoreError`, ServerError, AnchorsFailed, OSError;
    after any of them everything is as it was.
    """
    folder = folder.absolute()
    with _locked(settings) as here:
        if not dry_run:
            _give_up(here, now)
        plan, opened, waiting = _looked(here, folder, progress, older=older)
        if dry_run:
            return plan
        if plan.older:
            _hold_back(here, plan)
        journal = _journal(here, plan, now)
        make_folders(here.data)
        journal.write(here.data)
        try:
            found = {request: opened.found[leaf] for request, leaf in waiting.items() if leaf in opened.found}
            with _target(here, journal) as target:
                _fill(here, plan, target, found, progress, now)
            _swap(here, journal)
        except BaseException:
            _give_up(here, now)
            raise
        fenced = _log(here, by, now)
        _ended(here)
        return Restored(plan, None if journal.kept is None else here.data / journal.kept, fenced)


def give_up(settings: Settings, now: datetime) -> GivenUp:
    """Go back to what was there before a restore that was cut short: `undone`; `nothing` when there was none, `stands`
    when it had done all but say so."""
    with _locked(settings) as here:
        return _give_up(here, now)


@contextlib.contextmanager
def _locked(settings: Settings) -> Iterator[_Here]:
    area = area_code(settings)
    keys = settings.data / "keys"
    vault = Vault(KeyRing.load(keys), area, keys)
    key = SigningKey.load(keys, area)
    lock = RunLock(settings.data)
    try:
        if not lock.take():
            raise RestoreRefused(f"A console runs on {settings.data}, or another restore. Stop it first.")
        yield _Here(settings, vault, key, anchors_of(settings, area))
    finally:
        lock.release()


def _looked(here: _Here, folder: Path, progress: Progress, *, older: bool) -> tuple[Plan, Opened, dict[str, bytes]]:
    """The plan, what reading the backup told, and the leaves of what waits in the spool, by request id."""
    manifest = read_manifest(folder, here.vault.area, here.key.public)
    refuse_keys(manifest, here.vault)
    if here.settings.store_url:
        check_external(here.settings.store_url, here.settings.store_timeout_s)
    anchor = _last_anchor(here)
    end, unread = _end_of_store(here)
    plan = _plan(here, folder, manifest, (_floor(here, anchor), end), unread)
    if plan.older and not older:
        raise RestoreRefused(
            f"The backup is of {manifest.made_at:%d %B %Y %H:%M:%S} (UTC) and its ledger ends at entry "
            f"{manifest.ledger}, but this machine knows of {plan.known}: what was changed and looked at since would be "
            "given up. Restore a newer backup, or say --older."
        )
    waiting = {request: leaf_hash(entry) for request, entry in here.spool.waiting()}
    with progress("Verifying", manifest.rows) as step:
        opened = check_parts(
            folder,
            manifest,
            here.vault,
            here.key.public,
            Pace(gently=False),
            step,
            sizes=() if anchor is None else (anchor.size,),
            leaves=frozenset(waiting.values()),
        )
    if anchor is not None and not plan.older and opened.roots[anchor.size] != anchor.root:
        raise RestoreRefused(
            f"The backup's ledger is not the one that was anchored here on {anchor.at:%d %B %Y %H:%M:%S} (UTC) over "
            f"{anchor.size} entries: they went different ways before that. Restore a backup made of this one; or, if "
            f"what is here is to be given up, move {here.anchors.folder} and {here.data / 'ledger'} away first."
        )
    return plan, opened, waiting


def _plan(here: _Here, folder: Path, manifest: Manifest, ends: tuple[int, int], unread: str | None) -> Plan:
    floor, known = ends[0], max(ends)
    register = Erased(register_of(here.data).parent).all()
    older = (
        manifest.ledger < known
    )  # then this machine's own knowledge holds checks back, and no anchors take its place
    return Plan(
        folder=folder,
        manifest=manifest,
        known=known,
        unread=unread,
        kept=None if here.settings.store_url or not _holds_store(here.store) else here.store,
        proved=0 < floor <= manifest.ledger,
        anchors=not older
        and not here.anchors.files()
        and any(name.startswith(f"{ANCHORS}/") for name in manifest.files),
        gazetteer=f"{GAZETTEER}/current" in manifest.files and not (here.data / "gazetteer" / "current").exists(),
        erased=sum(register.get(name) != at for name, at in _erased(here, folder, manifest).items()),
    )


def _last_anchor(here: _Here) -> Statement | None:
    last = here.anchors.last()
    if last is not None:
        try:
            here.key.public.check(last)
        except NotSigned as error:
            raise RestoreRefused(
                f"The anchors in {here.anchors.folder} can't be relied on ({error}). Put the right ones there, or the "
                "right keys; nothing was changed."
            ) from None
    return last


def _holds_store(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


def _end_of_store(here: _Here) -> tuple[int, str | None]:
    """The last ledger entry of the embedded store there is, 0 when there is none; or why it can't be read.

    Leaves it stopped. Raises RestoreRefused while another program uses it.
    """
    if here.settings.store_url or not _holds_store(here.store):
        return 0, None
    server = EmbeddedServer(here.store)
    try:
        url = server.ensure()
    except ServerError as error:
        if server.alive():
            raise
        return 0, str(error)
    try:
        with contextlib.closing(_store(here, url)) as store:
            end = store.ledger_position()
    finally:
        stopped = server.release()
    if not stopped:
        raise RestoreRefused(f"The store in {here.store} is in use by another program. Wait until that has ended.")
    return end, None


def _hold_back(here: _Here, plan: Plan) -> None:
    """See to it that the fence will hold: what only the store there is knows is anchored before that is set aside."""
    if _floor(here, _last_anchor(here)) <= plan.manifest.ledger and plan.kept is not None:
        server = EmbeddedServer(here.store)
        try:
            with contextlib.closing(_store(here, server.ensure())) as store:
                sealer = Sealer(store, here.key, here.anchors, ledger_index_of(here.settings, here.vault))
                while sealer.step(datetime.now(UTC)):
                    pass
        except (SealRefused, ClockBehind) as error:
            raise RestoreRefused(
                f"What the store there is knows can't be anchored ({error}), so nothing would hold checks back until "
                "somebody accepts the older one. Nothing was changed."
            ) from None
        finally:
            server.release()
    if _floor(here, _last_anchor(here)) <= plan.manifest.ledger:
        raise RestoreRefused("Nothing here would hold checks back until somebody accepts the older store.")


def _floor(here: _Here, anchor: Statement | None) -> int:
    """How far the ledger must reach for the fence (markers/fence.py) to let it through."""
    return ledger_index_of(here.settings, here.vault).tree().size if anchor is None else anchor.size


def _fence(here: _Here, store: RestoreStore) -> Fence:
    public = key_files(here.data / "keys", here.vault.area)[1]
    return Fence(store, here.anchors, public, ledger_index_of(here.settings, here.vault))


def _journal(here: _Here, plan: Plan, now: datetime) -> _Journal:
    stamp = _free_stamp(here.data, now)
    external = here.settings.store_url is not None
    return _Journal(
        source=str(plan.folder),
        begun_at=now.astimezone(UTC).isoformat(),
        new=None if external else f"{_STORE}.restoring-{stamp}",
        kept=None if plan.kept is None else f"{_STORE}.kept-{stamp}",
        anchors=str(here.anchors.folder) if plan.anchors else None,
    )


def _free_stamp(data: Path, now: datetime) -> str:
    stamp = number = f"{now.astimezone(UTC):%Y-%m-%dT%H%M%SZ}"
    count = 1
    while any(data.glob(f"{_STORE}.*-{number}")):
        count += 1
        number = f"{stamp}-{count}"
    return number


@contextlib.contextmanager
def _target(here: _Here, journal: _Journal) -> Iterator[_Target]:
    """Where the backup goes: an embedded server on a new folder, stopped in the end, or the external one."""
    if journal.new is None:
        yield _Target(here.settings.store_url or "", None)
        return
    server = EmbeddedServer(here.data / journal.new)
    try:
        yield _Target(server.ensure(), server)
    finally:
        server.stop(kill=True)


def _fill(here: _Here, plan: Plan, target: _Target, found: dict[str, int], progress: Progress, now: datetime) -> None:
    """Write, have an embedded server read its own disk, compare; then what lies beside the store; then open it."""
    folder, manifest = plan.folder, plan.manifest
    with contextlib.closing(_store(here, target.url)) as store:
        store.begin(now.astimezone(UTC).isoformat(), manifest.positions)
        with progress("Writing", manifest.rows) as step:
            put(folder, manifest, store, step)
        if target.server is not None:
            target.server.stop()
            target.server.ensure()  # what it holds from here on it has read from its disk
        with progress("Comparing", manifest.rows) as step:
            compare(folder, manifest, store, step)
        note_done(store, dict(here.spool.waiting()), found)
        _put_beside(here, plan)
        store_id = secrets.token_hex(16)
        if not plan.proved and not plan.older:
            _fence(here, store).hold(store_id, manifest.made_at)
        finish(manifest, store, here.vault, store_id)


def _put_beside(here: _Here, plan: Plan) -> None:
    """What lies beside the store: the register of what was erased is united; the rest only where there is none."""
    register = Erased(register_of(here.data).parent)
    ours = register.all()
    for marker_id, at in _erased(here, plan.folder, plan.manifest).items():
        if marker_id not in ours or ours[marker_id] < at:
            register.add(marker_id, at)
    if plan.gazetteer:
        _copy(plan, GAZETTEER, here.data / "gazetteer", last="current")
    if plan.anchors:
        _copy(plan, ANCHORS, here.anchors.folder)


def _erased(here: _Here, folder: Path, manifest: Manifest) -> dict[str, datetime]:
    """The backup's register of what was erased."""
    if ERASED not in manifest.files:
        return {}
    with tempfile.TemporaryDirectory(prefix=".erased-", dir=here.data) as read:
        _copy_file(folder, ERASED, manifest, register_of(Path(read)))
        return Erased(register_of(Path(read)).parent).all()


def _copy(plan: Plan, part: str, into: Path, last: str = "") -> None:
    names = sorted(name for name in plan.manifest.files if name.startswith(f"{part}/"))
    for name in sorted(names, key=lambda name: name == f"{part}/{last}"):
        _copy_file(plan.folder, name, plan.manifest, into / name.partition("/")[2])


def _copy_file(folder: Path, name: str, manifest: Manifest, target: Path) -> None:
    """One file of a backup, held against the manifest once more as it is copied."""
    private_folder(target.parent)
    with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        for piece in read_pieces(folder, name, manifest.files[name], Pace(gently=False)):
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    sync(target.parent)


def _swap(here: _Here, journal: _Journal) -> None:
    """An embedded new store takes the place of the one there was, which is kept."""
    if journal.new is None:
        return
    if journal.kept is not None:
        here.store.rename(here.data / journal.kept)
    (here.data / journal.new).rename(here.store)
    sync(here.data)


def _give_up(here: _Here, now: datetime) -> GivenUp:
    """Undo what a restore that did not end has done; one that had already put the new store in its place stands."""
    journal = _Journal.read(here.data)
    if journal is None:
        return "nothing"
    if journal.new is None:
        undone = here.settings.store_url is not None and _cleared(here, here.settings.store_url)
    else:
        undone = _put_back(here, journal, here.data / journal.new)
    if undone and journal.anchors is not None and Path(journal.anchors).exists():
        anchors = Path(journal.anchors)
        anchors.rename(anchors.with_name(f"{anchors.name}.given-up-{_free_stamp(here.data, now)}"))
    _ended(here)
    return "undone" if undone else "stands"


def _cleared(here: _Here, url: str) -> bool:
    with contextlib.closing(_store(here, url)) as store:
        mark = store.unfinished()
        if mark is not None:
            store.clear(mark)
        return mark is not None


def _put_back(here: _Here, journal: _Journal, new: Path) -> bool:
    kept = None if journal.kept is None else here.data / journal.kept
    if not new.exists() and (_holds_store(here.store) if kept is None else kept.exists()):
        return False
    if kept is not None and kept.exists():
        kept.rename(here.store)
    if new.exists():
        _stop(new)
        shutil.rmtree(new)
    return True


def _ended(here: _Here) -> None:
    (here.data / RESTORING).unlink()
    sync(here.data)


def _stop(folder: Path) -> None:
    """A server that outlived the restore that started it."""
    server = EmbeddedServer(folder)
    if server.alive():
        server.ensure()
        server.stop(kill=True)


def _log(here: _Here, by: Actor, now: datetime) -> bool:
    """Enter the restore in the ledger; behind the fence in the spool, for the ledger once somebody has accepted it.

    Whether the fence holds.
    """
    entry = LedgerEntry(
        entry_id=str(uuid.uuid4()),
        at=now,
        operation=Operation.ALTERATION,
        actor_id=by.actor_id,
        actor_role=by.role,
        via=by.via,
        reason="restore",
    )
    server = None if here.settings.store_url else EmbeddedServer(here.store)
    try:
        url = here.settings.store_url or (server.ensure() if server is not None else "")
        with contextlib.closing(_store(here, url)) as store:
            fence = _fence(here, store)
            try:
                fence.look()
                fence.check()
            except StoreBehind:
                spool = here.spool
                spool.append(entry)
                spool.close()
                return True
            store.commit(Commit(entry.entry_id, {}, (), (entry.canonical(),)))
            return False
    finally:
        if server is not None:
            server.release()


def _store(here: _Here, url: str) -> RestoreStore:
    timeout_s, replicas = max(here.settings.store_timeout_s, _TIMEOUT_S), here.settings.confirming
    return RestoreStore(url, here.vault.area, here.vault, timeout_s=timeout_s, replicas=replicas)
