"""A real embedded server for each test that asks for one; it starts in about 50 ms."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from markers.server import EmbeddedServer


@pytest.fixture
def store_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that does not exist yet, on a path short enough for a socket."""
    return tmp_path_factory.mktemp("s") / "store"


@pytest.fixture
def server(store_folder: Path) -> Iterator[EmbeddedServer]:
    """A started server of `store_folder`, stopped after the test."""
    server = EmbeddedServer(store_folder)
    server.ensure()
    yield server
    server.stop(kill=True)


@pytest.fixture
def store_url(server: EmbeddedServer) -> str:
    """The redis-py URL of `server`."""
    return server.ensure()
