"""What lies in the embedded server's folder: locks, configuration, the record of who serves it, its log.

```
lock          held by the server process for as long as it lives (flock, exclusive)
users         held by every program that uses the server (flock, shared)
server.json   {"folder", "socket", "pid", "served"}: where to find the server that holds the lock
server.conf   its configuration, written at every start
server.log    what it says
store.sock    where it listens, unless the path is too long for a socket
appendonlydir the append-only log: the data
```
Every file is mode 0600, every folder 0700. Functions here raise OSError, and `ValueError` where said.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import stat
import tempfile
from pathlib import Path
from typing import Any

from markers import forking

LONGEST_SOCKET_PATH = 100
"""Bytes; the system's own limit is 108 on Linux and 104 on macOS, the closing NUL included."""

LOG_FOLDER = "appendonlydir"
MANIFEST = "appendonly.aof.manifest"

SETTINGS = f"""\
# Written at every start; changes made here are lost.
daemonize no
port 0
unixsocketperm 700
loglevel notice
hide-user-data-from-log yes
# The append-only log is the one record: every commit is on the disk before it is acknowledged.
appendonly yes
appenddirname {LOG_FOLDER}
appendfilename appendonly.aof
appendfsync always
no-appendfsync-on-rewrite no
save ""
# A log cut short by a power loss ends in a write nobody was told of: it is dropped whole and the server starts.
# Any other damage stops the start.
aof-load-truncated yes
auto-aof-rewrite-percentage 100
auto-aof-rewrite-min-size 64mb
# A full memory refuses writes; it never drops a marker.
maxmemory-policy noeviction
# Nothing that connects may switch durability off, empty the store or turn it into a copy of another.
enable-debug-command no
enable-module-command no
enable-protected-configs no
user default on nopass sanitize-payload ~* &* +@all -@dangerous +info +config|get +client|list +client|kill \
+bgrewriteaof +role +shutdown
"""


class ServerFolder:
    """The folder of one embedded server. `path` is resolved, so that every spelling of it means the same server."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.log = self.path / "server.log"
        self.config = self.path / "server.conf"

    def prepare(self) -> None:
        """Make the folder, or refuse (ValueError, in words) one that is not private to this user."""
        if not self.path.exists():
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync(self.path.parent)
        found = self.path.stat()
        if not stat.S_ISDIR(found.st_mode):
            raise ValueError(f"the store's folder {self.path} is not a folder: move that file away")
        if found.st_uid != os.geteuid():
            raise ValueError(f"the store's folder {self.path} belongs to another user: run as its owner")
        if found.st_mode & 0o077:
            raise ValueError(f"the store's folder {self.path} is open to other users: chmod 700 it")
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise ValueError(f"the store's folder {self.path} cannot be written: chmod 700 it")

    def take(self, name: str, kind: int) -> int | None:
        """Lock file `name` with `kind` (fcntl.LOCK_EX or LOCK_SH) without waiting; its descriptor, or None if taken.

        It is for `give_up`, and for a program started with it; a fork does not take it along.
        """
        with forking.STARTING:
            descriptor = os.open(self.path / name, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            except OSError as error:
                os.close(descriptor)
                if isinstance(error, BlockingIOError):
                    return None
                raise
            forking.keep_from_forks(descriptor)
        return descriptor

    def give_up(self, descriptor: int) -> None:
        """Give up what `take` gave."""
        forking.close(descriptor)

    def locked(self) -> bool:
        """Whether a server lives on this folder."""
        if not (self.path / "lock").exists():
            return False
        probe = self.take("lock", fcntl.LOCK_SH)
        if probe is None:
            return True
        self.give_up(probe)
        return False

    def record(self) -> dict[str, Any]:
        """`server.json`; of one copied here with the rest of another folder, only whether that one ever `served`."""
        try:
            record = json.loads((self.path / "server.json").read_text())
        except (OSError, ValueError):
            return {}
        if not isinstance(record, dict):
            return {}
        if record.get("folder") != str(self.path):
            return {"served": record.get("served") is True}
        return record

    def write_record(self, *, socket: str, pid: int | None, served: bool) -> None:
        """Say where the server of this folder is found; `served` once one has answered here."""
        record = {"folder": str(self.path), "socket": socket, "pid": pid, "served": served}
        self._write("server.json", json.dumps(record).encode())

    def write_config(self, socket: str) -> None:
        """Write `server.conf` for a server that listens at `socket`."""
        places = ((b"dir", self.path), (b"logfile", self.log), (b"unixsocket", socket))
        lines = [b"%s %s\n" % (name, _quoted(os.fsencode(place))) for name, place in places]
        self._write(self.config.name, SETTINGS.encode() + b"".join(lines))

    def found_at(self) -> str:
        """The socket of the server that holds the lock: as recorded by whoever started it, else where it would be."""
        recorded = self.record().get("socket")
        return recorded if isinstance(recorded, str) else str(self._socket())

    def socket_for_start(self) -> str:
        """Where a new server is to listen, its folder made. ValueError where no path is short enough or private."""
        socket = self._socket()
        if socket.parent == self.path:
            return str(socket)
        socket.parent.mkdir(mode=0o700, exist_ok=True)
        found = socket.parent.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise ValueError(f"{socket.parent}, needed for the store's socket, is not private to this user: remove it")
        return str(socket)

    def tidy(self) -> None:
        """After a clean stop: remove the socket's folder elsewhere, unless a new server is already starting."""
        folder = Path(self.found_at()).parent
        lock = None if folder == self.path else self.take("lock", fcntl.LOCK_EX)
        if lock is not None:
            with contextlib.suppress(OSError):
                folder.rmdir()
            self.give_up(lock)

    def _socket(self) -> Path:
        socket = self.path / "store.sock"
        if _fits(socket):
            return socket
        name = f"wmo-{os.geteuid()}-{hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]}"
        for place in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 - the folder made there is private, and checked
            socket = Path(place) / name / "store.sock"
            if _fits(socket):
                return socket
        raise ValueError(f"the path of the store's folder {self.path} is too long for a socket: use a shorter one")

    def lost_log(self) -> Path | None:
        """The log's manifest when it is gone although the store held records.

        A server that finds no manifest begins empty without a word (measured, Valkey 9.1.2), and every check
        against it would say `clear`.
        """
        logs = self.path / LOG_FOLDER
        if (logs / MANIFEST).is_file():
            return None
        written = any(part.stat().st_size for part in logs.glob("*.incr.aof"))
        return logs / MANIFEST if written or self.record().get("served") else None

    def said_since(self, offset: int) -> list[str]:
        """The lines the server logged after `offset` (bytes), without process number and time."""
        try:
            with self.log.open("rb") as log:
                log.seek(offset)
                text = log.read().decode(errors="replace")
        except OSError:
            return []
        lines = (re.sub(r"^\d+:\w \d\d \w{3} \d{4} [\d:.]+ ", "", line.strip()) for line in text.splitlines())
        return [line for line in lines if line.strip("#*. -")]

    def free_bytes(self) -> int | None:
        """Room left on the folder's disk; None where that cannot be told."""
        try:
            found = os.statvfs(self.path)
        except OSError:
            return None
        return found.f_bavail * found.f_frsize

    def _write(self, name: str, content: bytes) -> None:
        """Replace a file in one step."""
        fresh = self.path / f".{name}.new"
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path / name)


def sync(folder: Path) -> None:
    """Make the folder's entries durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _fits(socket: Path) -> bool:
    return str(socket).isascii() and len(os.fsencode(socket)) <= LONGEST_SOCKET_PATH


def _quoted(path: bytes) -> bytes:
    """A path as the server's configuration reads it, whatever bytes it holds."""
    plain = {byte for byte in range(32, 127) if byte not in b'"\\'}
    return b'"%s"' % b"".join(b"%c" % byte if byte in plain else b"\\x%02x" % byte for byte in path)
