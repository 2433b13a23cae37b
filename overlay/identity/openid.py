"""The conversation with an OpenID provider: authorization code with PKCE (S256), and an id token that is believed.

OpenID Connect Core 1.0 (3.1), RFC 7636, RFC 9207. Signatures are checked by joserfc under a list of asymmetric
algorithms, claims by Authlib. Nothing is followed elsewhere: no redirect, no proxy of the environment.
"""

from __future__ import annotations

import hmac
import json
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
import structlog
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from overlay.identity.changes import IdentityError
from overlay.identity.passwords import SignInBusy
from overlay.identity.provider import Provider, encrypted
from overlay.identity.sessions import SignInRefused

log = structlog.get_logger()

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
TIMEOUT_S = (2.0, 3.0)  # to connect, to hear anything
LEEWAY_S = 60
OLDEST_TOKEN = timedelta(minutes=10)
_KNOWN_FOR_S = 3600.0
_KEYS_AGAIN_S = 30.0
_LARGEST = 256 * 1024  # bytes
_AT_ONCE = 4  # a provider that hangs holds no more of this console's threads than these


class ProviderAway(IdentityError):
    """The provider does not answer, or not as it should."""

    def __init__(self) -> None:
        super().__init__(
            "Single sign-on is not working at this moment. Nothing was changed. Try again in a moment, or sign in with "
            "a local account if you have one."
        )


class SignOnRefused(SignInRefused):
    """What the provider sent back is not believed, or does not let this person in."""


@dataclass(frozen=True, slots=True)
class Question:
    """One sign-in at the provider, from leaving to coming back."""

    state: str
    nonce: str
    verifier: str

    @classmethod
    def new(cls) -> Question:
        return cls(secrets.token_hex(16), secrets.token_urlsafe(32), secrets.token_urlsafe(48))


@dataclass(frozen=True, slots=True)
class Vouched:
    """Who the provider says it is. `subject` is its own id of the person; `proved_at` when they proved it there."""

    subject: str
    name: str
    groups: tuple[str, ...]
    proved_at: datetime | None


class OpenId:
    """One provider. What it publishes is asked for at first use and kept for an hour. Safe between threads."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(_AT_ONCE)
        self._metadata: tuple[float, dict[str, Any]] | None = None
        self._keys: tuple[float, KeySet] | None = None

    def address(self, question: Question, *, prove_anew: bool) -> str:
        """Where to send the person. `ProviderAway`, `SignInBusy`."""
        extra = {"max_age": str(LEEWAY_S), "prompt": "login"} if prove_anew else {}
        with self._turn():
            where = self._published()["authorization_endpoint"]
        with self._client() as client:
            address, _ = client.create_authorization_url(
                where, state=question.state, code_verifier=question.verifier, nonce=question.nonce, **extra
            )
        return str(address)

    def redeem(self, question: Question, answer: Mapping[str, str], now: datetime) -> Vouched:
        """Who came back with `answer`, the parameters of the return address.

        Raises `SignOnRefused`, `ProviderAway`, `SignInBusy`.
        """
        if not hmac.compare_digest(answer.get("state", "").encode(), question.state.encode()):
            raise SignOnRefused("That answer belongs to another sign-in. Start again.")
        with self._turn():
            published = self._published()
            sent_iss = answer.get("iss")
            if sent_iss is None and published.get("authorization_response_iss_parameter_supported"):
                raise _not_believed("no_iss")
            if sent_iss is not None and sent_iss != self.provider.issuer:
                raise _not_believed("other_iss")
            if "error" in answer or not answer.get("code"):
                raise SignOnRefused("The single sign-on did not let you in. Nothing was changed; try again.")
            token = self._token(question, answer["code"])
            claims = self._claims(question, token, now)
            if self.provider.groups_claim not in claims:
                claims = {**self._user_info(token, claims["sub"]), **claims}
        return _vouched(claims, self.provider.groups_claim)

    def _token(self, question: Question, code: str) -> dict[str, Any]:
        with self._client() as client:
            client.register_compliance_hook("access_token_response", _not_elsewhere)
            try:
                token = client.fetch_token(
                    self._published()["token_endpoint"],
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=question.verifier,
                    timeout=TIMEOUT_S,
                    allow_redirects=False,
                )
            except OAuthError as error:
                log.warning("single_sign_on", refused="code", kind=str(error.error)[:40])
                raise SignOnRefused(
                    "The single sign-on took that answer back: it is too old or was used. Start again."
                ) from None
            except (requests.RequestException, ValueError) as error:
                raise _away("token_endpoint", error) from None
        if not isinstance(token.get("id_token"), str) or not isinstance(token.get("access_token"), str):
            raise _not_believed("no_id_token")
        return dict(token)

    def _claims(self, question: Question, token: dict[str, Any], now: datetime) -> dict[str, Any]:
        try:
            signed = self._verified(token["id_token"])
            provider = self.provider
            claims = CodeIDToken(
                signed.claims,
                signed.header,
                options={
                    "iss": {"essential": True, "value": provider.issuer},
                    "aud": {"essential": True, "values": [provider.client_id]},
                },
                params={
                    "nonce": question.nonce,
                    "client_id": provider.client_id,
                    "access_token": token["access_token"],
                },
            )
            claims.validate(now=int(now.timestamp()), leeway=LEEWAY_S)
            issued = datetime.fromtimestamp(float(claims["iat"]), UTC)
        except (JoseError, ValueError, TypeError, KeyError, OverflowError) as error:
            raise _not_believed(f"{type(error).__name__} {getattr(error, 'claim', '')}".strip()) from None
        if now - issued > OLDEST_TOKEN:
            raise _not_believed("too_old")
        if not isinstance(claims["sub"], str) or not claims["sub"]:
            raise _not_believed("no_sub")
        return dict(claims)

    def _verified(self, id_token: str) -> jwt.Token:
        """The token with its signature checked; for a key not known yet the provider's keys are asked for once more."""
        try:
            return jwt.decode(id_token, self._key_set(), algorithms=list(ALGORITHMS))
        except (JoseError, ValueError):
            with self._lock:
                stale = self._keys is not None and time.monotonic() - self._keys[0] > _KEYS_AGAIN_S
                if stale:
                    self._keys = None
            if not stale:
                raise
            return jwt.decode(id_token, self._key_set(), algorithms=list(ALGORITHMS))

    def _key_set(self) -> KeySet:
        with self._lock:
            kept = self._keys
        if kept is not None and time.monotonic() - kept[0] < _KNOWN_FOR_S:
            return kept[1]
        published = self._json(self._published()["jwks_uri"], {})
        listed = published.get("keys")
        keys = [key for key in listed if isinstance(key, dict)] if isinstance(listed, list) else []
        asymmetric = [key for key in keys if key.get("kty") in ("RSA", "EC", "OKP") and key.get("use", "sig") == "sig"]
        try:
            found = KeySet.import_key_set({"keys": asymmetric})
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise _away("keys", error) from None
        with self._lock:
            self._keys = time.monotonic(), found
        return found

    def _user_info(self, token: dict[str, Any], subject: str) -> dict[str, Any]:
        address = self._published().get("userinfo_endpoint")
        if address is None:
            return {}
        told = self._json(address, {"Authorization": f"Bearer {token['access_token']}"})
        if told.get("sub") != subject:
            raise _not_believed("other_sub")
        return told

    def _published(self) -> dict[str, Any]:
        with self._lock:
            kept = self._metadata
        if kept is not None and time.monotonic() - kept[0] < _KNOWN_FOR_S:
            return kept[1]
        told = self._json(f"{self.provider.issuer.rstrip('/')}/.well-known/openid-configuration", {})
        if told.get("issuer") != self.provider.issuer:
            raise _away("issuer", None)
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"):
            address = told.get(name)
            if address is None and name == "userinfo_endpoint":
                continue
            if not isinstance(address, str) or not encrypted(address):
                raise _away(name, None)
        if "S256" not in told.get("code_challenge_methods_supported", ["S256"]):
            raise _away("code_challenge_methods_supported", None)
        with self._lock:
            self._metadata = time.monotonic(), told
        return told

    def _json(self, address: str, headers: dict[str, str]) -> dict[str, Any]:
        try:
            with requests.Session() as session:
                session.trust_env = False
                reply = session.get(address, headers=headers, timeout=TIMEOUT_S, allow_redirects=False, stream=True)
                content = reply.raw.read(_LARGEST + 1, decode_content=True)
                if reply.status_code != 200 or len(content) > _LARGEST:
                    raise ValueError(f"status {reply.status_code}")
                told = json.loads(content)
        except (requests.RequestException, ValueError, OSError) as error:
            raise _away("asking", error) from None
        if not isinstance(told, dict):
            raise _away("asking", None)
        return told

    def _client(self) -> Any:
        client = OAuth2Session(
            self.provider.client_id,
            self.provider.secret,
            scope=self.provider.scope,
            redirect_uri=self.provider.return_address,
            token_endpoint_auth_method="client_secret_basic",  # noqa: S106 - the name of a method
            code_challenge_method="S256",
        )
        client.trust_env = False
        return client

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(timeout=TIMEOUT_S[0]):
            raise SignInBusy
        try:
            yield
        finally:
            self._turns.release()


def _not_elsewhere(reply: requests.Response) -> requests.Response:
    if 300 <= reply.status_code < 400:
        raise ValueError("sent elsewhere")
    return reply


def _vouched(claims: dict[str, Any], groups_claim: str) -> Vouched:
    groups = claims.get(groups_claim)
    listed = groups if isinstance(groups, list) else [groups]
    name = next((claims[key] for key in ("name", "preferred_username") if isinstance(claims.get(key), str)), "")
    proved = claims.get("auth_time")
    return Vouched(
        subject=claims["sub"],
        name=name,
        groups=tuple(group for group in listed if isinstance(group, str)),
        proved_at=datetime.fromtimestamp(float(proved), UTC) if isinstance(proved, int | float) else None,
    )


def _away(what: str, error: Exception | None) -> ProviderAway:
    log.warning("single_sign_on", away=what, kind=type(error).__name__)
    return ProviderAway()


def _not_believed(why: str) -> SignOnRefused:
    log.warning("single_sign_on", refused=why)
    return SignOnRefused("What the single sign-on sent back can't be trusted, so nobody was signed in. Start again.")
