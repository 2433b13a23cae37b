"""Two consoles with folders of their own on one store behind Sentinels, and its primary killed under their calls."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.conftest import Console, free_port
from tests.faults.fleet import SentinelFleet, started, wait_for
from tests.faults.fleet_writers import say
from tests.faults.test_console_killed import Caller, hit_address, ledger

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]


@pytest.fixture
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SentinelFleet]:
    with started(lambda: SentinelFleet.start(tmp_path_factory.mktemp("f") / "fleet")) as fleet:
        yield fleet


@pytest.fixture
def hosts(fleet: SentinelFleet, tmp_path: Path) -> Iterator[tuple[Console, Console]]:
    """The second has the first one's keys and gazetteer, and nothing else of it."""
    outside = {
        "OVERLAY_STORE_URL": fleet.url,
        "OVERLAY_STORE_DURABILITY": "replicated",
        "OVERLAY_STORE_TIMEOUT_S": "0.5",
        "OVERLAY_WORKERS": "1",
    }
    first, second = (Console(tmp_path / name, free_port(), outside) for name in ("first", "second"))
    first.data.mkdir(mode=0o700)
    second.data.mkdir(mode=0o700)
    first.start()
    try:
        for part in ("keys", "gazetteer"):
            shutil.copytree(first.data / part, second.data / part)
        second.start()
        yield first, second
    finally:
        for console in (first, second):
            if console.process is not None:
                console.stop()


def check(console: Console, token: str, address: str) -> dict[str, object]:
    reply = requests.post(
        f"{console.url}/api/v1/checks",
        json={"location": {"address": address}},
        headers={"Authorization": f"Bearer {token}"},
        timeout=5,
    )
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


def test_two_web_hosts_on_one_store_and_a_failover_under_their_calls(
    fleet: SentinelFleet, hosts: tuple[Console, Console], tmp_path: Path
) -> None:
    first, second = hosts
    token = first.token()
    added = next(address for address, expect in first.tries if expect == "clear")
    assert [check(host, token, added)["status"] for host in hosts] == ["clear", "clear"]
    (tmp_path / "more.csv").write_text(
        f'reference,category,address\nEXTRA-1,domestic_abuse_risk,"{added}"\n', encoding="utf-8"
    )
    first.run("markers", "import", str(tmp_path / "more.csv"), "--by", "A", "--approved-by", "B")
    assert [check(host, token, added)["status"] for host in hosts] == ["hit", "hit"], "in the very next check"

    stop = threading.Event()
    callers = [Caller(host, token, address, stop) for host in hosts for address in (added, hit_address(first))]
    for caller in callers:
        caller.start()
    primary = fleet.wait_whole()
    time.sleep(1)
    at = time.monotonic()
    before = [len(caller.answers) for caller in callers]
    primary.kill()
    wait_for(lambda: all(back(caller, begun) for caller, begun in zip(callers, before, strict=True)))
    say(f"both hosts answer from current markers again after {time.monotonic() - at:.1f} s")
    primary.start()
    fleet.wait_whole()
    stop.set()
    for caller in callers:
        caller.join(timeout=10)

    answers = [answer for caller in callers for answer in caller.answers]
    assert {answer["status"] for answer in answers} == {"hit", "could_not_check"}
    assert all(answer["matches"] for answer in answers), "what was last known is shown"
    assert {answer["store"] for answer in answers if answer["status"] == "hit"} == {"current"}
    assert {code for caller in callers for code in caller.refusals} <= {503}

    told = {str(answer["ledger_entry"]) for answer in answers}
    missing = wait_for(lambda: "none" if not told - set(ledger(first)) else None)
    assert missing == "none", "every answer is in the ledger, those of the outage replayed"
    assert check(second, token, added)["status"] == "hit"
    assert json.loads(second.run("check", added, "--json").stdout)["status"] == "hit"

    # A rotation uses what nothing else does of what the store's user may do.
    assert json.loads(first.run("keys", "rotate", "--json").stdout)["key_id"]
    assert json.loads(first.run("keys", "check", "--json").stdout)["unopened"] == []


def back(caller: Caller, begun: int) -> bool:
    """It met the outage, and is through it."""
    answers = caller.answers[begun:]
    stores = [answer["store"] for answer in answers]
    return "last_known" in stores and stores[-1] == "current"
