"""A fork waits for a program that is being started, and holds nobody up afterwards."""

from __future__ import annotations

import os
import signal
import threading

from markers.starting import STARTING


def test_a_fork_waits_until_a_program_was_started() -> None:
    held, order = threading.Event(), list[str]()

    def start() -> None:
        with STARTING:
            held.set()
            threading.Event().wait(0.2)
            order.append("started")

    starter = threading.Thread(target=start)
    starter.start()
    held.wait()
    child = os.fork()
    if child == 0:
        signal.alarm(5)  # one that is held up for good ends all the same
        os._exit(0 if STARTING.acquire(timeout=2) else 1)  # free in the child too
    order.append("forked")
    assert os.waitpid(child, 0)[1] == 0
    starter.join()
    assert order == ["started", "forked"]
    with STARTING:
        pass
