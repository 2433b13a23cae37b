"""Real fleets on loopback, from the files of config/deploy: servers behind Sentinels, and a cluster.

Only addresses, paths and passwords are put in; TLS is left out, for the server binary here is built without it. With
FAULT_TLS=1, and VALKEY_SERVER naming one that is built with it, everything speaks TLS as the files say.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.conftest import REPOSITORY
from tests.faults.fleet_links import Proxy
from tests.web.test_tls import certificate

DEPLOY = REPOSITORY / "config" / "deploy"
TLS = os.environ.get("FAULT_TLS") == "1"
F = TypeVar("F", bound="Fleet")
SENTINELS = ("127.0.0.7", "127.0.0.8", "127.0.0.9")
"""Where each Sentinel's own connections come from, in a proxied fleet."""
_BEGUN: list[Fleet] = []
PARTS = ("OVERLAY", "REPLICA", "SENTINEL", "OPERATOR", "PEER")


@dataclass
class Server:
    """One process of a fleet, started as its unit starts it."""

    kind: str
    folder: Path
    port: int
    more: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    @property
    def conf(self) -> Path:
        return self.folder / "etc.conf"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        state = self.folder / "state"
        state.mkdir(exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "markers.store_node", self.kind, str(self.conf), str(state), *self.more],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=REPOSITORY,
            )

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        assert self.process is not None
        self.process.wait()

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")


@dataclass
class Fleet:
    """What every fleet has: passwords, servers, and operators' connections to them."""

    folder: Path
    passwords: dict[str, str] = field(default_factory=lambda: {part: secrets.token_hex(12) for part in PARTS})
    servers: list[Server] = field(default_factory=list)

    def adapted(self, name: str, port: int | None = None, extra: str = "") -> str:
        """A file of config/deploy for this machine."""
        text = (DEPLOY / name).read_text("utf-8")
        if TLS:
            text = re.sub(r"^tls-port \d+$", f"tls-port {port}", text, flags=re.M)
        elif port is not None:
            text = re.sub(r"^(tls-.*|port 0)\n", "", text, flags=re.M) + f"\nport {port}\n"
        text = text.replace("/etc/overlay-store", str(self.folder)).replace("bind 10.0.0.1", "bind 127.0.0.1")
        for part, password in self.passwords.items():
            digest = hashlib.sha256(password.encode()).hexdigest()
            text = text.replace(f"{part}_SHA256", digest).replace(f"{part}_PASSWORD", password)
        return f"{text}\n{extra}"

    @property
    def scheme(self) -> str:
        return "rediss" if TLS else "redis"

    def authority(self, after: str) -> str:
        """The part of a URL that names who signed the servers' certificates."""
        return f"{after}ssl_ca_certs={self.folder / 'authority.crt'}" if TLS else ""

    def write_shared(self) -> None:
        _BEGUN.append(self)
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in ("users.acl", "replication.conf", "sentinel-users.acl"):
            (self.folder / name).write_text(self.adapted(name), "utf-8")
        cert, key = certificate(self.folder, "own")
        for made, name in ((cert, "machine.crt"), (cert, "authority.crt"), (key, "machine.key")):
            shutil.copyfile(made, self.folder / name)

    def add(self, kind: str, conf: str, port: int, extra: str = "", more: tuple[str, ...] = ()) -> Server:
        folder = self.folder / f"{kind}-{port}"
        folder.mkdir()
        server = Server(kind, folder, port, more)
        server.conf.write_text(self.adapted(conf, port, extra), "utf-8")
        self.servers.append(server)
        return server

    def operator(self, server: Server) -> redis.Redis:
        user, part = ("peer", "PEER") if server.kind == "sentinel" else ("operator", "OPERATOR")
        return redis.Redis(
            host="127.0.0.1",
            port=server.port,
            username=user,
            password=self.passwords[part],
            socket_timeout=1,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
            ssl=TLS,
            ssl_ca_certs=str(self.folder / "authority.crt"),
        )

    def ask(self, server: Server, *command: str) -> Any:
        with self.operator(server) as client:
            return client.execute_command(*command)

    def replication(self, server: Server) -> dict[str, Any]:
        with self.operator(server) as client:
            return client.info("replication")

    def stop(self) -> None:
        for server in self.servers:
            if server.process is not None and server.process.poll() is None:
                server.kill()


@dataclass
class SentinelFleet(Fleet):
    """A primary, two replicas and three Sentinels. With `proxied`, everything reaches a server through its proxy."""

    nodes: list[Server] = field(default_factory=list)
    sentinels: list[Server] = field(default_factory=list)
    proxies: dict[int, Proxy] = field(default_factory=dict)

    @classmethod
    def start(
        cls, folder: Path, *, replicas: int = 2, proxied: bool = False, sentinel_extra: str = ""
    ) -> SentinelFleet:
        fleet = cls(folder)
        fleet.write_shared()
        ports = [quiet_port() for _ in range(replicas + 1)]
        if proxied:
            fleet.proxies = {port: Proxy(port) for port in ports}
        known = [fleet.proxies[port].port if proxied else port for port in ports]
        sentinel_ports = [quiet_port() for _ in range(3)]
        for port, own in zip(sentinel_ports, SENTINELS, strict=True):
            apart = f"bind-source-addr {own}\nsentinel announce-ip 127.0.0.1\n" if proxied else ""
            server = fleet.add("sentinel", "sentinel.conf", port, sentinel_extra + apart)
            text = server.conf.read_text().replace("10.0.0.1 6379", f"127.0.0.1 {known[0]}")
            server.conf.write_text(text)
            fleet.sentinels.append(server)
        machines = ",".join(f"127.0.0.1:{port}" for port in sentinel_ports)
        named = (
            f"{fleet.scheme}+sentinel://operator:{fleet.passwords['OPERATOR']}@{machines}/overlay"
            f"?sentinel_username=overlay&sentinel_password={fleet.passwords['OVERLAY']}{fleet.authority('&')}"
        )
        (folder / "sentinels").write_text(named)
        for number, (port, told) in enumerate(zip(ports, known, strict=True)):
            extra = (
                f"replica-announce-ip 127.0.0.1\nreplica-announce-port {told}\nbind-source-addr {source(number)}\n"
                if proxied
                else ""
            )
            more = ("--sentinels", str(folder / "sentinels"), "--own", f"127.0.0.1:{told}")
            fleet.nodes.append(fleet.add("node", "valkey.conf", port, extra, more))
        for sentinel in fleet.sentinels:
            sentinel.start()
        fleet.nodes[0].start()
        wait_for(lambda: fleet.replication(fleet.nodes[0])["role"] == "master")
        for sentinel in fleet.sentinels:  # they look at replicas each second, not each ten: rounds follow faster
            wait_for(lambda sentinel=sentinel: fleet.ask(sentinel, "SENTINEL", "DEBUG", "INFO-PERIOD", "1000"))
        for node in fleet.nodes[1:]:
            node.start()
        fleet.wait_whole(replicas)
        return fleet

    @property
    def url(self) -> str:
        machines = ",".join(f"127.0.0.1:{server.port}" for server in self.sentinels)
        password = self.passwords["OVERLAY"]
        return (
            f"{self.scheme}+sentinel://overlay:{password}@{machines}/overlay"
            f"?sentinel_username=overlay&sentinel_password={password}{self.authority('&')}"
        )

    def primary(self) -> Server:
        """As more than half of the Sentinels have it."""

        def found() -> Server | None:
            told = []
            for sentinel in self.sentinels:
                with contextlib.suppress(redis.RedisError):
                    told.append(int(self.ask(sentinel, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", "overlay")[1]))
            agreed = max(set(told), key=told.count) if told else 0
            behind = {proxy.port: port for port, proxy in self.proxies.items()}
            agreed = behind.get(agreed, agreed)
            return next((node for node in self.nodes if node.port == agreed), None) if told.count(agreed) else None

        if self.proxies:
            port = int(self.ask(self.sentinels[0], "SENTINEL", "GET-MASTER-ADDR-BY-NAME", "overlay")[1])
            return next(node for node in self.nodes if self.proxies[node.port].port == port)
        return wait_for(found)

    def state(self, sentinel: Server) -> dict[str, str]:
        """What one Sentinel says of the primary."""
        return pairs(self.ask(sentinel, "SENTINEL", "MASTER", "overlay"))

    def wait_whole(self, replicas: int = 2) -> Server:
        """Wait until a primary has all its replicas in step, and every Sentinel knows all of it."""

        def whole() -> Server | None:
            primary = self.primary()
            told = self.replication(primary)
            online = [v for k, v in told.items() if re.fullmatch(r"slave\d+", k) and v["state"] == "online"]
            if told["role"] != "master" or len(online) < replicas:
                return None
            for sentinel in self.sentinels:
                state = self.state(sentinel)
                known = [pairs(one) for one in self.ask(sentinel, "SENTINEL", "REPLICAS", "overlay")]
                able = [one for one in known if one["flags"] == "slave" and one["slave-priority"] == "100"]
                if state["flags"] != "master" or state["num-other-sentinels"] != "2" or len(able) < replicas:
                    return None
            return primary

        return wait_for(whole, 60)

    def stop(self) -> None:
        super().stop()
        for proxy in self.proxies.values():
            proxy.stop()


@dataclass
class ClusterFleet(Fleet):
    """Three primaries, each with `replicas` replicas. With `proxied`, everything reaches a node through its proxies."""

    nodes: list[Server] = field(default_factory=list)
    proxies: dict[int, tuple[Proxy, Proxy]] = field(default_factory=dict)
    """By a node's port: to what clients and replicas speak to, and to what the other nodes speak to."""

    @classmethod
    def start(
        cls, folder: Path, *, replicas: int = 0, slots: int = 16384, extra: str = "", proxied: bool = False
    ) -> ClusterFleet:
        fleet = cls(folder)
        fleet.write_shared()
        for number in range(3 * (1 + replicas)):
            port, bus = quiet_port(), quiet_port()
            more = f"cluster-port {bus}\n{extra}"
            if proxied:
                fleet.proxies[port] = proxies = Proxy(port), Proxy(bus)
                more += f"bind-source-addr {source(number)}\ncluster-announce-ip 127.0.0.1\n"
                more += f"cluster-announce-port {proxies[0].port}\ncluster-announce-bus-port {proxies[1].port}\n"
            fleet.nodes.append(fleet.add("cluster", "cluster.conf", port, more))
        for node in fleet.nodes:
            node.start()
        ids = [wait_for(lambda node=node: fleet.ask(node, "CLUSTER", "MYID")) for node in fleet.nodes]
        for number, node in enumerate(fleet.nodes):
            fleet.ask(node, "CLUSTER", "SET-CONFIG-EPOCH", str(number + 1))
        first, *others = fleet.nodes
        for node in others:
            fleet.ask(first, "CLUSTER", "MEET", "127.0.0.1", *map(str, fleet.announced(node)))
        for number in range(3):
            begin, end = slots * number // 3, slots * (number + 1) // 3 - 1
            fleet.ask(fleet.nodes[number], "CLUSTER", "ADDSLOTSRANGE", str(begin), str(end))
        wait_for(lambda: all(fleet.facts(node)["cluster_known_nodes"] == str(len(ids)) for node in fleet.nodes))
        for number, node in enumerate(fleet.nodes[3:]):
            wait_for(lambda node=node, to=ids[number % 3]: fleet.ask(node, "CLUSTER", "REPLICATE", to))
        if slots == 16384:
            fleet.wait_whole(replicas)
        return fleet

    @property
    def url(self) -> str:
        machines = ",".join(f"127.0.0.1:{self.announced(node)[0]}" for node in self.nodes)
        return f"{self.scheme}+cluster://overlay:{self.passwords['OVERLAY']}@{machines}{self.authority('?')}"

    def announced(self, node: Server) -> tuple[int, int]:
        """The ports on which a node is reached, by whoever asks it and by the other nodes."""
        if node.port in self.proxies:
            asked, bus = self.proxies[node.port]
            return asked.port, bus.port
        found = re.search(r"^cluster-port (\d+)", node.conf.read_text(), re.M)
        assert found is not None
        return node.port, int(found[1])

    def cut_off(self, node: Server, others: list[Server]) -> None:
        """Cut a node's links from and to these others, as both ends begin them; whoever else asks it still can."""
        self._cut(node, *others)
        for other in others:
            self._cut(other, node)

    def _cut(self, node: Server, *far: Server) -> None:
        for proxy in self.proxies[node.port]:
            proxy.cut(*(source(self.nodes.index(one)) for one in far))

    def heal(self) -> None:
        for pair in self.proxies.values():
            for proxy in pair:
                proxy.heal()

    def facts(self, node: Server) -> dict[str, str]:
        told = self.ask(node, "CLUSTER", "INFO")
        return told if isinstance(told, dict) else dict(line.split(":") for line in told.split("\r\n") if line)

    def holder(self, area: str) -> Server:
        """The primary of an area's slot, as a node that is up has it."""
        slot = int(self.ask(self.up()[0], "CLUSTER", "KEYSLOT", f"wmo:{{{area}}}:"))
        for first, last, primary, *_ in self.ask(self.up()[0], "CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(node for node in self.nodes if self.announced(node)[0] == primary[1])
        raise AssertionError(f"nobody serves slot {slot}")

    def replicas_of(self, node: Server) -> list[Server]:
        at = self.announced(node)[0]
        told = {one.port: self.replication(one) for one in self.nodes}
        return [one for one in self.nodes if told[one.port].get("master_port") == at]

    def up(self) -> list[Server]:
        return [node for node in self.nodes if node.process is not None and node.process.poll() is None]

    def wait_whole(self, replicas: int) -> None:
        def whole() -> bool:
            if not all(self.facts(node)["cluster_state"] == "ok" for node in self.nodes):
                return False
            told = [self.replication(node) for node in self.nodes]
            primaries = [one for one in told if one["role"] == "master"]
            return len(primaries) == 3 and all(one["connected_slaves"] == replicas for one in primaries)

        wait_for(whole, 60)

    def stop(self) -> None:
        super().stop()
        for pair in self.proxies.values():
            for proxy in pair:
                proxy.stop()


def quiet_port() -> int:
    """A free port that no connection going out takes while its server is down for a moment."""
    while True:
        port = random.randrange(11_000, 32_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def source(number: int) -> str:
    """The address a proxied server's own connections come from."""
    return f"127.0.0.{10 + number}"


def pairs(flat: Any) -> dict[str, str]:
    if isinstance(flat, dict):
        return {str(k): ",".join(sorted(v)) if isinstance(v, set) else str(v) for k, v in flat.items()}
    return dict(zip(flat[::2], flat[1::2], strict=True))


def wait_for(found: Callable[[], Any], seconds: float = 30) -> Any:
    until = time.monotonic() + seconds
    while True:
        with contextlib.suppress(redis.RedisError, OSError):
            result = found()
            if result:
                return result
        if time.monotonic() > until:
            raise AssertionError(f"not within {seconds:g} s")
        time.sleep(0.05)


@contextlib.contextmanager
def started(begin: Callable[[], F]) -> Iterator[F]:
    begun = len(_BEGUN)
    try:
        try:
            fleet = begin()
        except AssertionError:
            if not any(_port_taken(fleet.folder) for fleet in _BEGUN[begun:]):
                raise
            _end_after(begun)  # somebody took a port between its choice and its use: once more, with others
            fleet = begin()
        yield fleet
    finally:
        _end_after(begun)


def _port_taken(folder: Path) -> bool:
    return any("Address already in use" in log.read_text(errors="replace") for log in folder.glob("*/log"))


def _end_after(begun: int) -> None:
    while len(_BEGUN) > begun:
        _BEGUN.pop().stop()
