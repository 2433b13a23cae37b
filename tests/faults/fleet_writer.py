"""A program that writes until its input closes: `python -m tests.faults.fleet_writer URL AREA KEYS JOURNAL NAME N`.

Each commit is a new record and a ledger entry of the same name, sent again under the same request id until it is
acknowledged; only then is the name journalled, with the time. N replicas must confirm each.
"""

from __future__ import annotations

import itertools
import sys
import threading
import time
from pathlib import Path

from markers.commits import Commit, Write
from markers.store import Store
from markers.store_errors import StoreUnavailable
from markers.vault import KeyRing, Vault

COLLECTION = "journal"


def main(url: str, area: str, keys: str, journal: str, name: str, replicas: str) -> None:
    store = Store(url, area, Vault(KeyRing.load(Path(keys)), area), timeout_s=0.3, replicas=int(replicas))
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    with Path(journal).open("a", encoding="utf-8") as kept:
        for number in itertools.count():
            record = f"{name}-{number}"
            commit = Commit(record, {}, (Write(COLLECTION, record, 0, record.encode()),), (record.encode(),))
            tries = 0
            while not stop.is_set():
                tries += 1
                try:
                    store.commit(commit)
                    break
                except StoreUnavailable:
                    time.sleep(0.02)
            else:
                return
            kept.write(f"{record} {time.time():.4f} {tries}\n")
            kept.flush()
            time.sleep(0.003)


if __name__ == "__main__":
    main(*sys.argv[1:])
