"""The collector is paused for as long as is said, and is then as it was."""

from __future__ import annotations

import gc

import pytest

from markers.collector import collector_paused


def test_it_is_off_meanwhile_and_on_again_even_after_a_fault() -> None:
    assert gc.isenabled()
    with pytest.raises(KeyError, match="fault"), collector_paused():  # noqa: PT012
        assert not gc.isenabled()
        raise KeyError("fault")
    assert gc.isenabled()


def test_one_within_another_leaves_it_off_until_the_outer_ends() -> None:
    with collector_paused():
        with collector_paused():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
