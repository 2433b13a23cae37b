"""This version and a newer one on one store, as during an upgrade: neither misses what the other wrote, nor loses it.

The newer one is this one's code with what a next version might add: a field of the marker, and one of its place. It
runs in processes of its own, as on the other hosts.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, Console, free_port
from tests.faults.test_degraded import Server
from tests.faults.test_store_away import check, clear_address, hit_address, ready, until
from tests.store.commands import write_csv

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]

KIND = "domestic_abuse_risk"
NEWER = {
    "    ending: Ending | None = None\n    more:": '    ending: Ending | None = None\n    seen_by: str = ""\n    more:',
    '"confirmed_by", "ending")': '"confirmed_by", "ending", "seen_by")',
    "    premises_id: str | None = None\n": "    premises_id: str | None = None\n    floors: str | None = None\n",
}

WRITE = """
import sys
from dataclasses import replace
from markers.model import Place
from overlay.bench.changing import BY, a_marker
from overlay.services import running
from overlay.settings import Settings
from overlay.upkeep import steps
reference, address, floors = sys.argv[1:]
with running(Settings.read()) as services:
    marker = a_marker(services, reference, Place(address=address, floors=floors or None))
    marker = replace(marker, seen_by="the night desk")
    steps.add_provisional(services, BY, marker, "nobody answers", services.now())
    print(marker.marker_id)
"""
KEEP = """
import sys
from overlay.bench.changing import BY
from overlay.roles import Actor
from overlay.services import running
from overlay.settings import Settings
from overlay.upkeep import steps
with running(Settings.read()) as services:
    second = Actor("os:second", "B. Second", "ppu_supervisor", BY.via)
    steps.keep(services, second, sys.argv[1], "so it is", services.now())
"""
READ = """
import json, sys
from overlay.services import running
from overlay.settings import Settings
with running(Settings.read()) as services:
    found = services.index.get(sys.argv[1])
    print(json.dumps([found.version, found.seen_by, found.approved_by]))
"""
REMOVE = """
import sys, uuid
from markers.commits import Commit, Write
from overlay.services import running
from overlay.settings import Settings
with running(Settings.read()) as services:
    kept = services.store.records("markers", [sys.argv[1]])[0]
    services.commit(Commit(str(uuid.uuid4()), {}, (Write("markers", sys.argv[1], kept.version, None),)), services.now())
"""


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the newer version's code."""
    folder = tmp_path_factory.mktemp("newer")
    for part in ("overlay", "markers", "checklists", "config"):
        shutil.copytree(REPOSITORY / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    model = folder / "markers" / "model.py"
    text = model.read_text("utf-8")
    for now, then in NEWER.items():
        assert text.count(now) == 1, now
        text = text.replace(now, then)
    model.write_text(text, "utf-8")
    return folder


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory, newer: Path) -> Iterator[tuple[Console, Console]]:
    """A console of this version and one of the newer, with folders of their own."""
    tmp_path = tmp_path_factory.mktemp("hosts")
    server = Server(tmp_path / "server", free_port())
    server.start()
    outside = {"OVERLAY_STORE_URL": server.line.url, "OVERLAY_WORKERS": "1"}
    this, other = (Console(tmp_path / name, free_port(), dict(outside)) for name in ("this", "newer"))
    other.extra["PYTHONPATH"] = str(newer)
    try:
        this.data.mkdir(mode=0o700)
        other.data.mkdir(mode=0o700)
        this.start()
        for part in ("keys", "gazetteer"):
            shutil.copytree(this.data / part, other.data / part)
        other.start()
        yield this, other
    finally:
        for console in (this, other):
            if console.process is not None:
                console.stop()
        server.stop()


def run(console: Console, script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env={**os.environ, **console.environment()},
        cwd=console.data.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_they_serve_side_by_side_and_keep_what_the_other_wrote(hosts: tuple[Console, Console]) -> None:
    this, other = hosts
    token, home = this.token(), clear_address(this)
    for host in hosts:
        assert [check(host, token, address)["status"] for address in (hit_address(host), home)] == ["hit", "clear"]

    marked = run(other, WRITE, "NEWER-1", home, "")
    for host in (other, this):
        assert check(host, token, home)["status"] == "hit", "in the very next check"
        assert ready(host)
    run(this, KEEP, marked)
    assert json.loads(run(other, READ, marked)) == [2, "the night desk", "B. Second"], (
        "what this one does not know stays"
    )
    listed = write_csv(this.data / "listed.csv", [{"reference": "NEWER-1", "category": KIND, "address": home}])
    this.run("markers", "import", str(listed), "--by", "A", "--approved-by", "B")
    assert json.loads(run(other, READ, marked)) == [3, "the night desk", "B"]
    assert check(other, token, home)["status"] == "hit"

    # What may not be guessed: where a marker warns. This version says that it can't tell, and serves again afterwards.
    elsewhere = run(other, WRITE, "NEWER-2", "9 Foolscap Lane, EC9A 1AP", "2-4")
    assert check(other, token, "9 Foolscap Lane, EC9A 1AP")["status"] == "hit"
    until(lambda: not ready(this))
    for address in (home, "9 Foolscap Lane, EC9A 1AP", "12 Foolscap Lane, EC9A 1AP"):
        answer = check(this, token, address)
        assert (answer["status"], answer["store"]) == ("could_not_check", "last_known")
    run(other, REMOVE, elsewhere)
    until(lambda: ready(this))
    assert [check(this, token, address)["status"] for address in (hit_address(this), home)] == ["hit", "hit"]

    exported = json.loads(this.run("ledger", "search", "--last", "300", "--json").stdout)
    assert {"provisional", "kept"} <= {row["reason"] for row in exported}


def test_a_host_is_upgraded_and_put_back_on_the_same_folder(hosts: tuple[Console, Console], newer: Path) -> None:
    this, other = hosts
    token = this.token()
    homes = [f"{number} Foolscap Lane, EC9A 1AP" for number in (2, 5, 6, 7, 18)]
    home, clear = [one for one in homes if check(this, token, one)["status"] == "clear"][:2]
    run(other, WRITE, "NEWER-3", home, "")
    for code in ({"PYTHONPATH": str(newer)}, {}):
        assert this.stop() == 0
        this.extra.pop("PYTHONPATH", None)
        this.extra.update(code)
        this.start()
        assert check(this, token, home)["status"] == "hit"
        assert check(this, token, clear)["status"] == "clear"
        told = {one["name"]: one["state"] for one in json.loads(this.run("doctor", "--json", check=False).stdout)}
        assert "failed" not in told.values(), told
