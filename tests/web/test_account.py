"""One's own account page."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from overlay import identity
from overlay.identity.second_factor import code_at
from overlay.services import Services
from tests.conftest import Console
from tests.web.conftest import Visitor

PASSWORD = "a long enough password"


@pytest.fixture
def person(services: Services, request: pytest.FixtureRequest) -> str:
    username = f"a{abs(hash(request.node.nodeid)):x}"[:20]
    identity.create_account(
        services.store, services.access, username, "Ash Quill", "call_handler", PASSWORD, datetime.now(UTC)
    )
    return username


def sign_in(console: Console, person: str) -> Visitor:
    visitor = Visitor(console.url)
    assert visitor.sign_in(person, PASSWORD).status_code == 303
    visitor.get("/account")
    return visitor


def sessions(visitor: Visitor) -> list[str]:
    return re.findall(r'name="session" value="([0-9a-f]{64})"', visitor.get("/account").text)


def test_one_ends_another_session_of_ones_own_and_nobody_elses(
    console: Console, person: str, signed_in: Callable[[str], Visitor], services: Services
) -> None:
    here, there = sign_in(console, person), sign_in(console, person)
    (other,) = sessions(here)
    stranger = signed_in("dispatcher")
    assert stranger.post("/account/end-session", {"session": other}).status_code == 303
    assert there.get("/").status_code == 200
    assert here.post("/account/end-session", {"session": other}).status_code == 303
    for _ in range(20):
        if there.get("/").status_code == 303:
            break
    assert there.get("/").status_code == 303
    assert here.get("/").status_code == 200
    assert sessions(here) == []


def test_a_new_password_takes_the_old_one_and_signs_out_everywhere(console: Console, person: str) -> None:
    here, there = sign_in(console, person), sign_in(console, person)
    for fields, said in (
        ({"password": "wrong password!", "new_password": "another long password"}, "match an account"),
        ({"password": PASSWORD, "new_password": "short"}, "12 to 256"),
    ):
        refused = here.post("/account/password", fields)
        assert refused.status_code == 422
        assert said in refused.text
    reply = here.post("/account/password", {"password": PASSWORD, "new_password": "another long password"})
    assert (reply.status_code, reply.headers["Location"]) == (303, "/sign-in")
    for _ in range(20):
        if there.get("/").status_code == 303:
            break
    assert there.get("/").status_code == 303
    assert Visitor(console.url).sign_in(person, PASSWORD).status_code == 401
    assert Visitor(console.url).sign_in(person, "another long password").status_code == 303


def test_where_it_is_optional_one_may_set_a_second_factor_up(console: Console, person: str) -> None:
    here, there = sign_in(console, person), sign_in(console, person)
    assert here.post("/account/second-factor", {"password": "wrong password!"}).status_code == 422
    assert here.post("/account/second-factor", {"password": PASSWORD}).headers["Location"] == "/sign-in/second-factor"
    secret = re.search(r'enrol__secret">([A-Z2-7 ]+)<', here.get("/sign-in/second-factor").text)
    assert secret
    code = code_at(secret[1].replace(" ", ""), datetime.now(UTC))
    done = here.post("/sign-in/second-factor", {"code": code})
    assert done.status_code == 200
    assert here.get("/").status_code == 200
    for _ in range(20):
        if there.get("/").status_code == 303:
            break
    assert there.get("/").status_code == 303, "sessions without the factor end"
    assert Visitor(console.url).sign_in(person, PASSWORD).headers["Location"] == "/sign-in/code"


def test_no_address_of_a_page_names_a_person(console: Console, person: str) -> None:
    here = sign_in(console, person)
    for page in (here.get("/account").text, here.get("/").text):
        for address in re.findall(r'(?:href|action|src)="([^"]+)"', page):
            assert person not in address
            assert "Ash" not in address
        title = re.search(r"<title>(.*?)</title>", page)
        assert title
        assert "Ash" not in title[1]
