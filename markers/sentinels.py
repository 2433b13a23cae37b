"""What the Sentinels of an area's store say together: which server is primary, whether it is being replaced, and who
could take its place or may just have done so.

Each Sentinel sees a part. Only the one that leads a replacement knows of it until it is over, and one that is cut off
from the primary alone is no reason to stop; so all that answer are heard, and weighed here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from markers.store_url import Node


@dataclass(frozen=True)
class Told:
    """One Sentinel's answer: the primary it holds, as of which epoch, with what flags, and the replicas it knows."""

    epoch: int
    at: Node
    flags: frozenset[str]
    replicas: tuple[dict[str, Any], ...]

    @classmethod
    def read(cls, master: dict[str, Any], replicas: list[dict[str, Any]]) -> Told:
        """Of the answers to SENTINEL MASTER and SENTINEL REPLICAS, as the client hands them out."""
        return cls(int(master["config-epoch"]), _address(master), _flags(master), tuple(replicas))


def newest(told: list[Told]) -> list[Told]:
    """Those that hold the newest primary; the others have not heard of it yet. `told` holds one at least.

    Of one epoch, whoever led the replacement names the old primary until the last replica follows the new one.
    """
    first = max(told, key=lambda one: (one.epoch, "failover_in_progress" not in one.flags, one.at))
    return [one for one in told if (one.epoch, one.at) == (first.epoch, first.at)]


def being_replaced(believed: list[Told]) -> bool:
    """Whether the primary is down by the word of enough of them, or one of them is replacing it at this moment."""
    if any(one.flags & {"o_down", "failover_in_progress"} for one in believed):
        return True
    return 2 * sum(bool(one.flags & {"s_down", "disconnected"}) for one in believed) > len(believed)


def heirs_of(believed: list[Told]) -> tuple[set[Node], set[Node], set[Node]]:
    """The replicas that could take over, those that call themselves primary, and those that hung up on the Sentinels.

    Any one Sentinel's word counts. One that all of them hold for down is none of these: it can't be chosen. One that
    hung up may have ended, or been promoted: that closes all of its connections.
    """
    known = [one for told in believed for one in told.replicas if not _flags(one) & {"s_down", "o_down"}]
    up = [one for one in known if "disconnected" not in _flags(one)]
    claim = {_address(one) for one in up if one["role-reported"] != "slave"}
    sure = {_address(one) for one in up if _could_take_over(one)} - claim
    return sure, claim, {_address(one) for one in known} - {_address(one) for one in up}


def _could_take_over(replica: dict[str, Any]) -> bool:
    """As a Sentinel chooses of those that are up: allowed to, or in step."""
    return int(replica["slave-priority"]) > 0 or bool(replica["master-link-status"] == "ok")


def _address(server: dict[str, Any]) -> Node:
    return str(server["ip"]), int(server["port"])


def _flags(server: dict[str, Any]) -> frozenset[str]:
    return frozenset(str(server["flags"]).split(","))
