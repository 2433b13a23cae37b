"""A new sealing key while the console serves: what the sealer signs goes on, and proves the same entries."""

from __future__ import annotations

import json
import time
from pathlib import Path

from tests.conftest import Console


def verified(console: Console, folder: Path) -> dict[str, object]:
    console.run("ledger", "export", str(folder))
    told: dict[str, object] = json.loads(console.run("ledger", "verify", str(folder), "--json").stdout)
    return told


def test_the_ledger_goes_on_being_signed_after_a_key_rotation(own_console: Console, tmp_path: Path) -> None:
    before = verified(own_console, tmp_path / "before")
    own_console.run("keys", "rotate")
    own_console.run("check", own_console.tries[0][0], "--incident", "CAD-ROTATED")
    until, number = time.monotonic() + 30, 0
    while True:
        after = verified(own_console, tmp_path / f"after{number}")
        if int(str(after["anchored"])) > int(str(before["entries"])) + 2 or time.monotonic() > until:
            break
        number += 1
    assert after["holds"] is True
    assert int(str(after["anchored"])) > int(str(before["entries"])) + 2
    assert after["key"] == before["key"]
