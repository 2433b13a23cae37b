"""What a fork must not take from the other threads of its process. Web workers are forked while those start what died.

`subprocess` hears through a pipe whether its program began; a process forked at that moment holds the pipe too, and
whoever started the program would wait for as long as that process lives. So no fork happens while a program is being
started. A lock (flock) is held by every process that has its descriptor: a worker forked while a thread held the
store's folder would hold it for as long as it lives, and no store could be started. So a fork closes those.
"""

from __future__ import annotations

import os
import threading

STARTING = threading.RLock()
"""Held by whoever starts a program, or takes or gives up a descriptor of `_ours`; a fork waits for it."""
_ours: set[int] = set()


def keep_from_forks(descriptor: int) -> None:
    """Let no fork take a descriptor along. Call it under `STARTING`, held since before the descriptor was opened."""
    _ours.add(descriptor)


def close(descriptor: int) -> None:
    """Close a descriptor that was kept from forks."""
    with STARTING:
        _ours.discard(descriptor)
        os.close(descriptor)


def _forked() -> None:
    while _ours:
        os.close(_ours.pop())
    STARTING.release()


os.register_at_fork(before=STARTING.acquire, after_in_parent=STARTING.release, after_in_child=_forked)
