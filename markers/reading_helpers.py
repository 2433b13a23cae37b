"""Helper processes that read addresses for a load, one a core, over pipes.

Plain children running this module, not `multiprocessing`: those would run the caller's main script again.
"""

from __future__ import annotations

import gc
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue

from markers.filing import Document, GazetteerError
from markers.model import Premises

_COMMAND = (sys.executable, "-c", "from markers.reading_helpers import serve; serve()")


@contextmanager
def reading_helpers(count: int) -> Iterator[Callable[[list[Premises]], list[Document]]]:
    """A call that reads a chunk of homes in whichever of `count` helpers is free; it may be used from many threads.

    The call raises GazetteerError when a helper is gone. Helpers end with the block, or with their parent.
    """
    helpers = [subprocess.Popen(_COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(count)]
    free: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
    for helper in helpers:
        free.put(helper)

    def read(homes: list[Premises]) -> list[Document]:
        helper = free.get()
        try:
            return _ask(helper, homes)
        finally:
            free.put(helper)

    try:
        yield read
    finally:
        for helper in helpers:
            helper.kill()
            helper.communicate()


def _ask(helper: subprocess.Popen[bytes], homes: list[Premises]) -> list[Document]:
    if helper.stdin is None or helper.stdout is None:
        raise GazetteerError("a helper process of the load has no pipe: load the gazetteer again")
    try:
        pickle.dump(homes, helper.stdin, pickle.HIGHEST_PROTOCOL)
        helper.stdin.flush()
        documents: list[Document] = pickle.load(helper.stdout)  # noqa: S301 - from our own child, over its pipe
    except (OSError, EOFError, pickle.UnpicklingError) as error:
        raise GazetteerError("a helper process of the load was ended: load the gazetteer again") from error
    return documents


def serve() -> None:
    """The helper's side: chunks of homes in, their documents out, until the pipe is closed."""
    gc.disable()  # nothing read here refers to itself
    while True:
        try:
            homes = pickle.load(sys.stdin.buffer)  # noqa: S301 - from our own parent, over its pipe
        except (EOFError, KeyboardInterrupt):
            return
        pickle.dump([Document.of(home) for home in homes], sys.stdout.buffer, pickle.HIGHEST_PROTOCOL)
        sys.stdout.buffer.flush()
