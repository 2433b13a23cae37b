"""The end of the store's log cut at every byte, filled with zeros or rubbish: whole commits or a loud refusal."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from markers.server import EmbeddedServer, LogDamaged
from markers.store import Store
from markers.vault import KeyRing, Vault
from tests.conftest import REPOSITORY
from tests.faults.audit import Audit
from tests.faults.conftest import size
from tests.faults.load import PARTS, commit_of
from tests.faults.rig import Rig, running
from tests.faults.shim import Shim
from tests.faults.table import Row
from tests.unit.test_matching import NOW

pytestmark = [pytest.mark.faults, pytest.mark.timeout(0)]

CUT_EACH = size("CUT_EACH", 40)
TAILS = size("TAILS", 3)
WRITER = "cut"
COMMITS = 40
LAST_BYTES = 1024


@dataclass(frozen=True)
class Written:
    """A store's folder at rest, and the size of its log after each commit was acknowledged."""

    folder: Path
    vault: Vault
    sizes: tuple[int, ...]

    @property
    def log(self) -> Path:
        return next((self.folder / "appendonlydir").glob("*.incr.aof"))

    def whole_in(self, length: int) -> int:
        """How many commits the first bytes of the log hold whole."""
        return sum(1 for end in self.sizes if end <= length)


@pytest.fixture
def written(tmp_path: Path) -> Written:
    folder = tmp_path / "s"
    vault = Vault(KeyRing.create(tmp_path / "keys"), "cut")
    server = EmbeddedServer(folder)
    store = Store(server.ensure(), "cut", vault, timeout_s=2)
    sizes = []
    for number in range(COMMITS):
        store.commit(commit_of(WRITER, number, NOW, vault))
        sizes.append(next((folder / "appendonlydir").glob("*.incr.aof")).stat().st_size)
    store.close()
    os.kill(server.pid or 0, signal.SIGKILL)
    server.wait_gone(5)
    (folder / "store.sock").unlink(missing_ok=True)
    server.release()
    return Written(folder, vault, tuple(sizes))


def held_after(server: EmbeddedServer, vault: Vault) -> int:
    """How many commits the store shows, each whole."""
    audit = Audit(server.ensure(), vault)
    audit.look({}).assert_sound()
    done = audit.done.get(WRITER, 0)
    assert done % len(PARTS) == 0
    return done // len(PARTS)


def test_cut_at_every_byte_the_log_holds_exactly_what_was_whole_before(
    written: Written, tmp_path: Path, tell: Callable[[Row], None]
) -> None:
    sound = written.log.read_bytes()
    assert len(sound) == written.sizes[-1]
    # Every byte of the last kilobyte, and of the ends of the last four commits; between them every seventh as often.
    first = written.sizes[-4]
    cuts = {*range(len(sound) - LAST_BYTES, len(sound) + 1, CUT_EACH), *range(first, len(sound), 7 * CUT_EACH)}
    cuts |= {end + near for end in written.sizes[-4:] for near in (-1, 0, 1) if end + near <= len(sound)}
    seen = set()
    folder = tmp_path / "c"
    server = EmbeddedServer(folder)
    for cut in sorted(cuts):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(written.folder, folder)
        (folder / "appendonlydir" / written.log.name).write_bytes(sound[:cut])
        whole = written.whole_in(cut)
        assert held_after(server, written.vault) == whole, f"cut to {cut} bytes"
        seen.add(whole)
        server.stop(kill=True)
    assert seen == set(range(COMMITS - 4, COMMITS + 1))
    tell(Row("log cut at a byte", len(cuts), COMMITS * len(cuts), note=f"of the last {len(sound) - first:,} bytes"))


def overlay(rig: Rig, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "overlay", *arguments],
        env={**os.environ, "OVERLAY_DATA": str(rig.data)},
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        check=False,
    )


def tails(chance: random.Random) -> Iterator[bytes]:
    while True:
        yield bytes(chance.randint(1, 20_000))
        yield b"*1\r\n$5\r\nMULTI\r\n" + bytes(chance.randint(1, 5_000))
        yield chance.randbytes(chance.randint(200, 5_000))


def test_zeros_or_rubbish_behind_the_log_are_refused_and_the_repair_that_is_named_mends_it(
    tmp_path: Path, chance: random.Random, tell: Callable[[Row], None]
) -> None:
    rig = Rig(tmp_path, Shim(tmp_path, "appendonlydir"))
    with running(rig):
        for _, tail in zip(range(TAILS), tails(chance), strict=False):
            rig.wait_for(chance.randint(20, 100))
            rig.kill_store()
            log = next(rig.logs.glob("*.incr.aof"))
            damaged = log.read_bytes() + tail
            log.write_bytes(damaged)
            with pytest.raises(LogDamaged, match="'overlay store repair'"):
                rig.ensure()
            assert log.read_bytes() == damaged
            rig.probe.wait(1, "could_not_check")
            done = overlay(rig, "store", "repair")
            assert done.returncode == 0, done.stderr
            assert "as it was" in done.stdout
            assert max((rig.data / "store" / "damaged").iterdir()).read_bytes() == damaged
            rig.ensure()
            rig.look()
            rig.probe.wait(1, "hit")
        tell(rig.row("zeros or rubbish behind the log", TAILS, note="refused, then mended by overlay store repair"))


def test_a_repair_that_cuts_into_what_was_signed_leaves_the_decision_to_a_person(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Shim(tmp_path, "appendonlydir"), writers=1)
    with running(rig, sealing=True):
        rig.wait_for(50)
        signed = rig.signed()
        rig.until(lambda: rig.signed() > signed, "a signature")
        rig.sealer.kill()
        rig.probe.leave_homes()
        rig.kill_store()
        log = next(rig.logs.glob("*.incr.aof"))
        content = bytearray(log.read_bytes())
        middle = content.index(b"*1\r\n$5\r\nMULTI\r\n", len(content) // 2)
        content[middle : middle + 512] = bytes(512)
        log.write_bytes(content)
        with pytest.raises(LogDamaged):
            rig.ensure()
        for program in rig.programs.values():
            program.kill()
        rig.programs.clear()
        done = overlay(rig, "store", "repair")
        assert done.returncode == 0, done.stderr
        assert "could not check" in done.stdout
        sequence = done.stdout.partition("--sequence ")[2].split()[0]
        rig.ensure()
        before = rig.probe.end()
        rig.probe.wait(3)
        assert {look.status for look in rig.probe.looks(before)} == {"could_not_check"}
        decided = ("--by", "A Supervisor", "--reason", "power loss")
        told = overlay(rig, "ledger", "accept", "--sequence", sequence, *decided)
        assert told.returncode == 0, told.stderr
        rig.probe.wait(1, "hit")
