"""Taking a backup of one area while it serves: everything as it was at one moment, sealed as it lies.

First what never changes once written is read, the ledger, as far as it goes; then every collection, page by page,
while others go on changing it; then one script says for all collections at one moment what changed since, and how far
the ledger and its checkpoints had come by then. What the ledger gained up to that moment is read last. So the backup is
what the store held at that moment, though nobody waited for it.

Replies to request ids are left out: see markers/restore.py. So are counters of tries, which end within the hour.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from markers.backup_files import (
    CHECKPOINTS,
    LEDGER,
    BackupRefused,
    Gathered,
    Manifest,
    NewBackup,
    Pace,
    Step,
    records_file,
)
from markers.sealed import SealedStore
from markers.store_errors import StoreBehind
from markers.vault import Vault, key_of

_PAGE: Final = b"200"
_NOTES: Final = b"10"  # a note may have a fifth of a megabyte
_MOST_CHANGES: Final = 500
_NO_KEY: Final = "none"
_ROTATING: Final = ".rotating"
_AGAIN: Final = "Keys were rotated while it was being read. Run it again when 'overlay keys rotate' has ended."


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment of an area: how many changes each collection had had, how far ledger and checkpoints went, what else
    stands in the positions, and of each collection asked for the position reached and the records changed up to it, as
    they lie; None: read it anew.

    `now` says that everything asked for is as it was at that moment.
    """

    positions: dict[str, int]
    ledger: int
    signed: int
    fields: dict[str, str]
    changed: dict[str, tuple[int, list[tuple[bytes, bytes | None]] | None]]

    @property
    def now(self) -> bool:
        told = self.changed.get
        return all(
            (change := told(name)) is not None and change[1] is not None and change[0] == position
            for name, position in self.positions.items()
        )


class ReadStore(SealedStore):
    """The store as a backup reads it: in small pages, never opened."""

    def moment(self, after: Mapping[str, int]) -> Moment:
        """How everything stands, and at most 500 changes since these positions. Raises `StoreBehind`."""
        keys = [self._positions, self._checkpoints]
        arguments = [self._bound(), b"%d" % _MOST_CHANGES]
        for name, position in after.items():
            keys += self._keys_of(name)[:2]
            arguments += (name.encode(), b"%d" % position)
        reply = self._run("moment", keys, arguments)
        if reply[0] != b"told":
            raise StoreBehind("the store was replaced or put back while it was being read; a person has to decide")
        _, flat, signed, told = reply
        fields = {key.decode(): value for key, value in zip(flat[::2], flat[1::2], strict=True)}
        return Moment(
            {name: int(value) for name, value in fields.items() if not name.startswith(".")},
            int(fields.get(".ledger", b"0")),
            int(signed),
            {
                name: value.decode()
                for name, value in fields.items()
                if name.startswith(".") and name not in (".store", ".ledger")
            },
            {
                name: (int(reached), None if rows is None else list(zip(rows[::3], rows[2::3], strict=True)))
                for name, (reached, rows) in zip(after, told, strict=True)
            },
        )

    def pages(self, collection: str) -> Iterator[list[tuple[bytes, bytes]]]:
        """Records as they lie; what changes while they are being read may come twice, or in either state."""
        cursor = b"0"
        while True:
            cursor, flat = self._call(b"HSCAN", self._keys_of(collection)[0], cursor, b"COUNT", _PAGE)
            yield list(zip(flat[::2], flat[1::2], strict=True))
            if cursor == b"0":
                return

    def entries(self, after: int, until: int) -> list[tuple[bytes, bytes]]:
        """The ids and sealed bytes of the next entries after a sequence number. Raises BackupRefused for a gap."""
        page = self._call(b"XRANGE", self._ledger, b"%d-0" % (after + 1), b"%d-0" % until, b"COUNT", _PAGE)
        rows: list[tuple[bytes, bytes]] = []
        for number, (key, parts) in enumerate(page, after + 1):
            if key != b"%d-0" % number or len(parts) != 4:
                raise _missing(number)
            rows.append((parts[1], parts[3]))
        if not rows:
            raise _missing(after + 1)
        return rows

    def notes(self, after: int, until: int) -> list[tuple[int, bytes]]:
        """Size and note of the next few checkpoints over more than `after` entries, up to `until`."""
        page = self._call(b"XRANGE", self._checkpoints, b"%d-0" % (after + 1), b"%d-0" % until, b"COUNT", _NOTES)
        return [(int(key.partition(b"-")[0]), fields[1]) for key, fields in page]


def _missing(sequence: int) -> BackupRefused:
    return BackupRefused(f"Ledger entry {sequence} is missing from the store. 'overlay keys check' says what else is.")


@dataclass(slots=True)
class _Taking:
    """One backup being taken."""

    store: ReadStore
    into: NewBackup
    pace: Pace
    step: Step
    clock: Callable[[], datetime]
    keys: Counter[str] = field(default_factory=Counter)
    at: datetime | None = None

    def ledger(self, add: Callable[[bytes, bytes], None], after: int, until: int) -> None:
        while after < until:
            with self.pace.piece():
                rows = self.store.entries(after, until)
                for entry_id, sealed in rows:
                    add(entry_id, sealed)
                    self.keys[key_of(sealed) or _NO_KEY] += 1
            after += len(rows)
            self.step(len(rows))

    def read_whole(self, name: str, gathered: Gathered) -> None:
        gathered.clear()
        pages = self.store.pages(name)
        while True:
            with self.pace.piece():
                page = next(pages, None)
                if page is None:
                    return
                gathered.set(page)
            self.step(len(page))

    def catch_up(self, found: dict[str, Gathered], after: dict[str, int], files: ExitStack) -> Moment:
        """Read and read again until everything is as it was at one moment."""
        while True:
            with self.pace.piece():
                self.at = self.clock()
                moment = self.store.moment(after)
            if _ROTATING in moment.fields:
                raise BackupRefused(_AGAIN)
            for name, (reached, changed) in moment.changed.items():
                after[name] = reached
                if changed is None:
                    after[name] = moment.positions[name]
                    self.read_whole(name, found[name])
                    continue
                found[name].set([(record_id, value) for record_id, value in changed if value is not None])
                for record_id, value in changed:
                    if value is None:
                        found[name].drop(record_id)
            if moment.now:
                return moment
            for name in moment.positions.keys() - after.keys():
                after[name] = moment.positions[name]
                found[name] = Gathered(self.into.folder)
                files.callback(found[name].close)
                self.read_whole(name, found[name])

    def records(self, name: str, gathered: Gathered) -> None:
        with self.into.part(records_file(name)) as part:
            for record_id, value in gathered.rows():
                part.row(record_id, value)
                self.keys[key_of(value.partition(b":")[2]) or _NO_KEY] += 1

    def checkpoints(self, until: int) -> None:
        after = 0
        with self.into.part(CHECKPOINTS) as part:
            while after < until:
                with self.pace.piece():
                    page = self.store.notes(after, until)
                    for size, note in page:
                        part.row(b"%d" % size, note)
                after = page[-1][0] if page else until
                self.step(len(page))


def take(
    store: ReadStore, vault: Vault, into: NewBackup, clock: Callable[[], datetime], pace: Pace, step: Step
) -> Manifest:
    """Write ledger, checkpoints and every collection to a begun backup; returns what it now holds, still unsigned.

    `clock` is asked right before each look at everything, so that the backup is of no earlier moment than it says.

    Raises BackupRefused, `StoreUnavailable`, OSError. `step` is told how many more records and entries are read.
    """
    first = store.moment({})
    if _ROTATING in first.fields:
        raise BackupRefused("Keys are being rotated. Finish that with 'overlay keys rotate', then back up.")
    taking = _Taking(store, into, pace, step, clock)
    with ExitStack() as files:
        with into.part(LEDGER) as ledger:
            taking.ledger(ledger.row, 0, first.ledger)
            found: dict[str, Gathered] = {}
            moment = taking.catch_up(found, {}, files)
            if moment.fields != first.fields:
                raise BackupRefused(_AGAIN)
            taking.ledger(ledger.row, first.ledger, moment.ledger)
        for name, gathered in found.items():
            taking.records(name, gathered)
    taking.checkpoints(moment.signed)
    return Manifest(
        area=vault.area,
        store=store.identity(),
        made_at=taking.at or clock(),
        ring=ring_of(vault),
        keys=dict(taking.keys),
        positions=moment.positions,
        ledger=moment.ledger,
        signed=moment.signed,
        fields=moment.fields,
        files=into.files,
    )


def ring_of(vault: Vault) -> str:
    """A token that tells one installation's keys from another's, whatever was rotated since."""
    return vault.token("backup", "ring")
