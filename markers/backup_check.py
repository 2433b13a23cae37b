"""Reading a backup back: every file to its last byte, every sealed row opened, the ledger's tree held against what
was signed of it.

What is opened to know that it opens is dropped at once.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from markers.anchors import Anchors, AnchorsFailed
from markers.backup import ring_of
from markers.backup_files import (
    ANCHORS,
    CHECKPOINTS,
    LEDGER,
    Manifest,
    Pace,
    RestoreRefused,
    Step,
    read_pages,
    read_pieces,
    records_file,
)
from markers.checkpoints import NotSigned, PublicKey, Statement
from markers.merkle import Frontier, leaf_hash
from markers.vault import Vault, VaultError

_NO_KEY: Final = "none"


@dataclass(slots=True)
class Opened:
    """What reading a backup back told: the ledger's tree at the sizes that were asked for, the sequence numbers of the
    leaves that were, and the anchors' newest statement.
    """

    roots: dict[int, bytes] = field(default_factory=dict)
    found: dict[bytes, int] = field(default_factory=dict)
    anchor: Statement | None = None


def refuse_keys(manifest: Manifest, vault: Vault) -> None:
    """Raises RestoreRefused when the keys at hand can't open a backup, naming those that are missing."""
    if manifest.ring != ring_of(vault):
        raise RestoreRefused(
            "The key ring here is another installation's. Restore the keys that belong to this backup."
        )
    missing = sorted(manifest.keys.keys() - vault.key_ids)
    if missing:
        sealed = ", ".join(f"{key_id} ({manifest.keys[key_id]:,} sealed)" for key_id in missing)
        raise RestoreRefused(f"The key ring here lacks keys that seal this backup: {sealed}. Restore them first.")


def check_parts(
    folder: Path,
    manifest: Manifest,
    vault: Vault,
    key: PublicKey,
    pace: Pace,
    step: Step,
    *,
    sizes: Collection[int] = (),
    leaves: Collection[bytes] = frozenset(),
) -> Opened:
    """Read everything that a manifest lists. Raises RestoreRefused at the first that is not as it says.

    `sizes` are sizes of the ledger whose root is wanted, `leaves` leaf hashes whose place is. `step` is told how many
    more rows are read.
    """
    told = Opened()
    newest = _newest_checkpoint(folder, manifest, key, pace, step)
    anchors = Anchors(folder / ANCHORS)
    for name, held in manifest.files.items():
        if held.rows is None:
            for _ in read_pieces(folder, name, held, pace):
                pass
    if any(name.startswith(f"{ANCHORS}/") for name in manifest.files):
        told.anchor = _anchor(anchors, key)
    wanted = {*sizes, manifest.signed, told.anchor.size if told.anchor else 0}
    _check_ledger(folder, manifest, vault, pace, step, wanted, frozenset(leaves), told)
    for name in manifest.positions:
        _check_records(folder, manifest, vault, pace, step, name)
    for statement, what in ((newest, "newest checkpoint"), (told.anchor, "newest anchor")):
        if statement is not None and told.roots.get(statement.size) != statement.root:
            raise RestoreRefused(
                f"The ledger in {folder} is not the one that its {what}, over {statement.size:,} entries, was signed "
                "over. Do not rely on this backup."
            )
    return told


def _newest_checkpoint(folder: Path, manifest: Manifest, key: PublicKey, pace: Pace, step: Step) -> Statement | None:
    last: tuple[bytes, bytes] | None = None
    for page in read_pages(folder, CHECKPOINTS, manifest.files[CHECKPOINTS], pace):
        last = page.rows[-1]
        step(len(page.rows))
    if last is None and manifest.signed == 0:
        return None
    try:
        statement = Statement.read(last[1].decode()) if last is not None else None
        if statement is None or statement.size != manifest.signed:
            raise NotSigned("it is another one")
        key.check(statement)
    except (NotSigned, UnicodeDecodeError) as error:
        raise RestoreRefused(f"The newest checkpoint in {folder} is not to be relied on: {error}.") from None
    return statement


def _anchor(anchors: Anchors, key: PublicKey) -> Statement | None:
    try:
        statement = anchors.last()
        if statement is not None:
            key.check(statement)
    except (AnchorsFailed, NotSigned) as error:
        raise RestoreRefused(f"The anchors in {anchors.folder} are not to be relied on: {error}.") from None
    return statement


def _check_ledger(
    folder: Path,
    manifest: Manifest,
    vault: Vault,
    pace: Pace,
    step: Step,
    wanted: set[int],
    leaves: frozenset[bytes],
    told: Opened,
) -> None:
    tree = Frontier()
    stops = sorted(size for size in wanted if size > 0)
    if 0 in wanted:
        told.roots[0] = tree.root()
    pending: list[bytes] = []
    held = manifest.files[LEDGER]
    if held.rows != manifest.ledger:
        raise RestoreRefused(f"{folder / LEDGER} holds {held.rows or 0:,} entries, not {manifest.ledger:,}.")

    def grow() -> None:
        while pending:
            fits = len(pending)
            if stops and tree.size + fits >= stops[0]:
                fits = stops[0] - tree.size
            tree.extend(pending[:fits])
            del pending[:fits]
            while stops and tree.size == stops[0]:
                told.roots[stops.pop(0)] = tree.root()

    for page in read_pages(folder, LEDGER, held, pace):
        for number, (entry_id, sealed) in enumerate(page.rows, tree.size + len(pending) + 1):
            try:
                leaf = leaf_hash(vault.open("ledger", entry_id.decode("ascii"), 1, sealed))
            except (VaultError, ValueError):
                raise _unopened(folder, LEDGER, f"entry {number}") from None
            pending.append(leaf)
            if leaf in leaves:
                told.found[leaf] = number
        step(len(page.rows))
        if len(pending) >= 8_192:
            grow()
    grow()


def _check_records(folder: Path, manifest: Manifest, vault: Vault, pace: Pace, step: Step, name: str) -> None:
    path = records_file(name)
    for page in read_pages(folder, path, manifest.files[path], pace):
        for record_id, value in page.rows:
            head, _, sealed = value.partition(b":")
            try:
                vault.open(name, record_id.decode("ascii"), int(head.partition(b" ")[0]), sealed)
            except (VaultError, ValueError):
                raise _unopened(folder, path, f"record {record_id.decode('ascii', 'replace')}") from None
        step(len(page.rows))


def _unopened(folder: Path, name: str, what: str) -> RestoreRefused:
    return RestoreRefused(
        f"{what} of {folder / name} can't be opened: it was changed, moved or sealed with another key."
    )
