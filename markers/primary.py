"""Which server takes an area's writes now: asked of the Sentinels or of the cluster, and asked again on any doubt.

What they say is only where to try: a connection proves itself by its role (markers/lines_to_store.py), and under
`replicated` durability a primary that has been replaced finds no replica to confirm what it is sent.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.retry import Retry

from markers.store_url import Node, StoreUrl

_LONGEST_S: Final = 0.2
"""How long one Sentinel or node is waited for: they are near, and a check is answered within a second."""


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
        self._at: Node | None = None
        self._refused_at, self._refusal = float("-inf"), ""
        self._lock = threading.Lock()
        self.doubts = 0

    def at(self) -> Node:
        """Host and port. Raises NoPrimary; callers that wait for one asking share its answer."""
        asked_at = time.monotonic()
        with self._lock:
            if self._at is None:
                if self._refused_at >= asked_at:
                    raise NoPrimary(self._refusal)
                try:
                    self._at = self._told_by_sentinels() if self._url.kind == "sentinel" else self._told_by_cluster()
                except NoPrimary as error:
                    self._refused_at, self._refusal = time.monotonic(), str(error)
                    raise
            return self._at

    def doubt(self, instead: Node | None = None) -> None:
        """Ask anew before the next connection; or take `instead`, which a node of the cluster pointed to."""
        with self._lock:
            self._at = instead
            self.doubts += 1

    def _told_by_sentinels(self) -> Node:
        """The newest of what more than half of the Sentinels say; whoever keeps silent is asked last from then on."""
        found: list[tuple[int, Node, bool]] = []
        silent: list[Node] = []
        for node in self._order:
            state = self._ask(node, self._of_sentinel, self._url.to_sentinel)
            if state is None:
                silent.append(node)
                continue
            at = (str(state["ip"]), int(state["port"]))
            found.append((int(state["config-epoch"]), at, _in_doubt(state)))
            if 2 * len(found) > len(self._order):
                break
        self._order = [node for node in self._order if node not in silent] + silent
        if 2 * len(found) <= len(self._order):
            raise NoPrimary(f"only {len(found)} of {len(self._order)} Sentinels answer for {self._url.service}")
        _, at, down = max(found)
        if down:
            raise NoPrimary(f"the primary of {self._url.service} is down and not yet replaced")
        return at

    def _told_by_cluster(self) -> Node:
        """What the first node that answers says; one that serves another part points on (MOVED)."""
        learnt: list[Node] = []
        for number, node in enumerate(self._order):
            spans = self._ask(node, _spans, self._url.to_node)
            if spans is None:
                continue
            at: Node | None = None
            for first, last, *holders in spans:
                holders = [(_text(host) or node[0], int(port)) for host, port, *_ in holders]
                learnt += holders
                if first <= self._slot <= last and holders:
                    at = holders[0]
            if at is not None:
                # Next time others are asked first: this one may have been cut off from them with its old answer.
                ahead = self._order[number + 1 :] + self._order[: number + 1]
                self._order = list(dict.fromkeys((*ahead, *learnt)))
                return at
        raise NoPrimary(f"no node of the cluster says who serves slot {self._slot}")

    def _of_sentinel(self, client: redis.Redis) -> Any:
        return client.sentinel_master(self._url.service)

    def _ask(self, node: Node, question: Callable[[redis.Redis], Any], account: dict[str, Any]) -> Any:
        try:
            with client_of(node, account, self._timeout_s, tls=self._url.tls) as client:
                return question(client)
        except (redis.RedisError, OSError):
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


def _in_doubt(state: dict[str, Any]) -> bool:
    """Whether a Sentinel takes the primary for down, or is replacing it at this moment."""
    return any(mark in state["flags"] for mark in ("s_down", "o_down", "failover_in_progress", "disconnected"))


def _spans(client: redis.Redis) -> Any:
    ask: Any = client.execute_command
    return ask("CLUSTER SLOTS")


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value or "")
