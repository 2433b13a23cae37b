"""The administrator's pages: accounts and tokens."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
import requests

from overlay.services import Services
from tests.conftest import Console
from tests.web.conftest import TIMEOUT_S, Visitor

PASSWORD = "a long enough password"
CHECK = {"location": {"address": "14 Nowhere At All"}}


@pytest.fixture
def administrator(signed_in: Callable[[str], Visitor]) -> Visitor:
    visitor = signed_in("administrator")
    visitor.get("/accounts")
    return visitor


@pytest.fixture
def made(administrator: Visitor, request: pytest.FixtureRequest) -> tuple[str, str]:
    """A fresh account: its user name and the address of its page."""
    username = f"m{abs(hash(request.node.nodeid)):x}"[:20]
    fields = {"username": username, "name": "Mo Quill", "role": "call_handler", "password": PASSWORD}
    reply = administrator.post("/accounts", fields)
    assert reply.status_code == 303, reply.text
    time.sleep(0.3)
    return username, reply.headers["Location"]


def test_an_account_is_made_listed_and_signs_in(
    administrator: Visitor, made: tuple[str, str], console: Console
) -> None:
    username, address = made
    assert re.fullmatch(r"/accounts/[0-9a-f]{32}", address)
    listed = administrator.get("/accounts").text
    row = re.search(rf"{address}.*?</tr>", listed, re.DOTALL)
    assert row
    for words in ("Mo Quill", "Call handler", "local", "in use", ">no<"):
        assert words in row[0]
    assert PASSWORD not in listed
    assert "argon2" not in listed
    assert Visitor(console.url).sign_in(username, PASSWORD).status_code == 303


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"username": "casey"}, "taken"),
        ({"username": "A B"}, "username"),
        ({"password": "short"}, "12 to 256"),
        ({"role": "chief"}, "no such role"),
        ({"name": ""}, "name"),
    ],
)
def test_what_can_t_be_used_is_said_and_what_was_typed_is_kept(
    administrator: Visitor, fields: dict[str, str], said: str
) -> None:
    good = {"username": "never-made", "name": "Never Made", "role": "dispatcher", "password": PASSWORD}
    reply = administrator.post("/accounts", {**good, **fields})
    assert reply.status_code == 422
    assert said in reply.text
    assert PASSWORD not in reply.text
    if "name" not in fields:
        assert "Never Made" in reply.text
    assert "never-made" not in administrator.get("/accounts").text


@pytest.mark.parametrize(
    ("step", "fields"),
    [
        ("/role", {"role": "dispatcher"}),
        ("/password", {"password": "another long password"}),
        ("/sessions", {}),
        ("/second-factor", {}),
        ("/disable", {}),
    ],
)
def test_each_change_ends_the_sessions_of_the_account(
    administrator: Visitor, made: tuple[str, str], console: Console, step: str, fields: dict[str, str]
) -> None:
    username, address = made
    person = Visitor(console.url)
    person.sign_in(username, PASSWORD)
    person.get("/")
    administrator.get(address)
    reply = administrator.post(address + step, fields)
    assert reply.status_code == 200, reply.text
    assert "Done." in reply.text
    assert person.post("/check", {"location": "14 Nowhere At All"}).status_code in (401, 303)
    if step == "/disable":
        assert "disabled" in reply.text
        assert person.sign_in(username, PASSWORD).status_code == 401
    if step == "/role":
        assert "Dispatcher" in reply.text


def test_nobody_changes_their_own_account_here(administrator: Visitor, services: Services, console: Console) -> None:
    account = services.access.account(console.accounts["administrator"][0])
    assert account is not None
    address = f"/accounts/{account.account_id}"
    assert "another administrator changes it" in administrator.get(address).text
    for step in ("/role", "/password", "/sessions", "/second-factor", "/disable"):
        reply = administrator.post(address + step, {"role": "call_handler", "password": PASSWORD})
        assert reply.status_code == 422
        assert "Your own account" in reply.text
    assert administrator.get("/accounts").status_code == 200


def test_an_administrator_sees_no_marker(administrator: Visitor) -> None:
    for path in ("/", "/accounts", "/tokens", "/account"):
        assert "Tallow" not in administrator.get(path).text
    assert administrator.post("/check", {"location": "14 Nowhere At All"}).status_code == 403


def test_the_pages_are_linked_for_those_who_may_open_them(signed_in: Callable[[str], Visitor]) -> None:
    assert 'href="/accounts"' in signed_in("administrator").get("/").text
    assert 'href="/tokens"' in signed_in("administrator").get("/").text
    for role in ("call_handler", "auditor"):
        assert 'href="/accounts"' not in signed_in(role).get("/").text


def token_made(administrator: Visitor, **fields: object) -> requests.Response:
    administrator.get("/tokens")
    good = {"name": "CAD bridge", "role": "service", "days": "30"}
    return administrator.post("/tokens", {**good, **fields})  # type: ignore[dict-item]


def test_a_token_is_shown_once_works_and_is_revoked(administrator: Visitor, console: Console) -> None:
    reply = token_made(administrator, name="shown once")
    secret = re.search(r'shown-once__secret">(wmo_[A-Za-z0-9_-]{43})<', reply.text)
    assert secret
    assert secret[1] not in administrator.get("/tokens").text
    headers = {"Authorization": f"Bearer {secret[1]}"}

    def ask() -> int:
        return requests.post(f"{console.url}/api/v1/checks", json=CHECK, headers=headers, timeout=TIMEOUT_S).status_code

    time.sleep(0.3)
    assert ask() == 200
    row = re.search(r"shown once.*?</tr>", administrator.get("/tokens").text, re.DOTALL)
    assert row
    token_id = re.search(r'name="token" value="([0-9a-f]{64})"', row[0])
    assert token_id
    assert administrator.post("/tokens/revoke", {"token": token_id[1]}).status_code == 303
    assert ask() == 401
    row = re.search(r"shown once.*?</tr>", administrator.get("/tokens").text, re.DOTALL)
    assert row
    assert "revoked" in row[0]


def test_a_scope_holds_a_token_to_less_than_its_role(administrator: Visitor, console: Console) -> None:
    secrets = {}
    for scopes in (["checks.make"], ["api.describe"], ["checks.make", "api.describe"], []):
        page = token_made(administrator, scopes=scopes).text
        secret = re.search(r'shown-once__secret">([^<]+)<', page)
        assert secret
        secrets[tuple(scopes)] = secret[1]
    time.sleep(0.3)
    for scopes, secret in secrets.items():
        headers = {"Authorization": f"Bearer {secret}"}
        made = requests.post(f"{console.url}/api/v1/checks", json=CHECK, headers=headers, timeout=TIMEOUT_S)
        described = requests.get(f"{console.url}/api/v1/openapi.json", headers=headers, timeout=TIMEOUT_S)
        assert made.status_code == (200 if not scopes or "checks.make" in scopes else 403)
        assert described.status_code == (200 if not scopes or "api.describe" in scopes else 403)
        assert ("could_not_check" in made.text) or made.status_code == 403


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"scopes": ["accounts.manage"]}, "does not hold"),
        ({"scopes": ["everything"]}, "no permission"),
        ({"role": "chief"}, "no such role"),
        ({"days": "0"}, "1 to 366"),
        ({"days": "-1"}, "1 to 366"),
        ({"days": "9" * 400}, "1 to 366"),
        ({"name": ""}, "name"),
    ],
)
def test_a_token_that_can_t_be_is_refused_in_words(
    administrator: Visitor, fields: dict[str, object], said: str
) -> None:
    reply = token_made(administrator, **fields)
    assert reply.status_code == 422
    assert said in reply.text
    assert "wmo_" not in reply.text


def test_the_command_makes_and_lists_scopes(console: Console) -> None:
    made = console.run("tokens", "create", "--role", "service", "--name", "scoped", "--scope", "checks.make", "--json")
    assert '"scopes": ["checks.make"]' in made.stdout
    assert '"scopes": ["checks.make"]' in console.run("tokens", "list", "--json").stdout
    refused = console.run("tokens", "create", "--role", "service", "--name", "x", "--scope", "x", check=False)
    assert (refused.returncode, "no permission 'x'" in refused.stderr) == (1, True)
