"""Signing in and out over HTTP: cookies, form tokens, and what ends at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from http.cookies import SimpleCookie

import pytest
import requests

from markers.store_errors import StoreUnavailable
from overlay import identity
from overlay.app import create_app
from overlay.services import Services
from overlay.settings import Settings
from tests.conftest import Console
from tests.web.conftest import TIMEOUT_S, Visitor

PASSWORD = "a long enough password"


def session_cookie(reply: requests.Response) -> SimpleCookie:
    kept: SimpleCookie = SimpleCookie()
    for value in reply.raw.headers.getlist("Set-Cookie"):
        kept.load(value)
    return kept


@pytest.fixture
def person(services: Services, request: pytest.FixtureRequest) -> str:
    """A call handler of the test's own."""
    username = f"p{abs(hash(request.node.nodeid)):x}"[:20]
    identity.create_account(
        services.store, services.access, username, "Perry Quill", "call_handler", PASSWORD, datetime.now(UTC)
    )
    time.sleep(0.3)
    return username


def test_the_right_password_opens_the_console_under_ones_name_and_role(visitor: Visitor, person: str) -> None:
    reply = visitor.sign_in(person, PASSWORD)
    assert (reply.status_code, reply.headers["Location"]) == (303, "/")
    page = visitor.get("/")
    assert page.status_code == 200
    assert "Perry Quill" in page.text
    assert "Call handler" in page.text
    assert visitor.get("/sign-in").headers["Location"] == "/"


def test_the_cookies_are_out_of_reach_of_scripts_and_other_sites(visitor: Visitor, person: str) -> None:
    form = session_cookie(visitor.get("/sign-in"))["overlay-form"]
    visitor.post("/sign-in", {"username": "", "password": ""})
    signed = session_cookie(visitor.sign_in(person, PASSWORD))["overlay-session"]
    device = session_cookie(visitor.post("/sign-out", {}))
    assert "overlay-device" not in device, "the browser stays known"
    for cookie in (form, signed):
        assert cookie["httponly"]
        assert cookie["samesite"] == "Strict"
        assert cookie["path"] == "/"
        assert not cookie["domain"]
        assert not cookie["secure"], "a browser would drop a Secure cookie of a plain http page"
    assert int(signed["max-age"]) == 12 * 3600


@pytest.mark.parametrize(
    ("username", "password"), [("{person}", "wrong password!"), ("nobody-here", PASSWORD), ("", "")]
)
def test_a_wrong_sign_in_says_one_thing_whatever_was_wrong(
    visitor: Visitor, person: str, username: str, password: str
) -> None:
    reply = visitor.sign_in(username.format(person=person), password)
    assert reply.status_code == 401
    assert "That username and password don" in reply.text
    assert "overlay-session" not in session_cookie(reply)
    assert visitor.get("/").status_code == 303


def test_what_was_typed_as_a_name_is_escaped_and_the_password_never_comes_back(visitor: Visitor) -> None:
    reply = visitor.sign_in("<script>alert(1)</script>", "hunter2-hunter2")
    assert reply.status_code == 401
    assert "<script>alert" not in reply.text
    assert "hunter2" not in reply.text


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/check"])
@pytest.mark.parametrize("token", [None, "", "nonsense", "theirs"])
def test_a_form_without_this_sites_own_mark_is_refused(
    console: Console, signed_in: Callable[[str], Visitor], path: str, token: str | None
) -> None:
    cookies = signed_in("call_handler").session.cookies.get_dict()
    data = {"location": "14 Nowhere At All", "username": "x", "password": "y"}
    if token == "theirs":
        other = Visitor(console.url)
        other.get("/sign-in")
        token = other.form_token
    if token is not None:
        data["csrf_token"] = token
    reply = requests.post(console.url + path, data=data, cookies=cookies, allow_redirects=False, timeout=TIMEOUT_S)
    assert reply.status_code == 403
    assert "not from this page" in reply.text
    assert signed_in("call_handler").get("/").status_code == 200, "and the session goes on"


def test_a_form_sent_by_another_site_is_refused_even_with_the_mark(signed_in: Callable[[str], Visitor]) -> None:
    visitor = signed_in("call_handler")
    for site in ("cross-site", "same-site"):
        reply = visitor.post("/check", {"location": "14 Nowhere At All"}, headers={"Sec-Fetch-Site": site})
        assert reply.status_code == 403


def test_signing_out_ends_the_session_even_for_a_copy_of_the_cookie(visitor: Visitor, person: str) -> None:
    visitor.sign_in(person, PASSWORD)
    visitor.get("/")
    copy = visitor.session.cookies.get_dict()
    reply = visitor.post("/sign-out", {})
    assert (reply.status_code, reply.headers["Location"]) == (303, "/sign-in")
    assert "overlay-session" not in visitor.session.cookies.get_dict()
    reply = requests.post(
        visitor.base + "/check",
        {"csrf_token": visitor.form_token, "location": "14 Nowhere At All"},
        cookies=copy,
        allow_redirects=False,
        timeout=TIMEOUT_S,
    )
    assert reply.status_code == 401, "no check is answered after it, however soon"
    until(lambda: requests.get(visitor.base + "/", cookies=copy, allow_redirects=False, timeout=TIMEOUT_S), 303)


def test_whoever_was_let_in_a_moment_ago_is_known_to_every_process(
    console: Console, visitor: Visitor, person: str, services: Services
) -> None:
    behind = Services.start(Settings.read(console.environment()), follow=False)
    try:
        client = create_app(behind).test_client()
        visitor.sign_in(person, PASSWORD)
        client.set_cookie("overlay-session", visitor.session.cookies["overlay-session"], domain="127.0.0.1")
        assert client.get("/", base_url=console.url).status_code == 200
        made = identity.create_token(services.store, services.access, "new", "service", datetime.now(UTC), 1)
        assert client.get("/api/v1/openapi.json", headers={"Authorization": f"Bearer {made}"}).status_code == 200
        later = identity.create_token(services.store, services.access, "later", "service", datetime.now(UTC), 1)
        behind.note_trouble(StoreUnavailable("gone"))
        refused = client.get("/api/v1/openapi.json", headers={"Authorization": f"Bearer {later}"})
        assert refused.status_code == 401, "a store that is away is not asked once more by every stranger"
    finally:
        behind.close()


def test_signing_in_anew_ends_the_session_before_it(visitor: Visitor, person: str) -> None:
    visitor.sign_in(person, PASSWORD)
    copy = {"overlay-session": visitor.session.cookies["overlay-session"]}
    visitor.get("/")
    reply = visitor.post("/sign-in", {"username": person, "password": PASSWORD})
    assert (reply.status_code, reply.headers["Location"]) == (303, "/")
    until(lambda: requests.get(visitor.base + "/", cookies=copy, allow_redirects=False, timeout=TIMEOUT_S), 303)
    assert visitor.get("/").status_code == 200


def test_a_page_left_open_can_be_sent_after_signing_in_again_elsewhere(
    visitor: Visitor, services: Services, person: str
) -> None:
    visitor.sign_in(person, PASSWORD)
    visitor.get("/")
    old_page = visitor.form_token
    identity.set_password(services.store, services.access, person, PASSWORD + "!", datetime.now(UTC))
    ended = until(lambda: visitor.post("/check", {"location": "14 Nowhere At All"}), 401)
    assert "treat" in ended.text
    visitor.sign_in(person, PASSWORD + "!")
    assert visitor.post("/check", {"csrf_token": old_page, "location": "14 Nowhere At All"}).status_code == 200


def until(ask: Callable[[], requests.Response], status: int, within_s: float = 1.0) -> requests.Response:
    """Ask until every one of five answers in a row (the console has more than one process) has the status."""
    end = time.monotonic() + within_s
    while True:
        replies = [ask() for _ in range(5)]
        if all(reply.status_code == status for reply in replies):
            return replies[-1]
        assert time.monotonic() < end, [reply.status_code for reply in replies]


def test_a_disabled_account_is_out_within_a_second(visitor: Visitor, services: Services, person: str) -> None:
    visitor.sign_in(person, PASSWORD)
    assert visitor.get("/").status_code == 200
    identity.disable_account(services.store, services.access, person, datetime.now(UTC))
    reply = visitor.post("/check", {"location": "14 Nowhere At All"})
    assert reply.status_code == 401, "no check is answered after the change, however soon"
    until(lambda: visitor.get("/"), 303)
    assert visitor.sign_in(person, PASSWORD).status_code == 401


def test_a_revoked_token_makes_no_further_check(console: Console, services: Services) -> None:
    bearer = identity.create_token(services.store, services.access, "short", "service", datetime.now(UTC), 1)
    headers, body = {"Authorization": f"Bearer {bearer}"}, {"location": {"address": "14 Nowhere At All"}}

    def ask() -> requests.Response:
        return requests.post(f"{console.url}/api/v1/checks", json=body, headers=headers, timeout=TIMEOUT_S)

    until(ask, 200)
    token = next(token for token in services.access.tokens() if token.name == "short")
    identity.revoke_token(services.store, services.access, token.token_id, datetime.now(UTC))
    for _ in range(10):
        assert ask().status_code == 401


def test_too_many_wrong_passwords_make_that_person_wait(console: Console, visitor: Visitor, person: str) -> None:
    last = None
    for _ in range(30):
        last = visitor.sign_in(person, "wrong password!")
        if last.status_code == 429:
            break
        assert last.status_code == 401
    assert last is not None
    assert last.status_code == 429
    assert 1 <= int(last.headers["Retry-After"]) <= 15 * 60
    assert "Wait" in last.text
    other = Visitor(console.url)
    assert other.sign_in(*console.accounts["dispatcher"]).status_code == 303


def test_a_browser_that_signed_in_before_is_not_held_up_by_strangers(
    console: Console, visitor: Visitor, person: str
) -> None:
    visitor.sign_in(person, PASSWORD)
    visitor.get("/")
    visitor.post("/sign-out", {})
    stranger = Visitor(console.url)
    while stranger.sign_in(person, "wrong password!").status_code == 401:
        pass
    assert stranger.sign_in(person, PASSWORD).status_code == 429
    assert visitor.sign_in(person, PASSWORD).status_code == 303
