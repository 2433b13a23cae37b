"""axe-core on every page, in both themes: nothing serious."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from markers.exchange import marker_id
from overlay.demo import DEMO_PASSWORD
from tests.browser.conftest import Open, Screen
from tests.conftest import REPOSITORY, Console

pytestmark = pytest.mark.browser

AXE = REPOSITORY / "node_modules/axe-core/axe.min.js"


def violations(screen: Screen) -> list[str]:
    """What axe finds serious or critical, one line each. The page's policy is bypassed for axe alone."""
    screen.page.evaluate(Path(AXE).read_text(encoding="utf-8"))
    found: dict[str, Any] = screen.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{rule['id']}: {rule['help']}: {node['html']}"
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_on_any_page(open_screen: Open, console: Console, tries: dict[str, str], scheme: str) -> None:
    screen = open_screen(console, color_scheme=scheme, bypass_csp=True)
    screen.page.goto(console.url)
    assert violations(screen) == []
    screen.type("nobody")
    screen.press("Enter")
    screen.page.wait_for_selector(".govuk-error-summary")
    assert violations(screen) == []
    screen.sign_in("call_handler")
    assert violations(screen) == []
    for address in tries.values():
        screen.check(address)
        assert violations(screen) == []
    screen.type("x")
    assert violations(screen) == []
    screen.press("F1")
    assert violations(screen) == []
    screen.page.goto(f"{console.url}/no-such-page")
    assert violations(screen) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_where_glass_is_broken_and_reviewed(open_screen: Open, console: Console, scheme: str) -> None:
    screen = open_screen(console, color_scheme=scheme, bypass_csp=True)
    screen.sign_in("call_handler")
    screen.press("Tab")
    screen.type(f"CAD-axe-{scheme}")
    screen.page.focus("#location")
    screen.type("Penthouse 1, Quarto Tower")
    screen.press("Enter")
    screen.settled()
    screen.page.click(".glass__summary")
    assert violations(screen) == []
    for reason, then in (("short", "#glass-problem"), ("Looked at by a test of the pages", ".glass--broken")):
        screen.page.fill("#reason", reason)
        screen.page.fill("#glass-password", DEMO_PASSWORD)
        screen.press("Enter")
        screen.page.wait_for_selector(then)
        assert violations(screen) == []
    others = {
        "control_room_supervisor": ("/broken-glass", "/control-room"),
        "ppu_officer": ("/disclosures", f"/markers/{marker_id('QM-0004')}"),
    }
    for role, paths in others.items():
        other = open_screen(console, color_scheme=scheme, bypass_csp=True)
        other.sign_in(role)
        for path in paths:
            other.page.goto(console.url + path)
            other.page.wait_for_selector(".desk h1")
            assert violations(other) == [], path
