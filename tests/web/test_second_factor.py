"""Setting up and using a second factor over HTTP, where the area requires one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from overlay.identity.second_factor import STEP_S, code_at
from tests.areas import config_with
from tests.conftest import Console, free_port
from tests.web.conftest import Visitor
from tests.web.test_sign_in import session_cookie

PASSWORD = "a long enough password"
_names = (f"strict{number}" for number in count())


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A console whose area requires the second factor."""
    folder = tmp_path_factory.mktemp("strict")
    console = Console(folder / "data", free_port())
    console.extra = {"OVERLAY_CONFIG": str(config_with(folder / "config", 'second_factor = "required"'))}
    console.start()
    yield console
    console.stop()


@pytest.fixture
def person(strict: Console, tmp_path: Path) -> str:
    username = next(_names)
    (tmp_path / "password").write_text(PASSWORD)
    strict.run(
        "users", "create", username, "--role", "call_handler", "--name", "Sam Quill",
        "--password-file", str(tmp_path / "password"),
    )  # fmt: skip
    return username


@pytest.fixture
def visitor(strict: Console) -> Visitor:
    return Visitor(strict.url)


def code(secret: str, steps: int = 0) -> str:
    return code_at(secret, datetime.now(UTC) + timedelta(seconds=STEP_S * steps))


def enrol(visitor: Visitor, person: str) -> tuple[str, list[str]]:
    """Sign in for the first time; returns the device's secret and the recovery codes."""
    reply = visitor.sign_in(person, PASSWORD)
    assert (reply.status_code, reply.headers["Location"]) == (303, "/sign-in/second-factor")
    page = visitor.get("/sign-in/second-factor").text
    secret = re.search(r'enrol__secret">([A-Z2-7 ]+)<', page)
    assert secret
    device = secret[1].replace(" ", "")
    done = visitor.post("/sign-in/second-factor", {"code": code(device)})
    assert done.status_code == 200, done.text
    return device, re.findall(r"<code>([A-Z2-9-]+)</code>", done.text)


def test_the_first_sign_in_leads_through_setting_one_up(visitor: Visitor, person: str) -> None:
    device, codes = enrol(visitor, person)
    assert len(device) == 32
    assert len(set(codes)) == 10
    assert "Sam Quill" in visitor.get("/").text
    account = visitor.get("/account").text
    assert "Recovery codes left: 10 of 10" in account
    for shown in (device, *codes):
        assert shown not in account


def test_before_the_code_nothing_opens(visitor: Visitor, person: str) -> None:
    reply = visitor.sign_in(person, PASSWORD)
    assert "overlay-session" not in session_cookie(reply)
    pending = session_cookie(reply)["overlay-pending"]
    assert (pending["samesite"], pending["path"], pending["max-age"]) == ("Strict", "/", "600")
    assert pending["httponly"]
    assert visitor.get("/").headers["Location"] == "/sign-in"
    assert visitor.post("/check", {"location": "14 Nowhere At All"}).status_code == 401
    visitor.session.cookies.set("overlay-session", pending.value)
    assert visitor.get("/").headers["Location"] == "/sign-in", "a half sign-in is no session"


def test_afterwards_the_code_is_asked_for_and_taken_once(visitor: Visitor, person: str, strict: Console) -> None:
    device, codes = enrol(visitor, person)
    visitor.post("/sign-out", {})
    assert visitor.sign_in(person, PASSWORD).headers["Location"] == "/sign-in/code"
    assert "Enter the code" in visitor.get("/sign-in/code").text
    wrong = visitor.post("/sign-in/code", {"code": "000000"})
    assert wrong.status_code == 401
    assert "wrong, too old or already used" in wrong.text
    fresh = code(device, 1)
    assert visitor.post("/sign-in/code", {"code": fresh}).headers["Location"] == "/"
    assert visitor.get("/").status_code == 200

    other = Visitor(strict.url)
    other.sign_in(person, PASSWORD)
    assert other.post("/sign-in/code", {"code": fresh}).status_code == 401
    assert other.post("/sign-in/code", {"code": codes[0]}).headers["Location"] == "/"
    assert other.get("/").status_code == 200
    assert "Recovery codes left: 9 of 10" in other.get("/account").text


def test_the_pages_of_the_code_send_whoever_gave_no_password_to_the_start(visitor: Visitor) -> None:
    visitor.get("/sign-in")
    for path in ("/sign-in/code", "/sign-in/second-factor"):
        assert visitor.get(path).headers["Location"] == "/sign-in"
        assert visitor.post(path, {"code": "000000"}).status_code == 401


def test_an_administrator_resets_it_and_the_next_sign_in_sets_up_another(
    visitor: Visitor, person: str, strict: Console
) -> None:
    device, _ = enrol(visitor, person)
    done = strict.run("users", "reset-second-factor", person)
    assert person in done.stdout
    again = Visitor(strict.url)
    other, _ = enrol(again, person)
    assert other != device


def test_new_recovery_codes_take_password_and_code(visitor: Visitor, person: str) -> None:
    device, old = enrol(visitor, person)
    visitor.get("/account")
    for fields in ({"password": PASSWORD, "code": ""}, {"password": "wrong password!", "code": code(device, 1)}):
        refused = visitor.post("/account/recovery-codes", fields)
        assert refused.status_code == 422
        assert not re.findall(r"<code>([A-Z2-9-]{29})</code>", refused.text)
    renewed = visitor.post("/account/recovery-codes", {"password": PASSWORD, "code": code(device, 1)})
    new = re.findall(r"<code>([A-Z2-9-]+)</code>", renewed.text)
    assert len(new) == 10
    assert not set(new) & set(old)
    visitor.get("/account")
    visitor.post("/sign-out", {})
    visitor.sign_in(person, PASSWORD)
    assert visitor.post("/sign-in/code", {"code": old[0]}).status_code == 401
    assert visitor.post("/sign-in/code", {"code": new[0]}).status_code == 303


def test_too_many_wrong_codes_make_that_browser_wait(visitor: Visitor, person: str) -> None:
    enrol(visitor, person)
    visitor.post("/sign-out", {})
    visitor.sign_in(person, PASSWORD)
    statuses = [visitor.post("/sign-in/code", {"code": "000000"}).status_code for _ in range(6)]
    assert statuses == [401] * 5 + [429]
