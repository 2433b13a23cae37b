"""A real OpenID provider for tests: canaille in a process of its own, with its people, groups and client in memory.

`python -m tests.canaille_provider PORT` reads its people from standard input as JSON and ends with it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import requests

from tests.conftest import REPOSITORY, free_port

CLIENT, SECRET = "overlay", "a secret of the client's own"
PASSWORD = "a password at the provider"


@dataclass(frozen=True)
class Canaille:
    """The running provider."""

    port: int

    @property
    def issuer(self) -> str:
        return f"http://localhost:{self.port}"


@contextmanager
def canaille(people: dict[str, list[str]], return_address: str) -> Iterator[Canaille]:
    """Serve until the block ends. `people` maps a user name to the groups they are in."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.canaille_provider", str(port)],
        stdin=subprocess.PIPE,
        cwd=REPOSITORY,
        text=True,
    )
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps({"people": people, "return_address": return_address}) + "\n")
        process.stdin.flush()
        running = Canaille(port)
        _wait(running, process)
        yield running
    finally:
        process.stdin.close()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(running: Canaille, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        assert process.poll() is None, "the provider ended"
        try:
            if requests.get(f"{running.issuer}/.well-known/openid-configuration", timeout=1).status_code == 200:
                return
        except requests.RequestException:
            time.sleep(0.1)
    raise AssertionError("the provider did not start")


def _serve(port: int, wanted: dict[str, Any]) -> None:
    from canaille import create_app
    from canaille.app import models
    from canaille.backends import Backend
    from canaille.backends.memory.backend import MemoryBackend, listify
    from joserfc.jwk import RSAKey
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log(self, *_: object) -> None:
            """Nothing: tests are quiet."""

    any_of = MemoryBackend.do_query

    def all_of(backend: MemoryBackend, model: Any, *_: object, **wanted: Any) -> list[Any]:
        """What has every attribute asked for. The backend gives what has any: some other code of the same client."""
        return [
            found
            for found in any_of(backend, model, **wanted)
            if all(
                value in listify(getattr(found, name)) for name, values in wanted.items() for value in listify(values)
            )
        ]

    MemoryBackend.do_query = all_of
    app = create_app(
        {
            "SECRET_KEY": "a secret of the provider's own",
            "SERVER_NAME": f"localhost:{port}",
            "PREFERRED_URL_SCHEME": "http",
            "TESTING": True,
            "CANAILLE_OIDC": {"ACTIVE_JWKS": [RSAKey.generate_key(2048).as_dict(private=True)]},
            "CANAILLE": {"LOGGING": {"version": 1, "root": {"level": "CRITICAL"}}},
        }
    )
    with app.app_context():
        backend = Backend.instance
        members: dict[str, list[Any]] = {}
        for name, groups in wanted["people"].items():
            user = models.User(
                user_name=name,
                formatted_name=f"{name.title()} Quill",
                family_name="Quill",
                emails=[f"{name}@example.invalid"],
                password=PASSWORD,
            )
            backend.save(user)
            for group in groups:
                members.setdefault(group, []).append(user)
        for group, users in members.items():
            backend.save(models.Group(display_name=group, members=users))
        client = models.Client(
            client_id=CLIENT,
            client_secret=SECRET,
            client_name="Overlay",
            client_uri="http://localhost",
            redirect_uris=[wanted["return_address"]],
            grant_types=["authorization_code"],
            response_types=["code"],
            scope=["openid", "profile", "groups"],
            token_endpoint_auth_method="client_secret_basic",
            client_id_issued_at=datetime.now(UTC),
        )
        backend.save(client)
        client.audience = [client]
        backend.save(client)
    server = make_server("localhost", port, app, threaded=True, request_handler=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()  # until whoever started it closes the pipe
    server.shutdown()


if __name__ == "__main__":
    _serve(int(sys.argv[1]), json.loads(sys.stdin.readline()))
