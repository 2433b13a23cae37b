"""Ids by key: one or many, in and out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from markers.postings import Postings

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
