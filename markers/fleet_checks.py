"""Whether the machines behind a store may hold it: every server of a fleet, and what would replace one with another.

Measured on Valkey 9.1.2 with Sentinel: with asynchronous acknowledgement 18,124 of 20,262 acknowledged writes were lost
when a link was cut, and some with `down-after-milliseconds` below 1000. A server that is down at this moment stops
nothing as long as enough others are up: the note says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import redis
from redis.crc import key_slot

from markers.primary import client_of
from markers.store_url import Node, StoreUrl

SLOTS: Final = 16384
LEAST_DOWN_AFTER_MS: Final = 1000
LEAST_SENTINELS: Final = 3
_CLUSTER_SETTINGS: Final = ("cluster-require-full-coverage", "cluster-node-timeout")

Vet = Callable[[redis.Redis], str]
"""Refuses one server by its version and settings, or returns what could not be established."""


class Unfit(Exception):  # noqa: N818 - reads as the fact it states
    """The fleet could lose an acknowledged write as it is set up; `str` says what is wrong and what to do."""


class NotThere(Exception):  # noqa: N818 - reads as the fact it states
    """Too little of the fleet answers at this moment."""


def check_fleet(url: StoreUrl, area: str, timeout_s: float, replicas: int, vet: Vet) -> list[str]:
    """Look at every machine of the fleet that `url` names; returns notes on what could not be established.

    `replicas` is how many must confirm a write, 0 for none. Raises Unfit, NotThere, and whatever `vet` raises.
    """
    if url.kind == "sentinel":
        return _check_sentinels(url, timeout_s, replicas, vet)
    return _check_cluster(url, area, timeout_s, replicas, vet)


def check_replicas(client: redis.Redis, replicas: int, *, replaced: bool = False) -> None:
    """That the server takes writes and enough replicas follow it; and that there are none, where one could take its
    place (`replaced`) without having been waited for. Raises Unfit, NotThere, redis-py's errors."""
    told: Any = client.info("replication")
    if told["role"] != "master":
        raise Unfit("the store server is a replica: name the primary, or the Sentinels that know it")
    following = [told[name] for name in told if name.startswith("slave") and isinstance(told[name], dict)]
    if following and not replicas and replaced:
        raise Unfit(
            "the cluster replaces a node by its replica, which may lack what was acknowledged: set "
            "OVERLAY_STORE_DURABILITY replicated"
        )
    online = sum(replica["state"] == "online" for replica in following)
    if online < replicas:
        raise NotThere(
            f"durability is replicated to {replicas}, but {online} replicas follow the store's primary: start "
            "replicas, or lower OVERLAY_STORE_REPLICAS"
        )


def _check_sentinels(url: StoreUrl, timeout_s: float, replicas: int, vet: Vet) -> list[str]:
    if not replicas:
        raise Unfit(
            "Sentinels replace a primary by a replica, which may lack what was acknowledged: set "
            "OVERLAY_STORE_DURABILITY replicated"
        )
    notes: list[str] = []
    found: list[tuple[int, Node]] = []
    others: set[Node] = set()
    for node in url.nodes:
        try:
            with client_of(node, url.to_sentinel, timeout_s, tls=url.tls) as client:
                state: Any = client.sentinel_master(url.service)
                known: Any = client.sentinel_slaves(url.service)
                notes += _no_quorum(node, client, url.service)
        except (redis.AuthenticationError, redis.ResponseError) as error:
            raise Unfit(
                f"the Sentinel {_name(node)} does not tell of {url.service} ({_one_line(error)}): check the service's "
                "name and the Sentinels' account in the store's URL"
            ) from error
        except redis.RedisError:
            notes.append(f"the Sentinel {_name(node)} does not answer")
            continue
        _refuse_hasty(node, state)
        found.append((int(state["config-epoch"]), (str(state["ip"]), int(state["port"]))))
        others |= {(str(replica["ip"]), int(replica["port"])) for replica in known}
    if 2 * len(found) <= len(url.nodes):
        raise NotThere(f"only {len(found)} of {len(url.nodes)} Sentinels answer: start them, or check the store's URL")
    primary = max(found)[1]
    return notes + _check_servers(url, primary, sorted(others - {primary}), timeout_s, replicas, vet)


def _no_quorum(node: Node, client: redis.Redis, service: str) -> list[str]:
    """A Sentinel that could not replace a lost primary at this moment; nothing acknowledged is lost by that."""
    try:
        client.sentinel_ckquorum(service)
    except redis.ResponseError as error:
        return [f"the Sentinel {_name(node)} says of a failover: {_one_line(error)}"]
    return []


def _refuse_hasty(node: Node, state: dict[str, Any]) -> None:
    """Settings of one Sentinel under which a primary that still acknowledges is replaced."""
    name = _name(node)
    down_after, quorum = int(state["down-after-milliseconds"]), int(state["quorum"])
    sentinels = int(state["num-other-sentinels"]) + 1
    if down_after < LEAST_DOWN_AFTER_MS:
        raise Unfit(
            f"the Sentinel {name} has down-after-milliseconds {down_after} and replaces a primary that is only slow: "
            f"set down-after-milliseconds {LEAST_DOWN_AFTER_MS} or more"
        )
    if sentinels < LEAST_SENTINELS:
        raise Unfit(
            f"the Sentinel {name} knows of {sentinels} Sentinels in all, too few to outvote one that is cut off: run "
            f"{LEAST_SENTINELS} on machines of their own"
        )
    if 2 * quorum <= sentinels:
        raise Unfit(
            f"the Sentinel {name} has quorum {quorum} of {sentinels}, less than a majority: set quorum "
            f"{sentinels // 2 + 1}"
        )


def _check_servers(
    url: StoreUrl, primary: Node, others: list[Node], timeout_s: float, replicas: int, vet: Vet
) -> list[str]:
    notes: list[str] = []
    for node in (primary, *others):
        try:
            with client_of(node, url.to_node, timeout_s, tls=url.tls) as client:
                note = vet(client)
                if node == primary:
                    check_replicas(client, replicas, replaced=url.kind == "cluster")
        except (redis.AuthenticationError, redis.ResponseError) as error:
            raise Unfit(f"{_name(node)} refuses this user ({_one_line(error)}): check the store's URL") from error
        except redis.RedisError as error:
            if node == primary:
                raise NotThere(f"the store's primary {_name(node)} does not answer ({_one_line(error)})") from error
            note = "it does not answer"
        notes += [f"{_name(node)}: {note}"] if note else []
    return notes


def _check_cluster(url: StoreUrl, area: str, timeout_s: float, replicas: int, vet: Vet) -> list[str]:
    for node in url.nodes:
        try:
            with client_of(node, url.to_node, timeout_s, tls=url.tls) as client:
                ask: Any = client.execute_command
                facts, spans = ask("CLUSTER INFO"), ask("CLUSTER SLOTS")
                break
        except (redis.AuthenticationError, redis.ResponseError) as error:
            raise Unfit(
                f"{_name(node)} does not speak for a cluster ({_one_line(error)}): name one server as redis://, or "
                "check its account and cluster-enabled yes"
            ) from error
        except redis.RedisError:
            continue
    else:
        raise NotThere("no node of the store's cluster answers: start it, or check the store's URL")
    state = _facts(facts)
    served = int(state.get("cluster_slots_assigned", "0"))
    if served < SLOTS:
        raise Unfit(
            f"the cluster serves {served} of {SLOTS} slots, so some areas have no place: give the others to a node "
            "(valkey-cli --cluster fix)"
        )
    slot = key_slot(f"wmo:{{{area}}}:".encode())
    holders = next((held for first, last, *held in spans if first <= slot <= last), None)
    if holders is None or state.get("cluster_state") != "ok":
        raise NotThere(
            f"the cluster's state is {state.get('cluster_state', 'unknown')}: start its nodes, or look at CLUSTER NODES"
        )
    nodes = [_held_by(held, node) for held in holders]
    notes = _check_servers(url, nodes[0], nodes[1:], timeout_s, replicas, vet)
    every = {_held_by(held, node) for _, _, *holders in spans for held in holders}
    return notes + _cluster_settings(url, (nodes[0], *sorted(every - {nodes[0]})), timeout_s)


def _cluster_settings(url: StoreUrl, nodes: tuple[Node, ...], timeout_s: float) -> list[str]:
    """Refuse what replaces a node that still acknowledges, or stops areas that are not concerned, on any node."""
    notes: list[str] = []
    denied = False
    for node in nodes:
        try:
            with client_of(node, url.to_node, timeout_s, tls=url.tls) as client:
                told: Any = client.config_get(*_CLUSTER_SETTINGS)
        except (redis.AuthenticationError, redis.ResponseError):
            denied = True
            continue
        except redis.RedisError:
            notes.append(f"{_name(node)}: it does not answer, so its settings were not looked at")
            continue
        if not told.keys() >= set(_CLUSTER_SETTINGS):
            denied = True
            continue
        if told["cluster-require-full-coverage"] == "yes":
            raise Unfit(
                f"{_name(node)} has cluster-require-full-coverage yes, so an area stops when another area's node is "
                "down: set cluster-require-full-coverage no"
            )
        if int(told["cluster-node-timeout"]) < LEAST_DOWN_AFTER_MS:
            raise Unfit(
                f"{_name(node)} has cluster-node-timeout {told['cluster-node-timeout']} and replaces a node that is "
                f"only slow: set cluster-node-timeout {LEAST_DOWN_AFTER_MS} or more"
            )
    if denied:
        notes.append(f"CONFIG is denied here, so {' and '.join(_CLUSTER_SETTINGS)} could not be verified")
    return notes


def _held_by(held: Any, asked: Node) -> Node:
    """Host and port; a node that does not know its own name is where it was asked."""
    host = (held[0] or b"").decode()
    return (host if host not in ("", "?") else asked[0], int(held[1]))


def _facts(raw: Any) -> dict[str, str]:
    if isinstance(raw, dict):
        return {str(name): str(value) for name, value in raw.items()}
    text = raw.decode() if isinstance(raw, bytes) else str(raw)
    return dict(line.split(":", 1) for line in text.split("\r\n") if ":" in line)


def _name(node: Node) -> str:
    return f"{node[0]}:{node[1]}"


def _one_line(words: object) -> str:
    return " ".join(str(words).split())
