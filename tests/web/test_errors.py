"""When things go wrong: a frozen store, a fault of our own, and every row of the table of errors."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import requests
from flask import Flask

from checklists.answers import AnswerRefused
from checklists.record import Answer
from markers.anchors import AnchorsFailed
from markers.location import LocationError
from markers.store_errors import StoreUnavailable, VersionConflict
from overlay import errors, identity
from overlay.app import create_app
from overlay.auditing import ProofFailed
from overlay.errors import BodyRefused, FieldError
from overlay.feed import TooManyStreams
from overlay.feedback import NoSuchFeedback
from overlay.glass import GlassRefused, NoSuchGlass
from overlay.incidents.book import NoSuchIncident
from overlay.list_plans import NoSuchList
from overlay.lookup import NotAllowedAnyMore, NothingDisclosed
from overlay.proposals import NoSuchProposal
from overlay.room.answering import AnswerMoved
from overlay.room.change import RoomBusy, RoomRefused
from overlay.room.opening import AlreadyOpen, NotKept
from overlay.saved_views import NoSuchView
from overlay.security import CrossSite, Forbidden, Locked, SignInFirst, public
from overlay.services import Services
from overlay.shedding import Overloaded
from overlay.viewing import NoSuchMarker
from tests.conftest import Console
from tests.web.conftest import TIMEOUT_S, Visitor
from tests.web.test_check_page import SCRIPT, result

CANARY = "Flat 9, 7 Zyxwvut Mews"


@pytest.fixture
def frozen_store(own_console: Console) -> Iterator[tuple[Console, Visitor, dict[str, str]]]:
    """A console whose store stops answering under a person signed in."""
    visitor = Visitor(own_console.url)
    visitor.sign_in(*own_console.accounts["dispatcher"])
    visitor.get("/")
    headers = {"Authorization": f"Bearer {own_console.token('dispatcher')}"}
    time.sleep(0.5)
    store = own_console.store_pid
    os.kill(store, signal.SIGSTOP)
    try:
        yield own_console, visitor, headers
    finally:
        os.kill(store, signal.SIGCONT)


def test_with_the_store_frozen_everything_says_so_and_nothing_says_clear(
    frozen_store: tuple[Console, Visitor, dict[str, str]],
) -> None:
    console, visitor, headers = frozen_store
    ready = requests.get(f"{console.url}/readyz", timeout=TIMEOUT_S)
    assert (ready.status_code, ready.json()["status"]) == (503, "not_ready")
    assert requests.get(f"{console.url}/healthz", timeout=TIMEOUT_S).status_code == 200

    for address, _ in console.tries:
        reply = requests.post(
            f"{console.url}/api/v1/checks",
            json={"location": {"address": address}},
            headers=headers,
            timeout=TIMEOUT_S,
        )
        assert reply.status_code == 200
        answer = reply.json()
        assert (answer["status"], answer["store"]) == ("could_not_check", "last_known")
        assert "not answering" in answer["reason"]
        assert result(visitor.post("/check", {"location": address}, headers=SCRIPT).text) == "could_not_check"

    time.sleep(2.5)
    assert "LAST KNOWN" in visitor.get("/").text
    stranger = Visitor(console.url)
    reply = stranger.sign_in(*console.accounts["call_handler"])
    assert reply.status_code == 503
    assert "not answering" in reply.text
    assert int(reply.headers["Retry-After"]) > 0


@pytest.fixture
def faulty(services: Services) -> Flask:
    """The application with two routes that fail over an address."""

    def fail() -> str:
        raise RuntimeError(CANARY)

    app = create_app(services)
    for path in ("/fail", "/api/v1/fail"):
        app.add_url_rule(path, path, public("it fails")(lambda: fail()))
    return app


def test_a_fault_is_told_by_its_number_and_logged_without_content(
    faulty: Flask, capsys: pytest.CaptureFixture[str]
) -> None:
    with faulty.test_client() as client:
        for path in ("/fail", "/api/v1/fail"):
            reply = client.get(path)
            assert reply.status_code == 500
            assert CANARY not in reply.text
            assert reply.headers["Cache-Control"] == "no-store"
            logged = capsys.readouterr()
            text = logged.out + logged.err
            number = re.search(r"error_id\W+(?:\d+m\W*)*([0-9a-f]{12})", text)
            assert number, text
            assert number[1] in reply.text
            assert "RuntimeError" in text
            assert "Zyxwvut" not in text


EVERY = [
    LocationError("address", "too long."),
    BodyRefused((FieldError("body", "bad."),), malformed=True),
    BodyRefused((FieldError("reason", "bad."),), malformed=False),
    SignInFirst(),
    NotAllowedAnyMore(),
    Locked(),
    Forbidden("Auditor", "checks.make"),
    CrossSite(),
    NothingDisclosed("The look could not be logged."),
    ProofFailed("The tree does not fit."),
    AnchorsFailed("The disk is full."),
    identity.SlowDown(3),
    identity.SignInRefused(),
    identity.SignInBusy(),
    identity.StartAgain(),
    identity.IdentityError("There is no such account. Nothing was changed."),
    identity.AccessBusy(),
    identity.Refused("name", "Too long."),
    GlassRefused("reason", "Too short."),
    NoSuchGlass(),
    NoSuchMarker(),
    NoSuchProposal(),
    NoSuchList(),
    NoSuchView(),
    NoSuchFeedback(),
    NoSuchIncident(),
    RoomRefused("call_sign", "Give a call sign like C123."),
    AlreadyOpen(None),
    AnswerRefused("value", "Answer yes or no."),
    AnswerMoved(Answer("a1", "weapons", datetime(2026, 11, 23, tzinfo=UTC), "Casey")),
    NotKept(None),  # type: ignore[arg-type]  # the answer is not told
    RoomBusy(),
    TooManyStreams(),
    Overloaded(),
    VersionConflict("markers", "m1", 3),
    StoreUnavailable("gone"),
    ValueError(CANARY),
]


def test_every_row_of_the_table_is_tried() -> None:
    tried = {type(error) for error in EVERY}
    assert {kind for kind, _ in errors.TABLE} <= tried


@pytest.mark.parametrize("error", EVERY, ids=lambda error: type(error).__name__)
def test_every_error_is_told_in_words_that_are_never_a_clear(app: Flask, error: Exception) -> None:
    for path in ("/", "/api/v1/checks"):
        with app.test_request_context(path, method="POST"):
            problem = errors.problem_of(error)
        assert 400 <= problem.status <= 599
        words = problem.words()
        assert len(words) > 20
        assert not re.search(r"\bclear\b|no marker", f"{problem.title} {words}", re.IGNORECASE)
        assert "Zyxwvut" not in words
        assert "  " not in words


def test_behind_tls_cookies_are_bound_to_the_host_and_the_browser_is_told_to_stay_there(services: Services) -> None:
    https = "https://console.example"
    with create_app(services).test_client() as client:
        reply = client.get("/sign-in", base_url=https)
        assert reply.headers["Strict-Transport-Security"] == "max-age=31536000"
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', reply.text)
        assert token
        signed = client.post(
            "/sign-in",
            base_url=https,
            data={"csrf_token": token[1], "username": "casey", "password": "tallow-yard-demo"},
        )
        assert signed.status_code == 303, signed.text
        for cookie in (*reply.headers.getlist("Set-Cookie"), *signed.headers.getlist("Set-Cookie")):
            assert cookie.startswith("__Host-overlay-")
            for part in ("Secure", "HttpOnly", "SameSite=Strict", "Path=/"):
                assert part in cookie.split("; ")
            assert "Domain" not in cookie
        assert client.get("/", base_url=https).status_code == 200
        assert client.get("/", base_url="http://console.example").status_code == 303
