"""The store does what it was asked and its answer is lost, late or cut: asked again, nothing is done twice."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import size
from tests.faults.lossy_proxy import HALF_REPLY, HALF_REQUEST, LATE, LOST, TWICE, CuttingProxy
from tests.faults.rig import Rig
from tests.faults.shim import Shim
from tests.faults.table import Row

pytestmark = [pytest.mark.faults, pytest.mark.timeout(0)]

DROPPED = size("DROPPED", 300)
TIMEOUT_S = 0.2
ODDS = {
    LOST: 0.5,
    HALF_REPLY: 0.05,
    LATE: 0.01,
    HALF_REQUEST: 0.05,
    TWICE: 0.05,
}


@pytest.fixture
def socket_folder() -> Iterator[Path]:
    """A short path: sockets take about 100 characters."""
    with tempfile.TemporaryDirectory(prefix="wmo-") as folder:
        yield Path(folder)


def test_replies_lost_after_the_store_has_answered(
    tmp_path: Path, socket_folder: Path, chance: random.Random, tell: Callable[[Row], None]
) -> None:
    rig = Rig(tmp_path, Shim(tmp_path, "appendonlydir"), timeout_s=TIMEOUT_S)
    try:
        rig.ensure()
        line = CuttingProxy(socket_folder / "line", rig.url, ODDS, chance, late_s=2 * TIMEOUT_S)
        rig.probe.program.environment["OVERLAY_STORE_URL"] = line.url
        rig.probe.start()
        rig.load(line.url)
        rig.until(lambda: line.fates[LOST] >= DROPPED, f"{DROPPED} lost replies", 60 + DROPPED)
        assert all(line.fates[fate] for fate in ODDS), line.fates
        rig.look()
        line.odds.clear()
        others = sum(line.fates.values()) - line.fates[LOST]
        tell(rig.row("replies lost", line.fates[LOST], note=f"and {others:,} late, cut in half or doubled"))
        line.close()
    finally:
        rig.stop()
