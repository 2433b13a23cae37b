"""`python -m tests.faults.rig_writer`: one writer, which commits as fast as the store takes it, until it is killed.

A commit whose outcome is not known is sent again, the same, until the store says what became of it. Killed and started
again, it goes on from its journal. Whatever the store refuses is written down beside the journal and ends the writer.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from markers.commits import Committed
from markers.store import Store
from markers.store_errors import StoreError, StoreUnavailable
from markers.vault import KeyRing, Vault
from tests.faults.journal import Journal
from tests.faults.load import commit_of

_PAUSE_S = 0.01


def main() -> None:
    name, url, area, keys, journal_path, timeout_s = sys.argv[1:]
    vault = Vault(KeyRing.load(Path(keys)), area, Path(keys))
    store = Store(url, area, vault, timeout_s=float(timeout_s))
    journal = Journal(Path(journal_path))
    journal.begin(datetime.now(UTC))
    number = journal.acknowledged()
    commit = commit_of(name, number, journal.next_at(), vault)
    while True:
        try:
            done = store.commit(commit)
        except StoreUnavailable:
            time.sleep(_PAUSE_S)
            continue
        except StoreError as error:
            Path(f"{journal_path}.refused").write_text(f"{name} {number}: {type(error).__name__}: {error}")
            return
        if not isinstance(done, Committed) or len(done.ledger) != len(commit.entries):
            Path(f"{journal_path}.refused").write_text(f"{name} {number}: {done}")
            return
        at = datetime.now(UTC)
        journal.append(number, at)
        number += 1
        commit = commit_of(name, number, at, vault)


if __name__ == "__main__":
    main()
