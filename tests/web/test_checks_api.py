"""`POST /api/v1/checks`: its answers, and every hostile body refused without being repeated."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime

import pytest
import requests

from overlay.app import create_app
from overlay.draining import Drain
from overlay.services import Services
from tests.conftest import Console
from tests.web.conftest import TIMEOUT_S
from tests.web.test_routes import ROUTES

CANARY = "Zyxwvut Mews"
FIELDS = {
    "check_id", "status", "reason", "as_of", "store", "location", "matches", "prompts", "ledger_entry",
}  # fmt: skip
MATCH_FIELDS = {
    "marker_id", "reference", "category", "grade", "sub_building", "distance_m", "confidence", "why", "headline",
    "action", "owner", "owner_contact", "review", "detail",
}  # fmt: skip


@pytest.fixture
def ask(console: Console, bearer: Callable[[str], dict[str, str]]) -> Callable[..., requests.Response]:
    def send(
        body: bytes | str | object, *, content_type: str = "application/json", role: str = "dispatcher"
    ) -> requests.Response:
        raw = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
        headers = {**bearer(role), "Content-Type": content_type}
        return requests.post(f"{console.url}/api/v1/checks", data=raw, headers=headers, timeout=TIMEOUT_S)

    return send


def test_the_three_answers_come_back_in_the_agreed_shape(
    console: Console, ask: Callable[..., requests.Response]
) -> None:
    for address, expect in console.tries:
        reply = ask({"incident": {"reference": "CAD-1", "type": "domestic"}, "location": {"address": address}})
        assert reply.status_code == 200, reply.text
        answer = reply.json()
        assert set(answer) == FIELDS
        assert answer["status"] == expect.replace("-", "_").replace(" ", "_")
        assert answer["store"] == "current"
        assert datetime.fromisoformat(answer["as_of"]).utcoffset() is not None
        assert set(answer["location"]) == {"understood", "precision", "warnings"}
        assert all(set(match) == MATCH_FIELDS for match in answer["matches"])
        assert all(set(prompt) == {"checklist", "version", "why"} for prompt in answer["prompts"])
        assert answer["prompts"]
        assert (answer["reason"] is None) == (answer["status"] != "could_not_check")
    assert {expect for _, expect in console.tries} >= {"hit", "clear"}


def test_the_whole_of_the_written_down_request_is_taken(
    ask: Callable[..., requests.Response], console: Console
) -> None:
    body = {
        "incident": {"reference": "CAD-4521-23NOV26", "type": "domestic"},
        "location": {
            "address": console.tries[0][0], "postcode": None, "uprn": None, "grid_reference": None, "easting": None,
            "northing": None, "longitude": None, "latitude": None, "uncertainty_m": None,
        },
        "caller_number": None,
        "reason": "incident_response",
    }  # fmt: skip
    assert ask(body).status_code == 200


def test_an_incident_type_this_service_does_not_know_is_said_and_does_not_stop_the_check(
    ask: Callable[..., requests.Response], console: Console
) -> None:
    reply = ask({"incident": {"type": "drone_over_prison"}, "location": {"address": console.tries[0][0]}})
    assert reply.status_code == 200
    assert any("type" in warning for warning in reply.json()["location"]["warnings"])
    assert "drone" not in reply.text


HOSTILE: list[tuple[str, object, int, str]] = [
    ("empty", b"", 400, "body"),
    ("spaces", b"  \n", 400, "body"),
    ("half", b'{"location": {"address": "' + CANARY.encode(), 400, "body"),
    ("not utf-8", b'{"location": {"address": "\xff\xfe"}}', 400, "body"),
    ("lone surrogate", b'{"location": {"address": "' + CANARY.encode() + b' \\ud800"}}', 400, "body"),
    ("deep", b"[" * 30_000, 400, "body"),
    ("deep object", b'{"location":' * 5000 + b"1" + b"}" * 5000, 400, "body"),
    ("list", [], 422, "body"),
    ("text", '"x"', 422, "body"),
    ("null", "null", 422, "body"),
    ("nothing asked", {}, 422, "location"),
    ("empty location", {"location": {}}, 422, "location"),
    ("null location", {"location": None}, 422, "location"),
    ("blank address", {"location": {"address": "   "}}, 422, "location"),
    ("10,000 characters", {"location": {"address": CANARY + "x" * 10_000}}, 422, "location.address"),
    ("nul", {"location": {"address": CANARY + "\0"}}, 422, "location.address"),
    ("escape character", {"location": {"address": CANARY + "\x1b[2J"}}, 422, "location.address"),
    ("unreadable character", {"location": {"address": CANARY + "\ufffd"}}, 422, "location.address"),
    ("address a number", {"location": {"address": 14}}, 422, "location.address"),
    ("address a list", {"location": {"address": [CANARY]}}, 422, "location.address"),
    ("nan", '{"location": {"easting": NaN, "northing": 1}}', 422, "location.easting"),
    ("infinity", '{"location": {"easting": 1, "northing": -Infinity}}', 422, "location.northing"),
    ("1e308", {"location": {"easting": 1e308, "northing": 1e308}}, 422, "location.easting"),
    ("1e999", '{"location": {"longitude": 1e999, "latitude": 1}}', 422, "location.longitude"),
    ("text as number", {"location": {"easting": "532660", "northing": "181680"}}, 422, "location.easting"),
    ("true as number", {"location": {"easting": True, "northing": True}}, 422, "location.easting"),
    ("easting alone", {"location": {"easting": 532660.0}}, 422, "location.northing"),
    ("france", {"location": {"longitude": 2.3522, "latitude": 48.8566}}, 422, "location.longitude"),
    ("latitude 91", {"location": {"longitude": 0.0, "latitude": 91.0}}, 422, "location.latitude"),
    ("radius", {"location": {"longitude": 0.5, "latitude": 51.5, "uncertainty_m": -1}}, 422, "location.uncertainty_m"),
    ("13 digits", {"location": {"uprn": "1234567890123"}}, 422, "location.uprn"),
    ("arabic digits", {"location": {"uprn": "١٢٣"}}, 422, "location.uprn"),
    ("uprn a number", {"location": {"uprn": 123}}, 422, "location.uprn"),
    ("grid reference", {"location": {"grid_reference": CANARY}}, 422, "location.grid_reference"),
    ("postcode", {"location": {"postcode": CANARY}}, 422, "location.postcode"),
    ("phone", {"location": {}, "caller_number": CANARY}, 422, "caller_number"),
    ("unknown field", {"location": {"address": "1 Quill Lane"}, CANARY: 1}, 422, "body"),
    ("unknown field inside", {"location": {"address": "1 Quill Lane", CANARY: 1}}, 422, "location"),
    ("reason in words", {"location": {"address": "1 Quill Lane"}, "reason": f"I know {CANARY}"}, 422, "reason"),
    ("reference", {"location": {"address": "x"}, "incident": {"reference": CANARY * 10}}, 422, "incident.reference"),
    ("type", {"location": {"address": "x"}, "incident": {"type": CANARY}}, 422, "incident.type"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "field"), [row[1:] for row in HOSTILE], ids=[row[0] for row in HOSTILE])
def test_a_body_that_cannot_be_used_is_refused_by_field_and_never_repeated(
    ask: Callable[..., requests.Response], body: object, status: int, field: str
) -> None:
    reply = ask(body)
    assert reply.status_code == status, reply.text
    assert reply.headers["Content-Type"] == "application/problem+json"
    problem = reply.json()
    assert problem["status"] == status
    assert problem["check"] == "could_not_check"
    assert field in [error["field"] for error in problem["errors"]], problem
    assert all(error["reason"] for error in problem["errors"])
    assert "Zyxwvut" not in reply.text
    assert "clear" not in reply.text


def test_emoji_are_never_a_clear(ask: Callable[..., requests.Response]) -> None:
    for text in ("🏠🔥", "Flat 3 🏠, 14 Tallow Yard"):
        reply = ask({"location": {"address": text}})
        assert reply.status_code == 422 or reply.json()["status"] != "clear", reply.text


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "", "multipart/form-data"])
def test_another_content_type_is_refused(ask: Callable[..., requests.Response], content_type: str) -> None:
    reply = ask({"location": {"address": CANARY}}, content_type=content_type)
    assert reply.status_code == 415
    assert reply.json()["check"] == "could_not_check"


def test_a_body_over_64_kib_is_refused(ask: Callable[..., requests.Response]) -> None:
    reply = ask({"location": {"address": "x" * 70_000}})
    assert reply.status_code == 413
    assert reply.headers["Content-Type"] == "application/problem+json"


def test_a_body_sent_in_pieces_without_a_length_is_held_to_the_same_limit(
    console: Console, bearer: Callable[[str], dict[str, str]]
) -> None:
    def pieces(size: int) -> object:
        yield b'{"location": {"address": "'
        for _ in range(size // 1000):
            yield b"x" * 1000
        yield b'"}}'

    headers = {**bearer("dispatcher"), "Content-Type": "application/json"}
    url = f"{console.url}/api/v1/checks"
    assert requests.post(url, data=pieces(70_000), headers=headers, timeout=TIMEOUT_S).status_code == 413
    assert requests.post(url, data=pieces(2_000), headers=headers, timeout=TIMEOUT_S).status_code == 422


def test_the_description_names_every_route_of_the_interface_and_opens_nowhere_else(
    console: Console, bearer: Callable[[str], dict[str, str]]
) -> None:
    reply = requests.get(f"{console.url}/api/v1/openapi.json", headers=bearer("service"), timeout=TIMEOUT_S)
    assert reply.status_code == 200
    description = reply.json()
    assert description["openapi"].startswith("3.")
    described = {re.sub(r"<(\w+)>", r"{\1}", path) for _, path in ROUTES if path.startswith("/api/v1/")}
    assert set(description["paths"]) == (described - {"/api/v1/openapi.json"}) | {"/healthz", "/readyz"}
    check = description["paths"]["/api/v1/checks"]["post"]
    assert check["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/CheckRequest")
    assert set(check["responses"]) == {"200", "400", "401", "403", "413", "415", "422", "500", "503"}
    names = set(description["components"]["schemas"])
    for reference in _references(description):
        assert reference.removeprefix("#/components/schemas/") in names, reference
    for page in ("/apidoc/swagger/", "/apidoc/redoc/", "/apidoc/scalar/", "/apidoc/openapi.json"):
        assert requests.get(console.url + page, timeout=TIMEOUT_S).status_code == 404


def _references(value: object) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for inner in value.values() for found in _references(inner)]
    if isinstance(value, list):
        return [found for inner in value for found in _references(inner)]
    return []


def test_health_and_readiness_are_said_in_words(console: Console) -> None:
    for path, word in (("/healthz", "alive"), ("/readyz", "ready")):
        reply = requests.get(console.url + path, timeout=TIMEOUT_S)
        assert (reply.status_code, reply.json()["status"]) == (200, word)


def test_a_console_that_is_being_stopped_is_not_ready_and_says_so(console: Console, services: Services) -> None:
    app, drain = create_app(services), Drain(console.port)
    drain.install(app)
    client = app.test_client()
    assert client.get("/readyz").status_code == 200
    drain.drain()
    reply = client.get("/readyz")
    assert (reply.status_code, reply.headers["Connection"]) == (503, "close")
    assert reply.get_json()["detail"] == "This console is being stopped. Ask another, or again later."
