"""What Sentinels say together: who is primary, whether it is being replaced, and who may have taken its place without
its knowing, all of whom must confirm what it is sent."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from markers.lines_to_store import _covers, _Have, _reached
from markers.primary import Heirs, NoPrimary, Primary
from markers.store_url import Node, StoreUrl

HERE, OTHER, THIRD = ("10.0.0.1", 1), ("10.0.0.2", 1), ("10.0.0.3", 1)
SENTINELS = (("10.0.0.7", 1), ("10.0.0.8", 1), ("10.0.0.9", 1))
NONE = "0" * 40

Answers = dict[Node, Any]


def replica(node: Node, role: str = "slave", flags: str = "slave", priority: int = 100) -> dict[str, Any]:
    told = {"ip": node[0], "port": str(node[1]), "role-reported": role, "flags": flags}
    return {**told, "slave-priority": str(priority), "master-link-status": "ok" if role == "slave" else "err"}


def sentinel(*replicas: dict[str, Any], flags: str = "master", at: Node = HERE, epoch: int = 1) -> Any:
    return {"ip": at[0], "port": at[1], "flags": flags, "config-epoch": epoch}, list(replicas)


def says(replid: str, before: str = NONE) -> dict[str, Any]:
    return {"master_replid": replid, "master_replid2": before}


ALL_WELL = sentinel(replica(OTHER), replica(THIRD))


@pytest.fixture
def asked() -> list[Node]:
    return []


@pytest.fixture
def primary(monkeypatch: pytest.MonkeyPatch, asked: list[Node]) -> Callable[[Answers], Primary]:
    def with_answers(answers: Answers) -> Primary:
        nodes = ",".join(f"{host}:{port}" for host, port in SENTINELS)
        primary = Primary(StoreUrl.read(f"redis+sentinel://{nodes}/overlay"), "quill", 0.2)

        def ask(node: Node, *_: object) -> Any:
            asked.append(node)
            return answers.get(node)

        monkeypatch.setattr(primary, "_ask", ask)
        return primary

    return with_answers


@pytest.mark.parametrize(
    ("other", "told", "able"),
    [
        (replica(OTHER), {}, 2),
        (replica(OTHER, flags="slave,s_down"), {}, 1),
        # Not to take over, by its settings; but in step, as a Sentinel may yet choose it.
        (replica(OTHER, priority=0), {}, 2),
        ({**replica(OTHER, priority=0), "master-link-status": "err"}, {}, 1),
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
    primary: Callable[[Answers], Primary], other: dict[str, Any], told: Answers, able: int
) -> None:
    told |= dict.fromkeys(SENTINELS, sentinel(other, replica(THIRD)))
    assert primary(told).heirs().able == able


def test_what_any_one_sentinel_holds_to_be_up_is_counted(primary: Callable[[Answers], Primary]) -> None:
    down = "slave,s_down"
    told = {
        SENTINELS[0]: sentinel(replica(OTHER, flags=down), replica(THIRD)),
        SENTINELS[1]: sentinel(replica(OTHER), replica(THIRD, flags=down)),
        SENTINELS[2]: sentinel(replica(OTHER, flags=down), replica(THIRD, flags=down)),
    }
    assert primary(told).heirs().able == 2


INFO = (
    "# Replication\r\nrole:master\r\nconnected_slaves:2\r\n"
    "slave0:ip=10.0.0.2,port=1,state=online,offset=500,lag=0,type=replica\r\n"
    "slave1:ip=fd00::3,port=1,state=online,offset=499,lag=1,type=replica\r\n"
    "slave_repl_offset:1\r\nmaster_repl_offset:512\r\n"
)


def test_a_replica_has_a_write_once_it_has_acknowledged_the_history_as_far_as_that() -> None:
    assert _reached(INFO.encode(), 499) == {OTHER, ("fd00::3", 1)}
    assert _reached(INFO.encode(), 500) == {OTHER}
    assert _reached(INFO.encode(), 501) == frozenset()


@pytest.mark.parametrize(
    ("have", "heirs", "covers"),
    [
        (_Have(2, frozenset({OTHER, THIRD})), Heirs(HERE, 2, frozenset({OTHER, THIRD})), True),
        (_Have(2, frozenset({OTHER, THIRD})), Heirs(HERE, 1, frozenset({OTHER})), True),
        # As many as could take over, and not the ones.
        (_Have(1, frozenset({OTHER})), Heirs(HERE, 1, frozenset({THIRD})), False),
        # Sent to all of them, and not yet on the disk of each.
        (_Have(1, frozenset({OTHER, THIRD})), Heirs(HERE, 2, frozenset({OTHER, THIRD})), False),
        # Another is primary by now.
        (_Have(2, frozenset({OTHER, THIRD})), Heirs(OTHER, 1, frozenset({THIRD})), False),
        # In a cluster they have other addresses: they are only counted.
        (_Have(1, frozenset({OTHER})), Heirs(HERE, 1, frozenset()), True),
    ],
)
def test_all_who_could_have_taken_over_must_have_it_by_name(have: _Have, heirs: Heirs, covers: bool) -> None:
    assert _covers(have, heirs, HERE) is covers


def test_the_heirs_are_asked_again_where_the_answer_at_hand_is_older(
    primary: Callable[[Answers], Primary], asked: list[Node]
) -> None:
    told: Answers = dict.fromkeys(SENTINELS, ALL_WELL)
    asking = primary(told)
    assert asking.heirs().named == {OTHER, THIRD}
    asked.clear()
    assert asking.heirs().able == 2
    assert asked == []
    told |= dict.fromkeys(SENTINELS, sentinel(replica(OTHER), flags="master,failover_in_progress"))
    with pytest.raises(NoPrimary, match="down and not yet replaced"):
        asking.heirs(time.monotonic())


@pytest.mark.parametrize("flags", ["master,o_down", "master,s_down,o_down,failover_in_progress"])
@pytest.mark.parametrize("leader", SENTINELS)
def test_the_word_of_the_one_that_is_replacing_the_primary_is_enough(
    primary: Callable[[Answers], Primary], leader: Node, flags: str
) -> None:
    told = dict.fromkeys(SENTINELS, ALL_WELL) | {leader: sentinel(replica(OTHER), replica(THIRD), flags=flags)}
    with pytest.raises(NoPrimary, match="down and not yet replaced"):
        primary(told).heirs()


def test_a_replica_that_hung_up_is_counted_until_it_has_ended(primary: Callable[[Answers], Primary]) -> None:
    """One that is promoted closes its connections; the Sentinels see it again, and what it became, a moment later."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        other = replica(("127.0.0.1", listening.getsockname()[1]), flags="slave,disconnected")
        told = dict.fromkeys(SENTINELS, sentinel(other, replica(THIRD)))
        assert primary(told).heirs().able == 2
    assert primary(told).heirs().able == 1


@pytest.mark.parametrize("flags", ["master,s_down", "master,disconnected"])
def test_one_sentinel_cut_off_from_the_primary_does_not_stop_the_service(
    primary: Callable[[Answers], Primary], flags: str
) -> None:
    alone = sentinel(replica(OTHER), replica(THIRD), flags=flags)
    assert primary(dict.fromkeys(SENTINELS, ALL_WELL) | {SENTINELS[1]: alone}).at() == HERE
    with pytest.raises(NoPrimary, match="down and not yet replaced"):
        primary(dict.fromkeys(SENTINELS, alone) | {SENTINELS[1]: ALL_WELL}).at()


def test_the_newest_primary_is_taken_whoever_has_not_heard_of_it(primary: Callable[[Answers], Primary]) -> None:
    behind = sentinel(replica(OTHER), replica(THIRD), flags="master,o_down,failover_in_progress")
    new = sentinel(replica(THIRD), at=OTHER, epoch=2)
    told = dict.fromkeys(SENTINELS, behind) | {SENTINELS[2]: new}
    assert (primary(told).at(), primary(told).heirs().able) == (OTHER, 1)
    # Whoever led the replacement names the old one until the last replica follows the new one.
    for old in (HERE, ("10.0.0.9", 9)):
        leading = sentinel(replica(OTHER), flags="master,o_down,failover_in_progress", at=old, epoch=2)
        told = dict.fromkeys(SENTINELS, new) | {SENTINELS[0]: leading}
        assert primary(told).at() == OTHER


def test_connections_to_the_one_before_are_done_with_whenever_another_is_primary(
    primary: Callable[[Answers], Primary],
) -> None:
    told = dict.fromkeys(SENTINELS, ALL_WELL)
    asking = primary(told)
    asking.at()
    before = asking.doubts
    told.update(dict.fromkeys(SENTINELS, sentinel(flags="master,o_down")))
    asking._counted_at = float("-inf")
    with pytest.raises(NoPrimary):
        asking.heirs()
    told.update(dict.fromkeys(SENTINELS, sentinel(replica(THIRD), at=OTHER, epoch=2)))
    asking._refused_at = float("-inf")
    assert asking.heirs().able == 1
    assert asking.doubts > before


@pytest.mark.parametrize(("slots", "able"), [([["0", "16383"]], 1), ([["0", "9"], ["0", "16383"]], 1), ([], None)])
def test_a_node_of_the_cluster_counts_by_its_name_and_only_while_it_holds_the_slot(
    slots: list[list[str]], able: int | None
) -> None:
    def node(name: str, flags: str, of: str) -> dict[str, Any]:
        return {"node_id": name, "flags": flags, "master_id": of, "slots": slots if of == "-" else []}

    known = {
        "10.0.0.1:1": node("a", "myself,master", "-"),
        "10.0.0.2:1": node("b", "slave", "a"),
        "10.0.0.3:1": node("c", "slave,fail", "a"),
    }
    asking = Primary(StoreUrl.read("redis+cluster://10.0.0.7:1"), "quill", 0.2)
    asking._ask = lambda *_: ([[0, 16383, [b"one.example", 1, b"a"]]], known)  # type: ignore[method-assign]
    if able is None:
        with pytest.raises(NoPrimary, match="just giving the slot"):
            asking.heirs()
    else:
        assert (asking.heirs().able, asking.at()) == (able, ("one.example", 1))


def test_a_silent_sentinel_is_left_in_peace_only_where_the_others_are_enough(
    primary: Callable[[Answers], Primary], asked: list[Node]
) -> None:
    told = dict.fromkeys(SENTINELS[1:], ALL_WELL)
    asking = primary(told)
    for expected in (list(SENTINELS), list(SENTINELS[1:])):
        assert asking.at() == HERE
        assert asked == expected
        asked.clear()
        asking.doubt()
    del told[SENTINELS[1]]
    with pytest.raises(NoPrimary, match="only 1 of 3 Sentinels answer for overlay"):
        asking.at()
    assert asked == [*SENTINELS[1:], SENTINELS[0]]  # those that are not in peace first
    told[SENTINELS[0]] = ALL_WELL
    assert asking.at() == HERE
