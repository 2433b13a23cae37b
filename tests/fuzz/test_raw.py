"""Bytes on a socket that only look like HTTP: methods, paths, headers, cookies, forms and encodings at random."""

from __future__ import annotations

import gzip
import http.client
import json
import random
import socket
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import quote, urlencode

import pytest

from tests.fuzz.conftest import CANARY, REQUESTS, SEED, Fuzzed
from tests.fuzz.test_description import SHARE
from tests.web.conftest import Visitor

METHODS = ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "PROPFIND", "get", "X" * 40)
PATHS = (
    "/", "/check", "/sign-in", "/sign-out", "/healthz", "/readyz", "/metrics", "/api/v1/checks",
    "/api/v1/openapi.json", "/static/console.js", "/static/../app.py", "//", "/%00", "/%2e%2e/", "/\xff", "*",
)  # fmt: skip
TYPES = (
    "application/x-www-form-urlencoded", "application/json", "multipart/form-data; boundary=x", "text/plain",
    "application/json; charset=utf-16", "application/x-www-form-urlencoded; charset=\xff", "multipart/form-data", "/",
)  # fmt: skip
FIELDS = ("location", "incident", "incident_type", "caller", "username", "password", "csrf_token", "next", "")
HEADERS = (
    "Host", "Cookie", "Authorization", "Origin", "Referer", "Sec-Fetch-Site", "HX-Request", "X-CSRFToken", "Range",
    "X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "Accept", "Accept-Encoding", "If-None-Match", "Expect",
    "If-Modified-Since", "Content-Encoding", "Connection", "Upgrade", "X-HTTP-Method-Override", "Content-Range", "TE",
)  # fmt: skip
ODD = ("", "\x00", "\xff\xfe", "\u202e", "ﬀ", "😀", "'\"><script>", "%s%n", "../" * 9, "{{7*7}}", "9" * 400, "\ud800")


class Fuzzer:
    """One seeded stream of requests. `sessions` are cookies of people signed in, with their form tokens."""

    def __init__(self, number: int, fuzzed: Fuzzed, sessions: list[tuple[str, str]]) -> None:
        self.chance = random.Random(f"{SEED}-{number}")
        self.fuzzed, self.sessions = fuzzed, sessions
        self.wild = self.chance.random() < 0.2  # then it need not even be HTTP

    def text(self) -> str:
        pieces: tuple[Callable[[], str], ...] = (
            lambda: CANARY,
            lambda: self.chance.choice(ODD),
            lambda: self.chance.choice(self.fuzzed.console.tries)[0],
            lambda: "".join(chr(self.chance.randrange(1, 0x2000)) for _ in range(self.chance.randrange(12))),
        )
        return " ".join(self.chance.choice(pieces)() for _ in range(self.chance.randrange(1, 4)))

    def line(self) -> str:
        text = self.text().replace("\r", "").replace("\n", "")
        return text if self.wild else "".join(letter for letter in text if " " <= letter < "\x7f")

    def fields(self) -> dict[str, str]:
        return {self.chance.choice(FIELDS): self.text() for _ in range(self.chance.randrange(6))}

    def body(self, form_token: str) -> bytes:
        fields = self.fields() | ({"csrf_token": form_token} if self.chance.random() < 0.8 else {})
        form = urlencode(fields, errors="surrogatepass").encode()
        parts = "".join(
            f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
        )
        shapes: tuple[Callable[[], bytes], ...] = (
            lambda: form,
            lambda: form,
            lambda: f"{parts}--x--\r\n".encode("utf-8", "surrogatepass"),
            lambda: parts.encode("utf-8", "surrogatepass"),
            lambda: json.dumps({"location": {"address": self.text()}}).encode(),
            lambda: json.dumps({"location": fields}, ensure_ascii=False).encode("utf-8", "surrogatepass"),
            lambda: b"[" * self.chance.choice((1, 9, 30_000)),
            lambda: gzip.compress(form),
            lambda: self.chance.randbytes(self.chance.randrange(400)),
            lambda: b"a=" + CANARY.encode() * self.chance.choice((1, 4000)),
            lambda: b"",
        )
        return self.chance.choice(shapes)()

    def request(self) -> bytes:
        cookie, form_token = self.chance.choice(self.sessions)
        method = self.chance.choice(METHODS if self.wild else METHODS[:8] + METHODS[:2] * 8)
        path = self.chance.choice(PATHS if self.wild else PATHS[:14])
        if self.chance.random() < 0.3:
            path += "?" + quote(self.text(), safe="=&%", errors="surrogatepass")
        body = self.body(form_token)
        kind = self.chance.choice(TYPES if self.wild else TYPES[:5] + TYPES[:1] * 5)
        headers = [("Host", "127.0.0.1"), ("Content-Type", kind)]
        if self.chance.random() < 0.7:
            headers.append(("Cookie", cookie))
        if self.chance.random() < 0.5:
            headers.append(("Authorization", f"Bearer {self.chance.choice(list(self.fuzzed.tokens.values()))}"))
        headers += [(self.chance.choice((*HEADERS, CANARY)), self.line()) for _ in range(self.chance.randrange(4))]
        if self.chance.random() < 0.15:
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
            headers.append(("Transfer-Encoding", "chunked"))
        else:
            shift = self.chance.choice((0, -1, 1)) if self.wild else 0
            headers.append(("Content-Length", str(max(0, len(body) + shift))))
        self.chance.shuffle(headers)
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "Connection: close"]
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogatepass") + body


def answer_to(port: int, sent: bytes, *, cut_short: bool) -> tuple[int, list[tuple[str, str]], str] | None:
    """Status, headers and body; None when the server closed the line on what was no HTTP."""
    with socket.create_connection(("127.0.0.1", port), 20) as line:
        try:
            line.sendall(sent)
            if cut_short:
                with suppress(OSError):  # the server may have closed it first
                    line.shutdown(socket.SHUT_WR)
            reply = http.client.HTTPResponse(line, method=sent.split(b" ", 1)[0].decode("latin-1"))
            reply.begin()
            return reply.status, reply.getheaders(), reply.read().decode("utf-8", "replace")
        except (ConnectionError, http.client.HTTPException):
            return None


@pytest.mark.timeout(0)
def test_whatever_comes_in_is_answered_or_refused(fuzzed: Fuzzed) -> None:
    sessions = [("", "")]
    for role in ("call_handler", "ppu_supervisor", "auditor", "administrator"):
        visitor = Visitor(fuzzed.console.url)
        assert visitor.sign_in(*fuzzed.console.accounts[role]).status_code == 303
        visitor.get("/")
        cookies = "; ".join(f"{name}={value}" for name, value in visitor.session.cookies.items())
        sessions.append((cookies, visitor.form_token))
    answered = 0
    count = round(REQUESTS * (1 - SHARE))
    for number in range(count):
        fuzzer = Fuzzer(number, fuzzed, sessions)
        sent = fuzzer.request()
        found = answer_to(fuzzed.console.port, sent, cut_short=fuzzer.wild)
        if found is not None:
            answered += 1
            fuzzed.answered(*found, f"request {number}: {sent[:3000]!r}")
    assert answered > count / 2, "most of it was HTTP"
