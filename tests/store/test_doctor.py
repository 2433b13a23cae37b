"""`overlay doctor`: what is wrong is named with what to do, whatever else is wrong, and nothing is changed."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis

from markers.location import RawLocation
from markers.server import EmbeddedServer
from markers.store import SCHEMA
from markers.store_errors import StoreNewer
from overlay import doctor
from overlay.doctor import Finding, examine
from overlay.folders import proof_of
from overlay.lookup import Asked, check
from overlay.proof import Proof
from overlay.runlock import RunLock
from overlay.services import Services
from overlay.settings import Settings
from overlay.upkeep.proof_marker import PROVER
from tests.conftest import TRIES, Console, free_port, laid_out
from tests.faults.test_degraded import Server
from tests.store.test_snapshots import keeper

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    data = tmp_path / "data"
    shutil.copytree(laid_out(), data)
    return Settings(data=data, anchors=data / "anchors")


@pytest.fixture
def served(settings: Settings) -> Iterator[Services]:
    """The store of the folder runs."""
    services = Services.start(settings, follow=False)
    yield services
    services.close()


def found(settings: Settings, **how: bool) -> dict[str, Finding]:
    """The worst finding of each name."""
    order = {"ok": 0, "warning": 1, "failed": 2}
    told: dict[str, Finding] = {}
    for one in examine(settings, datetime.now(UTC), **how):
        if one.name not in told or order[one.state] > order[told[one.name].state]:
            told[one.name] = one
        assert one.state == "ok" or one.do or "could not be looked at" in one.words
        assert "\n" not in one.words
    return told


def states(settings: Settings, *names: str) -> list[str]:
    told = found(settings)
    return [told[name].state for name in names]


def test_a_console_that_serves_has_nothing_wrong(console: Console) -> None:
    done = console.run("doctor", "--json", check=False)
    told = {one["name"]: one for one in json.loads(done.stdout)}
    assert {name for name, one in told.items() if one["state"] == "failed"} == set()
    for name in ("versions", "configuration", "data folder", "keys", "gazetteer", "store server", "store", "accounts"):
        assert told[name]["state"] == "ok", told[name]
    assert told["proof of life"]["state"] == told["fence"]["state"] == told["sealer"]["state"] == "ok"
    assert done.returncode == 0
    page = console.run("doctor", check=False)
    assert "○ ok" in page.stdout
    assert "FAILED" not in page.stdout


def test_a_folder_without_a_running_console_says_how_to_start_it(settings: Settings) -> None:
    told = found(settings)
    assert told["store server"].state == told["proof of life"].state == "warning"
    assert "overlay run" in told["store server"].do
    assert not EmbeddedServer(settings.data / "store").alive(), "the doctor starts nothing"


def test_a_folder_that_is_not_there_and_one_that_is_empty(tmp_path: Path) -> None:
    nowhere = found(Settings(data=tmp_path / "nowhere"))
    assert nowhere["data folder"].state == "failed"
    assert not (tmp_path / "nowhere").exists()
    empty = found(Settings(data=tmp_path))
    assert empty["keys"].state == empty["gazetteer"].state == "warning"


def test_the_store_is_looked_at_record_by_record_when_asked(settings: Settings, served: Services) -> None:
    assert "sealed records" not in found(settings)
    assert found(settings, thorough=True)["sealed records"].state == "ok"
    raw = redis.Redis.from_url(served.store_url)
    key = f"wmo:{{{served.area.code}}}:records:markers"
    name, value = next(iter(raw.hgetall(key).items()))
    raw.hset(key, name, value[:-1] + bytes([value[-1] ^ 1]))
    raw.close()
    assert found(settings, thorough=True)["sealed records"].state == "failed"


def test_keys_that_are_open_missing_or_another_stores(settings: Settings, served: Services, tmp_path: Path) -> None:
    ring = settings.data / "keys" / "ring.json"
    assert states(settings, "keys", "store") == ["ok", "ok"]
    ring.chmod(0o644)
    assert "chmod 600" in found(settings)["keys"].words
    ring.rename(tmp_path / "ring.json")
    told = found(settings)
    assert told["keys"].state == "failed"
    assert "Restore keys/" in told["keys"].do
    other = Services.start(Settings(data=tmp_path / "other"), follow=False)
    other.close()
    shutil.copy(tmp_path / "other" / "keys" / "ring.json", ring)
    assert "sealed with another key ring" in found(settings)["store"].words


def test_a_signing_key_that_others_can_read(settings: Settings) -> None:
    key = next((settings.data / "keys").glob("ledger-*.key"))
    key.chmod(0o640)
    assert "chmod 600" in found(settings)["keys"].words
    key.unlink()
    assert found(settings)["keys"].state == "warning"


def test_a_folder_that_others_can_read_or_nobody_can_write(settings: Settings) -> None:
    (settings.data / "spool").chmod(0o755)
    assert "chmod 700" in found(settings)["data folder"].do


def test_a_frozen_store_is_named(settings: Settings, served: Services) -> None:
    pid = json.loads((settings.data / "store" / "server.json").read_text())["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        told = found(settings)
        assert told["store server"].state == "failed"
        assert "Frozen or loading" in told["store server"].do
        assert "store" not in told
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_log_that_lost_its_manifest(settings: Settings) -> None:
    (settings.data / "store" / "appendonlydir" / "appendonly.aof.manifest").unlink()
    told = found(settings)
    assert told["store server"].state == "failed"
    assert "overlay restore" in told["store server"].do


def test_a_damaged_log_names_the_repair_which_mends_it(settings: Settings) -> None:
    log = next((settings.data / "store" / "appendonlydir").glob("*.incr.aof"))
    whole = log.read_bytes()
    log.write_bytes(whole + b"\0" * 512)
    told = found(settings)["store server"]
    assert told.state == "failed"
    assert f"after byte {len(whole):,} of {len(whole) + 512:,}" in told.words
    assert "overlay store repair" in told.do
    log.write_bytes(b"rubbish" + whole)
    assert "after byte 0 of" in found(settings)["store server"].words


def test_a_store_behind_its_anchors(settings: Settings, served: Services) -> None:
    assert states(settings, "fence") == ["ok"]
    raw = redis.Redis.from_url(served.store_url)
    raw.hset(f"wmo:{{{served.area.code}}}:positions", ".ledger", "1")
    raw.close()
    told = found(settings)["fence"]
    assert told.state == "failed"
    assert "overlay ledger accept" in told.do


def test_a_store_of_a_newer_version_is_refused_and_named(settings: Settings, served: Services) -> None:
    raw = redis.Redis.from_url(served.store_url)
    positions = f"wmo:{{{served.area.code}}}:positions"
    assert raw.hget(positions, ".schema") in (None, b"%d" % SCHEMA)
    raw.hset(positions, ".schema", SCHEMA + 1)
    with pytest.raises(StoreNewer, match="start the newer version"):
        Services.start(settings, follow=False)
    with pytest.raises(StoreNewer):
        Services.start(settings, follow=False, from_snapshot=True)
    assert found(settings)["store"].state == "failed"
    raw.hdel(positions, ".schema")
    raw.close()
    assert found(settings)["store"].state == "ok"


def test_a_server_that_could_lose_records(settings: Settings, tmp_path: Path) -> None:
    server = Server(tmp_path / "server", free_port())
    away = settings.model_copy(update={"store_url": f"redis://127.0.0.1:{server.port}"})
    told = found(away)["store server"]
    assert (told.state, "does not answer" in told.words) == ("failed", True), told.words
    server.start()
    try:
        assert "store server" not in {name for name, one in found(away).items() if one.state == "failed"}
        server.ask("CONFIG", "SET", "appendfsync", "everysec")
        told = found(away)["store server"]
        assert (told.state, "appendfsync" in told.words) == ("failed", True), told.words
    finally:
        server.stop()


def test_looks_that_wait_and_a_damaged_spool(settings: Settings, served: Services) -> None:
    assert found(settings)["spool"].words == "no look waits for the store"
    (settings.data / "spool" / "1-00.kept").write_bytes(b"x")
    assert "damaged file kept" in found(settings)["spool"].words
    (settings.data / "spool" / "1-00.kept").unlink()
    pid = json.loads((settings.data / "store" / "server.json").read_text())["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        answer = check(served, PROVER, Asked(RawLocation(address=TRIES[0][0])), datetime.now(UTC))
        assert answer.status == "could_not_check"
        told = found(settings)["spool"]
        assert (told.state, told.words) == ("warning", "1 look waits for the store")
    finally:
        os.kill(pid, signal.SIGCONT)


def test_the_snapshot_says_how_old_it_is(settings: Settings, served: Services) -> None:
    def at(later: timedelta) -> Finding:
        return next(one for one in examine(settings, datetime.now(UTC) + later) if one.name == "snapshot")

    shutil.rmtree(settings.data / "snapshot", ignore_errors=True)
    assert (at(timedelta(0)).state, at(timedelta(0)).words) == ("warning", "there is no snapshot")
    keeper(served).step(datetime.now(UTC))
    fresh, hours, days = (at(timedelta(**later)) for later in ({"seconds": 0}, {"hours": 3}, {"days": 9}))
    assert (fresh.state, hours.state, days.state) == ("ok", "ok", "warning")
    assert re.fullmatch(r"\d s old", fresh.words)
    assert re.fullmatch(r"of \d\d \w+ \d\d:\d\d UTC", hours.words)
    assert "older than the" in days.words


@pytest.mark.parametrize(
    ("told", "state", "words"),
    [
        (0, "ok", "says that it is synchronised"),
        (5, "warning", "does not say that it is synchronised"),
        (-1, "warning", "can't be told here"),
    ],
)
def test_what_the_system_says_of_its_clock(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, told: int, state: str, words: str
) -> None:
    """TIME_OK, TIME_ERROR, and a call that the unit's filter does not let through (adjtimex(2))."""

    class System:
        def __init__(self, _: object) -> None: ...

        @staticmethod
        def ntp_gettime(_: object) -> int:
            return told

    monkeypatch.setattr(doctor.ctypes, "CDLL", System)
    clock = found(settings)["clock"]
    assert (clock.state, words in clock.words) == (state, True), clock.words


def test_a_console_that_runs_and_says_nothing_of_a_proof(settings: Settings) -> None:
    lock = RunLock(settings.data)
    assert found(settings)["proof of life"].words == "no console runs here"
    assert lock.take()
    try:
        told = found(settings)["proof of life"]
    finally:
        lock.release()
    assert (told.state, told.words) == ("failed", "nothing is written of it although a console runs")


def test_a_console_that_has_just_started(settings: Settings) -> None:
    proof_of(settings).begin(datetime.now(UTC))
    told = found(settings)["proof of life"]
    assert (told.state, told.words) == ("warning", "not proved since the console started")


@pytest.mark.parametrize(("proof", "state"), [("wrong", "failed"), ("failed", "failed"), ("proved", "ok")])
def test_the_proof_of_life(settings: Settings, proof: str, state: str) -> None:
    proof_of(settings).write(Proof(proof, "it was missed.", datetime.now(UTC)))
    assert found(settings)["proof of life"].state == state


def test_a_configuration_that_cannot_be_read_keeps_nothing_else_from_being_looked_at(
    settings: Settings, tmp_path: Path
) -> None:
    shutil.copytree(settings.config, tmp_path / "config")
    (tmp_path / "config" / "roles.toml").write_text("[")
    told = found(settings.model_copy(update={"config": tmp_path / "config"}))
    assert told["configuration"].state == "failed"
    assert "roles.toml" in told["configuration"].words
    assert told["disk"].state != "failed"


def test_a_fault_of_its_own_is_a_finding(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: object) -> Iterator[Finding]:
        raise RuntimeError("of our own\nmaking")
        yield

    monkeypatch.setattr(doctor, "_LOOKS", (("disk", fails), *doctor._LOOKS))
    (first, *others) = list(examine(settings, datetime.now(UTC)))
    assert (first.state, first.words) == ("failed", "could not be looked at (RuntimeError: of our own making)")
    assert others


def test_a_disk_that_fills(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.statvfs(settings.data)

    class Disk:
        f_bavail, f_frsize, f_favail, f_files = 10, 4096, real.f_favail, real.f_files

    monkeypatch.setattr(os, "statvfs", lambda _: Disk)
    assert found(settings)["disk"].state == "failed"
    Disk.f_bavail = (1 << 30) // 4096
    assert found(settings)["disk"].state == "warning"


def test_nobody_is_administrator(tmp_path: Path) -> None:
    services = Services.start(Settings(data=tmp_path / "data"), follow=False)
    try:
        told = found(services.settings)
        assert told["accounts"].state == "warning"
        assert "overlay users create" in told["accounts"].do
    finally:
        services.close()
