"""A damaged append-only log cut back to its last whole command, by hand of a person and with the damaged one kept.

A power loss may leave zeros or rubbish behind what was written (a log that is only cut short mends itself at the next
start). The store's server then refuses the log; its own checker, which is the same program, says how far it is whole.
What is cut off is gone from the store: whether that was anything anchored, the fence sees at the next start.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from markers.server import ServerError, server_program
from markers.server_folder import LOG_FOLDER, MANIFEST, ServerFolder, sync

KEPT_FOLDER: Final = "damaged"
_PART: Final = re.compile(r"file (\S+) seq \d+ type ([bi])")
_SOUND: Final = re.compile(r"ok_up_to=(\d+)")
_PIECE: Final = 1 << 20


class CannotRepair(ServerError):  # noqa: N818 - names the state a person must act on
    """Cutting the log's end does not mend it; nothing was changed."""


class StoreInUse(ServerError):  # noqa: N818 - names the state a person must act on
    """A server works on the folder, so its log is nobody else's to touch."""


@dataclass(frozen=True, slots=True)
class Damage:
    """File `file` of the log is whole up to byte `sound` of `size`.

    `zeros`: behind that stand nothing but zero bytes, which nothing ever wrote, so nothing acknowledged is among them.
    """

    file: Path
    size: int
    sound: int
    zeros: bool


@dataclass(frozen=True, slots=True)
class Repair:
    """What was cut off, and the file that holds the damaged log as it was."""

    damage: Damage
    kept: Path


def find_damage(folder: Path) -> Damage | None:
    """What is wrong with the end of the log in a store's folder; None when the checker finds it whole.

    Raises CannotRepair for damage anywhere but at the end, `StoreInUse` while a server works on the folder.
    """
    with _held(folder) as held:
        return _damage(held.path / LOG_FOLDER)


def repair(folder: Path, now: datetime) -> Repair | None:
    """Keep the damaged file as it is, then cut it back to its last whole command; None where nothing is damaged.

    Raises as `find_damage` does, and OSError when the copy can't be made: then nothing was cut.
    """
    with _held(folder) as held:
        found = _damage(held.path / LOG_FOLDER)
        if found is None:
            return None
        kept = _copied(found.file, held.path / KEPT_FOLDER, now)
        with found.file.open("r+b") as file:
            file.truncate(found.sound)
            os.fsync(file.fileno())
        if _damage(held.path / LOG_FOLDER) is not None:
            raise CannotRepair(
                f"{found.file} was cut to {found.sound} bytes and still is not whole; as it was it lies in {kept}. "
                "Restore a backup"
            )
        return Repair(found, kept)


@contextmanager
def _held(folder: Path) -> Iterator[ServerFolder]:
    """The folder with its lock taken: no server starts on it meanwhile."""
    held = ServerFolder(folder)
    if not held.path.is_dir():
        raise CannotRepair(f"there is no store in {held.path}; check the data folder")
    lock = held.take("lock", fcntl.LOCK_EX)
    if lock is None:
        raise StoreInUse(f"a server works on {held.path}, so its log was read whole; stop 'overlay run' first")
    try:
        yield held
    finally:
        held.give_up(lock)


def _damage(logs: Path) -> Damage | None:
    *earlier, last = _parts(logs)
    for part, kind in earlier:
        if _sound(part, kind) is not None:
            raise CannotRepair(
                f"{part} is damaged, and it is not the end of the log; nothing was changed, restore a backup"
            )
    part, kind = last
    sound = _sound(part, kind)
    if sound is None:
        return None
    if kind == "b":
        raise CannotRepair(f"{part}, the log's beginning, is damaged; nothing was changed, restore a backup")
    return Damage(part, part.stat().st_size, sound, _only_zeros(part, sound))


def _parts(logs: Path) -> list[tuple[Path, str]]:
    """The log's files in order, each with its type: `b` the base, `i` what was written since."""
    try:
        text = (logs / MANIFEST).read_text("ascii", "replace")
    except OSError as error:
        raise CannotRepair(f"{logs / MANIFEST} can't be read ({error.strerror}); restore a backup") from None
    parts = [(logs / name, kind) for name, kind in _PART.findall(text)]
    missing = [part for part, _ in parts if not part.is_file()]
    if missing or not parts:
        raise CannotRepair(
            f"the log lacks {missing[0] if missing else 'every file'}; nothing was changed, restore a backup"
        )
    return parts


def _sound(part: Path, kind: str) -> int | None:
    """How many bytes of a damaged file are whole, by the server's own checker; None when all of it is."""
    checker = "valkey-check-rdb" if kind == "b" else "valkey-check-aof"
    said = subprocess.run(
        [checker, str(part)],
        executable=server_program(),
        env={"LC_ALL": "C", "TZ": "UTC"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if said.returncode == 0 or part.stat().st_size == 0:
        return None
    found = _SOUND.search(said.stdout.decode(errors="replace"))
    return int(found[1]) if found else 0


def _only_zeros(part: Path, start: int) -> bool:
    with part.open("rb") as file:
        file.seek(start)
        while piece := file.read(_PIECE):
            if piece.strip(b"\0"):
                return False
    return True


def _copied(file: Path, folder: Path, now: datetime) -> Path:
    folder.mkdir(mode=0o700, exist_ok=True)
    kept = folder / f"{now.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}-{file.name}"
    with open(os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as copy:
        with file.open("rb") as damaged:
            shutil.copyfileobj(damaged, copy)
        copy.flush()
        os.fsync(copy.fileno())
    sync(folder)
    sync(folder.parent)
    return kept
