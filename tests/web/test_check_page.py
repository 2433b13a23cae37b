"""The check page over HTTP, with and without script."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from overlay.web.check import pages
from tests.conftest import Console
from tests.web.conftest import Visitor

SCRIPT = {"HX-Request": "true"}


@pytest.fixture
def handler(signed_in: Callable[[str], Visitor]) -> Visitor:
    return signed_in("call_handler")


def result(text: str) -> str:
    found = re.search(r'data-result="([a-z_]+)"', text)
    assert found, text
    return found[1]


def test_the_three_answers_show_on_the_whole_page_and_alone(console: Console, handler: Visitor) -> None:
    for address, expect in console.tries:
        fields = {"location": address, "incident": "CAD-1", "incident_type": "domestic", "caller": ""}
        whole, alone = handler.post("/check", fields), handler.post("/check", fields, headers=SCRIPT)
        for reply in (whole, alone):
            assert reply.status_code == 200
            assert result(reply.text) == expect.replace("-", "_").replace(" ", "_")
        assert "<html" in whole.text
        assert 'value="CAD-1"' in whole.text
        assert "<html" not in alone.text
        assert whole.headers["Vary"].find("HX-Request") >= 0


def test_before_a_check_there_is_no_result(handler: Visitor) -> None:
    assert result(handler.get("/").text) == "none"
    reply = handler.get("/check")
    assert (reply.status_code, reply.headers["Location"]) == (303, "/")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "location"),
        ({"location": "  "}, "location"),
        ({"location": "x" * 10_000}, "location"),
        ({"location": "x" * 10_001}, "location"),
        ({"location": "14 Tallow\0 Yard"}, "location"),
        ({"location": "14 Tallow Yard", "caller": "not a number"}, "caller"),
        ({"location": "14 Tallow Yard", "caller": "0" * 41}, "caller"),
        ({"location": "14 Tallow Yard", "incident": "i" * 65}, "incident"),
        ({"location": "14 Tallow Yard", "incident_type": "made_up"}, "incident_type"),
        ({"location": "48.8566, 2.3522"}, "location"),
    ],
)
def test_what_cannot_be_used_is_said_beside_its_box_and_nothing_was_checked(
    handler: Visitor, fields: dict[str, str], field: str
) -> None:
    reply = handler.post("/check", fields, headers=SCRIPT)
    assert reply.status_code == 422
    assert result(reply.text) == "could_not_check"
    assert f'data-field="{field}"' in reply.text
    assert "No check was made" in reply.text
    whole = handler.post("/check", fields)
    assert whole.status_code == 422
    assert "<html" in whole.text


def test_bytes_that_are_no_text_are_never_a_clear(handler: Visitor) -> None:
    reply = handler.session.post(
        f"{handler.base}/check",
        data=b"csrf_token=" + handler.form_token.encode() + b"&location=14+%ED%A0%80+Yard",
        headers={"Content-Type": "application/x-www-form-urlencoded", **SCRIPT},
        timeout=10,
    )
    assert result(reply.text) == "could_not_check"


def test_what_was_typed_is_escaped(handler: Visitor) -> None:
    reply = handler.post("/check", {"location": '"><script>alert(1)</script>', "incident": "<b>"})
    assert "<script>alert" not in reply.text
    assert 'value="<b>"' not in reply.text


def test_a_role_without_checks_is_told_so_and_shown_no_form(signed_in: Callable[[str], Visitor]) -> None:
    for role in ("auditor", "administrator"):
        page = signed_in(role).get("/")
        assert page.status_code == 200
        assert 'action="/check"' not in page.text


def test_a_check_without_a_session_is_a_401_that_a_script_can_tell(console: Console) -> None:
    visitor = Visitor(console.url)
    visitor.get("/sign-in")
    for headers in ({}, SCRIPT):
        reply = visitor.post("/check", {"location": "14 Tallow Yard"}, headers=headers)
        assert reply.status_code == 401
        assert "HX-Redirect" not in reply.headers
        assert "/sign-in" in reply.text


def test_the_name_of_the_page_never_holds_what_was_typed(console: Console, handler: Visitor) -> None:
    address = console.tries[0][0]
    text = handler.post("/check", {"location": address}).text
    title = re.search(r"<title>([^<]*)</title>", text)
    assert title
    assert address.split(",")[0] not in title[1]
    assert pages.name == "check"
