"""Connections to the store: one for each call in progress, to the server that takes writes, nothing ever resent.

Where Sentinels or a cluster say which server that is (markers/primary.py), a connection first asks the server itself:
a replica is never sent a command. It notes the id of the server's history as well, which is another after every
failover, so that a caller can tell that its copies were read from a history that may have ended elsewhere.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

from markers.primary import Primary
from markers.store_url import Node, StoreUrl

LATEST_S: Final = 0.95
"""An answer later than this after the replicas were counted proves nothing: another may be primary by then."""
_CONFIRMED_WITHIN: Final = 0.45
"""The part of a wait that replicas are given to receive a write, and again to have it on their disks."""


_ELSEWHERE: Final = (redis.ReadOnlyError, redis.exceptions.AskError, redis.exceptions.ClusterDownError)
"""Refusals that say that another server is the one to ask (`MovedError` is an `AskError`); nothing was done."""


class NotPrimary(redis.ConnectionError):
    """The server at the address is a replica: nothing was sent to it."""


class OtherHistory(Exception):  # noqa: N818 - reads as the fact it states
    """The server's history is not the one the caller has read: nothing was sent."""


class Lines:
    """Connections of redis-py, one for each call in progress, with nothing resent and nothing left on the line.

    A connection goes back only after its whole reply was read; any other end closes it, so that a late reply can't
    become the answer to a later command.
    """

    def __init__(self, url: str, area: str, timeout_s: float, *, replicas: int = 0) -> None:
        """`replicas` is how many must confirm a write that is sent with `confirmed`. Raises ValueError for a bad URL.

        `many` says whether another server may take the place of the one that is spoken to.
        """
        self._timeout_s, self._replicas = timeout_s, replicas
        self._pool = pool_to(url, area, timeout_s, proven=replicas > 0)
        self._primary: Primary | None = self._pool.connection_kwargs.get("primary")
        self.many = issubclass(self._pool.connection_class, _Proven)
        self._start()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._free: list[Any] = []
        self._busy: set[Any] = set()
        self._lock = threading.Lock()

    def call(
        self, command: Sequence[bytes], timeout_s: float | None = None, *, under: str = "", confirmed: bool = False
    ) -> Any:
        """The reply. With `under`, only from the server of that history (`OtherHistory`).

        With `confirmed`, replicas are waited for on the same connection, and the answer is a pair: the reply, and
        whether this server and as many replicas as were asked for have on their disks what it wrote. A command that
        wrote nothing proves nothing by that: the server then answers for the connection's last write, or for none.
        """
        confirmed = confirmed and self._replicas > 0
        least, counted_at = self._least() if confirmed else (0, 0.0)
        line = self._take()
        if under and _history(line) != under:
            self._give_back(line)
            raise OtherHistory
        timeout_s = self._timeout_s if timeout_s is None else timeout_s
        sent = _packed(command) + (_asks(least, timeout_s) if confirmed else b"")
        try:
            line.send_packed_command((sent,), check_health=False)
            reply = _read(line, timeout_s)
            safe = _confirmed(line, least, timeout_s) if confirmed else True
            if isinstance(reply, ResponseError):
                raise reply
        except _ELSEWHERE:
            self._drop(line)
            raise
        except ResponseError:
            self._give_back(line)
            raise
        except BaseException:
            if not self._drop(line):
                raise redis.exceptions.ConnectionError("closed") from None
            raise
        self._give_back(line)
        if confirmed and self._primary is not None:
            safe = safe and time.monotonic() - counted_at < LATEST_S
            if not safe:
                self._primary.doubt()  # one that was replaced without knowing it finds too few
        return (reply, safe) if confirmed else reply

    def _least(self) -> tuple[int, float]:
        """How many replicas must confirm, and when that was asked."""
        if self._primary is None:
            return self._replicas, 0.0
        heirs, counted_at = self._primary.heirs()
        return max(self._replicas, heirs), counted_at

    def history(self) -> str:
        """The id of the history of the server that takes writes now; "" where one server is all there is."""
        line = self._take()
        self._give_back(line)
        return _history(line)

    def close(self) -> None:
        with self._lock:
            lines = [*self._free, *self._busy]
            self._free.clear()
            self._busy.clear()
        for line in lines:
            line.disconnect()

    def _take(self) -> Any:
        if self._pid != os.getpid():
            self._start()
        with self._lock:
            line = self._free.pop() if self._free else None
            if line is not None:
                self._busy.add(line)
        if line is None:
            line = self._pool.make_connection()
            with self._lock:
                self._busy.add(line)
        try:
            if line.is_connected and _unquiet(line):
                line.disconnect()
            line.connect()
        except BaseException:
            self._drop(line)
            raise
        return line

    def _give_back(self, line: Any) -> None:
        with self._lock:
            if line in self._busy:
                self._busy.remove(line)
                self._free.append(line)
                return
        line.disconnect()

    def _drop(self, line: Any) -> bool:
        """Close a connection; False when `close` had taken it from its caller."""
        with self._lock:
            ours = line in self._busy
            self._busy.discard(line)
        line.disconnect()
        return ours


class _Proven:
    """A connection that goes where the primary is, and is one only if the server says that it takes writes.

    Any failure of it is a doubt about the primary; one made before the last doubt is made anew when it is next used.
    """

    history = ""

    def __init__(self, *, primary: Primary | None = None, **arguments: Any) -> None:
        self._primary, self._doubts = primary, 0
        super().__init__(**arguments)

    def connect(self) -> None:
        line: Any = super()
        if self._primary is not None and line.is_connected and self._doubts != self._primary.doubts:
            line.disconnect()
        try:
            line.connect()
        except RedisError:
            self._doubt()
            raise

    def _connect(self) -> Any:
        if self._primary is not None:
            self._doubts = self._primary.doubts
            self.host, self.port = self._primary.at()
        return super()._connect()  # type: ignore[misc]

    def on_connect_check_health(self, check_health: bool = True) -> None:  # noqa: FBT001, FBT002 - redis-py's own
        super().on_connect_check_health(check_health=check_health)  # type: ignore[misc]
        line: Any = self
        line.send_command("INFO", "replication", check_health=False)
        told = dict(part.split(":", 1) for part in line.read_response().decode().split("\r\n") if ":" in part)
        if told.get("role") != "master":
            raise NotPrimary("the server at the primary's address is a replica")
        self.history = told.get("master_replid", "")

    def read_response(self, *arguments: Any, **named: Any) -> Any:
        try:
            return super().read_response(*arguments, **named)  # type: ignore[misc]
        except _ELSEWHERE as error:
            line: Any = self
            line.disconnect()
            self._doubt(error.node_addr if isinstance(error, redis.exceptions.MovedError) else None)
            raise
        except ResponseError as error:
            if str(error).startswith("NOREPLICAS"):
                self._doubt()
            raise
        except RedisError:
            self._doubt()
            raise

    def _doubt(self, instead: Node | None = None) -> None:
        if self._primary is not None:
            self._primary.doubt(instead)


class _ProvenPlain(_Proven, redis.Connection):
    """Without TLS."""


class _ProvenTls(_Proven, redis.SSLConnection):
    """With TLS."""


def pool_to(url: str, area: str, timeout_s: float, *, proven: bool = False) -> redis.ConnectionPool:
    """A pool of connections to the server that takes the area's writes. Raises ValueError for a bad URL.

    Where that is one server, it is asked to prove it only if `proven`.
    """
    read = StoreUrl.read(url)
    shared: dict[str, Any] = {
        "max_connections": 2**31,
        "protocol": 2,
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "retry": Retry(NoBackoff(), 0),
        "driver_info": None,
    }
    if read.kind == "alone":
        pool = redis.ConnectionPool.from_url(url, **shared)
        if proven and not issubclass(pool.connection_class, redis.UnixDomainSocketConnection):
            pool.connection_class = _ProvenTls if read.tls else _ProvenPlain
        return pool
    primary = Primary(read, area, timeout_s)
    kind = _ProvenTls if read.tls else _ProvenPlain
    return redis.ConnectionPool(connection_class=kind, primary=primary, **read.to_node, **shared)


def _asks(replicas: int, timeout_s: float) -> bytes:
    """Two questions behind the write. `WAITAOF` alone would be asked too early: it reaches the replica together with
    the write, is answered before that is on the disk, and next a second later."""
    within = b"%d" % max(1, round(timeout_s * _CONFIRMED_WITHIN * 1000))
    return _packed((b"WAIT", b"%d" % replicas, within)) + _packed((b"WAITAOF", b"1", b"%d" % replicas, within))


def _confirmed(line: Any, least: int, timeout_s: float) -> bool:
    _read(line, timeout_s)
    match _read(line, timeout_s):
        case [int(own), int(replicas)]:
            return own >= 1 and replicas >= least
    return False


def _packed(command: Sequence[bytes]) -> bytes:
    """The command as the protocol sends it; everything is bytes already, which saves redis-py's own packing half."""
    return b"".join((b"*%d\r\n" % len(command), *[b"$%d\r\n%b\r\n" % (len(part), part) for part in command]))


def _history(line: Any) -> str:
    return str(getattr(line, "history", ""))


def _read(line: Any, timeout_s: float) -> Any:
    """One reply; a refusal is a reply as well, unless the connection is of no more use."""
    try:
        return line.read_response(timeout=timeout_s)
    except _ELSEWHERE:
        raise
    except ResponseError as error:
        return error


def _unquiet(line: Any) -> bool:
    """Whether an idle connection has something to read: an unasked reply, or the end of a server that went away."""
    try:
        return bool(line.can_read())
    except RedisError:
        return True
