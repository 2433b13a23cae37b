"""A primary killed, restarted at once, frozen or cut off while programs write: nothing acknowledged is lost or doubled.

`FAILOVERS=100` kills and quick restarts a hundred times each and says how long writing stood still (`make faults`).
"""

from __future__ import annotations

import os
import random
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from markers.commits import Commit, Committed, Moved, Write
from markers.store import Store
from markers.store_errors import StoreUnavailable
from markers.vault import KeyRing, Vault
from tests.faults.fleet import SENTINELS, SentinelFleet, Server, source, started, wait_for
from tests.faults.fleet_writers import Writers, bound, say

FAILOVERS = int(os.environ.get("FAILOVERS", "1"))
AREA = "quill"

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240 + 60 * FAILOVERS)]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SentinelFleet]:
    with started(lambda: SentinelFleet.start(tmp_path_factory.mktemp("f") / "fleet")) as fleet:
        yield fleet


def killed(fleet: SentinelFleet, primary: Server, chance: random.Random) -> None:
    primary.kill()
    wait_for(lambda: fleet.primary() is not primary)
    time.sleep(chance.uniform(0, 1))
    primary.start()


def restarted_at_once(fleet: SentinelFleet, primary: Server, chance: random.Random) -> None:
    primary.kill()
    time.sleep(chance.uniform(0, 0.4))
    primary.start()
    wait_for(lambda: fleet.primary() is not primary)


def test_killed_and_restarted_at_once_under_load(fleet: SentinelFleet, tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    say(f"seed {seed}")
    rounds: dict[str, list[float]] = {}
    with Writers(fleet.url, tmp_path / "w", AREA) as writers:
        for number in range(2 * FAILOVERS):
            fault = (killed, restarted_at_once)[number % 2]
            primary = fleet.wait_whole()
            time.sleep(chance.uniform(0, 0.5))
            at = time.time()
            fault(fleet, primary, chance)
            rounds.setdefault(fault.__name__, []).append(writers.stood_still(at))
            fleet.wait_whole()
            assert fleet.replication(primary)["role"] == "slave", "it comes back as a replica"
    acknowledged, lost, doubled = writers.count()
    for name, times in rounds.items():
        p95 = statistics.quantiles(times, n=20, method="inclusive")[-1] if len(times) > 1 else times[0]
        say(f"{name}: {len(times)} rounds, back after p50 {statistics.median(times):.2f} s, p95 {p95:.2f} s")
    say(f"{acknowledged} acknowledged, {lost} lost, {doubled} doubled")
    assert (lost, doubled) == (0, 0)
    assert acknowledged > 50 * FAILOVERS


def test_a_frozen_primary_is_replaced_and_what_it_says_when_it_thaws_counts_for_nothing(
    fleet: SentinelFleet, tmp_path: Path
) -> None:
    """It thaws when one replica is primary already and the other still follows it, and would confirm anything."""
    chance = random.Random()
    times = [0.6, *(chance.uniform(1.2, 3.6) for _ in range(2 * FAILOVERS))]
    back: list[float] = []
    with Writers(fleet.url, tmp_path / "w", "frozen") as writers:
        for frozen_s in times:
            primary = fleet.wait_whole()
            at = time.time()
            primary.freeze()
            time.sleep(frozen_s)
            primary.thaw()
            back.append(writers.stood_still(at))
            fleet.wait_whole()
    acknowledged, lost, doubled = writers.count()
    say(f"frozen: {len(times)} rounds, back after p50 {statistics.median(back):.2f} s, at most {max(back):.2f} s")
    say(f"{acknowledged} acknowledged, {lost} lost, {doubled} doubled")
    assert (lost, doubled) == (0, 0)


def test_a_commit_is_acknowledged_only_with_its_replicas(fleet: SentinelFleet, tmp_path: Path) -> None:
    """Sent again on a connection of its own it writes nothing new, and `WAITAOF` alone would call that confirmed."""
    primary = fleet.wait_whole()
    replicas = [node for node in fleet.nodes if node is not primary]
    vault = Vault(KeyRing.create(tmp_path / "keys"), "alone")
    store, again = (Store(fleet.url, "alone", vault, timeout_s=0.5, replicas=2) for _ in range(2))
    wait_for(lambda: bound(store))  # replicas that are only busy confirm nothing for a moment
    wait_for(lambda: bound(again))
    commit = Commit("once", {}, (Write("journal", "a", 0, b"a"),), (b"entry",))
    replicas[0].freeze()
    try:
        for one in (store, again, store):
            with pytest.raises(StoreUnavailable, match="too few of its replicas confirmed"):
                one.commit(commit)
        with pytest.raises(StoreUnavailable, match="too few of its replicas confirmed"):
            store.commit(Commit("nothing", {}))
    finally:
        replicas[0].thaw()
    done = wait_for(lambda: acknowledged(again, commit))
    assert done.repeated
    assert [entry.entry for entry in store.ledger()] == [b"entry"]
    store.close()
    again.close()


def acknowledged(store: Store, commit: Commit) -> Committed | Moved | None:
    try:
        return store.commit(commit)
    except StoreUnavailable:
        return None


def test_copies_are_read_anew_from_another_primary(fleet: SentinelFleet, tmp_path: Path) -> None:
    """What one primary told before it was lost may never have reached the next."""
    vault = Vault(KeyRing.create(tmp_path / "keys"), "anew")
    store = Store(fleet.url, "anew", vault, timeout_s=0.5, replicas=1)
    store.commit(Commit("one", {}, (Write("journal", "a", 0, b"a"),)))
    at = store.load("journal").position
    assert isinstance(store.commit(Commit("two", {"journal": at})), Committed)
    assert not store.changes("journal", at).reload

    primary = fleet.wait_whole()
    primary.kill()
    wait_for(lambda: fleet.primary() is not primary)
    primary.start()
    moved = wait_for(lambda: acknowledged(store, Commit("three", {"journal": at})))
    assert isinstance(moved, Moved)
    assert moved.changes["journal"].reload
    assert store.changes("journal", at).reload
    assert store.load("journal").position == at
    assert isinstance(wait_for(lambda: acknowledged(store, Commit("four", {"journal": at}))), Committed)
    store.close()


@pytest.mark.parametrize("which", ["counted", "back since"])
def test_as_many_confirm_as_were_counted_and_not_the_one_that_was_just_promoted(
    fleet: SentinelFleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    """A primary that is slow to the Sentinels and quick to us is replaced, just as another replica is back in step."""
    monkeypatch.setattr("markers.primary.COUNTED_S", 3600.0)
    area = f"named-{which[:4]}"
    store = Store(fleet.url, area, Vault(KeyRing.create(tmp_path / "keys"), area), timeout_s=0.5, replicas=1)
    primary = fleet.wait_whole()
    counted, other = [node for node in fleet.nodes if node is not primary]
    promoted = counted if which == "counted" else other
    other.kill()
    wait_for(lambda: acknowledged(store, Commit("one", {}, (Write("journal", "a", 0, b"a"),))))
    other.start()
    assert fleet.wait_whole() is primary
    fleet.ask(promoted, "REPLICAOF", "NO", "ONE")
    two = Commit("two", {}, (Write("journal", "b", 0, b"b"),))
    assert acknowledged(store, two) is None, "what is promoted has nothing of it"
    wait_for(lambda: acknowledged(store, two))
    assert fleet.wait_whole() is primary, "the Sentinels put back what they did not promote themselves"
    store.close()


def test_all_of_them_killed_at_once_and_the_one_that_was_primary_comes_back_last(
    fleet: SentinelFleet, tmp_path: Path
) -> None:
    """One replica lacks what the others have; none may be chosen before the primary is there and has filled them."""
    with Writers(fleet.url, tmp_path / "w", "power") as writers:
        primary = fleet.wait_whole()
        behind, *others = [node for node in fleet.nodes if node is not primary]
        behind.freeze()
        time.sleep(1.5)
        for server in (*fleet.nodes, *fleet.sentinels):
            server.kill()
        before = len(writers.acknowledged())
        for server in (*fleet.sentinels, behind, *others):
            server.start()
        time.sleep(3)
        assert len(writers.acknowledged()) == before, "nobody else took over"
        primary.start()
        say(f"the last one of all is started: back after {writers.stood_still(time.time()):.2f} s")
        assert fleet.wait_whole() is primary
    acknowledged, lost, doubled = writers.count()
    say(f"{acknowledged} acknowledged, {lost} lost, {doubled} doubled")
    assert (lost, doubled) == (0, 0)


@pytest.fixture
def linked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SentinelFleet]:
    with started(lambda: SentinelFleet.start(tmp_path_factory.mktemp("f") / "fleet", proxied=True)) as fleet:
        yield fleet


def test_links_are_cut_and_nothing_acknowledged_is_lost(linked: SentinelFleet, tmp_path: Path) -> None:
    """First only the replicas are cut off, then the Sentinels too: another takes over while the old one listens."""
    with Writers(linked.url, tmp_path / "w", AREA) as writers:
        primary = linked.wait_whole()
        link = linked.proxies[primary.port]
        others = [source(number) for number, node in enumerate(linked.nodes) if node is not primary]
        link.cut(*others)
        time.sleep(1)
        before = len(writers.acknowledged())
        time.sleep(1.5)
        assert len(writers.acknowledged()) == before, "nothing is acknowledged that no replica has"
        link.heal()
        say(f"replicas back: {writers.stood_still(time.time()):.2f} s")
        assert linked.wait_whole() is primary

        at = time.time()
        link.cut(*others, *SENTINELS)
        wait_for(lambda: linked.primary() is not primary)
        say(f"cut off: back after {writers.stood_still(at):.2f} s")
        time.sleep(1)
        link.heal()
        linked.wait_whole()
        assert linked.replication(primary)["role"] == "slave"
    acknowledged, lost, doubled = writers.count()
    say(f"{acknowledged} acknowledged, {lost} lost, {doubled} doubled")
    assert (lost, doubled) == (0, 0)


def test_a_sentinel_cut_off_from_the_primary_stops_nothing(linked: SentinelFleet, tmp_path: Path) -> None:
    """It alone holds the primary for down, is not followed by the others, and is the first one asked."""
    with Writers(linked.url, tmp_path / "w", AREA) as writers:
        primary = linked.wait_whole()
        linked.proxies[primary.port].cut(SENTINELS[0])
        wait_for(lambda: "s_down" in linked.state(linked.sentinels[0])["flags"])
        time.sleep(1.5)  # longer than what was asked before is relied on
        before = len(writers.acknowledged())
        time.sleep(1.5)
        assert len(writers.acknowledged()) > before
        assert "s_down" in linked.state(linked.sentinels[0])["flags"]
        linked.proxies[primary.port].heal()
        assert linked.wait_whole() is primary
    _, lost, doubled = writers.count()
    assert (lost, doubled) == (0, 0)
