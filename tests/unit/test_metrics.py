"""Figures that name nobody."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from overlay.metrics import LEAST_OF_EACH, Batch


@given(st.lists(st.sampled_from(["hit", "clear", "could_not_check"]), max_size=400))
def test_outcomes_come_out_in_crowds_and_none_is_lost(outcomes: list[str]) -> None:
    batch, out = Batch(), []
    held = 0
    for outcome in outcomes:
        held += 1
        told = batch.add(outcome)
        if told:
            assert told["hit"] >= LEAST_OF_EACH
            assert told["clear"] >= LEAST_OF_EACH
            assert sum(told.values()) == held
            held = 0
        out += [name for name, count in told.items() for _ in range(count)]
    rest = outcomes[len(out) :]
    assert sorted(out + rest) == sorted(outcomes)
    assert min(rest.count("hit"), rest.count("clear")) < LEAST_OF_EACH
