"""Helper processes that do one thing for this one, one a core, over pipes.

Plain children running a module's `serve`, not `multiprocessing`: those would run the caller's main script again.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any


class HelperLostError(Exception):
    """A helper process has ended before its time."""


@contextmanager
def helpers(count: int, module: str, *arguments: str) -> Iterator[Callable[[Any], Any]]:
    """A call that has something done in whichever of `count` helpers is free; it may be used from many threads.

    Each runs `serve(*arguments)` of that module. The call raises HelperLostError when a helper is gone. They end with
    the block, or with their parent.
    """
    command = (sys.executable, "-c", f"import sys; from {module} import serve; serve(*sys.argv[1:])", *arguments)
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(count)]
    free: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
    for helper in started:
        free.put(helper)

    def call(asked: Any) -> Any:
        helper = free.get()
        try:
            return _ask(helper, asked)
        finally:
            free.put(helper)

    try:
        yield call
    finally:
        for helper in started:
            helper.kill()
            helper.communicate()


def _ask(helper: subprocess.Popen[bytes], asked: Any) -> Any:
    if helper.stdin is None or helper.stdout is None:
        raise HelperLostError("it has no pipe")
    try:
        pickle.dump(asked, helper.stdin, pickle.HIGHEST_PROTOCOL)
        helper.stdin.flush()
        return pickle.load(helper.stdout)  # noqa: S301 - from our own child, over its pipe
    except (OSError, EOFError, pickle.UnpicklingError) as error:
        raise HelperLostError("it was ended") from error


def answer(do: Callable[[Any], Any]) -> None:
    """The helper's side: does what it is asked, one thing after the other, until the pipe is closed."""
    while True:
        try:
            asked = pickle.load(sys.stdin.buffer)  # noqa: S301 - from our own parent, over its pipe
        except (EOFError, KeyboardInterrupt):
            return
        pickle.dump(do(asked), sys.stdout.buffer, pickle.HIGHEST_PROTOCOL)
        sys.stdout.buffer.flush()
