"""`overlay bench check`: the whole check and its parts, beside the floors it can't go below.

Floors, measured in the same run on the same store and server: a PING, one durable XADD of a ledger entry's size
through the plain client, and an HTTP route that does nothing.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import redis

from markers.gazetteer import Gazetteer
from markers.ledger import Via
from markers.location import RawLocation, read_location
from markers.matching import match
from overlay.bench import town
from overlay.bench.timing import Timing, time_callers, time_in_turn
from overlay.folders import data_folders
from overlay.identity import create_token
from overlay.lookup import Asked, check
from overlay.roles import Actor
from overlay.services import Services, spare_pauses
from overlay.settings import Settings
from overlay.upkeep.lists import import_markers, plan_import

_ACTOR = Actor("os:bench", "bench", "service", Via.CLI)


@dataclass(frozen=True, slots=True)
class Report:
    """Timings by name in the order measured, and the ratios worth quoting: name, value, aim."""

    timings: dict[str, Timing]
    ratios: tuple[tuple[str, float, float], ...]


def bench_check(settings: Settings, homes: int, markers: int, rounds: int, say: Callable[[str], None]) -> Report:
    """Lay out an invented town in a temporary folder, measure, and remove it again."""
    with tempfile.TemporaryDirectory(prefix="overlay-bench-") as folder:
        own = settings.model_copy(update={"data": Path(folder) / "data", "store_url": None, "port": free_port()})
        data_folders(own.data)
        services = Services.start(own, follow=False)
        try:
            say(f"Laying out {homes:,} homes and {markers:,} markers ...")
            laid_out = lay_out(services, homes, markers)
            spare_pauses()
            bearer = create_token(services.store, services.access, "bench", "service", services.now(), 1)
            timings = _in_process(services, laid_out, rounds, say)
            with served(own):
                timings |= _over_http(own, laid_out, bearer, rounds, say)
        finally:
            services.close()
    return Report(timings, _ratios(timings))


def lay_out(services: Services, homes: int, markers: int) -> town.Town:
    """The invented town, its gazetteer and its markers, loaded into a data folder."""
    laid_out = town.build(homes, markers, 2_000, dict(services.categories))
    services.gazetteer = Gazetteer.load(services.settings.data / "gazetteer", laid_out.homes)
    import_markers(services, _ACTOR, plan_import(services, laid_out.markers), services.now())
    return laid_out


def _in_process(services: Services, laid_out: town.Town, rounds: int, say: Callable[[str], None]) -> dict[str, Timing]:
    queries = laid_out.queries
    now = datetime.now(UTC)
    checked = check(services, _ACTOR, Asked(RawLocation(address=queries[0]), "BENCH-1"), now)
    entry = next(record.entry for record in services.store.ledger() if checked.ledger_entry.encode() in record.entry)
    plain = redis.Redis.from_url(services.store_url)
    payload = os.urandom(len(entry) + 34)

    def match_alone(number: int) -> object:
        where = read_location(RawLocation(address=queries[number % len(queries)]))
        return match(where, services.index, services.gazetteer, services.categories, services.area.distances, now)

    def whole_check(number: int) -> object:
        asked = Asked(RawLocation(address=queries[number % len(queries)]), f"BENCH-{number}")
        return check(services, _ACTOR, asked, datetime.now(UTC))

    say("Measuring in process ...")
    timings = time_in_turn(
        {
            "PING": lambda _: plain.ping(),
            "fsynced XADD": lambda _: plain.xadd("bench", {"e": payload}),
            "match alone": match_alone,
            "durable check in process": whole_check,
        },
        rounds,
    )
    plain.close()
    return timings


def _over_http(
    settings: Settings, laid_out: town.Town, bearer: str, rounds: int, say: Callable[[str], None]
) -> dict[str, Timing]:
    headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"}
    bodies = [json.dumps({"location": {"address": text}}).encode() for text in laid_out.queries]

    def empty_route() -> Callable[[int], object]:
        line = http.client.HTTPConnection(settings.host, settings.port, timeout=10)
        return lambda _: ask(line, "GET", "/healthz", None, {})

    def http_check() -> Callable[[int], object]:
        line = http.client.HTTPConnection(settings.host, settings.port, timeout=10)
        return lambda number: ask(line, "POST", "/api/v1/checks", bodies[number % len(bodies)], headers)

    say("Measuring over HTTP, 1 connection ...")
    timings = time_in_turn(
        {"empty HTTP route, 1 connection": empty_route(), "check over HTTP, 1 connection": http_check()}, rounds
    )
    say("Measuring over HTTP, 16 connections ...")
    timings["empty HTTP route, 16 connections"] = time_callers(empty_route, 16, rounds)
    timings["check over HTTP, 16 connections"] = time_callers(http_check, 16, rounds)
    return timings


def ask(line: http.client.HTTPConnection, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> None:
    line.request(method, path, body, headers)
    reply = line.getresponse()
    content = reply.read()
    if reply.status != 200:
        raise RuntimeError(f"{method} {path} answered {reply.status}: {content[:200]!r}")


@contextmanager
def served(settings: Settings, wait_s: float = 60.0) -> Iterator[None]:
    """The real server, as `overlay run` starts it, on the same folder; so many seconds for it to become ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "overlay", "run"],
        env={**os.environ, **settings.environment()},
        stdout=subprocess.DEVNULL,
    )
    try:
        _wait_ready(settings, process, wait_s)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_ready(settings: Settings, process: subprocess.Popen[bytes], wait_s: float) -> None:
    until = time.monotonic() + wait_s
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://{settings.host}:{settings.port}/readyz", timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError("the server did not become ready")


def _ratios(timings: dict[str, Timing]) -> tuple[tuple[str, float, float], ...]:
    xadd, matched = timings["fsynced XADD"].p50, timings["match alone"].p50
    whole = timings["durable check in process"].p50
    empty, over_http = timings["empty HTTP route, 1 connection"].p50, timings["check over HTTP, 1 connection"].p50
    return (
        ("durable check less its match / fsynced XADD", (whole - matched) / xadd, 1.5),
        ("durable check in process, ms", whole, 1.5),
        ("check over HTTP / (empty route + fsynced XADD + match)", over_http / (empty + xadd + matched), 2.0),
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
