"""The ledger's Merkle tree: RFC 9162 section 2.1, SHA-256, a leaf under 0x00 and a node under 0x01.

Leaf number i (from 0) is the ledger entry of sequence i + 1: the tree's shape binds each entry to its place, so the
number need not be hashed with it. All hashes are 32 bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

HASH_BYTES: Final = 32
EMPTY: Final = hashlib.sha256(b"").digest()
_SUBTREE: Final = 1 << 10


def leaf_hash(entry: bytes) -> bytes:
    """The leaf of an entry's bytes."""
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The node over two others."""
    return hashlib.sha256(b"\1" + left + right).digest()


class Frontier:
    """A growing tree that keeps the roots of its whole subtrees alone: one for each 1 in the binary of its size.

    `peaks` are those roots, the largest subtree first. `ValueError` when they are not as many as `size` asks for.
    """

    __slots__ = ("peaks", "size")

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        self.size, self.peaks = size, list(peaks)
        if len(self.peaks) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} whole subtrees, not {len(self.peaks)}")

    def append(self, leaf: bytes) -> None:
        """Grow by one leaf hash."""
        node, merging = leaf, self.size
        while merging & 1:
            node = node_hash(self.peaks.pop(), node)
            merging >>= 1
        self.peaks.append(node)
        self.size += 1

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Grow by many leaf hashes: as `append` of each, but faster, a whole subtree at a time where one fits."""
        at = 0
        while at < len(leaves):
            if self.size % _SUBTREE or len(leaves) - at < _SUBTREE:
                self.append(leaves[at])
                at += 1
                continue
            level = leaves[at : at + _SUBTREE]
            while len(level) > 1:
                level = [node_hash(level[n], level[n + 1]) for n in range(0, len(level), 2)]
            node, merging = level[0], self.size // _SUBTREE
            while merging & 1:
                node = node_hash(self.peaks.pop(), node)
                merging >>= 1
            self.peaks.append(node)
            self.size += _SUBTREE
            at += _SUBTREE

    def root(self) -> bytes:
        """The tree's hash as it stands."""
        if not self.peaks:
            return EMPTY
        *higher, node = self.peaks
        for peak in reversed(higher):
            node = node_hash(peak, node)
        return node

    def copy(self) -> Frontier:
        """Another tree that grows by itself."""
        return Frontier(self.size, self.peaks)


@dataclass(frozen=True, slots=True)
class Subtrees:
    """Where a proof gets the hash of a whole subtree from: `at(level, number)` is over leaves number * 2^level on."""

    at: Callable[[int, int], bytes]

    @classmethod
    def of(cls, leaves: Sequence[bytes]) -> Subtrees:
        """Worked out from leaf hashes each time."""

        def at(level: int, number: int) -> bytes:
            tree = Frontier()
            for leaf in leaves[number << level : (number + 1) << level]:
                tree.append(leaf)
            return tree.root()

        return cls(at)

    def root(self, start: int, end: int) -> bytes:
        """The hash over leaves `start` to `end`, where `start` is the beginning of a subtree (RFC 9162 s.2.1.1)."""
        width = end - start
        level = (width - 1).bit_length()
        if width == 1 << level:
            return self.at(level, start >> level)
        middle = start + (1 << (level - 1))
        return node_hash(self.root(start, middle), self.root(middle, end))


def inclusion_proof(subtrees: Subtrees, index: int, size: int) -> list[bytes]:
    """PATH(index, D[size]) of RFC 9162 s.2.1.3.1: from the leaf's neighbour up. `ValueError` when it is not there."""
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    start, end, path = 0, size, list[bytes]()
    while end - start > 1:
        middle = start + (1 << ((end - start - 1).bit_length() - 1))
        if index < middle:
            path.append(subtrees.root(middle, end))
            end = middle
        else:
            path.append(subtrees.root(start, middle))
            start = middle
    return path[::-1]


def consistency_proof(subtrees: Subtrees, old: int, size: int) -> list[bytes]:
    """PROOF(old, D[size]) of RFC 9162 s.2.1.4.1. `ValueError` unless 0 < old <= size."""
    if not 0 < old <= size:
        raise ValueError(f"a tree of {size} leaves does not grow out of one of {old}")
    start, end, whole, path = 0, size, True, list[bytes]()
    while old < end:
        middle = start + (1 << ((end - start - 1).bit_length() - 1))
        if old <= middle:
            path.append(subtrees.root(middle, end))
            end = middle
        else:
            path.append(subtrees.root(start, middle))
            start, whole = middle, False
    if not whole:
        path.append(subtrees.root(start, end))
    return path[::-1]


def includes(root: bytes, size: int, index: int, leaf: bytes, path: Sequence[bytes]) -> bool:
    """Whether the path proves that `leaf` is leaf `index` of the tree of `size` (RFC 9162 s.2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, node = index, size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            node = node_hash(step, node)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            node = node_hash(node, step)
        at, last = at >> 1, last >> 1
    return last == 0 and node == root


def consistent(old: int, old_root: bytes, size: int, root: bytes, path: Sequence[bytes]) -> bool:
    """Whether the path proves that the tree of `size` begins with the whole tree of `old` (RFC 9162 s.2.1.4.2)."""
    if not 0 < old <= size:
        return False
    if old == size:
        return not path and old_root == root
    steps = iter(path if old & (old - 1) else (old_root, *path))
    at, last = old - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first = next(steps, None)
    if first is None:
        return False
    before = after = first
    for step in steps:
        if last == 0:
            return False
        if at & 1 or at == last:
            before, after = node_hash(step, before), node_hash(step, after)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            after = node_hash(after, step)
        at, last = at >> 1, last >> 1
    return last == 0 and before == old_root and after == root


def hashes(joined: bytes) -> Iterator[bytes]:
    """The hashes in a run of them. `ValueError` when the last is cut short."""
    if len(joined) % HASH_BYTES:
        raise ValueError(f"hashes are {HASH_BYTES} bytes each")
    return (joined[at : at + HASH_BYTES] for at in range(0, len(joined), HASH_BYTES))
