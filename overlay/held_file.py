"""Content as a file that lies in memory alone: a list of markers is never written to a disk where it would stay."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def held_file(name: str, content: bytes) -> Iterator[Path]:
    """A path of that name which reads as the content, for as long as it is needed."""
    held = os.memfd_create("list")
    try:
        with os.fdopen(os.dup(held), "wb") as file:
            file.write(content)
        with tempfile.TemporaryDirectory(prefix="overlay-list-") as folder:
            path = Path(folder) / name
            path.symlink_to(f"/proc/{os.getpid()}/fd/{held}")
            yield path
    finally:
        os.close(held)
