"""The one way "access" changes: planned on what is in force now, committed with its ledger entry or not at all."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from markers.commits import Commit, Committed, Moved, Write
from markers.ledger import Event, LedgerEntry, RecordSeen, Via
from markers.store import Store
from markers.store_errors import StoreUnavailable
from overlay.identity.access import COLLECTION, AccessBook, Account, Entry, as_plain, record_id
from overlay.roles import Actor

_TRIES = 8

COMMAND_LINE = Actor("command_line", "command line", "service", Via.CLI)


class IdentityError(Exception):
    """Anything refused about accounts, sessions or tokens; the message is for the person who asked."""


class Refused(IdentityError):
    """A field that can't be used; nothing was changed."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{reason} Nothing was changed.")
        self.field = field


class AccessBusy(IdentityError):
    """Accounts change faster than this change can follow."""

    def __init__(self) -> None:
        super().__init__("Accounts are being changed by others at this moment. Nothing was changed; try again.")


@dataclass(frozen=True, slots=True)
class Planned:
    """What a change would write, and what the ledger says of it: a code, the record, the fields changed."""

    writes: tuple[Write, ...]
    event: Event
    reason: str
    record_id: str
    fields: tuple[str, ...] = ()


def catch_up(store: Store, access: AccessBook) -> None:
    """Bring the book to the store's position now. `StoreUnavailable`."""
    news = store.changes(COLLECTION, access.position)
    if news.reload:
        access.replace(store.load(COLLECTION))
    else:
        access.apply(news)


def change(store: Store, access: AccessBook, by: Actor, now: datetime, plan: Callable[[], Planned]) -> None:
    """Commit what `plan` makes of the book, planning anew when somebody else's change came first.

    Afterwards the book holds the change. Raises what `plan` raises, `AccessBusy`, `StoreUnavailable` (the
    outcome is then unknown).
    """
    request_id = str(uuid.uuid4())
    catch_up(store, access)
    for _ in range(_TRIES):
        position = access.position
        planned = plan()
        entry = _entry(planned, by, now, request_id)
        done = sent(store, Commit(request_id, {COLLECTION: position}, planned.writes, (entry.canonical(),)))
        catch_up(store, access)
        if isinstance(done, Committed):
            return
    raise AccessBusy


def put(entry: Entry) -> Write:
    """Write an entry as the next version of itself; version 0 is new. A person of single sign-on has one account."""
    tokens = (entry.subject,) if isinstance(entry, Account) and entry.subject else ()
    return Write(COLLECTION, record_id(entry), entry.version, as_plain(entry), tokens)


def remove(entry: Entry) -> Write:
    """Erase an entry."""
    return Write(COLLECTION, record_id(entry), entry.version, None)


def sent(store: Store, commit: Commit) -> Committed | Moved:
    """Commit, asking once more when the first reply was lost. `StoreUnavailable`."""
    try:
        return store.commit(commit)
    except StoreUnavailable:
        return store.commit(commit)  # one lost reply or one restarted store; the request id makes it one change


def _entry(planned: Planned, by: Actor, now: datetime, entry_id: str) -> LedgerEntry:
    version = next((write.expected_version + 1 for write in planned.writes if write.record_id == planned.record_id), 0)
    return LedgerEntry(
        entry_id=entry_id,
        at=now,
        operation=planned.event,
        actor_id=by.actor_id,
        actor_role=by.role,
        via=by.via,
        reason=planned.reason,
        records=(RecordSeen(planned.record_id, version, fields=planned.fields),),
    )
