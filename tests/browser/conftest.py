"""A real chromium on a real console. Every page is watched: nothing from another host, no script or policy error."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page, sync_playwright

from tests.conftest import REPOSITORY, Console, free_port

ARTEFACTS = REPOSITORY / "test-artefacts"
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
# What the browser itself says of a request that failed or was refused; such a page must say so in its own words.
_REPORTS_OF_FAILURE = re.compile(r"^(Failed to load resource|htmx: htmx:error|EventSource's response has a MIME type)")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's chromium. Without it the tests are skipped on a person's machine and fail in continuous integration.

    Its headless shell is the same browser without the windows, and takes a quarter of the machine.
    """
    path = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if path is None:
        message = "no chromium on this machine: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    if not (REPOSITORY / "overlay/static/vendor/console.css").exists():
        pytest.fail("the console's styles are not built: npm ci && npm run build")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        yield running
        running.close()


def comes_true(page: Page, expression: str, argument: object = None, seconds: float = 30) -> None:
    """Wait until an expression holds on the page. It is asked anew each time: a page evaluates no string by itself."""
    until = time.monotonic() + seconds
    while True:
        with suppress(Error):  # the page is just being replaced by another
            if page.evaluate(expression, argument):
                return
        assert time.monotonic() < until, f"not within {seconds} s: {expression}"
        time.sleep(0.05)


@dataclass
class Screen:
    """One person at one screen, using the keyboard alone."""

    page: Page
    console: Console
    foreign: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.page.on("request", self._requested)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda message: message.type == "error" and self.errors.append(message.text))

    def _requested(self, request: Any) -> None:
        if not request.url.startswith(self.console.url + "/"):
            self.foreign.append(request.url)

    def faults(self) -> list[str]:
        return [error for error in self.errors if not _REPORTS_OF_FAILURE.match(error)]

    def type(self, text: str) -> None:
        """Type where the page has put the cursor."""
        comes_true(self.page, "document.activeElement?.matches('input, textarea, select')")
        self.page.keyboard.type(text)

    def begin(self) -> None:
        """Wait until the page has put the cursor, a moment after it has loaded: not, if it was moved before."""
        begun = "document.readyState == 'complete' && !document.querySelector('input[autofocus]:not(:focus)')"
        comes_true(self.page, begun)

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)

    def sign_in(self, role: str) -> None:
        username, password = self.console.accounts[role]
        self.page.goto(self.console.url)
        self.type(username)
        self.press("Tab")
        self.type(password)
        self.press("Enter")
        self.page.wait_for_selector("h1:has-text('Check a location')", state="attached")
        self.begin()

    def check(self, location: str, *, next_call: bool = True) -> None:
        """Clear for the next call, type where it is, press Enter and wait until the page has settled."""
        if next_call:
            self.press("Escape")
        self.type(location)
        self.press("Enter")
        self.settled()

    def settled(self) -> None:
        self.page.wait_for_selector("#answer[aria-busy=false] [data-result]:not([data-result=none])", timeout=10_000)

    @property
    def result(self) -> str | None:
        return self.page.get_attribute("#answer [data-result]", "data-result")

    @property
    def heading(self) -> str:
        return self.page.inner_text("#answer .head__loud >> nth=0")

    @property
    def shape(self) -> str:
        classes = self.page.get_attribute("#answer .head .shape >> nth=0", "class") or ""
        return classes.partition("shape--")[2]

    @property
    def words(self) -> str:
        return " ".join(self.page.inner_text("#answer").split())

    @property
    def store_words(self) -> str:
        return self.page.inner_text("#store-state")

    @property
    def spoken(self) -> str:
        said = [self.page.text_content(f"#says-{manner}") or "" for manner in ("status", "alert")]
        return "".join(said)

    def picture(self, name: str) -> Path:
        ARTEFACTS.mkdir(exist_ok=True)
        path = ARTEFACTS / f"{name}.png"
        self.page.screenshot(path=path)
        return path


Open = Callable[..., Screen]


@pytest.fixture
def open_screen(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Open]:
    """`open_screen(console, **context options)`; afterwards no page may have asked elsewhere or reported an error."""
    screens: list[Screen] = []

    def open_one(console: Console, **options: Any) -> Screen:
        context = browser.new_context(**{"viewport": {"width": 1366, "height": 768}, **options})
        context.set_default_timeout(10_000)
        screen = Screen(context.new_page(), console)
        screen.watch()
        screens.append(screen)
        return screen

    yield open_one
    for screen in screens:
        screen.page.context.close()
    assert [screen.foreign for screen in screens if screen.foreign] == []
    assert [screen.faults() for screen in screens if screen.faults()] == []


@pytest.fixture(scope="session")
def frozen_console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A console that tests freeze, and leave thawed."""
    running = Console(tmp_path_factory.mktemp("frozen") / "data", free_port())
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def handler_session(browser: Browser, console: Console) -> Any:
    """A call handler's cookies, so that one sign-in serves many tests."""
    context = browser.new_context()
    Screen(context.new_page(), console).sign_in("call_handler")
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def handler(open_screen: Open, console: Console, handler_session: Any) -> Screen:
    """A call handler, signed in, at the control room's smallest screen."""
    screen = open_screen(console, storage_state=handler_session)
    screen.page.goto(console.url)
    return screen


@pytest.fixture(scope="session")
def tries(console: Console) -> dict[str, str]:
    """An address for each of the three results."""
    return {expect: address for address, expect in console.tries}
