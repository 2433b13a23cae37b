"""Failed sign-ins in the ledger: the first of each window and each lock, never a name, never without end."""

from __future__ import annotations

import uuid
from datetime import datetime

from limits import RateLimitItem

from markers.commits import Commit
from markers.ledger import Event, LedgerEntry, RecordSeen, Via
from overlay.identity.access import Account
from overlay.identity.changes import sent
from overlay.identity.counters import LISTED
from overlay.identity.door import Door

NOBODY = "nobody"


def failed(
    door: Door, what: str, name: str, account: Account | None, counted: int, rule: RateLimitItem, now: datetime
) -> None:
    """Log a wrong try if it is the first of its window, or the last that is taken. `StoreUnavailable`, `CountersAway`.

    `what` is "sign_in" or "code"; `name` is kept as a token alone. At most 120 entries an hour; the last of those
    says that more is not listed.
    """
    if counted not in (1, rule.amount):
        return
    listed = door.counters.count(LISTED, "failures")
    if listed > LISTED.amount:
        return
    entry_id = str(uuid.uuid4())
    reason = f"{what}_failed" if counted == 1 else f"{what}_locked"
    entry = LedgerEntry(
        entry_id=entry_id,
        at=now,
        operation=Event.SIGN_IN,
        actor_id=NOBODY,
        actor_role=NOBODY,
        via=Via.WEB,
        reason=reason if listed < LISTED.amount else "more_failures_not_listed",
        about=(door.vault.token("username", name),),
        records=() if account is None else (RecordSeen(account.account_id, account.version),),
    )
    sent(door.store, Commit(entry_id, {}, (), (entry.canonical(),)))
