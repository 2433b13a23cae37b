"""What an outside auditor needs of a ledger, in one folder: entries, checkpoints, anchors, the public key.

HANDLING.txt       how the folder is to be kept
entries.jsonl      {"sequence":N,"leaf":"HEX","entry":{...}}: the entry is the very bytes that were hashed
checkpoints.txt    signed notes (markers/checkpoints.py), an empty line after each
anchors/           the anchors as they were, a file a day
ledger.pub         the public key as the exporter has it; compare its fingerprint with the one you hold
manifest.json      what the folder holds; written last, so a folder without it is not whole
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from markers.anchors import Anchors
from markers.checkpoints import PublicKey
from markers.merkle import leaf_hash
from markers.store import Store

ENTRIES: Final = "entries.jsonl"
CHECKPOINTS: Final = "checkpoints.txt"
ANCHORS: Final = "anchors"
KEY: Final = "ledger.pub"
MANIFEST: Final = "manifest.json"
HANDLING: Final = "OFFICIAL-SENSITIVE"
_HANDLING_WORDS: Final = (
    f"{HANDLING}\n\n"
    "This folder holds the record of who looked at which warning markers, when and for which incident.\n"
    "Handle, store and destroy it as OFFICIAL-SENSITIVE.\n\n"
    "Check it anywhere with:  overlay ledger verify DIR --key FINGERPRINT\n"
)


class ExportRefused(Exception):  # noqa: N818 - reads as the fact it states
    """The folder can't take an export; nothing was written."""


def line(sequence: int, entry: bytes) -> bytes:
    """One line of `entries.jsonl`."""
    return b'{"sequence":%d,"leaf":"%s","entry":%b}\n' % (sequence, leaf_hash(entry).hex().encode(), entry)


def check_folder(folder: Path) -> None:
    """Raises ExportRefused unless the folder is new or empty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ExportRefused(f"{folder} is not an empty folder. Nothing was exported.")


def export(
    store: Store,
    anchors: Anchors,
    key: PublicKey,
    folder: Path,
    now: datetime,
    step: Callable[[int], None] = lambda _: None,
) -> int:
    """Write everything to `folder`, which is new or empty (mode 0700); returns how many entries.

    Checkpoints and anchors are taken first, so that none of them reaches past the entries. Raises ExportRefused,
    `VaultError` naming the first entry that can't be opened, `OSError`.
    """
    check_folder(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    previous = os.umask(0o077)
    try:
        (folder / "HANDLING.txt").write_text(_HANDLING_WORDS, "utf-8")
        (folder / KEY).write_text(key.line, "ascii")
        (folder / ANCHORS).mkdir(mode=0o700)
        for path in anchors.files():
            shutil.copyfile(path, folder / ANCHORS / path.name)
        signed = 0
        with (folder / CHECKPOINTS).open("w", encoding="utf-8") as file:
            for signed, note in store.checkpoints():  # noqa: B007 - the last one counts
                file.write(f"{note}\n")
        count = 0
        with (folder / ENTRIES).open("wb") as out:
            for record in store.ledger():
                out.write(line(record.sequence, record.entry))
                count = record.sequence
                step(1)
            out.flush()
            os.fsync(out.fileno())
        manifest = {
            "format": 1,
            "handling": HANDLING,
            "ledger": key.origin,
            "key": key.fingerprint,
            "exported_at": now.astimezone(UTC).isoformat(),
            "entries": count,
            "signed": signed,
        }
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")
    finally:
        os.umask(previous)
    return count
