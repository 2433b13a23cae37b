"""The clock one hour forward and one hour back, under store, sealer and prober alike."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from markers.commits import Committed
from markers.store import Store
from overlay.sealing import SealerState
from tests.conftest import REPOSITORY, Console, free_port
from tests.faults.load import commit_of
from tests.faults.rig import Rig, running
from tests.faults.shim import Shim
from tests.faults.table import Row
from tests.faults.test_store_away import check, clear_address, hit_address, ready, until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(0)]

HOUR = 3600


def overlay(rig: Rig, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "overlay", *arguments],
        env={**os.environ, "OVERLAY_DATA": str(rig.data), **rig.shim.environment},
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        check=False,
    )


def test_an_hour_forward_and_an_hour_back(tmp_path: Path, tell: Callable[[Row], None]) -> None:
    rig = Rig(tmp_path, Shim(tmp_path, "appendonlydir"))
    for program in (rig.probe.program, rig.sealer):
        program.environment |= rig.shim.environment
    sent = []

    def send(store: Store) -> None:
        """One more commit, then every one there was, again: each is still known by its request id."""
        sent.append(commit_of("asked-again", len(sent), datetime.now(UTC), rig.vault))
        done = [store.commit(commit) for commit in (sent[-1], *sent)]
        assert all(isinstance(answer, Committed) for answer in done)
        assert [answer.repeated for answer in done if isinstance(answer, Committed)] == [False] + [True] * len(sent)

    with running(rig, sealing=True):
        store = Store(rig.url, rig.vault.area, rig.vault, timeout_s=2)
        send(store)
        for seconds in (HOUR, 0, -HOUR):
            rig.shim.set_clock(seconds)
            send(store)
            rig.wait_for(50)
            if seconds == HOUR:
                signed = rig.signed()
                rig.until(lambda signed=signed: rig.signed() > signed, "a signature an hour ahead")
            else:
                rig.until(lambda: state(rig) == "clock", "the sealer to say that the clock is behind")
                signed = rig.signed()
                rig.kill_store()  # request ids outlive a restart while the clock stands elsewhere
                rig.ensure()
            send(store)
            rig.probe.wait(2, "hit")
            rig.look()
            if seconds != HOUR:
                assert rig.signed() == signed, "nothing is signed while the clock stands before the last signature"
        rig.shim.set_clock(HOUR)
        rig.until(lambda: rig.signed() > signed and state(rig) == "signing", "signing again")
        store.close()
        tell(rig.row("clock an hour forward, back, behind", 3, note="sealer says so; request ids still known"))
        for program in rig.programs.values():
            program.kill()
        rig.programs.clear()
        end = rig.ledger_end()
        rig.until(lambda: rig.signed() >= end, "a signature over everything")
        exported = overlay(rig, "ledger", "export", str(tmp_path / "ledger"))
        assert exported.returncode == 0, exported.stderr
        found = json.loads(overlay(rig, "ledger", "verify", str(tmp_path / "ledger"), "--json").stdout)
        # Everything is signed in its order; whoever verifies is told of the clock, at the first entry behind it.
        assert "the clock was set back" in found["what"], found


def test_the_clock_jumps_under_a_whole_console(tmp_path: Path) -> None:
    """Workers, sealer, prover and attendant: answers are right or could-not-check, and right again by themselves."""
    shim = Shim(tmp_path, "nothing")
    console = Console(tmp_path / "data", free_port(), {**shim.environment, "OVERLAY_PROOF_S": "1"})
    console.start()
    try:
        token, entries = console.token(), []
        for seconds in (HOUR, 0, -HOUR, 0):
            signed = anchored(console)
            shim.set_clock(seconds)
            for address, right in [(hit_address(console), "hit"), (clear_address(console), "clear")] * 10:
                answer = check(console, token, address)
                assert answer["status"] in (right, "could_not_check")
                entries.append(answer["ledger_entry"])
                time.sleep(0.02)
            until(lambda: check(console, token, hit_address(console))["status"] == "hit")
            until(lambda: check(console, token, clear_address(console))["status"] == "clear")
            if seconds == HOUR:
                until(lambda signed=signed: anchored(console) != signed)
            else:
                until(lambda: "the last checkpoint was signed at" in console.log())
            if seconds == 0:  # a file of another clock than the reader's, the kernel's, is no proof
                until(lambda: ready(console))
        until(lambda: not any(map(size_of, (console.data / "spool").glob("*.spool"))))
        kept = Counter(row["entry"] for row in json.loads(console.run("ledger", "search", "--json").stdout))
        assert {kept[entry] for entry in entries} == {1}
        assert console.log().count("the last checkpoint was signed at") <= 3, "not said each second"
    finally:
        console.stop()


def anchored(console: Console) -> str:
    """Every anchor there is, as one text: another one makes it another."""
    return "".join(path.read_text() for path in sorted((console.data / "anchors").glob("*/*.txt")))


def size_of(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def state(rig: Rig) -> str:
    return SealerState.read(rig.data, datetime.now(UTC)).kind
