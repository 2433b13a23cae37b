"""Who may have taken a primary's place without its knowing: all of them must confirm what it is sent."""

from __future__ import annotations

from typing import Any

import pytest

from markers.primary import Primary
from markers.store_url import Node, StoreUrl

HERE, OTHER, THIRD = ("10.0.0.1", 1), ("10.0.0.2", 1), ("10.0.0.3", 1)
NONE = "0" * 40


def replica(node: Node, role: str = "slave", flags: str = "slave") -> dict[str, Any]:
    told = {"ip": node[0], "port": str(node[1]), "role-reported": role, "flags": flags}
    return {**told, "slave-priority": "100", "master-link-status": "ok" if role == "slave" else "err"}


def says(replid: str, before: str = NONE) -> dict[str, Any]:
    return {"master_replid": replid, "master_replid2": before}


@pytest.mark.parametrize(
    ("other", "told", "able"),
    [
        (replica(OTHER), {}, 2),
        (replica(OTHER, flags="slave,s_down"), {}, 1),
        # It thawed: the primary's history goes back to its own.
        (replica(OTHER, "master"), {HERE: says("b", "a"), OTHER: says("a")}, 1),
        # It has just been promoted: its history goes back to the primary's, which does not know.
        (replica(OTHER, "master"), {HERE: says("a"), OTHER: says("b", "a")}, 2),
        (replica(OTHER, "master"), {HERE: says("b", "a"), OTHER: says("c", "b")}, 2),
        # Nobody knows: one of them does not answer.
        (replica(OTHER, "master"), {HERE: says("b", "a")}, 2),
        (replica(OTHER, "master"), {OTHER: says("a")}, 2),
    ],
)
def test_all_that_may_have_taken_over_are_counted(
    monkeypatch: pytest.MonkeyPatch, other: dict[str, Any], told: dict[Node, dict[str, Any]], able: int
) -> None:
    primary = Primary(StoreUrl.read("redis+sentinel://10.0.0.9:1,10.0.0.8:1,10.0.0.7:1/overlay"), "quill", 0.2)
    monkeypatch.setattr(primary, "_ask", lambda node, *_: told.get(node))
    assert primary._able_of(HERE, [other, replica(THIRD)], {}) == able
