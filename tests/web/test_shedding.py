"""Too much at once: exports and refreshes are refused in words, work waits a moment, checks wait for their turn."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, request

from overlay import shedding
from overlay.app import create_app
from overlay.services import Services
from overlay.shedding import checks_of, rank_of
from overlay.threads import Places, Rank


def test_every_endpoint_it_names_is_there(app: Flask) -> None:
    known = {rule.endpoint for rule in app.url_map.iter_rules()}
    assert known >= shedding._LEAST | shedding._RENEWED | shedding._CHECKS - {"check.make_check"}
    assert not shedding._LEAST & shedding._CHECKS


@pytest.mark.parametrize(
    ("endpoint", "renews", "rank"),
    [
        ("checks.make_check", False, Rank.CHECK),
        ("incidents.open_one", False, Rank.CHECK),
        ("health.ready", False, Rank.CHECK),
        ("board.show", False, Rank.WORK),
        ("board.show", True, Rank.REFRESH),
        ("incidents.answer", True, Rank.WORK),
        ("incidents_api.list_open", True, Rank.REFRESH),
        ("incidents_api.list_open", False, Rank.WORK),
        ("incidents_api.get_one", True, Rank.WORK),
        ("reconcile.export", False, Rank.REFRESH),
        ("ledger.export", False, Rank.REFRESH),
        (None, False, Rank.WORK),
    ],
)
def test_what_matters_more(endpoint: str | None, renews: bool, rank: Rank) -> None:
    assert rank_of(endpoint, renews=renews) is rank


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> list[Places]:
    made: list[Places] = []
    monkeypatch.setattr("overlay.app.Places", lambda threads: made.append(Places(threads)) or made[-1])
    monkeypatch.setattr(shedding, "LONGEST_S", {Rank.CHECK: 0.2, Rank.WORK: 0.1, Rank.REFRESH: 0.05})
    return made


def test_a_program_that_looks_for_one_incident_comes_before_one_that_lists_them_all(
    services: Services, places: list[Places]
) -> None:
    client = create_app(services).test_client()
    for _ in range(services.settings.threads // 2):
        assert places[0].enter(Rank.CHECK, 0)
    assert client.get("/api/v1/incidents").status_code == 503
    assert client.get("/api/v1/incidents?reference=CAD-1").status_code == 401


def test_what_gives_way_and_in_which_order(services: Services, places: list[Places]) -> None:
    client = create_app(services).test_client()
    (own,) = places
    half = services.settings.threads // 2
    for _ in range(half):
        assert own.enter(Rank.CHECK, 0)
    refused = client.get("/metrics")
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    assert "checks come first" in refused.json["detail"]
    assert client.get("/sign-in").status_code == 200
    assert client.get("/ledger").status_code != 503, "work still has places"
    while own.enter(Rank.WORK, 0):
        pass
    page = client.get("/ledger")
    assert page.status_code == 503
    assert "checks come first" in page.text
    assert client.get("/healthz").status_code == 200
    assert client.post("/api/v1/checks", json={}).status_code == 401, "a check has places of its own"
    while own.enter(Rank.CHECK, 0):
        pass
    told = client.post("/api/v1/checks", json={})
    assert told.status_code == 503
    assert told.json["check"] == "could_not_check"
    own.leave()
    assert client.get("/healthz").status_code == 200
    assert client.get("/healthz").status_code == 200, "the place was given back"


def test_a_check_is_in_hand_until_it_is_answered_and_other_work_is_not(services: Services) -> None:
    app = create_app(services)
    seen: dict[str | None, float] = {}
    app.teardown_request(lambda _: seen.update({request.endpoint: checks_of(app).longest_s()}))
    client = app.test_client()
    for method, path in (("POST", "/api/v1/checks"), ("GET", "/healthz"), ("GET", "/")):
        client.open(path, method=method)
        assert checks_of(app).longest_s() == 0
    assert seen["checks.make_check"] > 0
    assert seen["health.alive"] > 0
    assert seen["check.show"] == 0


class SlowBody(io.BytesIO):
    """A body that is looked at while it is still being sent."""

    def __init__(self, body: bytes, look: Callable[[], object]) -> None:
        super().__init__(body)
        self._look = look

    def read(self, size: int | None = -1) -> bytes:
        self._look()
        return super().read(size)

    def readinto(self, buffer: Any) -> int:
        self._look()
        return super().readinto(buffer)


@pytest.mark.parametrize(("path", "kind"), [("/sign-in", "application/x-www-form-urlencoded"), ("/api/v1/checks", "")])
def test_whoever_sends_slowly_holds_up_no_check_and_is_none_that_hangs(
    services: Services, places: list[Places], path: str, kind: str
) -> None:
    app = create_app(services)
    seen: list[tuple[int, float]] = []
    body = b"username=nobody&password=none"
    slow = SlowBody(body, lambda: seen.append((places[0]._taken, checks_of(app).longest_s())))
    app.test_client().post(path, input_stream=slow, content_length=len(body), content_type=kind or "application/json")
    assert seen
    assert set(seen) == {(0, 0.0)}
