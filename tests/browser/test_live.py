"""Live updates in a real browser: what changed reaches the page, a loss is said, and the page comes back by itself."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Open, Screen, comes_true
from tests.browser.test_accessibility import violations
from tests.browser.test_lock import IDLE_S, impatient, locked, unlock
from tests.browser.test_not_answering import family, frozen
from tests.conftest import Console, free_port
from tests.web.incidents import Desk

pytestmark = [pytest.mark.browser, pytest.mark.faults]

__all__ = ["impatient"]
_NOTE = """() => {
  window.heard = [];
  for (const kind of ["incidents", "markers", "reload", "store", "locked"])
    document.addEventListener(`overlay:${kind}`, (event) => window.heard.push([kind, event.detail]));
}"""


def listen(screen: Screen) -> None:
    screen.page.evaluate(_NOTE)


def heard(screen: Screen) -> list[Any]:
    return list(screen.page.evaluate("window.heard"))


def until_told(screen: Screen, incident_id: str, seconds: float = 8) -> None:
    comes_true(
        screen.page,
        "id => window.heard.some(([kind, detail]) => kind === 'incidents' && detail.ids.includes(id))",
        incident_id,
        seconds,
    )


def lost(screen: Screen, seconds: float = 8) -> None:
    screen.page.wait_for_selector("#live:not([hidden])", timeout=seconds * 1000)


def back(screen: Screen, seconds: float = 12) -> None:
    screen.page.wait_for_selector("#live[hidden]", state="attached", timeout=seconds * 1000)


@pytest.fixture(scope="module")
def cramped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A console that keeps two streams."""
    console = Console(tmp_path_factory.mktemp("cramped") / "data", free_port())
    console.extra = {"OVERLAY_STREAMS": "2", "OVERLAY_WORKERS": "1"}
    console.start()
    yield console
    console.stop()


@pytest.fixture
def frozen_handler(open_screen: Open, frozen_console: Console) -> Screen:
    return listening(open_screen, frozen_console)


@pytest.fixture
def own_handler(open_screen: Open, own_console: Console) -> Screen:
    return listening(open_screen, own_console)


def listening(open_screen: Open, console: Console) -> Screen:
    screen = open_screen(console, bypass_csp=True)
    screen.sign_in("call_handler")
    listen(screen)
    return screen


def test_a_frozen_server_is_said_within_five_seconds_once_and_what_was_missed_comes_after(
    frozen_handler: Screen, frozen_console: Console
) -> None:
    with Desk.of(frozen_console) as desk:
        first = desk.put("CAD-1")
        until_told(frozen_handler, first)
        assert not frozen_handler.page.is_visible("#live")
        frozen_handler.page.evaluate(
            "() => { window.said = 0; new MutationObserver(() => window.said++)"
            ".observe(document.getElementById('live-says'), {childList: true}); }"
        )
        store = {frozen_console.store_pid}
        began = time.monotonic()
        with frozen([pid for pid in family(frozen_console.pid) if pid not in store]):
            lost(frozen_handler)
            assert 2.5 < time.monotonic() - began < 6
            frozen_handler.picture("live-lost")
            assert violations(frozen_handler) == []
            missed = desk.put("CAD-2")
            time.sleep(2.5)
            band = frozen_handler.page.inner_text("#live")
            assert band.startswith("LIVE UPDATES LOST ")
            assert int(band.split()[3]) >= 6
            assert frozen_handler.page.inner_text("#live-says") == (
                "Live updates lost. What others do is not shown until they are back."
            )
            assert frozen_handler.page.evaluate("window.said") == 1
        back(frozen_handler)
        until_told(frozen_handler, missed)
        assert frozen_handler.page.inner_text("#live-says") == "Live updates are back."
        assert all(kind != "reload" for kind, _ in heard(frozen_handler)), "what was missed was still known"


def test_after_a_killed_worker_a_screen_comes_back_by_itself_and_loads_everything_again(
    own_handler: Screen, own_console: Console
) -> None:
    with Desk.of(own_console) as desk:
        until_told(own_handler, desk.put("CAD-1"))
        for pid in family(own_console.pid)[1:]:
            if b"overlay\0run" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
        desk.put("CAD-2")
        comes_true(own_handler.page, "window.heard.some(([kind]) => kind === 'reload')", seconds=20)
        back(own_handler)


def test_what_changed_between_the_page_and_its_stream_is_told(frozen_handler: Screen, frozen_console: Console) -> None:
    with Desk.of(frozen_console) as desk:
        made: list[str] = []

        def change_first(route: Any) -> None:
            if not made:
                made.append(desk.put("CAD-1"))
            route.continue_()

        frozen_handler.page.route("**/static/live.js", change_first)
        frozen_handler.page.add_init_script(f"({_NOTE})()")
        frozen_handler.page.reload()
        until_told(frozen_handler, made[0])


def test_a_full_service_says_so_and_a_closed_window_makes_room(open_screen: Open, cramped: Console) -> None:
    screens = []
    for _ in range(3):
        screen = open_screen(cramped)
        screen.sign_in("call_handler")
        screens.append(screen)
    last = screens[-1]
    lost(last, 12)
    last.page.wait_for_selector("#live:has-text('Too many screens are connected')")
    last.check(next(address for address, expect in cramped.tries if expect == "clear"))
    assert last.result == "clear"
    screens[0].page.goto("about:blank")
    back(last, 15)


def test_a_stream_holds_no_lock_off_and_comes_back_with_the_person(open_screen: Open, impatient: Console) -> None:
    screen = open_screen(impatient)
    screen.sign_in("call_handler")
    listen(screen)
    began = time.monotonic()
    locked(screen)
    assert time.monotonic() - began < IDLE_S + 3
    with Desk.of(impatient) as desk:
        missed = desk.put(f"CAD-{time.time_ns()}")
        time.sleep(1)
        unlock(screen)
        until_told(screen, missed)
    assert not screen.page.is_visible("#live")


def test_a_screen_locked_elsewhere_is_covered_when_its_stream_hears_of_it(open_screen: Open, console: Console) -> None:
    screen = open_screen(console)
    screen.sign_in("call_handler")
    screen.page.wait_for_timeout(500)
    token = screen.page.get_attribute("[name=csrf_token] >> nth=0", "value") or ""
    screen.page.request.post(
        console.url + "/lock", form={"csrf_token": token}, headers={"Sec-Fetch-Site": "same-origin"}
    )
    locked(screen)


def test_only_a_role_that_may_read_incidents_is_connected(open_screen: Open, console: Console) -> None:
    screen = open_screen(console)
    asked: list[str] = []
    screen.page.on("request", lambda request: asked.append(request.url))
    username, password = console.accounts["auditor"]
    screen.page.goto(console.url)
    screen.type(username)
    screen.press("Tab")
    screen.type(password)
    screen.press("Enter")
    screen.page.wait_for_selector(".bar__who")
    screen.page.wait_for_timeout(1000)
    assert not any("/events" in url or "live.js" in url for url in asked)
    assert screen.page.locator("#live").count() == 0
