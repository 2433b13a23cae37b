"""Whatever stops answering, the page says that it could not check; an earlier result never stands as if current."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.browser.conftest import Open, Screen
from tests.conftest import Console

pytestmark = [pytest.mark.browser, pytest.mark.faults]


def family(pid: int) -> list[int]:
    """A process and all it started, from the kernel's own table."""
    started = [
        int(child)
        for task in Path(f"/proc/{pid}/task").glob("*/children")
        for child in task.read_text().split()
    ]  # fmt: skip
    return [pid, *(grandchild for child in started for grandchild in family(child))]


@contextmanager
def frozen(pids: list[int]) -> Iterator[None]:
    """The processes hold still without dying, as on a machine that has run out of everything."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@pytest.fixture
def own_handler(open_screen: Open, own_console: Console) -> Screen:
    screen = open_screen(own_console)
    screen.sign_in("call_handler")
    return screen


def _addresses(console: Console) -> dict[str, str]:
    return {expect: address for address, expect in console.tries}


def test_a_dead_server_is_could_not_check(own_handler: Screen, own_console: Console) -> None:
    own_handler.check(_addresses(own_console)["clear"])
    assert own_handler.result == "clear"
    own_console.stop()
    own_handler.press("Enter")
    own_handler.page.wait_for_selector("#answer[aria-busy=false] [data-result=could_not_check]")
    assert own_handler.heading == "COULD NOT CHECK: treat as unknown"
    assert "NO MARKER" not in own_handler.words
    assert "can’t be reached" in own_handler.words
    assert "NO ANSWER FROM THE SERVER" in own_handler.store_words
    assert own_handler.spoken.startswith("COULD NOT CHECK")
    own_handler.picture("server-dead")


def test_a_silent_server_is_could_not_check_within_three_seconds(own_handler: Screen, own_console: Console) -> None:
    own_handler.check(_addresses(own_console)["clear"])
    with frozen(family(own_console.pid)):
        started = time.monotonic()
        own_handler.press("Enter")
        own_handler.page.wait_for_selector("#answer[aria-busy=true]", timeout=1_000)
        own_handler.page.wait_for_selector("#under-way", state="visible", timeout=1_000)
        own_handler.picture("check-under-way")
        own_handler.page.wait_for_selector("#answer[aria-busy=false] [data-result=could_not_check]")
        assert 2.5 < time.monotonic() - started < 8
        assert "did not answer within 3 seconds" in own_handler.words
    own_handler.press("Enter")
    own_handler.page.wait_for_selector("#answer[aria-busy=false] [data-result=clear]")
    assert "Checked against current markers" in own_handler.store_words


def test_escape_while_a_check_is_under_way_leaves_no_late_result(own_handler: Screen, own_console: Console) -> None:
    own_handler.press("Escape")
    with frozen(family(own_console.pid)):
        own_handler.type(_addresses(own_console)["hit"])
        own_handler.press("Enter")
        own_handler.page.wait_for_selector("#answer[aria-busy=true]")
        own_handler.press("Escape")
    time.sleep(1)
    assert own_handler.result == "none"


def test_a_silent_store_shows_the_last_known_and_says_so_of_every_result(
    own_handler: Screen, own_console: Console
) -> None:
    addresses = _addresses(own_console)
    own_handler.check(addresses["clear"])
    with frozen([own_console.store_pid]):
        own_handler.press("Enter")
        own_handler.page.wait_for_selector("#answer[aria-busy=false] [data-result=could_not_check]")
        assert "NO MARKER" not in own_handler.words
        own_handler.check(addresses["hit"])
        assert own_handler.heading == "COULD NOT CHECK: treat as unknown"
        assert own_handler.words.count("store not answering: treat as unknown") == 2
        assert "MARKER AT THIS HOME" in own_handler.words
        assert "LAST KNOWN" in own_handler.store_words
        own_handler.picture("store-silent")
