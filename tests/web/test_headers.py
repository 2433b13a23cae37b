"""What every answer carries, whatever it answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import requests
from flask import Flask, abort
from werkzeug.exceptions import default_exceptions

from markers.location import LocationError
from markers.store_errors import VersionConflict
from overlay import errors, identity
from overlay.app import create_app
from overlay.errors import BodyRefused, FieldError
from overlay.security import Forbidden, public
from overlay.services import Services
from tests.conftest import Console
from tests.web.conftest import TIMEOUT_S, Visitor

PLACES = [
    ("GET", "/"),
    ("GET", "/sign-in"),
    ("POST", "/sign-in"),
    ("POST", "/sign-out"),
    ("POST", "/check"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/nothing"),
    ("DELETE", "/"),
    ("GET", "/static/console.js"),
    ("GET", "/static/nothing"),
    ("POST", "/api/v1/checks"),
    ("GET", "/api/v1/openapi.json"),
    ("GET", "/metrics"),
    ("GET", "/api/v1/nothing"),
]


@pytest.mark.parametrize(("method", "path"), PLACES)
def test_every_answer_carries_the_same_protection(console: Console, method: str, path: str) -> None:
    headers = requests.request(method, console.url + path, allow_redirects=False, timeout=TIMEOUT_S).headers
    policy = headers["Content-Security-Policy"]
    for part in (
        "default-src 'none'",
        "img-src 'self'",
        "connect-src 'self'",
        "font-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ):
        assert part in policy.split("; ")
    assert "unsafe" not in policy
    assert "http:" not in policy
    assert "https:" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "geolocation=()" in headers["Permissions-Policy"]
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cache-Control"] == ("no-cache" if path == "/static/console.js" else "no-store")
    assert "Access-Control-Allow-Origin" not in headers
    assert "Strict-Transport-Security" not in headers, "never over plain http"


def test_each_answer_has_a_nonce_of_its_own(visitor: Visitor) -> None:
    nonces = set()
    for _ in range(3):
        found = re.findall(r"'nonce-([^']+)'", visitor.get("/sign-in").headers["Content-Security-Policy"])
        assert len(set(found)) == 1
        nonces.update(found)
    assert len(nonces) == 3


def test_pages_hold_no_inline_script_or_style_and_name_no_other_host(signed_in: Callable[[str], Visitor]) -> None:
    page = signed_in("call_handler").get("/").text
    for element in re.findall(r"<(script|style)\b([^>]*)>", page):
        assert "src=" in element[1] or "nonce=" in element[1], element
    assert not re.search(r"\s(on\w+|style)=\"", page)
    assert not re.search(r"(src|href|action)=\"(https?:)?//", page)


def test_a_body_over_the_limit_is_refused_unread(console: Console, visitor: Visitor) -> None:
    visitor.get("/sign-in")
    reply = visitor.post("/sign-in", {"username": "x" * 70_000, "password": "y"})
    assert reply.status_code == 413
    assert "64 KiB" in reply.text


def test_every_route_and_method_is_tried_above_or_here(app: Flask, console: Console) -> None:
    for rule in app.url_map.iter_rules():
        for method in {*(rule.methods or ()), "PATCH"}:
            path = re.sub(r"<[^>]+>", "none", rule.rule)
            reply = requests.request(method, console.url + path, allow_redirects=False, timeout=TIMEOUT_S)
            protected(reply.headers, f"{method} {path}")


@pytest.mark.parametrize("kind", [*(kind for kind, _ in errors.TABLE), RuntimeError, *default_exceptions])
@pytest.mark.parametrize("path", ["/wrong", "/api/v1/wrong"])
def test_every_error_carries_the_same_protection(services: Services, kind: type[Exception] | int, path: str) -> None:
    app = create_app(services)

    def wrong() -> None:
        if isinstance(kind, int):
            abort(kind)
        raise WORDS.get(kind, kind)

    app.add_url_rule("/wrong", "wrong", public("raises")(wrong))
    app.add_url_rule("/api/v1/wrong", "api_wrong", public("raises")(wrong))
    with app.test_client() as client:
        reply = client.get(path)
        assert reply.status_code >= 300
        protected(reply.headers, str(kind))


WORDS: dict[object, Exception] = {
    LocationError: LocationError("address", "It is empty."),
    BodyRefused: BodyRefused((FieldError("a", "is wrong."),), malformed=False),
    Forbidden: Forbidden("Auditor", "checks.make"),
    VersionConflict: VersionConflict("markers", "m1", 2),
    identity.SlowDown: identity.SlowDown(3),
    identity.Refused: identity.Refused("name", "Too long."),
}


def protected(headers: Any, what: str) -> None:
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self' 'nonce-"), what
    assert headers["X-Content-Type-Options"] == "nosniff", what
    assert headers["Referrer-Policy"] == "no-referrer", what
    assert headers["Cache-Control"] in ("no-store", "no-cache"), what
    for name in ("Permissions-Policy", "Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy"):
        assert headers[name], what
