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
def asker(open_screen: Open, frozen_console: Console) -> Screen:
    screen = open_screen(frozen_console)
    screen.sign_in("call_handler")
    return screen


def _addresses(console: Console) -> dict[str, str]:
    return {expect: address for address, expect in console.tries}


def test_a_dead_server_is_could_not_check(open_screen: Open, own_console: Console) -> None:
    own_handler = open_screen(own_console)
    own_handler.sign_in("call_handler")
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


def test_a_silent_server_is_could_not_check_within_three_seconds(asker: Screen, frozen_console: Console) -> None:
    asker.check(_addresses(frozen_console)["clear"])
    with frozen(family(frozen_console.pid)):
        started = time.monotonic()
        asker.press("Enter")
        asker.page.wait_for_selector("#answer[aria-busy=true]", timeout=1_000)
        asker.page.wait_for_selector("#under-way", state="visible", timeout=1_000)
        asker.picture("check-under-way")
        asker.page.wait_for_selector("#answer[aria-busy=false] [data-result=could_not_check]")
        assert 2.5 < time.monotonic() - started < 8
        assert "did not answer within 3 seconds" in asker.words
    asker.press("Enter")
    asker.page.wait_for_selector("#answer[aria-busy=false] [data-result=clear]")
    assert "Checked against current markers" in asker.store_words


def test_escape_while_a_check_is_under_way_leaves_no_late_result(asker: Screen, frozen_console: Console) -> None:
    asker.press("Escape")
    with frozen(family(frozen_console.pid)):
        asker.type(_addresses(frozen_console)["hit"])
        asker.press("Enter")
        asker.page.wait_for_selector("#answer[aria-busy=true]")
        asker.press("Escape")
    time.sleep(1)
    assert asker.result == "none"


def test_a_silent_store_shows_the_last_known_and_says_so_of_every_result(
    asker: Screen, frozen_console: Console
) -> None:
    addresses = _addresses(frozen_console)
    asker.check(addresses["clear"])
    with frozen([frozen_console.store_pid]):
        asker.press("Enter")
        asker.page.wait_for_selector("#answer[aria-busy=false] [data-result=could_not_check]")
        assert "NO MARKER" not in asker.words
        asker.check(addresses["hit"])
        assert asker.heading == "COULD NOT CHECK: treat as unknown"
        assert asker.words.count("store not answering: treat as unknown") == 2
        assert "MARKER AT THIS HOME" in asker.words
        assert "LAST KNOWN" in asker.store_words
        asker.picture("store-silent")
