"""The proof of life on a real console: a marker no longer found, or a prover that hangs, is on every screen."""

from __future__ import annotations

import os
import signal
import uuid
from collections import Counter

import pytest
import requests

from markers.commits import Commit, Write
from markers.model import PROOF_OF_LIFE
from overlay.services import Services
from overlay.settings import Settings
from tests.conftest import Console, free_port
from tests.faults.test_killed import children
from tests.faults.test_store_away import check, clear_address, ready, until
from tests.web.conftest import Visitor

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory):
    running = Console(tmp_path_factory.mktemp("proving") / "data", free_port(), {"OVERLAY_PROOF_S": "1"})
    running.start()
    yield running
    running.stop()


def detail(console: Console) -> str:
    reply = requests.get(f"{console.url}/readyz", timeout=5)
    return str(reply.json()["detail"]) if reply.status_code == 503 else ""


def state(console: Console) -> str:
    return (console.data / "proof" / "state.json").read_text()


def test_a_marker_that_checks_no_longer_find_turns_every_screen_red(console: Console) -> None:
    until(lambda: "proved" in state(console))
    token = console.token()
    browser = Visitor(console.url)
    browser.sign_in(*console.accounts["call_handler"])
    beside = Services.start(Settings.read(console.environment()), follow=False)
    try:
        marker = beside.index.get(PROOF_OF_LIFE)
        assert marker is not None
        kept = beside.store.records("markers", [PROOF_OF_LIFE])[0]
        beside.commit(
            Commit(str(uuid.uuid4()), {}, (Write("markers", PROOF_OF_LIFE, kept.version, None),)), beside.now()
        )
        until(lambda: not ready(console))
        assert "PROOF OF LIFE FAILED" in detail(console)
        assert "a test home that carries a marker" in detail(console)
        answer = check(console, token, clear_address(console))
        assert answer["status"] == "could_not_check"
        assert "missing markers" in str(answer["reason"])
        for path in ("/", "/store-state"):
            page = browser.get(path).text
            assert "store-state--unproven" in page
            assert "treat every “no marker” as unknown" in page
        beside.commit(Commit(str(uuid.uuid4()), {}, (Write("markers", PROOF_OF_LIFE, 0, kept.plain),)), beside.now())
    finally:
        beside.close()
    until(lambda: ready(console))
    assert check(console, token, clear_address(console))["status"] == "clear"
    assert "store-state--current" in browser.get("/").text


def test_a_prover_that_hangs_is_noticed(console: Console) -> None:
    until(lambda: "proved" in state(console))
    pid = console.part("overlay.proving")
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        until(lambda: not ready(console), 60)
        assert "no check was proved since" in detail(console)
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: ready(console))


def test_a_web_worker_that_hangs_alone_is_noticed_and_replaced(console: Console) -> None:
    """The other one goes on answering, and must not be taken for both."""
    until(lambda: ready(console))
    before = children(console, "worker")
    os.kill(before[0], signal.SIGSTOP)
    until(lambda: "a web worker did not answer within 5 seconds" in state(console), 60)
    pages = Counter(red(console) for _ in range(4))
    assert set(pages) <= {True, None}, "red, or nothing from the one that hangs"
    until(lambda: before[0] not in children(console, "worker"), 60)
    assert "worker_hung" in console.log()
    until(lambda: len(children(console, "worker")) == 2)
    until(lambda: "proved" in state(console))
    until(lambda: ready(console))
    assert before[1] in children(console, "worker")


def red(console: Console) -> bool | None:
    """Whether a new connection is told that the proof failed; None for no answer."""
    try:
        return requests.get(f"{console.url}/readyz", timeout=1).status_code == 503
    except requests.RequestException:  # also when the one that hangs is ended meanwhile
        return None


def test_a_console_that_cannot_say_what_was_proved_is_not_ready(console: Console) -> None:
    """As after a start with a full disk: nothing was ever written of it."""
    until(lambda: ready(console))
    pid = console.part("overlay.proving")
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        (console.data / "proof" / "state.json").unlink()
        until(lambda: not ready(console))
        assert "what it found can't be read" in detail(console)
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: ready(console))


def test_a_prover_that_is_killed_is_started_again_and_a_clean_stop_leaves_nothing(console: Console) -> None:
    until(lambda: "proved" in state(console))
    first = console.part("overlay.proving")
    assert first is not None
    os.kill(first, signal.SIGKILL)
    until(lambda: console.part("overlay.proving") not in (None, first))
    console.stop()
    assert not (console.data / "proof" / "state.json").exists()
    console.start()
    until(lambda: "proved" in state(console))
