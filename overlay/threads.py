"""One pool of threads for ordinary requests and streams, where neither takes what is the other's."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Any


def at_most(threads: int, application: Callable[..., Any]) -> Callable[..., Any]:
    """A WSGI application that makes so many answers at once; sending them, as a stream does for hours, counts not."""
    places = threading.BoundedSemaphore(threads)

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        with places:
            return application(environ, start_response)

    return answer


def on_signal(act: Callable[[], object]) -> None:
    """Call `act` in a thread of its own when this process is asked to end. To be called from the main thread."""
    heard, written = os.pipe()
    os.set_blocking(written, False)
    signal.set_wakeup_fd(written, warn_on_full_buffer=False)

    def listen() -> None:
        while os.read(heard, 1)[0] not in (signal.SIGINT, signal.SIGTERM):
            pass
        act()

    threading.Thread(target=listen, name="signal-watch", daemon=True).start()
