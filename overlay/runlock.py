"""One `overlay run` a data folder."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path


class RunLock:
    """Held by an open descriptor, so it goes with the process however that ends."""

    def __init__(self, data: Path) -> None:
        self._descriptor = os.open(data / "run.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def take(self, wait_s: float = 0.0) -> bool:
        """Whether it is ours now. Workers of a run that was killed hold it until they notice: wait so many seconds."""
        until = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until:
                    return False
                time.sleep(0.05)
            else:
                return True

    def release(self) -> None:
        os.close(self._descriptor)
