"""What a server of a fleet is to be when it starts, by what the Sentinels say."""

from __future__ import annotations

import pytest

from markers.store_node import Told, role

OWN, OTHER = ("10.0.0.1", 6379), ("10.0.0.2", 6379)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (None, "wait"),
        (Told(OWN, replacing=True, ready=False), "wait"),
        (Told(OTHER, replacing=True, ready=True), "wait"),
        (Told(OWN, replacing=False, ready=True), "wait"),
        (Told(OWN, replacing=False, ready=False), "primary"),
        (Told(OTHER, replacing=False, ready=True), OTHER),
        (Told(OTHER, replacing=False, ready=False), OTHER),
    ],
)
def test_the_role_follows_from_what_is_known(told: Told | None, expected: object) -> None:
    assert role(told, OWN) == expected
