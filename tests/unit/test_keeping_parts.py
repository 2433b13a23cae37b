"""The watch over a process of ours: it is started again whatever ended it, also where none could be for a while."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable

import pytest

from overlay import run

SOON_S = 10.0


def until(true: Callable[[], bool]) -> None:
    over = time.monotonic() + SOON_S
    while not true():
        assert time.monotonic() < over
        time.sleep(0.01)


def test_a_part_that_could_not_be_started_is_started_when_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    real, begun, refusals = subprocess.Popen, [], [BlockingIOError(11, "Resource temporarily unavailable")] * 2

    def begin(*_: object, **__: object) -> subprocess.Popen[bytes]:
        if refusals:
            raise refusals.pop()
        begun.append(real(["sleep", "60"]))
        return begun[-1]

    monkeypatch.setattr(run.subprocess, "Popen", begin)
    monkeypatch.setattr(run, "_WATCH_S", 0.02)
    monkeypatch.setattr(run, "_PART_PAUSE_S", 0.02)
    stopping = threading.Event()
    watch = threading.Thread(target=run._keep_part, args=("sealing", {}, stopping))
    watch.start()
    try:
        until(lambda: len(begun) == 1)
        assert not refusals
        begun[0].kill()
        until(lambda: len(begun) == 2)
        assert begun[1].poll() is None
    finally:
        stopping.set()
        watch.join(SOON_S)
    assert not watch.is_alive()
    assert begun[1].poll() is not None, "it is stopped in the end"
