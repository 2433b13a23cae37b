"""Putting a backup into an empty area of a store: written page by page, compared with what lies there, then opened.

While it goes on `.restoring` stands in the area's positions, and nobody can use the area (lua/bind.lua); the proof and
the positions come last, in one step with taking that away. Killed anywhere before, the area is one that every program
refuses in words, and that the next restore clears.

A restored area is another store, with another id: whoever followed the first one must begin anew, also when positions
have passed those it knew. Change streams start empty, so a follower is told to load everything. Uniqueness tokens are
made from the heads of the records.

Replies to request ids are not put back (at twenty checks a second they are two million): every change of a record bears
the version it expects, so none is made twice. A look alone has no version, and one kind of look is sent again after
hours: those of the spool. The entries that wait in the spool of this machine and are in the backup's ledger already are
noted as done under their request ids.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from markers.backup_files import (
    CHECKPOINTS,
    LEDGER,
    Held,
    Manifest,
    Pace,
    RestoreRefused,
    Step,
    read_pages,
    records_file,
)
from markers.commits import Commit
from markers.sealed import SealedStore
from markers.spool import KEPT_MS
from markers.store import Store
from markers.vault import Vault

_PAGE_ALLOWANCE_S: Final = 5.0
_AT_ONCE: Final = Pace(gently=False)

Act = Literal["put", "compare"]
Kind = Literal["records", "ledger", "checkpoints"]


class RestoreStore(SealedStore):
    """An area that a backup is being put into."""

    _mark = b""

    def begin(self, at: str, collections: Mapping[str, int]) -> None:
        """Take an empty area, or one where an earlier restore was cut short. Raises RestoreRefused for any other."""
        mark = json.dumps({"at": at, "collections": sorted(collections)}).encode()
        keys = (self._positions, self._prefix + b"proof", self._ledger, self._checkpoints)
        reply = self._run("restoring", keys, (b"begin", mark))
        if reply[0] == b"under way":
            self.clear(reply[1])
            reply = self._run("restoring", keys, (b"begin", mark))
        if reply[0] != b"begun":
            raise RestoreRefused(
                f"Area {self.area} of this store is not empty, and nothing in it is ever overwritten. Start an empty "
                "server, name it in OVERLAY_STORE_URL and restore into that; this one stays as the kept copy."
            )
        self._mark = mark

    def unfinished(self) -> bytes | None:
        """The mark of a restore that has not ended."""
        mark: bytes | None = self._call(b"HGET", self._positions, b".restoring")
        return mark

    def clear(self, mark: bytes) -> None:
        """Take away what an unfinished restore has put here."""
        keys = [self._positions, self._prefix + b"proof", self._ledger, self._checkpoints]
        for name in json.loads(mark)["collections"]:
            keys += self._keys_of(name)
        self._run("restoring", keys, (b"clear", mark), timeout_s=self.timeout_s + _PAGE_ALLOWANCE_S)

    def rows(self, act: Act, kind: Kind, name: str, before: int, raw: bytes) -> tuple[int, int]:
        """Put a page of rows, or compare it with what lies here: rows that are so now, and the tokens they hold."""
        keys: tuple[bytes, ...]
        if kind == "records":
            records, _, tokens = self._keys_of(name)
            keys = (records, tokens)
        else:
            keys = (self._ledger if kind == "ledger" else self._checkpoints,)
        arguments = (act.encode(), kind.encode(), b"%d" % before, raw)
        done, held = self._run("put_rows", keys, arguments, timeout_s=self.timeout_s + _PAGE_ALLOWANCE_S)
        return int(done), int(held)

    def lengths(self, collection: str) -> tuple[int, int]:
        """How many records and how many tokens a collection holds."""
        records, _, tokens = self._keys_of(collection)
        return int(self._call(b"HLEN", records)), int(self._call(b"HLEN", tokens))

    def stream_lengths(self) -> tuple[int, int]:
        """How many entries the ledger holds, and how many checkpoints."""
        return int(self._call(b"XLEN", self._ledger)), int(self._call(b"XLEN", self._checkpoints))

    def note_done(self, commit: Commit, sequence: int) -> None:
        """Whoever sends this commit of one entry is told that it is entry `sequence` already."""
        reply = self._fingerprint(commit) + b" |%d" % sequence
        self._call(b"SET", self._request_key(commit.request_id), reply, b"PX", b"%d" % KEPT_MS)

    def end(self, manifest: Manifest, proof: tuple[str, bytes]) -> None:
        """Everything is here: open the area under a new store id."""
        arguments: list[bytes] = [b"end", self._mark, proof[0].encode(), proof[1], b".ledger", b"%d" % manifest.ledger]
        for name, position in manifest.positions.items():
            arguments += (name.encode(), b"%d" % position)
        for name, value in manifest.fields.items():
            arguments += (name.encode(), value.encode())
        reply: Any = self._run("restoring", (self._positions, self._prefix + b"proof"), arguments)
        if reply[0] != b"ended":
            raise RestoreRefused(f"Area {self.area} was taken by somebody else while the backup was being restored.")
        self.settle()  # where replicas stand behind the store, all of it is on their disks too


def put(folder: Path, manifest: Manifest, store: RestoreStore, step: Step) -> None:
    """Write every row. Raises RestoreRefused, `StoreUnavailable`."""
    _each_page("put", folder, manifest, store, step)


def compare(folder: Path, manifest: Manifest, store: RestoreStore, step: Step) -> None:
    """Read everything back from the store and compare. Raises RestoreRefused, `StoreUnavailable`."""
    held = _each_page("compare", folder, manifest, store, step)
    for name in manifest.positions:
        if store.lengths(name) != (manifest.records(name), held[name]):
            raise _unlike(f"collection {name}")
    if store.stream_lengths() != (manifest.ledger, manifest.files[CHECKPOINTS].rows):
        raise _unlike("the ledger")


def note_done(store: RestoreStore, waiting: Mapping[str, bytes], found: Mapping[str, int]) -> None:
    """`waiting` are entries of the spool by request id; `found` says which of them the ledger holds, and where."""
    for request_id, sequence in found.items():
        store.note_done(Commit(request_id, {}, (), (waiting[request_id],)), sequence)


def finish(manifest: Manifest, store: RestoreStore, vault: Vault, store_id: str) -> None:
    """Open the area as the store of that id."""
    store.end(manifest, (store_id, Store.proof_of(vault, store_id)))


def _each_page(act: Act, folder: Path, manifest: Manifest, store: RestoreStore, step: Step) -> dict[str, int]:
    """All rows of all files; returns the tokens that each collection's records hold."""
    files: list[tuple[Kind, str, str]] = [("ledger", "", LEDGER), ("checkpoints", "", CHECKPOINTS)]
    files += [("records", name, records_file(name)) for name in manifest.positions]
    return {
        name or kind: _file(act, kind, name, (folder, path, manifest.files[path]), store, step)
        for kind, name, path in files
    }


def _file(act: Act, kind: Kind, name: str, file: tuple[Path, str, Held], store: RestoreStore, step: Step) -> int:
    before = tokens = 0
    for page in read_pages(*file, _AT_ONCE):
        done, held = store.rows(act, kind, name, before, page.raw)
        if done != len(page.rows):
            raise _unlike(file[1])
        before += len(page.rows)
        tokens += held
        step(len(page.rows))
    return tokens


def _unlike(what: str) -> RestoreRefused:
    return RestoreRefused(
        f"What the store holds of {what} is not what was written to it. Nothing of it is used; look at the server's "
        "disk and memory, then restore again."
    )
