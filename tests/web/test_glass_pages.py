"""Broken glass, the owner's lists and the supervisor's page over HTTP: what each person is and is not told."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from markers.exchange import marker_id
from overlay.demo import DEMO_PASSWORD
from overlay.services import Services
from tests.conftest import Console
from tests.web.conftest import Visitor
from tests.web.test_check_page import SCRIPT, result

OFFENDERS = "Penthouse 1, Quarto Tower"
WHY = "The caller says the lodger has taken the child"
TELLING = ("offender", "QM-0004", "PPU Quillmarket")


def asked(incident: str, **more: str) -> dict[str, str]:
    return {"location": OFFENDERS, "incident": incident, "incident_type": "domestic", "caller": "", **more}


def tells(text: str) -> list[str]:
    return [word for word in TELLING if word.casefold() in text.casefold()]


@pytest.fixture
def handler(signed_in: Callable[[str], Visitor]) -> Visitor:
    return signed_in("call_handler")


def test_the_call_handler_is_told_what_to_do_and_whom_to_ask_and_no_more(handler: Visitor) -> None:
    text = handler.post("/check", asked("CAD-100")).text
    assert "Detail withheld: ask the dispatcher" in text
    assert "Tell the dispatcher of this marker" in text
    assert 'action="/break-glass"' in text
    assert tells(text) == []


def test_nobody_else_is_offered_the_glass(signed_in: Callable[[str], Visitor]) -> None:
    for role in ("dispatcher", "control_room_supervisor", "ppu_officer", "ppu_supervisor"):
        text = signed_in(role).post("/check", asked("CAD-100")).text
        assert "Registered sex offender" in text
        assert "/break-glass" not in text


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"reason": WHY, "password": "wrong-password-x"}, "not your password"),
        ({"reason": WHY}, "not your password"),
        ({"reason": "why", "password": DEMO_PASSWORD}, "Say why you need it"),
        ({"password": DEMO_PASSWORD}, "Say why you need it"),
        ({"reason": "x" * 501, "password": DEMO_PASSWORD}, "Say why you need it"),
    ],
)
def test_a_refusal_says_what_was_wrong_and_shows_no_more_than_before(
    handler: Visitor, services: Services, more: dict[str, str], said: str
) -> None:
    reply = handler.post("/break-glass", asked("CAD-101", **more), headers=SCRIPT)
    assert reply.status_code == 200
    assert result(reply.text) == "hit"
    assert said in reply.text, re.findall(r"glass-problem.*", reply.text)
    assert tells(reply.text) == []
    assert DEMO_PASSWORD not in reply.text
    assert "wrong-password-x" not in reply.text


def test_without_an_incident_nothing_breaks(handler: Visitor) -> None:
    reply = handler.post("/break-glass", asked(" ", reason=WHY, password=DEMO_PASSWORD))
    assert "Glass broken" not in reply.text
    assert tells(reply.text) == []


def test_the_whole_way_from_the_glass_to_its_review(
    handler: Visitor, signed_in: Callable[[str], Visitor], console: Console
) -> None:
    reply = handler.post("/break-glass", asked("CAD-102", reason=WHY, password=DEMO_PASSWORD))
    assert re.search(r"Glass broken for incident CAD-102 until \d\d:\d\d:\d\d", reply.text)
    assert tells(reply.text) == list(TELLING)
    assert tells(handler.post("/check", asked("CAD-103")).text) == []

    supervisor = signed_in("control_room_supervisor")
    assert "Glass broken now" in supervisor.get("/notices").text
    told = signed_in("ppu_officer").get("/notices").text
    assert "Glass broken now" in told
    assert 'href="/disclosures"' in told
    assert "CAD-102" in supervisor.get("/control-room").text
    page = supervisor.get("/broken-glass").text
    item = next(part for part in page.split('<section class="desk__item') if "CAD-102" in part)
    assert WHY in item
    assert "Casey Underhill" in item
    looked = re.search(r"Looks under it</dt><dd>(\d+)", item)
    assert looked
    assert int(looked[1]) == 1
    glass_id = re.search(r"/broken-glass/([0-9a-f]{32})/end", item)
    assert glass_id

    assert handler.post(f"/broken-glass/{glass_id[1]}/end", {}).status_code == 403
    assert supervisor.post(f"/broken-glass/{glass_id[1]}/end", {}).status_code == 303
    assert tells(handler.post("/check", asked("CAD-102")).text) == []

    refused = supervisor.post(f"/broken-glass/{glass_id[1]}/review", {"finding": "not_justified", "note": ""})
    assert refused.status_code == 422
    assert "Say what has to follow" in refused.text
    done = supervisor.post(f"/broken-glass/{glass_id[1]}/review", {"finding": "justified", "note": "Child found."})
    assert done.status_code == 303
    assert "Child found." in supervisor.get("/broken-glass").text

    officer = signed_in("ppu_officer")
    page = officer.get("/disclosures").text
    assert "glass broken" in page
    own = officer.get(f"/markers/{marker_id('QM-0004')}").text
    assert "CAD-102" in own
    assert "OFFICIAL-SENSITIVE" in own
    assert not re.search(r"<title>[^<]*(QM-|Quarto|Casey)", page + own)


def test_the_day_asked_for_is_shown_or_said_to_be_none(signed_in: Callable[[str], Visitor]) -> None:
    officer = signed_in("ppu_officer")
    for day, said in (
        ("2026-13-45", "not a day"),
        ("tomorrow", "not a day"),
        ("1999-01-01", "Nothing is kept of that day"),
        ("9999-12-31", "Nothing is kept of that day"),
        ("2021-06-01", "No marker was shown to anybody on this day"),
    ):
        reply = officer.get(f"/disclosures?day={day}")
        assert reply.status_code == 200
        assert said in reply.text, re.findall(r"glass-problem.*", reply.text)


def test_the_bar_names_the_pages_a_role_may_open_and_no_other(signed_in: Callable[[str], Visitor]) -> None:
    def paths_of(role: str) -> set[str]:
        bar = re.search(r'<nav class="bar__links".*?</nav>', signed_in(role).get("/").text, re.DOTALL)
        return set(re.findall(r'href="([^"]+)"', bar[0])) if bar else set()

    assert paths_of("call_handler") == {"/", "/board"}
    assert paths_of("control_room_supervisor") == {
        *("/", "/board", "/control-room", "/markers/provisional", "/broken-glass"),
    }
    assert paths_of("ppu_officer") == {"/", "/desk", "/markers", "/disclosures"}
    assert paths_of("ppu_supervisor") == {"/", "/desk", "/markers", "/disclosures", "/broken-glass"}
