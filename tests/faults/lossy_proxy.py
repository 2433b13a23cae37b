"""A line to the store that loses what it carries: replies above all, after the store has done what it was asked."""

from __future__ import annotations

import random
import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

_MOST = 1 << 22
_COMMIT = b":request:"

LOST = "reply lost"
HALF_REPLY = "reply cut in half"
LATE = "reply late"
HALF_REQUEST = "request cut in half"
TWICE = "request doubled"


class CuttingProxy:
    """Listens at `path` and speaks to the store at `store`. What befalls a commit is drawn by `odds` (fate -> chance).

    `fates` counts what was done to commits; everything else passes. A reply is lost after the store gave it.
    """

    def __init__(self, path: Path, store: str, odds: Mapping[str, float], chance: random.Random, late_s: float) -> None:
        self.url = f"unix://{path}"
        self.fates: Counter[str] = Counter()
        self.odds = dict(odds)
        self._store, self._chance, self._late_s = store.removeprefix("unix://"), chance, late_s
        self._counting = threading.Lock()
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(str(path))
        self._door.listen(64)
        threading.Thread(target=self._welcome, daemon=True).start()

    def close(self) -> None:
        self._door.close()

    def _welcome(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._door.accept()
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _fate(self, request: bytes) -> str:
        if _COMMIT not in request:
            return ""
        with self._counting:
            drawn = self._chance.random()
            for fate, odds in self.odds.items():
                if drawn < odds:
                    self.fates[fate] += 1
                    return fate
                drawn -= odds
        return ""

    def _carry(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as store, suppress(OSError):
            store.connect(self._store)
            fate = ""
            while True:
                ready, _, _ = select.select((client, store), (), ())
                if client in ready:
                    request = client.recv(_MOST)
                    fate = self._fate(request)
                    if fate == HALF_REQUEST or not request:
                        store.sendall(request[: len(request) // 2])
                        return
                    if fate == TWICE:
                        self._send_beside(request)
                    store.sendall(request)
                if store in ready:
                    reply = store.recv(_MOST)
                    if fate == LOST or not reply:
                        return
                    if fate == HALF_REPLY:
                        client.sendall(reply[: len(reply) // 2])
                        return
                    if fate == LATE:
                        time.sleep(self._late_s)
                    client.sendall(reply)

    def _send_beside(self, request: bytes) -> None:
        """The same request on a line of its own, at the same time; nobody waits for its reply."""
        beside = socket.socket(socket.AF_UNIX)
        beside.connect(self._store)
        beside.sendall(request)

        def read() -> None:
            with beside, suppress(OSError):
                beside.recv(_MOST)

        threading.Thread(target=read, daemon=True).start()
