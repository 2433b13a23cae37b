"""A cluster: areas on nodes of their own, served at once; a node that dies takes only its own areas along."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from markers.commits import Commit, Committed, Write
from markers.server import check_external
from markers.store import Store
from markers.store_errors import StoreUnavailable
from markers.vault import KeyRing, Vault
from overlay.identity import Counters
from overlay.identity.counters import PASSWORD_TRIES
from tests.faults.fleet import TLS, ClusterFleet, started, wait_for
from tests.faults.fleet_links import Encrypted
from tests.faults.fleet_writers import Writers, bound, say
from tests.web.test_tls import certificate

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterFleet]:
    with started(lambda: ClusterFleet.start(tmp_path_factory.mktemp("c") / "fleet", replicas=1)) as fleet:
        yield fleet


def apart(cluster: ClusterFleet, name: str) -> tuple[str, str]:
    """Two areas on nodes of their own, which no other test uses."""
    areas = [f"{name}{number}" for number in range(30)]
    first = areas[0]
    return first, next(area for area in areas if cluster.holder(area) is not cluster.holder(first))


def store_of(cluster: ClusterFleet, area: str, folder: Path) -> Store:
    store = Store(cluster.url, area, Vault(KeyRing.create(folder / area), area), timeout_s=0.5, replicas=1)
    wait_for(lambda: bound(store))  # a replica that has just been filled confirms nothing for a moment
    return store


def test_two_areas_on_two_nodes_are_served_at_once(cluster: ClusterFleet, tmp_path: Path) -> None:
    one, other = apart(cluster, "both")
    stores = {area: store_of(cluster, area, tmp_path) for area in (one, other)}
    for number in range(20):
        for area, store in stores.items():
            done = store.commit(Commit(f"{number}", {}, (Write("journal", f"r{number}", 0, area.encode()),), (b"e",)))
            assert isinstance(done, Committed)
            assert done.ledger == (number + 1,)
    for area, store in stores.items():
        assert {record.plain for record in store.load("journal").records} == {area.encode()}
        keys = [key for key in cluster.ask(cluster.holder(area), "KEYS", "wmo:*") if f"{{{area}}}" in key]
        assert f"wmo:{{{area}}}:ledger" in keys
        counters = Counters(cluster.url, area, 0.5)
        assert [counters.count(PASSWORD_TRIES, "ada") for _ in range(3)] == [1, 2, 3]
        store.close()
    assert not [key for key in cluster.ask(cluster.holder(one), "KEYS", "wmo:*") if f"{{{other}}}" in key]


def test_a_node_that_was_not_asked_points_to_the_right_one(cluster: ClusterFleet, tmp_path: Path) -> None:
    """The connection is to the node of another area at first, and each later command goes where the slot is."""
    store = Store(cluster.url, "pointed", Vault(KeyRing.create(tmp_path / "keys"), "pointed"), timeout_s=0.5)
    wrong = next(node for node in cluster.nodes[:3] if node is not cluster.holder("pointed"))
    primary = store._lines._primary
    assert primary is not None
    primary.doubt(("127.0.0.1", wrong.port))
    assert isinstance(store.commit(Commit("a", {}, (Write("journal", "a", 0, b"a"),))), Committed)
    assert primary.at()[1] == cluster.holder("pointed").port
    store.close()


def test_a_killed_node_is_replaced_and_other_areas_do_not_notice(cluster: ClusterFleet, tmp_path: Path) -> None:
    one, other = apart(cluster, "killed")
    with Writers(cluster.url, tmp_path / "w", one) as writers, Writers(cluster.url, tmp_path / "v", other) as others:
        node = cluster.holder(one)
        at = time.time()
        node.kill()
        wait_for(lambda: cluster.holder(one) is not node)
        node.start()  # the only other replica: until it is back nothing is confirmed
        say(f"killed: back after {writers.stood_still(at):.2f} s, the other area after {others.stood_still(at):.2f} s")
        cluster.wait_whole(1)
        assert cluster.replication(node)["role"] == "slave"
        time.sleep(0.5)
        again = cluster.holder(one)
        at = time.time()
        again.kill()
        again.start()
        say(f"restarted at once: back after {writers.stood_still(at):.2f} s")
        cluster.wait_whole(1)
    for counted in (writers, others):
        acknowledged, lost, doubled = counted.count()
        say(f"{acknowledged} acknowledged, {lost} lost, {doubled} doubled")
        assert (lost, doubled) == (0, 0)


def test_a_frozen_node_says_nothing_that_counts(cluster: ClusterFleet, tmp_path: Path) -> None:
    one, _ = apart(cluster, "frozen")
    with Writers(cluster.url, tmp_path / "w", one) as writers:
        node = cluster.holder(one)
        at = time.time()
        node.freeze()
        wait_for(lambda: [n for n in cluster.nodes if n is not node and cluster.replication(n)["role"] == "master"][2:])
        time.sleep(1)
        node.thaw()
        say(f"frozen: back after {writers.stood_still(at):.2f} s")
        cluster.wait_whole(1)
    assert writers.count()[1:] == (0, 0)


def test_links_are_cut_and_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    """First a node is cut off from its replicas alone, then from all nodes: another takes over while it listens."""
    with started(lambda: ClusterFleet.start(tmp_path / "fleet", replicas=2, proxied=True)) as fleet:
        one, other = apart(fleet, "cut")
        with (
            Writers(fleet.url, tmp_path / "w", one) as writers,
            Writers(fleet.url, tmp_path / "v", other, programs=1) as kept,
        ):
            node = fleet.holder(one)
            replicas = fleet.replicas_of(node)
            fleet.cut_off(node, replicas)
            time.sleep(1)
            before, unhindered = len(writers.acknowledged()), len(kept.acknowledged())
            time.sleep(1.5)
            assert len(writers.acknowledged()) == before, "nothing is acknowledged that no replica has"
            assert len(kept.acknowledged()) > unhindered, "other areas do not notice"
            fleet.heal()
            say(f"replicas back: {writers.stood_still(time.time()):.2f} s")
            fleet.wait_whole(2)
            assert fleet.holder(one) is node

            at = time.time()
            fleet.cut_off(node, [each for each in fleet.nodes if each is not node])
            wait_for(lambda: [each for each in replicas if fleet.replication(each)["role"] == "master"])
            assert fleet.replication(node)["role"] == "master", "it does not know that it was replaced"
            back, unhindered_s = writers.stood_still(at), kept.stood_still(at)
            say(f"cut off: back after {back:.2f} s, the other area after {unhindered_s:.2f} s")
            time.sleep(1)
            fleet.heal()
            fleet.wait_whole(2)
            assert fleet.replication(node)["role"] == "slave"
        for counted in (writers, kept):
            acknowledged, lost, doubled = counted.count()
            say(f"{acknowledged} acknowledged, {lost} lost, {doubled} doubled")
            assert (lost, doubled) == (0, 0)


@pytest.mark.skipif(TLS, reason="the nodes themselves speak nothing else")
def test_every_node_that_the_cluster_names_is_spoken_to_in_tls(tmp_path: Path) -> None:
    """The one node announces a port that takes nothing else; its certificate is believed by its authority alone."""
    cert, key = certificate(tmp_path)
    with started(lambda: ClusterFleet.start(tmp_path / "fleet")) as fleet:
        front = Encrypted(fleet.holder("quill").port, cert, key)
        try:
            fleet.ask(fleet.holder("quill"), "CONFIG", "SET", "cluster-announce-port", str(front.port))
            hosts = f"overlay:{fleet.passwords['OVERLAY']}@127.0.0.1:{front.port}"
            url = f"rediss+cluster://{hosts}?ssl_ca_certs={cert}"
            assert check_external(url, 2, "quill").note
            vault = Vault(KeyRing.create(tmp_path / "keys"), "quill")
            store = Store(url, "quill", vault, timeout_s=2)
            assert isinstance(store.commit(Commit("a", {}, (Write("journal", "a", 0, b"a"),))), Committed)
            assert [record.plain for record in store.load("journal").records] == [b"a"]
            store.close()
            for wrong in (url.replace("rediss", "redis").partition("?")[0], url.partition("?")[0]):
                with pytest.raises(StoreUnavailable):
                    Store(wrong, "quill", vault, timeout_s=0.5).bind()
        finally:
            front.stop()


def test_a_cluster_that_is_down_is_said(tmp_path: Path) -> None:
    """No node at all, and a URL that names none of a cluster's."""
    store = Store("redis+cluster://127.0.0.1:1", "a", Vault(KeyRing.create(tmp_path / "k"), "a"), timeout_s=0.3)
    with pytest.raises(StoreUnavailable, match="no primary: no node of the cluster says who serves"):
        store.ping()
    store.close()
