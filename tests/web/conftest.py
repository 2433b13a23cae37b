"""People and programs asking a real console over HTTP."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
import requests
from flask import Flask

from overlay.app import create_app
from overlay.services import Services
from overlay.settings import Settings
from tests.conftest import Console

TIMEOUT_S = 10


@dataclass
class Visitor:
    """One browser: cookies, and the form token of the page it last saw."""

    base: str
    session: requests.Session = field(default_factory=requests.Session)
    form_token: str = ""

    def get(self, path: str, **options: object) -> requests.Response:
        reply = self.session.get(self.base + path, allow_redirects=False, timeout=TIMEOUT_S, **options)  # type: ignore[arg-type]
        self._remember(reply)
        return reply

    def post(self, path: str, fields: dict[str, str], **options: object) -> requests.Response:
        data = {"csrf_token": self.form_token, **fields}
        reply = self.session.post(self.base + path, data=data, allow_redirects=False, timeout=TIMEOUT_S, **options)  # type: ignore[arg-type]
        self._remember(reply)
        return reply

    def sign_in(self, username: str, password: str) -> requests.Response:
        self.get("/sign-in")
        return self.post("/sign-in", {"username": username, "password": password})

    def _remember(self, reply: requests.Response) -> None:
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', reply.text)
        if found:
            self.form_token = found[1]


@pytest.fixture
def visitor(console: Console) -> Visitor:
    """Somebody who has not signed in."""
    return Visitor(console.url)


@pytest.fixture(scope="session")
def signed_in(console: Console) -> Callable[[str], Visitor]:
    """A browser signed in under a role, one a role for the whole run."""
    known: dict[str, Visitor] = {}

    def of(role: str) -> Visitor:
        if role not in known:
            visitor = Visitor(console.url)
            reply = visitor.sign_in(*console.accounts[role])
            assert reply.status_code == 303, reply.text
            visitor.get("/")
            known[role] = visitor
        return known[role]

    return of


@pytest.fixture(scope="session")
def bearer(console: Console) -> Callable[[str], dict[str, str]]:
    """The header of a program's token under a role, one a role for the whole run."""
    known: dict[str, str] = {}

    def of(role: str) -> dict[str, str]:
        if role not in known:
            known[role] = console.token(role)
        return {"Authorization": f"Bearer {known[role]}"}

    return of


@pytest.fixture(scope="session")
def services(console: Console) -> Iterator[Services]:
    """The console's own store and keys, from another process."""
    beside = Services.start(Settings.read(console.environment()))
    yield beside
    beside.close()


@pytest.fixture(scope="session")
def app(services: Services) -> Flask:
    """The application the console serves, to read its route map from."""
    return create_app(services)
