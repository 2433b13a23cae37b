"""The tree against the vectors of Certificate Transparency (RFC 6962 and 9162) and against the RFC's own definition."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markers.merkle import (
    EMPTY,
    Frontier,
    Subtrees,
    consistency_proof,
    consistent,
    hashes,
    includes,
    inclusion_proof,
    leaf_hash,
    node_hash,
)

# The eight inputs and the roots over the first 1 to 8 of them that Certificate Transparency's own tests use.
INPUTS = [
    bytes.fromhex(text)
    for text in (
        *("", "00", "10", "2021", "3031", "40414243", "5051525354555657"),
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
PATHS = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
GROWTH = {
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
LEAVES = [leaf_hash(entry) for entry in INPUTS]

sizes = st.integers(1, 70)


def numbered(size: int) -> list[bytes]:
    return [leaf_hash(b"%d" % number) for number in range(size)]


def defined(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162 s.2.1.1, word for word."""
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(defined(leaves[:split]), defined(leaves[split:]))


def grown(leaves: list[bytes]) -> Frontier:
    tree = Frontier()
    for leaf in leaves:
        tree.append(leaf)
    return tree


def test_the_roots_are_those_of_certificate_transparency() -> None:
    assert Frontier().root() == EMPTY == hashlib.sha256(b"").digest()
    assert [grown(LEAVES[: size + 1]).root().hex() for size in range(8)] == ROOTS


@pytest.mark.parametrize(("index", "size"), PATHS)
def test_the_inclusion_proofs_are_those_of_certificate_transparency(index: int, size: int) -> None:
    path = inclusion_proof(Subtrees.of(LEAVES), index, size)
    assert [node.hex() for node in path] == PATHS[index, size]
    assert includes(bytes.fromhex(ROOTS[size - 1]), size, index, LEAVES[index], path)


@pytest.mark.parametrize(("old", "size"), GROWTH)
def test_the_consistency_proofs_are_those_of_certificate_transparency(old: int, size: int) -> None:
    path = consistency_proof(Subtrees.of(LEAVES), old, size)
    assert [node.hex() for node in path] == GROWTH[old, size]
    assert consistent(old, bytes.fromhex(ROOTS[old - 1]), size, bytes.fromhex(ROOTS[size - 1]), path)


@given(sizes)
def test_a_tree_that_grew_is_the_tree_as_it_is_defined(size: int) -> None:
    leaves = numbered(size)
    tree = grown(leaves)
    assert tree.root() == defined(leaves) == Subtrees.of(leaves).root(0, size)
    again = Frontier(tree.size, tree.peaks)
    beside = again.copy()
    again.append(leaves[0])
    assert again.root() == defined([*leaves, leaves[0]])
    assert beside.root() == tree.root()


@given(sizes.flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size - 1))), st.integers(0, 10**9))
def test_every_leaf_can_be_proved_and_nothing_else(tree: tuple[int, int], spoil: int) -> None:
    size, index = tree
    leaves = numbered(size)
    root, path = defined(leaves), inclusion_proof(Subtrees.of(leaves), index, size)
    assert includes(root, size, index, leaves[index], path)
    assert not includes(root, size, index, leaf_hash(b"another"), path)
    assert not includes(root, size, size, leaves[index], path)
    assert not includes(root, size, -1, leaves[index], path)
    assert not includes(root, size, index, leaves[index], [*path, root])
    other = spoil % size
    assert other == index or not includes(root, size, other, leaves[index], path)
    if path:
        at = spoil % len(path)
        assert not includes(root, size, index, leaves[index], [*path[:at], *path[at + 1 :]])
        assert not includes(root, size, index, leaves[index], [*path[:at], leaf_hash(b"x"), *path[at + 1 :]])


@given(sizes.flatmap(lambda size: st.tuples(st.just(size), st.integers(1, size))), st.integers(0, 10**9))
def test_every_earlier_tree_is_proved_the_beginning_of_a_later_one_and_no_other_is(
    trees: tuple[int, int], spoil: int
) -> None:
    size, old = trees
    leaves = numbered(size)
    root, old_root, path = defined(leaves), defined(leaves[:old]), consistency_proof(Subtrees.of(leaves), old, size)
    assert consistent(old, old_root, size, root, path)
    assert not consistent(old, leaf_hash(b"x"), size, root, path)
    assert not consistent(old, old_root, size, leaf_hash(b"x"), path)
    assert not consistent(old, old_root, size, root, [*path, root])
    assert not consistent(0, EMPTY, size, root, path)
    assert not consistent(size + 1, root, size, root, path)
    if path:
        at = spoil % len(path)
        assert not consistent(old, old_root, size, root, [*path[:at], *path[at + 1 :]])
        assert not consistent(old, old_root, size, root, [*path[:at], leaf_hash(b"x"), *path[at + 1 :]])
        assert not consistent(old, old_root, size, root, [])


def test_what_is_not_in_the_tree_has_no_proof() -> None:
    subtrees = Subtrees.of(LEAVES)
    for index, size in ((8, 8), (-1, 8), (0, 0)):
        with pytest.raises(ValueError, match="no leaf"):
            inclusion_proof(subtrees, index, size)
    for old, size in ((0, 8), (9, 8)):
        with pytest.raises(ValueError, match="does not grow"):
            consistency_proof(subtrees, old, size)


def test_a_frontier_has_as_many_peaks_as_its_size_asks_for() -> None:
    with pytest.raises(ValueError, match="5 leaves has 2"):
        Frontier(5, [EMPTY])


def test_a_run_of_hashes_comes_apart_again() -> None:
    assert list(hashes(b"".join(LEAVES))) == LEAVES
    with pytest.raises(ValueError, match="32 bytes"):
        hashes(b"x" * 33)


@pytest.mark.parametrize("cuts", [(0,), (1,), (1023, 1), (1024,), (5, 1019, 2048, 3), (2048, 1024, 1, 5000)])
def test_growing_by_many_leaves_is_growing_by_each(cuts: tuple[int, ...]) -> None:
    one_by_one, at_once, number = Frontier(), Frontier(), 0
    for count in cuts:
        leaves = [leaf_hash(b"%d" % n) for n in range(number, number + count)]
        number += count
        for leaf in leaves:
            one_by_one.append(leaf)
        at_once.extend(leaves)
        assert (at_once.size, at_once.peaks) == (one_by_one.size, one_by_one.peaks)
        assert at_once.root() == one_by_one.root()
