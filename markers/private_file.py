"""Reading a file that holds a secret: refused, in words that name the cure, when anybody else could read or swap it."""

from __future__ import annotations

import os
import stat
from pathlib import Path


class NotPrivate(Exception):  # noqa: N818 - reads as the fact it states
    """A secret lies open, or could be swapped, on this machine. The message says which `chmod` or `chown` cures it."""


def read_private(path: Path, what: str, *, folder: bool = False) -> bytes:
    """The bytes of a secret file that only its owner can touch. `what` names it in a refusal ("key ring").

    With `folder` the folder it lies in has to be as private, so that nobody can put another in its place. Raises
    `NotPrivate` for one open to group or others, owned by somebody else (root may own it), or that is a symbolic link
    (whose target could be changed behind it); `OSError` when it can't be read.
    """
    if folder:
        _refuse_open(os.stat(path.parent), path.parent, f"folder of the {what}", "700")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        if path.is_symlink():
            raise NotPrivate(f"the {what} {path} is a symbolic link; put the file itself there, chmod 600") from None
        raise
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise NotPrivate(f"the {what} {path} is not a file")
        _refuse_open(found, path, what, "600")
        return file.read()


def _refuse_open(found: os.stat_result, path: Path, what: str, wanted: str) -> None:
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        raise NotPrivate(f"the {what} {path} is open to group or others ({mode:04o}); run: chmod {wanted} {path}")
    if found.st_uid not in (os.geteuid(), 0):
        raise NotPrivate(f"the {what} {path} belongs to another account; run: chown {os.geteuid()} {path}")
