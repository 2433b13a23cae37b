"""A provider that says whatever a test wants: what a real one can't be made to do. Its keys are made anew each time."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey


@dataclass
class Rogue:
    """The running provider: change what it publishes and what it answers a code with."""

    issuer: str
    key: RSAKey
    metadata: dict[str, Any]
    keys: dict[str, Any]
    id_token: str = ""
    user_info: dict[str, Any] = field(default_factory=dict)
    redirect_to: dict[str, str] = field(default_factory=dict)
    silent: bool = False
    asked: list[str] = field(default_factory=list)

    def sign(self, claims: dict[str, Any], header: dict[str, Any] | None = None, key: Any = None) -> str:
        """An id token; by its own key and RS256 unless told otherwise."""
        header = header or {"alg": "RS256", "kid": self.key.kid}
        return jwt.encode(header, claims, key or self.key, algorithms=["RS256", "HS256"])

    def signed_with_the_public_key(self, claims: dict[str, Any]) -> str:
        """The classic confusion: HMAC under the text of the key everybody knows."""
        signed = f"{_part({'alg': 'HS256', 'kid': self.key.kid})}.{_part(claims)}"
        mac = hmac.new(self.key.as_pem(private=False), signed.encode(), hashlib.sha256).digest()
        return f"{signed}.{_base64(mac)}"

    def unsigned(self, claims: dict[str, Any]) -> str:
        """`alg` none."""
        return f"{_part({'alg': 'none', 'kid': self.key.kid})}.{_part(claims)}."


def _part(content: dict[str, Any]) -> str:
    return _base64(json.dumps(content).encode())


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


@contextmanager
def rogue() -> Iterator[Rogue]:
    """Serve until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(
                {"/.well-known/openid-configuration": known.metadata, "/jwks": known.keys, "/me": known.user_info}
            )

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._answer({"/token": {"access_token": "a", "token_type": "Bearer", "id_token": known.id_token}})

        def _answer(self, pages: dict[str, dict[str, Any]]) -> None:
            known.asked.append(self.path)
            if known.silent:
                time.sleep(5)
            elsewhere = known.redirect_to.get(self.path)
            content = json.dumps(pages.get(self.path, {})).encode()
            self.send_response(302 if elsewhere else 200 if self.path in pages else 404)
            if elsewhere:
                self.send_header("Location", elsewhere)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Nothing: tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer = f"http://127.0.0.1:{server.server_address[1]}"
    key = RSAKey.generate_key(2048, {"kid": "one"})
    known = Rogue(
        issuer=issuer,
        key=key,
        metadata={
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/jwks",
            "userinfo_endpoint": f"{issuer}/me",
        },
        keys={"keys": [key.as_dict(private=False)]},
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield known
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
