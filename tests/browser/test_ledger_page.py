"""The auditor at the keyboard: search, read, export, in both themes and at the smallest screen."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import Open, Screen
from tests.browser.test_accessibility import violations
from tests.conftest import Console

pytestmark = pytest.mark.browser


def signed_in(open_screen: Open, console: Console, **options: Any) -> Screen:
    screen = open_screen(console, **options)
    username, password = console.accounts["auditor"]
    screen.page.goto(console.url)
    screen.type(username)
    screen.press("Tab")
    screen.type(password)
    screen.press("Enter")
    screen.page.wait_for_selector(".bar__links")
    return screen


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_search_by_keyboard_alone_shows_who_looked_and_the_proof(
    open_screen: Open, console: Console, tries: dict[str, str], scheme: str
) -> None:
    console.run("check", tries["hit"], "--incident", "CAD-AUDIT")
    screen = signed_in(open_screen, console, color_scheme=scheme, bypass_csp=True)
    page = screen.page
    page.goto(f"{console.url}/ledger")
    assert page.title() == "Ledger · Overlay"
    assert violations(screen) == []
    screen.type(tries["hit"].lower())
    screen.press("Enter")
    page.wait_for_selector(".audit__found")
    assert page.url == f"{console.url}/ledger"
    assert "CAD-AUDIT" in page.inner_text(".audit__table")
    assert "your own: another auditor reads" in page.inner_text(".audit__own")
    assert violations(screen) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 1366
    screen.picture(f"ledger-{scheme}")


def test_an_export_is_a_file_with_its_handling_in_name_and_first_line(open_screen: Open, console: Console) -> None:
    screen = signed_in(open_screen, console)
    page = screen.page
    page.goto(f"{console.url}/ledger")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Export with proofs").press("Enter")
    assert waiting.value.suggested_filename.startswith("OFFICIAL-SENSITIVE-ledger-")
    first = waiting.value.path().read_text("utf-8").splitlines()[0]
    assert first.startswith('{"handling": "OFFICIAL-SENSITIVE"')


@pytest.mark.parametrize("width", [683, 2560])
def test_nothing_is_cut_off_at_twice_the_size_or_on_a_wide_screen(
    open_screen: Open, console: Console, width: int
) -> None:
    screen = signed_in(open_screen, console, viewport={"width": width, "height": 768})
    page = screen.page
    page.goto(f"{console.url}/ledger")
    screen.begin()
    screen.press("Enter")
    page.wait_for_selector(".audit__found")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
