"""The pages of signing in and of accounts, in both themes: nothing serious for axe, nothing that spills."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from overlay.identity.second_factor import code_at
from tests.areas import config_with
from tests.browser.conftest import Open, Screen
from tests.browser.test_accessibility import violations
from tests.conftest import Console, free_port

pytestmark = pytest.mark.browser

SIGN_ON = """
[single_sign_on]
title = "Quillmarket sign-on"
issuer = "https://login.example"
client_id = "overlay"
console = "https://console.example"
[single_sign_on.roles]
"Handlers" = "call_handler"
"""


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A console that requires the second factor and has a single sign-on to offer."""
    folder = tmp_path_factory.mktemp("strict")
    config = config_with(folder / "config", 'second_factor = "required"', SIGN_ON)
    extra = {"OVERLAY_CONFIG": str(config), "OVERLAY_SINGLE_SIGN_ON_SECRET": "a secret"}
    console = Console(folder / "data", free_port(), extra)
    console.start()
    yield console
    console.stop()


def fits(screen: Screen, name: str) -> None:
    """Nothing serious, nothing wider than the screen, and a picture to look at."""
    assert violations(screen) == []
    assert screen.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    screen.picture(name)


@pytest.mark.parametrize(("scheme", "role"), [("light", "administrator"), ("dark", "control_room_supervisor")])
def test_the_first_sign_in_by_keyboard_alone(open_screen: Open, strict: Console, scheme: str, role: str) -> None:
    screen = open_screen(strict, color_scheme=scheme, bypass_csp=True)
    username, password = strict.accounts[role]
    screen.page.goto(strict.url)
    fits(screen, f"sign-in-{scheme}")
    assert screen.page.evaluate("document.activeElement.id") == "username"
    for text in (username, password):
        screen.type(text)
        screen.press("Tab")
    screen.press("Shift+Tab")
    screen.press("Enter")
    screen.page.wait_for_selector(".enrol")
    assert screen.page.evaluate("document.activeElement.id") == "code"
    fits(screen, f"enrol-{scheme}")
    box = screen.page.locator(".enrol__picture svg").bounding_box()
    assert box is not None
    assert box["width"] >= 150
    device = screen.page.inner_text(".enrol__secret").replace(" ", "")
    screen.type("000000")
    screen.press("Enter")
    screen.page.wait_for_selector(".govuk-error-summary")
    screen.page.focus("#code")
    screen.type(code_at(device, datetime.now(UTC)))
    screen.press("Enter")
    screen.page.wait_for_selector(".codes")
    assert len(re.findall(r"[A-Z2-9-]{29}", screen.page.inner_text(".codes"))) == 10
    fits(screen, f"recovery-codes-{scheme}")
    screen.press("Enter")
    screen.page.wait_for_url(strict.url + "/")
    for path, name in (("/account", "account"), ("/accounts", "accounts"), ("/tokens", "tokens")):
        if path == "/account" or role == "administrator":
            screen.page.goto(strict.url + path)
            fits(screen, f"{name}-{scheme}")
    if role == "administrator":
        screen.page.goto(strict.url + "/accounts")
        screen.page.click(".govuk-table a >> nth=1")
        screen.page.wait_for_selector("dl.problem")
        fits(screen, f"one-account-{scheme}")
    screen.page.click("text=Sign out")
    screen.page.wait_for_selector("#username")
    for text in (username, password):
        screen.type(text)
        screen.press("Tab")
    screen.press("Shift+Tab")
    screen.press("Enter")
    screen.page.wait_for_selector("h1:has-text('Enter the code')")
    fits(screen, f"code-{scheme}")
    screen.type(code_at(device, datetime.now(UTC) + timedelta(seconds=30)))
    screen.press("Enter")
    screen.page.wait_for_url(strict.url + "/")
