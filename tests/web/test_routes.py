"""Every route has a guard, and every guard holds for nobody, for every role, and for the wrong kind of credential."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import requests
from flask import Flask

from overlay.app import create_app
from overlay.roles import ROLES, Roles
from overlay.security import Guard, guard_of
from overlay.services import Services
from overlay.settings import SHIPPED_CONFIG
from tests.conftest import Console
from tests.web.conftest import TIMEOUT_S, Visitor

# The route map as it is meant to be: a route missing here fails the test, so that nobody adds one unguarded by habit.
EXPECTED: dict[tuple[str, str], str | None] = {
    ("GET", "/"): "console.open",
    ("GET", "/check"): "console.open",
    ("POST", "/check"): "checks.make",
    ("GET", "/ledger"): "ledger.search",
    ("POST", "/ledger"): "ledger.search",
    ("POST", "/ledger/export"): "ledger.export",
    ("GET", "/sign-in"): None,
    ("POST", "/sign-in"): None,
    ("POST", "/sign-out"): None,
    ("GET", "/static/<path:filename>"): None,
    ("GET", "/healthz"): None,
    ("GET", "/readyz"): None,
    ("POST", "/api/v1/checks"): "checks.make",
    ("GET", "/api/v1/openapi.json"): "api.describe",
}
GUARDED = [(method, path, permission) for (method, path), permission in EXPECTED.items() if permission is not None]
CHECK = {"location": {"address": "14 Nowhere At All"}}


def test_the_route_map_is_the_one_written_down_and_every_route_has_its_guard(app: Flask) -> None:
    found: dict[tuple[str, str], Guard | None] = {
        (method, rule.rule): guard_of(app, rule.endpoint)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {route: guard and guard.permission for route, guard in found.items()} == EXPECTED
    for route, guard in found.items():
        assert guard is not None, route
        assert (guard.permission is None) == bool(guard.reason), route


def test_a_view_without_a_guard_answers_nobody(services: Services) -> None:
    app = create_app(services)
    app.add_url_rule("/open", "open", lambda: "unguarded words")
    app.add_url_rule("/api/v1/open", "api_open", lambda: "unguarded words")
    with app.test_client() as client:
        for path in ("/open", "/api/v1/open"):
            reply = client.get(path)
            assert reply.status_code == 500
            assert "unguarded words" not in reply.text


def send(console: Console, method: str, path: str, **options: object) -> requests.Response:
    if path.startswith("/api") and method == "POST":
        options["json"] = CHECK
    return requests.request(method, console.url + path, allow_redirects=False, timeout=TIMEOUT_S, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("method", "path", "permission"), GUARDED)
def test_nobody_gets_nothing(console: Console, method: str, path: str, permission: str) -> None:
    reply = send(console, method, path)
    if method == "GET" and not path.startswith("/api"):
        assert (reply.status_code, reply.headers["Location"]) == (303, "/sign-in")
    else:
        assert reply.status_code == 401
    if path.startswith("/api"):
        assert reply.headers["Content-Type"] == "application/problem+json"
        assert reply.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("role", [role for role in ROLES if role != "service"])
@pytest.mark.parametrize(("method", "path", "permission"), [row for row in GUARDED if not row[1].startswith("/api")])
def test_a_page_opens_to_the_roles_that_hold_its_permission(
    signed_in: Callable[[str], Visitor], role: str, method: str, path: str, permission: str
) -> None:
    visitor = signed_in(role)
    reply = visitor.get(path) if method == "GET" else visitor.post(path, {"location": "14 Nowhere At All"})
    allowed = Roles.load(SHIPPED_CONFIG / "roles.toml").allows(role, permission)
    assert reply.status_code in ({200, 303} if allowed else {403}), reply.text


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("method", "path", "permission"), [row for row in GUARDED if row[1].startswith("/api")])
def test_the_interface_opens_to_the_roles_that_hold_its_permission(
    console: Console, bearer: Callable[[str], dict[str, str]], role: str, method: str, path: str, permission: str
) -> None:
    reply = send(console, method, path, headers=bearer(role))
    allowed = Roles.load(SHIPPED_CONFIG / "roles.toml").allows(role, permission)
    assert reply.status_code == (200 if allowed else 403), reply.text
    if not allowed:
        assert reply.json()["type"] == "urn:overlay:problem:not-allowed"


@pytest.mark.parametrize(("method", "path", "permission"), GUARDED)
def test_a_cookie_never_opens_the_interface_and_a_token_never_opens_a_page(
    console: Console,
    signed_in: Callable[[str], Visitor],
    bearer: Callable[[str], dict[str, str]],
    method: str,
    path: str,
    permission: str,
) -> None:
    if path.startswith("/api"):
        cookies = {
            **signed_in("call_handler").session.cookies.get_dict(),
            **signed_in("administrator").session.cookies.get_dict(),
        }
        reply = send(console, method, path, cookies=cookies)
        assert reply.status_code == 401
    else:
        reply = send(console, method, path, headers=bearer("call_handler"))
        assert reply.status_code in (303, 401)


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Bearer wmo_", "Basic YTpi", "wmo_x", "Bearer wmo_" + "x" * 43, "Bearer " + "x" * 5000],
)
def test_an_odd_authorisation_header_is_nobody(console: Console, header: str) -> None:
    assert send(console, "POST", "/api/v1/checks", headers={"Authorization": header}).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1/checks", 405),
        ("DELETE", "/check", 405),
        ("OPTIONS", "/", 405),
        ("TRACE", "/sign-in", 405),
        ("GET", "/static/../app.py", 404),
        ("GET", "/static/nothing.css", 404),
        ("GET", "/static/%2e%2e/app.py", 404),
    ],
)
def test_what_is_not_there_is_said_and_no_more(console: Console, method: str, path: str, status: int) -> None:
    prepared = requests.Request(method, console.url).prepare()
    prepared.url = console.url + path  # as written, dots and all
    with requests.Session() as session:
        reply = session.send(prepared, allow_redirects=False, timeout=TIMEOUT_S)
    assert reply.status_code == status
    assert "nothing" not in reply.text.casefold().replace("nothing is kept", "").replace("nothing was", "")
    if path.startswith("/api"):
        assert reply.json()["status"] == status
    if status == 405:
        assert reply.headers["Allow"]
