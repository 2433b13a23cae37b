"""Which server takes an area's writes now: asked of the Sentinels or of the cluster, and asked again on any doubt.

What they say is only where to try: a connection proves itself by its role (markers/lines_to_store.py), and under
`replicated` durability a primary that has been replaced finds no replica to confirm what it is sent.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import redis
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.retry import Retry

from markers.sentinels import Told, being_replaced, heirs_of, newest
from markers.store_url import Node, StoreUrl

_LONGEST_S: Final = 0.2
"""How long one Sentinel or node is waited for: they are near, and a check is answered within a second."""

LEFT_IN_PEACE_S: Final = 5.0
"""How long a Sentinel that did not answer is not asked again, if the others are enough."""

COUNTED_S: Final = 0.8
"""How long the number of replicas to wait for is relied on. It proves nothing: who could have taken over is asked again
once they have confirmed, for a primary that is slow to the Sentinels and quick to us is replaced at any moment."""


class Heirs(NamedTuple):
    """Who could take the place of the primary `at`, or may just have done so; all of them must have a write."""

    at: Node
    able: int
    named: frozenset[Node]
    """Their addresses, as the primary tells of them itself; empty in a cluster, which tells of them under others."""


class NoPrimary(redis.ConnectionError):
    """Nobody can say which server takes writes now, or they say that it is down and not yet replaced."""


class Primary:
    """The primary of one area's keys. Safe to share between threads.

    `doubts` grows each time the answer at hand was doubted, so that connections made before can be told.
    """

    def __init__(self, url: StoreUrl, area: str, timeout_s: float) -> None:
        self._url, self._slot = url, key_slot(f"wmo:{{{area}}}:".encode())
        self._timeout_s = min(timeout_s, _LONGEST_S)
        self._order = list(url.nodes)
        self._silent: dict[Node, float] = {}
        self._kept: dict[Node, redis.Redis] = {}
        self._at: Node | None = None
        self._last: Node | None = None
        self._refused_at, self._refusal = float("-inf"), ""
        self._heirs, self._counted_at = Heirs(("", 0), 0, frozenset()), float("-inf")
        self._lock = threading.Lock()
        self.doubts = 0

    def at(self) -> Node:
        """Host and port. Raises NoPrimary; callers that wait for one asking share its answer."""
        asked_at = time.monotonic()
        with self._lock:
            if self._at is None:
                self._look(asked_at)
            return self._at or ("", 0)

    def heirs(self, since: float | None = None) -> Heirs:
        """Which replicas could take the primary's place: asked just now, or not before `since` (`time.monotonic`).

        All of them must have a write before it is acknowledged. One that did not confirm may have taken over already:
        the old primary does not know, and another replica that does not know either would confirm what both will
        throw away. Raises NoPrimary.
        """
        asked_at = time.monotonic()
        with self._lock:
            if self._counted_at < (asked_at - COUNTED_S if since is None else since):
                self._look(asked_at)
            return self._heirs

    def _look(self, asked_at: float) -> None:
        if self._refused_at >= asked_at:
            raise NoPrimary(self._refusal)
        try:
            ask = self._told_by_sentinels if self._url.kind == "sentinel" else self._told_by_cluster
            begun = time.monotonic()
            self._heirs = ask()
            self._at, self._counted_at = self._heirs.at, begun
            if self._at != self._last:
                self._last = self._at
                self.doubts += 1  # another has become primary: connections to the one before are done with
        except NoPrimary as error:
            self._at, self._refused_at, self._refusal = None, time.monotonic(), str(error)
            raise

    def doubt(self, instead: Node | None = None) -> None:
        """Ask anew before the next connection; or take `instead`, which a node of the cluster pointed to."""
        with self._lock:
            self._at, self._counted_at = instead, float("-inf")
            self.doubts += 1

    def _told_by_sentinels(self) -> Heirs:
        """What the Sentinels say together (markers/sentinels.py).

        All are asked, for the one that is replacing the primary is alone in knowing it; one that was silent just now
        is left in peace where the others are enough.
        """
        now = time.monotonic()
        in_peace = {node for node, since in self._silent.items() if now - since < LEFT_IN_PEACE_S}
        told: list[Told] = []
        for node in sorted(self._url.nodes, key=in_peace.__contains__):
            if node in in_peace and 2 * len(told) > len(self._url.nodes):
                break
            said = self._ask(node, self._of_sentinel, self._url.to_sentinel)
            if said is None:
                self._silent[node] = now
            else:
                self._silent.pop(node, None)
                told.append(Told.read(*said))
        if 2 * len(told) <= len(self._url.nodes):
            raise NoPrimary(f"only {len(told)} of {len(self._url.nodes)} Sentinels answer for {self._url.service}")
        believed = newest(told)
        if being_replaced(believed):
            raise NoPrimary(f"the primary of {self._url.service} is down and not yet replaced")
        at = believed[0].at
        sure, claim, gone = heirs_of(believed)
        claim = {node for node in claim if not self._came_before(node, at)}
        named = frozenset(sure | claim | {node for node in gone if not self._has_ended(node)})
        return Heirs(at, len(named), named)

    def _has_ended(self, node: Node) -> bool:
        """Whether nothing listens there: whoever was just promoted hangs up on the Sentinels, but listens on."""
        try:
            socket.create_connection(node, self._timeout_s).close()
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
        return False

    def _came_before(self, node: Node, at: Node) -> bool:
        """Whether a replica that calls itself primary is the one `at` took over from: it thawed, and is not told yet.

        Anything else may have taken over from `at` a moment ago, and only the Sentinel that did it knows.
        """
        before = self._ask(node, _replication, self._url.to_node)
        now = self._ask(at, _replication, self._url.to_node) if before is not None else None
        return now is not None and str(now["master_replid2"]) == str(before["master_replid"])

    def _told_by_cluster(self) -> Heirs:
        """What the first node that answers says; one that serves another part points on (MOVED)."""
        learnt: list[Node] = []
        silent: list[Node] = []
        for node in self._order:
            told = self._ask(node, _of_cluster, self._url.to_node)
            if told is None:
                silent.append(node)
                continue
            spans, known = told
            at, able = None, 0
            for first, last, *holders in spans:
                learnt += [(_text(host) or node[0], int(port)) for host, port, *_ in holders]
                if first <= self._slot <= last and holders:
                    host, port, name, *_ = holders[0]
                    at, able = (_text(host) or node[0], int(port)), _following(known, _text(name), self._slot)
            if at is not None:
                # Next time others are asked first: this one may have been cut off from them with its old answer.
                rest = [other for other in dict.fromkeys((*self._order, *learnt)) if other not in (node, *silent)]
                self._order = [*rest, node, *silent]
                return Heirs(at, able, frozenset())
        raise NoPrimary(f"no node of the cluster says who serves slot {self._slot}")

    def _of_sentinel(self, client: redis.Redis) -> Any:
        return client.sentinel_master(self._url.service), client.sentinel_slaves(self._url.service)

    def _ask(self, node: Node, question: Callable[[redis.Redis], Any], account: dict[str, Any]) -> Any:
        """What a connection kept from the last time answers, or a new one; None where nobody does."""
        kept = self._kept.pop(node, None)
        for client in (kept, None) if kept is not None else (None,):
            asked = client or client_of(node, account, self._timeout_s, tls=self._url.tls)
            try:
                answer = question(asked)
            except (redis.RedisError, OSError) as error:
                asked.close()
                if isinstance(error, redis.TimeoutError):
                    break
            else:
                self._kept[node] = asked
                return answer
        return None


def client_of(node: Node, account: dict[str, Any], timeout_s: float, *, tls: bool) -> redis.Redis:
    """A client of one machine of a fleet, that asks once and does not wait long."""
    return redis.Redis(
        host=node[0],
        port=node[1],
        ssl=tls,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        driver_info=None,
        **account,
    )


def _replication(client: redis.Redis) -> Any:
    return client.info("replication")


def _of_cluster(client: redis.Redis) -> Any:
    ask: Any = client.execute_command
    return ask("CLUSTER SLOTS"), ask("CLUSTER NODES")


def _following(known: dict[str, dict[str, Any]], name: str, slot: int) -> int:
    """How many nodes that are not given up follow the one of that id. Raises NoPrimary if it lost the slot since."""
    held = next((one["slots"] for one in known.values() if one["node_id"] == name), ())
    if not any(int(span[0]) <= slot <= int(span[-1]) for span in held):
        raise NoPrimary("the cluster is just giving the slot to another node")
    return sum(one["master_id"] == name and "fail" not in one["flags"].split(",") for one in known.values())


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value or "")
