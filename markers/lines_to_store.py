"""Connections to the store: one for each call in progress, to the server that takes writes, nothing ever resent.

Where Sentinels or a cluster say which server that is (markers/primary.py), a connection first asks the server itself:
a replica is never sent a command. It notes the id of the server's history as well, which is another after every
failover, so that a caller can tell that its copies were read from a history that may have ended elsewhere.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

from markers.primary import Heirs, Primary
from markers.store_url import Node, StoreUrl

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
        least = self._least() if confirmed else 0
        line = self._take()
        if under and _history(line) != under:
            self._give_back(line)
            raise OtherHistory
        timeout_s = self._timeout_s if timeout_s is None else timeout_s
        sent = _packed(command) + (_asks(least, timeout_s) if confirmed else b"")
        try:
            line.send_packed_command((sent,), check_health=False)
            reply = _read(line, timeout_s)
            have = _confirmed(line, least, timeout_s) if confirmed else None
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
        at = (getattr(line, "host", ""), getattr(line, "port", 0))
        self._give_back(line)
        if not confirmed:
            return reply
        if self._primary is None:
            return reply, have is not None
        if have is None:
            self._primary.doubt()  # one that was replaced without knowing it finds too few
            return reply, False
        return reply, _covers(have, self._primary.heirs(time.monotonic()), at)

    def _least(self) -> int:
        """How many replicas are waited for."""
        return self._replicas if self._primary is None else max(self._replicas, self._primary.heirs().able)

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
        told = _told(line.read_response())
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


class _Have(NamedTuple):
    """Who has a write: on how many replicas' disks it is, and which replicas were sent it and said that they had it."""

    replicas: int
    named: frozenset[Node]


def _asks(replicas: int, timeout_s: float) -> bytes:
    """What is asked behind the write. `WAITAOF` alone would be asked too early: it reaches the replica together with
    the write, is answered before that is on the disk, and next a second later. Both only count; how far the history
    goes with the write, and how far each replica has it, is in `INFO` before and after."""
    within = b"%d" % max(1, round(timeout_s * _CONFIRMED_WITHIN * 1000))
    wait = _packed((b"WAIT", b"%d" % replicas, within)) + _packed((b"WAITAOF", b"1", b"%d" % replicas, within))
    return _INFO + wait + _INFO


def _confirmed(line: Any, least: int, timeout_s: float) -> _Have | None:
    """None where it is not on the server's own disk or on too few replicas'."""
    before, _, counted, after = [_read(line, timeout_s) for _ in range(4)]
    match counted:
        case [int(own), int(replicas)] if own >= 1 and replicas >= least:
            if isinstance(before, bytes) and isinstance(after, bytes):
                return _Have(replicas, _reached(after, int(_told(before)["master_repl_offset"])))
    return None


def _covers(have: _Have, heirs: Heirs, written_at: Node) -> bool:
    """Whether all have it who could have taken over by now, from the very server that was written to."""
    return heirs.at == written_at and have.replicas >= heirs.able and have.named >= heirs.named


def _reached(info: bytes, offset: int) -> frozenset[Node]:
    """The replicas that have acknowledged the history as far as that, by `INFO replication`."""
    replicas = [
        dict(part.split("=", 1) for part in words.split(","))
        for name, words in _told(info).items()
        if re.fullmatch(r"slave\d+", name)
    ]
    return frozenset((one["ip"], int(one["port"])) for one in replicas if int(one["offset"]) >= offset)


def _told(info: bytes) -> dict[str, str]:
    return dict(line.split(":", 1) for line in info.decode().split("\r\n") if ":" in line)


def _packed(command: Sequence[bytes]) -> bytes:
    """The command as the protocol sends it; everything is bytes already, which saves redis-py's own packing half."""
    return b"".join((b"*%d\r\n" % len(command), *[b"$%d\r\n%b\r\n" % (len(part), part) for part in command]))


_INFO: Final = _packed((b"INFO", b"replication"))


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
