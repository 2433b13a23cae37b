"""No fork while a program is being started.

`subprocess` hears through a pipe whether its program began; a process forked at that moment holds the pipe too, and
whoever started the program would wait for as long as that process lives. Web workers are forked while other threads
start again what died.
"""

from __future__ import annotations

import os
import threading

STARTING = threading.RLock()
"""Held by whoever starts a program; a fork waits for it."""

os.register_at_fork(before=STARTING.acquire, after_in_parent=STARTING.release, after_in_child=STARTING.release)
