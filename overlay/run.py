"""`overlay run`: the store, the web workers, the sealer, the attendant and their watch, started and stopped as one."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib import import_module
from ipaddress import ip_address
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import structlog
from granian.constants import Interfaces, SSLProtocols
from granian.server import Server

from markers.forking import STARTING
from markers.private_file import NotPrivate
from markers.server import EmbeddedServer, ServerError
from markers.store_errors import StoreError, StoreUnavailable
from overlay import logs
from overlay.beats import beat, minding
from overlay.configuration import Configuration
from overlay.draining import Drain
from overlay.folders import data_folders, proof_of
from overlay.parent import end_with_parent
from overlay.proof import ProofFolder
from overlay.runlock import RunLock
from overlay.services import Services
from overlay.settings import FIGURES_VARIABLE, Settings
from overlay.threads import on_signals
from overlay.tls import check_certificate, trusting
from overlay.upkeep.proof_marker import prepare_proof

log = structlog.get_logger()

_WATCH_S = 0.5
_PORT_WAIT_S = 4.0
_LOCK_WAIT_S = 2.0
_STORE_PAUSE_S = 1.0
_PART_PAUSE_S = 0.5
_MOST_COLLAPSES = 5
_COLLAPSES_WITHIN_S = 60.0
_INTERRUPTS = (signal.SIGINT, signal.SIGTERM)
_LEAVE = signal.SIGUSR1
_LEAVE_S = 10.0
_FORK_PAUSE_S = 0.5
_LOOK_S = 0.02


class CannotRun(Exception):
    """Why the console can't start, in one line."""


def run(settings: Settings, prepare: Callable[[Services], None], ready: Callable[[str], None]) -> bool:
    """Serve until interrupted (SIGINT or SIGTERM), then stop the workers and, unless others use it, the store.

    `prepare` runs once with the store up and before anything is served; `ready` is called with the
    console's address when it answers. Returns whether the store was stopped as well. Raises CannotRun and
    whatever `Services.start` raises.
    """
    Configuration.read(settings)
    refuse_exposed(settings, datetime.now(UTC))
    data_folders(settings.data)
    lock = RunLock(settings.data)
    if not lock.take(_LOCK_WAIT_S):
        raise CannotRun(
            f"Another overlay run already uses {settings.data}. Stop it, or choose another folder with --data."
        )
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    proof = proof_of(settings)
    try:
        _begin_proof(proof)
        return _run(settings, prepare, ready)
    finally:
        proof.forget()
        lock.release()


def refuse_exposed(settings: Settings, now: datetime) -> None:
    """What is typed here travels encrypted or does not leave this machine. Raises CannotRun, SettingsError."""
    if (settings.tls_cert is None) != (settings.tls_key is None):
        raise CannotRun("A TLS certificate and its key go together: give both --tls-cert and --tls-key, or neither.")
    if settings.tls_cert is not None and settings.tls_key is not None:
        check_certificate(settings.tls_cert, settings.tls_key, now)
    elif not settings.trusted and not _is_loopback(settings.host):
        raise CannotRun(
            f"{settings.host} can be reached from other machines, and what they send would be readable on the way. "
            "Give --tls-cert and --tls-key, or name in OVERLAY_PROXIES the proxy that encrypts, or serve on 127.0.0.1."
        )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _run(settings: Settings, prepare: Callable[[Services], None], ready: Callable[[str], None]) -> bool:
    _wait_for_port(settings)
    embedded = None if settings.store_url else EmbeddedServer(settings.data / "store")
    stopping = threading.Event()
    watches: list[threading.Thread] = []
    stopped = False
    try:
        services = None
        try:
            with _interrupts_held():
                # Half-started, a store would be left behind: nobody would know yet that it is ours to stop.
                services = Services.start(settings, follow=False, from_snapshot=True)
                if embedded is not None and services.store.resting is None:
                    embedded.ensure()
            prepare(services)
            _prepare_proof(services)
        finally:
            if services is not None:
                services.close()
        if embedded is not None:
            watches.append(threading.Thread(target=_keep_store, args=(embedded, stopping), name="store-watch"))
        environment = {**_without_files(os.environ), **settings.environment()}
        for part in ("sealing", "room.attending", "proving"):
            keep = threading.Thread(target=_keep_part, args=(part, environment, stopping), name=f"{part}-watch")
            watches.append(keep)
        watches.append(threading.Thread(target=_announce, args=(settings, ready, stopping), name="announce"))
        for watch in watches:
            watch.daemon = True
            watch.start()
        _serve(settings)
    except KeyboardInterrupt:
        log.info("stopped_while_starting")
    finally:
        stopping.set()
        for watch in watches:
            watch.join(timeout=20)
        if embedded is not None:
            stopped = embedded.release()
    return stopped


def _begin_proof(proof: ProofFolder) -> None:
    """Said here, so that a prover that never comes to a word of its own is missed."""
    try:
        proof.begin(datetime.now(UTC))
    except OSError as error:
        log.error("proof_not_prepared", reason=str(error))


def _prepare_proof(services: Services) -> None:
    """See that the prover has what it needs. Without, it fails and says so on every screen, and the console serves."""
    try:
        prepare_proof(services, services.now())
    except (StoreError, OSError, NotPrivate) as error:
        log.error("proof_not_prepared", reason=str(error))


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """SIGINT and SIGTERM wait until the end of the block, and then interrupt."""
    asked: list[int] = []
    before = {number: signal.signal(number, lambda got, _: asked.append(got)) for number in _INTERRUPTS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if asked:
        raise KeyboardInterrupt


def worker_app() -> Any:
    """The WSGI application of one web worker, which ends with the process that started it."""
    from overlay.app import create_app
    from overlay.security import services_of
    from overlay.shedding import checks_of

    for asked_to_end in (*_INTERRUPTS, _LEAVE):
        signal.signal(asked_to_end, signal.SIG_DFL)  # until the server sets its own: nothing is served yet
    os.setpgid(0, 0)  # Ctrl-C in a terminal is for the parent alone, which asks its workers to leave
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # and what is logged there stops none of them
    # With no lock that a thread of the parent held as this process was forked.
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    logs.to_stderr()
    end_with_parent(os.getppid())
    while True:
        try:
            app = create_app()
            break
        except (ServerError, StoreUnavailable) as error:
            log.error("worker_waits_for_store", reason=str(error))
            time.sleep(_STORE_PAUSE_S)
    beat(os.environ, checks_of(app).longest_s)
    services = services_of(app)
    services.proof.expected = True
    drain = Drain(services.settings.port, tls=services.settings.tls_cert is not None)
    drain.install(app)

    def leave() -> None:
        try:
            services.feed.close()  # whoever listens to a stream would be waited for
            drain.drain()
        except OSError as error:
            log.error("not_drained", reason=str(error))
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    on_signals({_LEAVE: leave, **dict.fromkeys(_INTERRUPTS, services.feed.close)})
    signal.signal(_LEAVE, lambda *_: None)  # until now it ends this process: nobody is in
    return app


def _serve(settings: Settings) -> None:
    """Serve until interrupted. Workers that keep dying are all started anew, and given up after a while."""
    for name in set(os.environ) - set(_without_files(os.environ)):
        del os.environ[name]
    os.environ.update(settings.environment())
    os.environ[FIGURES_VARIABLE] = str(_fresh_figures(settings))
    import_module("overlay.app")  # workers are forked: what is loaded here, none of them loads again, nor a new one
    collapses: deque[float] = deque(maxlen=_MOST_COLLAPSES)
    asked_to_end = threading.Event()
    while True:
        server = _server(settings)
        server.asked_to_end = asked_to_end
        try:
            with suppress(SystemExit), minding(multiprocessing.active_children):
                server.serve()
        except BaseException as error:
            for worker in multiprocessing.active_children():
                worker.kill()  # nobody would stop them: each would be waited for without end
            if not isinstance(error, (OSError, RuntimeError)):
                raise
            log.error("web_workers_not_started", reason=str(error))
            time.sleep(_FORK_PAUSE_S)
        if asked_to_end.is_set():
            return
        collapses.append(time.monotonic())
        if len(collapses) == _MOST_COLLAPSES and collapses[-1] - collapses[0] < _COLLAPSES_WITHIN_S:
            raise CannotRun("The web workers end again and again; the lines above say why. Nothing was changed.")
        log.error("web_workers_died", action="restarting")


def _without_files(environment: Mapping[str, str]) -> dict[str, str]:
    """A child is given each setting's value, so no file that may name another."""
    files = {f"OVERLAY_{name.upper()}_FILE" for name in Settings.model_fields}
    return {name: value for name, value in environment.items() if name not in files}


def _fresh_figures(settings: Settings) -> Path:
    """The folder where workers add up what they count, emptied: counts begin with each run."""
    folder = settings.data / "metrics"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    return folder


class _Server(Server):  # type: ignore[misc,valid-type]  # untyped
    """The web server; asked to end, it lets its workers hear out whoever is in first."""

    asked_to_end: threading.Event
    """Set once it was asked to end, for the next one as well: between two, nobody but the last one's handler hears."""

    def signal_handler_reload(self, *_: object) -> None:
        """A terminal that is closed asks it to end: nothing here is to be loaded again."""
        self.signal_handler_interrupt()

    def startup(self, *what: Any) -> None:
        outlives = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN  # started with nohup
        super().startup(*what)
        if outlives:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        if self.asked_to_end.is_set():
            self.signal_handler_interrupt()

    def signal_handler_interrupt(self, *what: Any, **how: Any) -> None:
        self.asked_to_end.set()
        super().signal_handler_interrupt(*what, **how)

    def _respawn_workers(self, workers: list[int], spawn_target: Any, target_loader: Any, **_: Any) -> None:
        """A new worker for each that died, once a process can be started: till then the others go on."""
        for number in workers:
            fresh = self._new_worker(number, spawn_target, target_loader)
            if fresh is None:
                break
            self.wrks[number] = fresh
            self.respawned_wrks[number] = time.monotonic()
        if self.interrupt_signal:
            self.main_loop_interrupt.set()

    def _new_worker(self, number: int, spawn_target: Any, target_loader: Any) -> Any:
        """None where it is asked to end first."""
        said = ""
        while not self.interrupt_signal:
            worker: Any = None
            try:
                _fork_once()
                worker = self._spawn_worker(idx=number, target=spawn_target, callback_loader=target_loader)
                worker.start()
                return worker
            except (OSError, RuntimeError) as error:
                if str(error) != said:
                    log.error("worker_not_started", reason=str(error), action="trying again")
                said = str(error)
                if worker is not None and worker.inner.pid is not None:  # it began, and could not be watched
                    worker.inner.kill()
                    worker.inner.join()
                time.sleep(_FORK_PAUSE_S)
        return None

    def shutdown(self, exit_code: int = 0) -> None:
        if self.interrupt_signal:
            self._let_leave(multiprocessing.active_children())
        super().shutdown(exit_code)

    def _let_leave(self, workers: list[BaseProcess]) -> None:
        for pid in [worker.pid for worker in workers if worker.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, _LEAVE)
        until = time.monotonic() + _LEAVE_S
        while any(worker.is_alive() for worker in workers) and time.monotonic() < until:
            time.sleep(_LOOK_S)


def _fork_once() -> None:
    """Raises OSError where the system starts no process any more."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    with suppress(ChildProcessError):
        os.waitpid(child, 0)


def _server(settings: Settings) -> Any:
    return _Server(
        "overlay.run:worker_app",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=settings.workers,
        blocking_threads=settings.threads + settings.streams,
        # Connections, not requests: a screen has one for its stream, and keeps up to five more open for a while.
        backpressure=6 * (settings.threads + settings.streams),
        factory=True,
        websockets=False,
        respawn_failed_workers=True,
        respawn_interval=0.5,
        workers_kill_timeout=1,  # the end of those that did not leave when they were asked to
        log_enabled=False,
        ssl_cert=settings.tls_cert,
        ssl_key=settings.tls_key,
        ssl_protocol_min=SSLProtocols.tls12,
    )


def _keep_store(embedded: EmbeddedServer, stopping: threading.Event) -> None:
    """Restart the embedded store when it dies, and say so; a reason that stays the same is said once."""
    said = ""
    while not stopping.wait(_WATCH_S):
        alive = embedded.alive()
        if stopping.is_set() or (alive and embedded.pid is not None):
            continue
        if not said:
            log.error("store_silent" if alive else "store_died", action="attaching" if alive else "restarting")
        try:
            embedded.ensure()
            log.info("store_restarted")
            said = ""
        except ServerError as error:
            if str(error) != said:
                log.error("store_not_restarted", reason=str(error))
            said = str(error)


def _keep_part(part: str, environment: Mapping[str, str], stopping: threading.Event) -> None:
    """Keep a process of ours going, and stop it in the end. It may be killed at any moment."""
    command = [sys.executable, "-m", f"overlay.{part}", str(os.getpid())]
    process: subprocess.Popen[bytes] | None = None
    said = ""
    while True:
        if process is not None and process.poll() is not None:
            log.error("part_died", part=part, action="restarting")
            process = None
            stopping.wait(_PART_PAUSE_S)
        if process is None and not stopping.is_set():
            try:
                with STARTING:
                    process = subprocess.Popen(command, env=environment)
                said = ""
            except OSError as error:
                if str(error) != said:
                    log.error("part_not_started", part=part, reason=str(error), action="trying again")
                said = str(error)
        if stopping.wait(_WATCH_S):
            break
    if process is not None:
        process.kill()
        process.wait()


def _announce(settings: Settings, ready: Callable[[str], None], stopping: threading.Event) -> None:
    address = settings.address
    context = trusting(settings.tls_cert) if settings.tls_cert else None
    while not stopping.wait(0.1):
        try:
            with urllib.request.urlopen(f"{address}/healthz", timeout=1, context=context) as reply:  # noqa: S310 - our own
                if reply.status == 200:
                    ready(address)
                    return
        except OSError:
            continue


def _wait_for_port(settings: Settings) -> None:
    """Workers of a run that was killed need a moment to notice; a port taken for longer is someone else's."""
    until = time.monotonic() + _PORT_WAIT_S
    while True:
        with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.host, settings.port))
                return
            except OSError as error:
                if time.monotonic() > until:
                    raise CannotRun(
                        f"Port {settings.port} on {settings.host} can't be used ({error.strerror}). "
                        "Choose another with --port."
                    ) from error
        time.sleep(0.2)
