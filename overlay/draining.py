"""A web worker that ends: nobody is let in any more, while whoever is in is still heard out (connection draining).

Closing a listening socket resets every connection that the kernel has taken but nobody has accepted yet, and a server
that is asked to end closes connections on which nothing was said yet: a caller who came just in time would be cut off.
So new callers are first kept out by a filter on the socket that drops their SYN (they ask again a second later and are
refused, or find the next console), and the socket is closed only when nobody stands in it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

import structlog
from flask import Flask, Response, current_app

log = structlog.get_logger()

SILENT_S: Final = 3.0
"""How long a caller who is in, and has said nothing yet, is waited for."""
HEARD_S: Final = 1.0
"""How long one who was heard before may send another request; it is answered, and told that it was the last."""
_SETTLED_S: Final = 0.2  # for a handshake that is under way, and for bytes that the server has not read yet
_LONGEST_S: Final = 5.0
_LOOK_S: Final = 0.01

_EXTENSION: Final = "overlay.drain"
_SO_ATTACH_FILTER: Final = 26  # asm-generic/socket.h
_QUEUE_OFFSET: Final = 24  # struct tcp_info, linux/tcp.h: of a listening socket, tcpi_unacked is its accept queue
_RECEIVED_OFFSET: Final = 128  # struct tcp_info: tcpi_bytes_received
_INFO_BYTES: Final = 136
# Classic BPF (linux/filter.h): load the TCP flags; drop a SYN without ACK; keep everything else.
_KEEP_OUT_NEW: Final = b"".join(
    struct.pack("HBBI", *step)
    for step in ((0x30, 0, 0, 13), (0x54, 0, 0, 0x12), (0x15, 0, 1, 0x02), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF))
)


class Inside(NamedTuple):
    """Who is in just now."""

    queued: int
    """Connections that nobody has accepted yet."""
    silent: int
    """Connections on which nothing was said yet."""
    heard: int
    """All other connections."""


class Drain:
    """The connections of this process on the `port` it listens on."""

    def __init__(self, port: int, *, tls: bool = False) -> None:
        self._port = port
        self._heard_s = SILENT_S if tls else HEARD_S  # a handshake is no request yet
        self._begun = threading.Event()

    @property
    def draining(self) -> bool:
        """Whether this process is about to end."""
        return self._begun.is_set()

    def install(self, app: Flask) -> None:
        """Let each answer say, once it is draining, that it is the last on its connection (RFC 9112, 9.6)."""
        app.extensions[_EXTENSION] = self

        @app.after_request
        def last(response: Response) -> Response:
            if self.draining:
                response.headers["Connection"] = "close"
            return response

    def drain(self) -> None:
        """Let nobody in any more, and wait until whoever is in has been heard: at most five seconds.

        Raises OSError where it can't be seen who is in: no file can be opened any more.
        """
        for listener in self._sockets(listening=True):
            try:
                _keep_out_new(listener)
            except OSError as error:
                log.warning("listener_not_filtered", reason=str(error))
        self._begun.set()
        begun = accepted = changed = time.monotonic()
        before = Inside(0, 0, 0)
        while (now := time.monotonic()) - begun < _LONGEST_S:
            inside = self.inside()
            accepted = now if inside.queued else accepted
            changed = now if inside != before else changed
            before = inside
            silent, heard = inside.silent and now - accepted < SILENT_S, inside.heard and now - begun < self._heard_s
            if not (inside.queued or silent or heard or now - changed < _SETTLED_S):
                return
            time.sleep(_LOOK_S)

    def inside(self) -> Inside:
        """Who is in at this moment."""
        queued = sum(_figure(listener, _QUEUE_OFFSET, "I") for listener in self._sockets(listening=True))
        received = [_figure(caller, _RECEIVED_OFFSET, "Q") for caller in self._sockets(listening=False)]
        return Inside(queued, received.count(0), len(received) - received.count(0))

    def _sockets(self, *, listening: bool) -> Iterator[socket.socket]:
        """This process's own sockets on the port: the web server has them, and hands none of them out."""
        for number in _open_files():
            with _borrowed(number) as found:
                if found is not None and _is_at(found, self._port) and _listens(found) is listening:
                    yield found


def is_draining(app: Flask | None = None) -> bool:
    """Whether the process that serves `app`, or the present request, is about to end."""
    drain = (app or current_app).extensions.get(_EXTENSION)
    return isinstance(drain, Drain) and drain.draining


def _open_files() -> list[int]:
    return [int(name) for name in os.listdir("/proc/self/fd")] if sys.platform == "linux" else []


@contextmanager
def _borrowed(number: int) -> Iterator[socket.socket | None]:
    """The socket behind a file descriptor that is another's to close; None when it is none, or is gone."""
    try:
        own = os.dup(number)
    except OSError as error:
        if error.errno != errno.EBADF:
            raise
        yield None
        return
    try:
        borrowed = socket.socket(fileno=own)
    except OSError:
        os.close(own)
        yield None
        return
    with borrowed:
        yield borrowed


def _is_at(found: socket.socket, port: int) -> bool:
    try:
        return (
            found.family in (socket.AF_INET, socket.AF_INET6)
            and found.type == socket.SOCK_STREAM
            and found.getsockname()[1] == port
        )
    except OSError:
        return False


def _listens(found: socket.socket) -> bool:
    return found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1


def _figure(found: socket.socket, offset: int, kind: str) -> int:
    (figure,) = struct.unpack_from(kind, found.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES), offset)
    return int(figure)


def _keep_out_new(listener: socket.socket) -> None:
    steps = ctypes.create_string_buffer(_KEEP_OUT_NEW, len(_KEEP_OUT_NEW))
    program = struct.pack("HP", len(_KEEP_OUT_NEW) // 8, ctypes.addressof(steps))
    listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
