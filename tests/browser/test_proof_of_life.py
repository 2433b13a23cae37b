"""The proof of life in a real browser: an open page turns red by itself, says what to do, and turns back."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from markers.commits import Commit, Record, Write
from markers.model import PROOF_OF_LIFE
from overlay.services import Services
from overlay.settings import Settings
from tests.browser.conftest import Open
from tests.browser.test_accessibility import violations
from tests.conftest import Console, free_port

pytestmark = [pytest.mark.browser, pytest.mark.faults]


@pytest.fixture(scope="module")
def proving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A console that proves itself every second."""
    console = Console(tmp_path_factory.mktemp("proving") / "data", free_port(), {"OVERLAY_PROOF_S": "1"})
    console.start()
    yield console
    console.stop()


def lose(console: Console) -> Record:
    """Take the marker of the proof away, as a fault would."""
    services = Services.start(Settings.read(console.environment()), follow=False)
    try:
        kept = services.store.records("markers", [PROOF_OF_LIFE])[0]
        gone = Write("markers", PROOF_OF_LIFE, kept.version, None)
        services.commit(Commit(str(uuid.uuid4()), {}, (gone,)), services.now())
        return kept
    finally:
        services.close()


def put_back(console: Console, kept: Record) -> None:
    services = Services.start(Settings.read(console.environment()), follow=False)
    try:
        back = Write("markers", PROOF_OF_LIFE, 0, kept.plain)
        services.commit(Commit(str(uuid.uuid4()), {}, (back,)), services.now())
    finally:
        services.close()


@pytest.mark.parametrize("role", ["call_handler", "auditor"])
def test_an_open_page_turns_red_by_itself_and_back(proving: Console, open_screen: Open, role: str) -> None:
    screen = open_screen(proving)
    screen.sign_in(role) if role == "call_handler" else _sign_in(screen, role)
    screen.page.wait_for_selector(".store-state--current")
    kept = lose(proving)
    try:
        screen.page.wait_for_selector(".store-state--unproven", timeout=40_000)
        band = screen.page.inner_text("#store-state")
        assert band.startswith("PROOF OF LIFE FAILED")
        assert "treat every “no marker” as unknown" in band
        assert screen.page.get_attribute("#store-state p", "role") == "alert"
        assert violations(screen) == []
    finally:
        put_back(proving, kept)
    if role == "call_handler":  # told at once; others ask now and then, which would take another quarter of a minute
        screen.page.wait_for_selector(".store-state--current", timeout=60_000)


def _sign_in(screen, role: str) -> None:
    username, password = screen.console.accounts[role]
    screen.page.goto(screen.console.url)
    screen.type(username)
    screen.press("Tab")
    screen.type(password)
    screen.press("Enter")
    screen.page.wait_for_selector("#store-state")
