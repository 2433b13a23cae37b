"""What Prometheus reads: counts by route and status, and no single check."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.conftest import Console, free_port
from tests.web.conftest import TIMEOUT_S, Visitor


@pytest.fixture
def two_workers(tmp_path: Path) -> Iterator[Console]:
    running = Console(tmp_path / "data", free_port(), {"OVERLAY_WORKERS": "2"})
    running.start()
    yield running
    running.stop()


def figures(console: Console, headers: dict[str, str]) -> dict[str, float]:
    """Every sample by its name and labels."""
    reply = requests.get(f"{console.url}/metrics", headers=headers, timeout=TIMEOUT_S)
    assert reply.status_code == 200
    assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = [line for line in reply.text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_counts_are_of_all_workers_and_outcomes_come_in_crowds(two_workers: Console) -> None:
    headers = {"Authorization": f"Bearer {two_workers.token()}"}
    hit, clear = (next(a for a, expect in two_workers.tries if expect == wanted) for wanted in ("hit", "clear"))

    def check(address: str) -> None:
        asked = {"location": {"address": address}}
        url = f"{two_workers.url}/api/v1/checks"
        assert requests.post(url, json=asked, headers=headers, timeout=TIMEOUT_S).status_code == 200

    made = 'overlay_requests_total{method="POST",route="/api/v1/checks",status="200"}'
    two_workers.wait_proved()
    before = figures(two_workers, headers)[made]
    check(hit)
    first = figures(two_workers, headers)
    assert first[made] == before + 1
    assert first["overlay_proved"] == 1
    assert not [name for name in first if name.startswith("overlay_checks_total")], "one check is nobody's figure"
    assert first["overlay_store_current"] == 1
    assert first["overlay_spool_waiting"] == 0
    for address in (hit, clear) * 40:
        check(address)
    seen = [figures(two_workers, headers) for _ in range(6)]
    assert {found[made] for found in seen} == {before + 81}, "whichever worker answers"
    last = seen[-1]
    for outcome in ("hit", "clear"):
        assert 10 <= last[f'overlay_checks_total{{outcome="{outcome}"}}'] <= 41
    # A time is a step, so the sum of one check tells no more than its bucket.
    total = last['overlay_request_seconds_sum{route="/api/v1/checks"}']
    assert total / 0.025 == pytest.approx(round(total / 0.025))
    labels = {label for name in last for label in re.findall(r'route="([^"]*)"', name)}
    assert labels <= {"/api/v1/checks", "/metrics", "/healthz", "/readyz", "none"}


def test_a_stranger_invents_no_label(console: Console, bearer: Callable[[str], dict[str, str]]) -> None:
    requests.request("CANARY", f"{console.url}/canary-path", timeout=TIMEOUT_S)
    names = "".join(figures(console, bearer("service")))
    assert "canary" not in names.casefold()
    assert 'method="other",route="none",status="404"' in names


def test_a_person_signed_in_reads_no_figures(signed_in: Callable[[str], Visitor]) -> None:
    assert signed_in("administrator").get("/metrics").status_code == 401


def test_whoever_asks_too_often_waits_and_checks_go_on(tmp_path: Path) -> None:
    running = Console(tmp_path / "data", free_port(), {"OVERLAY_WORKERS": "1", "OVERLAY_REQUESTS_PER_MINUTE": "120"})
    running.start()
    try:
        headers = {"Authorization": f"Bearer {running.token()}"}
        with requests.Session() as session:
            described = [
                session.get(f"{running.url}/api/v1/openapi.json", headers=headers, timeout=TIMEOUT_S).status_code
                for _ in range(140)
            ]
            assert (described.count(200), described.count(429)) == (120, 20)
            refused = session.get(f"{running.url}/api/v1/openapi.json", headers=headers, timeout=TIMEOUT_S)
            assert refused.json()["type"] == "urn:overlay:problem:too-often"
            assert refused.headers["Retry-After"] == "60"
            assert refused.headers["Content-Security-Policy"]
            address, expect = running.tries[0]
            for _ in range(140):
                reply = session.post(
                    f"{running.url}/api/v1/checks",
                    json={"location": {"address": address}},
                    headers=headers,
                    timeout=TIMEOUT_S,
                )
                assert reply.json()["status"] == expect
            assert {session.get(f"{running.url}/healthz", timeout=TIMEOUT_S).status_code for _ in range(140)} == {200}
    finally:
        running.stop()
