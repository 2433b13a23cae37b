"""The register of erased markers, outside the store: ids and times alone.

A store restored from an older backup still holds what was erased since; whoever opens it leaves those out at once, and
the attendant erases them again.
"""

from __future__ import annotations

import json
import os
import threading
from datetime import datetime
from pathlib import Path

from markers.model import Marker

_FILE = "erased.jsonl"


def register_of(data: Path) -> Path:
    """The register of a data folder."""
    return data / "erased" / _FILE


class Erased:
    """One area's register: lines that are only added to, each on the disk before its marker is erased."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE
        self._lock = threading.Lock()
        self._read_to = 0
        self._ids: dict[str, datetime] = {}

    def all(self) -> dict[str, datetime]:
        """Ids of erased markers, and when each was erased last."""
        self._refresh()
        with self._lock:
            return dict(self._ids)

    def add(self, marker_id: str, at: datetime) -> None:
        """Note an erasure, durably. Raises OSError: then nothing may be erased, for a restore would bring it back."""
        line = json.dumps({"marker_id": marker_id, "at": at.isoformat()}).encode() + b"\n"
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = b"\n" + line  # after one that a full disk cut off
            if os.write(descriptor, line) != len(line):
                raise OSError("the register of erased markers could not be written whole")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _refresh(self) -> None:
        with self._lock:
            try:
                if self._path.stat().st_size == self._read_to:
                    return
                text = self._path.read_bytes()
            except FileNotFoundError:
                return
            whole = text[: text.rfind(b"\n") + 1]
            for line in whole.splitlines():
                try:
                    plain = json.loads(line)
                    self._ids[plain["marker_id"]] = datetime.fromisoformat(plain["at"])
                except (KeyError, TypeError, ValueError):
                    continue  # cut off by a full disk, or empty; what was noted whole follows it
            self._read_to = len(text)


def was_erased(marker: Marker, erased: dict[str, datetime]) -> bool:
    """Whether this is what was erased, come back with a restored store; one recorded since is another marker.

    `erased` is `Erased.all()`.
    """
    at = erased.get(marker.marker_id)
    return at is not None and marker.recorded_at <= at
