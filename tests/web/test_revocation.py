"""What is taken back is gone within a second, on every process: two real workers over one store."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
import requests

from overlay import identity
from overlay.services import Services
from tests.conftest import REPOSITORY, Console, free_port
from tests.web.conftest import TIMEOUT_S, Visitor

PASSWORD = "a long enough password"
WITHIN_S = 1.0
CHECK = {"location": {"address": "14 Nowhere At All"}}


@pytest.fixture(scope="module")
def workers(console: Console) -> Iterator[list[str]]:
    """The addresses of two workers of the console's own store."""
    ports = [free_port(), free_port()]
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.web.one_worker", str(port)], env=console.environment(), cwd=REPOSITORY
        )
        for port in ports
    ]
    addresses = [f"http://127.0.0.1:{port}" for port in ports]
    try:
        until = time.monotonic() + 30
        for address in addresses:
            while True:
                try:
                    if requests.get(f"{address}/readyz", timeout=1).status_code == 200:
                        break
                except requests.RequestException:
                    time.sleep(0.1)
                assert time.monotonic() < until, "a worker did not start"
        yield addresses
    finally:
        for process in running:
            process.terminate()
            process.wait(timeout=10)


@pytest.fixture
def person(services: Services, request: pytest.FixtureRequest) -> str:
    username = f"r{abs(hash(request.node.nodeid)):x}"[:20]
    identity.create_account(
        services.store, services.access, username, "Robin Quill", "call_handler", PASSWORD, datetime.now(UTC)
    )
    return username


def until_refused(asks: list[Callable[[], int]], take_back: Callable[[], None]) -> list[float]:
    """Seconds from before the change to the first refusal of each worker; no worker lets anybody in after it."""
    refused = [0.0] * len(asks)
    go = threading.Event()
    began = [0.0]

    def watch(number: int) -> None:
        go.wait()
        while time.monotonic() - began[0] < WITHIN_S * 5:
            if asks[number]() in (303, 401):
                refused[number] = time.monotonic() - began[0]
                return
            time.sleep(0.002)

    threads = [threading.Thread(target=watch, args=(number,)) for number in range(len(asks))]
    for thread in threads:
        thread.start()
    assert all(ask() == 200 for ask in asks)
    began[0] = time.monotonic()
    go.set()
    take_back()
    for thread in threads:
        thread.join()
    assert all(refused), "a worker never noticed"
    assert all(ask() in (303, 401) for ask in asks)
    return refused


def pages(workers: list[str], cookie: str) -> list[Callable[[], int]]:
    def asking(address: str) -> Callable[[], int]:
        session = requests.Session()
        session.cookies.set("overlay-session", cookie)
        return lambda: session.get(address + "/", allow_redirects=False, timeout=TIMEOUT_S).status_code

    return [asking(address) for address in workers]


def now() -> datetime:
    return datetime.now(UTC)


WAYS: dict[str, Callable[[Services, str], None]] = {
    "end-sessions": lambda to, name: identity.end_sessions(to.store, to.access, name, now()),
    "disable": lambda to, name: identity.disable_account(to.store, to.access, name, now()),
    "role": lambda to, name: identity.set_role(to.store, to.access, name, "dispatcher", now()),
    "password": lambda to, name: identity.set_password(to.store, to.access, name, PASSWORD + "!", now()),
    "second-factor": lambda to, name: identity.reset_second_factor(to.store, to.access, name, now()),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_session_ends_on_every_process_within_a_second(
    workers: list[str], services: Services, person: str, way: str, record_property: Callable[[str, object], None]
) -> None:
    visitor = Visitor(workers[0])
    assert visitor.sign_in(person, PASSWORD).status_code == 303
    cookie = visitor.session.cookies["overlay-session"]
    asks = pages(workers, cookie)
    wait_for(asks)
    took = until_refused(asks, lambda: WAYS[way](services, person))
    tell(record_property, way, took)


def test_a_token_ends_on_every_process_within_a_second(
    workers: list[str], services: Services, record_property: Callable[[str, object], None]
) -> None:
    bearer = identity.create_token(services.store, services.access, "short-lived", "service", now(), 1)
    headers = {"Authorization": f"Bearer {bearer}"}

    def asking(address: str) -> Callable[[], int]:
        session = requests.Session()
        return lambda: (
            session.post(f"{address}/api/v1/checks", json=CHECK, headers=headers, timeout=TIMEOUT_S).status_code
        )

    asks = [asking(address) for address in workers]
    wait_for(asks)
    (token,) = (token for token in services.access.tokens() if token.name == "short-lived")
    took = until_refused(asks, lambda: revoke(services, token.token_id))
    tell(record_property, "token", took)


def revoke(services: Services, token_id: str) -> None:
    identity.revoke_token(services.store, services.access, token_id, now())


def test_locking_on_one_process_locks_on_the_other_within_a_second(workers: list[str], person: str) -> None:
    visitor = Visitor(workers[0])
    visitor.sign_in(person, PASSWORD)
    visitor.get("/")
    asks = pages(workers, visitor.session.cookies["overlay-session"])
    wait_for(asks)
    took = until_refused(asks, lambda: visitor.post("/lock", {}).raise_for_status())
    assert max(took) < WITHIN_S


def test_the_command_ends_sessions_and_the_person_may_sign_in_again(
    console: Console, workers: list[str], person: str
) -> None:
    visitor = Visitor(workers[0])
    visitor.sign_in(person, PASSWORD)
    asks = pages(workers, visitor.session.cookies["overlay-session"])
    wait_for(asks)
    assert person in console.run("users", "end-sessions", person).stdout
    time.sleep(WITHIN_S)
    assert all(ask() == 303 for ask in asks)
    assert visitor.sign_in(person, PASSWORD).status_code == 303


def wait_for(asks: list[Callable[[], int]]) -> None:
    """Until every worker knows of what was made a moment ago."""
    until = time.monotonic() + 5
    while not all(ask() == 200 for ask in asks):
        assert time.monotonic() < until
        time.sleep(0.02)


def tell(record_property: Callable[[str, object], None], what: str, took: list[float]) -> None:
    in_ms = [round(seconds * 1000) for seconds in took]
    record_property(f"revocation_{what}_ms", in_ms)
    print(f"revocation by {what}: {in_ms} ms")  # noqa: T201 - the figure, shown with -s
    assert max(took) < WITHIN_S
