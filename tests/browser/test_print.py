"""Every page on paper: the handling caveat on each sheet, and nothing that is only for the screen."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Open, Screen
from tests.conftest import Console

pytestmark = pytest.mark.browser

CAVEAT = "OFFICIAL-SENSITIVE"


def printed(screen: Screen) -> None:
    """What is asserted of a page as it would be printed."""
    page = screen.page
    assert page.locator(".bar__caveat").is_visible(), "on the screen too"
    page.emulate_media(media="print")
    assert page.locator(".printed").is_visible()
    assert page.locator(".printed").inner_text().startswith(CAVEAT)
    assert f"destroy as {CAVEAT}" in page.locator(".printed").inner_text()
    heading = page.evaluate(
        """() => { const made = getComputedStyle(document.body, '::before');
                   return [made.content, made.position, made.display]; }"""
    )
    assert heading == [f'"{CAVEAT}"', "fixed", "block"], "fixed: repeated on every sheet"
    assert not page.locator(".bar").is_visible()
    assert page.title().endswith(" · Overlay")
    assert len(page.pdf()) > 1000
    page.emulate_media(media="screen")


def test_every_page_is_marked_on_paper(open_screen: Open, console: Console) -> None:
    screen = open_screen(console)
    screen.page.goto(f"{screen.console.url}/sign-in")
    printed(screen)
    screen.page.goto(f"{screen.console.url}/nothing")
    printed(screen)
    screen.sign_in("call_handler")
    printed(screen)
    for address, _ in screen.console.tries:
        screen.check(address)
        printed(screen)
        assert address.split(",")[0] not in screen.page.title()
        assert address.split(",")[0] not in screen.page.url
