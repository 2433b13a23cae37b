"""A web worker that hangs is noticed and ended, so that another takes its place.

Each worker sends its process number once a second; one that is stopped, or in which a thread holds up all others, sends
nothing. Silence is counted in turns of the listener: a machine that slept held up both.
"""

from __future__ import annotations

import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing.process import BaseProcess
from typing import Final

import structlog

log = structlog.get_logger()

BEATS_VARIABLE: Final = "CONSOLE_BEATS"
"""Where workers send to: the name of a socket, given to them by whoever started them."""
EACH_S: Final = 1.0
LONGEST_TURNS: Final = 20
_LARGEST: Final = 32


def beat(environment: Mapping[str, str]) -> None:
    """Send from now on, from a thread of its own, until this process ends."""
    name = environment.get(BEATS_VARIABLE)
    if not name:
        return
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sender.settimeout(0)
    word = str(os.getpid()).encode()

    def send() -> None:
        while True:
            with suppress(OSError):  # nobody listens any more, or has not taken what came before
                sender.sendto(word, b"\0" + name.encode())
            time.sleep(EACH_S)

    threading.Thread(target=send, name="beat", daemon=True).start()


class Beats:
    """Hears the workers, from a thread of its own. Those that were never heard yet are left in peace: they start."""

    def __init__(self, workers: Callable[[], Iterable[BaseProcess]]) -> None:
        self.name = f"overlay-{os.getpid()}-{secrets.token_hex(8)}"
        self._workers = workers
        self._heard: dict[int, int] = {}
        self._turn = 0
        self._stopped = threading.Event()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(0)
        self._socket.bind(b"\0" + self.name.encode())

    def start(self) -> None:
        threading.Thread(target=self._run, name="beats", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _run(self) -> None:
        with self._socket:
            while not self._stopped.wait(EACH_S):
                self.look()

    def look(self) -> None:
        """One turn: hear who sent, and end who was silent for too many."""
        self._turn += 1
        with suppress(OSError):
            while True:
                word = self._socket.recv(_LARGEST)
                if word.isdigit():
                    self._heard[int(word)] = self._turn
        living = {worker.pid: worker for worker in self._workers() if worker.pid is not None}
        self._heard = {pid: turn for pid, turn in self._heard.items() if pid in living}
        for pid, turn in list(self._heard.items()):
            if self._turn - turn > LONGEST_TURNS:
                log.error("worker_hung", pid=pid, action="ending it")
                living[pid].kill()
                del self._heard[pid]


@contextmanager
def minding(workers: Callable[[], Iterable[BaseProcess]]) -> Iterator[None]:
    """Whoever is started meanwhile and beats is ended when it hangs. Only Linux has sockets of this kind."""
    if sys.platform != "linux":
        yield
        return
    beats = Beats(workers)
    os.environ[BEATS_VARIABLE] = beats.name
    beats.start()
    try:
        yield
    finally:
        beats.stop()
        del os.environ[BEATS_VARIABLE]
