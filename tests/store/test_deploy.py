"""What config/deploy ships beside the store's own files (tests/faults starts those): units, proxy, and its README."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.conftest import REPOSITORY, Console, free_port
from tests.web.test_tls import certificate

DEPLOY = REPOSITORY / "config" / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The units with the programs of this machine in them."""
    folder = tmp_path_factory.mktemp("units")
    for unit in UNITS:
        text = unit.read_text("utf-8").replace("/opt/overlay/.venv/bin/", f"{Path(sys.executable).parent}/")
        (folder / unit.name).write_text(text.replace("ProtectHome=yes\n", ""), "utf-8")
    return sorted(folder.iterdir())


CI = os.environ.get("CI") == "true"  # there what is missing fails
needs_systemd = pytest.mark.skipif(not CI and shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
needs_nginx = pytest.mark.skipif(not CI and shutil.which("nginx") is None, reason="no nginx here")


@needs_systemd
def test_systemd_understands_every_word_of_the_units(units: list[Path]) -> None:
    command = ["systemd-analyze", "verify", *map(str, units)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60)
    said = [line for line in found.stderr.splitlines() if ".service:" in line and "overlay" in line]
    assert (found.returncode, said) == (0, []), found.stderr


@needs_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_leaves_little_open(unit: Path) -> None:
    """At most 2.0 of 10 on systemd's own scale."""
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(unit)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_starts_what_is_there(unit: Path) -> None:
    """Each names a module of ours, and a file that lies beside it."""
    command = re.search(r"^ExecStart=(.*)$", unit.read_text("utf-8"), re.M)
    assert command is not None
    words = command[1].split()
    if words[0].endswith("/python"):
        assert words[1:3] == ["-m", "markers.store_node"]
        assert (DEPLOY / Path(words[4]).name).exists()
    else:
        assert words == ["/opt/overlay/.venv/bin/overlay", "run"]


def test_the_readme_names_every_file() -> None:
    text = (DEPLOY / "README.md").read_text("utf-8")
    for path in DEPLOY.rglob("*"):
        if path.is_file() and path.name != "README.md":
            assert f"`{path.relative_to(DEPLOY)}`" in text, path.name


@pytest.fixture
def proxied(tmp_path: Path) -> Iterator[tuple[Console, str]]:
    """A console that believes its proxy, and the shipped proxy in front of it."""
    console = Console(tmp_path / "data", free_port(), {"OVERLAY_PROXIES": "127.0.0.1"})
    cert, key = certificate(tmp_path, "localhost")
    port = free_port()
    text = (DEPLOY / "nginx.conf").read_text("utf-8")
    for before, after in (
        ("server 127.0.0.1:8000;", f"server 127.0.0.1:{console.port};"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("listen 80;", f"listen 127.0.0.1:{free_port()};"),
        ("/etc/overlay/console.crt", str(cert)),
        ("/etc/overlay/console.key", str(key)),
        ("/var/log/nginx/overlay.log", str(tmp_path / "access.log")),
    ):
        assert before in text
        text = text.replace(before, after)
    (tmp_path / "overlay.conf").write_text(text, "utf-8")
    bodies = "\n".join(f"{kind}_temp_path {tmp_path};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    whole = (
        f"pid {tmp_path}/pid; daemon off; error_log stderr;\nevents {{}}\nhttp {{ {bodies}\ninclude overlay.conf; }}"
    )
    (tmp_path / "nginx.conf").write_text(whole, "utf-8")
    command = ["nginx", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    tested = subprocess.run([*command, "-t"], capture_output=True, text=True, timeout=30)
    assert tested.returncode == 0, tested.stderr
    assert "[warn]" not in tested.stderr.replace('the "user" directive', "")
    console.start()
    process = subprocess.Popen(command)
    try:
        yield console, f"https://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=10)
        console.stop()


@needs_nginx
def test_checks_and_live_connections_pass_the_proxy(proxied: tuple[Console, str], tmp_path: Path) -> None:
    console, address = proxied
    token = {"Authorization": f"Bearer {console.token()}", "X-Forwarded-For": "203.0.113.9"}
    marked = next(address for address, expect in console.tries if expect == "hit")
    trust = str(tmp_path / "localhost.pem")
    for _ in range(100):
        try:
            requests.get(f"{address}/healthz", verify=trust, timeout=5)
            break
        except requests.ConnectionError:
            time.sleep(0.05)
    reply = requests.post(
        f"{address}/api/v1/checks", json={"location": {"address": marked}}, headers=token, verify=trust, timeout=10
    )
    assert reply.json()["status"] == "hit"
    with requests.get(f"{address}/api/v1/events", headers=token, verify=trust, stream=True, timeout=10) as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        assert next(line for line in stream.iter_lines() if line), "passed on as it comes"
    lines = (tmp_path / "access.log").read_text()
    assert "/api/v1/checks" in lines
    assert marked not in lines
