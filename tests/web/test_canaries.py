"""Unique words planted in every field a person or program can send: none turns up where it has no business."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import requests

from tests.conftest import Console, free_port
from tests.store.commands import write_csv
from tests.web.conftest import TIMEOUT_S, Visitor


@dataclass
class Planted:
    """Everything sent so far, and every answer to it."""

    words: dict[str, str] = field(default_factory=dict)
    answers: list[requests.Response] = field(default_factory=list)

    def __call__(self, what: str, form: str = "{}") -> str:
        """A word that occurs nowhere else, in the form its field takes."""
        word = f"canary{secrets.token_hex(5)}"
        self.words[word] = what
        return form.format(word)

    def found_in(self, text: str) -> set[str]:
        lowered = text.lower()
        return {what for word, what in self.words.items() if word in lowered}

    def keep(self, reply: requests.Response) -> requests.Response:
        self.answers.append(reply)
        return reply


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    running = Console(tmp_path_factory.mktemp("canaries") / "data", free_port())
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def planted(here: Console, tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """A marker, an account and a token whose every word is a canary, and every route asked with canaries."""
    planted = Planted()
    row = {
        "reference": planted("marker reference", "REF-{}"),
        "category": "domestic_abuse_risk",
        "address": planted("marker address", "7 {} Yard, EC9A 1AB"),
        "phone": "+447700900123",
        "headline": planted("headline"),
        "action": planted("action"),
        "owner": planted("owner"),
        "owner_contact": planted("owner's contact"),
        "source": planted("source"),
        "source_reference": planted("source reference"),
    }
    listed = write_csv(tmp_path_factory.mktemp("list") / "list.csv", [row])
    here.run("markers", "import", str(listed), "--by", planted("importer"), "--approved-by", planted("approver"))
    bearer = here.run("tokens", "create", "--role", "service", "--name", planted("token's name")).stdout.strip()
    planted.words[bearer.lower()] = "a token that works"

    program = {"Authorization": f"Bearer {bearer}"}
    stranger = {"Authorization": planted("a token that does not", "Bearer wmo_{}")}
    for headers in (program, stranger):
        _ask_as_program(here, planted, headers, row["address"])
    for path in ("/", "/sign-in", "/check", "/api/v1/checks", "/metrics", "/healthz"):
        for method in ("GET", "POST", "PUT"):
            query = {planted("name in a query"): planted("value in a query")}
            headers = {
                planted("name of a header", "X-{}"): planted("value of a header"),
                "User-Agent": planted("user agent"),
                "Referer": planted("referer", "http://{}.example/"),
                "Cookie": planted("cookie", "overlay-session={0}; {0}={0}"),
                "X-Forwarded-For": planted("forwarded for"),
                "X-Forwarded-Host": planted("forwarded host", "{}.example"),
                "HX-Current-URL": planted("page's own address", "http://x/{}"),
            }
            body = {planted("name in a form"): planted("value in a form")}
            planted.keep(
                requests.request(
                    method,
                    here.url + path,
                    params=query,
                    headers=headers,
                    data=body,
                    allow_redirects=False,
                    timeout=TIMEOUT_S,
                )
            )
    planted.keep(requests.get(here.url + planted("path", "/{}"), allow_redirects=False, timeout=TIMEOUT_S))
    planted.keep(requests.get(here.url + planted("path of the interface", "/api/v1/{}"), timeout=TIMEOUT_S))
    _ask_as_person(here, planted, row["address"])
    planted.keep(requests.get(f"{here.url}/metrics", headers=program, timeout=TIMEOUT_S))
    return planted


def _ask_as_program(here: Console, planted: Planted, headers: dict[str, str], marked: str) -> None:
    url = f"{here.url}/api/v1/checks"
    bodies: list[object] = [
        {"location": {"address": marked}, "incident": {"reference": planted("incident")}},
        {"location": {"address": planted("address", "9 {} Yard"), "postcode": planted("postcode")}},
        {"location": {"postcode": planted("short postcode", "{:.16}")}},
        {"location": {"grid_reference": planted("grid reference")}},
        {"location": {"uprn": planted("uprn")}},
        {"location": {"easting": planted("easting")}},
        {"location": {}, "caller_number": planted("caller number")},
        {"location": {"address": "1 Quill Street"}, "caller_number": "+44 7700 900123", "reason": planted("reason")},
        {"location": {"address": "1 Quill Street"}, "incident": {"type": planted("incident type")}},
        {"location": {planted("unknown field"): planted("its value")}},
        {planted("unknown top field"): 1},
        [planted("list")],
        planted("text"),
    ]
    for body in bodies:
        planted.keep(requests.post(url, json=body, headers=headers, timeout=TIMEOUT_S))
    for raw in (planted("broken JSON", '{{"location": "{}'), planted("not JSON")):
        json_too = {**headers, "Content-Type": "application/json"}
        planted.keep(requests.post(url, data=raw, headers=json_too, timeout=TIMEOUT_S))
    planted.keep(
        requests.post(
            url, data=b"{}", headers={**headers, "Content-Type": planted("content type", "text/{}")}, timeout=TIMEOUT_S
        )
    )


def _ask_as_person(here: Console, planted: Planted, marked: str) -> None:
    visitor = Visitor(here.url)
    for username, password in ((planted("username"), planted("password")), ("nobody", planted("other password"))):
        planted.keep(visitor.sign_in(username, password))
    planted.keep(visitor.post("/sign-in", {"csrf_token": planted("form token"), "username": planted("username")}))
    planted.keep(visitor.sign_in(*here.accounts["call_handler"]))
    planted.words[visitor.session.cookies["overlay-session"].lower()] = "a session that works"
    planted.keep(visitor.get("/"))
    for form in (
        {"location": marked, "incident": planted("typed incident"), "caller": "+44 7700 900123"},
        {"location": planted("typed location"), "incident": planted("long incident", "{}" + "x" * 70), "caller": ""},
        {"location": planted("typed location"), "caller": planted("typed caller")},
        {"location": "1 Quill Street", "incident_type": planted("typed incident type")},
        {planted("unknown box"): planted("its content")},
    ):
        planted.keep(visitor.post("/check", form))
        planted.keep(visitor.post("/check", form, headers={"HX-Request": "true"}))
    planted.keep(visitor.get("/check"))
    planted.keep(visitor.post("/check", {"csrf_token": planted("wrong form token"), "location": planted("location")}))
    planted.keep(visitor.post("/sign-out", {}))


def test_every_way_of_answering_was_provoked(planted: Planted) -> None:
    assert {200, 303, 400, 401, 403, 404, 405, 415, 422} <= {reply.status_code for reply in planted.answers}
    assert len(planted.words) > 150


def test_nothing_sent_is_in_a_header_or_a_redirect(planted: Planted) -> None:
    for reply in planted.answers:
        handed = {name: value for name, value in reply.headers.items() if name.lower() != "set-cookie"}
        assert not planted.found_in(str(handed)), reply.request.url
        cookies = planted.found_in(reply.headers.get("Set-Cookie", ""))
        assert cookies <= {"a session that works"}, "a session is handed out in its cookie alone"


def test_nothing_sent_is_in_a_title(planted: Planted) -> None:
    titles = {
        found for reply in planted.answers for found in re.findall(r"<title>(.*?)</title>", reply.text, re.DOTALL)
    }
    assert "Check · Overlay" in titles
    assert not planted.found_in(str(titles))


def test_nothing_sent_is_in_a_link_or_where_a_form_goes(planted: Planted) -> None:
    for reply in planted.answers:
        if reply.headers["Content-Type"].startswith("text/html"):
            assert not planted.found_in(str(re.findall(r'(?:href|action|src|hx-\w+)="([^"]*)"', reply.text)))


def test_nothing_sent_is_in_an_error(planted: Planted) -> None:
    refusals = [reply for reply in planted.answers if reply.status_code >= 400]
    # The check page and the sign-in form give back what was typed, in the boxes it was typed in.
    refusals = [reply for reply in refusals if 'class="ask' not in reply.text and 'name="password"' not in reply.text]
    assert len(refusals) > 40
    for reply in refusals:
        assert not planted.found_in(reply.text), reply.text


def test_nothing_sent_is_in_the_figures(planted: Planted) -> None:
    assert planted.answers[-1].status_code == 200
    assert "overlay_requests_total" in planted.answers[-1].text
    assert not planted.found_in(planted.answers[-1].text)


def test_nothing_sent_is_in_a_log_or_readable_at_rest(here: Console, planted: Planted) -> None:
    assert not planted.found_in(here.log())
    files = [path for path in here.data.rglob("*") if path.is_file()]
    assert any("appendonly" in path.name for path in files)
    for path in files:
        found = planted.found_in(path.read_bytes().decode("latin-1"))
        assert not found, f"{path}: {found}"
        assert not planted.found_in(str(path))


def test_a_canary_that_is_let_out_is_seen(planted: Planted) -> None:
    word, what = next(iter(planted.words.items()))
    assert planted.found_in(f"<title>{word.upper()}</title>") == {what}


def test_what_is_secret_of_a_marker_is_not_in_an_answer_to_whoever_may_not_see_it(planted: Planted) -> None:
    strangers = [reply for reply in planted.answers if reply.status_code in (303, 401, 403, 404, 405, 415, 422)]
    assert not {"headline", "action", "owner", "owner's contact", "marker reference"} & set().union(
        *(planted.found_in(reply.text) for reply in strangers)
    )


def test_every_page_is_marked(planted: Planted) -> None:
    pages = [reply for reply in planted.answers if "<html" in reply.text and reply.status_code != 303]
    assert len(pages) > 15
    for page in pages:
        assert '<p class="bar__caveat">OFFICIAL-SENSITIVE</p>' in page.text
        assert "destroy as OFFICIAL-SENSITIVE" in page.text
