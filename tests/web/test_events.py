"""Streams of a real console: nothing missed, nothing but ids, ended in time, and never in the way of a check."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest
import requests
from flask import Flask

from overlay import identity
from overlay.services import Services
from tests.conftest import Console, free_port
from tests.unit.test_feed import events
from tests.web.conftest import TIMEOUT_S, Visitor
from tests.web.incidents import Desk

WITHIN_S = 1.0
PASSWORD = "three random words"
API = "/api/v1/events"


class Line(threading.Thread):
    """One open stream: everything that came, and when it ended."""

    def __init__(self, url: str, headers: dict[str, str], path: str = API) -> None:
        super().__init__(daemon=True)
        until = time.monotonic() + 3
        while True:
            self._line = HTTPConnection(url.removeprefix("http://"), timeout=30)
            self._line.request("GET", path, headers=headers)
            self.reply = self._line.getresponse()
            # A worker learns of a credential that another process made a moment later.
            if self.reply.status != 401 or time.monotonic() > until:
                break
            time.sleep(0.02)
        self.received = b""
        self.ended_at = 0.0
        self.start()

    def run(self) -> None:
        with contextlib.suppress(OSError, HTTPException):
            while part := self.reply.read1():
                self.received += part
        self.ended_at = time.monotonic()

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.hang_up()

    def hang_up(self) -> None:
        if self._line.sock is not None:
            with contextlib.suppress(OSError):
                self._line.sock.shutdown(socket.SHUT_RDWR)

    def events(self) -> list[tuple[str, str, dict[str, object]]]:
        whole, _, _ = self.received.rpartition(b"\n\n")
        return events(whole)

    def ids(self) -> set[str]:
        return {incident for _, _, data in self.events() for incident in data.get("ids", ())}  # type: ignore[attr-defined]

    def names(self) -> list[str]:
        return [name for name, _, _ in self.events()]

    def last_id(self) -> str:
        self.until(lambda: bool(self.events()))
        return self.events()[-1][1]

    def until(self, condition: Callable[[], bool], seconds: float = 10) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, self.received
            time.sleep(0.01)

    def ended(self) -> tuple[float, dict[str, object]]:
        """When, and the last event's data."""
        self.until(lambda: self.ended_at > 0)
        name, _, data = self.events()[-1]
        assert name == "ended"
        return self.ended_at, data


@pytest.fixture(scope="module")
def desk(console: Console) -> Iterator[Desk]:
    with Desk.of(console) as beside:
        yield beside


@pytest.fixture
def program(bearer: Callable[[str], dict[str, str]]) -> dict[str, str]:
    return bearer("service")


def test_what_changed_is_told_and_nothing_but_ids_and_words_is_in_the_bytes(
    console: Console, desk: Desk, program: dict[str, str]
) -> None:
    with Line(console.url, program) as line:
        assert line.reply.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert line.reply.headers["Cache-Control"] == "no-store"
        line.last_id()
        made = desk.put("CAD-CANARY-1")
        line.until(lambda: line.ids() == {made})
        desk.note(made, "Zoë at 14 Tallow Yard")
        line.until(lambda: line.names().count("incidents") == 2)
        desk.mark("MARKER-CANARY")
        line.until(lambda: "markers" in line.names())
        pattern = (
            rb"(event: (incidents|markers|store)\nid: \d+-\d+\n"
            rb'data: (\{\}|\{"state":"current"\}|\{"ids":\["[0-9a-f]{32}"(,"[0-9a-f]{32}")*\]\})\n\n)+'
        )
        assert re.fullmatch(pattern, line.received)


def test_a_client_that_was_away_is_told_exactly_what_it_missed(
    console: Console, desk: Desk, program: dict[str, str]
) -> None:
    with Line(console.url, program) as before:
        seen = desk.put("CAD-seen")
        before.until(lambda: seen in before.ids())
        last = before.last_id()
    missed = {desk.put(f"CAD-missed-{number}") for number in range(5)}
    for number in range(6):  # both workers come to be asked
        headers = {**program, "Last-Event-ID": last}
        with Line(console.url, headers, API + "?for_s=0&after=1-1") as after:
            after.until(lambda line=after: line.ended_at > 0)  # type: ignore[misc]
            assert after.names() == ["incidents", "store"], number
            assert after.ids() == missed
    with Line(console.url, program, f"{API}?for_s=0&after={last}") as asked:
        asked.until(lambda: asked.ended_at > 0)
        assert asked.ids() == missed


def test_reconnecting_all_the_time_misses_nothing_while_changes_go_on(
    console: Console, desk: Desk, program: dict[str, str]
) -> None:
    with Line(console.url, program) as first:
        last = first.last_id()
    made: set[str] = set()
    done = threading.Event()

    def change() -> None:
        for number in range(60):
            made.add(desk.put(f"CAD-steady-{number}"))
            time.sleep(0.02)
        done.set()

    writer = threading.Thread(target=change)
    writer.start()
    told: set[str] = set()
    while not done.is_set() or not told >= made:
        with Line(console.url, {**program, "Last-Event-ID": last}, f"{API}?for_s=0.15") as line:
            line.until(lambda line=line: line.ended_at > 0)  # type: ignore[misc]
            assert "reload" not in line.names()
            told |= line.ids()
            last = line.last_id()
    writer.join()
    assert told == made


@pytest.mark.parametrize(
    "odd", ["999999999-1", "1-" + "9" * 18, "1-1-77", "x", "", "1", "-1-1", "9" * 40 + "-1", "<b>"]
)
def test_an_id_from_the_future_or_an_odd_one_is_told_to_load_again(
    console: Console, program: dict[str, str], odd: str
) -> None:
    reply = requests.get(f"{console.url}{API}", params={"for_s": "0", "after": odd}, headers=program, timeout=TIMEOUT_S)
    assert reply.status_code == 200
    assert [name for name, _, _ in events(reply.content)] == ["reload", "store"]
    if odd == "<b>":
        assert odd.encode() not in reply.content


@pytest.mark.parametrize("query", ["for_s=-1", "for_s=nan", "for_s=inf", "for_s=1e9", "for_s=x", "after=1-1&more=1"])
def test_a_wrong_question_is_refused_in_words(console: Console, program: dict[str, str], query: str) -> None:
    reply = requests.get(f"{console.url}{API}?{query}", headers=program, timeout=TIMEOUT_S)
    assert reply.status_code == 422
    assert reply.json()["errors"][0]["field"] in ("for_s", "query")


def test_a_burst_comes_as_few_events(console: Console, desk: Desk, program: dict[str, str]) -> None:
    with Line(console.url, program) as line:
        line.last_id()
        made = {desk.put(f"CAD-burst-{number}") for number in range(60)}
        line.until(lambda: line.ids() == made)
        assert line.names().count("incidents") < 40


def test_the_description_says_what_comes(console: Console, program: dict[str, str]) -> None:
    described = requests.get(f"{console.url}/api/v1/openapi.json", headers=program, timeout=TIMEOUT_S).json()
    told = described["paths"][API]["get"]
    assert list(told["responses"]["200"]["content"]) == ["text/event-stream"]
    assert {parameter["name"] for parameter in told["parameters"]} == {"after", "for_s"}
    assert list(told["responses"]["503"]["content"]) == ["application/problem+json"]


def test_a_revoked_token_ends_its_streams_within_a_second(console: Console, services: Services) -> None:
    bearer = identity.create_token(services.store, services.access, "streams", "service", now(), 1)
    headers = {"Authorization": f"Bearer {bearer}"}
    with Line(console.url, headers) as one, Line(console.url, headers) as two:
        assert one.last_id() == two.last_id()
        began = time.monotonic()
        identity.revoke_token(services.store, services.access, identity.secret_id(bearer)[:12], now())
        for line in (one, two):
            at, data = line.ended()
            assert at - began < WITHIN_S
            assert data == {"because": "over"}


def test_a_token_past_its_end_ends_its_stream_in_that_moment(console: Console, services: Services) -> None:
    made_at = now() - timedelta(days=1) + timedelta(seconds=5)
    bearer = identity.create_token(services.store, services.access, "soon over", "service", made_at, 1)
    with Line(console.url, {"Authorization": f"Bearer {bearer}"}) as line:
        assert line.reply.status == 200
        line.ended()
    assert timedelta(0) <= now() - (made_at + timedelta(days=1)) < timedelta(seconds=WITHIN_S)


@pytest.mark.parametrize(
    ("way", "because"), [("lock", "locked"), ("sign out", "over"), ("end sessions", "over"), ("role", "over")]
)
def test_a_session_that_is_locked_or_over_ends_its_streams_within_a_second(
    console: Console, services: Services, way: str, because: str
) -> None:
    username = f"streams-{way.replace(' ', '-')}"
    identity.create_account(services.store, services.access, username, "Robin Quill", "call_handler", PASSWORD, now())
    visitor = Visitor(console.url)
    assert visitor.sign_in(username, PASSWORD).status_code == 303
    visitor.get("/")
    cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in visitor.session.cookies.items())}
    with Line(console.url, cookie, "/events") as one, Line(console.url, cookie, "/events") as two:
        assert one.last_id() == two.last_id()
        began = time.monotonic()
        match way:
            case "lock":
                visitor.post("/lock", {})
            case "sign out":
                visitor.post("/sign-out", {})
            case "end sessions":
                identity.end_sessions(services.store, services.access, username, now())
            case "role":
                identity.set_role(services.store, services.access, username, "dispatcher", now())
        for line in (one, two):
            at, data = line.ended()
            assert at - began < WITHIN_S
            assert data == {"because": because}
    again = requests.head(console.url + "/events", headers={**cookie, "HX-Request": "true"}, timeout=TIMEOUT_S)
    assert again.status_code == (423 if way == "lock" else 401)


def test_a_stream_is_no_sign_of_a_person(app: Flask, services: Services) -> None:
    """Not even in a browser that does not say what asked."""
    username = "left-alone"
    identity.create_account(services.store, services.access, username, "Robin Quill", "call_handler", PASSWORD, now())
    secret = identity.sign_in(services.door, username, PASSWORD, now()).secret
    with app.test_client() as client:
        client.set_cookie("overlay-session", secret)
        reply = client.get("/events?for_s=0")
        assert [name for name, _, _ in events(reply.data)] == ["store"]
        assert services.presence.seen(identity.secret_id(secret)) is None
        client.get("/check")
        assert services.presence.seen(identity.secret_id(secret)) is not None


@pytest.fixture
def cramped(tmp_path: Path) -> Iterator[Console]:
    """A console of one worker with two ordinary threads and three streams."""
    own = {"OVERLAY_WORKERS": "1", "OVERLAY_THREADS": "2", "OVERLAY_STREAMS": "3", "OVERLAY_STORE_TIMEOUT_S": "2"}
    console = Console(tmp_path / "data", free_port(), own)
    console.start()
    yield console
    console.stop()


def test_streams_over_the_cap_are_refused_and_ordinary_requests_go_on(cramped: Console) -> None:
    headers = {"Authorization": f"Bearer {cramped.token()}"}
    lines = [Line(cramped.url, headers) for _ in range(3)]
    for line in lines:
        line.last_id()
    refused = requests.get(cramped.url + API, headers=headers, timeout=TIMEOUT_S)
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert requests.head(cramped.url + API, headers=headers, timeout=TIMEOUT_S).status_code == 503
    took = []
    for _ in range(20):
        began = time.monotonic()
        body = {"location": {"address": cramped.tries[0][0]}}
        reply = requests.post(f"{cramped.url}/api/v1/checks", json=body, headers=headers, timeout=TIMEOUT_S)
        took.append(time.monotonic() - began)
        assert reply.status_code == 200
    assert max(took) < 2
    lines.pop().hang_up()
    until = time.monotonic() + 6
    while requests.head(cramped.url + API, headers=headers, timeout=TIMEOUT_S).status_code != 200:
        assert time.monotonic() < until, "a connection that is gone gives its place back"
        time.sleep(0.1)
    for line in lines:
        line.hang_up()


def test_a_console_that_is_stopped_says_so_to_its_streams_and_stops_at_once(cramped: Console) -> None:
    headers = {"Authorization": f"Bearer {cramped.token()}"}
    with Line(cramped.url, headers) as line:
        line.last_id()
        began = time.monotonic()
        assert cramped.stop() == 0
        assert time.monotonic() - began < 5
        assert line.ended()[1] == {"because": "restart"}


def test_a_store_that_stops_answering_is_said_and_so_is_its_return(cramped: Console) -> None:
    headers = {"Authorization": f"Bearer {cramped.token()}"}
    with Line(cramped.url, headers) as line, Desk.of(cramped) as desk:
        line.until(lambda: line.events()[-1:] != [] and line.events()[-1][2] == {"state": "current"})
        store = cramped.store_pid
        os.kill(store, signal.SIGSTOP)
        try:
            began = time.monotonic()
            line.until(lambda: line.events()[-1][2] == {"state": "last_known"})
            assert time.monotonic() - began < 5
        finally:
            os.kill(store, signal.SIGCONT)
        line.until(lambda: line.events()[-1][2] == {"state": "current"})
        os.kill(store, signal.SIGKILL)
        line.until(lambda: line.events()[-1][2] == {"state": "last_known"})
        line.until(lambda: line.events()[-1][2] == {"state": "current"}, 20)
    with Line(cramped.url, {**headers, "Last-Event-ID": line.last_id()}) as line, Desk.of(cramped) as desk:
        made = desk.put("CAD-after")
        line.until(lambda: made in line.ids())
        assert "reload" not in line.names()


def now() -> datetime:
    return datetime.now(UTC)
