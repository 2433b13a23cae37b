"""More than can be answered, on a real console with a slow store: checks are all answered, what matters least waits."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.conftest import MANY_REQUESTS, Console, free_port
from tests.faults.fleet_writers import say
from tests.faults.test_degraded import Server
from tests.faults.test_store_away import clear_address, hit_address, until
from tests.web.conftest import Visitor

pytestmark = pytest.mark.faults

_LONG_S = 8.0
_LATE_S = 0.15
_HTMX = {"HX-Request": "true"}


@pytest.fixture
def console(tmp_path: Path) -> Iterator[tuple[Console, Server]]:
    server = Server(tmp_path / "server", free_port())
    server.start()
    (tmp_path / "data").mkdir(mode=0o700)
    few = {"OVERLAY_STORE_URL": server.line.url, "OVERLAY_WORKERS": "1", "OVERLAY_THREADS": "4"}
    console = Console(tmp_path / "data", free_port(), few | MANY_REQUESTS)
    try:
        console.start()
        yield console, server
    finally:
        console.stop()
        server.stop()


def test_checks_are_answered_whatever_else_is_asked(console: tuple[Console, Server]) -> None:
    flooded, server = console
    bearer = {"Authorization": f"Bearer {flooded.token()}"}
    browser, auditor = Visitor(flooded.url), Visitor(flooded.url)
    for visitor, role in ((browser, "control_room_supervisor"), (auditor, "auditor")):
        assert visitor.sign_in(*flooded.accounts[role]).status_code == 303
    cookies = {who: visitor.session.cookies.get_dict() for who, visitor in (("board", browser), ("ledger", auditor))}
    told: dict[str, Counter[int]] = defaultdict(Counter)
    wrong: list[object] = []
    slowest: Counter[str] = Counter()
    refusals: list[requests.Response] = []
    over = threading.Event()

    def ask(what: str, once: Callable[[requests.Session], requests.Response]) -> None:
        with requests.Session() as session:
            while not over.is_set():
                began = time.monotonic()
                try:
                    reply = once(session)
                except requests.RequestException as error:
                    wrong.append(error)
                    continue
                slowest[what] = max(slowest[what], time.monotonic() - began)  # type: ignore[assignment]
                told[what][reply.status_code] += 1
                if reply.status_code == 503:
                    refusals.append(reply)

    def check(address: str, right: str) -> Callable[[requests.Session], requests.Response]:
        def once(session: requests.Session) -> requests.Response:
            reply = session.post(
                f"{flooded.url}/api/v1/checks", json={"location": {"address": address}}, headers=bearer, timeout=60
            )
            if reply.status_code == 200 and reply.json()["status"] not in (right, "could_not_check"):
                wrong.append(reply.json())
            return reply

        return once

    def get(path: str, who: str = "", **headers: str) -> Callable[[requests.Session], requests.Response]:
        return lambda session: session.get(
            flooded.url + path, headers=headers, cookies=cookies.get(who), timeout=60, allow_redirects=False
        )

    asked = [
        *[("check", check(hit_address(flooded), "hit")), ("check", check(clear_address(flooded), "clear"))] * 3,
        *[("page", get("/ledger", "ledger"))] * 6,
        *[("refresh", get("/board", "board", **_HTMX)), ("refresh", get("/api/v1/incidents", **bearer))] * 8,
    ]
    server.line.late_s = _LATE_S
    callers = [threading.Thread(target=ask, args=each) for each in asked]
    for caller in callers:
        caller.start()
    time.sleep(_LONG_S)
    over.set()
    for caller in callers:
        caller.join(90)
    server.line.late_s = 0.0
    for what, codes in sorted(told.items()):
        say(f"{what}: {dict(codes)}, slowest {slowest[what]:.2f} s")
    assert set(told["check"]) == {200}
    assert told["check"][200] > sum(told["refresh"].values()) - told["refresh"][503], (
        "the last are not before the first"
    )
    assert told["check"][200] > 20
    assert not wrong
    assert set(told["refresh"]) <= {200, 503}
    assert told["refresh"][503] > 0
    assert told["page"]
    assert set(told["page"]) <= {200, 503}
    assert all(reply.headers["Retry-After"] for reply in refusals)
    assert all("checks come first" in reply.text for reply in refusals)
    until(lambda: get("/board", "board", **_HTMX)(requests.Session()).status_code == 200)
