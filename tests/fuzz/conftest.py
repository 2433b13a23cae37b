"""A console that is asked nonsense, and what must hold of every answer.

`make test` asks a slice; `make fuzz` asks FUZZ_REQUESTS. FUZZ_SEED repeats a run.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from overlay.identity import create_token
from overlay.roles import ROLES
from overlay.services import running
from overlay.settings import Settings
from tests.conftest import Console, free_port

REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "400"))
SEED = int(os.environ.get("FUZZ_SEED") or random.SystemRandom().randrange(2**32))
CANARY = f"zq{SEED:08x}canary"


@dataclass
class Fuzzed:
    """The console, a credential for every role, and what it has answered so far."""

    console: Console
    tokens: dict[str, str]
    statuses: Counter[int] = field(default_factory=Counter)

    def answered(self, status: int, headers: Any, body: str, what: object) -> None:
        """Count one answer and hold it to what all must hold."""
        self.statuses[status] += 1
        assert status < 500, f"seed {SEED}: {what}\n{body[:2000]}"
        handed = {name: value for name, value in dict(headers).items() if name.lower() != "set-cookie"}
        assert CANARY not in str(handed).lower(), f"seed {SEED}: sent back in a header: {what}"
        kind = dict(headers).get("Content-Type", dict(headers).get("content-type", ""))
        if kind == "application/problem+json" or status in (400, 403, 404, 405, 413, 415, 429):
            assert CANARY not in body.lower(), f"seed {SEED}: sent back in a refusal: {what}\n{body[:2000]}"


def _known(console: Console, token: str) -> None:
    """Wait until every worker has heard of the tokens: a new one is nobody's for up to a second."""
    until, heard = time.monotonic() + 10, 0
    while heard < 8 and time.monotonic() < until:
        headers = {"Authorization": f"Bearer {token}", "Connection": "close"}
        reply = requests.get(f"{console.url}/api/v1/openapi.json", headers=headers, timeout=10)
        heard = heard + 1 if reply.status_code == 200 else 0
        time.sleep(0.05)


@pytest.fixture(scope="package")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    """Started once; when all has been asked, its logs, figures and files are searched."""
    console = Console(tmp_path_factory.mktemp("fuzz") / "data", free_port())
    console.start()
    with running(Settings.read(console.environment())) as beside:
        tokens = {role: create_token(beside.store, beside.access, role, role, beside.now(), 1) for role in ROLES}
    _known(console, tokens["administrator"])
    asked = Fuzzed(console, tokens)
    yield asked
    print(f"\nseed {SEED}: {asked.statuses.total():,} requests, by status {dict(sorted(asked.statuses.items()))}")  # noqa: T201
    headers = {"Authorization": f"Bearer {asked.tokens['administrator']}"}
    figures = requests.get(f"{console.url}/metrics", headers=headers, timeout=10).text
    console.stop()
    faults = [line for line in figures.splitlines() if 'status="5' in line]
    assert not faults, f"seed {SEED}: {faults}"
    assert CANARY not in figures.lower()
    log = console.log()
    assert '"fault"' not in log, f"seed {SEED}"
    assert "Traceback" not in log, f"seed {SEED}"
    assert CANARY not in log.lower(), f"seed {SEED}: sent words are in the log"
    for path in console.data.rglob("*"):
        if path.is_file():
            assert CANARY.encode() not in path.read_bytes().lower(), f"seed {SEED}: readable at rest in {path}"
