"""What the writers of a fault test commit, and what the store must then hold: both follow from a number (and its time).

Commit `n` of a writer changes one record of two collections and appends two ledger entries, all or nothing. Each record
is set seven times and then erased, over and over; while it is there it holds the token of its last change.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from markers.commits import Commit, Write
from markers.ledger import LedgerEntry, Operation, Via
from markers.vault import Vault

COLLECTIONS = ("fault-left", "fault-right")
PARTS = ("a", "b")
_RECORDS = 16
_LIFE = 8
_ROLE = "fault_writer"


@dataclass(frozen=True, slots=True)
class Kept:
    """A record as it must be found."""

    version: int
    plain: bytes
    token: str


def commit_of(writer: str, number: int, at: datetime, vault: Vault) -> Commit:
    turn = number // _RECORDS % _LIFE
    erased = turn == _LIFE - 1
    return Commit(
        request_id=f"{writer}-{number}",
        expect={},
        writes=tuple(
            Write(
                collection,
                _record(writer, number),
                turn,
                None if erased else _plain(writer, number),
                () if erased else (_token(writer, number, vault),),
            )
            for collection in COLLECTIONS
        ),
        entries=tuple(_entry(writer, number, part, at).canonical() for part in PARTS),
    )


def records_after(writer: str, done: int, vault: Vault) -> dict[str, Kept]:
    """What either collection holds of a writer whose first `done` commits were done, and no more."""
    last = {number % _RECORDS: number for number in range(max(0, done - _RECORDS), done)}
    return {
        _record(writer, number): Kept(
            number // _RECORDS % _LIFE + 1, _plain(writer, number), _token(writer, number, vault)
        )
        for number in last.values()
        if number // _RECORDS % _LIFE != _LIFE - 1
    }


def written_by(entry: LedgerEntry) -> tuple[str, int, str] | None:
    """Writer, number and part of an entry; None for one of somebody else."""
    if entry.actor_role != _ROLE:
        return None
    number, part = json.loads(entry.reason or "")
    return entry.actor_id, number, part


def expected(done: int) -> Iterator[tuple[int, str]]:
    """Number and part of each entry of `done` commits, in order."""
    return ((number, part) for number in range(done) for part in PARTS)


def _record(writer: str, number: int) -> str:
    return f"{writer}-{number % _RECORDS}"


def _plain(writer: str, number: int) -> bytes:
    return json.dumps([writer, number]).encode()


def _token(writer: str, number: int, vault: Vault) -> str:
    return vault.token("fault", f"{writer} {number}")


def _entry(writer: str, number: int, part: str, at: datetime) -> LedgerEntry:
    return LedgerEntry(
        entry_id=f"{writer}-{number}-{part}",
        at=at,
        operation=Operation.ALTERATION,
        actor_id=writer,
        actor_role=_ROLE,
        via=Via.SYSTEM,
        reason=json.dumps([number, part]),
    )
