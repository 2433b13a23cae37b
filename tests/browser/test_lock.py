"""The lock in a real browser: nothing readable, nothing lost, keyboard alone."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import requests

from tests.areas import config_with
from tests.browser.conftest import Open, Screen
from tests.browser.test_accessibility import violations
from tests.conftest import Console, free_port

pytestmark = pytest.mark.browser

IDLE_S = 6
TYPED = "flat 3 14 tallow yd"


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A console whose screens lock after six seconds."""
    folder = tmp_path_factory.mktemp("idle")
    console = Console(folder / "data", free_port())
    way = f'second_factor = "optional"\nidle_minutes = {IDLE_S / 60}'
    console.extra = {"OVERLAY_CONFIG": str(config_with(folder / "config", way))}
    console.start()
    yield console
    console.stop()


def locked(screen: Screen) -> None:
    screen.page.wait_for_selector("#lock[open]", timeout=(IDLE_S + 4) * 1000)


def opened(screen: Screen) -> None:
    screen.page.wait_for_selector("#lock:not([open])", state="attached")


def unlock(screen: Screen, role: str = "call_handler") -> None:
    screen.type(screen.console.accounts[role][1])
    screen.press("Enter")
    opened(screen)


def readable(screen: Screen) -> str:
    """All that can be seen or is told to a screen reader."""
    return screen.page.inner_text("body") + str(screen.page.locator("body").aria_snapshot())


def cookie(screen: Screen) -> dict[str, str]:
    return {kept["name"]: kept["value"] for kept in screen.page.context.cookies()}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_locking_hides_everything_and_unlocking_brings_it_all_back(
    open_screen: Open, console: Console, tries: dict[str, str], scheme: str
) -> None:
    screen = open_screen(console, color_scheme=scheme, bypass_csp=True)
    screen.sign_in("call_handler")
    screen.check(tries["hit"])
    screen.page.fill("#incident", "CAD-77")
    screen.page.focus("#location")
    screen.press("End")
    screen.type(" and more")
    before = screen.words
    screen.press("Alt+l")
    locked(screen)
    assert "This screen is locked" in readable(screen)
    for secret in ("Tallow", "MARKER", "CAD-77", "and more", "Ask", "checked"):
        assert secret not in readable(screen), secret
    assert not screen.page.is_visible("#location")
    assert violations(screen) == []
    screen.picture(f"lock-{scheme}")

    for key in ("Escape", "Escape", "F1", "Shift+Tab", "Tab"):
        screen.press(key)
    assert screen.page.evaluate("document.activeElement.closest('#lock') !== null"), "the focus stays in the dialog"
    screen.page.focus("#lock-password")
    screen.type("not the password")
    screen.press("Enter")
    screen.page.wait_for_selector("#lock-problem:has-text('not right')")
    assert screen.page.input_value("#lock-password") == ""
    screen.picture(f"lock-wrong-{scheme}")
    unlock(screen)
    assert screen.page.input_value("#location") == tries["hit"] + " and more"
    assert screen.page.input_value("#incident") == "CAD-77"
    assert screen.words == before
    assert screen.page.evaluate("document.activeElement.id") == "location"
    screen.type("!")
    assert screen.page.input_value("#location").endswith("and more!")


def test_a_screen_nobody_touches_locks_by_itself_here_and_on_the_server(open_screen: Open, impatient: Console) -> None:
    screen = open_screen(impatient)
    screen.sign_in("call_handler")
    screen.type(TYPED)
    locked(screen)
    reply = requests.get(impatient.url + "/", cookies=cookie(screen), allow_redirects=False, timeout=10)
    assert (reply.status_code, reply.headers["Location"]) == (303, "/unlock")
    unlock(screen)
    assert screen.page.input_value("#location") == TYPED
    screen.press("Enter")
    screen.settled()


def test_a_screen_in_use_does_not_lock(open_screen: Open, impatient: Console) -> None:
    screen = open_screen(impatient)
    screen.sign_in("call_handler")
    until = time.monotonic() + IDLE_S + 3
    while time.monotonic() < until:
        screen.type("a")
        time.sleep(0.5)
    assert not screen.page.is_visible("#lock")
    assert requests.get(impatient.url + "/", cookies=cookie(screen), allow_redirects=False, timeout=10).ok


def test_the_server_locks_even_a_page_whose_script_was_silenced(open_screen: Open, impatient: Console) -> None:
    """Requests a page makes by itself do not count as somebody being there."""
    screen = open_screen(impatient)
    screen.sign_in("call_handler")
    kept = cookie(screen)
    screen.page.goto("about:blank")
    until = time.monotonic() + IDLE_S + 2
    status = 0
    while time.monotonic() < until and status != 423:
        poll = requests.get(impatient.url + "/", cookies=kept, headers={"HX-Request": "true"}, timeout=10)
        status = poll.status_code
        time.sleep(0.5)
    assert status == 423
    assert "Check a location" not in poll.text


def test_a_check_sent_while_the_server_had_locked_asks_for_the_password_and_keeps_what_was_typed(
    open_screen: Open, console: Console
) -> None:
    screen = open_screen(console)
    screen.sign_in("call_handler")
    token = screen.page.get_attribute("[name=csrf_token] >> nth=0", "value") or ""
    requests.post(console.url + "/lock", data={"csrf_token": token}, cookies=cookie(screen), timeout=10)
    screen.type(TYPED)
    screen.press("Enter")
    locked(screen)
    unlock(screen)
    assert screen.page.input_value("#location") == TYPED
    assert "screen was locked" in screen.words
    assert screen.result == "could_not_check"
    screen.press("Enter")
    screen.page.wait_for_selector("#answer [data-result]:not(:has-text('screen was locked'))")


def test_windows_of_one_browser_lock_and_open_together(open_screen: Open, console: Console) -> None:
    first = open_screen(console)
    first.sign_in("call_handler")
    first.type(TYPED)
    second = Screen(first.page.context.new_page(), console)
    second.page.goto(console.url)
    second.press("Alt+l")
    locked(second)
    locked(first)
    unlock(second)
    opened(first)
    assert first.page.input_value("#location") == TYPED
    first.page.bring_to_front()
    first.check(TYPED)


def test_what_one_person_typed_is_not_shown_to_the_next_who_signs_in_here(open_screen: Open, console: Console) -> None:
    first = open_screen(console)
    first.sign_in("call_handler")
    first.type(TYPED)
    first.press("Alt+l")
    locked(first)
    first.page.context.clear_cookies()
    second = Screen(first.page.context.new_page(), console)
    second.sign_in("dispatcher")
    first.page.wait_for_selector(".bar__who:has-text('Dispatcher')")
    assert first.page.input_value("#location") == ""


def test_without_the_dialog_the_lock_has_a_page_of_its_own(open_screen: Open, console: Console) -> None:
    screen = open_screen(console, bypass_csp=True)
    screen.sign_in("call_handler")
    token = screen.page.get_attribute("[name=csrf_token] >> nth=0", "value") or ""
    requests.post(console.url + "/lock", data={"csrf_token": token}, cookies=cookie(screen), timeout=10)
    screen.page.goto(console.url)
    assert "This screen is locked" in screen.page.inner_text("main")
    assert violations(screen) == []
    screen.picture("unlock-page")
    screen.type(console.accounts["call_handler"][1])
    screen.press("Enter")
    screen.page.wait_for_selector("h1:has-text('Check a location')", state="attached")
