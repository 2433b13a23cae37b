"""Verifying an exported ledger: offline, from the folder alone, against the key and the anchors that the auditor holds.

Every signature, hash, number and time is checked; what is told first is the first entry that is not as it was signed.
Entries behind the last anchor are counted, not vouched for: the store's keeper could still have changed them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from markers.anchors import Anchors, AnchorsFailed
from markers.checkpoints import KeyRefused, NotSigned, PublicKey, Statement
from markers.ledger_export import ANCHORS, CHECKPOINTS, ENTRIES, KEY, MANIFEST
from markers.ledger_pieces import Ask, Entries, Notes, Signed, check_entries, check_notes, cores, helpers, pieces
from markers.merkle import EMPTY, HASH_BYTES, Frontier

_ORIGIN: Final = b"overlay-ledger/"


class NotAnExport(Exception):  # noqa: N818 - reads as the fact it states
    """The folder is not one whole export of a ledger."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, beginning with which entry."""

    sequence: int
    words: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What an exported ledger comes to.

    `fault` is None when all of it holds. `signed` and `anchored` are how far checkpoints and anchors reach;
    `accepted` are acceptances that gave up earlier anchors. `pinned` tells whether the key was given from outside.
    """

    fault: Fault | None
    entries: int
    signed: int
    signed_at: datetime | None
    anchored: int
    anchored_at: datetime | None
    fingerprint: str
    pinned: bool
    accepted: tuple[Statement, ...] = ()

    @property
    def after_anchor(self) -> int:
        """Entries that no anchor vouches for yet."""
        return max(0, self.entries - self.anchored)


@dataclass(slots=True)
class _Roots:
    """The tree's hash at sizes of interest, worked out while the entries go by."""

    wanted: set[int]
    tree: Frontier = field(default_factory=Frontier)
    found: dict[int, bytes] = field(default_factory=lambda: {0: EMPTY})

    def grow(self, leaves: bytes) -> None:
        append, wanted, size = self.tree.append, self.wanted, self.tree.size
        for at in range(0, len(leaves), HASH_BYTES):
            append(leaves[at : at + HASH_BYTES])
            size += 1
            if size in wanted:
                self.found[size] = self.tree.root()


def verify(
    folder: Path,
    *,
    pinned: str | None = None,
    anchors: Path | None = None,
    processes: int | None = None,
    step: Callable[[int], None] = lambda _: None,
) -> Verified:
    """Check the export in `folder`.

    `pinned` is the fingerprint of the key the auditor holds, `anchors` a folder of anchors that lay out of the reach
    of the store's keeper. Raises NotAnExport, AnchorsFailed for the given anchors, HelperGone, `OSError`.
    """
    key, stated = _opened(folder)
    if pinned is not None and key.fingerprint != pinned:
        words = f"entry 1 and all others are signed with the key {key.fingerprint}, not with the one you hold"
        return Verified(Fault(1, words), 0, 0, None, 0, None, key.fingerprint, pinned=True)
    with helpers(processes or cores()) as ask:
        faults: list[Fault] = []
        checkpoints = _checkpoints(folder, key, ask, faults)
        told = [_statements(source, key, checkpoints, faults) for source in _sources(folder, anchors, key)]
        roots = _Roots({one.size for one in checkpoints}.union(one.size for source in told for one in source))
        leaves = _entries(folder, Signed.of((one.size, one.at) for one in checkpoints), ask, faults, roots, step)
    count = len(leaves) // HASH_BYTES
    if count < stated:
        faults.append(Fault(count + 1, f"entry {count + 1} is missing: the manifest tells of {stated}"))
    held = _compare(checkpoints, roots.found, leaves, faults, "checkpoint")
    anchored: Statement | None = None
    accepted: list[Statement] = []
    for source in told:
        standing = _standing(source, roots.found, accepted)
        best = _compare(standing, roots.found, leaves, faults, "anchor")
        if best is not None and (anchored is None or best.size > anchored.size):
            anchored = best
    return Verified(
        min(faults, key=lambda fault: fault.sequence, default=None),
        count,
        held.size if held is not None else 0,
        held.at if held is not None else None,
        anchored.size if anchored is not None else 0,
        anchored.at if anchored is not None else None,
        key.fingerprint,
        pinned is not None,
        tuple(dict.fromkeys(accepted)),
    )


def _opened(folder: Path) -> tuple[PublicKey, int]:
    """The export's own key, and how many entries it says it holds."""
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text("utf-8"))
        if manifest["format"] != 1:
            raise NotAnExport(f"{folder} is an export of format {manifest['format']}; this version reads format 1")
        return PublicKey.read((folder / KEY).read_text("ascii")), int(manifest["entries"])
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotAnExport(f"{folder} is not a whole export of a ledger: {error.filename} is missing") from None
    except (ValueError, KeyError, TypeError, KeyRefused):
        raise NotAnExport(f"{folder} is not a whole export of a ledger: its manifest or key can't be read") from None


def _checkpoints(folder: Path, key: PublicKey, ask: Ask, faults: list[Fault]) -> list[Statement]:
    """The checkpoints as far as they hold and each follows the one before."""
    held: list[Statement] = []
    size, at = 0, None
    notes = pieces(folder / CHECKPOINTS, b"\n\n", _ORIGIN)
    answers: Iterable[Notes] = ask(check_notes, ((piece, key) for piece in notes))
    for answer in answers:
        for told in answer.held:
            if told.size - len(told.leaves) != size or not told.leaves or told.accepts:
                words = f"the checkpoint over {told.size} entries does not follow the one over {size}"
                faults.append(Fault(size + 1, f"entry {size + 1}: {words}"))
                return held
            if at is not None and told.at < at:
                words = f"its checkpoint is dated before the one over {size}: the clock was set back"
                faults.append(Fault(size + 1, f"entry {size + 1}: {words}"))
                return held
            held.append(told)
            size, at = told.size, told.at
        if answer.fault is not None:
            words = f"the checkpoint behind entry {size} can't be relied on: {answer.fault}"
            faults.append(Fault(size + 1, f"entry {size + 1}: {words}"))
            return held
    return held


def _sources(folder: Path, given: Path | None, key: PublicKey) -> list[Anchors]:
    sources = [Anchors(folder / ANCHORS)]
    if given is not None:
        area = given / key.origin.partition("/")[2]
        theirs = Anchors(area if area.is_dir() else given)
        if not theirs.files():
            raise AnchorsFailed(f"there are no anchors in {given}")
        sources.append(theirs)
    return sources


def _statements(source: Anchors, key: PublicKey, checkpoints: list[Statement], faults: list[Fault]) -> list[Statement]:
    """The statements of a folder of anchors, each signed; most are checkpoints, which were looked at already."""
    known = {one.size: one for one in checkpoints}
    held: list[Statement] = []
    try:
        for told in source.statements():
            if known.get(told.size) != told:
                key.check(told)
            held.append(told)
    except (AnchorsFailed, NotSigned) as error:
        size = held[-1].size if held else 0
        faults.append(Fault(size + 1, f"entry {size + 1}: the anchors behind entry {size} can't be relied on: {error}"))
    return held


def _entries(
    folder: Path, signed: Signed, ask: Ask, faults: list[Fault], roots: _Roots, step: Callable[[int], None]
) -> bytes:
    """The leaf hashes of the entries as far as they hold."""
    joined = bytearray()
    seen: set[bytes] = set()
    answers: Iterable[Entries] = ask(
        check_entries, ((piece, signed.over(piece)) for piece in pieces(folder / ENTRIES, b"\n"))
    )
    for answer in answers:
        next_one = len(joined) // HASH_BYTES + 1
        if answer.count and answer.first != next_one:
            faults.append(Fault(next_one, f"entry {next_one} is missing: entry {answer.first} stands in its place"))
            break
        before = len(seen)
        seen.update(answer.ids.split(b"\n") if answer.count else ())
        if len(seen) != before + answer.count:
            faults.append(_repeated(folder / ENTRIES))
        joined += answer.leaves
        roots.grow(answer.leaves)
        step(answer.count)
        if answer.fault is not None:
            bad = len(joined) // HASH_BYTES + 1
            faults.append(Fault(bad, f"entry {bad} {answer.fault}"))
            break
    return bytes(joined)


def _repeated(path: Path) -> Fault:
    """The first entry whose id an earlier one has. A look that came late has an id of its own, so this is a replay."""
    first: dict[bytes, int] = {}
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            entry_id = line.partition(b'"entry_id":')[2].partition(b',"format":')[0]
            if first.setdefault(entry_id, number) != number:
                return Fault(
                    number, f"entry {number} is entry {first[entry_id]} once more: they have the same entry id"
                )
    raise NotAnExport(f"{path} changed while it was read")


def _compare(
    statements: Iterable[Statement], roots: dict[int, bytes], leaves: bytes, faults: list[Fault], what: str
) -> Statement | None:
    """The last statement that the entries fulfil, up to the first that they do not, which is a fault."""
    held: Statement | None = None
    for told in statements:
        if roots.get(told.size) != told.root:
            faults.append(_unlike(told, held.size if held is not None else 0, leaves, what))
            break
        held = told
    return held


def _unlike(told: Statement, held: int, leaves: bytes, what: str) -> Fault:
    """The first entry that is not the one a statement was signed over."""
    count = len(leaves) // HASH_BYTES
    when = f"the {what} of {told.at:%d %B %Y %H:%M:%S} (UTC)"
    for sequence, leaf in enumerate(told.leaves, told.size - len(told.leaves) + 1):
        if sequence > count:
            return Fault(count + 1, f"entry {count + 1} is missing: {when} reaches entry {told.size}")
        if leaves[(sequence - 1) * HASH_BYTES : sequence * HASH_BYTES] != leaf:
            return Fault(sequence, f"entry {sequence} is not the one that {when} was signed over")
    if told.size > count:
        return Fault(count + 1, f"entry {count + 1} is missing: {when} reaches entry {told.size}")
    return Fault(held + 1, f"entry {held + 1}, or one after it up to {told.size}, is not what {when} was signed over")


def _standing(source: list[Statement], roots: dict[int, bytes], accepted: list[Statement]) -> list[Statement]:
    """The statements that count: those an acceptance gave up do not, and the acceptance is told."""
    standing: list[Statement] = []
    for told in source:
        if told.accepts and roots.get(told.size) == told.root:
            standing = [one for one in standing if roots.get(one.size) == one.root]
            accepted.append(told)
        standing.append(told)
    return standing
