"""Breaking the glass at a real screen with the keyboard alone; a supervisor told while they look elsewhere."""

from __future__ import annotations

import re

import pytest

from overlay.demo import DEMO_PASSWORD
from tests.browser.conftest import Open, Screen
from tests.conftest import Console

WITHHELD = "Penthouse 1, Quarto Tower"


def at_the_home(screen: Screen, incident: str) -> None:
    screen.page.goto(screen.console.url)
    screen.type(WITHHELD)
    screen.press("Tab")
    screen.type(incident)
    screen.press("Enter")
    screen.settled()


def open_the_form(screen: Screen) -> None:
    """By Tab alone, as somebody with no hand free for a mouse does."""
    for _ in range(12):
        if screen.page.evaluate("document.activeElement.matches('.glass__summary')"):
            break
        screen.press("Tab")
    screen.press("Enter")


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_glass_is_broken_for_a_reason_and_a_password_without_leaving_the_call(
    open_screen: Open, console: Console, handler_session: object, scheme: str
) -> None:
    screen = open_screen(console, storage_state=handler_session, color_scheme=scheme)
    at_the_home(screen, f"CAD-glass-{scheme}")
    assert "Detail withheld: ask the dispatcher" in screen.words
    assert "offender" not in screen.page.content().casefold()
    open_the_form(screen)
    screen.press("Tab")
    screen.type("because")
    screen.press("Tab")
    screen.type(DEMO_PASSWORD)
    screen.press("Enter")
    screen.page.wait_for_selector("#glass-problem")
    assert "Say why you need it" in screen.words
    assert "offender" not in screen.page.content().casefold()
    screen.page.focus("#reason")
    screen.press("End")
    screen.type(" the caller says the lodger has taken her child")
    screen.press("Tab")
    screen.type("not my password")
    screen.press("Enter")
    screen.page.wait_for_selector("#glass-problem:has-text('password')")
    assert "offender" not in screen.page.content().casefold()
    screen.page.focus("#glass-password")
    screen.type(DEMO_PASSWORD)
    screen.press("Enter")
    screen.page.wait_for_selector(".glass--broken")
    assert re.search(rf"Glass broken for incident CAD-glass-{scheme} until \d\d:\d\d:\d\d", screen.words)
    assert "Registered sex offender" in screen.words
    assert screen.page.input_value("#location") == WITHHELD
    screen.picture(f"broken-glass-{scheme}")
    screen.page.focus(".glass--broken button")
    screen.press("Enter")
    screen.page.wait_for_selector("details.glass")
    assert "offender" not in screen.page.content().casefold()


@pytest.mark.browser
def test_without_an_incident_the_form_says_so(open_screen: Open, console: Console, handler_session: object) -> None:
    screen = open_screen(console, storage_state=handler_session)
    screen.page.goto(console.url)
    screen.type(WITHHELD)
    screen.press("Enter")
    screen.settled()
    open_the_form(screen)
    assert "Give the incident’s reference above" in screen.words
    assert screen.page.query_selector("#glass") is None


@pytest.mark.browser
def test_a_supervisor_is_told_within_seconds_and_records_a_review(
    open_screen: Open, console: Console, handler_session: object
) -> None:
    supervisor = open_screen(console)
    supervisor.sign_in("control_room_supervisor")
    supervisor.page.goto(f"{console.url}/control-room")
    screen = open_screen(console, storage_state=handler_session)
    at_the_home(screen, "CAD-told")
    screen.page.click(".glass__summary")
    screen.page.fill("#reason", "Officer at the door asks who else lives here")
    screen.page.fill("#glass-password", DEMO_PASSWORD)
    screen.press("Enter")
    screen.page.wait_for_selector(".glass--broken")
    supervisor.page.wait_for_selector(".notice--now:has-text('Glass broken now')", timeout=8_000)
    supervisor.page.focus(".notice")
    supervisor.press("Enter")
    item = supervisor.page.locator(".desk__item", has_text="CAD-told")
    assert "Officer at the door" in item.inner_text()
    item.locator("button", has_text="Record the review").click()
    item = supervisor.page.locator(".desk__item", has_text="CAD-told")
    assert "Choose what you found" in item.inner_text()
    item.get_by_label("Justified", exact=True).check()
    item.locator("button", has_text="Record the review").click()
    supervisor.page.wait_for_selector("table:has-text('CAD-told')")
    supervisor.picture("broken-glass-reviewed")
