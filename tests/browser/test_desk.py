"""A marker's life at the desk by keyboard: proposed, approved by another, found by a call handler, reviewed, changed,
reported moved, ended, erased."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from openpyxl import Workbook

from markers.ledger import Via
from markers.model import Place
from markers.written import marker_id
from overlay.roles import Actor
from overlay.services import running
from overlay.settings import Settings
from overlay.upkeep.feedback import tell
from overlay.upkeep.lists import import_markers, plan_import
from tests.browser.conftest import Open, Screen
from tests.browser.test_accessibility import violations
from tests.conftest import Console
from tests.store.room import NUMBER

pytestmark = pytest.mark.browser


def field(screen: Screen, name: str, text: str) -> None:
    """Type into a box, replacing what it holds."""
    screen.page.focus(f"#{name}")
    screen.press("Control+a")
    screen.type(text)


def push(screen: Screen, text: str) -> None:
    """Press a button or follow a link from the keyboard."""
    found = screen.page.locator(f"main >> :is(button, a):text-is('{text}')").first
    found.focus()
    with screen.page.expect_navigation():
        screen.press("Enter")


def follow(screen: Screen, path: str) -> None:
    screen.page.goto(screen.console.url + path)
    screen.page.wait_for_selector("main h1")


def sound(screen: Screen) -> None:
    """Nothing serious, and nothing wider than the screen."""
    assert violations(screen) == []
    assert screen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_markers_whole_life_by_keyboard(open_screen: Open, console: Console) -> None:
    officer, supervisor, handler = (open_screen(console, bypass_csp=True) for _ in range(3))
    officer.sign_in("ppu_officer")
    supervisor.sign_in("ppu_supervisor")
    handler.sign_in("call_handler")
    reference, home = f"CP-{uuid.uuid4().hex[:6]}", "3 Inkhorn Court"

    follow(officer, "/desk")
    sound(officer)
    push(officer, "Propose a marker")
    push(officer, "Child protection plan")
    push(officer, "Send for approval")
    summary = officer.page.locator(".govuk-error-summary")
    assert "Whom it is about" in summary.inner_text()
    sound(officer)
    officer.picture("desk-1-what-is-missing")
    summary.locator("a").first.focus()
    officer.press("Enter")
    assert officer.page.evaluate("document.activeElement.id") == "reference"
    field(officer, "reference", reference)
    field(officer, "address", home)
    officer.page.focus("#subject")
    officer.press("Space")
    officer.page.focus("#plan_category")
    officer.type("neglect")
    field(officer, "plan_started", "1 Nov 2026")
    field(officer, "social_care_contact", "Duty desk, ext 12")
    push(officer, "Send for approval")
    assert "You proposed this" in officer.page.inner_text("main")
    sound(officer)
    officer.picture("desk-2-proposed")

    handler.check(home)
    assert "NO MARKER FOR THIS HOME" in handler.page.inner_text("#answer")
    follow(supervisor, "/desk")
    push(supervisor, reference)
    supervisor.picture("desk-3-to-approve")
    push(supervisor, "Approve")
    sound(supervisor)
    supervisor.picture("desk-4-approved")
    handler.check(home)
    assert "MARKER AT THIS HOME" in handler.page.inner_text("#answer")

    marker = supervisor.page.url.removeprefix(console.url).partition("?")[0]
    follow(officer, marker)
    field(officer, "evidence", "Rang the duty desk")
    push(officer, "Confirm it")
    assert "Confirmed at review" in officer.page.inner_text("main")
    push(officer, "Propose a change")
    field(officer, "headline", "Child protection plan, two children")
    push(officer, "Send for approval")
    follow(supervisor, "/desk")
    push(supervisor, reference)
    assert "What changes" in supervisor.page.inner_text("main")
    supervisor.picture("desk-5-a-change")
    push(supervisor, "Approve")
    handler.check(home)
    assert "two children" in handler.page.inner_text("#answer")
    handler.picture("desk-6-found")
    sound(handler)
    handler.press("Alt+m")
    handler.page.wait_for_selector(".feedback__told")
    assert "Told its owner: moved away" in handler.page.inner_text("#answer")
    follow(officer, "/desk")
    assert f"{reference}\tmoved away" in officer.page.inner_text("main")
    sound(officer)
    officer.picture("desk-7-from-the-room")

    follow(officer, marker)
    officer.page.focus("summary:has-text('Propose that it ends')")
    officer.press("Enter")
    officer.page.select_option("#reason", label="The plan or order has ended")
    push(officer, "Send for approval")
    follow(supervisor, "/desk")
    push(supervisor, reference)
    push(supervisor, "Approve the ending")
    handler.check(home)
    assert "NO MARKER FOR THIS HOME" in handler.page.inner_text("#answer")
    supervisor.page.focus("summary:has-text('Erase it')")
    supervisor.press("Enter")
    field(supervisor, "erase-why", "Over")
    supervisor.page.focus("#sure")
    supervisor.press("Space")
    sound(supervisor)
    push(supervisor, "Erase it")
    assert "Erased" in supervisor.page.inner_text("main")
    follow(supervisor, marker)
    assert "That is not here" in supervisor.page.inner_text("main")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_desks_pages_have_nothing_serious_and_nothing_spills(
    open_screen: Open, console: Console, scheme: str
) -> None:
    officer = open_screen(console, color_scheme=scheme, bypass_csp=True)
    officer.sign_in("ppu_officer")
    for path in ("/desk", "/markers", "/markers/new", "/markers/new?category=court_order"):
        for width, height in ((1366, 768), (683, 384)):  # as it is, and at 200 % zoom
            officer.page.set_viewport_size({"width": width, "height": height})
            follow(officer, path)
            sound(officer)
    room = open_screen(console, color_scheme=scheme, bypass_csp=True)
    room.sign_in("control_room_supervisor")
    follow(room, "/markers/provisional?category=domestic_abuse_risk")
    sound(room)


def test_a_home_is_chosen_as_it_is_typed_and_an_area_is_drawn(open_screen: Open, console: Console) -> None:
    officer = open_screen(console)
    officer.sign_in("ppu_officer")
    page = officer.page
    page.goto(f"{console.url}/markers/new?category=court_order")
    page.wait_for_selector(".autocomplete__wrapper")
    page.focus("#address")
    page.keyboard.type("12 octav", delay=30)
    page.wait_for_selector(".autocomplete__option")
    officer.picture("form-homes")
    assert violations(officer) == []
    officer.press("ArrowDown")
    officer.press("Enter")
    assert page.input_value("#address") == "Flat 12, Octavo Tower, Scriptor Walk, London"
    page.focus("summary:has-text('Who would see what of it')")
    officer.press("Enter")
    page.wait_for_selector("#preview:has-text('still to be filled in')")
    field(officer, "reference", "CO-1")
    field(officer, "conditions", "Not to enter")
    page.check("[name=subject] >> nth=0")
    page.wait_for_selector("#preview th:has-text('Call handler')")
    page.focus("#draw summary")
    officer.press("Enter")
    page.wait_for_selector("#map .map__street")
    page.fill("#zone_wkt", "POLYGON ((596000 179000, 596100 179000, 596100 179100, 596000 179100, 596000 179000))")
    officer.press("Tab")
    page.wait_for_selector("#map path.map__zone")
    page.focus("[data-draw=clear]")
    officer.press("Enter")
    assert page.input_value("#zone_wkt") == ""
    page.focus("[data-draw=Polygon]")
    officer.press("Enter")
    page.locator("#map").scroll_into_view_if_needed()
    box = page.locator("#map").bounding_box()
    assert box
    for across, down in ((0.3, 0.3), (0.6, 0.3), (0.6, 0.6), (0.3, 0.3)):
        page.mouse.click(box["x"] + box["width"] * across, box["y"] + box["height"] * down)
        page.wait_for_timeout(80)
    drawn = page.input_value("#zone_wkt")
    assert drawn.startswith("POLYGON ((")
    assert len(drawn.split(",")) == 4
    officer.picture("form-drawn")
    assert violations(officer) == []


def test_the_map_is_reached_by_keyboard_and_the_list_is_its_equal(open_screen: Open, console: Console) -> None:
    officer = open_screen(console)
    officer.sign_in("ppu_officer")
    page = officer.page
    page.goto(f"{console.url}/markers")
    page.fill("#words", "octavo")
    page.focus("text=On the map")
    officer.press("Enter")
    page.wait_for_selector(".map__dot")
    assert "markers are in view" in page.inner_text("#map-says")
    page.focus(".map__dot >> nth=0")
    officer.press("Enter")
    page.wait_for_selector(".leaflet-popup a[href^='/markers/']")
    officer.picture("map")
    assert violations(officer) == []
    page.focus("text=As a list")
    officer.press("Enter")
    page.wait_for_selector("caption:has-text('Markers found')", state="attached")
    assert page.input_value("#words") == "octavo"


def test_a_messy_workbook_is_sent_in_and_approved_by_another(
    open_screen: Open, console: Console, tmp_path: Path
) -> None:
    officer, supervisor = open_screen(console), open_screen(console)
    name = uuid.uuid4().hex[:8]
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append([])
    sheet.append(["Reference", "CATEGORY", "Address ", "Post code", "Starts on", "Subject", "Notes of our own"])
    sheet.append(
        [
            f"X-{name}-1",
            "Domestic abuse risk",
            f"Flat 1,\n9 Zq{name} Row",
            None,
            datetime.now(UTC).date(),
            "Victim",
            12.0,
        ]
    )
    sheet.append([None] * 7)
    sheet.append([f"X-{name}-2", "domestic abuse", "8 Foolscap Lane", "ec9a1ap", "soon", "victim", None])
    sheet.append([f"X-{name}-3", "domestic_abuse_risk", '=A3&" Row"', None, None, "victim", None])
    path = tmp_path / "PPU list (final) v2.xlsx"
    book.save(path)
    officer.sign_in("ppu_officer")
    page = officer.page
    page.goto(f"{console.url}/lists")
    page.set_input_files("#list", path)
    officer.picture("lists")
    assert violations(officer) == []
    push(officer, "Send it in")
    page.wait_for_selector("text=Waits for a second person", timeout=20_000)
    if page.locator("text=See what it would do").count():
        push(officer, "See what it would do")
    page.click("summary:has-text('What was wrong')")
    words = page.inner_text("main")
    for said in (f"X-{name}-1", "line 5, category", "line 5, starts_on", "line 6: the formula in column C"):
        assert said in words
    assert "You sent this in" in words
    officer.picture("list-waiting")
    assert violations(officer) == []
    supervisor.sign_in("ppu_supervisor")
    supervisor.page.goto(page.url)
    supervisor.page.focus("#find")
    supervisor.type(f"{name}-1")
    with supervisor.page.expect_navigation():
        supervisor.press("Enter")
    supervisor.page.wait_for_selector(f"td:text-is('X-{name}-1')")
    supervisor.picture("list-found")
    assert violations(supervisor) == []
    supervisor.page.focus("text=To the decision")
    supervisor.press("Enter")
    supervisor.page.focus("[name=parts]")
    assert supervisor.page.is_checked("[name=parts]")
    push(supervisor, "Approve what is chosen")
    supervisor.page.wait_for_selector("#list-progress:has-text('Done')", timeout=20_000)
    supervisor.picture("list-done")
    assert violations(supervisor) == []
    supervisor.page.goto(f"{console.url}/markers")
    supervisor.page.fill("#words", f"X-{name}")
    push(supervisor, "Search")
    assert supervisor.page.locator(f"a:text-is('X-{name}-1')").count() == 1
    assert supervisor.page.locator("table tbody tr").count() == 1


def signed_out_beside(screen: Screen) -> Screen:
    """Another window of the same browser, in which its person has just signed out."""
    beside = Screen(screen.page.context.new_page(), screen.console)
    beside.page.goto(f"{screen.console.url}/")
    beside.page.click("button:text-is('Sign out')")
    beside.page.wait_for_selector("input[name=username]")
    screen.page.bring_to_front()
    return beside


def sign_in_beside(screen: Screen, beside: Screen, role: str) -> None:
    beside.page.bring_to_front()
    username, password = screen.console.accounts[role]
    beside.page.fill("input[name=username]", username)
    beside.page.fill("input[name=password]", password)
    beside.press("Enter")
    beside.page.wait_for_selector("h1:has-text('Check a location')", state="attached")
    screen.page.bring_to_front()


def test_a_list_and_a_word_on_what_was_done_outlive_a_sign_out(
    open_screen: Open, console: Console, tmp_path: Path
) -> None:
    name = uuid.uuid4().hex[:8]
    marked = replace(
        NUMBER, marker_id=marker_id(f"S-{name}"), reference=f"S-{name}", place=Place(f"Flat 1, 9 Zq{name} Row")
    )
    teller = Actor("os:test", "Casey", "call_handler", Via.CLI)
    with running(Settings.read(console.environment())) as services:
        import_markers(services, teller, plan_import(services, [marked]), services.now())
        tell(services, teller, marked.marker_id, None, "moved", "neighbour says so", services.now())
    officer = open_screen(console)
    officer.sign_in("ppu_officer")
    page = officer.page
    path = tmp_path / f"list-{name}.csv"
    path.write_text(f"reference,category,address,subject\nY-{name},domestic_abuse_risk,8 Zq{name} Row,victim\n")
    page.goto(f"{console.url}/lists")
    page.set_input_files("#list", path)
    page.select_option("#complete_of", "temporary")
    beside = signed_out_beside(officer)
    send = page.locator("button:text-is('Send it in')")
    send.focus()
    officer.press("Enter")
    page.wait_for_selector(".hold:has-text('Everything you typed is still here')")
    officer.picture("lists-held")
    assert page.input_value("#complete_of") == "temporary"
    assert page.evaluate("document.getElementById('list').files.length") == 1
    sign_in_beside(officer, beside, "ppu_officer")
    send.focus()
    with page.expect_navigation():
        officer.press("Enter")
    page.wait_for_selector(f"h1:has-text('List list-{name}.csv')")
    page.goto(f"{console.url}/markers/{marked.marker_id}")
    page.fill(".settle input[name=why]", "Rang her: she is still there")
    signed_out_beside(officer)
    done = page.locator(".settle button")
    done.focus()
    officer.press("Enter")
    page.wait_for_selector(".settle .hold:has-text('Everything you typed is still here')")
    assert page.input_value(".settle input[name=why]") == "Rang her: she is still there"
    officer.picture("settle-held")


def test_a_sign_out_while_a_form_is_written_loses_nothing(open_screen: Open, console: Console) -> None:
    officer = open_screen(console)
    officer.sign_in("ppu_officer")
    page = officer.page
    name = uuid.uuid4().hex[:8]
    page.goto(f"{console.url}/markers/new?category=temporary")
    page.wait_for_selector(".autocomplete__wrapper")
    field(officer, "reference", f"T-{name}")
    field(officer, "address", f"Flat 1, 9 Zq{name} Row")
    field(officer, "why", "Order made today")
    beside = signed_out_beside(officer)
    send = page.locator("button:text-is('Send for approval')")
    send.focus()
    officer.press("Enter")
    page.wait_for_selector(".hold:has-text('Everything you typed is still here')")
    officer.picture("form-held")
    assert page.input_value("#address") == f"Flat 1, 9 Zq{name} Row"
    assert page.input_value("#why") == "Order made today"
    sign_in_beside(officer, beside, "ppu_officer")
    send.focus()
    with page.expect_navigation():
        officer.press("Enter")
    assert "/proposals/" in page.url
    assert f"T-{name}" in page.inner_text("main")
