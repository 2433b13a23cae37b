"""A call handler's work, by keyboard alone."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from tests.browser.conftest import Open, Screen
from tests.conftest import Console

pytestmark = pytest.mark.browser

HEADINGS = {
    "hit": ("MARKER AT THIS HOME", "square"),
    "clear": ("NO MARKER FOR THIS HOME", "circle"),
    "could_not_check": ("COULD NOT CHECK: treat as unknown", "cross"),
}


@pytest.mark.parametrize("expect", HEADINGS)
def test_each_result_has_its_own_words_and_shape(handler: Screen, tries: dict[str, str], expect: str) -> None:
    handler.check(tries[expect])
    assert handler.result == expect
    assert (handler.heading, handler.shape) == HEADINGS[expect]
    assert handler.spoken.startswith(handler.heading)
    handler.picture(f"check-{expect}")


def test_a_hit_says_what_to_do_whom_to_ask_and_why(handler: Screen, tries: dict[str, str]) -> None:
    handler.check(tries["hit"])
    assert re.search(r"in the gazetteer.*DO .+ASK .+why .+=", handler.words)


def test_a_clear_says_when_and_against_what(handler: Screen, tries: dict[str, str]) -> None:
    handler.check(tries["clear"])
    assert re.search(
        r"Checked \d\d:\d\d:\d\d against all markers in force\. Address known to the gazetteer", handler.words
    )
    assert "Checked against current markers" in handler.store_words


def test_the_bar_does_not_say_checked_beside_could_not_check(handler: Screen, tries: dict[str, str]) -> None:
    handler.check(tries["could_not_check"])
    assert "not checked" in handler.store_words
    assert "DO NOW Ask" in handler.words
    handler.check(tries["clear"])
    assert "Checked against current markers" in handler.store_words


def test_the_result_needs_no_scrolling(handler: Screen, tries: dict[str, str]) -> None:
    for expect in HEADINGS:
        handler.check(tries[expect])
        box = handler.page.locator("#answer .result__here, #answer .head--cross").first.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 768


@pytest.mark.parametrize(
    ("width", "height", "scale"), [(1366, 768, 1), (2560, 1440, 1), (683, 384, 2)], ids=["small", "wide", "zoom-200"]
)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_size_and_theme_shows_the_heading_and_nothing_spills(
    open_screen: Open,
    console: Console,
    handler_session: Any,
    tries: dict[str, str],
    width: int,
    height: int,
    scale: int,
    scheme: str,
) -> None:
    screen = open_screen(
        console,
        viewport={"width": width, "height": height},
        device_scale_factor=scale,
        color_scheme=scheme,
        storage_state=handler_session,
    )
    screen.page.goto(console.url)
    for expect in HEADINGS:
        screen.check(tries[expect])
        box = screen.page.locator("#answer .head__loud").first.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= height
        assert screen.page.evaluate("document.documentElement.scrollWidth") <= width
        screen.picture(f"check-{expect}-{width}x{height}-{scheme}")


def test_escape_clears_for_the_next_call(handler: Screen, tries: dict[str, str]) -> None:
    handler.check(tries["hit"])
    handler.press("Escape")
    assert handler.result == "none"
    assert handler.page.evaluate("document.activeElement.id") == "location"
    assert handler.page.input_value("#location") == ""
    assert "MARKER" not in handler.words


def test_a_result_is_marked_once_the_text_is_edited(handler: Screen, tries: dict[str, str]) -> None:
    handler.check(tries["clear"])
    assert not handler.page.is_visible("#earlier")
    handler.type("x")
    assert "For the earlier text" in handler.page.inner_text("#earlier")
    assert "is-earlier" in (handler.page.get_attribute("#answer", "class") or "")
    handler.press("Backspace")
    assert not handler.page.is_visible("#earlier")


def test_a_changed_caller_marks_the_result_too(handler: Screen, tries: dict[str, str]) -> None:
    handler.check(tries["clear"])
    for _ in range(3):
        handler.press("Tab")
    handler.type("0")
    assert handler.page.is_visible("#earlier")


def test_enter_checks_from_the_list_of_types(handler: Screen, tries: dict[str, str]) -> None:
    handler.press("Escape")
    handler.type(tries["clear"])
    handler.press("Tab")
    handler.type("CAD-1")
    handler.press("Tab")
    handler.type("Dom")
    handler.press("Enter")
    handler.settled()
    assert handler.result == "clear"
    assert "because of the incident's type" in handler.words


@pytest.mark.parametrize("caller", ["07", "not a number"])
def test_what_cannot_be_read_is_not_checked_and_its_box_is_named(
    handler: Screen, tries: dict[str, str], caller: str
) -> None:
    handler.check(tries["clear"])
    for _ in range(3):
        handler.press("Tab")
    handler.type(caller)
    handler.press("Enter")
    handler.page.wait_for_selector("#answer[aria-busy=false] [data-field=caller]")
    assert handler.heading == HEADINGS["could_not_check"][0]
    assert handler.page.get_attribute("#caller", "aria-invalid") == "true"
    assert handler.page.evaluate("document.activeElement.id") == "caller"


def test_an_empty_box_is_not_a_clear(handler: Screen) -> None:
    handler.press("Enter")
    handler.settled()
    assert handler.result == "could_not_check"


def test_markup_in_an_address_stays_text(handler: Screen) -> None:
    handler.check('<img src=x onerror=alert(1)> & "quoted" 14 Tallow Yard')
    assert handler.result in HEADINGS
    assert handler.page.locator("#answer img").count() == 0


def test_keys_are_listed_and_escape_closes_the_list_alone(handler: Screen, tries: dict[str, str]) -> None:
    handler.check(tries["hit"])
    handler.press("F1")
    handler.page.wait_for_selector("#keys:popover-open")
    handler.picture("keys")
    handler.press("Escape")
    handler.page.wait_for_selector("#keys", state="hidden")
    assert handler.result == "hit"
    handler.press("Escape")
    handler.type("?")
    handler.page.wait_for_selector("#keys:popover-open")
    handler.press("?")
    handler.page.wait_for_selector("#keys", state="hidden")


def test_no_address_in_title_or_page_address(handler: Screen, tries: dict[str, str]) -> None:
    handler.check(tries["hit"])
    assert handler.page.title() == "Check · Overlay"
    assert handler.page.url == f"{handler.console.url}/"


def test_print_bears_the_handling_caveat(handler: Screen, tries: dict[str, str]) -> None:
    handler.check(tries["hit"])
    handler.page.emulate_media(media="print")
    printed = handler.page.locator(".printed")
    assert printed.is_visible()
    assert "OFFICIAL-SENSITIVE" in printed.inner_text()
    assert handler.page.is_visible("text=MARKER AT THIS HOME")
    handler.picture("print")


def test_an_auditor_gets_no_boxes(open_screen: Open, console: Console) -> None:
    screen = open_screen(console)
    screen.sign_in("auditor")
    assert screen.page.locator("#location").count() == 0
    assert "makes no checks" in screen.page.inner_text("main")


def test_without_scripts_the_forms_work(open_screen: Open, console: Console, tries: dict[str, str]) -> None:
    screen = open_screen(console, java_script_enabled=False)
    screen.sign_in("call_handler")
    for expect, (heading, shape) in HEADINGS.items():
        screen.page.fill("#location", tries[expect])
        screen.page.press("#location", "Enter")
        screen.page.wait_for_selector(f"[data-result={expect}]")
        assert (screen.heading, screen.shape) == (heading, shape)


def test_signed_out_under_the_page_keeps_what_was_typed(handler: Screen, tries: dict[str, str]) -> None:
    handler.check(tries["clear"])
    handler.page.context.clear_cookies()
    handler.press("Enter")
    handler.page.wait_for_selector("#answer .govuk-button")
    handler.page.wait_for_selector("#answer[aria-busy=false] [data-result=could_not_check]")
    assert "signed out" in handler.words
    assert handler.page.input_value("#location") == tries["clear"]


def test_too_much_text_is_not_a_clear(handler: Screen, tries: dict[str, str]) -> None:
    handler.check(tries["clear"])
    handler.page.fill("#location", "Tallow Yard " * 9_000)
    handler.page.press("#location", "Enter")
    handler.page.wait_for_selector("#answer[aria-busy=false] [data-result=could_not_check]")


def test_a_wrong_password_is_said_once_and_in_words(open_screen: Open, console: Console) -> None:
    screen = open_screen(console)
    screen.page.goto(console.url)
    screen.type("nobody-of-that-name")
    screen.press("Tab")
    screen.type("not the password")
    started = time.monotonic()
    screen.press("Enter")
    screen.page.wait_for_selector(".govuk-error-summary")
    assert time.monotonic() - started < 5
    assert screen.page.input_value("#username") == "nobody-of-that-name"
    screen.picture("sign-in-refused")
