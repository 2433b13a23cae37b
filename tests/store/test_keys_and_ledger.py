"""A new sealing key while the console serves: what the sealer signs goes on, and proves the same entries."""

from __future__ import annotations

import json
import time
from pathlib import Path

from markers.anchors import Anchors
from tests.conftest import Console


def verified(console: Console, folder: Path) -> dict[str, object]:
    console.run("ledger", "export", str(folder))
    told: dict[str, object] = json.loads(console.run("ledger", "verify", str(folder), "--json").stdout)
    return told


def test_the_ledger_goes_on_being_signed_after_a_key_rotation(own_console: Console, tmp_path: Path) -> None:
    before = verified(own_console, tmp_path / "before")
    own_console.run("keys", "rotate")
    own_console.run("check", own_console.tries[0][0], "--incident", "CAD-ROTATED")
    anchors, until = Anchors(own_console.data / "anchors" / "quill"), time.monotonic() + 30
    while (last := anchors.last()) is None or last.size <= int(str(before["entries"])) + 2:
        assert time.monotonic() < until, own_console.log()
        time.sleep(0.1)
    after = verified(own_console, tmp_path / "after")
    assert after["holds"] is True
    assert int(str(after["anchored"])) > int(str(before["entries"])) + 2
    assert after["key"] == before["key"]
