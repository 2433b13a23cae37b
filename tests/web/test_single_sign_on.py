"""Single sign-on over HTTP: a real console, a real provider (canaille), and a browser that goes between them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

import pytest
import requests

from overlay import identity
from overlay.app import create_app
from overlay.services import Services
from tests.areas import config_with
from tests.canaille_provider import CLIENT, PASSWORD, SECRET, Canaille, canaille
from tests.conftest import Console, free_port
from tests.web.conftest import TIMEOUT_S, Visitor
from tests.web.test_sign_in import session_cookie

PEOPLE = {
    "handler": ["Handlers"], "taker": ["Handlers", "Takers"], "both": ["Handlers", "Dispatchers"],
    "stranger": ["Others"], "nobody": [], "second": ["Handlers"],
}  # fmt: skip
TABLE = """
[single_sign_on]
title = "Quillmarket sign-on"
issuer = "{issuer}"
client_id = "{client}"
console = "{console}"
[single_sign_on.roles]
"Handlers" = "call_handler"
"Takers" = "call_handler"
"Dispatchers" = "dispatcher"
"""


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Console, Canaille]]:
    """A console that trusts a provider, and the provider."""
    folder = tmp_path_factory.mktemp("sso")
    console = Console(folder / "data", free_port())
    (folder / "secret").write_text(SECRET + "\n")
    with canaille(PEOPLE, f"{console.url}/sign-in/single-sign-on/return") as provider:
        table = TABLE.format(issuer=provider.issuer, client=CLIENT, console=console.url)
        console.extra = {
            "OVERLAY_CONFIG": str(config_with(folder / "config", more=table)),
            "OVERLAY_SINGLE_SIGN_ON_SECRET_FILE": str(folder / "secret"),
        }
        console.start()
        try:
            yield console, provider
        finally:
            console.stop()


@dataclass
class Traveller:
    """One browser: `here` for the console, `there` for the provider."""

    here: Visitor
    provider: Canaille
    there: requests.Session = field(default_factory=requests.Session)
    passwords_typed: int = 0

    def leave(self, *, again: bool = False) -> str:
        reply = self.here.get("/sign-in/single-sign-on" + ("?again=1" if again else ""))
        assert reply.status_code == 303, reply.text
        return reply.headers["Location"]

    def at_the_provider(self, address: str, name: str) -> str:
        """Sign in there; returns the address the provider sends the browser back to."""
        assert address.startswith(self.provider.issuer)
        reply = self.there.get(address, allow_redirects=False, timeout=TIMEOUT_S)
        for _ in range(12):
            if reply.is_redirect:
                address = urljoin(reply.url, reply.headers["Location"])
                if address.startswith(self.here.base):
                    return address
                reply = self.there.get(address, allow_redirects=False, timeout=TIMEOUT_S)
                continue
            assert reply.status_code == 200, reply.text
            token = re.search(r'name="csrf_token"[^>]*value="([^"]*)"', reply.text)
            assert token, reply.text
            typed = {"csrf_token": token[1]}
            if 'name="password"' in reply.text:
                typed["password"] = PASSWORD
                self.passwords_typed += 1
            else:
                typed["login"] = name
            reply = self.there.post(reply.url, data=typed, allow_redirects=False, timeout=TIMEOUT_S)
        raise AssertionError("the provider did not send the browser back")

    def come(self, address: str) -> requests.Response:
        parts = urlsplit(address)
        return self.here.get(f"{parts.path}?{parts.query}")

    def sign_on(self, name: str) -> requests.Response:
        return self.come(self.at_the_provider(self.leave(), name))


@pytest.fixture
def traveller(both: tuple[Console, Canaille]) -> Traveller:
    console, provider = both
    return Traveller(Visitor(console.url), provider)


def test_the_sign_in_page_offers_it_beside_local_accounts(both: tuple[Console, Canaille], traveller: Traveller) -> None:
    page = traveller.here.get("/sign-in").text
    assert "Sign in with Quillmarket sign-on" in page
    assert both[0].url not in page
    assert traveller.here.sign_in(*both[0].accounts["dispatcher"]).status_code == 303


@pytest.mark.parametrize("name", ["handler", "taker"])
def test_whoever_signs_on_there_is_signed_in_here_under_the_role_of_their_groups(
    traveller: Traveller, name: str
) -> None:
    reply = traveller.sign_on(name)
    assert reply.status_code == 200
    page = traveller.here.get("/").text
    assert f"{name.title()} Quill" in page
    assert "Call handler" in page
    assert traveller.here.post("/check", {"location": "14 Nowhere At All"}).status_code == 200
    account = traveller.here.get("/account").text
    assert "kept by the single sign-on" in account


@pytest.mark.parametrize("name", ["both", "stranger", "nobody"])
def test_no_role_or_two_roles_is_refused_in_words(traveller: Traveller, name: str) -> None:
    reply = traveller.sign_on(name)
    assert reply.status_code == 401
    assert "no role here, or for more than one" in reply.text
    assert traveller.here.get("/").status_code == 303


def test_the_way_back_is_a_page_of_its_own_whose_next_step_begins_here(traveller: Traveller) -> None:
    reply = traveller.sign_on("handler")
    kept = session_cookie(reply)
    assert reply.status_code == 200, "a redirect from another site would arrive without the Strict cookie"
    assert '<meta http-equiv="refresh" content="0; url=/">' in reply.text
    assert kept["overlay-session"]["samesite"] == "Strict"
    assert kept["overlay-session"]["httponly"]
    assert kept["overlay-sign-on"].value == "", "the question is over"
    assert reply.headers["Cache-Control"] == "no-store"


def test_what_comes_back_from_the_provider_is_the_one_cookie_other_sites_may_cause_to_be_sent(
    traveller: Traveller,
) -> None:
    kept = session_cookie(traveller.here.get("/sign-in/single-sign-on"))["overlay-sign-on"]
    assert (kept["samesite"], kept["path"], int(kept["max-age"])) == ("Lax", "/", 600)
    assert kept["httponly"]


def test_a_locked_screen_is_opened_by_proving_anew_at_the_provider(traveller: Traveller) -> None:
    traveller.sign_on("handler")
    traveller.here.get("/")
    old = traveller.here.session.cookies["overlay-session"]
    traveller.here.post("/lock", {})
    assert traveller.here.get("/").headers["Location"] == "/unlock"
    assert "Unlock with single sign-on" in traveller.here.get("/unlock").text
    typed = traveller.passwords_typed
    reply = traveller.come(traveller.at_the_provider(traveller.leave(again=True), "handler"))
    assert reply.status_code == 200, reply.text
    assert traveller.passwords_typed == typed + 1, "the provider's own session was not enough"
    assert traveller.here.get("/").status_code == 200
    copy = requests.get(
        traveller.here.base + "/", cookies={"overlay-session": old}, allow_redirects=False, timeout=TIMEOUT_S
    )
    assert copy.status_code == 303


def test_another_person_does_not_open_it(traveller: Traveller) -> None:
    traveller.sign_on("handler")
    traveller.here.get("/")
    traveller.here.post("/lock", {})
    address = traveller.leave(again=True)
    traveller.there = requests.Session()
    reply = traveller.come(traveller.at_the_provider(address, "second"))
    assert reply.status_code == 401
    assert "Another person" in reply.text
    assert traveller.here.get("/").headers["Location"] == "/unlock"


# After those that sign on: a code left over or refused upsets what this provider holds in memory.
def test_a_code_signs_in_once(traveller: Traveller) -> None:
    address = traveller.at_the_provider(traveller.leave(), "handler")
    question = traveller.here.session.cookies["overlay-sign-on"]
    assert traveller.come(address).status_code == 200
    copy = requests.get(address, cookies={"overlay-sign-on": question}, allow_redirects=False, timeout=TIMEOUT_S)
    assert copy.status_code == 401
    assert "too old or was used" in copy.text
    assert "overlay-session" not in session_cookie(copy)


def test_an_answer_brought_by_another_browser_or_under_another_state_signs_nobody_in(traveller: Traveller) -> None:
    address = traveller.at_the_provider(traveller.leave(), "handler")
    victim = Traveller(Visitor(traveller.here.base), traveller.provider)
    assert victim.come(address).status_code == 401
    victim.leave()
    assert victim.come(address).status_code == 401
    assert victim.here.get("/").status_code == 303
    changed = re.sub(r"state=[^&]+", "state=0123456789abcdef0123456789abcdef", address)
    assert traveller.come(changed).status_code == 401


def test_a_refusal_of_the_provider_is_told_in_words(traveller: Traveller) -> None:
    state = re.search(r"state=([^&]+)", traveller.leave())
    assert state
    issuer = requests.utils.quote(traveller.provider.issuer, safe="")
    reply = traveller.here.get(f"/sign-in/single-sign-on/return?error=access_denied&state={state[1]}&iss={issuer}")
    assert reply.status_code == 401
    assert "did not let you in" in reply.text


def test_without_the_provider_it_says_so_and_local_accounts_go_on(services: Services, console: Console) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    table = {
        "title": "Gone", "issuer": nowhere, "client_id": "c", "console": console.url, "roles": {"g": "dispatcher"},
    }  # fmt: skip
    provider = identity.Provider.read(table, "a secret")
    assert provider is not None
    services.sign_on = identity.OpenId(provider)
    try:
        with create_app(services).test_client() as client:
            reply = client.get("/sign-in/single-sign-on")
            assert reply.status_code == 503
            assert "sign in with a local account" in reply.text
            token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', reply.text)
            assert token
            username, password = console.accounts["call_handler"]
            signed = client.post("/sign-in", data={"csrf_token": token[1], "username": username, "password": password})
            assert (signed.status_code, signed.headers["Location"]) == (303, "/")
    finally:
        services.sign_on = None


def test_where_none_is_configured_there_is_no_such_page(console: Console, visitor: Visitor) -> None:
    assert visitor.get("/sign-in/single-sign-on").status_code == 404
    assert visitor.get("/sign-in/single-sign-on/return").status_code == 404


def test_a_wrong_configuration_stops_the_boot_with_its_place(tmp_path: object, both: tuple[Console, Canaille]) -> None:
    console = both[0]
    wrong = Console(console.data.parent / "wrong", free_port())
    table = TABLE.format(issuer="http://login.example", client="c", console="https://console.example")
    wrong.extra = {"OVERLAY_CONFIG": str(config_with(console.data.parent / "wrong-config", more=table))}
    done = wrong.run("users", "list", check=False)
    assert done.returncode == 1
    assert "quillmarket.toml: [single_sign_on] issuer is an https:// address" in done.stderr


def test_a_code_of_another_sign_in_of_the_same_browser_signs_nobody_in(traveller: Traveller) -> None:
    """The provider knows the code, but our verifier (PKCE) is not the one it was asked with."""
    first = traveller.at_the_provider(traveller.leave(), "handler")
    second = traveller.at_the_provider(traveller.leave(), "handler")
    code = re.search(r"code=([^&]+)", first)
    assert code
    assert traveller.come(re.sub(r"code=[^&]+", f"code={code[1]}", second)).status_code == 401
