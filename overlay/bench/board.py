"""`overlay bench board`: the board with thousands of open incidents, at the server."""

from __future__ import annotations

import re
import secrets
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from flask.testing import FlaskClient

from markers.commits import Commit, Write
from markers.ledger import Via
from markers.location import RawLocation
from overlay import identity
from overlay.bench.check import Report, lay_out
from overlay.bench.timing import Timing, time_in_turn
from overlay.folders import data_folders
from overlay.incidents import entries as e
from overlay.incidents.book import COLLECTION
from overlay.incidents.model import Incident, incident_of
from overlay.roles import Actor
from overlay.room import opening, units
from overlay.services import Services
from overlay.settings import Settings

_ACTOR = Actor("os:bench", "bench", "service", Via.CLI)
_AT_ONCE = 500
_AIM_MS = 150.0
BOARD, CHECKED = "first page of the board", "page of checks (no incident)"


def bench_board(settings: Settings, incidents: int, rounds: int, say: Callable[[str], None]) -> Report:
    """Open incidents in a temporary folder, then ask for the board's first page, one change between every two."""
    with tempfile.TemporaryDirectory(prefix="overlay-bench-") as folder:
        own = settings.model_copy(
            update={"data": Path(folder) / "data", "store_url": None, "requests_per_minute": 1_000_000}
        )
        data_folders(own.data)
        services = Services.start(own, follow=False)
        try:
            say(f"Laying out 2,000 homes, 500 markers and {incidents:,} open incidents ...")
            addresses = lay_out(services, 2_000, 500).queries
            kept = list(open_incidents(services, addresses, incidents))
            began = time.perf_counter()
            services.incidents.replace(services.store.load(COLLECTION))
            loaded = time.perf_counter() - began
            began = time.perf_counter()
            services.prepare_board(services.now())
            prepared = time.perf_counter() - began
            client = _signed_in(services)
            began = time.perf_counter()
            _get(client, "/board")
            cold = time.perf_counter() - began

            changes = count()

            def board(_: int) -> None:
                _get(client, "/board")

            def change(_: int) -> None:
                number = next(changes)
                units.add_unit(services, _ACTOR, kept[number % len(kept)], f"Q{number}", datetime.now(UTC))

            say("Measuring ...")
            timings = time_in_turn({"one change": change, BOARD: board, CHECKED: lambda _: _get(client, "/")}, rounds)
        finally:
            services.close()
    timings["loading all of them"] = Timing(loaded * 1000, loaded * 1000, loaded * 1000, incidents / loaded)
    timings["working out how all of them stand"] = Timing(
        prepared * 1000, prepared * 1000, prepared * 1000, incidents / prepared
    )
    timings["first page after a start"] = Timing(cold * 1000, cold * 1000, cold * 1000, 1 / cold)
    return Report(
        timings,
        (
            ("p50 of the first page, ms", timings[BOARD].p50, _AIM_MS),
            ("p99 of the first page, ms", timings[BOARD].p99, _AIM_MS),
            ("first page after a start, ms", timings["first page after a start"].p50, _AIM_MS),
        ),
    )


def open_incidents(services: Services, addresses: tuple[str, ...], wanted: int) -> Iterator[str]:
    """A few incidents opened as people do, and their like in bulk: other ids, references and times."""
    now = datetime.now(UTC)
    types = [code for code, _ in services.incident_types]
    samples = [
        opening.open_incident(
            services,
            _ACTOR,
            opening.Opening(f"S-{number}", RawLocation(address=addresses[number]), types[number % len(types)]),
            now,
        )[0]
        for number in range(min(40, wanted))
    ]
    yield from (sample.incident_id for sample in samples)
    writes: list[Write] = []
    for number in range(len(samples), wanted):
        like = _like(samples[number % len(samples)], number, timedelta(seconds=number % 7_200))
        token = services.vault.token("reference", like.reference.casefold())
        writes.append(Write(COLLECTION, like.incident_id, 0, like.as_plain(), (token,)))
        yield like.incident_id
        if len(writes) == _AT_ONCE or number == wanted - 1:
            services.store.commit(Commit(str(uuid.uuid4()), {}, tuple(writes)))
            writes = []


def _like(sample: Incident, number: int, earlier: timedelta) -> Incident:
    log: list[e.Entry] = []
    for entry in sample.log:
        own = {name: getattr(entry, name) for name in type(entry).__dataclass_fields__}
        own["at"] = entry.at - earlier
        if isinstance(entry, e.Opened):
            own["reference"] = f"B-{number}"
        if isinstance(entry, e.RunOpened):
            own["run_id"] = secrets.token_hex(8)
        log.append(type(entry)(**own))
    return incident_of(secrets.token_hex(16), 1, tuple(log))


def _signed_in(services: Services) -> FlaskClient:
    from overlay.app import create_app  # its counters take to the environment they are first imported in

    password = secrets.token_urlsafe(24)
    identity.create_account(
        services.store, services.access, "bench", "A. Bench", "dispatcher", password, datetime.now(UTC)
    )
    client = create_app(services).test_client()
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/sign-in").text)
    assert token is not None  # noqa: S101 - the sign-in page has a form
    client.post("/sign-in", data={"csrf_token": token[1], "username": "bench", "password": password})
    return client


def _get(client: FlaskClient, path: str) -> None:
    reply = client.get(path)
    if reply.status_code != 200:
        raise RuntimeError(f"{path} was answered {reply.status_code}")
