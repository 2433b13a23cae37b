"""Ids by key: one or many, in and out."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from markers.postings import Postings, SortedPostings

STEPS = st.lists(st.tuples(st.booleans(), st.sampled_from("kl"), st.sampled_from("abc")), max_size=40)


@given(STEPS)
def test_it_holds_what_sets_would_hold(steps: list[tuple[bool, str, str]]) -> None:
    postings, sets = Postings(), {"k": set[str](), "l": set[str]()}
    for put, key, entry in steps:
        if put:
            postings.add(key, entry)
            sets[key].add(entry)
        else:
            postings.discard(key, entry)
            sets[key].discard(entry)
        for each, held in sets.items():
            assert set(postings.get(each)) == held
            assert len(postings.get(each)) == len(held)
            assert (each in postings) is bool(held)


@given(st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 9)), max_size=40), st.sets(st.integers(0, 50)))
def test_sorted_ones_find_what_was_filed_and_nothing_else(filed: list[tuple[int, int]], others: set[int]) -> None:
    filed = sorted(filed)
    keys, ids = (np.array([one[at] for one in filed], dtype="<u8") for at in (0, 1))
    postings = SortedPostings(keys, ids)
    for key in {key for key, _ in filed} | others:
        assert postings.get(key) == [entry for each, entry in filed if each == key]
    wanted = [key for key, _ in filed[::2]] + sorted(others)
    assert postings.of_any(wanted) == {entry for key in wanted for entry in postings.get(key)}
