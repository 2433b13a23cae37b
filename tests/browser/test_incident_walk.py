"""A whole domestic incident by keyboard, three people at three screens, from the dropped call to the safe close."""

from __future__ import annotations

import re
import uuid

import pytest

from tests.browser.conftest import Open, Screen, comes_true
from tests.browser.test_accessibility import violations
from tests.conftest import Console

pytestmark = pytest.mark.browser

HOME = "Flat 12, Octavo Tower"
_SLOW_MS = 15_000


def open_incident(screen: Screen, *, incident_type: str = "Domestic", call: str | None = None) -> str:
    """Check the home, open the incident with one key; returns its address."""
    screen.check(HOME)
    page = screen.page
    page.focus("#incident")
    screen.type(f"CAD-{uuid.uuid4().hex[:8]}")
    page.focus("#incident_type")
    screen.type(incident_type)
    screen.press("Enter")
    page.wait_for_selector(".open-incident")
    screen.settled()
    if call is not None:
        page.select_option(".open-incident [name=call]", call)
    screen.press("Alt+o")
    page.wait_for_url(re.compile(r"/incidents/[0-9a-f]{32}$"), timeout=_SLOW_MS)
    page.wait_for_selector("#work")
    return page.url


def point(screen: Screen, name: str) -> str:
    """The element of a point, by its place in the plan."""
    found = screen.page.get_attribute(f".point[id*='-{name}']", "id")
    assert found
    return f"#{found}"


def ask(screen: Screen, name: str) -> str:
    """Open a point from the keyboard, its first box in focus."""
    selector = point(screen, name)
    screen.page.focus(f"{selector} summary")
    if screen.page.get_attribute(f"{selector} details", "open") is None:
        screen.press("Enter")
    screen.press("Tab")
    return selector


def answered(screen: Screen, selector: str) -> None:
    screen.page.wait_for_selector(f"{selector}.point--done", state="attached", timeout=_SLOW_MS)


def gone(screen: Screen, name: str) -> None:
    """Answered: no longer among the open prompts of the row."""
    screen.page.wait_for_selector(f".point[id*='-{name}']", state="detached", timeout=_SLOW_MS)


@pytest.fixture
def room(open_screen: Open, console: Console) -> tuple[Screen, Screen, Screen]:
    """A call handler, a dispatcher and a supervisor, each signed in."""
    people = []
    for role in ("call_handler", "dispatcher", "control_room_supervisor"):
        screen = open_screen(console, bypass_csp=True)
        screen.sign_in(role)
        people.append(screen)
    return people[0], people[1], people[2]


def test_a_domestic_incident_from_the_dropped_call_to_the_safe_close(room: tuple[Screen, Screen, Screen]) -> None:
    handler, dispatcher, supervisor = room
    address = open_incident(handler, call="dropped")
    assert "Call dropped" in handler.page.inner_text("#strip")
    handler.picture("walk-1-opened")

    first = ask(handler, "safe_to_talk")
    handler.press("5")  # dropped
    handler.press("Enter")
    answered(handler, first)
    assert handler.page.evaluate("document.activeElement.closest('.point').id") == point(handler, "exact_premises")[1:]
    second = point(handler, "exact_premises")
    handler.press("1")
    handler.press("Enter")
    answered(handler, second)
    third = point(handler, "harm_now")
    handler.press("n")
    answered(handler, third)
    assert "Asked, not known" in handler.page.inner_text(third)
    handler.picture("walk-2-answers")

    supervisor.page.goto(f"{supervisor.console.url}/control-room")
    row = supervisor.page.locator(
        "tr", has=supervisor.page.locator(f"a[href='{address.removeprefix(supervisor.console.url)}']")
    )
    assert "Safe to talk?: dropped" in row.inner_text()
    supervisor.picture("walk-3-raised")
    row.locator("button").focus()
    supervisor.press("Enter")
    row.wait_for(state="detached", timeout=_SLOW_MS)

    dispatcher.page.goto(f"{dispatcher.console.url}/board")
    dispatcher.picture("walk-4-board")
    dispatcher.page.focus(f"a[href='{address.removeprefix(dispatcher.console.url)}']")
    dispatcher.press("Enter")
    dispatcher.page.wait_for_selector("[id^=desk-] .brief__say")
    dispatcher.picture("walk-4-in-place")
    dispatcher.press("u")
    dispatcher.type("c123")
    dispatcher.press("Enter")
    dispatcher.page.wait_for_selector(".unit >> text=Brief C123: not briefed yet.", timeout=_SLOW_MS)
    dispatcher.press("Escape")
    dispatcher.press("b")
    dispatcher.page.wait_for_selector(".unit >> text=not read back", timeout=_SLOW_MS)
    dispatcher.press("r")
    dispatcher.page.wait_for_selector(".unit >> text=, read back", timeout=_SLOW_MS)
    dispatcher.press("v")
    dispatcher.press("1")  # recording
    dispatcher.press("Enter")
    gone(dispatcher, "body_worn_video-C123")
    dispatcher.press("t")
    dispatcher.type("Sgt Quill")
    dispatcher.press("Enter")
    gone(dispatcher, "tell_response_supervisor")
    dispatcher.press("Escape")
    dispatcher.press("c")
    dispatcher.press("1")
    dispatcher.press("Enter")
    gone(dispatcher, "keep_caller_safe")
    dispatcher.picture("walk-5-briefed")
    dispatcher.page.focus("[name=call_sign][data-key=u]")
    dispatcher.type("C124")
    dispatcher.press("Enter")
    dispatcher.page.wait_for_selector(".unit >> text=joined after the others were briefed", timeout=_SLOW_MS)
    dispatcher.picture("walk-6-joined-later")

    supervisor.page.goto(address)
    supervisor.page.focus("#close [name=reason]")
    supervisor.type("Victim safe with a plan; units are clear")
    supervisor.press("Enter")
    supervisor.page.wait_for_selector(".strip__closed", timeout=_SLOW_MS)
    supervisor.picture("walk-7-closed")
    words = supervisor.page.inner_text("#timeline")
    for said in ("Brief read out: C123", "Read back: C123", "Safe to talk?: Dropped", "C124 assigned", "left open"):
        assert said in words


def test_what_somebody_else_answers_appears_and_what_is_being_typed_is_left_alone(
    room: tuple[Screen, Screen, Screen],
) -> None:
    handler, dispatcher, _ = room
    address = open_incident(handler)
    dispatcher.page.goto(address)
    typing = ask(dispatcher, "first_words")
    dispatcher.page.focus(f"{typing} textarea >> nth=0")
    dispatcher.type("He is outside")
    selector = ask(handler, "safe_to_talk")
    handler.press("2")
    handler.press("Enter")
    answered(handler, selector)
    answered(dispatcher, selector)
    assert dispatcher.page.input_value(f"{typing} textarea >> nth=0") == "He is outside"
    assert dispatcher.page.evaluate("document.activeElement.tagName") == "TEXTAREA"


def test_copying_the_brief_is_recorded_as_passed_to_the_units(room: tuple[Screen, Screen, Screen]) -> None:
    handler, dispatcher, _ = room
    dispatcher.page.goto(open_incident(handler))
    dispatcher.press("u")
    dispatcher.type("C77")
    dispatcher.press("Enter")
    dispatcher.page.wait_for_selector(".unit", timeout=_SLOW_MS)
    dispatcher.press("Escape")
    dispatcher.page.evaluate("document.getSelection().selectAllChildren(document.querySelector('.brief__say'))")
    words = dispatcher.page.evaluate("document.getSelection().toString()")
    assert words
    dispatcher.page.evaluate("document.querySelector('.brief__say').marked = true")
    dispatcher.page.evaluate("document.dispatchEvent(new CustomEvent('overlay:reload'))")
    comes_true(dispatcher.page, "!document.querySelector('.brief__say').marked", seconds=_SLOW_MS / 1000)
    assert dispatcher.page.evaluate("document.getSelection().toString()") == words, "lost as the page was renewed"
    dispatcher.press("Control+c")
    dispatcher.page.wait_for_selector("#timeline >> text=Brief copied: C77", timeout=_SLOW_MS)


def test_a_refused_answer_says_why_where_it_was_typed(room: tuple[Screen, Screen, Screen]) -> None:
    handler, _, _ = room
    open_incident(handler)
    selector = ask(handler, "exact_premises")
    handler.press("5")  # not confirmed, which needs a note
    handler.press("Enter")
    handler.page.wait_for_selector(f"{selector} .wrong", timeout=_SLOW_MS)
    assert "Add a note" in handler.page.inner_text(f"{selector} .wrong")
    assert handler.page.is_checked(f"{selector} [value=not_confirmed]")
    handler.page.focus(f"{selector} [name=note]")
    handler.type("Caller does not know the flat")
    handler.press("Enter")
    answered(handler, selector)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_of_the_room_have_nothing_serious_and_nothing_spills(
    open_screen: Open, console: Console, scheme: str
) -> None:
    screen = open_screen(console, bypass_csp=True, color_scheme=scheme)
    screen.sign_in("control_room_supervisor")
    address = open_incident(screen, call="silent").removeprefix(console.url)
    screen.page.focus("[name=call_sign][data-key=u]")
    screen.type("C321")
    screen.press("Enter")
    screen.page.wait_for_selector(".unit", timeout=_SLOW_MS)
    for name, path in (("incident", address), ("board", "/board"), ("room", "/control-room")):
        screen.page.goto(console.url + path)
        for point_ in screen.page.locator(".point details").all():
            point_.evaluate("fold => { fold.open = true; }")
        assert violations(screen) == [], name
        for width, height in ((1366, 768), (683, 384), (2560, 1440)):  # the second is the first at 200 %
            screen.page.set_viewport_size({"width": width, "height": height})
            assert screen.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (name, width)
            screen.picture(f"{name}-{scheme}-{width}")


_COUNT_TONES = """() => {
  window.tones = 0;
  const start = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function (...at) { window.tones += 1; return start.apply(this, at); };
}"""


def test_a_tone_is_off_at_first_and_sounds_once_for_what_is_new(open_screen: Open, console: Console) -> None:
    board, caller = open_screen(console, bypass_csp=True), open_screen(console)
    board.sign_in("dispatcher")
    board.page.add_init_script(f"({_COUNT_TONES})()")
    board.page.goto(f"{console.url}/board")
    board.page.wait_for_selector("#sound:not([hidden])")
    assert board.page.inner_text("#sound") == "Sound off"
    caller.sign_in("call_handler")
    first = open_incident(caller, call="dropped").rpartition("/")[2]
    board.page.wait_for_selector(f"#row-{first}", timeout=_SLOW_MS)
    assert board.page.evaluate("window.tones") == 0
    board.page.focus("#sound")
    board.press("Enter")
    comes_true(board.page, "document.getElementById('sound').textContent === 'Sound on'")
    comes_true(board.page, "window.tones === 1")
    assert board.page.get_attribute("#sound", "aria-pressed") == "true"
    board.page.evaluate("document.activeElement.blur()")
    selector = ask(caller, "safe_to_talk")
    caller.press("5")  # dropped: raised to the supervisor
    caller.press("Enter")
    answered(caller, selector)
    comes_true(board.page, "window.tones === 2", seconds=_SLOW_MS / 1000)
    board.page.reload()
    board.page.wait_for_selector("#sound:not([hidden])")
    assert board.page.inner_text("#sound") == "Sound on after a key"
    board.press("j")
    comes_true(board.page, "document.getElementById('sound').textContent === 'Sound on'")
    assert board.page.evaluate("window.tones") == 0
