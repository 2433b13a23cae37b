"""Fleets that could lose an acknowledged write are refused at boot, each with the reason and what to do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from markers.commits import Changes, Commit, Write
from markers.server import ServerError, ServerUnreachable, UnsafeServer, check_external
from markers.store import Store
from markers.store_errors import StoreUnavailable
from markers.vault import KeyRing, Vault
from tests.faults.fleet import ClusterFleet, SentinelFleet, Server, started, wait_for

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

WAIT_S = 2.0


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SentinelFleet]:
    with started(lambda: SentinelFleet.start(tmp_path_factory.mktemp("f") / "fleet")) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterFleet]:
    with started(lambda: ClusterFleet.start(tmp_path_factory.mktemp("c") / "fleet", replicas=1)) as fleet:
        yield fleet


def as_operator(fleet: SentinelFleet | ClusterFleet) -> str:
    """The same URL for a user who may read settings."""
    return fleet.url.replace(f"overlay:{fleet.passwords['OVERLAY']}@", f"operator:{fleet.passwords['OPERATOR']}@")


def refused(url: str, replicas: int = 1, *, kind: type[ServerError] = UnsafeServer, area: str = "quill") -> str:
    with pytest.raises(kind) as refusal:
        check_external(url, WAIT_S, area, replicas)
    words = str(refusal.value)
    assert "\n" not in words
    assert url not in words
    assert url.partition(":")[2].partition(":")[2].partition("@")[0] not in words, "no password"
    return words


@contextlib.contextmanager
def set_to(fleet: SentinelFleet | ClusterFleet, server: Server, name: str, value: str, back: str) -> Iterator[None]:
    command = ("SENTINEL", "SET", "overlay") if server.kind == "sentinel" else ("CONFIG", "SET")
    fleet.ask(server, *command, name, value)
    try:
        yield
    finally:
        fleet.ask(server, *command, name, back)


def test_a_sound_fleet_is_taken_and_what_the_user_may_not_read_is_said(fleet: SentinelFleet) -> None:
    assert check_external(as_operator(fleet), WAIT_S, "quill", 2).verified
    found = check_external(fleet.url, WAIT_S, "quill", 2)
    assert not found.verified
    assert found.note.count("CONFIG is denied here, so appendfsync, no-appendfsync-on-rewrite could not be") == 3


def test_hasty_sentinels_are_refused(fleet: SentinelFleet) -> None:
    with set_to(fleet, fleet.sentinels[2], "down-after-milliseconds", "500", "1000"):
        assert "replaces a primary that is only slow: set down-after-milliseconds 1000 or more" in refused(fleet.url)
    with set_to(fleet, fleet.sentinels[1], "quorum", "1", "2"):
        assert "quorum 1 of 3, less than a majority: set quorum 2" in refused(fleet.url)


def test_a_replacement_that_was_not_waited_for_is_refused(fleet: SentinelFleet, cluster: ClusterFleet) -> None:
    for url in (fleet.url, cluster.url):
        assert "set OVERLAY_STORE_DURABILITY replicated" in refused(url, 0)


def test_too_few_replicas_are_said(fleet: SentinelFleet, cluster: ClusterFleet) -> None:
    told = refused(fleet.url, 3, kind=ServerUnreachable)
    assert "replicated to 3, but 2 replicas follow" in told
    assert "start replicas, or lower OVERLAY_STORE_REPLICAS" in told
    assert "replicated to 2, but 1 replicas follow" in refused(cluster.url, 2, kind=ServerUnreachable)


@pytest.mark.parametrize(
    ("name", "value", "back", "reason"),
    [
        ("appendfsync", "everysec", "always", "appendfsync everysec and can lose records: set appendfsync always"),
        ("maxmemory-policy", "allkeys-lru", "noeviction", "set maxmemory-policy noeviction"),
    ],
)
def test_every_server_is_looked_at(fleet: SentinelFleet, name: str, value: str, back: str, reason: str) -> None:
    replica = next(node for node in fleet.nodes if node is not fleet.primary())
    with set_to(fleet, replica, name, value, back):
        assert reason in refused(as_operator(fleet))


def test_a_replica_without_a_log_is_refused_to_a_user_who_may_not_read_settings(fleet: SentinelFleet) -> None:
    replica = next(node for node in fleet.nodes if node is not fleet.primary())
    with set_to(fleet, replica, "appendonly", "no", "yes"):
        assert "appendonly no and can lose records" in refused(fleet.url)


def test_what_does_not_answer_is_no_reason_not_to_start_while_enough_do(fleet: SentinelFleet) -> None:
    replica = next(node for node in fleet.nodes if node is not fleet.primary())
    away = [replica, fleet.sentinels[0]]
    for server in away:
        server.kill()
    try:
        wait_for(lambda: fleet.replication(fleet.primary())["connected_slaves"] == 1)
        note = check_external(as_operator(fleet), WAIT_S, "quill", 1).note
        assert f"127.0.0.1:{replica.port}: it does not answer" in note
        assert f"the Sentinel 127.0.0.1:{fleet.sentinels[0].port} does not answer" in note
        fleet.sentinels[1].kill()
        away.append(fleet.sentinels[1])
        assert "only 1 of 3 Sentinels answer" in refused(fleet.url, kind=ServerUnreachable)
    finally:
        for server in away:
            server.start()
        fleet.wait_whole()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda url: url.replace("/overlay?", "/another?"), "does not tell of another"),
        (lambda url: url.replace("sentinel_username=overlay", "sentinel_username=nobody"), "does not tell of overlay"),
        (lambda url: url.replace("//overlay:", "//nobody:"), "refuses this user"),
    ],
)
def test_names_and_accounts_that_are_wrong_are_said(fleet: SentinelFleet, change, reason: str) -> None:
    assert reason in refused(change(fleet.url))


def test_a_replica_named_as_the_one_server_is_refused(fleet: SentinelFleet) -> None:
    replica = next(node for node in fleet.nodes if node is not fleet.primary())
    url = f"redis://operator:{fleet.passwords['OPERATOR']}@127.0.0.1:{replica.port}"
    assert "is a replica: name the primary, or the Sentinels" in refused(url)


def test_a_sound_cluster_is_taken(cluster: ClusterFleet) -> None:
    assert check_external(as_operator(cluster), WAIT_S, "quill", 1).verified
    note = check_external(cluster.url, WAIT_S, "quill", 1).note
    assert "cluster-require-full-coverage and cluster-node-timeout could not be verified" in note


def test_a_cluster_that_stops_as_a_whole_is_refused(cluster: ClusterFleet) -> None:
    with set_to(cluster, cluster.holder("quill"), "cluster-require-full-coverage", "yes", "no"):
        assert "set cluster-require-full-coverage no" in refused(as_operator(cluster))


def test_a_cluster_that_replaces_a_node_that_is_only_slow_is_refused(cluster: ClusterFleet) -> None:
    """Also where the node that is hasty serves another area: it has a voice in replacing this one's."""
    other = next(node for node in cluster.nodes if node is not cluster.holder("quill"))
    with set_to(cluster, other, "cluster-node-timeout", "500", "2000"):
        assert "set cluster-node-timeout 1000 or more" in refused(as_operator(cluster))


def test_a_server_that_is_no_cluster_is_refused_as_one(fleet: SentinelFleet) -> None:
    url = f"redis+cluster://operator:{fleet.passwords['OPERATOR']}@127.0.0.1:{fleet.primary().port}"
    assert "does not speak for a cluster" in refused(url)


def test_a_cluster_with_slots_that_nobody_serves_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    with started(lambda: ClusterFleet.start(tmp_path_factory.mktemp("c") / "fleet", slots=100)) as part:
        assert "the cluster serves 100 of 16384 slots" in refused(part.url)


@pytest.mark.parametrize(
    "command",
    [
        ("CONFIG", "SET", "tls-port", "1"),
        ("CONFIG", "GET", "*"),
        ("FLUSHALL",),
        ("REPLICAOF", "NO", "ONE"),
        ("SHUTDOWN",),
        ("ACL", "LIST"),
        ("KEYS", "*"),
        ("SET", "elsewhere", "1"),
        ("EVAL", "return 1", "0"),
        ("CLUSTER", "RESET"),
        ("CLIENT", "LIST"),
        ("MONITOR",),
    ],
)
def test_the_applications_user_can_do_nothing_else(fleet: SentinelFleet, command: tuple[str, ...]) -> None:
    port, once = fleet.primary().port, Retry(NoBackoff(), 0)
    with redis.Redis(port=port, retry=once) as stranger, pytest.raises(redis.exceptions.AuthenticationError):
        stranger.execute_command(*command)
    user = {"username": "overlay", "password": fleet.passwords["OVERLAY"]}
    with redis.Redis(port=port, retry=once, **user) as client, pytest.raises(redis.exceptions.NoPermissionError):
        client.execute_command(*command)


def test_what_was_written_under_these_users_is_loaded_again(fleet: SentinelFleet, tmp_path: Path) -> None:
    """Some releases drop every transaction from their log at load when no user may do everything."""
    store = Store(fleet.url, "quill", Vault(KeyRing.create(tmp_path / "keys"), "quill"), timeout_s=2, replicas=2)
    writes = tuple(Write("journal", f"r{number}", 0, b"x") for number in range(3))
    store.commit(Commit("canary", {}, writes, (b"one", b"two")))
    assert store.rewrite_log()
    store.commit(Commit("after", {}, (Write("journal", "r3", 0, b"x"),), (b"three",)))
    for node in fleet.nodes:
        node.kill()
    for node in fleet.nodes:
        node.start()
    fleet.wait_whole()
    assert len(wait_for(lambda: read(store)).records) == 4
    assert [entry.entry for entry in store.ledger()] == [b"one", b"two", b"three"]
    store.close()


def read(store: Store) -> Changes | None:
    try:
        return store.load("journal")
    except StoreUnavailable:
        return None
