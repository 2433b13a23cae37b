"""Programs that write while faults are made, and the count of what they were told is done."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from markers.store import Store
from markers.store_errors import StoreUnavailable
from markers.vault import KeyRing, Vault
from tests.conftest import REPOSITORY
from tests.faults.fleet import wait_for
from tests.faults.fleet_writer import COLLECTION

WRITERS = 3


def bound(store: Store) -> bool:
    """Whether enough replicas confirm: one that has just been filled, or is only busy, does not for a moment."""
    try:
        store.bind()
    except StoreUnavailable:
        return False
    return True


def say(words: str) -> None:
    print(words)  # noqa: T201 - figures, which `make faults` shows


@dataclass
class Writers:
    """Programs that write to one area, and what they were told is done."""

    url: str
    folder: Path
    area: str
    replicas: int = 1
    programs: int = WRITERS
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _read: dict[Path, int] = field(default_factory=dict)
    _kept: dict[str, float] = field(default_factory=dict)

    def __enter__(self) -> Writers:
        self.folder.mkdir()
        self.ring = KeyRing.create(self.folder / "keys")
        given = (self.url, self.area, str(self.folder / "keys"))
        for number in range(self.programs):
            name = f"w{number}"
            command = (
                sys.executable,
                "-m",
                "tests.faults.fleet_writer",
                *given,
                str(self.folder / f"{name}.journal"),
                name,
            )
            self.processes.append(
                subprocess.Popen([*command, str(self.replicas)], stdin=subprocess.PIPE, cwd=REPOSITORY)
            )
        wait_for(lambda: len(self.acknowledged()) > 20)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.communicate(timeout=20)

    def acknowledged(self) -> dict[str, float]:
        """Name and time of everything that was acknowledged."""
        for path in self.folder.glob("*.journal"):
            with path.open("rb") as journal:
                journal.seek(self._read.get(path, 0))
                lines = journal.read()
            whole = lines[: lines.rfind(b"\n") + 1]
            self._read[path] = self._read.get(path, 0) + len(whole)
            for name, at, _ in (line.split() for line in whole.decode().splitlines()):
                self._kept[name] = float(at)
        return self._kept

    def stood_still(self, after: float, seconds: float = 60) -> float:
        """How long after that moment the first write was acknowledged."""
        after += 0.02  # what was on its way already
        first = wait_for(lambda: [at for at in list(self.acknowledged().values())[-2000:] if at > after], seconds)
        return min(first) - after + 0.02

    def count(self) -> tuple[int, int, int]:
        """Acknowledged; of those lost, as record or ledger entry; and anything that is there twice."""
        store = Store(self.url, self.area, Vault(self.ring, self.area), timeout_s=2, replicas=self.replicas)
        told = store.load(COLLECTION)
        records = {record.record_id: record for record in told.records}
        entries = Counter(entry.entry.decode() for entry in store.ledger())
        store.close()
        kept = self.acknowledged()
        lost = [name for name in kept if entries[name] == 0 or name not in records]
        doubled = [name for name, times in entries.items() if times > 1]
        doubled += [name for name, record in records.items() if record.version != 1]
        assert told.position == len(records), "every change is there once"
        assert set(entries) == set(records), "a record and its entry come together"
        return len(kept), len(lost), len(doubled)
