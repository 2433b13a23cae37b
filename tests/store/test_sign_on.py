"""Single sign-on against a provider that lies: nothing it sends opens anything unless every part of it is right."""

from __future__ import annotations

import hashlib
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import OctKey, RSAKey

from markers.commits import Commit
from markers.store_errors import NotUnique
from overlay import identity
from overlay.identity.changes import put
from overlay.identity.sign_on import QUESTION_LASTS, SignedOn, come_back, leave
from tests.rogue_provider import Rogue, rogue
from tests.store.desk import NOW, Desk

CLIENT = "overlay"
SEEN = int(NOW.timestamp())


def provider_of(issuer: str) -> identity.Provider:
    table = {
        "title": "Test sign-on",
        "issuer": issuer,
        "client_id": CLIENT,
        "console": "http://127.0.0.1:1",
        "roles": {"handlers": "call_handler", "takers": "call_handler", "dispatch": "dispatcher"},
    }
    provider = identity.Provider.read(table, "a secret")
    assert provider is not None
    return provider


@dataclass
class Traveller:
    """One browser on its way to the provider and back."""

    desk: Desk
    rogue: Rogue
    openid: identity.OpenId

    def leave(self, again: Any = None) -> tuple[dict[str, str], str]:
        address, cookie = leave(self.desk.door(), self.openid, NOW, again)
        return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}, cookie

    def come(self, make: Callable[[dict[str, Any]], str], again: Any = None, **claims: Any) -> SignedOn:
        """There and back, with an id token made from good claims, changed by `claims` (None leaves one out)."""
        asked, cookie = self.leave(again)
        self.rogue.id_token = make(self.claims(asked["nonce"], **claims))
        return come_back(self.desk.door(), self.openid, cookie, {"state": asked["state"], "code": "c"}, NOW)

    def sign_on(self, **claims: Any) -> SignedOn:
        return self.come(self.rogue.sign, **claims)

    def claims(self, nonce: str, /, **changed: Any) -> dict[str, Any]:
        good = {
            "iss": self.rogue.issuer, "aud": CLIENT, "sub": "s-1", "nonce": nonce, "iat": SEEN, "exp": SEEN + 300,
            "auth_time": SEEN, "name": "Casey Quill", "groups": ["handlers"],
        }  # fmt: skip
        return {name: value for name, value in {**good, **changed}.items() if value is not None}


@pytest.fixture
def traveller(desk: Desk) -> Iterator[Traveller]:
    with rogue() as running:
        yield Traveller(desk, running, identity.OpenId(provider_of(running.issuer)))


def only_account(desk: Desk) -> identity.Account:
    (account,) = desk.access.accounts()
    return account


def test_whoever_the_provider_vouches_for_gets_an_account_and_a_session(traveller: Traveller) -> None:
    signed_on = traveller.sign_on()
    actor = traveller.desk.beside().actor_for_session(signed_on.secret, NOW)
    assert actor is not None
    assert (actor.name, actor.role) == ("Casey Quill", "call_handler")
    account = only_account(traveller.desk)
    assert account.password == ""
    assert account.subject == traveller.desk.vault.token("subject", f"{traveller.rogue.issuer}|s-1")
    traveller.sign_on()
    assert len(traveller.desk.access.accounts()) == 1


@pytest.mark.parametrize("claims", [{"aud": [CLIENT]}, {"aud": [CLIENT, "another"], "azp": CLIENT}, {"azp": CLIENT}])
def test_the_audience_may_be_written_as_the_standard_allows(traveller: Traveller, claims: dict[str, Any]) -> None:
    assert traveller.sign_on(**claims)


def test_what_is_asked_holds_state_nonce_and_an_s256_challenge(traveller: Traveller) -> None:
    first, second = traveller.leave()[0], traveller.leave()[0]
    for name in ("state", "nonce", "code_challenge"):
        assert first[name] != second[name]
        assert len(first[name]) >= 32
    assert (first["code_challenge_method"], first["response_type"]) == ("S256", "code")
    assert "prompt" not in first


ATTACKS: dict[str, dict[str, Any]] = {
    "nonce of another sign-in": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "another issuer": {"iss": "https://login.example"},
    "no issuer": {"iss": None},
    "another audience": {"aud": "another"},
    "several audiences, no azp": {"aud": [CLIENT, "another"]},
    "azp is another": {"aud": [CLIENT, "another"], "azp": "another"},
    "azp is another, one audience": {"azp": "another"},
    "expired": {"exp": SEEN - 61},
    "no end": {"exp": None},
    "issued long ago": {"iat": SEEN - 3600},
    "issued in the future": {"iat": SEEN + 3600},
    "no time of issue": {"iat": None},
    "not valid yet": {"nbf": SEEN + 3600},
    "nobody": {"sub": None},
    "nobody, empty": {"sub": ""},
    "nobody, a number": {"sub": 7},
    "of another access token": {"at_hash": urlsafe_b64encode(hashlib.sha256(b"b").digest()[:16]).decode().rstrip("=")},
    "time of issue is text": {"iat": "yesterday"},
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_token_that_is_wrong_in_one_claim_opens_nothing(traveller: Traveller, attack: str) -> None:
    with pytest.raises(identity.SignOnRefused, match="can't be trusted"):
        traveller.sign_on(**ATTACKS[attack])
    assert not traveller.desk.access.accounts()


def test_a_token_that_is_not_signed_by_the_provider_opens_nothing(traveller: Traveller) -> None:
    stranger = RSAKey.generate_key(2048, {"kid": "one"})
    listed = OctKey.generate_key(256, {"kid": "oct"})
    traveller.rogue.keys["keys"].append(listed.as_dict(private=True))
    forgeries: list[Callable[[dict[str, Any]], str]] = [
        traveller.rogue.unsigned,
        traveller.rogue.signed_with_the_public_key,
        lambda claims: traveller.rogue.sign(claims, key=stranger),
        lambda claims: traveller.rogue.sign(claims, {"alg": "HS256", "kid": "oct"}, listed),
        lambda claims: traveller.rogue.sign(claims, {"alg": "RS256", "kid": "another"}, stranger),
        lambda claims: traveller.rogue.sign(claims)[:-4] + "AAAA",
        lambda claims: "",
        lambda claims: "a.b.c",
    ]
    for forge in forgeries:
        with pytest.raises(identity.SignOnRefused, match="can't be trusted"):
            traveller.come(forge)
    assert not traveller.desk.access.accounts()
    traveller.sign_on()


def test_an_answer_to_another_sign_in_opens_nothing(traveller: Traveller) -> None:
    door, openid = traveller.desk.door(), traveller.openid
    asked, cookie = traveller.leave()
    other, others_cookie = traveller.leave()
    traveller.rogue.id_token = traveller.rogue.sign(traveller.claims(asked["nonce"]))
    good = {"state": asked["state"], "code": "c"}
    for brought, answer in (
        (cookie, {**good, "state": other["state"]}),
        (cookie, {"code": "c"}),
        (others_cookie, good),
        ("", good),
        (cookie[:-2] + "AA", good),
        (f"{asked['state']}.", good),
        (f"{other['state']}.{cookie.partition('.')[2]}", {**good, "state": other["state"]}),
        (cookie, {**good, "code": ""}),
        (cookie, {"state": asked["state"], "error": "access_denied"}),
        (cookie, {**good, "iss": "https://login.example"}),
    ):
        with pytest.raises(identity.SignOnRefused):
            come_back(door, openid, brought, answer, NOW)
    with pytest.raises(identity.SignOnRefused, match="too long"):
        come_back(door, openid, cookie, good, NOW + QUESTION_LASTS)
    assert not traveller.desk.access.accounts()
    assert come_back(door, openid, cookie, {**good, "iss": traveller.rogue.issuer}, NOW)


def test_an_answer_without_its_issuer_is_refused_where_the_provider_promises_it(traveller: Traveller) -> None:
    traveller.rogue.metadata["authorization_response_iss_parameter_supported"] = True
    with pytest.raises(identity.SignOnRefused):
        traveller.sign_on()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("issuer", "https://login.example"),
        ("issuer", None),
        ("authorization_endpoint", "http://login.example/authorize"),
        ("token_endpoint", "file:///etc/passwd"),
        ("jwks_uri", None),
        ("code_challenge_methods_supported", ["plain"]),
    ],
)
def test_a_provider_that_publishes_something_else_is_not_used(traveller: Traveller, name: str, value: Any) -> None:
    traveller.rogue.metadata[name] = value
    with pytest.raises(identity.ProviderAway):
        traveller.leave()


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token", "/jwks"])
def test_no_redirect_is_followed(traveller: Traveller, path: str) -> None:
    with rogue() as other:
        traveller.rogue.redirect_to[path] = other.issuer + path
        with pytest.raises((identity.ProviderAway, identity.SignOnRefused)):
            traveller.sign_on()
        assert other.asked == []


def test_a_provider_that_hangs_is_given_up_in_a_few_seconds(traveller: Traveller) -> None:
    traveller.rogue.silent = True
    started = time.monotonic()
    with pytest.raises(identity.ProviderAway, match="local account"):
        traveller.leave()
    assert time.monotonic() - started < 5


def test_groups_may_come_from_the_user_info_of_that_same_person(traveller: Traveller) -> None:
    traveller.rogue.user_info = {"sub": "s-1", "groups": ["dispatch"]}
    traveller.sign_on(groups=None)
    assert only_account(traveller.desk).role == "dispatcher"
    traveller.rogue.user_info = {"sub": "s-2", "groups": ["dispatch"]}
    with pytest.raises(identity.SignOnRefused):
        traveller.sign_on(groups=None)


@pytest.mark.parametrize("groups", [[], ["strangers"], ["handlers", "dispatch"], "strangers", 7, [{"handlers": 1}]])
def test_no_role_or_two_is_refused_in_words(traveller: Traveller, groups: Any) -> None:
    with pytest.raises(identity.SignOnRefused, match="no role here, or for more than one"):
        traveller.sign_on(groups=groups)
    assert not traveller.desk.access.accounts()


@pytest.mark.parametrize("groups", [["handlers", "takers", "strangers"], "takers"])
def test_groups_of_one_role_are_one_role(traveller: Traveller, groups: Any) -> None:
    traveller.sign_on(groups=groups)
    assert only_account(traveller.desk).role == "call_handler"


def test_role_and_name_follow_the_provider_and_another_role_ends_the_sessions_before(traveller: Traveller) -> None:
    access = traveller.desk.access
    first = traveller.sign_on()
    renamed = traveller.sign_on(name="Casey Inkwell")
    assert access.actor_for_session(first.secret, NOW) is not None
    moved = traveller.sign_on(groups=["dispatch"])
    for ended in (first, renamed):
        assert access.actor_for_session(ended.secret, NOW) is None
    actor = access.actor_for_session(moved.secret, NOW)
    assert actor is not None
    assert (actor.name, actor.role) == ("Casey Quill", "dispatcher")
    assert len(access.accounts()) == 1


def test_a_disabled_account_stays_out(traveller: Traveller) -> None:
    traveller.sign_on()
    account = only_account(traveller.desk)
    identity.disable_account(traveller.desk.store, traveller.desk.access, account.username, NOW)
    with pytest.raises(identity.SignOnRefused, match="disabled"):
        traveller.sign_on()


def test_one_person_of_the_provider_has_one_account_by_the_commit_itself(traveller: Traveller) -> None:
    traveller.sign_on()
    known = only_account(traveller.desk)
    twin = put(type(known)(**{**{f: getattr(known, f) for f in known.__slots__}, "account_id": "twin", "version": 0}))
    with pytest.raises(NotUnique):
        traveller.desk.store.commit(Commit("twin", {}, (twin,)))


def test_no_password_opens_an_account_of_the_single_sign_on(traveller: Traveller) -> None:
    traveller.sign_on()
    account = only_account(traveller.desk)
    with pytest.raises(identity.SignInRefused):
        identity.sign_in(traveller.desk.door(), account.username, "", NOW)
    with pytest.raises(identity.Refused):
        identity.set_password(traveller.desk.store, traveller.desk.access, account.username, "x" * 20, NOW)


def test_proving_again_goes_through_the_provider(traveller: Traveller) -> None:
    desk = traveller.desk
    secret = traveller.sign_on().secret
    later = NOW + timedelta(minutes=3)
    actor = desk.access.actor_for_session(secret, NOW)
    assert actor is not None
    identity.reauthenticate(desk.door(), actor, "", "", NOW)
    with pytest.raises(identity.ProviderFirst):
        identity.reauthenticate(desk.door(), actor, "anything at all", "", later)
    assert traveller.leave(actor)[0]["prompt"] == "login"

    with pytest.raises(identity.SignOnRefused, match="prove anew"):
        traveller.come(traveller.rogue.sign, again=actor, auth_time=SEEN - 3600)
    with pytest.raises(identity.SignOnRefused, match="Another person"):
        traveller.come(traveller.rogue.sign, again=actor, sub="s-2")
    identity.lock(desk.door(), actor, NOW)
    opened = traveller.come(traveller.rogue.sign, again=actor)
    assert opened.again
    assert desk.access.actor_for_session(secret, NOW) is None, "the old cookie opens nothing any more"
    session = desk.access.session(opened.secret)
    assert session is not None
    assert (session.locked_at, session.authenticated_at) == (None, NOW)


@pytest.mark.parametrize("proved", [SEEN - 3600, None])
def test_a_sign_in_of_an_hour_ago_at_the_provider_proves_nothing_now(traveller: Traveller, proved: int | None) -> None:
    desk = traveller.desk
    actor = desk.access.actor_for_session(traveller.sign_on(auth_time=proved).secret, NOW)
    assert actor is not None
    with pytest.raises(identity.ProviderFirst):
        identity.reauthenticate(desk.door(), actor, "", "", NOW)
    session = desk.access.session_of(actor.credential)
    assert session is not None
    assert not identity.is_locked(desk.door(), session, NOW), "but somebody sits there"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"issuer": "http://login.example"}, "issuer"),
        ({"issuer": ""}, "issuer"),
        ({"issuer": "https://user@login.example"}, "issuer"),
        ({"console": "https://console.example/path"}, "console"),
        ({"client_id": 7}, "client_id"),
        ({"roles": {}}, "roles"),
        ({"roles": {"handlers": "chief"}}, "chief|no role"),
        ({"roles": {"robots": "service"}}, "no role of people"),
        ({"scope": "profile"}, "openid"),
        ({"algorithms": ["none"]}, "unknown key"),
    ],
)
def test_a_wrong_configuration_is_refused_by_its_field(changed: dict[str, Any], said: str) -> None:
    table = {
        "title": "T", "issuer": "https://login.example", "client_id": "c", "console": "https://console.example",
        "roles": {"handlers": "call_handler"},
    }  # fmt: skip
    assert identity.Provider.read(table, "a secret") is not None
    assert identity.Provider.read({}, None) is None
    with pytest.raises(identity.ProviderError, match="SECRET_FILE"):
        identity.Provider.read(table, None)
    with pytest.raises(identity.ProviderError, match=said):
        identity.Provider.read({**table, **changed}, "a secret")
