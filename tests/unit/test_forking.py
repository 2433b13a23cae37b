"""A fork waits for a program that is being started, takes no lock along, and holds nobody up afterwards."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from pathlib import Path

from markers.forking import STARTING
from markers.server_folder import ServerFolder


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


def test_a_fork_does_not_take_a_lock_along(tmp_path: Path) -> None:
    folder = ServerFolder(tmp_path)
    lock = folder.take("lock", fcntl.LOCK_EX)
    assert lock is not None
    ready, begun = os.pipe()
    to_end, end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(end)
        os.write(begun, b".")
        os._exit(os.read(to_end, 1) != b"")  # lives on until its parent has looked
    os.close(to_end)
    os.read(ready, 1)
    assert folder.locked(), "its process holds it still"
    folder.give_up(lock)
    assert not folder.locked()
    os.close(end)
    assert os.waitpid(child, 0)[1] == 0
