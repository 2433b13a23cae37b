"""How long a call takes, for the few tests whose claim is that hostile input can't stall a check."""

from __future__ import annotations

import time
from collections.abc import Callable


def takes(call: Callable[[], object]) -> float:
    """Seconds of this thread's own processor time, the least of three: a text that is truly slow is slow each time."""
    least = float("inf")
    for _ in range(3):
        started = time.thread_time()
        call()
        least = min(least, time.thread_time() - started)
        if least < 0.02:
            break
    return least
