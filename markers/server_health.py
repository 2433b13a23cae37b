"""How a store server is doing, from what it says of itself: for whoever looks after it, never on the way of a check."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from markers.primary import Primary, client_of
from markers.server import ServerUnreachable
from markers.store_url import StoreUrl


@dataclass(frozen=True, slots=True)
class ServerHealth:
    """`clock_ahead_s` is how far the server's clock is before ours, `answer_s` how long it took to say so.

    `appended` and `rewritten` are whether the last writing to the log, and the last writing of it anew, went well.
    `memory_bytes` of `memory_limit` (0: none) are used.
    """

    name: str
    version: str
    role: str
    replicas: int
    appended: bool
    rewritten: bool
    memory_bytes: int
    memory_limit: int
    clock_ahead_s: float
    answer_s: float


def ask_health(url: str, area: str, timeout_s: float) -> ServerHealth:
    """Ask the server that takes the area's writes now. Raises ServerUnreachable; no message repeats the URL."""
    try:
        with _client(url, area, timeout_s) as client:
            client.ping()
            began, sent = time.monotonic(), time.time()
            told: Any = client.time()
            answer_s = time.monotonic() - began
            info: Any = client.info()
    except redis.RedisError as error:
        raise ServerUnreachable(f"it does not answer ({' '.join(str(error).split())})") from error
    return _health(info, told[0] + told[1] / 1e6 - sent - answer_s / 2, answer_s)


def _client(url: str, area: str, timeout_s: float) -> redis.Redis:
    read = StoreUrl.read(url)
    if read.kind != "alone":
        return client_of(Primary(read, area, timeout_s).at(), read.to_node, timeout_s, tls=read.tls)
    return redis.Redis.from_url(
        url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=Retry(NoBackoff(), 0)
    )


def _health(info: Mapping[str, Any], clock_ahead_s: float, answer_s: float) -> ServerHealth:
    valkey = info.get("valkey_version")
    return ServerHealth(
        name="Valkey" if valkey else "Redis",
        version=str(valkey or info.get("redis_version", "unknown")),
        role=str(info.get("role", "unknown")),
        replicas=int(info.get("connected_slaves", 0)),
        appended=info.get("aof_last_write_status", "ok") == "ok",
        rewritten=info.get("aof_last_bgrewrite_status", "ok") == "ok",
        memory_bytes=int(info.get("used_memory", 0)),
        memory_limit=int(info.get("maxmemory", 0)),
        clock_ahead_s=clock_ahead_s,
        answer_s=answer_s,
    )
