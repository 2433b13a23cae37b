"""A web worker that hangs is noticed and ended, so that another takes its place.

Each worker writes its process number into a pipe once a second; one that is stopped, or in which a thread holds up all
others, writes nothing, nor does one that has a check in hand which it will never answer. Silence is counted in turns of
the reader: a machine that slept held up both.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing.process import BaseProcess
from typing import Final

import structlog

log = structlog.get_logger()

BEATS_VARIABLE: Final = "CONSOLE_BEATS"
"""Where workers write to: the number of a descriptor that they have from whoever forked them."""
EACH_S: Final = 1.0
LONGEST_TURNS: Final = 20
ANSWERED_S: Final = 20.0
"""Twenty times what a check takes when there is no store to ask; whoever asked has long been told that it failed."""
_MOST: Final = 65536  # bytes; what a pipe holds


def beat(environment: Mapping[str, str], longest_s: Callable[[], float]) -> None:
    """Write from now on, from a thread of its own, until this process ends.

    `longest_s` tells how long the oldest check has been in hand: one that waits for more than `ANSWERED_S` waits for
    good, as of a thread that will never give up its lock, and so will those that come after it.
    """
    number = environment.get(BEATS_VARIABLE)
    if not number:
        return
    pipe, line = int(number), f"{os.getpid()}\n".encode()

    def write() -> None:
        while True:
            if longest_s() <= ANSWERED_S:
                with suppress(OSError):  # nobody reads any more, or has not read what came before
                    os.write(pipe, line)
            time.sleep(EACH_S)

    threading.Thread(target=write, name="beat", daemon=True).start()


class Beats:
    """Hears the workers, from a thread of its own. Those that were never heard yet are left in peace: they start."""

    def __init__(self, workers: Callable[[], Iterable[BaseProcess]]) -> None:
        self._workers = workers
        self._heard: dict[int, int] = {}
        self._turn = 0
        self._stopped = threading.Event()
        self._read, self.written = os.pipe()
        for end in (self._read, self.written):
            os.set_blocking(end, False)

    def start(self) -> None:
        threading.Thread(target=self._run, name="beats", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def close(self) -> None:
        for end in (self._read, self.written):
            os.close(end)

    def _run(self) -> None:
        while not self._stopped.wait(EACH_S):
            try:
                self.look()
            except Exception as error:
                log.exception("beats_not_heard", kind=type(error).__name__)
        self.close()

    def look(self) -> None:
        """One turn: hear who wrote, and end who was silent for too many."""
        self._turn += 1
        with suppress(BlockingIOError):
            for word in os.read(self._read, _MOST).split():
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
    """Whoever is forked meanwhile and beats is ended when it hangs. A worker that is not forked has no such pipe."""
    if multiprocessing.get_start_method() != "fork":
        yield
        return
    beats = Beats(workers)
    os.environ[BEATS_VARIABLE] = str(beats.written)
    beats.start()
    try:
        yield
    finally:
        beats.stop()
        del os.environ[BEATS_VARIABLE]
