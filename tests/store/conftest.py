"""A real embedded server for each test that asks for one; it starts in about 50 ms."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from markers.gazetteer import Gazetteer
from markers.server import EmbeddedServer
from markers.store import Store
from markers.vault import KeyRing, Vault
from overlay import identity
from overlay.identity import passwords
from overlay.services import Services
from overlay.settings import Settings
from tests.store.desk import NOW, PASSWORD, Desk
from tests.store.room import Room
from tests.unit.test_matching import HOMES


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


@pytest.fixture(scope="session")
def desk_url() -> Iterator[str]:
    """One server for all tests of signing in; each has an area of its own."""
    with tempfile.TemporaryDirectory(prefix="wmo-") as folder:  # a short path: unix sockets take about 100 characters
        server = EmbeddedServer(Path(folder))
        try:
            yield server.ensure()
        finally:
            server.stop()


_areas = iter(range(10_000))


@pytest.fixture
def desk(desk_url: str, tmp_path: Path) -> Iterator[Desk]:
    area = f"t{next(_areas)}"
    vault = Vault(KeyRing.create(tmp_path / "keys"), area)
    store = Store(desk_url, area, vault, timeout_s=2)
    yield Desk(store, vault, identity.AccessBook(), identity.Counters(desk_url, area, timeout_s=2))
    store.close()


@pytest.fixture
def ada(desk: Desk) -> identity.Account:
    return identity.create_account(desk.store, desk.access, "ada", "Ada Quill", "call_handler", PASSWORD, NOW)


@pytest.fixture
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes that cost nothing, where it is not hashes that are tried."""
    quick = passwords.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", quick)
    monkeypatch.setattr(passwords, "NOBODYS_HASH", quick.hash("nobody's"))


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """A control room on a store of its own, with the homes of tests/unit/test_matching.py and nothing marked."""
    services = Services.start(Settings(data=tmp_path / "data"), follow=False)
    services.gazetteer = Gazetteer.load(tmp_path / "data" / "gazetteer", HOMES)
    yield Room(services)
    services.close()
