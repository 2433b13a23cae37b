"""One area of the store as it lies: sealed, read without opening, and put back sealed anew in the same place.

Beside the keys that markers/store.py names: `ledger:next`, the second ledger while a rotation copies the first; and in
`positions`, `.rotating` (the key everything is being sealed with) and `.retired` (keys that may seal nothing new).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from markers.store import Store
from markers.store_errors import StoreBehind, StoreError
from markers.vault import key_of

_PAGE: Final = 500
_TAKEN_OVER: Final = 500


@dataclass(frozen=True, slots=True)
class Kept:
    """A stored field of a hash, as it lies: `head` is what stands in clear before the sealed `blob`."""

    field: bytes
    head: bytes
    blob: bytes

    @property
    def name(self) -> str:
        """The record id."""
        return self.field.decode("ascii", "replace")

    @property
    def version(self) -> int:
        """The record's version, 0 when none can be read."""
        digits = self.head.partition(b" ")[0]
        return int(digits) if digits.isdigit() else 0

    @property
    def key_id(self) -> str | None:
        """The key that sealed it, None when it is not sealed at all."""
        return key_of(self.blob)


@dataclass(frozen=True, slots=True)
class KeptEntry:
    """A ledger entry as it lies: its sequence number and the parts of the stream's entry."""

    sequence: int
    parts: tuple[bytes, ...]

    @property
    def entry_id(self) -> str:
        """The random id it is sealed under; empty when the entry is not one the store wrote."""
        return self.parts[1].decode("ascii", "replace") if self._is_ours else ""

    @property
    def blob(self) -> bytes:
        """The sealed entry."""
        return self.parts[3] if self._is_ours else b""

    @property
    def _is_ours(self) -> bool:
        return self.parts[:1] == (b"id",) and self.parts[2:3] == (b"entry",) and len(self.parts) >= 4

    def resealed(self, blob: bytes) -> tuple[bytes, ...]:
        """The parts with another blob; as they are where there is none to replace."""
        return (*self.parts[:3], blob, *self.parts[4:]) if self._is_ours else self.parts

    @property
    def key_id(self) -> str | None:
        """The key that sealed it, None when it is not sealed at all."""
        return key_of(self.blob)


class SealedStore(Store):
    """The same store, with what a rotation and a check of the keys need. What only reads needs no right key."""

    def collections(self) -> tuple[str, ...]:
        """Every collection that was ever written."""
        names = self._call(b"HKEYS", self._positions)
        return tuple(sorted(name.decode("ascii", "replace") for name in names if not name.startswith(b".")))

    def count(self, collection: str) -> int:
        """How many records a collection holds."""
        return int(self._call(b"HLEN", self._keys_of(collection)[0]))

    def ledger_length(self) -> int:
        """How many entries the ledger holds."""
        return int(self._call(b"XLEN", self._ledger))

    def ledger_position(self) -> int:
        """The sequence number of the last entry the store ever gave."""
        return int(self._call(b"HGET", self._positions, b".ledger") or 0)

    def kept(self, collection: str) -> Iterator[list[Kept]]:
        """Pages of everything a collection holds from beginning to end of the reading; some of it may come twice."""
        yield from self._pages(self._keys_of(collection)[0])

    def kept_proof(self) -> Kept | None:
        """The proof of the area, under the store's id; None in an area nobody has bound yet."""
        store_id, proof = self._call(b"HMGET", self._prefix + b"proof", b"id", b"proof")
        return None if proof is None else Kept(store_id or b"", b"", proof)

    def kept_ledger(self, after: int = 0) -> Iterator[list[KeptEntry]]:
        """Pages of ledger entries after a sequence number, those only that are there."""
        while True:
            page = self._call(b"XRANGE", self._ledger, b"%d-0" % (after + 1), b"+", b"COUNT", b"%d" % _PAGE)
            if not page:
                return
            entries = [KeptEntry(int(key.partition(b"-")[0]), tuple(parts)) for key, parts in page]
            after = entries[-1].sequence
            yield entries

    def put_back(self, collection: str, resealed: Sequence[tuple[Kept, bytes]]) -> int:
        """Put new blobs in the place of exactly these; returns how many were still as they had been read."""
        key = self._keys_of(collection)[0]
        return self._put_back(key, [(old.field, old.head + old.blob, old.head + new) for old, new in resealed])

    def put_back_proof(self, old: Kept, new: bytes) -> bool:
        """Put a new proof in the place of exactly this one."""
        return bool(self._put_back(self._prefix + b"proof", [(b"proof", old.blob, new)]))

    def rotation(self, step: Literal["begin", "retire", "end"], *key_ids: str) -> str:
        """Note a step of a rotation; returns the key of the one under way, or ''. `StoreBehind` for another store."""
        keys = (self._positions, self._second)
        match self._run("rotation", keys, (self._bound(), step.encode(), *(key_id.encode() for key_id in key_ids))):
            case [b"to", to]:
                self.settle()
                return bytes(to).decode("ascii")
        raise StoreBehind("the store is not the one this process started with; a person has to decide")

    def rotating(self) -> str:
        """The key of the rotation under way, or ''."""
        return bytes(self._call(b"HGET", self._positions, b".rotating") or b"").decode("ascii")

    def second_ledger_end(self) -> int:
        """The last sequence number copied into the second ledger."""
        newest = self._call(b"XREVRANGE", self._second, b"+", b"-", b"COUNT", b"1")
        return int(newest[0][0].partition(b"-")[0]) if newest else 0

    def copy_ledger(self, after: int, entries: Sequence[tuple[KeptEntry, bytes]]) -> int:
        """Append entries with new blobs to the second ledger if it still ends at `after`; returns where it ends now."""
        arguments = [b"%d" % after]
        for entry, blob in entries:
            parts = entry.resealed(blob)
            arguments += (b"%d" % entry.sequence, b"%d" % len(parts), *parts)
        last = int(self._run("copy_ledger", (self._second,), arguments, timeout_s=self.timeout_s + 1))
        self.settle()
        return last

    def swap_ledger(self) -> bool:
        """Put the second ledger in the place of the first; False while it is too far behind.

        Raises `StoreError` when the two do not agree: somebody changed the ledger while it was copied.
        """
        keys = (self._positions, self._ledger, self._second)
        match self._run("swap_ledger", keys, (self._bound(), b"%d" % _TAKEN_OVER), timeout_s=self.timeout_s + 1):
            case [b"swapped"]:
                self.settle()
                return True
            case [b"behind"]:
                return False
            case [b"unlike", first, second]:
                raise StoreError(
                    f"the ledger was changed while it was copied ({int(first)} entries, {int(second)} copied); "
                    "it was left as it is. Verify it, then rotate again"
                )
        raise StoreBehind("the store is not the one this process started with; a person has to decide")

    def areas(self) -> tuple[str, ...]:
        """Every area that the server holds, this one included."""
        cursor, found = b"0", set[str]()
        while True:
            cursor, keys = self._call(b"SCAN", cursor, b"MATCH", b"wmo:{*}:proof", b"COUNT", b"1000")
            found.update(key[5:-7].decode("ascii", "replace") for key in keys)
            if cursor == b"0":
                return tuple(sorted(found))

    @property
    def _second(self) -> bytes:
        return self._ledger + b":next"

    def _pages(self, key: bytes) -> Iterator[list[Kept]]:
        cursor = b"0"
        while True:
            cursor, flat = self._call(b"HSCAN", key, cursor, b"COUNT", b"%d" % _PAGE)
            yield [_kept(field, value) for field, value in zip(flat[::2], flat[1::2], strict=True)]
            if cursor == b"0":
                return

    def _put_back(self, key: bytes, changes: Sequence[tuple[bytes, bytes, bytes]]) -> int:
        arguments = [part for change in changes for part in change]
        done: Any = self._run("reseal", (key,), arguments, timeout_s=self.timeout_s + 1)
        self.settle()
        return int(done)


def _kept(field: bytes, value: bytes) -> Kept:
    head, colon, blob = value.partition(b":")
    return Kept(field, head + colon, blob)
