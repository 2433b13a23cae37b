"""Every request has a name, which its log lines bear; nothing of what was asked is logged."""

from __future__ import annotations

import json
from functools import wraps

import pytest
from flask import Flask

from overlay import logs
from overlay.app import create_app
from overlay.services import Services


def lines(captured: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in captured.splitlines() if line.startswith("{")]


def test_every_answer_bears_an_id_of_its_own(app: Flask) -> None:
    client = app.test_client()
    first, second = (client.get("/healthz").headers["X-Request-Id"] for _ in range(2))
    assert first != second
    assert len(first) == 16
    assert client.get("/nowhere").headers["X-Request-Id"]
    assert client.get("/healthz", headers={"X-Request-Id": "mine"}).headers["X-Request-Id"] != "mine"


def test_what_went_wrong_is_logged_under_it_and_by_route_alone(
    services: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.to_stderr()
    app = create_app(services)

    @wraps(app.view_functions["sign_in.show"])
    def fails() -> str:
        raise RuntimeError("Flat 3, 14 Tallow Yard")

    app.view_functions["sign_in.show"] = fails
    reply = app.test_client().get("/sign-in?x=Tallow")
    assert reply.status_code == 500
    told = lines(capsys.readouterr().err)
    assert {line["event"] for line in told} >= {"fault", "request"}
    assert {line["request_id"] for line in told if line["event"] in ("fault", "request")} == {
        reply.headers["X-Request-Id"]
    }
    assert [line["route"] for line in told if line["event"] == "request"] == ["/sign-in"]
    assert "Tallow" not in json.dumps(told)


def test_every_request_is_logged_where_asked_for(services: Services, capsys: pytest.CaptureFixture[str]) -> None:
    logs.to_stderr()
    services.settings, before = services.settings.model_copy(update={"log_requests": True}), services.settings
    try:
        client = create_app(services).test_client()
        reply = client.post("/api/v1/checks", json={"location": {"address": "14 Tallow Yard"}})
    finally:
        services.settings = before
    (line,) = [line for line in lines(capsys.readouterr().err) if line["event"] == "request"]
    assert (line["method"], line["route"], line["status"]) == ("POST", "/api/v1/checks", 401)
    assert line["request_id"] == reply.headers["X-Request-Id"]
    assert "Tallow" not in json.dumps(line)


def test_a_quiet_request_is_not_logged(services: Services, capsys: pytest.CaptureFixture[str]) -> None:
    logs.to_stderr()
    create_app(services).test_client().get("/healthz")
    assert not [line for line in lines(capsys.readouterr().err) if line["event"] == "request"]
