"""A link that can be cut by where a connection comes from: what is cut is neither closed nor answered."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from pathlib import Path


class Proxy:
    """Listens on a free port of 127.0.0.1 and passes everything on to `target`."""

    def __init__(self, target: int) -> None:
        self._target, self._cut = target, frozenset[str]()
        self._changed = threading.Condition()
        self._open: set[socket.socket] = set()
        self._stopped = False
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, *sources: str) -> None:
        """From now on nothing passes for connections from these addresses, in either direction."""
        with self._changed:
            self._cut = frozenset(sources)

    def heal(self) -> None:
        """Let everything pass again. What was held up is lost, as on a link that was down for long."""
        with self._changed:
            was, self._cut = self._cut, frozenset()
            for end in [end for end in list(self._open) if _peer(end) in was]:
                _close(end)
            self._changed.notify_all()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        _close(self._listening)
        for end in list(self._open):
            _close(end)

    def _accept(self) -> None:
        while True:
            try:
                near, (source, _) = self._listening.accept()
            except OSError:
                return
            self._open.add(near)
            threading.Thread(target=self._serve, args=(near, source), daemon=True).start()

    def _serve(self, near: socket.socket, source: str) -> None:
        self._hold(source)
        try:
            far = socket.create_connection(("127.0.0.1", self._target), timeout=1)
        except OSError:
            _close(near)
            return
        far.settimeout(None)
        for end in (near, far):
            with contextlib.suppress(OSError):  # closed meanwhile
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open.add(far)
        back = threading.Thread(target=self._pump, args=(far, near, source), daemon=True)
        back.start()
        self._pump(near, far, source)
        back.join()
        self._open -= {near, far}

    def _pump(self, begin: socket.socket, end: socket.socket, source: str) -> None:
        with contextlib.suppress(OSError):
            while data := begin.recv(65536):
                if self._hold(source):
                    break
                end.sendall(data)
        _close(begin)
        _close(end)

    def _hold(self, source: str) -> bool:
        """Wait while the source is cut off; whether it was."""
        with self._changed:
            held = source in self._cut
            self._changed.wait_for(lambda: self._stopped or source not in self._cut)
            return held


class Encrypted(threading.Thread):
    """Takes TLS on a free port of 127.0.0.1 and passes what is in it on to `target`."""

    def __init__(self, target: int, cert: Path, key: Path) -> None:
        super().__init__(daemon=True)
        self._target, self._loop = target, asyncio.new_event_loop()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(cert, key)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self.start()

    def run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(asyncio.start_server(self._serve, sock=self._listening, ssl=self._context))
        self._loop.run_forever()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self.join()
        self._listening.close()

    async def _serve(self, near_in: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        far_in, far_out = await asyncio.open_connection("127.0.0.1", self._target)
        await asyncio.gather(_pass_on(near_in, far_out), _pass_on(far_in, near_out))


async def _pass_on(begin: asyncio.StreamReader, end: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await begin.read(65536):
            end.write(data)
            await end.drain()
    end.close()


def _peer(end: socket.socket) -> str:
    try:
        return str(end.getpeername()[0])
    except OSError:
        return ""


def _close(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
